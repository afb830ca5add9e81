/**
 * The start of the file system and the mount of its root.
 *
 * @module
 */
import { ENODEV } from "../abi/errno.ts";

/** Registers the file system's services and system calls. Before the first process. */
export function vfsInit(): void {}

/** Mounts the device of a path like /dev/hda1 as root: 0 or -errno. */
export function mountRoot(_device: usize): i32 {
  return -ENODEV;
}
