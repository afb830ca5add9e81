/**
 * The page cache: pages of files and devices by (inode, index), with the lists that reclaim needs.
 *
 * A page is pinned (`users`) while kernel code looks at it, LOCKED while I/O fills or writes it, and
 * may be given back when it is clean, not pinned and not mapped (one reference on the physical page).
 * Pages stand in one list from the longest unused to the newest; a look-up marks a page, and reclaim
 * gives marked pages a second chance (Corbató's clock).
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import {
  allocPage,
  allocPages,
  kzalloc,
  pageReferences,
  pagesTotal,
  pageUnref,
  physToVirt,
  reclaimRegister,
} from "../mm/mod.ts";
import { sleepOn, wakeAll } from "../sync/mod.ts";
import {
  CachePage,
  Inode,
  INODE_MEMORY,
  PAGE_DIRTY,
  PAGE_GONE,
  PAGE_LOCKED,
  PAGE_USED,
  queueAt,
} from "./types.ts";

/* Queues for those who wait for I/O on a page, by the page's address. */
const QUEUES: u32 = 16;
const queues = memory.data(128, 4);

let table: usize = 0;
let mask: u32 = 0;
let oldest: CachePage | null = null;
let newest: CachePage | null = null;
let spare: CachePage | null = null;
let pageCount: u32 = 0;
let dirtyCount: u32 = 0;
let memoryCount: u32 = 0;
let pressure: (() => void) | null = null;

/** Prepares the table; `wakeWriter` is called (it may not sleep) when memory is short. */
export function cacheInit(wakeWriter: () => void): void {
  let order: u32 = 0;
  while (order < 6 && (pagesTotal() >> 2) > (<u32> 1024 << order)) order++;
  const physical = allocPages(order);
  table = physToVirt(physical);
  mask = (1024 << order) - 1;
  memory.fill(table, 0, 4096 << order);
  pressure = wakeWriter;
  reclaimRegister(cacheReclaim);
}

/*@inline*/
function slot(inode: Inode, index: u32): usize {
  const a = <u32> changetype<usize>(inode);
  return table + ((((a >> 4) ^ (a >> 13)) + index) & mask) * 4;
}

/** Kernel address of a page's contents. */
/*@inline*/
export function pageAddress(page: CachePage): usize {
  return physToVirt(page.physical);
}

/** Pages in the cache (without those of tmpfs), dirty ones, those of tmpfs. */
export function cachePages(): u32 {
  return pageCount - memoryCount;
}
export function cacheDirtyPages(): u32 {
  return dirtyCount;
}
export function cacheMemoryPages(): u32 {
  return memoryCount;
}

/** The page, pinned, or null when it is not there. Its contents may not be valid. */
export function cacheFind(inode: Inode, index: u32): CachePage | null {
  let page = changetype<CachePage | null>(load<usize>(slot(inode, index)));
  while (page !== null && (page.inode !== inode || page.index !== index)) page = page.hashNext;
  if (page !== null) {
    page.users++;
    page.flags |= PAGE_USED;
  }
  return page;
}

/** True when the page is there, without pinning it. */
export function cacheHas(inode: Inode, index: u32): bool {
  let page = changetype<CachePage | null>(load<usize>(slot(inode, index)));
  while (page !== null && (page.inode !== inode || page.index !== index)) page = page.hashNext;
  return page !== null;
}

function lruAppend(page: CachePage): void {
  page.lruNext = null;
  page.lruPrevious = newest;
  if (newest !== null) newest!.lruNext = page;
  else oldest = page;
  newest = page;
}

function lruRemove(page: CachePage): void {
  if (page.lruPrevious !== null) page.lruPrevious!.lruNext = page.lruNext;
  else oldest = page.lruNext;
  if (page.lruNext !== null) page.lruNext!.lruPrevious = page.lruPrevious;
  else newest = page.lruPrevious;
}

/* A file's pages form a ring, so that the last is at hand and order of insertion is kept. */
function ringAppend(inode: Inode, page: CachePage): void {
  const first = inode.pages;
  if (first === null) {
    page.fileNext = page;
    page.filePrevious = page;
    inode.pages = page;
  } else {
    const last = first.filePrevious!;
    page.fileNext = first;
    page.filePrevious = last;
    last.fileNext = page;
    first.filePrevious = page;
  }
  inode.pageCount++;
}

function ringRemove(inode: Inode, page: CachePage): void {
  if (page.fileNext === page) inode.pages = null;
  else {
    page.filePrevious!.fileNext = page.fileNext;
    page.fileNext!.filePrevious = page.filePrevious;
    if (inode.pages === page) inode.pages = page.fileNext;
  }
  inode.pageCount--;
}

/** The page, pinned; a new one has no valid contents. Null when memory is out. Does not sleep. */
export function cacheCreate(inode: Inode, index: u32): CachePage | null {
  const found = cacheFind(inode, index);
  if (found !== null) return found;
  // Allocation may reclaim pages, so nothing is linked until it is done.
  const physical = allocPage();
  if (physical === 0) return null;
  let page = spare;
  if (page !== null) {
    spare = page.hashNext;
    memory.fill(changetype<usize>(page), 0, offsetof<CachePage>());
  } else {
    page = changetype<CachePage | null>(kzalloc(offsetof<CachePage>()));
    if (page === null) {
      pageUnref(physical);
      return null;
    }
  }
  const p = page!;
  p.inode = inode;
  p.index = index;
  p.physical = physical;
  p.users = 1;
  const at = slot(inode, index);
  p.hashNext = changetype<CachePage | null>(load<usize>(at));
  store<usize>(at, changetype<usize>(p));
  ringAppend(inode, p);
  lruAppend(p);
  pageCount++;
  if ((inode.flags & INODE_MEMORY) !== 0) memoryCount++;
  return p;
}

