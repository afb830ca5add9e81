/**
 * Which regions are there, and which of them go when there are too many: the host keeps a module's code as long as
 * one of its regions can be reached, so a module goes as a whole, and the ones that were not entered since the
 * last time go first (second chance: F. J. Corbató, "A Paging Experiment with the Multics System", 1968).
 * @module
 */
import type { Region } from "./region.ts";

/** A region in the table. */
export interface Installed {
  readonly region: Region;
  readonly slot: number;
  /** The block whose place it took. */
  readonly entry: number;
  readonly module: ResidentModule;
}
/** A module and its regions that are alive. */
export interface ResidentModule {
  /** Of its Wasm; the host's code for it takes about four times as many. */
  readonly bytes: number;
  readonly regions: Set<Installed>;
}

/** Offsets of words in a region's header in the arena. */
export const REGION_HEADER = {
  /** 1 until a block of the region is dropped. */
  ALIVE: 0,
  /** Set by each entry. */
  USED: 4,
  BYTES: 32,
} as const;

/** The regions that are there. */
export class Residents {
  readonly #i32: Int32Array;
  readonly #regions: WebAssembly.Table;
  readonly #limit: number;
  readonly #slots: number;
  /** By age. */
  readonly #modules = new Set<ResidentModule>();
  readonly #byBlock = new Map<number, Set<Installed>>();
  #free: number[] = [];
  #used = 0;
  #bytes = 0;

  /** `limit`: most bytes of Wasm; `slots`: most regions. */
  constructor(i32: Int32Array, regions: WebAssembly.Table, limit: number, slots: number) {
    this.#i32 = i32;
    this.#regions = regions;
    this.#limit = limit;
    this.#slots = slots;
  }

  /** Bytes of Wasm of the modules with regions that are alive. */
  get bytes(): number {
    return this.#bytes;
  }
  /** Regions that are alive. */
  get count(): number {
    return this.#used - this.#free.length;
  }
  /** Whether a block is part of a region. */
  has(block: number): boolean {
    return this.#byBlock.has(block);
  }
  /** The regions that a block is part of. */
  of(block: number): readonly Installed[] {
    return [...this.#byBlock.get(block) ?? []];
  }

  /** A module that is about to get its regions. */
  module(bytes: number): ResidentModule {
    const module = { bytes, regions: new Set<Installed>() };
    this.#modules.add(module);
    this.#bytes += bytes;
    return module;
  }
  /** Puts a region's function into the table; undefined when that is full. */
  install(
    module: ResidentModule,
    region: Region,
    entry: number,
    f: () => number,
  ): Installed | undefined {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#slots) return undefined;
    this.#regions.set(slot, f);
    const installed = { region, slot, entry, module };
    module.regions.add(installed);
    for (const { source } of region.nodes) {
      let list = this.#byBlock.get(source);
      if (list === undefined) {
        list = new Set();
        this.#byBlock.set(source, list);
      }
      list.add(installed);
    }
    return installed;
  }
  /** Takes a region out: nothing refers to its function any more. */
  remove(installed: Installed): void {
    const { region, slot, module } = installed;
    this.#i32[(region.alive + REGION_HEADER.ALIVE) >> 2] = 0;
    this.#regions.set(slot, null);
    this.#free.push(slot);
    for (const { source } of region.nodes) {
      const list = this.#byBlock.get(source);
      list?.delete(installed);
      if (list?.size === 0) this.#byBlock.delete(source);
    }
    module.regions.delete(installed);
    if (module.regions.size === 0 && this.#modules.delete(module)) this.#bytes -= module.bytes;
  }
  /** Forgets all regions: the arena is empty. */
  clear(): void {
    for (const { regions } of this.#modules) {
      for (const { slot } of regions) this.#regions.set(slot, null);
    }
    this.#modules.clear();
    this.#byBlock.clear();
    this.#free = [];
    this.#used = 0;
    this.#bytes = 0;
  }

  /** Regions that have to go now, if there are too many: until three quarters of the limit are left. */
  *superfluous(): Generator<Installed> {
    if (!this.#above(1)) return;
    // In the second round nothing has been used since the first.
    for (let round = 0; round < 2; round++) {
      for (const module of [...this.#modules]) {
        if (!this.#above(0.75)) return;
        if (!this.#wasUsed(module)) yield* [...module.regions];
      }
    }
  }
  #above(share: number): boolean {
    return this.#bytes > share * this.#limit || this.count > share * (this.#slots - 64);
  }
  /** Whether a region of the module was entered since this was asked last. */
  #wasUsed(module: ResidentModule): boolean {
    let used = false;
    for (const { region } of module.regions) {
      const at = (region.alive + REGION_HEADER.USED) >> 2;
      if (this.#i32[at] !== 0) used = true;
      this.#i32[at] = 0;
    }
    return used;
  }
}
