/**
 * Results that are known up to an error, rounded where that error cannot change what comes out: the transcendental
 * functions compute some 80 bits, and leave to exact integers what lies too near to a boundary of rounding, one
 * argument in some thousands. So their bits are those of the function's exact value, whatever the error is.
 * Sources: A. Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit", ACM TOMS 17 (1991);
 * SDM vol. 1 §4.8.4, §8.1.3.
 * @module
 */
import { Code, int, type Local, long, type Operand, Value, word } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { F64, I32, I64 } from "../execute/wasm.ts";
import { FPU_CONTROL } from "../state/layout.ts";
import { C1, INTEGER_BIT, MAX_EXPONENT, PE } from "./status.ts";
import { increase, normalize, type Wide } from "./wide.ts";

/** What a fast function answers where the exact one must be asked. Nothing has changed then. */
export const UNFIT = -1;
/** Results of the fast functions: what the status word gets or {@link UNFIT}, sign and exponent, significand. */
export const RESULT: readonly number[] = [I32, I32, I64];

/** Ends a function: the exact one must be asked. */
export function refuse(c: Code): void {
  c.return(int(UNFIT), int(0), long(0n));
}
export function refuseIf(c: Code, condition: Value): void {
  c.if(condition, () => refuse(c), undefined, false);
}

/** A magnitude that differs from the true one by less than `error`, in units of its last bit. */
export interface Bounded {
  /** 8000h or 0. */
  readonly sign: Value;
  /** Biased exponent, if the uppermost bit is set. */
  readonly exponent: Value;
  readonly magnitude: Wide;
  readonly error: Operand;
}
/** Ends a function with a number, or refuses. PE is always among what is raised: the true value has no end. */
export function finishBounded(runtime: Runtime, c: Code, number: Bounded): void {
  const { sign, exponent, magnitude, error } = number;
  c.yield(
    sign,
    exponent,
    magnitude.high,
    magnitude.low,
    typeof error === "object" ? error : long(BigInt(error)),
  );
  c.f.call(rounder(runtime)).return();
}

/** (sign, exponent, high, low, error) → {@link RESULT}. */
function rounder(runtime: Runtime): number {
  const types = [I32, I32, I64, I64, I64];
  return runtime.shared("bounded.round", types, RESULT, (f) => {
    const c = new Code(f);
    const [sign, exponent, high, low, error] = Code.parameters(types) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const control = c.int(word(FPU_CONTROL));
    refuseIf(c, control.and(PE).isZero().or(high.or(low).isZero()));
    const shift = normalize(c, { high, low });
    c.set(exponent, exponent.sub(shift.low()));
    // The error must leave room below half of the last place that stays.
    refuseIf(c, shift.gtU(60).or(error.shrU(long(61n).sub(shift)).notZero()));
    c.set(error, error.shl(shift));
    // Boundaries are the numbers that stay, where C1 changes, and those half-way.
    const distance = low.add(error).and(INTEGER_BIT - 1n);
    refuseIf(c, distance.leU(error.shl(1)));
    const mode = c.int(control.shrU(10).and(3));
    const directed = sign.notZero().and(mode.eq(1)).or(sign.isZero().and(mode.eq(2)));
    const up = c.int(mode.isZero().choose(low.shrU(63).low(), directed));
    increase(c, high, exponent, up);
    refuseIf(c, exponent.sub(1).ltU(MAX_EXPONENT - 1).isZero());
    c.yield(up.choose(PE | C1, PE), sign.or(exponent), high);
  });
}

/**
 * c[0] + x·(c[1] + x·(c[2] …)) of an f64, by pairs, so that the host computes several terms at a time. Where the terms
 * shrink fast the error is below five roundings of c[0].
 * Source: G. Estrin, "Organization of computer systems", 1960.
 */
export function polynomial(c: Code, x: Local, coefficients: readonly number[]): Value {
  let terms = coefficients.map((one) => new Value(F64, (f) => f.f64(one)));
  let power = x;
  while (terms.length > 1) {
    const pairs: Value[] = [];
    for (let i = 0; i < terms.length; i += 2) {
      const [low, high] = [terms[i] as Value, terms[i + 1]];
      pairs.push(high === undefined ? low : c.local(F64, power.mul(high).add(low)));
    }
    terms = pairs;
    if (terms.length > 1) power = c.local(F64, power.mul(power));
  }
  return terms[0] as Value;
}
