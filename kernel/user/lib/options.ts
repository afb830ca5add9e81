/**
 * Command-line options by the POSIX Utility Syntax Guidelines: `-ab -n VALUE --`.
 *
 * @module
 */
import { err, usage } from "./output.ts";
import { at, find } from "./string.ts";
import { exit } from "./system.ts";

/** Values by letter: 0 absent, 1 present, else the address of the option's argument. */
const VALUES = memory.data(128 * 4, 4);

/**
 * Reads the options; a wrong one prints the usage and ends the program with 2.
 *
 * @param allowed the letters; one that takes a value is followed by `:`
 * @returns the index of the first operand
 */
export function readOptions(argc: i32, argv: usize, allowed: usize, usageText: usize): i32 {
  let index = 1;
  for (; index < argc; index++) {
    const word = load<usize>(argv + (index << 2));
    if (at(word) !== 0x2d || at(word, 1) === 0) break;
    if (at(word, 1) === 0x2d) {
      if (at(word, 2) !== 0) {
        err(c`options are single letters\n`);
        exit(usage(usageText));
      }
      index++;
      break;
    }
    for (let letter = word + 1; at(letter) !== 0; letter++) {
      const known = at(letter) === 0x3a || at(letter) > 127 ? 0 : find(allowed, at(letter));
      if (known === 0) exit(usage(usageText));
      const slot = VALUES + (at(letter) << 2);
      store<usize>(slot, 1);
      if (at(known, 1) !== 0x3a) continue;
      if (at(letter, 1) !== 0) {
        store<usize>(slot, letter + 1);
      } else {
        if (index + 1 >= argc) exit(usage(usageText));
        store<usize>(slot, load<usize>(argv + (++index << 2)));
      }
      break;
    }
  }
  return index;
}

/** Whether the option was given. */
export function has(letter: u32): bool {
  return load<usize>(VALUES + (letter << 2)) !== 0;
}

/** The option's value, or `absent`. */
export function valueOfOption(letter: u32, absent: usize = 0): usize {
  const value = load<usize>(VALUES + (letter << 2));
  return value === 0 ? absent : value;
}

/** The word at `index` of an argument vector. */
export function word(argv: usize, index: i32): usize {
  return load<usize>(argv + (index << 2));
}
