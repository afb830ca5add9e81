/**
 * The latch between the processor's FERR# pin and IRQ 13: an x87 error sets it, a write to port F0h clears it.
 *
 * Sources: IBM PC AT Technical Reference, "Coprocessor controls"; Intel 82371AB (PIIX4) data sheet §4.1.9.5
 * (register CPERR).
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
import type { Wire } from "../bus/wire.ts";

const NAME = "coprocessor error";
const OPEN_BUS = 0xff;

function powerOn() {
  return { error: false };
}

/** Ports F0h and F1h. */
export class CoprocessorError implements Device, Registers {
  readonly #irq: Wire;
  #f = powerOn();

  /** A latch that is clear. */
  constructor(options: { irq: Wire }) {
    this.#irq = options.irq;
  }

  /** FERR# went active. */
  signal(): void {
    this.#set(true);
  }

  reset(): void {
    this.#set(false);
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#set(restoreFields(NAME, 1, powerOn(), saved).error);
  }

  read(_offset: number, _size: Width = 1): number {
    return OPEN_BUS;
  }

  /** Offset 0: clears the latch, whatever the value. Offset 1 reset a 287 and does nothing since. */
  write(offset: number, _size: Width, _value: number): void {
    if (offset === 0) this.#set(false);
  }

  #set(error: boolean): void {
    this.#f.error = error;
    this.#irq.set(error);
  }
}
