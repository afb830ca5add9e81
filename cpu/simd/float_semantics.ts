/**
 * The semantics of SSE's and SSE2's floating-point instructions, by operation name of `cpu/isa/simd_float.ts`.
 *
 * Order: #UD, #NM, (MMX operands: #MF), faults of the memory operand, the operation, its exceptions, the result.
 * Sources: SDM vol. 2; vol. 1 §11.5 (exceptions), vol. 3A Table 13-1.
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { type Code, Local } from "../execute/expression.ts";
import { I64, V128 } from "../execute/wasm.ts";
import { RECORD, SIMD_RAISED } from "../state/layout.ts";
import { comparison, extremum, RELATION, relation } from "./float_compare.ts";
import * as convert from "./float_convert.ts";
import { arithmetic, OPERATIONS } from "./float_fast.ts";
import { DOUBLE, type Format, settle, settleMasked, SINGLE } from "./float_format.ts";
import {
  extract,
  packedArithmetic,
  packedComparison,
  packedExtremum,
  packedIntegersToSingles,
  packedUnary,
} from "./float_packed.ts";
import {
  codeOf,
  type Quick,
  quickArithmetic,
  quickComparison,
  quickInteger,
  quickNarrowing,
  quickTruncation,
  quickWidening,
} from "./float_inline.ts";
import { commit, sse, sseWithMmx } from "./guard.ts";

/** The exceptions of the operation: after this the instruction does not fault. */
function finish(x: Emitter): void {
  const { f } = x;
  f.loadAt(SIMD_RAISED).if(undefined, false);
  if (x.translated) {
    f.call(settleMasked(x.runtime)).if(undefined, false);
    x.bail().f.end();
  } else x.record().f.call(settle(x.runtime));
  f.end();
}
/** Pushes the lowest element of an operand, or an operand that is no more, as bits. */
function readBits(x: Emitter, index: number, { width }: Format): void {
  if (width === 64) x.read64(index);
  else x.read(index);
}
/** Writes bits in a local to the lowest element of operand 0. */
function writeBits(x: Emitter, { width }: Format, value: number): void {
  if (width === 64) x.write64(0, value);
  else x.write(0, value);
}

/** What a semantic function calls, made when it is emitted. */
type Build = (x: Emitter) => number;

/** In translated code: a result without a call where that fits. */
type Try = (c: Code, a: Local, b: Local) => Quick;

/** Sets a local to what a function of operands on the stack returns, or `quick` says. */
function compute(
  x: Emitter,
  build: Build,
  operands: readonly Local[],
  result: Local,
  quick: Try | undefined,
): void {
  const c = codeOf(x);
  const general = (): void => {
    c.call(build(x), operands, [result]);
    finish(x);
  };
  const [a, b = a] = operands as [Local, Local?];
  const found = x.translated ? quick?.(c, a, b) : undefined;
  if (found === undefined) general();
  else c.if(found.fits, () => c.set(result, found.result), general, true);
}

/** operand 0 = function(operand 1), lowest elements. */
function scalarUnary(from: Format, to: Format, build: Build, quick?: Try): Semantics {
  return sse((x) => {
    const [value, result] = [x.local(from.bits), x.local(to.bits)];
    readBits(x, 1, from);
    x.f.set(value);
    compute(x, build, [new Local(from.bits, value)], new Local(to.bits, result), quick);
    writeBits(x, to, result);
  });
}
/** operand 0 = function(operand 0, operand 1), lowest elements. */
function scalarBinary(format: Format, build: Build, quick?: Try): Semantics {
  return sse((x) => {
    const { bits } = format;
    const [first, second, result] = [x.local(bits), x.local(bits), x.local(bits)];
    readBits(x, 1, format);
    x.f.set(second);
    readBits(x, 0, format);
    x.f.set(first);
    const operands = [new Local(bits, first), new Local(bits, second)];
    compute(x, build, operands, new Local(bits, result), quick);
    writeBits(x, format, result);
  });
}
/** operand 0 = function(operand 1), whole vectors. */
function packed(build: Build): Semantics {
  return sse((x) => {
    const value = x.local(V128);
    x.readVector(1).f.call(build(x)).set(value);
    finish(x);
    x.writeVector(0, value);
  });
}
/** operand 0 = function(operand 0, operand 1), whole vectors. */
function packedBinary(build: Build): Semantics {
  return sse((x) => {
    const value = x.local(V128);
    x.readVector(1).f.set(value);
    x.readVector(0).f.get(value).call(build(x)).set(value);
    finish(x);
    x.writeVector(0, value);
  });
}

