/* What processes, signals, threads and memory do, one line each. Runs natively and on our kernel; both
   must say the same. Started as process 1 it switches the machine off at the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int got;
static sigjmp_buf jump;
static void *fault_address;
static int fault_code;

static void note(int signal) { got = signal; }

static void note_info(int signal, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  got = signal + 1000;
  printf("siginfo %d code %d own %d esp %d mask %d\n", info->si_signo, info->si_code,
         info->si_pid == getpid(), u->uc_mcontext.gregs[REG_ESP] != 0,
         sigismember(&u->uc_sigmask, SIGUSR1));
}

static void fault(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  fault_address = info->si_addr;
  fault_code = info->si_code;
  siglongjmp(jump, 1);
}

static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signal, &action, 0);
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  sigaction(signal, &action, 0);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int counter, ready;
static __thread int local = 5;

static void *work(void *argument) {
  local += (long)argument;
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
  }
  return (void *)(long)local;
}

static void forks(void) {
  double d = 1.5;
  for (int i = 0; i < 3; i++) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
      d *= i + 1;
      _exit(d == 1.5 * (i + 1) ? i + 5 : 1);
    }
    pid_t waited = waitpid(pid, &status, 0);
    printf("fork %d status %d\n", waited == pid, WEXITSTATUS(status));
  }
  int result = wait(0);
  printf("no children %d %d\n", result, errno == ECHILD);
}

static void signals(void) {
  handle(SIGUSR1, note, 0);
  raise(SIGUSR1);
  printf("handler %d\n", got);
  handle_info(SIGUSR2, note_info, 0);
  kill(getpid(), SIGUSR2);
  printf("handler %d\n", got);
  double d = 0;
  for (int i = 0; i < 10; i++) {
    d += 0.5;
    raise(SIGUSR1);
  }
  printf("float %.1f\n", d);
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, 0);
  got = 0;
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked %d pending %d\n", got, sigismember(&pending, SIGUSR1));
  sigset_t none;
  sigemptyset(&none);
  int result = sigsuspend(&none);
  printf("suspend %d %d got %d\n", result, errno == EINTR, got);
  raise(SIGUSR1);
  struct timespec wait = {1, 0};
  printf("timedwait %d\n", sigtimedwait(&set, 0, &wait) == SIGUSR1);
  wait.tv_sec = 0;
  wait.tv_nsec = 20000000;
  result = sigtimedwait(&set, 0, &wait);
  printf("timedwait %d %d\n", result, errno == EAGAIN);
  sigprocmask(SIG_UNBLOCK, &set, 0);
  handle(SIGUSR1, note, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction old;
  sigaction(SIGUSR1, 0, &old);
  printf("reset %d\n", old.sa_handler == SIG_DFL);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  printf("altstack %d\n", sigaltstack(&stack, 0));
  handle(SIGUSR1, note, SA_ONSTACK);
  got = 0;
  raise(SIGUSR1);
  printf("on altstack %d\n", got);
}

static void faults(void) {
  handle_info(SIGSEGV, fault, 0);
  if (!sigsetjmp(jump, 1)) *(volatile int *)0x1234 = 1;
  printf("segv %p maperr %d\n", fault_address, fault_code == SEGV_MAPERR);
  char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 7, 1 << 20);
  mprotect(memory, 4096, PROT_READ);
  if (!sigsetjmp(jump, 1)) memory[10] = 1;
  printf("read-only %d accerr %d\n", fault_address == memory + 10, fault_code == SEGV_ACCERR);
  int result = write(1, (void *)0x1000, 4);
  printf("efault %d %d\n", result, errno == EFAULT);
  munmap(memory, 1 << 20);
  if (!sigsetjmp(jump, 1)) memory[20] = 1;
  printf("unmapped %d\n", fault_address == memory + 20);
  handle_info(SIGFPE, fault, 0);
  volatile int zero = 0;
  if (!sigsetjmp(jump, 1)) zero = 1 / zero;
  printf("divide %d\n", fault_code == FPE_INTDIV);
  handle_info(SIGILL, fault, 0);
  if (!sigsetjmp(jump, 1)) __asm__ volatile("ud2");
  printf("illegal %d\n", fault_code == ILL_ILLOPN);
  signal(SIGSEGV, SIG_DFL);
  signal(SIGFPE, SIG_DFL);
  signal(SIGILL, SIG_DFL);
}

static void memories(void) {
  int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int own = 1;
  if (fork() == 0) {
    *shared = 42;
    own = 2;
    _exit(0);
  }
  wait(0);
  printf("shared %d own %d\n", *shared, own);
  char *old = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(old, "moved");
  char *moved = mremap(old, 8192, 1 << 20, MREMAP_MAYMOVE);
  printf("mremap %s %d\n", moved, moved[1 << 19]);
  char *heap = sbrk(0);
  sbrk(100000);
  heap[99999] = 3;
  printf("brk %d\n", heap[99999]);
  sbrk(-100000);
  strcpy(moved, "gone");
  madvise(moved, 4096, MADV_DONTNEED);
  printf("dontneed %d\n", moved[0]);
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  printf("stack limit %d\n", limit.rlim_cur >= 1 << 20);
  volatile char deep[512 << 10];
  deep[0] = 1;
  printf("stack grows %d\n", deep[0]);
}

static void threads(void) {
  pthread_t ids[4];
  for (long i = 0; i < 4; i++) pthread_create(&ids[i], 0, work, (void *)i);
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(ids[i], &result);
    printf("thread %ld\n", (long)result);
  }
  printf("counter %d local %d\n", counter, local);
  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_nsec += 20000000;
  if (deadline.tv_nsec >= 1000000000) {
    deadline.tv_nsec -= 1000000000;
    deadline.tv_sec++;
  }
  pthread_mutex_lock(&mutex);
  int result = pthread_cond_timedwait(&condition, &mutex, &deadline);
  pthread_mutex_unlock(&mutex);
  printf("timed out %d\n", result == ETIMEDOUT);
}

static void times(void) {
  struct timespec wait = {0, 50000000}, a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  nanosleep(&wait, 0);
  clock_gettime(CLOCK_MONOTONIC, &b);
  long us = (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
  printf("slept %d\n", us >= 50000);
  handle(SIGALRM, note, 0);
  struct itimerval timer = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &timer, 0);
  int result = usleep(2000000);
  printf("interrupted %d %d got %d\n", result, errno == EINTR, got);
  int ends[2];
  char byte;
  if (pipe(ends) < 0) return;
  handle(SIGALRM, note, SA_RESTART);
  if (fork() == 0) {
    usleep(60000);
    if (write(ends[1], "x", 1) != 1) _exit(1);
    _exit(0);
  }
  setitimer(ITIMER_REAL, &timer, 0);
  got = 0;
  result = read(ends[0], &byte, 1);
  printf("restarted %d got %d\n", result, got);
  wait.tv_nsec = 0;
  waitpid(-1, 0, 0);
}

static void jobs(char *self) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    while (1) pause();
  }
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  kill(pid, SIGCONT);
  waitpid(pid, &status, WCONTINUED);
  printf("continued %d\n", WIFCONTINUED(status));
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  printf("killed by %d\n", WTERMSIG(status));
  pid = vfork();
  if (pid == 0) {
    execl(self, "self", "again", (char *)0);
    _exit(99);
  }
  waitpid(pid, &status, 0);
  printf("vfork and exec %d\n", WEXITSTATUS(status));
  pid = fork();
  if (pid == 0)
    while (1) status++;
  for (volatile int i = 0; i < 30000000; i++)
    ;
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  printf("hog killed by %d\n", WTERMSIG(status));
  pid = fork();
  if (pid == 0) {
    pthread_t id;
    pthread_create(&id, 0, work, 0);
    execl(self, "self", "again", (char *)0);
    _exit(99);
  }
  waitpid(pid, &status, 0);
  printf("exec with threads %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv) {
  if (argc > 1) return 33;
  setvbuf(stdout, 0, _IOLBF, 0);
  forks();
  signals();
  faults();
  memories();
  threads();
  times();
  jobs(argv[0]);
  puts("end of the list");
  tcdrain(1);
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
