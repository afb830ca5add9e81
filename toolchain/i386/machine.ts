/**
 * Machine code before encoding: i386 instructions over virtual and machine registers.
 *
 * Most operations have the two-operand form of the machine (`destination op= source`). At most one
 * operand is memory. Registers that an instruction uses without naming them are in `reads` and `writes`.
 *
 * @module
 */

import type { Condition } from "../ir/tree.ts";
import { EAX, EDX } from "./registers.ts";

/** Absent base or index register. */
export const NONE = -1;

export interface RegisterOperand {
  readonly kind: "register";
  readonly register: number;
}
export interface ImmediateOperand {
  readonly kind: "immediate";
  readonly value: number;
  readonly symbol: string | undefined;
}
export interface MemoryOperand {
  readonly kind: "memory";
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly symbol: string | undefined;
  /** Number of the spill slot that this is; base and displacement follow from it at the end. */
  readonly slot: number | undefined;
}
export type Operand = RegisterOperand | ImmediateOperand | MemoryOperand;

/**
 * Operations. `imul1` is the one-operand form, `imul3` that with an immediate; `shld`/`shrd` shift by
 * `immediate`, `shldcl`/`shrdcl` by cl; `zero` is `xor r, r`; `free` drops pushed arguments; `raw` is
 * bytes; `jumptable` jumps through a table of `targets`.
 */
export type Operation =
  | "mov"
  | "movzx"
  | "movsx"
  | "lea"
  | "add"
  | "sub"
  | "adc"
  | "sbb"
  | "and"
  | "or"
  | "xor"
  | "cmp"
  | "test"
  | "imul"
  | "imul3"
  | "mul"
  | "imul1"
  | "div"
  | "idiv"
  | "cdq"
  | "shl"
  | "shr"
  | "sar"
  | "rol"
  | "ror"
  | "shld"
  | "shrd"
  | "shldcl"
  | "shrdcl"
  | "neg"
  | "not"
  | "inc"
  | "dec"
  | "bswap"
  | "bsf"
  | "bsr"
  | "setcc"
  | "cmov"
  | "zero"
  | "push"
  | "call"
  | "free"
  | "ret"
  | "jmp"
  | "jcc"
  | "jumptable"
  | "ud2"
  | "raw";

/** One instruction. Passes replace operands in place. */
export interface MachineInstruction {
  operation: Operation;
  destination?: Operand | undefined;
  source?: Operand | undefined;
  condition?: Condition;
  /** Bits of the memory operand or of the narrow source; 32 when absent. */
  width?: 8 | 16 | 32;
  /** Third operand, a number. */
  immediate?: number;
  target?: MachineBlock;
  targets?: readonly MachineBlock[];
  reads?: readonly number[];
  writes?: readonly number[];
  bytes?: readonly number[];
  /** True for volatile loads, which stay even when nobody uses the result. */
  pinned?: boolean;
  /** Place in the Wasm file. */
  offset: number;
}

/** A block; conditional jumps may stand anywhere in it, but behind one only conditions are computed. */
export class MachineBlock {
  instructions: MachineInstruction[] = [];
  readonly successors: MachineBlock[] = [];
  readonly depth: number;
  /** Position in the function, set by the passes that need it. */
  index = 0;

  constructor(depth: number) {
    this.depth = depth;
  }
}

/** A function between selection and encoding. */
export interface MachineFunction {
  readonly blocks: readonly MachineBlock[];
  /** Registers are below this number. */
  registerCount: number;
  /** Virtual registers of which the low byte is used: only eax, ebx, ecx, edx have one. */
  readonly byteRegisters: Set<number>;
  /** Short-lived registers of spill code, which must not be spilled again. */
  readonly unspillable: Set<number>;
  slotCount: number;
}

export function registerOperand(register: number): RegisterOperand {
  return { kind: "register", register };
}

export function immediate(value: number, symbol?: string): ImmediateOperand {
  return { kind: "immediate", value: value | 0, symbol };
}

export function memory(
  base: number,
  displacement: number,
  index: number = NONE,
  scale: number = 1,
  symbol: string | undefined = undefined,
): MemoryOperand {
  return {
    kind: "memory",
    base,
    index,
    scale,
    displacement: displacement | 0,
    symbol,
    slot: undefined,
  };
}

/** Operations that write their destination without reading it. */
const WRITES_ONLY: ReadonlySet<Operation> = new Set<Operation>([
  "mov",
  "movzx",
  "movsx",
  "lea",
  "setcc",
  "imul3",
  "bsr",
  "bsf",
  "zero",
]);

/** True when the register destination's old value does not matter. */
export function writesOnly(operation: Operation): boolean {
  return WRITES_ONLY.has(operation);
}

/** True when the destination is only read. */
export function readsOnly(operation: Operation): boolean {
  return operation === "cmp" || operation === "test";
}

/** Calls back for every register that the instruction reads, then for every one that it writes. */
export function visitRegisters(
  instruction: MachineInstruction,
  read: (register: number) => void,
  write: (register: number) => void,
): void {
  const { destination, source, operation } = instruction;
  for (const operand of [destination, source]) {
    if (operand?.kind !== "memory") continue;
    if (operand.base >= 0) read(operand.base);
    if (operand.index >= 0) read(operand.index);
  }
  if (source?.kind === "register") read(source.register);
  const target = destination?.kind === "register" ? destination.register : undefined;
  if (target !== undefined && !writesOnly(operation)) read(target);
  switch (operation) {
    case "mul":
    case "imul1":
      read(EAX);
      break;
    case "div":
    case "idiv":
      read(EAX);
      read(EDX);
      break;
    case "cdq":
      read(EAX);
      break;
  }
  for (const register of instruction.reads ?? []) read(register);
  if (target !== undefined && !readsOnly(operation)) write(target);
  switch (operation) {
    case "mul":
    case "imul1":
    case "div":
    case "idiv":
      write(EAX);
      write(EDX);
      break;
    case "cdq":
      write(EDX);
      break;
  }
  for (const register of instruction.writes ?? []) write(register);
}

const FLAG_READERS: ReadonlySet<Operation> = new Set<Operation>([
  "adc",
  "sbb",
  "jcc",
  "setcc",
  "cmov",
]);
const FLAG_KEEPERS: ReadonlySet<Operation> = new Set<Operation>([
  "mov",
  "movzx",
  "movsx",
  "lea",
  "setcc",
  "cmov",
  "push",
  "jcc",
  "jmp",
  "jumptable",
  "not",
  "bswap",
  "cdq",
  "raw",
]);

/** Whether the instruction depends on the flags. */
export function readsFlags(operation: Operation): boolean {
  return FLAG_READERS.has(operation);
}

/** Whether the flags behind the instruction are its own (or undefined). */
export function writesFlags(operation: Operation): boolean {
  return !FLAG_KEEPERS.has(operation);
}
