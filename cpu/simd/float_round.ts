/**
 * Rounding to single or double with all that MXCSR asks for, and the integer arithmetic that needs it: the
 * path for operands, results and settings that the fast one (float_fast.ts) does not take.
 *
 * An intermediate result is (sign, biased exponent, significand): significand / 2^63 × 2^(exponent − bias) with
 * bit 63 set, and bit 0 standing for all that is below.
 * Sources: SDM vol. 1 §4.8.4 (rounding), Table 4-7 (NaNs), §4.9.1 (exceptions; tininess after rounding), §10.2.3.3
 * (flush to zero); IEEE 754-1985 §7.3–7.5.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { MXCSR } from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";
import {
  admit,
  constant,
  DE,
  exponentOf,
  type Format,
  FTZ,
  IE,
  indefinite,
  infinity,
  isNan,
  isSignalling,
  OE,
  OVERFLOW_MASK,
  PE,
  quietBit,
  raise,
  rounding,
  signOf,
  UE,
  UNDERFLOW_MASK,
  widen,
  ZE,
} from "./float_format.ts";

/** 64-bit bits of a format's number as its own type. */
function narrow({ bits }: Format, value: Value): Value {
  return bits === I64 ? value : value.low();
}
function widenBits({ bits }: Format, value: Value): Value {
  return bits === I64 ? value : value.wide();
}

/** (sign 0/1, biased exponent, significand) → bits of the rounded number; raises OE, UE, PE. */
export function round(runtime: Runtime, format: Format): number {
  const { precision, width } = format;
  const types = [I32, I32, I64];
  return runtime.shared(`simd.round.${format.name}`, types, [format.bits], (f) => {
    const c = new Code(f);
    const [sign, exponent, m] = Code.parameters(types) as [Local, Local, Local];
    const cut = 64 - precision;
    const ulp = 1n << BigInt(cut);
    const [rest, increment, tiny] = [c.long(), c.int(), c.int(0)];
    const control = c.int(rounding());
    const decide = (): void => {
      c.set(rest, m.and(ulp - 1n));
      c.if(control.isZero(), () => {
        const half = ulp >> 1n;
        c.set(increment, rest.gtU(half).or(rest.eq(half).and(m.and(ulp).notZero())));
      }, () => {
        // 1 down: negative numbers away from zero; 2 up: positive ones; 3 none.
        c.set(increment, rest.notZero().and(sign.choose(control.eq(1), control.eq(2))));
      });
    };
    const signed = (magnitude: Value): Value =>
      narrow(format, magnitude.or(sign.wide().shl(width - 1)));
    decide();
    c.if(
      exponent.leS(0),
      () => {
        // Tiny unless rounding with an unbounded exponent reaches the smallest normal number.
        const allOnes = m.or(ulp - 1n).eq(-1);
        c.set(tiny, exponent.ltS(0).or(increment.and(allOnes).isZero()));
        c.if(tiny, () => {
          c.if(word(MXCSR).and(UNDERFLOW_MASK).isZero(), () => {
            raise(c, rest.notZero().choose(UE | PE, UE));
            c.return(constant(format, 0n));
          });
          c.if(word(MXCSR).and(FTZ), () => {
            raise(c, UE | PE);
            c.return(signed(long(0n)));
          });
        });
        const shift = c.int(int(1).sub(exponent));
        c.if(shift.ltU(64), () => {
          const lost = m.shl(int(64).sub(shift).wide()).notZero();
          c.set(m, m.shrU(shift.wide()).or(lost.wide()));
        }, () => c.set(m, 1));
        decide();
        c.if(rest.notZero(), () => raise(c, tiny.choose(UE | PE, PE)));
        // A carry into bit 63 is the exponent 1.
        c.return(signed(m.shrU(cut).add(increment.wide())));
      },
      undefined,
      false,
    );
    // The integer bit is one of the exponent's when it is added; so is a carry.
    const packed = c.long(
      exponent.sub(1).wide().shl(precision - 1).add(m.shrU(cut)).add(increment.wide()),
    );
    c.if(
      packed.geU(infinity(format)),
      () => {
        c.if(word(MXCSR).and(OVERFLOW_MASK).isZero(), () => {
          raise(c, rest.notZero().choose(OE | PE, OE));
          c.return(constant(format, 0n));
        });
        raise(c, OE | PE);
        const toInfinity = control.isZero().or(sign.choose(control.eq(1), control.eq(2)));
        c.return(signed(toInfinity.choose(long(infinity(format)), long(infinity(format) - 1n))));
      },
      undefined,
      false,
    );
    c.if(rest.notZero(), () => raise(c, PE));
    c.yield(signed(packed));
  });
}

