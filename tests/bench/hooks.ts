/**
 * What plugins cost: compiled C programs with hooks of each kind, relative to the same without any.
 *
 *     deno run -A tests/bench/hooks.ts [--rounds N] [--only KIND,…] [--programs sort,…] [--translate N] [--million N]
 *
 * Each kind has a processor of its own, which has run the program before: times are of warm code, CPU time of the
 * process, the kinds in turn, the median of the ratios of the rounds. Beside them are the ratios of the plugins of the
 * same kind on QEMU's TCG (7.2, plugins in C, its own speed without a plugin = 1), where they are known.
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { parseArgs } from "node:util";
import { TRANSLATE_AFTER } from "../../devices/mod.ts";
import type { Counter, Cpu } from "../../cpu/mod.ts";
import { begin, compile, makeCpu, SUITES } from "./cpu/bench.ts";
import { geometricMean, median, ratio, table } from "./figures.ts";

/** A kind of hook: installs it, and says how often it should have been heard of. */
interface Kind {
  readonly name: string;
  readonly qemu: number | undefined;
  /** Returns the count so far. */
  install(cpu: Cpu): () => number;
  /** How many times slower it is allowed to be run: fewer rounds of the program. */
  readonly divide: number;
  /** It counts each instruction once. */
  readonly exact?: boolean;
}

function counted(cpu: Cpu, use: (counter: Counter) => void): () => number {
  const counter = cpu.hooks.counter();
  use(counter);
  return () => Number(counter.value);
}

const KINDS: readonly Kind[] = [
  { name: "none", qemu: 1, install: () => () => 0, divide: 1 },
  {
    name: "instructions, inline",
    qemu: 1.23,
    divide: 1,
    exact: true,
    install: (cpu) =>
      counted(cpu, (counter) =>
        void cpu.hooks.onTranslate((block) => {
          for (const one of block.instructions) one.addInline(counter, 1);
        })),
  },
  {
    name: "instructions by blocks, inline",
    qemu: undefined,
    divide: 1,
    exact: true,
    install: (cpu) =>
      counted(
        cpu,
        (counter) =>
          void cpu.hooks.onTranslate((block) =>
            block.addInline(counter, block.instructions.length)
          ),
      ),
  },
  {
    name: "blocks, inline",
    qemu: 1.04,
    divide: 1,
    install: (cpu) =>
      counted(cpu, (counter) => void cpu.hooks.onTranslate((block) => block.addInline(counter, 1))),
  },
  {
    name: "callback per block",
    qemu: 1.15,
    divide: 4,
    install: (cpu) => {
      let count = 0;
      cpu.hooks.onTranslate((block) => block.onExecute(() => void count++));
      return () => count;
    },
  },
  {
    name: "callback per instruction",
    qemu: 2.8,
    divide: 10,
    exact: true,
    install: (cpu) => {
      let count = 0;
      cpu.hooks.onTranslate((block) => {
        for (const one of block.instructions) one.onExecute(() => void count++);
      });
      return () => count;
    },
  },
  {
    name: "memory callback",
    qemu: 2.8,
    divide: 20,
    install: (cpu) => {
      let count = 0;
      cpu.hooks.onTranslate((block) => {
        for (const one of block.instructions) one.onMemory(() => void count++);
      });
      return () => count;
    },
  },
];

/** Instructions of a block. */
const MAX_BLOCK = 64;
/** Rounds of a program: it does not come to an end here. */
const FOR_EVER = 0x7fffffff;

class Running {
  readonly kind: Kind;
  readonly #cpu: Cpu;
  readonly #count: () => number;

  constructor(kind: Kind, cpu: Cpu) {
    this.kind = kind;
    this.#cpu = cpu;
    this.#count = kind.install(cpu);
  }
  /** CPU seconds per instruction of the next so many. */
  measure(instructions: number): number {
    const before = this.#count();
    const from = process.cpuUsage();
    assert.equal(this.#cpu.run(instructions), "limit");
    const { user, system } = process.cpuUsage(from);
    const heard = this.#count() - before;
    // A block that the end of the run cuts in two has been counted as a whole.
    if (this.kind.exact === true) assert.ok(Math.abs(heard - instructions) <= MAX_BLOCK);
    else assert.ok(heard <= 2 * instructions, `${this.kind.name}: ${heard} of ${instructions}`);
    return (user + system) / 1e6 / instructions;
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    programs: { type: "string" },
    translate: { type: "string", default: String(TRANSLATE_AFTER) },
    million: { type: "string", default: "100" },
  },
});
const folder = await Deno.makeTempDir();
try {
  const [suite] = SUITES;
  const { image } = await compile(folder, suite);
  const kinds = KINDS.filter(({ name }) =>
    values.only === undefined || name === "none" || values.only.split(",").includes(name)
  );
  const ratios = new Map(kinds.map(({ name }) => [name, [] as string[]]));
  const all = new Map(kinds.map(({ name }) => [name, [] as number[]]));
  const names: string[] = [];
  const instructions = 1e6 * Number(values.million);
  for (const [index, [name]] of suite.programs.entries()) {
    if (values.programs?.split(",").includes(name) === false) continue;
    names.push(name);
    const machines = kinds.map((kind) => {
      const cpu = makeCpu(image, Number(values.translate));
      begin(cpu, image, index, FOR_EVER);
      return new Running(kind, cpu);
    });
    for (const one of machines) one.measure(instructions / one.kind.divide);
    const times = machines.map((): number[] => []);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [i, one] of machines.entries()) {
        times[i]?.push(one.measure(instructions / one.kind.divide));
      }
    }
    for (const [i, one] of machines.entries()) {
      const value = median(
        (times[i] ?? []).map((time, round) => time / (times[0]?.[round] ?? NaN)),
      );
      ratios.get(one.kind.name)?.push(ratio(value));
      all.get(one.kind.name)?.push(value);
    }
  }
  console.log(table([
    ["hook", ...names, "all", "QEMU"],
    ...kinds.map(({ name, qemu }) => [
      name,
      ...ratios.get(name) ?? [],
      ratio(geometricMean(all.get(name) ?? [])),
      qemu === undefined ? "" : String(qemu),
    ]),
  ]));
} finally {
  await Deno.remove(folder, { recursive: true });
}
