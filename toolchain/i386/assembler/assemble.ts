/**
 * The assembler's driver: statements, labels, directives and conditional parts of one file.
 *
 * One pass over the text builds sections of pieces; `finish.ts` then sizes branches and resolves what
 * can be resolved. Errors are `CompileError`s at the line of the file; inside a macro at its use.
 *
 * @module
 */

import { CompileError } from "../../errors.ts";
import type { ObjectFile, ObjectSymbol } from "../../link/object.ts";
import { encodeInstruction } from "./encode_text.ts";
import { isConstant, type Names, OperandParser, type Sum, tokenize } from "./expression.ts";
import { finish } from "./finish.ts";
import { findBlock, type Macro, parseMacro, splitArguments, substitute } from "./macros.ts";
import { logicalLines, type SourceLine, splitStatements, stringBytes } from "./lines.ts";
import { SectionBuilder } from "./section.ts";
import { PREFIXES } from "./table.ts";

const DATA_SIZES: Readonly<Record<string, 1 | 2 | 4 | 8>> = {
  ".byte": 1,
  ".word": 2,
  ".short": 2,
  ".hword": 2,
  ".2byte": 2,
  ".long": 4,
  ".int": 4,
  ".4byte": 4,
  ".quad": 8,
  ".8byte": 8,
};
const IGNORED = new Set([".intel_syntax", ".code32", ".file", ".ident", ".extern"]);
const MACRO_DEPTH_LIMIT = 32;
const NOP = 0x90;
const CONDITION_STARTS = new Set([".if", ".ifdef", ".ifndef", ".ifb", ".ifnb"]);

/** Assembles one file. `name` is its name in messages and line tables. */
export function assemble(name: string, text: string): ObjectFile {
  return new Assembler(name).run(text);
}

/** What is known of a symbol besides its address. */
export interface SymbolInfo {
  global: boolean;
  kind: ObjectSymbol["kind"];
  size: Sum | undefined;
}

class Assembler implements Names {
  readonly #file: string;
  readonly #sections = new Map<string, SectionBuilder>();
  readonly #symbols = new Map<string, SymbolInfo>();
  readonly #absolutes = new Map<string, number>();
  readonly #labels = new Set<string>();
  readonly #macros = new Map<string, Macro>();
  readonly #numeric = new Map<string, number>();
  #section: SectionBuilder;
  #line = 0;
  #depth = 0;
  #expansions = 0;
  #dots = 0;
  #alternate = false;

  constructor(file: string) {
    this.#file = file;
    this.#section = this.#select(".text");
  }

  run(text: string): ObjectFile {
    this.#lines(logicalLines(text));
    return finish(this.#file, [...this.#sections.values()], this.#symbols, this.#absolutes);
  }

  absolute(name: string): number | undefined {
    return this.#absolutes.get(name);
  }

  local(text: string): string {
    if (text === ".") {
      const name = `.L\0${this.#dots++}`;
      this.#section.pieces.push({ type: "label", name });
      return name;
    }
    const digits = text.slice(0, -1);
    const count = this.#numeric.get(digits) ?? 0;
    return `.L${digits}\0${text.endsWith("b") ? count : count + 1}`;
  }

  #select(name: string): SectionBuilder {
    let section = this.#sections.get(name);
    if (section === undefined) {
      section = new SectionBuilder(name);
      this.#sections.set(name, section);
    }
    return section;
  }

