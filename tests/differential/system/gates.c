/*
 * Interrupt gates, call gates with parameters, inner stacks, double faults.
 * Sources: SDM vol. 3A §5.8, §6.12–6.15.
 */
#include "probe.h"

CODE(gate_landing, FINISH)
CODE(gate_int, "int $0x38\n" FINISH)
CODE(gate_call, "pushl $0x1111\n pushl $0x2222\n pushl $0x3333\n lcall *(%esi)\n" FINISH)
CODE(gate_call_words, "pushw $0x1111\n pushw $0x2222\n pushw $0x3333\n lcall *(%esi)\n" FINISH)
CODE(gate_jump, "ljmp *(%esi)\n" FINISH)
CODE(gate_divide, "xorl %ecx, %ecx\n divl %ecx\n" FINISH)
CODE(gate_protection, "movw $0xf8, %ax\n movw %ax, %ds\n" FINISH)
CODE(gate_undefined, "ud2\n" FINISH)
CODE(gate_page, "movl 0xf0000000, %eax\n" FINISH)
/* A gate whose handler returns: RET with parameters, to the caller that then finishes. */
CODE(return_parameters, "movl 8(%esp), %eax\n lret $12\n")
CODE(return_interrupt_now, "iretl\n")
CODE(call_and_return, "pushl $0x1111\n pushl $0x2222\n pushl $0x3333\n lcall *(%esi)\n" FINISH)

static struct { u32 offset; u16 selector; } __attribute__((packed)) far_pointer;

static void title(const char *text, int cpl, u32 a, u32 b) {
  print(text);
  print(cpl ? " 3 " : " 0 ");
  print_hex(a);
  print(" ");
  print_hex(b);
}

static void interrupt_gates(void) {
  static const u8 TYPES[] = {5, 6, 7, 14, 15, 4, 12, 0, 0x1b};
  for (u32 i = 0; i < sizeof TYPES; i++) {
    for (u32 dpl = 0; dpl < 4; dpl++) {
      for (u32 present = 0; present < 2; present++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          /* Task gates switch tasks unless the privilege check stops them. */
          if (TYPES[i] == 5 && present && dpl >= (u32)cpl) continue;
          u32 access = TYPES[i] | dpl << 5 | present << 7;
          set_gate(idt[VECTOR], CODE0, TYPES[i] & 8 ? (u32)gate_landing : LOW_LANDING, access, 0);
          entry.eflags = 0x202;
          title("gate", cpl, access, 0);
          run(cpl, gate_int);
          reset();
          report_full();
        }
      }
    }
  }
  for (int cpl = 0; cpl < 4; cpl += 3) {
    for (u32 limit = VECTOR * 8; limit < VECTOR * 8 + 8; limit += 3) {
      struct { u16 limit; u32 base; } __attribute__((packed)) pointer = {limit, (u32)idt};
      set_gate(idt[VECTOR], CODE0, (u32)gate_landing, 0xee, 0);
      title("idt limit", cpl, limit, 0);
      __asm__ volatile("lidt %0" :: "m"(pointer));
      run(cpl, gate_int);
      reset();
      report_full();
      pointer.limit = sizeof idt - 1;
      __asm__ volatile("lidt %0" :: "m"(pointer));
    }
  }
  for (int cpl = 0; cpl < 4; cpl += 3) {
    set_gate(idt[VECTOR], CODE0, (u32)return_interrupt_now, 0xee, 0);
    entry.eflags = 0x8d7;
    title("int iret", cpl, 0, 0);
    run(cpl, gate_int);
    reset();
    report_full();
  }
}

static void call_gates(void) {
  for (u32 wide = 0; wide < 2; wide++) {
    for (u32 count = 0; count < 4; count += 3) {
      for (u32 kind = 0; kind < 6; kind++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          /* Target code: DPL 0 and 3, conforming DPL 0 and 3, absent, data. */
          static const u8 TARGETS[] = {0x9b, 0xfb, 0x9f, 0xff, 0x1b, 0x93};
          set_descriptor(FREE + 8, 0, 0xfffff, TARGETS[kind], 0xc);
          far_pointer.selector = FREE | 3;
          far_pointer.offset = 0x12345678;
          for (u32 op = 0; op < 2; op++) {
            set_gate(gdt[FREE >> 3], FREE + 8, wide ? (u32)gate_landing : LOW_LANDING, wide ? 0xec : 0xe4, count);
            entry.esi = (u32)&far_pointer;
            entry.eflags = 0x246;
            title(op ? "jump gate" : "call gate", cpl, TARGETS[kind], wide << 4 | count);
            run(cpl, op ? gate_jump : wide ? gate_call : gate_call_words);
            report_full();
          }
          reset();
        }
      }
    }
  }
  for (u32 dpl = 0; dpl < 4; dpl++) {
    for (u32 rpl = 0; rpl < 4; rpl++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        set_gate(gdt[FREE >> 3], CODE0, (u32)gate_landing, 0x8c | dpl << 5, 0);
        far_pointer.selector = FREE | rpl;
        entry.esi = (u32)&far_pointer;
        title("gate privilege", cpl, dpl, rpl);
        run(cpl, gate_call);
        reset();
        report();
      }
    }
  }
  for (int cpl = 0; cpl < 4; cpl += 3) {
    set_gate(gdt[FREE >> 3], CODE0, (u32)return_parameters, 0xec, 3);
    far_pointer.selector = FREE;
    entry.esi = (u32)&far_pointer;
    title("call return", cpl, 0, 0);
    run(cpl, call_and_return);
    reset();
    report_full();
  }
  /* Null and out-of-table code selectors in the gate. */
  for (u32 selector = 0; selector < 0x800 * 2; selector += 0x800) {
    set_gate(gdt[FREE >> 3], selector, (u32)gate_landing, 0xec, 0);
    far_pointer.selector = FREE;
    entry.esi = (u32)&far_pointer;
    title("gate selector", 3, selector, 0);
    run(3, gate_call);
    reset();
    report();
  }
}

