/**
 * Model-specific registers: a table of which processor has which, RDMSR and WRMSR, the time stamp counter, and
 * performance counters that stand still.
 *
 * Registers that the processor has not are #GP(0). QUIRK(caches): MTRRs and PAT are storage. QUIRK(counters): no
 * event is counted and no machine check happens. Sources: SDM vol. 4 §2.21 (P6 family), §2.23 (Pentium), §2.19
 * (Pentium 4); vol. 3A §15.3 (machine check), §19 (performance counters).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Assist, Assists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import type { CpuModel, Feature } from "./models.ts";
import { requirePrivilege } from "./operand.ts";

const [EAX, ECX, EDX] = [0, 1, 2] as const;
const TWO_32 = 0x100000000;
const CR4_TSD = 4;
const CR4_PCE = 0x100;

// ---- time ---------------------------------------------------------------------------------------

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
  if (core.cr4 & CR4_TSD && core.cpl !== 0) core.raise(VECTOR.GP, 0);
  const { low, high } = timestamp(core);
  core.setGpr(EAX, low);
  core.setGpr(EDX, high);
};

// ---- registers that are storage -----------------------------------------------------------------

/** What a write does to a register that is storage. */
type Writes =
  /** Stored. */
  | "kept"
  /** Without effect. */
  | "ignored"
  /** #GP(0). */
  | "refused"
  /** Low word stored, its sign in bits 39:32. */
  | "counter"
  /** Only zero may be written. */
  | "cleared";

interface Register {
  readonly number: number;
  readonly has: (model: CpuModel, features: ReadonlySet<string>) => boolean;
  /** Low and high word after RESET. */
  readonly reset: readonly [number, number];
  readonly writes: Writes;
}

function register(
  number: number,
  needs: Feature | readonly CpuModel[],
  writes: Writes = "kept",
  reset: readonly [number, number] = [0, 0],
): Register {
  const has = typeof needs === "string"
    ? (_: CpuModel, features: ReadonlySet<string>): boolean => features.has(needs)
    : (model: CpuModel): boolean => needs.includes(model);
  return { number, has, reset, writes };
}
function run(
  first: number,
  count: number,
  needs: Feature | readonly CpuModel[],
  writes: Writes = "kept",
): Register[] {
  return Array.from({ length: count }, (_, i) => register(first + i, needs, writes));
}

const PENTIUM = ["pentium"] as const;
const P6_FAMILY = ["p6", "p3"] as const;
const P4 = ["p4"] as const;
/** PAT after RESET: WB WT UC- UC, twice. */
const PAT_RESET = 0x00070406;
/** Eight variable ranges, fixed ranges, write combining. */
const MTRR_CAP_VALUE = 0x508;
/** Machine-check banks (CTL, STATUS, ADDR, MISC each); MCG_CTL is there. */
const P6_BANKS = 5;
const P4_BANKS = 4;
const MCG_CTL_PRESENT = 0x100;
const BANKS = 0x400;

/** In the order in which they are stored from layout.ts MSR_STORAGE on. */
const STORED: readonly Register[] = [
  // P5_MC_ADDR, P5_MC_TYPE.
  ...run(0x00, 2, "mce", "ignored"),
  // CESR, CTR0, CTR1.
  ...run(0x11, 3, PENTIUM),
  // IA32_PLATFORM_ID, EBL_CR_POWERON, EBC_FREQUENCY_ID.
  register(0x17, "p6", "refused"),
  register(0x2a, "p6", "ignored"),
  register(0x2c, P4, "ignored"),
  // IA32_BIOS_SIGN_ID: no update is loaded.
  register(0x8b, "p6", "ignored"),
  // PERFCTR0, 1; EVNTSEL0, 1.
  ...run(0xc1, 2, P6_FAMILY, "counter"),
  ...run(0x186, 2, P6_FAMILY),
  register(0xfe, "mtrr", "refused", [MTRR_CAP_VALUE, 0]),
  // MCG_CAP, MCG_STATUS, MCG_CTL.
  register(0x179, P6_FAMILY, "refused", [MCG_CTL_PRESENT | P6_BANKS, 0]),
  register(0x179, P4, "refused", [MCG_CTL_PRESENT | P4_BANKS, 0]),
  ...run(0x17a, 2, "mca"),
  // IA32_MISC_ENABLE: fast strings; bit 7, performance monitoring, is clear.
  register(0x1a0, P4, "kept", [1, 0]),
  // LASTBRANCHFROMIP … LASTINTTOIP.
  ...run(0x1db, 4, P6_FAMILY, "refused"),
  ...run(0x200, 16, "mtrr"),
  register(0x250, "mtrr"),
  ...run(0x258, 2, "mtrr"),
  ...run(0x268, 8, "mtrr"),
  register(0x277, "pat", "kept", [PAT_RESET, PAT_RESET]),
  register(0x2ff, "mtrr"),
  ...Array.from({ length: P6_BANKS * 4 }, (_, i): Register => {
    const writes = (i & 3) === 1 ? "cleared" : "kept";
    return register(BANKS + i, i < P4_BANKS * 4 ? "mca" : P6_FAMILY, writes);
  }),
];
if (STORED.length > L.MSR_STORED_MAX) {
  throw new RangeError("more MSRs than the layout has room for");
}

