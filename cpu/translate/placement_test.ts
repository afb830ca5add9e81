/**
 * Translated code that is not flat 32-bit code inside one page: instructions across pages, real mode, segments with
 * bases and limits. It must do what the interpreter does, at every instruction boundary.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Cpu } from "../mod.ts";
import { compareRuns, DATA, resetCpu, STACK, state } from "../test_cpu.ts";

const HLT = 0xf4;

/** Where code runs: flat, or in real mode with CS, DS, ES and SS at 16 times these. */
interface Place {
  readonly bits: 16 | 32;
  readonly segments: readonly [number, number, number, number] | undefined;
  readonly offset: number;
}

function makeCpu(
  { segments, offset }: Place,
  code: readonly number[],
  translateAfter: number,
): Cpu {
  const cpu = resetCpu(translateAfter);
  const bytes = new Uint8Array(code);
  if (segments === undefined) {
    cpu.memory.write(offset, bytes);
    cpu.enterFlatProtectedMode({ eip: offset, esp: STACK });
    return cpu;
  }
  const [cs, ds, es, ss] = segments;
  // All vectors lead to a HLT.
  for (let vector = 0; vector < 256; vector++) cpu.memory.write32(4 * vector, 0x00500000);
  cpu.memory.write8(0x500, HLT);
  cpu.memory.write(16 * cs + offset, bytes);
  for (const [name, value] of Object.entries({ cs, ds, es, ss, eip: offset, esp: 0xff00 })) {
    cpu.registers.set(name, value);
  }
  return cpu;
}
/** Runs both in steps, compares them after each, and returns the translating one. */
function compare(
  place: Place,
  code: readonly number[],
  steps: readonly number[],
  threshold = 1,
): Cpu {
  const translating = makeCpu(place, code, threshold);
  compareRuns(makeCpu(place, code, 0), translating, steps);
  return translating;
}

/** Instructions that mean the same in 16- and 32-bit code but for their size; SI points into the data. */
function pieces(bits: 16 | 32): fc.Arbitrary<number[]> {
  const memory = bits === 16 ? 0x44 : 0x46;
  const register = fc.nat(7).filter((n) => n !== 4);
  const modrm = fc.tuple(register, register).map(([a, b]) => 0xc0 | (a << 3) | b);
  const other = fc.constantFrom([], [0x66]);
  // CS, SS, ES and FS too: real mode's FS has base 0 and the limit of the others.
  const override = fc.constantFrom<number[]>([], [], [], [0x2e], [0x36], [0x26], [0x64]);
  return fc.oneof(
    fc.tuple(other, fc.constantFrom(0x01, 0x11, 0x19, 0x29, 0x31, 0x39, 0x85, 0x89, 0x87), modrm)
      .map(([prefix, op, m]) => [...prefix, op, m]),
    register.map((r) => [0x40 | r]),
    register.map((r) => [0x48 | r]),
    fc.tuple(override, fc.constantFrom(0x8b, 0x8a, 0x03, 0x3b), fc.nat(7), fc.nat(127))
      .map(([segment, op, r, at]) => [...segment, op, memory | (r << 3), at]),
    fc.tuple(fc.constantFrom(0x89, 0x88, 0x01, 0x29), fc.nat(7), fc.nat(127))
      .map(([op, r, at]) => [op, memory | (r << 3), at]),
    fc.tuple(fc.nat(15), register).map(([code, r]) => [0x0f, 0x90 | code, 0xc0 | (r & 3)]),
    register.map((r) => [0x50 | r, 0x58 | ((r + 1) & 3)]),
    fc.constantFrom<number[]>(
      [0x9c, 0x58],
      [0xf9],
      [0x98],
      [0xf7, 0xe3],
      [0xa4],
      [0xa5],
      [0xad],
      [0xaf],
      [
        0xf3,
        0xa5,
      ],
      [0xf3, 0xaa],
      [0x26, 0x8d, 0x44, 0x10],
    ),
  );
}

/** A program of pieces with jumps, calls and loops between them. */
function program(bits: 16 | 32): fc.Arbitrary<number[]> {
  const word = bits / 8;
  const list = fc.array(
    fc.tuple(pieces(bits), fc.option(fc.tuple(fc.nat(18), fc.nat(1000)), { freq: 2 })),
    { minLength: 4, maxLength: 24 },
  );
  const value = (n: number): number[] => [n & 0xff, (n >> 8) & 0xff, 0, 0].slice(0, word);
  return list.map((entries) => {
    const pointer = bits === 16 ? 0x200 : DATA;
    const set = (op: number, n: number): number[] =>
      bits === 32 ? [op, n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, 0] : [op, ...value(n)];
    const code = [...set(0xbe, pointer), ...set(0xbf, pointer + 64)];
    const starts: number[] = [];
    const jumps: { at: number; to: number }[] = [];
    for (const [bytes, branch] of entries) {
      starts.push(code.length);
      code.push(...bytes, ...set(0xbe, pointer), ...set(0xbf, pointer + 64));
      code.push(0x81, 0xe1, ...value(0x1f));
      if (branch === null) continue;
      const [kind, to] = branch;
      const head = kind < 16 ? [0x0f, 0x80 | kind] : kind === 16 ? [0xe9] : [0xe8];
      jumps.push({ at: code.length + head.length, to: to % entries.length });
      code.push(...head, ...value(0));
    }
    code.push(0xc3);
    for (const { at, to } of jumps) {
      const distance = (starts[to] as number) - at - word;
      for (let i = 0; i < word; i++) code[at + i] = (distance >> (8 * i)) & 0xff;
    }
    return code;
  });
}
const STEPS = fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 });

