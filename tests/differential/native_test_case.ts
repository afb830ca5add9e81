/**
 * What tests against the native processor have in common.
 * @module
 */
import assert from "node:assert/strict";
import { describe } from "./compare.ts";
import type { Options, Report } from "./fuzz.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";

/** Compares cases and asserts that none differs; undefined, and says so, where no native process can run them. */
export async function sameAsNative(
  compareAll: (
    engines: { native: NativeEngine; ours: InterpreterEngine },
    options: Options,
  ) => Promise<Report>,
  options: Options,
  translate = false,
): Promise<{ report: Report; ours: InterpreterEngine } | undefined> {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.warn(`SKIPPED: ${native.missing}`);
    return undefined;
  }
  await using engine = native;
  const ours = new InterpreterEngine(engine.hasLow, translate);
  const report = await compareAll({ native: engine, ours }, options);
  const first = report.differences.slice(0, 5)
    .map(({ test, text }) => `${describe(test)}\n    ${text.join("\n    ")}`);
  assert.equal(report.differences.length, 0, first.join("\n"));
  return { report, ours };
}
