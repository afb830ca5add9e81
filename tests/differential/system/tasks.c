/*
 * Task switches: every way into a task, both layouts, what is checked in which task, page faults, nesting.
 *
 * The old task is the one of TSS (or TSS16); the new one is `fresh`, whose descriptor is NEW and whose gate is GATE.
 * Where the new task cannot take an exception on its own stack, the handlers are tasks too ("keepers").
 * Sources: SDM vol. 3A §6.12.2, §7.2–7.6, Tables 7-1, 7-2.
 */
#include "probe.h"

enum {
  NEW = FREE, GATE = FREE + 8, DATA16_3 = FREE + 16, ODD = FREE + 24, KEEPERS = FREE + 32,
  LOW_SHORT = 0x7010,       /* holds MOVZX ESP, SP; INT DONE */
};
/* Words of a 32-bit TSS. */
enum { LINK, ESP0, SS0, CR3 = 7, EIP, EFLAGS, EAX, ESP = 14, ES = 18, CS, SS, DS, FS, GS, LDTS, TRAP };

CODE(task_landing, FINISH)
CODE(task_jump, "ljmp *(%esi)\n" FINISH)
CODE(task_call, "lcall *(%esi)\n" FINISH)
CODE(task_int, "int $0x38\n" FINISH)
CODE(task_undefined, "ud2\n" FINISH)
CODE(task_protection, "movw $0xf8, %ax\n movw %ax, %ds\n" FINISH)
CODE(task_return, "iretl\n" FINISH)
CODE(task_step, "pushl $0x102\n popfl\n ljmp *(%esi)\n" FINISH)
/* A nested task that goes back, is called again behind its IRET, and then ends. */
CODE(task_back, "incl %eax\n iretl\n incl %ebx\n" FINISH)
CODE(task_call_twice, "lcall *(%esi)\n incl %ecx\n lcall *(%esi)\n" FINISH)
CODE(task_int_back, "int $0x38\n incl %ecx\n" FINISH)

/* The stack is in a page that is not there. */
CODE(task_overflow, "movl $0xf0000000, %esp\n ud2\n")
CODE(task_overflow_push, "movl $0xf0000000, %esp\n pushl %eax\n")

