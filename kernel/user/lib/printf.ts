/**
 * `printf` (POSIX XCU printf): formats its arguments, as often as they last.
 *
 * @module
 */
import { bytesFree, bytesNew, bytesPush, bytesString } from "./bytes.ts";
import { outEscaped } from "./echo.ts";
import { complainText, outByte, usage } from "./output.ts";
import {
  at,
  find,
  formatSigned,
  formatUnsigned,
  isDigit,
  length,
  parseNumber,
  parseUnsigned,
} from "./string.ts";

let next: i32 = 0;
let count: i32 = 0;
let vector: usize = 0;
let status: i32 = 0;

/** Runs printf with its arguments; returns its status. */
export function formatted(argc: i32, argv: usize): i32 {
  if (argc < 2) return usage(c`printf format [argument]...`);
  vector = argv;
  count = argc;
  next = 2;
  status = 0;
  const format = load<usize>(argv, 4);
  while (true) {
    const before = next;
    if (!once(format)) break;
    if (next >= count || next === before) break;
  }
  return status;
}

function argument(): usize {
  return next < count ? load<usize>(vector + (next++ << 2)) : 0;
}

/** One pass over the format; false when `\c` ended the output. */
function once(format: usize): bool {
  let position = format;
  while (at(position) !== 0) {
    if (at(position) !== 0x25) {
      const run = bytesNew();
      while (at(position) !== 0 && at(position) !== 0x25) {
        if (at(position) === 0x5c && at(position, 1) !== 0) {
          bytesPush(run, at(position++));
          // outEscaped() reads \0ooo, a format \ooo.
          if (at(position) >= 0x31 && at(position) <= 0x37) bytesPush(run, 0x30);
        }
        bytesPush(run, at(position++));
      }
      const going = outEscaped(bytesString(run));
      bytesFree(run);
      if (!going) return false;
      continue;
    }
    position++;
    if (at(position) === 0x25) {
      outByte(0x25);
      position++;
      continue;
    }
    position = conversion(position);
    if (position === 0) return false;
  }
  return true;
}

/** Formats one conversion behind its `%`; returns what follows, or 0 to stop. */
function conversion(position: usize): usize {
  let left = false;
  let zero = false;
  let plus = false;
  while (at(position) !== 0 && find(c`-0+ #`, at(position)) !== 0) {
    if (at(position) === 0x2d) left = true;
    else if (at(position) === 0x30) zero = true;
    else if (at(position) === 0x2b) plus = true;
    position++;
  }
  let width = 0;
  while (isDigit(at(position))) width = width * 10 + (at(position++) - 0x30);
  let precision = -1;
  if (at(position) === 0x2e) {
    precision = 0;
    position++;
    while (isDigit(at(position))) precision = precision * 10 + (at(position++) - 0x30);
  }
  const kind = at(position);
  const text = argument();
  switch (kind) {
    case 0x73: // s
      pad(text === 0 ? c`` : text, width, left, false, precision);
      break;
    case 0x62: // b
      if (text !== 0 && !outEscaped(text)) return 0;
      break;
    case 0x63: // c
      if (text !== 0 && at(text) !== 0) outByte(at(text));
      break;
    case 0x64: // d
    case 0x69: { // i
      const value = number(text);
      if (plus && value >= 0) {
        outByte(0x2b);
        width--;
      }
      pad(formatSigned(value), width, left, zero, -1);
      break;
    }
    case 0x75: // u
      pad(formatUnsigned(<u32> number(text)), width, left, zero, -1);
      break;
    case 0x6f: // o
      pad(formatUnsigned(<u32> number(text), 8), width, left, zero, -1);
      break;
    case 0x78: // x
    case 0x58: // X
      pad(formatUnsigned(<u32> number(text), 16), width, left, zero, -1);
      break;
    default:
      status = complainText(c`printf`, c`unknown conversion`);
      return 0;
  }
  return position + 1;
}

function pad(text: usize, width: i32, left: bool, zero: bool, precision: i32): void {
  let size = <i32> length(text);
  if (precision >= 0 && precision < size) size = precision;
  if (!left) { for (let blank = size; blank < width; blank++) outByte(zero ? 0x30 : 0x20); }
  for (let index = 0; index < size; index++) outByte(at(text, index));
  if (left) { for (let blank = size; blank < width; blank++) outByte(0x20); }
}

/** The number in an argument: decimal, 0octal, 0xhexadecimal or 'c. */
function number(text: usize): i64 {
  if (text === 0) return 0;
  if (at(text) === 0x27 || at(text) === 0x22) return at(text, 1);
  if (at(text) === 0x30 && (at(text, 1) | 0x20) === 0x78) return parseUnsigned(text + 2, 16);
  if (at(text) === 0x30) return parseUnsigned(text, 8);
  if (!isDigit(at(text)) && at(text) !== 0x2d && at(text) !== 0x2b) {
    status = complainText(c`printf`, c`a number is expected`);
    return 0;
  }
  return parseNumber(text);
}
