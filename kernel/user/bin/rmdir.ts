/**
 * rmdir: removes empty directories.
 *
 * @module
 */
import { complain, usage } from "../lib/output.ts";
import { readOptions, word } from "../lib/options.ts";
import { rmdir } from "../lib/system.ts";

const USAGE = c`rmdir directory...`;

export function main(argc: i32, argv: usize): i32 {
  let index = readOptions(argc, argv, c``, USAGE);
  if (index >= argc) return usage(USAGE);
  let status = 0;
  for (; index < argc; index++) {
    const error = rmdir(word(argv, index));
    if (error < 0) status = complain(c`rmdir`, word(argv, index), error);
  }
  return status;
}
