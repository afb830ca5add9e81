/**
 * The differential tester's command: `deno run -A tests/differential/fuzz.ts [--all | --integer --x87 --simd --float]
 * [--seed N] [--count N] [--only OPERATION] [--ulps N] [--show N] [--report]`. Count is cases a row. Prints differences; with
 * `--report` also the cases of each row and how many of them completed without an exception.
 * @module
 */
import type { Engine, Outcome, TestCase } from "./case.ts";
import { compare, describe, incomparable } from "./compare.ts";
import {
  comparable,
  type Pattern,
  pattern,
  segmentedCase,
  sequenceCase,
  sequencePatterns,
  singleCase,
} from "./generate.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";
import { Random } from "./random.ts";
import { segmentedSimdCase, simdCase, simdSequence } from "./generate_simd.ts";
import { floatCase } from "./generate_simd_float.ts";
import { fpuCase } from "./generate_x87.ts";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { INTEGER } from "../../cpu/isa/table.ts";

/** What a comparison of many cases found. */
export interface Report {
  cases: number;
  /** Cases that ended as a normal instruction does, by the INT3 behind them. */
  completed: number;
  skipped: number;
  /** Single-instruction cases by row, and how many of them completed. */
  readonly rows: Map<string, { cases: number; completed: number }>;
  readonly differences: { test: TestCase; native: Outcome; ours: Outcome; text: string[] }[];
  /** Sees every case that agreed, for the table of coverage. */
  readonly onPass?: (test: TestCase, native: Outcome) => void;
}

/** Runs cases on both engines and compares them. */
export async function compareCases(
  cases: readonly TestCase[],
  engines: { native: Engine; ours: Engine },
  options: { fpu: boolean | number; report: Report },
): Promise<void> {
  const { report, fpu } = options;
  const natives = await engines.native.run(cases);
  const runnable = cases.filter((_, i) => !incomparable(natives[i] as Outcome));
  const ours = await engines.ours.run(runnable);
  report.skipped += cases.length - runnable.length;
  let at = 0;
  for (const [i, test] of cases.entries()) {
    const native = natives[i] as Outcome;
    if (incomparable(native)) continue;
    const our = ours[at++] as Outcome;
    report.cases++;
    if (native.vector === 3) report.completed++;
    const text = compare(test, native, our, fpu);
    if (text.length > 0) report.differences.push({ test, native, ours: our, text });
    else report.onPass?.(test, native);
  }
}

/** What to compare: `count` cases a row, of one operation if `only` is given. */
export interface Options {
  readonly seed: number;
  readonly count: number;
  readonly only?: string | undefined;
  readonly onPass?: Report["onPass"];
}

/** An empty report. */
export function newReport(onPass?: Report["onPass"]): Report {
  const report = { cases: 0, completed: 0, skipped: 0, rows: new Map(), differences: [] };
  return onPass === undefined ? report : { ...report, onPass };
}

function countRow(report: Report, { row }: Pattern, cases: number, before: number): void {
  report.rows.set(row.join(" | "), { cases, completed: report.completed - before });
}

/** Single-instruction cases for each row, the same in segments that are not flat, then sequences. */
export async function compareInteger(
  engines: { native: NativeEngine; ours: InterpreterEngine },
  options: Options,
): Promise<Report> {
  const report = newReport(options.onPass);
  const random = new Random(options.seed);
  const patterns = INTEGER.map(pattern).filter((p) =>
    comparable(p) && !engines.ours.missing.has(p.operation)
  );
  const chosen = patterns.filter((p) => !options.only || p.operation === options.only);
  for (const p of chosen) {
    const cases = Array.from({ length: options.count }, () => singleCase(p, random));
    const before = report.completed;
    await compareCases(cases, engines, { fpu: false, report });
    countRow(report, p, cases.length, before);
  }
  for (const p of engines.native.hasLdt ? chosen : []) {
    const cases = Array.from({ length: options.count >> 1 }, () => segmentedCase(p, random));
    await compareCases(cases, engines, { fpu: false, report });
  }
  const middle = sequencePatterns(patterns);
  const lasts: Pattern[] = sequencePatterns(chosen);
  if (lasts.length > 0) {
    const cases = Array.from(
      { length: options.count * 20 },
      () => sequenceCase(middle, random.pick(lasts), random),
    );
    await compareCases(cases, engines, { fpu: false, report });
  }
  return report;
}

/** Results that need not be the same to the last bit. */
const APPROXIMATE = /^(fsin|fcos|fsincos|fptan|fpatan|f2xm1|fyl2x|fyl2xp1)$/;

/** Cases of SSE's floating-point arithmetic for each row. */
export function compareFloats(
  engines: { native: NativeEngine; ours: Engine },
  options: Options,
): Promise<Report> {
  return compareSimd(engines, options, true);
}

