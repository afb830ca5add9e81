/**
 * Code at translation: blocks, their instructions, and what these access.
 *
 * @module
 */
import type { Filter } from "./filter.ts";
import type { InlineOperation, U64 } from "./scoreboard.ts";
import type { Vcpu } from "./vcpu.ts";

/** Which memory accesses a callback wants (QEMU's `qemu_plugin_mem_rw`). */
export type MemoryAccessKind = "r" | "w" | "rw";

/** A memory access that succeeded. Accesses of more than 4 bytes come in parts of 4. */
export interface MemoryAccess {
  /** Linear address, 0..2^32-1. */
  readonly address: number;
  /** Physical address, 0..2^32-1. */
  readonly physical: number;
  /** Bytes: 1, 2, 4, 8 or 10. */
  readonly size: number;
  /** log2 of the size, rounded up (QEMU's `mem_size_shift`). */
  readonly sizeShift: number;
  /** Whether it was a write. */
  readonly write: boolean;
  /** The value read or written: a number up to 4 bytes, a bigint above. */
  readonly value: number | bigint;
  /** The type of the value: `u8`, `u16`, `u32`, `u64`; `u128` for what has more bytes. */
  readonly valueType: "u8" | "u16" | "u32" | "u64" | "u128";
  /** Whether what was read is extended by its sign (MOVSX). */
  readonly signExtended: boolean;
  /** Whether the instruction turns the bytes round: never, for no model has MOVBE. */
  readonly bigEndian: false;
  /** Whether the access went to a device rather than to RAM. */
  readonly io: boolean;
  /** What answered: the device's name, "RAM", or "" where nothing is. */
  readonly device: string;
}

/** An instruction of a block that is being translated; valid only during the callback. */
export interface Instruction {
  /** Linear address. */
  readonly address: number;
  /** Physical address of the first byte. */
  readonly physical: number;
  /** Length in bytes, 1..15. */
  readonly size: number;
  /** The bytes of the instruction. */
  bytes(): Uint8Array;
  /** Intel syntax, as `objdump -M intel` prints it, near enough. */
  disassembly(): string;
  /** The mnemonic alone, in lower case: `mov`. */
  mnemonic(): string;
  /** The function that holds it, if a symbol table says so. */
  symbol(): string | undefined;
  /** Calls back each time before the instruction runs. */
  onExecute(callback: (vcpu: Vcpu) => void, filter?: Filter): void;
  /** Does the operation each time before the instruction runs. */
  inline(operation: InlineOperation, entry: U64, value: number | bigint): void;
  /** Calls back after each successful memory access of the instruction. */
  onMemory(
    callback: (access: MemoryAccess, vcpu: Vcpu) => void,
    kind?: MemoryAccessKind,
    filter?: Filter,
  ): void;
  /** Does the operation after each successful memory access of the instruction. */
  inlineMemory(
    operation: InlineOperation,
    entry: U64,
    value: number | bigint,
    kind?: MemoryAccessKind,
  ): void;
}

/** A block of instructions at translation; valid only during the callback. */
export interface Block {
  /** Linear address of the first instruction. */
  readonly address: number;
  /** Physical address of the first byte. */
  readonly physical: number;
  /** The instructions in order; at least one. */
  readonly instructions: readonly Instruction[];
  /** Calls back each time before the block runs. */
  onExecute(callback: (vcpu: Vcpu) => void, filter?: Filter): void;
  /** Does the operation each time before the block runs. */
  inline(operation: InlineOperation, entry: U64, value: number | bigint): void;
}
