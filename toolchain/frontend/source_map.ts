/**
 * Reads the source map that Binaryen writes beside a module (source map revision 3, where the
 * "column" of the one generated line is an offset into the Wasm file).
 *
 * @module
 */

import type { SourcePosition } from "../errors.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

interface Mapping {
  readonly offset: number;
  readonly source: number;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Offsets of a Wasm file to places in the sources. */
export class SourceMap {
  readonly #sources: readonly string[];
  readonly #mappings: readonly Mapping[];

  constructor(json: string) {
    const map: { sources: string[]; mappings: string } = JSON.parse(json);
    this.#sources = map.sources.map((source) => source.replace(/^~lib\//, "lib/"));
    this.#mappings = decode(map.mappings);
  }

  /** The place that the instruction at `offset` comes from: that of the last mapping before. */
  find(offset: number): SourcePosition | undefined {
    let low = 0;
    let high = this.#mappings.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if ((this.#mappings[middle] as Mapping).offset <= offset) low = middle + 1;
      else high = middle - 1;
    }
    const found = this.#mappings[high];
    if (found === undefined) return undefined;
    const file = this.#sources[found.source] ?? "?";
    return { file, line: found.line, column: found.column + 1 };
  }
}

/** Decodes base-64 variable-length quantities: groups of offset, source, line, column, each a delta. */
function decode(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  let offset = 0;
  let source = 0;
  let line = 0;
  let column = 0;
  for (const group of text.split(/[,;]/)) {
    const values: number[] = [];
    let value = 0;
    let shift = 0;
    for (const char of group) {
      const digit = DIGITS.indexOf(char);
      value |= (digit & 31) << shift;
      shift += 5;
      if ((digit & 32) !== 0) continue;
      values.push((value & 1) !== 0 ? -(value >> 1) : value >> 1);
      value = shift = 0;
    }
    offset += values[0] ?? 0;
    if (values.length < 4) continue;
    source += values[1] as number;
    line += values[2] as number;
    column += values[3] as number;
    mappings.push({ offset, source, line: line + 1, column });
  }
  return mappings;
}
