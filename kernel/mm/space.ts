/**
 * Address spaces: page tables and the areas that say what belongs where.
 *
 * Areas are a list sorted by address. What backs an area is behind `VmOps`, so that mm/ knows no
 * files; an area without it is anonymous memory.
 *
 * @module
 */
import { kfree, kzalloc } from "./heap.ts";

export const PROT_READ: u32 = 1;
export const PROT_WRITE: u32 = 2;
export const PROT_EXEC: u32 = 4;

/* Flags of an area, above the PROT bits. */
export const VM_SHARED: u32 = 0x10;
export const VM_GROWSDOWN: u32 = 0x20;
export const VM_NORESERVE: u32 = 0x40;
/** PROT_WRITE may be given later (not set for shared maps of files not open for writing). */
export const VM_MAYWRITE: u32 = 0x80;
export const VM_LOCKED: u32 = 0x100;
export const VM_DONTFORK: u32 = 0x200;
/** Shown as [heap], [stack], [vsyscall] in maps. */
export const VM_HEAP: u32 = 0x1000;
export const VM_STACK: u32 = 0x2000;
export const VM_VSYSCALL: u32 = 0x4000;

/** Failures of `VmOps.page`, none of them a page address. */
export const PAGE_BEYOND: u32 = 0;
export const PAGE_NO_MEMORY: u32 = 1;
export const PAGE_IO_ERROR: u32 = 2;

/** What backs an area. Implemented by fs/ for files. */
/*@unmanaged*/
export class VmOps {
  /**
   * The physical page of page `index` of the object, with a reference for the caller, or one of the
   * PAGE_ failures. May sleep. `write`: a shared page that is about to be written.
   */
  page: (area: Vma, index: u32, write: bool) => u32;
  /** The area was copied (fork, split): take another reference to `object`. */
  open: (area: Vma) => void;
  /** The area goes away: drop the reference. */
  close: (area: Vma) => void;
  /** A writable shared page was written through this area; called when it is unmapped or synced. */
  dirty: (area: Vma, index: u32) => void;
}

/** An area [start, end) of user addresses. */
/*@unmanaged*/
export class Vma {
  next: Vma | null;
  start: u32;
  end: u32;
  /** PROT_ and VM_ bits. */
  flags: u32;
  ops: VmOps | null;
  /** What `ops` works on, e.g. a File. */
  object: usize;
  /** Page index in the object at `start`. */
  pageOffset: u32;
}

/** An address space. */
/*@unmanaged*/
export class Mm {
  users: u32;
  /** Physical address of the page directory. */
  directory: u32;
  areas: Vma | null;
  lastHit: Vma | null;
  areaCount: u32;
  codeStart: u32;
  codeEnd: u32;
  dataStart: u32;
  dataEnd: u32;
  brkStart: u32;
  brk: u32;
  stackTop: u32;
  argStart: u32;
  argEnd: u32;
  envStart: u32;
  envEnd: u32;
  /** Pages present. */
  resident: u32;
  residentPeak: u32;
  /** Pages of all areas. */
  totalPages: u32;
  /** The program (a File of fs/), 0 for none: /proc/PID/exe. */
  program: usize;
  /** The auxiliary vector, 2 × 32 words at most: /proc/PID/auxv. */
  auxv: usize;
}

/** The area that holds an address, or the first above it, or null. */
export function areaAtOrAbove(mm: Mm, address: u32): Vma | null {
  const hit = mm.lastHit;
  if (hit !== null && address >= hit.start && address < hit.end) return hit;
  let area = mm.areas;
  while (area !== null && area.end <= address) area = area.next;
  if (area !== null && address >= area.start) mm.lastHit = area;
  return area;
}

/** The area that holds an address, or null. */
export function areaAt(mm: Mm, address: u32): Vma | null {
  const area = areaAtOrAbove(mm, address);
  return area !== null && address >= area.start ? area : null;
}

/** A new area that is in no address space yet, null when memory is out. */
export function areaNew(start: u32, end: u32, flags: u32): Vma | null {
  const area = changetype<Vma | null>(kzalloc(offsetof<Vma>()));
  if (area !== null) {
    area.start = start;
    area.end = end;
    area.flags = flags;
  }
  return area;
}

/** A copy of an area with another reference to its object, null when memory is out. */
export function areaCopy(area: Vma): Vma | null {
  const copy = changetype<Vma | null>(kzalloc(offsetof<Vma>()));
  if (copy !== null) {
    memory.copy(changetype<usize>(copy), changetype<usize>(area), offsetof<Vma>());
    copy.next = null;
    if (copy.ops !== null) copy.ops!.open(copy);
  }
  return copy;
}

/** Frees an area that is in no address space. */
export function areaFree(area: Vma): void {
  if (area.ops !== null) area.ops!.close(area);
  kfree(changetype<usize>(area));
}

/** Puts an area into its place; it overlaps no other. */
export function areaInsert(mm: Mm, area: Vma): void {
  let before: Vma | null = null;
  let at = mm.areas;
  while (at !== null && at.start < area.start) {
    before = at;
    at = at.next;
  }
  area.next = at;
  if (before === null) mm.areas = area;
  else before.next = area;
  mm.areaCount++;
  mm.totalPages += (area.end - area.start) >> 12;
}

/** Takes an area out of the list; `areaFree` is the caller's. */
export function areaRemove(mm: Mm, area: Vma): void {
  let before: Vma | null = null;
  let at = mm.areas;
  while (at !== null && at !== area) {
    before = at;
    at = at.next;
  }
  if (at === null) return;
  if (before === null) mm.areas = area.next;
  else before.next = area.next;
  if (mm.lastHit === area) mm.lastHit = null;
  mm.areaCount--;
  mm.totalPages -= (area.end - area.start) >> 12;
}
