/**
 * The display extension of Bochs: an index and a data port that set a graphics mode, and a linear frame buffer of
 * 16 MiB, which is the VGA's memory too.
 *
 * Registers: offset 0 from port 1CEh is the index, 1 (port 1CFh) the data; 16 bits each, at odd addresses too.
 *
 * Sources: Bochs iodev/display/vga "VBE display extension" interface, as documented in QEMU's docs/specs/
 * standard-vga.rst.
 *
 * @module
 */
import type { VbeMode } from "./vbe_image.ts";
import { PLANES_BYTES, VIDEO_MEMORY_BYTES, VideoMemory } from "./video_memory.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";

const NAME = "Bochs VBE";

const INDEX = {
  ID: 0,
  X: 1,
  Y: 2,
  BITS: 3,
  ENABLE: 4,
  BANK: 5,
  VIRTUAL_WIDTH: 6,
  VIRTUAL_HEIGHT: 7,
  X_OFFSET: 8,
  Y_OFFSET: 9,
  MEMORY: 10,
} as const;
const COUNT = 11;
/** The newest interface that there is, and the oldest. */
const ID_FIRST = 0xb0c0;
const ID_LAST = 0xb0c5;
const ENABLED = 0x01;
/** Reads give what a mode can have at most. */
const GET_CAPABILITIES = 0x02;
const WIDE_DAC = 0x20;
const KEEP_MEMORY = 0x80;
const MOST = { x: 2560, y: 1600, bits: 32 } as const;
/** The unit of {@link INDEX.MEMORY}. */
const MEMORY_UNIT = 0x10000;
/** The depth whose pixels are in planes. */
const PLANAR_BITS = 4;

function powerOn() {
  const registers = new Array<number>(COUNT).fill(0);
  registers[INDEX.ID] = ID_LAST;
  return { index: 0, registers };
}

/** The extension of a VGA. */
export class BochsVbe implements Device, Registers {
  /** The frame buffer. */
  readonly memory: VideoMemory = new VideoMemory();
  #f = powerOn();

