/**
 * What arctangent and logarithm have in common: z·(1 ± z²/3 + z⁴/5 ± …) of a quotient z below 2^-5, with an error relative to
 * the result. Sources: M. Abramowitz, I. Stegun, Handbook of Mathematical Functions 4.1.27, 4.4.42.
 * @module
 */
import { type Code, int, type Local, long } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { F64 } from "../execute/wasm.ts";
import { polynomial } from "./bounded.ts";
import {
  addSigned,
  divide,
  halfFloat,
  multiply,
  multiplyShort,
  multiplyWide,
  normalize,
  shiftLeft,
  shiftRight,
  type Wide,
  wide,
} from "./wide.ts";

/** A quotient of numbers whose uppermost bits are set, times 2^exponent. */
export interface Quotient {
  readonly numerator: Wide;
  readonly denominator: Wide;
  readonly exponent: Local;
}
/** magnitude × 2^(exponent − 126) with an error in units of the last bit; magnitude is 2^125 … 2^127. */
export interface Scaled {
  readonly magnitude: Wide;
  readonly exponent: Local;
  readonly error: Local;
}

/** atan z (`alternates`) or artanh z. */
export function inverse(
  runtime: Runtime,
  c: Code,
  { numerator, denominator, exponent }: Quotient,
  alternates: boolean,
): Scaled {
  const z = divide(runtime, c, numerator, denominator);
  // z has its uppermost bit set from here on: z × 2^(e − 127).
  const bits = normalize(c, z);
  const e = c.int(exponent.add(1).sub(bits.low()));
  const square = wide(c, 0, 0);
  multiplyWide(c, z.high, z.high, square.high, square.low);
  shiftRight(c, square, c.long(int(-2).sub(e.shl(1)).wideSigned()));
  const s = c.local(F64, halfFloat(square.high).mul(2 ** -63));
  // 1/3 less or plus s·(1/5 …): the terms have 53 bits behind 2^-14, then 64, and count s times.
  const sign = alternates ? -1 : 1;
  const tail = polynomial(c, s, [1 / 5, sign / 7, 1 / 9, sign / 11, 1 / 13]);
  const small = c.long(s.mul(tail).mul(2 ** 64).truncateWide("s"));
  const third = long(BigInt.asIntN(64, (1n << 64n) / 3n));
  const factor = c.long(alternates ? third.sub(small) : third.add(small));
  const w = multiplyShort(c, square, factor);
  shiftRight(c, z, c.long(1));
  const magnitude = addSigned(c, z, multiply(c, z, w), int(alternates ? 1 : 0));
  // The upper half of z gives its square to 2^-62 of it, a third of which counts; the factor's error is below 2^-62.
  // The quotient's counts twice when z is shifted.
  return { magnitude, exponent: e, error: c.long(square.high.shl(2).add(1n << 30n)) };
}

/** Makes both parts of a fraction that are not 0 as large as they can be; what that multiplies it by is 2^result. */
export function normalizeFraction(c: Code, numerator: Wide, denominator: Wide): Local {
  const [up, down] = [normalize(c, numerator), normalize(c, denominator)];
  return c.int(down.sub(up).low());
}
/** 32 x ± j y, for numbers that leave room. */
export function combine(c: Code, x: Wide, y: Wide, j: Local, negative: boolean): Wide {
  const product = wide(c, 0, 0);
  multiplyWide(c, y.low, j.wide(), product.high, product.low);
  c.set(product.high, product.high.add(y.high.mul(j.wide())));
  const sum = wide(c, x.high, x.low);
  shiftLeft(c, sum, c.long(5));
  return addSigned(c, sum, product, int(negative ? 1 : 0));
}
