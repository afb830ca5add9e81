/** Stand-ins for the kernel around the terminal code. @module */

/** Fakes by path for `compileUnit`. */
export const ttyFakes: Record<string, string> = {
  "kernel/arch/i386/irq_flags.ts": `
    export function irqSave(): u32 { return 0; }
    export function irqRestore(flags: u32): void {}
  `,
  "kernel/mm/mod.ts": `
    export function kzalloc(n: u32): usize { const p = __alloc(n); memory.fill(p, 0, n); return p; }
    export function kfree(p: usize): void {}
  `,
  "kernel/sync/mod.ts": `
    @unmanaged export class WaitQueue { head: usize; }
    export let wakes: u32 = 0;
    export function waitQueueInit(q: WaitQueue): void {}
    export function wakeAll(q: WaitQueue): void { wakes++; }
    export function wakeOne(q: WaitQueue): void { wakes++; }
  `,
  "kernel/abi/signal.ts": `
    export const SIGINT: i32 = 2;
    export const SIGQUIT: i32 = 3;
    export const SIGTSTP: i32 = 20;
  `,
  "kernel/proc/signal.ts": `
    export let lastSignal: i32 = 0;
    export let lastGroup: i32 = 0;
    export function signalSendGroup(group: i32, signal: i32): i32 {
      lastSignal = signal; lastGroup = group; return 0;
    }
    export function takeSignal(): i32 { const s = lastSignal; lastSignal = 0; return s; }
  `,
};
