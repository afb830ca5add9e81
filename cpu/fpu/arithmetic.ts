/**
 * 80-bit arithmetic: add, subtract, multiply, divide, square root, compare, round to integer; exact results,
 * rounded once. Operands and results are (sign and exponent: i32, significand: i64).
 *
 * `denormal` says that an operand was a denormal before it was widened to 80 bits.
 * Sources: SDM vol. 1 §4.8.3 (encodings), Table 4-7 (NaNs), §8.5 (exceptions); D. Knuth, TAOCP vol. 2 §4.3.1
 * (division).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { FPU_CONTROL, FPU_STATUS } from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";
import { precisionCut, round, roundsUp } from "./round.ts";
import {
  BIAS,
  C0,
  C1,
  C2,
  C3,
  CONDITIONS,
  DE,
  IE,
  INTEGER_BIT,
  MAX_EXPONENT,
  PE,
  QUIET_BIT,
  raise,
  roundingControl,
  ZE,
} from "./status.ts";

const PAIR = [I32, I64, I32, I64, I32];
const NUMBER = [I32, I64];

type Five = [Local, Local, Local, Local, Local];

/** 1 for infinities, NaNs and the unsupported formats (exponent ≠ 0 without integer bit). */
function isSpecial(exponent: Value, significand: Value): Value {
  return exponent.eq(MAX_EXPONENT).or(exponent.notZero().and(significand.geS(0)));
}
/** 1 for infinity, of a value that is special and supported. */
function isInfinite(exponent: Value, significand: Value): Value {
  return exponent.eq(MAX_EXPONENT).and(significand.eq(INTEGER_BIT));
}
function isZeroNumber(exponent: Value, significand: Value): Value {
  return exponent.isZero().and(significand.isZero());
}
function isDenormal(exponent: Value, significand: Value): Value {
  return exponent.isZero().and(significand.notZero());
}

/** Shifts bit 63 into place; of zero and denormals the exponent becomes true. */
function normalize(c: Code, exponent: Local, significand: Local): void {
  c.if(
    exponent.isZero(),
    () => {
      const shift = c.long(significand.clz());
      c.set(significand, significand.shl(shift));
      c.set(exponent, int(1).sub(shift.low()));
    },
    undefined,
    false,
  );
}

/**
 * (x, y) → result: for two operands of which one at least is NaN or unsupported. Raises IE. Unary operations
 * give their operand twice.
 */
export function propagateNan(runtime: Runtime): number {
  return runtime.shared("f80.nan", [I32, I64, I32, I64], NUMBER, (f) => {
    const c = new Code(f);
    const [xse, x, yse, y] = Code.parameters([I32, I64, I32, I64]) as [Local, Local, Local, Local];
    const exponent = (se: Local): Value => se.and(0x7fff);
    const unsupported = (se: Local, s: Local): Value => exponent(se).notZero().and(s.geS(0));
    c.if(unsupported(xse, x).or(unsupported(yse, y)), () => {
      raise(c, IE);
      c.return(int(0xffff), long(3n << 62n));
    });
    const nan = (se: Local, s: Local): Value =>
      exponent(se).eq(MAX_EXPONENT).and(s.shl(1).notZero());
    const xNan = c.int(nan(xse, x));
    const yNan = c.int(nan(yse, y));
    const quiet = (s: Local): Value => s.shrU(62).low().and(1);
    const xSignals = c.int(xNan.and(quiet(x).isZero()));
    const ySignals = c.int(yNan.and(quiet(y).isZero()));
    c.if(xSignals.or(ySignals), () => raise(c, IE));
    const takeX = c.int(xNan);
    c.if(xNan.and(yNan), () => {
      // A quiet NaN wins over a signalling one, else the larger significand, else the positive one.
      c.set(takeX, ySignals);
      c.if(xSignals.eq(ySignals), () => {
        c.set(takeX, x.eq(y).choose(xse.leU(yse), x.gtU(y)));
      });
    });
    c.yield(takeX.choose(xse, yse), takeX.choose(x, y).or(QUIET_BIT));
  });
}

interface Operands {
  readonly xSign: Local;
  readonly xExponent: Local;
  readonly x: Local;
  readonly ySign: Local;
  readonly yExponent: Local;
  readonly y: Local;
}

