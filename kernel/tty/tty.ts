/**
 * A terminal: its settings, the buffers of the line discipline, and what its driver does for it.
 *
 * Bytes go driver → `raw` ring (interrupt) → `ttyReceiveRaw` (kernel thread) → `line` buffer →
 * reader, and writer or echo → `out` ring → driver. Only the two rings are shared with interrupts.
 * The line buffer's positions run freely; an index is the position modulo the size.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import {
  B38400,
  CREAD,
  CS8,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  HUPCL,
  ICANON,
  ICRNL,
  IEXTEN,
  ISIG,
  IXON,
  ONLCR,
  OPOST,
  TERMIOS2_SIZE,
  TERMIOS_CC,
  TERMIOS_ISPEED,
  TERMIOS_OSPEED,
} from "../abi/termios.ts";
import { kfree, kzalloc } from "../mm/mod.ts";
import { WaitQueue, waitQueueInit } from "../sync/mod.ts";

/** Bytes that a line may have, and that wait for a reader (POSIX MAX_CANON, MAX_INPUT; Linux 4096). */
export const LINE_SIZE: u32 = 4096;
/** Entries of the ring between interrupt and discipline. */
export const RAW_SIZE: u32 = 1024;
/** Bytes of the ring between discipline and driver. */
export const OUT_SIZE: u32 = 4096;
/** Of the output ring, what only echo may use, so that writers cannot starve it. */
export const OUT_RESERVE: u32 = 256;

/* What came with a byte from the line, above the low eight bits of a raw entry. */
export const RAW_BREAK: u32 = 0x100;
export const RAW_PARITY: u32 = 0x200;
export const RAW_FRAME: u32 = 0x400;
export const RAW_OVERRUN: u32 = 0x800;

/** What a terminal's hardware, or the other side of a pseudo-terminal, does for it. */
/*@unmanaged*/
export class TtyDriver {
  /** There is something in `out`, or output is allowed again: send while `ttyOutputTake` gives. */
  start: (tty: Tty) => void;
  /** Settings changed; 0 in c_cflag's speed means hang up. May be null. */
  settings: ((tty: Tty) => void) | null;
  /** There is room in `raw` again. May be null. */
  resume: ((tty: Tty) => void) | null;
  /** First open and last close. May be null. */
  open: ((tty: Tty) => i32) | null;
  close: ((tty: Tty) => void) | null;
  /** Starts or ends a break condition. May be null. */
  sendBreak: ((tty: Tty, on: bool) => void) | null;
  /** 1 when the hardware, too, has sent everything. May be null: always. */
  drained: ((tty: Tty) => bool) | null;
  /** Requests of this kind of terminal alone; -ENOTTY for others. May be null. */
  ioctl: ((tty: Tty, request: u32, argument: u32) => i32) | null;
}

/** The 36 bytes of `struct termios` and two speeds behind; c_cc by `control`. */
/*@unmanaged*/
export class Termios {
  iflag: u32;
  oflag: u32;
  cflag: u32;
  lflag: u32;
  line: u8;

  /** Control character `index`; 0 is "disabled" (_POSIX_VDISABLE). */
  control(index: u32): u32 {
    return load<u8>(changetype<usize>(this) + TERMIOS_CC + index);
  }
}

/** A terminal. */
/*@unmanaged*/
export class Tty {
  next: Tty | null;
  driver: TtyDriver;
  /** The driver's own. */
  data: usize;
  major: u32;
  minor: u32;
  termios: Termios;
  rows: u16;
  columns: u16;
  pixelWidth: u16;
  pixelHeight: u16;

  /** Files open on it; counts up at each hang-up, which makes files opened before dead. */
  opens: u32;
  generation: u32;
  exclusive: bool;
  /** Session and foreground process group, 0 for none. */
  session: i32;
  group: i32;

  /** Output held by ^S or TCOOFF. */
  stopped: bool;
  /** The hardware holds output (CTS). */
  hardwareStopped: bool;
  /** We asked the other end to stop (IXOFF, TCIOFF). */
  inputStopped: bool;
  literalNext: bool;
  /** The last line end was made by a settings change, not typed. */
  pushed: bool;
  reading: bool;
  writing: bool;

  /* Pseudo-terminals. */
  peer: Tty | null;
  isMaster: bool;
  peerClosed: bool;
  packetMode: bool;
  packetStatus: u8;
  locked: bool;

  line: usize;
  /** A byte for each of `line`: 1 ends a line. */
  marks: usize;
  /** Where the next byte goes, where the line being typed starts, where the reader is. */
  head: u32;
  canonical: u32;
  tail: u32;

  /** Output column, and the column at which the line being typed began. */
  column: u32;
  canonicalColumn: u32;

  raw: usize;
  rawHead: u32;
  rawTail: u32;
  out: usize;
  outHead: u32;
  outTail: u32;
  /** Bounce buffers of the one reader and the one writer at a time. */
  readBuffer: usize;
  writeBuffer: usize;
  readWait: WaitQueue;
  writeWait: WaitQueue;
}

/** Bytes of the bounce buffers. */
export const BOUNCE_SIZE: u32 = 512;

/** The generation of files that outlive hang-ups: those opened as /dev/console (as on Linux). */
export const IMMORTAL: u32 = 0xffffffff;

/** Has the terminal not been hung up since a file of that generation was opened? */
export function ttyAlive(tty: Tty, generation: u32): bool {
  return tty.generation === generation || generation === IMMORTAL;
}

/** All terminals, for the discipline's thread and for sessions that end. */
let first: Tty | null = null;

