/**
 * PCI configuration mechanism 1: the address register at CF8h, the data window at CFCh, and the reset
 * control register that PIIX3 puts at CF9h.
 *
 * Registers: offsets 0–7 from port CF8h. Only a 32-bit access reaches the address register (PCI 2.1
 * §3.2.2.3.2). Buses other than 0 and functions that are not there read all ones.
 *
 * @module
 */
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { PciFunction } from "./function.ts";

const NAME = "PCI configuration";
const ENABLE = 0x80000000;
const ADDRESS_MASK = 0x80fffffc;
const RESET_SYSTEM = 0x02;
const RESET_CPU = 0x04;

function powerOn() {
  return { address: 0, resetControl: 0 };
}

/** A device and function number of bus 0. */
export function deviceFunction(device: number, fn: number): number {
  return (device << 3) | fn;
}

/** The configuration ports. */
export class PciConfiguration implements Device, Registers {
  readonly #functions = new Map<number, PciFunction>();
  readonly #resetLine: () => void;
  #f = powerOn();

  /**
   * A bus without functions.
   *
   * @param options.resetLine called when the guest resets the machine.
   */
  constructor(options: { resetLine: () => void }) {
    this.#resetLine = options.resetLine;
  }

  /**
   * Puts a function on bus 0.
   *
   * @throws {RangeError} when the place is taken.
   */
  insert(place: number, fn: PciFunction): void {
    if (this.#functions.has(place)) {
      throw new RangeError(
        `Cannot insert a PCI function at ${place >> 3}.${place & 7}: it is taken`,
      );
    }
    this.#functions.set(place, fn);
  }

  reset(): void {
    this.#f = powerOn();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
  }

  read(offset: number, size: Width): number {
    const f = this.#f;
    if (offset < 4) {
      if (size === 4 && offset === 0) return f.address >>> 0;
      return offset === 1 && size === 1 ? f.resetControl : 0xffffffff;
    }
    const fn = this.#target();
    if (fn === undefined) return 0xffffffff;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      value = (value << 8) | fn.readConfig((f.address & 0xfc) + ((offset + i) & 3));
    }
    return value >>> 0;
  }

  write(offset: number, size: Width, value: number): void {
    const f = this.#f;
    if (offset < 4) {
      if (size === 4 && offset === 0) f.address = (value & ADDRESS_MASK) >>> 0;
      else if (offset === 1 && size === 1) this.#writeReset(value);
      return;
    }
    const fn = this.#target();
    if (fn === undefined) return;
    for (let i = 0; i < size; i++) {
      fn.writeConfig((f.address & 0xfc) + ((offset + i) & 3), (value >>> (8 * i)) & 0xff);
    }
  }

  #writeReset(value: number): void {
    const rising = (value & RESET_CPU) !== 0 && (this.#f.resetControl & RESET_CPU) === 0;
    this.#f.resetControl = value & (RESET_SYSTEM | RESET_CPU);
    if (rising) this.#resetLine();
  }

  #target(): PciFunction | undefined {
    const { address } = this.#f;
    if ((address & ENABLE) === 0 || ((address >> 16) & 0xff) !== 0) return undefined;
    return this.#functions.get((address >> 8) & 0xff);
  }
}
