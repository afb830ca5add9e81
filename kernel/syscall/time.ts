/**
 * System calls about time: clocks, sleeping, interval timers.
 *
 * @module
 */
import { EFAULT, EINTR, EINVAL, EPERM } from "../abi/errno.ts";
import {
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  SIGALRM,
  SIGPROF,
  SIGVTALRM,
} from "../abi/signal.ts";
import {
  SYS_ALARM,
  SYS_CLOCK_GETRES,
  SYS_CLOCK_GETRES_TIME64,
  SYS_CLOCK_GETTIME,
  SYS_CLOCK_GETTIME64,
  SYS_CLOCK_NANOSLEEP,
  SYS_CLOCK_NANOSLEEP_TIME64,
  SYS_CLOCK_SETTIME,
  SYS_CLOCK_SETTIME64,
  SYS_GETITIMER,
  SYS_GETTIMEOFDAY,
  SYS_NANOSLEEP,
  SYS_RESTART_SYSCALL,
  SYS_SETITIMER,
  SYS_SETTIMEOFDAY,
  SYS_STIME,
  SYS_TIME,
  SYS_TIMES,
} from "../abi/syscall.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { getUser32, putUser32, userWord } from "../mm/user.ts";
import { signalSend } from "../proc/signal.ts";
import { current, Process, signalPending, Task } from "../proc/task.ts";
import { processSystemTicks, processUserTicks } from "../proc/usage.ts";
import { sleepPrepared } from "../sync/wait.ts";
import {
  HZ,
  monotonicNs,
  realtimeNs,
  realtimeSet,
  TICK_NS,
  ticks,
  ticksFromNs,
  timerArm,
  timerCancel,
} from "../time/mod.ts";
import {
  NS,
  readTimespec,
  readTimeval,
  timespecNs,
  writeTimespec,
  writeTimeval,
} from "./timespec.ts";
import { syscallRegister } from "./table.ts";

const CLOCK_REALTIME: u32 = 0;
const CLOCK_MONOTONIC: u32 = 1;
const CLOCK_PROCESS_CPUTIME: u32 = 2;
const CLOCK_THREAD_CPUTIME: u32 = 3;
const CLOCK_MONOTONIC_RAW: u32 = 4;
const CLOCK_REALTIME_COARSE: u32 = 5;
const CLOCK_MONOTONIC_COARSE: u32 = 6;
const CLOCK_BOOTTIME: u32 = 7;
const CLOCK_TAI: u32 = 11;
const TIMER_ABSTIME: u32 = 1;
/** Ticks a second of times(2). */
const USER_HZ: u32 = 100;

let clockValue: u64 = 0;

/* Reads a clock into `clockValue`: 0 or -EINVAL. */
function readClock(clock: u32): i32 {
  const task = current();
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
      clockValue = realtimeNs();
      return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
      clockValue = monotonicNs();
      return 0;
    case CLOCK_PROCESS_CPUTIME: {
      const process = task.process;
      clockValue = <u64> (processUserTicks(process) + processSystemTicks(process)) * <u64> TICK_NS;
      return 0;
    }
    case CLOCK_THREAD_CPUTIME:
      clockValue = <u64> (task.userTicks + task.systemTicks) * <u64> TICK_NS;
      return 0;
    default:
      return -EINVAL;
  }
}

function getClock(clock: u32, address: u32, wide: bool): i32 {
  const error = readClock(clock);
  return error < 0 ? error : writeTimespec(address, clockValue, wide);
}

function sysClockGettime(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getClock(clock, address, false);
}

function sysClockGettime64(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getClock(clock, address, true);
}

function getResolution(clock: u32, address: u32, wide: bool): i32 {
  const error = readClock(clock);
  if (error < 0) return error;
  const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
  return address === 0 ? 0 : writeTimespec(address, coarse ? <u64> TICK_NS : 1, wide);
}

function sysClockGetres(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getResolution(clock, address, false);
}

function sysClockGetres64(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getResolution(clock, address, true);
}

function setClock(clock: u32, address: u32, wide: bool): i32 {
  if (clock !== CLOCK_REALTIME) return -EINVAL;
  const error = readTimespec(address, wide);
  if (error < 0) return error;
  if (current().euid !== 0) return -EPERM;
  realtimeSet(timespecNs());
  return 0;
}

function sysClockSettime(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setClock(clock, address, false);
}

function sysClockSettime64(clock: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setClock(clock, address, true);
}

