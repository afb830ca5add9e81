/**
 * Loading segment registers: all checks of data, stack and code segments, and the loads without any of
 * real mode and virtual-8086.
 *
 * Everything is checked before anything changes; callers call `core.updateMode` when all is loaded.
 * Sources: SDM vol. 3A §3.4.2–3.4.4, §5.4–5.7; vol. 2 (MOV, LDS, JMP).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";
import {
  checkedDescriptor,
  type Descriptor,
  isNull,
  markAccessed,
  selectorError,
} from "./descriptor.ts";

const REAL_ATTRIBUTES = 0x93;
const VM86_ATTRIBUTES = 0xf3;
const BIG_AND_GRANULAR = 0xc000;

/** Loads ES SS DS FS or GS as MOV and POP do, by the mode; ends with `updateMode`. */
export function loadSegment(core: Core, segment: number, selector: number): void {
  if (!core.protectedMode) loadSegmentReal(core, segment, selector);
  else if (segment === L.SS) loadStack(core, selector);
  else loadData(core, segment, selector);
  core.updateMode();
}

/**
 * Real mode: base = selector × 16; limit and size stay as they were. Virtual-8086 sets all.
 * Does not call `updateMode`.
 */
export function loadSegmentReal(core: Core, segment: number, selector: number): void {
  const base = (selector & 0xffff) << 4;
  if (core.vm86) core.setSegment(segment, selector, base, 0xffff, VM86_ATTRIBUTES);
  else {
    const attributes = (core.segmentAttributes(segment) & BIG_AND_GRANULAR) | REAL_ATTRIBUTES;
    core.setSegment(segment, selector, base, core.segmentLimit(segment), attributes);
  }
}

/** A null selector in a data segment register: loads, but every access faults. */
export function loadNull(core: Core, segment: number, selector: number): void {
  core.setSegment(segment, selector, 0, 0, 0);
}

/** Puts a checked descriptor into a segment register; sets its accessed bit. */
export function loadDescriptor(
  core: Core,
  segment: number,
  selector: number,
  descriptor: Descriptor,
): void {
  if (descriptor.isSegment) markAccessed(core, descriptor);
  core.setSegment(segment, selector, descriptor.base, descriptor.limit, descriptor.attributes);
}

function loadData(core: Core, segment: number, selector: number): void {
  if (isNull(selector)) {
    loadNull(core, segment, selector);
    return;
  }
  const descriptor = checkedDescriptor(core, selector);
  const { dpl } = descriptor;
  if (
    !descriptor.isReadable ||
    (!descriptor.isConforming && ((selector & 3) > dpl || core.cpl > dpl))
  ) core.raise(VECTOR.GP, selectorError(selector));
  if (!descriptor.present) core.raise(VECTOR.NP, selectorError(selector));
  loadDescriptor(core, segment, selector, descriptor);
}

function loadStack(core: Core, selector: number): void {
  const descriptor = stackDescriptor(core, selector, core.cpl, VECTOR.GP, 0);
  loadDescriptor(core, L.SS, selector, descriptor);
}

/**
 * The descriptor of a stack segment for a privilege level. `vector` is #GP for loads and returns, #TS for
 * stack switches; a segment that is not present is #SS in any case.
 */
export function stackDescriptor(
  core: Core,
  selector: number,
  privilege: number,
  vector: number,
  ext: number,
): Descriptor {
  const descriptor = checkedDescriptor(core, selector, vector, ext);
  if (
    (selector & 3) !== privilege || !descriptor.isWritableData || descriptor.dpl !== privilege
  ) core.raise(vector, selectorError(selector, ext));
  if (!descriptor.present) core.raise(VECTOR.SS, selectorError(selector, ext));
  return descriptor;
}

/**
 * After a return to an outer level: data segments that the new CPL may not use become null.
 * Sources: SDM vol. 2, IRET and RET ("RETURN-TO-OUTER-PRIVILEGE-LEVEL").
 */
export function dropInnerSegments(core: Core): void {
  for (let segment = L.ES; segment <= L.GS; segment++) {
    if (segment === L.CS || segment === L.SS) continue;
    const attributes = core.segmentAttributes(segment);
    // Conforming code (type 11xx) may be used at any level.
    if ((attributes & 0x1c) === 0x1c) continue;
    if (((attributes >> 5) & 3) < core.cpl) loadNull(core, segment, 0);
  }
}
