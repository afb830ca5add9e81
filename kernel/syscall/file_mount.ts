/**
 * System calls on whole file systems: mount, umount, sync; and sockets, of which there are none.
 *
 * @module
 */
import { EAFNOSUPPORT, EBADF, EFAULT, EINVAL, ENODEV, ENOENT } from "../abi/errno.ts";
import { ENOMEM, ENOTBLK, ENOTSOCK, EPERM } from "../abi/errno.ts";
import {
  AT_FDCWD,
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MOVE,
  MS_REMOUNT,
  UMOUNT_NOFOLLOW,
} from "../abi/fcntl.ts";
import { S_IFBLK, S_IFMT } from "../abi/stat.ts";
import {
  SYS_ACCEPT4,
  SYS_BIND,
  SYS_CONNECT,
  SYS_FDATASYNC,
  SYS_FSYNC,
  SYS_GETPEERNAME,
  SYS_GETSOCKNAME,
  SYS_GETSOCKOPT,
  SYS_LISTEN,
  SYS_MOUNT,
  SYS_RECVFROM,
  SYS_RECVMSG,
  SYS_SENDMSG,
  SYS_SENDTO,
  SYS_SETSOCKOPT,
  SYS_SHUTDOWN,
  SYS_SOCKET,
  SYS_SOCKETCALL,
  SYS_SOCKETPAIR,
  SYS_SYNC,
  SYS_SYNC_FILE_RANGE,
  SYS_SYNCFS,
  SYS_UMOUNT,
  SYS_UMOUNT2,
} from "../abi/syscall.ts";
import { syscallRegister } from "./table.ts";
import { blockDevicePrepare } from "../fs/block_file.ts";
import { dentriesForget } from "../fs/dentry.ts";
import { blockDevice } from "../fs/device_table.ts";
import { fdGet, fdGetData, filePut } from "../fs/fd_table.ts";
import { fileSystem, mountFileSystem, mountReap, mountSuperBlock } from "../fs/mount.ts";
import { remount, unmountFileSystem } from "../fs/mount.ts";
import { pathFromUser, Walk, WALK_FOLLOW, walkFree, walkInode, walkNew } from "../fs/path.ts";
import { walkPath, walkUser } from "../fs/path.ts";
import { isPrivileged } from "../fs/permission.ts";
import { BlockDevice, failed } from "../fs/types.ts";
import { syncEverything, syncSuperBlock } from "../fs/writeback.ts";
import { copyIn, getUser32, kfree, kzalloc, userWord } from "../mm/mod.ts";

const OPTIONS: u32 = 4096;

/** A string that may be missing: its copy, 0, or -errno. */
function optional(address: u32): usize {
  return address === 0 ? 0 : pathFromUser(address);
}

/** Options end with their page; programs may leave the rest unmapped, so bytes are taken while they come. */
function fetchOptions(address: u32): usize {
  const text = kzalloc(OPTIONS);
  if (address === 0 || text === 0) return text;
  let done: u32 = 0;
  while (done < OPTIONS - 256) {
    if (copyIn(text + done, address + done, 256) < 0) break;
    done += 256;
  }
  return text;
}

/** The device that a path names: BlockDevice, or -errno. */
function deviceOf(path: usize): usize {
  if (path === 0) return <usize> -ENOENT;
  const w = walkNew();
  if (w === null) return <usize> -ENOMEM;
  let result: usize = 0;
  const code = walkPath(w, AT_FDCWD, path, WALK_FOLLOW);
  if (code < 0) result = <usize> code;
  else if ((walkInode(w).mode & S_IFMT) !== S_IFBLK) result = <usize> -ENOTBLK;
  else {
    const device = blockDevice(walkInode(w).rdev);
    if (device === null) result = <usize> -ENODEV;
    else result = blockDevicePrepare(device) ? changetype<usize>(device) : <usize> -ENOMEM;
  }
  walkFree(w);
  return result;
}

function mountNew(source: usize, w: Walk, type: usize, flags: u32, options: usize): i32 {
  if (type === 0) return -EINVAL;
  const kind = fileSystem(type);
  if (kind === null) return -ENODEV;
  let device: BlockDevice | null = null;
  if (kind.needsDevice) {
    const found = deviceOf(source);
    if (failed(found)) return <i32> found;
    device = changetype<BlockDevice>(found);
  }
  const result = mountFileSystem(type, device, source, flags, options, w.mount, w.dentry);
  return failed(result) ? <i32> result : 0;
}

function mountBind(source: usize, w: Walk, flags: u32): i32 {
  if (source === 0) return -EINVAL;
  const from = walkNew();
  if (from === null) return -ENOMEM;
  let code = walkPath(from, AT_FDCWD, source, WALK_FOLLOW);
  if (code >= 0) {
    const s = from.dentry.superBlock;
    const result = mountSuperBlock(
      s,
      from.dentry,
      from.mount.flags | flags,
      source,
      w.mount,
      w.dentry,
    );
    code = failed(result) ? <i32> result : 0;
  }
  walkFree(from);
  return code;
}

