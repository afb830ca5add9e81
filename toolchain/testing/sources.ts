/**
 * Programs in memory, for tests of whole builds.
 *
 * @module
 */

import type { SourceFiles } from "../mod.ts";

/** Files from an object of paths and texts. */
export function sourceFiles(texts: Readonly<Record<string, string>>): SourceFiles {
  return {
    read: (path) => texts[path],
    list: (path) =>
      Object.keys(texts).filter((name) => name.startsWith(`${path}/`))
        .map((name) => name.slice(path.length + 1)).filter((name) => !name.includes("/")),
  };
}
