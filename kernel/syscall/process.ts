/**
 * System calls about processes: fork, exec, exit, wait, groups and sessions, threads.
 *
 * @module
 */
import { E2BIG, EACCES, EFAULT, EINVAL, ENOMEM, ENOSYS, EPERM, ESRCH } from "../abi/errno.ts";
import { CLONE_VFORK, CLONE_VM, CSIGNAL } from "../abi/sched.ts";
import { SIGCHLD, SIGNAL_MAX } from "../abi/signal.ts";
import {
  SYS_CAPGET,
  SYS_CAPSET,
  SYS_CLONE,
  SYS_CLONE3,
  SYS_EXECVE,
  SYS_EXIT,
  SYS_EXIT_GROUP,
  SYS_FORK,
  SYS_FUTEX,
  SYS_FUTEX_TIME64,
  SYS_GET_ROBUST_LIST,
  SYS_GET_THREAD_AREA,
  SYS_GETPGID,
  SYS_GETPGRP,
  SYS_GETPID,
  SYS_GETPPID,
  SYS_GETSID,
  SYS_GETTID,
  SYS_PERSONALITY,
  SYS_PRCTL,
  SYS_RSEQ,
  SYS_SET_ROBUST_LIST,
  SYS_SET_THREAD_AREA,
  SYS_SET_TID_ADDRESS,
  SYS_SETPGID,
  SYS_SETSID,
  SYS_VFORK,
  SYS_WAIT4,
  SYS_WAITID,
  SYS_WAITPID,
} from "../abi/syscall.ts";
import { strlcpy } from "../lib/mod.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { copyIn, copyInString, copyOut, getUser32, putUser32, userWord } from "../mm/user.ts";
import { CloneRequest, cloneTask, userFrame } from "../proc/create.ts";
import { EXEC_PATH_MAX, execute } from "../proc/exec.ts";
import { exitGroup, exitThread, reapDead } from "../proc/exit.ts";
import { futex } from "../proc/futex.ts";
import { current, NAME_SIZE, Process, Task } from "../proc/task.ts";
import { processByPid, processFirst, taskByPid } from "../proc/task_list.ts";
import { getTlsDescriptor, setTlsDescriptor } from "../proc/tls.ts";
import { wait4, waitId } from "../proc/wait.ts";
import { syscallRegister } from "./table.ts";
import { readTimespec, timespecNs } from "./timespec.ts";

const CLONE_ARGS_MIN: u32 = 64;
const CLONE_ARGS_MAX: u32 = 4096;
const ROBUST_HEAD: u32 = 12;

function clone(flags: u32, stack: u32, parentTid: u32, tls: u32, childTid: u32, signal: i32): i32 {
  reapDead();
  const request = changetype<CloneRequest | null>(kzalloc(offsetof<CloneRequest>()));
  if (request === null) return -ENOMEM;
  request.flags = flags;
  request.exitSignal = signal;
  request.stack = stack;
  request.parentTid = parentTid;
  request.childTid = childTid;
  request.tls = tls;
  const result = cloneTask(request, userFrame(current()));
  kfree(changetype<usize>(request));
  return result;
}

function sysFork(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return clone(0, 0, 0, 0, 0, SIGCHLD);
}

function sysVfork(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return clone(CLONE_VM | CLONE_VFORK, 0, 0, 0, 0, SIGCHLD);
}

function sysClone(flags: u32, stack: u32, parentTid: u32, tls: u32, childTid: u32, _f: u32): i32 {
  return clone(flags & ~CSIGNAL, stack, parentTid, tls, childTid, <i32> (flags & CSIGNAL));
}

function sysClone3(request: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (size < CLONE_ARGS_MIN) return -EINVAL;
  if (size > CLONE_ARGS_MAX) return -E2BIG;
  const block = kzalloc(size < 88 ? 88 : size);
  if (block === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(block, request, size) === 0) result = clone3(block, size);
  kfree(block);
  return result;
}

/* struct clone_args: eight-byte fields flags pidfd child_tid parent_tid exit_signal stack stack_size tls… */
function clone3(block: usize, size: u32): i32 {
  for (let at: u32 = 88; at < size; at++) if (load<u8>(block + at) !== 0) return -E2BIG;
  const flags = load<u64>(block);
  const signal = load<u64>(block, 32);
  if (flags > 0xffffffff || (flags & <u64> CSIGNAL) !== 0) return -EINVAL;
  if (signal > <u64> SIGNAL_MAX) return -EINVAL;
  if (load<u64>(block, 64) !== 0 || load<u64>(block, 80) !== 0) return -EINVAL;
  const stack = load<u32>(block, 40);
  const stackSize = load<u32>(block, 48);
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  return clone(
    <u32> flags,
    stack + stackSize,
    load<u32>(block, 24),
    load<u32>(block, 56),
    load<u32>(block, 16),
    <i32> signal,
  );
}

