/**
 * Builds a function's graph while its Wasm code is read: the current block and Wasm's operand stack.
 *
 * The stack holds unevaluated trees. Before an effect that could change what a tree would yield, the
 * trees concerned are evaluated into fresh registers: `keepFrom` before an assignment, `keepLoads`
 * before stores and calls, `keepAll` at the end of a block.
 *
 * @module
 */

import { Block, FIRST_REGISTER, type Statement, type Terminator } from "./graph.ts";
import { constant, register, type Tree, usesRegister, type Width } from "./tree.ts";
import { registerWords } from "./convention.ts";
import { I32, I64 } from "./wasm_module.ts";

/** A value of Wasm's stack; `high` only for i64. */
export interface Value {
  readonly type: number;
  low: Tree;
  high: Tree | undefined;
}

/** Words of values of these types. */
export function wordCount(types: readonly number[]): number {
  return types.reduce((sum, type) => sum + (type === I64 ? 2 : 1), 0);
}

/** See the module comment. */
export class GraphBuilder {
  readonly blocks: Block[] = [];
  /** Undefined while the code read is unreachable. */
  current: Block | undefined;
  readonly stack: Value[] = [];
  registerCount: number = FIRST_REGISTER;
  /** Place in the Wasm file of the instruction that is being read. */
  offset = 0;
  /** Registers below this are locals, which assignments change. */
  #firstTemporary = Infinity;

  constructor() {
    this.current = this.newBlock();
  }

  newBlock(): Block {
    const block = new Block();
    this.blocks.push(block);
    return block;
  }

  newRegister(): number {
    return this.registerCount++;
  }

  /** Registers for a value of a type. */
  newValue(type: number): number[] {
    return type === I64 ? [this.newRegister(), this.newRegister()] : [this.newRegister()];
  }

  /** To be called when all locals have their registers. */
  endLocals(): void {
    this.#firstTemporary = this.registerCount;
  }

  /** The value that registers hold. */
  valueOf(type: number, registers: readonly number[]): Value {
    const [low, high] = registers;
    return {
      type,
      low: register(low as number),
      high: high === undefined ? undefined : register(high),
    };
  }

  push(type: number, low: Tree, high?: Tree): void {
    this.stack.push({ type, low, high });
  }

  push32(tree: Tree): void {
    this.push(I32, tree);
  }

  push64(low: Tree, high: Tree): void {
    this.push(I64, low, high);
  }

  pop(): Value {
    const value = this.stack.pop();
    if (value === undefined) throw new Error("The Wasm stack is empty");
    return value;
  }

  pop32(): Tree {
    return this.pop().low;
  }

  pop64(): [Tree, Tree] {
    const { low, high } = this.pop();
    return [low, high ?? constant(0)];
  }

  /** The words of the topmost `count` values, which are popped. */
  popWords(count: number): Tree[] {
    const values = this.stack.splice(this.stack.length - count);
    return values.flatMap(({ low, high }) => high === undefined ? [low] : [low, high]);
  }

  emit(statement: Statement): void {
    this.current?.statements.push(statement);
  }

  set(target: number, value: Tree): void {
    if (value.kind === "register" && value.register === target) return;
    this.emit({ kind: "set", register: target, value, offset: this.offset });
  }

  store(width: Width, address: Tree, displacement: number, value: Tree): void {
    this.emit({ kind: "store", width, address, displacement, value, offset: this.offset });
  }

  /** The tree's value in a form that costs nothing to use twice. */
  force(tree: Tree): Tree {
    return tree.kind === "register" ? tree : this.copy(tree);
  }

  /** The tree's value in a form that no later assignment changes. */
  keep(tree: Tree): Tree {
    if (tree.kind === "register" && tree.register >= this.#firstTemporary) return tree;
    return this.copy(tree);
  }

  /** The tree's value in a fresh register, or the constant that it is. */
  copy(tree: Tree): Tree {
    if (tree.kind === "constant" || tree.kind === "symbol") return tree;
    const target = this.newRegister();
    this.set(target, tree);
    return register(target);
  }

  #keepWhere(condition: (tree: Tree) => boolean): void {
    for (const value of this.stack) {
      if (condition(value.low)) value.low = this.keep(value.low);
      if (value.high !== undefined && condition(value.high)) value.high = this.keep(value.high);
    }
  }

  keepFrom(registers: readonly number[]): void {
    this.#keepWhere((tree) => usesRegister(tree, registers));
  }

  keepLoads(): void {
    this.#keepWhere((tree) => tree.readsMemory);
  }

  keepAll(): void {
    this.#keepWhere(() => true);
  }

  /** Ends the current block. */
  end(terminator: Terminator): void {
    if (this.current !== undefined) {
      this.current.terminator = terminator;
      this.current.offset = this.offset;
    }
    this.current = undefined;
  }

  /** Traps if the condition holds. */
  trapIf(condition: Tree): void {
    const trap = this.newBlock();
    const next = this.newBlock();
    this.end({ kind: "branch", condition, yes: trap, no: next });
    this.current = next;
  }

  /** An operation; returns its result words. */
  operation(name: string, args: readonly Tree[], resultWords: number): Tree[] {
    const results = Array.from({ length: resultWords }, () => this.newRegister());
    this.emit({ kind: "operation", name, args, results, offset: this.offset });
    return results.map(register);
  }

  /** A call; returns its result words. Loads on the stack must have been kept. */
  call(
    target: string | Tree,
    parameterTypes: readonly number[],
    args: readonly Tree[],
    resultWords: number,
  ): Tree[] {
    const results = Array.from({ length: resultWords }, () => this.newRegister());
    const inRegisters = registerWords(parameterTypes);
    this.emit({ kind: "call", target, args, inRegisters, results, offset: this.offset });
    return results.map(register);
  }
}
