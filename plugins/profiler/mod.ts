/**
 * The sampling profiler: folded stacks and flame graphs of a run, the same bytes on every run.
 *
 * @module
 */
export { frameName, parseFolded, StackCounts } from "./folded.ts";
export { type FlameGraphOptions, flameGraphSvg } from "./flame_graph.ts";
export { KERNEL_ROOTS, Profiler, type ProfilerOptions, type ProfileSummary } from "./profiler.ts";
