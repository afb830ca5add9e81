/* The native half of the differential tester: runs i386 test cases on the processor of this machine.
 *
 * A freestanding 32-bit program, linked out of the way of the addresses that cases use. It reads batches from
 * standard input (a count, then that many `struct test`), and writes one `struct outcome` for each. A case
 * starts by return from a signal handler, which loads all registers, and ends by the signal that its last
 * instruction raises; the kernel's signal frame has the registers, trap number, error code and CR2.
 * Cases run in a child process; a child that dies (a case that destroyed it) costs that one case.
 * Layouts are shared with native.ts; addresses with case.ts.
 * Sources: Linux arch/x86/include/uapi/asm/sigcontext.h (signal frame), SDM vol. 1 §8.1.10 (FSAVE image),
 * §10.5.1 (FXSAVE image). */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

#define CODE 0x10000000u
#define CODE_BYTES 0x2000u
#define DATA 0x20000000u
#define DATA_BYTES 0x2000u
#define READ_ONLY 0x20002000u
#define READ_ONLY_BYTES 0x1000u
#define STACK 0x30000000u
#define STACK_BYTES 0x1000u
#define LOW 0x5000u
#define LOW_BYTES 0x2000u
#define BACKUP 0x60000000u
#define MAX_CASES 4096
#define MAX_CODE 64
#define MAX_PATCHES 4
#define MAX_DIFFERENCES 64

struct patch { u32 address, length; u8 bytes[16]; };
struct test {
  u32 gpr[8]; /* EAX ECX EDX EBX ESP EBP ESI EDI */
  u32 eflags, eip, length, patches;
  u32 segments[6]; /* ES CS SS DS FS GS; CS 0: flat segments */
  u8 code[MAX_CODE];
  u8 fpu[108];
  u32 mxcsr;
  u8 xmm[128];
  struct patch patch[MAX_PATCHES];
};
struct outcome {
  u32 signal, trap, error, cr2;
  u32 gpr[8];
  u32 eflags, eip;
  u32 segments[6]; /* ES CS SS DS FS GS */
  u32 differences;
  u8 fxsave[288];
  struct { u32 address, value; } difference[MAX_DIFFERENCES];
};

/* The 32-bit signal frame's machine context. */
struct context {
  u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trap, error, eip, cs, eflags, espAtSignal, ss;
  u8 *fpstate;
  u32 oldmask, cr2;
};
struct ucontext { u32 flags, link, stack[3]; struct context machine; };
struct sigaction { void *handler; u32 flags; void *restorer; u32 mask[2]; };

static int call(int number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f) {
  struct { u32 number, a, b, c, d, e, f; } in = { number, a, b, c, d, e, f };
  int result;
  __asm__ volatile(
      "pushl %%ebx; pushl %%esi; pushl %%edi; pushl %%ebp\n"
      "movl 4(%%eax), %%ebx; movl 8(%%eax), %%ecx; movl 12(%%eax), %%edx\n"
      "movl 16(%%eax), %%esi; movl 20(%%eax), %%edi; movl 24(%%eax), %%ebp; movl (%%eax), %%eax\n"
      "int $0x80\n"
      "popl %%ebp; popl %%edi; popl %%esi; popl %%ebx"
      : "=a"(result) : "a"(&in) : "ecx", "edx", "memory");
  return result;
}
static void quit(int code) { for (;;) call(252, code, 0, 0, 0, 0, 0); }
void *memset(void *to, int value, unsigned long n) { u8 *p = to; while (n--) *p++ = value; return to; }
void *memcpy(void *to, const void *from, unsigned long n) {
  void *d = to;
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
  return to;
}

