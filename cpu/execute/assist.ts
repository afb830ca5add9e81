/**
 * Assists: instructions (or their rare paths) in TypeScript, called from a Wasm handler.
 *
 * A row of the instruction table whose operation has no Wasm semantics is an assist of that name. While it
 * runs, the state in linear memory is that of the boundary before the instruction, except that EIP
 * already holds the address of the next instruction. An assist either completes, or throws a fault (by
 * `core.raise`) before it has changed anything visible; EIP then goes back to the instruction by itself.
 * It may set EIP and CPL, load segments, change control registers: rows that may do so say `end` in the
 * table, and the run loop looks at the new state. `instructions` counts the assist as not yet retired.
 * @module
 */
import type { Core } from "./core.ts";

/** The decoded instruction, as an assist sees it. One object, refilled for each call: keep no reference. */
export interface Operands {
  /** EIP of the instruction, and of the one behind it. */
  eip: number;
  next: number;
  /** In bytes, prefixes applied. */
  operandSize: 2 | 4;
  addressSize: 2 | 4;
  /** The `reg` field of ModRM (0..7), or the opcode's low three bits. */
  reg: number;
  /** The `r/m` field: a register number when `isMemory` is false. */
  rm: number;
  isMemory: boolean;
  /** Memory operand: segment register (0..5) and offset in it, both after prefixes; not yet checked. */
  segment: number;
  offset: number;
  /** Immediate; of a far pointer the offset. */
  immediate: number;
  /** Second immediate: the selector of a far pointer, ENTER's level. */
  immediate2: number;
  /** 0, 0xf2 or 0xf3. */
  repeat: number;
  /** Opcode byte (the last one), for families that share an assist. */
  opcode: number;
}

/** One instruction in TypeScript. */
export type Assist = (core: Core, operands: Operands) => void;

/** Assists by operation name. */
export type Assists = Readonly<Record<string, Assist>>;
