/**
 * System calls about signals.
 *
 * @module
 */
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ESRCH } from "../abi/errno.ts";
import {
  ERESTARTNOHAND,
  MINSIGSTKSZ,
  SI_QUEUE,
  SI_TKILL,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIGCONT,
  SIGKILL,
  SIGNAL_MAX,
  SIGSTOP,
  SS_DISABLE,
  SS_ONSTACK,
} from "../abi/signal.ts";
import {
  SYS_KILL,
  SYS_PAUSE,
  SYS_RT_SIGACTION,
  SYS_RT_SIGPENDING,
  SYS_RT_SIGPROCMASK,
  SYS_RT_SIGQUEUEINFO,
  SYS_RT_SIGRETURN,
  SYS_RT_SIGSUSPEND,
  SYS_RT_SIGTIMEDWAIT,
  SYS_RT_SIGTIMEDWAIT_TIME64,
  SYS_RT_TGSIGQUEUEINFO,
  SYS_SGETMASK,
  SYS_SIGACTION,
  SYS_SIGALTSTACK,
  SYS_SIGNAL,
  SYS_SIGPENDING,
  SYS_SIGPROCMASK,
  SYS_SIGRETURN,
  SYS_SIGSUSPEND,
  SYS_SSETMASK,
  SYS_TGKILL,
  SYS_TKILL,
} from "../abi/syscall.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { copyIn, copyOut, getUser32, putUser32, userWord } from "../mm/user.ts";
import { userFrame } from "../proc/create.ts";
import {
  ACTION_SIZE,
  actionOf,
  signalBit,
  signalFlushProcess,
  signalIgnored,
  signalSendByUser,
  signalSendInfo,
  signalSetMask,
  signalTake,
  UNBLOCKABLE,
} from "../proc/signal.ts";
import { altStackState, fillSiginfo, rtSigreturn, sigreturn } from "../proc/signal_frame.ts";
import { current, Process, signalPending, Task } from "../proc/task.ts";
import { processByPid, processFirst, taskByPid } from "../proc/task_list.ts";
import { FOREVER, sleepPrepared } from "../sync/wait.ts";
import { ticksFromNs } from "../time/ticks.ts";
import { readTimespec, timespecNs } from "./timespec.ts";
import { syscallRegister } from "./table.ts";

const SIGSET: u32 = 8;
const SIGINFO: u32 = 128;
const SA_ONESHOT_NODEFER: u32 = 0xc0000000;

/* A mask of 8 user bytes, in `mask`: 0 or -EFAULT. */
let mask: u64 = 0;
function readMask(address: u32): i32 {
  if (getUser32(address) < 0) return -EFAULT;
  const low = userWord();
  if (getUser32(address + 4) < 0) return -EFAULT;
  mask = (<u64> userWord() << 32) | <u64> low;
  return 0;
}

function writeMask(address: u32, value: u64): i32 {
  if (putUser32(address, <u32> value) < 0) return -EFAULT;
  return putUser32(address + 4, <u32> (value >> 32));
}

/* Installs what a kernel block (handler, flags, restorer, mask) says. */
function setAction(signal: i32, block: usize): void {
  const task = current();
  const entry = actionOf(task.actions, signal);
  memory.copy(entry, block, ACTION_SIZE);
  store<u64>(entry, load<u64>(entry, 12) & ~UNBLOCKABLE, 12);
  // POSIX: setting a signal to be ignored discards a pending one.
  if (signalIgnored(task, signal)) signalFlushProcess(task.process, signalBit(signal));
}

function checkSignal(signal: i32, sets: bool): i32 {
  if (signal < 1 || signal > SIGNAL_MAX) return -EINVAL;
  return sets && (signal === SIGKILL || signal === SIGSTOP) ? -EINVAL : 0;
}

function sysRtSigaction(signal: u32, set: u32, old: u32, size: u32, _e: u32, _f: u32): i32 {
  if (size !== SIGSET) return -EINVAL;
  const error = checkSignal(<i32> signal, set !== 0);
  if (error < 0) return error;
  const block = kmalloc(ACTION_SIZE);
  const before = kmalloc(ACTION_SIZE);
  let result: i32 = block === 0 || before === 0 ? -ENOMEM : 0;
  if (result === 0) {
    memory.copy(before, actionOf(current().actions, <i32> signal), ACTION_SIZE);
    if (set !== 0) {
      result = copyIn(block, set, ACTION_SIZE);
      if (result === 0) setAction(<i32> signal, block);
    }
    if (result === 0 && old !== 0) result = copyOut(old, before, ACTION_SIZE);
  }
  kfree(block);
  kfree(before);
  return result;
}

