/**
 * Power off and restart. Off by ACPI's PM1 control register (ACPI 6.4 §4.8.3.2.1: SLP_TYP and
 * SLP_EN), whose place the PIIX4's power-management function tells (Intel 82371AB §7.1, PMBASE);
 * restart by the keyboard controller's reset line.
 *
 * @module
 */
import { cli, hlt, inb, lidt, outb, outw } from "../../arch/i386/x86.ts";
import { printk } from "../../lib/mod.ts";
import { serialDrain } from "../serial/mod.ts";
import { pciFind, pciRead32, pciRead8 } from "../pci/mod.ts";

const PMBASE: u32 = 0x40;
const PM_ENABLE: u32 = 0x80;
const PM1_CONTROL: u32 = 4;
const SLEEP_ENABLE: u32 = 1 << 13;
/** Where the control register is without a PIIX4, by custom of PC emulators. */
const FALLBACK: u32 = 0x604;

let control: u32 = FALLBACK;

/** Looks for the power-management device. */
export function powerInit(): void {
  const pm = pciFind(0x8086, 0x7113);
  if (pm === null) return;
  const base = pciRead32(pm, PMBASE) & 0xffc0;
  // Without firmware nobody gave it an address; the device then decodes nothing there.
  if (base === 0 || (pciRead8(pm, PM_ENABLE) & 1) === 0) return;
  control = base + PM1_CONTROL;
  printk(c`power: PM1 control at 0x%x\n`, control);
}

/** Stops for good, interrupts off. */
export function powerHalt(): void {
  cli();
  while (true) hlt();
}

/** Turns the machine off; halts when that is not to be. S5 is type 0 on the PIIX4. */
export function powerOff(): void {
  serialDrain();
  cli();
  outw(control, SLEEP_ENABLE);
  outw(FALLBACK, SLEEP_ENABLE);
  powerHalt();
}

/** Starts the machine anew: the keyboard controller's output line 0, else a triple fault. */
export function powerRestart(): void {
  serialDrain();
  cli();
  for (let i = 0; i < 100000 && (inb(0x64) & 2) !== 0; i++) { /* its input buffer is full */ }
  outb(0x64, 0xfe);
  for (let i = 0; i < 100000; i++) inb(0x80);
  const none: usize = memory.data(8, 4);
  lidt(none);
  unreachable();
}
