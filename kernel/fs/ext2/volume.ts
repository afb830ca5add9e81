/**
 * A mounted ext2 volume: geometry, superblock and group descriptors (kept in pinned pages of the
 * device), errors, the clean flag.
 *
 * Nothing on the disk is trusted: numbers are checked where they are used, a wrong one gives -EIO, a
 * message, and the error flag in the superblock for e2fsck; allocation errors also make the volume
 * read-only.
 *
 * @module
 */
import { EINVAL, EIO, ENOMEM } from "../../abi/errno.ts";
import {
  COMPAT_HAS_JOURNAL,
  EXT2_ERROR_FS,
  EXT2_GOOD_OLD_FIRST_INO,
  EXT2_GOOD_OLD_INODE_SIZE,
  EXT2_MAGIC,
  EXT2_SUPER_OFFSET,
  EXT2_VALID_FS,
  GD_BLOCK_BITMAP,
  GD_INODE_BITMAP,
  GD_INODE_TABLE,
  GD_SIZE,
  INCOMPAT_FILETYPE,
  RO_COMPAT_LARGE_FILE,
  RO_COMPAT_SPARSE_SUPER,
  SB_BLOCKS_COUNT,
  SB_BLOCKS_PER_GROUP,
  SB_FEATURE_COMPAT,
  SB_FEATURE_INCOMPAT,
  SB_FEATURE_RO_COMPAT,
  SB_FIRST_DATA_BLOCK,
  SB_FIRST_INO,
  SB_INODE_SIZE,
  SB_INODES_COUNT,
  SB_INODES_PER_GROUP,
  SB_LOG_BLOCK_SIZE,
  SB_MAGIC,
  SB_MNT_COUNT,
  SB_MTIME,
  SB_REV_LEVEL,
  SB_STATE,
  SB_WTIME,
} from "../../abi/ext2.ts";
import { MS_RDONLY } from "../../abi/fcntl.ts";
import { EXT2_SUPER_MAGIC } from "../../abi/statfs.ts";
import { kfree, kmalloc, kzalloc } from "../../mm/mod.ts";
import { printk } from "../../lib/mod.ts";
import { realtimeSeconds } from "../../time/mod.ts";
import { blockTransfer } from "../block_io.ts";
import { cachePut, pageAddress } from "../cache.ts";
import { metaAddress, metaDirty, metaRead } from "../meta.ts";
import { pageRead } from "../page_io.ts";
import { CachePage, failed, SuperBlock } from "../types.ts";

/** What is kept of a volume; `superBlock.data`. */
/*@unmanaged*/
export class Volume {
  /** Pinned page with the superblock, and the superblock's address in it. */
  superPage: CachePage;
  raw: usize;
  blocks: u32;
  firstBlock: u32;
  inodes: u32;
  groups: u32;
  blocksPerGroup: u32;
  inodesPerGroup: u32;
  inodeSize: u32;
  firstInode: u32;
  revision: u32;
  /** Block numbers in an indirect block, and its logarithm. */
  perBlock: u32;
  perBits: u32;
  descriptorBlocks: u32;
  /** Pointers to the pinned pages of the group descriptor blocks. */
  descriptors: usize;
  hasFileType: bool;
  /** The clean flag as it was when mounted, without errors since. */
  wasClean: bool;
  /** The clean flag is on the disk just now. */
  markedClean: bool;
  /** Files without a name that are still open. */
  orphans: u32;
  /** Where the next directory may go. */
  directoryGroup: u32;
}

/*@inline*/
export function volumeOf(superBlock: SuperBlock): Volume {
  return changetype<Volume>(superBlock.data);
}

/** Address of a group's descriptor. */
export function descriptor(superBlock: SuperBlock, group: u32): usize {
  const v = volumeOf(superBlock);
  const perBlock = superBlock.blockSize / GD_SIZE;
  const n = group / perBlock;
  const page = changetype<CachePage>(load<usize>(v.descriptors + (n << 2)));
  return metaAddress(superBlock, page, descriptorBlock(v, n)) + (group % perBlock) * GD_SIZE;
}

function descriptorBlock(v: Volume, n: u32): u32 {
  return v.firstBlock + 1 + n;
}

/** A group's descriptor was changed. */
export function descriptorDirty(superBlock: SuperBlock, group: u32): void {
  const v = volumeOf(superBlock);
  const n = group / (superBlock.blockSize / GD_SIZE);
  const page = changetype<CachePage>(load<usize>(v.descriptors + (n << 2)));
  ext2Dirty(superBlock, page, descriptorBlock(v, n));
}

