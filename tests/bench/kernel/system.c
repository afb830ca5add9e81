/* Programs of the group "system": what a kernel does all day. And the page tables. */
#include "machine.h"

enum { PRESENT = 1, WRITE = 2, USER = 4, PAGE = 4096, ENTRIES = 1024 };
enum { IDENTITY_TABLES = 16, WINDOW = 0x40000000, WINDOW_PAGES = 256, POOL = 16 << 20 };

typedef u32 table[ENTRIES] __attribute__((aligned(4096)));
static table directory, other_directory, identity[IDENTITY_TABLES], window, other_window;
extern u8 user_begin[], user_end[], stack_top[];

void start_paging(void) {
  for (u32 i = 0; i < IDENTITY_TABLES; i++) {
    directory[i] = (u32)identity[i] | PRESENT | WRITE | USER;
    for (u32 k = 0; k < ENTRIES; k++) {
      const u32 at = (i * ENTRIES + k) * PAGE;
      const int user = at >= (u32)user_begin && at < (u32)user_end;
      identity[i][k] = at | PRESENT | WRITE | (user ? USER : 0);
    }
  }
  directory[WINDOW >> 22] = (u32)window | PRESENT | WRITE;
  for (u32 i = 0; i < ENTRIES; i++) other_directory[i] = directory[i];
  other_directory[WINDOW >> 22] = (u32)other_window | PRESENT | WRITE;
  load_cr3(directory);
  __asm__ volatile(
      "movl %%cr0, %%eax\n"
      "orl $0x80010000, %%eax\n" /* PG, WP */
      "movl %%eax, %%cr0\n"
      "jmp 1f\n"
      "1:"
      :
      :
      : "eax", "memory");
}

/* Maps the page of the window that was not there. */
static u32 faults;
void page_fault(u32 address) {
  const u32 page = (address - WINDOW) / PAGE;
  if (page >= WINDOW_PAGES) fail("page fault at ", address);
  window[page] = (POOL + page * PAGE) | PRESENT | WRITE;
  faults++;
}
void page_fault_entry(void);

/* Fault, map, return; then the pages go away again. */
static u32 page_faults(u32 n) {
  u32 sum = 0;
  set_gate(14, page_fault_entry, 0);
  faults = 0;
  for (u32 page = 0; page < WINDOW_PAGES; page++) *(u32 *)(POOL + page * PAGE) = page;
  for (u32 round = 0; round < n; round++) {
    for (u32 page = 0; page < WINDOW_PAGES; page++) {
      u32 *const word = (u32 *)(WINDOW + page * PAGE);
      sum += (*word)++;
    }
    for (u32 page = 0; page < WINDOW_PAGES; page++) {
      window[page] = 0;
      invalidate(WINDOW + page * PAGE);
    }
  }
  return mix(sum, faults);
}

/* A system call with two arguments. */
static u32 calls;
u32 system_call(u32 a, u32 b) {
  calls++;
  return a * 5 + (b >> 3);
}
u32 run_user(void *entry, u32 count);
void trap_entry(void);
void full_trap_entry(void);
void sysenter_entry(void);
extern u8 user_trap[], user_sysenter[];

static u32 trap(u32 n) {
  set_gate(0x80, trap_entry, 3);
  return run_user(user_trap, n);
}
static u32 full_trap(u32 n) {
  set_gate(0x80, full_trap_entry, 3);
  return run_user(user_trap, n);
}
static u32 sysenter(u32 n) {
  set_gate(0x80, trap_entry, 3);
  write_msr(0x174, 0x08); /* IA32_SYSENTER_CS, _ESP, _EIP */
  write_msr(0x175, (u32)stack_top - 8192);
  write_msr(0x176, (u32)sysenter_entry);
  return run_user(user_sysenter, n);
}

static u32 port_io(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < n; i++) {
    out(PIC1 + 1, (u8)i | 0x80); /* the mask register: nothing is pending with interrupts off */
    sum += in(PIC1 + 1);
    out(CMOS, 0x0e + (i & 7));
    (void)in(CMOS + 1); /* what a BIOS left there differs */
    out(POST, (u8)i);
    sum += in(COM1 + 5) & 0x1e; /* line status: no errors */
  }
  out(PIC1 + 1, 0xff);
  return sum;
}

u32 page_function_0(u32), page_function_1(u32), page_function_2(u32), page_function_3(u32);

