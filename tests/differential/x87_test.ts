/**
 * The x87 against the one of this machine: every row but the transcendental ones must agree in every bit, with
 * all control words; the transcendental ones within one unit in the last place.
 * @module
 */
import assert from "node:assert/strict";
import { compareX87 } from "./fuzz.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { sameAsNative } from "./native_test_case.ts";

Deno.test("x87 instructions do what the native processor does, to the last bit", async () => {
  const result = await sameAsNative(compareX87, { seed: 20261123, count: 200 });
  if (result === undefined) return;
  const { report } = result;
  assert.ok(report.completed > report.cases * 0.6, `${report.completed} of ${report.cases}`);
  assert.deepEqual(X87.filter((row) => !report.rows.has(row.join(" | "))), []);
});
