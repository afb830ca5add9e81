/**
 * What the back end refuses, such as floating point.
 *
 * @module
 */

/** Thrown with the place in the Wasm file; the caller adds function and source line. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
