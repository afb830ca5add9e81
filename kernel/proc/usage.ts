/**
 * Resources that were used: struct rusage (sys/resource.h), 72 bytes.
 *
 * @module
 */
import { HZ } from "../time/ticks.ts";
import { Process, Task } from "./task.ts";

export const RUSAGE_SIZE: u32 = 72;
/** What to report: a process, its waited-for children, or both (for wait). */
export const USAGE_SELF: u32 = 0;
export const USAGE_CHILDREN: u32 = 1;
export const USAGE_CHILD: u32 = 2;

const US_PER_TICK: u32 = 1000000 / HZ;

/** Ticks in user mode of all threads, the dead ones included. */
export function processUserTicks(process: Process): u32 {
  let n = process.userTicks;
  for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    if (!process.zombie && t.state < 4) n += t.userTicks;
  }
  return n;
}

/** As `processUserTicks` in the kernel. */
export function processSystemTicks(process: Process): u32 {
  let n = process.systemTicks;
  for (let nextThread: Task | null = process.firstThread; nextThread !== null;) {
    const t = nextThread;
    nextThread = t.threadNext;
    if (!process.zombie && t.state < 4) n += t.systemTicks;
  }
  return n;
}

function putTime(at: usize, ticks: u32): void {
  store<u32>(at, ticks / HZ);
  store<u32>(at, ticks % HZ * US_PER_TICK, 4);
}

/** Fills a zeroed struct rusage. */
export function fillUsage(at: usize, process: Process, what: u32): void {
  let user: u32 = 0;
  let system: u32 = 0;
  let minor: u32 = 0;
  let major: u32 = 0;
  let peak: u32 = 0;
  if (what !== USAGE_CHILDREN) {
    user = processUserTicks(process);
    system = processSystemTicks(process);
    minor = process.deadMinorFaults;
    major = process.deadMajorFaults;
    peak = process.maxRss;
    for (
      let nextThread: Task | null = process.firstThread;
      nextThread !== null && !process.zombie;
    ) {
      const t = nextThread;
      nextThread = t.threadNext;
      minor += t.minorFaults;
      major += t.majorFaults;
      if (t.mm !== null && t.mm!.residentPeak > peak) peak = t.mm!.residentPeak;
    }
  }
  if (what !== USAGE_SELF) {
    user += process.childUserTicks;
    system += process.childSystemTicks;
    minor += process.childMinorFaults;
    major += process.childMajorFaults;
    if (process.childMaxRss > peak) peak = process.childMaxRss;
  }
  putTime(at, user);
  putTime(at + 8, system);
  store<u32>(at, peak << 2, 16); // KiB
  store<u32>(at, minor, 32);
  store<u32>(at, major, 36);
}
