/**
 * System calls that change the tree: mkdir, unlink, rename, link, symlink, mknod; and where a process
 * stands in it: chdir, chroot, umask.
 *
 * @module
 */
import { EBADF, EEXIST, EINVAL, ENOENT, ENOMEM, ENOTDIR, EPERM, EXDEV } from "../abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
} from "../abi/fcntl.ts";
import { S_IALLUGO, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../abi/stat.ts";
import { S_IFSOCK, S_ISVTX } from "../abi/stat.ts";
import {
  SYS_CHDIR,
  SYS_CHROOT,
  SYS_FCHDIR,
  SYS_LINK,
  SYS_LINKAT,
  SYS_MKDIR,
  SYS_MKDIRAT,
  SYS_MKNOD,
  SYS_MKNODAT,
  SYS_RENAME,
  SYS_RENAMEAT,
  SYS_RENAMEAT2,
  SYS_RMDIR,
  SYS_SYMLINK,
  SYS_SYMLINKAT,
  SYS_UMASK,
  SYS_UNLINK,
  SYS_UNLINKAT,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { fsContext, setCwd, setRoot } from "../fs/context.ts";
import { fdGet, filePut } from "../fs/fd_table.ts";
import { LAST_NAME, pathFromUser, WALK_EMPTY, WALK_FOLLOW, WALK_PARENT } from "../fs/path.ts";
import { walkFree, walkInode, walkNew, walkUser } from "../fs/path.ts";
import { isPrivileged, MAY_EXEC, permission } from "../fs/permission.ts";
import { createAt, mayLink, removeAt, renameAt } from "../fs/tree.ts";
import { failed } from "../fs/types.ts";
import { kfree } from "../mm/mod.ts";

/** mknod and mkdir: `mode` with its type. */
function create(dirfd: i32, path: u32, mode: u32, rdev: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, dirfd, path, WALK_PARENT);
  if (code >= 0) code = createAt(w, mode, rdev, 0, null);
  walkFree(w);
  return code;
}

function makeDirectory(dirfd: i32, path: u32, mode: u32): i32 {
  const bits = mode & (0o777 | S_ISVTX) & ~fsContext().umask;
  return create(dirfd, path, S_IFDIR | bits, 0);
}

function sysMkdir(path: u32, mode: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return makeDirectory(AT_FDCWD, path, mode);
}
function sysMkdirat(dirfd: u32, path: u32, mode: u32, _d: u32, _e: u32, _f: u32): i32 {
  return makeDirectory(dirfd, path, mode);
}

function makeNode(dirfd: i32, path: u32, mode: u32, rdev: u32): i32 {
  let type = mode & S_IFMT;
  if (type === 0) type = S_IFREG;
  if (type === S_IFDIR) return -EPERM;
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  if (!isDevice && type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK) return -EINVAL;
  if (isDevice && !isPrivileged()) return -EPERM;
  const bits = mode & S_IALLUGO & ~fsContext().umask;
  return create(dirfd, path, type | bits, isDevice ? rdev : 0);
}

function sysMknod(path: u32, mode: u32, rdev: u32, _d: u32, _e: u32, _f: u32): i32 {
  return makeNode(AT_FDCWD, path, mode, rdev);
}
function sysMknodat(dirfd: u32, path: u32, mode: u32, rdev: u32, _e: u32, _f: u32): i32 {
  return makeNode(dirfd, path, mode, rdev);
}

function remove(dirfd: i32, path: u32, directory: bool): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, dirfd, path, WALK_PARENT);
  if (code >= 0) code = removeAt(w, directory);
  walkFree(w);
  return code;
}

function sysUnlink(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return remove(AT_FDCWD, path, false);
}
function sysRmdir(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return remove(AT_FDCWD, path, true);
}
function sysUnlinkat(dirfd: u32, path: u32, flags: u32, _d: u32, _e: u32, _f: u32): i32 {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  return remove(dirfd, path, flags !== 0);
}

function rename(fromFd: i32, from: u32, toFd: i32, to: u32, flags: u32): i32 {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) return -EINVAL;
  if (flags === (RENAME_NOREPLACE | RENAME_EXCHANGE)) return -EINVAL;
  const a = walkNew();
  const b = walkNew();
  let code: i32 = -ENOMEM;
  if (a !== null && b !== null) {
    code = walkUser(a, fromFd, from, WALK_PARENT);
    if (code >= 0) code = walkUser(b, toFd, to, WALK_PARENT);
    if (code >= 0) code = renameAt(a, b, flags);
  }
  if (a !== null) walkFree(a);
  if (b !== null) walkFree(b);
  return code;
}

function sysRename(from: u32, to: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}
function sysRenameat(fromFd: u32, from: u32, toFd: u32, to: u32, _e: u32, _f: u32): i32 {
  return rename(fromFd, from, toFd, to, 0);
}
function sysRenameat2(fromFd: u32, from: u32, toFd: u32, to: u32, flags: u32, _f: u32): i32 {
  return rename(fromFd, from, toFd, to, flags);
}

