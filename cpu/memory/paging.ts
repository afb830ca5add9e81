/**
 * Paging: two-level page tables of 4 KiB and 4 MiB pages, three-level ones (PAE) of 4 KiB and 2 MiB pages, the
 * walk, and its faults.
 *
 * Rules: the walk checks everything before it sets A and D in the leaf; A of the directory entry is set when the
 * entry is used, also when the table entry then faults. Reserved bits of 32-bit entries are checked with CR4.PSE
 * only, for 4 MiB pages. Physical addresses have 36 bits (without PSE-36 and PAE 32).
 * Sources: SDM vol. 3A §4.3, §4.4, §4.6–4.8, §6.15 (#PF).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
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
export const CR4_PAE = 0x20;
export const CR4_PGE = 0x80;

/** Reserved in 4 MiB pages without and with PSE-36, which has bits 35:32 of the address in 16:13. */
const LARGE_RESERVED = 0x3fe000;
const LARGE_RESERVED_PSE36 = 0x3e0000;
const LARGE_HIGH = 0x1e000;
/** Of 64-bit entries: bits 35:32 of the address in the high word; what is reserved in low words. */
const ADDRESS_HIGH = 0xf;
const EXTENDED_LARGE_RESERVED = 0x1fe000;
const POINTER_RESERVED = 0x1e6;
/**
 * A physical page where nothing answers: between the local APIC and the ROM. It stands for what lies above 4 GiB,
 * where this machine has nothing.
 */
