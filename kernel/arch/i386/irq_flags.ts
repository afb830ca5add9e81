/**
 * Interrupts on this processor: off and as they were.
 *
 * @module
 */
import { cli, eflags, set_eflags } from "./x86.ts";

/** EFLAGS.IF. */
export const EFLAGS_IF: u32 = 0x200;

/** Turns interrupts off; the flags to restore. */
export function irqSave(): u32 {
  const flags = eflags();
  cli();
  return flags;
}

/** Restores what `irqSave` gave. */
export function irqRestore(flags: u32): void {
  set_eflags(flags);
}

/** True when interrupts can be delivered. */
export function irqEnabled(): bool {
  return (eflags() & EFLAGS_IF) !== 0;
}
