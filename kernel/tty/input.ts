/**
 * Input processing of the line discipline: mapping, signals, flow control, line editing and echo, as
 * POSIX §11.1.6–11.1.9 and §11.2.2, 11.2.5 say and Linux's N_TTY does where they leave it open.
 *
 * @module
 */
import {
  BRKINT,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHONL,
  ECHOPRT,
  EXTPROC,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNBRK,
  IGNCR,
  IGNPAR,
  IMAXBEL,
  INLCR,
  INPCK,
  ISIG,
  ISTRIP,
  IUCLC,
  IXANY,
  IXOFF,
  IXON,
  NOFLSH,
  PARMRK,
  VEOF,
  VEOL,
  VEOL2,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VWERASE,
} from "../abi/termios.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../abi/signal.ts";
import { signalSendGroup } from "../proc/signal.ts";
import { wakeAll } from "../sync/mod.ts";
import { isContinuation, isLower, isUpper, outputEcho, outputEchoControl } from "./output.ts";
import {
  LINE_SIZE,
  RAW_BREAK,
  RAW_FRAME,
  RAW_OVERRUN,
  RAW_PARITY,
  Tty,
  ttyFlushOutput,
  ttyOutputPut,
  ttyRawTake,
  ttyStart,
} from "./tty.ts";

const MASK: u32 = LINE_SIZE - 1;

function isControl(byte: u32): bool {
  return byte < 0x20 || byte === 0x7f;
}

function has(tty: Tty, flag: u32): bool {
  return (tty.termios.lflag & flag) !== 0;
}

/** Is `byte` the control character `index`, which may be disabled? */
function matches(tty: Tty, index: u32, byte: u32): bool {
  return byte !== 0 && tty.termios.control(index) === byte;
}

/** Echoes a byte, control characters as ^X under ECHOCTL. */
function echoCharacter(tty: Tty, byte: u32): void {
  if (has(tty, ECHOCTL) && isControl(byte) && byte !== 0x09) {
    outputEchoControl(tty, byte);
  } else outputEcho(tty, byte);
}

/** Echo starts at a column that erasing tabs must know. */
function markColumn(tty: Tty): void {
  if (tty.canonical === tty.head) tty.canonicalColumn = tty.column;
}

function put(tty: Tty, byte: u32, mark: u32): void {
  const i = tty.head & MASK;
  store<u8>(tty.line + i, <u8> byte);
  store<u8>(tty.marks + i, <u8> mark);
  tty.head++;
}

function byteAt(tty: Tty, position: u32): u32 {
  return load<u8>(tty.line + (position & MASK));
}

/** May the discipline take one more byte now? A full line buffer with something to read may not. */
export function inputRoom(tty: Tty): bool {
  if (tty.head - tty.tail < LINE_SIZE - 4) return true;
  // A line that is too long is dropped at its end, so that its newline still gets in (Linux).
  return has(tty, ICANON) && tty.canonical === tty.tail;
}

function wakeReaders(tty: Tty): void {
  wakeAll(tty.readWait);
}

function startOutput(tty: Tty): void {
  if (!tty.stopped) return;
  tty.stopped = false;
  ttyStart(tty);
}

/** Empties the input queue (TCIFLUSH, signals). */
export function inputFlush(tty: Tty): void {
  tty.head = 0;
  tty.tail = 0;
  tty.canonical = 0;
  tty.literalNext = false;
  tty.pushed = false;
  wakeAll(tty.writeWait); // the master of a pseudo-terminal may wait for room
}

/** ISIG: flushes unless NOFLSH (POSIX §11.2.5), then tells the foreground group. */
function signal(tty: Tty, number: i32, byte: u32): void {
  if (!has(tty, NOFLSH)) {
    inputFlush(tty);
    ttyFlushOutput(tty);
    wakeAll(tty.writeWait);
  }
  if ((tty.termios.iflag & IXON) !== 0) startOutput(tty);
  if (has(tty, ECHO)) echoCharacter(tty, byte);
  if (tty.group !== 0) signalSendGroup(tty.group, number);
}

/** The line being typed is complete: readers may have it. */
function endLine(tty: Tty, byte: u32): void {
  put(tty, byte, 1);
  tty.canonical = tty.head;
  wakeReaders(tty);
}

