/**
 * How a region leaves: each place that does says where it is in a few locals and goes to the one exit that
 * all share, which puts registers and flags into memory and returns. Such places are many and rarely taken; with
 * code of their own they were most of a region, for the optimising compiler too.
 * @module
 */
import { SPECIAL } from "../execute/handlers.ts";
import type { Runtime } from "../execute/runtime.ts";
import type { WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";
import type { RegionRuntime } from "./region_emitter.ts";
import { FLAGS, type RegionState } from "./region_state.ts";

/** Parameter of a region: how deep calls may still nest. Its result is the next record, 0 or `RETURNED`. */
export const DEPTH = 0;
/** Index of the table of regions; table 0 has the handlers. */
export const REGION_TABLE = 1;

/** Goes on at the record in a local, or (0) leaves: a region is called in place of this one. */
export function goOnAt(f: WasmFunction, record: number, regionType: number): void {
  f.get(record).if(undefined, true);
  f.get(record).load(L.RECORD.HANDLER).i32(SPECIAL.REGION).eq().if(undefined, true);
  f.get(DEPTH).get(record).load(L.RECORD.A).returnCallIndirect(regionType, REGION_TABLE);
  f.end().end().get(record).return();
}

/** What happens when the state is in memory. */
export const WAY = {
  /** The interpreter executes the record `at`. */
  INTERPRET: 0,
  /** Along the link at `link` of the record `at` to EIP `target`. */
  FOLLOW: 1,
  /** The run loop goes on at EIP `target`. */
  DISPATCH: 2,
  /** There may not be budget for what begins with the block whose copy is `at`. */
  BUDGET: 3,
} as const;
export type Way = typeof WAY[keyof typeof WAY];

/** Locals and label of the shared exit of a region. */
export class Leaving {
  readonly #f: WasmFunction;
  readonly #way: number;
  readonly #at: number;
  readonly #link: number;
  readonly #target: number;
  #depth = 0;

  constructor(f: WasmFunction) {
    this.#f = f;
    [this.#way, this.#at, this.#link, this.#target] = [f.local(), f.local(), f.local(), f.local()];
  }

  /** Opens the block behind which the exit is. */
  begin(): void {
    this.#f.block();
    this.#depth = this.#f.depth;
  }

  /** Leaves, on a way that needs a target after this has been set with {@link setTarget}. */
  leave(state: RegionState, way: Way, at: number, link = 0): void {
    const f = this.#f;
    f.i32(at).set(this.#at);
    if (way !== WAY.INTERPRET) f.i32(way).set(this.#way);
    if (way === WAY.FOLLOW) f.i32(at + link).set(this.#link);
    state.flags.defer(state.pending);
    f.br(f.depth - this.#depth);
  }
  /** Sets the target from the stack. */
  setTarget(): void {
    this.#f.set(this.#target);
  }

  /** Emits the exit. `used`: registers whose locals hold them, as bits. */
  end(
    state: RegionState,
    used: number,
    { imports, runtime }: { readonly imports: RegionRuntime; readonly runtime: Runtime },
  ): void {
    const f = this.#f;
    const regionType = runtime.handlerType;
    const { registers, budget } = state;
    f.end();
    for (const [i, register] of registers.entries()) {
      if (i < FLAGS && used & (1 << i)) f.i32(0).get(register).store(L.GPR + 4 * i);
    }
    state.flags.store(runtime);
    f.i32(0).get(budget).store(L.BUDGET);
    state.counts.flush();
    state.fpu.spill(runtime, used);
    const { depth } = f;
    f.block().block().block().block().get(this.#way).brTable([0, 1, 2], 3).end();
    f.loadAt(L.FAULT_DUE).if(undefined, false);
    f.get(this.#at).call(imports.pageFault).if();
    f.loadAt(L.EIP).call(imports.jump).set(this.#at);
    goOnAt(f, this.#at, regionType);
    f.end().i32(0).return().end();
    f.get(this.#at).return();
    f.end();
    f.get(this.#link).get(this.#target).get(this.#at).call(imports.follow).set(this.#at);
    goOnAt(f, this.#at, regionType);
    f.end();
    f.i32(0).get(this.#target).store(L.EIP).i32(0).i32(0).store(L.LINK_SLOT);
    f.i32(0).i32(L.EXIT.DISPATCH).store(L.EXIT_REASON).i32(0).return();
    f.end();
    if (f.depth !== depth) throw new Error("ways that do not end");
    f.i32(0).get(this.#at).store(L.ENTRY_BLOCK);
    f.i32(0).get(this.#at).load(L.BLOCK.EIP).store(L.EIP);
    f.i32(0).i32(L.EXIT.BUDGET).store(L.EXIT_REASON).i32(0);
  }
}
