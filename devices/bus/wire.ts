/**
 * A wire with two levels: an interrupt request, a gate, a reset. The driver sets it, one receiver is
 * told of every change.
 *
 * @module
 */

/** A wire. */
export class Wire {
  #level = false;
  readonly #receiver: ((level: boolean) => void) | undefined;

  /** A wire whose changes `receiver` hears; with none it ends nowhere. */
  constructor(receiver?: (level: boolean) => void) {
    this.#receiver = receiver;
  }

  /** Its level: true is high. */
  get level(): boolean {
    return this.#level;
  }

  /** Drives it. Setting the level that it has does nothing. */
  set(level: boolean): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#receiver?.(level);
  }
}
