/**
 * The hostile guest: random instructions in real, protected, user and virtual-8086 mode, with and without paging.
 * Nothing but exceptions of the guest may come of it, no byte outside the guest's RAM may change, and the same seed
 * ends in the same state, whole and in pieces.
 *
 *     deno task fuzz:hostile [--seed N] [--count N] [--mode MODE] [--translate N]
 *
 * Count is instructions for each mode, ten million if not given. With --translate, the second run translates blocks
 * that were entered N times.
 * @module
 */
import assert from "node:assert/strict";
import { Cpu } from "../../cpu/mod.ts";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { RAM_BASE } from "../../cpu/state/layout.ts";
import { withMemory } from "../conformance/guest_memory.ts";
import { type Pattern, pattern } from "./generate.ts";
import { Random } from "./random.ts";

export const MODES = ["real", "protected", "paged", "user", "user paged", "virtual"] as const;
export type HostileMode = typeof MODES[number];

/** Not a multiple of 64 KiB: behind it the host's memory goes on, where the canary is. */
const RAM_BYTES = 0x1fb000;
/** Linear memory that no field of the state uses, between MSRs and counters. */
const GAP = { start: 0x6000, end: 0xf000 };
const CANARY = 0xc5;
/** Instructions of one system. */
const SYSTEM_LIMIT = 2000;

const CODE = 0x1000;
const CODE_BYTES = 0x6000;
const DATA = 0x8000;
const GDT = 0x10000;
const IDT = 0x11000;
const TSS = 0x12000;
const POINTERS = 0x13000;
const STACK = 0x1e000;
const DIRECTORY = 0x30000;
const TABLE = 0x31000;
const BOOT = 0x34000;
/** EFLAGS.VM. */
const VM = 0x20000;

const PATTERNS: readonly Pattern[] = [...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT].map(pattern);

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

/** Addresses that random operands meet: RAM's places and ends, pages that are missing, the ends of the space. */
function address(random: Random): number {
  switch (random.below(12)) {
    case 0:
      return random.pick([
        0,
        RAM_BYTES - 1,
        RAM_BYTES - 4,
        RAM_BYTES,
        0xfffff000,
        0xffffffff,
        0x100000,
      ]);
    case 1:
      return random.word();
    case 2:
      return CODE + random.below(CODE_BYTES);
    case 3:
      return random.below(0x40000);
    default:
      return DATA + random.below(0x8000);
  }
}

/** An instruction of the table with random operands, or random bytes. */
function instruction(random: Random): number[] {
  const prefixes: number[] = [];
  if (random.oneIn(6)) prefixes.push(random.pick([0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x26, 0x64, 0xf0]));
  switch (random.below(8)) {
    case 0:
      return random.oneIn(4) ? [...random.bytes(1 + random.below(6))] : [0x90];
    case 1:
    case 2:
      // A register gets an address.
      return [0xb8 | random.pick([0, 1, 2, 3, 5, 6, 7]), ...dword(address(random))];
    case 3:
      return [0xbc, ...dword(STACK + random.below(16) - 8)];
  }
  const p = random.pick(PATTERNS);
  if (p.mandatory) prefixes.push(p.mandatory);
  const bytes = [...p.bytes];
  if (p.second >= 0) return [...prefixes, ...bytes, p.second | (p.plus ? random.below(8) : 0)];
  if (p.plus) {
    bytes.push((bytes.pop() as number) | random.below(8));
    return [...prefixes, ...bytes, ...random.bytes(4)];
  }
  const reg = p.extension >= 0 ? p.extension : random.below(8);
  const memory = p.form === "m" || (p.form === "" && random.oneIn(2));
  const modrm = memory ? random.pick([0, 0, 0x40, 0x80]) : 0xc0;
  // Registers as base mostly; SIB and displacement bytes are what follows.
  const rm = memory ? random.pick([0, 1, 2, 3, 6, 7, random.below(8)]) : random.below(8);
  return [...prefixes, ...bytes, modrm | (reg << 3) | rm, ...random.bytes(random.below(5))];
}

