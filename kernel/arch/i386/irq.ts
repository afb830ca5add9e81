/**
 * Interrupts of devices: the pair of 8259As, and who handles which line.
 *
 * Lines 0–15 arrive at vectors 32–47. Several handlers may share a line (PCI). A line is enabled when
 * its first handler comes. Handlers run with interrupts off and do not sleep.
 *
 * Sources: 8259A data sheet (ICW1–ICW4, OCW1–OCW3, spurious interrupts).
 *
 * @module
 */
import { inb, outb } from "./x86.ts";
import { irqRestore, irqSave } from "./irq_flags.ts";
import { TrapFrame } from "./frame.ts";
import { kzalloc } from "../../mm/heap.ts";
import { ENOMEM } from "../../abi/errno.ts";
import { printk } from "../../lib/printk.ts";

/** Vector of line 0. */
export const IRQ_BASE: u32 = 32;
export const IRQ_COUNT: u32 = 16;

const MASTER: u32 = 0x20;
const SLAVE: u32 = 0xa0;
const ICW1_INIT: u32 = 0x11;
const ICW4_8086: u32 = 1;
const OCW2_EOI: u32 = 0x20;
const OCW3_READ_ISR: u32 = 0x0b;
const CASCADE: u32 = 2;

/*@unmanaged*/
// deno-lint-ignore no-unused-vars -- only its type is used
class Handler {
  next: Handler | null;
  call: (irq: u32, context: usize) => void;
  context: usize;
}

const handlers = memory.data(64, 4);
const counts = memory.data(64, 4);
let mask: u32 = 0xffff;
let spurious: u32 = 0;
let frame: usize = 0;
let observer: ((word: u32) => void) | null = null;

/** Programs the controllers: vectors 32–47, all lines off but the cascade. */
export function irqInit(): void {
  outb(MASTER, ICW1_INIT);
  outb(SLAVE, ICW1_INIT);
  outb(MASTER + 1, IRQ_BASE);
  outb(SLAVE + 1, IRQ_BASE + 8);
  outb(MASTER + 1, 1 << CASCADE);
  outb(SLAVE + 1, CASCADE);
  outb(MASTER + 1, ICW4_8086);
  outb(SLAVE + 1, ICW4_8086);
  mask = 0xffff & ~(1 << CASCADE);
  writeMask();
}

function writeMask(): void {
  outb(MASTER + 1, mask & 0xff);
  outb(SLAVE + 1, mask >> 8);
}

/** Lets a line interrupt. */
export function irqEnable(irq: u32): void {
  const flags = irqSave();
  mask &= ~(1 << irq);
  writeMask();
  irqRestore(flags);
}

/** Holds a line. */
export function irqDisable(irq: u32): void {
  const flags = irqSave();
  mask |= 1 << irq;
  writeMask();
  irqRestore(flags);
}

/** Adds a handler of line 0–15 and enables the line: 0 or -ENOMEM. */
export function irqRegister(
  irq: u32,
  handler: (irq: u32, context: usize) => void,
  context: usize,
): i32 {
  const entry = changetype<Handler | null>(kzalloc(offsetof<Handler>()));
  if (entry === null) return -ENOMEM;
  entry.call = handler;
  entry.context = context;
  const flags = irqSave();
  entry.next = changetype<Handler | null>(load<usize>(handlers + (irq << 2)));
  store<usize>(handlers + (irq << 2), changetype<usize>(entry));
  irqEnable(irq);
  irqRestore(flags);
  return 0;
}

/** Lets `call` see what every interrupt hit (EIP and line mixed), for the entropy pool. */
export function irqObserve(call: (word: u32) => void): void {
  observer = call;
}

/** Interrupts of a line since boot. */
export function irqCount(irq: u32): u32 {
  return load<u32>(counts + (irq << 2));
}

/** The frame of the interrupt being handled; for the tick, which asks where it hit. */
export function irqFrame(): TrapFrame {
  return changetype<TrapFrame>(frame);
}

/* Lines 7 and 15 also report interrupts that went away; those are not in service. */
function isSpurious(irq: u32): bool {
  if ((irq & 7) !== 7) return false;
  const port = irq < 8 ? MASTER : SLAVE;
  outb(port, OCW3_READ_ISR);
  return (inb(port) & 0x80) === 0;
}

/** Runs the handlers of a line. From `interrupt_handler`. */
export function irqDispatch(irq: u32, interrupted: TrapFrame): void {
  if (isSpurious(irq)) {
    spurious++;
    if (irq === 15) outb(MASTER, OCW2_EOI);
    return;
  }
  store<u32>(counts + (irq << 2), irqCount(irq) + 1);
  // Acknowledged first: handlers run with interrupts off, and a tick may change tasks afterwards.
  if (irq >= 8) outb(SLAVE, OCW2_EOI);
  outb(MASTER, OCW2_EOI);
  frame = changetype<usize>(interrupted);
  if (observer !== null) observer!(interrupted.eip ^ irq);
  let handler = changetype<Handler | null>(load<usize>(handlers + (irq << 2)));
  if (handler === null) {
    printk(c`irq %u: nobody cared, disabled\n`, irq);
    irqDisable(irq);
    return;
  }
  for (; handler !== null; handler = handler.next) handler.call(irq, handler.context);
}
