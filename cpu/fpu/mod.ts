/**
 * The x87: semantics in Wasm, assists in TypeScript, and its state after reset. Rows: `cpu/isa/x87.ts`.
 * @module
 */
import type { Assists } from "../execute/assist.ts";
import { environmentAssists } from "./environment.ts";
import { rareAssists } from "./rare.ts";
import { transcendentalAssists } from "./transcendental.ts";

export { fpuRegisters } from "./registers.ts";
export { pendingException } from "./rare.ts";
export { fpuSemantics } from "./semantics.ts";
export { transcendentalSemantics } from "./transcendental_semantics.ts";
export { setPointers } from "./stack.ts";
export { fullTags, initializeFpu, setControlAndStatus, setFullTags } from "./environment.ts";

/** All x87 assists. */
export const fpuAssists: Assists = {
  ...environmentAssists,
  ...rareAssists,
  ...transcendentalAssists,
};
