/**
 * Macros and repetition of the assembler (GNU as manual §7.69 `.macro`, §7.88 `.rept`, `.irp`).
 *
 * @module
 */

import type { SourceLine } from "./lines.ts";

/** A macro: names, defaults and body. */
export class Macro {
  readonly name: string;
  readonly body: readonly SourceLine[];
  readonly #parameters: readonly { readonly name: string; readonly standard: string }[];

  constructor(
    name: string,
    parameters: readonly { readonly name: string; readonly standard: string }[],
    body: readonly SourceLine[],
  ) {
    this.name = name;
    this.#parameters = parameters;
    this.body = body;
  }

  /** Values of the parameters for a use with `args`, each passed through `evaluate`. */
  bind(args: readonly string[], evaluate: (text: string) => string): Map<string, string> {
    if (args.length > this.#parameters.length) {
      throw new SyntaxError(`too many arguments for macro "${this.name}"`);
    }
    const values = new Map<string, string>();
    this.#parameters.forEach(({ name, standard }, index) => {
      const given = args[index];
      values.set(name, given === undefined || given === "" ? standard : evaluate(given));
    });
    for (const arg of args) {
      const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(arg) ?? [];
      if (values.has(name)) values.set(name, evaluate(value));
    }
    return values;
  }
}

/** Parses the head of a `.macro`. */
export function parseMacro(head: string, body: readonly SourceLine[]): Macro {
  const [, name = "", rest = ""] = /^([\w.$]+)\s*,?\s*(.*)$/.exec(head) ?? [];
  const parameters = rest.split(/[\s,]+/).filter((word) => word !== "").map((word) => {
    const [, parameter = word, standard = ""] = /^(\w+)(?::\w+)?(?:=(.*))?$/.exec(word) ?? [];
    return { name: parameter, standard };
  });
  return new Macro(name, parameters, body);
}

const OPENING = /^\.(?:macro|rept|irp)\b/;
const CLOSING = /^\.(?:endm|endr)\b/;

/** Index of the statement that closes the block opened at `start`. */
export function findBlock(statements: readonly SourceLine[], start: number): number {
  let depth = 0;
  for (let i = start; i < statements.length; i++) {
    const { text } = statements[i] as SourceLine;
    if (OPENING.test(text)) depth++;
    if (CLOSING.test(text) && --depth === 0) return i;
  }
  throw new SyntaxError("the block is not closed (.endm or .endr)");
}

/** Replaces `\parameter`, `\@` and `\()` in a body. */
export function substitute(
  body: readonly SourceLine[],
  values: ReadonlyMap<string, string>,
  count: number,
): SourceLine[] {
  return body.map(({ text, line }) => ({
    line,
    text: text.replace(/\\(@|\(\)|\w+)/g, (whole, name: string) => {
      if (name === "@") return String(count);
      if (name === "()") return "";
      return values.get(name) ?? whole;
    }).trim(),
  }));
}

/** Splits at commas outside strings, parentheses and brackets. */
export function splitArguments(text: string): string[] {
  const args: string[] = [];
  let depth = 0;
  let current = "";
  for (const [part] of text.matchAll(/"(?:\\.|[^"\\])*"|'\\?.'?|[^]/g)) {
    if (part === "(" || part === "[") depth++;
    if (part === ")" || part === "]") depth--;
    if (part === "," && depth === 0) {
      args.push(current.trim());
      current = "";
    } else current += part;
  }
  if (args.length > 0 || current.trim() !== "") args.push(current.trim());
  return args;
}
