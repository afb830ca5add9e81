/**
 * Changing directories: create, link, remove, rename (POSIX mkdir(), mknod(), link(), symlink(),
 * unlink(), rmdir(), rename()).
 *
 * A directory's lock is held while its entries change; rename takes two, in the order of their
 * addresses, and between different directories the file system's rename lock first.
 *
 * @module
 */
import {
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  EMLINK,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from "../abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../abi/fcntl.ts";
import { S_IFDIR, S_IFMT } from "../abi/stat.ts";
import { lock, Mutex, unlock } from "../sync/mod.ts";
import {
  dentryDelete,
  dentryExchange,
  dentryIsBelow,
  dentryMove,
  dentryPrune,
  dentryPut,
  dentryUnhash,
} from "./dentry.ts";
import { inodePut, inodeRef } from "./inode.ts";
import { enterInode, LAST_DOT, LAST_NAME, LAST_ROOT, lookupName, Walk, walkInode } from "./path.ts";
import { MAY_EXEC, MAY_WRITE, mayDelete, permission, wantWrite } from "./permission.ts";
import {
  Dentry,
  failed,
  Inode,
  INODE_APPEND_ONLY,
  INODE_IMMUTABLE,
  INODE_REMOVED,
  Path,
} from "./types.ts";

function isDirectory(inode: Inode): bool {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

/*@inline*/
function placeOf(w: Walk): Path {
  // A Walk begins with the two fields of a Path.
  return changetype<Path>(changetype<usize>(w));
}

/** 0 when the current task may add entries to a directory. */
export function mayCreate(w: Walk): i32 {
  const directory = walkInode(w);
  if (!isDirectory(directory)) return -ENOTDIR;
  const error = wantWrite(placeOf(w));
  if (error < 0) return error;
  if ((directory.flags & INODE_REMOVED) !== 0) return -ENOENT;
  return permission(directory, MAY_WRITE | MAY_EXEC);
}

/**
 * Makes an object of `mode` at the last component of `w` (WALK_PARENT): 0 or -errno. `target` is a
 * symbolic link's text, `source` the inode for a hard link; else 0 and null.
 */
export function createAt(w: Walk, mode: u32, rdev: u32, target: usize, source: Inode | null): i32 {
  if (w.lastKind !== LAST_NAME) return w.last === 0 && w.lastKind !== LAST_ROOT ? -ENOENT : -EEXIST;
  const directory = walkInode(w);
  if (!isDirectory(directory)) return -ENOTDIR;
  lock(directory.lock);
  const found = lookupName(w.dentry, w.last, w.lastLength, true);
  if (failed(found)) {
    unlock(directory.lock);
    return <i32> found;
  }
  const d = changetype<Dentry>(found);
  let error: i32 = 0;
  if (d.inode !== null) error = -EEXIST;
  else if (w.trailing && (mode & S_IFMT) !== S_IFDIR) error = -ENOENT;
  else error = mayCreate(w);
  if (error >= 0) error = makeObject(directory, d, mode, rdev, target, source);
  unlock(directory.lock);
  dentryPut(d);
  return error;
}

function makeObject(
  directory: Inode,
  d: Dentry,
  mode: u32,
  rdev: u32,
  target: usize,
  source: Inode | null,
): i32 {
  let made: usize = 0;
  if (source !== null) {
    const link = directory.ops.link;
    if (link === null) return -EPERM;
    const error = link(directory, d.name, d.length, source);
    if (error < 0) return error;
    inodeRef(source);
    made = changetype<usize>(source);
  } else if (target !== 0) {
    const symlink = directory.ops.symlink;
    if (symlink === null) return -EPERM;
    made = symlink(directory, d.name, d.length, target);
  } else {
    const create = directory.ops.create;
    if (create === null) return -EPERM;
    made = create(directory, d.name, d.length, mode, rdev);
  }
  if (failed(made)) return <i32> made;
  enterInode(d, changetype<Inode>(made));
  return 0;
}

/** The regular file at a negative dentry, for open(O_CREAT); the directory's lock is held. */
export function createFile(w: Walk, d: Dentry, mode: u32): i32 {
  const error = mayCreate(w);
  if (error < 0) return error;
  return makeObject(walkInode(w), d, mode, 0, 0, null);
}

/** link(2): may this inode get another name? */
export function mayLink(inode: Inode): i32 {
  if (isDirectory(inode)) return -EPERM;
  if ((inode.flags & (INODE_IMMUTABLE | INODE_APPEND_ONLY)) !== 0) return -EPERM;
  return inode.links === 0 ? -ENOENT : inode.links >= 65000 ? -EMLINK : 0;
}

/** unlink and rmdir at the last component of `w` (WALK_PARENT). */
export function removeAt(w: Walk, directoryWanted: bool): i32 {
  if (w.lastKind !== LAST_NAME) {
    if (!directoryWanted) return -EISDIR;
    return w.lastKind === LAST_ROOT ? -EBUSY : w.lastKind === LAST_DOT ? -EINVAL : -ENOTEMPTY;
  }
  const directory = walkInode(w);
  if (!isDirectory(directory)) return -ENOTDIR;
  lock(directory.lock);
  const found = lookupName(w.dentry, w.last, w.lastLength, true);
  if (failed(found)) {
    unlock(directory.lock);
    return <i32> found;
  }
  const d = changetype<Dentry>(found);
  const inode = d.inode;
  let held: Inode | null = null;
  let error: i32 = -ENOENT;
  if (inode !== null) {
    error = checkRemove(w, d, inode, directoryWanted);
    if (error >= 0) {
      inodeRef(inode);
      held = inode;
      if (directoryWanted) {
        lock(inode.lock);
        dentryPrune(d);
      }
      const unlink = directory.ops.unlink;
      error = unlink !== null ? unlink(directory, d.name, d.length, inode) : -EPERM;
      if (error >= 0 && directoryWanted) inode.flags |= INODE_REMOVED;
      if (directoryWanted) unlock(inode.lock);
      if (error >= 0) dentryDelete(d);
    }
  }
  unlock(directory.lock);
  dentryPut(d);
  // Freeing the space of a large file comes after the directory's lock.
  if (held !== null) inodePut(held);
  return error;
}

function checkRemove(w: Walk, d: Dentry, inode: Inode, directoryWanted: bool): i32 {
  let error = wantWrite(placeOf(w));
  if (error < 0) return error;
  error = mayDelete(walkInode(w), inode);
  if (error < 0) return error;
  if (directoryWanted && !isDirectory(inode)) return -ENOTDIR;
  if (!directoryWanted && isDirectory(inode)) return -EISDIR;
  if (!directoryWanted && w.trailing) return -ENOTDIR;
  return d.mounts > 0 ? -EBUSY : 0;
}

function lockTwo(a: Inode, b: Inode): void {
  if (a === b) lock(a.lock);
  else if (changetype<usize>(a) < changetype<usize>(b)) {
    lock(a.lock);
    lock(b.lock);
  } else {
    lock(b.lock);
    lock(a.lock);
  }
}

function unlockTwo(a: Inode, b: Inode): void {
  unlock(a.lock);
  if (a !== b) unlock(b.lock);
}

/** renameat2(2) of the last components of two walks (WALK_PARENT). */
export function renameAt(from: Walk, to: Walk, flags: u32): i32 {
  if (from.mount !== to.mount) return -EXDEV;
  if (from.lastKind !== LAST_NAME || to.lastKind !== LAST_NAME) {
    return (flags & RENAME_NOREPLACE) !== 0 && to.lastKind !== LAST_NAME ? -EEXIST : -EBUSY;
  }
  const error = wantWrite(placeOf(from));
  if (error < 0) return error;
  const a = walkInode(from);
  const b = walkInode(to);
  if (!isDirectory(a) || !isDirectory(b)) return -ENOTDIR;
  let mutex: Mutex | null = null;
  if (a !== b) {
    mutex = a.superBlock.renameLock;
    lock(mutex);
  }
  lockTwo(a, b);
  let result: i32 = 0;
  const found = lookupName(from.dentry, from.last, from.lastLength, true);
  if (failed(found)) result = <i32> found;
  else {
    const source = changetype<Dentry>(found);
    const other = lookupName(to.dentry, to.last, to.lastLength, true);
    if (failed(other)) result = <i32> other;
    else {
      const target = changetype<Dentry>(other);
      const gone = target.inode;
      if (gone !== null) inodeRef(gone);
      result = renameLocked(from, to, source, target, flags);
      unlockTwo(a, b);
      if (mutex !== null) unlock(mutex);
      dentryPut(target);
      dentryPut(source);
      if (gone !== null) inodePut(gone);
      return result;
    }
    dentryPut(source);
  }
  unlockTwo(a, b);
  if (mutex !== null) unlock(mutex);
  return result;
}

function checkRename(from: Walk, to: Walk, source: Dentry, target: Dentry, flags: u32): i32 {
  const inode = source.inode;
  if (inode === null) return -ENOENT;
  const replaced = target.inode;
  const isDir = isDirectory(inode);
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (replaced !== null && (flags & RENAME_NOREPLACE) !== 0) return -EEXIST;
  if (replaced === null && exchange) return -ENOENT;
  if (!isDir && (from.trailing || (to.trailing && !exchange))) return -ENOTDIR;
  // A directory cannot go below itself; nor can what holds it be replaced by it.
  if (isDir && dentryIsBelow(to.dentry, source)) return -EINVAL;
  if (replaced !== null && dentryIsBelow(from.dentry, target)) {
    return exchange ? -EINVAL : -ENOTEMPTY;
  }
  let error = mayDelete(walkInode(from), inode);
  if (error < 0) return error;
  if (replaced === null) error = mayCreate(to);
  else {
    error = mayDelete(walkInode(to), replaced);
    if (error < 0) return error;
    if (!exchange) {
      if (isDir && !isDirectory(replaced)) return -ENOTDIR;
      if (!isDir && isDirectory(replaced)) return -EISDIR;
    }
  }
  if (error < 0) return error;
  // `..` of a directory that moves is written.
  if (isDir && from.dentry !== to.dentry) {
    error = permission(inode, MAY_WRITE);
    if (error < 0) return error;
  }
  return source.mounts > 0 || target.mounts > 0 ? -EBUSY : 0;
}

function renameLocked(from: Walk, to: Walk, source: Dentry, target: Dentry, flags: u32): i32 {
  const inode = source.inode;
  const replaced = target.inode;
  // Two names of one file: nothing happens (POSIX rename()).
  if (inode !== null && inode === replaced && (flags & RENAME_NOREPLACE) === 0) return 0;
  const error = checkRename(from, to, source, target, flags);
  if (error < 0) return error;
  const rename = walkInode(from).ops.rename;
  if (rename === null) return -EPERM;
  if ((flags & RENAME_EXCHANGE) !== 0) return exchange(from, to, source, target);
  const overDirectory = replaced !== null && isDirectory(replaced);
  if (overDirectory) {
    lock(replaced!.lock);
    dentryPrune(target);
  }
  const result = rename(
    walkInode(from),
    source.name,
    source.length,
    inode!,
    walkInode(to),
    target.name,
    target.length,
    replaced,
  );
  if (overDirectory) {
    if (result >= 0) replaced!.flags |= INODE_REMOVED;
    unlock(replaced!.lock);
  }
  if (result >= 0) dentryMove(source, target);
  return result;
}

/** Two names change places: by way of a name that nobody can have. */
function exchange(from: Walk, to: Walk, source: Dentry, target: Dentry): i32 {
  const a = walkInode(from);
  const b = walkInode(to);
  const rename = a.ops.rename!;
  const first = source.inode!;
  const second = target.inode!;
  const aside = c`.\x01exchange`;
  let error = rename(a, source.name, source.length, first, a, aside, 10, null);
  if (error < 0) return error;
  error = rename(b, target.name, target.length, second, a, source.name, source.length, null);
  if (error >= 0) {
    error = rename(a, aside, 10, first, b, target.name, target.length, null);
    if (error >= 0) {
      dentryExchange(source, target);
      return 0;
    }
    rename(a, source.name, source.length, second, b, target.name, target.length, null);
  }
  rename(a, aside, 10, first, a, source.name, source.length, null);
  dentryUnhash(source);
  dentryUnhash(target);
  return error;
}
