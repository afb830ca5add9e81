/**
 * Scalar operations in translated code, without a call where the operands are as nearly always: what float_fast.ts
 * does once PE is set and masked, rounding to nearest. A `fits` of 0 leaves everything to the functions that handlers
 * call. Sources: SDM vol. 1 §11.5.2.
 * @module
 */
import type { Emitter } from "../execute/emit.ts";
import { Code, int, type Local, type Value, word } from "../execute/expression.ts";
import { F64 } from "../execute/wasm.ts";
import { MXCSR } from "../state/layout.ts";
import { type Arithmetic, isPlain } from "./float_fast.ts";
import { CONTROL, CONTROL_DEFAULT, type Format, isDenormal, PE, SINGLE } from "./float_format.ts";

/** A result, and whether it is the instruction's. */
export interface Quick {
  readonly fits: Value;
  readonly result: Value;
}

/** Statements with locals of the instruction. */
export function codeOf(x: Emitter): Code {
  return new Code(x.f, (type) => x.local(type));
}
/** 1 when the only exception of ordinary numbers changes nothing and rounding is to nearest. */
function isSettled(): Value {
  return word(MXCSR).and(CONTROL | PE).eq(CONTROL_DEFAULT | PE);
}

/** a op b; of the square root √b. */
export function quickArithmetic(
  c: Code,
  format: Format,
  operation: Arithmetic,
  a: Value,
  b: Value,
): Quick {
  const y = b.reinterpret();
  const result = operation === "sqrt" ? y.float("sqrt") : a.reinterpret()[operation](y);
  const bits = c.local(format.bits, result.reinterpret());
  const denormals = operation === "sqrt"
    ? isDenormal(format, b)
    : isDenormal(format, a).or(isDenormal(format, b));
  return { fits: isPlain(format, bits).and(isSettled()).and(denormals.isZero()), result: bits };
}

/** ZF PF CF of a against b, neither NaN nor denormal. */
export function quickComparison(format: Format, a: Value, b: Value): Quick {
  const [x, y] = [a.reinterpret(), b.reinterpret()];
  const ordered = x.le(y).or(x.gt(y));
  const denormals = isDenormal(format, a).or(isDenormal(format, b));
  return { fits: ordered.and(denormals.isZero()), result: x.lt(y).or(x.eq(y).shl(6)) };
}

/** The integer that a number is, or is cut to. */
export function quickTruncation(c: Code, format: Format, a: Value): Quick {
  const number = a.reinterpret();
  const x = c.local(F64, format === SINGLE ? number.promote() : number);
  const cut = c.local(F64, x.float("trunc"));
  const masked = PE << 7 | PE;
  const quiet = cut.eq(x).or(word(MXCSR).and(masked).eq(masked));
  const fits = c.int(cut.ge(-2147483648).and(cut.le(2147483647)).and(quiet));
  // Out of range the conversion would trap.
  const result: Local = c.int(0);
  c.if(fits, () => c.set(result, cut.truncate()), undefined, true);
  return { fits, result };
}

/** The double that a normal single or zero is. */
export function quickWidening(a: Value): Quick {
  const finite = a.shl(1).ltU(0xff000000 | 0);
  return {
    fits: finite.and(isDenormal(SINGLE, a).isZero()),
    result: a.reinterpret().promote().reinterpret(),
  };
}
/** The single next to a double. */
export function quickNarrowing(c: Code, a: Value): Quick {
  const bits = c.int(a.reinterpret().demote().reinterpret());
  return { fits: isPlain(SINGLE, bits).and(isSettled()), result: bits };
}
/** The double of an integer: always exact. */
export function quickInteger(a: Value): Quick {
  return { fits: int(1), result: a.convert(F64).reinterpret() };
}
