/**
 * FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1, by integers of some 256 bits: the result is that of the
 * exact function, rounded once, where the hardware is within one unit in the last place.
 *
 * Arguments of the trigonometric functions are reduced by the 66-bit π of Intel's processors (SDM vol. 1
 * §8.3.8), so that results agree with silicon near multiples of π too.
 * Sources: SDM vol. 2 (special operands), vol. 1 §8.3.7–8.3.10.
 * @module
 */
import type { Assist, Assists } from "../execute/assist.ts";
import {
  arctangent,
  BITS,
  exponentialLessOne,
  inverseHyperbolicTangent,
  LN2,
  ONE,
  PI,
  PI_66,
} from "./fixed.ts";
import { finish, onStack } from "./rare.ts";
import {
  bitLength,
  DEFAULT_NAN,
  infinity,
  isInfinite,
  isZero,
  type Operation,
  type Real,
  scaled,
  signOf,
  zero,
} from "./real.ts";
import { requireTables } from "./tables.ts";
import { BIAS, C1, C2, INTEGER_BIT, PE, UE, ZE } from "./status.ts";

/** A positive number: integer × 2^exponent, more precise than any rounding can see. */
interface Magnitude {
  readonly integer: bigint;
  readonly exponent: number;
}

/** Marks a number as inexact: odd, and longer than any significand. */
function sticky({ integer, exponent }: Magnitude): Magnitude {
  return { integer: (integer << 80n) | 1n, exponent: exponent - 80 };
}
function rounded(o: Operation, sign: number, { integer, exponent }: Magnitude): Real {
  return o.round(sign, integer, exponent);
}
/** Fixed point of a magnitude that is below 2^64 in value. */
function fixed({ integer, exponent }: Magnitude): bigint {
  const shift = exponent + BITS;
  return shift >= 0 ? integer << BigInt(shift) : integer >> BigInt(-shift);
}
/** Exponent of the leading bit. */
function order({ integer, exponent }: Magnitude): number {
  return bitLength(integer) - 1 + exponent;
}

/** Results of exp-like series are exact to more bits than this below the leading one. */
const TINY = -70;

// ---- trigonometric functions --------------------------------------------------------------------

interface Reduced {
  /** Quadrant, 0..3. */
  readonly quadrant: number;
  /** The rest, |rest| ≤ π/4: sign and magnitude (integer 0 if none). */
  readonly negative: boolean;
  readonly rest: Magnitude;
}

/** |x| = quadrant · π/2 + rest. */
function reduce(x: Magnitude): Reduced {
  if (order(x) < -1) return { quadrant: 0, negative: false, rest: x };
  // Both on the scale 2^-67 or finer: π/2 = PI_66 · 2^-67.
  const scale = Math.min(x.exponent, -67);
  const value = x.integer << BigInt(x.exponent - scale);
  const half = PI_66 << BigInt(-67 - scale);
  let quotient = value / half;
  let rest = value % half;
  let negative = false;
  if (2n * rest > half) {
    quotient += 1n;
    rest = half - rest;
    negative = true;
  }
  return { quadrant: Number(quotient & 3n), negative, rest: { integer: rest, exponent: scale } };
}
/** sin of 0 < r ≤ π/4. */
function sine(r: Magnitude): Magnitude {
  if (order(r) < TINY / 2) {
    // r − r³/6 is r to all digits; see toReal.
    return r;
  }
  const x = fixed(r);
  const square = (x * x) >> BigInt(BITS);
  let term = x;
  let sum = x;
  for (let k = 2n; term !== 0n; k += 2n) {
    term = (term * square >> BigInt(BITS)) / (k * (k + 1n));
    sum += (k & 2n) !== 0n ? -term : term;
  }
  return { integer: sum | 1n, exponent: -BITS };
}
/** cos of 0 ≤ r ≤ π/4. */
function cosine(r: Magnitude): Magnitude {
  if (r.integer === 0n) return { integer: 1n, exponent: 0 };
  if (order(r) < TINY / 2) return { integer: (1n << 80n) - 1n, exponent: -80 };
  const x = fixed(r);
  const square = (x * x) >> BigInt(BITS);
  let term = ONE;
  let sum = ONE;
  for (let k = 1n; term !== 0n; k += 2n) {
    term = (term * square >> BigInt(BITS)) / (k * (k + 1n));
    sum += (k & 2n) === 0n ? -term : term;
  }
  return { integer: sum | 1n, exponent: -BITS };
}

type Signed = readonly [sign: number, magnitude: Magnitude];

