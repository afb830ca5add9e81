/**
 * What a task-state segment holds of a task, in the layouts of the 286 and the 386: checking, saving, reading.
 *
 * The dynamic fields (EIP to GS) are written when a task is left; the static ones (CR3, LDT, T, I/O map) are only
 * read. Everything goes through the page tables of the task that is left, with supervisor rights.
 * Sources: SDM vol. 3A §7.2.1 (32-bit TSS), §7.6 (16-bit TSS), §7.3 (what is saved and loaded), Table 6-6.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import { type Descriptor, selectorError } from "../memory/mod.ts";

/** Bit 3 of a TSS's type: the 32-bit layout. */
export const IS_TSS32 = 8;

/** Offsets of one layout. Selectors are in the order ES CS SS DS FS GS. */
interface Layout {
  readonly size: 2 | 4;
  /** Lowest limit of an incoming TSS. */
  readonly lowestLimit: number;
  readonly eip: number;
  readonly eflags: number;
  readonly registers: number;
  readonly selectors: number;
  readonly selectorCount: number;
  readonly ldt: number;
}

const TSS32: Layout = {
  size: 4,
  lowestLimit: 0x67,
  eip: 0x20,
  eflags: 0x24,
  registers: 0x28,
  selectors: 0x48,
  selectorCount: 6,
  ldt: 0x60,
};
const TSS16: Layout = {
  size: 2,
  lowestLimit: 0x2b,
  eip: 0x0e,
  eflags: 0x10,
  registers: 0x12,
  selectors: 0x22,
  selectorCount: 4,
  ldt: 0x2a,
};
const CR3 = 0x1c;
const TRAP = 0x64;

/** What an incoming TSS says; one object is refilled. */
export class TaskImage {
  /** 32-bit layout: CR3, FS, GS and the T bit exist. */
  wide = true;
  cr3 = 0;
  eip = 0;
  eflags = 0;
  readonly registers: Int32Array = new Int32Array(8);
  readonly selectors: Int32Array = new Int32Array(6);
  ldt = 0;
  /** T: #DB before the first instruction. */
  trap = false;
}

/** Takes what is read for its faults alone. */
const checked: TaskImage = new TaskImage();

function layoutOf(type: number): Layout {
  return type & IS_TSS32 ? TSS32 : TSS16;
}

/** Faults as a supervisor's write of `size` bytes would; writes nothing. */
export function probeSystemWrite(core: Core, linear: number, size: number): void {
  const { cpl } = core;
  core.cpl = 0;
  try {
    core.memory.probeWrite(linear, size);
  } finally {
    core.cpl = cpl;
  }
}

/** #TS unless the incoming TSS is long enough, #PF unless all that is read of it is there. */
export function checkIncoming(core: Core, tss: Descriptor, ext: number): void {
  if (tss.limit < layoutOf(tss.type).lowestLimit) {
    core.raise(VECTOR.TS, selectorError(tss.selector, ext));
  }
  readTask(core, tss, checked);
}

/** #TS unless the stores into the outgoing TSS are within its limit (SDM vol. 3A Table 6-6), or #PF. */
export function checkOutgoing(core: Core, ext: number): void {
  const { eip, selectors, selectorCount, size } = layoutOf(core.segmentAttributes(L.TR));
  // The last selector is a word also where its slot is wider.
  const last = selectors + (selectorCount - 1) * size + 1;
  if (core.segmentAttributes(L.TR) === 0 || last > core.segmentLimit(L.TR)) {
    core.raise(VECTOR.TS, selectorError(core.selector(L.TR), ext));
  }
  probeSystemWrite(core, (core.segmentBase(L.TR) + eip) | 0, last - eip + 1);
}

/** Stores the dynamic fields into the TSS of TR; `checkOutgoing` came before. */
export function saveTask(core: Core, eip: number, eflags: number): void {
  const layout = layoutOf(core.segmentAttributes(L.TR));
  const { size } = layout;
  const base = core.segmentBase(L.TR);
  const { memory } = core;
  memory.writeSystem((base + layout.eip) | 0, size, eip);
  memory.writeSystem((base + layout.eflags) | 0, size, eflags);
  for (let i = 0; i < 8; i++) {
    memory.writeSystem((base + layout.registers + i * size) | 0, size, core.gpr(i));
  }
  for (let i = 0; i < layout.selectorCount; i++) {
    memory.writeSystem((base + layout.selectors + i * size) | 0, 2, core.selector(i));
  }
}

/**
 * Reads an incoming TSS. A 16-bit one leaves the upper halves of the registers 0 (the SDM does not say), and FS
 * and GS null.
 */
export function readTask(core: Core, tss: Descriptor, image: TaskImage): void {
  const layout = layoutOf(tss.type);
  const { size } = layout;
  const { base } = tss;
  const wide = size === 4;
  const word = (offset: number, bytes: 2 | 4): number => {
    const value = core.memory.readSystem((base + offset) | 0, bytes);
    return bytes === 2 ? value & 0xffff : value;
  };
  image.wide = wide;
  image.cr3 = wide ? word(CR3, 4) : 0;
  image.eip = word(layout.eip, size);
  image.eflags = word(layout.eflags, size);
  for (let i = 0; i < 8; i++) image.registers[i] = word(layout.registers + i * size, size);
  for (let i = 0; i < 6; i++) {
    image.selectors[i] = i < layout.selectorCount ? word(layout.selectors + i * size, 2) : 0;
  }
  image.ldt = word(layout.ldt, 2);
  image.trap = wide && (word(TRAP, 2) & 1) !== 0;
}
