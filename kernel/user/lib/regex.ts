/**
 * Regular expressions of POSIX (basic and extended) without back-references: compiled to a small program whose
 * states run side by side (Thompson's construction), so that time is linear in the text.
 *
 * @module
 */
import { allocateZeroed } from "./memory.ts";
import { at, isDigit, isLetter, isSpace, toLower } from "./string.ts";

/** An instruction is 4 words: what, and two operands by kind. */
const BYTE: u32 = 1;
const ANY: u32 = 2;
/** A set: the address of 32 bytes of bits. */
const SET: u32 = 3;
/** Goes on at both operands. */
const SPLIT: u32 = 4;
const JUMP: u32 = 5;
const LINE_START: u32 = 6;
const LINE_END: u32 = 7;
const FOUND: u32 = 8;

const MAX_CODE: u32 = 4000;
const MAX_DEPTH: u32 = 100;
const REPEAT_LIMIT: i32 = 255;

let code: usize = 0;
let used: u32 = 0;
let source: usize = 0;
let extended: bool = false;
let folded: bool = false;
let problem: usize = 0;
let depth: u32 = 0;

/** A compiled expression. */
@unmanaged
export class Regex {
  code: usize;
  count: u32;
  /** Row of states, and when each was last entered. */
  states: usize;
  nextStates: usize;
  marks: usize;
  generation: u32;
  folded: bool;
}

/** What is wrong with the last expression, 0 if nothing. */
export function regexProblem(): usize {
  return problem;
}

/** Compiles an expression; null if it is wrong ({@link regexProblem}). */
export function compileRegex(text: usize, isExtended: bool, ignoreCase: bool): Regex | null {
  code = allocateZeroed(MAX_CODE * 12);
  used = 0;
  source = text;
  extended = isExtended;
  folded = ignoreCase;
  problem = 0;
  depth = 0;
  alternatives();
  if (problem === 0 && at(source) !== 0) problem = c`an unmatched )`;
  emit(FOUND, 0, 0);
  if (problem !== 0) return null;
  const regex = new Regex();
  regex.code = code;
  regex.count = used;
  regex.states = allocateZeroed(used << 2);
  regex.nextStates = allocateZeroed(used << 2);
  regex.marks = allocateZeroed(used << 2);
  regex.folded = ignoreCase;
  return regex;
}

function emit(kind: u32, a: u32, b: u32): u32 {
  if (used >= MAX_CODE) {
    problem = c`the expression is too long`;
    return 0;
  }
  const slot = code + used * 12;
  store<u32>(slot, kind);
  store<u32>(slot, a, 4);
  store<u32>(slot, b, 8);
  return used++;
}

/** Moves the code from `from` on by one and puts an instruction there; jumps into it move along. */
function insert(from: u32, kind: u32, a: u32, b: u32): void {
  if (emit(kind, a, b) === 0 && problem !== 0) return;
  memory.copy(code + (from + 1) * 12, code + from * 12, (used - 1 - from) * 12);
  for (let index = from + 1; index < used; index++) {
    const slot = code + index * 12;
    const kindAt = load<u32>(slot);
    if (kindAt !== SPLIT && kindAt !== JUMP) continue;
    if (load<u32>(slot, 4) >= from) store<u32>(slot, load<u32>(slot, 4) + 1, 4);
    if (kindAt === SPLIT && load<u32>(slot, 8) >= from) store<u32>(slot, load<u32>(slot, 8) + 1, 8);
  }
  const slot = code + from * 12;
  store<u32>(slot, kind);
  store<u32>(slot, a, 4);
  store<u32>(slot, b, 8);
}

function takeOperator(byte: u32): bool {
  if (extended && at(source) === byte) {
    source++;
    return true;
  }
  if (!extended && at(source) === 0x5c && at(source, 1) === byte) {
    source += 2;
    return true;
  }
  return false;
}
function operatorAhead(byte: u32): bool {
  return extended ? at(source) === byte : at(source) === 0x5c && at(source, 1) === byte;
}

function alternatives(): void {
  const start = used;
  sequence();
  while (problem === 0 && takeOperator(0x7c)) {
    insert(start, SPLIT, start + 1, 0);
    const jump = emit(JUMP, 0, 0);
    store<u32>(code + start * 12, used, 8);
    sequence();
    store<u32>(code + jump * 12, used, 4);
  }
}

