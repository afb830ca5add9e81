/**
 * Regular files over the page cache: read, write, memory maps, truncation, fsync.
 *
 * @module
 */
import { EFBIG, EINVAL, EIO, EISDIR, ENOMEM, ENOSPC } from "../abi/errno.ts";
import { MS_NOATIME, MS_RDONLY, O_APPEND, O_DSYNC, O_NOATIME, O_SYNC } from "../abi/fcntl.ts";
import { SIGXFSZ } from "../abi/signal.ts";
import { S_IFDIR, S_IFMT, S_ISGID, S_ISUID, S_IXGRP } from "../abi/stat.ts";
import {
  PAGE_BEYOND,
  PAGE_IO_ERROR,
  PAGE_NO_MEMORY,
  pageRef,
  Transfer,
  transferIn,
  transferOut,
  VM_SHARED,
  Vma,
  VmOps,
} from "../mm/mod.ts";
import { current, signalSend } from "../proc/mod.ts";
import { lock, unlock } from "../sync/mod.ts";
import { realtimeNs } from "../time/mod.ts";
import { cacheCreate, cacheFind, cachePut, cacheTruncate, pageAddress, pageWait } from "./cache.ts";
import { filePut, fileRef } from "./fd_table.ts";
import { inodeDirty, touchModify } from "./inode.ts";
import { filePages, pageDirty, pageRead, READ_AHEAD } from "./page_io.ts";
import { CachePage, failed, File, Inode, INODE_BLOCKS_CACHE, INODE_MEMORY } from "./types.ts";
import { PAGE_LOCKED, PAGE_VALID } from "./types.ts";
import { syncDevice, syncInode, throttleWriter } from "./writeback.ts";
import { BlockDevice } from "./types.ts";

const RLIMIT_FSIZE: u32 = 1;
const DAY: u32 = 86400;

/** Notes an access, as relatime does: when the last note is older than a change, or a day. */
export function touchAccess(file: File): void {
  const inode = file.inode;
  if ((file.flags & O_NOATIME) !== 0) return;
  if (((inode.superBlock.flags | file.mount.flags) & (MS_RDONLY | MS_NOATIME)) !== 0) return;
  const now = realtimeNs();
  const seconds = <u32> (now / 1000000000);
  if (
    inode.accessSeconds > inode.modifySeconds && inode.accessSeconds > inode.changeSeconds &&
    seconds - inode.accessSeconds < DAY
  ) return;
  if (
    inode.accessSeconds === seconds && inode.modifySeconds < seconds &&
    inode.changeSeconds < seconds
  ) return;
  inode.accessSeconds = seconds;
  inode.accessNs = <u32> (now % 1000000000);
  inodeDirty(inode);
}

/** Pages to read ahead: more while the reader goes on where it stopped. */
function aheadFor(file: File, index: u32): u32 {
  if (index === file.nextIndex || index + 1 === file.nextIndex) {
    file.window = file.window === 0 ? 8 : file.window * 2;
    if (file.window > READ_AHEAD) file.window = READ_AHEAD;
  } else file.window = index === 0 ? 4 : 2;
  return file.window - 1;
}

/** FileOps.read of files with cached pages. */
export function fileRead(file: File, t: Transfer, offset: u64): i32 {
  const inode = file.inode;
  if ((inode.mode & S_IFMT) === S_IFDIR) return -EISDIR;
  let done: u32 = 0;
  let position = offset;
  while (t.remaining > 0 && position < inode.size) {
    const index = <u32> (position >> 12);
    const inPage = <u32> position & 0xfff;
    let n: u32 = 4096 - inPage;
    if (n > t.remaining) n = t.remaining;
    const ahead = aheadFor(file, index);
    const found = pageRead(inode, index, ahead);
    if (failed(found)) return done > 0 ? <i32> done : <i32> found;
    file.nextIndex = index + 1;
    const page = changetype<CachePage>(found);
    // The size again, after a sleep.
    if (position >= inode.size) {
      cachePut(page);
      break;
    }
    if (inode.size - position < <u64> n) n = <u32> (inode.size - position);
    const copied = transferOut(t, pageAddress(page) + inPage, n);
    cachePut(page);
    if (copied < 0) return done > 0 ? <i32> done : copied;
    done += copied;
    position += <u64> (<u32> copied);
    if (<u32> copied < n) break;
  }
  if (done > 0 && changetype<usize>(file.mount) !== 0) touchAccess(file);
  return <i32> done;
}

