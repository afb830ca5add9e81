/* Floating-point programs of the processor benchmark: gcc -m32 -O2 -msse2 -mfpmath=sse, freestanding, flat at
   1 MiB. Each result is a hash of the bits of what it computed. */
#include <emmintrin.h>
typedef unsigned u32;
typedef unsigned long long u64;

#define SIZE 1024
static double doubles[SIZE];
static float singles[SIZE] __attribute__((aligned(16)));
static float more[SIZE] __attribute__((aligned(16)));

static u32 hash(u32 result, double d) {
  union { double d; u64 u; } bits = { .d = d };
  return result * 31 + (u32)bits.u + (u32)(bits.u >> 32);
}

/* Scalar doubles: additions, products, a division and a root each. */
static double scalar(void) {
  double sum = 0;
  for (int i = 1; i < SIZE; i++) {
    double x = doubles[i], y = doubles[i - 1];
    double d = x * x + y * y + 0.5;
    sum += x / d + __builtin_ia32_sqrtsd((__v2df){ d, 0 })[0];
    doubles[i - 1] = y * 0.999 + 0.001;
  }
  return sum;
}
/* Packed singles. */
static double packed(void) {
  __m128 sum = _mm_setzero_ps(), factor = _mm_set1_ps(0.875f);
  for (int i = 0; i < SIZE; i += 4) {
    __m128 a = _mm_load_ps(singles + i), b = _mm_load_ps(more + i);
    __m128 c = _mm_add_ps(_mm_mul_ps(a, factor), _mm_mul_ps(b, b));
    sum = _mm_add_ps(sum, _mm_min_ps(c, _mm_max_ps(a, b)));
    _mm_store_ps(more + i, _mm_add_ps(_mm_mul_ps(b, factor), _mm_set1_ps(0.1f)));
    _mm_store_ps(singles + i, _mm_add_ps(_mm_sub_ps(a, c), factor));
  }
  float out[4] __attribute__((aligned(16)));
  _mm_store_ps(out, sum);
  return out[0] + out[1] + out[2] + out[3];
}
/* Packed doubles. */
static double pairs(void) {
  __m128d sum = _mm_setzero_pd(), step = _mm_set1_pd(1e-3);
  for (int i = 0; i < SIZE; i += 2) {
    __m128d a = _mm_loadu_pd(doubles + i);
    sum = _mm_add_pd(sum, _mm_div_pd(a, _mm_add_pd(_mm_mul_pd(a, a), step)));
    _mm_storeu_pd(doubles + i, _mm_add_pd(a, step));
  }
  return _mm_cvtsd_f64(sum);
}
/* Conversions and comparisons, as loops over grids have them. */
static double grid(void) {
  double sum = 0;
  for (int i = 0; i < SIZE; i++) {
    double x = i * 0.37;
    int whole = (int)x;
    sum += x - whole > 0.5 ? (float)x : whole;
  }
  return sum;
}
/* The same with PE clear: every result is exact, and has to be found exact. */
static double exact(void) {
  double sum = 0;
  for (int i = 0; i < SIZE; i++) sum += i * 0.5 + 0.25;
  return sum;
}

u32 run(int which, int rounds) {
  u32 result = 0;
  for (int i = 0; i < SIZE; i++) doubles[i] = i * 0.01, singles[i] = i * 0.02f, more[i] = 1 + i * 0.001f;
  _mm_setcsr(0x1f80);
  for (int round = 0; round < rounds; round++) {
    switch (which) {
    case 0: result = hash(result, scalar()); break;
    case 1: result = hash(result, packed()); break;
    case 2: result = hash(result, pairs()); break;
    case 3: result = hash(result, grid()); break;
    case 4: result = hash(result, exact()); break;
    }
  }
  return result;
}

#ifdef NATIVE
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { printf("%u\n", run(atoi(argv[1]), atoi(argv[2]))); }
#else
/* CR4: OSFXSR. */
__asm__(".globl _start\n_start:\n push %ecx\n push %ebx\n mov %cr4, %eax\n or $0x200, %eax\n mov %eax, %cr4\n call run\n hlt\n");
#endif
