/**
 * What the benchmark kernel's programs took, round by round, and the tables of it.
 *
 * @module
 */
import type { Mark } from "./emulators.ts";
import { geometricMean, median, ratio, table } from "./figures.ts";

/** The goals, relative to QEMU = 1: at most this. */
const GOALS: Readonly<Record<string, number>> = {
  compute: 0.75,
  system: 0.5,
  strings: 0.03,
  patch: 0.03,
  x87: 0.5,
};

/** CPU seconds of a program in one process. */
export interface Times {
  readonly first: number;
  readonly steady: number;
}

/** One emulator's run of one group. */
export interface GroupRun {
  readonly programs: ReadonlyMap<string, Times>;
  readonly checksums: ReadonlyMap<string, string>;
  readonly skipped: readonly string[];
  readonly peakMiB: number;
}

/** The figures of one process from the marks that the kernel printed. */
export function readMarks(marks: readonly Mark[]): GroupRun {
  const programs = new Map<string, Times>();
  const checksums = new Map<string, string>();
  const skipped: string[] = [];
  let begun: Mark | undefined;
  for (const mark of marks) {
    const [kind, name = "", , checksum = ""] = mark.line.split(" ");
    if (kind === "begin") begun = mark;
    if (kind === "skip") skipped.push(mark.line.slice(5));
    if (kind !== "end" || begun === undefined) continue;
    const seconds = mark.cpuSeconds - begun.cpuSeconds;
    programs.set(name, { first: programs.get(name)?.first ?? seconds, steady: seconds });
    const known = checksums.get(name);
    if (known !== undefined && known !== checksum) {
      throw new Error(`${name}: one run's checksum is ${known}, the next one's ${checksum}`);
    }
    checksums.set(name, checksum);
  }
  return { programs, checksums, skipped, peakMiB: marks.at(-1)?.peakMiB ?? 0 };
}

/** All rounds: for each program and emulator the times, one a round (undefined where it failed). */
export class Results {
  /** Program → emulator → one a round. */
  readonly times: Map<string, Map<string, (Times | undefined)[]>> = new Map();
  /** Group → emulator → largest so far. */
  readonly peaks: Map<string, Map<string, number>> = new Map();
  readonly groupOf: Map<string, string> = new Map();
  readonly #checksums: Map<string, string>;
  /** Sentences about what went wrong. */
  readonly problems: Set<string> = new Set();

  /** Whether a machine failed or computed something wrong. */
  get failed(): boolean {
    return [...this.problems].some((text) => /^(WRONG|FAILED)/.test(text));
  }

  constructor(expected: ReadonlyMap<string, string>) {
    this.#checksums = new Map(expected);
  }

  add(group: string, emulator: string, round: number, run: GroupRun): void {
    for (const [name, times] of run.programs) {
      this.groupOf.set(name, group);
      const of = this.times.get(name) ?? new Map<string, (Times | undefined)[]>();
      this.times.set(name, of);
      const list = of.get(emulator) ?? [];
      list[round] = times;
      of.set(emulator, list);
      const checksum = run.checksums.get(name) as string;
      const expected = this.#checksums.get(name);
      if (expected === undefined) this.#checksums.set(name, checksum);
      else if (expected !== checksum) {
        this.problems.add(`WRONG: ${name} on ${emulator}: ${checksum} instead of ${expected}`);
      }
    }
    for (const why of run.skipped) this.problems.add(`skipped on ${emulator}: ${why}`);
    const peaks = this.peaks.get(group) ?? new Map<string, number>();
    this.peaks.set(group, peaks);
    peaks.set(emulator, Math.max(peaks.get(emulator) ?? 0, run.peakMiB));
  }

  seconds(program: string, emulator: string, of: keyof Times): number {
    const list = this.times.get(program)?.get(emulator) ?? [];
    return median(list.flatMap((times) => times === undefined ? [] : [times[of]]));
  }

  /** Median over the rounds of a program's time relative to `base` in the same round. */
  ratio(program: string, emulator: string, base: string, of: keyof Times): number {
    const mine = this.times.get(program)?.get(emulator) ?? [];
    const theirs = this.times.get(program)?.get(base) ?? [];
    return median(mine.flatMap((times, round) => {
      const other = theirs[round];
      // Of what is over before the clock has moved, nothing can be said but "next to nothing".
      return times === undefined || other === undefined
        ? []
        : [Math.max(times[of], 1e-4) / Math.max(other[of], 1e-4)];
    }));
  }
}

/** The tables, with `base` = 1. */
export function report(results: Results, emulators: readonly string[], base: string): string {
  const others = emulators.filter((name) => name !== base);
  const lines: string[] = [];
  const header = ["", `${base} s`, ...others.flatMap((name) => [`${name} first`, "steady"]), ""];
  const rows: string[][] = [header];
  const summary: string[][] = [["", ...others.flatMap((name) => [`${name} first`, "steady"])]];
  summary[0]?.push("goal", "", ...emulators.map((name) => `${name} MiB`));
  for (const group of new Set(results.groupOf.values())) {
    const programs = [...results.times.keys()].filter((name) =>
      results.groupOf.get(name) === group
    );
    if (programs.length === 0) continue;
    rows.push([`${group}:`]);
    for (const program of programs) {
      const ratios = others.flatMap((name) =>
        (["first", "steady"] as const).map((of) => ratio(results.ratio(program, name, base, of)))
      );
      const slower = base === "qemu" && others.includes("v86") && others.includes("ours") &&
        group === "compute" &&
        results.ratio(program, "ours", "v86", "steady") > 1;
      rows.push([
        `  ${program}`,
        results.seconds(program, base, "steady").toFixed(3),
        ...ratios,
        slower ? "slower than v86" : "",
      ]);
    }
    const means = others.map((name) =>
      (["first", "steady"] as const).map((of) =>
        geometricMean(
          programs.map((program) => results.ratio(program, name, base, of)).filter(Number.isFinite),
        )
      )
    );
    const goal = base === "qemu" ? GOALS[group] : undefined;
    const mine = means[others.indexOf("ours")]?.[1];
    summary.push([
      group,
      ...means.flat().map(ratio),
      goal === undefined ? "" : `≤ ${goal}`,
      goal === undefined || mine === undefined ? "" : mine <= goal ? "met" : "missed",
      ...emulators.map((name) => (results.peaks.get(group)?.get(name) ?? NaN).toFixed(0)),
    ]);
  }
  lines.push(table(rows), "", `Geometric means, ${base} = 1:`, table(summary));
  for (const problem of results.problems) lines.push(problem);
  return lines.join("\n");
}