/** Memory of a system for a mode. */
export function image(random: Random, mode: HostileMode): Uint8Array {
  const bytes = new Uint8Array(0x40000);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 0x10000; at += 4) view.setUint32(at, random.word(), true);
  // Vectors of real and virtual-8086 mode.
  for (let vector = 0; vector < 256; vector++) {
    view.setUint32(vector * 4, CODE + random.below(CODE_BYTES), true);
  }
  for (let at = CODE; at < CODE + CODE_BYTES - 16;) {
    const code = instruction(random);
    bytes.set(code, at);
    at += code.length;
  }
  const descriptor = (
    selector: number,
    base: number,
    limit: number,
    access: number,
    flags: number,
  ): void => {
    view.setUint32(GDT + selector, (limit & 0xffff) | (base << 16), true);
    view.setUint32(
      GDT + selector + 4,
      (base >>> 16 & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20),
      true,
    );
  };
  for (const [i, access] of [0x9a, 0x92, 0xfa, 0xf2].entries()) {
    descriptor(8 + 8 * i, 0, 0xfffff, access, 0xc);
  }
  descriptor(0x28, TSS, 0x2067, 0x89, 0);
  for (let selector = 0x30; selector < 0x100; selector += 8) {
    const access = random.pick([
      0x9a,
      0x92,
      0xfa,
      0xf2,
      0x9e,
      0x96,
      0xf6,
      0x90,
      0x12,
      random.below(256),
    ]);
    const base = random.oneIn(2) ? 0 : random.below(0x10000);
    descriptor(selector, base, random.below(0x100000), access, random.below(16));
  }
  for (let vector = 0; vector < 256; vector++) {
    const gate = random.oneIn(12)
      ? random.pick([0x85, 0x86, 0x87, 0xe6, 0x0e])
      : random.oneIn(3)
      ? 0xef
      : 0x8e;
    view.setUint32(IDT + vector * 8, (8 << 16) | (CODE + random.below(CODE_BYTES)), true);
    view.setUint32(IDT + vector * 8 + 4, gate << 8, true);
  }
  view.setUint32(TSS + 4, STACK, true);
  view.setUint32(TSS + 8, 0x10, true);
  view.setUint32(TSS + 0x64, 0x680000, true);
  bytes.set(random.bytes(0x200), TSS + 0x68);
  view.setUint32(DIRECTORY, TABLE | 7, true);
  view.setUint32(DIRECTORY + 4, random.word() & ~0x81, true);
  view.setUint32(DIRECTORY + 0xffc, TABLE | 7, true);
  for (let page = 0; page < 1024; page++) {
    const good = page < 0x40 && !random.oneIn(40);
    const where = random.oneIn(30)
      ? random.word() & 0x1ff
      : page < 0x200
      ? page
      : random.word() >>> 12;
    view.setUint32(TABLE + page * 4, (where << 12) | (good ? 7 : random.below(0x200)), true);
  }
  // What the code needs is there.
  for (const page of [1, 2, 3, 4, 5, 6, 0x10, 0x11, 0x12, 0x1d, 0x1e, 0x30, 0x31, 0x34]) {
    view.setUint32(TABLE + page * 4, (page << 12) | 7, true);
  }
  view.setUint32(POINTERS, (GDT << 16) | 0xff, true);
  view.setUint32(POINTERS + 4, GDT >>> 16, true);
  const vectors = mode === "real" ? 0 : IDT;
  view.setUint32(POINTERS + 8, (vectors << 16) | (mode === "real" ? 0x3ff : 0x7ff), true);
  view.setUint32(POINTERS + 12, vectors >>> 16, true);
  bytes.set(boot(random, mode), BOOT);
  return bytes;
}

