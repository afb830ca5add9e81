/**
 * SSE arithmetic against exact rational arithmetic with BigInt, rounded once as IEEE 754-1985 says: both formats,
 * all rounding modes, DAZ, FTZ, with PE set before and not. The real processor is asked in tests/differential.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Runtime } from "../execute/runtime.ts";
import { WasmModule } from "../execute/wasm.ts";
import { MXCSR, SIMD_RAISED } from "../state/layout.ts";
import {
  integerToSingle,
  reciprocal,
  reciprocalRoot,
  singleToDouble,
  toInteger,
} from "./float_convert.ts";
import { arithmetic, OPERATIONS } from "./float_fast.ts";
import { DAZ, DE, DOUBLE, type Format, FTZ, OE, PE, SINGLE, UE } from "./float_format.ts";

type Function = (...bits: (number | bigint)[]) => number | bigint;

/** The functions in a module of their own. */
function build(): { call: Record<string, Function>; words: Int32Array } {
  const module = new WasmModule();
  module.importMemory("memory", 1);
  const runtime = new Runtime(module, () => 0);
  for (const format of [SINGLE, DOUBLE]) {
    for (const operation of OPERATIONS) {
      module.exportFunction(
        `${operation}.${format.name}`,
        arithmetic(runtime, format, operation),
      );
    }
    module.exportFunction(`toInteger.${format.name}`, toInteger(runtime, format));
  }
  module.exportFunction("integerToSingle", integerToSingle(runtime));
  module.exportFunction("singleToDouble", singleToDouble(runtime));
  module.exportFunction("reciprocal", reciprocal(runtime));
  module.exportFunction("reciprocalRoot", reciprocalRoot(runtime));
  const compiled = new WebAssembly.Module(module.encode());
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const e: Record<string, WebAssembly.ImportValue> = { memory };
  for (const { kind, name } of WebAssembly.Module.imports(compiled)) {
    if (kind === "function") e[name] = () => assert.fail(`${name} was called`);
  }
  const { exports } = new WebAssembly.Instance(compiled, { e });
  return {
    call: exports as unknown as Record<string, Function>,
    words: new Int32Array(memory.buffer),
  };
}
const { call, words } = build();

/** Calls a function under an MXCSR; gives the result unsigned and the new flags. */
function run(
  name: string,
  format: Format,
  mxcsr: number,
  ...operands: bigint[]
): { bits: bigint; flags: number } {
  words[MXCSR >> 2] = mxcsr;
  words[SIMD_RAISED >> 2] = 0;
  const typed = operands.map((bits) =>
    format === SINGLE ? Number(BigInt.asIntN(32, bits)) : BigInt.asIntN(64, bits)
  );
  const result = (call[name] as Function)(...typed);
  const bits = BigInt.asUintN(format.width, BigInt(result));
  return {
    bits,
    flags: ((words[MXCSR >> 2] as number) | (words[SIMD_RAISED >> 2] as number)) & 63,
  };
}

/** A finite number: sign × magnitude × 2^exponent. */
interface Finite {
  readonly sign: bigint;
  readonly magnitude: bigint;
  readonly exponent: number;
  readonly denormal: boolean;
}
function decode(format: Format, bits: bigint, daz: boolean): Finite {
  const places = BigInt(format.precision - 1);
  const fraction = bits & ((1n << places) - 1n);
  const biased = Number(bits >> places) & format.maximum;
  const denormal = biased === 0 && fraction !== 0n;
  return {
    sign: bits >> BigInt(format.width - 1),
    magnitude: biased > 0 ? fraction | (1n << places) : denormal && daz ? 0n : fraction,
    exponent: Math.max(biased, 1) - format.bias - format.precision + 1,
    denormal: denormal && !daz,
  };
}

