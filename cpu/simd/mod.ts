/**
 * MMX, SSE and SSE2: semantics in Wasm and assists in TypeScript. Rows: `cpu/isa/simd.ts`.
 * @module
 */
import type { Assists } from "../execute/assist.ts";
import type { Semantics } from "../execute/emit.ts";
import { guardAssists } from "./guard.ts";
import { integerSemantics } from "./integer.ts";
import { moveSemantics } from "./move.ts";
import { stateAssists, stateSemantics } from "./state.ts";

export { floatSemantics } from "./float_semantics.ts";

export { mmxRegisters, sseRegisters } from "./registers.ts";

/** The semantics of all but floating-point arithmetic by operation name. */
export const simdSemantics: Readonly<Record<string, Semantics>> = {
  ...integerSemantics,
  ...moveSemantics,
  ...stateSemantics,
};
/** All SIMD assists. */
export const simdAssists: Assists = { ...guardAssists, ...stateAssists };
