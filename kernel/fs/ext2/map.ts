/**
 * Which blocks a file has: twelve direct numbers, then one, two and three levels of indirect blocks.
 *
 * @module
 */
import { EFBIG, EIO, ENOMEM } from "../../abi/errno.ts";
import { EXT2_N_BLOCKS, EXT2_NDIR_BLOCKS } from "../../abi/ext2.ts";
import { kfree, kmalloc } from "../../mm/mod.ts";
import { metaAddress, metaNew, metaPut, metaRead } from "../meta.ts";
import { inodeDirty } from "../inode.ts";
import { CachePage, failed, Inode, SuperBlock } from "../types.ts";
import { allocateBlock, freeBlock } from "./allocate.ts";
import { ext2Dirty, ext2Error, isDataBlock, Volume, volumeOf } from "./volume.ts";

/** What is kept of an ext2 inode beside the common fields; `inode.data`. */
/*@unmanaged*/
export class Ext2Inode {
  flags: u32;
  fileAcl: u32;
  deletedAt: u32;
  /** Where the last block was allocated: number in the file, and on the disk. */
  lastBlock: u32;
  lastPlace: u32;
  /** The 15 block numbers, or the text of a short link, follow. */
}

/** Address of the 15 words. */
/*@inline*/
export function blockWords(inode: Inode): usize {
  return inode.data + offsetof<Ext2Inode>();
}

/** Bytes to allocate for an Ext2Inode with its words. */
export const EXT2_INODE_BYTES: u32 = 20 + EXT2_N_BLOCKS * 4;

/*@inline*/
function own(inode: Inode): Ext2Inode {
  return changetype<Ext2Inode>(inode.data);
}

/** Levels of indirection above data block `block`; its distance from the first of that kind. */
function levelsOf(v: Volume, block: u32): u32 {
  if (block < EXT2_NDIR_BLOCKS) return 0;
  let rest = block - EXT2_NDIR_BLOCKS;
  if (rest < v.perBlock) return 1;
  rest -= v.perBlock;
  if (rest >> v.perBits < v.perBlock) return 2;
  rest -= v.perBlock << v.perBits;
  return rest >> v.perBits >> v.perBits < v.perBlock ? 3 : 4;
}

function distance(v: Volume, block: u32, levels: u32): u32 {
  if (levels === 0) return block;
  let rest = block - EXT2_NDIR_BLOCKS;
  if (levels > 1) rest -= v.perBlock;
  if (levels > 2) rest -= v.perBlock << v.perBits;
  return rest;
}

/** A place near which a new block should be: behind the one before, or in the inode's group. */
function goalFor(inode: Inode, block: u32): u32 {
  const o = own(inode);
  if (o.lastPlace !== 0 && block - o.lastBlock <= 16) return o.lastPlace + 1;
  const v = volumeOf(inode.superBlock);
  return v.firstBlock + (inode.number - 1) / v.inodesPerGroup * v.blocksPerGroup +
    v.descriptorBlocks + 2;
}

function allocateFor(inode: Inode, block: u32): i32 {
  const at = allocateBlock(inode.superBlock, goalFor(inode, block));
  if (at > 0) {
    const o = own(inode);
    o.lastBlock = block;
    o.lastPlace = at;
    inode.sectors += inode.superBlock.blockSize >> 9;
    inodeDirty(inode);
  }
  return at;
}

/** InodeOps.mapBlock; with `create` the caller holds the inode's lock. */
export function ext2MapBlock(inode: Inode, block: u32, create: bool): i32 {
  const superBlock = inode.superBlock;
  const v = volumeOf(superBlock);
  const levels = levelsOf(v, block);
  if (levels > 3) return create ? -EFBIG : 0;
  const rest = distance(v, block, levels);
  const word = blockWords(inode) +
    ((levels === 0 ? block : EXT2_NDIR_BLOCKS + levels - 1) << 2);
  let at = load<u32>(word);
  if (at === 0) {
    if (!create) return 0;
    const made = levels === 0 ? allocateFor(inode, block) : newIndirect(inode, block);
    if (made < 0) return made;
    at = made;
    store<u32>(word, at);
    inodeDirty(inode);
  }
  for (let level = levels; level > 0; level--) {
    if (!isDataBlock(superBlock, at)) return damaged(inode, at);
    const read = metaRead(superBlock, at);
    if (failed(read)) return <i32> read;
    const page = changetype<CachePage>(read);
    const index = (rest >> (v.perBits * (level - 1))) & (v.perBlock - 1);
    const slot = metaAddress(superBlock, page, at) + (index << 2);
    let next = load<u32>(slot);
    if (next === 0 && create) {
      const made = level === 1 ? allocateFor(inode, block) : newIndirect(inode, block);
      if (made < 0) {
        metaPut(page);
        return made;
      }
      next = made;
      store<u32>(slot, next);
      ext2Dirty(superBlock, page, at);
    }
    metaPut(page);
    if (next === 0) return 0;
    at = next;
  }
  return isDataBlock(superBlock, at) ? <i32> at : damaged(inode, at);
}

