/**
 * Encodes single i386 instructions with machine registers (SDM vol. 2, in particular §2.1 and appendix B).
 *
 * Branches are encoded by `emit.ts`, which knows distances.
 *
 * @module
 */

import type { Condition } from "../ir/tree.ts";
import type { CodeBuffer } from "./code_buffer.ts";
import type { MachineInstruction, MemoryOperand, Operand, Operation } from "./machine.ts";
import { EAX, EBP, EBX, ESP } from "./registers.ts";

/** Numbers of conditions in Jcc, SETcc and CMOVcc (SDM vol. 1 appendix B). */
export const CONDITION_CODES: Readonly<Record<Condition, number>> = {
  b: 2,
  ae: 3,
  e: 4,
  ne: 5,
  be: 6,
  a: 7,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
};

/** The /digit of the arithmetic group; opcodes are 8 times it. */
const ARITHMETIC: Readonly<Partial<Record<Operation, number>>> = {
  add: 0,
  or: 1,
  adc: 2,
  sbb: 3,
  and: 4,
  sub: 5,
  xor: 6,
  cmp: 7,
};

const SHIFTS: Readonly<Partial<Record<Operation, number>>> = {
  rol: 0,
  ror: 1,
  shl: 4,
  shr: 5,
  sar: 7,
};

/** Opcode F7 with a /digit: on the destination, or on the source for those with fixed registers. */
const UNARY: Readonly<Partial<Record<Operation, number>>> = {
  not: 2,
  neg: 3,
  mul: 4,
  imul1: 5,
  div: 6,
  idiv: 7,
};

/** Opcode 0F xx with ModRM, destination in reg. */
const TWO_BYTE: Readonly<Partial<Record<Operation, number>>> = {
  imul: 0xaf,
  bsf: 0xbc,
  bsr: 0xbd,
};

/** Opcode 0F xx with ModRM, source in reg. */
const DOUBLE_SHIFTS: Readonly<Partial<Record<Operation, number>>> = {
  shld: 0xa4,
  shldcl: 0xa5,
  shrd: 0xac,
  shrdcl: 0xad,
};

function fitsByte(value: number): boolean {
  return value >= -128 && value < 128;
}

function registerOf(operand: Operand | undefined): number {
  if (operand?.kind !== "register") throw new Error("An instruction needs a register here");
  return operand.register;
}

function byteRegisterOf(operand: Operand | undefined): number {
  const register = registerOf(operand);
  if (register > EBX) throw new Error("The register has no low byte");
  return register;
}

/** ModRM with `reg` and a register or memory operand. */
function modrm(out: CodeBuffer, reg: number, operand: Operand | undefined): void {
  if (operand?.kind === "register") out.byte(0xc0 | reg << 3 | operand.register);
  else if (operand?.kind === "memory") memoryModrm(out, reg, operand);
  else throw new Error("An instruction needs a register or memory here");
}

function memoryModrm(out: CodeBuffer, reg: number, operand: MemoryOperand): void {
  let { base, index } = operand;
  const { scale, displacement, symbol } = operand;
  if (base < 0 && index >= 0 && scale === 1) [base, index] = [index, base];
  if (base < 0) {
    if (index < 0) out.byte(reg << 3 | EBP);
    else out.byte(reg << 3 | ESP, scaleBits(scale) | index << 3 | EBP);
    out.address(symbol, displacement);
    return;
  }
  if (index === ESP) [base, index] = [index, base];
  const plain = symbol === undefined && displacement === 0;
  // ebp as base needs a displacement, as index it does not.
  if (index >= 0 && base === EBP && scale === 1 && plain) [base, index] = [index, base];
  const mode = symbol !== undefined
    ? 2
    : displacement === 0 && base !== EBP
    ? 0
    : fitsByte(displacement)
    ? 1
    : 2;
  if (index >= 0 || base === ESP) {
    out.byte(mode << 6 | reg << 3 | ESP, scaleBits(scale) | (index >= 0 ? index : ESP) << 3 | base);
  } else out.byte(mode << 6 | reg << 3 | base);
  if (mode === 1) out.byte(displacement);
  else if (mode === 2) out.address(symbol, displacement);
}