/* Sleeps until a monotonic time: false when a signal came first. */
function sleepUntil(deadline: u64): bool {
  const flags = irqSave();
  while (true) {
    const now = monotonicNs();
    if (now >= deadline) {
      irqRestore(flags);
      return true;
    }
    if (signalPending()) {
      irqRestore(flags);
      return false;
    }
    sleepPrepared(ticksFromNs(deadline - now), true);
  }
}

/* How a relative sleep goes on after a stop: the deadline stays. restartB: bit 0 is "wide". */
function restartSleep(task: Task): i32 {
  return sleepRelative(task.restartDeadline, task.restartA, task.restartB !== 0);
}

function sleepRelative(deadline: u64, remaining: u32, wide: bool): i32 {
  if (sleepUntil(deadline)) return 0;
  if (remaining !== 0) {
    const now = monotonicNs();
    const left = deadline > now ? deadline - now : 0;
    if (writeTimespec(remaining, left, wide) < 0) return -EFAULT;
  }
  const task = current();
  task.restart = restartSleep;
  task.restartA = remaining;
  task.restartB = wide ? 1 : 0;
  task.restartDeadline = deadline;
  return -ERESTART_RESTARTBLOCK;
}

function sysRestart(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const restart = task.restart;
  if (restart === null) return -EINTR;
  task.restart = null;
  return restart(task);
}

function nanosleep(clock: u32, flags: u32, request: u32, remaining: u32, wide: bool): i32 {
  if (clock === CLOCK_THREAD_CPUTIME) return -EINVAL;
  const error = readTimespec(request, wide);
  if (error < 0) return error;
  const wanted = timespecNs();
  const clockError = readClock(clock);
  if (clockError < 0) return clockError;
  if ((flags & TIMER_ABSTIME) === 0) return sleepRelative(monotonicNs() + wanted, remaining, wide);
  const offset = clockValue;
  if (wanted <= offset) return 0;
  return sleepUntil(monotonicNs() + (wanted - offset)) ? 0 : -ERESTARTNOHAND;
}

function sysNanosleep(request: u32, remaining: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return nanosleep(CLOCK_MONOTONIC, 0, request, remaining, false);
}

function sysClockNanosleep(clock: u32, flags: u32, a: u32, b: u32, _e: u32, _f: u32): i32 {
  return nanosleep(clock, flags, a, b, false);
}

function sysClockNanosleep64(clock: u32, flags: u32, a: u32, b: u32, _e: u32, _f: u32): i32 {
  return nanosleep(clock, flags, a, b, true);
}

function sysTime(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const now = <u32> (realtimeNs() / NS);
  if (address !== 0 && putUser32(address, now) < 0) return -EFAULT;
  return <i32> now;
}

function sysStime(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (getUser32(address) < 0) return -EFAULT;
  const seconds = userWord();
  if (current().euid !== 0) return -EPERM;
  realtimeSet(<u64> seconds * NS);
  return 0;
}

function sysGettimeofday(address: u32, zone: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (address !== 0 && writeTimeval(address, realtimeNs()) < 0) return -EFAULT;
  if (zone !== 0 && (putUser32(zone, 0) < 0 || putUser32(zone + 4, 0) < 0)) return -EFAULT;
  return 0;
}

function sysSettimeofday(address: u32, _zone: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (current().euid !== 0) return -EPERM;
  if (address === 0) return 0;
  const error = readTimeval(address);
  if (error < 0) return error;
  realtimeSet(timespecNs());
  return 0;
}

function toUserHz(value: u32): u32 {
  return <u32> (<u64> value * <u64> USER_HZ / <u64> HZ);
}

function sysTimes(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = current().process;
  if (address !== 0) {
    if (putUser32(address, toUserHz(processUserTicks(process))) < 0) return -EFAULT;
    if (putUser32(address + 4, toUserHz(processSystemTicks(process))) < 0) return -EFAULT;
    if (putUser32(address + 8, toUserHz(process.childUserTicks)) < 0) return -EFAULT;
    if (putUser32(address + 12, toUserHz(process.childSystemTicks)) < 0) return -EFAULT;
  }
  return <i32> toUserHz(ticks());
}

/* --- Interval timers ------------------------------------------------------------------------------- */

function realExpired(data: usize): void {
  const process = changetype<Process>(data);
  signalSend(process.leader, SIGALRM);
  if (process.realPeriod === 0) {
    process.realExpiry = 0;
    return;
  }
  process.realExpiry += process.realPeriod;
  const now = monotonicNs();
  const left = process.realExpiry > now ? process.realExpiry - now : 0;
  timerArm(process.realTimer, ticksFromNs(left));
}

