/**
 * ls: lists directories (POSIX ls; -1 -a -A -d -F -h -i -l -n -r -R -S -t).
 *
 * @module
 */
import { TIOCGWINSZ } from "../../abi/ioctl.ts";
import { freeNames, nameAt, readDirectory, sortBy } from "../lib/directory.ts";
import { allocate, release } from "../lib/memory.ts";
import {
  complain,
  finish,
  out,
  outByte,
  outLine,
  outNumberPadded,
  outPadded,
} from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { at, compare, formatUnsigned, joinPath, length } from "../lib/string.ts";
import {
  ioctl,
  readlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
  Stat,
  stat,
} from "../lib/system.ts";
import { dateText } from "../lib/date_text.ts";

const PROGRAM = c`ls`;
const USAGE = c`ls [-1AadFhilnRrSt] [file]...`;
const TARGET = memory.data(4096);
const WINDOW = memory.data(8, 4);

/** A name with what stat(2) says of it. */
@unmanaged
class Entry {
  name: usize;
  path: usize;
  info!: Stat;
}

let status: i32 = 0;
let terminalWidth: i32 = 0;
let headings: bool = false;
let printed: bool = false;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`1AadFhilnRrSt`, USAGE);
  if (ioctl(1, TIOCGWINSZ, WINDOW) === 0) {
    terminalWidth = load<u16>(WINDOW, 2) === 0 ? 80 : load<u16>(WINDOW, 2);
  }
  headings = argc - first > 1 || has(0x52);
  const count = max(argc - first, 1);
  const entries = allocate(count << 2);
  let files: u32 = 0;
  let directories: u32 = 0;
  // Files come first, in one list; then each directory.
  for (let index = 0; index < count; index++) {
    const path = first + index < argc ? word(argv, first + index) : c`.`;
    const entry = makeEntry(
      path,
      path,
      !has(0x64) && !(has(0x6c) && at(path, length(path) - 1) !== 0x2f && isLink(path)),
    );
    if (entry === null) continue;
    if (entry.info.isDirectory && !has(0x64)) {
      directories++;
      store<usize>(entries + ((count - directories) << 2), changetype<usize>(entry));
    } else {
      store<usize>(entries + (files++ << 2), changetype<usize>(entry));
    }
  }
  sortEntries(entries, files);
  printEntries(entries, files);
  printed = files > 0;
  const start = count - directories;
  sortEntries(entries + (start << 2), directories);
  for (let index: u32 = 0; index < directories; index++) {
    list(changetype<Entry>(load<usize>(entries + ((start + index) << 2))).path);
  }
  return finish(PROGRAM, status);
}

function isLink(path: usize): bool {
  return readlink(path, TARGET, 4095) >= 0;
}

function makeEntry(name: usize, path: usize, follow: bool): Entry | null {
  const info = new Stat();
  let error = stat(path, info, follow);
  // A link that leads nowhere is listed itself.
  if (error < 0 && follow) error = stat(path, info, false);
  if (error < 0) {
    status = complain(PROGRAM, path, error);
    release(changetype<usize>(info));
    return null;
  }
  const entry = new Entry();
  entry.name = name;
  entry.path = path;
  entry.info = info;
  return entry;
}

function list(path: usize): void {
  if (printed) outLine();
  printed = true;
  if (headings) {
    out(path);
    out(c`:\n`);
  }
  const names = readDirectory(path, has(0x61));
  if (names.error < 0) status = complain(PROGRAM, path, names.error);
  const entries = allocate((names.count + 1) << 2);
  let count: u32 = 0;
  let blocks: u64 = 0;
  for (let index: u32 = 0; index < names.count; index++) {
    const name = nameAt(names, index);
    if (at(name) === 0x2e && !has(0x61) && !has(0x41)) continue;
    const entry = makeEntry(name, joinPath(path, name), false);
    if (entry === null) continue;
    blocks += entry.info.blocks;
    store<usize>(entries + (count++ << 2), changetype<usize>(entry));
  }
  sortEntries(entries, count);
  if (has(0x6c)) {
    out(c`total `);
    out(formatUnsigned(blocks / 2));
    outLine();
  }
  printEntries(entries, count);
  if (has(0x52)) {
    for (let index: u32 = 0; index < count; index++) {
      const entry = changetype<Entry>(load<usize>(entries + (index << 2)));
      const dot = at(entry.name) === 0x2e &&
        (at(entry.name, 1) === 0 || (at(entry.name, 1) === 0x2e && at(entry.name, 2) === 0));
      if (entry.info.isDirectory && !dot) list(entry.path);
    }
  }
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Entry>(load<usize>(entries + (index << 2)));
    release(entry.path);
    release(changetype<usize>(entry.info));
    release(changetype<usize>(entry));
  }
  release(entries);
  freeNames(names);
}

function sortEntries(entries: usize, count: u32): void {
  sortBy(
    entries,
    count,
    (a: usize, b: usize): i32 => order(changetype<Entry>(a), changetype<Entry>(b)),
  );
}

function order(a: Entry, b: Entry): i32 {
  let result = 0;
  if (has(0x74)) result = a.info.mtime > b.info.mtime ? -1 : a.info.mtime < b.info.mtime ? 1 : 0;
  else if (has(0x53)) result = a.info.size > b.info.size ? -1 : a.info.size < b.info.size ? 1 : 0;
  if (result === 0) result = compare(a.name, b.name);
  return has(0x72) ? -result : result;
}

