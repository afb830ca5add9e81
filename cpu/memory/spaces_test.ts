/**
 * The TLB against a walk on every access: random page tables, spaces and changes by every way there is.
 * The reference is the same unit with everything forgotten before each access.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as L from "../state/layout.ts";
import { TestSystem } from "../system/test_system.ts";

/** Physical pages: page directories (or PAE's pointers), tables, data. */
const ROOTS = 0x100;
const ROOT_COUNT = 20;
const TABLES = 0x120;
const TABLE_COUNT = 12;
const DATA = 0x140;
const DATA_COUNT = 6;
const END = 0x150;

const P = 1;
const RW = 2;
const US = 4;
const PS = 0x80;

/** Xorshift: cases are the same each time. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** One unit under test; accesses as translated code makes them. */
class Side {
  readonly system = new TestSystem();
  readonly #forget: boolean;

  constructor(forget: boolean, extended: boolean) {
    this.#forget = forget;
    const { core } = this.system;
    core.i32[L.CR4 >> 2] = extended ? 0x30 : 0x10;
  }
  get ram(): Buffer {
    return Buffer.from(
      this.system.core.u8.buffer,
      L.RAM_BASE + ROOTS * 0x1000,
      (END - ROOTS) * 0x1000,
    );
  }
  paging(cr3: number): void {
    const { core } = this.system;
    core.i32[L.CR3 >> 2] = cr3;
    this.system.execute("movToControl", { reg: 0, rm: 0 }, [0x80000011]);
  }
  #fresh(): void {
    if (this.#forget) this.system.memory.flush();
  }
  /** What an access gives: a value, or the fault. `way`: inline and slow path, or that of regions. */
  access(linear: number, size: 1 | 2 | 4, value: number | undefined, way: number): unknown {
    this.#fresh();
    const { core, memory } = this.system;
    const write = value !== undefined;
    const table = core.i32[(write ? L.TLB_WRITE : L.TLB_READ) >> 2] as number;
    const inPage = (linear & 0xfff) + size <= 0x1000;
    const word = core.i32[(table >> 2) + (linear >>> 12)] as number;
    let host = 0;
    if (word & L.TLB_DIRECT && inPage) host = (linear + word - L.TLB_DIRECT) >>> 0;
    else if (way === 1 && inPage) host = memory.fill(linear, size, write) >>> 0;
    if (host !== 0) {
      assert.ok(host >= L.RAM_BASE && host + size <= L.RAM_BASE + core.ramBytes);
      let old = 0;
      for (let i = size - 1; i >= 0; i--) old = (old * 256 + (core.u8[host + i] as number)) >>> 0;
      if (value === undefined) return old;
      for (let i = 0; i < size; i++) core.u8[host + i] = value >>> (8 * i);
      return undefined;
    }
    if (value !== undefined) {
      return this.system.outcome(() => memory.slowWrite(linear, size, value));
    }
    let got: unknown;
    const fault = this.system.outcome(() => {
      got = way === 2 ? memory.translateCode(linear) : memory.slowRead(linear, size) >>> 0;
    });
    if (fault === undefined && way === 2) {
      got = memory.physical.readable(got as number) === 0 ? 0 : this.#bytes(got as number, size);
    }
    return fault ?? got;
  }
  #bytes(physical: number, size: number): number {
    const { core } = this.system;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      const at = (physical & ~0xfff) | ((physical + i) & 0xfff);
      value = (value * 256 + (core.u8[L.RAM_BASE + at] as number)) >>> 0;
    }
    return value;
  }
}

