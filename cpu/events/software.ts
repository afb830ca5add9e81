/**
 * INT n, INT3, INTO, INT1, SYSENTER, SYSEXIT.
 * Sources: SDM vol. 2 (INT n, SYSENTER, SYSEXIT), vol. 3A §5.8.7, §20.3 (virtual-8086 mode: only INT n looks at IOPL).
 * @module
 */
import { IF, OF, VM } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { isNull } from "../memory/mod.ts";
import { enterVector, SOURCE } from "./delivery.ts";
import { virtualInterrupt } from "./virtual8086.ts";

const int: Assist = (core, { immediate, eip, next }) => {
  if (core.vm86 && virtualInterrupt(core, immediate & 0xff, next)) return;
  enterVector(core, immediate & 0xff, SOURCE.SOFTWARE, -1, next, eip);
};
const int3: Assist = (core, { eip, next }) => {
  enterVector(core, VECTOR.BP, SOURCE.SOFTWARE, -1, next, eip);
};
const into: Assist = (core, { eip, next }) => {
  if (core.eflags & OF) enterVector(core, VECTOR.OF, SOURCE.SOFTWARE, -1, next, eip);
};
const int1: Assist = (core, { eip, next }) => {
  enterVector(core, VECTOR.DB, SOURCE.INT1, -1, next, eip);
};

/** Loads the flat segments that SYSENTER and SYSEXIT imply, without looking at descriptors. */
function loadFlat(core: Core, code: number, stack: number, privilege: number): void {
  const dpl = privilege << 5;
  core.setSegment(L.CS, code, 0, 0xffffffff, 0xc09b | dpl);
  core.setSegment(L.SS, stack, 0, 0xffffffff, 0xc093 | dpl);
  core.cpl = privilege;
  core.updateMode();
}

const sysenter: Assist = (core) => {
  const selector = core.i32[L.MSR_SYSENTER_CS >> 2] as number;
  if ((core.cr0 & 1) === 0 || isNull(selector)) core.raise(VECTOR.GP, 0);
  core.eflags = core.eflags & ~(VM | IF);
  core.setGpr(4, core.i32[L.MSR_SYSENTER_ESP >> 2] as number);
  core.eip = core.i32[L.MSR_SYSENTER_EIP >> 2] as number;
  loadFlat(core, selector & 0xfffc, (selector & 0xfffc) + 8, 0);
};
const sysexit: Assist = (core) => {
  const selector = core.i32[L.MSR_SYSENTER_CS >> 2] as number;
  if (!core.protectedMode || isNull(selector) || core.cpl !== 0) core.raise(VECTOR.GP, 0);
  core.setGpr(4, core.gpr(1));
  core.eip = core.gpr(2);
  loadFlat(core, (selector + 16) | 3, (selector + 24) | 3, 3);
};

/** Assists of software interrupts and fast system calls. */
export const softwareAssists: Assists = { int, int3, into, int1, sysenter, sysexit };
