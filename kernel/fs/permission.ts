/**
 * Who may do what with a file: mode bits, owner, groups, sticky directories (POSIX "File Access
 * Permissions").
 *
 * @module
 */
import { EACCES, EPERM, EROFS } from "../abi/errno.ts";
import { MS_RDONLY } from "../abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISVTX, S_IXUGO } from "../abi/stat.ts";
import { current, Task } from "../proc/mod.ts";
import { Inode, INODE_APPEND_ONLY, INODE_IMMUTABLE, Path } from "./types.ts";

export const MAY_EXEC: u32 = 1;
export const MAY_WRITE: u32 = 2;
export const MAY_READ: u32 = 4;

/** True when the task is in a group, by its file system group or a supplementary one. */
export function inGroup(task: Task, gid: u32): bool {
  if (task.fsgid === gid) return true;
  for (let i: u32 = 0; i < task.groupCount; i++) {
    if (load<u32>(task.groups + (i << 2)) === gid) return true;
  }
  return false;
}

/** Privileged in matters of files. */
export function isPrivileged(): bool {
  return current().fsuid === 0;
}

/** Privileged, or the owner. */
export function isOwner(inode: Inode): bool {
  const task = current();
  return task.fsuid === 0 || task.fsuid === inode.uid;
}

/** As `permission` for explicit ids (access(2) uses the real ones). */
export function permissionFor(inode: Inode, mask: u32, uid: u32, gid: u32): i32 {
  const type = inode.mode & S_IFMT;
  if ((mask & MAY_WRITE) !== 0) {
    if (
      (inode.superBlock.flags & MS_RDONLY) !== 0 &&
      (type === S_IFREG || type === S_IFDIR || type === S_IFLNK)
    ) return -EROFS;
    if ((inode.flags & INODE_IMMUTABLE) !== 0) return -EPERM;
  }
  if (uid === 0) {
    // Not even root executes what nobody may.
    if ((mask & MAY_EXEC) !== 0 && type !== S_IFDIR && (inode.mode & S_IXUGO) === 0) {
      return -EACCES;
    }
    return 0;
  }
  let mode = inode.mode;
  if (inode.uid === uid) mode >>= 6;
  else if (inode.gid === gid || inGroup(current(), inode.gid)) mode >>= 3;
  return (mode & mask & 7) === mask ? 0 : -EACCES;
}

/** 0 when the current task may access (MAY_ bits), else -EACCES, -EROFS, -EPERM. */
export function permission(inode: Inode, mask: u32): i32 {
  const task = current();
  return permissionFor(inode, mask, task.fsuid, task.fsgid);
}

/** 0 when the mount may be written. */
export function wantWrite(path: Path): i32 {
  return ((path.mount.flags | path.dentry.superBlock.flags) & MS_RDONLY) !== 0 ? -EROFS : 0;
}

/** 0 when an entry of `directory` that names `inode` may be removed or renamed. */
export function mayDelete(directory: Inode, inode: Inode): i32 {
  const error = permission(directory, MAY_WRITE | MAY_EXEC);
  if (error < 0) return error;
  if ((directory.flags & INODE_APPEND_ONLY) !== 0) return -EPERM;
  if ((inode.flags & (INODE_APPEND_ONLY | INODE_IMMUTABLE)) !== 0) return -EPERM;
  if ((directory.mode & S_ISVTX) !== 0) {
    const uid = current().fsuid;
    if (uid !== 0 && uid !== inode.uid && uid !== directory.uid) return -EPERM;
  }
  return 0;
}

/** Mode of a new object in `directory`: a directory takes over the set-group-id bit. */
export function modeInDirectory(directory: Inode, mode: u32): u32 {
  if ((directory.mode & S_ISGID) !== 0 && (mode & S_IFMT) === S_IFDIR) return mode | S_ISGID;
  return mode;
}

/** Owner and group of a new object. */
export function ownInDirectory(directory: Inode, inode: Inode): void {
  const task = current();
  inode.uid = task.fsuid;
  inode.gid = (directory.mode & S_ISGID) !== 0 ? directory.gid : task.fsgid;
}
