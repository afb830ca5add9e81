/*
 * Every kind of descriptor (type, S, DPL, presence) under everything that takes a selector.
 * Sources: SDM vol. 3A §3.4.5, §5; vol. 2 (MOV, JMP, CALL, RET, IRET, LAR, LSL, VERR, VERW, LLDT, LTR).
 */
#include "probe.h"

/* EBX: the selector; ESI: a far pointer to `landing`; EDI: selector for SS. */
CODE(landing, FINISH)
CODE(load_ds, "movw %bx, %ds\n" FINISH)
CODE(load_fs, "pushl %ebx\n popl %fs\n" FINISH)
CODE(load_ss, "movw %bx, %ss\n nop\n" FINISH)
CODE(load_lds, "movl 6(%esi), %eax\n lds (%esi), %eax\n" FINISH)
CODE(do_lar, "larl %bx, %eax\n" FINISH)
CODE(do_lsl, "lsll %bx, %eax\n" FINISH)
CODE(do_verr, "verr %bx\n" FINISH)
CODE(do_verw, "verw %bx\n" FINISH)
CODE(do_lldt, "lldt %bx\n sldt %eax\n" FINISH)
CODE(do_ltr, "ltr %bx\n str %eax\n" FINISH)
CODE(jump_far, "ljmp *(%esi)\n" FINISH)
CODE(call_far, "lcall *(%esi)\n" FINISH)
CODE(return_far,
     "pushl %edi\n leal -64(%esp), %eax\n pushl %eax\n pushl %ebx\n pushl $landing\n lret\n" FINISH)
CODE(return_interrupt,
     "pushl %edi\n leal -64(%esp), %eax\n pushl %eax\n pushl $0x46\n pushl %ebx\n pushl $landing\n iretl\n"
     FINISH)
CODE(raise_vector, "int $0x38\n" FINISH)

static const struct { const char *name; void (*code)(void); u32 transfers; } OPERATIONS[] = {
  {"mov ds", load_ds, 0}, {"pop fs", load_fs, 0}, {"mov ss", load_ss, 0}, {"lds", load_lds, 0},
  {"lar", do_lar, 0}, {"lsl", do_lsl, 0}, {"verr", do_verr, 0}, {"verw", do_verw, 0},
  {"lldt", do_lldt, 0}, {"ltr", do_ltr, 0},
  {"jmp far", jump_far, 1}, {"call far", call_far, 1}, {"ret far", return_far, 0},
  {"iret", return_interrupt, 0}, {"int", raise_vector, 0},
};
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct { u32 offset; u16 selector; } __attribute__((packed)) far_pointer;

/* The descriptor of a kind at FREE or, with TI, in the LDT. */
static void place(u32 selector, u32 type, u32 dpl, u32 present) {
  u32 access = type | dpl << 5 | present << 7;
  if (type >= 16) {
    /* An expand-down segment with limit 0xfff reaches from 0x1000 to the top. */
    u32 down = (type & 12) == 4;
    set_descriptor(selector, 0, down ? 0 : 0xfffff, access, 0xc);
  } else if (type == 4 || type == 12 || type == 5 || type == 6 || type == 7 || type >= 14) {
    set_gate((selector & 4 ? ldt : gdt)[selector >> 3], CODE0, type & 8 ? (u32)landing : LOW_LANDING, access, 0);
  } else {
    set_descriptor(selector, (u32)tss, 0xff, access, 0);
  }
}

static void try(const char *name, u32 operation, int cpl, u32 selector, u32 stack_selector) {
  static u32 nothing[2];
  u32 index = selector >> 3;
  u32 *at = index >= (selector & 4 ? 16 : 256) ? nothing : (selector & 4 ? ldt : gdt)[index];
  far_pointer.offset = (u32)landing;
  far_pointer.selector = selector;
  entry.ebx = selector;
  entry.esi = (u32)&far_pointer;
  entry.edi = stack_selector;
  set_gate(idt[VECTOR], selector, (u32)landing, 0xee, 0);
  u32 before = at[1];
  print(OPERATIONS[operation].name);
  print(cpl ? " 3 " : " 0 ");
  print(name);
  print_hex(selector);
  print(":");
  print_hex(before);
  run(cpl, OPERATIONS[operation].code);
  print(" hi=");
  print_hex(at[1]);
  print(" a=");
  print_hex(record->eax);
  reset();
  report();
}

/* Jumps to available tasks and task gates switch tasks, which is another probe's subject. */
static int switches_task(u32 type) { return type == 1 || type == 5 || type == 9; }

void segment_scenarios(void) {
  for (u32 type = 0; type < 32; type++) {
    for (u32 dpl = 0; dpl < 4; dpl += dpl == 1 ? 2 : 1) {
      for (u32 present = 0; present < 2; present++) {
        for (u32 rpl = 0; rpl < 4; rpl += rpl == 0 ? 1 : 2) {
          for (u32 op = 0; op < COUNT(OPERATIONS); op++) {
            if (OPERATIONS[op].transfers && switches_task(type)) continue;
            for (int cpl = 0; cpl < 4; cpl += 3) {
              place(FREE, type, dpl, present);
              /* An outer stack that fits the RPL; levels 1 and 2 get their own. */
              set_descriptor(FREE + 8, 0, 0xfffff, 0x93 | rpl << 5, 0xc);
              try("", op, cpl, FREE | rpl, (FREE + 8) | rpl);
            }
          }
        }
      }
    }
  }
  /* Null, beyond the GDT, in the LDT: none, beyond it. */
  static const u32 SELECTORS[] = {0, 1, 2, 3, 0x800, 0x803, 4, 7, 0x84, 0x0c, 0x0f};
  for (u32 op = 0; op < COUNT(OPERATIONS); op++) {
    for (u32 i = 0; i < COUNT(SELECTORS); i++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        for (u32 with_ldt = 0; with_ldt < 2; with_ldt++) {
          if (with_ldt) __asm__ volatile("lldt %w0" :: "r"(LDT));
          place(0x0c, 0x12, 3, 1);
          set_descriptor(FREE + 8, 0, 0xfffff, 0x93 | (SELECTORS[i] & 3) << 5, 0xc);
          gdt[0][0] = gdt[0][1] = 0;
          try(with_ldt ? "l " : "", op, cpl, SELECTORS[i], (FREE + 8) | (SELECTORS[i] & 3));
        }
      }
    }
  }
  /* The outer stack of a return: every kind of data or code. */
  for (u32 type = 16; type < 32; type++) {
    for (u32 dpl = 0; dpl < 4; dpl++) {
      for (u32 present = 0; present < 2; present++) {
        for (u32 op = 12; op < 14; op++) {
          place(FREE, type, dpl, present);
          print("outer ");
          print_hex(gdt[FREE >> 3][1]);
          print(" ");
          try("", op, 0, CODE3, FREE | 3);
          place(FREE, type, dpl, present);
          try("outer rpl ", op, 0, CODE3, FREE | 1);
        }
      }
    }
  }
}
