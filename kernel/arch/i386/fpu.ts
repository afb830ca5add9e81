/**
 * Floating-point state, switched lazily: the registers keep the state of their last user (the owner)
 * until another task touches them, which CR0.TS reports as vector 7.
 *
 * FXSAVE where CPUID has it (SSE is then on), else FNSAVE.
 *
 * Sources: SDM vol. 1 §8.1.10, §10.5; vol. 3A §13.
 *
 * @module
 */
import {
  clts,
  cpuid_edx,
  cr0,
  cr4,
  fninit,
  fnsave,
  frstor,
  fxrstor,
  fxsave,
  set_cr0,
  set_cr4,
} from "./x86.ts";
import { current, Task } from "../../proc/task.ts";
import { kfree, kmalloc } from "../../mm/heap.ts";

const CR0_MP: u32 = 2;
const CR0_EM: u32 = 4;
const CR0_TS: u32 = 8;
const CR0_NE: u32 = 32;
const CR4_OSFXSR: u32 = 0x200;
const CR4_OSXMMEXCPT: u32 = 0x400;
const CPUID_FXSR: u32 = 1 << 24;
const CPUID_SSE: u32 = 1 << 25;
/** Bytes of the two kinds of image. */
export const FNSAVE_SIZE: u32 = 108;
export const FXSAVE_SIZE: u32 = 512;

const initial = memory.data(528, 16);
let owner: Task | null = null;
let hasFxsr = false;
let mxcsrMask: u32 = 0xffbf;

/** True when images are of FXSAVE. */
export function fpuHasFxsr(): bool {
  return hasFxsr;
}

/** Turns floating point on and notes the state that programs begin with. */
export function fpuInit(): void {
  set_cr0((cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
  const features = cpuid_edx(1);
  hasFxsr = (features & CPUID_FXSR) !== 0;
  if (hasFxsr) {
    set_cr4(cr4() | CR4_OSFXSR | ((features & CPUID_SSE) !== 0 ? CR4_OSXMMEXCPT : 0));
  }
  fninit();
  if (hasFxsr) {
    fxsave(initial);
    const mask = load<u32>(initial, 28);
    if (mask !== 0) mxcsrMask = mask;
  } else {
    fnsave(initial);
  }
  set_cr0(cr0() | CR0_TS);
}

/** MXCSR bits that may be set (SDM vol. 1 §11.6.6). */
export function fpuMxcsrMask(): u32 {
  return mxcsrMask;
}

function save(task: Task): void {
  if (hasFxsr) fxsave(task.fpu);
  else fnsave(task.fpu);
}

/** Vector 7: gives the registers to the current task. False when memory is out. */
export function fpuTake(): bool {
  clts();
  const task = current();
  if (owner === task) return true;
  if (owner !== null) save(owner!);
  owner = null;
  if (task.fpu === 0 && !fpuAllocate(task)) {
    set_cr0(cr0() | CR0_TS);
    return false;
  }
  const image = task.fpuUsed ? task.fpu : initial;
  if (hasFxsr) fxrstor(image);
  else frstor(image);
  task.fpuUsed = true;
  owner = task;
  return true;
}

function fpuAllocate(task: Task): bool {
  task.fpuBlock = kmalloc(FXSAVE_SIZE + 16);
  if (task.fpuBlock === 0) return false;
  task.fpu = (task.fpuBlock + 15) & ~15;
  return true;
}

/** Brings the image of a task up to date; its registers then belong to nobody. */
export function fpuFlush(task: Task): void {
  if (owner !== task) return;
  clts();
  save(task);
  owner = null;
  set_cr0(cr0() | CR0_TS);
}

/** A task runs next: lets it have the registers if they are its own. */
export function fpuSwitch(next: Task): void {
  if (owner === next) clts();
  else set_cr0(cr0() | CR0_TS);
}

/** Copies the state of a parent to its new child: false when memory is out. */
export function fpuCopy(parent: Task, child: Task): bool {
  child.fpu = 0;
  child.fpuBlock = 0;
  child.fpuUsed = false;
  if (!parent.fpuUsed) return true;
  fpuFlush(parent);
  if (!fpuAllocate(child)) return false;
  memory.copy(child.fpu, parent.fpu, hasFxsr ? FXSAVE_SIZE : FNSAVE_SIZE);
  child.fpuUsed = true;
  return true;
}

/** The task begins anew (exec), without freeing its image. */
export function fpuReset(task: Task): void {
  if (owner === task) {
    owner = null;
    set_cr0(cr0() | CR0_TS);
  }
  task.fpuUsed = false;
}

/** The task ends. */
export function fpuFree(task: Task): void {
  fpuReset(task);
  kfree(task.fpuBlock);
  task.fpuBlock = 0;
  task.fpu = 0;
}

/**
 * The current task's x87 state as an FNSAVE image at `image` (108 bytes). The state itself stays.
 */
export function fpuLegacyImage(image: usize): void {
  const task = current();
  fpuTake();
  if (hasFxsr) {
    fxsave(task.fpu);
    fnsave(image);
    fxrstor(task.fpu);
  } else {
    fnsave(image);
    frstor(image);
    memory.copy(task.fpu, image, FNSAVE_SIZE);
  }
}

/** Exceptions in the current task's MXCSR that are not masked, by their flags (SDM vol. 1 §10.2.3). */
export function fpuSimdPending(): u32 {
  if (!hasFxsr) return 0;
  const task = current();
  fpuTake();
  fxsave(task.fpu);
  const mxcsr = load<u32>(task.fpu, 24);
  return mxcsr & ~(mxcsr >> 7) & 0x3f;
}

/** Sets the current task's state: `image` of FNSAVE; before it `extended` of FXSAVE unless 0. */
export function fpuSet(image: usize, extended: usize): void {
  const task = current();
  if (task.fpu === 0 && !fpuAllocate(task)) return;
  fpuTake();
  if (hasFxsr && extended !== 0) {
    store<u32>(extended, load<u32>(extended, 24) & mxcsrMask, 24);
    fxrstor(extended);
  }
  frstor(image);
}
