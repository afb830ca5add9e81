/**
 * How long `overture boot` takes to the kernel's first instruction with warm caches, and what it is made of.
 *
 *     deno run -A tests/bench/start.ts [rounds] [argument of boot]...
 *
 * Medians over the rounds (default 11), after two that are not counted; wall time of a process from outside.
 * The goal is 0.5 s.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { median, table } from "./figures.ts";

const GOAL_MS = 500;
const UNCOUNTED = 2;

/** What is reached, in order, and what happens until then. */
const STEPS: readonly (readonly [string, string])[] = [
  ["script", "Deno starts"],
  ["modules", "our modules are loaded"],
  ["disk begins", "command line, default image found by the hash of its sources"],
  ["disk done", "first read of the disk"],
  ["compilation begins", "kernel read from the disk; handlers made"],
  ["compilation done", "handlers compiled (lazily, by V8)"],
  ["loading begins", "machine made: memory, chips, tables"],
  ["loading done", "kernel loaded"],
  ["run begins", "symbols, plugins, terminal"],
  ["first instruction", "first instruction decoded and executed"],
];

async function start(args: readonly string[]): Promise<Map<string, number>> {
  const child = fileURLToPath(new URL("guests/start.ts", import.meta.url));
  const begun = performance.timeOrigin + performance.now();
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, "boot", ...args],
    stdin: "null",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const times = JSON.parse(new TextDecoder().decode(stdout)) as Record<string, number>;
  return new Map(Object.entries(times).map(([name, time]) => [name, time - begun]));
}

async function main(): Promise<void> {
  const [rounds = "11", ...args] = Deno.args;
  const runs: Map<string, number>[] = [];
  for (let i = 0; i < Number(rounds) + UNCOUNTED; i++) runs.push(await start(args));
  runs.splice(0, UNCOUNTED);
  const rows: string[][] = [["until", "ms", "step", ""]];
  const known = STEPS.filter(([name]) => runs.every((run) => run.has(name)));
  const at = (run: ReadonlyMap<string, number>, index: number): number =>
    index < 0 ? 0 : run.get((known[index] as readonly [string, string])[0]) as number;
  for (const [index, [name, what]] of known.entries()) {
    const until = median(runs.map((run) => at(run, index)));
    const step = median(runs.map((run) => at(run, index) - at(run, index - 1)));
    rows.push([what, until.toFixed(0), step.toFixed(1), name]);
  }
  console.log(table(rows));
  const all = median(runs.map((run) => at(run, known.length - 1)));
  console.log(
    `\nTo the first instruction: ${all.toFixed(0)} ms, goal ${GOAL_MS} ms: ${
      all <= GOAL_MS ? "met" : "missed"
    }`,
  );
}

if (import.meta.main) await main();