function run(seed: number, extended: boolean, steps: number): void {
  const r = random(seed);
  const [tested, reference] = [new Side(false, extended), new Side(true, extended)];
  const both = (action: (side: Side) => unknown, what: string): void => {
    assert.deepEqual(action(tested), action(reference), what);
  };
  const shift = extended ? 3 : 2;
  /** An entry as page tables have it, or nonsense. */
  const entry = (level: "leaf" | "directory"): number => {
    const flags = (r(12) === 0 ? 0 : P) | (r(4) === 0 ? 0 : RW) | (r(4) === 0 ? 0 : US) |
      (r(2) === 0 ? 0x20 : 0) | (r(2) === 0 ? 0x40 : 0) | (r(8) === 0 ? 0x100 : 0);
    if (level === "directory") {
      if (r(6) === 0) return flags | PS;
      return ((TABLES + r(TABLE_COUNT)) << 12) | flags;
    }
    // Data, tables themselves, video memory.
    const pick = r(10);
    const frame = pick < 3
      ? TABLES + r(TABLE_COUNT)
      : pick === 3
      ? ROOTS + r(END - ROOTS)
      : pick === 4
      ? 0xb8
      : DATA + r(DATA_COUNT);
    return (frame << 12) | flags;
  };
  /** Places in tables that linear addresses below lead through. */
  const slot = (): { at: number; level: "leaf" | "directory" } => {
    if (r(4) === 0) {
      const root = extended ? TABLES + r(TABLE_COUNT) : ROOTS + r(ROOT_COUNT);
      return { at: (root << 12) + (r(3) << shift), level: "directory" };
    }
    return { at: ((TABLES + r(TABLE_COUNT)) << 12) + (r(4) << shift), level: "leaf" };
  };
  /** The first entries of a page get most: it may be a table. */
  const linear = (): number => {
    const region = extended ? 0x200000 : 0x400000;
    const quarter = extended ? r(2) * 0x40000000 : 0;
    const offset = r(6) === 0 ? 0xffd + r(3) : r(2) === 0 ? r(4) << shift : r(1024) * 4;
    return (quarter + r(3) * region + r(4) * 0x1000 + offset) | 0;
  };
  const poke = (at: number, value: number): void => {
    both(({ system }) => system.memory.physical.write32(at, value), "preparation");
  };
  for (let i = 0; i < 60; i++) {
    const { at, level } = slot();
    poke(at, entry(level));
  }
  for (let root = 0; root < ROOT_COUNT; root++) {
    for (let i = 0; i < (extended ? 2 : 3); i++) {
      const at = ((ROOTS + root) << 12) + (i << shift);
      poke(at, ((TABLES + r(TABLE_COUNT)) << 12) | (extended ? P : P | RW | US));
    }
  }
  both((side) => side.paging(ROOTS << 12), "paging");
  for (let step = 0; step < steps; step++) {
    const what = `seed ${seed}, step ${step}`;
    const kind = r(100);
    if (kind < 70) {
      const at = linear();
      const size = ([1, 2, 4] as const)[r(3)] as 1 | 2 | 4;
      const value = r(3) !== 0 ? undefined : r(2) === 0 ? entry("leaf") : r(0x10000) * 0x10001;
      const way = r(3);
      both((side) => side.access(at, size, value, way), what);
    } else if (kind < 80) {
      // A device's change.
      const { at, level } = slot();
      const value = entry(level);
      const way = r(3);
      both(({ system }) => {
        const { physical } = system.memory;
        if (way === 0) physical.write32(at, value);
        else if (way === 1) physical.write8(at, value & 0xff);
        else physical.write(at, new Uint8Array([value, value >> 8, value >> 16, value >> 24]));
      }, what);
    } else if (kind < 88) {
      const cr3 = (ROOTS + r(ROOT_COUNT)) << 12;
      both(({ system }) => system.execute("movToControl", { reg: 3, rm: 0 }, [cr3]), what);
    } else if (kind < 92) {
      const privilege = r(2) === 0 ? 0 : 3;
      both(({ system }) => system.segments(privilege), what);
    } else if (kind < 95) {
      const at = linear();
      both(({ system }) => system.memory.invalidate(at), what);
    } else if (kind < 97) {
      both(({ system }) => {
        const cr0 = system.core.cr0;
        const privilege = system.core.cpl;
        system.segments(0);
        system.execute("movToControl", { reg: 0, rm: 0 }, [cr0 ^ 0x10000]);
        system.segments(privilege as 0 | 3);
      }, what);
    } else {
      // A table that is filled as a whole: it is given up, and used again.
      const page = TABLES + r(TABLE_COUNT);
      const values = Array.from({ length: 4 }, () => entry("leaf"));
      both(({ system }) => {
        const { physical } = system.memory;
        for (let i = 0; i < 0x1000 >> shift; i++) {
          physical.write32((page << 12) + (i << shift), i < 4 ? values[i] as number : 0);
        }
      }, what);
    }
    if (step % 16 === 0) {
      assert.equal(Buffer.compare(tested.ram, reference.ram), 0, `memory after ${what}`);
    }
  }
  assert.deepEqual(tested.system.busWrites, reference.system.busWrites);
}

Deno.test("the TLB is what a walk on every access finds, two levels", () => {
  for (let seed = 1; seed <= 12; seed++) run(seed * 7919, false, 1500);
});

Deno.test("the TLB is what a walk on every access finds, PAE", () => {
  for (let seed = 1; seed <= 12; seed++) run(seed * 104729, true, 1500);
});