function sequence(): void {
  let first = true;
  while (
    problem === 0 && at(source) !== 0 && !operatorAhead(0x7c) && !(depth > 0 && operatorAhead(0x29))
  ) {
    if (extended && depth === 0 && at(source) === 0x29) return;
    const start = used;
    if (!atom(first)) {
      first = false;
      continue;
    }
    first = false;
    while (problem === 0 && repeat(start)) {
      // Further operators repeat the repetition.
    }
  }
}

/** One atom; false for an anchor, which cannot be repeated. */
function atom(first: bool): bool {
  if (takeOperator(0x28)) {
    if (++depth > MAX_DEPTH) {
      problem = c`groups are nested too deeply`;
      return true;
    }
    alternatives();
    if (!takeOperator(0x29) && problem === 0) problem = c`an unmatched (`;
    depth--;
    return true;
  }
  const byte = at(source++);
  if (byte === 0x5e && (extended || first)) {
    emit(LINE_START, 0, 0);
    return false;
  }
  if (
    byte === 0x24 && (extended || at(source) === 0 || operatorAhead(0x29) || operatorAhead(0x7c))
  ) {
    emit(LINE_END, 0, 0);
    return false;
  }
  if (byte === 0x2e) {
    emit(ANY, 0, 0);
  } else if (byte === 0x5b) {
    bracket();
  } else if (byte === 0x5c) {
    if (at(source) === 0) problem = c`a trailing backslash`;
    else if (isDigit(at(source))) problem = c`back-references are not known here`;
    else literal(at(source++));
  } else {
    literal(byte);
  }
  return true;
}

function literal(byte: u32): void {
  emit(BYTE, folded ? toLower(byte) : byte, 0);
}

/** A repetition of what begins at `start`; false if none follows. */
function repeat(start: u32): bool {
  const byte = at(source);
  if (byte === 0x2a) {
    source++;
    star(start);
    return true;
  }
  if (takeOperator(0x2b)) {
    emit(SPLIT, start, used + 1);
    return true;
  }
  if (takeOperator(0x3f)) {
    insert(start, SPLIT, start + 1, 0);
    store<u32>(code + start * 12, used, 8);
    return true;
  }
  if (!takeOperator(0x7b)) return false;
  const least = number();
  let most = least;
  if (at(source) === 0x2c) {
    source++;
    most = isDigit(at(source)) ? number() : -1;
  }
  if (!takeOperator(0x7d)) {
    problem = c`a wrong repetition count`;
    return false;
  }
  if (least > REPEAT_LIMIT || most > REPEAT_LIMIT || (most >= 0 && most < least)) {
    problem = c`a wrong repetition count`;
    return false;
  }
  counted(start, least, most);
  return true;
}

function star(start: u32): void {
  insert(start, SPLIT, start + 1, 0);
  emit(JUMP, start, 0);
  store<u32>(code + start * 12, used, 8);
}

function number(): i32 {
  let value = 0;
  while (isDigit(at(source)) && value <= REPEAT_LIMIT) {
    value = value * 10 + <i32> (at(source++) - 0x30);
  }
  return value;
}

/** Repeats the code from `start` on by copying it. */
function counted(start: u32, least: i32, most: i32): void {
  const size = used - start;
  const original = allocateZeroed(size * 12);
  memory.copy(original, code + start * 12, size * 12);
  used = start;
  for (let index = 0; index < least; index++) paste(original, size, start);
  if (most < 0) {
    const from = used;
    paste(original, size, start);
    star(from);
    return;
  }
  for (let index = least; index < most && problem === 0; index++) {
    const from = used;
    paste(original, size, start);
    insert(from, SPLIT, from + 1, 0);
    store<u32>(code + from * 12, used, 8);
  }
}

function paste(original: usize, size: u32, base: u32): void {
  const shift = used - base;
  for (let index: u32 = 0; index < size; index++) {
    const slot = original + index * 12;
    const kind = load<u32>(slot);
    const jumps = kind === SPLIT || kind === JUMP;
    emit(
      kind,
      load<u32>(slot, 4) + (jumps ? shift : 0),
      load<u32>(slot, 8) + (kind === SPLIT ? shift : 0),
    );
  }
}

function bracket(): void {
  const set = allocateZeroed(32);
  let negated = false;
  if (at(source) === 0x5e) {
    negated = true;
    source++;
  }
  let first = true;
  while (first || at(source) !== 0x5d) {
    first = false;
    if (at(source) === 0) {
      problem = c`an unmatched [`;
      return;
    }
    if (at(source) === 0x5b && at(source, 1) === 0x3a) {
      namedClass(set);
      continue;
    }
    const low = at(source++);
    let high = low;
    if (at(source) === 0x2d && at(source, 1) !== 0x5d && at(source, 1) !== 0) {
      high = at(source, 1);
      source += 2;
    }
    for (let byte = low; byte <= high; byte++) include(set, byte);
  }
  source++;
  if (negated) {
    for (let index: u32 = 0; index < 32; index++) store<u8>(set + index, ~load<u8>(set + index));
  }
  emit(SET, set, 0);
}

