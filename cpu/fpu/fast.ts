/**
 * The x87 as programs have it nearly always, in Wasm functions without a branch to spare: operands that are ordinary
 * numbers (or zeros, where that costs nothing), rounding to nearest with 64 bits, PE masked, a result that is an
 * ordinary number. Everything else answers −1, with nothing changed, and goes to arithmetic.ts and round.ts.
 *
 * What they return is what the status word gets: PE, and C1 where the magnitude was rounded up.
 * Sources: SDM vol. 1 §4.8.4, §8.1.3 (C1), §8.1.5; IEEE 754-1985 §4.1; H. Warren, Hacker's Delight §11-1 (square root).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { F64, I32, I64 } from "../execute/wasm.ts";
import { FPU_CONTROL } from "../state/layout.ts";
import { divideStep } from "./arithmetic.ts";
import { Code, int, type Local, long, Value, word } from "../execute/expression.ts";
import { halfFloat, increase, multiplyWide, signedFloat } from "./wide.ts";
import { BIAS, C0, C1, C3, INTEGER_BIT, MAX_EXPONENT, PE } from "./status.ts";

/** Control word: rounding control, precision control, mask of PE; and what the fast paths are for. */
const ROUNDING = 0xc00;
const CONTROL = 0xf00 | PE;
const CONTROL_DEFAULT = 0x300 | PE;
const PRECISION = 0x300;
const CHOP = 0xc00;

const UNFIT = -1;

/** 1 when a number is neither zero nor denormal, infinite, NaN or unsupported. */
export function isOrdinary(se: Value, significand: Value): Value {
  return se.and(0x7fff).sub(1).ltU(MAX_EXPONENT - 1).and(significand.ltS(0));
}
export function isZero(se: Value, significand: Value): Value {
  return significand.isZero().and(se.and(0x7fff).isZero());
}
/** 1 when high, followed by the bits of low, is nearer to the number above, or half-way and odd. */
function roundsUp(high: Value, low: Value): Value {
  return low.ltS(0).and(low.shl(1).notZero().or(high.low().and(1)));
}
function inexact(low: Value, increment: Value): Value {
  return low.notZero().choose(increment.choose(PE | C1, PE), 0);
}

/** Rounds, stores the number at `address` and ends the function; the sign is bit 15. */
function finish(c: Code, to: {
  address: Local;
  sign: Value;
  exponent: Local;
  high: Local;
  low: Local;
}): void {
  const { address, sign, exponent, high, low } = to;
  const increment = c.int(roundsUp(high, low));
  increase(c, high, exponent, increment);
  const unfit = exponent.sub(1).ltU(MAX_EXPONENT - 1).isZero();
  c.if(unfit, () => c.return(int(UNFIT)), undefined, false);
  c.store(address, high, 0, 8);
  c.store(address, sign.or(exponent), 8, 2);
  c.yield(inexact(low, increment));
}

export type Fast = "add" | "mul" | "div";

interface Pair {
  readonly address: Local;
  readonly xse: Local;
  readonly x: Local;
  readonly yse: Local;
  readonly y: Local;
  readonly mode: Local;
}