/** Takes operands apart; NaNs and unsupported formats return at once. Signs are 0 or 1. */
function unpack(c: Code, runtime: Runtime, [xse, x, yse, y]: readonly Local[]): Operands {
  const locals = [xse, x, yse, y] as [Local, Local, Local, Local];
  const xExponent = c.int(locals[0].and(0x7fff));
  const yExponent = c.int(locals[2].and(0x7fff));
  const nan = (e: Local, s: Local): Value => isSpecial(e, s).and(isInfinite(e, s).isZero());
  c.if(
    nan(xExponent, locals[1]).or(nan(yExponent, locals[3])),
    () => {
      const [se, significand] = [c.int(), c.long()];
      c.call(propagateNan(runtime), locals, [se, significand]);
      c.return(se, significand);
    },
    undefined,
    false,
  );
  return {
    xSign: c.int(locals[0].shrU(15).and(1)),
    xExponent,
    x: locals[1],
    ySign: c.int(locals[2].shrU(15).and(1)),
    yExponent,
    y: locals[3],
  };
}
/** Raises DE for denormal operands; returns when it is not masked, as nothing else is raised then. */
function denormals(c: Code, { xExponent, x, yExponent, y }: Operands, denormal: Value): void {
  const any = isDenormal(xExponent, x).or(isDenormal(yExponent, y)).or(denormal);
  c.if(any, () => raiseDenormal(c), undefined, false);
}
function raiseDenormal(c: Code): void {
  raise(c, DE);
  c.if(word(FPU_CONTROL).and(DE).isZero(), () => c.return(int(0), long(0n)));
}
function returnIndefinite(c: Code): void {
  raise(c, IE);
  c.return(int(0xffff), long(3n << 62n));
}

/** (x, y, denormal, flip) → x + y, or x − y when flip is 1. */
export function add(runtime: Runtime): number {
  const rounded = round(runtime);
  propagateNan(runtime);
  const types = [...PAIR, I32];
  return runtime.shared("f80.add", types, NUMBER, (f) => {
    const c = new Code(f);
    const [xse, x, yse, y, denormal, flip] = Code.parameters(types) as [...Five, Local];
    const o = unpack(c, runtime, [xse, x, yse, y]);
    const { xSign, xExponent, ySign, yExponent } = o;
    c.set(ySign, ySign.xor(flip));
    denormals(c, o, denormal);
    c.if(
      xExponent.eq(MAX_EXPONENT),
      () => {
        c.if(yExponent.eq(MAX_EXPONENT).and(xSign.ne(ySign)), () => returnIndefinite(c));
        c.return(xSign.shl(15).or(MAX_EXPONENT), x);
      },
      undefined,
      false,
    );
    c.if(
      yExponent.eq(MAX_EXPONENT),
      () => {
        c.return(ySign.shl(15).or(MAX_EXPONENT), y);
      },
      undefined,
      false,
    );
    c.if(
      y.isZero(),
      () => {
        c.if(x.isZero(), () => {
          const negative = xSign.eq(ySign).choose(xSign, roundingControl().eq(1));
          c.return(negative.shl(15), long(0n));
        });
        normalize(c, xExponent, x);
        c.yield(xSign, xExponent, x, long(0n), precisionCut());
        c.f.call(rounded).return();
      },
      undefined,
      false,
    );
    normalize(c, yExponent, y);
    c.if(
      x.isZero(),
      () => {
        c.yield(ySign, yExponent, y, long(0n), precisionCut());
        c.f.call(rounded).return();
      },
      undefined,
      false,
    );
    normalize(c, xExponent, x);
    // The larger magnitude becomes x.
    const [swap, number] = [c.int(), c.long()];
    c.if(
      xExponent.ltS(yExponent).or(xExponent.eq(yExponent).and(x.ltU(y))),
      () => {
        c.set(swap, xExponent);
        c.set(xExponent, yExponent);
        c.set(yExponent, swap);
        c.set(swap, xSign);
        c.set(xSign, ySign);
        c.set(ySign, swap);
        c.set(number, x);
        c.set(x, y);
        c.set(y, number);
      },
    );
    const distance = c.int(xExponent.sub(yExponent));
    const low = c.long(0);
    c.if(distance, () => {
      c.if(distance.ltU(64), () => {
        c.set(low, y.shl(int(64).sub(distance).wide()));
        c.set(y, y.shrU(distance.wide()));
      }, () => {
        c.if(distance.eq(64), () => c.set(low, y), () => {
          // Bits below the second word only make it odd.
          c.if(distance.ltU(128), () => {
            c.set(
              low,
              y.shrU(distance.sub(64).wide())
                .or(y.shl(int(128).sub(distance).wide()).notZero().wide()),
            );
          }, () => c.set(low, 1));
        });
        c.set(y, 0);
      });
    });
    c.if(xSign.eq(ySign), () => {
      c.set(number, x.add(y));
      c.if(number.ltU(x), () => {
        c.set(low, low.shrU(1).or(low.and(1)).or(number.shl(63)));
        c.set(number, number.shrU(1).or(INTEGER_BIT));
        c.set(xExponent, xExponent.add(1));
      });
    }, () => {
      c.set(number, x.sub(y).sub(low.notZero().wide()));
      c.set(low, long(0n).sub(low));
      c.if(number.isZero(), () => {
        c.if(low.isZero(), () => c.return(roundingControl().eq(1).shl(15), long(0n)));
        c.set(number, low);
        c.set(low, 0);
        c.set(xExponent, xExponent.sub(64));
      });
      const shift = c.long(number.clz());
      c.if(shift.notZero(), () => {
        c.set(number, number.shl(shift).or(low.shrU(long(64n).sub(shift))));
        c.set(low, low.shl(shift));
        c.set(xExponent, xExponent.sub(shift.low()));
      });
    });
    c.yield(xSign, xExponent, number, low, precisionCut());
    c.f.call(rounded);
  });
}

