/**
 * Numeric programs in SSE2, and processes and signal handlers that use the XMM registers at once: a C program says
 * the same natively and as process 1 of our kernel, under QEMU. Skipped where QEMU or a
 * compiler for i386 is missing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { bootProgram, hasTools, runHost, writeKernel } from "./program_boot.ts";

const SOURCE = new URL("floats.c", import.meta.url).pathname;
const FLAGS = "-m32 -static -O2 -msse2 -mfpmath=sse -ffp-contract=off".split(" ");
const FIRST_LINE = "begin of the list\n";
const LAST_LINE = "end of the list\n";

Deno.test({
  name: "programs in SSE2 compute what they compute natively, each with registers of its own",
  ignore: !hasTools,
  async fn() {
    const folder = await Deno.makeTempDir();
    const program = `${folder}/program`;
    assert.ok(runHost("gcc", [...FLAGS, "-o", program, SOURCE, "-lm"]).success);
    const expected = runHost(program, []).text;
    assert.ok(expected.startsWith(FIRST_LINE) && expected.endsWith(LAST_LINE));
    await writeKernel(folder);
    // QEMU sets the flags of MXCSR but raises no exception.
    const untilSignals = "begin of signals\n";
    const end = expected.indexOf(untilSignals) + untilSignals.length;
    const options = { cpu: "qemu32,+sse2", first: FIRST_LINE, last: untilSignals };
    assert.equal(await bootProgram(folder, program, options), expected.slice(0, end));
    await Deno.remove(folder, { recursive: true });
  },
});
