/**
 * The machine's time and its timers. Time is counted in the guest's instructions, so the same run has
 * the same times; while the CPU is halted it is skipped forward. The host's time is not known here.
 *
 * Timers that fall on the same nanosecond fire in the order in which they were armed.
 *
 * @module
 */
import { restoreFields, type Saved, saveFields } from "./device.ts";

/** Virtual ns that one instruction takes: a machine of 100 MIPS. */
export const NS_PER_INSTRUCTION = 10;
const NS_PER_SECOND = 1_000_000_000;

/** Whole ticks of a `hz` oscillator in `ns`; exact while both fit 2^53 (hz at most 9 MHz). */
export function ticksIn(ns: number, hz: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * hz + Math.floor((ns - seconds * NS_PER_SECOND) * hz / NS_PER_SECOND);
}

/** The first ns in which {@link ticksIn} gives `ticks`. */
export function nsOfTick(ticks: number, hz: number): number {
  const seconds = Math.floor(ticks / hz);
  return seconds * NS_PER_SECOND + Math.ceil((ticks - seconds * hz) * NS_PER_SECOND / hz);
}

/** A timer: calls back once when its time has come. */
export interface Timer {
  /** The time it is armed for, in ns; `undefined` when it is not. Inside the callback: the time it fired for. */
  readonly deadlineNs: number | undefined;
  /** Arms it for `atNs` (virtual time; the past means at once), anew when it was armed. */
  arm(atNs: number): void;
  /** Disarms it. */
  cancel(): void;
}

class ClockTimer implements Timer {
  readonly callback: () => void;
  readonly #clock: Clock;
  deadlineNs: number | undefined = undefined;
  armed = false;
  sequence = 0;

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock;
    this.callback = callback;
  }

  arm(atNs: number): void {
    this.cancel();
    this.deadlineNs = atNs;
    this.#clock.insert(this);
  }

  cancel(): void {
    if (this.armed) this.#clock.remove(this);
    this.deadlineNs = undefined;
  }
}

/** The machine's clock. */
export class Clock {
  readonly #instructions: () => number;
  #skippedNs = 0;
  #sequence = 0;
  /** Armed timers, the next one last. A machine has a dozen: a sorted list beats a heap. */
  readonly #armed: ClockTimer[] = [];
  #onEarlier: (() => void) | undefined;

  /** A clock that reads the CPU's instruction counter. */
  constructor(instructions: () => number) {
    this.#instructions = instructions;
  }

  /** Virtual ns since power-on; an integer. */
  now(): number {
    return this.#instructions() * NS_PER_INSTRUCTION + this.#skippedNs;
  }

  /** A new timer, not armed. */
  timer(callback: () => void): Timer {
    return new ClockTimer(this, callback);
  }

  /** When the next timer is due, in ns; `Infinity` without one. */
  get nextDeadlineNs(): number {
    return this.#armed.at(-1)?.deadlineNs ?? Infinity;
  }

  /** `callback` hears when a timer is armed before all others: the CPU has to stop sooner. */
  onEarlier(callback: () => void): void {
    this.#onEarlier = callback;
  }

  /** Lets time pass without instructions up to `atNs` (the CPU is halted). Never goes back. */
  skipTo(atNs: number): void {
    const now = this.now();
    if (atNs > now) this.#skippedNs += Math.ceil(atNs) - now;
  }

  /** Calls back every timer that is due, in order. Returns how many. */
  fire(): number {
    let fired = 0;
    for (;;) {
      const timer = this.#armed.at(-1);
      if (timer === undefined || timer.deadlineNs === undefined) return fired;
      if (timer.deadlineNs > this.now()) return fired;
      this.#armed.pop();
      timer.armed = false;
      fired++;
      timer.callback();
      // A callback that armed its timer anew has a new deadline; otherwise it has none.
      if (!timer.armed) timer.deadlineNs = undefined;
    }
  }

  /** @internal Used by the timers. */
  insert(timer: Timer): void {
    const entry = timer as ClockTimer;
    entry.sequence = this.#sequence++;
    entry.armed = true;
    const at = entry.deadlineNs ?? 0;
    let index = this.#armed.length;
    // Behind all that are due earlier or at the same time: those stand nearer to the end.
    while (index > 0 && (this.#armed[index - 1].deadlineNs ?? 0) <= at) index--;
    this.#armed.splice(index, 0, entry);
    if (index === this.#armed.length - 1) this.#onEarlier?.();
  }

  /** @internal Used by the timers. */
  remove(timer: Timer): void {
    const entry = timer as ClockTimer;
    const index = this.#armed.indexOf(entry);
    if (index >= 0) this.#armed.splice(index, 1);
    entry.armed = false;
  }

  /** The time that was skipped; timers belong to the chips that armed them. */
  save(): Saved {
    return saveFields("clock", 1, { skippedNs: this.#skippedNs });
  }

  /** Puts a saved time back. The chips arm their timers when they are restored. */
  restore(saved: Saved): void {
    this.#skippedNs = restoreFields("clock", 1, { skippedNs: 0 }, saved).skippedNs;
  }
}
