/**
 * Small kernels, and machines as plugins see them, for tests.
 *
 * @module
 */
import type { Machine } from "../devices/mod.ts";
import type { PluginTarget } from "./manager.ts";
import { SymbolTable } from "./symbols.ts";

/** Where a kernel is loaded, and its first instruction. */
export const LOAD: number = 0x100000;
export const ENTRY: number = LOAD + 32;
const BYTES = 4096;

/** A Multiboot 1 kernel of `code`, without ELF (Multiboot 0.6.96, §3.1: magic, flags, checksum and addresses). */
export function rawKernel(code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  [0x1badb002, 0x10000, -(0x1badb002 + 0x10000), LOAD, LOAD, 0, 0, ENTRY]
    .forEach((word, index) => view.setInt32(4 * index, word, true));
  bytes.set(code, ENTRY - LOAD);
  return bytes;
}
/** What plugins run on, of a machine whose kernel is one function `main`. */
export function pluginTarget(machine: Machine): PluginTarget {
  return {
    cpu: machine.cpu,
    now: () => machine.clock.now(),
    instructionsPerSecond: 1e8,
    stop: () => machine.stop(),
    hold: (until) => machine.hold(until),
    kernel: new SymbolTable("kernel", [{ name: "main", address: ENTRY, size: 64 }], [], [
      { start: LOAD, end: LOAD + BYTES },
    ]),
    program: () => undefined,
  };
}
