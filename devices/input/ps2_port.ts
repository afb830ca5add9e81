/**
 * A device on a PS/2 port: bytes to it at once, bytes from it one at a time, as its serial line is.
 *
 * @module
 */
import type { Device } from "../bus/device.ts";

/** What the keyboard controller sees of a keyboard or a mouse. */
export interface Ps2Device extends Device {
  /** A byte from the host. */
  receive(byte: number): void;
  /** The next byte for the host, taken off; `undefined` when there is none. */
  take(): number | undefined;
  /** Whether {@link take} would give a byte. */
  readonly ready: boolean;
  /** The controller hears here when a byte becomes ready. */
  onReady(callback: () => void): void;
}
