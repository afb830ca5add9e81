/**
 * Paging: two-level page tables of 4 KiB and 4 MiB pages, the walk, and its faults.
 *
 * Rules: the walk checks everything before it sets A and D in the leaf; A of the directory entry is set when the
 * entry is used, also when the table entry then faults. Reserved bits are checked with CR4.PSE only, for
 * 4 MiB pages (there is no PSE-36: bits 21:13 are reserved). Sources: SDM vol. 3A §4.3, §4.6–4.8, §6.15 (#PF).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { PhysicalMemory } from "./physical.ts";

/** Bits of a page-directory or page-table entry. */
export const ENTRY = {
  PRESENT: 0x1,
  WRITABLE: 0x2,
  USER: 0x4,
  ACCESSED: 0x20,
  DIRTY: 0x40,
  PAGE_SIZE: 0x80,
  GLOBAL: 0x100,
} as const;

/** Bits of a page fault's error code. */
export const PAGE_FAULT = { PRESENT: 1, WRITE: 2, USER: 4, RESERVED: 8 } as const;

export const CR0_WP = 0x10000;
export const CR0_PG: number = 0x80000000 | 0;
export const CR4_PSE = 0x10;
export const CR4_PGE = 0x80;

const LARGE_RESERVED = 0x3fe000;

/** The result of a walk; one object is refilled. */
export interface Translation {
  /** Physical address of the page's first byte (4 KiB pages, also inside a large page). */
  page: number;
  /** What the page allows; WRITABLE as the entries say it, without regard to CR0.WP. */
  user: boolean;
  writable: boolean;
  /** D is set in memory, so writes need no walk. */
  dirty: boolean;
  global: boolean;
  /** Part of a 4 MiB page. */
  large: boolean;
}

/** Walks the page tables in physical memory. */
export class PageWalker {
  readonly #core: Core;
  readonly #physical: PhysicalMemory;
  /** Result of the last walk. */
  readonly result: Translation = {
    page: 0,
    user: true,
    writable: true,
    dirty: true,
    global: false,
    large: false,
  };

  /** All ones, or without bit 20 while the gate of A20 is shut. The TLB holds what is left. */
  addressMask = -1;

  constructor(core: Core, physical: PhysicalMemory) {
    this.#core = core;
    this.#physical = physical;
  }

  /** Translates for an access and sets A and D; throws #PF. Fills `result`. */
  walk(linear: number, write: boolean, user: boolean): void {
    const { result } = this;
    const { i32 } = this.#core;
    const cr0 = i32[L.CR0 >> 2] as number;
    if (cr0 >= 0) {
      result.page = linear & ~0xfff & this.addressMask;
      result.user = result.writable = result.dirty = true;
      result.global = result.large = false;
      return;
    }
    const cr4 = i32[L.CR4 >> 2] as number;
    const physical = this.#physical;
    const code = (write ? PAGE_FAULT.WRITE : 0) | (user ? PAGE_FAULT.USER : 0);
    const directoryAt =
      ((((i32[L.CR3 >> 2] as number) & ~0xfff) | ((linear >>> 20) & 0xffc)) & this.addressMask) >>>
      0;
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) this.#core.raisePageFault(linear, code);
    const large = (directory & ENTRY.PAGE_SIZE) !== 0 && (cr4 & CR4_PSE) !== 0;
    let leafAt = directoryAt;
    let leaf = directory;
    let rights = directory;
    if (large) {
      if (directory & LARGE_RESERVED) {
        this.#core.raisePageFault(linear, code | PAGE_FAULT.RESERVED | PAGE_FAULT.PRESENT);
      }
    } else {
      if ((directory & ENTRY.ACCESSED) === 0) {
        physical.write32(directoryAt, directory | ENTRY.ACCESSED);
      }
      leafAt = (((directory & ~0xfff) | ((linear >>> 10) & 0xffc)) & this.addressMask) >>> 0;
      leaf = physical.read32(leafAt);
      if ((leaf & ENTRY.PRESENT) === 0) this.#core.raisePageFault(linear, code);
      rights &= leaf;
    }
    const pageUser = (rights & ENTRY.USER) !== 0;
    const pageWritable = (rights & ENTRY.WRITABLE) !== 0;
    const allowed = user
      ? pageUser && (!write || pageWritable)
      : !write || pageWritable || (cr0 & CR0_WP) === 0;
    if (!allowed) this.#core.raisePageFault(linear, code | PAGE_FAULT.PRESENT);
    const marked = leaf | ENTRY.ACCESSED | (write ? ENTRY.DIRTY : 0);
    if (marked !== leaf) physical.write32(leafAt, marked);
    result.page = this.addressMask &
      (large ? (leaf & 0xffc00000) | (linear & 0x3ff000) : leaf & 0xfffff000);
    result.user = pageUser;
    result.writable = pageWritable;
    result.dirty = (marked & ENTRY.DIRTY) !== 0;
    result.large = large;
    result.global = (leaf & ENTRY.GLOBAL) !== 0 && (cr4 & CR4_PGE) !== 0;
  }

  /** Physical address, or −1 when the page is not there; touches nothing and checks no rights. */
  look(linear: number): number {
    const { i32 } = this.#core;
    if ((i32[L.CR0 >> 2] as number) >= 0) return (linear & this.addressMask) >>> 0;
    const physical = this.#physical;
    const directoryAt =
      ((((i32[L.CR3 >> 2] as number) & ~0xfff) | ((linear >>> 20) & 0xffc)) & this.addressMask) >>>
      0;
    // Page tables outside RAM would be read over the bus, which may have side effects.
    if (physical.readable(directoryAt) === 0) return -1;
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) return -1;
    if ((directory & ENTRY.PAGE_SIZE) !== 0 && ((i32[L.CR4 >> 2] as number) & CR4_PSE) !== 0) {
      return (((directory & 0xffc00000) | (linear & 0x3fffff)) & this.addressMask) >>> 0;
    }
    const leafAt = (((directory & ~0xfff) | ((linear >>> 10) & 0xffc)) & this.addressMask) >>> 0;
    if (physical.readable(leafAt) === 0) return -1;
    const leaf = physical.read32(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) return -1;
    return (((leaf & 0xfffff000) | (linear & 0xfff)) & this.addressMask) >>> 0;
  }
}
