/**
 * Page faults: pages come in on demand, and are copied when somebody writes to a shared one.
 *
 * @module
 */
import { entryOf, flushPage, PTE_PRESENT, PTE_WRITE } from "../arch/i386/page_table.ts";
import { growStack, mapPage } from "./map.ts";
import {
  allocPage,
  allocPageZeroed,
  PAGE_MASK,
  pageRef,
  pageReferences,
  pageUnref,
  physToVirt,
} from "./page.ts";
import {
  areaAtOrAbove,
  Mm,
  PAGE_BEYOND,
  PAGE_IO_ERROR,
  PAGE_NO_MEMORY,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_SHARED,
  Vma,
} from "./space.ts";

/* What `handleFault` says. */
export const FAULT_DONE: u32 = 0;
/** Done, and it read from a device. */
export const FAULT_MAJOR: u32 = 1;
/** Nothing is mapped there. */
export const FAULT_NO_MAP: u32 = 2;
/** The area does not allow it. */
export const FAULT_ACCESS: u32 = 3;
/** Behind the end of the file, or it could not be read. */
export const FAULT_BUS: u32 = 4;
export const FAULT_NO_MEMORY: u32 = 5;

/* The zero page, mapped read-only until written. */
let zeroPage: u32 = 0;

function zero(): u32 {
  if (zeroPage === 0) zeroPage = allocPageZeroed();
  pageRef(zeroPage);
  return zeroPage;
}

function failure(page: u32): u32 {
  if (page === PAGE_NO_MEMORY) return FAULT_NO_MEMORY;
  return page === PAGE_BEYOND || page === PAGE_IO_ERROR ? FAULT_BUS : FAULT_NO_MEMORY;
}

/**
 * Brings in the page of a user address. `stackLimit` in bytes. One of the FAULT_ values; may sleep.
 */
export function handleFault(mm: Mm, address: u32, write: bool, stackLimit: u64): u32 {
  const area = areaAtOrAbove(mm, address);
  if (area === null) return FAULT_NO_MAP;
  if (address < area.start && !growStack(mm, area, address, stackLimit)) return FAULT_NO_MAP;
  const flags = area.flags;
  if (write ? (flags & PROT_WRITE) === 0 : (flags & (PROT_READ | PROT_WRITE | PROT_EXEC)) === 0) {
    return FAULT_ACCESS;
  }
  const page = address & PAGE_MASK;
  const entry = entryOf(mm.directory, page, true);
  if (entry === 0) return FAULT_NO_MEMORY;
  const value = load<u32>(entry);
  if ((value & PTE_PRESENT) !== 0) {
    if (!write || (value & PTE_WRITE) !== 0) {
      // Somebody else brought it in while we slept, or the TLB was old.
      flushPage(mm.directory, page);
      return FAULT_DONE;
    }
    return writeFault(mm, area, page, entry);
  }
  return absent(mm, area, page, write);
}

function absent(mm: Mm, area: Vma, page: u32, write: bool): u32 {
  const ops = area.ops;
  const shared = (area.flags & VM_SHARED) !== 0;
  if (ops === null) {
    const physical = write || shared ? allocPageZeroed() : zero();
    if (physical === 0) return FAULT_NO_MEMORY;
    return finish(mm, page, physical, write || (shared && (area.flags & PROT_WRITE) !== 0));
  }
  const index = area.pageOffset + ((page - area.start) >> 12);
  const physical = ops.page(area, index, write && shared);
  if (physical < 4096) return failure(physical);
  // It may have slept: others may have brought the page in, or changed the areas.
  const again = entryOf(mm.directory, page, true);
  if (again === 0) {
    pageUnref(physical);
    return FAULT_NO_MEMORY;
  }
  if (load<u32>(again) !== 0 || mm.lastHit !== area && areaAtOrAbove(mm, page) !== area) {
    pageUnref(physical);
    return FAULT_DONE;
  }
  if (write && !shared) {
    const copy = allocPage();
    if (copy === 0) {
      pageUnref(physical);
      return FAULT_NO_MEMORY;
    }
    memory.copy(physToVirt(copy), physToVirt(physical), 4096);
    pageUnref(physical);
    return finish(mm, page, copy, true);
  }
  return finish(mm, page, physical, write);
}

function finish(mm: Mm, page: u32, physical: u32, writable: bool): u32 {
  if (!mapPage(mm, page, physical, writable ? PTE_WRITE : 0)) {
    pageUnref(physical);
    return FAULT_NO_MEMORY;
  }
  return FAULT_DONE;
}

/** A write to a page that is there but not writable. */
function writeFault(mm: Mm, area: Vma, page: u32, entry: usize): u32 {
  const value = load<u32>(entry);
  const physical = value & PAGE_MASK;
  if ((area.flags & VM_SHARED) !== 0) {
    const ops = area.ops;
    if (ops !== null) {
      const index = area.pageOffset + ((page - area.start) >> 12);
      const again = ops.page(area, index, true);
      if (again < 4096) return failure(again);
      pageUnref(again);
      if (again !== physical || load<u32>(entry) !== value) return FAULT_DONE;
    }
    store<u32>(entry, value | PTE_WRITE);
    flushPage(mm.directory, page);
    return FAULT_DONE;
  }
  // One reference is ours; a page of a file's cache has the cache's, too.
  if (pageReferences(physical) === 1 && physical !== zeroPage) {
    store<u32>(entry, value | PTE_WRITE);
    flushPage(mm.directory, page);
    return FAULT_DONE;
  }
  const copy = allocPage();
  if (copy === 0) return FAULT_NO_MEMORY;
  memory.copy(physToVirt(copy), physToVirt(physical), 4096);
  store<u32>(entry, (value & 0xfff) | copy | PTE_WRITE);
  flushPage(mm.directory, page);
  pageUnref(physical);
  return FAULT_DONE;
}
