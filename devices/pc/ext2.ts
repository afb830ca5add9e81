/**
 * Reads ext2 file systems (and ext3, ext4 without extents), enough to find a kernel: every number that
 * comes from the disk is checked, so that a damaged or hostile image gives an {@link Ext2Error} and never
 * an endless loop.
 *
 * Source: "The Second Extended File System" (D. Poirier), Linux fs/ext2/ext2.h.
 *
 * @module
 */

/** A file system that cannot be read; the message is one sentence without the image's name. */
export class Ext2Error extends Error {
  /** For `error.name`. */
  override name = "Ext2Error";
}

/** Reads `length` bytes at `offset` of the file system; throws outside of it. */
export type ReadBytes = (offset: number, length: number) => Uint8Array;

interface Inode {
  readonly number: number;
  readonly mode: number;
  readonly size: number;
  readonly flags: number;
  readonly blocks: DataView;
}

const SUPERBLOCK_OFFSET = 1024;
const MAGIC = 0xef53;
const ROOT_INODE = 2;
const DIRECT_BLOCKS = 12;
const TYPE_MASK = 0xf000;
const TYPE_DIRECTORY = 0x4000;
const TYPE_FILE = 0x8000;
const TYPE_SYMLINK = 0xa000;
const EXTENTS_FLAG = 0x80000;
const FAST_SYMLINK_BYTES = 60;
const MAX_SYMLINKS = 8;
/** Incompatible features that do not change what is read here: filetype, and a journal to replay. */
const KNOWN_INCOMPATIBLE = 0x0002 | 0x0004;
/** Largest file that is read whole. */
const MAX_FILE_BYTES = 512 << 20;
const MAX_DIRECTORY_BYTES = 64 << 20;

/** An ext2 file system on a disk or partition. */
export class Ext2Reader {
  readonly #read: ReadBytes;
  readonly #blockBytes: number;
  readonly #blocks: number;
  readonly #inodes: number;
  readonly #inodesPerGroup: number;
  readonly #inodeBytes: number;
  readonly #groups: number;
  readonly #hasTypes: boolean;

