/**
 * ext2 directories: linear lists of entries in blocks; an entry's record reaches to the next one, the
 * last to the end of its block.
 *
 * Every entry is checked before it is used, so that a damaged block can neither send us out of it nor
 * round in circles.
 *
 * @module
 */
import { EIO, ENOSPC, ENOTEMPTY } from "../../abi/errno.ts";
import {
  DE_INODE,
  DE_NAME,
  DE_NAME_LENGTH,
  DE_RECORD,
  DE_TYPE,
  EXT2_FT_BLKDEV,
  EXT2_FT_CHRDEV,
  EXT2_FT_DIR,
  EXT2_FT_FIFO,
  EXT2_FT_REG_FILE,
  EXT2_FT_SOCK,
  EXT2_FT_SYMLINK,
  EXT2_INDEX_FL,
} from "../../abi/ext2.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK } from "../../abi/stat.ts";
import { memcmp } from "../../lib/mod.ts";
import { inodeDirty, touchModify } from "../inode.ts";
import { metaAddress, metaNew, metaPut, metaRead } from "../meta.ts";
import { CachePage, DirectorySink, failed, File, Inode } from "../types.ts";
import { Ext2Inode, ext2MapBlock, ext2Truncate } from "./map.ts";
import { ext2Dirty, ext2Error, volumeOf } from "./volume.ts";

/** Where an entry is. Kept in place on the heap: `new DirectorySlot()`, freed by the caller. */
/*@unmanaged*/
export class DirectorySlot {
  page: CachePage;
  /** Block on the disk. */
  block: u32;
  /** Offsets in the block: of the entry, of the one before it (the same when it is the first). */
  offset: u32;
  previous: u32;
}

function recordFor(nameLength: u32): u32 {
  return (nameLength + 11) & ~3;
}

function typeOf(mode: u32): u32 {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return EXT2_FT_DIR;
  if (type === S_IFLNK) return EXT2_FT_SYMLINK;
  if (type === S_IFCHR) return EXT2_FT_CHRDEV;
  if (type === S_IFBLK) return EXT2_FT_BLKDEV;
  if (type === S_IFIFO) return EXT2_FT_FIFO;
  return type === S_IFSOCK ? EXT2_FT_SOCK : EXT2_FT_REG_FILE;
}

/* DT_ (abi/dirent.ts) by EXT2_FT_. */
// deno-fmt-ignore
const DIRENT_TYPES = memory.data<u8>([0, 8, 4, 2, 6, 1, 12, 10]);

/** Blocks of a directory. */
function blockCount(directory: Inode): u32 {
  return <u32> (directory.size >> directory.superBlock.blockBits);
}

/** Place on the disk of block `n` of a directory, or -EIO. */
function blockAt(directory: Inode, n: u32): i32 {
  const at = ext2MapBlock(directory, n, false);
  if (at !== 0) return at;
  return ext2Error(directory.superBlock, c`directory %u has no block %u`, directory.number, n);
}

/** Length of the record at `offset`, or -EIO when it cannot be one. */
function recordAt(directory: Inode, base: usize, offset: u32): i32 {
  const superBlock = directory.superBlock;
  const size = superBlock.blockSize;
  const entry = base + offset;
  const record: u32 = load<u16>(entry + DE_RECORD);
  const nameLength = nameLengthOf(directory, entry);
  if (
    record < 12 || (record & 3) !== 0 || offset + record > size ||
    recordFor(nameLength) > record || load<u32>(entry + DE_INODE) > volumeOf(superBlock).inodes
  ) {
    return ext2Error(superBlock, c`directory %u is damaged at %u`, directory.number, offset);
  }
  return record;
}

function nameLengthOf(directory: Inode, entry: usize): u32 {
  // Without file types in entries the name's length has 16 bits, of which 8 are in use.
  return volumeOf(directory.superBlock).hasFileType
    ? <u32> load<u8>(entry + DE_NAME_LENGTH)
    : <u32> load<u16>(entry + DE_NAME_LENGTH);
}

