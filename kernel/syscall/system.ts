/**
 * System calls about the system: its name, limits and use of resources, scheduling, log, power.
 *
 * @module
 */
import { EFAULT, EINVAL, ENOMEM, EPERM, ESRCH } from "../abi/errno.ts";
import {
  SYS_GETCPU,
  SYS_GETPRIORITY,
  SYS_GETRANDOM,
  SYS_GETRLIMIT,
  SYS_GETRUSAGE,
  SYS_MEMBARRIER,
  SYS_NICE,
  SYS_PRLIMIT64,
  SYS_REBOOT,
  SYS_SCHED_GET_PRIORITY_MAX,
  SYS_SCHED_GET_PRIORITY_MIN,
  SYS_SCHED_GETAFFINITY,
  SYS_SCHED_GETPARAM,
  SYS_SCHED_GETSCHEDULER,
  SYS_SCHED_RR_GET_INTERVAL,
  SYS_SCHED_SETAFFINITY,
  SYS_SCHED_SETPARAM,
  SYS_SCHED_SETSCHEDULER,
  SYS_SCHED_YIELD,
  SYS_SETDOMAINNAME,
  SYS_SETHOSTNAME,
  SYS_SETPRIORITY,
  SYS_SETRLIMIT,
  SYS_SYSINFO,
  SYS_SYSLOG,
  SYS_UGETRLIMIT,
  SYS_UNAME,
} from "../abi/syscall.ts";
import { powerHalt, powerOff, powerRestart } from "../drivers/power/mod.ts";
import { LOG_SIZE, logByte, logClear, logEnd, logStart, printk, strlcpy } from "../lib/mod.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { pagesFree, pagesTotal } from "../mm/page.ts";
import { copyIn, copyOut, getUser32, putUser32, userWord } from "../mm/user.ts";
import { loadAverage } from "../sched/load.ts";
import { randomBytes, syncDisks } from "../proc/services.ts";
import { current, Process, RLIMITS, signalPending, Task } from "../proc/task.ts";
import { processFirst, taskByPid, taskCount } from "../proc/task_list.ts";
import { fillUsage, RUSAGE_SIZE, USAGE_CHILDREN, USAGE_SELF } from "../proc/usage.ts";
import { yieldProcessor } from "../sched/mod.ts";
import { monotonicNs, TICK_NS } from "../time/mod.ts";
import { syscallRegister } from "./table.ts";
import { writeTimespec } from "./timespec.ts";

const FIELD: u32 = 65;
const UTSNAME: u32 = 390;
const INFINITY32: u32 = 0xffffffff;
const INFINITY64: u64 = 0xffffffffffffffff;

const hostName = memory.data(65, 4);
const domainName = memory.data(65, 4);
let named = false;

/** The host's name. */
export function hostname(): usize {
  if (!named) {
    strlcpy(hostName, c`overture`, FIELD);
    strlcpy(domainName, c`(none)`, FIELD);
    named = true;
  }
  return hostName;
}

/** What uname(2) and /proc say: the Linux version whose interface this is, and our own. */
export const RELEASE: usize = c`6.1.0-overture`;
export const VERSION: usize = c`#1 Overture 0.1`;

function sysUname(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const block = kzalloc(UTSNAME);
  if (block === 0) return -ENOMEM;
  strlcpy(block, c`Linux`, FIELD);
  strlcpy(block + FIELD, hostname(), FIELD);
  strlcpy(block + 2 * FIELD, RELEASE, FIELD);
  strlcpy(block + 3 * FIELD, VERSION, FIELD);
  strlcpy(block + 4 * FIELD, c`i686`, FIELD);
  strlcpy(block + 5 * FIELD, domainName, FIELD);
  const error = copyOut(address, block, UTSNAME);
  kfree(block);
  return error;
}

