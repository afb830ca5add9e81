/**
 * Reading whole files, lines, and the operands of filters (`-` or none: standard input).
 *
 * @module
 */
import { Bytes, bytesNew, bytesPush, bytesReserve } from "./bytes.ts";
import { allocate, release } from "./memory.ts";
import { complain, writeAll } from "./output.ts";
import { equal, NEWLINE } from "./string.ts";
import { close, O_RDONLY, open, read } from "./system.ts";

const BLOCK_BYTES: u32 = 16384;

/** Calls `use(fd, name)` for each operand from `index` on; returns 1 if one failed. */
export function eachInput(
  program: usize,
  argc: i32,
  argv: usize,
  index: i32,
  use: (fd: i32, name: usize) => i32,
): i32 {
  if (index >= argc) return use(0, c`-`);
  let status = 0;
  for (; index < argc; index++) {
    const name = load<usize>(argv + (index << 2));
    const fd = equal(name, c`-`) ? 0 : open(name, O_RDONLY);
    if (fd < 0) {
      status = complain(program, name, fd);
      continue;
    }
    const result = use(fd, name);
    if (result !== 0) status = result;
    if (fd !== 0) close(fd);
  }
  return status;
}

/** Appends everything that can be read to `bytes`; returns 0 or -errno. */
export function readAll(fd: i32, bytes: Bytes): i32 {
  while (true) {
    bytesReserve(bytes, BLOCK_BYTES);
    const count = read(fd, bytes.data + bytes.used, BLOCK_BYTES);
    if (count <= 0) return count;
    bytes.used += count;
  }
  return 0;
}

/** Copies everything from one descriptor to another; returns 0 or -errno. */
export function copyAll(from: i32, to: i32): i32 {
  const buffer = allocate(BLOCK_BYTES);
  let result = 0;
  while (true) {
    const count = read(from, buffer, BLOCK_BYTES);
    if (count <= 0) {
      result = count;
      break;
    }
    result = writeAll(to, buffer, count);
    if (result < 0) break;
  }
  release(buffer);
  return result;
}

/** Reads lines of a descriptor. */
@unmanaged
export class LineReader {
  fd: i32;
  buffer: usize;
  at: i32;
  count: i32;
  line!: Bytes;
  /** The line ended in a newline (the last one of a file may not). */
  complete: bool;
  /** -errno of a read, 0 if none failed. */
  error: i32;
}

/** A reader for the descriptor. */
export function lineReader(fd: i32): LineReader {
  const reader = new LineReader();
  reader.fd = fd;
  reader.buffer = allocate(BLOCK_BYTES);
  reader.line = bytesNew();
  return reader;
}

/** Reads the next line into `reader.line`, without its newline; false at the end. */
export function nextLine(reader: LineReader): bool {
  const line = reader.line;
  line.used = 0;
  reader.complete = false;
  while (true) {
    if (reader.at >= reader.count) {
      reader.count = read(reader.fd, reader.buffer, BLOCK_BYTES);
      reader.at = 0;
      if (reader.count < 0) reader.error = reader.count;
      if (reader.count <= 0) return line.used > 0;
    }
    const byte: u32 = load<u8>(reader.buffer + reader.at++);
    if (byte === NEWLINE) {
      reader.complete = true;
      return true;
    }
    bytesPush(line, byte);
  }
  return false;
}

/** Gives the reader back. */
export function freeReader(reader: LineReader): void {
  release(reader.buffer);
  release(reader.line.data);
  release(changetype<usize>(reader.line));
  release(changetype<usize>(reader));
}
