/**
 * Advisory locks: POSIX record locks (fcntl) that belong to processes, and flock locks that belong
 * to open files. Both hang at the inode; those who wait are woken by every change.
 *
 * @module
 */
import { EAGAIN, EDEADLK, ENOMEM } from "../abi/errno.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "../abi/fcntl.ts";
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import { kfree, kzalloc } from "../mm/mod.ts";
import { current } from "../proc/mod.ts";
import { sleepOnInterruptible, WaitQueue, wakeAll } from "../sync/mod.ts";
import { File, Inode } from "./types.ts";

/** A lock on bytes `start`…`end` (inclusive); `file` is set for flock locks. */
/*@unmanaged*/
export class FileLock {
  next: FileLock | null;
  start: u64;
  end: u64;
  /** F_RDLCK or F_WRLCK. */
  type: u32;
  /** Process that owns a record lock. */
  owner: i32;
  /** File that owns a flock lock, null for record locks. */
  file: File | null;
}

/** A process that waits for a record lock, for finding circles. */
/*@unmanaged*/
export class LockWaiter {
  next: LockWaiter | null;
  process: i32;
  blocker: i32;
}

const queueStorage = memory.data(8, 4);
let waiters: LockWaiter | null = null;

/*@inline*/
function queue(): WaitQueue {
  return changetype<WaitQueue>(queueStorage);
}

/*@inline*/
function firstLock(inode: Inode): FileLock | null {
  return changetype<FileLock | null>(inode.locks);
}

/** The first record lock of another process that conflicts, or null. */
export function recordLockConflict(
  inode: Inode,
  start: u64,
  end: u64,
  type: u32,
  owner: i32,
): FileLock | null {
  for (let l = firstLock(inode); l !== null; l = l!.next) {
    if (l.file !== null || l.owner === owner || l.start > end || l.end < start) continue;
    if (type === F_WRLCK || l.type === F_WRLCK) return l;
  }
  return null;
}

function remove(inode: Inode, lock: FileLock): void {
  if (firstLock(inode) === lock) inode.locks = changetype<usize>(lock.next);
  else {
    let l = firstLock(inode);
    while (l !== null && l.next !== lock) l = l.next;
    if (l !== null) l.next = lock.next;
  }
  kfree(changetype<usize>(lock));
}

/** Sets bytes `start`…`end` of the owner to `type` (F_UNLCK: none). No conflict any more. */
function setRange(inode: Inode, start: u64, end: u64, type: u32, owner: i32): i32 {
  // One for the new range and one for the tail of a lock that is cut in two.
  const fresh = changetype<FileLock | null>(kzalloc(offsetof<FileLock>()));
  const tail = changetype<FileLock | null>(kzalloc(offsetof<FileLock>()));
  if (fresh === null || tail === null) {
    kfree(changetype<usize>(fresh));
    kfree(changetype<usize>(tail));
    return -ENOMEM;
  }
  let tailUsed = false;
  let l = firstLock(inode);
  while (l !== null) {
    const next: FileLock | null = l.next;
    if (l.file === null && l.owner === owner && l.start <= end && l.end >= start) {
      if (l.start < start && l.end > end) {
        tail.start = end + 1;
        tail.end = l.end;
        tail.type = l.type;
        tail.owner = owner;
        tail.next = l.next;
        l.next = tail;
        tailUsed = true;
        l.end = start - 1;
      } else if (l.start < start) l.end = start - 1;
      else if (l.end > end) l.start = end + 1;
      else remove(inode, l);
    }
    l = next;
  }
  if (!tailUsed) kfree(changetype<usize>(tail));
  if (type === F_UNLCK) kfree(changetype<usize>(fresh));
  else {
    fresh.start = start;
    fresh.end = end;
    fresh.type = type;
    fresh.owner = owner;
    fresh.next = firstLock(inode);
    inode.locks = changetype<usize>(fresh);
    mergeAround(inode, fresh);
  }
  wakeAll(queue());
  return 0;
}

/** Joins adjacent locks of the same owner and type, as F_GETLK must show them. */
function mergeAround(inode: Inode, lock: FileLock): void {
  let l = firstLock(inode);
  while (l !== null) {
    const next: FileLock | null = l.next;
    if (
      l !== lock && l.file === null && l.owner === lock.owner && l.type === lock.type &&
      (l.end + 1 === lock.start || lock.end + 1 === l.start)
    ) {
      if (l.start < lock.start) lock.start = l.start;
      if (l.end > lock.end) lock.end = l.end;
      remove(inode, l);
    }
    l = next;
  }
}

