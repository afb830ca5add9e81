/**
 * A text screen for people: as plain text, and for a terminal with colours and cursor.
 *
 * @module
 */
import type { TextScreen } from "./vga.ts";

/** Code page 437, the font of the card, from 80h on; below 20h its pictures. */
const PICTURES = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const UPPER =
  "⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

function glyph(code: number): string {
  if (code < 0x20) return PICTURES[code];
  return code < 0x7f ? String.fromCharCode(code) : UPPER[code - 0x7f];
}

function row(screen: TextScreen, index: number): string {
  const cells = screen.characters.subarray(index * screen.columns, (index + 1) * screen.columns);
  return Array.from(cells, glyph).join("");
}

/** The screen as lines without trailing blanks, joined by newlines. */
export function screenText(screen: TextScreen): string {
  const lines: string[] = [];
  for (let i = 0; i < screen.rows; i++) lines.push(row(screen, i).trimEnd());
  return lines.join("\n").trimEnd();
}

function colour(rgb: number, background: boolean): string {
  return `${background ? 48 : 38};2;${rgb >> 16};${(rgb >> 8) & 0xff};${rgb & 0xff}`;
}

/** The screen as ECMA-48 control sequences that paint it from the terminal's top left corner. */
export function screenEscapes(screen: TextScreen): string {
  let text = "\x1b[H";
  for (let y = 0; y < screen.rows; y++) {
    let attribute = -1;
    for (let x = 0; x < screen.columns; x++) {
      const at = y * screen.columns + x;
      if (screen.attributes[at] !== attribute) {
        attribute = screen.attributes[at];
        const foreground = colour(screen.palette[attribute & 15], false);
        text += `\x1b[0;${foreground};${colour(screen.palette[(attribute >> 4) & 7], true)}m`;
      }
      text += glyph(screen.characters[at]);
    }
    text += y + 1 < screen.rows ? "\x1b[0m\r\n" : "\x1b[0m";
  }
  const { cursor } = screen;
  return text +
    (cursor === undefined ? "\x1b[?25l" : `\x1b[${cursor.row + 1};${cursor.column + 1}H\x1b[?25h`);
}
