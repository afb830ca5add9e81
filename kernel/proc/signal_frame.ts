/**
 * Signal frames on the user's stack, laid out exactly as Linux i386 does, and their return.
 *
 * `struct sigframe` (no SA_SIGINFO): return address, signal, sigcontext, an unused _fpstate of 624 bytes,
 * the mask's second word, 8 bytes of code. `struct rt_sigframe`: return address, signal, pointers to
 * info and context, siginfo (128), ucontext, 8 bytes of code. Floating point lies above either: an
 * FNSAVE image with status and magic (112 bytes), behind it an FXSAVE image where there is one.
 *
 * Sources: Linux arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h, uapi/asm/ucontext.h,
 * arch/x86/kernel/signal_32.c.
 *
 * @module
 */
import {
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESTORER,
  SA_SIGINFO,
  SIGSEGV,
  SS_DISABLE,
  SS_ONSTACK,
} from "../abi/signal.ts";
import {
  FNSAVE_SIZE,
  fpuFlush,
  fpuHasFxsr,
  fpuLegacyImage,
  fpuReset,
  fpuSet,
  FXSAVE_SIZE,
} from "../arch/i386/fpu.ts";
import { TrapFrame } from "../arch/i386/frame.ts";
import { USER_CS, USER_DS } from "../arch/i386/gdt.ts";
import { vsyscall_rt_sigreturn, vsyscall_sigreturn, vsyscall_start } from "../arch/i386/sym.ts";
import { kfree, kmalloc, kzalloc } from "../mm/heap.ts";
import { VSYSCALL_BASE } from "../mm/map.ts";
import { copyIn, copyOut } from "../mm/user.ts";
import { actionOf, signalBit, signalForce, signalSetMask } from "./signal.ts";
import { SignalInfo } from "./signal_info.ts";
import { current, Task } from "./task.ts";

/* sigcontext, offsets within it (88 bytes). */
const SC_SIZE: u32 = 88;
const SC_FPSTATE: usize = 76;
const SC_OLDMASK: usize = 80;
const SC_CR2: usize = 84;

/* struct sigframe. */
const FRAME_SC: u32 = 8;
const FRAME_EXTRAMASK: u32 = 8 + SC_SIZE + 624;
const FRAME_CODE: u32 = FRAME_EXTRAMASK + 4;
const FRAME_BYTES: u32 = FRAME_CODE + 8;

/* struct rt_sigframe. */
const RT_INFO: u32 = 16;
const RT_UCONTEXT: u32 = 16 + 128;
const RT_CODE: u32 = RT_UCONTEXT + 116;
const RT_BYTES: u32 = RT_CODE + 8;
/* ucontext. */
const UC_STACK: u32 = 8;
const UC_SC: u32 = 20;
const UC_MASK: u32 = 20 + SC_SIZE;

/** FNSAVE image, status and magic. */
const LEGACY_BYTES: u32 = 112;
const MAGIC_PLAIN: u16 = 0xffff;
const MAGIC_FXSR: u16 = 0;

/** EFLAGS that user code may set: all arithmetic flags, TF, DF, AC, RF. */
const USER_FLAGS: u32 = 0x50dd5;
const EFLAGS_RF: u32 = 0x10000;
const EFLAGS_DF: u32 = 0x400;
const EFLAGS_TF: u32 = 0x100;

function onAltStack(task: Task, esp: u32): bool {
  return (task.altStackFlags & SS_DISABLE) === 0 && esp - task.altStack <= task.altStackSize &&
    task.altStackSize !== 0;
}

/** ss_flags as sigaltstack(2) reports them. */
export function altStackState(task: Task, esp: u32): u32 {
  if (task.altStackSize === 0) return SS_DISABLE;
  return onAltStack(task, esp) ? SS_ONSTACK : 0;
}

function fpuBytes(): u32 {
  return fpuHasFxsr() ? LEGACY_BYTES + FXSAVE_SIZE : LEGACY_BYTES;
}

/** Writes the floating-point state at `address`: false on a fault. */
function saveFpu(task: Task, address: u32): bool {
  const block = kzalloc(LEGACY_BYTES + FXSAVE_SIZE + 16);
  if (block === 0) return false;
  fpuLegacyImage(block);
  // Linux puts the status word behind the image, too, then tells what follows.
  store<u16>(block, load<u16>(block, 4), FNSAVE_SIZE);
  store<u16>(block, fpuHasFxsr() ? MAGIC_FXSR : MAGIC_PLAIN, FNSAVE_SIZE + 2);
  if (fpuHasFxsr()) {
    fpuFlush(task);
    memory.copy(block + LEGACY_BYTES, task.fpu, FXSAVE_SIZE);
  }
  const done = copyOut(address, block, fpuBytes()) === 0;
  kfree(block);
  return done;
}

