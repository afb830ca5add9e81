/**
 * Everything that a plugin may ask of the machine, and hook. What is hooked holds from the next instruction on, in code
 * that has run before too; so does its end, for which each subscription is disposable. A subscription takes a
 * {@linkcode Filter}.
 *
 * @module
 */
import type { Block, MemoryAccess, MemoryAccessKind } from "./code.ts";
import type {
  ControlRegisterWrite,
  Discontinuity,
  PortAccess,
  Syscall,
  SyscallAbi,
  SyscallReturn,
} from "./events.ts";
import type { AddressRange, Filter } from "./filter.ts";
import type { CallFilter, FunctionCall, FunctionReturn } from "./functions.ts";
import type {
  GuestBinary,
  GuestProcess,
  RegisterDescriptor,
  StackFrame,
  Symbols,
} from "./guest.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { Vcpu } from "./vcpu.ts";

/** The one who has it moves the machine's virtual time forward. Disposing of it gives it back. */
export interface TimeControl extends Disposable {
  /**
   * Lets virtual time pass up to `ns` since power-on, beyond what instructions take; the past changes nothing. Timers
   * that are due then fire before the next instruction.
   *
   * @throws {TypeError} when the control was given back.
   */
  updateNs(ns: number): void;
}

/** About the target, as `qemu_info_t`. */
export interface TargetInfo {
  /** The version of QEMU's plugin API whose semantics these are. */
  readonly apiVersion: 7;
  /** The architecture. */
  readonly targetName: "i386";
  /** A whole machine, no single program. */
  readonly systemEmulation: true;
  /** Virtual CPUs that there are. */
  readonly vcpus: number;
  /** Virtual CPUs that there can be. */
  readonly maxVcpus: number;
  /** Bytes of RAM. */
  readonly ramBytes: number;
  /** Instructions that take one second of virtual time. */
  readonly instructionsPerSecond: number;
}

/** What `install` receives. */
export interface PluginHost {
  /** About the target. */
  readonly info: TargetInfo;
  /** The virtual CPUs. */
  readonly vcpus: readonly Vcpu[];
  /** The kernel's file; undefined when the machine starts from a BIOS. */
  readonly binary: GuestBinary | undefined;
  /** Retired instructions since power-on. */
  readonly instructions: number;
  /** Virtual time since power-on in ns. */
  readonly timeNs: number;

  /** The processor is there and the plugin is installed. */
  onVcpuInit(callback: (vcpu: Vcpu) => void): Disposable;
  /** The processor is about to go, with the machine. */
  onVcpuExit(callback: (vcpu: Vcpu) => void): Disposable;
  /** HLT was entered. */
  onVcpuIdle(callback: (vcpu: Vcpu) => void, filter?: Filter): Disposable;
  /** HLT was left. */
  onVcpuResume(callback: (vcpu: Vcpu) => void, filter?: Filter): Disposable;
  /**
   * Guest bytes became a block, before it first runs. With a range or a symbol it is called for code in it alone, with
   * the instructions that begin there, and for a range no other code is translated anew. Disposing of it takes the
   * hooks away that it made on blocks.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onTranslate(
    callback: (block: Block) => void,
    filter?: Pick<Filter, "range" | "symbol">,
  ): Disposable;
  /** All decoded code was dropped; what runs from now on is translated again. */
  onFlush(callback: () => void): Disposable;
  /** An interrupt, exception, INT n or IRET was delivered; the handler is about to run. */
  onDiscontinuity(
    callback: (event: Discontinuity, vcpu: Vcpu) => void,
    filter?: Filter & { readonly types?: readonly Discontinuity["type"][] },
  ): Disposable;
  /** An external interrupt was delivered. */
  onInterrupt(callback: (event: Discontinuity, vcpu: Vcpu) => void, filter?: Filter): Disposable;
  /** An exception was delivered. */
  onException(callback: (event: Discontinuity, vcpu: Vcpu) => void, filter?: Filter): Disposable;
  /** A port was read or written. */
  onPort(callback: (access: PortAccess, vcpu: Vcpu) => void, filter?: Filter): Disposable;
  /** MOV to CR0, CR3 or CR4 happened. */
  onControlRegister(
    callback: (event: ControlRegisterWrite, vcpu: Vcpu) => void,
    filter?: Filter,
  ): Disposable;
  /**
   * Called after each successful access of data that touches a range of linear addresses, `end` exclusive, whatever
   * instruction makes it; the pushes of interrupts are among them. Only the range's pages become slower.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onAccess(
    callback: (access: MemoryAccess, vcpu: Vcpu) => void,
    range: AddressRange,
    kind?: MemoryAccessKind,
    filter?: Filter,
  ): Disposable;
  /** The machine was reset. */
  onReset(callback: () => void): Disposable;
  /**
   * A program (at CPL 3) is about to make a system call, which may still fault. `abi`: how calls look, by default
   * Linux's on i386, by INT 80h and SYSENTER.
   */
  onSyscall(
    callback: (call: Syscall, vcpu: Vcpu) => void,
    filter?: Filter & { readonly abi?: SyscallAbi },
  ): Disposable;
  /**
   * The same, behind all of {@linkcode onSyscall}: who returns a number answers the call with it instead of the
   * kernel, which does not come to know of it.
   */
  onSyscallFilter(
    callback: (call: Syscall, vcpu: Vcpu) => number | undefined,
    filter?: Filter & { readonly abi?: SyscallAbi },
  ): Disposable;
  /** The kernel is about to return from a system call that was made since this was asked for. */
  onSyscallReturn(
    callback: (event: SyscallReturn, vcpu: Vcpu) => void,
    filter?: Filter & { readonly abi?: SyscallAbi },
  ): Disposable;
  /**
   * A function is about to run its first instruction. `symbol`: its name, in which `*` stands for any characters; of the
   * kernel, or of the program whose code is translated.
   */
  onCall(
    symbol: string,
    callback: (call: FunctionCall, vcpu: Vcpu) => void,
    filter?: CallFilter,
  ): Disposable;
  /**
   * A function has returned that was called since this was asked for; the instruction behind the call is about to run.
   * `symbol` as for {@linkcode onCall}; the filter is asked when it is called.
   */
  onReturn(
    symbol: string,
    callback: (event: FunctionReturn, vcpu: Vcpu) => void,
    filter?: CallFilter,
  ): Disposable;
  /** Calls back at the first instruction boundary at which `instructions >= at`. */
  at(instructions: number, callback: () => void): Disposable;
  /** The machine is about to end. */
  atExit(callback: () => void): Disposable;

  /**
   * New fields for each virtual CPU, all 0.
   *
   * @throws {RangeError} when all that there are are taken.
   */
  scoreboard<const Name extends string>(...names: Name[]): Scoreboard<Name>;

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
  /** Goes on at another EIP, instead of the instruction that the callback is before. */
  setPc(eip: number): void;
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

  /** Control of the machine's time; undefined when someone has it. */
  requestTimeControl(): TimeControl | undefined;
  /**
   * What the plugin of that name returned from its `install`, which has to have run.
   *
   * @throws {RangeError} when there is no such plugin, or it exports nothing.
   */
  plugin<T extends object>(name: string): T;
  /** Takes all of the plugin's hooks away before the next instruction, then calls back: it may hook anew. */
  reset(callback?: () => void): void;
  /** Takes the plugin away, with all its hooks, before the next instruction, then calls back. */
  uninstall(callback?: () => void): void;
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
