/**
 * sort: sorts lines by bytes (POSIX sort; -n numbers, -r reversed, -u unique, -f without case, -k field, -t separator).
 *
 * @module
 */
import { sortBy } from "../lib/directory.ts";
import { eachInput, freeReader, lineReader, nextLine } from "../lib/files.ts";
import { resize } from "../lib/memory.ts";
import { complain, finish, out, outLine } from "../lib/output.ts";
import { has, readOptions, valueOfOption } from "../lib/options.ts";
import {
  at,
  compare,
  duplicateBytes,
  isDigit,
  isSpace,
  parseNumber,
  toLower,
} from "../lib/string.ts";

const PROGRAM = c`sort`;
let lines: usize = 0;
let count: u32 = 0;
let room: u32 = 0;
let field: i32 = 0;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(
    argc,
    argv,
    c`fnruk:t:`,
    c`sort [-fnru] [-k field] [-t separator] [file]...`,
  );
  field = parseNumber(valueOfOption(0x6b, c`0`));
  const status = eachInput(
    PROGRAM,
    argc,
    argv,
    first,
    (fd: i32, name: usize): i32 => gather(fd, name),
  );
  sortBy(lines, count, (a: usize, b: usize): i32 => order(a, b));
  let previous: usize = 0;
  for (let index: u32 = 0; index < count; index++) {
    const line = load<usize>(lines + (index << 2));
    if (has(0x75) && previous !== 0 && byKey(previous, line) === 0) continue;
    out(line);
    outLine();
    previous = line;
  }
  return finish(PROGRAM, status);
}

function gather(fd: i32, name: usize): i32 {
  const reader = lineReader(fd);
  while (nextLine(reader)) {
    if (count === room) {
      room = max<u32>(256, room * 2);
      lines = resize(lines, room << 2);
    }
    store<usize>(lines + (count++ << 2), duplicateBytes(reader.line.data, reader.line.used));
  }
  const error = reader.error;
  freeReader(reader);
  return error < 0 ? complain(PROGRAM, name, error) : 0;
}

/** By the key, then (unless unique) by the whole line, as POSIX has it. */
function order(a: usize, b: usize): i32 {
  let result = byKey(a, b);
  if (result === 0 && !has(0x75)) result = compare(a, b);
  return has(0x72) ? -result : result;
}

function byKey(a: usize, b: usize): i32 {
  const left = keyOf(a);
  const right = keyOf(b);
  if (has(0x6e)) return compareNumbers(left, right);
  return has(0x66) ? compareFolded(left, right) : compare(left, right);
}

/** Where the key begins: the line, or from its field on. */
function keyOf(line: usize): usize {
  const separator = valueOfOption(0x74);
  for (let skip = 1; skip < field; skip++) {
    if (separator !== 0) {
      while (at(line) !== 0 && at(line) !== at(separator)) line++;
      if (at(line) !== 0) line++;
    } else {
      while (isSpace(at(line))) line++;
      while (at(line) !== 0 && !isSpace(at(line))) line++;
    }
  }
  return line;
}

function compareFolded(a: usize, b: usize): i32 {
  while (at(a) !== 0 && toLower(at(a)) === toLower(at(b))) {
    a++;
    b++;
  }
  return <i32> toLower(at(a)) - <i32> toLower(at(b));
}

/** Compares decimal numbers of any length, with sign and fraction. */
function compareNumbers(a: usize, b: usize): i32 {
  while (isSpace(at(a))) a++;
  while (isSpace(at(b))) b++;
  const minusA = at(a) === 0x2d;
  const minusB = at(b) === 0x2d;
  if (minusA) a++;
  if (minusB) b++;
  const size = compareMagnitudes(a, b);
  if (minusA !== minusB) {
    const zero = compareMagnitudes(a, c`0`) === 0 && compareMagnitudes(b, c`0`) === 0;
    return zero ? 0 : minusA ? -1 : 1;
  }
  return minusA ? -size : size;
}

function compareMagnitudes(a: usize, b: usize): i32 {
  while (at(a) === 0x30) a++;
  while (at(b) === 0x30) b++;
  let digitsA: u32 = 0;
  let digitsB: u32 = 0;
  while (isDigit(at(a, digitsA))) digitsA++;
  while (isDigit(at(b, digitsB))) digitsB++;
  if (digitsA !== digitsB) return digitsA < digitsB ? -1 : 1;
  for (let index: u32 = 0; index < digitsA; index++) {
    const difference = <i32> at(a, index) - <i32> at(b, index);
    if (difference !== 0) return difference;
  }
  a += digitsA;
  b += digitsB;
  if (at(a) !== 0x2e && at(b) !== 0x2e) return 0;
  if (at(a) === 0x2e) a++;
  else a = c``;
  if (at(b) === 0x2e) b++;
  else b = c``;
  while (isDigit(at(a)) || isDigit(at(b))) {
    const left: u32 = isDigit(at(a)) ? at(a++) : 0x30;
    const right: u32 = isDigit(at(b)) ? at(b++) : 0x30;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