function setName(target: usize, address: u32, length: u32): i32 {
  if (current().euid !== 0) return -EPERM;
  if (length >= FIELD) return -EINVAL;
  const block = kzalloc(FIELD);
  if (block === 0) return -ENOMEM;
  const error = copyIn(block, address, length);
  hostname();
  if (error === 0) strlcpy(target, block, FIELD);
  kfree(block);
  return error;
}

function sysSethostname(address: u32, length: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setName(hostName, address, length);
}

function sysSetdomainname(address: u32, length: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setName(domainName, address, length);
}

/* struct sysinfo, 64 bytes. */
function sysSysinfo(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const block = kzalloc(64);
  if (block === 0) return -ENOMEM;
  store<u32>(block, <u32> (monotonicNs() / 1000000000));
  for (let i: u32 = 0; i < 3; i++) store<u32>(block + 4 + (i << 2), loadAverage(i) << 5);
  store<u32>(block, pagesTotal() << 12, 16);
  store<u32>(block, pagesFree() << 12, 20);
  store<u16>(block, <u16> taskCount(), 40);
  store<u32>(block, 1, 52);
  const error = copyOut(address, block, 64);
  kfree(block);
  return error;
}

/* --- Limits --------------------------------------------------------------------------------------------- */

function setLimit(process: Process, resource: u32, soft: u64, hard: u64): i32 {
  const entry = process.rlimits + (resource << 4);
  if (soft > hard) return -EINVAL;
  if (hard > load<u64>(entry, 8) && current().euid !== 0) return -EPERM;
  store<u64>(entry, soft);
  store<u64>(entry, hard, 8);
  return 0;
}

function clamp(value: u64): u32 {
  return value >= <u64> INFINITY32 ? INFINITY32 : <u32> value;
}

function sysUgetrlimit(resource: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (resource >= RLIMITS) return -EINVAL;
  const entry = current().process.rlimits + (resource << 4);
  if (putUser32(address, clamp(load<u64>(entry))) < 0) return -EFAULT;
  return putUser32(address + 4, clamp(load<u64>(entry, 8)));
}

/* The oldest form: infinity is the largest positive number. */
function sysGetrlimit(resource: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (resource >= RLIMITS) return -EINVAL;
  const entry = current().process.rlimits + (resource << 4);
  const soft = clamp(load<u64>(entry));
  const hard = clamp(load<u64>(entry, 8));
  if (putUser32(address, soft > 0x7fffffff ? 0x7fffffff : soft) < 0) return -EFAULT;
  return putUser32(address + 4, hard > 0x7fffffff ? 0x7fffffff : hard);
}

function sysSetrlimit(resource: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (resource >= RLIMITS) return -EINVAL;
  if (getUser32(address) < 0) return -EFAULT;
  const soft = userWord();
  if (getUser32(address + 4) < 0) return -EFAULT;
  const hard = userWord();
  return setLimit(
    current().process,
    resource,
    soft === INFINITY32 ? INFINITY64 : <u64> soft,
    hard === INFINITY32 ? INFINITY64 : <u64> hard,
  );
}

function sysPrlimit64(pid: u32, resource: u32, set: u32, old: u32, _e: u32, _f: u32): i32 {
  if (resource >= RLIMITS) return -EINVAL;
  const task = pid === 0 ? current() : taskByPid(<i32> pid);
  if (task === null) return -ESRCH;
  const own = current();
  if (task.process !== own.process && own.euid !== 0 && own.uid !== task.uid) return -EPERM;
  const block = kmalloc(32);
  if (block === 0) return -ENOMEM;
  memory.copy(block, task.process.rlimits + (resource << 4), 16);
  let error: i32 = 0;
  if (set !== 0) {
    error = copyIn(block + 16, set, 16);
    if (error === 0) {
      error = setLimit(task.process, resource, load<u64>(block, 16), load<u64>(block, 24));
    }
  }
  if (error === 0 && old !== 0) error = copyOut(old, block, 16);
  kfree(block);
  return error;
}

