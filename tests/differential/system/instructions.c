/*
 * Privileged and system instructions at CPL 0 and 3, I/O permission, SYSENTER, segment limits.
 * Sources: SDM vol. 2, vol. 3A §5.9; vol. 1 §19.5.
 */
#include "probe.h"

static const struct { u16 limit; u32 base; } __attribute__((packed)) empty_table = {0, 0};
__asm__(".set empty_table_pointer, empty_table");

#define ALL(_) \
  _(i_ud2, "ud2\n") _(i_hlt_privileged, "movl %cs, %eax\n testl $3, %eax\n jz 1f\n hlt\n1:" FINISH) \
  _(i_int3, "int3\n") _(i_into, "movb $0x7f, %al\n addb $1, %al\n into\n" FINISH) \
  _(i_into_not, "xorl %eax, %eax\n into\n" FINISH) \
  _(i_bound, "movl $5, %eax\n bound %eax, (%esi)\n" FINISH) \
  _(i_divide, "xorl %ecx, %ecx\n divl %ecx\n") \
  _(i_divide_overflow, "movl $2, %edx\n movl $1, %ecx\n divl %ecx\n") \
  _(i_clts, "clts\n" FINISH) _(i_invlpg, "invlpg (%esi)\n" FINISH) _(i_wbinvd, "wbinvd\n" FINISH) \
  _(i_cr0, "movl %cr0, %eax\n" FINISH) _(i_cr2, "movl %ebx, %cr2\n movl %cr2, %eax\n" FINISH) \
  _(i_cr3, "movl %cr3, %eax\n" FINISH) _(i_cr4, "movl %cr4, %eax\n" FINISH) \
  _(i_cr1, ".byte 0x0f, 0x20, 0xc8\n" FINISH) _(i_cr5, ".byte 0x0f, 0x22, 0xe8\n" FINISH) \
  _(i_dr0, "movl %ebx, %dr0\n movl %dr0, %eax\n" FINISH) \
  _(i_dr6, "movl $0, %eax\n movl %eax, %dr6\n movl %dr6, %eax\n" FINISH) \
  _(i_dr4, ".byte 0x0f, 0x21, 0xe0\n movl %eax, %ebx\n xorl %eax, %eax\n" FINISH) \
  _(i_lmsw, "smsw %eax\n lmsw %ax\n smsw %eax\n" FINISH) _(i_smsw, "smsw %eax\n" FINISH) \
  _(i_smsw_word, "smsw %ax\n" FINISH) \
  _(i_lgdt, "lgdt gdt_pointer\n" FINISH) _(i_lidt, "lidt idt_pointer\n" FINISH) \
  _(i_sgdt, "sgdt (%edi)\n movl (%edi), %eax\n movl 4(%edi), %ecx\n" FINISH) \
  _(i_sidt, "sidt (%edi)\n movl (%edi), %eax\n movl 4(%edi), %ecx\n" FINISH) \
  _(i_sgdt_word, ".byte 0x66\n sgdt (%edi)\n movl (%edi), %eax\n movl 4(%edi), %ecx\n" FINISH) \
  _(i_sldt, "sldt %eax\n" FINISH) _(i_str, "str %eax\n" FINISH) _(i_str_word, "str %ax\n" FINISH) \
  _(i_sgdt_register, ".byte 0x0f, 0x01, 0xc0\n" FINISH) \
  _(i_mov_cs, ".byte 0x8e, 0xc8\n" FINISH) _(i_mov_seg6, ".byte 0x8e, 0xf0\n" FINISH) \
  _(i_lock, ".byte 0xf0\n nop\n" FINISH) _(i_lock_register, ".byte 0xf0, 0x01, 0xc8\n" FINISH) \
  _(i_rdtsc, "rdtsc\n xorl %eax, %eax\n xorl %edx, %edx\n" FINISH) \
  _(i_rdmsr, "movl $0x174, %ecx\n rdmsr\n" FINISH) _(i_rdmsr_bad, "movl $0x12345, %ecx\n rdmsr\n" FINISH) \
  _(i_arpl, "movl $8, %eax\n movl $3, %ecx\n arpl %cx, %ax\n" FINISH) \
  _(i_arpl_not, "movl $11, %eax\n movl $1, %ecx\n arpl %cx, %ax\n" FINISH) \
  _(i_lds_register, ".byte 0xc5, 0xc0\n" FINISH) _(i_bad_jump, "jmp 0xfffff000\n" FINISH) \
  _(i_null_read, "xorl %eax, %eax\n movl %eax, %es\n movl %es:(%esi), %eax\n" FINISH) \
  _(i_null_write, "xorl %eax, %eax\n movl %eax, %gs\n movl %eax, %gs:(%esi)\n" FINISH) \
  _(i_write_code, "movl %eax, %cs:(%esi)\n" FINISH) _(i_read_code, "movl %cs:(%esi), %eax\n" FINISH) \
  _(i_too_long, ".fill 15, 1, 0x2e\n nop\n" FINISH) \
  _(i_movs_seg, "movl %ds, %eax\n movl %cs, %ebx\n movl %ss, %ecx\n" FINISH)

#define DECLARE(name, text) CODE(name, text)
#define ROW(name, text) {#name, name},
ALL(DECLARE)
static const struct { const char *name; void (*code)(void); } INSTRUCTIONS[] = {ALL(ROW)};

