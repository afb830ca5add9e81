/**
 * Makes `docs/coverage.md`: every opcode and form of the instruction table with the number of cases in which we did
 * what the processor of this machine did. System instructions cannot run there: for them it counts executions in the
 * bare-metal probe, whose output is compared with QEMU's (system/qemu_test.ts).
 *
 *     deno task coverage [--count N] [--seed N]
 *
 * Needs the native oracle and gcc.
 * @module
 */
import assert from "node:assert/strict";
import { Decoder, Instruction } from "../../cpu/isa/decode.ts";
import type { Row } from "../../cpu/isa/row.ts";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { CODE16, type Outcome, type TestCase } from "./case.ts";
import { describe } from "./compare.ts";
import { PARTS } from "./fuzz.ts";
import { InterpreterEngine } from "./interpreter.ts";
import { NativeEngine, startNative } from "./native.ts";
import { buildProbe, CACHE, runProbe } from "./system/probe.ts";

const FILE = new URL("../../docs/coverage.md", import.meta.url);
/** How a case ends that completes. */
const BREAKPOINT = 3;

/** The table's parts, in the order of the document. */
export const SECTIONS: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  ["Integer and system instructions", INTEGER],
  ["x87", X87],
  ["MMX, SSE and SSE2: integers, moves, state", SIMD],
  ["SSE and SSE2: floating point", SIMD_FLOAT],
];
const ROWS: readonly Row[] = SECTIONS.flatMap(([, rows]) => rows);

/** Forms of a row: operand in a register (or none) or memory, by operand size where the row depends on it. */
export const FORMS = ["register 16", "register 32", "memory 16", "memory 32"] as const;
type Form = typeof FORMS[number];

/** How the document names a row. */
export function rowName([opcode, operation, operands = ""]: Row): string {
  return `${opcode} | ${operation} | ${operands}`;
}

/** Which forms a row has; one of a size stands for both where the size makes no difference. */
export function formsOf(row: Row): Form[] {
  const [opcode, , operands = ""] = row;
  const tokens = operands === "" ? [] : operands.split(" ");
  const memoryOnly = / m$/.test(opcode) || tokens.some((token) => /^[MO]/.test(token));
  const either = tokens.some((token) => /^[EQW].$/.test(token) && token !== "ES");
  const register = !memoryOnly;
  const memory = memoryOnly || (either && !/ r$/.test(opcode));
  // Vectors, x87 and bytes have sizes of their own.
  const sized = INTEGER.includes(row) &&
    tokens.every((token) => /^(.[vz]|eAX|Is|M)$/.test(token)) &&
    tokens.length > 0;
  const sizes = sized ? ["16", "32"] : ["32"];
  return [...register ? ["register"] : [], ...memory ? ["memory"] : []]
    .flatMap((place) => sizes.map((size) => `${place} ${size}` as Form));
}

interface Tally {
  /** Native cases that agreed, and how many of them completed. */
  readonly passed: Record<Form, number>;
  completed: number;
  /** Executions in the probe. */
  readonly executed: { register: number; memory: number };
}

class Coverage {
  readonly decoder = new Decoder(ROWS);
  readonly tallies = new Map<Row, Tally>(ROWS.map((row) => [row, {
    passed: { "register 16": 0, "register 32": 0, "memory 16": 0, "memory 32": 0 },
    completed: 0,
    executed: { register: 0, memory: 0 },
  }]));
  readonly #out = new Instruction();
  total = 0;

