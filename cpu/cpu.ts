/**
 * The processor as a board sees it: pins, memory, registers, and a way to run it.
 * Sources: SDM vol. 3A §9.1 (state after reset), Table 9-1; Multiboot 0.6.96 §3.2 (entry state of a kernel).
 * @module
 */
import {
  createEventUnit,
  eventFunctions,
  eventSemantics,
  systemAssists,
  systemRecordAssists,
} from "./events/mod.ts";
import type { Assists } from "./execute/assist.ts";
import { integerAssists } from "./execute/assists.ts";
import { Core } from "./execute/core.ts";
import { Engine, type RunStatistics, type StopReason } from "./execute/engine.ts";
import { Handlers } from "./execute/handlers.ts";
import { integerSemantics } from "./execute/semantics/mod.ts";
import type { Bus, PhysicalMemory } from "./execute/units.ts";
import { fpuAssists, fpuRegisters, fpuSemantics, transcendentalSemantics } from "./fpu/mod.ts";
import { Hooks } from "./hooks.ts";
import { Decoder } from "./isa/decode.ts";
import type { Row } from "./isa/row.ts";
import { INTEGER } from "./isa/table.ts";
import { SIMD } from "./isa/simd.ts";
import { SIMD_FLOAT } from "./isa/simd_float.ts";
import { X87 } from "./isa/x87.ts";
import { createMemoryUnit } from "./memory/mod.ts";
import {
  floatSemantics,
  mmxRegisters,
  simdAssists,
  simdSemantics,
  sseRegisters,
} from "./simd/mod.ts";
import * as L from "./state/layout.ts";
import { attachTranslator, type Translator, type TranslatorStatistics } from "./translate/mod.ts";
import { Registers } from "./state/registers.ts";
import {
  type CpuModel,
  DEFAULT_MODEL,
  findModel,
  type Model,
  resetMsrs,
  timeSemantics,
} from "./system/mod.ts";

const ASSISTS: Assists = {
  ...integerAssists,
  ...systemAssists,
  ...fpuAssists,
  ...simdAssists,
};

const ROWS: readonly Row[] = [...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT];
/** Handlers are the same for all processors of a program, whatever their model; made once, on first use. */
let handlers: Handlers | undefined;
/** Decoders by model. */
const decoders = new Map<string, Decoder>();
/** The handlers' module by pages of memory, which it declares. */
const modules = new Map<number, WebAssembly.Module>();

function instructionSet({ name, features }: Model): { decoder: Decoder; handlers: Handlers } {
  let decoder = decoders.get(name);
  if (decoder === undefined) {
    decoder = new Decoder(ROWS, (feature) => features.has(feature));
    decoders.set(name, decoder);
  }
  handlers ??= new Handlers(
    decoder,
    { ...integerSemantics, ...timeSemantics, ...eventSemantics },
    [fpuSemantics, transcendentalSemantics, simdSemantics, floatSemantics],
    eventFunctions,
  );
  return { decoder, handlers };
}

/** An i386-family processor with its RAM. */
export class Cpu {
  /** Physical memory, for loaders, DMA and plugins. Writes drop decoded code that they touch. */
  readonly memory: PhysicalMemory;
  /** Registers by gdb's names. */
  readonly registers: Registers;
  /** How instrumentation attaches. */
  readonly hooks: Hooks;
  /** Which processor it is. */
  readonly model: CpuModel;
  readonly #translator: Translator | undefined;
  readonly #core: Core;
  readonly #engine: Engine;

