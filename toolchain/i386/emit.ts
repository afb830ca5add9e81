/**
 * The last step for a function: machine registers, frame, branches; yields bytes.
 *
 * Every function starts with `push ebp; mov ebp, esp`, so that stacks can be walked by frame pointers
 * everywhere. Below the saved ebp are the callee-saved registers that the function uses, then the spill
 * slots. Branches start short and grow until all reach.
 *
 * @module
 */

import { type Condition, NEGATED } from "../ir/tree.ts";
import { CodeBuffer } from "./code_buffer.ts";
import { CONDITION_CODES, encodeInstruction } from "./encode.ts";
import {
  immediate,
  type MachineBlock,
  type MachineFunction,
  type MachineInstruction,
  memory,
  type Operand,
  registerOperand,
} from "./machine.ts";
import { peephole } from "./peephole.ts";
import { CALLEE_SAVED, EBP, ESP } from "./registers.ts";
import type { Relocation } from "../link/object.ts";

const WORD_BYTES = 4;
const SHORT_BRANCH_BYTES = 2;

/** Code of a function. */
export interface FunctionCode {
  readonly bytes: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** Where the code of each place in the Wasm file begins. */
  readonly lines: readonly { readonly start: number; readonly offset: number }[];
  /** Jump tables: symbol and targets, relative to the function. */
  readonly tables: readonly { readonly symbol: string; readonly targets: readonly number[] }[];
}

/** A piece of the function: bytes, a branch of still open size, or the start of a block. */
type Piece =
  | { readonly kind: "bytes"; readonly code: CodeBuffer; readonly offset: number }
  | {
    readonly kind: "branch";
    readonly target: MachineBlock;
    readonly condition: Condition | undefined;
    readonly offset: number;
    isLong: boolean;
  }
  | { readonly kind: "block"; readonly block: MachineBlock };

/** Emits a function; `symbol` is its name, from which those of its jump tables follow. */
export function emitFunction(
  symbol: string,
  func: MachineFunction,
  colours: Int32Array,
): FunctionCode {
  return new FunctionEmitter(symbol, func, colours).run();
}

class FunctionEmitter {
  #symbol: string;
  #function: MachineFunction;
  #colours: Int32Array;
  #used = new Set<number>();
  #saved: readonly number[] = [];
  #pieces: Piece[] = [];
  #tables: { symbol: string; blocks: readonly MachineBlock[] }[] = [];

  constructor(symbol: string, func: MachineFunction, colours: Int32Array) {
    this.#symbol = symbol;
    this.#function = func;
    this.#colours = colours;
  }

  run(): FunctionCode {
    const { blocks } = this.#function;
    for (const block of blocks) {
      for (const instruction of block.instructions) this.#assign(instruction);
    }
    this.#saved = CALLEE_SAVED.filter((register) => this.#used.has(register));
    for (const block of blocks) {
      for (const instruction of block.instructions) this.#placeSlots(instruction);
    }
    this.#prologue(blocks[0]?.instructions[0]?.offset ?? 0);
    blocks.forEach((block, index) => {
      this.#pieces.push({ kind: "block", block });
      this.#block(peephole(block.instructions), blocks[index + 1]);
    });
    return this.#finish(sizeBranches(this.#pieces));
  }

