/**
 * FSIN, FCOS and FPTAN of ordinary numbers below 2^31 in Wasm: the argument less multiples of π/2 exactly, Taylor's series
 * in fixed point with 128 bits behind the point, whose small terms have 64 bits, the smallest 53.
 *
 * Errors are counted in 2^-128. A reduced argument is x < π/4 + 2^-20, y = x² < 0.617.
 * Sources: SDM vol. 1 §8.3.8 (π of 66 bits); M. Abramowitz, I. Stegun, Handbook of Mathematical Functions 4.3.65–66.
 * @module
 */
import { Code, int, type Local, long, type Value } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { F64, I32, I64 } from "../execute/wasm.ts";
import { finishBounded, polynomial, refuse, refuseIf, RESULT, UNFIT } from "./bounded.ts";
import { isOrdinary, isZero } from "./fast.ts";
import { PI_66 } from "./fixed.ts";
import { BIAS, INTEGER_BIT, PE } from "./status.ts";
import {
  add,
  type Constant,
  constant,
  divide,
  DIVIDE_ERROR,
  halfFloat,
  multiply,
  multiplyHigh,
  multiplyRoughly,
  multiplyWide,
  normalize,
  shiftRight,
  subtract,
  type Wide,
  wide,
} from "./wide.ts";

/** n!, exactly. */
function factorial(n: number): bigint {
  return n < 2 ? 1n : BigInt(n) * factorial(n - 1);
}
/** (−1)^k / (first + 2k)! for k = 0 … count − 1, as f64. */
function alternating(first: number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, k) => (k & 1 ? -1 : 1) / Number(factorial(first + 2 * k)),
  );
}

/**
 * c₁ − y·c₂ + y²·(c₃ − y·c₄ + y²·(c₅ − …)), cₖ = 1/(start + 2k)!, in an order that leaves the host few steps that wait for
 * each other. Terms have 53 bits from c₅ on, where 2^scale is 1; four products lose below 2^34 each.
 */
function series(c: Code, y: Wide, start: 0 | 1, scale: number): Wide {
  const of = (k: number): Constant => constant((1n << 128n) / factorial(start + 2 * k));
  const yFloat = c.local(F64, halfFloat(y.high).mul(2 ** -63));
  const tail = c.long(
    polynomial(c, yFloat, alternating(start + 10, 7)).mul(2 ** scale).truncateWide("s"),
  );
  const square = multiplyRoughly(c, y, y);
  const outer = subtract(c, of(1), multiplyRoughly(c, y, of(2)));
  const inner = subtract(c, of(3), multiplyRoughly(c, y, of(4)));
  const small = multiplyHigh(c, square.high, tail);
  const rest = wide(c, small.shrU(scale - 64), small.shl(128 - scale));
  return add(c, outer, multiplyRoughly(c, square, add(c, inner, rest)));
}

/**
 * (x) → sin x, error. That of the tail is five roundings of c₅, 2^-25.2, below 2^-75.8, and counts x·y⁵ times, which is less
 * than y·0.12; the products lose below 2^37, of which x counts.
 */
export function sine(runtime: Runtime): number {
  const types = [I64, I64];
  return runtime.shared("trigonometry.sine", types, [I64, I64, I64], (f) => {
    const c = new Code(f);
    const [high, low] = Code.parameters(types) as [Local, Local];
    const x = { high, low };
    const y = multiplyRoughly(c, x, x);
    const cube = multiply(c, x, y);
    const result = subtract(c, x, multiply(c, cube, series(c, y, 1, 88)));
    c.yield(result.high, result.low, y.high.shrU(14).add(x.high.shrU(26)).add(128));
  });
}
/**
 * (x) → cos x, error. That of the tail is five roundings of c₅, 2^-21.8, below 2^-72.4, and counts y⁵ times, which is less
 * than y·0.15; the products lose below 2^37. x is not 0.
 */
export function cosine(runtime: Runtime): number {
  const types = [I64, I64];
  return runtime.shared("trigonometry.cosine", types, [I64, I64, I64], (f) => {
    const c = new Code(f);
    const [high, low] = Code.parameters(types) as [Local, Local];
    const y = multiplyRoughly(c, { high, low }, { high, low });
    const result = subtract(c, wide(c, 0, 0), multiplyRoughly(c, y, series(c, y, 0, 84)));
    c.yield(result.high, result.low, y.high.shrU(11).add(1n << 37n));
  });
}

/** Arguments below this power of 2 are their own sine, as the exact functions have it. */
const TINY = -36;
/** Arguments from this power of 2 on are left to the exact functions. */
const LARGE = 31;

/**
 * (exponent without bias, significand) → x, and quadrant + 4 where x was subtracted; or −1: what is near a multiple
 * of π/2, and what is large.
 */
