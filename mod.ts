/**
 * Overture: an i386 PC programmed from TypeScript, and a Unix-like kernel that boots on it.
 *
 * As a program: `deno run -A mod.ts boot`. As a library:
 *
 * @example
 * ```ts
 * import { definePlugin, Machine } from "@overture/overture";
 * import assert from "node:assert/strict";
 *
 * const machine = new Machine({ ramBytes: 16 << 20 });
 * assert.equal(machine.cpu.instructions, 0);
 * assert.equal(definePlugin({ name: "p", description: "", install() {} }).name, "p");
 * ```
 *
 * @module
 */
export { Cpu, type Hooks, type StopReason } from "./cpu/mod.ts";
export * from "./devices/mod.ts";
export * from "./plugins/mod.ts";
export { buildProgram, CompileError } from "./toolchain/mod.ts";

if (import.meta.main) {
  const { main } = await import("./cli/main.ts");
  Deno.exitCode = await main(Deno.args);
  // Input may still be waited for: the program is over all the same.
  Deno.exit();
}
