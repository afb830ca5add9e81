/**
 * The emitter: what the semantics of an instruction are written in.
 *
 * A semantic function is called once for each form of an instruction (which operands are registers, memory
 * or immediates, and their sizes) and appends Wasm to `x.f`. It sees operands by number and does not know
 * where they are. Here they come from the decoded record that `x.record()` points at.
 * Rules that keep faults precise: everything that can fault (`read`, `readModify`, `linear`, `write` to
 * memory, `push`, `fault`) comes before the first commit (register, flags, `modifyWrite`, ESP).
 * Values are i32, zero-extended from the operand's size. Sources: SDM vol. 2 §3.1.1, vol. 3A §5.3.
 * @module
 */
import {
  BLOCK,
  BLOCK_BYTES,
  BUDGET,
  EIP,
  ENTRY_BLOCK,
  EXIT,
  EXIT_REASON,
  LINK_CHECKED,
  LINK_SLOT,
  RECORD_BYTES,
  SEGMENT,
  segmentOffset,
} from "../state/layout.ts";
import { FlagsEmitter } from "./emit_flags.ts";

export type { Condition, Form, Loop, Operand, OperandKind, Size } from "./form.ts";
export { LocalPool } from "./form.ts";

/** The semantics of an operation. */
export interface Semantics {
  readonly emit: (x: Emitter) => void;
  /** The form depends on the stack or on implicit string addresses: instantiate by `flat`. */
  readonly stack?: boolean;
  /** The form depends on address size and repeat prefix. */
  readonly string?: boolean;
  /** The emitted code ends the block itself (branches). */
  readonly ends?: boolean;
}

/** What must hold before an instruction of a kind may run, as bits: what holds for one may be enough for another. */
export const GUARD = {
  /** CR0.EM and TS are clear, CR4.OSFXSR is set. */
  SSE: 5,
  /** CR0.EM and TS are clear, no x87 exception is pending: x87 and MMX. */
  X87: 14,
  /** CR0.EM and TS are clear: x87 instructions that do not wait. */
  FPU: 4,
  /** CR0.TS or MP is clear, no x87 exception is pending: WAIT. */
  WAIT: 8,
} as const;
export type Guard = typeof GUARD[keyof typeof GUARD];

/** What semantics append Wasm through. */
export class Emitter extends FlagsEmitter {
  // ---- translated code --------------------------------------------------------------------------

  /** True in translated code, which does what it can at once and leaves the rest to the interpreter. */
  get translated(): boolean {
    return false;
  }
  /** Value of an immediate operand; undefined where it is not known when the code is made. */
  constant(_index: number): number | undefined {
    return undefined;
  }
  /** Translated code leaves to the interpreter at this instruction. */
  bail(): this {
    throw new Error("the interpreter cannot leave to the interpreter");
  }
  /** Pushes the budget. */
  budget(): this {
    this.f.loadAt(BUDGET);
    return this;
  }
  /** Sets the budget from a local. */
  setBudget(value: number): this {
    this.f.i32(0).get(value).store(BUDGET);
    return this;
  }

  /** Before an instruction of a kind: `refused` pushes whether it may not run, `raise` says so to the guest. */
  guard(_guard: Guard, refused: () => void, raise: () => void): this {
    refused();
    this.f.if(undefined, false);
    raise();
    this.f.end();
    return this;
  }

  /**
   * Emits code that needs the words of the x87 in memory; elsewhere they are read and written as registers
   * (`register`, of FPU_TOP, FPU_TAG and FPU_STATUS).
   */
  inMemory(body: () => void): this {
    body();
    return this;
  }
  /** True when the x87's pointers are set later, to those of this instruction (`memory`: with a memory operand). */
  pointersLater(_memory: boolean): boolean {
    return false;
  }
  /** At the end of an x87 instruction that may have made an exception pending. */
  mayBePending(): this {
    return this;
  }

  // ---- control ----------------------------------------------------------------------------------

