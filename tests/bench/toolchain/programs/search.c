/* Plain string search in 256 KiB of four letters, 40 patterns. */
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
