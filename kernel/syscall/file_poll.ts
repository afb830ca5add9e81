/**
 * poll and select in all their forms.
 *
 * @module
 */
import { EBADF, EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  DEFAULT_POLLMASK,
  FD_SETSIZE,
  POLLERR,
  POLLFD_SIZE,
  POLLHUP,
  POLLIN,
} from "../abi/poll.ts";
import { POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND } from "../abi/poll.ts";
import { POLLWRNORM } from "../abi/poll.ts";
import { EINTR } from "../abi/errno.ts";
import { ERESTARTNOHAND } from "../abi/signal.ts";
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import {
  SYS_NEWSELECT,
  SYS_POLL,
  SYS_PPOLL,
  SYS_PPOLL_TIME64,
  SYS_PSELECT6,
  SYS_PSELECT6_TIME64,
  SYS_SELECT,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { fdGetData, fdLimit, filePut } from "../fs/fd_table.ts";
import { pollTableFree, pollTableNew } from "../fs/poll_table.ts";
import { PollTable } from "../fs/types.ts";
import { copyIn, copyOut, getUser32, kfree, kmalloc, kzalloc, userWord } from "../mm/mod.ts";
import { current, signalPending } from "../proc/mod.ts";
import { signalSetMask } from "../proc/signal.ts";
import { FOREVER, sleepPrepared } from "../sync/mod.ts";
import { monotonicNs, ticksFromNs } from "../time/mod.ts";
import { readTimespec, readTimeval, timespecNs, writeTimespec, writeTimeval } from "./timespec.ts";

/** No time limit. */
const NO_LIMIT: u64 = ~(<u64> 0);
const READ_SET: u32 = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const WRITE_SET: u32 = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;

/** What a descriptor can do now, of `wanted` and what is always reported. */
function pollOne(fd: u32, wanted: u32, table: PollTable | null): u32 {
  const file = fdGetData(fd);
  if (file === null) return POLLNVAL;
  const poll = file.ops.poll;
  const mask = poll === null ? DEFAULT_POLLMASK : poll(file, table);
  filePut(file);
  return mask & (wanted | POLLERR | POLLHUP);
}

/** Polls an array of struct pollfd in kernel memory: how many have something to report. */
function pollRound(fds: usize, count: u32, table: PollTable | null): i32 {
  let ready: i32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const at = fds + i * POLLFD_SIZE;
    const fd = load<i32>(at);
    let mask: u32 = 0;
    if (fd >= 0) {
      // Once one is ready nobody will sleep, and queues need not be entered.
      mask = pollOne(fd, load<u16>(at, 4), ready === 0 ? table : null);
      if (mask !== 0) ready++;
    }
    store<u16>(at, <u16> mask, 6);
  }
  return ready;
}

/** Waits until one is ready, `until` (monotonic ns) or a signal: how many, 0, -EINTR, -ENOMEM. */
function pollUntil(fds: usize, count: u32, until: u64): i32 {
  let table: PollTable | null = null;
  if (until !== 0) table = pollTableNew();
  if (until !== 0 && table === null) return -ENOMEM;
  const first: PollTable | null = table;
  let result: i32 = 0;
  while (true) {
    result = pollRound(fds, count, table);
    table = null;
    if (result !== 0 || until === 0) break;
    if (first !== null && first.error < 0) {
      result = first.error;
      break;
    }
    if (signalPending()) {
      result = -EINTR;
      break;
    }
    let ticks = FOREVER;
    if (until !== NO_LIMIT) {
      const now = monotonicNs();
      if (now >= until) break;
      ticks = ticksFromNs(until - now);
    }
    const flags = irqSave();
    // Once more with interrupts off: what an interrupt changed since would find us awake.
    result = pollRound(fds, count, null);
    if (result === 0) sleepPrepared(ticks, true);
    irqRestore(flags);
    if (result !== 0) break;
  }
  if (first !== null) pollTableFree(first);
  return result;
}

function poll(address: u32, count: u32, until: u64): i32 {
  if (count > fdLimit()) return -EINVAL;
  const bytes = count * POLLFD_SIZE;
  const fds = kmalloc(bytes === 0 ? POLLFD_SIZE : bytes);
  if (fds === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(fds, address, bytes) >= 0) {
    result = pollUntil(fds, count, until);
    if (result >= 0 && copyOut(address, fds, bytes) < 0) result = -EFAULT;
  }
  kfree(fds);
  return result;
}

