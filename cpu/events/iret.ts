/**
 * IRET: return from a handler, to the same or an outer privilege level.
 *
 * Which flags come back depends on CPL and IOPL before the return. A return with NT set would switch tasks; tasks
 * are not switched yet, so it raises #TS with the linked selector. Sources: SDM vol. 2 (IRET), vol. 3A §5.8.6.
 * @module
 */
import { AC, ARITHMETIC, DF, ID, IF, IOPL, NT, TF, VM } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { loadSegmentReal, selectorError } from "../memory/mod.ts";
import { StackReader } from "./frame.ts";
import { type FarReturn, farReturnTarget, finishFarReturn } from "./returns.ts";

/** IRET and IRETD. */
export const iret: Assist = (core, { operandSize, eip }) => {
  const from = (core.segmentBase(L.CS) + eip) >>> 0;
  if (core.protectedMode) returnProtected(core, operandSize);
  else returnReal(core, operandSize);
  if (core.nmiBlocked) {
    core.nmiBlocked = false;
    core.i32[L.EVENT_PENDING >> 2] = (core.i32[L.EVENT_PENDING >> 2] as number) | L.EVENT.OTHER;
  }
  core.updateMode();
  const to = (core.segmentBase(L.CS) + core.eip) >>> 0;
  core.report.discontinuity?.("iret", -1, -1, from, to, 0);
};

function returnReal(core: Core, size: 2 | 4): void {
  const old = core.eflags;
  const iopl = (old & IOPL) >> 12;
  if (core.vm86 && iopl < 3) core.raise(VECTOR.GP, 0);
  const reader = new StackReader(core, size);
  const offset = reader.pop();
  const selector = reader.pop() & 0xffff;
  const image = reader.pop();
  if (offset > core.segmentLimit(L.CS)) core.raise(VECTOR.GP, 0);
  reader.commit();
  let writable = ARITHMETIC | TF | IF | DF | NT;
  if (!core.vm86) writable |= IOPL;
  if (size === 4) writable |= AC | ID;
  core.eflags = (old & ~writable) | (image & writable);
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
}

function returnProtected(core: Core, size: 2 | 4): void {
  const old = core.eflags;
  // QUIRK(tasks)
  if (old & NT) {
    const link = core.memory.readSystem(core.segmentBase(L.TR), 2);
    core.raise(VECTOR.TS, selectorError(link));
  }
  const { cpl } = core;
  const reader = new StackReader(core, size);
  const offset = reader.pop();
  const selector = reader.pop() & 0xffff;
  const image = reader.pop();
  // QUIRK(virtual-8086): a return to that mode is a later issue.
  if (size === 4 && image & VM && cpl === 0) core.raise(VECTOR.GP, 0);
  const target: FarReturn = farReturnTarget(core, { reader, selector, offset, release: 0 });
  finishFarReturn(core, target);
  core.eflags = mergeFlags(old, image, size, cpl);
}

/** Flags after IRET in protected mode. QUIRK(breakpoints): RF is dropped, there being none to resume from. */
export function mergeFlags(old: number, image: number, size: 2 | 4, cpl: number): number {
  let writable = ARITHMETIC | TF | DF | NT;
  if (size === 4) writable |= AC | ID;
  if (cpl <= (old & IOPL) >> 12) writable |= IF;
  // VIF and VIP would come back too, if this processor had them (CPUID.VME).
  if (cpl === 0) writable |= IOPL;
  return (old & ~writable) | (image & writable);
}
