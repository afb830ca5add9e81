/**
 * System calls about users and groups, of 32 bits and of 16.
 *
 * @module
 */
import { EFAULT, EINVAL, ENOMEM, EPERM } from "../abi/errno.ts";
import {
  SYS_GETEGID,
  SYS_GETEGID32,
  SYS_GETEUID,
  SYS_GETEUID32,
  SYS_GETGID,
  SYS_GETGID32,
  SYS_GETGROUPS,
  SYS_GETGROUPS32,
  SYS_GETRESGID,
  SYS_GETRESGID32,
  SYS_GETRESUID,
  SYS_GETRESUID32,
  SYS_GETUID,
  SYS_GETUID32,
  SYS_SETFSGID,
  SYS_SETFSGID32,
  SYS_SETFSUID,
  SYS_SETFSUID32,
  SYS_SETGID,
  SYS_SETGID32,
  SYS_SETGROUPS,
  SYS_SETGROUPS32,
  SYS_SETREGID,
  SYS_SETREGID32,
  SYS_SETRESGID,
  SYS_SETRESGID32,
  SYS_SETRESUID,
  SYS_SETRESUID32,
  SYS_SETREUID,
  SYS_SETREUID32,
  SYS_SETUID,
  SYS_SETUID32,
} from "../abi/syscall.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { copyIn, copyOut, putUser32 } from "../mm/user.ts";
import { current, Task } from "../proc/task.ts";
import { syscallRegister } from "./table.ts";

/** "Leave as it is". */
const KEEP: u32 = 0xffffffff;
/** What a number that does not fit in 16 bits looks like. */
const OVERFLOW: u32 = 65534;
const GROUPS_MAX: u32 = 65536;

function isRoot(task: Task): bool {
  return task.euid === 0;
}

function mayUid(task: Task, id: u32): bool {
  return isRoot(task) || id === task.uid || id === task.euid || id === task.suid;
}

function mayGid(task: Task, id: u32): bool {
  return isRoot(task) || id === task.gid || id === task.egid || id === task.sgid;
}

/* 16-bit arguments: 0xffff is KEEP. */
function wide(id: u32): u32 {
  return (id & 0xffff) === 0xffff ? KEEP : id & 0xffff;
}

function narrow(id: u32): i32 {
  return <i32> (id > 0xffff ? OVERFLOW : id);
}

function sysGetuid32(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> current().uid;
}
function sysGeteuid32(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> current().euid;
}
function sysGetgid32(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> current().gid;
}
function sysGetegid32(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return <i32> current().egid;
}
function sysGetuid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return narrow(current().uid);
}
function sysGeteuid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return narrow(current().euid);
}
function sysGetgid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return narrow(current().gid);
}
function sysGetegid(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return narrow(current().egid);
}

/* POSIX setuid(): root sets all three, others only the effective one. */
function sysSetuid32(id: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (id === KEEP) return -EINVAL;
  if (isRoot(task)) {
    task.uid = id;
    task.suid = id;
  } else if (id !== task.uid && id !== task.suid) return -EPERM;
  task.euid = id;
  task.fsuid = id;
  return 0;
}
function sysSetuid(id: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetuid32(wide(id), b, c, d, e, f);
}

function sysSetgid32(id: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (id === KEEP) return -EINVAL;
  if (isRoot(task)) {
    task.gid = id;
    task.sgid = id;
  } else if (id !== task.gid && id !== task.sgid) return -EPERM;
  task.egid = id;
  task.fsgid = id;
  return 0;
}
function sysSetgid(id: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetgid32(wide(id), b, c, d, e, f);
}

function sysSetreuid32(real: u32, effective: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (real !== KEEP && !isRoot(task) && real !== task.uid && real !== task.euid) return -EPERM;
  if (effective !== KEEP && !mayUid(task, effective)) return -EPERM;
  const saves = real !== KEEP || (effective !== KEEP && effective !== task.uid);
  if (real !== KEEP) task.uid = real;
  if (effective !== KEEP) task.euid = effective;
  if (saves) task.suid = task.euid;
  task.fsuid = task.euid;
  return 0;
}
function sysSetreuid(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetreuid32(wide(a), wide(b), c, d, e, f);
}

function sysSetregid32(real: u32, effective: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (real !== KEEP && !isRoot(task) && real !== task.gid && real !== task.egid) return -EPERM;
  if (effective !== KEEP && !mayGid(task, effective)) return -EPERM;
  const saves = real !== KEEP || (effective !== KEEP && effective !== task.gid);
  if (real !== KEEP) task.gid = real;
  if (effective !== KEEP) task.egid = effective;
  if (saves) task.sgid = task.egid;
  task.fsgid = task.egid;
  return 0;
}
function sysSetregid(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetregid32(wide(a), wide(b), c, d, e, f);
}

function sysSetresuid32(real: u32, effective: u32, saved: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (real !== KEEP && !mayUid(task, real)) return -EPERM;
  if (effective !== KEEP && !mayUid(task, effective)) return -EPERM;
  if (saved !== KEEP && !mayUid(task, saved)) return -EPERM;
  if (real !== KEEP) task.uid = real;
  if (effective !== KEEP) task.euid = effective;
  if (saved !== KEEP) task.suid = saved;
  task.fsuid = task.euid;
  return 0;
}
function sysSetresuid(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetresuid32(wide(a), wide(b), wide(c), d, e, f);
}

function sysSetresgid32(real: u32, effective: u32, saved: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (real !== KEEP && !mayGid(task, real)) return -EPERM;
  if (effective !== KEEP && !mayGid(task, effective)) return -EPERM;
  if (saved !== KEEP && !mayGid(task, saved)) return -EPERM;
  if (real !== KEEP) task.gid = real;
  if (effective !== KEEP) task.egid = effective;
  if (saved !== KEEP) task.sgid = saved;
  task.fsgid = task.egid;
  return 0;
}
function sysSetresgid(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  return sysSetresgid32(wide(a), wide(b), wide(c), d, e, f);
}