/** Index in {@link STORED}, by model and number. */
const indices = new Map<string, ReadonlyMap<number, number>>();
function storedIndex(core: Core, number: number): number {
  const { name, features } = core.model;
  let map = indices.get(name);
  if (map === undefined) {
    map = new Map(
      STORED.flatMap((one, i) => one.has(name, features) ? [[one.number, i] as const] : []),
    );
    indices.set(name, map);
  }
  return map.get(number) ?? -1;
}
function place(index: number): number {
  return (L.MSR_STORAGE >> 2) + 2 * index;
}

// ---- registers with an effect -------------------------------------------------------------------

const MSR = {
  TSC: 0x10,
  APIC_BASE: 0x1b,
  BIOS_UPDATE: 0x79,
  DEBUG_CONTROL: 0x1d9,
} as const;
const SYSENTER: Readonly<Record<number, number>> = {
  0x174: L.MSR_SYSENTER_CS,
  0x175: L.MSR_SYSENTER_ESP,
  0x176: L.MSR_SYSENTER_EIP,
};

/** IA32_APIC_BASE: FEE00000h, enabled, the bootstrap processor; the bits that can be written. */
const APIC_BASE_RESET = 0xfee00900 | 0;
const APIC_BASE_MASK = 0xfffff800 | 0;
const APIC_BASE_ENABLE = 0x800;
const BOOTSTRAP = 0x100;

/** A board that hears of IA32_APIC_BASE has a local APIC, if the processor has. */
function hasApic(core: Core): boolean {
  return core.bus.apicBase !== undefined && core.model.features.has("apic");
}
/** The Pentium's APIC cannot be moved. */
function hasApicBase(core: Core): boolean {
  return hasApic(core) && core.model.features.has("p6");
}
/** The local APIC is there and not switched off by its MSR (SDM vol. 3A §11.4.3). */
export function apicEnabled(core: Core): boolean {
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
  for (const [i, { reset }] of STORED.entries()) {
    core.i32[place(i)] = reset[0];
    core.i32[place(i) + 1] = reset[1];
  }
}

const rdmsr: Assist = (core) => {
  requirePrivilege(core);
  const number = core.gpr(ECX) >>> 0;
  const { features } = core.model;
  let low = 0;
  let high = 0;
  const index = storedIndex(core, number);
  const sysenter = SYSENTER[number];
  if (index >= 0) {
    low = core.i32[place(index)] as number;
    high = core.i32[place(index) + 1] as number;
  } else if (sysenter !== undefined && features.has("sep")) low = core.i32[sysenter >> 2] as number;
  else if (number === MSR.TSC) ({ low, high } = timestamp(core));
  else if (number === MSR.APIC_BASE && hasApicBase(core)) {
    low = core.i32[L.MSR_APIC_BASE >> 2] as number;
  } else if (number === MSR.DEBUG_CONTROL && features.has("p6")) {
    low = core.i32[L.MSR_MISC >> 2] as number;
  } else core.raise(VECTOR.GP, 0);
  core.setGpr(EAX, low);
  core.setGpr(EDX, high);
};

function writeStored(core: Core, index: number, low: number, high: number): void {
  const at = place(index);
  switch ((STORED[index] as Register).writes) {
    case "ignored":
      return;
    case "refused":
      core.raise(VECTOR.GP, 0);
      break;
    case "cleared":
      if ((low | high) !== 0) core.raise(VECTOR.GP, 0);
      break;
    case "counter":
      core.i32[at] = low;
      core.i32[at + 1] = low < 0 ? 0xff : 0;
      return;
  }
  core.i32[at] = low;
  core.i32[at + 1] = high;
}
const wrmsr: Assist = (core) => {
  requirePrivilege(core);
  const number = core.gpr(ECX) >>> 0;
  const low = core.gpr(EAX);
  const high = core.gpr(EDX);
  const { features } = core.model;
  const index = storedIndex(core, number);
  const sysenter = SYSENTER[number];
  if (index >= 0) writeStored(core, index, low, high);
  else if (sysenter !== undefined && features.has("sep")) core.i32[sysenter >> 2] = low;
  else if (number === MSR.TSC) setTimestamp(core, low, high);
  else if (number === MSR.APIC_BASE && hasApicBase(core)) setApicBase(core, low, high);
  else if (number === MSR.DEBUG_CONTROL && features.has("p6")) {
    core.i32[L.MSR_MISC >> 2] = low & 0x7f;
  } else if (number !== MSR.BIOS_UPDATE || !features.has("p6")) core.raise(VECTOR.GP, 0);
};

/** Counters that RDPMC knows: two of the P6 family, eighteen of the Pentium 4. */
const P6_COUNTERS = 2;
const P4_COUNTERS = 18;
const FIRST_COUNTER = 0xc1;

const rdpmc: Assist = (core) => {
  if (core.cpl !== 0 && !(core.cr4 & CR4_PCE)) core.raise(VECTOR.GP, 0);
  const number = core.gpr(ECX) >>> 0;
  const stored = number < P6_COUNTERS ? storedIndex(core, FIRST_COUNTER + number) : -1;
  // Bit 31 of the Pentium 4's asks for a fast read of 32 bits.
  if (stored < 0 && (core.model.name !== "p4" || (number & 0x7fffffff) >= P4_COUNTERS)) {
    core.raise(VECTOR.GP, 0);
  }
  core.setGpr(EAX, stored < 0 ? 0 : core.i32[place(stored)] as number);
  core.setGpr(EDX, stored < 0 ? 0 : core.i32[place(stored) + 1] as number);
};

/** Assists on model-specific registers. */
export const msrAssists: Assists = { rdtsc, rdpmc, rdmsr, wrmsr };
