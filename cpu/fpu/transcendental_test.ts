/**
 * The fast transcendental functions against those of exact integers: where a fast one answers, sign, exponent, significand
 * and exceptions are the same bits; and it answers nearly always.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Core } from "../execute/core.ts";
import { Runtime } from "../execute/runtime.ts";
import { WasmModule } from "../execute/wasm.ts";
import { Cpu } from "../mod.ts";
import { FPU_CONTROL, FPU_REGISTERS } from "../state/layout.ts";
import { fastArctangent } from "./fast_arctangent.ts";
import { fastLogarithm, fastLogarithmPlusOne } from "./fast_logarithm.ts";
import { fastPower } from "./fast_power.ts";
import { cosine, fastCircular, fastTangent, sine } from "./fast_trigonometry.ts";
import { requireTables } from "./tables.ts";

const CODE = 0x1000;
const DATA = 0x2000;
const BIAS = 0x3fff;
/** Status bits that are compared: PE, UE, OE, C1. */
const STATUS = 0x238;

const cpu = new Cpu({
  ramBytes: 0x10000,
  bus: {
    readPort: () => 0,
    writePort: () => {},
    readMemory: () => 0xff,
    writeMemory: () => {},
    acknowledgeInterrupt: () => 0,
  },
});
interface Number80 {
  readonly se: number;
  readonly significand: bigint;
}
/** What an instruction leaves in ST(0) and ST(1) (0 if empty), and the status word. */
interface Outcome {
  readonly stack: readonly Number80[];
  readonly status: number;
}
/** fninit; fldcw; fld b; fld a; the instruction; fnstsw; fnstcw's default; fstp …; PE unmasked: exact integers. */
function execute(
  opcode: readonly number[],
  operands: readonly Number80[],
  control: number,
  results: number,
): Outcome {
  const data = new DataView(new ArrayBuffer(64));
  for (const [i, { significand, se }] of operands.entries()) {
    data.setBigUint64(i * 16, significand, true);
    data.setUint16(i * 16 + 8, se, true);
  }
  data.setUint16(60, control, true);
  const address = (at: number): number[] => [at & 0xff, at >> 8, 0, 0];
  // deno-fmt-ignore
  cpu.memory.write(CODE, new Uint8Array([
    0xdb, 0xe3, 0xd9, 0x2d, ...address(DATA + 60),
    ...operands.flatMap((_, i) => [0xdb, 0x2d, ...address(DATA + 16 * (operands.length - 1 - i))]),
    ...opcode, 0xdd, 0x3d, ...address(DATA + 48), 0xdb, 0xe2,
    ...Array.from({ length: results }, (_, i) => [0xdb, 0x3d, ...address(DATA + 16 * i)]).flat(),
  ]));
  cpu.memory.write(DATA, new Uint8Array(data.buffer));
  cpu.enterFlatProtectedMode({ eip: CODE, esp: 0x8000 });
  cpu.run(5 + operands.length + results);
  const out = new DataView(cpu.memory.read(DATA, 64).buffer);
  return {
    stack: Array.from({ length: results }, (_, i) => ({
      se: out.getUint16(16 * i + 8, true),
      significand: out.getBigUint64(16 * i, true),
    })),
    status: out.getUint16(48, true),
  };
}

type FastFunction = (...operands: (number | bigint)[]) => [number, number, bigint];

const BUILD = {
  sine,
  cosine,
  circular: fastCircular,
  tangent: fastTangent,
  arctangent: fastArctangent,
  power: fastPower,
  logarithm: fastLogarithm,
  logarithmPlusOne: fastLogarithmPlusOne,
};
/** The fast functions in a module of their own. */
const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const fast = ((): Readonly<Record<keyof typeof BUILD, FastFunction>> => {
  const module = new WasmModule();
  module.importMemory("memory", 1);
  const runtime = new Runtime(module, () => 0);
  for (const [name, build] of Object.entries(BUILD)) {
    module.exportFunction(name, build(runtime));
  }
  const compiled = new WebAssembly.Module(module.encode());
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(compiled)) {
    (imports[from] ??= {})[name] = kind === "memory" ? memory : () => {
      throw new Error(`${name} was called`);
    };
  }
  const { exports } = new WebAssembly.Instance(compiled, imports);
  return exports as unknown as Readonly<Record<keyof typeof BUILD, FastFunction>>;
})();
const view = new DataView(memory.buffer);
requireTables({ i32: new Int32Array(memory.buffer), view } as unknown as Core);
/** The operand in physical register 0; the control word with PE masked. */
function prepare({ se, significand }: Number80, control: number): number {
  view.setBigUint64(FPU_REGISTERS, significand, true);
  view.setUint16(FPU_REGISTERS + 8, se, true);
  view.setUint32(FPU_CONTROL, control, true);
  return FPU_REGISTERS;
}

