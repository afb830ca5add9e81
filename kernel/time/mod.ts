/**
 * Ticks, timers, clocks.
 *
 * @module
 */
export {
  clockInit,
  clockTick,
  clockTscKhz,
  monotonicNs,
  realtimeNs,
  realtimeSeconds,
  realtimeSet,
} from "./clock.ts";
export { HZ, TICK_NS, tickAdvance, ticks, ticks64, ticksFromMs, ticksFromNs } from "./ticks.ts";
export { Timer, timerArm, timerCancel, timerRemaining, timersExpire } from "./timer.ts";