/* The old struct: handler, mask of one word, flags, restorer. */
function sysSigaction(signal: u32, set: u32, old: u32, _d: u32, _e: u32, _f: u32): i32 {
  const error = checkSignal(<i32> signal, set !== 0);
  if (error < 0) return error;
  const block = kzalloc(2 * ACTION_SIZE);
  if (block === 0) return -ENOMEM;
  const entry = actionOf(current().actions, <i32> signal);
  const words = block + ACTION_SIZE;
  store<u32>(words, load<u32>(entry));
  store<u32>(words, load<u32>(entry, 12), 4);
  store<u32>(words, load<u32>(entry, 4), 8);
  store<u32>(words, load<u32>(entry, 8), 12);
  let result: i32 = 0;
  if (set !== 0) {
    result = copyIn(block, set, 16);
    if (result === 0) {
      const one = load<u32>(block, 4);
      const flags = load<u32>(block, 8);
      store<u32>(block, load<u32>(block, 12), 8);
      store<u32>(block, flags, 4);
      store<u32>(block, one, 12);
      store<u32>(block, 0, 16);
      setAction(<i32> signal, block);
    }
  }
  if (result === 0 && old !== 0) result = copyOut(old, words, 16);
  kfree(block);
  return result;
}

function sysSignal(signal: u32, handler: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const error = checkSignal(<i32> signal, true);
  if (error < 0) return error;
  const block = kzalloc(ACTION_SIZE);
  if (block === 0) return -ENOMEM;
  const old = load<u32>(actionOf(current().actions, <i32> signal));
  store<u32>(block, handler);
  store<u32>(block, SA_ONESHOT_NODEFER, 4);
  setAction(<i32> signal, block);
  kfree(block);
  return <i32> old;
}

function change(how: u32, value: u64): i32 {
  const task = current();
  if (how === SIG_BLOCK) signalSetMask(task.blocked | value);
  else if (how === SIG_UNBLOCK) signalSetMask(task.blocked & ~value);
  else if (how === SIG_SETMASK) signalSetMask(value);
  else return -EINVAL;
  return 0;
}

function sysRtSigprocmask(how: u32, set: u32, old: u32, size: u32, _e: u32, _f: u32): i32 {
  if (size !== SIGSET) return -EINVAL;
  const before = current().blocked;
  if (set !== 0) {
    if (readMask(set) < 0) return -EFAULT;
    const error = change(how, mask);
    if (error < 0) return error;
  }
  return old !== 0 ? writeMask(old, before) : 0;
}

function sysSigprocmask(how: u32, set: u32, old: u32, _d: u32, _e: u32, _f: u32): i32 {
  const before = current().blocked;
  if (set !== 0) {
    if (getUser32(set) < 0) return -EFAULT;
    const value: u64 = <u64> userWord();
    // The upper half stays.
    const error = change(how, how === SIG_SETMASK ? value | (before & 0xffffffff00000000) : value);
    if (error < 0) return error;
  }
  return old !== 0 ? putUser32(old, <u32> before) : 0;
}

function sysSgetmask(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> current().blocked;
}

function sysSsetmask(value: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const before = current().blocked;
  signalSetMask((before & 0xffffffff00000000) | <u64> value);
  return <i32> before;
}

function sysRtSigpending(set: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (size > SIGSET) return -EINVAL;
  const task = current();
  const pending = (task.pendingMask | task.process.pendingMask) & task.blocked;
  return size === SIGSET ? writeMask(set, pending) : putUser32(set, <u32> pending);
}

function sysSigpending(set: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return sysRtSigpending(set, 4, 0, 0, 0, 0);
}

/* Sleeps until a signal is handled, with another mask meanwhile. */
function suspend(value: u64): i32 {
  const task = current();
  task.savedMask = task.blocked;
  task.restoreMask = true;
  signalSetMask(value);
  return pauseTask();
}

function pauseTask(): i32 {
  const flags = irqSave();
  while (!signalPending()) sleepPrepared(FOREVER, true);
  irqRestore(flags);
  return -ERESTARTNOHAND;
}

