/**
 * Walking paths: components, `.` and `..` over mounts and below a root, symbolic links, permissions.
 *
 * A Walk holds where the walk is (a referenced mount and dentry) and what is left of the text. With
 * WALK_PARENT it stops before the last component, which `last` then names. Trailing slashes ask for
 * a directory and let a link be followed (POSIX "Pathname Resolution").
 *
 * @module
 */
import {
  EACCES,
  EBADF,
  EINVAL,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOTDIR,
} from "../abi/errno.ts";
import { AT_FDCWD, PATH_MAX } from "../abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../abi/stat.ts";
import { copyInString, kfree, kmalloc, kzalloc } from "../mm/mod.ts";
import { strlen } from "../lib/mod.ts";
import { lock, unlock } from "../sync/mod.ts";
import { fsContext, pathPut, pathRef } from "./context.ts";
import {
  dentryFind,
  dentryNew,
  dentryPut,
  dentryRef,
  dentrySetInode,
  dentryUnhash,
} from "./dentry.ts";
import { fdGet, filePut } from "./fd_table.ts";
import { inodePut } from "./inode.ts";
import { mountOn } from "./mount.ts";
import { MAY_EXEC, permission } from "./permission.ts";
import { Dentry, failed, Inode, INODE_REMOVED, Mount, Path } from "./types.ts";

/** Follow a symbolic link at the end. */
export const WALK_FOLLOW: u32 = 1;
/** Stop before the last component. */
export const WALK_PARENT: u32 = 2;
/** An empty path is the start itself (AT_EMPTY_PATH). */
export const WALK_EMPTY: u32 = 4;

/** Kinds of the last component. */
export const LAST_NAME: u32 = 0;
export const LAST_DOT: u32 = 1;
export const LAST_DOTDOT: u32 = 2;
export const LAST_ROOT: u32 = 3;

const MAX_LINKS: u32 = 40;

/** State and result of a walk. */
/*@unmanaged*/
export class Walk {
  mount: Mount;
  dentry: Dentry;
  /** What is left of the text. */
  rest: usize;
  /** The last component, with WALK_PARENT. */
  last: usize;
  lastLength: u32;
  lastKind: u32;
  /** A slash follows the last component. */
  trailing: bool;
  links: u32;
  /** Text of the link being walked; the walk's own. */
  buffer: usize;
  /** The path as the user gave it, when `walkUser` copied it. */
  text: usize;
  /** It holds references. */
  held: bool;
}

/** A walk that has not begun, null when memory is out. End it with `walkFree`. */
export function walkNew(): Walk | null {
  return changetype<Walk | null>(kzalloc(offsetof<Walk>()));
}

/** Releases the place and frees the walk. */
export function walkFree(w: Walk): void {
  if (w.held) pathPut(w.mount, w.dentry);
  kfree(w.buffer);
  kfree(w.text);
  kfree(changetype<usize>(w));
}

/** The inode that the walk has reached. */
/*@inline*/
export function walkInode(w: Walk): Inode {
  return w.dentry.inode!;
}

function moveTo(w: Walk, mount: Mount, dentry: Dentry): void {
  if (w.held) pathPut(w.mount, w.dentry);
  w.mount = mount;
  w.dentry = dentry;
  w.held = true;
}

function isDirectory(d: Dentry): bool {
  const inode = d.inode;
  return inode !== null && (inode.mode & S_IFMT) === S_IFDIR;
}

/** To what is mounted here, if anything is. */
function crossMounts(w: Walk): void {
  while (w.dentry.mounts > 0) {
    const mount = mountOn(w.mount, w.dentry);
    if (mount === null) return;
    pathRef(mount, mount.root);
    moveTo(w, mount, mount.root);
  }
}

/** `..`: not above the root of the process, over the edges of mounts. */
function walkUp(w: Walk): void {
  const context = fsContext();
  while (true) {
    if (w.dentry === context.rootDentry && w.mount === context.rootMount) break;
    if (w.dentry === w.mount.root) {
      const parent = w.mount.parent;
      const point = w.mount.point;
      if (parent === null || point === null) break;
      pathRef(parent, point);
      moveTo(w, parent, point);
      continue;
    }
    const up = w.dentry.parent;
    if (up !== null) {
      pathRef(w.mount, up);
      moveTo(w, w.mount, up);
    }
    break;
  }
  crossMounts(w);
}

