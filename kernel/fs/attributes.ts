/**
 * Changing what stat shows: mode, owner, times, size. The rules are POSIX's for chmod(), chown(),
 * futimens(), truncate().
 *
 * @module
 */
import { EACCES, EINVAL, EISDIR, EPERM, EROFS, ETXTBSY } from "../abi/errno.ts";
import { MS_RDONLY } from "../abi/fcntl.ts";
import { S_IALLUGO, S_IFDIR, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP } from "../abi/stat.ts";
import { UTIME_NOW, UTIME_OMIT } from "../abi/stat.ts";
import { current } from "../proc/mod.ts";
import { lock, unlock } from "../sync/mod.ts";
import { fileTruncate } from "./generic_file.ts";
import { inodeDirty, touchChange } from "./inode.ts";
import { inGroup, isOwner, isPrivileged, MAY_WRITE, permission } from "./permission.ts";
import { Inode, INODE_APPEND_ONLY, INODE_IMMUTABLE } from "./types.ts";

const NOT_CHANGED: u32 = 0xffffffff;

function mayChange(inode: Inode): i32 {
  if ((inode.superBlock.flags & MS_RDONLY) !== 0) return -EROFS;
  return (inode.flags & (INODE_IMMUTABLE | INODE_APPEND_ONLY)) !== 0 ? -EPERM : 0;
}

function changed(inode: Inode): i32 {
  touchChange(inode);
  inodeDirty(inode);
  return 0;
}

/** chmod: permission bits of `mode`. */
export function changeMode(inode: Inode, mode: u32): i32 {
  const error = mayChange(inode);
  if (error < 0) return error;
  if (!isOwner(inode)) return -EPERM;
  mode &= S_IALLUGO;
  // Set-group-id is for members of the group only.
  if (!isPrivileged() && !inGroup(current(), inode.gid) && (inode.mode & S_IFMT) !== S_IFDIR) {
    mode &= ~S_ISGID;
  }
  inode.mode = (inode.mode & ~S_IALLUGO) | mode;
  return changed(inode);
}

/** chown: 0xffffffff leaves the one or the other. */
export function changeOwner(inode: Inode, uid: u32, gid: u32): i32 {
  const error = mayChange(inode);
  if (error < 0) return error;
  const task = current();
  if (!isPrivileged()) {
    if (uid !== NOT_CHANGED && (uid !== inode.uid || task.fsuid !== inode.uid)) return -EPERM;
    if (gid !== NOT_CHANGED) {
      if (task.fsuid !== inode.uid) return -EPERM;
      if (gid !== inode.gid && !inGroup(task, gid)) return -EPERM;
    }
  }
  if (uid !== NOT_CHANGED) inode.uid = uid;
  if (gid !== NOT_CHANGED) inode.gid = gid;
  if ((inode.mode & S_IFMT) !== S_IFDIR && (uid !== NOT_CHANGED || gid !== NOT_CHANGED)) {
    inode.mode &= ~S_ISUID;
    if ((inode.mode & S_IXGRP) !== 0) inode.mode &= ~S_ISGID;
  }
  return changed(inode);
}

/** utimensat: nanoseconds may be UTIME_NOW or UTIME_OMIT. */
export function changeTimes(
  inode: Inode,
  accessSeconds: u32,
  accessNs: u32,
  modifySeconds: u32,
  modifyNs: u32,
): i32 {
  if (accessNs === UTIME_OMIT && modifyNs === UTIME_OMIT) return 0;
  if (accessNs > 999999999 && accessNs !== UTIME_NOW && accessNs !== UTIME_OMIT) return -EINVAL;
  if (modifyNs > 999999999 && modifyNs !== UTIME_NOW && modifyNs !== UTIME_OMIT) return -EINVAL;
  const error = mayChange(inode);
  if (error < 0) return error;
  if (!isOwner(inode)) {
    if (accessNs !== UTIME_NOW || modifyNs !== UTIME_NOW) return -EPERM;
    const denied = permission(inode, MAY_WRITE);
    if (denied < 0) return denied === -EROFS ? denied : -EACCES;
  }
  touchChange(inode);
  if (accessNs === UTIME_NOW) {
    inode.accessSeconds = inode.changeSeconds;
    inode.accessNs = inode.changeNs;
  } else if (accessNs !== UTIME_OMIT) {
    inode.accessSeconds = accessSeconds;
    inode.accessNs = accessNs;
  }
  if (modifyNs === UTIME_NOW) {
    inode.modifySeconds = inode.changeSeconds;
    inode.modifyNs = inode.changeNs;
  } else if (modifyNs !== UTIME_OMIT) {
    inode.modifySeconds = modifySeconds;
    inode.modifyNs = modifyNs;
  }
  inodeDirty(inode);
  return 0;
}

/** truncate: the caller has checked that it may write. */
export function changeSize(inode: Inode, size: u64): i32 {
  const type = inode.mode & S_IFMT;
  if (type === S_IFDIR) return -EISDIR;
  if (type !== S_IFREG) return -EINVAL;
  if (<i64> size < 0) return -EINVAL;
  const error = mayChange(inode);
  if (error < 0) return error;
  if (inode.writers < 0) return -ETXTBSY;
  lock(inode.lock);
  const result = fileTruncate(inode, size);
  if (result >= 0 && !isPrivileged()) {
    inode.mode &= ~S_ISUID;
    if ((inode.mode & S_IXGRP) !== 0) inode.mode &= ~S_ISGID;
  }
  unlock(inode.lock);
  return result;
}