function sysRtSigsuspend(set: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (size !== SIGSET) return -EINVAL;
  return readMask(set) < 0 ? -EFAULT : suspend(mask);
}

function sysSigsuspend(_a: u32, _b: u32, set: u32, _d: u32, _e: u32, _f: u32): i32 {
  return suspend((current().blocked & 0xffffffff00000000) | <u64> set);
}

function sysPause(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return pauseTask();
}

function timedWait(set: u32, info: u32, timeout: u32, size: u32, wide: bool): i32 {
  if (size !== SIGSET) return -EINVAL;
  if (readMask(set) < 0) return -EFAULT;
  const wanted = mask & ~UNBLOCKABLE;
  let ticks = FOREVER;
  if (timeout !== 0) {
    const error = readTimespec(timeout, wide);
    if (error < 0) return error;
    ticks = ticksFromNs(timespecNs());
  }
  const task = current();
  const before = task.blocked;
  let found = signalTake(task, wanted);
  if (found === null && ticks !== 0) {
    // The signals that we wait for may wake us although they are blocked.
    task.blocked = before & ~wanted;
    const flags = irqSave();
    sleepPrepared(ticks, true);
    irqRestore(flags);
    task.blocked = before;
    found = signalTake(task, wanted);
    if (found === null && signalPending()) return -EINTR;
  }
  if (found === null) return -EAGAIN;
  let result = found.signal;
  if (info !== 0) {
    const block = kmalloc(SIGINFO);
    if (block !== 0) {
      fillSiginfo(block, found);
      if (copyOut(info, block, SIGINFO) < 0) result = -EFAULT;
      kfree(block);
    }
  }
  kfree(changetype<usize>(found));
  return result;
}

function sysRtSigtimedwait(set: u32, info: u32, timeout: u32, size: u32, _e: u32, _f: u32): i32 {
  return timedWait(set, info, timeout, size, false);
}

function sysRtSigtimedwait64(set: u32, info: u32, timeout: u32, size: u32, _e: u32, _f: u32): i32 {
  return timedWait(set, info, timeout, size, true);
}

/** May the current process signal that one? POSIX kill(). */
function allowed(target: Task, signal: i32): bool {
  const own = current();
  if (own.euid === 0) return true;
  if (own.euid === target.suid || own.euid === target.uid) return true;
  if (own.uid === target.suid || own.uid === target.uid) return true;
  return signal === SIGCONT && own.session === target.session;
}

function sendTo(target: Task, signal: i32): i32 {
  if (!allowed(target, signal)) return -EPERM;
  return signal === 0 ? 0 : signalSendByUser(target, signal);
}

function sysKill(pid: u32, number: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const which = <i32> pid;
  const signal = <i32> number;
  if (signal < 0 || signal > SIGNAL_MAX) return -EINVAL;
  if (which > 0) {
    const process = processByPid(which);
    return process === null ? -ESRCH : sendTo(process.leader, signal);
  }
  const own = current().process;
  const group = which === 0 ? own.pgrp : -which;
  let found = false;
  let sent = false;
  let error: i32 = -EPERM;
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    const matches = which === -1 ? p.pid > 1 && p !== own : p.pgrp === group;
    if (!matches) continue;
    found = true;
    const result = sendTo(p.leader, signal);
    if (result === 0) sent = true;
    else error = result;
  }
  if (!found) return -ESRCH;
  return sent ? 0 : error;
}

function killThread(tgid: i32, pid: i32, signal: i32): i32 {
  if (pid <= 0 || signal < 0 || signal > SIGNAL_MAX) return -EINVAL;
  const task = taskByPid(pid);
  if (task === null || (tgid > 0 && task.tgid !== tgid) || task.isKernelThread) return -ESRCH;
  if (!allowed(task, signal)) return -EPERM;
  if (signal === 0) return 0;
  const own = current();
  return signalSendInfo(task, signal, SI_TKILL, <u32> own.tgid, own.uid, 0, false);
}

function sysTkill(pid: u32, signal: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return killThread(0, <i32> pid, <i32> signal);
}

function sysTgkill(tgid: u32, pid: u32, signal: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> tgid <= 0 ? -EINVAL : killThread(<i32> tgid, <i32> pid, <i32> signal);
}

