/**
 * How often translated code changes, by physical address of its blocks.
 *
 * A block that changes again and again stays outside regions of other blocks, which then do not die with it; a region
 * of its own it gets after more and more entries, so that what is written once in a while and run long is translated
 * and what changes all the time costs little. Times are retired instructions; what has not changed for long is
 * forgotten: the page has other code now.
 * @module
 */

/** Retired instructions after which changes are forgotten. */
const FORGET = 20_000_000;
/** Changes after which a block is an exit of the regions around it. */
const UNSTABLE = 2;
/** Thresholds that a block waits at most. */
const MAX_WAIT = 16;

/** Changes of translated code. */
export class CodeChanges {
  readonly #now: () => number;
  readonly #changes = new Map<number, { count: number; last: number }>();

  /** `now`: instructions retired. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A block that was part of a region has changed. */
  changed(physical: number): void {
    const now = this.#now();
    const known = this.#changes.get(physical);
    if (known === undefined || now - known.last > FORGET) {
      this.#changes.set(physical, { count: 1, last: now });
    } else {
      known.count++;
      known.last = now;
    }
  }
  #count(physical: number): number {
    const known = this.#changes.get(physical);
    if (known === undefined) return 0;
    if (this.#now() - known.last <= FORGET) return known.count;
    this.#changes.delete(physical);
    return 0;
  }
  /** True for a block that should not be part of other blocks' regions. */
  unstable(physical: number): boolean {
    return this.#count(physical) >= UNSTABLE;
  }
  /** Times the threshold that a block is to be entered before it is translated, more than the usual once. */
  wait(physical: number): number {
    const count = this.#count(physical);
    return count === 0 ? 0 : Math.min(MAX_WAIT, 2 ** (count - 1)) - 1;
  }
}
