/**
 * The path of a place, as text: getcwd, /proc/PID/fd, mount tables.
 *
 * @module
 */
import { ENAMETOOLONG, ENOENT } from "../abi/errno.ts";
import { fsContext } from "./context.ts";
import { Dentry, INODE_REMOVED, Mount } from "./types.ts";

/** Was the name of this dentry removed? */
export function isRemoved(d: Dentry): bool {
  if (d.parent === null) return false;
  const inode = d.inode;
  return !d.hashed || inode === null || inode.links === 0 || (inode.flags & INODE_REMOVED) !== 0;
}

/**
 * Writes the absolute path of a place below the root of the process, with a NUL: its length,
 * -ENAMETOOLONG, or -ENOENT when the name was removed.
 */
export function pathText(mount: Mount, dentry: Dentry, buffer: usize, size: u32): i32 {
  if (isRemoved(dentry)) return -ENOENT;
  return pathTextAnyway(mount, dentry, buffer, size);
}

/** As `pathText`, with the last name that a removed object had. */
export function pathTextAnyway(mount: Mount, dentry: Dentry, buffer: usize, size: u32): i32 {
  const context = fsContext();
  // From the end of the buffer backwards, then moved to its beginning.
  let at = buffer + size - 1;
  store<u8>(at, 0);
  let m = mount;
  let d = dentry;
  while (!(d === context.rootDentry && m === context.rootMount)) {
    if (d === m.root) {
      const parent = m.parent;
      const point = m.point;
      if (parent === null || point === null || !m.attached) break;
      m = parent;
      d = point;
      continue;
    }
    const up = d.parent;
    if (up === null) break;
    if (at - buffer < <usize> d.length + 1) return -ENAMETOOLONG;
    at -= d.length;
    memory.copy(at, d.name, d.length);
    at--;
    store<u8>(at, 0x2f);
    d = up;
  }
  if (load<u8>(at) === 0) {
    at--;
    store<u8>(at, 0x2f);
  }
  const length = <u32> (buffer + size - 1 - at);
  memory.copy(buffer, at, length + 1);
  return length;
}
