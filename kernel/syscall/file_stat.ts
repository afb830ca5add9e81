/**
 * System calls that describe files: the stat family, statfs, access, readlink, getdents, getcwd.
 *
 * @module
 */
import { EACCES, EBADF, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSYS, ENOTDIR } from "../abi/errno.ts";
import { EOVERFLOW, ERANGE } from "../abi/errno.ts";
import {
  DIRENT64_INO,
  DIRENT64_LENGTH,
  DIRENT64_NAME,
  DIRENT64_OFFSET,
  DIRENT64_TYPE,
  DIRENT_INO,
  DIRENT_LENGTH,
  DIRENT_NAME,
  DIRENT_OFFSET,
} from "../abi/dirent.ts";
import { AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, PATH_MAX } from "../abi/fcntl.ts";
import { AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, MS_NOEXEC, X_OK } from "../abi/fcntl.ts";
import * as S from "../abi/stat.ts";
import * as F from "../abi/statfs.ts";
import {
  SYS_ACCESS,
  SYS_FACCESSAT,
  SYS_FACCESSAT2,
  SYS_FSTAT,
  SYS_FSTAT64,
  SYS_FSTATAT64,
  SYS_FSTATFS,
  SYS_FSTATFS64,
  SYS_GETCWD,
  SYS_GETDENTS,
  SYS_GETDENTS64,
  SYS_INOTIFY_INIT,
  SYS_INOTIFY_INIT1,
  SYS_LSTAT,
  SYS_LSTAT64,
  SYS_OLDFSTAT,
  SYS_OLDLSTAT,
  SYS_OLDSTAT,
  SYS_READLINK,
  SYS_READLINKAT,
  SYS_STAT,
  SYS_STAT64,
  SYS_STATFS,
  SYS_STATFS64,
  SYS_STATX,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { fsContext } from "../fs/context.ts";
import { pathText } from "../fs/path_text.ts";
import { fdGet, fdGetData, filePut } from "../fs/fd_table.ts";
import {
  Walk,
  WALK_EMPTY,
  WALK_FOLLOW,
  walkFree,
  walkInode,
  walkNew,
  walkUser,
} from "../fs/path.ts";
import { permissionFor, wantWrite } from "../fs/permission.ts";
import { deviceMajor, deviceMinor, DirectorySink, File, Inode, Mount, Path } from "../fs/types.ts";
import { INODE_REMOVED, StatFs, SuperBlock } from "../fs/types.ts";
import { copyOut, getUser32, kfree, kmalloc, kzalloc, userWord } from "../mm/mod.ts";
import { current } from "../proc/mod.ts";
import { lock, unlock } from "../sync/mod.ts";

/* Forms of the result. */
const FORM_OLD: u32 = 0;
const FORM_STAT: u32 = 1;
const FORM_STAT64: u32 = 2;
const FORM_STATX: u32 = 3;

function fillOld(raw: usize, inode: Inode): i32 {
  if (inode.size > 0x7fffffff) return -EOVERFLOW;
  store<u16>(raw, <u16> inode.superBlock.deviceNumber);
  store<u16>(raw, <u16> inode.number, 2);
  store<u16>(raw, <u16> inode.mode, 4);
  store<u16>(raw, <u16> inode.links, 6);
  store<u16>(raw, <u16> inode.uid, 8);
  store<u16>(raw, <u16> inode.gid, 10);
  store<u16>(raw, <u16> inode.rdev, 12);
  store<u32>(raw, <u32> inode.size, 16);
  store<u32>(raw, inode.accessSeconds, 20);
  store<u32>(raw, inode.modifySeconds, 24);
  store<u32>(raw, inode.changeSeconds, 28);
  return S.OLDSTAT_SIZE;
}

function fillStat(raw: usize, inode: Inode): i32 {
  if (inode.size > 0x7fffffff) return -EOVERFLOW;
  store<u32>(raw + S.STAT_DEV, inode.superBlock.deviceNumber);
  store<u32>(raw + S.STAT_INO, inode.number);
  store<u16>(raw + S.STAT_MODE, <u16> inode.mode);
  store<u16>(raw + S.STAT_NLINK, <u16> inode.links);
  store<u16>(raw + S.STAT_UID, inode.uid > 0xffff ? 65534 : <u16> inode.uid);
  store<u16>(raw + S.STAT_GID, inode.gid > 0xffff ? 65534 : <u16> inode.gid);
  store<u32>(raw + S.STAT_RDEV, inode.rdev);
  store<u32>(raw + S.STAT_FILE_SIZE, <u32> inode.size);
  store<u32>(raw + S.STAT_BLKSIZE, inode.superBlock.blockSize);
  store<u32>(raw + S.STAT_BLOCKS, inode.sectors);
  store<u32>(raw + S.STAT_ATIME, inode.accessSeconds);
  store<u32>(raw + S.STAT_ATIME + 4, inode.accessNs);
  store<u32>(raw + S.STAT_MTIME, inode.modifySeconds);
  store<u32>(raw + S.STAT_MTIME + 4, inode.modifyNs);
  store<u32>(raw + S.STAT_CTIME, inode.changeSeconds);
  store<u32>(raw + S.STAT_CTIME + 4, inode.changeNs);
  return S.STAT_SIZE;
}

function fillStat64(raw: usize, inode: Inode): i32 {
  store<u32>(raw + S.STAT64_DEV, inode.superBlock.deviceNumber);
  store<u32>(raw + S.STAT64_INO32, inode.number);
  store<u32>(raw + S.STAT64_MODE, inode.mode);
  store<u32>(raw + S.STAT64_NLINK, inode.links);
  store<u32>(raw + S.STAT64_UID, inode.uid);
  store<u32>(raw + S.STAT64_GID, inode.gid);
  store<u32>(raw + S.STAT64_RDEV, inode.rdev);
  store<u64>(raw + S.STAT64_FILE_SIZE, inode.size);
  store<u32>(raw + S.STAT64_BLKSIZE, inode.superBlock.blockSize);
  store<u32>(raw + S.STAT64_BLOCKS, inode.sectors);
  store<u32>(raw + S.STAT64_ATIME, inode.accessSeconds);
  store<u32>(raw + S.STAT64_ATIME_NSEC, inode.accessNs);
  store<u32>(raw + S.STAT64_MTIME, inode.modifySeconds);
  store<u32>(raw + S.STAT64_MTIME_NSEC, inode.modifyNs);
  store<u32>(raw + S.STAT64_CTIME, inode.changeSeconds);
  store<u32>(raw + S.STAT64_CTIME_NSEC, inode.changeNs);
  store<u32>(raw + S.STAT64_INO, inode.number);
  return S.STAT64_SIZE;
}

function fillStatx(raw: usize, inode: Inode, mount: Mount | null, isRoot: bool): i32 {
  store<u32>(raw + S.STATX_MASK, S.STATX_BASIC_STATS | S.STATX_MNT_ID_BIT);
  store<u32>(raw + S.STATX_BLKSIZE, inode.superBlock.blockSize);
  store<u32>(raw + S.STATX_NLINK, inode.links);
  store<u32>(raw + S.STATX_UID, inode.uid);
  store<u32>(raw + S.STATX_GID, inode.gid);
  store<u16>(raw + S.STATX_MODE, <u16> inode.mode);
  store<u32>(raw + S.STATX_INO, inode.number);
  store<u64>(raw + S.STATX_FILE_SIZE, inode.size);
  store<u32>(raw + S.STATX_BLOCKS, inode.sectors);
  store<u32>(raw + S.STATX_ATTRIBUTES_MASK, S.STATX_ATTR_MOUNT_ROOT);
  if (isRoot) store<u32>(raw + S.STATX_ATTRIBUTES, S.STATX_ATTR_MOUNT_ROOT);
  store<u32>(raw + S.STATX_ATIME, inode.accessSeconds);
  store<u32>(raw + S.STATX_ATIME + 8, inode.accessNs);
  store<u32>(raw + S.STATX_CTIME, inode.changeSeconds);
  store<u32>(raw + S.STATX_CTIME + 8, inode.changeNs);
  store<u32>(raw + S.STATX_MTIME, inode.modifySeconds);
  store<u32>(raw + S.STATX_MTIME + 8, inode.modifyNs);
  store<u32>(raw + S.STATX_RDEV_MAJOR, deviceMajor(inode.rdev));
  store<u32>(raw + S.STATX_RDEV_MINOR, deviceMinor(inode.rdev));
  store<u32>(raw + S.STATX_DEV_MAJOR, deviceMajor(inode.superBlock.deviceNumber));
  store<u32>(raw + S.STATX_DEV_MINOR, deviceMinor(inode.superBlock.deviceNumber));
  store<u32>(raw + S.STATX_MNT_ID, mount === null ? 0 : mount.id);
  return S.STATX_SIZE;
}

/** Writes what is known of an inode to user memory in one of the forms. */
function report(inode: Inode, mount: Mount | null, isRoot: bool, result: u32, form: u32): i32 {
  const refresh = inode.ops.refresh;
  if (refresh !== null) refresh(inode);
  const raw = kzalloc(S.STATX_SIZE);
  if (raw === 0) return -ENOMEM;
  let size: i32 = 0;
  if (form === FORM_STAT64) size = fillStat64(raw, inode);
  else if (form === FORM_STATX) size = fillStatx(raw, inode, mount, isRoot);
  else if (form === FORM_STAT) size = fillStat(raw, inode);
  else size = fillOld(raw, inode);
  if (size > 0) size = copyOut(result, raw, size);
  kfree(raw);
  return size;
}

function statFile(fd: u32, result: u32, form: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  const named = changetype<usize>(file.mount) !== 0;
  const mount: Mount | null = named ? file.mount : null;
  const code = report(
    file.inode,
    mount,
    mount !== null && file.dentry === mount.root,
    result,
    form,
  );
  filePut(file);
  return code;
}

function statPath(dirfd: i32, path: u32, flags: u32, result: u32, form: u32): i32 {
  if ((flags & AT_EMPTY_PATH) !== 0) {
    // Also for what has no place in the tree: pipes.
    let empty = path === 0;
    if (!empty) {
      const first = getByte(path);
      if (first < 0) return first;
      empty = first === 0;
    }
    if (empty && dirfd !== AT_FDCWD) return statFile(dirfd, result, form);
    if (path === 0) return -EFAULT;
  }
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let how = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW;
  if ((flags & AT_EMPTY_PATH) !== 0) how |= WALK_EMPTY;
  let code = walkUser(w, dirfd, path, how);
  if (code >= 0) code = report(walkInode(w), w.mount, w.dentry === w.mount.root, result, form);
  walkFree(w);
  return code;
}

/** The byte at a user address, or -EFAULT. */
function getByte(address: u32): i32 {
  // A word may reach into the next page, which need not be there.
  const aligned = address & ~3;
  if (getUser32(aligned) < 0) return -EFAULT;
  return (userWord() >> ((address & 3) << 3)) & 0xff;
}

function sysStat64(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, 0, result, FORM_STAT64);
}
function sysLstat64(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, result, FORM_STAT64);
}
function sysFstat64(fd: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statFile(fd, result, FORM_STAT64);
}
function sysFstatat64(dirfd: u32, path: u32, result: u32, flags: u32, _e: u32, _f: u32): i32 {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  return statPath(dirfd, path, flags, result, FORM_STAT64);
}
function sysStat(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, 0, result, FORM_STAT);
}
function sysLstat(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, result, FORM_STAT);
}
function sysFstat(fd: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statFile(fd, result, FORM_STAT);
}
function sysOldstat(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, 0, result, FORM_OLD);
}
function sysOldlstat(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statPath(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, result, FORM_OLD);
}
function sysOldfstat(fd: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statFile(fd, result, FORM_OLD);
}
function sysStatx(dirfd: u32, path: u32, flags: u32, mask: u32, result: u32, _f: u32): i32 {
  const known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
  if ((flags & ~known) !== 0 || (mask & 0x80000000) !== 0) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  return statPath(dirfd, path, flags, result, FORM_STATX);
}

