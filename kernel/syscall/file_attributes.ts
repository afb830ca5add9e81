/**
 * System calls that change attributes: chmod, chown, times, truncate; extended attributes, of which
 * there are none.
 *
 * @module
 */
import { EBADF, EFAULT, EFBIG, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, ESPIPE } from "../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../abi/fcntl.ts";
import { UTIME_NOW } from "../abi/stat.ts";
import {
  SYS_CHMOD,
  SYS_CHOWN,
  SYS_CHOWN32,
  SYS_FALLOCATE,
  SYS_FCHMOD,
  SYS_FCHMODAT,
  SYS_FCHOWN,
  SYS_FCHOWN32,
  SYS_FCHOWNAT,
  SYS_FGETXATTR,
  SYS_FLISTXATTR,
  SYS_FREMOVEXATTR,
  SYS_FSETXATTR,
  SYS_FTRUNCATE,
  SYS_FTRUNCATE64,
  SYS_FUTIMESAT,
  SYS_GETXATTR,
  SYS_LCHOWN,
  SYS_LCHOWN32,
  SYS_LGETXATTR,
  SYS_LISTXATTR,
  SYS_LLISTXATTR,
  SYS_LREMOVEXATTR,
  SYS_LSETXATTR,
  SYS_REMOVEXATTR,
  SYS_SETXATTR,
  SYS_TRUNCATE,
  SYS_TRUNCATE64,
  SYS_UTIME,
  SYS_UTIMENSAT,
  SYS_UTIMENSAT_TIME64,
  SYS_UTIMES,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { changeMode, changeOwner, changeSize, changeTimes } from "../fs/attributes.ts";
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
import { MAY_WRITE, permission, wantWrite } from "../fs/permission.ts";
import { FMODE_STREAM, FMODE_WRITE, Path } from "../fs/types.ts";
import { copyIn, kfree, kmalloc } from "../mm/mod.ts";

function writable(w: Walk): i32 {
  return wantWrite(changetype<Path>(changetype<usize>(w)));
}

function chmod(dirfd: i32, path: u32, mode: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, dirfd, path, WALK_FOLLOW);
  if (code >= 0) code = writable(w);
  if (code >= 0) code = changeMode(walkInode(w), mode);
  walkFree(w);
  return code;
}

function sysChmod(path: u32, mode: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chmod(AT_FDCWD, path, mode);
}
function sysFchmodat(dirfd: u32, path: u32, mode: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chmod(dirfd, path, mode);
}
function sysFchmod(fd: u32, mode: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const code = changeMode(file.inode, mode);
  filePut(file);
  return code;
}

function chown(dirfd: i32, path: u32, uid: u32, gid: u32, how: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, dirfd, path, how);
  if (code >= 0) code = writable(w);
  if (code >= 0) code = changeOwner(walkInode(w), uid, gid);
  walkFree(w);
  return code;
}

/* Ids of 16 bits; 0xffff means: leave it. */
function wide(id: u32): u32 {
  return (id & 0xffff) === 0xffff ? 0xffffffff : id & 0xffff;
}

function sysChown32(path: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chown(AT_FDCWD, path, uid, gid, WALK_FOLLOW);
}
function sysLchown32(path: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chown(AT_FDCWD, path, uid, gid, 0);
}
function sysChown(path: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chown(AT_FDCWD, path, wide(uid), wide(gid), WALK_FOLLOW);
}
function sysLchown(path: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return chown(AT_FDCWD, path, wide(uid), wide(gid), 0);
}
function sysFchownat(dirfd: u32, path: u32, uid: u32, gid: u32, flags: u32, _f: u32): i32 {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  let how = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW;
  if ((flags & AT_EMPTY_PATH) !== 0) how |= WALK_EMPTY;
  return chown(dirfd, path, uid, gid, how);
}
function fchown(fd: u32, uid: u32, gid: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const code = changeOwner(file.inode, uid, gid);
  filePut(file);
  return code;
}
function sysFchown32(fd: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return fchown(fd, uid, gid);
}
function sysFchown(fd: u32, uid: u32, gid: u32, _d: u32, _e: u32, _f: u32): i32 {
  return fchown(fd, wide(uid), wide(gid));
}

