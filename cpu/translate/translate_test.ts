/**
 * Translated code against the interpreter: programs whose state must be equal at every instruction boundary.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Cpu } from "../mod.ts";
import { CODE, compare, makeCpu, state } from "../test_cpu.ts";

const HLT = 0xf4;

function regions(cpu: Cpu): number {
  return cpu.translation?.regions ?? 0;
}

// mov ecx, 40; L: call F; dec ecx; jnz L; hlt; F: add eax, ecx; adc edx, 3; mov [esi+4*ecx], eax; push ebx; pop ebx; ret
// deno-fmt-ignore
const LOOP = [
  0xb9, 40, 0, 0, 0, 0xe8, 4, 0, 0, 0, 0x49, 0x75, 0xf8, HLT,
  0x01, 0xc8, 0x83, 0xd2, 0x03, 0x89, 0x04, 0x8e, 0x53, 0x5b, 0xc3,
];

Deno.test("translated code stops after exactly as many instructions as it is told to", () => {
  for (let length = 1; length < 40; length++) {
    const cpu = compare(LOOP, Array.from({ length: Math.ceil(420 / length) }, () => length));
    assert.ok(regions(cpu) > 0);
    assert.ok(cpu.halted);
  }
});

Deno.test("a budget that ends behind a block without flags leaves those of the block before", () => {
  // mov ecx, 40; L: test al, cl; jnz M; mov ebx, ecx; jmp N; M: inc al; mov edx, ecx; N: sub ecx, 1; jnz L; hlt
  // deno-fmt-ignore
  const code = [
    0xb9, 40, 0, 0, 0, 0x84, 0xc8, 0x75, 4, 0x89, 0xcb, 0xeb, 4, 0xfe, 0xc0, 0x89, 0xca,
    0x83, 0xe9, 1, 0x75, 0xef, HLT,
  ];
  for (let length = 1; length < 40; length++) {
    const cpu = compare(code, Array.from({ length: Math.ceil(300 / length) }, () => length), 3);
    assert.ok(cpu.halted && regions(cpu) > 0);
  }
});

Deno.test("random programs of loops, calls and memory do the same translated", () => {
  // Each piece is one instruction; branches go to pieces, so that most loops are cut by the limit.
  const register = fc.nat(7).filter((n) => n !== 4);
  const modrm = fc.tuple(register, register).map(([a, b]) => 0xc0 | (a << 3) | b);
  const piece = fc.oneof(
    fc.tuple(fc.constantFrom(0x01, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39, 0x85, 0x89, 0x87), modrm)
      .map(([op, m]) => [op, m]),
    fc.tuple(fc.constantFrom(0x00, 0x10, 0x18, 0x28, 0x38, 0x84, 0x88), modrm)
      .map(([op, m]) => [op, m]),
    register.map((r) => [0x40 | r]),
    register.map((r) => [0x48 | r]),
    fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 7), register, fc.nat(40))
      .map(([op, r, count]) => [0xc1, 0xc0 | (op << 3) | r, count]),
    fc.tuple(fc.constantFrom(4, 5, 7), register).map(([op, r]) => [0xd3, 0xc0 | (op << 3) | r]),
    // mov [esi + disp], r; mov r, [esi + disp]; movzx r, byte; add [esi + disp], r; also misaligned
    fc.tuple(fc.constantFrom(0x89, 0x8b, 0x88, 0x8a, 0x01, 0x03, 0x29), fc.nat(7), fc.nat(127))
      .map(([op, r, at]) => [op, 0x46 | (r << 3), at]),
    fc.tuple(fc.nat(15), register).map(([code, r]) => [0x0f, 0x90 | code, 0xc0 | (r & 3)]),
    fc.tuple(fc.nat(15), modrm).map(([code, m]) => [0x0f, 0x40 | code, m]),
    fc.tuple(register).map(([r]) => [0x50 | r, 0x58 | ((r + 1) & 3)]),
    fc.constantFrom([0x9c, 0x58], [0xf9], [0xf5], [0x98], [0x99], [0x9f], [0xf7, 0xe3], [
      0xf3,
      0xa5,
    ]),
  );
  const program = fc.array(
    fc.tuple(piece, fc.option(fc.tuple(fc.nat(17), fc.nat(1000)), { freq: 2 })),
    { minLength: 4, maxLength: 24 },
  );
  fc.assert(
    fc.property(
      program,
      fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 }),
      (list, steps) => {
        const code: number[] = [0xbe, 0, 0, 2, 0];
        const starts: number[] = [];
        const jumps: { at: number; to: number }[] = [];
        for (const [bytes, branch] of list) {
          starts.push(code.length);
          // ESI stays in the data, ECX small.
          code.push(...bytes, 0xbe, 0, 0, 2, 0, 0x81, 0xe1, 0x1f, 0, 0, 0);
          if (branch !== null) {
            const [kind, to] = branch;
            jumps.push({ at: code.length + (kind < 16 ? 2 : 1), to: to % list.length });
            // Jcc, JMP or CALL rel32.
            code.push(
              ...(kind < 16 ? [0x0f, 0x80 | kind] : kind === 16 ? [0xe9] : [0xe8]),
              0,
              0,
              0,
              0,
            );
          }
        }
        code.push(0xc3);
        const view = new DataView(new ArrayBuffer(4));
        for (const { at, to } of jumps) {
          view.setInt32(0, (starts[to] as number) - at - 4, true);
          code.splice(at, 4, ...new Uint8Array(view.buffer));
        }
        compare(code, [...steps, 500, 3000], 2);
      },
    ),
    { numRuns: 60, seed: 11 },
  );
});

Deno.test("a store into the region that executes is seen by the next instruction", () => {
  // mov ecx, 30; L: inc byte [P]; P+?: add eax, imm8 (the immediate is what changes); dec ecx; jnz L; hlt
  const at = CODE + 5 + 6 + 2;
  // deno-fmt-ignore
  const code = [
    0xb9, 30, 0, 0, 0, 0xfe, 0x05, at & 0xff, at >> 8, 0, 0, 0x83, 0xc0, 1, 0x49, 0x75, 0xf4, HLT,
  ];
  const cpu = compare(code, [3, 5, 7, 100, 100]);
  assert.ok(cpu.halted);
  // 2 + 3 + … + 31
  assert.equal(cpu.registers.get("eax"), 495);
});

Deno.test("a device may interrupt behind each instruction of translated code", () => {
  // IDT at 0x8000, vector 20h: inc ebp; iret. Loop: mov dx, 10h; out dx, al; inc eax; dec ecx; jnz
  const setUp = (cpu: Cpu): void => {
    cpu.memory.write32(0x8000 + 0x20 * 8, 0x00089000);
    cpu.memory.write32(0x8004 + 0x20 * 8, 0x00008e00);
    cpu.memory.write32(0x9100, (0x8000 << 16) | 0x1ff);
    cpu.memory.write32(0x9104, 0);
    cpu.memory.write32(0x9108 + 8, 0xffff);
    cpu.memory.write32(0x9108 + 12, 0xcf9b00);
    cpu.memory.write32(0x9120, (0x9108 << 16) | 0xf);
    cpu.memory.write32(0x9124, 0);
    cpu.memory.write(0x9000, new Uint8Array([0x45, 0xcf]));
  };
  // deno-fmt-ignore
  const code = [
    0x0f, 0x01, 0x1d, 0x00, 0x91, 0, 0, 0x0f, 0x01, 0x15, 0x20, 0x91, 0, 0, 0xfb,
    0xb9, 50, 0, 0, 0, 0x66, 0xba, 0x10, 0, 0xee, 0x40, 0x01, 0xc3, 0x49, 0x75, 0xf5, HLT,
  ];
  const [plain, translating] = [makeCpu(code, 0), makeCpu(code, 1)];
  for (const cpu of [plain, translating]) setUp(cpu);
  for (let i = 0; i < 400; i++) {
    assert.equal(translating.run(1 + i % 5), plain.run(1 + i % 5));
    assert.equal(state(translating), state(plain));
    if (plain.halted) break;
  }
  assert.ok(plain.halted);
  assert.equal(translating.registers.get("ebp"), 50);
  assert.ok(regions(translating) > 0);
});

Deno.test("hooks see every instruction of code that was translated before", () => {
  const cpu = makeCpu(LOOP, 1);
  cpu.run(200);
  assert.ok(regions(cpu) > 0);
  let seen = 0;
  cpu.hooks.onTranslate((block) => {
    for (const instruction of block.instructions) instruction.onExecute(() => void seen++);
  });
  const before = cpu.instructions;
  cpu.run(100);
  assert.equal(seen, cpu.instructions - before);
});
