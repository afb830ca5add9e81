/**
 * Far CALL and JMP: direct, through memory, to code segments, through call gates, to tasks.
 *
 * A call gate to more privileged code switches to the stack of the TSS and copies parameters.
 * Sources: SDM vol. 2 (CALL, JMP), vol. 3A §5.8.1–5.8.5, §7.3.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Operands } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import {
  checkedDescriptor,
  type Descriptor,
  loadDescriptor,
  loadSegmentReal,
  markAccessed,
  selectorError,
  SYSTEM_TYPE,
} from "../memory/mod.ts";
import { StackFrame, StackReader } from "./frame.ts";
import { switchTask, TASK_SWITCH, taskDescriptor } from "./tasks.ts";
import { innerStack } from "./tss.ts";

const frame = new StackFrame();

interface FarTarget {
  readonly selector: number;
  readonly offset: number;
  readonly size: 2 | 4;
  /** Return address of a call, undefined for a jump. */
  readonly next: number | undefined;
}

function transfer(core: Core, target: FarTarget): void {
  if (core.protectedMode) transferProtected(core, target);
  else transferReal(core, target);
  core.updateMode();
}

function transferReal(core: Core, { selector, offset, size, next }: FarTarget): void {
  if (next !== undefined) {
    frame.onCurrent(core, size, 0).push(core.selector(L.CS)).push(next).check(core);
  }
  if (offset > core.segmentLimit(L.CS)) core.raise(VECTOR.GP, 0);
  if (next !== undefined) core.setGpr(4, frame.commit(core, true));
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
}

function transferProtected(core: Core, target: FarTarget): void {
  const { selector } = target;
  const descriptor = checkedDescriptor(core, selector);
  if (descriptor.isSegment) {
    toCode(core, target, descriptor);
    return;
  }
  const error = selectorError(selector);
  const allowed = descriptor.dpl >= core.cpl && descriptor.dpl >= (selector & 3);
  switch (descriptor.type) {
    case SYSTEM_TYPE.CALL_GATE16:
    case SYSTEM_TYPE.CALL_GATE32:
      if (!allowed) core.raise(VECTOR.GP, error);
      if (!descriptor.present) core.raise(VECTOR.NP, error);
      throughGate(core, target, descriptor);
      return;
    case SYSTEM_TYPE.TASK_GATE: {
      if (!allowed) core.raise(VECTOR.GP, error);
      if (!descriptor.present) core.raise(VECTOR.NP, error);
      const want = { vector: VECTOR.GP, ext: 0, busy: false };
      toTask(core, target, taskDescriptor(core, descriptor.gateSelector, want));
      return;
    }
    case SYSTEM_TYPE.TSS16:
    case SYSTEM_TYPE.TSS32:
      // A TSS descriptor counts in the GDT only.
      if (!allowed || selector & 4) core.raise(VECTOR.GP, error);
      if (!descriptor.present) core.raise(VECTOR.NP, error);
      toTask(core, target, descriptor);
      return;
  }
  core.raise(VECTOR.GP, error);
}

function toTask(core: Core, { next }: FarTarget, tss: Descriptor): void {
  switchTask(core, tss, {
    kind: next === undefined ? TASK_SWITCH.JUMP : TASK_SWITCH.NEST,
    // Already that of the instruction behind.
    eip: core.eip,
    eflags: core.eflags,
    ext: 0,
    errorCode: -1,
  });
}

/** To a code segment without change of privilege. */
function toCode(core: Core, target: FarTarget, code: Descriptor): void {
  const { selector, offset, size, next } = target;
  const { cpl } = core;
  const error = selectorError(selector);
  if (
    !code.isCode ||
    (code.isConforming ? code.dpl > cpl : (selector & 3) > cpl || code.dpl !== cpl)
  ) core.raise(VECTOR.GP, error);
  if (!code.present) core.raise(VECTOR.NP, error);
  if (next !== undefined) {
    frame.onCurrent(core, size, 0).push(core.selector(L.CS)).push(next).check(core);
  }
  if (offset > code.limit) core.raise(VECTOR.GP, 0);
  markAccessed(core, code);
  if (next !== undefined) core.setGpr(4, frame.commit(core, true));
  loadDescriptor(core, L.CS, (selector & ~3) | cpl, code);
  core.eip = offset;
}

function throughGate(core: Core, { next }: FarTarget, gate: Descriptor): void {
  const { cpl } = core;
  const selector = gate.gateSelector;
  const size = gate.type & 8 ? 4 : 2;
  const code = checkedDescriptor(core, selector);
  const error = selectorError(selector);
  if (!code.isCode || code.dpl > cpl) core.raise(VECTOR.GP, error);
  const inner = !code.isConforming && code.dpl < cpl;
  // A jump cannot change privilege.
  if (inner && next === undefined) core.raise(VECTOR.GP, error);
  if (!code.present) core.raise(VECTOR.NP, error);
  const offset = gate.gateOffset;
  if (!inner) {
    if (next !== undefined) {
      frame.onCurrent(core, size, 0).push(core.selector(L.CS)).push(next).check(core);
    }
    if (offset > code.limit) core.raise(VECTOR.GP, 0);
    markAccessed(core, code);
    if (next !== undefined) core.setGpr(4, frame.commit(core, true));
    loadDescriptor(core, L.CS, (selector & ~3) | cpl, code);
    core.eip = offset;
    return;
  }
  const privilege = code.dpl;
  const stack = innerStack(core, privilege, 0);
  const { descriptor, esp } = stack;
  frame.onNew(core, size, selectorError(stack.selector), { descriptor, esp, privilege });
  frame.push(core.selector(L.SS)).push(core.gpr(4));
  const parameters: number[] = [];
  const reader = new StackReader(core, size);
  for (let i = 0; i < gate.gateCount; i++) parameters.push(reader.pop());
  for (const parameter of parameters.reverse()) frame.push(parameter);
  frame.push(core.selector(L.CS)).push(next ?? 0).check(core);
  if (offset > code.limit) core.raise(VECTOR.GP, 0);
  markAccessed(core, code);
  markAccessed(core, descriptor);
  core.setGpr(4, frame.commit(core, true));
  core.cpl = privilege;
  loadDescriptor(core, L.CS, (selector & ~3) | privilege, code);
  loadDescriptor(core, L.SS, stack.selector, descriptor);
  core.eip = offset;
}

/** The far pointer in memory: offset, then selector. */
function pointer(core: Core, operands: Operands): { offset: number; selector: number } {
  const { segment, operandSize } = operands;
  const offset = core.read(segment, operands.offset, operandSize);
  const selector = core.read(segment, (operands.offset + operandSize) | 0, 2);
  return { offset, selector };
}

/** CALL ptr16:16/32. */
export const callFar: Assist = (core, { immediate, immediate2, operandSize, next }) => {
  transfer(core, {
    selector: immediate2 & 0xffff,
    offset: immediate >>> 0,
    size: operandSize,
    next,
  });
};
/** JMP ptr16:16/32. */
export const jmpFar: Assist = (core, { immediate, immediate2, operandSize }) => {
  transfer(core, {
    selector: immediate2 & 0xffff,
    offset: immediate >>> 0,
    size: operandSize,
    next: undefined,
  });
};
/** CALL m16:16/32. */
export const callFarM: Assist = (core, operands) => {
  const { operandSize, next } = operands;
  transfer(core, { ...pointer(core, operands), size: operandSize, next });
};
/** JMP m16:16/32. */
export const jmpFarM: Assist = (core, operands) => {
  transfer(core, { ...pointer(core, operands), size: operands.operandSize, next: undefined });
};
