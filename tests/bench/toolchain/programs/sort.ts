/** Quicksort of 400,000 words, five times. `sort.c` is the same in C. @module */

const COUNT: u32 = 400000;
const WORDS = memory.data(1600000);

function sort(low: i32, high: i32): void {
  while (low < high) {
    const pivot = load<u32>(WORDS + (((low + high) >> 1) << 2));
    let i = low;
    let j = high;
    while (i <= j) {
      while (load<u32>(WORDS + (i << 2)) < pivot) i++;
      while (load<u32>(WORDS + (j << 2)) > pivot) j--;
      if (i <= j) {
        const word = load<u32>(WORDS + (i << 2));
        store<u32>(WORDS + (i << 2), load<u32>(WORDS + (j << 2)));
        store<u32>(WORDS + (j << 2), word);
        i++;
        j--;
      }
    }
    if (j - low < high - i) {
      sort(low, j);
      low = i;
    } else {
      sort(i, high);
      high = j;
    }
  }
}

export function main(_argc: i32, _argv: usize, _environment: usize): i32 {
  let seed: u32 = 12345;
  let hash: u32 = 0;
  for (let round = 0; round < 5; round++) {
    for (let i: u32 = 0; i < COUNT; i++) {
      seed = seed * 1664525 + 1013904223;
      store<u32>(WORDS + (i << 2), seed);
    }
    sort(0, COUNT - 1);
    for (let i: u32 = 0; i < COUNT; i++) hash = hash * 31 + load<u32>(WORDS + (i << 2));
  }
  return hash & 127;
}
