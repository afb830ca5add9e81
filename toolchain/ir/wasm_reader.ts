/**
 * Reads the primitive values of the Wasm binary format (WebAssembly core specification 2.0 §5.2).
 *
 * @module
 */

/** A cursor over bytes. */
export class WasmReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  /** The next byte, which stays. */
  peek(): number {
    const byte = this.bytes[this.position];
    if (byte === undefined) throw new SyntaxError("The Wasm module is truncated");
    return byte;
  }

  u8(): number {
    const byte = this.peek();
    this.position++;
    return byte;
  }

  /** Unsigned LEB128, 32 bits. */
  u32(): number {
    let result = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.u8();
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
  }

  /** Signed LEB128, 32 bits. */
  s32(): number {
    let result = 0;
    for (let shift = 0;;) {
      const byte = this.u8();
      result |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte >= 0x80) continue;
      return shift < 32 && (byte & 0x40) !== 0 ? result | -1 << shift : result | 0;
    }
  }

  /** Signed LEB128, 64 bits. */
  s64(): bigint {
    let result = 0n;
    for (let shift = 0n;;) {
      const byte = this.u8();
      result |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte >= 0x80) continue;
      return BigInt.asIntN(64, (byte & 0x40) !== 0 ? result | -1n << shift : result);
    }
  }

  /** A 32-bit pattern, little-endian. */
  bits32(): number {
    const value = this.#view.getUint32(this.position, true);
    this.position += 4;
    return value;
  }

  /** A 64-bit pattern, little-endian. */
  bits64(): bigint {
    const value = this.#view.getBigUint64(this.position, true);
    this.position += 8;
    return value;
  }

  /** `count` bytes, not copied. */
  take(count: number): Uint8Array {
    const start = this.position;
    this.position += count;
    if (this.position > this.bytes.length) throw new SyntaxError("The Wasm module is truncated");
    return this.bytes.subarray(start, this.position);
  }

  /** A name: length and UTF-8. */
  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }

  /** Calls `read` as often as the count that comes first says. */
  vector<T>(read: (index: number) => T): T[] {
    const count = this.u32();
    return Array.from({ length: count }, (_, index) => read(index));
  }
}
