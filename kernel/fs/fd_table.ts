/**
 * Open files and descriptor tables.
 *
 * @module
 */
import { EBADF, EINVAL, EMFILE, ENFILE, ENOMEM } from "../abi/errno.ts";
import { kfree, kzalloc } from "../mm/mod.ts";
import { current } from "../proc/mod.ts";
import { pathPut, pathRef } from "./context.ts";
import { flockRelease, recordLocksRelease } from "./locks.ts";
import { inodePut, inodeRef } from "./inode.ts";
import {
  Dentry,
  File,
  FileOps,
  FMODE_EXEC,
  FMODE_PATH,
  FMODE_WRITE,
  Inode,
  Mount,
} from "./types.ts";

/** Descriptors at the start of a table; most that a table can have. */
const INITIAL: u32 = 32;
const LARGEST: u32 = 65536;
const RLIMIT_NOFILE: u32 = 7;
/** Open files in the whole system. */
const FILE_MAX: u32 = 65536;

let openFiles: u32 = 0;

/** Open files in the whole system. */
export function fileCount(): u32 {
  return openFiles;
}

/** A table of descriptors, shared by CLONE_FILES. */
/*@unmanaged*/
export class FdTable {
  references: u32;
  size: u32;
  /** `size` pointers to File, 0 for free. */
  files: usize;
  /** `size` bytes: FD_CLOEXEC, and RESERVED while open() works on it. */
  flags: usize;
  /** No descriptor below is free. */
  hint: u32;
}

const RESERVED: u8 = 0x80;

/**
 * An open file of an inode at a place, with one reference; takes its own references. `mount` and
 * `dentry` may be null for files without a name. Null: -ENFILE or no memory.
 */
export function fileNew(
  inode: Inode,
  mount: Mount | null,
  dentry: Dentry | null,
  ops: FileOps,
  flags: u32,
  mode: u32,
): File | null {
  if (openFiles >= FILE_MAX) return null;
  const file = changetype<File | null>(kzalloc(offsetof<File>()));
  if (file === null) return null;
  openFiles++;
  file.references = 1;
  file.inode = inode;
  inodeRef(inode);
  file.ops = ops;
  file.flags = flags;
  file.mode = mode;
  if (mount !== null && dentry !== null) {
    file.mount = mount;
    file.dentry = dentry;
    pathRef(mount, dentry);
  }
  return file;
}

/** One more reference. */
export function fileRef(file: File): void {
  file.references++;
}

/** One reference less; the last one closes. May sleep. */
export function filePut(file: File): void {
  if (--file.references > 0) return;
  // A second use inside of `release` must not close again.
  file.references = 1;
  if (file.locked) flockRelease(file);
  const release = file.ops.release;
  if (release !== null && (file.mode & FMODE_PATH) === 0) release(file);
  const inode = file.inode;
  if ((file.mode & FMODE_WRITE) !== 0 && (file.mode & FMODE_PATH) === 0) inode.writers--;
  if ((file.mode & FMODE_EXEC) !== 0) inode.writers++;
  if (changetype<usize>(file.dentry) !== 0) pathPut(file.mount, file.dentry);
  inodePut(inode);
  openFiles--;
  kfree(changetype<usize>(file));
}

/** A new, empty table; null when memory is out. */
export function fdTableNew(size: u32): FdTable | null {
  const table = changetype<FdTable | null>(kzalloc(offsetof<FdTable>()));
  const files = kzalloc(size << 2);
  const flags = kzalloc(size);
  if (table === null || files === 0 || flags === 0) {
    kfree(changetype<usize>(table));
    kfree(files);
    kfree(flags);
    return null;
  }
  table.references = 1;
  table.size = size;
  table.files = files;
  table.flags = flags;
  return table;
}

/** The table of the current task; made when it has none. */
export function fdTable(): FdTable {
  const task = current();
  if (task.files === 0) task.files = changetype<usize>(fdTableNew(INITIAL)!);
  return changetype<FdTable>(task.files);
}

/** A copy with the same open files; 0 gives an empty table. 0 when memory is out. */
export function filesCopy(address: usize): usize {
  if (address === 0) return changetype<usize>(fdTableNew(INITIAL));
  const source = changetype<FdTable>(address);
  const copy = fdTableNew(source.size);
  if (copy === null) return 0;
  for (let i: u32 = 0; i < source.size; i++) {
    const file = changetype<File | null>(load<usize>(source.files + (i << 2)));
    if (file === null) continue;
    fileRef(file);
    store<usize>(copy.files + (i << 2), changetype<usize>(file));
    store<u8>(copy.flags + i, load<u8>(source.flags + i));
  }
  return changetype<usize>(copy);
}

/** Another user of the table. 0 is allowed. */
export function filesShare(table: usize): void {
  if (table !== 0) changetype<FdTable>(table).references++;
}

/** True when nobody else uses the table. */
export function filesAlone(table: usize): bool {
  return table === 0 || changetype<FdTable>(table).references === 1;
}

/** What each close of a descriptor does before the file's reference goes. */
function closeFile(file: File): void {
  recordLocksRelease(file);
  const flush = file.ops.flush;
  if (flush !== null) flush(file);
  filePut(file);
}

/** One user less; the last one closes everything. 0 is allowed. */
export function filesRelease(address: usize): void {
  if (address === 0) return;
  const table = changetype<FdTable>(address);
  if (--table.references > 0) return;
  for (let i: u32 = 0; i < table.size; i++) {
    const file = changetype<File | null>(load<usize>(table.files + (i << 2)));
    if (file === null) continue;
    store<usize>(table.files + (i << 2), 0);
    closeFile(file);
  }
  kfree(table.files);
  kfree(table.flags);
  kfree(address);
}

