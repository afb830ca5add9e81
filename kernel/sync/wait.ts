/**
 * Wait queues: tasks that sleep until something happens.
 *
 * The caller holds `irqSave`, tests its condition in a loop and sleeps in it; interrupts are on
 * while it sleeps (others run) and off again when the call returns. Waking is allowed anywhere.
 *
 *     const flags = irqSave();
 *     while (!condition) {
 *       if (sleepOnInterruptible(q) < 0) { irqRestore(flags); return -ERESTARTSYS; }
 *     }
 *     irqRestore(flags);
 *
 * To wait for several queues, give each an entry (`waitQueueAdd`), then test, `sleepPrepared`, test…
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { ERESTARTSYS } from "../abi/signal.ts";
import { current, signalPending, Task, TASK_SLEEPING, TASK_SLEEPING_DEEP } from "../proc/task.ts";
import { schedule, wakeTask } from "../sched/scheduler.ts";
import { timerArm, timerCancel, timerRemaining } from "../time/timer.ts";

/** One sleeper in one queue. */
/*@unmanaged*/
export class WaitEntry {
  next: WaitEntry | null;
  previous: WaitEntry | null;
  queue: WaitQueue | null;
  task: Task;
}

/** A queue of sleepers; embed it and call `waitQueueInit`, or leave it zeroed. */
/*@unmanaged*/
export class WaitQueue {
  first: WaitEntry | null;
  last: WaitEntry | null;
}

/** Sleep without end. */
export const FOREVER: u32 = 0xffffffff;

/** Empties a queue that is new. */
export function waitQueueInit(q: WaitQueue): void {
  q.first = null;
  q.last = null;
}

/** True when somebody sleeps on it. */
export function waitQueueActive(q: WaitQueue): bool {
  return q.first !== null;
}

/** Puts the current task into a queue; it does not sleep yet. `entry` may not be in another queue. */
export function waitQueueAdd(q: WaitQueue, entry: WaitEntry): void {
  const flags = irqSave();
  entry.task = current();
  entry.queue = q;
  entry.next = null;
  entry.previous = q.last;
  if (q.last !== null) q.last!.next = entry;
  else q.first = entry;
  q.last = entry;
  irqRestore(flags);
}

/** Takes an entry out of its queue, if it is in one. */
export function waitQueueRemove(entry: WaitEntry): void {
  const flags = irqSave();
  const q = entry.queue;
  if (q !== null) {
    if (entry.previous !== null) entry.previous!.next = entry.next;
    else q.first = entry.next;
    if (entry.next !== null) entry.next!.previous = entry.previous;
    else q.last = entry.previous;
    entry.queue = null;
  }
  irqRestore(flags);
}

/**
 * Sleeps until woken, until `ticks` have passed, or (`interruptible`) until a signal is pending, in
 * which case it does not sleep at all if one already is. Remaining ticks; 0 when they are over.
 * The caller has interrupts off.
 */
export function sleepPrepared(ticks: u32, interruptible: bool): u32 {
  const task = current();
  if (interruptible && signalPending()) return ticks;
  if (ticks === 0) return 0;
  task.state = interruptible ? TASK_SLEEPING : TASK_SLEEPING_DEEP;
  if (ticks === FOREVER) {
    schedule();
    return FOREVER;
  }
  const timer = task.sleepTimer;
  timer.callback = wakeFromTimer;
  timer.data = changetype<usize>(task);
  timerArm(timer, ticks);
  schedule();
  const left = timerRemaining(timer);
  timerCancel(timer);
  return left;
}

function wakeFromTimer(data: usize): void {
  wakeTask(changetype<Task>(data));
}

function sleepIn(q: WaitQueue, ticks: u32, interruptible: bool): u32 {
  const entry = current().sleepEntry;
  waitQueueAdd(q, entry);
  const left = sleepPrepared(ticks, interruptible);
  waitQueueRemove(entry);
  return left;
}

/** Sleeps until woken; signals wait. */
export function sleepOn(q: WaitQueue): void {
  sleepIn(q, FOREVER, false);
}

/** Sleeps until woken or a signal is pending: 0, or -ERESTARTSYS for the system call to return. */
export function sleepOnInterruptible(q: WaitQueue): i32 {
  sleepIn(q, FOREVER, true);
  return signalPending() ? -ERESTARTSYS : 0;
}

/** Sleeps until woken, at most `ticks`; signals wait. Remaining ticks, 0 when they are over. */
export function sleepOnTimeout(q: WaitQueue, ticks: u32): u32 {
  return sleepIn(q, ticks, false);
}

/** As `sleepOnTimeout`, but ends for a signal, too: test `signalPending()`. */
export function sleepOnInterruptibleTimeout(q: WaitQueue, ticks: u32): u32 {
  return sleepIn(q, ticks, true);
}

/** Wakes the sleeper that waits longest. */
export function wakeOne(q: WaitQueue): void {
  const flags = irqSave();
  // Who was woken stays queued until it runs; the next call must reach another one.
  let entry = q.first;
  while (entry !== null && !wakeTask(entry.task)) entry = entry.next;
  irqRestore(flags);
}

/** Wakes all sleepers. */
export function wakeAll(q: WaitQueue): void {
  const flags = irqSave();
  for (let nextEntry: WaitEntry | null = q.first; nextEntry !== null;) {
    const entry = nextEntry;
    nextEntry = entry.next;
    wakeTask(entry.task);
  }
  irqRestore(flags);
}
