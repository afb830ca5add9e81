/**
 * Buffered writing to a file descriptor. Standard output is flushed when the program ends through
 * {@link finish}, and before anything goes to standard error.
 *
 * @module
 */
import { errorText } from "./errors.ts";
import { formatSigned, formatUnsigned, length, NEWLINE, SPACE } from "./string.ts";
import { exit, write } from "./system.ts";

const CAPACITY: u32 = 8192;
const BUFFER = memory.data(8192);
let used: u32 = 0;
/** The first error of a write to standard output, 0 if there was none. */
let failed: i32 = 0;

/** Writes everything, retrying short writes; returns 0 or -errno. */
export function writeAll(fd: i32, data: usize, bytes: u32): i32 {
  while (bytes > 0) {
    const done = write(fd, data, bytes);
    if (done < 0) return done;
    data += done;
    bytes -= done;
  }
  return 0;
}

/** Writes out what is buffered; returns 0 or -errno of the first failure. */
export function flush(): i32 {
  const result = writeAll(1, BUFFER, used);
  used = 0;
  if (result < 0 && failed === 0) failed = result;
  return failed;
}

/** Forgets the first failure (a shell goes on after one). */
export function clearFailure(): void {
  failed = 0;
}

/** Buffers bytes for standard output. */
export function outBytes(data: usize, bytes: u32): void {
  if (bytes > CAPACITY - used) flush();
  if (bytes > CAPACITY) {
    const result = writeAll(1, data, bytes);
    if (result < 0 && failed === 0) failed = result;
    return;
  }
  memory.copy(BUFFER + used, data, bytes);
  used += bytes;
}
/** Buffers a string for standard output. */
export function out(text: usize): void {
  outBytes(text, length(text));
}
/** Buffers one byte. */
export function outByte(byte: u32): void {
  if (used === CAPACITY) flush();
  store<u8>(BUFFER + used++, byte);
}
/** Buffers the end of a line. */
export function outLine(): void {
  outByte(NEWLINE);
}
/** Buffers a number. */
export function outNumber(value: i64): void {
  out(formatSigned(value));
}
/** Buffers blanks before `text` (or after it, for a negative width) up to |width| bytes. */
export function outPadded(text: usize, width: i32): void {
  const size = <i32> length(text);
  for (let blank = size; blank < width; blank++) outByte(SPACE);
  out(text);
  for (let blank = size; blank < -width; blank++) outByte(SPACE);
}
/** Buffers a number, right-aligned in `width`. */
export function outNumberPadded(value: u64, width: i32, base: u32 = 10): void {
  outPadded(formatUnsigned(value, base), width);
}

/** Writes to standard error, after what is buffered. */
export function err(text: usize): void {
  flush();
  writeAll(2, text, length(text));
}

/** Prints `program: subject: reason`; `error` is -errno. Returns 1, an exit status. */
export function complain(program: usize, subject: usize, error: i32): i32 {
  err(program);
  err(c`: `);
  err(subject);
  err(c`: `);
  err(errorText(error));
  err(c`\n`);
  return 1;
}

/** Prints `program: message`. Returns 1, an exit status. */
export function complainText(program: usize, message: usize): i32 {
  err(program);
  err(c`: `);
  err(message);
  err(c`\n`);
  return 1;
}

/** Prints `usage: text` and returns 2, an exit status. */
export function usage(text: usize): i32 {
  err(c`usage: `);
  err(text);
  err(c`\n`);
  return 2;
}

/** Flushes standard output; returns `status`, or 1 when writing failed. */
export function finish(program: usize, status: i32): i32 {
  const error = flush();
  if (error < 0) {
    failed = 0;
    return complain(program, c`write error`, error);
  }
  return status;
}

/** Flushes and ends the program. */
export function quit(program: usize, status: i32): void {
  exit(finish(program, status));
}
