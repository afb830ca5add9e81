/**
 * The kernel's entries from below: interrupts, exceptions, page faults, system calls.
 *
 * Sources: SDM vol. 3A §6.15; Linux arch/x86/kernel/traps.c for which signal an exception is.
 *
 * @module
 */
import {
  BUS_ADRERR,
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
  FPE_INTDIV,
  ILL_ILLOPN,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SI_KERNEL,
  SIG_DFL,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGSEGV,
  SIGTRAP,
  TRAP_TRACE,
} from "../../abi/signal.ts";
import { panicWith } from "../../lib/panic.ts";
import { printk } from "../../lib/printk.ts";
import {
  FAULT_ACCESS,
  FAULT_BUS,
  FAULT_DONE,
  FAULT_MAJOR,
  FAULT_NO_MAP,
  handleFault,
} from "../../mm/fault.ts";
import { getUser32, USER_END, userWord } from "../../mm/user.ts";
import { kfree, kmalloc } from "../../mm/heap.ts";
import { deliverSignals } from "../../proc/signal_deliver.ts";
import { actionOf, signalForce } from "../../proc/signal.ts";
import { current, signalPending } from "../../proc/task.ts";
import { needReschedule, schedule } from "../../sched/scheduler.ts";
import { dispatch } from "../../syscall/table.ts";
import { TrapFrame } from "./frame.ts";
import { fpuLegacyImage, fpuSimdPending, fpuTake } from "./fpu.ts";
import { exception_table, selector_table, sysenter_entry } from "./sym.ts";
import { IRQ_BASE, irqDispatch } from "./irq.ts";
import { cli, cr2, cr3, sti } from "./x86.ts";

const DIVIDE: u32 = 0;
const DEBUG: u32 = 1;
const NMI: u32 = 2;
const BREAKPOINT: u32 = 3;
const INVALID_OPCODE: u32 = 6;
const NO_DEVICE: u32 = 7;
const PAGE_FAULT: u32 = 14;
const FPU_ERROR: u32 = 16;
const SIMD_ERROR: u32 = 19;
const EFLAGS_TF: u32 = 0x100;
const EFLAGS_IF: u32 = 0x200;
const RLIMIT_STACK: u32 = 3;
const ERROR_WRITE: u32 = 2;
/** In the place of a system call's number: nothing to restart. */
const NO_SYSCALL: u32 = 0xffffffff;

/** Vectors 32–47. */
export function interruptHandler(frame: TrapFrame): void {
  irqDispatch(frame.vector - IRQ_BASE, frame);
  if (!frame.fromUser) return;
  frame.error = NO_SYSCALL;
  userReturn(frame);
}

/** Before user code goes on: other tasks' turns, signals. Interrupts are off at the end. */
export function userReturn(frame: TrapFrame): void {
  while (true) {
    cli();
    const task = current();
    if (needReschedule()) schedule();
    else if (
      signalPending() || task.process.groupStop || task.process.exiting || task.restoreMask ||
      task.process.execTask !== null || <i32> frame.error >= 0 && isRestart(frame)
    ) {
      sti();
      deliverSignals(frame);
    } else return;
  }
}

/* A system call that wants to be restarted although the signal has gone. */
function isRestart(frame: TrapFrame): bool {
  const result = -<i32> frame.eax;
  return frame.vector === 0x80 && result >= 512 && result <= 516;
}

/** int 0x80. */
export function syscallHandler(frame: TrapFrame): void {
  sti();
  dispatch(frame);
  userReturn(frame);
}

/**
 * SYSENTER: the sixth argument and the caller's frame pointer are at the user's stack pointer. The
 * frame chain gets the real pointer, so that unwinders skip the vsyscall page.
 */
export function sysenterHandler(frame: TrapFrame): void {
  if (getUser32(frame.esp) < 0) {
    frame.eax = <u32> -14;
    frame.error = NO_SYSCALL;
    userReturn(frame);
    return;
  }
  frame.ebp = userWord();
  store<u32>(changetype<usize>(frame) - 8, frame.ebp);
  dispatch(frame);
  userReturn(frame);
}

