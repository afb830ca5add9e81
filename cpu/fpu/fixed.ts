/**
 * Elementary functions of fixed-point numbers with 256 bits behind the point: exact to far more bits than a rounding
 * sees, so that what comes of them is the same as the function's value, rounded once.
 * Sources: D. Knuth, The Art of Computer Programming vol. 2 §4.3.1; Machin's formula for π.
 * @module
 */
import { bitLength } from "./real.ts";

/** Fraction bits of fixed-point numbers. */
export const BITS = 256;
export const ONE: bigint = 1n << BigInt(BITS);

/** π in 66 bits × 2^66, as the processor has it (SDM vol. 1 §8.3.8). */
export const PI_66 = 0xc90fdaa22168c234cn;

/** atan(1 / n) in fixed point. */
function inverseArctangent(n: bigint): bigint {
  let power = ONE / n;
  let sum = power;
  for (let k = 3n; power !== 0n; k += 2n) {
    power /= -n * n;
    sum += power / k;
  }
  return sum;
}
/** π by Machin's formula; ln 2 by 2·artanh(1/3). */
export const PI: bigint = 16n * inverseArctangent(5n) - 4n * inverseArctangent(239n);
export const LN2: bigint = 2n * inverseHyperbolicTangent(ONE / 3n);

/** artanh of a fixed-point number below 1/2 in magnitude. */
export function inverseHyperbolicTangent(z: bigint): bigint {
  const square = (z * z) >> BigInt(BITS);
  let power = z;
  let sum = z;
  for (let k = 3n; power !== 0n && power !== -1n; k += 2n) {
    power = (power * square) >> BigInt(BITS);
    sum += power / k;
  }
  return sum;
}

/** atan of 0 < t ≤ 1 in fixed point. */
export function arctangent(t: bigint): bigint {
  // Twice atan(t / (1 + √(1 + t²))) until the series is short.
  let x = t;
  let halvings = 0n;
  while (x > ONE >> 6n) {
    x = (x << BigInt(BITS)) / (ONE + squareRoot(ONE + ((x * x) >> BigInt(BITS))));
    halvings += 1n;
  }
  const square = (x * x) >> BigInt(BITS);
  let power = x;
  let sum = x;
  for (let k = 3n; power !== 0n; k += 2n) {
    power = (power * square) >> BigInt(BITS);
    sum += (k & 2n) !== 0n ? -(power / k) : power / k;
  }
  return sum << halvings;
}
/** Square root in fixed point. */
function squareRoot(value: bigint): bigint {
  const target = value << BigInt(BITS);
  let root = 1n << BigInt((bitLength(target) + 1) >> 1);
  for (;;) {
    const next = (root + target / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** e^v − 1 of a fixed-point number, |v| < 1. */
export function exponentialLessOne(v: bigint): bigint {
  let term = v;
  let sum = v;
  for (let k = 2n; term !== 0n && term !== -1n; k += 1n) {
    term = (term * v >> BigInt(BITS)) / k;
    sum += term;
  }
  return sum;
}
