/**
 * Windows: accesses of a region through the same register share one look into the TLB.
 *
 * The emission follows what registers are relative to each other (`push`, `mov ebp, esp`, `sub esp, 12`, `lea`). For
 * accesses at constant distances from one value (a stack frame, a record in memory) the first looks up the page for
 * the range of all and keeps the addend in a local; the others only test its bit 0, which is set where the page has no
 * word or the range is not in one page: then they take the ordinary slow path. What may change the TLB (that slow
 * path, other code) closes all windows, so that each access has the effect that it has on its own.
 * The facts about a node's instructions (facts.ts) tell the ranges; one entered from a single place goes on with the windows there.
 * @module
 */
import type { Form } from "../execute/form.ts";
import * as L from "../state/layout.ts";

/** Accesses below this number are not worth a window. */
const WORTH = 3;
/** Longest range in bytes: longer ones are in two pages more often. */
const LONGEST = 256;
const REGISTERS = 8;
const ESP = 4;
const EBP = 5;

/** What accesses relative to one value there are. */
interface Range {
  /** Of the first byte, and behind the last one. */
  low: number;
  high: number;
  count: number;
  writes: boolean;
}
/** A value that a register has, or had. */
interface Base {
  readonly range: Range;
}
/** A linear address relative to a value. */
export interface Spot {
  readonly base: Base;
  readonly offset: number;
}
/** An effect: a register becomes another one plus a number. */
interface Effect {
  readonly register: number;
  readonly from: number;
  readonly plus: number;
}
/** The window that an access goes through. */
export interface Window {
  /** Local with the addend, bit 0 set while there is none. */
  readonly local: number;
  /** It is to be opened first: bytes from the access to the range, and the range's length. */
  readonly opens?: { readonly from: number; readonly length: number; readonly writes: boolean };
}

function emptyRange(): Range {
  return { low: 0, high: 0, count: 0, writes: false };
}
function extend(range: Range, more: Range, by: number): void {
  if (more.count === 0) return;
  const low = range.count === 0 ? more.low + by : Math.min(range.low, more.low + by);
  const high = range.count === 0 ? more.high + by : Math.max(range.high, more.high + by);
  if (high - low > LONGEST) return;
  range.low = low;
  range.high = high;
  range.count += more.count;
  range.writes ||= more.writes;
}

/** What is known of registers and windows while a node is emitted. */
export class Windows {
  readonly #plan: readonly Range[] | undefined;
  /** Values in the order in which they appeared; the first eight are those that registers have on entry. */
  readonly #bases: Base[] = [];
  #registers: Spot[];
  readonly #open: Map<Base, number>;
  readonly #spots = new Map<number, Spot>();
  #effects: readonly Effect[] = [];
  /** Nothing is known. */
  #fresh = true;

