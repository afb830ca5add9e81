/**
 * mv: moves files (POSIX mv); a regular file also across file systems, by copying.
 *
 * @module
 */
import { EXDEV } from "../../abi/errno.ts";
import { copyTree } from "../lib/copy.ts";
import { complain, complainText, usage } from "../lib/output.ts";
import { readOptions, word } from "../lib/options.ts";
import { baseName, joinPath } from "../lib/string.ts";
import { rename, Stat, stat, unlink } from "../lib/system.ts";

const PROGRAM = c`mv`;
const USAGE = c`mv source... target`;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`fi`, USAGE);
  if (argc - first < 2) return usage(USAGE);
  const last = word(argv, argc - 1);
  const info = new Stat();
  const into = stat(last, info) === 0 && info.isDirectory;
  if (!into && argc - first > 2) {
    return complainText(PROGRAM, c`the last operand is not a directory`);
  }
  let status = 0;
  for (let index = first; index < argc - 1; index++) {
    const source = word(argv, index);
    if (move(source, into ? joinPath(last, baseName(source)) : last) !== 0) status = 1;
  }
  return status;
}

function move(source: usize, target: usize): i32 {
  let error = rename(source, target);
  if (error === -EXDEV) {
    if (copyTree(PROGRAM, source, target, false) !== 0) return 1;
    error = unlink(source);
  }
  return error < 0 ? complain(PROGRAM, source, error) : 0;
}