/** (x, y, denormal) → x × y. */
export function multiply(runtime: Runtime): number {
  const rounded = round(runtime);
  propagateNan(runtime);
  return runtime.shared("f80.mul", PAIR, NUMBER, (f) => {
    const c = new Code(f);
    const [xse, x, yse, y, denormal] = Code.parameters(PAIR) as Five;
    const o = unpack(c, runtime, [xse, x, yse, y]);
    const { xSign, xExponent, ySign, yExponent } = o;
    const sign = c.int(xSign.xor(ySign));
    const infinite = xExponent.eq(MAX_EXPONENT).or(yExponent.eq(MAX_EXPONENT));
    const zero = x.isZero().or(y.isZero());
    c.if(
      infinite,
      () => {
        c.if(zero, () => returnIndefinite(c));
        denormals(c, o, denormal);
        c.return(sign.shl(15).or(MAX_EXPONENT), long(INTEGER_BIT));
      },
      undefined,
      false,
    );
    denormals(c, o, denormal);
    c.if(zero, () => c.return(sign.shl(15), long(0n)), undefined, false);
    normalize(c, xExponent, x);
    normalize(c, yExponent, y);
    const mask = 0xffffffffn;
    const [xh, xl] = [c.long(x.shrU(32)), c.long(x.and(mask))];
    const [yh, yl] = [c.long(y.shrU(32)), c.long(y.and(mask))];
    const bottom = c.long(xl.mul(yl));
    const first = c.long(xh.mul(yl).add(bottom.shrU(32)));
    const second = c.long(xl.mul(yh).add(first.and(mask)));
    const high = c.long(xh.mul(yh).add(first.shrU(32)).add(second.shrU(32)));
    const low = c.long(second.shl(32).or(bottom.and(mask)));
    const exponent = c.int(xExponent.add(yExponent).sub(BIAS - 1));
    c.if(high.geS(0), () => {
      c.set(high, high.shl(1).or(low.shrU(63)));
      c.set(low, low.shl(1));
      c.set(exponent, exponent.sub(1));
    });
    c.yield(sign, exponent, high, low, precisionCut());
    c.f.call(rounded);
  });
}