/** Times of a path or (path 0) of a descriptor. */
function setTimes(
  dirfd: i32,
  path: u32,
  flags: u32,
  accessSeconds: u32,
  accessNs: u32,
  modifySeconds: u32,
  modifyNs: u32,
): i32 {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  if (path === 0) {
    const file = fdGetData(dirfd);
    if (file === null) return -EBADF;
    const result = changeTimes(file.inode, accessSeconds, accessNs, modifySeconds, modifyNs);
    filePut(file);
    return result;
  }
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let how = (flags & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW;
  if ((flags & AT_EMPTY_PATH) !== 0) how |= WALK_EMPTY;
  let code = walkUser(w, dirfd, path, how);
  if (code >= 0) code = writable(w);
  if (code >= 0) {
    code = changeTimes(walkInode(w), accessSeconds, accessNs, modifySeconds, modifyNs);
  }
  walkFree(w);
  return code;
}

/* How two times are laid out in user memory. */
const TIMES_SECONDS: u32 = 0;
const TIMES_TIMEVAL: u32 = 1;
const TIMES_TIMESPEC: u32 = 2;
const TIMES_TIMESPEC64: u32 = 3;

function fetchTimes(dirfd: i32, path: u32, flags: u32, times: u32, layout: u32): i32 {
  if (times === 0) return setTimes(dirfd, path, flags, 0, UTIME_NOW, 0, UTIME_NOW);
  const raw = kmalloc(32);
  if (raw === 0) return -ENOMEM;
  const size: u32 = layout === TIMES_SECONDS ? 8 : layout === TIMES_TIMESPEC64 ? 32 : 16;
  let code: i32 = -EFAULT;
  if (copyIn(raw, times, size) >= 0) {
    if (layout === TIMES_SECONDS) {
      code = setTimes(dirfd, path, flags, load<u32>(raw), 0, load<u32>(raw, 4), 0);
    } else {
      const step: usize = layout === TIMES_TIMESPEC64 ? 16 : 8;
      const fraction: usize = step >> 1;
      let a = load<u32>(raw + fraction);
      let m = load<u32>(raw + step + fraction);
      const micro = layout === TIMES_TIMEVAL;
      if (micro && (a >= 1000000 || m >= 1000000)) code = -EINVAL;
      else {
        if (micro) {
          a *= 1000;
          m *= 1000;
        }
        code = setTimes(dirfd, path, flags, load<u32>(raw), a, load<u32>(raw + step), m);
      }
    }
  }
  kfree(raw);
  return code;
}

function sysUtimensat(dirfd: u32, path: u32, times: u32, flags: u32, _e: u32, _f: u32): i32 {
  return fetchTimes(dirfd, path, flags, times, TIMES_TIMESPEC);
}
function sysUtimensatTime64(dirfd: u32, path: u32, times: u32, flags: u32, _e: u32, _f: u32): i32 {
  return fetchTimes(dirfd, path, flags, times, TIMES_TIMESPEC64);
}
function sysFutimesat(dirfd: u32, path: u32, times: u32, _d: u32, _e: u32, _f: u32): i32 {
  return fetchTimes(dirfd, path, 0, times, TIMES_TIMEVAL);
}
function sysUtimes(path: u32, times: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return path === 0 ? -EFAULT : fetchTimes(AT_FDCWD, path, 0, times, TIMES_TIMEVAL);
}
function sysUtime(path: u32, times: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return path === 0 ? -EFAULT : fetchTimes(AT_FDCWD, path, 0, times, TIMES_SECONDS);
}

function truncatePath(path: u32, size: u64): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, AT_FDCWD, path, WALK_FOLLOW);
  if (code >= 0) code = writable(w);
  if (code >= 0) code = permission(walkInode(w), MAY_WRITE);
  if (code >= 0) code = changeSize(walkInode(w), size);
  walkFree(w);
  return code;
}

function truncateFile(fd: u32, size: u64): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const code = (file.mode & FMODE_WRITE) === 0 ? -EINVAL : changeSize(file.inode, size);
  filePut(file);
  return code;
}