/** x87 cases for each row. */
export async function compareX87(
  engines: { native: Engine; ours: Engine },
  options: Options & { ulps?: number },
): Promise<Report> {
  const report = newReport(options.onPass);
  const random = new Random(options.seed);
  for (const p of X87.map(pattern)) {
    if (options.only && p.operation !== options.only) continue;
    const cases = Array.from({ length: options.count }, () => fpuCase(p, random));
    const before = report.completed;
    const fpu = APPROXIMATE.test(p.operation) ? options.ulps ?? 1 : true;
    await compareCases(cases, engines, { fpu, report });
    countRow(report, p, cases.length, before);
  }
  return report;
}

/** Operations that are not put into a sequence: their accesses are not in the operand, or too long. */
const NOT_IN_SEQUENCE = /^(fx|maskmov)/;

/**
 * MMX and SSE cases for each row, without floating-point arithmetic or of that alone; the same in segments that
 * are not flat; then sequences, in which floating-point rows stand among the others.
 */
export async function compareSimd(
  engines: { native: NativeEngine; ours: Engine },
  options: Options,
  floats = false,
): Promise<Report> {
  const report = newReport(options.onPass);
  const random = new Random(options.seed);
  const make = floats ? floatCase : simdCase;
  const wanted = ({ operation }: Pattern): boolean => !options.only || operation === options.only;
  const chosen = (floats ? SIMD_FLOAT : SIMD).map(pattern).filter(wanted);
  for (const p of chosen) {
    const cases = Array.from({ length: options.count }, () => make(p, random));
    const before = report.completed;
    await compareCases(cases, engines, { fpu: true, report });
    countRow(report, p, cases.length, before);
    if (!engines.native.hasLdt) continue;
    const segmented = Array.from(
      { length: options.count >> 2 },
      () => floats ? floatCase(p, random, segmentedSimdCase) : segmentedSimdCase(p, random),
    );
    await compareCases(segmented, engines, { fpu: true, report });
  }
  const sequence = (floats ? [...SIMD, ...SIMD_FLOAT] : SIMD).map(pattern)
    .filter((p) => wanted(p) && !NOT_IN_SEQUENCE.test(p.operation));
  if (sequence.length > 0) {
    const cases = Array.from({ length: options.count * 20 }, () => simdSequence(sequence, random));
    await compareCases(cases, engines, { fpu: true, report });
  }
  return report;
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

/** The parts by the name of their option; the first is what runs without one. */
type Part = readonly [
  name: string,
  compareAll: (
    engines: { native: NativeEngine; ours: InterpreterEngine },
    options: Options & { ulps?: number },
  ) => Promise<Report>,
];
export const PARTS: readonly [Part, ...Part[]] = [
  ["integer", compareInteger],
  ["x87", compareX87],
  ["simd", compareSimd],
  ["float", compareFloats],
];

async function main(): Promise<void> {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.error(native.missing);
    Deno.exit(1);
  }
  const ours = new InterpreterEngine(native.hasLow);
  const started = performance.now();
  const chosen = PARTS.filter(([name]) => Deno.args.includes(`--${name}`));
  const parts = Deno.args.includes("--all") ? PARTS : chosen.length > 0 ? chosen : [PARTS[0]];
  const report = newReport();
  for (const [, compareAll] of parts) {
    const part = await compareAll({ native, ours }, {
      seed: Number(option("seed") ?? 1),
      count: Number(option("count") ?? 200),
      only: option("only"),
      ulps: Number(option("ulps") ?? 1),
    });
    report.cases += part.cases;
    report.completed += part.completed;
    report.skipped += part.skipped;
    report.differences.push(...part.differences);
    for (const [row, counts] of part.rows) report.rows.set(row, counts);
  }
  await native[Symbol.asyncDispose]();
  const byRow = new Map<string, typeof report.differences>();
  for (const difference of report.differences) {
    const list = byRow.get(difference.test.name) ?? [];
    list.push(difference);
    byRow.set(difference.test.name, list);
  }
  for (const [name, list] of byRow) {
    console.log(`\n${name}: ${list.length} differences`);
    for (const { test, text } of list.slice(0, Number(option("show") ?? 1))) {
      console.log(`${describe(test)}\n    ${text.join("\n    ")}`);
    }
  }
  if (Deno.args.includes("--report")) {
    for (const [row, { cases, completed }] of report.rows) {
      console.log(`${String(cases).padStart(7)} ${String(completed).padStart(7)}  ${row}`);
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `\n${report.rows.size} rows, ${report.cases} cases (${report.completed} completed, ` +
      `${report.skipped} skipped), ${report.differences.length} differences, ${seconds} s`,
  );
  if (ours.missing.size > 0) console.log(`not there yet: ${[...ours.missing].join(" ")}`);
  if (report.differences.length > 0) Deno.exitCode = 1;
}

if (import.meta.main) main();
