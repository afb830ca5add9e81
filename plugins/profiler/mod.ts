/**
 * The sampling profiler: folded stacks and flame graphs of a run, the same bytes on every run.
 *
 * @module
 */
export { frameName, parseFolded, StackCounts } from "./folded.ts";
export { type FlameGraphOptions, flameGraphSvg } from "./flame_graph.ts";
export {
  formatHelp,
  PROFILE_FORMATS,
  type ProfileFacts,
  type ProfileFormat,
  profileFormat,
  readStacks,
} from "./formats.ts";
export {
  differenceFolded,
  type FunctionShare,
  functionShares,
  parseShareLimit,
  reportTable,
  shareBeyond,
  type ShareLimit,
  type StackDifference,
  stackDifferences,
} from "./report.ts";
export {
  KERNEL_ROOTS,
  Profiler,
  type ProfilerOptions,
  type ProfileSummary,
  stackNames,
} from "./profiler.ts";
