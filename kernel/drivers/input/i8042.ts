/**
 * The 8042 keyboard controller and an AT keyboard behind it (IBM PC AT Technical Reference; Intel
 * UPI-41/42): scan code set 1 by the controller's translation, interrupts on IRQ 1, LEDs.
 *
 * @module
 */
import { irqRegister } from "../../arch/i386/irq.ts";
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { inb, outb } from "../../arch/i386/x86.ts";
import { printk } from "../../lib/mod.ts";
import { kzalloc } from "../../mm/mod.ts";
import { ttyDiscipline, ttyRawPut } from "../../tty/mod.ts";
import { vgaKeyModes, vgaTty } from "../display/mod.ts";
import { powerRestart } from "../power/mod.ts";
import { KEY_ACTION_REBOOT, KEY_BYTES, Keyboard, keyboardByte } from "./keymap.ts";

const DATA: u32 = 0x60;
const STATUS: u32 = 0x64;
const COMMAND: u32 = 0x64;
const OUTPUT_FULL: u32 = 1;
const INPUT_FULL: u32 = 2;
/** The byte is from the auxiliary port (mouse). */
const FROM_MOUSE: u32 = 0x20;

const READ_CONFIGURATION: u32 = 0x20;
const WRITE_CONFIGURATION: u32 = 0x60;
const DISABLE_MOUSE: u32 = 0xa7;
const DISABLE_KEYBOARD: u32 = 0xad;
const ENABLE_KEYBOARD: u32 = 0xae;
const CONFIGURATION_INTERRUPT: u32 = 0x01;
const CONFIGURATION_MOUSE_INTERRUPT: u32 = 0x02;
const CONFIGURATION_TRANSLATE: u32 = 0x40;

/* Keyboard commands and answers. */
const SET_LEDS: u32 = 0xed;
const ACKNOWLEDGE: u32 = 0xfa;
const RESEND: u32 = 0xfe;

let keyboard: Keyboard = changetype<Keyboard>(0);
const bytes: usize = memory.data(KEY_BYTES);
/** LEDs as shown, and where the two-byte command stands: 0 idle, 1 command sent, 2 value sent. */
let shownLeds: u32 = 0;
let ledState: u32 = 0;

/** The controller takes a byte within some hundred microseconds. */
function waitInput(): bool {
  for (let i = 0; i < 100000; i++) {
    if ((inb(STATUS) & INPUT_FULL) === 0) return true;
  }
  return false;
}

function drain(): void {
  for (let i = 0; i < 32 && (inb(STATUS) & OUTPUT_FULL) !== 0; i++) inb(DATA);
}

function command(byte: u32): void {
  waitInput();
  outb(COMMAND, byte);
}

/** Starts to show the LEDs; the keyboard's answers, by interrupt, drive the rest. */
function updateLeds(): void {
  if (ledState !== 0 || shownLeds === keyboard.leds || !waitInput()) return;
  ledState = 1;
  outb(DATA, SET_LEDS);
}

function acknowledged(): void {
  if (ledState === 1) {
    ledState = 2;
    shownLeds = keyboard.leds;
    waitInput();
    outb(DATA, shownLeds);
  } else if (ledState === 2) {
    ledState = 0;
    updateLeds(); // changed again meanwhile
  }
}

function key(scan: u32): void {
  const modes = vgaKeyModes();
  keyboard.applicationCursor = (modes & 1) !== 0;
  keyboard.applicationKeypad = (modes & 2) !== 0;
  const n = keyboardByte(keyboard, scan, bytes);
  if (keyboard.action === KEY_ACTION_REBOOT) powerRestart();
  updateLeds();
  if (n === 0) return;
  const tty = vgaTty();
  for (let i: u32 = 0; i < n; i++) ttyRawPut(tty, load<u8>(bytes + i));
  ttyDiscipline(tty);
}

function interrupt(_irq: u32, _context: usize): void {
  for (let i = 0; i < 16; i++) {
    const status = inb(STATUS);
    if ((status & OUTPUT_FULL) === 0) return;
    const byte = inb(DATA);
    if ((status & FROM_MOUSE) !== 0) continue;
    if (byte === ACKNOWLEDGE) acknowledged();
    else if (byte === RESEND) ledState = 0;
    else key(byte);
  }
}

/** Sets the controller up. False when there is none. */
export function keyboardInit(): bool {
  if (inb(STATUS) === 0xff) return false;
  keyboard = changetype<Keyboard>(kzalloc(offsetof<Keyboard>()));
  const flags = irqSave();
  command(DISABLE_KEYBOARD);
  command(DISABLE_MOUSE);
  drain();
  command(READ_CONFIGURATION);
  let configuration: u32 = 0;
  let answered = false;
  for (let i = 0; i < 100000; i++) {
    if ((inb(STATUS) & OUTPUT_FULL) !== 0) {
      configuration = inb(DATA);
      answered = true;
      break;
    }
  }
  if (answered) {
    configuration |= CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE;
    configuration &= ~CONFIGURATION_MOUSE_INTERRUPT;
    command(WRITE_CONFIGURATION);
    waitInput();
    outb(DATA, configuration & ~0x10); // bit 4 would disable the keyboard's clock
  }
  command(ENABLE_KEYBOARD);
  irqRestore(flags);
  if (!answered) return false;
  irqRegister(1, interrupt, 0);
  printk(c`keyboard: 8042, configuration %x\n`, configuration);
  return true;
}
