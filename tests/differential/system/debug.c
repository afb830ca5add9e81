/*
 * Debug registers: breakpoints on code, data and ports, of every length and alignment, RF, single steps, GD, DE.
 * Sources: SDM vol. 3A §17.2–17.3, §6.8.3.
 */
#include "probe.h"

static u8 data[64] __attribute__((aligned(64)));
static u8 other[64] __attribute__((aligned(64)));

extern u8 debug_at[], debug_call_at[], debug_string_at[], debug_loop_at[], debug_ss_at[], debug_fault_at[], debug_self_at[];

CODE(debug_plain, "nop\n debug_at: incl %eax\n incl %eax\n" FINISH)
CODE(debug_loop, "movl $3, %ecx\n debug_loop_at: incl %eax\n loop debug_loop_at\n" FINISH)
CODE(debug_call, "call 1f\n" FINISH "1: debug_call_at: ret\n")
CODE(debug_string, "movl $data, %edi\n movl $8, %ecx\n debug_string_at: rep stosl\n incl %edx\n" FINISH)
CODE(debug_ss, "movl %ss, %eax\n movl %eax, %ss\n debug_ss_at: incl %eax\n incl %eax\n" FINISH)
CODE(debug_fault, "nop\n debug_fault_at: movl 0xf0000000, %eax\n" FINISH)
/* EFLAGS in EBX: RF suppresses the breakpoint once. */
CODE(debug_resume, "pushl %ebx\n movl %cs, %eax\n pushl %eax\n pushl $debug_at\n iretl\n")
CODE(debug_resume_string,
     "movl $data, %edi\n movl $8, %ecx\n pushl %ebx\n movl %cs, %eax\n pushl %eax\n pushl $debug_string_at\n iretl\n")
CODE(debug_resume_loop,
     "movl $3, %ecx\n pushl %ebx\n movl %cs, %eax\n pushl %eax\n pushl $debug_loop_at\n iretl\n")
/* EDI: an address; each kind of access. */
CODE(debug_read1, "movb (%edi), %al\n incl %edx\n" FINISH)
CODE(debug_read2, "movw (%edi), %ax\n incl %edx\n" FINISH)
CODE(debug_read4, "movl (%edi), %eax\n incl %edx\n" FINISH)
CODE(debug_write1, "movb %cl, (%edi)\n incl %edx\n" FINISH)
CODE(debug_write2, "movw %cx, (%edi)\n incl %edx\n" FINISH)
CODE(debug_write4, "movl %ecx, (%edi)\n incl %edx\n" FINISH)
CODE(debug_modify, "incl (%edi)\n incl %edx\n" FINISH)
CODE(debug_compare, "cmpl $0, (%edi)\n incl %edx\n" FINISH)
CODE(debug_push, "pushl (%edi)\n incl %edx\n" FINISH)
CODE(debug_pop, "pushl %ecx\n popl (%edi)\n incl %edx\n" FINISH)
CODE(debug_wide, "fninit\n fldl (%edi)\n incl %edx\n" FINISH)
CODE(debug_wide_store, "fninit\n fld1\n fstpl (%edi)\n incl %edx\n" FINISH)
CODE(debug_jump, "movl $1f, (%esi)\n jmp *(%edi)\n incl %edx\n 1: incl %edx\n incl %edx\n" FINISH)
CODE(debug_stos, "movl $4, %ecx\n rep stosl\n incl %edx\n" FINISH)
CODE(debug_movs, "movl $6, %ecx\n rep movsb\n incl %edx\n" FINISH)
CODE(debug_lods, "movl $5, %ecx\n movl %edi, %esi\n rep lodsw\n incl %edx\n" FINISH)
CODE(debug_both, "movl (%edi), %eax\n movl %eax, (%esi)\n incl %edx\n" FINISH)
CODE(debug_pop_ss, "movw %ss, (%edi)\n movw (%edi), %ss\n incl %edx\n incl %edx\n" FINISH)
CODE(debug_out, "movb $1, %al\n outb %al, $0x80\n incl %edx\n" FINISH)
CODE(debug_outl, "movl $0, %eax\n outl %eax, $0x80\n incl %edx\n" FINISH)
CODE(debug_outsb, "movw $0x80, %dx\n movl $3, %ecx\n rep outsb\n incl %ebx\n" FINISH)
CODE(debug_step, "pushl $0x102\n popfl\n movl (%edi), %eax\n incl %edx\n" FINISH)
CODE(debug_get, "movl %db0, %eax\n" FINISH)
CODE(debug_get6, "movl %db6, %eax\n" FINISH)
CODE(debug_set, "movl %eax, %db3\n" FINISH)

