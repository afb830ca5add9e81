/**
 * Drives the AssemblyScript compiler in this process: sources in, one Wasm module and its source
 * map out.
 *
 * The compiler sees files only through hooks, after `rewriteSource`; all its diagnostics become one
 * `CompileError`. The program's data gets its final virtual addresses already here, by the memory
 * base, so that no load or store needs relocation later.
 *
 * Sources: AssemblyScript 0.28 compiler options and API (`asc --help`, `dist/asc.d.ts`).
 *
 * @module
 */

import { CompileError, type Diagnostic, formatDiagnostic } from "../errors.ts";
import { rewriteSource, type Rewritten } from "./rewrite.ts";

/** Access to source files; paths are as the program's `root` makes them. */
export interface SourceFiles {
  /** A file's text, or undefined where there is no such file. */
  read(path: string): string | undefined;
  /** Names in a folder. */
  list(path: string): string[];
}

/** What to compile. */
export interface CompileOptions {
  readonly root: string;
  readonly entry: string;
  /** Address of the first byte of static data, a multiple of 4096. */
  readonly memoryBase: number;
  readonly optimize: 0 | 1 | 2 | 3;
  readonly files: SourceFiles;
}

/** What the front end hands on. */
export interface CompiledModule {
  readonly wasm: Uint8Array;
  /** Source map, version 3, with Wasm code offsets as columns. */
  readonly sourceMap: string;
  readonly warnings: string[];
}

/** Name of the export that runs the initialisers of all modules. */
export const MODULE_INITIALIZER = "__module_init";

/** Conversions between usize and u32 are free on i386. */
const DISABLED_WARNINGS = ["201"];

const CATEGORY_WARNING = 2;
const CATEGORY_ERROR = 3;

/** Compiles a program. Throws a `CompileError` with every diagnostic of the compiler. */
export async function compileSources(options: CompileOptions): Promise<CompiledModule> {
  const { files, root } = options;
  const sources = new Map<string, { original: string; rewritten: Rewritten }>();
  const outputs = new Map<string, Uint8Array | string>();
  const errors: Diagnostic[] = [];
  const warnings: string[] = [];
  let failure: unknown;
  let messages = "";

  const read = (name: string): string | null => {
    const path = joinPath(root, name);
    const original = files.read(path);
    if (original === undefined) return null;
    try {
      const rewritten = rewriteSource(name, original);
      sources.set(name, { original, rewritten });
      return rewritten.text;
    } catch (error) {
      failure ??= error;
      return "";
    }
  };
  if (files.read(joinPath(root, options.entry)) === undefined) {
    throw new CompileError(`Cannot read the entry module ${options.entry}`);
  }
  const runtime = findRuntime(options);
  // Loaded when first needed: it is large, and asks the host for environment variables.
  const { default: asc } = await import("assemblyscript/asc");
  const { error } = await asc.main([...argumentsOf(options, runtime)], {
    readFile: (name: string) => read(name),
    writeFile: (name: string, content: Uint8Array | string) => {
      outputs.set(name, content);
    },
    listFiles: (path: string) => files.list(joinPath(root, path)),
    stdout: { write: () => {} },
    stderr: {
      write: (text: unknown) => {
        messages += String(text);
      },
    },
    reportDiagnostic: (found: AscDiagnostic) => {
      if (found.category < CATEGORY_WARNING) return;
      const diagnostic = describe(found, sources);
      if (found.category === CATEGORY_ERROR) errors.push(diagnostic);
      else if (!DISABLED_WARNINGS.includes(String(found.code))) {
        warnings.push(formatDiagnostic(diagnostic));
      }
    },
    // deno-lint-ignore no-explicit-any -- the published type demands a whole Node stream
  } as any);
  if (failure !== undefined) throw failure;
  if (errors.length > 0) throw CompileError.of(errors);
  if (error !== null) throw new CompileError(messages.trim() || String(error));
  const wasm = outputs.get("out.wasm");
  const sourceMap = outputs.get("out.wasm.map");
  if (!(wasm instanceof Uint8Array) || typeof sourceMap !== "string") {
    throw new CompileError(`The compiler wrote no module for ${options.entry}`);
  }
  return { wasm, sourceMap, warnings };
}

function argumentsOf(
  options: CompileOptions,
  runtime: { path: string; aborts: boolean } | undefined,
): string[] {
  const args = [
    options.entry,
    ...["--outFile", "out.wasm", "--sourceMap", "--debug", `-O${options.optimize}`],
    // The memory is exported, as is the default: Binaryen would drop it, and with it the size of the
    // static data, where a program accesses it by intrinsics only.
    ...["--memoryBase", String(options.memoryBase), "--noColors"],
    ...["--exportStart", MODULE_INITIALIZER],
    // With a runtime of our own asc keeps a shadow stack of references, function values included. Code
    // that does not return (a thread that ends) would leak it, and threads would share it. 0 means the
    // default size, a negative one none.
    ...["--stackSize", " -1"],
    ...["--runtime", runtime === undefined ? "stub" : runtime.path],
  ];
  if (runtime?.aborts) args.push("--use", `abort=${runtime.path}/abort`);
  for (const code of DISABLED_WARNINGS) args.push("--disableWarning", code);
  return args;
}

/**
 * The program's runtime: `lib/runtime.ts` beside the entry module or in a folder above it, which
 * defines `__alloc`, `__free`… (decorated `@global`) and usually `abort`. Without the `.ts`, as asc
 * wants it.
 */
function findRuntime(options: CompileOptions): { path: string; aborts: boolean } | undefined {
  const folders = options.entry.split("/").slice(0, -1);
  for (let depth = folders.length; depth >= 0; depth--) {
    const path = [...folders.slice(0, depth), "lib", "runtime"].join("/");
    const text = options.files.read(joinPath(options.root, `${path}.ts`));
    if (text === undefined) continue;
    return { path, aborts: /export\s+function\s+abort\b/.test(text) };
  }
  return undefined;
}

interface AscDiagnostic {
  readonly message: string;
  readonly code: number;
  readonly category: number;
  readonly range: {
    readonly start: number;
    readonly source: { readonly normalizedPath: string } | null;
  } | null;
}

function describe(
  found: AscDiagnostic,
  sources: ReadonlyMap<string, { original: string; rewritten: Rewritten }>,
): Diagnostic {
  const text = `${found.message} (AS${found.code})`;
  const file = found.range?.source?.normalizedPath;
  if (found.range === null || file === undefined) return { text, position: undefined };
  const source = sources.get(file);
  if (source === undefined) return { text, position: { file, line: 1, column: 1 } };
  const before = source.rewritten.text.slice(0, found.range.start).split("\n");
  const line = before.length;
  const column = source.rewritten.column(line, (before[line - 1] ?? "").length + 1);
  return { text, position: { file, line, column } };
}

function joinPath(root: string, path: string): string {
  return root === "" || root === "." ? path : `${root.replace(/\/$/, "")}/${path}`;
}
