/**
 * A PCI function: 256 bytes of configuration space, which bits of it can be written, and the I/O
 * ranges that its base address registers claim.
 *
 * Sources: PCI Local Bus Specification 2.1, §6 "Configuration space".
 *
 * @module
 */
import { type Device, restoreFields, type Saved, saveFields } from "../bus/device.ts";

const CONFIG_BYTES = 256;
const COMMAND = 4;
const COMMAND_IO = 1;

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
  /** Told of the configuration space after each write, reset and restore. */
  changed?(config: readonly number[]): void;
}

/** One function. */
export class PciFunction implements Device {
  readonly #identity: PciIdentity;
  readonly #mask = new Array<number>(CONFIG_BYTES).fill(0);
  #f: { config: number[] };
  readonly #bases: (number | undefined)[] = [];

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
    }
  }

  #powerOn(): number[] {
    const { vendor, device, classCode, revision, headerType, status, registers, ranges } =
      this.#identity;
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

  #move(): void {
    const { config } = this.#f;
    this.#identity.changed?.(config);
    (this.#identity.ranges ?? []).forEach((range, i) => {
      const on = range.enabled?.(config) ?? (config[COMMAND] & COMMAND_IO) !== 0;
      const base = (config[range.register] & 0xfc) | (config[range.register + 1] << 8);
      const at = on && base !== 0 ? base : undefined;
      if (at === this.#bases[i]) return;
      this.#bases[i] = at;
      range.moved(at);
    });
  }
}