/** Enters the mode, from flat protected mode at CPL 0. */
function boot(random: Random, mode: HostileMode): number[] {
  const push = (value: number): number[] => [0x68, ...dword(value)];
  const entry = CODE + random.below(16);
  // SSE and MMX on, mostly; all of CR4 that there is, sometimes.
  const cr4 = random.oneIn(8) ? 0 : 0x600 | (random.oneIn(3) ? random.below(8) : 0);
  const code = [
    ...[0x0f, 0x01, 0x15, ...dword(POINTERS), 0x0f, 0x01, 0x1d, ...dword(POINTERS + 8)],
    ...[0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8],
    ...[0xb8, ...dword(cr4), 0x0f, 0x22, 0xe0, 0xb8, ...dword(DIRECTORY), 0x0f, 0x22, 0xd8],
  ];
  if (mode === "real") {
    // CR0.PE off, a far jump to segment 0.
    return [...code, 0x0f, 0x20, 0xc0, 0x24, 0xfe, 0x0f, 0x22, 0xc0, 0xea, ...dword(entry), 0, 0];
  }
  if (mode === "paged" || mode === "user paged" || (mode === "virtual" && random.oneIn(2))) {
    code.push(0x0f, 0x20, 0xc0, 0x0d, ...dword(0x80000000), 0x0f, 0x22, 0xc0);
  }
  const flags = 2 | random.below(4) << 12 | (random.oneIn(4) ? 0x200 : 0) |
    (random.oneIn(20) ? 0x100 : 0);
  if (mode === "virtual") {
    for (let i = 0; i < 4; i++) code.push(...push(random.below(0x800)));
    code.push(...push(0x1000), ...push(0xe000), ...push(flags | VM), ...push(0), ...push(entry));
    code.push(0xcf);
  } else if (mode.startsWith("user")) {
    code.push(0x66, 0xb8, 0x23, 0);
    for (const segment of [0xc0, 0xd8, 0xe0, 0xe8]) code.push(0x8e, segment);
    code.push(...push(0x23), ...push(STACK), ...push(flags), ...push(0x1b), ...push(entry), 0xcf);
  } else code.push(...push(flags), 0x9d, 0xb8, ...dword(entry), 0xff, 0xe0);
  return code;
}

/** A processor whose host memory the test sees. */
export class Guest {
  readonly cpu: Cpu;
  readonly #bytes: Uint8Array;
  #reads = 0;