/** sin (shift 0) or cos (shift 1) from a reduced argument. */
function circular(reduced: Reduced, shift: number): Signed {
  const { negative, rest } = reduced;
  const quadrant = (reduced.quadrant + shift) & 3;
  const sign = quadrant >> 1;
  if (quadrant & 1) return [sign, cosine(rest)];
  if (rest.integer === 0n) return [sign, rest];
  return [sign ^ (negative ? 1 : 0), sine(rest)];
}

/** Operand of a trigonometric function: a result for special ones, "large" if it is not reduced. */
function trigonometricOperand(o: Operation): Real | "large" | Reduced {
  const x = o.read(0);
  const nan = o.nan(x);
  if (nan) return nan;
  if (isInfinite(x)) return o.invalid();
  o.denormals(x);
  if ((x.se & 0x7fff) >= BIAS + 63) return "large";
  return reduce(scaled(x));
}
function emptyTop(o: Operation): boolean {
  if (o.full(0)) return false;
  o.stackFault();
  finish(o, 0, DEFAULT_NAN);
  return true;
}
function toReal(o: Operation, sign: number, magnitude: Magnitude): Real {
  if (magnitude.integer === 0n) return zero(sign);
  const result = rounded(o, sign, magnitude);
  // A sine that is its argument is inexact all the same.
  o.raised |= PE | ((result.se & 0x7fff) === 0 ? UE : 0);
  return result;
}

const one: Real = { se: BIAS, significand: INTEGER_BIT };

/** FSIN and FCOS. */
function single(shift: 0 | 1): (o: Operation) => void {
  return (o) => {
    if (!o.full(0)) {
      o.stackFault();
      o.settle({ mask: C2, value: 0 });
      if (!o.aborts()) o.write(0, DEFAULT_NAN);
      return;
    }
    const operand = trigonometricOperand(o);
    if (operand === "large") {
      o.settle({ mask: C2 | C1, value: C2 });
      return;
    }
    let result: Real;
    const x = o.read(0);
    if ("se" in operand) result = operand;
    else if (isZero(x)) result = shift === 0 ? x : one;
    else {
      const [sign, magnitude] = circular(operand, shift);
      result = toReal(o, shift === 0 ? sign ^ signOf(x) : sign, magnitude);
    }
    o.settle({ mask: C2, value: 0 });
    if (!o.aborts()) o.write(0, result);
  };
}

/** FSINCOS and FPTAN: two results, the second pushed. */
function pair(
  special: (x: Real) => readonly [Real, Real],
  compute: (o: Operation, x: Real, reduced: Reduced) => readonly [Real, Real],
): (o: Operation) => void {
  return (o) => {
    if (!o.full(0)) o.stackFault();
    else if (o.full(7)) o.stackFault(true);
    if (o.raised !== 0) {
      if (o.settle({ mask: C2, value: 0 })) return;
      o.write(0, DEFAULT_NAN);
      o.push(DEFAULT_NAN);
      return;
    }
    const operand = trigonometricOperand(o);
    if (operand === "large") {
      o.settle({ mask: C2 | C1, value: C2 });
      return;
    }
    const x = o.read(0);
    let results: readonly [Real, Real];
    if ("se" in operand) results = [operand, operand];
    else if (isZero(x)) results = special(x);
    else results = compute(o, x, operand);
    o.settle({ mask: C2, value: 0 });
    if (o.aborts()) return;
    o.write(0, results[0]);
    o.push(results[1]);
  };
}

const sineCosine = pair((x) => [x, one], (o, x, reduced) => {
  const [sign, magnitude] = circular(reduced, 0);
  const first = toReal(o, sign ^ signOf(x), magnitude);
  const kept = o.raised & ~C1;
  const [cosineSign, cosineMagnitude] = circular(reduced, 1);
  o.raised = kept;
  return [first, toReal(o, cosineSign, cosineMagnitude)];
});

const tangent = pair((x) => [x, one], (o, x, reduced) => {
  const [sineSign, s] = circular(reduced, 0);
  const [cosineSign, c] = circular(reduced, 1);
  const sign = sineSign ^ cosineSign ^ signOf(x);
  if (s.integer === 0n) return [zero(sign), one];
  const integer = (s.integer << 300n) / c.integer;
  return [
    rounded(o, sign, { integer: integer | 1n, exponent: s.exponent - 300 - c.exponent }),
    one,
  ];
});

