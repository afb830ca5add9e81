/**
 * The control-flow graph of a function: blocks of statements, each with one terminator.
 *
 * Registers from `FIRST_REGISTER` on are virtual and may be assigned more than once. `offset`s are
 * places in the Wasm file, which the source map knows.
 *
 * @module
 */

import type { Tree, Width } from "./tree.ts";

/** Smaller numbers are the machine's own registers. */
export const FIRST_REGISTER = 8;

/** Effects, in the order in which they happen. */
export type Statement =
  | {
    readonly kind: "set";
    readonly register: number;
    readonly value: Tree;
    readonly offset: number;
  }
  | {
    readonly kind: "store";
    readonly width: Width;
    readonly address: Tree;
    readonly displacement: number;
    readonly value: Tree;
    readonly offset: number;
  }
  | {
    readonly kind: "call";
    /** A symbol, or the tree of the address. */
    readonly target: string | Tree;
    /** Words; the first `inRegisters` of them travel in registers. */
    readonly args: readonly Tree[];
    readonly inRegisters: number;
    readonly results: readonly number[];
    readonly offset: number;
  }
  | {
    /** An operation with fixed registers or more than one result, or an intrinsic. */
    readonly kind: "operation";
    readonly name: string;
    readonly args: readonly Tree[];
    readonly results: readonly number[];
    readonly offset: number;
  };

export type Terminator =
  | { readonly kind: "jump"; target: Block }
  | { readonly kind: "branch"; readonly condition: Tree; yes: Block; no: Block }
  | { readonly kind: "switch"; readonly index: Tree; targets: Block[]; otherwise: Block }
  | { readonly kind: "return"; readonly values: readonly Tree[] }
  | { readonly kind: "trap" };

/** A basic block. */
export class Block {
  readonly statements: Statement[] = [];
  terminator: Terminator = { kind: "trap" };
  /** Offset of the terminator. */
  offset = 0;
  /** Natural-loop nesting (`find_loops.ts`). */
  depth = 0;
}

/** A function as the passes see it. The first block is the entry. */
export interface FunctionGraph {
  readonly name: string;
  blocks: Block[];
  /** Registers of the parameter words. */
  readonly parameters: readonly number[];
  readonly parameterTypes: readonly number[];
  /** Registers are below this number. */
  registerCount: number;
  /** Offset of the function's code. */
  readonly offset: number;
}

/** Blocks that may follow. */
export function successors(block: Block): Block[] {
  const { terminator } = block;
  switch (terminator.kind) {
    case "jump":
      return [terminator.target];
    case "branch":
      return [terminator.yes, terminator.no];
    case "switch":
      return [...terminator.targets, terminator.otherwise];
    default:
      return [];
  }
}
