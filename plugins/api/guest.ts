/**
 * What of the guest a plugin may ask: registers, symbols, stacks, processes.
 *
 * @module
 */

/** A register by its gdb name (`eax`, `eip`, `eflags`, `cs`, `cr3`, …). */
export interface RegisterDescriptor {
  /** The name, as gdb spells it. */
  readonly name: string;
  /** gdb's feature, `org.gnu.gdb.i386.core` and the like. */
  readonly feature: string;
  /** Its length: 4; `st0` … 10, `mm0` … 8, `xmm0` … 16. */
  readonly bytes: number;
  /** Whether only the guest can change it. */
  readonly readOnly: boolean;
}

/** A symbol found for an address. */
export interface SymbolAt {
  /** The name, as the symbol table spells it. */
  readonly name: string;
  /** Bytes from the symbol's start. */
  readonly offset: number;
  /** The file that named it: `kernel`, `/bin/bash`. */
  readonly image: string;
}

/** One frame of a stack. */
export interface StackFrame {
  /** EIP for the innermost frame, return addresses above it. */
  readonly address: number;
  /** The function that the frame is in, if a symbol table says so. */
  readonly symbol: SymbolAt | undefined;
  /** Whether it ran in user mode (CPL 3). */
  readonly user: boolean;
}

/** The process that a guest kernel is running, where the kernel can be asked (see docs/plugins.md). */
export interface GuestProcess {
  /** Process number; 0 is the idle task. */
  readonly pid: number;
  /** The command name, as `ps` shows it. */
  readonly name: string;
  /** Path of the program's file in the guest, or "" for a kernel thread. */
  readonly program: string;
}

/** Symbols of the kernel and of the programs that its processes run. */
export interface Symbols {
  /** The symbol that covers a linear address in the current address space. */
  at(address: number): SymbolAt | undefined;
  /** The address of a symbol of the kernel. */
  find(name: string): number | undefined;
}

/** The program that the machine was started with, where it was started with one (a kernel's file, no BIOS). */
export interface GuestBinary {
  /** Path of the file. */
  readonly path: string;
  /** First linear address of its code. */
  readonly startCode: number;
  /** Behind the last linear address of its code. */
  readonly endCode: number;
  /** Where it is entered. */
  readonly entryCode: number;
}