function damaged(inode: Inode, block: u32): i32 {
  return ext2Error(inode.superBlock, c`inode %u has block %u`, inode.number, block);
}

/** An indirect block full of zeros. */
function newIndirect(inode: Inode, block: u32): i32 {
  const at = allocateFor(inode, block);
  if (at < 0) return at;
  const page = metaNew(inode.superBlock, at);
  if (failed(page)) {
    release(inode, at);
    return <i32> page;
  }
  metaPut(changetype<CachePage>(page));
  return at;
}

function release(inode: Inode, block: u32): void {
  const own512 = inode.superBlock.blockSize >> 9;
  if (freeBlock(inode.superBlock, block) < 0) return;
  inode.sectors = inode.sectors > own512 ? inode.sectors - own512 : 0;
  inodeDirty(inode);
}

/* Indirect blocks that may still be visited; a file has no more than its i_blocks say. */
/*@unmanaged*/
export class Budget {
  left: u32;
  error: i32;
}

/**
 * Frees the blocks of a subtree of `level` levels at block `at`, whose first data block is number
 * `base` of the file, from number `first` on. True when the whole subtree is gone.
 */
function freeBranch(
  inode: Inode,
  at: u32,
  level: u32,
  base: u64,
  first: u64,
  budget: Budget,
): bool {
  const superBlock = inode.superBlock;
  const v = volumeOf(superBlock);
  if (level === 0) {
    release(inode, at);
    return true;
  }
  if (budget.left === 0 || !isDataBlock(superBlock, at)) {
    budget.error = damaged(inode, at);
    return false;
  }
  budget.left--;
  const read = metaRead(superBlock, at);
  if (failed(read)) {
    budget.error = <i32> read;
    return false;
  }
  const page = changetype<CachePage>(read);
  const words = metaAddress(superBlock, page, at);
  const span = <u64> 1 << (v.perBits * (level - 1));
  let empty = true;
  for (let i: u32 = 0; i < v.perBlock; i++) {
    const below = load<u32>(words + (i << 2));
    if (below === 0) continue;
    const start = base + <u64> i * span;
    if (start + span <= first || budget.error < 0) {
      empty = false;
      continue;
    }
    if (freeBranch(inode, below, level - 1, start, first, budget)) {
      store<u32>(words + (i << 2), 0);
      ext2Dirty(superBlock, page, at);
    } else empty = false;
  }
  metaPut(page);
  if (empty && base >= first) {
    release(inode, at);
    return true;
  }
  return false;
}

/** InodeOps.truncate: frees the blocks behind `size` bytes. */
export function ext2Truncate(inode: Inode, size: u64): i32 {
  const superBlock: SuperBlock = inode.superBlock;
  const v = volumeOf(superBlock);
  const first = (size + <u64> (superBlock.blockSize - 1)) >> superBlock.blockBits;
  const words = blockWords(inode);
  const budget = changetype<Budget | null>(kmalloc(offsetof<Budget>()));
  if (budget === null) return -ENOMEM;
  budget.left = inode.sectors / (superBlock.blockSize >> 9) + 3;
  budget.error = 0;
  let base: u64 = 0;
  for (let i: u32 = 0; i < EXT2_N_BLOCKS; i++) {
    const level: u32 = i < EXT2_NDIR_BLOCKS ? 0 : i - EXT2_NDIR_BLOCKS + 1;
    const span = <u64> 1 << (v.perBits * level);
    const at = load<u32>(words + (i << 2));
    if (at !== 0 && base + span > first) {
      if (freeBranch(inode, at, level, base, first, budget)) {
        store<u32>(words + (i << 2), 0);
        inodeDirty(inode);
      }
    }
    base += span;
  }
  own(inode).lastPlace = 0;
  const error = budget.error;
  kfree(changetype<usize>(budget));
  return error < 0 ? -EIO : 0;
}
