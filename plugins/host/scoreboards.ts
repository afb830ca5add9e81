/**
 * Scoreboards on the processor's counters, which translated code adds to in its own stride.
 *
 * @module
 */
import type { Counter, Hooks } from "../../cpu/mod.ts";
import type { Condition, Scoreboard, U64, Vcpu } from "../api/mod.ts";

/** A field. */
export class Field implements U64 {
  readonly #board: Board;
  readonly #counter: Counter;

  constructor(board: Board, counter: Counter) {
    this.#board = board;
    this.#counter = counter;
  }

  /** The processor's counter; throws when it was freed. */
  get counter(): Counter {
    this.#board.check();
    return this.#counter;
  }

  add(_vcpu: Vcpu, amount: number | bigint): void {
    this.counter.value += BigInt(amount);
  }
  get(_vcpu: Vcpu): bigint {
    return this.counter.value;
  }
  set(_vcpu: Vcpu, value: number | bigint): void {
    this.counter.value = BigInt(value);
  }
  sum(): bigint {
    return this.counter.value;
  }
}

/** A scoreboard of the one virtual CPU. */
export class Board implements Scoreboard {
  readonly #fields = new Map<string, Field>();
  readonly #view: Record<string, bigint> = {};
  readonly #release: () => void;
  #freed = false;

  constructor(hooks: Hooks, names: readonly string[]) {
    const counters: Counter[] = [];
    for (const name of names) {
      const counter = hooks.counter();
      counters.push(counter);
      const field = new Field(this, counter);
      this.#fields.set(name, field);
      Object.defineProperty(this.#view, name, {
        enumerable: true,
        get: () => field.counter.value,
        set: (value: bigint) => field.counter.value = value,
      });
    }
    this.#release = () => hooks.release(counters);
  }

  /** Throws when it was freed. */
  check(): void {
    if (this.#freed) throw new TypeError("Cannot use a scoreboard that was freed");
  }
  u64(name: string): Field {
    this.check();
    const field = this.#fields.get(name);
    if (field === undefined) throw new RangeError(`The scoreboard has no field "${name}"`);
    return field;
  }
  find(_vcpu: Vcpu): Record<string, bigint> {
    this.check();
    return this.#view;
  }
  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#release();
  }
}

/** The processor's counter of a field that a plugin gives. */
export function counterOf(entry: U64): Counter {
  if (entry instanceof Field) return entry.counter;
  throw new TypeError("Not a field of a scoreboard");
}

/** Whether a condition holds; undefined when it always does. */
export function compileCondition({ entry, is, value }: Condition): (() => boolean) | undefined {
  const counter = counterOf(entry);
  const wanted = BigInt.asUintN(64, BigInt(value));
  switch (is) {
    case "never":
      return () => false;
    case "always":
      return undefined;
    case "eq":
      return () => counter.value === wanted;
    case "ne":
      return () => counter.value !== wanted;
    case "lt":
      return () => counter.value < wanted;
    case "le":
      return () => counter.value <= wanted;
    case "gt":
      return () => counter.value > wanted;
    case "ge":
      return () => counter.value >= wanted;
  }
}