/** The page to write into, valid and pinned. */
function pageForWrite(inode: Inode, index: u32): usize {
  const isDevice = (inode.flags & INODE_BLOCKS_CACHE) !== 0;
  if (isDevice || index < filePages(inode)) return pageRead(inode, index, 0);
  const page = cacheCreate(inode, index);
  if (page === null) return <usize> -ENOMEM;
  if ((page.flags & PAGE_LOCKED) !== 0) pageWait(page);
  if ((page.flags & PAGE_VALID) === 0) {
    memory.fill(pageAddress(page), 0, 4096);
    page.flags |= PAGE_VALID;
  }
  return changetype<usize>(page);
}

/** Makes blocks for `n` bytes at `position`, which lie in one page: bytes that have blocks, or -errno. */
function allocateFor(inode: Inode, position: u64, n: u32): i32 {
  const map = inode.ops.mapBlock;
  if (map === null || (inode.flags & INODE_BLOCKS_CACHE) !== 0) return <i32> n;
  const bits = inode.superBlock.blockBits;
  const end = position + <u64> n;
  let block = <u32> (position >> bits);
  const last = <u32> ((end - 1) >> bits);
  for (; block <= last; block++) {
    const at = map(inode, block, true);
    if (at > 0) continue;
    const start = <u64> block << bits;
    if (start > position) return <i32> (start - position);
    return at < 0 ? at : -EIO;
  }
  return <i32> n;
}

/** Bits that a write by somebody unprivileged takes away (POSIX write()). */
function dropSetId(inode: Inode): void {
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0 || current().fsuid === 0) return;
  inode.mode &= ~S_ISUID;
  if ((inode.mode & S_IXGRP) !== 0) inode.mode &= ~S_ISGID;
  inodeDirty(inode);
}

function writeLocked(file: File, t: Transfer, offset: u64): i32 {
  const inode = file.inode;
  const append = (file.flags & O_APPEND) !== 0;
  let position = append ? inode.size : offset;
  const limit = current().process.limit(RLIMIT_FSIZE);
  let most = inode.superBlock.maxBytes;
  const isDevice = (inode.flags & INODE_BLOCKS_CACHE) !== 0;
  if (isDevice) most = inode.size;
  else if (limit < most) {
    if (position >= limit) {
      signalSend(current(), SIGXFSZ);
      return -EFBIG;
    }
    most = limit;
  }
  if (position >= most) return t.remaining === 0 ? 0 : isDevice ? -ENOSPC : -EFBIG;
  let done: u32 = 0;
  let error: i32 = 0;
  while (t.remaining > 0 && position < most) {
    const inPage = <u32> position & 0xfff;
    let n: u32 = 4096 - inPage;
    if (n > t.remaining) n = t.remaining;
    if (<u64> n > most - position) n = <u32> (most - position);
    const found = pageForWrite(inode, <u32> (position >> 12));
    if (failed(found)) {
      error = <i32> found;
      break;
    }
    const page = changetype<CachePage>(found);
    const room = allocateFor(inode, position, n);
    if (room < 0) {
      cachePut(page);
      error = room;
      break;
    }
    n = room;
    const copied = transferIn(t, pageAddress(page) + inPage, n);
    if (copied > 0) {
      if (isDevice) {
        const first = inPage >> 9;
        const last = (inPage + copied - 1) >> 9;
        for (let i = first; i <= last; i++) page.dirtySectors |= 1 << i;
      }
      pageDirty(page);
      done += copied;
      position += <u64> (<u32> copied);
      if (position > inode.size && !isDevice) inode.size = position;
    }
    cachePut(page);
    if (copied < <i32> n) {
      if (copied < 0) error = copied;
      break;
    }
  }
  // Blocks that were made for bytes that did not come.
  const truncate = inode.ops.truncate;
  if (error < 0 && truncate !== null && !isDevice) truncate(inode, inode.size);
  if (done > 0) {
    if (!isDevice) {
      dropSetId(inode);
      touchModify(inode);
      inodeDirty(inode);
    }
    if (append) file.offset = position;
  }
  return done > 0 ? <i32> done : error;
}

