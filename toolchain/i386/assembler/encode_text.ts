/**
 * Turns a mnemonic and its operands into bytes: finds the first row of the table that fits and fills in
 * ModRM, SIB, displacement and immediates (SDM vol. 2A §2.1).
 *
 * @module
 */

import type { Operand, RegisterOperand, Sum } from "./expression.ts";
import { isConstant } from "./expression.ts";
import { type InstructionRow, INSTRUCTIONS, PREFIXES } from "./table.ts";

/** A field whose value is known only when addresses are. */
export interface Fixup {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly value: Sum;
  readonly relative: boolean;
}

/** Encoded instruction. With `branch`, `bytes` is only the prefix and one of the two forms follows. */
export interface EncodedInstruction {
  readonly bytes: number[];
  readonly fixups: Fixup[];
  readonly branch?: {
    readonly short: readonly number[];
    readonly long: readonly number[];
    readonly target: Sum;
  };
}

const ESP = 4;
const EBP = 5;
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs"];
const SEGMENT_SS = 2;
const SEGMENT_DS = 3;

/** Encodes one instruction; throws a SyntaxError when no row fits. */
export function encodeInstruction(
  prefixes: readonly string[],
  mnemonic: string,
  operands: readonly Operand[],
): EncodedInstruction {
  const rows = INSTRUCTIONS.get(mnemonic);
  if (rows === undefined) throw new SyntaxError(`unknown instruction "${mnemonic}"`);
  const fitting = rows.filter((row) => fits(row, operands));
  const row = fitting[0];
  if (row === undefined) throw new SyntaxError(`no form of "${mnemonic}" takes these operands`);
  checkSize(fitting, operands);
  return new Encoder(row, operands).encode(prefixes.map((name) => PREFIXES[name] as number));
}

/** Refuses a memory operand whose size nothing tells (`inc [eax]`). */
function checkSize(fitting: readonly InstructionRow[], operands: readonly Operand[]): void {
  const unsized = operands.some((operand) => operand.type === "memory" && operand.size === 0);
  if (!unsized) return;
  const sizes = new Set(
    fitting.filter((row) => !row.explicit && row.size > 0).map((row) => row.size),
  );
  if (sizes.size > 1) throw new SyntaxError("the operand needs a size (byte, word or dword ptr)");
}

function fits(row: InstructionRow, operands: readonly Operand[]): boolean {
  return row.operands.length === operands.length &&
    row.operands.every((pattern, index) => fitsOperand(row, pattern, operands[index] as Operand));
}

const FIXED_REGISTERS: Readonly<Record<string, readonly [RegisterOperand["kind"], number]>> = {
  al: ["r8", 0],
  cl: ["r8", 1],
  ax: ["r16", 0],
  dx: ["r16", 2],
  eax: ["r32", 0],
  es: ["segment", 0],
  cs: ["segment", 1],
  ss: ["segment", 2],
  ds: ["segment", 3],
  fs: ["segment", 4],
  gs: ["segment", 5],
};

const REGISTER_CLASSES: Readonly<Record<string, RegisterOperand["kind"]>> = {
  r8: "r8",
  r16: "r16",
  r32: "r32",
  rm8: "r8",
  rm16: "r16",
  rm32: "r32",
  sreg: "segment",
  creg: "control",
  dreg: "debug",
};

const MEMORY_PATTERN = /^(?:rm|moffs|m)(\d*)$/;

function fitsOperand(row: InstructionRow, pattern: string, operand: Operand): boolean {
  switch (operand.type) {
    case "register": {
      const fixed = FIXED_REGISTERS[pattern];
      const { kind, number } = operand.register;
      if (fixed !== undefined) return fixed[0] === kind && fixed[1] === number;
      return REGISTER_CLASSES[pattern] === kind;
    }
    case "memory": {
      if (pattern === "rel" || pattern === "rel8") return operand.bare;
      const found = MEMORY_PATTERN.exec(pattern);
      if (found === null) return false;
      if (pattern.startsWith("moffs") && operand.address.registers.length > 0) return false;
      if (found[1] === "") return true;
      const wanted = Number(found[1]) / 8;
      return operand.size === wanted || (operand.size === 0 && !row.explicit);
    }
    case "immediate":
      if (pattern === "rel" || pattern === "rel8") return isConstant(operand.value);
      return fitsImmediate(row, pattern, operand.value);
    case "far":
      return pattern === "far";
  }
}

