/**
 * String instructions, with and without repeat prefix.
 *
 * Registers are committed after each element, so a fault or an interrupt restarts the instruction where it
 * stands. A repeated instruction retires once every {@link CHUNK} elements, so that virtual time goes on; when
 * the budget is used up it leaves the block with EIP on itself. Most elements are done in runs, page by page
 * (string_runs.ts); the count of retired instructions does not depend on that, nor on who does them: where
 * translated code leaves the rest to the interpreter, CHUNK_DONE says how far the chunk is.
 * Sources: SDM vol. 1 §7.3.9, vol. 2 (REP).
 * @module
 */
import { DF, TF } from "../../state/flags.ts";
import {
  BUDGET,
  CHUNK_DONE,
  CURRENT,
  EAX,
  ECX,
  EDI,
  EFLAGS,
  EIP,
  ES,
  ESI,
  EXIT,
  EXIT_REASON,
  LINK_SLOT,
  RECORD,
  SEGMENT,
  segmentOffset,
  SUSPENDED,
  WATCHING,
} from "../../state/layout.ts";
import type { Emitter, Semantics, Size } from "../emit.ts";
import {
  elementsInSegment,
  RUN,
  RUN_LEFT,
  RUN_RIGHT,
  type RunKind,
  stringRun,
} from "../string_runs.ts";
import { SHORT, shortMove, shortStore } from "../string_short.ts";

/** Elements of a repeated string instruction that count as one retired instruction. */
export const CHUNK = 64;
const CHUNK_BITS = 6;

/** One element; returns nothing, commits its registers. */
type Element = (x: Emitter, size: Size, step: number) => void;

/** Linear address of ES:EDI or segment:ESI into a local. */
function element(x: Emitter, register: number, size: Size, write: boolean): number {
  const linear = x.local();
  x.register(register, x.form.addressSize);
  if (!x.form.flat) {
    if (register === EDI) x.segmentCheck(ES, size, write);
    else x.recordSegmentCheck(size, write);
  }
  x.f.set(linear);
  return linear;
}

function advance(x: Emitter, register: number, step: number): void {
  const value = x.local();
  x.register(register).f.get(step).add().set(value);
  x.setRegister(register, value, x.form.addressSize);
}

const move: Element = (x, size, step) => {
  const value = x.local();
  const source = element(x, ESI, size, false);
  x.readLinear(source, size).f.set(value);
  x.writeLinear(element(x, EDI, size, true), size, value);
  advance(x, ESI, step);
  advance(x, EDI, step);
};

const store: Element = (x, size, step) => {
  const value = x.local();
  x.register(EAX, size).f.set(value);
  x.writeLinear(element(x, EDI, size, true), size, value);
  advance(x, EDI, step);
};

const load: Element = (x, size, step) => {
  const value = x.local();
  x.readLinear(element(x, ESI, size, false), size).f.set(value);
  x.setRegister(EAX, value, size);
  advance(x, ESI, step);
};

const compare: Element = (x, size, step) => {
  const [a, b, difference] = [x.local(), x.local(), x.local()];
  // ES:EDI first, so that it is the address of #PF when both fault: as Intel's processors do.
  x.readLinear(element(x, EDI, size, false), size).f.set(b);
  x.readLinear(element(x, ESI, size, false), size).f.set(a);
  x.f.get(a).get(b).sub().set(difference);
  x.flagsSub(a, b, difference, size);
  advance(x, ESI, step);
  advance(x, EDI, step);
};

const scan: Element = (x, size, step) => {
  const [a, b, difference] = [x.local(), x.local(), x.local()];
  x.register(EAX, size).f.set(a);
  x.readLinear(element(x, EDI, size, false), size).f.set(b);
  x.f.get(a).get(b).sub().set(difference);
  x.flagsSub(a, b, difference, size);
  advance(x, EDI, step);
};

