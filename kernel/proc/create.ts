/**
 * New tasks and processes: kernel threads, fork, vfork, clone.
 *
 * @module
 */
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NAMESPACES,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
} from "../abi/sched.ts";
import { fpuCopy, fpuFree } from "../arch/i386/fpu.ts";
import { FRAME_SIZE, TrapFrame } from "../arch/i386/frame.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { kernel_thread_entry, task_return } from "../arch/i386/sym.ts";
import { entryOf } from "../arch/i386/page_table.ts";
import { strlcpy } from "../lib/string.ts";
import { kfree, kmalloc, kstrdup, kzalloc } from "../mm/heap.ts";
import { mmCopy, mmRelease } from "../mm/map.ts";
import { allocPages, freePages, physToVirt, virtToPhys } from "../mm/page.ts";
import { Mm } from "../mm/space.ts";
import { putUser32 } from "../mm/user.ts";
import { handleFault } from "../mm/fault.ts";
import { schedulerInit, sliceOf, taskStart } from "../sched/scheduler.ts";
import { sleepOnTimeout, WaitEntry, WaitQueue } from "../sync/wait.ts";
import { HZ, ticks64 } from "../time/ticks.ts";
import { Timer } from "../time/timer.ts";
import { files } from "./services.ts";
import { actionsCopy, actionsNew, actionsRelease, signalsFree } from "./signal.ts";
import {
  current,
  killPending,
  NAME_SIZE,
  Process,
  RLIMITS,
  SignalActions,
  STACK_ORDER,
  STACK_SIZE,
  Task,
  VforkWait,
} from "./task.ts";
import { pidNew, processAdd, taskAdd } from "./task_list.ts";
import { setTlsDescriptor } from "./tls.ts";

const EFLAGS_FIXED: u32 = 2;

/* What `switch_context` pops for a new task: edi, esi, ebx, ebp, return address. */
const SWITCH_WORDS: u32 = 5;

let kernelProcess: Process = changetype<Process>(0);

/** The process of kernel threads, which has the number 0. */
export function processZero(): Process {
  return kernelProcess;
}

function processNew(): Process | null {
  const process = changetype<Process | null>(kzalloc(offsetof<Process>()));
  if (process === null) return null;
  process.rlimits = kzalloc(RLIMITS << 4);
  process.realTimer = changetype<Timer>(kzalloc(offsetof<Timer>()));
  if (process.rlimits === 0 || changetype<usize>(process.realTimer) === 0) {
    processFree(process);
    return null;
  }
  process.startTicks = ticks64();
  return process;
}

/** Frees the record of a process that nobody knows any more. */
export function processFree(process: Process): void {
  kfree(process.rlimits);
  kfree(changetype<usize>(process.realTimer));
  kfree(changetype<usize>(process));
}

function taskNew(stack: usize): Task | null {
  const task = changetype<Task | null>(kzalloc(offsetof<Task>()));
  if (task === null) return null;
  task.sleepEntry = changetype<WaitEntry>(kzalloc(offsetof<WaitEntry>()));
  task.sleepTimer = changetype<Timer>(kzalloc(offsetof<Timer>()));
  if (stack === 0) {
    const pages = allocPages(STACK_ORDER);
    if (pages !== 0) stack = physToVirt(pages);
  }
  task.stack = stack;
  if (
    stack === 0 || changetype<usize>(task.sleepEntry) === 0 ||
    changetype<usize>(task.sleepTimer) === 0
  ) {
    taskFree(task);
    return null;
  }
  task.slice = 1;
  task.dumpable = 1;
  task.startTicks = ticks64();
  return task;
}

/** Frees a task that has ended and runs no more. */
export function taskFree(task: Task): void {
  signalsFree(task);
  fpuFree(task);
  if (changetype<usize>(task.actions) !== 0) actionsRelease(task.actions);
  if (task.stack !== 0) freePages(virtToPhys(task.stack), STACK_ORDER);
  kfree(task.path);
  kfree(task.groups);
  kfree(changetype<usize>(task.sleepEntry));
  kfree(changetype<usize>(task.sleepTimer));
  kfree(changetype<usize>(task));
}

