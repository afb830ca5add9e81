/**
 * Virtual-8086 mode: into it by IRET, its own interrupts and returns, and what the VME extensions add.
 *
 * INT n in that mode goes to the protected-mode handler (IOPL 3), to the 8086 program's own handler where the TSS's
 * redirection bitmap says so (VME), or is #GP(0). With VME and IOPL below 3, IF is simulated by VIF.
 * Sources: SDM vol. 3A §20.2 (mode, entry, exit), §20.3 (interrupts, Table 20-2), vol. 2 (INT n, IRET).
 * @module
 */
import { ARITHMETIC, DF, IF, IOPL, NT, RF, TF, VIF, VIP } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import { loadSegmentReal } from "../memory/mod.ts";
import { loadedFlags } from "./flags.ts";
import { StackFrame, type StackReader } from "./frame.ts";
import { isRedirected } from "./tss.ts";

const CR4_VME = 1;

const frame = new StackFrame();

/** Highest offset of a segment in this mode. */
const LIMIT = 0xffff;

/** Segments as IRET pops them, and as an exit pushes them in reverse. */
const DATA_SEGMENTS = [L.ES, L.DS, L.FS, L.GS] as const;

/**
 * The rest of an IRETD at CPL 0 whose image has VM: EIP, CS and EFLAGS are popped already, the words above them name
 * the stack and the data segments. Follow with `updateMode`.
 */
export function returnToVirtual8086(
  core: Core,
  reader: StackReader,
  target: { readonly offset: number; readonly selector: number; readonly image: number },
): void {
  const esp = reader.pop();
  const stack = reader.pop();
  const selectors = DATA_SEGMENTS.map(() => reader.pop());
  if (target.offset > LIMIT) core.raise(VECTOR.GP, 0);
  core.eflags = loadedFlags(core, target.image);
  core.cpl = 3;
  loadSegmentReal(core, L.CS, target.selector);
  loadSegmentReal(core, L.SS, stack);
  DATA_SEGMENTS.forEach((segment, i) => loadSegmentReal(core, segment, selectors[i] as number));
  core.setGpr(4, esp);
  core.eip = target.offset;
}

/**
 * INT n in virtual-8086 mode: true when the 8086 program's own handler was entered; false when the event goes
 * through the IDT. #GP(0) when it is for the monitor.
 */
export function virtualInterrupt(core: Core, vector: number, next: number): boolean {
  const trusted = (core.eflags & IOPL) === IOPL;
  if ((core.cr4 & CR4_VME) !== 0 && isRedirected(core, vector)) {
    enterProgramHandler(core, vector, next, trusted);
    return true;
  }
  if (!trusted) core.raise(VECTOR.GP, 0);
  return false;
}

/** Methods 5 and 6 of SDM vol. 3A Table 20-2: as in real mode, through the vectors at linear address 0. */
function enterProgramHandler(core: Core, vector: number, next: number, trusted: boolean): void {
  const { eflags } = core;
  const offset = core.memory.readSystem(vector * 4, 2) & 0xffff;
  const selector = core.memory.readSystem(vector * 4 + 2, 2) & 0xffff;
  let image = eflags;
  if (!trusted) image = (eflags & ~IF) | (eflags & VIF ? IF : 0) | IOPL;
  frame.onCurrent(core, 2, 0).push(image).push(core.selector(L.CS)).push(next).check(core);
  core.setGpr(4, frame.commit(core));
  core.eflags = eflags & ~(TF | RF | (trusted ? IF : VIF));
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
  core.enteredHandler = true;
  core.updateMode();
}

/**
 * IRET in virtual-8086 mode with IOPL below 3: by VIF with VME and 16-bit operands, else #GP(0). The frame is popped;
 * `reader` is committed here. Follow with `updateMode`.
 */
export function returnVirtually(core: Core, reader: StackReader, size: 2 | 4): void {
  if ((core.cr4 & CR4_VME) === 0 || size === 4) core.raise(VECTOR.GP, 0);
  const offset = reader.pop();
  const selector = reader.pop();
  const image = reader.pop();
  const { eflags } = core;
  // SDM vol. 3A §20.3.3.4: the monitor must see a pending virtual interrupt, and TF.
  if (image & TF || (image & IF && eflags & VIP)) core.raise(VECTOR.GP, 0);
  reader.commit();
  const writable = ARITHMETIC | DF | NT;
  core.eflags = (eflags & ~(writable | TF | VIF)) | (image & writable) | (image & IF ? VIF : 0);
  loadSegmentReal(core, L.CS, selector);
  core.eip = offset;
}
