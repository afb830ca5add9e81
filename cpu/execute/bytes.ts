/**
 * Bytes that are appended one after the other, with the numbers of WebAssembly's binary format among them.
 *
 * Sources: WebAssembly core specification 2.0 §5.2.2 (LEB128).
 * @module
 */

const FIRST_SIZE = 256;
const ENCODER = new TextEncoder();

/** A buffer that grows. */
export class Bytes {
  #data: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `size`: bytes for which there is room before it grows. */
  constructor(size: number = FIRST_SIZE) {
    this.#data = new Uint8Array(size);
  }

  /** Bytes that were appended. */
  get length(): number {
    return this.#length;
  }
  /** What was appended so far, without a copy: later bytes may go elsewhere. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#data.subarray(0, this.#length);
  }

  /** Appends the low 8 bits. */
  byte(value: number): void {
    if (this.#length === this.#data.length) this.#grow(1);
    this.#data[this.#length++] = value;
  }
  /** Appends all bytes of a list. */
  append(bytes: ArrayLike<number>): void {
    const { length } = bytes;
    if (this.#length + length > this.#data.length) this.#grow(length);
    this.#data.set(bytes, this.#length);
    this.#length += length;
  }
  /** Appends a 32-bit number without a sign. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte(rest & 0x7f | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }
  /** Appends a 32-bit number with a sign. */
  signed(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.byte(rest & 0x7f | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }
  /** Appends a 64-bit number with a sign. */
  signed64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    while (rest < -0x40n || rest > 0x3fn) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.byte(Number(rest & 0x7fn));
  }
  /** Appends a name: its length in bytes, and its UTF-8. */
  text(value: string): void {
    const bytes = ENCODER.encode(value);
    this.unsigned(bytes.length);
    this.append(bytes);
  }
  /** Forgets all. */
  clear(): void {
    this.#length = 0;
  }

  #grow(by: number): void {
    const data = new Uint8Array(Math.max(2 * this.#data.length, this.#length + by));
    data.set(this.view);
    this.#data = data;
  }
}
