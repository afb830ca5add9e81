/**
 * umount: unmounts file systems.
 *
 * @module
 */
import { complain, usage } from "../lib/output.ts";
import { umount } from "../lib/system.ts";

export function main(argc: i32, argv: usize): i32 {
  if (argc < 2) return usage(c`umount target...`);
  let status = 0;
  for (let index = 1; index < argc; index++) {
    const target = load<usize>(argv + (index << 2));
    const error = umount(target);
    if (error < 0) status = complain(c`umount`, target, error);
  }
  return status;
}
