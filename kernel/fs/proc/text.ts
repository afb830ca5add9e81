/**
 * Text that grows while it is written, for files whose contents are made when they are read.
 *
 * @module
 */
import { snprintk, strlen } from "../../lib/mod.ts";
import { kfree, kmalloc, kzalloc } from "../../mm/mod.ts";

/** Longest piece that `textFormat` writes. */
const PIECE: u32 = 256;

/** A growing text. */
/*@unmanaged*/
export class Text {
  data: usize;
  length: u32;
  capacity: u32;
  /** Memory ran out. */
  failed: bool;
}

/** An empty text, null when memory is out. */
export function textNew(): Text | null {
  return changetype<Text | null>(kzalloc(offsetof<Text>()));
}

/** Frees a text. */
export function textFree(t: Text): void {
  kfree(t.data);
  kfree(changetype<usize>(t));
}

/** Makes room for `count` more bytes: false when memory is out. */
export function textReserve(t: Text, count: u32): bool {
  if (t.length + count <= t.capacity) return true;
  let capacity: u32 = t.capacity === 0 ? 1024 : t.capacity;
  while (capacity < t.length + count) capacity <<= 1;
  const data = kmalloc(capacity);
  if (data === 0) {
    t.failed = true;
    return false;
  }
  memory.copy(data, t.data, t.length);
  kfree(t.data);
  t.data = data;
  t.capacity = capacity;
  return true;
}

/** Appends bytes. */
export function textBytes(t: Text, data: usize, count: u32): void {
  if (!textReserve(t, count)) return;
  memory.copy(t.data + t.length, data, count);
  t.length += count;
}

/** Appends a NUL-terminated string. */
export function textPut(t: Text, s: usize): void {
  textBytes(t, s, strlen(s));
}

/** Appends a string in which blanks and the like are \ooo, as mount tables have it. */
export function textEscaped(t: Text, s: usize): void {
  for (let p = s; load<u8>(p) !== 0; p++) {
    const byte: u32 = load<u8>(p);
    if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x5c) {
      textFormat(t, c`\\%u%u%u`, byte >> 6, (byte >> 3) & 7, byte & 7);
    } else textBytes(t, p, 1);
  }
}

/** Appends up to 255 bytes formatted as by `printk`. */
export function textFormat(
  t: Text,
  format: usize,
  a: u32 = 0,
  b: u32 = 0,
  d: u32 = 0,
  e: u32 = 0,
  f: u32 = 0,
): void {
  if (!textReserve(t, PIECE)) return;
  const n = <u32> snprintk(t.data + t.length, PIECE, format, a, b, d, e, f);
  t.length += n < PIECE ? n : PIECE - 1;
}

/** Appends a number of 64 bits in decimal. */
export function textNumber(t: Text, value: u64): void {
  if (!textReserve(t, 24)) return;
  const end = t.data + t.length + 24;
  let at = end;
  do {
    at--;
    store<u8>(at, <u8> (0x30 + <u32> (value % 10)));
    value /= 10;
  } while (value !== 0);
  const n = <u32> (end - at);
  memory.copy(t.data + t.length, at, n);
  t.length += n;
}

/** Appends 16 hexadecimal digits. */
export function textHex64(t: Text, value: u64): void {
  textFormat(t, c`%08x%08x`, <u32> (value >> 32), <u32> value);
}
