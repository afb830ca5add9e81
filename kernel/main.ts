/**
 * The kernel's start, and the names by which the entry stubs reach it.
 *
 * @module
 */
import { MS_RDONLY, O_RDWR } from "./abi/fcntl.ts";
import { earlySerialInit, earlySerialWrite } from "./arch/i386/early.ts";
import { fpuInit } from "./arch/i386/fpu.ts";
import { doubleFaultTask, gdtInit } from "./arch/i386/gdt.ts";
import { haveSysenter, idtDoubleFault, idtInit, sysenterInit } from "./arch/i386/idt.ts";
import { irqFrame, irqInit, irqObserve, irqRegister } from "./arch/i386/irq.ts";
import {
  commandLine,
  memoryEnd,
  memoryRanges,
  memoryStart,
  modulesEnd,
  multibootRead,
} from "./arch/i386/multiboot.ts";
import { kernelDirectory, unmapLow } from "./arch/i386/page_table.ts";
import { pitInit } from "./arch/i386/pit.ts";
import {
  __image_end,
  __text_end,
  boot_stack,
  boot_stack_top,
  double_fault_entry,
  kernel_introspection,
  vsyscall_landing,
  vsyscall_start,
} from "./arch/i386/sym.ts";
import {
  doubleFaultHandler,
  exceptionHandler,
  interruptHandler,
  pageFaultHandler,
  syscallHandler,
  sysenterHandler,
  userReturn,
} from "./arch/i386/traps.ts";
import { sti } from "./arch/i386/x86.ts";
import { driversInit, driversStart, entropyInterrupt } from "./drivers/mod.ts";
import { fdAdd, File, fileRef, mountRoot, openKernel, vfsInit } from "./fs/mod.ts";
import { earlyConsole, earlyShow, panic, printk, strcpy, strlen, strncmp } from "./lib/mod.ts";
import { kmalloc, kzalloc, PAGE_MASK, PAGE_SIZE, pagesFree, virtToPhys } from "./mm/mod.ts";
import { DIRECT_MAP_LIMIT, pagesAdd, pagesInit } from "./mm/page.ts";
import { idleTaskInit } from "./proc/create.ts";
import {
  current,
  currentAddress,
  execute,
  files,
  initProcess,
  NAME_SIZE,
  Task,
  userFrame,
} from "./proc/mod.ts";
import { resume_frame } from "./arch/i386/asm.ts";
import { idleLoop, loadTick, schedulerTick } from "./sched/mod.ts";
import { fileCallsInit } from "./syscall/file.ts";
import { identityCallsInit } from "./syscall/identity.ts";
import { memoryCallsInit } from "./syscall/memory.ts";
import { RELEASE } from "./syscall/mod.ts";
import { processCallsInit } from "./syscall/process.ts";
import { signalCallsInit } from "./syscall/signal.ts";
import { systemCallsInit } from "./syscall/system.ts";
import { cpuTimersTick, timeCallsInit } from "./syscall/time.ts";
import { clockInit, clockTick, clockTscKhz, HZ, tickAdvance, timersExpire } from "./time/mod.ts";
import { sleepOnTimeout, WaitQueue } from "./sync/mod.ts";

/** Values from here on are negative errors. */
const ERRORS: usize = 0xfffff000;
const TIMER_IRQ: u32 = 0;
/** What entry.s takes as the landing of SYSENTER. */
const LANDING: usize = 0x1c;
const LOW_MEMORY: u32 = 0x100000;
const OPTION_MAX: u32 = 256;
const INTROSPECTION_MAGIC: u32 = 0x494b564f;

/** The boot stub calls this with the loader's magic number and the address of its information. */
export function kernelMain(magic: u32, information: u32): void {
  earlySerialInit();
  earlyConsole(earlySerialWrite);
  printk(c`Overture kernel %s\n`, <u32> RELEASE);
  if (!multibootRead(magic, information)) panic(c`not started by a Multiboot loader`);
  if (option(c`earlycon`, 8, memory.data(256))) earlyShow();
  memoryInit();
  gdtInit(boot_stack_top());
  idtInit();
  unmapLow();
  doubleFaultInit();
  sysenterInit();
  fpuInit();
  if (vsyscall_landing() - vsyscall_start() !== LANDING) panic(c`vsyscall page`);
  if (!idleTaskInit(boot_stack())) panic(c`no memory for the first task`);
  introspectionInit();
  irqInit();
  irqObserve(entropyInterrupt);
  irqRegister(TIMER_IRQ, tick, 0);
  pitInit();
  sti();
  clockInit();
  printk(c`clock: %u Hz, TSC %u kHz, SYSENTER %u\n`, HZ, clockTscKhz(), haveSysenter() ? 1 : 0);
  processCallsInit();
  memoryCallsInit();
  signalCallsInit();
  timeCallsInit();
  identityCallsInit();
  systemCallsInit();
  fileCallsInit();
  driversInit(commandLine());
  if (initProcess(runInit) < 0) panic(c`no memory for init`);
  idleLoop();
}

/* Everything that is RAM, less the kernel, what the loader put behind it, and the first megabyte. */
function memoryInit(): void {
  let top: u32 = 0;
  for (let i: u32 = 0; i < memoryRanges(); i++) if (memoryEnd(i) > top) top = memoryEnd(i);
  if (top > DIRECT_MAP_LIMIT) top = DIRECT_MAP_LIMIT;
  top &= PAGE_MASK;
  const imageEnd = (virtToPhys(__image_end()) + PAGE_SIZE - 1) & PAGE_MASK;
  const start = (modulesEnd(imageEnd) + PAGE_SIZE - 1) & PAGE_MASK;
  const records = pagesInit(start + 0xc0000000, top);
  const free = (start + records + PAGE_SIZE - 1) & PAGE_MASK;
  for (let i: u32 = 0; i < memoryRanges(); i++) {
    let from = memoryStart(i);
    const to = memoryEnd(i) < top ? memoryEnd(i) : top;
    if (from < free) from = free;
    if (from < to) pagesAdd(from, to);
  }
  // Between the code and the data, which the linker puts at fixed places, there is room, too.
  const gap = (virtToPhys(__text_end()) + PAGE_SIZE - 1) & PAGE_MASK;
  if (gap < LOW_MEMORY) panic(c`kernel below 1 MiB`);
  printk(c`memory: %u KiB, %u KiB free\n`, top >> 10, pagesFree() << 2);
}