function printEntries(entries: usize, count: u32): void {
  if (count === 0) return;
  if (has(0x6c) || has(0x6e)) return printLong(entries, count);
  let widest = 0;
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Entry>(load<usize>(entries + (index << 2)));
    widest = max(widest, <i32> length(entry.name) + (has(0x46) ? 1 : 0) + (has(0x69) ? 8 : 0));
  }
  const columns = has(0x31) || terminalWidth === 0 ? 1 : max(1, terminalWidth / (widest + 2));
  const rows = (count + columns - 1) / columns;
  for (let row: u32 = 0; row < rows; row++) {
    for (let index = row; index < count; index += rows) {
      const entry = changetype<Entry>(load<usize>(entries + (index << 2)));
      if (has(0x69)) {
        outNumberPadded(entry.info.inode, 7);
        outByte(0x20);
      }
      const mark = has(0x46) ? typeMark(entry.info.mode) : 0;
      out(entry.name);
      if (mark !== 0) outByte(mark);
      if (index + rows < count) {
        let blank = <i32> length(entry.name) + (mark !== 0 ? 1 : 0) + (has(0x69) ? 8 : 0);
        for (; blank < widest + 2; blank++) outByte(0x20);
      }
    }
    outLine();
  }
}

function typeMark(mode: u32): u32 {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return 0x2f;
  if (type === S_IFLNK) return 0x40;
  if (type === S_IFIFO) return 0x7c;
  if (type === S_IFSOCK) return 0x3d;
  return (mode & 0o111) !== 0 ? 0x2a : 0;
}

function digits(value: u64): i32 {
  return length(formatUnsigned(value));
}

function printLong(entries: usize, count: u32): void {
  let linkWidth = 1;
  let sizeWidth = 1;
  for (let index: u32 = 0; index < count; index++) {
    const info = changetype<Entry>(load<usize>(entries + (index << 2))).info;
    linkWidth = max(linkWidth, digits(info.links));
    const type = info.mode & S_IFMT;
    sizeWidth = max(
      sizeWidth,
      type === S_IFCHR || type === S_IFBLK ? 8 : has(0x68) ? 5 : digits(info.size),
    );
  }
  for (let index: u32 = 0; index < count; index++) {
    const entry = changetype<Entry>(load<usize>(entries + (index << 2)));
    const info = entry.info;
    if (has(0x69)) {
      outNumberPadded(info.inode, 7);
      outByte(0x20);
    }
    printMode(info.mode);
    outByte(0x20);
    outNumberPadded(info.links, linkWidth);
    outByte(0x20);
    owner(info.uid);
    owner(info.gid);
    const type = info.mode & S_IFMT;
    if (type === S_IFCHR || type === S_IFBLK) {
      outNumberPadded((info.rdevice >> 8) & 0xfff, 3);
      out(c`, `);
      outNumberPadded((info.rdevice & 0xff) | ((info.rdevice >> 12) & 0xfff00), sizeWidth - 5);
    } else if (has(0x68)) {
      readable(info.size, sizeWidth);
    } else {
      outNumberPadded(info.size, sizeWidth);
    }
    outByte(0x20);
    out(dateText(info.mtime));
    outByte(0x20);
    out(entry.name);
    if (has(0x46) && type !== S_IFLNK && typeMark(info.mode) !== 0) outByte(typeMark(info.mode));
    if (type === S_IFLNK) {
      const size = readlink(entry.path, TARGET, 4095);
      if (size >= 0) {
        store<u8>(TARGET + size, 0);
        out(c` -> `);
        out(TARGET);
      }
    }
    outLine();
  }
}

/** Owners by number, but for the one that every system has. */
function owner(id: u32): void {
  outPadded(id === 0 && !has(0x6e) ? c`root` : formatUnsigned(id), -5);
}

function readable(size: u64, width: i32): void {
  let unit: u32 = 0;
  while (size >= 10240 && unit < 4) {
    size = (size + 512) >> 10;
    unit++;
  }
  outNumberPadded(size, unit === 0 ? width : width - 1);
  if (unit > 0) outByte(load<u8>(c`KMGT` + unit - 1));
}

function printMode(mode: u32): void {
  const type = mode & S_IFMT;
  let letter: u32 = 0x2d;
  if (type === S_IFDIR) letter = 0x64;
  else if (type === S_IFLNK) letter = 0x6c;
  else if (type === S_IFCHR) letter = 0x63;
  else if (type === S_IFBLK) letter = 0x62;
  else if (type === S_IFIFO) letter = 0x70;
  else if (type === S_IFSOCK) letter = 0x73;
  outByte(letter);
  for (let bit = 8; bit >= 0; bit--) {
    const on = (mode & (1 << bit)) !== 0;
    const special = (mode & (0o1000 << (bit / 3))) !== 0 && bit % 3 === 0;
    if (special) {
      const sticky = bit === 0;
      outByte(on ? (sticky ? 0x74 : 0x73) : (sticky ? 0x54 : 0x53));
    } else {
      outByte(on ? load<u8>(c`xwr` + bit % 3) : 0x2d);
    }
  }
}
