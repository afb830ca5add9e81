/*
 * Virtual-8086 mode: sensitive instructions by IOPL, flags, segments and limits, every way in and out.
 * QEMU has no VME, no INT1 and no limits; that is in cpu/events/virtual8086_test.ts. Sources: SDM vol. 3A §20.2–20.3, vol. 2 (INT n, IRET).
 */
#include "probe.h"

enum { BASE = 0x9000, VM = 0x20000, NEW = FREE, ODD = FREE + 8 };

struct virtual_entry {
  u32 eip, cs, eflags, esp, ss, es, ds, fs, gs;
  u32 ebx, edx;
};
void enter_virtual(const struct virtual_entry *);
extern u8 virtual_blob[], virtual_blob_end[], virtual_iret[], virtual_task_back[];

#define ALL(_) \
  _(v_done) _(v_cli) _(v_sti) _(v_pushf) _(v_pushfl) _(v_int) _(v_int3) _(v_into) _(v_hlt) _(v_out) \
  _(v_outw) _(v_outl) _(v_outsb) _(v_in) _(v_lgdt) _(v_lidt) _(v_sgdt) _(v_smsw) _(v_lmsw) _(v_mov_cr) _(v_mov_dr) \
  _(v_clts) _(v_invlpg) _(v_wbinvd) _(v_rdmsr) _(v_sldt) _(v_str) _(v_lldt) _(v_ltr) _(v_verr) _(v_verw) _(v_lar) \
  _(v_lsl) _(v_arpl) _(v_sysenter) _(v_sysexit) _(v_jmp) _(v_jmpl) _(v_call) _(v_calll) _(v_call_near) \
  _(v_segments) _(v_stack) _(v_address32) _(v_divide) _(v_undefined) \
  _(v_bound) _(v_lock) _(v_mov_cs) _(v_too_long) _(v_step) _(v_step_ss) _(v_string) _(v_enter) _(v_loop) \
  _(v_page_read) _(v_page_write) _(v_page_push) _(v_page_jump) _(v_handler)
#define DECLARE(name) extern u8 name[];
#define ROW(name) {#name, name},
ALL(DECLARE)
DECLARE(v_popf) DECLARE(v_popfl) DECLARE(v_iret) DECLARE(v_iretl)
static const struct { const char *name; u8 *code; } ROUTINES[] = {ALL(ROW)};
static const struct { const char *name; u8 *code; } FLAG_ROUTINES[] = {
  ROW(v_popf) ROW(v_popfl) ROW(v_iret) ROW(v_iretl)
};
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct virtual_entry at;
CODE(virtual_landing, FINISH)
CODE(virtual_jump, "ljmp *(%esi)\n" FINISH)

static u8 *low(u32 address) {
  u8 *where = (u8 *)address;
  __asm__("" : "+r"(where));
  return where;
}
static void number(const char *name, u32 value) {
  print(name);
  print_hex(value);
}

/* Blob, data and the entry state of a routine. */
static void prepare(u8 *routine, u32 eflags) {
  for (u8 *from = virtual_blob; from < virtual_blob_end; from++) *low(BASE + (from - virtual_blob)) = *from;
  for (u32 byte = 0x5000; byte < 0x5c00; byte++) *low(byte) = 0;
  for (u32 byte = 0xa000; byte < 0xa100; byte++) *low(byte) = 0;
  for (u32 byte = 0x14ff0; byte < 0x15010; byte++) *low(byte) = byte;
  at = (struct virtual_entry){
    .eip = routine - virtual_blob, .cs = 0x900, .eflags = VM | 2 | eflags, .esp = 0x300, .ss = 0x580,
    .es = 0x1111, .ds = 0x500, .fs = 0xfff0, .gs = 0x4321, .ebx = 0x87654321, .edx = 0x12345678,
  };
}
static void go(void) {
  u32 *stack = (u32 *)inner_stack_top;
  for (int i = 1; i <= 24; i++) stack[-i] = 0;
  enter_virtual(&at);
}
static void outcome(void) {
  const struct record *r = record;
  u32 tr;
  __asm__ volatile("str %0" : "=r"(tr));
  reset();
  number(" v=", r->vector);
  if (r->error != 0x0badc0de) number(" e=", r->error);
  number(" ip=", r->eip);
  number(" cs=", r->cs & 0xffff);
  number(" fl=", r->eflags & ~0x10010u);
  number(" tr=", tr);
  number(" a=", r->eax & ~0x10u);
  number(" c=", r->ecx);
  number(" d=", r->edx);
  number(" b=", r->ebx);
  number(" si=", r->esi);
  number(" di=", r->edi);
  number(" bp=", r->ebp);
  number(" at=", (u32)r);
  print(" seg=");
  print_hex(r->ds);
  number(",", r->es);
  number(",", r->fs);
  number(",", r->gs);
  /* After virtual-8086 mode: ESP SS ES DS FS GS; else whatever is on the stack. */
  const u32 *sp = &r->outer_esp;
  print(" st=");
  for (int i = 0; i < 8 && sp + i < (u32 *)inner_stack_top; i++) number(i ? "," : "", sp[i] & ~0x10000u);
  number(" m=", *(u32 *)low(0xa000));
  number(",", *(u32 *)low(0xa010));
  if (r->vector == 14) number(" cr2=", r->cr2);
  end_line();
}
static void title(const char *name, u32 a, u32 b) {
  print("virtual ");
  print(name);
  number(" ", a);
  number(" ", b);
}
static void iret_gate(void) { set_gate(idt[0x39], CODE0, (u32)virtual_iret, 0xee, 0); }

