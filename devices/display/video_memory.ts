/**
 * The card's 16 MiB of memory. A VGA's four planes of 64 KiB are the first 256 KiB of it: byte `address` of plane `p`
 * is at `address * 4 + p`; the modes of Bochs's extension have their pixels one after the other.
 *
 * Sources: QEMU docs/specs/standard-vga.rst.
 *
 * @module
 */

/** Bytes of the memory. */
export const VIDEO_MEMORY_BYTES: number = 16 << 20;
/** Bytes of the four planes of a VGA. */
export const PLANES_BYTES: number = 256 << 10;

/** The memory. */
export class VideoMemory {
  /** Zero where nothing was written. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(VIDEO_MEMORY_BYTES);
  /** Nothing from here on was written. */
  #top = PLANES_BYTES;

  /** One byte. */
  read(offset: number): number {
    return this.bytes[offset] ?? 0;
  }

  /** Stores a byte; outside of the memory it goes nowhere. */
  write(offset: number, value: number): void {
    this.bytes[offset] = value;
    if (offset >= this.#top) this.#top = Math.min(offset + 1, VIDEO_MEMORY_BYTES);
  }

  /** Zeroes from `first` up to `end`. */
  clear(first: number, end: number): void {
    this.bytes.fill(0, first, Math.min(end, this.#top));
  }

  /** A part as pairs of offset and value: most of it is zero. */
  save(first: number, end: number): number[] {
    const pairs: number[] = [];
    this.bytes.subarray(first, Math.min(end, this.#top)).forEach((value, offset) => {
      if (value !== 0) pairs.push(first + offset, value);
    });
    return pairs;
  }

  /** Puts a part back; pairs outside of it are left out. */
  restore(first: number, end: number, pairs: readonly number[]): void {
    this.clear(first, end);
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const offset = pairs[i] as number;
      if (offset >= first && offset < end) this.write(offset, pairs[i + 1] as number);
    }
  }
}
