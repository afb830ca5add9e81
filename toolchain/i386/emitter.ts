/**
 * Where instruction selection puts its instructions.
 *
 * @module
 */

import {
  immediate,
  type MachineBlock,
  type MachineInstruction,
  type Operand,
  registerOperand,
} from "./machine.ts";
import { FIRST_VIRTUAL } from "./registers.ts";

/** Appends instructions to the current block and hands out virtual registers. */
export class Emitter {
  current: MachineBlock;
  registerCount: number;
  readonly byteRegisters: Set<number> = new Set();
  /** Place in the Wasm file for the instructions that follow. */
  offset = 0;

  constructor(current: MachineBlock, registerCount: number) {
    this.current = current;
    this.registerCount = registerCount;
  }

  newRegister(): number {
    return this.registerCount++;
  }

  emit(instruction: Omit<MachineInstruction, "offset">): void {
    this.current.instructions.push({ ...instruction, offset: this.offset });
  }

  /** `destination op= source` on a register. */
  binary(operation: MachineInstruction["operation"], register: number, source: Operand): void {
    this.emit({ operation, destination: registerOperand(register), source });
  }

  /** `op register`. */
  unary(operation: MachineInstruction["operation"], register: number): void {
    this.emit({ operation, destination: registerOperand(register) });
  }

  move(register: number, source: Operand): void {
    this.binary("mov", register, source);
  }

  /** The operand's value in a fresh register, which may be changed. */
  copy(source: Operand): number {
    const register = this.newRegister();
    this.move(register, source);
    return register;
  }

  copyRegister(register: number): number {
    return this.copy(registerOperand(register));
  }

  constant(value: number): number {
    return this.copy(immediate(value));
  }

  /** Demands a register with a low byte. */
  byte(register: number): number {
    if (register >= FIRST_VIRTUAL) this.byteRegisters.add(register);
    return register;
  }
}
