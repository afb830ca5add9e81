/**
 * Pass: the order of blocks in memory. Chains of fall-through are kept together, at a branch the deeper
 * loop goes first, and blocks that only trap go to the end.
 *
 * @module
 */

import type { Block, FunctionGraph } from "./graph.ts";

function isCold(block: Block): boolean {
  return block.terminator.kind === "trap";
}

/** The block that should follow, if any is left. */
function bestFollower(block: Block, placed: ReadonlySet<Block>): Block | undefined {
  const { terminator } = block;
  if (terminator.kind === "jump") {
    return isCold(terminator.target) ? undefined : terminator.target;
  }
  if (terminator.kind !== "branch") return undefined;
  const [first, second] = [terminator.no, terminator.yes].filter((candidate) =>
    !placed.has(candidate) && !isCold(candidate)
  );
  if (first === undefined || second === undefined) return first;
  return second.depth > first.depth ? second : first;
}

/** Orders the blocks; the entry stays first. Needs `findLoops`. */
export function layoutBlocks(graph: FunctionGraph): void {
  const placed = new Set<Block>();
  const place = (start: Block): void => {
    let block: Block | undefined = start;
    while (block !== undefined && !placed.has(block)) {
      placed.add(block);
      block = bestFollower(block, placed);
    }
  };
  const [entry, ...rest] = graph.blocks as [Block, ...Block[]];
  place(entry);
  for (const block of rest) if (!isCold(block)) place(block);
  for (const block of rest) place(block);
  graph.blocks = [...placed];
}
