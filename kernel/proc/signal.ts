/**
 * Signals: who gets them, what is pending, what is ignored. Delivery to user code is in
 * `signal_deliver.ts`.
 *
 * Sources: POSIX XSH §2.4; Linux signal(7).
 *
 * @module
 */
import { EAGAIN, ESRCH } from "../abi/errno.ts";
import {
  SI_KERNEL,
  SI_USER,
  SIG_DFL,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGNAL_MAX,
  SIGRTMIN,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
} from "../abi/signal.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { requestReschedule, wakeForSignal } from "../sched/scheduler.ts";
import { notifyParent } from "./notify.ts";
import { SignalInfo } from "./signal_info.ts";
import { current, Process, SignalActions, Task, TASK_DEAD, TASK_ZOMBIE } from "./task.ts";
import { processFirst } from "./task_list.ts";

/** Bytes of an entry of SignalActions: handler, flags, restorer, mask. */
export const ACTION_SIZE: u32 = 20;
/** Most queued signals of one receiver. */
const QUEUE_MAX: u32 = 1024;

/** The bit of a signal in a mask. */
/*@inline*/
export function signalBit(signal: i32): u64 {
  return <u64> 1 << (signal - 1);
}

/* 17 CHLD, 18 CONT, 23 URG, 28 WINCH. */
const IGNORED_BY_DEFAULT: u64 = 0x0000000008430000;
/** SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU. */
export const STOP_SIGNALS: u64 = 0x00000000003c0000;
/** SIGKILL and SIGSTOP, which cannot be blocked. */
export const UNBLOCKABLE: u64 = 0x0000000000040100;

/** New actions, all default; null when memory is out. */
export function actionsNew(): SignalActions | null {
  const actions = changetype<SignalActions | null>(kzalloc(offsetof<SignalActions>()));
  if (actions === null) return null;
  actions.entries = kzalloc(ACTION_SIZE * SIGNAL_MAX);
  if (actions.entries === 0) {
    kfree(changetype<usize>(actions));
    return null;
  }
  actions.references = 1;
  return actions;
}

/** A copy for fork, null when memory is out. */
export function actionsCopy(from: SignalActions): SignalActions | null {
  const actions = actionsNew();
  if (actions !== null) memory.copy(actions.entries, from.entries, ACTION_SIZE * SIGNAL_MAX);
  return actions;
}

/** Drops a reference. */
export function actionsRelease(actions: SignalActions): void {
  if (--actions.references > 0) return;
  kfree(actions.entries);
  kfree(changetype<usize>(actions));
}

/** Handlers become default, what is ignored stays so (exec). */
export function actionsExec(actions: SignalActions): void {
  for (let signal: i32 = 1; signal <= SIGNAL_MAX; signal++) {
    const entry = actionOf(actions, signal);
    const ignored = load<u32>(entry) === SIG_IGN;
    memory.fill(entry, 0, ACTION_SIZE);
    if (ignored) store<u32>(entry, SIG_IGN);
  }
}

/** Address of the entry of a signal. */
export function actionOf(actions: SignalActions, signal: i32): usize {
  return actions.entries + <u32> (signal - 1) * ACTION_SIZE;
}

/** True when the signal does nothing to the task, by its action or by default. */
export function signalIgnored(task: Task, signal: i32): bool {
  if (signal === SIGKILL || signal === SIGSTOP) return false;
  const handler = load<u32>(actionOf(task.actions, signal));
  if (handler === SIG_IGN) return true;
  if (handler !== SIG_DFL) return false;
  // Init survives what it does not handle (pid 1 would take the system down).
  if (task.process.pid === 1 && signal !== SIGCONT) return true;
  return (IGNORED_BY_DEFAULT & signalBit(signal)) !== 0 && signal !== SIGCONT;
}

/** True when the signal is blocked or ignored by its action (SIGTTIN, SIGTTOU rules). */
export function signalBlockedOrIgnored(task: Task, signal: i32): bool {
  return (task.blocked & signalBit(signal)) !== 0 ||
    load<u32>(actionOf(task.actions, signal)) === SIG_IGN;
}

