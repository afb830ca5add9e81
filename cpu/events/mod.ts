/**
 * Interrupts, exceptions, gates, far transfers; and the assists of all system instructions.
 * @module
 */
import type { Assists } from "../execute/assist.ts";
import { callFar, callFarM, jmpFar, jmpFarM } from "./far.ts";
import { iret } from "./iret.ts";
import { retFar } from "./returns.ts";
import { privilegedAssists } from "../system/mod.ts";
import { softwareAssists } from "./software.ts";

export { enterGate, eventSemantics } from "./fast.ts";
export { createEventUnit, Delivery } from "./delivery.ts";

/** Assists of all system instructions, by operation name. */
export const systemAssists: Assists = {
  ...privilegedAssists,
  ...softwareAssists,
  callFar,
  callFarM,
  iret,
  jmpFar,
  jmpFarM,
  retFar,
};