static void number(const char *name, u32 value) {
  print(name);
  print_hex(value);
}
static void title(const char *name, int cpl, u32 a, u32 b) {
  print("debug ");
  print(name);
  print(cpl ? " 3 " : " 0 ");
  print_hex(a);
  print(" ");
  print_hex(b);
}
static u32 control;
/* DR7 counts from `go` on, which touches the data itself. */
static void set(u32 register0, u32 register1, u32 dr7) {
  __asm__ volatile("movl %0, %%db6\n movl %1, %%db0\n movl %2, %%db1\n movl %0, %%db2\n movl %0, %%db3"
                   :: "r"(0), "r"(register0), "r"(register1));
  control = dr7;
}
/* What came of it. RF of the image is compared here: it is what this is about. */
static void outcome(void) {
  u32 dr6, dr7;
  __asm__ volatile("movl %%db7, %0" : "=r"(dr7));
  __asm__ volatile("movl %0, %%db7" :: "r"(0x400));
  __asm__ volatile("movl %%db6, %0" : "=r"(dr6));
  number(" dr6=", dr6);
  number(" dr7=", dr7);
  number(" rf=", record->eflags >> 16 & 1);
  reset();
  number(" a=", record->eax);
  number(" c=", record->ecx);
  number(" d=", record->edx);
  number(" si=", record->esi - (u32)other);
  number(" di=", record->edi - (u32)data);
  report();
}
static void go(int cpl, void (*code)(void)) {
  for (u32 i = 0; i < 64; i++) data[i] = other[i] = 0;
  entry.edi = entry.edi ? entry.edi : (u32)data;
  entry.esi = (u32)other;
  entry.ecx = 0x01020304;
  __asm__ volatile("movl %0, %%db7" :: "r"(control) : "memory");
  run(cpl, code);
  entry.edi = 0;
}

static void code_breakpoints(void) {
  static const struct { const char *name; void (*code)(void); u8 *at; } PLACES[] = {
    {"plain", debug_plain, debug_at}, {"loop", debug_loop, debug_loop_at}, {"call", debug_call, debug_call_at},
    {"string", debug_string, debug_string_at}, {"ss", debug_ss, debug_ss_at}, {"fault", debug_fault, debug_fault_at},
    {"resume", debug_resume, debug_at}, {"resume loop", debug_resume_loop, debug_loop_at},
    {"resume string", debug_resume_string, debug_string_at},
  };
  static const u32 ENABLES[] = {0, 1, 2, 3, 4, 8, 0x10};
  for (u32 i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
    for (u32 enable = 0; enable < sizeof ENABLES / sizeof *ENABLES; enable++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        for (u32 rf = 0; rf < 2; rf++) {
          if (rf && i < 6) continue;
          /* DR1 at the same place, DR0 elsewhere, and both. */
          set(enable & 1 ? (u32)PLACES[i].at : (u32)debug_self_at, (u32)PLACES[i].at, ENABLES[enable] | 0x400);
          entry.ebx = rf ? 0x10002 : 2;
          title(PLACES[i].name, cpl, ENABLES[enable], rf);
          go(cpl, PLACES[i].code);
          outcome();
        }
      }
    }
  }
}