function fitsImmediate(row: InstructionRow, pattern: string, value: Sum): boolean {
  const constant = isConstant(value) ? value.constant : undefined;
  switch (pattern) {
    case "1":
      return constant === 1;
    case "3":
      return constant === 3;
    case "imm8s": {
      if (constant === undefined) return false;
      const signed = row.size === 16 ? constant << 16 >> 16 : constant | 0;
      return inRange(constant, row.size === 16 ? 16 : 32) && signed >= -128 && signed <= 127;
    }
    case "imm8":
      return constant !== undefined && inRange(constant, 8);
    case "imm16":
      return constant !== undefined && inRange(constant, 16);
    case "imm32":
      return constant === undefined || inRange(constant, 32);
    default:
      return false;
  }
}

function inRange(value: number, bits: number): boolean {
  return value >= -(2 ** (bits - 1)) && value < 2 ** bits;
}

class Encoder {
  #row: InstructionRow;
  #operands: readonly Operand[];
  #bytes: number[] = [];
  #fixups: Fixup[] = [];
  #branch: EncodedInstruction["branch"];

  constructor(row: InstructionRow, operands: readonly Operand[]) {
    this.#row = row;
    this.#operands = operands;
  }

  /** Prefixes in the order of GNU as: segment, operand size, then repeat and lock. */
  encode(prefixes: readonly number[]): EncodedInstruction {
    this.#segmentPrefix();
    const words = [...this.#row.encoding];
    if (words[0] === "o16") {
      this.#bytes.push(0x66);
      words.shift();
    } else if (prefixes.length > 0 && words[0] === "66") {
      this.#bytes.push(0x66);
      words.shift();
    }
    this.#bytes.push(...prefixes);
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as string;
      if (/^[0-9a-f]{2}$/.test(word)) this.#bytes.push(parseInt(word, 16));
      else if (word === "jc") {
        this.#conditional(words.slice(i + 1));
        break;
      } else this.#field(word);
    }
    const { bytes, fixups } = { bytes: this.#bytes, fixups: this.#fixups };
    return this.#branch === undefined ? { bytes, fixups } : { bytes, fixups, branch: this.#branch };
  }

  #conditional(long: readonly string[]): void {
    const short = [this.#bytes.pop() as number];
    const target = this.#branchTarget();
    this.#branch = { short, long: long.map((word) => parseInt(word, 16)), target };
  }

  #field(word: string): void {
    if (word === "/r") this.#modrm(this.#regField());
    else if (/^\/[0-7]$/.test(word)) this.#modrm(Number(word[1]));
    else if (word === "dup") {
      const number = this.#registerAt(0);
      this.#bytes.push(0xc0 | number << 3 | number);
    } else if (word === "+r") {
      const index = this.#row.operands.findIndex((pattern) => /^r(?:8|16|32)$/.test(pattern));
      this.#bytes[this.#bytes.length - 1]! |= this.#registerAt(index);
    } else if (word === "ib") this.#immediate(1);
    else if (word === "iw") this.#immediate(2);
    else if (word === "id") this.#immediate(4);
    else if (word === "mo") this.#put(this.#memory().address, 4, false);
    else if (word === "jd") this.#put(this.#branchTarget(), 4, true);
    else if (word === "jb") this.#put(this.#branchTarget(), 1, true);
    else if (word === "fp") {
      const far = this.#operands[0];
      if (far?.type !== "far") throw new SyntaxError("a far pointer is needed");
      this.#put(far.offset, 4, false);
      this.#put(far.selector, 2, false);
    } else throw new Error(`unknown word ${word} in the instruction table`);
  }

