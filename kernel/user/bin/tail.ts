/**
 * tail: the last lines (-n; +N: from line N) or bytes (-c) of files.
 *
 * @module
 */
import { bytesFree, bytesNew } from "../lib/bytes.ts";
import { eachInput, readAll } from "../lib/files.ts";
import { complain, finish, out, outBytes, outLine } from "../lib/output.ts";
import { has, readOptions, valueOfOption } from "../lib/options.ts";
import { at, isDigit, NEWLINE, parseNumber } from "../lib/string.ts";

const PROGRAM = c`tail`;
let limit: i32 = 10;
let fromStart: bool = false;
let headings: bool = false;
let printed: bool = false;

export function main(argc: i32, argv: usize): i32 {
  let first = 1;
  let amount: usize = 0;
  if (argc > 1 && at(load<usize>(argv, 4)) === 0x2d && isDigit(at(load<usize>(argv, 4), 1))) {
    amount = load<usize>(argv, 4) + 1;
    first = 2;
  } else {
    first = readOptions(argc, argv, c`n:c:`, c`tail [-n lines | -c bytes] [file]...`);
    amount = valueOfOption(0x6e, valueOfOption(0x63, c`10`));
  }
  fromStart = at(amount) === 0x2b;
  limit = parseNumber(amount);
  if (limit < 0) limit = -limit;
  headings = argc - first > 1;
  const status = eachInput(
    PROGRAM,
    argc,
    argv,
    first,
    (fd: i32, name: usize): i32 => tail(fd, name),
  );
  return finish(PROGRAM, status);
}

function tail(fd: i32, name: usize): i32 {
  if (headings) {
    if (printed) outLine();
    out(c`==> `);
    out(name);
    out(c` <==\n`);
    printed = true;
  }
  const text = bytesNew();
  const error = readAll(fd, text);
  const start = has(0x63) ? byteStart(text.used) : lineStart(text.data, text.used);
  outBytes(text.data + start, text.used - start);
  bytesFree(text);
  return error < 0 ? complain(PROGRAM, name, error) : 0;
}

function byteStart(size: u32): u32 {
  if (fromStart) return min<u32>(max(limit - 1, 0), size);
  return <u32> limit >= size ? 0 : size - limit;
}

function lineStart(text: usize, size: u32): u32 {
  if (fromStart) {
    let start: u32 = 0;
    for (let line = 1; line < limit && start < size; line++) {
      while (start < size && load<u8>(text + start) !== NEWLINE) start++;
      if (start < size) start++;
    }
    return start;
  }
  if (limit === 0) return size;
  let start = size;
  if (start > 0 && load<u8>(text + start - 1) === NEWLINE) start--;
  let lines = 0;
  while (start > 0) {
    if (load<u8>(text + start - 1) === NEWLINE && ++lines === limit) break;
    start--;
  }
  return start;
}
