/*
 * Privileged and system instructions at CPL 0 and 3, I/O permission, SYSENTER.
 * Not here because QEMU does not check them: segment limits, null data segments, writes to code, unknown MSRs.
 * Sources: SDM vol. 2, vol. 3A §5.9; vol. 1 §19.5.
 */
#include "probe.h"


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
  _(i_sldt_word, "sldt %ax\n" FINISH) \
  _(i_sldt_memory, "sldt (%edi)\n movl (%edi), %eax\n" FINISH) _(i_str_memory, "str (%edi)\n movl (%edi), %eax\n" FINISH) \
  _(i_smsw_memory, "smsw (%edi)\n movl (%edi), %eax\n" FINISH) \
  _(i_lmsw_memory, "smsw (%edi)\n lmsw (%edi)\n smsw %eax\n" FINISH) \
  _(i_lgdt_word, ".byte 0x66\n lgdt gdt_pointer\n sgdt (%edi)\n movl 2(%edi), %eax\n lgdt gdt_pointer\n" FINISH) \
  _(i_sidt_word, ".byte 0x66\n sidt (%edi)\n movl (%edi), %eax\n movl 4(%edi), %ecx\n" FINISH) \
  _(i_lldt_memory, "movw $0x30, (%edi)\n lldt (%edi)\n sldt %eax\n" FINISH) \
  _(i_ltr_memory, "movw $0x10, (%edi)\n ltr (%edi)\n") \
  _(i_invd, "invd\n" FINISH) _(i_ud1, ".byte 0x0f, 0xb9, 0xc0\n") \
  _(i_cpuid, "xorl %eax, %eax\n cpuid\n xorl %eax, %eax\n" FINISH) \
  _(i_sgdt_register, ".byte 0x0f, 0x01, 0xc0\n" FINISH) \
  _(i_mov_cs, ".byte 0x8e, 0xc8\n" FINISH) _(i_mov_seg6, ".byte 0x8e, 0xf0\n" FINISH) \
  _(i_lock, ".byte 0xf0\n nop\n" FINISH) _(i_lock_register, ".byte 0xf0, 0x01, 0xc8\n" FINISH) \
  _(i_rdtsc, "rdtsc\n xorl %eax, %eax\n xorl %edx, %edx\n" FINISH) \
  _(i_rdmsr, "movl $0x174, %ecx\n rdmsr\n" FINISH) \
  _(i_arpl, "movl $8, %eax\n movl $3, %ecx\n arpl %cx, %ax\n" FINISH) \
  _(i_arpl_not, "movl $11, %eax\n movl $1, %ecx\n arpl %cx, %ax\n" FINISH) \
  _(i_lds_register, ".byte 0xc5, 0xc0\n" FINISH) _(i_bad_jump, "jmp 0xfffff000\n" FINISH) \
  _(i_too_long, ".fill 15, 1, 0x2e\n nop\n" FINISH) \
  _(i_movs_seg, "movl %ds, %eax\n movl %cs, %ebx\n movl %ss, %ecx\n" FINISH)

#define DECLARE(name, text) CODE(name, text)
#define ROW(name, text) {#name, name},
ALL(DECLARE)
static const struct { const char *name; void (*code)(void); } INSTRUCTIONS[] = {ALL(ROW)};

/* EBX: the port. */
CODE(port_in1, "inb $0x80, %al\n xorl %eax, %eax\n" FINISH)
CODE(port_in2, "movl %ebx, %edx\n inw %dx, %ax\n xorl %eax, %eax\n" FINISH)
CODE(port_in4, "movl %ebx, %edx\n inl %dx, %eax\n xorl %eax, %eax\n" FINISH)
CODE(port_out1, "movl %ebx, %edx\n xorl %eax, %eax\n outb %al, %dx\n" FINISH)
CODE(port_ins, "movl %ebx, %edx\n xorl %ecx, %ecx\n rep insb\n insb\n xorl %eax, %eax\n" FINISH)
CODE(port_outs, "movl %ebx, %edx\n outsb\n xorl %eax, %eax\n" FINISH)
CODE(port_in4_immediate, "inl $0x80, %eax\n xorl %eax, %eax\n" FINISH)
CODE(port_in1_register, "movl %ebx, %edx\n inb %dx, %al\n xorl %eax, %eax\n" FINISH)
CODE(port_out4, "xorl %eax, %eax\n outl %eax, $0x80\n outb %al, $0x80\n movl %ebx, %edx\n outl %eax, %dx\n outw %ax, %dx\n" FINISH)
CODE(port_ins4, "movl %ebx, %edx\n movl $2, %ecx\n rep insl\n insw\n xorl %eax, %eax\n" FINISH)
CODE(port_outs4, "movl %ebx, %edx\n movl $2, %ecx\n rep outsl\n outsw\n xorl %eax, %eax\n" FINISH)

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
  run(cpl, code);
  reset();
  report_full();
}

static void write_msr(u32 number, u32 value) {
  __asm__ volatile("wrmsr" :: "c"(number), "a"(value), "d"(0));
}

void instruction_scenarios(void) {
  for (u32 i = 0; i < sizeof INSTRUCTIONS / sizeof *INSTRUCTIONS; i++) {
    for (int cpl = 0; cpl < 4; cpl += 3) {
      entry.esi = (u32)bounds;
      entry.edi = (u32)test_page;
      entry.ebx = 0x12345678;
      attempt(INSTRUCTIONS[i].name, cpl, 0, 0, INSTRUCTIONS[i].code);
    }
  }
  /* I/O: by IOPL and by bitmap. */
  static void (*const PORTS[])(void) = {
    port_in1, port_in2, port_in4, port_out1, port_ins, port_outs,
    port_in4_immediate, port_in1_register, port_out4, port_ins4, port_outs4,
  };
  for (u32 op = 0; op < sizeof PORTS / sizeof *PORTS; op++) {
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
