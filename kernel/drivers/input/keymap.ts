/**
 * Scan codes of set 1 to what a Linux console sends: characters of the US layout, control
 * characters, ESC before a character under Alt, and the sequences of function and cursor keys
 * (console_codes(4), the kernel's default keymap). Pure: bytes in, bytes out.
 *
 * @module
 */
import {
  KEY_102ND,
  KEY_CAPSLOCK,
  KEY_COMPOSE,
  KEY_DELETE,
  KEY_DOWN,
  KEY_END,
  KEY_F1,
  KEY_F10,
  KEY_F11,
  KEY_F12,
  KEY_HOME,
  KEY_INSERT,
  KEY_KP7,
  KEY_KPDOT,
  KEY_KPENTER,
  KEY_KPSLASH,
  KEY_LEFT,
  KEY_LEFTALT,
  KEY_LEFTCTRL,
  KEY_LEFTMETA,
  KEY_LEFTSHIFT,
  KEY_NUMLOCK,
  KEY_PAGEDOWN,
  KEY_PAGEUP,
  KEY_PAUSE,
  KEY_RIGHT,
  KEY_RIGHTALT,
  KEY_RIGHTCTRL,
  KEY_RIGHTMETA,
  KEY_RIGHTSHIFT,
  KEY_SCROLLLOCK,
  KEY_SPACE,
  KEY_SYSRQ,
  KEY_TAB,
  KEY_UP,
} from "../../abi/input.ts";

/** Longest sequence of one key: ESC ESC [ 2 4 ~. */
export const KEY_BYTES: u32 = 8;

/* Modifier bits of `Keyboard.modifiers`. */
export const SHIFT_LEFT: u32 = 1;
export const SHIFT_RIGHT: u32 = 2;
export const CONTROL_LEFT: u32 = 4;
export const CONTROL_RIGHT: u32 = 8;
export const ALT_LEFT: u32 = 16;
export const ALT_RIGHT: u32 = 32;

/* LED bits, as the keyboard's command 0xED takes them. */
export const LED_SCROLL: u32 = 1;
export const LED_NUM: u32 = 2;
export const LED_CAPS: u32 = 4;

/* What a key may ask for besides sending bytes. */
export const KEY_ACTION_NONE: u32 = 0;
/** Control-Alt-Delete. */
export const KEY_ACTION_REBOOT: u32 = 1;

/** State of the decoder. Zeroed memory is a keyboard at rest. */
/*@unmanaged*/
export class Keyboard {
  modifiers: u32;
  leds: u32;
  /** Bytes 0xE0 or 0xE1 seen, and how many of Pause's bytes are still to come. */
  prefix: u32;
  pauseLeft: u32;
  /** Cursor keys send ESC O A (DECCKM), the keypad ESC O p (DECPAM). */
  applicationCursor: bool;
  applicationKeypad: bool;
  /** The key of the last call: code, and whether it went down. */
  code: u32;
  down: bool;
  action: u32;
}

/* Make codes 0–57 without and with Shift. 0: no character. */
// deno-fmt-ignore
const plain: usize = memory.data<u8>([
  0, 27, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 45, 61, 127, 9, 113, 119, 101, 114, 116, 121, 117, 105, 111, 112, 91, 93, 13, 0,
  97, 115, 100, 102, 103, 104, 106, 107, 108, 59, 39, 96, 0, 92, 122, 120, 99, 118, 98, 110, 109, 44, 46, 47, 0, 42, 0, 32,
]);
// deno-fmt-ignore
const shifted: usize = memory.data<u8>([
  0, 27, 33, 64, 35, 36, 37, 94, 38, 42, 40, 41, 95, 43, 127, 9, 81, 87, 69, 82, 84, 89, 85, 73, 79, 80, 123, 125, 13, 0,
  65, 83, 68, 70, 71, 72, 74, 75, 76, 58, 34, 126, 0, 124, 90, 88, 67, 86, 66, 78, 77, 60, 62, 63, 0, 42, 0, 32,
]);
/* Keypad, make codes 71–83: with Num Lock, in application mode (ESC O …), and as the cursor key. */
// deno-fmt-ignore
const keypadDigit: usize = memory.data<u8>([55, 56, 57, 45, 52, 53, 54, 43, 49, 50, 51, 48, 46]);
// deno-fmt-ignore
const keypadApplication: usize = memory.data<u8>([119, 120, 121, 83, 116, 117, 118, 108, 113, 114, 115, 112, 110]);
// deno-fmt-ignore
const keypadKey: usize = memory.data<u8>([102, 103, 104, 0, 105, 0, 106, 0, 107, 108, 109, 110, 111]);
/* The numbers in ESC [ n ~ of F6–F12 and, shifted by 12 keys, of Shift-F1–F8 (F13–F20). */
// deno-fmt-ignore
const functionNumber: usize = memory.data<u8>([0, 0, 0, 0, 0, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34]);

