/**
 * An i386 processor: decoder, interpreter in WebAssembly, paging, faults, x87.
 *
 * Knows no host and no device. @see ARCHITECTURE.md
 * @module
 */
export type { Bus } from "./execute/units.ts";