function sysExecve(path: u32, argv: u32, envp: u32, _d: u32, _e: u32, _f: u32): i32 {
  const name = kmalloc(EXEC_PATH_MAX);
  if (name === 0) return -ENOMEM;
  const n = copyInString(name, path, EXEC_PATH_MAX);
  let result = n;
  if (n >= 0) result = execute(name, argv, envp, false, userFrame(current()));
  kfree(name);
  return result;
}

function sysExit(code: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  exitThread(<i32> ((code & 0xff) << 8));
  return 0;
}

function sysExitGroup(code: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  exitGroup(<i32> ((code & 0xff) << 8));
  return 0;
}

function sysWait4(pid: u32, status: u32, options: u32, usage: u32, _e: u32, _f: u32): i32 {
  return wait4(<i32> pid, status, options, usage);
}

function sysWaitpid(pid: u32, status: u32, options: u32, _d: u32, _e: u32, _f: u32): i32 {
  return wait4(<i32> pid, status, options, 0);
}

function sysWaitid(type: u32, id: u32, info: u32, options: u32, usage: u32, _f: u32): i32 {
  return waitId(type, <i32> id, info, options, usage);
}

function sysGetpid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return current().tgid;
}

function sysGettid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return current().pid;
}

function sysGetppid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return current().ppid;
}

function sysGetpgrp(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return current().pgrp;
}

function find(pid: u32): Process | null {
  if (pid === 0) return current().process;
  const task = taskByPid(<i32> pid);
  return task === null ? null : task.process;
}

function sysGetpgid(pid: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = find(pid);
  return process === null ? -ESRCH : process.pgrp;
}

function sysGetsid(pid: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = find(pid);
  return process === null ? -ESRCH : process.session;
}

/* POSIX setpgid(): oneself or a child before its exec, within the session. */
function sysSetpgid(pid: u32, group: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const own = current().process;
  const process = pid === 0 ? own : processByPid(<i32> pid);
  if (<i32> group < 0) return -EINVAL;
  if (process === null) return -ESRCH;
  if (process !== own) {
    if (process.parent !== own) return -ESRCH;
    if (process.session !== own.session) return -EPERM;
    if (process.hasExeced) return -EACCES;
  }
  if (process.session === process.pid) return -EPERM;
  const target = group === 0 ? process.pid : <i32> group;
  if (target !== process.pid) {
    let found = false;
    for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
      const p = nextProcess;
      nextProcess = p.next;
      if (p.pgrp === target && p.session === own.session) found = true;
    }
    if (!found) return -EPERM;
  }
  process.pgrp = target;
  return 0;
}

function sysSetsid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const process = current().process;
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (p.pgrp === process.pid) return -EPERM;
  }
  process.session = process.pid;
  process.pgrp = process.pid;
  process.tty = 0;
  return process.pid;
}

function sysSetTidAddress(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  current().clearTid = address;
  return current().pid;
}

function sysSetThreadArea(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setTlsDescriptor(current(), address, true);
}

function sysGetThreadArea(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getTlsDescriptor(current(), address);
}

function sysSetRobustList(head: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (size !== ROBUST_HEAD) return -EINVAL;
  current().robustList = head;
  return 0;
}

function sysGetRobustList(pid: u32, head: u32, size: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = pid === 0 ? current() : taskByPid(<i32> pid);
  if (task === null) return -ESRCH;
  if (putUser32(size, ROBUST_HEAD) < 0) return -EFAULT;
  return putUser32(head, task.robustList);
}

function doFutex(
  address: u32,
  operation: u32,
  value: u32,
  timeout: u32,
  address2: u32,
  value3: u32,
  wide: bool,
): i32 {
  const command = operation & 127;
  const waits = command === 0 || command === 9;
  let ns: u64 = 0;
  if (waits && timeout !== 0) {
    const error = readTimespec(timeout, wide);
    if (error < 0) return error;
    ns = timespecNs();
  }
  return futex(address, operation, value, waits && timeout !== 0, ns, timeout, address2, value3);
}

function sysFutex(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return doFutex(a, b, c, d, e, f, false);
}

function sysFutex64(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return doFutex(a, b, c, d, e, f, true);
}

const PR_SET_PDEATHSIG: u32 = 1;
const PR_GET_DUMPABLE: u32 = 3;
const PR_SET_DUMPABLE: u32 = 4;
const PR_GET_KEEPCAPS: u32 = 7;
const PR_SET_KEEPCAPS: u32 = 8;
const PR_SET_NAME: u32 = 15;
const PR_GET_NAME: u32 = 16;
const PR_CAPBSET_READ: u32 = 23;
const PR_GET_SECUREBITS: u32 = 27;
const PR_SET_CHILD_SUBREAPER: u32 = 36;
const PR_GET_CHILD_SUBREAPER: u32 = 37;
const PR_SET_NO_NEW_PRIVS: u32 = 38;
const PR_GET_NO_NEW_PRIVS: u32 = 39;
const CAP_LAST: u32 = 40;

