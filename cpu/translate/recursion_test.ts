/**
 * Functions that call themselves: their calls and returns are jumps in the region, where the stack says so.
 * @module
 */
import assert from "node:assert/strict";
import { DATA, makeCpu, state } from "../test_cpu.ts";

/**
 * mov ebp, 6; L: mov eax, 8; call F; dec ebp; jnz L; hlt
 * F: cmp eax, 1; jbe B; push ebx; mov ebx, eax; dec eax; call F; add [esi], eax; lea eax, [ebx-2]; call F;
 * C: adc edx, 3; pop ebx; ret; B: inc dword [esi+8]; ret
 */
// deno-fmt-ignore
const TREE = [
  0xbd, 6, 0, 0, 0, 0xb8, 8, 0, 0, 0, 0xe8, 4, 0, 0, 0, 0x4d, 0x75, 0xf3, 0xf4,
  0x83, 0xf8, 1, 0x76, 0x17, 0x53, 0x89, 0xc3, 0x48, 0xe8, 0xf2, 0xff, 0xff, 0xff, 0x01, 0x06, 0x8d, 0x43, 0xfe,
  0xe8, 0xe8, 0xff, 0xff, 0xff, 0x83, 0xd2, 3, 0x5b, 0xc3, 0xff, 0x46, 8, 0xc3,
];
/** The same, but B takes its return address away at every eighth call and goes on behind it: `B: inc [esi+8]; test
 * byte [esi+8], 7; jnz R; add dword [esp], 3; R: ret` (the skipped bytes are ADC, or ADD and a byte of LEA).
 */
// deno-fmt-ignore
const TAMPERED = [
  ...TREE.slice(0, 36), 0x90, 0x90, ...TREE.slice(38, -4),
  0xff, 0x46, 8, 0xf6, 0x46, 8, 7, 0x75, 4, 0x83, 0x04, 0x24, 3, 0xc3,
];

for (const [name, code] of [["", TREE], [" and moves its return address", TAMPERED]] as const) {
  Deno.test(`a function that calls itself${name} does the same translated, at every instruction`, () => {
    for (const threshold of [1, 5]) {
      for (const length of [1, 2, 3, 7, 31, 200, 1000]) {
        const [plain, translating] = [makeCpu(code, 0), makeCpu(code, threshold)];
        for (let i = 0; i < 6000 / length; i++) {
          assert.equal(translating.run(length), plain.run(length));
          assert.equal(state(translating), state(plain), `${length}, step ${i}`);
          assert.deepEqual(translating.memory.read(DATA, 16), plain.memory.read(DATA, 16));
        }
        assert.ok((translating.translation?.regions ?? 0) > 0);
      }
    }
  });
}

Deno.test("a function's calls of itself need no call in the host", () => {
  const cpu = makeCpu(TREE, 2, () => 0);
  for (let i = 0; i < 100 && !cpu.halted; i++) cpu.run(100);
  assert.ok(cpu.halted);
  const counts = cpu.translationCounts;
  const [calls, translated] = [counts.get("nested call") ?? 0, counts.get("translated") ?? 0];
  // There are 67 calls in each of 6 trees, and 6 calls from outside.
  assert.ok(translated > 1000, [...counts].join("; "));
  assert.ok(calls <= 12, [...counts].join("; "));
});
