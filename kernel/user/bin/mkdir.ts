/**
 * mkdir: makes directories (POSIX mkdir; -p with their parents, -m with a mode).
 *
 * @module
 */
import { EEXIST } from "../../abi/errno.ts";
import { complain, usage } from "../lib/output.ts";
import { has, readOptions, valueOfOption, word } from "../lib/options.ts";
import { at, duplicate, parseUnsigned } from "../lib/string.ts";
import { mkdir, Stat, stat } from "../lib/system.ts";

const PROGRAM = c`mkdir`;
const USAGE = c`mkdir [-p] [-m mode] directory...`;

export function main(argc: i32, argv: usize): i32 {
  let index = readOptions(argc, argv, c`pm:`, USAGE);
  if (index >= argc) return usage(USAGE);
  const mode = parseUnsigned(valueOfOption(0x6d, c`777`), 8);
  let status = 0;
  for (; index < argc; index++) {
    const path = word(argv, index);
    const error = has(0x70) ? makeParents(path, mode) : mkdir(path, mode);
    if (error < 0) status = complain(PROGRAM, path, error);
  }
  return status;
}

function makeParents(path: usize, mode: u32): i32 {
  const copy = duplicate(path);
  for (let slash = copy + 1; at(copy) !== 0; slash++) {
    const byte = at(slash);
    if (byte !== 0x2f && byte !== 0) continue;
    store<u8>(slash, 0);
    const error = mkdir(copy, byte === 0 ? mode : 0o777);
    if (error < 0 && !(error === -EEXIST && isDirectory(copy))) return error;
    if (byte === 0) return 0;
    store<u8>(slash, byte);
  }
  return mkdir(path, mode);
}

function isDirectory(path: usize): bool {
  const info = new Stat();
  return stat(path, info) === 0 && info.isDirectory;
}
