/**
 * What happens on the way back to user mode: pending signals, stops, restarts of system calls.
 *
 * @module
 */
import { EINTR } from "../abi/errno.ts";
import {
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
  SA_RESETHAND,
  SA_RESTART,
  SIG_DFL,
  SIG_IGN,
  SIGKILL,
  SIGSTOP,
} from "../abi/signal.ts";
import { SYS_RESTART_SYSCALL } from "../abi/syscall.ts";
import { TrapFrame } from "../arch/i386/frame.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { kfree } from "../mm/heap.ts";
import { schedule } from "../sched/scheduler.ts";
import { exitGroup, exitThread, inOrphanedGroup, killedStatus, mustEnd } from "./exit.ts";
import { notifyParent } from "./notify.ts";
import { actionOf, ignoredByDefault, isTerminalStop, signalBit, signalTake } from "./signal.ts";
import { enterHandler } from "./signal_frame.ts";
import { SignalInfo } from "./signal_info.ts";
import { current, Process, Task, TASK_STOPPED } from "./task.ts";

/** Bytes of `int 0x80`. */
const SYSCALL_BYTES: u32 = 2;
const NO_SYSCALL: u32 = 0xffffffff;

function isKilled(task: Task): bool {
  return mustEnd(task) || (task.pendingMask & signalBit(SIGKILL)) !== 0;
}

/* Stops the task while its process is stopped; only SIGKILL and SIGCONT end that. */
function stopHere(task: Task, process: Process): void {
  const flags = irqSave();
  while (process.groupStop && !isKilled(task)) {
    task.state = TASK_STOPPED;
    schedule();
  }
  irqRestore(flags);
}

function stopProcess(process: Process, signal: i32): void {
  if (process.groupStop) return;
  process.groupStop = true;
  process.stopSignal = signal;
  process.reportStop = true;
  process.reportContinue = false;
  notifyParent(process, false);
}

/* The result of an interrupted call when a handler runs: EINTR, or again after it. */
function restartForHandler(frame: TrapFrame, flags: u32): void {
  if (frame.error === NO_SYSCALL) return;
  const result = -<i32> frame.eax;
  const again = result === ERESTARTNOINTR ||
    (result === ERESTARTSYS && (flags & SA_RESTART) !== 0);
  if (again) {
    frame.eax = frame.error;
    frame.eip -= SYSCALL_BYTES;
  } else if (
    result === ERESTARTSYS || result === ERESTARTNOHAND || result === ERESTART_RESTARTBLOCK
  ) {
    frame.eax = <u32> -EINTR;
  }
  frame.error = NO_SYSCALL;
}

/* The same when no handler runs. */
function restartWithoutHandler(frame: TrapFrame): void {
  if (frame.error === NO_SYSCALL) return;
  const result = -<i32> frame.eax;
  if (result === ERESTARTSYS || result === ERESTARTNOHAND || result === ERESTARTNOINTR) {
    frame.eax = frame.error;
    frame.eip -= SYSCALL_BYTES;
  } else if (result === ERESTART_RESTARTBLOCK) {
    frame.eax = SYS_RESTART_SYSCALL;
    frame.eip -= SYSCALL_BYTES;
  }
  frame.error = NO_SYSCALL;
}

/* The default action; true when the signal did nothing. */
function defaultAction(process: Process, signal: i32): void {
  if (signal !== SIGKILL && process.pid === 1) return;
  if (ignoredByDefault(signal)) return;
  if (signal === SIGSTOP || isTerminalStop(signal)) {
    if (signal === SIGSTOP || !inOrphanedGroup(process)) stopProcess(process, signal);
    return;
  }
  exitGroup(killedStatus(signal));
}

function handle(frame: TrapFrame, info: SignalInfo): void {
  const task = current();
  const entry = actionOf(task.actions, info.signal);
  const handler = load<u32>(entry);
  if (handler === SIG_IGN) return;
  if (handler === SIG_DFL) {
    defaultAction(task.process, info.signal);
    return;
  }
  const flags = load<u32>(entry, 4);
  restartForHandler(frame, flags);
  const mask = task.restoreMask ? task.savedMask : task.blocked;
  if (enterHandler(frame, info, mask)) {
    task.restoreMask = false;
    if ((flags & SA_RESETHAND) !== 0) store<u32>(entry, SIG_DFL);
  }
}

/** Delivers what is pending, before `frame` is resumed in user mode. May not return. */
export function deliverSignals(frame: TrapFrame): void {
  const task = current();
  while (true) {
    if (mustEnd(task)) exitThread(task.process.exitStatus);
    if (task.process.groupStop && !isKilled(task)) {
      stopHere(task, task.process);
      continue;
    }
    const info = signalTake(task, ~task.blocked);
    if (info === null) break;
    // SIGKILL that exec or exit of another thread sent ends only this one.
    if (info.signal === SIGKILL) {
      kfree(changetype<usize>(info));
      exitGroup(killedStatus(SIGKILL));
    }
    handle(frame, info);
    kfree(changetype<usize>(info));
  }
  restartWithoutHandler(frame);
  if (task.restoreMask) {
    task.restoreMask = false;
    task.blocked = task.savedMask;
  }
}
