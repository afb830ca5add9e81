/**
 * The thread that runs bytes from interrupts through the line discipline: interrupt handlers only
 * store and wake, and everything else about terminals happens in threads, which do not preempt each
 * other in the kernel.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { OUT_SIZE, Tty, ttyFirst, ttyOutputCount } from "./tty.ts";
import { inputRoom, ttyReceiveRaw } from "./input.ts";
import { sleepOn, WaitQueue, waitQueueInit, wakeAll, wakeOne } from "../sync/mod.ts";
import { kzalloc } from "../mm/mod.ts";
import { kernelThread } from "../proc/create.ts";

let queue: WaitQueue = changetype<WaitQueue>(0);
let pending: bool = false;

/** Interrupt side: the terminal has raw bytes. */
export function ttyDiscipline(_tty: Tty): void {
  pending = true;
  if (changetype<usize>(queue) !== 0) wakeOne(queue);
}

/** Interrupt side: some output was sent; writers are woken when there is room worth it. */
export function ttySent(tty: Tty): void {
  if (ttyOutputCount(tty) < OUT_SIZE / 2) wakeAll(tty.writeWait);
}

function work(_argument: usize): void {
  while (true) {
    const flags = irqSave();
    while (!pending) sleepOn(queue);
    pending = false;
    irqRestore(flags);
    let tty: Tty | null = ttyFirst();
    while (tty !== null) {
      if (tty.rawHead !== tty.rawTail && inputRoom(tty)) ttyReceiveRaw(tty);
      tty = tty.next;
    }
  }
}

/** Starts the thread. */
export function ttyWorkerInit(): void {
  queue = changetype<WaitQueue>(kzalloc(offsetof<WaitQueue>()));
  waitQueueInit(queue);
  kernelThread(c`tty`, work, 0);
}
