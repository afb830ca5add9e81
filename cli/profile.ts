/**
 * `overture profile`: folded stacks or a flame graph of a boot.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import {
  formatHelp,
  parseShareLimit,
  profileFormat,
  Profiler,
  reportTable,
  shareBeyond,
} from "../plugins/profiler/mod.ts";
import { type MachineChoices, machineOptions, machineSettings } from "./boot.ts";
import { diffCommand, positive, reportCommand, writeOutput } from "./profile_files.ts";
import { print, Progress, say, UserError } from "./report.ts";
import { Session } from "./session.ts";
import { sayStatistics } from "./statistics.ts";

/** Instructions between two looks at the run. */
const SLICE = 20_000_000;
/** Samples below which a profile says little, and how many say enough. */
const FEW = 100;
const ENOUGH = 1000;

/** The `profile` command. */
export function profileCommand(setExitCode: (code: number) => void): Command {
  const command = new Command("profile")
    .description("profile a boot: folded stacks, or a flame graph, the same bytes on every run")
    .argument("[image]", "the image (default: ours, built and cached)")
    .option(
      "-o, --output <file>",
      `where to, by its name ${formatHelp()} (default: folded stacks on standard output)`,
    )
    .option("-F, --frequency <hz>", "samples a second of virtual time", "997")
    .option("-c, --period <instructions>", "instructions between samples, instead of a frequency")
    .option(
      "--from <place>",
      "start at this kernel function or address 0x… (default: the kernel's entry)",
    )
    .option(
      "--until <place>",
      "stop at this kernel function or address; idle: when the guest waits for input",
      "idle",
    )
    .option("-d, --duration <seconds>", "stop after so much virtual time")
    .option("--limit <instructions>", "stop after this many instructions", "20000000000")
    .option("-K, --kernel-only", "only samples in the kernel")
    .option("-U, --user-only", "only samples in programs")
    .option("-p, --pid <number>", "only samples of this process")
    .option("--comm <name>", "only samples of processes of this name")
    .option("--max-depth <frames>", "frames of a stack at most, the innermost")
    .option("--top <functions>", "functions that the summary tells of", "10")
    .option(
      "--fail-if <limit>",
      "exit with 1 if a function has such a part of the samples, like 'memcpy > 5%' or 'self(ext2_*) >= 2%'; " +
        "may be repeated",
      (text: string, limits: string[]) => [...limits, text],
      [] as string[],
    )
    .addHelpText(
      "after",
      `
Examples:
  profile disk.img -o boot.svg
  profile disk.img -o boot.folded --append "init=/bin/bash"
  profile disk.img -o boot.pb.gz -d 2 --comm bash
  profile disk.img --from mount_root --until exec_init --period 5000
  profile disk.img --fail-if 'memset > 20%' > /dev/null
  profile report boot.folded
  profile diff before.folded after.folded -o diff.svg`,
    );
  machineOptions(command as unknown as Command);
  command.action(async (image, options) => {
    setExitCode(await profile(image, options as unknown as ProfileOptions));
  });
  // Options behind the name of one of these are its own.
  command.enablePositionalOptions();
  command.addCommand(reportCommand());
  command.addCommand(diffCommand());
  return command as unknown as Command;
}

interface ProfileOptions extends MachineChoices {
  readonly output?: string;
  readonly frequency: string;
  readonly period?: string;
  readonly from?: string;
  readonly until: string;
  readonly duration?: string;
  readonly limit: string;
  readonly kernelOnly?: true;
  readonly userOnly?: true;
  readonly pid?: string;
  readonly comm?: string;
  readonly maxDepth?: string;
  readonly top: string;
  readonly failIf: readonly string[];
}

async function profile(image: string | undefined, options: ProfileOptions): Promise<number> {
  const { duration, pid, maxDepth } = options;
  if (options.kernelOnly === true && options.userOnly === true) {
    throw new UserError("--kernel-only and --user-only exclude each other");
  }
  const seconds = Number(duration ?? 1);
  if (!(seconds > 0)) throw new UserError(`--duration is in seconds, not "${duration}"`);
  const limits = options.failIf.map((text) => parseShareLimit(text));
  const top = positive(options.top, "--top");
  const profiler = new Profiler({
    frequency: positive(options.frequency, "--frequency"),
    period: options.period === undefined ? undefined : positive(options.period, "--period"),
    from: options.from,
    until: options.until,
    durationNs: duration === undefined ? undefined : seconds * 1e9,
    only: options.kernelOnly === true ? "kernel" : options.userOnly === true ? "user" : undefined,
    pid: pid === undefined ? undefined : positive(pid, "--pid"),
    comm: options.comm,
    maxDepth: maxDepth === undefined ? undefined : positive(maxDepth, "--max-depth"),
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
  if (!reached && options.until !== "idle" && duration === undefined) {
    say(`overture: the run ended before "${options.until}" was reached\n`);
  }
  const { stacks } = profiler;
  const { output } = options;
  const facts = { name: `Boot of ${image ?? "the default image"}`, periodNs: profiler.periodNs };
  if (output === undefined) print(stacks.toFolded());
  else writeOutput(output, profileFormat(output).encode(stacks, facts));
  summarise(profiler, top);
  if (options.stats === true) sayStatistics(machine.cpu);
  let failed = stacks.total === 0;
  for (const one of limits) {
    const share = shareBeyond(stacks, one);
    if (share === undefined) continue;
    failed = true;
    say(`overture: --fail-if "${one.text}": ${one.symbol} has ${share.toFixed(2)}%\n`);
  }
  return failed ? 1 : 0;
}

function summarise(profiler: Profiler, top: number): void {
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
  if (samples < FEW) {
    const period = Math.max(1, Math.floor((lastInstruction - firstInstruction) / ENOUGH));
    say(`That is few: -c ${period} would take some ${ENOUGH}.\n`);
  }
  say(reportTable(profiler.stacks, top));
}
