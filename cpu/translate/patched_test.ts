/**
 * Code that changes itself, translated against interpreted: patched fields, patched opcodes, code written anew, data
 * beside code, code in pages that are page tables too.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CODE, compare, makeCpu, state } from "../test_cpu.ts";

const HLT = 0xf4;

function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

Deno.test("a field that is patched all the time needs no new translation", () => {
  const at = CODE + 5 + 6 + 1;
  // mov ebp, 2000; L: mov [P], ebp; P-1: add eax, imm32; rol eax, 3; dec ebp; jnz L; hlt
  // deno-fmt-ignore
  const code = [
    0xbd, ...word(2000), 0x89, 0x2d, ...word(at), 0x05, ...word(0), 0xc1, 0xc0, 3, 0x4d,
    0x75, (-17) & 0xff, HLT,
  ];
  const cpu = compare(code, [7, 50, 1000, 20_000], 20);
  assert.ok(cpu.halted);
  assert.ok((cpu.translation?.regions ?? 0) > 0);
  assert.ok((cpu.translation?.regions ?? 0) < 5, `${cpu.translation?.regions}`);
});

Deno.test("each kind of field may be patched", () => {
  // The field's instruction, where its field is, and how it is changed: add [field], imm8.
  const fields: readonly (readonly [readonly number[], number])[] = [
    [[0x83, 0xc0, 0x7d], 2], // add eax, imm8, sign-extended
    [[0x66, 0x83, 0xc0, 0x7d], 3],
    [[0x04, 0x7d], 1], // add al, imm8
    [[0x66, 0x05, 0xfd, 0x7f], 2], // add ax, imm16
    [[0xc1, 0xc0, 0x00], 2], // rol eax, imm8
    [[0x8d, 0x40, 0x7d], 2], // lea eax, [eax + disp8]
    [[0x8d, 0x80, 0xfd, 0xff, 0, 0], 2], // lea eax, [eax + disp32]
    [[0x67, 0x8d, 0x40, 0x7d], 3], // lea eax, [bx + si + disp8]
    [[0x8b, 0x04, 0x8d, 0, 0, 2, 0], 3], // mov eax, [ecx*4 + disp32]
    [[0x03, 0x05, 0, 0, 2, 0], 2], // add eax, [disp32]
    [[0xa1, 0, 0, 2, 0], 1], // mov eax, [moffs]
    [[0xc7, 0x05, 0, 0, 2, 0, 9, 0, 0, 0], 2], // mov [disp32], imm32
    [[0xc7, 0x05, 0, 0, 2, 0, 9, 0, 0, 0], 6],
    [[0x6a, 0x7d, 0x58], 1], // push imm8; pop eax
    [[0x69, 0xc0, 3, 0, 0, 0], 2], // imul eax, eax, imm32
    [[0x0f, 0xba, 0xf8, 3], 3], // btc eax, imm8
    [[0x0f, 0xa4, 0xc8, 3], 3], // shld eax, ecx, imm8
    [[0xb4, 0x7d], 1], // mov ah, imm8
  ];
  for (const [bytes, offset] of fields) {
    const before = [0xb9, ...word(60)];
    const loop = [0x80, 0x05, ...word(CODE + before.length + 7 + offset), 1, ...bytes, 0x01, 0xc3];
    const code = [...before, ...loop, 0x49, 0x75, (-loop.length - 3) & 0xff, HLT];
    for (const threshold of [1, 10]) {
      const cpu = compare(code, [11, 13, 100, 1000], threshold);
      assert.ok(cpu.halted);
      assert.ok((cpu.translation?.dropped ?? 0) < 12);
    }
  }
});

Deno.test("an opcode that is patched all the time is dropped each time", () => {
  // mov ecx, 40; L: xor byte [P], 28h; P-1: add eax, ecx or sub eax, ecx; dec ecx; jnz L; hlt
  const at = CODE + 5 + 7;
  // deno-fmt-ignore
  const code = [
    0xb9, ...word(40), 0x80, 0x35, ...word(at), 0x28, 0x01, 0xc8, 0x49, 0x75, (-12) & 0xff, HLT,
  ];
  const cpu = compare(code, [3, 5, 7, 100, 200]);
  assert.ok(cpu.halted);
  assert.ok((cpu.translation?.dropped ?? 0) > 10);
});

Deno.test("random code that patches itself does the same translated", () => {
  const register = fc.constantFrom(0, 2, 3, 5, 6);
  const value = fc.oneof(fc.nat(0xff), fc.integer({ min: -128, max: 127 }), fc.nat());
  // Instructions with fields, by their bytes; the first field begins at the number.
  const plain: fc.Arbitrary<readonly [readonly number[], number]> = fc.oneof(
    fc.tuple(register, value).map(([r, v]) => [[0x81, 0xc0 | r, ...word(v)], 2] as const),
    fc.tuple(register, value).map(([r, v]) => [[0x83, 0xf0 | r, v & 0xff], 2] as const),
    fc.tuple(register, value).map(([r, v]) => [[0xb8 | r, ...word(v)], 1] as const),
    fc.tuple(register, register, value)
      .map(([r, b, v]) => [[0x8d, 0x80 | (r << 3) | b, ...word(v)], 2] as const),
    fc.tuple(register, fc.nat(200))
      .map(([r, v]) => [[0x03, 0x05 | (r << 3), ...word(0x20000 + v)], 2] as const),
    fc.tuple(register, fc.nat(31)).map(([r, v]) => [[0xc1, 0xc0 | r, v], 2] as const),
    fc.tuple(register, register).map(([a, b]) => [[0x01, 0xc0 | (a << 3) | b], 1] as const),
  );
  /** Stores: opcode bytes before the address, bytes behind it. */
  const store = fc.oneof(
    register.map((r) => ({ head: [0x89, 0x05 | (r << 3)], tail: [] as number[] })),
    register.map((r) => ({ head: [0x88, 0x05 | ((r & 3) << 3)], tail: [] as number[] })),
    fc.nat(255).map((v) => ({ head: [0x80, 0x05], tail: [v] })),
    fc.nat(255).map((v) => ({ head: [0xc6, 0x05], tail: [v] })),
    fc.constant({ head: [0xfe, 0x05], tail: [] as number[] }),
    fc.constant({ head: [0x66, 0xff, 0x05], tail: [] as number[] }),
  );
  const target = fc.tuple(
    fc.nat(1000),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: -1, max: 4 }) },
      { weight: 1, arbitrary: fc.integer({ min: -20, max: 40 }) },
    ),
  );
  const step = fc.tuple(plain, fc.option(fc.tuple(store, target), { freq: 2 }));
  let dropped = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 2, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 5 }),
      fc.constantFrom(1, 3),
      (list, steps, threshold) => {
        const code = [0xb9, ...word(40)];
        const fields: number[] = [];
        const stores: { at: number; to: number; by: number }[] = [];
        const loop = code.length;
        for (const [[bytes, field], patch] of list) {
          fields.push(code.length + field);
          code.push(...bytes);
          if (patch === null) continue;
          const [{ head, tail }, [to, by]] = patch;
          stores.push({ at: code.length + head.length, to, by });
          code.push(...head, 0, 0, 0, 0, ...tail);
        }
        code.push(0x49, 0x0f, 0x85, ...word(loop - code.length - 7), HLT);
        for (const { at, to, by } of stores) {
          code.splice(at, 4, ...word(CODE + (fields[to % fields.length] as number) + by));
        }
        const cpu = compare(code, [...steps, 400, 2000], threshold);
        dropped += cpu.translation?.dropped ?? 0;
      },
    ),
    { numRuns: 120, seed: 21 },
  );
  assert.ok(dropped > 50);
});

