/**
 * The profile of a boot to Debian's bash, from the kernel's entry until it waits for input: the same bytes twice, however
 * much of the guest's code is translated, and every sample named.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseFolded } from "../../plugins/profiler/mod.ts";
import { buildKernel } from "../../toolchain/image/mod.ts";
import { sources } from "../kernel/user_program.ts";
import { debianPrograms } from "./debian.ts";

const PROGRAM = fileURLToPath(new URL("../../mod.ts", import.meta.url));
/** What a stack may begin with: the kernel's entries, or a process by its name. */
const ROOTS = ["kernel_main", "interrupt_handler", "bash", "init"];

Deno.test("profile: a boot to bash gives the same folded stacks twice, named to their roots", async () => {
  const programs = debianPrograms();
  if (programs === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "profile-"));
  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(Deno.execPath(), ["run", "--no-check", "-A", PROGRAM, ...args], {
      cwd: folder,
      encoding: "utf8",
      timeout: 120_000,
    });
  const overture = (...args: string[]): string => {
    const { status, stderr } = run(...args);
    assert.equal(status, 0, stderr);
    return stderr;
  };
  try {
    writeFileSync(join(folder, "kernel"), await buildKernel(sources));
    overture(
      "image",
      "build",
      "disk.img",
      "--empty",
      "--kernel",
      "kernel",
      "--add",
      `${programs.bash}=/bin/bash`,
    );
    const before = readFileSync(join(folder, "disk.img"));
    const options = ["--append", "init=/bin/bash", "--period", "2000"];
    const summary = overture("profile", "disk.img", "-o", "first.folded", ...options);
    overture("profile", "disk.img", "-o", "second.folded", ...options);
    const folded = readFileSync(join(folder, "first.folded"), "utf8");
    assert.equal(readFileSync(join(folder, "second.folded"), "utf8"), folded);
    for (const when of ["off", "1", "20"]) {
      overture("profile", "disk.img", "-o", "translated.folded", ...options, "--translate", when);
      assert.equal(readFileSync(join(folder, "translated.folded"), "utf8"), folded, when);
    }
    assert.ok(readFileSync(join(folder, "disk.img")).equals(before), "the image is as it was");

    const stacks = parseFolded(folded);
    assert.ok(stacks.total > 500, `${stacks.total} samples`);
    let named = 0;
    let rooted = 0;
    for (const { stack, count } of stacks.entries()) {
      const frames = stack.split(";");
      if (frames.at(-1) !== "[unknown]") named += count;
      if (ROOTS.includes(frames[0]!)) rooted += count;
    }
    assert.ok(named >= 0.95 * stacks.total, `${named} of ${stacks.total} samples have a symbol`);
    assert.ok(rooted >= 0.95 * stacks.total, `${rooted} of ${stacks.total} samples reach a root`);
    const [, symbol, root] = /with a symbol ([\d.]+)%, to a known root ([\d.]+)%/.exec(summary)!;
    assert.ok(Number(symbol) >= 95 && Number(root) >= 95, summary);
    // What a boot to bash is known to do.
    assert.match(folded, /^kernel_main;/m);
    assert.match(folded, /^bash;\[bash\];syscall_handler;/m);
    assert.match(folded, /^bash;.*;page_fault_handler;/m);

    overture("profile", "disk.img", "-o", "boot.svg", ...options);
    assert.match(readFileSync(join(folder, "boot.svg"), "utf8"), /data-n="kernel_main"/);

    // Other formats; a part of the samples; limits.
    for (const name of ["boot.pb.gz", "boot.speedscope.json", "boot.perf"]) {
      const part = ["-U", "--comm", "bash", "--max-depth", "8", "-d", "1"];
      const said = overture("profile", "disk.img", "-o", name, ...options, ...part);
      const once = readFileSync(join(folder, name));
      assert.match(said, /user 100.0%/);
      overture("profile", "disk.img", "-o", name, ...options, ...part);
      assert.ok(readFileSync(join(folder, name)).equals(once), name);
    }
    const limits = ["--fail-if", "self(kernel_main) > 90%", "--fail-if", "bash > 0.1%"];
    const limited = run("profile", "disk.img", "-o", "kernel.folded", ...options, "-K", ...limits);
    assert.equal(limited.status, 1);
    assert.match(limited.stderr, /--fail-if "bash > 0.1%": bash has \d/);
    assert.doesNotMatch(limited.stderr, /self\(kernel_main\)/);

    // What was written, compared.
    const report = run("profile", "report", "first.folded", "--top", "3");
    assert.equal(report.stdout.split("\n").length, 5, report.stdout);
    overture("profile", "diff", "first.folded", "kernel.folded", "-o", "diff.svg");
    assert.match(readFileSync(join(folder, "diff.svg"), "utf8"), /hsl\(214,/);
    const differences = run("profile", "diff", "first.folded", "kernel.folded").stdout;
    assert.match(differences, /^bash;\[bash\] \d+ 0$/m);
    const wrong = run("profile", "report", "boot.svg");
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /"boot.svg" has no folded stacks/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
