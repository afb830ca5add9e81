/**
 * Allocating and freeing blocks and inodes in the bitmaps, near a goal.
 *
 * Between reading a bitmap and setting a bit nothing sleeps, so no lock is needed.
 *
 * @module
 */
import { EIO, ENOSPC } from "../../abi/errno.ts";
import {
  GD_BLOCK_BITMAP,
  GD_FREE_BLOCKS,
  GD_FREE_INODES,
  GD_INODE_BITMAP,
  GD_USED_DIRS,
  SB_DEF_RESUID,
  SB_FREE_BLOCKS_COUNT,
  SB_FREE_INODES_COUNT,
  SB_R_BLOCKS_COUNT,
} from "../../abi/ext2.ts";
import { current } from "../../proc/mod.ts";
import { metaAddress, metaForget, metaPut, metaRead } from "../meta.ts";
import { CachePage, failed, Inode, SuperBlock } from "../types.ts";
import {
  descriptor,
  descriptorDirty,
  ext2Abort,
  ext2Dirty,
  isDataBlock,
  superDirty,
} from "./volume.ts";
import { Volume, volumeOf } from "./volume.ts";

/** Index of the first clear bit in [from, end) of a bitmap, or `end`. */
export function findClear(bitmap: usize, from: u32, end: u32): u32 {
  let i = from;
  while (i < end) {
    if ((i & 31) === 0) {
      const word = load<u32>(bitmap + (i >> 3));
      if (word === 0xffffffff) {
        i += 32;
        continue;
      }
      i += ctz(~word);
      return i < end ? i : end;
    }
    if ((load<u8>(bitmap + (i >> 3)) & (1 << (i & 7))) === 0) return i;
    i++;
  }
  return end;
}

function setBit(bitmap: usize, i: u32): void {
  const at = bitmap + (i >> 3);
  store<u8>(at, <u8> (<u32> load<u8>(at) | (1 << (i & 7))));
}

/** Clears a bit: false when it was clear. */
function clearBit(bitmap: usize, i: u32): bool {
  const byte: u32 = load<u8>(bitmap + (i >> 3));
  if ((byte & (1 << (i & 7))) === 0) return false;
  store<u8>(bitmap + (i >> 3), <u8> (byte & ~(1 << (i & 7))));
  return true;
}

function add16(address: usize, delta: i32): void {
  store<u16>(address, <u16> (<i32> load<u16>(address) + delta));
}

function countBlocks(superBlock: SuperBlock, group: u32, delta: i32): void {
  const raw = volumeOf(superBlock).raw;
  add16(descriptor(superBlock, group) + GD_FREE_BLOCKS, delta);
  descriptorDirty(superBlock, group);
  store<u32>(raw + SB_FREE_BLOCKS_COUNT, load<u32>(raw + SB_FREE_BLOCKS_COUNT) + delta);
  superDirty(superBlock);
}

/** Blocks of a group; the last one may be short. */
function blocksInGroup(v: Volume, group: u32): u32 {
  const left = v.blocks - v.firstBlock - group * v.blocksPerGroup;
  return left < v.blocksPerGroup ? left : v.blocksPerGroup;
}

/** Whether the current task may use the reserved blocks. */
function mayUseReserve(v: Volume): bool {
  const uid = current().fsuid;
  return uid === 0 || uid === <u32> load<u16>(v.raw + SB_DEF_RESUID);
}

/** A block near `goal`: its number, or -ENOSPC, -EIO. Its contents are whatever they were. */
export function allocateBlock(superBlock: SuperBlock, goal: u32): i32 {
  const v = volumeOf(superBlock);
  const free = load<u32>(v.raw + SB_FREE_BLOCKS_COUNT);
  if (free === 0) return -ENOSPC;
  if (free <= load<u32>(v.raw + SB_R_BLOCKS_COUNT) && !mayUseReserve(v)) return -ENOSPC;
  if (goal <= v.firstBlock || goal >= v.blocks) goal = v.firstBlock;
  const home = (goal - v.firstBlock) / v.blocksPerGroup;
  const start = (goal - v.firstBlock) % v.blocksPerGroup;
  // The goal's group twice: from the goal on, and at the end its beginning.
  for (let i: u32 = 0; i <= v.groups; i++) {
    const group = (home + i) % v.groups;
    const d = descriptor(superBlock, group);
    if (load<u16>(d + GD_FREE_BLOCKS) === 0) continue;
    const bitmapBlock = load<u32>(d + GD_BLOCK_BITMAP);
    const read = metaRead(superBlock, bitmapBlock);
    if (failed(read)) return -EIO;
    const page = changetype<CachePage>(read);
    const bitmap = metaAddress(superBlock, page, bitmapBlock);
    const end = blocksInGroup(v, group);
    const bit = findClear(bitmap, i === 0 ? start : 0, end);
    if (bit === end) {
      metaPut(page);
      continue;
    }
    const block = v.firstBlock + group * v.blocksPerGroup + bit;
    if (!isDataBlock(superBlock, block)) {
      metaPut(page);
      return ext2Abort(superBlock, c`system block %u of group %u is marked free`, block, group);
    }
    setBit(bitmap, bit);
    ext2Dirty(superBlock, page, bitmapBlock);
    metaPut(page);
    countBlocks(superBlock, group, -1);
    return block;
  }
  return -ENOSPC;
}