Deno.test("code that is written anew again and again is translated when it is hot", () => {
  // 12 times: write a function (rotating its opcode), call it, a loop of 100,000; each version is hot for long.
  // deno-fmt-ignore
  const code = [
    0xbe, ...word(12), // mov esi, 12
    0xbf, ...word(0x20000), // L: mov edi, 20000h
    0xb0, 0xb9, 0xaa, 0xb8, ...word(100_000), 0xab, // mov ecx, 100000
    0x89, 0xf0, 0x83, 0xe0, 7, 0xc1, 0xe0, 3, 0x0d, ...word(0xc301), 0x66, 0xab, // op ebx, eax
    0xb0, 0x49, 0xaa, 0xb8, ...word(0xc3fb75), 0xab, // dec ecx; jnz; ret
    0xbb, ...word(0), 0xb8, ...word(0x12345), 0xba, ...word(0x20000), 0xff, 0xd2, // call edx
    0x4e, 0x0f, 0x85,
  ];
  const from = 5;
  const program = [...code, ...word(from - code.length - 4), HLT];
  const cpu = compare(program, [100, 10_000, 10_000_000], 500);
  assert.ok(cpu.halted);
  const { regions = 0, dropped = 0 } = cpu.translation ?? {};
  assert.ok(regions >= 12, `${regions}`);
  assert.ok(dropped >= 6, `${dropped}`);
});

