/**
 * Tasks and processes.
 *
 * A task is what is scheduled (a thread; its `pid` is what gettid returns); a process is a thread
 * group with what POSIX gives to processes. Kernel threads are tasks without an address space, all in
 * the process 0.
 *
 * @module
 */
import { SignalInfo } from "./signal_info.ts";
import { Mm } from "../mm/space.ts";
import { WaitEntry, WaitQueue } from "../sync/wait.ts";
import { Timer } from "../time/timer.ts";

/** It runs or waits for the processor. */
export const TASK_RUNNING: u32 = 0;
/** It sleeps, and signals wake it. */
export const TASK_SLEEPING: u32 = 1;
/** It sleeps, and signals do not wake it. */
export const TASK_SLEEPING_DEEP: u32 = 2;
/** Stopped by a signal. */
export const TASK_STOPPED: u32 = 3;
/** It has ended, and its parent has not asked yet. */
export const TASK_ZOMBIE: u32 = 4;
/** It has ended and only waits to be freed. */
export const TASK_DEAD: u32 = 5;

/** Bytes of a kernel stack; order of its pages. */
export const STACK_SIZE: u32 = 16384;
export const STACK_ORDER: u32 = 2;
/** Bytes of a command name with its NUL. */
export const NAME_SIZE: u32 = 16;
/** Number of resource limits (asm-generic/resource.h). */
export const RLIMITS: u32 = 16;

/** Where the parent of a vfork waits; it begins as a WaitQueue. */
/*@unmanaged*/
export class VforkWait {
  first: usize;
  last: usize;
  done: bool;
}

/** A thread. */
/*@unmanaged*/
export class Task {
  /* Scheduling. */
  stackPointer: usize;
  stack: usize;
  state: u32;
  queued: bool;
  /** Ticks left of its time slice. */
  slice: i32;
  nice: i32;
  policy: u32;
  realtimePriority: u32;
  runNext: Task | null;

  /* Identity. */
  pid: i32;
  process: Process;
  next: Task | null;
  previous: Task | null;
  hashNext: Task | null;
  /** Next thread of the process. */
  threadNext: Task | null;
  /* The command name, 16 bytes in place: `name`. */
  name0: u32;
  name1: u32;
  name2: u32;
  name3: u32;
  /** Path of its program, its own copy; 0 for kernel threads. */
  path: usize;

  /* What it may share. `files` is the FdTable and `fs` the FsContext of fs/. */
  mm: Mm | null;
  files: usize;
  fs: usize;
  actions: SignalActions;

  /* Credentials. */
  uid: u32;
  euid: u32;
  suid: u32;
  fsuid: u32;
  gid: u32;
  egid: u32;
  sgid: u32;
  fsgid: u32;
  /** Supplementary groups: their number and their array, its own copy. */
  groupCount: u32;
  groups: usize;

  /* Signals. The first queue of pending ones is its own, the process has another. */
  blocked: u64;
  savedMask: u64;
  /** `savedMask` becomes the mask when no handler took it over (sigsuspend, pselect…). */
  restoreMask: bool;
  pendingMask: u64;
  pending: SignalInfo | null;
  altStack: u32;
  altStackSize: u32;
  altStackFlags: u32;
  /** Restart of a call with a deadline (restart_syscall): how, and three words for it. */
  restart: ((task: Task) => i32) | null;
  restartA: u32;
  restartB: u32;
  restartDeadline: u64;

  /* Processor state. */
  tls0: u64;
  tls1: u64;
  tls2: u64;
  /** FNSAVE or FXSAVE image, 0 until it uses floating point. */
  fpu: usize;
  fpuBlock: usize;
  fpuUsed: bool;
  /* Last fault, for signal frames. */
  faultAddress: u32;
  faultVector: u32;
  faultError: u32;

  /* clone(2). */
  exitSignal: i32;
  clearTid: u32;
  robustList: u32;
  /** The parent of vfork sleeps here until we exec or exit. */
  vforkDone: VforkWait | null;
  /** Futex it sleeps on. */
  futexKey: u64;
  futexBits: u32;
  futexNext: Task | null;
  futexWoken: bool;

  /* Times, in ticks. */
  userTicks: u32;
  systemTicks: u32;
  startTicks: u64;
  minorFaults: u32;
  majorFaults: u32;
  voluntarySwitches: u32;
  involuntarySwitches: u32;

  sleepEntry: WaitEntry;
  sleepTimer: Timer;
  exitCode: i32;
  dumpable: u32;
  noNewPrivileges: u32;

