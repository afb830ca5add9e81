/**
 * Pass: the natural-loop nesting depth of every block, from the back edges of a depth-first walk (Wasm's
 * graphs are reducible). Wasm's own nesting says less: it counts blocks after a loop's exit branch too.
 *
 * @module
 */

import { type Block, type FunctionGraph, successors } from "./graph.ts";

/** Sets `depth` of all blocks. */
export function findLoops(graph: FunctionGraph): void {
  for (const block of graph.blocks) block.depth = 0;
  const { predecessors, backEdges } = walk(graph.blocks[0] as Block);
  for (const [header, sources] of backEdges) {
    const body = new Set<Block>([header]);
    const work = [...sources];
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      if (body.has(block)) continue;
      body.add(block);
      work.push(...predecessors.get(block) ?? []);
    }
    for (const block of body) block.depth++;
  }
}

function addTo(map: Map<Block, Block[]>, key: Block, value: Block): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function walk(
  entry: Block,
): { predecessors: Map<Block, Block[]>; backEdges: Map<Block, Block[]> } {
  const predecessors = new Map<Block, Block[]>();
  const backEdges = new Map<Block, Block[]>();
  const state = new Map<Block, "open" | "done">([[entry, "open"]]);
  const stack = [{ block: entry, next: 0, successors: successors(entry) }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const following = top.successors[top.next++];
    if (following === undefined) {
      state.set(top.block, "done");
      stack.pop();
      continue;
    }
    addTo(predecessors, following, top.block);
    const seen = state.get(following);
    if (seen === "open") addTo(backEdges, following, top.block);
    if (seen !== undefined) continue;
    state.set(following, "open");
    stack.push({ block: following, next: 0, successors: successors(following) });
  }
  return { predecessors, backEdges };
}
