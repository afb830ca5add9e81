/**
 * Functions by name: their calls with arguments, and their returns with what they give.
 *
 * @module
 */
import type { Filter } from "./filter.ts";

/** How functions take arguments: all on the stack (System V i386 ABI), or three in EAX, EDX, ECX (Linux's kernel). */
export type CallingConvention = "cdecl" | "regparm3";

/** Which calls a subscription is about, beside a filter; its `range` and `symbol` are of no meaning here. */
export interface CallFilter extends Filter {
  /** How the functions take arguments; `cdecl` if not given. */
  readonly convention?: CallingConvention;
}

/** A function whose first instruction is about to run. */
export interface FunctionCall {
  /** Its name. */
  readonly symbol: string;
  /** Linear address of its first instruction. */
  readonly address: number;
  /** Linear address that it returns to. */
  readonly returnAddress: number;
  /** ESP: where the return address is. */
  readonly esp: number;
  /** The first `count` arguments as unsigned words; 0 where the stack cannot be read. */
  args(count: number): number[];
}

/** A function that has returned: the instruction behind its call is about to run. */
export interface FunctionReturn {
  /** The call. The first six of its arguments are as they were then. */
  readonly call: FunctionCall;
  /** What it gives: EAX, unsigned. */
  readonly value: number;
  /** The same with EDX above, for functions that give 64 bits. */
  readonly value64: bigint;
  /** Instructions between call and return, whatever ran meanwhile. */
  readonly instructions: number;
}
