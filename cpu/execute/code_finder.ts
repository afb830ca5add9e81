/**
 * Finding the block at EIP: TLB, block hash, decoder; and the links between blocks.
 *
 * A link within one linear page of flat code stays true as long as both blocks live. A link to another page
 * holds while the read TLB maps the target's page to where the target was decoded: address spaces that share code
 * share its links. Everything else goes through the jump cache, whose entries are checked in the same way.
 * @module
 */
import * as L from "../state/layout.ts";
import { BLOCK_ROOM, type Blocks } from "./blocks.ts";
import type { Core } from "./core.ts";
import { SPECIAL } from "./handlers.ts";
import type { BlockTranslator } from "./translate_block.ts";

/** Where blocks that must not be kept are decoded: behind the arena's last block. */
const UNCACHED: number = L.ARENA_END - BLOCK_ROOM;

export class CodeFinder {
  readonly #core: Core;
  readonly #blocks: Blocks;
  readonly #translator: BlockTranslator;
  /** Drops all blocks. */
  readonly #flush: () => void;
  constructor(core: Core, blocks: Blocks, translator: BlockTranslator, flush: () => void) {
    this.#core = core;
    this.#blocks = blocks;
    this.#translator = translator;
    this.#flush = flush;
  }

  /** The block at EIP, decoded if need be; fills the jump cache. May throw a fetch fault. */
  find(): number {
    const core = this.#core;
    const { i32 } = core;
    const eip = i32[L.EIP >> 2] as number;
    const word = i32[L.MODE_WORD >> 2] as number;
    const mode = word & L.MODE_MASK;
    const flat = (mode & L.MODE.FLAT_CODE) !== 0;
    i32[L.SECOND_CHECKED >> 2] = 0;
    if (!flat && (eip >>> 0) > core.segmentLimit(L.CS)) core.raise(13, 0);
    const linear = flat ? eip : (core.segmentBase(L.CS) + eip) | 0;
    const physical = this.#physical(linear);
    let block = this.#blocks.find(physical, eip, mode);
    if (block !== 0 && !this.#stillValid(block, linear, flat)) block = 0;
    // Hooks are put on linear addresses.
    if (
      block !== 0 && !flat && this.#translator.instrument !== undefined &&
      i32[(block + L.BLOCK.TLB_AT) >> 2] !== tableOffset(linear)
    ) block = 0;
    if (block === 0) {
      if (core.memory.hostOf(physical) === 0) {
        // What is on the bus may change without a trace, so it is decoded each time.
        this.#translator.translate(UNCACHED, eip, physical, mode);
        i32[(UNCACHED + L.BLOCK.COUNT) >> 2] = 0;
        if (i32[(UNCACHED + L.BLOCK.SECOND) >> 2] !== -1) this.#checked(UNCACHED, linear);
        return UNCACHED;
      }
      block = this.#blocks.reserve();
      if (block === 0) {
        this.#flush();
        block = this.#blocks.reserve();
      }
      const end = this.#translator.translate(block, eip, physical, mode);
      this.#blocks.commit(block, end, this.#translator.live);
    }
    const page = this.#pageWord(linear, physical);
    i32[(block + L.BLOCK.TLB_WORD) >> 2] = page;
    i32[(block + L.BLOCK.TLB_AT) >> 2] = tableOffset(linear);
    if (i32[(block + L.BLOCK.SECOND) >> 2] !== -1) this.#checked(block, linear);
    const entry = (L.JUMP_CACHE +
      (((eip << 4) ^ (eip >>> 8)) & (((1 << L.JUMP_CACHE_BITS) - 1) << 4))) >> 2;
    i32[entry] = eip;
    i32[entry + 1] = word;
    i32[entry + 2] = block;
    i32[entry + 3] = page;
    return block;
  }
  /** Physical address of code: what is in the TLB as readable may be executed. */
  #physical(linear: number): number {
    const { i32, memory, ramBytes } = this.#core;
    const word = i32[((i32[L.TLB_READ >> 2] as number) + tableOffset(linear)) >> 2] as number;
    if (word !== 0) {
      const physical = ((linear + word - L.TLB_DIRECT) >>> 0) - L.RAM_BASE;
      if (physical < ramBytes) return physical;
    }
    return memory.translateCode(linear);
  }
  /** The word of the read TLB that maps a linear page to a physical one, which is not on the bus. */
  #pageWord(linear: number, physical: number): number {
    const host = this.#core.memory.hostOf(physical & ~0xfff);
    return ((host - (linear & ~0xfff)) | 0) + L.TLB_DIRECT;
  }
  /** The second page of a block has just been looked up: says so to the block's first record. */
  #checked(block: number, linear: number): void {
    const { i32 } = this.#core;
    // Of a region's entry the records are the region's.
    const real = i32[(block + L.BLOCK.REAL) >> 2] as number;
    const record = (real === 0 ? block : real) + L.BLOCK_BYTES;
    const second = ((linear & ~0xfff) + 0x1000) | 0;
    i32[(record + L.RECORD.A) >> 2] = tableOffset(second);
    i32[(record + L.RECORD.B) >> 2] = this.#pageWord(
      second,
      i32[(block + L.BLOCK.SECOND) >> 2] as number,
    );
    i32[L.SECOND_CHECKED >> 2] = record;
  }
  /** A cached block across two pages needs the same second page; in non-flat code also the limit. */
  #stillValid(block: number, linear: number, flat: boolean): boolean {
    const core = this.#core;
    const { i32 } = core;
    const bytes = i32[(block + L.BLOCK.BYTES) >> 2] as number;
    if (
      !flat && (i32[(block + L.BLOCK.EIP) >> 2] as number) + bytes - 1 > core.segmentLimit(L.CS)
    ) {
      return false;
    }
    const second = i32[(block + L.BLOCK.SECOND) >> 2] as number;
    if (second === -1) return true;
    const next = ((linear & ~0xfff) + 0x1000) | 0;
    return core.memory.translateCode(next) === second;
  }
  /** Links a branch to its target. */
  link(link: number, block: number): void {
    if (link < UNCACHED && block !== UNCACHED) linkBranch(this.#core, link, block);
  }
  /** Turns a dropped block that is still linked into a jump to its successor. */
  forward(dead: number, block: number): void {
    const { i32 } = this.#core;
    const at = dead >> 2;
    if (
      block === UNCACHED || i32[at + 1] !== i32[(block + L.BLOCK.EIP) >> 2] ||
      i32[at + 2] !== i32[(block + L.BLOCK.PHYSICAL) >> 2] ||
      i32[at + 3] !== i32[(block + L.BLOCK.MODE) >> 2] ||
      i32[(block + L.BLOCK.SECOND) >> 2] !== -1
    ) return;
    const record = (dead + L.BLOCK_BYTES) >> 2;
    i32[at] = 0;
    // It is never hot: there is nothing in it to translate.
    i32[(dead + L.BLOCK.COUNT) >> 2] = 0;
    i32[(dead + L.BLOCK.REAL) >> 2] = 0;
    i32[record] = SPECIAL.FALL_THROUGH;
    i32[record + 1] = block;
    i32[record + 3] = i32[at + 1] as number;
  }
}

/** Where the word of a linear address is in a TLB table, in bytes. */
function tableOffset(linear: number): number {
  return (linear >>> 10) & 0x3ffffc;
}

/** Puts a block into the link word of a record; from another page with a check of the mapping. */
export function linkBranch({ i32 }: Core, link: number, block: number): void {
  const record = link & ~(L.RECORD_BYTES - 1);
  const from = i32[(record + L.RECORD.EIP) >> 2] as number;
  const to = i32[(block + L.BLOCK.EIP) >> 2] as number;
  const mode = i32[(block + L.BLOCK.MODE) >> 2] as number;
  if ((mode & L.MODE.FLAT_CODE) === 0) return;
  const samePage = (from ^ to) >>> 12 === 0 && i32[(block + L.BLOCK.SECOND) >> 2] === -1;
  i32[link >> 2] = samePage ? block : block | L.LINK_CHECKED;
}
