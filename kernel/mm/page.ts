/**
 * Physical pages: a buddy allocator with reference counts.
 *
 * Every page frame below the end of RAM has a record. Free blocks of 2^order pages hang in doubly
 * linked lists by order; a block is split for a smaller request and merged with its buddy (the block
 * whose number differs in bit `order`) when both are free.
 *
 * Sources: Knowlton, "A Fast Storage Allocator" (1965); Knuth, TAOCP vol. 1 §2.5.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { panic } from "../lib/panic.ts";
import { printk } from "../lib/printk.ts";

export const PAGE_SIZE: u32 = 4096;
export const PAGE_SHIFT: u32 = 12;
export const PAGE_MASK: u32 = 0xfffff000;
/** Where physical memory is mapped. */
export const DIRECT_MAP: usize = 0xc0000000;
/** Physical memory above this is not used: it has no place in the direct map. */
export const DIRECT_MAP_LIMIT: u32 = 0x38000000;
/** Largest block is 2^MAX_ORDER pages: 4 MiB. */
export const MAX_ORDER: u32 = 10;

/* What a frame is, in `kind`. */
export const FRAME_RESERVED: u8 = 0;
/** First page of a free block; `order` tells its size. */
export const FRAME_FREE: u8 = 1;
/** In use. */
export const FRAME_USED: u8 = 2;
/** Holds small blocks of the heap. */
export const FRAME_SLAB: u8 = 3;
/** First page of a large block of the heap. */
export const FRAME_LARGE: u8 = 4;
/** Inside a free block. */
export const FRAME_INNER: u8 = 5;

/** The record of a page frame. */
/*@unmanaged*/
export class Frame {
  references: u32;
  kind: u8;
  order: u8;
  /** Size class, for slabs. */
  sizeClass: u8;
  next: Frame | null;
  previous: Frame | null;
  /* For the heap. */
  freeList: usize;
  used: u32;
}

const FRAME_BYTES: u32 = 32;

let frames: usize = 0;
let frameCount: u32 = 0;
let freeCount: u32 = 0;
let totalCount: u32 = 0;
/* Heads of the free lists by order. */
const heads = memory.data(44, 4);
let reclaimers: usize = 0;
const reclaimTable = memory.data(16, 4);

/*@inline*/
function frameAt(index: u32): Frame {
  return changetype<Frame>(frames + index * FRAME_BYTES);
}

/*@inline*/
function indexOf(frame: Frame): u32 {
  return <u32> (changetype<usize>(frame) - frames) / FRAME_BYTES;
}

/** The record of the frame at a physical address. */
export function frameOf(physical: u32): Frame {
  return frameAt(physical >> PAGE_SHIFT);
}

/** Kernel address of a physical one below DIRECT_MAP_LIMIT. */
/*@inline*/
export function physToVirt(physical: u32): usize {
  return <usize> physical + DIRECT_MAP;
}

/** Physical address of one in the direct map (kernel image, heap, pages). */
/*@inline*/
export function virtToPhys(address: usize): u32 {
  return <u32> (address - DIRECT_MAP);
}

/** Pages that are free, and pages there are. */
export function pagesFree(): u32 {
  return freeCount;
}
export function pagesTotal(): u32 {
  return totalCount;
}

/** Puts the records at `address` for memory up to `end`; all of it is reserved until `pagesAdd`. */
export function pagesInit(address: usize, end: u32): u32 {
  frames = address;
  frameCount = end >> PAGE_SHIFT;
  memory.fill(address, 0, frameCount * FRAME_BYTES);
  memory.fill(heads, 0, 44);
  freeCount = 0;
  totalCount = 0;
  return frameCount * FRAME_BYTES;
}

/** Gives the whole pages of a physical range to the allocator. */
export function pagesAdd(from: u32, to: u32): void {
  const last = min(to >> PAGE_SHIFT, frameCount);
  let i = (from + PAGE_SIZE - 1) >> PAGE_SHIFT;
  while (i < last) {
    // The largest aligned block of pages that the allocator does not have yet: page by page, this was
    // half of the boot.
    const aligned: u32 = i === 0 ? MAX_ORDER : min<u32>(ctz(i), MAX_ORDER);
    const most = min(<u32> 1 << aligned, last - i);
    let count: u32 = 0;
    while (count < most && frameAt(i + count).kind === FRAME_RESERVED) count++;
    if (count === 0) {
      i++;
      continue;
    }
    const order: u32 = 31 - clz(count);
    const block: u32 = 1 << order;
    for (let page: u32 = 0; page < block; page++) frameAt(i + page).kind = FRAME_INNER;
    totalCount += block;
    freeBlock(i, order);
    i += block;
  }
}

/*@inline*/
function head(order: u32): Frame | null {
  return changetype<Frame | null>(load<usize>(heads + (order << 2)));
}

