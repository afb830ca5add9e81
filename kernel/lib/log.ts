/**
 * The kernel's message buffer and the consoles that show it.
 *
 * The last 64 KiB of messages stay readable by syslog(2). A console gets what was logged before it
 * came. Positions count all bytes ever written; an index is the position modulo the size.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";

/** Bytes kept, a power of two. */
export const LOG_SIZE: u32 = 65536;
const CONSOLES: u32 = 4;

const ring = memory.data(65536, 16);
const consoles = memory.data(32, 4);
let consoleCount: u32 = 0;
let early: ((data: usize, length: u32) => void) | null = null;
let earlyShows = false;
let written: u32 = 0;
let cleared: u32 = 0;

/** Position behind the last byte. */
export function logEnd(): u32 {
  return written;
}

/** Position of the oldest byte kept, not before the last `logClear`. */
export function logStart(): u32 {
  const oldest: u32 = written > LOG_SIZE ? written - LOG_SIZE : 0;
  return cleared > oldest ? cleared : oldest;
}

/** The byte at a position between `logStart` and `logEnd`. */
export function logByte(position: u32): u32 {
  return load<u8>(ring + (position & (LOG_SIZE - 1)));
}

/** Hides what is there from `logStart`. */
export function logClear(): void {
  cleared = written;
}

function emit(write: (data: usize, length: u32) => void, from: u32, to: u32): void {
  while (from !== to) {
    const at = from & (LOG_SIZE - 1);
    let length = to - from;
    if (length > LOG_SIZE - at) length = LOG_SIZE - at;
    write(ring + at, length);
    from += length;
  }
}

/** Adds bytes and shows them. */
export function logWrite(data: usize, length: u32): void {
  const flags = irqSave();
  const from = written;
  for (let i: u32 = 0; i < length; i++) {
    store<u8>(ring + ((from + i) & (LOG_SIZE - 1)), load<u8>(data + i));
  }
  written = from + length;
  if (consoleCount === 0 && earlyShows) emit(early!, from, written);
  for (let i: u32 = 0; i < consoleCount; i++) {
    const write = changetype<(data: usize, length: u32) => void>(load<usize>(consoles + (i << 2)));
    emit(write, from, written);
  }
  irqRestore(flags);
}

/**
 * Adds a console, which is shown everything kept so far unless an early console has shown it.
 * `write` may be called with interrupts off, from interrupts and from a panic: it may not sleep.
 */
export function consoleRegister(
  write: (data: usize, length: u32) => void,
  replay: bool = true,
): void {
  if (consoleCount === CONSOLES) return;
  const flags = irqSave();
  if (replay) emit(write, logStart(), written);
  store<usize>(consoles + (consoleCount << 2), changetype<usize>(write));
  consoleCount++;
  irqRestore(flags);
}

/**
 * A console that waits for each byte. It shows nothing until `earlyShow`: waiting was half of the boot's
 * instructions, and the first real console shows what was kept.
 */
export function earlyConsole(write: (data: usize, length: u32) => void): void {
  early = write;
}

/** Lets the early console show what was kept, and go on showing until a real one is registered. */
export function earlyShow(): void {
  if (earlyShows || consoleCount !== 0 || early === null) return;
  earlyShows = true;
  emit(early!, logStart(), written);
}

/** Whether the early console has shown everything so far. */
export function earlyShown(): bool {
  return earlyShows;
}