function scaled(value: bigint, exponent: number): bigint {
  return exponent >= 0 ? value << BigInt(exponent) : value >> BigInt(-exponent);
}
function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** sign × numerator/denominator rounded, and what that raises. */
function rounded(
  format: Format,
  sign: bigint,
  numerator: bigint,
  denominator: bigint,
  mxcsr: number,
): { bits: bigint; flags: number } {
  const control = (mxcsr >> 13) & 3;
  const { precision, bias, maximum, width } = format;
  const lowest = 1 - bias;
  let exponent = bitLength(numerator) - bitLength(denominator);
  const below = exponent >= 0
    ? numerator < denominator << BigInt(exponent)
    : numerator << BigInt(-exponent) < denominator;
  if (below) exponent--;
  const at = (quantum: number): { quotient: bigint; exact: boolean } => {
    const n = quantum < 0 ? numerator << BigInt(-quantum) : numerator;
    const d = quantum < 0 ? denominator : denominator << BigInt(quantum);
    const quotient = n / d;
    const twice = 2n * (n - quotient * d);
    let up = false;
    if (control === 0) up = twice > d || (twice === d && (quotient & 1n) === 1n);
    else if (control === 1) up = sign === 1n && twice > 0n;
    else if (control === 2) up = sign === 0n && twice > 0n;
    return { quotient: quotient + (up ? 1n : 0n), exact: twice === 0n };
  };
  const minus = sign << BigInt(width - 1);
  const unbounded = at(exponent - precision + 1);
  const tiny = exponent < lowest &&
    (exponent < lowest - 1 || bitLength(unbounded.quotient) <= precision);
  if (tiny && mxcsr & FTZ) return { bits: minus, flags: UE | PE };
  const { quotient, exact } = at(Math.max(exponent, lowest) - precision + 1);
  const biased = Math.max(exponent, lowest) + bias;
  const bits = (BigInt(biased - 1) << BigInt(precision - 1)) + quotient;
  const infinite = BigInt(maximum) << BigInt(precision - 1);
  if (bits >= infinite) {
    const toInfinity = control === 0 || control === (sign === 1n ? 1 : 2);
    return { bits: minus | (toInfinity ? infinite : infinite - 1n), flags: OE | PE };
  }
  return { bits: minus | bits, flags: exact ? 0 : tiny ? UE | PE : PE };
}

/** What an operation on finite numbers gives; undefined where it is not a finite exact number. */
function expected(
  operation: string,
  format: Format,
  mxcsr: number,
  a: bigint,
  b: bigint,
): { bits: bigint; flags: number } | undefined {
  const daz = (mxcsr & DAZ) !== 0;
  const x = decode(format, a, daz);
  const y = decode(format, b, daz);
  const denormal = x.denormal || (y.denormal && operation !== "sqrt") ? DE : 0;
  const zero = (sign: bigint): { bits: bigint; flags: number } => ({
    bits: sign << BigInt(format.width - 1),
    flags: denormal,
  });
  let sign = x.sign ^ y.sign;
  let numerator = 0n;
  let denominator = 1n;
  let exponent = 0;
  if (operation === "mul") {
    numerator = x.magnitude * y.magnitude;
    exponent = x.exponent + y.exponent;
  } else if (operation === "div") {
    if (y.magnitude === 0n) return undefined;
    numerator = x.magnitude;
    denominator = y.magnitude;
    exponent = x.exponent - y.exponent;
  } else if (operation === "sqrt") {
    ({ sign } = x);
    if (x.magnitude === 0n) return zero(sign);
    if (sign === 1n) return undefined;
    // With 130 places and one that says whether there are more.
    const even = x.exponent & 1 ? x.magnitude << 1n : x.magnitude;
    const radicand = even << 260n;
    let root = 1n << BigInt((bitLength(radicand) + 1) >> 1);
    for (;;) {
      const next = (root + radicand / root) >> 1n;
      if (next >= root) break;
      root = next;
    }
    numerator = 2n * root + (root * root === radicand ? 0n : 1n);
    exponent = (x.exponent - (x.exponent & 1)) / 2 - 131;
  } else {
    exponent = Math.min(x.exponent, y.exponent);
    const flip = operation === "sub" ? 1n : 0n;
    const signed = (n: Finite, s: bigint): bigint =>
      scaled(s === 1n ? -n.magnitude : n.magnitude, n.exponent - exponent);
    const sum = signed(x, x.sign) + signed(y, y.sign ^ flip);
    if (sum === 0n) {
      const equal = x.sign === (y.sign ^ flip);
      return zero(equal ? x.sign : (mxcsr >> 13 & 3) === 1 ? 1n : 0n);
    }
    sign = sum < 0n ? 1n : 0n;
    numerator = sum < 0n ? -sum : sum;
  }
  if (numerator === 0n) return zero(sign);
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  const { bits, flags } = rounded(format, sign, numerator, denominator, mxcsr);
  return { bits, flags: flags | denormal };
}

