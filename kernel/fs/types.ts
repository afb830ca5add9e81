/**
 * The objects of the file system layer and the operations that a file system, driver or pipe fills in.
 *
 * Everything is counted: who keeps a pointer to an Inode, Dentry, Mount or File holds a reference.
 * Kernel code is not preempted, so fields change atomically between two sleeps; what must stay the
 * same over a sleep is under the inode's lock (its size, blocks, directory entries).
 * Operations return ≥ 0 or −errno, may sleep, and may be null where a field says so.
 *
 * @module
 */
import { Transfer, Vma } from "../mm/mod.ts";
import { Mutex, WaitEntry, WaitQueue } from "../sync/mod.ts";

/* File.mode. */
export const FMODE_READ: u32 = 1;
export const FMODE_WRITE: u32 = 2;
/** No offset: pipes, terminals. lseek gives -ESPIPE. */
export const FMODE_STREAM: u32 = 4;
/** Opened with O_PATH. */
export const FMODE_PATH: u32 = 8;
/** A program that runs: nobody may write it (-ETXTBSY). */
export const FMODE_EXEC: u32 = 16;

/* Inode.flags. */
/** Its fields must be written to the disk. */
export const INODE_DIRTY: u32 = 1;
/** Its pages are the file itself (tmpfs): never written back, never dropped. */
export const INODE_MEMORY: u32 = 2;
/** It is being freed or could not be read: not to be found any more. */
export const INODE_DEAD: u32 = 4;
/** It is being read; wait. */
export const INODE_NEW: u32 = 8;
/** It is in the list of inodes with something to write. */
export const INODE_LISTED: u32 = 16;
/** It must not be kept once unused (procfs). */
export const INODE_TRANSIENT: u32 = 32;
/** Its pages are metadata with validity and dirt by sector (block devices). */
export const INODE_BLOCKS_CACHE: u32 = 64;
/** A directory was removed: nothing can be created in it. */
export const INODE_REMOVED: u32 = 128;
/** EXT2_IMMUTABLE_FL, EXT2_APPEND_FL. */
export const INODE_IMMUTABLE: u32 = 256;
export const INODE_APPEND_ONLY: u32 = 512;

/* CachePage.flags. */
export const PAGE_VALID: u32 = 1;
export const PAGE_DIRTY: u32 = 2;
/** I/O is under way; wait in `cacheWait`. */
export const PAGE_LOCKED: u32 = 4;
export const PAGE_ERROR: u32 = 8;
/** Looked up since the reclaimer last passed. */
export const PAGE_USED: u32 = 16;
/** Not in the hash any more (truncated); freed with its last user. */
export const PAGE_GONE: u32 = 32;

/** A page of a file, or of a device, in memory. */
/*@unmanaged*/
export class CachePage {
  hashNext: CachePage | null;
  inode: Inode;
  /** Position in the file, in pages. */
  index: u32;
  /** Physical address of the page; the cache holds one reference to it. */
  physical: u32;
  /** Kernel code that uses it just now. */
  users: u32;
  flags: u32;
  /** For block devices, a bit a sector of 512 bytes: contents are right; contents must be written. */
  validSectors: u32;
  dirtySectors: u32;
  lruNext: CachePage | null;
  lruPrevious: CachePage | null;
  fileNext: CachePage | null;
  filePrevious: CachePage | null;
}

