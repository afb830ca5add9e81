/**
 * wc: counts lines, words and bytes (POSIX wc).
 *
 * @module
 */
import { eachInput } from "../lib/files.ts";
import { complain, finish, out, outByte, outLine, outNumberPadded } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { formatUnsigned, isSpace, length } from "../lib/string.ts";
import { read, S_IFMT, S_IFREG, Stat, stat } from "../lib/system.ts";

const PROGRAM = c`wc`;
const BUFFER = memory.data(16384);
let totalLines: u64 = 0;
let totalWords: u64 = 0;
let totalBytes: u64 = 0;
let width: i32 = 1;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`clmw`, c`wc [-clmw] [file]...`);
  const chosen = <i32> has(0x63) + <i32> has(0x6d) + <i32> has(0x6c) + <i32> has(0x77);
  if (chosen !== 1 || argc - first > 1) width = columnWidth(argc, argv, first);
  const status = eachInput(
    PROGRAM,
    argc,
    argv,
    first,
    (fd: i32, name: usize): i32 => count(fd, name),
  );
  if (argc - first > 1) print(totalLines, totalWords, totalBytes, c`total`);
  return finish(PROGRAM, status);
}

/** Digits of the operands' whole size; 7 if one is not a regular file (as GNU wc does). */
function columnWidth(argc: i32, argv: usize, first: i32): i32 {
  const info = new Stat();
  let total: u64 = 0;
  for (let index = first; index < argc; index++) {
    if (stat(word(argv, index), info) < 0) continue;
    if ((info.mode & S_IFMT) !== S_IFREG) return 7;
    total += info.size;
  }
  return first >= argc ? 7 : length(formatUnsigned(total));
}

function count(fd: i32, name: usize): i32 {
  let lines: u64 = 0;
  let words: u64 = 0;
  let bytes: u64 = 0;
  let inWord = false;
  let size = 0;
  while (true) {
    size = read(fd, BUFFER, 16384);
    if (size <= 0) break;
    bytes += size;
    for (let index = 0; index < size; index++) {
      const byte: u32 = load<u8>(BUFFER + index);
      if (byte === 10) lines++;
      const blank = isSpace(byte);
      if (!blank && !inWord) words++;
      inWord = !blank;
    }
  }
  totalLines += lines;
  totalWords += words;
  totalBytes += bytes;
  print(lines, words, bytes, name);
  return size < 0 ? complain(PROGRAM, name, size) : 0;
}

function print(lines: u64, words: u64, bytes: u64, name: usize): void {
  const all = !has(0x63) && !has(0x6d) && !has(0x6c) && !has(0x77);
  let parted: bool = false;
  if (all || has(0x6c)) parted = column(lines, parted);
  if (all || has(0x77)) parted = column(words, parted);
  if (all || has(0x63) || has(0x6d)) column(bytes, parted);
  if (load<u16>(name) !== 0x002d) {
    outByte(0x20);
    out(name);
  }
  outLine();
}

function column(value: u64, parted: bool): bool {
  if (parted) outByte(0x20);
  outNumberPadded(value, width);
  return true;
}
