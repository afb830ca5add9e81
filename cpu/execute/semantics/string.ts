/**
 * String instructions, with and without repeat prefix.
 *
 * Registers are committed after each element, so a fault or an interrupt restarts the instruction where it
 * stands. A repeated instruction retires once every {@link CHUNK} elements: it then leaves the block with EIP on
 * itself, so interrupts and the budget see it, and virtual time goes on.
 * Sources: SDM vol. 1 §7.3.9, vol. 2 (REP).
 * @module
 */
import { DF } from "../../state/flags.ts";
import {
  BUDGET,
  EAX,
  ECX,
  EDI,
  EFLAGS,
  EIP,
  ES,
  ESI,
  EXIT,
  EXIT_REASON,
  FLAGS_AUX,
  FLAGS_RESULT,
  LINK_SLOT,
  RECORD,
} from "../../state/layout.ts";
import type { Emitter, Semantics, Size } from "../emit.ts";

/** Elements of a repeated string instruction that count as one retired instruction. */
export const CHUNK = 64;

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

function string(body: Element, bytes: boolean, compares: boolean): Semantics {
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
      const [count, left] = [x.local(), x.local()];
      const [result, aux] = [x.local(), x.local()];
      if (compares) f.loadAt(FLAGS_RESULT).set(result).loadAt(FLAGS_AUX).set(aux);
      x.register(ECX, x.form.addressSize).f.tee(count).if();
      f.i32(CHUNK).set(left);
      f.block().loop();
      // A fault in the middle leaves the flags of before the instruction (as processors do).
      if (compares) f.i32(0).get(result).store(FLAGS_RESULT).i32(0).get(aux).store(FLAGS_AUX);
      body(x, size, step);
      f.get(count).i32(1).sub().set(count);
      x.setRegister(ECX, count, x.form.addressSize);
      // Ends by count, by condition, or at the end of the chunk.
      f.get(count).eqz().brIf(1);
      if (compares) x.condition(x.form.repeat === 0xf3 ? 5 : 4).f.brIf(1);
      f.get(left).i32(1).sub().tee(left).brIf(0);
      if (compares) f.i32(0).get(result).store(FLAGS_RESULT).i32(0).get(aux).store(FLAGS_AUX);
      suspend(x);
      f.end().end().end();
      x.forgetFlags();
    },
  };
}

/** Retires this much of the instruction and leaves with EIP on it. */
function suspend(x: Emitter): void {
  const { f } = x;
  f.i32(0).loadAt(BUDGET).get(0).memory("i32.load8_u", x.recordOffset + RECORD.REMAINING).add();
  f.i32(1).sub().store(BUDGET);
  f.i32(0);
  x.field(RECORD.EIP).f.store(EIP).i32(0).i32(0).store(LINK_SLOT);
  f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
  x.leave();
}

export const strings: Readonly<Record<string, Semantics>> = {
  movs1: string(move, true, false),
  movs: string(move, false, false),
  stos1: string(store, true, false),
  stos: string(store, false, false),
  lods1: string(load, true, false),
  lods: string(load, false, false),
  cmps1: string(compare, true, true),
  cmps: string(compare, false, true),
  scas1: string(scan, true, true),
  scas: string(scan, false, true),
};
