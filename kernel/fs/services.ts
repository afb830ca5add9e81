/**
 * What fs/ does for processes and memory: the table of proc/services.ts.
 *
 * @module
 */
import { EACCES, EBADF, ENODEV } from "../abi/errno.ts";
import { kzalloc, Transfer, transferInit, VM_MAYWRITE, VM_SHARED, Vma } from "../mm/mod.ts";
import { PROT_WRITE } from "../mm/mod.ts";
import { FileServices, fileServicesRegister } from "../proc/mod.ts";
import { contextCopy, contextRelease, contextShare } from "./context.ts";
import {
  fdGetData,
  filePut,
  fileRef,
  filesAlone,
  filesCopy,
  filesExec,
  filesRelease,
  filesShare,
} from "./fd_table.ts";
import { openProgram } from "./open.ts";
import { File, FMODE_READ, FMODE_WRITE } from "./types.ts";
import { kfree } from "../mm/mod.ts";

/** Reads into kernel memory at an offset: bytes, or -errno. */
export function readKernel(file: File, offset: u64, buffer: usize, count: u32): i32 {
  const read = file.ops.read;
  if (read === null) return -EACCES;
  const t = changetype<Transfer>(kzalloc(offsetof<Transfer>()));
  transferInit(t, <u32> buffer, count, true);
  const result = read(file, t, offset);
  kfree(changetype<usize>(t));
  return result;
}

function serviceRead(file: usize, offset: u32, buffer: usize, count: u32): i32 {
  return readKernel(changetype<File>(file), offset, buffer, count);
}

function size(file: usize): u32 {
  const bytes = changetype<File>(file).inode.size;
  return bytes > 0xffffffff ? 0xffffffff : <u32> bytes;
}

function mode(file: usize): u32 {
  return changetype<File>(file).inode.mode;
}

function ownerUid(file: usize): u32 {
  return changetype<File>(file).inode.uid;
}

function ownerGid(file: usize): u32 {
  return changetype<File>(file).inode.gid;
}

function share(file: usize): void {
  fileRef(changetype<File>(file));
}

function release(file: usize): void {
  if (file !== 0) filePut(changetype<File>(file));
}

/** mmap(2): a file must be open for reading, and for writing when it is shared and writable. */
function mapFile(address: usize, area: Vma): i32 {
  const file = changetype<File>(address);
  if ((file.mode & FMODE_READ) === 0) return -EACCES;
  if ((area.flags & VM_SHARED) !== 0 && (file.mode & FMODE_WRITE) === 0) {
    if ((area.flags & PROT_WRITE) !== 0) return -EACCES;
    area.flags &= ~VM_MAYWRITE;
  }
  const map = file.ops.map;
  return map === null ? -ENODEV : map(file, area);
}

function fileByDescriptor(descriptor: i32): i32 {
  const file = fdGetData(descriptor);
  return file === null ? -EBADF : <i32> changetype<usize>(file);
}

/** Fills in the table. */
export function servicesInit(): void {
  const s = changetype<FileServices>(kzalloc(offsetof<FileServices>()));
  s.filesCopy = filesCopy;
  s.filesShare = filesShare;
  s.filesRelease = filesRelease;
  s.filesExec = filesExec;
  s.filesAlone = filesAlone;
  s.contextCopy = contextCopy;
  s.contextShare = contextShare;
  s.contextRelease = contextRelease;
  s.openProgram = openProgram;
  s.read = serviceRead;
  s.size = size;
  s.mode = mode;
  s.ownerUid = ownerUid;
  s.ownerGid = ownerGid;
  s.fileShare = share;
  s.fileRelease = release;
  s.mapFile = mapFile;
  s.fileByDescriptor = fileByDescriptor;
  fileServicesRegister(s);
}