function release(page: CachePage): void {
  pageUnref(page.physical);
  page.hashNext = spare;
  spare = page;
}

/** Takes a page out of the cache; it is freed when its last user is done. */
function detach(page: CachePage): void {
  const inode = page.inode;
  const at = slot(inode, page.index);
  let p = changetype<CachePage | null>(load<usize>(at));
  if (p === page) store<usize>(at, changetype<usize>(page.hashNext));
  else {
    while (p !== null && p.hashNext !== page) p = p.hashNext;
    if (p !== null) p.hashNext = page.hashNext;
  }
  ringRemove(inode, page);
  lruRemove(page);
  pageCount--;
  if ((inode.flags & INODE_MEMORY) !== 0) memoryCount--;
  if ((page.flags & PAGE_DIRTY) !== 0) {
    dirtyCount--;
    inode.dirtyPages--;
  }
  page.flags = (page.flags & ~PAGE_DIRTY) | PAGE_GONE;
}

/** Ends the use of a page that `cacheFind` or `cacheCreate` gave. */
export function cachePut(page: CachePage): void {
  page.users--;
  if (page.users === 0 && (page.flags & PAGE_GONE) !== 0) release(page);
}

/** Marks contents as newer than the disk's. The caller puts the inode on the list of dirty ones. */
export function pageSetDirty(page: CachePage): void {
  if ((page.flags & (PAGE_DIRTY | PAGE_GONE)) !== 0) return;
  page.flags |= PAGE_DIRTY;
  if ((page.inode.flags & INODE_MEMORY) !== 0) return;
  page.inode.dirtyPages++;
  dirtyCount++;
}

/** Contents are about to be the disk's. */
export function pageClearDirty(page: CachePage): void {
  if ((page.flags & PAGE_DIRTY) === 0) return;
  page.flags &= ~PAGE_DIRTY;
  if ((page.inode.flags & INODE_MEMORY) !== 0) return;
  page.inode.dirtyPages--;
  dirtyCount--;
}

function queueOf(page: CachePage): usize {
  return queues + (((<u32> changetype<usize>(page)) >> 5) % QUEUES) * 8;
}

/** Waits until no I/O is under way. The page is pinned. */
export function pageWait(page: CachePage): void {
  const flags = irqSave();
  while ((page.flags & PAGE_LOCKED) !== 0) sleepOn(queueAt(queueOf(page)));
  irqRestore(flags);
}

/** Claims a page for I/O, waiting for I/O under way. */
export function pageLock(page: CachePage): void {
  pageWait(page);
  page.flags |= PAGE_LOCKED;
}

/** I/O is over. */
export function pageUnlock(page: CachePage): void {
  page.flags &= ~PAGE_LOCKED;
  wakeAll(queueAt(queueOf(page)));
}

/**
 * Drops the pages from `first` on, also dirty ones: the file is shorter, or gone. Waits for I/O on
 * them, so that no write comes after their blocks are free.
 */
export function cacheTruncate(inode: Inode, first: u32): void {
  let again = true;
  while (again) {
    again = false;
    let page = inode.pages;
    let left = inode.pageCount;
    while (page !== null && left > 0) {
      const next: CachePage | null = page.fileNext;
      left--;
      if (page.index >= first) {
        if ((page.flags & PAGE_LOCKED) !== 0) {
          page.users++;
          pageWait(page);
          cachePut(page);
          // The ring may have changed over the sleep.
          again = true;
          break;
        }
        detach(page);
        if (page.users === 0) release(page);
      }
      page = next;
    }
  }
}

/** Drops the clean, unused pages of an inode. */
export function cacheDropClean(inode: Inode): void {
  let page = inode.pages;
  let left = inode.pageCount;
  while (page !== null && left > 0) {
    const next: CachePage | null = page.fileNext;
    left--;
    if (reclaimable(page)) {
      detach(page);
      release(page);
    }
    page = next;
  }
}

function reclaimable(page: CachePage): bool {
  return page.users === 0 && (page.flags & (PAGE_DIRTY | PAGE_LOCKED)) === 0 &&
    (page.inode.flags & INODE_MEMORY) === 0 && pageReferences(page.physical) === 1;
}

/* Called by the page allocator, interrupts off: clean pages now, and the writer for the others. */
function cacheReclaim(pages: u32): u32 {
  let freed: u32 = 0;
  let looks = pageCount * 2;
  while (freed < pages && looks > 0 && oldest !== null) {
    looks--;
    const page = oldest!;
    if ((page.flags & PAGE_USED) === 0 && reclaimable(page)) {
      detach(page);
      release(page);
      freed++;
      continue;
    }
    page.flags &= ~PAGE_USED;
    lruRemove(page);
    lruAppend(page);
  }
  if (pressure !== null) pressure!();
  return freed;
}
