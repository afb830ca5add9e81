/**
 * Decodes a Wasm module: everything but the function bodies, which `lower.ts` reads in place.
 *
 * WebAssembly core specification 2.0 §5.5, with mutable globals, sign extension, bulk memory and the name
 * section (appendix §7.4, plus subsection 7 for globals). What we never get from Binaryen is refused.
 *
 * @module
 */

import { WasmReader } from "./wasm_reader.ts";

/** Value types, §5.3.1. */
export const I32 = 0x7f;
export const I64 = 0x7e;

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  func: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
} as const;

const EXTERNAL = { func: 0, table: 1, memory: 2, global: 3 } as const;

/** Subsections of the name section. */
const NAMES = { functions: 1, globals: 7 } as const;

const FUNCTION_TYPE = 0x60;
const LOCAL_LIMIT = 50_000;

/** Parameters and results of a function. */
export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}

/** Where an imported function comes from. */
export interface ImportName {
  readonly module: string;
  readonly name: string;
}

/** A function; without `imported` its code is the bytes from `start` to `end`. */
export interface WasmFunction {
  readonly index: number;
  readonly type: FunctionType;
  readonly imported: ImportName | undefined;
  name: string;
  locals: readonly number[];
  start: number;
  end: number;
}

/** Start value of a global, an offset, or a table entry. */
export type Initializer =
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "global"; readonly index: number }
  | { readonly kind: "function"; readonly index: number }
  | { readonly kind: "null" };

export interface WasmGlobal {
  readonly type: number;
  readonly mutable: boolean;
  readonly initializer: Initializer;
  name: string;
}

/** A part of the memory's initial contents. */
export interface DataSegment {
  readonly active: boolean;
  readonly offset: Initializer;
  readonly bytes: Uint8Array;
}

/** A part of a table's initial contents; -1 is a null reference. */
export interface ElementSegment {
  readonly active: boolean;
  readonly table: number;
  readonly offset: Initializer;
  readonly functions: readonly number[];
}

const ZERO: Initializer = { kind: "constant", value: 0n };

