/**
 * Job control (POSIX general terminal interface §11.1.2–11.1.4): controlling terminals, the
 * foreground process group, and who is stopped for touching the terminal from the background.
 *
 * A session's members share one controlling terminal; each task points at it. Init (session 1) has
 * the console until a session wants it: a new session leader's claim goes before init's, so that a
 * shell started as init has job control and so have the sessions that a real init starts.
 *
 * @module
 */
import { EINVAL, EIO, ENOTTY, EPERM, ESRCH } from "../abi/errno.ts";
import { ERESTARTSYS, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU } from "../abi/signal.ts";
import { current, Process, Task } from "../proc/task.ts";
import { processFirst } from "../proc/task_list.ts";
import { signalBlockedOrIgnored, signalSendGroup } from "../proc/signal.ts";
import { wakeAll } from "../sync/mod.ts";
import { Tty, ttyFlushOutput } from "./tty.ts";
import { inputFlush } from "./input.ts";

const INIT_SESSION: i32 = 1;

/** The controlling terminal of a task, or null. */
export function ttyOfTask(task: Task): Tty | null {
  return changetype<Tty | null>(task.tty);
}

/**
 * A process group is orphaned when no member has a parent in the same session but another group:
 * nobody could continue it once stopped (POSIX §3.264).
 */
export function groupOrphaned(group: i32): bool {
  let p: Process | null = processFirst();
  while (p !== null) {
    const parent = p.parent;
    if (p.pgrp === group && !p.zombie && parent !== null) {
      if (parent.pgrp !== group && parent.session === p.session) return false;
    }
    p = p.next;
  }
  return true;
}

/** The rule for background processes: 0 to go on, or -EIO, or -ERESTARTSYS after the signal. */
function background(tty: Tty, signal: i32): i32 {
  const task = current();
  if (ttyOfTask(task) !== tty || tty.group === 0 || task.pgrp === tty.group) return 0;
  if (signalBlockedOrIgnored(task, signal)) return signal === SIGTTIN ? -EIO : 0;
  if (groupOrphaned(task.pgrp)) return -EIO;
  signalSendGroup(task.pgrp, signal);
  return -ERESTARTSYS;
}

/** May the current process read the terminal? SIGTTIN rules. */
export function checkReader(tty: Tty): i32 {
  return background(tty, SIGTTIN);
}

/** May it write (under TOSTOP) or change settings? SIGTTOU rules. */
export function checkWriter(tty: Tty): i32 {
  return background(tty, SIGTTOU);
}

/** Takes the terminal from all tasks of a session. */
function clearSession(session: i32): void {
  let p: Process | null = processFirst();
  while (p !== null) {
    if (p.session === session) p.tty = 0;
    p = p.next;
  }
}

/** Makes the terminal that of the current session. The caller has checked that it may. */
function attach(tty: Tty): void {
  const task = current();
  if (tty.session !== 0) clearSession(tty.session);
  tty.session = task.session;
  tty.group = task.pgrp;
  task.tty = changetype<usize>(tty);
}

function isLeader(task: Task): bool {
  return task.session === task.tgid;
}

/** An open without O_NOCTTY gives a session leader without one its controlling terminal. */
export function ttyOpenControlling(tty: Tty): void {
  const task = current();
  if (!isLeader(task) || ttyOfTask(task) !== null || tty.isMaster) return;
  if (tty.session === 0 || (tty.session === INIT_SESSION && task.session !== INIT_SESSION)) {
    attach(tty);
  }
}

/** TIOCSCTTY. `steal` (root only) takes it from another session. */
export function ttySetControlling(tty: Tty, steal: bool): i32 {
  const task = current();
  if (isLeader(task) && tty.session === task.session) return 0;
  if (!isLeader(task) || ttyOfTask(task) !== null) return -EPERM;
  const owned = tty.session !== 0 && tty.session !== INIT_SESSION;
  if (owned && !(steal && task.euid === 0)) return -EPERM;
  attach(tty);
  return 0;
}

/** Ends a session's hold on its terminal; its foreground group hears of it (POSIX §11.1.3). */
function release(tty: Tty): void {
  const group = tty.group;
  const session = tty.session;
  tty.session = 0;
  tty.group = 0;
  if (group > 0) {
    signalSendGroup(group, SIGHUP);
    signalSendGroup(group, SIGCONT);
  }
  if (session !== 0) clearSession(session);
}

/** TIOCNOTTY: a leader releases the terminal for its session, any other only for itself. */
export function ttyDetach(): i32 {
  const task = current();
  const tty = ttyOfTask(task);
  if (tty === null) return -ENOTTY;
  if (isLeader(task)) release(tty);
  else task.tty = 0;
  return 0;
}

/**
 * A session leader ends: its terminal is released, and files open on it are dead. A pseudo-terminal
 * only tells its foreground group; its line is cut by the master's close (Linux disassociate_ctty).
 */
export function ttySessionExit(terminal: usize, _task: Task): void {
  const tty = changetype<Tty>(terminal);
  release(tty);
  if (tty.peer === null) ttyHangup(tty);
}

/** The line is gone: files open now are dead, sleepers wake, the session is told. */
export function ttyHangup(tty: Tty): void {
  tty.generation++;
  inputFlush(tty);
  ttyFlushOutput(tty);
  tty.stopped = false;
  const leader = tty.session;
  if (leader !== 0) {
    release(tty);
    signalSendGroup(leader, SIGHUP);
    signalSendGroup(leader, SIGCONT);
  }
  wakeAll(tty.readWait);
  wakeAll(tty.writeWait);
}

/** TIOCGPGRP and TIOCGSID want one's own terminal (a master is asked for its slave's). */
export function ttyIsMine(tty: Tty): bool {
  return ttyOfTask(current()) === tty;
}

/** TIOCSPGRP. */
export function ttySetForeground(tty: Tty, group: i32): i32 {
  const change = checkWriter(tty);
  if (change < 0) return change === -EIO ? -ENOTTY : change;
  const task = current();
  if (ttyOfTask(task) !== tty || tty.session !== task.session) return -ENOTTY;
  if (group < 0) return -EINVAL;
  let p: Process | null = processFirst();
  while (p !== null) {
    if (p.pgrp === group) {
      if (p.session !== task.session) return -EPERM;
      tty.group = group;
      return 0;
    }
    p = p.next;
  }
  return -ESRCH;
}
