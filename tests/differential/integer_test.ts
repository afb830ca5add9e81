/**
 * The interpreter against the processor of this machine: every integer row, fixed seed.
 * @module
 */
import assert from "node:assert/strict";
import { compareInteger } from "./fuzz.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { describe } from "./compare.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";

Deno.test("integer instructions do what the native processor does", async () => {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.warn(`SKIPPED: ${native.missing}`);
    return;
  }
  await using engine = native;
  const ours = new InterpreterEngine(engine.hasLow);
  const report = await compareInteger({ native: engine, ours }, { seed: 20261123, count: 120 });
  const first = report.differences.slice(0, 5)
    .map(({ test, text }) => `${describe(test)}\n    ${text.join("\n    ")}`);
  assert.equal(report.differences.length, 0, first.join("\n"));
  // A generator whose cases all fault, or an engine that knows nothing, would prove nothing.
  assert.ok(report.completed > report.cases * 0.6, `${report.completed} of ${report.cases}`);
  // Every row of the table is there, but those whose results are the machine's own.
  const left = INTEGER.filter((row) => !report.rows.has(row.join(" | ")));
  assert.deepEqual(
    new Set(left.map(([, operation]) => operation)),
    new Set(["cpuid", "rdtsc", "sysenter", "sgdt", "sidt", "sldt", "str", "smsw"]),
  );
});
