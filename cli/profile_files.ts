/**
 * `overture profile report` and `overture profile diff`: what profiles that were written say.
 *
 * @module
 */
import { Command } from "@commander-js/extra-typings";
import {
  differenceFolded,
  flameGraphSvg,
  readStacks,
  reportTable,
  type StackCounts,
  stackDifferences,
} from "../plugins/profiler/mod.ts";
import { print, UserError } from "./report.ts";

/** Reads an option that is a positive integer. */
export function positive(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new UserError(`${option} is a whole number from 1 on, not "${text}"`);
  }
  return value;
}

/** Writes a file that the user has named. */
export function writeOutput(path: string, file: string | Uint8Array): void {
  try {
    if (typeof file === "string") Deno.writeTextFileSync(path, file);
    else Deno.writeFileSync(path, file);
  } catch (error) {
    throw new UserError(`Cannot write "${path}": ${(error as Error).message}`);
  }
}

function readProfile(path: string): StackCounts {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UserError(`Cannot read "${path}": ${(error as Error).message}`);
  }
  return readStacks(text, path);
}

/** The `profile report` command. */
export function reportCommand(): Command {
  const command = new Command("report")
    .description(
      "a table of the functions of a profile: samples of their own, and with what they call",
    )
    .argument("<profile>", "folded stacks")
    .option("--top <functions>", "how many", "40")
    .addHelpText("after", "\nExample:\n  profile report boot.folded --top 20");
  command.action((path, { top }) => {
    print(reportTable(readProfile(path), positive(top, "--top")));
  });
  return command as unknown as Command;
}

/** The `profile diff` command. */
export function diffCommand(): Command {
  const command = new Command("diff")
    .description(
      "what two profiles differ by: folded stacks with both counts, or a flame graph in red and blue",
    )
    .argument("<before>", "folded stacks")
    .argument("<after>", "folded stacks")
    .option(
      "-o, --output <file>",
      "where to: .svg draws what is after, red where it grew, blue where it shrank, else folded stacks " +
        "(default: standard output)",
    )
    .option("--normalise", "count as if both had as many samples")
    .addHelpText("after", "\nExample:\n  profile diff before.folded after.folded -o diff.svg");
  command.action((before, after, { output, normalise }) => {
    const now = readProfile(after);
    const differences = stackDifferences(readProfile(before), now, normalise === true);
    if (output === undefined) print(differenceFolded(differences));
    else if (!output.endsWith(".svg")) writeOutput(output, differenceFolded(differences));
    else {
      const changes = new Map(differences.map((one) => [one.stack, one.after - one.before]));
      writeOutput(output, flameGraphSvg(now, { title: `${before} to ${after}`, changes }));
    }
  });
  return command as unknown as Command;
}
