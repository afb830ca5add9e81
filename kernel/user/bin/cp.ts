/**
 * cp: copies files (POSIX cp; -r with directories, -p keeps nothing but the mode).
 *
 * @module
 */
import { copyTree } from "../lib/copy.ts";
import { complainText, usage } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { baseName, joinPath } from "../lib/string.ts";
import { Stat, stat } from "../lib/system.ts";

const PROGRAM = c`cp`;
const USAGE = c`cp [-r] source... target`;

export function main(argc: i32, argv: usize): i32 {
  const first = readOptions(argc, argv, c`afpRr`, USAGE);
  if (argc - first < 2) return usage(USAGE);
  const last = word(argv, argc - 1);
  const info = new Stat();
  const into = stat(last, info) === 0 && info.isDirectory;
  if (!into && argc - first > 2) {
    return complainText(PROGRAM, c`the last operand is not a directory`);
  }
  const recursive = has(0x72) || has(0x52) || has(0x61);
  let status = 0;
  for (let index = first; index < argc - 1; index++) {
    const source = word(argv, index);
    const target = into ? joinPath(last, baseName(source)) : last;
    if (copyTree(PROGRAM, source, target, recursive) !== 0) status = 1;
  }
  return status;
}