/** Finite numbers, with edges often, exponents of a pair near or opposite to each other. */
function numbers(format: Format): fc.Arbitrary<[bigint, bigint]> {
  const places = BigInt(format.precision - 1);
  const all = (1n << places) - 1n;
  const fraction = fc.oneof(
    fc.constantFrom(0n, 1n, all, all - 1n, (all >> 1n) + 1n),
    fc.bigInt({ min: 0n, max: all }),
    fc.bigInt({ min: 0n, max: 255n }).map((n) => n << (places - 8n)),
  );
  const top = format.maximum - 1;
  const exponent = fc.oneof(
    fc.constantFrom(0, 1, 2, top, top - 1, format.bias),
    fc.integer({ min: 0, max: top }),
    fc.integer({ min: format.bias - 60, max: format.bias + 60 }),
  );
  const distance = fc.integer({ min: -format.precision - 3, max: format.precision + 3 });
  return fc.tuple(fraction, fraction, exponent, distance, fc.nat(3), fc.nat(15)).map(
    ([f, g, e, d, signs, way]) => {
      const other = way < 10
        ? e + d
        : way < 13
        ? 2 * format.bias - e + (d % 3)
        : format.bias - e + d;
      const near = Math.min(top, Math.max(0, other));
      const make = (sign: number, biased: number, part: bigint): bigint =>
        BigInt(sign) << BigInt(format.width - 1) | BigInt(biased) << places | part;
      return [make(signs & 1, e, f), make(signs >> 1, near, g)];
    },
  );
}
const controls = fc.tuple(
  fc.constantFrom(0, 0, 1, 2, 3),
  fc.constantFrom(0, 0, DAZ, FTZ, DAZ | FTZ),
  fc.boolean(),
).map(([mode, zeros, inexact]) => 0x1f80 | (mode << 13) | zeros | (inexact ? PE : 0));

for (const format of [SINGLE, DOUBLE]) {
  for (const operation of OPERATIONS) {
    Deno.test(`${operation} of ${format.name} numbers is exact arithmetic rounded once`, () => {
      fc.assert(
        fc.property(numbers(format), controls, ([a, b], mxcsr) => {
          const want = expected(operation, format, mxcsr, a, b);
          if (want === undefined) return;
          const operands = operation === "sqrt" ? [a] : [a, b];
          const got = run(`${operation}.${format.name}`, format, mxcsr, ...operands);
          const flags = want.flags | (mxcsr & PE);
          assert.deepEqual(
            { bits: got.bits.toString(16), flags: got.flags },
            { bits: want.bits.toString(16), flags },
          );
        }),
        { seed: 3, numRuns: 4000 },
      );
    });
  }
}

Deno.test("every integer of 24 bits comes back from single, and its double is the same number", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(1 << 24), max: 1 << 24 }), controls, (value, mxcsr) => {
      const single = run("integerToSingle", SINGLE, mxcsr, BigInt(value));
      assert.equal(single.flags, mxcsr & PE);
      const back = run("toInteger.single", SINGLE, mxcsr, single.bits);
      assert.equal(Number(BigInt.asIntN(32, back.bits)), value);
      words[MXCSR >> 2] = mxcsr;
      const double = (call["singleToDouble"] as Function)(Number(BigInt.asIntN(32, single.bits)));
      assert.equal(new Float64Array(new BigInt64Array([double as bigint]).buffer)[0], value);
    }),
    { seed: 3 },
  );
});

Deno.test("RCPSS and RSQRTSS are within 1.5 × 2^-12 of the exact value (SDM vol. 2)", () => {
  const number = (bits: bigint): number =>
    new Float32Array(new Uint32Array([Number(bits)]).buffer)[0] as number;
  fc.assert(
    fc.property(fc.integer({ min: 0x00800000, max: 0x7e7fffff }), (bits) => {
      const x = number(BigInt(bits));
      for (const [name, exact] of [["reciprocal", 1 / x], ["reciprocalRoot", 1 / Math.sqrt(x)]]) {
        const got = number(run(name as string, SINGLE, 0x1f80, BigInt(bits)).bits);
        const error = Math.abs(got - (exact as number)) / (exact as number);
        assert.ok(error <= 1.5 * 2 ** -12, `${name} of ${bits.toString(16)}: ${error}`);
      }
    }),
    { seed: 3, numRuns: 5000 },
  );
});