#define KEEPER(name, vector, error) \
  CODE(name, error "pushl $0\n pushl $0\n pushfl\n pushl %cs\n pushl $" #name "\n pushl %edx\n" \
       "pushl $" #vector "\n jmp common\n")
KEEPER(keeper_db, 1, "movl $0x0badc0de, %edx\n")
KEEPER(keeper_df, 8, "popl %edx\n")
KEEPER(keeper_ts, 10, "popl %edx\n")
KEEPER(keeper_np, 11, "popl %edx\n")
KEEPER(keeper_ss, 12, "popl %edx\n")
KEEPER(keeper_gp, 13, "popl %edx\n")
KEEPER(keeper_pf, 14, "popl %edx\n")

static const struct { u32 vector; void (*code)(void); } KEEPER_TASKS[] = {
  {1, keeper_db}, {8, keeper_df}, {10, keeper_ts}, {11, keeper_np}, {12, keeper_ss}, {13, keeper_gp}, {14, keeper_pf},
};
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum { JUMP, CALL, JUMP_GATE, CALL_GATE, INT, UNDEFINED, PROTECTION, RETURN };
static const struct { const char *name; void (*code)(void); } WAYS[] = {
  {"jmp", task_jump}, {"call", task_call}, {"jmp gate", task_jump}, {"call gate", task_call},
  {"int", task_int}, {"ud", task_undefined}, {"gp", task_protection}, {"iret", task_return},
};

/* An old TSS in a page of its own. */
static u32 lone_tss[1024] __attribute__((aligned(4096)));
static u32 default_fresh[26] __attribute__((aligned(128)));
static u32 keepers[COUNT(KEEPER_TASKS)][32] __attribute__((aligned(128)));
static u8 task_stack[1024] __attribute__((aligned(16)));
static u8 keeper_stack[1024] __attribute__((aligned(16)));
static struct { u32 offset; u16 selector; } __attribute__((packed)) far_pointer;
/* The TSS of the new task, wherever it is. */
static u32 *fresh;
static u16 *short_fresh(void) { return (u16 *)fresh; }

/* A 32-bit task at CPL 0 or 3 that ends at once. */
static void make_wide(u32 *at, int cpl, void (*code)(void)) {
  fresh = at;
  for (u32 i = 0; i < 26; i++) at[i] = 0;
  for (u32 i = 0; i < 8; i++) at[EAX + i] = 0x10203040 + i;
  at[ESP0] = (u32)inner_stack_top;
  at[SS0] = DATA0;
  at[CR3] = (u32)page_directory;
  at[EIP] = (u32)code;
  at[EFLAGS] = 0x46;
  at[ESP] = (u32)(task_stack + sizeof task_stack);
  for (u32 i = ES; i <= GS; i++) at[i] = cpl ? DATA3 : DATA0;
  at[CS] = cpl ? CODE3 : CODE0;
  at[TRAP] = 104 << 16;
  set_descriptor(NEW, (u32)at, 0x67, 0x89, 0);
}
/* The same with a 16-bit TSS. Its stack is of 16 bits too. */
static void make_short(u32 *where, int cpl) {
  u16 *at = (u16 *)where;
  fresh = where;
  for (u32 i = 0; i < 22; i++) at[i] = 0;
  at[1] = 0x6000;
  at[2] = DATA0;
  at[7] = LOW_SHORT;
  at[8] = 0x46;
  for (u32 i = 0; i < 8; i++) at[9 + i] = 0x3040 + i;
  at[13] = 0x5800;
  set_descriptor(DATA16_3, 0, 0xffff, 0xf3, 0);
  at[17] = at[20] = cpl ? DATA3 : DATA0;
  at[18] = cpl ? CODE3 : CODE0;
  at[19] = cpl ? DATA16_3 | 3 : DATA16;
  set_descriptor(NEW, (u32)at, 0x2b, 0x81, 0);
}
/* Exceptions as tasks, on a stack of their own. */
void keep_tasks(void) {
  u32 *saved = fresh, low = gdt[NEW >> 3][0], high = gdt[NEW >> 3][1];
  for (u32 i = 0; i < COUNT(KEEPER_TASKS); i++) {
    u32 selector = KEEPERS + 8 * i;
    make_wide(keepers[i], 0, KEEPER_TASKS[i].code);
    keepers[i][ESP] = (u32)(keeper_stack + sizeof keeper_stack);
    set_descriptor(selector, (u32)keepers[i], 0x67, 0x89, 0);
    set_gate(idt[KEEPER_TASKS[i].vector], selector, 0, 0x85, 0);
  }
  fresh = saved;
  gdt[NEW >> 3][0] = low;
  gdt[NEW >> 3][1] = high;
}

static void number(const char *name, u32 value) {
  print(name);
  print_hex(value);
}
static void words(const char *name, const u32 *at) {
  for (u32 i = EIP; i <= GS; i++) number(i == EIP ? name : ",", at[i] & ~(i == EFLAGS ? 0x10010u : 0));
}
/* What the scenario left: registers of the processor, both TSSs, descriptors; then the usual line. */
static void outcome(int wide) {
  u32 tr, table, cr0, cr3, dr6, dr7;
  __asm__ volatile("str %0\n sldt %1\n movl %%cr0, %2\n movl %%cr3, %3" : "=r"(tr), "=r"(table), "=r"(cr0), "=r"(cr3));
  __asm__ volatile("movl %%db6, %0\n movl %%db7, %1" : "=r"(dr6), "=r"(dr7));
  number(" tr=", tr);
  number(" ldt=", table & 0xffff);
  number(" cr0=", cr0 & 0xffff);
  print(cr3 == (u32)page_directory ? " cr3" : " other cr3");
  number(" dr6=", dr6 & 0xe00f);
  number(" dr7=", dr7);
  number(" busy=", (gdt[TSS >> 3][1] >> 8 & 0xff) << 16 | (gdt[TSS16 >> 3][1] >> 8 & 0xff) << 8 | (gdt[NEW >> 3][1] >> 8 & 0xff));
  number(" links=", tss[LINK]);
  for (u32 i = 0; i < COUNT(KEEPER_TASKS); i++) number(",", keepers[i][LINK]);
  if (wide) {
    words(" old=", tss);
    words(" new=", fresh);
  }
  number(" link=", wide ? fresh[LINK] : short_fresh()[0]);
  /* Of a 16-bit task the upper halves of registers are undefined. */
  u32 mask = wide ? 0xffffffff : 0xffff;
  number(" r=", record->eax & mask);
  number(",", record->ecx & mask);
  number(",", record->edx & mask);
  number(",", record->ebx & mask);
  number(",", record->ebp & mask);
  number(",", record->esi & mask);
  number(",", record->edi & mask);
  __asm__ volatile("movl %0, %%dr7\n movl %1, %%dr6" :: "r"(0x400), "r"(0));
  reset();
  report();
}
static void title(const char *name, int cpl, u32 a, u32 b) {
  print("task ");
  print(name);
  print(cpl ? " 3 " : " 0 ");
  print_hex(a);
  print(" ");
  print_hex(b);
}
/* Goes that way; the new task is in place. */
static void go(u32 way, int cpl) {
  far_pointer.selector = way == JUMP || way == CALL ? NEW | (cpl ? 3 : 0) : GATE | (cpl ? 3 : 0);
  far_pointer.offset = 0x12345678;
  entry.esi = (u32)&far_pointer;
  set_gate(gdt[GATE >> 3], NEW, 0, 0xe5, 0);
  if (way == INT) set_gate(idt[VECTOR], NEW, 0, 0xe5, 0);
  if (way == UNDEFINED) set_gate(idt[6], NEW, 0, 0x85, 0);
  if (way == PROTECTION) set_gate(idt[13], NEW, 0, 0x85, 0);
  if (way == RETURN) {
    gdt[NEW >> 3][1] |= 0x200;
    entry.eflags |= 0x4000;
  }
  if (way <= CALL && cpl) gdt[NEW >> 3][1] |= 0x6000;
  run(cpl, WAYS[way].code);
  entry.eflags = 2;
}

static void directions(void) {
  for (u32 way = 0; way < COUNT(WAYS); way++) {
    for (u32 layouts = 0; layouts < 4; layouts++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        for (int target = 0; target < 4; target += 3) {
          u32 wide = layouts & 1, old_wide = (layouts & 2) != 0;
          if (wide) make_wide(default_fresh, target, task_landing);
          else make_short(default_fresh, target);
          for (u32 i = 0; i < 22; i++) if (!old_wide) tss16[i] = 0;
          tss16[1] = 0x6000;
          tss16[2] = DATA0;
          tss[LINK] = tss16[0] = NEW;
          if (!old_wide) __asm__ volatile("ltr %w0" :: "r"(TSS16));
          __asm__ volatile("movl %0, %%dr7" :: "r"(0x4aa | 0x55));
          entry.eflags = 0x8d7;
          entry.ecx = 0x11111111;
          entry.edx = 0x22222222;
          entry.ebx = 0x33333333;
          entry.edi = 0x44444444;
          title(WAYS[way].name, cpl, layouts, target);
          go(way, cpl);
          if (!old_wide) {
            print(" short=");
            for (u32 i = 7; i < 21; i++) number(",", tss16[i] & ~(i == 8 ? 0x10u : 0));
          }
          outcome(wide);
        }
      }
    }
  }
}