/** Where operands are taken apart. */
interface Unpacked {
  readonly sign: Local;
  readonly exponent: Local;
  /** Fraction with the integer bit, bit `precision − 1`. */
  readonly significand: Local;
}

function unpack(c: Code, format: Format, bits: Value): Unpacked {
  const { precision } = format;
  const exponent = c.int(exponentOf(format, bits));
  const fraction = widenBits(format, bits).and((1n << BigInt(precision - 1)) - 1n);
  const significand = c.long(fraction.or(exponent.notZero().wide().shl(precision - 1)));
  return { sign: c.int(signOf(format, bits)), exponent, significand };
}
/** Moves the top bit to 63 and makes the exponent true. The number is not zero. */
function normalize(c: Code, { precision }: Format, { exponent, significand }: Unpacked): void {
  const shift = c.long(significand.clz());
  c.set(significand, significand.shl(shift));
  c.if(exponent.isZero(), () => c.set(exponent, int(65 - precision).sub(shift.low())));
}

/** Returns the NaN that two operands give, if one is a NaN: the first one's, quiet. */
function returnNan(c: Code, format: Format, a: Local, b: Local): void {
  const quiet = constant(format, quietBit(format));
  c.if(isNan(format, a).or(isNan(format, b)), () => {
    const signals = (x: Local): Value => isNan(format, x).and(isSignalling(format, x));
    c.if(signals(a).or(signals(b)), () => raise(c, IE));
    c.return(isNan(format, a).choose(a, b).or(quiet));
  });
}
function returnIndefinite(c: Code, format: Format): void {
  raise(c, IE);
  c.return(constant(format, indefinite(format)));
}
/** DE comes after the exceptions of invalid operands and of division by zero. */
function reportDenormal(c: Code, denormal: Local): void {
  c.if(denormal, () => raise(c, DE));
}

function returnSigned(c: Code, format: Format, sign: Value, magnitude: bigint): void {
  const bits = widen(format, sign).shl(format.width - 1);
  c.return(bits.or(constant(format, magnitude)));
}

/** Returns the NaN that operands lead to; denormal ones become zeros with DAZ, else the local that comes back is 1. */
function admitBoth(c: Code, format: Format, a: Local, b: Local): Local {
  returnNan(c, format, a, b);
  const denormal = c.int(0);
  admit(c, format, a, denormal);
  admit(c, format, b, denormal);
  return denormal;
}

/** (a, b, flip) → a + b, or a − b when flip is 1. */
export function add(runtime: Runtime, format: Format): number {
  const rounded = round(runtime, format);
  const { bits, precision, maximum } = format;
  const types = [bits, bits, I32];
  return runtime.shared(`simd.add.${format.name}`, types, [bits], (f) => {
    const c = new Code(f);
    const [a, b, flip] = Code.parameters(types) as [Local, Local, Local];
    const denormal = admitBoth(c, format, a, b);
    c.set(b, b.xor(widen(format, flip).shl(format.width - 1)));
    const x = unpack(c, format, a);
    const y = unpack(c, format, b);
    c.if(x.exponent.eq(maximum).and(y.exponent.eq(maximum)).and(x.sign.ne(y.sign)), () => {
      returnIndefinite(c, format);
    });
    reportDenormal(c, denormal);
    c.if(x.exponent.eq(maximum), () => c.return(a));
    c.if(y.exponent.eq(maximum), () => c.return(b));
    // The larger magnitude becomes x. Bit 62 is the integer bit, so that a sum fits.
    const [swap, number] = [c.int(), c.long()];
    c.if(a.shl(1).ltU(b.shl(1)), () => {
      for (const part of ["sign", "exponent"] as const) {
        c.set(swap, x[part]);
        c.set(x[part], y[part]);
        c.set(y[part], swap);
      }
      c.set(number, x.significand);
      c.set(x.significand, y.significand);
      c.set(y.significand, number);
    });
    const up = 63 - precision;
    c.set(x.significand, x.significand.shl(up));
    c.set(y.significand, y.significand.shl(up));
    c.set(x.exponent, x.exponent.add(x.exponent.isZero()));
    const distance = c.int(x.exponent.sub(y.exponent).sub(y.exponent.isZero()));
    c.if(distance, () => {
      c.if(distance.ltU(64), () => {
        const lost = y.significand.shl(int(64).sub(distance).wide()).notZero();
        c.set(y.significand, y.significand.shrU(distance.wide()).or(lost.wide()));
      }, () => c.set(y.significand, y.significand.notZero().wide()));
    });
    c.set(
      number,
      x.sign.eq(y.sign).choose(
        x.significand.add(y.significand),
        x.significand.sub(y.significand),
      ),
    );
    c.if(number.isZero(), () => {
      const sign = x.sign.eq(y.sign).choose(x.sign, rounding().eq(1));
      returnSigned(c, format, sign, 0n);
    });
    const shift = c.long(number.clz());
    c.yield(x.sign, x.exponent.add(1).sub(shift.low()), number.shl(shift));
    c.f.call(rounded);
  });
}

