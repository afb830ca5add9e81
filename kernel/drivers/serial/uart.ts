/**
 * 16550A serial ports (National PC16550D data sheet, §8): FIFOs, both directions by interrupt.
 *
 * Received bytes go to the terminal's raw ring; when that is full, the receive interrupt is turned
 * off and the FIFO, then the sender, waits. Sending fills the FIFO from the terminal's output ring
 * at each transmitter-empty interrupt, which is enabled only while there is something to send.
 *
 * @module
 */
import { irqRegister } from "../../arch/i386/irq.ts";
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { inb, outb } from "../../arch/i386/x86.ts";
import { EFAULT, ENOTTY } from "../../abi/errno.ts";
import { TIOCMBIC, TIOCMBIS, TIOCMGET, TIOCMSET } from "../../abi/ioctl.ts";
import {
  B115200,
  BOTHER,
  CBAUD,
  CBAUDEX,
  CLOCAL,
  CREAD,
  CRTSCTS,
  CS8,
  CSIZE,
  CSTOPB,
  HUPCL,
  PARENB,
  PARODD,
  TERMIOS_ISPEED,
  TERMIOS_OSPEED,
} from "../../abi/termios.ts";
import {
  consoleRegister,
  earlyShown,
  isPanicking,
  logByte,
  logEnd,
  logStart,
  printk,
} from "../../lib/mod.ts";
import { getUser32, kzalloc, putUser32, userWord } from "../../mm/mod.ts";
import {
  RAW_BREAK,
  RAW_FRAME,
  RAW_OVERRUN,
  RAW_PARITY,
  Tty,
  ttyCreate,
  ttyDiscipline,
  TtyDriver,
  ttyOutputCount,
  ttyOutputTake,
  ttyRawPut,
  ttyRawRoom,
  ttySent,
} from "../../tty/mod.ts";

/* Registers. */
const DATA: u32 = 0;
const ENABLE: u32 = 1;
const IDENTIFY: u32 = 2;
const FIFO: u32 = 2;
const LINE: u32 = 3;
const MODEM: u32 = 4;
const LINE_STATUS: u32 = 5;
const MODEM_STATUS: u32 = 6;
const SCRATCH: u32 = 7;

const ENABLE_RECEIVE: u32 = 1;
const ENABLE_SEND: u32 = 2;
const ENABLE_LINE: u32 = 4;
const ENABLE_MODEM: u32 = 8;
const LINE_LATCH: u32 = 0x80;
const LINE_BREAK: u32 = 0x40;
const MODEM_DTR: u32 = 1;
const MODEM_RTS: u32 = 2;
/** OUT2 gates the interrupt on a PC. */
const MODEM_OUT2: u32 = 8;
const MODEM_LOOP: u32 = 0x10;
const STATUS_READY: u32 = 1;
const STATUS_OVERRUN: u32 = 2;
const STATUS_PARITY: u32 = 4;
const STATUS_FRAME: u32 = 8;
const STATUS_BREAK: u32 = 0x10;
const STATUS_EMPTY: u32 = 0x20;
const STATUS_IDLE: u32 = 0x40;
const MODEM_CTS: u32 = 0x10;

/** The clock divided by 16: 1.8432 MHz crystal. */
const BASE_BAUD: u32 = 115200;
const PORTS: u32 = 4;
const TTY_MAJOR: u32 = 4;
const FIRST_MINOR: u32 = 64;

/** One port. */
/*@unmanaged*/
// deno-lint-ignore no-unused-vars -- only its type is used
class Uart {
  base: u32;
  irq: u32;
  fifo: u32;
  enable: u32;
  modem: u32;
  line: u32;
  index: u32;
  /** The terminal's raw ring was full: receiving is off. */
  held: bool;
  /** Kernel messages are shown here: position in the log, and whether a newline's return was sent. */
  console: bool;
  logAt: u32;
  returned: bool;
  tty: Tty;
}

const bases: usize = memory.data<u16>([0x3f8, 0x2f8, 0x3e8, 0x2e8]);
const irqs: usize = memory.data<u8>([4, 3, 4, 3]);
const uarts: usize = memory.data(PORTS * 4, 4);
/* Rates of the B… codes 0–15 and 0x1001–0x100F (termbits.h). */
// deno-fmt-ignore
const slow: usize = memory.data<u32>([0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400]);
// deno-fmt-ignore
const fast: usize = memory.data<u32>([0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000]);

