/**
 * The heap of a user program: free lists by size class over brk(2). A block is 8 bytes of header (its
 * class) and the bytes that the program gets, 8-aligned.
 *
 * @module
 */
import { SYS_BRK } from "../../abi/syscall.ts";
import { syscall1 } from "./x86.ts";
import { failure } from "./failure.ts";

/** Class n holds blocks of 16 << n bytes, header included. */
const CLASSES: u32 = 27;
const HEADER: u32 = 8;
const SMALLEST_BITS: u32 = 4;
/** How much is asked of the kernel at least. */
const CHUNK: u32 = 65536;

const FREE_LISTS = memory.data(27 * 4, 4);
let next: usize = 0;
let end: usize = 0;

function classOf(bytes: u32): u32 {
  const whole = bytes + HEADER;
  return whole <= 1 << SMALLEST_BITS ? 0 : 32 - SMALLEST_BITS - clz<u32>(whole - 1);
}

/** At least `bytes` bytes, uninitialised; never 0: a program without memory says so and ends. */
export function allocate(bytes: u32): usize {
  const sizeClass = classOf(bytes);
  if (bytes > 0x40000000 || sizeClass >= CLASSES) failure(c`out of memory`);
  const list = FREE_LISTS + (sizeClass << 2);
  const free = load<usize>(list);
  if (free !== 0) {
    store<usize>(list, load<usize>(free));
    return free;
  }
  const size: u32 = 1 << (sizeClass + SMALLEST_BITS);
  if (next === 0) {
    // The kernel says where the heap begins: it need not be right behind the data.
    end = syscall1(SYS_BRK, 0);
    next = (end + 15) & ~15;
  }
  if (next + size > end) grow(size);
  const block = next;
  next += size;
  store<u32>(block, sizeClass);
  return block + HEADER;
}

function grow(size: u32): void {
  const wanted = (next + size + CHUNK) & ~(CHUNK - 1);
  if (<usize> syscall1(SYS_BRK, wanted) < wanted) failure(c`out of memory`);
  end = wanted;
}

/** `bytes` bytes of zero. */
export function allocateZeroed(bytes: u32): usize {
  const block = allocate(bytes);
  memory.fill(block, 0, bytes);
  return block;
}

/** Gives a block back; 0 is ignored. */
export function release(block: usize): void {
  if (block === 0) return;
  const list = FREE_LISTS + (load<u32>(block - HEADER) << 2);
  store<usize>(block, load<usize>(list));
  store<usize>(list, block);
}

/** Bytes that the block can hold. */
export function capacity(block: usize): u32 {
  const sizeClass = load<u32>(block - HEADER);
  return (1 << (sizeClass + SMALLEST_BITS)) - HEADER;
}

/** A block of `bytes` bytes that begins with what `block` held. */
export function resize(block: usize, bytes: u32): usize {
  if (block === 0) return allocate(bytes);
  const present = capacity(block);
  if (bytes <= present) return block;
  const larger = allocate(bytes);
  memory.copy(larger, block, present);
  release(block);
  return larger;
}