  /**
   * `ramBytes`: 4096..3 GiB, a multiple of 4096. `romBytes`: room for ROMs (`memory.installRom`), default
   * none. `model`: which processor, default "p3". `translateAfter`: entries of a block until it is translated, 1 for
   * at once, 0 (the default) to interpret everything; what the guest does is the same. `now`: host milliseconds, given
   * by those who want times in `translation` and `translationCounts`; the guest does not see it. `translationLimit`:
   * most bytes of Wasm that stay, default 32 MiB; the host takes about four times as many. `nameCode`: what the functions
   * of translated code are called in the host's profiles, by linear address; default `g` and EIP. Throws RangeError
   * otherwise, or when the host has not enough memory. The processor is in its state after reset.
   */
  constructor(
    options: {
      ramBytes: number;
      romBytes?: number;
      bus: Bus;
      model?: CpuModel;
      translateAfter?: number;
      now?: (() => number) | undefined;
      translationLimit?: number | undefined;
      nameCode?: ((linear: number) => string | undefined) | undefined;
    },
  ) {
    const { decoder, handlers } = instructionSet(findModel(options.model ?? DEFAULT_MODEL));
    const core = new Core(options);
    this.#core = core;
    this.model = core.model.name;
    const pages = L.memoryPages(options.ramBytes + (options.romBytes ?? 0));
    let module = modules.get(pages);
    if (module === undefined) {
      module = new WebAssembly.Module(handlers.build(pages));
      modules.set(pages, module);
    }
    core.memory = createMemoryUnit(core);
    core.events = createEventUnit(core);
    this.#engine = new Engine(core, {
      decoder,
      handlers,
      assists: ASSISTS,
      recordAssists: systemRecordAssists,
      module,
    });
    core.code = this.#engine;
    const { translateAfter: threshold = 0 } = options;
    if (!(threshold >= 0)) throw new RangeError(`Cannot translate after ${threshold} entries`);
    if (threshold > 0) {
      const engine = this.#engine;
      const { now, translationLimit: limit, nameCode } = options;
      this.#translator = attachTranslator({
        core,
        engine,
        handlers,
        threshold,
        now,
        limit,
        nameCode,
      });
    }
    this.memory = core.memory.physical;
    this.hooks = new Hooks(core, this.#engine);
    this.registers = new Registers(core, () => this.#engine.eip(), [
      fpuRegisters(core),
      ...(core.model.features.has("mmx") ? [mmxRegisters(core)] : []),
      ...(core.model.features.has("sse") ? [sseRegisters(core)] : []),
    ]);
    this.reset();
  }

  /** INTR pin, level. */
  setInterruptLine(asserted: boolean): void {
    this.#engine.setInterruptLine(asserted);
  }
  /** A20M# pin: shut, bit 20 of physical addresses is 0. */
  setA20(open: boolean): void {
    this.#core.memory.setA20(open);
    this.#core.stateSet();
  }
  /** NMI pin, one edge. */
  nmi(): void {
    this.#engine.nmi();
  }

  /** RESET: real mode, execution at F000:FFF0 (physical FFFFFFF0h); RAM and the instruction count stay. */
  reset(): void {
    const core = this.#core;
    const { i32 } = core;
    // The count goes on, also when a port write of the guest is what resets it.
    const kept = [L.BUDGET, L.BUDGET_START, L.CURRENT].map((at) => i32[at >> 2] as number);
    const epoch = (i32[L.MODE_WORD >> 2] as number) & ~L.MODE_MASK;
    i32.fill(0, 0, L.FPU_SCRATCH >> 2);
    [i32[L.BUDGET >> 2], i32[L.BUDGET_START >> 2], i32[L.CURRENT >> 2]] = kept as [
      number,
      number,
      number,
    ];
    i32[L.MODE_WORD >> 2] = epoch;
    i32[(L.NO_BLOCK + L.BLOCK.TLB_WORD) >> 2] = L.TLB_NEVER;
    i32[L.EFLAGS_EXISTING >> 2] = core.model.eflags;
    core.eflags = 2;
    i32[L.EIP >> 2] = 0xfff0;
    i32[L.EDX >> 2] = core.model.signature;
    i32[L.CR0 >> 2] = core.model.cr0Reset;
    i32[(L.DR >> 2) + 6] = 0xffff0ff0 | 0;
    i32[(L.DR >> 2) + 7] = 0x400;
    i32[L.FPU_CONTROL >> 2] = 0x40;
    i32[L.FPU_TAG >> 2] = 0xff;
    i32[L.MXCSR >> 2] = 0x1f80;
    i32[L.MXCSR_MASK >> 2] = core.model.mxcsr;
    i32[L.GDTR_LIMIT >> 2] = 0xffff;
    i32[L.IDTR_LIMIT >> 2] = 0xffff;
    for (const segment of [L.ES, L.SS, L.DS, L.FS, L.GS]) {
      core.setSegment(segment, 0, 0, 0xffff, 0x93);
    }
    core.setSegment(L.CS, 0xf000, 0xffff0000 | 0, 0xffff, 0x93);
    core.setSegment(L.LDTR, 0, 0, 0xffff, 0x82);
    core.setSegment(L.TR, 0, 0, 0xffff, 0x8b);
    core.debug.pending = 0;
    core.debug.refresh();
    resetMsrs(core);
    core.shutdown = false;
    core.memory.flush();
    core.codeMappingChanged();
    core.updateMode();
    this.#engine.reset();
    core.jumped();
    this.hooks.notifyReset();
  }

  /**
   * Puts the processor into the state in which a boot protocol enters a kernel: protected mode, paging
   * off, CS DS ES SS FS GS flat with 4 GiB, CPL 0, interrupts off; general registers 0 if not given. The
   * selectors are 08h and 10h if not given; without `gdt` GDTR stays.
   */
  enterFlatProtectedMode(state: {
    eip: number;
    eax?: number;
    ebx?: number;
    esi?: number;
    esp?: number;
    gdt?: { base: number; limit: number };
    codeSelector?: number;
    dataSelector?: number;
  }): void {
    const core = this.#core;
    const { i32 } = core;
    i32[L.CR0 >> 2] = 0x11;
    i32[L.CPL >> 2] = 0;
    core.eflags = 2;
    core.setSegment(L.CS, state.codeSelector ?? 0x08, 0, 0xffffffff, 0xc09b);
    for (const segment of [L.ES, L.SS, L.DS, L.FS, L.GS]) {
      core.setSegment(segment, state.dataSelector ?? 0x10, 0, 0xffffffff, 0xc093);
    }
    if (state.gdt !== undefined) {
      i32[L.GDTR_BASE >> 2] = state.gdt.base;
      i32[L.GDTR_LIMIT >> 2] = state.gdt.limit;
    }
    i32[L.EIP >> 2] = state.eip;
    for (const register of [L.ECX, L.EDX, L.EBP, L.EDI]) i32[register >> 2] = 0;
    i32[L.EAX >> 2] = state.eax ?? 0;
    i32[L.EBX >> 2] = state.ebx ?? 0;
    i32[L.ESI >> 2] = state.esi ?? 0;
    i32[L.ESP >> 2] = state.esp ?? 0;
    core.memory.flush();
    core.codeMappingChanged();
    core.updateMode();
    core.jumped();
  }

  /** Retired instructions since power-on, exact even inside a port or memory access. < 2^53. */
  get instructions(): number {
    return this.#engine.instructions();
  }
  /** True between HLT and the interrupt that ends it. */
  get halted(): boolean {
    return this.#core.i32[L.HALTED >> 2] !== 0;
  }
  /** Operand size of the current code segment: 16 or 32. */
  get codeBits(): 16 | 32 {
    return (this.#core.i32[L.MODE_WORD >> 2] as number) & L.MODE.CODE32 ? 32 : 16;
  }
  /** Physical address of a linear address, or undefined if it is not mapped; changes nothing. */
  translate(linear: number): number | undefined {
    const physical = this.#core.memory.probe(linear | 0);
    return physical === -1 ? undefined : physical >>> 0;
  }

  /**
   * Runs at most `limit` instructions (a positive integer). Returns early when halted with no interrupt
   * to take, shut down by a triple fault, or asked to stop. Throws what a callback throws, with the state
   * before the instruction. Throws RangeError for a limit that is not positive, TypeError when called from inside a
   * callback.
   */
  run(limit: number): StopReason {
    if (!(limit > 0)) throw new RangeError(`Cannot run ${limit} instructions`);
    return this.#engine.run(limit);
  }
  /** Makes the running `run` return at the next instruction boundary. */
  requestStop(): void {
    this.#engine.requestStop();
  }
  /** What was translated; undefined when everything is interpreted. */
  get translation(): Readonly<TranslatorStatistics> | undefined {
    return this.#translator?.statistics;
  }
  /**
   * What translated code did, by name; only of a processor that was given `now`. "translated": instructions; "handler X",
   * "assist X": instructions X left to the interpreter or to TypeScript from within; "bail X: why": ways out of it
   * before an instruction X, and "interpreted behind": instructions up to the next way in.
   */
  get translationCounts(): ReadonlyMap<string, number> {
    return this.#translator?.counters?.counts() ?? new Map();
  }
  /** How often the run loop was reached, and why. */
  get runStatistics(): Readonly<RunStatistics> {
    return this.#engine.statistics;
  }
  /** Blocks decoded and dropped, times that the arena of decoded code was emptied. */
  get codeStatistics(): Readonly<{ decoded: number; dropped: number; flushes: number }> {
    return this.#engine.blocks.statistics;
  }
}
