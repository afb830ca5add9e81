/**
 * df: space on the mounted file systems, in KiB.
 *
 * @module
 */
import { freeReader, lineReader, nextLine } from "../lib/files.ts";
import { bytesString } from "../lib/bytes.ts";
import {
  complain,
  finish,
  out,
  outByte,
  outLine,
  outNumberPadded,
  outPadded,
} from "../lib/output.ts";
import { readOptions } from "../lib/options.ts";
import { find } from "../lib/string.ts";
import { O_RDONLY, open, statfs } from "../lib/system.ts";

const BUFFER = memory.data(96, 8);

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`k`, c`df [file]...`);
  out(c`Filesystem           1K-blocks       Used  Available Use% Mounted on\n`);
  if (first < argc) {
    let status = 0;
    for (let index = first; index < argc; index++) {
      const path = load<usize>(argv + (index << 2));
      if (!print(c`-`, path, true)) status = 1;
    }
    return finish(c`df`, status);
  }
  const fd = open(c`/proc/mounts`, O_RDONLY);
  if (fd < 0) return complain(c`df`, c`/proc/mounts`, fd);
  const reader = lineReader(fd);
  while (nextLine(reader)) {
    const source = bytesString(reader.line);
    const blank = find(source, 0x20);
    if (blank === 0) continue;
    store<u8>(blank, 0);
    const target = blank + 1;
    const end = find(target, 0x20);
    if (end !== 0) store<u8>(end, 0);
    print(source, target, false);
  }
  freeReader(reader);
  return finish(c`df`, 0);
}

/** One row; file systems without blocks only when asked for. */
function print(source: usize, target: usize, asked: bool): bool {
  const error = statfs(target, BUFFER);
  if (error < 0) {
    complain(c`df`, target, error);
    return false;
  }
  // struct statfs64: f_type, f_bsize, f_blocks, f_bfree, f_bavail.
  const unit: u64 = load<u32>(BUFFER, 4);
  const blocks = load<u64>(BUFFER, 8);
  const free = load<u64>(BUFFER, 16);
  const available = load<u64>(BUFFER, 24);
  if (blocks === 0 && !asked) return true;
  const used = blocks - free;
  outPadded(source, -20);
  column((blocks * unit) >> 10);
  column((used * unit) >> 10);
  column((available * unit) >> 10);
  const whole = used + available;
  outNumberPadded(whole === 0 ? 0 : (used * 100 + whole - 1) / whole, 4);
  out(c`% `);
  out(target);
  outLine();
  return true;
}

function column(value: u64): void {
  outByte(0x20);
  outNumberPadded(value, 10);
}
