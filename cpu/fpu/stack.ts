/**
 * TOP, tags and status as an instruction sees them: words in memory, or what translated code has in their place.
 * And the pointers to the last instruction and operand. Sources: SDM vol. 1 §8.1.2–8.1.8.
 * @module
 */
import type { Emitter } from "../execute/emit.ts";
import { Code, int, type Local, Value, word } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32 } from "../execute/wasm.ts";
import {
  CS,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_STATUS,
  FPU_TAG,
  FPU_TOP,
  RECORD,
  SEGMENT_BYTES,
  segmentOffset,
  SEGMENTS,
} from "../state/layout.ts";
import { C1 } from "./status.ts";

const WORDS: Readonly<Record<"top" | "tag" | "status", number>> = {
  top: FPU_TOP,
  tag: FPU_TAG,
  status: FPU_STATUS,
};

/** TOP, tags (a bit a physical register) and status without TOP. */
export class StackWords {
  readonly #x: Emitter;
  readonly top: Value;
  readonly tag: Value;
  readonly status: Value;

  constructor(x: Emitter) {
    this.#x = x;
    const at = (offset: number): Value => new Value(I32, () => x.register(offset));
    [this.top, this.tag, this.status] = [at(FPU_TOP), at(FPU_TAG), at(FPU_STATUS)];
  }
  set(c: Code, name: keyof typeof WORDS, value: Value): void {
    this.#x.setRegister(WORDS[name], c.int(value).index);
  }
  /** The end of an operation that raised at most PE, with C1. */
  settle(c: Code, flags?: Local): void {
    const cleared = this.status.and(~C1);
    this.set(c, "status", flags === undefined ? cleared : cleared.or(flags));
  }
  /** Marks ST(0) empty and increments TOP. */
  pop(c: Code): void {
    this.set(c, "tag", this.tag.and(int(1).shl(this.top).xor(-1)));
    this.set(c, "top", this.top.add(1).and(7));
  }
  /** A number into the empty register below ST(0), `physical`; C1 is cleared. */
  push(c: Code, physical: Local, se: Value, significand: Value): void {
    const slot = c.int(physical.shl(4));
    c.store(slot, significand, FPU_REGISTERS, 8);
    c.store(slot, se, FPU_REGISTERS + 8, 2);
    this.set(c, "top", physical);
    this.set(c, "tag", this.tag.or(int(1).shl(physical)));
    this.settle(c);
  }
}
export function state(x: Emitter): StackWords {
  return new StackWords(x);
}

/**
 * (record, record with a memory operand or 0, its offset): sets the pointers. The selectors are the present ones.
 */
export function setPointers(runtime: Runtime): number {
  const types = [I32, I32, I32];
  return runtime.shared("x87.setPointers", types, [], (f) => {
    const c = new Code(f);
    const [record, operand, offset] = Code.parameters(types) as [Local, Local, Local];
    c.storeWord(FPU_IP, record.load(RECORD.EIP));
    c.storeWord(FPU_OPCODE, record.load(RECORD.IMMEDIATE));
    c.storeWord(FPU_CS, word(segmentOffset(CS)));
    c.if(operand, () => {
      c.storeWord(FPU_DP, offset);
      const segment = operand.load8(RECORD.SEGMENT).and(7);
      c.storeWord(FPU_DS, segment.mul(SEGMENT_BYTES).load(SEGMENTS));
    });
  });
}
