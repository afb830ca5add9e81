/* Numeric programs in SSE and SSE2, and what a kernel must do about the XMM registers. Compiled with
   gcc -m32 -O2 -msse2 -mfpmath=sse; runs natively and on our kernel, and both must say the same. Started as
   process 1 it switches the machine off at the end. */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

static unsigned long long bits(double d) {
  unsigned long long u;
  memcpy(&u, &d, 8);
  return u;
}
static void say(const char *name, double d) { printf("%s %.17g %016llx\n", name, d, bits(d)); }

/* Sun and planets, symplectic. */
static double bodies[5][7] = {
  { 0, 0, 0, 0, 0, 0, 39.47841760435743 },
  { 4.841431442464721, -1.1603200440274284, -0.10362204447112311, 0.606326392995832, 2.81198684491626, -0.02521836165988763, 0.03769367487038949 },
  { 8.34336671824458, 4.124798564124305, -0.4035234171143214, -1.0107743461787924, 1.8256623712304119, 0.008415761376584154, 0.011286326131968767 },
  { 12.894369562139131, -15.111151401698631, -0.22330757889265573, 1.0827910064415354, 0.8687130181696082, -0.010832637401363636, 0.0017237240570597112 },
  { 15.379697114850917, -25.919314609987964, 0.17925877295037118, 0.979090732243898, 0.5946989986476762, -0.034755955550407815, 0.0020336868699246304 },
};
static void gravity(void) {
  for (int step = 0; step < 2000; step++) {
    for (int i = 0; i < 5; i++) {
      for (int j = i + 1; j < 5; j++) {
        double d[3], square = 0;
        for (int k = 0; k < 3; k++) d[k] = bodies[i][k] - bodies[j][k];
        for (int k = 0; k < 3; k++) square += d[k] * d[k];
        double pull = 0.01 / (square * sqrt(square));
        for (int k = 0; k < 3; k++) {
          bodies[i][3 + k] -= d[k] * bodies[j][6] * pull;
          bodies[j][3 + k] += d[k] * bodies[i][6] * pull;
        }
      }
    }
    for (int i = 0; i < 5; i++) for (int k = 0; k < 3; k++) bodies[i][k] += 0.01 * bodies[i][3 + k];
  }
  for (int i = 0; i < 5; i++) say("gravity", bodies[i][0]);
}

static void spectrum(void) {
  enum { N = 60 };
  double u[N], v[N];
  for (int i = 0; i < N; i++) u[i] = 1;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < N; i++) {
      double sum = 0;
      for (int j = 0; j < N; j++) sum += u[j] / ((i + j) * (i + j + 1) / 2 + i + 1);
      v[i] = sum;
    }
    for (int i = 0; i < N; i++) {
      double sum = 0;
      for (int j = 0; j < N; j++) sum += v[j] / ((i + j) * (i + j + 1) / 2 + j + 1);
      u[i] = sum;
    }
  }
  double a = 0, b = 0;
  for (int i = 0; i < N; i++) { a += u[i] * v[i]; b += v[i] * v[i]; }
  say("spectrum", sqrt(a / b));
}

/* Single precision, packed. */
static void mandelbrot(void) {
  unsigned inside = 0;
  for (int y = 0; y < 40; y++) {
    for (int x = 0; x < 80; x += 4) {
      __m128 cr = _mm_set_ps(x + 3, x + 2, x + 1, x), ci = _mm_set1_ps(y * 0.05f - 1);
      cr = _mm_sub_ps(_mm_mul_ps(cr, _mm_set1_ps(0.0375f)), _mm_set1_ps(2.25f));
      __m128 zr = _mm_setzero_ps(), zi = zr, still = _mm_cmpeq_ps(zr, zr);
      for (int i = 0; i < 50; i++) {
        __m128 r2 = _mm_mul_ps(zr, zr), i2 = _mm_mul_ps(zi, zi), ri = _mm_mul_ps(zr, zi);
        still = _mm_and_ps(still, _mm_cmple_ps(_mm_add_ps(r2, i2), _mm_set1_ps(4)));
        zr = _mm_add_ps(_mm_sub_ps(r2, i2), cr);
        zi = _mm_add_ps(_mm_add_ps(ri, ri), ci);
      }
      inside = inside * 31 + _mm_movemask_ps(still);
    }
  }
  printf("mandelbrot %08x flags %02x\n", inside, _mm_getcsr() & 0x3f);
}

static void library(void) {
  volatile double x = 0.7;
  say("exp", exp(x * 20));
  say("log", log(x));
  say("sin", sin(x * 1e6));
  say("pow", pow(x, -31.5));
  say("strtod", strtod("123456789.123456789e-200", 0));
  printf("printf %.3e %.0f %a\n", x * 1e-310, 1e22, x / 3);
  unsigned sum = 0;
  for (int i = 0; i < 5000; i++) {
    char text[64];
    double d = (i * 2654435761u % 1000003) * 1.1e-7 * i;
    snprintf(text, sizeof text, "%.17g", d);
    sum = sum * 31 + (strtod(text, 0) == d) + (unsigned)(long)(d * 3) + (unsigned)(float)d;
  }
  printf("round trip %08x\n", sum);
}

