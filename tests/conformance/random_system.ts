/**
 * What is around a random program: descriptor tables, page tables, handlers that repair or give up, and the places
 * that its parts agree on. Flat segments, paging on; code may be rewritten, pages come and go.
 *
 * Sources: SDM vol. 3A §3.4 (descriptors), §4.3 (paging), §6.11 (gates), §7.2 (TSS).
 * @module
 */
import { Assembly, at, type Part, to } from "./assembly.ts";

export const RAM_BYTES = 0x200000;
export const CODE = 0x1000;
export const CODE_END = 0x9000;
const GDT = 0x10000;
const IDT = 0x11000;
const TSS = 0x12000;
const POINTERS = 0x13000;
const HANDLERS = 0x14000;
/** Table of the functions' addresses. */
export const FUNCTIONS = 0x15000;
export const BOOT = 0x16000;
export const STACK = 0x1c000;
/** Below this a function does not call on. */
export const STACK_LOW = 0x18400;
const KERNEL_STACK = 0x1fff0;
export const DATA = 0x20000;
/** The page of counters: loops', the program's and the handlers'. */
export const COUNTERS = 0x23000;
const COUNTS = COUNTERS + 0x400;
const STEPS = COUNTERS + 0x3fc;
/** Comes and goes; is read-only at first; is on the bus; is one of two frames of code. */
export const ABSENT = 0x24000;
export const READ_ONLY = 0x25000;
export const BUS = 0x28000;
export const SWITCHED = 0x2a000;
/** The frames behind {@link SWITCHED}. */
export const SWITCHED_FRAMES: readonly [number, number] = [0x40000, 0x41000];
/** The first data page, once more; and the pages of code, writable. */
export const DATA_ALIAS = 0x2b000;
export const CODE_ALIAS = 0x50000;
const DIRECTORY = 0x30000;
const TABLE = 0x31000;
/** The page table, writable. */
export const TABLE_ALIAS = 0x70000;
/** A page outside RAM. */
const BUS_FRAME = 0x800000;

export const CODE0 = 0x08;
const DATA0 = 0x10;
const CODE3 = 0x1b;
export const DATA3 = 0x23;
const TASK = 0x28;
export const CODE16 = 0x30;
/** Code with a base and a limit; data with both. */
export const CODE_BASED = 0x38;
export const BASED = 0x1000;
export const DATA_SMALL = 0x43;

/** Vectors of the program's own: a count, giving up, to ring 3. The interrupt's is 20h. */
export const COUNT_VECTOR = 0x80;
export const GIVE_UP_VECTOR = 0x81;
export const USER_VECTOR = 0x82;

/** Labels of a system. */
export const MAIN = "main";
/** A byte of code that interrupts change, if the program has one. */
export const PATCHED = "patched";

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
function count(index: number): number[] {
  // inc dword ss:[…]
  return [0x36, 0xff, 0x05, ...dword(COUNTS + 4 * index)];
}

/** The loop that calls the functions in turn, from which everything begins again. */
export function mainLoop(functions: number): Part[] {
  const parts: Part[] = [];
  parts.push({ label: MAIN, code: [0xfc, 0xbc, ...dword(STACK), 0xff, 0x05, ...dword(COUNTERS)] });
  parts.push({ code: [0xa1, ...dword(COUNTERS), 0x83, 0xe0, functions - 1] });
  parts.push({ code: [0xbe, ...dword(DATA), 0xbf, ...dword(DATA + 0x800)] });
  parts.push({ code: [0xff, 0x14, 0x85, ...dword(FUNCTIONS), 0xe9, to(MAIN)] });
  return parts;
}

