/**
 * The processor state that changes with the running task besides its stack.
 *
 * @module
 */
import { Task } from "../../proc/task.ts";
import { STACK_SIZE } from "../../proc/task.ts";
import { fpuSwitch } from "./fpu.ts";
import { loadTls, setKernelStack } from "./gdt.ts";
import { set_cr3 } from "./x86.ts";

let loaded: u32 = 0;

/** Makes an address space the current one. */
export function useDirectory(directory: u32): void {
  if (directory === loaded) return;
  loaded = directory;
  set_cr3(directory);
}

/** The directory in CR3. */
export function loadedDirectory(): u32 {
  return loaded;
}

/** Kernel stack, TLS segments, address space and floating point for the task that runs next. */
export function prepareSwitch(next: Task): void {
  setKernelStack(next.stack + STACK_SIZE);
  // Kernel threads run in whatever address space is there; all have the kernel's part.
  const mm = next.mm;
  if (mm !== null) {
    useDirectory(mm.directory);
    loadTls(next.tls0, next.tls1, next.tls2);
  }
  fpuSwitch(next);
}
