/**
 * Debian's Linux to a shell, and a workload of the shell, on our machine, QEMU (TCG) and v86: wall time, CPU seconds
 * and peak memory, relative to QEMU. The same kernel, initial RAM disk and command line everywhere.
 *
 *     deno run -A tests/bench/linux/compare.ts                    both kernels, 3 rounds
 *     … --kernel 686|686-pae --emulators ours,qemu,v86 (also interpreted) --rounds N --ram MiB
 *     … --against /other/checkout                                 ours relative to the Overture there
 *     … --append "more words for the kernel"
 *
 * "shell" is from the start of the process to the first line of a script; the parts of the workload are those of
 * `workload.sh`. What the script prints must be equal everywhere. v86 starts by Debian's SeaBIOS, whose time counts.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { TRANSLATE_AFTER } from "../../../devices/mod.ts";
import { BEGIN, busybox, linuxInitrd, linuxPackage, type LinuxVariant } from "../../boots/linux.ts";
import { choose } from "../choose.ts";
import { type Emulator, type GuestOptions, type Mark, runGuest } from "../emulators.ts";
import { median, ratio, table } from "../figures.ts";

const GOAL = 1;
const SECONDS_FOR_LINE = 240;
const SHELL = "to the shell";
const WORKLOAD = "workload";

/** Seconds by part, and what the script printed. */
interface LinuxRun {
  readonly wall: ReadonlyMap<string, number>;
  readonly cpu: ReadonlyMap<string, number>;
  readonly peakMiB: number;
  readonly output: string;
}

/** The parts between the marks. */
export function readParts(marks: readonly Mark[]): LinuxRun {
  const wall = new Map<string, number>();
  const cpu = new Map<string, number>();
  const add = (part: string, from: Mark | undefined, to: Mark): void => {
    wall.set(part, to.wallSeconds - (from?.wallSeconds ?? 0));
    cpu.set(part, to.cpuSeconds - (from?.cpuSeconds ?? 0));
  };
  const output: string[] = [];
  let begun: Mark | undefined;
  let part: { readonly name: string; readonly mark: Mark } | undefined;
  for (const mark of marks) {
    if (mark.line.endsWith(BEGIN)) {
      add(SHELL, undefined, mark);
      begun = mark;
    } else if (begun !== undefined && mark.line.startsWith("part ")) {
      if (part !== undefined) add(part.name, part.mark, mark);
      part = { name: mark.line.slice(5), mark };
    } else if (begun !== undefined) output.push(mark.line);
  }
  if (begun === undefined || part === undefined) throw new Error("Linux did not reach the shell");
  add(WORKLOAD, begun, part.mark);
  return { wall, cpu, peakMiB: marks.at(-1)?.peakMiB ?? 0, output: output.join("\n") };
}

async function bootLinux(emulator: Emulator, guest: GuestOptions): Promise<LinuxRun> {
  return readParts(
    await runGuest(emulator, guest, {
      last: (line) => line === "part end",
      secondsForLine: SECONDS_FOR_LINE,
    }),
  );
}

function report(
  runs: ReadonlyMap<string, readonly (LinuxRun | undefined)[]>,
  base: string,
): string {
  const names = [...runs.keys()];
  const parts = [...(runs.get(base)?.find((run) => run !== undefined)?.wall.keys() ?? [])];
  const rows: string[][] = [[
    "",
    ...names.flatMap((name) => [`${name} wall s`, "cpu s"]),
    ...names.flatMap((name) => name === base ? [] : [`${name}/${base} wall`, "cpu"]),
    "",
  ]];
  const done = (name: string): LinuxRun[] =>
    (runs.get(name) ?? []).flatMap((run) => run === undefined ? [] : [run]);
  for (const part of parts) {
    const seconds = (name: string, of: "wall" | "cpu"): number =>
      median(done(name).map((run) => run[of].get(part) ?? NaN));
    const relative = (name: string, of: "wall" | "cpu"): number =>
      median((runs.get(name) ?? []).flatMap((run, round) => {
        const other = runs.get(base)?.[round];
        return run === undefined || other === undefined
          ? []
          : [(run[of].get(part) ?? NaN) / (other[of].get(part) ?? NaN)];
      }));
    const goal = base === "qemu" && names.includes("ours") && (part === SHELL || part === WORKLOAD);
    rows.push([
      part,
      ...names.flatMap((
        name,
      ) => [seconds(name, "wall").toFixed(2), seconds(name, "cpu").toFixed(2)]),
      ...names.flatMap((name) =>
        name === base ? [] : [ratio(relative(name, "wall")), ratio(relative(name, "cpu"))]
      ),
      goal ? `goal ≤ ${GOAL}: ${relative("ours", "wall") <= GOAL ? "met" : "missed"}` : "",
    ]);
  }
  rows.push([
    "peak MiB",
    ...names.flatMap((name) => [median(done(name).map((run) => run.peakMiB)).toFixed(0), ""]),
  ]);
  return table(rows);
}

async function compareKernel(
  variant: LinuxVariant,
  options: {
    readonly emulators: readonly Emulator[];
    readonly base: string;
    readonly rounds: number;
    readonly ramMiB: number;
    readonly append: string;
    readonly folder: string;
  },
): Promise<void> {
  const image = linuxPackage(variant);
  const tools = busybox();
  if (image === undefined || tools === undefined) return;
  const script = readFileSync(fileURLToPath(new URL("workload.sh", import.meta.url)), "utf8");
  const initrd = join(options.folder, "initrd");
  writeFileSync(initrd, linuxInitrd({ busybox: tools, script }));
  const append = `console=ttyS0 panic=-1 quiet ${options.append}`.trimEnd();
  const guest = { kernel: image.kernel, initrd, append, ramMiB: options.ramMiB };
  const runs = new Map<string, (LinuxRun | undefined)[]>(
    options.emulators.map((emulator) => [emulator.name, []]),
  );
  let expected: string | undefined;
  for (let round = 0; round < options.rounds; round++) {
    for (const emulator of options.emulators) {
      console.error(`round ${round + 1} of ${options.rounds}: ${variant} on ${emulator.name}`);
      try {
        const run = await bootLinux(emulator, guest);
        expected ??= run.output;
        if (run.output !== expected) {
          console.error(`WRONG: ${emulator.name} printed\n${run.output}\ninstead of\n${expected}`);
          Deno.exitCode = 1;
        }
        runs.get(emulator.name)?.push(run);
      } catch (error) {
        runs.get(emulator.name)?.push(undefined);
        console.error(`FAILED: ${(error as Error).message}`);
        Deno.exitCode = 1;
      }
    }
  }
  console.log(`\nlinux ${variant}:\n${report(runs, options.base)}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernel: { type: "string", default: "686,686-pae" },
      emulators: { type: "string", default: "ours,qemu,v86" },
      against: { type: "string" },
      rounds: { type: "string", default: "3" },
      translate: { type: "string", default: String(TRANSLATE_AFTER) },
      ram: { type: "string", default: "128" },
      append: { type: "string", default: "" },
    },
  });
  const { emulators, base } = choose(values.emulators.split(","), {
    against: values.against,
    translateAfter: Number(values.translate),
    linux: true,
  });
  const folder = mkdtempSync(join(tmpdir(), "overture-bench-"));
  try {
    for (const variant of values.kernel.split(",")) {
      await compareKernel(variant as LinuxVariant, {
        emulators,
        base,
        rounds: Number(values.rounds),
        ramMiB: Number(values.ram),
        append: values.append,
        folder,
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
