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
import * as L from "../state/layout.ts";
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

/**
 * An assist that reads what it needs from the record itself; all else is as above. For instructions that do less
 * than it takes to fill `Operands`.
 */
export type RecordAssist = (core: Core, record: number) => void;

/** Those by operation name. */
export type RecordAssists = Readonly<Record<string, RecordAssist>>;

/** EIP of the instruction behind a record's, unsigned. */
export function nextEip({ i32, u8 }: Core, record: number): number {
  const next = (i32[(record + L.RECORD.EIP) >> 2] as number) +
    (u8[record + L.RECORD.LENGTH] as number);
  return ((i32[L.MODE_WORD >> 2] as number) & L.MODE.CODE32 ? next : next & 0xffff) >>> 0;
}

/** Operands to be filled. */
export function emptyOperands(): Operands {
  return {
    eip: 0,
    next: 0,
    operandSize: 4,
    addressSize: 4,
    reg: 0,
    rm: 0,
    isMemory: false,
    segment: 0,
    offset: 0,
    immediate: 0,
    immediate2: 0,
    repeat: 0,
    opcode: 0,
  };
}

/**
 * Fills the operands from a record. Returns the number of the record's assist; for a record of Wasm semantics
 * that, and what depends on the encoding (reg, rm, opcode, repeat, second immediate), is meaningless.
 */
export function fillOperands(core: Core, record: number, operands: Operands): number {
  const { i32, u16, u8 } = core;
  const at = record >> 2;
  const eip = i32[at + 6] as number;
  const flags = u8[record + L.RECORD.SEGMENT] as number;
  const scale = u8[record + L.RECORD.SCALE] as number;
  operands.eip = eip >>> 0;
  operands.operandSize = flags & 8 ? 4 : 2;
  operands.addressSize = scale & 0x80 ? 2 : 4;
  operands.isMemory = (flags & 16) !== 0;
  operands.segment = flags & 7;
  operands.next = nextEip(core, record);
  let offset = ((i32[(u16[(record + L.RECORD.BASE) >> 1] as number) >> 2] as number) +
    ((i32[(u16[(record + L.RECORD.INDEX) >> 1] as number) >> 2] as number) << (scale & 3)) +
    (i32[at + 5] as number)) | 0;
  if (scale & 0x80) offset &= 0xffff;
  operands.offset = offset;
  operands.immediate = i32[at + 3] as number;
  const a = i32[at + 1] as number;
  const b = i32[at + 2] as number;
  operands.opcode = a >>> 16;
  operands.reg = b & 15;
  operands.rm = (b >> 4) & 15;
  operands.repeat = (b >> 8) & 0xff;
  operands.immediate2 = b >>> 16;
  return a & 0xffff;
}
