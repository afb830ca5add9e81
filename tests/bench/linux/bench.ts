/**
 * Instructions and seconds from the kernel's entry to the first program of Debian's Linux, here and on QEMU (TCG),
 * with the same files, one after the other.
 *
 * `deno run -A tests/bench/linux/bench.ts [pae] [option of the kernel]...`
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busybox, linuxInitrd, linuxPackage, runOurs, runQemu } from "../../boots/linux.ts";

const LIMIT = 40e9;
const QEMU_TIMEOUT_MS = 300_000;

const [first, ...rest] = Deno.args;
const options = first === "pae" ? rest : Deno.args;
const image = linuxPackage(first === "pae" ? "686-pae" : "686");
const tools = busybox();
if (image === undefined || tools === undefined) Deno.exit(1);
const folder = mkdtempSync(join(tmpdir(), "overture-bench-"));
try {
  const initrd = linuxInitrd({ busybox: tools, script: "uptime\n" });
  const initrdPath = join(folder, "initrd");
  writeFileSync(initrdPath, initrd);
  const append = ["console=ttyS0", "panic=-1", ...options].join(" ");
  const run = { kernel: image.kernel, initrd, append };
  const theirs = runQemu({ ...run, initrdPath, timeoutMs: QEMU_TIMEOUT_MS });
  const { begun, reason } = runOurs({ ...run, limit: LIMIT });
  console.log(
    `${image.kernel.replace(/.*\//, "")}: ${
      (begun.instructions / 1e6).toFixed(0)
    } million instructions, ${begun.seconds.toFixed(1)} s (${
      (begun.instructions / 1e6 / begun.seconds).toFixed(0)
    } million/s), ended by ${reason.type}`,
  );
  if (theirs !== undefined) {
    console.log(
      `QEMU TCG: ${theirs.seconds.toFixed(1)} s; ours takes ${
        (begun.seconds / theirs.seconds).toFixed(1)
      } times as long`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
