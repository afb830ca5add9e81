/**
 * The benchmarks themselves: the kernel computes the same on our machine, interpreted and translated, as natively and
 * on QEMU.
 *
 * Needs gcc with -m32; QEMU where there is one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { buildKernel, canBuildKernel, kernelPrograms, nativeChecksums } from "./build_kernel.ts";
import { type Emulator, ours, QEMU, runGuest } from "./emulators.ts";
import { geometricMean, median, table } from "./figures.ts";
import { readParts } from "./linux/compare.ts";
import { readMarks } from "./results.ts";

/** So few iterations that the whole takes seconds. */
const DIVIDE = 1000;
const SECONDS = 120;

const hasQemu = spawnSync("qemu-system-i386", ["--version"]).status === 0;

async function checksums(emulator: Emulator, kernel: string): Promise<Map<string, string>> {
  const append = `runs=2 divide=${DIVIDE}`;
  const marks = await runGuest(emulator, { kernel, append, ramMiB: 64 }, {
    last: (line) => line === "done" || line.startsWith("failed"),
    secondsForLine: SECONDS,
  });
  assert.equal(marks.at(-1)?.line, "done");
  return new Map(readMarks(marks).checksums);
}

Deno.test({
  name: "bench: the programs' checksums are equal interpreted, translated, natively and on QEMU",
  ignore: !canBuildKernel(),
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      const kernel = buildKernel(folder);
      const interpreted = await checksums(ours({ translateAfter: 0 }), kernel);
      assert.deepEqual([...interpreted.keys()], [...kernelPrograms().keys()]);
      assert.deepEqual(await checksums(ours({ translateAfter: 20 }), kernel), interpreted);
      for (const [name, expected] of nativeChecksums(folder, DIVIDE)) {
        assert.equal(interpreted.get(name), expected, `${name}: natively`);
      }
      if (hasQemu) assert.deepEqual(await checksums(QEMU, kernel), interpreted);
      else console.log("Left out: no qemu-system-i386");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("bench: a program's first and last run are told apart, and a changed checksum is an error", () => {
  const mark = (line: string, cpuSeconds: number) => ({
    line,
    cpuSeconds,
    wallSeconds: 0,
    peakMiB: 7,
  });
  const lines = [
    mark("begin crc32 1", 1),
    mark("end crc32 1 0000abcd", 4),
    mark("begin crc32 2", 5),
    mark("end crc32 2 0000abcd", 5.5),
    mark("skip sysenter the processor has no SYSENTER", 5.5),
  ];
  assert.deepEqual(readMarks(lines), {
    programs: new Map([["crc32", { first: 3, steady: 0.5 }]]),
    checksums: new Map([["crc32", "0000abcd"]]),
    skipped: ["sysenter the processor has no SYSENTER"],
    peakMiB: 7,
  });
  const wrong = [...lines.slice(0, 3), mark("end crc32 2 0000abce", 6)];
  assert.throws(() => readMarks(wrong), /crc32: one run's checksum is 0000abcd, the next one's/);
});

Deno.test("bench: medians, means and columns", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.ok(Math.abs(geometricMean([0.5, 8]) - 2) < 1e-12);
  assert.equal(table([["a", "1.5"], ["bcd", "10"]]), "a    1.5\nbcd   10");
});

Deno.test("bench: parts of a Linux run from its marks", () => {
  const mark = (line: string, wallSeconds: number) => ({
    line,
    wallSeconds,
    cpuSeconds: wallSeconds / 2,
    peakMiB: 100 + wallSeconds,
  });
  const run = readParts([
    mark("[    0.0] Linux", 1),
    mark("=== begin ===", 4),
    mark("part awk", 5),
    mark("0123", 6),
    mark("part sort", 7),
    mark("part end", 10),
  ]);
  assert.deepEqual(
    run.wall,
    new Map([["to the shell", 4], ["awk", 2], ["sort", 3], ["workload", 6]]),
  );
  assert.equal(run.cpu.get("workload"), 3);
  assert.equal(run.output, "0123");
  assert.equal(run.peakMiB, 110);
  assert.throws(() => readParts([mark("panic", 1)]), /did not reach the shell/);
});
