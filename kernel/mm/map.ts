/**
 * Changing address spaces: map, unmap, protect, brk, copy for fork, free.
 *
 * @module
 */
import { EINVAL, ENOMEM } from "../abi/errno.ts";
import { kfree, kmalloc, kzalloc } from "./heap.ts";
import { PAGE_MASK, pageRef, pageUnref } from "./page.ts";
import {
  areaAt,
  areaAtOrAbove,
  areaCopy,
  areaFree,
  areaInsert,
  areaNew,
  areaRemove,
  Mm,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_DONTFORK,
  VM_GROWSDOWN,
  VM_HEAP,
  VM_MAYWRITE,
  VM_SHARED,
  VM_STACK,
  Vma,
} from "./space.ts";
import {
  directoryFree,
  directoryNew,
  entryOf,
  flushAll,
  flushPage,
  nextTable,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITE,
} from "../arch/i386/page_table.ts";

/** Lowest address that may be mapped. */
export const MAP_MIN: u32 = 0x10000;
/** Page of the system call entry, the last user page. */
export const VSYSCALL_BASE: u32 = 0xbffff000;
/** Where the stack begins, below the vsyscall page and a guard page. */
export const STACK_TOP: u32 = 0xbfffe000;
/** Where mmap looks for room, downwards. The stack may grow to here. */
export const MAP_TOP: u32 = 0xb7f00000;

/** A new address space with one user, null when memory is out. */
export function mmNew(): Mm | null {
  const mm = changetype<Mm | null>(kzalloc(offsetof<Mm>()));
  if (mm === null) return null;
  mm.directory = directoryNew();
  if (mm.directory === 0) {
    kfree(changetype<usize>(mm));
    return null;
  }
  mm.users = 1;
  return mm;
}

/** Drops a user; the last one frees everything. `releaseProgram` gives the program's file back. */
export function mmRelease(mm: Mm, releaseProgram: (file: usize) => void): void {
  if (--mm.users > 0) return;
  mmClear(mm);
  directoryFree(mm.directory);
  if (mm.program !== 0) releaseProgram(mm.program);
  kfree(mm.auxv);
  kfree(changetype<usize>(mm));
}

/** Unmaps everything. */
export function mmClear(mm: Mm): void {
  while (mm.areas !== null) {
    const area = mm.areas!;
    zapRange(mm, area, area.start, area.end);
    areaRemove(mm, area);
    areaFree(area);
  }
}

/** Drops the pages of a range that lies in one area. */
export function zapRange(mm: Mm, area: Vma, from: u32, to: u32): void {
  for (let at = from; at < to;) {
    const entry = entryOf(mm.directory, at, false);
    if (entry === 0) {
      at = nextTable(at);
      continue;
    }
    const value = load<u32>(entry);
    if ((value & PTE_PRESENT) !== 0) {
      store<u32>(entry, 0);
      const ops = area.ops;
      if (ops !== null && (area.flags & VM_SHARED) !== 0 && (value & PTE_DIRTY) !== 0) {
        ops.dirty(area, area.pageOffset + ((at - area.start) >> 12));
      }
      pageUnref(value & PAGE_MASK);
      mm.resident--;
      flushPage(mm.directory, at);
    } else if (value !== 0) {
      // A page of a PROT_NONE area: kept, only not present.
      store<u32>(entry, 0);
      pageUnref(value & PAGE_MASK);
      mm.resident--;
    }
    at += 4096;
  }
}

/** Cuts an area in two at `address`: the upper part, null when memory is out. */
function split(mm: Mm, area: Vma, address: u32): Vma | null {
  const upper = areaCopy(area);
  if (upper === null) return null;
  upper.pageOffset += (address - area.start) >> 12;
  upper.start = address;
  mm.totalPages -= (area.end - address) >> 12;
  area.end = address;
  areaInsert(mm, upper);
  return upper;
}

/** Makes `from` and `to` edges of areas: false when memory is out. */
function cut(mm: Mm, from: u32, to: u32): bool {
  let area = areaAt(mm, from);
  if (area !== null && area.start < from && split(mm, area, from) === null) return false;
  area = areaAt(mm, to);
  if (area !== null && area.start < to && split(mm, area, to) === null) return false;
  return true;
}

/** Unmaps a page-aligned range: 0 or -ENOMEM. */
export function unmapRange(mm: Mm, from: u32, to: u32): i32 {
  if (!cut(mm, from, to)) return -ENOMEM;
  let area = areaAtOrAbove(mm, from);
  while (area !== null && area.start < to) {
    const next = area.next;
    zapRange(mm, area, area.start, area.end);
    areaRemove(mm, area);
    areaFree(area);
    area = next;
  }
  return 0;
}

