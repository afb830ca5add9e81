/**
 * Hooks: how instrumentation attaches to the processor.
 *
 * Hooks on code are records in the decoded stream, made when a block is translated; code without hooks
 * pays nothing. Hooks on events are functions that are absent until someone subscribes.
 * @module
 */
import type { Watch } from "./execute/breakpoints.ts";
import type { Core } from "./execute/core.ts";
import type { Engine, TraceListener } from "./execute/engine.ts";
import type { DecodedInstruction, Instrumentation } from "./execute/translate_block.ts";
import { COUNTERS, COUNTERS_MAX, UNUSUAL_FOR } from "./state/layout.ts";

/** An interrupt, exception, software interrupt or return from one. */
export interface DiscontinuityEvent {
  /** External interrupt, exception, INT n, or IRET. */
  type: "interrupt" | "exception" | "software" | "iret";
  /** 0..255; −1 for IRET. */
  vector: number;
  /** What was pushed, or undefined when the vector has none. */
  errorCode: number | undefined;
  /** EIP before. */
  from: number;
  /** EIP after. */
  to: number;
  /** CR2 for a page fault, else 0. */
  address: number;
}

/** A port access by IN, OUT, INS or OUTS; for reads after it was made. */
export interface PortEvent {
  /** 0..FFFFh. */
  port: number;
  /** Bytes. */
  size: 1 | 2 | 4;
  /** What was read or written, unsigned. */
  value: number;
  /** True for OUT and OUTS. */
  write: boolean;
}

/** A memory access of an instruction, after it succeeded. Larger ones come in parts of 4 bytes. */
export interface MemoryEvent {
  /** Linear address. */
  address: number;
  /** Physical address. */
  physical: number;
  /** Bytes. */
  size: 1 | 2 | 4 | 8 | 10;
  /** True for a write. */
  write: boolean;
  /** What was read or written, unsigned. */
  value: number | bigint;
  /** True when no RAM answered. */
  io: boolean;
}

/** A 64-bit counter in linear memory, for inline operations. */
export interface Counter {
  /** Its present value, modulo 2^64. */
  value: bigint;
  /** Number of the counter. */
  readonly index: number;
}

/** An instruction that is being translated. */
export interface TranslatedInstruction {
  /** Linear address of its first byte. */
  readonly address: number;
  /** Physical address of its first byte. */
  readonly physical: number;
  /** Length in bytes. */
  readonly size: number;
  /** Its bytes, a copy. */
  bytes(): Uint8Array;
  /** Calls back before the instruction; the state is exact. */
  onExecute(callback: () => void): void;
  /** Adds to a counter before the instruction. `amount`: −2^31…2^31−1. */
  addInline(counter: Counter, amount: number): void;
  /** Calls back after each successful memory access of the instruction. */
  onMemory(callback: (access: MemoryEvent) => void, which?: "r" | "w" | "rw"): void;
}

/** A block that is being translated, before it first runs. */
export interface TranslationBlock {
  /** Linear address of its first instruction. */
  readonly address: number;
  /** Physical address of its first instruction. */
  readonly physical: number;
  /** Its instructions in order. */
  readonly instructions: readonly TranslatedInstruction[];
  /** As on the first instruction. */
  onExecute(callback: () => void): void;
  /** As on the first instruction. */
  addInline(counter: Counter, amount: number): void;
}

/** Linear addresses. */
export interface AddressRange {
  /** The first, 0..2^32−1. */
  readonly start: number;
  /** Behind the last, up to 2^32. */
  readonly end: number;
}

/** Someone who looks at blocks. */
interface Translating {
  readonly callback: (block: TranslationBlock) => void;
  readonly range: AddressRange | undefined;
  /** Decoded blocks that have hooks of this one: they are what goes when it goes. */
  readonly blocks: Set<number>;
}

/** Behind the last linear address. */
const END = 2 ** 32;

type Action = Instrumentation["before"][number];

