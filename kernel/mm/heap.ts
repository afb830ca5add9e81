/**
 * The kernel heap: slabs of one page for small sizes, whole pages for large ones.
 *
 * A slab page holds blocks of one size class; free blocks are chained through their first word and
 * marked in their second, so that freeing one twice is found. The page's frame record has the chain
 * and the count.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { panic } from "../lib/panic.ts";
import { printk } from "../lib/printk.ts";
import {
  allocPages,
  Frame,
  FRAME_LARGE,
  FRAME_SLAB,
  frameOf,
  freePages,
  PAGE_SHIFT,
  PAGE_SIZE,
  physToVirt,
  virtToPhys,
} from "./page.ts";

const CLASSES: u32 = 14;
const LARGEST: u32 = 2032;
/** A free block's second word, xor its address. */
const FREE_MARK: u32 = 0xf4eef4ee;

/* Block sizes; a page holds 4096 / size of them. */
// deno-fmt-ignore
const SIZES: usize = memory.data<u16>([16, 32, 48, 64, 96, 128, 192, 256, 336, 448, 576, 800, 1360, 2032]);
/* Class by (size + 15) / 16. */
const classBySize = memory.data(128, 4);
/* Slabs with free blocks, by class. */
const partial = memory.data(56, 4);
let ready = false;
let inUse: u32 = 0;

function sizeOf(sizeClass: u32): u32 {
  return load<u16>(SIZES + (sizeClass << 1));
}

function prepare(): void {
  let sizeClass: u32 = 0;
  for (let i: u32 = 0; i < 128; i++) {
    while (i << 4 > sizeOf(sizeClass) && sizeClass < CLASSES - 1) sizeClass++;
    store<u8>(classBySize + i, <u8> sizeClass);
  }
  ready = true;
}

function slabs(sizeClass: u32): Frame | null {
  return changetype<Frame | null>(load<usize>(partial + (sizeClass << 2)));
}

function slabPush(sizeClass: u32, frame: Frame): void {
  const first = slabs(sizeClass);
  frame.next = first;
  frame.previous = null;
  if (first !== null) first.previous = frame;
  store<usize>(partial + (sizeClass << 2), changetype<usize>(frame));
}

function slabRemove(sizeClass: u32, frame: Frame): void {
  if (frame.previous !== null) frame.previous!.next = frame.next;
  else store<usize>(partial + (sizeClass << 2), changetype<usize>(frame.next));
  if (frame.next !== null) frame.next!.previous = frame.previous;
}

function slabNew(sizeClass: u32): Frame | null {
  const physical = allocPages(0);
  if (physical === 0) return null;
  const frame = frameOf(physical);
  const size = sizeOf(sizeClass);
  const base = physToVirt(physical);
  let list: usize = 0;
  for (let at: u32 = PAGE_SIZE / size * size; at >= size; at -= size) {
    const block = base + at - size;
    store<usize>(block, list);
    store<u32>(block, <u32> block ^ FREE_MARK, 4);
    list = block;
  }
  frame.kind = FRAME_SLAB;
  frame.sizeClass = <u8> sizeClass;
  frame.freeList = list;
  frame.used = 0;
  slabPush(sizeClass, frame);
  return frame;
}

function largeOrder(size: u32): u32 {
  let order: u32 = 0;
  while (PAGE_SIZE << order < size) order++;
  return order;
}

/**
 * A block of at least `size` bytes, at a multiple of 16 (of 4096 when larger than 2032): its
 * address, 0 when memory is out. Never sleeps.
 */
export function kmalloc(size: u32): usize {
  if (size > LARGEST) {
    if (size > 0x400000) return 0;
    const order = largeOrder(size);
    const physical = allocPages(order);
    if (physical === 0) return 0;
    const frame = frameOf(physical);
    frame.kind = FRAME_LARGE;
    frame.order = <u8> order;
    inUse += PAGE_SIZE << order;
    return physToVirt(physical);
  }
  const flags = irqSave();
  if (!ready) prepare();
  const sizeClass: u32 = load<u8>(classBySize + ((size + 15) >> 4));
  let frame = slabs(sizeClass);
  if (frame === null) frame = slabNew(sizeClass);
  if (frame === null) {
    irqRestore(flags);
    return 0;
  }
  const block = frame.freeList;
  frame.freeList = load<usize>(block);
  store<u32>(block, 0, 4);
  frame.used++;
  inUse += sizeOf(sizeClass);
  if (frame.freeList === 0) slabRemove(sizeClass, frame);
  irqRestore(flags);
  return block;
}

/** As `kmalloc`, cleared. */
export function kzalloc(size: u32): usize {
  const block = kmalloc(size);
  if (block !== 0) memory.fill(block, 0, size);
  return block;
}

/** Frees a block; 0 is allowed. A wrong address is a panic. */
export function kfree(block: usize): void {
  if (block === 0) return;
  const flags = irqSave();
  const physical = virtToPhys(block);
  const frame = frameOf(physical);
  if (frame.kind === FRAME_LARGE) {
    if ((block & (PAGE_SIZE - 1)) !== 0) bad(block);
    inUse -= PAGE_SIZE << frame.order;
    freePages(physical, frame.order);
    irqRestore(flags);
    return;
  }
  if (frame.kind !== FRAME_SLAB) bad(block);
  const sizeClass: u32 = frame.sizeClass;
  const size = sizeOf(sizeClass);
  if ((physical & (PAGE_SIZE - 1)) % size !== 0) bad(block);
  if (load<u32>(block, 4) === (<u32> block ^ FREE_MARK)) {
    for (let at = frame.freeList; at !== 0; at = load<usize>(at)) if (at === block) bad(block);
  }
  if (frame.freeList === 0) slabPush(sizeClass, frame);
  store<usize>(block, frame.freeList);
  store<u32>(block, <u32> block ^ FREE_MARK, 4);
  frame.freeList = block;
  frame.used--;
  inUse -= size;
  // An empty slab goes back, unless it is the only one of its class.
  if (frame.used === 0 && (frame.next !== null || frame.previous !== null)) {
    slabRemove(sizeClass, frame);
    freePages(physical >> PAGE_SHIFT << PAGE_SHIFT, 0);
  }
  irqRestore(flags);
}

function bad(block: usize): void {
  printk(c`kfree(%p)\n`, <u32> block);
  panic(c`block freed that is not in use`);
}

/** Bytes of the heap in use. */
export function heapInUse(): u32 {
  return inUse;
}

/** A copy of a NUL-terminated string on the heap, 0 when memory is out. */
export function kstrdup(s: usize): usize {
  let n: u32 = 0;
  while (load<u8>(s + n) !== 0) n++;
  const copy = kmalloc(n + 1);
  if (copy !== 0) memory.copy(copy, s, n + 1);
  return copy;
}
