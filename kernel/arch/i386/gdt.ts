/**
 * Segments: descriptor table and task state segment.
 *
 * The selectors are those of Linux i386, because SYSEXIT wants the four code and data segments in a row
 * and because programs find the TLS entries by number (6–8).
 *
 * Sources: SDM vol. 3A §3.4.5, §7.2; Linux asm/segment.h.
 *
 * @module
 */
import { load_segments } from "./asm.ts";
import { lgdt, ltr, set_fs, set_gs } from "./x86.ts";

export const KERNEL_CS: u32 = 0x60;
export const KERNEL_DS: u32 = 0x68;
export const USER_CS: u32 = 0x73;
export const USER_DS: u32 = 0x7b;
const TSS_SELECTOR: u32 = 0x80;
const DOUBLE_FAULT_SELECTOR: u32 = 0xf8;
/** First TLS entry, and how many. */
export const TLS_FIRST: u32 = 6;
export const TLS_ENTRIES: u32 = 3;

const ENTRIES: u32 = 32;
const TSS_SIZE: u32 = 104;
const TSS_ESP0: usize = 4;
const TSS_SS0: usize = 8;
const TSS_CR3: usize = 28;
const TSS_EIP: usize = 32;
const TSS_EFLAGS: usize = 36;
const TSS_ESP: usize = 56;
const TSS_SEGMENTS: usize = 72;
const TSS_IO_MAP: usize = 102;

const gdt = memory.data(256, 16);
const tss = memory.data(112, 16);
const pointer = memory.data(16, 8);
/* What SYSENTER runs on for its first instruction; a debug trap may hit there. The last word is read. */
const SYSENTER_STACK: usize = 1024;
const sysenterStack = memory.data(1024, 16);

function setEntry(index: u32, low: u32, high: u32): void {
  store<u32>(gdt + (index << 3), low);
  store<u32>(gdt + (index << 3), high, 4);
}

function setSystem(selector: u32, base: usize, limit: u32, type: u32): void {
  setEntry(
    selector >> 3,
    (limit & 0xffff) | (<u32> base << 16),
    ((<u32> base >> 16) & 0xff) | (type << 8) | (limit & 0xf0000) | (<u32> base & 0xff000000),
  );
}

/** Loads the table, the segments and the task register. `stack`: kernel stack for interrupts. */
export function gdtInit(stack: usize): void {
  setEntry(KERNEL_CS >> 3, 0x0000ffff, 0x00cf9b00);
  setEntry(KERNEL_DS >> 3, 0x0000ffff, 0x00cf9300);
  setEntry(USER_CS >> 3, 0x0000ffff, 0x00cffb00);
  setEntry(USER_DS >> 3, 0x0000ffff, 0x00cff300);
  setSystem(TSS_SELECTOR, tss, TSS_SIZE - 1, 0x89);
  store<u32>(tss + TSS_SS0, KERNEL_DS);
  store<u16>(tss + TSS_IO_MAP, <u16> TSS_SIZE);
  setKernelStack(stack);
  store<u16>(pointer, <u16> (ENTRIES * 8 - 1));
  store<u32>(pointer, <u32> gdt, 2);
  lgdt(pointer);
  load_segments(KERNEL_CS, KERNEL_DS);
  ltr(TSS_SELECTOR);
}

/** Where ESP is put when an interrupt or exception comes from user mode. */
export function setKernelStack(top: usize): void {
  store<u32>(tss + TSS_ESP0, <u32> top);
  store<u32>(sysenterStack + SYSENTER_STACK - 4, <u32> top);
}

/** ESP for SYSENTER: the word that holds the kernel stack of the running task, which its entry loads. */
export function sysenterStackPointer(): usize {
  return sysenterStack + SYSENTER_STACK - 4;
}

/** Puts the three TLS descriptors of a task into the table. */
export function loadTls(tls0: u64, tls1: u64, tls2: u64): void {
  store<u64>(gdt + (TLS_FIRST << 3), tls0);
  store<u64>(gdt + (TLS_FIRST << 3), tls1, 8);
  store<u64>(gdt + (TLS_FIRST << 3), tls2, 16);
}

/** No TLS descriptors, and no register that has one (exec). */
export function clearTls(): void {
  set_fs(0);
  set_gs(0);
  loadTls(0, 0, 0);
}

/** A task state segment of its own for double faults, so that a kernel stack overflow is reported. */
export function doubleFaultTask(state: usize, stack: usize, entry: usize, directory: u32): u32 {
  store<u32>(state + TSS_CR3, directory);
  store<u32>(state + TSS_EIP, <u32> entry);
  store<u32>(state + TSS_EFLAGS, 2);
  store<u32>(state + TSS_ESP, <u32> stack);
  for (let i: usize = 0; i < 6; i++) {
    store<u32>(state + TSS_SEGMENTS + (i << 2), i === 1 ? KERNEL_CS : KERNEL_DS);
  }
  store<u16>(state + TSS_IO_MAP, <u16> TSS_SIZE);
  setSystem(DOUBLE_FAULT_SELECTOR, state, TSS_SIZE - 1, 0x89);
  return DOUBLE_FAULT_SELECTOR;
}
