/**
 * An i386 processor, of a model from 386 to Pentium 4: decoder, interpreter in WebAssembly, paging, faults, x87,
 * MMX, SSE, SSE2.
 *
 * Knows no host and no device. What it needs of a board is {@link Bus}.
 * @module
 */
export { Cpu } from "./cpu.ts";
export { CPU_MODELS, type CpuModel, DEFAULT_MODEL, type Feature, modelHas } from "./system/mod.ts";
export {
  type AddressRange,
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
export type { RunStatistics } from "./execute/engine.ts";
export type { TranslatorStatistics } from "./translate/mod.ts";
