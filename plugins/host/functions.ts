/**
 * Calls and returns of functions by name. A call is seen at the function's first instruction, however it came there; a
 * return where its return address runs with the stack behind it. So tail calls return for those that made them, and
 * what never returns (a task that ends, longjmp) is forgotten after a while. Tasks are told apart by their stacks.
 *
 * @module
 */
import type { TranslatedInstruction } from "../../cpu/mod.ts";
import type { CallingConvention, FunctionCall, FunctionReturn } from "../api/mod.ts";
import { wildcard } from "../api/mod.ts";
import type { GuestMemory } from "./guest_process.ts";
import type { TargetSymbols } from "./guest.ts";
import type { PluginTarget } from "./target.ts";

const WORD = 4;
/** Calls that are remembered until they return; some never do. */
const PENDING_MAX = 65_536;
/** What a callee may take off the stack beside its return address (RET n). */
const RELEASED_MAX = 256;
/** Arguments that are read at the call for those who ask at its return. */
const KEPT_ARGS = 6;
const REGISTERS: Readonly<Record<CallingConvention, readonly string[]>> = {
  cdecl: [],
  regparm3: ["eax", "edx", "ecx"],
};

interface Pending {
  readonly call: FunctionCall;
  readonly started: number;
  readonly space: number;
  readonly returned: (event: FunctionReturn) => void;
}

/** What is told of a subscription's calls. */
export interface CallListener {
  /** The function's name, with `*`. */
  readonly pattern: string;
  readonly convention: CallingConvention;
  /** A call; false when its return is of no interest. */
  called(call: FunctionCall): boolean;
  /** Its return; absent: nobody asks. */
  returned?(event: FunctionReturn): void;
}

/** Calls and returns on one machine, for one plugin. */
export class Functions {
  readonly #target: PluginTarget;
  readonly #memory: GuestMemory;
  readonly #symbols: TargetSymbols;
  /** By return address, the youngest last. */
  readonly #pending = new Map<number, Pending[]>();
  #count = 0;
  /** Who hears of returns. */
  readonly #returning = new Set<CallListener>();
  /** Hooks on return addresses. */
  readonly #sites = new Map<number, Disposable>();

  constructor(target: PluginTarget, memory: GuestMemory, symbols: TargetSymbols) {
    this.#target = target;
    this.#memory = memory;
    this.#symbols = symbols;
  }

  /** Tells a listener of calls from now on. */
  listen(listener: CallListener): Disposable {
    const { hooks } = this.#target.cpu;
    const { pattern } = listener;
    if (listener.returned !== undefined) this.#returning.add(listener);
    const matches = wildcard(pattern);
    const hook = (instruction: TranslatedInstruction): void => {
      const found = this.#symbols.at(instruction.address);
      if (found === undefined || found.offset !== 0 || !matches(found.name)) return;
      instruction.onExecute(() => this.#called(found.name, instruction.address, listener));
    };
    // One function of the kernel: no other code has to be translated anew.
    const only = pattern.includes("*") ? undefined : this.#symbols.find(pattern);
    const hooked = hooks.onTranslate(
      (block) => block.instructions.forEach(hook),
      only === undefined ? undefined : { start: only, end: only + 1 },
    );
    return {
      [Symbol.dispose]: () => {
        hooked[Symbol.dispose]();
        this.#returning.delete(listener);
        if (this.#returning.size === 0) this.forget();
      },
    };
  }
  /** Forgets all calls, and takes the hooks on their returns away. */
  forget(): void {
    for (const site of this.#sites.values()) site[Symbol.dispose]();
    this.#sites.clear();
    this.#pending.clear();
    this.#count = 0;
  }

  #called(symbol: string, address: number, listener: CallListener): void {
    const { cpu } = this.#target;
    const { registers } = cpu;
    const esp = registers.get("esp");
    const stack = (registers.get("ss_base") + esp) >>> 0;
    const memory = this.#memory;
    const inRegisters = REGISTERS[listener.convention].map((name) => registers.get(name));
    const known: number[] = [];
    const call: FunctionCall = {
      symbol,
      address,
      esp,
      returnAddress: (memory.word(stack) ?? 0) + registers.get("cs_base") >>> 0,
      args: (count) => {
        for (let i = known.length; i < count; i++) {
          const place = stack + WORD * (1 + i - inRegisters.length);
          known.push(inRegisters[i] ?? memory.word(place >>> 0) ?? 0);
        }
        return known.slice(0, count);
      },
    };
    const { returned } = listener;
    if (!listener.called(call) || returned === undefined) return;
    // The function may use their places for something else.
    call.args(KEPT_ARGS);
    this.#await({
      call,
      started: cpu.instructions,
      space: registers.get("cr3"),
      returned: (event) => {
        if (this.#returning.has(listener)) returned.call(listener, event);
      },
    });
  }
  #await(pending: Pending): void {
    const { returnAddress } = pending.call;
    if (this.#count >= PENDING_MAX) this.#dropOldest();
    const list = this.#pending.get(returnAddress);
    if (list === undefined) this.#pending.set(returnAddress, [pending]);
    else list.push(pending);
    this.#count++;
    if (this.#sites.has(returnAddress) || returnAddress === 0) return;
    const range = { start: returnAddress, end: returnAddress + 1 };
    this.#sites.set(
      returnAddress,
      this.#target.cpu.hooks.onTranslate((block) => {
        for (const one of block.instructions) {
          if (one.address === returnAddress) one.onExecute(() => this.#arrived(returnAddress));
        }
      }, range),
    );
  }
  #dropOldest(): void {
    for (const [address, list] of this.#pending) {
      list.shift();
      this.#count--;
      if (list.length === 0) this.#pending.delete(address);
      return;
    }
  }
  /** The instruction at a return address is about to run: which calls have returned, the innermost first? */
  #arrived(address: number): void {
    const list = this.#pending.get(address);
    if (list === undefined) return;
    const { cpu } = this.#target;
    const { registers } = cpu;
    const [esp, space] = [registers.get("esp"), registers.get("cr3")];
    for (let i = list.length - 1; i >= 0; i--) {
      const { call, started, space: its, returned } = list[i] as Pending;
      const released = (esp - call.esp) | 0;
      if (its !== space || released < WORD || released > WORD + RELEASED_MAX) continue;
      list.splice(i, 1);
      this.#count--;
      const value = registers.get("eax");
      returned({
        call,
        value,
        value64: (BigInt(registers.get("edx")) << 32n) | BigInt(value),
        instructions: cpu.instructions - started,
      });
    }
    if (list.length === 0) this.#pending.delete(address);
  }
}
