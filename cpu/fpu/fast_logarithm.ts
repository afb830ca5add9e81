/**
 * FYL2X and FYL2XP1 of ordinary numbers in Wasm: log₂ of m · 2^k is k + log₂(j/32) + 2/ln 2 · artanh z, where j/32 is next to
 * m and z = (m − j/32) / (m + j/32), a quotient of exact integers below 2^-7.
 * Sources: SDM vol. 2 (FYL2X, FYL2XP1); Handbook of Mathematical Functions 4.1.27.
 * @module
 */
import { Code, int, type Local, long, type Value } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { finishBounded, refuse, refuseIf, RESULT } from "./bounded.ts";
import { isOrdinary } from "./fast.ts";
import { combine, inverse, normalizeFraction } from "./fast_series.ts";
import { LN2, ONE } from "./fixed.ts";
import { BIAS } from "./status.ts";
import { logarithmEntry, STEPS, tablesMissing } from "./tables.ts";
import {
  addSigned,
  constant,
  multiply,
  multiplyShort,
  negate,
  normalize,
  shiftRight,
  type Wide,
  wide,
} from "./wide.ts";

/** 2 / ln 2, × 2^126. */
const FACTOR = constant((ONE << 127n) / LN2);
/** Arguments of FYL2XP1 below this power of 2 are left to the exact function. */
const SMALLEST = -60;

const TAIL: readonly number[] = [I64, I64, I64, I64, I32, I32, I32, I32, I32, I64];

/**
 * (numerator, denominator, exponent and sign of z, j, k, y) → y · (k + log₂(j/32) + 2/ln 2 · artanh z). Numerator and
 * denominator have their uppermost bits set, but the numerator may be 0; j is 32 … 64.
 */
function product(runtime: Runtime): number {
  return runtime.shared("logarithm.product", TAIL, RESULT, (f) => {
    const c = new Code(f);
    const [nh, nl, dh, dl, exponent, less, j, k, yse, y] = Code.parameters(TAIL) as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    c.if(j.eq(2 * STEPS), () => {
      c.set(j, STEPS);
      c.set(k, k.add(1));
    });
    const sum = wide(c, 0, 0);
    const error = c.long(0);
    const order = c.int(0);
    c.if(nh.notZero(), () => {
      const [numerator, denominator] = [{ high: nh, low: nl }, { high: dh, low: dl }];
      const z = inverse(runtime, c, { numerator, denominator, exponent }, false);
      // × 2^124 · 2^-exponent.
      const scaled = multiply(c, z.magnitude, FACTOR);
      c.set(sum.high, scaled.high);
      c.set(sum.low, scaled.low);
      c.set(error, z.error.shl(1));
      c.set(order, z.exponent.add(3));
    });
    const negative = c.int(less);
    c.if(
      j.ne(STEPS).or(k),
      () => {
        // × 2^112.
        const bits = c.long(int(15).sub(order).wide());
        shiftRight(c, sum, bits);
        c.set(error, bits.gtU(63).choose(long(0n), error.shrU(bits)).add(16));
        const base = logarithmEntry(c, j);
        c.set(base.high, base.high.add(k.wideSigned().shl(48)));
        const total = addSigned(c, base, sum, less);
        c.set(negative, total.high.ltS(0));
        negate(c, total, negative);
        c.set(sum.high, total.high);
        c.set(sum.low, total.low);
        c.set(order, 15);
      },
      () => refuseIf(c, nh.isZero()),
    );
    const shift = normalize(c, sum);
    refuseIf(c, shift.gtU(40));
    const magnitude = multiplyShort(c, sum, y);
    finishBounded(runtime, c, {
      sign: yse.shrU(15).xor(negative).shl(15),
      exponent: order.sub(shift.low()).add(1).add(yse.and(0x7fff)),
      magnitude,
      error: error.shl(shift).add(8),
    });
    refuse(c);
  });
}

/** Ends a function with y · log₂ of m · 2^k; m is 1 … 2, × 2^120. */
function finishLogarithm(
  runtime: Runtime,
  c: Code,
  m: Wide,
  k: Value,
  y: { readonly se: Value; readonly significand: Value },
): void {
  const j = c.int(m.high.convertWide("s").mul(STEPS * 2 ** -56).float("nearest").truncate());
  const one = wide(c, 1n << 56n, 0);
  const numerator = combine(c, m, one, j, true);
  const denominator = combine(c, m, one, j, false);
  const less = c.int(numerator.high.ltS(0));
  negate(c, numerator, less);
  const exponent = c.int(0);
  c.if(numerator.high.or(numerator.low).notZero(), () => {
    c.set(exponent, normalizeFraction(c, numerator, denominator));
  });
  c.yield(
    ...[numerator.high, numerator.low, denominator.high, denominator.low],
    ...[exponent, less, j, k, y.se, y.significand],
  );
  c.f.call(product(runtime)).return();
}

/** (x, y) → y · log₂ x. */
export function fastLogarithm(runtime: Runtime): number {
  const types = [I32, I64, I32, I64];
  return runtime.shared("logarithm", types, RESULT, (f) => {
    const c = new Code(f);
    const [xse, x, se, y] = Code.parameters(types) as [Local, Local, Local, Local];
    refuseIf(c, isOrdinary(xse, x).and(isOrdinary(se, y)).isZero().or(tablesMissing()));
    // Negative numbers; powers of 2, whose logarithm is exact.
    refuseIf(c, xse.shrU(15).or(x.shl(1).isZero()));
    const m = wide(c, x.shrU(7), x.shl(57));
    finishLogarithm(runtime, c, m, xse.sub(BIAS), { se, significand: y });
    refuse(c);
  });
}

/** (x, y) → y · log₂(x + 1). */
export function fastLogarithmPlusOne(runtime: Runtime): number {
  const types = [I32, I64, I32, I64];
  return runtime.shared("logarithm.plusOne", types, RESULT, (f) => {
    const c = new Code(f);
    const [xse, x, se, y] = Code.parameters(types) as [Local, Local, Local, Local];
    refuseIf(c, isOrdinary(xse, x).and(isOrdinary(se, y)).isZero().or(tablesMissing()));
    const exponent = c.int(xse.and(0x7fff).sub(BIAS));
    refuseIf(c, exponent.geS(0).or(exponent.ltS(SMALLEST)));
    const negative = c.int(xse.shrU(15));
    const part = wide(c, x, 0);
    c.if(exponent.leS(-7), () => {
      // x / (2 + x); the denominator × 2^125.
      shiftRight(c, part, c.long(int(2).sub(exponent).wide()));
      const denominator = addSigned(c, constant(1n << 126n), part, negative);
      const bits = normalize(c, denominator);
      c.yield(x, long(0n), denominator.high, denominator.low);
      c.yield(exponent.sub(2).add(bits.low()), negative, int(STEPS), int(0), se, y);
      c.f.call(product(runtime)).return();
    });
    shiftRight(c, part, c.long(int(7).sub(exponent).wide()));
    const m = addSigned(c, constant(1n << 120n), part, negative);
    const bits = normalize(c, m);
    refuseIf(c, m.high.shl(1).or(m.low).isZero());
    const k = c.int(int(7).sub(bits.low()));
    shiftRight(c, m, c.long(7));
    finishLogarithm(runtime, c, m, k, { se, significand: y });
    refuse(c);
  });
}