function reduce(runtime: Runtime): number {
  const types = [I32, I64];
  return runtime.shared("trigonometry.reduce", types, [I64, I64, I32], (f) => {
    const c = new Code(f);
    const [exponent, significand] = Code.parameters(types) as [Local, Local];
    const result = wide(c, significand, 0);
    const quadrant = c.int(0);
    c.if(
      exponent.ltS(-1),
      () => shiftRight(c, result, c.long(int(-1).sub(exponent).wide())),
      () => {
        c.if(exponent.geS(LARGE), () => c.return(long(0n), long(0n), int(UNFIT)), undefined, false);
        const scale = exponent.add(1023 - 62).wide().shl(52).reinterpret();
        const value = halfFloat(significand).mul(scale);
        const quotient = c.long(value.mul(2 / Math.PI).float("nearest").truncateWide("s"));
        // On the scale of π's last bit: |x| = significand · 2^(exponent + 4), π/2 = PI_66.
        const product = { high: c.long(), low: c.long() };
        const low = long(BigInt.asIntN(64, PI_66));
        multiplyWide(c, quotient, low, product.high, product.low);
        c.set(product.high, product.high.add(quotient.mul(PI_66 >> 64n)));
        const bits = c.long(exponent.add(4).wide());
        const rest = subtract(
          c,
          wide(c, significand.shrU(long(64n).sub(bits)), significand.shl(bits)),
          product,
        );
        // The sign is as good as random: no branch.
        const mask = c.long(rest.high.shrS(63));
        c.set(rest.low, rest.low.xor(mask));
        c.set(rest.high, rest.high.xor(mask).add(mask.and(rest.low.add(1).isZero().wide())));
        c.set(rest.low, rest.low.sub(mask));
        c.set(quadrant, quotient.low().and(3).or(mask.low().and(4)));
        c.set(result.high, rest.high.shl(61).or(rest.low.shrU(3)));
        c.set(result.low, rest.low.shl(61));
        const small = result.high.ltU(1n << BigInt(64 + TINY + 2));
        c.if(small, () => c.return(long(0n), long(0n), int(UNFIT)), undefined, false);
      },
    );
    c.yield(result.high, result.low, quadrant);
  });
}

/** The argument at an address; `ofZero` returns a result, what else is not ordinary is refused. */
function argument(
  c: Code,
  address: Local,
  ofZero: (se: Value, significand: Value) => void,
): { se: Local; significand: Local; exponent: Local } {
  const [se, significand] = [c.int(address.load16(8)), c.long(address.load64())];
  c.if(
    isOrdinary(se, significand).isZero(),
    () => {
      c.if(isZero(se, significand), () => ofZero(se, significand));
      refuse(c);
    },
    undefined,
    false,
  );
  return { se, significand, exponent: c.int(se.and(0x7fff).sub(BIAS)) };
}

/** (address, 0 for the sine, 1 for the cosine) → its result. */
export function fastCircular(runtime: Runtime): number {
  return runtime.shared("trigonometry.circular", [I32, I32], RESULT, (f) => {
    const c = new Code(f);
    const [address, shift] = Code.parameters([I32, I32]) as [Local, Local];
    const { se, significand, exponent } = argument(c, address, (se, significand) => {
      c.if(shift, () => c.return(int(0), int(BIAS), long(INTEGER_BIT)));
      c.return(int(0), se, significand);
    });
    c.if(
      exponent.leS(TINY),
      () => {
        c.if(shift.isZero(), () => c.return(int(PE), se, significand));
        // 1 − 2^-80.
        const magnitude = wide(c, -1, -(1n << 48n));
        finishBounded(runtime, c, { sign: int(0), exponent: int(BIAS - 1), magnitude, error: 0 });
      },
      undefined,
      false,
    );
    const [x, state] = [wide(c, 0, 0), c.int()];
    c.call(reduce(runtime), [exponent, significand], [x.high, x.low, state]);
    refuseIf(c, state.ltS(0));
    const quadrant = c.int(state.add(shift));
    const sign = c.int(quadrant.shrU(1).and(1).shl(15));
    c.if(shift.isZero(), () => c.set(sign, sign.xor(se.and(0x8000))));
    const error = c.long();
    const results = [x.high, x.low, error];
    c.if(quadrant.and(1), () => c.call(cosine(runtime), [x.high, x.low], results), () => {
      c.set(sign, sign.xor(state.shrU(2).shl(15)));
      c.call(sine(runtime), [x.high, x.low], results);
    });
    finishBounded(runtime, c, { sign, exponent: int(BIAS - 1), magnitude: x, error });
    refuse(c);
  });
}

/** (address) → its tangent. */
export function fastTangent(runtime: Runtime): number {
  return runtime.shared("trigonometry.tangent", [I32], RESULT, (f) => {
    const c = new Code(f);
    const [address] = Code.parameters([I32]) as [Local];
    const { se, significand, exponent } = argument(
      c,
      address,
      (se, significand) => c.return(int(0), se, significand),
    );
    c.if(
      exponent.leS(TINY),
      () => {
        // x · (1 + 2^-80)
        const magnitude = wide(c, significand, 1n << 47n);
        const sign = se.and(0x8000);
        finishBounded(runtime, c, { sign, exponent: exponent.add(BIAS), magnitude, error: 0 });
      },
      undefined,
      false,
    );
    const [x, state] = [wide(c, 0, 0), c.int()];
    c.call(reduce(runtime), [exponent, significand], [x.high, x.low, state]);
    refuseIf(c, state.ltS(0));
    const part = (index: number): Wide & { error: Local } => {
      const result = { ...wide(c, 0, 0), error: c.long() };
      c.call(index, [x.high, x.low], [result.high, result.low, result.error]);
      return result;
    };
    const [s, d] = [part(sine(runtime)), part(cosine(runtime))];
    const odd = state.and(1);
    const swap = (a: Local, b: Local): void => {
      const kept: Local = c.long(a);
      c.set(a, b);
      c.set(b, kept);
    };
    c.if(odd, () => {
      swap(s.high, d.high);
      swap(s.low, d.low);
      swap(s.error, d.error);
    });
    const [up, down] = [normalize(c, s), normalize(c, d)];
    const error = c.long(s.error.shl(up).add(d.error.shl(down)).add(DIVIDE_ERROR));
    const sign: Value = se.shrU(15).xor(odd).xor(state.shrU(2)).and(1).shl(15);
    const magnitude = divide(runtime, c, s, d);
    finishBounded(runtime, c, {
      sign,
      exponent: down.sub(up).low().add(BIAS + 1),
      magnitude,
      error,
    });
    refuse(c);
  });
}
