/**
 * Load averages: the number of tasks that run or want to, smoothed over 1, 5 and 15 minutes.
 *
 * Fixed point with 11 fractional bits, every five seconds, as Linux does (include/linux/sched/loadavg.h).
 *
 * @module
 */
import { runnableCount } from "./scheduler.ts";

const FIXED_ONE: u32 = 2048;
/** Ticks between samples: 5 s and a little, so that they do not beat with periodic work. */
const INTERVAL: u32 = 1251;

let one: u32 = 0;
let five: u32 = 0;
let fifteen: u32 = 0;
let left: u32 = INTERVAL;

function smooth(load: u32, decay: u32, active: u32): u32 {
  return (load * decay + active * (FIXED_ONE - decay)) / FIXED_ONE;
}

/** Counts a tick. */
export function loadTick(): void {
  if (--left > 0) return;
  left = INTERVAL;
  const active = runnableCount() * FIXED_ONE;
  one = smooth(one, 1884, active);
  five = smooth(five, 2014, active);
  fifteen = smooth(fifteen, 2037, active);
}

/** Load average 0–2 (1, 5, 15 minutes), with 11 fractional bits. */
export function loadAverage(which: u32): u32 {
  return which === 0 ? one : which === 1 ? five : fifteen;
}
