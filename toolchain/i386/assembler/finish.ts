/**
 * The assembler's end: sizes branches (shortest that reach), resolves what lies in one section, and
 * leaves the rest to the linker as relocations.
 *
 * @module
 */

import { CompileError, type SourcePosition } from "../../errors.ts";
import type {
  LineEntry,
  ObjectFile,
  ObjectSection,
  ObjectSymbol,
  Relocation,
} from "../../link/object.ts";
import type { SymbolInfo } from "./assemble.ts";
import type { Sum } from "./expression.ts";
import { codePadding, type Piece, pieceSize, type SectionBuilder } from "./section.ts";

interface Place {
  readonly section: SectionBuilder;
  readonly offset: number;
}

/** Makes the object file. */
export function finish(
  file: string,
  sections: readonly SectionBuilder[],
  symbols: ReadonlyMap<string, SymbolInfo>,
  absolutes: ReadonlyMap<string, number>,
): ObjectFile {
  relax(sections);
  return new Finisher(file, sections, symbols, absolutes).run();
}

/** Offsets of all labels, with the branch sizes as they are now. */
function places(sections: readonly SectionBuilder[]): Map<string, Place> {
  const found = new Map<string, Place>();
  for (const section of sections) {
    const offsets = section.offsets();
    section.pieces.forEach((piece, index) => {
      if (piece.type === "label") {
        found.set(piece.name, { section, offset: offsets[index] as number });
      }
    });
  }
  return found;
}

/** Starts with all branches short and lengthens those that do not reach, until none changes. */
function relax(sections: readonly SectionBuilder[]): void {
  for (let changed = true; changed;) {
    changed = false;
    const labels = places(sections);
    for (const section of sections) {
      const offsets = section.offsets();
      section.pieces.forEach((piece, index) => {
        if (piece.type !== "branch" || piece.isLong) return;
        const end = offsets[index + 1] as number;
        const target = localTarget(piece.target, section, labels);
        const distance = target === undefined ? Infinity : target - end;
        if (distance < -128 || distance > 127) piece.isLong = changed = true;
      });
    }
  }
}

/** Offset in `section` that the sum means, or undefined if it lies elsewhere. */
function localTarget(
  sum: Sum,
  section: SectionBuilder,
  labels: ReadonlyMap<string, Place>,
): number | undefined {
  const only = sum.symbols[0];
  if (only === undefined || sum.symbols.length !== 1 || only.negative) return undefined;
  const place = labels.get(only.name);
  return place?.section === section ? place.offset + sum.constant : undefined;
}

class Finisher {
  #file: string;
  #sections: readonly SectionBuilder[];
  #symbols: ReadonlyMap<string, SymbolInfo>;
  #absolutes: ReadonlyMap<string, number>;
  #labels: Map<string, Place>;
  #references = new Map<string, SourcePosition>();

  constructor(
    file: string,
    sections: readonly SectionBuilder[],
    symbols: ReadonlyMap<string, SymbolInfo>,
    absolutes: ReadonlyMap<string, number>,
  ) {
    this.#file = file;
    this.#sections = sections;
    this.#symbols = symbols;
    this.#absolutes = absolutes;
    this.#labels = places(sections);
  }