function sysMount(source: u32, target: u32, type: u32, flags: u32, data: u32, _f: u32): i32 {
  if (!isPrivileged()) return -EPERM;
  // The upper half may be an old magic number.
  if ((flags & 0xffff0000) === 0xc0ed0000) flags &= 0xffff;
  const from = optional(source);
  const kind = optional(type);
  let code: i32 = 0;
  if (failed(from)) code = <i32> from;
  else if (failed(kind)) code = <i32> kind;
  const w = walkNew();
  if (w === null) code = -ENOMEM;
  else {
    if (code >= 0) code = walkUser(w, AT_FDCWD, target, WALK_FOLLOW);
    if (code >= 0) {
      if ((flags & MS_REMOUNT) !== 0) {
        code = w.dentry === w.mount.root ? remount(w.mount, flags) : -EINVAL;
      } else if ((flags & MS_MOVE) !== 0) code = -EINVAL;
      else if ((flags & MS_BIND) !== 0) code = mountBind(from, w, flags);
      else {
        const options = fetchOptions(data);
        code = mountNew(from, w, kind, flags, options);
        kfree(options);
      }
    }
    walkFree(w);
  }
  if (!failed(from)) kfree(from);
  if (!failed(kind)) kfree(kind);
  return code;
}

function unmount(path: u32, flags: u32): i32 {
  if (!isPrivileged()) return -EPERM;
  if ((flags & ~(MNT_DETACH | MNT_EXPIRE | MNT_FORCE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  if ((flags & MNT_EXPIRE) !== 0) return -EINVAL;
  const w = walkNew();
  if (w === null) return -ENOMEM;
  let code = walkUser(w, AT_FDCWD, path, (flags & UMOUNT_NOFOLLOW) !== 0 ? 0 : WALK_FOLLOW);
  if (code >= 0) {
    if (w.dentry !== w.mount.root) code = -EINVAL;
    else {
      // Names that are only cached hold no mount.
      dentriesForget(w.mount.superBlock);
      code = unmountFileSystem(w.mount, flags);
    }
  }
  walkFree(w);
  mountReap();
  return code;
}

function sysUmount2(path: u32, flags: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return unmount(path, flags);
}
function sysUmount(path: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return unmount(path, 0);
}

function sysSync(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  syncEverything();
  return 0;
}
function sysSyncfs(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  const code = syncSuperBlock(file.inode.superBlock);
  filePut(file);
  return code;
}

function syncFile(fd: u32, dataOnly: bool): i32 {
  const file = fdGetData(fd);
  if (file === null) return -EBADF;
  const sync = file.ops.sync;
  // What is not on a disk is never behind; pipes and terminals cannot be synced at all.
  const code = sync !== null ? sync(file, dataOnly) : file.ops.map !== null ? 0 : -EINVAL;
  filePut(file);
  return code;
}

function sysFsync(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return syncFile(fd, false);
}
function sysFdatasync(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return syncFile(fd, true);
}
function sysSyncFileRange(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return syncFile(fd, true);
}

/* socketcall: number of arguments does not matter, the first word is a domain or a descriptor. */
const SOCKET: u32 = 1;
const SOCKETPAIR: u32 = 8;
const SENDMMSG: u32 = 20;

function notSocket(fd: u32): i32 {
  const file = fdGet(fd);
  if (file === null) return -EBADF;
  filePut(file);
  return -ENOTSOCK;
}

/* Networking is not there: no domain is supported, and no descriptor is a socket. */
function sysSocketcall(call: u32, args: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  if (call === 0 || call > SENDMMSG) return -EINVAL;
  if (getUser32(args) < 0) return -EFAULT;
  if (call === SOCKET || call === SOCKETPAIR) return -EAFNOSUPPORT;
  return notSocket(userWord());
}
function sysSocket(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return -EAFNOSUPPORT;
}
function sysOnSocket(fd: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return notSocket(fd);
}

/** Registers the calls of this file. */
export function fileMountCallsInit(): void {
  syscallRegister(SYS_MOUNT, sysMount);
  syscallRegister(SYS_UMOUNT2, sysUmount2);
  syscallRegister(SYS_UMOUNT, sysUmount);
  syscallRegister(SYS_SYNC, sysSync);
  syscallRegister(SYS_SYNCFS, sysSyncfs);
  syscallRegister(SYS_FSYNC, sysFsync);
  syscallRegister(SYS_FDATASYNC, sysFdatasync);
  syscallRegister(SYS_SYNC_FILE_RANGE, sysSyncFileRange);
  syscallRegister(SYS_SOCKETCALL, sysSocketcall);
  syscallRegister(SYS_SOCKET, sysSocket);
  syscallRegister(SYS_SOCKETPAIR, sysSocket);
  syscallRegister(SYS_BIND, sysOnSocket);
  syscallRegister(SYS_CONNECT, sysOnSocket);
  syscallRegister(SYS_LISTEN, sysOnSocket);
  syscallRegister(SYS_ACCEPT4, sysOnSocket);
  syscallRegister(SYS_GETSOCKOPT, sysOnSocket);
  syscallRegister(SYS_SETSOCKOPT, sysOnSocket);
  syscallRegister(SYS_GETSOCKNAME, sysOnSocket);
  syscallRegister(SYS_GETPEERNAME, sysOnSocket);
  syscallRegister(SYS_SENDTO, sysOnSocket);
  syscallRegister(SYS_SENDMSG, sysOnSocket);
  syscallRegister(SYS_RECVFROM, sysOnSocket);
  syscallRegister(SYS_RECVMSG, sysOnSocket);
  syscallRegister(SYS_SHUTDOWN, sysOnSocket);
}