function put3(a: u32, b: u32, c: u32, x: u32, y: u32, z: u32): i32 {
  if (putUser32(a, x) < 0 || putUser32(b, y) < 0) return -EFAULT;
  return putUser32(c, z);
}

function sysGetresuid32(a: u32, b: u32, c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  return put3(a, b, c, task.uid, task.euid, task.suid);
}
function sysGetresgid32(a: u32, b: u32, c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  return put3(a, b, c, task.gid, task.egid, task.sgid);
}

function put16(address: u32, value: u32): i32 {
  const block = kmalloc(4);
  if (block === 0) return -EFAULT;
  store<u16>(block, <u16> narrow(value));
  const error = copyOut(address, block, 2);
  kfree(block);
  return error;
}

function sysGetresuid(a: u32, b: u32, c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (put16(a, task.uid) < 0 || put16(b, task.euid) < 0) return -EFAULT;
  return put16(c, task.suid);
}
function sysGetresgid(a: u32, b: u32, c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  if (put16(a, task.gid) < 0 || put16(b, task.egid) < 0) return -EFAULT;
  return put16(c, task.sgid);
}

function sysSetfsuid(id: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const old = task.fsuid;
  if (mayUid(task, id)) task.fsuid = id;
  return <i32> old;
}
function sysSetfsgid(id: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const old = task.fsgid;
  if (mayGid(task, id)) task.fsgid = id;
  return <i32> old;
}

function sysGetgroups32(size: u32, list: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const count = task.groupCount;
  if (<i32> size < 0) return -EINVAL;
  if (size === 0) return <i32> count;
  if (size < count) return -EINVAL;
  if (count > 0 && copyOut(list, task.groups, count << 2) < 0) return -EFAULT;
  return <i32> count;
}

function sysGetgroups(size: u32, list: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  const count = task.groupCount;
  if (<i32> size < 0) return -EINVAL;
  if (size === 0) return <i32> count;
  if (size < count) return -EINVAL;
  for (let i: u32 = 0; i < count; i++) {
    if (put16(list + (i << 1), load<u32>(task.groups + (i << 2))) < 0) return -EFAULT;
  }
  return <i32> count;
}

function setGroups(size: u32, list: u32, bytes: u32): i32 {
  const task = current();
  if (!isRoot(task)) return -EPERM;
  if (size > GROUPS_MAX) return -EINVAL;
  let groups: usize = 0;
  if (size > 0) {
    groups = kzalloc(size << 2);
    if (groups === 0) return -ENOMEM;
    const raw = bytes === 4 ? groups : groups + (size << 1);
    if (copyIn(raw, list, size * bytes) < 0) {
      kfree(groups);
      return -EFAULT;
    }
    // The 16-bit numbers stand in the upper half and are widened upwards.
    if (bytes === 2) {
      for (let i: u32 = 0; i < size; i++) store<u32>(groups + (i << 2), load<u16>(raw + (i << 1)));
    }
  }
  kfree(task.groups);
  task.groups = groups;
  task.groupCount = size;
  return 0;
}

function sysSetgroups32(size: u32, list: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setGroups(size, list, 4);
}
function sysSetgroups(size: u32, list: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return setGroups(size, list, 2);
}

/** Registers the calls of this file. */
export function identityCallsInit(): void {
  syscallRegister(SYS_GETUID32, sysGetuid32);
  syscallRegister(SYS_GETEUID32, sysGeteuid32);
  syscallRegister(SYS_GETGID32, sysGetgid32);
  syscallRegister(SYS_GETEGID32, sysGetegid32);
  syscallRegister(SYS_GETUID, sysGetuid);
  syscallRegister(SYS_GETEUID, sysGeteuid);
  syscallRegister(SYS_GETGID, sysGetgid);
  syscallRegister(SYS_GETEGID, sysGetegid);
  syscallRegister(SYS_SETUID32, sysSetuid32);
  syscallRegister(SYS_SETUID, sysSetuid);
  syscallRegister(SYS_SETGID32, sysSetgid32);
  syscallRegister(SYS_SETGID, sysSetgid);
  syscallRegister(SYS_SETREUID32, sysSetreuid32);
  syscallRegister(SYS_SETREUID, sysSetreuid);
  syscallRegister(SYS_SETREGID32, sysSetregid32);
  syscallRegister(SYS_SETREGID, sysSetregid);
  syscallRegister(SYS_SETRESUID32, sysSetresuid32);
  syscallRegister(SYS_SETRESUID, sysSetresuid);
  syscallRegister(SYS_SETRESGID32, sysSetresgid32);
  syscallRegister(SYS_SETRESGID, sysSetresgid);
  syscallRegister(SYS_GETRESUID32, sysGetresuid32);
  syscallRegister(SYS_GETRESGID32, sysGetresgid32);
  syscallRegister(SYS_GETRESUID, sysGetresuid);
  syscallRegister(SYS_GETRESGID, sysGetresgid);
  syscallRegister(SYS_SETFSUID32, sysSetfsuid);
  syscallRegister(SYS_SETFSUID, sysSetfsuid);
  syscallRegister(SYS_SETFSGID32, sysSetfsgid);
  syscallRegister(SYS_SETFSGID, sysSetfsgid);
  syscallRegister(SYS_GETGROUPS32, sysGetgroups32);
  syscallRegister(SYS_GETGROUPS, sysGetgroups);
  syscallRegister(SYS_SETGROUPS32, sysSetgroups32);
  syscallRegister(SYS_SETGROUPS, sysSetgroups);
}
