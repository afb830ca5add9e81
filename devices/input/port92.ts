/**
 * System control port A (port 92h) of a PS/2: fast gate A20 and fast CPU reset.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference, "System control port A".
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

const NAME = "system control A";
const RESET = 0x01;
const A20 = 0x02;

function powerOn() {
  return { bits: A20 };
}

/** Port 92h. */
export class SystemControlA implements Device, Registers {
  readonly #a20: Wire;
  readonly #resetLine: () => void;
  #f = powerOn();

  /** @param options.resetLine called when the guest pulls the CPU's reset. */
  constructor(options: { a20: Wire; resetLine: () => void }) {
    this.#a20 = options.a20;
    this.#resetLine = options.resetLine;
  }

  reset(): void {
    this.#f = powerOn();
    this.#update();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#update();
  }

  read(_offset: number, _size: Width = 1): number {
    return this.#f.bits;
  }

  write(_offset: number, _size: Width, value: number): void {
    const rising = (value & RESET) !== 0 && (this.#f.bits & RESET) === 0;
    this.#f.bits = value & (RESET | A20);
    this.#update();
    if (rising) this.#resetLine();
  }

  #update(): void {
    this.#a20.set((this.#f.bits & A20) !== 0);
  }
}