  /** What follows works on the state in memory alone, and ends with {@link jump} or {@link exit}. */
  onMemory(): this {
    return this;
  }

  /** Raises an exception at this instruction (−1: no error code). Nothing may have been committed. */
  fault(vector: number, errorCode = -1): this {
    this.raise(vector, errorCode);
    return this;
  }
  /** Calls the assist of a name in the middle of Wasm semantics (rare paths); it completes or throws. */
  assist(name: string): this {
    this.record();
    this.f.i32(this.runtime.assistIndex(name)).call(this.runtime.assist).drop();
    return this;
  }
  /** #GP(0) unless the local is within CS's limit; `first`: what would fault before. */
  checkTarget(target: number, first?: () => void): this {
    const f = this.f;
    f.get(target).loadAt(segmentOffset(1) + SEGMENT.LIMIT).gtU().if(undefined, false);
    first?.();
    this.fault(13, 0);
    f.end();
    return this;
  }
  /** Goes on with the record whose address is on the stack. */
  go(): this {
    const loop = this.loop;
    if (loop) this.f.set(0).br(this.f.depth - loop.depth);
    else this.f.return();
    return this;
  }
  /** Leaves to the run loop; EIP, EXIT_REASON and LINK_SLOT are set. */
  leave(): this {
    if (!this.loop) this.f.i32(0);
    this.f.return();
    return this;
  }
  /** Goes on with the next record. */
  next(): this {
    this.f.get(0).i32(RECORD_BYTES).add();
    return this.go();
  }
  /** Leaves to the run loop at the EIP in a local; all of this instruction is committed. */
  exit(eip: number): this {
    const f = this.f;
    f.i32(0).get(eip).store(EIP).i32(0).i32(0).store(LINK_SLOT);
    f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
    return this.leave();
  }
  /** Direct branch through a link word of the record (RECORD.A or RECORD.B) to the EIP in a local. */
  branch(link: number, target: () => void): this {
    const f = this.f;
    const block = this.local();
    this.field(link);
    f.tee(block).i32(LINK_CHECKED).and().if();
    f.get(block).i32(LINK_CHECKED).sub().set(block);
    this.runtime.mapped(f, block);
    f.eqz().if(undefined, false);
    target();
    this.record();
    f.i32(link).add();
    this.record();
    f.call(this.runtime.branchUnlinked());
    if (this.loop) {
      f.tee(block).eqz().if();
      this.leave();
      f.end().get(block);
    }
    this.go();
    f.end().end();
    return this.enter(block);
  }
  /** Indirect branch to the EIP in a local, by the jump cache. */
  jump(target: number): this {
    const f = this.f;
    const entry = this.local();
    this.runtime.jumpCacheHit(f, target, entry);
    f.if();
    f.get(entry).load(8).set(entry);
    this.enter(entry);
    f.end();
    return this.exit(target);
  }
  /** Enters the block in a local: charges its length to the budget. */
  enter(block: number): this {
    const f = this.f;
    const [budget, count] = [this.local(), this.local()];
    f.loadAt(BUDGET).get(block).load(BLOCK.LENGTH).sub().tee(budget).i32(0).ltS();
    f.if(undefined, false);
    f.i32(0).get(block).store(ENTRY_BLOCK).i32(0).get(block).load(BLOCK.EIP).store(EIP);
    f.i32(0).i32(EXIT.BUDGET).store(EXIT_REASON);
    this.leave();
    f.end();
    f.get(block).get(block).load(BLOCK.COUNT).i32(1).sub().tee(count).store(BLOCK.COUNT);
    f.get(count).eqz().if(undefined, false);
    f.i32(0).get(block).store(ENTRY_BLOCK).i32(0).get(block).load(BLOCK.EIP).store(EIP);
    f.i32(0).i32(EXIT.HOT).store(EXIT_REASON);
    this.leave();
    f.end();
    f.i32(0).get(budget).store(BUDGET);
    f.get(block).i32(BLOCK_BYTES).add();
    return this.go();
  }
}
