/**
 * The passes over a function's graph, in their order.
 *
 * @module
 */

import { findLoops } from "./find_loops.ts";
import type { FunctionGraph } from "./graph.ts";
import { layoutBlocks } from "./layout_blocks.ts";
import { mergeBlocks } from "./merge_blocks.ts";
import { rotateLoops } from "./rotate_loops.ts";
import { removeUnreachable, threadJumps } from "./thread_jumps.ts";

/** Improves a graph in place. */
export function optimizeGraph(graph: FunctionGraph): void {
  threadJumps(graph);
  findLoops(graph);
  rotateLoops(graph);
  threadJumps(graph);
  removeUnreachable(graph);
  mergeBlocks(graph);
  findLoops(graph);
  layoutBlocks(graph);
}
