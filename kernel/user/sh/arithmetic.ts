/**
 * `$((…))`: C's integer expressions on 64 bits (POSIX Shell Command Language §2.6.4), by precedence climbing.
 *
 * @module
 */
import { at, duplicateBytes, isDigit, isLetter, isSpace } from "../lib/string.ts";
import { release } from "../lib/memory.ts";
import { assignNumber, valueOf } from "./variables.ts";

let text: usize = 0;
let problem: usize = 0;
let depth: u32 = 0;
const MAX_DEPTH: u32 = 100;

/** What was wrong with the last expression, 0 if nothing. */
export function arithmeticProblem(): usize {
  return problem;
}

/** The value of an expression; see {@link arithmeticProblem}. */
export function evaluate(expression: usize): i64 {
  text = expression;
  problem = 0;
  depth = 0;
  skip();
  if (at(text) === 0) return 0;
  const value = comma();
  if (at(text) !== 0 && problem === 0) problem = c`arithmetic: syntax error`;
  return value;
}

function skip(): void {
  while (isSpace(at(text))) text++;
}
function take(first: u32, second: u32 = 0): bool {
  if (at(text) !== first || (second !== 0 && at(text, 1) !== second)) return false;
  text += second === 0 ? 1 : 2;
  skip();
  return true;
}

function comma(): i64 {
  let value = assignment();
  while (take(0x2c)) value = assignment();
  return value;
}

/** The length of a name at `from`. */
function nameLength(from: usize): u32 {
  if (isDigit(at(from))) return 0;
  let size: u32 = 0;
  while (isLetter(at(from, size)) || isDigit(at(from, size)) || at(from, size) === 0x5f) size++;
  return size;
}

function assignment(): i64 {
  if (++depth > MAX_DEPTH) {
    problem = c`arithmetic: nested too deeply`;
    return 0;
  }
  const size = nameLength(text);
  if (size > 0) {
    let after = text + size;
    while (isSpace(at(after))) after++;
    const operator = at(after);
    const plain = operator === 0x3d && at(after, 1) !== 0x3d;
    const compound = at(after, 1) === 0x3d &&
      (operator === 0x2b || operator === 0x2d || operator === 0x2a || operator === 0x2f ||
        operator === 0x25 || operator === 0x26 || operator === 0x7c || operator === 0x5e);
    if (plain || compound) {
      const name = duplicateBytes(text, size);
      text = after + (plain ? 1 : 2);
      skip();
      const right = assignment();
      const value = plain ? right : apply(operator, variable(name), right);
      assignNumber(name, value);
      release(name);
      depth--;
      return value;
    }
  }
  const value = conditional();
  depth--;
  return value;
}

function conditional(): i64 {
  const value = binary(0);
  if (!take(0x3f)) return value;
  const yes = assignment();
  if (!take(0x3a)) {
    if (problem === 0) problem = c`arithmetic: : is missing`;
    return 0;
  }
  const no = assignment();
  return value !== 0 ? yes : no;
}

/** Operators as internal codes: their own character, or one of these for two characters. */
const LOGICAL_OR: u32 = 256;
const LOGICAL_AND: u32 = 257;
const EQUAL: u32 = 258;
const UNEQUAL: u32 = 259;
const LESS_EQUAL: u32 = 260;
const GREATER_EQUAL: u32 = 261;
const SHIFT_LEFT: u32 = 262;
const SHIFT_RIGHT: u32 = 263;

/** The operator that follows, 0 if none. */
function operatorAhead(): u32 {
  const first = at(text);
  const second = at(text, 1);
  if (first === 0x7c && second === 0x7c) return LOGICAL_OR;
  if (first === 0x26 && second === 0x26) return LOGICAL_AND;
  if (first === 0x3d && second === 0x3d) return EQUAL;
  if (first === 0x21 && second === 0x3d) return UNEQUAL;
  if (first === 0x3c && second === 0x3d) return LESS_EQUAL;
  if (first === 0x3e && second === 0x3d) return GREATER_EQUAL;
  if (first === 0x3c && second === 0x3c) return SHIFT_LEFT;
  if (first === 0x3e && second === 0x3e) return SHIFT_RIGHT;
  switch (first) {
    case 0x25: // %
    case 0x26: // &
    case 0x2a: // *
    case 0x2b: // +
    case 0x2d: // -
    case 0x2f: // /
    case 0x3c: // <
    case 0x3e: // >
    case 0x5e: // ^
    case 0x7c: // |
      return first;
    default:
      return 0;
  }
}

