/**
 * A memory unit for tests of instructions: the regions of a case and nothing else, all for CPL 3.
 * @module
 */
import type { Core } from "../../cpu/execute/core.ts";
import type { MemoryUnit } from "../../cpu/execute/units.ts";
import * as L from "../../cpu/state/layout.ts";
import { REGIONS } from "./case.ts";

/** The unit; `physical` says where each region is in RAM. */
export function regionMemory(
  core: Core,
  physical: Readonly<Record<keyof typeof REGIONS, number>>,
): MemoryUnit {
  const pages = new Map<number, { at: number; writable: boolean }>();
  for (const [name, { start, bytes, writable }] of Object.entries(REGIONS)) {
    const base = physical[name as keyof typeof REGIONS];
    for (let offset = 0; offset < bytes; offset += 0x1000) {
      pages.set((start + offset) >>> 12, { at: base + offset, writable });
    }
  }
  const linearOf = new Map([...pages].map(([page, { at }]) => [at, page]));
  /** Physical address, or #PF as at CPL 3; fills the TLB. */
  const translate = (linear: number, write: boolean): number => {
    const page = linear >>> 12;
    const found = pages.get(page);
    if (found === undefined) core.raisePageFault(linear, write ? 6 : 4);
    if (write && !found.writable) core.raisePageFault(linear, 7);
    const addend = (L.RAM_BASE + found.at - page * 0x1000) | 0;
    core.i32[(L.TLB_READ_USER >> 2) + page] = addend;
    if (found.writable && !core.hasCode(found.at >>> 12)) {
      core.i32[(L.TLB_WRITE_USER >> 2) + page] = addend;
    }
    return found.at + (linear & 0xfff);
  };
  const read = (linear: number, size: number): number => {
    let value = 0;
    for (let i = 0; i < size; i++) {
      value |= (core.u8[L.RAM_BASE + translate(linear + i, false)] as number) << (8 * i);
    }
    return value;
  };
  const probeWrite = (linear: number, size: number): void => {
    for (let i = 0; i < size; i++) translate(linear + i, true);
  };
  const unit: MemoryUnit = {
    get physical(): never {
      throw new Error("test cases are placed by their engine");
    },
    slowRead: read,
    slowWrite(linear, size, value) {
      probeWrite(linear, size);
      for (let i = 0; i < size; i++) {
        const at = translate(linear + i, true);
        core.u8[L.RAM_BASE + at] = value >>> (8 * i);
        core.codeWritten(at, 1);
      }
    },
    slowReadForWrite(linear, size) {
      probeWrite(linear, size);
      return read(linear, size);
    },
    probeWrite,
    readSystem: read,
    writeSystem: (linear, size, value) => unit.slowWrite(linear, size, value),
    translateCode: (linear) => translate(linear, false),
    probe: (linear) => {
      const found = pages.get(linear >>> 12);
      return found === undefined ? -1 : found.at + (linear & 0xfff);
    },
    protectCode(at) {
      const page = linearOf.get(at & ~0xfff);
      if (page !== undefined) core.i32[(L.TLB_WRITE_USER >> 2) + page] = L.TLB_MISS;
    },
    isRam: () => true,
    readPhysical8: (at) => core.u8[L.RAM_BASE + at] as number,
    flush() {},
    invalidate() {},
  };
  return unit;
}
