/**
 * Access to user memory. Faults in it end in -EFAULT, never in the kernel; pages come in on demand, so
 * these functions may sleep.
 *
 * @module
 */
import { EFAULT, ENAMETOOLONG } from "../abi/errno.ts";
import { clear_user, copy_user, copy_user_string, get_user, put_user } from "../arch/i386/asm.ts";

/** End of user addresses. */
export const USER_END: u32 = 0xc0000000;

/** True when a range lies in user addresses (whether mapped or not). */
export function userRange(address: u32, count: u32): bool {
  return address <= USER_END && count <= USER_END - address;
}

/** User to kernel: 0 or -EFAULT. */
export function copyIn(destination: usize, source: u32, count: u32): i32 {
  if (!userRange(source, count)) return -EFAULT;
  return copy_user(destination, source, count) === 0 ? 0 : -EFAULT;
}

/** Kernel to user: 0 or -EFAULT. */
export function copyOut(destination: u32, source: usize, count: u32): i32 {
  if (!userRange(destination, count)) return -EFAULT;
  return copy_user(destination, source, count) === 0 ? 0 : -EFAULT;
}

/**
 * A string with its NUL from user memory into `size` bytes: its length, -EFAULT, or -ENAMETOOLONG
 * when it does not fit.
 */
export function copyInString(destination: usize, source: u32, size: u32): i32 {
  if (source >= USER_END) return -EFAULT;
  const room = USER_END - source;
  const n = copy_user_string(destination, source, size < room ? size : room);
  if (n < 0) return -EFAULT;
  if (<u32> n === size) return -ENAMETOOLONG;
  return <u32> n === room ? -EFAULT : n;
}

/** Zeros into user memory: 0 or -EFAULT. */
export function clearOut(destination: u32, count: u32): i32 {
  if (!userRange(destination, count)) return -EFAULT;
  return clear_user(destination, count) === 0 ? 0 : -EFAULT;
}

/** A word into user memory: 0 or -EFAULT. */
export function putUser32(destination: u32, value: u32): i32 {
  if (!userRange(destination, 4)) return -EFAULT;
  return put_user(destination, value);
}

let fetched: u32 = 0;

/** Reads a word of user memory, which is then in `userWord()`: 0 or -EFAULT. */
export function getUser32(source: u32): i32 {
  if (!userRange(source, 4)) return -EFAULT;
  const both = get_user(source);
  fetched = <u32> both;
  return <i32> (both >> 32);
}

/** What the last `getUser32` of this task read; take it before anything can sleep. */
export function userWord(): u32 {
  return fetched;
}