/* The descriptor: every system type, DPL, presence, RPL, limits around the lowest. */
static void descriptors(void) {
  static const u8 TYPES[] = {1, 3, 9, 11, 2, 12, 0, 0x12, 0x1b};
  for (u32 way = 0; way < COUNT(WAYS); way++) {
    if (way == UNDEFINED) continue;
    for (u32 type = 0; type < sizeof TYPES; type++) {
      for (u32 access = 0; access < 8; access++) {
        for (int cpl = 0; cpl < 4; cpl += 3) {
          u32 wide = TYPES[type] != 1 && TYPES[type] != 3;
          if (wide) make_wide(default_fresh, cpl, task_landing);
          else make_short(default_fresh, cpl);
          tss[LINK] = NEW;
          u32 bits = TYPES[type] | (access & 3) << 5 | (access & 4) << 5;
          set_descriptor(NEW, (u32)default_fresh, wide ? 0x67 : 0x2b, bits, 0);
          far_pointer.selector = (way < JUMP_GATE ? NEW : GATE) | (cpl ? 3 : 0);
          entry.esi = (u32)&far_pointer;
          set_gate(gdt[GATE >> 3], NEW, 0, 0xe5, 0);
          if (way == INT) set_gate(idt[VECTOR], NEW, 0, 0xe5, 0);
          /* Not the double fault's own exception: it would be one. */
          if (way == PROTECTION) set_gate(idt[13], NEW, 0, 0x85, 0);
          if (way == RETURN) entry.eflags = 0x4002;
          title(WAYS[way].name, cpl, bits, 0);
          run(cpl, WAYS[way].code);
          entry.eflags = 2;
          outcome(wide);
        }
      }
    }
    for (u32 limit = 0x29; limit < 0x6a; limit += limit == 0x2c ? 0x39 : 1) {
      for (u32 wide = 0; wide < 2; wide++) {
        if (wide) make_wide(default_fresh, 0, task_landing);
        else make_short(default_fresh, 0);
        set_descriptor(NEW, (u32)default_fresh, limit, wide ? 0x89 : 0x81, 0);
        tss[LINK] = NEW;
        title(WAYS[way].name, 0, limit, wide);
        go(way, 0);
        outcome(wide);
      }
    }
  }
  /* Selectors in the link, and in gates: null, of the LDT, beyond the GDT; gates of each privilege. */
  static const u32 SELECTORS[] = {0, 3, NEW | 1, NEW | 4, 0x800, DATA0, TSS};
  for (u32 way = JUMP_GATE; way < COUNT(WAYS); way++) {
    if (way == UNDEFINED || way == PROTECTION) continue;
    for (u32 i = 0; i < COUNT(SELECTORS); i++) {
      make_wide(default_fresh, 0, task_landing);
      tss[LINK] = SELECTORS[i];
      /* It may return to itself. */
      tss[CR3] = (u32)page_directory;
      if (way == RETURN) {
        gdt[NEW >> 3][1] |= 0x200;
        entry.eflags = 0x4002;
      }
      far_pointer.selector = GATE;
      entry.esi = (u32)&far_pointer;
      set_gate(gdt[GATE >> 3], SELECTORS[i], 0, 0xe5, 0);
      set_gate(idt[VECTOR], SELECTORS[i], 0, 0xe5, 0);
      title(WAYS[way].name, 0, SELECTORS[i], 0xf);
      run(0, WAYS[way].code);
      entry.eflags = 2;
      outcome(1);
    }
    for (u32 bits = 0; bits < 16 && way != RETURN; bits++) {
      for (int cpl = 0; cpl < 4; cpl += 3) {
        make_wide(default_fresh, 0, task_landing);
        far_pointer.selector = GATE | (bits & 1 ? 3 : 0);
        entry.esi = (u32)&far_pointer;
        u32 access = 5 | (bits >> 1 & 3) << 5 | (bits & 8) << 4;
        set_gate(gdt[GATE >> 3], NEW, 0, access, 0);
        set_gate(idt[VECTOR], NEW, 0, access, 0);
        title(WAYS[way].name, cpl, access, bits & 1);
        run(cpl, WAYS[way].code);
        outcome(1);
      }
    }
  }
}

