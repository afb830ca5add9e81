/**
 * The beginning of memtest86+; `deno task memtest` runs a whole pass.
 *
 * @module
 */
import assert from "node:assert/strict";
import { memtestImage, runMemtest } from "./memtest.ts";

const image = memtestImage();

Deno.test({
  name: "memtest86+ starts and finds no error in its first tests",
  ignore: image === undefined,
  fn: () => {
    if (image === undefined) return;
    const seen = new Set<string>();
    const { screen } = runMemtest({
      image,
      ramMiB: 16,
      passes: 1,
      limit: 1e9,
      progress: ({ test }) => seen.add(test),
    });
    assert.equal(screen?.errors, 0, screen?.text);
    // 16 MiB less the ACPI tables at their end, rounded down.
    assert.match(screen?.text ?? "", /Memory +: +15MB/);
    // Address tests and moving inversions are done, and the next has begun.
    assert.ok(seen.size >= 3, [...seen].join("\n"));
  },
});
