/**
 * The system call table: number to handler.
 *
 * Handlers take six words and return ≥ 0 or -errno (or a restart code of abi/signal.ts). Each family
 * of calls is a file that registers its own.
 *
 * @module
 */
import { ENOSYS } from "../abi/errno.ts";
import { TrapFrame } from "../arch/i386/frame.ts";
import { printk } from "../lib/printk.ts";
import { current } from "../proc/task.ts";

/** Numbers below this can have a handler. */
export const SYSCALLS: u32 = 512;

const table = memory.data(2048, 4);
const logged = memory.data(64, 4);
let counted: u32 = 0;

/** Sets the handler of a number. */
export function syscallRegister(
  number: u32,
  handler: (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) => i32,
): void {
  store<usize>(table + (number << 2), changetype<usize>(handler));
}

/** True when a number has a handler. */
export function syscallExists(number: u32): bool {
  return number < SYSCALLS && load<usize>(table + (number << 2)) !== 0;
}

/** System calls so far. */
export function syscallCount(): u32 {
  return counted;
}

function unknown(number: u32): i32 {
  if (number < SYSCALLS) {
    const bit = logged + (number >> 3);
    const mask: u32 = 1 << (number & 7);
    if ((load<u8>(bit) & mask) !== 0) return -ENOSYS;
    store<u8>(bit, <u8> (load<u8>(bit) | mask));
  }
  const task = current();
  printk(c`%s[%d]: system call %u is not there\n`, <u32> task.name, task.pid, number);
  return -ENOSYS;
}

/** Calls the handler of the frame's system call and puts its result into the frame. */
export function dispatch(frame: TrapFrame): void {
  const number = frame.error;
  counted++;
  if (number >= SYSCALLS || load<usize>(table + (number << 2)) === 0) {
    frame.eax = <u32> unknown(number);
    return;
  }
  const handler = changetype<(a: u32, b: u32, c: u32, d: u32, e: u32, f: u32) => i32>(
    load<usize>(table + (number << 2)),
  );
  const result = handler(frame.ebx, frame.ecx, frame.edx, frame.esi, frame.edi, frame.ebp);
  frame.eax = <u32> result;
}
