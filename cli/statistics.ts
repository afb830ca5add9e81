/**
 * `--stats`: what the translator did in a run, on standard error when it ends.
 *
 * @module
 */
import type { Cpu } from "../cpu/mod.ts";
import { say } from "./report.ts";

/** Most lines of a list of operations. */
const TOP = 25;

/** Prints the figures of a processor that was given a clock. */
export function sayStatistics(cpu: Cpu): void {
  say(statisticsText(cpu));
}

/** The figures as text, a line each. */
export function statisticsText(cpu: Cpu): string {
  const { translation, translationCounts: counts, runStatistics: run, codeStatistics: code } = cpu;
  const total = cpu.instructions;
  const count = (name: string): number => counts.get(name) ?? 0;
  const share = (part: number): string => `${(100 * part / Math.max(total, 1)).toFixed(1)} %`;
  const translated = count("translated");
  const lines = [`instructions ${total}`];
  if (translation === undefined) lines.push("nothing translated: --translate off");
  else {
    const { regions, live, instructions, modules, bytes, dropped, evicted, remade } = translation;
    lines.push(
      `translated ${share(translated)}, interpreted ${
        share(total - translated)
      }, of which behind bails ` +
        share(count("interpreted behind")),
      `regions ${regions} of ${instructions} instructions, ${live} alive, ${dropped} dropped, ${evicted} evicted, ` +
        `${remade} made again`,
      `modules ${modules}, ${bytes} bytes, generated in ${
        Math.round(translation.generationMs)
      } ms, ` +
        `compiled in ${Math.round(translation.compilationMs)} ms`,
    );
  }
  lines.push(
    `blocks decoded ${code.decoded}, dropped ${code.dropped}, all dropped ${code.flushes} times`,
    "run loop: " +
      Object.entries(run).map(([name, value]) => `${name} ${value}`).join(", ") +
      ` (${(run.dispatches * 1e6 / Math.max(total, 1)).toFixed(0)} dispatches per million)`,
  );
  for (const [prefix, title] of LISTS) {
    const list = [...counts].filter(([name]) => name.startsWith(prefix))
      .sort(([, a], [, b]) => b - a);
    if (list.length === 0) continue;
    const sum = list.reduce((all, [, value]) => all + value, 0);
    lines.push(`${title} ${sum}:`);
    for (const [name, value] of list.slice(0, TOP)) {
      lines.push(`  ${String(value).padStart(12)}  ${name.slice(prefix.length)}`);
    }
  }
  for (const name of SINGLE) lines.push(`${name} ${count(name)}`);
  return `${lines.join("\n")}\n`;
}

const LISTS = [
  ["assist ", "instructions in TypeScript, called by regions"],
  ["handler ", "instructions in the interpreter's handlers, called by regions"],
  ["bail ", "bails"],
  ["leave: ", "other ways out"],
] as const;
const SINGLE = ["entered", "nested call", "return", "indirect call", "indirect jump"] as const;