function doubleFaultInit(): void {
  const state = kzalloc(128);
  const stack = kmalloc(PAGE_SIZE);
  if (state === 0 || stack === 0) panic(c`no memory for the double fault task`);
  idtDoubleFault(
    doubleFaultTask(state, stack + PAGE_SIZE, double_fault_entry(), kernelDirectory()),
  );
}

/* For profilers: where the current task is found and what in it. Nothing in the kernel reads this. */
function introspectionInit(): void {
  const words = kernel_introspection();
  store<u32>(words, INTROSPECTION_MAGIC);
  store<u32>(words, 1, 4);
  store<u32>(words, <u32> currentAddress(), 8);
  store<u32>(words, <u32> offsetof<Task>("pid"), 12);
  store<u32>(words, <u32> offsetof<Task>("name0"), 16);
  store<u32>(words, NAME_SIZE, 20);
  store<u32>(words, <u32> offsetof<Task>("path"), 24);
}

/* Line 0, HZ times a second. */
function tick(_irq: u32, _context: usize): void {
  const user = irqFrame().fromUser;
  const task = current();
  tickAdvance();
  clockTick();
  if (user) task.userTicks++;
  else task.systemTicks++;
  cpuTimersTick(task, user);
  schedulerTick();
  loadTick();
  timersExpire();
}

/** The value of `name=` on the command line, in `value` of OPTION_MAX bytes: false without it. */
function option(name: usize, length: u32, value: usize): bool {
  let at = commandLine();
  while (load<u8>(at) !== 0) {
    while (load<u8>(at) === 32) at++;
    if (strncmp(at, name, length) === 0) {
      at += length;
      let n: u32 = 0;
      while (load<u8>(at) > 32 && n < OPTION_MAX - 1) store<u8>(value + n++, load<u8>(at++));
      store<u8>(value + n, 0);
      return true;
    }
    while (load<u8>(at) > 32) at++;
  }
  return false;
}

/** True when a word stands alone on the command line. */
function flag(word: usize): bool {
  const length = strlen(word);
  let at = commandLine();
  while (load<u8>(at) !== 0) {
    while (load<u8>(at) === 32) at++;
    if (strncmp(at, word, length) === 0 && load<u8>(at + length) <= 32) return true;
    while (load<u8>(at) > 32) at++;
  }
  return false;
}

/* Standard input, output and error of init. */
function openConsole(): void {
  const file = openKernel(c`/dev/console`, O_RDWR);
  if (file >= ERRORS) {
    printk(c`init: cannot open /dev/console: error %d\n`, 0 - <u32> file);
    return;
  }
  for (let i: u32 = 0; i < 3; i++) {
    if (i > 0) fileRef(changetype<File>(file));
    fdAdd(changetype<File>(file), 0, false);
  }
}

/* Runs a program as process 1: returns only when it cannot. */
function tryInit(path: usize): i32 {
  const argv = kzalloc(8);
  const envp = kzalloc(16);
  store<u32>(argv, <u32> path);
  store<u32>(envp, <u32> c`HOME=/`);
  store<u32>(envp, <u32> c`TERM=linux`, 4);
  const error = execute(path, <u32> argv, <u32> envp, true, userFrame(current()));
  if (error === 0) resume_frame(changetype<usize>(userFrame(current())));
  return error;
}

/* The first process: mounts the root and becomes init. */
function runInit(_argument: usize): void {
  vfsInit();
  driversStart();
  const value = kzalloc(OPTION_MAX);
  if (!option(c`root=`, 5, value)) strcpy(value, c`/dev/hda`);
  const error = mountRoot(value, flag(c`ro`) ? MS_RDONLY : 0);
  if (error < 0) {
    printk(c`root: cannot mount %s: error %d\n`, <u32> value, -error);
    panic(c`no root file system`);
  }
  current().fs = files().contextCopy(0);
  openConsole();
  if (option(c`init=`, 5, value)) {
    const failed = tryInit(value);
    printk(c`init: cannot run %s: error %d\n`, <u32> value, -failed);
  }
  tryInit(c`/sbin/init`);
  tryInit(c`/bin/init`);
  tryInit(c`/bin/sh`);
  panic(c`no init found`);
}

/** Kernel threads begin here. */
export function kernelThreadStart(run: usize, argument: usize): void {
  const call = changetype<(argument: usize) => void>(run);
  call(argument);
  // A thread that has nothing left to do sleeps for good.
  const queue = changetype<WaitQueue>(kzalloc(offsetof<WaitQueue>()));
  while (true) sleepOnTimeout(queue, 0x7ffffff0);
}

// deno-lint-ignore-start camelcase -- names that unwinders and profilers know
export {
  doubleFaultHandler as double_fault_handler,
  exceptionHandler as exception_handler,
  interruptHandler as interrupt_handler,
  kernelMain as kernel_main,
  kernelThreadStart as kernel_thread_start,
  pageFaultHandler as page_fault_handler,
  syscallHandler as syscall_handler,
  sysenterHandler as sysenter_handler,
  userReturn as user_return,
};
// deno-lint-ignore-end
