// deno-lint-ignore-file camelcase -- names of instructions
/**
 * Wasm's numeric instructions on i32 and i64 (core specification §4.3.2), as trees and operations.
 *
 * 64-bit operations work on pairs of words. `add64 sub64 mul_u mul_s shl64 sar64 shr64 rol64 ror64` are
 * operations that the instruction selection expands; division calls `runtime.s`.
 *
 * @module
 */

import { divide, type DivisionKind } from "./divide.ts";
import type { GraphBuilder } from "./graph_builder.ts";
import {
  binary,
  type BinaryOperator,
  compare,
  type Condition,
  constant,
  isConstant,
  not,
  select,
  SWAPPED,
  type Tree,
  unary,
} from "./tree.ts";
import { I64 } from "./wasm_module.ts";

/** In the order of Wasm's opcodes: eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u. */
const CONDITIONS: readonly Condition[] = ["e", "ne", "l", "b", "g", "a", "le", "be", "ge", "ae"];

/** In the order of Wasm's opcodes from add on; division stands between. */
const OPERATORS: readonly (BinaryOperator | DivisionKind)[] = [
  "add",
  "sub",
  "mul",
  "div_s",
  "div_u",
  "rem_s",
  "rem_u",
  "and",
  "or",
  "xor",
  "shl",
  "sar",
  "shr",
  "rol",
  "ror",
];

const DIVISION_ROUTINES: Readonly<Record<DivisionKind, string>> = {
  div_s: "__div64s",
  div_u: "__div64u",
  rem_s: "__rem64s",
  rem_u: "__rem64u",
};

/** First opcodes of the groups. */
const OPCODE = {
  eqz32: 0x45,
  compare32: 0x46,
  eqz64: 0x50,
  compare64: 0x51,
  clz32: 0x67,
  ctz32: 0x68,
  popcnt32: 0x69,
  binary32: 0x6a,
  clz64: 0x79,
  ctz64: 0x7a,
  popcnt64: 0x7b,
  binary64: 0x7c,
  wrap: 0xa7,
  extendSigned: 0xac,
  extendUnsigned: 0xad,
  extend8To32: 0xc0,
  extend16To32: 0xc1,
  extend8To64: 0xc2,
  extend16To64: 0xc3,
  extend32To64: 0xc4,
} as const;

/** Lowers a numeric instruction; false if `opcode` is none that we know. */
export function lowerInteger(builder: GraphBuilder, opcode: number): boolean {
  if (opcode >= OPCODE.compare32 && opcode < OPCODE.compare32 + CONDITIONS.length) {
    const right = builder.pop32();
    const left = builder.pop32();
    builder.push32(compare(CONDITIONS[opcode - OPCODE.compare32] as Condition, left, right));
    return true;
  }
  if (opcode >= OPCODE.compare64 && opcode < OPCODE.compare64 + CONDITIONS.length) {
    const right = builder.pop64();
    const left = builder.pop64();
    const condition = CONDITIONS[opcode - OPCODE.compare64] as Condition;
    builder.push32(compareWide(builder, condition, left, right));
    return true;
  }
  if (opcode >= OPCODE.binary32 && opcode < OPCODE.binary32 + OPERATORS.length) {
    const operator = OPERATORS[opcode - OPCODE.binary32] as BinaryOperator | DivisionKind;
    const right = builder.pop32();
    const left = builder.pop32();
    builder.push32(
      isDivision(operator) ? divide(builder, operator, left, right) : binary(operator, left, right),
    );
    return true;
  }
  if (opcode >= OPCODE.binary64 && opcode < OPCODE.binary64 + OPERATORS.length) {
    const operator = OPERATORS[opcode - OPCODE.binary64] as BinaryOperator | DivisionKind;
    const right = builder.pop64();
    const left = builder.pop64();
    const [low, high] = binaryWide(builder, operator, left, right);
    builder.push64(low, high);
    return true;
  }
  return lowerUnary(builder, opcode);
}

