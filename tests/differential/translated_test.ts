/**
 * The translator against the processor of this machine: the same cases as for the interpreter, each block
 * translated before it runs.
 * @module
 */
import assert from "node:assert/strict";
import { compareFloats, compareInteger, compareSimd, compareX87 } from "./fuzz.ts";
import { sameAsNative } from "./native_test_case.ts";

const PARTS = [
  { name: "integer", compareAll: compareInteger, count: 60 },
  { name: "x87", compareAll: compareX87, count: 30 },
  { name: "MMX and SSE", compareAll: compareSimd, count: 20 },
  { name: "SSE floating-point", compareAll: compareFloats, count: 20 },
] as const;

for (const { name, compareAll, count } of PARTS) {
  Deno.test(`translated ${name} instructions do what the native processor does`, async () => {
    const result = await sameAsNative(compareAll, { seed: 20261123, count }, true);
    if (result === undefined) return;
    const { report, ours } = result;
    assert.ok(ours.translated > report.cases * 0.5, `${ours.translated} of ${report.cases}`);
  });
}
