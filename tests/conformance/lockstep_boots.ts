/**
 * Whole boots in lockstep, interpreted against translated:
 *
 *     deno task lockstep [--guest NAME] [--translate N] [--step N] [--limit N]
 *
 * Without options all guests to their ends (memtest86+ for 3e9 instructions), translated as usual, and after 20 and 1 entries.
 *
 * @module
 */
import { TRANSLATE_AFTER } from "../../devices/mod.ts";
import { describe, Lockstep } from "./lockstep.ts";
import { GUESTS } from "./lockstep_guests.ts";

const THRESHOLDS = [TRANSLATE_AFTER, 20, 1];
const STEP = 2_000_000;
const LIMIT = 20e9;
/** One pass of memtest86+ is some 100e9 instructions. */
const MEMTEST_LIMIT = 3e9;

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

let failed = false;
for (const [name, make] of Object.entries(GUESTS)) {
  if ((option("guest") ?? name) !== name) continue;
  const guest = await make();
  if (guest === undefined) continue;
  const given = option("translate");
  for (const translateAfter of given === undefined ? THRESHOLDS : [Number(given)]) {
    const start = performance.now();
    const step = Number(option("step") ?? STEP);
    const limit = Number(option("limit") ?? (name === "memtest" ? MEMTEST_LIMIT : LIMIT));
    const report = new Lockstep({ guest, translateAfter, step }).run(limit);
    console.log(
      `${guest.name}, translated after ${translateAfter}: ${report.instructions} instructions, ` +
        `${report.comparisons} comparisons, ${report.regions} regions, ` +
        `${report.reason ?? "limit"}, ${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
    if (report.difference !== undefined) {
      failed = true;
      console.log(describe(report.difference));
    }
  }
}
if (failed) Deno.exit(1);
