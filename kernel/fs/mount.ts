/**
 * Kinds of file systems, and the tree of mounts.
 *
 * @module
 */
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOTBLK, ENOTDIR } from "../abi/errno.ts";
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../abi/fcntl.ts";
import { S_IFDIR, S_IFMT } from "../abi/stat.ts";
import { kfree, kstrdup, kzalloc } from "../mm/mod.ts";
import { strcmp } from "../lib/mod.ts";
import { dentriesForget, dentryNew, dentryPut, dentryRef } from "./dentry.ts";
import { inodePut, inodesForget } from "./inode.ts";
import { BlockDevice, Dentry, failed, FileSystemType, Inode, makeDevice } from "./types.ts";
import { Mount, SuperBlock } from "./types.ts";
import { superBlockAdd, superBlockRemove, syncSuperBlock } from "./writeback.ts";

/** Flags that belong to a mount, not to its file system. */
const MOUNT_FLAGS: u32 = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

let types: FileSystemType | null = null;
let mounts: Mount | null = null;
let lastMount: Mount | null = null;
let nextId: u32 = 1;
let nextAnonymous: u32 = 1;

/** Makes a kind of file system known. */
export function registerFileSystem(
  name: usize,
  needsDevice: bool,
  read: (superBlock: SuperBlock, options: usize) => usize,
): void {
  const type = changetype<FileSystemType>(kzalloc(offsetof<FileSystemType>()));
  type.name = name;
  type.needsDevice = needsDevice;
  type.read = read;
  type.next = types;
  types = type;
}

/** First of the registered kinds. */
export function firstFileSystem(): FileSystemType | null {
  return types;
}
/** The kind of that name, or null. */
export function fileSystem(name: usize): FileSystemType | null {
  let type = types;
  while (type !== null && strcmp(type.name, name) !== 0) type = type.next;
  return type;
}

/** First mount, in order; others through `next`. */
export function firstMount(): Mount | null {
  return mounts;
}

/** What is mounted on `dentry` of `mount`, or null. The latest one counts. */
export function mountOn(mount: Mount, dentry: Dentry): Mount | null {
  let found: Mount | null = null;
  for (let m: Mount | null = mounts; m !== null; m = m!.next) {
    if (m.parent === mount && m.point === dentry) found = m;
  }
  return found;
}

/** An unused super block of a kind, null when memory is out. */
function superBlockNew(
  type: FileSystemType,
  device: BlockDevice | null,
  flags: u32,
): SuperBlock | null {
  const superBlock = changetype<SuperBlock | null>(kzalloc(offsetof<SuperBlock>()));
  if (superBlock === null) return null;
  superBlock.type = type;
  superBlock.device = device;
  superBlock.flags = flags;
  superBlock.blockSize = 4096;
  superBlock.blockBits = 12;
  superBlock.nameMax = 255;
  superBlock.maxBytes = 0x7fffffffffffffff;
  superBlock.deviceNumber = device !== null
    ? makeDevice(device.major, device.minor)
    : makeDevice(0, nextAnonymous++);
  return superBlock;
}

/** Reads a file system: SuperBlock or -errno. */
function superBlockRead(
  type: FileSystemType,
  device: BlockDevice | null,
  flags: u32,
  options: usize,
): usize {
  if (device !== null && device.mounted) {
    // The same disk mounted twice is one file system in two places.
    return <usize> -EBUSY;
  }
  if (device !== null && device.readOnly) flags |= MS_RDONLY;
  const superBlock = superBlockNew(type, device, flags);
  if (superBlock === null) return <usize> -ENOMEM;
  const read = type.read;
  const inode = read(superBlock, options);
  if (failed(inode)) {
    inodesForget(superBlock);
    const unmount = changetype<usize>(superBlock.ops) !== 0 ? superBlock.ops.unmount : null;
    if (superBlock.data !== 0 && unmount !== null) unmount(superBlock);
    kfree(changetype<usize>(superBlock));
    return inode;
  }
  const root = changetype<Inode>(inode);
  const dentry = dentryNew(null, c`/`, 1, root, superBlock);
  if (dentry === null) {
    inodePut(root);
    return <usize> -ENOMEM;
  }
  superBlock.root = dentry;
  if (device !== null) device.mounted = true;
  superBlockAdd(superBlock);
  return changetype<usize>(superBlock);
}

function superBlockFree(superBlock: SuperBlock): void {
  syncSuperBlock(superBlock);
  const root = superBlock.root;
  dentriesForget(superBlock);
  dentryPut(root);
  inodesForget(superBlock);
  const unmount = superBlock.ops.unmount;
  if (unmount !== null) unmount(superBlock);
  if (superBlock.device !== null) superBlock.device!.mounted = false;
  superBlockRemove(superBlock);
  kfree(changetype<usize>(superBlock));
}

/** A mount of `superBlock` that is in no place yet, null when memory is out. */
function mountNew(superBlock: SuperBlock, root: Dentry, flags: u32, source: usize): Mount | null {
  const mount = changetype<Mount | null>(kzalloc(offsetof<Mount>()));
  if (mount === null) return null;
  mount.superBlock = superBlock;
  mount.root = dentryRef(root);
  mount.flags = flags & MOUNT_FLAGS;
  mount.references = 1;
  mount.id = nextId++;
  mount.source = kstrdup(source !== 0 ? source : c`none`);
  superBlock.mounts++;
  return mount;
}

