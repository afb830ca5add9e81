/**
 * NUL-terminated strings and bytes, by address.
 *
 * @module
 */
import { allocate } from "./memory.ts";

export const NUL: u32 = 0;
export const TAB: u32 = 9;
export const NEWLINE: u32 = 10;
export const SPACE: u32 = 32;

/** The byte at `text + index`. */
/*@inline*/ export function at(text: usize, index: u32 = 0): u32 {
  return load<u8>(text + index);
}

/** Bytes before the NUL. */
export function length(text: usize): u32 {
  let end = text;
  while (load<u8>(end) !== 0) end++;
  return end - text;
}

/** Negative, zero or positive, as strcmp(). */
export function compare(a: usize, b: usize): i32 {
  while (load<u8>(a) !== 0 && load<u8>(a) === load<u8>(b)) {
    a++;
    b++;
  }
  return <i32> load<u8>(a) - <i32> load<u8>(b);
}

/** Whether two strings are the same. */
export function equal(a: usize, b: usize): bool {
  return compare(a, b) === 0;
}

/** Whether `text` begins with `prefix`. */
export function startsWith(text: usize, prefix: usize): bool {
  while (load<u8>(prefix) !== 0) {
    if (load<u8>(text) !== load<u8>(prefix)) return false;
    text++;
    prefix++;
  }
  return true;
}

/** Whether `text` ends with `suffix`. */
export function endsWith(text: usize, suffix: usize): bool {
  const whole = length(text);
  const part = length(suffix);
  return whole >= part && equal(text + whole - part, suffix);
}

/** The address of the first `byte` in `text`, or 0. */
export function find(text: usize, byte: u32): usize {
  for (; load<u8>(text) !== 0; text++) {
    if (load<u8>(text) === byte) return text;
  }
  return 0;
}

/** The address of the last `byte` in `text`, or 0. */
export function findLast(text: usize, byte: u32): usize {
  let found: usize = 0;
  for (; load<u8>(text) !== 0; text++) {
    if (load<u8>(text) === byte) found = text;
  }
  return found;
}

/** The address of the first `part` in `text`, or 0. */
export function findText(text: usize, part: usize): usize {
  while (true) {
    if (startsWith(text, part)) return text;
    if (load<u8>(text++) === 0) return 0;
  }
  return 0;
}

/** Copies with the NUL; returns the address of the copy's NUL. */
export function copy(to: usize, from: usize): usize {
  while (load<u8>(from) !== 0) store<u8>(to++, load<u8>(from++));
  store<u8>(to, 0);
  return to;
}

/** A new copy on the heap. */
export function duplicate(text: usize): usize {
  return duplicateBytes(text, length(text));
}

/** A new NUL-terminated copy of `count` bytes on the heap. */
export function duplicateBytes(text: usize, count: u32): usize {
  const result = allocate(count + 1);
  memory.copy(result, text, count);
  store<u8>(result + count, 0);
  return result;
}

/** A new string `a` + `b`. */
export function join(a: usize, b: usize): usize {
  const first = length(a);
  const second = length(b);
  const result = allocate(first + second + 1);
  memory.copy(result, a, first);
  memory.copy(result + first, b, second + 1);
  return result;
}

/** A new string `directory/name`, with one slash between. */
export function joinPath(directory: usize, name: usize): usize {
  const first = length(directory);
  const slash: u32 = first > 0 && at(directory, first - 1) !== 0x2f ? 1 : 0;
  const second = length(name);
  const result = allocate(first + slash + second + 1);
  memory.copy(result, directory, first);
  if (slash !== 0) store<u8>(result + first, 0x2f);
  memory.copy(result + first + slash, name, second + 1);
  return result;
}

/** What follows the last slash (the whole of a name without one). */
export function baseName(path: usize): usize {
  const slash = findLast(path, 0x2f);
  return slash === 0 ? path : slash + 1;
}

/** Whether the byte is a decimal digit. */
export function isDigit(byte: u32): bool {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether the byte is an ASCII letter. */
export function isLetter(byte: u32): bool {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Whether the byte is white space (isspace() of the C locale). */
export function isSpace(byte: u32): bool {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}

/** The lower-case form of an ASCII letter; other bytes as they are. */
export function toLower(byte: u32): u32 {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Whether the whole string is decimal digits with an optional sign. */
export function isNumber(text: usize): bool {
  if (at(text) === 0x2d || at(text) === 0x2b) text++;
  if (at(text) === 0) return false;
  for (; at(text) !== 0; text++) {
    if (!isDigit(at(text))) return false;
  }
  return true;
}

/** The decimal number at the start of `text`, 0 if there is none. */
export function parseNumber(text: usize): i32 {
  let negative = false;
  if (at(text) === 0x2d || at(text) === 0x2b) {
    negative = at(text) === 0x2d;
    text++;
  }
  let value: i32 = 0;
  while (isDigit(at(text))) value = value * 10 + <i32> (at(text++) - 0x30);
  return negative ? -value : value;
}

/** The number in base `base` (8 or 16…) at the start of `text`. */
export function parseUnsigned(text: usize, base: u32): u32 {
  let value: u32 = 0;
  while (true) {
    const byte = toLower(at(text++));
    const digit: u32 = isDigit(byte) ? byte - 0x30 : isLetter(byte) ? byte - 0x61 + 10 : 99;
    if (digit >= base) return value;
    value = value * base + digit;
  }
  return value;
}

const DIGITS = memory.data(32);

/** The number as text in a static buffer that the next call overwrites; returns its address. */
export function formatUnsigned(value: u64, base: u32 = 10): usize {
  let at = DIGITS + 31;
  store<u8>(at, 0);
  do {
    const digit = <u32> (value % base);
    value /= base;
    store<u8>(--at, digit < 10 ? 0x30 + digit : 0x61 + digit - 10);
  } while (value !== 0);
  return at;
}

/** The signed number as text in a static buffer that the next call overwrites. */
export function formatSigned(value: i64): usize {
  if (value >= 0) return formatUnsigned(<u64> value);
  const digits = formatUnsigned(<u64> -value);
  store<u8>(digits - 1, 0x2d);
  return digits - 1;
}
