/**
 * Lines of an assembler file: comments, statement separators, strings.
 *
 * @module
 */

/** A statement and the line (from 1) it stands on. */
export interface SourceLine {
  readonly text: string;
  readonly line: number;
}

/** The lines of a file without comments, which may span lines. */
export function logicalLines(text: string): SourceLine[] {
  const blanked = text.replace(
    /"(?:\\.|[^"\\\n])*"|\/\*[^]*?\*\/|#[^\n]*|^\s*\/\/?[^\n]*/gm,
    (found) => found.startsWith('"') ? found : found.replace(/[^\n]/g, " "),
  );
  return blanked.split("\n")
    .map((line, index) => ({ text: line.trim(), line: index + 1 }))
    .filter((line) => line.text !== "");
}

/** The statements of a line, which `;` separates. */
export function splitStatements(source: SourceLine): SourceLine[] {
  if (!source.text.includes(";")) return [source];
  const parts = source.text.match(/(?:"(?:\\.|[^"\\])*"|'\\?.|[^;"'])+/g) ?? [];
  return parts.map((part) => ({ text: part.trim(), line: source.line }))
    .filter((part) => part.text !== "");
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, f: 12 };

/** Bytes of a string literal with GNU as's escapes (`\n \t \\ \" \ooo \xhh`). */
export function stringBytes(literal: string): number[] {
  const found = /^"((?:\\.|[^"\\])*)"$/.exec(literal.trim());
  if (found === null) throw new SyntaxError(`a string is needed, not ${literal}`);
  const bytes: number[] = [];
  const pattern = /\\([0-7]{1,3})|\\x([0-9a-fA-F]+)|\\(.)|([^\\]+)/gu;
  for (const [, octal, hexadecimal, char, plain] of (found[1] as string).matchAll(pattern)) {
    if (octal !== undefined) bytes.push(parseInt(octal, 8) & 0xff);
    else if (hexadecimal !== undefined) bytes.push(parseInt(hexadecimal, 16) & 0xff);
    else if (char !== undefined) bytes.push(ESCAPES[char] ?? char.charCodeAt(0));
    else bytes.push(...new TextEncoder().encode(plain));
  }
  return bytes;
}