const ALL = (1n << 64n) - 1n;
const significand = fc.oneof(
  { arbitrary: fc.bigInt({ min: 1n << 63n, max: ALL }), weight: 5 },
  fc.nat(200).map((n) => ALL - BigInt(n)),
  fc.nat(200).map((n) => (1n << 63n) + BigInt(n)),
  // As programs have them: doubles, singles, small integers.
  fc.bigInt({ min: 1n << 52n, max: (1n << 53n) - 1n }).map((n) => n << 11n),
  fc.bigInt({ min: 1n << 3n, max: (1n << 4n) - 1n }).map((n) => n << 60n),
);
/** Masks all but `exact`, with each rounding and precision control. */
const control = fc.record({ rounding: fc.nat(3), precision: fc.constantFrom(0, 2, 3) })
  .map(({ rounding, precision }) => 0x3f | rounding << 10 | precision << 8);
function number80(exponent: fc.Arbitrary<number>): fc.Arbitrary<Number80> {
  return fc.record({ significand, exponent, sign: fc.nat(1) })
    .map(({ significand, exponent, sign }) => ({ significand, se: sign << 15 | exponent + BIAS }));
}
/** Exponents near 0 nearly always, else any of ordinary numbers, and denormals. */
function exponents(min: number, max: number): fc.Arbitrary<number> {
  return fc.oneof(
    { arbitrary: fc.integer({ min, max }), weight: 6 },
    { arbitrary: fc.integer({ min: -80, max: 70 }), weight: 2 },
    fc.integer({ min: -0x3ffe, max: 0x3fff }),
    fc.constantFrom(-0x3fff, 0x4000),
  );
}
/** Multiples of π/2 and what is next to them, as 80-bit numbers. */
const multipleOfPi: fc.Arbitrary<Number80> = fc.record({
  n: fc.oneof(fc.bigInt({ min: 1n, max: 50n }), fc.bigInt({ min: 1n, max: 1n << 40n })),
  off: fc.bigInt({ min: -3n, max: 3n }),
  sign: fc.nat(1),
}).map(({ n, off, sign }) => {
  const product = n * 0xc90fdaa22168c234cn;
  const bits = product.toString(2).length;
  return {
    se: sign << 15 | BIAS + bits - 1 - 67,
    significand: (product >> BigInt(bits - 64)) + off,
  };
});

/** Compares; returns the share of arguments that the fast function refused. */
function check(
  operands: fc.Arbitrary<readonly Number80[]>,
  runs: number,
  opcode: readonly number[],
  results: number,
  run: (operands: readonly Number80[], control: number) => [number, number, bigint],
): number {
  let refused = 0;
  let all = 0;
  fc.assert(
    fc.property(operands, control, (numbers, control) => {
      all++;
      const [flags, se, significand] = run(numbers, control);
      if (flags < 0) {
        refused++;
        return;
      }
      const exact = execute(opcode, numbers, control & ~0x20, results);
      const got = { se: se & 0xffff, significand: BigInt.asUintN(64, significand) };
      assert.deepEqual([got, flags], [exact.stack[results - 1], exact.status & STATUS]);
      // With PE masked the instruction takes the fast way, or the exact one where that refuses.
      const { stack, status } = execute(opcode, numbers, control, results);
      assert.deepEqual([stack, status & ~0x8080], [exact.stack, exact.status & ~0x8080]);
    }),
    { numRuns: runs, seed: 1 },
  );
  return refused / all;
}

const RUNS = Number(Deno.env.get("RUNS") ?? 1500);
const angle = fc.oneof(
  { arbitrary: number80(exponents(-40, 32)), weight: 40 },
  { arbitrary: multipleOfPi, weight: 10 },
  fc.constantFrom(0, 0x8000).map((se) => ({ se, significand: 0n })),
)
  .map((x) => [x]);
const common = number80(fc.integer({ min: -20, max: 20 })).map((x) => [x]);

for (const [name, opcode, shift] of [["FSIN", 0xfe, 0], ["FCOS", 0xff, 1]] as const) {
  Deno.test(`${name}: the fast way gives the bits of the exact one, and seldom refuses`, () => {
    const run = ([x]: readonly Number80[], control: number): [number, number, bigint] =>
      fast.circular(prepare(x as Number80, control), shift);
    check(angle, RUNS, [0xd9, opcode], 1, run);
    assert.ok(check(common, RUNS, [0xd9, opcode], 1, run) < 0.004);
  });
}
Deno.test("FPTAN: the fast way gives the bits of the exact one, and seldom refuses", () => {
  const run = ([x]: readonly Number80[], control: number): [number, number, bigint] =>
    fast.tangent(prepare(x as Number80, control));
  check(angle, RUNS, [0xd9, 0xf2], 2, run);
  assert.ok(check(common, RUNS, [0xd9, 0xf2], 2, run) < 0.004);
});
Deno.test("F2XM1: the fast way gives the bits of the exact one, and seldom refuses", () => {
  const run = ([x]: readonly Number80[], control: number): [number, number, bigint] =>
    fast.power(prepare(x as Number80, control));
  const all = fc.oneof(number80(exponents(-8, 0)), number80(fc.integer({ min: -72, max: -1 })));
  check(all.map((x) => [x]), RUNS, [0xd9, 0xf0], 1, run);
  const usual = number80(fc.integer({ min: -20, max: -1 })).map((x) => [x]);
  assert.ok(check(usual, RUNS, [0xd9, 0xf0], 1, run) < 0.01);
});

