/**
 * Interrupts, exceptions, gates, far transfers; and the assists of all system instructions.
 * @module
 */
import type { Assists, RecordAssists } from "../execute/assist.ts";
import type { Semantics } from "../execute/emit.ts";
import { callFar, callFarM, jmpFar, jmpFarM } from "./far.ts";
import { enterGate, gateSemantics, leaveGate, sysenter, sysexit } from "./fast.ts";
import { loadSegment, segmentSemantics } from "./fast_segments.ts";
import type { Exported } from "../execute/handlers.ts";
import { iret } from "./iret.ts";
import { retFar } from "./returns.ts";
import { privilegedAssists, privilegedRecordAssists } from "../system/mod.ts";
import { softwareAssists } from "./software.ts";

export { createEventUnit, Delivery } from "./delivery.ts";

/** Functions in Wasm that the engine or translated code calls by name. */
export const eventFunctions: Exported = {
  enterGate,
  leaveGate,
  sysenter,
  sysexit,
  loadSegment,
};

/** Semantics of events, returns and segment loads in Wasm, by operation name. */
export const eventSemantics: Readonly<Record<string, Semantics>> = {
  ...gateSemantics,
  ...segmentSemantics,
};

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

/** Those of system instructions that read the record themselves. */
export const systemRecordAssists: RecordAssists = privilegedRecordAssists;
