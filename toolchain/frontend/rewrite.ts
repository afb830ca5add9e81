/**
 * Source conveniences, rewritten before the AssemblyScript compiler reads a file.
 *
 * Two things that our dialect has and that plain TypeScript tools accept too:
 *
 * - `` c`text` `` is the address (`usize`) of a static, NUL-terminated UTF-8 string. It becomes
 *   `memory.data<u8>([…])`. The usual TypeScript escapes hold; `${…}` is refused.
 * - A block comment of just `@name` before a declaration is that decorator. TypeScript knows no decorators
 *   on functions and variables, AssemblyScript needs them (`@inline`, `@lazy`, `@global`).
 *
 * Lines keep their numbers. Columns move only behind a string literal; `Rewritten.column` maps a
 * column of the rewritten text back.
 *
 * @module
 */

import { CompileError } from "../errors.ts";

/** A file as the compiler reads it. */
export interface Rewritten {
  readonly text: string;
  /** The column (from 1) in the original line of a column (from 1) in the rewritten one. */
  column(line: number, column: number): number;
}

interface Edit {
  readonly line: number;
  /** Column (from 0) in the rewritten line at which replaced text ends. */
  readonly end: number;
  /** Columns by which the text behind it moved to the right. */
  readonly shift: number;
  readonly start: number;
}

const DECORATOR = /^\/\*@([A-Za-z]+)(\([^*]*\))?\*\//;
const FROM = /\bfrom\s*$/;
const IDENTIFIER_PART = /[A-Za-z0-9_$]/;

/** Rewrites one source file. `file` is its name in error messages. */
export function rewriteSource(file: string, source: string): Rewritten {
  const edits: Edit[] = [];
  const out: string[] = [];
  let line = 1;
  let lineStart = 0; // offset in `source`
  let shift = 0; // of the current line
  let position = 0;
  let copied = 0;

  const newlines = (from: number, to: number): void => {
    for (let i = source.indexOf("\n", from); i >= 0 && i < to; i = source.indexOf("\n", i + 1)) {
      line++;
      lineStart = i + 1;
      shift = 0;
    }
  };
  const replace = (end: number, text: string): void => {
    out.push(source.slice(copied, position), text);
    const start = position - lineStart + shift;
    const startLine = line;
    newlines(position, end);
    const multiline = line !== startLine;
    // A replacement ends with the newlines of the text it replaces, so behind it starts a new column count.
    const before = end - (multiline ? lineStart : position);
    const after = multiline ? 0 : text.length;
    shift += after - before;
    edits.push({ line, start: multiline ? 0 : start, end: multiline ? 0 : start + after, shift });
    position = copied = end;
  };
  const skip = (end: number): void => {
    newlines(position, end);
    position = end;
  };

  while (position < source.length) {
    const char = source[position] as string;
    if (char === "/" && source[position + 1] === "/") {
      const end = source.indexOf("\n", position);
      skip(end < 0 ? source.length : end);
    } else if (char === "/" && source[position + 1] === "*") {
      const found = DECORATOR.exec(source.slice(position, position + 200));
      if (found !== null) {
        replace(
          position + found[0].length,
          `@${found[1]}${found[2] ?? ""}`.padEnd(found[0].length),
        );
      } else {
        const end = source.indexOf("*/", position + 2);
        skip(end < 0 ? source.length : end + 2);
      }
    } else if (char === '"' || char === "'") {
      const end = endOfString(source, position);
      // asc takes `import … from "./a.ts"`, but looks for a.ts.ts in `export … from "./a.ts"`.
      const module = FROM.test(source.slice(Math.max(0, position - 20), position));
      if (module && source.slice(end - 4, end - 1) === ".ts") {
        replace(end, `${source.slice(position, end - 4)}${char}   `);
      } else skip(end);
    } else if (char === "`") {
      const tagged = source[position - 1] === "c" &&
        !IDENTIFIER_PART.test(source[position - 2] ?? " ") && source[position - 2] !== ".";
      const end = endOfString(source, position);
      if (!tagged) {
        skip(end);
        continue;
      }
      const at = { file, line, column: position - lineStart + 1 };
      const literal = cookString(source.slice(position + 1, end - 1), at);
      // Take back the tag, which is copied up to here.
      position--;
      const bytes = [...new TextEncoder().encode(literal), 0];
      const padding = "\n".repeat(source.slice(position, end).split("\n").length - 1);
      replace(end, `memory.data<u8>([${bytes.join(",")}])${padding}`);
    } else {
      if (char === "\n") newlines(position, position + 1);
      position++;
    }
  }
  out.push(source.slice(copied));
  return { text: out.join(""), column: (at, column) => originalColumn(edits, at, column) };
}

function originalColumn(edits: readonly Edit[], line: number, column: number): number {
  let shift = 0;
  for (const edit of edits) {
    if (edit.line !== line) continue;
    if (column - 1 < edit.start) break;
    if (column - 1 < edit.end) return edit.start - shift + 1;
    shift = edit.shift;
  }
  return column - shift;
}

/** Offset behind the closing quote of the literal that starts at `start`. */
function endOfString(source: string, start: number): number {
  const quote = source[start];
  for (let i = start + 1; i < source.length; i++) {
    const char = source[i];
    if (char === "\\") i++;
    else if (char === quote) return i + 1;
    else if (char === "\n" && quote !== "`") return i;
  }
  return source.length;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
};

/** The text that the inside of a template literal stands for (ECMA-262 §12.9.6, TV). */
function cookString(raw: string, at: { file: string; line: number; column: number }): string {
  if (raw.includes("${")) throw new CompileError("a c`` literal cannot contain ${…}", at);
  const pattern = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\}|\r?\n|([^]))|\r\n/g;
  return raw.replace(pattern, (whole, x, u, braced, char) => {
    if (whole === "\r\n") return "\n";
    const code = x ?? u ?? braced;
    if (code !== undefined) return String.fromCodePoint(parseInt(code, 16));
    return char === undefined ? "" : SIMPLE_ESCAPES[char] ?? char;
  });
}