function eraseTab(tty: Tty): void {
  // The tab went from the column before it to a multiple of eight: that column is counted again from
  // the last tab or the start of the line.
  let columns: u32 = 0;
  let afterTab = false;
  for (let at = tty.head; at !== tty.canonical;) {
    at--;
    const c = byteAt(tty, at);
    if (c === 0x09) {
      afterTab = true;
      break;
    }
    if (isControl(c)) columns += has(tty, ECHOCTL) ? 2 : 0;
    else if (!isContinuation(tty, c)) columns++;
  }
  if (!afterTab) columns += tty.canonicalColumn;
  for (let n: u32 = 8 - (columns & 7); n > 0; n--) outputEcho(tty, 0x08);
}

function rubOut(tty: Tty): void {
  outputEcho(tty, 0x08);
  outputEcho(tty, 0x20);
  outputEcho(tty, 0x08);
}

function isWord(byte: u32): bool {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || isUpper(byte) || isLower(byte);
}

/** Takes the last character off the line; returns its first byte, or -1 for a partial one. */
function takeLast(tty: Tty): i32 {
  let at = tty.head;
  let c: u32 = 0;
  do {
    at--;
    c = byteAt(tty, at);
  } while (isContinuation(tty, c) && at !== tty.canonical);
  if (isContinuation(tty, c)) return -1;
  tty.head = at;
  return c;
}

function echoErased(tty: Tty, c: u32): void {
  if (!has(tty, ECHO)) return;
  if (c === 0x09) eraseTab(tty);
  else {
    if (isControl(c) && !has(tty, ECHOCTL)) return;
    if (isControl(c)) rubOut(tty);
    rubOut(tty);
  }
}

function erase(tty: Tty, byte: u32): void {
  if (tty.head === tty.canonical) return;
  const c = takeLast(tty);
  if (c < 0) return;
  if (!has(tty, ECHO)) return;
  if (has(tty, ECHOE)) echoErased(tty, c);
  else if (has(tty, ECHOPRT)) echoCharacter(tty, c);
  else echoCharacter(tty, byte);
}

function eraseWord(tty: Tty): void {
  let inWord = false;
  while (tty.head !== tty.canonical) {
    const before = tty.head;
    const c = takeLast(tty);
    if (c < 0) return;
    if (isWord(c)) inWord = true;
    else if (inWord) {
      tty.head = before;
      return;
    }
    echoErased(tty, c);
  }
}

function killLine(tty: Tty, byte: u32): void {
  if (tty.head === tty.canonical) return;
  if (!has(tty, ECHO)) tty.head = tty.canonical;
  else if (has(tty, ECHOK) && has(tty, ECHOKE) && has(tty, ECHOE)) {
    while (tty.head !== tty.canonical) {
      const c = takeLast(tty);
      if (c < 0) break;
      echoErased(tty, c);
    }
    tty.head = tty.canonical;
  } else {
    tty.head = tty.canonical;
    echoCharacter(tty, byte);
    if (has(tty, ECHOK)) outputEcho(tty, 0x0a);
  }
}

function reprint(tty: Tty, byte: u32): void {
  echoCharacter(tty, byte);
  outputEcho(tty, 0x0a);
  for (let at = tty.canonical; at !== tty.head; at++) echoCharacter(tty, byteAt(tty, at));
}

/** Canonical editing; true when the byte was used up. */
function edit(tty: Tty, byte: u32): bool {
  const extended = has(tty, IEXTEN);
  if (matches(tty, VERASE, byte)) erase(tty, byte);
  else if (matches(tty, VKILL, byte)) killLine(tty, byte);
  else if (extended && matches(tty, VWERASE, byte)) eraseWord(tty);
  else if (extended && matches(tty, VLNEXT, byte)) {
    tty.literalNext = true;
    if (has(tty, ECHO) && has(tty, ECHOCTL)) {
      outputEcho(tty, 0x5e);
      outputEcho(tty, 0x08);
    }
  } else if (extended && has(tty, ECHO) && matches(tty, VREPRINT, byte)) reprint(tty, byte);
  else if (byte === 0x0a) {
    if (has(tty, ECHO) || has(tty, ECHONL)) outputEcho(tty, 0x0a);
    endLine(tty, byte);
  } else if (matches(tty, VEOF, byte)) endLine(tty, 0); // the marked NUL stands for end of file
  else if (matches(tty, VEOL, byte) || (extended && matches(tty, VEOL2, byte))) {
    if (has(tty, ECHO)) {
      markColumn(tty);
      echoCharacter(tty, byte);
    }
    endLine(tty, byte);
  } else return false;
  return true;
}