function handlers(): Part[] {
  const parts: Part[] = [];
  const add = (label: string, ...code: (Part["code"][number])[]): void => {
    parts.push({ label, code });
  };
  for (let vector = 0; vector < 32; vector++) {
    add(`abort${vector}`, ...count(vector), 0xe9, to("abort"));
  }
  // The stack, data segments and the task-switched flag as they were; interrupts on every other time.
  add(
    "abort",
    ...[
      0xbc,
      ...dword(STACK),
      0xb8,
      ...dword(DATA3),
      0x8e,
      0xd8,
      0x8e,
      0xc0,
      0x8e,
      0xe0,
      0x8e,
      0xe8,
    ],
    ...[0xb8, ...dword(DATA0), 0x8e, 0xd0, 0x0f, 0x06, 0x6a, 0x02, 0x9d],
    ...[0xf6, 0x05, ...dword(COUNTERS), 1, 0x74, 1, 0xfb, 0xe9, to(MAIN)],
  );
  add("count", ...count(0x40), 0x40, 0xcf);
  add("trap", ...count(0x41), 0xcf);
  // Whatever ran begins again: the NMI is what ends loops without an end.
  add("nmi", ...count(0x42), 0x36, 0xc7, 0x04, 0x24, at(MAIN), 0xcf);
  // x87 and SIMD errors: all masked again.
  add(
    "float",
    ...count(0x43),
    0xdb,
    0xe3,
    0x68,
    ...dword(0x1f80),
    0x0f,
    0xae,
    0x14,
    0x24,
    0x58,
    0xcf,
  );
  add(
    "page",
    ...[0x50, 0x0f, 0x20, 0xd0, 0xc1, 0xe8, 12, 0x3d, ...dword(0x400), 0x0f, 0x83, to("abort14")],
    ...[0x83, 0xf8, 0x20, 0x0f, 0x82, to("abort14"), ...count(0x44)],
    ...[0x36, 0x83, 0x0c, 0x85, ...dword(TABLE_ALIAS), 7],
    ...[0x0f, 0x20, 0xd0, 0x0f, 0x01, 0x38, 0x58, 0x83, 0xc4, 4, 0xcf],
  );
  add(
    "debug",
    ...[0x50, 0x0f, 0x21, 0xf0, 0x36, 0x31, 0x05, ...dword(COUNTS + 4 * 0x45), 0x31, 0xc0],
    ...[0x0f, 0x23, 0xf0, 0x36, 0xff, 0x0d, ...dword(STEPS), 0x79, 24],
    // No breakpoints and no single-stepping any more.
    ...[0x36, 0xc7, 0x05, ...dword(STEPS), ...dword(23)],
    ...[0x36, 0x81, 0x64, 0x24, 12, ...dword(~0x100), 0x90, 0x0f, 0x23, 0xf8],
    ...[0x36, 0x81, 0x4c, 0x24, 12, ...dword(0x10000), 0x58, 0xcf],
  );
  add(
    "interrupt",
    ...[0x50, ...count(0x46), 0x36, 0xa1, ...dword(COUNTS + 4 * 0x46), 0x83, 0xe0, 15],
    ...[0x83, 0xf8, 7, 0x0f, 0x84, to("abort"), 0x83, 0xf8, 3, 0x75, 7],
    ...[0x36, 0xfe, 0x05, { label: PATCHED, relative: false, plus: 0 }, 0x58, 0xcf],
  );
  // To ring 3 with the same EIP and ESP.
  add(
    "user",
    ...[0x36, 0xf6, 0x44, 0x24, 4, 3, 0x75, 22, 0x8b, 0x04, 0x24, 0x8b, 0x4c, 0x24, 8],
    ...[0x8d, 0x54, 0x24, 12, 0x6a, DATA3, 0x52, 0x51, 0x6a, CODE3, 0x50, 0xcf, 0x90, 0x90, 0x90],
    0xcf,
  );
  add("system", ...count(0x47), 0x0f, 0x35);
  return parts;
}

function handlerOf(vector: number): string {
  switch (vector) {
    case 1:
      return "debug";
    case 2:
      return "nmi";
    case 3:
    case 4:
      return "trap";
    case 14:
      return "page";
    case 16:
    case 19:
      return "float";
    case 0x20:
      return "interrupt";
    case COUNT_VECTOR:
      return "count";
    case GIVE_UP_VECTOR:
      return "abort";
    case USER_VECTOR:
      return "user";
    default:
      return vector < 32 ? `abort${vector}` : "abort";
  }
}

/** Enters ring 0 with paging, then the program. */
function boot(sysenter: number): Part[] {
  const msr = (index: number, value: Part["code"]): Part["code"] => [
    ...[0xb9, ...dword(index), 0x31, 0xd2, 0xb8],
    ...value,
    ...[0x0f, 0x30],
  ];
  return [{
    label: "boot",
    code: [
      ...[0x0f, 0x01, 0x15, ...dword(POINTERS), 0x0f, 0x01, 0x1d, ...dword(POINTERS + 8)],
      ...[0xb8, ...dword(TASK), 0x0f, 0x00, 0xd8, 0xb8, ...dword(0x600), 0x0f, 0x22, 0xe0],
      ...msr(0x174, dword(CODE0)),
      ...msr(0x175, dword(KERNEL_STACK)),
      ...msr(0x176, dword(sysenter)),
      ...[0xb8, ...dword(DATA3), 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8],
      ...[
        0xb8,
        ...dword(DIRECTORY),
        0x0f,
        0x22,
        0xd8,
        0x0f,
        0x20,
        0xc0,
        0x0d,
        ...dword(0x80010022),
      ],
      // Without the flag that makes x87 errors interrupts of the board.
      ...[0x0f, 0x22, 0xc0, 0xdb, 0xe3, 0xe9, to(MAIN)],
    ],
  }];
}

