/**
 * Our processor as an engine: the core at CPL 3 in flat segments with paging, on the same addresses as the
 * native process. Exceptions are caught at delivery instead of going through an IDT, so that a case needs
 * no guest code around it.
 * @module
 */
import {
  eventFunctions,
  eventSemantics,
  systemAssists,
  systemRecordAssists,
} from "../../cpu/events/mod.ts";
import { Core } from "../../cpu/execute/core.ts";
import { Engine as CodeEngine } from "../../cpu/execute/engine.ts";
import { Handlers } from "../../cpu/execute/handlers.ts";
import { integerAssists } from "../../cpu/execute/assists.ts";
import type { Assists } from "../../cpu/execute/assist.ts";
import { integerSemantics } from "../../cpu/execute/semantics/mod.ts";
import { Decoder } from "../../cpu/isa/decode.ts";
import type { Row } from "../../cpu/isa/row.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { X87 } from "../../cpu/isa/x87.ts";
import { floatSemantics, simdAssists, simdSemantics } from "../../cpu/simd/mod.ts";
import {
  fpuAssists,
  fpuSemantics,
  fullTags,
  setControlAndStatus,
  setFullTags,
} from "../../cpu/fpu/mod.ts";
import { createMemoryUnit } from "../../cpu/memory/mod.ts";
import { attachTranslator, type Translator } from "../../cpu/translate/mod.ts";
import * as L from "../../cpu/state/layout.ts";
import {
  background,
  CODE16,
  type Engine,
  type FpuOutcome,
  INITIAL_MXCSR,
  initialFpu,
  LDT,
  type Outcome,
  REGIONS,
  type TestCase,
  USER_CS,
  USER_DS,
  XMM_BYTES,
} from "./case.ts";

/** Where the regions are in physical memory; page tables and GDT are below. */
const PHYSICAL = { code: 0x10000, data: 0x12000, readOnly: 0x14000, stack: 0x15000, low: 0x16000 };
const WRITABLE = ["code", "data", "stack", "low"] as const;
const RAM = 0x20000;
const PAGE_DIRECTORY = 0x1000;
const PAGE_TABLES = 0x2000;
/** The GDT: physical, and its linear address, for the supervisor only. */
const GDT = 0x8000;
const GDT_LINEAR = 0xc0000000;
/** The LDT is behind it. */
const LDT_OFFSET = 0x100;
/** Page table entry bits. */
const PRESENT = 1;
const WRITABLE_BIT = 2;
const USER = 4;
/** Instructions after which a case counts as stuck. */
const LIMIT = 20_000;

export class InterpreterEngine implements Engine {
  readonly name: string = "interpreter";
  readonly core: Core;
  /** Operations that have neither semantics nor assist yet: cases with them prove nothing. */
  readonly missing: ReadonlySet<string>;
  readonly #engine: CodeEngine;
  readonly #initial = new Uint8Array(RAM);
  readonly #translator: Translator | undefined;
  #ended = false;
  #vector = 0;
  #errorCode = 0;
  #address = 0;

  /** Pieces of code that were translated. */
  get translated(): number {
    return this.#translator?.statistics.regions ?? 0;
  }

