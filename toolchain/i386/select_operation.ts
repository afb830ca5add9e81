/**
 * Instruction selection for operations: 64-bit arithmetic, division and the intrinsics.
 *
 * @module
 */

import type { Tree } from "../ir/tree.ts";
import type { Emitter } from "./emitter.ts";
import { FIXED_INTRINSICS, SYSTEM_CALL_REGISTERS } from "./intrinsics.ts";
import { immediate, type Operation, registerOperand } from "./machine.ts";
import { EAX, ECX, EDX } from "./registers.ts";
import type { ExpressionSelector } from "./select_expression.ts";

const WORD_BITS = 32;

/** `push ebp; mov ebp, [esp+4]; int 0x80; pop ebp`: the sixth argument, pushed before, is in ebp. */
const SYSTEM_CALL_SIX = [0x55, 0x8b, 0x6c, 0x24, 0x04, 0xcd, 0x80, 0x5d];
const SYSTEM_CALL = [0xcd, 0x80];
const SIX_ARGUMENT_WORDS = 7;

/** Selects instructions for one operation. */
export class OperationSelector {
  readonly #out: Emitter;
  readonly #expressions: ExpressionSelector;

  constructor(out: Emitter, expressions: ExpressionSelector) {
    this.#out = out;
    this.#expressions = expressions;
  }

  select(name: string, args: readonly Tree[], results: readonly number[]): void {
    switch (name) {
      case "add64":
        return this.#addWide("add", "adc", args, results);
      case "sub64":
        return this.#addWide("sub", "sbb", args, results);
      case "mul_u":
      case "mul_s":
      case "mulhi":
        return this.#multiply(name, args, results);
      case "div_u":
      case "div_s":
      case "rem_u":
      case "rem_s":
        return this.#divide(name, args, results);
      case "shl64":
      case "shr64":
      case "sar64":
        return this.#shiftWide(name, args, results);
      case "rol64":
      case "ror64":
        return this.#rotateWide(name === "rol64", args, results);
      case "bswap": {
        const value = this.#out.copyRegister(this.#value(args, 0));
        this.#out.unary("bswap", value);
        return this.#deliver(results, [value]);
      }
      case "bsf":
      case "bsr": {
        const source = this.#expressions.operand(this.#tree(args, 0), { immediate: false });
        this.#out.binary(name, results[0] as number, source);
        return;
      }
    }
    const access = /^v(load|store)(8|16|32)$/.exec(name);
    if (access !== null) this.#volatile(access[1] === "load", Number(access[2]), args, results);
    else if (name.startsWith("syscall")) this.#systemCall(args, results);
    else this.#fixed(name, args, results);
  }