function scaleBits(scale: number): number {
  return (31 - Math.clz32(scale)) << 6;
}

function isAbsolute(operand: Operand): operand is MemoryOperand {
  return operand.kind === "memory" && operand.base < 0 && operand.index < 0;
}

/** Appends an instruction that is no branch. */
export function encodeInstruction(out: CodeBuffer, instruction: MachineInstruction): void {
  const { operation, destination, source, condition } = instruction;
  const arithmetic = ARITHMETIC[operation];
  if (arithmetic !== undefined) return encodeArithmetic(out, instruction, arithmetic);
  const shift = SHIFTS[operation];
  if (shift !== undefined) return encodeShift(out, instruction, shift);
  const unary = UNARY[operation];
  if (unary !== undefined) {
    out.byte(0xf7);
    return modrm(out, unary, destination ?? source);
  }
  const twoByte = TWO_BYTE[operation];
  if (twoByte !== undefined) {
    out.byte(0x0f, twoByte);
    return modrm(out, registerOf(destination), source);
  }
  const doubleShift = DOUBLE_SHIFTS[operation];
  if (doubleShift !== undefined) {
    out.byte(0x0f, doubleShift);
    modrm(out, registerOf(source), destination);
    if (instruction.immediate !== undefined) out.byte(instruction.immediate);
    return;
  }
  switch (operation) {
    case "mov":
      return encodeMove(out, instruction);
    case "movzx":
    case "movsx":
      return encodeExtension(out, instruction);
    case "zero":
      out.byte(0x31);
      return modrm(out, registerOf(destination), destination);
    case "lea":
      out.byte(0x8d);
      return modrm(out, registerOf(destination), source);
    case "inc":
    case "dec":
      return encodeStep(out, operation, destination);
    case "test":
      return encodeTest(out, instruction);
    case "imul3": {
      const factor = instruction.immediate ?? 0;
      out.byte(fitsByte(factor) ? 0x6b : 0x69);
      modrm(out, registerOf(destination), source);
      if (fitsByte(factor)) out.byte(factor);
      else out.dword(factor);
      return;
    }
    case "bswap":
      return out.byte(0x0f, 0xc8 | registerOf(destination));
    case "setcc":
      out.byte(0x0f, 0x90 | conditionCode(condition), 0xc0 | byteRegisterOf(destination));
      return;
    case "cmov":
      out.byte(0x0f, 0x40 | conditionCode(condition));
      return modrm(out, registerOf(destination), source);
    case "cdq":
      return out.byte(0x99);
    case "push":
      return encodePush(out, source);
    case "call":
      return encodeCall(out, source);
    case "free": {
      const count = instruction.immediate ?? 0;
      if (fitsByte(count)) out.byte(0x83, 0xc4, count);
      else {
        out.byte(0x81, 0xc4);
        out.dword(count);
      }
      return;
    }
    case "ud2":
      return out.byte(0x0f, 0x0b);
    case "raw":
      return out.byte(...instruction.bytes ?? []);
    default:
      throw new Error(`${operation} is no plain instruction`);
  }
}

function conditionCode(condition: Condition | undefined): number {
  if (condition === undefined) throw new Error("The instruction needs a condition");
  return CONDITION_CODES[condition];
}

function encodeMove(out: CodeBuffer, { destination, source, width }: MachineInstruction): void {
  if (source === undefined || destination === undefined) throw new Error("MOV needs two operands");
  if (source.kind === "immediate") {
    if (destination.kind === "register") {
      out.byte(0xb8 | destination.register);
      return out.address(source.symbol, source.value);
    }
    if (width === 16) out.byte(0x66);
    out.byte(width === 8 ? 0xc6 : 0xc7);
    modrm(out, 0, destination);
    if (width === 8) out.byte(source.value);
    else if (width === 16) out.word(source.value);
    else out.address(source.symbol, source.value);
    return;
  }
  if (source.kind === "memory") {
    const register = registerOf(destination);
    if (register === EAX && isAbsolute(source)) {
      out.byte(0xa1);
      return out.address(source.symbol, source.displacement);
    }
    out.byte(0x8b);
    return modrm(out, register, source);
  }
  if (width === 8) {
    out.byte(0x88);
    return modrm(out, byteRegisterOf(source), destination);
  }
  if (width === 16) out.byte(0x66);
  if (isAbsolute(destination) && source.register === EAX) {
    out.byte(0xa3);
    return out.address(destination.symbol, destination.displacement);
  }
  out.byte(0x89);
  modrm(out, source.register, destination);
}