/** Finds a name: its inode number, with `slot` at the entry (page pinned); 0, or -EIO. */
export function directoryFind(
  directory: Inode,
  name: usize,
  length: u32,
  slot: DirectorySlot,
): i32 {
  const superBlock = directory.superBlock;
  const blocks = blockCount(directory);
  for (let n: u32 = 0; n < blocks; n++) {
    const at = blockAt(directory, n);
    if (at < 0) return at;
    const read = metaRead(superBlock, at);
    if (failed(read)) return <i32> read;
    const page = changetype<CachePage>(read);
    const base = metaAddress(superBlock, page, at);
    let offset: u32 = 0;
    let previous: u32 = 0;
    while (offset < superBlock.blockSize) {
      const record = recordAt(directory, base, offset);
      if (record < 0) {
        metaPut(page);
        return record;
      }
      const entry = base + offset;
      const number = load<u32>(entry + DE_INODE);
      if (
        number !== 0 && nameLengthOf(directory, entry) === length &&
        memcmp(entry + DE_NAME, name, length) === 0
      ) {
        slot.page = page;
        slot.block = at;
        slot.offset = offset;
        slot.previous = previous;
        return number;
      }
      previous = offset;
      offset += record;
    }
    metaPut(page);
  }
  return 0;
}

/* An index of hashes is void once the entries change; e2fsck -D makes it anew. */
function dropIndex(directory: Inode): void {
  const own = changetype<Ext2Inode>(directory.data);
  own.flags &= ~EXT2_INDEX_FL;
}

function changed(directory: Inode): void {
  dropIndex(directory);
  touchModify(directory);
  inodeDirty(directory);
}

function writeEntry(
  directory: Inode,
  entry: usize,
  record: u32,
  name: usize,
  length: u32,
  inode: Inode,
): void {
  store<u32>(entry + DE_INODE, inode.number);
  store<u16>(entry + DE_RECORD, <u16> record);
  store<u8>(entry + DE_NAME_LENGTH, <u8> length);
  const typed = volumeOf(directory.superBlock).hasFileType;
  store<u8>(entry + DE_TYPE, typed ? <u8> typeOf(inode.mode) : 0);
  memory.copy(entry + DE_NAME, name, length);
}

/** Enters a name that is not there yet: 0, -ENOSPC, -EIO. */
export function directoryAdd(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  const superBlock = directory.superBlock;
  const needed = recordFor(length);
  const blocks = blockCount(directory);
  for (let n: u32 = 0; n < blocks; n++) {
    const at = blockAt(directory, n);
    if (at < 0) return at;
    const read = metaRead(superBlock, at);
    if (failed(read)) return <i32> read;
    const page = changetype<CachePage>(read);
    const base = metaAddress(superBlock, page, at);
    let offset: u32 = 0;
    while (offset < superBlock.blockSize) {
      const record = recordAt(directory, base, offset);
      if (record < 0) {
        metaPut(page);
        return record;
      }
      const entry = base + offset;
      const used = load<u32>(entry + DE_INODE) === 0
        ? 0
        : recordFor(nameLengthOf(directory, entry));
      if (<u32> record - used >= needed) {
        if (used > 0) store<u16>(entry + DE_RECORD, <u16> used);
        writeEntry(directory, entry + used, record - used, name, length, inode);
        ext2Dirty(superBlock, page, at);
        metaPut(page);
        changed(directory);
        return 0;
      }
      offset += record;
    }
    metaPut(page);
  }
  return addBlock(directory, blocks, name, length, inode);
}

function addBlock(directory: Inode, n: u32, name: usize, length: u32, inode: Inode): i32 {
  const superBlock = directory.superBlock;
  // Sizes of directories have 32 bits.
  if (n >= 0xffffffff >> superBlock.blockBits) return -ENOSPC;
  const at = ext2MapBlock(directory, n, true);
  let error: i32 = at;
  if (at > 0) {
    const made = metaNew(superBlock, at);
    if (!failed(made)) {
      const page = changetype<CachePage>(made);
      const entry = metaAddress(superBlock, page, at);
      writeEntry(directory, entry, superBlock.blockSize, name, length, inode);
      ext2Dirty(superBlock, page, at);
      metaPut(page);
      directory.size += <u64> superBlock.blockSize;
      changed(directory);
      return 0;
    }
    error = <i32> made;
  }
  ext2Truncate(directory, directory.size);
  return error < 0 ? error : -EIO;
}

/** Removes the entry at a slot: the one before it takes its space. */
export function directoryRemove(directory: Inode, slot: DirectorySlot): void {
  const superBlock = directory.superBlock;
  const base = metaAddress(superBlock, slot.page, slot.block);
  const entry = base + slot.offset;
  if (slot.previous !== slot.offset) {
    const before = base + slot.previous;
    store<u16>(before + DE_RECORD, load<u16>(before + DE_RECORD) + load<u16>(entry + DE_RECORD));
  }
  store<u32>(entry + DE_INODE, 0);
  ext2Dirty(superBlock, slot.page, slot.block);
  changed(directory);
}

