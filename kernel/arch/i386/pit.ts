/**
 * The interval timer: channel 0 interrupts HZ times a second on line 0.
 *
 * Source: i8254 data sheet (control word, mode 2).
 *
 * @module
 */
import { HZ } from "../../time/ticks.ts";
import { outb } from "./x86.ts";

/** Input clock in Hz. */
export const PIT_HZ: u32 = 1193182;
const CHANNEL0: u32 = 0x40;
const CONTROL: u32 = 0x43;
/** Channel 0, low byte then high byte, mode 2 (rate generator), binary. */
const RATE_GENERATOR: u32 = 0x34;

/** Starts the tick. */
export function pitInit(): void {
  const divisor = (PIT_HZ + HZ / 2) / HZ;
  outb(CONTROL, RATE_GENERATOR);
  outb(CHANNEL0, divisor & 0xff);
  outb(CHANNEL0, divisor >> 8);
}
