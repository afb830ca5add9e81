/**
 * kill: sends signals (POSIX kill).
 *
 * @module
 */
import { killCommand } from "../lib/kill.ts";
import { finish } from "../lib/output.ts";

export function main(argc: i32, argv: usize): i32 {
  return finish(c`kill`, killCommand(argc, argv, (_name: usize): i32 => 0));
}
