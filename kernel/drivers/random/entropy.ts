/**
 * The entropy pool. Interrupts mix into it in a dozen instructions: no hashing, no counting of bits,
 * just a rotate, an exclusive-or and a store of when it happened. All that costs happens when
 * somebody asks for random bytes.
 *
 * @module
 */
import { rdtsc } from "../../arch/i386/x86.ts";
import { CHACHA_BLOCK, chachaBlock, chachaInit } from "./chacha20.ts";

/** Words of the pool, a power of two. */
const POOL_WORDS: u32 = 32;
const pool: usize = memory.data(POOL_WORDS * 4, 4);
const state: usize = memory.data(CHACHA_BLOCK, 4);
const block: usize = memory.data(CHACHA_BLOCK, 4);
const fold: usize = memory.data(32, 4);
let position: u32 = 0;
let mixed: u32 = 0;

/** Called by the interrupt dispatcher with anything that varies: here the time stamp joins it. */
export function entropyInterrupt(value: u32): void {
  const time = <u32> rdtsc();
  const at = pool + ((position & (POOL_WORDS - 1)) << 2);
  store<u32>(at, rotl<u32>(load<u32>(at), 7) ^ time ^ rotl<u32>(value, 16));
  position += 1 + (time & 1);
  mixed++;
}

/** Mixes bytes that user space or a device gave. */
export function entropyAdd(data: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const at = pool + ((position & (POOL_WORDS - 1)) << 2);
    store<u32>(at, rotl<u32>(load<u32>(at), 9) ^ load<u8>(data + i));
    position++;
  }
  mixed += length;
}

/** How many events were mixed so far. */
export function entropyEvents(): u32 {
  return mixed;
}

/**
 * Extracts 32 bytes into `out`: the pool is absorbed a key at a time by ChaCha20 (key = what
 * was absorbed so far xor the next 32 bytes of the pool), and the pool is stirred with the result,
 * so that it cannot be run backwards.
 */
export function entropyExtract(out: usize): void {
  memory.fill(fold, 0, 32);
  const words: u32 = 8;
  for (let from: u32 = 0; from < POOL_WORDS; from += words) {
    for (let i: u32 = 0; i < words; i++) {
      const at = fold + (i << 2);
      store<u32>(at, load<u32>(at) ^ load<u32>(pool + ((from + i) << 2)));
    }
    chachaInit(state, fold, from);
    store<u64>(state, rdtsc(), 52);
    chachaBlock(state, block);
    memory.copy(fold, block, 32);
  }
  memory.copy(out, block + 32, 32);
  for (let i: u32 = 0; i < POOL_WORDS; i++) {
    const at = pool + (i << 2);
    store<u32>(at, rotl<u32>(load<u32>(at), 13) ^ load<u32>(fold + ((i & 7) << 2)));
  }
  memory.fill(block, 0, CHACHA_BLOCK);
}
