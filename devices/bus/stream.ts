/**
 * What the machine needs from outside: bytes of terminals, the host's time.
 *
 * @module
 */

/** Takes bytes; the array belongs to the receiver. */
export type ByteSink = (bytes: Uint8Array) => void;

/** A source of bytes: calls back with what arrives until it is disposed. */
export interface ByteSource {
  /** Calls `receiver` with bytes as they come. */
  onBytes(receiver: ByteSink): Disposable;
}

/** The host's time, for a machine that runs in it. */
export interface HostTime {
  /** Milliseconds on a clock that never goes back, with fractions. */
  nowMs(): number;
  /** Resolves after `ms` milliseconds, not before other events of the host had their turn. */
  pause(ms: number): Promise<void>;
}