function addFast(c: Code, { address, xse, x, yse, y, mode }: Pair): void {
  c.set(xse, xse.xor(mode));
  const number = c.long();
  const swap = c.int();
  const [xe, ye] = [c.int(xse.and(0x7fff)), c.int(yse.and(0x7fff))];
  c.if(xe.ltU(ye).or(xe.eq(ye).and(x.ltU(y))), () => {
    c.set(swap, xse);
    c.set(xse, yse);
    c.set(yse, swap);
    c.set(swap, xe);
    c.set(xe, ye);
    c.set(ye, swap);
    c.set(number, x);
    c.set(x, y);
    c.set(y, number);
  });
  const distance = c.int(xe.sub(ye));
  c.if(distance.gtU(63), () => c.return(int(UNFIT)), undefined, false);
  const low = c.long(distance.choose(y.shl(int(64).sub(distance).wide()), long(0n)));
  c.set(y, y.shrU(distance.wide()));
  const high = c.long();
  c.if(xse.xor(yse).and(0x8000).isZero(), () => {
    c.set(high, x.add(y));
    c.if(high.ltU(x), () => {
      c.set(low, low.shrU(1).or(low.and(1)).or(high.shl(63)));
      c.set(high, high.shrU(1).or(INTEGER_BIT));
      c.set(xe, xe.add(1));
    });
  }, () => {
    c.set(high, x.sub(y).sub(low.notZero().wide()));
    c.set(low, long(0n).sub(low));
    c.if(high.isZero(), () => c.return(int(UNFIT)), undefined, false);
    const shift = c.long(high.clz());
    c.if(shift.notZero(), () => {
      c.set(high, high.shl(shift).or(low.shrU(long(64n).sub(shift))));
      c.set(low, low.shl(shift));
      c.set(xe, xe.sub(shift.low()));
    });
    // Next to zero the exponent is negative.
    c.if(xe.leS(0), () => c.return(int(UNFIT)), undefined, false);
  });
  finish(c, { address, sign: xse.and(0x8000), exponent: xe, high, low });
}
function multiplyFast(c: Code, { address, xse, x, yse, y }: Pair): void {
  const [high, low] = [c.long(), c.long()];
  multiplyWide(c, x, y, high, low);
  const exponent = c.int(xse.and(0x7fff).add(yse.and(0x7fff)).sub(BIAS - 1));
  c.if(high.geS(0), () => {
    c.set(high, high.shl(1).or(low.shrU(63)));
    c.set(low, low.shl(1));
    c.set(exponent, exponent.sub(1));
  });
  finish(c, { address, sign: xse.xor(yse).and(0x8000), exponent, high, low });
}
function divideFast(c: Code, { address, xse, x, yse, y, mode }: Pair): void {
  const number = c.long();
  const exponent = c.int(xse.and(0x7fff).sub(yse.and(0x7fff)));
  c.if(mode, () => {
    c.set(number, x);
    c.set(x, y);
    c.set(y, number);
    c.set(exponent, int(0).sub(exponent));
  });
  c.set(exponent, exponent.add(BIAS));
  const low = c.long(0);
  c.if(x.ltU(y), () => c.set(exponent, exponent.sub(1)), () => {
    c.set(low, x.shl(63));
    c.set(x, x.shrU(1));
  });
  const high = c.long();
  divideStep(c, x, low, y, high);
  // The remainder against half of the divisor gives the bits that rounding needs.
  const rest = c.long(y.sub(x));
  const exactHalf = x.eq(rest).choose(long(INTEGER_BIT), x.notZero().wide());
  c.set(low, x.gtU(rest).choose(long(INTEGER_BIT | 1n), exactHalf));
  finish(c, { address, sign: xse.xor(yse).and(0x8000), exponent, high, low });
}
const ARITHMETIC: Readonly<Record<Fast, (c: Code, pair: Pair) => void>> = {
  add: addFast,
  mul: multiplyFast,
  div: divideFast,
};

/** Ends an operation of which one operand is a zero and the other an ordinary number: exact, however it would be rounded. */
function withZero(c: Code, operation: Fast, { address, xse, x, yse, y, mode }: Pair): void {
  if (operation === "add") {
    c.if(isZero(yse, y).and(isOrdinary(xse, x)), () => {
      // Precision control rounds the sum all the same.
      c.if(word(FPU_CONTROL).and(PRECISION).eq(PRECISION), () => {
        c.store(address, xse.xor(mode), 8, 2);
        c.return(int(0));
      });
    });
    c.if(isZero(xse, x).and(isOrdinary(yse, y)), () => {
      c.if(word(FPU_CONTROL).and(PRECISION).eq(PRECISION), () => {
        c.store(address, y, 0, 8);
        c.store(address, yse, 8, 2);
        c.return(int(0));
      });
    });
  } else {
    const zeroX = isZero(xse, x).and(isOrdinary(yse, y));
    const zeroY = isZero(yse, y).and(isOrdinary(xse, x));
    // The divisor must not be the zero.
    const zero = operation === "mul"
      ? zeroX.or(zeroY)
      : mode.isZero().and(zeroX).or(mode.and(zeroY));
    c.if(zero, () => {
      c.store(address, 0n, 0, 8);
      c.store(address, xse.xor(yse).and(0x8000), 8, 2);
      c.return(int(0));
    });
  }
  c.return(int(UNFIT));
}

/**
 * (address of x, sign and exponent of y, significand of y, mode): x = x op y. `mode` of an addition: 8000h for
 * −x + y, else 0; of a division: 1 for y ÷ x.
 */