  /** `translate`: every block is translated before it runs. `low`: with the region within reach of 16-bit addresses, if the native engine has it. */
  constructor(low = true, translate = false) {
    const core = new Core({
      ramBytes: RAM,
      bus: {
        readPort: () => 0xff,
        writePort: () => {},
        readMemory: () => 0xff,
        writeMemory: () => {},
        acknowledgeInterrupt: () => 0x20,
      },
    });
    this.core = core;
    const rows: readonly Row[] = [...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT];
    const decoder = new Decoder(rows);
    const groups = [fpuSemantics, simdSemantics, floatSemantics];
    const semantics = { ...integerSemantics, ...eventSemantics };
    const handlers = new Handlers(decoder, semantics, groups, eventFunctions);
    const known: Assists = {
      ...integerAssists,
      ...systemAssists,
      ...fpuAssists,
      ...simdAssists,
      ...softwareInterrupts,
    };
    const missing = handlers.assists.filter((name) =>
      known[name] === undefined && systemRecordAssists[name] === undefined
    );
    this.missing = new Set(missing);
    const assists: Assists = {
      ...Object.fromEntries(missing.map((name) => [name, (c: Core) => c.raise(6)])),
      ...known,
    };
    core.memory = createMemoryUnit(core);
    core.events = {
      deliver: (fault) => {
        this.#end(fault.vector, fault.errorCode, fault.address);
        return true;
      },
      interrupt: () => false,
    };
    this.#engine = new CodeEngine(core, {
      decoder,
      handlers,
      assists,
      recordAssists: systemRecordAssists,
      module: new WebAssembly.Module(handlers.build(L.memoryPages(RAM))),
    });
    core.code = this.#engine;
    if (translate) {
      this.#translator = attachTranslator({ core, engine: this.#engine, handlers, threshold: 1 });
    }
    for (const [name, { start, bytes }] of Object.entries(REGIONS)) {
      const at = PHYSICAL[name as keyof typeof PHYSICAL];
      if (name === "code") this.#initial.fill(0xcc, at, at + bytes);
      else this.#initial.set(background(start, bytes), at);
    }
    this.#tables(low);
    core.u8.set(this.#initial, L.RAM_BASE);
    // PG, AM, WP, NE, ET, MP, PE.
    core.i32[L.CR0 >> 2] = 0x80050033 | 0;
    // OSFXSR, OSXMMEXCPT.
    core.i32[L.CR4 >> 2] = 0x600;
    core.i32[L.MXCSR_MASK >> 2] = 0xffff;
    core.i32[L.CR3 >> 2] = PAGE_DIRECTORY;
    core.i32[L.GDTR_BASE >> 2] = GDT_LINEAR | 0;
    core.i32[L.GDTR_LIMIT >> 2] = 0x2f;
    core.setSegment(L.LDTR, 0x28, (GDT_LINEAR + LDT_OFFSET) | 0, LDT.length * 8 - 1, 0x82);
    core.memory.flush();
  }

  /** Page tables and a GDT with the user's two segments. */
  #tables(low: boolean): void {
    const view = new DataView(this.#initial.buffer);
    let table = PAGE_TABLES;
    const map = (linear: number, physical: number, bits: number): void => {
      const directoryEntry = PAGE_DIRECTORY + (linear >>> 22) * 4;
      if (view.getUint32(directoryEntry, true) === 0) {
        view.setUint32(directoryEntry, table | PRESENT | WRITABLE_BIT | USER, true);
        table += 0x1000;
      }
      const at = view.getUint32(directoryEntry, true) & ~0xfff;
      view.setUint32(at + ((linear >>> 12) & 0x3ff) * 4, physical | PRESENT | bits, true);
    };
    for (const [name, { start, bytes, writable }] of Object.entries(REGIONS)) {
      if (name === "low" && !low) continue;
      for (let offset = 0; offset < bytes; offset += 0x1000) {
        const at = PHYSICAL[name as keyof typeof PHYSICAL] + offset;
        map(start + offset, at, USER | (writable ? WRITABLE_BIT : 0));
      }
    }
    map(GDT_LINEAR, GDT, WRITABLE_BIT);
    for (const [i, [base, limit, attributes]] of LDT.entries()) {
      const at = GDT + LDT_OFFSET + i * 8;
      view.setUint32(at, ((base << 16) | (limit & 0xffff)) >>> 0, true);
      const high = (base & 0xff000000) | (limit & 0xf0000) | (attributes << 8) |
        ((base >>> 16) & 0xff);
      view.setUint32(at + 4, high >>> 0, true);
    }
    for (const [selector, high] of [[USER_CS, 0x00cffb00], [USER_DS, 0x00cff300]] as const) {
      view.setUint32(GDT + (selector & ~7), 0xffff, true);
      view.setUint32(GDT + (selector & ~7) + 4, high, true);
    }
  }

  #end(vector: number, errorCode: number, address: number): void {
    this.#ended = true;
    this.#vector = vector;
    this.#errorCode = errorCode;
    this.#address = address;
    this.core.i32[L.HALTED >> 2] = 1;
  }

  // deno-lint-ignore require-await -- the interface is the native engine's
  async run(cases: readonly TestCase[]): Promise<Outcome[]> {
    return cases.map((test) => this.runCase(test));
  }

  /** Runs one case. */
  runCase(test: TestCase): Outcome {
    const { core } = this;
    const expected = this.#load(test);
    this.#ended = false;
    this.#engine.run(LIMIT);
    core.i32[L.HALTED >> 2] = 0;
    core.shutdown = false;
    const memory = new Map<number, number>();
    for (const name of WRITABLE) {
      const { start, bytes } = REGIONS[name];
      const at = (L.RAM_BASE + PHYSICAL[name]) >> 2;
      const was = PHYSICAL[name] >> 2;
      for (let i = 0; i < bytes / 4; i++) {
        const value = core.u32[at + i] as number;
        if (value !== expected[was + i]) memory.set(start + i * 4, value);
      }
    }
    return {
      vector: this.#ended ? this.#vector : -1,
      errorCode: this.#ended ? Math.max(this.#errorCode, 0) : 0,
      address: this.#ended && this.#vector === 14 ? this.#address >>> 0 : 0,
      gpr: core.u32.slice(L.GPR >> 2, (L.GPR >> 2) + 8),
      eflags: core.eflags >>> 0,
      eip: core.eip,
      segments: [L.ES, L.CS, L.SS, L.DS, L.FS, L.GS].map((s) => core.selector(s)),
      fpu: readFpu(core),
      xmm: core.u8.slice(L.XMM, L.XMM + XMM_BYTES),
      mxcsr: core.u32[L.MXCSR >> 2] as number,
      memory,
      changed: memory.size,
    };
  }

  #setSegment(segment: number, selector: number): void {
    const { core } = this;
    const entry = selector & 4 ? LDT[selector >> 3] : undefined;
    if (entry) {
      const [base, limit, attributes] = entry;
      const bytes = attributes & 0x8000 ? limit * 0x1000 + 0xfff : limit;
      core.setSegment(segment, selector, base, bytes, attributes);
    } else if (selector === 0) core.setSegment(segment, 0, 0, 0, 0);
    else core.setSegment(segment, selector, 0, 0xffffffff, segment === L.CS ? 0xc0fb : 0xc0f3);
  }

  /** Puts a case in place; returns what memory holds before it runs. */
  #load(test: TestCase): Uint32Array {
    const { core } = this;
    const image = this.#initial.slice();
    const place = (address: number, bytes: Uint8Array): void => {
      for (const [i, byte] of bytes.entries()) {
        for (const name of WRITABLE) {
          const offset = address + i - REGIONS[name].start;
          if (offset >= 0 && offset < REGIONS[name].bytes) image[PHYSICAL[name] + offset] = byte;
        }
      }
    };
    place(test.eip, test.code);
    for (const { address, bytes } of test.patches) place(address, bytes);
    core.u8.set(image.subarray(PHYSICAL.code), L.RAM_BASE + PHYSICAL.code);
    core.codeWritten(PHYSICAL.code, RAM - PHYSICAL.code);
    for (let i = 0; i < 8; i++) core.setGpr(i, test.gpr[i] ?? 0);
    core.eflags = test.eflags;
    core.eip = test.eip;
    core.cpl = 3;
    const selectors = test.segments ?? [USER_DS, USER_CS, USER_DS, USER_DS, 0, 0];
    for (const [segment, selector] of selectors.entries()) this.#setSegment(segment, selector);
    if (selectors[L.CS] === CODE16) core.eip = test.eip - REGIONS.code.start;
    core.updateMode();
    writeFpu(core, test.fpu ?? initialFpu());
    if (test.xmm) core.u8.set(test.xmm, L.XMM);
    else core.u8.fill(0, L.XMM, L.XMM + XMM_BYTES);
    core.i32[L.MXCSR >> 2] = test.mxcsr ?? INITIAL_MXCSR;
    return new Uint32Array(image.buffer);
  }
}