function uartAt(i: u32): Uart | null {
  return changetype<Uart | null>(load<usize>(uarts + (i << 2)));
}

/** The next byte to send, or -1: kernel messages go before the terminal's output. */
function nextByte(u: Uart): i32 {
  if (u.console) {
    const oldest = logStart();
    if (<i32> (u.logAt - oldest) < 0) u.logAt = oldest;
    if (u.logAt !== logEnd()) {
      const byte = logByte(u.logAt);
      if (byte === 0x0a && !u.returned) {
        u.returned = true;
        return 0x0d;
      }
      u.returned = false;
      u.logAt++;
      return byte;
    }
  }
  return ttyOutputTake(u.tty);
}

function hasMore(u: Uart): bool {
  if (u.console && u.logAt !== logEnd()) return true;
  return ttyOutputCount(u.tty) > 0 && !u.tty.stopped && !u.tty.hardwareStopped;
}

/** Sends what fits; keeps the empty-interrupt on exactly while more waits. Interrupts are off. */
function pump(u: Uart): void {
  if ((inb(u.base + LINE_STATUS) & STATUS_EMPTY) !== 0) {
    for (let room = u.fifo; room > 0; room--) {
      const byte = nextByte(u);
      if (byte < 0) break;
      outb(u.base + DATA, byte);
    }
  }
  const enable = hasMore(u) ? u.enable | ENABLE_SEND : u.enable & ~ENABLE_SEND;
  if (enable !== u.enable) {
    u.enable = enable;
    outb(u.base + ENABLE, enable);
  }
}

function receive(u: Uart): void {
  let got = false;
  while (true) {
    if (ttyRawRoom(u.tty) === 0) {
      u.held = true;
      u.enable &= ~(ENABLE_RECEIVE | ENABLE_LINE);
      outb(u.base + ENABLE, u.enable);
      break;
    }
    const status = inb(u.base + LINE_STATUS);
    if ((status & STATUS_READY) === 0) break;
    let entry = inb(u.base + DATA);
    if ((status & STATUS_BREAK) !== 0) entry |= RAW_BREAK;
    else if ((status & STATUS_PARITY) !== 0) entry |= RAW_PARITY;
    else if ((status & STATUS_FRAME) !== 0) entry |= RAW_FRAME;
    if ((status & STATUS_OVERRUN) !== 0) entry |= RAW_OVERRUN;
    if ((u.tty.termios.cflag & CREAD) !== 0) ttyRawPut(u.tty, entry);
    got = true;
  }
  if (got) ttyDiscipline(u.tty);
}

function modemChanged(u: Uart): void {
  const status = inb(u.base + MODEM_STATUS);
  if ((u.tty.termios.cflag & CRTSCTS) === 0) u.tty.hardwareStopped = false;
  else u.tty.hardwareStopped = (status & MODEM_CTS) === 0;
}

/** Serves one port until it asks for nothing more; true when it had asked. */
function serve(u: Uart): bool {
  let asked = false;
  for (let rounds = 0; rounds < 32; rounds++) {
    const reason = inb(u.base + IDENTIFY);
    if ((reason & 1) !== 0) break;
    asked = true;
    const kind = reason & 0x0e;
    if (kind === 0x06 || kind === 0x04 || kind === 0x0c) receive(u);
    else if (kind === 0x02) {
      pump(u);
      ttySent(u.tty);
    } else modemChanged(u);
  }
  return asked;
}

/** Ports share lines (COM1 with COM3), and an ISA line is edge-triggered: until all are quiet. */
function interrupt(irq: u32, _context: usize): void {
  let again = true;
  for (let rounds = 0; again && rounds < 8; rounds++) {
    again = false;
    for (let i: u32 = 0; i < PORTS; i++) {
      const u = uartAt(i);
      if (u !== null && u.irq === irq && serve(u)) again = true;
    }
  }
}

function uartOf(tty: Tty): Uart {
  return changetype<Uart>(tty.data);
}

function start(tty: Tty): void {
  const flags = irqSave();
  pump(uartOf(tty));
  irqRestore(flags);
}

