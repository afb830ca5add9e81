/**
 * Directory operations of ext2: look up, create, link, remove, rename; symbolic links.
 *
 * The caller (fs/tree.ts) holds the locks and has checked permissions and types.
 *
 * @module
 */
import { EIO, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM } from "../../abi/errno.ts";
import { EXT2_LINK_MAX, EXT2_ROOT_INO } from "../../abi/ext2.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../abi/stat.ts";
import { kfree, kmalloc } from "../../mm/mod.ts";
import { strlen } from "../../lib/mod.ts";
import { inodeDirty, inodePut, touchChange } from "../inode.ts";
import { metaAddress, metaNew, metaPut, metaRead } from "../meta.ts";
import { CachePage, failed, Inode } from "../types.ts";
import {
  directoryAdd,
  directoryEmpty,
  directoryFind,
  directoryInit,
  directoryRemove,
  directorySet,
  DirectorySlot,
} from "./directory.ts";
import { ext2DropLink, ext2Inode, ext2NewInode, ext2SetOperations } from "./inode.ts";
import { blockWords, ext2MapBlock } from "./map.ts";
import { ext2Dirty, ext2Error } from "./volume.ts";

/** Bytes of a link's text that fit in the inode, with a NUL. */
const SHORT_LINK: u32 = 60;

function slotNew(): DirectorySlot | null {
  return changetype<DirectorySlot | null>(kmalloc(offsetof<DirectorySlot>()));
}

function slotFree(slot: DirectorySlot): void {
  kfree(changetype<usize>(slot));
}