static void data_breakpoints(void) {
  static const struct { const char *name; void (*code)(void); } ACCESSES[] = {
    {"read1", debug_read1}, {"read2", debug_read2}, {"read4", debug_read4}, {"write1", debug_write1},
    {"write2", debug_write2}, {"write4", debug_write4}, {"modify", debug_modify}, {"compare", debug_compare},
    {"push", debug_push}, {"pop", debug_pop}, {"wide", debug_wide}, {"wide store", debug_wide_store},
  };
  static const u32 LENGTHS[] = {0, 1, 3};
  for (u32 i = 0; i < sizeof ACCESSES / sizeof *ACCESSES; i++) {
    for (u32 kind = 1; kind < 4; kind++) {
      if (kind == 2) continue;
      for (u32 length = 0; length < 3; length++) {
        for (u32 offset = 0; offset < 13; offset++) {
          for (u32 place = 8; place < 11; place++) {
            int cpl = offset & 1 ? 3 : 0;
            set((u32)data + place, 0, 0x401 | kind << 16 | LENGTHS[length] << 18);
            entry.edi = (u32)data + offset;
            title(ACCESSES[i].name, cpl, kind << 8 | LENGTHS[length], offset << 8 | place);
            go(cpl, ACCESSES[i].code);
            outcome();
          }
        }
      }
    }
  }
}

static void others(void) {
  static const struct { const char *name; void (*code)(void); } CODES[] = {
    {"stos", debug_stos}, {"movs", debug_movs}, {"lods", debug_lods}, {"both", debug_both}, {"pop ss", debug_pop_ss},
    {"step", debug_step}, {"jump", debug_jump},
  };
  for (u32 i = 0; i < sizeof CODES / sizeof *CODES; i++) {
    /* Two breakpoints at once: write at data + 4 and any access at other (or again at data). */
    for (u32 which = 0; which < 4; which++) {
      set((u32)data + (which & 1 ? 4 : 0), which & 2 ? (u32)data : (u32)other, 0x40a | 0xdu << 16 | 0xfu << 20);
      title(CODES[i].name, 0, which, 0);
      if (i == 6) entry.edi = (u32)other;
      go(0, CODES[i].code);
      outcome();
    }
  }
  static const struct { const char *name; void (*code)(void); } PORTS[] = {
    {"out", debug_out}, {"outl", debug_outl}, {"outsb", debug_outsb},
  };
  for (u32 i = 0; i < sizeof PORTS / sizeof *PORTS; i++) {
    for (u32 extensions = 0; extensions < 2; extensions++) {
      for (u32 port = 0x7e; port < 0x85; port++) {
        for (u32 length = 0; length < 4; length++) {
          if (length == 2) continue;
          u32 cr4;
          __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
          cr4 = extensions ? cr4 | 8 : cr4 & ~8u;
          __asm__ volatile("movl %0, %%cr4" :: "r"(cr4));
          set(port, 0, 0x402 | 2u << 16 | length << 18);
          title(PORTS[i].name, 0, extensions, port << 4 | length);
          go(0, PORTS[i].code);
          __asm__ volatile("movl %0, %%cr4" :: "r"(cr4 & ~8u));
          outcome();
        }
      }
    }
  }
  static const struct { const char *name; void (*code)(void); } REGISTERS[] = {
    {"get", debug_get}, {"get6", debug_get6}, {"set", debug_set},
  };
  for (u32 i = 0; i < sizeof REGISTERS / sizeof *REGISTERS; i++) {
    for (int cpl = 0; cpl < 4; cpl += 3) {
      /* With #GP instead of #DB, GD would stay set for the report. */
      for (u32 detect = 0; detect < (cpl ? 1 : 2); detect++) {
        set(0x1234, 0, 0x400 | detect << 13);
        title(REGISTERS[i].name, cpl, detect, 0);
        go(cpl, REGISTERS[i].code);
        outcome();
      }
    }
  }
}

__asm__(".globl debug_self_at\n .set debug_self_at, debug_plain\n");

void debug_scenarios(void) {
  code_breakpoints();
  data_breakpoints();
  others();
}
