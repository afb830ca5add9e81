/**
 * A clock without a CPU: tests let the time pass.
 *
 * @module
 */
import { Clock, NS_PER_INSTRUCTION } from "../bus/clock.ts";

/** A clock that stands still until {@link FakeClock.pass} is called. */
export class FakeClock {
  #instructions = 0;
  readonly clock: Clock = new Clock(() => this.#instructions);

  /** Lets `ns` pass (rounded up to whole instructions) and fires what comes due, each at its time. */
  pass(ns: number): void {
    const end = this.clock.now() + ns;
    for (;;) {
      const next = Math.min(end, this.clock.nextDeadlineNs);
      const step = Math.ceil((next - this.clock.now()) / NS_PER_INSTRUCTION);
      if (step > 0) this.#instructions += step;
      this.clock.fire();
      if (next >= end) return;
    }
  }
}