  #tree(args: readonly Tree[], index: number): Tree {
    const tree = args[index];
    if (tree === undefined) throw new Error("An operation lacks an argument");
    return tree;
  }

  #value(args: readonly Tree[], index: number): number {
    return this.#expressions.value(this.#tree(args, index));
  }

  #deliver(results: readonly number[], registers: readonly number[]): void {
    results.forEach((result, index) =>
      this.#out.move(result, registerOperand(registers[index] as number))
    );
  }

  #addWide(
    first: Operation,
    second: Operation,
    args: readonly Tree[],
    results: readonly number[],
  ): void {
    const right = [2, 3].map((index) => this.#expressions.operand(this.#tree(args, index)));
    const left = [this.#value(args, 0), this.#value(args, 1)];
    const [low, high] = left.map((register) => this.#out.copyRegister(register)) as [
      number,
      number,
    ];
    this.#out.binary(first, low, right[0] ?? immediate(0));
    this.#out.binary(second, high, right[1] ?? immediate(0));
    this.#deliver(results, [low, high]);
  }

  #multiply(name: string, args: readonly Tree[], results: readonly number[]): void {
    const left = this.#expressions.operand(this.#tree(args, 0));
    const source = this.#expressions.operand(this.#tree(args, 1), { immediate: false });
    this.#out.move(EAX, left);
    this.#out.emit({ operation: name === "mul_s" ? "imul1" : "mul", source });
    this.#deliver(results, name === "mulhi" ? [EDX] : [EAX, EDX]);
  }

  #divide(name: string, args: readonly Tree[], results: readonly number[]): void {
    const left = this.#expressions.operand(this.#tree(args, 0));
    const source = this.#expressions.operand(this.#tree(args, 1), { immediate: false });
    const signed = name.endsWith("_s");
    this.#out.move(EAX, left);
    if (signed) this.#out.emit({ operation: "cdq" });
    else this.#out.move(EDX, immediate(0));
    this.#out.emit({ operation: signed ? "idiv" : "div", source });
    this.#deliver(results, [name.startsWith("div") ? EAX : EDX]);
  }

  /** Both words in fresh registers and the count in ecx. */
  #wideOperands(args: readonly Tree[]): [number, number] {
    const registers = [0, 1, 2].map((index) => this.#value(args, index)) as [
      number,
      number,
      number,
    ];
    const low = this.#out.copyRegister(registers[0]);
    const high = this.#out.copyRegister(registers[1]);
    this.#out.move(ECX, registerOperand(registers[2]));
    return [low, high];
  }

  #doubleShift(operation: "shldcl" | "shrdcl", to: number, from: number): void {
    const destination = registerOperand(to);
    this.#out.emit({ operation, destination, source: registerOperand(from), reads: [ECX] });
  }

  #moveIf(to: number, from: number): void {
    const destination = registerOperand(to);
    const source = registerOperand(from);
    this.#out.emit({ operation: "cmov", condition: "ne", destination, source });
  }

  /** SHLD and the like shift by cl modulo 32; conditional moves add the other 32. */
  #shiftWide(
    name: "shl64" | "shr64" | "sar64",
    args: readonly Tree[],
    results: readonly number[],
  ): void {
    const [low, high] = this.#wideOperands(args);
    const count = registerOperand(ECX);
    const [near, far] = name === "shl64" ? [low, high] : [high, low];
    this.#doubleShift(name === "shl64" ? "shldcl" : "shrdcl", far, near);
    this.#out.binary(name.slice(0, 3) as Operation, near, count);
    const filler = name === "sar64" ? this.#out.copyRegister(high) : this.#out.constant(0);
    if (name === "sar64") this.#out.binary("sar", filler, immediate(WORD_BITS - 1));
    this.#out.binary("test", ECX, immediate(WORD_BITS));
    this.#moveIf(far, near);
    this.#moveIf(near, filler);
    this.#deliver(results, [low, high]);
  }

  /** Exchanges the words if 32 or more, then turns by the rest. */
  #rotateWide(left: boolean, args: readonly Tree[], results: readonly number[]): void {
    const [low, high] = this.#wideOperands(args);
    const oldLow = this.#out.copyRegister(low);
    this.#out.binary("test", ECX, immediate(WORD_BITS));
    this.#moveIf(low, high);
    this.#moveIf(high, oldLow);
    const [first, second] = left ? [high, low] : [low, high];
    const operation = left ? "shldcl" : "shrdcl";
    const saved = this.#out.copyRegister(first);
    this.#doubleShift(operation, first, second);
    this.#doubleShift(operation, second, saved);
    this.#deliver(results, [low, high]);
  }

  /** An access of exactly this width, where it stands. */
  #volatile(
    isLoad: boolean,
    width: number,
    args: readonly Tree[],
    results: readonly number[],
  ): void {
    const bits = width as 8 | 16 | 32;
    if (isLoad) {
      const source = this.#expressions.address(this.#tree(args, 0), 0);
      const destination = registerOperand(results[0] as number);
      const operation = bits === 32 ? "mov" : "movzx";
      this.#out.emit({ operation, width: bits, destination, source, pinned: true });
      return;
    }
    let source = this.#expressions.operand(this.#tree(args, 1), { memory: false });
    if (bits === 8 && source.kind === "register") {
      source = registerOperand(this.#out.byte(this.#out.copy(source)));
    }
    const destination = this.#expressions.address(this.#tree(args, 0), 0);
    this.#out.emit({ operation: "mov", width: bits, destination, source });
  }

  #systemCall(args: readonly Tree[], results: readonly number[]): void {
    const operands = args.map((arg) => this.#expressions.operand(arg, { memory: false }));
    const sixth = operands[SIX_ARGUMENT_WORDS - 1];
    if (sixth !== undefined) this.#out.emit({ operation: "push", source: sixth });
    const inRegisters = operands.slice(0, SYSTEM_CALL_REGISTERS.length);
    inRegisters.forEach((operand, index) =>
      this.#out.move(SYSTEM_CALL_REGISTERS[index] as number, operand)
    );
    const reads = SYSTEM_CALL_REGISTERS.slice(0, inRegisters.length);
    const bytes = sixth === undefined ? SYSTEM_CALL : SYSTEM_CALL_SIX;
    this.#out.emit({ operation: "raw", bytes, reads, writes: [EAX] });
    if (sixth !== undefined) this.#out.emit({ operation: "free", immediate: 4 });
    this.#deliver(results, [EAX]);
  }

  #fixed(name: string, args: readonly Tree[], results: readonly number[]): void {
    const row = FIXED_INTRINSICS.get(name);
    if (row === undefined) throw new Error(`There is no operation ${name}`);
    const operands = args.map((arg) => this.#expressions.operand(arg));
    operands.forEach((operand, index) => this.#out.move(row.arguments[index] as number, operand));
    this.#out.emit({
      operation: "raw",
      bytes: row.bytes,
      reads: row.arguments,
      writes: [...row.results, ...row.clobbers],
    });
    this.#deliver(results, row.results);
  }
}
