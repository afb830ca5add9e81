/**
 * Pass: a virtual register that holds unrelated values becomes several, one a web (a connected set of
 * definitions and uses). It undoes Binaryen's coalescing of locals, without which the allocator would see
 * values live for far too long.
 *
 * Muchnick, Advanced Compiler Design and Implementation, §16.3.3.
 *
 * @module
 */

import { computeLiveness } from "./liveness.ts";
import {
  type MachineFunction,
  type MachineInstruction,
  type Operand,
  registerOperand,
  visitRegisters,
  writesOnly,
} from "./machine.ts";
import { FIRST_VIRTUAL } from "./registers.ts";

/** Disjoint sets of definitions, each with the register that it came from. */
class Webs {
  readonly #parents: number[] = [];
  readonly #registers: number[] = [];

  /** A new set. */
  create(register: number): number {
    this.#registers.push(register);
    return this.#parents.push(this.#parents.length) - 1;
  }

  find(web: number): number {
    while (this.#parents[web] !== web) {
      const parent = this.#parents[web] as number;
      web = this.#parents[web] = this.#parents[parent] as number;
    }
    return web;
  }

  join(a: number, b: number): void {
    this.#parents[this.find(a)] = this.find(b);
  }

  register(web: number): number {
    return this.#registers[web] as number;
  }
}

/** An instruction with the webs that its registers belong to before and behind it. */
interface Renaming {
  readonly instruction: MachineInstruction;
  readonly before: ReadonlyMap<number, number>;
  readonly after: ReadonlyMap<number, number>;
}

/** Splits the registers of a function. */
export function splitWebs(func: MachineFunction): void {
  const webs = new Webs();
  const { atStart } = computeLiveness(func);
  const entries = atStart.map((set) => {
    const entry = new Map<number, number>();
    set.forEach((register) => {
      if (register >= FIRST_VIRTUAL) entry.set(register, webs.create(register));
    });
    return entry;
  });
  const renamings: Renaming[] = [];
  func.blocks.forEach((block, index) => {
    const current = new Map(entries[index]);
    for (const instruction of block.instructions) {
      renamings.push(renameOne(instruction, current, webs));
    }
    for (const next of block.successors) {
      for (const [register, web] of entries[next.index] as ReadonlyMap<number, number>) {
        const reaching = current.get(register);
        if (reaching !== undefined) webs.join(web, reaching);
      }
    }
  });
  assignNumbers(func, renamings, webs);
}

function renameOne(
  instruction: MachineInstruction,
  current: Map<number, number>,
  webs: Webs,
): Renaming {
  const before = new Map<number, number>();
  const after = new Map<number, number>();
  visitRegisters(
    instruction,
    (register) => {
      if (register < FIRST_VIRTUAL) return;
      let web = current.get(register);
      if (web === undefined) current.set(register, web = webs.create(register));
      before.set(register, web);
    },
    (register) => {
      if (register < FIRST_VIRTUAL) return;
      const web = webs.create(register);
      const read = before.get(register);
      // A two-operand instruction continues the web that it reads as its destination.
      if (read !== undefined && !writesOnly(instruction.operation)) webs.join(web, read);
      current.set(register, web);
      after.set(register, web);
    },
  );
  return { instruction, before, after };
}

function assignNumbers(func: MachineFunction, renamings: readonly Renaming[], webs: Webs): void {
  const numbers = new Map<number, number>();
  const taken = new Set<number>();
  const bytes: number[] = [];
  const number = (web: number): number => {
    const root = webs.find(web);
    let found = numbers.get(root);
    if (found === undefined) {
      const register = webs.register(root);
      // The first web of a register keeps its number.
      found = taken.has(register) ? func.registerCount++ : register;
      taken.add(register);
      numbers.set(root, found);
      if (func.byteRegisters.has(register)) bytes.push(found);
    }
    return found;
  };
  for (const { instruction, before, after } of renamings) {
    const renamed = (register: number): number => {
      const web = before.get(register);
      return web === undefined ? register : number(web);
    };
    const { source, destination } = instruction;
    instruction.source = renameOperand(source, renamed);
    const written = destination?.kind === "register" ? after.get(destination.register) : undefined;
    instruction.destination = written === undefined
      ? renameOperand(destination, renamed)
      : registerOperand(number(written));
  }
  for (const register of bytes) func.byteRegisters.add(register);
}

function renameOperand(
  operand: Operand | undefined,
  renamed: (register: number) => number,
): Operand | undefined {
  if (operand?.kind === "register") return registerOperand(renamed(operand.register));
  if (operand?.kind !== "memory") return operand;
  return { ...operand, base: renamed(operand.base), index: renamed(operand.index) };
}
