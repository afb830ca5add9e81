/**
 * A processor without an engine for unit tests of memory, segmentation and events: state, RAM, tables that
 * tests write, and a way to execute one assist and see the fault that it raises.
 * @module
 */
import { Core } from "../execute/core.ts";
import type { Operands } from "../execute/assist.ts";
import { createEventUnit, systemAssists, systemRecordAssists } from "../events/mod.ts";
import { createMemoryUnit, type Memory } from "../memory/mod.ts";
import { Fault } from "../state/fault.ts";
import * as L from "../state/layout.ts";

const RAM = 0x400000;
/** Where the record of the executing instruction is. */
const RECORD = L.ARENA;
/** Where the tables are. */
export const GDT = 0x1000;
export const IDT = 0x2000;
export const LDT = 0x3000;
export const TSS = 0x4000;
export const PAGE_DIRECTORY = 0x10000;
export const PAGE_TABLE = 0x11000;

/** Selectors of the GDT that every test system has. */
export const SELECTOR = {
  CODE0: 0x08,
  DATA0: 0x10,
  CODE3: 0x1b,
  DATA3: 0x23,
  TSS: 0x28,
  LDT: 0x30,
  /** First one free for tests. */
  FREE: 0x40,
} as const;

/** What came out of an instruction. */
export interface Outcome {
  vector: number;
  errorCode: number;
  address: number;
}

/** Access bytes. */
export const ACCESS = { CODE0: 0x9a, DATA0: 0x92, CODE3: 0xfa, DATA3: 0xf2 } as const;

export class TestSystem {
  readonly core: Core;
  readonly memory: Memory;
  /** Physical writes that went to the bus. */
  readonly busWrites: { address: number; size: number; value: number }[] = [];
  readonly ports: { port: number; size: number; value: number | undefined }[] = [];
  /** Ranges of physical memory reported as changed code. */
  readonly codeWrites: { physical: number; length: number }[] = [];
  readonly codePages: Set<number> = new Set<number>();

  /** Flat protected mode at CPL 0 with GDT, IDT (empty), TSS and LDT; paging off. */
  constructor() {
    this.core = new Core({
      ramBytes: RAM,
      bus: {
        readPort: (port, size) => {
          this.ports.push({ port, size, value: undefined });
          return 0xa5;
        },
        writePort: (port, size, value) => {
          this.ports.push({ port, size, value });
        },
        readMemory: (address) => address & 0xff,
        writeMemory: (address, size, value) => {
          this.busWrites.push({ address, size, value });
        },
        acknowledgeInterrupt: () => 0x20,
      },
    });
    const { core } = this;
    core.code = {
      hasCode: (page) => this.codePages.has(page),
      written: (physical, length) => {
        this.codeWrites.push({ physical, length });
      },
      flush: () => {},
      stopAfterInstruction: () => {},
      stateSet: () => {},
      jumped: () => {},
      instructions: () => 1000,
    };
    this.memory = createMemoryUnit(core);
    core.memory = this.memory;
    core.events = createEventUnit(core);
    core.i32[L.GDTR_BASE >> 2] = GDT;
    core.i32[L.GDTR_LIMIT >> 2] = 0x1ff;
    core.i32[L.IDTR_BASE >> 2] = IDT;
    core.i32[L.IDTR_LIMIT >> 2] = 0x7ff;
    core.i32[L.CR0 >> 2] = 0x11;
    core.eflags = 2;
    this.descriptor(SELECTOR.CODE0, { access: ACCESS.CODE0 });
    this.descriptor(SELECTOR.DATA0, { access: ACCESS.DATA0 });
    this.descriptor(SELECTOR.CODE3, { access: ACCESS.CODE3 });
    this.descriptor(SELECTOR.DATA3, { access: ACCESS.DATA3 });
    this.descriptor(SELECTOR.TSS, { access: 0x89, base: TSS, limit: 0x67, flags: 0 });
    this.descriptor(SELECTOR.LDT, { access: 0x82, base: LDT, limit: 0xff, flags: 0 });
    this.segments(0);
    this.execute("ltr", { rm: 0 }, [SELECTOR.TSS]);
    this.execute("lldt", { rm: 0 }, [SELECTOR.LDT]);
    // Inner stacks.
    for (let level = 0; level < 3; level++) {
      this.poke32(TSS + 4 + 8 * level, 0x9000 + 0x1000 * level);
      this.poke32(TSS + 8 + 8 * level, level === 0 ? SELECTOR.DATA0 : 0);
    }
    core.setGpr(4, 0x8000);
    core.eip = 0x5000;
  }

  /** Loads all segment registers flat for a privilege level, 0 or 3. */
  segments(privilege: 0 | 3): void {
    const { core } = this;
    const data = privilege === 3 ? SELECTOR.DATA3 : SELECTOR.DATA0;
    const attributes = privilege === 3 ? 0xc0f3 : 0xc093;
    for (const segment of [L.ES, L.SS, L.DS, L.FS, L.GS]) {
      core.setSegment(segment, data, 0, 0xffffffff, attributes);
    }
    const code = privilege === 3 ? SELECTOR.CODE3 : SELECTOR.CODE0;
    core.setSegment(L.CS, code, 0, 0xffffffff, privilege === 3 ? 0xc0fb : 0xc09b);
    core.cpl = privilege;
    core.updateMode();
  }

