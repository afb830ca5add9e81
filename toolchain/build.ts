/**
 * Builds one program from its sources: front end, back end, linker.
 *
 * @module
 */

import { compileSources, MODULE_INITIALIZER, type SourceFiles } from "./frontend/compile.ts";
import { SourceMap } from "./frontend/source_map.ts";
import { assemble } from "./i386/assembler/mod.ts";
import { compileModule } from "./i386/module.ts";
import runtimeSource from "./i386/runtime.s" with { type: "text" };
import startSource from "./i386/start_user.s" with { type: "text" };
import { CompileError } from "./errors.ts";
import { debugSections } from "./link/dwarf.ts";
import { writeElf } from "./link/elf.ts";
import { linkProgram, type TargetLayout } from "./link/layout.ts";

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

/** Addresses of the targets. */
const TARGETS: Readonly<Record<BuildOptions["target"], TargetLayout>> = {
  kernel: {
    text: 0xc0100000,
    data: 0xc0400000,
    physicalOffset: 0xc0000000,
    boot: 0x00100000,
    embedSymbols: true,
  },
  user: {
    text: 0x08049000,
    data: 0x0a000000,
    physicalOffset: 0,
    boot: undefined,
    embedSymbols: false,
  },
};

/** Builds a program; throws `CompileError` for mistakes in it. */
export async function buildProgram(options: BuildOptions): Promise<BuildResult> {
  const layout = TARGETS[options.target];
  const assembled = (options.assembly ?? []).map((path) => assembleFile(options, path));
  const sources = await compileSources({
    root: options.root,
    entry: options.entry,
    memoryBase: layout.data,
    optimize: options.optimize ?? 1,
    files: options.files,
  });
  const compiled = compileModule(sources.wasm, {
    memoryBase: 0,
    checked: false,
    sourceMap: new SourceMap(sources.sourceMap),
    dataStart: layout.data,
  });
  const objects = [...assembled, compiled.object, assemble("lib/runtime.s", runtimeSource)];
  const startsItself = assembled.some(({ symbols }) =>
    symbols.some((symbol) => symbol.name === "_start" && symbol.global)
  );
  if (options.target === "user" && !startsItself) {
    objects.push(assemble("lib/start_user.s", startSource));
  }
  const program = linkProgram({
    objects,
    layout,
    entry: options.target === "kernel" ? ["_start", "kernel_main"] : ["_start"],
    fallbacks: { [MODULE_INITIALIZER]: "__nothing" },
    memoryEnd: compiled.memoryEnd,
  });
  const elf = writeElf(program, debugSections(program, options.root, options.entry));
  const text = program.sections.find((section) => section.name === ".text");
  return {
    elf,
    warnings: sources.warnings,
    statistics: {
      functions: compiled.functions,
      textBytes: text?.bytes.length ?? 0,
      spills: compiled.spills,
    },
  };
}

function assembleFile(options: BuildOptions, path: string): ReturnType<typeof assemble> {
  const full = options.root === "" || options.root === "." ? path : `${options.root}/${path}`;
  const text = options.files.read(full);
  if (text === undefined) throw new CompileError(`Cannot read the assembler file ${path}`);
  return assemble(path, text);
}
