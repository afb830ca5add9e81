/**
 * 80-bit numbers in TypeScript, for the instructions that are assists: taken apart, computed with exact integers,
 * rounded once. The same rules as `round.ts` has in Wasm.
 * Sources: SDM vol. 1 §4.8, §8.5.
 * @module
 */
import type { Core } from "../execute/core.ts";
import { FPU_CONTROL, FPU_REGISTERS, FPU_STATUS, FPU_TAG, FPU_TOP } from "../state/layout.ts";
import {
  BIAS,
  BUSY,
  C1,
  DE,
  ES,
  EXCEPTIONS,
  IE,
  INDEFINITE,
  INDEFINITE_SE,
  INTEGER_BIT,
  MAX_EXPONENT,
  OE,
  PE,
  QUIET_BIT,
  STACK_FAULT,
  UE,
  WRAP,
  ZE,
} from "./status.ts";

/** Sign and biased exponent in `se`, significand unsigned. */
export interface Real {
  readonly se: number;
  readonly significand: bigint;
}

export const DEFAULT_NAN: Real = { se: INDEFINITE_SE, significand: INDEFINITE };
export function zero(sign: number): Real {
  return { se: sign << 15, significand: 0n };
}
export function infinity(sign: number): Real {
  return { se: (sign << 15) | MAX_EXPONENT, significand: INTEGER_BIT };
}

export function isUnsupported({ se, significand }: Real): boolean {
  return (se & 0x7fff) !== 0 && significand < INTEGER_BIT;
}
export function isNan(x: Real): boolean {
  return (x.se & 0x7fff) === MAX_EXPONENT && x.significand > INTEGER_BIT;
}
export function isInfinite(x: Real): boolean {
  return (x.se & 0x7fff) === MAX_EXPONENT && x.significand === INTEGER_BIT;
}
export function isZero(x: Real): boolean {
  return (x.se & 0x7fff) === 0 && x.significand === 0n;
}
export function isDenormal(x: Real): boolean {
  return (x.se & 0x7fff) === 0 && x.significand !== 0n;
}
/** 0 or 1. */
export function signOf(x: Real): number {
  return x.se >> 15;
}
/** Bits in a positive integer. */
export function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** A finite number as integer × 2^exponent, integer without sign, with 64 bits unless it is 0. */
export function scaled({ se, significand }: Real): { integer: bigint; exponent: number } {
  if (significand === 0n) return { integer: 0n, exponent: 0 };
  const exponent = (se & 0x7fff) || 1;
  const shift = 64 - bitLength(significand);
  return { integer: significand << BigInt(shift), exponent: exponent - BIAS - 63 - shift };
}

/** The state of an x87 instruction that is an assist: stack, exceptions, results. */
export class Operation {
  readonly core: Core;
  /** Exceptions so far, and C1. */
  raised = 0;

