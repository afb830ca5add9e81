/**
 * Runs of string elements: Wasm functions, shared by the interpreter's handlers and by regions, that do as many
 * elements of a repeated string instruction as need no look at each.
 *
 * A run goes page by page through the TLB and ends before the first element that it cannot do: a miss that may not
 * be filled here, a device, a fault, a page with code. It changes memory, but no register; the caller counts and
 * commits, and does the rest one by one. Elements have the exact effect of one after the other: where a destination
 * lies in what is still to be read, later elements read what earlier ones wrote. An element across two pages is
 * moved by bytes, after both its pages were found.
 * Sources: SDM vol. 1 §7.3.9.
 * @module
 */
import * as L from "../state/layout.ts";
import { rangePlace } from "./code_stores.ts";
import type { Size } from "./form.ts";
import type { Runtime } from "./runtime.ts";
import { I32, V128, type WasmFunction } from "./wasm.ts";

/** What a run does with its elements. */
export type RunKind = "move" | "store" | "load" | "compare" | "scan";

/** Bits of a run's options. */
export const RUN = {
  /** A miss of the TLB is filled, as regions do it, instead of ending the run. */
  FILL: 1,
  /** Comparisons go on while elements are equal (REPE), else while they are not. */
  WHILE_EQUAL: 2,
  /** Code in the way is dropped; CURRENT names the record. */
  CLAIM: 4,
} as const;
/** Where a run leaves the elements of its last comparison, or the element of its last load. */
export const RUN_LEFT: number = L.SCRATCH;
export const RUN_RIGHT: number = L.SCRATCH + 4;

/** Parameters of a run, by local. */
const COUNT = 0;
/** Linear addresses: of [E]SI and of [E]DI. */
const FROM = 1;
const TO = 2;
/** Bytes from one element to the next: the size, or its negative. */
const STEP = 3;
/** What STOS stores and SCAS compares with, cut to the size. */
const VALUE = 4;
const OPTIONS = 5;
const PARAMETERS = [I32, I32, I32, I32, I32, I32];

/** Bytes from which the host's memmove and memset are faster than loops of 16 bytes. */
const LONG = 256;

const SHIFT = { 1: 0, 2: 1, 4: 2 } as const;
const LOADS = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load" } as const;
const STORES = { 1: "i32.store8", 2: "i32.store16", 4: "i32.store" } as const;
const LANES = { 1: "i8x16", 2: "i16x8", 4: "i32x4" } as const;

/**
 * The function (count, from, to, step, value, options) → elements done, for a count that does not wrap around an
 * address size or leave a segment. A comparison that ends the instruction is the last element done.
 */
export function stringRun(runtime: Runtime, kind: RunKind, size: Size): number {
  return runtime.shared(`${kind}Run${size}`, PARAMETERS, [I32], (f) => {
    new RunWriter(f, runtime, kind, size).write();
  });
}

/** All of them and what goes with them, by name: what regions import. */
export function stringRuns(runtime: Runtime): Record<string, number> {
  const out: Record<string, number> = {};
  for (const size of [1, 2, 4] as const) {
    for (const kind of ["move", "store", "load", "compare", "scan"] as const) {
      out[`${kind}Run${size}`] = stringRun(runtime, kind, size);
    }
    out[`elementsInSegment${size}`] = elementsInSegment(runtime, size);
  }
  return out;
}

/**
 * The function (count, offset, state offset of the segment, step, access with 4 for 16-bit addresses) → how many of
 * the elements from the offset on are inside the segment and do not wrap around.
 */
