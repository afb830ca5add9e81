/**
 * Decoded code: the arena of blocks, how they are found, and how stores to code drop them.
 *
 * A block is found by (physical address, EIP, mode). Physical pages with blocks are marked, so that the write TLB
 * says so; a map with a bit for each byte of such a page tells the stores that hit code from those that hit data
 * beside it (code_stores.ts). Fields of instructions that were changed again and again are read anew by the block
 * (`LIVE` records), and are no longer code in that sense. A dropped block keeps its bytes but gets a length that no
 * budget can pay, so every link to it leads to the run loop. When the arena is full everything is dropped.
 * Sources: SDM vol. 3A §11.6 (self-modifying code: seen at once in our case).
 * @module
 */
import * as L from "../state/layout.ts";
import type { Core } from "./core.ts";

const HASH_BITS = 15;
/** Most bytes that one block may take, instrumentation included. */
export const BLOCK_ROOM = 0x8000;

/** Changes of a byte of code after which the field that it is in is read anew each time. */
const LIVE_AFTER = 2;
/** Longest store that counts as a change of a field, and shortest that is taken for other code. */
const PATCH_BYTES = 8;
const NEW_CODE_BYTES = 64;
/** Pages of which patches are remembered. */
const PATCHED_PAGES = 1024;

export class Blocks {
  readonly #core: Core;
  readonly #heads = new Int32Array(1 << HASH_BITS);
  /** Blocks by physical page; a block across two pages is in both lists. */
  readonly #pages = new Map<number, number[]>();
  /** Per physical page: 1 when it holds code. */
  readonly #hasCode: Uint8Array;
  /** Per physical page: its map of code in the arena, once it has one. */
  readonly #maps: Int32Array;
  /** Fields that a block reads anew: physical address and length, in turn. */
  readonly #live = new Map<number, readonly number[]>();
  /** Per byte of a page: times that a small store to it dropped code. */
  readonly #patched = new Map<number, Uint8Array>();
  #top: number = L.ARENA;
  /** Statistics: blocks decoded, dropped by stores, times the arena was emptied. */
  readonly statistics = { decoded: 0, dropped: 0, flushes: 0 };

  /** Hears of blocks that stores drop. */
  onDrop: ((block: number) => void) | undefined = undefined;