function encodeExtension(
  out: CodeBuffer,
  { operation, destination, source, width }: MachineInstruction,
): void {
  if (width === 8 && source?.kind === "register") byteRegisterOf(source);
  out.byte(0x0f, (operation === "movzx" ? 0xb6 : 0xbe) | (width === 16 ? 1 : 0));
  modrm(out, registerOf(destination), source);
}

function encodeArithmetic(
  out: CodeBuffer,
  { destination, source, width }: MachineInstruction,
  digit: number,
): void {
  if (source?.kind === "immediate") {
    const short = source.symbol === undefined && fitsByte(source.value);
    if (width === 8) {
      out.byte(0x80);
      modrm(out, digit, destination);
      out.byte(source.value);
    } else if (short) {
      out.byte(0x83);
      modrm(out, digit, destination);
      out.byte(source.value);
    } else if (destination?.kind === "register" && destination.register === EAX) {
      out.byte(digit << 3 | 5);
      out.address(source.symbol, source.value);
    } else {
      out.byte(0x81);
      modrm(out, digit, destination);
      out.address(source.symbol, source.value);
    }
  } else if (source?.kind === "memory") {
    out.byte(digit << 3 | 3);
    modrm(out, registerOf(destination), source);
  } else {
    out.byte(digit << 3 | 1);
    modrm(out, registerOf(source), destination);
  }
}

function encodeShift(
  out: CodeBuffer,
  { destination, source }: MachineInstruction,
  digit: number,
): void {
  if (source?.kind !== "immediate") {
    out.byte(0xd3);
    return modrm(out, digit, destination);
  }
  out.byte(source.value === 1 ? 0xd1 : 0xc1);
  modrm(out, digit, destination);
  if (source.value !== 1) out.byte(source.value);
}

function encodeStep(out: CodeBuffer, operation: "inc" | "dec", operand: Operand | undefined): void {
  const digit = operation === "inc" ? 0 : 1;
  if (operand?.kind === "register") out.byte(0x40 | digit << 3 | operand.register);
  else {
    out.byte(0xff);
    modrm(out, digit, operand);
  }
}

function encodeTest(out: CodeBuffer, { destination, source, width }: MachineInstruction): void {
  if (source?.kind === "register") {
    out.byte(0x85);
    return modrm(out, source.register, destination);
  }
  if (source?.kind === "memory") {
    out.byte(0x85);
    return modrm(out, registerOf(destination), source);
  }
  if (source?.kind !== "immediate") throw new Error("TEST needs two operands");
  const { value, symbol } = source;
  const byteRegister = destination?.kind === "register" && destination.register <= EBX;
  if (width === 8 || (byteRegister && symbol === undefined && value >= 0 && value < 0x80)) {
    if (destination?.kind === "register" && destination.register === EAX) out.byte(0xa8);
    else {
      out.byte(0xf6);
      modrm(out, 0, destination);
    }
    out.byte(value);
    return;
  }
  if (destination?.kind === "register" && destination.register === EAX) out.byte(0xa9);
  else {
    out.byte(0xf7);
    modrm(out, 0, destination);
  }
  out.address(symbol, value);
}

function encodePush(out: CodeBuffer, source: Operand | undefined): void {
  if (source?.kind === "register") out.byte(0x50 | source.register);
  else if (source?.kind === "immediate") {
    if (source.symbol === undefined && fitsByte(source.value)) out.byte(0x6a, source.value);
    else {
      out.byte(0x68);
      out.address(source.symbol, source.value);
    }
  } else {
    out.byte(0xff);
    modrm(out, 6, source);
  }
}

function encodeCall(out: CodeBuffer, source: Operand | undefined): void {
  if (source?.kind === "immediate" && source.symbol !== undefined) {
    out.byte(0xe8);
    out.distance(source.symbol);
  } else {
    out.byte(0xff);
    modrm(out, 2, source);
  }
}
