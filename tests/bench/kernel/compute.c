/*
 * Programs of the group "compute": integers and memory, as a C compiler makes them. They run natively
 * too, which gives the expected checksums.
 */
#include "bench.h"

/* Arithmetic in registers: shifts, rotations, carries, multiplications, a division. */
static u32 alu(u32 n) {
  u32 a = 0x12345678, b = 0x9abcdef0, c = 1;
  u64 wide = 1;
  for (u32 i = 0; i < n; i++) {
    a += b ^ i;
    b = (b << 7 | b >> 25) - a;
    c = c * 0x01000193 + (a >> 3);
    wide += (u64)a << 17 | c;
    a ^= (u32)(wide >> 32);
    if ((int)b < (int)c) c -= b & 0xffff;
    else c ^= ~a;
    b += (u8)a * 3 + (u16)c;
    if ((i & 15) == 0) a += c / ((b & 0xff) + 1);
  }
  return a ^ b ^ c ^ (u32)wide;
}

/* After R. Weicker's Dhrystone (CACM 27(10), 1984): the same mix of procedures, records, strings and arrays. */
enum ident { IDENT_1, IDENT_2, IDENT_3, IDENT_4, IDENT_5 };
struct record {
  struct record *next;
  enum ident discriminant, component;
  int number;
  char text[31];
};
static struct record record_a, record_b;
static struct record *global_record, *next_record;
static int global_int, global_bool;
static char global_char_1, global_char_2;
static int array_1[50], array_2[50][50];

static NOINLINE int compare_text(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static NOINLINE void copy_text(char *to, const char *from) {
  while ((*to++ = *from++)) {}
}

static NOINLINE enum ident function_1(char a, char b) {
  char c = a;
  if (c != b) return IDENT_1;
  global_char_1 = c;
  return IDENT_2;
}

static NOINLINE int function_2(const char *a, const char *b) {
  int i = 2;
  char c = 'A';
  while (i <= 2)
    if (function_1(a[i], b[i + 1]) == IDENT_1) c = 'A', i++;
  if (c >= 'W' && c < 'Z') i = 7;
  if (c == 'R') return 1;
  if (compare_text(a, b) <= 0) return 0;
  global_int = i + 7;
  return 1;
}

static NOINLINE int function_3(enum ident value) { return value == IDENT_3; }

static NOINLINE void procedure_6(enum ident value, enum ident *to) {
  *to = value;
  if (!function_3(value)) *to = IDENT_4;
  switch (value) {
    case IDENT_1: *to = IDENT_1; break;
    case IDENT_2: *to = global_int > 100 ? IDENT_1 : IDENT_4; break;
    case IDENT_3: *to = IDENT_2; break;
    case IDENT_4: break;
    case IDENT_5: *to = IDENT_3; break;
  }
}

static NOINLINE void procedure_7(int a, int b, int *to) { *to = b + a + 2; }

static NOINLINE void procedure_8(int *one, int (*two)[50], int a, int b) {
  int at = a + 5;
  one[at] = b;
  one[at + 1] = one[at];
  one[at + 30] = at;
  for (int i = at; i <= at + 1; i++) two[at][i] = at;
  two[at][at - 1]++;
  two[at + 20][at] = one[at];
  global_int = 5;
}

static NOINLINE void procedure_3(struct record **to) {
  if (global_record) *to = global_record->next;
  procedure_7(10, global_int, &global_record->number);
}

static NOINLINE void procedure_1(struct record *record) {
  struct record *next = record->next;
  *record->next = *global_record;
  record->number = 5;
  next->number = record->number;
  next->next = record->next;
  procedure_3(&next->next);
  if (next->discriminant == IDENT_1) {
    next->number = 6;
    procedure_6(record->component, &next->component);
    next->next = global_record->next;
    procedure_7(next->number, 10, &next->number);
  } else {
    *record = *record->next;
  }
}

static NOINLINE void procedure_2(int *to) {
  int value = *to + 10;
  for (;;)
    if (global_char_1 == 'A') {
      *to = --value - global_int;
      return;
    }
}

static NOINLINE void procedure_4(void) {
  global_bool |= global_char_1 == 'A';
  global_char_2 = 'B';
}

static NOINLINE void procedure_5(void) {
  global_char_1 = 'A';
  global_bool = 0;
}

static u32 dhrystone(u32 n) {
  char text_1[31], text_2[31];
  int a = 0, b = 0, c = 0;
  enum ident ident = IDENT_1;
  u32 sum = 0;
  global_record = &record_a;
  next_record = &record_b;
  record_a.next = next_record;
  record_a.discriminant = IDENT_1;
  record_a.component = IDENT_3;
  record_a.number = 40;
  global_int = 0;
  array_2[8][7] = 10;
  copy_text(record_a.text, "DHRYSTONE PROGRAM, SOME STRING");
  copy_text(text_1, "DHRYSTONE PROGRAM, 1'ST STRING");
  for (u32 i = 1; i <= n; i++) {
    procedure_5();
    procedure_4();
    a = 2;
    b = 3;
    copy_text(text_2, "DHRYSTONE PROGRAM, 2'ND STRING");
    ident = IDENT_2;
    global_bool = !function_2(text_1, text_2);
    while (a < b) {
      c = 5 * a - b;
      procedure_7(a, b, &c);
      a++;
    }
    procedure_8(array_1, array_2, a, c);
    procedure_1(global_record);
    for (char letter = 'A'; letter <= global_char_2; letter++)
      if (ident == function_1(letter, 'C')) {
        procedure_6(IDENT_1, &ident);
        copy_text(text_2, "DHRYSTONE PROGRAM, 3'RD STRING");
        b = (int)i;
        global_int = (int)i;
      }
    b *= a;
    a = b / c;
    b = 7 * (b - c) - a;
    procedure_2(&a);
    sum += (u32)(a ^ b ^ c) + (u32)ident + (u32)global_int;
  }
  return mix(sum, (u32)array_2[8][7] + (u32)record_b.number + (u8)text_2[18]);
}

static u8 sieve_flags[1 << 18];
static u32 sieve(u32 n) {
  u32 sum = 0;
  for (u32 round = 0; round < n; round++) {
    const u32 size = sizeof sieve_flags - (round & 7);
    for (u32 i = 0; i < size; i++) sieve_flags[i] = 1;
    u32 count = 0;
    for (u32 i = 2; i < size; i++) {
      if (!sieve_flags[i]) continue;
      count++;
      for (u32 k = i + i; k < size; k += i) sieve_flags[k] = 0;
    }
    sum = mix(sum, count);
  }
  return sum;
}

static int sorted[1 << 15];
static NOINLINE void sort_range(int *from, int *to) {
  while (from < to) {
    int pivot = from[(to - from) >> 1], *left = from, *right = to;
    while (left <= right) {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left <= right) {
        int kept = *left;
        *left++ = *right;
        *right-- = kept;
      }
    }
    if (right - from < to - left) {
      sort_range(from, right);
      from = left;
    } else {
      sort_range(left, to);
      to = right;
    }
  }
}
static u32 quicksort(u32 n) {
  u32 state = 0x2545f491, sum = 0;
  for (u32 round = 0; round < n; round++) {
    for (u32 i = 0; i < LENGTH(sorted); i++) sorted[i] = (int)next_random(&state);
    sort_range(sorted, sorted + LENGTH(sorted) - 1);
    for (u32 i = 0; i < LENGTH(sorted); i += 97) sum = mix(sum, (u32)sorted[i]);
  }
  return sum;
}

