/**
 * tmpfs: files whose pages are the file, directories as lists in memory. devtmpfs is the same with the
 * registered devices in it.
 *
 * @module
 */
import { ENOENT, ENOMEM, ENOSPC, ENOTEMPTY } from "../abi/errno.ts";
import { DT_BLK, DT_CHR, DT_DIR, DT_FIFO, DT_LNK, DT_REG, DT_SOCK } from "../abi/dirent.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../abi/stat.ts";
import { TMPFS_MAGIC } from "../abi/statfs.ts";
import { kfree, kmalloc, kzalloc, pagesFree, pagesTotal, Transfer } from "../mm/mod.ts";
import { memcmp, strlen } from "../lib/mod.ts";
import { cacheMemoryPages, pageAddress } from "./cache.ts";
import { fileMap, fileRead, fileWrite } from "./generic_file.ts";
import { inodeNew, inodePut, inodeReady, inodeRef, inodeStamp } from "./inode.ts";
import { touchChange, touchModify } from "./inode.ts";
import { registerFileSystem } from "./mount.ts";
import { modeInDirectory, ownInDirectory } from "./permission.ts";
import { CachePage, DirectorySink, File, FileOps, Inode, INODE_MEMORY, InodeOps } from "./types.ts";
import { StatFs, SuperBlock, SuperOps } from "./types.ts";

/** An entry of a directory; `inode.data` is the first, `inode.data2` the parent directory. */
/*@unmanaged*/
export class Entry {
  next: Entry | null;
  inode: Inode;
  /** Position for readDirectory; grows, so that removals do not disturb a reader. */
  cookie: u32;
  length: u32;
  /** The name follows. */
}

/** Directory positions 0 and 1 are `.` and `..`. */
const FIRST_COOKIE: u32 = 2;

let superOps: SuperOps = changetype<SuperOps>(0);
let directoryOps: InodeOps = changetype<InodeOps>(0);
let fileInodeOps: InodeOps = changetype<InodeOps>(0);
let linkOps: InodeOps = changetype<InodeOps>(0);
let fileOps: FileOps = changetype<FileOps>(0);
let directoryFileOps: FileOps = changetype<FileOps>(0);
let nextNumber: u32 = 1;
let nextCookie: u32 = FIRST_COOKIE;

/*@inline*/
function nameOf(entry: Entry): usize {
  return changetype<usize>(entry) + offsetof<Entry>();
}