/** Closes what has FD_CLOEXEC. */
export function filesExec(address: usize): void {
  if (address === 0) return;
  const table = changetype<FdTable>(address);
  for (let i: u32 = 0; i < table.size; i++) {
    if ((load<u8>(table.flags + i) & 1) !== 0) fdClose(table, i);
  }
}

function grow(table: FdTable, wanted: u32): i32 {
  let size = table.size;
  while (size < wanted) size <<= 1;
  if (size > LARGEST) return -EMFILE;
  const files = kzalloc(size << 2);
  const flags = kzalloc(size);
  if (files === 0 || flags === 0) {
    kfree(files);
    kfree(flags);
    return -ENOMEM;
  }
  memory.copy(files, table.files, table.size << 2);
  memory.copy(flags, table.flags, table.size);
  kfree(table.files);
  kfree(table.flags);
  table.files = files;
  table.flags = flags;
  table.size = size;
  return 0;
}

/** Limit of descriptor numbers of the current process. */
export function fdLimit(): u32 {
  const limit = current().process.limit(RLIMIT_NOFILE);
  return limit > <u64> LARGEST ? LARGEST : <u32> limit;
}

/** Reserves the lowest free descriptor from `from` on: number, -EMFILE, -EINVAL, -ENOMEM. */
export function fdReserve(table: FdTable, from: u32, closeOnExec: bool): i32 {
  const limit = fdLimit();
  if (from >= limit) return from === 0 ? -EMFILE : -EINVAL;
  let fd = from < table.hint ? table.hint : from;
  while (
    fd < table.size &&
    (load<usize>(table.files + (fd << 2)) !== 0 || (load<u8>(table.flags + fd) & RESERVED) !== 0)
  ) fd++;
  if (fd >= limit) return -EMFILE;
  if (fd >= table.size) {
    const error = grow(table, fd + 1);
    if (error < 0) return error;
  }
  if (from <= table.hint) table.hint = fd + 1;
  store<u8>(table.flags + fd, closeOnExec ? RESERVED | 1 : RESERVED);
  return fd;
}

/** Gives a reserved descriptor back unused. */
export function fdCancel(table: FdTable, fd: u32): void {
  store<u8>(table.flags + fd, 0);
  if (fd < table.hint) table.hint = fd;
}

/** Puts a file (the reference is taken over) at a reserved descriptor. */
export function fdInstall(table: FdTable, fd: u32, file: File): void {
  store<u8>(table.flags + fd, load<u8>(table.flags + fd) & ~RESERVED);
  store<usize>(table.files + (fd << 2), changetype<usize>(file));
}

/** Reserves the lowest descriptor and installs: number, or -errno and the reference is the caller's. */
export function fdAdd(file: File, from: u32, closeOnExec: bool): i32 {
  const table = fdTable();
  const fd = fdReserve(table, from, closeOnExec);
  if (fd >= 0) fdInstall(table, fd, file);
  return fd;
}

/** The file of a descriptor without a reference, null when it is not open. */
export function fdPeek(table: FdTable, fd: u32): File | null {
  if (fd >= table.size) return null;
  return changetype<File | null>(load<usize>(table.files + (fd << 2)));
}

/** The file of a descriptor of the current task, referenced: `filePut` it. Null: -EBADF. */
export function fdGet(fd: u32): File | null {
  const file = fdPeek(fdTable(), fd);
  if (file !== null) file.references++;
  return file;
}

/** As `fdGet`, but files opened with O_PATH are as good as none. */
export function fdGetData(fd: u32): File | null {
  const file = fdPeek(fdTable(), fd);
  if (file === null || (file.mode & FMODE_PATH) !== 0) return null;
  file.references++;
  return file;
}

/** Closes a descriptor: 0 or -EBADF. */
export function fdClose(table: FdTable, fd: u32): i32 {
  const file = fdPeek(table, fd);
  if (file === null) return -EBADF;
  store<usize>(table.files + (fd << 2), 0);
  store<u8>(table.flags + fd, 0);
  if (fd < table.hint) table.hint = fd;
  closeFile(file);
  return 0;
}

/** Makes `to` the same file as `from`, closing what was there: `to`, or -EBADF, -EMFILE, -ENOMEM. */
export function fdReplace(table: FdTable, from: u32, to: u32, closeOnExec: bool): i32 {
  const file = fdPeek(table, from);
  if (file === null) return -EBADF;
  if (to >= fdLimit()) return -EBADF;
  if (to >= table.size) {
    const error = grow(table, to + 1);
    if (error < 0) return error;
  }
  fileRef(file);
  const old = changetype<File | null>(load<usize>(table.files + (to << 2)));
  store<usize>(table.files + (to << 2), changetype<usize>(file));
  store<u8>(table.flags + to, closeOnExec ? 1 : 0);
  if (old !== null) closeFile(old);
  return to;
}

/** FD_CLOEXEC of an open descriptor. */
export function fdFlags(table: FdTable, fd: u32): u32 {
  return load<u8>(table.flags + fd) & 1;
}
export function fdSetFlags(table: FdTable, fd: u32, flags: u32): void {
  store<u8>(table.flags + fd, <u8> (flags & 1));
}

/** What a failed `fileNew` means. */
export function fileNewError(): i32 {
  return openFiles >= FILE_MAX ? -ENFILE : -ENOMEM;
}
