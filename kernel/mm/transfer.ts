/**
 * A cursor over the caller's buffers, for read, write and their kin: one user buffer, a vector of
 * them, or a kernel buffer.
 *
 * @module
 */
import { EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import { copyIn, copyOut, userRange } from "./user.ts";
import { kfree, kmalloc, kzalloc } from "./heap.ts";

/** Most buffers of one call (Linux UIO_MAXIOV). */
export const IOV_MAX: u32 = 1024;

/** Where bytes come from or go to. */
/*@unmanaged*/
export class Transfer {
  /** Bytes left in all buffers. */
  remaining: u32;
  /** Current buffer: position and bytes left in it. */
  position: u32;
  left: u32;
  /** It is in kernel memory. */
  kernel: bool;
  /** Further buffers: pairs of address and length. */
  next: usize;
  nextCount: u32;
  /** The copied vector, which `transferFree` frees. */
  vector: usize;
}

/** Sets up a cursor over one buffer. */
export function transferInit(t: Transfer, buffer: u32, length: u32, kernel: bool): void {
  t.remaining = length;
  t.position = buffer;
  t.left = length;
  t.kernel = kernel;
  t.next = 0;
  t.nextCount = 0;
  t.vector = 0;
}

/** A new cursor over a user buffer, null when memory is out. */
export function transferUser(buffer: u32, length: u32): Transfer | null {
  const t = changetype<Transfer | null>(kmalloc(offsetof<Transfer>()));
  if (t !== null) transferInit(t, buffer, length, false);
  return t;
}

/** A new cursor over a kernel buffer, null when memory is out. */
export function transferKernel(buffer: usize, length: u32): Transfer | null {
  const t = changetype<Transfer | null>(kmalloc(offsetof<Transfer>()));
  if (t !== null) transferInit(t, <u32> buffer, length, true);
  return t;
}

/**
 * Sets up a cursor (zeroed before) over the `count` buffers of the user's struct iovec array: total
 * bytes, or -EINVAL, -EFAULT, -ENOMEM.
 */
export function transferVector(t: Transfer, iov: u32, count: u32): i32 {
  if (count > IOV_MAX) return -EINVAL;
  transferInit(t, 0, 0, false);
  if (count === 0) return 0;
  const vector = kmalloc(count << 3);
  if (vector === 0) return -ENOMEM;
  if (copyIn(vector, iov, count << 3) < 0) {
    kfree(vector);
    return -EFAULT;
  }
  let total: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(vector + (i << 3), 4);
    if (<i32> length < 0 || <i32> (total + length) < 0) {
      kfree(vector);
      return -EINVAL;
    }
    if (!userRange(load<u32>(vector + (i << 3)), length)) {
      kfree(vector);
      return -EFAULT;
    }
    total += length;
  }
  t.vector = vector;
  t.next = vector;
  t.nextCount = count;
  t.remaining = total;
  return <i32> total;
}

/** A zeroed cursor for `transferVector`, null when memory is out. */
export function transferNew(): Transfer | null {
  return changetype<Transfer | null>(kzalloc(offsetof<Transfer>()));
}

/** Frees a cursor that `transferUser`, `transferKernel` or `transferNew` made. */
export function transferFree(t: Transfer): void {
  kfree(t.vector);
  kfree(changetype<usize>(t));
}

function move(t: Transfer, memoryAt: usize, count: u32, out: bool): i32 {
  if (count > t.remaining) count = t.remaining;
  let done: u32 = 0;
  while (done < count) {
    while (t.left === 0 && t.nextCount > 0) {
      t.position = load<u32>(t.next);
      t.left = load<u32>(t.next, 4);
      t.next += 8;
      t.nextCount--;
    }
    let n = count - done;
    if (n > t.left) n = t.left;
    if (t.kernel) {
      if (out) memory.copy(t.position, memoryAt + done, n);
      else memory.copy(memoryAt + done, t.position, n);
    } else {
      const error = out
        ? copyOut(t.position, memoryAt + done, n)
        : copyIn(memoryAt + done, t.position, n);
      if (error < 0) return done > 0 ? <i32> done : -EFAULT;
    }
    t.position += n;
    t.left -= n;
    t.remaining -= n;
    done += n;
  }
  return <i32> done;
}

/** Copies up to `count` kernel bytes to the caller: how many, or -EFAULT if none. */
export function transferOut(t: Transfer, source: usize, count: u32): i32 {
  return move(t, source, count, true);
}

/** Copies up to `count` bytes from the caller to the kernel: how many, or -EFAULT if none. */
export function transferIn(t: Transfer, destination: usize, count: u32): i32 {
  return move(t, destination, count, false);
}
