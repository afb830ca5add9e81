/**
 * The translator against the processor of this machine: the same cases as for the interpreter, each block
 * translated before it runs.
 * @module
 */
import assert from "node:assert/strict";
import { describe } from "./compare.ts";
import { compareFloats, compareInteger, compareSimd, compareX87 } from "./fuzz.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";

const PARTS = [
  { name: "integer", compareAll: compareInteger, count: 60 },
  { name: "x87", compareAll: compareX87, count: 30 },
  { name: "MMX and SSE", compareAll: compareSimd, count: 20 },
  { name: "SSE floating-point", compareAll: compareFloats, count: 20 },
] as const;

for (const { name, compareAll, count } of PARTS) {
  Deno.test(`translated ${name} instructions do what the native processor does`, async () => {
    const native = await startNative();
    if (!(native instanceof NativeEngine)) {
      console.warn(`SKIPPED: ${native.missing}`);
      return;
    }
    await using engine = native;
    const ours = new InterpreterEngine(engine.hasLow, true);
    const report = await compareAll({ native: engine, ours }, { seed: 20261123, count });
    const first = report.differences.slice(0, 5)
      .map(({ test, text }) => `${describe(test)}\n    ${text.join("\n    ")}`);
    assert.equal(report.differences.length, 0, first.join("\n"));
    assert.ok(ours.translated > report.cases * 0.5, `${ours.translated} of ${report.cases}`);
  });
}
