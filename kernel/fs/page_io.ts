/**
 * Pages from and to disks: reading in clusters ahead of the reader, writing adjacent dirty pages in
 * one request, and the pages of devices, whose sectors are valid and dirty one by one.
 *
 * @module
 */
import { EIO, ENOMEM } from "../abi/errno.ts";
import { kfree, kmalloc } from "../mm/mod.ts";
import { lock, unlock } from "../sync/mod.ts";
import { BlockRun, runAdd, runEnd, runNew } from "./block_io.ts";
import {
  cacheCreate,
  cacheFind,
  cacheHas,
  cachePut,
  pageAddress,
  pageClearDirty,
  pageLock,
  pageSetDirty,
  pageUnlock,
  pageWait,
} from "./cache.ts";
import { inodeList } from "./inode.ts";
import {
  BlockDevice,
  CachePage,
  failed,
  Inode,
  INODE_BLOCKS_CACHE,
  INODE_MEMORY,
  PAGE_DIRTY,
  PAGE_ERROR,
  PAGE_GONE,
  PAGE_LOCKED,
  PAGE_VALID,
} from "./types.ts";

/** Most pages that are read ahead: 128 KiB. */
export const READ_AHEAD: u32 = 32;

/** Pages of a file, counting the last one whole. */
export function filePages(inode: Inode): u32 {
  return <u32> ((inode.size + 4095) >> 12);
}

/** Adds the blocks of a file's page to a run; holes are zeroed. 0 or -errno. */
function mapPageForRead(inode: Inode, page: CachePage, run: BlockRun): i32 {
  const bits = inode.superBlock.blockBits;
  const size = inode.superBlock.blockSize;
  const perPage: u32 = 4096 >> bits;
  const map = inode.ops.mapBlock!;
  // What is beyond the end of the file reads as zeros, whatever the disk says.
  const end = <u32> ((inode.size + <u64> (size - 1)) >> bits);
  for (let i: u32 = 0; i < perPage; i++) {
    const block = page.index * perPage + i;
    const at = block < end ? map(inode, block, false) : 0;
    if (at < 0) return at;
    if (at === 0) memory.fill(pageAddress(page) + (i << bits), 0, size);
    else runAdd(run, <u64> (<u32> at) << (bits - 9), page.physical + (i << bits), size);
  }
  return 0;
}

function clearTail(inode: Inode, page: CachePage): void {
  const start = <u64> page.index << 12;
  if (inode.size >= start + 4096) return;
  const used = inode.size > start ? <u32> (inode.size - start) : 0;
  memory.fill(pageAddress(page) + used, 0, 4096 - used);
}

/** Adds the sectors of a device's page that are not valid to a run. */
function mapSectorsForRead(inode: Inode, page: CachePage, run: BlockRun): void {
  const device = changetype<BlockDevice>(inode.device);
  for (let i: u32 = 0; i < 8; i++) {
    if ((page.validSectors & (1 << i)) !== 0) continue;
    const sector = (<u64> page.index << 3) + <u64> i;
    if (sector >= device.sectors) memory.fill(pageAddress(page) + (i << 9), 0, 512);
    else runAdd(run, sector, page.physical + (i << 9), 512);
  }
}

/**
 * Reads page `index` (pinned and returned) and up to `ahead` pages behind it that are not cached, in
 * as few requests as their blocks allow. -errno on failure.
 */
