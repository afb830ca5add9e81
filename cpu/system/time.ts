/**
 * RDTSC in Wasm: programs wait by reading it, so that a boot does so tens of millions of times.
 *
 * The counter goes on by one an instruction while code runs, so at any instruction it is a sum
 * (layout.ts, `TSC_BASE`) less what is left of the budget. Source: SDM vol. 2, RDTSC.
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { I64 } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";

const CR4_TSD = 4;

const rdtsc: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const [low, high, ticks] = [x.local(), x.local(), x.local(I64)];
    // With a stop requested the budget is put aside (engine.ts, `stopAfterInstruction`).
    f.loadAt(L.CR4).i32(CR4_TSD).and().loadAt(L.STOP_REQUESTED).or().if(undefined, false);
    x.assist("rdtsc");
    f.else();
    f.i32(0).memory("i64.load", L.TSC_BASE).i32(0).memory("i64.load", L.MSR_TSC_OFFSET);
    f.op("i64.add");
    x.budget().remaining();
    f.add().op("i64.extend_i32_s", "i64.sub").set(ticks);
    f.get(ticks).op("i32.wrap_i64").set(low);
    f.get(ticks).i64(32n).op("i64.shr_u", "i32.wrap_i64").set(high);
    x.setRegister(L.EAX, low).setRegister(L.EDX, high);
    f.end();
  },
};

/** Semantics of this file, by operation. */
export const timeSemantics: Readonly<Record<string, Semantics>> = { rdtsc };