function removeFrom(list: SignalInfo | null, mask: u64): SignalInfo | null {
  let first: SignalInfo | null = null;
  let last: SignalInfo | null = null;
  let at = list;
  while (at !== null) {
    const next = at.next;
    if ((signalBit(at.signal) & mask) !== 0) kfree(changetype<usize>(at));
    else {
      at.next = null;
      if (last === null) first = at;
      else last.next = at;
      last = at;
    }
    at = next;
  }
  return first;
}

/** Drops pending signals of a task and of its process. */
export function signalFlush(task: Task, mask: u64): void {
  const flags = irqSave();
  task.pending = removeFrom(task.pending, mask);
  task.pendingMask &= ~mask;
  irqRestore(flags);
}

function processFlush(process: Process, mask: u64): void {
  process.pending = removeFrom(process.pending, mask);
  process.pendingMask &= ~mask;
  for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    signalFlush(t, mask);
  }
}

/** Drops what is pending for a process and all its threads. */
export function signalFlushProcess(process: Process, mask: u64): void {
  const flags = irqSave();
  processFlush(process, mask);
  irqRestore(flags);
}

function append(list: SignalInfo | null, info: SignalInfo): SignalInfo {
  if (list === null) return info;
  let at = list;
  let n: u32 = 0;
  while (at.next !== null) {
    at = at.next!;
    n++;
  }
  at.next = info;
  return list;
}

function queueLength(list: SignalInfo | null): u32 {
  let n: u32 = 0;
  for (let following: SignalInfo | null = list; following !== null;) {
    const at = following;
    following = at.next;
    n++;
  }
  return n;
}

/** SIGCONT continues a stopped process as soon as it is sent. */
function continueProcess(process: Process): void {
  if (!process.groupStop) return;
  process.groupStop = false;
  process.reportStop = false;
  process.reportContinue = true;
  for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    wakeForSignal(t, true);
  }
  notifyParent(process, true);
}

/**
 * Queues a signal with its siginfo words for a task, or (`shared`) for its process: 0, or -EAGAIN when
 * a real-time signal finds the queue full. Ignored ones vanish here.
 */
export function signalSendInfo(
  task: Task,
  signal: i32,
  code: i32,
  a: u32,
  b: u32,
  c: u32,
  shared: bool,
): i32 {
  const process = task.process;
  if (process.pid === 0 || process.zombie || (!shared && task.state >= TASK_ZOMBIE)) return 0;
  const flags = irqSave();
  const bit = signalBit(signal);
  if (signal === SIGCONT) {
    processFlush(process, STOP_SIGNALS);
    continueProcess(process);
  } else if ((bit & STOP_SIGNALS) !== 0) {
    processFlush(process, signalBit(SIGCONT));
  }
  const receiver = shared ? chooseThread(process, task, bit) : task;
  if ((receiver.blocked & bit) === 0 && signalIgnored(task, signal)) {
    irqRestore(flags);
    return 0;
  }
  const already = shared ? process.pendingMask : task.pendingMask;
  if (signal < SIGRTMIN && (already & bit) !== 0) {
    irqRestore(flags);
    return 0;
  }
  let info: SignalInfo | null = null;
  if (signal < SIGRTMIN || queueLength(shared ? process.pending : task.pending) < QUEUE_MAX) {
    info = changetype<SignalInfo | null>(kmalloc(offsetof<SignalInfo>()));
  }
  if (info === null && signal >= SIGRTMIN) {
    irqRestore(flags);
    return -EAGAIN;
  }
  if (info !== null) {
    info.next = null;
    info.signal = signal;
    info.error = 0;
    info.code = code;
    info.a = a;
    info.b = b;
    info.c = c;
    info.d = 0;
    info.e = 0;
    if (shared) process.pending = append(process.pending, info);
    else task.pending = append(task.pending, info);
  }
  if (shared) process.pendingMask |= bit;
  else task.pendingMask |= bit;
  if (signal === SIGKILL) {
    for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
      const t = nextThread;
      nextThread = t.threadNext;
      t.pendingMask |= bit;
      wakeForSignal(t, true);
    }
  } else if ((receiver.blocked & bit) === 0) {
    wakeForSignal(receiver, false);
    if (receiver === current()) requestReschedule();
  }
  irqRestore(flags);
  return 0;
}

