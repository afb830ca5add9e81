/**
 * Inodes in memory: found by (super block, number), counted, kept for a while when unused.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import { kfree, kzalloc } from "../mm/mod.ts";
import { sleepOn, waitQueueInit, wakeAll } from "../sync/mod.ts";
import { realtimeNs, ticks } from "../time/mod.ts";
import { cacheDropClean, cacheTruncate } from "./cache.ts";
import { FileOps, Inode, INODE_DEAD, INODE_DIRTY, INODE_LISTED } from "./types.ts";
import { INODE_NEW, INODE_TRANSIENT, InodeOps, queueAt, SuperBlock } from "./types.ts";

const BUCKETS: u32 = 1024;
const table = memory.data(4096, 4);
/** Unused inodes that are kept. */
const KEEP: u32 = 2048;
const newQueue = memory.data(8, 4);

/* Operations of objects that have none. */
const noInodeOps = memory.data(64, 4);
const noFileOps = memory.data(64, 4);

let lruOldest: Inode | null = null;
let lruNewest: Inode | null = null;
let lruCount: u32 = 0;
let total: u32 = 0;
let dirtyFirst: Inode | null = null;
let dirtyLast: Inode | null = null;

/** An operations table in which everything is null. */
export function emptyInodeOps(): InodeOps {
  return changetype<InodeOps>(noInodeOps);
}
export function emptyFileOps(): FileOps {
  return changetype<FileOps>(noFileOps);
}

/** Inodes in memory, and unused ones among them. */
export function inodeCount(): u32 {
  return total;
}
export function inodeUnusedCount(): u32 {
  return lruCount;
}

/*@inline*/
function slot(superBlock: SuperBlock, number: u32): usize {
  return table + (((<u32> changetype<usize>(superBlock) >> 6) + number) % BUCKETS) * 4;
}

function lruRemove(inode: Inode): void {
  if (inode.lruPrevious !== null) inode.lruPrevious!.lruNext = inode.lruNext;
  else lruOldest = inode.lruNext;
  if (inode.lruNext !== null) inode.lruNext!.lruPrevious = inode.lruPrevious;
  else lruNewest = inode.lruPrevious;
  lruCount--;
}

function lruAppend(inode: Inode): void {
  inode.lruNext = null;
  inode.lruPrevious = lruNewest;
  if (lruNewest !== null) lruNewest!.lruNext = inode;
  else lruOldest = inode;
  lruNewest = inode;
  lruCount++;
}

/** One more reference. */
export function inodeRef(inode: Inode): void {
  if (inode.references === 0) lruRemove(inode);
  inode.references++;
}

/**
 * The inode of that number if it is in memory, referenced; waits while another task reads it. Null:
 * make one with `inodeNew`.
 */
export function inodeFind(superBlock: SuperBlock, number: u32): Inode | null {
  while (true) {
    let inode = changetype<Inode | null>(load<usize>(slot(superBlock, number)));
    while (inode !== null && (inode.number !== number || inode.superBlock !== superBlock)) {
      inode = inode.hashNext;
    }
    if (inode === null) return null;
    if ((inode.flags & INODE_NEW) === 0) {
      inodeRef(inode);
      return inode;
    }
    const flags = irqSave();
    sleepOn(queueAt(newQueue));
    irqRestore(flags);
  }
}

/** A new inode, referenced, not yet to be seen (INODE_NEW) until `inodeReady`. Null: no memory. */
export function inodeNew(superBlock: SuperBlock, number: u32): Inode | null {
  const inode = changetype<Inode | null>(kzalloc(offsetof<Inode>()));
  if (inode === null) return null;
  inode.superBlock = superBlock;
  inode.number = number;
  inode.references = 1;
  inode.flags = INODE_NEW;
  inode.links = 1;
  inode.ops = emptyInodeOps();
  inode.fileOps = emptyFileOps();
  const at = slot(superBlock, number);
  inode.hashNext = changetype<Inode | null>(load<usize>(at));
  store<usize>(at, changetype<usize>(inode));
  superBlock.inodes++;
  total++;
  return inode;
}

/** The fields are right: others may have it. */
export function inodeReady(inode: Inode): void {
  inode.flags &= ~INODE_NEW;
  wakeAll(queueAt(newQueue));
}

function unhash(inode: Inode): void {
  const at = slot(inode.superBlock, inode.number);
  let other = changetype<Inode | null>(load<usize>(at));
  if (other === inode) store<usize>(at, changetype<usize>(inode.hashNext));
  else {
    while (other !== null && other.hashNext !== inode) other = other.hashNext;
    if (other !== null) other.hashNext = inode.hashNext;
  }
}

function free(inode: Inode): void {
  inode.superBlock.inodes--;
  total--;
  kfree(changetype<usize>(inode));
}

/** A new inode could not be read: it disappears. */
export function inodeFail(inode: Inode): void {
  inode.flags |= INODE_DEAD;
  unhash(inode);
  inodeReady(inode);
  free(inode);
}

