/**
 * MC146818 real-time clock with CMOS memory: time, alarm, periodic and update-ended interrupts, 128
 * bytes behind an index and a data register.
 *
 * Registers: offset 0 the index (write-only; bit 7 is the board's NMI mask), 1 the data. The time is
 * brought up to date when it is looked at; timers run only for interrupts that are enabled, so an idle
 * machine stays idle. The daylight-saving bit (B.DSE) is kept and has no effect, as on chips since the
 * DS12885.
 *
 * Sources: Motorola MC146818 data sheet (1988), "Time, calendar and alarm locations", "Registers";
 * century in byte 32h as IBM's AT firmware has it.
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
  alarmMatches,
  type Coding,
  DAY_SECONDS,
  readTime,
  timeOfDay,
  writeTime,
} from "./mc146818_calendar.ts";

const NAME = "MC146818";
const NS_PER_SECOND = 1_000_000_000;
const OSCILLATOR_HZ = 32_768;
/** UIP rises 244 µs before an update, which takes 1984 µs (data sheet, "Update cycle"). */
const UPDATE_NS = 244_000 + 1_984_000;

const REGISTER_A = 10;
const REGISTER_B = 11;
const REGISTER_C = 12;
const REGISTER_D = 13;
const A_UIP = 0x80;
const B_SET = 0x80;
const B_PIE = 0x40;
const B_AIE = 0x20;
const B_UIE = 0x10;
const B_SQWE = 0x08;
const B_DM = 0x04;
const B_24 = 0x02;
const C_IRQF = 0x80;
const C_PF = 0x40;
const C_AF = 0x20;
const C_UF = 0x10;
const D_VRT = 0x80;
const SIZE = 128;

function powerOn(seconds: number) {
  const cmos = new Array<number>(SIZE).fill(0);
  cmos[REGISTER_A] = 0x26; // 32.768 kHz, 1024 Hz
  cmos[REGISTER_B] = B_24;
  writeTime(cmos, seconds, { binary: false, hours24: true });
  return {
    index: 0,
    /** Bit 7 of the index port: the board keeps NMI from the processor. */
    nmiMasked: false,
    cmos,
    flags: 0,
    /** When the next update ends. */
    updateNs: NS_PER_SECOND,
    /** When the divider chain was started: the phase of the periodic interrupt. */
    dividerNs: 0,
    /** Periods since then that have been seen. */
    periods: 0,
  };
}

/** An MC146818. */
export class Mc146818 implements Device, Registers {
  readonly #clock: Clock;
  readonly #irq: Wire;
  readonly #timer: Timer;
  readonly #startSeconds: number;
  #f: ReturnType<typeof powerOn>;

