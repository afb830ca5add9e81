/**
 * The VGA in text mode 3: cells at 0xB8000, cursor by the CRT controller (IBM VGA, registers 0x3D4
 * and 0x3D5). Shows a `Screen`; it is a terminal, tty1, and can take kernel messages.
 *
 * @module
 */
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { outb } from "../../arch/i386/x86.ts";
import { EFAULT, EINVAL, ENOTTY, ENXIO } from "../../abi/errno.ts";
import {
  KDGETMODE,
  KDGKBMODE,
  KDGKBTYPE,
  KDSETMODE,
  KDSKBMODE,
  VT_ACTIVATE,
  VT_GETSTATE,
  VT_OPENQRY,
  VT_WAITACTIVE,
} from "../../abi/ioctl.ts";
import { IUTF8 } from "../../abi/termios.ts";
import { consoleRegister } from "../../lib/mod.ts";
import { copyOut, kfree, kzalloc, physToVirt, putUser32 } from "../../mm/mod.ts";
import {
  Tty,
  ttyCreate,
  ttyDiscipline,
  TtyDriver,
  ttyOutputTake,
  ttyRawPut,
  ttySent,
} from "../../tty/mod.ts";
import { ansiByte } from "./ansi.ts";
import { Screen, screenBytes, screenDirty, screenInit, screenWorkBytes } from "./screen.ts";

const TEXT: u32 = 0xb8000;
const COLUMNS: u32 = 80;
const ROWS: u32 = 25;
const CRTC_INDEX: u32 = 0x3d4;
const CRTC_DATA: u32 = 0x3d5;
const CURSOR_START: u32 = 10;
const CURSOR_END: u32 = 11;
const START_HIGH: u32 = 12;
const START_LOW: u32 = 13;
const CURSOR_HIGH: u32 = 14;
const CURSOR_LOW: u32 = 15;
const CURSOR_OFF: u32 = 0x20;
/** Character cells are 16 lines high in mode 3. */
const CELL_LINES: u32 = 16;
const TTY_MAJOR: u32 = 4;
const KB_101: u32 = 2;
const K_UNICODE: u32 = 3;

let screen: Screen = changetype<Screen>(0);
let terminal: Tty = changetype<Tty>(0);
let cursorAt: u32 = 0xffffffff;
let cursorShape: u32 = 0xffffffff;

function crtc(index: u32, value: u32): void {
  outb(CRTC_INDEX, index);
  outb(CRTC_DATA, value);
}

/** First scan line of the cursor for Linux's sizes 0–6 (console_codes(4), ESC [ ? n c). */
function cursorTop(shape: u32): u32 {
  if (shape === 3) return CELL_LINES * 2 / 3;
  if (shape === 4) return CELL_LINES / 2;
  if (shape === 5) return CELL_LINES / 3;
  if (shape === 6) return 0;
  return CELL_LINES - 2;
}

function showCursor(): void {
  const shape = !screen.cursorVisible || screen.cursorShape === 1
    ? CURSOR_OFF
    : cursorTop(screen.cursorShape);
  if (shape !== cursorShape) {
    cursorShape = shape;
    crtc(CURSOR_START, shape);
    crtc(CURSOR_END, CELL_LINES - 1);
  }
  const at = screen.y * COLUMNS + screen.x;
  if (at !== cursorAt) {
    cursorAt = at;
    crtc(CURSOR_HIGH, at >> 8);
    crtc(CURSOR_LOW, at & 0xff);
  }
}

/** Copies the rows that changed to the card. */
function show(): void {
  if (screen.dirtyFirst !== screen.dirtyEnd) {
    const from = screen.dirtyFirst * COLUMNS * 2;
    const bytes = (screen.dirtyEnd - screen.dirtyFirst) * COLUMNS * 2;
    memory.copy(physToVirt(TEXT) + from, screen.cells + from, bytes);
    screen.dirtyFirst = 0;
    screen.dirtyEnd = 0;
  }
  showCursor();
}