  /** Address of the command name, NAME_SIZE bytes with a NUL. */
  get name(): usize {
    return changetype<usize>(this) + offsetof<Task>("name0");
  }
  /** Thread group: what getpid returns. */
  get tgid(): i32 {
    return this.process.pid;
  }
  /** Parent process, 0 when there is none. */
  get ppid(): i32 {
    const parent = this.process.parent;
    return parent === null ? 0 : parent.pid;
  }
  get pgrp(): i32 {
    return this.process.pgrp;
  }
  get session(): i32 {
    return this.process.session;
  }
  /** Controlling terminal (a Tty of tty/), 0 for none. */
  get tty(): usize {
    return this.process.tty;
  }
  set tty(value: usize) {
    this.process.tty = value;
  }
  /** The first thread of the parent process, or null. */
  get parent(): Task | null {
    const parent = this.process.parent;
    return parent === null ? null : parent.leader;
  }
  /** True for tasks that never leave the kernel. */
  get isKernelThread(): bool {
    return this.process.pid === 0;
  }
}

/** A process: a group of threads. */
/*@unmanaged*/
export class Process {
  /** Process identifier, that of its first thread. */
  pid: i32;
  next: Process | null;
  /** First thread; it stays, as a zombie, until the process is reaped. */
  leader: Task;
  /** Its threads that have not ended. */
  threads: u32;
  firstThread: Task | null;

  parent: Process | null;
  firstChild: Process | null;
  sibling: Process | null;

  pgrp: i32;
  session: i32;
  tty: usize;
  /** It has called exec since fork (setpgid). */
  hasExeced: bool;

  /* How it ended or was stopped, for wait. */
  zombie: bool;
  exitStatus: i32;
  exiting: bool;
  /** Its threads stop, or have stopped, for `stopSignal`. */
  groupStop: bool;
  stopSignal: i32;
  reportStop: bool;
  reportContinue: bool;
  /** A thread of it calls exec, and the others end. */
  execTask: Task | null;

  pendingMask: u64;
  pending: SignalInfo | null;
  waitFirst: usize;
  waitLast: usize;

  /* Ticks of dead threads, of reaped children. */
  userTicks: u32;
  systemTicks: u32;
  childUserTicks: u32;
  childSystemTicks: u32;
  deadMinorFaults: u32;
  deadMajorFaults: u32;
  childMinorFaults: u32;
  childMajorFaults: u32;
  childMaxRss: u32;
  maxRss: u32;
  startTicks: u64;

  /** ITIMER_REAL: its timer, and its period in nanoseconds. */
  realTimer: Timer;
  realPeriod: u64;
  realExpiry: u64;
  /* ITIMER_VIRTUAL and ITIMER_PROF, in ticks left and period. */
  virtualLeft: u32;
  virtualPeriod: u32;
  profLeft: u32;
  profPeriod: u32;

  /** RLIMITS pairs of u64: soft, hard. */
  rlimits: usize;
  /** Reaper of orphans (PR_SET_CHILD_SUBREAPER). */
  subreaper: bool;

  /** Who waits for its children. */
  get childWait(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Process>("waitFirst"));
  }
  /** Soft limit of a resource. */
  limit(resource: u32): u64 {
    return load<u64>(this.rlimits + (resource << 4));
  }
}

/** What happens on signals; shared by CLONE_SIGHAND. Entries are five words. */
/*@unmanaged*/
export class SignalActions {
  references: u32;
  /** 64 entries: handler, flags, restorer, mask (two words). */
  entries: usize;
}

let running: Task = changetype<Task>(0);
/* The same in memory, for profilers: globals of a program have no address of their own. */
const runningWord = memory.data(4, 4);

/** The task that runs. In an interrupt, the one that was interrupted. */
export function current(): Task {
  return running;
}

/** For the scheduler only. */
export function setCurrent(task: Task): void {
  running = task;
  store<usize>(runningWord, changetype<usize>(task));
}

/** Address of a word that points to the current task. */
export function currentAddress(): usize {
  return runningWord;
}

/** True when a signal that is not blocked waits for the current task, or it must end. */
export function signalPending(): bool {
  return signalPendingIn(running);
}

/** As `signalPending` of another task. */
export function signalPendingIn(task: Task): bool {
  return ((task.pendingMask | task.process.pendingMask) & ~task.blocked) !== 0;
}

/** True when a stopping or fatal reason to end a sleep is pending: SIGKILL. */
export function killPending(): bool {
  return ((running.pendingMask | running.process.pendingMask) & 0x100) !== 0;
}
