/**
 * Compares our code with gcc's on three programs, written alike in TypeScript and C:
 *
 *     deno run -A tests/bench/toolchain/compare_gcc.ts [RUNS]
 *
 * Prints the median run times of whole processes in ms and the ratio to `gcc -m32 -O1` and -O2; below
 * 1 we are faster. Both programs must end with the same exit code, a checksum.
 *
 * @module
 */

import { buildProgram } from "../../../toolchain/mod.ts";
import { type BenchmarkProgram, PROGRAMS } from "./programs.ts";

/** Programs allocate nothing; what the compiler refers to must exist all the same. */
const RUNTIME = `
/*@global*/ export function __alloc(_size: usize): usize { return 0; }
/*@global*/ export function __free(_address: usize): void {}
`;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

interface Measured {
  readonly code: number;
  readonly times: number[];
}

function runOnce(path: string, measured: Measured | undefined): Measured {
  const start = performance.now();
  const { code } = new Deno.Command(path).outputSync();
  const time = performance.now() - start;
  return { code, times: [...measured?.times ?? [], time] };
}

function compileC(source: string, level: string, target: string): void {
  const args = ["-m32", level, "-fno-pic", "-no-pie", "-o", target, source];
  const { success } = new Deno.Command("gcc", { args }).outputSync();
  if (!success) throw new Error(`gcc cannot compile ${source}`);
}

async function compare(program: BenchmarkProgram, runs: number, folder: string): Promise<string> {
  const { name, typescript, c: cText } = program;
  const sources: Record<string, string> = { "main.ts": typescript, "lib/runtime.ts": RUNTIME };
  const files = { read: (path: string) => sources[path], list: () => [] };
  const { elf } = await buildProgram({ root: "", entry: "main.ts", target: "user", files });
  const cFile = `${folder}/program.c`;
  Deno.writeTextFileSync(cFile, cText);
  Deno.writeFileSync(`${folder}/ours`, elf, { mode: 0o755 });
  compileC(cFile, "-O1", `${folder}/gcc1`);
  compileC(cFile, "-O2", `${folder}/gcc2`);
  const measured = new Map<string, Measured>();
  // Alternating, so that a busy moment of the machine hits all alike.
  for (let i = 0; i < runs; i++) {
    for (const file of ["ours", "gcc1", "gcc2"]) {
      measured.set(file, runOnce(`${folder}/${file}`, measured.get(file)));
    }
  }
  const [ours, first, second] = [...measured.values()] as [Measured, Measured, Measured];
  if (ours.code !== first.code || ours.code !== second.code) {
    throw new Error(`${name}: the programs compute ${ours.code}, ${first.code} and ${second.code}`);
  }
  const [a, b, c] = [median(ours.times), median(first.times), median(second.times)];
  const columns = [a, b, c].map((time) => time.toFixed(1).padStart(9)).join("");
  const ratios = [a / b, a / c].map((ratio) => ratio.toFixed(2).padStart(9)).join("");
  return `${name.padEnd(8)}${columns}${ratios}`;
}

async function main(): Promise<void> {
  const runs = Number(Deno.args[0] ?? 11);
  const folder = Deno.makeTempDirSync();
  try {
    console.log("program      ours  gcc -O1  gcc -O2 to -O1   to -O2   (medians, ms)");
    for (const program of PROGRAMS) console.log(await compare(program, runs, folder));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

main();
