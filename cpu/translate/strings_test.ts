/**
 * Repeated string instructions, interpreted and translated, against their definition: one element after the other,
 * with pages that are absent, read-only, there twice or on the bus, in segments of any base and limit.
 * Source: SDM vol. 1 §7.3.9, vol. 2 (REP).
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Cpu } from "../mod.ts";

const RAM = 0x40000;
const CODE = 0x1000;
const GDT = 0x2000;
const IDT = 0x2800;
const HANDLERS = 0x3000;
const DIRECTORY = 0x4000;
const TABLE = 0x5000;
const STACK = 0x8000;
/** Where linear pages of data begin, and the frames behind them. */
const WINDOW = 0x100000;
const PAGES = 12;
const FRAMES = 0x20000;
const FRAME_COUNT = 6;
const HLT = 0xf4;
const CHUNK = 64;

interface Page {
  /** Frame number; −1: absent; −2: on the bus. */
  readonly frame: number;
  readonly writable: boolean;
}
interface Segment {
  readonly base: number;
  readonly limit: number;
}
interface Case {
  readonly operation: "movs" | "stos" | "lods" | "cmps" | "scas";
  readonly size: 1 | 2 | 4;
  readonly repeat: 0xf2 | 0xf3;
  readonly down: boolean;
  readonly short: boolean;
  readonly count: number;
  readonly esi: number;
  readonly edi: number;
  readonly eax: number;
  readonly pages: readonly Page[];
  /** Of FS, which the source goes through, and of ES; flat if undefined. */
  readonly segments: { readonly source: Segment; readonly target: Segment } | undefined;
  readonly seed: number;
  /** Bytes are 0 or 1, so that comparisons go on for a while. */
  readonly similar: boolean;
}
const OPCODES = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae } as const;

function fillRandom(bytes: Uint8Array, seed: number, similar: boolean): void {
  let x = seed | 1;
  for (let i = 0; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0;
    bytes[i] = similar ? ((x >>> 24) < 2 ? 1 : 0) : x >>> 24;
  }
}

// ---- the definition -------------------------------------------------------------------------------

interface Outcome {
  readonly esi: number;
  readonly edi: number;
  readonly ecx: number;
  readonly eax: number;
  /** Vector, or −1. */
  readonly fault: number;
  readonly address: number;
  /** Elements done. */
  readonly done: number;
  readonly last: readonly [number, number] | undefined;
}

class Raised {
  readonly vector: number;
  readonly address: number;
  constructor(vector: number, address: number) {
    this.vector = vector;
    this.address = address;
  }
}

/** Executes a case on frames of memory. */
function define(c: Case, memory: Uint8Array): Outcome {
  const mask = c.short ? 0xffff : -1;
  const place = (linear: number, write: boolean): number => {
    const page = c.pages[(linear - WINDOW) >> 12];
    const outside = linear < WINDOW || page === undefined || page.frame === -1;
    if (outside || (write && !page.writable)) throw new Raised(14, linear >>> 0);
    return page.frame === -2 ? -1 : page.frame * 0x1000 + (linear & 0xfff);
  };
  const linearOf = (segment: Segment | undefined, offset: number): number => {
    if (segment === undefined) return offset >>> 0;
    if ((offset >>> 0) + c.size - 1 > segment.limit) throw new Raised(13, 0);
    return (segment.base + offset) >>> 0;
  };
  const read = (linear: number): number => {
    const at = Array.from({ length: c.size }, (_, i) => place(linear + i, false));
    return at.reduce((sum, one, i) => sum + (one < 0 ? 0xff : memory[one] as number) * 256 ** i, 0);
  };
  const write = (linear: number, value: number): void => {
    const at = Array.from({ length: c.size }, (_, i) => place(linear + i, true));
    for (const [i, one] of at.entries()) if (one >= 0) memory[one] = value / 256 ** i;
  };
  const step = c.down ? -c.size : c.size;
  const add = (value: number, by: number): number =>
    ((value & ~mask) | ((value + by) & mask)) >>> 0;
  let { esi, edi, eax } = c;
  let ecx = c.count;
  let done = 0;
  let last: [number, number] | undefined;
  const accumulator = c.size === 4 ? eax >>> 0 : eax & (c.size === 1 ? 0xff : 0xffff);
  const result = (fault: number, address: number): Outcome => ({
    esi: esi >>> 0,
    edi: edi >>> 0,
    ecx: ecx >>> 0,
    eax: eax >>> 0,
    fault,
    address,
    done,
    last,
  });
  try {
    while ((ecx & mask) !== 0) {
      const from = (): number => linearOf(c.segments?.source, esi & mask);
      const to = (): number => linearOf(c.segments?.target, edi & mask);
      const pair: [number, number] = [accumulator, 0];
      if (c.operation === "movs") {
        const value = read(from());
        write(to(), value);
      } else if (c.operation === "stos") write(to(), accumulator);
      else if (c.operation === "lods") {
        const value = read(from());
        eax = (c.size === 4 ? value : (eax & (c.size === 1 ? ~0xff : ~0xffff)) | value) >>> 0;
      } else {
        pair[1] = read(to());
        if (c.operation === "cmps") pair[0] = read(from());
        last = pair;
      }
      if (c.operation !== "stos" && c.operation !== "scas") esi = add(esi, step);
      if (c.operation !== "lods") edi = add(edi, step);
      ecx = add(ecx, -1);
      done++;
      if (last !== undefined && (pair[0] === pair[1]) !== (c.repeat === 0xf3)) break;
    }
    return result(-1, 0);
  } catch (error) {
    if (error instanceof Raised) return result(error.vector, error.address);
    throw error;
  }
}