  /** `translateAfter`: entries of a block until it is translated; 0: never. */
  constructor(translateAfter = 0) {
    const value = (size: number): number => {
      this.#reads = (Math.imul(this.#reads, 1103515245) + 12345) >>> 0;
      return size === 4 ? this.#reads : this.#reads >>> (32 - 8 * size);
    };
    const { made, memory } = withMemory(() =>
      new Cpu({
        ramBytes: RAM_BYTES,
        // All instructions that there are.
        model: "p4",
        translateAfter,
        bus: {
          readPort: (_port, size) => value(size),
          writePort: () => {},
          // By the address alone: how far ahead code is fetched is the processor's own affair.
          readMemory: (physical, size) => Math.imul(physical, 0x9e3779b1) >>> (32 - 8 * size),
          writeMemory: () => {},
          acknowledgeInterrupt: () => 0x20 + (value(1) & 15),
        },
      })
    );
    this.cpu = made;
    this.#bytes = new Uint8Array(memory.buffer);
    assert.ok(this.#bytes.length > RAM_BASE + RAM_BYTES, "there is room for a canary");
    for (const { start, end } of this.#canaries()) this.#bytes.fill(CANARY, start, end);
  }
  #canaries(): { start: number; end: number }[] {
    return [GAP, { start: RAM_BASE + RAM_BYTES, end: this.#bytes.length }];
  }

  /** Runs a system in pieces; what it left behind. */
  run(
    memory: Uint8Array,
    slice: number,
    limit: number = SYSTEM_LIMIT,
  ): { executed: number; reason: string; state: string } {
    const { cpu } = this;
    this.#reads = 1;
    cpu.reset();
    cpu.setA20(true);
    cpu.memory.write(0, memory);
    cpu.enterFlatProtectedMode({ eip: BOOT, esp: STACK });
    const start = cpu.instructions;
    let reason = "limit";
    while (reason === "limit" && cpu.instructions - start < limit) {
      reason = cpu.run(Math.min(slice, limit - (cpu.instructions - start)));
    }
    const executed = cpu.instructions - start;
    const left = cpu.memory.read(0, memory.length);
    let sum = 7;
    for (let at = 0; at < left.length; at++) sum = (Math.imul(sum, 31) + (left[at] as number)) | 0;
    const registers = STATE.map((name) => cpu.registers.get(name).toString(16)).join(" ");
    return { executed, reason, state: `${reason} ${executed} ${sum} ${registers}` };
  }
  /** Where a system is when its random code begins: PE, PG, VM and CPL. */
  enter(memory: Uint8Array): { protected: boolean; paged: boolean; virtual: boolean; cpl: number } {
    const { registers } = this.cpu;
    for (let limit = 1; limit < 60; limit++) {
      this.run(memory, limit, limit);
      if (registers.get("eip") < CODE + CODE_BYTES) break;
    }
    const cr0 = registers.get("cr0");
    return {
      protected: (cr0 & 1) !== 0,
      paged: (cr0 & 0x80000000) !== 0,
      virtual: (registers.get("eflags") & VM) !== 0,
      cpl: registers.get("cpl"),
    };
  }
  /** Changes the byte behind RAM, for the test of {@link check}. */
  spoil(): void {
    this.#bytes[RAM_BASE + RAM_BYTES] = 0;
  }
  /** Throws when a byte that is not the guest's has changed. */
  check(what: string): void {
    for (const { start, end } of this.#canaries()) {
      const at = this.#bytes.subarray(start, end).findIndex((byte) => byte !== CANARY);
      assert.equal(at, -1, `${what}: byte ${(start + at).toString(16)} of host memory has changed`);
    }
  }
}
// deno-fmt-ignore
const STATE = [
  "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
  "cr0", "cr2", "cr3", "cr4", "cpl",
];

/** What a run found. */
export interface HostileReport {
  instructions: number;
  systems: number;
  /** Regions that the second run translated. */
  translated: number;
  readonly reasons: Map<string, number>;
}

/**
 * Runs systems of a mode until so many instructions are done, each whole and then in pieces, the second time translated
 * if asked; throws at the first thing that may not be.
 */
export function runHostile(
  options: { mode: HostileMode; seed: number; instructions: number; translateAfter?: number },
): HostileReport {
  const { mode, seed, instructions, translateAfter = 0 } = options;
  const random = new Random(seed);
  const [first, second] = [new Guest(), new Guest(translateAfter)];
  const report: HostileReport = {
    instructions: 0,
    systems: 0,
    translated: 0,
    reasons: new Map(),
  };
  while (report.instructions < instructions) {
    const name = `${mode}, seed ${seed}, system ${report.systems}`;
    const memory = image(random, mode);
    const slice = 1 + random.below(300);
    let outcome;
    try {
      outcome = first.run(memory, SYSTEM_LIMIT);
      assert.equal(second.run(memory, slice).state, outcome.state, name);
    } catch (error) {
      throw new Error(name, { cause: error });
    }
    report.instructions += outcome.executed;
    report.systems++;
    report.reasons.set(outcome.reason, (report.reasons.get(outcome.reason) ?? 0) + 1);
    if (report.systems % 64 === 0) {
      first.check(name);
      second.check(name);
    }
  }
  first.check(mode);
  second.check(mode);
  report.translated = second.cpu.translation?.regions ?? 0;
  return report;
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

if (import.meta.main) {
  for (const mode of MODES) {
    if ((option("mode") ?? mode) !== mode) continue;
    const start = performance.now();
    const { instructions, systems, reasons } = runHostile({
      mode,
      seed: Number(option("seed") ?? 1),
      instructions: Number(option("count") ?? 10_000_000),
      translateAfter: Number(option("translate") ?? 0),
    });
    const ends = [...reasons].map(([reason, count]) => `${reason} ${count}`).join(", ");
    console.log(
      `${mode}: ${instructions} instructions twice, ${systems} systems (${ends}), ` +
        `${((performance.now() - start) / 1000).toFixed(1)} s`,
    );
  }
}