/** Extended make codes (after E0) to key codes; 0 for none. */
function extendedCode(make: u32): u32 {
  switch (make) {
    case 0x1c:
      return KEY_KPENTER;
    case 0x1d:
      return KEY_RIGHTCTRL;
    case 0x35:
      return KEY_KPSLASH;
    case 0x37:
      return KEY_SYSRQ;
    case 0x38:
      return KEY_RIGHTALT;
    case 0x46:
      return KEY_PAUSE;
    case 0x47:
      return KEY_HOME;
    case 0x48:
      return KEY_UP;
    case 0x49:
      return KEY_PAGEUP;
    case 0x4b:
      return KEY_LEFT;
    case 0x4d:
      return KEY_RIGHT;
    case 0x4f:
      return KEY_END;
    case 0x50:
      return KEY_DOWN;
    case 0x51:
      return KEY_PAGEDOWN;
    case 0x52:
      return KEY_INSERT;
    case 0x53:
      return KEY_DELETE;
    case 0x5b:
      return KEY_LEFTMETA;
    case 0x5c:
      return KEY_RIGHTMETA;
    case 0x5d:
      return KEY_COMPOSE;
    default: // E0 2A and E0 36 are the fake shifts around the grey keys
      return 0;
  }
}

function modifierBit(code: u32): u32 {
  if (code === KEY_LEFTSHIFT) return SHIFT_LEFT;
  if (code === KEY_RIGHTSHIFT) return SHIFT_RIGHT;
  if (code === KEY_LEFTCTRL) return CONTROL_LEFT;
  if (code === KEY_RIGHTCTRL) return CONTROL_RIGHT;
  if (code === KEY_LEFTALT) return ALT_LEFT;
  if (code === KEY_RIGHTALT) return ALT_RIGHT;
  return 0;
}

function lockBit(code: u32): u32 {
  if (code === KEY_CAPSLOCK) return LED_CAPS;
  if (code === KEY_NUMLOCK) return LED_NUM;
  if (code === KEY_SCROLLLOCK) return LED_SCROLL;
  return 0;
}

/** ESC [ c, or ESC O c in application mode. */
function cursorSequence(k: Keyboard, out: usize, final: u32): u32 {
  store<u8>(out, 27);
  store<u8>(out, k.applicationCursor ? 0x4f : 0x5b, 1);
  store<u8>(out, <u8> final, 2);
  return 3;
}

/** ESC [ n ~ */
function tildeSequence(out: usize, n: u32): u32 {
  store<u8>(out, 27);
  store<u8>(out, 0x5b, 1);
  let at: u32 = 2;
  if (n >= 10) store<u8>(out + at++, <u8> (0x30 + n / 10));
  store<u8>(out + at++, <u8> (0x30 + n % 10));
  store<u8>(out + at++, 0x7e);
  return at;
}

function functionKey(k: Keyboard, out: usize, index: u32): u32 {
  let n = index;
  if ((k.modifiers & (SHIFT_LEFT | SHIFT_RIGHT)) !== 0) n += 12;
  if (n < 5) { // F1–F5: ESC [ [ A … E
    store<u8>(out, 27);
    store<u8>(out, 0x5b, 1);
    store<u8>(out, 0x5b, 2);
    store<u8>(out, <u8> (0x41 + n), 3);
    return 4;
  }
  return n < 20 ? tildeSequence(out, load<u8>(functionNumber + n)) : 0;
}

function specialKey(k: Keyboard, code: u32, out: usize): u32 {
  switch (code) {
    case KEY_UP:
      return cursorSequence(k, out, 0x41);
    case KEY_DOWN:
      return cursorSequence(k, out, 0x42);
    case KEY_RIGHT:
      return cursorSequence(k, out, 0x43);
    case KEY_LEFT:
      return cursorSequence(k, out, 0x44);
    case KEY_HOME:
      return tildeSequence(out, 1);
    case KEY_INSERT:
      return tildeSequence(out, 2);
    case KEY_DELETE:
      return tildeSequence(out, 3);
    case KEY_END:
      return tildeSequence(out, 4);
    case KEY_PAGEUP:
      return tildeSequence(out, 5);
    case KEY_PAGEDOWN:
      return tildeSequence(out, 6);
    case KEY_PAUSE:
      return tildeSequence(out, 0);
    case KEY_F11:
      return functionKey(k, out, 10);
    case KEY_F12:
      return functionKey(k, out, 11);
    default:
      if (code >= KEY_F1 && code <= KEY_F10) return functionKey(k, out, code - KEY_F1);
      return 0;
  }
}