/** FPATAN: the angle of the point (ST(0), ST(1)). */
function arctangent2(o: Operation): void {
  if (!o.full(0) || !o.full(1)) {
    o.stackFault();
    if (finish(o, 1, DEFAULT_NAN)) o.pop();
    return;
  }
  const [x, y] = [o.read(0), o.read(1)];
  if (finish(o, 1, angle(o, x, y))) o.pop();
}
function angle(o: Operation, x: Real, y: Real): Real {
  const nan = o.nan(y, x);
  if (nan) return nan;
  o.denormals(x, y);
  const sign = signOf(y);
  const behind = signOf(x) === 1;
  const constant = (numerator: bigint, shift: number): Real =>
    rounded(o, sign, { integer: (PI * numerator) | 1n, exponent: -BITS - shift });
  if (isInfinite(y)) {
    if (!isInfinite(x)) return constant(1n, 1);
    return behind ? constant(3n, 2) : constant(1n, 2);
  }
  if (isZero(y) || isInfinite(x)) return behind ? constant(1n, 0) : zero(sign);
  if (isZero(x)) return constant(1n, 1);
  const [a, b] = [scaled(y), scaled(x)];
  const distance = order(a) - order(b);
  if (distance < TINY) {
    // y is nothing against x: y/x, or π less that.
    if (behind) return rounded(o, sign, { integer: (PI << 80n) - 1n, exponent: -BITS - 80 });
    const integer = (a.integer << 200n) / b.integer;
    const exact = (a.integer << 200n) % b.integer === 0n;
    const quotient = { integer, exponent: a.exponent - 200 - b.exponent };
    // Less than the quotient by its cube.
    const less = sticky(quotient);
    return rounded(o, sign, exact ? { ...less, integer: less.integer - 2n } : less);
  }
  if (distance > -TINY) {
    const integer = (PI << 80n) + (behind ? 1n : -1n);
    return rounded(o, sign, { integer, exponent: -BITS - 81 });
  }
  const ratio = (n: Magnitude, d: Magnitude): bigint => {
    const shift = BITS + n.exponent - d.exponent;
    return shift >= 0
      ? (n.integer << BigInt(shift)) / d.integer
      : n.integer / (d.integer << BigInt(-shift));
  };
  const steep = distance > 0 || (distance === 0 && a.integer > b.integer);
  let value = arctangent(steep ? ratio(b, a) : ratio(a, b));
  if (steep) value = (PI >> 1n) - value;
  if (behind) value = PI - value;
  return rounded(o, sign, { integer: value | 1n, exponent: -BITS });
}

// ---- exponential and logarithm ------------------------------------------------------------------

/** F2XM1: 2^x − 1 for |x| ≤ 1. */
function powerLessOne(o: Operation): void {
  if (emptyTop(o)) return;
  const x = o.read(0);
  const sign = signOf(x);
  let result = o.nan(x);
  if (result === undefined) {
    if (isInfinite(x)) result = sign ? { se: 0x8000 | BIAS, significand: INTEGER_BIT } : x;
    else {
      o.denormals(x);
      const m = isZero(x) ? undefined : scaled(x);
      if (m === undefined) result = x;
      else if (order(m) >= 0) {
        // 1 gives 1, −1 gives −1/2; beyond that the operation is not defined, and the operand stays.
        const unit = order(m) === 0 && m.integer === INTEGER_BIT;
        o.raised |= PE;
        result = unit ? { se: sign ? 0x8000 | (BIAS - 1) : BIAS, significand: INTEGER_BIT } : x;
      } else if (order(m) < TINY) {
        const tiny = { integer: m.integer * LN2, exponent: m.exponent - BITS };
        result = rounded(o, sign, sticky(tiny));
      } else {
        const v = (fixed(m) * LN2) >> BigInt(BITS);
        const value = exponentialLessOne(sign ? -v : v);
        result = rounded(o, sign, { integer: (sign ? -value : value) | 1n, exponent: -BITS });
      }
    }
  }
  finish(o, 0, result);
}

/** log2 of a positive finite number in fixed point, and whether it is exact (a power of 2). */
function logarithm(x: Magnitude): { value: bigint; exact: boolean } {
  let power = order(x);
  let mantissa = fixed({ integer: x.integer, exponent: x.exponent - power });
  if (mantissa === ONE) return { value: BigInt(power) << BigInt(BITS), exact: true };
  if (mantissa * mantissa > 2n * ONE * ONE) {
    mantissa >>= 1n;
    power++;
  }
  const z = ((mantissa - ONE) << BigInt(BITS)) / (mantissa + ONE);
  const natural = 2n * inverseHyperbolicTangent(z);
  return {
    value: (BigInt(power) << BigInt(BITS)) + (natural << BigInt(BITS)) / LN2,
    exact: false,
  };
}
/** y × a logarithm in fixed point, rounded. */
function product(o: Operation, y: Real, value: bigint, exact: boolean): Real {
  const sign = signOf(y) ^ (value < 0n ? 1 : 0);
  const magnitude = value < 0n ? -value : value;
  const m = scaled(y);
  const integer = m.integer * magnitude;
  const result = { integer, exponent: m.exponent - BITS };
  return rounded(o, sign, exact ? result : sticky(result));
}

