/**
 * Sleeping locks. Not recursive, not for interrupt handlers.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { current, Task } from "../proc/task.ts";
import { sleepOn, WaitQueue, waitQueueInit, wakeOne } from "./wait.ts";

/** A lock; embed it and call `mutexInit`, or leave it zeroed. */
/*@unmanaged*/
export class Mutex {
  owner: Task | null;
  /* An embedded WaitQueue: AssemblyScript has no fields by value. */
  waitersFirst: usize;
  waitersLast: usize;

  /** The queue of those who wait for the lock. */
  get waiters(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Mutex>("waitersFirst"));
  }
}

/** Makes a new mutex free. */
export function mutexInit(m: Mutex): void {
  m.owner = null;
  waitQueueInit(m.waiters);
}

/** Takes the lock, sleeping until it is free. */
export function lock(m: Mutex): void {
  const flags = irqSave();
  while (m.owner !== null) sleepOn(m.waiters);
  m.owner = current();
  irqRestore(flags);
}

/** Takes the lock if it is free. */
export function tryLock(m: Mutex): bool {
  const flags = irqSave();
  const free = m.owner === null;
  if (free) m.owner = current();
  irqRestore(flags);
  return free;
}

/** Gives the lock back. */
export function unlock(m: Mutex): void {
  const flags = irqSave();
  m.owner = null;
  wakeOne(m.waiters);
  irqRestore(flags);
}