function printRegisters(f: TrapFrame): void {
  printk(c`eip %p cs %x eflags %p error %x vector %u\n`, f.eip, f.cs, f.eflags, f.error, f.vector);
  printk(c`eax %p ebx %p ecx %p edx %p\n`, f.eax, f.ebx, f.ecx, f.edx);
  const esp = f.fromUser ? f.esp : <u32> changetype<usize>(f) + 64;
  printk(c`esi %p edi %p ebp %p esp %p\n`, f.esi, f.edi, f.ebp, esp);
  printk(c`cr2 %p cr3 %p ds %x es %x fs %x gs %x\n`, cr2(), cr3(), f.ds, f.es, f.fs, f.gs);
  const task = current();
  if (changetype<usize>(task) !== 0) printk(c`task %d (%s)\n`, task.pid, <u32> task.name);
}

/* A fault in kernel code that has a way out: user copies, bad selectors on the way out. */
function fixUp(frame: TrapFrame): bool {
  for (let at = exception_table(); load<u32>(at) !== 0; at += 8) {
    if (load<u32>(at) !== frame.eip) continue;
    frame.eip = load<u32>(at, 4);
    return true;
  }
  for (let at = selector_table(); load<u32>(at) !== 0; at += 4) {
    if (load<u32>(at) !== frame.eip) continue;
    // The selector that was being popped is where the interrupted stack begins. The registers still
    // have what they had, so this frame's own must not be popped either.
    frame.esp = 0;
    frame.fs = 0;
    frame.gs = 0;
    return true;
  }
  return false;
}

function fatal(frame: TrapFrame, name: usize): void {
  printk(c`\n%s in the kernel\n`, name);
  printRegisters(frame);
  panicWith(name, changetype<usize>(frame) - 8);
}

function nameOf(vector: u32): usize {
  switch (vector) {
    case 0:
      return c`divide error`;
    case 1:
      return c`debug exception`;
    case 2:
      return c`NMI`;
    case 3:
      return c`breakpoint`;
    case 6:
      return c`invalid opcode`;
    case 7:
      return c`device not available`;
    case 11:
      return c`segment not present`;
    case 12:
      return c`stack fault`;
    case 13:
      return c`general protection`;
    case 14:
      return c`page fault`;
    case 16:
      return c`floating-point error`;
    default:
      return c`exception`;
  }
}

/** Vectors 0–31 except 14. */
export function exceptionHandler(frame: TrapFrame): void {
  const vector = frame.vector;
  if (vector === NO_DEVICE && fpuTake()) return;
  if (!frame.fromUser) {
    if (vector === DEBUG) {
      // A single step into SYSENTER: the program asked for it, the kernel does not want it.
      if (frame.eip === <u32> sysenter_entry() || (frame.eflags & EFLAGS_TF) !== 0) {
        frame.eflags &= ~EFLAGS_TF;
        return;
      }
    }
    if (vector === NMI || !fixUp(frame)) fatal(frame, nameOf(vector));
    return;
  }
  sti();
  const task = current();
  task.faultVector = vector;
  task.faultError = frame.error;
  sendFault(frame, vector);
  frame.error = NO_SYSCALL;
  userReturn(frame);
}

function sendFault(frame: TrapFrame, vector: u32): void {
  switch (vector) {
    case DIVIDE:
      signalForce(SIGFPE, FPE_INTDIV, frame.eip);
      break;
    case DEBUG:
      frame.eflags &= ~EFLAGS_TF;
      signalForce(SIGTRAP, TRAP_TRACE, frame.eip);
      break;
    case BREAKPOINT:
      signalForce(SIGTRAP, SI_KERNEL, 0);
      break;
    case INVALID_OPCODE:
      signalForce(SIGILL, ILL_ILLOPN, frame.eip);
      break;
    case FPU_ERROR:
      signalForce(SIGFPE, codeOf(fpuPending()), frame.eip);
      break;
    case SIMD_ERROR:
      signalForce(SIGFPE, codeOf(fpuSimdPending()), frame.eip);
      break;
    case NO_DEVICE:
      signalForce(SIGKILL, SI_KERNEL, 0);
      break;
    case 17:
      signalForce(SIGBUS, 1, 0);
      break;
    case 11:
    case 12:
      signalForce(SIGBUS, SI_KERNEL, 0);
      break;
    default:
      signalForce(SIGSEGV, SI_KERNEL, 0);
  }
}

