/**
 * What of the guest plugins ask by name: symbols and symbolised stacks.
 *
 * @module
 */
import type { GuestProcess, StackFrame, SymbolAt, Symbols } from "../api/mod.ts";
import type { GuestMemory } from "./guest_process.ts";
import { walkStack } from "./stack.ts";
import type { SymbolTable } from "./symbols.ts";
import type { PluginTarget } from "./target.ts";

const USER_RPL = 3;

/** Symbols of the kernel, and of the running process's program. */
export class TargetSymbols implements Symbols {
  readonly #target: PluginTarget;
  readonly #process: () => GuestProcess | undefined;

  constructor(target: PluginTarget, process: () => GuestProcess | undefined) {
    this.#target = target;
    this.#process = process;
  }

  table(address: number): SymbolTable | undefined {
    const { kernel } = this.#target;
    if (kernel?.covers(address)) return kernel;
    const program = this.#process()?.program ?? "";
    return program === "" ? undefined : this.#target.program(program);
  }

  at(address: number): SymbolAt | undefined {
    return this.table(address)?.at(address);
  }

  find(name: string): number | undefined {
    return this.#target.kernel?.find(name);
  }
}

/** The stack's frames, innermost first. */
export function symbolisedStack(
  target: PluginTarget,
  symbols: TargetSymbols,
  memory: GuestMemory,
  limit: number,
): StackFrame[] {
  const { registers } = target.cpu;
  const isKernel = (address: number): boolean => target.kernel?.covers(address) ?? false;
  const addresses = walkStack({
    eip: (registers.get("eip") + registers.get("cs_base")) >>> 0,
    esp: registers.get("esp"),
    ebp: registers.get("ebp"),
    word: memory.word,
    byte: memory.byte,
    functionStart: (address) => {
      const symbol = symbols.at(address);
      return symbol === undefined ? undefined : (address - symbol.offset) >>> 0;
    },
    isKernel,
  }, limit);
  const userNow = (registers.get("cs") & USER_RPL) === USER_RPL;
  return addresses.map((address, index) => {
    // A return address may be the first byte of the next function: the call stands before it.
    const site = index === 0 ? address : address - 1;
    return {
      address,
      symbol: symbols.at(site),
      user: index === 0 ? userNow : userNow || !isKernel(address),
    };
  });
}
