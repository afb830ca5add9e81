/**
 * What processor this is: CPUID, model-specific registers, the time stamp counter.
 *
 * A Pentium III (family 6, model 7) without APIC. QUIRK(caches): MTRRs and PAT are storage.
 * Sources: SDM vol. 2 (CPUID, RDTSC, RDMSR), vol. 4 §2.21 (P6 MSRs), Intel AP-485 (CPUID of the P6 family).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { requirePrivilege } from "./operand.ts";

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3] as const;

/** Family 6, model 7, stepping 3. */
export const SIGNATURE = 0x673;
/** FPU VME DE PSE TSC MSR PAE CX8 SEP MTRR PGE CMOV PAT PSE-36 MMX FXSR SSE. */
export const FEATURES: number = [0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 15, 16, 17, 23, 24, 25]
  .reduce((bits, bit) => bits | (1 << bit), 0);

/** The local APIC is on the chip and not switched off by its MSR (SDM vol. 3A §11.4.3). */
const FEATURE_APIC = 1 << 9;

const cpuid: Assist = (core) => {
  const set = (a: number, b: number, c: number, d: number): void => {
    core.setGpr(EAX, a);
    core.setGpr(EBX, b);
    core.setGpr(ECX, c);
    core.setGpr(EDX, d);
  };
  const leaf = core.gpr(EAX) >>> 0;
  // "GenuineIntel" in EBX, EDX, ECX.
  if (leaf === 0) set(2, 0x756e6547, 0x6c65746e, 0x49656e69);
  else if (leaf === 1) set(SIGNATURE, 0, 0, FEATURES | (apicEnabled(core) ? FEATURE_APIC : 0));
  // Leaves beyond the last read as the last: TLBs, 16 KiB L1, 512 KiB L2.
  else set(0x03020101, 0, 0, 0x0c040843);
};

// ---- time ---------------------------------------------------------------------------------------

const TWO_32 = 0x100000000;

/** The counter's low and high word. */
function timestamp(core: Core): { low: number; high: number } {
  const ticks = core.bus.timestamp?.() ?? core.instructions;
  const low = ticks % TWO_32 + (core.u32[L.MSR_TSC_OFFSET >> 2] as number);
  const high = Math.floor(ticks / TWO_32) + (core.u32[(L.MSR_TSC_OFFSET >> 2) + 1] as number);
  return { low: low | 0, high: (high + (low >= TWO_32 ? 1 : 0)) | 0 };
}
function setTimestamp(core: Core, low: number, high: number): void {
  core.i32.fill(0, L.MSR_TSC_OFFSET >> 2, (L.MSR_TSC_OFFSET >> 2) + 2);
  const now = timestamp(core);
  const difference = (low >>> 0) - (now.low >>> 0);
  core.i32[L.MSR_TSC_OFFSET >> 2] = difference | 0;
  core.i32[(L.MSR_TSC_OFFSET >> 2) + 1] = high - now.high - (difference < 0 ? 1 : 0);
}

const rdtsc: Assist = (core) => {
  // CR4.TSD
  if (core.cr4 & 4 && core.cpl !== 0) core.raise(VECTOR.GP, 0);
  const { low, high } = timestamp(core);
  core.setGpr(EAX, low);
  core.setGpr(EDX, high);
};
/** There are no performance counters, so every counter number is out of range. */
const rdpmc: Assist = (core) => core.raise(VECTOR.GP, 0);

// ---- model-specific registers ---------------------------------------------------------------------

const MSR = {
  APIC_BASE: 0x1b,
  TSC: 0x10,
  PLATFORM_ID: 0x17,
  EBL_CR_POWERON: 0x2a,
  BIOS_UPDATE: 0x79,
  BIOS_SIGNATURE: 0x8b,
  MTRR_CAP: 0xfe,
  SYSENTER_CS: 0x174,
  SYSENTER_ESP: 0x175,
  SYSENTER_EIP: 0x176,
  DEBUG_CONTROL: 0x1d9,
} as const;

/** MTRRs and PAT in their order from layout.ts MSR_MEMORY_TYPES on. */
const MEMORY_TYPES: readonly number[] = [
  ...Array.from({ length: 16 }, (_, i) => 0x200 + i),
  0x250,
  0x258,
  0x259,
  ...Array.from({ length: 8 }, (_, i) => 0x268 + i),
  0x277,
  0x2ff,
];
/** Eight variable ranges, fixed ranges, write combining. */
const MTRR_CAP_VALUE = 0x508;
const SYSENTER: Readonly<Record<number, number>> = {
  [MSR.SYSENTER_CS]: L.MSR_SYSENTER_CS,
  [MSR.SYSENTER_ESP]: L.MSR_SYSENTER_ESP,
  [MSR.SYSENTER_EIP]: L.MSR_SYSENTER_EIP,
};
/** PAT after RESET: WB WT UC- UC, twice. */
const PAT_RESET = 0x00070406;

