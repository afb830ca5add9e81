/**
 * Analysis: which registers are live at the start and end of each block, as bit sets.
 *
 * Iterative data flow backwards over the blocks (Aho et al., Compilers, 2nd ed., §9.2.5).
 *
 * @module
 */

import { type MachineFunction, visitRegisters } from "./machine.ts";

/** A set of registers. */
export class RegisterSet {
  readonly words: Uint32Array;

  constructor(wordsOrCount: number | Uint32Array) {
    this.words = typeof wordsOrCount === "number"
      ? new Uint32Array((wordsOrCount + 31) >> 5)
      : wordsOrCount;
  }

  has(register: number): boolean {
    return (this.words[register >> 5]! >>> (register & 31) & 1) !== 0;
  }

  add(register: number): void {
    this.words[register >> 5]! |= 1 << (register & 31);
  }

  delete(register: number): void {
    this.words[register >> 5]! &= ~(1 << (register & 31));
  }

  copyFrom(other: RegisterSet): void {
    this.words.set(other.words);
  }

  forEach(callback: (register: number) => void): void {
    for (let i = 0; i < this.words.length; i++) {
      for (let word = this.words[i]!; word !== 0; word &= word - 1) {
        callback(32 * i + 31 - Math.clz32(word & -word));
      }
    }
  }
}

/** Sets by block number. */
export interface Liveness {
  readonly atStart: readonly RegisterSet[];
  readonly atEnd: readonly RegisterSet[];
}

/** Computes liveness; numbers the blocks (`index`). */
export function computeLiveness(func: MachineFunction): Liveness {
  const { blocks, registerCount } = func;
  const newSet = (): RegisterSet => new RegisterSet(registerCount);
  const reads = blocks.map(newSet);
  const writes = blocks.map(newSet);
  const atStart = blocks.map(newSet);
  const atEnd = blocks.map(newSet);
  blocks.forEach((block, index) => {
    block.index = index;
    const read = reads[index] as RegisterSet;
    const written = writes[index] as RegisterSet;
    for (const instruction of block.instructions) {
      visitRegisters(
        instruction,
        (register) => {
          if (!written.has(register)) read.add(register);
        },
        (register) => written.add(register),
      );
    }
    (atStart[index] as RegisterSet).copyFrom(read);
  });
  for (let changed = true; changed;) {
    changed = false;
    for (let index = blocks.length - 1; index >= 0; index--) {
      const start = atStart[index]!.words;
      const end = atEnd[index]!.words;
      const read = reads[index]!.words;
      const written = writes[index]!.words;
      for (const next of blocks[index]!.successors) {
        const words = atStart[next.index]!.words;
        for (let i = 0; i < end.length; i++) end[i]! |= words[i]!;
      }
      for (let i = 0; i < start.length; i++) {
        const value = (read[i]! | (end[i]! & ~written[i]!)) >>> 0;
        if (value === start[i]) continue;
        start[i] = value;
        changed = true;
      }
    }
  }
  return { atStart, atEnd };
}
