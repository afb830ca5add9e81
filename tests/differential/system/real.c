/*
 * Real mode: interrupts through the vector table, far transfers, 16- and 32-bit operands and addresses.
 * Sources: SDM vol. 3A §20.1.
 */
#include "probe.h"

enum { BASE = 0x9000, RECORD = 0x6000 };

struct real_record {
  u32 esp;
  u16 gs, fs, ss, es, ds;
  u32 edi, esi, ebp, sp, ebx, edx, ecx, eax;
  u16 vector, ip, cs, flags;
} __attribute__((packed));

extern u8 real_blob[], real_blob_end[], real_stubs[], real_gdt[], real_protected_idt[];
extern u8 gdt_pointer[], idt_pointer[];
void run_real(u32 routine);

#define ALL(_) \
  _(r_interrupt) _(r_return) _(r_divide) _(r_undefined) _(r_into) _(r_bound) _(r_call) _(r_call_wide) _(r_jump) \
  _(r_flags) _(r_iret_wide) _(r_segment) _(r_lds) _(r_machine) _(r_sgdt) _(r_lldt) _(r_arpl) _(r_verr) _(r_enter) \
  _(r_wrap_string) _(r_wrap_stack) _(r_address32) _(r_step) _(r_ports) _(r_control) _(r_loop) _(r_stack_segment) \
  _(r_vector_limit) _(r_vector_cut) _(r_vectors_moved) _(r_unreal) _(r_stay) _(r_keep_cs) _(r_lmsw) _(r_sysenter) _(r_mov_cs) _(r_too_long)
#define DECLARE(name) extern u8 name[];
#define ROW(name) {#name, name},
ALL(DECLARE)
static const struct { const char *name; u8 *code; } ROUTINES[] = {ALL(ROW)};

static u8 *low(u32 address) {
  u8 *at = (u8 *)address;
  __asm__("" : "+r"(at));
  return at;
}
static void copy(u8 *to, const u8 *from, u32 count) {
  while (count--) *to++ = *from++;
}
static void word(const char *name, u32 value) {
  print(name);
  print_hex(value);
}

void real_scenarios(void) {
  const struct real_record *r = (const struct real_record *)low(RECORD);
  for (u32 i = 0; i < sizeof ROUTINES / sizeof *ROUTINES; i++) {
    copy(low(BASE), real_blob, real_blob_end - real_blob);
    copy(low(BASE + (real_gdt - real_blob)), gdt_pointer, 6);
    copy(low(BASE + (real_protected_idt - real_blob)), idt_pointer, 6);
    for (u32 at = 0x5000; at < 0x6100; at++) *low(at) = 0;
    for (u32 vector = 0; vector < 256; vector++) {
      *(u32 *)low(4 * vector) = BASE + (real_stubs - real_blob) + 8 * vector;
    }
    print(ROUTINES[i].name);
    run_real(BASE + (ROUTINES[i].code - real_blob));
    reset();
    word(" v=", r->vector);
    word(" ip=", r->ip);
    word(" cs=", r->cs);
    /* AF after logic is undefined. */
    word(" fl=", r->flags & ~0x10u);
    word(" sp=", r->esp);
    word(" a=", r->eax & ~0x10u);
    word(" c=", r->ecx);
    word(" d=", r->edx);
    word(" b=", r->ebx);
    word(" si=", r->esi);
    word(" di=", r->edi);
    word(" bp=", r->ebp);
    word(" ds=", r->ds);
    word(" es=", r->es);
    word(" ss=", r->ss);
    word(" fs=", r->fs);
    word(" gs=", r->gs);
    end_line();
  }
}
