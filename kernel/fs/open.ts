/**
 * Opening files: by path for system calls and for the kernel itself.
 *
 * @module
 */
import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOMEM,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ETXTBSY,
} from "../abi/errno.ts";
import {
  AT_FDCWD,
  MS_NODEV,
  MS_NOEXEC,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../abi/fcntl.ts";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../abi/stat.ts";
import { S_IALLUGO, S_IFSOCK } from "../abi/stat.ts";
import { lock, unlock } from "../sync/mod.ts";
import { blockFileOps } from "./block_file.ts";
import { changeSize } from "./attributes.ts";
import { fsContext } from "./context.ts";
import { dentryPut } from "./dentry.ts";
import { charDevice } from "./device_table.ts";
import { fileNew, fileNewError, filePut } from "./fd_table.ts";
import {
  LAST_NAME,
  LAST_ROOT,
  lookupName,
  Walk,
  WALK_FOLLOW,
  WALK_PARENT,
  walkFree,
} from "./path.ts";
import { enterName, walkInode, walkLink, walkNew, walkOn, walkPath } from "./path.ts";
import { isOwner, MAY_EXEC, MAY_READ, MAY_WRITE, permission, wantWrite } from "./permission.ts";
import { fifoOps } from "./pipe.ts";
import { createFile } from "./tree.ts";
import {
  Dentry,
  failed,
  FileOps,
  FMODE_EXEC,
  FMODE_PATH,
  FMODE_READ,
  FMODE_WRITE,
} from "./types.ts";
import { Inode, INODE_APPEND_ONLY, Path } from "./types.ts";
import { emptyFileOps } from "./inode.ts";

/** Flags that F_GETFL does not show. */
const OPEN_ONLY: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

function accessOf(flags: u32): u32 {
  const access = flags & O_ACCMODE;
  if (access === O_WRONLY) return FMODE_WRITE;
  if (access === O_RDWR) return FMODE_READ | FMODE_WRITE;
  return access === O_RDONLY ? FMODE_READ : 0;
}

/** Operations of an inode's files, null with the error in `openError` when it cannot be opened. */
function operationsOf(w: Walk, inode: Inode): FileOps | null {
  const type = inode.mode & S_IFMT;
  if (type === S_IFCHR || type === S_IFBLK) {
    if (((w.mount.flags | inode.superBlock.flags) & MS_NODEV) !== 0) {
      openError = -EACCES;
      return null;
    }
    if (type === S_IFBLK) return blockFileOps();
    const device = charDevice(inode.rdev);
    if (device !== null) return device.ops;
  }
  if (type === S_IFIFO) return fifoOps();
  if (type === S_IFCHR || type === S_IFSOCK) {
    openError = -ENXIO;
    return null;
  }
  return inode.fileOps;
}

let openError: i32 = 0;

function checkOpen(w: Walk, inode: Inode, flags: u32, access: u32, created: bool): i32 {
  const type = inode.mode & S_IFMT;
  if (type === S_IFLNK) return -ELOOP;
  if ((flags & O_DIRECTORY) !== 0 && type !== S_IFDIR) return -ENOTDIR;
  if (type === S_IFDIR && ((access & FMODE_WRITE) !== 0 || (flags & (O_CREAT | O_TRUNC)) !== 0)) {
    return -EISDIR;
  }
  if (!created) {
    let mask: u32 = 0;
    if ((access & FMODE_READ) !== 0) mask |= MAY_READ;
    if ((access & FMODE_WRITE) !== 0 || ((flags & O_TRUNC) !== 0 && type === S_IFREG)) {
      mask |= MAY_WRITE;
      // Devices and pipes can be written on a read-only file system.
      if (type === S_IFREG) {
        const readOnly = wantWrite(changetype<Path>(changetype<usize>(w)));
        if (readOnly < 0) return readOnly;
      }
    }
    const denied = permission(inode, mask);
    if (denied < 0) return denied;
  }
  if ((inode.flags & INODE_APPEND_ONLY) !== 0) {
    if ((access & FMODE_WRITE) !== 0 && (flags & O_APPEND) === 0) return -EPERM;
    if ((flags & O_TRUNC) !== 0) return -EPERM;
  }
  if ((flags & O_NOATIME) !== 0 && !isOwner(inode)) return -EPERM;
  if (type === S_IFREG && (access & FMODE_WRITE) !== 0 && inode.writers < 0) return -ETXTBSY;
  return 0;
}

/** The file for the place where a walk is: File or -errno. */
function openWalked(w: Walk, flags: u32, created: bool): usize {
  const inode = walkInode(w);
  if ((flags & O_PATH) !== 0) {
    if ((flags & O_DIRECTORY) !== 0 && (inode.mode & S_IFMT) !== S_IFDIR) return <usize> -ENOTDIR;
    const bare = fileNew(inode, w.mount, w.dentry, emptyFileOps(), flags & ~OPEN_ONLY, FMODE_PATH);
    return bare === null ? <usize> fileNewError() : changetype<usize>(bare);
  }
  const access = accessOf(flags);
  const error = checkOpen(w, inode, flags, access, created);
  if (error < 0) return <usize> error;
  const ops = operationsOf(w, inode);
  if (ops === null) return <usize> openError;
  const file = fileNew(inode, w.mount, w.dentry, ops, flags & ~OPEN_ONLY, access);
  if (file === null) return <usize> fileNewError();
  if ((access & FMODE_WRITE) !== 0) inode.writers++;
  // Some look at O_NOCTTY while they open.
  file.flags |= flags & O_NOCTTY;
  const open = ops.open;
  let result: i32 = open !== null ? open(inode, file) : 0;
  file.flags &= ~O_NOCTTY;
  if (result < 0) {
    // It was never open: no release.
    file.ops = emptyFileOps();
    filePut(file);
    return <usize> result;
  }
  if ((flags & O_TRUNC) !== 0 && !created && (inode.mode & S_IFMT) === S_IFREG) {
    result = changeSize(inode, 0);
    if (result < 0) {
      filePut(file);
      return <usize> result;
    }
  }
  return changetype<usize>(file);
}

/** open(O_CREAT): walks to the directory, then creates or opens the name in it. */
function openCreating(w: Walk, flags: u32, mode: u32): usize {
  while (true) {
    if (w.lastKind !== LAST_NAME) {
      // A magic link leads to the object itself.
      if (w.lastKind === LAST_ROOT && w.links > 0 && w.last === 0) {
        return openWalked(w, flags, false);
      }
      return <usize> -EISDIR;
    }
    if (w.trailing) return <usize> -EISDIR;
    const directory = walkInode(w);
    if ((directory.mode & S_IFMT) !== S_IFDIR) return <usize> -ENOTDIR;
    const denied = permission(directory, MAY_EXEC);
    if (denied < 0) return <usize> denied;
    lock(directory.lock);
    const found = lookupName(w.dentry, w.last, w.lastLength, true);
    if (failed(found)) {
      unlock(directory.lock);
      return found;
    }
    const d = changetype<Dentry>(found);
    let created = false;
    let error: i32 = 0;
    if (d.inode === null) {
      error = createFile(w, d, S_IFREG | (mode & S_IALLUGO & ~fsContext().umask));
      created = true;
    } else if ((flags & O_EXCL) !== 0) error = -EEXIST;
    unlock(directory.lock);
    if (error < 0) {
      dentryPut(d);
      return <usize> error;
    }
    const inode = d.inode!;
    if ((inode.mode & S_IFMT) === S_IFLNK && d.mounts === 0) {
      if ((flags & O_NOFOLLOW) !== 0) {
        dentryPut(d);
        return <usize> -ELOOP;
      }
      error = walkLink(w, d);
      if (error >= 0) error = walkOn(w, WALK_PARENT);
      if (error < 0) return <usize> error;
      continue;
    }
    enterName(w, d);
    return openWalked(w, flags, created);
  }
}

/** openat(2) for a path in kernel memory: File with one reference, or -errno. */
export function openAt(dirfd: i32, path: usize, flags: u32, mode: u32): usize {
  if ((flags & O_PATH) !== 0) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  else if ((flags & 0o20000000) !== 0) return <usize> -EOPNOTSUPP; // O_TMPFILE
  if ((flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY)) return <usize> -EINVAL;
  const w = walkNew();
  if (w === null) return <usize> -ENOMEM;
  let result: usize = 0;
  if ((flags & O_CREAT) === 0) {
    const error = walkPath(w, dirfd, path, (flags & O_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW);
    result = error < 0 ? <usize> error : openWalked(w, flags, false);
  } else {
    const error = walkPath(w, dirfd, path, WALK_PARENT);
    result = error < 0 ? <usize> error : openCreating(w, flags, mode);
  }
  walkFree(w);
  return result;
}

/** Opens a path for the kernel, with the current task's rights: File, or -errno. */
export function openKernel(path: usize, flags: u32): usize {
  return openAt(AT_FDCWD, path, flags, 0);
}

/** A program for execve: a regular file that may be executed. -EACCES, -ENOENT, -ETXTBSY… */
export function openProgram(path: usize): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let result = walkPath(w, AT_FDCWD, path, WALK_FOLLOW);
  if (result >= 0) {
    const inode = walkInode(w);
    if ((inode.mode & S_IFMT) !== S_IFREG || (w.mount.flags & MS_NOEXEC) !== 0) result = -EACCES;
    else result = permission(inode, MAY_EXEC);
    if (result >= 0 && inode.writers > 0) result = -ETXTBSY;
    if (result >= 0) {
      const mode = FMODE_READ | FMODE_EXEC;
      const file = fileNew(inode, w.mount, w.dentry, inode.fileOps, O_RDONLY, mode);
      if (file !== null) inode.writers--;
      result = file === null ? fileNewError() : <i32> changetype<usize>(file);
    }
  }
  walkFree(w);
  return result;
}
