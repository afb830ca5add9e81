/**
 * Expression trees over 32-bit virtual registers, the values of the intermediate representation.
 *
 * A 64-bit value is a pair of trees. A tree has no side effects and cannot trap; `readsMemory` says that
 * it must be evaluated before the next store or call. The constructors fold constants and bring
 * constants to the right, so that later passes need look for one shape only.
 *
 * @module
 */

/** Conditions by their names in Intel's mnemonics. */
export type Condition = "e" | "ne" | "l" | "ge" | "g" | "le" | "b" | "ae" | "a" | "be";

export type BinaryOperator =
  | "add"
  | "sub"
  | "mul"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "sar"
  | "shr"
  | "rol"
  | "ror";

export type UnaryOperator = "clz" | "ctz" | "sx8" | "sx16";

/** Width of a memory access in bits. */
export type Width = 8 | 16 | 32;

interface Node {
  readonly readsMemory: boolean;
}
export interface ConstantTree extends Node {
  readonly kind: "constant";
  readonly value: number;
}
export interface RegisterTree extends Node {
  readonly kind: "register";
  readonly register: number;
}
/** Address of a linker symbol plus a number. */
export interface SymbolTree extends Node {
  readonly kind: "symbol";
  readonly name: string;
  readonly addend: number;
}
export interface BinaryTree extends Node {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  readonly left: Tree;
  readonly right: Tree;
}
export interface UnaryTree extends Node {
  readonly kind: "unary";
  readonly operator: UnaryOperator;
  readonly operand: Tree;
}
/** 1 or 0. */
export interface CompareTree extends Node {
  readonly kind: "compare";
  readonly condition: Condition;
  readonly left: Tree;
  readonly right: Tree;
}
/** Comparison of pairs, low word first, only by l, ge, b, ae. The words are registers or constants. */
export interface WideCompareTree extends Node {
  readonly kind: "wideCompare";
  readonly condition: Condition;
  readonly left: readonly [Tree, Tree];
  readonly right: readonly [Tree, Tree];
}
export interface LoadTree extends Node {
  readonly kind: "load";
  readonly width: Width;
  readonly signed: boolean;
  readonly address: Tree;
  readonly offset: number;
}
/** `condition` is not zero ? `yes` : `no`; both are evaluated. */
export interface SelectTree extends Node {
  readonly kind: "select";
  readonly condition: Tree;
  readonly yes: Tree;
  readonly no: Tree;
}

export type Tree =
  | ConstantTree
  | RegisterTree
  | SymbolTree
  | BinaryTree
  | UnaryTree
  | CompareTree
  | WideCompareTree
  | LoadTree
  | SelectTree;

export const NEGATED: Readonly<Record<Condition, Condition>> = {
  e: "ne",
  ne: "e",
  l: "ge",
  ge: "l",
  le: "g",
  g: "le",
  b: "ae",
  ae: "b",
  be: "a",
  a: "be",
};

/** The condition with its operands exchanged. */
export const SWAPPED: Readonly<Record<Condition, Condition>> = {
  e: "e",
  ne: "ne",
  l: "g",
  g: "l",
  le: "ge",
  ge: "le",
  b: "a",
  a: "b",
  be: "ae",
  ae: "be",
};

export function constant(value: number): ConstantTree {
  return { kind: "constant", value: value | 0, readsMemory: false };
}

export function register(number: number): RegisterTree {
  return { kind: "register", register: number, readsMemory: false };
}

export function symbol(name: string, addend = 0): SymbolTree {
  return { kind: "symbol", name, addend, readsMemory: false };
}

export function load(width: Width, signed: boolean, address: Tree, offset: number): LoadTree {
  return { kind: "load", width, signed, address, offset: offset | 0, readsMemory: true };
}

export function isConstant(tree: Tree, value: number): boolean {
  return tree.kind === "constant" && tree.value === value;
}

const FOLD: Readonly<Record<BinaryOperator, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  sar: (a, b) => a >> b,
  shr: (a, b) => a >>> b,
  rol: (a, b) => (b & 31) === 0 ? a : a << (b & 31) | a >>> (32 - (b & 31)),
  ror: (a, b) => (b & 31) === 0 ? a : a >>> (b & 31) | a << (32 - (b & 31)),
};

