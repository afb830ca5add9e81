/**
 * Memory that is given back all at once: a chain of chunks, with marks to go back to.
 *
 * @module
 */
import { allocate, release } from "./memory.ts";

const CHUNK_BYTES: u32 = 4000;
/** A chunk begins with the address of the one before and its end. */
const CHUNK_HEADER: u32 = 8;

/** An arena; make one with {@link arenaNew}. */
@unmanaged
export class Arena {
  /** The newest chunk, 0 if none. */
  chunk: usize;
  next: usize;
}

/** A new, empty arena. */
export function arenaNew(): Arena {
  return new Arena();
}

/** `bytes` bytes, 4-aligned, uninitialised. */
export function arenaAllocate(arena: Arena, bytes: u32): usize {
  const size = (bytes + 3) & ~3;
  if (arena.chunk === 0 || arena.next + size > load<usize>(arena.chunk, 4)) {
    const capacity = CHUNK_HEADER + max(size, CHUNK_BYTES);
    const chunk = allocate(capacity);
    store<usize>(chunk, arena.chunk);
    store<usize>(chunk, chunk + capacity, 4);
    arena.chunk = chunk;
    arena.next = chunk + CHUNK_HEADER;
  }
  const block = arena.next;
  arena.next += size;
  return block;
}

/** `bytes` bytes of zero. */
export function arenaZeroed(arena: Arena, bytes: u32): usize {
  const block = arenaAllocate(arena, bytes);
  memory.fill(block, 0, bytes);
  return block;
}

/** A NUL-terminated copy of `count` bytes. */
export function arenaText(arena: Arena, text: usize, count: u32): usize {
  const block = arenaAllocate(arena, count + 1);
  memory.copy(block, text, count);
  store<u8>(block + count, 0);
  return block;
}

/** Gives everything back that was allocated since `next` was `mark` (0: everything). */
export function arenaReset(arena: Arena, mark: usize = 0): void {
  while (arena.chunk !== 0) {
    const chunk = arena.chunk;
    if (mark >= chunk + CHUNK_HEADER && mark <= load<usize>(chunk, 4)) {
      arena.next = mark;
      return;
    }
    arena.chunk = load<usize>(chunk);
    release(chunk);
  }
  arena.next = 0;
}
