// deno-lint-ignore-file camelcase -- names of linker symbols
/**
 * Where the parts of a program go, and the resolution of its symbols.
 *
 * Sections of the same kind are joined in the order of the objects. The image, low to high:
 *
 * - `.boot` (kernel only): identity-mapped at 1 MiB, with the Multiboot headers and the first instructions;
 * - `.text`, `.rodata`, `.symbols` (kernel only, `symbol_table.ts`), `.data`;
 * - at the fixed data address `.static`, the Wasm memory's initial contents, directly followed by
 *   `.bss`: the rest of the Wasm memory, then the assembler files' own.
 *
 * The linker defines `__text_start __text_end __data_start __data_end __bss_start __image_end`, in the
 * kernel also `__symbols_start __symbols_end`.
 *
 * @module
 */

import { CompileError } from "../errors.ts";
import type { ObjectFile, ObjectSection, ObjectSymbol, Relocation } from "./object.ts";
import { symbolTableBytes, symbolTableSize } from "./symbol_table.ts";

/** The addresses of a target. All are multiples of 4096. */
export interface TargetLayout {
  readonly text: number;
  readonly data: number;
  /** Virtual minus physical address. */
  readonly physicalOffset: number;
  /** Physical (and virtual) address of `.boot`, where the target has one. */
  readonly boot: number | undefined;
  /** Whether the program carries its own symbol table. */
  readonly embedSymbols: boolean;
}

/** A section with its address. */
export interface PlacedSection {
  readonly name: string;
  readonly address: number;
  readonly physical: number;
  readonly bytes: Uint8Array;
  readonly zeroBytes: number;
  readonly executable: boolean;
  readonly writable: boolean;
}

/** A symbol with its address. */
export interface PlacedSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly kind: ObjectSymbol["kind"];
  readonly global: boolean;
  /** Index into the sections, or undefined for a plain number. */
  readonly section: number | undefined;
}

/** A line of source and the address where its code starts. */
export interface PlacedLine {
  readonly address: number;
  readonly file: string;
  readonly line: number;
}

/** A linked program. */
export interface Program {
  readonly sections: readonly PlacedSection[];
  readonly symbols: readonly PlacedSymbol[];
  readonly lines: readonly PlacedLine[];
  readonly entry: number;
}

const PAGE = 4096;
const KINDS = [".boot", ".text", ".rodata", ".symbols", ".data", ".static", ".bss"] as const;
type Kind = typeof KINDS[number];
const CODE_FILL = 0x90;

/** A section while it is laid out: the pieces of all objects. */
interface Group {
  readonly kind: Kind;
  readonly pieces: {
    readonly section: ObjectSection;
    readonly object: ObjectFile;
    readonly offset: number;
  }[];
  address: number;
  fileSize: number;
  size: number;
}

/** What to link. */
export interface LinkOptions {
  readonly objects: readonly ObjectFile[];
  readonly layout: TargetLayout;
  /** Names for the entry point, the first that is defined wins. */
  readonly entry: readonly string[];
  /** Symbols that stand in for undefined ones. */
  readonly fallbacks: Readonly<Record<string, string>>;
  /** Address behind the Wasm memory's static data. */
  readonly memoryEnd: number;
}

