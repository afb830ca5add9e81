/**
 * Pass: a block whose only predecessor ends with a jump to it becomes part of that predecessor.
 *
 * @module
 */

import { type Block, type FunctionGraph, successors } from "./graph.ts";

/** Joins straight-line blocks. */
export function mergeBlocks(graph: FunctionGraph): void {
  const entry = graph.blocks[0];
  const predecessors = new Map<Block, number>();
  for (const block of graph.blocks) {
    for (const next of successors(block)) {
      predecessors.set(next, (predecessors.get(next) ?? 0) + 1);
    }
  }
  const gone = new Set<Block>();
  for (const block of graph.blocks) {
    if (gone.has(block)) continue;
    while (block.terminator.kind === "jump") {
      const { target } = block.terminator;
      if (target === block || target === entry || gone.has(target)) break;
      if (predecessors.get(target) !== 1) break;
      block.statements.push(...target.statements);
      block.terminator = target.terminator;
      block.offset = target.offset;
      gone.add(target);
    }
  }
  graph.blocks = graph.blocks.filter((block) => !gone.has(block));
}
