/**
 * The interpreter against the processor of this machine: every integer row, fixed seed.
 * @module
 */
import assert from "node:assert/strict";
import { compareInteger } from "./fuzz.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { sameAsNative } from "./native_test_case.ts";

Deno.test("integer instructions do what the native processor does", async () => {
  const result = await sameAsNative(compareInteger, { seed: 20261123, count: 120 });
  if (result === undefined) return;
  const { report } = result;
  // A generator whose cases all fault, or an engine that knows nothing, would prove nothing.
  assert.ok(report.completed > report.cases * 0.6, `${report.completed} of ${report.cases}`);
  // Every row of the table is there, but those whose results are the machine's own.
  const left = INTEGER.filter((row) => !report.rows.has(row.join(" | ")));
  assert.deepEqual(
    new Set(left.map(([, operation]) => operation)),
    new Set(["cpuid", "rdtsc", "sysenter", "sgdt", "sidt", "sldt", "str", "smsw"]),
  );
});
