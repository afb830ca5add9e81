/**
 * Instructions that the interpreter leaves to TypeScript, and regions need not: MOV from CR0, CR2, CR3, which a page
 * fault's handler begins with.
 * Sources: SDM vol. 2 (MOV to/from control registers): #GP(0) but for CPL 0.
 * @module
 */
import type { Handlers } from "../execute/handlers.ts";
import { SPECIAL } from "../execute/handlers.ts";
import * as L from "../state/layout.ts";
import type { RegionEmitter } from "./region_emitter.ts";

/** Where the control registers are that every processor has, by number. */
const CONTROL: ReadonlyMap<number, number> = new Map([[0, L.CR0], [2, L.CR2], [3, L.CR3]]);

/** The state offset of the control register that the instruction at a record reads, if it is such a one. */
function source(view: DataView, handlers: Handlers, record: number): number | undefined {
  if (view.getInt32(record, true) !== SPECIAL.ASSIST) return undefined;
  const assist = view.getInt32(record + L.RECORD.A, true) & 0xffff;
  if (handlers.assists[assist] !== "movFromControl") return undefined;
  return CONTROL.get(view.getInt32(record + L.RECORD.B, true) & 15);
}

/** The number of the register that the instruction at a record writes; undefined: it is none of these. */
export function inlineAssistRegister(
  view: DataView,
  handlers: Handlers,
  record: number,
): number | undefined {
  if (source(view, handlers, record) === undefined) return undefined;
  return (view.getInt32(record + L.RECORD.B, true) >> 4) & 15;
}

/** Emits the instruction at a record if it is one of these; else returns false. */
export function emitInlineAssist(
  x: RegionEmitter,
  view: DataView,
  handlers: Handlers,
  record: number,
): boolean {
  const from = source(view, handlers, record);
  if (from === undefined) return false;
  const value = x.local();
  x.f.loadAt(L.CPL).if(undefined, false);
  x.bail().f.end().loadAt(from).set(value);
  x.setRegister(L.GPR + 4 * ((view.getInt32(record + L.RECORD.B, true) >> 4) & 15), value);
  return true;
}