/** FileOps.write of files with cached pages. */
export function fileWrite(file: File, t: Transfer, offset: u64): i32 {
  const inode = file.inode;
  lock(inode.lock);
  let result = writeLocked(file, t, offset);
  unlock(inode.lock);
  if (result > 0) {
    throttleWriter(inode);
    if ((file.flags & (O_SYNC | O_DSYNC)) !== 0) {
      const error = fileSync(file, (file.flags & O_SYNC) !== O_SYNC);
      if (error < 0) result = error;
    }
  }
  return result;
}

/** FileOps.sync. */
export function fileSync(file: File, _dataOnly: bool): i32 {
  const inode = file.inode;
  if ((inode.flags & INODE_BLOCKS_CACHE) !== 0) {
    return syncDevice(changetype<BlockDevice>(inode.device));
  }
  return syncInode(inode);
}

/**
 * Changes the size of a file with cached pages. The caller holds the inode's lock and has checked
 * permissions. 0, -EFBIG, -EIO, -ENOSPC…
 */
export function fileTruncate(inode: Inode, size: u64): i32 {
  if (size > inode.superBlock.maxBytes) return -EFBIG;
  if (size < inode.size) {
    const inPage = <u32> size & 0xfff;
    if (inPage !== 0) {
      // What is cut off must read as zeros when the file grows again.
      const found = pageRead(inode, <u32> (size >> 12), 0);
      if (failed(found)) return <i32> found;
      const page = changetype<CachePage>(found);
      memory.fill(pageAddress(page) + inPage, 0, 4096 - inPage);
      if ((inode.flags & INODE_MEMORY) !== 0 || hasBlock(inode, size)) pageDirty(page);
      inode.size = size;
      cachePut(page);
    }
    inode.size = size;
    cacheTruncate(inode, <u32> ((size + 4095) >> 12));
    const truncate = inode.ops.truncate;
    if (truncate !== null) {
      const error = truncate(inode, size);
      if (error < 0) return error;
    }
  } else inode.size = size;
  touchModify(inode);
  inodeDirty(inode);
  return 0;
}

/* A page that lies in a hole altogether need not be written. */
function hasBlock(inode: Inode, size: u64): bool {
  const map = inode.ops.mapBlock;
  if (map === null) return false;
  return map(inode, <u32> (size >> inode.superBlock.blockBits), false) > 0;
}

const mapOps = memory.data(64, 4);

function mapPage(area: Vma, index: u32, write: bool): u32 {
  const inode = changetype<File>(area.object).inode;
  if (index >= filePages(inode)) return PAGE_BEYOND;
  const found = pageRead(inode, index, READ_AHEAD - 1);
  if (failed(found)) return <i32> found === -ENOMEM ? PAGE_NO_MEMORY : PAGE_IO_ERROR;
  const page = changetype<CachePage>(found);
  if (write && (area.flags & VM_SHARED) !== 0) {
    if ((inode.flags & INODE_BLOCKS_CACHE) !== 0) page.dirtySectors = 0xff;
    pageDirty(page);
    touchModify(inode);
    inodeDirty(inode);
  }
  pageRef(page.physical);
  const physical = page.physical;
  cachePut(page);
  return physical;
}

function mapOpen(area: Vma): void {
  fileRef(changetype<File>(area.object));
}

function mapClose(area: Vma): void {
  filePut(changetype<File>(area.object));
}

function mapDirty(area: Vma, index: u32): void {
  const inode = changetype<File>(area.object).inode;
  const page = cacheFind(inode, index);
  if (page === null) return;
  if ((inode.flags & INODE_BLOCKS_CACHE) !== 0) page.dirtySectors = 0xff;
  pageDirty(page);
  cachePut(page);
}

/** FileOps.map of files with cached pages. */
export function fileMap(file: File, area: Vma): i32 {
  if ((file.inode.mode & S_IFMT) === S_IFDIR) return -EINVAL;
  area.ops = changetype<VmOps>(mapOps);
  area.object = changetype<usize>(file);
  fileRef(file);
  if (changetype<usize>(file.mount) !== 0) touchAccess(file);
  return 0;
}

/** The file that an area maps, null when it maps none. */
export function fileMapObject(area: Vma): File | null {
  return changetype<usize>(area.ops) === mapOps ? changetype<File>(area.object) : null;
}

/** Fills in the tables. */
export function genericFileInit(): void {
  const ops = changetype<VmOps>(mapOps);
  ops.page = mapPage;
  ops.open = mapOpen;
  ops.close = mapClose;
  ops.dirty = mapDirty;
}