/** (a, b) → a × b. */
export function multiply(runtime: Runtime, format: Format): number {
  const rounded = round(runtime, format);
  const { bits, maximum, bias } = format;
  const types = [bits, bits];
  return runtime.shared(`simd.mul.${format.name}`, types, [bits], (f) => {
    const c = new Code(f);
    const [a, b] = Code.parameters(types) as [Local, Local];
    const denormal = admitBoth(c, format, a, b);
    const x = unpack(c, format, a);
    const y = unpack(c, format, b);
    const sign = c.int(x.sign.xor(y.sign));
    const infinite = c.int(x.exponent.eq(maximum).or(y.exponent.eq(maximum)));
    const zero = c.int(x.significand.isZero().or(y.significand.isZero()));
    c.if(infinite.and(zero), () => returnIndefinite(c, format));
    reportDenormal(c, denormal);
    c.if(infinite, () => returnSigned(c, format, sign, infinity(format)));
    c.if(zero, () => returnSigned(c, format, sign, 0n));
    normalize(c, format, x);
    normalize(c, format, y);
    const mask = 0xffffffffn;
    const [xh, xl] = [c.long(x.significand.shrU(32)), c.long(x.significand.and(mask))];
    const [yh, yl] = [c.long(y.significand.shrU(32)), c.long(y.significand.and(mask))];
    const bottom = c.long(xl.mul(yl));
    const first = c.long(xh.mul(yl).add(bottom.shrU(32)));
    const second = c.long(xl.mul(yh).add(first.and(mask)));
    const high = c.long(xh.mul(yh).add(first.shrU(32)).add(second.shrU(32)));
    const low = second.shl(32).or(bottom.and(mask));
    c.set(high, high.or(low.notZero().wide()));
    const exponent = c.int(x.exponent.add(y.exponent).sub(bias - 1));
    c.if(high.geS(0), () => {
      c.set(high, high.shl(1));
      c.set(exponent, exponent.sub(1));
    });
    c.yield(sign, exponent, high);
    c.f.call(rounded);
  });
}

/** Bits of the quotient that a step of the division gives: remainder < 2^53. */
const DIGIT = 11;
const DIGITS = 5;

/** (a, b) → a ÷ b. */
export function divide(runtime: Runtime, format: Format): number {
  const rounded = round(runtime, format);
  const { bits, maximum, bias } = format;
  const types = [bits, bits];
  return runtime.shared(`simd.div.${format.name}`, types, [bits], (f) => {
    const c = new Code(f);
    const [a, b] = Code.parameters(types) as [Local, Local];
    const denormal = admitBoth(c, format, a, b);
    const x = unpack(c, format, a);
    const y = unpack(c, format, b);
    const sign = c.int(x.sign.xor(y.sign));
    const infinite = x.exponent.eq(maximum);
    const zero = y.significand.isZero();
    c.if(
      infinite.and(y.exponent.eq(maximum)).or(zero.and(x.significand.isZero())),
      () => returnIndefinite(c, format),
    );
    c.if(zero.and(infinite.isZero()), () => {
      // Division by zero goes before a denormal dividend.
      raise(c, ZE);
      returnSigned(c, format, sign, infinity(format));
    });
    reportDenormal(c, denormal);
    c.if(infinite, () => returnSigned(c, format, sign, infinity(format)));
    c.if(y.exponent.eq(maximum).or(x.significand.isZero()), () => {
      returnSigned(c, format, sign, 0n);
    });
    normalize(c, format, x);
    normalize(c, format, y);
    const exponent = c.int(x.exponent.sub(y.exponent).add(bias));
    const rest = c.long(x.significand.shrU(DIGIT));
    const divisor = c.long(y.significand.shrU(DIGIT));
    c.if(rest.ltU(divisor), () => {
      c.set(rest, rest.shl(1));
      c.set(exponent, exponent.sub(1));
    });
    const quotient = c.long(1);
    const count = c.int(DIGITS);
    c.set(rest, rest.sub(divisor));
    c.while(count, () => {
      c.set(rest, rest.shl(DIGIT));
      c.set(quotient, quotient.shl(DIGIT).or(rest.divU(divisor)));
      c.set(rest, rest.remU(divisor));
      c.set(count, count.sub(1));
    });
    const significand = quotient.shl(63 - DIGIT * DIGITS).or(rest.notZero().wide());
    c.yield(sign, exponent, significand);
    c.f.call(rounded);
  });
}

