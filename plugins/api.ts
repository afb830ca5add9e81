/**
 * The plugin API: QEMU's TCG plugin concepts and names in JavaScript's idiom. A plugin is a module that
 * exports `plugin`, made by {@linkcode definePlugin}; everything it may ask or hook is on the
 * {@linkcode PluginHost} that `install` receives.
 *
 * Semantics follow QEMU's plugin API version 7: execution callbacks run before their instruction, which may
 * still fault; memory callbacks run after a successful access; not every instruction of a block runs;
 * registers and memory are exact inside every callback. Beyond QEMU: interrupt vectors and error codes,
 * port accesses, control-register writes, symbols with stacks, hooks at an instruction count.
 *
 * @module
 */

/** What kind of value an option takes. */
export type OptionType = "string" | "number" | "boolean";

/** One option of a plugin: its type, its default and the sentence that help prints. */
export interface OptionSpec {
  /** What the value is converted to. */
  readonly type: OptionType;
  /** One sentence for help and for the message when it is missing. */
  readonly help: string;
  /** Taken when the option is not given; without it the option is required. */
  readonly default?: string | number | boolean;
}

/** The type of an option's value. */
export type OptionValue<S extends OptionSpec> = S["type"] extends "number" ? number
  : S["type"] extends "boolean" ? boolean
  : string;

/** The values that `install` receives for a set of options. */
export type OptionValues<O extends Readonly<Record<string, OptionSpec>>> = {
  readonly [Name in keyof O]: OptionValue<O[Name]>;
};

/** A plugin: its name, its options and the function that installs its hooks. */
export interface PluginDefinition<
  O extends Readonly<Record<string, OptionSpec>> = Readonly<Record<string, OptionSpec>>,
> {
  /** What messages call the plugin. */
  readonly name: string;
  /** One line on what it does, for `--help`. */
  readonly description: string;
  /** The options by name; none when absent. */
  readonly options?: O;
  /** Installs the hooks. An exception here refuses the plugin. */
  install(host: PluginHost, options: OptionValues<O>): void;
}

/** A definition whose option types are forgotten, as the loader passes it about. */
// deno-lint-ignore no-explicit-any
export type AnyPlugin = PluginDefinition<any>;

/**
 * Types a plugin's definition; returns it unchanged.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@overture/overture/plugins";
 * import assert from "node:assert/strict";
 *
 * export const plugin = definePlugin({
 *   name: "count",
 *   description: "counts executed instructions",
 *   options: { verbose: { type: "boolean", help: "print more", default: false } },
 *   install(host, options) {
 *     const counter = host.counter();
 *     host.onTranslate((block) => block.addInline(counter, block.instructions.length));
 *     host.atExit(() => host.out(`${counter.value} instructions${options.verbose ? "!" : ""}\n`));
 *   },
 * });
 * assert.equal(plugin.name, "count");
 * ```
 */
export function definePlugin<const O extends Readonly<Record<string, OptionSpec>>>(
  definition: PluginDefinition<O>,
): PluginDefinition<O> {
  return definition;
}

/** A virtual CPU, as QEMU's `vcpu_index` names it. Overture's PC has one. */
export interface Vcpu {
  /** 0: the PC has one processor. */
  readonly index: number;
}

/** A 64-bit counter that translated code adds to without a call (QEMU's inline operations on a scoreboard). */
export interface Counter {
  /** The count so far; may be set. */
  value: bigint;
}

/** Which memory accesses a callback wants (QEMU's `qemu_plugin_mem_rw`). */
export type MemoryAccessKind = "r" | "w" | "rw";

/** A memory access that succeeded. */
export interface MemoryAccess {
  /** Linear address, 0..2^32-1. */
  readonly address: number;
  /** Physical address, 0..2^32-1. */
  readonly physical: number;
  /** Bytes: 1, 2, 4, 8 or 10. */
  readonly size: number;
  /** Whether it was a write. */
  readonly write: boolean;
  /** The value read or written: a number up to 4 bytes, a bigint above. */
  readonly value: number | bigint;
  /** Whether the access went to a device rather than to RAM. */
  readonly io: boolean;
}

/** A port access by IN, OUT, INS or OUTS. */
export interface PortAccess {
  /** Port number, 0..65535. */
  readonly port: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4;
  /** What was read or written, unsigned. */
  readonly value: number;
  /** Whether it was OUT or OUTS. */
  readonly write: boolean;
}

/** A change of flow that no instruction asked for, or that goes through a gate (QEMU's discontinuity). */
export interface Discontinuity {
  /** What changed the flow; `software` is INT n, `iret` the return. */
  readonly type: "interrupt" | "exception" | "software" | "iret";
  /** Vector 0..255; for `iret`, -1. */
  readonly vector: number;
  /** The error code that the CPU pushed, if the vector has one. */
  readonly errorCode: number | undefined;
  /** EIP (linear) of the instruction that did not run, faulted or asked. */
  readonly from: number;
  /** Linear address of the next instruction to run. */
  readonly to: number;
  /** CR2 for a page fault, else 0. */
  readonly address: number;
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
  onExecute(callback: (vcpu: Vcpu) => void): void;
  /** Adds `amount` to the counter each time before the instruction runs. */
  addInline(counter: Counter, amount: number): void;
  /** Calls back after each successful memory access of the instruction. */
  onMemory(callback: (access: MemoryAccess, vcpu: Vcpu) => void, kind?: MemoryAccessKind): void;
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
  onExecute(callback: (vcpu: Vcpu) => void): void;
  /** Adds `amount` to the counter each time before the block runs. */
  addInline(counter: Counter, amount: number): void;
}

