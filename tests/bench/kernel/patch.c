/* Programs of the group "patch": code that changes. */
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

static u8 __attribute__((aligned(4096))) code[16 * 4096];
static u8 *emit(u8 *at, u32 count, u32 bytes) {
  while (count--) *at++ = (u8)bytes, bytes >>= 8;
  return at;
}
static u8 *emit_word(u8 *at, u32 word) { return emit(at, 4, word); }

/* Writes one of 64 functions, a loop of ten instructions, over an older one and runs it. */
static u32 written(u32 n) {
  u32 sum = 0, state = 31;
  for (u32 i = 0; i < n; i++) {
    u8 *const start = code + (i & 63) * 1024, *at = start;
    const u32 rounds = 20000;
    at = emit(at, 1, 0x50);                        /* push eax */
    at = emit(at, 1, 0xb9), at = emit_word(at, rounds); /* mov ecx, rounds */
    u8 *const loop = at;
    at = emit(at, 1, 0x05), at = emit_word(at, next_random(&state)); /* add eax, random */
    at = emit(at, 3, 0x07c0c1);                    /* rol eax, 7 */
    at = emit(at, 1, 0x35), at = emit_word(at, next_random(&state)); /* xor eax, random */
    at = emit(at, 3, 0x240401);                    /* add [esp], eax */
    at = emit(at, 3, 0x240403);                    /* add eax, [esp] */
    at = emit(at, 2, 0xc8d1);                      /* ror eax, 1 */
    at = emit(at, 1, 0x49);                        /* dec ecx */
    at = emit(at, 2, 0x75 | (u32)(u8)(loop - at - 2) << 8); /* jnz loop */
    at = emit(at, 1, 0x59);                        /* pop ecx */
    at = emit(at, 1, 0xc3);                        /* ret */
    u32 result = sum;
    __asm__ volatile("call *%1" : "+a"(result) : "r"(start) : "ecx", "memory", "cc");
    sum = mix(sum, result);
  }
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
    {"written", "patch", 8000, written, 0},
    {"rewritten", "patch", 40000, rewritten, 0},
    {0, 0, 0, 0, 0}};
