/**
 * Finding the block at EIP: code TLB, block hash, decoder; and the links between blocks.
 *
 * A link within one linear page of flat code stays true as long as both blocks live. A link to another page
 * holds while the mode word is the one under which the target's address was last translated. Everything else
 * goes through the jump cache, whose keys hold the mode word: mode bits and the epoch of code mappings.
 * @module
 */
import * as L from "../state/layout.ts";
import { BLOCK_ROOM, type Blocks } from "./blocks.ts";
import type { Core } from "./core.ts";
import { SPECIAL } from "./handlers.ts";
import type { BlockTranslator } from "./translate_block.ts";

/** Where blocks that must not be kept are decoded: behind the arena's last block. */
const UNCACHED: number = L.ARENA_END - BLOCK_ROOM;
const CODE_TLB = 1024;

export class CodeFinder {
  readonly #core: Core;
  readonly #blocks: Blocks;
  readonly #translator: BlockTranslator;
  /** Drops all blocks. */
  readonly #flush: () => void;
  /** Direct-mapped cache of linear → physical code pages, valid for one epoch and mode. */
  readonly #codeLinear = new Int32Array(CODE_TLB).fill(-1);
  readonly #codeMode = new Int32Array(CODE_TLB);
  readonly #codePhysical = new Int32Array(CODE_TLB);

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
    if (!flat && (eip >>> 0) > core.segmentLimit(L.CS)) core.raise(13, 0);
    const linear = flat ? eip : (core.segmentBase(L.CS) + eip) | 0;
    const page = linear >>> 12;
    const slot = page & (CODE_TLB - 1);
    let physical;
    if (this.#codeLinear[slot] === page && this.#codeMode[slot] === word) {
      physical = (this.#codePhysical[slot] as number) | (linear & 0xfff);
    } else {
      physical = core.memory.translateCode(linear);
      this.#codeLinear[slot] = page;
      this.#codeMode[slot] = word;
      this.#codePhysical[slot] = physical & ~0xfff;
    }
    let block = this.#blocks.find(physical, eip, mode);
    if (block !== 0 && !this.#stillValid(block, linear, flat)) block = 0;
    if (block === 0) {
      if (core.memory.hostOf(physical) === 0) {
        // What is on the bus may change without a trace, so it is decoded each time.
        this.#translator.translate(UNCACHED, eip, physical, mode);
        i32[(UNCACHED + L.BLOCK.COUNT) >> 2] = 0;
        return UNCACHED;
      }
      block = this.#blocks.reserve();
      if (block === 0) {
        this.#flush();
        block = this.#blocks.reserve();
      }
      this.#blocks.commit(block, this.#translator.translate(block, eip, physical, mode));
    }
    i32[(block + L.BLOCK.EPOCH) >> 2] = word;
    const entry = (L.JUMP_CACHE +
      (((eip << 4) ^ (eip >>> 8)) & (((1 << L.JUMP_CACHE_BITS) - 1) << 4))) >> 2;
    i32[entry] = eip;
    i32[entry + 1] = word;
    i32[entry + 2] = block;
    return block;
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

/** Puts a block into the link word of a record; from another page with a check of the epoch. */
export function linkBranch({ i32 }: Core, link: number, block: number): void {
  const record = link & ~(L.RECORD_BYTES - 1);
  const from = i32[(record + L.RECORD.EIP) >> 2] as number;
  const to = i32[(block + L.BLOCK.EIP) >> 2] as number;
  const mode = i32[(block + L.BLOCK.MODE) >> 2] as number;
  if ((mode & L.MODE.FLAT_CODE) === 0) return;
  const samePage = (from ^ to) >>> 12 === 0 && i32[(block + L.BLOCK.SECOND) >> 2] === -1;
  i32[link >> 2] = samePage ? block : block | L.LINK_CHECKED;
}
