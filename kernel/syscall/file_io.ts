/**
 * System calls that move data: read, write and their kin, lseek, sendfile.
 *
 * @module
 */
import { EBADF, EFAULT, EINVAL, EISDIR, ENOMEM, ESPIPE } from "../abi/errno.ts";
import { O_APPEND, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET } from "../abi/fcntl.ts";
import { ENXIO, EOVERFLOW } from "../abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../abi/stat.ts";
import {
  SYS_COPY_FILE_RANGE,
  SYS_LLSEEK,
  SYS_LSEEK,
  SYS_PREAD64,
  SYS_PREADV,
  SYS_PREADV2,
  SYS_PWRITE64,
  SYS_PWRITEV,
  SYS_PWRITEV2,
  SYS_READ,
  SYS_READV,
  SYS_SENDFILE,
  SYS_SENDFILE64,
  SYS_WRITE,
  SYS_WRITEV,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { fdGetData, filePut } from "../fs/fd_table.ts";
import { File, FMODE_READ, FMODE_STREAM, FMODE_WRITE } from "../fs/types.ts";
import {
  copyIn,
  copyOut,
  getUser32,
  kfree,
  kmalloc,
  putUser32,
  Transfer,
  transferFree,
  transferKernel,
  transferNew,
  transferUser,
  transferVector,
  userRange,
  userWord,
} from "../mm/mod.ts";

/** Most bytes of one call (Linux MAX_RW_COUNT). */
const MOST: u32 = 0x7ffff000;
/** The file's own offset is meant. */
const OWN: u64 = ~(<u64> 0);

function readInto(file: File, t: Transfer, offset: u64): i32 {
  if ((file.mode & FMODE_READ) === 0) return -EBADF;
  const read = file.ops.read;
  if (read === null) return (file.inode.mode & S_IFMT) === S_IFDIR ? -EISDIR : -EINVAL;
  if (offset !== OWN) return read(file, t, offset);
  const n = read(file, t, file.offset);
  if (n > 0 && (file.mode & FMODE_STREAM) === 0) file.offset += <u64> (<u32> n);
  return n;
}

function writeFrom(file: File, t: Transfer, offset: u64): i32 {
  if ((file.mode & FMODE_WRITE) === 0) return -EBADF;
  const write = file.ops.write;
  if (write === null) return -EINVAL;
  if (offset !== OWN) return write(file, t, offset);
  const n = write(file, t, file.offset);
  // With O_APPEND the file itself moved the offset, to its new end.
  if (n > 0 && (file.mode & FMODE_STREAM) === 0 && (file.flags & O_APPEND) === 0) {
    file.offset += <u64> (<u32> n);
  }
  return n;
}

function move(fd: u32, buffer: u32, count: u32, offset: u64, out: bool): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  let result: i32 = -EFAULT;
  if (count > MOST) count = MOST;
  if (offset !== OWN && (file.mode & FMODE_STREAM) !== 0) result = -ESPIPE;
  else if (userRange(buffer, count)) {
    const t = transferUser(buffer, count);
    if (t === null) result = -ENOMEM;
    else {
      result = out ? writeFrom(file, t, offset) : readInto(file, t, offset);
      transferFree(t);
    }
  }
  filePut(file);
  return result;
}

function moveVector(fd: u32, iov: u32, count: u32, offset: u64, out: bool): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  let result: i32 = -ENOMEM;
  if (offset !== OWN && (file.mode & FMODE_STREAM) !== 0) result = -ESPIPE;
  else {
    const t = transferNew();
    if (t !== null) {
      result = transferVector(t, iov, count);
      if (result >= 0) result = out ? writeFrom(file, t, offset) : readInto(file, t, offset);
      transferFree(t);
    }
  }
  filePut(file);
  return result;
}

function wide(low: u32, high: u32): u64 {
  return (<u64> high << 32) | <u64> low;
}

