/**
 * Pass: registers that got no colour live in the frame. Instructions that can take a memory operand work on
 * the slot directly; others get a short-lived register. Constants are not stored but loaded anew.
 *
 * @module
 */

import type { Colouring } from "./colour.ts";
import {
  type ImmediateOperand,
  type MachineFunction,
  type MachineInstruction,
  type MemoryOperand,
  NONE,
  type Operand,
  type Operation,
  readsOnly,
  registerOperand,
  visitRegisters,
  writesOnly,
} from "./machine.ts";
import { EBP, FIRST_VIRTUAL } from "./registers.ts";

/** Operations that can change memory in place. */
const MEMORY_DESTINATION: ReadonlySet<Operation> = new Set<Operation>([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "adc",
  "sbb",
  "cmp",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
  "neg",
  "not",
  "test",
]);

/** Operations that can read memory. */
const MEMORY_SOURCE: ReadonlySet<Operation> = new Set<Operation>([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "adc",
  "sbb",
  "cmp",
  "imul",
  "imul3",
  "cmov",
  "push",
  "mul",
  "imul1",
  "div",
  "idiv",
  "mov",
  "call",
  "movzx",
  "movsx",
  "bsr",
  "bsf",
]);

/** Operations that can take a 32-bit immediate as their source. */
const IMMEDIATE_SOURCE: ReadonlySet<Operation> = new Set<Operation>([
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "cmp",
  "adc",
  "sbb",
  "mov",
  "push",
  "test",
]);

/** Moves the colouring's spilled registers to the frame. */
export function spillRegisters(func: MachineFunction, colouring: Colouring): void {
  new Spiller(func, colouring).run();
}

class Spiller {
  #function: MachineFunction;
  #colouring: Colouring;
  #spilled: ReadonlySet<number>;
  #slots = new Map<number, number>();
  #constants: Map<number, ImmediateOperand>;
  /** Instructions to put before and behind the current one. */
  #before: MachineInstruction[] = [];
  #after: MachineInstruction[] = [];

  constructor(func: MachineFunction, colouring: Colouring) {
    this.#function = func;
    this.#colouring = colouring;
    this.#spilled = new Set(colouring.spilled);
    this.#constants = this.#findConstants();
    for (const register of colouring.spilled) {
      if (!this.#constants.has(register)) this.#slots.set(register, func.slotCount++);
    }
  }

  run(): void {
    for (const block of this.#function.blocks) {
      const rewritten: MachineInstruction[] = [];
      for (const instruction of block.instructions) {
        this.#before = [];
        this.#after = [];
        const kept = this.#rewrite(instruction);
        rewritten.push(...this.#before);
        if (kept) rewritten.push(instruction);
        rewritten.push(...this.#after);
      }
      block.instructions = rewritten;
    }
  }

  /** The spilled register that this one is or was merged into, if any. */
  #spilledAs(register: number): number | undefined {
    if (register < FIRST_VIRTUAL) return undefined;
    const representative = this.#colouring.representative(register);
    return this.#spilled.has(representative) ? representative : undefined;
  }

  #operandSpilledAs(operand: Operand | undefined): number | undefined {
    return operand?.kind === "register" ? this.#spilledAs(operand.register) : undefined;
  }

  /** Spilled registers that are only ever set to one constant. */
  #findConstants(): Map<number, ImmediateOperand> {
    const found = new Map<number, ImmediateOperand | undefined>();
    for (const block of this.#function.blocks) {
      for (const instruction of block.instructions) {
        visitRegisters(instruction, () => {}, (register) => {
          const spilled = this.#spilledAs(register);
          if (spilled === undefined) return;
          const { operation, source } = instruction;
          const moves = operation === "mov";
          // A move within one merged register changes nothing.
          if (moves && this.#operandSpilledAs(source) === spilled) return;
          const value = moves && source?.kind === "immediate" ? source : undefined;
          const known = found.get(spilled);
          const same = !found.has(spilled) ||
            (known !== undefined && known.value === value?.value && known.symbol === value.symbol);
          found.set(spilled, same ? value : undefined);
        });
      }
    }
    const constants = new Map<number, ImmediateOperand>();
    for (const [register, value] of found) {
      if (value !== undefined) constants.set(register, value);
    }
    return constants;
  }

  #slot(register: number): MemoryOperand {
    return {
      kind: "memory",
      base: EBP,
      index: NONE,
      scale: 1,
      displacement: 0,
      symbol: undefined,
      slot: this.#slots.get(register) as number,
    };
  }