const BEYOND: number = 0xfefff000 | 0;

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
  /** Part of a 4 MiB or 2 MiB page. */
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

  /** What the descent found: the leaf's low word, the rights above it, the physical page. */
  #leaf = 0;
  #rights = 0;
  #base = 0;
  #large = false;

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
    const leafAt = cr4 & CR4_PAE
      ? this.#descendExtended(linear, code)
      : this.#descend(linear, code, cr4);
    const leaf = this.#leaf;
    const rights = leaf & this.#rights;
    const pageUser = (rights & ENTRY.USER) !== 0;
    const pageWritable = (rights & ENTRY.WRITABLE) !== 0;
    const allowed = user
      ? pageUser && (!write || pageWritable)
      : !write || pageWritable || (cr0 & CR0_WP) === 0;
    if (!allowed) this.#core.raisePageFault(linear, code | PAGE_FAULT.PRESENT);
    const marked = leaf | ENTRY.ACCESSED | (write ? ENTRY.DIRTY : 0);
    if (marked !== leaf) physical.write32(leafAt, marked);
    result.page = this.#base;
    result.user = pageUser;
    result.writable = pageWritable;
    result.dirty = (marked & ENTRY.DIRTY) !== 0;
    result.large = this.#large;
    result.global = (leaf & ENTRY.GLOBAL) !== 0 && (cr4 & CR4_PGE) !== 0;
  }

  /** 32-bit entries: finds the leaf, whose address it returns (SDM vol. 3A §4.3). */
  #descend(linear: number, code: number, cr4: number): number {
    const core = this.#core;
    const physical = this.#physical;
    const directoryAt = this.#address(
      ((core.i32[L.CR3 >> 2] as number) & ~0xfff) | ((linear >>> 20) & 0xffc),
    );
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) core.raisePageFault(linear, code);
    this.#large = (directory & ENTRY.PAGE_SIZE) !== 0 && (cr4 & CR4_PSE) !== 0;
    if (this.#large) {
      const reserved = core.extendedAddresses ? LARGE_RESERVED_PSE36 : LARGE_RESERVED;
      if (directory & reserved) this.#reserved(linear, code);
      this.#rights = this.#leaf = directory;
      this.#base = directory & LARGE_HIGH
        ? BEYOND
        : this.addressMask & ((directory & 0xffc00000) | (linear & 0x3ff000));
      return directoryAt;
    }
    if ((directory & ENTRY.ACCESSED) === 0) {
      physical.write32(directoryAt, directory | ENTRY.ACCESSED);
    }
    const leafAt = this.#address((directory & ~0xfff) | ((linear >>> 10) & 0xffc));
    const leaf = physical.read32(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) core.raisePageFault(linear, code);
    this.#rights = directory;
    this.#leaf = leaf;
    this.#base = this.addressMask & leaf & 0xfffff000;
    return leafAt;
  }
  /** 64-bit entries behind the four in registers (SDM vol. 3A §4.4). */
  #descendExtended(linear: number, code: number): number {
    const core = this.#core;
    const physical = this.#physical;
    const pointer = (L.PDPTE >> 2) + (linear >>> 30) * 2;
    const top = core.i32[pointer] as number;
    if ((top & ENTRY.PRESENT) === 0) core.raisePageFault(linear, code);
    const directoryAt = this.#extended(
      top,
      core.i32[pointer + 1] as number,
      (linear >>> 18) & 0xff8,
    );
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) core.raisePageFault(linear, code);
    const high = physical.read32(directoryAt + 4);
    this.#large = (directory & ENTRY.PAGE_SIZE) !== 0;
    if (high & ~ADDRESS_HIGH || (this.#large && directory & EXTENDED_LARGE_RESERVED)) {
      this.#reserved(linear, code);
    }
    this.#rights = directory;
    if (this.#large) {
      this.#leaf = directory;
      this.#base = high !== 0
        ? BEYOND
        : this.addressMask & ((directory & 0xffe00000) | (linear & 0x1ff000));
      return directoryAt;
    }
    if ((directory & ENTRY.ACCESSED) === 0) {
      physical.write32(directoryAt, directory | ENTRY.ACCESSED);
    }
    const leafAt = this.#extended(directory, high, (linear >>> 9) & 0xff8);
    const leaf = physical.read32(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) core.raisePageFault(linear, code);
    const leafHigh = physical.read32(leafAt + 4);
    if (leafHigh & ~ADDRESS_HIGH) this.#reserved(linear, code);
    this.#leaf = leaf;
    this.#base = leafHigh !== 0 ? BEYOND : this.addressMask & leaf & 0xfffff000;
    return leafAt;
  }
  #reserved(linear: number, code: number): never {
    this.#core.raisePageFault(linear, code | PAGE_FAULT.RESERVED | PAGE_FAULT.PRESENT);
  }
  #address(physical: number): number {
    return (physical & this.addressMask) >>> 0;
  }
  /** Address of an entry in the table that a 64-bit entry names. */
  #extended(low: number, high: number, offset: number): number {
    return this.#address((high & ADDRESS_HIGH ? BEYOND : low & 0xfffff000) | offset);
  }

  /**
   * Loads the four page-directory-pointer entries; to be called wherever the processor does, before the new CR3 is
   * in force. `cr3`: the one to load them from. #GP(0) for reserved bits (SDM vol. 3A §4.4.1).
   */
  loadPointers(cr3: number): void {
    const core = this.#core;
    const from = this.#address(cr3 & ~0x1f);
    const words = Array.from({ length: 8 }, (_, i) => this.#physical.read32(from + 4 * i));
    for (let i = 0; i < 8; i += 2) {
      const [low, high] = [words[i] as number, words[i + 1] as number];
      if (low & ENTRY.PRESENT && (low & POINTER_RESERVED || high & ~ADDRESS_HIGH)) {
        core.raise(VECTOR.GP, 0);
      }
    }
    core.i32.set(words, L.PDPTE >> 2);
  }

  /** Physical address, or −1 when the page is not there; touches nothing and checks no rights. */
  look(linear: number): number {
    const { i32 } = this.#core;
    if ((i32[L.CR0 >> 2] as number) >= 0) return this.#address(linear);
    const cr4 = i32[L.CR4 >> 2] as number;
    if (cr4 & CR4_PAE) return this.#lookExtended(linear);
    const directory = this.#peek(
      this.#address(((i32[L.CR3 >> 2] as number) & ~0xfff) | ((linear >>> 20) & 0xffc)),
    );
    if ((directory & ENTRY.PRESENT) === 0) return -1;
    if ((directory & ENTRY.PAGE_SIZE) !== 0 && (cr4 & CR4_PSE) !== 0) {
      if (directory & LARGE_HIGH) return this.#address(BEYOND | (linear & 0xfff));
      return this.#address((directory & 0xffc00000) | (linear & 0x3fffff));
    }
    const leaf = this.#peek(this.#address((directory & ~0xfff) | ((linear >>> 10) & 0xffc)));
    if ((leaf & ENTRY.PRESENT) === 0) return -1;
    return this.#address((leaf & 0xfffff000) | (linear & 0xfff));
  }
  #lookExtended(linear: number): number {
    const { i32 } = this.#core;
    const pointer = (L.PDPTE >> 2) + (linear >>> 30) * 2;
    const top = i32[pointer] as number;
    if ((top & ENTRY.PRESENT) === 0) return -1;
    const directoryAt = this.#extended(top, i32[pointer + 1] as number, (linear >>> 18) & 0xff8);
    const directory = this.#peek(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) return -1;
    const high = this.#peek(directoryAt + 4);
    if (directory & ENTRY.PAGE_SIZE) {
      if (high & ADDRESS_HIGH) return this.#address(BEYOND | (linear & 0xfff));
      return this.#address((directory & 0xffe00000) | (linear & 0x1fffff));
    }
    const leafAt = this.#extended(directory, high, (linear >>> 9) & 0xff8);
    const leaf = this.#peek(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) return -1;
    return this.#address(
      (this.#peek(leafAt + 4) & ADDRESS_HIGH ? BEYOND : leaf & 0xfffff000) | (linear & 0xfff),
    );
  }
  /** A word of a page table; 0 where it would be read over the bus, which may have side effects. */
  #peek(physical: number): number {
    return this.#physical.readable(physical) === 0 ? 0 : this.#physical.read32(physical);
  }
}
