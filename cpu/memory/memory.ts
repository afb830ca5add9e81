/**
 * The memory unit: the TLB that Wasm reads, and the slow paths behind it.
 *
 * A TLB word is the addend from a linear address to its place in linear memory (layout.ts). Pages that need
 * a look at each access have no word: bus pages in both tables, clean and read-only pages in the write tables.
 * Where stores are to be seen (code, page tables) the write word says so. Words are kept for several address
 * spaces (spaces.ts), and only while a walk would give the same (page_tables.ts).
 * A write that crosses pages is checked in both before any byte is stored.
 * Sources: SDM vol. 3A §4.10 (TLB), §6.15 (#PF, #AC).
 * @module
 */
import { AC } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { MemoryUnit } from "../execute/units.ts";
import { directoryRole, leafRole, PageTables } from "./page_tables.ts";
import { CR0_WP, CR4_PAE, PageWalker, WALKED } from "./paging.ts";
import { PhysicalMemory } from "./physical.ts";
import { AddressSpaces } from "./spaces.ts";

const CR0_AM = 0x40000;
/** Bits of a linear page that tell the entry of a table, and of all tables of a directory. */
const ENTRY_BITS = 0x3ff;
const ENTRY_BITS_PAE = 0x1ff;
const DIRECTORY_BITS_PAE = 0x3ffff;