  #temporary(): number {
    const register = this.#function.registerCount++;
    this.#function.unspillable.add(register);
    return register;
  }

  /** The spilled value in a register, loaded before the instruction. */
  #loaded(spilled: number, offset: number): number {
    const register = this.#temporary();
    const source = this.#constants.get(spilled) ?? this.#slot(spilled);
    const destination = registerOperand(register);
    this.#before.push({ operation: "mov", destination, source, offset });
    return register;
  }

  #storeAfter(spilled: number, register: number, offset: number): void {
    const source = registerOperand(register);
    this.#after.push({ operation: "mov", destination: this.#slot(spilled), source, offset });
  }

  /** Rewrites an instruction; false if it is not needed any more. */
  #rewrite(instruction: MachineInstruction): boolean {
    const { operation, offset } = instruction;
    const destination = this.#operandSpilledAs(instruction.destination);
    const source = this.#operandSpilledAs(instruction.source);
    if (operation === "mov" && destination !== undefined) {
      if (destination === source || this.#constants.has(destination)) return false;
    }
    const hasMemory = instruction.destination?.kind === "memory" ||
      instruction.source?.kind === "memory";
    instruction.destination = this.#rewriteAddress(instruction.destination, offset);
    instruction.source = this.#rewriteAddress(instruction.source, offset);
    if (source !== undefined && source === destination) {
      this.#rewriteBoth(instruction, source);
      return true;
    }
    if (source !== undefined) this.#rewriteSource(instruction, source, destination, hasMemory);
    if (destination !== undefined) this.#rewriteDestination(instruction, destination);
    return true;
  }

  #rewriteAddress(operand: Operand | undefined, offset: number): Operand | undefined {
    if (operand?.kind !== "memory") return operand;
    const base = this.#spilledAs(operand.base);
    const index = this.#spilledAs(operand.index);
    const newBase = base === undefined ? operand.base : this.#loaded(base, offset);
    const newIndex = index === undefined
      ? operand.index
      : index === base
      ? newBase
      : this.#loaded(index, offset);
    return { ...operand, base: newBase, index: newIndex };
  }

  /** `op v, v`. */
  #rewriteBoth(instruction: MachineInstruction, spilled: number): void {
    const register = this.#loaded(spilled, instruction.offset);
    const old = instruction.source;
    if (old?.kind === "register" && this.#function.byteRegisters.has(old.register)) {
      this.#function.byteRegisters.add(register);
    }
    instruction.source = instruction.destination = registerOperand(register);
    if (!readsOnly(instruction.operation)) this.#storeAfter(spilled, register, instruction.offset);
  }

  #rewriteSource(
    instruction: MachineInstruction,
    spilled: number,
    destination: number | undefined,
    hasMemory: boolean,
  ): void {
    const { operation, width } = instruction;
    const constant = this.#constants.get(spilled);
    if (constant !== undefined && IMMEDIATE_SOURCE.has(operation)) {
      if (!(hasMemory && constant.symbol !== undefined && width !== undefined)) {
        instruction.source = constant;
        return;
      }
    }
    const destinationIsMemory = destination !== undefined &&
      (MEMORY_DESTINATION.has(operation) || operation === "mov");
    if (
      constant === undefined && MEMORY_SOURCE.has(operation) && !hasMemory && !destinationIsMemory
    ) {
      instruction.source = this.#slot(spilled);
      return;
    }
    const register = this.#loaded(spilled, instruction.offset);
    const usesByte = width === 8 &&
      (operation === "mov" || operation === "movzx" || operation === "movsx");
    if (usesByte) this.#function.byteRegisters.add(register);
    instruction.source = registerOperand(register);
  }

  #rewriteDestination(instruction: MachineInstruction, spilled: number): void {
    const { operation, offset } = instruction;
    const sourceIsMemory = instruction.source?.kind === "memory";
    if (operation === "mov" && !sourceIsMemory) {
      instruction.destination = this.#slot(spilled);
      return;
    }
    if (MEMORY_DESTINATION.has(operation) && !sourceIsMemory) {
      instruction.destination = this.#constants.has(spilled)
        ? registerOperand(this.#loaded(spilled, offset))
        : this.#slot(spilled);
      return;
    }
    const register = writesOnly(operation) ? this.#temporary() : this.#loaded(spilled, offset);
    if (operation === "setcc") this.#function.byteRegisters.add(register);
    instruction.destination = registerOperand(register);
    if (!readsOnly(operation)) this.#storeAfter(spilled, register, offset);
  }
}