function mountFree(mount: Mount): void {
  const superBlock = mount.superBlock;
  dentryPut(mount.root);
  kfree(mount.source);
  kfree(changetype<usize>(mount));
  if (--superBlock.mounts === 0) superBlockFree(superBlock);
}

function attach(mount: Mount, parent: Mount | null, point: Dentry | null): void {
  mount.parent = parent;
  mount.point = point;
  mount.attached = true;
  if (parent !== null && point !== null) {
    parent.references++;
    parent.children++;
    dentryRef(point).mounts++;
  }
  mount.next = null;
  if (lastMount !== null) lastMount!.next = mount;
  else mounts = mount;
  lastMount = mount;
}

function detach(mount: Mount): void {
  let before: Mount | null = null;
  for (let m: Mount | null = mounts; m !== null && m !== mount; m = m!.next) before = m;
  if (before === null) mounts = mount.next;
  else before.next = mount.next;
  if (lastMount === mount) lastMount = before;
  mount.attached = false;
  const parent = mount.parent;
  const point = mount.point;
  if (parent !== null && point !== null) {
    parent.references--;
    parent.children--;
    point.mounts--;
    dentryPut(point);
  }
}

/**
 * Mounts a file system of a kind: on `point` of `parent`, or as the root when they are null. The
 * Mount, or -errno: -ENODEV unknown kind, -ENOTBLK no device, -EBUSY, and what reading it gives.
 */
export function mountFileSystem(
  typeName: usize,
  device: BlockDevice | null,
  source: usize,
  flags: u32,
  options: usize,
  parent: Mount | null,
  point: Dentry | null,
): usize {
  const type = fileSystem(typeName);
  if (type === null) return <usize> -ENODEV;
  if (type.needsDevice && device === null) return <usize> -ENOTBLK;
  let superBlock: SuperBlock | null = null;
  let s = sharedSuperBlock(type, device);
  if (s !== null) superBlock = s;
  else {
    const read = superBlockRead(type, type.needsDevice ? device : null, flags & MS_RDONLY, options);
    if (failed(read)) return read;
    s = changetype<SuperBlock>(read);
    superBlock = s;
  }
  return mountSuperBlock(superBlock, superBlock.root, flags, source, parent, point);
}

/** proc and devtmpfs are one each; a disk that is mounted already is used again. */
function sharedSuperBlock(type: FileSystemType, device: BlockDevice | null): SuperBlock | null {
  const single = strcmp(type.name, c`proc`) === 0 || strcmp(type.name, c`devtmpfs`) === 0;
  for (let m: Mount | null = mounts; m !== null; m = m!.next) {
    const s = m.superBlock;
    if (s.type !== type) continue;
    if (single || (type.needsDevice && s.device === device)) return s;
  }
  return null;
}

/** Mounts (a part of) a mounted file system in another place, too. Mount or -errno. */
export function mountSuperBlock(
  superBlock: SuperBlock,
  root: Dentry,
  flags: u32,
  source: usize,
  parent: Mount | null,
  point: Dentry | null,
): usize {
  // The same in the same place again would only hide itself (mount(2), EBUSY).
  if (
    parent !== null && parent.superBlock === superBlock && parent.root === point && root === point
  ) {
    return <usize> -EBUSY;
  }
  const mount = mountNew(superBlock, root, flags, source);
  if (mount === null) {
    if (superBlock.mounts === 0) superBlockFree(superBlock);
    return <usize> -ENOMEM;
  }
  if (point !== null) {
    const inode = point.inode;
    const isDirectory = inode !== null && (inode.mode & S_IFMT) === S_IFDIR;
    const rootIsDirectory = (root.inode!.mode & S_IFMT) === S_IFDIR;
    if (inode === null || isDirectory !== rootIsDirectory) {
      mountFree(mount);
      return <usize> -ENOTDIR;
    }
  }
  attach(mount, parent, point);
  return changetype<usize>(mount);
}

/**
 * Takes a mount out of the tree. -EBUSY while it is used (MNT_DETACH: nobody new finds it, it ends
 * when its last user does… which `mountReap` sees). -EINVAL for the root.
 */
export function unmountFileSystem(mount: Mount, flags: u32): i32 {
  if (mount.parent === null || !mount.attached) return -EINVAL;
  if (mount.children > 0) return -EBUSY;
  // One reference is the caller's look-up, one the mount's own.
  if (mount.references > 2 && (flags & MNT_DETACH) === 0) return -EBUSY;
  detach(mount);
  // The caller's reference goes later; `mountReap` then finds it unused.
  mount.next = detached;
  detached = mount;
  return 0;
}

let detached: Mount | null = null;

/** Frees detached mounts that nobody uses any more. */
export function mountReap(): void {
  let before: Mount | null = null;
  let m = detached;
  while (m !== null) {
    const next: Mount | null = m.next;
    if (m.references === 1) {
      if (before === null) detached = next;
      else before.next = next;
      mountFree(m);
    } else before = m;
    m = next;
  }
}

/** MS_REMOUNT: changes flags of a mount and, for MS_RDONLY, of its file system. */
export function remount(mount: Mount, flags: u32): i32 {
  const superBlock = mount.superBlock;
  const readOnly = flags & MS_RDONLY;
  if ((superBlock.flags & MS_RDONLY) !== readOnly) {
    const call = superBlock.ops.remount;
    if (call !== null) {
      const error = call(superBlock, flags);
      if (error < 0) return error;
    }
    superBlock.flags = (superBlock.flags & ~MS_RDONLY) | readOnly;
  }
  mount.flags = flags & MOUNT_FLAGS;
  return 0;
}