/** Divides high:0… by y (bit 63 set, high < y): sets quotient and remainder. */
export function divideStep(c: Code, high: Local, low: Local, y: Local, quotient: Local): void {
  const mask = 0xffffffffn;
  const [yh, yl] = [c.long(y.shrU(32)), c.long(y.and(mask))];
  const [digit, rest, part] = [c.long(), c.long(), c.long()];
  const half = (next: Value): void => {
    // One 32-bit digit, estimated by the upper half of y: at most two too large.
    c.set(digit, high.divU(yh));
    c.set(rest, high.sub(digit.mul(yh)));
    c.set(part, digit.mul(yl));
    const tooLarge = digit.gtU(mask).or(part.gtU(rest.shl(32).or(next)));
    c.while(rest.leU(mask).and(tooLarge), () => {
      c.set(digit, digit.sub(1));
      c.set(part, part.sub(yl));
      c.set(rest, rest.add(yh));
    });
    c.set(high, high.shl(32).or(next).sub(digit.mul(y)));
  };
  half(low.shrU(32));
  c.set(quotient, digit.shl(32));
  half(low.and(mask));
  c.set(quotient, quotient.or(digit));
}

/** (x, y, denormal) → x ÷ y. */
export function divide(runtime: Runtime): number {
  const rounded = round(runtime);
  propagateNan(runtime);
  return runtime.shared("f80.div", PAIR, NUMBER, (f) => {
    const c = new Code(f);
    const [xse, x, yse, y, denormal] = Code.parameters(PAIR) as Five;
    const o = unpack(c, runtime, [xse, x, yse, y]);
    const { xSign, xExponent, ySign, yExponent } = o;
    const sign = c.int(xSign.xor(ySign));
    c.if(
      xExponent.eq(MAX_EXPONENT),
      () => {
        c.if(yExponent.eq(MAX_EXPONENT), () => returnIndefinite(c));
        denormals(c, o, denormal);
        c.return(sign.shl(15).or(MAX_EXPONENT), long(INTEGER_BIT));
      },
      undefined,
      false,
    );
    c.if(
      y.isZero(),
      () => {
        c.if(x.isZero(), () => returnIndefinite(c));
        // Division by zero goes before a denormal dividend.
        raise(c, ZE);
        c.return(sign.shl(15).or(MAX_EXPONENT), long(INTEGER_BIT));
      },
      undefined,
      false,
    );
    denormals(c, o, denormal);
    c.if(yExponent.eq(MAX_EXPONENT).or(x.isZero()), () => c.return(sign.shl(15), long(0n)));
    normalize(c, xExponent, x);
    normalize(c, yExponent, y);
    const exponent = c.int(xExponent.sub(yExponent).add(BIAS));
    const low = c.long(0);
    c.if(x.ltU(y), () => c.set(exponent, exponent.sub(1)), () => {
      c.set(low, x.shl(63));
      c.set(x, x.shrU(1));
    });
    const quotient = c.long();
    divideStep(c, x, low, y, quotient);
    // The remainder against half of the divisor gives the bits that rounding needs.
    const rest = c.long(y.sub(x));
    c.set(
      low,
      x.gtU(rest).choose(
        long(INTEGER_BIT | 1n),
        x.eq(rest).choose(long(INTEGER_BIT), x.notZero().wide()),
      ),
    );
    c.yield(sign, exponent, quotient, low, precisionCut());
    c.f.call(rounded);
  });
}

