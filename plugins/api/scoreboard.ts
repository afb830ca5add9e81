/**
 * Scoreboards: 64-bit fields for each virtual CPU, which hooks add to and store into without a call, and by which
 * callbacks are made conditional.
 *
 * @module
 */
import type { Vcpu } from "./vcpu.ts";

/** A field of a scoreboard (QEMU's `qemu_plugin_u64`): 64 bits for each virtual CPU, modulo 2^64. */
export interface U64 {
  /** Adds to the field of a virtual CPU. */
  add(vcpu: Vcpu, amount: number | bigint): void;
  /** The field of a virtual CPU. */
  get(vcpu: Vcpu): bigint;
  /** Sets the field of a virtual CPU. */
  set(vcpu: Vcpu, value: number | bigint): void;
  /** The sum over all virtual CPUs. */
  sum(): bigint;
}

/** Fields by name, for each virtual CPU. Disposing of it frees it: whoever then uses it, throws. */
export interface Scoreboard<Name extends string = string> extends Disposable {
  /**
   * A field, for inline operations and conditions.
   *
   * @throws {RangeError} when there is none of that name, {TypeError} when the scoreboard was freed.
   */
  u64(name: Name): U64;
  /**
   * The fields of one virtual CPU as properties that can be read and set; they show what the guest's run adds.
   *
   * @throws {TypeError} when the scoreboard was freed.
   */
  find(vcpu: Vcpu): Record<Name, bigint>;
}

/** An operation that hooks do without a call: add to the field, or store into it, modulo 2^64. */
export type InlineOperation = "add" | "store";

/** How a field is compared with a value; both are unsigned. */
export type Comparison = "never" | "always" | "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** A condition on a field: QEMU's conditional callbacks. */
export interface Condition {
  /** The field. */
  readonly entry: U64;
  /** The comparison; `never` installs nothing, `always` is no condition. */
  readonly is: Comparison;
  /** What it is compared with, 0..2^64-1. */
  readonly value: number | bigint;
}