/** Whether waiting for `blocker` would close a circle. */
function wouldDeadlock(owner: i32, blocker: i32): bool {
  let at = blocker;
  for (let steps = 0; steps < 64; steps++) {
    if (at === owner) return true;
    let w = waiters;
    while (w !== null && w.process !== at) w = w.next;
    if (w === null) return false;
    at = w.blocker;
  }
  return false;
}

/** fcntl F_SETLK, F_SETLKW (`wait`): 0, -EAGAIN, -EDEADLK, -ENOMEM, -ERESTARTSYS. */
export function recordLockSet(
  inode: Inode,
  start: u64,
  end: u64,
  type: u32,
  wait: bool,
): i32 {
  const owner = current().tgid;
  if (type === F_UNLCK) return setRange(inode, start, end, type, owner);
  const flags = irqSave();
  let result: i32 = 0;
  while (true) {
    const conflict = recordLockConflict(inode, start, end, type, owner);
    if (conflict === null) break;
    if (!wait) {
      result = -EAGAIN;
      break;
    }
    if (wouldDeadlock(owner, conflict.owner)) {
      result = -EDEADLK;
      break;
    }
    const waiter = changetype<LockWaiter | null>(kzalloc(offsetof<LockWaiter>()));
    if (waiter === null) {
      result = -ENOMEM;
      break;
    }
    waiter.process = owner;
    waiter.blocker = conflict.owner;
    waiter.next = waiters;
    waiters = waiter;
    result = sleepOnInterruptible(queue());
    forget(waiter);
    if (result < 0) break;
  }
  if (result === 0) result = setRange(inode, start, end, type, owner);
  irqRestore(flags);
  return result;
}

function forget(waiter: LockWaiter): void {
  if (waiters === waiter) waiters = waiter.next;
  else {
    let w = waiters;
    while (w !== null && w.next !== waiter) w = w.next;
    if (w !== null) w.next = waiter.next;
  }
  kfree(changetype<usize>(waiter));
}

/** close(2) of any descriptor of a file drops all record locks of the process on it. */
export function recordLocksRelease(file: File): void {
  const inode = file.inode;
  if (inode.locks === 0) return;
  const owner = current().tgid;
  let l = firstLock(inode);
  let any = false;
  while (l !== null) {
    const next: FileLock | null = l.next;
    if (l.file === null && l.owner === owner) {
      remove(inode, l);
      any = true;
    }
    l = next;
  }
  if (any) wakeAll(queue());
}

function flockConflict(inode: Inode, file: File, type: u32): bool {
  for (let l = firstLock(inode); l !== null; l = l!.next) {
    if (l.file === null || l.file === file) continue;
    if (type === F_WRLCK || l.type === F_WRLCK) return true;
  }
  return false;
}

function flockOf(inode: Inode, file: File): FileLock | null {
  let l = firstLock(inode);
  while (l !== null && l.file !== file) l = l.next;
  return l;
}

/** flock(2) with F_RDLCK or F_WRLCK: 0, -EAGAIN, -ENOMEM, -ERESTARTSYS. */
export function flockSet(file: File, type: u32, wait: bool): i32 {
  const inode = file.inode;
  // A conversion is not atomic: the old lock goes first (flock(2)).
  const old = flockOf(inode, file);
  if (old !== null) {
    if (old.type === type) return 0;
    flockRelease(file);
  }
  const flags = irqSave();
  let result: i32 = 0;
  while (flockConflict(inode, file, type)) {
    result = wait ? sleepOnInterruptible(queue()) : -EAGAIN;
    if (result < 0) break;
  }
  irqRestore(flags);
  if (result < 0) return result;
  const lock = changetype<FileLock | null>(kzalloc(offsetof<FileLock>()));
  if (lock === null) return -ENOMEM;
  lock.type = type;
  lock.file = file;
  lock.next = firstLock(inode);
  inode.locks = changetype<usize>(lock);
  file.locked = true;
  return 0;
}

/** Drops the flock lock of a file. */
export function flockRelease(file: File): void {
  const lock = flockOf(file.inode, file);
  file.locked = false;
  if (lock === null) return;
  remove(file.inode, lock);
  wakeAll(queue());
}

/** F_RDLCK is a type, too: what `l_type` may be. */
export function validLockType(type: u32): bool {
  return type === F_RDLCK || type === F_WRLCK || type === F_UNLCK;
}
