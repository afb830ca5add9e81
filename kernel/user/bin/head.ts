/**
 * head: the first lines (-n) or bytes (-c) of files.
 *
 * @module
 */
import { eachInput, freeReader, lineReader, nextLine } from "../lib/files.ts";
import { complain, finish, out, outBytes, outLine } from "../lib/output.ts";
import { has, readOptions, valueOfOption } from "../lib/options.ts";
import { at, isDigit, parseNumber } from "../lib/string.ts";
import { read } from "../lib/system.ts";

const PROGRAM = c`head`;
const BUFFER = memory.data(4096);
let limit: i32 = 10;
let headings: bool = false;
let printed: bool = false;

export function main(argc: i32, argv: usize): i32 {
  let first = 1;
  // The old form: head -5.
  if (argc > 1 && at(load<usize>(argv, 4)) === 0x2d && isDigit(at(load<usize>(argv, 4), 1))) {
    limit = parseNumber(load<usize>(argv, 4) + 1);
    first = 2;
  } else {
    first = readOptions(argc, argv, c`n:c:`, c`head [-n lines | -c bytes] [file]...`);
    limit = parseNumber(valueOfOption(0x6e, valueOfOption(0x63, c`10`)));
  }
  headings = argc - first > 1;
  const status = eachInput(
    PROGRAM,
    argc,
    argv,
    first,
    (fd: i32, name: usize): i32 => head(fd, name),
  );
  return finish(PROGRAM, status);
}

function head(fd: i32, name: usize): i32 {
  if (headings) {
    if (printed) outLine();
    out(c`==> `);
    out(name);
    out(c` <==\n`);
    printed = true;
  }
  let error = 0;
  if (has(0x63)) {
    for (let rest = limit; rest > 0;) {
      const count = read(fd, BUFFER, min(rest, 4096));
      if (count <= 0) {
        error = count;
        break;
      }
      outBytes(BUFFER, count);
      rest -= count;
    }
  } else {
    const reader = lineReader(fd);
    for (let line = 0; line < limit && nextLine(reader); line++) {
      outBytes(reader.line.data, reader.line.used);
      if (reader.complete) outLine();
    }
    error = reader.error;
    freeReader(reader);
  }
  return error < 0 ? complain(PROGRAM, name, error) : 0;
}
