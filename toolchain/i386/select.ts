/**
 * Instruction selection for a function: parameters, statements, calls and terminators.
 *
 * @module
 */

import type { Block, FunctionGraph, Statement, Terminator } from "../ir/graph.ts";
import { NEGATED, sameTree, type Tree } from "../ir/tree.ts";
import { registerWords } from "../ir/convention.ts";
import { Emitter } from "./emitter.ts";
import {
  immediate,
  MachineBlock,
  type MachineFunction,
  memory,
  NONE,
  type Operand,
  type Operation,
  registerOperand,
} from "./machine.ts";
import { ARGUMENT_REGISTERS, CALLER_SAVED, EBP, RESULT_REGISTERS } from "./registers.ts";
import { ExpressionSelector, isShift, weight } from "./select_expression.ts";
import { OperationSelector } from "./select_operation.ts";

const WORD_BYTES = 4;
/** Offset from ebp of the first argument on the stack: saved ebp, return address. */
const FIRST_STACK_ARGUMENT = 8;
/** Up to this many cases a switch is a chain of comparisons. */
const CHAIN_LIMIT = 3;
/** Operators that can work on memory in place. */
const MEMORY_OPERATORS: readonly string[] = ["add", "sub", "and", "or", "xor"];

/** Selects instructions for a function. */
export function selectInstructions(graph: FunctionGraph): MachineFunction {
  return new FunctionSelector(graph).run();
}

class FunctionSelector {
  #graph: FunctionGraph;
  #blocks = new Map<Block, MachineBlock>();
  #out: Emitter;
  #expressions: ExpressionSelector;
  #operations: OperationSelector;

  constructor(graph: FunctionGraph) {
    this.#graph = graph;
    for (const block of graph.blocks) this.#blocks.set(block, new MachineBlock(block.depth));
    this.#out = new Emitter(this.#machineBlock(graph.blocks[0]), graph.registerCount);
    this.#expressions = new ExpressionSelector(this.#out);
    this.#operations = new OperationSelector(this.#out, this.#expressions);
  }

  run(): MachineFunction {
    const out = this.#out;
    out.offset = this.#graph.offset;
    this.#parameters();
    for (const block of this.#graph.blocks) {
      out.current = this.#machineBlock(block);
      for (const statement of block.statements) {
        out.offset = statement.offset;
        this.#statement(statement);
      }
      out.offset = block.offset;
      this.#terminator(block.terminator);
    }
    return {
      blocks: [...this.#blocks.values()],
      registerCount: out.registerCount,
      byteRegisters: out.byteRegisters,
      unspillable: new Set(),
      slotCount: 0,
    };
  }

  #machineBlock(block: Block | undefined): MachineBlock {
    const found = block === undefined ? undefined : this.#blocks.get(block);
    if (found === undefined) throw new Error("A branch leaves the function");
    return found;
  }