export function elementsInSegment(runtime: Runtime, size: Size): number {
  return runtime.shared(`elementsInSegment${size}`, [I32, I32, I32, I32, I32], [I32], (f) => {
    const [count, offset, segment, step, access] = [0, 1, 2, 3, 4];
    const room = f.local();
    const shift = SHIFT[size];
    /** Cuts the count to one more than what `room` says. */
    const cut = (): void => {
      f.get(room).i32(1).add().get(count).get(room).get(count).ltU().select().set(count);
    };
    f.get(segment).load(L.SEGMENT.ACCESS).get(access).i32(3).and().and().eqz();
    f.get(offset).get(segment).load(L.SEGMENT.LOW).ltU().or();
    f.get(offset).get(segment).load(L.SEGMENT.HIGH).gtU().or();
    f.get(segment).load(L.SEGMENT.HIGH).get(offset).sub().tee(room).i32(size - 1).ltU().or();
    f.if(undefined, false).i32(0).return().end();
    f.get(step).i32(0).ltS().if();
    f.get(offset).get(segment).load(L.SEGMENT.LOW).sub().i32(shift).shrU().set(room);
    cut();
    f.else();
    f.get(room).i32(size - 1).sub().i32(shift).shrU().set(room);
    cut();
    f.get(access).i32(4).and().if();
    f.i32(0xffff).get(offset).sub().i32(shift).shrU().set(room);
    cut();
    f.end().end().get(count);
  });
}

/** The function (linear address, plus 256 for a write; options) → place of the byte in linear memory, or 0. */
function byteAt(runtime: Runtime): number {
  return runtime.shared("byteAt", [I32, I32, I32], [I32], (f) => {
    const entry = f.local();
    f.loadAt(L.TLB_WRITE).loadAt(L.TLB_READ).get(1).select();
    f.get(0).i32(10).shrU().i32(0x3ffffc).and().add().load().i32(L.TLB_DIRECT).sub().tee(entry);
    f.i32(1).and().if();
    f.get(2).i32(RUN.FILL).and().eqz().if().i32(0).return().end();
    // Stores of 0 bytes: it may be one of several.
    f.get(0).get(1).i32(1).get(1).select().call(runtime.ready()).return().end();
    f.get(0).get(entry).add();
  });
}

class RunWriter {
  readonly #f: WasmFunction;
  readonly #runtime: Runtime;
  readonly #kind: RunKind;
  readonly #size: Size;
  /** Elements done, elements of the part of the run within one page of each operand, bytes of that. */
  readonly #done: number;
  readonly #part: number;
  readonly #bytes: number;
  /** Places in linear memory. */
  readonly #source: number;
  readonly #target: number;

