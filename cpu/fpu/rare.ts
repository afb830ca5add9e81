/**
 * x87 instructions in TypeScript: partial remainder, scaling, extraction, packed decimal; and what a waiting
 * instruction does with a pending exception.
 * Sources: SDM vol. 2 (FPREM, FPREM1, FSCALE, FXTRACT, FBLD, FBSTP), vol. 1 §8.6–8.7; vol. 3A §2.5.
 * @module
 */
import type { Assist, Assists, Operands } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { VECTOR } from "../state/fault.ts";
import {
  CR0,
  CS,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_STATUS,
} from "../state/layout.ts";
import {
  bitLength,
  DEFAULT_NAN,
  infinity,
  isInfinite,
  isZero,
  Operation,
  type Real,
  scaled,
  signOf,
  zero,
} from "./real.ts";
import { BIAS, C0, C1, C2, C3, ES, IE, PE, ZE } from "./status.ts";

/** CR0.MP, EM, TS, NE. */
const MP = 2;
const EM = 4;
const TS = 8;
const NE = 0x20;

/** #MF, or the FERR# pin where CR0.NE is 0. */
export function pendingException(core: Core): void {
  if (((core.i32[FPU_STATUS >> 2] as number) & ES) === 0) return;
  if ((core.i32[CR0 >> 2] as number) & NE) core.raise(VECTOR.MF);
  core.bus.coprocessorError?.();
}
function unavailable(core: Core): void {
  if ((core.i32[CR0 >> 2] as number) & (EM | TS)) core.raise(VECTOR.NM);
  pendingException(core);
}

/** Begins an assist that waits: #NM, #MF. */
export function begin(core: Core): Operation {
  unavailable(core);
  return new Operation(core);
}
/** Saves the pointers; nothing may fault after this. */
export function pointers(core: Core, operands: Operands): void {
  core.i32[FPU_IP >> 2] = operands.eip;
  core.i32[FPU_CS >> 2] = core.selector(CS);
  core.i32[FPU_OPCODE >> 2] = operands.immediate;
  if (!operands.isMemory) return;
  core.i32[FPU_DP >> 2] = operands.offset;
  core.i32[FPU_DS >> 2] = core.selector(operands.segment);
}

/** An instruction on registers; returns the condition codes that it sets. */
export function onStack(body: (o: Operation) => void): Assist {
  return (core, operands) => {
    const operation = begin(core);
    pointers(core, operands);
    body(operation);
  };
}
/** Stores a result in ST(i) unless an exception forbids it; true when stored. */
export function finish(o: Operation, i: number, value: Real): boolean {
  o.settle();
  if (o.aborts()) return false;
  o.write(i, value);
  return true;
}

