/**
 * reboot: writes the disks and starts the machine again.
 *
 * @module
 */
import { RB_AUTOBOOT, shutDown } from "../lib/shutdown.ts";

export function main(_argc: i32, _argv: usize): i32 {
  return shutDown(c`reboot`, RB_AUTOBOOT);
}