Deno.test("a device's and the host's writes to patched fields are seen", () => {
  const at = CODE + 5 + 6 + 1;
  // deno-fmt-ignore
  const code = [
    0xbd, ...word(400), 0x89, 0x2d, ...word(at), 0x05, ...word(0), 0x03, 0x05, ...word(0x20000),
    0x4d, 0x75, (-20) & 0xff, HLT,
  ];
  compare(code, new Array<number>(60).fill(37), 5, (cpu, step) => {
    // In the middle of an iteration at times: the field, then the opcode before it (add and sub).
    if (step % 3 === 0) cpu.memory.write32(at, step * 0x01010101);
    if (step % 7 === 6) cpu.memory.write8(at - 1, step % 2 === 0 ? 0x05 : 0x2d);
    if (step % 11 === 10) cpu.memory.write(at - 1, new Uint8Array([0x35, 1, 2, 3, 4]));
  });
});

Deno.test("REP STOS and MOVS over code drop it, and leave code beside it alone", () => {
  // A function at 20100h; data around it is filled and copied; then a copy of it overwrites it.
  const f = [0x05, ...word(7), 0xc3];
  const g = [0x2d, ...word(9), 0xc3];
  // deno-fmt-ignore
  const loop = [
    0x53, 0xba, ...word(0x20100), 0xff, 0xd2, // push ebx; call edx
    0xbf, ...word(0x20080), 0xb9, ...word(0x80), 0x50, 0xf3, 0xaa, 0x58, // rep stosb up to the function
    0xbf, ...word(0x20106), 0xb9, ...word(100), 0xf3, 0xab, // rep stosd behind it
    0xf6, 0xc3, 3, 0x75, 21, // every fourth time:
    0xbe, ...word(0x21000), 0xbf, ...word(0x20100), 0xb9, ...word(6), 0xf3, 0xa4, // other code
    0x80, 0x35, // xor byte [21000h], 28h: add, sub
  ];
  const tail = [...word(0x21000), 0x28];
  const body = [...loop, ...tail, 0x5b, 0x4b];
  const jump = body.indexOf(0x75) + 2;
  body[jump - 1] = body.length - 2 - jump;
  const before = [0xbb, ...word(60)];
  const code = [...before, ...body, 0x0f, 0x85, ...word(-body.length - 6), HLT];
  const run = (translateAfter: number): string[] => {
    const cpu = makeCpu(code, translateAfter);
    cpu.memory.write(0x20100, new Uint8Array(f));
    cpu.memory.write(0x21000, new Uint8Array(g));
    const out: string[] = [];
    for (let i = 0; i < 80; i++) {
      cpu.run(31);
      out.push(state(cpu));
    }
    assert.ok(cpu.halted);
    return out;
  };
  assert.deepEqual(run(1), run(0));
  assert.deepEqual(run(10), run(0));
});
