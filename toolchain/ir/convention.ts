/**
 * How many words of a call's arguments travel in registers (`i386/registers.ts` says in which).
 *
 * @module
 */

import { I64 } from "./wasm_module.ts";

/** Registers that carry argument words. */
const ARGUMENT_REGISTER_COUNT = 3;

/**
 * How many leading argument words travel in registers. `types` are Wasm value types; an i64 takes two
 * words, and what follows the first argument that does not fit is on the stack too.
 */
export function registerWords(types: readonly number[]): number {
  let used = 0;
  for (const type of types) {
    const size = type === I64 ? 2 : 1;
    if (used + size > ARGUMENT_REGISTER_COUNT) break;
    used += size;
  }
  return used;
}
