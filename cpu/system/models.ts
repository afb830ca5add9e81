/**
 * The processors that this one can be, as data: what each has, how CPUID tells it, which control bits exist.
 *
 * Rows of the instruction table, CPUID, CR0, CR4, EFLAGS and MSRs all follow from the same {@link Model}.
 * Sources: Intel AP-485 (CPUID of each family), SDM vol. 3A §2.5 and §22 (what came with which processor), vol. 2
 * (CPUID), 80386 and i486 Programmer's Reference Manuals §4.
 * @module
 */

/** Names of the models, oldest first. */
export const CPU_MODELS = ["386", "486", "pentium", "p6", "p3", "p4"] as const;
/** The name of a processor: i386 with 387, i486 DX4, Pentium, Pentium Pro, Pentium III, Pentium 4. */
export type CpuModel = typeof CPU_MODELS[number];
/** What a machine has if nobody says. */
export const DEFAULT_MODEL: CpuModel = "p3";

/** What an encoding or a register needs (the fifth element of rows). */
export type Feature =
  | "486"
  | "cpuid"
  | "tsc"
  | "msr"
  | "cx8"
  | "apic"
  | "mce"
  | "cmov"
  | "p6"
  | "pmc"
  | "mtrr"
  | "mca"
  | "sep"
  | "pat"
  | "mmx"
  | "fxsr"
  | "sse"
  | "sse2";

/** One processor. */
export interface Model {
  readonly name: CpuModel;
  readonly features: ReadonlySet<string>;
  /** EAX of CPUID 1 and EDX after RESET: family, model, stepping. */
  readonly signature: number;
  /** EDX of CPUID 1 without the APIC bit, which follows the board and IA32_APIC_BASE. */
  readonly cpuidFeatures: number;
  /** EBX of CPUID 1: CLFLUSH line, brand index. */
  readonly cpuidBrand: number;
  /** EAX EBX ECX EDX of CPUID 2, or undefined where leaf 1 is the last. */
  readonly caches: readonly [number, number, number, number] | undefined;
  /** CPUID 80000002h–80000004h, up to 47 characters; empty where there are no such leaves. */
  readonly brand: string;
  /** Bits of CR0, CR4 (0: there is none) and EFLAGS that exist. */
  readonly cr0: number;
  readonly cr4: number;
  readonly eflags: number;
  /** CR0 after RESET. */
  readonly cr0Reset: number;
  /** Bits of MXCSR that exist. */
  readonly mxcsr: number;
}

/** Bits of CPUID 1's EDX by their names in the SDM. */
// deno-fmt-ignore
const CPUID = {
  fpu: 0, vme: 1, de: 2, pse: 3, tsc: 4, msr: 5, pae: 6, mce: 7, cx8: 8, apic: 9, sep: 11, mtrr: 12, pge: 13, mca: 14, cmov: 15,
  pat: 16, pse36: 17, clfsh: 19, mmx: 23, fxsr: 24, sse: 25, sse2: 26, ss: 27,
} as const;
/** Bits of CR4 by their names. */
// deno-fmt-ignore
const CR4 = { vme: 0, pvi: 1, tsd: 2, de: 3, pse: 4, pae: 5, mce: 6, pge: 7, pce: 8, osfxsr: 9, osxmmexcpt: 10 } as const;

function bits<T extends string>(numbers: Readonly<Record<T, number>>, names: string): number {
  return names === ""
    ? 0
    : names.split(" ").reduce((sum, name) => sum | (1 << numbers[name as T]), 0);
}

/** CR0: PE MP EM TS ET PG; the 486 added NE WP AM NW CD. */
const CR0_386 = 0x8000001f | 0;
const CR0_486 = 0xe005003f | 0;
/** EFLAGS: up to VM; the 486 added AC, processors with CPUID ID, those with VME VIF and VIP. */
const EFLAGS_386 = 0x37fd5;
const EFLAGS_CPUID = 0x3f7fd5;