/** What the screen answers to reports is input. */
function answer(): void {
  if (screen.replyLength === 0) return;
  for (let i: u32 = 0; i < screen.replyLength; i++) {
    ttyRawPut(terminal, load<u8>(screen.reply + i));
  }
  screen.replyLength = 0;
  ttyDiscipline(terminal);
}

/** Bytes shown at a stretch with interrupts off, which keep kernel messages out of their middle. */
const STRETCH: u32 = 128;

function takeStretch(tty: Tty): bool {
  const flags = irqSave();
  let more = true;
  for (let n: u32 = 0; n < STRETCH && more; n++) {
    const byte = ttyOutputTake(tty);
    if (byte < 0) more = false;
    else ansiByte(screen, byte);
  }
  irqRestore(flags);
  return more;
}

function start(tty: Tty): void {
  while (takeStretch(tty)) continue;
  const flags = irqSave();
  show();
  answer();
  irqRestore(flags);
  ttySent(tty);
}

function consoleWrite(data: usize, length: u32): void {
  const flags = irqSave();
  for (let i: u32 = 0; i < length; i++) {
    const byte: u32 = load<u8>(data + i);
    if (byte === 0x0a) ansiByte(screen, 0x0d);
    ansiByte(screen, byte);
  }
  show();
  irqRestore(flags);
}

/**
 * What programs ask of a Linux console (ioctl_console(2)): there is one, number 1, always active, in
 * text mode, its keyboard sends characters.
 */
function ioctl(_tty: Tty, request: u32, argument: u32): i32 {
  switch (request) {
    case KDGKBTYPE:
      return putUser32(argument, KB_101);
    case KDGETMODE:
      return putUser32(argument, 0);
    case KDGKBMODE:
      return putUser32(argument, K_UNICODE);
    case KDSETMODE:
      return argument === 0 ? 0 : -EINVAL;
    case KDSKBMODE:
      return argument === K_UNICODE || argument === 1 ? 0 : -EINVAL;
    case VT_OPENQRY: // the first console that is free: there is none
      return putUser32(argument, 0xffffffff);
    case VT_GETSTATE: // struct vt_stat, three words of 16 bits: active, signal, bits of those in use
      return putUser32(argument, 1) < 0 ? -EFAULT : putStateMask(argument);
    case VT_ACTIVATE:
    case VT_WAITACTIVE:
      return argument === 1 ? 0 : -ENXIO;
    default:
      return -ENOTTY;
  }
}

function putStateMask(argument: u32): i32 {
  const mask = kzalloc(2);
  store<u16>(mask, 2);
  const result = copyOut(argument + 4, mask, 2);
  kfree(mask);
  return result;
}

const driver = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>(), 4));

/** Sets up the screen and the terminal tty1. */
export function vgaInit(): void {
  screen = changetype<Screen>(kzalloc(offsetof<Screen>()));
  const bytes = screenBytes(COLUMNS, ROWS);
  screenInit(
    screen,
    COLUMNS,
    ROWS,
    kzalloc(bytes),
    kzalloc(bytes),
    kzalloc(screenWorkBytes(COLUMNS)),
  );
  driver.start = start;
  driver.ioctl = ioctl;
  terminal = ttyCreate(driver, 0, TTY_MAJOR, 1);
  terminal.rows = <u16> ROWS;
  terminal.columns = <u16> COLUMNS;
  terminal.termios.iflag |= IUTF8; // the console speaks it
  crtc(START_HIGH, 0);
  crtc(START_LOW, 0);
  screenDirty(screen, 0, ROWS);
  show();
}

/** The terminal of the screen and keyboard. */
export function vgaTty(): Tty {
  return terminal;
}

/** Do cursor keys, does the keypad send application sequences now? Bits 0 and 1. */
export function vgaKeyModes(): u32 {
  return (screen.applicationCursor ? 1 : 0) | (screen.applicationKeypad ? 2 : 0);
}

/** Sends kernel messages to the screen. */
export function vgaConsole(): void {
  consoleRegister(consoleWrite);
}
