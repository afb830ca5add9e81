/**
 * The host's time, for machines on the wall clock.
 *
 * @module
 */
import type { HostTime } from "../bus/stream.ts";

/** The host's monotonic clock and its event loop. */
export const hostTime: HostTime = {
  nowMs: () => performance.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
