/**
 * cat: concatenates files to standard output (POSIX cat; -n numbers lines).
 *
 * @module
 */
import { copyAll, eachInput, freeReader, lineReader, nextLine } from "../lib/files.ts";
import { has, readOptions } from "../lib/options.ts";
import {
  complain,
  finish,
  flush,
  outByte,
  outBytes,
  outLine,
  outNumberPadded,
} from "../lib/output.ts";

const PROGRAM = c`cat`;
let number: u64 = 0;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`nu`, c`cat [-nu] [file]...`);
  const status = eachInput(PROGRAM, argc, argv, first, (fd: i32, name: usize): i32 => {
    const error = has(0x6e) ? numbered(fd) : copyAll(fd, 1);
    return error < 0 ? complain(PROGRAM, name, error) : 0;
  });
  return finish(PROGRAM, status);
}

function numbered(fd: i32): i32 {
  const reader = lineReader(fd);
  while (nextLine(reader)) {
    outNumberPadded(++number, 6);
    outByte(9);
    outBytes(reader.line.data, reader.line.used);
    if (reader.complete) outLine();
  }
  const error = reader.error;
  freeReader(reader);
  return error < 0 ? error : flush();
}