function readCluster(inode: Inode, index: u32, ahead: u32): usize {
  const first = cacheCreate(inode, index);
  if (first === null) return <usize> -ENOMEM;
  pageLock(first);
  if ((first.flags & PAGE_VALID) !== 0) {
    pageUnlock(first);
    return changetype<usize>(first);
  }
  const readPage = inode.ops.readPage;
  if (readPage !== null) {
    const error = readPage(inode, first);
    if (error >= 0) first.flags |= PAGE_VALID;
    pageUnlock(first);
    if (error >= 0) return changetype<usize>(first);
    cachePut(first);
    return <usize> error;
  }
  const isDevice = (inode.flags & INODE_BLOCKS_CACHE) !== 0;
  const device = isDevice ? changetype<BlockDevice>(inode.device) : inode.superBlock.device!;
  const run = runNew(device, false);
  if (run === null) {
    pageUnlock(first);
    cachePut(first);
    return <usize> -ENOMEM;
  }
  let error: i32 = 0;
  let count: u32 = 0;
  // The pages are adjacent in the file, so they are found again by number.
  for (let i: u32 = 0; i <= ahead; i++) {
    if (i > 0) {
      if (cacheHas(inode, index + i)) break;
      const page = cacheCreate(inode, index + i);
      if (page === null) break;
      page.flags |= PAGE_LOCKED;
      count++;
      if (isDevice) mapSectorsForRead(inode, page, run);
      else error = mapPageForRead(inode, page, run);
    } else {
      count++;
      if (isDevice) mapSectorsForRead(inode, first, run);
      else error = mapPageForRead(inode, first, run);
    }
    if (error < 0) break;
  }
  const transferred = runEnd(run);
  if (error === 0) error = transferred;
  for (let i: u32 = 0; i < count; i++) {
    // Locked pages stay in the cache.
    const page = i === 0 ? first : cacheFind(inode, index + i)!;
    if (error >= 0) {
      if (isDevice) page.validSectors = 0xff;
      else clearTail(inode, page);
      page.flags = (page.flags & ~PAGE_ERROR) | PAGE_VALID;
    } else page.flags |= PAGE_ERROR;
    pageUnlock(page);
    if (i > 0) {
      cachePut(page);
      cachePut(page);
    }
  }
  if (error >= 0) return changetype<usize>(first);
  // The error may be of a page read ahead only.
  cachePut(first);
  if (count > 1) return readCluster(inode, index, 0);
  return <usize> error;
}

/**
 * Page `index` with valid contents, pinned, or -errno. Up to `ahead` pages behind it come with it
 * when it must be read.
 */
export function pageRead(inode: Inode, index: u32, ahead: u32): usize {
  while (true) {
    const page = cacheFind(inode, index);
    if (page === null) break;
    if ((page.flags & PAGE_VALID) !== 0) return changetype<usize>(page);
    if ((page.flags & PAGE_LOCKED) === 0) {
      cachePut(page);
      break;
    }
    pageWait(page);
    const gone = (page.flags & PAGE_GONE) !== 0;
    const error = (page.flags & PAGE_ERROR) !== 0;
    if (!gone && (page.flags & PAGE_VALID) !== 0) return changetype<usize>(page);
    cachePut(page);
    if (error) break;
  }
  const total = (inode.flags & INODE_BLOCKS_CACHE) !== 0
    ? <u32> ((changetype<BlockDevice>(inode.device).sectors + 7) >> 3)
    : filePages(inode);
  if (index >= total) ahead = 0;
  else if (ahead > total - 1 - index) ahead = total - 1 - index;
  const page = readCluster(inode, index, ahead);
  if (failed(page) && <i32> page !== -ENOMEM) return <usize> -EIO;
  return page;
}

/** Marks a page of a file as changed. */
export function pageDirty(page: CachePage): void {
  pageSetDirty(page);
  if ((page.inode.flags & INODE_MEMORY) === 0) inodeList(page.inode);
}

/** Adds what is to be written of a device's page to a run. */
function mapSectorsForWrite(page: CachePage, run: BlockRun): void {
  const dirty = page.dirtySectors;
  page.dirtySectors = 0;
  for (let i: u32 = 0; i < 8; i++) {
    if ((dirty & (1 << i)) === 0) continue;
    runAdd(run, (<u64> page.index << 3) + <u64> i, page.physical + (i << 9), 512);
  }
}

/** Block numbers of a page, into `blocks` (four words); allocates for holes that a map wrote into. */
function mapPageForWrite(inode: Inode, page: CachePage, blocks: usize): i32 {
  const bits = inode.superBlock.blockBits;
  const perPage: u32 = 4096 >> bits;
  const map = inode.ops.mapBlock!;
  const end = <u32> ((inode.size + <u64> (inode.superBlock.blockSize - 1)) >> bits);
  let error: i32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const block = page.index * perPage + i;
    let at: i32 = 0;
    if (i < perPage && block < end) {
      at = map(inode, block, false);
      if (at === 0) {
        lock(inode.lock);
        at = <u64> block << bits < inode.size ? map(inode, block, true) : 0;
        unlock(inode.lock);
      }
      if (at < 0) {
        error = at;
        at = 0;
      }
    }
    store<i32>(blocks + (i << 2), at);
  }
  return error;
}

