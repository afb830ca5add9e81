/**
 * Delivery of interrupts and exceptions through the IDT or the real-mode vector table.
 *
 * `enterVector` checks everything before it changes anything, so a fault inside leaves the state of before;
 * `Delivery` turns such faults into what SDM vol. 3A Table 6-5 says: the second exception, #DF, or shutdown.
 * Sources: SDM vol. 3A §6.10–6.15, §20.1.4 (real mode), §20.3.1 (virtual-8086 mode); vol. 2 (INT n).
 * @module
 */
import { AC, IF, NT, RF, TF, VM } from "../state/flags.ts";
import { Fault, VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { DR7_GD } from "../execute/breakpoints.ts";
import type { Core } from "../execute/core.ts";
import type { EventUnit } from "../execute/units.ts";
import {
  checkedDescriptor,
  Descriptor,
  descriptorAt,
  loadDescriptor,
  loadNull,
  loadSegmentReal,
  markAccessed,
  selectorError,
  SYSTEM_TYPE,
} from "../memory/mod.ts";
import { OUTCOME } from "./fast.ts";
import { StackFrame } from "./frame.ts";
import { switchTask, TASK_SWITCH, taskDescriptor } from "./tasks.ts";
import { innerStack } from "./tss.ts";

/** Where an event comes from: decides privilege check, EXT bit and RF. */
export const SOURCE = {
  /** INTR or NMI. */
  EXTERNAL: 0,
  /** Noticed by the processor. */
  EXCEPTION: 1,
  /** INT n, INT3, INTO: the gate's DPL counts. */
  SOFTWARE: 2,
  /** INT1: no DPL check, EXT set (SDM vol. 3A §6.13). */
  INT1: 3,
} as const;
export type Source = typeof SOURCE[keyof typeof SOURCE];

const gate = new Descriptor();
const frame = new StackFrame();

/** Exceptions that set RF in the saved image: faults, not traps, aborts or #DB (SDM vol. 3A §17.3.1.1). */
function setsResumeFlag(vector: number): boolean {
  return vector !== VECTOR.DB && vector !== VECTOR.BP && vector !== VECTOR.OF &&
    vector !== VECTOR.DF && vector !== VECTOR.NMI;
}

/**
 * Enters a handler. `returnEip` is what the frame gets; `eip`: of the instruction that asked for it. Throws a fault, with
 * nothing changed, if it cannot. `errorCode` −1: none.
 */
export function enterVector(
  core: Core,
  vector: number,
  source: Source,
  errorCode: number,
  returnEip: number,
  eip: number = returnEip,
): void {
  if (core.enterGate !== undefined) {
    const resume = source === SOURCE.EXCEPTION && setsResumeFlag(vector) ? RF : 0;
    const software = source === SOURCE.SOFTWARE ? 1 : 0;
    if (core.enterGate(vector, software, errorCode, returnEip | 0, resume) === OUTCOME.DONE) {
      core.enteredHandler = true;
      return;
    }
  }
  const from = (core.segmentBase(L.CS) + eip) >>> 0;
  if (core.cr0 & 1) enterProtected(core, vector, source, errorCode, returnEip);
  else enterReal(core, vector, returnEip);
  core.enteredHandler = true;
  core.updateMode();
  const { discontinuity } = core.report;
  if (discontinuity === undefined) return;
  const type = source === SOURCE.EXTERNAL
    ? "interrupt"
    : source === SOURCE.EXCEPTION
    ? "exception"
    : "software";
  const to = (core.segmentBase(L.CS) + core.eip) >>> 0;
  const address = vector === VECTOR.PF ? core.u32[L.CR2 >> 2] as number : 0;
  discontinuity(type, vector, errorCode, from, to, address);
}

function enterReal(core: Core, vector: number, returnEip: number): void {
  const entry = vector * 4;
  if (entry + 3 > (core.u32[L.IDTR_LIMIT >> 2] as number)) core.raise(VECTOR.GP, entry + 2);
  const at = (core.i32[L.IDTR_BASE >> 2] as number) + entry;
  const offset = core.memory.readSystem(at | 0, 2);
  const selector = core.memory.readSystem((at + 2) | 0, 2);
  const { eflags } = core;
  frame.onCurrent(core, 2, 0).push(eflags).push(core.selector(L.CS)).push(returnEip).check(core);
  core.setGpr(4, frame.commit(core));
  core.eflags = eflags & ~(IF | TF | AC | RF);
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
}

function enterProtected(
  core: Core,
  vector: number,
  source: Source,
  errorCode: number,
  returnEip: number,
): void {
  const ext = source === SOURCE.SOFTWARE ? 0 : 1;
  const gateError = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > (core.u32[L.IDTR_LIMIT >> 2] as number)) core.raise(VECTOR.GP, gateError);
  descriptorAt(core, ((core.i32[L.IDTR_BASE >> 2] as number) + vector * 8) | 0, gate);
  const type = gate.isSegment ? -1 : gate.type;
  switch (type) {
    case SYSTEM_TYPE.TASK_GATE:
    case SYSTEM_TYPE.INTERRUPT_GATE16:
    case SYSTEM_TYPE.TRAP_GATE16:
    case SYSTEM_TYPE.INTERRUPT_GATE32:
    case SYSTEM_TYPE.TRAP_GATE32:
      break;
    default:
      core.raise(VECTOR.GP, gateError);
  }
  if (source === SOURCE.SOFTWARE && gate.dpl < core.cpl) core.raise(VECTOR.GP, gateError);
  if (!gate.present) core.raise(VECTOR.NP, gateError);
  const { eflags } = core;
  let image = eflags;
  if (source === SOURCE.EXCEPTION && setsResumeFlag(vector)) image |= RF;
  if (type === SYSTEM_TYPE.TASK_GATE) {
    const want = { vector: VECTOR.GP, ext, busy: false };
    const tss = taskDescriptor(core, gate.gateSelector, want);
    const kind = TASK_SWITCH.NEST;
    switchTask(core, tss, { kind, eip: returnEip, eflags: image, ext, errorCode });
    return;
  }

  const selector = gate.gateSelector;
  const size = type & 8 ? 4 : 2;
  const offset = gate.gateOffset;
  const code = checkedDescriptor(core, selector, VECTOR.GP, ext);
  const { cpl } = core;
  if (!code.isCode || code.dpl > cpl) core.raise(VECTOR.GP, selectorError(selector, ext));
  if (!code.present) core.raise(VECTOR.NP, selectorError(selector, ext));
  const privilege = code.isConforming ? cpl : code.dpl;
  // Virtual-8086 mode is left for CPL 0 only.
  const { vm86 } = core;
  if (vm86 && (code.isConforming || privilege !== 0)) {
    core.raise(VECTOR.GP, selectorError(selector, ext));
  }
  const stack = privilege < cpl ? innerStack(core, privilege, ext) : undefined;
  if (stack === undefined) frame.onCurrent(core, size, ext);
  else {
    frame.onNew(core, size, selectorError(stack.selector, ext), {
      descriptor: stack.descriptor,
      esp: stack.esp,
      privilege,
    });
    if (vm86) {
      for (const segment of [L.GS, L.FS, L.DS, L.ES]) frame.push(core.selector(segment));
    }
    frame.push(core.selector(L.SS)).push(core.gpr(4));
  }
  frame.push(image).push(core.selector(L.CS)).push(returnEip);
  if (errorCode >= 0) frame.push(errorCode);
  frame.check(core);
  if (offset > code.limit) core.raise(VECTOR.GP, ext);

  // Accessed bits may still fault on their pages; nothing after them can.
  markAccessed(core, code);
  if (stack !== undefined) markAccessed(core, stack.descriptor);
  loadDescriptor(core, L.CS, (selector & ~3) | privilege, code);
  if (stack !== undefined) loadDescriptor(core, L.SS, stack.selector, stack.descriptor);
  if (vm86) { for (const segment of [L.ES, L.DS, L.FS, L.GS]) loadNull(core, segment, 0); }
  core.setGpr(4, frame.commit(core));
  core.cpl = privilege;
  core.eip = offset;
  let cleared = TF | NT | RF | VM;
  if ((type & 1) === 0) cleared |= IF;
  core.eflags = eflags & ~cleared;
}

