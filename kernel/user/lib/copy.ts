/**
 * Copies of files and trees, for cp and for mv across file systems.
 *
 * @module
 */
import { EEXIST, EISDIR } from "../../abi/errno.ts";
import { freeNames, nameAt, readDirectory } from "./directory.ts";
import { copyAll } from "./files.ts";
import { release } from "./memory.ts";
import { complain, complainText } from "./output.ts";
import { joinPath } from "./string.ts";
import {
  close,
  mkdir,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  open,
  readlink,
  S_IFLNK,
  S_IFMT,
  Stat,
  stat,
  symlink,
} from "./system.ts";

const TARGET = memory.data(4096);

/** Copies a file, or with `recursive` a tree; prints what fails and returns 1 then. */
export function copyTree(program: usize, source: usize, target: usize, recursive: bool): i32 {
  const from = new Stat();
  const to = new Stat();
  const error = stat(source, from, !recursive);
  const present = stat(target, to) === 0;
  const same = present && from.inode === to.inode && from.device === to.device;
  const mode = from.mode;
  release(changetype<usize>(from));
  release(changetype<usize>(to));
  if (error < 0) return complain(program, source, error);
  if (same) return complainText(program, c`source and target are the same file`);
  if ((mode & S_IFMT) === S_IFLNK) return copyLink(program, source, target);
  if ((mode & S_IFMT) === 0o040000) {
    if (!recursive) return complain(program, source, -EISDIR);
    return copyDirectory(program, source, target, mode);
  }
  return copyFile(program, source, target, mode);
}

function copyLink(program: usize, source: usize, target: usize): i32 {
  const size = readlink(source, TARGET, 4095);
  if (size < 0) return complain(program, source, size);
  store<u8>(TARGET + size, 0);
  const error = symlink(TARGET, target);
  return error < 0 ? complain(program, target, error) : 0;
}

function copyFile(program: usize, source: usize, target: usize, mode: u32): i32 {
  const reading = open(source, O_RDONLY);
  if (reading < 0) return complain(program, source, reading);
  const writing = open(target, O_WRONLY | O_CREAT | O_TRUNC, mode & 0o7777);
  if (writing < 0) {
    close(reading);
    return complain(program, target, writing);
  }
  let error = copyAll(reading, writing);
  close(reading);
  const closed = close(writing);
  if (error === 0) error = closed;
  return error < 0 ? complain(program, target, error) : 0;
}

function copyDirectory(program: usize, source: usize, target: usize, mode: u32): i32 {
  // The names are read before the target is made: it may lie inside the source.
  const names = readDirectory(source);
  if (names.error < 0) return complain(program, source, names.error);
  const error = mkdir(target, (mode & 0o7777) | 0o700);
  if (error < 0 && error !== -EEXIST) return complain(program, target, error);
  let status = 0;
  for (let index: u32 = 0; index < names.count; index++) {
    const from = joinPath(source, nameAt(names, index));
    const to = joinPath(target, nameAt(names, index));
    if (copyTree(program, from, to, true) !== 0) status = 1;
    release(from);
    release(to);
  }
  freeNames(names);
  return status;
}