/* x87 exceptions that are not masked; all of them when memory is out. */
function fpuPending(): u32 {
  const image = kmalloc(108);
  if (image === 0) return 0x3f;
  fpuLegacyImage(image);
  const pending = load<u32>(image, 4) & ~load<u32>(image);
  kfree(image);
  return pending;
}
/* si_code of the first exception by flags of the status word or MXCSR (SDM vol. 1 §8.5, §11.5.2). */
function codeOf(pending: u32): i32 {
  if ((pending & 1) !== 0) return FPE_FLTINV;
  if ((pending & 4) !== 0) return FPE_FLTDIV;
  if ((pending & 8) !== 0) return FPE_FLTOVF;
  if ((pending & 0x12) !== 0) return FPE_FLTUND;
  return FPE_FLTRES;
}

/** Vector 14. */
export function pageFaultHandler(frame: TrapFrame): void {
  const address = cr2();
  const task = current();
  const user = frame.fromUser;
  if ((frame.eflags & EFLAGS_IF) !== 0 || user) sti();
  if (changetype<usize>(task) === 0 || task.mm === null || address >= USER_END) {
    if (!user && !fixUp(frame)) fatal(frame, nameOf(PAGE_FAULT));
    if (user) segfault(frame, address, SIGSEGV, SEGV_MAPERR);
    return;
  }
  const write = (frame.error & ERROR_WRITE) !== 0;
  const result = handleFault(task.mm!, address, write, task.process.limit(RLIMIT_STACK));
  if (result <= FAULT_MAJOR) {
    if (result === FAULT_DONE) task.minorFaults++;
    else task.majorFaults++;
    if (user) {
      frame.error = NO_SYSCALL;
      userReturn(frame);
    }
    return;
  }
  if (!user) {
    if (!fixUp(frame)) fatal(frame, nameOf(PAGE_FAULT));
    return;
  }
  if (result === FAULT_NO_MAP) segfault(frame, address, SIGSEGV, SEGV_MAPERR);
  else if (result === FAULT_ACCESS) segfault(frame, address, SIGSEGV, SEGV_ACCERR);
  else if (result === FAULT_BUS) segfault(frame, address, SIGBUS, BUS_ADRERR);
  else {
    printk(c`out of memory: killed process %d (%s)\n`, task.tgid, <u32> task.name);
    segfault(frame, address, SIGKILL, SI_KERNEL);
  }
}

function segfault(frame: TrapFrame, address: u32, signal: i32, code: i32): void {
  const task = current();
  task.faultVector = PAGE_FAULT;
  task.faultError = frame.error;
  task.faultAddress = address;
  if (signal !== SIGKILL && load<u32>(actionOf(task.actions, signal)) === SIG_DFL) {
    printk(
      c`%s[%d]: fault at %p ip %p sp %p error %x\n`,
      <u32> task.name,
      task.pid,
      address,
      frame.eip,
      frame.esp,
      frame.error,
    );
  }
  signalForce(signal, code, address);
  frame.error = NO_SYSCALL;
  userReturn(frame);
}

/** The double fault task: the kernel's stack is not usable, or its tables are broken. */
export function doubleFaultHandler(): void {
  const task = current();
  printk(
    c`\ndouble fault; kernel stack of task %d (%s) at %p\n`,
    task.pid,
    <u32> task.name,
    <u32> task.stack,
  );
  panicWith(c`double fault`, 0);
}