  #regField(): number {
    const special = this.#row.operands.findIndex((pattern) => /^(?:sreg|creg|dreg)$/.test(pattern));
    if (special >= 0) return this.#registerAt(special);
    const plain = this.#row.operands.findIndex((pattern) => /^r(?:8|16|32)$/.test(pattern));
    return this.#registerAt(plain);
  }

  #registerAt(index: number): number {
    const operand = this.#operands[index];
    if (operand?.type !== "register") throw new SyntaxError("a register is needed");
    return operand.register.number;
  }

  /** The operand that ModRM's r/m names: the `rm` or `m` one, or the register beside a special one. */
  #modrm(reg: number): void {
    let index = this.#row.operands.findIndex((pattern) => /^(?:rm|m)\d*$/.test(pattern));
    if (index < 0) index = this.#row.operands.findIndex((pattern) => /^r(?:16|32)$/.test(pattern));
    const operand = this.#operands[index];
    if (operand?.type === "register") {
      this.#bytes.push(0xc0 | reg << 3 | operand.register.number);
    } else if (operand?.type === "memory") this.#address(reg, operand.address);
    else throw new SyntaxError("a register or memory operand is needed");
  }

  #address(reg: number, address: Sum): void {
    const { base, index, scale } = splitRegisters(address);
    const displacement: Sum = { ...address, registers: [] };
    const scaleBits = 31 - Math.clz32(scale);
    if (base === undefined) {
      if (index === undefined) this.#bytes.push(reg << 3 | EBP);
      else this.#bytes.push(reg << 3 | ESP, scaleBits << 6 | index << 3 | EBP);
      this.#put(displacement, 4, false);
      return;
    }
    const known = isConstant(displacement) ? displacement.constant | 0 : undefined;
    const mode = known === undefined
      ? 2
      : known === 0 && base !== EBP
      ? 0
      : known >= -128 && known <= 127
      ? 1
      : 2;
    if (index !== undefined || base === ESP) {
      this.#bytes.push(mode << 6 | reg << 3 | ESP, scaleBits << 6 | (index ?? ESP) << 3 | base);
    } else this.#bytes.push(mode << 6 | reg << 3 | base);
    if (mode === 1) this.#bytes.push(known as number & 0xff);
    else if (mode === 2) this.#put(displacement, 4, false);
  }

  #immediate(size: 1 | 2 | 4): void {
    // `enter` has two immediates; the encoding words stand in the order of the operands.
    const done = this.#immediatesDone++;
    const immediates = this.#operands.filter((operand) => operand.type === "immediate");
    const operand = immediates[done];
    if (operand?.type !== "immediate") throw new SyntaxError("an immediate is needed");
    this.#put(operand.value, size, false);
  }
  #immediatesDone = 0;

  #branchTarget(): Sum {
    const operand = this.#operands[0];
    if (operand?.type === "memory") return operand.address;
    if (operand?.type === "immediate") return operand.value;
    throw new SyntaxError("a branch target is needed");
  }

  #memory(): Extract<Operand, { type: "memory" }> {
    const operand = this.#operands.find((candidate) => candidate.type === "memory");
    if (operand?.type !== "memory") throw new SyntaxError("a memory operand is needed");
    return operand;
  }

  #segmentPrefix(): void {
    for (const operand of this.#operands) {
      if (operand.type !== "memory" || operand.segment === undefined) continue;
      const { base } = splitRegisters(operand.address);
      const standard = base === ESP || base === EBP ? SEGMENT_SS : SEGMENT_DS;
      if (operand.segment !== standard) {
        this.#bytes.push(SEGMENT_PREFIXES[operand.segment] as number);
      }
      if (operand.segment >= SEGMENT_NAMES.length) throw new SyntaxError("unknown segment");
    }
  }

  #put(value: Sum, size: 1 | 2 | 4, relative: boolean): void {
    if (value.registers.length > 0) throw new SyntaxError("a register cannot stand here");
    if (!isConstant(value) || relative) {
      this.#fixups.push({ offset: this.#bytes.length, size, value, relative });
    }
    const known = isConstant(value) && !relative ? value.constant : 0;
    for (let i = 0; i < size; i++) this.#bytes.push(known >> (8 * i) & 0xff);
  }
}

/** Base and index of an address: what is written with a scale is the index; esp cannot be one. */
function splitRegisters(
  address: Sum,
): { base: number | undefined; index: number | undefined; scale: number } {
  const [first, second, third] = address.registers;
  if (third !== undefined) throw new SyntaxError("an address has at most two registers");
  for (const { register } of address.registers) {
    if (register.kind !== "r32") throw new SyntaxError("an address needs 32-bit registers");
  }
  if (first === undefined) return { base: undefined, index: undefined, scale: 1 };
  let base: typeof first | undefined = first;
  let index = second;
  if (second === undefined) {
    if (!first.scaled) return { base: first.register.number, index: undefined, scale: 1 };
    base = undefined;
    index = first;
  } else if (first.scaled || (second.register.number === ESP && !second.scaled)) {
    base = second;
    index = first;
  }
  if (index === undefined) throw new SyntaxError("bad address");
  if (![1, 2, 4, 8].includes(index.scale) || index.register.number === ESP) {
    throw new SyntaxError("this register or scale cannot be an index");
  }
  if (base !== undefined && base.scale !== 1) throw new SyntaxError("two scaled registers");
  return { base: base?.register.number, index: index.register.number, scale: index.scale };
}