/**
 * The dentry of a name in a directory, referenced; its inode is null when there is no such name.
 * -errno as usize on failure. `locked`: the caller holds the directory's lock.
 */
export function lookupName(directory: Dentry, name: usize, length: u32, locked: bool): usize {
  if (length > directory.superBlock.nameMax) return <usize> -ENAMETOOLONG;
  const inode = directory.inode!;
  let found = dentryFind(directory, name, length);
  if (found !== null) {
    const target = found.inode;
    const check = target !== null ? target.ops.revalidate : null;
    if (check === null || check(target!)) {
      // Names come and go by themselves where revalidation is asked for.
      if (target !== null || inode.ops.revalidate === null) return changetype<usize>(found);
    }
    dentryUnhash(found);
    dentryPut(found);
  }
  const lookup = inode.ops.lookup;
  if (lookup === null) return <usize> -ENOTDIR;
  if (!locked) lock(inode.lock);
  found = dentryFind(directory, name, length);
  let result: usize = 0;
  if (found !== null) result = changetype<usize>(found);
  else if ((inode.flags & INODE_REMOVED) !== 0) result = <usize> -ENOENT;
  else {
    const target = lookup(inode, name, length);
    if (failed(target)) result = target;
    else {
      const object = changetype<Inode | null>(target);
      const d = dentryNew(directory, name, length, object, directory.superBlock);
      if (d === null) {
        if (object !== null) inodePut(object);
        result = <usize> -ENOMEM;
      } else result = changetype<usize>(d);
    }
  }
  if (!locked) unlock(inode.lock);
  return result;
}

/** Enters a created inode (reference taken over) under a negative dentry. */
export function enterInode(d: Dentry, inode: Inode): void {
  dentrySetInode(d, inode);
}

/** Replaces the text that is left by a link's target and what comes behind the link. */
function pushTarget(w: Walk, target: usize, length: u32): i32 {
  const rest = strlen(w.rest);
  if (length + rest + 2 > PATH_MAX * 2) return -ENAMETOOLONG;
  const text = kmalloc(length + rest + 2);
  if (text === 0) return -ENOMEM;
  memory.copy(text, target, length);
  let at = length;
  if (rest > 0 || w.trailing) store<u8>(text + at++, 0x2f);
  memory.copy(text + at, w.rest, rest);
  store<u8>(text + at + rest, 0);
  kfree(w.buffer);
  w.buffer = text;
  w.rest = text;
  return 0;
}

/**
 * Follows the symbolic link `link` (referenced; the reference is taken over), which is in the place
 * where the walk is. Afterwards the walk stands where the target's text begins.
 */
export function walkLink(w: Walk, link: Dentry): i32 {
  const inode = link.inode!;
  if (++w.links > MAX_LINKS) {
    dentryPut(link);
    return -ELOOP;
  }
  const follow = inode.ops.followLink;
  if (follow !== null) {
    const place = changetype<Path>(kzalloc(offsetof<Path>()));
    const error = follow(inode, place);
    if (error >= 0) moveTo(w, place.mount, place.dentry);
    kfree(changetype<usize>(place));
    dentryPut(link);
    return error < 0 ? error : 1;
  }
  const read = inode.ops.readLink;
  if (read === null) {
    dentryPut(link);
    return -EINVAL;
  }
  const target = kmalloc(PATH_MAX);
  if (target === 0) {
    dentryPut(link);
    return -ENOMEM;
  }
  const length = read(inode, target, PATH_MAX - 1);
  dentryPut(link);
  let error: i32 = length;
  if (length === 0) error = -ENOENT;
  if (error > 0) error = pushTarget(w, target, length);
  if (error >= 0 && load<u8>(target) === 0x2f) toRoot(w);
  kfree(target);
  return error < 0 ? error : 0;
}

function toRoot(w: Walk): void {
  const context = fsContext();
  pathRef(context.rootMount, context.rootDentry);
  moveTo(w, context.rootMount, context.rootDentry);
}