function restoreFpu(task: Task, address: u32): bool {
  if (address === 0) {
    fpuReset(task);
    return true;
  }
  const block = kmalloc(LEGACY_BYTES + FXSAVE_SIZE + 32);
  if (block === 0) return false;
  // FXRSTOR wants a multiple of 16, and LEGACY_BYTES is one.
  const image = (block + 15) & ~15;
  const done = copyIn(image, address, fpuBytes()) === 0;
  if (done) fpuSet(image, fpuHasFxsr() ? image + LEGACY_BYTES : 0);
  kfree(block);
  return done;
}

function fillContext(sc: usize, frame: TrapFrame, task: Task, fpstate: u32, mask: u64): void {
  store<u32>(sc, frame.gs & 0xffff);
  store<u32>(sc, frame.fs & 0xffff, 4);
  store<u32>(sc, frame.es & 0xffff, 8);
  store<u32>(sc, frame.ds & 0xffff, 12);
  store<u32>(sc, frame.edi, 16);
  store<u32>(sc, frame.esi, 20);
  store<u32>(sc, frame.ebp, 24);
  store<u32>(sc, frame.esp, 28);
  store<u32>(sc, frame.ebx, 32);
  store<u32>(sc, frame.edx, 36);
  store<u32>(sc, frame.ecx, 40);
  store<u32>(sc, frame.eax, 44);
  store<u32>(sc, task.faultVector, 48);
  store<u32>(sc, task.faultError, 52);
  store<u32>(sc, frame.eip, 56);
  store<u32>(sc, frame.cs & 0xffff, 60);
  store<u32>(sc, frame.eflags, 64);
  store<u32>(sc, frame.esp, 68);
  store<u32>(sc, frame.ss & 0xffff, 72);
  store<u32>(sc, fpstate, SC_FPSTATE);
  store<u32>(sc, <u32> mask, SC_OLDMASK);
  store<u32>(sc, task.faultAddress, SC_CR2);
}

/** Takes the registers of a sigcontext back: those that a user program may not choose are fixed. */
function restoreContext(sc: usize, frame: TrapFrame, task: Task): bool {
  frame.gs = load<u32>(sc) & 0xffff;
  frame.fs = load<u32>(sc, 4) & 0xffff;
  frame.es = load<u32>(sc, 8) & 0xffff;
  frame.ds = load<u32>(sc, 12) & 0xffff;
  frame.edi = load<u32>(sc, 16);
  frame.esi = load<u32>(sc, 20);
  frame.ebp = load<u32>(sc, 24);
  frame.esp = load<u32>(sc, 28);
  frame.ebx = load<u32>(sc, 32);
  frame.edx = load<u32>(sc, 36);
  frame.ecx = load<u32>(sc, 40);
  frame.eax = load<u32>(sc, 44);
  frame.eip = load<u32>(sc, 56);
  frame.cs = USER_CS;
  frame.ss = USER_DS;
  frame.eflags = (frame.eflags & ~USER_FLAGS) | (load<u32>(sc, 64) & USER_FLAGS);
  frame.error = 0xffffffff; // no system call to restart
  return restoreFpu(task, load<u32>(sc, SC_FPSTATE));
}

function landing(address: usize): u32 {
  return VSYSCALL_BASE + <u32> (address - vsyscall_start());
}

/** struct siginfo, 128 bytes (asm-generic/siginfo.h). */
export function fillSiginfo(at: usize, info: SignalInfo): void {
  memory.fill(at, 0, 128);
  store<i32>(at, info.signal);
  store<i32>(at, info.error, 4);
  store<i32>(at, info.code, 8);
  store<u32>(at, info.a, 12);
  store<u32>(at, info.b, 16);
  store<u32>(at, info.c, 20);
  store<u32>(at, info.d, 24);
  store<u32>(at, info.e, 28);
}

/* Where the frame goes: on the alternate stack if it is wanted and not in use already. */
function stackFor(task: Task, esp: u32, flags: u32): u32 {
  if ((flags & SA_ONSTACK) !== 0 && altStackState(task, esp) === 0) {
    return task.altStack + task.altStackSize;
  }
  return esp;
}

/**
 * Makes `frame` enter the handler of a signal; `mask` is what the return restores. False when the
 * stack cannot be written: SIGSEGV is on its way.
 */