/** Writes one page's part into a run. The page is pinned; it is unlocked after the run. */
function writeMapped(inode: Inode, page: CachePage, blocks: usize, run: BlockRun): void {
  const bits = inode.superBlock.blockBits;
  const size = inode.superBlock.blockSize;
  for (let i: u32 = 0; i < <u32> 4096 >> bits; i++) {
    const at = load<u32>(blocks + (i << 2));
    if (at !== 0) runAdd(run, <u64> at << (bits - 9), page.physical + (i << bits), size);
  }
}

const CLUSTER: u32 = 32;

/**
 * Writes the dirty page and its dirty neighbours behind it. `list` has room for CLUSTER pointers and
 * four words. 0 or -errno; what could not be written is lost and said at the next fsync.
 */
function writeCluster(inode: Inode, start: CachePage, list: usize): i32 {
  const isDevice = (inode.flags & INODE_BLOCKS_CACHE) !== 0;
  const device = isDevice ? changetype<BlockDevice>(inode.device) : inode.superBlock.device!;
  const run = runNew(device, true);
  if (run === null) return -ENOMEM;
  const blocks = list + CLUSTER * 4;
  let error: i32 = 0;
  let count: u32 = 0;
  let page: CachePage | null = start;
  start.users++;
  while (page !== null) {
    if ((page.flags & PAGE_DIRTY) === 0) {
      cachePut(page);
      break;
    }
    // Mapping may take the inode's lock; only then is the page locked, as truncation needs both.
    if (!isDevice) {
      const mapped = mapPageForWrite(inode, page, blocks);
      if (mapped < 0) error = mapped;
    }
    pageLock(page);
    if ((page.flags & (PAGE_DIRTY | PAGE_GONE)) !== PAGE_DIRTY) {
      pageUnlock(page);
      cachePut(page);
      break;
    }
    pageClearDirty(page);
    if (isDevice) mapSectorsForWrite(page, run);
    else {
      clearTail(inode, page);
      writeMapped(inode, page, blocks, run);
    }
    store<usize>(list + (count << 2), changetype<usize>(page));
    count++;
    if (count === CLUSTER) break;
    page = cacheFind(inode, page.index + 1);
  }
  const transferred = runEnd(run);
  if (transferred < 0) error = transferred;
  for (let i: u32 = 0; i < count; i++) {
    const done = changetype<CachePage>(load<usize>(list + (i << 2)));
    pageUnlock(done);
    cachePut(done);
  }
  return error;
}

/** Writes all dirty pages of a file or device: 0 or -errno, which the inode also remembers. */
export function pagesWrite(inode: Inode): i32 {
  if (inode.dirtyPages === 0) return 0;
  const list = kmalloc(CLUSTER * 4 + 16);
  if (list === 0) return -ENOMEM;
  let error: i32 = 0;
  let again = true;
  // A page that gets dirty behind our back belongs to the next call: each is visited once a round.
  let rounds: u32 = 0;
  while (again && inode.dirtyPages > 0 && rounds < 3) {
    again = false;
    rounds++;
    let left = inode.pageCount;
    let page = inode.pages;
    while (page !== null && left > 0 && inode.dirtyPages > 0) {
      left--;
      if ((page.flags & PAGE_DIRTY) === 0) {
        page = page.fileNext;
        continue;
      }
      page.users++;
      const result = writeCluster(inode, page, list);
      if (result < 0) error = result;
      const gone = (page.flags & PAGE_GONE) !== 0;
      const next: CachePage | null = page.fileNext;
      cachePut(page);
      if (gone) {
        again = true;
        break;
      }
      page = next;
    }
    if (error < 0) break;
  }
  kfree(list);
  if (error < 0) inode.ioError = error;
  return error;
}

/** Waits for writes of the file that others began. */
export function pagesWait(inode: Inode): void {
  let left = inode.pageCount;
  let page = inode.pages;
  while (page !== null && left > 0) {
    left--;
    if ((page.flags & PAGE_LOCKED) !== 0) {
      page.users++;
      pageWait(page);
      const gone = (page.flags & PAGE_GONE) !== 0;
      const next: CachePage | null = page.fileNext;
      cachePut(page);
      if (gone) return;
      page = next;
    } else page = page.fileNext;
  }
}
