/**
 * The files of /proc/PID, in the formats of proc(5).
 *
 * @module
 */
import { ENOENT } from "../../abi/errno.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, PATH_MAX } from "../../abi/fcntl.ts";
import { SIG_IGN, SIGNAL_MAX } from "../../abi/signal.ts";
import { S_IFDIR, S_IFREG } from "../../abi/stat.ts";
import { entryOf } from "../../arch/i386/page_table.ts";
import { kfree, kmalloc, Mm, physToVirt, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../mm/mod.ts";
import { VM_GROWSDOWN } from "../../mm/space.ts";
import { VM_HEAP, VM_SHARED, VM_STACK, VM_VSYSCALL, Vma } from "../../mm/mod.ts";
import {
  current,
  processSystemTicks,
  processUserTicks,
  Task,
  TASK_RUNNING,
  TASK_SLEEPING,
  TASK_SLEEPING_DEEP,
  TASK_STOPPED,
  TASK_ZOMBIE,
} from "../../proc/mod.ts";
import { actionOf } from "../../proc/signal.ts";
import { Tty, ttyDevice } from "../../tty/tty.ts";
import { FsContext, pathRef } from "../context.ts";
import { fdPeek, FdTable } from "../fd_table.ts";
import { isRemoved, pathTextAnyway } from "../path_text.ts";
import { firstMount } from "../mount.ts";
import { Dentry, deviceMajor, deviceMinor, File, Inode, Mount, Path } from "../types.ts";
import { fileMapObject } from "../generic_file.ts";
import {
  Text,
  textBytes,
  textEscaped,
  textFormat,
  textHex64,
  textNumber,
  textPut,
} from "./text.ts";
import { KIND_DESCRIPTOR, KIND_DESCRIPTORS, KIND_FILE, KIND_FOLDER, KIND_LINK } from "./tree.ts";
import { Generator, KIND_THREADS, procAdd, ProcEntry } from "./tree.ts";
import { userTicks } from "./system.ts";

const RLIMITS: u32 = 16;
const UNLIMITED: u64 = ~(<u64> 0);

/** A number of 64 bits and a blank. */
function field(t: Text, value: u64): void {
  textNumber(t, value);
  textPut(t, c` `);
}

function signed(t: Text, value: i32): void {
  textFormat(t, c`%d `, <u32> value);
}

/** State letter and, for status, word. */
function stateOf(task: Task): usize {
  const state = task.state;
  if (state === TASK_RUNNING) return c`R (running)`;
  if (state === TASK_SLEEPING) return c`S (sleeping)`;
  if (state === TASK_SLEEPING_DEEP) {
    // Kernel threads wait that way for work; it is no sign of a busy disk.
    return task.isKernelThread ? c`I (idle)` : c`D (disk sleep)`;
  }
  if (state === TASK_STOPPED) return c`T (stopped)`;
  return state === TASK_ZOMBIE ? c`Z (zombie)` : c`X (dead)`;
}

/** Masks of ignored and caught signals. */
function ignoredSignals(task: Task, caught: bool): u64 {
  let mask: u64 = 0;
  if (changetype<usize>(task.actions) === 0) return 0;
  for (let signal: i32 = 1; signal <= SIGNAL_MAX; signal++) {
    const handler = load<u32>(actionOf(task.actions, signal));
    const matches = caught ? handler > SIG_IGN : handler === SIG_IGN;
    if (matches) mask |= <u64> 1 << (signal - 1);
  }
  return mask;
}

function stat(t: Text, task: Task, _inode: Inode): void {
  const p = task.process;
  const mm = task.mm;
  const tty = changetype<Tty | null>(p.tty);
  textFormat(t, c`%d (%s) `, task.pid, <u32> task.name);
  textBytes(t, stateOf(task), 1);
  textFormat(t, c` %d %d %d `, task.ppid, p.pgrp, p.session);
  signed(t, tty === null ? 0 : <i32> ttyDevice(tty));
  signed(t, tty === null ? -1 : tty.group);
  field(t, task.isKernelThread ? 0x00200000 : 0x00400000);
  field(t, <u64> (p.deadMinorFaults + task.minorFaults));
  field(t, p.childMinorFaults);
  field(t, <u64> (p.deadMajorFaults + task.majorFaults));
  field(t, p.childMajorFaults);
  field(t, userTicks(processUserTicks(p)));
  field(t, userTicks(processSystemTicks(p)));
  field(t, userTicks(p.childUserTicks));
  field(t, userTicks(p.childSystemTicks));
  textFormat(t, c`%d %d %u 0 `, 20 + task.nice, task.nice, p.threads);
  field(t, userTicks(task.startTicks));
  if (mm === null) textPut(t, c`0 0 18446744073709551615 0 0 0 `);
  else {
    field(t, <u64> mm.totalPages << 12);
    field(t, mm.resident);
    field(t, UNLIMITED);
    textFormat(t, c`%u %u %u `, mm.codeStart, mm.codeEnd, mm.stackTop);
  }
  // Stack and instruction pointer are not shown.
  textPut(t, c`0 0 `);
  textFormat(t, c`%u %u `, <u32> task.pendingMask, <u32> task.blocked);
  textFormat(t, c`%u %u `, <u32> ignoredSignals(task, false), <u32> ignoredSignals(task, true));
  textFormat(t, c`0 0 0 %d 0 %u %u 0 0 0 `, task.exitSignal, task.realtimePriority, task.policy);
  if (mm === null) textPut(t, c`0 0 0 0 0 0 0 `);
  else {
    textFormat(t, c`%u %u %u `, mm.dataStart, mm.dataEnd, mm.brkStart);
    textFormat(t, c`%u %u %u %u `, mm.argStart, mm.argEnd, mm.envStart, mm.envEnd);
  }
  textFormat(t, c`%d\n`, p.exitStatus);
}

function statm(t: Text, task: Task, _inode: Inode): void {
  const mm = task.mm;
  if (mm === null) {
    textPut(t, c`0 0 0 0 0 0 0\n`);
    return;
  }
  const text = (mm.codeEnd - mm.codeStart + 4095) >> 12;
  let data: u32 = 0;
  let shared: u32 = 0;
  for (let a = mm.areas; a !== null; a = a!.next) {
    const pages = (a.end - a.start) >> 12;
    if ((a.flags & (PROT_WRITE | VM_SHARED)) === PROT_WRITE) data += pages;
    else if (a.ops !== null) shared += pages;
  }
  if (shared > mm.resident) shared = mm.resident;
  textFormat(t, c`%u %u %u %u 0 `, mm.totalPages, mm.resident, shared, text);
  textFormat(t, c`%u 0\n`, data);
}

function statusSizes(t: Text, mm: Mm): void {
  let data: u32 = 0;
  let stack: u32 = 0;
  for (let a = mm.areas; a !== null; a = a!.next) {
    const kib = (a.end - a.start) >> 10;
    if ((a.flags & (VM_STACK | VM_GROWSDOWN)) !== 0) stack += kib;
    else if ((a.flags & (PROT_WRITE | VM_SHARED)) === PROT_WRITE) data += kib;
  }
  const all = mm.totalPages << 2;
  const resident = mm.resident << 2;
  textFormat(t, c`VmPeak:\t%8u kB\nVmSize:\t%8u kB\nVmLck:\t       0 kB\n`, all, all);
  textFormat(t, c`VmHWM:\t%8u kB\nVmRSS:\t%8u kB\n`, mm.residentPeak << 2, resident);
  textFormat(t, c`VmData:\t%8u kB\nVmStk:\t%8u kB\n`, data, stack);
  textFormat(t, c`VmExe:\t%8u kB\nVmLib:\t       0 kB\n`, (mm.codeEnd - mm.codeStart) >> 10);
  textPut(t, c`VmSwap:\t       0 kB\n`);
}

function maskLine(t: Text, name: usize, mask: u64): void {
  textPut(t, name);
  textHex64(t, mask);
  textPut(t, c`\n`);
}

function status(t: Text, task: Task, _inode: Inode): void {
  const p = task.process;
  const context = changetype<FsContext | null>(task.fs);
  textFormat(t, c`Name:\t%s\n`, <u32> task.name);
  textFormat(t, c`Umask:\t%04u\n`, octal(context === null ? 0 : context.umask));
  textFormat(t, c`State:\t%s\n`, <u32> stateOf(task));
  textFormat(t, c`Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n`, p.pid, task.pid, task.ppid);
  textPut(t, c`TracerPid:\t0\n`);
  textFormat(t, c`Uid:\t%u\t%u\t%u\t%u\n`, task.uid, task.euid, task.suid, task.fsuid);
  textFormat(t, c`Gid:\t%u\t%u\t%u\t%u\n`, task.gid, task.egid, task.sgid, task.fsgid);
  const table = changetype<FdTable | null>(task.files);
  textFormat(t, c`FDSize:\t%u\nGroups:\t`, table === null ? 0 : table.size);
  for (let i: u32 = 0; i < task.groupCount; i++) {
    textFormat(t, c`%u `, load<u32>(task.groups + (i << 2)));
  }
  textPut(t, c`\n`);
  const mm = task.mm;
  if (mm !== null) statusSizes(t, mm);
  textFormat(t, c`Threads:\t%u\nSigQ:\t0/1024\n`, p.threads);
  maskLine(t, c`SigPnd:\t`, task.pendingMask);
  maskLine(t, c`ShdPnd:\t`, p.pendingMask);
  maskLine(t, c`SigBlk:\t`, task.blocked);
  maskLine(t, c`SigIgn:\t`, ignoredSignals(task, false));
  maskLine(t, c`SigCgt:\t`, ignoredSignals(task, true));
  const capabilities: u64 = task.euid === 0 ? 0x1ffffffffff : 0;
  maskLine(t, c`CapInh:\t`, 0);
  maskLine(t, c`CapPrm:\t`, capabilities);
  maskLine(t, c`CapEff:\t`, capabilities);
  maskLine(t, c`CapBnd:\t`, 0x1ffffffffff);
  textFormat(
    t,
    c`NoNewPrivs:\t%u\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n`,
    task.noNewPrivileges,
  );
  textFormat(t, c`voluntary_ctxt_switches:\t%u\n`, task.voluntarySwitches);
  textFormat(t, c`nonvoluntary_ctxt_switches:\t%u\n`, task.involuntarySwitches);
}

/** A mode as the decimal number that looks like its octal form. */
function octal(mode: u32): u32 {
  return (mode & 7) + ((mode >> 3) & 7) * 10 + ((mode >> 6) & 7) * 100 + ((mode >> 9) & 7) * 1000;
}

/** Bytes [from, to) of another address space, as far as they are in memory. */
function remoteBytes(t: Text, mm: Mm, from: u32, to: u32): void {
  for (let at = from; at < to;) {
    const slot = entryOf(mm.directory, at, false);
    if (slot === 0 || (load<u32>(slot) & 1) === 0) return;
    const inPage = at & 0xfff;
    const n = to - at < 4096 - inPage ? to - at : 4096 - inPage;
    textBytes(t, physToVirt(load<u32>(slot) & 0xfffff000) + inPage, n);
    at += n;
  }
}

function cmdline(t: Text, task: Task, _inode: Inode): void {
  const mm = task.mm;
  if (mm !== null && mm.argEnd > mm.argStart) remoteBytes(t, mm, mm.argStart, mm.argEnd);
}

function environ(t: Text, task: Task, _inode: Inode): void {
  const mm = task.mm;
  if (mm !== null && mm.envEnd > mm.envStart) remoteBytes(t, mm, mm.envStart, mm.envEnd);
}

function auxv(t: Text, task: Task, _inode: Inode): void {
  const mm = task.mm;
  if (mm === null || mm.auxv === 0) return;
  let at = mm.auxv;
  while (load<u32>(at) !== 0) at += 8;
  textBytes(t, mm.auxv, <u32> (at - mm.auxv) + 8);
}

function comm(t: Text, task: Task, _inode: Inode): void {
  textFormat(t, c`%s\n`, <u32> task.name);
}

/** The path of a place, with a mark when its name is gone. */
function place(t: Text, mount: Mount, dentry: Dentry): void {
  const buffer = kmalloc(PATH_MAX);
  if (buffer === 0) return;
  if (mount.superBlock.mounts === 0) {
    // A pipe: it is nowhere in the tree.
    textFormat(t, c`%s:[%u]`, <u32> dentry.name, dentry.inode!.number);
  } else if (pathTextAnyway(mount, dentry, buffer, PATH_MAX) > 0) {
    textPut(t, buffer);
    if (isRemoved(dentry)) textPut(t, c` (deleted)`);
  }
  kfree(buffer);
}

function mapsLine(t: Text, a: Vma): void {
  const start = t.length;
  textFormat(t, c`%08x-%08x `, a.start, a.end);
  textPut(t, (a.flags & PROT_READ) !== 0 ? c`r` : c`-`);
  textPut(t, (a.flags & PROT_WRITE) !== 0 ? c`w` : c`-`);
  textPut(t, (a.flags & PROT_EXEC) !== 0 ? c`x` : c`-`);
  textPut(t, (a.flags & VM_SHARED) !== 0 ? c`s ` : c`p `);
  const file = fileMapObject(a);
  if (file === null) {
    textFormat(t, c`%08x 00:00 0 `, a.ops === null ? 0 : a.pageOffset << 12);
    const name = (a.flags & VM_HEAP) !== 0
      ? c`[heap]`
      : (a.flags & VM_STACK) !== 0
      ? c`[stack]`
      : (a.flags & VM_VSYSCALL) !== 0
      ? c`[vdso]`
      : c``;
    if (load<u8>(name) !== 0) {
      pad(t, start);
      textPut(t, name);
    }
  } else {
    const device = file.inode.superBlock.deviceNumber;
    textFormat(
      t,
      c`%08x %02x:%02x %u `,
      a.pageOffset << 12,
      deviceMajor(device),
      deviceMinor(device),
      file.inode.number,
    );
    if (changetype<usize>(file.mount) !== 0) {
      pad(t, start);
      place(t, file.mount, file.dentry);
    }
  }
  textPut(t, c`\n`);
}

/** Names begin in column 73. */
function pad(t: Text, start: u32): void {
  while (t.length - start < 73 && !t.failed) textPut(t, c` `);
}

function maps(t: Text, task: Task, _inode: Inode): void {
  const mm = task.mm;
  if (mm === null) return;
  for (let a = mm.areas; a !== null; a = a!.next) mapsLine(t, a);
}

function options(t: Text, flags: u32): void {
  textPut(t, (flags & MS_RDONLY) !== 0 ? c`ro` : c`rw`);
  if ((flags & MS_NOSUID) !== 0) textPut(t, c`,nosuid`);
  if ((flags & MS_NODEV) !== 0) textPut(t, c`,nodev`);
  if ((flags & MS_NOEXEC) !== 0) textPut(t, c`,noexec`);
  textPut(t, c`,relatime`);
}

/** The mount point as seen from the reader's root. */
function mountPoint(t: Text, mount: Mount): void {
  const buffer = kmalloc(PATH_MAX);
  if (buffer === 0) return;
  if (pathTextAnyway(mount, mount.root, buffer, PATH_MAX) > 0) textEscaped(t, buffer);
  kfree(buffer);
}

function mounts(t: Text, _task: Task, _inode: Inode): void {
  for (let m = firstMount(); m !== null; m = m!.next) {
    textEscaped(t, m.source);
    textPut(t, c` `);
    mountPoint(t, m);
    textFormat(t, c` %s `, <u32> m.superBlock.type.name);
    options(t, m.flags | (m.superBlock.flags & MS_RDONLY));
    textPut(t, c` 0 0\n`);
  }
}

/** What of its file system a mount shows. */
function mountRoot(t: Text, m: Mount): void {
  if (m.root === m.superBlock.root) textPut(t, c`/`);
  else textFormat(t, c`/%s`, <u32> m.root.name);
}

function mountinfo(t: Text, _task: Task, _inode: Inode): void {
  for (let m = firstMount(); m !== null; m = m!.next) {
    const s = m.superBlock;
    const parent = m.parent;
    textFormat(
      t,
      c`%u %u %u:%u `,
      m.id,
      parent === null ? m.id : parent.id,
      deviceMajor(s.deviceNumber),
      deviceMinor(s.deviceNumber),
    );
    mountRoot(t, m);
    textPut(t, c` `);
    mountPoint(t, m);
    textPut(t, c` `);
    options(t, m.flags);
    textFormat(t, c` - %s `, <u32> s.type.name);
    textEscaped(t, m.source);
    textPut(t, (s.flags & MS_RDONLY) !== 0 ? c` ro\n` : c` rw\n`);
  }
}

function limitValue(t: Text, value: u64): void {
  const before = t.length;
  if (value === UNLIMITED) textPut(t, c`unlimited`);
  else textNumber(t, value);
  while (t.length - before < 21 && !t.failed) textPut(t, c` `);
}

/* Names with units, by resource number. */
// deno-fmt-ignore
function limitName(i: u32): usize {
  switch (i) {
    case 0: return c`Max cpu time              `;
    case 1: return c`Max file size             `;
    case 2: return c`Max data size             `;
    case 3: return c`Max stack size            `;
    case 4: return c`Max core file size        `;
    case 5: return c`Max resident set          `;
    case 6: return c`Max processes             `;
    case 7: return c`Max open files            `;
    case 8: return c`Max locked memory         `;
    case 9: return c`Max address space         `;
    case 10: return c`Max file locks            `;
    case 11: return c`Max pending signals       `;
    case 12: return c`Max msgqueue size         `;
    case 13: return c`Max nice priority         `;
    case 14: return c`Max realtime priority     `;
    default: return c`Max realtime timeout      `;
  }
}

function limits(t: Text, task: Task, _inode: Inode): void {
  textPut(t, c`Limit                     Soft Limit           Hard Limit           Units     \n`);
  for (let i: u32 = 0; i < RLIMITS; i++) {
    textPut(t, limitName(i));
    limitValue(t, load<u64>(task.process.rlimits + (i << 4)));
    limitValue(t, load<u64>(task.process.rlimits + (i << 4), 8));
    textPut(t, c`\n`);
  }
}

function cgroup(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`0::/\n`);
}

