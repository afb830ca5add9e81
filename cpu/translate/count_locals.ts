/**
 * Plugins' inline counts in a region: each counter that its code adds to is a local, which goes to memory where other code
 * may look: before a call of anything that is no arithmetic, and where the region leaves.
 *
 * So a loop adds to a register of the host, and what a straight way adds is one addition (the host's compiler joins
 * those of constants, and moves what only an exit needs there).
 * @module
 */
import { SPECIAL } from "../execute/handlers.ts";
import { I64, type WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";

/** Most counters of a region that are locals: each exit and call stores all of them. */
const MAX_LOCALS = 6;

/** The counters of a region. */
export class CountLocals {
  readonly #f: WasmFunction;
  /** Locals by the counters' addresses. */
  readonly #locals = new Map<number, number>();

  /** `counters`: addresses of those that are used, most frequent first. */
  constructor(f: WasmFunction, counters: readonly number[]) {
    this.#f = f;
    for (const counter of counters.slice(0, MAX_LOCALS)) this.#locals.set(counter, f.local(I64));
  }

  /** Adds to a counter. */
  add(counter: number, amount: number): void {
    const f = this.#f;
    const local = this.#locals.get(counter);
    if (local !== undefined) {
      f.get(local).i64(BigInt(amount)).op("i64.add").set(local);
      return;
    }
    f.i32(counter).i32(counter).memory("i64.load");
    f.i64(BigInt(amount)).op("i64.add").memory("i64.store");
  }
  /** Puts into memory what the locals have counted; they are 0 then. */
  flush(): void {
    const f = this.#f;
    for (const [counter, local] of this.#locals) {
      f.i32(counter).i32(counter).memory("i64.load").get(local).op("i64.add").memory("i64.store");
      f.i64(0n).set(local);
    }
  }
}

/** Addresses of the counters that the records of nodes add to, those that most do first. */
export function countersOf(
  view: DataView,
  nodes: readonly { readonly copy: number; readonly last: number }[],
): number[] {
  const uses = new Map<number, number>();
  for (const { copy, last } of nodes) {
    for (let at = L.BLOCK_BYTES; at <= last; at += L.RECORD_BYTES) {
      if (view.getInt32(copy + at, true) !== SPECIAL.COUNT) continue;
      const counter = view.getInt32(copy + at + L.RECORD.A, true);
      uses.set(counter, (uses.get(counter) ?? 0) + 1);
    }
  }
  return [...uses].sort(([, a], [, b]) => b - a).map(([counter]) => counter);
}