function sysGetrusage(who: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const which = <i32> who;
  if (which !== 0 && which !== -1 && which !== 1) return -EINVAL;
  const block = kzalloc(RUSAGE_SIZE);
  if (block === 0) return -ENOMEM;
  fillUsage(block, current().process, which === -1 ? USAGE_CHILDREN : USAGE_SELF);
  const error = copyOut(address, block, RUSAGE_SIZE);
  kfree(block);
  return error;
}

/* --- Scheduling ------------------------------------------------------------------------------------------ */

const PRIO_PROCESS: u32 = 0;
const PRIO_PGRP: u32 = 1;
const PRIO_USER: u32 = 2;

function prioMatches(process: Process, which: u32, who: u32): bool {
  const own = current();
  if (which === PRIO_PROCESS) return process.pid === (who === 0 ? own.tgid : <i32> who);
  if (which === PRIO_PGRP) return process.pgrp === (who === 0 ? own.pgrp : <i32> who);
  return process.leader.uid === (who === 0 ? own.uid : who);
}

/* The result is 20 - nice, so that it is never negative. */
function sysGetpriority(which: u32, who: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (which > PRIO_USER) return -EINVAL;
  let best: i32 = -ESRCH;
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (prioMatches(p, which, who) && 20 - p.leader.nice > best) best = 20 - p.leader.nice;
  }
  return best;
}

function setNice(task: Task, nice: i32): i32 {
  const own = current();
  if (own.euid !== 0 && own.euid !== task.uid) return -EPERM;
  if (nice < task.nice && own.euid !== 0) return -EPERM;
  task.nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
  return 0;
}

function sysSetpriority(which: u32, who: u32, nice: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (which > PRIO_USER) return -EINVAL;
  let result: i32 = -ESRCH;
  for (let nextProcess: Process | null = processFirst(); nextProcess !== null;) {
    const p = nextProcess;
    nextProcess = p.next;
    if (!prioMatches(p, which, who)) continue;
    if (result === -ESRCH) result = 0;
    for (let nextThread: Task | null = p.firstThread; nextThread !== null;) {
      const t = nextThread;
      nextThread = t.threadNext;
      const error = setNice(t, <i32> nice);
      if (error < 0) result = error;
    }
  }
  return result;
}

function sysNice(increment: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  return setNice(task, task.nice + <i32> increment);
}

function sysSchedYield(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  yieldProcessor();
  return 0;
}

function find(pid: u32): Task | null {
  return pid === 0 ? current() : taskByPid(<i32> pid);
}

function sysSchedGetaffinity(pid: u32, size: u32, address: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (find(pid) === null) return -ESRCH;
  if (size < 4 || (size & 3) !== 0) return -EINVAL;
  if (putUser32(address, 1) < 0) return -EFAULT;
  return 4;
}

function sysSchedSetaffinity(pid: u32, size: u32, address: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (find(pid) === null) return -ESRCH;
  if (size < 4) return -EINVAL;
  if (getUser32(address) < 0) return -EFAULT;
  return (userWord() & 1) !== 0 ? 0 : -EINVAL;
}

const SCHED_FIFO: u32 = 1;
const SCHED_RR: u32 = 2;
const SCHED_BATCH: u32 = 3;
const SCHED_IDLE: u32 = 5;
const PRIORITY_MAX: u32 = 99;