struct shared {
  volatile u32 index;
  u32 count;
  struct test tests[MAX_CASES];
  struct outcome outcomes[MAX_CASES];
};
static struct shared *shared;
static int running; /* a case, not the first trap */
static u32 ticked = ~0u; /* case at the last timer tick */
static u8 alternateStack[65536] __attribute__((aligned(64)));
u8 fpuImage[108] __attribute__((aligned(16)));
extern void trampoline(void);
extern void restore(void);
u32 caseEip, caseEsp, caseFlags, caseMxcsr;
u8 caseXmm[128] __attribute__((aligned(16)));
/* FRSTOR waits, so FNINIT comes first. FRSTOR, MOV and JMP change no flag. POPF sets NT and ID, which a return from a signal handler leaves alone. */
__asm__("trampoline: fninit; frstor fpuImage; ldmxcsr caseMxcsr\n"
    "movaps caseXmm, %xmm0; movaps caseXmm+16, %xmm1; movaps caseXmm+32, %xmm2; movaps caseXmm+48, %xmm3\n"
    "movaps caseXmm+64, %xmm4; movaps caseXmm+80, %xmm5; movaps caseXmm+96, %xmm6; movaps caseXmm+112, %xmm7\n"
    "movl $caseFlags, %esp; popfl; movl caseEsp, %esp; jmp *caseEip\nrestore: movl $173, %eax; int $0x80");

/* The LDT of segmented cases; as case.ts has it. Flags: see struct user_desc in Linux <asm/ldt.h>. */
#define BITS32 1u
#define DOWN (1u << 1)
#define CODE_SEGMENT (2u << 1)
#define LESS (1u << 3) /* read-only data, execute-only code */
#define PAGES (1u << 4)
static const struct { u32 base, limit, flags; } ldt[] = {
  { CODE, 0x1fff, CODE_SEGMENT },
  { 0, 0x10001, CODE_SEGMENT | BITS32 | PAGES },
  { 0x10, 0xfffff, BITS32 | PAGES },
  { 0, 0xfffff, BITS32 | PAGES | LESS },
  { 0, 0x20001, BITS32 | PAGES },
  { 0, 0x20000, BITS32 | PAGES | DOWN },
  { STACK, 0xfff, 0 },
  { 0, 0x30000, BITS32 | PAGES },
  { 0, 0x2ffff, BITS32 | PAGES | DOWN },
  { STACK, 0x3ff, DOWN },
  { 0, 0xfffff, CODE_SEGMENT | BITS32 | PAGES | LESS },
  { 0xfffff000u, 0xfffff, BITS32 | PAGES },
};

static const struct { u32 at, bytes; } regions[] = {
  { CODE, CODE_BYTES }, { DATA, DATA_BYTES }, { STACK, STACK_BYTES }, { LOW, LOW_BYTES },
};
static int haveLow, haveLdt = 1;

/* The same background as case.ts: a 32-bit xorshift stream for each region, seeded by its address. */
static void fillRegion(u32 at, u32 bytes) {
  u32 state = at ^ 0x9e3779b9u;
  for (u32 *p = (u32 *)at; p < (u32 *)(at + bytes); p++) {
    state ^= state << 13; state ^= state >> 17; state ^= state << 5;
    *p = state;
  }
}

static void record(u32 signal, struct context *m) {
  struct outcome *o = &shared->outcomes[shared->index];
  o->signal = signal; o->trap = m->trap; o->error = m->error; o->cr2 = m->cr2;
  u32 gpr[8] = { m->eax, m->ecx, m->edx, m->ebx, m->esp, m->ebp, m->esi, m->edi };
  memcpy(o->gpr, gpr, 32);
  o->eflags = m->eflags; o->eip = m->eip;
  u32 segments[6] = { m->es & 0xffff, m->cs & 0xffff, m->ss & 0xffff, m->ds & 0xffff, m->fs & 0xffff, m->gs & 0xffff };
  memcpy(o->segments, segments, 24);
  if (m->fpstate) memcpy(o->fxsave, m->fpstate + 112, 288);
  u32 n = 0;
  for (u32 r = 0; r < 4; r++) {
    if (regions[r].at == LOW && !haveLow) continue;
    u32 *now = (u32 *)regions[r].at, *was = (u32 *)(BACKUP + r * 0x10000);
    for (u32 i = 0; i < regions[r].bytes / 4; i++) {
      if (now[i] == was[i]) continue;
      /* Code that the case brought is not a change by the case. */
      if (n < MAX_DIFFERENCES) { o->difference[n].address = (u32)&now[i]; o->difference[n].value = now[i]; }
      n++;
    }
  }
  o->differences = n;
}

