/**
 * A VGA's 256 KiB of memory as the CPU sees it: four planes behind the sequencer's map mask and the
 * graphics controller's read and write modes; text mode is the odd/even case of it.
 *
 * Sources: IBM VGA Technical Reference, "Graphics controller registers"; FreeVGA "Accessing the VGA
 * display memory".
 *
 * @module
 */

import type { VideoMemory } from "./video_memory.ts";

const PLANE_BYTES = 0x10000;

/** The registers that decide. */
export interface VgaAccess {
  /** Sequencer registers, by index. */
  readonly sequencer: readonly number[];
  /** Graphics controller registers, by index. */
  readonly graphics: readonly number[];
}

/** The window at A0000h that the memory map select leaves: first offset and length. */
function window(graphics: readonly number[]): readonly [number, number] {
  switch ((graphics[6] >> 2) & 3) {
    case 0:
      return [0, 0x20000];
    case 1:
      return [0, 0x10000];
    case 2:
      return [0x10000, 0x8000];
    default:
      return [0x18000, 0x8000];
  }
}

/** A part of a bigger memory that is shown in the window instead of the first planes: Bochs's extension does that. */
export interface VgaBank {
  /** First byte, or first address of planes. */
  readonly base: number;
  /** Planes behind the graphics controller, or bytes as they are. */
  readonly planar: boolean;
}

/** The planes and the latches. */
export class VgaMemory {
  readonly #memory: VideoMemory;
  /** Byte `address` of plane `p` is at `address * 4 + p`. */
  readonly planes: Uint8Array<ArrayBuffer>;
  /** The read latches, one a plane. */
  latches: number[] = [0, 0, 0, 0];

  /** The planes of a card's memory. */
  constructor(memory: VideoMemory) {
    this.#memory = memory;
    this.planes = memory.bytes;
  }

  /** Reads a byte at `offset` from A0000h; all ones outside the window. */
  read(offset: number, registers: VgaAccess, bank?: VgaBank): number {
    const { sequencer, graphics } = registers;
    const [first, length] = window(graphics);
    if (offset < first || offset >= first + length) return 0xff;
    if (bank?.planar === false) return this.#memory.read(bank.base + offset - first);
    let address = offset - first;
    let plane = graphics[4] & 3;
    if ((sequencer[4] & 8) !== 0) {
      plane = address & 3;
      address &= ~3;
    } else if ((graphics[5] & 0x10) !== 0) {
      plane = (plane & 2) | (address & 1);
      address &= ~1;
    }
    address = (address & (PLANE_BYTES - 1)) + (bank?.base ?? 0);
    for (let p = 0; p < 4; p++) this.latches[p] = this.#memory.read(address * 4 + p);
    if ((graphics[5] & 8) === 0) return this.latches[plane];
    // Read mode 1: the pixels whose colour equals the compare register, in the planes that count.
    let match = 0xff;
    for (let p = 0; p < 4; p++) {
      if ((graphics[7] & (1 << p)) === 0) continue;
      match &= (graphics[2] & (1 << p)) !== 0 ? this.latches[p] : ~this.latches[p];
    }
    return match & 0xff;
  }

  /** Writes a byte at `offset` from A0000h. Returns whether it hit the window. */
  write(offset: number, value: number, registers: VgaAccess, bank?: VgaBank): boolean {
    const { sequencer, graphics } = registers;
    const [first, length] = window(graphics);
    if (offset < first || offset >= first + length) return false;
    if (bank?.planar === false) {
      this.#memory.write(bank.base + offset - first, value);
      return true;
    }
    let address = offset - first;
    let mask = sequencer[2] & 15;
    if ((sequencer[4] & 8) !== 0) {
      mask &= 1 << (address & 3);
      address &= ~3;
    } else if ((sequencer[4] & 4) === 0) {
      mask &= (address & 1) === 0 ? 5 : 10;
      address &= ~1;
    }
    address = (address & (PLANE_BYTES - 1)) + (bank?.base ?? 0);
    for (let p = 0; p < 4; p++) {
      if ((mask & (1 << p)) === 0) continue;
      this.#memory.write(address * 4 + p, this.#data(p, value, graphics));
    }
    return true;
  }

  #data(plane: number, value: number, graphics: readonly number[]): number {
    const bit = 1 << plane;
    const count = graphics[3] & 7;
    const rotated = ((value >> count) | (value << (8 - count))) & 0xff;
    const setReset = (graphics[0] & bit) !== 0 ? 0xff : 0;
    let mask = graphics[8] & 0xff;
    let data: number;
    switch (graphics[5] & 3) {
      case 0:
        data = (graphics[1] & bit) !== 0 ? setReset : rotated;
        break;
      case 1:
        return this.latches[plane];
      case 2:
        data = (value & bit) !== 0 ? 0xff : 0;
        break;
      default:
        data = setReset;
        mask &= rotated;
    }
    const latch = this.latches[plane];
    switch ((graphics[3] >> 3) & 3) {
      case 1:
        data &= latch;
        break;
      case 2:
        data |= latch;
        break;
      case 3:
        data ^= latch;
        break;
      default:
    }
    return (data & mask) | (latch & ~mask);
  }
}
