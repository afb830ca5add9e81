/* Programs of the groups "patch" and "jit": code that changes, and code that is written and then run. */
#include "bench.h"

/* Each round rewrites the immediate of one instruction in its loop and runs it. */
static u32 patched(u32 n) {
  u32 sum = 0;
  __asm__ volatile(
      "1: movl %%ecx, 2f + 1\n"
      "2: movl $0, %%eax\n"
      "addl %%eax, %0\n"
      "roll $3, %0\n"
      "decl %%ecx\n"
      "jnz 1b"
      : "+d"(sum), "+c"(n)
      :
      : "eax", "memory", "cc");
  return sum;
}

static u8 __attribute__((aligned(4096))) code[1 << 19];
static u8 *emit(u8 *at, u32 count, u32 bytes) {
  while (count--) *at++ = (u8)bytes, bytes >>= 8;
  return at;
}
static u8 *emit_word(u8 *at, u32 word) { return emit(at, 4, word); }

/* Writes a function that works on EAX in a loop of eight instructions, and runs it. */
static u32 write_and_run(u8 *start, u32 sum, u32 *state) {
  enum { ROUNDS = 100000 };
  u8 *at = start;
  at = emit(at, 1, 0x50);                             /* push eax */
  at = emit(at, 1, 0xb9), at = emit_word(at, ROUNDS); /* mov ecx, ROUNDS */
  u8 *const loop = at;
  at = emit(at, 1, 0x05), at = emit_word(at, next_random(state)); /* add eax, random */
  at = emit(at, 3, 0x07c0c1);                         /* rol eax, 7 */
  at = emit(at, 1, 0x35), at = emit_word(at, next_random(state)); /* xor eax, random */
  at = emit(at, 3, 0x240401);                         /* add [esp], eax */
  at = emit(at, 3, 0x240403);                         /* add eax, [esp] */
  at = emit(at, 2, 0xc8d1);                           /* ror eax, 1 */
  at = emit(at, 1, 0x49);                             /* dec ecx */
  at = emit(at, 2, 0x75 | (u32)(u8)(loop - at - 2) << 8); /* jnz loop */
  at = emit(at, 1, 0x59);                             /* pop ecx */
  at = emit(at, 1, 0xc3);                             /* ret */
  __asm__ volatile("call *%1" : "+a"(sum) : "r"(start) : "ecx", "memory", "cc");
  return sum;
}

/* Each function in a place of its own. */
static u32 written(u32 n) {
  u32 sum = 0, state = 31;
  for (u32 i = 0; i < n; i++)
    sum = mix(sum, write_and_run(code + (i & 4095) * 128, sum, &state));
  return sum;
}

/* Over sixteen older functions again and again, as a compiler uses its buffer. */
static u32 reused(u32 n) {
  u32 sum = 0, state = 37;
  for (u32 i = 0; i < n; i++)
    sum = mix(sum, write_and_run(code + (i & 15) * 128, sum, &state));
  return sum;
}

/* Writes a short function and calls it eight times only: writing and first runs are what counts. */
static u32 rewritten(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < n; i++) {
    u8 *const start = code + (i & 1023) * 64, *at = start;
    at = emit(at, 1, 0x05), at = emit_word(at, i);  /* add eax, i */
    at = emit(at, 3, 0x07c0c1);                     /* rol eax, 7 */
    at = emit(at, 1, 0x35), at = emit_word(at, ~i); /* xor eax, ~i */
    at = emit(at, 1, 0xc3);                         /* ret */
    for (u32 k = 0; k < 8; k++)
      __asm__ volatile("call *%1" : "+a"(sum) : "r"(start) : "memory", "cc");
  }
  return sum;
}

const struct program patch_programs[] = {
    {"patched", "patch", 40000, patched, 0},
    {"rewritten", "patch", 40000, rewritten, 0},
    {"written", "jit", 2000, written, 0},
    {"reused", "jit", 2000, reused, 0},
    {0, 0, 0, 0, 0}};
