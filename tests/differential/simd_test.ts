/**
 * MMX, SSE and SSE2 against the processor of this machine: every row, registers and memory, to the last bit.
 * @module
 */
import assert from "node:assert/strict";
import { SIMD } from "../../cpu/isa/simd.ts";
import { describe } from "./compare.ts";
import { compareSimd } from "./fuzz.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";

Deno.test("MMX and SSE instructions do what the native processor does", async () => {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.warn(`SKIPPED: ${native.missing}`);
    return;
  }
  await using engine = native;
  const ours = new InterpreterEngine(engine.hasLow);
  const report = await compareSimd({ native: engine, ours }, { seed: 20261123, count: 120 });
  const first = report.differences.slice(0, 5)
    .map(({ test, text }) => `${describe(test)}\n    ${text.join("\n    ")}`);
  assert.equal(report.differences.length, 0, first.join("\n"));
  assert.ok(report.completed > report.cases * 0.8, `${report.completed} of ${report.cases}`);
  assert.deepEqual(SIMD.filter((row) => !report.rows.has(row.join(" | "))), []);
});