/** FYL2X: ST(1) × log2 ST(0). */
function yLogX(o: Operation): void {
  if (!o.full(0) || !o.full(1)) {
    o.stackFault();
    if (finish(o, 1, DEFAULT_NAN)) o.pop();
    return;
  }
  const [x, y] = [o.read(0), o.read(1)];
  if (finish(o, 1, yLogarithm(o, x, y))) o.pop();
}
function yLogarithm(o: Operation, x: Real, y: Real): Real {
  const nan = o.nan(y, x);
  if (nan) return nan;
  if (signOf(x) && !isZero(x)) return o.invalid();
  const sign = signOf(y);
  if (isZero(x)) {
    if (isZero(y)) return o.invalid();
    if (!isInfinite(y)) o.raised |= ZE;
    return infinity(sign ^ 1);
  }
  const unit = x.se === BIAS && x.significand === INTEGER_BIT;
  if (isInfinite(x)) {
    if (isZero(y)) return o.invalid();
    o.denormals(y);
    return infinity(sign);
  }
  if (isInfinite(y)) {
    if (unit) return o.invalid();
    o.denormals(x);
    return infinity(sign ^ ((x.se & 0x7fff) < BIAS ? 1 : 0));
  }
  o.denormals(x, y);
  const below = (x.se & 0x7fff) < BIAS ? 1 : 0;
  if (unit) return zero(sign);
  if (isZero(y)) return zero(sign ^ below);
  const { value, exact } = logarithm(scaled(x));
  // Raised for powers of 2 too, whose logarithm is exact: as processors do.
  o.raised |= PE;
  return product(o, y, value, exact);
}

/** FYL2XP1: ST(1) × log2(ST(0) + 1). */
function yLogXPlusOne(o: Operation): void {
  if (!o.full(0) || !o.full(1)) {
    o.stackFault();
    if (finish(o, 1, DEFAULT_NAN)) o.pop();
    return;
  }
  const [x, y] = [o.read(0), o.read(1)];
  if (finish(o, 1, yLogarithmPlusOne(o, x, y))) o.pop();
}
function yLogarithmPlusOne(o: Operation, x: Real, y: Real): Real {
  const nan = o.nan(y, x);
  if (nan) return nan;
  const sign = signOf(x) ^ signOf(y);
  if (isInfinite(x)) {
    if (signOf(x) || isZero(y)) return o.invalid();
    o.denormals(y);
    return infinity(signOf(y));
  }
  if (isInfinite(y)) {
    if (isZero(x)) return o.invalid();
    o.denormals(x);
    return infinity(sign);
  }
  o.denormals(x, y);
  if (isZero(x) || isZero(y)) return zero(sign);
  const m = scaled(x);
  if (order(m) < TINY) {
    const n = scaled(y);
    const integer = (m.integer * n.integer << BigInt(BITS)) / LN2;
    return rounded(o, sign, sticky({ integer, exponent: m.exponent + n.exponent }));
  }
  const f = fixed(m);
  const z = signOf(x) ? -f : f;
  // Not defined at or below −1: processors give the operand back.
  if (z <= -ONE) {
    o.raised |= PE;
    return x;
  }
  if (order(m) >= -2) {
    const sum = { integer: ONE + z, exponent: -BITS };
    const { value, exact } = logarithm(sum);
    o.raised |= PE;
    return product(o, y, value, exact);
  }
  const natural = 2n * inverseHyperbolicTangent((z << BigInt(BITS)) / (2n * ONE + z));
  return product(o, y, (natural << BigInt(BITS)) / LN2, false);
}

/** An instruction whose fast way has tables. */
function tabled(body: (o: Operation) => void): Assist {
  return onStack((o) => {
    requireTables(o.core);
    body(o);
  });
}

export const transcendentalAssists: Assists = {
  fsin: onStack(single(0)),
  fcos: onStack(single(1)),
  fsincos: onStack(sineCosine),
  fptan: onStack(tangent),
  fpatan: tabled(arctangent2),
  f2xm1: tabled(powerLessOne),
  fyl2x: tabled(yLogX),
  fyl2xp1: tabled(yLogXPlusOne),
};
