/**
 * The engine: runs blocks, finds or decodes the next one, and delivers what happens in between.
 *
 * Wasm handlers call each other until something needs TypeScript; then they return here with the reason
 * (layout.ts `EXIT`). Instructions are counted by blocks: a block's length is charged on entry, and whoever
 * leaves in the middle gives back what did not retire. To stop at an exact instruction the record there
 * is patched with a handler that leaves.
 * Sources: SDM vol. 3A §6.9 (priority at instruction boundaries), §6.8.1 (STI, MOV SS), §17.3.1.4 (TF).
 * @module
 */
import type { Decoder } from "../isa/decode.ts";
import { IF, RF, TF } from "../state/flags.ts";
import { type Fault, VECTOR } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import {
  type Assists,
  emptyOperands,
  fillOperands,
  nextEip,
  type Operands,
  type RecordAssist,
  type RecordAssists,
} from "./assist.ts";
import { Blocks } from "./blocks.ts";
import { DR6 } from "./breakpoints.ts";
import { CodeFinder } from "./code_finder.ts";
import type { CodeCache, Core } from "./core.ts";
import type { Handlers } from "./handlers.ts";
import type { RuntimeImports } from "./runtime.ts";
import { Stops } from "./stops.ts";
import { BlockTranslator } from "./translate_block.ts";

/** Why `run` returned. */
export type StopReason = "limit" | "halted" | "shutdown" | "stopped";

/** A memory access of a traced instruction. */
export type TraceListener = (linear: number, size: number, value: number, write: boolean) => void;

/** How often the run loop was reached, and why. */
export interface RunStatistics {
  /** Stretches of instructions between two looks at events. */
  stretches: number;
  /** Searches of the block at EIP: all ways into Wasm. */
  dispatches: number;
  /** Of those, with a part of a block: the stretch ends in it. */
  partly: number;
  /** Returns because the next block was not to be found without TypeScript. */
  unlinked: number;
  /** Returns because the budget was used up, or the next block has been dropped. */
  budget: number;
  /** Returns behind a certain instruction, for an event or a change of code. */
  stopped: number;
  /** Returns because a block was hot. */
  hot: number;
  /** Faults that were thrown through Wasm. */
  faults: number;
}

function noRunStatistics(): RunStatistics {
  return {
    stretches: 0,
    dispatches: 0,
    partly: 0,
    unlinked: 0,
    budget: 0,
    stopped: 0,
    hot: 0,
    faults: 0,
  };
}

/** What makes hot code faster (translate/). */
export interface CodeTranslator {
  /** Asks for the block's code to be translated at the next occasion. */
  request(block: number): void;
  readonly pending: boolean;
  /** So much is pending that it should be done at once. */
  readonly urgent: boolean;
  /** Translates; false when everything has to be dropped to make room. */
  work(): boolean;
  /** All decoded code was dropped. */
  flushed(): void;
  /** A block is no longer what plugins want: drops what was made from it. */
  forget(block: number): void;
}

const MAX_CALLBACKS = 1 << 20;
/** V8 replaces code by better code only when it is called again: leave Wasm now and then. */
const MAX_BUDGET = 0x10000;

export class Engine implements CodeCache {
  readonly #core: Core;
  readonly blocks: Blocks;
  readonly translator: BlockTranslator;
  readonly #finder: CodeFinder;
  /** By number, of both kinds; the other kind has a hole there. */
  readonly #assists: (Assists[string] | undefined)[] = [];
  readonly #recordAssists: (RecordAssist | undefined)[] = [];
  readonly #knownAssists: Assists;
  readonly #knownRecordAssists: RecordAssists;
  /** What modules of handlers import. */
  readonly #environment: WebAssembly.ModuleImports;
  readonly #enter: (block: number) => void;
  readonly #resume: (record: number) => void;
  readonly #stops: Stops;
  #retired = 0;
  /** Instructions at the last fault. */
  #lastFault = -1;
  #stopRequested = false;
  #interruptLine = false;
  #nmi = false;
  #flushRequested = false;
  #running = false;
  readonly #operands: Operands = emptyOperands();
  /** Callbacks of hook records and listeners of trace records, by number. */
  readonly #callbacks: (() => void)[] = [];
  readonly #traces: TraceListener[] = [];
  #tracedRecord = 0;
  #listener: TraceListener | undefined = undefined;
  #codeTranslator: CodeTranslator | undefined = undefined;
  readonly #exports: Record<string, unknown>;
  /** Times that the run loop had to do something, since power-on. */
  readonly statistics: RunStatistics = noRunStatistics();
  /** All decoded code has been dropped. */
  onFlush: (() => void) | undefined = undefined;
  onIdle: (() => void) | undefined = undefined;
  onResume: (() => void) | undefined = undefined;
  /** Instruction counts at which `onTime` wants to be called; Infinity if none. */
  #nextTime = Infinity;
  onTime: (() => void) | undefined = undefined;