/** Pushes the predicate of CMPccPS: the immediate's low three bits. */
function predicate(x: Emitter): void {
  x.field(RECORD.IMMEDIATE).f.i32(7).and();
}
function scalarComparison(format: Format): Semantics {
  return sse((x) => {
    const second = x.local(format.bits);
    readBits(x, 1, format);
    x.f.set(second);
    readBits(x, 0, format);
    x.f.get(second);
    predicate(x);
    x.f.call(comparison(x.runtime, format)).set(second);
    finish(x);
    writeBits(x, format, second);
  });
}
function vectorComparison(format: Format): Semantics {
  return sse((x) => {
    const value = x.local(V128);
    x.readVector(1).f.set(value);
    x.readVector(0).f.get(value);
    predicate(x);
    x.f.call(packedComparison(x.runtime, format)).set(value);
    finish(x);
    x.writeVector(0, value);
  });
}

/** A byte for each relation: ZF PF CF of COMISS (SDM vol. 2). */
const COMPARISON_FLAGS = [
  [RELATION.LESS, 0x01],
  [RELATION.EQUAL, 0x40],
  [RELATION.UNORDERED, 0x45],
] as const;

/** COMISS, UCOMISS …: EFLAGS; OF, SF and AF are cleared. */
function compareToFlags(format: Format, signalling: boolean): Semantics {
  return sse((x) => {
    const { bits } = format;
    const [first, second] = [x.local(bits), x.local(bits)];
    readBits(x, 1, format);
    x.f.set(second);
    readBits(x, 0, format);
    x.f.set(first);
    const c = codeOf(x);
    const [a, b] = [new Local(bits, first), new Local(bits, second)];
    const [found, flags] = [c.int(), c.int()];
    const general = (): void => {
      c.call(relation(x.runtime, format), [a, b, signalling ? 1 : 0], [found]);
      finish(x);
      c.set(flags, 0);
      for (const [which, value] of COMPARISON_FLAGS) {
        c.set(flags, flags.or(found.eq(which).choose(value, 0)));
      }
    };
    if (x.translated) {
      const { fits, result } = quickComparison(format, a, b);
      c.if(fits, () => c.set(flags, result), general, true);
    } else general();
    x.setArithmetic(flags.index);
  });
}

/** A general register from the lowest element. */
function toRegister(format: Format, truncate: boolean): Semantics {
  return sse((x) => {
    const value = x.local(format.bits);
    readBits(x, 1, format);
    x.f.set(value);
    const c = codeOf(x);
    const a = new Local(format.bits, value);
    const result = c.int();
    const general = (): void => {
      c.call(convert.toInteger(x.runtime, format), [a, truncate ? 1 : 0], [result]);
      finish(x);
    };
    if (x.translated && truncate) {
      const quick = quickTruncation(c, format, a);
      c.if(quick.fits, () => c.set(result, quick.result), general, true);
    } else general();
    x.write(0, result.index);
  });
}

