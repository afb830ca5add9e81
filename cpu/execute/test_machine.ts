/**
 * A small machine for unit tests of the core: RAM only, flat 32-bit protected mode, no paging, faults recorded.
 * @module
 */
import { Decoder } from "../isa/decode.ts";
import type { Row } from "../isa/row.ts";
import { INTEGER } from "../isa/table.ts";
import * as L from "../state/layout.ts";
import { integerAssists } from "./assists.ts";
import { Core } from "./core.ts";
import { Engine } from "./engine.ts";
import { Handlers } from "./handlers.ts";
import { integerSemantics } from "./semantics/mod.ts";
import type { Assists } from "./assist.ts";
import type { Semantics } from "./emit.ts";
import type { MemoryUnit } from "./units.ts";

/** A delivered fault. */
export interface Delivered {
  vector: number;
  errorCode: number;
  address: number;
  eip: number;
}

/** The machine: code at `CODE`, stack below `STACK`. */
export interface TestMachine {
  core: Core;
  engine: Engine;
  /** Faults so far; each also halts the machine. */
  faults: Delivered[];
  /** Writes bytes at physical addresses. */
  poke(at: number, bytes: readonly number[]): void;
  /** Puts EIP at `CODE`, writes the bytes and HLT there, runs until it halts or faults. */
  execute(bytes: readonly number[], limit?: number): void;
}

export const CODE = 0x1000;
export const DATA = 0x8000;
export const STACK = 0x7000;
const RAM = 0x100000;

let decoder: Decoder | undefined;
let handlers: Handlers | undefined;
let module: WebAssembly.Module | undefined;

/** Operations that the tests' machine leaves out. */
function missing(names: readonly string[]): Assists {
  return Object.fromEntries(names.map((name) => [name, (core: Core) => core.raise(6)]));
}

/** Makes a machine; extra rows and semantics are for other families' tests. */
export function testMachine(
  extra?: {
    rows: readonly Row[];
    semantics: Readonly<Record<string, Semantics>>;
    assists: Assists;
  },
): TestMachine {
  let decode = decoder;
  let handle = handlers;
  let code = module;
  const pages = L.memoryPages(RAM);
  if (extra || !decode || !handle || !code) {
    decode = new Decoder([...INTEGER, ...(extra?.rows ?? [])]);
    handle = new Handlers(decode, { ...integerSemantics, ...(extra?.semantics ?? {}) });
    code = new WebAssembly.Module(handle.build(pages));
    if (!extra) [decoder, handlers, module] = [decode, handle, code];
  }
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
  core.memory = flatMemory(core);
  const faults: Delivered[] = [];
  core.events = {
    deliver: (fault) => {
      faults.push({
        vector: fault.vector,
        errorCode: fault.errorCode,
        address: fault.address,
        eip: core.eip,
      });
      core.i32[L.HALTED >> 2] = 1;
      return true;
    },
    interrupt: (vector) => {
      faults.push({ vector, errorCode: -1, address: 0, eip: core.eip });
      core.i32[L.HALTED >> 2] = 1;
      return true;
    },
  };
  const assists: Assists = {
    ...missing(handle.assists),
    ...integerAssists,
    hlt: (c) => {
      c.i32[L.HALTED >> 2] = 1;
    },
    ...(extra?.assists ?? {}),
  };
  const engine = new Engine(core, {
    decoder: decode,
    handlers: handle,
    assists,
    recordAssists: {},
    module: code,
  });
  core.code = engine;
  for (const segment of [L.ES, L.SS, L.DS, L.FS, L.GS]) {
    core.setSegment(segment, 0x10, 0, 0xffffffff, 0xc093);
  }
  core.setSegment(L.CS, 8, 0, 0xffffffff, 0xc09b);
  core.i32[L.CR0 >> 2] = 0x11;
  core.eflags = 2;
  core.updateMode();
  const machine: TestMachine = {
    core,
    engine,
    faults,
    poke(at, bytes) {
      core.u8.set(bytes, L.RAM_BASE + at);
      engine.written(at, bytes.length);
    },
    execute(bytes, limit = 100_000) {
      machine.poke(CODE, [...bytes, 0xf4]);
      core.eip = CODE;
      core.setGpr(4, STACK);
      core.i32[L.HALTED >> 2] = 0;
      const reason = engine.run(limit);
      if (reason !== "halted") throw new Error(`the test program did not end: ${reason}`);
    },
  };
  return machine;
}

/** Identity mapping without paging; pages from 512 KiB on fault when touched. */
function flatMemory(core: Core): MemoryUnit {
  const fill = (linear: number, write: boolean): number => {
    const page = linear >>> 12;
    if (linear >>> 0 >= 0x80000) core.raisePageFault(linear, write ? 2 : 0);
    for (const table of [L.TLB_READ_SUPERVISOR, L.TLB_READ_USER]) {
      core.i32[(table >> 2) + page] = L.RAM_BASE | L.TLB_DIRECT;
    }
    if (!core.hasCode(page)) {
      for (const table of [L.TLB_WRITE_SUPERVISOR, L.TLB_WRITE_USER]) {
        core.i32[(table >> 2) + page] = L.RAM_BASE | L.TLB_DIRECT;
      }
    }
    return L.RAM_BASE + (linear >>> 0);
  };
  const read = (linear: number, size: number): number => {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      value = (value << 8) | (core.u8[fill(linear + i, false)] as number);
    }
    return value;
  };
  const unit: MemoryUnit = {
    get physical(): never {
      throw new Error("the test machine has no physical memory interface");
    },
    slowRead: read,
    slowWrite(linear, size, value) {
      fill(linear, true);
      fill(linear + size - 1, true);
      for (let i = 0; i < size; i++) core.u8[fill(linear + i, true)] = value >>> (8 * i);
      core.codeWritten(linear, size);
    },
    slowReadForWrite(linear, size) {
      unit.probeWrite(linear, size);
      return read(linear, size);
    },
    probeRead(linear, size) {
      fill(linear, false);
      fill(linear + size - 1, false);
    },
    probeWrite(linear, size) {
      fill(linear, true);
      fill(linear + size - 1, true);
    },
    readSystem: read,
    writeSystem: (linear, size, value) => unit.slowWrite(linear, size, value),
    translateCode(linear) {
      if (linear >>> 0 >= 0x80000) core.raisePageFault(linear, 0);
      return linear;
    },
    probe: (linear) => linear,
    protectCode(physical) {
      core.i32[(L.TLB_WRITE_SUPERVISOR >> 2) + (physical >>> 12)] = 0;
      core.i32[(L.TLB_WRITE_USER >> 2) + (physical >>> 12)] = 0;
    },
    isRam: () => true,
    hostOf: (physical) => L.RAM_BASE + physical,
    setA20: () => {},
    loadPointers: () => {},
    readPhysical8: (physical) => core.u8[L.RAM_BASE + physical] as number,
    flush() {},
    fill: () => 0,
    missed: -1,
    switchSpace() {},
    invalidate() {},
  };
  return unit;
}
