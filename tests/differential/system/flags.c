/*
 * EFLAGS: what POPF and IRET change at each CPL and IOPL, and single steps.
 * Sources: SDM vol. 2 (POPF, IRET, STI, CLI), vol. 3A §17.3.1.4 (TF).
 */
#include "probe.h"

/* EBX: the image. */
CODE(flags_popf, "pushl %ebx\n popfl\n pushfl\n popl %eax\n" FINISH)
CODE(flags_popf_word, "pushw %bx\n popfw\n pushfl\n popl %eax\n" FINISH)
CODE(flags_iret, "pushl %ebx\n movl %cs, %eax\n pushl %eax\n pushl $1f\n iretl\n1: pushfl\n popl %eax\n" FINISH)
CODE(flags_iret_word,
     "pushl %ebx\n movl %cs, %eax\n pushw %bx\n pushw %ax\n pushw $0x7000\n iretw\n")
CODE(flags_cli, "cli\n" FINISH)
CODE(flags_sti, "sti\n nop\n" FINISH)
CODE(flags_step, "pushl %ebx\n popfl\n nop\n nop\n" FINISH)
CODE(flags_step_int, "pushl %ebx\n popfl\n int $0x30\n nop\n")
CODE(flags_step_ss, "movl %ss, %eax\n pushl %ebx\n popfl\n movl %eax, %ss\n nop\n nop\n" FINISH)
CODE(flags_step_fault, "pushl %ebx\n popfl\n ud2\n")
CODE(flags_step_string, "movl $3, %ecx\n pushl %ebx\n popfl\n rep lodsb\n nop\n" FINISH)

static void attempt(const char *name, int cpl, u32 eflags, u32 image, void (*code)(void)) {
  print(name);
  print(cpl ? " 3 " : " 0 ");
  print_hex(eflags);
  print(" ");
  print_hex(image);
  entry.eflags = eflags;
  entry.ebx = image;
  static const u8 BYTES[4] = {1, 2, 3, 4};
  entry.esi = (u32)BYTES;
  run(cpl, code);
  print(" a=");
  print_hex(record->eax & ~0x10u);
  __asm__ volatile("movl %0, %%dr6" :: "r"(0));
  reset();
  report();
}

void flag_scenarios(void) {
  static const u32 IMAGES[] = {
    0, 0x8d5, 0x200, 0x400, 0x3000, 0x1000, 0x4000, 0x10000, 0x40000, 0x80000, 0x100000, 0x200000, 0x244ed5,
    0xffc00000, 0x802a, 0x35ed7,
  };
  for (int cpl = 0; cpl < 4; cpl += 3) {
    for (u32 iopl = 0; iopl < 4; iopl++) {
      for (u32 old = 0; old < 2; old++) {
        u32 eflags = iopl << 12 | (old ? 0x644ed5 & 0x240ed7 : 2) | 2;
        for (u32 i = 0; i < sizeof IMAGES / sizeof *IMAGES; i++) {
          attempt("popf", cpl, eflags, IMAGES[i], flags_popf);
          attempt("popfw", cpl, eflags, IMAGES[i], flags_popf_word);
          /* NT and VM in the image have their own scenarios. */
          if ((IMAGES[i] & 0x20000) == 0) {
            attempt("iret", cpl, eflags, IMAGES[i], flags_iret);
            attempt("iretw", cpl, eflags, IMAGES[i], flags_iret_word);
          }
        }
        attempt("cli", cpl, eflags, 0, flags_cli);
        attempt("sti", cpl, eflags, 0, flags_sti);
      }
    }
    attempt("step", cpl, 2, 0x102, flags_step);
    attempt("step int", cpl, 2, 0x102, flags_step_int);
    attempt("step mov ss", cpl, 2, 0x102, flags_step_ss);
    attempt("step fault", cpl, 2, 0x102, flags_step_fault);
    attempt("step string", cpl, 2, 0x102, flags_step_string);
    attempt("step at once", cpl, 0x102, 0, flags_cli);
  }
}
