/**
 * Host files and directories as nodes of an image's tree.
 *
 * @module
 */
import { directory, type DirectoryNode, type TreeNode } from "../toolchain/image/mod.ts";
import { UserError } from "./report.ts";

/** Splits `HOST=GUEST`; the guest's path is absolute. */
export function parseAddition(text: string): { host: string; guest: string } {
  const equals = text.lastIndexOf("=");
  const guest = text.slice(equals + 1);
  if (equals < 1 || !guest.startsWith("/")) {
    throw new UserError(`Cannot add "${text}": write HOST=GUEST, like ./bash=/bin/bash`);
  }
  return { host: text.slice(0, equals), guest };
}

/**
 * A host path as a tree node: files (their contents read when they are written), directories whole,
 * symbolic links as such; owners become root.
 *
 * @throws {UserError} when the path is missing or is none of these.
 */
export function hostNode(path: string): TreeNode {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
    // What is named on the command line is meant itself, not the link to it.
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`Cannot add "${path}": there is no such file`);
    }
    throw new UserError(`Cannot add "${path}": ${(error as Error).message}`);
  }
  return nodeOf(path, info.isSymlink ? Deno.statSync(path) : info);
}

function nodeOf(path: string, info: Deno.FileInfo): TreeNode {
  const attributes = {
    mode: (info.mode ?? 0o644) & 0o7777,
    uid: 0,
    gid: 0,
    mtime: info.mtime === null ? undefined : Math.floor(info.mtime.getTime() / 1000),
  };
  if (info.isFile) {
    return { type: "file", ...attributes, size: info.size, read: () => Deno.readFileSync(path) };
  }
  if (info.isSymlink) {
    return { type: "symlink", ...attributes, mode: 0o777, target: Deno.readLinkSync(path) };
  }
  if (!info.isDirectory) {
    throw new UserError(`Cannot add "${path}": it is not a file, directory or symbolic link`);
  }
  const node: DirectoryNode = { ...directory(attributes.mode), mtime: attributes.mtime };
  for (const entry of Deno.readDirSync(path)) {
    const child = `${path}/${entry.name}`;
    node.children.set(entry.name, nodeOf(child, Deno.lstatSync(child)));
  }
  return node;
}
