/**
 * Pass: instructions whose result nobody reads are dropped.
 *
 * @module
 */

import { computeLiveness, RegisterSet } from "./liveness.ts";
import {
  type MachineFunction,
  type MachineInstruction,
  type Operation,
  readsFlags,
  visitRegisters,
  writesFlags,
} from "./machine.ts";
import { FIRST_VIRTUAL } from "./registers.ts";

/** Operations without any effect but their register result and the flags. */
const PURE: ReadonlySet<Operation> = new Set<Operation>([
  "mov",
  "movzx",
  "movsx",
  "lea",
  "setcc",
  "imul3",
  "bsr",
  "bsf",
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
  "neg",
  "not",
  "imul",
  "cmov",
  "shld",
  "shrd",
  "shldcl",
  "shrdcl",
  "bswap",
  "zero",
]);

function isDead(instruction: MachineInstruction, live: RegisterSet, flagsLive: boolean): boolean {
  const { operation, destination, pinned } = instruction;
  if (!PURE.has(operation) || pinned === true || destination?.kind !== "register") return false;
  if (destination.register < FIRST_VIRTUAL || live.has(destination.register)) return false;
  return !(flagsLive && writesFlags(operation));
}

/** Drops dead instructions until none is left. */
export function eliminateDead(func: MachineFunction): void {
  for (let changed = true; changed;) {
    changed = false;
    const { atEnd } = computeLiveness(func);
    const [live] = RegisterSet.create(1, func.registerCount) as [RegisterSet];
    func.blocks.forEach((block, index) => {
      live.copyFrom(atEnd[index] as RegisterSet);
      let flagsLive = false;
      const kept: MachineInstruction[] = [];
      for (const instruction of block.instructions.toReversed()) {
        if (isDead(instruction, live, flagsLive)) {
          changed = true;
          continue;
        }
        if (writesFlags(instruction.operation)) flagsLive = false;
        if (readsFlags(instruction.operation)) flagsLive = true;
        const reads: number[] = [];
        visitRegisters(
          instruction,
          (register) => reads.push(register),
          (register) => live.delete(register),
        );
        for (const register of reads) live.add(register);
        kept.push(instruction);
      }
      block.instructions = kept.reverse();
    });
  }
}
