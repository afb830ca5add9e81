/*
 * The benchmark kernel: runs the programs that the command line names and reports on COM1.
 *
 * Command line: only=NAME,GROUP,... runs=N divide=N (iterations are divided by it).
 * Output, a line each: "begin NAME RUN", "end NAME RUN CHECKSUM", "skip NAME WHY", at last "done".
 */
#include "machine.h"

/* Compilers call these. */
void *memset(void *to, int value, u32 length) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(length) : "a"(value) : "memory");
  return to;
}
void *memcpy(void *to, const void *from, u32 length) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(length) : : "memory");
  return to;
}

static void print_byte(char byte) {
  while (!(in(COM1 + 5) & 0x20)) {}
  out(COM1, (u8)byte);
}
void print(const char *text) {
  while (*text) print_byte(*text++);
}
static void print_hex(u32 value) {
  for (int shift = 28; shift >= 0; shift -= 4) print_byte("0123456789abcdef"[value >> shift & 15]);
}
void fail(const char *text, u32 value) {
  print("failed: ");
  print(text);
  print_hex(value);
  print("\n");
  for (;;) __asm__ volatile("cli; hlt");
}
void unexpected_event(const u32 *frame) {
  print("frame ");
  for (int i = 0; i < 4; i++) print_hex(frame[i]), print(" ");
  fail("unexpected exception or interrupt, stack at ", (u32)frame);
}

extern u32 idt[512];
void set_gate(u32 vector, void (*entry)(void), u32 privilege) {
  idt[vector * 2] = 0x80000 | ((u32)entry & 0xffff);
  idt[vector * 2 + 1] = ((u32)entry & 0xffff0000) | 0x8e00 | privilege << 13;
}

static void start_serial(void) {
  out(COM1 + 1, 0);
  out(COM1 + 3, 0x80);
  out(COM1, 1), out(COM1 + 1, 0);
  out(COM1 + 3, 3);
  out(COM1 + 2, 0);
  out(COM1 + 4, 0x0b);
}

/* What of the needs this processor has. */
static u32 processor_has(void) {
  u32 a = 1, b, c, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  u32 has = d & 1 << 11 ? NEEDS_SYSENTER : 0;
  if (d & 1 << 26) {
    has |= NEEDS_SSE2;
    /* CR4.OSFXSR (and OSXMMEXCPT) make SSE's instructions valid (SDM vol. 3A §2.5). */
    __asm__ volatile("movl %%cr4, %%eax; orl $0x600, %%eax; movl %%eax, %%cr4" : : : "eax");
  }
  return has;
}

struct choices {
  const char *only;
  u32 runs, divide;
};
static int begins(const char *text, const char *with) {
  while (*with)
    if (*text++ != *with++) return 0;
  return 1;
}
static u32 number(const char *text) {
  u32 value = 0;
  while (*text >= '0' && *text <= '9') value = value * 10 + (u32)(*text++ - '0');
  return value;
}
static struct choices parse(const char *text) {
  struct choices choices = {"", 2, 1};
  for (int word = 1; *text; word = *text++ == ' ') {
    if (!word) continue;
    if (begins(text, "only=")) choices.only = text + 5;
    if (begins(text, "runs=")) choices.runs = number(text + 5);
    if (begins(text, "divide=")) choices.divide = number(text + 7);
  }
  return choices;
}
static int lists(const char *list, const char *name) {
  for (int word = 1; *list && *list != ' '; word = *list++ == ',') {
    if (!word || !begins(list, name)) continue;
    const char *at = list;
    for (const char *n = name; *n; n++) at++;
    if (*at == 0 || *at == ' ' || *at == ',') return 1;
  }
  return 0;
}

static void run(const struct program *program, const struct choices *choices, u32 has) {
  if (*choices->only && !lists(choices->only, program->name) && !lists(choices->only, program->group))
    return;
  if (program->needs & ~has) {
    print("skip "), print(program->name), print(" the processor has no ");
    print(program->needs & NEEDS_SSE2 ? "SSE2\n" : "SYSENTER\n");
    return;
  }
  const u32 n = program->iterations / choices->divide;
  for (u32 i = 1; i <= choices->runs; i++) {
    const char digits[] = {(char)('0' + i), 0};
    print("begin "), print(program->name), print(" "), print(digits), print("\n");
    const u32 sum = program->run(n ? n : 1);
    print("end "), print(program->name), print(" "), print(digits), print(" ");
    print_hex(sum), print("\n");
  }
}

/* info: Multiboot information; flag 2 says that it has the command line's address. */
void bench_main(const u32 *info) {
  const struct program *const tables[] = {compute_programs, system_programs, string_programs,
                                          patch_programs,   x87_programs,    sse_programs,
                                          calls_programs};
  start_serial();
  out(PIC1 + 1, 0xff), out(PIC2 + 1, 0xff);
  __asm__ volatile("movl %%cr0, %%eax; andl $~0xe, %%eax; movl %%eax, %%cr0; fninit" : : : "eax");
  const struct choices choices = parse(info[0] & 4 ? (const char *)info[4] : "");
  const u32 has = processor_has();
  start_paging();
  for (u32 i = 0; i < LENGTH(tables); i++)
    for (const struct program *p = tables[i]; p->name; p++) run(p, &choices, has);
  print("done\n");
}