function untilNs(ns: u64): u64 {
  if (ns === 0) return 0;
  const now = monotonicNs();
  return ns > NO_LIMIT - 1 - now ? NO_LIMIT : now + ns;
}

function sysPoll(fds: u32, count: u32, timeout: u32, _d: u32, _e: u32, _f: u32): i32 {
  const until = <i32> timeout < 0 ? NO_LIMIT : untilNs(<u64> timeout * 1000000);
  return poll(fds, count, until);
}

/** Takes over a signal mask for the time of the call; it comes back when no handler runs. */
function takeMask(address: u32, size: u32): i32 {
  if (address === 0) return 0;
  if (size !== 8) return -EINVAL;
  if (getUser32(address) < 0) return -EFAULT;
  const low = userWord();
  if (getUser32(address + 4) < 0) return -EFAULT;
  const mask = (<u64> userWord() << 32) | <u64> low;
  const task = current();
  task.savedMask = task.blocked;
  task.restoreMask = true;
  signalSetMask(mask);
  return 0;
}

/** A call with a mask of its own ends: without a signal to deliver, the old mask holds at once. */
function giveMask(address: u32, result: i32): i32 {
  const task = current();
  if (address !== 0 && result !== -EINTR && task.restoreMask) {
    task.restoreMask = false;
    signalSetMask(task.savedMask);
  }
  return result === -EINTR ? -ERESTARTNOHAND : result;
}

/** How much of a time limit is left. */
function remaining(until: u64): u64 {
  if (until === 0) return 0;
  const now = monotonicNs();
  return until > now ? until - now : 0;
}

function ppoll(fds: u32, count: u32, timeout: u32, mask: u32, size: u32, wide: bool): i32 {
  let until = NO_LIMIT;
  if (timeout !== 0) {
    const error = readTimespec(timeout, wide);
    if (error < 0) return error;
    until = untilNs(timespecNs());
  }
  const error = takeMask(mask, size);
  if (error < 0) return error;
  const result = giveMask(mask, poll(fds, count, until));
  if (timeout !== 0 && until !== NO_LIMIT) writeTimespec(timeout, remaining(until), wide);
  return result;
}

function sysPpoll(fds: u32, count: u32, timeout: u32, mask: u32, size: u32, _f: u32): i32 {
  return ppoll(fds, count, timeout, mask, size, false);
}
function sysPpollTime64(fds: u32, count: u32, timeout: u32, mask: u32, size: u32, _f: u32): i32 {
  return ppoll(fds, count, timeout, mask, size, true);
}

/* The three sets in kernel memory, one behind the other, then three for results. */
const SET_BYTES: u32 = FD_SETSIZE / 8;

function hasBit(set: usize, fd: u32): bool {
  return (load<u8>(set + (fd >> 3)) & (1 << (fd & 7))) !== 0;
}

/** Makes pollfds of the sets: how many, or -EBADF. */
function setsToPoll(sets: usize, count: u32, fds: usize): i32 {
  let n: u32 = 0;
  for (let fd: u32 = 0; fd < count; fd++) {
    let wanted: u32 = 0;
    if (hasBit(sets, fd)) wanted |= READ_SET;
    if (hasBit(sets + SET_BYTES, fd)) wanted |= WRITE_SET;
    if (hasBit(sets + 2 * SET_BYTES, fd)) wanted |= POLLPRI;
    if (wanted === 0) continue;
    const file = fdGetData(fd);
    if (file === null) return -EBADF;
    filePut(file);
    const at = fds + n * POLLFD_SIZE;
    store<u32>(at, fd);
    store<u16>(at, <u16> wanted, 4);
    n++;
  }
  return n;
}

/** Sets the bits of what is ready: the number of bits. */
function pollToSets(fds: usize, n: u32, sets: usize): i32 {
  const results = sets + 3 * SET_BYTES;
  let bits: i32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const at = fds + i * POLLFD_SIZE;
    const fd = load<u32>(at);
    const mask: u32 = load<u16>(at, 6);
    for (let s: u32 = 0; s < 3; s++) {
      const kind = s === 0 ? READ_SET : s === 1 ? WRITE_SET : POLLPRI;
      if ((mask & kind) === 0 || !hasBit(sets + s * SET_BYTES, fd)) continue;
      const byte = results + s * SET_BYTES + (fd >> 3);
      store<u8>(byte, <u8> (<u32> load<u8>(byte) | (1 << (fd & 7))));
      bits++;
    }
  }
  return bits;
}

function fetchSet(set: usize, address: u32, bytes: u32): bool {
  return address === 0 || copyIn(set, address, bytes) >= 0;
}

