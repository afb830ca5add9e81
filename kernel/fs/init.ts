/**
 * Starting the file system, and mounting the root.
 *
 * @module
 */
import { ENODEV } from "../abi/errno.ts";
import { AT_FDCWD, MS_RDONLY } from "../abi/fcntl.ts";
import { S_IFDIR, S_IFMT } from "../abi/stat.ts";
import { printk, strcmp } from "../lib/mod.ts";
import { kernelThread, syncRegister } from "../proc/mod.ts";
import { blockDevicePrepare, blockFileInit } from "./block_file.ts";
import { cacheInit } from "./cache.ts";
import { contextInit } from "./context.ts";
import { devfsInit } from "./devfs.ts";
import { firstBlockDevice } from "./device_table.ts";
import { ext2Init } from "./ext2/mod.ts";
import { genericFileInit } from "./generic_file.ts";
import { inodesInit } from "./inode.ts";
import { firstMount, mountFileSystem, remount } from "./mount.ts";
import { WALK_FOLLOW, walkFree, walkInode, walkNew, walkPath } from "./path.ts";
import { pipeInit } from "./pipe.ts";
import { procInit } from "./proc/mod.ts";
import { servicesInit } from "./services.ts";
import { tmpfsInit } from "./tmpfs.ts";
import { BlockDevice, failed, Mount } from "./types.ts";
import { syncEverything, wakeWriteback, writebackInit, writebackThread } from "./writeback.ts";

/** Prepares all tables and starts the writing thread. Memory and scheduler run; devices may follow. */
export function vfsInit(): void {
  cacheInit(wakeWriteback);
  inodesInit();
  writebackInit();
  blockFileInit();
  genericFileInit();
  pipeInit();
  tmpfsInit();
  devfsInit();
  ext2Init();
  procInit();
  servicesInit();
  syncRegister(vfsShutdown);
  kernelThread(c`kwriteback`, writebackThread, 0);
}

/** The block device of a name as in /dev, with or without "/dev/"; null when there is none. */
export function blockDeviceByName(name: usize): BlockDevice | null {
  let at = name;
  if (load<u8>(at) === 0x2f) {
    // Behind the last slash.
    for (let p = name; load<u8>(p) !== 0; p++) if (load<u8>(p) === 0x2f) at = p + 1;
  }
  let device = firstBlockDevice();
  while (device !== null && strcmp(device.name, at) !== 0) device = device.next;
  return device;
}

function mountAt(path: usize, type: usize, source: usize): void {
  const w = walkNew();
  if (w === null) return;
  if (walkPath(w, AT_FDCWD, path, WALK_FOLLOW) >= 0 && (walkInode(w).mode & S_IFMT) === S_IFDIR) {
    const result = mountFileSystem(type, null, source, 0, 0, w.mount, w.dentry);
    if (failed(result)) printk(c`vfs: %s on %s: error %d\n`, <u32> type, <u32> path, <u32> result);
  }
  walkFree(w);
}

/**
 * Mounts the ext2 file system of a block device as the root, and /dev, /proc where the root has such
 * directories. `flags`: MS_RDONLY for "ro". 0, -ENODEV when there is no such device, or -errno.
 */
export function mountRoot(device: usize, flags: u32 = 0): i32 {
  const block = blockDeviceByName(device);
  if (block === null || !blockDevicePrepare(block)) return -ENODEV;
  const result = mountFileSystem(c`ext2`, block, device, flags & MS_RDONLY, 0, null, null);
  if (failed(result)) return <i32> result;
  const mount = changetype<Mount>(result);
  contextInit(mount, mount.root);
  printk(c`vfs: root is %s (ext2)\n`, <u32> block.name);
  mountAt(c`/dev`, c`devtmpfs`, c`devtmpfs`);
  mountAt(c`/proc`, c`proc`, c`proc`);
  return 0;
}

/** Before power-off: writes everything and makes all disks' file systems read-only and clean. */
export function vfsShutdown(): void {
  syncEverything();
  for (let m = firstMount(); m !== null; m = m!.next) {
    if (m.superBlock.device !== null) remount(m, MS_RDONLY | m.flags);
  }
}
