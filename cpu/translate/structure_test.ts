/**
 * Loops with several ways in: translated code that enters them in the middle.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { makeCpu, state } from "../test_cpu.ts";

const HLT = 0xf4;

/**
 * mov ebp, 400; O: mov ecx, ebp; and ecx, 3; test ecx, 1; jnz Y; X: add eax, ecx; dec ecx; js E; Y: adc edx, 3;
 * sub ecx, 2; jg X; E: dec ebp; jnz O; hlt: X and Y are a loop, and O leads to both.
 */
// deno-fmt-ignore
const TWO_ENTRIES = [
  0xbd, 0x90, 1, 0, 0, 0x89, 0xe9, 0x83, 0xe1, 3, 0xf7, 0xc1, 1, 0, 0, 0, 0x75, 5, 0x01, 0xc8, 0x49, 0x78, 8,
  0x83, 0xd2, 3, 0x83, 0xe9, 2, 0x7f, 0xf3, 0x4d, 0x75, 0xe3, HLT,
];

Deno.test("a loop with two entries does the same translated, at every instruction", () => {
  for (const threshold of [1, 6]) {
    for (const length of [1, 2, 3, 5, 11, 50]) {
      const [plain, translating] = [makeCpu(TWO_ENTRIES, 0), makeCpu(TWO_ENTRIES, threshold)];
      while (!plain.halted) {
        assert.equal(translating.run(length), plain.run(length));
        assert.equal(state(translating), state(plain));
      }
      assert.ok((translating.translation?.regions ?? 0) > 0);
    }
  }
});

Deno.test("a loop with two entries is not left between them", () => {
  const cpu = makeCpu(TWO_ENTRIES, 4, () => 0);
  for (let i = 0; i < 100 && !cpu.halted; i++) cpu.run(100);
  assert.ok(cpu.halted);
  const counts = cpu.translationCounts;
  const links = counts.get("leave: link") ?? 0;
  assert.ok((counts.get("translated") ?? 0) > 800, [...counts].join("; "));
  // Regions of parts may be made before the whole has run once.
  assert.ok(links < 20, [...counts].join("; "));
});

Deno.test("random jumps among blocks do the same translated", () => {
  // Block i: add eax, i; rol eax, 3; dec ecx; jz end; test al, mask; jcc one; jmp other.
  const block = fc.record({
    mask: fc.constantFrom(1, 2, 4, 0x10, 0x80),
    condition: fc.constantFrom(4, 5),
    one: fc.nat(100),
    other: fc.nat(100),
  });
  let regions = 0;
  fc.assert(
    fc.property(fc.array(block, { minLength: 3, maxLength: 12 }), fc.nat(60), (blocks, step) => {
      const size = 27;
      const code: number[] = [0xb9, 0xff, 1, 0, 0];
      const near = (to: number): number[] => {
        const distance = 5 + to - (code.length + 4);
        return [0, 8, 16, 24].map((shift) => (distance >> shift) & 0xff);
      };
      for (const [i, { mask, condition, one, other }] of blocks.entries()) {
        code.push(0x83, 0xc0, i, 0xc1, 0xc0, 3, 0x49, 0x0f, 0x84);
        code.push(...near(blocks.length * size), 0xa8, mask, 0x0f, 0x80 | condition);
        code.push(...near((one % blocks.length) * size), 0xe9);
        code.push(...near((other % blocks.length) * size), 0x90);
      }
      code.push(HLT);
      const [plain, translating] = [makeCpu(code, 0), makeCpu(code, 2)];
      for (let i = 0; i < 5000 && !plain.halted; i++) {
        assert.equal(translating.run(step + 1), plain.run(step + 1));
        assert.equal(state(translating), state(plain));
      }
      assert.ok(plain.halted);
      regions += translating.translation?.regions ?? 0;
    }),
    { numRuns: 60, seed: 5 },
  );
  assert.ok(regions > 60, `${regions} regions`);
});
