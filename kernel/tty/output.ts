/**
 * Output processing of the line discipline (POSIX general terminal interface §11.2.3, Linux's extra
 * flags): newline mapping, tabs, case, and the column that tabs and erasing need.
 *
 * @module
 */
import { IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS } from "../abi/termios.ts";
import { OUT_RESERVE, OUT_SIZE, Tty, ttyOutputCount, ttyOutputPut } from "./tty.ts";

/** Most bytes that one character becomes (a tab as spaces). */
const WIDEST: u32 = 8;

/** Is it a byte inside a UTF-8 character, which takes no column of its own? */
export function isContinuation(tty: Tty, byte: u32): bool {
  return (tty.termios.iflag & IUTF8) !== 0 && (byte & 0xc0) === 0x80;
}

/** Case as Linux's terminals know it: ISO 8859-1, whatever the encoding. */
export function isUpper(byte: u32): bool {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0xc0 && byte <= 0xde && byte !== 0xd7);
}

/** See `isUpper`. */
export function isLower(byte: u32): bool {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0xdf && byte <= 0xff && byte !== 0xf7);
}

/** Room for writers. */
export function outputRoom(tty: Tty): u32 {
  const used = ttyOutputCount(tty) + OUT_RESERVE;
  return used < OUT_SIZE ? OUT_SIZE - used : 0;
}

/** One byte through OPOST. The caller has seen to room of eight bytes. */
function process(tty: Tty, byte: u32): void {
  const flags = tty.termios.oflag;
  let c = byte;
  if (c === 0x0a) {
    if ((flags & ONLRET) !== 0) tty.column = 0;
    if ((flags & ONLCR) !== 0) {
      tty.column = 0;
      ttyOutputPut(tty, 0x0d);
    }
    tty.canonicalColumn = tty.column;
  } else if (c === 0x0d) {
    if ((flags & ONOCR) !== 0 && tty.column === 0) return;
    if ((flags & OCRNL) !== 0) {
      c = 0x0a;
      if ((flags & ONLRET) !== 0) tty.column = 0;
    } else tty.column = 0;
    tty.canonicalColumn = tty.column;
  } else if (c === 0x09) {
    const spaces: u32 = 8 - (tty.column & 7);
    tty.column += spaces;
    if ((flags & TABDLY) === XTABS) {
      for (let i: u32 = 0; i < spaces; i++) ttyOutputPut(tty, 0x20);
      return;
    }
  } else if (c === 0x08) {
    if (tty.column > 0) tty.column--;
  } else if (c >= 0x20 && c !== 0x7f) {
    if ((flags & OLCUC) !== 0 && isLower(c)) c -= 0x20;
    if (!isContinuation(tty, c)) tty.column++;
  }
  ttyOutputPut(tty, c);
}

/** Takes as many of `length` bytes as there is room for; returns how many. Does not start the driver. */
export function outputWrite(tty: Tty, data: usize, length: u32): u32 {
  const cooked = (tty.termios.oflag & OPOST) !== 0;
  let done: u32 = 0;
  while (done < length && outputRoom(tty) >= WIDEST) {
    const byte: u32 = load<u8>(data + done);
    if (cooked) process(tty, byte);
    else ttyOutputPut(tty, byte);
    done++;
  }
  return done;
}

/** Echo of a control character as ^X: two columns, whatever OPOST says. */
export function outputEchoControl(tty: Tty, byte: u32): void {
  if (ttyOutputCount(tty) + WIDEST > OUT_SIZE) return;
  ttyOutputPut(tty, 0x5e);
  ttyOutputPut(tty, byte ^ 0x40);
  tty.column += 2;
}

/** Echo: uses the reserve, too, and is lost when even that is full (nobody could wait for it). */
export function outputEcho(tty: Tty, byte: u32): void {
  if (ttyOutputCount(tty) + WIDEST > OUT_SIZE) return;
  if (byte === 0xff) { // Linux's echo queue escapes it, and so takes it past OPOST
    ttyOutputPut(tty, byte);
    tty.column++;
  } else if ((tty.termios.oflag & OPOST) === 0) ttyOutputPut(tty, byte);
  else process(tty, byte);
}
