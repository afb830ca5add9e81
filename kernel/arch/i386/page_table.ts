/**
 * Page tables of processes (SDM vol. 3A §4.3): a directory whose upper quarter is the kernel's, tables
 * of 1024 entries below.
 *
 * @module
 */
import { allocPageZeroed, freePages, PAGE_MASK, physToVirt, virtToPhys } from "../../mm/page.ts";
import { boot_page_directory } from "./sym.ts";
import { loadedDirectory, useDirectory } from "./switch.ts";
import { invlpg, set_cr3 } from "./x86.ts";

export const PTE_PRESENT: u32 = 1;
export const PTE_WRITE: u32 = 2;
export const PTE_USER: u32 = 4;
export const PTE_ACCESSED: u32 = 0x20;
export const PTE_DIRTY: u32 = 0x40;
/** A page of a shared area; never copied on write. */
export const PTE_SHARED: u32 = 0x200;

const KERNEL_FIRST: u32 = 768;

/** A new directory with the kernel's mappings: physical address, 0 when memory is out. */
export function directoryNew(): u32 {
  const directory = allocPageZeroed();
  if (directory === 0) return 0;
  const offset = KERNEL_FIRST << 2;
  memory.copy(physToVirt(directory) + offset, boot_page_directory() + offset, 4096 - offset);
  return directory;
}

/** The kernel's own directory. */
export function kernelDirectory(): u32 {
  return virtToPhys(boot_page_directory());
}

/** Takes the identity mapping of boot away. */
export function unmapLow(): void {
  store<u32>(boot_page_directory(), 0);
  useDirectory(kernelDirectory());
}

/** Frees a directory and its tables; the pages in them are gone already. */
export function directoryFree(directory: u32): void {
  if (loadedDirectory() === directory) useDirectory(kernelDirectory());
  const at = physToVirt(directory);
  for (let i: u32 = 0; i < KERNEL_FIRST; i++) {
    const entry = load<u32>(at + (i << 2));
    if (entry !== 0) freePages(entry & PAGE_MASK, 0);
  }
  freePages(directory, 0);
}

/**
 * Kernel address of the page table entry of a user address; 0 when there is no table and `create` is
 * false or memory is out.
 */
export function entryOf(directory: u32, address: u32, create: bool): usize {
  const slot = physToVirt(directory) + ((address >> 22) << 2);
  let table = load<u32>(slot);
  if (table === 0) {
    if (!create) return 0;
    const page = allocPageZeroed();
    if (page === 0) return 0;
    table = page | PTE_PRESENT | PTE_WRITE | PTE_USER;
    store<u32>(slot, table);
  }
  return physToVirt(table & PAGE_MASK) + (((address >> 12) & 1023) << 2);
}

/** First address behind the 4 MiB that a missing table covers; for loops over a range. */
export function nextTable(address: u32): u32 {
  return (address & 0xffc00000) + 0x400000;
}

/** Forgets the cached translation of a page in the current address space. */
export function flushPage(directory: u32, address: u32): void {
  if (loadedDirectory() === directory) invlpg(address);
}

/** Forgets all cached translations, if the directory is the current one. */
export function flushAll(directory: u32): void {
  if (loadedDirectory() === directory) set_cr3(directory);
}