/** Puts an inode on the list of those with something to write. */
export function inodeList(inode: Inode): void {
  if ((inode.flags & INODE_LISTED) !== 0) return;
  inode.flags |= INODE_LISTED;
  inode.dirtySince = ticks();
  inode.dirtyNext = null;
  inode.dirtyPrevious = dirtyLast;
  if (dirtyLast !== null) dirtyLast!.dirtyNext = inode;
  else dirtyFirst = inode;
  dirtyLast = inode;
}

/** Takes it off when nothing is left to write. */
export function inodeUnlist(inode: Inode): void {
  if ((inode.flags & INODE_LISTED) === 0) return;
  inode.flags &= ~INODE_LISTED;
  if (inode.dirtyPrevious !== null) inode.dirtyPrevious!.dirtyNext = inode.dirtyNext;
  else dirtyFirst = inode.dirtyNext;
  if (inode.dirtyNext !== null) inode.dirtyNext!.dirtyPrevious = inode.dirtyPrevious;
  else dirtyLast = inode.dirtyPrevious;
}

/** First inode with something to write; the others by `dirtyNext`. */
export function firstDirtyInode(): Inode | null {
  return dirtyFirst;
}

/** Fields have changed and must reach the disk. */
export function inodeDirty(inode: Inode): void {
  if (inode.superBlock.ops.writeInode === null) return;
  inode.flags |= INODE_DIRTY;
  inodeList(inode);
}

/** Writes the fields, if they changed, to the cached inode table: 0 or -errno. */
export function inodeWrite(inode: Inode): i32 {
  if ((inode.flags & INODE_DIRTY) === 0) return 0;
  inode.flags &= ~INODE_DIRTY;
  const write = inode.superBlock.ops.writeInode;
  const error = write !== null ? write(inode) : 0;
  if (error < 0) inode.ioError = error;
  return error;
}

/** Frees an inode without references. May sleep when it is deleted from the disk. */
function destroy(inode: Inode): void {
  inode.flags |= INODE_DEAD;
  unhash(inode);
  inodeUnlist(inode);
  cacheTruncate(inode, 0);
  const evict = inode.superBlock.ops.evict;
  if (evict !== null) evict(inode);
  // Evicting may have marked it dirty once more.
  inodeUnlist(inode);
  cacheTruncate(inode, 0);
  free(inode);
}

/** One reference less. The last one of a deleted file frees its space; may sleep. */
export function inodePut(inode: Inode): void {
  if (inode.references > 1) {
    inode.references--;
    return;
  }
  if (inode.links !== 0 && (inode.flags & INODE_TRANSIENT) === 0) {
    // Still with our reference, so that nobody frees it over the sleep.
    inodeWrite(inode);
    if (inode.references > 1 || inode.links === 0) {
      inodePut(inode);
      return;
    }
    inode.references = 0;
    lruAppend(inode);
    if (lruCount > KEEP) inodeShrink(64);
    return;
  }
  inode.references = 0;
  destroy(inode);
}

/** Frees up to `count` unused inodes with nothing to write, those unused longest first. */
export function inodeShrink(count: u32): u32 {
  let freed: u32 = 0;
  let looks = lruCount;
  while (freed < count && looks > 0 && lruOldest !== null) {
    looks--;
    const inode = lruOldest!;
    lruRemove(inode);
    if (inode.pageCount > 0) cacheDropClean(inode);
    if ((inode.flags & (INODE_DIRTY | INODE_LISTED)) !== 0 || inode.pageCount > 0) {
      lruAppend(inode);
      continue;
    }
    destroy(inode);
    freed++;
  }
  return freed;
}

/** Frees all unused inodes of a super block, for unmount: false when some are in use. */
export function inodesForget(superBlock: SuperBlock): bool {
  let again = true;
  while (again) {
    again = false;
    for (let inode: Inode | null = lruOldest; inode !== null; inode = inode!.lruNext) {
      if (inode.superBlock !== superBlock) continue;
      lruRemove(inode);
      destroy(inode);
      again = true;
      break;
    }
  }
  return superBlock.inodes === 0;
}

/** Sets the times of a new inode. */
export function inodeStamp(inode: Inode): void {
  touchChange(inode);
  inode.accessSeconds = inode.changeSeconds;
  inode.accessNs = inode.changeNs;
  inode.modifySeconds = inode.changeSeconds;
  inode.modifyNs = inode.changeNs;
}

/** Status change: now. */
export function touchChange(inode: Inode): void {
  const now = realtimeNs();
  inode.changeSeconds = <u32> (now / 1000000000);
  inode.changeNs = <u32> (now % 1000000000);
}

/** Contents and status change: now. */
export function touchModify(inode: Inode): void {
  touchChange(inode);
  inode.modifySeconds = inode.changeSeconds;
  inode.modifyNs = inode.changeNs;
}

/** Prepares the queues. */
export function inodesInit(): void {
  waitQueueInit(queueAt(newQueue));
}
