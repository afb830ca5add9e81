/**
 * wait4(2), waitid(2): a process learns what became of its children.
 *
 * @module
 */
import { ECHILD, EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import { WALL, WCLONE, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WUNTRACED } from "../abi/sched.ts";
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SIGCHLD,
  SIGCONT,
} from "../abi/signal.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { kfree, kzalloc } from "../mm/heap.ts";
import { clearOut, copyOut, putUser32 } from "../mm/user.ts";
import { sleepOnInterruptible } from "../sync/wait.ts";
import { reapProcess } from "./exit.ts";
import { current, Process } from "./task.ts";
import { fillUsage, RUSAGE_SIZE, USAGE_CHILD } from "./usage.ts";

const STATUS_CONTINUED: i32 = 0xffff;
const STATUS_STOPPED: i32 = 0x7f;
const SIGINFO_SIZE: u32 = 128;

/** What was found: filled by `look`. */
let foundStatus: i32 = 0;
let foundCode: i32 = 0;

function matches(child: Process, which: i32, options: u32): bool {
  if (which > 0 && child.pid !== which) return false;
  if (which === 0 && child.pgrp !== current().pgrp) return false;
  if (which < -1 && child.pgrp !== -which) return false;
  if ((options & WALL) !== 0) return true;
  return ((options & WCLONE) !== 0) === (child.leader.exitSignal !== SIGCHLD);
}

/* A child with news that the options ask for; null, and `any` tells whether there are children. */
let any = false;
function look(which: i32, options: u32): Process | null {
  any = false;
  const keep = (options & WNOWAIT) !== 0;
  for (let nextProcess: Process | null = current().process.firstChild; nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.sibling;
    if (!matches(p, which, options)) continue;
    any = true;
    if (p.zombie) {
      if ((options & WEXITED) === 0) continue;
      foundStatus = p.exitStatus;
      const signal = p.exitStatus & 0x7f;
      foundCode = signal === 0 ? CLD_EXITED : (p.exitStatus & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED;
      return p;
    }
    if (p.reportStop && (options & WUNTRACED) !== 0) {
      if (!keep) p.reportStop = false;
      foundStatus = (p.stopSignal << 8) | STATUS_STOPPED;
      foundCode = CLD_STOPPED;
      return p;
    }
    if (p.reportContinue && (options & WCONTINUED) !== 0) {
      if (!keep) p.reportContinue = false;
      foundStatus = STATUS_CONTINUED;
      foundCode = CLD_CONTINUED;
      return p;
    }
  }
  return null;
}

/* Waits for news: the child, or null with `failed` set (0 for WNOHANG). */
let failed: i32 = 0;
function waitFor(which: i32, options: u32): Process | null {
  const queue = current().process.childWait;
  const flags = irqSave();
  while (true) {
    const child = look(which, options);
    if (child !== null || !any || (options & WNOHANG) !== 0) {
      failed = any ? 0 : -ECHILD;
      irqRestore(flags);
      return child;
    }
    const error = sleepOnInterruptible(queue);
    if (error < 0) {
      // News may have come with the signal.
      const late = look(which, options);
      failed = error;
      irqRestore(flags);
      return late;
    }
  }
}

function finish(child: Process, options: u32): void {
  if (!child.zombie || (options & WNOWAIT) !== 0) return;
  const process = current().process;
  process.childUserTicks += child.userTicks + child.childUserTicks;
  process.childSystemTicks += child.systemTicks + child.childSystemTicks;
  process.childMinorFaults += child.deadMinorFaults + child.childMinorFaults;
  process.childMajorFaults += child.deadMajorFaults + child.childMajorFaults;
  if (child.maxRss > process.childMaxRss) process.childMaxRss = child.maxRss;
  if (child.childMaxRss > process.childMaxRss) process.childMaxRss = child.childMaxRss;
  reapProcess(child);
}

/** wait4(2). */
export function wait4(which: i32, status: u32, options: u32, usage: u32): i32 {
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | WALL | WCLONE | 0x20000000)) !== 0) {
    return -EINVAL;
  }
  const child = waitFor(which, options | WEXITED);
  if (child === null) return failed;
  const pid = child.pid;
  const value = foundStatus;
  let result = pid;
  if (usage !== 0) {
    const block = kzalloc(RUSAGE_SIZE);
    if (block !== 0) {
      fillUsage(block, child, USAGE_CHILD);
      if (copyOut(usage, block, RUSAGE_SIZE) < 0) result = -EFAULT;
      kfree(block);
    }
  }
  finish(child, options);
  if (status !== 0 && putUser32(status, <u32> value) < 0) result = -EFAULT;
  return result;
}

/** waitid(2); `type` is P_ALL 0, P_PID 1, P_PGID 2. */
export function waitId(type: u32, id: i32, info: u32, options: u32, usage: u32): i32 {
  if ((options & (WEXITED | WUNTRACED | WCONTINUED)) === 0) return -EINVAL;
  let which: i32 = -1;
  if (type === 1) {
    if (id <= 0) return -EINVAL;
    which = id;
  } else if (type === 2) which = id === 0 ? 0 : -id;
  else if (type !== 0) return -EINVAL;
  const child = waitFor(which, options);
  if (child === null && failed < 0) return failed;
  const block = kzalloc(SIGINFO_SIZE);
  if (block === 0) return -ENOMEM;
  if (child !== null) {
    const killed = foundCode !== CLD_EXITED;
    store<i32>(block, SIGCHLD);
    store<i32>(block, foundCode, 8);
    store<i32>(block, child.pid, 12);
    store<u32>(block, child.leader.uid, 16);
    let value = killed ? foundStatus & 0x7f : (foundStatus >> 8) & 0xff;
    if (foundCode === CLD_STOPPED) value = child.stopSignal;
    if (foundCode === CLD_CONTINUED) value = SIGCONT;
    store<i32>(block, value, 20);
  }
  let result: i32 = 0;
  if (usage !== 0 && child !== null) {
    const times = kzalloc(RUSAGE_SIZE);
    if (times !== 0) {
      fillUsage(times, child, USAGE_CHILD);
      if (copyOut(usage, times, RUSAGE_SIZE) < 0) result = -EFAULT;
      kfree(times);
    }
  }
  if (child !== null) finish(child, options);
  if (info !== 0) {
    const error = child === null
      ? clearOut(info, SIGINFO_SIZE)
      : copyOut(info, block, SIGINFO_SIZE);
    if (error < 0) result = error;
  }
  kfree(block);
  return result;
}
