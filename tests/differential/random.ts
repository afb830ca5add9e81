/**
 * A seeded generator of random numbers with a taste for the values at which things break.
 * Source: xorshift32 (Marsaglia, Xorshift RNGs, 2003), state mixed from the seed by murmur3's finaliser.
 * @module
 */

/** Values at the edges of 8-, 16- and 32-bit integers. */
// deno-fmt-ignore
const EDGES = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x101, 0x7fff, 0x8000, 0x8001,
  0xffff, 0x10000, 0x10001, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xaaaaaaaa, 0x55555555, 0xfffffffe, 0xffffffff,
  0x99, 0x9a, 0x0f, 0x10, 0x90, 0xf0, 0xff00, 0xff80, 0xffff8000, 0xffffff80, 0xffffff7f, 0x00800000, 0x12345678,
];

export class Random {
  #state: number;

  constructor(seed: number) {
    let mixed = (seed ^ 0x5bd1e995) >>> 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    this.#state = (mixed ^ (mixed >>> 16)) >>> 0 || 1;
  }

  /** 32 random bits, unsigned. */
  word(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }
  /** 0 ≤ result < limit. */
  below(limit: number): number {
    return Math.floor(this.word() / 0x100000000 * limit);
  }
  /** True with the probability 1 / n. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  /** A word that is an edge value, near one, or random. */
  operand(): number {
    switch (this.below(4)) {
      case 0:
        return this.pick(EDGES);
      case 1:
        return (this.pick(EDGES) + this.below(5) - 2) >>> 0;
      case 2:
        return (this.word() & this.word()) >>> 0;
      default:
        return this.word();
    }
  }
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.below(256);
    return out;
  }
}
