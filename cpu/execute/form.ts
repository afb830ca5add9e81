/**
 * Forms: an operation with the kinds and sizes of its operands; what the emitter is made for.
 * @module
 */
import type { WasmFunction } from "./wasm.ts";

/** Operand size in bytes. */
export type Size = 1 | 2 | 4;

/** Where an operand is. Memory: base + displacement; base + index + displacement; any segment, 16-bit. */
export type OperandKind = "register" | "immediate" | "base" | "indexed" | "segmented";

export interface Operand {
  readonly kind: OperandKind;
  /** Bytes; of a memory operand that the semantics access on their own (M) 0. */
  readonly size: number;
  /** State offset of the register, or of the base register, where the form fixes it. */
  readonly fixed?: number;
  /** Memory must be aligned to its size, else #GP(0). */
  readonly aligned?: boolean;
  /**
   * A register that is not a general one. Writing an MMX register sets bits 64–79 of the x87 register that it is
   * part of.
   */
  readonly file?: "mmx" | "xmm";
}

/** A form: an operation for given kinds of operands. */
export interface Form {
  readonly operation: string;
  readonly operands: readonly Operand[];
  /** Operand size attribute in bytes. */
  readonly operandSize: 2 | 4;
  /** Address size attribute in bytes; only where the operation depends on it (strings, LOOP). */
  readonly addressSize: 2 | 4;
  /** True: DS ES SS flat and a 32-bit stack, so stack and string addresses need no segment checks. */
  readonly flat: boolean;
  /** 0, 0xf2, 0xf3: only for string operations. */
  readonly repeat: number;
}

/** Of code that belongs to no instruction. */
export const NO_FORM: Form = {
  operation: "",
  operands: [],
  operandSize: 4,
  addressSize: 4,
  flat: true,
  repeat: 0,
};

/** Condition codes in opcode order: O NO B NB Z NZ BE NBE S NS P NP L NL LE NLE. */
export type Condition = number;

/** Locals that the cases of one function share: each case starts with none in use. */
export class LocalPool {
  readonly #free = new Map<number, number[]>();
  readonly #used = new Map<number, number>();

  reset(): void {
    this.#used.clear();
  }
  take(f: WasmFunction, type: number): number {
    const used = this.#used.get(type) ?? 0;
    this.#used.set(type, used + 1);
    const list = this.#free.get(type) ?? [];
    this.#free.set(type, list);
    let local = list[used];
    if (local === undefined) {
      local = f.local(type);
      list.push(local);
    }
    return local;
  }
}

/** The interpreter's loop around a handler. */
export interface Loop {
  /** `depth` of the function inside the loop. */
  readonly depth: number;
  readonly locals: LocalPool;
}