function sysRead(fd: u32, buffer: u32, count: u32, _d: u32, _e: u32, _f: u32): i32 {
  return move(fd, buffer, count, OWN, false);
}
function sysWrite(fd: u32, buffer: u32, count: u32, _d: u32, _e: u32, _f: u32): i32 {
  return move(fd, buffer, count, OWN, true);
}
function sysReadv(fd: u32, iov: u32, count: u32, _d: u32, _e: u32, _f: u32): i32 {
  return moveVector(fd, iov, count, OWN, false);
}
function sysWritev(fd: u32, iov: u32, count: u32, _d: u32, _e: u32, _f: u32): i32 {
  return moveVector(fd, iov, count, OWN, true);
}
function sysPread64(fd: u32, buffer: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return <i32> high < 0 ? -EINVAL : move(fd, buffer, count, wide(low, high), false);
}
function sysPwrite64(fd: u32, buffer: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return <i32> high < 0 ? -EINVAL : move(fd, buffer, count, wide(low, high), true);
}
function sysPreadv(fd: u32, iov: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return <i32> high < 0 ? -EINVAL : moveVector(fd, iov, count, wide(low, high), false);
}
function sysPwritev(fd: u32, iov: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return <i32> high < 0 ? -EINVAL : moveVector(fd, iov, count, wide(low, high), true);
}
/* With offset -1 the file's own is meant; flags are hints that we know none of. */
function sysPreadv2(fd: u32, iov: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return moveVector(fd, iov, count, wide(low, high), false);
}
function sysPwritev2(fd: u32, iov: u32, count: u32, low: u32, high: u32, _f: u32): i32 {
  return moveVector(fd, iov, count, wide(low, high), true);
}

/** lseek: new offset, or -errno. */
function seek(file: File, offset: i64, whence: u32): i64 {
  if ((file.mode & FMODE_STREAM) !== 0) return -ESPIPE;
  const own = file.ops.seek;
  if (own !== null) return own(file, offset, whence);
  const size = <i64> file.inode.size;
  let position = offset;
  switch (whence) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      position += <i64> file.offset;
      break;
    case SEEK_END:
      position += size;
      break;
    // Every file may be taken for one piece of data with a hole at its end (lseek(2)).
    case SEEK_DATA:
      if (offset < 0 || offset >= size) return -ENXIO;
      break;
    case SEEK_HOLE:
      if (offset < 0 || offset >= size) return -ENXIO;
      position = size;
      break;
    default:
      return -EINVAL;
  }
  if (position < 0) return -EINVAL;
  file.offset = position;
  return position;
}

function sysLseek(fd: u32, offset: u32, whence: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const position = seek(file, <i64> (<i32> offset), whence);
  filePut(file);
  return position > 0x7fffffff ? -EOVERFLOW : <i32> position;
}
function sysLlseek(fd: u32, high: u32, low: u32, result: u32, whence: u32, _f: u32): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const position = seek(file, <i64> wide(low, high), whence);
  filePut(file);
  if (position < 0) return <i32> position;
  if (putUser32(result, <u32> position) < 0) return -EFAULT;
  return putUser32(result + 4, <u32> (position >> 32));
}

const CHUNK: u32 = 16384;

/** Copies from file to file by way of kernel memory: bytes, or -errno. */
function copyBetween(from: File, to: File, at: u64, atOut: u64, count: u32): i32 {
  if ((from.mode & FMODE_READ) === 0 || (to.mode & FMODE_WRITE) === 0) return -EBADF;
  const read = from.ops.read;
  const write = to.ops.write;
  if (read === null || write === null || (from.mode & FMODE_STREAM) !== 0) return -EINVAL;
  const buffer = kmalloc(CHUNK);
  if (buffer === 0) return -ENOMEM;
  let done: u32 = 0;
  let result: i32 = 0;
  let position = at;
  let target = atOut;
  while (done < count) {
    let n: i32 = count - done < CHUNK ? count - done : CHUNK;
    let t = transferKernel(buffer, n);
    if (t === null) {
      result = -ENOMEM;
      break;
    }
    n = read(from, t, position);
    transferFree(t);
    result = n;
    if (n <= 0) break;
    t = transferKernel(buffer, n);
    if (t === null) {
      result = -ENOMEM;
      break;
    }
    result = writeFrom(to, t, target);
    transferFree(t);
    if (result <= 0) break;
    done += result;
    position += <u64> (<u32> result);
    if (target !== OWN) target += <u64> (<u32> result);
    if (result < n) break;
  }
  kfree(buffer);
  return done > 0 ? <i32> done : result;
}

