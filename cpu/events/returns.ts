/**
 * Far returns in protected mode: the part that RET far and IRET share.
 *
 * `farReturnTarget` checks all (return code segment, outer stack, offset) and changes nothing but accessed bits;
 * `finishFarReturn` loads. Sources: SDM vol. 2 (RET, IRET), vol. 3A §5.8.6.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import {
  checkedDescriptor,
  type Descriptor,
  dropInnerSegments,
  loadDescriptor,
  loadSegmentReal,
  markAccessed,
  selectorError,
  stackDescriptor,
} from "../memory/mod.ts";
import { StackReader } from "./frame.ts";

/** A checked return. */
export interface FarReturn {
  readonly reader: StackReader;
  readonly selector: number;
  readonly offset: number;
  readonly code: Descriptor;
  /** Of a return to an outer level. */
  readonly outer:
    | { readonly selector: number; readonly esp: number; readonly stack: Descriptor }
    | undefined;
}

/** Checks a return to selector:offset; `release`: bytes of parameters on both stacks. */
export function farReturnTarget(
  core: Core,
  from: { reader: StackReader; selector: number; offset: number; release: number },
): FarReturn {
  const { reader, selector, offset, release } = from;
  const { cpl } = core;
  const rpl = selector & 3;
  const code = checkedDescriptor(core, selector);
  if (
    !code.isCode || rpl < cpl || (code.isConforming ? code.dpl > rpl : code.dpl !== rpl)
  ) core.raise(VECTOR.GP, selectorError(selector));
  if (!code.present) core.raise(VECTOR.NP, selectorError(selector));
  reader.skip(release);
  let outer: FarReturn["outer"];
  if (rpl > cpl) {
    const esp = reader.pop();
    const stackSelector = reader.pop() & 0xffff;
    const stack = stackDescriptor(core, stackSelector, rpl, VECTOR.GP, 0);
    const mask = stack.big ? -1 : 0xffff;
    const released = (esp & ~mask) | ((esp + release) & mask);
    outer = { selector: stackSelector, esp: released, stack };
  }
  if (offset > code.limit) core.raise(VECTOR.GP, 0);
  markAccessed(core, code);
  if (outer !== undefined) markAccessed(core, outer.stack);
  return { reader, selector, offset, code, outer };
}

/** Loads CS:EIP, and for an outer level SS:ESP and CPL; call `updateMode` afterwards. */
export function finishFarReturn(core: Core, target: FarReturn): void {
  const { outer } = target;
  loadDescriptor(core, L.CS, target.selector, target.code);
  core.eip = target.offset;
  if (outer === undefined) {
    target.reader.commit();
    return;
  }
  loadDescriptor(core, L.SS, outer.selector, outer.stack);
  // A 16-bit stack leaves the upper half of ESP alone.
  const esp = outer.stack.big ? outer.esp : (core.gpr(4) & ~0xffff) | (outer.esp & 0xffff);
  core.setGpr(4, esp);
  core.cpl = target.selector & 3;
  dropInnerSegments(core);
}

/** RET far, RET far imm16. */
export const retFar: Assist = (core, { operandSize, immediate }) => {
  const reader = new StackReader(core, operandSize);
  const offset = reader.pop();
  const selector = reader.pop() & 0xffff;
  const release = immediate & 0xffff;
  if (core.protectedMode) {
    finishFarReturn(core, farReturnTarget(core, { reader, selector, offset, release }));
  } else {
    if (offset > core.segmentLimit(L.CS)) core.raise(VECTOR.GP, 0);
    reader.skip(release);
    reader.commit();
    loadSegmentReal(core, L.CS, selector);
    core.eip = offset;
  }
  core.updateMode();
};