/** A file, directory, device… of a file system. */
/*@unmanaged*/
export class Inode {
  hashNext: Inode | null;
  superBlock: SuperBlock;
  number: u32;
  references: u32;
  flags: u32;
  /** Type and permissions (S_IF…). */
  mode: u32;
  links: u32;
  uid: u32;
  gid: u32;
  /** Device number of device nodes, see `makeDevice`. */
  rdev: u32;
  size: u64;
  /** Space that it takes, in units of 512 bytes. */
  sectors: u32;
  accessSeconds: u32;
  accessNs: u32;
  modifySeconds: u32;
  modifyNs: u32;
  changeSeconds: u32;
  changeNs: u32;
  ops: InodeOps;
  fileOps: FileOps;
  /* The lock (a Mutex) in place. */
  lockOwner: usize;
  lockFirst: usize;
  lockLast: usize;
  /* Cached pages. */
  pages: CachePage | null;
  pageCount: u32;
  dirtyPages: u32;
  /* List of inodes with something to write; list of unused ones. */
  dirtyNext: Inode | null;
  dirtyPrevious: Inode | null;
  lruNext: Inode | null;
  lruPrevious: Inode | null;
  /** Time (ticks) since when it has something to write. */
  dirtySince: u32;
  /** The last round of writing that visited it. */
  pass: u32;
  /** The BlockDevice whose contents this caches, the Pipe of a FIFO, or 0. */
  device: usize;
  pipe: usize;
  /** Record locks and flock locks (FileLock). */
  locks: usize;
  /** The file system's own. */
  data: usize;
  data2: usize;
  generation: u32;
  /** Files open for writing; below zero, how often it runs as a program. */
  writers: i32;
  /** An I/O error to report at the next fsync. */
  ioError: i32;

  get lock(): Mutex {
    return changetype<Mutex>(changetype<usize>(this) + offsetof<Inode>("lockOwner"));
  }
}

/** See InodeOps.rename. */
export type RenameCall = (
  from: Inode,
  name: usize,
  length: u32,
  inode: Inode,
  to: Inode,
  newName: usize,
  newLength: u32,
  target: Inode | null,
) => i32;

/** What can be done to an inode. Directory operations run under the directory's lock. */
/*@unmanaged*/
export class InodeOps {
  /** Finds a name: the inode, referenced, as usize; 0 when there is none; or -errno. */
  lookup: ((directory: Inode, name: usize, length: u32) => usize) | null;
  /** Makes an object of `mode` (type and permissions) and enters it: inode, referenced, or -errno. */
  create: ((directory: Inode, name: usize, length: u32, mode: u32, rdev: u32) => usize) | null;
  symlink: ((directory: Inode, name: usize, length: u32, target: usize) => usize) | null;
  link: ((directory: Inode, name: usize, length: u32, inode: Inode) => i32) | null;
  /** Removes the entry of `inode`; for directories it checks that they are empty. */
  unlink: ((directory: Inode, name: usize, length: u32, inode: Inode) => i32) | null;
  /** Moves `inode`; `target` is what the new name is now, or null. Types were checked. */
  rename: RenameCall | null;
  /** The target into kernel memory, without NUL: its length. */
  readLink: ((inode: Inode, buffer: usize, size: u32) => i32) | null;
  /** A link that jumps (/proc/PID/cwd): fills in a referenced mount and dentry. */
  followLink: ((inode: Inode, result: Path) => i32) | null;
  /** Changes the size; frees what is beyond. Called under the lock. */
  truncate: ((inode: Inode, size: u64) => i32) | null;
  /** Block of the device that holds block `block` of the file: > 0, 0 for a hole, or -errno. */
  mapBlock: ((inode: Inode, block: u32, create: bool) => i32) | null;
  /** Fills a page that is not on a device. */
  readPage: ((inode: Inode, page: CachePage) => i32) | null;
  /** Brings fields up to date before stat (procfs). */
  refresh: ((inode: Inode) => void) | null;
  /** A cached name is still right (procfs). Null: always. */
  revalidate: ((inode: Inode) => bool) | null;
}

/** A name in a directory. An inode of null: there is no such name. */
/*@unmanaged*/
export class Dentry {
  hashNext: Dentry | null;
  parent: Dentry | null;
  name: usize;
  length: u32;
  hash: u32;
  references: u32;
  inode: Inode | null;
  superBlock: SuperBlock;
  hashed: bool;
  /** Mounts on it. */
  mounts: u32;
  firstChild: Dentry | null;
  siblingNext: Dentry | null;
  siblingPrevious: Dentry | null;
  lruNext: Dentry | null;
  lruPrevious: Dentry | null;
  inLru: bool;
}