/** statfs into user memory; `size` 84 or 64. */
function reportFs(superBlock: SuperBlock, mountFlags: u32, result: u32, wide: bool): i32 {
  const info = changetype<StatFs>(kzalloc(offsetof<StatFs>()));
  const raw = kzalloc(F.STATFS64_SIZE);
  let code: i32 = -ENOMEM;
  if (changetype<usize>(info) !== 0 && raw !== 0) {
    code = superBlock.ops.statfs(superBlock, info);
    if (code >= 0) {
      code = copyOut(result, raw, fillFs(raw, superBlock, mountFlags, info, wide));
    }
  }
  kfree(raw);
  kfree(changetype<usize>(info));
  return code;
}

function fillFs(raw: usize, superBlock: SuperBlock, flags: u32, info: StatFs, wide: bool): u32 {
  store<u32>(raw + F.STATFS64_TYPE, superBlock.magic);
  store<u32>(raw + F.STATFS64_BSIZE, superBlock.blockSize);
  if (!wide) {
    const words = raw + 8;
    store<u32>(words, <u32> info.blocks);
    store<u32>(words, <u32> info.free, 4);
    store<u32>(words, <u32> info.available, 8);
    store<u32>(words, <u32> info.files, 12);
    store<u32>(words, <u32> info.filesFree, 16);
    store<u32>(words, info.id0, 20);
    store<u32>(words, info.id1, 24);
    store<u32>(words, superBlock.nameMax, 28);
    store<u32>(words, superBlock.blockSize, 32);
    store<u32>(words, flags | F.ST_VALID, 36);
    return F.STATFS_SIZE;
  }
  store<u64>(raw + F.STATFS64_BLOCKS, info.blocks);
  store<u64>(raw + F.STATFS64_BFREE, info.free);
  store<u64>(raw + F.STATFS64_BAVAIL, info.available);
  store<u64>(raw + F.STATFS64_FILES, info.files);
  store<u64>(raw + F.STATFS64_FFREE, info.filesFree);
  store<u32>(raw + F.STATFS64_FSID, info.id0);
  store<u32>(raw + F.STATFS64_FSID + 4, info.id1);
  store<u32>(raw + F.STATFS64_NAMELEN, superBlock.nameMax);
  store<u32>(raw + F.STATFS64_FRSIZE, superBlock.blockSize);
  store<u32>(raw + F.STATFS64_FLAGS, flags | F.ST_VALID);
  return F.STATFS64_SIZE;
}

