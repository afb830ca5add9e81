/**
 * EFLAGS: the lazy arithmetic flags and the rest, for TypeScript; Wasm has the same rules in emit.ts.
 *
 * The six arithmetic flags live in two words (FLAGS_RESULT, FLAGS_AUX, see layout.ts) from which each
 * flag follows without knowing which operation set them. Sources: SDM vol. 1 §3.4.3.
 * @module
 */
import { EFLAGS, EFLAGS_EXISTING, FLAGS_AUX, FLAGS_RESULT } from "./layout.ts";

/** Flag masks. */
export const CF = 0x1;
export const PF = 0x4;
export const AF = 0x10;
export const ZF = 0x40;
export const SF = 0x80;
export const TF = 0x100;
export const IF = 0x200;
export const DF = 0x400;
export const OF = 0x800;
export const IOPL = 0x3000;
export const NT = 0x4000;
export const RF = 0x10000;
export const VM = 0x20000;
export const AC = 0x40000;
export const VIF = 0x80000;
export const VIP = 0x100000;
export const ID = 0x200000;
/** The flags kept lazily. */
export const ARITHMETIC: number = CF | PF | AF | ZF | SF | OF;

/** The six arithmetic flags as EFLAGS bits. */
export function arithmeticFlags(i32: Int32Array): number {
  const result = i32[FLAGS_RESULT >> 2] as number;
  const aux = i32[FLAGS_AUX >> 2] as number;
  let parity = (result ^ (aux >>> 8)) & 0xff;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return (aux >>> 31) | ((~parity & 1) << 2) | ((aux & 8) << 1) | (result === 0 ? ZF : 0) |
    (((result >>> 31) ^ (aux & 1)) << 7) | (((aux >>> 31) ^ ((aux >>> 30) & 1)) << 11);
}

/** Sets the six arithmetic flags from EFLAGS bits. */
export function setArithmeticFlags(i32: Int32Array, flags: number): void {
  const zero = (flags >> 6) & 1;
  const parity = (flags >> 2) & 1;
  const carry = flags & 1;
  const overflow = (flags >> 11) & 1;
  i32[FLAGS_RESULT >> 2] = zero ^ 1;
  i32[FLAGS_AUX >> 2] = (carry << 31) | ((carry ^ overflow) << 30) | ((flags & AF) >> 1) |
    ((flags >> 7) & 1) | ((zero ^ parity) << 8);
}

/** EFLAGS as PUSHF would see it. */
export function readFlags(i32: Int32Array): number {
  return (i32[EFLAGS >> 2] as number) | arithmeticFlags(i32);
}

/** Sets all of EFLAGS; who may change what is the caller's affair. */
export function writeFlags(i32: Int32Array, flags: number): void {
  setArithmeticFlags(i32, flags);
  const existing = i32[EFLAGS_EXISTING >> 2] as number;
  i32[EFLAGS >> 2] = (flags & existing & ~ARITHMETIC) | 2;
}
