/**
 * The project's own files, from which the default image is built, and the cache of what was built.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultTree, type DirectoryNode, writeExt2 } from "../toolchain/image/mod.ts";
import { Progress, UserError } from "./report.ts";

/** The project's root folder. */
export const PROJECT: string = dirname(dirname(fileURLToPath(import.meta.url)));
/** Where built images are kept unless the caller says otherwise. */
export const DEFAULT_CACHE: string = join(PROJECT, ".cache");

/** What the default image depends on. */
const SOURCES = ["kernel", "toolchain", "deno.json", "deno.lock"];

/** The source files as the toolchain asks for them. */
export const projectFiles = {
  read(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(join(PROJECT, path));
    } catch {
      return undefined;
    }
  },
  list(path: string): string[] {
    try {
      return [...Deno.readDirSync(join(PROJECT, path))].map(({ name }) => name).sort();
    } catch {
      return [];
    }
  },
};

/** Compiles the kernel and the user programs, with progress on a terminal. */
export async function buildDefaultTree(): Promise<DirectoryNode> {
  const progress = new Progress("Compiling");
  try {
    return await defaultTree({
      files: projectFiles,
      onProgress: (done, total, what) => progress.update(done, total, what),
    });
  } finally {
    progress.end();
  }
}

/** Writes the tree to an image file; a file that was begun and failed is removed. */
export function writeImage(path: string, tree: DirectoryNode, sizeBytes?: number): number {
  const progress = new Progress("Writing");
  const partial = `${path}.partial`;
  let file: Deno.FsFile | undefined;
  try {
    file = Deno.openSync(partial, { create: true, write: true, truncate: true });
    const open = file;
    const result = writeExt2({ write: (offset, bytes) => writeAt(open, offset, bytes) }, tree, {
      sizeBytes,
      onProgress: (done, total) => progress.update(done, total),
    });
    file.close();
    file = undefined;
    Deno.renameSync(partial, path);
    return result.sizeBytes;
  } catch (error) {
    file?.close();
    try {
      Deno.removeSync(partial);
    } catch {
      // It was never made.
    }
    if (error instanceof RangeError || error instanceof UserError) throw error;
    throw new UserError(`Cannot write "${path}": ${(error as Error).message}`);
  } finally {
    progress.end();
  }
}

function writeAt(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/**
 * The path of the default image in the cache, building it if the sources have changed since. What is
 * cached is never written to by a boot of a copy or a snapshot.
 */
export async function cachedDefaultImage(cache: string): Promise<string> {
  const path = join(cache, `default-${sourceHash()}.img`);
  try {
    Deno.statSync(path);
    return path;
  } catch {
    // Not built yet.
  }
  const tree = await buildDefaultTree();
  try {
    Deno.mkdirSync(cache, { recursive: true });
  } catch (error) {
    throw new UserError(`Cannot make the cache folder "${cache}": ${(error as Error).message}`);
  }
  removeOldImages(cache);
  writeImage(path, tree);
  return path;
}

function removeOldImages(cache: string): void {
  for (const { name } of Deno.readDirSync(cache)) {
    if (/^default-[0-9a-f]+\.img(\.partial)?$/.test(name)) Deno.removeSync(join(cache, name));
  }
}

function sourceHash(): string {
  const hash = createHash("sha256");
  const visit = (path: string): void => {
    const full = join(PROJECT, path);
    const info = Deno.statSync(full);
    if (info.isFile) {
      hash.update(`${path}\0${info.size}\0`).update(Deno.readFileSync(full));
      return;
    }
    const names = [...Deno.readDirSync(full)].map(({ name }) => name).sort();
    for (const name of names) if (!name.endsWith("_test.ts")) visit(`${path}/${name}`);
  };
  SOURCES.forEach(visit);
  return hash.digest("hex").slice(0, 16);
}