function statfsPath(path: u32, result: u32, wide: bool): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, AT_FDCWD, path, WALK_FOLLOW);
  if (code >= 0) {
    const s = w.dentry.superBlock;
    code = reportFs(s, w.mount.flags | (s.flags & 1), result, wide);
  }
  walkFree(w);
  return code;
}

function statfsFile(fd: u32, result: u32, wide: bool): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  const s = file.inode.superBlock;
  const mountFlags = changetype<usize>(file.mount) !== 0 ? file.mount.flags : 0;
  const code = changetype<usize>(file.mount) === 0
    ? reportFs(s, 0, result, wide)
    : reportFs(file.dentry.superBlock, mountFlags | (s.flags & 1), result, wide);
  filePut(file);
  return code;
}

function sysStatfs64(path: u32, size: u32, result: u32, _d: u32, _e: u32, _f: u32): i32 {
  return size !== F.STATFS64_SIZE ? -EINVAL : statfsPath(path, result, true);
}
function sysFstatfs64(fd: u32, size: u32, result: u32, _d: u32, _e: u32, _f: u32): i32 {
  return size !== F.STATFS64_SIZE ? -EINVAL : statfsFile(fd, result, true);
}
function sysStatfs(path: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statfsPath(path, result, false);
}
function sysFstatfs(fd: u32, result: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return statfsFile(fd, result, false);
}

