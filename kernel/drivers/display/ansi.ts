/**
 * The control functions of the console: ECMA-48 (5th edition) and DEC VT102 sequences with Linux's
 * additions (console_codes(4)). Text is UTF-8.
 *
 * @module
 */
import { graphicsCp437, toCp437 } from "./cp437.ts";
import { selectRendition } from "./rendition.ts";
import {
  MAX_PARAMETERS,
  REPLY_SIZE,
  Screen,
  screenAlternate,
  screenAttribute,
  screenBackTab,
  screenDeleteCharacters,
  screenDirty,
  screenErase,
  screenInsertCharacters,
  screenLineFeed,
  screenMoveTo,
  screenMoveToOrigin,
  screenPut,
  screenReset,
  screenRestore,
  screenReverseLineFeed,
  screenSave,
  screenScrollDown,
  screenScrollUp,
  screenTab,
} from "./screen.ts";

/* States of the parser. */
const GROUND: u32 = 0;
const ESCAPE: u32 = 1;
/** After ESC and an intermediate: one more byte ends it. */
const DESIGNATE: u32 = 2;
const CONTROL: u32 = 3;
/** OSC just opened: Linux's P and R have their own forms. */
const COMMAND: u32 = 4;
/** DCS, OSC, APC, PM, SOS: ignored up to ST or BEL. */
const STRING: u32 = 5;
const STRING_ESCAPE: u32 = 6;
const PALETTE: u32 = 7;

function answerByte(s: Screen, byte: u32): void {
  if (s.replyLength < REPLY_SIZE) store<u8>(s.reply + s.replyLength++, <u8> byte);
}

function answerNumber(s: Screen, value: u32): void {
  if (value >= 10) answerNumber(s, value / 10);
  answerByte(s, 0x30 + value % 10);
}

/** Parameter `i`, with the default where it is absent or 0. */
function parameter(s: Screen, i: u32, fallback: u32): u32 {
  const value = i < s.parameterCount ? load<u32>(s.parameters + (i << 2)) : 0;
  return value === 0 ? fallback : value;
}

function eraseInDisplay(s: Screen, what: u32): void {
  const here = s.y * s.columns + s.x;
  if (what === 0) screenErase(s, s.x, s.y, s.columns * s.rows - here);
  else if (what === 1) screenErase(s, 0, 0, here + 1);
  else if (what === 2 || what === 3) screenErase(s, 0, 0, s.columns * s.rows);
  s.wrapPending = false;
}

function eraseInLine(s: Screen, what: u32): void {
  if (what === 0) screenErase(s, s.x, s.y, s.columns - s.x);
  else if (what === 1) screenErase(s, 0, s.y, s.x + 1);
  else if (what === 2) screenErase(s, 0, s.y, s.columns);
  s.wrapPending = false;
}

/** DEC private modes, `CSI ? n h` and `l`. */
function setPrivateMode(s: Screen, mode: u32, on: bool): void {
  switch (mode) {
    case 1:
      s.applicationCursor = on;
      break;
    case 5:
      if (s.reverseScreen !== on) {
        s.reverseScreen = on;
        const end = s.cells + ((s.columns * s.rows) << 1);
        for (let at = s.cells; at < end; at += 2) {
          const a: u32 = load<u8>(at, 1);
          store<u8>(at, <u8> ((a & 0x88) | ((a >> 4) & 7) | ((a & 7) << 4)), 1);
        }
        screenAttribute(s);
        screenDirty(s, 0, s.rows);
      }
      break;
    case 6:
      s.originMode = on;
      screenMoveToOrigin(s, 0, 0);
      break;
    case 7:
      s.autowrap = on;
      if (!on) s.wrapPending = false;
      break;
    case 25:
      s.cursorVisible = on;
      screenDirty(s, s.y, s.y + 1);
      break;
    case 47:
    case 1047:
      screenAlternate(s, on);
      break;
    case 1048:
      if (on) screenSave(s);
      else screenRestore(s);
      break;
    case 1049:
      if (on) screenSave(s);
      screenAlternate(s, on);
      if (!on) screenRestore(s);
      break;
    case 2004:
      s.bracketedPaste = on;
      break;
    default: // mouse reporting and the like: a text console has none
      break;
  }
}

