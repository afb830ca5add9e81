/**
 * Sets of interrupt vectors 0–255 as the local APIC keeps them: eight words of 32 bits (IRR, ISR, TMR).
 *
 * Sources: SDM vol. 3A §11.8.4 "Interrupt acceptance for fixed interrupts".
 *
 * @module
 */

/** Words of a set. */
const WORDS = 8;

/** An empty set. */
export function emptySet(): number[] {
  return new Array<number>(WORDS).fill(0);
}

/** Whether `vector` is in. */
export function has(set: readonly number[], vector: number): boolean {
  return ((set[vector >> 5] as number) & (1 << (vector & 31))) !== 0;
}

/** Puts `vector` in. */
export function add(set: number[], vector: number): void {
  set[vector >> 5] = (set[vector >> 5] as number) | (1 << (vector & 31));
}

/** Takes `vector` out. */
export function remove(set: number[], vector: number): void {
  set[vector >> 5] = (set[vector >> 5] as number) & ~(1 << (vector & 31));
}

/** The highest vector, which has the highest priority; -1 when the set is empty. */
export function highest(set: readonly number[]): number {
  for (let word = WORDS - 1; word >= 0; word--) {
    const bits = set[word] as number;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return -1;
}