/** A function of ST(0) and ST(1). */
function onTwo(name: "arctangent" | "logarithm" | "logarithmPlusOne") {
  return (operands: readonly Number80[], control: number): [number, number, bigint] => {
    prepare(operands[0] as Number80, control);
    return fast[name](...operands.flatMap(({ se, significand }) => [se, significand]));
  };
}
const positive = ({ se, significand }: Number80): Number80 => ({ se: se & 0x7fff, significand });
Deno.test("FPATAN: the fast way gives the bits of the exact one, and seldom refuses", () => {
  const run = onTwo("arctangent");
  const near = number80(fc.integer({ min: -3, max: 3 }));
  check(
    fc.oneof(
      fc.tuple(near, near),
      fc.tuple(number80(exponents(-40, 40)), number80(exponents(-40, 40))),
    ),
    RUNS,
    [0xd9, 0xf3],
    1,
    run,
  );
  const usual = number80(fc.integer({ min: -15, max: 15 }));
  assert.ok(check(fc.tuple(usual, usual), RUNS, [0xd9, 0xf3], 1, run) < 0.01);
});
Deno.test("FYL2X: the fast way gives the bits of the exact one, and seldom refuses", () => {
  const run = onTwo("logarithm");
  const one = fc.integer({ min: -64, max: 0 }).chain((n) =>
    fc.bigInt({ min: 0n, max: 1n << BigInt(64 + n - (n > -2 ? 2 : 0)) }).map((below) =>
      n & 1
        ? { se: BIAS - 1, significand: ALL - below }
        : { se: BIAS, significand: (1n << 63n) + (below >> 1n) }
    )
  );
  check(
    fc.tuple(fc.oneof(number80(exponents(-40, 40)).map(positive), one), number80(exponents(-9, 9))),
    RUNS,
    [0xd9, 0xf1],
    1,
    run,
  );
  // The powers of 2 among the arguments are left to the exact function.
  const usual = fc.tuple(number80(fc.integer({ min: -40, max: 40 })), common).filter(([x]) =>
    BigInt.asUintN(63, x.significand) !== 0n
  ).map(([x, [y]]) => [positive(x), y as Number80]);
  assert.ok(check(usual, RUNS, [0xd9, 0xf1], 1, run) < 0.01);
});
Deno.test("FYL2XP1: the fast way gives the bits of the exact one, and seldom refuses", () => {
  const run = onTwo("logarithmPlusOne");
  check(
    fc.tuple(number80(exponents(-72, 1)), number80(exponents(-9, 9))),
    RUNS,
    [0xd9, 0xf9],
    1,
    run,
  );
  const usual = fc.tuple(number80(fc.integer({ min: -20, max: -2 })), common)
    .map(([x, [y]]) => [x, y as Number80]);
  assert.ok(check(usual, RUNS, [0xd9, 0xf9], 1, run) < 0.01);
});

/** The sum of (−1)^k x^(first + 2k) / (first + 2k)!, × 2^200, of x × 2^200. */
function taylor(x: bigint, first: 0 | 1): bigint {
  let term = first === 0 ? 1n << 200n : x;
  let sum = term;
  for (let k = BigInt(first + 1); term !== 0n; k += 2n) {
    term = ((term * x >> 200n) * x >> 200n) / (k * (k + 1n));
    sum += (k - BigInt(first)) % 4n === 1n ? -term : term;
  }
  return sum;
}
for (const [name, first] of [["cosine", 0], ["sine", 1]] as const) {
  Deno.test(`the series of the ${name} is nearer to the true value than it says`, () => {
    const argument = fc.tuple(
      fc.bigInt({ min: 1n << 127n, max: (1n << 128n) - 1n }),
      fc.oneof(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 34 })),
    ).map(([bits, shift]) => bits >> BigInt(shift)).filter((x) => x < 0xc90fe000n << 96n);
    let worst = 0;
    const series: (...x: bigint[]) => unknown = fast[name] as never;
    fc.assert(
      fc.property(argument, (x) => {
        const [high, low, error] = series(
          BigInt.asIntN(64, x >> 64n),
          BigInt.asIntN(64, x),
        ) as [bigint, bigint, bigint];
        const got = BigInt.asUintN(64, high) << 64n | BigInt.asUintN(64, low);
        const away = Number((got << 72n) - taylor(x << 72n, first)) / 2 ** 72;
        worst = Math.max(worst, Math.abs(away) / Number(error));
      }),
      { numRuns: RUNS * 2, seed: 2 },
    );
    assert.ok(worst < 1, String(worst));
    // And it does not say much more than is.
    assert.ok(worst > 2 ** -7, String(worst));
  });
}