/* FIPS 180-4 §4.2.2 and §6.2. */
static const u32 SHA_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static u32 rotate(u32 x, int by) { return x >> by | x << (32 - by); }
static NOINLINE void sha_block(u32 h[8], const u8 *p) {
  u32 w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (u32)p[4 * i] << 24 | (u32)p[4 * i + 1] << 16 | (u32)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    u32 b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  for (int i = 0; i < 8; i++) s[i] = h[i];
  for (int i = 0; i < 64; i++) {
    u32 e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    u32 a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    u32 t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + SHA_K[i] + w[i];
    u32 t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
    s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}
static u8 message[1 << 14];
static u32 sha256(u32 n) {
  u32 h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  u32 state = 99, sum = 0;
  for (u32 i = 0; i < sizeof message; i++) message[i] = (u8)next_random(&state);
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < sizeof message; i += 64) sha_block(h, message + i);
  for (int i = 0; i < 8; i++) sum = mix(sum, h[i]);
  return sum;
}

static u32 crc_table[256];
static u32 crc32(u32 n) {
  u32 state = 7;
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
    crc_table[i] = c;
  }
  for (u32 i = 0; i < sizeof message; i++) message[i] = (u8)next_random(&state);
  u32 crc = ~0u;
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < sizeof message; i++) crc = crc >> 8 ^ crc_table[(u8)(crc ^ message[i])];
  return ~crc;
}

enum { ORDER = 64 };
static int matrix_a[ORDER][ORDER], matrix_b[ORDER][ORDER], matrix_c[ORDER][ORDER];
static u32 matrix(u32 n) {
  u32 state = 3, sum = 0;
  for (int i = 0; i < ORDER * ORDER; i++) {
    (&matrix_a[0][0])[i] = (int)(next_random(&state) & 0xfff);
    (&matrix_b[0][0])[i] = (int)(next_random(&state) & 0xfff);
  }
  for (u32 round = 0; round < n; round++) {
    for (int i = 0; i < ORDER; i++)
      for (int j = 0; j < ORDER; j++) {
        int total = 0;
        for (int k = 0; k < ORDER; k++) total += matrix_a[i][k] * matrix_b[k][j];
        matrix_c[i][j] = total;
      }
    matrix_a[round & 63][round >> 6 & 63] ^= (int)(round & 0xff);
    sum = mix(sum, (u32)matrix_c[round * 7 & 63][round * 13 & 63]);
  }
  return sum;
}

