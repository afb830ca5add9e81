/**
 * Futexes: sleeping on a word of user memory.
 *
 * A private futex is named by address space and address; one in shared memory by the physical page that
 * the word is in. All sleepers are in one list; few sleep at a time.
 *
 * Sources: futex(2), Linux uapi/linux/futex.h.
 *
 * @module
 */
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT } from "../abi/errno.ts";
import { ERESTARTNOHAND, ERESTARTSYS } from "../abi/signal.ts";
import { cmpxchg_user } from "../arch/i386/asm.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { entryOf, PTE_PRESENT } from "../arch/i386/page_table.ts";
import { areaAt, VM_SHARED } from "../mm/space.ts";
import { getUser32, putUser32, userRange, userWord } from "../mm/user.ts";
import { wakeTask } from "../sched/scheduler.ts";
import { FOREVER, sleepPrepared } from "../sync/wait.ts";
import { monotonicNs, realtimeNs } from "../time/clock.ts";
import { ticksFromNs } from "../time/ticks.ts";
import { current, signalPending, Task } from "./task.ts";

const FUTEX_WAIT: u32 = 0;
const FUTEX_WAKE: u32 = 1;
const FUTEX_REQUEUE: u32 = 3;
const FUTEX_CMP_REQUEUE: u32 = 4;
const FUTEX_WAKE_OP: u32 = 5;
const FUTEX_WAIT_BITSET: u32 = 9;
const FUTEX_WAKE_BITSET: u32 = 10;
const FUTEX_PRIVATE: u32 = 128;
const FUTEX_CLOCK_REALTIME: u32 = 256;
const FUTEX_WAITERS: u32 = 0x80000000;
const FUTEX_OWNER_DIED: u32 = 0x40000000;
const ALL_BITS: u32 = 0xffffffff;

let first: Task | null = null;

/* The name of a futex, 0 when there is no memory at the address. */
function keyOf(address: u32, isPrivate: bool): u64 {
  const mm = current().mm!;
  if (!isPrivate) {
    const area = areaAt(mm, address);
    if (area !== null && (area.flags & VM_SHARED) !== 0) {
      if (getUser32(address) < 0) return 0;
      const entry = entryOf(mm.directory, address, false);
      if (entry === 0 || (load<u32>(entry) & PTE_PRESENT) === 0) return 0;
      return (<u64> 1 << 32) | <u64> ((load<u32>(entry) & 0xfffff000) | (address & 4095));
    }
  }
  return (<u64> changetype<usize>(mm) << 32) | <u64> address;
}

function append(task: Task): void {
  task.futexNext = null;
  if (first === null) {
    first = task;
    return;
  }
  let at = first!;
  while (at.futexNext !== null) at = at.futexNext!;
  at.futexNext = task;
}

function remove(task: Task): void {
  if (first === task) {
    first = task.futexNext;
    return;
  }
  let at = first;
  while (at !== null && at.futexNext !== task) at = at.futexNext;
  if (at !== null) at.futexNext = task.futexNext;
}

/**
 * Sleeps while the word at `address` is `expected`. `deadline`: monotonic nanoseconds, 0 for none.
 * 0, -EAGAIN, -ETIMEDOUT, -EFAULT, or a restart code.
 */
function wait(address: u32, expected: u32, bits: u32, isPrivate: bool, deadline: u64): i32 {
  const task = current();
  const key = keyOf(address, isPrivate);
  if (key === 0) return -EFAULT;
  if (getUser32(address) < 0) return -EFAULT;
  // Kernel code is not preempted, so nobody changes the word between here and the sleep.
  if (userWord() !== expected) return -EAGAIN;
  const flags = irqSave();
  task.futexKey = key;
  task.futexBits = bits;
  task.futexWoken = false;
  append(task);
  let result: i32 = 0;
  while (!task.futexWoken) {
    if (signalPending()) {
      result = deadline === 0 ? -ERESTARTSYS : -ERESTARTNOHAND;
      break;
    }
    let sleep: u32 = FOREVER;
    if (deadline !== 0) {
      const now = monotonicNs();
      if (now >= deadline) {
        result = -ETIMEDOUT;
        break;
      }
      sleep = ticksFromNs(deadline - now);
    }
    sleepPrepared(sleep, true);
  }
  if (!task.futexWoken) remove(task);
  else result = 0;
  irqRestore(flags);
  return result;
}

function wakeKey(key: u64, count: u32, bits: u32): i32 {
  const flags = irqSave();
  let woken: i32 = 0;
  let task = first;
  while (task !== null && <u32> woken < count) {
    const next = task.futexNext;
    if (task.futexKey === key && (task.futexBits & bits) !== 0) {
      remove(task);
      task.futexWoken = true;
      wakeTask(task);
      woken++;
    }
    task = next;
  }
  irqRestore(flags);
  return woken;
}

/** Wakes up to `count` sleepers: how many, or -EFAULT. */
export function futexWake(address: u32, count: u32, bits: u32, isPrivate: bool): i32 {
  const key = keyOf(address, isPrivate);
  if (key === 0) return -EFAULT;
  return wakeKey(key, count, bits);
}

