/**
 * What the assembler and the code generator hand to the linker: sections of bytes with relocations
 * and symbols. The same thing as a relocatable ELF file (ELF gABI §4), kept as plain objects.
 *
 * @module
 */

import type { SourcePosition } from "../errors.ts";

/** A 32-bit field that the linker fills in. */
export interface Relocation {
  /** Offset of the field in its section. */
  readonly offset: number;
  /** `absolute`: symbol + addend. `relative`: symbol + addend - (address of the field + 4). */
  readonly kind: "absolute" | "relative";
  readonly symbol: string;
  readonly addend: number;
}

/** Where the code from `offset` on comes from. */
export interface LineEntry {
  readonly offset: number;
  readonly file: string;
  readonly line: number;
}

/** A contiguous piece of the program. */
export interface ObjectSection {
  readonly name: string;
  readonly alignment: number;
  readonly bytes: Uint8Array;
  /** Zero bytes behind `bytes`; only these in `.bss`. */
  readonly zeroBytes: number;
  readonly relocations: readonly Relocation[];
  readonly lines: readonly LineEntry[];
}

/** A name for an address, or for a number where `section` is undefined. */
export interface ObjectSymbol {
  readonly name: string;
  readonly section: string | undefined;
  readonly value: number;
  readonly size: number;
  readonly kind: "function" | "object" | "none";
  readonly global: boolean;
}

/** One assembled or compiled unit. */
export interface ObjectFile {
  readonly name: string;
  readonly sections: readonly ObjectSection[];
  readonly symbols: readonly ObjectSymbol[];
  /** Where an undefined symbol is first used, for the linker's message. */
  readonly references: ReadonlyMap<string, SourcePosition>;
}
