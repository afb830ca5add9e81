/* What the programs of the benchmark kernel share. */
#ifndef BENCH_H
#define BENCH_H
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* What a program needs from the processor. */
enum { NEEDS_SYSENTER = 1, NEEDS_SSE2 = 2 };

/* One program: run(n) does its work n times and returns a checksum, equal in each run with this n. */
struct program {
  const char *name;
  const char *group;
  /* Such that QEMU (TCG) takes about a second on a quiet machine. */
  u32 iterations;
  u32 (*run)(u32 n);
  u32 needs;
};

/* Each table ends with an entry without a name. */
extern const struct program compute_programs[], system_programs[], string_programs[],
    patch_programs[], x87_programs[], sse_programs[], calls_programs[];

static inline u32 mix(u32 sum, u32 value) {
  sum ^= value;
  return (sum << 5 | sum >> 27) * 0x9e3779b1u;
}

/* A generator of numbers for data (xorshift, Marsaglia 2003). */
static inline u32 next_random(u32 *state) {
  u32 x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

#define NOINLINE __attribute__((noinline, noclone))
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#endif