/** Contributory exceptions of Table 6-4. */
function isContributory(vector: number): boolean {
  return vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);
}

/** Delivers events for the run loop. */
export class Delivery implements EventUnit {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  deliver(fault: Fault): boolean {
    return this.#deliver(fault.vector, SOURCE.EXCEPTION, fault.errorCode);
  }
  interrupt(vector: number): boolean {
    return this.#deliver(vector, SOURCE.EXTERNAL, -1);
  }

  #deliver(firstVector: number, firstSource: Source, firstError: number): boolean {
    const core = this.#core;
    let vector = firstVector;
    let source = firstSource;
    // Real mode pushes no error codes; enterReal ignores them.
    let errorCode = firstError;
    for (;;) {
      try {
        core.debug.muted = true;
        // A fault behind the commit point of a task switch is the new task's.
        enterVector(core, vector, source, errorCode, core.eip);
        if (vector === VECTOR.DB && source === SOURCE.EXCEPTION) {
          const dr7 = (L.DR >> 2) + 7;
          core.i32[dr7] = (core.i32[dr7] as number) & ~DR7_GD;
        }
        return true;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        const second = error.vector;
        if (second === VECTOR.PF) core.i32[L.CR2 >> 2] = error.address;
        const wasException = source === SOURCE.EXCEPTION;
        const grave = isContributory(second) || second === VECTOR.PF;
        if (wasException && vector === VECTOR.DF && grave) return false;
        const double = wasException && grave &&
          (vector === VECTOR.PF || isContributory(vector) && isContributory(second));
        vector = double ? VECTOR.DF : second;
        errorCode = double ? 0 : error.errorCode;
        source = SOURCE.EXCEPTION;
      } finally {
        core.debug.muted = false;
      }
    }
  }
}

/** Makes the event unit of a core. */
export function createEventUnit(core: Core): Delivery {
  return new Delivery(core);
}