/** INT n at CPL 3 when only the gates 3 and 4 may be used, as under Linux. */
const softwareInterrupts: Assists = {
  int3: (core) => trap(core, 3),
  int1: (core) => trap(core, 1),
  into: (core) => {
    if (core.eflags & 0x800) trap(core, 4);
  },
  int: (core, { immediate }) => {
    const vector = immediate & 0xff;
    if (vector === 3 || vector === 4) trap(core, vector);
    core.raise(13, vector * 8 + 2);
  },
};
function trap(core: Core, vector: number): never {
  core.fault.set(vector);
  core.fault.trap = true;
  throw core.fault;
}

/** Loads the x87 state from a 32-bit FSAVE image. */
function writeFpu(core: Core, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const status = view.getUint16(4, true);
  const top = (status >> 11) & 7;
  setControlAndStatus(core, view.getUint16(0, true), status);
  setFullTags(core, view.getUint16(8, true));
  core.i32[L.FPU_IP >> 2] = view.getUint32(12, true);
  for (let i = 0; i < 8; i++) {
    const at = L.FPU_REGISTERS + ((top + i) & 7) * 16;
    core.u8.set(image.subarray(28 + i * 10, 38 + i * 10), at);
  }
}

/** Reads the x87 state. */
function readFpu(core: Core): FpuOutcome {
  const top = core.i32[L.FPU_TOP >> 2] as number;
  const registers = new Uint8Array(80);
  for (let i = 0; i < 8; i++) {
    const at = L.FPU_REGISTERS + ((top + i) & 7) * 16;
    registers.set(core.u8.subarray(at, at + 10), i * 10);
  }
  return {
    control: core.i32[L.FPU_CONTROL >> 2] as number,
    status: ((core.i32[L.FPU_STATUS >> 2] as number) & ~0x3800) | (top << 11),
    tag: fullTags(core),
    ip: core.u32[L.FPU_IP >> 2] as number,
    registers,
  };
}
