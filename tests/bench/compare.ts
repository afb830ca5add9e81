/**
 * Compares the speed of our machine with QEMU's TCG and with v86, program by program of the benchmark kernel
 * (`kernel/`), or two checkouts of Overture with each other.
 *
 *     deno run -A tests/bench/compare.ts                            everything, 3 rounds (some 15 minutes)
 *     deno run -A tests/bench/compare.ts --quick                    one round, a tenth of the iterations
 *     deno run -A tests/bench/compare.ts --only system,crc32        groups and programs by name
 *     deno run -A tests/bench/compare.ts --emulators ours,qemu      of ours, interpreted, qemu, v86 (default: ours,qemu,v86)
 *     deno run -A tests/bench/compare.ts --against /other/checkout  ours relative to the Overture there, nothing else
 *     … --rounds N, --runs N (of a program in a process), --divide N (iterations), --translate N (threshold), --ram MiB
 *
 * The machines run a group of programs one after the other, in turn, each time in a process of its own. A program
 * runs twice in it: "first" is with warm-up (translation, the host's compiler), "steady" the last run. Figures are
 * CPU seconds of all threads; a ratio is the median over the rounds of the ratio in one round, a group's the geometric
 * mean of its programs. Checksums must be equal everywhere. Groups: compute, system, strings (REP MOVS and STOS),
 * scan (SCAS, CMPS), patch (code that changes), jit (code that is written and then run), x87, sse, calls.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TRANSLATE_AFTER } from "../../devices/mod.ts";
import { buildKernel, kernelPrograms, nativeChecksums } from "./build_kernel.ts";
import { choose } from "./choose.ts";
import { type Emulator, runGuest } from "./emulators.ts";
import { type GroupRun, readMarks, report, Results } from "./results.ts";

const SECONDS_FOR_LINE = 180;

async function runGroup(
  emulator: Emulator,
  options: { readonly kernel: string; readonly append: string; readonly ramMiB: number },
): Promise<GroupRun> {
  const marks = await runGuest(emulator, options, {
    last: (line) => line === "done" || line.startsWith("failed"),
    secondsForLine: SECONDS_FOR_LINE,
  });
  const end = marks.at(-1)?.line ?? "";
  if (end !== "done") throw new Error(`${emulator.name}: the kernel ${end}`);
  return readMarks(marks);
}

/** What the kernel is asked for, group by group: all of it, or the names of programs. */
function groupsOf(only: string | undefined): ReadonlyMap<string, string> {
  const programs = kernelPrograms();
  const groups = new Set(programs.values());
  const names = only?.split(",") ?? [...groups];
  for (const name of names) {
    if (!groups.has(name) && !programs.has(name)) {
      throw new Error(
        `No group or program "${name}"; there are ${[...groups, ...programs.keys()].join(", ")}`,
      );
    }
  }
  const asked = new Map<string, string>();
  for (const group of groups) {
    const some = names.filter((name) => programs.get(name) === group);
    if (names.includes(group)) asked.set(group, group);
    else if (some.length > 0) asked.set(group, some.join(","));
  }
  return asked;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      emulators: { type: "string", default: "ours,qemu,v86" },
      against: { type: "string" },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      runs: { type: "string", default: "2" },
      divide: { type: "string" },
      translate: { type: "string", default: String(TRANSLATE_AFTER) },
      ram: { type: "string", default: "64" },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const divide = Number(values.divide ?? (values.quick ? 10 : 1));
  const { emulators, base } = choose(values.emulators.split(","), {
    against: values.against,
    translateAfter: Number(values.translate),
  });
  const groups = groupsOf(values.only);
  const folder = mkdtempSync(join(tmpdir(), "overture-bench-"));
  try {
    const kernel = buildKernel(folder);
    const results = new Results(nativeChecksums(folder, divide));
    for (let round = 0; round < rounds; round++) {
      for (const [group, only] of groups) {
        const append = `only=${only} runs=${values.runs} divide=${divide}`;
        for (const emulator of emulators) {
          console.error(`round ${round + 1} of ${rounds}: ${only} on ${emulator.name}`);
          try {
            const run = await runGroup(emulator, { kernel, append, ramMiB: Number(values.ram) });
            results.add(group, emulator.name, round, run);
          } catch (error) {
            results.problems.add(`FAILED: ${(error as Error).message}`);
          }
        }
      }
    }
    console.log(report(results, emulators.map((emulator) => emulator.name), base));
    if (results.failed) Deno.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