/*@inline*/
function setHead(order: u32, frame: Frame | null): void {
  store<usize>(heads + (order << 2), changetype<usize>(frame));
}

function link(index: u32, order: u32): void {
  const frame = frameAt(index);
  const first = head(order);
  frame.kind = FRAME_FREE;
  frame.order = <u8> order;
  frame.previous = null;
  frame.next = first;
  if (first !== null) first.previous = frame;
  setHead(order, frame);
}

function unlink(frame: Frame): void {
  if (frame.previous !== null) frame.previous!.next = frame.next;
  else setHead(frame.order, frame.next);
  if (frame.next !== null) frame.next!.previous = frame.previous;
}

function freeBlock(index: u32, order: u32): void {
  freeCount += 1 << order;
  while (order < MAX_ORDER) {
    const buddy = index ^ (1 << order);
    if (buddy + (1 << order) > frameCount) break;
    const other = frameAt(buddy);
    if (other.kind !== FRAME_FREE || <u32> other.order !== order) break;
    unlink(other);
    other.kind = FRAME_INNER;
    frameAt(index).kind = FRAME_INNER;
    index &= ~(1 << order);
    order++;
  }
  link(index, order);
}

function takeBlock(order: u32): u32 {
  let from = order;
  while (from <= MAX_ORDER && head(from) === null) from++;
  if (from > MAX_ORDER) return 0;
  const frame = head(from)!;
  unlink(frame);
  const index = indexOf(frame);
  while (from > order) {
    from--;
    link(index + (1 << from), from);
  }
  for (let i: u32 = 0; i < <u32> 1 << order; i++) {
    const page = frameAt(index + i);
    page.kind = FRAME_USED;
    page.references = 1;
  }
  frame.order = <u8> order;
  freeCount -= 1 << order;
  return index << PAGE_SHIFT;
}

/**
 * Adds a function that gives pages back when memory is short: it frees up to about `pages` and
 * returns how many; it may not sleep. For caches.
 */
export function reclaimRegister(reclaim: (pages: u32) => u32): void {
  if (reclaimers < 4) store<usize>(reclaimTable + (reclaimers++ << 2), changetype<usize>(reclaim));
}

function reclaim(pages: u32): u32 {
  let freed: u32 = 0;
  for (let i: usize = 0; i < reclaimers; i++) {
    const call = changetype<(pages: u32) => u32>(load<usize>(reclaimTable + (i << 2)));
    freed += call(pages);
  }
  return freed;
}

/** 2^order adjacent pages, each with one reference: physical address, 0 when there are none. */
export function allocPages(order: u32): u32 {
  const flags = irqSave();
  let physical = takeBlock(order);
  // Single pages come back in any order: for a larger block it may take many.
  for (let tries = 0; physical === 0 && tries < 64; tries++) {
    if (reclaim(32 + (1 << order)) === 0) break;
    physical = takeBlock(order);
  }
  irqRestore(flags);
  return physical;
}

/** A page with one reference and any contents: physical address, 0 when memory is out. */
export function allocPage(): u32 {
  return allocPages(0);
}

/** A page of zeros, else as `allocPage`. */
export function allocPageZeroed(): u32 {
  const physical = allocPages(0);
  if (physical !== 0) memory.fill(physToVirt(physical), 0, PAGE_SIZE);
  return physical;
}

/** Frees what `allocPages` gave. */
export function freePages(physical: u32, order: u32): void {
  const flags = irqSave();
  const index = physical >> PAGE_SHIFT;
  const frame = frameAt(index);
  if (
    index >= frameCount || (physical & 0xfff) !== 0 || frame.kind === FRAME_FREE ||
    frame.kind === FRAME_RESERVED || frame.kind === FRAME_INNER
  ) {
    printk(c`freePages(%p, %u): kind %u\n`, physical, order, frame.kind);
    panic(c`page freed that is not in use`);
  }
  for (let i: u32 = 0; i < <u32> 1 << order; i++) frameAt(index + i).references = 0;
  freeBlock(index, order);
  irqRestore(flags);
}

/** One more user of a page. Pages outside RAM are not counted. */
export function pageRef(physical: u32): void {
  if (physical >> PAGE_SHIFT >= frameCount) return;
  frameOf(physical).references++;
}

/** One user less; the last one frees it. */
export function pageUnref(physical: u32): void {
  if (physical >> PAGE_SHIFT >= frameCount) return;
  const frame = frameOf(physical);
  if (frame.kind === FRAME_RESERVED) return;
  if (frame.references === 0) {
    printk(c`page %p\n`, physical);
    panic(c`page released more often than taken`);
  }
  if (frame.references === 1) freePages(physical & PAGE_MASK, 0);
  else frame.references--;
}

/** Users of a page. */
export function pageReferences(physical: u32): u32 {
  return physical >> PAGE_SHIFT >= frameCount ? 1 : frameOf(physical).references;
}