function setMode(s: Screen, on: bool): void {
  for (let i: u32 = 0; i < s.parameterCount; i++) {
    const mode = load<u32>(s.parameters + (i << 2));
    if (s.prefix === 0x3f) setPrivateMode(s, mode, on);
    else if (s.prefix === 0) {
      if (mode === 4) s.insertMode = on;
      else if (mode === 20) s.newLineMode = on;
    }
  }
}

function report(s: Screen, what: u32): void {
  if (what === 5) { // DSR: ready
    answerByte(s, 0x1b);
    answerByte(s, 0x5b);
    answerByte(s, 0x30);
    answerByte(s, 0x6e);
  } else if (what === 6) { // CPR
    answerByte(s, 0x1b);
    answerByte(s, 0x5b);
    answerNumber(s, (s.originMode ? s.y - s.top : s.y) + 1);
    answerByte(s, 0x3b);
    answerNumber(s, s.x + 1);
    answerByte(s, 0x52);
  }
}

/** DA: a VT102, as Linux says. */
function deviceAttributes(s: Screen): void {
  answerByte(s, 0x1b);
  answerByte(s, 0x5b);
  answerByte(s, 0x3f);
  answerByte(s, 0x36);
  answerByte(s, 0x63);
}

function setMargins(s: Screen): void {
  const top = parameter(s, 0, 1);
  const bottom = parameter(s, 1, s.rows);
  if (top < bottom && bottom <= s.rows) {
    s.top = top - 1;
    s.bottom = bottom;
    screenMoveToOrigin(s, 0, 0);
  }
}

function clearTabs(s: Screen, what: u32): void {
  if (what === 0) store<u8>(s.tabStops + s.x, 0);
  else if (what === 3) memory.fill(s.tabStops, 0, s.columns);
}

/** How many lines `L`, `M` may move: only inside the margins. */
function insideMargins(s: Screen): bool {
  return s.y >= s.top && s.y < s.bottom;
}

/** A move by rows stops at a margin when it starts inside (VT100 CUU, CUD). */
function moveRows(s: Screen, x: u32, by: i32): void {
  let y = <i32> s.y + by;
  if (by < 0 && s.y >= s.top && y < <i32> s.top) y = s.top;
  if (by > 0 && s.y < s.bottom && y >= <i32> s.bottom) y = <i32> s.bottom - 1;
  screenMoveTo(s, x, y);
}

/** Counts clamp to the screen so that sums do not wrap round. */
function count(s: Screen): i32 {
  const n = parameter(s, 0, 1);
  const most = s.columns * s.rows;
  return n < most ? n : most;
}