function string(body: Element, kind: RunKind, bytes: boolean): Semantics {
  const compares = kind === "compare" || kind === "scan";
  return {
    stack: true,
    string: true,
    emit(x: Emitter): void {
      const { f } = x;
      const size: Size = bytes ? 1 : x.operandSize;
      const step = x.local();
      f.i32(-size).i32(size).loadAt(EFLAGS).i32(DF).and().select().set(step);
      if (x.form.repeat === 0) {
        body(x, size, step);
        return;
      }
      const [count, left, singly] = [x.local(), x.local(), x.local()];
      const work = { kind, size, step, count, left };
      x.register(ECX, x.form.addressSize).f.tee(count).if();
      // A single step is one element (SDM vol. 3A §17.3.1.4), and a data breakpoint looks at each (§17.2.5).
      f.loadAt(EFLAGS).i32(TF).and().loadAt(WATCHING).or().set(singly);
      if (x.translated) {
        f.get(singly).if(undefined, false);
        x.bail().f.end().block();
        short(x, work, f.depth);
        f.i32(CHUNK).set(left);
        run(x, work, f.depth);
        f.i32(0).i32(CHUNK).get(left).sub().store(CHUNK_DONE);
        x.bail().f.end();
      } else {
        f.i32(1).i32(CHUNK).loadAt(CHUNK_DONE).sub().get(singly).select().set(left);
        f.i32(0).i32(0).store(CHUNK_DONE);
        // A fault in the middle leaves EFLAGS as they were before the instruction.
        x.deferFlags = compares;
        f.block();
        const { depth } = f;
        f.block().loop().get(singly).eqz().if();
        f.i32(0);
        x.record().f.store(CURRENT);
        run(x, work, depth);
        f.end();
        body(x, size, step);
        f.get(count).i32(1).sub().set(count);
        x.setRegister(ECX, count, x.form.addressSize);
        // Ends by count, by condition, or at the end of a chunk when there is no budget for another.
        f.get(count).eqz().brIf(1);
        if (compares) x.condition(x.form.repeat === 0xf3 ? 5 : 4).f.brIf(1);
        f.get(left).i32(1).sub().tee(left).brIf(0);
        const budget = x.local();
        f.loadAt(BUDGET).i32(1).sub().tee(budget).i32(0).ltS().if(undefined, false);
        if (compares) x.commitFlags();
        suspend(x);
        f.end().i32(0).get(budget).store(BUDGET);
        f.i32(1).i32(CHUNK).get(singly).select().set(left).br(0).end().end();
        if (compares) x.commitFlags();
        f.end();
      }
      f.end();
      x.forgetFlags();
    },
  };
}

/** The elements that are to be done. Locals, and what they are. */
interface Work {
  readonly kind: RunKind;
  readonly size: Size;
  readonly step: number;
  readonly count: number;
  readonly left: number;
}

/** Does a few elements that lie well; leaves the block at depth `finished` if that was all. */
function short(x: Emitter, { kind, size, step, count }: Work, finished: number): void {
  const { f } = x;
  const { addressSize, flat } = x.form;
  if ((kind !== "move" && kind !== "store") || !flat || addressSize !== 4) return;
  const value = x.local();
  f.get(count).i32(SHORT).gtU().get(step).i32(0).ltS().or().eqz().if(undefined, true);
  f.get(count);
  if (kind === "move") {
    x.register(ESI).register(EDI).f.call(shortMove(x.runtime, size));
  } else x.register(EDI).register(EAX, size).f.call(shortStore(x.runtime, size));
  f.if(undefined, true);
  for (const register of kind === "move" ? [ESI, EDI] : [EDI]) {
    x.register(register).f.get(count).i32(size).mul().add().set(value);
    x.setRegister(register, value);
  }
  f.i32(0).set(value);
  x.setRegister(ECX, value);
  f.br(f.depth - finished).end().end();
}

/**
 * Does as many elements as a run can (string_runs.ts) and commits them; leaves the block at depth `finished` if that
 * is the end of the instruction. Charges the budget as the elements one by one would.
 */