function sendFile(out: u32, source: u32, offsetAt: u32, count: u32, is64: bool): i32 {
  let offset: u64 = OWN;
  if (offsetAt !== 0) {
    if (getUser32(offsetAt) < 0) return -EFAULT;
    offset = userWord();
    if (is64) {
      if (getUser32(offsetAt + 4) < 0) return -EFAULT;
      offset |= <u64> userWord() << 32;
    }
    if (<i64> offset < 0) return -EINVAL;
  }
  const from = fdGetData(source);
  const to = fdGetData(out);
  let result: i32 = -EBADF;
  if (from !== null && to !== null) {
    const at = offset === OWN ? from.offset : offset;
    result = copyBetween(from, to, at, OWN, count > MOST ? MOST : count);
    if (result > 0) {
      const after = at + <u64> (<u32> result);
      if (offset === OWN) from.offset = after;
      else if (putUser32(offsetAt, <u32> after) < 0) result = -EFAULT;
      else if (is64 && putUser32(offsetAt + 4, <u32> (after >> 32)) < 0) result = -EFAULT;
    }
  }
  if (from !== null) filePut(from);
  if (to !== null) filePut(to);
  return result;
}

function sysSendfile(out: u32, source: u32, offset: u32, count: u32, _e: u32, _f: u32): i32 {
  return sendFile(out, source, offset, count, false);
}
function sysSendfile64(out: u32, source: u32, offset: u32, count: u32, _e: u32, _f: u32): i32 {
  return sendFile(out, source, offset, count, true);
}

/** Reads a 64-bit offset of user memory; OWN for a null pointer. False: -EFAULT. */
function fetchOffset(address: u32, into: usize): bool {
  store<u64>(into, OWN);
  return address === 0 || copyIn(into, address, 8) >= 0;
}

function sysCopyFileRange(
  source: u32,
  sourceOffset: u32,
  out: u32,
  outOffset: u32,
  count: u32,
  flags: u32,
): i32 {
  if (flags !== 0) return -EINVAL;
  const words = kmalloc(16);
  if (words === 0) return -ENOMEM;
  const from = fdGetData(source);
  const to = fdGetData(out);
  let result: i32 = -EBADF;
  if (from !== null && to !== null) {
    if (!fetchOffset(sourceOffset, words) || !fetchOffset(outOffset, words + 8)) result = -EFAULT;
    else if ((to.flags & O_APPEND) !== 0) result = -EBADF;
    else if (to.ops.map === null || from.ops.map === null) result = -EINVAL;
    else {
      const at = sourceOffset === 0 ? from.offset : load<u64>(words);
      result = copyBetween(from, to, at, load<u64>(words, 8), count > MOST ? MOST : count);
      if (result > 0) {
        if (sourceOffset === 0) from.offset = at + <u64> (<u32> result);
        store<u64>(words, at + <u64> (<u32> result));
        store<u64>(words, load<u64>(words, 8) + <u64> (<u32> result), 8);
        if (sourceOffset !== 0) copyOut(sourceOffset, words, 8);
        if (outOffset !== 0) copyOut(outOffset, words + 8, 8);
      }
    }
  }
  if (from !== null) filePut(from);
  if (to !== null) filePut(to);
  kfree(words);
  return result;
}

/** Registers the calls of this file. */
export function fileIoCallsInit(): void {
  syscallRegister(SYS_READ, sysRead);
  syscallRegister(SYS_WRITE, sysWrite);
  syscallRegister(SYS_READV, sysReadv);
  syscallRegister(SYS_WRITEV, sysWritev);
  syscallRegister(SYS_PREAD64, sysPread64);
  syscallRegister(SYS_PWRITE64, sysPwrite64);
  syscallRegister(SYS_PREADV, sysPreadv);
  syscallRegister(SYS_PWRITEV, sysPwritev);
  syscallRegister(SYS_PREADV2, sysPreadv2);
  syscallRegister(SYS_PWRITEV2, sysPwritev2);
  syscallRegister(SYS_LSEEK, sysLseek);
  syscallRegister(SYS_LLSEEK, sysLlseek);
  syscallRegister(SYS_SENDFILE, sysSendfile);
  syscallRegister(SYS_SENDFILE64, sysSendfile64);
  syscallRegister(SYS_COPY_FILE_RANGE, sysCopyFileRange);
}