function isDirectory(inode: Inode): bool {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

/** InodeOps.lookup. */
export function ext2Lookup(directory: Inode, name: usize, length: u32): usize {
  const slot = slotNew();
  if (slot === null) return <usize> -ENOMEM;
  const number = directoryFind(directory, name, length, slot);
  if (number > 0) metaPut(slot.page);
  slotFree(slot);
  if (number <= 0) return <usize> number;
  const inode = ext2Inode(directory.superBlock, number);
  if (failed(inode)) return inode;
  // A directory that names the root or itself would make the tree a circle.
  if (<u32> number === EXT2_ROOT_INO || <u32> number === directory.number) {
    inodePut(changetype<Inode>(inode));
    return <usize> ext2Error(
      directory.superBlock,
      c`directory %u contains inode %u`,
      directory.number,
      number,
    );
  }
  return inode;
}

/** Undoes the creation of an inode that got no name. */
function abandon(inode: Inode): void {
  inode.links = 1;
  ext2DropLink(inode);
  inodePut(inode);
}

/** InodeOps.create: files, directories, nodes. */
export function ext2Create(
  directory: Inode,
  name: usize,
  length: u32,
  mode: u32,
  rdev: u32,
): usize {
  const makesDirectory = (mode & S_IFMT) === S_IFDIR;
  if (makesDirectory && directory.links >= EXT2_LINK_MAX) return <usize> -EMLINK;
  const made = ext2NewInode(directory, mode, rdev);
  if (failed(made)) return made;
  const inode = changetype<Inode>(made);
  let error: i32 = makesDirectory ? directoryInit(inode, directory) : 0;
  if (error >= 0) error = directoryAdd(directory, name, length, inode);
  if (error < 0) {
    abandon(inode);
    return <usize> error;
  }
  if (makesDirectory) {
    inode.links = 2;
    inodeDirty(inode);
    directory.links++;
    inodeDirty(directory);
  }
  return made;
}

/** InodeOps.symlink. */
export function ext2Symlink(directory: Inode, name: usize, length: u32, target: usize): usize {
  const size = strlen(target);
  if (size >= directory.superBlock.blockSize) return <usize> -ENAMETOOLONG;
  const made = ext2NewInode(directory, S_IFLNK | 0o777, 0);
  if (failed(made)) return made;
  const inode = changetype<Inode>(made);
  let error: i32 = 0;
  if (size < SHORT_LINK) memory.copy(blockWords(inode), target, size);
  else {
    error = writeLongLink(inode, target, size);
    ext2SetOperations(inode);
  }
  inode.size = size;
  inodeDirty(inode);
  if (error >= 0) error = directoryAdd(directory, name, length, inode);
  if (error < 0) {
    abandon(inode);
    return <usize> error;
  }
  return made;
}

function writeLongLink(inode: Inode, target: usize, size: u32): i32 {
  const superBlock = inode.superBlock;
  const at = ext2MapBlock(inode, 0, true);
  if (at <= 0) return at < 0 ? at : -EIO;
  const made = metaNew(superBlock, at);
  if (failed(made)) return <i32> made;
  const page = changetype<CachePage>(made);
  memory.copy(metaAddress(superBlock, page, at), target, size);
  ext2Dirty(superBlock, page, at);
  metaPut(page);
  return 0;
}

/** InodeOps.readLink of links in the inode. */
export function ext2ReadShortLink(inode: Inode, buffer: usize, size: u32): i32 {
  let n = <u32> inode.size;
  if (inode.size >= <u64> SHORT_LINK) {
    return ext2Error(inode.superBlock, c`link %u has length %u`, inode.number, n);
  }
  if (n > size) n = size;
  memory.copy(buffer, blockWords(inode), n);
  return n;
}

/** InodeOps.readLink of links with a block. */
export function ext2ReadLongLink(inode: Inode, buffer: usize, size: u32): i32 {
  const superBlock = inode.superBlock;
  let n = <u32> inode.size;
  if (inode.size >= <u64> superBlock.blockSize) {
    return ext2Error(superBlock, c`link %u has length %u`, inode.number, n);
  }
  if (n > size) n = size;
  const at = ext2MapBlock(inode, 0, false);
  if (at <= 0) return at < 0 ? at : ext2Error(superBlock, c`link %u is empty`, inode.number, 0);
  const read = metaRead(superBlock, at);
  if (failed(read)) return <i32> read;
  const page = changetype<CachePage>(read);
  memory.copy(buffer, metaAddress(superBlock, page, at), n);
  metaPut(page);
  return n;
}

/** InodeOps.link. */
export function ext2Link(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  if (inode.links >= EXT2_LINK_MAX) return -EMLINK;
  // Counted before the entry exists, so that it is never too low.
  inode.links++;
  touchChange(inode);
  inodeDirty(inode);
  const error = directoryAdd(directory, name, length, inode);
  if (error < 0) {
    inode.links--;
    inodeDirty(inode);
  }
  return error;
}

/** InodeOps.unlink: of directories, too. */
export function ext2Unlink(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  if (isDirectory(inode)) {
    const error = directoryEmpty(inode);
    if (error < 0) return error;
  }
  const slot = slotNew();
  if (slot === null) return -ENOMEM;
  let result = directoryFind(directory, name, length, slot);
  if (result > 0) {
    directoryRemove(directory, slot);
    metaPut(slot.page);
    dropped(directory, inode);
    result = 0;
  } else if (result === 0) result = -ENOENT;
  slotFree(slot);
  return result;
}

/** The name of `inode` in `directory` is gone. */
function dropped(directory: Inode, inode: Inode): void {
  if (isDirectory(inode)) {
    // Its `.` and the parent's `..`.
    inode.links = 1;
    if (directory.links > 2) directory.links--;
    inodeDirty(directory);
  }
  ext2DropLink(inode);
  touchChange(inode);
  inodeDirty(inode);
}

/** InodeOps.rename. */
export function ext2Rename(
  from: Inode,
  name: usize,
  length: u32,
  inode: Inode,
  to: Inode,
  newName: usize,
  newLength: u32,
  target: Inode | null,
): i32 {
  const moves = isDirectory(inode) && from !== to;
  if (target !== null && isDirectory(target)) {
    const error = directoryEmpty(target);
    if (error < 0) return error;
  }
  if (moves && target === null && to.links >= EXT2_LINK_MAX) return -EMLINK;
  const slot = slotNew();
  if (slot === null) return -ENOMEM;
  const result = renameWith(from, name, length, inode, to, newName, newLength, target, slot);
  slotFree(slot);
  return result;
}

function renameWith(
  from: Inode,
  name: usize,
  length: u32,
  inode: Inode,
  to: Inode,
  newName: usize,
  newLength: u32,
  target: Inode | null,
  slot: DirectorySlot,
): i32 {
  const moves = isDirectory(inode) && from !== to;
  // First what can fail for want of space; the old name goes last.
  if (target !== null) {
    const found = directoryFind(to, newName, newLength, slot);
    if (found <= 0) return found < 0 ? found : -ENOENT;
    directorySet(to, slot, inode);
    metaPut(slot.page);
    dropped(to, target);
  } else {
    const error = directoryAdd(to, newName, newLength, inode);
    if (error < 0) return error;
  }
  if (moves) {
    to.links++;
    inodeDirty(to);
    const up = directoryFind(inode, c`..`, 2, slot);
    if (up > 0) {
      directorySet(inode, slot, to);
      metaPut(slot.page);
    } else ext2Error(inode.superBlock, c`directory %u has no ..`, inode.number, 0);
    if (from.links > 2) from.links--;
    inodeDirty(from);
  }
  const old = directoryFind(from, name, length, slot);
  if (old > 0) {
    directoryRemove(from, slot);
    metaPut(slot.page);
  }
  touchChange(inode);
  inodeDirty(inode);
  return old < 0 ? old : 0;
}
