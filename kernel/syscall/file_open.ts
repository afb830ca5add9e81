/**
 * System calls on descriptors: open, close, dup, fcntl, ioctl, flock, pipe.
 *
 * @module
 */
import { EBADF, EFAULT, EINVAL, ENFILE, ENOMEM, ENOTTY, EOVERFLOW, EPERM } from "../abi/errno.ts";
import {
  AT_FDCWD,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_GETLK,
  F_GETLK64,
  F_GETOWN,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_RDLCK,
  F_SETFD,
  F_SETFL,
  F_SETLK,
  F_SETLK64,
  F_SETLKW,
  F_SETLKW64,
  F_SETOWN,
  F_SETPIPE_SZ,
  F_SETSIG,
  F_UNLCK,
  F_WRLCK,
  FD_CLOEXEC,
  FLOCK64_LENGTH,
  FLOCK64_PID,
  FLOCK64_SIZE,
  FLOCK_LENGTH,
  FLOCK_PID,
  FLOCK_SIZE,
  FLOCK_START,
  FLOCK_TYPE,
  FLOCK_WHENCE,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_TRUNC,
  O_WRONLY,
  SEEK_CUR,
  SEEK_END,
} from "../abi/fcntl.ts";
import { FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD } from "../abi/ioctl.ts";
import { S_IFMT, S_IFREG } from "../abi/stat.ts";
import {
  SYS_CLOSE,
  SYS_CLOSE_RANGE,
  SYS_CREAT,
  SYS_DUP,
  SYS_DUP2,
  SYS_DUP3,
  SYS_FCNTL,
  SYS_FCNTL64,
  SYS_FLOCK,
  SYS_IOCTL,
  SYS_OPEN,
  SYS_OPENAT,
  SYS_PIPE,
  SYS_PIPE2,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import {
  fdAdd,
  fdCancel,
  fdClose,
  fdFlags,
  fdGet,
  fdGetData,
  fdInstall,
  fdPeek,
  fdReplace,
  fdReserve,
  fdSetFlags,
  fdTable,
  filePut,
} from "../fs/fd_table.ts";
import {
  flockRelease,
  flockSet,
  recordLockConflict,
  recordLockSet,
  validLockType,
} from "../fs/locks.ts";
import { openAt } from "../fs/open.ts";
import { pathFromUser } from "../fs/path.ts";
import { pipeNew, pipeSetSize, pipeSize, pipeWriteEnd } from "../fs/pipe.ts";
import { isOwner } from "../fs/permission.ts";
import { failed, File, FMODE_READ, FMODE_WRITE } from "../fs/types.ts";
import { copyIn, copyOut, getUser32, kfree, kmalloc, putUser32, userWord } from "../mm/mod.ts";
import { current } from "../proc/mod.ts";

function open(dirfd: i32, path: u32, flags: u32, mode: u32): i32 {
  const text = pathFromUser(path);
  if (failed(text)) return <i32> text;
  const table = fdTable();
  // The number first: creating a file and then having no descriptor for it would be odd.
  const fd = fdReserve(table, 0, (flags & O_CLOEXEC) !== 0);
  if (fd >= 0) {
    const file = openAt(dirfd, text, flags, mode);
    if (failed(file)) {
      fdCancel(table, fd);
      kfree(text);
      return <i32> file;
    }
    fdInstall(table, fd, changetype<File>(file));
  }
  kfree(text);
  return fd;
}

function sysOpen(path: u32, flags: u32, mode: u32, _d: u32, _e: u32, _f: u32): i32 {
  return open(AT_FDCWD, path, flags, mode);
}
function sysOpenat(dirfd: u32, path: u32, flags: u32, mode: u32, _e: u32, _f: u32): i32 {
  return open(dirfd, path, flags, mode);
}
function sysCreat(path: u32, mode: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
function sysClose(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return fdClose(fdTable(), fd);
}
function sysCloseRange(first: u32, last: u32, flags: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (first > last || (flags & ~4) !== 0) return -EINVAL;
  const table = fdTable();
  for (let fd = first; fd <= last && fd < table.size; fd++) {
    if ((flags & 4) === 0) fdClose(table, fd);
    else if (fdPeek(table, fd) !== null) fdSetFlags(table, fd, FD_CLOEXEC);
  }
  return 0;
}

function duplicate(fd: u32, from: u32, closeOnExec: bool): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  const result = fdAdd(file, from, closeOnExec);
  if (result < 0) filePut(file);
  return result;
}

function sysDup(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return duplicate(fd, 0, false);
}
function sysDup2(from: u32, to: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (from === to) return fdPeek(fdTable(), from) === null ? -EBADF : <i32> to;
  return fdReplace(fdTable(), from, to, false);
}
function sysDup3(from: u32, to: u32, flags: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (from === to || (flags & ~O_CLOEXEC) !== 0) return -EINVAL;
  return fdReplace(fdTable(), from, to, flags !== 0);
}

/** Bytes that a struct flock means, as [start, end], in `range`; -EINVAL, -EOVERFLOW. */
function lockRange(file: File, whence: u32, start: i64, length: i64, range: usize): i32 {
  let base: i64 = 0;
  if (whence === SEEK_CUR) base = <i64> file.offset;
  else if (whence === SEEK_END) base = <i64> file.inode.size;
  else if (whence !== 0) return -EINVAL;
  let from = base + start;
  let to: i64 = 0x7fffffffffffffff;
  if (length > 0) to = from + length - 1;
  else if (length < 0) {
    to = from - 1;
    from += length;
  }
  if (from < 0) return -EINVAL;
  if (to < from) return -EOVERFLOW;
  store<i64>(range, from);
  store<i64>(range, to, 8);
  return 0;
}

function recordLock(file: File, command: u32, argument: u32, wide: bool): i32 {
  const size = wide ? FLOCK64_SIZE : FLOCK_SIZE;
  const raw = kmalloc(48);
  if (raw === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(raw, argument, size) >= 0) result = recordLockRaw(file, command, argument, wide, raw);
  kfree(raw);
  return result;
}

function recordLockRaw(file: File, command: u32, argument: u32, wide: bool, raw: usize): i32 {
  const type: u32 = load<u16>(raw + FLOCK_TYPE);
  if (!validLockType(type)) return -EINVAL;
  const range = raw + 24;
  const start = wide ? load<i64>(raw + FLOCK_START) : <i64> load<i32>(raw + FLOCK_START);
  const length = wide ? load<i64>(raw + FLOCK64_LENGTH) : <i64> load<i32>(raw + FLOCK_LENGTH);
  const error = lockRange(file, load<u16>(raw + FLOCK_WHENCE), start, length, range);
  if (error < 0) return error;
  const from = load<u64>(range);
  const to = load<u64>(range, 8);
  if (command !== F_GETLK) {
    if (type === F_RDLCK && (file.mode & FMODE_READ) === 0) return -EBADF;
    if (type === F_WRLCK && (file.mode & FMODE_WRITE) === 0) return -EBADF;
    return recordLockSet(file.inode, from, to, type, command === F_SETLKW);
  }
  const other = recordLockConflict(file.inode, from, to, type, current().tgid);
  if (other === null) store<u16>(raw + FLOCK_TYPE, <u16> F_UNLCK);
  else {
    const bytes = other.end >= 0x7fffffffffffffff ? 0 : other.end - other.start + 1;
    store<u16>(raw + FLOCK_TYPE, <u16> other.type);
    store<u16>(raw + FLOCK_WHENCE, 0);
    if (wide) {
      store<u64>(raw + FLOCK_START, other.start);
      store<u64>(raw + FLOCK64_LENGTH, bytes);
      store<i32>(raw + FLOCK64_PID, other.owner);
    } else {
      if (other.start > 0x7fffffff) return -EOVERFLOW;
      store<u32>(raw + FLOCK_START, <u32> other.start);
      store<u32>(raw + FLOCK_LENGTH, <u32> bytes);
      store<i32>(raw + FLOCK_PID, other.owner);
    }
  }
  return copyOut(argument, raw, wide ? FLOCK64_SIZE : FLOCK_SIZE);
}

const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

function setFlags(file: File, flags: u32): i32 {
  if ((flags & O_NOATIME) !== 0 && (file.flags & O_NOATIME) === 0 && !isOwner(file.inode)) {
    return -EPERM;
  }
  file.flags = (file.flags & ~CHANGEABLE) | (flags & CHANGEABLE);
  return 0;
}

function fcntlFile(file: File, fd: u32, command: u32, argument: u32): i32 {
  switch (command) {
    case F_GETFD:
      return fdFlags(fdTable(), fd);
    case F_SETFD:
      fdSetFlags(fdTable(), fd, argument);
      return 0;
    case F_GETFL:
      return file.flags;
    case F_SETFL:
      return setFlags(file, argument);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
      return recordLock(file, command, argument, false);
    case F_GETLK64:
      return recordLock(file, F_GETLK, argument, true);
    case F_SETLK64:
      return recordLock(file, F_SETLK, argument, true);
    case F_SETLKW64:
      return recordLock(file, F_SETLKW, argument, true);
    case F_SETOWN:
      file.owner = argument;
      return 0;
    case F_GETOWN:
      return file.owner;
    case F_GETSIG:
    case F_SETSIG:
      return 0;
    case F_GETPIPE_SZ: {
      const size = pipeSize(file);
      return size < 0 ? -EBADF : size;
    }
    case F_SETPIPE_SZ:
      return pipeSetSize(file, argument);
  }
  return -EINVAL;
}

function fcntl(fd: u32, command: u32, argument: u32): i32 {
  if (command === F_DUPFD) return duplicate(fd, argument, false);
  if (command === F_DUPFD_CLOEXEC) return duplicate(fd, argument, true);
  const forPath = command === F_GETFD || command === F_SETFD || command === F_GETFL;
  const file = forPath ? fdGet(fd) : fdGetData(fd);
  if (file === null) return -EBADF;
  const result = fcntlFile(file, fd, command, argument);
  filePut(file);
  return result;
}

function sysFcntl(fd: u32, command: u32, argument: u32, _d: u32, _e: u32, _f: u32): i32 {
  return fcntl(fd, command, argument);
}

function ioctlFile(file: File, fd: u32, request: u32, argument: u32): i32 {
  switch (request) {
    case FIOCLEX:
      fdSetFlags(fdTable(), fd, FD_CLOEXEC);
      return 0;
    case FIONCLEX:
      fdSetFlags(fdTable(), fd, 0);
      return 0;
    case FIONBIO:
    case FIOASYNC: {
      if (getUser32(argument) < 0) return -EFAULT;
      const bit = request === FIONBIO ? O_NONBLOCK : O_ASYNC;
      if (userWord() !== 0) file.flags |= bit;
      else file.flags &= ~bit;
      return 0;
    }
  }
  if (request === FIONREAD && (file.inode.mode & S_IFMT) === S_IFREG && file.ops.ioctl === null) {
    const left = file.inode.size > file.offset ? file.inode.size - file.offset : 0;
    return putUser32(argument, left > 0x7fffffff ? 0x7fffffff : <u32> left);
  }
  const ioctl = file.ops.ioctl;
  return ioctl === null ? -ENOTTY : ioctl(file, request, argument);
}

function sysIoctl(fd: u32, request: u32, argument: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const result = ioctlFile(file, fd, request, argument);
  filePut(file);
  return result;
}

function sysFlock(fd: u32, operation: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  let result: i32 = 0;
  const kind = operation & ~LOCK_NB;
  if (kind === LOCK_UN) flockRelease(file);
  else if (kind === LOCK_SH || kind === LOCK_EX) {
    const wait = (operation & LOCK_NB) === 0;
    result = flockSet(file, kind === LOCK_SH ? F_RDLCK : F_WRLCK, wait);
  } else result = -EINVAL;
  filePut(file);
  return result;
}

function makePipe(result: u32, flags: u32): i32 {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  const reader = pipeNew(flags);
  if (reader === null) return -ENFILE;
  const writer = pipeWriteEnd();
  const closeOnExec = (flags & O_CLOEXEC) !== 0;
  const first = fdAdd(reader, 0, closeOnExec);
  if (first < 0) {
    filePut(reader);
    filePut(writer);
    return first;
  }
  const second = fdAdd(writer, 0, closeOnExec);
  if (second < 0) {
    fdClose(fdTable(), first);
    filePut(writer);
    return second;
  }
  if (putUser32(result, first) < 0 || putUser32(result + 4, second) < 0) {
    fdClose(fdTable(), first);
    fdClose(fdTable(), second);
    return -EFAULT;
  }
  return 0;
}

function sysPipe(result: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return makePipe(result, 0);
}
function sysPipe2(result: u32, flags: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return makePipe(result, flags);
}

/** Registers the calls of this file. */
export function fileOpenCallsInit(): void {
  syscallRegister(SYS_OPEN, sysOpen);
  syscallRegister(SYS_OPENAT, sysOpenat);
  syscallRegister(SYS_CREAT, sysCreat);
  syscallRegister(SYS_CLOSE, sysClose);
  syscallRegister(SYS_CLOSE_RANGE, sysCloseRange);
  syscallRegister(SYS_DUP, sysDup);
  syscallRegister(SYS_DUP2, sysDup2);
  syscallRegister(SYS_DUP3, sysDup3);
  syscallRegister(SYS_FCNTL, sysFcntl);
  syscallRegister(SYS_FCNTL64, sysFcntl);
  syscallRegister(SYS_IOCTL, sysIoctl);
  syscallRegister(SYS_FLOCK, sysFlock);
  syscallRegister(SYS_PIPE, sysPipe);
  syscallRegister(SYS_PIPE2, sysPipe2);
}
