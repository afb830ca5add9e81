/**
 * Processes, signals, threads and memory: a C program says the same natively and as process 1 of our
 * kernel: under QEMU with SYSENTER and FXSAVE and without, and on our machine. Skipped where QEMU or a compiler for i386
 * is missing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { bootProgram, hasTools, runHost, writeKernel } from "./program_boot.ts";

const SOURCE = new URL("processes.c", import.meta.url).pathname;
const LAST_LINE = "end of the list\n";

Deno.test({
  name: "processes, signals, threads and memory are those of Linux",
  ignore: !hasTools,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    const program = `${folder}/program`;
    assert.ok(runHost("gcc", ["-m32", "-static", "-O1", "-o", program, SOURCE]).success);
    const expected = runHost(program, []).text;
    assert.ok(expected.endsWith(LAST_LINE));
    await writeKernel(folder);
    for (const cpu of ["qemu32", "pentium,+cmov", undefined]) {
      await t.step(cpu ?? "our machine", async () => {
        const output = await bootProgram(folder, program, { cpu, first: "fork ", last: LAST_LINE });
        assert.equal(output, expected);
      });
    }
    await Deno.remove(folder, { recursive: true });
  },
});