/* Selectors of the new task: each wrong in each way. Faults are the new task's, and its stack may be missing. */
static void contents(void) {
  static const struct { u32 field, value; u8 access; } BAD[] = {
    {CS, 0, 0}, {CS, 3, 0}, {CS, 0x800, 0}, {CS, 0x0c, 0}, {CS, DATA0, 0}, {CS, CODE0 | 1, 0}, {CS, CODE0 | 3, 0},
    {CS, CODE3 & ~3, 0}, {CS, ODD, 0x1b}, {CS, ODD, 0x9f}, {CS, ODD | 3, 0x9f}, {CS, ODD, 0xff}, {CS, ODD, 0x89},
    {SS, 0, 0}, {SS, 3, 0}, {SS, 0x800, 0}, {SS, CODE0, 0}, {SS, DATA0 | 3, 0}, {SS, DATA3, 0}, {SS, ODD, 0x13},
    {SS, ODD, 0x91}, {SS, ODD, 0xb3}, {SS, ODD, 0x97}, {SS, ODD | 3, 0xf3},
    {DS, 0, 0}, {DS, 3, 0}, {DS, 0x800, 0}, {DS, CODE0, 0}, {DS, ODD, 0x99}, {DS, ODD, 0x9f}, {DS, ODD | 3, 0x93},
    {DS, ODD, 0x13}, {DS, ODD | 3, 0xf3}, {DS, ODD, 0x89}, {DS, DATA3, 0},
    {ES, 0x800, 0}, {FS, ODD, 0x13}, {GS, TSS, 0}, {GS, 0, 0},
    {LDTS, 0, 0}, {LDTS, LDT, 0}, {LDTS, LDT | 4, 0}, {LDTS, DATA0, 0}, {LDTS, 0x800, 0}, {LDTS, ODD, 0x02},
    {LDTS, ODD, 0x82}, {EIP, 0x10000000, 0}, {TRAP, 104 << 16 | 1, 0}, {EFLAGS, 0x146, 0}, {EFLAGS, 0x3202, 0},
    {EFLAGS, 0xffdcffff, 0}, {ESP, 2, 0},
  };
  static const u8 BY[] = {JUMP, CALL, INT, PROTECTION, RETURN};
  for (u32 i = 0; i < COUNT(BAD); i++) {
    for (u32 by = 0; by < sizeof BY; by++) {
      for (int target = 0; target < 4; target += 3) {
        u32 way = BY[by];
        make_wide(default_fresh, target, task_landing);
        /* A code segment that ends before the landing, and a stack without room for an error code. */
        if (BAD[i].field == EIP || BAD[i].field == ESP) {
          set_descriptor(ODD, 0, 0xfff, BAD[i].field == EIP ? (target ? 0xfb : 0x9b) : (target ? 0xf3 : 0x93), 4);
          fresh[BAD[i].field == EIP ? CS : SS] = ODD | target;
        } else if (BAD[i].access) set_descriptor(ODD, 0, 0xfffff, BAD[i].access, 0xc);
        fresh[BAD[i].field] = BAD[i].value;
        tss[LINK] = NEW;
        keep_tasks();
        title(WAYS[way].name, target, BAD[i].field << 16 | BAD[i].access, BAD[i].value);
        go(way, 0);
        outcome(1);
      }
    }
  }
}

