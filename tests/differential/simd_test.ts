/**
 * MMX, SSE and SSE2 against the processor of this machine: every row, registers and memory, to the last bit.
 * @module
 */
import assert from "node:assert/strict";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { compareFloats, compareSimd } from "./fuzz.ts";
import { sameAsNative } from "./native_test_case.ts";

const PARTS = [
  { name: "MMX and SSE instructions", rows: SIMD, compareAll: compareSimd, completed: 0.8 },
  // With unmasked exceptions, of which many are raised.
  {
    name: "SSE and SSE2 floating-point instructions",
    rows: SIMD_FLOAT,
    compareAll: compareFloats,
    completed: 0.7,
  },
] as const;

for (const { name, rows, compareAll, completed } of PARTS) {
  Deno.test(`${name} do what the native processor does`, async () => {
    const result = await sameAsNative(compareAll, { seed: 20261123, count: 120 });
    if (result === undefined) return;
    const { report } = result;
    assert.ok(
      report.completed > report.cases * completed,
      `${report.completed} of ${report.cases}`,
    );
    assert.deepEqual(rows.filter((row) => !report.rows.has(row.join(" | "))), []);
  });
}
