/**
 * Writes an ext2 file system from a tree of files: revision 1, 4 KiB blocks, 256-byte inodes, features
 * filetype, sparse_super and large_file. The same tree and options give the same bytes: there is no
 * clock and no random number in it. `e2fsck -fn` must find nothing to say.
 *
 * Layout after "The Second Extended File System" (D. Poirier) and Linux fs/ext2/ext2.h.
 *
 * @module
 */
import type { DirectoryNode, TreeNode } from "./tree.ts";

/** Where the bytes go: an image file or a buffer. What is never written reads as zero. */
export interface ImageSink {
  /** Stores bytes at a byte offset. */
  write(offset: number, bytes: Uint8Array): void;
}

/** Options of {@linkcode writeExt2}. */
export interface Ext2Options {
  /** Size of the file system in bytes, a multiple of 4096; undefined: contents + a quarter + 32 MiB. */
  readonly sizeBytes?: number | undefined;
  /** Volume label, at most 16 bytes. */
  readonly label?: string;
  /** Seconds since 1970 that unset times and the superblock get. */
  readonly time?: number;
  /** Called as contents are written. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

const BLOCK_SIZE = 4096;
const BLOCKS_PER_GROUP = 8 * BLOCK_SIZE;
const INODE_SIZE = 256;
const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE;
const BYTES_PER_INODE = 16384;
const FIRST_FREE_INODE = 11;
const ROOT_INODE = 2;
const POINTERS = BLOCK_SIZE / 4;
const DIRECT_BLOCKS = 12;
const LOST_AND_FOUND_BLOCKS = 4;
const MIB = 1 << 20;
/** 2026-01-01: images are reproducible unless the caller says a time. */
const DEFAULT_TIME = 1767225600;

const TYPE_BITS = {
  file: 0x8000,
  directory: 0x4000,
  symlink: 0xa000,
  character: 0x2000,
  block: 0x6000,
} as const;
const DIRECTORY_ENTRY_TYPE = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  symlink: 7,
} as const;

interface Geometry {
  readonly blocks: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  readonly tableBlocks: number;
  readonly descriptorBlocks: number;
}

interface Item {
  readonly node: TreeNode;
  readonly inode: number;
  readonly parent: number;
  /** Inode numbers of a directory's children, by name in byte order. */
  readonly names: { name: Uint8Array; inode: number; type: number }[];
  links: number;
}

/** What was written. */
export interface Ext2Result {
  /** Bytes of the file system. */
  readonly sizeBytes: number;
  /** Inodes in use, the reserved ones included. */
  readonly inodesUsed: number;
  /** Bytes in free blocks. */
  readonly freeBytes: number;
}

/**
 * Writes the file system that holds `root` to `sink`.
 *
 * @throws {RangeError} when the contents do not fit into `sizeBytes`, or the size is out of range
 * (1 MiB to 2 TiB).
 */
export function writeExt2(
  sink: ImageSink,
  root: DirectoryNode,
  options: Ext2Options = {},
): Ext2Result {
  return new Writer(sink, root, options).run();
}

class Writer {
  readonly #sink: ImageSink;
  readonly #time: number;
  readonly #label: string;
  readonly #progress: ((done: number, total: number) => void) | undefined;
  readonly #geometry: Geometry;
  readonly #items: Item[] = [];
  readonly #blockBitmaps: Uint8Array[] = [];
  readonly #inodeBitmaps: Uint8Array[] = [];
  readonly #inodes = new Map<number, Uint8Array>();
  readonly #directoriesPerGroup: number[];
  readonly #contentBytes: number;
  #cursor = 0;
  #written = 0;

  constructor(sink: ImageSink, root: DirectoryNode, options: Ext2Options) {
    this.#sink = sink;
    this.#time = options.time ?? DEFAULT_TIME;
    this.#label = options.label ?? "overture";
    this.#progress = options.onProgress;
    this.#number(root);
    this.#contentBytes = this.#items.reduce((sum, item) => sum + contentSize(item), 0);
    this.#geometry = geometryFor(
      options.sizeBytes ?? defaultSize(this.#items, this.#contentBytes),
      this.#items.length,
    );
    this.#directoriesPerGroup = new Array<number>(this.#geometry.groups).fill(0);
  }

