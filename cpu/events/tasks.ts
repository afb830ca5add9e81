/**
 * Hardware task switches: by JMP and CALL, by events through a task gate, and back by IRET.
 *
 * Up to the commit point a fault leaves the old task as it was. After it the new task is there: selectors and
 * registers are loaded, and a descriptor that turns out to be bad faults before the new task's first instruction, with
 * the segments that were not reached unusable. Such faults are thrown as traps, so that EIP stays the new task's.
 * Sources: SDM vol. 3A §7.3 (steps), Table 7-1 (checks), Table 7-2 (busy, NT, link), §6.12.2, §17.3.1.5 (T bit).
 * @module
 */
import { NT, VM } from "../state/flags.ts";
import { Fault, VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { DR6 } from "../execute/breakpoints.ts";
import type { Core } from "../execute/core.ts";
import {
  checkedDescriptor,
  Descriptor,
  isNull,
  loadDescriptor,
  loadNull,
  loadSegmentReal,
  readDescriptor,
  selectorError,
  stackDescriptor,
  SYSTEM_TYPE,
} from "../memory/mod.ts";
import { writeCr3 } from "../system/control.ts";
import { loadedFlags } from "./flags.ts";
import { StackFrame } from "./frame.ts";
import {
  checkIncoming,
  checkOutgoing,
  probeSystemWrite,
  readTask,
  saveTask,
  TaskImage,
} from "./task_state.ts";

/** What starts a task switch: decides busy bits, NT and link (SDM vol. 3A Table 7-2). */
export const TASK_SWITCH = {
  /** JMP: the old task is no longer busy. */
  JUMP: 0,
  /** CALL or an event: the new task is nested in the old one. */
  NEST: 1,
  /** IRET with NT set. */
  RETURN: 2,
} as const;
export type TaskSwitch = typeof TASK_SWITCH[keyof typeof TASK_SWITCH];

/** Busy bit of a TSS descriptor's second word. */
const BUSY = 0x200;
const CR0_TS = 0x8;
/** L0–L3 of DR7. */
const DR7_LOCAL = 0x55;

const frame = new StackFrame();
const image = new TaskImage();

/** What the old task is left with, and what the event brings. */
export interface TaskSwitchOptions {
  readonly kind: TaskSwitch;
  /** EIP and EFLAGS for the old TSS. */
  readonly eip: number;
  readonly eflags: number;
  /** EXT bit of error codes. */
  readonly ext: number;
  /** Error code to push on the new stack, or −1. */
  readonly errorCode: number;
}

/** True for the type of a TSS descriptor, busy or not as asked. */
export function isTask(descriptor: Descriptor, busy: boolean): boolean {
  if (descriptor.isSegment) return false;
  const { type } = descriptor;
  return busy
    ? type === SYSTEM_TYPE.TSS16_BUSY || type === SYSTEM_TYPE.TSS32_BUSY
    : type === SYSTEM_TYPE.TSS16 || type === SYSTEM_TYPE.TSS32;
}

/**
 * The descriptor of a TSS that a gate or a link names: `vector` when the selector is not of the GDT or does not name
 * a TSS that is busy (`busy`) or available; #NP when it is absent.
 */
export function taskDescriptor(
  core: Core,
  selector: number,
  want: { readonly vector: number; readonly ext: number; readonly busy: boolean },
): Descriptor {
  const { vector, ext, busy } = want;
  const error = selectorError(selector, ext);
  if (selector & 4) core.raise(vector, error);
  const descriptor = checkedDescriptor(core, selector, vector, ext);
  if (!isTask(descriptor, busy)) core.raise(vector, error);
  if (!descriptor.present) core.raise(VECTOR.NP, error);
  return descriptor;
}

/** Switches to the task of a checked TSS descriptor. Ends with `updateMode`, also when it throws. */
export function switchTask(core: Core, tss: Descriptor, options: TaskSwitchOptions): void {
  const { kind, ext } = options;
  const { memory } = core;
  checkIncoming(core, tss, ext);
  checkOutgoing(core, ext);
  const oldTask = core.selector(L.TR);
  const clears = kind !== TASK_SWITCH.NEST;
  const oldBusy = clears ? oldDescriptor(core, oldTask, ext) : 0;
  const newBusy = (tss.address + 4) | 0;
  if (clears) probeSystemWrite(core, oldBusy, 4);
  if (kind !== TASK_SWITCH.RETURN) probeSystemWrite(core, newBusy, 4);
  if (kind === TASK_SWITCH.NEST) probeSystemWrite(core, tss.base, 2);

  saveTask(core, options.eip, kind === TASK_SWITCH.RETURN ? options.eflags & ~NT : options.eflags);
  // Read after the save: a task may return to itself.
  readTask(core, tss, image);
  if (clears) memory.writeSystem(oldBusy, 4, memory.readSystem(oldBusy, 4) & ~BUSY);
  if (kind === TASK_SWITCH.NEST) {
    memory.writeSystem(tss.base, 2, oldTask);
    image.eflags |= NT;
  }
  if (kind !== TASK_SWITCH.RETURN) {
    tss.high |= BUSY;
    memory.writeSystem(newBusy, 4, tss.high);
  }

  // The commit point.
  core.setSegment(L.TR, tss.selector, tss.base, tss.limit, tss.attributes);
  core.i32[L.CR0 >> 2] = core.cr0 | CR0_TS;
  const dr7 = (L.DR >> 2) + 7;
  core.i32[dr7] = (core.i32[dr7] as number) & ~DR7_LOCAL;
  core.debug.refresh();
  try {
    loadTask(core, ext);
    if (options.errorCode >= 0) {
      frame.onCurrent(core, image.wide ? 4 : 2, ext).push(options.errorCode).check(core);
      core.setGpr(4, frame.commit(core));
    }
    if (core.eip > core.segmentLimit(L.CS)) core.raise(VECTOR.GP, ext);
    if (image.trap) core.debug.pending |= DR6.BT;
  } catch (error) {
    if (error instanceof Fault) error.trap = true;
    throw error;
  } finally {
    core.updateMode();
  }
}

const old = new Descriptor();

/** Linear address of the second word of the old task's descriptor; #TS when the GDT does not reach it. */
function oldDescriptor(core: Core, selector: number, ext: number): number {
  if (isNull(selector) || !readDescriptor(core, selector, old)) {
    core.raise(VECTOR.TS, selectorError(selector, ext));
  }
  return (old.address + 4) | 0;
}

/** Loads what `image` has; may fault half-way, in the new task. */
function loadTask(core: Core, ext: number): void {
  const { selectors } = image;
  const vm86 = (image.eflags & VM) !== 0;
  for (let i = 0; i < 8; i++) core.setGpr(i, image.registers[i] as number);
  core.eflags = loadedFlags(core, image.eflags);
  core.eip = image.eip;
  core.cpl = vm86 ? 3 : (selectors[L.CS] as number) & 3;
  for (let segment = L.ES; segment <= L.GS; segment++) {
    const selector = selectors[segment] as number;
    if (vm86) loadSegmentReal(core, segment, selector);
    else core.setSegment(segment, selector, 0, 0, 0);
  }
  core.setSegment(L.LDTR, image.ldt, 0, 0, 0);
  if (image.wide && core.cr0 < 0) writeCr3(core, image.cr3);
  loadLdt(core, image.ldt, ext);
  if (vm86) return;
  loadCode(core, selectors[L.CS] as number, ext);
  const stack = selectors[L.SS] as number;
  loadDescriptor(core, L.SS, stack, stackDescriptor(core, stack, core.cpl, VECTOR.TS, ext));
  for (const segment of [L.ES, L.DS, L.FS, L.GS]) {
    loadData(core, segment, selectors[segment] as number, ext);
  }
}

/** An LDT that is wrong in any way, absent too, is #TS (SDM vol. 3A Table 7-1). */
function loadLdt(core: Core, selector: number, ext: number): void {
  if (isNull(selector)) {
    loadNull(core, L.LDTR, selector);
    return;
  }
  const error = selectorError(selector, ext);
  if (selector & 4) core.raise(VECTOR.TS, error);
  const descriptor = checkedDescriptor(core, selector, VECTOR.TS, ext);
  if (descriptor.isSegment || descriptor.type !== SYSTEM_TYPE.LDT || !descriptor.present) {
    core.raise(VECTOR.TS, error);
  }
  loadDescriptor(core, L.LDTR, selector, descriptor);
}

function loadCode(core: Core, selector: number, ext: number): void {
  const error = selectorError(selector, ext);
  const rpl = selector & 3;
  const code = checkedDescriptor(core, selector, VECTOR.TS, ext);
  if (!code.isCode || (code.isConforming ? code.dpl > rpl : code.dpl !== rpl)) {
    core.raise(VECTOR.TS, error);
  }
  if (!code.present) core.raise(VECTOR.NP, error);
  loadDescriptor(core, L.CS, selector, code);
}

function loadData(core: Core, segment: number, selector: number, ext: number): void {
  if (isNull(selector)) {
    loadNull(core, segment, selector);
    return;
  }
  const error = selectorError(selector, ext);
  const data = checkedDescriptor(core, selector, VECTOR.TS, ext);
  const { dpl } = data;
  if (!data.isReadable || (!data.isConforming && ((selector & 3) > dpl || core.cpl > dpl))) {
    core.raise(VECTOR.TS, error);
  }
  if (!data.present) core.raise(VECTOR.NP, error);
  loadDescriptor(core, segment, selector, data);
}