function access(dirfd: i32, path: u32, mode: u32, flags: u32): i32 {
  if ((mode & ~7) !== 0) return -EINVAL;
  if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const task = current();
  const effective = (flags & AT_EACCESS) !== 0;
  // The walk itself, too, is with the real ids (POSIX access()).
  const fsuid = task.fsuid;
  const fsgid = task.fsgid;
  if (!effective) {
    task.fsuid = task.uid;
    task.fsgid = task.gid;
  }
  const w = walkNew();
  let code: i32 = -ENOMEM;
  if (w !== null) {
    let how = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW;
    if ((flags & AT_EMPTY_PATH) !== 0) how |= WALK_EMPTY;
    code = walkUser(w, dirfd, path, how);
    if (code >= 0) code = checkAccess(w, mode);
    walkFree(w);
  }
  task.fsuid = fsuid;
  task.fsgid = fsgid;
  return code;
}

function checkAccess(w: Walk, mode: u32): i32 {
  const inode = walkInode(w);
  const type = inode.mode & S.S_IFMT;
  if (mode === 0) return 0;
  if ((mode & 2) !== 0 && (type === S.S_IFREG || type === S.S_IFDIR)) {
    const readOnly = wantWrite(changetype<Path>(changetype<usize>(w)));
    if (readOnly < 0) return readOnly;
  }
  if ((mode & X_OK) !== 0 && type === S.S_IFREG && (w.mount.flags & MS_NOEXEC) !== 0) {
    return -EACCES;
  }
  return permissionFor(inode, mode, current().fsuid, current().fsgid);
}

