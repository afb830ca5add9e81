/**
 * The bare-metal probe: a program that tries what only system software can, and prints what came of it. Built with
 * gcc, run on our processor.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../../cpu/mod.ts";

const HERE = new URL("./", import.meta.url);
/** Where built programs are kept. */
export const CACHE: URL = new URL("../../../.cache/differential/", import.meta.url);
const SOURCES = [
  "start.S",
  "main.c",
  "segments.c",
  "gates.c",
  "tasks.c",
  "virtual.c",
  "debug.c",
  "virtual.S",
  "paging.c",
  "flags.c",
  "instructions.c",
  "real.c",
  "real.S",
];
// deno-fmt-ignore
const FLAGS = [
  "-m32", "-O1", "-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-fno-stack-protector",
  "-mgeneral-regs-only", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
  "-Wl,-Ttext-segment=0x100000", "-Wl,-z,noexecstack", "-Wl,--build-id=none",
];
const RAM = 32 << 20;
const INSTRUCTIONS_MAX = 1e9;

/** True when a program of the host is there. */
export function hasTool(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** Builds the probe; returns its ELF file. */
export async function buildProbe(path: string): Promise<Uint8Array> {
  const files = SOURCES.map((name) => new URL(name, HERE).pathname);
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [...FLAGS, "-o", path, ...files],
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return await Deno.readFile(path);
}

/**
 * What the probe prints on our processor. `attach` sees the processor before it runs; `translateAfter`: entries of a block
 * until it is translated, 0 (the default): never.
 */
export function runProbe(
  elf: Uint8Array,
  options: { translateAfter?: number; attach?: (cpu: Cpu) => void } = {},
): string {
  const bytes: number[] = [];
  let done = false;
  const cpu: Cpu = new Cpu({
    ramBytes: RAM,
    translateAfter: options.translateAfter ?? 0,
    bus: {
      readPort: () => 0xff,
      writePort: (port, _size, value) => {
        if (port === 0xe9) bytes.push(value);
        else if (port === 0xf4) {
          done = true;
          cpu.requestStop();
        }
      },
      readMemory: () => 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  options.attach?.(cpu);
  // ELF32: program headers of type LOAD.
  const view = new DataView(elf.buffer, elf.byteOffset);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = view.getUint32(28, true) + 32 * i;
    if (view.getUint32(at, true) !== 1) continue;
    const offset = view.getUint32(at + 4, true);
    cpu.memory.write(
      view.getUint32(at + 12, true),
      elf.subarray(offset, offset + view.getUint32(at + 16, true)),
    );
  }
  cpu.enterFlatProtectedMode({ eip: view.getUint32(24, true), eax: 0x2badb002 });
  while (!done && cpu.instructions < INSTRUCTIONS_MAX) {
    const reason = cpu.run(10_000_000);
    if (reason !== "limit") break;
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
