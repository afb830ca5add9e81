/**
 * Segment and system descriptors: reading them from the GDT or LDT, and their fields.
 *
 * A `Descriptor` holds the two words and decodes on demand. Error codes carry the selector without its RPL; the
 * EXT bit comes from whoever delivers an event. Sources: SDM vol. 3A §3.4.5, §3.5, §5.2, §6.13 (error codes).
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import type { Core } from "../execute/core.ts";

/** Types of system descriptors (S = 0). */
export const SYSTEM_TYPE = {
  TSS16: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

const ACCESSED = 0x100;

/** Two words of a descriptor and where they came from. */
export class Descriptor {
  selector = 0;
  /** Linear address of the descriptor. */
  address = 0;
  low = 0;
  high = 0;

  /** Type field, 0..15. */
  get type(): number {
    return (this.high >>> 8) & 15;
  }
  /** S: code or data. */
  get isSegment(): boolean {
    return (this.high & 0x1000) !== 0;
  }
  get dpl(): number {
    return (this.high >>> 13) & 3;
  }
  get present(): boolean {
    return (this.high & 0x8000) !== 0;
  }
  /** D or B. */
  get big(): boolean {
    return (this.high & 0x400000) !== 0;
  }
  get isCode(): boolean {
    return (this.high & 0x1800) === 0x1800;
  }
  /** Code that keeps the caller's privilege. */
  get isConforming(): boolean {
    return (this.high & 0x1c00) === 0x1c00;
  }
  get isWritableData(): boolean {
    return (this.high & 0x1a00) === 0x1200;
  }
  /** Data, or readable code. */
  get isReadable(): boolean {
    return (this.high & 0x1000) !== 0 && (this.high & 0xa00) !== 0x800;
  }
  get base(): number {
    return (this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff000000);
  }
  /** In bytes, granularity applied; unsigned. */
  get limit(): number {
    const limit = (this.low & 0xffff) | (this.high & 0xf0000);
    return this.high & 0x800000 ? ((limit << 12) | 0xfff) >>> 0 : limit;
  }
  /** As segment caches keep them (layout.ts SEGMENT.ATTRIBUTES). */
  get attributes(): number {
    return (this.high >>> 8) & 0xf0ff;
  }
  /** Lowest and highest valid offset of a data segment, unsigned; low > high when there is none. */
  get lowest(): number {
    return (this.high & 0x1c00) === 0x1400 ? this.limit + 1 : 0;
  }
  get highest(): number {
    if ((this.high & 0x1c00) !== 0x1400) return this.limit;
    return this.big ? 0xffffffff : 0xffff;
  }
  /** Of a gate: selector, offset (16 bits in a 16-bit gate), parameter count. */
  get gateSelector(): number {
    return this.low >>> 16;
  }
  get gateOffset(): number {
    const offset = this.low & 0xffff;
    return this.type & 8 ? ((this.high & 0xffff0000) | offset) >>> 0 : offset;
  }
  get gateCount(): number {
    return this.high & 31;
  }
}

/** The error code of a selector. */
export function selectorError(selector: number, ext = 0): number {
  return (selector & 0xfffc) | ext;
}

/** Index 0 of the GDT, whatever the RPL. */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Reads the words at a linear address; may throw #PF. */
export function descriptorAt(core: Core, address: number, into: Descriptor): Descriptor {
  into.selector = 0;
  into.address = address;
  into.low = core.memory.readSystem(address, 4);
  into.high = core.memory.readSystem((address + 4) | 0, 4);
  return into;
}

/** Reads a selector's descriptor; false when its table does not reach that far. May throw #PF. */
export function readDescriptor(core: Core, selector: number, into: Descriptor): boolean {
  const { i32, u32 } = core;
  const offset = selector & 0xfff8;
  let base = i32[L.GDTR_BASE >> 2] as number;
  let limit = u32[L.GDTR_LIMIT >> 2] as number;
  if (selector & 4) {
    if (core.segmentAttributes(L.LDTR) === 0) return false;
    base = core.segmentBase(L.LDTR);
    limit = core.segmentLimit(L.LDTR);
  }
  if (offset + 7 > limit) return false;
  descriptorAt(core, (base + offset) | 0, into);
  into.selector = selector;
  return true;
}

/**
 * The descriptor of a selector that must not be null; `vector` (#GP or #TS) with the selector when it
 * is outside its table, with `ext` alone when it is null.
 */
export function checkedDescriptor(
  core: Core,
  selector: number,
  vector: number = VECTOR.GP,
  ext = 0,
): Descriptor {
  if (isNull(selector)) core.raise(vector, ext);
  const descriptor = new Descriptor();
  if (!readDescriptor(core, selector, descriptor)) {
    core.raise(vector, selectorError(selector, ext));
  }
  return descriptor;
}

/** Sets the accessed bit in memory and in the words, where it is clear. */
export function markAccessed(core: Core, descriptor: Descriptor): void {
  if (descriptor.high & ACCESSED) return;
  descriptor.high |= ACCESSED;
  core.memory.writeSystem((descriptor.address + 4) | 0, 4, descriptor.high);
}