  /** Counts a case that agreed under the row that its code decodes to. */
  pass(test: TestCase, native: Outcome): void {
    const { code } = test;
    const big = test.segments?.[1] !== CODE16;
    this.total++;
    if (this.decoder.decode(code, 0, code.length, test.eip, big, this.#out) <= 0) return;
    const { entry, isMemory, operandSize } = this.#out;
    if (entry === undefined) return;
    const tally = this.tallies.get(entry.row) as Tally;
    const sized = formsOf(entry.row).some((form) => form.endsWith("16"));
    const size = sized && operandSize === 2 ? "16" : "32";
    tally.passed[`${isMemory ? "memory" : "register"} ${size}`]++;
    if (native.vector === BREAKPOINT) tally.completed++;
  }
  /** The row of an instruction in code of unknown size. */
  rowOf(bytes: Uint8Array): { row: Row; place: "register" | "memory" } | undefined {
    for (const big of [true, false]) {
      const length = this.decoder.decode(bytes, 0, bytes.length, 0, big, this.#out);
      const { entry, isMemory } = this.#out;
      if (length === bytes.length && entry) {
        return { row: entry.row, place: isMemory ? "memory" : "register" };
      }
    }
    return undefined;
  }
}

/** Executions of each row in the probe. */
async function countSystem(coverage: Coverage): Promise<void> {
  await Deno.mkdir(CACHE, { recursive: true });
  const path = new URL(`coverage-probe-${Deno.pid}`, CACHE).pathname;
  const elf = await buildProbe(path);
  await Deno.remove(path);
  runProbe(elf, {
    attach: (cpu) => {
      cpu.hooks.onTranslate((block) => {
        for (const instruction of block.instructions) {
          const found = coverage.rowOf(instruction.bytes());
          if (found === undefined) continue;
          const { executed } = coverage.tallies.get(found.row) as Tally;
          instruction.onExecute(() => executed[found.place]++);
        }
      });
    },
  });
}

/** The document. */
function render(coverage: Coverage, options: { seed: number; count: number }): string {
  const lines = [
    "# Coverage of the instruction table",
    "",
    "Made by `deno task coverage`; do not edit. Of every encoding and form: cases in which registers, flags, memory,",
    "x87 and SSE state and the fault were those of the processor of the machine that made this file (one of Intel's).",
    "Two numbers are of 16-bit and 32-bit operand size. “Completed” are those of them that ended without a fault.",
    "“Probe” are executions (on registers · memory) in the bare-metal program whose output is compared with QEMU's:",
    "system instructions cannot run in a process.",
    "",
    `Seed ${options.seed}, ${options.count} cases an encoding and more: ${coverage.total} cases passed, ` +
    `${ROWS.length} encodings.`,
  ];
  for (const [title, rows] of SECTIONS) {
    lines.push("", `## ${title}`, "");
    lines.push("| Opcode | Operation | Operands | Register | Memory | Completed | Probe |");
    lines.push("| --- | --- | --- | --: | --: | --: | --: |");
    for (const row of rows) {
      const { passed, completed, executed } = coverage.tallies.get(row) as Tally;
      const forms = formsOf(row);
      const cell = (place: string): string => {
        const own = forms.filter((form) => form.startsWith(place));
        return own.length === 0 ? "" : own.map((form) => passed[form]).join(" / ");
      };
      const places = (["register", "memory"] as const)
        .filter((place) => forms.some((form) => form.startsWith(place)));
      const probe = places.some((place) => executed[place] > 0)
        ? places.map((place) => executed[place]).join(" · ")
        : "";
      lines.push(
        `| ${rowName(row)} | ${cell("register")} | ${cell("memory")} | ${completed} | ${probe} |`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

async function main(): Promise<void> {
  const native = await startNative();
  if (!(native instanceof NativeEngine)) {
    console.error(native.missing);
    Deno.exit(1);
  }
  const ours = new InterpreterEngine(native.hasLow);
  const coverage = new Coverage();
  const options = { seed: option("seed", 1), count: option("count", 200) };
  for (const [, compareAll] of PARTS) {
    const report = await compareAll({ native, ours }, {
      ...options,
      onPass: (test, outcome) => coverage.pass(test, outcome),
    });
    const first = report.differences[0];
    assert.equal(first, undefined, first && `${describe(first.test)}\n${first.text.join("\n")}`);
  }
  await native[Symbol.asyncDispose]();
  await countSystem(coverage);
  await Deno.writeTextFile(FILE, render(coverage, options));
  console.log(`${coverage.total} cases passed`);
}

if (import.meta.main) await main();
