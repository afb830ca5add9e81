/**
 * What the emission of a region shares between its instructions: locals of registers, what is newer in them than in
 * memory, flags that have not been computed, guards that hold, windows.
 * @module
 */
import type { WasmFunction } from "../execute/wasm.ts";
import { FlagLocals, type PendingFlags, pendingLocals } from "./flags.ts";
import { CountLocals } from "./count_locals.ts";
import { FpuLocals, REGISTERS } from "./fpu_locals.ts";
import { Leaving } from "./leave.ts";
import type { RegionCounters } from "./statistics.ts";
import { Windows } from "./windows.ts";

/** Registers by number: 0–7 general, then the two words of lazy flags. */
export const FLAGS = 8;

interface Taken {
  readonly type: number;
  readonly local: number;
}

/** What emission of a region shares between its instructions. */
export class RegionState {
  readonly f: WasmFunction;
  /** Locals of the ten registers. */
  readonly registers: readonly number[];
  /** Budget left; in memory while other code runs. */
  readonly budget: number;
  /** Addresses of the TLB tables; they change only while other code runs. */
  readonly readTable: number;
  readonly writeTable: number;
  /** Flags that are deferred. */
  readonly flags: FlagLocals;
  /** The exit. */
  readonly leaving: Leaving;
  /** What the node that is emitted knows about addresses. */
  windows: Windows = new Windows();
  /** Locals of windows that are free again. */
  readonly #freeWindows: number[] = [];
  #madeWindows: number[] = [];
  /** Counts what happens, where somebody wants to know. */
  readonly counters: RegionCounters | undefined;
  /** Registers whose local is newer than memory, as bits. */
  dirty = 0;
  pending: PendingFlags | undefined = undefined;
  /** Registers that were read or written anywhere, as bits. */
  used = 0;
  /** What plugins count. */
  readonly counts: CountLocals;
  /** The x87 in locals. */
  readonly fpu: FpuLocals;
  /** Registers whose low byte is also in a local of {@link lowByte}, as bits. */
  lowBytes = 0;
  readonly #lowBytes: (number | undefined)[] = [];
  /** Guards that hold here, as bits. */
  guarded = 0;
  /** Facts about the instruction that is being emitted, for the analysis of flags. */
  readonly seen: {
    bails: boolean;
    /** Flags are read; `carryRead`: CF alone is. */
    flagsRead: boolean;
    carryRead: boolean;
    /** The budget is changed. */
    spends: boolean;
    /** Registers and flags go to memory. */
    spills: boolean;
    flagsSet: boolean;
    flagsSetUnderCondition: boolean;
    written: number;
  } = {
    bails: false,
    flagsRead: false,
    carryRead: false,
    spends: false,
    spills: false,
    flagsSet: false,
    flagsSetUnderCondition: false,
    written: 0,
  };
  readonly #free = new Map<number, number[]>();
  #taken: Taken[] = [];

  /** `counted`: addresses of plugins' counters. */
  constructor(f: WasmFunction, counters?: RegionCounters, counted: readonly number[] = []) {
    this.f = f;
    this.counts = new CountLocals(f, counted);
    this.counters = counters;
    this.registers = Array.from({ length: REGISTERS }, () => f.local());
    this.budget = f.local();
    this.readTable = f.local();
    this.writeTable = f.local();
    this.fpu = new FpuLocals(f, this.registers);
    this.flags = new FlagLocals(
      f,
      this.registers[FLAGS] as number,
      this.registers[FLAGS + 1] as number,
    );
    this.leaving = new Leaving(f);
  }

  /** A local for a window, until the node's emission has ended. */
  takeWindow(): number {
    const local = this.#freeWindows.pop() ?? this.f.local();
    this.#madeWindows.push(local);
    return local;
  }
  /** Emits a node, which goes on with windows. */
  withWindows(windows: Windows, emit: () => void): void {
    const [outer, made] = [this.windows, this.#madeWindows];
    this.windows = windows;
    this.#madeWindows = [];
    emit();
    this.#freeWindows.push(...this.#madeWindows);
    [this.windows, this.#madeWindows] = [outer, made];
  }

  /** The local for the low byte of a register, by number. */
  lowByte(index: number): number {
    return this.#lowBytes[index] ??= this.f.local();
  }

  /** A local for the present instruction. */
  take(type: number): number {
    const local = this.#free.get(type)?.pop() ?? this.f.local(type);
    this.#taken.push({ type, local });
    return local;
  }
  /** Ends an instruction: its locals are free again, but for those that pending flags need. */
  release(): void {
    const needed = pendingLocals(this.pending);
    const kept: Taken[] = [];
    for (const one of this.#taken) {
      if (needed.includes(one.local)) kept.push(one);
      else this.#give(one);
    }
    this.#taken = kept;
  }
  #give(one: Taken): void {
    const list = this.#free.get(one.type);
    if (list === undefined) this.#free.set(one.type, [one.local]);
    else list.push(one.local);
  }
  /** Emits code that another way leads to: the locals of this one are what they were then, and its flags pending. */
  elsewhere(emit: () => void): void {
    const { pending, dirty, guarded, lowBytes } = this;
    const taken = this.#taken;
    this.#taken = [...taken];
    emit();
    for (const one of this.#taken) if (!taken.includes(one)) this.#give(one);
    for (const one of taken) {
      const list = this.#free.get(one.type);
      const at = list?.indexOf(one.local) ?? -1;
      if (at >= 0) list?.splice(at, 1);
    }
    this.#taken = taken;
    Object.assign(this, { pending, dirty, guarded, lowBytes });
  }
  /** Begins an instruction. */
  begin(): void {
    const { seen } = this;
    seen.bails =
      seen.flagsRead =
      seen.carryRead =
      seen.spends =
      seen.spills =
      seen.flagsSet =
      seen.flagsSetUnderCondition =
        false;
    seen.written = 0;
  }
}
