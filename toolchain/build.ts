/**
 * Builds one program from its sources: front end, back end, linker.
 *
 * @module
 */

import { CompileError } from "./errors.ts";
import { compileSources, MODULE_INITIALIZER, type SourceFiles } from "./frontend/compile.ts";
import { compile, dwarf, elf, link, parseMap } from "./link/link.ts";
import { EAX, EBP, EBX, ECX, EDX, ESP, imm, mem } from "./i386/select.ts";
import { runtime, StubAsm } from "./i386/stubs.ts";

/** What to build. */
export interface BuildOptions {
  /** Folder that module paths, and so symbol names, are relative to. */
  readonly root: string;
  /** Entry module, relative to `root`; its exports are global symbols. */
  readonly entry: string;
  readonly target: "kernel" | "user";
  /** Assembler files, relative to `root`, in the Intel syntax of GNU as. */
  readonly assembly?: readonly string[];
  readonly files: SourceFiles;
  /** Binaryen's optimisation level, default 1. */
  readonly optimize?: 0 | 1 | 2 | 3;
}

/** Figures about a build. Times are in milliseconds, sizes in bytes. */
export interface BuildStatistics {
  readonly frontendMs: number;
  readonly backendMs: number;
  readonly functions: number;
  readonly textBytes: number;
  readonly spills: number;
}

/** A finished program. */
export interface BuildResult {
  readonly elf: Uint8Array;
  readonly warnings: string[];
  readonly statistics: BuildStatistics;
}

/** Addresses of a target (plan: kernel high, one page of boot code low). */
const TARGETS = {
  kernel: { text: 0xc0100000, data: 0xc0400000, physicalOffset: 0xc0000000 },
  user: { text: 0x08049000, data: 0x0a000000, physicalOffset: 0 },
} as const;

/** Builds a program; throws `CompileError` for mistakes in it. */
export async function buildProgram(options: BuildOptions): Promise<BuildResult> {
  const target = TARGETS[options.target];
  const started = performance.now();
  const compiled = await compileSources({
    root: options.root,
    entry: options.entry,
    memoryBase: target.data,
    optimize: options.optimize ?? 1,
    files: options.files,
  });
  const frontendMs = performance.now() - started;
  const object = compile(compiled.wasm, { cmov: true });
  if (object.unsupported.size > 0) {
    const [index, text] = [...object.unsupported][0]!;
    throw new CompileError(`${object.m.funcs[index]!.name}: ${text}`);
  }
  const stubs = new StubAsm();
  if (options.target === "user") userStart(stubs);
  runtime(stubs);
  const linked = link(object, {
    textBase: target.text + (options.target === "kernel" ? 0x1000 : 0),
    entry: options.target === "kernel" ? "kernel_main" : "_start",
    stubs,
    physOff: target.physicalOffset,
    dataBase: target.data,
  });
  const map = parseMap(JSON.parse(compiled.sourceMap));
  return {
    elf: elf(linked, { sections: dwarf(linked, map, options.root, options.entry) }),
    warnings: compiled.warnings,
    statistics: {
      frontendMs,
      backendMs: performance.now() - started - frontendMs,
      functions: object.codes.length,
      textBytes: linked.textSize,
      spills: object.stats.spills,
    },
  };
}

function userStart(a: StubAsm): void {
  a.L("_start").i("xor", EBP, EBP).call(MODULE_INITIALIZER).i("mov", EAX, mem(ESP, 0));
  a.i("lea", EDX, mem(ESP, 4)).i("lea", ECX, mem(EDX, 4, EAX, 4)).call("main");
  a.i("mov", EBX, EAX).i("mov", EAX, imm(1));
  a.db(0xcd, 0x80, 0x0f, 0x0b);
  a.align(16).L("__memory_grow").i("mov", EAX, imm(-1)).ret();
}
