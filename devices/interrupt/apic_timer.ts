/**
 * The local APIC's timer: counts down from the initial count, once or again and again.
 *
 * It is armed at the machine's clock only while its interrupt is wanted; the count is worked out when it
 * is read.
 *
 * Sources: SDM vol. 3A §11.5.4 "APIC timer".
 *
 * @module
 */
import type { Clock, Timer } from "../bus/clock.ts";

/** The bus clock: 100 MHz. */
export const APIC_TIMER_NS = 10;
/** `expiryNs` of a timer that stands. */
const STOPPED = -1;

/** Divisors by bits 0, 1 and 3 of the divide configuration register. */
const DIVISORS = [2, 4, 8, 16, 32, 64, 128, 1] as const;

/** The timer's state. */
export interface ApicTimerFields {
  initial: number;
  divide: number;
  periodic: boolean;
  masked: boolean;
  /** When the count reaches zero (next), in ns of virtual time; -1 while it stands. */
  expiryNs: number;
}

function powerOn(): ApicTimerFields {
  return { initial: 0, divide: 0, periodic: false, masked: true, expiryNs: STOPPED };
}

/** The counter. */
export class ApicTimer {
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #expired: () => void;
  #f = powerOn();

  /** @param options.expired the count reached zero and the interrupt is not masked. */
  constructor(options: { clock: Clock; expired: () => void }) {
    this.#clock = options.clock;
    this.#expired = options.expired;
    this.#timer = options.clock.timer(() => this.#fire());
  }

  /** Stops, masked. */
  reset(): void {
    this.#f = powerOn();
    this.#timer.cancel();
  }

  /** The pattern of saved fields. */
  powerOn(): ApicTimerFields {
    return powerOn();
  }

  /** The fields. */
  save(): ApicTimerFields {
    return { ...this.#f };
  }

  /** Puts fields back. */
  restore(fields: ApicTimerFields): void {
    this.#f = { ...fields };
    this.#arm();
  }

  get #tickNs(): number {
    const { divide } = this.#f;
    return APIC_TIMER_NS * (DIVISORS[(divide & 3) | ((divide & 8) >> 1)] as number);
  }

  /** The initial count register. Writing it starts the count; zero stops it. */
  get initial(): number {
    return this.#f.initial;
  }

  set initial(value: number) {
    const f = this.#f;
    f.initial = value;
    f.expiryNs = value === 0 ? STOPPED : this.#clock.now() + value * this.#tickNs;
    this.#arm();
  }

  /** The current count register. */
  current(): number {
    const f = this.#f;
    this.#advance();
    if (f.expiryNs === STOPPED) return 0;
    return Math.max(0, Math.ceil((f.expiryNs - this.#clock.now()) / this.#tickNs));
  }

  /** The divide configuration register. A count goes on at the new speed. */
  get divideRegister(): number {
    return this.#f.divide;
  }

  set divideRegister(value: number) {
    const f = this.#f;
    const left = this.current();
    f.divide = value & 0xb;
    if (f.expiryNs !== STOPPED) f.expiryNs = this.#clock.now() + left * this.#tickNs;
    this.#arm();
  }

  /** What the local vector table says. */
  configure(mode: { periodic: boolean; masked: boolean }): void {
    this.#advance();
    this.#f.periodic = mode.periodic;
    this.#f.masked = mode.masked;
    this.#arm();
  }

  /** Takes the expiries that went by without an interrupt. */
  #advance(): void {
    const f = this.#f;
    const now = this.#clock.now();
    if (f.expiryNs === STOPPED || f.expiryNs > now) return;
    if (this.#timer.deadlineNs !== undefined) return; // the callback is about to come
    this.#next(now);
  }

  #next(now: number): void {
    const f = this.#f;
    if (!f.periodic || f.initial === 0) {
      f.expiryNs = STOPPED;
      return;
    }
    const periodNs = f.initial * this.#tickNs;
    f.expiryNs += periodNs * (Math.floor((now - f.expiryNs) / periodNs) + 1);
  }

  #fire(): void {
    this.#next(this.#clock.now());
    this.#arm();
    this.#expired();
  }

  #arm(): void {
    const f = this.#f;
    if (f.masked || f.expiryNs === STOPPED) this.#timer.cancel();
    else this.#timer.arm(f.expiryNs);
  }
}
