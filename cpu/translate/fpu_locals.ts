/**
 * The x87's words in locals of a region: TOP, tags and status are registers like the general ones; the pointers to the
 * last instruction and operand are known by their records, and set where the region leaves or calls.
 * Sources: SDM vol. 1 §8.1.2, §8.1.3, §8.1.7, §8.1.8.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import type { WasmFunction } from "../execute/wasm.ts";
import { setPointers } from "../fpu/mod.ts";
import * as L from "../state/layout.ts";

/** Their numbers among a region's registers: behind the general ones and two words of flags. */
const FIRST = 10;
const WORDS: readonly number[] = [L.FPU_TOP, L.FPU_TAG, L.FPU_STATUS];
/** Registers of a region in all. */
export const REGISTERS: number = FIRST + WORDS.length;
/** Bits of `used`: all of the words; the pointers are set by the region. */
export const FPU_WORDS: number = ((1 << WORDS.length) - 1) << FIRST;
export const FPU_POINTERS: number = 1 << REGISTERS;
/** Status word: an unmasked exception is pending. */
export const FPU_PENDING = 0x80;

/** Number of the register at an offset of the state, −1 if it is never in a local. */
export function registerIndex(offset: number): number {
  const index = (offset - L.GPR) >> 2;
  if (index >= 0 && index < 8) return index;
  const word = WORDS.indexOf(offset);
  return word < 0 ? -1 : FIRST + word;
}

/** Locals of the x87 in a region. */
export class FpuLocals {
  readonly #f: WasmFunction;
  readonly #registers: readonly number[];
  /** The last instruction's record, the last with a memory operand, its offset. 0: in memory already. */
  readonly #pointers: readonly [number, number, number];
  /** The region has x87 instructions, so that the pointers are to be set where it leaves. */
  hasPointers = false;

  /** `registers`: the locals of all of the region's registers. */
  constructor(f: WasmFunction, registers: readonly number[]) {
    this.#f = f;
    this.#registers = registers;
    this.#pointers = [f.local(), f.local(), f.local()];
  }
  /** Stores the words of a set, by their bits. */
  store(words: number): void {
    for (const [i, offset] of WORDS.entries()) {
      if (words & (1 << (FIRST + i))) {
        this.#f.i32(0).get(this.#registers[FIRST + i] as number).store(offset);
      }
    }
  }
  /** Loads the words of a set. */
  load(words: number): void {
    for (const [i, offset] of WORDS.entries()) {
      if (words & (1 << (FIRST + i))) {
        this.#f.loadAt(offset).set(this.#registers[FIRST + i] as number);
      }
    }
  }
  /** Stores the words of a set and the pointers: other code comes. */
  spill(runtime: Runtime, words: number): void {
    this.store(words);
    this.storePointers(runtime);
  }
  /** Stores the pointers: other code comes, or a load of a segment register, which they name. */
  storePointers(runtime: Runtime): void {
    if (!this.hasPointers) return;
    const [record, operand, offset] = this.#pointers;
    const f = this.#f;
    f.get(record).if().get(record).get(operand).get(offset).call(setPointers(runtime));
    f.i32(0).set(record).i32(0).set(operand).end();
  }
  /** An instruction that the pointers are to name; `offset` pushes its operand's, if that is in memory. */
  point(record: number, offset?: () => void): void {
    const f = this.#f;
    f.i32(record).set(this.#pointers[0]);
    if (offset === undefined) return;
    f.i32(record).set(this.#pointers[1]);
    offset();
    f.set(this.#pointers[2]);
  }
}