/* The pages that two address spaces have at the same place: eight different ones each. */
static void fill_windows(void) {
  for (u32 page = 0; page < 8; page++) {
    *(u32 *)(POOL + page * PAGE) = page;
    *(u32 *)(POOL + (page + 8) * PAGE) = page * 1000;
    window[page] = (POOL + page * PAGE) | PRESENT | WRITE;
    other_window[page] = (POOL + (page + 8) * PAGE) | PRESENT | WRITE;
  }
}
static void clear_windows(void) {
  for (u32 page = 0; page < 8; page++) window[page] = other_window[page] = 0;
  load_cr3(directory);
}

/* Two address spaces in turn; in each, eight pages of data and four of code. */
static u32 address_spaces(u32 n) {
  static u32 (*const functions[])(u32) = {page_function_0, page_function_1, page_function_2,
                                          page_function_3};
  u32 sum = 0;
  fill_windows();
  for (u32 round = 0; round < n; round++) {
    load_cr3(round & 1 ? other_directory : directory);
    for (u32 page = 0; page < 8; page++) {
      volatile u32 *const word = (volatile u32 *)(WINDOW + page * PAGE);
      sum += *word;
      *word = *word + round;
      if (page & 1) sum = functions[page >> 1](sum);
    }
  }
  clear_windows();
  return sum;
}

/* A whole address space of 2048 pages, forgotten and filled again. */
static u32 tlb_refill(u32 n) {
  u32 sum = 0;
  for (u32 page = 0; page < 2048; page++) *(u32 *)(POOL + page * PAGE + (page & 63) * 64) = page;
  for (u32 round = 0; round < n; round++) {
    load_cr3(directory);
    for (u32 page = 0; page < 2048; page++) {
      u32 *const word = (u32 *)(POOL + page * PAGE + (page & 63) * 64);
      sum += *word;
      *word += round;
    }
  }
  return sum;
}

/*
 * Interrupts of a device: the UART asks for bytes as soon as that is allowed. Not the timer, whose
 * interrupts take the host's time on one machine and the guest's on another.
 */
static volatile u32 interrupts;
static u32 causes;
void serial_interrupt(void) {
  causes += in(COM1 + 2) & 7;
  interrupts++;
  out(PIC1, 0x20);
}
void interrupt_entry(void);
static u32 device_interrupts(u32 n) {
  set_gate(0x24, interrupt_entry, 0);
  out(PIC1, 0x11), out(PIC1 + 1, 0x20), out(PIC1 + 1, 4), out(PIC1 + 1, 1);
  out(PIC1 + 1, 0xff & ~(1 << 4));
  interrupts = causes = 0;
  __asm__ volatile("sti");
  for (u32 i = 0; i < n; i++) {
    const u32 before = interrupts;
    out(COM1 + 1, 2);
    while (interrupts == before) {}
    out(COM1 + 1, 0);
  }
  __asm__ volatile("cli");
  out(PIC1 + 1, 0xff);
  return mix(interrupts, causes);
}

/* Two tasks of a kernel, each with its stack and its address space, that give way to each other. */
void switch_stacks(u32 **save, u32 *next);
static u32 second_stack[1024], *first_esp, *second_esp, task_sum;
static NOINLINE void work(u32 value) {
  volatile u32 *const word = (volatile u32 *)WINDOW;
  *word += value;
  task_sum = mix(task_sum, *word);
}
static void second_task(void) {
  for (u32 i = 0;; i++) {
    work(i);
    load_cr3(directory);
    switch_stacks(&second_esp, first_esp);
  }
}
static u32 task_switches(u32 n) {
  u32 *top = second_stack + LENGTH(second_stack);
  *--top = 0;                /* where second_task would return to */
  *--top = (u32)second_task;
  for (u32 i = 0; i < 4; i++) *--top = 0;
  *--top = 2; /* EFLAGS */
  second_esp = top;
  task_sum = 0;
  fill_windows();
  for (u32 i = 0; i < n; i++) {
    work(i * 3);
    load_cr3(other_directory);
    switch_stacks(&first_esp, second_esp);
  }
  clear_windows();
  return task_sum;
}

const struct program system_programs[] = {
    {"page-fault", "system", 5000, page_faults, 0},
    {"int80", "system", 4000000, trap, 0},
    {"int80-full", "system", 3000000, full_trap, 0},
    {"sysenter", "system", 16000000, sysenter, NEEDS_SYSENTER},
    {"port-io", "system", 1600000, port_io, 0},
    {"cr3", "system", 200000, address_spaces, 0},
    {"tlb", "system", 2400, tlb_refill, 0},
    {"interrupt", "system", 1000000, device_interrupts, 0},
    {"task-switch", "system", 160000, task_switches, 0},
    {0, 0, 0, 0, 0}};
