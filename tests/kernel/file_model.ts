/**
 * A simple model of a POSIX directory tree, against which the kernel's is compared: nodes in maps,
 * contents in arrays, the rules written down once more.
 *
 * @module
 */
import { ERRNO, type FileSystem, O, SYS } from "./file_system_unit.ts";

/** An object of the model. */
export type Node =
  | { kind: "file"; data: Uint8Array; links: number }
  | { kind: "directory"; entries: Map<string, Node>; links: number }
  | { kind: "link"; target: string; links: number };

type Directory = Node & { kind: "directory" };

/** An operation on the tree. */
export type Operation =
  | { type: "write"; path: string; offset: number; length: number; seed: number }
  | { type: "append"; path: string; length: number; seed: number }
  | { type: "truncate"; path: string; size: number }
  | { type: "mkdir" | "rmdir" | "unlink" | "read" | "list"; path: string }
  | { type: "link" | "rename" | "symlink"; path: string; to: string }
  | { type: "drop" | "sync" };

const directory = (): Directory => ({ kind: "directory", entries: new Map(), links: 2 });

/** Bytes that depend on a seed. */
export function pattern(length: number, seed: number): Uint8Array {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i++) data[i] = (seed * 31 + i * 7 + (i >> 8)) & 0xff;
  return data;
}

/** The tree and its rules. Results are ≥ 0 or −errno as the system calls give them. */
export class Model {
  readonly root: Directory = directory();

  /** The parent directory and name of a path without following its last component. */
  #parent(path: string, depth = 0): { parent: Directory; name: string } | number {
    const names = path.split("/").filter((name) => name !== "");
    let at: Node = this.root;
    for (const name of names.slice(0, -1)) {
      if (at.kind !== "directory") return -ERRNO.ENOTDIR;
      const next: Node | undefined = at.entries.get(name);
      if (next === undefined) return -ERRNO.ENOENT;
      const real: Node | number = next.kind === "link" ? this.find(next.target, depth + 1) : next;
      if (typeof real === "number") return real;
      at = real;
    }
    if (at.kind !== "directory") return -ERRNO.ENOTDIR;
    return { parent: at, name: names.at(-1)! };
  }

  /** The object of a path, through links (whose targets are absolute here). */
  find(path: string, depth = 0): Node | number {
    if (depth > 40) return -ERRNO.ELOOP;
    const place = this.#parent(path, depth);
    if (typeof place === "number") return place;
    const node = place.parent.entries.get(place.name);
    if (node === undefined) return -ERRNO.ENOENT;
    return node.kind === "link" ? this.find(node.target, depth + 1) : node;
  }

  /** Where an open for writing would create: through links that lead nowhere. */
  #create(path: string, depth = 0): Node | number {
    if (depth > 40) return -ERRNO.ELOOP;
    const place = this.#parent(path, depth);
    if (typeof place === "number") return place;
    const node = place.parent.entries.get(place.name);
    if (node?.kind === "link") return this.#create(node.target, depth + 1);
    if (node !== undefined) return node.kind === "directory" ? -ERRNO.EISDIR : node;
    const made: Node = { kind: "file", data: new Uint8Array(), links: 1 };
    place.parent.entries.set(place.name, made);
    return made;
  }

  #write(path: string, offset: number | undefined, data: Uint8Array): number {
    const node = this.#create(path);
    if (typeof node === "number") return node;
    if (node.kind !== "file") return -ERRNO.EISDIR;
    const at = offset ?? node.data.length;
    if (at + data.length > node.data.length && data.length > 0) {
      const longer = new Uint8Array(at + data.length);
      longer.set(node.data);
      node.data = longer;
    }
    if (data.length > 0) node.data.set(data, at);
    return data.length;
  }

  #truncate(path: string, size: number): number {
    const node = this.find(path);
    if (typeof node === "number") return node;
    if (node.kind !== "file") return -ERRNO.EISDIR;
    const data = new Uint8Array(size);
    data.set(node.data.subarray(0, size));
    node.data = data;
    return 0;
  }

  #add(path: string, make: () => Node | number): number {
    const place = this.#parent(path);
    if (typeof place === "number") return place;
    if (place.parent.entries.has(place.name)) return -ERRNO.EEXIST;
    const node = make();
    if (typeof node === "number") return node;
    place.parent.entries.set(place.name, node);
    if (node.kind === "directory") place.parent.links++;
    return 0;
  }

  #remove(path: string, wantDirectory: boolean): number {
    const place = this.#parent(path);
    if (typeof place === "number") return place;
    const node = place.parent.entries.get(place.name);
    if (node === undefined) return -ERRNO.ENOENT;
    if (wantDirectory) {
      if (node.kind !== "directory") return -ERRNO.ENOTDIR;
      if (node.entries.size > 0) return -ERRNO.ENOTEMPTY;
      place.parent.links--;
    } else if (node.kind === "directory") return -ERRNO.EISDIR;
    node.links--;
    place.parent.entries.delete(place.name);
    return 0;
  }

  #below(node: Node, target: Node): boolean {
    if (node === target) return true;
    return node.kind === "directory" &&
      [...node.entries.values()].some((child) => this.#below(child, target));
  }

  #rename(path: string, to: string): number {
    const from = this.#parent(path);
    if (typeof from === "number") return from;
    const into = this.#parent(to);
    if (typeof into === "number") return into;
    const node = from.parent.entries.get(from.name);
    if (node === undefined) return -ERRNO.ENOENT;
    const target = into.parent.entries.get(into.name);
    if (target === node) return 0;
    if (node.kind === "directory" && this.#below(node, into.parent)) return -ERRNO.EINVAL;
    if (target?.kind === "directory" && this.#below(target, from.parent)) return -ERRNO.ENOTEMPTY;
    if (target !== undefined) {
      if (node.kind === "directory" && target.kind !== "directory") return -ERRNO.ENOTDIR;
      if (node.kind !== "directory" && target.kind === "directory") return -ERRNO.EISDIR;
      if (target.kind === "directory") {
        if (target.entries.size > 0) return -ERRNO.ENOTEMPTY;
        into.parent.links--;
      }
      target.links--;
    }
    from.parent.entries.delete(from.name);
    into.parent.entries.set(into.name, node);
    if (node.kind === "directory") {
      from.parent.links--;
      into.parent.links++;
    }
    return 0;
  }

  #link(path: string, to: string): number {
    const place = this.#parent(path);
    if (typeof place === "number") return place;
    const node = place.parent.entries.get(place.name);
    if (node === undefined) return -ERRNO.ENOENT;
    const target = this.#parent(to);
    if (typeof target === "number") return target;
    if (node.kind === "directory") return -ERRNO.EPERM;
    return this.#add(to, () => {
      node.links++;
      return node;
    });
  }

  /** Does an operation: what the system call gives; undefined for those without a result. */
  run(operation: Operation): number | undefined {
    switch (operation.type) {
      case "write":
        return this.#write(
          operation.path,
          operation.offset,
          pattern(operation.length, operation.seed),
        );
      case "append":
        return this.#write(operation.path, undefined, pattern(operation.length, operation.seed));
      case "truncate":
        return this.#truncate(operation.path, operation.size);
      case "mkdir":
        return this.#add(operation.path, directory);
      case "symlink":
        return this.#add(
          operation.path,
          () => ({ kind: "link", target: operation.to, links: 1 }),
        );
      case "rmdir":
        return this.#remove(operation.path, true);
      case "unlink":
        return this.#remove(operation.path, false);
      case "rename":
        return this.#rename(operation.path, operation.to);
      case "link":
        return this.#link(operation.path, operation.to);
      default:
        return undefined;
    }
  }
}