export function fastArithmetic(runtime: Runtime, operation: Fast): number {
  const types = [I32, I32, I64, I32];
  return runtime.shared(`x87.fast.${operation}`, types, [I32], (f) => {
    const c = new Code(f);
    const [address, yse, y, mode] = Code.parameters(types) as [Local, Local, Local, Local];
    const [xse, x] = [c.int(address.load16(8)), c.long(address.load64())];
    const fit = isOrdinary(xse, x).and(isOrdinary(yse, y))
      .and(word(FPU_CONTROL).and(CONTROL).eq(CONTROL_DEFAULT));
    c.if(
      fit.isZero(),
      () => withZero(c, operation, { address, xse, x, yse, y, mode }),
      undefined,
      false,
    );
    ARITHMETIC[operation](c, { address, xse, x, yse, y, mode });
  });
}

/** (address): the number there becomes its square root. */
export function fastRoot(runtime: Runtime): number {
  return runtime.shared("x87.fast.sqrt", [I32], [I32], (f) => {
    const c = new Code(f);
    const [address] = Code.parameters([I32]) as [Local];
    const [exponent, x] = [c.int(address.load16(8)), c.long(address.load64())];
    // A sign makes it too large.
    const fit = exponent.sub(1).ltU(MAX_EXPONENT - 1).and(x.ltS(0))
      .and(word(FPU_CONTROL).and(CONTROL).eq(CONTROL_DEFAULT));
    c.if(fit.isZero(), () => c.return(int(UNFIT)), undefined, false);
    // The radicand high:low is x·2^63 or x·2^64, so that the root has 64 bits.
    const [high, low] = [c.long(x), c.long(0)];
    c.if(exponent.and(1), () => {
      c.set(low, x.shl(63));
      c.set(high, x.shrU(1));
    });
    // The host's root has 53 bits; one step of Newton's method, and what is left is at most a few units.
    const estimate = c.local(F64, halfFloat(high).mul(2).float("sqrt"));
    // A little less, so that it is below 2^64.
    const root = c.long(estimate.mul(2 ** 31 - 2 ** -21).truncateWide("s").shl(1));
    // While the square is computed the host divides.
    const inverse = c.local(F64, new Value(F64, (f) => f.f64(2 ** -33)).div(estimate));
    const [squareHigh, squareLow] = [c.long(), c.long()];
    const [restHigh, rest] = [c.long(), c.long()];
    const remainder = (): void => {
      multiplyWide(c, root, root, squareHigh, squareLow);
      c.set(rest, low.sub(squareLow));
      c.set(restHigh, high.sub(squareHigh).sub(low.ltU(squareLow).wide()));
    };
    remainder();
    const correction = signedFloat(restHigh, rest).mul(inverse);
    c.set(root, root.add(truncated(correction)));
    // Beyond 64 bits: the root of nearly 2^128.
    c.if(root.ltU(1n << 62n), () => c.set(root, -1));
    remainder();
    c.while(restHigh.ltS(0), () => {
      // (root − 1)² = root² − (2·root − 1)
      c.set(squareLow, root.shl(1).sub(1));
      c.set(squareHigh, root.shrU(63));
      c.set(root, root.sub(1));
      c.set(rest, rest.add(squareLow));
      c.set(restHigh, restHigh.add(squareHigh).add(rest.ltU(squareLow).wide()));
    });
    const large = restHigh.gtS(root.shrU(63))
      .or(restHigh.eq(root.shrU(63)).and(rest.gtU(root.shl(1))));
    c.while(large, () => {
      c.set(squareLow, root.shl(1).or(1));
      c.set(squareHigh, root.shrU(63));
      c.set(root, root.add(1));
      c.set(restHigh, restHigh.sub(squareHigh).sub(rest.ltU(squareLow).wide()));
      c.set(rest, rest.sub(squareLow));
    });
    // The remainder above the root: more than half of the last place. It is never half.
    const above = restHigh.notZero().or(rest.gtU(root));
    c.set(low, above.choose(long(INTEGER_BIT | 1n), rest.notZero().wide()));
    c.set(exponent, exponent.add(BIAS).shrU(1));
    finish(c, { address, sign: int(0), exponent, high: root, low });
  });
}
/** An f64 toward zero as signed i64. */
function truncated(value: Value): Value {
  return value.truncateWide("s");
}

