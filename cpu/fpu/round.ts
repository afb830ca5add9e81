/**
 * Rounding: 128-bit intermediate results to the 80-bit format, and the choice to round up.
 * Sources: SDM vol. 1 §4.8.4 (rounding), §8.5.4–8.5.6 (overflow, underflow, precision); IEEE 754-1985 §7.4
 * with tininess detected after rounding.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { FPU_CONTROL } from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";
import {
  BIAS,
  C1,
  INTEGER_BIT,
  MAX_EXPONENT,
  OE,
  PE,
  raise,
  roundingControl,
  UE,
  WRAP,
} from "./status.ts";

/** (sign 0/1, discarded bits with bit 63 worth one half, odd 0/1) → 1 when the magnitude is rounded up. */
export function roundsUp(runtime: Runtime): number {
  return runtime.shared("f80.roundsUp", [I32, I64, I32], [I32], (f) => {
    const c = new Code(f);
    const [sign, extra, odd] = Code.parameters([I32, I64, I32]) as [Local, Local, Local];
    const control = c.int(roundingControl());
    c.if(control.isZero(), () => {
      c.return(extra.ltS(0).and(extra.shl(1).notZero().or(odd)));
    });
    // Down rounds negative numbers up in magnitude, up positive ones; 3 neither.
    c.yield(extra.notZero().and(sign.choose(control.eq(1), control.eq(2))));
  });
}

/** Bits of the significand that precision control discards: 40, 11 or 0 (SDM vol. 1 §8.1.5.2). */
export function precisionCut(): Value {
  const control = word(FPU_CONTROL).shrU(8).and(3);
  // Precision control 1 is reserved and works as 64 bits.
  return control.isZero().choose(40, control.eq(2).choose(11, 0));
}

/**
 * (sign 0/1, biased exponent, significand with bit 63 set, further bits, cut) → (sign and exponent, significand).
 * Rounds to 64 − cut bits and raises what there is to raise.
 */
export function round(runtime: Runtime): number {
  const up = roundsUp(runtime);
  const types = [I32, I32, I64, I64, I32];
  return runtime.shared("f80.round", types, [I32, I64], (f) => {
    const c = new Code(f);
    const [sign, exponent, high, low, cut] = Code.parameters(types) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const ulp = c.long(long(1n).shl(cut.wide()));
    const extra = c.long();
    const increment = c.int();
    const tiny = c.int(0);
    const shift = c.int();
    const flags = c.int(0);
    const decide = (): void => {
      c.set(
        extra,
        cut.choose(high.shl(int(64).sub(cut).wide()).or(low.notZero().wide()), low),
      );
      c.call(up, [sign, extra, high.and(ulp).notZero()], [increment]);
    };
    decide();
    c.if(
      exponent.leS(0),
      () => {
        // Tiny unless rounding reaches the smallest normal number.
        const allOnes = high.or(ulp.sub(1)).eq(-1);
        c.set(tiny, exponent.ltS(0).or(increment.and(allOnes).isZero()));
        c.if(word(FPU_CONTROL).and(UE), () => {
          c.set(shift, int(1).sub(exponent));
          c.if(shift.ltU(64), () => {
            c.set(low, high.shl(int(64).sub(shift).wide()).or(low.notZero().wide()));
            c.set(high, high.shrU(shift.wide()));
          }, () => {
            c.set(low, shift.eq(64).choose(high.or(low.notZero().wide()), long(1n)));
            c.set(high, 0);
          });
          c.set(exponent, 0);
          decide();
        }, () => {
          // Not masked: the exponent is wrapped, and the handler gets a normal number.
          c.if(tiny, () => {
            c.set(exponent, exponent.add(WRAP));
            c.set(flags, UE);
          });
          c.set(tiny, 0);
        });
      },
      undefined,
      false,
    );
    c.set(high, high.and(long(0n).sub(ulp)));
    c.if(extra.notZero(), () => {
      c.set(flags, flags.or(tiny.choose(PE | UE, PE)).or(increment.choose(C1, 0)));
      c.if(increment, () => {
        c.set(high, high.add(ulp));
        c.if(high.isZero(), () => {
          c.set(high, INTEGER_BIT);
          c.set(exponent, exponent.add(1));
        });
      });
    });
    c.if(exponent.isZero(), () => c.set(exponent, high.shrU(63).low()), undefined, false);
    c.if(
      exponent.geS(MAX_EXPONENT),
      () => {
        c.if(word(FPU_CONTROL).and(OE), () => {
          c.call(up, [sign, long(INTEGER_BIT).or(1), int(0)], [increment]);
          c.set(flags, increment.choose(OE | PE | C1, OE | PE));
          c.set(exponent, increment.choose(MAX_EXPONENT, MAX_EXPONENT - 1));
          c.set(high, increment.choose(long(INTEGER_BIT), long(0n).sub(ulp)));
        }, () => {
          c.set(exponent, exponent.sub(WRAP));
          c.set(flags, flags.or(OE));
        });
      },
      undefined,
      false,
    );
    c.if(flags, () => raise(c, flags));
    c.yield(sign.shl(15).or(exponent), high);
  });
}

/**
 * (sign and exponent, significand, bits 24 or 53) → the single or double pattern in an i64; raises.
 * With an unmasked overflow or underflow the result is not used.
 */
