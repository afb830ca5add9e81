/**
 * Disk images: a tree of files becomes an ext2 file system.
 *
 * @example
 * ```ts
 * import { directory, file, put, writeExt2 } from "@overture/overture/toolchain/image";
 * import assert from "node:assert/strict";
 *
 * const root = directory();
 * put(root, "/etc/motd", file("hello\n"));
 * const image = new Uint8Array(2 << 20);
 * const { sizeBytes } = writeExt2({ write: (offset, bytes) => image.set(bytes, offset) }, root, {
 *   sizeBytes: image.length,
 * });
 * assert.equal(sizeBytes, image.length);
 * assert.equal(new DataView(image.buffer).getUint16(1024 + 56, true), 0xef53);
 * ```
 *
 * @module
 */
export { buildKernel, defaultTree, type DefaultTreeOptions, skeleton } from "./default_image.ts";
export { type Ext2Options, type Ext2Result, type ImageSink, writeExt2 } from "./ext2.ts";
export {
  device,
  type DeviceNode,
  directory,
  type DirectoryNode,
  file,
  type FileNode,
  type NodeAttributes,
  put,
  symlink,
  type SymlinkNode,
  type TreeNode,
} from "./tree.ts";