const P6_ROWS = "486 cpuid tsc msr cx8 apic mce cmov p6 pmc mtrr mca";
const P6_CPUID = "fpu vme de pse tsc msr pae mce cx8 mtrr pge mca cmov";
const P6_CR4 = "vme pvi tsd de pse pae mce pge pce";

interface Description {
  readonly signature: number;
  readonly features: string;
  readonly cpuid: string;
  readonly cr4: string;
  readonly cpuidBrand?: number;
  readonly caches?: readonly [number, number, number, number];
  readonly brand?: string;
  readonly mxcsr?: number;
}

// deno-fmt-ignore
const DESCRIPTIONS: Readonly<Record<CpuModel, Description>> = {
  // The signature is in EDX after RESET only.
  "386": { signature: 0x308, features: "", cpuid: "", cr4: "" },
  "486": { signature: 0x480, features: "486 cpuid", cpuid: "fpu vme", cr4: "vme pvi" },
  pentium: {
    signature: 0x52c, features: "486 cpuid tsc msr cx8 apic mce", cpuid: "fpu vme de pse tsc msr mce cx8", cr4: "vme pvi tsd de pse mce",
  },
  // Leaf 2: TLBs, 8 KiB of each L1 cache, 256 KiB of L2. This stepping has no SYSENTER.
  p6: { signature: 0x619, features: P6_ROWS, cpuid: P6_CPUID, cr4: P6_CR4, caches: [0x03020101, 0, 0, 0x06040a42] },
  // 16 KiB of each L1 cache, 512 KiB of L2.
  p3: {
    signature: 0x673, features: `${P6_ROWS} sep pat mmx fxsr sse`, cpuid: `${P6_CPUID} sep pat pse36 mmx fxsr sse`,
    cr4: `${P6_CR4} osfxsr osxmmexcpt`, caches: [0x03020101, 0, 0, 0x0c040843], mxcsr: 0xffbf,
  },
  // Trace cache of 12 K µops, 8 KiB of L1 data, 512 KiB of L2 with lines of 64 bytes.
  p4: {
    signature: 0xf29, features: `${P6_ROWS} sep pat mmx fxsr sse sse2`, cpuid: `${P6_CPUID} sep pat pse36 clfsh mmx fxsr sse sse2 ss`,
    cr4: `${P6_CR4} osfxsr osxmmexcpt`, caches: [0x665b5001, 0, 0, 0x007b7040], cpuidBrand: 0x0809,
    brand: "Intel(R) Pentium(R) 4 CPU 2.00GHz", mxcsr: 0xffff,
  },
};

function modelOf(name: CpuModel): Model {
  const { signature, features, cpuid, cr4, cpuidBrand = 0, caches, brand = "", mxcsr = 0 } =
    DESCRIPTIONS[name];
  const old = name === "386";
  return {
    name,
    features: new Set(features.split(" ")),
    signature,
    cpuidFeatures: bits(CPUID, cpuid),
    cpuidBrand,
    caches,
    brand,
    cr0: old ? CR0_386 : CR0_486,
    cr4: bits(CR4, cr4),
    eflags: old ? EFLAGS_386 : EFLAGS_CPUID,
    // The 386 finds the 387 (ET); later processors begin with the caches off.
    cr0Reset: old ? 0x10 : 0x60000010,
    mxcsr,
  };
}

/** The models by name. */
export const MODELS: Readonly<Record<CpuModel, Model>> = Object.fromEntries(
  CPU_MODELS.map((name) => [name, modelOf(name)]),
) as Record<CpuModel, Model>;

/** Whether a model has a feature, like "apic". Throws RangeError for a name that is none. */
export function modelHas(name: CpuModel, feature: Feature): boolean {
  return findModel(name).features.has(feature);
}
/** The model of a name. Throws RangeError, with the names that there are, for another one. */
export function findModel(name: string): Model {
  if ((CPU_MODELS as readonly string[]).includes(name)) return MODELS[name as CpuModel];
  throw new RangeError(`There is no processor "${name}": choose one of ${CPU_MODELS.join(", ")}`);
}
