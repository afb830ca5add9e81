/**
 * High precision event timer: a main counter of 64 bits at 100 MHz, three comparators, the first two of
 * which can take the place of the 8254 and of the real-time clock.
 *
 * Registers: 1 KiB; doubleword accesses, aligned (a quadword is two of them, which is all that an i386 does).
 * Smaller ones read the bytes and write nothing. There is no front-side bus delivery.
 *
 * Sources: IA-PC HPET specification 1.0a, §2.3 "Register definitions".
 *
 * @module
 */
import type { Clock, Timer } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";

const NAME = "HPET";

/** Bytes of address space. */
export const HPET_BYTES = 0x400;
/** Low word of the capabilities: Intel, legacy replacement, 64 bits, three timers, revision 1. */
export const HPET_ID = 0x8086a201;
/** The main counter's period. */
const TICK_NS = 10;
const PERIOD_FEMTOSECONDS = TICK_NS * 1_000_000;
const TIMERS = 3;
const TWO_32 = 0x100000000;

const REGISTER = { ID: 0x00, PERIOD: 0x04, CONFIG: 0x10, STATUS: 0x20, COUNTER: 0xf0 } as const;
const FIRST_TIMER = 0x100;
const TIMER_STRIDE = 0x20;
const TIMER_REGISTER = { CONFIG: 0x00, ROUTES: 0x04, COMPARATOR: 0x08 } as const;

const CONFIG_ENABLE = 1;
const CONFIG_LEGACY = 2;
const TIMER_LEVEL = 0x0002;
const TIMER_ENABLE = 0x0004;
const TIMER_PERIODIC = 0x0008;
const TIMER_PERIODIC_CAPABLE = 0x0010;
const TIMER_64_CAPABLE = 0x0020;
const TIMER_VALUE_SET = 0x0040;
const TIMER_32_MODE = 0x0100;
/** INT_TYPE, INT_ENB, TYPE, 32MODE, INT_ROUTE; VAL_SET is no storage. */
const TIMER_WRITABLE = 0x3f0e;

/** Interrupt lines by number that each comparator can have: I/O APIC pins 20–23, the last also 11. */
const ROUTES = [0x00f00000, 0x00f00000, 0x00f00800] as const;

interface Comparator {
  config: number;
  /** The comparator, two words. */
  low: number;
  high: number;
  /** What a periodic comparator adds: the last value written. */
  periodLow: number;
  periodHigh: number;
  /** The next write sets a periodic comparator itself. */
  valueSet: boolean;
  /** The level of its interrupt line. */
  output: boolean;
}

function comparator(): Comparator {
  return {
    config: 0,
    low: 0xffffffff,
    high: 0xffffffff,
    periodLow: 0,
    periodHigh: 0,
    valueSet: false,
    output: false,
  };
}

function powerOn() {
  return {
    config: 0,
    status: 0,
    /** The counter when it was last set, started or stopped. */
    low: 0,
    high: 0,
    /** When that was, ns. */
    sinceNs: 0,
    timers: Array.from({ length: TIMERS }, comparator),
  };
}

/** Two words as a 64-bit number, and back. */
function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** The HPET. */
export class Hpet implements Device, Registers {
  readonly #clock: Clock;
  readonly #setLine: (line: number, asserted: boolean) => void;
  readonly #legacy: (timer: 0 | 1, asserted: boolean) => void;
  readonly #replace: (on: boolean) => void;
  readonly #timers: readonly Timer[];
  #f = powerOn();

  /**
   * One that stands still.
   *
   * @param options.setLine drives an interrupt line, by I/O APIC pin.
   * @param options.legacy drives IRQ 0 (timer 0) or IRQ 8 (timer 1) in legacy replacement mode.
   * @param options.replace whether the 8254 and the real-time clock are cut off from those lines.
   */
  constructor(options: {
    clock: Clock;
    setLine: (line: number, asserted: boolean) => void;
    legacy: (timer: 0 | 1, asserted: boolean) => void;
    replace: (on: boolean) => void;
  }) {
    this.#clock = options.clock;
    this.#setLine = options.setLine;
    this.#legacy = options.legacy;
    this.#replace = options.replace;
    this.#timers = Array.from(
      { length: TIMERS },
      (_, index) => options.clock.timer(() => this.#match(index)),
    );
  }

