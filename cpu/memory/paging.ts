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
  /** Part of a 4 MiB or 2 MiB page. */
  large: boolean;
  /** Physical addresses of the two entries, the same one of a large page; −1 without paging. */
  directoryAt: number;
  leafAt: number;
}

/** Result of a walk that found the page. */
export const WALKED = -1;

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
    large: false,
    directoryAt: -1,
    leafAt: -1,
  };

  /** All ones, or without bit 20 while the gate of A20 is shut. The TLB holds what is left. */
  addressMask = -1;

  /** What the descent found: the error code of its fault, the leaf's low word, the rights above it, the page. */
  #fault = 0;
  #leaf = 0;
  #rights = 0;
  #base = 0;

  /** PAE's pointers while they are checked. */
  readonly #pointers = new Int32Array(8);

  constructor(core: Core, physical: PhysicalMemory) {
    this.#core = core;
    this.#physical = physical;
  }

  /** Translates for an access and sets A and D; throws #PF. Fills `result`. */
  walk(linear: number, write: boolean, user: boolean): void {
    const code = this.tryWalk(linear, write, user);
    if (code !== WALKED) this.#core.raisePageFault(linear, code);
  }
  /** The same without an exception: {@link WALKED}, or the error code of the page fault. */
  tryWalk(linear: number, write: boolean, user: boolean): number {
    const { result } = this;
    const { i32 } = this.#core;
    const cr0 = i32[L.CR0 >> 2] as number;
    if (cr0 >= 0) {
      result.page = linear & ~0xfff & this.addressMask;
      result.user = result.writable = result.dirty = true;
      result.large = false;
      result.directoryAt = result.leafAt = -1;
      return WALKED;
    }
    const cr4 = i32[L.CR4 >> 2] as number;
    const code = (write ? PAGE_FAULT.WRITE : 0) | (user ? PAGE_FAULT.USER : 0);
    const leafAt = cr4 & CR4_PAE ? this.#descendExtended(linear) : this.#descend(linear, cr4);
    if (leafAt < 0) return code | this.#fault;
    const leaf = this.#leaf;
    const rights = leaf & this.#rights;
    const pageUser = (rights & ENTRY.USER) !== 0;
    const pageWritable = (rights & ENTRY.WRITABLE) !== 0;
    const allowed = user
      ? pageUser && (!write || pageWritable)
      : !write || pageWritable || (cr0 & CR0_WP) === 0;
    if (!allowed) return code | PAGE_FAULT.PRESENT;
    const marked = leaf | ENTRY.ACCESSED | (write ? ENTRY.DIRTY : 0);
    if (marked !== leaf) this.#mark(leafAt, marked);
    result.page = this.#base;
    result.user = pageUser;
    result.writable = pageWritable;
    result.dirty = (marked & ENTRY.DIRTY) !== 0;
    result.leafAt = leafAt;
    return WALKED;
  }
  /** Sets A and D of an entry. Nothing in the TLB depends on their being clear. */
  #mark(entryAt: number, value: number): void {
    const physical = this.#physical;
    const host = physical.writable(entryAt);
    if (host === 0) return physical.write32(entryAt, value);
    const core = this.#core;
    core.i32[host >>> 2] = value;
    if (core.hasCode(entryAt >>> 12)) core.codeWritten(entryAt, 4);
  }

  /** 32-bit entries: finds the leaf, whose address it returns, or −1 (SDM vol. 3A §4.3). */
  #descend(linear: number, cr4: number): number {
    const core = this.#core;
    const physical = this.#physical;
    const directoryAt = this.#address(
      ((core.i32[L.CR3 >> 2] as number) & ~0xfff) | ((linear >>> 20) & 0xffc),
    );
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) return this.#absent();
    const { result } = this;
    result.directoryAt = directoryAt;
    result.large = (directory & ENTRY.PAGE_SIZE) !== 0 && (cr4 & CR4_PSE) !== 0;
    if (result.large) {
      const reserved = core.extendedAddresses ? LARGE_RESERVED_PSE36 : LARGE_RESERVED;
      if (directory & reserved) return this.#reserved();
      this.#rights = this.#leaf = directory;
      this.#base = directory & LARGE_HIGH
        ? BEYOND
        : this.addressMask & ((directory & 0xffc00000) | (linear & 0x3ff000));
      return directoryAt;
    }
    if ((directory & ENTRY.ACCESSED) === 0) {
      this.#mark(directoryAt, directory | ENTRY.ACCESSED);
    }
    const leafAt = this.#address((directory & ~0xfff) | ((linear >>> 10) & 0xffc));
    const leaf = physical.read32(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) return this.#absent();
    this.#rights = directory;
    this.#leaf = leaf;
    this.#base = this.addressMask & leaf & 0xfffff000;
    return leafAt;
  }
  /** 64-bit entries behind the four in registers (SDM vol. 3A §4.4). */
  #descendExtended(linear: number): number {
    const core = this.#core;
    const physical = this.#physical;
    const pointer = (L.PDPTE >> 2) + (linear >>> 30) * 2;
    const top = core.i32[pointer] as number;
    if ((top & ENTRY.PRESENT) === 0) return this.#absent();
    const directoryAt = this.#extended(
      top,
      core.i32[pointer + 1] as number,
      (linear >>> 18) & 0xff8,
    );
    const directory = physical.read32(directoryAt);
    if ((directory & ENTRY.PRESENT) === 0) return this.#absent();
    const high = physical.read32(directoryAt + 4);
    const { result } = this;
    result.directoryAt = directoryAt;
    result.large = (directory & ENTRY.PAGE_SIZE) !== 0;
    if (high & ~ADDRESS_HIGH || (result.large && directory & EXTENDED_LARGE_RESERVED)) {
      return this.#reserved();
    }
    this.#rights = directory;
    if (result.large) {
      this.#leaf = directory;
      this.#base = high !== 0
        ? BEYOND
        : this.addressMask & ((directory & 0xffe00000) | (linear & 0x1ff000));
      return directoryAt;
    }
    if ((directory & ENTRY.ACCESSED) === 0) {
      this.#mark(directoryAt, directory | ENTRY.ACCESSED);
    }
    const leafAt = this.#extended(directory, high, (linear >>> 9) & 0xff8);
    const leaf = physical.read32(leafAt);
    if ((leaf & ENTRY.PRESENT) === 0) return this.#absent();
    const leafHigh = physical.read32(leafAt + 4);
    if (leafHigh & ~ADDRESS_HIGH) return this.#reserved();
    this.#leaf = leaf;
    this.#base = leafHigh !== 0 ? BEYOND : this.addressMask & leaf & 0xfffff000;
    return leafAt;
  }
  #absent(): number {
    this.#fault = 0;
    return -1;
  }
  #reserved(): number {
    this.#fault = PAGE_FAULT.RESERVED | PAGE_FAULT.PRESENT;
    return -1;
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
    const words = this.#pointers;
    for (let i = 0; i < 8; i++) words[i] = this.#physical.read32(from + 4 * i);
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