/** Frees a block: 0, or -EIO when it is not one that a file can have, or is free already. */
export function freeBlock(superBlock: SuperBlock, block: u32): i32 {
  const v = volumeOf(superBlock);
  if (!isDataBlock(superBlock, block)) {
    return ext2Abort(superBlock, c`freeing block %u outside of the data area`, block, 0);
  }
  const group = (block - v.firstBlock) / v.blocksPerGroup;
  const bitmapBlock = load<u32>(descriptor(superBlock, group) + GD_BLOCK_BITMAP);
  const read = metaRead(superBlock, bitmapBlock);
  if (failed(read)) return -EIO;
  const page = changetype<CachePage>(read);
  const bit = (block - v.firstBlock) % v.blocksPerGroup;
  const wasSet = clearBit(metaAddress(superBlock, page, bitmapBlock), bit);
  if (wasSet) ext2Dirty(superBlock, page, bitmapBlock);
  metaPut(page);
  if (!wasSet) return ext2Abort(superBlock, c`block %u is free already`, block, 0);
  metaForget(superBlock, block);
  countBlocks(superBlock, group, 1);
  return 0;
}

/** The group for a new directory: enough free inodes, most free blocks, begun behind the last one. */
function groupForDirectory(superBlock: SuperBlock): u32 {
  const v = volumeOf(superBlock);
  const average = load<u32>(v.raw + SB_FREE_INODES_COUNT) / v.groups;
  let best: u32 = 0;
  let bestFree: i32 = -1;
  for (let i: u32 = 0; i < v.groups; i++) {
    const group = (v.directoryGroup + i) % v.groups;
    const d = descriptor(superBlock, group);
    const inodes: u32 = load<u16>(d + GD_FREE_INODES);
    if (inodes === 0 || inodes < average) continue;
    const free: i32 = load<u16>(d + GD_FREE_BLOCKS);
    if (free > bestFree) {
      best = group;
      bestFree = free;
    }
  }
  v.directoryGroup = best;
  return best;
}

/** An inode near its directory: its number, or -ENOSPC, -EIO. */
export function allocateInode(superBlock: SuperBlock, parent: Inode, isDirectory: bool): i32 {
  const v = volumeOf(superBlock);
  const home = isDirectory ? groupForDirectory(superBlock) : (parent.number - 1) / v.inodesPerGroup;
  for (let i: u32 = 0; i < v.groups; i++) {
    const group = (home + i) % v.groups;
    const d = descriptor(superBlock, group);
    if (load<u16>(d + GD_FREE_INODES) === 0) continue;
    const bitmapBlock = load<u32>(d + GD_INODE_BITMAP);
    const read = metaRead(superBlock, bitmapBlock);
    if (failed(read)) return -EIO;
    const page = changetype<CachePage>(read);
    const bitmap = metaAddress(superBlock, page, bitmapBlock);
    const bit = findClear(bitmap, 0, v.inodesPerGroup);
    if (bit === v.inodesPerGroup) {
      metaPut(page);
      continue;
    }
    const number = group * v.inodesPerGroup + bit + 1;
    if (number < v.firstInode) {
      metaPut(page);
      return ext2Abort(superBlock, c`reserved inode %u is marked free`, number, 0);
    }
    setBit(bitmap, bit);
    ext2Dirty(superBlock, page, bitmapBlock);
    metaPut(page);
    countInode(superBlock, group, -1, isDirectory);
    return number;
  }
  return -ENOSPC;
}

function countInode(superBlock: SuperBlock, group: u32, delta: i32, isDirectory: bool): void {
  const raw = volumeOf(superBlock).raw;
  const d = descriptor(superBlock, group);
  add16(d + GD_FREE_INODES, delta);
  if (isDirectory) add16(d + GD_USED_DIRS, -delta);
  descriptorDirty(superBlock, group);
  store<u32>(raw + SB_FREE_INODES_COUNT, load<u32>(raw + SB_FREE_INODES_COUNT) + delta);
  superDirty(superBlock);
}

/** Frees an inode number. */
export function freeInode(superBlock: SuperBlock, number: u32, isDirectory: bool): i32 {
  const v = volumeOf(superBlock);
  if (number < v.firstInode || number > v.inodes) {
    return ext2Abort(superBlock, c`freeing reserved inode %u`, number, 0);
  }
  const group = (number - 1) / v.inodesPerGroup;
  const bitmapBlock = load<u32>(descriptor(superBlock, group) + GD_INODE_BITMAP);
  const read = metaRead(superBlock, bitmapBlock);
  if (failed(read)) return -EIO;
  const page = changetype<CachePage>(read);
  const bit = (number - 1) % v.inodesPerGroup;
  const wasSet = clearBit(metaAddress(superBlock, page, bitmapBlock), bit);
  if (wasSet) ext2Dirty(superBlock, page, bitmapBlock);
  metaPut(page);
  if (!wasSet) return ext2Abort(superBlock, c`inode %u is free already`, number, 0);
  countInode(superBlock, group, 1, isDirectory);
  return 0;
}
