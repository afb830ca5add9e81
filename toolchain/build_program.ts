/**
 * Builds one program from its sources: front end, back end, linker.
 *
 * @module
 */

import type { BuildOptions, BuildResult } from "./build.ts";
import { compileSources, MODULE_INITIALIZER } from "./frontend/compile.ts";
import { SourceMap } from "./frontend/source_map.ts";
import { assemble } from "./i386/assembler/mod.ts";
import { compileModule } from "./i386/module.ts";
import runtimeSource from "./i386/runtime.s" with { type: "text" };
import startSource from "./i386/start_user.s" with { type: "text" };
import { CompileError } from "./errors.ts";
import { debugSections } from "./link/dwarf.ts";
import { writeElf } from "./link/elf.ts";
import { linkProgram, type TargetLayout } from "./link/layout.ts";

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
export async function build(options: BuildOptions): Promise<BuildResult> {
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
