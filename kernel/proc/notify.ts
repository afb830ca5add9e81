/**
 * A parent learns that its child stopped, continued or ended.
 *
 * @module
 */
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SIGCHLD,
  SIGCONT,
} from "../abi/signal.ts";
import { wakeAll } from "../sync/wait.ts";
import { actionOf, signalSendInfo } from "./signal.ts";
import { Process } from "./task.ts";

/** Sends SIGCHLD for a stop or continue, unless the parent does not want it, and wakes its waits. */
export function notifyParent(process: Process, continued: bool): void {
  const parent = process.parent;
  if (parent === null) return;
  const entry = actionOf(parent.leader.actions, SIGCHLD);
  if ((load<u32>(entry, 4) & SA_NOCLDSTOP) === 0) {
    signalSendInfo(
      parent.leader,
      SIGCHLD,
      continued ? CLD_CONTINUED : CLD_STOPPED,
      <u32> process.pid,
      process.leader.uid,
      continued ? SIGCONT : process.stopSignal,
      true,
    );
  }
  wakeAll(parent.childWait);
}

/** Sends the exit signal of a process that ended (0 for none), and wakes its parent's waits. */
export function notifyExit(process: Process, signal: i32): void {
  const parent = process.parent;
  if (parent === null) return;
  if (signal !== 0) {
    const status = process.exitStatus;
    const killed = (status & 0x7f) !== 0;
    signalSendInfo(
      parent.leader,
      signal,
      killed ? ((status & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED) : CLD_EXITED,
      <u32> process.pid,
      process.leader.uid,
      killed ? status & 0x7f : (status >> 8) & 0xff,
      true,
    );
  }
  wakeAll(parent.childWait);
}
