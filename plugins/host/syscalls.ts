/**
 * System calls as programs make them: INT and SYSENTER at CPL 3, and the IRET or SYSEXIT with which the kernel goes
 * back behind them. Only these four instructions get hooks; a return belongs to the call that was made in the same
 * address space with the same stack pointer. Sources: SDM vol. 2 (INT n, IRET, SYSENTER, SYSEXIT).
 *
 * @module
 */
import type { Cpu, TranslatedInstruction } from "../../cpu/mod.ts";
import type { Syscall, SyscallAbi, SyscallReturn } from "../api/mod.ts";
import { opcodeOf } from "./code.ts";
import type { GuestMemory } from "./guest_process.ts";

/**
 * Linux on i386: arch/x86/entry/entry_32.S. SYSENTER comes from the vDSO, which has pushed ECX, EDX and EBP, with an
 * INT 80h behind it to restart; the sixth argument is what EBP points at.
 */
export const LINUX_I386: SyscallAbi = {
  name: "Linux i386",
  vector: 0x80,
  number: "eax",
  args: ["ebx", "ecx", "edx", "esi", "edi", "ebp"],
  result: "eax",
  sysenter: { returnOffset: 4, indirect: 5 },
};

const OPCODE = { INT: 0xcd, IRET: 0xcf, SYSENTER: 0x0f34, SYSEXIT: 0x0f35 } as const;
const VM = 0x20000;
/** Calls that are remembered until they return; some never do. */
const PENDING_MAX = 4096;

/** What is told of calls. */
export interface SyscallListener {
  readonly abi: SyscallAbi;
  /** A call is about to be made; a number answers it. */
  enter?(call: Syscall): number | undefined;
  /** One that was made is about to return. */
  leave?(event: SyscallReturn): void;
}

/** Tells listeners of calls, filters behind the others. */
export class Syscalls {
  readonly #cpu: Cpu;
  readonly #memory: GuestMemory;
  readonly #listeners = new Set<SyscallListener>();
  readonly #filters = new Set<SyscallListener>();
  /** By where and with which stack it returns; one for each way that somebody takes calls to look. */
  readonly #pending = new Map<string, Map<SyscallAbi, Syscall>>();
  #hooks: Disposable | undefined;

  constructor(cpu: Cpu, memory: GuestMemory) {
    this.#cpu = cpu;
    this.#memory = memory;
  }

  /** Adds a listener, or one whose answers count. */
  add(listener: SyscallListener, isFilter: boolean): Disposable {
    const set = isFilter ? this.#filters : this.#listeners;
    set.add(listener);
    this.#hooks ??= this.#cpu.hooks.onTranslate((block) => {
      for (const each of block.instructions) this.#hook(each);
    });
    return {
      [Symbol.dispose]: () => {
        set.delete(listener);
        if (this.#listeners.size + this.#filters.size > 0) return;
        this.#hooks?.[Symbol.dispose]();
        this.#hooks = undefined;
        this.#pending.clear();
      },
    };
  }

  #hook(instruction: TranslatedInstruction): void {
    const { address, size } = instruction;
    const bytes = instruction.bytes();
    switch (opcodeOf(bytes)) {
      case OPCODE.INT: {
        const vector = bytes.at(-1);
        instruction.onExecute(() => this.#enter("int", address, size, vector));
        return;
      }
      case OPCODE.SYSENTER:
        instruction.onExecute(() => this.#enter("sysenter", address, size, undefined));
        return;
      case OPCODE.IRET:
        instruction.onExecute(() => this.#leaveByIret());
        return;
      case OPCODE.SYSEXIT:
        instruction.onExecute(() => {
          const { registers } = this.#cpu;
          if (registers.get("cpl") === 0) this.#leave(registers.get("edx"), registers.get("ecx"));
        });
        return;
    }
  }

  #enter(by: Syscall["by"], address: number, size: number, vector: number | undefined): void {
    const { registers } = this.#cpu;
    if (registers.get("cpl") !== 3 || (registers.get("eflags") & VM) !== 0) return;
    const seen = [...this.#listeners, ...this.#filters];
    const asked = seen.filter(({ abi }) =>
      by === "int" ? abi.vector === vector : abi.sysenter !== undefined
    );
    const key = (offset: number): string =>
      this.#key((registers.get("eip") + offset) >>> 0, registers.get("esp"));
    const calls = new Map<SyscallAbi, Syscall>();
    const callOf = (abi: SyscallAbi): Syscall => {
      const known = calls.get(abi);
      if (known !== undefined) return known;
      const args = abi.args.map((name, index) => {
        const value = registers.get(name);
        if (by === "int" || abi.sysenter?.indirect !== index) return value;
        return this.#memory.word(value) ?? 0;
      });
      const call: Syscall = { number: registers.get(abi.number), args, address, by };
      calls.set(abi, call);
      return call;
    };
    for (const listener of asked) {
      const { abi } = listener;
      const call = callOf(abi);
      const offset = by === "int" ? size : abi.sysenter?.returnOffset ?? size;
      const at = key(offset);
      // (The youngest is the last.)
      this.#pending.delete(at);
      this.#pending.set(at, calls);
      if (this.#pending.size > PENDING_MAX) {
        this.#pending.delete(this.#pending.keys().next().value as string);
      }
      const answer = listener.enter?.(call);
      if (answer === undefined) continue;
      registers.set(abi.result, answer);
      const { eip, esp } = { eip: registers.get("eip"), esp: registers.get("esp") };
      registers.set("eip", (eip + offset) >>> 0);
      this.#leave((eip + offset) >>> 0, esp);
      return;
    }
  }

  #leaveByIret(): void {
    const { registers } = this.#cpu;
    if (registers.get("cpl") !== 0 || this.#pending.size === 0) return;
    const stack = (registers.get("ss_base") + registers.get("esp")) >>> 0;
    const [eip, cs, flags, esp] = [0, 4, 8, 12].map((at) => this.#memory.word(stack + at));
    if (eip === undefined || cs === undefined || flags === undefined || esp === undefined) return;
    if ((cs & 3) === 3 && (flags & VM) === 0) this.#leave(eip, esp);
  }

  #leave(eip: number, esp: number): void {
    const key = this.#key(eip, esp);
    const calls = this.#pending.get(key);
    if (calls === undefined) return;
    this.#pending.delete(key);
    const { registers } = this.#cpu;
    for (const listener of [...this.#listeners, ...this.#filters]) {
      const call = calls.get(listener.abi);
      if (call === undefined) continue;
      const result = registers.get(listener.abi.result) | 0;
      listener.leave?.({ call, number: call.number, result });
    }
  }

  #key(eip: number, esp: number): string {
    return `${this.#cpu.registers.get("cr3")}:${eip}:${esp}`;
  }
}
