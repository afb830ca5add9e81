/**
 * Patterns (POSIX Shell Command Language §2.13): `*`, `?`, `[…]`, with quoted characters as themselves. A pattern
 * is text with a parallel row of flags: a non-zero flag is a quoted character.
 *
 * @module
 */
import { isDigit, isLetter, isSpace } from "../lib/string.ts";

const STAR: u32 = 0x2a;
const QUESTION: u32 = 0x3f;
const OPEN: u32 = 0x5b;
const CLOSE: u32 = 0x5d;

/** Whether a pattern of `count` characters holds an unquoted special one. */
export function hasPattern(text: usize, quoted: usize, count: u32): bool {
  for (let index: u32 = 0; index < count; index++) {
    const byte: u32 = load<u8>(text + index);
    if (load<u8>(quoted + index) === 0 && (byte === STAR || byte === QUESTION || byte === OPEN)) {
      return true;
    }
  }
  return false;
}

/** Whether the pattern matches all `size` bytes of `subject`. Takes time linear in the stars. */
export function matches(
  pattern: usize,
  quoted: usize,
  count: u32,
  subject: usize,
  size: u32,
): bool {
  let at: u32 = 0;
  let from: u32 = 0;
  // Where the last star stands, and what it has taken so far, to go back to.
  let star: i32 = -1;
  let taken: u32 = 0;
  while (from < size) {
    const special = at < count && load<u8>(quoted + at) === 0;
    const byte: u32 = at < count ? load<u8>(pattern + at) : 0;
    if (special && byte === STAR) {
      star = at++;
      taken = from;
      continue;
    }
    if (at < count) {
      const one: u32 = load<u8>(subject + from);
      if (special && byte === QUESTION) {
        at++;
        from++;
        continue;
      }
      if (special && byte === OPEN) {
        const end = bracketEnd(pattern, quoted, count, at);
        if (end !== 0 && inBracket(pattern, at + 1, end, one)) {
          at = end + 1;
          from++;
          continue;
        }
        if (end === 0 && one === OPEN) {
          at++;
          from++;
          continue;
        }
      } else if (byte === one) {
        at++;
        from++;
        continue;
      }
    }
    if (star < 0) return false;
    at = star + 1;
    from = ++taken;
  }
  while (at < count && load<u8>(pattern + at) === STAR && load<u8>(quoted + at) === 0) at++;
  return at === count;
}

/** The index of the bracket that closes the one at `open`, 0 if none does. */
function bracketEnd(pattern: usize, quoted: usize, count: u32, open: u32): u32 {
  let at = open + 1;
  if (at < count && isNegation(load<u8>(pattern + at))) at++;
  const first = at;
  for (; at < count; at++) {
    const byte: u32 = load<u8>(pattern + at);
    if (byte === OPEN && at + 1 < count && load<u8>(pattern + at + 1) === 0x3a) {
      for (let end = at + 2; end + 1 < count; end++) {
        if (load<u8>(pattern + end) === 0x3a && load<u8>(pattern + end + 1) === CLOSE) {
          at = end + 1;
          break;
        }
      }
      continue;
    }
    if (byte === CLOSE && at > first && load<u8>(quoted + at) === 0) return at;
  }
  return 0;
}

function isNegation(byte: u32): bool {
  return byte === 0x21 || byte === 0x5e;
}

function inBracket(pattern: usize, from: u32, end: u32, one: u32): bool {
  let negated = false;
  if (isNegation(load<u8>(pattern + from))) {
    negated = true;
    from++;
  }
  let found = false;
  while (from < end) {
    const low: u32 = load<u8>(pattern + from);
    if (low === OPEN && load<u8>(pattern + from + 1) === 0x3a) {
      let close = from + 2;
      while (close < end && load<u8>(pattern + close) !== 0x3a) close++;
      if (inClass(pattern + from + 2, one)) found = true;
      from = close + 2;
    } else if (from + 2 < end && load<u8>(pattern + from + 1) === 0x2d) {
      if (one >= low && one <= load<u8>(pattern + from + 2)) found = true;
      from += 3;
    } else {
      if (one === low) found = true;
      from++;
    }
  }
  return found !== negated;
}

/** Character classes of the C locale by the first letters of their names. */
function inClass(name: usize, byte: u32): bool {
  const first = load<u16>(name);
  const lower = byte >= 0x61 && byte <= 0x7a;
  const upper = byte >= 0x41 && byte <= 0x5a;
  if (first === 0x6c61) return isLetter(byte) || (load<u8>(name + 2) === 0x6e && isDigit(byte)); // alpha, alnum
  if (first === 0x6964) return isDigit(byte); // digit
  if (first === 0x7073) return isSpace(byte); // space
  if (first === 0x6f6c) return lower; // lower
  if (first === 0x7075) return upper; // upper
  if (first === 0x6c62) return byte === 0x20 || byte === 9; // blank
  if (first === 0x6478) { // xdigit
    return isDigit(byte) || (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;
  }
  if (first === 0x7570) { // punct
    return byte > 0x20 && byte < 0x7f && !isLetter(byte) && !isDigit(byte);
  }
  return false;
}
