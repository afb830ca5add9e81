/**
 * A stack frame that is checked as a whole before any of it is written.
 *
 * Deliveries and far calls push several words, maybe on another stack at another privilege level. A frame
 * collects them, `check` raises what the first push that fails would raise, `commit` writes.
 * Sources: SDM vol. 3A §6.12.1 (frames), §6.13 (#SS, #TS), vol. 1 §6.2.
 * @module
 */
import { VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { ATTRIBUTE, type Core } from "../execute/core.ts";
import type { Descriptor } from "../memory/mod.ts";

/** 31 parameters of a call gate, SS, ESP, CS, EIP and some. */
const FRAME_MAX = 48;

export class StackFrame {
  readonly #values = new Int32Array(FRAME_MAX);
  #count = 0;
  #size: 2 | 4 = 4;
  #base = 0;
  #low = 0;
  #high = 0;
  #mask = 0;
  #esp = 0;
  #privilege = 0;
  #errorCode = 0;

  /** Starts a frame on the current stack; `errorCode` of #SS when it does not fit. */
  onCurrent(core: Core, size: 2 | 4, errorCode: number): this {
    const at = L.segmentOffset(L.SS) >> 2;
    const usable = (core.i32[at + 6] as number) & 2;
    return this.#start(core, size, errorCode, {
      base: core.segmentBase(L.SS),
      lowest: usable ? core.u32[at + 4] as number : 0xffffffff,
      highest: usable ? core.u32[at + 5] as number : 0,
      big: (core.segmentAttributes(L.SS) & ATTRIBUTE.BIG) !== 0,
      esp: core.gpr(4),
      privilege: core.cpl,
    });
  }
  /** Starts a frame on a stack that is not loaded yet. */
  onNew(
    core: Core,
    size: 2 | 4,
    errorCode: number,
    stack: { descriptor: Descriptor; esp: number; privilege: number },
  ): this {
    const { descriptor, esp, privilege } = stack;
    const { base, lowest, highest, big } = descriptor;
    return this.#start(core, size, errorCode, { base, lowest, highest, big, esp, privilege });
  }
  #start(
    _core: Core,
    size: 2 | 4,
    errorCode: number,
    stack: {
      base: number;
      lowest: number;
      highest: number;
      big: boolean;
      esp: number;
      privilege: number;
    },
  ): this {
    this.#count = 0;
    this.#size = size;
    this.#errorCode = errorCode;
    this.#base = stack.base;
    this.#low = stack.lowest;
    this.#high = stack.highest;
    this.#mask = stack.big ? -1 : 0xffff;
    this.#esp = stack.esp;
    this.#privilege = stack.privilege;
    return this;
  }

  push(value: number): this {
    this.#values[this.#count++] = value;
    return this;
  }

  /** Raises #SS or #PF as the pushes would; changes nothing but A and D bits. */
  check(core: Core): this {
    const size = this.#size;
    const cpl = core.cpl;
    core.cpl = this.#privilege;
    try {
      for (let i = 1; i <= this.#count; i++) {
        const offset = ((this.#esp - i * size) & this.#mask) >>> 0;
        if (offset < this.#low || offset + size - 1 > this.#high) {
          core.raise(VECTOR.SS, this.#errorCode);
        }
        core.memory.probeWrite((this.#base + offset) | 0, size);
      }
    } finally {
      core.cpl = cpl;
    }
    return this;
  }
  /**
   * Writes what was checked; returns the new ESP. The current privilege does not change. `explicit`: the pushes are
   * accesses of an instruction (a far CALL), not of an event.
   */
  commit(core: Core, explicit = false): number {
    const size = this.#size;
    const cpl = core.cpl;
    core.cpl = this.#privilege;
    for (let i = 1; i <= this.#count; i++) {
      const offset = (this.#esp - i * size) & this.#mask;
      const linear = (this.#base + offset) | 0;
      const value = this.#values[i - 1] as number;
      if (explicit) core.writeLinear(linear, size, value);
      else core.memory.slowWrite(linear, size, value);
    }
    core.cpl = cpl;
    const esp = this.#esp - this.#count * size;
    return (this.#esp & ~this.#mask) | (esp & this.#mask);
  }
}

/** Reads words from the top of the current stack without moving ESP. */
export class StackReader {
  readonly #core: Core;
  readonly #size: 2 | 4;
  readonly #mask: number;
  /** Bytes read so far. */
  consumed = 0;

  constructor(core: Core, size: 2 | 4) {
    this.#core = core;
    this.#size = size;
    this.#mask = stackMask(core);
  }

  /** The next word, unsigned; may throw #SS(0) or #PF. */
  pop(): number {
    const core = this.#core;
    const offset = ((core.gpr(4) + this.consumed) & this.#mask) >>> 0;
    this.consumed += this.#size;
    return core.read(L.SS, offset, this.#size);
  }
  /** Skips bytes (parameters of RET n). */
  skip(bytes: number): void {
    this.consumed += bytes;
  }
  /** ESP behind what was read. */
  next(): number {
    const esp = this.#core.gpr(4);
    return (esp & ~this.#mask) | ((esp + this.consumed) & this.#mask);
  }
  /** Moves ESP behind what was read. */
  commit(): void {
    this.#core.setGpr(4, this.next());
  }
}

/** −1 for a stack of 32 bits, 0xffff for one of 16. */
export function stackMask(core: Core): number {
  return core.segmentAttributes(L.SS) & ATTRIBUTE.BIG ? -1 : 0xffff;
}
