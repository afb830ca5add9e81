/**
 * What the processor takes from the current task-state segment: inner stacks, the I/O permission map and the
 * interrupt redirection bitmap.
 * Sources: SDM vol. 3A §5.8.5 (stack switching), §7.2.1 and §7.6 (TSS formats), §20.3.1, vol. 1 §19.5.2 (I/O map).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import { type Descriptor, selectorError, stackDescriptor, SYSTEM_TYPE } from "../memory/mod.ts";
import { IS_TSS32 } from "./task_state.ts";

const IO_MAP_BASE = 0x66;
/** Bytes of the interrupt redirection bitmap, which ends where the I/O map begins. */
const REDIRECTION_BYTES = 32;

/** The stack that the TSS has for a privilege level, checked. */
export interface InnerStack {
  selector: number;
  esp: number;
  descriptor: Descriptor;
}

/** Reads and checks SSn:ESPn; #TS for a bad TSS or selector, #SS for an absent stack. */
export function innerStack(core: Core, privilege: number, ext: number): InnerStack {
  const wide = (core.segmentAttributes(L.TR) & IS_TSS32) !== 0;
  const base = core.segmentBase(L.TR);
  const offset = wide ? 4 + 8 * privilege : 2 + 4 * privilege;
  const last = offset + (wide ? 5 : 3);
  if (core.segmentAttributes(L.TR) === 0 || last > core.segmentLimit(L.TR)) {
    core.raise(VECTOR.TS, selectorError(core.selector(L.TR), ext));
  }
  const { memory } = core;
  const esp = memory.readSystem((base + offset) | 0, wide ? 4 : 2);
  const selector = memory.readSystem((base + offset + (wide ? 4 : 2)) | 0, 2);
  const descriptor = stackDescriptor(core, selector, privilege, VECTOR.TS, ext);
  return { selector, esp, descriptor };
}

/** Offset of the I/O map in the TSS; #GP(0) when TR holds no 32-bit TSS that has the field. */
function ioMapBase(core: Core): number {
  const type = core.segmentAttributes(L.TR) & 15;
  if (
    (type !== SYSTEM_TYPE.TSS32 && type !== SYSTEM_TYPE.TSS32_BUSY) ||
    core.segmentLimit(L.TR) < IO_MAP_BASE + 1
  ) core.raise(VECTOR.GP, 0);
  return core.memory.readSystem((core.segmentBase(L.TR) + IO_MAP_BASE) | 0, 2) & 0xffff;
}

/** #GP(0) unless the I/O map of a 32-bit TSS allows all ports of the access. */
export function checkIoMap(core: Core, port: number, size: number): void {
  const base = core.segmentBase(L.TR);
  const limit = core.segmentLimit(L.TR);
  const map = ioMapBase(core);
  const at = map + (port >>> 3);
  // Two bytes are always read, so a port in the last byte needs one more within the limit.
  if (at + 1 > limit) core.raise(VECTOR.GP, 0);
  const bits = core.memory.readSystem((base + at) | 0, 2) >>> (port & 7);
  if (bits & ((1 << size) - 1)) core.raise(VECTOR.GP, 0);
}

/**
 * Whether the redirection bitmap gives a software interrupt to the 8086 program itself: its bit is clear. #GP(0)
 * when the TSS has no such bitmap. Source: SDM vol. 3A §20.3.1.
 */
export function isRedirected(core: Core, vector: number): boolean {
  const at = ioMapBase(core) - REDIRECTION_BYTES + (vector >>> 3);
  if (at < 0 || at > core.segmentLimit(L.TR)) core.raise(VECTOR.GP, 0);
  const bits = core.memory.readSystem((core.segmentBase(L.TR) + at) | 0, 1);
  return (bits & (1 << (vector & 7))) === 0;
}
