/**
 * What comes before and after the operation of an MMX or SSE instruction: whether it may run, and the change of
 * the x87 state by MMX.
 *
 * Order: #UD, #NM, #MF (MMX only), faults of the memory operand, then the first change of state.
 * Sources: SDM vol. 3A §12.2, §12.4 (MMX and the x87 state), §13.1 (OSFXSR), Tables 12-1 and 13-1; vol. 1 §9.5.
 * @module
 */
import type { Assists } from "../execute/assist.ts";
import type { Core } from "../execute/core.ts";
import { type Emitter, GUARD, type Semantics } from "../execute/emit.ts";
import { pendingException } from "../fpu/mod.ts";
import { VECTOR } from "../state/fault.ts";
import { CR0, CR4, FPU_STATUS, FPU_TAG, FPU_TOP } from "../state/layout.ts";

const CR0_EM = 4;
const CR0_TS = 8;
const CR4_OSFXSR = 0x200;
/** x87 status word: an unmasked exception is pending. */
const ES = 0x80;

/** SSE: CR0.EM and a clear CR4.OSFXSR are #UD, CR0.TS is #NM. */
export function guardSse(x: Emitter): void {
  x.guard(GUARD.SSE, () => {
    x.f.loadAt(CR0).i32(CR0_EM | CR0_TS).and();
    x.f.loadAt(CR4).i32(CR4_OSFXSR).and().i32(CR4_OSFXSR).xor().or();
  }, () => x.assist("sseUnavailable"));
}
/** MMX: CR0.EM is #UD, CR0.TS #NM, a pending x87 exception #MF. */
export function guardMmx(x: Emitter): void {
  x.guard(GUARD.X87, () => {
    x.f.loadAt(CR0).i32(CR0_EM | CR0_TS).and();
    x.register(FPU_STATUS).f.i32(ES).and().or();
  }, () => x.assist("mmxUnavailable"));
}
/** After the last fault of an MMX instruction: TOP is 0 and all registers are valid, or empty (`tags` 0). */
export function enterMmx(x: Emitter, tags = 0xff): void {
  const word = x.local();
  x.f.i32(0).set(word);
  x.setRegister(FPU_TOP, word).f.i32(tags).set(word);
  x.setRegister(FPU_TAG, word);
}

/** True when an operand is an MMX register. */
export function isMmx(x: Emitter): boolean {
  return x.form.operands.some(({ file }) => file === "mmx");
}
/** The guard by the kind of the operands: MMX where there is an MMX register, else SSE. */
export function begin(x: Emitter): void {
  if (isMmx(x)) guardMmx(x);
  else guardSse(x);
}
/** To be called between the last access that can fault and the first write of a register. */
export function commit(x: Emitter): void {
  if (isMmx(x)) enterMmx(x);
}

/** An SSE instruction without MMX operands. */
export function sse(body: (x: Emitter) => void): Semantics {
  return {
    emit(x): void {
      guardSse(x);
      body(x);
    },
  };
}
/** An instruction between MMX and XMM registers; the body calls {@link commit}. */
export function sseWithMmx(body: (x: Emitter) => void): Semantics {
  return {
    emit(x): void {
      guardSse(x);
      guardMmx(x);
      body(x);
    },
  };
}

/** Raises what forbids an SSE instruction. */
export function requireSse(core: Core): void {
  const { cr0 } = core;
  if (cr0 & CR0_EM || !(core.cr4 & CR4_OSFXSR)) core.raise(VECTOR.UD);
  if (cr0 & CR0_TS) core.raise(VECTOR.NM);
}
/** Raises what forbids an MMX instruction. */
export function requireMmx(core: Core): void {
  const { cr0 } = core;
  if (cr0 & CR0_EM) core.raise(VECTOR.UD);
  if (cr0 & CR0_TS) core.raise(VECTOR.NM);
  pendingException(core);
}

export const guardAssists: Assists = {
  sseUnavailable: requireSse,
  mmxUnavailable: requireMmx,
};