function isRealtime(policy: u32): bool {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

function isPolicy(policy: u32): bool {
  return policy <= SCHED_BATCH || policy === SCHED_IDLE;
}

function sysSchedGetscheduler(pid: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = find(pid);
  return task === null ? -ESRCH : <i32> task.policy;
}

function sysSchedSetscheduler(pid: u32, policy: u32, address: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = find(pid);
  if (task === null) return -ESRCH;
  if (getUser32(address) < 0) return -EFAULT;
  const priority = userWord();
  if (!isPolicy(policy)) return -EINVAL;
  if (isRealtime(policy) ? priority < 1 || priority > PRIORITY_MAX : priority !== 0) return -EINVAL;
  if (isRealtime(policy) && current().euid !== 0) return -EPERM;
  task.policy = policy;
  task.realtimePriority = priority;
  return 0;
}

function sysSchedGetparam(pid: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = find(pid);
  return task === null ? -ESRCH : putUser32(address, task.realtimePriority);
}

function sysSchedSetparam(pid: u32, address: u32, _c: u32, d: u32, e: u32, f: u32): i32 {
  const task = find(pid);
  return task === null ? -ESRCH : sysSchedSetscheduler(pid, task.policy, address, d, e, f);
}

function sysPriorityMax(policy: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (!isPolicy(policy)) return -EINVAL;
  return isRealtime(policy) ? <i32> PRIORITY_MAX : 0;
}

function sysPriorityMin(policy: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (!isPolicy(policy)) return -EINVAL;
  return isRealtime(policy) ? 1 : 0;
}

function sysRrInterval(pid: u32, address: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (find(pid) === null) return -ESRCH;
  return writeTimespec(address, 6 * <u64> TICK_NS, false);
}

function sysGetcpu(cpu: u32, node: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (cpu !== 0 && putUser32(cpu, 0) < 0) return -EFAULT;
  return node !== 0 ? putUser32(node, 0) : 0;
}

/* One processor: every barrier is one already. */
function sysMembarrier(command: u32, flags: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (flags !== 0) return -EINVAL;
  return command === 0 ? 1 : command === 1 ? 0 : -EINVAL;
}

/* --- Random, log, power ------------------------------------------------------------------------------- */

const RANDOM_CHUNK: u32 = 256;

function sysGetrandom(address: u32, count: u32, flags: u32, _d: u32, _e: u32, _f: u32): i32 {
  if ((flags & ~7) !== 0) return -EINVAL;
  if (count > 0x7fffffff) count = 0x7fffffff;
  const block = kmalloc(RANDOM_CHUNK);
  if (block === 0) return -ENOMEM;
  let done: u32 = 0;
  while (done < count) {
    const n = count - done < RANDOM_CHUNK ? count - done : RANDOM_CHUNK;
    randomBytes(block, n);
    if (copyOut(address + done, block, n) < 0) {
      kfree(block);
      return done > 0 ? <i32> done : -EFAULT;
    }
    done += n;
    if (signalPending()) break;
  }
  memory.fill(block, 0, RANDOM_CHUNK);
  kfree(block);
  return <i32> done;
}

/* The last `size` bytes of the log to the user: how many, or -EFAULT. */
function copyLog(address: u32, size: u32): i32 {
  const end = logEnd();
  let from = logStart();
  if (end - from > size) from = end - size;
  const block = kmalloc(LOG_SIZE);
  if (block === 0) return -ENOMEM;
  const n = end - from;
  for (let i: u32 = 0; i < n; i++) store<u8>(block + i, <u8> logByte(from + i));
  const error = copyOut(address, block, n);
  kfree(block);
  return error < 0 ? error : <i32> n;
}

const LOG_READ_ALL: u32 = 3;
const LOG_READ_CLEAR: u32 = 4;
const LOG_CLEAR: u32 = 5;
const LOG_CONSOLE_LEVEL: u32 = 8;
const LOG_UNREAD: u32 = 9;
const LOG_BUFFER: u32 = 10;

function sysSyslog(type: u32, address: u32, size: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (type !== LOG_READ_ALL && type !== LOG_BUFFER && current().euid !== 0) return -EPERM;
  if (type === LOG_BUFFER) return <i32> LOG_SIZE;
  if (type === LOG_UNREAD) return <i32> (logEnd() - logStart());
  if (type >= 2 && type <= LOG_READ_CLEAR) {
    if (<i32> size < 0 || address === 0) return -EINVAL;
    const n = copyLog(address, size);
    if (type === LOG_READ_CLEAR && n >= 0) logClear();
    return n;
  }
  if (type === LOG_CLEAR) logClear();
  return type <= LOG_CONSOLE_LEVEL ? 0 : -EINVAL;
}

const REBOOT_MAGIC1: u32 = 0xfee1dead;
const REBOOT_RESTART: u32 = 0x01234567;
const REBOOT_HALT: u32 = 0xcdef0123;
const REBOOT_POWER_OFF: u32 = 0x4321fedc;
const REBOOT_RESTART2: u32 = 0xa1b2c3d4;
const REBOOT_CAD_ON: u32 = 0x89abcdef;

function isMagic2(value: u32): bool {
  return value === 672274793 || value === 85072278 || value === 369367448 || value === 537993216;
}

function sysReboot(magic1: u32, magic2: u32, command: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (current().euid !== 0) return -EPERM;
  if (magic1 !== REBOOT_MAGIC1 || !isMagic2(magic2)) return -EINVAL;
  switch (command) {
    case 0:
    case REBOOT_CAD_ON:
      return 0;
    case REBOOT_RESTART:
    case REBOOT_RESTART2:
      syncDisks();
      printk(c`Restarting system.\n`);
      powerRestart();
      return 0;
    case REBOOT_POWER_OFF:
      syncDisks();
      printk(c`Power down.\n`);
      powerOff();
      return 0;
    case REBOOT_HALT:
      syncDisks();
      printk(c`System halted.\n`);
      powerHalt();
      return 0;
    default:
      return -EINVAL;
  }
}

/** Registers the calls of this file. */
export function systemCallsInit(): void {
  syscallRegister(SYS_UNAME, sysUname);
  syscallRegister(SYS_SETHOSTNAME, sysSethostname);
  syscallRegister(SYS_SETDOMAINNAME, sysSetdomainname);
  syscallRegister(SYS_SYSINFO, sysSysinfo);
  syscallRegister(SYS_UGETRLIMIT, sysUgetrlimit);
  syscallRegister(SYS_GETRLIMIT, sysGetrlimit);
  syscallRegister(SYS_SETRLIMIT, sysSetrlimit);
  syscallRegister(SYS_PRLIMIT64, sysPrlimit64);
  syscallRegister(SYS_GETRUSAGE, sysGetrusage);
  syscallRegister(SYS_GETPRIORITY, sysGetpriority);
  syscallRegister(SYS_SETPRIORITY, sysSetpriority);
  syscallRegister(SYS_NICE, sysNice);
  syscallRegister(SYS_SCHED_YIELD, sysSchedYield);
  syscallRegister(SYS_SCHED_GETAFFINITY, sysSchedGetaffinity);
  syscallRegister(SYS_SCHED_SETAFFINITY, sysSchedSetaffinity);
  syscallRegister(SYS_SCHED_GETSCHEDULER, sysSchedGetscheduler);
  syscallRegister(SYS_SCHED_SETSCHEDULER, sysSchedSetscheduler);
  syscallRegister(SYS_SCHED_GETPARAM, sysSchedGetparam);
  syscallRegister(SYS_SCHED_SETPARAM, sysSchedSetparam);
  syscallRegister(SYS_SCHED_GET_PRIORITY_MAX, sysPriorityMax);
  syscallRegister(SYS_SCHED_GET_PRIORITY_MIN, sysPriorityMin);
  syscallRegister(SYS_SCHED_RR_GET_INTERVAL, sysRrInterval);
  syscallRegister(SYS_GETCPU, sysGetcpu);
  syscallRegister(SYS_MEMBARRIER, sysMembarrier);
  syscallRegister(SYS_GETRANDOM, sysGetrandom);
  syscallRegister(SYS_SYSLOG, sysSyslog);
  syscallRegister(SYS_REBOOT, sysReboot);
}