function setReal(process: Process, value: u64, period: u64): void {
  timerCancel(process.realTimer);
  process.realPeriod = period;
  process.realExpiry = 0;
  if (value === 0) return;
  process.realExpiry = monotonicNs() + value;
  process.realTimer.callback = realExpired;
  process.realTimer.data = changetype<usize>(process);
  timerArm(process.realTimer, ticksFromNs(value));
}

function realLeft(process: Process): u64 {
  const now = monotonicNs();
  if (process.realExpiry === 0) return 0;
  return process.realExpiry > now ? process.realExpiry - now : 1000;
}

function sysAlarm(seconds: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = current().process;
  const left = realLeft(process);
  setReal(process, <u64> seconds * NS, 0);
  return <i32> ((left + NS - 1) / NS);
}

function writeTimer(address: u32, left: u64, period: u64): i32 {
  if (writeTimeval(address, period) < 0) return -EFAULT;
  return writeTimeval(address + 8, left);
}

function getTimer(process: Process, which: u32, address: u32): i32 {
  const tick = <u64> TICK_NS;
  if (which === 0) return writeTimer(address, realLeft(process), process.realPeriod);
  if (which === 1) {
    return writeTimer(
      address,
      <u64> process.virtualLeft * tick,
      <u64> process.virtualPeriod * tick,
    );
  }
  return writeTimer(address, <u64> process.profLeft * tick, <u64> process.profPeriod * tick);
}

function sysGetitimer(which: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return which > 2 ? -EINVAL : getTimer(current().process, which, address);
}

function sysSetitimer(which: u32, set: u32, old: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (which > 2) return -EINVAL;
  const process = current().process;
  let period: u64 = 0;
  let value: u64 = 0;
  if (set !== 0) {
    let error = readTimeval(set);
    if (error < 0) return error;
    period = timespecNs();
    error = readTimeval(set + 8);
    if (error < 0) return error;
    value = timespecNs();
  }
  if (old !== 0 && getTimer(process, which, old) < 0) return -EFAULT;
  if (which === 0) setReal(process, value, period);
  else if (which === 1) {
    process.virtualLeft = ticksFromNs(value);
    process.virtualPeriod = ticksFromNs(period);
  } else {
    process.profLeft = ticksFromNs(value);
    process.profPeriod = ticksFromNs(period);
  }
  return 0;
}

/** Counts a tick of the current process against its timers. In the tick interrupt. */
export function cpuTimersTick(task: Task, user: bool): void {
  const process = task.process;
  if (user && process.virtualLeft > 0 && --process.virtualLeft === 0) {
    process.virtualLeft = process.virtualPeriod;
    signalSend(task, SIGVTALRM);
  }
  if (process.profLeft > 0 && --process.profLeft === 0) {
    process.profLeft = process.profPeriod;
    signalSend(task, SIGPROF);
  }
}

/** Registers the calls of this file. */
export function timeCallsInit(): void {
  syscallRegister(SYS_CLOCK_GETTIME, sysClockGettime);
  syscallRegister(SYS_CLOCK_GETTIME64, sysClockGettime64);
  syscallRegister(SYS_CLOCK_GETRES, sysClockGetres);
  syscallRegister(SYS_CLOCK_GETRES_TIME64, sysClockGetres64);
  syscallRegister(SYS_CLOCK_SETTIME, sysClockSettime);
  syscallRegister(SYS_CLOCK_SETTIME64, sysClockSettime64);
  syscallRegister(SYS_CLOCK_NANOSLEEP, sysClockNanosleep);
  syscallRegister(SYS_CLOCK_NANOSLEEP_TIME64, sysClockNanosleep64);
  syscallRegister(SYS_NANOSLEEP, sysNanosleep);
  syscallRegister(SYS_RESTART_SYSCALL, sysRestart);
  syscallRegister(SYS_TIME, sysTime);
  syscallRegister(SYS_STIME, sysStime);
  syscallRegister(SYS_GETTIMEOFDAY, sysGettimeofday);
  syscallRegister(SYS_SETTIMEOFDAY, sysSettimeofday);
  syscallRegister(SYS_TIMES, sysTimes);
  syscallRegister(SYS_ALARM, sysAlarm);
  syscallRegister(SYS_GETITIMER, sysGetitimer);
  syscallRegister(SYS_SETITIMER, sysSetitimer);
}
