/**
 * Descriptor-table registers and the instructions that ask about selectors.
 * Sources: SDM vol. 2 (LGDT, SGDT, LLDT, LTR, SLDT, STR, LAR, LSL, VERR, ARPL), vol. 3A §2.4, §5.10.
 * @module
 */
import { ZF } from "../state/flags.ts";
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists, Operands } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import {
  checkedDescriptor,
  Descriptor,
  isNull,
  loadDescriptor,
  loadNull,
  readDescriptor,
  selectorError,
  SYSTEM_TYPE,
} from "../memory/mod.ts";
import {
  readWord,
  requirePrivilege,
  requireProtected,
  writeRegister,
  writeWord,
} from "./operand.ts";

const BUSY = 0x200;

function storeTable(base: number, limit: number): Assist {
  return (core, { segment, offset }) => {
    // All 32 bits of the base, whatever the operand size: what processors do from the 386 on.
    core.memory.probeWrite(core.linear(segment, offset, 6, true), 6);
    core.write(segment, offset, 2, core.i32[limit >> 2] as number);
    core.write(segment, (offset + 2) | 0, 4, core.i32[base >> 2] as number);
  };
}
function loadTable(base: number, limit: number): Assist {
  return (core, { segment, offset, operandSize }) => {
    requirePrivilege(core);
    const newLimit = core.read(segment, offset, 2);
    const newBase = core.read(segment, (offset + 2) | 0, 4);
    core.i32[limit >> 2] = newLimit;
    core.i32[base >> 2] = operandSize === 2 ? newBase & 0xffffff : newBase;
  };
}

function storeSelector(segment: number): Assist {
  return (core, operands) => {
    requireProtected(core);
    writeWord(core, operands, core.selector(segment));
  };
}

const lldt: Assist = (core, operands) => {
  requireProtected(core);
  requirePrivilege(core);
  const selector = readWord(core, operands);
  if (isNull(selector)) {
    loadNull(core, L.LDTR, selector);
    return;
  }
  const descriptor = tableDescriptor(core, selector);
  if (descriptor.isSegment || descriptor.type !== SYSTEM_TYPE.LDT) {
    core.raise(VECTOR.GP, selectorError(selector));
  }
  if (!descriptor.present) core.raise(VECTOR.NP, selectorError(selector));
  loadDescriptor(core, L.LDTR, selector, descriptor);
};

const ltr: Assist = (core, operands) => {
  requireProtected(core);
  requirePrivilege(core);
  const selector = readWord(core, operands);
  const descriptor = tableDescriptor(core, selector);
  if (
    descriptor.isSegment ||
    (descriptor.type !== SYSTEM_TYPE.TSS16 && descriptor.type !== SYSTEM_TYPE.TSS32)
  ) core.raise(VECTOR.GP, selectorError(selector));
  if (!descriptor.present) core.raise(VECTOR.NP, selectorError(selector));
  core.memory.writeSystem((descriptor.address + 4) | 0, 4, descriptor.high | BUSY);
  descriptor.high |= BUSY;
  loadDescriptor(core, L.TR, selector, descriptor);
};

/** A descriptor that must be in the GDT. */
function tableDescriptor(core: Core, selector: number): Descriptor {
  if (selector & 4) core.raise(VECTOR.GP, selectorError(selector));
  return checkedDescriptor(core, selector);
}

const arpl: Assist = (core, operands) => {
  requireProtected(core);
  const { isMemory, segment, offset, rm } = operands;
  const rpl = core.gpr(operands.reg) & 3;
  let selector = core.gpr(rm) & 0xffff;
  if (isMemory) {
    // As measured: the destination is written, and must be writable, only when it changes.
    selector = core.read(segment, offset, 2);
  }
  const adjusted = (selector & 3) < rpl;
  if (adjusted) {
    const value = (selector & ~3) | rpl;
    if (isMemory) core.write(segment, offset, 2, value);
    else writeRegister(core, rm, 2, value);
  }
  setZero(core, adjusted);
};

function setZero(core: Core, on: boolean): void {
  core.eflags = on ? core.eflags | ZF : core.eflags & ~ZF;
}

const asked = new Descriptor();

/**
 * The descriptor that LAR, LSL, VERR or VERW asks about, or undefined when it is not visible at CPL and RPL.
 * May throw #PF, nothing else.
 */
function visible(core: Core, operands: Operands): Descriptor | undefined {
  requireProtected(core);
  const selector = readWord(core, operands);
  if (isNull(selector) || !readDescriptor(core, selector, asked)) return undefined;
  if (!asked.isConforming && (asked.dpl < core.cpl || asked.dpl < (selector & 3))) return undefined;
  return asked;
}

/** System types of which LAR and LSL tell something: bit n for type n. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LSL_TYPES = 0b0000_1010_0000_1110;

const lar: Assist = (core, operands) => {
  const descriptor = visible(core, operands);
  const ok = descriptor !== undefined &&
    (descriptor.isSegment || (LAR_TYPES & (1 << descriptor.type)) !== 0);
  if (ok) {
    writeRegister(core, operands.reg, operands.operandSize, descriptor.high & 0x00ffff00);
  }
  setZero(core, ok);
};
const lsl: Assist = (core, operands) => {
  const descriptor = visible(core, operands);
  const ok = descriptor !== undefined &&
    (descriptor.isSegment || (LSL_TYPES & (1 << descriptor.type)) !== 0);
  if (ok) writeRegister(core, operands.reg, operands.operandSize, descriptor.limit);
  setZero(core, ok);
};
const verr: Assist = (core, operands) => {
  setZero(core, visible(core, operands)?.isReadable === true);
};
const verw: Assist = (core, operands) => {
  setZero(core, visible(core, operands)?.isWritableData === true);
};

/** Assists on descriptor tables and selectors. */
export const tableAssists: Assists = {
  sgdt: storeTable(L.GDTR_BASE, L.GDTR_LIMIT),
  sidt: storeTable(L.IDTR_BASE, L.IDTR_LIMIT),
  lgdt: loadTable(L.GDTR_BASE, L.GDTR_LIMIT),
  lidt: loadTable(L.IDTR_BASE, L.IDTR_LIMIT),
  sldt: storeSelector(L.LDTR),
  str: storeSelector(L.TR),
  lldt,
  ltr,
  arpl,
  lar,
  lsl,
  verr,
  verw,
};
