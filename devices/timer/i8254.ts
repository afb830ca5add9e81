/**
 * 8254 programmable interval timer: three counters, latch and read-back commands.
 *
 * Registers: offsets 0–2 the counters, 3 the control word. The input clock is the PC's
 * 14.31818 MHz / 12.
 *
 * Sources: Intel 82C54 data sheet (231244-006).
 *
 * @module
 */
import { type Clock, nsOfTick, ticksIn, type Timer } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { Wire } from "../bus/wire.ts";
import {
  counterOutput,
  counterPowerOn,
  latchCount,
  latchStatus,
  nextOutputChange,
  readCounter,
  setGate,
  writeControl,
  writeCount,
} from "./i8254_counter.ts";

/** Input clock of a PC's 8254 in Hz. */
export const PIT_HZ = 1_193_182;
const NAME = "8254";
const READ_BACK = 3;

function powerOn() {
  return { counters: [counterPowerOn(), counterPowerOn(), { ...counterPowerOn(), gate: false }] };
}

/** An 8254. */
export class I8254 implements Device, Registers {
  readonly #clock: Clock;
  readonly #out0: Wire;
  readonly #timer: Timer;
  #f = powerOn();

  /**
   * A timer whose counters do not run.
   *
   * @param options.out0 the OUT pin of counter 0 (IRQ 0).
   */
  constructor(options: { clock: Clock; out0: Wire }) {
    this.#clock = options.clock;
    this.#out0 = options.out0;
    this.#timer = options.clock.timer(() => this.#update(this.#timer.deadlineNs ?? 0));
  }

  reset(): void {
    this.#f = powerOn();
    this.#update();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(NAME, 1, powerOn(), saved);
    if (fields.counters.length !== 3) throw new TypeError('Cannot restore "8254": not 3 counters');
    this.#f = fields;
    this.#update();
  }

  read(offset: number, _size: Width = 1): number {
    const index = offset & 3;
    if (index === 3) return 0xff; // the control word cannot be read
    return readCounter(this.#f.counters[index], this.#ticks());
  }

  write(offset: number, _size: Width, value: number): void {
    const index = offset & 3;
    const now = this.#ticks();
    if (index !== 3) {
      writeCount(this.#f.counters[index], value & 0xff, now);
    } else if (((value >> 6) & 3) === READ_BACK) {
      for (let i = 0; i < 3; i++) {
        if ((value & (2 << i)) === 0) continue;
        if ((value & 0x20) === 0) latchCount(this.#f.counters[i], now);
        if ((value & 0x10) === 0) latchStatus(this.#f.counters[i], now);
      }
      return;
    } else {
      const counter = this.#f.counters[(value >> 6) & 3];
      if ((value & 0x30) === 0) latchCount(counter, now);
      else writeControl(counter, value & 0x3f);
    }
    this.#update();
  }

  /** Drives the GATE input of a counter. */
  setGate(counter: 0 | 1 | 2, high: boolean): void {
    setGate(this.#f.counters[counter], high, this.#ticks());
    this.#update();
  }

  /** The OUT pin of a counter. */
  output(counter: 0 | 1 | 2): boolean {
    return counterOutput(this.#f.counters[counter], this.#ticks());
  }

  #ticks(): number {
    return ticksIn(this.#clock.now(), PIT_HZ);
  }

  /** Drives OUT 0 and arms the timer for its next edge. */
  #update(firedNs?: number): void {
    // Instructions are coarser than ns: an edge is taken at the tick it belongs to.
    const now = firedNs === undefined ? this.#ticks() : ticksIn(firedNs, PIT_HZ);
    const counter = this.#f.counters[0];
    this.#out0.set(counterOutput(counter, now));
    const next = nextOutputChange(counter, now);
    if (next === Infinity) this.#timer.cancel();
    else this.#timer.arm(nsOfTick(next, PIT_HZ));
  }
}
