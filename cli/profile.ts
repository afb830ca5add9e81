/**
 * `overture profile`: folded stacks or a flame graph of a boot.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import { flameGraphSvg, Profiler } from "../plugins/profiler/mod.ts";
import { type MachineChoices, machineOptions, machineSettings } from "./boot.ts";
import { print, Progress, say, UserError } from "./report.ts";
import { Session } from "./session.ts";
import { sayStatistics } from "./statistics.ts";

/** Instructions between two looks at the run. */
const SLICE = 20_000_000;
const TOP = 10;

/** The `profile` command. */
export function profileCommand(setExitCode: (code: number) => void): Command {
  const command = new Command("profile")
    .description("profile a boot: folded stacks, or a flame graph, the same bytes on every run")
    .argument("[image]", "the image (default: ours, built and cached)")
    .option(
      "-o, --output <file>",
      "where to: .svg draws a flame graph, else folded stacks (default: standard output)",
    )
    .option("-F, --frequency <hz>", "samples a second of virtual time", "997")
    .option("--period <instructions>", "instructions between samples, instead of a frequency")
    .option("--from <symbol>", "start at this kernel function (default: the kernel's entry)")
    .option(
      "--until <symbol>",
      "stop at this kernel function; idle: when the guest waits for input",
      "idle",
    )
    .option("--limit <instructions>", "stop after this many instructions", "20000000000")
    .addHelpText(
      "after",
      `
Examples:
  profile disk.img -o boot.svg
  profile disk.img -o boot.folded --append "init=/bin/bash"
  profile disk.img --from mount_root --until exec_init --period 5000`,
    );
  machineOptions(command as unknown as Command);
  command.action(async (image, options) => {
    setExitCode(await profile(image, options as unknown as ProfileOptions));
  });
  return command as unknown as Command;
}

interface ProfileOptions extends MachineChoices {
  readonly output?: string;
  readonly frequency: string;
  readonly period?: string;
  readonly from?: string;
  readonly until: string;
  readonly limit: string;
}

function positive(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new UserError(`${option} is a whole number from 1 on, not "${text}"`);
  }
  return value;
}

async function profile(image: string | undefined, options: ProfileOptions): Promise<number> {
  const profiler = new Profiler({
    frequency: positive(options.frequency, "--frequency"),
    period: options.period === undefined ? undefined : positive(options.period, "--period"),
    from: options.from,
    until: options.until,
  });
  const limit = positive(options.limit, "--limit");
  // The image stays as it is: what a profile writes would make the next one another.
  using session = await Session.open({
    ...machineSettings(options),
    image,
    snapshot: true,
    clock: "virtual",
    own: [profiler.plugin],
    serial: () => {},
  });
  const progress = new Progress("Profiling");
  const { machine } = session;
  let reached = false;
  while (machine.cpu.instructions < limit) {
    const reason = machine.runSync(Math.min(SLICE, limit - machine.cpu.instructions));
    progress.update(0, 1, `${Math.round(machine.cpu.instructions / 1e6)} million instructions`);
    if (reason !== undefined) {
      reached = reason.type === "stopped";
      break;
    }
  }
  session.plugins.exit();
  progress.end();
  if (!reached && options.until !== "idle") {
    say(`overture: the run ended before "${options.until}" was reached\n`);
  }
  const output = options.output;
  const text = output?.endsWith(".svg")
    ? flameGraphSvg(profiler.stacks, { title: `Boot of ${image ?? "the default image"}` })
    : profiler.stacks.toFolded();
  if (output === undefined) print(text);
  else writeOutput(output, text);
  summarise(profiler);
  if (options.stats === true) sayStatistics(machine.cpu);
  return profiler.stacks.total === 0 ? 1 : 0;
}

function writeOutput(path: string, text: string): void {
  try {
    Deno.writeTextFileSync(path, text);
  } catch (error) {
    throw new UserError(`Cannot write "${path}": ${(error as Error).message}`);
  }
}

function summarise(profiler: Profiler): void {
  const { samples, symbolised, rooted, userSamples, firstInstruction, lastInstruction } =
    profiler.summary;
  if (samples === 0) {
    say(
      "overture: no sample was taken: the run was shorter than a period, or --from was never reached\n",
    );
    return;
  }
  const percent = (part: number): string => `${((100 * part) / samples).toFixed(1)}%`;
  say(
    `${samples} samples over ${
      ((lastInstruction - firstInstruction) / 1e6).toFixed(1)
    } million instructions; ` +
      `user ${percent(userSamples)}, with a symbol ${percent(symbolised)}, to a known root ${
        percent(rooted)
      }\n`,
  );
  const self = new Map<string, number>();
  for (const { stack, count } of profiler.stacks.entries()) {
    const leaf = stack.slice(stack.lastIndexOf(";") + 1);
    self.set(leaf, (self.get(leaf) ?? 0) + count);
  }
  const top = [...self].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, TOP);
  for (const [name, count] of top) say(`${percent(count).padStart(7)}  ${name}\n`);
}