function self(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%d`, current().tgid);
}
function threadSelf(t: Text, _task: Task, _inode: Inode): void {
  textFormat(t, c`%d/task/%d`, current().tgid, current().pid);
}
function selfMounts(t: Text, _task: Task, _inode: Inode): void {
  textPut(t, c`self/mounts`);
}

function give(result: Path, mount: Mount, dentry: Dentry): i32 {
  pathRef(mount, dentry);
  result.mount = mount;
  result.dentry = dentry;
  return 0;
}

function programOf(task: Task): File | null {
  const mm = task.mm;
  return mm === null ? null : changetype<File | null>(mm.program);
}

function exe(t: Text, task: Task, _inode: Inode): void {
  const file = programOf(task);
  if (file !== null) place(t, file.mount, file.dentry);
}
function exeFollow(task: Task, _inode: Inode, result: Path): i32 {
  const file = programOf(task);
  return file === null ? -ENOENT : give(result, file.mount, file.dentry);
}
function cwd(t: Text, task: Task, _inode: Inode): void {
  const context = changetype<FsContext | null>(task.fs);
  if (context !== null) place(t, context.cwdMount, context.cwdDentry);
}
function cwdFollow(task: Task, _inode: Inode, result: Path): i32 {
  const context = changetype<FsContext | null>(task.fs);
  return context === null ? -ENOENT : give(result, context.cwdMount, context.cwdDentry);
}
function root(t: Text, task: Task, _inode: Inode): void {
  const context = changetype<FsContext | null>(task.fs);
  if (context !== null) place(t, context.rootMount, context.rootDentry);
}
function rootFollow(task: Task, _inode: Inode, result: Path): i32 {
  const context = changetype<FsContext | null>(task.fs);
  return context === null ? -ENOENT : give(result, context.rootMount, context.rootDentry);
}

function descriptorFile(task: Task, inode: Inode): File | null {
  if (task.files === 0) return null;
  return fdPeek(changetype<FdTable>(task.files), inode.generation);
}
function descriptor(t: Text, task: Task, inode: Inode): void {
  const file = descriptorFile(task, inode);
  if (file !== null && changetype<usize>(file.mount) !== 0) place(t, file.mount, file.dentry);
}
function descriptorFollow(task: Task, inode: Inode, result: Path): i32 {
  const file = descriptorFile(task, inode);
  if (file === null || changetype<usize>(file.mount) === 0) return -ENOENT;
  return give(result, file.mount, file.dentry);
}

function link(
  parent: ProcEntry | null,
  name: usize,
  generate: Generator,
  follow: ((task: Task, inode: Inode, result: Path) => i32) | null,
): ProcEntry {
  const entry = procAdd(parent, name, KIND_LINK, 0o777, generate);
  entry.follow = follow;
  entry.isPrivate = follow !== null;
  return entry;
}

/** Adds the links of this module to /proc. */
export function procSelfInit(top: ProcEntry): void {
  link(top, c`self`, self, null);
  link(top, c`thread-self`, threadSelf, null);
  link(top, c`mounts`, selfMounts, null);
}

/** What a descriptor's link is. */
export function procDescriptor(): ProcEntry {
  const entry = link(null, c`fd`, descriptor, descriptorFollow);
  entry.kind = KIND_DESCRIPTOR;
  return entry;
}

function file(folder: ProcEntry, name: usize, generate: Generator): ProcEntry {
  return procAdd(folder, name, KIND_FILE, S_IFREG | 0o444, generate);
}

/** The folder of a process. */
export function procProcess(): ProcEntry {
  const folder = procAdd(null, c`PID`, KIND_FOLDER, S_IFDIR | 0o555, null);
  file(folder, c`stat`, stat);
  file(folder, c`statm`, statm);
  file(folder, c`status`, status);
  file(folder, c`cmdline`, cmdline);
  file(folder, c`comm`, comm);
  file(folder, c`maps`, maps);
  file(folder, c`mounts`, mounts);
  file(folder, c`mountinfo`, mountinfo);
  file(folder, c`limits`, limits);
  file(folder, c`cgroup`, cgroup);
  const environment = procAdd(folder, c`environ`, KIND_FILE, S_IFREG | 0o400, environ);
  environment.isPrivate = true;
  const auxiliary = procAdd(folder, c`auxv`, KIND_FILE, S_IFREG | 0o400, auxv);
  auxiliary.isPrivate = true;
  link(folder, c`exe`, exe, exeFollow);
  link(folder, c`cwd`, cwd, cwdFollow);
  link(folder, c`root`, root, rootFollow);
  const descriptors = procAdd(folder, c`fd`, KIND_DESCRIPTORS, S_IFDIR | 0o500, null);
  descriptors.isPrivate = true;
  procAdd(folder, c`task`, KIND_THREADS, S_IFDIR | 0o555, null);
  return folder;
}