/** (x) → √x. */
export function squareRoot(runtime: Runtime): number {
  const rounded = round(runtime);
  const nan = propagateNan(runtime);
  return runtime.shared("f80.sqrt", NUMBER, NUMBER, (f) => {
    const c = new Code(f);
    const [se, x] = Code.parameters(NUMBER) as [Local, Local];
    const exponent = c.int(se.and(0x7fff));
    c.if(
      isSpecial(exponent, x),
      () => {
        c.if(isInfinite(exponent, x), () => {
          c.if(se.geU(0x8000), () => returnIndefinite(c));
          c.return(se, x);
        });
        c.yield(se, x, se, x);
        c.f.call(nan).return();
      },
      undefined,
      false,
    );
    c.if(isZeroNumber(exponent, x), () => c.return(se, x));
    c.if(se.geU(0x8000), () => returnIndefinite(c));
    c.if(exponent.isZero(), () => raiseDenormal(c), undefined, false);
    normalize(c, exponent, x);
    // The radicand is x·2^63 or x·2^64, so that the root has 64 bits. Two radicand bits give one of the root.
    const high = c.long(x);
    const low = c.long(0);
    c.if(exponent.and(1), () => {
      c.set(low, x.shl(63));
      c.set(high, x.shrU(1));
    });
    const [root, rest, restHigh, count] = [c.long(0), c.long(0), c.int(0), c.int(64)];
    const trial = c.long();
    c.while(count, () => {
      // rest (65 bits: restHigh is the top) = rest·4 + next two bits; trial = root·4 + 1.
      c.set(restHigh, rest.shrU(62).low());
      c.set(rest, rest.shl(2).or(high.shrU(62)));
      c.set(high, high.shl(2).or(low.shrU(62)));
      c.set(low, low.shl(2));
      c.set(trial, root.shl(2).or(1));
      const trialHigh = root.shrU(62).low();
      const fits = restHigh.gtU(trialHigh)
        .or(restHigh.eq(trialHigh).and(rest.geU(trial)));
      c.if(fits, () => {
        c.set(restHigh, restHigh.sub(trialHigh).sub(rest.ltU(trial)));
        c.set(rest, rest.sub(trial));
        c.set(root, root.shl(1).or(1));
      }, () => c.set(root, root.shl(1)));
      c.set(count, count.sub(1));
    });
    // The remainder (up to 65 bits) above the root: more than half of the last place.
    c.set(
      low,
      restHigh.notZero().or(rest.gtU(root)).choose(
        long(INTEGER_BIT | 1n),
        rest.notZero().wide(),
      ),
    );
    c.yield(int(0), exponent.add(BIAS).shrS(1), root, low, precisionCut());
    c.f.call(rounded);
  });
}

/** (x, y, denormal, quiet) → condition codes C3 C2 C0; raises IE for NaNs (quiet: signalling ones only) and DE. */
export function compare(runtime: Runtime): number {
  const types = [...PAIR, I32];
  return runtime.shared("f80.compare", types, [I32], (f) => {
    const c = new Code(f);
    const [xse, x, yse, y, denormal, quiet] = Code.parameters(types) as [...Five, Local];
    const [xe, ye] = [c.int(xse.and(0x7fff)), c.int(yse.and(0x7fff))];
    const nan = (e: Local, s: Local): Value => isSpecial(e, s).and(isInfinite(e, s).isZero());
    c.if(
      nan(xe, x).or(nan(ye, y)),
      () => {
        const silent = (e: Local, s: Local): Value => nan(e, s).isZero().or(s.shrU(62).eq(3n));
        c.if(quiet.and(silent(xe, x)).and(silent(ye, y)).isZero(), () => raise(c, IE));
        c.return(int(C0 | C2 | C3));
      },
      undefined,
      false,
    );
    c.if(
      isDenormal(xe, x).or(isDenormal(ye, y)).or(denormal),
      () => raise(c, DE),
      undefined,
      false,
    );
    c.if(x.or(y).isZero(), () => c.return(int(C3)));
    const [xs, ys] = [c.int(xse.shrU(15).and(1)), c.int(yse.shrU(15).and(1))];
    c.if(xs.ne(ys), () => c.return(xs.choose(C0, 0)));
    // A pseudo-denormal is worth as much as with exponent 1.
    c.set(xe, xe.or(xe.isZero().and(x.shrU(63).low())));
    c.set(ye, ye.or(ye.isZero().and(y.shrU(63).low())));
    c.if(xe.eq(ye).and(x.eq(y)), () => c.return(int(C3)));
    const less = xe.ltU(ye).or(xe.eq(ye).and(x.ltU(y)));
    c.yield(less.ne(xs).choose(C0, 0));
  });
}