/** Makes the running context (boot, on `stack`) the idle task. */
export function idleTaskInit(stack: usize): bool {
  const process = processNew();
  if (process === null) return false;
  kernelProcess = process;
  const task = taskNew(stack);
  const actions = actionsNew();
  if (task === null || actions === null) return false;
  task.process = process;
  task.actions = actions;
  process.leader = task;
  strlcpy(task.name, c`idle`, NAME_SIZE);
  schedulerInit(task);
  // Limits that init inherits (Linux: 8 MiB of stack, 1024 files).
  for (let i: u32 = 0; i < RLIMITS; i++) {
    store<u64>(process.rlimits + (i << 4), ~(<u64> 0));
    store<u64>(process.rlimits + (i << 4), ~(<u64> 0), 8);
  }
  store<u64>(process.rlimits + (3 << 4), 8 << 20);
  store<u64>(process.rlimits + (4 << 4), 0);
  store<u64>(process.rlimits + (7 << 4), 1024);
  store<u64>(process.rlimits + (7 << 4), 4096, 8);
  store<u64>(process.rlimits + (6 << 4), 4096);
  store<u64>(process.rlimits + (6 << 4), 4096, 8);
  store<u64>(process.rlimits + (8 << 4), 65536);
  store<u64>(process.rlimits + (8 << 4), 65536, 8);
  store<u64>(process.rlimits + (11 << 4), 1024);
  store<u64>(process.rlimits + (11 << 4), 1024, 8);
  store<u64>(process.rlimits + (12 << 4), 819200);
  store<u64>(process.rlimits + (12 << 4), 819200, 8);
  store<u64>(process.rlimits + (13 << 4), 0);
  store<u64>(process.rlimits + (13 << 4), 0, 8);
  store<u64>(process.rlimits + (14 << 4), 0);
  store<u64>(process.rlimits + (14 << 4), 0, 8);
  return true;
}

/* Lays the words out that `switch_context` pops. */
function prepareStack(task: Task, top: usize, start: usize, ebx: u32, esi: u32): void {
  const at = top - (SWITCH_WORDS << 2);
  store<u32>(at, 0);
  store<u32>(at, esi, 4);
  store<u32>(at, ebx, 8);
  store<u32>(at, 0, 12);
  store<u32>(at, <u32> start, 16);
  task.stackPointer = at;
}

/** Starts a thread of the kernel: its pid, or -ENOMEM. It should not return. */
export function kernelThread(name: usize, run: (argument: usize) => void, argument: usize): i32 {
  const task = taskNew(0);
  if (task === null) return -ENOMEM;
  const actions = actionsNew();
  if (actions === null) {
    taskFree(task);
    return -ENOMEM;
  }
  task.process = kernelProcess;
  task.actions = actions;
  task.pid = pidNew();
  task.blocked = ~(<u64> 0);
  strlcpy(task.name, name, NAME_SIZE);
  kernelProcess.threads++;
  taskAdd(task);
  prepareStack(
    task,
    task.stack + STACK_SIZE,
    kernel_thread_entry(),
    <u32> changetype<usize>(run),
    <u32> argument,
  );
  taskStart(task);
  return task.pid;
}

/**
 * Starts the first process, number 1, as a kernel thread that is to call exec: 0 or -ENOMEM.
 * It must be called before any other thread is made.
 */
export function initProcess(run: (argument: usize) => void): i32 {
  const process = processNew();
  if (process === null) return -ENOMEM;
  const task = taskNew(0);
  const actions = actionsNew();
  if (task === null || actions === null) return -ENOMEM;
  process.pid = pidNew();
  process.pgrp = process.pid;
  process.session = process.pid;
  process.leader = task;
  process.firstThread = task;
  process.threads = 1;
  memory.copy(process.rlimits, kernelProcess.rlimits, RLIMITS << 4);
  task.pid = process.pid;
  task.process = process;
  task.actions = actions;
  strlcpy(task.name, c`init`, NAME_SIZE);
  processAdd(process);
  taskAdd(task);
  // Its stack has room for the user's frame above what the thread uses.
  prepareStack(
    task,
    task.stack + STACK_SIZE - FRAME_SIZE,
    kernel_thread_entry(),
    <u32> changetype<usize>(run),
    0,
  );
  taskStart(task);
  return 0;
}

