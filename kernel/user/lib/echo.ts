/**
 * echo, for the command and for the shell's builtin.
 *
 * @module
 */
import { out, outByte, outLine } from "./output.ts";
import { at, SPACE } from "./string.ts";

const BACKSLASH: u32 = 0x5c;

/** Writes the arguments from argv[1] on, parted by blanks. */
export function echo(argc: i32, argv: usize): void {
  let newline = true;
  let escapes = false;
  let index = 1;
  for (; index < argc; index++) {
    const word = load<usize>(argv + (index << 2));
    if (!isOption(word)) break;
    for (let letter = word + 1; at(letter) !== 0; letter++) {
      if (at(letter) === 0x6e) newline = false;
      else escapes = at(letter) === 0x65;
    }
  }
  const first = index;
  for (; index < argc; index++) {
    if (index > first) outByte(SPACE);
    const word = load<usize>(argv + (index << 2));
    if (!escapes) out(word);
    else if (!outEscaped(word)) return;
  }
  if (newline) outLine();
}

function isOption(word: usize): bool {
  if (at(word) !== 0x2d || at(word, 1) === 0) return false;
  for (let letter = word + 1; at(letter) !== 0; letter++) {
    const byte = at(letter);
    if (byte !== 0x6e && byte !== 0x65 && byte !== 0x45) return false;
  }
  return true;
}

/** Writes text with \n, \t, \0ooo… read; false after \c, which ends the output. */
export function outEscaped(text: usize): bool {
  for (; at(text) !== 0; text++) {
    if (at(text) !== BACKSLASH || at(text, 1) === 0) {
      outByte(at(text));
      continue;
    }
    text++;
    switch (at(text)) {
      case 0x61: // a
        outByte(7);
        break;
      case 0x62: // b
        outByte(8);
        break;
      case 0x63: // c
        return false;
      case 0x65: // e
        outByte(27);
        break;
      case 0x66: // f
        outByte(12);
        break;
      case 0x6e: // n
        outByte(10);
        break;
      case 0x72: // r
        outByte(13);
        break;
      case 0x74: // t
        outByte(9);
        break;
      case 0x76: // v
        outByte(11);
        break;
      case BACKSLASH:
        outByte(BACKSLASH);
        break;
      case 0x30: { // 0ooo
        let value: u32 = 0;
        for (let digits = 0; digits < 3 && at(text, 1) >= 0x30 && at(text, 1) <= 0x37; digits++) {
          value = value * 8 + at(++text) - 0x30;
        }
        outByte(value & 0xff);
        break;
      }
      default:
        outByte(BACKSLASH);
        outByte(at(text));
    }
  }
  return true;
}
