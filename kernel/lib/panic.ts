/**
 * The end: message, backtrace, halt.
 *
 * @module
 */
import { cli, cr0, cr2, cr3, ebp, eflags, hlt } from "../arch/i386/x86.ts";
import { earlyShow } from "./log.ts";
import { printk } from "./printk.ts";
import { printSymbol } from "./symbols.ts";

const KERNEL_BASE: usize = 0xc0000000;
const FRAMES: u32 = 32;

let panicking = false;

/** Logs the return addresses of the frame chain at `frame`, as far as it lies in kernel memory. */
export function printBacktrace(frame: usize): void {
  let previous: usize = 0;
  for (let i: u32 = 0; i < FRAMES; i++) {
    if (frame < KERNEL_BASE || (frame & 3) !== 0 || frame <= previous) return;
    const address = load<u32>(frame, 4);
    if (address === 0) return;
    printk(c`  #%u %p `, i, address);
    printSymbol(address);
    printk(c`\n`);
    previous = frame;
    frame = load<usize>(frame);
  }
}

/** True once the kernel has panicked: nothing will be sent by interrupts any more. */
export function isPanicking(): bool {
  return panicking;
}

/** Stops the machine with a message. */
export function panic(message: usize): void {
  panicWith(message, ebp());
}

/** As `panic` with the backtrace of another frame. */
export function panicWith(message: usize, frame: usize): void {
  cli();
  if (!panicking) {
    panicking = true;
    earlyShow(); // if there is no console yet
    printk(c`\nKernel panic: %s\n`, message);
    printk(
      c`esp %p ebp %p eflags %p cr0 %p cr2 %p cr3 %p\n`,
      <u32> frame,
      <u32> load<usize>(frame),
      eflags(),
      cr0(),
      cr2(),
      cr3(),
    );
    printk(c`Backtrace:\n`);
    printBacktrace(frame);
    printk(c`System halted.\n`);
  }
  while (true) {
    cli();
    hlt();
  }
}
