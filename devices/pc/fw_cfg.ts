/**
 * QEMU's firmware configuration device: how the machine tells a BIOS what it is, as numbered items and named files,
 * read byte by byte or by DMA.
 *
 * Registers: offsets from port 510h: 0 selector (16 bits), 1 data, 4 and 8 the DMA address (64 bits, big-endian). A
 * read behind an item's end gives zeros. Items cannot be written.
 *
 * Sources: QEMU docs/specs/fw_cfg.rst.
 *
 * @module
 */
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";

const NAME = "fw_cfg";
/** First port and number of ports. */
export const FW_CFG_PORTS = { first: 0x510, count: 12 } as const;

const KEY = { SIGNATURE: 0x00, ID: 0x01, DIRECTORY: 0x19, FIRST_FILE: 0x20 } as const;
/** Items that have a number of their own. */
export const FW_CFG_KEY = {
  ramBytes: 0x03,
  processors: 0x05,
  numa: 0x0d,
  bootMenu: 0x0e,
  mostProcessors: 0x0f,
  irq0Override: 0x8002,
} as const;

/** The traditional interface, and DMA. */
const FEATURES = 3;
const FILE_NAME_BYTES = 56;
const DATA = 1;
const DMA_HIGH = 4;
const DMA_LOW = 8;
/** "QEMU CFG": what the DMA address reads as. */
const DMA_SIGNATURE = new TextEncoder().encode("QEMU CFG");
const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;
const DMA_BYTES = 16;
const ZEROS = new Uint8Array(0x10000);

function powerOn() {
  return { selected: 0, offset: 0, dmaHigh: 0 };
}

/** Memory that the device reads requests from and copies items to. */
export interface FwCfgMemory {
  readonly size: number;
  read(physical: number, length: number): Uint8Array;
  write(physical: number, bytes: Uint8Array): void;
}

/** The device. */
export class FwCfg implements Device, Registers {
  readonly #memory: FwCfgMemory;
  readonly #items = new Map<number, Uint8Array>();
  readonly #files: { readonly name: string; readonly bytes: Uint8Array }[] = [];
  #f = powerOn();

  /** One without items but those that say that it is there. */
  constructor(options: { memory: FwCfgMemory }) {
    this.#memory = options.memory;
    this.#items.set(KEY.SIGNATURE, new TextEncoder().encode("QEMU"));
    this.setNumber(KEY.ID, FEATURES, 4);
    this.#list();
  }

  /** An item that is a number of so many bytes, little-endian. */
  setNumber(key: number, value: number, size: 2 | 4 | 8 | 16): void {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < Math.min(size, 6); i++) bytes[i] = Math.floor(value / 256 ** i) & 0xff;
    this.#items.set(key, bytes);
  }

  /**
   * Adds a file.
   *
   * @throws {RangeError} when its name is longer than 55 bytes or taken.
   */
  addFile(name: string, bytes: Uint8Array): void {
    if (new TextEncoder().encode(name).length >= FILE_NAME_BYTES) {
      throw new RangeError(`Cannot add the firmware file "${name}": its name is too long`);
    }
    if (this.#files.some((file) => file.name === name)) {
      throw new RangeError(`Cannot add the firmware file "${name}": there is one`);
    }
    this.#items.set(KEY.FIRST_FILE + this.#files.length, bytes);
    this.#files.push({ name, bytes });
    this.#list();
  }

  /** The directory: count, then size, key and name of each file, big-endian. */
  #list(): void {
    const entryBytes = 8 + FILE_NAME_BYTES;
    const bytes = new Uint8Array(4 + entryBytes * this.#files.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach((file, index) => {
      const at = 4 + entryBytes * index;
      view.setUint32(at, file.bytes.length);
      view.setUint16(at + 4, KEY.FIRST_FILE + index);
      bytes.set(new TextEncoder().encode(file.name), at + 8);
    });
    this.#items.set(KEY.DIRECTORY, bytes);
  }

  reset(): void {
    this.#f = powerOn();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
  }

  read(offset: number, size: Width): number {
    if (offset === DATA && size === 1) {
      const f = this.#f;
      return this.#items.get(f.selected)?.[f.offset++] ?? 0;
    }
    if (offset < DMA_HIGH) return 0;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      value = value * 256 + (DMA_SIGNATURE[(offset - DMA_HIGH + i) & 7] as number);
    }
    return value;
  }

  write(offset: number, size: Width, value: number): void {
    if (offset === 0 && size === 2) this.#select(value);
    else if (offset === DMA_HIGH && size === 4) this.#f.dmaHigh = swapped(value);
    else if (offset === DMA_LOW && size === 4) {
      // There is no RAM above 4 GiB.
      if (this.#f.dmaHigh === 0) this.#transfer(swapped(value));
      this.#f.dmaHigh = 0;
    }
  }

  #select(key: number): void {
    this.#f.selected = key & 0xbfff; // bit 14: to write
    this.#f.offset = 0;
  }

  /** Does the request at `at`: control, length and address, big-endian. */
  #transfer(at: number): void {
    if (at + DMA_BYTES > this.#memory.size) return;
    const request = this.#memory.read(at, DMA_BYTES);
    const view = new DataView(request.buffer, request.byteOffset, DMA_BYTES);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    if ((control & DMA_SELECT) !== 0) this.#select(control >>> 16);
    let result = 0;
    if ((control & DMA_READ) !== 0) {
      result = this.#copy(view.getUint32(8), view.getUint32(12), length);
    } else if ((control & DMA_WRITE) !== 0) result = DMA_ERROR;
    else if ((control & DMA_SKIP) !== 0) this.#f.offset += length;
    const done = new Uint8Array(4);
    done[3] = result;
    this.#memory.write(at, done);
  }

  #copy(high: number, address: number, length: number): number {
    const f = this.#f;
    if (high !== 0 || address + length > this.#memory.size) return DMA_ERROR;
    const item = this.#items.get(f.selected) ?? new Uint8Array(0);
    const part = item.subarray(f.offset, f.offset + length);
    this.#memory.write(address, part);
    f.offset += length;
    // A guest may ask for any length: zeros go out in pieces.
    for (let done = part.length; done < length; done += ZEROS.length) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.length, length - done));
      this.#memory.write(address + done, zeros);
    }
    return 0;
  }
}

function swapped(value: number): number {
  const bytes = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}
