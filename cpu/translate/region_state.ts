/**
 * What the emission of a region shares between its instructions: locals of registers, what is newer in them than in
 * memory, flags that have not been computed, guards that hold, windows.
 * @module
 */
import type { Size } from "../execute/form.ts";
import { I32, type WasmFunction } from "../execute/wasm.ts";
import { FpuLocals, REGISTERS } from "./fpu_locals.ts";
import { Leaving } from "./leave.ts";
import type { RegionCounters } from "./statistics.ts";
import { Windows } from "./windows.ts";

/** Registers by number: 0–7 general, then the two words of lazy flags. */
export const FLAGS = 8;

/** Operation whose flags have not been computed. Locals hold the operands. */
export interface PendingFlags {
  /**
   * "shift": the operands are CF and OF as 0 or 1; "step": CF, and 0 for INC, −1 for DEC. Both by what the semantics have
   * computed, as these depend on a count or on earlier flags.
   */
  readonly kind: "add" | "sub" | "logic" | "shift" | "step";
  readonly a: number;
  readonly b: number;
  readonly result: number;
  readonly size: Size;
  /** The result is that of the two operands alone: no carry came in, so comparing them tells. */
  readonly plain: boolean;
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
  /** The x87 in locals. */
  readonly fpu: FpuLocals;
  /** Guards that hold here, as bits. */
  guarded = 0;
  /** Facts about the instruction that is being emitted, for the analysis of flags. */
  readonly seen: {
    bails: boolean;
    flagsRead: boolean;
    flagsSet: boolean;
    flagsSetUnderCondition: boolean;
    written: number;
  } = {
    bails: false,
    flagsRead: false,
    flagsSet: false,
    flagsSetUnderCondition: false,
    written: 0,
  };
  readonly #free = new Map<number, number[]>();
  #taken: { type: number; local: number }[] = [];

  constructor(f: WasmFunction, counters?: RegionCounters) {
    this.f = f;
    this.counters = counters;
    this.registers = Array.from({ length: REGISTERS }, () => f.local());
    this.budget = f.local();
    this.readTable = f.local();
    this.writeTable = f.local();
    this.fpu = new FpuLocals(f, this.registers);
    this.leaving = new Leaving(f);
  }

  /** Pushes the sign-extended result of an operation. */
  pushPendingResult({ result, size }: PendingFlags): void {
    const { f } = this;
    f.get(result);
    if (size === 1) f.op("i32.extend8_s");
    else if (size === 2) f.op("i32.extend16_s");
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

  /** A local for the present instruction. */
  take(type: number): number {
    const local = this.#free.get(type)?.pop() ?? this.f.local(type);
    this.#taken.push({ type, local });
    return local;
  }
  /** Ends an instruction: its locals are free again, but for those that pending flags need. */
  release(): void {
    const { pending } = this;
    const kept: { type: number; local: number }[] = [];
    for (const one of this.#taken) {
      const { local, type } = one;
      const needed = pending !== undefined &&
        (local === pending.a || local === pending.b || local === pending.result);
      if (needed) kept.push(one);
      else {
        const list = this.#free.get(type);
        if (list === undefined) this.#free.set(type, [local]);
        else list.push(local);
      }
    }
    this.#taken = kept;
  }
  /** Makes flags wait again that did before another way was emitted: on that way their locals became free. */
  waitAgain(pending: PendingFlags | undefined): void {
    this.pending = pending;
    if (pending === undefined) return;
    for (const local of new Set([pending.a, pending.b, pending.result])) {
      for (const list of this.#free.values()) {
        const at = list.indexOf(local);
        if (at >= 0) list.splice(at, 1);
      }
      if (!this.#taken.some((one) => one.local === local)) {
        this.#taken.push({ type: I32, local });
      }
    }
  }
  /** Begins an instruction. */
  begin(): void {
    const { seen } = this;
    seen.bails =
      seen.flagsRead =
      seen.flagsSet =
      seen.flagsSetUnderCondition =
        false;
    seen.written = 0;
  }
}
