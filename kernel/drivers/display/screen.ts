/**
 * A text screen in memory: cells, cursor, margins, attributes, and the editing functions of ECMA-48
 * on them. Nothing here knows the VGA; whoever shows the screen copies the rows marked dirty.
 *
 * A cell is as the VGA's text memory has it: the character in the low byte, the attribute in the
 * high one (blink or bright background, background, bright, foreground).
 *
 * @module
 */

/** Most parameters of one control sequence; Linux keeps as many. */
export const MAX_PARAMETERS: u32 = 16;
/** Room for what the terminal answers to status reports. */
export const REPLY_SIZE: u32 = 64;

/** State of one terminal screen; made by `screenInit`. */
/*@unmanaged*/
export class Screen {
  cells: usize;
  /** The other buffer of `CSI ? 1049 h`; the main cells wait here while it is shown. */
  otherCells: usize;
  alternate: bool;
  columns: u32;
  rows: u32;
  x: u32;
  y: u32;
  /** The cursor stands behind the last column: the next character wraps first. */
  wrapPending: bool;
  /** First and last-plus-one row of the scrolling region. */
  top: u32;
  bottom: u32;
  /** First and last-plus-one row to be shown again; equal when none. */
  dirtyFirst: u32;
  dirtyEnd: u32;

  foreground: u32;
  background: u32;
  bold: bool;
  half: bool;
  underline: bool;
  blink: bool;
  reverse: bool;
  attribute: u32;

  savedX: u32;
  savedY: u32;
  savedAttributes: u32;
  savedColours: u32;
  savedCharsets: u32;
  alternateX: u32;
  alternateY: u32;

  autowrap: bool;
  originMode: bool;
  insertMode: bool;
  newLineMode: bool;
  cursorVisible: bool;
  /** 0 default, else Linux's `CSI ? n c` size, 1 (none) to 6 (block). */
  cursorShape: u32;
  applicationCursor: bool;
  applicationKeypad: bool;
  reverseScreen: bool;
  bracketedPaste: bool;

  /** Character sets G0 and G1: 0 is text, 1 is DEC graphics; which of them is shifted in. */
  charset0: u32;
  charset1: u32;
  shiftedOut: bool;
  utf8: bool;
  utf8Left: u32;
  utf8Code: u32;
  utf8Minimum: u32;
  lastCharacter: u32;

  state: u32;
  parameters: usize;
  parameterCount: u32;
  /** `?`, `>`, `<`, `=` after CSI, or 0. */
  prefix: u32;
  /** An intermediate byte 0x20–0x2F was seen. */
  intermediate: u32;
  stringLeft: u32;

  tabStops: usize;
  reply: usize;
  replyLength: u32;
  /** Bells rung since somebody looked. */
  bells: u32;
}

/** Recomputes the attribute byte from the rendition. */
export function screenAttribute(s: Screen): void {
  let foreground = s.foreground;
  let background = s.background;
  // A colour VGA has no underline and no half intensity; Linux shows them as cyan and dark grey.
  if (s.underline) foreground = 3;
  else if (s.half) foreground = 8;
  if (s.bold) foreground |= 8;
  if (s.reverse !== s.reverseScreen) {
    const swap = foreground;
    foreground = background | (swap & 8);
    background = swap & 7;
  }
  s.attribute = (foreground & 15) | ((background & 7) << 4) | (s.blink ? 0x80 : 0);
}

/** Default rendition: light grey on black. */
export function screenDefaultRendition(s: Screen): void {
  s.foreground = 7;
  s.background = 0;
  s.bold = false;
  s.half = false;
  s.underline = false;
  s.blink = false;
  s.reverse = false;
  screenAttribute(s);
}

/** Marks rows for showing. */
export function screenDirty(s: Screen, first: u32, end: u32): void {
  if (s.dirtyFirst === s.dirtyEnd) {
    s.dirtyFirst = first;
    s.dirtyEnd = end;
    return;
  }
  if (first < s.dirtyFirst) s.dirtyFirst = first;
  if (end > s.dirtyEnd) s.dirtyEnd = end;
}

/** Blanks `count` cells from (x, y) in the present background; the count may run over rows. */
export function screenErase(s: Screen, x: u32, y: u32, count: u32): void {
  if (count === 0) return;
  const first = y * s.columns + x;
  const blank: u32 = 0x20 | (s.attribute << 8);
  let at = s.cells + (first << 1);
  for (let i: u32 = 0; i < count; i++, at += 2) store<u16>(at, <u16> blank);
  screenDirty(s, y, (first + count - 1) / s.columns + 1);
}

