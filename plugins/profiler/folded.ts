/**
 * Folded stacks: `root;…;leaf COUNT`, one line a distinct stack, sorted by bytes, so that the same
 * samples give the same file. The rules are the intersection of what flamegraph.pl, inferno,
 * speedscope and the Firefox Profiler accept.
 *
 * @module
 */

/** Counts of stacks; a stack is its frames' names from the root to the leaf. */
export class StackCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** Samples counted. */
  get total(): number {
    return this.#total;
  }

  /** Counts `weight` (a positive integer) samples of a stack, given root first. */
  add(frames: readonly string[], weight = 1): void {
    const key = frames.map(frameName).join(";");
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + weight);
    this.#total += weight;
  }

  /** The stacks in byte order, with their counts. */
  entries(): { stack: string; count: number }[] {
    const encoder = new TextEncoder();
    return [...this.#counts]
      .map(([stack, count]) => ({ stack, count, bytes: encoder.encode(stack) }))
      .sort((a, b) => compareBytes(a.bytes, b.bytes))
      .map(({ stack, count }) => ({ stack, count }));
  }

  /** The folded file: UTF-8 text with LF, no header. */
  toFolded(): string {
    return this.entries().map(({ stack, count }) => `${stack} ${count}\n`).join("");
  }
}

/**
 * Makes a name safe inside a folded line: `;` separates frames, line ends separate stacks, and a name
 * that ends in blank and number would be read as a differential count.
 *
 * @example
 * ```ts
 * import { frameName } from "@overture/overture/plugins/profiler";
 * import assert from "node:assert/strict";
 *
 * assert.equal(frameName("a;b\n"), "a:b");
 * assert.equal(frameName("read 12"), "read_12");
 * ```
 */
export function frameName(name: string): string {
  const clean = name.replaceAll(";", ":").replace(/\s+/g, " ").trim()
    .replace(/ (?=\d+(\.\d*)?$)/, "_");
  return clean === "" ? "[unknown]" : clean;
}

/**
 * Reads folded text.
 *
 * @throws {SyntaxError} naming the line when one is not `stack count`.
 */
export function parseFolded(text: string): StackCounts {
  const counts = new StackCounts();
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    const match = /^(.*) (\d+)$/.exec(line.trimEnd());
    if (match === null) {
      throw new SyntaxError(
        `Cannot read folded stacks: line ${index + 1} is not "frame;frame count"`,
      );
    }
    counts.add(match[1]!.split(";"), Number(match[2]));
  });
  return counts;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}