/** Start of the list through `next`. */
export function ttyFirst(): Tty | null {
  return first;
}

/* VINTR… in order: ^C ^\ DEL ^U ^D 0 1 0 ^Q ^S ^Z 0 ^R ^O ^W ^V 0 (Linux's INIT_C_CC). */
// deno-fmt-ignore
const defaultControls: usize = memory.data<u8>([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0]);

/** Linux's default settings (asm-generic/termios.h and tty_std_termios, as stty -a shows them). */
export function ttyDefaultTermios(t: Termios): void {
  t.iflag = ICRNL | IXON;
  t.oflag = OPOST | ONLCR;
  t.cflag = B38400 | CS8 | CREAD | HUPCL;
  t.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  t.line = 0;
  memory.copy(changetype<usize>(t) + TERMIOS_CC, defaultControls, 19);
  store<u32>(changetype<usize>(t), 38400, TERMIOS_ISPEED);
  store<u32>(changetype<usize>(t), 38400, TERMIOS_OSPEED);
}

function newWaitQueue(): WaitQueue {
  const queue = changetype<WaitQueue>(kzalloc(offsetof<WaitQueue>()));
  waitQueueInit(queue);
  return queue;
}

/** Makes a terminal with default settings and puts it on the list. Numbers are Linux's device numbers. */
export function ttyCreate(driver: TtyDriver, data: usize, major: u32, minor: u32): Tty {
  const tty = changetype<Tty>(kzalloc(offsetof<Tty>()));
  tty.driver = driver;
  tty.data = data;
  tty.major = major;
  tty.minor = minor;
  tty.termios = changetype<Termios>(kzalloc(TERMIOS2_SIZE));
  ttyDefaultTermios(tty.termios);
  tty.line = kzalloc(LINE_SIZE);
  tty.marks = kzalloc(LINE_SIZE);
  tty.raw = kzalloc(RAW_SIZE * 2);
  tty.out = kzalloc(OUT_SIZE);
  tty.readBuffer = kzalloc(BOUNCE_SIZE);
  tty.writeBuffer = kzalloc(BOUNCE_SIZE);
  tty.readWait = newWaitQueue();
  tty.writeWait = newWaitQueue();
  tty.next = first;
  first = tty;
  return tty;
}

/** Takes a terminal off the list and frees it; nobody may have it open or wait on it. */
export function ttyDestroy(tty: Tty): void {
  if (first === tty) first = tty.next;
  else {
    let t: Tty | null = first;
    while (t !== null) {
      if (t.next === tty) {
        t.next = tty.next;
        break;
      }
      t = t.next;
    }
  }
  kfree(changetype<usize>(tty.termios));
  kfree(tty.line);
  kfree(tty.marks);
  kfree(tty.raw);
  kfree(tty.out);
  kfree(tty.readBuffer);
  kfree(tty.writeBuffer);
  kfree(changetype<usize>(tty.readWait));
  kfree(changetype<usize>(tty.writeWait));
  kfree(changetype<usize>(tty));
}

/** `dev_t` as user space sees it: 12 bits of major above 8 of minor (small numbers). */
export function ttyDevice(tty: Tty): u32 {
  return (tty.major << 8) | (tty.minor & 0xff);
}

/** Interrupt side: one byte with `RAW_…` bits. False when the ring is full; the caller keeps it. */
export function ttyRawPut(tty: Tty, entry: u32): bool {
  if (tty.rawHead - tty.rawTail >= RAW_SIZE) return false;
  store<u16>(tty.raw + ((tty.rawHead & (RAW_SIZE - 1)) << 1), <u16> entry);
  tty.rawHead++;
  return true;
}

/** Free entries of the raw ring. */
export function ttyRawRoom(tty: Tty): u32 {
  return RAW_SIZE - (tty.rawHead - tty.rawTail);
}

/** Discipline side: the next raw entry, or -1. */
export function ttyRawTake(tty: Tty): i32 {
  const flags = irqSave();
  let entry: i32 = -1;
  if (tty.rawHead !== tty.rawTail) {
    entry = load<u16>(tty.raw + ((tty.rawTail & (RAW_SIZE - 1)) << 1));
    tty.rawTail++;
  }
  irqRestore(flags);
  return entry;
}

/** Bytes waiting in the output ring. */
export function ttyOutputCount(tty: Tty): u32 {
  return tty.outHead - tty.outTail;
}

/** Puts one byte into the output ring. The caller saw to room. */
export function ttyOutputPut(tty: Tty, byte: u32): void {
  const flags = irqSave();
  if (tty.outHead - tty.outTail < OUT_SIZE) {
    store<u8>(tty.out + (tty.outHead & (OUT_SIZE - 1)), <u8> byte);
    tty.outHead++;
  }
  irqRestore(flags);
}

/** Driver side, interrupts off: the next byte to send, or -1 when empty or held. */
export function ttyOutputTake(tty: Tty): i32 {
  if (tty.stopped || tty.hardwareStopped || tty.outHead === tty.outTail) return -1;
  const byte: i32 = load<u8>(tty.out + (tty.outTail & (OUT_SIZE - 1)));
  tty.outTail++;
  return byte;
}

/** Has the driver send what waits. */
export function ttyStart(tty: Tty): void {
  if (tty.stopped || tty.outHead === tty.outTail) return;
  const driver = tty.driver;
  const start = driver.start;
  start(tty);
}

/** Throws away what was not sent. */
export function ttyFlushOutput(tty: Tty): void {
  const flags = irqSave();
  tty.outTail = tty.outHead;
  irqRestore(flags);
}
