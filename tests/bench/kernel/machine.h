/* The processor and the board, as main.c and system.c use them. */
#ifndef MACHINE_H
#define MACHINE_H
#include "bench.h"

enum { COM1 = 0x3f8, PIC1 = 0x20, PIC2 = 0xa0, CMOS = 0x70, POST = 0x80 };

static inline void out(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 in(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void load_cr3(const void *directory) {
  __asm__ volatile("movl %0, %%cr3" : : "r"(directory) : "memory");
}
static inline void invalidate(u32 address) {
  __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
static inline void write_msr(u32 number, u32 value) {
  __asm__ volatile("wrmsr" : : "c"(number), "a"(value), "d"(0));
}

/* Puts an interrupt gate for ring `privilege` into the IDT. */
void set_gate(u32 vector, void (*entry)(void), u32 privilege);
/* Identity-maps the first 64 MiB by 4 KiB pages and turns paging on. */
void start_paging(void);
void print(const char *text);
void fail(const char *text, u32 value) __attribute__((noreturn));
#endif
