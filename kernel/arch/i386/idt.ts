/**
 * The interrupt descriptor table, and SYSENTER's registers.
 *
 * Everything enters through interrupt gates: interrupts are off until the handler decides. Vectors 3, 4
 * and 0x80 may be called from user mode.
 *
 * Sources: SDM vol. 3A §6.11; §5.8.7.
 *
 * @module
 */
import { KERNEL_CS, sysenterStackPointer } from "./gdt.ts";
import { sysenter_entry, vector_table } from "./sym.ts";
import { cpuid_eax, cpuid_edx, lidt, wrmsr } from "./x86.ts";

/** Vector of system calls. */
export const SYSCALL_VECTOR: u32 = 0x80;
const EXCEPTIONS_AND_IRQS: u32 = 48;
const INTERRUPT_GATE: u32 = 0x8e00;
const TASK_GATE: u32 = 0x8500;
const USER_GATE: u32 = 0x6000;
const DOUBLE_FAULT: u32 = 8;
const CPUID_SEP: u32 = 1 << 11;
const MSR_SYSENTER_CS: u32 = 0x174;
const MSR_SYSENTER_ESP: u32 = 0x175;
const MSR_SYSENTER_EIP: u32 = 0x176;

const idt = memory.data(2048, 16);
const pointer = memory.data(16, 8);
let sysenter = false;

function setGate(vector: u32, address: u32, type: u32): void {
  store<u32>(idt + (vector << 3), (KERNEL_CS << 16) | (address & 0xffff));
  store<u32>(idt + (vector << 3), (address & 0xffff0000) | type, 4);
}

/** Fills and loads the table. */
export function idtInit(): void {
  for (let i: u32 = 0; i < EXCEPTIONS_AND_IRQS; i++) {
    const user = i === 3 || i === 4 ? USER_GATE : 0;
    setGate(i, load<u32>(vector_table() + (i << 2)), INTERRUPT_GATE | user);
  }
  const system = load<u32>(vector_table() + (EXCEPTIONS_AND_IRQS << 2));
  setGate(SYSCALL_VECTOR, system, INTERRUPT_GATE | USER_GATE);
  store<u16>(pointer, 2047);
  store<u32>(pointer, <u32> idt, 2);
  lidt(pointer);
}

/** Lets a task of its own handle double faults. */
export function idtDoubleFault(selector: u32): void {
  store<u32>(idt + (DOUBLE_FAULT << 3), selector << 16);
  store<u32>(idt + (DOUBLE_FAULT << 3), TASK_GATE, 4);
}

/** Turns SYSENTER on, where the processor has it. */
export function sysenterInit(): void {
  if ((cpuid_edx(1) & CPUID_SEP) === 0) return;
  // The Pentium Pro says SEP without having it (SDM vol. 2 "SYSENTER").
  const signature = cpuid_eax(1);
  const family = (signature >> 8) & 15;
  if (family === 6 && (signature & 0xff) < 0x33) return;
  wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
  wrmsr(MSR_SYSENTER_ESP, <u64> sysenterStackPointer());
  wrmsr(MSR_SYSENTER_EIP, <u64> sysenter_entry());
  sysenter = true;
}

/** True when user programs can use SYSENTER. */
export function haveSysenter(): bool {
  return sysenter;
}