static void routines(void) {
  for (u32 iopl = 0; iopl < 4; iopl++) {
    for (u32 i = 0; i < COUNT(ROUTINES); i++) {
      for (u32 open = 0; open < 2; open++) {
        prepare(ROUTINES[i].code, iopl << 12 | (open ? 0x200 : 0));
        set_gate(idt[VECTOR], CODE0, (u32)virtual_landing, open ? 0xee : 0x8e, 0);
        set_gate(idt[3], CODE0, (u32)virtual_landing, open ? 0xee : 0x8e, 0);
        set_gate(idt[4], CODE0, (u32)virtual_landing, open ? 0xee : 0x8e, 0);
        iret_gate();
        /* Ports 80h to 83h. */
        tss[26 + 4] = open ? 0xfffffff0 : 0xfffffffc;
        for (u32 page = 0; page < 1024; page++) page_table[page] = page << 12 | 7;
        page_table[0xa0] = open ? 0 : 0xa0003;
        page_directory[0] = (u32)page_table | 7;
        __asm__ volatile("movl %0, %%cr3" :: "r"(page_directory) : "memory");
        title(ROUTINES[i].name, iopl, open);
        go();
        outcome();
      }
    }
  }
}
static void flags(void) {
  static const u32 IMAGES[] = {
    0, 0x8d5, 0x200, 0x3000, 0x1000, 0x4000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x264ed5, 0x802a,
    0x100,
  };
  for (u32 iopl = 0; iopl < 4; iopl++) {
    for (u32 old = 0; old < 2; old++) {
      for (u32 i = 0; i < COUNT(FLAG_ROUTINES); i++) {
        for (u32 image = 0; image < COUNT(IMAGES); image++) {
          prepare(FLAG_ROUTINES[i].code, iopl << 12 | (old ? 0x240ed7 : 2));
          at.ebx = IMAGES[image];
          title(FLAG_ROUTINES[i].name, at.eflags, IMAGES[image]);
          go();
          outcome();
        }
      }
    }
  }
}