class Translated implements TranslatedInstruction {
  readonly #decoded: DecodedInstruction;
  readonly #hooks: Hooks;
  readonly before: Action[] = [];
  readonly listeners: { callback: (access: MemoryEvent) => void; which: string }[] = [];

  constructor(decoded: DecodedInstruction, hooks: Hooks) {
    this.#decoded = decoded;
    this.#hooks = hooks;
  }
  get address(): number {
    return this.#decoded.linear;
  }
  get physical(): number {
    return this.#decoded.physical;
  }
  get size(): number {
    return this.#decoded.size;
  }
  bytes(): Uint8Array {
    return this.#decoded.bytes.slice();
  }
  onExecute(callback: () => void): void {
    this.before.push({ callback: this.#hooks.register(callback) });
  }
  addInline(counter: Counter, amount: number): void {
    if (!Number.isInteger(amount) || amount !== (amount | 0)) {
      throw new RangeError(`Cannot add ${amount} inline: not a 32-bit integer`);
    }
    this.before.push({ counter: counter.index, amount });
  }
  onMemory(callback: (access: MemoryEvent) => void, which: "r" | "w" | "rw" = "rw"): void {
    this.listeners.push({ callback, which });
  }
}

/** Subscriptions to what the processor does. Registering a kind that changes code takes hold at once. */
export class Hooks {
  readonly #core: Core;
  readonly #engine: Engine;
  readonly #translate = new Set<Translating>();
  readonly #discontinuity = new Set<(event: DiscontinuityEvent) => void>();
  readonly #port = new Set<(event: PortEvent) => void>();
  readonly #control = new Set<(event: { register: 0 | 3 | 4; value: number }) => void>();
  readonly #idle = new Set<() => void>();
  readonly #resume = new Set<() => void>();
  readonly #reset = new Set<() => void>();
  /** Sorted by time, then by order of subscription. */
  readonly #timers: { at: number; callback: () => void }[] = [];
  #inTimers = false;
  #counters = 0;
  /** Counters that nobody has any more, and those that code may still add to until it is dropped. */
  readonly #free: Counter[] = [];
  readonly #released: Counter[] = [];
  readonly #flush = new Set<() => void>();

  /** Made by {@link Cpu}. */
  constructor(core: Core, engine: Engine) {
    this.#core = core;
    this.#engine = engine;
    engine.onTime = () => this.#runTimers();
    engine.onFlush = () => {
      for (const { blocks } of this.#translate) blocks.clear();
      this.#free.push(...this.#released.splice(0));
      for (const each of this.#flush) each();
    };
  }

  /**
   * Called when guest bytes become a decoded block, before it first runs. With a `range` it is called for blocks with
   * instructions that begin in it, and sees these alone; other code stays as it is.
   *
   * Takes effect from the next instruction on, as does its end, also in code that is running.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onTranslate(callback: (block: TranslationBlock) => void, range?: AddressRange): Disposable {
    const engine = this.#engine;
    if (range !== undefined) checkRange(range);
    const one: Translating = { callback, range, blocks: new Set() };
    this.#translate.add(one);
    engine.translator.instrument = (decoded, block) => this.#instrument(decoded, block);
    if (range === undefined) engine.flush();
    else engine.drop(engine.blocks.at(range.start, range.end));
    return {
      [Symbol.dispose]: () => {
        if (!this.#translate.delete(one)) return;
        if (this.#translate.size === 0) engine.translator.instrument = undefined;
        engine.drop(one.blocks);
        one.blocks.clear();
      },
    };
  }
  #instrument(
    decoded: readonly DecodedInstruction[],
    block: number,
  ): readonly (Instrumentation | undefined)[] | undefined {
    const all = decoded.map((one) => new Translated(one, this));
    for (const one of this.#translate) {
      const { range } = one;
      const instructions = range === undefined
        ? all
        : all.filter(({ address }) => address >= range.start && address < range.end);
      const [first] = instructions;
      if (first === undefined) continue;
      const before = instructions.map((each) => [each.before.length, each.listeners.length]);
      one.callback({
        address: first.address,
        physical: first.physical,
        instructions,
        onExecute: (callback) => first.onExecute(callback),
        addInline: (counter, amount) => first.addInline(counter, amount),
      });
      for (const [i, each] of instructions.entries()) {
        const [actions = 0, listeners = 0] = before[i] ?? [];
        if (!this.#translate.has(one)) {
          // It has gone meanwhile.
          each.before.length = actions;
          each.listeners.length = listeners;
        } else if (each.before.length > actions || each.listeners.length > listeners) {
          one.blocks.add(block);
        }
      }
    }
    if (all.every((one) => one.before.length === 0 && one.listeners.length === 0)) return undefined;
    return all.map(({ before, listeners }) => {
      if (before.length === 0 && listeners.length === 0) return undefined;
      const trace = listeners.length === 0
        ? -1
        : this.#engine.addTrace(this.#memoryListener(listeners));
      return { before, trace };
    });
  }
  #memoryListener(
    listeners: readonly { callback: (access: MemoryEvent) => void; which: string }[],
  ): TraceListener {
    return (linear, size, value, write) => {
      const event = this.#memoryEvent(linear, size, value, write);
      for (const { callback, which } of listeners) {
        if (which.includes(write ? "w" : "r")) callback(event);
      }
    };
  }
  #memoryEvent(linear: number, size: number, value: number, write: boolean): MemoryEvent {
    const core = this.#core;
    const physical = core.physical(linear);
    return {
      address: linear >>> 0,
      physical,
      size: size as 1 | 2 | 4,
      write,
      value: size === 1 ? value & 0xff : size === 2 ? value & 0xffff : value >>> 0,
      io: !core.memory.isRam(physical),
    };
  }
  /**
   * Called after each successful access of data that touches the range of linear addresses, whatever instruction makes
   * it; the pushes of interrupts and exceptions are among them, fetches of code, page walks and reads of descriptors not.
   * Only accesses to the range's pages become slower. Takes effect from the next access on.
   *
   * @throws {RangeError} for a range that is empty or not of linear addresses.
   */
  onAccess(
    callback: (access: MemoryEvent) => void,
    range: AddressRange,
    which: "r" | "w" | "rw" = "rw",
  ): Disposable {
    checkRange(range);
    const { debug } = this.#core;
    const watch: Watch = {
      first: range.start,
      last: range.end - 1,
      callback: (linear, size, value, write) => {
        if (which.includes(write ? "w" : "r")) {
          callback(this.#memoryEvent(linear, size, value, write));
        }
      },
    };
    debug.watch(watch);
    return { [Symbol.dispose]: () => debug.unwatch(watch) };
  }
  /** Number of a callback for a hook record. */
  register(callback: () => void): number {
    return this.#engine.addCallback(callback);
  }

  /** An interrupt, exception or software interrupt was delivered: its handler is about to run. */
  onDiscontinuity(callback: (event: DiscontinuityEvent) => void): Disposable {
    const { report } = this.#core;
    return subscribe(this.#discontinuity, callback, (some) => {
      this.#core.setUnusual(UNUSUAL_FOR.LISTENER, some);
      report.discontinuity = !some ? undefined : (type, vector, errorCode, from, to, address) => {
        const event: DiscontinuityEvent = {
          type,
          vector,
          errorCode: errorCode === -1 ? undefined : errorCode,
          from: from >>> 0,
          to: to >>> 0,
          address: address >>> 0,
        };
        for (const each of this.#discontinuity) each(event);
      };
    });
  }
  /** HLT: the processor stops until an interrupt. */
  onIdle(callback: () => void): Disposable {
    return subscribe(this.#idle, callback, (some) => {
      this.#engine.onIdle = some ? () => this.#idle.forEach((each) => each()) : undefined;
    });
  }
  /** The end of a HLT. */
  onResume(callback: () => void): Disposable {
    return subscribe(this.#resume, callback, (some) => {
      this.#engine.onResume = some ? () => this.#resume.forEach((each) => each()) : undefined;
    });
  }
  /** IN, OUT, INS, OUTS: each access of a port. */
  onPort(callback: (event: PortEvent) => void): Disposable {
    const { report } = this.#core;
    return subscribe(this.#port, callback, (some) => {
      report.port = !some ? undefined : (port, size, value, write) => {
        for (const each of this.#port) each({ port, size, value: value >>> 0, write });
      };
    });
  }
  /** CR0, CR3 or CR4 was loaded by an instruction or a task switch. */
  onControlRegister(
    callback: (event: { register: 0 | 3 | 4; value: number }) => void,
  ): Disposable {
    const { report } = this.#core;
    return subscribe(this.#control, callback, (some) => {
      report.controlRegister = !some ? undefined : (register, value) => {
        for (const each of this.#control) each({ register, value: value >>> 0 });
      };
    });
  }
  /** All decoded code was dropped. */
  onFlush(callback: () => void): Disposable {
    return subscribe(this.#flush, callback, () => {});
  }
  /** RESET. */
  onReset(callback: () => void): Disposable {
    return subscribe(this.#reset, callback, () => {});
  }
  /** For `Cpu.reset`. */
  notifyReset(): void {
    for (const each of this.#reset) each();
  }

  /** Calls back once, at the first instruction boundary where `cpu.instructions` ≥ `instructions`. */
  at(instructions: number, callback: () => void): Disposable {
    if (Number.isNaN(instructions)) throw new RangeError("Cannot call back at NaN instructions");
    // A callback that asks for itself again at once would stop time.
    const earliest = this.#inTimers ? this.#core.instructions + 1 : 0;
    const timer = { at: Math.max(instructions, earliest), callback };
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index--;
    this.#timers.splice(index, 0, timer);
    this.#schedule();
    return {
      [Symbol.dispose]: () => {
        const found = this.#timers.indexOf(timer);
        if (found >= 0) this.#timers.splice(found, 1);
        this.#schedule();
      },
    };
  }
  #schedule(): void {
    this.#engine.setNextTime(this.#timers[0]?.at ?? Infinity);
  }
  #runTimers(): void {
    const now = this.#core.instructions;
    const due = this.#timers.filter(({ at }) => at <= now).length;
    const ready = this.#timers.splice(0, due);
    this.#schedule();
    this.#inTimers = true;
    try {
      for (const { callback } of ready) callback();
    } finally {
      this.#inTimers = false;
    }
  }

  /** Gives counters back; all decoded code is dropped, for it may add to them. */
  release(counters: readonly Counter[]): void {
    this.#released.push(...counters);
    this.#engine.flush();
  }
  /** A counter, 0. Throws RangeError when all are taken. */
  counter(): Counter {
    const free = this.#free.pop();
    if (free !== undefined) {
      free.value = 0n;
      return free;
    }
    if (this.#counters >= COUNTERS_MAX) {
      throw new RangeError(`Cannot make a counter: all ${COUNTERS_MAX} are taken`);
    }
    const index = this.#counters++;
    const { view } = this.#core;
    const at = COUNTERS + 8 * index;
    return {
      index,
      get value(): bigint {
        return view.getBigUint64(at, true);
      },
      set value(value: bigint) {
        view.setBigUint64(at, BigInt.asUintN(64, value), true);
      },
    };
  }
  /** Drops all decoded blocks, so that hooks added now take effect everywhere. */
  flush(): void {
    this.#engine.flush();
  }
}

function checkRange({ start, end }: AddressRange): void {
  if (!(start >= 0 && start < end && end <= END)) {
    throw new RangeError(`Cannot watch addresses from ${start} to ${end}: not a range`);
  }
}

function subscribe<T>(set: Set<T>, callback: T, changed: (some: boolean) => void): Disposable {
  set.add(callback);
  changed(true);
  return {
    [Symbol.dispose]: () => {
      set.delete(callback);
      changed(set.size > 0);
    },
  };
}