  constructor(f: WasmFunction, runtime: Runtime, kind: RunKind, size: Size) {
    this.#f = f;
    this.#runtime = runtime;
    this.#kind = kind;
    this.#size = size;
    this.#done = f.local();
    this.#part = f.local();
    this.#bytes = f.local();
    this.#source = f.local();
    this.#target = f.local();
  }
  #uses(): readonly { address: number; place: number; write: boolean }[] {
    const source = { address: FROM, place: this.#source, write: false };
    const write = this.#kind === "move" || this.#kind === "store";
    const target = { address: TO, place: this.#target, write };
    switch (this.#kind) {
      case "load":
        return [source];
      case "store":
      case "scan":
        return [target];
      // The order of the accesses is that of single elements, whose first miss sets accessed and dirty bits.
      case "compare":
        return [target, source];
      default:
        return [source, target];
    }
  }

  write(): void {
    const f = this.#f;
    const shift = SHIFT[this.#size];
    f.block().loop();
    f.get(COUNT).get(this.#done).sub().tee(this.#part).eqz().brIf(1);
    for (const { address } of this.#uses()) this.#cutToPage(address);
    if (this.#size > 1) {
      f.get(this.#part).eqz().if(undefined, false);
      this.#crossing();
      f.i32(1).set(this.#part);
      f.else();
    }
    f.get(this.#part).i32(shift).shl().set(this.#bytes);
    for (const { address, place, write } of this.#uses()) this.#lookup(address, place, write);
    this.#elements();
    if (this.#size > 1) f.end();
    f.get(this.#done).get(this.#part).add().set(this.#done);
    for (const { address } of this.#uses()) {
      f.get(address).get(this.#part).get(STEP).mul().add().set(address);
    }
    f.br(0).end().end().get(this.#done);
  }
  #leave(): void {
    this.#f.get(this.#done).return();
  }

  /** Cuts the part to the elements that are whole in the address's page. */
  #cutToPage(address: number): void {
    const f = this.#f;
    const size = this.#size;
    const shift = SHIFT[size];
    const room = f.local();
    f.get(STEP).i32(0).ltS().if(I32, false);
    // Downwards: none if the first one crosses.
    f.get(address).i32(0xfff).and().i32(shift).shrU().i32(1).add().i32(0);
    f.get(address).i32(0xfff).and().i32(0x1000 - size).op("i32.le_u").select();
    f.else().i32(0x1000).get(address).i32(0xfff).and().sub().i32(shift).shrU().end();
    f.tee(room).get(this.#part).get(room).get(this.#part).ltU().select().set(this.#part);
  }
  /** Finds the address's place, or ends the run. */
  #lookup(address: number, place: number, write: boolean): void {
    const f = this.#f;
    f.loadAt(write ? L.TLB_WRITE : L.TLB_READ).get(address).i32(10).shrU().i32(0x3ffffc).and();
    f.add().load().i32(L.TLB_DIRECT).sub().tee(place).i32(1).and().if(I32, false);
    if (write) {
      f.block();
      this.#lookupBesideCode(address, place);
      f.get(place).br(1).end();
    }
    f.get(OPTIONS).i32(RUN.FILL).and().eqz().if();
    this.#leave();
    // Stores of 0 bytes: how many of the page's it will be is not known.
    f.end().get(address).i32(write ? 0x100 : 1).call(this.#runtime.ready()).tee(place).eqz().if();
    this.#leave();
    f.end().get(place).else().get(address).get(place).add().end().set(place);
  }

  /** Finds the place in a page with code, or leaves the block around. */
  #lookupBesideCode(address: number, place: number): void {
    const f = this.#f;
    const [low, found] = [f.local(), f.local()];
    // What a page without any translation has.
    f.get(place).i32(-L.TLB_DIRECT).eq().brIf(0);
    f.get(address).get(this.#bytes).sub().i32(this.#size).add().get(address);
    f.get(STEP).i32(0).ltS().select().tee(low).get(this.#bytes).call(rangePlace(this.#runtime));
    f.tee(found).eqz().if();
    f.get(OPTIONS).i32(RUN.CLAIM).and().eqz().brIf(1);
    f.get(low).get(this.#bytes).call(this.#runtime.claim).tee(found).eqz().brIf(1).end();
    f.get(found).get(address).add().get(low).sub().set(place);
  }

  // ---- an element across two pages --------------------------------------------------------------

  #crossing(): void {
    const f = this.#f;
    const size = this.#size;
    const byte = byteAt(this.#runtime);
    const places = this.#uses().map(({ address, write }) => {
      const [first, last] = [f.local(), f.local()];
      f.get(address).i32(write ? 0x100 : 0).get(OPTIONS).call(byte).tee(first).eqz().if();
      this.#leave();
      f.end().get(address).i32(size - 1).add().i32(write ? 0x100 : 0).get(OPTIONS).call(byte);
      f.tee(last).eqz().if();
      this.#leave();
      f.end();
      return { address, write, first, last };
    });
    /** Pushes the place of byte `i` of an element. */
    const place = ({ address, first, last }: typeof places[number], i: number): void => {
      f.get(first).i32(i).add().get(last).i32(size - 1 - i).sub();
      f.get(address).i32(i).add().get(address).xor().i32(12).shrU().eqz().select();
    };
    const values = places.map((one) => {
      const value = f.local();
      if (one.write) return value;
      f.i32(0);
      for (let i = 0; i < size; i++) {
        place(one, i);
        f.memory("i32.load8_u").i32(8 * i).shl().or();
      }
      f.set(value);
      return value;
    });
    const [first, second] = values as [number, number];
    for (const one of places) {
      if (!one.write) continue;
      for (let i = 0; i < size; i++) {
        place(one, i);
        f.get(this.#kind === "move" ? first : VALUE).i32(8 * i).shrU().memory("i32.store8");
      }
    }
    if (this.#kind === "load") f.i32(0).get(first).store(RUN_LEFT);
    else if (this.#kind === "scan") this.#endIf(VALUE, first);
    else if (this.#kind === "compare") this.#endIf(second, first);
  }

  // ---- elements inside pages --------------------------------------------------------------------

  #elements(): void {
    switch (this.#kind) {
      case "move":
        return this.#move();
      case "store":
        return this.#store();
      case "load":
        return this.#load();
      default:
        return this.#compare();
    }
  }
  #load(): void {
    const f = this.#f;
    f.i32(0).get(this.#source).get(this.#part).i32(1).sub().get(STEP).mul().add();
    f.memory(LOADS[this.#size]).store(RUN_LEFT);
  }
  /** Turns the place of the first element into that of the lowest. */
  #lowest(place: number): void {
    const f = this.#f;
    f.get(STEP).i32(0).ltS().if(undefined, false);
    f.get(place).get(this.#bytes).sub().i32(this.#size).add().set(place).end();
  }

  #store(): void {
    const f = this.#f;
    const size = this.#size;
    const [target, bytes] = [this.#target, this.#bytes];
    const pattern = f.local(V128);
    this.#lowest(target);
    f.block();
    // Values of equal bytes are the host's memset.
    f.get(bytes).i32(LONG).ltU().eqz().if(undefined, false);
    f.get(VALUE).i32(0xff).and().i32(size === 1 ? 1 : size === 2 ? 0x101 : 0x1010101).mul();
    f.get(VALUE).eq().if();
    f.get(target).get(VALUE).get(bytes).memoryFill().br(2).end().end();
    f.get(bytes).i32(16).ltU().eqz().if();
    f.get(VALUE).vector(`${LANES[size]}.splat`).set(pattern);
    f.block().loop().get(bytes).i32(64).ltU().brIf(1);
    for (let at = 0; at < 64; at += 16) {
      f.get(target).get(pattern).vectorMemory("v128.store", at);
    }
    f.get(target).i32(64).add().set(target).get(bytes).i32(64).sub().set(bytes).br(0).end().end();
    f.get(bytes).i32(16).ltU().eqz().if();
    f.loop().get(target).get(pattern).vectorMemory("v128.store");
    f.get(target).i32(16).add().set(target);
    f.get(bytes).i32(16).sub().tee(bytes).i32(15).gtU().brIf(0).end().end().end();
    f.loop().get(bytes).if().get(target).get(VALUE).memory(STORES[size]);
    f.get(target).i32(size).add().set(target).get(bytes).i32(size).sub().set(bytes).br(1);
    f.end().end().end();
  }

  #move(): void {
    const f = this.#f;
    const [source, target, bytes] = [this.#source, this.#target, this.#bytes];
    const distance = f.local();
    // How far the element that is written lies ahead of the one that is read, in the direction of the run.
    f.get(target).get(source).sub().get(source).get(target).sub().get(STEP).i32(0).op("i32.gt_s");
    f.select().set(distance);
    f.get(distance).i32(1).sub().get(bytes).i32(1).sub().ltU().if(undefined, false);
    this.#overlapping(distance);
    f.else();
    // What is written was read before, from the lower or from the higher end alike.
    this.#lowest(source);
    this.#lowest(target);
    f.get(bytes).i32(LONG).ltU().if();
    f.get(STEP).i32(0).op("i32.gt_s").if();
    this.#copyShort();
    f.else().get(target).get(source).get(bytes).memoryCopy().end();
    f.else().get(target).get(source).get(bytes).memoryCopy().end();
    f.end();
  }
  /** Copies upwards, 16 bytes at a time and then by elements. */
  #copyShort(): void {
    const f = this.#f;
    const size = this.#size;
    const [source, target, bytes] = [this.#source, this.#target, this.#bytes];
    const advance = (by: number): void => {
      f.get(source).i32(by).add().set(source).get(target).i32(by).add().set(target);
    };
    f.get(bytes).i32(15).gtU().if();
    f.loop().get(target).get(source).vectorMemory("v128.load").vectorMemory("v128.store");
    advance(16);
    f.get(bytes).i32(16).sub().tee(bytes).i32(15).gtU().brIf(0).end().end();
    if (size === 1) {
      f.get(bytes).i32(3).gtU().if();
      f.loop().get(target).get(source).load().store();
      advance(4);
      f.get(bytes).i32(4).sub().tee(bytes).i32(3).gtU().brIf(0).end().end();
    }
    f.get(bytes).if();
    f.loop().get(target).get(source).memory(LOADS[size]).memory(STORES[size]);
    advance(size);
    f.get(bytes).i32(size).sub().tee(bytes).brIf(0).end().end();
  }
  /** The destination begins among what is still to be read. */
  #overlapping(distance: number): void {
    const f = this.#f;
    const size = this.#size;
    const [source, target, bytes] = [this.#source, this.#target, this.#bytes];
    const filled = f.local();
    // Upwards by an element's size or more: a pattern of `distance` bytes, which copying doubles.
    f.get(STEP).i32(0).op("i32.gt_s").get(distance).i32(size).geU().and().if();
    f.get(distance).set(filled);
    f.loop().get(bytes).if();
    f.get(filled).get(bytes).get(filled).get(bytes).ltU().select().set(filled);
    f.get(target).get(source).get(filled).memoryCopy();
    f.get(target).get(filled).add().set(target).get(bytes).get(filled).sub().set(bytes);
    // From the source on, everything before the target is pattern now.
    f.get(target).get(source).sub().set(filled).br(1).end().end();
    f.else();
    f.loop().get(target).get(source).memory(LOADS[size]).memory(STORES[size]);
    f.get(source).get(STEP).add().set(source).get(target).get(STEP).add().set(target);
    f.get(bytes).i32(size).sub().tee(bytes).brIf(0).end().end();
  }

  #compare(): void {
    const f = this.#f;
    const size = this.#size;
    const [source, target] = [this.#source, this.#target];
    const [index, left, right, wanted] = [f.local(), f.local(), f.local(), f.local()];
    const scan = this.#kind === "scan";
    f.i32(0).set(index);
    // Whole vectors of elements that do not end it.
    f.get(STEP).i32(0).op("i32.gt_s").if();
    const pattern = f.local(V128);
    if (scan) f.get(VALUE).vector(`${LANES[size]}.splat`).set(pattern);
    f.i32(0xffff).i32(0).get(OPTIONS).i32(RUN.WHILE_EQUAL).and().select().set(wanted);
    f.block().loop();
    f.get(this.#part).get(index).sub().i32(16 / size).ltU().brIf(1);
    f.get(target).vectorMemory("v128.load");
    if (scan) f.get(pattern);
    else f.get(source).vectorMemory("v128.load");
    f.vector(`${LANES[size]}.eq`, "i8x16.bitmask").get(wanted).ne().brIf(1);
    f.get(target).i32(16).add().set(target).get(source).i32(16).add().set(source);
    f.get(index).i32(16 / size).add().set(index).br(0).end().end().end();
    f.block().loop();
    f.get(index).get(this.#part).eq().brIf(1);
    f.get(target).memory(LOADS[size]).set(right);
    if (scan) f.get(VALUE);
    else f.get(source).memory(LOADS[size]);
    f.set(left).get(index).i32(1).add().set(index);
    f.get(target).get(STEP).add().set(target).get(source).get(STEP).add().set(source);
    this.#endIf(left, right, index);
    f.br(0).end().end();
    // A part that ended with a vector has left no elements yet.
    f.i32(0).get(target).get(STEP).sub().memory(LOADS[size]).store(RUN_RIGHT);
    f.i32(0);
    if (scan) f.get(VALUE);
    else f.get(source).get(STEP).sub().memory(LOADS[size]);
    f.store(RUN_LEFT);
  }
  /** Ends the run if two elements end the instruction; `index`: local with the elements of the part, if not 1. */
  #endIf(left: number, right: number, index?: number): void {
    const f = this.#f;
    if (index === undefined) this.#keep(left, right);
    f.get(left).get(right).eq().get(OPTIONS).i32(RUN.WHILE_EQUAL).and().eqz().eq();
    f.if(undefined, false);
    if (index !== undefined) this.#keep(left, right);
    f.get(this.#done);
    if (index === undefined) f.i32(1);
    else f.get(index);
    f.add().return().end();
  }
  #keep(left: number, right: number): void {
    this.#f.i32(0).get(left).store(RUN_LEFT).i32(0).get(right).store(RUN_RIGHT);
  }
}
