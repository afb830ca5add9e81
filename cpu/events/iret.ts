/**
 * IRET: return from a handler, to the same or an outer privilege level, to virtual-8086 mode, or to the task that
 * the TSS links to.
 *
 * Which flags come back depends on CPL and IOPL before the return.
 * Sources: SDM vol. 2 (IRET), vol. 3A §5.8.6, §6.7.1 (NMI), §7.4 (nested tasks).
 * @module
 */
import { AC, ARITHMETIC, DF, ID, IF, IOPL, NT, RF, TF, VIF, VIP, VM } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { loadSegmentReal, selectorError } from "../memory/mod.ts";
import { loadedFlags } from "./flags.ts";
import { StackReader } from "./frame.ts";
import { type FarReturn, farReturnTarget, finishFarReturn } from "./returns.ts";
import { switchTask, TASK_SWITCH, taskDescriptor } from "./tasks.ts";
import { returnToVirtual8086, returnVirtually } from "./virtual8086.ts";

/** IRET and IRETD. */
export const iret: Assist = (core, { operandSize, eip }) => {
  const from = (core.segmentBase(L.CS) + eip) >>> 0;
  // NMIs are let in again also by an IRET that faults.
  if (core.nmiBlocked) {
    core.nmiBlocked = false;
    core.i32[L.EVENT_PENDING >> 2] = (core.i32[L.EVENT_PENDING >> 2] as number) | L.EVENT.OTHER;
  }
  if (core.protectedMode) returnProtected(core, operandSize);
  else if (core.vm86 && (core.eflags & IOPL) !== IOPL) {
    returnVirtually(core, new StackReader(core, operandSize), operandSize);
  } else returnReal(core, operandSize);
  core.updateMode();
  const to = (core.segmentBase(L.CS) + core.eip) >>> 0;
  core.report.discontinuity?.("iret", -1, -1, from, to, 0);
};

function returnReal(core: Core, size: 2 | 4): void {
  const old = core.eflags;
  const reader = new StackReader(core, size);
  const offset = reader.pop();
  const selector = reader.pop() & 0xffff;
  const image = reader.pop();
  if (offset > core.segmentLimit(L.CS)) core.raise(VECTOR.GP, 0);
  reader.commit();
  let writable = ARITHMETIC | TF | IF | DF | NT;
  if (!core.vm86) writable |= IOPL;
  if (size === 4) writable |= AC | ID | RF;
  core.eflags = loadedFlags(core, (old & ~(writable | RF)) | (image & writable));
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
}

/** With NT set: back to the task in the link field, whose TSS must be busy; every mistake is #TS. */
function returnToTask(core: Core): void {
  const tr = core.selector(L.TR);
  if (core.segmentAttributes(L.TR) === 0 || core.segmentLimit(L.TR) < 1) {
    core.raise(VECTOR.TS, selectorError(tr));
  }
  const link = core.memory.readSystem(core.segmentBase(L.TR), 2) & 0xffff;
  const tss = taskDescriptor(core, link, { vector: VECTOR.TS, ext: 0, busy: true });
  switchTask(core, tss, {
    kind: TASK_SWITCH.RETURN,
    eip: core.eip,
    eflags: core.eflags,
    ext: 0,
    errorCode: -1,
  });
}

function returnProtected(core: Core, size: 2 | 4): void {
  const old = core.eflags;
  if (old & NT) {
    returnToTask(core);
    return;
  }
  const { cpl } = core;
  const reader = new StackReader(core, size);
  const offset = reader.pop();
  const selector = reader.pop() & 0xffff;
  const image = reader.pop();
  if (size === 4 && image & VM && cpl === 0) {
    returnToVirtual8086(core, reader, { offset, selector, image });
    return;
  }
  const target: FarReturn = farReturnTarget(core, { reader, selector, offset, release: 0 });
  finishFarReturn(core, target);
  core.eflags = loadedFlags(core, mergeFlags(old, image, size, cpl));
}

/** Flags after IRET in protected mode. */
export function mergeFlags(old: number, image: number, size: 2 | 4, cpl: number): number {
  let writable = ARITHMETIC | TF | DF | NT | RF;
  if (size === 4) writable |= AC | ID;
  else image &= 0xffff;
  if (cpl <= (old & IOPL) >> 12) writable |= IF;
  if (cpl === 0) writable |= size === 4 ? IOPL | VIF | VIP : IOPL;
  return (old & ~writable) | (image & writable);
}