export function narrow(runtime: Runtime): number {
  const up = roundsUp(runtime);
  const types = [I32, I64, I32];
  return runtime.shared("f80.narrow", types, [I64], (f) => {
    const c = new Code(f);
    const [se, high, bits] = Code.parameters(types) as [Local, Local, Local];
    const sign = c.int(se.shrU(15).and(1));
    const exponent = c.int(se.and(0x7fff));
    const maximum = c.int(bits.eq(24).choose(0xff, 0x7ff));
    const cut = c.int(int(64).sub(bits));
    const pack = (e: Value, significand: Value): Value =>
      sign.wide().shl(bits.eq(24).choose(long(31n), long(63n)))
        .or(e.wide().shl(bits.sub(1).wide()))
        .or(significand.shl(1).shrU(cut.add(1).wide()));
    c.if(high.isZero().and(exponent.isZero()), () => c.return(pack(int(0), long(0n))));
    c.if(
      exponent.eq(MAX_EXPONENT).or(exponent.notZero().and(high.geS(0))),
      () => {
        c.if(high.geS(0), () => {
          raise(c, 1);
          c.set(sign, 1);
          c.set(high, 3n << 62n);
        }, () => {
          c.if(high.shl(1).notZero().and(high.shl(1).geS(0)), () => {
            raise(c, 1);
            c.set(high, high.or(1n << 62n));
          });
        });
        c.return(pack(maximum, high));
      },
      undefined,
      false,
    );
    c.set(exponent, exponent.sub(BIAS).add(maximum.shrU(1)));
    const ulp = c.long(long(1n).shl(cut.wide()));
    const [extra, increment, tiny, flags, shift] = [c.long(), c.int(), c.int(0), c.int(0), c.int()];
    const decide = (): void => {
      c.set(extra, high.shl(bits.wide()));
      c.call(up, [sign, extra, high.and(ulp).notZero()], [increment]);
    };
    decide();
    c.if(
      exponent.leS(0),
      () => {
        const allOnes = high.or(ulp.sub(1)).eq(-1);
        c.set(tiny, exponent.ltS(0).or(increment.and(allOnes).isZero()));
        // Not masked: nothing is stored, nothing else is raised.
        c.if(tiny.and(word(FPU_CONTROL).and(UE).isZero()), () => {
          raise(c, UE);
          c.return(long(0n));
        });
        c.set(shift, int(1).sub(exponent));
        c.if(shift.ltU(64), () => {
          c.set(
            high,
            high.shrU(shift.wide()).or(high.shl(int(64).sub(shift).wide()).notZero().wide()),
          );
        }, () => c.set(high, 1));
        c.set(exponent, 0);
        decide();
      },
      undefined,
      false,
    );
    c.set(high, high.and(long(0n).sub(ulp)));
    c.if(extra.notZero(), () => {
      c.set(flags, flags.or(tiny.choose(PE | UE, PE)).or(increment.choose(C1, 0)));
      c.if(increment, () => {
        c.set(high, high.add(ulp));
        c.if(high.isZero(), () => {
          c.set(high, INTEGER_BIT);
          c.set(exponent, exponent.add(1));
        });
      });
    });
    c.if(exponent.isZero(), () => c.set(exponent, high.shrU(63).low()), undefined, false);
    c.if(
      exponent.geS(maximum),
      () => {
        c.if(word(FPU_CONTROL).and(OE).isZero(), () => {
          raise(c, OE);
          c.return(long(0n));
        });
        c.call(up, [sign, long(INTEGER_BIT).or(1), int(0)], [increment]);
        c.set(flags, increment.choose(OE | PE | C1, OE | PE));
        c.set(exponent, maximum.sub(increment.xor(1)));
        c.set(high, increment.choose(long(INTEGER_BIT), long(-1n)));
      },
      undefined,
      false,
    );
    c.if(flags, () => raise(c, flags));
    c.yield(pack(exponent, high));
  });
}

/** (sign and exponent, significand, bits 16, 32 or 64) → integer in an i64, rounded by control; raises. */
export function toInteger(runtime: Runtime): number {
  const up = roundsUp(runtime);
  const types = [I32, I64, I32];
  return runtime.shared("f80.toInteger", types, [I64], (f) => {
    const c = new Code(f);
    const [se, high, bits] = Code.parameters(types) as [Local, Local, Local];
    const sign = c.int(se.shrU(15).and(1));
    const shift = c.int(int(BIAS + 63).sub(se.and(0x7fff)));
    const [extra, increment, valid] = [c.long(), c.int(), c.int()];
    const limit = c.long(long(1n).shl(bits.sub(1).wide()));
    const unnormal = se.and(0x7fff).notZero().and(high.geS(0));
    c.set(valid, shift.geS(0).and(unnormal.isZero()));
    c.if(valid, () => {
      c.if(shift.isZero(), () => c.set(extra, 0), () => {
        c.if(shift.ltU(64), () => {
          c.set(extra, high.shl(int(64).sub(shift).wide()));
          c.set(high, high.shrU(shift.wide()));
        }, () => {
          c.set(extra, shift.eq(64).choose(high, high.notZero().wide()));
          c.set(high, 0);
        });
      });
      c.call(up, [sign, extra, high.low().and(1)], [increment]);
      c.if(increment, () => {
        c.set(high, high.add(1));
        c.set(valid, high.notZero());
      });
      c.set(valid, valid.and(high.leU(sign.choose(limit, limit.sub(1)))));
    });
    c.if(
      valid.isZero(),
      () => {
        raise(c, 1);
        c.return(long(0n).sub(limit));
      },
      undefined,
      false,
    );
    c.if(extra.notZero(), () => raise(c, increment.choose(PE | C1, PE)));
    c.yield(sign.choose(long(0n).sub(high), high));
  });
}
