/**
 * The tick counter: timer interrupts since boot.
 *
 * @module
 */

/** Ticks a second. */
export const HZ: u32 = 250;
/** Nanoseconds a tick. */
export const TICK_NS: u32 = 4000000;

let count: u32 = 0;
let high: u32 = 0;

/** Ticks since boot, modulo 2^32. */
export function ticks(): u32 {
  return count;
}

/** Ticks since boot. */
export function ticks64(): u64 {
  return (<u64> high << 32) | <u64> count;
}

/** Counts one. For the tick interrupt. */
export function tickAdvance(): void {
  count++;
  if (count === 0) high++;
}

/** Ticks that last at least `ns` nanoseconds, one more because the current tick has begun. */
export function ticksFromNs(ns: u64): u32 {
  if (ns === 0) return 0;
  const n = (ns + <u64> (TICK_NS - 1)) / <u64> TICK_NS + 1;
  return n > 0x7ffffff0 ? 0x7ffffff0 : <u32> n;
}

/** Ticks that last at least `ms` milliseconds. */
export function ticksFromMs(ms: u32): u32 {
  return ticksFromNs(<u64> ms * 1000000);
}
