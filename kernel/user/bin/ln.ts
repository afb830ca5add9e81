/**
 * ln: makes links (POSIX ln; -s symbolic, -f replaces).
 *
 * @module
 */
import { complain, complainText, usage } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { baseName, joinPath } from "../lib/string.ts";
import { link, Stat, stat, symlink, unlink } from "../lib/system.ts";

const PROGRAM = c`ln`;
const USAGE = c`ln [-fs] target... path`;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`fsn`, USAGE);
  if (argc - first < 1) return usage(USAGE);
  if (argc - first === 1) return make(word(argv, first), baseName(word(argv, first)));
  const last = word(argv, argc - 1);
  const info = new Stat();
  const into = stat(last, info) === 0 && info.isDirectory && !has(0x6e);
  if (!into && argc - first > 2) {
    return complainText(PROGRAM, c`the last operand is not a directory`);
  }
  let status = 0;
  for (let index = first; index < argc - 1; index++) {
    const target = word(argv, index);
    const result = make(target, into ? joinPath(last, baseName(target)) : last);
    if (result !== 0) status = result;
  }
  return status;
}

function make(target: usize, path: usize): i32 {
  if (has(0x66)) unlink(path);
  const error = has(0x73) ? symlink(target, path) : link(target, path);
  return error < 0 ? complain(PROGRAM, path, error) : 0;
}