/** A place in the tree of mounts. */
/*@unmanaged*/
export class Path {
  mount: Mount;
  dentry: Dentry;
}

/** A file system in a place. */
/*@unmanaged*/
export class Mount {
  next: Mount | null;
  parent: Mount | null;
  /** Where it is mounted, in `parent`; null for the root. */
  point: Dentry | null;
  root: Dentry;
  superBlock: SuperBlock;
  /** MS_ flags of the mount itself. */
  flags: u32;
  references: u32;
  id: u32;
  children: u32;
  /** What was given as source, its own copy. */
  source: usize;
  attached: bool;
}

/** A mounted file system. */
/*@unmanaged*/
export class SuperBlock {
  next: SuperBlock | null;
  type: FileSystemType;
  ops: SuperOps;
  device: BlockDevice | null;
  /** st_dev. */
  deviceNumber: u32;
  blockSize: u32;
  blockBits: u32;
  magic: u32;
  nameMax: u32;
  /** Largest file size. */
  maxBytes: u64;
  /** MS_RDONLY… */
  flags: u32;
  root: Dentry;
  /** Mounts of it. */
  mounts: u32;
  inodes: u32;
  /** Held by rename of directories, which must not build loops. */
  renameOwner: usize;
  renameFirst: usize;
  renameLast: usize;
  data: usize;

  get renameLock(): Mutex {
    return changetype<Mutex>(changetype<usize>(this) + offsetof<SuperBlock>("renameOwner"));
  }
}

/** What a file system does for the whole. */
/*@unmanaged*/
export class SuperOps {
  /** Writes an inode's fields to its place in the (cached) inode table. */
  writeInode: ((inode: Inode) => i32) | null;
  /** The last reference goes. `links` 0: free everything on disk. Frees `data`. */
  evict: ((inode: Inode) => void) | null;
  /** Writes what else there is, before the device's pages are written. */
  sync: ((superBlock: SuperBlock) => i32) | null;
  /** Everything was written: mark the file system clean, if it is. */
  synced: ((superBlock: SuperBlock) => i32) | null;
  statfs: (superBlock: SuperBlock, result: StatFs) => i32;
  /** Changes MS_RDONLY. */
  remount: ((superBlock: SuperBlock, flags: u32) => i32) | null;
  /** Frees `data`; everything was written. */
  unmount: ((superBlock: SuperBlock) => void) | null;
}

/** A kind of file system. */
/*@unmanaged*/
export class FileSystemType {
  next: FileSystemType | null;
  name: usize;
  /** It wants a block device. */
  needsDevice: bool;
  /** Fills a new super block, makes its root inode (referenced), or -errno. */
  read: (superBlock: SuperBlock, options: usize) => usize;
}

/** What statfs reports. */
/*@unmanaged*/
export class StatFs {
  blocks: u64;
  free: u64;
  available: u64;
  files: u64;
  filesFree: u64;
  id0: u32;
  id1: u32;
}

/** An open file description. */
/*@unmanaged*/
export class File {
  references: u32;
  /** O_ flags as F_GETFL shows them. */
  flags: u32;
  /** FMODE_ bits. */
  mode: u32;
  ops: FileOps;
  inode: Inode;
  dentry: Dentry;
  mount: Mount;
  offset: u64;
  /** The owner's own: Tty, procfs buffer… */
  data: usize;
  data2: usize;
  /* Read-ahead: page after the last one read, and size of the last window in pages. */
  nextIndex: u32;
  window: u32;
  /** F_SETOWN. */
  owner: i32;
  /** Holds an advisory lock (flock). */
  locked: bool;

  /** Open with O_NONBLOCK. */
  get nonblock(): bool {
    return (this.flags & 0o4000) !== 0;
  }
}