  /**
   * A clock that tells the time.
   *
   * @param options.timeMs the time at power-on, in ms since 1970.
   * @param options.irq IRQ output, high while a request stands.
   */
  constructor(options: { clock: Clock; irq: Wire; timeMs: number }) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#startSeconds = Math.floor(options.timeMs / 1000);
    this.#f = powerOn(this.#startSeconds);
    this.#timer = options.clock.timer(() => this.#update());
  }

  /** The RESET pin: interrupts and the square wave off; time and memory have a battery. */
  reset(): void {
    const f = this.#f;
    this.#advance();
    f.cmos[REGISTER_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    f.flags = 0;
    f.index = 0;
    f.nmiMasked = false;
    this.#update();
  }

  save(): Saved {
    this.#advance();
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(NAME, 1, powerOn(this.#startSeconds), saved);
    if (fields.cmos.length !== SIZE) {
      throw new TypeError(`Cannot restore "${NAME}": not ${SIZE} bytes`);
    }
    this.#f = fields;
    this.#update();
  }

  /** Whether the board keeps NMI from the processor. */
  get nmiMasked(): boolean {
    return this.#f.nmiMasked;
  }

  /** The CMOS memory, for the firmware that describes the machine in it: byte `index`, 14–127. */
  setByte(index: number, value: number): void {
    this.#f.cmos[index & 0x7f] = value & 0xff;
  }

  read(offset: number, _size: Width = 1): number {
    if ((offset & 1) === 0) return 0xff;
    const f = this.#f;
    this.#advance();
    switch (f.index) {
      case REGISTER_A:
        return f.cmos[REGISTER_A] | (this.#updating() ? A_UIP : 0);
      case REGISTER_C: {
        const flags = f.flags | (this.#requested() ? C_IRQF : 0);
        f.flags = 0;
        this.#update();
        return flags;
      }
      case REGISTER_D:
        return D_VRT;
      default:
        return f.cmos[f.index];
    }
  }

  write(offset: number, _size: Width, value: number): void {
    const f = this.#f;
    if ((offset & 1) === 0) {
      f.index = value & 0x7f;
      f.nmiMasked = (value & 0x80) !== 0;
      return;
    }
    this.#advance();
    switch (f.index) {
      case REGISTER_A:
        this.#writeA(value & 0x7f);
        break;
      case REGISTER_B:
        // Setting SET clears UIE (data sheet, "SET").
        f.cmos[REGISTER_B] = (value & B_SET) !== 0 ? value & 0xff & ~B_UIE : value & 0xff;
        break;
      case REGISTER_C:
      case REGISTER_D:
        return; // read-only
      default:
        f.cmos[f.index] = value & 0xff;
    }
    this.#update();
  }

  #writeA(value: number): void {
    const f = this.#f;
    const ran = this.#running();
    const rateChanged = (f.cmos[REGISTER_A] & 15) !== (value & 15);
    f.cmos[REGISTER_A] = value;
    const now = this.#clock.now();
    if (!ran && this.#running()) {
      // The first update comes half a second after the divider is let go.
      f.updateNs = now + NS_PER_SECOND / 2;
      f.dividerNs = now;
    }
    if (rateChanged || !ran) f.periods = this.#periodsAt(now);
  }

  #coding(): Coding {
    const b = this.#f.cmos[REGISTER_B];
    return { binary: (b & B_DM) !== 0, hours24: (b & B_24) !== 0 };
  }

  /** Whether the divider runs on the 32.768 kHz crystal that a PC has (DV = 010). */
  #running(): boolean {
    return (this.#f.cmos[REGISTER_A] & 0x70) === 0x20;
  }

  /** Whether updates take place. */
  #counts(): boolean {
    return this.#running() && (this.#f.cmos[REGISTER_B] & B_SET) === 0;
  }

  #updating(): boolean {
    return this.#counts() && this.#f.updateNs - this.#clock.now() <= UPDATE_NS;
  }

  /** Ticks of the 32.768 kHz clock in a period; 0 for none (data sheet, table 5). */
  #periodTicks(): number {
    const rate = this.#f.cmos[REGISTER_A] & 15;
    if (rate === 0 || !this.#running()) return 0;
    return rate < 3 ? 64 << rate : 1 << (rate - 1);
  }

  #periodsAt(ns: number): number {
    const ticks = this.#periodTicks();
    if (ticks === 0) return 0;
    return Math.floor(ticksIn(Math.max(0, ns - this.#f.dividerNs), OSCILLATOR_HZ) / ticks);
  }

  /** Brings time and flags up to now. */
  #advance(): void {
    const f = this.#f;
    const now = this.#clock.now();
    const periods = this.#periodsAt(now);
    if (periods > f.periods) {
      f.flags |= C_PF;
      f.periods = periods;
    }
    if (!this.#running() || now < f.updateNs) return;
    const seconds = Math.floor((now - f.updateNs) / NS_PER_SECOND) + 1;
    f.updateNs += seconds * NS_PER_SECOND;
    if ((f.cmos[REGISTER_B] & B_SET) !== 0) return;
    const coding = this.#coding();
    const start = timeOfDay(f.cmos, coding);
    writeTime(f.cmos, readTime(f.cmos, coding) + seconds, coding);
    f.flags |= C_UF;
    for (let i = 1; i <= Math.min(seconds, DAY_SECONDS); i++) {
      if (!alarmMatches(f.cmos, (start + i) % DAY_SECONDS, coding)) continue;
      f.flags |= C_AF;
      break;
    }
  }

  #requested(): boolean {
    return (this.#f.flags & this.#f.cmos[REGISTER_B] & (C_PF | C_AF | C_UF)) !== 0;
  }

  /** Drives IRQ and arms the timer for the next event that can raise it. */
  #update(): void {
    const f = this.#f;
    this.#advance();
    this.#irq.set(this.#requested());
    if (this.#requested()) {
      this.#timer.cancel(); // nothing more to say until register C is read
      return;
    }
    let next = Infinity;
    const enabled = f.cmos[REGISTER_B];
    const period = this.#periodTicks();
    if ((enabled & B_PIE) !== 0 && period !== 0) {
      next = f.dividerNs + nsOfTick((f.periods + 1) * period, OSCILLATOR_HZ);
    }
    if ((enabled & (B_AIE | B_UIE)) !== 0 && this.#counts()) next = Math.min(next, f.updateNs);
    if (next === Infinity) this.#timer.cancel();
    else this.#timer.arm(next);
  }
}