function requeue(from: u64, to: u64, wake: u32, move: u32): i32 {
  let done = wakeKey(from, wake, ALL_BITS);
  const flags = irqSave();
  for (let nextTask: Task | null = first; nextTask !== null && move > 0;) {
    const task = nextTask;
    nextTask = task.futexNext;
    if (task.futexKey !== from) continue;
    task.futexKey = to;
    move--;
    done++;
  }
  irqRestore(flags);
  return done;
}

/* FUTEX_WAKE_OP: changes the second word as `encoded` says, then wakes on one or both. */
function wakeOperation(
  key: u64,
  address2: u32,
  key2: u64,
  count: u32,
  count2: u32,
  encoded: u32,
): i32 {
  let argument = <i32> (encoded << 8) >> 20;
  const compareArgument = <i32> (encoded << 20) >> 20;
  if ((encoded & 0x80000000) !== 0) argument = 1 << (argument & 31);
  let old: i32 = 0;
  while (true) {
    if (getUser32(address2) < 0) return -EFAULT;
    old = <i32> userWord();
    let value = argument;
    switch ((encoded >> 28) & 7) {
      case 0:
        break;
      case 1:
        value = old + argument;
        break;
      case 2:
        value = old | argument;
        break;
      case 3:
        value = old & ~argument;
        break;
      case 4:
        value = old ^ argument;
        break;
      default:
        return -ENOSYS;
    }
    const state = cmpxchg_user(address2, <u32> old, <u32> value);
    if (state < 0) return -EFAULT;
    if (state === 0) break;
  }
  let holds = false;
  switch ((encoded >> 24) & 15) {
    case 0:
      holds = old === compareArgument;
      break;
    case 1:
      holds = old !== compareArgument;
      break;
    case 2:
      holds = old < compareArgument;
      break;
    case 3:
      holds = old <= compareArgument;
      break;
    case 4:
      holds = old > compareArgument;
      break;
    case 5:
      holds = old >= compareArgument;
      break;
    default:
      return -ENOSYS;
  }
  let woken = wakeKey(key, count, ALL_BITS);
  if (holds) woken += wakeKey(key2, count2, ALL_BITS);
  return woken;
}

/** Nanoseconds on the monotonic clock of an absolute time on the wall clock, at least 1. */
function fromRealtime(ns: u64): u64 {
  const offset = realtimeNs() - monotonicNs();
  return ns > offset ? ns - offset : 1;
}

/**
 * futex(2). `timeout`: nanoseconds, and `hasTimeout`; for FUTEX_WAIT relative, else absolute.
 * `value2` is the fourth argument where that is a number.
 */
export function futex(
  address: u32,
  operation: u32,
  value: u32,
  hasTimeout: bool,
  timeout: u64,
  value2: u32,
  address2: u32,
  value3: u32,
): i32 {
  const command = operation & 127;
  const isPrivate = (operation & FUTEX_PRIVATE) !== 0;
  if ((address & 3) !== 0) return -EINVAL;
  if (!userRange(address, 4)) return -EFAULT;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      const bits = command === FUTEX_WAIT ? ALL_BITS : value3;
      if (bits === 0) return -EINVAL;
      let deadline: u64 = 0;
      if (hasTimeout) {
        if (command === FUTEX_WAIT) deadline = monotonicNs() + timeout;
        else if ((operation & FUTEX_CLOCK_REALTIME) !== 0) deadline = fromRealtime(timeout);
        else deadline = timeout === 0 ? 1 : timeout;
      }
      return wait(address, value, bits, isPrivate, deadline);
    }
    case FUTEX_WAKE:
      return futexWake(address, value, ALL_BITS, isPrivate);
    case FUTEX_WAKE_BITSET:
      return value3 === 0 ? -EINVAL : futexWake(address, value, value3, isPrivate);
    case FUTEX_CMP_REQUEUE:
    case FUTEX_REQUEUE: {
      if (command === FUTEX_CMP_REQUEUE) {
        if (getUser32(address) < 0) return -EFAULT;
        if (userWord() !== value3) return -EAGAIN;
      }
      const from = keyOf(address, isPrivate);
      const to = keyOf(address2, isPrivate);
      return from === 0 || to === 0 ? -EFAULT : requeue(from, to, value, value2);
    }
    case FUTEX_WAKE_OP: {
      const from = keyOf(address, isPrivate);
      const to = keyOf(address2, isPrivate);
      if (from === 0 || to === 0) return -EFAULT;
      return wakeOperation(from, address2, to, value, value2, value3);
    }
    default:
      return -ENOSYS;
  }
}

/** Marks a robust lock whose owner ended, and wakes one waiter. */
export function futexDeath(address: u32, value: u32): void {
  if (putUser32(address, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) < 0) return;
  if ((value & FUTEX_WAITERS) !== 0) futexWake(address, 1, ALL_BITS, false);
}
