/**
 * free: memory in KiB (-m: MiB), by /proc/meminfo.
 *
 * @module
 */
import { bytesNew, bytesString } from "../lib/bytes.ts";
import { readAll } from "../lib/files.ts";
import { complain, finish, out, outLine, outNumberPadded } from "../lib/output.ts";
import { has, readOptions } from "../lib/options.ts";
import { at, findText, isDigit, length, parseNumber } from "../lib/string.ts";
import { O_RDONLY, open } from "../lib/system.ts";

let table: usize = 0;

export function main(argc: i32, argv: usize): i32 {
  readOptions(argc, argv, c`km`, c`free [-km]`);
  const fd = open(c`/proc/meminfo`, O_RDONLY);
  if (fd < 0) return complain(c`free`, c`/proc/meminfo`, fd);
  const text = bytesNew();
  readAll(fd, text);
  table = bytesString(text);
  const total = value(c`MemTotal:`);
  const free = value(c`MemFree:`);
  const cached = value(c`Buffers:`) + value(c`\nCached:`);
  out(c`               total        used        free  buff/cache   available\nMem:    `);
  number(total);
  number(total - free - cached);
  number(free);
  number(cached);
  number(value(c`MemAvailable:`));
  outLine();
  out(c`Swap:   `);
  number(value(c`SwapTotal:`));
  number(value(c`SwapTotal:`) - value(c`SwapFree:`));
  number(value(c`SwapFree:`));
  outLine();
  return finish(c`free`, 0);
}

/** A line's value in KiB, 0 without such a line. */
function value(name: usize): u32 {
  const line = findText(table, name);
  if (line === 0) return 0;
  let digits = line + length(name);
  while (at(digits) !== 0 && !isDigit(at(digits))) digits++;
  return parseNumber(digits);
}

function number(kib: u32): void {
  outNumberPadded(has(0x6d) ? kib >> 10 : kib, 12);
}