  /** The frame buffer's addresses. */
  readonly frameBuffer: Registers = {
    read: (offset, size) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this.memory.read(offset + i);
      return value;
    },
    write: (offset, size, value) => {
      for (let i = 0; i < size; i++) this.memory.write(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };

  /** The graphics mode of the extension that is set, or `undefined`. */
  get mode(): VbeMode | undefined {
    const { registers } = this.#f;
    if (((registers[INDEX.ENABLE] as number) & ENABLED) === 0) return undefined;
    const at = (index: number): number => registers[index] as number;
    return {
      width: at(INDEX.X),
      height: at(INDEX.Y),
      bits: at(INDEX.BITS),
      pitch: at(INDEX.VIRTUAL_WIDTH),
      left: at(INDEX.X_OFFSET),
      top: at(INDEX.Y_OFFSET),
    };
  }

  /**
   * Which part of the memory the window at A0000h shows while a mode is set: the first byte, or with four bits a
   * pixel the first address of the planes.
   */
  get window(): { readonly base: number; readonly planar: boolean } | undefined {
    const { registers } = this.#f;
    if (((registers[INDEX.ENABLE] as number) & ENABLED) === 0) return undefined;
    const bank = registers[INDEX.BANK] as number;
    return { base: bank * MEMORY_UNIT, planar: registers[INDEX.BITS] === PLANAR_BITS };
  }

  /** Width of the DAC's colours. */
  get dacBits(): 6 | 8 {
    return ((this.#f.registers[INDEX.ENABLE] as number) & WIDE_DAC) === 0 ? 6 : 8;
  }

  reset(): void {
    this.#f = powerOn();
    this.memory.clear(PLANES_BYTES, VIDEO_MEMORY_BYTES);
  }

  /** Its registers, and the memory behind the planes: those are the VGA's to keep. */
  save(): Saved {
    const pixels = this.memory.save(PLANES_BYTES, VIDEO_MEMORY_BYTES);
    return saveFields(NAME, 1, { ...this.#f, pixels });
  }

  restore(saved: Saved): void {
    const pattern = { ...powerOn(), pixels: [] as number[] };
    const { pixels, ...fields } = restoreFields(NAME, 1, pattern, saved);
    if (fields.registers.length !== COUNT) {
      throw new TypeError(`Cannot restore "${NAME}": registers`);
    }
    this.#f = fields;
    this.memory.restore(PLANES_BYTES, VIDEO_MEMORY_BYTES, pixels);
  }

  read(offset: number, size: Width): number {
    const value = offset === 0 ? this.#f.index : this.#read();
    return size === 1 ? value & 0xff : value;
  }

  #read(): number {
    const { index, registers } = this.#f;
    if (index === INDEX.MEMORY) return VIDEO_MEMORY_BYTES / MEMORY_UNIT;
    if (((registers[INDEX.ENABLE] as number) & GET_CAPABILITIES) !== 0) {
      if (index === INDEX.X) return MOST.x;
      if (index === INDEX.Y) return MOST.y;
      if (index === INDEX.BITS) return MOST.bits;
    }
    return registers[index] ?? 0;
  }

  write(offset: number, size: Width, value: number): void {
    if (size === 1) return; // the registers have 16 bits
    if (offset === 0) this.#f.index = value & 0xffff;
    else this.#write(value & 0xffff);
  }

  #write(value: number): void {
    const { index, registers } = this.#f;
    const enabled = ((registers[INDEX.ENABLE] as number) & ENABLED) !== 0;
    switch (index) {
      case INDEX.ID:
        if (value >= ID_FIRST && value <= ID_LAST) registers[index] = value;
        return;
      case INDEX.X:
      case INDEX.Y:
      case INDEX.BITS:
        // A mode is set while the extension is off.
        if (!enabled) registers[index] = Math.min(value, this.#most(index));
        return;
      case INDEX.ENABLE:
        this.#enable(value);
        return;
      case INDEX.VIRTUAL_WIDTH:
        this.#setVirtualWidth(value);
        return;
      case INDEX.BANK:
      case INDEX.X_OFFSET:
      case INDEX.Y_OFFSET:
        registers[index] = value;
        return;
      default: // the virtual height follows from the width, the memory is what it is
    }
  }

  #most(index: number): number {
    return index === INDEX.X ? MOST.x : index === INDEX.Y ? MOST.y : MOST.bits;
  }

  #enable(value: number): void {
    const { registers } = this.#f;
    const enabled = ((registers[INDEX.ENABLE] as number) & ENABLED) !== 0;
    registers[INDEX.ENABLE] = value & 0xff;
    if (enabled || (value & ENABLED) === 0) return;
    registers[INDEX.X_OFFSET] = 0;
    registers[INDEX.Y_OFFSET] = 0;
    this.#setVirtualWidth(registers[INDEX.X] as number);
    if ((value & KEEP_MEMORY) === 0) this.memory.clear(0, VIDEO_MEMORY_BYTES);
  }

  /** As many lines as the memory has for the width. */
  #setVirtualWidth(width: number): void {
    const { registers } = this.#f;
    registers[INDEX.VIRTUAL_WIDTH] = Math.max(width, registers[INDEX.X] as number);
    const bits = registers[INDEX.BITS] as number;
    const pixelBytes = bits === PLANAR_BITS ? bits / 8 : Math.ceil(Math.max(bits, 1) / 8);
    const lineBytes = (registers[INDEX.VIRTUAL_WIDTH] as number) * pixelBytes;
    const lines = lineBytes === 0 ? 0 : Math.floor(VIDEO_MEMORY_BYTES / lineBytes);
    registers[INDEX.VIRTUAL_HEIGHT] = Math.min(lines, 0xffff);
  }
}
