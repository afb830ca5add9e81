/**
 * The debugger at work on a machine: breakpoints, watchpoints, steps, and when and why the machine stands still.
 *
 * Nothing of the guest is changed: a breakpoint is a hook on an instruction, a watchpoint a watch on data. A step is one
 * instruction of what runs: an interrupt that comes first is let through, with all that its handler does.
 *
 * @module
 */
import type { Discontinuity, PluginHost } from "../api/mod.ts";

/** Where and for what a debugger stops. */
export interface StopPoint {
  /** Breakpoints are hooks both; a client knows them apart. */
  readonly kind: "software" | "hardware" | "write" | "read" | "access";
  /** Linear address. */
  readonly address: number;
  /** Bytes that are watched; of no meaning for breakpoints. */
  readonly length: number;
}

/** Why the machine stands still. */
export type StopReason =
  /** A breakpoint, before its instruction. */
  | { readonly type: "breakpoint"; readonly kind: "software" | "hardware" }
  /** A watchpoint, behind the instruction that touched it. */
  | {
    readonly type: "watchpoint";
    readonly kind: "write" | "read" | "access";
    readonly address: number;
  }
  /** A step is done. */
  | { readonly type: "step" }
  /** Somebody asked for it. */
  | { readonly type: "interrupt" };

/** What runs until the next stop. */
export type Resumption =
  | { readonly type: "continue" }
  /** One instruction; with a range more, as long as they are in it. */
  | { readonly type: "step"; readonly range?: { readonly start: number; readonly end: number } };

interface Point {
  /** All must not be false; none: always. */
  conditions: readonly (() => boolean)[];
  readonly hook: Disposable;
}

const WATCHED = { write: "w", read: "r", access: "rw" } as const;

/** Breakpoints, steps and stops of a machine. */
export class Debugger {
  readonly #host: PluginHost;
  readonly #points = new Map<string, Point>();
  readonly #onStop: (reason: StopReason) => void;
  /** Lets the machine go on; undefined while it runs. */
  #release: (() => void) | undefined;
  #step: { readonly range: { start: number; end: number } | undefined; esp: number } | undefined;
  /** What a step waits for: the next count, or the return from an interrupt. */
  #waiting: Disposable | undefined;
  /** There only while it steps, since events are slower for it. */
  #discontinuities: Disposable | undefined;

  /** `onStop` is called when the machine stands, not from within a callback. */
  constructor(host: PluginHost, onStop: (reason: StopReason) => void) {
    this.#host = host;
    this.#onStop = onStop;
  }

  /** Whether the machine stands still. */
  get stopped(): boolean {
    return this.#release !== undefined;
  }
  /** Linear address of the next instruction. */
  get eip(): number {
    return (this.#host.readRegister("eip") + this.#host.readRegister("cs_base")) >>> 0;
  }

  /** Stops at the next instruction boundary, unless the machine stands already. */
  stop(reason: StopReason = { type: "interrupt" }): void {
    if (this.stopped) return;
    this.#endStep();
    const hold = Promise.withResolvers<void>();
    this.#release = hold.resolve;
    this.#host.hold(hold.promise);
    // The processor returns first.
    queueMicrotask(() => this.#onStop(reason));
  }
  /** Goes on. */
  resume(how: Resumption): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    if (how.type === "step") {
      this.#step = { range: how.range, esp: 0 };
      this.#discontinuities = this.#host.onDiscontinuity((event) => this.#discontinuity(event));
      this.#stepOnce();
    }
    release();
  }
  /** Forgets all breakpoints and goes on. */
  detach(): void {
    for (const point of this.#points.values()) point.hook[Symbol.dispose]();
    this.#points.clear();
    this.#endStep();
    this.resume({ type: "continue" });
  }

  /**
   * Adds a breakpoint or watchpoint, or gives one that is there other conditions. All it takes to stop is that one of
   * them is true, or that there is none.
   */
  add(point: StopPoint, conditions: readonly (() => boolean)[] = []): void {
    const known = this.#points.get(key(point));
    if (known !== undefined) known.conditions = conditions;
    else {
      const holds = (): boolean =>
        added.conditions.length === 0 || added.conditions.some((condition) => condition());
      const added: Point = { conditions, hook: this.#hook(point, holds) };
      this.#points.set(key(point), added);
    }
  }
  /** Removes it; false when there is none. */
  remove(point: StopPoint): boolean {
    const known = this.#points.get(key(point));
    known?.hook[Symbol.dispose]();
    return this.#points.delete(key(point));
  }

  #hook({ kind, address, length }: StopPoint, holds: () => boolean): Disposable {
    if (kind === "software" || kind === "hardware") {
      return this.#before(address, () => {
        if (holds()) this.stop({ type: "breakpoint", kind });
      });
    }
    return this.#host.onAccess(
      () => {
        if (holds()) this.stop({ type: "watchpoint", kind, address });
      },
      { start: address, end: address + Math.max(1, length) },
      WATCHED[kind],
    );
  }
  /** Calls back before each execution of the instruction at a linear address. */
  #before(address: number, callback: () => void): Disposable {
    return this.#host.onTranslate((block) => {
      for (const instruction of block.instructions) {
        if (instruction.address === address) instruction.onExecute(callback);
      }
    }, { range: { start: address, end: address + 1 } });
  }

  #stepOnce(): void {
    const step = this.#step;
    if (step === undefined) return;
    step.esp = this.#host.readRegister("esp");
    this.#wait(this.#host.at(this.#host.instructions + 1, () => {
      const { range } = step;
      const { eip } = this;
      if (range !== undefined && eip >= range.start && eip < range.end) this.#stepOnce();
      else this.stop({ type: "step" });
    }));
  }
  #discontinuity({ type, from }: Discontinuity): void {
    const step = this.#step;
    if (step === undefined) return;
    // The instruction did not end: its handler is where the step leads.
    if (type === "exception") this.stop({ type: "step" });
    if (type !== "interrupt") return;
    const { esp } = step;
    const back = this.#before(from, () => {
      // The handler may run the same code; then its stack is another.
      if (this.#host.readRegister("esp") === esp) this.#stepOnce();
    });
    this.#wait(back);
  }
  #wait(what: Disposable): void {
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = what;
  }
  #endStep(): void {
    this.#step = undefined;
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = undefined;
    this.#discontinuities?.[Symbol.dispose]();
    this.#discontinuities = undefined;
  }
}

function key({ kind, address, length }: StopPoint): string {
  return `${kind} ${address} ${kind === "software" || kind === "hardware" ? 0 : length}`;
}
