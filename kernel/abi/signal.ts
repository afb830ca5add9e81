/**
 * Signals: numbers, flags, codes (asm/signal.h, asm-generic/siginfo.h of Linux i386).
 *
 * @module
 */
export const SIGHUP: i32 = 1;
export const SIGINT: i32 = 2;
export const SIGQUIT: i32 = 3;
export const SIGILL: i32 = 4;
export const SIGTRAP: i32 = 5;
export const SIGABRT: i32 = 6;
export const SIGBUS: i32 = 7;
export const SIGFPE: i32 = 8;
export const SIGKILL: i32 = 9;
export const SIGUSR1: i32 = 10;
export const SIGSEGV: i32 = 11;
export const SIGUSR2: i32 = 12;
export const SIGPIPE: i32 = 13;
export const SIGALRM: i32 = 14;
export const SIGTERM: i32 = 15;
export const SIGSTKFLT: i32 = 16;
export const SIGCHLD: i32 = 17;
export const SIGCONT: i32 = 18;
export const SIGSTOP: i32 = 19;
export const SIGTSTP: i32 = 20;
export const SIGTTIN: i32 = 21;
export const SIGTTOU: i32 = 22;
export const SIGURG: i32 = 23;
export const SIGXCPU: i32 = 24;
export const SIGXFSZ: i32 = 25;
export const SIGVTALRM: i32 = 26;
export const SIGPROF: i32 = 27;
export const SIGWINCH: i32 = 28;
export const SIGIO: i32 = 29;
export const SIGPWR: i32 = 30;
export const SIGSYS: i32 = 31;
/** First real-time signal of the kernel. */
export const SIGRTMIN: i32 = 32;
/** Highest signal number. */
export const SIGNAL_MAX: i32 = 64;

export const SIG_DFL: u32 = 0;
export const SIG_IGN: u32 = 1;

export const SIG_BLOCK: u32 = 0;
export const SIG_UNBLOCK: u32 = 1;
export const SIG_SETMASK: u32 = 2;

export const SA_NOCLDSTOP: u32 = 1;
export const SA_NOCLDWAIT: u32 = 2;
export const SA_SIGINFO: u32 = 4;
export const SA_RESTORER: u32 = 0x04000000;
export const SA_ONSTACK: u32 = 0x08000000;
export const SA_RESTART: u32 = 0x10000000;
export const SA_NODEFER: u32 = 0x40000000;
export const SA_RESETHAND: u32 = 0x80000000;

export const SS_ONSTACK: u32 = 1;
export const SS_DISABLE: u32 = 2;
export const MINSIGSTKSZ: u32 = 2048;

/* si_code (asm-generic/siginfo.h). */
export const SI_USER: i32 = 0;
export const SI_KERNEL: i32 = 0x80;
export const SI_QUEUE: i32 = -1;
export const SI_TIMER: i32 = -2;
export const SI_TKILL: i32 = -6;
export const ILL_ILLOPN: i32 = 2;
export const FPE_INTDIV: i32 = 1;
export const FPE_FLTDIV: i32 = 3;
export const FPE_FLTOVF: i32 = 4;
export const FPE_FLTUND: i32 = 5;
export const FPE_FLTRES: i32 = 6;
export const FPE_FLTINV: i32 = 7;
export const SEGV_MAPERR: i32 = 1;
export const SEGV_ACCERR: i32 = 2;
export const BUS_ADRALN: i32 = 1;
export const BUS_ADRERR: i32 = 2;
export const TRAP_BRKPT: i32 = 1;
export const TRAP_TRACE: i32 = 2;
export const CLD_EXITED: i32 = 1;
export const CLD_KILLED: i32 = 2;
export const CLD_DUMPED: i32 = 3;
export const CLD_STOPPED: i32 = 5;
export const CLD_CONTINUED: i32 = 6;

/*
 * What a system call returns when a signal interrupts it; user programs never see these
 * (include/linux/errno.h). The signal's delivery turns them into -EINTR or a restart.
 */
/** Restart if the handler has SA_RESTART, else EINTR. */
export const ERESTARTSYS: i32 = 512;
/** Restart always. */
export const ERESTARTNOINTR: i32 = 513;
/** EINTR if there is a handler, else restart. */
export const ERESTARTNOHAND: i32 = 514;
/** EINTR if there is a handler, else restart_syscall(2), for calls with a deadline. */
export const ERESTART_RESTARTBLOCK: i32 = 516;