/** Two 32-bit results in the low half of an XMM register or in an MMX register. */
function pushPair(x: Emitter, result: number, each: (i: number) => void): void {
  const { f } = x;
  each(0);
  f.op("i64.extend_i32_u").set(result);
  each(1);
  f.op("i64.extend_i32_u").i64(32n).op("i64.shl").get(result).op("i64.or").set(result);
}
/** Pushes element i of a vector of numbers as an integer. */
function pushInteger(
  x: Emitter,
  format: Format,
  truncate: boolean,
  vector: number,
  i: number,
): void {
  extract(x.f, format, vector, i);
  x.f.i32(truncate ? 1 : 0).call(convert.toInteger(x.runtime, format));
}

/** CVTPS2PI, CVTPD2PI and those that truncate. The x87 state has changed when #XM is raised, as on silicon. */
function toMmx(format: Format, truncate: boolean): Semantics {
  return sseWithMmx((x) => {
    const [vector, result] = [x.local(V128), x.local(I64)];
    x.readVector(1).f.set(vector);
    pushPair(x, result, (i) => pushInteger(x, format, truncate, vector, i));
    commit(x);
    finish(x);
    x.write64(0, result);
  });
}
/** CVTPS2DQ, CVTPD2DQ and those that truncate: what has no source is zero. */
function toIntegers(format: Format, truncate: boolean): Semantics {
  return packed((x) => {
    const name = `simd.packed.integers.${format.name}.${truncate ? "truncated" : "rounded"}`;
    const one = convert.toInteger(x.runtime, format);
    return x.runtime.shared(name, [V128], [V128], (f) => {
      const result = f.local(V128);
      for (let i = 0; i < 128 / format.width; i++) {
        f.get(result);
        extract(f, format, 0, i);
        f.i32(truncate ? 1 : 0).call(one).lane("i32x4.replace_lane", i).set(result);
      }
      f.get(result);
    });
  });
}

/**
 * An instruction with an MMX register as its source. Of memory it leaves the x87 alone and raises no #MF: so the
 * SDM has it of CVTPI2PD, and processors do the same with CVTPI2PS.
 */
function fromMmx(body: (x: Emitter) => void): Semantics {
  return {
    emit(x): void {
      (x.isMemory(1) ? sse : sseWithMmx)(body).emit(x);
    },
  };
}
/** CVTPI2PS: the upper half of the destination stays. */
const mmxToSingles: Semantics = fromMmx((x) => {
  const { f } = x;
  const [integers, result] = [x.local(I64), x.local(I64)];
  x.read64(1).f.set(integers);
  pushPair(x, result, (i) => {
    f.get(integers).i64(BigInt(32 * i)).op("i64.shr_u", "i32.wrap_i64");
    f.call(convert.integerToSingle(x.runtime));
  });
  commit(x);
  finish(x);
  x.write64(0, result);
});
/** Pushes the two low integers of a vector as doubles, always exact. */
function integersToDoubles(x: Emitter): Emitter {
  x.readVector(1).f.vector("f64x2.convert_low_i32x4_s");
  return x;
}
const mmxToDoubles: Semantics = fromMmx((x) => {
  const value = x.local(V128);
  integersToDoubles(x).f.set(value);
  commit(x);
  x.writeVector(0, value);
});

/** CVTPS2PD, CVTPD2PS. */
function resize(from: Format, one: Build): Semantics {
  const to = from === SINGLE ? DOUBLE : SINGLE;
  return packed((x) => {
    const index = one(x);
    return x.runtime.shared(`simd.packed.resize.${from.name}`, [V128], [V128], (f) => {
      const result = f.local(V128);
      for (let i = 0; i < 2; i++) {
        f.get(result);
        extract(f, from, 0, i);
        f.call(index).lane(`${to === DOUBLE ? "i64x2" : "i32x4"}.replace_lane`, i).set(result);
      }
      f.get(result);
    });
  });
}

