/**
 * The cache of names. A dentry says what a name in a directory is, or (inode null) that there is no
 * such name. Unused ones stay in a list until there are too many or memory is short.
 *
 * @module
 */
import { kfree, kmalloc, kzalloc } from "../mm/mod.ts";
import { memcmp } from "../lib/mod.ts";
import { inodePut } from "./inode.ts";
import { Dentry, Inode, INODE_TRANSIENT, SuperBlock } from "./types.ts";

const BUCKETS: u32 = 2048;
const table = memory.data(8192, 4);
/** Unused dentries that are kept. */
const KEEP: u32 = 4096;

let lruOldest: Dentry | null = null;
let lruNewest: Dentry | null = null;
let lruCount: u32 = 0;
let total: u32 = 0;

/** Dentries in memory, and unused ones among them. */
export function dentryCount(): u32 {
  return total;
}
export function dentryUnusedCount(): u32 {
  return lruCount;
}

/* FNV-1a over the name, mixed with the directory. */
function hashOf(parent: Dentry, name: usize, length: u32): u32 {
  let hash: u32 = 0x811c9dc5 ^ (<u32> changetype<usize>(parent) >> 4);
  for (let i: u32 = 0; i < length; i++) hash = (hash ^ load<u8>(name + i)) * 0x01000193;
  return hash ^ (hash >> 15);
}

function lruRemove(d: Dentry): void {
  if (!d.inLru) return;
  if (d.lruPrevious !== null) d.lruPrevious!.lruNext = d.lruNext;
  else lruOldest = d.lruNext;
  if (d.lruNext !== null) d.lruNext!.lruPrevious = d.lruPrevious;
  else lruNewest = d.lruPrevious;
  d.inLru = false;
  lruCount--;
}

function lruAppend(d: Dentry): void {
  d.lruNext = null;
  d.lruPrevious = lruNewest;
  if (lruNewest !== null) lruNewest!.lruNext = d;
  else lruOldest = d;
  lruNewest = d;
  d.inLru = true;
  lruCount++;
}

function hashInsert(d: Dentry): void {
  const at = table + (d.hash % BUCKETS) * 4;
  d.hashNext = changetype<Dentry | null>(load<usize>(at));
  store<usize>(at, changetype<usize>(d));
  d.hashed = true;
}

/** Makes a name not to be found any more; who has the dentry keeps it. */
export function dentryUnhash(d: Dentry): void {
  if (!d.hashed) return;
  const at = table + (d.hash % BUCKETS) * 4;
  let other = changetype<Dentry | null>(load<usize>(at));
  if (other === d) store<usize>(at, changetype<usize>(d.hashNext));
  else {
    while (other !== null && other.hashNext !== d) other = other.hashNext;
    if (other !== null) other.hashNext = d.hashNext;
  }
  d.hashed = false;
}

/** One more reference. */
export function dentryRef(d: Dentry): Dentry {
  if (d.references === 0) lruRemove(d);
  d.references++;
  return d;
}

/** The cached dentry of a name, referenced, or null when nothing is known about it. */
export function dentryFind(parent: Dentry, name: usize, length: u32): Dentry | null {
  const hash = hashOf(parent, name, length);
  let d = changetype<Dentry | null>(load<usize>(table + (hash % BUCKETS) * 4));
  while (d !== null) {
    if (
      d.hash === hash && d.parent === parent && d.length === length &&
      memcmp(d.name, name, length) === 0
    ) {
      return dentryRef(d);
    }
    d = d.hashNext;
  }
  return null;
}

function childLink(parent: Dentry, d: Dentry): void {
  d.siblingPrevious = null;
  d.siblingNext = parent.firstChild;
  if (parent.firstChild !== null) parent.firstChild!.siblingPrevious = d;
  parent.firstChild = d;
}

function childUnlink(parent: Dentry, d: Dentry): void {
  if (d.siblingPrevious !== null) d.siblingPrevious!.siblingNext = d.siblingNext;
  else parent.firstChild = d.siblingNext;
  if (d.siblingNext !== null) d.siblingNext!.siblingPrevious = d.siblingPrevious;
}

/**
 * A new dentry, referenced and found from now on; it takes over the caller's reference to `inode`.
 * Null when memory is out (the inode's reference is then still the caller's).
 */
