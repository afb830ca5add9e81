/**
 * The PC's system control port B (port 61h): gate and output of timer 2, speaker, refresh toggle.
 *
 * Sources: IBM PC AT Technical Reference; 82371SB (PIIX3) §2.5.13 "NMISC".
 *
 * @module
 */
import { type Clock, ticksIn } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";

const NAME = "system control B";
const GATE2 = 0x01;
const WRITABLE = 0x0f;
const REFRESH = 0x10;
const OUT2 = 0x20;
/** Refresh requests: one each 15.085 µs, bit 4 toggles with each. */
const REFRESH_HZ = 66_291;

function powerOn() {
  return { bits: 0 };
}

/** Port 61h. */
export class SystemControlB implements Device, Registers {
  readonly #clock: Clock;
  readonly #setGate: (high: boolean) => void;
  readonly #output: () => boolean;
  #f = powerOn();

  /**
   * @param options.setGate drives GATE 2 of the timer.
   * @param options.output reads OUT 2 of the timer.
   */
  constructor(options: { clock: Clock; setGate: (high: boolean) => void; output: () => boolean }) {
    this.#clock = options.clock;
    this.#setGate = options.setGate;
    this.#output = options.output;
  }

  /** Whether the speaker sounds: its data bit and OUT 2. */
  get speaker(): boolean {
    return (this.#f.bits & 2) !== 0 && this.#output();
  }

  reset(): void {
    this.#f = powerOn();
    this.#setGate(false);
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#setGate((this.#f.bits & GATE2) !== 0);
  }

  read(_offset: number, _size: Width = 1): number {
    const refresh = ticksIn(this.#clock.now(), REFRESH_HZ) % 2 !== 0;
    return this.#f.bits | (refresh ? REFRESH : 0) | (this.#output() ? OUT2 : 0);
  }

  write(_offset: number, _size: Width, value: number): void {
    this.#f.bits = value & WRITABLE;
    this.#setGate((value & GATE2) !== 0);
  }
}
