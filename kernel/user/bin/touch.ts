/**
 * touch: sets files' times to now, making files that are missing (-c: not).
 *
 * @module
 */
import { ENOENT } from "../../abi/errno.ts";
import { complain, usage } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { close, O_CREAT, O_WRONLY, open, touch } from "../lib/system.ts";

const USAGE = c`touch [-c] file...`;

export function main(argc: i32, argv: usize): i32 {
  let index = readOptions(argc, argv, c`cam`, USAGE);
  if (index >= argc) return usage(USAGE);
  let status = 0;
  for (; index < argc; index++) {
    const path = word(argv, index);
    let error = touch(path);
    if (error === -ENOENT) {
      if (has(0x63)) continue;
      error = open(path, O_WRONLY | O_CREAT, 0o666);
      if (error >= 0) close(error);
    }
    if (error < 0) status = complain(c`touch`, path, error);
  }
  return status;
}
