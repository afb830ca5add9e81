/**
 * Decoded code: the arena of blocks, how they are found, and how stores to code drop them.
 *
 * A block is found by (physical address, EIP, mode). Physical pages with blocks are marked, so that the
 * write TLB leaves them out; within such a page a bitmap of 64-byte granules tells the stores that hit
 * code from those that hit data beside it. A dropped block keeps its bytes but gets a length that no
 * budget can pay, so every link to it leads to the run loop. When the arena is full everything is dropped.
 * Sources: SDM vol. 3A §11.6 (self-modifying code: seen at once in our case).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "./core.ts";

const HASH_BITS = 15;
/** Most bytes that one block may take, instrumentation included. */
export const BLOCK_ROOM = 0x8000;

export class Blocks {
  readonly #core: Core;
  readonly #heads = new Int32Array(1 << HASH_BITS);
  /** Blocks by physical page; a block across two pages is in both lists. */
  readonly #pages = new Map<number, number[]>();
  /** Per physical page: 1 when it holds code. */
  readonly #hasCode: Uint8Array;
  /** Two words of granule bits for each page. */
  readonly #granules: Uint32Array;
  #top: number = L.ARENA;
  /** Statistics: blocks decoded, dropped by stores, times the arena was emptied. */
  readonly statistics = { decoded: 0, dropped: 0, flushes: 0 };

  /** Hears of blocks that stores drop. */
  onDrop: ((block: number) => void) | undefined = undefined;

  constructor(core: Core) {
    this.#core = core;
    const pages = 0x100000;
    this.#hasCode = new Uint8Array(pages);
    this.#granules = new Uint32Array(pages * 2);
  }

  hasCode(page: number): boolean {
    return this.#hasCode[page] === 1;
  }

  /** Address of the block, or 0. */
  find(physical: number, eip: number, mode: number): number {
    const { i32 } = this.#core;
    let block = this.#heads[hash(physical)] as number;
    while (block !== 0) {
      const at = block >> 2;
      if (
        i32[at + 2] === (physical | 0) && i32[at + 1] === (eip | 0) && i32[at + 3] === mode &&
        i32[at] !== L.DEAD_LENGTH
      ) return block;
      block = i32[at + 7] as number;
    }
    return 0;
  }

