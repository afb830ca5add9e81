/**
 * Which process the guest runs. A kernel that wants to be asked has a data symbol
 * `kernel_introspection`, which says where its current task is and where a task keeps what is asked;
 * nothing runs in the guest for it. docs/plugins.md describes the record.
 *
 * @module
 */
import type { GuestProcess } from "../api/mod.ts";

/** The record's fields, in 32-bit words. */
const RECORD = {
  MAGIC: 0,
  VERSION: 4,
  /** Address of the pointer to the current task. */
  CURRENT: 8,
  /** Offsets within a task. */
  PID: 12,
  NAME: 16,
  NAME_BYTES: 20,
  /** A pointer to a NUL-terminated path, 0 for a kernel thread. */
  PROGRAM: 24,
} as const;

/** "OVKI", little-endian. */
const MAGIC = 0x494b564f;
const VERSION = 1;
const PATH_MAX = 4096;

/** Reads of guest memory, without side effects. */
export interface GuestMemory {
  word(address: number): number | undefined;
  byte(address: number): number | undefined;
}

/** Asks the kernel whose record stands at `record`; undefined before it has a current task. */
export function currentProcess(memory: GuestMemory, record: number): GuestProcess | undefined {
  const field = (offset: number): number | undefined => memory.word(record + offset);
  if (field(RECORD.MAGIC) !== MAGIC || field(RECORD.VERSION) !== VERSION) return undefined;
  const pointer = field(RECORD.CURRENT);
  const task = pointer === undefined ? undefined : memory.word(pointer);
  if (task === undefined || task === 0) return undefined;
  const pid = memory.word(task + (field(RECORD.PID) ?? 0));
  if (pid === undefined) return undefined;
  const name = text(memory, task + (field(RECORD.NAME) ?? 0), field(RECORD.NAME_BYTES) ?? 0);
  const path = memory.word(task + (field(RECORD.PROGRAM) ?? 0)) ?? 0;
  return { pid, name, program: path === 0 ? "" : text(memory, path, PATH_MAX) };
}

function text(memory: GuestMemory, address: number, limit: number): string {
  const bytes: number[] = [];
  for (let index = 0; index < Math.min(limit, PATH_MAX); index++) {
    const byte = memory.byte(address + index);
    if (byte === undefined || byte === 0) break;
    bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
