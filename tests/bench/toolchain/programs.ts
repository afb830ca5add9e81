/**
 * The programs that `compare_gcc.ts` measures, alike in our dialect and in C.
 *
 * @module
 */

/** One program in both languages; both end with the same checksum as their exit code. */
export interface BenchmarkProgram {
  readonly name: string;
  readonly typescript: string;
  readonly c: string;
}

/** Quicksort of 400,000 words, five times. */
const SORT: BenchmarkProgram = {
  name: "sort",
  typescript: `
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
`,
  c: `
#include <stdint.h>

#define COUNT 400000
static uint32_t words[COUNT];

static void sort(int32_t low, int32_t high) {
  while (low < high) {
    uint32_t pivot = words[(low + high) >> 1];
    int32_t i = low, j = high;
    while (i <= j) {
      while (words[i] < pivot) i++;
      while (words[j] > pivot) j--;
      if (i <= j) {
        uint32_t word = words[i];
        words[i] = words[j];
        words[j] = word;
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

int main(void) {
  uint32_t seed = 12345, hash = 0;
  for (int round = 0; round < 5; round++) {
    for (uint32_t i = 0; i < COUNT; i++) {
      seed = seed * 1664525 + 1013904223;
      words[i] = seed;
    }
    sort(0, COUNT - 1);
    for (uint32_t i = 0; i < COUNT; i++) hash = hash * 31 + words[i];
  }
  return hash & 127;
}
`,
};

/** CRC-32 by table over 64 KiB, 600 times. */
const CRC: BenchmarkProgram = {
  name: "crc",
  typescript: `
const TABLE = memory.data(1024);
const BUFFER = memory.data(65536);

function makeTable(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xedb88320 : value >> 1;
    store<u32>(TABLE + (i << 2), value);
  }
}

function crc(data: usize, length: u32, start: u32): u32 {
  let value = ~start;
  for (let i: u32 = 0; i < length; i++) {
    value = load<u32>(TABLE + (((value ^ load<u8>(data + i)) & 255) << 2)) ^ (value >> 8);
  }
  return ~value;
}

export function main(_argc: i32, _argv: usize, _environment: usize): i32 {
  makeTable();
  let seed: u32 = 1;
  for (let i: u32 = 0; i < 65536; i++) {
    seed = seed * 1664525 + 1013904223;
    store<u8>(BUFFER + i, seed >> 24);
  }
  let result: u32 = 0;
  for (let round = 0; round < 600; round++) result = crc(BUFFER, 65536, result);
  return result & 127;
}
`,
  c: `
#include <stdint.h>

static uint32_t table[256];
static uint8_t buffer[65536];

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0xedb88320 : value >> 1;
    table[i] = value;
  }
}

static uint32_t crc(const uint8_t *data, uint32_t length, uint32_t start) {
  uint32_t value = ~start;
  for (uint32_t i = 0; i < length; i++) value = table[(value ^ data[i]) & 255] ^ (value >> 8);
  return ~value;
}

int main(void) {
  make_table();
  uint32_t seed = 1;
  for (uint32_t i = 0; i < 65536; i++) {
    seed = seed * 1664525 + 1013904223;
    buffer[i] = seed >> 24;
  }
  uint32_t result = 0;
  for (int round = 0; round < 600; round++) result = crc(buffer, 65536, result);
  return result & 127;
}
`,
};

/** Plain string search in 256 KiB of four letters, 40 patterns. */
const SEARCH: BenchmarkProgram = {
  name: "search",
  typescript: `
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
`,
  c: `
#include <stdint.h>

#define SIZE 262144
static uint8_t text_bytes[SIZE];
static uint8_t pattern_bytes[16];

static uint32_t search(const uint8_t *text, uint32_t length, const uint8_t *pattern, uint32_t size) {
  uint32_t found = 0;
  for (uint32_t i = 0; i + size <= length; i++) {
    uint32_t j = 0;
    while (j < size && text[i + j] == pattern[j]) j++;
    if (j == size) found++;
  }
  return found;
}

int main(void) {
  uint32_t seed = 7;
  for (uint32_t i = 0; i < SIZE; i++) {
    seed = seed * 1664525 + 1013904223;
    text_bytes[i] = 97 + (seed >> 30);
  }
  uint32_t total = 0;
  for (uint32_t round = 0; round < 40; round++) {
    for (uint32_t i = 0; i < 8; i++) {
      seed = seed * 1664525 + 1013904223;
      pattern_bytes[i] = 97 + (seed >> 30);
    }
    total += search(text_bytes, SIZE, pattern_bytes, 2 + (round & 7) % 7);
  }
  return total & 127;
}
`,
};

export const PROGRAMS: readonly BenchmarkProgram[] = [SORT, CRC, SEARCH];