export class Memory implements MemoryUnit {
  readonly physical: PhysicalMemory;
  readonly #core: Core;
  readonly #walker: PageWalker;
  readonly #spaces: AddressSpaces;
  readonly #tables: PageTables;
  /** What the last walk's page gets; refilled. */
  readonly #words = {
    read: 0,
    write: 0,
    user: false,
    supervisorWrites: false,
    userWrites: false,
    large: false,
    seen: false,
  };

  #target: StoreTarget | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#spaces = new AddressSpaces(core);
    this.#tables = new PageTables(core, this.#spaces);
    this.physical = new PhysicalMemory(core, this.#tables);
    this.physical.onMapChange = () => this.flush();
    this.#walker = new PageWalker(core, this.physical);
  }

  // ---- accesses at the current privilege -----------------------------------------------------------

  slowRead(linear: number, size: 1 | 2 | 4): number {
    const core = this.#core;
    const user = core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    const value = this.#read(linear, size, user);
    if (core.debug.watching !== 0) core.debug.access(linear, size, value, false);
    return value;
  }
  slowWrite(linear: number, size: 1 | 2 | 4, value: number): void {
    const core = this.#core;
    const user = core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    const target = this.#target;
    this.#target = undefined;
    if (target === undefined || target.linear !== linear || target.record !== this.#record) {
      this.#write(linear, size, value, user);
    } else this.#store(linear, target.first, target.last, size, value);
    if (core.debug.watching !== 0) core.debug.access(linear, size, value, true);
  }
  slowReadForWrite(linear: number, size: 1 | 2 | 4): number {
    const core = this.#core;
    const user = core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#probe(linear, size, user, true);
    const value = this.#read(linear, size, user);
    if (core.debug.watching !== 0) core.debug.access(linear, size, value, false);
    if (core.accessed !== undefined) {
      const last = (linear + size - 1) | 0;
      this.#target = {
        linear,
        record: this.#record,
        first: this.#translate(linear, true, user),
        last: this.#translate(last, true, user),
      };
    }
    return value;
  }
  get #record(): number {
    return this.#core.i32[L.CURRENT >> 2] as number;
  }
  probeRead(linear: number, size: number): void {
    const user = this.#core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#probe(linear, size, user, false);
  }
  probeWrite(linear: number, size: number): void {
    const user = this.#core.cpl === 3;
    if (user) this.#checkAlignment(linear, size);
    this.#probe(linear, size, user, true);
  }

  // ---- implicit supervisor accesses -----------------------------------------------------------------

  readSystem(linear: number, size: 1 | 2 | 4): number {
    return this.#read(linear, size, false);
  }
  writeSystem(linear: number, size: 1 | 2 | 4, value: number): void {
    this.#write(linear, size, value, false);
  }

  // ---- code and debuggers ---------------------------------------------------------------------------

  translateCode(linear: number): number {
    return this.#translate(linear, false, this.#core.cpl === 3);
  }
  missed = -1;
  fill(linear: number, size: number, write: boolean): number {
    const core = this.#core;
    const { i32 } = core;
    const user = core.cpl === 3;
    const at = ((i32[L.TLB_SPACE >> 2] as number) >> 2) + (linear >>> 12) +
      (write ? writeTable(user) : readTable(user));
    let word = i32[at] as number;
    this.missed = -1;
    if (word === 0) {
      const code = this.#walker.tryWalk(linear, write, user);
      if (code !== WALKED) {
        this.missed = code;
        return 0;
      }
      this.#fill(linear >>> 12);
      word = i32[at] as number;
    }
    if ((word & L.TLB_SEEN) !== 0 && !this.#beforeStore(linear, word, size)) return 0;
    return word === 0 ? 0 : (linear + (word & ~0xfff)) | 0;
  }
  /** Before a store to a page that is seen, inside the page. False: the page has code. */
  #beforeStore(linear: number, word: number, size: number): boolean {
    const core = this.#core;
    const physical = ((linear + (word & ~0xfff)) >>> 0) - L.RAM_BASE;
    const page = physical >>> 12;
    if (core.hasCode(page)) return false;
    if (this.#tables.has(page)) {
      if (size > 0) {
        this.#tables.change(physical, size);
        return true;
      }
      this.#tables.giveUp(page);
    }
    if (this.physical.isRam(physical)) this.#spaces.unsee(linear >>> 12, page);
    return true;
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

  flush(): void {
    const core = this.#core;
    this.#spaces.clearAll(core.i32[L.CR3 >> 2] as number);
    core.updateTlbPointers();
  }
  switchSpace(): void {
    const core = this.#core;
    // Without paging CR3 says nothing; when it is turned on, everything is forgotten.
    if (core.cr0 >= 0) return;
    this.#spaces.switchTo(core.i32[L.CR3 >> 2] as number, (core.cr4 & CR4_PAE) !== 0);
    core.updateTlbPointers();
  }
  invalidate(linear: number): void {
    this.#spaces.invalidate(linear >>> 12);
  }
  protectCode(physical: number): void {
    if (this.physical.writable(physical) !== 0) this.#spaces.see(physical >>> 12);
  }

  /** Walks for an access, fills the TLB with what the entry allows; returns the physical address. */
  #translate(linear: number, write: boolean, user: boolean): number {
    this.#walker.walk(linear, write, user);
    const { page } = this.#walker.result;
    this.#fill(linear >>> 12);
    return (page | (linear & 0xfff)) >>> 0;
  }
  /** Puts the page of the last walk into the TLB. */
  #fill(page: number): void {
    const { result } = this.#walker;
    const physical = result.page;
    const read = this.physical.readable(physical);
    const write = this.physical.writable(physical);
    if (read === 0 && write === 0) return;
    const core = this.#core;
    if (core.debug.watching !== 0 && core.debug.watches(page)) return;
    if (result.leafAt >= 0 && !this.#depend(page)) return;
    const words = this.#words;
    const linear = page << 12;
    words.read = read === 0 ? 0 : (read - linear) | 0;
    words.user = result.user;
    words.large = result.large;
    const writes = write !== 0 && result.dirty;
    words.write = (write - linear) | 0;
    words.supervisorWrites = writes && (result.writable || (core.cr0 & CR0_WP) === 0);
    words.userWrites = writes && result.user && result.writable;
    const frame = physical >>> 12;
    // A direct word is one for reads too (windows of translated code rely on it).
    words.seen = read !== write || core.hasCode(frame) || this.#tables.has(frame);
    this.#spaces.fill(page, frame, words);
  }
  /** Notes the tables of the last walk; false: they are not RAM, so that their changes cannot be seen. */
  #depend(page: number): boolean {
    const { directoryAt, leafAt, large } = this.#walker.result;
    const { physical } = this;
    const extended = (this.#core.cr4 & CR4_PAE) !== 0;
    if (!physical.isRam(directoryAt) || !physical.isRam(leafAt)) return false;
    const first = extended ? page & ~DIRECTORY_BITS_PAE : 0;
    this.#tables.used(directoryAt >>> 12, directoryRole(first));
    if (large) return true;
    this.#tables.used(leafAt >>> 12, leafRole(page & ~(extended ? ENTRY_BITS_PAE : ENTRY_BITS)));
    return true;
  }

  // ---- the paths ------------------------------------------------------------------------------------

  /** The TLB's word for an access at a privilege, which need not be the present one. */
  #word(linear: number, table: number): number {
    const { i32 } = this.#core;
    return i32[((i32[L.TLB_SPACE >> 2] as number) >> 2) + table + (linear >>> 12)] as number;
  }
  #read(linear: number, size: 1 | 2 | 4, user: boolean): number {
    const core = this.#core;
    if ((linear & 0xfff) + size > 0x1000) return this.#readAcross(linear, size, user);
    const word = this.#word(linear, readTable(user));
    let host = (linear + word - L.TLB_DIRECT) | 0;
    if (word === 0) {
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
    const word = this.#word(linear, writeTable(user));
    if (word & L.TLB_DIRECT) {
      const host = (linear + word - L.TLB_DIRECT) >>> 0;
      if (size === 4) core.view.setInt32(host, value, true);
      else if (size === 2) core.view.setUint16(host, value, true);
      else core.u8[host] = value;
      return;
    }
    let physical;
    if (word === 0) physical = this.#translate(linear, true, user);
    else {
      physical = ((linear + word - L.TLB_SEEN) >>> 0) - L.RAM_BASE;
      const page = physical >>> 12;
      if (!core.hasCode(page) && !this.#tables.has(page) && this.physical.isRam(physical)) {
        this.#spaces.unsee(linear >>> 12, page);
      }
    }
    this.#store(linear, physical, physical, size, value);
  }
  /** QUIRK(dirty): D of the first page is set even if the second then faults. */
  #writeAcross(linear: number, size: number, value: number, user: boolean): void {
    const first = this.#translate(linear, true, user);
    const boundary = ((linear | 0xfff) + 1) | 0;
    const second = this.#translate(boundary, true, user);
    this.#store(linear, first, second + ((linear + size - 1) & 0xfff), size, value);
  }
  /** Stores where the first and the last byte are. */
  #store(linear: number, first: number, last: number, size: number, value: number): void {
    const { physical } = this;
    const split = 0x1000 - (linear & 0xfff);
    if (split >= size) {
      if (size === 4) physical.write32(first, value);
      else if (size === 2) physical.write16(first, value);
      else physical.write8(first, value);
      return;
    }
    for (let i = 0; i < size; i++) {
      physical.write8(i < split ? first + i : last - (size - 1 - i), value >>> (8 * i));
    }
  }
  #probe(linear: number, size: number, user: boolean, write: boolean): void {
    const table = write ? writeTable(user) : readTable(user);
    if (this.#word(linear, table) === 0) this.#translate(linear, write, user);
    const last = (linear + size - 1) | 0;
    if ((last ^ linear) >>> 12 !== 0 && this.#word(last, table) === 0) {
      this.#translate(last & ~0xfff, write, user);
    }
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

/**
 * Where the read-modify-write of the instruction at `record` stores, of whose read somebody has heard: to the bytes that
 * it has read, whatever the listener did to the page tables.
 */
interface StoreTarget {
  readonly linear: number;
  readonly record: number;
  /** Physical addresses of the first and the last byte. */
  readonly first: number;
  readonly last: number;
}

/** Index of a table of address space 0 among the state's words. */
function readTable(user: boolean): number {
  return (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR) >> 2;
}
function writeTable(user: boolean): number {
  return (user ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR) >> 2;
}

/** Makes the memory unit of a core. */
export function createMemoryUnit(core: Core): Memory {
  return new Memory(core);
}
