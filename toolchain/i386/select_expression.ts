/**
 * Instruction selection for expression trees: covers a tree with i386 instructions, using addressing modes,
 * memory operands, LEA, MOVZX, SHLD and BSWAP where they fit.
 *
 * `value` yields a register, `operand` a register, immediate or memory operand, `address` a memory
 * operand, `condition` sets flags. A register that `value` returns may be a variable's own: who wants to
 * change it copies it first.
 *
 * @module
 */

import {
  type BinaryOperator,
  type BinaryTree,
  compare,
  type CompareTree,
  type Condition,
  constant,
  isCommutative,
  type LoadTree,
  NEGATED,
  sameTree,
  type SelectTree,
  type Tree,
  type UnaryTree,
  type WideCompareTree,
} from "../ir/tree.ts";
import type { Emitter } from "./emitter.ts";
import {
  immediate,
  memory,
  type MemoryOperand,
  NONE,
  type Operand,
  type Operation,
  registerOperand,
} from "./machine.ts";
import { ECX } from "./registers.ts";

const SHIFTS: readonly BinaryOperator[] = ["shl", "shr", "sar", "rol", "ror"];

/** Whether the operator is a shift or rotation. */
export function isShift(operator: BinaryOperator): boolean {
  return SHIFTS.includes(operator);
}

/** Roughly how many registers a tree needs: the heavier operand goes first. */
export function weight(tree: Tree): number {
  switch (tree.kind) {
    case "constant":
    case "symbol":
      return 0;
    case "register":
      return 1;
    case "load":
      return 1 + weight(tree.address);
    case "unary":
      return 1 + weight(tree.operand);
    case "binary":
    case "compare":
      return 2 + Math.max(weight(tree.left), weight(tree.right));
    default:
      return 6;
  }
}

function isWordLoad(tree: Tree): tree is LoadTree {
  return tree.kind === "load" && tree.width === 32;
}

/** `x << 1…3`, which an address can hold. */
function isScaled(tree: Tree): tree is BinaryTree & { right: { kind: "constant"; value: number } } {
  return tree.kind === "binary" && tree.operator === "shl" && tree.right.kind === "constant" &&
    tree.right.value >= 1 && tree.right.value <= 3;
}

function isSumWithConstant(tree: Tree): boolean {
  return tree.kind === "binary" && tree.operator === "add" && tree.right.kind === "constant";
}

/** Selects instructions for trees. */
export class ExpressionSelector {
  readonly #out: Emitter;

  constructor(out: Emitter) {
    this.#out = out;
  }

  /** The value in a register: `into` if given. */
  value(tree: Tree, into?: number): number {
    switch (tree.kind) {
      case "register":
        return this.#deliver(tree.register, into);
      case "constant":
        return this.#moved(immediate(tree.value), into);
      case "symbol":
        return this.#moved(immediate(tree.addend, tree.name), into);
      case "load":
        return this.#load(tree, into);
      case "compare":
      case "wideCompare":
        return this.#truth(tree, into);
      case "select":
        return this.#select(tree, into);
      case "unary":
        return this.#unary(tree, into);
      case "binary":
        return this.#binary(tree, into);
    }
  }

  /** The value as an operand; immediates and word loads need no register. */
  operand(tree: Tree, allow: { memory?: boolean; immediate?: boolean } = {}): Operand {
    if (allow.immediate !== false) {
      if (tree.kind === "constant") return immediate(tree.value);
      if (tree.kind === "symbol") return immediate(tree.addend, tree.name);
    }
    if (allow.memory !== false && isWordLoad(tree)) return this.address(tree.address, tree.offset);
    return registerOperand(this.value(tree));
  }

  /** The memory at `tree + offset`. */
  address(tree: Tree, offset: number): MemoryOperand {
    if (tree.kind === "constant") return memory(NONE, tree.value + offset);
    if (tree.kind === "symbol") return memory(NONE, tree.addend + offset, NONE, 1, tree.name);
    if (isScaled(tree)) return memory(NONE, offset, this.value(tree.left), 1 << tree.right.value);
    if (tree.kind === "binary" && tree.operator === "add") return this.#sumAddress(tree, offset);
    return memory(this.value(tree), offset);
  }

