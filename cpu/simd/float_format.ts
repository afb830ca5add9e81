/**
 * The two formats of SSE and SSE2, the bits of MXCSR, and how exceptions are collected.
 *
 * A number travels through Wasm as the integer of its bits, i32 or i64: what Wasm makes of the payload of a
 * NaN is not determined. Functions add their exceptions to SIMD_RAISED, which is 0 between instructions;
 * `settle` at the end of an instruction merges them into MXCSR and raises #XM for those that are not masked.
 * Sources: SDM vol. 1 §4.8.3 (formats, NaNs), §10.2.3 (MXCSR), §11.5 (exceptions, order of the flags).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { F32, F64, I32, I64 } from "../execute/wasm.ts";
import { CR4, CURRENT, MXCSR, SIMD_RAISED } from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";

/** Exceptions: sticky flags of MXCSR. Their masks are 7 bits above. */
export const IE = 1;
export const DE = 2;
export const ZE = 4;
export const OE = 8;
export const UE = 0x10;
export const PE = 0x20;
/** Denormals are zeros. */
export const DAZ = 0x40;
/** Flush to zero. */
export const FTZ = 0x8000;
const MASK_SHIFT = 7;
export const UNDERFLOW_MASK: number = UE << MASK_SHIFT;
export const OVERFLOW_MASK: number = OE << MASK_SHIFT;
/** Rounding control and the mask of PE; and their setting in nearly all programs. */
export const CONTROL = 0x7000;
export const CONTROL_DEFAULT = 0x1000;
/** CR4: the system handles #XM. */
const OSXMMEXCPT = 0x400;

/** A floating-point format. */
export interface Format {
  readonly name: "single" | "double";
  /** Bits in all, and of the significand with the implied one. */
  readonly width: 32 | 64;
  readonly precision: 24 | 53;
  /** Biased exponent of infinities and NaNs, and the bias. */
  readonly maximum: number;
  readonly bias: number;
  /** Wasm types of the number's bits and of the number. */
  readonly bits: number;
  readonly float: number;
}

export const SINGLE: Format = {
  name: "single",
  width: 32,
  precision: 24,
  maximum: 0xff,
  bias: 0x7f,
  bits: I32,
  float: F32,
};
export const DOUBLE: Format = {
  name: "double",
  width: 64,
  precision: 53,
  maximum: 0x7ff,
  bias: 0x3ff,
  bits: I64,
  float: F64,
};

/** Rounding control: 0 nearest, 1 down, 2 up, 3 to zero. */
export function rounding(): Value {
  return word(MXCSR).shrU(13).and(3);
}
/** Adds exceptions to those of the instruction. */
export function raise(c: Code, flags: Value | number): void {
  c.storeWord(SIMD_RAISED, word(SIMD_RAISED).or(flags));
}

/** A constant of a format's bits. */
export function constant({ bits }: Format, value: bigint): Value {
  return bits === I64 ? long(value) : int(Number(BigInt.asIntN(32, value)));
}
/** 1 << place of the fraction's top bit: set in quiet NaNs. */
export function quietBit({ precision }: Format): bigint {
  return 1n << BigInt(precision - 2);
}
/** Bits of +infinity. */
export function infinity({ maximum, precision }: Format): bigint {
  return BigInt(maximum) << BigInt(precision - 1);
}
/** Bits of the sign. */
export function signBit({ width }: Format): bigint {
  return 1n << BigInt(width - 1);
}
/** Bits of the default NaN. */
export function indefinite(format: Format): bigint {
  return signBit(format) | infinity(format) | quietBit(format);
}
/** 1 when the number is a NaN. */
export function isNan(format: Format, bits: Value): Value {
  return bits.shl(1).gtU(constant(format, infinity(format) << 1n));
}
/** 1 when the number, known to be a NaN, is a signalling one. */
export function isSignalling(format: Format, bits: Value): Value {
  return bits.and(constant(format, quietBit(format))).isZero();
}
/** 1 when the number is a denormal: neither zero nor with an exponent. */
export function isDenormal(format: Format, bits: Value): Value {
  const normal = 1n << BigInt(format.precision);
  return bits.shl(1).sub(1).ltU(constant(format, normal - 1n));
}
/** Biased exponent as an i32. */
export function exponentOf(format: Format, bits: Value): Value {
  const shifted = bits.shrU(format.precision - 1).and(format.maximum);
  return format.bits === I64 ? shifted.low() : shifted;
}
/** The sign, 0 or 1, as an i32. */
export function signOf(format: Format, bits: Value): Value {
  const shifted = bits.shrU(format.width - 1);
  return format.bits === I64 ? shifted.low() : shifted;
}
/** An i32 as bits of the format. */
export function widen(format: Format, value: Value): Value {
  return format.bits === I64 ? value.wide() : value;
}

/**
 * Under DAZ a denormal in the local becomes a zero of its sign. Sets `denormal` to 1 where one stays (and
 * leaves it alone otherwise).
 */
export function admit(c: Code, format: Format, bits: Local, denormal: Local): void {
  c.if(
    isDenormal(format, bits),
    () => {
      c.if(word(MXCSR).and(DAZ), () => {
        c.set(bits, bits.and(constant(format, signBit(format))));
      }, () => c.set(denormal, 1));
    },
    undefined,
    false,
  );
}

/**
 * () → 0, when everything that was raised is masked and in MXCSR now; else what was raised, and MXCSR is as it was.
 * SIMD_RAISED is 0 afterwards.
 */
export function settleMasked(runtime: Runtime): number {
  return runtime.shared("simd.settleMasked", [], [I32], (f) => {
    const c = new Code(f);
    const raised = c.int(word(SIMD_RAISED));
    c.storeWord(SIMD_RAISED, 0);
    const unmasked = raised.and(word(MXCSR).shrU(MASK_SHIFT).xor(-1));
    c.if(unmasked, () => c.return(raised), undefined, false);
    c.storeWord(MXCSR, word(MXCSR).or(raised));
    c.yield(int(0));
  });
}

/**
 * (record): the end of an instruction that raised something. Sets the flags and, when one is not masked, raises
 * #XM, or #UD if the system does not handle that. If IE, DE or ZE of any element is not masked, no element
 * is computed, so OE, UE and PE stay (SDM vol. 1 §11.5.3.2).
 */
export function settle(runtime: Runtime): number {
  const masked = settleMasked(runtime);
  return runtime.shared("simd.settle", [I32], [], (f) => {
    const c = new Code(f);
    const [record] = Code.parameters([I32]) as [Local];
    const raised = c.int();
    c.call(masked, [], [raised]);
    c.if(raised.isZero(), () => c.return(), undefined, true);
    const first = raised.and(word(MXCSR).shrU(MASK_SHIFT).xor(-1)).and(IE | DE | ZE);
    c.if(first, () => c.set(raised, raised.and(IE | DE | ZE)));
    c.storeWord(MXCSR, word(MXCSR).or(raised));
    c.storeWord(CURRENT, record);
    c.call(runtime.raise, [word(CR4).and(OSXMMEXCPT).choose(19, 6), -1]);
  });
}