  /**
   * `plan`: ranges by value, from {@link plan}; without it they are noted. `from`: the place it is entered from, in an
   * instruction that has `written` registers (bits).
   */
  constructor(plan?: readonly Range[], from?: Windows, written = 0) {
    this.#plan = plan;
    const own = Array.from({ length: REGISTERS }, () => ({ base: this.#newBase(), offset: 0 }));
    this.#registers = from === undefined ? own : from.#after(written, () => ({
      range: emptyRange(),
    }));
    this.#open = new Map(from === undefined ? [] : from.#open);
    this.#fresh = from === undefined;
  }
  #newBase(): Base {
    const index = this.#bases.length;
    const range = this.#plan === undefined ? emptyRange() : this.#plan[index] ?? emptyRange();
    const base = { range };
    this.#bases.push(base);
    return base;
  }

  // ---- planning -----------------------------------------------------------------------------------

  /** The ranges that were noted. */
  get plan(): readonly Range[] {
    return this.#bases.map(({ range }) => range);
  }
  /** What follows goes on with this one's values. */
  followedBy(next: Windows): void {
    for (let i = 0; i < REGISTERS; i++) {
      const { base, offset } = this.#registers[i] as Spot;
      extend(base.range, (next.#bases[i] as Base).range, offset);
    }
  }
  /** Whether something is known that code behind an edge can use. */
  get known(): boolean {
    return !this.#fresh;
  }

  // ---- instructions -------------------------------------------------------------------------------

  /** Begins an instruction of 32-bit code. */
  begin(form: Form, view: DataView, record: number, mode: number): void {
    this.#spots.clear();
    this.#effects = effects(form, view, record, mode);
  }
  /** Ends it: `written`: registers that it may have written, as bits. */
  end(written: number): void {
    this.#registers = this.#after(written, () => this.#newBase());
    this.#fresh = false;
  }
  #after(written: number, unknown: () => Base): Spot[] {
    const before = this.#registers;
    const after = [...before];
    for (let i = 0; i < REGISTERS; i++) {
      if ((written & (1 << i)) === 0) continue;
      const effect = this.#effects.find(({ register }) => register === i);
      if (effect === undefined) after[i] = { base: unknown(), offset: 0 };
      else {
        const { base, offset } = before[effect.from] as Spot;
        after[i] = { base, offset: (offset + effect.plus) | 0 };
      }
    }
    return after;
  }
  /** Other code ran: nothing is known. */
  forget(): void {
    this.#open.clear();
    this.#registers = Array.from(
      { length: REGISTERS },
      () => ({ base: this.#newBase(), offset: 0 }),
    );
    this.#fresh = true;
  }

  // ---- accesses -----------------------------------------------------------------------------------

  /** The address in a local is a register (by state offset) plus a number; `displaced`: the record's displacement. */
  place(local: number, register: number, plus: number, _displaced = false): void {
    const spot = this.#registers[(register - L.GPR) >> 2];
    if (spot === undefined) this.#spots.delete(local);
    else this.#spots.set(local, { base: spot.base, offset: (spot.offset + plus) | 0 });
  }
  /** The window for an access at the address in a local; `make` makes a local, where one may be opened. */
  find(
    local: number,
    size: number,
    write: boolean,
    make: (() => number) | undefined,
  ): Window | undefined {
    const spot = this.#spots.get(local);
    if (spot === undefined) return undefined;
    const { base, offset } = spot;
    const { range } = base;
    if (this.#plan === undefined) {
      extend(range, { low: offset, high: offset + size, count: 1, writes: write }, 0);
      return undefined;
    }
    if (range.count < WORTH || offset < range.low || offset + size > range.high) return undefined;
    if (write && !range.writes) return undefined;
    const open = this.#open.get(base);
    if (open !== undefined) return { local: open };
    if (make === undefined) return undefined;
    const made = make();
    this.#open.set(base, made);
    const { low, high, writes } = range;
    return { local: made, opens: { from: low - offset, length: high - low, writes } };
  }
  /** Locals of the windows that are open. */
  get open(): Iterable<number> {
    return this.#open.values();
  }
}

/** Registers of which an instruction says what they become. */
function effects(form: Form, view: DataView, record: number, mode: number): readonly Effect[] {
  const { operation, operands, operandSize } = form;
  const field = (offset: number): number => view.getInt32(record + offset, true);
  const isLive = (flag: number): boolean => (view.getUint8(record + L.RECORD.SEGMENT) & flag) !== 0;
  const stack = (plus: number): readonly Effect[] =>
    (mode & L.MODE.STACK32) === 0 ? [] : [{ register: ESP, from: ESP, plus }];
  /** A 32-bit register operand's number, or −1. */
  const register = (index: number): number => {
    const operand = operands[index];
    if (operand?.kind !== "register" || operand.size !== 4 || operand.file !== undefined) return -1;
    const place = operand.fixed ?? field(index === 0 ? L.RECORD.A : L.RECORD.B);
    const number = (place - L.GPR) >> 2;
    return number >= 0 && number < REGISTERS ? number : -1;
  };
  const becomes = (from: number, plus: number): readonly Effect[] => {
    const to = register(0);
    return to < 0 || from < 0 ? [] : [{ register: to, from, plus }];
  };
  switch (operation) {
    case "push":
    case "pushSegment":
    case "pushf":
    case "call":
    case "callE":
      return stack(-operandSize);
    case "pusha":
      return stack(-8 * operandSize);
    case "pop":
    case "popE":
      return register(0) === ESP || operandSize === 2 ? [] : stack(operandSize);
    case "ret":
      if (isLive(L.RECORD_FLAG.LIVE_IMMEDIATE)) return [];
      return stack(operandSize + field(L.RECORD.IMMEDIATE));
    case "leave":
      return operandSize === 4 && (mode & L.MODE.STACK32) !== 0
        ? [{ register: ESP, from: EBP, plus: 4 }]
        : [];
    case "add":
    case "sub": {
      if (operands[1]?.kind !== "immediate" || isLive(L.RECORD_FLAG.LIVE_IMMEDIATE)) return [];
      const immediate = field(L.RECORD.IMMEDIATE);
      return becomes(register(0), operation === "add" ? immediate : -immediate);
    }
    case "inc":
      return becomes(register(0), 1);
    case "dec":
      return becomes(register(0), -1);
    case "mov":
      return becomes(register(1), 0);
    case "lea": {
      const base = view.getUint16(record + L.RECORD.BASE, true);
      const index = view.getUint16(record + L.RECORD.INDEX, true);
      const short = view.getUint8(record + L.RECORD.SCALE) & 0x80;
      if (operandSize === 2 || short !== 0 || index !== L.ZERO || base === L.ZERO) return [];
      if (isLive(L.RECORD_FLAG.LIVE_DISPLACEMENT)) return [];
      return becomes((base - L.GPR) >> 2, field(L.RECORD.DISPLACEMENT));
    }
    default:
      return [];
  }
}
