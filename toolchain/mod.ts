/**
 * The tool chain: TypeScript in the AssemblyScript dialect to i386 ELF programs.
 *
 * `frontend` drives AssemblyScript and Binaryen to a Wasm module; `ir` turns Wasm functions into
 * control-flow graphs of expression trees; `i386` selects instructions, allocates registers and
 * encodes; `link` lays the program out and writes ELF with symbols and line tables.
 *
 * @module
 */

export {
  type BuildOptions,
  buildProgram,
  type BuildResult,
  type BuildStatistics,
} from "./build.ts";
export { CompileError, type SourcePosition } from "./errors.ts";
export type { SourceFiles } from "./frontend/compile.ts";
