/**
 * CLI, STI, PUSHF and POPF where privilege counts: CPL above IOPL, virtual-8086 mode and its extensions.
 *
 * With CR4.VME (virtual-8086 mode, IOPL below 3) and CR4.PVI (CPL 3 above IOPL) CLI and STI work on VIF; with VME
 * PUSHF and POPF show and set VIF as IF. Else the instruction is #GP(0) for the monitor.
 * Sources: SDM vol. 2 (CLI, STI, PUSHF, POPF), vol. 3A §20.3.3.4, §20.4.
 * @module
 */
import { IF, IOPL, RF, TF, VIF, VIP } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import { SS } from "../state/layout.ts";
import type { Assist, Assists } from "./assist.ts";
import { ATTRIBUTE, type Core } from "./core.ts";

const CR4_VME = 1;
const CR4_PVI = 2;

/** What POPF may change at all: all but RF, VM, VIF, VIP and the reserved bits. */
const POPF_WRITABLE = 0x244dd5;

function iopl(core: Core): number {
  return (core.eflags & IOPL) >> 12;
}
/** #GP(0) unless CLI and STI work on VIF; only called with CPL above IOPL. */
function requireVirtualInterrupts(core: Core): void {
  const extended = core.vm86
    ? (core.cr4 & CR4_VME) !== 0
    : (core.cr4 & CR4_PVI) !== 0 && core.cpl === 3;
  if (!extended) core.raise(VECTOR.GP, 0);
}

const cliVirtual: Assist = (core) => {
  requireVirtualInterrupts(core);
  core.eflags = core.eflags & ~VIF;
};
const stiVirtual: Assist = (core) => {
  requireVirtualInterrupts(core);
  // A virtual interrupt waits: the monitor must deliver it.
  if (core.eflags & VIP) core.raise(VECTOR.GP, 0);
  core.eflags = core.eflags | VIF;
};

/** #GP(0) unless VME stands in for IOPL 3 with 16-bit operands. */
function requireVirtualFlags(core: Core, operandSize: 2 | 4): void {
  if ((core.cr4 & CR4_VME) === 0 || operandSize === 4) core.raise(VECTOR.GP, 0);
}
function stackMask(core: Core): number {
  return core.segmentAttributes(SS) & ATTRIBUTE.BIG ? -1 : 0xffff;
}

/** PUSHF in virtual-8086 mode with IOPL below 3. */
const pushfVirtual: Assist = (core, { operandSize }) => {
  requireVirtualFlags(core, operandSize);
  const { eflags } = core;
  const mask = stackMask(core);
  const esp = core.gpr(4);
  const top = ((esp - 2) & mask) >>> 0;
  core.write(SS, top, 2, ((eflags & ~IF) | IOPL | (eflags & VIF ? IF : 0)) & 0xffff);
  core.setGpr(4, (esp & ~mask) | top);
};

/** POPF with CPL above 0: IOPL stays, IF changes when CPL ≤ IOPL. */
const popfPrivileged: Assist = (core, { operandSize }) => {
  const old = core.eflags;
  const trusted = core.cpl <= iopl(core);
  const virtual = core.vm86 && !trusted;
  if (virtual) requireVirtualFlags(core, operandSize);
  const mask = stackMask(core);
  const esp = core.gpr(4);
  const popped = core.read(SS, (esp & mask) >>> 0, operandSize);
  if (virtual && (popped & TF || (popped & IF && old & VIP))) core.raise(VECTOR.GP, 0);
  let writable = POPF_WRITABLE;
  if (trusted) writable |= IF;
  if (operandSize === 2) writable &= 0xffff;
  core.setGpr(4, (esp & ~mask) | ((esp + operandSize) & mask));
  let kept = old & ~writable & ~RF;
  if (virtual) kept = (kept & ~VIF) | (popped & IF ? VIF : 0);
  core.eflags = kept | (popped & writable);
  // AC may have changed.
  core.updateTlbPointers();
};

/** Assists of instructions on EFLAGS that privilege limits. */
export const flagAssists: Assists = { cliVirtual, stiVirtual, pushfVirtual, popfPrivileged };