  /**
   * Opens a file system.
   *
   * @param read access to the file system's bytes
   * @throws {Ext2Error} when there is no ext2 file system, or it cannot be read
   */
  constructor(read: ReadBytes) {
    this.#read = read;
    const superblock = view(this.#bytes(SUPERBLOCK_OFFSET, 1024));
    if (superblock.getUint16(56, true) !== MAGIC) {
      throw new Ext2Error("holds no ext2 file system");
    }
    const logBlock = superblock.getUint32(24, true);
    const revision = superblock.getUint32(76, true);
    this.#inodes = superblock.getUint32(0, true);
    this.#blocks = superblock.getUint32(4, true);
    this.#blockBytes = 1024 << Math.min(logBlock, 31);
    this.#inodesPerGroup = superblock.getUint32(40, true);
    this.#inodeBytes = revision === 0 ? 128 : superblock.getUint16(88, true);
    const perGroup = superblock.getUint32(32, true);
    const first = superblock.getUint32(20, true);
    if (
      logBlock > 6 || perGroup === 0 || this.#inodesPerGroup === 0 || this.#inodeBytes < 128 ||
      this.#inodeBytes > this.#blockBytes || (this.#inodeBytes & (this.#inodeBytes - 1)) !== 0 ||
      first >= this.#blocks || perGroup > 8 * this.#blockBytes
    ) {
      throw new Ext2Error("has a damaged ext2 superblock; e2fsck may mend it");
    }
    const incompatible = revision === 0 ? 0 : superblock.getUint32(96, true);
    this.#hasTypes = (incompatible & 2) !== 0;
    // Extents (0x40) and flexible groups (0x200) are tried: a file with extents is refused by itself.
    const unknown = incompatible & ~(KNOWN_INCOMPATIBLE | 0x40 | 0x200);
    if (unknown !== 0) {
      throw new Ext2Error(
        `has an ext file system with features that ext2 does not have (0x${
          unknown.toString(16)
        }); make it with mke2fs -t ext2`,
      );
    }
    this.#groups = Math.ceil((this.#blocks - first) / perGroup);
  }

  /** Bytes of the whole file system, as its superblock says. */
  get sizeBytes(): number {
    return this.#blocks * this.#blockBytes;
  }

  /**
   * The contents of the file at an absolute path; undefined if there is none.
   *
   * @throws {Ext2Error} when it is no regular file or the file system is damaged
   */
  readFile(path: string): Uint8Array | undefined {
    const inode = this.#lookUp(path);
    if (inode === undefined) return undefined;
    if ((inode.mode & TYPE_MASK) !== TYPE_FILE) {
      throw new Ext2Error(`has a "${path}" that is no regular file`);
    }
    return this.#contents(inode, MAX_FILE_BYTES, path);
  }

  /** The names in a directory, as they stand there; undefined if there is none. */
  readDirectory(path: string): string[] | undefined {
    const inode = this.#lookUp(path);
    if (inode === undefined || (inode.mode & TYPE_MASK) !== TYPE_DIRECTORY) return undefined;
    return [...this.#entries(inode, path)].map(({ name }) => name);
  }

  #lookUp(path: string): Inode | undefined {
    let links = 0;
    let parts = path.split("/").filter((part) => part !== "");
    // The way from the root, for `..` in symbolic links.
    const way = [this.#inode(ROOT_INODE)];
    while (parts.length > 0) {
      const [part, ...rest] = parts;
      parts = rest;
      const here = way.at(-1)!;
      if (part === ".") continue;
      if (part === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      if ((here.mode & TYPE_MASK) !== TYPE_DIRECTORY) return undefined;
      const found = this.#find(here, part!, path);
      if (found === undefined) return undefined;
      const inode = this.#inode(found);
      if ((inode.mode & TYPE_MASK) === TYPE_SYMLINK) {
        if (++links > MAX_SYMLINKS) {
          throw new Ext2Error(`has too many symbolic links on the way to "${path}"`);
        }
        const target = this.#symlink(inode, path);
        if (target.startsWith("/")) way.splice(1);
        parts = [...target.split("/").filter((name) => name !== ""), ...parts];
      } else {
        way.push(inode);
      }
    }
    return way.at(-1);
  }

  #find(directory: Inode, name: string, path: string): number | undefined {
    for (const entry of this.#entries(directory, path)) if (entry.name === name) return entry.inode;
    return undefined;
  }

  *#entries(directory: Inode, path: string): Generator<{ name: string; inode: number }> {
    const bytes = this.#contents(directory, MAX_DIRECTORY_BYTES, path);
    const data = view(bytes);
    for (let block = 0; block < bytes.length; block += this.#blockBytes) {
      const end = Math.min(block + this.#blockBytes, bytes.length);
      for (let at = block; at < end;) {
        const length = at + 8 <= end ? data.getUint16(at + 4, true) : 0;
        const nameBytes = length === 0
          ? 0
          : this.#hasTypes
          ? data.getUint8(at + 6)
          : data.getUint16(at + 6, true);
        // A length of zero or beyond the block would loop for ever or run out of the directory.
        if (length < 12 || (length & 3) !== 0 || at + length > end || 8 + nameBytes > length) {
          throw new Ext2Error(
            `has a damaged directory on the way to "${path}"; e2fsck may mend it`,
          );
        }
        const inode = data.getUint32(at, true);
        if (inode !== 0) {
          yield {
            name: new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + nameBytes)),
            inode,
          };
        }
        at += length;
      }
    }
  }

  #symlink(inode: Inode, path: string): string {
    if (inode.size < FAST_SYMLINK_BYTES) {
      const { buffer, byteOffset } = inode.blocks;
      return new TextDecoder().decode(new Uint8Array(buffer, byteOffset, inode.size));
    }
    return new TextDecoder().decode(this.#contents(inode, this.#blockBytes, path));
  }

  #inode(number: number): Inode {
    const index = number - 1;
    const group = Math.floor(index / this.#inodesPerGroup);
    if (number < 1 || number > this.#inodes || group >= this.#groups) {
      throw new Ext2Error(
        `has a directory entry with the impossible inode ${number}; e2fsck may mend it`,
      );
    }
    const firstDescriptor = (this.#blockBytes === 1024 ? 2 : 1) * this.#blockBytes;
    const descriptor = view(this.#bytes(firstDescriptor + 32 * group, 32));
    const table = descriptor.getUint32(8, true);
    this.#checkBlock(table);
    const offset = table * this.#blockBytes + (index % this.#inodesPerGroup) * this.#inodeBytes;
    const bytes = this.#bytes(offset, this.#inodeBytes).slice();
    const data = view(bytes);
    const mode = data.getUint16(0, true);
    const high = (mode & TYPE_MASK) === TYPE_FILE ? data.getUint32(108, true) : 0;
    return {
      number,
      mode,
      size: data.getUint32(4, true) + high * 2 ** 32,
      flags: data.getUint32(32, true),
      blocks: new DataView(bytes.buffer, bytes.byteOffset + 40, 60),
    };
  }

  #checkBlock(block: number): void {
    if (block >= this.#blocks) {
      throw new Ext2Error(`points to block ${block} of ${this.#blocks}; e2fsck may mend it`);
    }
  }

  /** The contents of an inode; holes are zero. */
  #contents(inode: Inode, limit: number, path: string): Uint8Array {
    if ((inode.flags & EXTENTS_FLAG) !== 0) {
      throw new Ext2Error(`stores "${path}" in extents, as ext4 does; make it with mke2fs -t ext2`);
    }
    if (inode.size > limit || inode.size > this.#blocks * this.#blockBytes) {
      throw new Ext2Error(
        `has a file of ${inode.size} bytes on the way to "${path}", more than can be read`,
      );
    }
    const bytes = new Uint8Array(inode.size);
    const count = Math.ceil(inode.size / this.#blockBytes);
    let next = 0;
    const take = (block: number): void => {
      const at = next++ * this.#blockBytes;
      if (block === 0) return;
      this.#checkBlock(block);
      const length = Math.min(this.#blockBytes, bytes.length - at);
      bytes.set(this.#bytes(block * this.#blockBytes, length), at);
    };
    const pointers = this.#blockBytes / 4;
    const indirect = (block: number, level: number): void => {
      if (block === 0) {
        next += pointers ** level;
        return;
      }
      this.#checkBlock(block);
      const table = view(this.#bytes(block * this.#blockBytes, this.#blockBytes).slice());
      for (let slot = 0; slot < pointers && next < count; slot++) {
        const child = table.getUint32(4 * slot, true);
        if (level === 1) take(child);
        else indirect(child, level - 1);
      }
    };
    for (let slot = 0; slot < DIRECT_BLOCKS && next < count; slot++) {
      take(inode.blocks.getUint32(4 * slot, true));
    }
    for (let level = 1; level <= 3 && next < count; level++) {
      indirect(inode.blocks.getUint32(4 * (DIRECT_BLOCKS + level - 1), true), level);
    }
    return bytes;
  }

  #bytes(offset: number, length: number): Uint8Array {
    try {
      return this.#read(offset, length);
    } catch (error) {
      if (error instanceof RangeError) {
        throw new Ext2Error(
          `is cut off: it ends before byte ${offset + length} that its ext2 file system uses`,
        );
      }
      throw error;
    }
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
