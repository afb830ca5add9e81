/**
 * Flags of a region: computed only where somebody looks.
 *
 * An operation that sets flags leaves them pending: the emission knows the locals with its operands and its result.
 * Where ways join, or the region leaves, what is pending differs from way to way; then operands, result and a number
 * for the operation go into locals of their own, so that the flags are deferred, and computed at the exit that all
 * ways share, or by {@link FlagLocals.settle}.
 * @module
 */
import type { Size } from "../execute/form.ts";
import {
  FLAG_OPERATION,
  FLAG_SIZE_AT,
  type FlagOperation,
  settleFlags,
} from "../execute/deferred_flags.ts";
import type { Runtime } from "../execute/runtime.ts";
import type { WasmFunction } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";

/** Operation whose flags have not been computed. Locals hold the operands. */
export interface OperationFlags {
  /** With operands as `FLAG_OPERATION` says. */
  readonly kind: FlagOperation;
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
  if (isShift(kind)) {
    const [carry, top] = [local(), 8 * size - 1];
    pushCarry(f, pending);
    f.tee(carry).i32(31).shl();
    // CF and OF together: OF of SHL is the result's sign and CF, that of SHR the value's sign, that of SAR 0.
    if (kind !== "sar") f.get(kind === "shr" ? a : result).i32(top).shrU().i32(1).and();
    if (kind !== "shl") f.get(carry);
    if (kind === "shr") f.xor();
    f.i32(30).shl().or();
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

/** Pushes CF of a shift by a count that is not 0. */
export function pushCarry(f: WasmFunction, { kind, a, b, size }: OperationFlags): void {
  f.get(a).get(b).i32(1).sub();
  if (kind === "shl") f.shl().i32(8 * size - 1).shrU();
  else f.shrS();
  f.i32(1).and();
}
export function isShift(kind: FlagOperation): boolean {
  return kind === "shl" || kind === "shr" || kind === "sar";
}

/**
 * The locals of deferred flags: the operation's number, operands and result. Number 0: the two words of lazy flags are
 * in the first operand (AUX) and the result. (So that these words' own locals need not live to where the region leaves.)
 */
export class FlagLocals {
  readonly #f: WasmFunction;
  readonly #words: { readonly result: number; readonly aux: number };
  readonly #kind: number;
  readonly #a: number;
  readonly #b: number;
  readonly #r: number;
  readonly #carry: number;

  /** `result`, `aux`: locals of the two words of lazy flags. */
  constructor(f: WasmFunction, result: number, aux: number) {
    this.#f = f;
    this.#words = { result, aux };
    [this.#kind, this.#a, this.#b, this.#r] = [f.local(), f.local(), f.local(), f.local()];
    this.#carry = f.local();
  }

  /** Makes flags deferred, `pending` or (undefined) in the two words. */
  defer(pending: PendingFlags | undefined): void {
    const f = this.#f;
    if (pending === undefined) {
      f.get(this.#words.aux).set(this.#a).get(this.#words.result).set(this.#r);
      f.i32(0).set(this.#kind);
    } else if (pending.kind !== "deferred") {
      const { kind, a, b, result, size } = pending;
      if (kind !== "logic") f.get(a).set(this.#a).get(b).set(this.#b);
      f.get(result).set(this.#r);
      f.i32(FLAG_OPERATION[kind] | (32 - 8 * size) << FLAG_SIZE_AT).set(this.#kind);
    }
  }
  /** Keeps CF, which is on the stack, on its own. */
  setCarry(): void {
    this.#f.set(this.#carry);
  }
  pushCarry(): void {
    this.#f.get(this.#carry);
  }

  /** Computes deferred flags into the locals of the two words. */
  settle(runtime: Runtime): void {
    const f = this.#f;
    f.get(this.#kind).if(undefined, false);
    this.#call(runtime);
    f.loadAt(L.FLAGS_RESULT).set(this.#r).loadAt(L.FLAGS_AUX).set(this.#a);
    f.i32(0).set(this.#kind).end();
    f.get(this.#r).set(this.#words.result).get(this.#a).set(this.#words.aux);
  }
  /** Computes deferred flags into memory. */
  store(runtime: Runtime): void {
    const f = this.#f;
    f.get(this.#kind).if();
    this.#call(runtime);
    f.else();
    f.i32(0).get(this.#r).store(L.FLAGS_RESULT).i32(0).get(this.#a).store(L.FLAGS_AUX);
    f.end();
  }
  #call(runtime: Runtime): void {
    const f = this.#f;
    f.get(this.#kind).get(this.#a).get(this.#b).get(this.#r).call(settleFlags(runtime));
    // It does nothing but compute.
    f.calls--;
  }
}