/* Puts a case's bytes in place, in the pages and in the copies with which they are compared. */
static void place(u32 address, const u8 *bytes, u32 length) {
  for (u32 i = 0; i < length; i++) {
    u32 at = address + i;
    for (u32 r = 0; r < 4; r++) {
      if (regions[r].at == LOW && !haveLow) continue;
      if (at - regions[r].at < regions[r].bytes) {
        *(u8 *)at = bytes[i];
        *(u8 *)(BACKUP + r * 0x10000 + at - regions[r].at) = bytes[i];
      }
    }
  }
}
static void background(void) {
  for (u32 r = 0; r < 4; r++) {
    if (regions[r].at == LOW && !haveLow) continue;
    u32 copy = BACKUP + r * 0x10000;
    memcpy((void *)copy, (void *)(copy + 0x8000), regions[r].bytes);
    memcpy((void *)regions[r].at, (void *)(copy + 0x8000), regions[r].bytes);
  }
}

static void handler(int signal, void *info, struct ucontext *context) {
  struct context *m = &context->machine;
  (void)info;
  /* A return from the handler keeps NT and ID as they are here. */
  __asm__ volatile("pushl $0x202; popfl" : : : "memory", "cc");
  int again = 0;
  if (signal == 14 && running) {
    int flat = shared->tests[shared->index].segments[1] == 0;
    /* The tick may have hit this handler itself. */
    if (flat && m->eip - (u32)CODE >= CODE_BYTES && m->eip >= 0x70000000u) return;
    /* A case is stuck at the second tick in it; the first one may come by chance. Begin anew where the handler's
     * own segments have replaced the case's. */
    again = ticked != shared->index;
    ticked = shared->index;
    if (again && flat) return;
  }
  if (running && !again) {
    record(signal, m);
    shared->index++;
  }
  running = 1;
  if (shared->index >= shared->count) quit(0);
  const struct test *t = &shared->tests[shared->index];
  background();
  place(t->eip, t->code, t->length);
  for (u32 i = 0; i < t->patches && i < MAX_PATCHES; i++) {
    u32 n = t->patch[i].length;
    place(t->patch[i].address, t->patch[i].bytes, n > 16 ? 16 : n);
  }
  memcpy(fpuImage, t->fpu, 108);
  memcpy(caseXmm, t->xmm, 128);
  caseMxcsr = t->mxcsr;
  m->eax = t->gpr[0]; m->ecx = t->gpr[1]; m->edx = t->gpr[2]; m->ebx = t->gpr[3];
  caseEsp = t->gpr[4]; m->ebp = t->gpr[5]; m->esi = t->gpr[6]; m->edi = t->gpr[7];
  caseFlags = t->eflags; m->eflags = 0x202; m->eip = (u32)trampoline; caseEip = t->eip;
  m->cs = 0x23; m->ds = m->es = m->ss = 0x2b; m->fs = m->gs = 0;
  if (t->segments[1]) {
    m->es = t->segments[0]; m->cs = t->segments[1]; m->ss = t->segments[2];
    m->ds = t->segments[3]; m->fs = t->segments[4]; m->gs = t->segments[5];
    m->esp = t->gpr[4]; m->eflags = t->eflags;
    /* No trampoline in such segments: the frame's FSAVE image and, behind it, MXCSR, XMM and XSTATE_BV. */
    u8 *fxsave = m->fpstate + 112;
    memcpy(m->fpstate, t->fpu, 108);
    memcpy(fxsave + 24, &t->mxcsr, 4);
    memcpy(fxsave + 160, t->xmm, 128);
    fxsave[512] |= 3;
    m->eip = t->segments[1] == 7 ? t->eip - CODE : t->eip;
  }
}