/** The frame of a task at the top of its kernel stack: its user registers. */
export function userFrame(task: Task): TrapFrame {
  return changetype<TrapFrame>(task.stack + STACK_SIZE - FRAME_SIZE);
}

/** What clone(2) and clone3(2) are asked for. */
/*@unmanaged*/
export class CloneRequest {
  flags: u32;
  exitSignal: i32;
  stack: u32;
  parentTid: u32;
  childTid: u32;
  tls: u32;
}

function checkFlags(flags: u32): i32 {
  if ((flags & CLONE_SIGHAND) !== 0 && (flags & CLONE_VM) === 0) return -EINVAL;
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return -EINVAL;
  return (flags & CLONE_NAMESPACES) !== 0 ? -EINVAL : 0;
}

function copyIdentity(parent: Task, child: Task): bool {
  memory.copy(child.name, parent.name, NAME_SIZE);
  if (parent.path !== 0) {
    child.path = kstrdup(parent.path);
    if (child.path === 0) return false;
  }
  child.uid = parent.uid;
  child.euid = parent.euid;
  child.suid = parent.suid;
  child.fsuid = parent.fsuid;
  child.gid = parent.gid;
  child.egid = parent.egid;
  child.sgid = parent.sgid;
  child.fsgid = parent.fsgid;
  child.nice = parent.nice;
  child.policy = parent.policy;
  child.realtimePriority = parent.realtimePriority;
  child.dumpable = parent.dumpable;
  child.noNewPrivileges = parent.noNewPrivileges;
  child.blocked = parent.blocked;
  child.tls0 = parent.tls0;
  child.tls1 = parent.tls1;
  child.tls2 = parent.tls2;
  child.slice = sliceOf(child);
  if (parent.groupCount > 0) {
    child.groups = kmalloc(parent.groupCount << 2);
    if (child.groups === 0) return false;
    memory.copy(child.groups, parent.groups, parent.groupCount << 2);
    child.groupCount = parent.groupCount;
  }
  return true;
}

/* Shares or copies what the flags say; what was taken is given back by `undo`. */
function copyResources(parent: Task, child: Task, flags: u32): bool {
  const mm = parent.mm!;
  if ((flags & CLONE_VM) !== 0) {
    mm.users++;
    child.mm = mm;
  } else child.mm = mmCopy(mm, files().fileShare);
  if (child.mm === null) return false;
  if ((flags & CLONE_FILES) !== 0) {
    files().filesShare(parent.files);
    child.files = parent.files;
  } else child.files = files().filesCopy(parent.files);
  if (child.files === 0) return false;
  if ((flags & CLONE_FS) !== 0) {
    files().contextShare(parent.fs);
    child.fs = parent.fs;
  } else child.fs = files().contextCopy(parent.fs);
  if (child.fs === 0) return false;
  let actions: SignalActions | null = parent.actions;
  if ((flags & CLONE_SIGHAND) !== 0) parent.actions.references++;
  else actions = actionsCopy(parent.actions);
  if (actions === null) return false;
  child.actions = actions;
  return fpuCopy(parent, child);
}

/** Gives back what a task has besides its own record. */
export function releaseResources(task: Task): void {
  const mm = task.mm;
  task.mm = null;
  const openFiles = task.files;
  task.files = 0;
  const context = task.fs;
  task.fs = 0;
  if (openFiles !== 0) files().filesRelease(openFiles);
  if (context !== 0) files().contextRelease(context);
  if (mm !== null) mmRelease(mm, files().fileRelease);
}