function isDivision(operator: BinaryOperator | DivisionKind): operator is DivisionKind {
  return operator in DIVISION_ROUTINES;
}

function lowerUnary(builder: GraphBuilder, opcode: number): boolean {
  switch (opcode) {
    case OPCODE.eqz32:
      builder.push32(not(builder.pop32()));
      return true;
    case OPCODE.eqz64: {
      const [low, high] = builder.pop64();
      builder.push32(compare("e", binary("or", low, high), constant(0)));
      return true;
    }
    case OPCODE.clz32:
    case OPCODE.ctz32:
      builder.push32(unary(opcode === OPCODE.clz32 ? "clz" : "ctz", builder.pop32()));
      return true;
    case OPCODE.popcnt32:
      builder.push32(countBits(builder, builder.pop32()));
      return true;
    case OPCODE.clz64:
    case OPCODE.ctz64: {
      const operator = opcode === OPCODE.clz64 ? "clz" : "ctz";
      const words = builder.pop64().map((word) => builder.force(word));
      const [first, second] = (operator === "clz" ? words.reverse() : words) as [Tree, Tree];
      const rest = binary("add", unary(operator, second), constant(32));
      builder.push64(select(first, unary(operator, first), rest), constant(0));
      return true;
    }
    case OPCODE.popcnt64: {
      const [low, high] = builder.pop64();
      const sum = binary("add", countBits(builder, low), countBits(builder, high));
      builder.push64(sum, constant(0));
      return true;
    }
    case OPCODE.wrap:
      builder.push32(builder.pop64()[0]);
      return true;
    case OPCODE.extendSigned:
      pushSigned(builder, builder.pop32());
      return true;
    case OPCODE.extendUnsigned:
      builder.push64(builder.pop32(), constant(0));
      return true;
    case OPCODE.extend8To32:
    case OPCODE.extend16To32:
      builder.push32(unary(opcode === OPCODE.extend8To32 ? "sx8" : "sx16", builder.pop32()));
      return true;
    case OPCODE.extend8To64:
    case OPCODE.extend16To64:
      pushSigned(
        builder,
        unary(opcode === OPCODE.extend8To64 ? "sx8" : "sx16", builder.pop64()[0]),
      );
      return true;
    case OPCODE.extend32To64:
      pushSigned(builder, builder.pop64()[0]);
      return true;
    default:
      return false;
  }
}

/** Pushes a word as an i64 with its sign. */
export function pushSigned(builder: GraphBuilder, word: Tree): void {
  const low = builder.force(word);
  builder.push(I64, low, binary("sar", low, constant(31)));
}

/** Number of set bits, by adding neighbours (Hacker's Delight §5-1). */
function countBits(builder: GraphBuilder, tree: Tree): Tree {
  const masked = (value: Tree, mask: number): Tree => binary("and", value, constant(mask));
  const shifted = (value: Tree, count: number): Tree => binary("shr", value, constant(count));
  const word = builder.force(tree);
  const pairs = builder.force(binary("sub", word, masked(shifted(word, 1), 0x55555555)));
  const nibbles = builder.force(
    binary("add", masked(pairs, 0x33333333), masked(shifted(pairs, 2), 0x33333333)),
  );
  const bytes = masked(binary("add", nibbles, shifted(nibbles, 4)), 0x0f0f0f0f);
  return shifted(binary("mul", bytes, constant(0x01010101)), 24);
}

type Pair = readonly [Tree, Tree];

const UNSIGNED: Readonly<Partial<Record<Condition, Condition>>> = {
  l: "b",
  le: "be",
  g: "a",
  ge: "ae",
};