function setName(task: Task, address: u32): i32 {
  const text = kzalloc(NAME_SIZE + 1);
  if (text === 0) return -ENOMEM;
  const n = copyInString(text, address, NAME_SIZE);
  if (n !== -EFAULT) strlcpy(task.name, text, NAME_SIZE);
  kfree(text);
  return n === -EFAULT ? n : 0;
}

function sysPrctl(option: u32, a: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  switch (option) {
    case PR_SET_NAME:
      return setName(task, a);
    case PR_GET_NAME:
      return copyOut(a, task.name, NAME_SIZE);
    case PR_GET_DUMPABLE:
      return <i32> task.dumpable;
    case PR_SET_DUMPABLE:
      if (a > 1) return -EINVAL;
      task.dumpable = a;
      return 0;
    case PR_GET_KEEPCAPS:
    case PR_GET_SECUREBITS:
      return 0;
    case PR_SET_KEEPCAPS:
      return a > 1 ? -EINVAL : 0;
    case PR_SET_PDEATHSIG:
      return a > <u32> SIGNAL_MAX ? -EINVAL : a === 0 ? 0 : -ENOSYS;
    case PR_CAPBSET_READ:
      return a <= CAP_LAST ? 1 : -EINVAL;
    case PR_SET_CHILD_SUBREAPER:
      task.process.subreaper = a !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return putUser32(a, task.process.subreaper ? 1 : 0);
    case PR_SET_NO_NEW_PRIVS:
      if (a !== 1) return -EINVAL;
      task.noNewPrivileges = 1;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return <i32> task.noNewPrivileges;
    default:
      return -EINVAL;
  }
}

const CAPABILITY_V3: u32 = 0x20080522;

/* Root has all capabilities, others none; that is what is told. */
function sysCapget(header: u32, data: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (getUser32(header) < 0) return -EFAULT;
  const version = userWord();
  if (version !== CAPABILITY_V3 && version !== 0x20071026 && version !== 0x19980330) {
    if (putUser32(header, CAPABILITY_V3) < 0) return -EFAULT;
    return data === 0 ? 0 : -EINVAL;
  }
  if (data === 0) return 0;
  const all = current().euid === 0;
  const pairs: u32 = version === 0x19980330 ? 1 : 2;
  for (let i: u32 = 0; i < pairs; i++) {
    const mask: u32 = !all ? 0 : i === 0 ? 0xffffffff : 0x1ff;
    if (putUser32(data + i * 12, mask) < 0 || putUser32(data + i * 12 + 4, mask) < 0) {
      return -EFAULT;
    }
    if (putUser32(data + i * 12 + 8, 0) < 0) return -EFAULT;
  }
  return 0;
}

function sysCapset(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return current().euid === 0 ? 0 : -EPERM;
}

function sysPersonality(persona: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return persona === 0xffffffff || persona === 0 ? 0 : -EINVAL;
}

/* Restartable sequences are for many processors; glibc goes without. */
function sysRseq(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return -ENOSYS;
}

/** Registers the calls of this file. */
export function processCallsInit(): void {
  syscallRegister(SYS_FORK, sysFork);
  syscallRegister(SYS_VFORK, sysVfork);
  syscallRegister(SYS_CLONE, sysClone);
  syscallRegister(SYS_CLONE3, sysClone3);
  syscallRegister(SYS_EXECVE, sysExecve);
  syscallRegister(SYS_EXIT, sysExit);
  syscallRegister(SYS_EXIT_GROUP, sysExitGroup);
  syscallRegister(SYS_WAIT4, sysWait4);
  syscallRegister(SYS_WAITPID, sysWaitpid);
  syscallRegister(SYS_WAITID, sysWaitid);
  syscallRegister(SYS_GETPID, sysGetpid);
  syscallRegister(SYS_GETTID, sysGettid);
  syscallRegister(SYS_GETPPID, sysGetppid);
  syscallRegister(SYS_GETPGRP, sysGetpgrp);
  syscallRegister(SYS_GETPGID, sysGetpgid);
  syscallRegister(SYS_GETSID, sysGetsid);
  syscallRegister(SYS_SETPGID, sysSetpgid);
  syscallRegister(SYS_SETSID, sysSetsid);
  syscallRegister(SYS_SET_TID_ADDRESS, sysSetTidAddress);
  syscallRegister(SYS_SET_THREAD_AREA, sysSetThreadArea);
  syscallRegister(SYS_GET_THREAD_AREA, sysGetThreadArea);
  syscallRegister(SYS_SET_ROBUST_LIST, sysSetRobustList);
  syscallRegister(SYS_GET_ROBUST_LIST, sysGetRobustList);
  syscallRegister(SYS_FUTEX, sysFutex);
  syscallRegister(SYS_FUTEX_TIME64, sysFutex64);
  syscallRegister(SYS_PRCTL, sysPrctl);
  syscallRegister(SYS_RSEQ, sysRseq);
  syscallRegister(SYS_CAPGET, sysCapget);
  syscallRegister(SYS_CAPSET, sysCapset);
  syscallRegister(SYS_PERSONALITY, sysPersonality);
}