static char texts[64][128];
static NOINLINE u32 length_of(const char *text) {
  const char *p = text;
  while (*p) p++;
  return (u32)(p - text);
}
static u32 string_length(u32 n) {
  u32 state = 21, sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 length = next_random(&state) % 127;
    for (u32 k = 0; k < length; k++) texts[i][k] = (char)('a' + next_random(&state) % 26);
    texts[i][length] = 0;
  }
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < 64; i++) sum += length_of(texts[i]) * (i + 1);
  return sum;
}

/* A stack machine that counts primes by trial division: its switch is a jump table. */
enum { PUSH, LOAD, STORE, ADD, SUB, MUL, MOD, LESS, EQUAL, JUMP, JUMP_IF_ZERO, END };
static const int bytecode[] = {
    PUSH, 2, STORE, 0, PUSH, 0, STORE, 2,                    /*  0: i = 2, count = 0 */
    LOAD, 0, PUSH, 400, LESS, JUMP_IF_ZERO, 63,              /*  8: while i < 400 */
    PUSH, 2, STORE, 1,                                       /* 15:   k = 2 */
    LOAD, 0, LOAD, 1, LOAD, 1, MUL, LESS, JUMP_IF_ZERO, 31,  /* 19:   if i < k * k */
    JUMP, 47,                                                /* 29:     it is a prime */
    LOAD, 0, LOAD, 1, MOD, JUMP_IF_ZERO, 54,                 /* 31:   if i % k = 0, it is none */
    LOAD, 1, PUSH, 1, ADD, STORE, 1, JUMP, 19,               /* 38:   k = k + 1, again */
    LOAD, 2, PUSH, 1, ADD, STORE, 2,                         /* 47:   count = count + 1 */
    LOAD, 0, PUSH, 1, ADD, STORE, 0, JUMP, 8,                /* 54:   i = i + 1 */
    LOAD, 2, END};                                           /* 63: the result is count */
static NOINLINE u32 interpret(const int *code) {
  int stack[16], variables[4] = {0, 0, 0, 0}, *top = stack;
  for (const int *pc = code;;) {
    switch (*pc++) {
      case PUSH: *top++ = *pc++; break;
      case LOAD: *top++ = variables[*pc++]; break;
      case STORE: variables[*pc++] = *--top; break;
      case ADD: top--, top[-1] += top[0]; break;
      case SUB: top--, top[-1] -= top[0]; break;
      case MUL: top--, top[-1] *= top[0]; break;
      case MOD: top--, top[-1] %= top[0]; break;
      case LESS: top--, top[-1] = top[-1] < top[0]; break;
      case EQUAL: top--, top[-1] = top[-1] == top[0]; break;
      case JUMP: pc = code + *pc; break;
      case JUMP_IF_ZERO: pc = *--top ? pc + 1 : code + *pc; break;
      default: return (u32)top[-1];
    }
  }
}
static u32 bytecodes(u32 n) {
  u32 sum = 0;
  for (u32 round = 0; round < n; round++) sum = mix(sum, interpret(bytecode));
  return sum;
}

static NOINLINE u32 fibonacci(u32 n) {
  /* The barrier keeps the compiler from unrolling the recursion. */
  __asm__ volatile("" : "+r"(n));
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
static u32 recursion(u32 n) {
  u32 sum = 0;
  for (u32 round = 0; round < n; round++) sum = mix(sum, fibonacci(20 + (round & 1)));
  return sum;
}

struct node {
  struct node *next;
  u32 value;
};
static struct node nodes[1 << 15];
static u32 list(u32 n) {
  static u32 order[LENGTH(nodes)];
  u32 state = 5, sum = 0;
  for (u32 i = 0; i < LENGTH(nodes); i++) order[i] = i;
  for (u32 i = LENGTH(nodes) - 1; i > 0; i--) {
    u32 other = next_random(&state) % i, kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
  for (u32 i = 0; i < LENGTH(nodes); i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % LENGTH(nodes)]];
    nodes[order[i]].value = i;
  }
  struct node *at = nodes;
  for (u32 round = 0; round < n; round++)
    for (u32 i = 0; i < LENGTH(nodes); i++) {
      sum = (sum << 3 | sum >> 29) + at->value++;
      at = at->next;
    }
  return sum;
}

const struct program compute_programs[] = {
    {"alu", "compute", 48000000, alu, 0},
    {"dhrystone", "compute", 2400000, dhrystone, 0},
    {"sieve", "compute", 300, sieve, 0},
    {"quicksort", "compute", 120, quicksort, 0},
    {"sha256", "compute", 2000, sha256, 0},
    {"crc32", "compute", 8000, crc32, 0},
    {"matrix", "compute", 1500, matrix, 0},
    {"strlen", "compute", 60000, string_length, 0},
    {"bytecode", "compute", 3000, bytecodes, 0},
    {"recursion", "compute", 7000, recursion, 0},
    {"list", "compute", 3000, list, 0},
    {0, 0, 0, 0, 0}};
