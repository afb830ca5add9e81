/**
 * Pass after allocation: shorter forms of neighbouring instructions in a block.
 *
 * - moves of a register to itself go;
 * - `mov a, b; add a, c` becomes LEA, also for SUB and small SHL;
 * - `mov r, 0` becomes XOR, `cmp r, 0` TEST, `add r, 1` INC, and so on.
 *
 * What changes the flags is done only where nobody reads them. At a block's end the flags are dead.
 *
 * @module
 */

import {
  type MachineInstruction,
  memory,
  type MemoryOperand,
  NONE,
  readsFlags,
  writesFlags,
} from "./machine.ts";

/** Largest shift that an address can hold. */
const SCALE_LIMIT = 3;

/** Improves the instructions of a block. */
export function peephole(instructions: readonly MachineInstruction[]): MachineInstruction[] {
  return shorten(combineMoves(instructions));
}

/** Whether somebody reads the flags that stand behind instruction `index`. */
function flagsLiveAfter(instructions: readonly MachineInstruction[], index: number): boolean {
  for (let i = index + 1; i < instructions.length; i++) {
    const { operation } = instructions[i] as MachineInstruction;
    if (readsFlags(operation)) return true;
    if (writesFlags(operation)) return false;
  }
  return false;
}

function combineMoves(instructions: readonly MachineInstruction[]): MachineInstruction[] {
  const result: MachineInstruction[] = [];
  for (let i = 0; i < instructions.length; i++) {
    const move = instructions[i] as MachineInstruction;
    const { source, destination } = move;
    const moves = move.operation === "mov" && source?.kind === "register" &&
      destination?.kind === "register";
    if (!moves) {
      result.push(move);
      continue;
    }
    if (source.register === destination.register) continue;
    const next = instructions[i + 1];
    const changes = next?.destination?.kind === "register" &&
      next.destination.register === destination.register;
    const address = changes ? asAddress(next, source.register) : undefined;
    if (address === undefined || flagsLiveAfter(instructions, i + 1)) {
      result.push(move);
      continue;
    }
    result.push({ operation: "lea", destination, source: address, offset: move.offset });
    i++;
  }
  return result;
}

/** The address that equals what `instruction` computes if its destination first held `register`. */
function asAddress(instruction: MachineInstruction, register: number): MemoryOperand | undefined {
  const { operation, source, destination } = instruction;
  if (source?.kind === "immediate") {
    if (operation === "add") return memory(register, source.value, NONE, 1, source.symbol);
    if (source.symbol !== undefined) return undefined;
    if (operation === "sub") return memory(register, -source.value);
    if (operation !== "shl" || source.value > SCALE_LIMIT) return undefined;
    if (source.value === 1) return memory(register, 0, register, 1);
    return memory(NONE, 0, register, 1 << source.value);
  }
  if (operation !== "add" || source?.kind !== "register") return undefined;
  const own = destination?.kind === "register" && destination.register === source.register;
  return memory(register, 0, own ? register : source.register, 1);
}

function shorten(instructions: MachineInstruction[]): MachineInstruction[] {
  let flagsLive = false;
  for (let i = instructions.length - 1; i >= 0; i--) {
    const shorter = shorterForm(instructions[i] as MachineInstruction, flagsLive);
    instructions[i] = shorter;
    if (writesFlags(shorter.operation)) flagsLive = false;
    if (readsFlags(shorter.operation)) flagsLive = true;
  }
  return instructions;
}

function shorterForm(instruction: MachineInstruction, flagsLive: boolean): MachineInstruction {
  const { operation, source, destination, width } = instruction;
  if (source?.kind !== "immediate" || source.symbol !== undefined) return instruction;
  const { value } = source;
  switch (operation) {
    case "mov":
      if (value !== 0 || destination?.kind !== "register" || flagsLive) return instruction;
      return { ...instruction, operation: "zero", source: undefined };
    case "cmp":
      if (value !== 0 || destination?.kind !== "register" || width !== undefined) {
        return instruction;
      }
      return { ...instruction, operation: "test", source: destination };
    case "add":
    case "sub": {
      if ((value !== 1 && value !== -1) || flagsLive) return instruction;
      const up = (operation === "add") === (value === 1);
      return { ...instruction, operation: up ? "inc" : "dec", source: undefined };
    }
    default:
      return instruction;
  }
}