/* EBX: the limit-checked segment in FS; EDI the offset. */
CODE(limit_read1, "movw %bx, %fs\n movb %fs:(%edi), %al\n" FINISH)
CODE(limit_read4, "movw %bx, %fs\n movl %fs:(%edi), %eax\n" FINISH)
CODE(limit_write2, "movw %bx, %fs\n movw %ax, %fs:(%edi)\n" FINISH)
CODE(limit_stack, "movw %bx, %ss\n movl %esp, %eax\n leal 4(%edi), %esp\n pushl %ecx\n movw $0x10, %cx\n movw %cx, %ss\n movl %eax, %esp\n" FINISH)

CODE(port_in1, "inb $0x80, %al\n xorl %eax, %eax\n" FINISH)
CODE(port_in2, "movl %ebx, %edx\n inw %dx, %ax\n xorl %eax, %eax\n" FINISH)
CODE(port_in4, "movl %ebx, %edx\n inl %dx, %eax\n xorl %eax, %eax\n" FINISH)
CODE(port_out1, "movl %ebx, %edx\n xorl %eax, %eax\n outb %al, %dx\n" FINISH)
CODE(port_ins, "movl %ebx, %edx\n xorl %ecx, %ecx\n rep insb\n insb\n xorl %eax, %eax\n" FINISH)
CODE(port_outs, "movl %ebx, %edx\n outsb\n xorl %eax, %eax\n" FINISH)

CODE(system_enter, "movl %esp, %ecx\n sysenter\n")
CODE(system_entered, FINISH)
CODE(system_exit, "movl $1f, %edx\n movl $scenario_stack_top - 32, %ecx\n sysexit\n1:" FINISH)

static u32 bounds[2] = {0, 4};

static void attempt(const char *name, int cpl, u32 a, u32 b, void (*code)(void)) {
  print(name);
  print(cpl ? " 3 " : " 0 ");
  print_hex(a);
  print(" ");
  print_hex(b);
  u32 flags = entry.eflags;
  run(cpl, code);
  (void)flags;
  reset();
  report_full();
}

static void write_msr(u32 number, u32 value) {
  __asm__ volatile("wrmsr" :: "c"(number), "a"(value), "d"(0));
}

void instruction_scenarios(void) {
  (void)empty_table;
  for (u32 i = 0; i < sizeof INSTRUCTIONS / sizeof *INSTRUCTIONS; i++) {
    for (int cpl = 0; cpl < 4; cpl += 3) {
      entry.esi = (u32)bounds;
      entry.edi = (u32)test_page;
      entry.ebx = 0x12345678;
      attempt(INSTRUCTIONS[i].name, cpl, 0, 0, INSTRUCTIONS[i].code);
    }
  }
  /* Segment limits: normal and expand-down, 16 and 32 bits, byte and page granular. */
  static const struct { u32 access, limit, flags; } KINDS[] = {
    {0xf3, 0x1fff, 4}, {0xf3, 2, 0xc}, {0xf7, 0x1fff, 4}, {0xf7, 0x1fff, 0}, {0xf7, 2, 0xc}, {0xf7, 2, 8},
    {0xf1, 0x1fff, 4}, {0xfb, 0x1fff, 4}, {0xf5, 0x1fff, 4},
  };
  static const u32 OFFSETS[] = {0, 0x1ffc, 0x1ffd, 0x1ffe, 0x1fff, 0x2000, 0x2ffc, 0x2ffd, 0x2fff, 0x3000, 0xfffd, 0xffff, 0x10000};
  static void (*const ACCESSES[])(void) = {limit_read1, limit_read4, limit_write2, limit_stack};
  for (u32 i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    for (u32 at = 0; at < sizeof OFFSETS / sizeof *OFFSETS; at++) {
      for (u32 op = 0; op < 3; op++) {
        set_descriptor(FREE, (u32)test_page & 0xff000000, KINDS[i].limit, KINDS[i].access, KINDS[i].flags);
        /* The base is far enough from code that what is written does no harm. */
        set_descriptor(FREE, 0x800000, KINDS[i].limit, KINDS[i].access, KINDS[i].flags);
        entry.ebx = FREE | 3;
        entry.edi = OFFSETS[at];
        attempt("limit", 3, i << 4 | op, OFFSETS[at], ACCESSES[op]);
      }
    }
  }
  /* I/O: by IOPL and by bitmap. */
  static void (*const PORTS[])(void) = {port_in1, port_in2, port_in4, port_out1, port_ins, port_outs};
  for (u32 op = 0; op < 6; op++) {
    for (u32 iopl = 0; iopl < 4; iopl += 3) {
      for (u32 map = 0; map < 5; map++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          /* Port 80h, and the last ports of the map. */
          u32 port = map == 4 ? 0x7f8 : 0x80;
          entry.ebx = port;
          entry.eflags = 2 | iopl << 12;
          entry.edi = entry.esi = (u32)test_page;
          u8 *bits = (u8 *)(tss + 26);
          if (map == 1) bits[0x80 / 8] = 0;
          if (map == 2) bits[0x80 / 8] = 0xfe;
          if (map == 3) bits[0x80 / 8] = 0xf7;
          if (map == 4) bits[0x7f8 / 8] = 0;
          attempt("port", cpl, op << 4 | iopl, map, PORTS[op]);
        }
      }
    }
  }
  for (int cpl = 0; cpl < 4; cpl += 3) {
    for (u32 selector = 0; selector < 16; selector += 8) {
      write_msr(0x174, selector);
      write_msr(0x175, (u32)inner_stack_top - 64);
      write_msr(0x176, (u32)system_entered);
      entry.eflags = 0x202;
      attempt("sysenter", cpl, selector, 0, system_enter);
      attempt("sysexit", cpl, selector, 0, system_exit);
    }
  }
  write_msr(0x174, 0);
}
