/**
 * Timers in ticks: a callback in the tick interrupt, with interrupts off.
 *
 * A list sorted by expiry; the kernel has few timers at a time, and the tick looks at the first only.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { ticks } from "./ticks.ts";

/** A timer; embed it zeroed, set `callback` and `data`, then `timerArm`. */
/*@unmanaged*/
export class Timer {
  next: Timer | null;
  expires: u32;
  armed: bool;
  callback: (data: usize) => void;
  data: usize;
}

let first: Timer | null = null;

/** Lets the timer expire after `after` ticks (at least 1), instead of what it was armed for. */
export function timerArm(timer: Timer, after: u32): void {
  const flags = irqSave();
  timerCancel(timer);
  // Signed differences, so that the tick counter may wrap.
  if (after === 0) after = 1;
  if (after > 0x7ffffff0) after = 0x7ffffff0;
  timer.expires = ticks() + after;
  timer.armed = true;
  let before: Timer | null = null;
  let at = first;
  while (at !== null && <i32> (at.expires - timer.expires) <= 0) {
    before = at;
    at = at.next;
  }
  timer.next = at;
  if (before === null) first = timer;
  else before.next = timer;
  irqRestore(flags);
}

/** Disarms a timer; nothing happens when it is not armed. */
export function timerCancel(timer: Timer): void {
  const flags = irqSave();
  if (timer.armed) {
    if (first === timer) first = timer.next;
    else {
      let before = first;
      while (before !== null && before.next !== timer) before = before.next;
      if (before !== null) before.next = timer.next;
    }
    timer.armed = false;
  }
  irqRestore(flags);
}

/** Ticks until expiry, 0 when not armed or over. */
export function timerRemaining(timer: Timer): u32 {
  if (!timer.armed) return 0;
  const left = <i32> (timer.expires - ticks());
  return left > 0 ? <u32> left : 0;
}

/** Runs what has expired. For the tick interrupt. */
export function timersExpire(): void {
  while (true) {
    const timer = first;
    if (timer === null || <i32> (timer.expires - ticks()) > 0) return;
    first = timer.next;
    timer.armed = false;
    timer.callback(timer.data);
  }
}