/** There is room again: receiving goes on. */
function resume(tty: Tty): void {
  const u = uartOf(tty);
  if (!u.held || ttyRawRoom(tty) < 64) return;
  const flags = irqSave();
  u.held = false;
  u.enable |= ENABLE_RECEIVE | ENABLE_LINE;
  outb(u.base + ENABLE, u.enable);
  receive(u);
  irqRestore(flags);
}

function rate(tty: Tty): u32 {
  const code = tty.termios.cflag & CBAUD;
  if (code === BOTHER) return load<u32>(changetype<usize>(tty.termios), TERMIOS_OSPEED);
  return load<u32>(((code & CBAUDEX) !== 0 ? fast : slow) + ((code & 15) << 2));
}

function settings(tty: Tty): void {
  const u = uartOf(tty);
  const cflag = tty.termios.cflag;
  const baud = rate(tty);
  u.line = ((cflag & CSIZE) >> 4) | ((cflag & CSTOPB) !== 0 ? 4 : 0);
  if ((cflag & PARENB) !== 0) u.line |= (cflag & PARODD) !== 0 ? 0x08 : 0x18;
  const flags = irqSave();
  if (baud === 0) u.modem &= ~(MODEM_DTR | MODEM_RTS); // B0 hangs up
  else {
    u.modem |= MODEM_DTR | MODEM_RTS;
    let divisor = (BASE_BAUD + baud / 2) / baud;
    if (divisor === 0) divisor = 1;
    outb(u.base + LINE, u.line | LINE_LATCH);
    outb(u.base + DATA, divisor & 0xff);
    outb(u.base + ENABLE, (divisor >> 8) & 0xff);
    outb(u.base + LINE, u.line);
    store<u32>(changetype<usize>(tty.termios), baud, TERMIOS_OSPEED);
    store<u32>(changetype<usize>(tty.termios), baud, TERMIOS_ISPEED);
  }
  outb(u.base + MODEM, u.modem);
  modemChanged(u);
  outb(u.base + ENABLE, u.enable);
  pump(u);
  irqRestore(flags);
}

function sendBreak(tty: Tty, on: bool): void {
  const u = uartOf(tty);
  outb(u.base + LINE, on ? u.line | LINE_BREAK : u.line);
}

function drained(tty: Tty): bool {
  return (inb(uartOf(tty).base + LINE_STATUS) & STATUS_IDLE) !== 0;
}

/* TIOCM_ bits (asm-generic/termios.h). */
const TIOCM_DTR: u32 = 0x002;
const TIOCM_RTS: u32 = 0x004;

/** Modem lines, as TIOCMGET shows them: CTS, RI, DSR, CD of the status register, DTR and RTS ours. */
function modemLines(u: Uart): u32 {
  const status = inb(u.base + MODEM_STATUS);
  return ((u.modem & MODEM_DTR) !== 0 ? TIOCM_DTR : 0) |
    ((u.modem & MODEM_RTS) !== 0 ? TIOCM_RTS : 0) |
    ((status & 0x10) !== 0 ? 0x020 : 0) | ((status & 0x20) !== 0 ? 0x100 : 0) |
    ((status & 0x40) !== 0 ? 0x080 : 0) | ((status & 0x80) !== 0 ? 0x040 : 0);
}

function ioctl(tty: Tty, request: u32, argument: u32): i32 {
  const u = uartOf(tty);
  if (request === TIOCMGET) return putUser32(argument, modemLines(u));
  if (request !== TIOCMSET && request !== TIOCMBIS && request !== TIOCMBIC) return -ENOTTY;
  if (getUser32(argument) < 0) return -EFAULT;
  const given = userWord();
  const bits = ((given & TIOCM_DTR) !== 0 ? MODEM_DTR : 0) |
    ((given & TIOCM_RTS) !== 0 ? MODEM_RTS : 0);
  if (request === TIOCMSET) u.modem = (u.modem & ~(MODEM_DTR | MODEM_RTS)) | bits;
  else if (request === TIOCMBIS) u.modem |= bits;
  else u.modem &= ~bits;
  outb(u.base + MODEM, u.modem);
  return 0;
}

