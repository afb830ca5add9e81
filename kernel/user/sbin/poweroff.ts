/**
 * poweroff: writes the disks and switches the machine off.
 *
 * @module
 */
import { RB_POWER_OFF, shutDown } from "../lib/shutdown.ts";

export function main(_argc: i32, _argv: usize): i32 {
  return shutDown(c`poweroff`, RB_POWER_OFF);
}