/** (address) → pattern of a single or double in an i64, and what it raises. The number stays. */
export function fastNarrow(runtime: Runtime, bits: 24 | 53): number {
  return runtime.shared(`x87.fast.narrow${bits}`, [I32], [I64, I32], (f) => {
    const c = new Code(f);
    const [address] = Code.parameters([I32]) as [Local];
    const [se, x] = [c.int(address.load16(8)), c.long(address.load64())];
    const cut = BigInt(64 - bits);
    const [bias, maximum] = bits === 24 ? [0x7f, 0xff] : [0x3ff, 0x7ff];
    const sign = c.long(se.shrU(15).wide().shl(bits === 24 ? 31 : 63));
    c.if(isZero(se, x), () => c.return(sign, int(0)), undefined, false);
    const exponent = c.int(se.and(0x7fff).sub(BIAS - bias));
    // Rounding up may make the exponent one more.
    const fit = exponent.sub(1).ltU(maximum - 2).and(x.ltS(0))
      .and(word(FPU_CONTROL).and(ROUNDING | PE).eq(PE));
    c.if(fit.isZero(), () => c.return(long(0n), int(UNFIT)), undefined, false);
    const low = c.long(x.shl(64n - cut));
    const high = c.long(x.shrU(cut));
    const increment = c.int(roundsUp(high, low));
    // The integer bit adds one to the exponent.
    const magnitude = exponent.sub(1).wide().shl(BigInt(bits - 1)).add(high)
      .add(increment.wide());
    c.yield(magnitude.or(sign), inexact(low, increment));
  });
}

/** (address, 2^(bits − 1)) → the number as an integer, and what it raises, when its magnitude is below that. */
export function fastInteger(runtime: Runtime): number {
  return runtime.shared("x87.fast.integer", [I32, I64], [I64, I32], (f) => {
    const c = new Code(f);
    const [address, limit] = Code.parameters([I32, I64]) as [Local, Local];
    const [se, x] = [c.int(address.load16(8)), c.long(address.load64())];
    const control = c.int(word(FPU_CONTROL));
    const mode = control.and(ROUNDING);
    const shift = c.int(int(BIAS + 63).sub(se.and(0x7fff)));
    const fit = x.ltS(0).or(isZero(se, x)).and(shift.gtS(0)).and(control.and(PE).notZero())
      .and(mode.isZero().or(mode.eq(CHOP)));
    c.if(fit.isZero(), () => c.return(long(0n), int(UNFIT)), undefined, false);
    const [high, low] = [c.long(0), c.long(x)];
    c.if(shift.ltU(64), () => {
      c.set(high, x.shrU(shift.wide()));
      c.set(low, x.shl(int(64).sub(shift).wide()));
    }, () => {
      // Below one half what counts is only that it is not zero.
      c.if(shift.ne(64), () => c.set(low, x.notZero().wide()));
    });
    const increment = c.int(roundsUp(high, low).and(mode.isZero()));
    c.set(high, high.add(increment.wide()));
    c.if(high.ltU(limit).isZero(), () => c.return(long(0n), int(UNFIT)), undefined, false);
    c.yield(se.shrU(15).choose(long(0n).sub(high), high), inexact(low, increment));
  });
}

/** (x, y) → condition codes C3 and C0, or −1. */
export function fastCompare(runtime: Runtime): number {
  const types = [I32, I64, I32, I64];
  return runtime.shared("x87.fast.compare", types, [I32], (f) => {
    const c = new Code(f);
    const [xse, x, yse, y] = Code.parameters(types) as [Local, Local, Local, Local];
    c.if(
      isOrdinary(xse, x).and(isOrdinary(yse, y)).isZero(),
      () => {
        const fit = isOrdinary(xse, x).or(isZero(xse, x))
          .and(isOrdinary(yse, y).or(isZero(yse, y)));
        c.if(fit.isZero(), () => c.return(int(UNFIT)), undefined, false);
        c.if(x.or(y).isZero(), () => c.return(int(C3)));
      },
      undefined,
      false,
    );
    const sign = xse.shrU(15);
    c.if(xse.xor(yse).and(0x8000), () => c.return(sign.choose(C0, 0)));
    const less = xse.ltU(yse).or(xse.eq(yse).and(x.ltU(y)));
    c.yield(xse.eq(yse).and(x.eq(y)).choose(int(C3), less.ne(sign).choose(C0, 0)));
  });
}
