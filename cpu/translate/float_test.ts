/**
 * Regions with x87, MMX and SSE instructions against the interpreter: random programs in a loop, whose state, with all of the
 * x87 and of SSE, must be equal at every stop.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

const RAM = 0x40000;
const CODE = 0x1000;
const DATA = 0x20000;
const STACK = 0x30000;
const IDT = 0x8000;
const HANDLER = 0x9000;
/** The image of FXSAVE that each round of the loop and each handler of an exception adds to. */
const IMAGE = 0x24000;
const HLT = 0xf4;

const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "mxcsr"];
const FLOAT_NAMES = [
  ...["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"],
  ...Array.from({ length: 8 }, (_, i) => `st${i}`),
  ...Array.from({ length: 8 }, (_, i) => `xmm${i}`),
];

function makeCpu(code: readonly number[], data: Uint8Array, translateAfter: number): Cpu {
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter,
    model: "p4",
    bus: {
      readPort: () => 0,
      writePort: () => {},
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  cpu.memory.write(CODE, new Uint8Array(code));
  cpu.memory.write(DATA, data);
  // #MF and #XM: clear what is pending, mask everything, go on. The saved EIP stays: the instruction runs again.
  const idt = new DataView(new ArrayBuffer(20 * 8));
  for (const vector of [7, 16, 19]) {
    idt.setUint32(vector * 8, 8 << 16 | HANDLER, true);
    idt.setUint32(vector * 8 + 4, 0x8e00, true);
  }
  cpu.memory.write(IDT, new Uint8Array(idt.buffer));
  // clts; fxsave [IMAGE]; fnclex; fninit; push 1f80; ldmxcsr [esp]; add esp, 4; iret
  // deno-fmt-ignore
  cpu.memory.write(HANDLER, new Uint8Array([
    0x0f, 0x06, 0x0f, 0xae, 0x05, ...word(IMAGE), 0xdb, 0xe2, 0xdb, 0xe3, 0x68, ...word(0x1f80), 0x0f, 0xae, 0x14, 0x24, 0x83, 0xc4, 4, 0xcf,
  ]));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  cpu.registers.set("esi", DATA);
  return cpu;
}
function word(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

function state(cpu: Cpu): string {
  const values = NAMES.map((name) => (cpu.registers.get(name) as number) >>> 0);
  const floats = FLOAT_NAMES.map((name) => `${name}=${cpu.registers.getBytes(name)}`);
  return [...values, cpu.instructions, ...floats].join(" ");
}
/** Runs both in steps; returns whether something was translated. */
function compare(code: readonly number[], data: Uint8Array, steps: readonly number[]): Cpu {
  const [plain, translating] = [makeCpu(code, data, 0), makeCpu(code, data, 1)];
  for (const step of steps) {
    assert.equal(translating.run(step), plain.run(step));
    assert.equal(state(translating), state(plain));
  }
  const [one, other] = [plain, translating].map((cpu) => cpu.memory.read(0, RAM));
  assert.deepEqual(one, other);
  return translating;
}

/** Numbers that are ordinary, and all the others. */
const double = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -9, max: 9 }).map((n) => n / 4) },
  { weight: 6, arbitrary: fc.double({ min: -1000, max: 1000, noNaN: true }) },
  { weight: 2, arbitrary: fc.double() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, -0, Infinity, NaN, 5e-324, 2 ** -1022, 1.5e308, 1e30),
  },
);
const data = fc.array(double, { minLength: 32, maxLength: 32 }).map((values) => {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  // Doubles, then singles, then integers, then 80-bit numbers with an ordinary exponent.
  for (let i = 0; i < 16; i++) view.setFloat64(i * 8, values[i] as number, true);
  for (let i = 0; i < 16; i++) view.setFloat32(128 + i * 4, values[i + 16] as number, true);
  for (let i = 0; i < 16; i++) view.setInt32(192 + i * 4, (values[i] as number) * 65536, true);
  for (let i = 0; i < 8; i++) {
    view.setFloat64(256 + i * 16, values[i + 8] as number, true);
    view.setUint8(256 + i * 16 + 7, view.getUint8(256 + i * 16 + 7) | 0x80);
    view.setUint16(256 + i * 16 + 8, 0x3ff0 + i * 5, true);
  }
  return bytes;
});

const at = (from: number, step: number, count: number): fc.Arbitrary<number> =>
  fc.nat(count - 1).map((i) => from + i * step);
