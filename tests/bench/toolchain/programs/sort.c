/* Quicksort of 400,000 words, five times. */
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