/** (x) → x rounded to an integer by rounding control. */
export function roundToInteger(runtime: Runtime): number {
  const up = roundsUp(runtime);
  const nan = propagateNan(runtime);
  return runtime.shared("f80.rint", NUMBER, NUMBER, (f) => {
    const c = new Code(f);
    const [se, x] = Code.parameters(NUMBER) as [Local, Local];
    const exponent = c.int(se.and(0x7fff));
    c.if(
      isSpecial(exponent, x),
      () => {
        c.if(isInfinite(exponent, x), () => c.return(se, x));
        c.yield(se, x, se, x);
        c.f.call(nan).return();
      },
      undefined,
      false,
    );
    c.if(isZeroNumber(exponent, x), () => c.return(se, x));
    c.if(exponent.isZero(), () => raiseDenormal(c), undefined, false);
    const sign = c.int(se.shrU(15));
    const shift = c.int(int(BIAS + 63).sub(exponent));
    c.if(shift.leS(0), () => c.return(se, x));
    const [extra, increment] = [c.long(), c.int()];
    c.if(shift.ltU(64), () => {
      c.set(extra, x.shl(int(64).sub(shift).wide()));
      c.set(x, x.shrU(shift.wide()));
    }, () => {
      c.set(extra, shift.eq(64).choose(x, long(1n)));
      c.set(x, 0);
    });
    c.call(up, [sign, extra, x.low().and(1)], [increment]);
    c.if(extra.notZero(), () => raise(c, increment.choose(PE | C1, PE)));
    c.set(x, x.add(increment.wide()));
    c.if(x.isZero(), () => c.return(sign.shl(15), long(0n)));
    const zeros = c.long(x.clz());
    c.yield(sign.shl(15).or(int(BIAS + 63).sub(zeros.low())), x.shl(zeros));
  });
}

/** Replaces the condition codes by those in a local; C1 is cleared by `settle`. */
export function setConditions(c: Code, codes: Value): void {
  c.storeWord(FPU_STATUS, word(FPU_STATUS).and(~CONDITIONS).or(codes));
}

/** (single) → (sign and exponent, significand, denormal): signalling NaNs stay signalling. */
export function fromSingle(runtime: Runtime): number {
  return runtime.shared("f80.fromSingle", [I32], [I32, I64, I32], (f) => {
    const c = new Code(f);
    const [bits] = Code.parameters([I32]) as [Local];
    const exponent = c.int(bits.shrU(23).and(0xff));
    widen(c, bits.shrU(31), exponent, bits.and(0x7fffff).wide().shl(40), 0xff, 127);
  });
}
/** (double) → the same. */
export function fromDouble(runtime: Runtime): number {
  return runtime.shared("f80.fromDouble", [I64], [I32, I64, I32], (f) => {
    const c = new Code(f);
    const [bits] = Code.parameters([I64]) as [Local];
    const exponent = c.int(bits.shrU(52).low().and(0x7ff));
    widen(c, bits.shrU(63).low(), exponent, bits.and((1n << 52n) - 1n).shl(11), 0x7ff, 1023);
  });
}
function widen(
  c: Code,
  sign: Value,
  exponent: Local,
  fraction: Value,
  maximum: number,
  bias: number,
): void {
  const se = c.int(sign.shl(15));
  const significand = c.long(fraction);
  c.if(
    exponent.isZero(),
    () => {
      c.if(significand.isZero(), () => c.return(se, long(0n), int(0)));
      const shift = c.long(significand.clz());
      c.return(se.or(int(BIAS - bias + 1).sub(shift.low())), significand.shl(shift), int(1));
    },
    undefined,
    false,
  );
  c.set(significand, significand.or(INTEGER_BIT));
  c.if(
    exponent.eq(maximum),
    () => {
      c.return(se.or(MAX_EXPONENT), significand, int(0));
    },
    undefined,
    false,
  );
  c.yield(se.or(exponent.add(BIAS - bias)), significand, int(0));
}
/** (integer) → (sign and exponent, significand). */
export function fromInteger(runtime: Runtime): number {
  return runtime.shared("f80.fromInteger", [I64], NUMBER, (f) => {
    const c = new Code(f);
    const [value] = Code.parameters([I64]) as [Local];
    c.if(value.isZero(), () => c.return(int(0), long(0n)));
    const sign = c.int(value.shrU(63).low());
    c.if(sign, () => c.set(value, long(0n).sub(value)));
    const zeros = c.long(value.clz());
    c.yield(sign.shl(15).or(int(BIAS + 63).sub(zeros.low())), value.shl(zeros));
  });
}
