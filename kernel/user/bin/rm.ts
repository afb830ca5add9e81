/**
 * rm: removes files (POSIX rm; -r with directories, -f without complaints about missing ones).
 *
 * @module
 */
import { EISDIR, ENOENT } from "../../abi/errno.ts";
import { freeNames, nameAt, readDirectory } from "../lib/directory.ts";
import { release } from "../lib/memory.ts";
import { complain, complainText, usage } from "../lib/output.ts";
import { has, readOptions, word } from "../lib/options.ts";
import { baseName, equal, joinPath } from "../lib/string.ts";
import { rmdir, Stat, stat, unlink } from "../lib/system.ts";

const PROGRAM = c`rm`;
const USAGE = c`rm [-fr] file...`;

export function main(argc: i32, argv: usize): i32 {
  let index = readOptions(argc, argv, c`firR`, USAGE);
  if (index >= argc && !has(0x66)) return usage(USAGE);
  let status = 0;
  for (; index < argc; index++) {
    const path = word(argv, index);
    const name = baseName(path);
    if (equal(name, c`.`) || equal(name, c`..`) || equal(path, c`/`)) {
      status = complainText(PROGRAM, c`will not remove . or .. or /`);
    } else if (remove(path) !== 0) {
      status = 1;
    }
  }
  return status;
}

function remove(path: usize): i32 {
  const info = new Stat();
  let error = stat(path, info, false);
  const isDirectory = info.isDirectory;
  release(changetype<usize>(info));
  if (error === -ENOENT && has(0x66)) return 0;
  if (error < 0) return complain(PROGRAM, path, error);
  if (!isDirectory) {
    error = unlink(path);
    return error < 0 ? complain(PROGRAM, path, error) : 0;
  }
  if (!has(0x72) && !has(0x52)) return complain(PROGRAM, path, -EISDIR);
  const names = readDirectory(path);
  if (names.error < 0) complain(PROGRAM, path, names.error);
  let status = 0;
  for (let index: u32 = 0; index < names.count; index++) {
    const child = joinPath(path, nameAt(names, index));
    if (remove(child) !== 0) status = 1;
    release(child);
  }
  freeNames(names);
  error = rmdir(path);
  return error < 0 ? complain(PROGRAM, path, error) : status;
}