/* The superblock's own sectors: it may share its block with the boot block, or its page. */
/*@inline*/
function superBlockNumber(superBlock: SuperBlock): u32 {
  return EXT2_SUPER_OFFSET >> superBlock.blockBits;
}

/** The superblock was changed. */
export function superDirty(superBlock: SuperBlock): void {
  ext2Dirty(superBlock, volumeOf(superBlock).superPage, superBlockNumber(superBlock));
}

/** A metadata block was changed: from now on the volume is not clean. */
export function ext2Dirty(superBlock: SuperBlock, page: CachePage, block: u32): void {
  const v = volumeOf(superBlock);
  metaDirty(superBlock, page, block);
  if (v.markedClean) {
    v.markedClean = false;
    setState(superBlock, false);
  }
}

/** Writes the superblock at once. */
function superWriteNow(superBlock: SuperBlock): i32 {
  const v = volumeOf(superBlock);
  const segment = kmalloc(8);
  if (segment === 0) return -ENOMEM;
  store<u32>(segment, v.superPage.physical + EXT2_SUPER_OFFSET);
  store<u32>(segment, 1024, 4);
  const error = blockTransfer(superBlock.device!, true, EXT2_SUPER_OFFSET >> 9, segment, 1);
  kfree(segment);
  return error;
}

function setState(superBlock: SuperBlock, clean: bool): i32 {
  const v = volumeOf(superBlock);
  let state: u32 = load<u16>(v.raw + SB_STATE);
  if (clean) state |= EXT2_VALID_FS;
  else state &= ~EXT2_VALID_FS;
  store<u16>(v.raw + SB_STATE, <u16> state);
  store<u32>(v.raw + SB_WTIME, realtimeSeconds());
  return superWriteNow(superBlock);
}

/** SuperOps.synced: everything is on the disk. */
export function ext2Synced(superBlock: SuperBlock): i32 {
  const v = volumeOf(superBlock);
  if (v.markedClean || !v.wasClean || v.orphans > 0) return 0;
  if (superBlock.device!.inode.dirtyPages > 0) return 0;
  v.markedClean = true;
  return setState(superBlock, true);
}

/** Says that something on the disk is wrong (`text` with two numbers) and notes it there. */
export function ext2Error(superBlock: SuperBlock, text: usize, a: u32, b: u32): i32 {
  printk(c`ext2: %s: `, <u32> superBlock.device!.name);
  printk(text, a, b);
  printk(c`\n`);
  const v = volumeOf(superBlock);
  v.wasClean = false;
  if ((superBlock.flags & MS_RDONLY) === 0) {
    const state = load<u16>(v.raw + SB_STATE);
    if ((state & <u16> EXT2_ERROR_FS) === 0) {
      store<u16>(v.raw + SB_STATE, state | <u16> EXT2_ERROR_FS);
      superDirty(superBlock);
    }
  }
  return -EIO;
}

/** As `ext2Error`, for errors after which writing would do damage. */
export function ext2Abort(superBlock: SuperBlock, text: usize, a: u32, b: u32): i32 {
  ext2Error(superBlock, text, a, b);
  if ((superBlock.flags & MS_RDONLY) === 0) {
    printk(c`ext2: %s: now read-only\n`, <u32> superBlock.device!.name);
    superBlock.flags |= MS_RDONLY;
  }
  return -EIO;
}

/** True when the group has copies of superblock and descriptors (sparse_super: 0, 1, powers of 3, 5, 7). */
export function groupHasSuper(v: Volume, group: u32): bool {
  if (group <= 1) return true;
  if ((load<u32>(v.raw + SB_FEATURE_RO_COMPAT) & RO_COMPAT_SPARSE_SUPER) === 0) return true;
  return isPower(group, 3) || isPower(group, 5) || isPower(group, 7);
}

function isPower(n: u32, base: u32): bool {
  while (n % base === 0) n /= base;
  return n === 1;
}

/** True when a block number is inside the volume and not of its fixed metadata. */
export function isDataBlock(superBlock: SuperBlock, block: u32): bool {
  const v = volumeOf(superBlock);
  if (block <= v.firstBlock || block >= v.blocks) return false;
  const group = (block - v.firstBlock) / v.blocksPerGroup;
  const d = descriptor(superBlock, group);
  if (block === load<u32>(d + GD_BLOCK_BITMAP) || block === load<u32>(d + GD_INODE_BITMAP)) {
    return false;
  }
  const table = load<u32>(d + GD_INODE_TABLE);
  if (block >= table && block < table + inodeTableBlocks(superBlock)) return false;
  const inGroup = (block - v.firstBlock) % v.blocksPerGroup;
  return inGroup > v.descriptorBlocks || !groupHasSuper(v, group);
}

