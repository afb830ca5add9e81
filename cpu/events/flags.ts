/**
 * RF as IRET and task switches load it: for the next instruction, if a breakpoint could be there.
 * Source: SDM vol. 3A §17.3.1.1.
 * @module
 */
import { RF } from "../state/flags.ts";
import type { Core } from "../execute/core.ts";

/**
 * EFLAGS to load from an image that may have RF. QUIRK(resume flag): while no breakpoint is enabled RF is dropped,
 * for a step of its own would cost every return from a fault.
 */
export function loadedFlags(core: Core, flags: number): number {
  if ((flags & RF) === 0 || !core.debug.armed) return flags & ~RF;
  core.resumeFlagLoaded = true;
  return flags;
}
