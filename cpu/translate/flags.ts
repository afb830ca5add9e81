/**
 * Flags of a region: computed only where somebody looks.
 *
 * An operation that sets flags leaves them pending: the emission knows the locals with its operands and its result.
 * Where ways join, or the region leaves, what is pending differs from way to way; then operands, result and a number
 * for the operation go into locals of their own, so that the flags are deferred, and computed at the exit that all
 * ways share, or by {@link FlagLocals.settle}. Locals with a number of 0 mean that flags are in the two words of
 * state/layout.ts, lazy flags.
 * @module
 */
import type { Size } from "../execute/form.ts";
import { I32, type WasmFunction } from "../execute/wasm.ts";

/** Operation whose flags have not been computed. Locals hold the operands. */
export interface OperationFlags {
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
/** Flags that {@link FlagLocals} holds; `carry`: CF on its own too. */
export interface DeferredFlags {
  readonly kind: "deferred";
  readonly carry: boolean;
}
export type PendingFlags = OperationFlags | DeferredFlags;

/** The numbers of operations; the shift of their results to 32 bits is above. */
const KINDS = { add: 1, sub: 2, shift: 4, step: 8, logic: 16 } as const;
const SHIFT_AT = 8;

/** What the code of one instruction or node needs to know of flags when it is entered. */
export const NEED = {
  NOTHING: 0,
  /** CF on its own. */
  CARRY: 1,
  ALL: 2,
} as const;
export type Need = typeof NEED[keyof typeof NEED];

/** Locals that pending flags need. */
export function pendingLocals(pending: PendingFlags | undefined): readonly number[] {
  if (pending === undefined || pending.kind === "deferred") return [];
  return [pending.a, pending.b, pending.result];
}

/** Pushes the sign-extended result of an operation. */
export function pushResult(f: WasmFunction, { result, size }: OperationFlags): void {
  f.get(result);
  if (size === 1) f.op("i32.extend8_s");
  else if (size === 2) f.op("i32.extend16_s");
}

/** Pushes AUX of an operation: see emit_flags.ts. `local` makes a local. */
export function pushAux(f: WasmFunction, pending: OperationFlags, local: () => number): void {
  const { kind, a, b, result, size } = pending;
  if (kind === "logic") {
    f.i32(0);
    return;
  }
  if (kind === "shift") {
    f.get(a).i32(31).shl().get(a).get(b).xor().i32(30).shl().or();
    return;
  }
  if (kind === "step") {
    const turned = local();
    pushResult(f, pending);
    f.get(b).xor().set(turned).get(a).i32(31).shl();
    f.get(turned).i32(-(2 ** (8 * size - 1))).eq().get(a).xor().i32(30).shl().or();
    f.get(turned).i32(15).and().eqz().i32(3).shl().or();
    return;
  }
  if (kind === "add") {
    f.get(a).get(b).and().get(a).get(b).or().get(result).i32(-1).xor().and().or();
  } else {
    f.get(a).i32(-1).xor().get(b).and();
    f.get(a).get(b).xor().i32(-1).xor().get(result).and().or();
  }
  if (size === 4) {
    f.i32(0xc0000008 | 0).and();
    return;
  }
  const carries = local();
  f.tee(carries).i32(size === 1 ? 24 : 16).shl().i32(0xc0000000 | 0).and();
  f.get(carries).i32(8).and().or();
}

/** The locals of deferred flags. */
export class FlagLocals {
  readonly #f: WasmFunction;
  readonly #result: number;
  readonly #aux: number;
  readonly #kind: number;
  readonly #operands: readonly [number, number, number];
  readonly #carry: number;
  readonly #carries: number;
  /** Some code is entered with deferred flags. */
  defers = false;

  /** `result`, `aux`: locals of the two words of lazy flags. */
  constructor(f: WasmFunction, result: number, aux: number) {
    this.#f = f;
    [this.#result, this.#aux] = [result, aux];
    [this.#kind, this.#carry, this.#carries] = [f.local(), f.local(), f.local()];
    this.#operands = [f.local(), f.local(), f.local()];
  }

  /** Makes flags deferred, `pending` or (undefined) in the two words. */
  defer(pending: PendingFlags | undefined): void {
    const f = this.#f;
    if (pending === undefined) {
      if (this.defers) f.i32(0).set(this.#kind);
    } else if (pending.kind !== "deferred") {
      const { kind, a, b, result, size } = pending;
      if (kind !== "logic") f.get(a).set(this.#operands[0]).get(b).set(this.#operands[1]);
      f.get(result).set(this.#operands[2]);
      f.i32(KINDS[kind] | (32 - 8 * size) << SHIFT_AT).set(this.#kind);
    }
  }
  /** Keeps CF, which is on the stack, on its own. */
  setCarry(): void {
    this.#f.set(this.#carry);
  }
  pushCarry(): void {
    this.#f.get(this.#carry);
  }

  /** Computes deferred flags, if they are, into the two words. */
  settle(): void {
    const f = this.#f;
    const [a, b, r] = this.#operands;
    const [result, aux] = [this.#result, this.#aux];
    const shift = (): void => void f.get(this.#kind).i32(SHIFT_AT).shrU();
    f.get(this.#kind).if(undefined, false);
    f.get(r);
    shift();
    f.shl();
    shift();
    f.shrS().set(result);
    f.get(this.#kind).i32(KINDS.shift | KINDS.step).and().if();
    f.get(a).i32(31).shl();
    f.get(this.#kind).i32(KINDS.shift).and().if(I32);
    f.get(a).get(b).xor().i32(30).shl();
    f.else();
    f.get(result).get(b).xor().tee(this.#carries).i32(0x80000000 | 0);
    shift();
    f.shrS().eq().get(a).xor().i32(30).shl();
    f.get(this.#carries).i32(15).and().eqz().i32(3).shl().or();
    f.end().or().set(aux);
    f.else();
    f.get(this.#kind).i32(KINDS.logic).and().if();
    f.i32(0).set(aux);
    f.else();
    f.get(this.#kind).i32(KINDS.add).and().if();
    f.get(a).get(b).and().get(a).get(b).or().get(r).i32(-1).xor().and().or().set(this.#carries);
    f.else();
    f.get(a).i32(-1).xor().get(b).and();
    f.get(a).get(b).xor().i32(-1).xor().get(r).and().or().set(this.#carries);
    f.end();
    f.get(this.#carries);
    shift();
    f.shl().i32(0xc0000000 | 0).and().get(this.#carries).i32(8).and().or().set(aux);
    f.end().end();
    f.i32(0).set(this.#kind);
    f.end();
  }
}
