/**
 * The examples on a real boot: our kernel to the shell's prompt with each of them loaded by the command line.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildKernel } from "../../toolchain/image/mod.ts";
import { buildUserProgram, sources } from "../kernel/user_program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("examples: each watches a whole boot and reports at its end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "examples-"));
  const overture = (...args: string[]): { stdout: string; stderr: string } => {
    const { status, stdout, stderr } = spawnSync(
      Deno.execPath(),
      ["run", "--no-check", "-A", join(ROOT, "mod.ts"), ...args],
      { cwd: folder, encoding: "utf8", timeout: 120_000, input: "poweroff\n" },
    );
    assert.equal(status, 0, stderr);
    return { stdout, stderr };
  };
  try {
    writeFileSync(join(folder, "kernel"), await buildKernel(sources));
    const build = ["image", "build", "disk.img", "--empty", "--kernel", "kernel"];
    for (const program of ["sbin/init", "sbin/poweroff", "bin/sh"]) {
      const name = program.replace("/", "-");
      writeFileSync(join(folder, name), await buildUserProgram(`kernel/user/${program}.ts`), {
        mode: 0o755,
      });
      build.push("--add", `${name}=/${program}`);
    }
    overture(...build);
    const boot = (example: string): string => {
      const { stdout, stderr } = overture(
        "boot",
        "disk.img",
        "--snapshot",
        "--plugin",
        join(ROOT, "examples", example),
      );
      assert.match(stdout, /Power down/);
      return stderr;
    };
    const counts = boot("instruction_count.ts,top=5").trimEnd().split("\n");
    assert.equal(counts.length, 6, counts.join("\n"));
    const total = Number(/^(\d+) instructions$/.exec(counts[0]!)![1]);
    const shown = counts.slice(1).map((line) => Number(/^ *(\d+) {2}\w+$/.exec(line)![1]));
    assert.ok(total > 500_000 && shown.reduce((sum, count) => sum + count, 0) < total);
    assert.deepEqual(shown, shown.toSorted((a, b) => b - a));

    const map = boot("memory_heat_map.ts").trimEnd().split("\n");
    // The kernel's text and data lie from 1 MiB on.
    assert.ok(
      map.some((line) => line.startsWith("00100000 |")) ||
        map.some((line) => line.startsWith("00400000 |")),
    );
    assert.match(map.at(-1)!, /^\d+ accesses to memory, \d+ to devices/);

    const latencies = boot("interrupt_latency.ts").trimEnd().split("\n");
    const rows = latencies.slice(1).map((line) => line.trim().split(/\s+/).map(Number));
    assert.match(latencies[0]!, /^vector +count +average +longest/);
    // The timer, the serial line and the disk interrupt; each handler runs some dozens to thousands of instructions.
    assert.ok(rows.length >= 3, latencies.join("\n"));
    for (const [vector, count, average, longest] of rows) {
      assert.ok(
        vector! >= 32 && count! > 0 && average! > 10 && longest! >= average!,
        latencies.join("\n"),
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
