/**
 * Profiles as the text of `perf script`, which stackcollapse-perf.pl, inferno, speedscope and the Firefox Profiler read:
 * an event a sample, the leaf first. A stack's first frame is the command: the process, or what the kernel was entered
 * for. Samples are one period apart, in the order of their stacks.
 *
 * @module
 */
import type { StackCounts } from "./folded.ts";
import type { ProfileFacts } from "./formats.ts";

const US_PER_SECOND = 1e6;
/** Frames have no addresses of their own: by number, so that no two are the same. */
const ADDRESS_STEP = 0x10;

/** The text. */
export function perfScript(stacks: StackCounts, { periodNs }: ProfileFacts): string {
  const addresses = new Map<string, number>();
  const addressOf = (name: string): string => {
    const address = addresses.get(name) ?? (addresses.size + 1) * ADDRESS_STEP;
    addresses.set(name, address);
    return address.toString(16).padStart(16);
  };
  const events: string[] = [];
  let samples = 0;
  for (const { stack, count } of stacks.entries()) {
    const frames = stack.split(";");
    const command = (frames[0] as string).replaceAll(" ", "_");
    // A stack of the command alone is that of its own code.
    const calls = frames.length === 1 ? frames : frames.slice(1);
    const lines = calls.toReversed().map((name) => `\t${addressOf(name)} ${name} (guest)\n`);
    for (let i = 0; i < count; i++) {
      samples++;
      const us = Math.round((samples * periodNs) / 1000);
      const seconds = `${Math.floor(us / US_PER_SECOND)}.${
        String(us % US_PER_SECOND).padStart(6, "0")
      }`;
      events.push(`${command} 1/1 [000] ${seconds}: ${periodNs} cpu-clock:\n${lines.join("")}\n`);
    }
  }
  return events.join("");
}
