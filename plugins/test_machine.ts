/**
 * Small kernels, and machines as plugins see them, for tests.
 *
 * @module
 */
import { Machine } from "../devices/mod.ts";
import { readOptions } from "./loader.ts";
import {
  type AnyPlugin,
  type LoadedPlugin,
  PluginManager,
  type PluginTarget,
  SymbolTable,
} from "./mod.ts";

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
/** One function. */
const MAIN: readonly KernelSymbol[] = [{ name: "main", address: ENTRY, size: 64 }];
/** A function of a test's kernel. */
export interface KernelSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}
/** What plugins run on, of a machine whose kernel has these functions. */
export function pluginTarget(
  machine: Machine,
  functions: readonly KernelSymbol[] = MAIN,
): PluginTarget {
  return {
    cpu: machine.cpu,
    now: () => machine.clock.now(),
    instructionsPerSecond: 1e8,
    stop: () => machine.stop(),
    hold: (until) => machine.hold(until),
    advanceTo: (ns) => {
      machine.clock.skipTo(ns);
      machine.cpu.requestStop();
    },
    device: (physical) => machine.board.addresses.at(physical)?.name,
    port: (port) => machine.board.ports.at(port)?.name,
    kernel: new SymbolTable("kernel", [...functions], [], [
      { start: LOAD, end: LOAD + BYTES },
    ]),
    binary: { path: "kernel", startCode: LOAD, endCode: LOAD + BYTES, entryCode: ENTRY },
    program: () => undefined,
  };
}

/** How a run with plugins went. */
export interface PluginRun {
  /** What the plugins printed. */
  readonly texts: readonly string[];
  /** What was said of plugins that failed. */
  readonly failures: readonly string[];
  /** What the guest wrote to port E9h. */
  readonly debug: string;
  /** Names of plugins that failed. */
  readonly failed: readonly string[];
  readonly machine: Machine;
}

/** How {@link runPlugins} runs. */
export interface RunOptions {
  readonly translateAfter?: number;
  readonly prepare?: (machine: Machine) => void;
  readonly functions?: readonly KernelSymbol[];
}
/** Runs a kernel with plugins, whose options have their defaults, to its end or for 100,000 instructions. */
export function runPlugins(
  kernel: Uint8Array,
  plugins: readonly AnyPlugin[],
  options: RunOptions = {},
): PluginRun {
  const loaded = plugins.map((definition) => ({
    definition,
    options: readOptions(definition, new Map()),
  }));
  return runLoaded(kernel, loaded, options);
}
/** The same with plugins that have their options. */
export function runLoaded(
  kernel: Uint8Array,
  plugins: readonly LoadedPlugin[],
  options: RunOptions = {},
): PluginRun {
  const texts: string[] = [];
  const failures: string[] = [];
  let debug = "";
  const machine = new Machine({
    ramBytes: 8 << 20,
    ...(options.translateAfter === undefined ? {} : { translateAfter: options.translateAfter }),
    debug: (bytes) => debug += new TextDecoder().decode(bytes),
  });
  machine.loadKernel(kernel, "");
  options.prepare?.(machine);
  const manager = new PluginManager(pluginTarget(machine, options.functions), {
    text: (_plugin, text) => texts.push(text),
    failure: (message) => failures.push(message),
  });
  for (const plugin of plugins) manager.install(plugin);
  machine.runSync(100_000);
  manager.exit();
  return { texts, failures, debug, failed: manager.failed, machine };
}