export function enterHandler(frame: TrapFrame, info: SignalInfo, mask: u64): bool {
  const task = current();
  const entry = actionOf(task.actions, info.signal);
  const handler = load<u32>(entry);
  const flags = load<u32>(entry, 4);
  const restorer = load<u32>(entry, 8);
  const rt = (flags & SA_SIGINFO) !== 0;
  let sp = stackFor(task, frame.esp, flags);
  let fpstate: u32 = 0;
  if (task.fpuUsed) {
    // The FXSAVE image stands at a multiple of 64 with the FNSAVE image before it.
    fpstate = (fpuHasFxsr() ? (sp - FXSAVE_SIZE) & ~63 : sp) - LEGACY_BYTES;
    sp = fpstate;
    if (!saveFpu(task, fpstate)) return fail(info.signal);
  }
  const size = rt ? RT_BYTES : FRAME_BYTES;
  sp = ((sp - size + 4) & ~15) - 4;
  const block = kzalloc(size);
  if (block === 0) return fail(info.signal);
  if (rt) fillRt(block, sp, frame, info, task, fpstate, mask);
  else {
    store<u32>(block, <u32> info.signal, 4);
    fillContext(block + FRAME_SC, frame, task, fpstate, mask);
    store<u32>(block + FRAME_EXTRAMASK, <u32> (mask >> 32));
    // pop eax; mov eax, 119; int 0x80: how debuggers recognise a frame.
    store<u32>(block + FRAME_CODE, 0x0077b858);
    store<u32>(block + FRAME_CODE, 0x80cd0000, 4);
  }
  const back = rt ? vsyscall_rt_sigreturn() : vsyscall_sigreturn();
  store<u32>(block, (flags & SA_RESTORER) !== 0 ? restorer : landing(back));
  const done = copyOut(sp, block, size) === 0;
  kfree(block);
  if (!done) return fail(info.signal);
  frame.esp = sp;
  frame.eip = handler;
  frame.eax = <u32> info.signal;
  frame.edx = rt ? sp + RT_INFO : 0;
  frame.ecx = rt ? sp + RT_UCONTEXT : 0;
  frame.ds = USER_DS;
  frame.es = USER_DS;
  frame.ss = USER_DS;
  frame.cs = USER_CS;
  frame.eflags &= ~(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
  if (fpstate !== 0) fpuReset(task);
  let blocked = task.blocked | load<u32>(entry, 12) | (<u64> load<u32>(entry, 16) << 32);
  if ((flags & SA_NODEFER) === 0) blocked |= signalBit(info.signal);
  signalSetMask(blocked);
  return true;
}

function fillRt(
  block: usize,
  sp: u32,
  frame: TrapFrame,
  info: SignalInfo,
  task: Task,
  fpstate: u32,
  mask: u64,
): void {
  store<u32>(block, <u32> info.signal, 4);
  store<u32>(block, sp + RT_INFO, 8);
  store<u32>(block, sp + RT_UCONTEXT, 12);
  fillSiginfo(block + RT_INFO, info);
  const uc = block + RT_UCONTEXT;
  store<u32>(uc, task.altStack, UC_STACK);
  store<u32>(uc, altStackState(task, frame.esp), UC_STACK + 4);
  store<u32>(uc, task.altStackSize, UC_STACK + 8);
  fillContext(uc + UC_SC, frame, task, fpstate, mask);
  store<u64>(uc, mask, UC_MASK);
  // mov eax, 173; int 0x80
  store<u32>(block + RT_CODE, 0x0000adb8);
  store<u32>(block + RT_CODE, 0x0080cd00, 4);
}

function fail(signal: i32): bool {
  // SIGSEGV that cannot be delivered ends the process.
  if (signal === SIGSEGV) store<u32>(actionOf(current().actions, SIGSEGV), 0);
  signalForce(SIGSEGV, 0x80, 0);
  return false;
}

/** sigreturn(2): eax of the interrupted code. */
export function sigreturn(frame: TrapFrame): i32 {
  const task = current();
  const block = kmalloc(FRAME_BYTES);
  if (block === 0) return badFrame();
  // The handler's `ret` popped the return address, the return code popped the signal number.
  let good: bool = copyIn(block, frame.esp - 8, FRAME_BYTES) === 0;
  if (good) {
    const low = load<u32>(block + FRAME_SC + SC_OLDMASK);
    const high = load<u32>(block + FRAME_EXTRAMASK);
    signalSetMask((<u64> high << 32) | <u64> low);
    good = restoreContext(block + FRAME_SC, frame, task);
  }
  kfree(block);
  return good ? <i32> frame.eax : badFrame();
}

/** rt_sigreturn(2). */
export function rtSigreturn(frame: TrapFrame): i32 {
  const task = current();
  const block = kmalloc(RT_BYTES);
  if (block === 0) return badFrame();
  let good: bool = copyIn(block, frame.esp - 4, RT_BYTES) === 0;
  if (good) {
    const uc = block + RT_UCONTEXT;
    signalSetMask(load<u64>(uc, UC_MASK));
    good = restoreContext(uc + UC_SC, frame, task);
    if (good && !onAltStack(task, frame.esp)) {
      task.altStack = load<u32>(uc, UC_STACK);
      task.altStackFlags = load<u32>(uc, UC_STACK + 4) & SS_DISABLE;
      task.altStackSize = load<u32>(uc, UC_STACK + 8);
    }
  }
  kfree(block);
  return good ? <i32> frame.eax : badFrame();
}

function badFrame(): i32 {
  signalForce(SIGSEGV, 0x80, 0);
  return 0;
}
