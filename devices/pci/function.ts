/**
 * A PCI function: 256 bytes of configuration space, which bits of it can be written, and the I/O and
 * memory ranges that its base address registers claim.
 *
 * Sources: PCI Local Bus Specification 2.1, §6 "Configuration space".
 *
 * @module
 */
import { type Device, restoreFields, type Saved, saveFields } from "../bus/device.ts";

const CONFIG_BYTES = 256;
const COMMAND = 4;
const COMMAND_IO = 1;
const COMMAND_MEMORY = 2;
const FIRST_BASE = 0x10;
const LAST_BASE = 0x24;
/** Register of the expansion ROM's base; its bit 0 enables the ROM. */
const ROM_BASE = 0x30;
const ROM_ENABLE = 1;
/** PCI 2.1 §6.2.4: who made the board. The numbers by which firmware knows that it is a virtual machine. */
const SUBSYSTEM = [0xf4, 0x1a, 0x00, 0x11] as const;

/** An I/O range that the guest places. */
export interface IoRange {
  /** Configuration register (4-aligned) that holds the base. */
  readonly register: number;
  /** Ports, a power of two of at least 4. */
  readonly count: number;
  /** Whether the range is decoded, besides the base being set; default: command register bit 0. */
  enabled?(config: readonly number[]): boolean;
  /** Told of each change: the base, or `undefined` while nothing is decoded. */
  moved(base: number | undefined): void;
}

/** A memory range that the guest places below 4 GiB. */
export interface MemoryRange {
  /** Configuration register (4-aligned) that holds the base: 10h–24h, or 30h for the expansion ROM. */
  readonly register: number;
  /** A power of two of at least 16; for the ROM at least 2 KiB. */
  readonly bytes: number;
  /** Bits 0–3 of the register: 8 for prefetchable memory. */
  readonly flags?: number;
  /** Told of each change: the base, or `undefined` while nothing is decoded. */
  moved(base: number | undefined): void;
}

/** What a function is. */
export interface PciIdentity {
  /** For messages and saved states. */
  readonly name: string;
  /** Vendor ID. */
  readonly vendor: number;
  /** Device ID. */
  readonly device: number;
  /** Class, subclass, interface: 24 bits. */
  readonly classCode: number;
  /** Revision ID, default 0. */
  readonly revision?: number;
  /** Header type; bit 7 on the first function of a device with several. */
  readonly headerType?: number;
  /** Bits of the command register that can be set. */
  readonly commandMask?: number;
  /** Reset value of the status register. */
  readonly status?: number;
  /** Other bytes: offset, reset value, writable bits. */
  readonly registers?: readonly (readonly [offset: number, value: number, mask: number])[];
  /** What the guest places in the I/O space. */
  readonly ranges?: readonly IoRange[];
  /** What the guest places in memory. */
  readonly memory?: readonly MemoryRange[];
  /** Told of the configuration space after each write, reset and restore. */
  changed?(config: readonly number[]): void;
}

/** One function. */
export class PciFunction implements Device {
  readonly #identity: PciIdentity;
  readonly #mask = new Array<number>(CONFIG_BYTES).fill(0);
  #f: { config: number[] };
  readonly #bases: (number | undefined)[] = [];
  readonly #memoryBases: (number | undefined)[] = [];

  /** A function after reset. */
  constructor(identity: PciIdentity) {
    this.#identity = identity;
    this.#f = { config: this.#powerOn() };
    const commandMask = identity.commandMask ?? 0;
    this.#mask[COMMAND] = commandMask & 0xff;
    this.#mask[COMMAND + 1] = commandMask >> 8;
    for (const [offset, , mask] of identity.registers ?? []) this.#mask[offset] = mask;
    for (const range of identity.ranges ?? []) {
      const mask = 0x10000 - range.count;
      this.#mask[range.register] = mask & 0xfc;
      this.#mask[range.register + 1] = mask >> 8;
      // A base address register has 32 bits: firmware works the size out of all of them.
      const isBase = range.register >= FIRST_BASE && range.register <= LAST_BASE;
      for (const i of isBase ? [2, 3] : []) this.#mask[range.register + i] = 0xff;
    }
    for (const { register, bytes } of identity.memory ?? []) {
      const mask = 0x100000000 - bytes;
      for (let i = 0; i < 4; i++) this.#mask[register + i] = Math.floor(mask / 256 ** i) & 0xff;
      if (register === ROM_BASE) this.#mask[register] = ROM_ENABLE;
    }
  }

