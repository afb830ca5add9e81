/**
 * Constants that the fast transcendental functions look up, in linear memory. Exact integers make them (`fixed.ts`), when an
 * instruction first needs them: until then the fast functions refuse, and the assist that answers instead fills them in.
 * @module
 */
import type { Core } from "../execute/core.ts";
import { type Code, type Value, word } from "../execute/expression.ts";
import { FPU_TABLES } from "../state/layout.ts";
import {
  arctangent,
  BITS,
  exponentialLessOne,
  inverseHyperbolicTangent,
  LN2,
  ONE,
} from "./fixed.ts";
import type { Wide } from "./wide.ts";

/** Arguments of tables are multiples of 1 / STEPS. */
export const STEP_BITS = 5;
export const STEPS: number = 1 << STEP_BITS;
/** Not 0: the tables are there. */
const READY = FPU_TABLES;
/** atan(j / 32), j = 0 … 32, × 2^126. */
const ARCTANGENTS: number = FPU_TABLES + 16;
/** 2^(j / 32), j = −32 … 32, × 2^126. */
const POWERS: number = ARCTANGENTS + 16 * (STEPS + 1);
/** log₂(1 + j / 32), j = 0 … 31, × 2^112. */
const LOGARITHMS: number = POWERS + 16 * (2 * STEPS + 1);

/** A fixed-point number with that many bits behind the point. */
export function rescaled(value: bigint, bits: number): bigint {
  return value >> BigInt(BITS - bits);
}

/** Fills in the tables, once. */
export function requireTables(core: Core): void {
  if (core.i32[READY >> 2] !== 0) return;
  const put = (at: number, value: bigint): void => {
    core.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    core.view.setBigUint64(at + 8, value >> 64n, true);
  };
  const steps = BigInt(STEPS);
  for (let j = 0n; j <= steps; j += 1n) {
    const value = j === 0n ? 0n : arctangent(j * ONE / steps);
    put(ARCTANGENTS + 16 * Number(j), rescaled(value, 126));
  }
  for (let j = -steps; j <= steps; j += 1n) {
    // Twice half of the exponent, since the series is for numbers below 1.
    const root = ONE + exponentialLessOne(j * LN2 / (2n * steps));
    put(POWERS + 16 * Number(j + steps), rescaled((root * root) >> BigInt(BITS), 126));
  }
  for (let j = 0n; j < steps; j += 1n) {
    const natural = 2n * inverseHyperbolicTangent(j * ONE / (2n * steps + j));
    put(LOGARITHMS + 16 * Number(j), rescaled((natural << BigInt(BITS)) / LN2, 112));
  }
  core.i32[READY >> 2] = 1;
}

/** 1 while the tables are not there. */
export function tablesMissing(): Value {
  return word(READY).isZero();
}
function entry(c: Code, table: number, index: Value): Wide {
  const at = c.int(index.shl(4));
  return { low: c.long(at.load64(table)), high: c.long(at.load64(table + 8)) };
}
/** atan(j / 32) × 2^126. */
export function arctangentEntry(c: Code, j: Value): Wide {
  return entry(c, ARCTANGENTS, j);
}
/** 2^(j / 32) × 2^126, j signed. */
export function powerEntry(c: Code, j: Value): Wide {
  return entry(c, POWERS, j.add(STEPS));
}
/** log₂(j / 32) × 2^112 of j from 32 to 63. */
export function logarithmEntry(c: Code, j: Value): Wide {
  return entry(c, LOGARITHMS, j.sub(STEPS));
}
