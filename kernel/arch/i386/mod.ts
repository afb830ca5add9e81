/**
 * The processor and the interrupt controllers of a PC.
 *
 * @module
 */
export {
  clts,
  cpuid_eax,
  cpuid_ebx,
  cpuid_ecx,
  cpuid_edx,
  cr0,
  cr2,
  cr3,
  cr4,
  ebp,
  eflags,
  hlt,
  inb,
  inl,
  insl,
  insw,
  int3,
  invlpg,
  inw,
  outb,
  outl,
  outsl,
  outsw,
  outw,
  pause,
  rdmsr,
  rdtsc,
  set_cr3,
  vload16,
  vload32,
  vload8,
  vstore16,
  vstore32,
  vstore8,
  wrmsr,
} from "./x86.ts";
export { FRAME_SIZE, TrapFrame } from "./frame.ts";
export { irqCount, irqDisable, irqEnable, irqFrame, irqObserve, irqRegister } from "./irq.ts";
export { EFLAGS_IF, irqEnabled, irqRestore, irqSave } from "./irq_flags.ts";