  /** Writes a descriptor into the GDT or (TI set) LDT. Flags: high nibble of byte 6, 0xc = G and D/B. */
  descriptor(
    selector: number,
    fields: { access: number; base?: number; limit?: number; flags?: number },
  ): void {
    const { access, base = 0, limit = 0xfffff, flags = 0xc } = fields;
    const at = (selector & 4 ? LDT : GDT) + (selector & 0xfff8);
    this.poke32(at, (limit & 0xffff) | (base << 16));
    this.poke32(
      at + 4,
      ((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) |
        (base & 0xff000000),
    );
  }
  /** Writes a gate at a linear address; `access` is P, DPL and type. */
  gate(
    at: number,
    fields: { selector: number; offset: number; access: number; count?: number },
  ): void {
    const { selector, offset, access, count = 0 } = fields;
    this.poke32(at, (offset & 0xffff) | (selector << 16));
    this.poke32(at + 4, (offset & 0xffff0000) | (access << 8) | count);
  }
  /** An IDT gate. */
  interruptGate(
    vector: number,
    fields: { selector: number; offset: number; access: number },
  ): void {
    this.gate(IDT + 8 * vector, fields);
  }
  /** Turns paging on with the first 4 MiB mapped one to one, all rights. */
  enablePaging(): void {
    this.poke32(PAGE_DIRECTORY, PAGE_TABLE | 7);
    for (let i = 0; i < 1024; i++) this.poke32(PAGE_TABLE + 4 * i, (i << 12) | 7);
    this.core.i32[L.CR3 >> 2] = PAGE_DIRECTORY;
    this.core.i32[L.CR0 >> 2] = 0x80000011 | 0;
    this.memory.flush();
  }
  /** Sets the entry of a 4 KiB page and forgets its translation. */
  mapPage(linear: number, entry: number): void {
    this.poke32(PAGE_TABLE + 4 * ((linear >>> 12) & 0x3ff), entry);
    this.memory.invalidate(linear);
  }

  peek32(physical: number): number {
    return this.core.view.getUint32(L.RAM_BASE + physical, true);
  }
  poke32(physical: number, value: number): void {
    this.core.view.setInt32(L.RAM_BASE + physical, value, true);
  }
  /** `count` words from SS:ESP up, read physically (paging off or one to one). */
  stack(count: number): number[] {
    const esp = this.core.segmentBase(L.SS) + this.core.gpr(4);
    return Array.from({ length: count }, (_, i) => this.peek32(esp + 4 * i));
  }

  /** What a function raises, or undefined. */
  outcome(action: () => void): Outcome | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { vector, errorCode, address } = error;
      return { vector, errorCode, address };
    }
  }
  /** Executes an assist; `registers` are EAX ECX EDX EBX. */
  execute(
    name: string,
    operands: Partial<Operands>,
    registers: readonly number[] = [],
  ): Outcome | undefined {
    const { core } = this;
    registers.forEach((value, index) => core.setGpr(index, value));
    const [assist, own] = [systemAssists[name], systemRecordAssists[name]];
    if (assist === undefined && own === undefined) throw new Error(`no assist ${name}`);
    const eip = core.eip;
    const full: Operands = {
      eip,
      next: eip + 2,
      operandSize: 4,
      addressSize: 4,
      reg: 0,
      rm: 0,
      isMemory: false,
      segment: L.DS,
      offset: 0,
      immediate: 0,
      immediate2: 0,
      repeat: 0,
      opcode: 0,
      ...operands,
    };
    core.eip = full.next;
    return this.outcome(() => {
      try {
        if (own !== undefined) own(core, this.#record(full));
        else assist?.(core, full);
      } catch (error) {
        core.eip = eip;
        throw error;
      }
    });
  }
  /** A record with what assists read from records. */
  #record({ opcode, operandSize, immediate }: Operands): number {
    const { i32, u8 } = this.core;
    i32[(RECORD + L.RECORD.A) >> 2] = opcode << 16;
    i32[(RECORD + L.RECORD.IMMEDIATE) >> 2] = immediate;
    u8[RECORD + L.RECORD.SEGMENT] = operandSize === 4 ? L.RECORD_FLAG.OPERAND32 : 0;
    return RECORD;
  }
  /** MOV to a segment register. */
  load(segment: number, selector: number): Outcome | undefined {
    const { i32 } = this.core;
    i32[L.CURRENT >> 2] = RECORD;
    i32[(RECORD + L.RECORD.A) >> 2] = L.segmentOffset(segment);
    i32[L.SCRATCH >> 2] = selector;
    return this.execute("loadSegment", {});
  }
}

/** Shorthand for expected outcomes. */
export function fault(vector: number, errorCode = -1, address = 0): Outcome {
  return { vector, errorCode, address };
}