function storeSet(set: usize, address: u32, bytes: u32): bool {
  return address === 0 || copyOut(address, set, bytes) >= 0;
}

function select(count: u32, read: u32, write: u32, except: u32, until: u64): i32 {
  if (<i32> count < 0) return -EINVAL;
  if (count > FD_SETSIZE) count = FD_SETSIZE;
  // Whole words of the sets are read and written, as Linux does.
  const bytes = ((count + 31) >> 5) << 2;
  const sets = kzalloc(6 * SET_BYTES);
  const fds = kmalloc(FD_SETSIZE * POLLFD_SIZE);
  let result: i32 = -ENOMEM;
  if (sets !== 0 && fds !== 0) {
    result = -EFAULT;
    if (
      fetchSet(sets, read, bytes) && fetchSet(sets + SET_BYTES, write, bytes) &&
      fetchSet(sets + 2 * SET_BYTES, except, bytes)
    ) {
      const n = setsToPoll(sets, count, fds);
      result = n < 0 ? n : pollUntil(fds, n, until);
      if (result >= 0) result = finishSelect(sets, fds, n, read, write, except, bytes);
    }
  }
  kfree(sets);
  kfree(fds);
  return result;
}

function finishSelect(
  sets: usize,
  fds: usize,
  n: u32,
  read: u32,
  write: u32,
  except: u32,
  bytes: u32,
): i32 {
  const bits = pollToSets(fds, n, sets);
  const results = sets + 3 * SET_BYTES;
  const stored = storeSet(results, read, bytes) && storeSet(results + SET_BYTES, write, bytes) &&
    storeSet(results + 2 * SET_BYTES, except, bytes);
  return stored ? bits : -EFAULT;
}

function sysNewselect(count: u32, read: u32, write: u32, except: u32, timeout: u32, _f: u32): i32 {
  let until = NO_LIMIT;
  if (timeout !== 0) {
    const error = readTimeval(timeout);
    if (error < 0) return error;
    until = untilNs(timespecNs());
  }
  const result = select(count, read, write, except, until);
  if (timeout !== 0 && until !== NO_LIMIT) writeTimeval(timeout, remaining(until));
  return result === -EINTR ? -ERESTARTNOHAND : result;
}

/* The old call has its five arguments in memory. */
function sysSelect(block: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const words = kmalloc(20);
  if (words === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(words, block, 20) >= 0) {
    result = sysNewselect(
      load<u32>(words),
      load<u32>(words, 4),
      load<u32>(words, 8),
      load<u32>(words, 12),
      load<u32>(words, 16),
      0,
    );
  }
  kfree(words);
  return result;
}

function pselect(
  count: u32,
  read: u32,
  write: u32,
  except: u32,
  timeout: u32,
  pack: u32,
  wide: bool,
): i32 {
  let until = NO_LIMIT;
  if (timeout !== 0) {
    const error = readTimespec(timeout, wide);
    if (error < 0) return error;
    until = untilNs(timespecNs());
  }
  let mask: u32 = 0;
  if (pack !== 0) {
    if (getUser32(pack) < 0) return -EFAULT;
    mask = userWord();
    if (getUser32(pack + 4) < 0) return -EFAULT;
    const error = takeMask(mask, userWord());
    if (error < 0) return error;
  }
  const result = giveMask(mask, select(count, read, write, except, until));
  if (timeout !== 0 && until !== NO_LIMIT) writeTimespec(timeout, remaining(until), wide);
  return result;
}

function sysPselect6(count: u32, read: u32, write: u32, except: u32, timeout: u32, pack: u32): i32 {
  return pselect(count, read, write, except, timeout, pack, false);
}
function sysPselect6Time64(
  count: u32,
  read: u32,
  write: u32,
  except: u32,
  timeout: u32,
  pack: u32,
): i32 {
  return pselect(count, read, write, except, timeout, pack, true);
}

/** Registers the calls of this file. */
export function filePollCallsInit(): void {
  syscallRegister(SYS_POLL, sysPoll);
  syscallRegister(SYS_PPOLL, sysPpoll);
  syscallRegister(SYS_PPOLL_TIME64, sysPpollTime64);
  syscallRegister(SYS_NEWSELECT, sysNewselect);
  syscallRegister(SYS_SELECT, sysSelect);
  syscallRegister(SYS_PSELECT6, sysPselect6);
  syscallRegister(SYS_PSELECT6_TIME64, sysPselect6Time64);
}
