/**
 * Profiles as speedscope reads them (https://www.speedscope.app/file-format-schema.json): one sampled profile, the
 * stacks in byte order, each weighing the virtual time of its samples.
 *
 * @module
 */
import type { StackCounts } from "./folded.ts";
import type { ProfileFacts } from "./formats.ts";

const SCHEMA = "https://www.speedscope.app/file-format-schema.json";

/** The JSON text. */
export function speedscopeProfile(stacks: StackCounts, { name, periodNs }: ProfileFacts): string {
  const frames = new Map<string, number>();
  const samples: number[][] = [];
  const weights: number[] = [];
  for (const { stack, count } of stacks.entries()) {
    samples.push(
      stack.split(";").map((frame) => {
        const known = frames.get(frame) ?? frames.size;
        frames.set(frame, known);
        return known;
      }),
    );
    weights.push(count * periodNs);
  }
  const file = {
    $schema: SCHEMA,
    name,
    exporter: "overture",
    activeProfileIndex: 0,
    shared: { frames: [...frames.keys()].map((frame) => ({ name: frame })) },
    profiles: [{
      type: "sampled",
      name,
      unit: "nanoseconds",
      startValue: 0,
      endValue: stacks.total * periodNs,
      samples,
      weights,
    }],
  };
  return JSON.stringify(file) + "\n";
}
