/**
 * Keys by name and their scan codes: set 1 from the table, set 2 by the 8042's translation backwards.
 *
 * Key names are those of the W3C UI Events `code` attribute for a US keyboard.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101/102-key)"; Microsoft
 * Keyboard Scan Code Specification 1.3a.
 *
 * @module
 */

/** A scan code set that the keyboard speaks. */
export type ScanCodeSet = 1 | 2;

/** The 8042's translation of set 2 to set 1, for codes 00h–7Fh. */
// deno-fmt-ignore
const TRANSLATION: readonly number[] = [
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
  0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
  0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
  0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
  0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
  0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
  0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
  0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
];

/** One byte of the keyboard as the 8042 translates it; F0h is the controller's to swallow. */
export function translate(byte: number): number {
  if (byte < 0x80) return TRANSLATION[byte];
  return byte === 0x83 ? 0x41 : byte === 0x84 ? 0x54 : byte;
}

/** Set 1 codes; with 0xe000 those that E0h precedes. */
// deno-fmt-ignore
const KEYS: Readonly<Record<string, number>> = {
  Escape: 0x01, Digit1: 0x02, Digit2: 0x03, Digit3: 0x04, Digit4: 0x05, Digit5: 0x06, Digit6: 0x07,
  Digit7: 0x08, Digit8: 0x09, Digit9: 0x0a, Digit0: 0x0b, Minus: 0x0c, Equal: 0x0d, Backspace: 0x0e,
  Tab: 0x0f, KeyQ: 0x10, KeyW: 0x11, KeyE: 0x12, KeyR: 0x13, KeyT: 0x14, KeyY: 0x15, KeyU: 0x16,
  KeyI: 0x17, KeyO: 0x18, KeyP: 0x19, BracketLeft: 0x1a, BracketRight: 0x1b, Enter: 0x1c,
  ControlLeft: 0x1d, KeyA: 0x1e, KeyS: 0x1f, KeyD: 0x20, KeyF: 0x21, KeyG: 0x22, KeyH: 0x23,
  KeyJ: 0x24, KeyK: 0x25, KeyL: 0x26, Semicolon: 0x27, Quote: 0x28, Backquote: 0x29,
  ShiftLeft: 0x2a, Backslash: 0x2b, KeyZ: 0x2c, KeyX: 0x2d, KeyC: 0x2e, KeyV: 0x2f, KeyB: 0x30,
  KeyN: 0x31, KeyM: 0x32, Comma: 0x33, Period: 0x34, Slash: 0x35, ShiftRight: 0x36,
  NumpadMultiply: 0x37, AltLeft: 0x38, Space: 0x39, CapsLock: 0x3a, F1: 0x3b, F2: 0x3c, F3: 0x3d,
  F4: 0x3e, F5: 0x3f, F6: 0x40, F7: 0x41, F8: 0x42, F9: 0x43, F10: 0x44, NumLock: 0x45,
  ScrollLock: 0x46, Numpad7: 0x47, Numpad8: 0x48, Numpad9: 0x49, NumpadSubtract: 0x4a,
  Numpad4: 0x4b, Numpad5: 0x4c, Numpad6: 0x4d, NumpadAdd: 0x4e, Numpad1: 0x4f, Numpad2: 0x50,
  Numpad3: 0x51, Numpad0: 0x52, NumpadDecimal: 0x53, IntlBackslash: 0x56, F11: 0x57, F12: 0x58,
  NumpadEnter: 0xe01c, ControlRight: 0xe01d, NumpadDivide: 0xe035, AltRight: 0xe038, Home: 0xe047,
  ArrowUp: 0xe048, PageUp: 0xe049, ArrowLeft: 0xe04b, ArrowRight: 0xe04d, End: 0xe04f,
  ArrowDown: 0xe050, PageDown: 0xe051, Insert: 0xe052, Delete: 0xe053, MetaLeft: 0xe05b,
  MetaRight: 0xe05c, ContextMenu: 0xe05d,
};

/** A key's name. */
export type Key = string;

/** Whether a key of that name is on the keyboard. */
export function isKey(key: string): boolean {
  return Object.hasOwn(KEYS, key) || key === "Pause" || key === "PrintScreen";
}

/** A set 1 code in set 2. F7 is 83h there, the one make code above 7Fh. */
function toSet2(code: number): number {
  if (code === 0x41) return 0x83;
  return TRANSLATION.indexOf(code);
}

/** The bytes of a press or release. */
export function scanCodes(key: Key, pressed: boolean, set: ScanCodeSet): number[] {
  const bytes = (codes: readonly number[]): number[] =>
    codes.flatMap((code) => {
      const low = code & 0xff;
      const prefix = code > 0xff ? [code >> 8] : [];
      if (set === 1) return [...prefix, pressed ? low : low | 0x80];
      return pressed ? [...prefix, toSet2(low)] : [...prefix, 0xf0, toSet2(low)];
    });
  if (key === "Pause") {
    // Make and break at once, and nothing on release.
    if (!pressed) return [];
    return set === 1
      ? [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]
      : [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
  }
  if (key === "PrintScreen") return bytes(pressed ? [0xe02a, 0xe037] : [0xe037, 0xe02a]);
  const code = KEYS[key];
  return code === undefined ? [] : bytes([code]);
}

/** Characters of the US layout: unshifted and shifted by key. */
const CHARACTERS: readonly (readonly [Key, string, string])[] = [
  ["Backquote", "`", "~"],
  ["Minus", "-", "_"],
  ["Equal", "=", "+"],
  ["BracketLeft", "[", "{"],
  ["BracketRight", "]", "}"],
  ["Backslash", "\\", "|"],
  ["Semicolon", ";", ":"],
  ["Quote", "'", '"'],
  ["Comma", ",", "<"],
  ["Period", ".", ">"],
  ["Slash", "/", "?"],
  ["Space", " ", " "],
  ...[..."1234567890"].map((c, i) => [`Digit${c}`, c, "!@#$%^&*()"[i]] as const),
  ...[..."abcdefghijklmnopqrstuvwxyz"].map((c) =>
    [`Key${c.toUpperCase()}`, c, c.toUpperCase()] as const
  ),
];

const CONTROLS: Readonly<Record<string, Key>> = {
  "\n": "Enter",
  "\r": "Enter",
  "\t": "Tab",
  "\b": "Backspace",
  "\x7f": "Backspace",
  "\x1b": "Escape",
};

/** A key going down or up. */
export interface KeyEvent {
  readonly key: Key;
  readonly pressed: boolean;
}

/** The presses and releases that type `text` on a US layout; characters it lacks are left out. */
export function keysFor(text: string): KeyEvent[] {
  const events: KeyEvent[] = [];
  const stroke = (key: Key, modifier?: Key): void => {
    if (modifier !== undefined) events.push({ key: modifier, pressed: true });
    events.push({ key, pressed: true }, { key, pressed: false });
    if (modifier !== undefined) events.push({ key: modifier, pressed: false });
  };
  for (const character of text) {
    const control = CONTROLS[character];
    const row = CHARACTERS.find(([, plain, shifted]) =>
      plain === character || shifted === character
    );
    if (control !== undefined) stroke(control);
    else if (row !== undefined) stroke(row[0], row[1] === character ? undefined : "ShiftLeft");
    else if (character >= "\x01" && character <= "\x1a") {
      stroke(`Key${String.fromCharCode(character.charCodeAt(0) + 0x40)}`, "ControlLeft");
    }
  }
  return events;
}
