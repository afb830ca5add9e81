/**
 * A growing little-endian byte buffer for file formats.
 *
 * @module
 */

/** Appends numbers and strings. */
export class ByteWriter {
  #buffer = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  #reserve(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#buffer.length));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    return start;
  }

  put(bytes: ArrayLike<number>): void {
    const start = this.#reserve(bytes.length);
    this.#buffer.set(bytes, start);
  }

  zeros(count: number): void {
    this.#reserve(count);
  }

  align(alignment: number): void {
    this.zeros((alignment - this.#length % alignment) % alignment);
  }

  u8(...values: number[]): void {
    this.put(values);
  }

  u16(...values: number[]): void {
    for (const value of values) this.put([value & 0xff, value >> 8 & 0xff]);
  }

  u32(...values: number[]): void {
    for (const value of values) {
      this.put([value & 0xff, value >> 8 & 0xff, value >> 16 & 0xff, value >>> 24]);
    }
  }

  /** Unsigned LEB128 (DWARF 2 §7.6). */
  unsigned(value: number): void {
    do {
      const low = value & 0x7f;
      value >>>= 7;
      this.u8(value === 0 ? low : low | 0x80);
    } while (value !== 0);
  }

  /** Signed LEB128. */
  signed(value: number): void {
    for (;;) {
      const low = value & 0x7f;
      value >>= 7;
      const done = (value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0);
      this.u8(done ? low : low | 0x80);
      if (done) return;
    }
  }

  /** UTF-8 with a NUL behind. */
  string(text: string): void {
    this.put(new TextEncoder().encode(text));
    this.u8(0);
  }
}