function sysAccess(path: u32, mode: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return access(AT_FDCWD, path, mode, 0);
}
function sysFaccessat(dirfd: u32, path: u32, mode: u32, _d: u32, _e: u32, _f: u32): i32 {
  return access(dirfd, path, mode, 0);
}
function sysFaccessat2(dirfd: u32, path: u32, mode: u32, flags: u32, _e: u32, _f: u32): i32 {
  return access(dirfd, path, mode, flags);
}

function readLink(dirfd: i32, path: u32, buffer: u32, size: u32): i32 {
  if (<i32> size <= 0) return -EINVAL;
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, dirfd, path, WALK_EMPTY);
  if (code >= 0) {
    const read = walkInode(w).ops.readLink;
    const text = kmalloc(PATH_MAX);
    if (read === null) code = load<u8>(w.text) === 0 ? -ENOENT : -EINVAL;
    else if (text === 0) code = -ENOMEM;
    else {
      code = read(walkInode(w), text, PATH_MAX);
      if (code > <i32> size) code = size;
      if (code > 0 && copyOut(buffer, text, code) < 0) code = -EFAULT;
    }
    kfree(text);
  }
  walkFree(w);
  return code;
}

function sysReadlink(path: u32, buffer: u32, size: u32, _d: u32, _e: u32, _f: u32): i32 {
  return readLink(AT_FDCWD, path, buffer, size);
}
function sysReadlinkat(dirfd: u32, path: u32, buffer: u32, size: u32, _e: u32, _f: u32): i32 {
  return readLink(dirfd, path, buffer, size);
}

/* Entries are collected in kernel memory, because a fault may sleep while the directory changes. */
const GETDENTS_CHUNK: u32 = 16384;

function emit64(
  sink: DirectorySink,
  name: usize,
  length: u32,
  inode: u32,
  type: u32,
  next: u64,
): bool {
  const record = (<u32> DIRENT64_NAME + length + 1 + 7) & ~7;
  if (record > sink.room - sink.done) {
    if (sink.done === 0) sink.error = -EINVAL;
    return false;
  }
  const at = <usize> sink.buffer + sink.done;
  store<u64>(at + DIRENT64_INO, <u64> inode);
  store<u64>(at + DIRENT64_OFFSET, next);
  store<u16>(at + DIRENT64_LENGTH, <u16> record);
  store<u8>(at + DIRENT64_TYPE, <u8> type);
  memory.copy(at + DIRENT64_NAME, name, length);
  memory.fill(at + DIRENT64_NAME + length, 0, record - <u32> DIRENT64_NAME - length);
  sink.done += record;
  return true;
}

function emit32(
  sink: DirectorySink,
  name: usize,
  length: u32,
  inode: u32,
  type: u32,
  next: u64,
): bool {
  const record = (<u32> DIRENT_NAME + length + 2 + 3) & ~3;
  if (record > sink.room - sink.done) {
    if (sink.done === 0) sink.error = -EINVAL;
    return false;
  }
  const at = <usize> sink.buffer + sink.done;
  store<u32>(at + DIRENT_INO, inode);
  store<u32>(at + DIRENT_OFFSET, <u32> next);
  store<u16>(at + DIRENT_LENGTH, <u16> record);
  memory.copy(at + DIRENT_NAME, name, length);
  memory.fill(at + DIRENT_NAME + length, 0, record - <u32> DIRENT_NAME - length);
  store<u8>(at + record - 1, <u8> type);
  sink.done += record;
  return true;
}