// ---- the machine ----------------------------------------------------------------------------------

function descriptor(base: number, limit: number, access: number, flags: number): number[] {
  return [
    limit & 0xff,
    (limit >> 8) & 0xff,
    base & 0xff,
    (base >> 8) & 0xff,
    (base >> 16) & 0xff,
    access,
    ((limit >> 16) & 15) | (flags << 4),
    (base >> 24) & 0xff,
  ];
}
function word(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

function makeCpu(c: Case, translateAfter: number): Cpu {
  const cpu = new Cpu({
    ramBytes: RAM,
    translateAfter,
    bus: {
      readPort: () => 0,
      writePort: () => {},
      readMemory: (_, size) => size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff,
      writeMemory: () => {},
      acknowledgeInterrupt: () => 0x20,
    },
  });
  const { memory } = cpu;
  const write = (at: number, bytes: readonly number[]): void => {
    memory.write(at, new Uint8Array(bytes));
  };
  const flat = { base: 0, limit: 0xfffff };
  const segment = (s: Segment | undefined): number[] =>
    s === undefined
      ? descriptor(flat.base, flat.limit, 0x93, 0xc)
      : descriptor(s.base, s.limit, 0x93, 0x4);
  write(GDT, [
    ...word(0),
    ...word(0),
    ...descriptor(0, 0xfffff, 0x9b, 0xc),
    ...descriptor(0, 0xfffff, 0x93, 0xc),
    ...segment(c.segments?.source),
    ...segment(c.segments?.target),
  ]);
  for (let vector = 0; vector < 32; vector++) {
    const at = HANDLERS + 16 * vector;
    write(IDT + 8 * vector, [at & 0xff, at >> 8, 8, 0, 0, 0x8e, 0, 0]);
    memory.write8(at, HLT);
  }
  write(0x1f00, [0x27, 0, ...word(GDT), 0, 0, 0xff, 0, ...word(IDT)]);
  // The low 256 KiB are themselves, then the window.
  write(DIRECTORY, word(TABLE | 3));
  for (let page = 0; page < 64; page++) memory.write32(TABLE + 4 * page, (page << 12) | 3);
  for (const [i, { frame, writable }] of c.pages.entries()) {
    const target = frame === -2 ? 0xe0000000 : FRAMES + frame * 0x1000;
    const entry = frame === -1 ? 0 : (target | (writable ? 3 : 1)) >>> 0;
    memory.write32(TABLE + 4 * ((WINDOW >> 12) + i), entry);
  }
  const frames = new Uint8Array(FRAME_COUNT * 0x1000);
  fillRandom(frames, c.seed, c.similar);
  memory.write(FRAMES, frames);
  const prefixes = [
    ...(c.segments === undefined ? [] : [0x64]),
    ...(c.short ? [0x67] : []),
    ...(c.size === 2 ? [0x66] : []),
    c.repeat,
  ];
  // deno-fmt-ignore
  write(CODE, [
    0x0f, 0x01, 0x15, ...word(0x1f00), 0x0f, 0x01, 0x1d, ...word(0x1f08), // lgdt, lidt
    0xb8, ...word(DIRECTORY), 0x0f, 0x22, 0xd8, // mov cr3
    0xb8, ...word(0x80010011 | 0), 0x0f, 0x22, 0xc0, // mov cr0: PG, WP, PE
    0x66, 0xb8, 0x18, 0, 0x8e, 0xe0, // mov fs, ax
    ...(c.segments === undefined ? [] : [0x66, 0xb8, 0x20, 0, 0x8e, 0xc0]), // mov es, ax
    0xbe, ...word(c.esi), 0xbf, ...word(c.edi), 0xb9, ...word(c.count), 0xb8, ...word(c.eax),
    c.down ? 0xfd : 0xfc, 0xeb, 0, // std or cld; jmp: a block of its own
    ...prefixes, OPCODES[c.operation] | (c.size === 1 ? 0 : 1), HLT,
  ]);
  cpu.enterFlatProtectedMode({ eip: CODE, esp: STACK });
  return cpu;
}
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cr2"];
function state(cpu: Cpu): string {
  return [...NAMES.map((name) => cpu.registers.get(name).toString(16)), cpu.instructions].join(" ");
}

function check(c: Case, steps: readonly number[]): void {
  const cpus = [makeCpu(c, 0), makeCpu(c, 1)];
  const [plain, translating] = cpus as [Cpu, Cpu];
  for (const limit of [...steps, 10_000]) {
    assert.equal(translating.run(limit), plain.run(limit));
    assert.equal(state(translating), state(plain));
  }
  const expected = new Uint8Array(FRAME_COUNT * 0x1000);
  fillRandom(expected, c.seed, c.similar);
  const outcome = define(c, expected);
  for (const cpu of cpus) {
    assert.ok(cpu.halted);
    const get = (name: string): number => cpu.registers.get(name);
    const { esi, edi, ecx, eax } = outcome;
    assert.deepEqual(
      { esi: get("esi"), edi: get("edi"), ecx: get("ecx"), eax: get("eax") },
      { esi, edi, ecx, eax },
    );
    const memory = cpu.memory.read(FRAMES, FRAME_COUNT * 0x1000);
    assert.equal(memory.findIndex((byte, i) => byte !== expected[i]), -1);
    if (outcome.fault >= 0) {
      assert.equal(get("eip"), HANDLERS + 16 * outcome.fault + 1);
      if (outcome.fault === 14) assert.equal(get("cr2"), outcome.address);
    } else if (outcome.last !== undefined) {
      const [left, right] = outcome.last;
      const top = 2 ** (8 * c.size - 1);
      const difference = (left - right + 2 * top) % (2 * top);
      const flags = get("eflags");
      assert.equal(flags & 0x41, (left < right ? 1 : 0) | (left === right ? 0x40 : 0));
      assert.equal((flags & 0x80) !== 0, difference >= top);
    }
  }
  // One instruction for each chunk but the last, and the instruction itself.
  const { done, fault } = outcome;
  const before = c.segments === undefined ? 14 : 16;
  const retired = fault >= 0
    ? Math.floor(done / CHUNK) + 1
    : Math.floor(Math.max(done - 1, 0) / CHUNK) + 2;
  assert.equal(plain.instructions, before + retired);
  assert.ok((translating.translation?.regions ?? 0) > 0);
}

const page: fc.Arbitrary<Page> = fc.record({
  frame: fc.oneof(
    { weight: 12, arbitrary: fc.nat(FRAME_COUNT - 1) },
    { weight: 1, arbitrary: fc.constant(-1) },
    { weight: 1, arbitrary: fc.constant(-2) },
  ),
  writable: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
});
const near = fc.integer({ min: -16, max: 16 });
const offset = fc.oneof(
  fc.nat(PAGES * 0x1000 - 1),
  fc.tuple(fc.nat(PAGES - 1), near).map(([p, d]) => p * 0x1000 + d),
);
const base = fc.record({
  operation: fc.constantFrom("movs", "movs", "stos", "lods", "cmps", "scas"),
  size: fc.constantFrom(1, 2, 4),
  repeat: fc.constantFrom(0xf2, 0xf3),
  down: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  count: fc.oneof(fc.nat(20), fc.nat(300), fc.nat(9000)),
  eax: fc.constantFrom(0, 0x12345678, 0x5a5a5a5a, 1, 0x01010101),
  pages: fc.array(page, { minLength: PAGES, maxLength: PAGES }),
  seed: fc.nat(),
  similar: fc.boolean(),
}) satisfies fc.Arbitrary<Partial<Case>>;

const RUNS = 150;

Deno.test("repeated string instructions in flat segments are their elements one by one", () => {
  const distance = fc.option(fc.oneof(near, fc.integer({ min: -5000, max: 5000 })));
  const steps = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 });
  fc.assert(
    fc.property(base, offset, offset, distance, steps, (part, a, b, apart, list) => {
      const esi = WINDOW + a;
      const edi = apart === null ? WINDOW + b : esi + apart;
      check({ ...part, esi, edi, short: false, segments: undefined } as Case, list);
    }),
    { numRuns: RUNS, seed: 4 },
  );
});

Deno.test("repeated string instructions obey segments and 16-bit addresses", () => {
  const segment = fc.record({
    base: fc.nat(0x3000).map((n) => WINDOW + n),
    limit: fc.oneof(fc.nat(0x6000), fc.constantFrom(0xffff, 0x8fff, 0xfffff)),
  });
  const at = fc.oneof(fc.nat(0x7fff), fc.integer({ min: 0xfe00, max: 0xffff }));
  fc.assert(
    fc.property(
      base,
      segment,
      segment,
      at,
      at,
      fc.boolean(),
      (part, source, target, a, b, short) => {
        const high = short ? 0x7a0000 : 0;
        const c = { ...part, short, segments: { source, target }, esi: high | a, edi: high | b };
        check({ ...c, count: short ? part.count | 0x30000 : part.count } as Case, []);
      },
    ),
    { numRuns: RUNS, seed: 5 },
  );
});