function include(set: usize, byte: u32): void {
  setBit(set, byte);
  if (folded && isLetter(byte)) setBit(set, byte ^ 0x20);
}

function setBit(set: usize, byte: u32): void {
  const bits: u32 = load<u8>(set + (byte >> 3));
  store<u8>(set + (byte >> 3), bits | (1 << (byte & 7)));
}

function namedClass(set: usize): void {
  const name = source + 2;
  while (at(source) !== 0 && !(at(source) === 0x3a && at(source, 1) === 0x5d && source > name)) {
    source++;
  }
  if (at(source) === 0) {
    problem = c`an unmatched [`;
    return;
  }
  source += 2;
  for (let byte: u32 = 1; byte < 256; byte++) if (inClass(name, byte)) include(set, byte);
}

/** Character classes of the C locale, told by their first letters. */
function inClass(name: usize, byte: u32): bool {
  const lower = byte >= 0x61 && byte <= 0x7a;
  const upper = byte >= 0x41 && byte <= 0x5a;
  switch (load<u16>(name)) {
    case 0x6c61: // alpha, alnum
      return lower || upper || (load<u8>(name, 2) === 0x6e && isDigit(byte));
    case 0x6964: // digit
      return isDigit(byte);
    case 0x7073: // space
      return isSpace(byte);
    case 0x6f6c: // lower
      return lower;
    case 0x7075: // upper
      return upper;
    case 0x6c62: // blank
      return byte === 0x20 || byte === 9;
    case 0x6478: // xdigit
      return isDigit(byte) || (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;
    case 0x7570: // punct
      return byte > 0x20 && byte < 0x7f && !lower && !upper && !isDigit(byte);
    case 0x7270: // print
      return byte >= 0x20 && byte < 0x7f;
    default:
      return false;
  }
}

let running: Regex = changetype<Regex>(0);
let row: usize = 0;
let rowCount: u32 = 0;
let found: bool = false;

/** Whether the expression matches somewhere in the text; with `whole`, all of it. */
export function matchesRegex(regex: Regex, text: usize, size: u32, whole: bool): bool {
  running = regex;
  row = regex.states;
  rowCount = 0;
  regex.generation++;
  found = false;
  enter(0, true, size === 0);
  if (found && (!whole || size === 0)) return true;
  for (let position: u32 = 0; position < size; position++) {
    let byte: u32 = load<u8>(text + position);
    if (regex.folded) byte = toLower(byte);
    const from = row;
    const count = rowCount;
    row = from === regex.states ? regex.nextStates : regex.states;
    rowCount = 0;
    regex.generation++;
    found = false;
    const atEnd = position + 1 === size;
    for (let index: u32 = 0; index < count; index++) {
      const state = load<u32>(from + (index << 2));
      if (accepts(state, byte, load<u8>(text + position))) enter(state + 1, false, atEnd);
    }
    if (!whole) enter(0, false, atEnd);
    if (found && (!whole || atEnd)) return true;
  }
  return false;
}

function accepts(state: u32, byte: u32, exact: u32): bool {
  const slot = running.code + state * 12;
  const kind = load<u32>(slot);
  const operand = load<u32>(slot, 4);
  if (kind === BYTE) return operand === byte;
  if (kind === SET) return (load<u8>(operand + (exact >> 3)) & (1 << (exact & 7))) !== 0;
  return kind === ANY;
}

/** Adds a state and what follows it without a character. */
function enter(state: u32, atStart: bool, atEnd: bool): void {
  while (true) {
    const mark = running.marks + (state << 2);
    if (load<u32>(mark) === running.generation) return;
    store<u32>(mark, running.generation);
    const slot = running.code + state * 12;
    switch (load<u32>(slot)) {
      case SPLIT:
        enter(load<u32>(slot, 4), atStart, atEnd);
        state = load<u32>(slot, 8);
        continue;
      case JUMP:
        state = load<u32>(slot, 4);
        continue;
      case LINE_START:
        if (!atStart) return;
        state++;
        continue;
      case LINE_END:
        if (!atEnd) return;
        state++;
        continue;
      case FOUND:
        found = true;
        return;
      default:
        store<u32>(row + (rowCount++ << 2), state);
        return;
    }
  }
}
