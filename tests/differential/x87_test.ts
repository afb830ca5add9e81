/**
 * The x87 against the one of this machine: every row but the transcendental ones must agree in every bit, with
 * all control words; the transcendental ones within one unit in the last place.
 * @module
 */
import assert from "node:assert/strict";
import { compareX87 } from "./fuzz.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { describe } from "./compare.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";

Deno.test("x87 instructions do what the native processor does, to the last bit", async () => {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.warn(`SKIPPED: ${native.missing}`);
    return;
  }
  await using engine = native;
  const ours = new InterpreterEngine(engine.hasLow);
  const report = await compareX87({ native: engine, ours }, { seed: 20261123, count: 200 });
  const first = report.differences.slice(0, 5)
    .map(({ test, text }) => `${describe(test)}\n    ${text.join("\n    ")}`);
  assert.equal(report.differences.length, 0, first.join("\n"));
  assert.ok(report.completed > report.cases * 0.6, `${report.completed} of ${report.cases}`);
  assert.deepEqual(X87.filter((row) => !report.rows.has(row.join(" | "))), []);
});