  constructor(
    core: Core,
    options: {
      decoder: Decoder;
      handlers: Handlers;
      assists: Assists;
      recordAssists: RecordAssists;
      module: WebAssembly.Module;
    },
  ) {
    this.#core = core;
    this.blocks = new Blocks(core);
    this.#stops = new Stops(core);
    const { decoder, handlers } = options;
    this.translator = new BlockTranslator(core, decoder, handlers, (group) => {
      this.#addGroup(handlers, group);
    });
    this.translator.isPatched = (physical, bytes) => this.blocks.isPatched(physical, bytes);
    this.translator.hasPatches = (page) => this.blocks.hasPatches(page);
    this.translator.breakpoint = () => this.addCallback(this.#breakpoint);
    this.#finder = new CodeFinder(core, this.blocks, this.translator, () => this.#flushBlocks());
    this.#knownAssists = options.assists;
    this.#knownRecordAssists = options.recordAssists;
    this.#nameAssists(handlers);
    this.#environment = { memory: core.wasmMemory, ...this.#imports() };
    const instance = new WebAssembly.Instance(options.module, { e: this.#environment });
    this.#environment["table"] = instance.exports["table"] as WebAssembly.Table;
    const pageFault = (record: number): number => this.#pageFault(record);
    const access = this.#access;
    this.#exports = { ...this.#environment, ...instance.exports, pageFault, access };
    this.#core.enterGate = instance.exports["enterGate"] as Core["enterGate"];
    this.#enter = instance.exports["enter"] as (block: number) => void;
    this.#resume = instance.exports["run"] as (record: number) => void;
  }

  /** The exports of the handlers' modules, of groups as they come, and the imports of the first. */
  get exports(): Readonly<Record<string, unknown>> {
    return this.#exports;
  }
  /** Looks up the assists that handlers name. */
  #nameAssists({ assists }: Handlers): void {
    for (const name of assists.slice(this.#assists.length)) {
      const [assist, own] = [this.#knownAssists[name], this.#knownRecordAssists[name]];
      if (assist === undefined && own === undefined) {
        throw new Error(`no semantics and no assist for ${name}`);
      }
      this.#assists.push(assist);
      this.#recordAssists.push(own);
    }
  }
  /** Makes a group of handlers and fills the table with it. */
  #addGroup(handlers: Handlers, group: number): void {
    const pages = this.#core.wasmMemory.buffer.byteLength / 0x10000;
    const module = handlers.groupModule(group, pages);
    this.#nameAssists(handlers);
    const { exports } = new WebAssembly.Instance(module, { e: this.#environment });
    for (const [name, value] of Object.entries(exports)) this.#exports[name] ??= value;
  }

  #imports(): { [K in keyof RuntimeImports]: RuntimeImports[K] } {
    const core = this.#core;
    const { i32 } = core;
    return {
      assist: (record, index) => this.#assist(record, index),
      raise: (vector, errorCode) => core.raise(vector, errorCode),
      slowRead: (linear, size) => {
        const value = core.memory.slowRead(linear, size as 1 | 2 | 4);
        if (this.#tracedRecord !== 0) this.#trace(linear, size, value, false);
        // A number beyond int32 would be boxed and converted on its way into Wasm.
        return value | 0;
      },
      slowWrite: (linear, size, value) => {
        core.memory.slowWrite(linear, size as 1 | 2 | 4, value);
        if (this.#tracedRecord !== 0) this.#trace(linear, size, value, true);
      },
      slowReadForWrite: (linear, size) => {
        const value = core.memory.slowReadForWrite(linear, size as 1 | 2 | 4);
        if (this.#tracedRecord !== 0) this.#trace(linear, size, value, false);
        // A number beyond int32 would be boxed and converted on its way into Wasm.
        return value | 0;
      },
      probeRead: (linear, size) => core.memory.probeRead(linear, size),
      probeWrite: (linear, size) => core.memory.probeWrite(linear, size),
      segmentFault: (segment) => core.raise(segment === L.segmentOffset(L.SS) ? 12 : 13, 0),
      checkBranch: () => core.raise(13, 0),
      fill: (linear, size, write) => this.#fill(linear, size, write),
      claim: (linear, bytes) => this.#claim(linear, bytes),
      hook: (record) => {
        (this.#callbacks[i32[(record + L.RECORD.A) >> 2] as number] as () => void)();
      },
      trace: (record, on) => {
        if (on === 0) this.#setTracing(0);
        else {
          this.#listener = this.#traces[i32[(record + L.RECORD.A) >> 2] as number];
          this.#setTracing(record + L.RECORD_BYTES);
        }
      },
    };
  }

  /** Drops the code in bytes that are about to be written, inside a page that nobody else looks at. */
  #claim(linear: number, bytes: number): number {
    const { i32 } = this.#core;
    const table = i32[L.TLB_WRITE >> 2] as number;
    const word = i32[(table >> 2) + (linear >>> 12)] as number;
    if ((word & L.TLB_SEEN) === 0) return 0;
    const host = (linear + (word & ~0xfff)) >>> 0;
    const physical = host - L.RAM_BASE;
    const map = i32[(L.CODE_MAPS >> 2) + (physical >>> 12)] as number;
    if (map === 0 || (map & L.CODE_MAP_TABLES) !== 0) return 0;
    this.written(physical, bytes);
    return host | 0;
  }
  /** Fills the TLB for translated code, which leaves to the interpreter what is no plain RAM or faults. */
  #fill(linear: number, size: number, write: number): number {
    const core = this.#core;
    const { i32, memory } = core;
    // Accesses that somebody watches, and those across pages, are the interpreter's.
    if ((linear & 0xfff) + size > 0x1000 || i32[L.TLB_READ >> 2] === L.TLB_TRACE) return 0;
    if (i32[L.WATCHING >> 2] !== 0) return 0;
    const host = memory.fill(linear, size, (write & 1) !== 0);
    if (host === 0 && write & 2 && this.#plainEvents()) {
      if (memory.missed >= 0) {
        core.fault.set(VECTOR.PF, memory.missed, linear);
        i32[L.FAULT_DUE >> 2] = 1;
      }
    }
    return host;
  }
  /** Nothing wants to look at instruction boundaries: no single step, no breakpoint, no listener. */
  #plainEvents(): boolean {
    const { i32 } = this.#core;
    return i32[L.UNUSUAL >> 2] === 0 && ((i32[L.EFLAGS >> 2] as number) & (TF | RF)) === 0 &&
      i32[L.STOP_REQUESTED >> 2] === 0;
  }
  /** Delivers the page fault for which a region left at a record; 1 when its code may go on at EIP. */
  #pageFault(record: number): number {
    const { fault, i32 } = this.#core;
    i32[L.FAULT_DUE >> 2] = 0;
    i32[L.CURRENT >> 2] = record;
    this.#unwind(fault);
    this.#account();
    const before = this.#retired;
    this.#deliver();
    // The instruction that a repeated fault counts as is paid for too.
    const more = this.#retired - before;
    for (const word of [L.BUDGET, L.BUDGET_START]) {
      i32[word >> 2] = (i32[word >> 2] as number) - more;
    }
    if (!this.#mustLook() && (i32[L.BUDGET >> 2] as number) > 0) return 1;
    i32[L.EXIT_REASON >> 2] = L.EXIT.DISPATCH;
    return 0;
  }
  /** From now on blocks are counted, and given to the translator after `threshold` entries. */
  translateWith(translator: CodeTranslator, threshold: number): void {
    this.#codeTranslator = translator;
    this.translator.hotAfter = threshold;
    this.flush();
  }

  // ---- assists ----------------------------------------------------------------------------------

  #assist(record: number, index: number): number {
    const core = this.#core;
    const { i32 } = core;
    i32[L.CURRENT >> 2] = record;
    const number = index < 0 ? (i32[(record + L.RECORD.A) >> 2] as number) & 0xffff : index;
    const own = this.#recordAssists[number];
    if (own !== undefined) {
      i32[L.EIP >> 2] = nextEip(core, record);
      own(core, record);
    } else {
      const operands = this.#operands;
      fillOperands(core, record, operands);
      i32[L.EIP >> 2] = operands.next;
      (this.#assists[number] as Assists[string])(core, operands);
    }
    return this.#mustLook() ? 1 : 0;
  }

  // ---- counting ---------------------------------------------------------------------------------

  instructions(): number {
    const { i32, u8 } = this.#core;
    const current = i32[L.CURRENT >> 2] as number;
    const done = (i32[L.BUDGET_START >> 2] as number) - (i32[L.BUDGET >> 2] as number) -
      this.#stops.stolen;
    return this.#retired + done -
      (current === 0 ? 0 : u8[current + L.RECORD.REMAINING] as number);
  }

  /** EIP of the instruction that is executing, or at the boundary. */
  eip(): number {
    const { i32 } = this.#core;
    const current = i32[L.CURRENT >> 2] as number;
    const { jump } = this.#stops;
    if (jump !== undefined) return jump;
    return i32[(current === 0 ? L.EIP : current + L.RECORD.EIP) >> 2] as number;
  }

  // ---- code cache -------------------------------------------------------------------------------

  hasCode(page: number): boolean {
    return this.blocks.hasCode(page);
  }
  written(physical: number, length: number): void {
    // The running block may be among them: then it ends after this instruction.
    if (this.blocks.written(physical, length)) this.#stopBeforeInstruction();
  }
  /** Drops blocks whose bytes are the same but whose hooks are not; from the next instruction on they are new. */
  drop(blocks: Iterable<number>): void {
    const dropped = [...blocks];
    for (const block of dropped) {
      this.#codeTranslator?.forget(block);
      this.blocks.discard(block);
    }
    this.blocks.prune(dropped);
    if (dropped.length > 0) this.stopAfterInstruction();
  }
  /** Drops all decoded code before the next instruction. */
  flush(): void {
    if (this.#running) {
      this.#flushRequested = true;
      this.stopAfterInstruction();
    } else this.#flushBlocks();
  }

  stopAfterInstruction(): void {
    if (this.#running && this.#core.i32[L.CURRENT >> 2] !== 0) this.#stops.after();
  }
  /** The same, but before the instruction that a callback is before. */
  #stopBeforeInstruction(): void {
    if (this.#running && this.#core.i32[L.CURRENT >> 2] !== 0) this.#stops.before();
  }
  /** Flags, segments or mode were set from outside: looks at them before the next instruction. */
  stateSet(): void {
    this.#stopBeforeInstruction();
  }
  /** EIP was set from outside. */
  jumped(): void {
    if (this.#running) this.#stops.jumped();
  }

  // ---- events -----------------------------------------------------------------------------------

  requestStop(): void {
    this.#stopRequested = true;
    this.#attention();
  }
  setInterruptLine(asserted: boolean): void {
    this.#interruptLine = asserted;
    this.#attention();
  }
  nmi(): void {
    this.#nmi = true;
    this.#attention();
  }
  #attention(): void {
    const { i32, nmiBlocked } = this.#core;
    const other = this.#stopRequested || (this.#nmi && !nmiBlocked);
    const pending = (this.#interruptLine ? L.EVENT.INTERRUPT : 0) | (other ? L.EVENT.OTHER : 0);
    i32[L.EVENT_PENDING >> 2] = pending;
    if (pending === 0 || !this.#running) return;
    if (this.#stopRequested) this.#stopBeforeInstruction();
    else if (other || (i32[L.EFLAGS >> 2] as number) & IF) this.stopAfterInstruction();
  }
  /** Forgets pending events and decoded code: RESET. */
  reset(): void {
    this.#nmi = false;
    this.#core.nmiBlocked = false;
    this.#stopRequested = false;
    this.#tracedRecord = 0;
    this.#attention();
    this.flush();
  }

  // ---- tracing ----------------------------------------------------------------------------------

  #setTracing(record: number): void {
    const core = this.#core;
    this.#tracedRecord = record;
    core.accessed = record === 0 ? undefined : this.#onAccess;
    if (record !== 0) core.missAlways();
    else core.updateTlbPointers();
  }
  readonly #onAccess: TraceListener = (linear, size, value, write) => {
    this.#trace(linear, size, value, write);
  };
  #trace(linear: number, size: number, value: number, write: boolean): void {
    if (this.#core.i32[L.CURRENT >> 2] !== this.#tracedRecord) {
      // The traced instruction ended its block.
      this.#setTracing(0);
      return;
    }
    this.#listener?.(linear, size, value, write);
  }

  /** An access of translated code, whose listener a record names. */
  readonly #access = (
    record: number,
    linear: number,
    size: number,
    value: number,
    write: number,
  ) => {
    this.#traces[this.#core.i32[(record + L.RECORD.A) >> 2] as number]?.(
      linear,
      size,
      value,
      write !== 0,
    );
  };

  // ---- instrumentation --------------------------------------------------------------------------

  /** Number of a callback, for a hook record. */
  addCallback(callback: () => void): number {
    this.#limitInstrumentation();
    return this.#callbacks.push(callback) - 1;
  }
  /** Number of a listener, for a trace record. */
  addTrace(listener: TraceListener): number {
    this.#limitInstrumentation();
    return this.#traces.push(listener) - 1;
  }
  /** Dropped blocks leave their callbacks behind: beyond a limit all code is dropped. */
  #limitInstrumentation(): void {
    if (this.#callbacks.length + this.#traces.length >= MAX_CALLBACKS) this.#flushRequested = true;
  }
  #translate(): void {
    if (this.#codeTranslator?.work() === false) this.#flushBlocks();
  }
  #flushBlocks(): void {
    // Another instruction may come to have the same record.
    if (this.#tracedRecord !== 0) this.#setTracing(0);
    this.blocks.flush();
    this.#codeTranslator?.flushed();
    this.#callbacks.length = 0;
    this.#traces.length = 0;
    this.onFlush?.();
  }
  /** The instruction count at which `onTime` is due. */
  setNextTime(at: number): void {
    this.#nextTime = at;
    if (this.#running) this.stopAfterInstruction();
  }

  // ---- the run loop -----------------------------------------------------------------------------

  /** Runs at most `limit` instructions. */
  run(limit: number): StopReason {
    const core = this.#core;
    const { i32, debug } = core;
    const end = this.#retired + Math.ceil(limit);
    if (this.#running) {
      throw new TypeError("Cannot run the processor from inside one of its callbacks");
    }
    this.#running = true;
    try {
      for (;;) {
        if (this.#codeTranslator?.pending === true) this.#translate();
        // Debug traps come before interrupts (SDM vol. 3A Table 6-2): here the T bit of a task that an event started.
        if (debug.pending !== 0 && (i32[L.INTERRUPT_SHADOW >> 2] as number) < 2) this.#debugTrap();
        const reason = this.#boundary();
        if (reason !== undefined) return reason;
        // A callback at the boundary has changed what is hooked.
        if (this.#flushRequested) continue;
        const shadow = i32[L.INTERRUPT_SHADOW >> 2] as number;
        if (debug.pending !== 0 && shadow < 2) continue;
        if (this.#retired >= end) return "limit";
        const flags = i32[L.EFLAGS >> 2] as number;
        const step = shadow !== 0 || (flags & (TF | RF)) !== 0;
        const until = Math.min(end, this.#nextTime) - this.#retired;
        core.enteredHandler = false;
        core.resumeFlagLoaded = false;
        debug.inhibited = shadow >= 2;
        i32[L.INTERRUPT_SHADOW >> 2] = 0;
        const exact = step || until <= MAX_BUDGET;
        const before = this.#retired;
        if (this.#stretch(step ? 1 : Math.min(until, MAX_BUDGET), exact)) continue;
        if (this.#retired === before && (this.#stops.hasBegun || this.#flushRequested)) {
          // No instruction has ended: what waits for that still does.
          i32[L.INTERRUPT_SHADOW >> 2] = shadow;
          continue;
        }
        // RF holds until its instruction is done, a repeated one until its last element.
        if (flags & RF && !core.resumeFlagLoaded && i32[L.SUSPENDED >> 2] === 0) {
          i32[L.EFLAGS >> 2] = (i32[L.EFLAGS >> 2] as number) & ~RF;
        }
        this.#trapAfter(flags);
      }
    } finally {
      this.#running = false;
      this.#stopRequested = false;
      this.#attention();
    }
  }

  /** What is due at an instruction boundary; a reason to return, or undefined. */
  #boundary(): StopReason | undefined {
    const core = this.#core;
    const { i32 } = core;
    if (this.#flushRequested) {
      this.#flushRequested = false;
      this.#flushBlocks();
    }
    if (core.shutdown) return "shutdown";
    if (this.#retired >= this.#nextTime) this.onTime?.();
    if (this.#stopRequested) {
      this.#stopRequested = false;
      this.#attention();
      return "stopped";
    }
    // IRET may have let NMI in again.
    if ((i32[L.EVENT_PENDING >> 2] as number) & L.EVENT.OTHER) this.#attention();
    if (this.#nmi && !core.nmiBlocked && (i32[L.INTERRUPT_SHADOW >> 2] as number) < 2) {
      this.#nmi = false;
      core.nmiBlocked = true;
      this.#attention();
      this.#wake();
      this.#stops.forget();
      if (!core.events.interrupt(2)) core.shutdown = true;
    } else if (
      this.#interruptLine && (i32[L.EFLAGS >> 2] as number) & IF &&
      i32[L.INTERRUPT_SHADOW >> 2] === 0
    ) {
      this.#wake();
      this.#stops.forget();
      const vector = core.bus.acknowledgeInterrupt();
      if (!core.events.interrupt(vector)) core.shutdown = true;
    }
    if (core.shutdown) return "shutdown";
    if (i32[L.HALTED >> 2] !== 0) {
      if (this.onIdle) this.#idle();
      return "halted";
    }
    return undefined;
  }
  /** Between two elements of a repeated instruction the frame gets RF (SDM vol. 3A §17.3.1.1). */
  #resumeBehind(): void {
    const { i32 } = this.#core;
    if (i32[L.SUSPENDED >> 2] !== 0) i32[L.EFLAGS >> 2] = (i32[L.EFLAGS >> 2] as number) | RF;
    i32[L.SUSPENDED >> 2] = 0;
  }
  #idleReported = false;
  #idle(): void {
    if (this.#idleReported) return;
    this.#idleReported = true;
    this.onIdle?.();
  }
  #wake(): void {
    this.#resumeBehind();
    this.#core.i32[L.HALTED >> 2] = 0;
    if (this.#idleReported) {
      this.#idleReported = false;
      this.onResume?.();
    }
  }

  /**
   * Runs at most `budget` instructions, up to the next event. Returns whether a fault was delivered.
   *
   * Not `exact`: the budget is no moment at which something happens, and the last block is left whole. Its parts would
   * be blocks of their own, and a loop would come to have a region for each instruction at which a budget has ended.
   */
  #stretch(budget: number, exact: boolean): boolean {
    const core = this.#core;
    const { i32 } = core;
    const { statistics } = this;
    statistics.stretches++;
    i32[L.BUDGET >> 2] = budget;
    i32[L.BUDGET_START >> 2] = budget;
    const ticks = (core.bus.timestamp?.() ?? this.#retired) + budget;
    i32[L.TSC_BASE >> 2] = ticks | 0;
    i32[(L.TSC_BASE >> 2) + 1] = Math.floor(ticks / 0x1_0000_0000);
    // A branch that ended the last stretch may have been followed by an interrupt: its target is another block.
    i32[L.LINK_SLOT >> 2] = 0;
    let faulted = false;
    let dead = 0;
    let refused = false;
    try {
      for (;;) {
        i32[L.CURRENT >> 2] = 0;
        const left = i32[L.BUDGET >> 2] as number;
        if (left <= 0) break;
        const suspended = i32[L.SUSPENDED >> 2] as number;
        i32[L.SUSPENDED >> 2] = 0;
        const link = i32[L.LINK_SLOT >> 2] as number;
        i32[L.LINK_SLOT >> 2] = 0;
        const { flushes } = this.blocks.statistics;
        const block = this.#finder.find();
        statistics.dispatches++;
        if (this.#flushRequested) {
          // A plugin that saw the block has hooked other code too.
          i32[L.SUSPENDED >> 2] = suspended;
          break;
        }
        // Had the arena been emptied, the link and the dead block would be in someone else's records.
        if (flushes === this.blocks.statistics.flushes) {
          if (link !== 0) this.#finder.link(link, block);
          if (dead !== 0) this.#finder.forward(dead, block);
        }
        dead = 0;
        const real = i32[(block + L.BLOCK.REAL) >> 2] as number;
        const counted = real === 0 ? block : real;
        const whole = (i32[counted >> 2] as number) <= left;
        if (this.#stops.hasBegun && (whole || exact)) this.#enterBehind(counted, left);
        // A region that has refused wants more than its first block: the interpreter does that block.
        else if (whole) this.#enter(refused ? counted : block);
        else if (!exact) {
          i32[L.SUSPENDED >> 2] = suspended;
          break;
        } else {
          statistics.partly++;
          this.#enterPartly(counted, left);
        }
        const stopped = this.#stops.restore();
        if (this.#tracedRecord !== 0) this.#setTracing(0);
        i32[L.CURRENT >> 2] = 0;
        refused = false;
        const reason = i32[L.EXIT_REASON >> 2] as number;
        if (reason === L.EXIT.STOP) {
          this.#stops.arrive();
          statistics.stopped++;
          i32[L.LINK_SLOT >> 2] = 0;
          break;
        }
        if (reason === L.EXIT.HOT) {
          statistics.hot++;
          this.#codeTranslator?.request(i32[L.ENTRY_BLOCK >> 2] as number);
          if (this.#codeTranslator?.urgent === true) this.#translate();
          if (!stopped) continue;
        }
        if (reason === L.EXIT.DISPATCH) statistics.unlinked++;
        else if (reason === L.EXIT.BUDGET) {
          statistics.budget++;
          i32[L.LINK_SLOT >> 2] = 0;
          const entry = i32[L.ENTRY_BLOCK >> 2] as number;
          if (i32[entry >> 2] === L.DEAD_LENGTH) dead = entry;
          else if (exact) refused = true;
          else break;
          // Where this began nothing was due that does not wait for an instruction.
          if (i32[L.BUDGET >> 2] === left) continue;
        }
        // Behind a block's last instruction nothing else tells of a stop.
        if (stopped || this.#mustLook()) break;
      }
    } catch (error) {
      this.#stops.restore();
      this.#stops.forget();
      if (error !== core.fault) {
        // A mistake of a callback: the state is that before the instruction.
        core.fault.trap = false;
        this.#unwind(core.fault);
        this.#account();
        throw error;
      }
      statistics.faults++;
      const fetching = i32[L.CURRENT >> 2] === 0;
      this.#unwind(core.fault);
      core.debug.pending = 0;
      // A code breakpoint comes before a fault of the fetch (SDM vol. 3A Table 6-2).
      if (fetching) this.#codeBreakpoint();
      faulted = true;
    }
    this.#account();
    if (faulted) this.#deliver();
    return faulted;
  }
  /** Whether something is due at the next boundary. An interrupt that IF holds back is not. */
  #mustLook(): boolean {
    const core = this.#core;
    const { i32 } = core;
    const pending = i32[L.EVENT_PENDING >> 2] as number;
    const flags = i32[L.EFLAGS >> 2] as number;
    const state = (i32[L.HALTED >> 2] as number) | (i32[L.INTERRUPT_SHADOW >> 2] as number) |
      (flags & (TF | RF));
    return state !== 0 ||
      (pending !== 0 && (pending !== L.EVENT.INTERRUPT || (flags & IF) !== 0)) ||
      core.debug.pending !== 0 || this.#flushRequested || core.shutdown;
  }
  /** Books the instructions of the stretch. */
  #account(): void {
    const { i32 } = this.#core;
    this.#retired += (i32[L.BUDGET_START >> 2] as number) - (i32[L.BUDGET >> 2] as number);
    i32[L.BUDGET_START >> 2] = i32[L.BUDGET >> 2] as number;
  }
  /** After a fault inside a block: EIP and count as before (trap: after) the instruction. */
  #unwind(fault: Fault): void {
    const { i32, u8 } = this.#core;
    const record = i32[L.CURRENT >> 2] as number;
    i32[L.CURRENT >> 2] = 0;
    i32[L.LINK_SLOT >> 2] = 0;
    if (this.#tracedRecord !== 0) this.#setTracing(0);
    if (record === 0) return;
    const left = u8[record + L.RECORD.REMAINING] as number;
    if (fault.trap) i32[L.BUDGET >> 2] = (i32[L.BUDGET >> 2] as number) + left - 1;
    else {
      i32[L.EIP >> 2] = i32[(record + L.RECORD.EIP) >> 2] as number;
      i32[L.BUDGET >> 2] = (i32[L.BUDGET >> 2] as number) + left;
    }
  }
  #deliver(): void {
    const core = this.#core;
    this.#stops.forget();
    // A handler that faults at its first instruction would stop time: each such fault counts as one.
    if (this.#retired === this.#lastFault) this.#retired++;
    this.#lastFault = this.#retired;
    const { fault } = core;
    if (fault.vector === 14) core.i32[L.CR2 >> 2] = fault.address;
    if (!core.events.deliver(fault)) core.shutdown = true;
  }
  /** #DB for the instruction that has ended, begun with `flags`. Behind MOV SS it waits, a single step is dropped. */
  #trapAfter(flags: number): void {
    const { i32, debug, enteredHandler } = this.#core;
    const shadowed = (i32[L.INTERRUPT_SHADOW >> 2] as number) >= 2;
    if (flags & TF && !enteredHandler && !shadowed) debug.pending |= DR6.BS;
    if (debug.pending !== 0 && !shadowed) this.#debugTrap();
  }
  #debugTrap(): void {
    const core = this.#core;
    const dr6 = (L.DR >> 2) + 6;
    core.i32[dr6] = (core.i32[dr6] as number) | core.debug.pending;
    core.debug.pending = 0;
    core.fault.set(1);
    core.fault.trap = true;
    this.#deliver();
  }

  /** Makes the fault #DB when a code breakpoint is at EIP. Returns whether there is one. */
  #codeBreakpoint(): boolean {
    const core = this.#core;
    if ((core.i32[L.EFLAGS >> 2] as number) & RF) return false;
    const bits = core.debug.codeHits(core.segmentBase(L.CS) + this.eip());
    if (bits === 0) return false;
    const dr6 = (L.DR >> 2) + 6;
    core.i32[dr6] = (core.i32[dr6] as number) | bits;
    core.fault.set(1);
    return true;
  }
  readonly #breakpoint = (): void => {
    if (this.#codeBreakpoint()) throw this.#core.fault;
  };

  /** Runs the first `count` instructions of a block that is longer. */
  #enterPartly(block: number, count: number): void {
    const { i32 } = this.#core;
    const length = i32[block >> 2] as number;
    const first = block + L.BLOCK_BYTES;
    this.#stops.atRemaining(first, length - count);
    i32[L.BUDGET >> 2] = count - length;
    this.#resume(first);
  }
  /** Runs a block, or its first `left` instructions, without what is before the first one: that has run. */
  #enterBehind(block: number, left: number): void {
    const { i32 } = this.#core;
    const length = i32[block >> 2] as number;
    const first = this.#stops.takeUp(block);
    if (length > left) this.#stops.atRemaining(first, length - left);
    i32[L.BUDGET >> 2] = left - length;
    this.#resume(first);
  }
}