/** FPREM (truncated quotient) and FPREM1 (rounded to nearest). */
function remainder(nearest: boolean): Assist {
  return onStack((o) => {
    if (!o.full(0) || !o.full(1)) {
      o.stackFault();
      o.settle({ mask: C2, value: 0 });
      if (!o.aborts()) o.write(0, DEFAULT_NAN);
      return;
    }
    const [x, y] = [o.read(0), o.read(1)];
    const nan = o.nan(x, y);
    const codes = { mask: C0 | C1 | C2 | C3, value: 0 };
    let result: Real;
    if (nan) {
      result = nan;
      codes.mask = C2;
    } else if (isInfinite(x) || isZero(y)) {
      result = o.invalid();
      codes.mask = C2;
    } else {
      o.denormals(x, y);
      result = plain(x);
      if (!isZero(x) && !isInfinite(y)) result = reduce(o, x, y, nearest, codes);
    }
    if (o.aborts()) o.settle({ mask: C2, value: 0 });
    else o.settle(codes);
    if (!o.aborts()) o.write(0, result);
  });
}
/** A number that the operation leaves as it is; pseudo-denormals become normal. */
function plain(x: Real): Real {
  return (x.se & 0x7fff) === 0 && x.significand >> 63n === 1n
    ? { se: x.se | 1, significand: x.significand }
    : x;
}
function reduce(
  o: Operation,
  x: Real,
  y: Real,
  nearest: boolean,
  codes: { value: number },
): Real {
  const [a, b] = [scaled(x), scaled(y)];
  const distance = a.exponent - b.exponent;
  let sign = signOf(x);
  if (distance >= 64) {
    // A partial result: the exponent shrinks by as much as leaves a multiple of 32 … 63.
    const step = (distance & 31) | 32;
    codes.value = C2;
    const rest = (a.integer << BigInt(step)) % b.integer;
    if (rest === 0n) return zero(sign);
    return o.round(sign, rest, b.exponent + distance - step);
  }
  if (distance < -1) return o.round(sign, a.integer, a.exponent);
  const shift = BigInt(Math.max(distance, 0));
  const dividend = a.integer << shift;
  const divisor = distance < 0 ? b.integer << BigInt(-distance) : b.integer;
  const exponent = Math.min(a.exponent, b.exponent);
  let quotient = dividend / divisor;
  let rest = dividend % divisor;
  if (nearest && (2n * rest > divisor || (2n * rest === divisor && (quotient & 1n) === 1n))) {
    quotient += 1n;
    rest = divisor - rest;
    sign ^= 1;
  }
  const low = Number(quotient & 7n);
  codes.value = (low & 4 ? C0 : 0) | (low & 2 ? C3 : 0) | (low & 1 ? C1 : 0);
  return rest === 0n ? zero(signOf(x)) : o.round(sign, rest, exponent);
}

const scale: Assist = onStack((o) => {
  if (!o.full(0) || !o.full(1)) {
    o.stackFault();
    finish(o, 0, DEFAULT_NAN);
    return;
  }
  const [x, y] = [o.read(0), o.read(1)];
  finish(o, 0, scaleBy(o, x, y));
});
function scaleBy(o: Operation, x: Real, y: Real): Real {
  const nan = o.nan(x, y);
  if (nan) return nan;
  const sign = signOf(x);
  if (isInfinite(y)) {
    const up = signOf(y) === 0;
    if (up ? isZero(x) : isInfinite(x)) return o.invalid();
    o.denormals(x);
    if (up) return infinity(sign);
    return zero(sign);
  }
  o.denormals(x, y);
  if (isZero(x) || isInfinite(x) || isZero(y)) return plain(x);
  const { integer, exponent } = scaled(x);
  const by = scaled(y);
  // Truncated; beyond ±65536 every result overflows or underflows.
  let power = 0x10000;
  if (by.integer === 0n || by.exponent < -63) power = 0;
  else if (by.exponent <= -47) power = Number(by.integer >> BigInt(-by.exponent));
  if (signOf(y)) power = -power;
  return o.round(sign, integer, exponent + power);
}

const extract: Assist = onStack((o) => {
  if (!o.full(0)) {
    o.stackFault();
  } else if (o.full(7)) o.stackFault(true);
  if (o.raised !== 0) {
    if (o.settle()) return;
    o.write(0, DEFAULT_NAN);
    o.push(DEFAULT_NAN);
    return;
  }
  const x = o.read(0);
  let exponent: Real;
  let significand: Real = x;
  const nan = o.nan(x);
  if (nan) exponent = significand = nan;
  else if (isInfinite(x)) exponent = infinity(0);
  else if (isZero(x)) {
    o.raised |= ZE;
    exponent = infinity(1);
  } else {
    o.denormals(x);
    const { integer, exponent: power } = scaled(x);
    significand = { se: (x.se & 0x8000) | BIAS, significand: integer };
    exponent = fromNumber(power + 63);
  }
  o.settle();
  if (o.aborts()) return;
  o.write(0, exponent);
  o.push(significand);
});
/** A small integer. */
function fromNumber(value: number): Real {
  if (value === 0) return zero(0);
  const magnitude = BigInt(Math.abs(value));
  const bits = bitLength(magnitude);
  return {
    se: (value < 0 ? 0x8000 : 0) | (BIAS + bits - 1),
    significand: magnitude << BigInt(64 - bits),
  };
}