function joinProcess(parent: Task, child: Task, flags: u32): bool {
  if ((flags & CLONE_THREAD) !== 0) {
    const process = parent.process;
    child.process = process;
    child.threadNext = process.firstThread;
    process.firstThread = child;
    process.threads++;
    return true;
  }
  const process = processNew();
  if (process === null) return false;
  const from = parent.process;
  child.process = process;
  process.pid = child.pid;
  process.leader = child;
  process.firstThread = child;
  process.threads = 1;
  process.pgrp = from.pgrp;
  process.session = from.session;
  process.tty = from.tty;
  memory.copy(process.rlimits, from.rlimits, RLIMITS << 4);
  process.parent = (flags & CLONE_PARENT) !== 0 ? from.parent : from;
  const mother = process.parent!;
  process.sibling = mother.firstChild;
  mother.firstChild = process;
  processAdd(process);
  return true;
}

/**
 * fork, vfork, clone: makes a task that continues where the current one is, with 0 in eax. Its pid, or
 * -EAGAIN, -ENOMEM, -EINVAL, -EFAULT.
 */
export function cloneTask(request: CloneRequest, frame: TrapFrame): i32 {
  const flags = request.flags;
  const parent = current();
  const error = checkFlags(flags);
  if (error < 0) return error;
  const child = taskNew(0);
  if (child === null) return -ENOMEM;
  child.process = parent.process;
  child.pid = pidNew();
  if (child.pid === 0) {
    taskFree(child);
    return -EAGAIN;
  }
  let done = copyIdentity(parent, child) && copyResources(parent, child, flags);
  let result: i32 = -ENOMEM;
  if (done && (flags & CLONE_SETTLS) !== 0) {
    result = setTlsDescriptor(child, request.tls, false);
    done = result >= 0;
  }
  if (done && (flags & CLONE_PARENT_SETTID) !== 0) {
    result = -EFAULT;
    done = putUser32(request.parentTid, <u32> child.pid) === 0;
  }
  if (done) {
    result = -ENOMEM;
    done = joinProcess(parent, child, flags);
  }
  if (!done) {
    releaseResources(child);
    taskFree(child);
    return result;
  }
  const copy = userFrame(child);
  memory.copy(changetype<usize>(copy), changetype<usize>(frame), FRAME_SIZE);
  copy.eax = 0;
  copy.eflags |= EFLAGS_FIXED;
  if (request.stack !== 0) copy.esp = request.stack;
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.clearTid = request.childTid;
  if ((flags & CLONE_CHILD_SETTID) !== 0) setChildTid(child.mm!, request.childTid, <u32> child.pid);
  if ((flags & CLONE_VM) === 0 || (flags & CLONE_VFORK) !== 0) {
    child.altStack = parent.altStack;
    child.altStackSize = parent.altStackSize;
    child.altStackFlags = parent.altStackFlags;
  }
  child.exitSignal = (flags & CLONE_THREAD) !== 0 ? 0 : request.exitSignal;
  prepareStack(child, changetype<usize>(copy), task_return(), 0, 0);
  const pid = child.pid;
  let wait: VforkWait | null = null;
  if ((flags & CLONE_VFORK) !== 0) {
    wait = changetype<VforkWait | null>(kzalloc(offsetof<VforkWait>()));
    child.vforkDone = wait;
  }
  taskAdd(child);
  taskStart(child);
  if (wait !== null) waitForVfork(child, wait);
  return pid;
}

/* The child uses our memory: we wait until it execs or exits. Only SIGKILL ends that sooner. */
function waitForVfork(child: Task, wait: VforkWait): void {
  const flags = irqSave();
  while (!wait.done && !killPending()) sleepOnTimeout(changetype<WaitQueue>(wait), HZ);
  // Killed while the child still goes on: it must not touch what is freed now.
  if (!wait.done) child.vforkDone = null;
  irqRestore(flags);
  kfree(changetype<usize>(wait));
}

/* Writes the child's number into its own memory, which is not the current one. */
function setChildTid(mm: Mm, address: u32, value: u32): void {
  if ((address & 3) !== 0 || handleFault(mm, address, true, 0) > 1) return;
  const entry = entryOf(mm.directory, address, false);
  if (entry === 0 || (load<u32>(entry) & 1) === 0) return;
  store<u32>(physToVirt(load<u32>(entry) & 0xfffff000) + (address & 4095), value);
}