function keypad(k: Keyboard, code: u32, out: usize): u32 {
  const i = code - KEY_KP7;
  const digit: u32 = load<u8>(keypadDigit + i);
  if (k.applicationKeypad && (k.modifiers & (SHIFT_LEFT | SHIFT_RIGHT)) === 0) {
    store<u8>(out, 27);
    store<u8>(out, 0x4f, 1);
    store<u8>(out, load<u8>(keypadApplication + i), 2);
    return 3;
  }
  const key: u32 = load<u8>(keypadKey + i);
  if (digit === 0x2d || digit === 0x2b || (k.leds & LED_NUM) !== 0) {
    store<u8>(out, <u8> digit);
    return 1;
  }
  if (key !== 0) return specialKey(k, key, out);
  if (digit === 53) { // the middle key: ESC [ G
    store<u8>(out, 27);
    store<u8>(out, 0x5b, 1);
    store<u8>(out, 0x47, 2);
    return 3;
  }
  return 0;
}

/** The character of a key under the present modifiers, or -1. */
function character(k: Keyboard, code: u32): i32 {
  const shift = (k.modifiers & (SHIFT_LEFT | SHIFT_RIGHT)) !== 0;
  let c: i32 = -1;
  if (code === KEY_KPENTER) c = 13;
  else if (code === KEY_KPSLASH) c = 0x2f;
  else if (code === KEY_102ND) c = shift ? 0x3e : 0x3c;
  else if (code <= KEY_SPACE) {
    c = load<u8>((shift ? shifted : plain) + code);
    if (c === 0) return -1;
    const letter = c | 0x20;
    if ((k.leds & LED_CAPS) !== 0 && letter >= 0x61 && letter <= 0x7a) c ^= 0x20;
  }
  if (c < 0 || (k.modifiers & (CONTROL_LEFT | CONTROL_RIGHT)) === 0) return c;
  return controlled(c);
}

/** Control with a character, as the kernel's default keymap has it. */
function controlled(c: i32): i32 {
  if (c === 0x20 || c === 0x32 || c === 0x40 || c === 0x60) return 0;
  if (c === 0x3f || c === 0x38) return 127;
  if (c === 0x2f || c === 0x37 || c === 0x5f || c === 0x2d) return 31;
  if (c >= 0x33 && c <= 0x36) return c - 0x33 + 27; // 3 4 5 6: ESC, FS, GS, RS
  if (c === 0x7f) return 8;
  if ((c >= 0x41 && c <= 0x5f) || (c >= 0x61 && c <= 0x7e)) return c & 31;
  return c < 32 ? c : -1;
}

function pressed(k: Keyboard, code: u32, out: usize): u32 {
  const alt = (k.modifiers & (ALT_LEFT | ALT_RIGHT)) !== 0;
  const control = (k.modifiers & (CONTROL_LEFT | CONTROL_RIGHT)) !== 0;
  if (alt && control && (code === KEY_DELETE || code === KEY_KPDOT)) {
    k.action = KEY_ACTION_REBOOT;
    return 0;
  }
  if (code === KEY_TAB && (k.modifiers & (SHIFT_LEFT | SHIFT_RIGHT)) !== 0) {
    store<u8>(out, 27); // back tab
    store<u8>(out, 0x5b, 1);
    store<u8>(out, 0x5a, 2);
    return 3;
  }
  let at: u32 = 0;
  if (alt) store<u8>(out + at++, 27);
  let n: u32 = 0;
  if (code >= KEY_KP7 && code <= KEY_KPDOT) n = keypad(k, code, out + at);
  else {
    n = specialKey(k, code, out + at);
    if (n === 0) {
      const c = character(k, code);
      if (c < 0) return 0;
      store<u8>(out + at, <u8> c);
      n = 1;
    }
  }
  return n === 0 ? 0 : at + n;
}

/**
 * Takes one byte from the keyboard; writes at most `KEY_BYTES` to `out` and returns how many.
 * Repeated make codes repeat the character; breaks send nothing.
 */
export function keyboardByte(k: Keyboard, byte: u32, out: usize): u32 {
  k.action = KEY_ACTION_NONE;
  k.code = 0;
  if (k.pauseLeft > 0) { // Pause is E1 1D 45 E1 9D C5 and has no break
    if (--k.pauseLeft > 0) return 0;
    k.code = KEY_PAUSE;
    k.down = true;
    return specialKey(k, KEY_PAUSE, out);
  }
  if (byte === 0xe0) {
    k.prefix = byte;
    return 0;
  }
  if (byte === 0xe1) {
    k.pauseLeft = 5;
    return 0;
  }
  const extended = k.prefix === 0xe0;
  k.prefix = 0;
  const make = byte & 0x7f;
  const down = (byte & 0x80) === 0;
  const code = extended ? extendedCode(make) : make;
  if (code === 0) return 0;
  k.code = code;
  k.down = down;
  const modifier = modifierBit(code);
  if (modifier !== 0) {
    if (down) k.modifiers |= modifier;
    else k.modifiers &= ~modifier;
    return 0;
  }
  if (!down) return 0;
  const lock = lockBit(code);
  if (lock !== 0) {
    k.leds ^= lock;
    return 0;
  }
  return pressed(k, code, out);
}
