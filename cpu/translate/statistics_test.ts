/**
 * The figures of the translator: what regions count is what was executed.
 * @module
 */
import assert from "node:assert/strict";
import type { Cpu } from "../mod.ts";
import { makeCpu } from "../test_cpu.ts";

/** mov ecx, 1000; L: mov edi, ecx; cpuid; mov ecx, edi; dec ecx; jnz L; hlt: CPUID is done in TypeScript. */
// deno-fmt-ignore
const PROGRAM = [0xb9, 0xe8, 3, 0, 0, 0x89, 0xcf, 0x0f, 0xa2, 0x89, 0xf9, 0x49, 0x75, 0xf7, 0xf4];

function run(now?: () => number, program: readonly number[] = PROGRAM): Cpu {
  const cpu = makeCpu(program, 10, now);
  // Code is translated between two runs.
  for (let i = 0; i < 100 && !cpu.halted; i++) cpu.run(100);
  assert.ok(cpu.halted);
  return cpu;
}

Deno.test("counts of translated code are exact", () => {
  let time = 0;
  const cpu = run(() => time += 0.5);
  const counts = cpu.translationCounts;
  const assists = counts.get("assist cpuid") ?? 0;
  assert.ok(assists > 800 && assists <= 990, [...counts].join("; "));
  // Each turn has five instructions, CPUID among them; a run may begin in the middle of one.
  const entered = counts.get("entered") ?? 0;
  const translated = counts.get("translated") ?? 0;
  assert.ok(
    translated >= assists * 5 && translated <= assists * 5 + 5 * entered,
    [...counts].join("; "),
  );
  const { regions, live, generationMs, compilationMs } = cpu.translation ?? assert.fail();
  assert.equal(regions, live);
  assert.ok(generationMs > 0 && compilationMs > 0);
  const { dispatches, hot } = cpu.runStatistics;
  assert.ok(hot > 0 && dispatches > hot);
});

Deno.test("without a clock nothing is counted, and the run is the same", () => {
  const [counting, plain] = [run(() => 0), run()];
  assert.equal(plain.translationCounts.size, 0);
  assert.equal(plain.instructions, counting.instructions);
  assert.equal(plain.translation?.generationMs, 0);
  assert.equal(plain.translation?.regions, counting.translation?.regions);
});

Deno.test("a small function in another page returns into the region of its caller", () => {
  // deno-fmt-ignore: mov ecx, 1000; L: call F; dec ecx; jnz L; hlt; … F: inc eax; ret
  const caller = [0xb9, 0xe8, 3, 0, 0, 0xe8, 0xf6, 0x0f, 0, 0, 0x49, 0x75, 0xf8, 0xf4];
  const program = [...caller, ...new Array<number>(0x1000 - caller.length).fill(0x90), 0x40, 0xc3];
  const cpu = run(() => 0, program);
  assert.equal(cpu.registers.get("eax"), 1000);
  const counts = cpu.translationCounts;
  const turns = (counts.get("translated") ?? 0) / 5;
  assert.ok(turns > 500, [...counts].join("; "));
  // A run that ends in the function makes a region of what is left of it, which returns to nobody.
  assert.ok((counts.get("return") ?? 0) < turns / 4, [...counts].join("; "));
});

Deno.test("control registers are read inside regions", () => {
  // deno-fmt-ignore: mov ecx, 1000; L: mov eax, cr0; add ebx, eax; mov edx, cr3; dec ecx; jnz L; hlt
  const program = [0xb9, 0xe8, 3, 0, 0, 0x0f, 0x20, 0xc0, 1, 0xc3, 0x0f, 0x20, 0xda, 0x49, 0x75, 0xf5, 0xf4];
  const cpu = run(() => 0, program);
  const cr0 = cpu.registers.get("cr0");
  assert.ok((cr0 & 1) === 1);
  assert.deepEqual(
    ["eax", "ebx", "edx"].map((name) => cpu.registers.get(name)),
    [cr0, (cr0 * 1000) % 2 ** 32, 0],
  );
  const counts = cpu.translationCounts;
  assert.ok((counts.get("translated") ?? 0) > 3000, [...counts].join("; "));
  assert.equal(counts.get("assist movFromControl"), undefined);
});
