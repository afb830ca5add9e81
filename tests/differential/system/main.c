/*
 * Bare-metal probe of the system side of an i386: what each scenario raises, and the state then.
 *
 * Every scenario starts from the same tables and ends in one line on port 0xE9. QEMU (or the hardware under
 * KVM) and our processor run the same program; the lines must be equal.
 * Sources: SDM vol. 3A chapters 3 to 7.
 */
#include "probe.h"

u32 gdt[256][2] __attribute__((aligned(8)));
u32 idt[64][2] __attribute__((aligned(8)));
u32 ldt[16][2] __attribute__((aligned(8)));
u32 tss[26 + 64] __attribute__((aligned(128)));
u16 tss16[22] __attribute__((aligned(128)));
u32 page_directory[1024] __attribute__((aligned(4096)));
u32 page_table[1024] __attribute__((aligned(4096)));
u8 test_page[2][4096] __attribute__((aligned(4096)));
struct entry entry;

struct pointer { u16 limit; u32 base; } __attribute__((packed));
struct pointer gdt_pointer, idt_pointer;

extern u8 stubs[];

static char line[2048];
static u32 used;

void print(const char *text) { while (*text) line[used++] = *text++; }
void print_hex(u32 value) {
  int shift = 28;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) line[used++] = "0123456789abcdef"[(value >> shift) & 15];
}
void end_line(void) {
  line[used++] = '\n';
  const char *from = line;
  u32 count = used;
  __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0xe9) : "memory");
  used = 0;
}
static void field(const char *name, u32 value) {
  print(name);
  print_hex(value);
}

void set_descriptor(u32 selector, u32 base, u32 limit, u32 access, u32 flags) {
  u32 *at = (selector & 4 ? ldt : gdt)[selector >> 3];
  at[0] = (limit & 0xffff) | base << 16;
  at[1] = ((base >> 16) & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 | (base & 0xff000000);
}
void set_gate(u32 *at, u32 selector, u32 offset, u32 access, u32 count) {
  at[0] = (offset & 0xffff) | selector << 16;
  at[1] = (offset & 0xffff0000) | access << 8 | count;
}

/* The state from which every scenario starts. */
void reset(void) {
  set_descriptor(CODE0, 0, 0xfffff, 0x9b, 0xc);
  set_descriptor(DATA0, 0, 0xfffff, 0x93, 0xc);
  set_descriptor(CODE3, 0, 0xfffff, 0xfb, 0xc);
  set_descriptor(DATA3, 0, 0xfffff, 0xf3, 0xc);
  set_descriptor(TSS, (u32)tss, sizeof tss - 1, 0x89, 0);
  set_descriptor(LDT, (u32)ldt, sizeof ldt - 1, 0x82, 0);
  set_descriptor(CODE16, 0, 0xfffff, 0x9b, 0x8);
  set_descriptor(DATA16, 0, 0xffff, 0x93, 0);
  set_descriptor(TSS16, (u32)tss16, sizeof tss16 - 1, 0x81, 0);
  for (u32 vector = 0; vector < 64; vector++) {
    set_gate(idt[vector], CODE0, (u32)stubs + 16 * vector, vector == DONE ? 0xee : 0x8e, 0);
  }
  for (u32 i = 0; i < 26; i++) tss[i] = 0;
  for (u32 i = 26; i < 26 + 64; i++) tss[i] = 0xffffffff;
  tss[1] = tss16[1] = (u32)inner_stack_top;
  tss[2] = tss16[2] = DATA0;
  tss[25] = 104 << 16;
  u32 base = 0;
  for (u32 i = 0; i < 4; i++, base += 0x400000) page_directory[i] = base | 0x87;
  entry.ecx = entry.edx = entry.ebx = entry.esi = entry.edi = 0;
  entry.eflags = 2;
  __asm__ volatile(
    "movl %1, %%cr3\n movl %0, %%cr0\n lldt %w2\n ltr %w3"
    :: "r"(0x80010031), "r"(page_directory), "r"(0), "r"(TSS) : "memory");
}

void run(int cpl, void (*code)(void)) {
  u32 *stack = (u32 *)scenario_stack_top;
  for (int i = 1; i <= 24; i++) stack[-i] = ((u32 *)inner_stack_top)[-i] = 0;
  entry.data = cpl ? DATA3 : DATA0;
  entry.code = cpl ? CODE3 : CODE0;
  if (entry.esp == 0) entry.esp = (u32)(stack - 16);
  entry.eip = (u32)code;
  enter(&entry);
  entry.esp = 0;
}

/* Vector, error code, place, flags, stack pointer, segments. */
void report(void) {
  const struct record *r = record;
  u32 inner = (r->cs & 3) == 0;
  field(" v=", r->vector);
  if (r->error != 0x0badc0de) field(" e=", r->error);
  field(" ip=", r->eip);
  field(" cs=", r->cs & 0xffff);
  /* AF after logic is undefined; QEMU does not set RF in the image of a fault. */
  field(" fl=", r->eflags & ~0x10010u);
  field(" sp=", inner ? (u32)&r->outer_esp : r->outer_esp);
  field(" ss=", inner ? r->ss : r->outer_ss & 0xffff);
  print(" seg=");
  print_hex(r->ds);
  field(",", r->es);
  field(",", r->fs);
  field(",", r->gs);
  if (r->vector == 14) field(" cr2=", r->cr2);
  end_line();
}
/* The same with general registers and the words on the stacks. */
void report_full(void) {
  const struct record *r = record;
  u32 inner = (r->cs & 3) == 0;
  const u32 *sp = inner ? &r->outer_esp : (u32 *)r->outer_esp;
  field(" a=", r->eax);
  field(" c=", r->ecx);
  field(" d=", r->edx);
  field(" b=", r->ebx);
  print(" st=");
  for (int i = 0; i < 10 && sp + i < (u32 *)scenario_stack_top; i++) field(i ? "," : "", sp[i] & ~0x10000u);
  report();
}

void main(void) {
  gdt_pointer = (struct pointer){sizeof gdt - 1, (u32)gdt};
  idt_pointer = (struct pointer){sizeof idt - 1, (u32)idt};
  set_descriptor(CODE0, 0, 0xfffff, 0x9b, 0xc);
  set_descriptor(DATA0, 0, 0xfffff, 0x93, 0xc);
  load_tables();
  /* No interrupts of the board. */
  __asm__ volatile("outb %%al, $0x21\n outb %%al, $0xa1" :: "a"(0xff));
  /* 16-bit gates reach the lowest 64 KiB only. */
  u8 *low = (u8 *)LOW_LANDING;
  __asm__("" : "+r"(low));
  low[0] = 0xcd;
  low[1] = DONE;
  u32 cr4;
  __asm__ volatile("movl %%cr4, %0\n orl $0x90, %0\n movl %0, %%cr4" : "=&r"(cr4));
  reset();
  instruction_scenarios();
  flag_scenarios();
  segment_scenarios();
  gate_scenarios();
  paging_scenarios();
  task_scenarios();
  virtual_scenarios();
  debug_scenarios();
  real_scenarios();
  print("end");
  end_line();
}
