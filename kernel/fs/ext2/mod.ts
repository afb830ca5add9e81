/**
 * ext2 for the VFS: tables of operations, mounting, statfs.
 *
 * @module
 */
import { EINVAL, EIO, ENOTDIR, EROFS } from "../../abi/errno.ts";
import {
  EXT2_ROOT_INO,
  RO_COMPAT_LARGE_FILE,
  RO_COMPAT_SPARSE_SUPER,
  SB_FEATURE_RO_COMPAT,
  SB_FREE_BLOCKS_COUNT,
  SB_FREE_INODES_COUNT,
  SB_R_BLOCKS_COUNT,
  SB_UUID,
} from "../../abi/ext2.ts";
import { MS_RDONLY } from "../../abi/fcntl.ts";
import { S_IFDIR, S_IFMT } from "../../abi/stat.ts";
import { kzalloc } from "../../mm/mod.ts";
import { fileMap, fileRead, fileSync, fileWrite } from "../generic_file.ts";
import { inodePut } from "../inode.ts";
import { registerFileSystem } from "../mount.ts";
import { failed, FileOps, Inode, InodeOps, StatFs, SuperBlock, SuperOps } from "../types.ts";
import { syncSuperBlock } from "../writeback.ts";
import { directoryRead } from "./directory.ts";
import { ext2Evict, ext2Inode, ext2SetTables, Ext2Tables, ext2WriteInode } from "./inode.ts";
import { ext2MapBlock, ext2Truncate } from "./map.ts";
import {
  ext2Create,
  ext2Link,
  ext2Lookup,
  ext2ReadLongLink,
  ext2ReadShortLink,
  ext2Rename,
  ext2Symlink,
  ext2Unlink,
} from "./names.ts";
import { ext2Error, ext2Synced, groupHasSuper, inodeTableBlocks } from "./volume.ts";
import { volumeBegin, volumeClose, volumeOf, volumeOpen } from "./volume.ts";

let superOps: SuperOps = changetype<SuperOps>(0);

/** FileSystemType.read. */
function readSuper(superBlock: SuperBlock, _options: usize): usize {
  const error = volumeOpen(superBlock);
  if (error < 0) return <usize> error;
  superBlock.ops = superOps;
  const root = ext2Inode(superBlock, EXT2_ROOT_INO);
  if (failed(root)) {
    volumeClose(superBlock);
    return root;
  }
  const inode = changetype<Inode>(root);
  if ((inode.mode & S_IFMT) !== S_IFDIR || inode.size === 0) {
    ext2Error(superBlock, c`the root is not a directory (mode %x)`, inode.mode, 0);
    inodePut(inode);
    return <usize> -ENOTDIR;
  }
  return root;
}

function statfs(superBlock: SuperBlock, result: StatFs): i32 {
  const v = volumeOf(superBlock);
  // The fixed metadata is not space for files.
  let overhead = v.firstBlock;
  for (let group: u32 = 0; group < v.groups; group++) {
    if (groupHasSuper(v, group)) overhead += 1 + v.descriptorBlocks;
    overhead += 2 + inodeTableBlocks(superBlock);
  }
  const free = load<u32>(v.raw + SB_FREE_BLOCKS_COUNT);
  const reserved = load<u32>(v.raw + SB_R_BLOCKS_COUNT);
  result.blocks = v.blocks - overhead;
  result.free = free;
  result.available = free > reserved ? free - reserved : 0;
  result.files = v.inodes;
  result.filesFree = load<u32>(v.raw + SB_FREE_INODES_COUNT);
  result.id0 = load<u32>(v.raw + SB_UUID) ^ load<u32>(v.raw + SB_UUID + 8);
  result.id1 = load<u32>(v.raw + SB_UUID + 4) ^ load<u32>(v.raw + SB_UUID + 12);
  return 0;
}

function remount(superBlock: SuperBlock, flags: u32): i32 {
  if ((flags & MS_RDONLY) !== 0) {
    const error = syncSuperBlock(superBlock);
    return error < 0 ? -EIO : 0;
  }
  const known = RO_COMPAT_SPARSE_SUPER | RO_COMPAT_LARGE_FILE;
  if ((load<u32>(volumeOf(superBlock).raw + SB_FEATURE_RO_COMPAT) & ~known) !== 0) return -EINVAL;
  if (superBlock.device!.readOnly) return -EROFS;
  superBlock.flags &= ~MS_RDONLY;
  return volumeBegin(superBlock);
}

/** Makes ext2 known. */
export function ext2Init(): void {
  superOps = changetype<SuperOps>(kzalloc(offsetof<SuperOps>()));
  superOps.writeInode = ext2WriteInode;
  superOps.evict = ext2Evict;
  superOps.synced = ext2Synced;
  superOps.statfs = statfs;
  superOps.remount = remount;
  superOps.unmount = volumeClose;
  const tables = changetype<Ext2Tables>(kzalloc(offsetof<Ext2Tables>()));
  tables.file = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  tables.file.mapBlock = ext2MapBlock;
  tables.file.truncate = ext2Truncate;
  const directory = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  directory.lookup = ext2Lookup;
  directory.create = ext2Create;
  directory.symlink = ext2Symlink;
  directory.link = ext2Link;
  directory.unlink = ext2Unlink;
  directory.rename = ext2Rename;
  tables.directory = directory;
  tables.shortLink = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  tables.shortLink.readLink = ext2ReadShortLink;
  tables.longLink = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  tables.longLink.readLink = ext2ReadLongLink;
  tables.longLink.mapBlock = ext2MapBlock;
  tables.fileOps = changetype<FileOps>(kzalloc(offsetof<FileOps>()));
  tables.fileOps.read = fileRead;
  tables.fileOps.write = fileWrite;
  tables.fileOps.map = fileMap;
  tables.fileOps.sync = fileSync;
  tables.directoryOps = changetype<FileOps>(kzalloc(offsetof<FileOps>()));
  tables.directoryOps.readDirectory = directoryRead;
  tables.directoryOps.sync = fileSync;
  ext2SetTables(tables);
  registerFileSystem(c`ext2`, true, readSuper);
}
