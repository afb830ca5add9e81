/*
 * Programs of the group "calls": functions that call each other all the time, none of which is small enough to
 * become part of its caller at a glance. They run natively too, which gives the expected checksums.
 */
#include "bench.h"

/* Recursive descent through expressions: sums call products, products call primaries, primaries call sums. */
static const char expression[] =
    "(3+4*(7-2))*(9+8/(1+1))-((6*7+5)*(2+3)-(8-(4+(3*(2+1))))/2)+((1+2)*(3+4)*(5+6)-7*(8+9))";
struct reader {
  const char *at;
  u32 steps;
};
static NOINLINE int read_sum(struct reader *in);
static NOINLINE int read_primary(struct reader *in) {
  in->steps++;
  if (*in->at == '(') {
    in->at++;
    int value = read_sum(in);
    in->at++;
    return value;
  }
  int value = 0;
  while (*in->at >= '0' && *in->at <= '9') value = value * 10 + (*in->at++ - '0');
  return value;
}
static NOINLINE int read_product(struct reader *in) {
  int value = read_primary(in);
  for (;;) {
    const char sign = *in->at;
    if (sign != '*' && sign != '/') return value;
    in->at++;
    int other = read_primary(in);
    if (sign == '*') value *= other;
    else value /= other ? other : 1;
  }
}
static NOINLINE int read_sum(struct reader *in) {
  int value = read_product(in);
  for (;;) {
    const char sign = *in->at;
    if (sign != '+' && sign != '-') return value;
    in->at++;
    int other = read_product(in);
    value = sign == '+' ? value + other : value - other;
  }
}
static u32 parser(u32 n) {
  u32 sum = 0;
  for (u32 round = 0; round < n; round++) {
    struct reader in = {expression, round};
    sum = mix(sum, (u32)read_sum(&in) + in.steps);
  }
  return sum;
}

/* Layers as in a kernel: a request goes down through several functions of middle size, each of which checks and counts. */
struct buffer {
  u32 number, length, state, users;
  u32 words[16];
};
static struct buffer buffers[64];
struct volume {
  u32 hits, misses, errors, clock;
};
static struct volume volume;
static NOINLINE struct buffer *find_buffer(struct volume *v, u32 number) {
  struct buffer *b = &buffers[(number * 2654435761u) >> 26];
  v->clock++;
  if (b->number == number && b->state == 1) {
    v->hits++;
    b->users++;
    return b;
  }
  v->misses++;
  b->number = number;
  b->length = 64;
  b->state = 1;
  b->users = 1;
  for (u32 i = 0; i < 16; i += 4) {
    b->words[i] = number + i;
    b->words[i + 1] = number ^ i;
    b->words[i + 2] = number * (i + 3);
    b->words[i + 3] = ~number;
  }
  return b;
}
static NOINLINE void release_buffer(struct volume *v, struct buffer *b) {
  if (b->users == 0) v->errors++;
  else b->users--;
  if ((v->clock & 1023) == 0) b->state = 0;
}
static NOINLINE u32 read_word(struct volume *v, u32 block, u32 offset) {
  struct buffer *b = find_buffer(v, block);
  u32 value;
  if (offset >= b->length >> 2) {
    v->errors++;
    value = 0;
  } else value = b->words[offset];
  release_buffer(v, b);
  return value;
}
static NOINLINE u32 read_file(struct volume *v, u32 inode, u32 position, u32 count) {
  u32 sum = inode;
  while (count > 0) {
    u32 block = (inode * 37 + (position >> 6)) & 0xff;
    sum = (sum << 1 | sum >> 31) + read_word(v, block, (position >> 2) & 15);
    position += 4;
    count--;
  }
  return sum;
}
static NOINLINE u32 handle(struct volume *v, u32 call, u32 a, u32 b) {
  switch (call & 3) {
    case 0: return read_file(v, a & 7, b & 0xfff, 3);
    case 1: return read_word(v, a & 0xff, b & 15);
    case 2: return read_file(v, b & 7, a & 0xfff, 2) ^ read_word(v, b & 0xff, a & 15);
    default: return v->hits - v->misses;
  }
}
static u32 layers(u32 n) {
  u32 sum = 0;
  volume = (struct volume){0, 0, 0, 0};
  for (u32 i = 0; i < LENGTH(buffers); i++) buffers[i] = (struct buffer){.number = ~0u};
  for (u32 round = 0; round < n; round++) sum = mix(sum, handle(&volume, round, sum, round * 5));
  return sum ^ volume.errors;
}

const struct program calls_programs[] = {
    {"parser", "calls", 400000, parser, 0},
    {"layers", "calls", 6000000, layers, 0},
    {0, 0, 0, 0, 0}};