function queueInfo(task: Task | null, signal: i32, info: u32, shared: bool): i32 {
  if (signal < 1 || signal > SIGNAL_MAX) return -EINVAL;
  if (task === null) return -ESRCH;
  const block = kmalloc(SIGINFO);
  if (block === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(block, info, SIGINFO) === 0) {
    const code = load<i32>(block, 8);
    // Only the kernel and kill(2) may say so.
    if ((code >= 0 || code === SI_TKILL) && task.process !== current().process) result = -EPERM;
    else if (!allowed(task, signal)) result = -EPERM;
    else {
      result = signalSendInfo(
        task,
        signal,
        code >= 0 ? SI_QUEUE : code,
        load<u32>(block, 12),
        load<u32>(block, 16),
        load<u32>(block, 20),
        shared,
      );
    }
  }
  kfree(block);
  return result;
}

function sysRtSigqueueinfo(pid: u32, signal: u32, info: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = processByPid(<i32> pid);
  return queueInfo(process === null ? null : process.leader, <i32> signal, info, true);
}

function sysRtTgsigqueueinfo(tgid: u32, pid: u32, signal: u32, info: u32, _e: u32, _f: u32): i32 {
  const task = taskByPid(<i32> pid);
  if (task !== null && task.tgid !== <i32> tgid) return -ESRCH;
  return queueInfo(task, <i32> signal, info, false);
}

function sysSigaltstack(set: u32, old: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const esp = userFrame(task).esp;
  const state = altStackState(task, esp);
  const address = task.altStack;
  const size = task.altStackSize;
  if (set !== 0) {
    if (state === SS_ONSTACK) return -EPERM;
    if (getUser32(set) < 0) return -EFAULT;
    const newStack = userWord();
    if (getUser32(set + 4) < 0) return -EFAULT;
    const flags = userWord() & 0x7fffffff;
    if (getUser32(set + 8) < 0) return -EFAULT;
    const newSize = userWord();
    if (flags !== 0 && flags !== SS_DISABLE && flags !== SS_ONSTACK) return -EINVAL;
    if (flags === SS_DISABLE) {
      task.altStack = 0;
      task.altStackSize = 0;
    } else {
      if (newSize < MINSIGSTKSZ) return -ENOMEM;
      task.altStack = newStack;
      task.altStackSize = newSize;
    }
    task.altStackFlags = flags & SS_DISABLE;
  }
  if (old === 0) return 0;
  if (putUser32(old, address) < 0 || putUser32(old + 4, state) < 0) return -EFAULT;
  return putUser32(old + 8, size);
}

function sysSigreturn(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return sigreturn(userFrame(current()));
}

function sysRtSigreturn(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return rtSigreturn(userFrame(current()));
}

/** Registers the calls of this file. */
export function signalCallsInit(): void {
  syscallRegister(SYS_RT_SIGACTION, sysRtSigaction);
  syscallRegister(SYS_SIGACTION, sysSigaction);
  syscallRegister(SYS_SIGNAL, sysSignal);
  syscallRegister(SYS_RT_SIGPROCMASK, sysRtSigprocmask);
  syscallRegister(SYS_SIGPROCMASK, sysSigprocmask);
  syscallRegister(SYS_SGETMASK, sysSgetmask);
  syscallRegister(SYS_SSETMASK, sysSsetmask);
  syscallRegister(SYS_RT_SIGPENDING, sysRtSigpending);
  syscallRegister(SYS_SIGPENDING, sysSigpending);
  syscallRegister(SYS_RT_SIGSUSPEND, sysRtSigsuspend);
  syscallRegister(SYS_SIGSUSPEND, sysSigsuspend);
  syscallRegister(SYS_PAUSE, sysPause);
  syscallRegister(SYS_RT_SIGTIMEDWAIT, sysRtSigtimedwait);
  syscallRegister(SYS_RT_SIGTIMEDWAIT_TIME64, sysRtSigtimedwait64);
  syscallRegister(SYS_KILL, sysKill);
  syscallRegister(SYS_TKILL, sysTkill);
  syscallRegister(SYS_TGKILL, sysTgkill);
  syscallRegister(SYS_RT_SIGQUEUEINFO, sysRtSigqueueinfo);
  syscallRegister(SYS_RT_TGSIGQUEUEINFO, sysRtTgsigqueueinfo);
  syscallRegister(SYS_SIGALTSTACK, sysSigaltstack);
  syscallRegister(SYS_SIGRETURN, sysSigreturn);
  syscallRegister(SYS_RT_SIGRETURN, sysRtSigreturn);
}
