/**
 * Random bytes: ChaCha20 with fast key erasure. The key lives only here; each request's first block
 * gives the next key before any byte leaves, so that what was given cannot be computed from a later
 * state. A fresh key comes from the pool every five minutes, every mebibyte, and at first use.
 *
 * @module
 */
import { kfree, kmalloc, Transfer, transferOut } from "../../mm/mod.ts";
import { HZ, ticks } from "../../time/mod.ts";
import { CHACHA_BLOCK, chachaBlock, chachaInit } from "./chacha20.ts";
import { entropyExtract } from "./entropy.ts";

const RESEED_SECONDS: u32 = 300;
const RESEED_BYTES: u32 = 1 << 20;

const key: usize = memory.data(32, 4);
const state: usize = memory.data(CHACHA_BLOCK, 4);
const block: usize = memory.data(CHACHA_BLOCK, 4);
const fresh: usize = memory.data(32, 4);
let seeded: bool = false;
let seededAt: u32 = 0;
let given: u32 = 0;

/** Mixes the pool into the key; done by itself when due. */
export function randomReseed(): void {
  entropyExtract(fresh);
  for (let i: usize = 0; i < 32; i += 4) {
    store<u32>(key + i, load<u32>(key + i) ^ load<u32>(fresh + i));
  }
  memory.fill(fresh, 0, 32);
  seeded = true;
  seededAt = ticks();
  given = 0;
}

/** Fills kernel memory with random bytes. Does not sleep. */
export function randomBytes(out: usize, length: u32): void {
  if (!seeded || given >= RESEED_BYTES || ticks() - seededAt >= RESEED_SECONDS * HZ) randomReseed();
  given += length;
  chachaInit(state, key, 0);
  chachaBlock(state, block);
  memory.copy(key, block, 32);
  let ready: u32 = 32; // the other half of the first block is the first output
  let done: u32 = 0;
  while (done < length) {
    if (ready === CHACHA_BLOCK) {
      store<u32>(state, load<u32>(state, 48) + 1, 48);
      chachaBlock(state, block);
      ready = 0;
    }
    let n = CHACHA_BLOCK - ready;
    if (n > length - done) n = length - done;
    memory.copy(out + done, block + ready, n);
    done += n;
    ready += n;
  }
  memory.fill(block, 0, CHACHA_BLOCK);
  memory.fill(state, 0, CHACHA_BLOCK);
}

/** 32 random bits. */
export function randomWord(): u32 {
  randomBytes(fresh, 4);
  const word = load<u32>(fresh);
  store<u32>(fresh, 0);
  return word;
}

/** Random bytes to a reader. Bytes given, or -EFAULT. */
export function randomTransfer(t: Transfer, length: u32): i32 {
  const size: u32 = 256;
  const buffer = kmalloc(size);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < length) {
    const n = length - done < size ? length - done : size;
    randomBytes(buffer, n);
    result = transferOut(t, buffer, n);
    if (result < 0) break;
    done += n;
  }
  memory.fill(buffer, 0, size);
  kfree(buffer);
  return done > 0 ? <i32> done : result;
}
