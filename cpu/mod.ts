/**
 * An i386 processor: decoder, interpreter in WebAssembly, paging, faults, x87.
 *
 * Knows no host and no device. What it needs of a board is {@link Bus}.
 * @module
 */
export { Cpu } from "./cpu.ts";
export { CPU_MODELS, type CpuModel, DEFAULT_MODEL, modelHas } from "./system/mod.ts";
export {
  type Counter,
  type DiscontinuityEvent,
  Hooks,
  type MemoryEvent,
  type PortEvent,
  type TranslatedInstruction,
  type TranslationBlock,
} from "./hooks.ts";
export type { Bus, PhysicalMemory } from "./execute/units.ts";
export type { Registers } from "./state/registers.ts";
export type { StopReason } from "./execute/engine.ts";