/** Walks the text in `rest` from where the walk is. */
export function walkOn(w: Walk, flags: u32): i32 {
  w.last = 0;
  w.lastLength = 0;
  w.lastKind = LAST_ROOT;
  w.trailing = false;
  while (true) {
    let at = w.rest;
    while (load<u8>(at) === 0x2f) at++;
    if (load<u8>(at) === 0) return 0;
    const inode = w.dentry.inode;
    if (inode === null || !isDirectory(w.dentry)) return -ENOTDIR;
    const denied = permission(inode, MAY_EXEC);
    if (denied < 0) return denied;
    const name = at;
    while (load<u8>(at) !== 0 && load<u8>(at) !== 0x2f) at++;
    const length = <u32> (at - name);
    const slash = load<u8>(at) === 0x2f;
    while (load<u8>(at) === 0x2f) at++;
    const isLast = load<u8>(at) === 0;
    w.rest = at;
    w.trailing = isLast && slash;
    let kind = LAST_NAME;
    if (load<u8>(name) === 0x2e) {
      if (length === 1) kind = LAST_DOT;
      else if (length === 2 && load<u8>(name + 1) === 0x2e) kind = LAST_DOTDOT;
    }
    if (isLast && (flags & WALK_PARENT) !== 0) {
      w.last = name;
      w.lastLength = length;
      w.lastKind = kind;
      return 0;
    }
    if (kind === LAST_DOT) continue;
    if (kind === LAST_DOTDOT) {
      walkUp(w);
      continue;
    }
    const found = lookupName(w.dentry, name, length, false);
    if (failed(found)) return <i32> found;
    const child = changetype<Dentry>(found);
    const target = child.inode;
    if (target === null) {
      dentryPut(child);
      return -ENOENT;
    }
    if (
      (target.mode & S_IFMT) === S_IFLNK && child.mounts === 0 &&
      (!isLast || slash || (flags & WALK_FOLLOW) !== 0)
    ) {
      const error = walkLink(w, child);
      if (error < 0) return error;
      continue;
    }
    enterName(w, child);
    if (isLast && slash && !isDirectory(w.dentry)) return -ENOTDIR;
  }
}

/** Steps to a child of the directory where the walk is (its reference is taken over), over mounts. */
export function enterName(w: Walk, child: Dentry): void {
  w.mount.references++;
  moveTo(w, w.mount, child);
  crossMounts(w);
}

/** Goes to the start: the root for absolute paths, else the directory `dirfd` or AT_FDCWD. */
function start(w: Walk, dirfd: i32, path: usize, flags: u32): i32 {
  if (load<u8>(path) === 0x2f) {
    toRoot(w);
    return 0;
  }
  if (dirfd === AT_FDCWD) {
    const context = fsContext();
    pathRef(context.cwdMount, context.cwdDentry);
    moveTo(w, context.cwdMount, context.cwdDentry);
    return 0;
  }
  const file = fdGet(dirfd);
  if (file === null) return -EBADF;
  let error: i32 = 0;
  if (changetype<usize>(file.dentry) === 0) error = (flags & WALK_EMPTY) !== 0 ? -EACCES : -ENOTDIR;
  else {
    const empty = load<u8>(path) === 0 && (flags & WALK_EMPTY) !== 0;
    if (!empty && !isDirectory(file.dentry)) error = -ENOTDIR;
    else {
      pathRef(file.mount, file.dentry);
      moveTo(w, file.mount, file.dentry);
    }
  }
  filePut(file);
  return error;
}

/** Walks a kernel string: 0 and the walk is there, or -errno. */
export function walkPath(w: Walk, dirfd: i32, path: usize, flags: u32): i32 {
  if (load<u8>(path) === 0 && (flags & WALK_EMPTY) === 0) return -ENOENT;
  const error = start(w, dirfd, path, flags);
  if (error < 0) return error;
  w.rest = path;
  return walkOn(w, flags);
}

/** Copies a path from user memory: its address (free it) or -EFAULT, -ENAMETOOLONG, -ENOMEM. */
export function pathFromUser(path: u32): usize {
  const text = kmalloc(PATH_MAX);
  if (text === 0) return <usize> -ENOMEM;
  const length = copyInString(text, path, PATH_MAX);
  if (length < 0) {
    kfree(text);
    return <usize> length;
  }
  return text;
}

/** As `walkPath` for a user's string, which the walk keeps. */
export function walkUser(w: Walk, dirfd: i32, path: u32, flags: u32): i32 {
  const text = pathFromUser(path);
  if (failed(text)) return <i32> text;
  w.text = text;
  return walkPath(w, dirfd, text, flags);
}

/** A reference more to where the walk is, for the caller to keep. */
export function walkTake(w: Walk, result: Path): void {
  w.mount.references++;
  result.mount = w.mount;
  result.dentry = dentryRef(w.dentry);
}