/** Does an operation in the kernel. */
export function perform(fs: FileSystem, operation: Operation): number | undefined {
  switch (operation.type) {
    case "write":
      return fs.write(
        operation.path,
        pattern(operation.length, operation.seed),
        operation.offset,
      );
    case "append": {
      const data = pattern(operation.length, operation.seed);
      const fd = fs.call(SYS.open, operation.path, O.WRONLY | O.CREAT | O.APPEND, 0o644);
      if (fd < 0) return fd;
      const result = fs.call(SYS.write, fd, data, data.length);
      fs.call(SYS.close, fd);
      return result;
    }
    case "truncate":
      return fs.call(SYS.truncate64, operation.path, operation.size, 0);
    case "mkdir":
      return fs.call(SYS.mkdir, operation.path, 0o755);
    case "rmdir":
      return fs.call(SYS.rmdir, operation.path);
    case "unlink":
      return fs.call(SYS.unlink, operation.path);
    case "rename":
      return fs.call(SYS.rename, operation.path, operation.to);
    case "link":
      return fs.call(SYS.link, operation.path, operation.to);
    case "symlink":
      return fs.call(SYS.symlink, operation.to, operation.path);
    case "drop":
      fs.unit.call["dropCaches"]!();
      return undefined;
    case "sync":
      fs.call(SYS.sync);
      return undefined;
    default:
      return undefined;
  }
}

/** Differences between model and kernel below a directory; empty when there are none. */
export function differences(fs: FileSystem, node: Node, path = ""): string[] {
  const found: string[] = [];
  const stat = fs.stat(path === "" ? "/" : path);
  if (typeof stat === "number") return [`${path}: stat ${stat}`];
  const links = path === "" ? stat.links : node.links;
  if (stat.links !== links) found.push(`${path}: ${stat.links} links instead of ${links}`);
  if (node.kind === "directory") {
    const names = fs.list(path === "" ? "/" : path);
    if (typeof names === "number") return [`${path}: list ${names}`];
    const expected = [".", "..", ...node.entries.keys()].sort();
    const actual = names.filter((name) => path !== "" || name !== "lost+found").sort();
    if (expected.join("\n") !== actual.join("\n")) {
      found.push(`${path}: ${actual.join(" ")} instead of ${expected.join(" ")}`);
    }
    for (const [name, child] of node.entries) {
      found.push(...differences(fs, child, `${path}/${name}`));
    }
  } else if (node.kind === "link") {
    const target = fs.readlink(path);
    if (target !== node.target) found.push(`${path}: leads to ${target}`);
  } else {
    const data = fs.read(path);
    if (typeof data === "number") found.push(`${path}: read ${data}`);
    else if (data.length !== node.data.length || data.some((byte, i) => byte !== node.data[i])) {
      found.push(`${path}: contents differ (${data.length} and ${node.data.length} bytes)`);
    }
  }
  return found;
}
