/**
 * Times in user memory: struct timespec of 32 and of 64 bits, struct timeval.
 *
 * @module
 */
import { EFAULT, EINVAL } from "../abi/errno.ts";
import { getUser32, putUser32, userWord } from "../mm/user.ts";

/** Nanoseconds a second. */
export const NS: u64 = 1000000000;

let read: u64 = 0;

/** Reads a timespec (`wide`: of 64 bits), then in `timespecNs()`: 0, -EFAULT, or -EINVAL. */
export function readTimespec(address: u32, wide: bool): i32 {
  if (getUser32(address) < 0) return -EFAULT;
  const seconds = userWord();
  let high: u32 = 0;
  if (wide) {
    if (getUser32(address + 4) < 0) return -EFAULT;
    high = userWord();
  }
  if (getUser32(address + (wide ? 8 : 4)) < 0) return -EFAULT;
  const ns = userWord();
  if (<i32> (wide ? high : seconds) < 0 || ns >= 1000000000) return -EINVAL;
  read = high !== 0 ? ~(<u64> 0) >> 2 : <u64> seconds * NS + <u64> ns;
  return 0;
}

/** Reads a timeval, then in `timespecNs()`: 0, -EFAULT, or -EINVAL. */
export function readTimeval(address: u32): i32 {
  if (getUser32(address) < 0) return -EFAULT;
  const seconds = userWord();
  if (getUser32(address + 4) < 0) return -EFAULT;
  const us = userWord();
  if (<i32> seconds < 0 || us >= 1000000) return -EINVAL;
  read = <u64> seconds * NS + <u64> us * 1000;
  return 0;
}

/** Nanoseconds that the last read found. */
export function timespecNs(): u64 {
  return read;
}

/** Writes a timespec: 0 or -EFAULT. */
export function writeTimespec(address: u32, ns: u64, wide: bool): i32 {
  const seconds = ns / NS;
  if (putUser32(address, <u32> seconds) < 0) return -EFAULT;
  if (!wide) return putUser32(address + 4, <u32> (ns % NS));
  if (putUser32(address + 4, <u32> (seconds >> 32)) < 0) return -EFAULT;
  if (putUser32(address + 8, <u32> (ns % NS)) < 0) return -EFAULT;
  return putUser32(address + 12, 0);
}

/** Writes a timeval: 0 or -EFAULT. */
export function writeTimeval(address: u32, ns: u64): i32 {
  if (putUser32(address, <u32> (ns / NS)) < 0) return -EFAULT;
  return putUser32(address + 4, <u32> (ns % NS / 1000));
}
