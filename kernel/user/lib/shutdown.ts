/**
 * The end of the system: asks everybody to finish, writes the disks, and stops the machine.
 *
 * @module
 */
import { complain } from "./output.ts";
import {
  kill,
  mount,
  reboot,
  setSignal,
  SIG_IGN,
  SIGHUP,
  SIGKILL,
  SIGTERM,
  sleep,
  sync,
} from "./system.ts";

/** reboot(2) commands of Linux. */
export const RB_AUTOBOOT: u32 = 0x01234567;
export const RB_HALT_SYSTEM: u32 = 0xcdef0123;
export const RB_POWER_OFF: u32 = 0x4321fedc;
const MS_RDONLY: u32 = 1;
const MS_REMOUNT: u32 = 32;
/** How long processes get to finish, in nanoseconds. */
const GRACE_NS: u32 = 300000000;

/** Ends all processes but init and the caller, writes the disks and runs the command. */
export function shutDown(program: usize, command: u32): i32 {
  // The death of the shell hangs up its terminal, which ours is too.
  setSignal(SIGHUP, SIG_IGN);
  // The shell that ends is the leader of our session: its terminal hangs up, which is no news to us.
  setSignal(SIGHUP, SIG_IGN);
  kill(-1, SIGTERM);
  sleep(0, GRACE_NS);
  kill(-1, SIGKILL);
  sync();
  mount(c`none`, c`/`, c`none`, MS_REMOUNT | MS_RDONLY, 0);
  const error = reboot(command);
  return complain(program, c`the machine`, error);
}