/** Blocks of a group's inode table. */
export function inodeTableBlocks(superBlock: SuperBlock): u32 {
  const v = volumeOf(superBlock);
  return (v.inodesPerGroup * v.inodeSize + superBlock.blockSize - 1) >> superBlock.blockBits;
}

function refuse(superBlock: SuperBlock, text: usize, value: u32): i32 {
  printk(c`ext2: %s: `, <u32> superBlock.device!.name);
  printk(text, value);
  printk(c`\n`);
  return -EINVAL;
}

function checkGeometry(superBlock: SuperBlock, v: Volume): i32 {
  const raw = v.raw;
  const logSize = load<u32>(raw + SB_LOG_BLOCK_SIZE);
  if (logSize > 2) return refuse(superBlock, c`block size 2^(10+%u) is not supported`, logSize);
  superBlock.blockBits = 10 + logSize;
  superBlock.blockSize = 1024 << logSize;
  v.revision = load<u32>(raw + SB_REV_LEVEL);
  if (v.revision > 1) return refuse(superBlock, c`revision %u is not supported`, v.revision);
  v.inodeSize = v.revision === 0 ? EXT2_GOOD_OLD_INODE_SIZE : <u32> load<u16>(raw + SB_INODE_SIZE);
  v.firstInode = v.revision === 0 ? EXT2_GOOD_OLD_FIRST_INO : load<u32>(raw + SB_FIRST_INO);
  if (v.inodeSize < 128 || v.inodeSize > superBlock.blockSize || popcnt(v.inodeSize) !== 1) {
    return refuse(superBlock, c`inode size %u is wrong`, v.inodeSize);
  }
  v.blocks = load<u32>(raw + SB_BLOCKS_COUNT);
  v.firstBlock = load<u32>(raw + SB_FIRST_DATA_BLOCK);
  v.inodes = load<u32>(raw + SB_INODES_COUNT);
  v.blocksPerGroup = load<u32>(raw + SB_BLOCKS_PER_GROUP);
  v.inodesPerGroup = load<u32>(raw + SB_INODES_PER_GROUP);
  const bits = superBlock.blockSize << 3;
  if (v.blocksPerGroup < 8 || v.blocksPerGroup > bits) {
    return refuse(superBlock, c`%u blocks per group are wrong`, v.blocksPerGroup);
  }
  if (v.inodesPerGroup < 8 || v.inodesPerGroup > bits) {
    return refuse(superBlock, c`%u inodes per group are wrong`, v.inodesPerGroup);
  }
  if (v.firstBlock !== (logSize === 0 ? <u32> 1 : 0) || v.blocks <= v.firstBlock + 4) {
    return refuse(superBlock, c`first data block %u is wrong`, v.firstBlock);
  }
  if (<u64> v.blocks << (superBlock.blockBits - 9) > superBlock.device!.sectors) {
    return refuse(superBlock, c`%u blocks are more than the device has`, v.blocks);
  }
  v.groups = (v.blocks - v.firstBlock + v.blocksPerGroup - 1) / v.blocksPerGroup;
  if (<u64> v.groups * <u64> v.inodesPerGroup !== <u64> v.inodes) {
    return refuse(superBlock, c`%u inodes do not fit the groups`, v.inodes);
  }
  v.perBits = superBlock.blockBits - 2;
  v.perBlock = 1 << v.perBits;
  v.descriptorBlocks = (v.groups * GD_SIZE + superBlock.blockSize - 1) >> superBlock.blockBits;
  return 0;
}

function checkFeatures(superBlock: SuperBlock, v: Volume): i32 {
  if (v.revision === 0) return 0;
  const incompatible = load<u32>(v.raw + SB_FEATURE_INCOMPAT);
  v.hasFileType = (incompatible & INCOMPAT_FILETYPE) !== 0;
  if ((incompatible & ~INCOMPAT_FILETYPE) !== 0) {
    return refuse(
      superBlock,
      c`unknown incompatible features %x`,
      incompatible & ~INCOMPAT_FILETYPE,
    );
  }
  const forReading = load<u32>(v.raw + SB_FEATURE_RO_COMPAT) &
    ~(RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE);
  if (forReading !== 0 && (superBlock.flags & MS_RDONLY) === 0) {
    refuse(superBlock, c`features %x: mounted read-only`, forReading);
    superBlock.flags |= MS_RDONLY;
  }
  if ((load<u32>(v.raw + SB_FEATURE_COMPAT) & COMPAT_HAS_JOURNAL) !== 0) {
    refuse(superBlock, c`the journal is not used`, 0);
  }
  return 0;
}

