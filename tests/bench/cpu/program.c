/* Guest programs of the processor benchmark: gcc -m32 -O1, freestanding, flat at 1 MiB. */
typedef unsigned u32;
typedef unsigned char u8;
static u32 seed;
static u32 table[256], numbers[20000];
static u8 bytes[65536];

static u32 next(void) { seed = seed * 1103515245 + 12345; return seed >> 8; }

static u32 crc(const u8 *p, u32 n) {
  u32 c = ~0u;
  while (n--) c = table[(c ^ *p++) & 255] ^ (c >> 8);
  return ~c;
}

static int compare(u32 a, u32 b) { return a < b ? -1 : a > b; }

static void sort(u32 *a, int low, int high) {
  while (low < high) {
    u32 pivot = a[(low + high) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (compare(a[i], pivot) < 0) i++;
      while (compare(a[j], pivot) > 0) j--;
      if (i <= j) { u32 t = a[i]; a[i] = a[j]; a[j] = t; i++; j--; }
    }
    if (j - low < high - i) { sort(a, low, j); low = i; } else { sort(a, i, high); high = j; }
  }
}

static u32 search(const u8 *text, u32 n, const char *word, u32 m) {
  u32 found = 0;
  for (u32 i = 0; i + m <= n; i++) {
    u32 k = 0;
    while (k < m && text[i + k] == (u8)word[k]) k++;
    found += k == m;
  }
  return found;
}

static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

u32 run(int which, int rounds) {
  u32 result = 0;
  seed = 1;
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  for (int round = 0; round < rounds; round++) {
    switch (which) {
    case 0:
      for (int i = 0; i < 20000; i++) numbers[i] = next();
      sort(numbers, 0, 19999);
      for (int i = 0; i < 20000; i++) result = result * 31 + numbers[i];
      break;
    case 1:
      for (u32 i = 0; i < 65536; i++) bytes[i] = next();
      result = result * 31 + crc(bytes, 65536);
      break;
    case 2:
      for (u32 i = 0; i < 65536; i++) bytes[i] = "abcd"[next() & 3];
      result += search(bytes, 65536, "abca", 4);
      break;
    case 3:
      result += fib(20);
      break;
    case 4:
      for (u32 i = 0; i < 65536; i++) ((volatile u32 *)numbers)[i & 1023] += i ^ result;
      result += numbers[5];
      break;
    }
  }
  return result;
}

#ifdef NATIVE
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { printf("%u\n", run(atoi(argv[1]), atoi(argv[2]))); }
#else
__asm__(".globl _start\n_start:\n push %ecx\n push %ebx\n call run\n hlt\n");
#endif