/** What a program brings along. */
export interface ProgramParts {
  /** Its code from {@link CODE} on, {@link mainLoop} included. */
  readonly code: readonly Part[];
  /** What stands in the two frames that are switched. */
  readonly switched: readonly [readonly Part[], readonly Part[]];
  /** Labels of the functions, a power of two of them. */
  readonly functions: readonly string[];
  /** Addresses of labels that the code may not have. */
  readonly fallback: ReadonlyMap<string, number>;
  /** Data from {@link DATA} on. */
  readonly data: Uint8Array;
}

/** The memory of a system, to be entered at {@link BOOT} in flat protected mode, and where its labels are. */
export function systemImage(
  program: ProgramParts,
): { bytes: Uint8Array; labels: ReadonlyMap<string, number> } {
  const bytes = new Uint8Array(0x80000);
  const view = new DataView(bytes.buffer);
  const assembly = new Assembly(bytes);
  const end = assembly.place(CODE, program.code);
  if (end > CODE_END) throw new RangeError("the program is too long");
  for (const [label, address] of [...program.fallback, [PATCHED, DATA + 0x100] as const]) {
    if (!assembly.labels.has(label)) assembly.labels.set(label, address);
  }
  assembly.place(HANDLERS, handlers());
  for (const [i, parts] of program.switched.entries()) {
    assembly.place(SWITCHED_FRAMES[i] as number, parts, SWITCHED);
  }
  assembly.place(BOOT, boot(assembly.address("system")));
  assembly.link();
  for (const [i, name] of program.functions.entries()) {
    view.setUint32(FUNCTIONS + 4 * i, assembly.address(name), true);
  }
  bytes.set(program.data, DATA);
  view.setUint32(COUNTERS, 0, true);
  view.setUint32(STEPS, 17, true);
  const descriptor = (
    selector: number,
    base: number,
    limit: number,
    access: number,
    flags: number,
  ): void => {
    const at = GDT + (selector & ~7);
    view.setUint32(at, (limit & 0xffff) | (base << 16), true);
    const high = (base >>> 16 & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20);
    view.setUint32(at + 4, high, true);
  };
  for (const [i, access] of [0x9b, 0x93, 0xfb, 0xf3].entries()) {
    descriptor(8 + 8 * i, 0, 0xfffff, access, 0xc);
  }
  descriptor(TASK, TSS, 0x67, 0x89, 0);
  descriptor(CODE16, 0, 0xffff, 0x9b, 0);
  descriptor(CODE_BASED, BASED, CODE_END - BASED - 1, 0x9b, 4);
  descriptor(DATA_SMALL, DATA, 0x2fff, 0xf3, 4);
  for (let vector = 0; vector < 256; vector++) {
    const offset = assembly.address(handlerOf(vector));
    const access = vector === 3 || vector === 4 || vector >= 0x80 ? 0xee : 0x8e;
    view.setUint32(IDT + 8 * vector, (CODE0 << 16) | (offset & 0xffff), true);
    view.setUint32(IDT + 8 * vector + 4, (offset & 0xffff0000) | (access << 8), true);
  }
  view.setUint32(TSS + 4, KERNEL_STACK, true);
  view.setUint32(TSS + 8, DATA0, true);
  view.setUint32(POINTERS, (GDT << 16) | 0x4f, true);
  view.setUint32(POINTERS + 4, GDT >>> 16, true);
  view.setUint32(POINTERS + 8, (IDT << 16) | 0x7ff, true);
  view.setUint32(POINTERS + 12, IDT >>> 16, true);
  pages(view);
  return { bytes, labels: assembly.labels };
}

function pages(view: DataView): void {
  view.setUint32(DIRECTORY, TABLE | 7, true);
  for (let page = 0; page < 0x400; page++) {
    const system = page >= 0x10 && page < 0x18 || page === 0x30 || page === 0x31;
    let frame = page << 12;
    if (page === BUS >>> 12) frame = BUS_FRAME;
    if (page === SWITCHED >>> 12) frame = SWITCHED_FRAMES[0];
    if (page === DATA_ALIAS >>> 12) frame = DATA;
    if (page >= CODE_ALIAS >>> 12 && page < (CODE_ALIAS + CODE_END) >>> 12) frame -= CODE_ALIAS;
    if (page === TABLE_ALIAS >>> 12) frame = TABLE;
    let bits = page < 0x80 ? 7 : 6;
    if (system || page === READ_ONLY >>> 12) bits = 5;
    if (page === ABSENT >>> 12) bits = 6;
    view.setUint32(TABLE + 4 * page, frame | bits, true);
  }
}