  constructor(core: Core) {
    this.#core = core;
    const pages = 0x100000;
    this.#hasCode = new Uint8Array(pages);
    this.#maps = new Int32Array(pages);
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
    return this.#top + 2 * BLOCK_ROOM + 2 * L.CODE_MAP_BYTES > L.ARENA_END ? 0 : this.#top;
  }
  /** Keeps the block at the start of free arena, which `end` ends; `live`: its fields that are read anew. */
  commit(block: number, end: number, live: readonly number[] = []): void {
    this.statistics.decoded++;
    this.#top = end;
    const { i32 } = this.#core;
    const at = block >> 2;
    const physical = i32[at + 2] as number;
    const slot = hash(physical);
    i32[at + 7] = this.#heads[slot] as number;
    this.#heads[slot] = block;
    if (live.length > 0) this.#live.set(block, [...live]);
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
      this.#publish(page);
      this.#core.memory.protectCode(physical & ~0xfff);
    }
    this.#setBits(block, physical, physical + bytes);
  }
  /** Tells the handlers about the map of a page of RAM. */
  #publish(page: number): void {
    let map = this.#maps[page] as number;
    if (map === 0) {
      map = this.#top;
      this.#top += L.CODE_MAP_BYTES;
      this.#core.i32.fill(0, map >> 2, (map + L.CODE_MAP_BYTES) >> 2);
      this.#maps[page] = map;
    }
    this.#point(page, map);
  }
  #point(page: number, map: number): void {
    const { i32, ramBytes } = this.#core;
    if (page >= ramBytes >>> 12) return;
    const at = (L.CODE_MAPS >> 2) + page;
    i32[at] = map | ((i32[at] as number) & L.CODE_MAP_TABLES);
  }
  /** Marks the bytes of a block, in one page, as code, but for the fields that it reads anew. */
  #setBits(block: number, from: number, to: number): void {
    const live = this.#live.get(block);
    let at = from;
    if (live !== undefined) {
      for (let i = 0; i < live.length; i += 2) {
        const field = live[i] as number;
        this.#changeBits(at, field, true);
        at = field + (live[i + 1] as number);
      }
    }
    this.#changeBits(at, to, true);
  }
  #changeBits(from: number, to: number, set: boolean): void {
    const { u8 } = this.#core;
    const map = this.#maps[from >>> 12] as number;
    let at = from & 0xfff;
    for (let left = to - from; left > 0;) {
      const bit = at & 7;
      const count = Math.min(left, 8 - bit);
      const bits = ((1 << count) - 1) << bit;
      const byte = map + (at >> 3);
      u8[byte] = set ? (u8[byte] as number) | bits : (u8[byte] as number) & ~bits;
      at += count;
      left -= count;
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
      if (page < this.#hasCode.length && this.#hasCode[page] === 1 && this.#touches(at, next)) {
        any = this.#drop(page, at, next) || any;
      }
      at = next;
    }
    return any;
  }
  /** Whether bytes of one page are code. */
  #touches(from: number, to: number): boolean {
    const { u8 } = this.#core;
    const map = this.#maps[from >>> 12] as number;
    let at = from & 0xfff;
    for (let left = to - from; left > 0;) {
      const bit = at & 7;
      const count = Math.min(left, 8 - bit);
      if (((u8[map + (at >> 3)] as number) >> bit) & ((1 << count) - 1)) return true;
      at += count;
      left -= count;
    }
    return false;
  }
  /** True for a field of an instruction that small stores changed again and again. */
  isPatched(physical: number, length: number): boolean {
    const counts = this.#patched.get(physical >>> 12);
    if (counts === undefined) return false;
    const offset = physical & 0xfff;
    for (let i = 0; i < length; i++) if ((counts[offset + i] as number) >= LIVE_AFTER) return true;
    return false;
  }
  /** Whether some field of the page's instructions was. */
  hasPatches(page: number): boolean {
    return this.#patched.has(page);
  }
  #count(page: number, from: number, to: number): void {
    let counts = this.#patched.get(page);
    if (to - from > PATCH_BYTES) {
      // Other code takes its place.
      if (to - from > NEW_CODE_BYTES) counts?.fill(0, from & 0xfff, (from & 0xfff) + to - from);
      return;
    }
    if (counts === undefined) {
      if (this.#patched.size >= PATCHED_PAGES) this.#patched.clear();
      counts = new Uint8Array(0x1000);
      this.#patched.set(page, counts);
    }
    for (let at = from; at < to; at++) {
      const offset = at & 0xfff;
      counts[offset] = Math.min(LIVE_AFTER, (counts[offset] as number) + 1);
    }
  }
  /** The bytes of a block in a page: start and end, physical. */
  #within(block: number, page: number): { start: number; end: number } {
    const { i32, u32 } = this.#core;
    const at = block >> 2;
    const physical = u32[at + 2] as number;
    const bytes = i32[at + 4] as number;
    const inFirst = Math.min(bytes, 0x1000 - (physical & 0xfff));
    if (physical >>> 12 === page) return { start: physical, end: physical + inFirst };
    const start = (i32[at + 5] as number) >>> 0;
    return { start, end: start + bytes - inFirst };
  }
  /** Whether a change of bytes is one of a block's code, and not of a field that it reads anew. */
  #concerns(block: number, from: number, to: number): boolean {
    const live = this.#live.get(block);
    if (live === undefined) return true;
    for (let i = 0; i < live.length; i += 2) {
      const field = live[i] as number;
      if (from >= field && to <= field + (live[i + 1] as number)) return false;
    }
    return true;
  }
  #drop(page: number, from: number, to: number): boolean {
    const { i32 } = this.#core;
    const list = this.#pages.get(page) ?? [];
    const kept: number[] = [];
    let [low, high] = [Infinity, 0];
    for (const block of list) {
      if (i32[block >> 2] === L.DEAD_LENGTH) continue;
      const { start, end } = this.#within(block, page);
      if (start < to && end > from && this.#concerns(block, from, to)) {
        i32[block >> 2] = L.DEAD_LENGTH;
        this.statistics.dropped++;
        low = Math.min(low, start);
        high = Math.max(high, end);
        this.#unhash(block);
        this.#live.delete(block);
        this.onDrop?.(block);
      } else kept.push(block);
    }
    // Regions' entries that were discarded meanwhile may be among those kept; their bits do no harm.
    if (kept.length === 0) {
      this.#pages.delete(page);
      this.#hasCode[page] = 0;
      const map = this.#maps[page] as number;
      i32.fill(0, map >> 2, (map + L.CODE_MAP_BYTES) >> 2);
      this.#point(page, 0);
    } else {
      this.#pages.set(page, kept);
      if (high > low) {
        this.#changeBits(low, high, false);
        for (const block of kept) {
          const { start, end } = this.#within(block, page);
          if (start < high && end > low) this.#setBits(block, start, end);
        }
      } else {
        // Bits of code that was discarded earlier.
        this.#changeBits(from, to, false);
        for (const block of kept) {
          const { start, end } = this.#within(block, page);
          if (start < to && end > from) this.#setBits(block, start, end);
        }
      }
    }
    if (high > low) this.#count(page, from, to);
    return high > low;
  }
  /** Forgets a block whose bytes have not changed. */
  discard(block: number): void {
    const { i32 } = this.#core;
    if (i32[block >> 2] === L.DEAD_LENGTH) return;
    i32[block >> 2] = L.DEAD_LENGTH;
    this.#unhash(block);
    this.#live.delete(block);
  }
  /** Blocks with code at linear addresses from `start` to before `end`, as far as that can be told. */
  *at(start: number, end: number): Generator<number> {
    const { i32, u32 } = this.#core;
    for (const [page, list] of this.#pages) {
      for (const block of list) {
        if (i32[block >> 2] === L.DEAD_LENGTH) continue;
        // One across two pages is in both lists.
        if ((u32[(block + L.BLOCK.PHYSICAL) >> 2] as number) >>> 12 !== page) continue;
        const eip = u32[(block + L.BLOCK.EIP) >> 2] as number;
        const bytes = i32[(block + L.BLOCK.BYTES) >> 2] as number;
        const flat = ((i32[(block + L.BLOCK.MODE) >> 2] as number) & L.MODE.FLAT_CODE) !== 0;
        // Where code with a base was, only its last finder knows.
        if (!flat || (eip < end && eip + bytes > start)) yield block;
      }
    }
  }
  /** Takes blocks that are forgotten out of the lists of their pages. */
  prune(blocks: Iterable<number>): void {
    const { i32, u32 } = this.#core;
    const pages = new Set<number>();
    for (const block of blocks) {
      pages.add((u32[(block + L.BLOCK.PHYSICAL) >> 2] as number) >>> 12);
      const second = i32[(block + L.BLOCK.SECOND) >> 2] as number;
      if (second !== -1) pages.add(second >>> 12);
    }
    for (const page of pages) {
      const list = this.#pages.get(page);
      if (list === undefined) continue;
      this.#pages.set(page, list.filter((block) => i32[block >> 2] !== L.DEAD_LENGTH));
    }
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
      this.#point(page, 0);
    }
    this.#pages.clear();
    this.#maps.fill(0);
    this.#live.clear();
    this.#patched.clear();
    this.#top = L.ARENA;
    this.#core.i32.fill(0, L.JUMP_CACHE >> 2, (L.JUMP_CACHE + L.JUMP_CACHE_BYTES) >> 2);
  }
}

function hash(physical: number): number {
  return (physical ^ (physical >>> 13)) & ((1 << HASH_BITS) - 1);
}