function sysTruncate64(path: u32, low: u32, high: u32, _d: u32, _e: u32, _f: u32): i32 {
  return truncatePath(path, (<u64> high << 32) | <u64> low);
}
function sysFtruncate64(fd: u32, low: u32, high: u32, _d: u32, _e: u32, _f: u32): i32 {
  return truncateFile(fd, (<u64> high << 32) | <u64> low);
}
function sysTruncate(path: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return truncatePath(path, <u64> (<i64> (<i32> size)));
}
function sysFtruncate(fd: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return truncateFile(fd, <u64> (<i64> (<i32> size)));
}

/* Space cannot be reserved ahead; libc's posix_fallocate then writes zeros. */
function sysFallocate(
  fd: u32,
  mode: u32,
  low: u32,
  high: u32,
  lengthLow: u32,
  lengthHigh: u32,
): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  let code: i32 = -EOPNOTSUPP;
  const empty = (lengthLow | lengthHigh) === 0;
  if ((file.mode & FMODE_WRITE) === 0) code = -EBADF;
  else if ((file.mode & FMODE_STREAM) !== 0) code = -ESPIPE;
  else if (<i32> high < 0 || <i32> lengthHigh < 0 || empty) code = -EINVAL;
  else if (mode === 0 && <i32> (high + lengthHigh) < 0) code = -EFBIG;
  else if (file.ops.map === null && low !== 0) code = -ENODEV;
  filePut(file);
  return code;
}

/** Extended attributes: the object must exist, then there are none. */
function noAttributes(path: u32, how: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  const code = walkUser(w, AT_FDCWD, path, how);
  walkFree(w);
  return code < 0 ? code : -EOPNOTSUPP;
}

function sysXattr(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return noAttributes(path, WALK_FOLLOW);
}
function sysLxattr(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return noAttributes(path, 0);
}
function sysFxattr(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  filePut(file);
  return -EOPNOTSUPP;
}
function sysListxattr(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return noAttributes(path, WALK_FOLLOW);
}
function sysLlistxattr(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return noAttributes(path, 0);
}
function sysFlistxattr(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  filePut(file);
  return -EOPNOTSUPP;
}

/** Registers the calls of this file. */
export function fileAttributesCallsInit(): void {
  syscallRegister(SYS_CHMOD, sysChmod);
  syscallRegister(SYS_FCHMODAT, sysFchmodat);
  syscallRegister(SYS_FCHMOD, sysFchmod);
  syscallRegister(SYS_CHOWN32, sysChown32);
  syscallRegister(SYS_LCHOWN32, sysLchown32);
  syscallRegister(SYS_CHOWN, sysChown);
  syscallRegister(SYS_LCHOWN, sysLchown);
  syscallRegister(SYS_FCHOWNAT, sysFchownat);
  syscallRegister(SYS_FCHOWN32, sysFchown32);
  syscallRegister(SYS_FCHOWN, sysFchown);
  syscallRegister(SYS_UTIMENSAT, sysUtimensat);
  syscallRegister(SYS_UTIMENSAT_TIME64, sysUtimensatTime64);
  syscallRegister(SYS_FUTIMESAT, sysFutimesat);
  syscallRegister(SYS_UTIMES, sysUtimes);
  syscallRegister(SYS_UTIME, sysUtime);
  syscallRegister(SYS_TRUNCATE64, sysTruncate64);
  syscallRegister(SYS_FTRUNCATE64, sysFtruncate64);
  syscallRegister(SYS_TRUNCATE, sysTruncate);
  syscallRegister(SYS_FTRUNCATE, sysFtruncate);
  syscallRegister(SYS_FALLOCATE, sysFallocate);
  syscallRegister(SYS_SETXATTR, sysXattr);
  syscallRegister(SYS_GETXATTR, sysXattr);
  syscallRegister(SYS_REMOVEXATTR, sysXattr);
  syscallRegister(SYS_LSETXATTR, sysLxattr);
  syscallRegister(SYS_LGETXATTR, sysLxattr);
  syscallRegister(SYS_LREMOVEXATTR, sysLxattr);
  syscallRegister(SYS_FSETXATTR, sysFxattr);
  syscallRegister(SYS_FGETXATTR, sysFxattr);
  syscallRegister(SYS_FREMOVEXATTR, sysFxattr);
  syscallRegister(SYS_LISTXATTR, sysListxattr);
  syscallRegister(SYS_LLISTXATTR, sysLlistxattr);
  syscallRegister(SYS_FLISTXATTR, sysFlistxattr);
}
