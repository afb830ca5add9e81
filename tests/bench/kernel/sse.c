/* Programs of the group "sse", compiled with SSE2. */
#include <emmintrin.h>

#include "bench.h"

static double __attribute__((aligned(16))) reals[256];
static u32 __attribute__((aligned(16))) words[256];
static void fill(void) {
  u32 state = 17;
  for (u32 i = 0; i < LENGTH(reals); i++) reals[i] = 0.5 + next_random(&state) / 8589934592.0;
  for (u32 i = 0; i < LENGTH(words); i++) words[i] = next_random(&state);
}
static u32 bits(double value) {
  union { double value; u32 words[2]; } u = {value};
  return u.words[0] ^ u.words[1];
}

static u32 sse_scalar(u32 n) {
  double sum = 0;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(reals); i++) {
      sum = sum * 0.96875 + reals[i];
      if (sum > 20) sum -= 19.5;
    }
  return bits(sum);
}

static u32 sse_packed(u32 n) {
  __m128d sum = _mm_setzero_pd();
  const __m128d factor = _mm_set1_pd(0.96875);
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(reals); i += 2)
      sum = _mm_add_pd(_mm_mul_pd(sum, factor), _mm_load_pd(&reals[i]));
  double parts[2];
  _mm_storeu_pd(parts, sum);
  return mix(bits(parts[0]), bits(parts[1]));
}

static u32 sse_integer(u32 n) {
  __m128i sum = _mm_set1_epi32(1);
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(words); i += 4) {
      const __m128i value = _mm_load_si128((const __m128i *)&words[i]);
      sum = _mm_add_epi32(sum, value);
      sum = _mm_xor_si128(_mm_slli_epi32(sum, 3), _mm_srli_epi32(sum, 29));
      sum = _mm_shuffle_epi32(_mm_adds_epu8(sum, value), 0x93);
    }
  u32 parts[4];
  _mm_storeu_si128((__m128i *)parts, sum);
  return mix(mix(mix(parts[0], parts[1]), parts[2]), parts[3]);
}

const struct program sse_programs[] = {
    {"sse-scalar", "sse", 120000, sse_scalar, NEEDS_SSE2},
    {"sse-packed", "sse", 240000, sse_packed, NEEDS_SSE2},
    {"sse-integer", "sse", 400000, sse_integer, NEEDS_SSE2},
    {0, 0, 0, 0, 0}};