/** Lets the entry at a slot name another inode. */
export function directorySet(directory: Inode, slot: DirectorySlot, inode: Inode): void {
  const superBlock = directory.superBlock;
  const entry = metaAddress(superBlock, slot.page, slot.block) + slot.offset;
  store<u32>(entry + DE_INODE, inode.number);
  if (volumeOf(superBlock).hasFileType) store<u8>(entry + DE_TYPE, <u8> typeOf(inode.mode));
  ext2Dirty(superBlock, slot.page, slot.block);
  changed(directory);
}

/** Gives a new directory its first block with `.` and `..`. */
export function directoryInit(directory: Inode, parent: Inode): i32 {
  const superBlock = directory.superBlock;
  const at = ext2MapBlock(directory, 0, true);
  if (at <= 0) return at < 0 ? at : -EIO;
  const made = metaNew(superBlock, at);
  if (failed(made)) return <i32> made;
  const page = changetype<CachePage>(made);
  const base = metaAddress(superBlock, page, at);
  writeEntry(directory, base, 12, c`.`, 1, directory);
  writeEntry(directory, base + 12, superBlock.blockSize - 12, c`..`, 2, parent);
  ext2Dirty(superBlock, page, at);
  metaPut(page);
  directory.size = superBlock.blockSize;
  inodeDirty(directory);
  return 0;
}

/** 0 when there is nothing but `.` and `..`, else -ENOTEMPTY, -EIO. */
export function directoryEmpty(directory: Inode): i32 {
  const superBlock = directory.superBlock;
  const blocks = blockCount(directory);
  for (let n: u32 = 0; n < blocks; n++) {
    const at = blockAt(directory, n);
    if (at < 0) return at;
    const read = metaRead(superBlock, at);
    if (failed(read)) return <i32> read;
    const page = changetype<CachePage>(read);
    const base = metaAddress(superBlock, page, at);
    let offset: u32 = 0;
    while (offset < superBlock.blockSize) {
      const record = recordAt(directory, base, offset);
      if (record < 0 || !isOwnEntry(directory, base + offset)) {
        metaPut(page);
        return record < 0 ? record : -ENOTEMPTY;
      }
      offset += record;
    }
    metaPut(page);
  }
  return 0;
}

function isOwnEntry(directory: Inode, entry: usize): bool {
  if (load<u32>(entry + DE_INODE) === 0) return true;
  const length = nameLengthOf(directory, entry);
  if (length > 2 || load<u8>(entry + DE_NAME) !== 0x2e) return false;
  return length === 1 || load<u8>(entry + DE_NAME + 1) === 0x2e;
}

/** FileOps.readDirectory. The offset is a position in bytes. */
export function directoryRead(file: File, sink: DirectorySink): i32 {
  const directory = file.inode;
  const superBlock = directory.superBlock;
  const bits = superBlock.blockBits;
  const typed = volumeOf(superBlock).hasFileType;
  while (file.offset < directory.size) {
    const n = <u32> (file.offset >> bits);
    const wanted = <u32> file.offset & (superBlock.blockSize - 1);
    const at = blockAt(directory, n);
    if (at < 0) return at;
    const read = metaRead(superBlock, at);
    if (failed(read)) return <i32> read;
    const page = changetype<CachePage>(read);
    const base = metaAddress(superBlock, page, at);
    const start = <u64> n << bits;
    // From the block's beginning, because entries may have been joined since the last call.
    let offset: u32 = 0;
    while (offset < superBlock.blockSize) {
      const record = recordAt(directory, base, offset);
      if (record < 0) {
        metaPut(page);
        return record;
      }
      const entry = base + offset;
      const number = load<u32>(entry + DE_INODE);
      if (offset >= wanted && number !== 0) {
        const kind = typed ? <u32> load<u8>(entry + DE_TYPE) : 0;
        const next = start + <u64> (offset + record);
        const more = sink.emit(
          sink,
          entry + DE_NAME,
          nameLengthOf(directory, entry),
          number,
          kind < 8 ? <u32> load<u8>(DIRENT_TYPES + kind) : 0,
          next,
        );
        if (!more) {
          metaPut(page);
          return 0;
        }
        file.offset = next;
      }
      offset += record;
    }
    metaPut(page);
    file.offset = start + <u64> superBlock.blockSize;
  }
  return 0;
}