const DECIMAL_DIGITS = 18;
const DECIMAL_BYTES = 10;

const loadDecimal: Assist = (core, operands) => {
  const o = begin(core);
  const { segment, offset } = operands;
  core.memory.probeRead(core.linear(segment, offset, DECIMAL_BYTES, false), DECIMAL_BYTES);
  let value = 0n;
  const sign = core.read(segment, offset + DECIMAL_BYTES - 1, 1) >> 7;
  for (let i = DECIMAL_BYTES - 2; i >= 0; i--) {
    const byte = core.read(segment, offset + i, 1);
    value = value * 100n + BigInt((byte >> 4) * 10 + (byte & 15));
  }
  pointers(core, operands);
  let result: Real = zero(sign);
  if (value !== 0n) {
    const bits = bitLength(value);
    result = { se: (sign << 15) | (BIAS + bits - 1), significand: value << BigInt(64 - bits) };
  }
  if (o.full(7)) {
    o.stackFault(true);
    result = DEFAULT_NAN;
  }
  if (o.settle() === 0) o.push(result);
};

const storeDecimal: Assist = (core, operands) => {
  const o = begin(core);
  const { segment, offset } = operands;
  const bytes = new Uint8Array(DECIMAL_BYTES);
  const x = o.read(0);
  let value = -1n;
  if (!o.full(0)) o.stackFault();
  else if (isZero(x)) value = 0n;
  else if ((x.se & 0x7fff) < BIAS + 64 && !((x.se & 0x7fff) !== 0 && x.significand >> 63n === 0n)) {
    const { integer, exponent } = scaled(x);
    if (exponent >= 0) value = integer << BigInt(exponent);
    else {
      const below = Math.min(-exponent, 66);
      const rest = -exponent > 66 ? 1n : integer & ((1n << BigInt(below)) - 1n);
      value = -exponent > 66 ? 0n : integer >> BigInt(below);
      const up = o.roundsUp(signOf(x), (value & 1n) === 1n, rest, below);
      if (up) value += 1n;
      if (rest !== 0n) o.raised |= PE | (up ? C1 : 0);
    }
  }
  if (value < 0n || value >= 10n ** BigInt(DECIMAL_DIGITS)) {
    if (o.raised & IE) o.stackFault();
    else o.raised = IE;
    bytes.set([0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff]);
  } else {
    for (let i = 0; i < DECIMAL_BYTES - 1; i++) {
      bytes[i] = Number(value % 10n) | (Number(value / 10n % 10n) << 4);
      value /= 100n;
    }
    bytes[DECIMAL_BYTES - 1] = signOf(x) << 7;
  }
  const forbidden = (o.raised & ~o.control & IE) !== 0;
  // Nothing is visible yet, so the store may fault; an exception that forbids it goes first.
  if (!forbidden) {
    core.memory.probeWrite(core.linear(segment, offset, DECIMAL_BYTES, true), DECIMAL_BYTES);
  }
  pointers(core, operands);
  o.settle();
  if (forbidden) return;
  for (const [i, byte] of bytes.entries()) core.write(segment, offset + i, 1, byte);
  o.pop();
};

export const rareAssists: Assists = {
  fpuUnavailable: unavailable,
  fpuWait: (core) => {
    if (((core.i32[CR0 >> 2] as number) & (MP | TS)) === (MP | TS)) core.raise(VECTOR.NM);
    pendingException(core);
  },
  fprem: remainder(false),
  fprem1: remainder(true),
  fscale: scale,
  fxtract: extract,
  fbld: loadDecimal,
  fbstp: storeDecimal,
};
