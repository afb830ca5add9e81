/**
 * The ChaCha20 block function (RFC 8439 §2.3). State is sixteen little-endian words: four constants,
 * eight of key, one block counter, three of nonce.
 *
 * @module
 */

/** Bytes of state and of one output block. */
export const CHACHA_BLOCK: u32 = 64;

/*@inline*/
function quarter(s: usize, a: u32, b: u32, c: u32, d: u32): void {
  let va = load<u32>(s + (a << 2));
  let vb = load<u32>(s + (b << 2));
  let vc = load<u32>(s + (c << 2));
  let vd = load<u32>(s + (d << 2));
  va += vb;
  vd = rotl<u32>(vd ^ va, 16);
  vc += vd;
  vb = rotl<u32>(vb ^ vc, 12);
  va += vb;
  vd = rotl<u32>(vd ^ va, 8);
  vc += vd;
  vb = rotl<u32>(vb ^ vc, 7);
  store<u32>(s + (a << 2), va);
  store<u32>(s + (b << 2), vb);
  store<u32>(s + (c << 2), vc);
  store<u32>(s + (d << 2), vd);
}

/** Writes the constants "expand 32-byte k", the key, the counter and a zero nonce (RFC 8439 §2.3). */
export function chachaInit(state: usize, key: usize, counter: u32): void {
  store<u32>(state, 0x61707865);
  store<u32>(state, 0x3320646e, 4);
  store<u32>(state, 0x79622d32, 8);
  store<u32>(state, 0x6b206574, 12);
  memory.copy(state + 16, key, 32);
  store<u32>(state, counter, 48);
  memory.fill(state + 52, 0, 12);
}

/** One block: twenty rounds over a copy of `state`, added to it, into `out`. The counter is not moved. */
export function chachaBlock(state: usize, out: usize): void {
  memory.copy(out, state, CHACHA_BLOCK);
  for (let round = 0; round < 10; round++) {
    quarter(out, 0, 4, 8, 12);
    quarter(out, 1, 5, 9, 13);
    quarter(out, 2, 6, 10, 14);
    quarter(out, 3, 7, 11, 15);
    quarter(out, 0, 5, 10, 15);
    quarter(out, 1, 6, 11, 12);
    quarter(out, 2, 7, 8, 13);
    quarter(out, 3, 4, 9, 14);
  }
  for (let i: usize = 0; i < CHACHA_BLOCK; i += 4) {
    store<u32>(out + i, load<u32>(out + i) + load<u32>(state + i));
  }
}
