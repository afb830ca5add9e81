/**
 * The memory unit: the TLB that Wasm reads, and the slow paths behind it.
 *
 * A TLB word is the addend from a linear address to its place in linear memory (layout.ts). Pages that need
 * a look at each access have no word: bus pages in both tables; clean, read-only and code-bearing pages in
 * the write tables. Filled pages are kept in a list, so that a flush costs what was used.
 * A write that crosses pages is checked in both before any byte is stored.
 * Sources: SDM vol. 3A §4.10 (TLB, global pages), §6.15 (#PF, #AC).
 * @module
 */
import { AC } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { MemoryUnit } from "../execute/units.ts";
import { PageWalker } from "./paging.ts";
import { PhysicalMemory } from "./physical.ts";

/** Pages in the TLB before it is emptied as a whole. */
const FILLED_MAX = 0x10000;
/** Mark of a global page in the list; the page number is below. */
const GLOBAL = 0x100000;
const CR0_AM = 0x40000;

export class Memory implements MemoryUnit {
  readonly physical: PhysicalMemory;
  readonly #core: Core;
  readonly #walker: PageWalker;
  readonly #filled = new Int32Array(FILLED_MAX);
  #filledCount = 0;
  /** By 4 MiB of linear space: 1 when pieces of a large page may be in the TLB. */
  readonly #large = new Uint8Array(1024);
  /** By linear page: 1 when code was ever fetched from it, so that INVLPG of others leaves code alone. */
  readonly #fetched = new Uint8Array(0x100000);

  constructor(core: Core) {
    this.#core = core;
    this.physical = new PhysicalMemory(core);
    this.physical.onMapChange = () => this.flush();
    this.#walker = new PageWalker(core, this.physical);
  }

  // ---- accesses at the current privilege -----------------------------------------------------------

  slowRead(linear: number, size: 1 | 2 | 4): number {
    const core = this.#core;
    const user = core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    const table = (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) >> 2;
    const value = this.#read(linear, size, user, table);
    if (core.debug.watching !== 0) core.debug.access(linear, size, false);
    return value;
  }
  slowWrite(linear: number, size: 1 | 2 | 4, value: number): void {
    const core = this.#core;
    const user = core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#write(linear, size, value, user);
    if (core.debug.watching !== 0) core.debug.access(linear, size, true);
  }
  slowReadForWrite(linear: number, size: 1 | 2 | 4): number {
    const user = this.#core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#probe(linear, size, user, true, writeTable(user));
    return this.#read(linear, size, user, (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) >> 2);
  }
  probeRead(linear: number, size: number): void {
    const user = this.#core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    const table = (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) >> 2;
    this.#probe(linear, size, user, false, table);
  }
  probeWrite(linear: number, size: number): void {
    const user = this.#core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#probe(linear, size, user, true, writeTable(user));
  }

  // ---- implicit supervisor accesses -----------------------------------------------------------------

  readSystem(linear: number, size: 1 | 2 | 4): number {
    return this.#read(linear, size, false, L.TLB_READ_SUPERVISOR >> 2);
  }
  writeSystem(linear: number, size: 1 | 2 | 4, value: number): void {
    this.#write(linear, size, value, false);
  }

  // ---- code and debuggers ---------------------------------------------------------------------------

