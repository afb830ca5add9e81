/**
 * Names of kernel addresses, from the table that the linker puts into the image: records of
 * address and name, sorted by address.
 *
 * @module
 */
import { __symbols_end, __symbols_start, __text_end } from "../arch/i386/sym.ts";
import { printk } from "./printk.ts";

const RECORD: u32 = 8;
const KERNEL_BASE: u32 = 0xc0000000;

/** Logs `name+0xoffset` of an address, or `?` when nothing is known about it. */
export function printSymbol(address: u32): void {
  const table = __symbols_start();
  let low: u32 = 0;
  let high: u32 = <u32> (__symbols_end() - table) / RECORD;
  if (high === 0 || address < KERNEL_BASE || address >= <u32> __text_end()) {
    printk(c`?`);
    return;
  }
  // The last record that is not above the address.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (load<u32>(table + middle * RECORD) <= address) low = middle;
    else high = middle;
  }
  const record = table + low * RECORD;
  printk(c`%s+0x%x`, load<u32>(record, 4), address - load<u32>(record));
}