/** Stores an ordinary byte, with echo; a newline that was typed as a return shows as one. */
function ordinary(tty: Tty, byte: u32, wasReturn: bool): void {
  const canonical = has(tty, ICANON);
  if (tty.head - tty.tail >= LINE_SIZE - 4) { // one place is kept for the newline
    if ((tty.termios.iflag & IMAXBEL) !== 0) outputEcho(tty, 0x07);
    return;
  }
  if (has(tty, ECHO)) {
    markColumn(tty);
    if (byte === 0x0a && wasReturn) outputEcho(tty, byte);
    else echoCharacter(tty, byte);
  }
  if (byte === 0xff && (tty.termios.iflag & PARMRK) !== 0) put(tty, byte, 0);
  put(tty, byte, 0);
  if (!canonical) wakeReaders(tty);
}

/** IXOFF: asks the other end to pause before the buffer is full. */
function throttle(tty: Tty): void {
  if (tty.inputStopped || (tty.termios.iflag & IXOFF) === 0) return;
  if (tty.head - tty.tail < LINE_SIZE - LINE_SIZE / 4) return;
  tty.inputStopped = true;
  ttyOutputPut(tty, tty.termios.control(VSTOP));
}

/** The reader made room: the other end may go on. */
export function inputUnthrottle(tty: Tty): void {
  if (tty.inputStopped && tty.head - tty.tail < LINE_SIZE / 4) {
    tty.inputStopped = false;
    ttyOutputPut(tty, tty.termios.control(VSTART));
    ttyStart(tty);
  }
}

/** A byte that is only carried: the master side of a pseudo-terminal. The caller wakes readers. */
export function inputPlain(tty: Tty, byte: u32): void {
  put(tty, byte, 0);
}

/** One byte typed, without line errors. */
export function inputByte(tty: Tty, raw: u32): void {
  const t = tty.termios;
  let byte = raw & 0xff;
  if ((t.iflag & ISTRIP) !== 0) byte &= 0x7f;
  if ((t.iflag & IUCLC) !== 0 && has(tty, IEXTEN) && isUpper(byte)) byte += 0x20;
  if (has(tty, EXTPROC)) {
    put(tty, byte, 0);
    wakeReaders(tty);
    return;
  }
  if (tty.literalNext) {
    tty.literalNext = false;
    ordinary(tty, byte, false);
    return;
  }
  if ((t.iflag & IXON) !== 0) {
    if (matches(tty, VSTART, byte)) {
      startOutput(tty);
      return;
    }
    if (matches(tty, VSTOP, byte)) {
      tty.stopped = true;
      return;
    }
    if (tty.stopped && (t.iflag & IXANY) !== 0) startOutput(tty);
  }
  if (has(tty, ISIG)) {
    if (matches(tty, VINTR, byte)) {
      signal(tty, SIGINT, byte);
      return;
    }
    if (matches(tty, VQUIT, byte)) {
      signal(tty, SIGQUIT, byte);
      return;
    }
    if (matches(tty, VSUSP, byte)) {
      signal(tty, SIGTSTP, byte);
      return;
    }
  }
  const wasReturn = byte === 0x0d;
  if (wasReturn) {
    if ((t.iflag & IGNCR) !== 0) return;
    if ((t.iflag & ICRNL) !== 0) byte = 0x0a;
  } else if (byte === 0x0a && (t.iflag & INLCR) !== 0) byte = 0x0d;
  if (has(tty, ICANON) && edit(tty, byte)) return;
  ordinary(tty, byte, wasReturn);
  throttle(tty);
}

