/**
 * ext2 inodes: reading them into memory, writing them back, creating and deleting them.
 *
 * @module
 */
import { ENOMEM } from "../../abi/errno.ts";
import {
  EXT2_APPEND_FL,
  EXT2_IMMUTABLE_FL,
  EXT2_ROOT_INO,
  GD_INODE_TABLE,
  INODE_ATIME,
  INODE_BLOCKS,
  INODE_CTIME,
  INODE_DTIME,
  INODE_EXTRA_SIZE,
  INODE_FILE_ACL,
  INODE_FILE_SIZE,
  INODE_FLAGS,
  INODE_GENERATION,
  INODE_GID,
  INODE_GID_HIGH,
  INODE_LINKS,
  INODE_MODE,
  INODE_MTIME,
  INODE_SECTORS,
  INODE_SIZE_HIGH,
  INODE_UID,
  INODE_UID_HIGH,
  RO_COMPAT_LARGE_FILE,
  SB_FEATURE_RO_COMPAT,
} from "../../abi/ext2.ts";
import { MS_RDONLY } from "../../abi/fcntl.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT } from "../../abi/stat.ts";
import { S_IFREG, S_IFSOCK } from "../../abi/stat.ts";
import { kfree, kzalloc } from "../../mm/mod.ts";
import { realtimeSeconds } from "../../time/mod.ts";
import { inodeDirty, inodeFail, inodeFind, inodeNew, inodeReady, inodeStamp } from "../inode.ts";
import { metaAddress, metaPut, metaRead } from "../meta.ts";
import { modeInDirectory, ownInDirectory } from "../permission.ts";
import { CachePage, failed, FileOps, Inode, INODE_APPEND_ONLY, INODE_IMMUTABLE } from "../types.ts";
import { InodeOps, makeDevice, SuperBlock } from "../types.ts";
import { allocateInode, freeBlock, freeInode } from "./allocate.ts";
import { blockWords, EXT2_INODE_BYTES, Ext2Inode, ext2Truncate } from "./map.ts";
import { descriptor, ext2Dirty, ext2Error, superDirty, volumeOf } from "./volume.ts";

const EA_MAGIC: u32 = 0xea020000;
const EA_REFERENCES: usize = 4;

/** Operations by type of inode; filled in by mod.ts. */
/*@unmanaged*/
export class Ext2Tables {
  file: InodeOps;
  directory: InodeOps;
  shortLink: InodeOps;
  longLink: InodeOps;
  fileOps: FileOps;
  directoryOps: FileOps;
}

let tables: Ext2Tables = changetype<Ext2Tables>(0);

/** Sets the operations. */
export function ext2SetTables(value: Ext2Tables): void {
  tables = value;
}

function tableBlock(superBlock: SuperBlock, number: u32): u32 {
  const v = volumeOf(superBlock);
  const index = (number - 1) % v.inodesPerGroup;
  return load<u32>(descriptor(superBlock, (number - 1) / v.inodesPerGroup) + GD_INODE_TABLE) +
    ((index * v.inodeSize) >> superBlock.blockBits);
}

function tableOffset(superBlock: SuperBlock, number: u32): u32 {
  const v = volumeOf(superBlock);
  return ((number - 1) % v.inodesPerGroup * v.inodeSize) & (superBlock.blockSize - 1);
}

function isShortLink(inode: Inode): bool {
  const acl = changetype<Ext2Inode>(inode.data).fileAcl !== 0 ? inode.superBlock.blockSize >> 9 : 0;
  return (inode.mode & S_IFMT) === S_IFLNK && inode.sectors === acl;
}

/** Gives an inode the operations of its type: false when there is no such type. */
export function ext2SetOperations(inode: Inode): bool {
  const type = inode.mode & S_IFMT;
  if (type === S_IFREG) {
    inode.ops = tables.file;
    inode.fileOps = tables.fileOps;
  } else if (type === S_IFDIR) {
    inode.ops = tables.directory;
    inode.fileOps = tables.directoryOps;
  } else if (type === S_IFLNK) inode.ops = isShortLink(inode) ? tables.shortLink : tables.longLink;
  else return type === S_IFCHR || type === S_IFBLK || type === S_IFIFO || type === S_IFSOCK;
  return true;
}