/** Moves rows `top`…`bottom`-1 up by `count`, blanking below. */
export function screenScrollUp(s: Screen, top: u32, bottom: u32, count: u32): void {
  if (top >= bottom) return;
  const height = bottom - top;
  const lines = count < height ? count : height;
  const row = s.columns << 1;
  memory.copy(s.cells + top * row, s.cells + (top + lines) * row, (height - lines) * row);
  screenErase(s, 0, bottom - lines, lines * s.columns);
  screenDirty(s, top, bottom);
}

/** Moves rows `top`…`bottom`-1 down by `count`, blanking above. */
export function screenScrollDown(s: Screen, top: u32, bottom: u32, count: u32): void {
  if (top >= bottom) return;
  const height = bottom - top;
  const lines = count < height ? count : height;
  const row = s.columns << 1;
  memory.copy(s.cells + (top + lines) * row, s.cells + top * row, (height - lines) * row);
  screenErase(s, 0, top, lines * s.columns);
  screenDirty(s, top, bottom);
}

/** Cursor to (x, y), clamped to the screen, or to the margins in origin mode (VT100 DECOM). */
export function screenMoveTo(s: Screen, x: i32, y: i32): void {
  let low: i32 = 0;
  let high: i32 = s.rows;
  if (s.originMode) {
    low = s.top;
    high = s.bottom;
  }
  s.x = x < 0 ? 0 : x >= <i32> s.columns ? s.columns - 1 : x;
  s.y = y < low ? low : y >= high ? high - 1 : y;
  s.wrapPending = false;
}

/** Like `screenMoveTo`, with y counted from the top margin in origin mode. */
export function screenMoveToOrigin(s: Screen, x: i32, y: i32): void {
  screenMoveTo(s, x, s.originMode ? <i32> s.top + y : y);
}

/** Down one row, scrolling at the bottom margin (LF, IND). */
export function screenLineFeed(s: Screen): void {
  if (s.y + 1 === s.bottom) screenScrollUp(s, s.top, s.bottom, 1);
  else if (s.y + 1 < s.rows) s.y++;
  s.wrapPending = false;
}

/** Up one row, scrolling at the top margin (RI). */
export function screenReverseLineFeed(s: Screen): void {
  if (s.y === s.top) screenScrollDown(s, s.top, s.bottom, 1);
  else if (s.y > 0) s.y--;
  s.wrapPending = false;
}

/** To the next tab stop, or the last column. */
export function screenTab(s: Screen): void {
  while (s.x < s.columns - 1) {
    s.x++;
    if (load<u8>(s.tabStops + s.x)) break;
  }
  s.wrapPending = false;
}

/** To the previous tab stop, or the first column. */
export function screenBackTab(s: Screen): void {
  while (s.x > 0) {
    s.x--;
    if (load<u8>(s.tabStops + s.x)) break;
  }
  s.wrapPending = false;
}

/** Makes room for `count` blanks at the cursor (ICH). */
export function screenInsertCharacters(s: Screen, count: u32): void {
  const room = s.columns - s.x;
  const n = count < room ? count : room;
  const at = s.cells + ((s.y * s.columns + s.x) << 1);
  memory.copy(at + (n << 1), at, (room - n) << 1);
  screenErase(s, s.x, s.y, n);
  s.wrapPending = false;
}

/** Takes `count` cells out at the cursor (DCH). */
export function screenDeleteCharacters(s: Screen, count: u32): void {
  const room = s.columns - s.x;
  const n = count < room ? count : room;
  const at = s.cells + ((s.y * s.columns + s.x) << 1);
  memory.copy(at, at + (n << 1), (room - n) << 1);
  screenErase(s, s.columns - n, s.y, n);
  s.wrapPending = false;
}

/** Puts a glyph at the cursor and moves on. */
export function screenPut(s: Screen, glyph: u32): void {
  if (s.wrapPending && s.autowrap) {
    s.x = 0;
    screenLineFeed(s);
  }
  if (s.insertMode) screenInsertCharacters(s, 1);
  const cell: u32 = (glyph & 0xff) | (s.attribute << 8);
  store<u16>(s.cells + ((s.y * s.columns + s.x) << 1), <u16> cell);
  screenDirty(s, s.y, s.y + 1);
  if (s.x + 1 < s.columns) {
    s.x++;
    s.wrapPending = false;
  } else s.wrapPending = s.autowrap;
}

