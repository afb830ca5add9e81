/**
 * Control and debug registers, HLT, INVLPG, cache instructions.
 * Sources: SDM vol. 2 (MOV CR, MOV DR, LMSW, SMSW, CLTS), vol. 3A §2.5, §4.10.4 (what flushes the TLB), §17.2.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import { DR6, DR7_GD } from "../execute/breakpoints.ts";
import type { Core } from "../execute/core.ts";
import { readWord, requirePrivilege, writeRegister } from "./operand.ts";

export const CR0_PE = 0x1;
const CR0_TS = 0x8;
const CR0_ET = 0x10;
const CR0_WP = 0x10000;
const CR0_NW = 0x20000000;
const CR0_CD = 0x40000000;
const CR0_PG = 0x80000000 | 0;
const CR4_DE = 0x8;
const CR4_PAE = 0x20;
/** PSE PAE PGE: how page tables are read. */
const CR4_PAGING = 0xb0;

/** Loads CR0 after its checks; flushes and recomputes what depends on it. */
export function writeCr0(core: Core, wanted: number): void {
  const value = (wanted & core.model.cr0) | CR0_ET;
  if ((value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD))) {
    core.raise(VECTOR.GP, 0);
  }
  const changed = value ^ core.cr0;
  // PAE's pointers are loaded here, and where CR3 or CR4 change with paging on (SDM vol. 3A §4.4.1).
  const pointers = (value & CR0_PG) !== 0 && (core.cr4 & CR4_PAE) !== 0 &&
    (changed & (CR0_PG | CR0_CD | CR0_NW)) !== 0;
  if (pointers) core.memory.loadPointers(core.i32[L.CR3 >> 2] as number);
  core.i32[L.CR0 >> 2] = value;
  if (changed & (CR0_PG | CR0_WP)) core.memory.flush();
  else if (pointers) core.memory.switchSpace();
  core.updateMode();
  core.report.controlRegister?.(0, value >>> 0);
}

/** Loads CR3. */
export function writeCr3(core: Core, value: number): void {
  // Bits that are reserved or ignored read as zero; with PAE the table is aligned to 32 bytes.
  const loaded = value & (core.cr4 & CR4_PAE ? 0xfffffff8 : 0xfffff018);
  if (core.cr4 & CR4_PAE && core.cr0 < 0) core.memory.loadPointers(loaded);
  core.i32[L.CR3 >> 2] = loaded;
  core.memory.switchSpace();
  core.report.controlRegister?.(3, value >>> 0);
}

/** Loads CR4; #GP(0) for bits that this processor does not have. */
export function writeCr4(core: Core, value: number): void {
  if (value & ~core.model.cr4) core.raise(VECTOR.GP, 0);
  const changed = value ^ core.cr4;
  if (core.cr0 < 0 && value & CR4_PAE && changed & CR4_PAGING) {
    core.memory.loadPointers(core.i32[L.CR3 >> 2] as number);
  }
  core.i32[L.CR4 >> 2] = value;
  if (changed & CR4_PAGING) core.memory.flush();
  if (changed & CR4_DE) core.debug.refresh();
  core.report.controlRegister?.(4, value >>> 0);
}

/** #UD for registers that the processor has not: the 386 has no CR4. */
function requireControlRegister(core: Core, reg: number): void {
  if (reg === 1 || reg > 4 || (reg === 4 && core.model.cr4 === 0)) core.raise(VECTOR.UD);
}
const movToControl: Assist = (core, { reg, rm }) => {
  requireControlRegister(core, reg);
  requirePrivilege(core);
  const value = core.gpr(rm);
  if (reg === 0) writeCr0(core, value);
  else if (reg === 2) core.i32[L.CR2 >> 2] = value;
  else if (reg === 3) writeCr3(core, value);
  else writeCr4(core, value);
};
const movFromControl: Assist = (core, { reg, rm }) => {
  requireControlRegister(core, reg);
  requirePrivilege(core);
  const from = reg === 0 ? L.CR0 : reg === 2 ? L.CR2 : reg === 3 ? L.CR3 : L.CR4;
  core.setGpr(rm, core.i32[from >> 2] as number);
};

/** Number of the debug register after aliasing; faults as both directions do. */
function debugRegister(core: Core, reg: number): number {
  if ((reg === 4 || reg === 5) && core.cr4 & CR4_DE) core.raise(VECTOR.UD);
  requirePrivilege(core);
  const dr6 = (L.DR >> 2) + 6;
  // DR7.GD: any access traps first (DR6.BD says so); the entry into the handler clears GD.
  if ((core.i32[dr6 + 1] as number) & DR7_GD) {
    core.i32[dr6] = (core.i32[dr6] as number) | DR6.BD;
    core.raise(VECTOR.DB);
  }
  return reg === 4 || reg === 5 ? reg + 2 : reg;
}
const movFromDebug: Assist = (core, { reg, rm }) => {
  core.setGpr(rm, core.i32[(L.DR >> 2) + debugRegister(core, reg)] as number);
};
const movToDebug: Assist = (core, { reg, rm }) => {
  const number = debugRegister(core, reg);
  let value = core.gpr(rm);
  // Reserved bits read as ones and zeros (SDM vol. 3A §17.2.3, §17.2.4).
  if (number === 6) value = (value & 0xe00f) | 0xffff0ff0;
  if (number === 7) value = (value & 0xffff23ff) | 0x400;
  core.i32[(L.DR >> 2) + number] = value;
  if (number !== 6) core.debug.refresh();
};

const lmsw: Assist = (core, operands) => {
  requirePrivilege(core);
  const value = readWord(core, operands);
  // PE can be set, not cleared.
  writeCr0(core, (core.cr0 & ~0xe) | (value & 0xf));
};
const smsw: Assist = (core, operands) => {
  if (operands.isMemory) core.write(operands.segment, operands.offset, 2, core.cr0 & 0xffff);
  else writeRegister(core, operands.rm, operands.operandSize, core.cr0);
};
const clts: Assist = (core) => {
  requirePrivilege(core);
  core.i32[L.CR0 >> 2] = core.cr0 & ~CR0_TS;
};
const invlpg: Assist = (core, { segment, offset }) => {
  requirePrivilege(core);
  core.memory.invalidate((core.segmentBase(segment) + offset) | 0);
};
/** WBINVD, INVD: there is no cache. */
const cache: Assist = (core) => requirePrivilege(core);

const hlt: Assist = (core) => {
  requirePrivilege(core);
  core.i32[L.HALTED >> 2] = 1;
};

/** Assists on control registers. */
export const controlAssists: Assists = {
  movToControl,
  movFromControl,
  movToDebug,
  movFromDebug,
  lmsw,
  smsw,
  clts,
  invlpg,
  wbinvd: cache,
  invd: cache,
  hlt,
};