export function dentryNew(
  parent: Dentry | null,
  name: usize,
  length: u32,
  inode: Inode | null,
  superBlock: SuperBlock,
): Dentry | null {
  const d = changetype<Dentry | null>(kzalloc(offsetof<Dentry>()));
  const copy = kmalloc(length + 1);
  if (d === null || copy === 0) {
    kfree(changetype<usize>(d));
    kfree(copy);
    return null;
  }
  memory.copy(copy, name, length);
  store<u8>(copy + length, 0);
  d.name = copy;
  d.length = length;
  d.inode = inode;
  d.superBlock = superBlock;
  d.references = 1;
  total++;
  if (parent !== null) {
    d.parent = dentryRef(parent);
    d.hash = hashOf(parent, name, length);
    childLink(parent, d);
    hashInsert(d);
  }
  return d;
}

/** Frees a dentry without references; its parent loses one, which is returned to be put. */
function destroy(d: Dentry): Dentry | null {
  lruRemove(d);
  dentryUnhash(d);
  const parent = d.parent;
  if (parent !== null) childUnlink(parent, d);
  const inode = d.inode;
  kfree(d.name);
  kfree(changetype<usize>(d));
  total--;
  if (inode !== null) inodePut(inode);
  return parent;
}

/** One reference less. May sleep. */
export function dentryPut(dentry: Dentry): void {
  let d: Dentry | null = dentry;
  while (d !== null) {
    d.references--;
    if (d.references > 0) return;
    const inode = d.inode;
    const transient = inode !== null && (inode.flags & INODE_TRANSIENT) !== 0;
    if (d.hashed && !transient) {
      lruAppend(d);
      if (lruCount > KEEP) dentryShrink(64);
      return;
    }
    d = destroy(d);
  }
}

/** Frees up to `count` unused dentries. May sleep. */
export function dentryShrink(count: u32): u32 {
  let freed: u32 = 0;
  while (freed < count && lruOldest !== null) {
    const parent = destroy(lruOldest!);
    freed++;
    if (parent !== null) dentryPut(parent);
  }
  return freed;
}

/** Frees the unused dentries in a directory that is about to go, which would keep its inode. */
export function dentryPrune(directory: Dentry): void {
  let again = true;
  while (again) {
    again = false;
    for (let d = directory.firstChild; d !== null; d = d!.siblingNext) {
      if (d.references > 0) continue;
      destroy(d);
      directory.references--;
      again = true;
      break;
    }
  }
}

/** Frees all unused dentries of a super block. */
export function dentriesForget(superBlock: SuperBlock): void {
  let d = lruOldest;
  while (d !== null) {
    if (d.superBlock === superBlock) {
      const parent = destroy(d);
      if (parent !== null) dentryPut(parent);
      d = lruOldest;
    } else d = d.lruNext;
  }
}

/** The name is an object now; takes over the reference to `inode`. */
export function dentrySetInode(d: Dentry, inode: Inode): void {
  d.inode = inode;
}

/** The name is gone: a negative dentry when nobody else uses it, else one that is not found. */
export function dentryDelete(d: Dentry): void {
  if (d.references === 1) {
    const inode = d.inode;
    d.inode = null;
    if (inode !== null) inodePut(inode);
  } else dentryUnhash(d);
}

/** `d` has the place of `target` (which is not found any more) after a rename. */
export function dentryMove(d: Dentry, target: Dentry): void {
  const name = kmalloc(target.length + 1);
  dentryUnhash(d);
  dentryUnhash(target);
  const oldParent = d.parent!;
  const newParent = target.parent!;
  if (name === 0) return; // it will be looked up again
  memory.copy(name, target.name, target.length + 1);
  kfree(d.name);
  d.name = name;
  d.length = target.length;
  childUnlink(oldParent, d);
  d.parent = dentryRef(newParent);
  childLink(newParent, d);
  d.hash = hashOf(newParent, d.name, d.length);
  hashInsert(d);
  dentryPut(oldParent);
}

/** Two names change places (RENAME_EXCHANGE). */
export function dentryExchange(a: Dentry, b: Dentry): void {
  const parentA = a.parent!;
  const parentB = b.parent!;
  dentryUnhash(a);
  dentryUnhash(b);
  childUnlink(parentA, a);
  childUnlink(parentB, b);
  const name = a.name;
  const length = a.length;
  a.name = b.name;
  a.length = b.length;
  a.parent = parentB;
  b.name = name;
  b.length = length;
  b.parent = parentA;
  childLink(parentB, a);
  childLink(parentA, b);
  a.hash = hashOf(parentB, a.name, a.length);
  b.hash = hashOf(parentA, b.name, b.length);
  hashInsert(a);
  hashInsert(b);
}

/** True when `ancestor` is `d` or above it. */
export function dentryIsBelow(d: Dentry, ancestor: Dentry): bool {
  let at: Dentry | null = d;
  while (at !== null) {
    if (at === ancestor) return true;
    at = at.parent;
  }
  return false;
}