/** Bits of the root: more than any format has, and one pair of radicand bits each. */
const ROOT_BITS = 57;

/** (a) → √a. */
export function squareRoot(runtime: Runtime, format: Format): number {
  const rounded = round(runtime, format);
  const { bits, maximum, bias } = format;
  return runtime.shared(`simd.sqrt.${format.name}`, [bits], [bits], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([bits]) as [Local];
    returnNan(c, format, a, a);
    const denormal = c.int(0);
    admit(c, format, a, denormal);
    const x = unpack(c, format, a);
    c.if(x.significand.isZero(), () => c.return(a));
    c.if(x.sign, () => returnIndefinite(c, format));
    c.if(x.exponent.eq(maximum), () => c.return(a));
    reportDenormal(c, denormal);
    normalize(c, format, x);
    c.set(x.exponent, x.exponent.sub(bias));
    // Radicand in [1, 4): two integer bits.
    const radicand = c.long(
      x.exponent.and(1).choose(x.significand, x.significand.shrU(1)),
    );
    const [root, rest, count, trial] = [c.long(0), c.long(0), c.int(ROOT_BITS), c.long()];
    c.while(count, () => {
      c.set(rest, rest.shl(2).or(radicand.shrU(62)));
      c.set(radicand, radicand.shl(2));
      c.set(trial, root.shl(2).or(1));
      c.set(root, root.shl(1));
      c.if(rest.geU(trial), () => {
        c.set(rest, rest.sub(trial));
        c.set(root, root.or(1));
      });
      c.set(count, count.sub(1));
    });
    const significand = root.shl(64 - ROOT_BITS).or(rest.notZero().wide());
    c.yield(int(0), x.exponent.shrS(1).add(bias), significand);
    c.f.call(rounded);
  });
}

/** (bits of a double) → bits of the single nearest to it. */
export function demote(runtime: Runtime, from: Format, to: Format): number {
  const rounded = round(runtime, to);
  return runtime.shared("simd.demote", [I64], [I32], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([I64]) as [Local];
    const nanBits = (): Value =>
      a.shrU(from.precision - to.precision).low().and(Number(quietBit(to)) * 2 - 1)
        .or(Number(infinity(to) | quietBit(to)))
        .or(a.shrU(32).low().and(0x80000000 | 0));
    c.if(isNan(from, a), () => {
      c.if(isSignalling(from, a), () => raise(c, IE));
      c.return(nanBits());
    });
    const denormal = c.int(0);
    admit(c, from, a, denormal);
    reportDenormal(c, denormal);
    const x = unpack(c, from, a);
    c.if(x.significand.isZero(), () => returnSigned(c, to, x.sign, 0n));
    c.if(x.exponent.eq(from.maximum), () => returnSigned(c, to, x.sign, infinity(to)));
    normalize(c, from, x);
    c.yield(x.sign, x.exponent.sub(from.bias - to.bias), x.significand);
    c.f.call(rounded);
  });
}

/** (i32) → bits of a single; raises PE. */
export function fromInteger(runtime: Runtime, format: Format): number {
  const rounded = round(runtime, format);
  return runtime.shared("simd.fromInteger", [I32], [format.bits], (f) => {
    const c = new Code(f);
    const [value] = Code.parameters([I32]) as [Local];
    c.if(value.isZero(), () => c.return(constant(format, 0n)));
    const sign = c.int(value.shrU(31));
    const magnitude = c.long(sign.choose(int(0).sub(value), value).wide());
    const shift = c.long(magnitude.clz());
    c.yield(sign, int(format.bias + 63).sub(shift.low()), magnitude.shl(shift));
    c.f.call(rounded);
  });
}
