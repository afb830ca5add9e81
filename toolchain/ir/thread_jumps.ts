/**
 * Pass: branches to empty blocks that only jump go to the final target, and unreachable blocks go.
 *
 * @module
 */

import { type Block, type FunctionGraph, successors } from "./graph.ts";

/** An empty endless loop must not be followed for ever. */
const CHAIN_LIMIT = 50;

function finalTarget(block: Block): Block {
  for (let i = 0; i < CHAIN_LIMIT; i++) {
    if (block.statements.length > 0 || block.terminator.kind !== "jump") break;
    block = block.terminator.target;
  }
  return block;
}

/** Redirects all branches of a function. */
export function threadJumps(graph: FunctionGraph): void {
  for (const { terminator } of graph.blocks) {
    switch (terminator.kind) {
      case "jump":
        terminator.target = finalTarget(terminator.target);
        break;
      case "branch":
        terminator.yes = finalTarget(terminator.yes);
        terminator.no = finalTarget(terminator.no);
        break;
      case "switch":
        terminator.targets = terminator.targets.map(finalTarget);
        terminator.otherwise = finalTarget(terminator.otherwise);
        break;
    }
  }
}

/** Drops blocks that nothing reaches. */
export function removeUnreachable(graph: FunctionGraph): void {
  const reached = new Set<Block>();
  const work = [graph.blocks[0] as Block];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    if (reached.has(block)) continue;
    reached.add(block);
    work.push(...successors(block));
  }
  graph.blocks = graph.blocks.filter((block) => reached.has(block));
}