function sameBacking(lower: Vma, upper: Vma): bool {
  if (lower.end !== upper.start || lower.flags !== upper.flags) return false;
  return lower.ops === null && upper.ops === null;
}

/** Joins an area with its neighbours where they are alike (anonymous memory only). */
export function mergeAround(mm: Mm, area: Vma): void {
  const next = area.next;
  if (next !== null && sameBacking(area, next)) {
    const end = next.end;
    areaRemove(mm, next);
    mm.totalPages += (end - area.end) >> 12;
    area.end = end;
    kfree(changetype<usize>(next));
  }
  let before = mm.areas;
  while (before !== null && before.next !== area) before = before.next;
  if (before !== null && sameBacking(before, area)) {
    const end = area.end;
    areaRemove(mm, area);
    mm.totalPages += (end - before.end) >> 12;
    before.end = end;
    kfree(changetype<usize>(area));
  }
}

/** An address for `length` bytes that nothing uses, as high as possible below MAP_TOP: 0 for none. */
export function findRoom(mm: Mm, length: u32): u32 {
  let best: u32 = 0;
  let low: u32 = MAP_MIN;
  let area = mm.areas;
  while (true) {
    const high = area === null || area.start > MAP_TOP ? MAP_TOP : area.start;
    if (high > low && high - low >= length) {
      // Below the heap only when there is no other place.
      if (low >= mm.brk || best === 0) best = high - length;
    }
    if (area === null || area.start >= MAP_TOP) return best;
    low = area.end;
    area = area.next;
  }
}

/** True when no area overlaps [from, to). */
export function isFree(mm: Mm, from: u32, to: u32): bool {
  const area = areaAtOrAbove(mm, from);
  return area === null || area.start >= to;
}

/** Maps anonymous memory at a free page-aligned range: the area, null when memory is out. */
export function mapAnonymous(mm: Mm, from: u32, to: u32, flags: u32): Vma | null {
  const area = areaNew(from, to, flags | VM_MAYWRITE);
  if (area === null) return null;
  areaInsert(mm, area);
  return area;
}

/** Puts a page into an address space, with the caller's reference to it: false when memory is out. */
export function mapPage(mm: Mm, address: u32, physical: u32, bits: u32): bool {
  const entry = entryOf(mm.directory, address, true);
  if (entry === 0) return false;
  store<u32>(entry, (physical & PAGE_MASK) | bits | PTE_PRESENT | PTE_USER);
  mm.resident++;
  if (mm.resident > mm.residentPeak) mm.residentPeak = mm.resident;
  return true;
}

/** Changes the protection of a page-aligned range that is mapped throughout: 0 or -errno. */
export function protectRange(mm: Mm, from: u32, to: u32, protection: u32): i32 {
  if (!cut(mm, from, to)) return -ENOMEM;
  let area = areaAt(mm, from);
  while (area !== null && area.start < to) {
    area.flags = (area.flags & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) | protection;
    protectPages(mm, area);
    area = area.next;
  }
  area = areaAt(mm, from);
  if (area !== null) mergeAround(mm, area);
  area = areaAt(mm, to - 1);
  if (area !== null) mergeAround(mm, area);
  return 0;
}

function protectPages(mm: Mm, area: Vma): void {
  for (let at = area.start; at < area.end;) {
    const entry = entryOf(mm.directory, at, false);
    if (entry === 0) {
      at = nextTable(at);
      continue;
    }
    let value = load<u32>(entry);
    if (value !== 0) {
      // Write access comes back by a fault, which knows who else has the page.
      value &= ~PTE_WRITE;
      if ((area.flags & (PROT_READ | PROT_WRITE | PROT_EXEC)) === 0) value &= ~PTE_PRESENT;
      else value |= PTE_PRESENT;
      store<u32>(entry, value);
    }
    at += 4096;
  }
  flushAll(mm.directory);
}

