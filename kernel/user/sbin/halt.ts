/**
 * halt: writes the disks and stops the machine.
 *
 * @module
 */
import { RB_HALT_SYSTEM, shutDown } from "../lib/shutdown.ts";

export function main(_argc: i32, _argv: usize): i32 {
  return shutDown(c`halt`, RB_HALT_SYSTEM);
}
