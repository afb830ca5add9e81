/**
 * ps: lists processes by /proc (-a or -e: all, -f: with their parents).
 *
 * @module
 */
import { bytesFree, bytesNew, bytesString } from "../lib/bytes.ts";
import { freeNames, nameAt, readDirectory, sortBy } from "../lib/directory.ts";
import { readAll } from "../lib/files.ts";
import { release } from "../lib/memory.ts";
import {
  complain,
  finish,
  out,
  outByte,
  outLine,
  outNumber,
  outNumberPadded,
} from "../lib/output.ts";
import { has, readOptions } from "../lib/options.ts";
import { at, findLast, isDigit, join, joinPath, parseNumber } from "../lib/string.ts";
import { close, O_RDONLY, open } from "../lib/system.ts";

/** Clock ticks of /proc/PID/stat a second (USER_HZ). */
const USER_HZ: u32 = 100;

export function main(argc: i32, argv: usize): i32 {
  readOptions(argc, argv, c`aefx`, c`ps [-aefx]`);
  const names = readDirectory(c`/proc`);
  if (names.error < 0) return complain(c`ps`, c`/proc`, names.error);
  sortBy(names.entries, names.count, (a: usize, b: usize): i32 => parseNumber(a) - parseNumber(b));
  out(
    has(0x66) ? c`  PID  PPID S TTY        TIME COMMAND\n` : c`  PID S TTY        TIME COMMAND\n`,
  );
  for (let index: u32 = 0; index < names.count; index++) {
    const name = nameAt(names, index);
    if (isDigit(at(name))) show(name);
  }
  freeNames(names);
  return finish(c`ps`, 0);
}

/** The text of a process's file, or null if the process is gone. */
function fileOf(pid: usize, file: usize): usize {
  const directory = join(c`/proc/`, pid);
  const path = joinPath(directory, file);
  release(directory);
  const fd = open(path, O_RDONLY);
  release(path);
  if (fd < 0) return 0;
  const text = bytesNew();
  readAll(fd, text);
  close(fd);
  // Arguments are parted by NULs.
  for (let index: u32 = 0; index + 1 < text.used; index++) {
    if (load<u8>(text.data + index) === 0) store<u8>(text.data + index, 0x20);
  }
  const result = join(bytesString(text), c``);
  bytesFree(text);
  return result;
}

/** Field `index` (3 is the state, as proc(5) counts) of a stat line, found behind the name. */
function field(line: usize, index: i32): usize {
  let position = findLast(line, 0x29);
  for (let skip = 2; skip < index && position !== 0; skip++) {
    while (at(position) !== 0 && at(position) !== 0x20) position++;
    if (at(position) !== 0) position++;
  }
  return position;
}

function show(pid: usize): void {
  const line = fileOf(pid, c`stat`);
  if (line === 0 || findLast(line, 0x29) === 0) return;
  outNumberPadded(parseNumber(pid), 5);
  if (has(0x66)) {
    outByte(0x20);
    outNumberPadded(parseNumber(field(line, 4)), 5);
  }
  outByte(0x20);
  outByte(at(field(line, 3)));
  outByte(0x20);
  terminal(parseNumber(field(line, 7)));
  const ticks = parseNumber(field(line, 14)) + parseNumber(field(line, 15));
  const seconds: u32 = ticks / USER_HZ;
  outNumberPadded(seconds / 60, 5);
  out(seconds % 60 < 10 ? c`:0` : c`:`);
  outNumber(seconds % 60);
  outByte(0x20);
  const command = fileOf(pid, c`cmdline`);
  if (command !== 0 && at(command) !== 0) {
    out(command);
  } else {
    // A kernel thread has no arguments: its name stands in the stat line, in parentheses.
    outByte(0x5b);
    const end = findLast(line, 0x29);
    let position = line;
    while (at(position) !== 0x28 && position < end) position++;
    for (position++; position < end; position++) outByte(at(position));
    outByte(0x5d);
  }
  outLine();
  release(command);
  release(line);
}

/** A terminal by its device number: 4,64+n is ttyS n, 4,n tty n, 136+,n pts/n, 5,1 the console. */
function terminal(device: u32): void {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major === 4 && minor >= 64) {
    out(c`ttyS`);
    outNumber(minor - 64);
    out(c`  `);
  } else if (major === 4) {
    out(c`tty`);
    outNumber(minor);
    out(c`   `);
  } else if (major >= 136 && major < 144) {
    out(c`pts/`);
    outNumber(minor);
    out(c`  `);
  } else if (major === 5) {
    out(c`console`);
  } else {
    out(c`?      `);
  }
}
