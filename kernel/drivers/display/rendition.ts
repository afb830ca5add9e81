/**
 * Select graphic rendition, `CSI … m` (ECMA-48 §8.3.117, console_codes(4)).
 *
 * @module
 */
import { Screen, screenAttribute, screenDefaultRendition } from "./screen.ts";

/** ANSI's colour order (red is bit 0) to the VGA's (blue is bit 0). */
function vgaColour(ansi: u32): u32 {
  return (ansi & 0xa) | ((ansi & 1) << 2) | ((ansi >> 2) & 1);
}

/** The nearest of sixteen colours, the way Linux's console rounds (drivers' rgb_foreground). */
function fromRgb(red: u32, green: u32, blue: u32): u32 {
  let most = red > green ? red : green;
  if (blue > most) most = blue;
  let hue: u32 = 0;
  if (red > most / 2) hue |= 4;
  if (green > most / 2) hue |= 2;
  if (blue > most / 2) hue |= 1;
  if (hue === 7 && most <= 0x55) return 8;
  if (most > 0xaa) hue |= 8;
  return hue;
}

/** A colour of the 256-colour table (xterm: 16 named, a 6×6×6 cube, 24 greys). */
function fromIndex(n: u32): u32 {
  if (n < 16) return vgaColour(n);
  if (n < 232) {
    const i = n - 16;
    return fromRgb(i / 36 * 255 / 5, i / 6 % 6 * 255 / 5, i % 6 * 255 / 5);
  }
  const grey = n < 256 ? (n - 232) * 10 + 8 : 255;
  return fromRgb(grey, grey, grey);
}

function value(s: Screen, i: u32): u32 {
  return i < s.parameterCount ? load<u32>(s.parameters + (i << 2)) : 0;
}

/** Applies the parameters collected in the screen. */
export function selectRendition(s: Screen): void {
  for (let i: u32 = 0; i < s.parameterCount; i++) {
    const p = value(s, i);
    if (p >= 30 && p <= 37) s.foreground = vgaColour(p - 30);
    else if (p >= 40 && p <= 47) s.background = vgaColour(p - 40);
    else if (p >= 90 && p <= 97) s.foreground = vgaColour(p - 90) | 8;
    else if (p >= 100 && p <= 107) s.background = vgaColour(p - 100);
    else if (p === 38 || p === 48) {
      let colour: u32 = 0;
      if (value(s, i + 1) === 5) {
        colour = fromIndex(value(s, i + 2));
        i += 2;
      } else if (value(s, i + 1) === 2) {
        colour = fromRgb(value(s, i + 2) & 255, value(s, i + 3) & 255, value(s, i + 4) & 255);
        i += 4;
      } else break;
      if (p === 38) s.foreground = colour;
      else s.background = colour & 7;
    } else selectOne(s, p);
  }
  screenAttribute(s);
}

function selectOne(s: Screen, p: u32): void {
  switch (p) {
    case 0:
      screenDefaultRendition(s);
      break;
    case 1:
      s.bold = true;
      s.half = false;
      break;
    case 2:
      s.half = true;
      s.bold = false;
      break;
    case 4:
    case 21:
      s.underline = true;
      break;
    case 5:
    case 6:
      s.blink = true;
      break;
    case 7:
      s.reverse = true;
      break;
    case 22:
      s.bold = false;
      s.half = false;
      break;
    case 24:
      s.underline = false;
      break;
    case 25:
      s.blink = false;
      break;
    case 27:
      s.reverse = false;
      break;
    case 39:
      s.foreground = 7;
      break;
    case 49:
      s.background = 0;
      break;
    default: // 10–12 choose fonts, of which there is one
      break;
  }
}
