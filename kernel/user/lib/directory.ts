/**
 * Directories: their names, sorted.
 *
 * @module
 */
import { allocate, release, resize } from "./memory.ts";
import { compare, duplicate } from "./string.ts";
import { close, getdents, O_DIRECTORY, O_RDONLY, open } from "./system.ts";

const BUFFER_BYTES: u32 = 8192;

/** The names of a directory, without `.` and `..` unless asked for. */
@unmanaged
export class Names {
  /** An array of strings on the heap. */
  entries: usize;
  count: u32;
  /** 0 or -errno. */
  error: i32;
}

/** Reads a directory's names in byte order; free them with {@link freeNames}. */
export function readDirectory(path: usize, dots: bool = false): Names {
  const names = new Names();
  const fd = open(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0) {
    names.error = fd;
    return names;
  }
  const buffer = allocate(BUFFER_BYTES);
  let capacity: u32 = 0;
  while (true) {
    const count = getdents(fd, buffer, BUFFER_BYTES);
    if (count < 0) names.error = count;
    if (count <= 0) break;
    for (let at: i32 = 0; at < count; at += load<u16>(buffer + at, 16)) {
      const name = buffer + at + 19; // struct linux_dirent64: d_name
      const isDot = load<u8>(name) === 0x2e &&
        (load<u8>(name, 1) === 0 || (load<u8>(name, 1) === 0x2e && load<u8>(name, 2) === 0));
      if (isDot && !dots) continue;
      if (names.count === capacity) {
        capacity = max<u32>(16, capacity * 2);
        names.entries = resize(names.entries, capacity << 2);
      }
      store<usize>(names.entries + (names.count++ << 2), duplicate(name));
    }
  }
  release(buffer);
  close(fd);
  sortStrings(names.entries, names.count);
  return names;
}

/** Gives the names back. */
export function freeNames(names: Names): void {
  for (let index: u32 = 0; index < names.count; index++) {
    release(load<usize>(names.entries + (index << 2)));
  }
  release(names.entries);
  release(changetype<usize>(names));
}

/** The string at `index`. */
export function nameAt(names: Names, index: u32): usize {
  return load<usize>(names.entries + (index << 2));
}

/** Sorts an array of strings by their bytes. */
export function sortStrings(array: usize, count: u32): void {
  sortBy(array, count, (a: usize, b: usize): i32 => compare(a, b));
}

/** Sorts an array of addresses, stably, by merging. */
export function sortBy(array: usize, count: u32, order: (a: usize, b: usize) => i32): void {
  if (count < 2) return;
  let from = array;
  const spare = allocate(count << 2);
  let to = spare;
  for (let width: u32 = 1; width < count; width <<= 1) {
    for (let start: u32 = 0; start < count; start += width << 1) {
      const middle = min(start + width, count);
      const end = min(start + (width << 1), count);
      let left = start;
      let right = middle;
      for (let slot = start; slot < end; slot++) {
        const takeLeft = left < middle &&
          (right >= end ||
            order(load<usize>(from + (left << 2)), load<usize>(from + (right << 2))) <= 0);
        const source = takeLeft ? left++ : right++;
        store<usize>(to + (slot << 2), load<usize>(from + (source << 2)));
      }
    }
    const swap = from;
    from = to;
    to = swap;
  }
  if (from !== array) memory.copy(array, from, count << 2);
  release(spare);
}