function precedence(operator: u32): i32 {
  switch (operator) {
    case LOGICAL_OR:
      return 1;
    case LOGICAL_AND:
      return 2;
    case 0x7c:
      return 3;
    case 0x5e:
      return 4;
    case 0x26:
      return 5;
    case EQUAL:
    case UNEQUAL:
      return 6;
    case 0x3c:
    case 0x3e:
    case LESS_EQUAL:
    case GREATER_EQUAL:
      return 7;
    case SHIFT_LEFT:
    case SHIFT_RIGHT:
      return 8;
    case 0x2b:
    case 0x2d:
      return 9;
    case 0x25:
    case 0x2a:
    case 0x2f:
      return 10;
    default:
      return 0;
  }
}

function binary(above: i32): i64 {
  let left = unary();
  while (true) {
    const operator = operatorAhead();
    const level = precedence(operator);
    if (level <= above || problem !== 0) return left;
    text += operator >= 256 ? 2 : 1;
    skip();
    left = apply(operator, left, binary(level));
  }
  return left;
}

function apply(operator: u32, left: i64, right: i64): i64 {
  switch (operator) {
    case LOGICAL_OR:
      return left !== 0 || right !== 0 ? 1 : 0;
    case LOGICAL_AND:
      return left !== 0 && right !== 0 ? 1 : 0;
    case 0x7c:
      return left | right;
    case 0x5e:
      return left ^ right;
    case 0x26:
      return left & right;
    case EQUAL:
      return left === right ? 1 : 0;
    case UNEQUAL:
      return left !== right ? 1 : 0;
    case 0x3c:
      return left < right ? 1 : 0;
    case 0x3e:
      return left > right ? 1 : 0;
    case LESS_EQUAL:
      return left <= right ? 1 : 0;
    case GREATER_EQUAL:
      return left >= right ? 1 : 0;
    case SHIFT_LEFT:
      return left << (right & 63);
    case SHIFT_RIGHT:
      return left >> (right & 63);
    case 0x2b:
      return left + right;
    case 0x2d:
      return left - right;
    case 0x2a:
      return left * right;
    default:
      if (right === 0) {
        problem = c`arithmetic: division by zero`;
        return 0;
      }
      // The one quotient that does not fit wraps, as the other operators do.
      if (right === -1) return operator === 0x2f ? 0 - left : 0;
      return operator === 0x2f ? left / right : left % right;
  }
}

function unary(): i64 {
  if (++depth > MAX_DEPTH) {
    problem = c`arithmetic: nested too deeply`;
    return 0;
  }
  let value: i64 = 0;
  if (take(0x21)) value = unary() === 0 ? 1 : 0;
  else if (take(0x7e)) value = ~unary();
  else if (take(0x2d)) value = 0 - unary();
  else if (take(0x2b)) value = unary();
  else value = primary();
  depth--;
  return value;
}

function primary(): i64 {
  if (take(0x28)) {
    const value = comma();
    if (!take(0x29) && problem === 0) problem = c`arithmetic: ) is missing`;
    return value;
  }
  if (isDigit(at(text))) {
    const value = number(text);
    while (isDigit(at(text)) || isLetter(at(text))) text++;
    skip();
    return value;
  }
  const size = nameLength(text);
  if (size === 0) {
    if (problem === 0) problem = c`arithmetic: a number is missing`;
    return 0;
  }
  const name = duplicateBytes(text, size);
  text += size;
  skip();
  const value = variable(name);
  release(name);
  return value;
}

/** A constant: decimal, 0octal or 0xhexadecimal. */
function number(from: usize): i64 {
  let base: i64 = 10;
  if (at(from) === 0x30) {
    base = 8;
    if ((at(from, 1) | 0x20) === 0x78) {
      base = 16;
      from += 2;
    }
  }
  let value: i64 = 0;
  while (true) {
    const byte = at(from++);
    const digit: i64 = isDigit(byte) ? byte - 0x30 : isLetter(byte) ? (byte | 0x20) - 0x57 : 99;
    if (digit >= base) {
      if (digit !== 99 && problem === 0) problem = c`arithmetic: a digit does not fit the base`;
      return value;
    }
    value = value * base + digit;
  }
  return value;
}

/** A variable's value as a number; unset and empty are 0. */
function variable(name: usize): i64 {
  let value = valueOf(name);
  if (value === 0) return 0;
  while (isSpace(at(value))) value++;
  if (at(value) === 0x2d) return 0 - number(value + 1);
  return number(value);
}
