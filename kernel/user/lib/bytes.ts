/**
 * A growing row of bytes.
 *
 * @module
 */
import { allocate, release, resize } from "./memory.ts";
import { length } from "./string.ts";

/** Bytes from `data`, `used` of them. */
@unmanaged
export class Bytes {
  data: usize;
  used: u32;
  capacity: u32;
}

/** A new, empty row. */
export function bytesNew(): Bytes {
  const bytes = new Bytes();
  bytes.data = allocate(56);
  bytes.capacity = 56;
  bytes.used = 0;
  return bytes;
}

/** Makes room for `count` more bytes and one after them. */
export function bytesReserve(bytes: Bytes, count: u32): void {
  const wanted = bytes.used + count + 1;
  if (wanted <= bytes.capacity) return;
  const capacity = max(wanted, bytes.capacity * 2);
  bytes.data = resize(bytes.data, capacity);
  bytes.capacity = capacity;
}

/** Appends one byte. */
export function bytesPush(bytes: Bytes, byte: u32): void {
  bytesReserve(bytes, 1);
  store<u8>(bytes.data + bytes.used++, byte);
}

/** Appends `count` bytes. */
export function bytesAppend(bytes: Bytes, data: usize, count: u32): void {
  bytesReserve(bytes, count);
  memory.copy(bytes.data + bytes.used, data, count);
  bytes.used += count;
}

/** Appends a string without its NUL. */
export function bytesText(bytes: Bytes, text: usize): void {
  bytesAppend(bytes, text, length(text));
}

/** The row as a NUL-terminated string, valid until it grows. */
export function bytesString(bytes: Bytes): usize {
  bytesReserve(bytes, 1);
  store<u8>(bytes.data + bytes.used, 0);
  return bytes.data;
}

/** Gives the row back. */
export function bytesFree(bytes: Bytes): void {
  release(bytes.data);
  release(changetype<usize>(bytes));
}