function runControl(s: Screen, final: u32): void {
  if (s.intermediate !== 0) return;
  if (final === 0x68 || final === 0x6c) { // h, l
    setMode(s, final === 0x68);
    return;
  }
  if (s.prefix !== 0) {
    if (s.prefix === 0x3f && final === 0x63) { // CSI ? n c: cursor size
      s.cursorShape = load<u32>(s.parameters) & 15;
      screenDirty(s, s.y, s.y + 1);
    }
    return;
  }
  const first = load<u32>(s.parameters);
  switch (final) {
    case 0x40: // @ ICH
      screenInsertCharacters(s, count(s));
      break;
    case 0x41: // A CUU
      moveRows(s, s.x, -count(s));
      break;
    case 0x42: // B CUD
    case 0x65: // e VPR
      moveRows(s, s.x, count(s));
      break;
    case 0x43: // C CUF
    case 0x61: // a HPR
      screenMoveTo(s, s.x + count(s), s.y);
      break;
    case 0x44: // D CUB
      screenMoveTo(s, <i32> s.x - count(s), s.y);
      break;
    case 0x45: // E CNL
      moveRows(s, 0, count(s));
      break;
    case 0x46: // F CPL
      moveRows(s, 0, -count(s));
      break;
    case 0x47: // G CHA
    case 0x60: // ` HPA
      screenMoveTo(s, count(s) - 1, s.y);
      break;
    case 0x48: // H CUP
    case 0x66: // f HVP
      screenMoveToOrigin(s, parameter(s, 1, 1) - 1, parameter(s, 0, 1) - 1);
      break;
    case 0x49: // I CHT
      for (let n = count(s); n > 0 && s.x < s.columns - 1; n--) screenTab(s);
      break;
    case 0x4a: // J ED
      eraseInDisplay(s, first);
      break;
    case 0x4b: // K EL
      eraseInLine(s, first);
      break;
    case 0x4c: // L IL
      if (insideMargins(s)) screenScrollDown(s, s.y, s.bottom, count(s));
      s.x = 0;
      s.wrapPending = false;
      break;
    case 0x4d: // M DL
      if (insideMargins(s)) screenScrollUp(s, s.y, s.bottom, count(s));
      s.x = 0;
      s.wrapPending = false;
      break;
    case 0x50: // P DCH
      screenDeleteCharacters(s, count(s));
      break;
    case 0x53: // S SU
      screenScrollUp(s, s.top, s.bottom, count(s));
      break;
    case 0x54: // T SD
      screenScrollDown(s, s.top, s.bottom, count(s));
      break;
    case 0x58: { // X ECH
      const n: u32 = count(s);
      screenErase(s, s.x, s.y, n < s.columns - s.x ? n : s.columns - s.x);
      s.wrapPending = false;
      break;
    }
    case 0x5a: // Z CBT
      for (let n = count(s); n > 0 && s.x > 0; n--) screenBackTab(s);
      break;
    case 0x62: // b REP
      for (let n = count(s); n > 0; n--) screenPut(s, s.lastCharacter);
      break;
    case 0x63: // c DA
      if (first === 0) deviceAttributes(s);
      break;
    case 0x64: // d VPA
      screenMoveToOrigin(s, s.x, count(s) - 1);
      break;
    case 0x67: // g TBC
      clearTabs(s, first);
      break;
    case 0x6d: // m SGR
      selectRendition(s);
      break;
    case 0x6e: // n DSR
      report(s, first);
      break;
    case 0x72: // r DECSTBM
      setMargins(s);
      break;
    case 0x73: // s
      screenSave(s);
      break;
    case 0x75: // u
      screenRestore(s);
      break;
    default:
      break;
  }
}

function runEscape(s: Screen, byte: u32): void {
  s.state = GROUND;
  switch (byte) {
    case 0x5b: // [ CSI
      s.state = CONTROL;
      s.parameterCount = 1;
      s.prefix = 0;
      s.intermediate = 0;
      memory.fill(s.parameters, 0, MAX_PARAMETERS * 4);
      break;
    case 0x5d: // ] OSC
      s.state = COMMAND;
      break;
    case 0x50: // P DCS
    case 0x58: // X SOS
    case 0x5e: // ^ PM
    case 0x5f: // _ APC
      s.state = STRING;
      break;
    case 0x28: // ( G0
    case 0x29: // ) G1
    case 0x2a:
    case 0x2b:
    case 0x23: // # DEC line sizes and test
    case 0x25: // % UTF-8
      s.intermediate = byte;
      s.state = DESIGNATE;
      break;
    case 0x44: // D IND
      screenLineFeed(s);
      break;
    case 0x45: // E NEL
      s.x = 0;
      screenLineFeed(s);
      break;
    case 0x48: // H HTS
      store<u8>(s.tabStops + s.x, 1);
      break;
    case 0x4d: // M RI
      screenReverseLineFeed(s);
      break;
    case 0x5a: // Z DECID
      deviceAttributes(s);
      break;
    case 0x37: // 7 DECSC
      screenSave(s);
      break;
    case 0x38: // 8 DECRC
      screenRestore(s);
      break;
    case 0x3d: // = DECPAM
      s.applicationKeypad = true;
      break;
    case 0x3e: // > DECPNM
      s.applicationKeypad = false;
      break;
    case 0x63: // c RIS
      screenReset(s);
      break;
    default:
      break;
  }
}