/* Pages of the TSSs and the GDT that are not there or read-only. Nothing may have changed then. */
static void pages(void) {
  static const u8 BY[] = {JUMP, CALL, INT, RETURN};
  for (u32 by = 0; by < sizeof BY; by++) {
    /* 0: all there. 1, 2: first or second page of the new TSS absent; 3, 4: read-only; 5: old one read-only, 6: absent. */
    for (u32 how = 0; how < 7; how++) {
      u32 *across = (u32 *)(test_page[1] - 0x40);
      make_wide(across, 0, task_landing);
      tss[LINK] = NEW;
      for (u32 page = 0; page < 1024; page++) page_table[page] = page << 12 | 7;
      u32 bad = how == 1 || how == 3 ? (u32)test_page[0] : how == 5 || how == 6 ? (u32)lone_tss : (u32)test_page[1];
      for (u32 i = 0; i < 26; i++) lone_tss[i] = tss[i];
      set_descriptor(TSS, (u32)lone_tss, 0x67, 0x89, 0);
      __asm__ volatile("ltr %w0" :: "r"(TSS));
      if (how) page_table[bad >> 12] = (bad & ~0xfffu) | (how < 3 || how == 6 ? 0 : 5);
      page_directory[0] = (u32)page_table | 7;
      __asm__ volatile("movl %0, %%cr3" :: "r"(page_directory) : "memory");
      title("page", 0, by, how);
      go(BY[by], 0);
      /* The report reads the page that was absent. */
      page_directory[0] = 0x87;
      __asm__ volatile("movl %0, %%cr3" :: "r"(page_directory) : "memory");
      words(" lone=", lone_tss);
      outcome(1);
    }
  }
}

static void nesting(void) {
  static const struct { const char *name; void (*code)(void); } CODES[] = {
    {"call twice", task_call_twice}, {"int back", task_int_back}, {"step", task_step},
  };
  for (u32 i = 0; i < COUNT(CODES); i++) {
    for (int cpl = 0; cpl < 4; cpl += 3) {
      for (int target = 0; target < 4; target += 3) {
        make_wide(default_fresh, target, i == 2 ? task_landing : task_back);
        gdt[NEW >> 3][1] |= 0x6000;
        tss[CR3] = (u32)page_directory;
        far_pointer.selector = NEW | (cpl ? 3 : 0);
        entry.esi = (u32)&far_pointer;
        set_gate(idt[VECTOR], NEW, 0, 0xe5, 0);
        entry.eflags = 0x246;
        title(CODES[i].name, cpl, target, 0);
        run(cpl, CODES[i].code);
        entry.eflags = 2;
        outcome(1);
      }
    }
  }
  /* Only the task of #DF has a stack that can be used. */
  for (u32 i = 0; i < 2; i++) {
    make_wide(default_fresh, 0, keeper_df);
    set_gate(idt[8], NEW, 0, 0x85, 0);
    title("overflow", 0, i, 0);
    run(0, i ? task_overflow_push : task_overflow);
    outcome(1);
  }
  /* To a task and its LDT, with segments of it. */
  for (u32 bad = 0; bad < 2; bad++) {
    make_wide(default_fresh, 0, task_landing);
    set_descriptor(0x0c, 0x100, 0xfff, bad ? 0x91 : 0x93, 0xc);
    fresh[LDTS] = LDT;
    fresh[SS] = fresh[FS] = 0x0c;
    fresh[ESP] -= 0x100;
    keep_tasks();
    title("ldt", 0, bad, 0);
    go(JUMP, 0);
    outcome(1);
  }
}

void task_scenarios(void) {
  u8 *at = (u8 *)LOW_SHORT;
  __asm__("" : "+r"(at));
  at[0] = 0x0f;
  at[1] = 0xb7;
  at[2] = 0xe4;
  at[3] = 0xcd;
  at[4] = DONE;
  directions();
  descriptors();
  contents();
  pages();
  nesting();
}
