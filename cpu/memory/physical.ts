/**
 * Physical memory: RAM inside the machine's linear memory, everything else on the bus.
 *
 * A page (4 KiB) is either RAM or not; what is not RAM (video memory at 0xA0000–0xBFFFF, a mapped ROM,
 * addresses beyond RAM) goes to the bus. Writes that touch decoded code drop it, whoever writes.
 * Sources: SDM vol. 3A §11.6 (self-modifying code), IBM PC/AT memory map.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";

/** Video memory of a PC: on the bus even where RAM is bigger. */
const VIDEO_START = 0xa0000;
const VIDEO_END = 0xc0000;

/**
 * Guest physical memory, for loaders, DMA and plugins. Addresses are 0..2^32−1, in bytes; accesses outside
 * RAM go to the bus byte by byte and may have its side effects.
 */
export class PhysicalMemory {
  readonly #core: Core;
  /** By physical page: 1 when it is RAM. */
  readonly #ram = new Uint8Array(0x100000);
  #changed: () => void = () => {};

  constructor(core: Core) {
    this.#core = core;
    this.#ram.fill(1, 0, core.ramBytes >>> 12);
    this.#ram.fill(0, VIDEO_START >>> 12, VIDEO_END >>> 12);
  }

  /** End of RAM in bytes, holes included. */
  get size(): number {
    return this.#core.ramBytes;
  }
  /** Set by the memory unit: called when the map of RAM and bus changes. */
  set onMapChange(callback: () => void) {
    this.#changed = callback;
  }

  /** Gives [start, end) to the bus (a ROM is mapped there); both multiples of 4096. */
  excludeRange(start: number, end: number): void {
    this.#map(start, end, 0);
  }
  /** Takes [start, end) back from the bus, as far as there is RAM; both multiples of 4096. */
  includeRange(start: number, end: number): void {
    this.#map(start, Math.min(end, this.size), 1);
  }
  #map(start: number, end: number, ram: 0 | 1): void {
    if (start % 4096 !== 0 || end % 4096 !== 0 || start < 0 || end > 0x100000000) {
      throw new RangeError(
        `Cannot map 0x${start.toString(16)}-0x${end.toString(16)}: not whole pages below 4 GiB`,
      );
    }
    this.#ram.fill(ram, start / 4096, Math.max(start, end) / 4096);
    if (end > start) this.#core.codeWritten(start, end - start);
    this.#changed();
  }
  /** True when the address is RAM. */
  isRam(physical: number): boolean {
    return this.#ram[physical >>> 12] === 1;
  }

  /** A copy of `length` bytes. */
  read(physical: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#eachRun(physical, length, (at, offset, count, ram) => {
      const { u8, bus } = this.#core;
      if (ram) bytes.set(u8.subarray(L.RAM_BASE + at, L.RAM_BASE + at + count), offset);
      else for (let i = 0; i < count; i++) bytes[offset + i] = bus.readMemory(at + i, 1);
    });
    return bytes;
  }
  /** Writes the bytes. */
  write(physical: number, bytes: Uint8Array): void {
    this.#eachRun(physical, bytes.length, (at, offset, count, ram) => {
      const { u8, bus } = this.#core;
      if (ram) {
        u8.set(bytes.subarray(offset, offset + count), L.RAM_BASE + at);
        this.#core.codeWritten(at, count);
      } else {for (let i = 0; i < count; i++) {
          bus.writeMemory(at + i, 1, bytes[offset + i] as number);
        }}
    });
  }
  /** Splits a range where RAM and bus meet. */
  #eachRun(
    physical: number,
    length: number,
    run: (at: number, offset: number, count: number, ram: boolean) => void,
  ): void {
    if (!(physical >= 0) || !(length >= 0) || physical + length > 0x100000000) {
      throw new RangeError(`Cannot access ${length} bytes at ${physical}: not below 4 GiB`);
    }
    let offset = 0;
    while (offset < length) {
      const at = physical + offset;
      const ram = this.isRam(at);
      let end = (at - at % 4096) + 4096;
      while (end < physical + length && this.isRam(end) === ram) end += 4096;
      const count = Math.min(end, physical + length) - at;
      run(at, offset, count, ram);
      offset += count;
    }
  }

  /** One byte. */
  read8(physical: number): number {
    return this.isRam(physical)
      ? this.#core.u8[L.RAM_BASE + (physical >>> 0)] as number
      : this.#core.bus.readMemory(physical >>> 0, 1) & 0xff;
  }
  /** Two bytes, little-endian, unsigned. */
  read16(physical: number): number {
    if ((physical & 0xfff) === 0xfff) return this.read8(physical) | (this.read8(physical + 1) << 8);
    return this.isRam(physical)
      ? this.#core.view.getUint16(L.RAM_BASE + (physical >>> 0), true)
      : this.#core.bus.readMemory(physical >>> 0, 2) & 0xffff;
  }
  /** Four bytes, little-endian, unsigned. */
  read32(physical: number): number {
    if ((physical & 0xfff) > 0xffc) {
      return (this.read8(physical) | (this.read8(physical + 1) << 8) |
        (this.read8(physical + 2) << 16) | (this.read8(physical + 3) << 24)) >>> 0;
    }
    return this.isRam(physical)
      ? this.#core.view.getUint32(L.RAM_BASE + (physical >>> 0), true)
      : this.#core.bus.readMemory(physical >>> 0, 4) >>> 0;
  }
  /** One byte. */
  write8(physical: number, value: number): void {
    if (!this.isRam(physical)) return this.#core.bus.writeMemory(physical >>> 0, 1, value & 0xff);
    this.#core.u8[L.RAM_BASE + (physical >>> 0)] = value;
    if (this.#core.hasCode(physical >>> 12)) this.#core.codeWritten(physical >>> 0, 1);
  }
  /** Two bytes, little-endian. */
  write16(physical: number, value: number): void {
    if ((physical & 0xfff) === 0xfff) {
      this.write8(physical, value);
      this.write8(physical + 1, value >>> 8);
      return;
    }
    if (!this.isRam(physical)) return this.#core.bus.writeMemory(physical >>> 0, 2, value & 0xffff);
    this.#core.view.setUint16(L.RAM_BASE + (physical >>> 0), value, true);
    if (this.#core.hasCode(physical >>> 12)) this.#core.codeWritten(physical >>> 0, 2);
  }
  /** Four bytes, little-endian. */
  write32(physical: number, value: number): void {
    if ((physical & 0xfff) > 0xffc) {
      for (let i = 0; i < 4; i++) this.write8(physical + i, value >>> (8 * i));
      return;
    }
    if (!this.isRam(physical)) return this.#core.bus.writeMemory(physical >>> 0, 4, value >>> 0);
    this.#core.view.setUint32(L.RAM_BASE + (physical >>> 0), value, true);
    if (this.#core.hasCode(physical >>> 12)) this.#core.codeWritten(physical >>> 0, 4);
  }
}
