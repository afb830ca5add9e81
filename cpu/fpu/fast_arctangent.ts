/**
 * FPATAN of ordinary numbers in Wasm: atan t = atan(j/32) + atan((t − j/32) / (1 + t·j/32)), the latter a quotient of exact
 * integers below 2^-6. Sources: SDM vol. 2 (FPATAN, quadrants); Handbook of Mathematical Functions 4.4.34.
 * @module
 */
import { Code, int, type Local, long } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { finishBounded, refuse, refuseIf, RESULT } from "./bounded.ts";
import { isOrdinary } from "./fast.ts";
import { combine, inverse, normalizeFraction } from "./fast_series.ts";
import { PI } from "./fixed.ts";
import { BIAS } from "./status.ts";
import { arctangentEntry, rescaled, STEPS, tablesMissing } from "./tables.ts";
import { add, constant, halfFloat, negate, shiftLeft, shiftRight, subtract, wide } from "./wide.ts";

/** Quotients below this power of 2 are left to the exact function. */
const SMALLEST = 60;

/** (x, y) → the angle of the point. */
export function fastArctangent(runtime: Runtime): number {
  const types = [I32, I64, I32, I64];
  return runtime.shared("arctangent", types, RESULT, (f) => {
    const c = new Code(f);
    const [xse, x, yse, y] = Code.parameters(types) as [Local, Local, Local, Local];
    refuseIf(c, isOrdinary(xse, x).and(isOrdinary(yse, y)).isZero().or(tablesMissing()));
    const sign = yse.and(0x8000);
    const behind = xse.shrU(15);
    const distance = c.int(yse.and(0x7fff).sub(xse.and(0x7fff)));
    const steep = c.int(distance.gtS(0).or(distance.isZero().and(y.gtU(x))));
    const n = c.long(steep.choose(x, y));
    const d = c.long(steep.choose(y, x));
    c.set(distance, steep.choose(distance, int(0).sub(distance)));
    refuseIf(c, distance.gtS(SMALLEST));
    // t = n/d · 2^-distance, at most 1.
    const scale = int(1023).sub(distance).wide().shl(52).reinterpret();
    const t = halfFloat(n).div(halfFloat(d)).mul(scale);
    const j = c.int(t.mul(STEPS).float("nearest").truncate());
    const [numerator, denominator] = [wide(c, n, 0), wide(c, d, 0)];
    const exponent = c.int(int(0).sub(distance));
    const less = c.int(0);
    c.if(j, () => {
      const [small, large] = [wide(c, 0, n), wide(c, 0, d)];
      shiftLeft(c, large, c.long(distance.wide()));
      const above = combine(c, small, large, j, true);
      const below = combine(c, large, small, j, false);
      c.set(less, above.high.ltS(0));
      negate(c, above, less);
      c.set(numerator.high, above.high);
      c.set(numerator.low, above.low);
      c.set(denominator.high, below.high);
      c.set(denominator.low, below.low);
    });
    const angle = wide(c, 0, 0);
    const error = c.long(0);
    c.if(numerator.high.or(numerator.low).notZero(), () => {
      c.if(j, () => c.set(exponent, normalizeFraction(c, numerator, denominator)));
      const rest = inverse(runtime, c, { numerator, denominator, exponent }, true);
      c.if(j.or(steep).or(behind).isZero(), () => {
        finishBounded(runtime, c, {
          ...rest,
          sign,
          exponent: rest.exponent.add(BIAS + 1),
        });
      });
      // × 2^126.
      const bits = c.long(int(0).sub(rest.exponent).wide());
      shiftRight(c, rest.magnitude, bits);
      c.set(angle.high, rest.magnitude.high);
      c.set(angle.low, rest.magnitude.low);
      c.set(error, bits.gtU(63).choose(long(0n), rest.error.shrU(bits)));
    });
    negate(c, angle, less);
    const base = arctangentEntry(c, j);
    const assign = (to: { high: Local; low: Local }): void => {
      c.set(angle.high, to.high);
      c.set(angle.low, to.low);
    };
    assign(add(c, angle, base));
    c.if(steep, () => assign(subtract(c, constant(rescaled(PI, 125)), angle)));
    c.if(behind, () => assign(subtract(c, constant(rescaled(PI, 126)), angle)));
    finishBounded(runtime, c, {
      sign,
      exponent: int(BIAS + 1),
      magnitude: angle,
      error: error.add(16),
    });
    refuse(c);
  });
}