/* Two processes use all XMM registers at once, with rounding of their own. */
static int holds(unsigned seed) {
  unsigned put[32], got[32];
  for (int i = 0; i < 32; i++) put[i] = seed = seed * 1103515245 + 12345;
  __asm__ volatile(
      "movups (%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; movups 48(%0), %%xmm3\n"
      "movups 64(%0), %%xmm4; movups 80(%0), %%xmm5; movups 96(%0), %%xmm6; movups 112(%0), %%xmm7\n"
      "movl $158, %%eax; int $0x80; movl $20000, %%ecx; 1: loop 1b; movl $158, %%eax; int $0x80\n"
      "movups %%xmm0, (%1); movups %%xmm1, 16(%1); movups %%xmm2, 32(%1); movups %%xmm3, 48(%1)\n"
      "movups %%xmm4, 64(%1); movups %%xmm5, 80(%1); movups %%xmm6, 96(%1); movups %%xmm7, 112(%1)"
      : : "r"(put), "r"(got) : "eax", "ecx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
  return memcmp(put, got, sizeof put) == 0;
}
static int keeps(unsigned seed, unsigned rounding) {
  int good = 1;
  _mm_setcsr(0x1f80 | rounding << 13);
  for (unsigned i = 0; i < 40; i++) {
    good &= holds(seed + i);
    good &= (_mm_getcsr() >> 13 & 3) == rounding;
    volatile double one = 1, three = 3;
    double third = one / three;
    good &= bits(third) == 0x3fd5555555555555ull + (rounding == 2);
  }
  _mm_setcsr(0x1f80);
  return good;
}
static void processes(void) {
  int status, all = 1;
  pid_t child[3];
  for (int i = 0; i < 3; i++) {
    child[i] = fork();
    if (child[i] == 0) _exit(keeps(1000 * i, i) ? 0 : 1);
  }
  printf("parent keeps %d\n", keeps(77, 3));
  for (int i = 0; i < 3; i++) {
    waitpid(child[i], &status, 0);
    all &= status == 0;
  }
  printf("children keep %d\n", all);
  _mm_setcsr(0x5f80);
  child[0] = fork();
  if (child[0] == 0) _exit(_mm_getcsr() == 0x5f80 ? 3 : 4);
  waitpid(child[0], &status, 0);
  printf("fork inherits %d\n", WEXITSTATUS(status));
  _mm_setcsr(0x1f80);
}

static sigjmp_buf jump;
static void fault(int number, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  /* Behind the FSAVE image: the FXSAVE image, MXCSR 24 bytes in. */
  unsigned mxcsr = *(unsigned *)((char *)u->uc_mcontext.fpregs + 112 + 24);
  printf("signal %d code %d mxcsr %05x own %05x\n", number, info->si_code, mxcsr, _mm_getcsr());
  siglongjmp(jump, 1);
}
static void trap(unsigned mask, double a, double b, int which) {
  volatile double x = a, y = b, r = 0;
  if (sigsetjmp(jump, 1) == 0) {
    _mm_setcsr(0x1f80 & ~mask);
    r = which == 0 ? x / y : which == 1 ? x * y : x + y;
    printf("no signal\n");
  }
  _mm_setcsr(0x1f80);
  printf("result %g\n", r);
}
static void clobber(int number) {
  (void)number;
  __asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7" : : : "xmm0", "xmm7");
  _mm_setcsr(0x3f80);
}
static void signals(void) {
  struct sigaction action = { 0 };
  action.sa_sigaction = fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGFPE, &action, 0);
  trap(0x200, 1, 0, 0);
  trap(0x80, 0, 0, 0);
  trap(0x400, 1e300, 1e300, 1);
  trap(0x800, 1e-300, 1e-300, 1);
  trap(0x1000, 1, 1e-30, 2);
  trap(0x100, 5e-324, 1, 2);
  trap(0x200, 1, 4, 0);
  signal(SIGUSR1, clobber);
  unsigned four[4] = { 1, 2, 3, 4 }, back[4] = { 0 };
  pid_t self = getpid();
  int result;
  __asm__ volatile("movups (%2), %%xmm7; int $0x80; movups %%xmm7, (%3)"
                   : "=a"(result) : "a"(37), "r"(four), "r"(back), "b"(self), "c"(SIGUSR1) : "memory", "xmm7");
  printf("handler leaves registers %d mxcsr %05x\n", memcmp(four, back, 16) == 0, _mm_getcsr() & ~0x3f);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  puts("begin of the list");
  gravity();
  spectrum();
  mandelbrot();
  library();
  processes();
  puts("begin of signals");
  signals();
  puts("end of the list");
  tcdrain(1);
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
