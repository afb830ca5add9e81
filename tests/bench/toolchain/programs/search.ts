/** Plain string search in 256 KiB of four letters, 40 patterns. `search.c` is the same in C. @module */

const SIZE: u32 = 262144;
const TEXT = memory.data(262144);
const PATTERN = memory.data(16);

function search(text: usize, length: u32, pattern: usize, size: u32): u32 {
  let found: u32 = 0;
  for (let i: u32 = 0; i + size <= length; i++) {
    let j: u32 = 0;
    while (j < size && load<u8>(text + i + j) === load<u8>(pattern + j)) j++;
    if (j === size) found++;
  }
  return found;
}

export function main(_argc: i32, _argv: usize, _environment: usize): i32 {
  let seed: u32 = 7;
  for (let i: u32 = 0; i < SIZE; i++) {
    seed = seed * 1664525 + 1013904223;
    store<u8>(TEXT + i, 97 + (seed >> 30));
  }
  let total: u32 = 0;
  for (let round: u32 = 0; round < 40; round++) {
    for (let i: u32 = 0; i < 8; i++) {
      seed = seed * 1664525 + 1013904223;
      store<u8>(PATTERN + i, 97 + (seed >> 30));
    }
    total += search(TEXT, SIZE, PATTERN, 2 + (round & 7) % 7);
  }
  return total & 127;
}
