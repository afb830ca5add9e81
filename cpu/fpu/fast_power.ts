/**
 * F2XM1 of ordinary numbers below 1 in Wasm: 2^(j/32) · (1 + p) − 1 with p = e^v − 1, |v| = |x − j/32| · ln 2 < 2^-6.5.
 * Sources: SDM vol. 2 (F2XM1); Handbook of Mathematical Functions 4.2.1.
 * @module
 */
import { Code, int, type Local, long } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { F64, I32 } from "../execute/wasm.ts";
import { finishBounded, polynomial, refuse, refuseIf, RESULT } from "./bounded.ts";
import { isOrdinary } from "./fast.ts";
import { LN2 } from "./fixed.ts";
import { BIAS } from "./status.ts";
import { powerEntry, rescaled, STEP_BITS, tablesMissing } from "./tables.ts";
import {
  addSigned,
  constant,
  halfFloat,
  multiply,
  multiplyHigh,
  multiplyShort,
  negate,
  normalize,
  shiftRight,
  subtract,
  wide,
} from "./wide.ts";

/** Arguments below this power of 2 are left to the exact function. */
const SMALLEST = -60;

/** (address) → 2^x − 1 of the number there. */
export function fastPower(runtime: Runtime): number {
  return runtime.shared("power", [I32], RESULT, (f) => {
    const c = new Code(f);
    const [address] = Code.parameters([I32]) as [Local];
    const [se, x] = [c.int(address.load16(8)), c.long(address.load64())];
    refuseIf(c, isOrdinary(se, x).isZero().or(tablesMissing()));
    const exponent = c.int(se.and(0x7fff).sub(BIAS));
    refuseIf(c, exponent.geS(0).or(exponent.ltS(SMALLEST)));
    const sign = c.int(se.shrU(15));
    const scale = exponent.add(1023 - 62 + STEP_BITS).wide().shl(52).reinterpret();
    const j = c.int(halfFloat(x).mul(scale).float("nearest").truncate());
    // s = |x| − j/32, as s × 2^(e − 127).
    const s = wide(c, x, 0);
    const e = c.int(exponent);
    const negative = c.int(sign);
    c.if(j, () => {
      shiftRight(c, s, c.long(int(-1).sub(exponent).wide()));
      // 32/32 is 2^128, which is 0 here.
      const step = wide(c, j.wide().shl(64 - STEP_BITS), 0);
      const rest = subtract(c, s, step);
      const less = c.int(rest.high.ltS(0));
      negate(c, rest, less);
      c.set(negative, negative.xor(less));
      c.set(s.high, rest.high);
      c.set(s.low, rest.low);
      c.set(e, -1);
    });
    const p = wide(c, 0, 0);
    const error = c.long(0);
    c.if(s.high.or(s.low).notZero(), () => {
      const bits = normalize(c, s);
      const v = multiply(c, s, constant(rescaled(LN2, 128)));
      const more = normalize(c, v);
      c.set(e, e.sub(bits.low()).sub(more.low()));
      const fixed = wide(c, v.high, v.low);
      shiftRight(c, fixed, c.long(int(-1).sub(e).wide()));
      // 1/6 + v·(1/24 …), × 2^64: 53 bits behind 2^-11.
      const magnitude = c.local(F64, halfFloat(fixed.high).mul(2 ** -63));
      const signed = c.local(F64, negative.isZero().choose(magnitude, magnitude.mul(-1)));
      const terms = [24, 120, 720, 5040, 40320, 362880, 3628800].map((n) => 1 / n);
      const tail = signed.mul(polynomial(c, signed, terms)).mul(2 ** 64).truncateWide("s");
      const sixth = c.long(long((1n << 64n) / 6n).add(tail));
      // g = v·(1/2 + v·(…)), p = v·(1 + g); p × 2^(e − 126).
      const half = addSigned(c, constant(1n << 127n), multiplyShort(c, fixed, sixth), negative);
      const g = multiply(c, fixed, half);
      shiftRight(c, v, c.long(1));
      const sum = addSigned(c, v, multiply(c, v, g), negative);
      c.set(p.high, sum.high);
      c.set(p.low, sum.low);
      // The error of 1/6 + … is below 2^-61, and counts v² times.
      c.set(error, multiplyHigh(c, fixed.high, fixed.high).shl(2).add(128));
    });
    c.if(j.isZero(), () => {
      const bounds = { sign: sign.shl(15), exponent: e.add(BIAS + 1), magnitude: p, error };
      finishBounded(runtime, c, bounds);
    });
    // × 2^128; below 2^-6 the power's two bits before the point are no more than the error doubled.
    const bits = c.long(int(-2).sub(e).wide());
    shiftRight(c, p, bits);
    c.set(error, bits.gtU(63).choose(long(0n), error.shrU(bits)).shl(1).add(64));
    const power = powerEntry(c, sign.choose(int(0).sub(j), j));
    const change = addSigned(c, power, multiply(c, power, p), negative);
    const result = subtract(c, change, constant(1n << 126n));
    negate(c, result, sign);
    finishBounded(runtime, c, {
      sign: sign.shl(15),
      exponent: int(BIAS + 1),
      magnitude: result,
      error,
    });
    refuse(c);
  });
}