  translateCode(linear: number): number {
    this.#walker.walk(linear, false, this.#core.cpl === 3);
    this.#fetched[linear >>> 12] = 1;
    // Of a large page, any piece may be named by INVLPG.
    if (this.#walker.result.large) this.#large[linear >>> 22] = 1;
    return (this.#walker.result.page | (linear & 0xfff)) >>> 0;
  }
  probe(linear: number): number {
    return this.#walker.look(linear);
  }
  isRam(physical: number): boolean {
    return this.physical.isRam(physical);
  }
  hostOf(physical: number): number {
    return this.physical.readable(physical);
  }
  readPhysical8(physical: number): number {
    return this.physical.read8(physical);
  }

  loadPointers(cr3: number): void {
    this.#walker.loadPointers(cr3);
  }
  /** The gate of address line 20 (SDM vol. 3A §8.7.13.4, A20M#): shut, bit 20 of physical addresses is 0. */
  setA20(open: boolean): void {
    const mask = open ? -1 : ~0x100000;
    if (mask === this.#walker.addressMask) return;
    this.#walker.addressMask = mask;
    this.flush();
  }

  // ---- TLB ------------------------------------------------------------------------------------------

  /** Empties the TLB, global pages too: CR0, CR4 changed. */
  flush(): void {
    for (let i = 0; i < this.#filledCount; i++) {
      this.#clear((this.#filled[i] as number) & (GLOBAL - 1));
    }
    this.#filledCount = 0;
    this.#large.fill(0);
    this.#core.codeMappingChanged();
  }
  /** Empties the TLB but for global pages: CR3 loaded. */
  flushLocal(): void {
    const filled = this.#filled;
    let kept = 0;
    for (let i = 0; i < this.#filledCount; i++) {
      const page = filled[i] as number;
      if (page & GLOBAL) filled[kept++] = page;
      else this.#clear(page);
    }
    this.#filledCount = kept;
    this.#core.codeMappingChanged();
  }
  /** INVLPG: forgets the page, also when it is global. */
  invalidate(linear: number): void {
    // A large page is in the TLB as 4 KiB pieces, all of which INVLPG must remove.
    const region = linear >>> 22;
    if (this.#large[region] === 1) {
      for (let i = 0; i < 1024; i++) this.#clear((region << 10) + i);
      this.#large[region] = 0;
      this.#core.codeMappingChanged();
      return;
    }
    const page = linear >>> 12;
    this.#clear(page);
    if (this.#fetched[page] === 1) this.#core.codeMappingChanged();
  }
  protectCode(physical: number): void {
    const { i32 } = this.#core;
    const target = this.physical.writable(physical & ~0xfff) | 0;
    if (target === 0) return;
    const supervisor = L.TLB_WRITE_SUPERVISOR >> 2;
    const user = L.TLB_WRITE_USER >> 2;
    for (let i = 0; i < this.#filledCount; i++) {
      const page = (this.#filled[i] as number) & (GLOBAL - 1);
      const linear = page << 12;
      if (((linear + (i32[supervisor + page] as number)) | 0) === target) {
        i32[supervisor + page] = L.TLB_MISS;
      }
      if (((linear + (i32[user + page] as number)) | 0) === target) i32[user + page] = L.TLB_MISS;
    }
  }
  #clear(page: number): void {
    const { i32 } = this.#core;
    i32[(L.TLB_READ_SUPERVISOR >> 2) + page] = L.TLB_MISS;
    i32[(L.TLB_WRITE_SUPERVISOR >> 2) + page] = L.TLB_MISS;
    i32[(L.TLB_READ_USER >> 2) + page] = L.TLB_MISS;
    i32[(L.TLB_WRITE_USER >> 2) + page] = L.TLB_MISS;
  }

  /** Walks for an access, fills the TLB with what the entry allows; returns the physical address. */
  #translate(linear: number, write: boolean, user: boolean): number {
    const { result } = this.#walker;
    this.#walker.walk(linear, write, user);
    const { page } = result;
    this.#fill(linear >>> 12, page);
    return (page | (linear & 0xfff)) >>> 0;
  }
  #fill(page: number, physical: number): void {
    const readable = this.physical.readable(physical);
    const writable = this.physical.writable(physical);
    if (readable === 0 && writable === 0) return;
    const core = this.#core;
    if (core.debug.watching !== 0 && core.debug.watches(page)) return;
    const { i32 } = core;
    const { result } = this.#walker;
    if (this.#filledCount === FILLED_MAX) this.flush();
    if (
      i32[(L.TLB_READ_SUPERVISOR >> 2) + page] === L.TLB_MISS &&
      i32[(L.TLB_WRITE_SUPERVISOR >> 2) + page] === L.TLB_MISS
    ) this.#filled[this.#filledCount++] = page | (result.global ? GLOBAL : 0);
    if (result.large) this.#large[page >>> 10] = 1;
    if (readable !== 0) {
      const addend = (readable - (page << 12)) | 0;
      i32[(L.TLB_READ_SUPERVISOR >> 2) + page] = addend;
      if (result.user) i32[(L.TLB_READ_USER >> 2) + page] = addend;
    }
    if (writable === 0 || !result.dirty || core.hasCode(physical >>> 12)) return;
    const addend = (writable - (page << 12)) | 0;
    if (result.writable || (core.cr0 & 0x10000) === 0) {
      i32[(L.TLB_WRITE_SUPERVISOR >> 2) + page] = addend;
    }
    if (result.user && result.writable) i32[(L.TLB_WRITE_USER >> 2) + page] = addend;
  }

  // ---- the paths ------------------------------------------------------------------------------------

  #read(linear: number, size: 1 | 2 | 4, user: boolean, table: number): number {
    const core = this.#core;
    if ((linear & 0xfff) + size > 0x1000) return this.#readAcross(linear, size, user);
    const entry = core.i32[table + (linear >>> 12)] as number;
    let host = (linear + entry) | 0;
    if (entry & L.TLB_MISS) {
      const physical = this.#translate(linear, false, user);
      host = this.physical.readable(physical);
      if (host === 0) return core.bus.readMemory(physical, size) | 0;
    }
    host >>>= 0;
    if (size === 4) return core.view.getInt32(host, true);
    return size === 2 ? core.view.getUint16(host, true) : core.u8[host] as number;
  }
  #readAcross(linear: number, size: number, user: boolean): number {
    const first = this.#translate(linear, false, user);
    const boundary = ((linear | 0xfff) + 1) | 0;
    const second = this.#translate(boundary, false, user);
    const split = 0x1000 - (linear & 0xfff);
    let value = 0;
    for (let i = 0; i < size; i++) {
      value |= this.physical.read8(i < split ? first + i : second + i - split) << (8 * i);
    }
    return value;
  }
  #write(linear: number, size: 1 | 2 | 4, value: number, user: boolean): void {
    const core = this.#core;
    if ((linear & 0xfff) + size > 0x1000) return this.#writeAcross(linear, size, value, user);
    const table = (user ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR) >> 2;
    const entry = core.i32[table + (linear >>> 12)] as number;
    if ((entry & L.TLB_MISS) === 0) {
      const host = ((linear + entry) | 0) >>> 0;
      if (size === 4) core.view.setInt32(host, value, true);
      else if (size === 2) core.view.setUint16(host, value, true);
      else core.u8[host] = value;
      return;
    }
    const physical = this.#translate(linear, true, user);
    if (size === 4) this.physical.write32(physical, value);
    else if (size === 2) this.physical.write16(physical, value);
    else this.physical.write8(physical, value);
  }
  /** QUIRK(dirty): D of the first page is set even if the second then faults. */
  #writeAcross(linear: number, size: number, value: number, user: boolean): void {
    const first = this.#translate(linear, true, user);
    const boundary = ((linear | 0xfff) + 1) | 0;
    const second = this.#translate(boundary, true, user);
    const split = 0x1000 - (linear & 0xfff);
    for (let i = 0; i < size; i++) {
      this.physical.write8(i < split ? first + i : second + i - split, value >>> (8 * i));
    }
  }
  /** `table`: index of the TLB table of the access. */
  #probe(linear: number, size: number, user: boolean, write: boolean, table: number): void {
    const { i32 } = this.#core;
    if ((i32[table + (linear >>> 12)] as number) & L.TLB_MISS) {
      this.#translate(linear, write, user);
    }
    const last = (linear + size - 1) | 0;
    if (
      (last ^ linear) >>> 12 !== 0 && (i32[table + (last >>> 12)] as number) & L.TLB_MISS
    ) this.#translate(last & ~0xfff, write, user);
  }
  /** #AC for a misaligned access of a user program that asked for it. */
  #checkAlignment(linear: number, size: number): void {
    const core = this.#core;
    // 80-bit and longer x87 operands need 8 and 4 (SDM vol. 3A Table 6-7); of 16 bytes nothing is asked here.
    const alignment = size <= 8 ? size : size === 10 ? 8 : size === 16 ? 1 : 4;
    if (
      (linear & (alignment - 1)) !== 0 && (core.cr0 & CR0_AM) !== 0 &&
      ((core.i32[L.EFLAGS >> 2] as number) & AC) !== 0
    ) core.raise(VECTOR.AC, 0);
  }
}

/** Index of a write TLB among the state's words. */
function writeTable(user: boolean): number {
  return (user ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR) >> 2;
}

/** Makes the memory unit of a core. */
export function createMemoryUnit(core: Core): Memory {
  return new Memory(core);
}