/** opcode /reg [esi + disp32] */
function memory(opcode: number[], reg: number, displacement: number): number[] {
  return [...opcode, 0x86 | (reg << 3), ...word(displacement)];
}
const reg8 = fc.nat(7);
const x87Piece: fc.Arbitrary<number[]> = fc.oneof(
  // D8: m32; DC: m64; DA: m32 integer; DE: m16 integer. fadd … fdivr, fcom, fcomp.
  fc.tuple(reg8, at(0, 8, 16)).map(([reg, from]) => memory([0xdc], reg, from)),
  fc.tuple(reg8, at(128, 4, 16)).map(([reg, from]) => memory([0xd8], reg, from)),
  fc.tuple(fc.constantFrom(0xda, 0xde), reg8, at(192, 4, 16)).map(([op, reg, from]) =>
    memory([op], reg, from)
  ),
  // fld, fst, fstp m64, m32; fild, fist, fistp m32; fild m16, m64; fld, fstp m80; misaligned too.
  fc.tuple(fc.constantFrom(0, 0, 0, 2, 3), at(0, 4, 31)).map(([reg, from]) =>
    memory([0xdd], reg, from)
  ),
  fc.tuple(fc.constantFrom(0, 0, 0, 2, 3), at(128, 4, 16)).map(([reg, from]) =>
    memory([0xd9], reg, from)
  ),
  fc.tuple(fc.constantFrom(0xdb, 0xdf), fc.constantFrom(0, 2, 3), at(192, 4, 16)).map((
    [op, reg, from],
  ) => memory([op], reg, from)),
  fc.tuple(fc.constantFrom(5, 7), at(192, 8, 8)).map(([reg, from]) => memory([0xdf], reg, from)),
  fc.tuple(fc.constantFrom(5, 7), at(256, 16, 8)).map(([reg, from]) => memory([0xdb], reg, from)),
  // Registers: D8 DC DE arithmetic, fld, fxch, fst, fstp, fucom(p), fcomi(p), fcmov, ffree.
  fc.tuple(fc.constantFrom(0xd8, 0xdc, 0xde), fc.constantFrom(0, 1, 4, 5, 6, 7), reg8)
    .map(([op, reg, i]) => [op, 0xc0 | (reg << 3) | i]),
  fc.tuple(fc.constantFrom([0xd9, 0xc0], [0xd9, 0xc8], [0xdd, 0xd0], [0xdd, 0xd8]), reg8)
    .map(([[op, modrm], i]) => [op as number, (modrm as number) | i]),
  fc.tuple(
    // deno-fmt-ignore
    fc.constantFrom([0xd8, 0xd0], [0xd8, 0xd8], [0xdd, 0xe0], [0xdd, 0xe8], [0xdb, 0xe8], [0xdb, 0xf0], [0xdf, 0xe8], [0xdf, 0xf0], [0xda, 0xc8], [0xdb, 0xc0], [0xdd, 0xc0]),
    reg8,
  ).map(([[op, modrm], i]) => [op as number, (modrm as number) | i]),
  // fchs fabs ftst fxam, constants, fsqrt frndint fincstp fdecstp, fcompp fucompp, fnstsw ax, fwait, fscale, f2xm1 fyl2x fptan
  // fpatan fyl2xp1 fsincos fsin fcos
  // deno-fmt-ignore
  fc.constantFrom(
    ...[0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xee, 0xfa, 0xfa, 0xfc, 0xf6, 0xf7, 0xfd,
      0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff, 0xfe].map((b) => [0xd9, b]),
    [0xde, 0xd9], [0xda, 0xe9], [0xdf, 0xe0], [0x9b], [0xdb, 0xe2]),
  // fninit; fldcw of words behind the program's data: truncation and back, other precision, unmasked
  fc.constantFrom(
    [0xdb, 0xe3],
    ...Array.from({ length: 8 }, (_, i) => memory([0xd9], 5, 384 + 4 * i)),
  ),
  fc.constantFrom(memory([0xd9], 7, 500), memory([0xdd], 7, 504), memory([0xd9], 6, 600)),
);
const CONTROLS = [0x37f, 0x37f, 0xf7f, 0x27f, 0x77f, 0x35f, 0x37b, 0x340];