/** IA32_APIC_BASE: FEE00000h, enabled, the bootstrap processor; the bits that can be written. */
const APIC_BASE_RESET = 0xfee00900 | 0;
const APIC_BASE_MASK = 0xfffff800 | 0;
const APIC_BASE_ENABLE = 0x800;
const BOOTSTRAP = 0x100;

/** A board that hears of IA32_APIC_BASE has a local APIC. */
function hasApic(core: Core): boolean {
  return core.bus.apicBase !== undefined;
}
function apicEnabled(core: Core): boolean {
  return hasApic(core) && ((core.i32[L.MSR_APIC_BASE >> 2] as number) & APIC_BASE_ENABLE) !== 0;
}
function setApicBase(core: Core, low: number, high: number): void {
  // The P6 has 36 address bits; ours end at 32. Bit 8 tells, and is not written.
  if ((low & ~(APIC_BASE_MASK | BOOTSTRAP)) !== 0 || high !== 0) core.raise(VECTOR.GP, 0);
  const at = L.MSR_APIC_BASE >> 2;
  core.i32[at] = (low & APIC_BASE_MASK) | ((core.i32[at] as number) & BOOTSTRAP);
  core.bus.apicBase?.((core.i32[at] as number) >>> 0);
}

/** Sets the MSRs to their values after RESET. */
export function resetMsrs(core: Core): void {
  core.i32.fill(0, L.MSR_SYSENTER_CS >> 2, (L.MSR_MISC >> 2) + 2);
  if (hasApic(core)) core.i32[L.MSR_APIC_BASE >> 2] = APIC_BASE_RESET;
  const at = L.MSR_MEMORY_TYPES >> 2;
  core.i32.fill(0, at, at + 2 * MEMORY_TYPES.length);
  const pat = at + 2 * MEMORY_TYPES.indexOf(0x277);
  core.i32[pat] = PAT_RESET;
  core.i32[pat + 1] = PAT_RESET;
}

const rdmsr: Assist = (core) => {
  requirePrivilege(core);
  const number = core.gpr(ECX) >>> 0;
  let low = 0;
  let high = 0;
  const memoryType = MEMORY_TYPES.indexOf(number);
  const sysenter = SYSENTER[number];
  if (memoryType >= 0) {
    low = core.i32[(L.MSR_MEMORY_TYPES >> 2) + 2 * memoryType] as number;
    high = core.i32[(L.MSR_MEMORY_TYPES >> 2) + 2 * memoryType + 1] as number;
  } else if (sysenter !== undefined) low = core.i32[sysenter >> 2] as number;
  else if (number === MSR.TSC) ({ low, high } = timestamp(core));
  else if (number === MSR.APIC_BASE && hasApic(core)) {
    low = core.i32[L.MSR_APIC_BASE >> 2] as number;
  } else if (number === MSR.MTRR_CAP) low = MTRR_CAP_VALUE;
  else if (number === MSR.DEBUG_CONTROL) low = core.i32[L.MSR_MISC >> 2] as number;
  else if (
    number !== MSR.PLATFORM_ID && number !== MSR.EBL_CR_POWERON && number !== MSR.BIOS_SIGNATURE
  ) core.raise(VECTOR.GP, 0);
  core.setGpr(EAX, low);
  core.setGpr(EDX, high);
};

const wrmsr: Assist = (core) => {
  requirePrivilege(core);
  const number = core.gpr(ECX) >>> 0;
  const low = core.gpr(EAX);
  const high = core.gpr(EDX);
  const memoryType = MEMORY_TYPES.indexOf(number);
  const sysenter = SYSENTER[number];
  if (memoryType >= 0) {
    core.i32[(L.MSR_MEMORY_TYPES >> 2) + 2 * memoryType] = low;
    core.i32[(L.MSR_MEMORY_TYPES >> 2) + 2 * memoryType + 1] = high;
  } else if (sysenter !== undefined) core.i32[sysenter >> 2] = low;
  else if (number === MSR.TSC) setTimestamp(core, low, high);
  else if (number === MSR.APIC_BASE && hasApic(core)) setApicBase(core, low, high);
  else if (number === MSR.DEBUG_CONTROL) core.i32[L.MSR_MISC >> 2] = low & 0x7f;
  else if (
    number !== MSR.BIOS_SIGNATURE && number !== MSR.BIOS_UPDATE && number !== MSR.EBL_CR_POWERON
  ) core.raise(VECTOR.GP, 0);
};

/** Assists that identify the processor or read its own registers. */
export const identityAssists: Assists = { cpuid, rdtsc, rdpmc, rdmsr, wrmsr };
