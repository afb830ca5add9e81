/** Stand-ins for the kernel around the terminal code. @module */

/**
 * Fakes by path for `compileUnit`. Sleeping asks the host function `host.sleep(ticks)`, which may
 * let things happen and returns the ticks that are left; a negative answer is a pending signal.
 * Signals sent are told to `host.signal(group, number)`. Processes are a list of the test's making.
 */
export const ttyFakes: Record<string, string> = {
  "kernel/arch/i386/irq_flags.ts": `
    export function irqSave(): u32 { return 0; }
    export function irqRestore(flags: u32): void {}
  `,
  "kernel/mm/mod.ts": `
    export function kmalloc(n: u32): usize { return __alloc(n); }
    export function kzalloc(n: u32): usize { const p = __alloc(n); memory.fill(p, 0, n); return p; }
    export function kfree(p: usize): void {}
    @unmanaged export class Vma { n: u32; }
    @unmanaged export class Transfer { at: usize; remaining: u32; }
    export function transferOut(t: Transfer, from: usize, n: u32): i32 {
      memory.copy(t.at, from, n); t.at += n; t.remaining -= n; return n;
    }
    export function transferIn(t: Transfer, to: usize, n: u32): i32 {
      memory.copy(to, t.at, n); t.at += n; t.remaining -= n; return n;
    }
    export function copyIn(to: usize, from: u32, n: u32): i32 { memory.copy(to, from, n); return 0; }
    export function copyOut(to: u32, from: usize, n: u32): i32 { memory.copy(to, from, n); return 0; }
    export function putUser32(at: u32, value: u32): i32 { store<u32>(at, value); return 0; }
    let word: u32 = 0;
    export function getUser32(at: u32): i32 { word = load<u32>(at); return 0; }
    export function userWord(): u32 { return word; }
  `,
  "kernel/sync/mod.ts": `
    import { setPending, signalPending } from "../proc/task.ts";
    @external("host", "sleep") declare function hostSleep(ticks: u32): i32;
    @unmanaged export class WaitEntry { n: u32; }
    @unmanaged export class WaitQueue { head: usize; }
    @unmanaged export class Mutex { n: u32; }
    export const FOREVER: u32 = 0xffffffff;
    export function waitQueueInit(q: WaitQueue): void {}
    export function wakeAll(q: WaitQueue): void {}
    export function wakeOne(q: WaitQueue): void {}
    export function waitQueueAdd(q: WaitQueue, e: WaitEntry): void {}
    export function waitQueueRemove(e: WaitEntry): void {}
    export function sleepOnInterruptibleTimeout(q: WaitQueue, ticks: u32): u32 {
      const left = hostSleep(ticks);
      if (left < 0) setPending(true);
      return left < 0 ? ticks : left;
    }
    export function sleepOnInterruptible(q: WaitQueue): i32 {
      sleepOnInterruptibleTimeout(q, FOREVER);
      return signalPending() ? -512 : 0;
    }
    export function sleepOn(q: WaitQueue): void { sleepOnInterruptible(q); }
  `,
  "kernel/time/mod.ts": `export const HZ: u32 = 250;`,
  "kernel/lib/mod.ts": `
    export function printk(f: usize, a: u32 = 0, b: u32 = 0, c: u32 = 0): void {}
    export function snprintk(at: usize, n: u32, f: usize, a: u32 = 0, b: u32 = 0): u32 { return 0; }
  `,
  "kernel/proc/task.ts": `
    @unmanaged export class Process {
      next: Process | null; parent: Process | null;
      pid: i32; pgrp: i32; session: i32; tty: usize; zombie: bool;
    }
    @unmanaged export class Task {
      process: Process; euid: u32; blocked: i32;
      get tgid(): i32 { return this.process.pid; }
      get pgrp(): i32 { return this.process.pgrp; }
      get session(): i32 { return this.process.session; }
      get tty(): usize { return this.process.tty; }
      set tty(value: usize) { this.process.tty = value; }
    }
    const task = changetype<Task>(memory.data(32, 4));
    let pending = false;
    export function current(): Task { return task; }
    export function setPending(on: bool): void { pending = on; }
    export function signalPending(): bool { return pending; }
  `,
  "kernel/proc/task_list.ts": `
    import { Process } from "./task.ts";
    let first: Process | null = null;
    export function processFirst(): Process | null { return first; }
    export function setProcesses(p: Process | null): void { first = p; }
  `,
  "kernel/proc/create.ts": `
    export function kernelThread(n: usize, run: (argument: usize) => void, a: usize): i32 { return 0; }
  `,
  "kernel/proc/signal.ts": `
    import { Task } from "./task.ts";
    @external("host", "signal") declare function hostSignal(group: i32, signal: i32): void;
    export function signalSendGroup(group: i32, signal: i32): i32 {
      hostSignal(group, signal);
      return 0;
    }
    export function signalBlockedOrIgnored(t: Task, s: i32): bool { return t.blocked === s; }
  `,
  "kernel/fs/mod.ts": `
    import { Transfer, Vma } from "../mm/mod.ts";
    import { WaitQueue } from "../sync/mod.ts";
    export const FMODE_STREAM: u32 = 4;
    @unmanaged export class Inode { rdev: u32; }
    @unmanaged export class File {
      flags: u32; mode: u32; data: usize; data2: usize;
      get nonblock(): bool { return (this.flags & 0o4000) !== 0; }
    }
    @unmanaged export class PollTable { n: u32; }
    @unmanaged export class FileOps {
      open: ((inode: Inode, file: File) => i32) | null;
      release: ((file: File) => void) | null;
      read: ((file: File, t: Transfer, offset: u64) => i32) | null;
      write: ((file: File, t: Transfer, offset: u64) => i32) | null;
      ioctl: ((file: File, request: u32, argument: u32) => i32) | null;
      poll: ((file: File, table: PollTable | null) => u32) | null;
    }
    export function pollWait(t: PollTable | null, q: WaitQueue): void {}
    export function makeDevice(major: u32, minor: u32): u32 { return (major << 8) | minor; }
    const numbers: usize = memory.data(128, 4);
    const ops: usize = memory.data(128, 4);
    const datas: usize = memory.data(128, 4);
    let count: u32 = 0;
    export function registerCharDevice(
      major: u32, minor: u32, name: usize, o: FileOps, mode: u32, data: usize,
    ): void {
      store<u32>(numbers + count * 4, makeDevice(major, minor));
      store<usize>(ops + count * 4, changetype<usize>(o));
      store<usize>(datas + count * 4, data);
      count++;
    }
    function find(number: u32): u32 {
      let i: u32 = 0;
      while (i < count && load<u32>(numbers + i * 4) !== number) i++;
      return i;
    }
    export function charDeviceData(number: u32): usize { return load<usize>(datas + find(number) * 4); }
    export function deviceOps(number: u32): FileOps {
      return changetype<FileOps>(load<usize>(ops + find(number) * 4));
    }
  `,
};
