/**
 * Physical memory: RAM and ROM inside the machine's linear memory, everything else on the bus.
 *
 * Each page (4 KiB) has a side for reads and one for writes: RAM, an installed ROM, or the bus. So a chip set
 * can read a shadowed BIOS from RAM while its writes go nowhere. What is in linear memory is decoded and
 * cached as code and gets TLB entries, ROM for reading only. Writes that touch decoded code drop it, whoever
 * writes. Sources: SDM vol. 3A §11.6 (self-modifying code), IBM PC/AT memory map, Intel 82441FX data
 * sheet §3.2.18 (PAM registers).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import type { PageTables } from "./page_tables.ts";

/** Video memory of a PC: on the bus even where RAM is bigger. */
const VIDEO_START = 0xa0000;
const VIDEO_END = 0xc0000;
const PAGE = 4096;
const END = 0x100000000;

/** Where a page's reads and writes go. */
export interface Route {
  /** "rom": what {@link PhysicalMemory.installRom} put at the address. */
  readonly read: "ram" | "rom" | "bus";
  readonly write: "ram" | "bus";
}

/**
 * Guest physical memory, for loaders, DMA and plugins. Addresses are 0..2^32−1, in bytes; accesses outside
 * RAM and ROM go to the bus byte by byte and may have its side effects.
 */
export class PhysicalMemory {
  readonly #core: Core;
  /** By physical page: where it is in linear memory for reading and writing; 0 where the bus answers. */
  readonly #read = new Uint32Array(END / PAGE);
  readonly #write = new Uint32Array(END / PAGE);
  /** By physical page: where its ROM is, for pages that have one. */
  readonly #rom = new Map<number, number>();
  /** ROM images in linear memory, so that one at two addresses is there once. */
  readonly #images = new Map<Uint8Array, number>();
  #romTop: number;
  /** Page tables that the TLB depends on: they hear of stores before these happen. */
  readonly #tables: PageTables;
  #changed: () => void = () => {};

  constructor(core: Core, tables: PageTables) {
    this.#core = core;
    this.#tables = tables;
    this.#romTop = L.RAM_BASE + core.ramBytes;
    this.#set(0, core.ramBytes, { read: "ram", write: "ram" });
    this.#set(VIDEO_START, VIDEO_END, { read: "bus", write: "bus" });
  }

  /** End of RAM in bytes, holes included. */
  get size(): number {
    return this.#core.ramBytes;
  }
  /** Set by the memory unit: called when the map changes. */
  set onMapChange(callback: () => void) {
    this.#changed = callback;
  }

  /**
   * Routes [start, end), both multiples of 4096 and at most 2^32. Where there is no RAM or ROM to route to,
   * the bus answers.
   *
   * @throws {RangeError} unless it is whole pages below 4 GiB.
   */
  route(start: number, end: number, route: Route): void {
    if (start % PAGE !== 0 || end % PAGE !== 0 || start < 0 || end > END || end < start) {
      throw new RangeError(
        `Cannot map 0x${start.toString(16)}-0x${end.toString(16)}: not whole pages below 4 GiB`,
      );
    }
    if (!this.#set(start, end, route)) return;
    this.#core.codeWritten(start, end - start);
    this.#changed();
  }
  /** Returns whether anything is different now. */
  #set(start: number, end: number, { read, write }: Route): boolean {
    let any = false;
    for (let page = start / PAGE; page < end / PAGE; page++) {
      const ram = page * PAGE < this.#core.ramBytes ? L.RAM_BASE + page * PAGE : 0;
      const from = read === "ram" ? ram : read === "rom" ? this.#rom.get(page) ?? 0 : 0;
      const to = write === "ram" ? ram : 0;
      any ||= this.#read[page] !== from || this.#write[page] !== to;
      this.#read[page] = from;
      this.#write[page] = to;
    }
    return any;
  }
  /**
   * Makes a ROM readable at a physical address, a multiple of 4096; writes to it go to the bus. Several addresses may
   * have the same array of bytes. The end of the last page reads as FFh.
   *
   * @throws {RangeError} when the processor was made with too few `romBytes`, or for an address that does not fit.
   */
  installRom(physical: number, bytes: Uint8Array): void {
    let at = this.#images.get(bytes);
    const size = Math.ceil(bytes.length / PAGE) * PAGE;
    if (physical % PAGE !== 0 || physical < 0 || physical + size > END) {
      throw new RangeError(
        `Cannot install ${bytes.length} bytes of ROM at 0x${
          physical.toString(16)
        }: not whole pages below 4 GiB`,
      );
    }
    const { u8 } = this.#core;
    if (at === undefined) {
      at = this.#romTop;
      if (at + size > u8.length) {
        throw new RangeError(
          `Cannot install ${bytes.length} bytes of ROM: the processor was made with room for ` +
            `${u8.length - L.RAM_BASE - this.size} bytes in all (romBytes)`,
        );
      }
      this.#romTop += size;
      u8.fill(0xff, at, at + size);
      u8.set(bytes, at);
      this.#images.set(bytes, at);
    }
    for (let i = 0; i < size; i += PAGE) this.#rom.set((physical + i) / PAGE, at + i);
    this.route(physical, physical + size, { read: "rom", write: "bus" });
  }
  /** True when the address is RAM, the same for reading and writing. */
  isRam(physical: number): boolean {
    const page = this.#write[physical >>> 12];
    return page !== 0 && page === this.#read[physical >>> 12];
  }
  /** Where the address is in linear memory for reading, or 0: the bus has it. */
  readable(physical: number): number {
    const page = this.#read[physical >>> 12] as number;
    return page === 0 ? 0 : page + (physical & 0xfff);
  }
  /** Where the address is in linear memory for writing, or 0: the bus has it. */
  writable(physical: number): number {
    const page = this.#write[physical >>> 12] as number;
    return page === 0 ? 0 : page + (physical & 0xfff);
  }