function link(fromFd: i32, from: u32, toFd: i32, to: u32, flags: u32): i32 {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const a = walkNew();
  const b = walkNew();
  let code: i32 = -ENOMEM;
  if (a !== null && b !== null) {
    let how = (flags & AT_SYMLINK_FOLLOW) !== 0 ? WALK_FOLLOW : 0;
    if ((flags & AT_EMPTY_PATH) !== 0) how |= WALK_EMPTY;
    code = walkUser(a, fromFd, from, how);
    if (code >= 0) code = walkUser(b, toFd, to, WALK_PARENT);
    if (code >= 0) code = mayLink(walkInode(a));
    if (code >= 0 && a.mount !== b.mount) code = b.lastKind === LAST_NAME ? -EXDEV : -EEXIST;
    if (code >= 0) code = createAt(b, walkInode(a).mode, 0, 0, walkInode(a));
  }
  if (a !== null) walkFree(a);
  if (b !== null) walkFree(b);
  return code;
}

function sysLink(from: u32, to: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return link(AT_FDCWD, from, AT_FDCWD, to, 0);
}
function sysLinkat(fromFd: u32, from: u32, toFd: u32, to: u32, flags: u32, _f: u32): i32 {
  return link(fromFd, from, toFd, to, flags);
}

function symlink(target: u32, dirfd: i32, path: u32): i32 {
  const text = pathFromUser(target);
  if (failed(text)) return <i32> text;
  let code: i32 = load<u8>(text) === 0 ? -ENOENT : 0;
  const w = walkNew();
  if (w === null) code = -ENOMEM;
  else {
    if (code >= 0) code = walkUser(w, dirfd, path, WALK_PARENT);
    if (code >= 0) code = createAt(w, 0o120777, 0, text, null);
    walkFree(w);
  }
  kfree(text);
  return code;
}

function sysSymlink(target: u32, path: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return symlink(target, AT_FDCWD, path);
}
function sysSymlinkat(target: u32, dirfd: u32, path: u32, _d: u32, _e: u32, _f: u32): i32 {
  return symlink(target, dirfd, path);
}

function sysChdir(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, AT_FDCWD, path, WALK_FOLLOW);
  if (code >= 0) {
    if ((walkInode(w).mode & S_IFMT) !== S_IFDIR) code = -ENOTDIR;
    else code = permission(walkInode(w), MAY_EXEC);
    if (code >= 0) setCwd(w.mount, w.dentry);
  }
  walkFree(w);
  return code;
}
function sysFchdir(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  let code: i32 = -ENOTDIR;
  if (changetype<usize>(file.mount) !== 0 && (file.inode.mode & S_IFMT) === S_IFDIR) {
    code = permission(file.inode, MAY_EXEC);
    if (code >= 0) setCwd(file.mount, file.dentry);
  }
  filePut(file);
  return code;
}
function sysChroot(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, AT_FDCWD, path, WALK_FOLLOW);
  if (code >= 0) {
    if ((walkInode(w).mode & S_IFMT) !== S_IFDIR) code = -ENOTDIR;
    else code = permission(walkInode(w), MAY_EXEC);
    if (code >= 0 && !isPrivileged()) code = -EPERM;
    if (code >= 0) setRoot(w.mount, w.dentry);
  }
  walkFree(w);
  return code;
}
function sysUmask(mask: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const context = fsContext();
  const before = context.umask;
  context.umask = mask & 0o777;
  return before;
}

/** Registers the calls of this file. */
export function fileTreeCallsInit(): void {
  syscallRegister(SYS_MKDIR, sysMkdir);
  syscallRegister(SYS_MKDIRAT, sysMkdirat);
  syscallRegister(SYS_MKNOD, sysMknod);
  syscallRegister(SYS_MKNODAT, sysMknodat);
  syscallRegister(SYS_UNLINK, sysUnlink);
  syscallRegister(SYS_RMDIR, sysRmdir);
  syscallRegister(SYS_UNLINKAT, sysUnlinkat);
  syscallRegister(SYS_RENAME, sysRename);
  syscallRegister(SYS_RENAMEAT, sysRenameat);
  syscallRegister(SYS_RENAMEAT2, sysRenameat2);
  syscallRegister(SYS_LINK, sysLink);
  syscallRegister(SYS_LINKAT, sysLinkat);
  syscallRegister(SYS_SYMLINK, sysSymlink);
  syscallRegister(SYS_SYMLINKAT, sysSymlinkat);
  syscallRegister(SYS_CHDIR, sysChdir);
  syscallRegister(SYS_FCHDIR, sysFchdir);
  syscallRegister(SYS_CHROOT, sysChroot);
  syscallRegister(SYS_UMASK, sysUmask);
}
