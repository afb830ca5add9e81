/**
 * What the translator tells about itself: figures that are always kept, and exact counts of what regions do,
 * for which they are compiled with counters (only where somebody asked for them: one costs about 0.2 ns).
 * @module
 */
import type { WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";

/** Figures about what was translated. */
export interface TranslatorStatistics {
  /** Regions, dropped ones included. */
  regions: number;
  /** Regions that are there now. */
  live: number;
  /** Guest instructions in all of them, dropped ones included. */
  instructions: number;
  /** Wasm modules, those without a living region included. */
  modules: number;
  /** Wasm bytes. */
  bytes: number;
  /** Regions that died because code changed. */
  dropped: number;
  /** Regions that died to make room. */
  evicted: number;
  /** Regions that were given up to be made again with more in them. */
  remade: number;
  /** Host milliseconds of making Wasm; 0 without a clock. */
  generationMs: number;
  /** Host milliseconds of compiling and installing it; 0 without a clock. */
  compilationMs: number;
}

/** No figures yet. */
export function noStatistics(): TranslatorStatistics {
  return {
    regions: 0,
    live: 0,
    instructions: 0,
    modules: 0,
    bytes: 0,
    dropped: 0,
    evicted: 0,
    remade: 0,
    generationMs: 0,
    compilationMs: 0,
  };
}

/** Names of counts: what is counted, and behind a space of which operation. */
export type CountName =
  | "translated"
  | "entered"
  | "interpreted behind"
  | "nested call"
  | "leave: budget"
  | "leave: link"
  | "leave: dispatch"
  | "indirect jump"
  | "indirect call"
  | "return"
  | `bail ${string}`
  | `handler ${string}`
  | `assist ${string}`;

/** Counters in linear memory, 64 bits each, by name. */
export class RegionCounters {
  readonly #i64: BigInt64Array;
  readonly #addresses = new Map<CountName, number>();

  constructor(memory: WebAssembly.Memory) {
    this.#i64 = new BigInt64Array(memory.buffer);
  }

  /** Emits an addition to a count. */
  add(f: WasmFunction, name: CountName, by = 1): void {
    const at = this.#address(name);
    f.i32(0).i32(0).memory("i64.load", at).i64(BigInt(by)).op("i64.add").memory("i64.store", at);
  }
  /** The address of a name's counter; beyond the room for them all share the last one. */
  #address(name: CountName): number {
    let at = this.#addresses.get(name);
    if (at === undefined) {
      at = L.REGION_COUNTERS + 8 * Math.min(this.#addresses.size, L.REGION_COUNTERS_MAX - 1);
      this.#addresses.set(name, at);
    }
    return at;
  }
  /** Counts that are not 0. */
  counts(): Map<string, number> {
    const out = new Map<string, number>();
    for (const [name, at] of this.#addresses) {
      const count = Number(this.#i64[at >> 3]);
      if (count !== 0) out.set(name, count);
    }
    return out;
  }
}