/** What can be done with an open file. Null means: not possible, or nothing to do. */
/*@unmanaged*/
export class FileOps {
  /** At open, before the file is in a table. It may change `file.ops`, `data`, `mode`. */
  open: ((inode: Inode, file: File) => i32) | null;
  /** The last reference went. */
  release: ((file: File) => void) | null;
  /** Reads up to `t.remaining` bytes at `offset` (ignored by streams); the caller moves the offset. */
  read: ((file: File, t: Transfer, offset: u64) => i32) | null;
  write: ((file: File, t: Transfer, offset: u64) => i32) | null;
  /** -ENOTTY for unknown requests. */
  ioctl: ((file: File, request: u32, argument: u32) => i32) | null;
  /** What is possible now (POLL…), after `pollWait(table, queue)` for each queue that tells of changes. */
  poll: ((file: File, table: PollTable | null) => u32) | null;
  /** Gives entries from `file.offset` on to `sink` and moves it. */
  readDirectory: ((file: File, sink: DirectorySink) => i32) | null;
  /** Sets `area.ops` for a memory map; null: -ENODEV. */
  map: ((file: File, area: Vma) => i32) | null;
  /** Each close of a descriptor. */
  flush: ((file: File) => void) | null;
  sync: ((file: File, dataOnly: bool) => i32) | null;
  /** Null: the usual rules. */
  seek: ((file: File, offset: i64, whence: u32) => i64) | null;
}

/** Where directory entries go. */
/*@unmanaged*/
export class DirectorySink {
  /** Takes an entry (`next`: offset behind it, `type`: DT_…); false when it has no room. */
  emit: (
    sink: DirectorySink,
    name: usize,
    length: u32,
    inode: u32,
    type: u32,
    next: u64,
  ) => bool;
  /* Its own. */
  buffer: u32;
  room: u32;
  done: u32;
  error: i32;
  previous: u32;
  other: usize;
}

/** One queue that a poll waits on. */
/*@unmanaged*/
export class PollEntry {
  next: PollEntry | null;
  entry: WaitEntry;
}

/** The queues that a poll waits on; see `pollWait`. */
/*@unmanaged*/
export class PollTable {
  entries: PollEntry | null;
  error: i32;
}

/** A disk or partition. Drivers fill one in and call `registerBlockDevice`. */
/*@unmanaged*/
export class BlockDevice {
  next: BlockDevice | null;
  major: u32;
  minor: u32;
  /** As in /dev: "hda1". */
  name: usize;
  /** Length in sectors of 512 bytes. */
  sectors: u64;
  readOnly: bool;
  /** For partitions: the disk, and the first sector in it; `transfer` and `flush` are the disk's then. */
  parent: BlockDevice | null;
  start: u64;
  /** The driver's own. */
  data: usize;
  /** Moves `count` segments {physical: u32, bytes: u32} from `sector` on; sleeps; 0 or -errno. */
  transfer: (
    device: BlockDevice,
    write: bool,
    sector: u64,
    segments: usize,
    count: u32,
  ) => i32;
  /** Empties the drive's write cache. May be null. */
  flush: ((device: BlockDevice) => i32) | null;
  /* For fs/: the inode whose pages cache the device, and counts. */
  inode: Inode;
  /** A file system has it. */
  mounted: bool;
  opens: u32;
  readSectors: u32;
  writtenSectors: u32;
  reads: u32;
  writes: u32;
}

/** Queue heads are two words in place; this names the one at `address`. */
/*@inline*/
export function queueAt(address: usize): WaitQueue {
  return changetype<WaitQueue>(address);
}

/** True when a function that returns a pointer or -errno failed. */
/*@inline*/
export function failed(pointer: usize): bool {
  return <u32> pointer > 0xfffff000;
}

/** Device number as user programs see it (`new_encode_dev` of Linux). */
export function makeDevice(major: u32, minor: u32): u32 {
  return (minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12);
}
export function deviceMajor(device: u32): u32 {
  return (device >> 8) & 0xfff;
}
export function deviceMinor(device: u32): u32 {
  return (device & 0xff) | ((device >> 12) & 0xfff00);
}
