/**
 * Bytes of code with the relocations that they need.
 *
 * @module
 */

import type { Relocation } from "../link/object.ts";

/** Appends bytes and 32-bit fields. */
export class CodeBuffer {
  readonly bytes: number[] = [];
  readonly relocations: Relocation[] = [];

  get length(): number {
    return this.bytes.length;
  }

  byte(...values: number[]): void {
    for (const value of values) this.bytes.push(value & 0xff);
  }

  word(value: number): void {
    this.byte(value, value >> 8);
  }

  dword(value: number): void {
    this.byte(value, value >> 8, value >> 16, value >>> 24);
  }

  /** A number, or a symbol's address plus a number. */
  address(symbol: string | undefined, value: number): void {
    if (symbol === undefined) {
      this.dword(value);
      return;
    }
    this.relocations.push({ offset: this.length, kind: "absolute", symbol, addend: value });
    this.dword(0);
  }

  /** The distance to a symbol from behind the field. */
  distance(symbol: string): void {
    this.relocations.push({ offset: this.length, kind: "relative", symbol, addend: 0 });
    this.dword(0);
  }

  /** Appends another buffer. */
  append(other: CodeBuffer): void {
    const start = this.length;
    for (const byte of other.bytes) this.bytes.push(byte);
    for (const relocation of other.relocations) {
      this.relocations.push({ ...relocation, offset: relocation.offset + start });
    }
  }
}
