/**
 * The tree of files that an image is built from: plain data, made by the caller from host files, from
 * compiled programs or from literals. File contents are asked for only when they are written.
 *
 * @module
 */

/** What every node carries: permission bits (0..0o7777), owner, group and modification time. */
export interface NodeAttributes {
  /** Permission bits, 0..0o7777. */
  readonly mode: number;
  /** Owner's user number. */
  readonly uid: number;
  /** Owner's group number. */
  readonly gid: number;
  /** Modification time in seconds since 1970-01-01 UTC; undefined takes the image's time. */
  readonly mtime: number | undefined;
}

/** A regular file of `size` bytes, whose contents `read` returns. */
export interface FileNode extends NodeAttributes {
  /** The kind of node. */
  readonly type: "file";
  /** Bytes. */
  readonly size: number;
  /** The contents, `size` bytes. */
  read(): Uint8Array;
}

/** A directory; names are unique by construction and sorted when written. */
export interface DirectoryNode extends NodeAttributes {
  /** The kind of node. */
  readonly type: "directory";
  /** The entries by name. */
  readonly children: Map<string, TreeNode>;
}

/** A symbolic link to `target`. */
export interface SymlinkNode extends NodeAttributes {
  /** The kind of node. */
  readonly type: "symlink";
  /** What the link says; need not exist. */
  readonly target: string;
}

/** A character or block device node with Linux device numbers. */
export interface DeviceNode extends NodeAttributes {
  /** The kind of node. */
  readonly type: "character" | "block";
  /** Major device number, 0..4095. */
  readonly major: number;
  /** Minor device number, 0..1048575. */
  readonly minor: number;
}

/** Anything that a directory may hold. */
export type TreeNode = FileNode | DirectoryNode | SymlinkNode | DeviceNode;

const ROOT_OWNED = { uid: 0, gid: 0, mtime: undefined } as const;

/** Makes an empty directory owned by root. */
export function directory(mode = 0o755): DirectoryNode {
  return { type: "directory", mode, ...ROOT_OWNED, children: new Map() };
}

/** Makes a file owned by root from bytes or text (UTF-8). */
export function file(contents: Uint8Array | string, mode = 0o644): FileNode {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return { type: "file", mode, ...ROOT_OWNED, size: bytes.length, read: () => bytes };
}

/** Makes a symbolic link owned by root. */
export function symlink(target: string): SymlinkNode {
  return { type: "symlink", mode: 0o777, ...ROOT_OWNED, target };
}

/** Makes a device node owned by root. */
export function device(
  type: "character" | "block",
  numbers: { major: number; minor: number },
  mode = 0o600,
): DeviceNode {
  return { type, mode, ...ROOT_OWNED, ...numbers };
}

/**
 * Puts `node` at the absolute `path` of the tree, making missing directories on the way. A directory put
 * on a directory is merged into it; anything else replaces what stood there.
 *
 * @throws {RangeError} when the path is not absolute, is the root, has an empty, `.`, `..` or over-long
 * part, or passes through something that is not a directory.
 */
export function put(root: DirectoryNode, path: string, node: TreeNode): void {
  const parts = path.split("/").filter((part) => part !== "");
  if (!path.startsWith("/") || (parts.length === 0 && node.type !== "directory")) {
    throw new RangeError(
      `Cannot put "${path}" on the image: give an absolute path, like /bin/bash`,
    );
  }
  let parent = root;
  parts.forEach((name, index) => {
    if (name === "." || name === ".." || new TextEncoder().encode(name).length > 255) {
      throw new RangeError(`Cannot put "${path}" on the image: "${name}" is not a file name`);
    }
    const last = index === parts.length - 1;
    const present = parent.children.get(name);
    if (last) {
      if (node.type === "directory" && present?.type === "directory") merge(present, node);
      else parent.children.set(name, node);
      return;
    }
    if (present !== undefined && present.type !== "directory") {
      throw new RangeError(`Cannot put "${path}" on the image: "${name}" is not a directory`);
    }
    const next = present ?? directory();
    parent.children.set(name, next);
    parent = next;
  });
  if (parts.length === 0 && node.type === "directory") merge(root, node);
}

function merge(into: DirectoryNode, from: DirectoryNode): void {
  for (const [name, child] of from.children) {
    const present = into.children.get(name);
    if (present?.type === "directory" && child.type === "directory") merge(present, child);
    else into.children.set(name, child);
  }
}