  constructor(core: Core) {
    this.core = core;
  }
  get control(): number {
    return this.core.i32[FPU_CONTROL >> 2] as number;
  }
  get status(): number {
    return this.core.i32[FPU_STATUS >> 2] as number;
  }
  #physical(i: number): number {
    return ((this.core.i32[FPU_TOP >> 2] as number) + i) & 7;
  }
  full(i: number): boolean {
    return (((this.core.i32[FPU_TAG >> 2] as number) >> this.#physical(i)) & 1) !== 0;
  }
  read(i: number): Real {
    const at = FPU_REGISTERS + this.#physical(i) * 16;
    const { view } = this.core;
    return { se: view.getUint16(at + 8, true), significand: view.getBigUint64(at, true) };
  }
  write(i: number, { se, significand }: Real): void {
    const physical = this.#physical(i);
    const at = FPU_REGISTERS + physical * 16;
    this.core.view.setUint16(at + 8, se, true);
    this.core.view.setBigUint64(at, significand, true);
    this.core.i32[FPU_TAG >> 2] = (this.core.i32[FPU_TAG >> 2] as number) | (1 << physical);
  }
  pop(): void {
    const { i32 } = this.core;
    const physical = this.#physical(0);
    i32[FPU_TAG >> 2] = (i32[FPU_TAG >> 2] as number) & ~(1 << physical);
    i32[FPU_TOP >> 2] = (physical + 1) & 7;
  }
  /** Decrements TOP; the caller has seen that the register is empty or to be overwritten. */
  push(value: Real): void {
    this.core.i32[FPU_TOP >> 2] = this.#physical(7);
    this.write(0, value);
  }
  stackFault(overflow = false): void {
    this.raised = IE | STACK_FAULT | (overflow ? C1 : 0);
  }
  /** Merges the exceptions into the status word with condition codes (undefined: kept); returns the unmasked ones. */
  settle(codes?: { mask: number; value: number }): number {
    const { i32 } = this.core;
    // An unmasked denormal ends the operation before it finds anything else.
    if (this.raised & ~this.control & DE) this.raised &= DE | ZE;
    const unmasked = this.raised & ~this.control & EXCEPTIONS;
    let status = (this.status & ~C1) | this.raised | (unmasked ? ES | BUSY : 0);
    if (codes) status = (status & ~codes.mask) | codes.value;
    i32[FPU_STATUS >> 2] = status;
    return unmasked;
  }
  /** True when an exception is pending that keeps the result from being stored. */
  aborts(): boolean {
    return (this.raised & ~this.control & (IE | DE | ZE)) !== 0;
  }
  /** NaN or unsupported among the operands: the result, after raising IE where due. Else undefined. */
  nan(x: Real, y: Real = x): Real | undefined {
    if (isUnsupported(x) || isUnsupported(y)) {
      this.raised |= IE;
      return DEFAULT_NAN;
    }
    const [xNan, yNan] = [isNan(x), isNan(y)];
    if (!xNan && !yNan) return undefined;
    const xSignals = xNan && (x.significand & QUIET_BIT) === 0n;
    const ySignals = yNan && (y.significand & QUIET_BIT) === 0n;
    if (xSignals || ySignals) this.raised |= IE;
    let takeX = xNan;
    if (xNan && yNan) {
      if (xSignals !== ySignals) takeX = ySignals;
      else takeX = x.significand === y.significand ? x.se <= y.se : x.significand > y.significand;
    }
    const chosen = takeX ? x : y;
    return { se: chosen.se, significand: chosen.significand | QUIET_BIT };
  }
  invalid(): Real {
    this.raised |= IE;
    return DEFAULT_NAN;
  }
  /** Raises DE for denormals. */
  denormals(...operands: readonly Real[]): void {
    if (operands.some(isDenormal)) this.raised |= DE;
  }
  /** Whether a magnitude with discarded bits `rest` of `below` bits is rounded up. */
  roundsUp(sign: number, odd: boolean, rest: bigint, below: number): boolean {
    if (rest === 0n) return false;
    const half = 1n << BigInt(below - 1);
    switch ((this.control >> 10) & 3) {
      case 0:
        return rest > half || (rest === half && odd);
      case 1:
        return sign === 1;
      case 2:
        return sign === 0;
      default:
        return false;
    }
  }
  /**
   * integer × 2^exponent, rounded to 64 bits by rounding control; integer > 0. Raises OE UE PE and C1. An integer
   * that stands for an irrational number must be odd and have more than 66 bits.
   */
  round(sign: number, integer: bigint, exponent: number): Real {
    // Bits below the 64 that stay.
    let below = bitLength(integer) - 64;
    let value = integer;
    let scale = exponent;
    if (below < 2) {
      value <<= BigInt(2 - below);
      scale += below - 2;
      below = 2;
    }
    let biased = scale + below + 63 + BIAS;
    let tiny = false;
    const split = (): { kept: bigint; up: boolean; exact: boolean } => {
      const kept = value >> BigInt(below);
      const rest = value & ((1n << BigInt(below)) - 1n);
      return { kept, up: this.roundsUp(sign, (kept & 1n) === 1n, rest, below), exact: rest === 0n };
    };
    let part = split();
    if (biased <= 0) {
      tiny = biased < 0 || !(part.up && part.kept === (1n << 64n) - 1n);
      // So far below that the wrapped exponent does not help either (FSCALE).
      if (tiny && biased + WRAP <= 0 && !(this.control & UE)) {
        this.raised |= UE | PE;
        return zero(sign);
      }
      if (this.control & UE) {
        below += 1 - biased;
        biased = 0;
        part = split();
      } else if (tiny) {
        this.raised |= UE;
        biased += WRAP;
        tiny = false;
      }
    }
    let { kept } = part;
    if (!part.exact) {
      this.raised |= PE | (tiny ? UE : 0) | (part.up ? C1 : 0);
      if (part.up) kept += 1n;
      if (kept === 1n << 64n) {
        kept = INTEGER_BIT;
        biased++;
      }
    }
    if (biased === 0 && kept >= INTEGER_BIT) biased = 1;
    if (biased >= MAX_EXPONENT) {
      if (this.control & OE || biased - WRAP >= MAX_EXPONENT) {
        const up = !(this.control & OE) || this.roundsUp(sign, false, 3n, 2);
        this.raised = (this.raised & ~C1) | OE | PE | (up ? C1 : 0);
        return up ? infinity(sign) : {
          se: (sign << 15) | (MAX_EXPONENT - 1),
          significand: (1n << 64n) - 1n,
        };
      }
      this.raised |= OE;
      biased -= WRAP;
    }
    return { se: (sign << 15) | biased, significand: kept };
  }
}
