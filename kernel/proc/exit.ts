/**
 * The end of threads and processes.
 *
 * @module
 */
import { SA_NOCLDWAIT, SIG_IGN, SIGCHLD, SIGCONT, SIGHUP, SIGKILL } from "../abi/signal.ts";
import { fpuReset } from "../arch/i386/fpu.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { panic } from "../lib/panic.ts";
import { printk } from "../lib/printk.ts";
import { getUser32, putUser32, userWord } from "../mm/user.ts";
import { schedule, wakeForSignal } from "../sched/scheduler.ts";
import { sleepOnTimeout, WaitQueue, wakeAll } from "../sync/wait.ts";
import { HZ } from "../time/ticks.ts";
import { timerCancel } from "../time/timer.ts";
import { processFree, releaseResources, taskFree } from "./create.ts";
import { futexDeath, futexWake } from "./futex.ts";
import { notifyExit } from "./notify.ts";
import { notifySessionExit } from "./services.ts";
import { actionOf, processSignalsFree, signalBit, signalSendGroup, signalsFree } from "./signal.ts";
import { current, Process, Task, TASK_DEAD, TASK_ZOMBIE } from "./task.ts";
import { processByPid, processFirst, processRemove, taskRemove, taskRename } from "./task_list.ts";

const SIGNAL_DEATH_MASK: i32 = 0x7f;
/** Most entries of a robust list that are looked at (ROBUST_LIST_LIMIT). */
const ROBUST_MAX: u32 = 2048;
const FUTEX_TID_MASK: u32 = 0x3fffffff;

/* Threads that have ended and whose stacks nobody runs on any more, by threadNext. */
let dead: Task | null = null;

/** Frees the threads that have ended. */
export function reapDead(): void {
  while (true) {
    const flags = irqSave();
    const task = dead;
    if (task === null || task === current()) {
      irqRestore(flags);
      return;
    }
    dead = task.threadNext;
    irqRestore(flags);
    taskFree(task);
  }
}

/** Lets the parent go on that waits in vfork. */
export function vforkRelease(task: Task): void {
  const wait = task.vforkDone;
  if (wait === null) return;
  task.vforkDone = null;
  wait.done = true;
  wakeAll(changetype<WaitQueue>(wait));
}

/* Tells the other threads to end. */
function killOthers(task: Task): void {
  const flags = irqSave();
  for (let nextThread: Task | null = task.process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    if (t === task) continue;
    t.pendingMask |= signalBit(SIGKILL);
    wakeForSignal(t, true);
  }
  irqRestore(flags);
}

/**
 * For exec: ends all other threads; the caller becomes the first thread. False when the caller must end
 * itself because another thread was first.
 */
export function exitOthers(task: Task): bool {
  const process = task.process;
  if (process.threads > 1) {
    if (process.execTask !== null || process.exiting) return false;
    process.execTask = task;
    killOthers(task);
    const flags = irqSave();
    while (process.threads > 1 && !process.exiting) sleepOnTimeout(process.childWait, HZ);
    irqRestore(flags);
    process.execTask = null;
    if (process.exiting) return false;
  }
  const leader = process.leader;
  if (leader !== task) {
    // The old first thread stayed as a zombie only to keep the number.
    taskRemove(leader);
    process.leader = task;
    process.firstThread = task;
    task.threadNext = null;
    taskRename(task, process.pid);
    taskFree(leader);
  }
  return true;
}

/* Locks that the thread held are marked and their waiters woken (robust futexes). */
function exitRobustList(task: Task): void {
  const list = task.robustList;
  if (list === 0) return;
  task.robustList = 0;
  if (getUser32(list + 4) < 0) return;
  const offset = userWord();
  if (getUser32(list) < 0) return;
  let entry = userWord() & ~1;
  for (let n: u32 = 0; entry !== list && n < ROBUST_MAX; n++) {
    const word = entry + offset;
    if (getUser32(entry) < 0) return;
    const next = userWord() & ~1;
    if (getUser32(word) < 0) return;
    if ((userWord() & FUTEX_TID_MASK) === <u32> task.pid) futexDeath(word, userWord());
    entry = next;
  }
}

/** Ends the whole process with a wait status. */
export function exitGroup(status: i32): void {
  const task = current();
  const process = task.process;
  if (!process.exiting) {
    process.exiting = true;
    process.exitStatus = status;
    process.groupStop = false;
    killOthers(task);
  }
  exitThread(status);
}

/** Ends the current thread; with the last one its process ends with `status`. Does not return. */
export function exitThread(status: i32): void {
  const task = current();
  const process = task.process;
  if (process.pid === 1 && (process.exiting || process.threads === 1)) initDied(status);
  exitRobustList(task);
  const clear = task.clearTid;
  if (clear !== 0 && task.mm !== null && task.mm!.users > 1) {
    task.clearTid = 0;
    if (putUser32(clear, 0) === 0) futexWake(clear, 1, 0xffffffff, false);
  }
  const last = process.threads === 1;
  if (last && !process.exiting) {
    process.exiting = true;
    process.exitStatus = status;
  }
  const mm = task.mm;
  if (mm !== null && mm.residentPeak > process.maxRss) process.maxRss = mm.residentPeak;
  const leader = last && process.session === process.pid;
  releaseResources(task);
  vforkRelease(task);
  if (leader) notifySessionExit(process.tty, task);
  fpuReset(task);
  timerCancel(task.sleepTimer);
  signalsFree(task);
  reapDead();
  irqSave();
  process.userTicks += task.userTicks;
  process.systemTicks += task.systemTicks;
  process.deadMinorFaults += task.minorFaults;
  process.deadMajorFaults += task.majorFaults;
  process.threads--;
  if (task !== process.leader) {
    unlinkThread(process, task);
    taskRemove(task);
    task.threadNext = dead;
    dead = task;
    task.state = TASK_DEAD;
    wakeAll(process.childWait); // exec of another thread may wait for this
  } else {
    task.state = TASK_ZOMBIE;
    if (!last) wakeAll(process.childWait);
  }
  if (last) endProcess(process);
  schedule();
  panic(c`an ended task runs`);
}