function run(
  x: Emitter,
  { kind, size, step, count, left }: Work,
  finished: number,
): void {
  const { f } = x;
  const { addressSize, flat, repeat } = x.form;
  const reads = kind === "move" || kind === "load" || kind === "compare";
  const uses = kind !== "load";
  const compares = kind === "compare" || kind === "scan";
  const [elements, value, done] = [x.local(), x.local(), x.local()];
  const [source, target] = [x.local(), x.local()];
  f.block();
  const out = f.depth;
  // No more than the budget is sure to pay.
  x.budget().f.i32(CHUNK_BITS).shl().get(left).add().i32(1).sub().tee(elements);
  f.i32(0).op("i32.le_s").brIf(f.depth - out, false);
  f.get(count).get(elements).get(count).get(elements).ltU().select().set(elements);
  const operand = (register: number, linear: number, segment: () => void, write: boolean): void => {
    x.register(register, addressSize).f.set(linear);
    if (flat && addressSize === 4) return;
    if (!flat) {
      f.get(elements).get(linear);
      segment();
    } else f.get(elements).get(linear).i32(segmentOffset(ES));
    f.get(step).i32((write ? 2 : 1) | (addressSize === 2 ? 4 : 0));
    f.call(elementsInSegment(x.runtime, size)).tee(elements).eqz().brIf(f.depth - out, false);
    if (flat) return;
    f.get(linear);
    segment();
    f.load(SEGMENT.BASE).add().set(linear);
  };
  if (reads) operand(ESI, source, () => x.recordSegment(), false);
  const writes = kind === "move" || kind === "store";
  if (uses) operand(EDI, target, () => f.i32(segmentOffset(ES)), writes);
  if (kind === "store" || kind === "scan") x.register(EAX, size).f.set(value);
  f.get(elements).get(source).get(target).get(step).get(value);
  const whileEqual = compares && repeat === 0xf3 ? RUN.WHILE_EQUAL : 0;
  f.i32((x.translated ? RUN.FILL : RUN.CLAIM) | whileEqual);
  f.call(stringRun(x.runtime, kind, size)).tee(done).eqz().brIf(f.depth - out, false);
  const commit = (register: number): void => {
    const next = x.local();
    x.register(register).f.get(done).get(step).mul().add().set(next);
    x.setRegister(register, next, addressSize);
  };
  if (reads) commit(ESI);
  if (uses) commit(EDI);
  f.get(count).get(done).sub().set(count);
  x.setRegister(ECX, count, addressSize);
  if (kind === "load") {
    f.loadAt(RUN_LEFT).set(value);
    x.setRegister(EAX, value, size);
  }
  const [ended, budget] = [x.local(), x.local()];
  f.get(count).eqz();
  if (compares) f.loadAt(RUN_LEFT).loadAt(RUN_RIGHT).op(repeat === 0xf3 ? "i32.ne" : "i32.eq").or();
  f.set(ended);
  // Ends of chunks among these elements; the last element of all ends none.
  f.get(done).i32(CHUNK).get(left).sub().add().set(done);
  x.budget().f.get(done).get(ended).sub().i32(CHUNK_BITS).shrU().sub().set(budget);
  x.setBudget(budget);
  f.i32(CHUNK).get(done).i32(CHUNK - 1).and().sub().set(left);
  if (compares) {
    f.get(ended).if();
    const [a, b, difference] = [x.local(), x.local(), x.local()];
    f.loadAt(RUN_LEFT).tee(a).loadAt(RUN_RIGHT).tee(b).sub().set(difference);
    x.flagsSub(a, b, difference, size);
    if (!x.translated) x.commitFlags();
    f.br(f.depth - finished).end();
  } else f.get(ended).brIf(f.depth - finished);
  f.end();
}

/** Retires this much of the instruction and leaves with EIP on it. */
function suspend(x: Emitter): void {
  const { f } = x;
  f.i32(0).loadAt(BUDGET).get(0).memory("i32.load8_u", RECORD.REMAINING).add();
  f.i32(1).sub().store(BUDGET);
  f.i32(0);
  x.field(RECORD.EIP).f.store(EIP).i32(0).i32(0).store(LINK_SLOT);
  f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
  f.i32(0).i32(1).store(SUSPENDED);
  x.leave();
}

export const strings: Readonly<Record<string, Semantics>> = {
  movs1: string(move, "move", true),
  movs: string(move, "move", false),
  stos1: string(store, "store", true),
  stos: string(store, "store", false),
  lods1: string(load, "load", true),
  lods: string(load, "load", false),
  cmps1: string(compare, "compare", true),
  cmps: string(compare, "compare", false),
  scas1: string(scan, "scan", true),
  scas: string(scan, "scan", false),
};
