/**
 * devtmpfs: a tmpfs with a node for each registered device, and the links that programs expect.
 *
 * @module
 */
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK } from "../abi/stat.ts";
import { inodeRef } from "./inode.ts";
import { watchDevices } from "./device_table.ts";
import { registerFileSystem } from "./mount.ts";
import { tmpfsAdd, tmpfsRead } from "./tmpfs.ts";
import { failed, Inode, SuperBlock } from "./types.ts";

let root: Inode | null = null;

function addDevice(name: usize, block: bool, number: u32, mode: u32): void {
  if (root === null) return;
  tmpfsAdd(root!, name, (block ? S_IFBLK : S_IFCHR) | mode, number, 0);
}

function read(superBlock: SuperBlock, _options: usize): usize {
  const made = tmpfsRead(superBlock, c`mode=755`);
  if (failed(made)) return made;
  const inode = changetype<Inode>(made);
  inodeRef(inode);
  root = inode;
  watchDevices(addDevice);
  const link = S_IFLNK | 0o777;
  tmpfsAdd(inode, c`fd`, link, 0, c`/proc/self/fd`);
  tmpfsAdd(inode, c`stdin`, link, 0, c`/proc/self/fd/0`);
  tmpfsAdd(inode, c`stdout`, link, 0, c`/proc/self/fd/1`);
  tmpfsAdd(inode, c`stderr`, link, 0, c`/proc/self/fd/2`);
  tmpfsAdd(inode, c`shm`, S_IFDIR | 0o1777, 0, 0);
  tmpfsAdd(inode, c`pts`, S_IFDIR | 0o755, 0, 0);
  return made;
}

/** Makes devtmpfs known; there is one only, mounted in as many places as wanted. */
export function devfsInit(): void {
  registerFileSystem(c`devtmpfs`, false, read);
}