  /** Start of free arena with room for a block; 0 when it is full. */
  reserve(): number {
    // The last room is for blocks that are not kept (engine.ts).
    return this.#top + 2 * BLOCK_ROOM > L.ARENA_END ? 0 : this.#top;
  }
  /** Keeps the block at the start of free arena, which `end` ends. */
  commit(block: number, end: number): void {
    this.statistics.decoded++;
    this.#top = end;
    const { i32 } = this.#core;
    const at = block >> 2;
    const physical = i32[at + 2] as number;
    const slot = hash(physical);
    i32[at + 7] = this.#heads[slot] as number;
    this.#heads[slot] = block;
    const bytes = i32[at + 4] as number;
    const inFirst = Math.min(bytes, 0x1000 - (physical & 0xfff));
    this.#mark(block, physical, inFirst);
    const second = i32[at + 5] as number;
    if (second !== -1) this.#mark(block, second, bytes - inFirst);
  }
  #mark(block: number, physical: number, bytes: number): void {
    const page = physical >>> 12;
    let list = this.#pages.get(page);
    if (list === undefined) {
      list = [];
      this.#pages.set(page, list);
    }
    list.push(block);
    if (this.#hasCode[page] === 0) {
      this.#hasCode[page] = 1;
      this.#core.memory.protectCode(physical & ~0xfff);
    }
    this.#setGranules(page, physical & 0xfff, bytes);
  }
  #setGranules(page: number, offset: number, bytes: number): void {
    for (let granule = offset >> 6; granule <= (offset + bytes - 1) >> 6; granule++) {
      const word = page * 2 + (granule >> 5);
      this.#granules[word] = (this.#granules[word] as number) | (1 << (granule & 31));
    }
  }

  /** Drops the blocks that overlap the bytes. Returns true when there were any. */
  written(physical: number, length: number): boolean {
    let any = false;
    let at = physical >>> 0;
    const end = at + length;
    while (at < end) {
      const page = at >>> 12;
      const next = Math.min(end, (page + 1) * 0x1000);
      if (page < this.#hasCode.length && this.#hasCode[page] === 1) {
        if (this.#touches(page, at & 0xfff, next - at)) any = this.#drop(page, at, next) || any;
      }
      at = next;
    }
    return any;
  }
  #touches(page: number, offset: number, bytes: number): boolean {
    for (let granule = offset >> 6; granule <= (offset + bytes - 1) >> 6; granule++) {
      if ((this.#granules[page * 2 + (granule >> 5)] as number) & (1 << (granule & 31))) {
        return true;
      }
    }
    return false;
  }
  #drop(page: number, from: number, to: number): boolean {
    const { i32, u32 } = this.#core;
    const list = this.#pages.get(page) ?? [];
    const kept: number[] = [];
    let any = false;
    this.#granules[page * 2] = 0;
    this.#granules[page * 2 + 1] = 0;
    for (const block of list) {
      const at = block >> 2;
      if (i32[at] === L.DEAD_LENGTH) continue;
      const physical = u32[at + 2] as number;
      const bytes = i32[at + 4] as number;
      const inFirst = Math.min(bytes, 0x1000 - (physical & 0xfff));
      const second = i32[at + 5] as number;
      const here = physical >>> 12 === page;
      const start = here ? physical : second >>> 0;
      const length = here ? inFirst : bytes - inFirst;
      if (start < to && start + length > from) {
        i32[at] = L.DEAD_LENGTH;
        this.statistics.dropped++;
        any = true;
        this.#unhash(block);
        this.onDrop?.(block);
      } else {
        kept.push(block);
        this.#setGranules(page, start & 0xfff, length);
      }
    }
    if (kept.length > 0) this.#pages.set(page, kept);
    else {
      this.#pages.delete(page);
      this.#hasCode[page] = 0;
    }
    return any;
  }
  /** Forgets a block whose bytes have not changed. */
  discard(block: number): void {
    const { i32 } = this.#core;
    if (i32[block >> 2] === L.DEAD_LENGTH) return;
    i32[block >> 2] = L.DEAD_LENGTH;
    this.#unhash(block);
  }
  /** Room in the arena for something that lives until everything is dropped; 0 when it is full. */
  allocate(bytes: number): number {
    const at = this.#top;
    if (at + bytes + 2 * BLOCK_ROOM > L.ARENA_END) return 0;
    this.#top += bytes;
    return at;
  }
  #unhash(block: number): void {
    const { i32 } = this.#core;
    const slot = hash(i32[(block >> 2) + 2] as number);
    let at = this.#heads[slot] as number;
    if (at === block) {
      this.#heads[slot] = i32[(block >> 2) + 7] as number;
      return;
    }
    while (at !== 0) {
      const next = i32[(at >> 2) + 7] as number;
      if (next === block) {
        i32[(at >> 2) + 7] = i32[(block >> 2) + 7] as number;
        return;
      }
      at = next;
    }
  }

  /** Drops everything. Only between blocks. */
  flush(): void {
    this.statistics.flushes++;
    this.#heads.fill(0);
    for (const page of this.#pages.keys()) {
      this.#hasCode[page] = 0;
      this.#granules.fill(0, page * 2, page * 2 + 2);
    }
    this.#pages.clear();
    this.#top = L.ARENA;
    this.#core.i32.fill(0, L.JUMP_CACHE >> 2, (L.JUMP_CACHE + L.JUMP_CACHE_BYTES) >> 2);
  }
}

function hash(physical: number): number {
  return (physical ^ (physical >>> 13)) & ((1 << HASH_BITS) - 1);
}