  /** The block as a successor of the current one. */
  #successor(block: Block): MachineBlock {
    const found = this.#machineBlock(block);
    const { successors } = this.#out.current;
    if (!successors.includes(found)) successors.push(found);
    return found;
  }

  #parameters(): void {
    const inRegisters = registerWords(this.#graph.parameterTypes);
    this.#graph.parameters.forEach((parameter, index) => {
      const fixed = ARGUMENT_REGISTERS[index];
      const source = index < inRegisters && fixed !== undefined
        ? registerOperand(fixed)
        : memory(EBP, FIRST_STACK_ARGUMENT + WORD_BYTES * (index - inRegisters));
      this.#out.move(parameter, source);
    });
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "set":
        this.#expressions.value(statement.value, statement.register);
        return;
      case "store":
        this.#store(statement);
        return;
      case "call":
        this.#call(statement);
        return;
      case "operation":
        this.#operations.select(statement.name, statement.args, statement.results);
        return;
    }
  }

  #store(statement: Extract<Statement, { kind: "store" }>): void {
    const { width, address, displacement } = statement;
    const value = withoutUselessMask(statement.value, width);
    if (width === 32 && this.#updateInPlace(address, displacement, value)) return;
    const target = (): Operand => this.#expressions.address(address, displacement);
    if (value.kind === "constant") {
      const source = immediate(value.value);
      this.#out.emit({ operation: "mov", width, destination: target(), source });
      return;
    }
    if (value.kind === "symbol" && width === 32) {
      const source = immediate(value.addend, value.name);
      this.#out.emit({ operation: "mov", width, destination: target(), source });
      return;
    }
    let destination: Operand;
    let register: number;
    if (weight(address) > weight(value)) {
      destination = target();
      register = this.#expressions.value(value);
    } else {
      register = this.#expressions.value(value);
      destination = target();
    }
    if (width === 8) register = this.#out.byte(this.#out.copyRegister(register));
    this.#out.emit({ operation: "mov", width, destination, source: registerOperand(register) });
  }

  /** `*p = *p op x` as one instruction. */
  #updateInPlace(address: Tree, displacement: number, value: Tree): boolean {
    if (value.kind !== "binary" || value.left.kind !== "load" || value.left.width !== 32) {
      return false;
    }
    const { operator, left: loaded, right } = value;
    if (loaded.offset !== (displacement | 0) || !sameTree(loaded.address, address)) return false;
    if (MEMORY_OPERATORS.includes(operator)) {
      const source = this.#expressions.operand(right, { memory: false });
      const destination = this.#expressions.address(address, displacement);
      this.#out.emit({ operation: operator as Operation, destination, source });
      return true;
    }
    if (isShift(operator) && right.kind === "constant") {
      const destination = this.#expressions.address(address, displacement);
      const source = immediate(right.value & 31);
      this.#out.emit({ operation: operator as Operation, destination, source });
      return true;
    }
    return false;
  }

  #call(statement: Extract<Statement, { kind: "call" }>): void {
    const { target, args, inRegisters, results } = statement;
    const callee = typeof target === "string"
      ? immediate(0, target)
      : this.#expressions.operand(target);
    const inFixed = args.slice(0, inRegisters).map((arg) =>
      this.#expressions.operand(arg, { memory: false })
    );
    const onStack = args.slice(inRegisters);
    for (const arg of onStack.toReversed()) {
      this.#out.emit({ operation: "push", source: this.#expressions.operand(arg) });
    }
    inFixed.forEach((operand, index) =>
      this.#out.move(ARGUMENT_REGISTERS[index] as number, operand)
    );
    this.#out.emit({
      operation: "call",
      source: callee,
      reads: ARGUMENT_REGISTERS.slice(0, inRegisters),
      writes: CALLER_SAVED,
    });
    if (onStack.length > 0) {
      this.#out.emit({ operation: "free", immediate: WORD_BYTES * onStack.length });
    }
    results.forEach((result, index) =>
      this.#out.move(result, registerOperand(RESULT_REGISTERS[index] as number))
    );
  }

  #terminator(terminator: Terminator): void {
    const out = this.#out;
    switch (terminator.kind) {
      case "jump":
        out.emit({ operation: "jmp", target: this.#successor(terminator.target) });
        return;
      case "branch": {
        const { condition } = terminator;
        if (condition.kind === "constant") {
          const taken = condition.value !== 0 ? terminator.yes : terminator.no;
          out.emit({ operation: "jmp", target: this.#successor(taken) });
          return;
        }
        const yes = this.#successor(terminator.yes);
        const no = this.#successor(terminator.no);
        this.#branch(condition, yes, no, false);
        out.emit({ operation: "jmp", target: no });
        return;
      }
      case "switch":
        this.#switch(terminator.index, terminator.targets, terminator.otherwise);
        return;
      case "return": {
        const operands = terminator.values.map((value) =>
          this.#expressions.operand(value, { memory: false })
        );
        operands.forEach((operand, index) => out.move(RESULT_REGISTERS[index] as number, operand));
        out.emit({ operation: "ret", reads: RESULT_REGISTERS.slice(0, operands.length) });
        return;
      }
      case "trap":
        out.emit({ operation: "ud2" });
        return;
    }
  }

  /** Jumps to `yes` when the condition holds (or not, if `negated`), else falls through to `no`. */
  #branch(condition: Tree, yes: MachineBlock, no: MachineBlock, negated: boolean): void {
    if (
      condition.kind === "compare" && condition.right.kind === "constant" &&
      condition.right.value === 0 &&
      (condition.condition === "e" || condition.condition === "ne") &&
      isTruth(condition.left)
    ) {
      this.#branch(condition.left, yes, no, negated !== (condition.condition === "e"));
      return;
    }
    if (
      condition.kind === "binary" &&
      (condition.operator === "and" || condition.operator === "or") &&
      isTruth(condition)
    ) {
      const { left, right } = condition;
      // Either part decides alone for `or`, and for a negated `and`.
      if ((condition.operator === "or") !== negated) this.#branch(left, yes, no, negated);
      else this.#branch(left, no, yes, !negated);
      this.#branch(right, yes, no, negated);
      return;
    }
    const code = this.#expressions.condition(condition);
    this.#out.emit({ operation: "jcc", condition: negated ? NEGATED[code] : code, target: yes });
  }

  #switch(index: Tree, targets: readonly Block[], otherwise: Block): void {
    const out = this.#out;
    const value = this.#expressions.value(index);
    const blocks = targets.map((target) => this.#successor(target));
    const last = this.#successor(otherwise);
    if (blocks.length <= CHAIN_LIMIT) {
      blocks.forEach((target, number) => {
        out.binary("cmp", value, immediate(number));
        out.emit({ operation: "jcc", condition: "e", target });
      });
      out.emit({ operation: "jmp", target: last });
      return;
    }
    out.binary("cmp", value, immediate(blocks.length));
    out.emit({ operation: "jcc", condition: "ae", target: last });
    const source = memory(NONE, 0, value, WORD_BYTES);
    out.emit({ operation: "jumptable", source, targets: blocks });
  }
}

/** Whether the tree is always 0 or 1. */
function isTruth(tree: Tree): boolean {
  if (tree.kind === "compare" || tree.kind === "wideCompare") return true;
  return tree.kind === "binary" && (tree.operator === "and" || tree.operator === "or") &&
    isTruth(tree.left) && isTruth(tree.right);
}

/** The value without masks and extensions whose result a narrow store drops. */
function withoutUselessMask(value: Tree, width: 8 | 16 | 32): Tree {
  if (width === 32) return value;
  const mask = width === 8 ? 0xff : 0xffff;
  for (;;) {
    if (
      value.kind === "binary" && value.operator === "and" && value.right.kind === "constant" &&
      (value.right.value & mask) === mask
    ) value = value.left;
    else if (
      value.kind === "unary" &&
      (value.operator === "sx16" || (value.operator === "sx8" && width === 8))
    ) value = value.operand;
    else return value;
  }
}
