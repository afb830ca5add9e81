/* Programs of the group "strings": REP MOVS and REP STOS of several sizes. */
#include "bench.h"

/* Two buffers of 1 MiB and a page, at odd distances from page boundaries where a program says so. */
static u8 __attribute__((aligned(4096))) from_bytes[(1 << 20) + 8192], to_bytes[(1 << 20) + 8192];

static void movs_words(void *to, const void *from, u32 count) {
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}
static void movs_bytes(void *to, const void *from, u32 count) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}
static void stos_words(void *to, u32 value, u32 count) {
  __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}
static void stos_bytes(void *to, u32 value, u32 count) {
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

static u32 sum_of(const u8 *bytes, u32 length) {
  u32 sum = 0;
  for (u32 i = 0; i < length; i += 4) sum = mix(sum, *(const u32 *)(bytes + i));
  return sum;
}
static void fill(void) {
  u32 state = 23;
  for (u32 i = 0; i < sizeof from_bytes; i++) from_bytes[i] = (u8)next_random(&state);
}

static u32 movs_small(u32 n) {
  fill();
  for (u32 i = 0; i < n; i++)
    movs_words(to_bytes + (i * 60 & 0xffff), from_bytes + (i * 20 & 0xffff), 4 + (i & 15));
  return sum_of(to_bytes, 1 << 16);
}
static u32 movs_page(u32 n) {
  fill();
  for (u32 i = 0; i < n; i++)
    movs_words(to_bytes + (i << 12 & 0xfffff), from_bytes + (i * 3 << 12 & 0xfffff), 1024);
  return sum_of(to_bytes, 1 << 20);
}
static u32 movs_large(u32 n) {
  fill();
  for (u32 i = 0; i < n; i++) movs_words(to_bytes + (i & 3) * 4, from_bytes + (i & 7) * 4, 1 << 18);
  return sum_of(to_bytes, 1 << 20);
}
static u32 movs_odd(u32 n) {
  fill();
  for (u32 i = 0; i < n; i++) movs_bytes(to_bytes + (i & 63), from_bytes + (i * 7 & 127), 10000);
  return sum_of(to_bytes, 10000);
}
static u32 stos_small(u32 n) {
  for (u32 i = 0; i < n; i++) stos_words(to_bytes + (i * 60 & 0xffff), i, 4 + (i & 15));
  return sum_of(to_bytes, 1 << 16);
}
static u32 stos_page(u32 n) {
  for (u32 i = 0; i < n; i++) stos_words(to_bytes + (i << 12 & 0xfffff), i + 1, 1024);
  return sum_of(to_bytes, 1 << 20);
}
static u32 stos_large(u32 n) {
  for (u32 i = 0; i < n; i++) stos_words(to_bytes + (i & 3) * 4, i + 1, 1 << 18);
  return sum_of(to_bytes, 1 << 20);
}
static u32 stos_odd(u32 n) {
  for (u32 i = 0; i < n; i++) stos_bytes(to_bytes + (i & 63), i + 1, 10000);
  return sum_of(to_bytes, 10000);
}

/* REPNE SCASB and REPE CMPSB, as old string functions use them. */
static u32 scan(u32 n) {
  u32 sum = 0;
  fill();
  for (u32 i = 0; i < 4096; i++) from_bytes[i] |= 1;
  for (u32 i = 0; i < n; i++) {
    const u32 length = 16 + (i * 37 & 1023);
    u8 *end = from_bytes + length;
    *end = 0;
    const u8 *at = from_bytes;
    u32 left = 4096;
    __asm__ volatile("repne scasb" : "+D"(at), "+c"(left) : "a"(0) : "memory");
    sum += left;
    *end = 1;
  }
  return sum;
}
static u32 compare(u32 n) {
  u32 sum = 0;
  fill();
  movs_bytes(to_bytes, from_bytes, 4096);
  for (u32 i = 0; i < n; i++) {
    u8 *end = to_bytes + 16 + (i * 37 & 1023);
    *end ^= 1;
    const u8 *a = from_bytes, *b = to_bytes;
    u32 left = 4096;
    __asm__ volatile("repe cmpsb" : "+D"(a), "+S"(b), "+c"(left) : : "memory");
    sum += left;
    *end ^= 1;
  }
  return sum;
}

const struct program string_programs[] = {
    {"movs-small", "strings", 12000000, movs_small, 0},
    {"movs-page", "strings", 240000, movs_page, 0},
    {"movs-large", "strings", 1000, movs_large, 0},
    {"movs-odd", "strings", 40000, movs_odd, 0},
    {"stos-small", "strings", 20000000, stos_small, 0},
    {"stos-page", "strings", 400000, stos_page, 0},
    {"stos-large", "strings", 1200, stos_large, 0},
    {"stos-odd", "strings", 50000, stos_odd, 0},
    {"scas", "scan", 600000, scan, 0},
    {"cmps", "scan", 500000, compare, 0},
    {0, 0, 0, 0, 0}};
