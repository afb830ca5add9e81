/**
 * Pass: a jump to a small block that only decides whether a loop goes on is replaced by a copy of it, so
 * that the loop has its test at the end; a jump to a bare return is replaced by the return.
 *
 * @module
 */

import type { Block, FunctionGraph } from "./graph.ts";

const STATEMENT_LIMIT = 2;

/** Whether the block is a small loop header with a way out. Needs `findLoops`. */
function isLoopTest(block: Block, from: Block): boolean {
  const { terminator, statements, depth } = block;
  if (terminator.kind !== "branch" || depth === 0 || depth > from.depth) return false;
  if (terminator.yes.depth >= depth && terminator.no.depth >= depth) return false;
  return statements.length <= STATEMENT_LIMIT &&
    statements.every(({ kind }) => kind !== "call" && kind !== "operation");
}

function isBareReturn(block: Block): boolean {
  return block.terminator.kind === "return" && block.statements.length === 0;
}

/** Copies such blocks over the jumps to them. */
export function rotateLoops(graph: FunctionGraph): void {
  for (const block of graph.blocks) {
    if (block.terminator.kind !== "jump") continue;
    const { target } = block.terminator;
    if (target === block || !(isLoopTest(target, block) || isBareReturn(target))) continue;
    block.statements.push(...target.statements);
    block.terminator = { ...target.terminator };
    block.offset = target.offset;
  }
}