/* Handlers that stay at CPL 3 in conforming code, mend the TSS and then report. */
#define MENDING(name, vector) \
  CODE(name, "movl $" #vector ", %eax\n movl $0x10, tss+8\n movl $inner_stack_top, tss+4\n" FINISH)
MENDING(mend_df, 8)
MENDING(mend_ts, 10)
MENDING(mend_np, 11)
MENDING(mend_ss, 12)
MENDING(mend_gp, 13)
MENDING(mend_pf, 14)

/* Stacks that the TSS names, for an interrupt and a call gate from CPL 3. */
static void inner_stacks(void) {
  static const struct { u8 access; u32 limit; u32 flags; } KINDS[] = {
    {0x93, 0xfffff, 0xc}, {0x13, 0xfffff, 0xc}, {0x91, 0xfffff, 0xc}, {0x97, 0, 0xc}, {0xb3, 0xfffff, 0xc},
    {0xf3, 0xfffff, 0xc}, {0x9b, 0xfffff, 0xc}, {0x82, 0xfffff, 0xc}, {0x93, 0xfff, 4}, {0x93, 0xfffff, 8},
  };
  static void (*const MEND[])(void) = {mend_df, 0, mend_ts, mend_np, mend_ss, mend_gp, mend_pf};
  for (u32 i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    for (u32 rpl = 0; rpl < 4; rpl += 3) {
      for (u32 op = 0; op < 3; op++) {
        set_descriptor(FREE + 8, 0, KINDS[i].limit, KINDS[i].access, KINDS[i].flags);
        set_gate(gdt[FREE >> 3], CODE0, (u32)gate_landing, 0xec, 2);
        far_pointer.selector = FREE;
        entry.esi = (u32)&far_pointer;
        tss[2] = op == 2 ? (i < 4 ? i : 0x800 + i) : (FREE + 8) | rpl;
        /* A 16-bit stack pointer into low memory, where it has room. */
        tss[1] = KINDS[i].flags == 8 ? 0x6000 : (u32)inner_stack_top;
        set_descriptor(FREE + 16, 0, 0xfffff, 0x9f, 0xc);
        for (u32 vector = 8; vector < 15; vector++) {
          if (vector != 9) set_gate(idt[vector], FREE + 16, (u32)MEND[vector - 8], 0x8e, 0);
        }
        set_gate(idt[VECTOR], CODE0, (u32)gate_landing, 0xee, 0);
        title(op == 1 ? "stack call" : "stack int", 3, KINDS[i].access | KINDS[i].flags << 8, tss[2]);
        run(3, op == 1 ? gate_call : gate_int);
        reset();
        report_full();
      }
    }
  }
}

/* The inner stack of a 16-bit TSS (kind 1: of the 32-bit one), through gates of both sizes. */
static void other_tss(void) {
  for (u32 kind = 0; kind < 4; kind++) {
    for (u32 op = 0; op < 2; op++) {
      set_gate(gdt[FREE >> 3], CODE0, (u32)gate_landing, 0xec, 1);
      far_pointer.selector = FREE;
      entry.esi = (u32)&far_pointer;
      set_gate(idt[VECTOR], CODE0, (u32)gate_landing, 0xee, 0);
      tss16[1] = 0x6000;
      set_descriptor(TSS16, (u32)tss16, sizeof tss16 - 1, 0x81, 0);
      title(op ? "tss16 call" : "tss16 int", 3, kind, 0);
      if (kind != 1) __asm__ volatile("ltr %w0" :: "r"(TSS16));
      if (kind == 2) set_gate(idt[VECTOR], CODE0, LOW_LANDING, 0xe6, 0);
      if (kind == 3) set_gate(gdt[FREE >> 3], CODE0, LOW_LANDING, 0xe4, 2);
      run(3, op ? gate_call : gate_int);
      reset();
      report_full();
    }
  }
}

static void double_faults(void) {
  static void (*const FIRST[])(void) = {gate_divide, gate_protection, gate_undefined, gate_page, gate_int};
  static const u8 FIRST_VECTOR[] = {0, 13, 6, 14, VECTOR};
  /* How the first vector's gate is broken: #NP, #GP by type, #GP by selector, #NP by code. */
  for (u32 i = 0; i < 5; i++) {
    for (u32 how = 0; how < 5; how++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        u32 *at = idt[FIRST_VECTOR[i]];
        set_descriptor(FREE, 0, 0xfffff, 0x1b, 0xc);
        switch (how) {
          case 0: set_gate(at, CODE0, (u32)gate_landing, 0x6e, 0); break;
          case 1: set_gate(at, CODE0, (u32)gate_landing, 0xec, 0); break;
          case 2: set_gate(at, DATA0, (u32)gate_landing, 0xee, 0); break;
          case 3: set_gate(at, FREE, (u32)gate_landing, 0xee, 0); break;
          case 4: set_gate(at, 0, (u32)gate_landing, 0xee, 0); break;
        }
        title("double", cpl, FIRST_VECTOR[i], how);
        run(cpl, FIRST[i]);
        reset();
        report_full();
      }
    }
  }
}

void gate_scenarios(void) {
  interrupt_gates();
  call_gates();
  inner_stacks();
  other_tss();
  double_faults();
}