/** Remembers cursor, rendition and character sets (DECSC). */
export function screenSave(s: Screen): void {
  s.savedX = s.x;
  s.savedY = s.y;
  s.savedColours = s.foreground | (s.background << 8);
  s.savedAttributes = (s.bold ? 1 : 0) | (s.half ? 2 : 0) | (s.underline ? 4 : 0) |
    (s.blink ? 8 : 0) | (s.reverse ? 16 : 0);
  s.savedCharsets = s.charset0 | (s.charset1 << 1) | (s.shiftedOut ? 4 : 0);
}

/** Takes up what `screenSave` kept (DECRC). */
export function screenRestore(s: Screen): void {
  s.x = s.savedX < s.columns ? s.savedX : s.columns - 1;
  s.y = s.savedY < s.rows ? s.savedY : s.rows - 1;
  s.wrapPending = false;
  s.foreground = s.savedColours & 0xff;
  s.background = s.savedColours >> 8;
  s.bold = (s.savedAttributes & 1) !== 0;
  s.half = (s.savedAttributes & 2) !== 0;
  s.underline = (s.savedAttributes & 4) !== 0;
  s.blink = (s.savedAttributes & 8) !== 0;
  s.reverse = (s.savedAttributes & 16) !== 0;
  s.charset0 = s.savedCharsets & 1;
  s.charset1 = (s.savedCharsets >> 1) & 1;
  s.shiftedOut = (s.savedCharsets & 4) !== 0;
  screenAttribute(s);
}

/** Shows the alternate buffer, blank, or the main one as it was (xterm 1049). */
export function screenAlternate(s: Screen, on: bool): void {
  if (on === s.alternate) return;
  if (on) {
    s.alternateX = s.x;
    s.alternateY = s.y;
  }
  const swap = s.cells;
  s.cells = s.otherCells;
  s.otherCells = swap;
  s.alternate = on;
  if (on) screenErase(s, 0, 0, s.columns * s.rows);
  else screenMoveTo(s, s.alternateX, s.alternateY);
  screenDirty(s, 0, s.rows);
}

/** Power-on state (RIS): everything default, the screen blank. */
export function screenReset(s: Screen): void {
  if (s.alternate) screenAlternate(s, false);
  s.top = 0;
  s.bottom = s.rows;
  s.x = 0;
  s.y = 0;
  s.wrapPending = false;
  s.autowrap = true;
  s.originMode = false;
  s.insertMode = false;
  s.newLineMode = false;
  s.cursorVisible = true;
  s.cursorShape = 0;
  s.applicationCursor = false;
  s.applicationKeypad = false;
  s.reverseScreen = false;
  s.bracketedPaste = false;
  s.charset0 = 0;
  s.charset1 = 1;
  s.shiftedOut = false;
  s.utf8 = true;
  s.utf8Left = 0;
  s.state = 0;
  s.lastCharacter = 0x20;
  for (let i: u32 = 0; i < s.columns; i++) {
    store<u8>(s.tabStops + i, i % 8 === 0 ? 1 : 0);
  }
  screenDefaultRendition(s);
  screenSave(s);
  screenErase(s, 0, 0, s.columns * s.rows);
}

/** Bytes of one buffer of cells for a screen of that size. */
export function screenBytes(columns: u32, rows: u32): u32 {
  return columns * rows * 2;
}

/** Bytes of `work` that `screenInit` asks for. */
export function screenWorkBytes(columns: u32): u32 {
  return MAX_PARAMETERS * 4 + REPLY_SIZE + columns;
}

/** Sets up a screen over two cell buffers of `screenBytes` and a work area of `screenWorkBytes`. */
export function screenInit(
  s: Screen,
  columns: u32,
  rows: u32,
  cells: usize,
  otherCells: usize,
  work: usize,
): void {
  s.columns = columns;
  s.rows = rows;
  s.cells = cells;
  s.otherCells = otherCells;
  s.alternate = false;
  s.parameters = work;
  s.reply = work + MAX_PARAMETERS * 4;
  s.tabStops = s.reply + REPLY_SIZE;
  s.replyLength = 0;
  s.bells = 0;
  s.dirtyFirst = 0;
  s.dirtyEnd = 0;
  screenReset(s);
}
