/**
 * Opcodes of the Wasm instructions that are not numeric, and how to step over any instruction
 * (core specification §5.4).
 *
 * @module
 */

import type { WasmReader } from "./wasm_reader.ts";
import { I32, I64 } from "./wasm_module.ts";

export const OPCODE = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableGet: 0x25,
  tableSet: 0x26,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  refNull: 0xd0,
  refFunc: 0xd2,
  prefixed: 0xfc,
} as const;

export const PREFIXED = { memoryCopy: 10, memoryFill: 11 } as const;

/** Loads and stores by opcode: result or operand type, bits, sign. */
// deno-fmt-ignore
export const MEMORY_ACCESSES: Readonly<Record<number, readonly [type: number, bits: 8 | 16 | 32 | 64, signed: boolean]>> = {
  0x28: [I32, 32, false], 0x29: [I64, 64, false],
  0x2c: [I32, 8, true], 0x2d: [I32, 8, false], 0x2e: [I32, 16, true], 0x2f: [I32, 16, false],
  0x30: [I64, 8, true], 0x31: [I64, 8, false], 0x32: [I64, 16, true], 0x33: [I64, 16, false],
  0x34: [I64, 32, true], 0x35: [I64, 32, false],
  0x36: [I32, 32, false], 0x37: [I64, 64, false], 0x3a: [I32, 8, false], 0x3b: [I32, 16, false],
  0x3c: [I64, 8, false], 0x3d: [I64, 16, false], 0x3e: [I64, 32, false],
};
export const FIRST_STORE = 0x36;
const LAST_STORE = 0x3e;
const FIRST_ACCESS = 0x28;
const MEMORY_INDEX_FLAG = 0x40;

/** Reads a load's or store's immediates; the alignment does not matter to us. Returns the offset. */
export function readMemoryArgument(reader: WasmReader): number {
  if ((reader.u32() & MEMORY_INDEX_FLAG) !== 0) reader.u32();
  return reader.u32();
}

/** Steps over the immediates of an instruction. */
export function skipImmediates(reader: WasmReader, opcode: number): void {
  switch (opcode) {
    case OPCODE.block:
    case OPCODE.loop:
    case OPCODE.if:
      reader.s32(); // the short forms are one-byte LEB128 numbers, too
      return;
    case OPCODE.br:
    case OPCODE.brIf:
    case OPCODE.call:
    case OPCODE.localGet:
    case OPCODE.localSet:
    case OPCODE.localTee:
    case OPCODE.globalGet:
    case OPCODE.globalSet:
    case OPCODE.tableGet:
    case OPCODE.tableSet:
    case OPCODE.memorySize:
    case OPCODE.memoryGrow:
    case OPCODE.refFunc:
    case OPCODE.refNull:
      reader.u32();
      return;
    case OPCODE.brTable:
      reader.vector(() => reader.u32());
      reader.u32();
      return;
    case OPCODE.callIndirect:
      reader.u32();
      reader.u32();
      return;
    case OPCODE.selectTyped:
      reader.vector(() => reader.u8());
      return;
    case OPCODE.i32Const:
      reader.s32();
      return;
    case OPCODE.i64Const:
      reader.s64();
      return;
    case OPCODE.f32Const:
      reader.bits32();
      return;
    case OPCODE.f64Const:
      reader.bits64();
      return;
    case OPCODE.prefixed: {
      const second = reader.u32();
      if (second < 8) return; // saturating truncation
      reader.u32();
      if (second === PREFIXED.memoryCopy || second === 8 || second === 12 || second === 14) {
        reader.u32();
      }
      return;
    }
  }
  if (opcode >= FIRST_ACCESS && opcode <= LAST_STORE) readMemoryArgument(reader);
}