/** \377 \0 and the byte: how PARMRK shows what came damaged (POSIX §11.2.2). */
function marked(tty: Tty, byte: u32): void {
  put(tty, 0xff, 0);
  put(tty, 0, 0);
  put(tty, byte, 0);
  wakeReaders(tty);
}

/** One raw entry: a byte and what happened to it on the line. */
export function inputRaw(tty: Tty, entry: u32): void {
  const iflag = tty.termios.iflag;
  if ((entry & RAW_BREAK) !== 0) {
    if ((iflag & IGNBRK) !== 0) return;
    if ((iflag & BRKINT) !== 0) {
      inputFlush(tty);
      ttyFlushOutput(tty);
      if (tty.group !== 0) signalSendGroup(tty.group, SIGINT);
    } else if ((iflag & PARMRK) !== 0) marked(tty, 0);
    else ordinary(tty, 0, false);
  } else if ((entry & (RAW_PARITY | RAW_FRAME)) !== 0 && (iflag & INPCK) !== 0) {
    if ((iflag & IGNPAR) !== 0) return;
    if ((iflag & PARMRK) !== 0) marked(tty, entry & 0xff);
    else ordinary(tty, 0, false);
  } else if ((entry & RAW_OVERRUN) === 0 || (entry & 0xff) !== 0) inputByte(tty, entry);
}

/** Runs what interrupts left in the raw ring through the discipline, as far as there is room. */
export function ttyReceiveRaw(tty: Tty): void {
  let taken = false;
  while (inputRoom(tty)) {
    const entry = ttyRawTake(tty);
    if (entry < 0) break;
    taken = true;
    inputRaw(tty, entry);
  }
  if (!taken) return;
  ttyStart(tty); // echo
  const driver = tty.driver;
  const resume = driver.resume;
  if (resume !== null) resume(tty);
}

/**
 * ICANON was switched. Into canonical mode, what waits becomes a line; out of it, all can be read.
 * (Linux n_tty_set_termios.)
 */
export function inputModeChanged(tty: Tty): void {
  memory.fill(tty.marks, 0, LINE_SIZE);
  if (has(tty, ICANON) && tty.head !== tty.tail) {
    store<u8>(tty.marks + ((tty.head - 1) & MASK), 1);
    tty.canonical = tty.head;
    tty.pushed = true;
  } else {
    tty.canonical = tty.tail;
    tty.pushed = false;
  }
  wakeReaders(tty);
}

/** Is there something for a reader: a line, or `atLeast` bytes in raw mode? */
export function inputAvailable(tty: Tty, atLeast: u32): bool {
  if (has(tty, ICANON) && !has(tty, EXTPROC)) return tty.canonical !== tty.tail;
  return tty.head - tty.tail >= (atLeast === 0 ? 1 : atLeast);
}

/** Bytes that a read could have now (FIONREAD). */
export function inputCount(tty: Tty): u32 {
  if (!has(tty, ICANON) || has(tty, EXTPROC)) return tty.head - tty.tail;
  let n: u32 = 0;
  for (let at = tty.tail; at !== tty.canonical; at++) {
    // The mark of an end of file is no byte.
    if (byteAt(tty, at) !== 0 || load<u8>(tty.marks + (at & MASK)) === 0) n++;
  }
  return n;
}

/**
 * Takes bytes for a reader into `into`, at most `most`: in canonical mode of one line. Returns the
 * count; bit 31 says that the line ended (so that a count of 0 is end of file).
 */
export function inputTake(tty: Tty, into: usize, most: u32): u32 {
  const canonical = has(tty, ICANON) && !has(tty, EXTPROC);
  const end = canonical ? tty.canonical : tty.head;
  let n: u32 = 0;
  while (tty.tail !== end) {
    const byte = byteAt(tty, tty.tail);
    const mark = canonical && load<u8>(tty.marks + (tty.tail & MASK)) !== 0;
    if (mark && byte === 0 && !tty.pushed) { // end of file: used up even when the buffer is full
      tty.tail++;
      return n | 0x80000000;
    }
    if (n === most) break;
    store<u8>(into + n++, <u8> byte);
    tty.tail++;
    if (mark) {
      tty.pushed = false;
      return n | 0x80000000;
    }
  }
  return n;
}