function readDescriptors(superBlock: SuperBlock, v: Volume): i32 {
  v.descriptors = kzalloc(v.descriptorBlocks << 2);
  if (v.descriptors === 0) return -ENOMEM;
  for (let i: u32 = 0; i < v.descriptorBlocks; i++) {
    const page = metaRead(superBlock, descriptorBlock(v, i));
    if (failed(page)) return <i32> page;
    store<usize>(v.descriptors + (i << 2), page);
  }
  for (let group: u32 = 0; group < v.groups; group++) {
    const d = descriptor(superBlock, group);
    const table = load<u32>(d + GD_INODE_TABLE);
    if (
      !inside(v, load<u32>(d + GD_BLOCK_BITMAP)) || !inside(v, load<u32>(d + GD_INODE_BITMAP)) ||
      !inside(v, table) || !inside(v, table + inodeTableBlocks(superBlock) - 1)
    ) return refuse(superBlock, c`descriptor of group %u is damaged`, group);
  }
  return 0;
}

function inside(v: Volume, block: u32): bool {
  return block > v.firstBlock && block < v.blocks;
}

/** Frees what `volumeOpen` made. */
export function volumeClose(superBlock: SuperBlock): void {
  const v = volumeOf(superBlock);
  for (let i: u32 = 0; v.descriptors !== 0 && i < v.descriptorBlocks; i++) {
    const page = load<usize>(v.descriptors + (i << 2));
    if (page !== 0) cachePut(changetype<CachePage>(page));
  }
  cachePut(v.superPage);
  kfree(v.descriptors);
  kfree(changetype<usize>(v));
  superBlock.data = 0;
}

/** Reads and checks superblock and descriptors: 0, -EINVAL (not ours, or damaged), -EIO, -ENOMEM. */
export function volumeOpen(superBlock: SuperBlock): i32 {
  const v = changetype<Volume | null>(kzalloc(offsetof<Volume>()));
  if (v === null) return -ENOMEM;
  const page = pageRead(superBlock.device!.inode, 0, 0);
  if (failed(page)) {
    kfree(changetype<usize>(v));
    return <i32> page;
  }
  superBlock.data = changetype<usize>(v);
  v.superPage = changetype<CachePage>(page);
  v.raw = pageAddress(v.superPage) + EXT2_SUPER_OFFSET;
  let error: i32 = load<u16>(v.raw + SB_MAGIC) === <u16> EXT2_MAGIC
    ? checkGeometry(superBlock, v)
    : refuse(superBlock, c`no ext2 file system (magic %x)`, load<u16>(v.raw + SB_MAGIC));
  if (error >= 0) error = checkFeatures(superBlock, v);
  if (error >= 0) error = readDescriptors(superBlock, v);
  if (error < 0) {
    volumeClose(superBlock);
    return error;
  }
  superBlock.magic = EXT2_SUPER_MAGIC;
  superBlock.maxBytes = largestFile(superBlock, v);
  const state: u32 = load<u16>(v.raw + SB_STATE);
  v.wasClean = (state & EXT2_VALID_FS) !== 0 && (state & EXT2_ERROR_FS) === 0;
  if (!v.wasClean) {
    printk(c`ext2: %s: was not unmounted cleanly, run e2fsck\n`, <u32> superBlock.device!.name);
  }
  if ((superBlock.flags & MS_RDONLY) === 0) return volumeBegin(superBlock);
  return 0;
}

/** Mounted for writing: not clean from now on. */
export function volumeBegin(superBlock: SuperBlock): i32 {
  const v = volumeOf(superBlock);
  store<u32>(v.raw + SB_MTIME, realtimeSeconds());
  store<u16>(v.raw + SB_MNT_COUNT, load<u16>(v.raw + SB_MNT_COUNT) + 1);
  v.markedClean = false;
  return setState(superBlock, false);
}

/* i_blocks counts sectors in 32 bits, and a file has at most the blocks that triple indirection maps. */
function largestFile(superBlock: SuperBlock, v: Volume): u64 {
  const per = <u64> v.perBlock;
  const bits = superBlock.blockBits;
  const mapped = (12 + per + per * per + per * per * per) << bits;
  // Room for the indirect blocks, one in `per` and their own.
  const counted = (<u64> 0xffffffff << 9) - ((<u64> 0xffffffff << 9) >> (v.perBits - 1));
  if (v.revision === 0) return 0x7fffffff;
  return mapped < counted ? mapped : counted;
}
