/**
 * String instructions, with and without repeat prefix.
 *
 * Registers are committed after each element, so a fault or an interrupt restarts the instruction where it
 * stands. A repeated instruction retires once every {@link CHUNK} elements, so that virtual time goes on; when
 * the budget is used up it leaves the block with EIP on itself. Forward MOVS and STOS move the part of a page
 * that is in the TLB at once; the count of retired instructions does not depend on that.
 * Sources: SDM vol. 1 §7.3.9, vol. 2 (REP).
 * @module
 */
import { DF, TF } from "../../state/flags.ts";
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
  LINK_SLOT,
  RECORD,
  SUSPENDED,
  TLB_READ,
  TLB_WRITE,
  WATCHING,
} from "../../state/layout.ts";
import type { Emitter, Semantics, Size } from "../emit.ts";

/** Elements of a repeated string instruction that count as one retired instruction. */
export const CHUNK = 64;
const CHUNK_BITS = 6;
/** Elements below which moving them at once does not pay. */
const BULK = 8;

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

/** What of an operation can be done for many elements at once. */
type Bulk = "move" | "store" | undefined;

function string(body: Element, bytes: boolean, compares: boolean, bulk?: Bulk): Semantics {
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
      const [count, left, budget] = [x.local(), x.local(), x.local()];
      x.register(ECX, x.form.addressSize).f.tee(count).if();
      // A single step is one element (SDM vol. 3A §17.3.1.4), and a data breakpoint looks at each (§17.2.5).
      f.i32(1).i32(CHUNK);
      x.systemFlags().f.i32(TF).and().loadAt(WATCHING).or().select().set(left);
      // A fault in the middle leaves EFLAGS as they were before the instruction.
      x.deferFlags = compares;
      f.block().loop();
      if (bulk !== undefined && x.form.flat && x.form.addressSize === 4) {
        many(x, bulk, { size, count, left, again: f.depth });
      }
      body(x, size, step);
      f.get(count).i32(1).sub().set(count);
      x.setRegister(ECX, count, x.form.addressSize);
      // Ends by count, by condition, or at the end of a chunk when there is no budget for another.
      f.get(count).eqz().brIf(1);
      if (compares) x.condition(x.form.repeat === 0xf3 ? 5 : 4).f.brIf(1);
      f.get(left).i32(1).sub().tee(left).brIf(0);
      f.loadAt(BUDGET).i32(1).sub().tee(budget).i32(0).ltS().if(undefined, false);
      if (compares) x.commitFlags();
      suspend(x);
      f.end();
      f.i32(0).get(budget).store(BUDGET);
      f.i32(1).i32(CHUNK).loadAt(WATCHING).select().set(left).br(0);
      f.end().end();
      if (compares) x.commitFlags();
      f.end();
      x.forgetFlags();
    },
  };
}

/**
 * Does as many elements as source and destination have in their pages, if both are in the TLB, the
 * direction is forward, and they do not overlap so that a later element reads an earlier one's result.
 * Charges the budget as the elements one by one would. `again`: depth inside the loop.
 */
function many(
  x: Emitter,
  bulk: "move" | "store",
  { size, count, left, again }: { size: Size; count: number; left: number; again: number },
): void {
  const { f } = x;
  const shift = size === 4 ? 2 : size === 2 ? 1 : 0;
  const [elements, length, to, from] = [x.local(), x.local(), x.local(), x.local()];
  const [destination, source] = [x.local(), x.local()];
  const limitToPage = (register: number, address: number): void => {
    x.register(register).f.set(address);
    f.i32(0x1000).get(address).i32(0xfff).and().sub().i32(shift).shrU().set(length);
    f.get(length).get(elements).get(length).get(elements).ltU().select().set(elements);
  };
  const lookup = (table: number, address: number, into: number): void => {
    f.loadAt(table).get(address).i32(10).shrU().i32(0x3ffffc).and().add().load().tee(into);
    f.i32(1).and().brIf(0);
    f.get(into).get(address).add().set(into);
  };
  f.block();
  f.get(count).i32(BULK).ltU().brIf(0);
  f.loadAt(EFLAGS).i32(DF).and().brIf(0);
  f.loadAt(BUDGET).i32(0x1000 >> CHUNK_BITS).op("i32.le_s").brIf(0);
  f.get(count).set(elements);
  limitToPage(EDI, destination);
  if (bulk === "move") limitToPage(ESI, source);
  f.get(elements).i32(BULK).ltU().brIf(0);
  lookup(TLB_WRITE, destination, to);
  f.get(elements).i32(shift).shl().set(length);
  if (bulk === "move") {
    lookup(TLB_READ, source, from);
    // Unsigned distance below the length: the destination begins inside the source.
    f.get(to).get(from).sub().get(length).ltU().brIf(0);
    f.get(to).get(from).get(length).memoryCopy();
    f.get(source).get(length).add().set(source);
    x.setRegister(ESI, source);
  } else {
    const [value, end] = [x.local(), x.local()];
    x.register(EAX, size).f.set(value);
    f.get(value).i32(0xff).and().i32(size === 1 ? 1 : size === 2 ? 0x101 : 0x1010101).mul();
    f.get(value).eq().if();
    f.get(to).get(value).get(length).memoryFill();
    f.else().get(to).get(length).add().set(end);
    f.loop().get(to).get(value).memory(
      size === 4 ? "i32.store" : size === 2 ? "i32.store16" : "i32.store8",
    );
    f.get(to).i32(size).add().tee(to).get(end).op("i32.lt_u").brIf(0).end().end();
  }
  f.get(destination).get(length).add().set(destination);
  x.setRegister(EDI, destination);
  f.get(count).get(elements).sub().set(count);
  x.setRegister(ECX, count);
  // Ends of chunks among these elements; the last element of all ends none.
  f.get(elements).i32(CHUNK).get(left).sub().add().set(elements);
  f.i32(0).loadAt(BUDGET).get(elements).get(count).eqz().sub().i32(CHUNK_BITS).shrU().sub();
  f.store(BUDGET);
  f.i32(CHUNK).get(elements).i32(CHUNK - 1).and().sub().set(left);
  f.get(count).eqz().brIf(f.depth - again + 1).br(f.depth - again).end();
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
  movs1: string(move, true, false, "move"),
  movs: string(move, false, false, "move"),
  stos1: string(store, true, false, "store"),
  stos: string(store, false, false, "store"),
  lods1: string(load, true, false),
  lods: string(load, false, false),
  cmps1: string(compare, true, true),
  cmps: string(compare, false, true),
  scas1: string(scan, true, true),
  scas: string(scan, false, true),
};