  /** Replaces virtual registers by machine registers. */
  #assign(instruction: MachineInstruction): void {
    const colour = (register: number): number => {
      if (register < 0) return register;
      const found = this.#colours[register];
      if (found === undefined || found < 0) throw new Error(`Register ${register} has no colour`);
      this.#used.add(found);
      return found;
    };
    const assign = (operand: Operand | undefined): Operand | undefined => {
      if (operand?.kind === "register") return registerOperand(colour(operand.register));
      if (operand?.kind !== "memory") return operand;
      return { ...operand, base: colour(operand.base), index: colour(operand.index) };
    };
    instruction.destination = assign(instruction.destination);
    instruction.source = assign(instruction.source);
    for (const register of instruction.writes ?? []) this.#used.add(register);
  }

  /** Replaces slot numbers by displacements, which depend on how many registers are saved. */
  #placeSlots(instruction: MachineInstruction): void {
    const place = (operand: Operand | undefined): Operand | undefined => {
      if (operand?.kind !== "memory" || operand.slot === undefined) return operand;
      return memory(EBP, -WORD_BYTES * (this.#saved.length + 1 + operand.slot));
    };
    instruction.destination = place(instruction.destination);
    instruction.source = place(instruction.source);
  }

  #bytes(offset: number, write: (code: CodeBuffer) => void): void {
    const code = new CodeBuffer();
    write(code);
    this.#pieces.push({ kind: "bytes", code, offset });
  }

  #plain(instruction: MachineInstruction): void {
    this.#bytes(instruction.offset, (code) => encodeInstruction(code, instruction));
  }

  #prologue(offset: number): void {
    const push = (register: number): void =>
      this.#plain({ operation: "push", source: registerOperand(register), offset });
    push(EBP);
    const [ebp, esp] = [registerOperand(EBP), registerOperand(ESP)];
    this.#plain({ operation: "mov", destination: ebp, source: esp, offset });
    this.#saved.forEach(push);
    const size = WORD_BYTES * this.#function.slotCount;
    if (size > 0) {
      this.#plain({ operation: "sub", destination: esp, source: immediate(size), offset });
    }
  }

  #epilogue(offset: number): void {
    const hasSlots = this.#function.slotCount > 0;
    this.#bytes(offset, (code) => {
      if (hasSlots && this.#saved.length === 0) {
        code.byte(0xc9, 0xc3); // leave; ret
        return;
      }
      if (hasSlots) {
        const source = memory(EBP, -WORD_BYTES * this.#saved.length);
        const destination = registerOperand(ESP);
        encodeInstruction(code, { operation: "lea", destination, source, offset });
      }
      for (const register of this.#saved.toReversed()) code.byte(0x58 | register); // pop
      code.byte(0x58 | EBP, 0xc3);
    });
  }

  #branch(target: MachineBlock, condition: Condition | undefined, offset: number): void {
    this.#pieces.push({ kind: "branch", target, condition, offset, isLong: false });
  }

  #block(instructions: readonly MachineInstruction[], next: MachineBlock | undefined): void {
    for (let i = 0; i < instructions.length; i++) {
      const instruction = instructions[i] as MachineInstruction;
      const { operation, target, condition, offset } = instruction;
      if (operation === "jcc" && target !== undefined && condition !== undefined) {
        const last = instructions[i + 1];
        if (last?.operation === "jmp" && last.target !== undefined && target === next) {
          // The wanted block follows: branch away on the opposite condition.
          if (last.target !== next) this.#branch(last.target, NEGATED[condition], offset);
          return;
        }
        this.#branch(target, condition, offset);
      } else if (operation === "jmp" && target !== undefined) {
        if (target !== next) this.#branch(target, undefined, offset);
      } else if (operation === "ret") this.#epilogue(offset);
      else if (operation === "jumptable") this.#jumpTable(instruction);
      else this.#plain(instruction);
    }
  }

  #jumpTable(instruction: MachineInstruction): void {
    const symbol = `${this.#symbol}$table${this.#tables.length}`;
    this.#tables.push({ symbol, blocks: instruction.targets ?? [] });
    const { source } = instruction;
    if (source?.kind !== "memory") throw new Error("A jump table needs an index");
    this.#bytes(instruction.offset, (code) => {
      code.byte(0xff, 4 << 3 | ESP, 2 << 6 | source.index << 3 | EBP); // jmp [table + index * 4]
      code.address(symbol, 0);
    });
  }

  #finish(starts: ReadonlyMap<MachineBlock, number>): FunctionCode {
    const code = new CodeBuffer();
    const lines: { start: number; offset: number }[] = [];
    let lastOffset = -1;
    for (const piece of this.#pieces) {
      if (piece.kind === "block") continue;
      if (piece.offset !== lastOffset) {
        lines.push({ start: code.length, offset: piece.offset });
        lastOffset = piece.offset;
      }
      if (piece.kind === "bytes") {
        code.append(piece.code);
        continue;
      }
      const distance = (starts.get(piece.target) as number) - code.length - branchSize(piece);
      const condition = piece.condition === undefined
        ? undefined
        : CONDITION_CODES[piece.condition];
      if (!piece.isLong) {
        code.byte(condition === undefined ? 0xeb : 0x70 | condition, distance);
        continue;
      }
      if (condition === undefined) code.byte(0xe9);
      else code.byte(0x0f, 0x80 | condition);
      code.dword(distance);
    }
    const tables = this.#tables.map(({ symbol, blocks }) => ({
      symbol,
      targets: blocks.map((block) => starts.get(block) as number),
    }));
    return { bytes: Uint8Array.from(code.bytes), relocations: code.relocations, lines, tables };
  }
}

function branchSize(branch: Extract<Piece, { kind: "branch" }>): number {
  if (!branch.isLong) return SHORT_BRANCH_BYTES;
  return branch.condition === undefined ? 5 : 6;
}

function pieceSize(piece: Piece): number {
  if (piece.kind === "block") return 0;
  return piece.kind === "bytes" ? piece.code.length : branchSize(piece);
}

/** Lengthens branches that do not reach; returns where the blocks start. */
function sizeBranches(pieces: readonly Piece[]): Map<MachineBlock, number> {
  const starts = new Map<MachineBlock, number>();
  for (let changed = true; changed;) {
    changed = false;
    let position = 0;
    for (const piece of pieces) {
      if (piece.kind === "block") starts.set(piece.block, position);
      position += pieceSize(piece);
    }
    position = 0;
    for (const piece of pieces) {
      position += pieceSize(piece);
      if (piece.kind !== "branch" || piece.isLong) continue;
      const distance = (starts.get(piece.target) as number) - position;
      if (distance < -128 || distance > 127) piece.isLong = changed = true;
    }
  }
  return starts;
}
