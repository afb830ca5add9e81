/**
 * A kernel on our machine, as a process of its own: COM1 goes to standard output.
 *
 * `deno run -A ours.ts JSON` with the fields of {@link GuestOptions}; `checkout` is the folder of the Overture that
 * is measured, `translateAfter` the entries of a block until it is translated.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { CpuModel } from "../../../cpu/mod.ts";
import type { GuestOptions } from "../emulators.ts";

const STEP = 50_000_000;

async function main(): Promise<void> {
  const options = JSON.parse(Deno.args[0] ?? "") as GuestOptions & {
    readonly checkout: string;
    readonly translateAfter: number;
    readonly cpu: CpuModel;
  };
  const module = pathToFileURL(`${options.checkout}/devices/mod.ts`).href;
  const { Machine } = await import(module) as typeof import("../../../devices/mod.ts");
  const machine = new Machine({
    ramBytes: options.ramMiB << 20,
    cpu: options.cpu,
    translateAfter: options.translateAfter,
    serial: (bytes) => {
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    },
  });
  machine.loadKernel(readFileSync(options.kernel), options.append, {
    name: "kernel",
    ...(options.initrd === undefined
      ? {}
      : { initrd: { bytes: readFileSync(options.initrd), name: "initrd" } }),
  });
  while (machine.runSync(STEP) === undefined) {
    // The host's timers and the engine's background compilation get a turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

await main();
