/**
 * A kernel on v86 (npm `v86`), as a process of its own: COM1 goes to standard output.
 *
 * `deno run -A v86.ts JSON` with the fields of {@link GuestOptions}. A Multiboot kernel is entered without a BIOS;
 * Linux needs `bios`, which a bzImage's option ROM is called by.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { V86, type V86Image } from "v86";
import type { GuestOptions } from "../emulators.ts";

function main(): void {
  const options = JSON.parse(Deno.args[0] ?? "") as GuestOptions & { readonly bios?: string };
  const wasm = join(dirname(createRequire(import.meta.url).resolve("v86")), "v86.wasm");
  const image = (path: string): V86Image => ({ buffer: readFileSync(path).buffer as ArrayBuffer });
  const emulator = new V86({
    wasm_path: wasm,
    memory_size: options.ramMiB << 20,
    vga_memory_size: 1 << 20,
    cmdline: options.append,
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    ...(options.bios === undefined
      ? { multiboot: image(options.kernel) }
      : { bzimage: image(options.kernel), bios: image(options.bios) }),
    ...(options.initrd === undefined ? {} : { initrd: image(options.initrd) }),
  });
  // A byte at a time would be a system call a byte.
  let line: number[] = [];
  emulator.add_listener("serial0-output-byte", (byte: number) => {
    line.push(byte);
    if (byte !== 10) return;
    Deno.stdout.writeSync(new Uint8Array(line));
    line = [];
  });
}

main();