function isDirectory(inode: Inode): bool {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

/** Half of the memory, as Linux's default; a margin for the rest of the system besides. */
function isFull(): bool {
  return cacheMemoryPages() >= pagesTotal() >> 1 || pagesFree() < pagesTotal() >> 5;
}

/** A new inode of a tmpfs: referenced once more than its holder's, as long as it has links. */
export function tmpfsInode(superBlock: SuperBlock, mode: u32, rdev: u32): Inode | null {
  const inode = inodeNew(superBlock, nextNumber++);
  if (inode === null) return null;
  // There is no disk to read it from again: the links hold a reference.
  inodeRef(inode);
  inode.mode = mode;
  inode.rdev = rdev;
  const type = mode & S_IFMT;
  if (type === S_IFDIR) {
    inode.ops = directoryOps;
    inode.fileOps = directoryFileOps;
    inode.links = 2;
  } else if (type === S_IFREG) {
    inode.ops = fileInodeOps;
    inode.fileOps = fileOps;
    inode.flags |= INODE_MEMORY;
  } else if (type === S_IFLNK) inode.ops = linkOps;
  inodeStamp(inode);
  inodeReady(inode);
  return inode;
}

function find(directory: Inode, name: usize, length: u32): Entry | null {
  let entry = changetype<Entry | null>(directory.data);
  while (
    entry !== null && (entry.length !== length || memcmp(nameOf(entry), name, length) !== 0)
  ) entry = entry.next;
  return entry;
}

function lookup(directory: Inode, name: usize, length: u32): usize {
  const entry = find(directory, name, length);
  if (entry === null) return 0;
  inodeRef(entry.inode);
  return changetype<usize>(entry.inode);
}

/** Enters a name at the end, so that readers meet entries in order of their positions. */
function enter(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  const entry = changetype<Entry | null>(kzalloc(offsetof<Entry>() + length + 1));
  if (entry === null) return -ENOMEM;
  entry.inode = inode;
  entry.length = length;
  entry.cookie = nextCookie++;
  memory.copy(nameOf(entry), name, length);
  let last = changetype<Entry | null>(directory.data);
  while (last !== null && last.next !== null) last = last.next;
  if (last === null) directory.data = changetype<usize>(entry);
  else last.next = entry;
  directory.size += 20;
  touchModify(directory);
  return 0;
}

function leave(directory: Inode, entry: Entry): void {
  if (directory.data === changetype<usize>(entry)) directory.data = changetype<usize>(entry.next);
  else {
    let e = changetype<Entry | null>(directory.data);
    while (e !== null && e.next !== entry) e = e.next;
    if (e !== null) e.next = entry.next;
  }
  kfree(changetype<usize>(entry));
  directory.size -= 20;
  touchModify(directory);
}

/** The last link went: so does the reference that the links hold. */
function dropLinks(inode: Inode): void {
  touchChange(inode);
  if (inode.links === 0) inodePut(inode);
}

function discard(inode: Inode): void {
  inode.links = 0;
  inodePut(inode);
  inodePut(inode);
}

function create(directory: Inode, name: usize, length: u32, mode: u32, rdev: u32): usize {
  if (pagesFree() < pagesTotal() >> 6) return <usize> -ENOSPC;
  const inode = tmpfsInode(directory.superBlock, modeInDirectory(directory, mode), rdev);
  if (inode === null) return <usize> -ENOMEM;
  ownInDirectory(directory, inode);
  const error = enter(directory, name, length, inode);
  if (error < 0) {
    discard(inode);
    return <usize> error;
  }
  if (isDirectory(inode)) {
    inode.data2 = changetype<usize>(directory);
    directory.links++;
  }
  return changetype<usize>(inode);
}

function symlink(directory: Inode, name: usize, length: u32, target: usize): usize {
  const inode = tmpfsInode(directory.superBlock, S_IFLNK | 0o777, 0);
  if (inode === null) return <usize> -ENOMEM;
  ownInDirectory(directory, inode);
  const size = strlen(target);
  inode.data = kmalloc(size + 1);
  let error: i32 = inode.data === 0 ? -ENOMEM : 0;
  if (error === 0) {
    memory.copy(inode.data, target, size + 1);
    inode.size = size;
    error = enter(directory, name, length, inode);
  }
  if (error < 0) {
    discard(inode);
    return <usize> error;
  }
  return changetype<usize>(inode);
}

function readLink(inode: Inode, buffer: usize, size: u32): i32 {
  const n = inode.size < <u64> size ? <u32> inode.size : size;
  memory.copy(buffer, inode.data, n);
  return n;
}

function link(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  const error = enter(directory, name, length, inode);
  if (error < 0) return error;
  inode.links++;
  touchChange(inode);
  return 0;
}

function gone(directory: Inode, inode: Inode): void {
  if (isDirectory(inode)) {
    inode.links = 0;
    directory.links--;
  } else inode.links--;
  dropLinks(inode);
}

function unlink(directory: Inode, name: usize, length: u32, inode: Inode): i32 {
  if (isDirectory(inode) && inode.data !== 0) return -ENOTEMPTY;
  const entry = find(directory, name, length);
  if (entry === null) return -ENOENT;
  leave(directory, entry);
  gone(directory, inode);
  return 0;
}

function rename(
  from: Inode,
  name: usize,
  length: u32,
  inode: Inode,
  to: Inode,
  newName: usize,
  newLength: u32,
  target: Inode | null,
): i32 {
  if (target !== null && isDirectory(target) && target.data !== 0) return -ENOTEMPTY;
  if (target === null) {
    const error = enter(to, newName, newLength, inode);
    if (error < 0) return error;
  } else {
    const entry = find(to, newName, newLength);
    if (entry === null) return -ENOENT;
    entry.inode = inode;
    touchModify(to);
    gone(to, target);
  }
  const old = find(from, name, length);
  if (old !== null) leave(from, old);
  if (isDirectory(inode) && from !== to) {
    inode.data2 = changetype<usize>(to);
    from.links--;
    to.links++;
  }
  touchChange(inode);
  return 0;
}

function direntType(mode: u32): u32 {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return DT_DIR;
  if (type === S_IFLNK) return DT_LNK;
  if (type === S_IFCHR) return DT_CHR;
  if (type === S_IFBLK) return DT_BLK;
  if (type === S_IFIFO) return DT_FIFO;
  return type === S_IFREG ? DT_REG : DT_SOCK;
}

function readDirectory(file: File, sink: DirectorySink): i32 {
  const directory = file.inode;
  if (file.offset === 0) {
    if (!sink.emit(sink, c`.`, 1, directory.number, DT_DIR, 1)) return 0;
    file.offset = 1;
  }
  if (file.offset === 1) {
    const parent = directory.data2 !== 0 ? changetype<Inode>(directory.data2) : directory;
    if (!sink.emit(sink, c`..`, 2, parent.number, DT_DIR, FIRST_COOKIE)) return 0;
    file.offset = FIRST_COOKIE;
  }
  let entry = changetype<Entry | null>(directory.data);
  while (entry !== null) {
    // Nothing here sleeps: the sink collects in kernel memory.
    if (<u64> entry.cookie >= file.offset) {
      const next = <u64> entry.cookie + 1;
      const inode = entry.inode;
      const type = direntType(inode.mode);
      if (!sink.emit(sink, nameOf(entry), entry.length, inode.number, type, next)) return 0;
      file.offset = next;
    }
    entry = entry.next;
  }
  return 0;
}

/** InodeOps.readPage: what was never written is zeros. */
function readPage(inode: Inode, page: CachePage): i32 {
  if (isFull()) return -ENOSPC;
  memory.fill(pageAddress(page), 0, 4096);
  inode.sectors = inode.pageCount << 3;
  return 0;
}

/** InodeOps.truncate: the pages are gone already. */
function truncate(inode: Inode, _size: u64): i32 {
  inode.sectors = inode.pageCount << 3;
  return 0;
}

function write(file: File, t: Transfer, offset: u64): i32 {
  if (isFull()) return -ENOSPC;
  const result = fileWrite(file, t, offset);
  file.inode.sectors = file.inode.pageCount << 3;
  return result;
}

function evict(inode: Inode): void {
  if ((inode.mode & S_IFMT) === S_IFLNK) kfree(inode.data);
  inode.data = 0;
}

function statfs(_superBlock: SuperBlock, result: StatFs): i32 {
  const total = pagesTotal() >> 1;
  const used = cacheMemoryPages();
  result.blocks = total;
  result.free = total > used ? total - used : 0;
  result.available = result.free;
  result.files = pagesTotal();
  result.filesFree = pagesFree();
  return 0;
}

/** Frees everything: the tree of a tmpfs that is unmounted. */
function emptyDirectory(directory: Inode): void {
  while (directory.data !== 0) {
    const entry = changetype<Entry>(directory.data);
    const inode = entry.inode;
    if (isDirectory(inode)) emptyDirectory(inode);
    leave(directory, entry);
    gone(directory, inode);
  }
}

function unmount(superBlock: SuperBlock): void {
  const root = changetype<Inode>(superBlock.data);
  emptyDirectory(root);
  root.links = 0;
  inodePut(root);
}

function parseMode(options: usize): u32 {
  if (options === 0) return 0o1777;
  // Of the options only mode= matters: the sizes are advisory here.
  let at = options;
  while (load<u8>(at) !== 0) {
    if (memcmp(at, c`mode=`, 5) === 0) {
      let mode: u32 = 0;
      at += 5;
      while (load<u8>(at) >= 0x30 && load<u8>(at) <= 0x37) mode = mode * 8 + load<u8>(at++) - 0x30;
      return mode & 0o7777;
    }
    at++;
  }
  return 0o1777;
}

/** FileSystemType.read. */
export function tmpfsRead(superBlock: SuperBlock, options: usize): usize {
  superBlock.ops = superOps;
  superBlock.magic = TMPFS_MAGIC;
  const root = tmpfsInode(superBlock, S_IFDIR | parseMode(options), 0);
  if (root === null) return <usize> -ENOMEM;
  superBlock.data = changetype<usize>(root);
  return changetype<usize>(root);
}

/** Adds an object while the kernel starts, with its folders on the way: false when memory is out. */
export function tmpfsAdd(root: Inode, path: usize, mode: u32, rdev: u32, target: usize): bool {
  let directory = root;
  let at = path;
  while (true) {
    let length: u32 = 0;
    while (load<u8>(at + length) !== 0 && load<u8>(at + length) !== 0x2f) length++;
    const isLast = load<u8>(at + length) === 0;
    let entry = find(directory, at, length);
    if (entry === null) {
      const made = isLast && target !== 0
        ? symlink(directory, at, length, target)
        : create(directory, at, length, isLast ? mode : S_IFDIR | 0o755, isLast ? rdev : 0);
      if (made > <usize> -4096) return false;
      inodePut(changetype<Inode>(made));
      entry = find(directory, at, length);
    }
    if (isLast || entry === null) return entry !== null;
    directory = entry.inode;
    at += length + 1;
  }
}

/** Makes tmpfs known. */
export function tmpfsInit(): void {
  superOps = changetype<SuperOps>(kzalloc(offsetof<SuperOps>()));
  superOps.evict = evict;
  superOps.statfs = statfs;
  superOps.unmount = unmount;
  directoryOps = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  directoryOps.lookup = lookup;
  directoryOps.create = create;
  directoryOps.symlink = symlink;
  directoryOps.link = link;
  directoryOps.unlink = unlink;
  directoryOps.rename = rename;
  fileInodeOps = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  fileInodeOps.readPage = readPage;
  fileInodeOps.truncate = truncate;
  linkOps = changetype<InodeOps>(kzalloc(offsetof<InodeOps>()));
  linkOps.readLink = readLink;
  fileOps = changetype<FileOps>(kzalloc(offsetof<FileOps>()));
  fileOps.read = fileRead;
  fileOps.write = write;
  fileOps.map = fileMap;
  directoryFileOps = changetype<FileOps>(kzalloc(offsetof<FileOps>()));
  directoryFileOps.readDirectory = readDirectory;
  registerFileSystem(c`tmpfs`, false, tmpfsRead);
}
