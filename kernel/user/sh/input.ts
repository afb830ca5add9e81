/**
 * Where the shell's text comes from: a string, a script or a terminal, a line at a time, so that commands
 * which read the same input find theirs.
 *
 * @module
 */
import { Bytes, bytesAppend, bytesNew, bytesPush } from "../lib/bytes.ts";
import { err } from "../lib/output.ts";
import { NEWLINE } from "../lib/string.ts";
import { read, seek } from "../lib/system.ts";

const SEEK_CUR: u32 = 1;
const BLOCK: u32 = 1024;
const BUFFER = memory.data(1024);
const EINTR: i32 = 4;

/** A source of text; `text` holds what was read of the command that is being parsed. */
@unmanaged
export class Input {
  /** The descriptor, or -1 for a string that is in `text` already. */
  fd: i32;
  text!: Bytes;
  position: u32;
  /** Shows prompts. */
  interactive: bool;
  /** The prompts; the second one shows from the command's second line on. */
  prompt: usize;
  continuation: usize;
  ended: bool;
  /** A signal came while a line was read. */
  interrupted: bool;
}

/** Input from a string of `count` bytes. */
export function inputFromText(text: usize, count: u32): Input {
  const input = new Input();
  input.fd = -1;
  input.text = bytesNew();
  bytesAppend(input.text, text, count);
  return input;
}

/** Input from a descriptor. */
export function inputFromFile(fd: i32): Input {
  const input = new Input();
  input.fd = fd;
  input.text = bytesNew();
  return input;
}

/** Forgets what has been parsed. */
export function inputDiscard(input: Input): void {
  const rest = input.text.used - input.position;
  memory.copy(input.text.data, input.text.data + input.position, rest);
  input.text.used = rest;
  input.position = 0;
}

/** Forgets everything that was read. */
export function inputClear(input: Input): void {
  input.text.used = 0;
  input.position = 0;
}

/** Reads another line; false at the end, or when a signal came. */
export function inputMore(input: Input): bool {
  if (input.fd < 0 || input.ended || input.interrupted) return false;
  if (input.interactive) err(input.text.used === 0 ? input.prompt : input.continuation);
  const before = input.text.used;
  // A file gives blocks, and its offset is put back behind the line; else byte by byte.
  const seekable = !input.interactive && seek(input.fd, 0, SEEK_CUR) >= 0;
  while (true) {
    const count = read(input.fd, BUFFER, seekable || input.interactive ? BLOCK : 1);
    if (count === -EINTR) {
      input.interrupted = true;
      return false;
    }
    if (count <= 0) {
      input.ended = true;
      break;
    }
    let index: i32 = 0;
    while (index < count && load<u8>(BUFFER + index) !== NEWLINE) index++;
    const whole = index < count;
    bytesAppend(input.text, BUFFER, whole ? index + 1 : index);
    if (!whole) continue;
    if (seekable) seek(input.fd, index + 1 - count, SEEK_CUR);
    return true;
  }
  if (input.text.used === before) return false;
  bytesPush(input.text, NEWLINE);
  return true;
}