  run(): Ext2Result {
    this.#reserveMetadata();
    for (const item of this.#items) this.#writeItem(item);
    this.#writeMetadata();
    const free = this.#freeBlocks();
    return {
      sizeBytes: this.#geometry.blocks * BLOCK_SIZE,
      inodesUsed: FIRST_FREE_INODE - 1 + this.#items.length - 1,
      freeBytes: free * BLOCK_SIZE,
    };
  }

  /** Gives every node an inode number, parents before children, names in byte order. */
  #number(root: DirectoryNode): void {
    let next = FIRST_FREE_INODE;
    const encoder = new TextEncoder();
    const visit = (node: TreeNode, inode: number, parent: number): void => {
      const item: Item = {
        node,
        inode,
        parent,
        names: [],
        links: node.type === "directory" ? 2 : 1,
      };
      this.#items.push(item);
      if (node.type !== "directory") return;
      const sorted = [...node.children]
        .map(([name, child]) => ({ name: encoder.encode(name), child }))
        .sort((a, b) => compareBytes(a.name, b.name));
      for (const { name, child } of sorted) {
        const number = next++;
        item.names.push({ name, inode: number, type: DIRECTORY_ENTRY_TYPE[child.type] });
        if (child.type === "directory") item.links++;
      }
      sorted.forEach(({ child }, index) => visit(child, item.names[index]!.inode, inode));
    };
    const lostAndFound: DirectoryNode = {
      type: "directory",
      mode: 0o700,
      uid: 0,
      gid: 0,
      mtime: undefined,
      children: new Map(),
    };
    const withLost: DirectoryNode = {
      ...root,
      children: new Map([...root.children].filter(([name]) => name !== "lost+found")),
    };
    // e2fsck wants lost+found; mke2fs gives it the first inode after the reserved ones.
    visit(withLost, ROOT_INODE, ROOT_INODE);
    const top = this.#items[0]!;
    const number = next++;
    top.names.push({ name: encoder.encode("lost+found"), inode: number, type: 2 });
    top.links++;
    this.#items.push({
      node: lostAndFound,
      inode: number,
      parent: ROOT_INODE,
      names: [],
      links: 2,
    });
  }

  #reserveMetadata(): void {
    const { groups, blocks, inodesPerGroup } = this.#geometry;
    for (let group = 0; group < groups; group++) {
      const bitmap = new Uint8Array(BLOCK_SIZE);
      const first = group * BLOCKS_PER_GROUP;
      const used = this.#overhead(group);
      for (let index = 0; index < used; index++) setBit(bitmap, index);
      // Bits past the end of the device count as used (ext2: "padding").
      for (
        let index = Math.min(BLOCKS_PER_GROUP, blocks - first);
        index < BLOCKS_PER_GROUP;
        index++
      ) {
        setBit(bitmap, index);
      }
      this.#blockBitmaps.push(bitmap);
      const inodes = new Uint8Array(BLOCK_SIZE);
      for (let index = inodesPerGroup; index < 8 * BLOCK_SIZE; index++) setBit(inodes, index);
      this.#inodeBitmaps.push(inodes);
    }
    for (let inode = 1; inode < FIRST_FREE_INODE; inode++) this.#useInode(inode);
  }

  /** Blocks at the start of a group that hold metadata. */
  #overhead(group: number): number {
    return this.#superBlocks(group) + 2 + this.#geometry.tableBlocks;
  }

  #superBlocks(group: number): number {
    return hasSuperblock(group) ? 1 + this.#geometry.descriptorBlocks : 0;
  }

  #useInode(inode: number): void {
    const group = Math.floor((inode - 1) / this.#geometry.inodesPerGroup);
    setBit(this.#inodeBitmaps[group]!, (inode - 1) % this.#geometry.inodesPerGroup);
  }

  #allocate(): number {
    const { blocks } = this.#geometry;
    while (this.#cursor < blocks) {
      const block = this.#cursor++;
      const bitmap = this.#blockBitmaps[Math.floor(block / BLOCKS_PER_GROUP)]!;
      const index = block % BLOCKS_PER_GROUP;
      if ((bitmap[index >> 3]! & (1 << (index & 7))) === 0) {
        setBit(bitmap, index);
        return block;
      }
    }
    throw new RangeError(
      `Cannot build the image: ${toMiB(this.#contentBytes)} of files do not fit into ` +
        `${toMiB(blocks * BLOCK_SIZE)}; give a larger --size`,
    );
  }

  #writeItem(item: Item): void {
    const { node } = item;
    const inode = new Uint8Array(INODE_SIZE);
    const view = new DataView(inode.buffer);
    const time = node.mtime ?? this.#time;
    view.setUint16(0, TYPE_BITS[node.type] | (node.mode & 0o7777), true);
    view.setUint16(2, node.uid & 0xffff, true);
    for (const offset of [8, 12, 16]) view.setUint32(offset, time, true);
    view.setUint16(24, node.gid & 0xffff, true);
    view.setUint16(26, item.links, true);
    view.setUint16(120, node.uid >>> 16, true);
    view.setUint16(122, node.gid >>> 16, true);
    view.setUint16(128, 32, true); // i_extra_isize, as mke2fs writes for 256-byte inodes
    this.#useInode(item.inode);
    switch (node.type) {
      case "directory": {
        const group = Math.floor((item.inode - 1) / this.#geometry.inodesPerGroup);
        this.#directoriesPerGroup[group]! += 1;
        const minimum = node.children.size === 0 && item.names.length === 0 &&
            item.parent === ROOT_INODE && item.inode === this.#items.at(-1)!.inode
          ? LOST_AND_FOUND_BLOCKS
          : 1;
        this.#writeContents(view, directoryBytes(item, minimum));
        break;
      }
      case "file": {
        const bytes = node.read();
        if (bytes.length !== node.size) {
          throw new RangeError(
            `Cannot build the image: a file changed its size from ${node.size} to ${bytes.length} ` +
              `bytes while it was read; build again`,
          );
        }
        this.#writeContents(view, bytes);
        break;
      }
      case "symlink": {
        const target = new TextEncoder().encode(node.target);
        if (target.length < 60) {
          inode.set(target, 40); // fast symbolic link: the target stands in i_block
          view.setUint32(4, target.length, true);
        } else {
          this.#writeContents(view, target);
        }
        break;
      }
      default:
        view.setUint32(44, encodeDevice(node.major, node.minor), true); // i_block[1], Linux new_encode_dev
    }
    this.#inodes.set(item.inode, inode);
  }

  /** Writes data blocks and their indirect blocks, and fills size, block count and pointers. */
  #writeContents(view: DataView, bytes: Uint8Array): void {
    view.setUint32(4, bytes.length % 2 ** 32, true);
    view.setUint32(108, Math.floor(bytes.length / 2 ** 32), true);
    const pointers: number[] = [];
    for (let offset = 0; offset < bytes.length; offset += BLOCK_SIZE) {
      const block = this.#allocate();
      pointers.push(block);
      this.#sink.write(block * BLOCK_SIZE, bytes.subarray(offset, offset + BLOCK_SIZE));
    }
    let count = pointers.length;
    const store = (slot: number, block: number): void => view.setUint32(40 + 4 * slot, block, true);
    pointers.slice(0, DIRECT_BLOCKS).forEach((block, slot) => store(slot, block));
    let position = DIRECT_BLOCKS;
    const indirect = (level: number): number => {
      const block = this.#allocate();
      count++;
      const table = new Uint8Array(BLOCK_SIZE);
      const entries = new DataView(table.buffer);
      for (let slot = 0; slot < POINTERS && position < pointers.length; slot++) {
        const child = level === 1 ? pointers[position++]! : indirect(level - 1);
        entries.setUint32(4 * slot, child, true);
      }
      this.#sink.write(block * BLOCK_SIZE, table);
      return block;
    };
    for (let level = 1; level <= 3 && position < pointers.length; level++) {
      store(DIRECT_BLOCKS + level - 1, indirect(level));
    }
    view.setUint32(28, count * (BLOCK_SIZE / 512), true);
    this.#written += bytes.length;
    this.#progress?.(this.#written, this.#contentBytes);
  }

  #freeBlocks(): number {
    return this.#blockBitmaps.reduce((sum, bitmap) => sum + zeroBits(bitmap), 0);
  }

  #writeMetadata(): void {
    const { groups, inodesPerGroup, tableBlocks } = this.#geometry;
    const descriptors = new Uint8Array(this.#geometry.descriptorBlocks * BLOCK_SIZE);
    const view = new DataView(descriptors.buffer);
    let freeInodes = 0;
    for (let group = 0; group < groups; group++) {
      const first = group * BLOCKS_PER_GROUP + this.#superBlocks(group);
      const free = zeroBits(this.#inodeBitmaps[group]!);
      freeInodes += free;
      view.setUint32(32 * group, first, true);
      view.setUint32(32 * group + 4, first + 1, true);
      view.setUint32(32 * group + 8, first + 2, true);
      view.setUint16(32 * group + 12, zeroBits(this.#blockBitmaps[group]!), true);
      view.setUint16(32 * group + 14, free, true);
      view.setUint16(32 * group + 16, this.#directoriesPerGroup[group]!, true);
      this.#sink.write(first * BLOCK_SIZE, this.#blockBitmaps[group]!);
      this.#sink.write((first + 1) * BLOCK_SIZE, this.#inodeBitmaps[group]!);
      const table = new Uint8Array(tableBlocks * BLOCK_SIZE);
      for (let index = 0; index < inodesPerGroup; index++) {
        const inode = this.#inodes.get(group * inodesPerGroup + index + 1);
        if (inode !== undefined) table.set(inode, index * INODE_SIZE);
      }
      this.#sink.write((first + 2) * BLOCK_SIZE, table);
    }
    for (let group = 0; group < groups; group++) {
      if (!hasSuperblock(group)) continue;
      const start = group * BLOCKS_PER_GROUP * BLOCK_SIZE;
      this.#sink.write(start + (group === 0 ? 1024 : 0), this.#superblock(group, freeInodes));
      this.#sink.write(start + BLOCK_SIZE, descriptors);
    }
    // The last block makes the file its full length, even where nothing was stored in it.
    const end = this.#geometry.blocks * BLOCK_SIZE;
    this.#sink.write(end - 1, new Uint8Array(1));
  }

  #superblock(group: number, freeInodes: number): Uint8Array {
    const { blocks, groups, inodesPerGroup } = this.#geometry;
    const bytes = new Uint8Array(1024);
    const view = new DataView(bytes.buffer);
    const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
    const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
    u32(0, groups * inodesPerGroup);
    u32(4, blocks);
    u32(8, Math.floor(blocks / 20)); // reserved for root, as mke2fs does
    u32(12, this.#freeBlocks());
    u32(16, freeInodes);
    u32(20, 0); // first data block: 0 with blocks over 1 KiB
    u32(24, 2); // log2(4096) - 10
    u32(28, 2);
    u32(32, BLOCKS_PER_GROUP);
    u32(36, BLOCKS_PER_GROUP);
    u32(40, inodesPerGroup);
    u32(48, this.#time);
    u16(54, 0xffff); // no check after a number of mounts
    u16(56, 0xef53);
    u16(58, 1); // cleanly unmounted
    u16(60, 1); // on errors: continue
    u32(64, this.#time);
    u32(76, 1); // revision 1
    u32(84, FIRST_FREE_INODE);
    u16(88, INODE_SIZE);
    u16(90, group);
    u32(96, 0x0002); // incompatible: filetype
    u32(100, 0x0003); // read-only compatible: sparse_super, large_file
    bytes.set(this.#uuid(), 104);
    bytes.set(new TextEncoder().encode(this.#label).subarray(0, 16), 120);
    u16(348, 32); // s_min_extra_isize
    u16(350, 32); // s_want_extra_isize
    return bytes;
  }

  /** A version-8 (custom) UUID from the file system's own shape, so that builds repeat. */
  #uuid(): Uint8Array {
    const bytes = new Uint8Array(16);
    let hash = 0x811c9dc5; // FNV-1a
    const mix = (value: number): void => {
      hash = Math.imul(hash ^ value, 0x01000193);
    };
    for (const inode of this.#inodes.values()) inode.subarray(0, 100).forEach(mix);
    for (let index = 0; index < 16; index++) {
      mix(index);
      bytes[index] = hash >>> 24;
    }
    bytes[6] = (bytes[6]! & 0x0f) | 0x80;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    return bytes;
  }
}

function contentSize(item: Item): number {
  const { node } = item;
  if (node.type === "file") return node.size;
  return node.type === "directory" || node.type === "symlink" ? BLOCK_SIZE : 0;
}

function defaultSize(items: readonly Item[], contentBytes: number): number {
  const rounded = items.length * BLOCK_SIZE + contentBytes * 1.25 + 32 * MIB;
  return Math.ceil(rounded / MIB) * MIB;
}

function geometryFor(sizeBytes: number, items: number): Geometry {
  if (!Number.isInteger(sizeBytes) || sizeBytes < MIB || sizeBytes > 2 ** 41) {
    throw new RangeError(
      `Cannot build an image of ${sizeBytes} bytes: give a size from 1 MiB to 2 TiB`,
    );
  }
  let blocks = Math.floor(sizeBytes / BLOCK_SIZE);
  for (;;) {
    const groups = Math.ceil(blocks / BLOCKS_PER_GROUP);
    const descriptorBlocks = Math.ceil((groups * 32) / BLOCK_SIZE);
    const wanted = Math.max((blocks * BLOCK_SIZE) / BYTES_PER_INODE, items + FIRST_FREE_INODE + 16);
    const inodesPerGroup = Math.min(
      8 * BLOCK_SIZE,
      Math.ceil(wanted / groups / INODES_PER_BLOCK) * INODES_PER_BLOCK,
    );
    const tableBlocks = inodesPerGroup / INODES_PER_BLOCK;
    const last = blocks - (groups - 1) * BLOCKS_PER_GROUP;
    // A last group too small for its own metadata is left off (mke2fs does the same).
    if (groups > 1 && last < tableBlocks + descriptorBlocks + 3 + 50) {
      blocks = (groups - 1) * BLOCKS_PER_GROUP;
      continue;
    }
    return { blocks, groups, inodesPerGroup, tableBlocks, descriptorBlocks };
  }
}

/** sparse_super: copies stand in groups 0, 1 and the powers of 3, 5 and 7. */
function hasSuperblock(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** The blocks of a directory: entries never cross a block, the last one of a block fills it. */
function directoryBytes(item: Item, minimumBlocks: number): Uint8Array {
  const self = { name: new Uint8Array([0x2e]), inode: item.inode, type: 2 };
  const parent = { name: new Uint8Array([0x2e, 0x2e]), inode: item.parent, type: 2 };
  const blocks: Uint8Array[] = [];
  let block = new Uint8Array(BLOCK_SIZE);
  let offset = 0;
  let previous = 0;
  const close = (): void => {
    new DataView(block.buffer).setUint16(previous + 4, BLOCK_SIZE - previous, true);
    blocks.push(block);
  };
  for (const entry of [self, parent, ...item.names]) {
    const length = 8 + ((entry.name.length + 3) & ~3);
    if (offset + length > BLOCK_SIZE) {
      close();
      block = new Uint8Array(BLOCK_SIZE);
      offset = 0;
    }
    const view = new DataView(block.buffer);
    view.setUint32(offset, entry.inode, true);
    view.setUint16(offset + 4, length, true);
    view.setUint8(offset + 6, entry.name.length);
    view.setUint8(offset + 7, entry.type);
    block.set(entry.name, offset + 8);
    previous = offset;
    offset += length;
  }
  close();
  while (blocks.length < minimumBlocks) {
    block = new Uint8Array(BLOCK_SIZE);
    previous = 0;
    close(); // one unused entry that spans the block
  }
  const bytes = new Uint8Array(blocks.length * BLOCK_SIZE);
  blocks.forEach((part, index) => bytes.set(part, index * BLOCK_SIZE));
  return bytes;
}

function encodeDevice(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}

function setBit(bitmap: Uint8Array, index: number): void {
  bitmap[index >> 3]! |= 1 << (index & 7);
}

function zeroBits(bitmap: Uint8Array): number {
  let count = 0;
  for (const byte of bitmap) {
    for (let rest = ~byte & 0xff; rest !== 0; rest &= rest - 1) count++;
  }
  return count;
}

function toMiB(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
