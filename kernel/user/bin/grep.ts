/**
 * grep: prints lines that match (POSIX grep; -E -F -c -h -i -l -n -q -r -s -v -x -e).
 *
 * @module
 */
import { freeNames, nameAt, readDirectory } from "../lib/directory.ts";
import { freeReader, lineReader, nextLine } from "../lib/files.ts";
import { release } from "../lib/memory.ts";
import {
  complain,
  complainText,
  finish,
  out,
  outByte,
  outBytes,
  outLine,
  outNumber,
  usage,
} from "../lib/output.ts";
import { has, readOptions, valueOfOption, word } from "../lib/options.ts";
import { compileRegex, matchesRegex, Regex, regexProblem } from "../lib/regex.ts";
import { bytesNew, bytesPush, bytesString } from "../lib/bytes.ts";
import { at, equal, find, joinPath } from "../lib/string.ts";
import { close, O_RDONLY, open, Stat, stat } from "../lib/system.ts";

const PROGRAM = c`grep`;
const USAGE = c`grep [-EFchilnqrsvx] [-e] pattern [file]...`;
let regex: Regex = changetype<Regex>(0);
let names: bool = false;
let anyMatch: bool = false;
let failed: bool = false;

export function main(argc: i32, argv: usize): i32 {
  let index = readOptions(argc, argv, c`EFchiHlnqrRsvxe:`, USAGE);
  let pattern = valueOfOption(0x65);
  if (pattern === 0) {
    if (index >= argc) return usage(USAGE);
    pattern = word(argv, index++);
  }
  const compiled = compileRegex(has(0x46) ? quoted(pattern) : pattern, has(0x45), has(0x69));
  if (compiled === null) {
    complainText(PROGRAM, regexProblem());
    return 2;
  }
  regex = compiled;
  const recursive = has(0x72) || has(0x52);
  names = (argc - index > 1 || recursive || has(0x48)) && !has(0x68);
  if (index >= argc) {
    if (recursive) search(c`.`);
    else scan(0, c`(standard input)`);
  }
  for (; index < argc; index++) {
    if (equal(word(argv, index), c`-`)) scan(0, c`(standard input)`);
    else search(word(argv, index));
  }
  const status = finish(PROGRAM, anyMatch ? 0 : 1);
  return failed && !(has(0x71) && anyMatch) ? 2 : status;
}

/** A fixed string as a basic expression. */
function quoted(pattern: usize): usize {
  const result = bytesNew();
  for (; at(pattern) !== 0; pattern++) {
    if (find(c`.[]*^$\\`, at(pattern)) !== 0) bytesPush(result, 0x5c);
    bytesPush(result, at(pattern));
  }
  return bytesString(result);
}

function fail(name: usize, error: i32): void {
  if (!has(0x73)) complain(PROGRAM, name, error);
  failed = true;
}

function search(path: usize): void {
  const info = new Stat();
  const error = stat(path, info);
  const isDirectory = info.isDirectory;
  release(changetype<usize>(info));
  if (error < 0) return fail(path, error);
  if (isDirectory) {
    if (!has(0x72) && !has(0x52)) return fail(path, -21);
    const entries = readDirectory(path);
    for (let index: u32 = 0; index < entries.count; index++) {
      const child = joinPath(path, nameAt(entries, index));
      search(child);
      release(child);
    }
    freeNames(entries);
    return;
  }
  const fd = open(path, O_RDONLY);
  if (fd < 0) return fail(path, fd);
  scan(fd, path);
  close(fd);
}

function scan(fd: i32, name: usize): void {
  const reader = lineReader(fd);
  let line: i64 = 0;
  let count: i64 = 0;
  while (nextLine(reader)) {
    line++;
    const found = matchesRegex(regex, reader.line.data, reader.line.used, has(0x78));
    if (found === has(0x76)) continue;
    count++;
    anyMatch = true;
    if (has(0x71) || has(0x6c)) break;
    if (has(0x63)) continue;
    if (names) {
      out(name);
      outByte(0x3a);
    }
    if (has(0x6e)) {
      outNumber(line);
      outByte(0x3a);
    }
    outBytes(reader.line.data, reader.line.used);
    outLine();
  }
  if (reader.error < 0) fail(name, reader.error);
  freeReader(reader);
  if (has(0x71)) return;
  if (has(0x6c)) {
    if (count > 0) {
      out(name);
      outLine();
    }
  } else if (has(0x63)) {
    if (names) {
      out(name);
      outByte(0x3a);
    }
    outNumber(count);
    outLine();
  }
}
