/**
 * The tool chain's one function and its options. The tool chain itself is loaded when it has something to build:
 * most who import this only boot what is built.
 *
 * @module
 */
import type { SourceFiles } from "./frontend/compile.ts";

/** What to build. */
export interface BuildOptions {
  /** Folder that module paths, and so symbol names, are relative to. */
  readonly root: string;
  /** Entry module, relative to `root`; its exports are global symbols. */
  readonly entry: string;
  /** Decides addresses, entry point and embedded tables (`docs/toolchain.md`). */
  readonly target: "kernel" | "user";
  /** Assembler files, relative to `root`, in the Intel syntax of GNU as. */
  readonly assembly?: readonly string[];
  /** Where sources come from; the tool chain itself never touches the host. */
  readonly files: SourceFiles;
  /** Binaryen's optimisation level, default 1. */
  readonly optimize?: 0 | 1 | 2 | 3;
}

/** Figures about a build. Sizes are in bytes. */
export interface BuildStatistics {
  /** Compiled functions, those of assembler files not counted. */
  readonly functions: number;
  /** Size of `.text`. */
  readonly textBytes: number;
  /** Values that got no register. */
  readonly spills: number;
}

/** A finished program. */
export interface BuildResult {
  /** The executable, ready to be written or loaded. */
  readonly elf: Uint8Array;
  /** The compiler's warnings, each as `file:line:column: text`. */
  readonly warnings: string[];
  /** Figures for progress reports. */
  readonly statistics: BuildStatistics;
}

/** Builds a program; throws `CompileError` for mistakes in it. */
export async function buildProgram(options: BuildOptions): Promise<BuildResult> {
  const { build } = await import("./build_program.ts");
  return await build(options);
}