/** Links objects to a program. Throws a `CompileError` for undefined or doubly defined symbols. */
export function linkProgram(options: LinkOptions): Program {
  return new Linker(options).run();
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

class Linker {
  #options: LinkOptions;
  #groups = new Map<Kind, Group>();
  #symbols: PlacedSymbol[] = [];
  #globals = new Map<string, number>();
  #locals = new Map<ObjectFile, Map<string, number>>();

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  run(): Program {
    this.#collect();
    this.#place();
    this.#defineSymbols();
    const sections = this.#buildSections();
    const symbols = this.#symbols.sort((a, b) =>
      Number(a.global) - Number(b.global) || a.address - b.address || (a.name < b.name ? -1 : 1)
    );
    const entry = this.#options.entry.map((name) => this.#globals.get(name))
      .find((address) => address !== undefined);
    if (entry === undefined) {
      throw new CompileError(`No entry point: ${this.#options.entry.join(" or ")} is not defined`);
    }
    return { sections, symbols, lines: this.#lines(), entry };
  }

  #group(kind: Kind): Group {
    let group = this.#groups.get(kind);
    if (group === undefined) {
      group = { kind, pieces: [], address: 0, fileSize: 0, size: 0 };
      this.#groups.set(kind, group);
    }
    return group;
  }

  #collect(): void {
    for (const object of this.#options.objects) {
      for (const section of object.sections) {
        const kind = KINDS.find((name) =>
          section.name === name || section.name.startsWith(`${name}.`)
        );
        if (kind === undefined || kind === ".symbols") {
          throw new CompileError(`${object.name}: no place for the section ${section.name}`);
        }
        if (kind === ".boot" && this.#options.layout.boot === undefined) {
          throw new CompileError(`${object.name}: only kernels have a section .boot`);
        }
        const group = this.#group(kind);
        const offset = alignUp(group.size, section.alignment);
        group.pieces.push({ section, object, offset });
        group.size = offset + section.bytes.length + section.zeroBytes;
      }
    }
  }

  /** Gives every group its address. */
  #place(): void {
    const { layout, memoryEnd } = this.#options;
    let address = layout.text;
    const boot = this.#groups.get(".boot");
    if (boot !== undefined && layout.boot !== undefined) {
      boot.address = layout.boot;
      // The text follows in physical memory.
      address = alignUp(layout.boot + boot.size, PAGE) + layout.physicalOffset;
    }
    for (const kind of [".text", ".rodata", ".symbols", ".data"] as const) {
      if (kind === ".symbols" && !layout.embedSymbols) continue;
      const group = this.#group(kind);
      group.address = address;
      if (kind === ".symbols") group.size = symbolTableSize(this.#functionNames());
      address = alignUp(address + group.size, PAGE);
    }
    if (address > layout.data) {
      throw new CompileError(
        `The program's text and constants end at ${address.toString(16)}, ` +
          `behind the start of its data at ${layout.data.toString(16)}`,
      );
    }
    const data = this.#group(".static");
    data.address = layout.data;
    const bss = this.#group(".bss");
    const dataEnd = alignUp(layout.data + data.size, 16);
    const alignment = Math.max(16, ...bss.pieces.map(({ section }) => section.alignment));
    const own = alignUp(Math.max(dataEnd, memoryEnd), alignment);
    const shift = own - dataEnd;
    bss.address = dataEnd;
    for (const [index, piece] of bss.pieces.entries()) {
      bss.pieces[index] = { ...piece, offset: piece.offset + shift };
    }
    bss.size += shift;
  }

  #functionNames(): string[] {
    return this.#options.objects.flatMap((object) =>
      object.symbols.filter((symbol) => this.#isFunction(symbol)).map((symbol) => symbol.name)
    );
  }

  #isFunction(symbol: ObjectSymbol): boolean {
    if (isHidden(symbol.name)) return false;
    const code = symbol.section?.startsWith(".text") || symbol.section?.startsWith(".boot");
    return code === true && (symbol.kind === "function" || symbol.global);
  }

  #defineSymbols(): void {
    for (const object of this.#options.objects) {
      const locals = new Map<string, number>();
      this.#locals.set(object, locals);
      for (const symbol of object.symbols) this.#define(object, symbol, locals);
    }
    const at = (kind: Kind): Group => this.#group(kind);
    const boot = this.#groups.get(".boot");
    const marks: Record<string, number> = {
      __text_start: at(".text").address,
      __text_end: at(".text").address + at(".text").size,
      __data_start: at(".data").address,
      __data_end: at(".static").address + at(".static").size,
      __bss_start: at(".bss").address,
      __image_end: at(".bss").address + at(".bss").size,
    };
    if (boot !== undefined) marks["__boot_start"] = boot.address;
    if (this.#options.layout.embedSymbols) {
      const start = at(".symbols").address;
      marks["__symbols_start"] = start;
      marks["__symbols_end"] = start + 8 * this.#functionNames().length;
    }
    for (const [name, address] of Object.entries(marks)) {
      this.#globals.set(name, address);
      this.#symbols.push({
        name,
        address,
        size: 0,
        kind: "none",
        global: true,
        section: undefined,
      });
    }
    for (const [name, other] of Object.entries(this.#options.fallbacks)) {
      const address = this.#globals.get(other);
      if (!this.#globals.has(name) && address !== undefined) this.#globals.set(name, address);
    }
  }

  #define(object: ObjectFile, symbol: ObjectSymbol, locals: Map<string, number>): void {
    let address = symbol.value;
    let section: number | undefined;
    if (symbol.section !== undefined) {
      const [group, piece] = this.#find(object, symbol.section);
      address = group.address + piece.offset + symbol.value;
      section = this.#kinds().indexOf(group.kind);
    }
    locals.set(symbol.name, address);
    if (symbol.global) {
      if (this.#globals.has(symbol.name)) {
        throw new CompileError(`${object.name}: the symbol ${symbol.name} is defined twice`);
      }
      this.#globals.set(symbol.name, address);
    }
    if (isHidden(symbol.name)) return;
    const kind = this.#isFunction(symbol) ? "function" : symbol.kind;
    const size = symbol.size > 0 || kind !== "function"
      ? symbol.size
      : this.#distanceToNext(object, symbol);
    this.#symbols.push({ name: symbol.name, address, size, kind, global: symbol.global, section });
  }

  /** Size of a function that states none: up to the next one in its section. */
  #distanceToNext(object: ObjectFile, symbol: ObjectSymbol): number {
    const [, piece] = this.#find(object, symbol.section as string);
    let end = piece.section.bytes.length;
    for (const other of object.symbols) {
      if (other.section !== symbol.section || other.value <= symbol.value) continue;
      if (this.#isFunction(other)) end = Math.min(end, other.value);
    }
    return end - symbol.value;
  }

  #find(object: ObjectFile, name: string): [Group, Group["pieces"][number]] {
    for (const group of this.#groups.values()) {
      for (const piece of group.pieces) {
        if (piece.object === object && piece.section.name === name) return [group, piece];
      }
    }
    throw new Error(`${object.name} has no section ${name}`);
  }

  /** Groups that are part of the image, in its order. */
  #kinds(): Kind[] {
    return KINDS.filter((kind) => {
      const group = this.#groups.get(kind);
      return group !== undefined && group.size > 0;
    });
  }

  #buildSections(): PlacedSection[] {
    return this.#kinds().map((kind) => {
      const group = this.#group(kind);
      const isZero = kind === ".bss";
      const bytes = new Uint8Array(isZero ? 0 : group.size);
      if (kind === ".text" || kind === ".boot") bytes.fill(CODE_FILL);
      for (const piece of group.pieces) {
        if (isZero) continue;
        bytes.set(piece.section.bytes, piece.offset);
        bytes.fill(
          0,
          piece.offset + piece.section.bytes.length,
          piece.offset + piece.section.bytes.length + piece.section.zeroBytes,
        );
        for (const relocation of piece.section.relocations) {
          this.#relocate(group, piece.object, piece.offset, relocation, bytes);
        }
      }
      if (kind === ".symbols") {
        bytes.set(
          symbolTableBytes(
            this.#symbols.filter((symbol) => symbol.kind === "function"),
            group.address,
          ),
        );
      }
      const offset = kind === ".boot" ? 0 : this.#options.layout.physicalOffset;
      return {
        name: kind,
        address: group.address,
        physical: group.address - offset,
        bytes,
        zeroBytes: isZero ? group.size : 0,
        executable: kind === ".text" || kind === ".boot",
        writable: kind === ".data" || kind === ".static" || kind === ".bss",
      };
    });
  }

  #relocate(
    group: Group,
    object: ObjectFile,
    base: number,
    relocation: Relocation,
    bytes: Uint8Array,
  ): void {
    const { symbol, addend, kind } = relocation;
    const target = this.#locals.get(object)?.get(symbol) ?? this.#globals.get(symbol);
    if (target === undefined) {
      throw new CompileError(`undefined symbol ${symbol}`, object.references.get(symbol));
    }
    const offset = base + relocation.offset;
    const value = target + addend - (kind === "relative" ? group.address + offset + 4 : 0);
    new DataView(bytes.buffer).setUint32(offset, value >>> 0, true);
  }

  #lines(): PlacedLine[] {
    const lines: PlacedLine[] = [];
    for (const kind of [".boot", ".text"] as const) {
      const group = this.#groups.get(kind);
      for (const piece of group?.pieces ?? []) {
        const start = (group as Group).address + piece.offset;
        for (const { offset, file, line } of piece.section.lines) {
          lines.push({ address: start + offset, file, line });
        }
      }
    }
    return lines;
  }
}

/** Symbols that stay out of the symbol table: the assembler's and the compiler's own. */
function isHidden(name: string): boolean {
  return name.startsWith(".L") || name.startsWith("$");
}
