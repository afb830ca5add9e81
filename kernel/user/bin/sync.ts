/**
 * sync: writes what is cached to the disks.
 *
 * @module
 */
import { sync } from "../lib/system.ts";

export function main(_argc: i32, _argv: usize): i32 {
  sync();
  return 0;
}
