/**
 * The files that a profile becomes: which format a file's name asks for, and what each reader gets. The same stacks
 * give the same bytes.
 *
 * @module
 */
import { flameGraphSvg } from "./flame_graph.ts";
import { parseFolded, type StackCounts } from "./folded.ts";
import { perfScript } from "./perf_script.ts";
import { pprofProfile } from "./pprof.ts";
import { speedscopeProfile } from "./speedscope.ts";

/** What a file says beside the stacks. */
export interface ProfileFacts {
  /** What was profiled. */
  readonly name: string;
  /** Virtual time that a sample stands for, in ns, a positive integer. */
  readonly periodNs: number;
  /** What is counted, in the plural; samples if not given. */
  readonly countName?: string;
}

/** A way to write profiles. */
export interface ProfileFormat {
  /** Ends of the names of its files. */
  readonly extensions: readonly string[];
  /** What it is, for help. */
  readonly description: string;
  /** The file. */
  encode(stacks: StackCounts, facts: ProfileFacts): string | Uint8Array;
}

/** All formats; folded stacks are what any other name means. */
export const PROFILE_FORMATS: readonly ProfileFormat[] = [
  {
    extensions: [".svg"],
    description: "flame graph",
    encode: (stacks, { name, countName = "samples" }) =>
      flameGraphSvg(stacks, { title: name, countName }),
  },
  {
    extensions: [".speedscope.json"],
    description: "speedscope",
    encode: speedscopeProfile,
  },
  { extensions: [".pb.gz", ".pprof"], description: "pprof", encode: pprofProfile },
  { extensions: [".perf"], description: "the text of perf script", encode: perfScript },
  {
    extensions: [".folded", ".collapsed", ".txt"],
    description: "folded stacks",
    encode: (stacks) => stacks.toFolded(),
  },
];
const FOLDED = PROFILE_FORMATS.at(-1) as ProfileFormat;

/**
 * The format that a file's name asks for; folded stacks when it asks for none.
 *
 * @example
 * ```ts
 * import { parseFolded, profileFormat } from "@overture/overture/plugins/profiler";
 * import assert from "node:assert/strict";
 *
 * const { description, encode } = profileFormat("boot.perf");
 * assert.equal(description, "the text of perf script");
 * assert.match(String(encode(parseFolded("init;main 2\n"), { name: "boot", periodNs: 1000 })), /main/);
 * ```
 */
export function profileFormat(path: string): ProfileFormat {
  const ends = (format: ProfileFormat): boolean =>
    format.extensions.some((extension) => path.endsWith(extension));
  return PROFILE_FORMATS.find(ends) ?? FOLDED;
}

/** Names of kinds of files, for help: `.svg (flame graph), …`. */
export function formatHelp(): string {
  return PROFILE_FORMATS.map(({ extensions, description }) => `${extensions[0]} (${description})`)
    .join(", ");
}

/**
 * Reads stacks that were written as folded stacks.
 *
 * @throws {SyntaxError} when the text is none; the sentence names the file and the line.
 */
export function readStacks(text: string, path: string): StackCounts {
  try {
    return parseFolded(text);
  } catch (error) {
    const why = (error as Error).message;
    throw new SyntaxError(
      `"${path}" has no folded stacks: ${why}; give a file that "profile -o NAME.folded" wrote`,
    );
  }
}