function compareWide(builder: GraphBuilder, condition: Condition, left: Pair, right: Pair): Tree {
  if (condition === "e" || condition === "ne") {
    const low = binary("xor", left[0], right[0]);
    const high = binary("xor", left[1], right[1]);
    return compare(condition, binary("or", low, high), constant(0));
  }
  if (isConstant(left[1], 0) && isConstant(right[1], 0)) {
    return compare(UNSIGNED[condition] ?? condition, left[0], right[0]);
  }
  // cmp/sbb leaves flags for "less" and "not less" only.
  if (condition === "g" || condition === "le" || condition === "a" || condition === "be") {
    return compareWide(builder, SWAPPED[condition], right, left);
  }
  const words = [...left, ...right].map((word) => builder.force(word)) as [Tree, Tree, Tree, Tree];
  return {
    kind: "wideCompare",
    condition,
    left: [words[0], words[1]],
    right: [words[2], words[3]],
    readsMemory: false,
  };
}

function binaryWide(
  builder: GraphBuilder,
  operator: BinaryOperator | DivisionKind,
  left: Pair,
  right: Pair,
): Pair {
  if (isDivision(operator)) return divideWide(builder, operator, left, right);
  switch (operator) {
    case "add":
    case "sub":
      return builder.operation(`${operator}64`, [...left, ...right], 2) as [Tree, Tree];
    case "mul":
      return multiplyWide(builder, left, right);
    case "and":
    case "or":
    case "xor":
      return [binary(operator, left[0], right[0]), binary(operator, left[1], right[1])];
    default:
      return right[0].kind === "constant"
        ? shiftByConstant(builder, operator, left, right[0].value & 63)
        : builder.operation(`${operator}64`, [...left, right[0]], 2) as [Tree, Tree];
  }
}

/** low * low in full, plus the cross products in the high word. */
function multiplyWide(builder: GraphBuilder, left: Pair, right: Pair): Pair {
  const [leftLow, rightLow] = [builder.force(left[0]), builder.force(right[0])];
  const [leftHigh, rightHigh] = [builder.force(left[1]), builder.force(right[1])];
  const [low, product] = builder.operation("mul_u", [leftLow, rightLow], 2) as [Tree, Tree];
  let high = product;
  if (!isConstant(rightHigh, 0)) high = binary("add", high, binary("mul", leftLow, rightHigh));
  if (!isConstant(leftHigh, 0)) high = binary("add", high, binary("mul", leftHigh, rightLow));
  return [low, high];
}

function divideWide(
  builder: GraphBuilder,
  kind: DivisionKind,
  left: Pair,
  right: Pair,
): Pair {
  builder.keepLoads();
  const isUnsigned = kind === "div_u" || kind === "rem_u";
  if (isUnsigned && isConstant(left[1], 0) && isConstant(right[1], 0)) {
    return [divide(builder, kind, left[0], right[0]), constant(0)];
  }
  const routine = DIVISION_ROUTINES[kind];
  return builder.call(routine, [I64, I64], [...left, ...right], 2) as [Tree, Tree];
}

function shiftByConstant(
  builder: GraphBuilder,
  operator: BinaryOperator,
  value: Pair,
  count: number,
): Pair {
  if (operator === "ror") return shiftByConstant(builder, "rol", value, -count & 63);
  if (count === 0) return value;
  const low = builder.force(value[0]);
  const high = builder.force(value[1]);
  const shift = (name: BinaryOperator, word: Tree, by: number): Tree =>
    binary(name, word, constant(by));
  // The upper word of a left shift; SHLD when selected.
  const join = (upper: Tree, lower: Tree, by: number): Tree =>
    binary("or", shift("shl", upper, by), shift("shr", lower, 32 - by));
  const wide = count >= 32;
  switch (operator) {
    case "shl":
      if (wide) return [constant(0), shift("shl", low, count - 32)];
      return [shift("shl", low, count), join(high, low, count)];
    case "shr":
      if (wide) return [shift("shr", high, count - 32), constant(0)];
      return [join(high, low, 32 - count), shift("shr", high, count)];
    case "sar":
      if (wide) return [shift("sar", high, count - 32), shift("sar", high, 31)];
      return [join(high, low, 32 - count), shift("sar", high, count)];
    default: {
      const [first, second] = wide ? [high, low] : [low, high];
      const rest = count & 31;
      if (rest === 0) return [first, second];
      return [join(first, second, rest), join(second, first, rest)];
    }
  }
}