  #sumAddress(tree: BinaryTree, offset: number): MemoryOperand {
    let { left, right } = tree;
    if (right.kind === "constant") return this.address(left, (offset + right.value) | 0);
    if (left.kind === "symbol") [left, right] = [right, left];
    if (right.kind === "symbol") {
      const rest = this.address(left, offset);
      if (rest.symbol !== undefined) return memory(this.value(tree), offset);
      return {
        ...rest,
        symbol: right.name,
        displacement: (rest.displacement + right.addend) | 0,
      };
    }
    const strip = (part: Tree): Tree => {
      if (part.kind !== "binary" || part.operator !== "add") return part;
      if (part.right.kind !== "constant") return part;
      offset = (offset + part.right.value) | 0;
      return part.left;
    };
    left = strip(left);
    right = strip(right);
    if (isScaled(left) && !isScaled(right)) [left, right] = [right, left];
    if (isScaled(right)) {
      const { left: index, right: { value: shift } } = right;
      if (left.kind === "symbol") {
        return memory(NONE, offset + left.addend, this.value(index), 1 << shift, left.name);
      }
      const base = this.value(left);
      return memory(base, offset, this.value(index), 1 << shift);
    }
    const base = this.value(left);
    return memory(base, offset, this.value(right), 1);
  }

  /** Sets the flags so that the returned condition tells whether the tree is not zero. */
  condition(tree: Tree): Condition {
    if (tree.kind === "compare") return this.#compare(tree);
    if (tree.kind === "wideCompare") return this.#compareWide(tree);
    if ((tree.kind === "binary" && tree.operator === "and") || tree.kind === "load") {
      return this.condition(compare("ne", tree, constant(0)));
    }
    const register = this.value(tree);
    this.#out.binary("test", register, registerOperand(register));
    return "ne";
  }

  #deliver(register: number, into: number | undefined): number {
    if (into === undefined) return register;
    this.#out.move(into, registerOperand(register));
    return into;
  }

  #moved(source: Operand, into: number | undefined): number {
    const register = into ?? this.#out.newRegister();
    this.#out.move(register, source);
    return register;
  }

  #load(tree: LoadTree, into: number | undefined): number {
    const source = this.address(tree.address, tree.offset);
    if (tree.width === 32) return this.#moved(source, into);
    return this.#extended(tree.signed ? "movsx" : "movzx", tree.width, source, into);
  }

  #extended(
    operation: "movzx" | "movsx",
    width: 8 | 16 | 32,
    source: Operand,
    into: number | undefined,
  ): number {
    const register = into ?? this.#out.newRegister();
    const destination = registerOperand(register);
    this.#out.emit({ operation, width, destination, source });
    return register;
  }

  /** The low bits of a value, extended. */
  #narrowed(
    operation: "movzx" | "movsx",
    width: 8 | 16,
    operand: Tree,
    into: number | undefined,
  ): number {
    if (operand.kind === "load" && operand.width >= width) {
      const source = this.address(operand.address, operand.offset);
      return this.#extended(operation, width, source, into);
    }
    const value = this.value(operand);
    const narrow = width === 8 ? this.#out.byte(this.#out.copyRegister(value)) : value;
    const result = this.#extended(operation, width, registerOperand(narrow), undefined);
    return this.#deliver(result, into);
  }

  #truth(tree: CompareTree | WideCompareTree, into: number | undefined): number {
    const condition = this.condition(tree);
    const bit = this.#out.byte(this.#out.newRegister());
    this.#out.emit({ operation: "setcc", condition, destination: registerOperand(bit) });
    const result = this.#extended("movzx", 8, registerOperand(bit), undefined);
    return this.#deliver(result, into);
  }

  #select(tree: SelectTree, into: number | undefined): number {
    const { condition: test, yes, no } = tree;
    const isTruth = yes.kind === "constant" && yes.value === 1 && no.kind === "constant" &&
      no.value === 0 && (test.kind === "compare" || test.kind === "wideCompare");
    if (isTruth) return this.value(test, into);
    const yesOperand = this.operand(yes, { memory: false, immediate: false });
    const noRegister = this.value(no);
    const condition = this.condition(test);
    const result = this.#out.copyRegister(noRegister);
    const destination = registerOperand(result);
    this.#out.emit({ operation: "cmov", condition, destination, source: yesOperand });
    return this.#deliver(result, into);
  }

  #unary(tree: UnaryTree, into: number | undefined): number {
    if (tree.operator === "sx8" || tree.operator === "sx16") {
      return this.#narrowed("movsx", tree.operator === "sx8" ? 8 : 16, tree.operand, into);
    }
    // BSR and BSF leave the destination undefined for zero, so a conditional move supplies the result.
    const leading = tree.operator === "clz";
    const source = this.operand(tree.operand, { memory: false, immediate: false });
    const forZero = this.#out.constant(leading ? 63 : 32);
    const value = this.#out.copy(source);
    const result = this.#out.newRegister();
    const destination = registerOperand(result);
    this.#out.binary(leading ? "bsr" : "bsf", result, registerOperand(value));
    const otherwise = registerOperand(forZero);
    this.#out.emit({ operation: "cmov", condition: "e", destination, source: otherwise });
    // clz = 31 - bsr = bsr ^ 31, and 63 ^ 31 = 32.
    if (leading) this.#out.binary("xor", result, immediate(31));
    return this.#deliver(result, into);
  }

  #binary(tree: BinaryTree, into: number | undefined): number {
    const { operator, left, right } = tree;
    if (isShift(operator)) return this.#shift(tree, into);
    switch (operator) {
      case "add":
        if (this.#wantsLea(left, right)) {
          const source = this.address(tree, 0);
          const register = into ?? this.#out.newRegister();
          this.#out.binary("lea", register, source);
          return register;
        }
        break;
      case "mul":
        if (right.kind === "constant") return this.#multiply(left, right.value, into);
        break;
      case "or": {
        const found = this.#swappedBytes(left, right, into) ??
          this.#doubleShift(left, right, into) ??
          this.#doubleShift(right, left, into);
        if (found !== undefined) return found;
        break;
      }
      case "and":
        if (right.kind === "constant" && (right.value === 0xff || right.value === 0xffff)) {
          return this.#narrowed("movzx", right.value === 0xff ? 8 : 16, left, into);
        }
        break;
      case "xor":
        if (right.kind === "constant" && right.value === -1) {
          return this.#changed("not", left, into);
        }
        break;
      case "sub":
        if (left.kind === "constant" && left.value === 0) return this.#changed("neg", right, into);
        break;
    }
    return this.#plainBinary(tree, into);
  }

  #changed(operation: "not" | "neg", tree: Tree, into: number | undefined): number {
    const result = this.#out.copyRegister(this.value(tree));
    this.#out.unary(operation, result);
    return this.#deliver(result, into);
  }

  #wantsLea(left: Tree, right: Tree): boolean {
    return isScaled(left) || isScaled(right) || left.kind === "symbol" || right.kind === "symbol" ||
      isSumWithConstant(left) || isSumWithConstant(right) ||
      (right.kind === "constant" && left.kind === "binary" && left.operator === "add");
  }

  #multiply(left: Tree, factor: number, into: number | undefined): number {
    if (factor === 3 || factor === 5 || factor === 9) {
      const value = this.value(left);
      const register = into ?? this.#out.newRegister();
      this.#out.binary("lea", register, memory(value, 0, value, factor - 1));
      return register;
    }
    if (factor > 0 && (factor & (factor - 1)) === 0) {
      const count = constant(31 - Math.clz32(factor));
      const shift: Tree = {
        kind: "binary",
        operator: "shl",
        left,
        right: count,
        readsMemory: left.readsMemory,
      };
      return this.#shift(shift, into);
    }
    const source = this.operand(left, { immediate: false });
    const register = into ?? this.#out.newRegister();
    const destination = registerOperand(register);
    this.#out.emit({ operation: "imul3", destination, source, immediate: factor });
    return register;
  }

  /** `rol(x & 0xff00ff00, 8) | ror(x & 0x00ff00ff, 8)`, AssemblyScript's bswap. */
  #swappedBytes(left: Tree, right: Tree, into: number | undefined): number | undefined {
    const half = (tree: Tree, operator: BinaryOperator, mask: number): Tree | undefined => {
      if (tree.kind !== "binary" || tree.operator !== operator) return undefined;
      if (tree.right.kind !== "constant" || tree.right.value !== 8) return undefined;
      const masked = tree.left;
      if (masked.kind !== "binary" || masked.operator !== "and") return undefined;
      if (masked.right.kind !== "constant" || masked.right.value !== (mask | 0)) return undefined;
      return masked.left;
    };
    const first = half(left, "rol", 0xff00ff00);
    const second = half(right, "ror", 0x00ff00ff);
    if (first === undefined || second === undefined || !sameTree(first, second)) return undefined;
    const result = this.#out.copyRegister(this.value(first));
    this.#out.unary("bswap", result);
    return this.#deliver(result, into);
  }

  /** `a << n | b >> 32 - n` is SHLD, or ROL where a and b are the same. */
  #doubleShift(left: Tree, right: Tree, into: number | undefined): number | undefined {
    if (left.kind !== "binary" || right.kind !== "binary") return undefined;
    if (left.operator !== "shl" || right.operator !== "shr") return undefined;
    if (left.right.kind !== "constant" || right.right.kind !== "constant") return undefined;
    const count = left.right.value;
    if (count <= 0 || count + right.right.value !== 32) return undefined;
    const upper = this.value(left.left);
    const lower = this.value(right.left);
    const result = this.#out.copyRegister(upper);
    if (sameTree(left.left, right.left)) this.#out.binary("rol", result, immediate(count));
    else {
      const destination = registerOperand(result);
      const source = registerOperand(lower);
      this.#out.emit({ operation: "shld", destination, source, immediate: count });
    }
    return this.#deliver(result, into);
  }

  #shift(tree: BinaryTree, into: number | undefined): number {
    const operation = tree.operator as Operation;
    const value = this.value(tree.left);
    if (tree.right.kind === "constant") {
      const result = this.#out.copyRegister(value);
      this.#out.binary(operation, result, immediate(tree.right.value & 31));
      return this.#deliver(result, into);
    }
    const count = this.value(tree.right);
    const result = this.#out.copyRegister(value);
    this.#out.move(ECX, registerOperand(count));
    this.#out.binary(operation, result, registerOperand(ECX));
    return this.#deliver(result, into);
  }

  #plainBinary(tree: BinaryTree, into: number | undefined): number {
    let { left, right } = tree;
    const { operator } = tree;
    const operation: Operation = operator === "mul" ? "imul" : operator;
    if (isCommutative(operator) && this.#betterExchanged(left, right)) {
      [left, right] = [right, left];
    }
    let [value, source] = this.#operands(left, right);
    if (operation === "imul" && source.kind === "immediate") {
      source = registerOperand(this.#out.copy(source));
    }
    const result = this.#out.copyRegister(value);
    this.#out.binary(operation, result, source);
    return this.#deliver(result, into);
  }

  /** A load should be the memory operand, a computed value the one that is overwritten. */
  #betterExchanged(left: Tree, right: Tree): boolean {
    if (isWordLoad(left)) return right.kind !== "constant" && right.kind !== "load";
    return left.kind === "register" && right.kind !== "constant" && right.kind !== "register" &&
      right.kind !== "symbol" && !isWordLoad(right);
  }

  /** Both operands, the heavier one first so that it does not wait in a register. */
  #operands(left: Tree, right: Tree): [number, Operand] {
    if (weight(right) > weight(left) && !isWordLoad(right)) {
      const source = this.operand(right);
      return [this.value(left), source];
    }
    const value = this.value(left);
    return [value, this.operand(right)];
  }

  #compare(tree: CompareTree): Condition {
    const { condition, left, right } = tree;
    if (
      right.kind === "constant" && right.value === 0 && (condition === "e" || condition === "ne")
    ) {
      const found = this.#compareWithZero(left, condition);
      if (found !== undefined) return found;
    }
    if (left.kind === "load" && left.width === 8 && right.kind === "constant") {
      if (comparesAsByte(condition, left.signed, right.value)) {
        const destination = this.address(left.address, left.offset);
        this.#out.emit({ operation: "cmp", width: 8, destination, source: immediate(right.value) });
        return condition;
      }
    }
    const isSimple = right.kind === "constant" || right.kind === "symbol" ||
      right.kind === "register";
    if (isWordLoad(left) && isSimple) {
      const source = this.operand(right, { memory: false });
      const destination = this.address(left.address, left.offset);
      this.#out.emit({ operation: "cmp", destination, source });
      return condition;
    }
    const [value, source] = this.#operands(left, right);
    this.#out.binary("cmp", value, source);
    return condition;
  }

  /** `(a & b) == 0` is TEST; `(a < b) == 0` is the comparison itself. */
  #compareWithZero(left: Tree, condition: "e" | "ne"): Condition | undefined {
    if (left.kind === "compare" || left.kind === "wideCompare") {
      const inner = this.condition(left);
      return condition === "ne" ? inner : NEGATED[inner];
    }
    if (left.kind !== "binary" || left.operator !== "and") return undefined;
    const { left: tested, right: mask } = left;
    if (tested.kind === "load" && mask.kind === "constant") {
      const isByte = tested.width === 8 && !tested.signed && mask.value >= 0 && mask.value < 256;
      if (tested.width === 32 || isByte) {
        const destination = this.address(tested.address, tested.offset);
        const source = immediate(mask.value);
        this.#out.emit({ operation: "test", width: tested.width, destination, source });
        return condition;
      }
    }
    const value = this.value(tested);
    this.#out.binary("test", value, this.operand(mask, { memory: false }));
    return condition;
  }

  /** CMP of the low words, SBB of the high ones: the flags of the 64-bit difference. */
  #compareWide(tree: WideCompareTree): Condition {
    const low = this.value(tree.left[0]);
    const otherLow = this.operand(tree.right[0], { memory: false });
    const otherHigh = this.operand(tree.right[1], { memory: false });
    const high = this.value(tree.left[1], this.#out.newRegister());
    this.#out.binary("cmp", low, otherLow);
    this.#out.binary("sbb", high, otherHigh);
    return tree.condition;
  }
}

const UNSIGNED_CONDITIONS: readonly Condition[] = ["a", "ae", "b", "be"];

/** Whether an extended byte may be compared with a constant as a byte. */
function comparesAsByte(condition: Condition, signed: boolean, value: number): boolean {
  const equality = condition === "e" || condition === "ne";
  const unsigned = UNSIGNED_CONDITIONS.includes(condition);
  if (signed) return value >= -128 && value < 128 && !unsigned;
  return value >= 0 && value < 256 && (equality || unsigned);
}