/** Is there a UART at `base`? The scratch register keeps, and loop-back shows the modem lines. */
function probe(base: u32): bool {
  outb(base + SCRATCH, 0x5a);
  if (inb(base + SCRATCH) !== 0x5a) return false;
  outb(base + SCRATCH, 0xa5);
  if (inb(base + SCRATCH) !== 0xa5) return false;
  const modem = inb(base + MODEM);
  outb(base + MODEM, MODEM_LOOP | MODEM_OUT2 | MODEM_RTS);
  const lines = inb(base + MODEM_STATUS) & 0xf0;
  outb(base + MODEM, modem);
  return lines === 0x90; // RTS comes back as CTS, OUT2 as DCD
}

/** FIFO depth: 16 when the identification shows working FIFOs, else 1 (8250, 16450, 16550). */
function enableFifo(base: u32): u32 {
  outb(base + FIFO, 0x07); // on, both cleared, trigger at 1 byte
  return (inb(base + IDENTIFY) & 0xc0) === 0xc0 ? 16 : 1;
}

const driver = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>(), 4));

function addPort(i: u32): void {
  const base: u32 = load<u16>(bases + (i << 1));
  if (!probe(base)) return;
  const u = changetype<Uart>(kzalloc(offsetof<Uart>()));
  u.base = base;
  u.irq = load<u8>(irqs + i);
  u.index = i;
  u.fifo = enableFifo(base);
  u.modem = MODEM_DTR | MODEM_RTS | MODEM_OUT2;
  u.tty = ttyCreate(driver, changetype<usize>(u), TTY_MAJOR, FIRST_MINOR + i);
  u.tty.termios.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
  store<usize>(uarts + (i << 2), changetype<usize>(u));
  outb(base + ENABLE, 0);
  irqRegister(u.irq, interrupt, 0);
  u.enable = ENABLE_RECEIVE | ENABLE_LINE | ENABLE_MODEM;
  settings(u.tty);
  printk(c`ttyS%u: 16550A at 0x%x, IRQ %u, FIFO of %u\n`, i, base, u.irq, u.fifo);
}

/** Finds COM1–COM4 and makes their terminals. */
export function serialInit(): void {
  driver.start = start;
  driver.settings = settings;
  driver.resume = resume;
  driver.sendBreak = sendBreak;
  driver.drained = drained;
  driver.ioctl = ioctl;
  for (let i: u32 = 0; i < PORTS; i++) addPort(i);
}

/** The terminal of ttyS`i`, or null. */
export function serialTty(i: u32): Tty | null {
  const u = i < PORTS ? uartAt(i) : null;
  return u === null ? null : u.tty;
}

/** Waits for the transmitter, with a bound: hardware may be absent after all. */
function putSync(base: u32, byte: u32): void {
  for (let i = 0; i < 100000 && (inb(base + LINE_STATUS) & STATUS_EMPTY) === 0; i++) continue;
  outb(base + DATA, byte);
}

/** Sends everything that waits, without interrupts. */
function drainPort(u: Uart): void {
  let byte = nextByte(u);
  while (byte >= 0) {
    putSync(u.base, byte);
    byte = nextByte(u);
  }
  for (let n = 0; n < 100000 && (inb(u.base + LINE_STATUS) & STATUS_IDLE) === 0; n++) {
    continue; // the last bytes leave the FIFO
  }
}

/** There are new kernel messages; they are sent from the log as the transmitter gets free. */
function consoleWrite(_data: usize, _length: u32): void {
  for (let i: u32 = 0; i < PORTS; i++) {
    const u = uartAt(i);
    if (u === null || !u.console) continue;
    if (isPanicking()) drainPort(u);
    else pump(u);
  }
}

/** Sends kernel messages to ttyS`i`. False when there is no such port. */
export function serialConsole(i: u32): bool {
  const u = i < PORTS ? uartAt(i) : null;
  if (u === null) return false;
  if (u.console) return true;
  const flags = irqSave();
  u.console = true;
  // The first port is the early console: it may have shown everything so far.
  u.logAt = u.base === load<u16>(bases) && earlyShown() ? logEnd() : logStart();
  irqRestore(flags);
  if (!registered) consoleRegister(consoleWrite, false);
  registered = true;
  consoleWrite(0, 0);
  return true;
}

let registered: bool = false;

/** Sends what still waits, at power-off: nobody will interrupt any more. */
export function serialDrain(): void {
  const flags = irqSave();
  for (let i: u32 = 0; i < PORTS; i++) {
    const u = uartAt(i);
    if (u !== null) drainPort(u);
  }
  irqRestore(flags);
}