const COMMUTATIVE: readonly BinaryOperator[] = ["add", "mul", "and", "or", "xor"];

/** True when operands may change places. */
export function isCommutative(operator: BinaryOperator): boolean {
  return COMMUTATIVE.includes(operator);
}

/** `left operator right`, simplified. */
export function binary(operator: BinaryOperator, left: Tree, right: Tree): Tree {
  if (left.kind === "constant") {
    if (right.kind === "constant") return constant(FOLD[operator](left.value, right.value));
    if (isCommutative(operator)) return binary(operator, right, left);
  }
  if (right.kind === "constant") {
    const simpler = withConstant(operator, left, right.value);
    if (simpler !== undefined) return simpler;
  }
  const readsMemory = left.readsMemory || right.readsMemory;
  return { kind: "binary", operator, left, right, readsMemory };
}

function withConstant(operator: BinaryOperator, left: Tree, value: number): Tree | undefined {
  if (value === 0 && operator !== "mul" && operator !== "and") return left;
  // A load that is dropped here cannot trap in our memory model.
  if (value === 0) return constant(0);
  if (operator === "mul" && value === 1) return left;
  if (operator === "and" && value === -1) return left;
  if (operator === "sub") return binary("add", left, constant(-value));
  if (operator === "add" && left.kind === "symbol") return symbol(left.name, left.addend + value);
  if (left.kind !== "binary" || left.operator !== operator || left.right.kind !== "constant") {
    return undefined;
  }
  const inner = left.right.value;
  if (operator === "add") return binary("add", left.left, constant(inner + value));
  if (operator === "shl" && (inner & 31) + (value & 31) < 32) {
    return binary("shl", left.left, constant((inner & 31) + (value & 31)));
  }
  return undefined;
}

export function unary(operator: UnaryOperator, operand: Tree): Tree {
  return { kind: "unary", operator, operand, readsMemory: operand.readsMemory };
}

/** 1 if the condition holds. */
export function compare(condition: Condition, left: Tree, right: Tree): Tree {
  if (left.kind === "constant" && right.kind !== "constant") {
    return compare(SWAPPED[condition], right, left);
  }
  const readsMemory = left.readsMemory || right.readsMemory;
  return { kind: "compare", condition, left, right, readsMemory };
}

/** 1 if the tree is 0. */
export function not(tree: Tree): Tree {
  if (tree.kind === "compare" || tree.kind === "wideCompare") {
    return { ...tree, condition: NEGATED[tree.condition] };
  }
  return compare("e", tree, constant(0));
}

export function select(condition: Tree, yes: Tree, no: Tree): Tree {
  const readsMemory = condition.readsMemory || yes.readsMemory || no.readsMemory;
  return { kind: "select", condition, yes, no, readsMemory };
}

/** The trees directly below. */
export function children(tree: Tree): readonly Tree[] {
  switch (tree.kind) {
    case "constant":
    case "register":
    case "symbol":
      return [];
    case "binary":
    case "compare":
      return [tree.left, tree.right];
    case "unary":
      return [tree.operand];
    case "load":
      return [tree.address];
    case "wideCompare":
      return [...tree.left, ...tree.right];
    case "select":
      return [tree.condition, tree.yes, tree.no];
  }
}

/** Whether the tree's value depends on one of the registers. */
export function usesRegister(tree: Tree, registers: readonly number[]): boolean {
  if (tree.kind === "register") return registers.includes(tree.register);
  return children(tree).some((child) => usesRegister(child, registers));
}

/** Whether two trees are certainly the same value when evaluated at the same place. */
export function sameTree(a: Tree, b: Tree): boolean {
  switch (a.kind) {
    case "constant":
      return b.kind === "constant" && a.value === b.value;
    case "register":
      return b.kind === "register" && a.register === b.register;
    case "symbol":
      return b.kind === "symbol" && a.name === b.name && a.addend === b.addend;
    case "binary":
      return b.kind === "binary" && a.operator === b.operator && sameTree(a.left, b.left) &&
        sameTree(a.right, b.right);
    case "load":
      return b.kind === "load" && a.width === b.width && a.signed === b.signed &&
        a.offset === b.offset && sameTree(a.address, b.address);
    default:
      return false;
  }
}