Deno.test("random programs across pages do the same translated", () => {
  fc.assert(
    fc.property(program(32), fc.nat(300), STEPS, (code, before, steps) => {
      const place = { bits: 32, segments: undefined, offset: 0x2000 - before } as const;
      compare(place, code, [...steps, 500, 3000], 2);
    }),
    { numRuns: 50, seed: 7 },
  );
});

Deno.test("random programs in real mode do the same translated", () => {
  let regions = 0;
  const segments = fc.tuple(
    fc.integer({ min: 0x800, max: 0x900 }),
    fc.integer({ min: 0x2000, max: 0x2100 }),
    fc.integer({ min: 0x2000, max: 0x2100 }),
    fc.integer({ min: 0x2200, max: 0x2300 }),
  );
  const offset = fc.oneof(fc.nat(0x1000), fc.integer({ min: 0xff00, max: 0xfff0 }));
  fc.assert(
    fc.property(program(16), segments, offset, STEPS, (code, list, at, steps) => {
      const cpu = compare({ bits: 16, segments: list, offset: at }, code, [...steps, 500, 3000], 2);
      regions += cpu.translation?.regions ?? 0;
    }),
    { numRuns: 80, seed: 8 },
  );
  assert.ok(regions > 100, `${regions}`);
});

Deno.test("a loop across two pages is one region, also in real mode", () => {
  // L: add eax, 12345678h (the bytes across the page); dec cx or ecx; jnz L; hlt
  const flat = [0x05, 0x78, 0x56, 0x34, 0x12, 0x49, 0x75, 0xf8, HLT];
  const real = [0x66, 0x05, 0x78, 0x56, 0x34, 0x12, 0x49, 0x75, 0xf7, HLT];
  const places: readonly (readonly [Place, readonly number[]])[] = [
    [{ bits: 32, segments: undefined, offset: 0x2000 - 3 }, flat],
    [{ bits: 16, segments: [0x801, 0, 0, 0x2000], offset: 0xff0 - 3 }, real],
  ];
  for (const [place, code] of places) {
    const set = place.bits === 32 ? [0xb9, 100, 0, 0, 0] : [0xb9, 100, 0];
    const cpu = compare({ ...place, offset: place.offset - set.length }, [...set, ...code], [
      50,
      1000,
    ], 10);
    assert.ok(cpu.halted);
    assert.equal(cpu.registers.get("eax"), Math.imul(0x12345678, 100) >>> 0);
    // Had each block its own, they would be three.
    assert.equal(cpu.translation?.regions, 1);
  }
});

Deno.test("the second page of an instruction may be mapped elsewhere", () => {
  // Paging maps 2000h to 2000h or 6000h; both frames have another immediate.
  const code = 0x1ff0;
  const make = (translateAfter: number): Cpu => {
    const cpu = makeCpu({ bits: 32, segments: undefined, offset: code }, [], translateAfter);
    const { memory } = cpu;
    memory.write32(0x10000, 0x11000 | 3);
    for (let page = 0; page < 64; page++) memory.write32(0x11000 + 4 * page, (page << 12) | 3);
    // 1ff0: mov ecx, 40; jmp; … 1ffd: add eax, imm across the page; then xor of the page table entry, invlpg, loop
    const loop = [0xb9, 40, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0xeb, 1, 0x90];
    // deno-fmt-ignore
    const tail = [
      0x0f, 0x01, 0x3d, 0, 0x20, 0, 0, // invlpg [2000h]
      0x49, 0x0f, 0x85, ...[0x1ffd - 0x2010, -1, -1, -1].map((n, i) => i === 0 ? n & 0xff : n & 0xff), HLT,
    ];
    memory.write(code, new Uint8Array([...loop, 0x05, 1, 0]));
    for (const [frame, high] of [[0x2000, 0], [0x6000, 1]] as const) {
      memory.write(frame, new Uint8Array([high, 0, ...tail]));
    }
    cpu.registers.set("eip", 0x3000);
    // mov eax, 10000h; mov cr3; mov cr0; xor eax, eax; jmp 1ff0h
    // deno-fmt-ignore
    memory.write(0x3000, new Uint8Array([
      0xb8, 0, 0, 1, 0, 0x0f, 0x22, 0xd8, 0xb8, 0x11, 0, 0, 0x80, 0x0f, 0x22, 0xc0, 0x31, 0xc0,
      0xe9, ...[code - 0x3017].flatMap((n) => [n & 0xff, (n >> 8) & 0xff, 0xff, 0xff]),
    ]));
    return cpu;
  };
  const cpus = [make(0), make(1)];
  for (let i = 0; i < 60; i++) {
    const states = cpus.map((cpu) => {
      // As another processor's or a device's write would: the guest's INVLPG makes it count.
      cpu.memory.write32(0x11008, (i % 3 === 0 ? 0x6000 : 0x2000) | 3);
      cpu.run(7);
      return state(cpu);
    });
    assert.equal(states[1], states[0]);
  }
  assert.ok(cpus.every((cpu) => cpu.halted));
  assert.ok((cpus[1]?.registers.get("eax") ?? 0) > 0x10000);
});