  reset(): void {
    for (let index = 0; index < TIMERS; index++) this.#drive(index, false);
    this.#f = powerOn();
    this.#replace(false);
    this.#armAll();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(NAME, 1, powerOn(), saved);
    if (fields.timers.length !== TIMERS) {
      throw new TypeError(`Cannot restore "${NAME}": not ${TIMERS} timers`);
    }
    for (let index = 0; index < TIMERS; index++) this.#drive(index, false);
    this.#f = fields;
    this.#replace(this.#isLegacy);
    fields.timers.forEach(({ output }, index) => this.#drive(index, output));
    this.#armAll();
  }

  get #running(): boolean {
    return (this.#f.config & CONFIG_ENABLE) !== 0;
  }

  get #isLegacy(): boolean {
    return (this.#f.config & CONFIG_LEGACY) !== 0;
  }

  // ---- the main counter -----------------------------------------------------------------------------

  /** Ticks since the counter was set. */
  #elapsed(): number {
    return this.#running ? Math.floor((this.#clock.now() - this.#f.sinceNs) / TICK_NS) : 0;
  }

  #counterLow(): number {
    return (this.#f.low + this.#elapsed() % TWO_32) % TWO_32;
  }

  #counterHigh(): number {
    const elapsed = this.#elapsed();
    const carry = this.#f.low + elapsed % TWO_32 >= TWO_32 ? 1 : 0;
    return (this.#f.high + Math.floor(elapsed / TWO_32) + carry) % TWO_32;
  }

  /** Makes the present count the one that is counted on from; whole ticks stay whole. */
  #latch(): void {
    const f = this.#f;
    const [low, high] = [this.#counterLow(), this.#counterHigh()];
    const elapsed = this.#elapsed();
    f.low = low;
    f.high = high;
    f.sinceNs = this.#running ? f.sinceNs + elapsed * TICK_NS : this.#clock.now();
  }

  // ---- comparators ----------------------------------------------------------------------------------