  #info(name: string): SymbolInfo {
    let info = this.#symbols.get(name);
    if (info === undefined) {
      info = { global: false, kind: "none", size: undefined };
      this.#symbols.set(name, info);
    }
    return info;
  }

  #fail(message: string): never {
    throw new CompileError(message, { file: this.#file, line: this.#line, column: 1 });
  }

  #lines(lines: readonly SourceLine[]): void {
    if (this.#depth > MACRO_DEPTH_LIMIT) this.#fail("macros are nested too deeply");
    const statements = lines.flatMap(splitStatements);
    for (let i = 0; i < statements.length; i++) {
      const statement = statements[i] as SourceLine;
      if (this.#depth === 0) this.#line = statement.line;
      const word = /^\.?\w+/.exec(statement.text)?.[0] ?? "";
      try {
        if ([".rept", ".irp", ".macro"].includes(word)) {
          const end = findBlock(statements, i);
          this.#block(word, statement, statements.slice(i + 1, end));
          i = end;
        } else if (CONDITION_STARTS.has(word)) {
          i = this.#condition(statements, i);
        } else this.#statement(statement.text);
      } catch (error) {
        if (error instanceof SyntaxError) this.#fail(error.message);
        throw error;
      }
    }
  }

  #nested(lines: readonly SourceLine[]): void {
    this.#depth++;
    this.#lines(lines);
    this.#depth--;
  }

  #block(word: string, head: SourceLine, body: readonly SourceLine[]): void {
    const rest = head.text.slice(word.length).trim();
    if (word === ".macro") {
      const macro = parseMacro(rest, body);
      this.#macros.set(macro.name.toLowerCase(), macro);
    } else if (word === ".rept") {
      const count = this.#constant(rest);
      for (let i = 0; i < count; i++) this.#nested(body);
    } else {
      const [parameter = "", ...values] = splitArguments(rest);
      for (const value of values) {
        this.#nested(substitute(body, new Map([[parameter, value]]), this.#expansions));
      }
    }
  }

  /** Handles `.if … .endif` from `start` on; returns the index of its `.endif`. */
  #condition(statements: readonly SourceLine[], start: number): number {
    let taken = false;
    let active = this.#test((statements[start] as SourceLine).text);
    let nested = 0;
    let branch: SourceLine[] = [];
    const flush = (): void => {
      if (active && !taken) {
        taken = true;
        const isTop = this.#depth === 0;
        if (isTop) this.#lines(branch);
        else this.#nested(branch);
      }
      branch = [];
    };
    for (let i = start + 1; i < statements.length; i++) {
      const statement = statements[i] as SourceLine;
      const word = /^\.\w+/.exec(statement.text)?.[0] ?? "";
      if (CONDITION_STARTS.has(word)) nested++;
      if (nested === 0 && [".else", ".elseif", ".endif"].includes(word)) {
        flush();
        if (word === ".endif") return i;
        active = word === ".else" ||
          (!taken && this.#test(`.if ${statement.text.slice(word.length)}`));
        continue;
      }
      if (word === ".endif") nested--;
      branch.push(statement);
    }
    this.#fail(".if without .endif");
  }

  #test(text: string): boolean {
    const [, word, rest = ""] = /^(\.\w+)\s*(.*)$/.exec(text) ?? [];
    switch (word) {
      case ".ifb":
        return rest.trim() === "";
      case ".ifnb":
        return rest.trim() !== "";
      case ".ifdef":
      case ".ifndef": {
        const name = rest.trim();
        const defined = this.#absolutes.has(name) || this.#labels.has(name);
        return defined === (word === ".ifdef");
      }
      default:
        return this.#constant(rest) !== 0;
    }
  }

  #constant(text: string): number {
    const value = this.#expression(text);
    if (!isConstant(value)) throw new SyntaxError("the value must be known here");
    return value.constant;
  }

  #expression(text: string): Sum {
    const parser = new OperandParser(tokenize(text), this);
    const value = parser.expression();
    if (!parser.atEnd) throw new SyntaxError(`unexpected text in "${text.trim()}"`);
    return value;
  }

  #statement(text: string): void {
    for (let label = LABEL.exec(text); label !== null; label = LABEL.exec(text)) {
      this.#label(label[1] as string);
      text = text.slice(label[0].length);
    }
    if (text === "") return;
    const assignment = /^([A-Za-z_.$][\w.$]*)\s*=\s*([^=].*)$/.exec(text);
    if (assignment !== null) {
      this.#absolutes.set(assignment[1] as string, this.#constant(assignment[2] as string));
      return;
    }
    const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    if (word.startsWith(".")) this.#directive(word, rest);
    else {
      const macro = this.#macros.get(word.toLowerCase());
      if (macro === undefined) this.#instruction(text);
      else this.#expand(macro, rest);
    }
  }

  #label(name: string): void {
    if (/^\d/.test(name)) {
      const count = (this.#numeric.get(name) ?? 0) + 1;
      this.#numeric.set(name, count);
      name = `.L${name}\0${count}`;
    } else if (this.#labels.has(name) || this.#absolutes.has(name)) {
      throw new SyntaxError(`"${name}" is already defined`);
    }
    this.#labels.add(name);
    this.#section.pieces.push({ type: "label", name });
  }

  #expand(macro: Macro, rest: string): void {
    const values = macro.bind(
      splitArguments(rest),
      (text) =>
        this.#alternate && text.startsWith("%") ? String(this.#constant(text.slice(1))) : text,
    );
    const body = substitute(macro.body, values, this.#expansions++);
    this.#nested(body);
  }

  #instruction(text: string): void {
    const prefixes: string[] = [];
    let [mnemonic = "", rest = ""] = splitWord(text);
    while (PREFIXES[mnemonic] !== undefined) {
      prefixes.push(mnemonic);
      [mnemonic = "", rest = ""] = splitWord(rest);
    }
    const line = this.#line;
    if (mnemonic === "") {
      const bytes = prefixes.map((prefix) => PREFIXES[prefix] as number);
      this.#section.pieces.push({ type: "bytes", bytes, fixups: [], line });
      return;
    }
    if (this.#section.isZero) throw new SyntaxError("an instruction cannot stand in .bss");
    const operands = new OperandParser(tokenize(rest), this).operands();
    const { bytes, fixups, branch } = encodeInstruction(prefixes, mnemonic, operands);
    if (bytes.length > 0) this.#section.pieces.push({ type: "bytes", bytes, fixups, line });
    if (branch !== undefined) {
      this.#section.pieces.push({ type: "branch", ...branch, line, isLong: false });
    }
  }

  #directive(word: string, rest: string): void {
    const size = DATA_SIZES[word];
    if (size !== undefined) {
      for (const text of splitArguments(rest)) this.#data(text, size);
      return;
    }
    if (IGNORED.has(word)) return;
    switch (word) {
      case ".text":
      case ".data":
      case ".bss":
        this.#section = this.#select(word);
        return;
      case ".section":
        this.#section = this.#select((splitArguments(rest)[0] ?? "").replaceAll('"', ""));
        return;
      case ".global":
      case ".globl":
        for (const name of splitArguments(rest)) this.#info(name).global = true;
        return;
      case ".type": {
        const [name = "", kind = ""] = splitArguments(rest);
        this.#info(name).kind = kind.endsWith("function") ? "function" : "object";
        return;
      }
      case ".size": {
        const [name = "", value = ""] = splitArguments(rest);
        this.#info(name).size = this.#expression(value);
        return;
      }
      case ".align":
      case ".balign":
      case ".p2align":
        this.#align(word, rest);
        return;
      case ".ascii":
      case ".asciz":
      case ".string":
        for (const text of splitArguments(rest)) {
          this.#bytes([...stringBytes(text), ...(word === ".ascii" ? [] : [0])]);
        }
        return;
      case ".zero":
      case ".skip":
      case ".space": {
        const [count = "", fill = "0"] = splitArguments(rest);
        this.#space(this.#constant(count), this.#constant(fill));
        return;
      }
      case ".fill": {
        const [count = "", width = "1", value = "0"] = splitArguments(rest);
        const unit = littleEndian(this.#constant(value), this.#constant(width));
        this.#bytes(Array.from({ length: this.#constant(count) }, () => unit).flat());
        return;
      }
      case ".set":
      case ".equ": {
        const [name = "", value = ""] = splitArguments(rest);
        this.#absolutes.set(name, this.#constant(value));
        return;
      }
      case ".altmacro":
      case ".noaltmacro":
        this.#alternate = word === ".altmacro";
        return;
      case ".error":
        throw new SyntaxError(rest);
      default:
        throw new SyntaxError(`unknown directive "${word}"`);
    }
  }

  #align(word: string, rest: string): void {
    const [first = "", fill = "", limit = ""] = splitArguments(rest);
    const value = this.#constant(first);
    const alignment = word === ".p2align" ? 2 ** value : Math.max(1, value);
    if ((alignment & (alignment - 1)) !== 0) throw new SyntaxError("alignment is no power of two");
    this.#section.alignment = Math.max(this.#section.alignment, alignment);
    this.#section.pieces.push({
      type: "align",
      alignment,
      fill: this.#section.isCode && (fill === "" || this.#constant(fill) === NOP)
        ? undefined
        : fill === ""
        ? 0
        : this.#constant(fill) & 0xff,
      limit: limit === "" ? alignment : this.#constant(limit),
    });
  }

  #data(text: string, size: 1 | 2 | 4 | 8): void {
    const value = this.#expression(text);
    if (isConstant(value)) {
      this.#bytes(littleEndian(value.constant, size));
      return;
    }
    if (size === 8) throw new SyntaxError("an address has 32 bits");
    const fixups = [{ offset: 0, size, value, relative: false }];
    const bytes = new Array<number>(size).fill(0);
    this.#section.pieces.push({ type: "bytes", bytes, fixups, line: 0 });
  }

  #bytes(bytes: number[]): void {
    if (this.#section.isZero) {
      if (bytes.some((byte) => byte !== 0)) throw new SyntaxError("data cannot stand in .bss");
      this.#space(bytes.length, 0);
    } else this.#section.pieces.push({ type: "bytes", bytes, fixups: [], line: 0 });
  }

  #space(count: number, fill: number): void {
    if (count < 0 || count > 2 ** 28) throw new SyntaxError("bad size");
    this.#section.pieces.push({ type: "space", count, fill: fill & 0xff });
  }
}

const LABEL = /^([A-Za-z_.$][\w.$]*|\d+)\s*:(?!:)\s*/;

function splitWord(text: string): [string, string] {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
  return [word.toLowerCase(), rest];
}

function littleEndian(value: number, size: number): number[] {
  let rest = BigInt(value);
  return Array.from({ length: size }, () => {
    const byte = Number(rest & 0xffn);
    rest >>= 8n;
    return byte;
  });
}