function designate(s: Screen, byte: u32): void {
  s.state = GROUND;
  const graphics: u32 = byte === 0x30 ? 1 : 0; // 0: DEC special graphics; B, U, K: text
  if (s.intermediate === 0x28) s.charset0 = graphics;
  else if (s.intermediate === 0x29) s.charset1 = graphics;
  else if (s.intermediate === 0x25) s.utf8 = byte === 0x47 || byte === 0x38; // G, 8; @ is Latin-1
  else if (s.intermediate === 0x23 && byte === 0x38) { // DECALN
    const cell: u32 = 0x45 | (s.attribute << 8);
    for (let i: u32 = 0; i < s.columns * s.rows; i++) {
      store<u16>(s.cells + (i << 1), <u16> cell);
    }
    screenDirty(s, 0, s.rows);
  }
}

function controlSequence(s: Screen, byte: u32): void {
  if (byte >= 0x30 && byte <= 0x39) {
    const at = s.parameters + ((s.parameterCount - 1) << 2);
    const value = load<u32>(at) * 10 + (byte - 0x30);
    store<u32>(at, value < 32768 ? value : 32767);
  } else if (byte === 0x3b || byte === 0x3a) {
    // Beyond the last, values pile up in a slot that nothing reads twice (Linux drops them, too).
    if (s.parameterCount < MAX_PARAMETERS) s.parameterCount++;
  } else if (byte >= 0x3c && byte <= 0x3f) s.prefix = byte;
  else if (byte >= 0x20 && byte <= 0x2f) s.intermediate = byte;
  else if (byte >= 0x40 && byte <= 0x7e) {
    s.state = GROUND;
    runControl(s, byte);
  }
}

/** C0 controls act in the middle of a sequence, too (ECMA-48 §5.5 leaves it open, VT100 does so). */
function controlCharacter(s: Screen, byte: u32): void {
  switch (byte) {
    case 0x07: // BEL
      s.bells++;
      break;
    case 0x08: // BS
      if (s.x > 0 && !s.wrapPending) s.x--;
      s.wrapPending = false;
      break;
    case 0x09: // HT
      screenTab(s);
      break;
    case 0x0a: // LF
    case 0x0b: // VT
    case 0x0c: // FF
      screenLineFeed(s);
      if (s.newLineMode) s.x = 0;
      break;
    case 0x0d: // CR
      s.x = 0;
      s.wrapPending = false;
      break;
    case 0x0e: // SO
      s.shiftedOut = true;
      break;
    case 0x0f: // SI
      s.shiftedOut = false;
      break;
    case 0x18: // CAN
    case 0x1a: // SUB
      s.state = GROUND;
      break;
    case 0x1b: // ESC
      s.state = ESCAPE;
      s.utf8Left = 0;
      break;
    default:
      break;
  }
}

/** Marks that stand on the character before: no cell of their own. */
function isCombining(code: u32): bool {
  return (code >= 0x300 && code < 0x370) || (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x20d0 && code < 0x2100) || (code >= 0xfe00 && code < 0xfe10) || code === 0xfeff;
}