/* Gates of each type to code of each kind, by INT n and by an exception. */
static void exits(void) {
  static const u8 TYPES[] = {0x8e, 0xee, 0xef, 0xe6, 0x87, 0xec, 0x6e, 0xf2};
  static const struct { u16 selector; u8 access; } TARGETS[] = {
    {CODE0, 0}, {CODE0 | 3, 0}, {CODE3, 0}, {0, 0}, {0x800, 0}, {DATA0, 0}, {ODD, 0x9f}, {ODD, 0xbb}, {ODD, 0x1b},
    {ODD, 0xff}, {ODD, 0x99},
  };
  for (u32 type = 0; type < sizeof TYPES; type++) {
    for (u32 target = 0; target < COUNT(TARGETS); target++) {
      for (u32 by = 0; by < 2; by++) {
        prepare(by ? v_undefined : v_int, 0x3000);
        if (TARGETS[target].access) set_descriptor(ODD, 0, 0xfffff, TARGETS[target].access, 0xc);
        u32 landing = TYPES[type] & 8 ? (u32)virtual_landing : LOW_LANDING;
        set_gate(idt[by ? 6 : VECTOR], TARGETS[target].selector, landing, TYPES[type], 0);
        title(by ? "exit ud" : "exit int", TYPES[type], TARGETS[target].selector | TARGETS[target].access << 16);
        go();
        outcome();
      }
    }
  }
  /* Inner stacks; the handlers of what they raise are tasks. */
  static const struct { u32 esp; u16 selector; u8 access; } STACKS[] = {
    {0, 0, 0}, {0, DATA3, 0}, {0, CODE0, 0}, {0, DATA0 | 1, 0}, {0, ODD, 0x13}, {0, 0x800, 0}, {0x10, ODD, 0x93},
  };
  for (u32 i = 0; i < COUNT(STACKS); i++) {
    prepare(v_int, 0x3000);
    set_gate(idt[VECTOR], CODE0, (u32)virtual_landing, 0xee, 0);
    set_descriptor(ODD, 0, 0xfff, STACKS[i].access, 4);
    if (STACKS[i].esp) tss[1] = STACKS[i].esp;
    tss[2] = STACKS[i].selector;
    keep_tasks();
    title("stack", STACKS[i].selector, STACKS[i].access);
    go();
    /* The state of virtual-8086 mode that the keeper's switch saved. */
    for (u32 word = 8; word < 24; word++) number(word == 8 ? " saved=" : ",", tss[word] & ~(word == 9 ? 0x10010u : 0));
    outcome();
  }
}

/* IRETD into the mode from CPL 0 and 3, with operands that do not fit; tasks that are in the mode. */
static void entries(void) {
  static const u32 EIPS[] = {0, 0xffff, 0x10000, 0xffff0000};
  for (u32 i = 0; i < COUNT(EIPS); i++) {
    prepare(v_done, 0x3000);
    at.eip += EIPS[i];
    if (EIPS[i] == 0xffff) {
      at.eip = 0xffff;
      *low(BASE + 0xffff) = 0xf4;
    }
    at.cs |= 0xabcd0000;
    at.ds |= 0xabcd0000;
    at.esp |= 0xabcd0000;
    title("entry", EIPS[i], 0);
    go();
    outcome();
  }
  static u32 fresh[26] __attribute__((aligned(128)));
  static struct { u32 offset; u16 selector; } __attribute__((packed)) far_pointer = {0, NEW};
  static const u32 TABLES[] = {0, LDT, DATA0};
  for (u32 i = 0; i < COUNT(TABLES); i++) {
    for (u32 eip = 0; eip < 0x20000; eip += 0x10000) {
      prepare(v_done, 0x3000);
      for (u32 word = 0; word < 26; word++) fresh[word] = 0;
      fresh[1] = (u32)inner_stack_top;
      fresh[2] = DATA0;
      fresh[7] = (u32)page_directory;
      fresh[8] = at.eip + eip;
      fresh[9] = at.eflags;
      fresh[14] = at.esp;
      fresh[18] = at.es;
      fresh[19] = at.cs;
      fresh[20] = at.ss;
      fresh[21] = at.ds;
      fresh[22] = at.fs;
      fresh[23] = at.gs;
      fresh[24] = TABLES[i];
      fresh[25] = 104 << 16;
      set_descriptor(NEW, (u32)fresh, 0x67, 0x89, 0);
      entry.esi = (u32)&far_pointer;
      title("task", TABLES[i], eip);
      run(0, virtual_jump);
      outcome();
    }
  }
  /* To a task by an interrupt, and back by its IRET. */
  for (u32 twice = 0; twice < 2; twice++) {
    prepare(v_handler, 0x3203);
    for (u32 word = 0; word < 26; word++) fresh[word] = 0;
    fresh[7] = tss[7] = (u32)page_directory;
    fresh[8] = (u32)virtual_task_back;
    fresh[9] = 2;
    fresh[14] = (u32)scenario_stack_top;
    fresh[18] = fresh[20] = fresh[21] = fresh[22] = fresh[23] = DATA0;
    fresh[19] = CODE0;
    set_descriptor(NEW, (u32)fresh, 0x67, 0x89, 0);
    set_gate(idt[0x39], NEW, 0, twice ? 0xe5 : 0x85, 0);
    title("task back", twice, 0);
    go();
    number(" eax=", fresh[10]);
    number(",", fresh[8]);
    outcome();
  }
}

void virtual_scenarios(void) {
  routines();
  flags();
  exits();
  entries();
}