function getdents(fd: u32, buffer: u32, size: u32, wide: bool): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  let code: i32 = -ENOTDIR;
  if (file.ops.readDirectory !== null) code = readEntries(file, buffer, size, wide);
  filePut(file);
  return code;
}

function readEntries(file: File, buffer: u32, size: u32, wide: bool): i32 {
  const inode = file.inode;
  if ((inode.flags & INODE_REMOVED) !== 0) return -ENOENT;
  const sink = changetype<DirectorySink>(kzalloc(offsetof<DirectorySink>()));
  if (changetype<usize>(sink) === 0) return -ENOMEM;
  const room = size < GETDENTS_CHUNK ? size : GETDENTS_CHUNK;
  const entries = kmalloc(room);
  let code: i32 = -ENOMEM;
  if (entries !== 0) {
    sink.emit = wide ? emit64 : emit32;
    sink.buffer = <u32> entries;
    sink.room = room;
    const before = file.offset;
    lock(inode.lock);
    code = file.ops.readDirectory!(file, sink);
    unlock(inode.lock);
    if (sink.done > 0) {
      code = sink.done;
      if (copyOut(buffer, entries, sink.done) < 0) {
        code = -EFAULT;
        file.offset = before;
      }
    } else if (code >= 0) code = sink.error;
  }
  kfree(entries);
  kfree(changetype<usize>(sink));
  return code;
}

function sysGetdents64(fd: u32, buffer: u32, size: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getdents(fd, buffer, size, true);
}
function sysGetdents(fd: u32, buffer: u32, size: u32, _d: u32, _e: u32, _f: u32): i32 {
  return getdents(fd, buffer, size, false);
}

function sysGetcwd(buffer: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const text = kmalloc(PATH_MAX);
  if (text === 0) return -ENOMEM;
  const context = fsContext();
  let code = pathText(context.cwdMount, context.cwdDentry, text, PATH_MAX);
  if (code > 0) {
    const length = <u32> code + 1;
    if (length > size) code = -ERANGE;
    else code = copyOut(buffer, text, length) < 0 ? -EFAULT : <i32> length;
  }
  kfree(text);
  return code;
}

/* inotify is not there; programs poll instead. */
function sysInotifyInit(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return -ENOSYS;
}

/** Registers the calls of this file. */
export function fileStatCallsInit(): void {
  syscallRegister(SYS_STAT64, sysStat64);
  syscallRegister(SYS_LSTAT64, sysLstat64);
  syscallRegister(SYS_FSTAT64, sysFstat64);
  syscallRegister(SYS_FSTATAT64, sysFstatat64);
  syscallRegister(SYS_STAT, sysStat);
  syscallRegister(SYS_LSTAT, sysLstat);
  syscallRegister(SYS_FSTAT, sysFstat);
  syscallRegister(SYS_OLDSTAT, sysOldstat);
  syscallRegister(SYS_OLDLSTAT, sysOldlstat);
  syscallRegister(SYS_OLDFSTAT, sysOldfstat);
  syscallRegister(SYS_STATX, sysStatx);
  syscallRegister(SYS_STATFS64, sysStatfs64);
  syscallRegister(SYS_FSTATFS64, sysFstatfs64);
  syscallRegister(SYS_STATFS, sysStatfs);
  syscallRegister(SYS_FSTATFS, sysFstatfs);
  syscallRegister(SYS_ACCESS, sysAccess);
  syscallRegister(SYS_FACCESSAT, sysFaccessat);
  syscallRegister(SYS_FACCESSAT2, sysFaccessat2);
  syscallRegister(SYS_READLINK, sysReadlink);
  syscallRegister(SYS_READLINKAT, sysReadlinkat);
  syscallRegister(SYS_GETDENTS64, sysGetdents64);
  syscallRegister(SYS_GETDENTS, sysGetdents);
  syscallRegister(SYS_GETCWD, sysGetcwd);
  syscallRegister(SYS_INOTIFY_INIT, sysInotifyInit);
  syscallRegister(SYS_INOTIFY_INIT1, sysInotifyInit);
}