/** East Asian wide and emoji ranges take two columns (Unicode TR 11, in outline). */
function isWide(code: u32): bool {
  return (code >= 0x1100 && code < 0x1160) || (code >= 0x2e80 && code < 0xa4d0) ||
    (code >= 0xac00 && code < 0xd7a4) || (code >= 0xf900 && code < 0xfb00) ||
    (code >= 0xfe30 && code < 0xfe70) || (code >= 0xff00 && code < 0xff61) ||
    (code >= 0x1f300 && code < 0x1fb00) || (code >= 0x20000 && code < 0x40000);
}

function putCodePoint(s: Screen, code: u32): void {
  if (code >= 0x80 && code < 0xa0) return; // C1 controls as UTF-8: no effect
  if (isCombining(code)) return;
  const set = s.shiftedOut ? s.charset1 : s.charset0;
  const glyph = set === 1 && code >= 0x60 && code < 0x7f ? graphicsCp437(code) : toCp437(code);
  screenPut(s, glyph);
  if (isWide(code)) screenPut(s, 0x20);
  s.lastCharacter = glyph;
}

/** Text in the ground state: collects UTF-8 (RFC 3629; what is malformed shows as U+FFFD). */
function text(s: Screen, byte: u32): void {
  if (!s.utf8) {
    putCodePoint(s, byte);
    return;
  }
  if (s.utf8Left > 0) {
    if ((byte & 0xc0) === 0x80) {
      s.utf8Code = (s.utf8Code << 6) | (byte & 0x3f);
      if (--s.utf8Left === 0) {
        const code = s.utf8Code;
        const bad = code < s.utf8Minimum || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff;
        putCodePoint(s, bad ? 0xfffd : code);
      }
      return;
    }
    s.utf8Left = 0;
    putCodePoint(s, 0xfffd);
  }
  if (byte < 0x80) putCodePoint(s, byte);
  else if (byte >= 0xc2 && byte < 0xe0) {
    s.utf8Left = 1;
    s.utf8Code = byte & 0x1f;
    s.utf8Minimum = 0x80;
  } else if (byte >= 0xe0 && byte < 0xf0) {
    s.utf8Left = 2;
    s.utf8Code = byte & 0x0f;
    s.utf8Minimum = 0x800;
  } else if (byte >= 0xf0 && byte < 0xf5) {
    s.utf8Left = 3;
    s.utf8Code = byte & 0x07;
    s.utf8Minimum = 0x10000;
  } else putCodePoint(s, 0xfffd);
}

/** Takes one byte of output. */
export function ansiByte(s: Screen, byte: u32): void {
  if (s.state >= COMMAND) {
    stringByte(s, byte);
    return;
  }
  if (byte < 0x20) {
    if (s.utf8Left > 0) {
      s.utf8Left = 0;
      putCodePoint(s, 0xfffd);
    }
    controlCharacter(s, byte);
    return;
  }
  if (byte === 0x7f) return;
  if (s.state === GROUND) text(s, byte);
  else if (s.state === CONTROL) controlSequence(s, byte);
  else if (s.state === ESCAPE) runEscape(s, byte);
  else designate(s, byte);
}

function stringByte(s: Screen, byte: u32): void {
  if (byte === 0x18 || byte === 0x1a) s.state = GROUND;
  else if (byte === 0x1b) s.state = STRING_ESCAPE;
  else if (s.state === STRING_ESCAPE) {
    s.state = GROUND; // ST is ESC \; any other ESC ends the string and starts anew
    if (byte !== 0x5c) runEscape(s, byte);
  } else if (byte === 0x07) s.state = GROUND;
  else if (s.state === COMMAND) {
    if (byte === 0x52) s.state = GROUND; // ESC ] R: reset palette
    else if (byte === 0x50) { // ESC ] P nrrggbb: set palette
      s.state = PALETTE;
      s.stringLeft = 7;
    } else s.state = STRING;
  } else if (s.state === PALETTE && --s.stringLeft === 0) s.state = GROUND;
}

/** Takes `length` bytes of output. */
export function ansiWrite(s: Screen, data: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) ansiByte(s, load<u8>(data + i));
}
