/**
 * Formatted messages: `%s` string by address, `%d` signed, `%u` unsigned, `%x` hexadecimal,
 * `%p` eight hexadecimal digits, `%c` byte, `%%`. A number may have a width: `%5u`, `%08x`, `%-8s`.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { logWrite } from "./log.ts";
import { strlen } from "./string.ts";

const LINE: u32 = 512;
const line = memory.data(512, 4);
const digits = memory.data(16, 4);

/** Where a formatted text goes and how far it is. */
let out: usize = 0;
let room: u32 = 0;
let length: u32 = 0;

function put(c: u32): void {
  if (length < room) store<u8>(out + length, <u8> c);
  length++;
}

function pad(n: i32, c: u32): void {
  for (; n > 0; n--) put(c);
}

function putNumber(value: u32, base: u32, negative: bool, width: i32, fill: u32, left: bool): void {
  let n: u32 = 0;
  do {
    const d = value % base;
    store<u8>(digits + n++, <u8> (d < 10 ? 48 + d : 87 + d));
    value /= base;
  } while (value !== 0);
  const total = <i32> n + (negative ? 1 : 0);
  if (negative && fill === 48) put(45);
  if (!left) pad(width - total, fill);
  if (negative && fill !== 48) put(45);
  while (n > 0) put(load<u8>(digits + --n));
  if (left) pad(width - total, 32);
}

function putString(s: usize, width: i32, left: bool): void {
  if (s === 0) s = c`(null)`;
  const n = <i32> strlen(s);
  if (!left) pad(width - n, 32);
  for (; load<u8>(s) !== 0; s++) put(load<u8>(s));
  if (left) pad(width - n, 32);
}

/* The last four arguments of a call, which the formatter takes by number. */
const words = memory.data(32, 4);

function expand(format: usize): void {
  let next: u32 = 0;
  // Every way through the body leaves `format` on the last byte used.
  format--;
  while (true) {
    let c: u32 = load<u8>(++format);
    if (c === 0) return;
    if (c !== 37) {
      put(c);
      continue;
    }
    c = load<u8>(++format);
    let fill: u32 = 32;
    let left = false;
    let width: i32 = 0;
    for (; c === 45 || c === 48; c = load<u8>(++format)) {
      if (c === 45) left = true;
      else fill = 48;
    }
    for (; c >= 48 && c <= 57; c = load<u8>(++format)) width = width * 10 + <i32> (c - 48);
    if (c === 37) {
      put(c);
      continue;
    }
    if (c === 0) return;
    const word: u32 = next < 6 ? load<u32>(words + (next << 2)) : 0;
    next++;
    switch (c) {
      case 115:
        putString(word, width, left);
        break;
      case 99:
        put(word);
        break;
      case 100: {
        const negative = <i32> word < 0;
        putNumber(negative ? 0 - word : word, 10, negative, width, fill, left);
        break;
      }
      case 117:
        putNumber(word, 10, false, width, fill, left);
        break;
      case 120:
        putNumber(word, 16, false, width, fill, left);
        break;
      case 112:
        putNumber(word, 16, false, 8, 48, false);
        break;
      default:
        put(37);
        put(c);
    }
  }
}

function setWords(a: u32, b: u32, d: u32, e: u32, f: u32, g: u32): void {
  store<u32>(words, a);
  store<u32>(words, b, 4);
  store<u32>(words, d, 8);
  store<u32>(words, e, 12);
  store<u32>(words, f, 16);
  store<u32>(words, g, 20);
}

/** Logs a formatted message; end it with a newline. At most 511 bytes. May be called anywhere. */
export function printk(
  format: usize,
  a: u32 = 0,
  b: u32 = 0,
  d: u32 = 0,
  e: u32 = 0,
  f: u32 = 0,
  g: u32 = 0,
): void {
  const flags = irqSave();
  setWords(a, b, d, e, f, g);
  out = line;
  room = LINE;
  length = 0;
  expand(format);
  logWrite(line, length < LINE ? length : LINE);
  irqRestore(flags);
}

/**
 * Formats into `buffer` of `size` bytes with a NUL at the end. The length that the whole text has,
 * which is `size` or more when it was cut.
 */
export function snprintk(
  buffer: usize,
  size: u32,
  format: usize,
  a: u32 = 0,
  b: u32 = 0,
  d: u32 = 0,
  e: u32 = 0,
  f: u32 = 0,
  g: u32 = 0,
): u32 {
  const flags = irqSave();
  setWords(a, b, d, e, f, g);
  out = buffer;
  room = size > 0 ? size - 1 : 0;
  length = 0;
  expand(format);
  const whole = length;
  if (size > 0) store<u8>(buffer + (whole < size ? whole : size - 1), 0);
  irqRestore(flags);
  return whole;
}