/** The arithmetic of a format with the endings of its names. */
function family(format: Format, scalar: string, vector: string): Record<string, Semantics> {
  const out: Record<string, Semantics> = {};
  for (const operation of OPERATIONS) {
    const one: Build = ({ runtime }) => arithmetic(runtime, format, operation);
    const all: Build = ({ runtime }) => packedArithmetic(runtime, format, operation);
    const unary = operation === "sqrt";
    const quick: Try = (c, a, b) => quickArithmetic(c, format, operation, a, b);
    out[operation + scalar] = unary
      ? scalarUnary(format, format, one, quick)
      : scalarBinary(format, one, quick);
    out[operation + vector] = packedBinary(all);
  }
  for (const operation of ["min", "max"] as const) {
    out[operation + scalar] = scalarBinary(
      format,
      ({ runtime }) => extremum(runtime, format, operation),
    );
    out[operation + vector] = packedBinary(({ runtime }) =>
      packedExtremum(runtime, format, operation)
    );
  }
  out[`cmp${scalar}`] = scalarComparison(format);
  out[`cmp${vector}`] = vectorComparison(format);
  out[`comi${scalar}`] = compareToFlags(format, true);
  out[`ucomi${scalar}`] = compareToFlags(format, false);
  return out;
}

const reciprocal: Build = ({ runtime }) => convert.reciprocal(runtime);
const reciprocalRoot: Build = ({ runtime }) => convert.reciprocalRoot(runtime);
const toSingle: Build = ({ runtime }) => convert.doubleToSingle(runtime);
const toDouble: Build = ({ runtime }) => convert.singleToDouble(runtime);

/** The semantics by operation name. */
export const floatSemantics: Readonly<Record<string, Semantics>> = {
  ...family(SINGLE, "ss", "ps"),
  ...family(DOUBLE, "sd", "pd"),
  rcpss: scalarUnary(SINGLE, SINGLE, reciprocal),
  rcpps: packed((x) => packedUnary(x.runtime, "reciprocal", SINGLE, reciprocal(x))),
  rsqrtss: scalarUnary(SINGLE, SINGLE, reciprocalRoot),
  rsqrtps: packed((x) => packedUnary(x.runtime, "reciprocalRoot", SINGLE, reciprocalRoot(x))),
  cvtsi2ss: scalarUnary(SINGLE, SINGLE, ({ runtime }) => convert.integerToSingle(runtime)),
  cvtsi2sd: scalarUnary(
    SINGLE,
    DOUBLE,
    ({ runtime }) => convert.integerToDouble(runtime),
    (_, a) => quickInteger(a),
  ),
  cvtss2sd: scalarUnary(SINGLE, DOUBLE, toDouble, (_, a) => quickWidening(a)),
  cvtsd2ss: scalarUnary(DOUBLE, SINGLE, toSingle, (c, a) => quickNarrowing(c, a)),
  cvtss2si: toRegister(SINGLE, false),
  cvttss2si: toRegister(SINGLE, true),
  cvtsd2si: toRegister(DOUBLE, false),
  cvttsd2si: toRegister(DOUBLE, true),
  cvtps2pi: toMmx(SINGLE, false),
  cvttps2pi: toMmx(SINGLE, true),
  cvtpd2pi: toMmx(DOUBLE, false),
  cvttpd2pi: toMmx(DOUBLE, true),
  cvtpi2ps: mmxToSingles,
  cvtpi2pd: mmxToDoubles,
  cvtps2dq: toIntegers(SINGLE, false),
  cvttps2dq: toIntegers(SINGLE, true),
  cvtpd2dq: toIntegers(DOUBLE, false),
  cvttpd2dq: toIntegers(DOUBLE, true),
  cvtdq2ps: packed(({ runtime }) =>
    packedIntegersToSingles(runtime, convert.integerToSingle(runtime))
  ),
  cvtdq2pd: sse((x) => {
    const value = x.local(V128);
    integersToDoubles(x).f.set(value);
    x.writeVector(0, value);
  }),
  cvtps2pd: resize(SINGLE, toDouble),
  cvtpd2ps: resize(DOUBLE, toSingle),
};