/** Copies an address space for fork, pages shared until written: null when memory is out. */
export function mmCopy(from: Mm, shareProgram: (file: usize) => void): Mm | null {
  const mm = mmNew();
  if (mm === null) return null;
  mm.codeStart = from.codeStart;
  mm.codeEnd = from.codeEnd;
  mm.dataStart = from.dataStart;
  mm.dataEnd = from.dataEnd;
  mm.brkStart = from.brkStart;
  mm.brk = from.brk;
  mm.stackTop = from.stackTop;
  mm.argStart = from.argStart;
  mm.argEnd = from.argEnd;
  mm.envStart = from.envStart;
  mm.envEnd = from.envEnd;
  if (from.auxv !== 0) {
    mm.auxv = kmalloc(256);
    if (mm.auxv !== 0) memory.copy(mm.auxv, from.auxv, 256);
  }
  let last: Vma | null = null;
  for (let nextArea: Vma | null = from.areas; nextArea !== null;) {
    const area = nextArea;
    nextArea = area.next;
    if ((area.flags & VM_DONTFORK) !== 0) continue;
    const copy = areaCopy(area);
    if (copy === null) return copyFailed(mm, from);
    if (last === null) mm.areas = copy;
    else last.next = copy;
    last = copy;
    mm.areaCount++;
    mm.totalPages += (copy.end - copy.start) >> 12;
    if (!copyPages(mm, from, area)) return copyFailed(mm, from);
  }
  flushAll(from.directory);
  mm.residentPeak = mm.resident;
  mm.program = from.program;
  if (mm.program !== 0) shareProgram(mm.program);
  return mm;
}

function copyFailed(mm: Mm, from: Mm): Mm | null {
  flushAll(from.directory);
  mmRelease(mm, (_file: usize): void => {});
  return null;
}

function copyPages(mm: Mm, from: Mm, area: Vma): bool {
  const shared = (area.flags & VM_SHARED) !== 0;
  for (let at = area.start; at < area.end;) {
    const entry = entryOf(from.directory, at, false);
    if (entry === 0) {
      at = nextTable(at);
      continue;
    }
    let value = load<u32>(entry);
    if (value !== 0) {
      // Shared file pages come in again by faults; anonymous shared ones exist only here.
      if (shared) value &= ~PTE_DIRTY;
      else if ((value & PTE_WRITE) !== 0) {
        value &= ~PTE_WRITE;
        store<u32>(entry, value);
      }
      const target = entryOf(mm.directory, at, true);
      if (target === 0) return false;
      pageRef(value & PAGE_MASK);
      store<u32>(target, value);
      mm.resident++;
    }
    at += 4096;
  }
  return true;
}

/** brk(2): the new break, or the old one where the request cannot be met. `limit`: bytes of data. */
export function setBreak(mm: Mm, wanted: u32, limit: u64): u32 {
  if (wanted < mm.brkStart || wanted > STACK_TOP) return mm.brk;
  if (<u64> (wanted - mm.brkStart) > limit) return mm.brk;
  const oldEnd = (mm.brk + 4095) & PAGE_MASK;
  const newEnd = (wanted + 4095) & PAGE_MASK;
  if (newEnd < oldEnd) {
    if (unmapRange(mm, newEnd, oldEnd) < 0) return mm.brk;
  } else if (newEnd > oldEnd) {
    if (!isFree(mm, oldEnd, newEnd + 4096)) return mm.brk;
    const area = mapAnonymous(mm, oldEnd, newEnd, PROT_READ | PROT_WRITE | VM_HEAP);
    if (area === null) return mm.brk;
    mergeAround(mm, area);
  }
  mm.brk = wanted;
  return wanted;
}

/** Makes a stack area grow down to hold `address`: false where it may not. `limit`: bytes. */
export function growStack(mm: Mm, area: Vma, address: u32, limit: u64): bool {
  if ((area.flags & VM_GROWSDOWN) === 0) return false;
  const start = address & PAGE_MASK;
  if (<u64> (area.end - start) > limit || start < MAP_MIN) return false;
  // A page stays free below, so that running into other memory is noticed.
  const below = areaAtOrAbove(mm, start - 4096);
  if (below !== null && below !== area && below.start < area.start) return false;
  mm.totalPages += (area.start - start) >> 12;
  if (area.ops !== null) return false;
  area.start = start;
  return true;
}

/** Checks alignment and range of an address and a length for the calls below: 0 or -EINVAL. */
export function checkRange(address: u32, length: u32): i32 {
  if ((address & 4095) !== 0 || length > STACK_TOP || address > STACK_TOP - length) return -EINVAL;
  return 0;
}

/** The stack area of a new program, one page at first. */
export function mapStack(mm: Mm, top: u32): Vma | null {
  return mapAnonymous(
    mm,
    top - 4096,
    top,
    PROT_READ | PROT_WRITE | PROT_EXEC | VM_GROWSDOWN | VM_STACK,
  );
}