  /** A copy of `length` bytes. */
  read(physical: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#eachRun(physical, length, this.#read, (at, offset, count, host) => {
      const { u8, bus } = this.#core;
      if (host !== 0) bytes.set(u8.subarray(host, host + count), offset);
      else for (let i = 0; i < count; i++) bytes[offset + i] = bus.readMemory(at + i, 1);
    });
    return bytes;
  }
  /** Writes the bytes. */
  write(physical: number, bytes: Uint8Array): void {
    this.#eachRun(physical, bytes.length, this.#write, (at, offset, count, host) => {
      const { u8, bus } = this.#core;
      if (host !== 0) {
        for (let page = at >>> 12; page <= (at + count - 1) >>> 12; page++) {
          if (this.#tables.has(page)) this.#tables.giveUp(page);
        }
        u8.set(bytes.subarray(offset, offset + count), host);
        this.#core.codeWritten(at, count);
      } else {for (let i = 0; i < count; i++) {
          bus.writeMemory(at + i, 1, bytes[offset + i] as number);
        }}
    });
  }
  /** Splits a range at the ends of pages that are together in linear memory; `host` is 0 for the bus. */
  #eachRun(
    physical: number,
    length: number,
    table: Uint32Array,
    run: (at: number, offset: number, count: number, host: number) => void,
  ): void {
    if (!(physical >= 0) || !(length >= 0) || physical + length > END) {
      throw new RangeError(`Cannot access ${length} bytes at ${physical}: not below 4 GiB`);
    }
    let offset = 0;
    while (offset < length) {
      const at = physical + offset;
      let page = Math.floor(at / PAGE);
      const host = table[page] as number;
      let end = (page + 1) * PAGE;
      while (end < physical + length) {
        const next = table[page + 1] as number;
        if (host === 0 ? next !== 0 : next !== (table[page] as number) + PAGE) break;
        page++;
        end += PAGE;
      }
      const count = Math.min(end, physical + length) - at;
      run(at, offset, count, host === 0 ? 0 : host + at % PAGE);
      offset += count;
    }
  }

  /** One byte. */
  read8(physical: number): number {
    const host = this.readable(physical);
    return host !== 0
      ? this.#core.u8[host] as number
      : this.#core.bus.readMemory(physical >>> 0, 1) & 0xff;
  }
  /** Two bytes, little-endian, unsigned. */
  read16(physical: number): number {
    if ((physical & 0xfff) === 0xfff) return this.read8(physical) | (this.read8(physical + 1) << 8);
    const host = this.readable(physical);
    return host !== 0
      ? this.#core.view.getUint16(host, true)
      : this.#core.bus.readMemory(physical >>> 0, 2) & 0xffff;
  }
  /** Four bytes, little-endian, unsigned. */
  read32(physical: number): number {
    if ((physical & 0xfff) > 0xffc) {
      return (this.read8(physical) | (this.read8(physical + 1) << 8) |
        (this.read8(physical + 2) << 16) | (this.read8(physical + 3) << 24)) >>> 0;
    }
    const host = this.readable(physical);
    return host !== 0
      ? this.#core.view.getUint32(host, true)
      : this.#core.bus.readMemory(physical >>> 0, 4) >>> 0;
  }
  /** One byte. */
  write8(physical: number, value: number): void {
    const host = this.writable(physical);
    if (host === 0) return this.#core.bus.writeMemory(physical >>> 0, 1, value & 0xff);
    if (this.#tables.has(physical >>> 12)) this.#tables.change(physical, 1);
    const old = this.#core.u8[host] as number;
    this.#core.u8[host] = value;
    if (this.#core.hasCode(physical >>> 12)) this.#bytesChanged(physical, old ^ (value & 0xff));
  }
  /** Two bytes, little-endian. */
  write16(physical: number, value: number): void {
    if ((physical & 0xfff) === 0xfff) {
      this.write8(physical, value);
      this.write8(physical + 1, value >>> 8);
      return;
    }
    const host = this.writable(physical);
    if (host === 0) return this.#core.bus.writeMemory(physical >>> 0, 2, value & 0xffff);
    if (this.#tables.has(physical >>> 12)) this.#tables.change(physical, 2);
    const old = this.#core.view.getUint16(host, true);
    this.#core.view.setUint16(host, value, true);
    if (this.#core.hasCode(physical >>> 12)) this.#bytesChanged(physical, old ^ (value & 0xffff));
  }
  /** Four bytes, little-endian. */
  write32(physical: number, value: number): void {
    if ((physical & 0xfff) > 0xffc) {
      for (let i = 0; i < 4; i++) this.write8(physical + i, value >>> (8 * i));
      return;
    }
    const host = this.writable(physical);
    if (host === 0) return this.#core.bus.writeMemory(physical >>> 0, 4, value >>> 0);
    if (this.#tables.has(physical >>> 12)) this.#tables.change(physical, 4);
    const old = this.#core.view.getInt32(host, true);
    this.#core.view.setUint32(host, value, true);
    if (this.#core.hasCode(physical >>> 12)) this.#bytesChanged(physical, old ^ value);
  }
  /** Tells which bytes of a page with code were changed: those with bits of the difference. */
  #bytesChanged(physical: number, difference: number): void {
    if (difference === 0) return;
    const first = (31 - Math.clz32(difference & -difference)) >> 3;
    const last = (31 - Math.clz32(difference)) >> 3;
    this.#core.codeWritten((physical >>> 0) + first, last - first + 1);
  }
}
