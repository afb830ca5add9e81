/* Programs of the group "x87", compiled for the x87 alone. */
#include "bench.h"

static u32 bits(double value) {
  union { double value; u32 words[2]; } u = {value};
  return u.words[0] ^ u.words[1];
}

static double values[256];
static void fill(void) {
  u32 state = 11;
  for (u32 i = 0; i < LENGTH(values); i++) values[i] = 0.5 + next_random(&state) / 8589934592.0;
}

/* FLD, FMUL, FADD, FSTP with operands in memory. */
static u32 x87_mix(u32 n) {
  volatile double sum = 0;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) sum = sum * 0.96875 + values[i];
  return bits(sum);
}

/* A polynomial on the register stack. */
static u32 x87_stack(u32 n) {
  double sum = 0;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) {
      const double x = values[i];
      sum += (((0.041666 * x - 0.5) * x + 0.25) * x - 0.166667) * x + 1;
      sum *= 0.75;
    }
  return bits(sum);
}

static u32 x87_divide(u32 n) {
  double sum = 1;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) sum = values[i] / (sum + 1.5);
  return bits(sum);
}

static u32 x87_root(u32 n) {
  double sum = 1;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) {
      double root;
      __asm__("fsqrt" : "=t"(root) : "0"(sum + values[i]));
      sum = root;
    }
  return bits(sum);
}

/* The last bits of FSIN differ between implementations: the checksum has 2^-20. */
static u32 x87_sine(u32 n) {
  u32 sum = 0;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) {
      double sine;
      __asm__("fsin" : "=t"(sine) : "0"(values[i] + (round & 3)));
      sum += (u32)(int)(sine * 1048576.0);
    }
  return sum;
}

static u32 x87_compare(u32 n) {
  u32 less = 0;
  fill();
  for (u32 round = 0; round < n; round++) {
    const double limit = 0.5 + (round & 127) / 256.0;
    for (u32 i = 0; i < LENGTH(values); i++) {
      if (values[i] < limit) less++;
      else if (values[i] > 0.9) less += 3;
    }
  }
  return less;
}

/* Integers and reals: FILD, FISTP. */
static u32 x87_integers(u32 n) {
  u32 sum = 0;
  fill();
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(values); i++) {
      int whole;
      const int left = (int)(round + i);
      __asm__("fistpl %0" : "=m"(whole) : "t"(values[i] * left) : "st");
      sum += (u32)whole;
    }
  return sum;
}

const struct program x87_programs[] = {
    {"x87-mix", "x87", 30000, x87_mix, 0},
    {"x87-stack", "x87", 9000, x87_stack, 0},
    {"x87-divide", "x87", 24000, x87_divide, 0},
    {"x87-root", "x87", 24000, x87_root, 0},
    {"x87-sine", "x87", 24000, x87_sine, 0},
    {"x87-compare", "x87", 80000, x87_compare, 0},
    {"x87-integers", "x87", 45000, x87_integers, 0},
    {0, 0, 0, 0, 0}};