  #powerOn(): number[] {
    const { vendor, device, classCode, revision, headerType, status } = this.#identity;
    const { registers, ranges, memory } = this.#identity;
    const config = new Array<number>(CONFIG_BYTES).fill(0);
    const put16 = (offset: number, value: number): void => {
      config[offset] = value & 0xff;
      config[offset + 1] = (value >> 8) & 0xff;
    };
    put16(0, vendor);
    put16(2, device);
    put16(6, status ?? 0);
    config[8] = revision ?? 0;
    config[9] = classCode & 0xff;
    put16(10, classCode >> 8);
    config[14] = headerType ?? 0;
    for (const range of ranges ?? []) config[range.register] = 1; // I/O space indicator
    for (const { register, flags } of memory ?? []) config[register] = flags ?? 0;
    SUBSYSTEM.forEach((byte, i) => config[0x2c + i] = byte);
    for (const [offset, value] of registers ?? []) config[offset] = value;
    return config;
  }

  reset(): void {
    this.#f = { config: this.#powerOn() };
    this.#move();
  }

  save(): Saved {
    return saveFields(this.#identity.name, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(this.#identity.name, 1, { config: [0] }, saved);
    if (fields.config.length !== CONFIG_BYTES) {
      throw new TypeError(`Cannot restore "${this.#identity.name}": not ${CONFIG_BYTES} bytes`);
    }
    this.#f = fields;
    this.#move();
  }

  /** A byte of the configuration space. */
  readConfig(offset: number): number {
    return this.#f.config[offset & 0xff];
  }

  /** Writes the writable bits of a byte. */
  writeConfig(offset: number, value: number): void {
    const at = offset & 0xff;
    const { config } = this.#f;
    if (at === 6 || at === 7) config[at] &= ~(value & 0xf9); // status: ones clear
    else config[at] = (config[at] & ~this.#mask[at]) | (value & this.#mask[at]);
    this.#move();
  }

  /** Where a memory range is decoded now. */
  #memoryBase(register: number): number | undefined {
    const { config } = this.#f;
    const isRom = register === ROM_BASE;
    if ((config[COMMAND] & COMMAND_MEMORY) === 0) return undefined;
    if (isRom && (config[register] & ROM_ENABLE) === 0) return undefined;
    const base = config[register + 3] * 0x1000000 +
      ((config[register + 2] << 16) | (config[register + 1] << 8) | (config[register] & 0xf0));
    return base === 0 ? undefined : base;
  }

  #move(): void {
    const { config } = this.#f;
    this.#identity.changed?.(config);
    (this.#identity.ranges ?? []).forEach((range, i) => {
      const on = range.enabled?.(config) ?? (config[COMMAND] & COMMAND_IO) !== 0;
      const base = (config[range.register] & 0xfc) | (config[range.register + 1] << 8);
      const high = config[range.register + 2] | config[range.register + 3];
      const at = on && base !== 0 && high === 0 ? base : undefined;
      if (at === this.#bases[i]) return;
      this.#bases[i] = at;
      range.moved(at);
    });
    (this.#identity.memory ?? []).forEach((range, i) => {
      const at = this.#memoryBase(range.register);
      if (at === this.#memoryBases[i]) return;
      this.#memoryBases[i] = at;
      range.moved(at);
    });
  }
}
