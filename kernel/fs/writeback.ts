/**
 * Writing back: sync, fsync, and the kernel thread that writes what has been dirty for a while or
 * when memory is short, and shrinks the caches.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import { pagesFree, pagesTotal } from "../mm/mod.ts";
import { sleepOnTimeout, WaitQueue, waitQueueInit, wakeAll } from "../sync/mod.ts";
import { HZ, ticks } from "../time/mod.ts";
import { blockFlush } from "./block_io.ts";
import { cacheDirtyPages } from "./cache.ts";
import { dentryShrink } from "./dentry.ts";
import { firstBlockDevice } from "./device_table.ts";
import {
  firstDirtyInode,
  inodePut,
  inodeRef,
  inodeShrink,
  inodeUnlist,
  inodeWrite,
} from "./inode.ts";
import { pagesWait, pagesWrite } from "./page_io.ts";
import { BlockDevice, Inode, INODE_BLOCKS_CACHE, INODE_DIRTY, INODE_NEW } from "./types.ts";
import { SuperBlock } from "./types.ts";
import { MS_RDONLY } from "../abi/fcntl.ts";

/** How long contents may be dirty before they are written, and how often that is looked at. */
const AGE: u32 = 30 * HZ;
const PERIOD: u32 = 5 * HZ;

const queue = memory.data(8, 4);
let wanted = false;
/* Rounds through the list of inodes, so that each is visited once in a round. */
let passes: u32 = 0;
let superBlocks: SuperBlock | null = null;

/** Mounted file systems, through `next`. */
export function firstSuperBlock(): SuperBlock | null {
  return superBlocks;
}
/** For mounting. */
export function superBlockAdd(superBlock: SuperBlock): void {
  superBlock.next = superBlocks;
  superBlocks = superBlock;
}
/** For unmounting. */
export function superBlockRemove(superBlock: SuperBlock): void {
  if (superBlocks === superBlock) superBlocks = superBlock.next;
  else {
    let other = superBlocks;
    while (other !== null && other.next !== superBlock) other = other.next;
    if (other !== null) other.next = superBlock.next;
  }
}

/** Writes one inode: its pages, then its fields. 0 or -errno. The inode is referenced. */
function writeOne(inode: Inode): i32 {
  let error = pagesWrite(inode);
  const fields = inodeWrite(inode);
  if (error === 0) error = fields;
  if (inode.dirtyPages === 0 && (inode.flags & INODE_DIRTY) === 0) inodeUnlist(inode);
  return error;
}

/** Writes the inodes that `chosen` names: those of a super block, or of all when null. */
function writeInodes(superBlock: SuperBlock | null, devices: bool, olderThan: u32): i32 {
  let error: i32 = 0;
  const start = ticks();
  const pass = ++passes;
  let inode = firstDirtyInode();
  while (inode !== null) {
    const isDevice = (inode.flags & INODE_BLOCKS_CACHE) !== 0;
    const old = olderThan === 0 || start - inode.dirtySince >= olderThan;
    const mine = isDevice
      ? devices
      : !devices && (superBlock === null || inode.superBlock === superBlock);
    if (!mine || !old || inode.pass === pass || (inode.flags & INODE_NEW) !== 0) {
      inode = inode.dirtyNext;
      continue;
    }
    inode.pass = pass;
    inodeRef(inode);
    const result = writeOne(inode);
    if (result < 0) {
      error = result;
      // What cannot be written must not be tried for ever.
      inode.flags &= ~INODE_DIRTY;
      if (inode.dirtyPages === 0) inodeUnlist(inode);
    } else if (olderThan !== 0) inode.dirtySince = start;
    inodePut(inode);
    // The list changed while we slept: from its beginning, past those that had their turn.
    inode = firstDirtyInode();
  }
  return error;
}

/** Writes all that is dirty in one device's cache. */
export function syncDevice(device: BlockDevice): i32 {
  const inode = device.inode;
  const error = pagesWrite(inode);
  pagesWait(inode);
  if (inode.dirtyPages === 0) inodeUnlist(inode);
  const flushed = blockFlush(device);
  return error < 0 ? error : flushed;
}

/** syncfs(2): writes a file system with its metadata. 0 or -errno. */
export function syncSuperBlock(superBlock: SuperBlock): i32 {
  const device = superBlock.device;
  if (device === null) return 0;
  let error = writeInodes(superBlock, false, 0);
  const sync = superBlock.ops.sync;
  if (sync !== null) {
    const result = sync(superBlock);
    if (error === 0) error = result;
  }
  const result = syncDevice(device);
  if (error === 0) error = result;
  const synced = superBlock.ops.synced;
  if (error === 0 && synced !== null && (superBlock.flags & MS_RDONLY) === 0) {
    error = synced(superBlock);
    const last = syncDevice(device);
    if (error === 0) error = last;
  }
  return error;
}

/** sync(2). */
export function syncEverything(): void {
  for (let s: SuperBlock | null = superBlocks; s !== null; s = s!.next) syncSuperBlock(s);
  for (let d: BlockDevice | null = firstBlockDevice(); d !== null; d = d!.next) {
    // A device that nobody has opened has no inode yet: the disk of a mounted partition.
    if (changetype<usize>(d.inode) !== 0 && d.inode.dirtyPages > 0) syncDevice(d);
  }
}

/** fsync(2) of a file on a disk: its pages, its fields, the metadata behind them. */
export function syncInode(inode: Inode): i32 {
  let error = pagesWrite(inode);
  pagesWait(inode);
  const fields = inodeWrite(inode);
  if (error === 0) error = fields;
  const device = inode.superBlock.device;
  if (device !== null) {
    const sync = inode.superBlock.ops.sync;
    if (sync !== null) sync(inode.superBlock);
    const result = syncDevice(device);
    if (error === 0) error = result;
  }
  if (error === 0) error = inode.ioError;
  inode.ioError = 0;
  return error;
}

/** More may not be dirty: writers write it themselves then. */
export function dirtyLimit(): u32 {
  return pagesTotal() >> 2;
}

/** For writers, who hold no lock: writes their file when too much is dirty. */
export function throttleWriter(inode: Inode): void {
  if (cacheDirtyPages() > dirtyLimit()) pagesWrite(inode);
}

/** Wakes the thread; may be called anywhere. */
export function wakeWriteback(): void {
  wanted = true;
  wakeAll(changetype<WaitQueue>(queue));
}

/** The life of the thread. */
export function writebackThread(_data: usize): void {
  while (true) {
    const flags = irqSave();
    if (!wanted) sleepOnTimeout(changetype<WaitQueue>(queue), PERIOD);
    irqRestore(flags);
    const short = wanted;
    wanted = false;
    writeInodes(null, false, short ? 0 : AGE);
    for (let s: SuperBlock | null = superBlocks; s !== null; s = s!.next) {
      const sync = s.ops.sync;
      if (sync !== null) sync(s);
    }
    writeInodes(null, true, short ? 0 : AGE);
    if (short || pagesFree() < pagesTotal() >> 5) {
      dentryShrink(256);
      inodeShrink(256);
    }
  }
}

/** Prepares the thread's queue. */
export function writebackInit(): void {
  waitQueueInit(changetype<WaitQueue>(queue));
}