function chooseThread(process: Process, preferred: Task, bit: u64): Task {
  if ((preferred.blocked & bit) === 0 && preferred.state < TASK_ZOMBIE) return preferred;
  for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    if ((t.blocked & bit) === 0 && t.state < TASK_ZOMBIE) return t;
  }
  return preferred;
}

/** The kernel sends a signal to a task's process. */
export function signalSend(task: Task, signal: i32): void {
  signalSendInfo(task, signal, SI_KERNEL, 0, 0, 0, true);
}

/** The kernel sends a signal to all processes of a group: 0, or -ESRCH when there are none. */
export function signalSendGroup(group: i32, signal: i32): i32 {
  let found = false;
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p.pgrp !== group || p.zombie || p.pid === 0) continue;
    found = true;
    signalSend(p.leader, signal);
  }
  return found ? 0 : -ESRCH;
}

/** The current process sends a signal (kill): siginfo says who. */
export function signalSendByUser(task: Task, signal: i32): i32 {
  const sender = current();
  return signalSendInfo(task, signal, SI_USER, <u32> sender.process.pid, sender.uid, 0, true);
}

/** A fault of the current task: its handler runs, or it dies even if it blocks or ignores the signal. */
export function signalForce(signal: i32, code: i32, address: u32): void {
  const task = current();
  const entry = actionOf(task.actions, signal);
  const bit = signalBit(signal);
  if ((task.blocked & bit) !== 0 || load<u32>(entry) === SIG_IGN || task.process.pid === 1) {
    if ((task.blocked & bit) !== 0 || load<u32>(entry) <= SIG_IGN) {
      store<u32>(entry, SIG_DFL);
      task.blocked &= ~bit;
      if (task.process.pid === 1) {
        task.pendingMask |= signalBit(SIGKILL);
        return;
      }
    }
  }
  signalSendInfo(task, signal, code, address, 0, 0, false);
}

/** Takes the pending signal that comes first, of those in `mask`: null when there is none. */
export function signalTake(task: Task, mask: u64): SignalInfo | null {
  const flags = irqSave();
  const process = task.process;
  let ready = task.pendingMask & mask;
  const own = ready !== 0;
  if (!own) ready = process.pendingMask & mask;
  if (ready === 0) {
    irqRestore(flags);
    return null;
  }
  // Faults first (they belong to the instruction that waits), then by number.
  const faults: u64 = 0x4d8;
  const signal = <i32> ctz(((ready & faults) !== 0) ? ready & faults : ready) + 1;
  let before: SignalInfo | null = null;
  let info: SignalInfo | null = own ? task.pending : process.pending;
  while (info !== null && info.signal !== signal) {
    before = info;
    info = info.next;
  }
  let more = false;
  if (info === null) {
    info = changetype<SignalInfo | null>(kzalloc(offsetof<SignalInfo>()));
    if (info !== null) info.signal = signal;
  } else {
    if (before !== null) before.next = info.next;
    else if (own) task.pending = info.next;
    else process.pending = info.next;
    for (let following: SignalInfo | null = info.next; following !== null;) {
      const at = following;
      following = at.next;
      if (at.signal === signal) more = true;
    }
  }
  if (!more) {
    if (own) task.pendingMask &= ~signalBit(signal);
    else process.pendingMask &= ~signalBit(signal);
  }
  irqRestore(flags);
  return info;
}

/** Changes the mask of the current task. */
export function signalSetMask(mask: u64): void {
  current().blocked = mask & ~UNBLOCKABLE;
}

/** True for the three signals of terminals that only stop. */
export function isTerminalStop(signal: i32): bool {
  return signal === SIGTSTP || signal === SIGTTIN || signal === SIGTTOU;
}

/** True for signals that do nothing by default. */
export function ignoredByDefault(signal: i32): bool {
  return signal === SIGCHLD || signal === SIGURG || signal === SIGWINCH || signal === SIGCONT;
}

/** Drops what is left for a task that ends. */
export function signalsFree(task: Task): void {
  task.pending = removeFrom(task.pending, ~(<u64> 0));
  task.pendingMask = 0;
}

/** Drops what is left for a process that is reaped. */
export function processSignalsFree(process: Process): void {
  process.pending = removeFrom(process.pending, ~(<u64> 0));
}

/** True when a task can still receive something. */
export function isAlive(task: Task): bool {
  return task.state < TASK_ZOMBIE && task.state !== TASK_DEAD;
}
