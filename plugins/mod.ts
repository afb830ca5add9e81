/**
 * Plugins: scripts that hook any instruction, memory access, interrupt or function of the guest.
 *
 * @module
 */
export * from "./api/mod.ts";
export { type LoadedPlugin, loadPlugin, PluginError } from "./loader.ts";
export { PluginManager } from "./host/manager.ts";
export type { PluginOutput, PluginTarget } from "./host/target.ts";
export { LINUX_I386 } from "./host/syscalls.ts";
export { type SymbolRange, SymbolTable } from "./host/symbols.ts";
