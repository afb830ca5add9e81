/**
 * Conversions between integers, singles and doubles, and the approximate reciprocals.
 * Sources: SDM vol. 2 (CVT…, RCPPS, RSQRTPS), vol. 1 §11.5.2, Table 4-1 (integer indefinite).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { F32, F64, I32, I64 } from "../execute/wasm.ts";
import { MXCSR } from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";
import {
  admit,
  constant,
  DAZ,
  DE,
  DOUBLE,
  exponentOf,
  type Format,
  IE,
  indefinite,
  infinity,
  isDenormal,
  isNan,
  isSignalling,
  quietBit,
  raise,
  rounding,
  signBit,
  SINGLE,
} from "./float_format.ts";
import { isDefaultControl, isPlain, raiseInexact } from "./float_fast.ts";
import * as slow from "./float_round.ts";

/** What a number that is no 32-bit integer gives. */
const INTEGER_INDEFINITE = 0x80000000 | 0;

/** (bits, truncate) → i32, rounded by control or to zero. A denormal operand raises no DE. */
export function toInteger(runtime: Runtime, format: Format): number {
  const { bits } = format;
  return runtime.shared(`simd.toInteger.${format.name}`, [bits, I32], [I32], (f) => {
    const c = new Code(f);
    const [a, truncate] = Code.parameters([bits, I32]) as [Local, Local];
    c.if(
      isDenormal(format, a).and(word(MXCSR).and(DAZ).notZero()),
      () => c.return(int(0)),
      undefined,
      false,
    );
    const number = a.reinterpret();
    const x = c.local(F64, format === SINGLE ? number.promote() : number);
    const rounded = c.local(F64, x.float("nearest"));
    const control = c.int(truncate.choose(3, rounding()));
    c.if(control, () => {
      c.set(rounded, x.float("trunc"));
      c.if(control.eq(1), () => c.set(rounded, x.float("floor")));
      c.if(control.eq(2), () => c.set(rounded, x.float("ceil")));
    });
    // False for NaNs.
    c.if(rounded.ge(-2147483648).and(rounded.le(2147483647)), () => {
      c.if(rounded.eq(x).isZero(), () => raiseInexact(c));
      c.return(rounded.truncate());
    });
    raise(c, IE);
    c.yield(int(INTEGER_INDEFINITE));
  });
}

/** (i32) → bits of the single. */
export function integerToSingle(runtime: Runtime): number {
  const general = slow.fromInteger(runtime, SINGLE);
  return runtime.shared("simd.integerToSingle", [I32], [I32], (f) => {
    const c = new Code(f);
    const [value] = Code.parameters([I32]) as [Local];
    const result = c.local(F32, value.convert(F32));
    c.if(result.promote().eq(value.convert(F64)), () => c.return(result.reinterpret()));
    c.if(rounding().isZero(), () => {
      raiseInexact(c);
      c.return(result.reinterpret());
    });
    c.call(general, [value]);
  });
}
/** (i32) → bits of the double, which is exact. */
export function integerToDouble(runtime: Runtime): number {
  return runtime.shared("simd.integerToDouble", [I32], [I64], (f) => {
    const [value] = Code.parameters([I32]) as [Local];
    new Code(f).yield(value.convert(F64).reinterpret());
  });
}

/** (bits of a double) → bits of the single. */
export function doubleToSingle(runtime: Runtime): number {
  const general = slow.demote(runtime, DOUBLE, SINGLE);
  return runtime.shared("simd.doubleToSingle", [I64], [I32], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([I64]) as [Local];
    const x = c.local(F64, a.reinterpret());
    const result = c.local(F32, x.demote());
    const r = c.int(result.reinterpret());
    c.if(
      isPlain(SINGLE, r).and(isDefaultControl()),
      () => {
        c.if(result.promote().eq(x).isZero(), () => raiseInexact(c));
        c.return(r);
      },
      undefined,
      true,
    );
    c.if(a.isZero(), () => c.return(int(0)));
    c.call(general, [a]);
  });
}
/** (bits of a single) → bits of the double. */
export function singleToDouble(runtime: Runtime): number {
  return runtime.shared("simd.singleToDouble", [I32], [I64], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([I32]) as [Local];
    c.if(
      isNan(SINGLE, a),
      () => {
        c.if(isSignalling(SINGLE, a), () => raise(c, IE));
        const fraction = a.shl(9).wide().shl(20);
        const sign = a.shrU(31).wide().shl(63);
        c.return(fraction.or(sign).or(infinity(DOUBLE) | quietBit(DOUBLE)));
      },
      undefined,
      false,
    );
    const denormal = c.int(0);
    admit(c, SINGLE, a, denormal);
    c.if(denormal, () => raise(c, DE), undefined, false);
    c.yield(a.reinterpret().promote().reinterpret());
  });
}

function quietNan(c: Code, a: Local): void {
  c.if(isNan(SINGLE, a), () => c.return(a.or(constant(SINGLE, quietBit(SINGLE)))));
}
/** A reciprocal k / 8192 × 2^(exponent − 126) with k in 4096..8191 as bits. */
function assemble(sign: Value, exponent: Value, k: Value): Value {
  return sign.or(exponent.shl(23)).or(k.sub(4096).shl(11));
}

/**
 * (bits) → approximately 1/x, as Intel's processors have it (compared with one over all significands): the
 * reciprocal of the middle of each 2048th of the binade, rounded to 13 bits. Tiny results are zeros,
 * denormals count as zeros, MXCSR has no part in it.
 */
export function reciprocal(runtime: Runtime): number {
  return runtime.shared("simd.reciprocal", [I32], [I32], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([I32]) as [Local];
    quietNan(c, a);
    const sign = c.int(a.and(constant(SINGLE, signBit(SINGLE))));
    const exponent = c.int(exponentOf(SINGLE, a));
    c.if(exponent.isZero(), () => c.return(sign.or(constant(SINGLE, infinity(SINGLE)))));
    c.set(exponent, int(253).sub(exponent));
    c.if(exponent.leS(0), () => c.return(sign));
    const middle = a.shrU(12).and(0x7ff).shl(1).add(4097).convert(F64);
    const k = double(4096 * 8192).div(middle).float("nearest").truncate();
    c.yield(assemble(sign, exponent, k));
  });
}
/** (bits) → approximately 1/√x, by the same rule: 1024 intervals in each binade. */
export function reciprocalRoot(runtime: Runtime): number {
  return runtime.shared("simd.reciprocalRoot", [I32], [I32], (f) => {
    const c = new Code(f);
    const [a] = Code.parameters([I32]) as [Local];
    quietNan(c, a);
    const exponent = c.int(exponentOf(SINGLE, a));
    const sign = a.and(constant(SINGLE, signBit(SINGLE)));
    c.if(exponent.isZero(), () => c.return(sign.or(constant(SINGLE, infinity(SINGLE)))));
    c.if(a.ltS(0), () => c.return(constant(SINGLE, indefinite(SINGLE))));
    c.if(exponent.eq(SINGLE.maximum), () => c.return(int(0)));
    // Twice the middle where the exponent is odd (bias 127), which makes it even.
    const middle = a.shrU(13).and(0x3ff).shl(1).add(2049).shl(exponent.and(1).xor(1))
      .convert(F64).div(2048);
    const k = double(8192).div(middle.float("sqrt")).float("nearest").truncate();
    const half = exponent.sub(SINGLE.bias).shrS(1);
    c.yield(assemble(int(0), int(126).sub(half), k));
  });
}
function double(value: number): Value {
  return long(doubleBits(value)).reinterpret();
}
function doubleBits(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0] as bigint;
}