  #timer(index: number): Comparator {
    return this.#f.timers[index] as Comparator;
  }

  /** Ticks until comparator `index` matches; 0 when it does now. Above 2^53 not exact. */
  #ticksToMatch(index: number): number {
    const t = this.#timer(index);
    const low = (t.low - this.#counterLow()) % TWO_32;
    if ((t.config & TIMER_32_MODE) !== 0) return low < 0 ? low + TWO_32 : low;
    const difference = wide(t.low, t.high) - wide(this.#counterLow(), this.#counterHigh());
    return Number(BigInt.asUintN(64, difference));
  }

  #armAll(): void {
    for (let index = 0; index < TIMERS; index++) this.#arm(index);
  }

  /** Arms comparator `index` for its next match. @param after ticks from now that are too early. */
  #arm(index: number, after = 0): void {
    const timer = this.#timers[index] as Timer;
    const { config } = this.#timer(index);
    // Without an interrupt only a periodic comparator changes, and that is read back by nobody in a hurry.
    const wanted = (config & (TIMER_ENABLE | TIMER_PERIODIC)) !== 0;
    let ticks = this.#ticksToMatch(index);
    if (ticks < after) {
      ticks = (config & TIMER_32_MODE) !== 0 ? ticks + TWO_32 : Infinity;
    }
    if (!this.#running || !wanted || ticks > Number.MAX_SAFE_INTEGER / TICK_NS) timer.cancel();
    else timer.arm(this.#f.sinceNs + (this.#elapsed() + ticks) * TICK_NS);
  }

  #match(index: number): void {
    const t = this.#timer(index);
    const f = this.#f;
    if ((t.config & TIMER_PERIODIC) !== 0) {
      this.#addPeriod(index);
    }
    this.#arm(index, 1);
    if ((t.config & TIMER_ENABLE) === 0) return;
    if ((t.config & TIMER_LEVEL) !== 0) {
      f.status |= 1 << index;
      this.#driveLevel(index);
    } else {
      // An edge: the 8259A wants the level to stay until it is acknowledged.
      this.#drive(index, false);
      this.#drive(index, true);
    }
  }

  /** §2.3.9.2: the period is added at each match; matches that nobody saw in between are passed over. */
  #addPeriod(index: number): void {
    const t = this.#timer(index);
    const bits = (t.config & TIMER_32_MODE) !== 0 ? 32 : 64;
    const period = BigInt.asUintN(bits, wide(t.periodLow, t.periodHigh));
    if (period === 0n) return;
    const now = wide(this.#counterLow(), this.#counterHigh());
    const late = BigInt.asUintN(bits, now - wide(t.low, t.high));
    const next = wide(t.low, t.high) + period * (late / period + 1n);
    t.low = Number(BigInt.asUintN(32, next));
    if (bits === 64) t.high = Number(BigInt.asUintN(32, next >> 32n));
  }

  /** Drives the line that the comparator has now. */
  #drive(index: number, asserted: boolean): void {
    const t = this.#timer(index);
    t.output = asserted;
    if (this.#isLegacy && index < 2) {
      this.#legacy(index as 0 | 1, asserted);
      return;
    }
    const line = (t.config >> 9) & 31;
    if ((((ROUTES[index] as number) >>> line) & 1) !== 0) this.#setLine(line, asserted);
  }

  #driveLevel(index: number): void {
    const { config } = this.#timer(index);
    const on = (config & TIMER_LEVEL) !== 0 && (config & TIMER_ENABLE) !== 0 &&
      (this.#f.status & (1 << index)) !== 0;
    this.#drive(index, on);
  }

  // ---- registers --------------------------------------------------------------------------------------

  read(offset: number, size: Width): number {
    const value = this.#read(offset & ~3);
    if (size === 4) return value >>> 0;
    return (value >>> (8 * (offset & 3))) & (size === 2 ? 0xffff : 0xff);
  }

  #read(offset: number): number {
    const f = this.#f;
    switch (offset) {
      case REGISTER.ID:
        return HPET_ID;
      case REGISTER.PERIOD:
        return PERIOD_FEMTOSECONDS;
      case REGISTER.CONFIG:
        return f.config;
      case REGISTER.STATUS:
        return f.status;
      case REGISTER.COUNTER:
        return this.#counterLow();
      case REGISTER.COUNTER + 4:
        return this.#counterHigh();
      default:
        return this.#readTimer(offset);
    }
  }

  #readTimer(offset: number): number {
    const index = Math.floor((offset - FIRST_TIMER) / TIMER_STRIDE);
    if (index < 0 || index >= TIMERS) return 0;
    const t = this.#timer(index);
    switch ((offset - FIRST_TIMER) % TIMER_STRIDE) {
      case TIMER_REGISTER.CONFIG:
        return t.config | TIMER_PERIODIC_CAPABLE | TIMER_64_CAPABLE;
      case TIMER_REGISTER.ROUTES:
        return ROUTES[index] as number;
      case TIMER_REGISTER.COMPARATOR:
        return t.low;
      case TIMER_REGISTER.COMPARATOR + 4:
        // §2.3.9.2.1: a timer of 32 bits has no upper half.
        return (t.config & TIMER_32_MODE) !== 0 ? 0 : t.high;
      default:
        return 0;
    }
  }

  write(offset: number, size: Width, value: number): void {
    if (size !== 4 || (offset & 3) !== 0) return;
    const f = this.#f;
    switch (offset) {
      case REGISTER.CONFIG:
        this.#configure(value);
        return;
      case REGISTER.STATUS: // ones clear
        f.status &= ~value;
        for (let index = 0; index < TIMERS; index++) {
          if ((this.#timer(index).config & TIMER_LEVEL) !== 0) this.#driveLevel(index);
        }
        return;
      case REGISTER.COUNTER:
        this.#latch();
        f.low = value >>> 0;
        this.#armAll();
        return;
      case REGISTER.COUNTER + 4:
        this.#latch();
        f.high = value >>> 0;
        this.#armAll();
        return;
      default:
        this.#writeTimer(offset, value);
    }
  }

  #configure(value: number): void {
    const f = this.#f;
    this.#latch();
    const config = value & (CONFIG_ENABLE | CONFIG_LEGACY);
    if (((config ^ f.config) & CONFIG_LEGACY) !== 0) {
      for (const index of [0, 1]) this.#drive(index, false);
      f.config = config;
      this.#replace(this.#isLegacy);
      for (const index of [0, 1]) this.#driveLevel(index);
    }
    f.config = config;
    this.#armAll();
  }

  #writeTimer(offset: number, value: number): void {
    const index = Math.floor((offset - FIRST_TIMER) / TIMER_STRIDE);
    if (index < 0 || index >= TIMERS) return;
    const t = this.#timer(index);
    switch ((offset - FIRST_TIMER) % TIMER_STRIDE) {
      case TIMER_REGISTER.CONFIG:
        this.#drive(index, false);
        t.config = value & TIMER_WRITABLE;
        t.valueSet = (value & TIMER_VALUE_SET) !== 0;
        this.#driveLevel(index);
        break;
      case TIMER_REGISTER.COMPARATOR:
        if ((t.config & TIMER_PERIODIC) === 0 || t.valueSet) t.low = value >>> 0;
        t.periodLow = value >>> 0;
        t.valueSet = false;
        break;
      case TIMER_REGISTER.COMPARATOR + 4:
        if ((t.config & TIMER_32_MODE) !== 0) return;
        if ((t.config & TIMER_PERIODIC) === 0 || t.valueSet) t.high = value >>> 0;
        t.periodHigh = value >>> 0;
        t.valueSet = false;
        break;
      default:
        return;
    }
    this.#arm(index);
  }
}