function fill(inode: Inode, raw: usize): void {
  inode.mode = load<u16>(raw + INODE_MODE);
  inode.uid = <u32> load<u16>(raw + INODE_UID) | (<u32> load<u16>(raw + INODE_UID_HIGH) << 16);
  inode.gid = <u32> load<u16>(raw + INODE_GID) | (<u32> load<u16>(raw + INODE_GID_HIGH) << 16);
  inode.links = load<u16>(raw + INODE_LINKS);
  inode.size = load<u32>(raw + INODE_FILE_SIZE);
  if ((inode.mode & S_IFMT) === S_IFREG) {
    inode.size |= <u64> load<u32>(raw + INODE_SIZE_HIGH) << 32;
  }
  inode.accessSeconds = load<u32>(raw + INODE_ATIME);
  inode.changeSeconds = load<u32>(raw + INODE_CTIME);
  inode.modifySeconds = load<u32>(raw + INODE_MTIME);
  inode.sectors = load<u32>(raw + INODE_SECTORS);
  inode.generation = load<u32>(raw + INODE_GENERATION);
  const own = changetype<Ext2Inode>(inode.data);
  own.flags = load<u32>(raw + INODE_FLAGS);
  own.fileAcl = load<u32>(raw + INODE_FILE_ACL);
  if ((own.flags & EXT2_IMMUTABLE_FL) !== 0) inode.flags |= INODE_IMMUTABLE;
  if ((own.flags & EXT2_APPEND_FL) !== 0) inode.flags |= INODE_APPEND_ONLY;
  const words = blockWords(inode);
  memory.copy(words, raw + INODE_BLOCKS, 60);
  const type = inode.mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK) {
    // The old form has 8 bits each, the new one is what user programs see.
    const old = load<u32>(words);
    inode.rdev = old !== 0 ? makeDevice((old >> 8) & 0xff, old & 0xff) : load<u32>(words, 4);
  }
}

/** The inode of a number, referenced, or -EIO when it cannot be read or is damaged, or -ENOMEM. */
export function ext2Inode(superBlock: SuperBlock, number: u32): usize {
  const v = volumeOf(superBlock);
  if (number > v.inodes || (number < v.firstInode && number !== EXT2_ROOT_INO)) {
    return <usize> ext2Error(superBlock, c`inode number %u is not possible`, number, 0);
  }
  const known = inodeFind(superBlock, number);
  if (known !== null) return changetype<usize>(known);
  const inode = inodeNew(superBlock, number);
  if (inode === null) return <usize> -ENOMEM;
  inode.data = kzalloc(EXT2_INODE_BYTES);
  if (inode.data === 0) {
    inodeFail(inode);
    return <usize> -ENOMEM;
  }
  const block = tableBlock(superBlock, number);
  const read = metaRead(superBlock, block);
  let error: i32 = failed(read) ? <i32> read : 0;
  if (error === 0) {
    const page = changetype<CachePage>(read);
    fill(inode, metaAddress(superBlock, page, block) + tableOffset(superBlock, number));
    metaPut(page);
    if (inode.links === 0) {
      error = ext2Error(superBlock, c`inode %u is used but deleted`, number, 0);
    } else if (!ext2SetOperations(inode) || inode.size > superBlock.maxBytes) {
      error = ext2Error(superBlock, c`inode %u is damaged (mode %x)`, number, inode.mode);
    }
  }
  if (error < 0) {
    kfree(inode.data);
    inodeFail(inode);
    return <usize> error;
  }
  inodeReady(inode);
  return changetype<usize>(inode);
}

/** SuperOps.writeInode. */
export function ext2WriteInode(inode: Inode): i32 {
  const superBlock = inode.superBlock;
  if ((superBlock.flags & MS_RDONLY) !== 0) return 0;
  const block = tableBlock(superBlock, inode.number);
  const read = metaRead(superBlock, block);
  if (failed(read)) return <i32> read;
  const page = changetype<CachePage>(read);
  const raw = metaAddress(superBlock, page, block) + tableOffset(superBlock, inode.number);
  const own = changetype<Ext2Inode>(inode.data);
  store<u16>(raw + INODE_MODE, <u16> inode.mode);
  store<u16>(raw + INODE_UID, <u16> inode.uid);
  store<u16>(raw + INODE_UID_HIGH, <u16> (inode.uid >> 16));
  store<u16>(raw + INODE_GID, <u16> inode.gid);
  store<u16>(raw + INODE_GID_HIGH, <u16> (inode.gid >> 16));
  store<u16>(raw + INODE_LINKS, <u16> inode.links);
  store<u32>(raw + INODE_FILE_SIZE, <u32> inode.size);
  store<u32>(raw + INODE_ATIME, inode.accessSeconds);
  store<u32>(raw + INODE_CTIME, inode.changeSeconds);
  store<u32>(raw + INODE_MTIME, inode.modifySeconds);
  store<u32>(raw + INODE_DTIME, own.deletedAt);
  store<u32>(raw + INODE_SECTORS, inode.sectors);
  store<u32>(raw + INODE_FLAGS, own.flags);
  store<u32>(raw + INODE_FILE_ACL, own.fileAcl);
  store<u32>(raw + INODE_GENERATION, inode.generation);
  const type = inode.mode & S_IFMT;
  if (type === S_IFREG) {
    store<u32>(raw + INODE_SIZE_HIGH, <u32> (inode.size >> 32));
    if (inode.size > 0x7fffffff) markLargeFiles(superBlock);
  }
  memory.copy(raw + INODE_BLOCKS, blockWords(inode), 60);
  ext2Dirty(superBlock, page, block);
  metaPut(page);
  return 0;
}