const ssePiece: fc.Arbitrary<number[]> = fc.oneof(
  // Scalar and packed arithmetic, comparison, conversion: registers and memory.
  fc.tuple(
    fc.constantFrom([0xf2], [0xf3], [], [0x66]),
    fc.constantFrom(0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f, 0x5a),
    reg8,
    reg8,
  ).map(([prefix, op, a, b]) => [...prefix, 0x0f, op, 0xc0 | (a << 3) | b]),
  fc.tuple(
    fc.constantFrom([0xf2], [0xf3], [], [0x66]),
    fc.constantFrom(0x51, 0x58, 0x59, 0x5c, 0x5d, 0x5e, 0x5f, 0x5a, 0x10, 0x11, 0x10, 0x11),
    reg8,
    at(0, 16, 16),
  ).map(([prefix, op, a, from]) => memory([...prefix, 0x0f, op], a, from)),
  fc.tuple(
    fc.constantFrom([0xf2], [0xf3]),
    fc.constantFrom(0x10, 0x11, 0x58, 0x59),
    reg8,
    at(4, 4, 30),
  )
    .map(([prefix, op, a, from]) => memory([...prefix, 0x0f, op], a, from)),
  fc.tuple(fc.constantFrom([], [0x66]), fc.constantFrom(0x2e, 0x2f), reg8, reg8)
    .map(([prefix, op, a, b]) => [...prefix, 0x0f, op, 0xc0 | (a << 3) | b]),
  fc.tuple(
    fc.constantFrom([0xf2], [0xf3]),
    fc.constantFrom(0x2c, 0x2d),
    fc.constantFrom(0, 2, 3),
    reg8,
  )
    .map(([prefix, op, a, b]) => [...prefix, 0x0f, op, 0xc0 | (a << 3) | b]),
  fc.tuple(fc.constantFrom([0xf2], [0xf3]), reg8, fc.constantFrom(0, 1, 2, 3))
    .map(([prefix, a, b]) => [...prefix, 0x0f, 0x2a, 0xc0 | (a << 3) | b]),
  // MMX and SSE2 integers, MOVQ, PSHUFD, EMMS; a misaligned MOVDQA has no handler and ends it all.
  fc.tuple(
    fc.constantFrom([], [0x66]),
    fc.constantFrom(0xfe, 0xef, 0xf5, 0x61, 0xd4, 0x6f),
    reg8,
    reg8,
  )
    .map(([prefix, op, a, b]) => [...prefix, 0x0f, op, 0xc0 | (a << 3) | b]),
  fc.tuple(
    fc.constantFrom([], [0x66]),
    fc.constantFrom(0xfe, 0xef, 0x6f, 0x7f),
    reg8,
    at(0, 16, 16),
  )
    .map(([prefix, op, a, from]) => memory([...prefix, 0x0f, op], a, from)),
  fc.tuple(reg8, reg8, fc.nat(255)).map(([a, b, i]) => [0x66, 0x0f, 0x70, 0xc0 | (a << 3) | b, i]),
  fc.tuple(fc.constantFrom(0, 2, 3), reg8).map(([a, b]) => [0x0f, 0xd7, 0xc0 | (a << 3) | b]),
  fc.constant<number[]>([0x0f, 0x77]),
  // LDMXCSR, STMXCSR
  fc.nat(3).map((i) => memory([0x0f, 0xae], 2, 416 + 4 * i)),
  fc.constant(memory([0x0f, 0xae], 3, 508)),
);
const MXCSRS = [0x1f80, 0x1f80, 0x9fc0, 0x1e80];

const otherPiece: fc.Arbitrary<number[]> = fc.oneof(
  fc.constantFrom<number[][]>([0x01, 0xd0], [0x83, 0xc2, 5], [0xf7, 0xdb], [0x31, 0xc3], [
    0x0f,
    0x92,
    0xc3,
  ]),
  // A branch over nothing, by the flags or the parity; CR0.TS set (the handler of #NM clears it)
  fc.constantFrom<number[][]>([0x72, 0], [0x7a, 0], [
    0x0f,
    0x20,
    0xc0,
    0x83,
    0xc8,
    8,
    0x0f,
    0x22,
    0xc0,
  ]),
);

/** mov ecx, rounds; L: the pieces; dec ecx; jnz L; hlt */
function loop(pieces: readonly number[][], rounds: number): number[] {
  const body = pieces.flat();
  const back = -(body.length + 7);
  // mov eax, cr4; or eax, 600; mov cr4, eax; mov eax, cr0; or eax, 20; mov cr0, eax; lidt; fninit
  // deno-fmt-ignore
  const start = [
    0x0f, 0x20, 0xe0, 0x0d, ...word(0x600), 0x0f, 0x22, 0xe0, 0x0f, 0x20, 0xc0, 0x83, 0xc8, 0x20, 0x0f, 0x22, 0xc0,
    0x68, ...word(IDT), 0x66, 0x68, 0x9f, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0x83, 0xc4, 6, 0xdb, 0xe3, 0xb9, ...word(rounds),
  ];
  return [...start, ...body, 0x49, 0x0f, 0x85, ...word(back), HLT];
}
function withControls(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer.slice(0));
  for (const [i, value] of CONTROLS.entries()) view.setUint32(384 + 4 * i, value, true);
  for (const [i, value] of MXCSRS.entries()) view.setUint32(416 + 4 * i, value, true);
  return new Uint8Array(view.buffer);
}
function check(pieces: fc.Arbitrary<number[]>, numRuns: number): void {
  let translated = 0;
  fc.assert(
    fc.property(
      fc.array(pieces, { minLength: 3, maxLength: 30 }),
      data,
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 12, maxLength: 24 }),
      (list, bytes, steps) => {
        const cpu = compare(loop(list, 12), withControls(bytes), [...steps, 5000]);
        if ((cpu.translation?.regions ?? 0) > 0 && cpu.halted) translated++;
      },
    ),
    { numRuns, seed: 87 },
  );
  assert.ok(
    translated > numRuns / 2,
    `${translated} programs were translated and came to their end`,
  );
}

Deno.test("random x87 programs do the same translated", () => {
  check(fc.oneof({ weight: 8, arbitrary: x87Piece }, { weight: 1, arbitrary: otherPiece }), 80);
});
Deno.test("random MMX and SSE programs do the same translated", () => {
  check(fc.oneof({ weight: 8, arbitrary: ssePiece }, { weight: 1, arbitrary: otherPiece }), 80);
});
Deno.test("random programs of all floating-point units do the same translated", () => {
  check(
    fc.oneof(
      { weight: 4, arbitrary: ssePiece },
      { weight: 4, arbitrary: x87Piece },
      { weight: 1, arbitrary: otherPiece },
    ),
    50,
  );
});