/** A register by its gdb name (`eax`, `eip`, `eflags`, `cs`, `cr3`, …). */
export interface RegisterDescriptor {
  /** The name, as gdb spells it. */
  readonly name: string;
  /** gdb's feature, `org.gnu.gdb.i386.core` and the like. */
  readonly feature: string;
  /** Its length: 4; `st0` … 10, `mm0` … 8, `xmm0` … 16. */
  readonly bytes: number;
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

/** Everything that a plugin may ask of the machine. Hooks hold from the next instruction on. */
export interface PluginHost {
  /** About the target, as `qemu_info_t`. */
  readonly info: {
    readonly targetName: "i386";
    readonly systemEmulation: true;
    readonly vcpus: number;
    readonly ramBytes: number;
    /** Instructions that take one second of virtual time. */
    readonly instructionsPerSecond: number;
  };
  /** Retired instructions since power-on. */
  readonly instructions: number;
  /** Virtual time since power-on in ns. */
  readonly timeNs: number;

  /** The processor is there and all plugins are installed; nothing has run yet. */
  onVcpuInit(callback: (vcpu: Vcpu) => void): void;
  /** HLT was entered. */
  onVcpuIdle(callback: (vcpu: Vcpu) => void): void;
  /** HLT was left. */
  onVcpuResume(callback: (vcpu: Vcpu) => void): void;
  /**
   * Guest bytes became a block, before it first runs. With a `range` of linear addresses, `end` exclusive, it is called
   * for code in it alone, with the instructions that begin there, and no other code is translated anew. Dispose of what
   * is returned to take the block's hooks away. Both take effect from the next instruction on.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onTranslate(
    callback: (block: Block) => void,
    range?: { readonly start: number; readonly end: number },
  ): Disposable;
  /**
   * An interrupt, exception, INT n or IRET was delivered; the handler is about to run. Until what is returned is
   * disposed of, such events take the slower way through here: subscribe while you need them.
   */
  onDiscontinuity(callback: (event: Discontinuity, vcpu: Vcpu) => void): Disposable;
  /** An external interrupt was delivered. */
  onInterrupt(callback: (event: Discontinuity, vcpu: Vcpu) => void): Disposable;
  /** An exception was delivered. */
  onException(callback: (event: Discontinuity, vcpu: Vcpu) => void): Disposable;
  /** A port was read or is about to be written. */
  onPort(callback: (access: PortAccess, vcpu: Vcpu) => void): void;
  /** MOV to CR0, CR3 or CR4 happened. */
  onControlRegister(
    callback: (event: { register: number; value: number }, vcpu: Vcpu) => void,
  ): void;
  /**
   * Called after each successful access of data that touches a range of linear addresses, `end` exclusive, whatever
   * instruction makes it; the pushes of interrupts are among them. Only the range's pages become slower.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onAccess(
    callback: (access: MemoryAccess, vcpu: Vcpu) => void,
    range: { readonly start: number; readonly end: number },
    kind?: MemoryAccessKind,
  ): Disposable;
  /** Calls back at the first instruction boundary at which `instructions >= at`. */
  at(instructions: number, callback: () => void): Disposable;
  /** The machine is about to end. */
  atExit(callback: () => void): void;

  /** A new inline counter. */
  counter(): Counter;

  /** The registers that can be named. */
  registers(): readonly RegisterDescriptor[];
  /**
   * The value of a register of 4 bytes, unsigned.
   *
   * @throws {RangeError} when there is no register of that name, or it is longer.
   */
  readRegister(name: string): number;
  /**
   * Sets a register of 4 bytes.
   *
   * @throws {RangeError} when there is no register of that name, it is longer, or it cannot be written.
   */
  writeRegister(name: string, value: number): void;
  /**
   * A copy of any register, little-endian, in its length.
   *
   * @throws {RangeError} when there is no register of that name.
   */
  readRegisterBytes(name: string): Uint8Array;
  /**
   * Sets any register from as many bytes as it has.
   *
   * @throws {RangeError} when there is no register of that name, it cannot be written, or has another length.
   */
  writeRegisterBytes(name: string, bytes: Uint8Array): void;
  /** Reads linear memory without side effects; undefined if a byte is not mapped or not RAM. */
  readMemory(address: number, length: number): Uint8Array | undefined;
  /** Writes linear memory, whatever the page protection; false if a byte is not mapped to RAM. */
  writeMemory(address: number, bytes: Uint8Array): boolean;
  /** Reads physical memory; undefined outside RAM. */
  readPhysical(address: number, length: number): Uint8Array | undefined;
  /** Writes physical memory; false outside RAM. */
  writePhysical(address: number, bytes: Uint8Array): boolean;
  /** Walks the page tables without side effects. */
  translate(address: number): number | undefined;

  /** Symbols of the kernel and of the running program. */
  readonly symbols: Symbols;
  /** The symbolised stack, innermost frame first, at most `limit` (default 127) frames. */
  stack(limit?: number): StackFrame[];
  /** The process that runs, or undefined before there is one or for an unknown kernel. */
  process(): GuestProcess | undefined;

  /** Writes text to the plugin's output (standard error unless the caller says otherwise). */
  out(text: string): void;
  /** Ends the run at the next instruction boundary. */
  stop(): void;
  /**
   * Lets the machine stand still from the next instruction boundary (in a callback before an instruction: before it)
   * until the promise settles. No time passes for the guest.
   */
  hold(until: Promise<unknown>): void;
}
