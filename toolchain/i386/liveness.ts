/**
 * Analysis: which registers are live at the start and end of each block, as bit sets.
 *
 * Iterative data flow backwards over the blocks (Aho et al., Compilers, 2nd ed., §9.2.5).
 *
 * @module
 */

import { type MachineFunction, visitRegisters } from "./machine.ts";

/** A set of registers: bits in a part of a buffer, which sets of one analysis share. */
export class RegisterSet {
  readonly #buffer: Uint32Array;
  readonly #start: number;
  readonly #length: number;

  constructor(buffer: Uint32Array, start: number, length: number) {
    this.#buffer = buffer;
    this.#start = start;
    this.#length = length;
  }

  /** `count` empty sets for registers below `registerCount`. */
  static create(count: number, registerCount: number): RegisterSet[] {
    const length = (registerCount + 31) >> 5;
    const buffer = new Uint32Array(count * length);
    return Array.from({ length: count }, (_, i) => new RegisterSet(buffer, i * length, length));
  }

  has(register: number): boolean {
    return (this.#buffer[this.#start + (register >> 5)]! >>> (register & 31) & 1) !== 0;
  }

  add(register: number): void {
    this.#buffer[this.#start + (register >> 5)]! |= 1 << (register & 31);
  }

  delete(register: number): void {
    this.#buffer[this.#start + (register >> 5)]! &= ~(1 << (register & 31));
  }

  copyFrom(other: RegisterSet): void {
    for (let i = 0; i < this.#length; i++) {
      this.#buffer[this.#start + i] = other.#buffer[other.#start + i]!;
    }
  }

  /** Adds all members of another set. */
  addAll(other: RegisterSet): void {
    for (let i = 0; i < this.#length; i++) {
      this.#buffer[this.#start + i]! |= other.#buffer[other.#start + i]!;
    }
  }

  /** Becomes `base`, plus `other` less `removed`; true if that changed it. */
  assign(base: RegisterSet, other: RegisterSet, removed: RegisterSet): boolean {
    let changed = false;
    for (let i = 0; i < this.#length; i++) {
      const kept = other.#buffer[other.#start + i]! & ~removed.#buffer[removed.#start + i]!;
      const value = (base.#buffer[base.#start + i]! | kept) >>> 0;
      if (value === this.#buffer[this.#start + i]) continue;
      this.#buffer[this.#start + i] = value;
      changed = true;
    }
    return changed;
  }

  forEach(callback: (register: number) => void): void {
    for (let i = 0; i < this.#length; i++) {
      for (let word = this.#buffer[this.#start + i]!; word !== 0; word &= word - 1) {
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
  const count = blocks.length;
  const sets = RegisterSet.create(4 * count, registerCount);
  const reads = sets.slice(0, count);
  const writes = sets.slice(count, 2 * count);
  const atStart = sets.slice(2 * count, 3 * count);
  const atEnd = sets.slice(3 * count);
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
      const end = atEnd[index]!;
      for (const next of blocks[index]!.successors) end.addAll(atStart[next.index]!);
      if (atStart[index]!.assign(reads[index]!, end, writes[index]!)) changed = true;
    }
  }
  return { atStart, atEnd };
}