  run(): ObjectFile {
    const sections = this.#sections.filter((section) => section.pieces.length > 0)
      .map((section) => this.#section(section));
    return {
      name: this.#file,
      sections,
      symbols: this.#symbolTable(),
      references: this.#references,
    };
  }

  #section(section: SectionBuilder): ObjectSection {
    const { name, alignment } = section;
    const offsets = section.offsets();
    const size = offsets[offsets.length - 1] as number;
    if (section.isZero) {
      const bytes = new Uint8Array(0);
      return { name, alignment, bytes, zeroBytes: size, relocations: [], lines: [] };
    }
    const bytes = new Uint8Array(size);
    const relocations: Relocation[] = [];
    const lines: LineEntry[] = [];
    section.pieces.forEach((piece, index) => {
      const offset = offsets[index] as number;
      this.#piece(section, piece, offset, bytes, relocations);
      if ((piece.type === "bytes" || piece.type === "branch") && piece.line > 0) {
        lines.push({ offset, file: this.#file, line: piece.line });
      }
    });
    return { name, alignment, bytes, zeroBytes: 0, relocations, lines };
  }

  #piece(
    section: SectionBuilder,
    piece: Piece,
    offset: number,
    bytes: Uint8Array,
    relocations: Relocation[],
  ): void {
    switch (piece.type) {
      case "bytes":
        bytes.set(piece.bytes, offset);
        for (const fixup of piece.fixups) {
          const field = { ...fixup, offset: offset + fixup.offset, line: piece.line };
          this.#fix(section, field, bytes, relocations);
        }
        return;
      case "branch": {
        const opcode = piece.isLong ? piece.long : piece.short;
        bytes.set(opcode, offset);
        const field = {
          offset: offset + opcode.length,
          size: piece.isLong ? 4 as const : 1 as const,
          value: piece.target,
          relative: true,
          line: piece.line,
        };
        this.#fix(section, field, bytes, relocations);
        return;
      }
      case "align": {
        const count = pieceSize(piece, offset);
        if (piece.fill === undefined) bytes.set(codePadding(count), offset);
        else bytes.fill(piece.fill, offset, offset + count);
        return;
      }
      case "space":
        bytes.fill(piece.fill, offset, offset + piece.count);
        return;
      case "label":
        return;
    }
  }

  #fix(
    section: SectionBuilder,
    field: { offset: number; size: 1 | 2 | 4; value: Sum; relative: boolean; line: number },
    bytes: Uint8Array,
    relocations: Relocation[],
  ): void {
    const position = { file: this.#file, line: Math.max(1, field.line), column: 1 };
    const { symbol, constant } = this.#reduce(field.value, position);
    const view = new DataView(bytes.buffer);
    const put = (value: number): void => {
      if (field.size === 4) view.setInt32(field.offset, value, true);
      else if (field.size === 2) view.setInt16(field.offset, value, true);
      else view.setInt8(field.offset, value);
    };
    if (symbol === undefined && !field.relative) {
      put(constant);
      return;
    }
    if (field.relative && symbol !== undefined) {
      const place = this.#labels.get(symbol);
      if (place?.section === section) {
        const distance = place.offset + constant - (field.offset + field.size);
        if (field.size === 1 && (distance < -128 || distance > 127)) {
          throw new CompileError("the branch does not reach its target", position);
        }
        put(distance);
        return;
      }
    }
    if (field.size !== 4 || symbol === undefined) {
      throw new CompileError("this field cannot hold an address", position);
    }
    if (!this.#labels.has(symbol) && !this.#references.has(symbol)) {
      this.#references.set(symbol, position);
    }
    const kind = field.relative ? "relative" : "absolute";
    relocations.push({ offset: field.offset, kind, symbol, addend: constant });
  }

  /** Reduces a sum to at most one symbol: differences of labels in one section are numbers. */
  #reduce(
    sum: Sum,
    position: SourcePosition,
  ): { symbol: string | undefined; constant: number } {
    let { constant } = sum;
    const positive = sum.symbols.filter((symbol) => !symbol.negative).map(({ name }) => name);
    for (const { name, negative } of sum.symbols) {
      if (!negative) continue;
      const subtracted = this.#labels.get(name);
      const index = positive.findIndex((other) =>
        subtracted !== undefined && this.#labels.get(other)?.section === subtracted.section
      );
      if (index < 0 || subtracted === undefined) {
        throw new CompileError(`the distance to "${name}" is not known`, position);
      }
      constant += (this.#labels.get(positive[index] as string) as Place).offset - subtracted.offset;
      positive.splice(index, 1);
    }
    if (positive.length > 1) throw new CompileError("addresses cannot be added", position);
    return { symbol: positive[0], constant };
  }

  #symbolTable(): ObjectSymbol[] {
    const table: ObjectSymbol[] = [];
    const names = new Set([
      ...this.#labels.keys(),
      ...this.#symbols.keys(),
      ...this.#absolutes.keys(),
    ]);
    for (const name of names) {
      const info = this.#symbols.get(name);
      const place = this.#labels.get(name);
      const value = place?.offset ?? this.#absolutes.get(name);
      if (value === undefined) continue;
      const position = { file: this.#file, line: 1, column: 1 };
      table.push({
        name,
        section: place?.section.name,
        value,
        size: info?.size === undefined ? 0 : this.#reduce(info.size, position).constant,
        kind: info?.kind ?? "none",
        global: info?.global ?? false,
      });
    }
    return table;
  }
}