function initDied(status: i32): void {
  printk(c`init ended with status %x\n`, status);
  panic(c`attempted to kill init`);
}

function unlinkThread(process: Process, task: Task): void {
  if (process.firstThread === task) {
    process.firstThread = task.threadNext;
    return;
  }
  let at = process.firstThread;
  while (at !== null && at.threadNext !== task) at = at.threadNext;
  if (at !== null) at.threadNext = task.threadNext;
}

/* Interrupts are off; the current task does not run any more behind this. */
function endProcess(process: Process): void {
  timerCancel(process.realTimer);
  processSignalsFree(process);
  process.pendingMask = 0;
  adoptChildren(process);
  checkOrphanedGroups(process);
  process.zombie = true;
  const parent = process.parent;
  const signal = process.leader.exitSignal;
  let unwanted = false;
  if (parent !== null && signal === SIGCHLD) {
    const action = actionOf(parent.leader.actions, SIGCHLD);
    unwanted = load<u32>(action) === SIG_IGN || (load<u32>(action, 4) & SA_NOCLDWAIT) !== 0;
    if (load<u32>(action) !== SIG_IGN) notifyExit(process, signal);
    else wakeAll(parent.childWait);
  } else notifyExit(process, signal);
  if (unwanted || parent === null) discard(process);
}

/* A process that nobody waits for: its last task becomes an ordinary dead one. */
function discard(process: Process): void {
  const leader = process.leader;
  detachProcess(process);
  taskRemove(leader);
  leader.threadNext = dead;
  dead = leader;
  leader.state = TASK_DEAD;
  // The scheduler looks at the dying task's process once more; it gets one that stays.
  leader.process = processFirst()!;
  processFree(process);
}

/** Takes a process out of its parent's list and of all processes. */
export function detachProcess(process: Process): void {
  const parent = process.parent;
  if (parent !== null) {
    if (parent.firstChild === process) parent.firstChild = process.sibling;
    else {
      let at = parent.firstChild;
      while (at !== null && at.sibling !== process) at = at.sibling;
      if (at !== null) at.sibling = process.sibling;
    }
  }
  processRemove(process);
}

/** Frees a zombie process that has been waited for. */
export function reapProcess(process: Process): void {
  const leader = process.leader;
  detachProcess(process);
  taskRemove(leader);
  taskFree(leader);
  processFree(process);
}

function reaperOf(process: Process): Process | null {
  for (let nextProcess: Process | null = process.parent; nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.parent;
    if (p.subreaper && !p.zombie) return p;
  }
  return processByPid(1);
}

/* Children get another parent; those that have ended are its business now. */
function adoptChildren(process: Process): void {
  let child = process.firstChild;
  if (child === null) return;
  const reaper = reaperOf(process);
  process.firstChild = null;
  while (child !== null) {
    const next: Process | null = child.sibling;
    child.parent = reaper;
    if (reaper === null) child.sibling = null;
    else {
      child.sibling = reaper.firstChild;
      reaper.firstChild = child;
      if (child.zombie) notifyExit(child, SIGCHLD);
    }
    child = next;
  }
}

/* True when no living member but `except` has a parent in the session outside of the group. */
function isOrphaned(group: i32, session: i32, except: Process | null): bool {
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p.pgrp !== group || p.zombie || p === except) continue;
    const parent = p.parent;
    if (
      parent !== null && parent !== except && parent.pgrp !== group && parent.session === session
    ) {
      return false;
    }
  }
  return true;
}

/** True when the process group of a process is orphaned (POSIX §3.264): it does not stop for a terminal. */
export function inOrphanedGroup(process: Process): bool {
  return isOrphaned(process.pgrp, process.session, null);
}

function hasStopped(group: i32): bool {
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p.pgrp === group && p.groupStop && !p.zombie) return true;
  }
  return false;
}

/* Groups that our end orphans and that have stopped members get SIGHUP and SIGCONT (POSIX _exit). */
function checkOrphanedGroups(process: Process): void {
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p === process || p.zombie || !p.groupStop) continue;
    if (p.session !== process.session) continue;
    const related = p.pgrp === process.pgrp || wasParent(process, p);
    if (!related || !isOrphaned(p.pgrp, p.session, process) || !hasStopped(p.pgrp)) continue;
    signalSendGroup(p.pgrp, SIGHUP);
    signalSendGroup(p.pgrp, SIGCONT);
  }
}

/* Children have been adopted already: by whoever would adopt ours. */
function wasParent(process: Process, child: Process): bool {
  return child.parent === reaperOf(process);
}

/** True when the current thread has to end although nothing is delivered: exec elsewhere, exit_group. */
export function mustEnd(task: Task): bool {
  const process = task.process;
  return process.exiting || (process.execTask !== null && process.execTask !== task);
}

/** The wait status of a death by signal. */
export function killedStatus(signal: i32): i32 {
  return signal & SIGNAL_DEATH_MASK;
}
