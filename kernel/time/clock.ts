/**
 * Clocks: nanoseconds since boot, and since the Epoch.
 *
 * Ticks give the coarse time; the time stamp counter, where there is one, refines it within a tick.
 * Its rate is taken between two timer interrupts at boot.
 *
 * @module
 */
import { cpuid_edx, hlt, rdtsc } from "../arch/i386/x86.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { HZ, TICK_NS, ticks, ticks64 } from "./ticks.ts";

const CPUID_TSC: u32 = 0x10;

let hasTsc = false;
let tscPerTick: u32 = 0;
let tscAtTick: u64 = 0;
let bootRealtime: u64 = 0;

/** Notes the counter at a tick. For the tick interrupt. */
export function clockTick(): void {
  if (hasTsc) tscAtTick = rdtsc();
}

/** Measures the time stamp counter. Interrupts are on and the timer runs. */
export function clockInit(): void {
  if ((cpuid_edx(1) & CPUID_TSC) === 0) return;
  const start = ticks();
  while (ticks() === start) hlt();
  const from = rdtsc();
  while (ticks() - start < 3) hlt();
  const delta = (rdtsc() - from) >> 1;
  if (delta === 0 || delta > 0xffffffff) return;
  const flags = irqSave();
  tscPerTick = <u32> delta;
  tscAtTick = rdtsc();
  hasTsc = true;
  irqRestore(flags);
}

/** Kilohertz of the time stamp counter, 0 without one. */
export function clockTscKhz(): u32 {
  return <u32> ((<u64> tscPerTick * HZ) / 1000);
}

/** Nanoseconds since boot; never goes back. */
export function monotonicNs(): u64 {
  const flags = irqSave();
  const base = ticks64() * <u64> TICK_NS;
  let part: u32 = 0;
  if (hasTsc) {
    const delta = rdtsc() - tscAtTick;
    part = delta >= <u64> tscPerTick
      ? TICK_NS - 1
      : <u32> (delta * <u64> TICK_NS / <u64> tscPerTick);
  }
  irqRestore(flags);
  return base + <u64> part;
}

/** Nanoseconds since 1970-01-01 00:00 UTC. */
export function realtimeNs(): u64 {
  return bootRealtime + monotonicNs();
}

/** Seconds since the Epoch, for time stamps of files. */
export function realtimeSeconds(): u32 {
  return <u32> (realtimeNs() / 1000000000);
}

/** Sets the wall clock, in nanoseconds since the Epoch. */
export function realtimeSet(ns: u64): void {
  bootRealtime = ns - monotonicNs();
}
