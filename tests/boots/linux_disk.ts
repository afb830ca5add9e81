/**
 * A root disk for Linux: busybox, Debian's C library and its headers, and tcc, on ext2.
 *
 * @module
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { device, directory, file, put, symlink, writeExt2 } from "../../toolchain/image/mod.ts";
import { debianFiles, ROOT_INIT } from "./linux.ts";

const BYTES = 96 << 20;
/** What of which package goes onto the disk. */
const PARTS: readonly (readonly [string, readonly string[]])[] = [
  ["libc6:i386", ["/lib"]],
  ["libc6-dev:i386", ["/usr/include", "/usr/lib"]],
  ["linux-libc-dev:i386", ["/usr/include"]],
  ["tcc:i386", ["/usr/bin", "/usr/lib"]],
];

/** Copies a file or folder of the host into the tree. */
function add(tree: ReturnType<typeof directory>, from: string, to: string): void {
  const status = lstatSync(from);
  if (status.isSymbolicLink()) put(tree, to, symlink(readlinkSync(from)));
  else if (status.isDirectory()) {
    for (const name of readdirSync(from).sort()) add(tree, `${from}/${name}`, `${to}/${name}`);
  } else put(tree, to, file(readFileSync(from), status.mode & 0o777));
}

/** Writes the disk, with a script for its first program; false where a package cannot be had. */
export function linuxDisk(
  options: { readonly path: string; readonly busybox: string; readonly script: string },
): boolean {
  const tree = directory();
  for (const name of ["bin", "dev", "proc", "root", "sys", "tmp", "usr"]) {
    put(tree, `/${name}`, directory());
  }
  put(tree, "/dev/console", device("character", { major: 5, minor: 1 }));
  put(tree, "/bin/busybox", file(readFileSync(options.busybox), 0o755));
  const applets = spawnSync(options.busybox, ["--list"], { encoding: "utf8" }).stdout ?? "";
  for (const name of applets.trim().split("\n")) {
    if (name !== "" && name !== "busybox") put(tree, `/bin/${name}`, symlink("busybox"));
  }
  put(tree, "/init", file(ROOT_INIT, 0o755));
  put(tree, "/script", file(options.script));
  for (const [name, folders] of PARTS) {
    const from = debianFiles(name);
    if (from === undefined) return false;
    for (const folder of folders) add(tree, `${from}${folder}`, folder);
  }
  const image = Deno.openSync(options.path, { write: true, create: true, truncate: true });
  try {
    image.truncateSync(BYTES);
    const write = (offset: number, bytes: Uint8Array): void => {
      image.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += image.writeSync(bytes.subarray(done));
    };
    writeExt2({ write }, tree, { sizeBytes: BYTES });
  } finally {
    image.close();
  }
  return true;
}