function markLargeFiles(superBlock: SuperBlock): void {
  const at = volumeOf(superBlock).raw + SB_FEATURE_RO_COMPAT;
  if ((load<u32>(at) & RO_COMPAT_LARGE_FILE) !== 0) return;
  store<u32>(at, load<u32>(at) | RO_COMPAT_LARGE_FILE);
  superDirty(superBlock);
}

/** A new inode of `mode`, referenced, without a name yet, or -ENOSPC, -EIO, -ENOMEM. */
export function ext2NewInode(directory: Inode, mode: u32, rdev: u32): usize {
  const superBlock = directory.superBlock;
  mode = modeInDirectory(directory, mode);
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  const number = allocateInode(superBlock, directory, isDirectory);
  if (number < 0) return <usize> number;
  const inode = inodeNew(superBlock, number);
  const data = kzalloc(EXT2_INODE_BYTES);
  if (inode === null || data === 0) {
    if (inode !== null) inodeFail(inode);
    kfree(data);
    freeInode(superBlock, number, isDirectory);
    return <usize> -ENOMEM;
  }
  inode.data = data;
  inode.mode = mode;
  inode.rdev = rdev;
  ownInDirectory(directory, inode);
  inodeStamp(inode);
  const type = mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK) setDevice(inode, rdev);
  ext2SetOperations(inode);
  clearRaw(inode);
  inodeDirty(inode);
  inodeReady(inode);
  return changetype<usize>(inode);
}

function setDevice(inode: Inode, rdev: u32): void {
  const words = blockWords(inode);
  // Minor numbers below 256 and majors below 256 fit the old form.
  if ((rdev & 0xffff0000) === 0 && rdev !== 0) store<u32>(words, rdev);
  else store<u32>(words, rdev, 4);
}

/* What an earlier file left in the table, and what lies behind the first 128 bytes. */
function clearRaw(inode: Inode): void {
  const superBlock = inode.superBlock;
  const v = volumeOf(superBlock);
  const block = tableBlock(superBlock, inode.number);
  const read = metaRead(superBlock, block);
  if (failed(read)) return;
  const page = changetype<CachePage>(read);
  const raw = metaAddress(superBlock, page, block) + tableOffset(superBlock, inode.number);
  inode.generation = load<u32>(raw + INODE_GENERATION) + 1;
  memory.fill(raw, 0, v.inodeSize);
  if (v.inodeSize > 128) store<u16>(raw + INODE_EXTRA_SIZE, 28);
  ext2Dirty(superBlock, page, block);
  metaPut(page);
}

/** Drops an attribute block that no other file shares. */
function releaseAttributes(inode: Inode): void {
  const superBlock = inode.superBlock;
  const own = changetype<Ext2Inode>(inode.data);
  const block = own.fileAcl;
  if (block === 0) return;
  own.fileAcl = 0;
  const read = metaRead(superBlock, block);
  if (failed(read)) return;
  const page = changetype<CachePage>(read);
  const raw = metaAddress(superBlock, page, block);
  const shared = load<u32>(raw) === EA_MAGIC && load<u32>(raw + EA_REFERENCES) > 1;
  if (shared) {
    store<u32>(raw + EA_REFERENCES, load<u32>(raw + EA_REFERENCES) - 1);
    ext2Dirty(superBlock, page, block);
  }
  metaPut(page);
  if (!shared) freeBlock(superBlock, block);
  const sectors = superBlock.blockSize >> 9;
  inode.sectors = inode.sectors > sectors ? inode.sectors - sectors : 0;
}

/** SuperOps.evict: nobody has it any more. Without links it is deleted. */
export function ext2Evict(inode: Inode): void {
  if (inode.data === 0) return;
  const superBlock = inode.superBlock;
  if (inode.links === 0 && (superBlock.flags & MS_RDONLY) === 0) {
    const type = inode.mode & S_IFMT;
    const own = changetype<Ext2Inode>(inode.data);
    own.deletedAt = realtimeSeconds();
    const hasBlocks = type === S_IFREG || type === S_IFDIR ||
      (type === S_IFLNK && !isShortLink(inode));
    if (hasBlocks) {
      inode.size = 0;
      ext2Truncate(inode, 0);
    }
    releaseAttributes(inode);
    inode.size = 0;
    ext2WriteInode(inode);
    freeInode(superBlock, inode.number, type === S_IFDIR);
    const v = volumeOf(superBlock);
    if (v.orphans > 0) v.orphans--;
  }
  kfree(inode.data);
  inode.data = 0;
}

/** A link to an inode went. */
export function ext2DropLink(inode: Inode): void {
  if (inode.links > 0) inode.links--;
  if (inode.links === 0) volumeOf(inode.superBlock).orphans++;
}