/** A decoded module. */
export class WasmModule {
  readonly bytes: Uint8Array;
  readonly types: FunctionType[] = [];
  readonly functions: WasmFunction[] = [];
  readonly globals: WasmGlobal[] = [];
  /** Entries of each table. */
  readonly tableSizes: number[] = [];
  readonly elements: ElementSegment[] = [];
  readonly data: DataSegment[] = [];
  /** Exported functions, name to index. */
  readonly exports: Map<string, number> = new Map();
  /** Declared size of the memory in 64 KiB pages. */
  memoryPages = 0;
  #reader: WasmReader;
  #imported = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    const reader = this.#reader = new WasmReader(bytes);
    reader.position = 8; // magic and version
    while (!reader.atEnd) {
      const id = reader.u8();
      const size = reader.u32();
      const end = reader.position + size;
      this.#section(id, end);
      reader.position = end;
    }
  }

  #section(id: number, end: number): void {
    const reader = this.#reader;
    switch (id) {
      case SECTION.custom:
        if (reader.name() === "name") this.#names(end);
        return;
      case SECTION.type:
        this.types.push(...reader.vector(() => this.#functionType()));
        return;
      case SECTION.import:
        reader.vector(() => this.#import());
        return;
      case SECTION.func:
        for (const type of reader.vector(() => reader.u32())) this.#addFunction(type, undefined);
        return;
      case SECTION.table:
        reader.vector(() => {
          reader.u8(); // reference type
          this.tableSizes.push(this.#limits());
        });
        return;
      case SECTION.memory:
        reader.vector(() => {
          this.memoryPages = this.#limits();
        });
        return;
      case SECTION.global:
        reader.vector((index) => {
          const type = reader.u8();
          const mutable = reader.u8() !== 0;
          const initializer = this.#initializer();
          this.globals.push({ type, mutable, initializer, name: `global${index}` });
        });
        return;
      case SECTION.export:
        reader.vector(() => {
          const name = reader.name();
          const kind = reader.u8();
          const index = reader.u32();
          if (kind === EXTERNAL.func) this.exports.set(name, index);
        });
        return;
      case SECTION.start:
        throw new SyntaxError("Modules with a start section are not supported");
      case SECTION.element:
        this.elements.push(...reader.vector(() => this.#element()));
        return;
      case SECTION.code:
        reader.vector((index) =>
          this.#code(this.functions[this.#imported + index] as WasmFunction)
        );
        return;
      case SECTION.data:
        this.data.push(...reader.vector(() => this.#dataSegment()));
        return;
    }
  }

  #functionType(): FunctionType {
    const reader = this.#reader;
    if (reader.u8() !== FUNCTION_TYPE) throw new SyntaxError("Only function types are supported");
    return { params: reader.vector(() => reader.u8()), results: reader.vector(() => reader.u8()) };
  }

  #import(): void {
    const reader = this.#reader;
    const imported = { module: reader.name(), name: reader.name() };
    const kind = reader.u8();
    if (kind !== EXTERNAL.func) {
      throw new SyntaxError(`${imported.module}.${imported.name}: only functions can be imported`);
    }
    this.#addFunction(reader.u32(), imported);
    this.#imported++;
  }

  #addFunction(type: number, imported: ImportName | undefined): void {
    const index = this.functions.length;
    this.functions.push({
      index,
      type: this.types[type] as FunctionType,
      imported,
      name: imported?.name ?? `function${index}`,
      locals: [],
      start: 0,
      end: 0,
    });
  }

  /** The minimum; a maximum does not matter to us. */
  #limits(): number {
    const flags = this.#reader.u8();
    const minimum = this.#reader.u32();
    if ((flags & 1) !== 0) this.#reader.u32();
    return minimum;
  }

  #element(): ElementSegment {
    const reader = this.#reader;
    // §5.5.12: bit 0 passive or declarative, bit 1 explicit table (or declarative), bit 2 expressions.
    const flags = reader.u32();
    const active = (flags & 1) === 0;
    const table = active && (flags & 2) !== 0 ? reader.u32() : 0;
    const offset = active ? this.#initializer() : ZERO;
    if ((flags & 3) !== 0) reader.u8(); // element kind or type
    const functions = reader.vector(() => {
      if ((flags & 4) === 0) return reader.u32();
      const entry = this.#initializer();
      return entry.kind === "function" ? entry.index : -1;
    });
    return { active, table, offset, functions };
  }

  #code(func: WasmFunction): void {
    const reader = this.#reader;
    const size = reader.u32();
    const end = reader.position + size;
    const locals: number[] = [];
    reader.vector(() => {
      const count = reader.u32();
      const type = reader.u8();
      if (locals.length + count > LOCAL_LIMIT) throw new SyntaxError("Too many locals");
      for (let i = 0; i < count; i++) locals.push(type);
    });
    func.locals = locals;
    func.start = reader.position;
    func.end = reader.position = end;
  }

  #dataSegment(): DataSegment {
    const reader = this.#reader;
    const flags = reader.u32();
    if (flags === 2) reader.u32(); // memory index
    const active = flags !== 1;
    const offset = active ? this.#initializer() : ZERO;
    return { active, offset, bytes: reader.take(reader.u32()) };
  }

  #initializer(): Initializer {
    const reader = this.#reader;
    let result = ZERO;
    for (;;) {
      const opcode = reader.u8();
      switch (opcode) {
        case 0x0b:
          return result;
        case 0x41:
          result = { kind: "constant", value: BigInt(reader.s32()) };
          break;
        case 0x42:
          result = { kind: "constant", value: reader.s64() };
          break;
        case 0x43:
          result = { kind: "constant", value: BigInt(reader.bits32()) };
          break;
        case 0x44:
          result = { kind: "constant", value: reader.bits64() };
          break;
        case 0x23:
          result = { kind: "global", index: reader.u32() };
          break;
        case 0xd2:
          result = { kind: "function", index: reader.u32() };
          break;
        case 0xd0:
          reader.u8();
          result = { kind: "null" };
          break;
        default:
          throw new SyntaxError(`Opcode ${opcode.toString(16)} in an initialiser is not supported`);
      }
    }
  }

  #names(end: number): void {
    const reader = this.#reader;
    while (reader.position < end) {
      const id = reader.u8();
      const size = reader.u32();
      const next = reader.position + size;
      if (id === NAMES.functions || id === NAMES.globals) {
        reader.vector(() => {
          const index = reader.u32();
          const name = reader.name();
          const named = id === NAMES.functions ? this.functions[index] : this.globals[index];
          if (named !== undefined && !("imported" in named && named.imported)) named.name = name;
        });
      }
      reader.position = next;
    }
  }
}
