/**
 * The target description: which registers there are, in which order, and of which type.
 * Sources: "Debugging with GDB", appendix G.2 (format), G.5.18 (i386 features); gdb `features/i386/32bit-core.xml`.
 *
 * @module
 */
import type { RegisterDescriptor } from "../api/mod.ts";

/** gdb makes these of the x87's itself and takes no others. */
const PSEUDO = /^mm[0-7]$/;
const CORE = "org.gnu.gdb.i386.core";
/** gdb's names of the core registers; what the feature has beyond them goes into a feature of ours. */
const CORE_NAMES =
  /^(e[abcd]x|e[sb]p|e[sd]i|eip|eflags|[c-gs]s|st[0-7]|fctrl|fstat|ftag|fiseg|fioff|foseg|fooff|fop)$/;
const SYSTEM = "overture.system";
const BITS_PER_BYTE = 8;

const EFLAGS = [
  ..."CF,,PF,,AF,,ZF,SF,TF,IF,DF,OF".split(",").entries(),
  [14, "NT"] as const,
  [16, "RF"] as const,
  [17, "VM"] as const,
  [18, "AC"] as const,
  [19, "VIF"] as const,
  [20, "VIP"] as const,
  [21, "ID"] as const,
].filter(([, name]) => name !== "");

const TYPES: Readonly<Record<string, string>> = {
  esp: "data_ptr",
  ebp: "data_ptr",
  eip: "code_ptr",
  eflags: "i386_eflags",
};

const EFLAGS_TYPE = `<flags id="i386_eflags" size="4">${
  EFLAGS.map(([bit, name]) => `<field name="${name}" start="${bit}" end="${bit}"/>`).join("")
}</flags>`;

const VECTORS: readonly (readonly [string, string, number])[] = [
  ["v4f", "ieee_single", 4],
  ["v2d", "ieee_double", 2],
  ["v16i8", "int8", 16],
  ["v8i16", "int16", 8],
  ["v4i32", "int32", 4],
  ["v2i64", "int64", 2],
];
const VECTOR_TYPE =
  VECTORS.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`).join(
    "",
  ) + `<union id="vec128">${
    VECTORS.map(([id]) =>
      `<field name="${id.replace(/^v(\d+)i(\d+)$/, "v$1_int$2")}" type="${id}"/>`
    )
      .join("")
  }<field name="uint128" type="uint128"/></union>`;

/** The registers that a client sees, and how it is told of them. */
export interface TargetDescription {
  /** By the client's numbers. */
  readonly registers: readonly RegisterDescriptor[];
  /** The annex `target.xml`. */
  readonly xml: string;
}

/** Describes registers. `bits`: of the code that runs; 16 makes the client disassemble for an 8086. */
export function describeTarget(
  all: readonly RegisterDescriptor[],
  bits: 16 | 32,
): TargetDescription {
  const features = new Map<string, RegisterDescriptor[]>();
  for (const register of all) {
    if (PSEUDO.test(register.name)) continue;
    const system = register.feature === CORE && !CORE_NAMES.test(register.name);
    const feature = system ? SYSTEM : register.feature;
    const list = features.get(feature);
    if (list === undefined) features.set(feature, [register]);
    else list.push(register);
  }
  // Clients that ask for no description know the core's registers, in gdb's order.
  const ordered = [...features].sort(([a], [b]) => Number(b === CORE) - Number(a === CORE));
  const registers = ordered.flatMap(([, list]) => list);
  const sections = ordered.map(([feature, list]) => {
    const types = (feature === CORE ? EFLAGS_TYPE : "") +
      (list.some(({ bytes }) => bytes === 16) ? VECTOR_TYPE : "");
    return `<feature name="${feature}">${types}${
      list.map((register) => element(register, registers.indexOf(register))).join("")
    }</feature>`;
  });
  return {
    registers,
    xml: `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">` +
      `<architecture>${bits === 16 ? "i8086" : "i386"}</architecture>${sections.join("")}</target>`,
  };
}

function element({ name, bytes, feature }: RegisterDescriptor, number: number): string {
  const type = TYPES[name] ?? (bytes === 10 ? "i387_ext" : bytes === 16 ? "vec128" : "int");
  const group = name.startsWith("f") && feature === CORE && !/^fs/.test(name)
    ? ' group="float"'
    : "";
  return `<reg name="${name}" bitsize="${
    bytes * BITS_PER_BYTE
  }" type="${type}" regnum="${number}"${group}/>`;
}