static int map(u32 at, u32 bytes, int protection, int flags) {
  u32 arguments[6] = { at, bytes, protection, flags, (u32)-1, 0 };
  return call(90, (u32)arguments, 0, 0, 0, 0, 0) == (int)at;
}
static void readAll(void *to, u32 n) {
  u8 *p = to;
  while (n > 0) {
    int got = call(3, 0, (u32)p, n, 0, 0, 0);
    if (got <= 0) quit(0);
    p += got; n -= got;
  }
}
static void writeAll(const void *from, u32 n) {
  const u8 *p = from;
  while (n > 0) {
    int put = call(4, 1, (u32)p, n, 0, 0, 0);
    if (put <= 0) quit(1);
    p += put; n -= put;
  }
}

static void child(void) {
  u32 stack[3] = { (u32)alternateStack, 0, sizeof alternateStack };
  call(186, (u32)stack, 0, 0, 0, 0, 0);
  static const int signals[] = { 4, 5, 7, 8, 11, 14 };
  for (int i = 0; i < 6; i++) {
    /* SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER */
    struct sigaction action = { handler, 0x4 | 0x08000000 | 0x40000000 | 0x04000000, restore, { 0, 0 } };
    /* A tick must not interrupt the handler's use of the frame. */
    if (signals[i] != 14) action.mask[0] = 1u << 13;
    call(174, signals[i], (u32)&action, 0, 8, 0, 0);
  }
  u32 timer[4] = { 0, 50000, 0, 50000 };
  call(104, 0, (u32)timer, 0, 0, 0, 0);
  __asm__ volatile("int3");
  quit(1);
}

void start(void) {
  /* MAP_PRIVATE|ANONYMOUS|FIXED_NOREPLACE; shared: MAP_SHARED|ANONYMOUS */
  u32 arguments[6] = { 0x68000000u, (sizeof(struct shared) + 4095) & ~4095u, 3, 0x31, (u32)-1, 0 };
  if (call(90, (u32)arguments, 0, 0, 0, 0, 0) != 0x68000000) quit(3);
  shared = (struct shared *)0x68000000u;
  if (!map(BACKUP, 0x40000, 3, 0x32) || !map(READ_ONLY, READ_ONLY_BYTES, 3, 0x32)) quit(3);
  for (u32 r = 0; r < 4; r++) {
    int mapped = map(regions[r].at, regions[r].bytes, regions[r].at == CODE ? 7 : 3, 0x32);
    if (regions[r].at == LOW) haveLow = mapped;
    else if (!mapped) quit(3);
    if (!mapped) continue;
    if (regions[r].at == CODE) memset((void *)CODE, 0xcc, CODE_BYTES);
    else fillRegion(regions[r].at, regions[r].bytes);
    memcpy((void *)(BACKUP + r * 0x10000 + 0x8000), (void *)regions[r].at, regions[r].bytes);
  }
  fillRegion(READ_ONLY, READ_ONLY_BYTES);
  for (u32 i = 0; i < sizeof ldt / sizeof *ldt; i++) {
    u32 entry[4] = { i, ldt[i].base, ldt[i].limit, ldt[i].flags };
    if (call(123, 0x11, (u32)entry, sizeof entry, 0, 0, 0) != 0) haveLdt = 0;
  }
  call(125, READ_ONLY, READ_ONLY_BYTES, 1, 0, 0, 0);
  u32 greeting = haveLow | haveLdt << 1;
  writeAll(&greeting, 4);
  for (;;) {
    readAll(&shared->count, 4);
    if (shared->count > MAX_CASES) quit(2);
    readAll(shared->tests, shared->count * sizeof(struct test));
    memset(shared->outcomes, 0, shared->count * sizeof(struct outcome));
    shared->index = 0;
    while (shared->index < shared->count) {
      int pid = call(2, 0, 0, 0, 0, 0, 0);
      if (pid == 0) child();
      int status = 0;
      call(7, pid, (u32)&status, 0, 0, 0, 0);
      /* The case took the process with it: signal 9 says so. */
      if (shared->index < shared->count) shared->outcomes[shared->index++].signal = 9;
    }
    writeAll(shared->outcomes, shared->count * sizeof(struct outcome));
  }
}
__asm__(".globl _start\n_start: andl $-16, %esp; call start");
