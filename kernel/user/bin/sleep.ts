/**
 * sleep: waits for a number of seconds, which may have a fraction.
 *
 * @module
 */
import { usage } from "../lib/output.ts";
import { at, isDigit, parseNumber } from "../lib/string.ts";
import { sleep } from "../lib/system.ts";

export function main(argc: i32, argv: usize): i32 {
  if (argc !== 2) return usage(c`sleep seconds`);
  let text = load<usize>(argv, 4);
  if (!isDigit(at(text)) && at(text) !== 0x2e) return usage(c`sleep seconds`);
  const seconds = parseNumber(text);
  while (isDigit(at(text))) text++;
  let nanoseconds: u32 = 0;
  if (at(text) === 0x2e) {
    let unit: u32 = 100000000;
    for (text++; isDigit(at(text)); text++) {
      nanoseconds += (at(text) - 0x30) * unit;
      unit /= 10;
    }
  }
  if (at(text) !== 0) return usage(c`sleep seconds`);
  return sleep(seconds, nanoseconds) < 0 ? 1 : 0;
}
