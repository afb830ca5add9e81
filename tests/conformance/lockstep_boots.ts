/**
 * Whole boots in lockstep, interpreted against translated:
 *
 *     deno task lockstep [--guest NAME] [--translate N] [--step N] [--limit N]
 *
 * Without options all guests to their ends (memtest86+ for 3e9 instructions), translated as usual, and after 20 and 1 entries.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { TRANSLATE_AFTER } from "../../devices/mod.ts";
import { describe, Lockstep } from "./lockstep.ts";
import { GUESTS } from "./lockstep_guests.ts";

const THRESHOLDS = [TRANSLATE_AFTER, 20, 1];
const STEP = 2_000_000;
const LIMIT = 20e9;
/** One pass of memtest86+ is some 100e9 instructions. */
const MEMTEST_LIMIT = 3e9;

const HELP = `deno task lockstep [options]

  --guest NAME      one of ${Object.keys(GUESTS).join(", ")}; all if not given
  --translate N     entries of a block until it is translated; ${THRESHOLDS.join(", ")} if not given
  --step N          instructions between comparisons, ${STEP}
  --limit N         instructions at most, ${LIMIT} (memtest: ${MEMTEST_LIMIT})`;

function options(): Readonly<Record<"guest" | "translate" | "step" | "limit", string | undefined>> {
  const string = { type: "string" } as const;
  try {
    const { values } = parseArgs({
      options: {
        ...{ guest: string, translate: string, step: string, limit: string },
        help: { type: "boolean" },
      },
    });
    if (values.guest !== undefined && !(values.guest in GUESTS)) {
      throw new Error(`There is no guest "${values.guest}"`);
    }
    if (values.help !== true) {
      return {
        guest: undefined,
        translate: undefined,
        step: undefined,
        limit: undefined,
        ...values,
      };
    }
    console.log(HELP);
    Deno.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    Deno.exit(2);
  }
}

const given = options();
let failed = false;
for (const [name, make] of Object.entries(GUESTS)) {
  if ((given.guest ?? name) !== name) continue;
  const guest = await make();
  if (guest === undefined) continue;
  for (
    const translateAfter of given.translate === undefined ? THRESHOLDS : [Number(given.translate)]
  ) {
    const start = performance.now();
    const step = Number(given.step ?? STEP);
    const limit = Number(given.limit ?? (name === "memtest" ? MEMTEST_LIMIT : LIMIT));
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
