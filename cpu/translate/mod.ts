/**
 * Hot code as Wasm of its own: the translator beside the interpreter.
 * @module
 */
import type { Core } from "../execute/core.ts";
import type { Engine } from "../execute/engine.ts";
import type { Handlers } from "../execute/handlers.ts";
import { type NameCode, Translator } from "./translator.ts";

export type { TranslatorStatistics } from "./statistics.ts";
export { type NameCode, Translator } from "./translator.ts";

/** Lets an engine translate blocks that were entered `threshold` times (1: at once). */
export function attachTranslator(
  options: {
    core: Core;
    engine: Engine;
    handlers: Handlers;
    threshold: number;
    /** Host milliseconds, for figures; regions then count what they do. */
    now?: (() => number) | undefined;
    /** Most bytes of Wasm that stay. */
    limit?: number | undefined;
    /** Names of code for the host's profilers. */
    nameCode?: NameCode | undefined;
  },
): Translator {
  const { core, engine, handlers, threshold, now, limit, nameCode } = options;
  const { exports, blocks } = engine;
  const translator = new Translator({
    core,
    blocks,
    handlers,
    exports: {
      handlers: exports["table"] as WebAssembly.Table,
      regions: exports["regions"] as WebAssembly.Table,
      functions: exports as Record<string, WebAssembly.ExportValue>,
      requireSteps: () => engine.translator.require(handlers.stepGroup),
    },
    threshold,
    now,
    limit,
    nameCode,
  });
  engine.translateWith(translator, threshold);
  return translator;
}
