/**
 * Compiles a Wasm module to an object: code, jump and function tables, globals, static data.
 *
 * Names inside the object start with `$` (`$f12` a function, `$g3` a global, `$table0`) and stay out of
 * symbol tables. What people see are the names of the module's name section, or the export's name.
 *
 * @module
 */

import { CompileError, type SourcePosition } from "../errors.ts";
import type { SourceMap } from "../frontend/source_map.ts";
import { lowerFunction } from "../ir/lower.ts";
import { optimizeGraph } from "../ir/optimize.ts";
import { UnsupportedError } from "../ir/unsupported.ts";
import {
  type FunctionType,
  I64,
  type Initializer,
  type WasmFunction,
  WasmModule,
} from "../ir/wasm_module.ts";
import { ByteWriter } from "../link/byte_writer.ts";
import type {
  LineEntry,
  ObjectFile,
  ObjectSection,
  ObjectSymbol,
  Relocation,
} from "../link/object.ts";
import { allocateRegisters } from "./allocate.ts";
import { emitFunction, type FunctionCode } from "./emit.ts";
import { isIntrinsic } from "./intrinsics.ts";
import { selectInstructions } from "./select.ts";

/** How to compile. */
export interface ModuleOptions {
  /** Added to every Wasm address; 0 when the module was compiled for its final addresses. */
  readonly memoryBase: number;
  /** Whether loads, stores and indirect calls are checked as Wasm demands. */
  readonly checked: boolean;
  readonly sourceMap: SourceMap | undefined;
  /** Address of the first byte of static data. */
  readonly dataStart: number;
}

/** A compiled module. */
export interface CompiledObject {
  readonly object: ObjectFile;
  readonly functions: number;
  readonly spills: number;
  /** Address behind the memory that the module declares. */
  readonly memoryEnd: number;
}

const WASM_PAGE = 65536;
const FUNCTION_ALIGNMENT = 16;
const CODE_FILL = 0x90;

/** Compiles a module; throws a `CompileError` for what we do not support, with its place. */
export function compileModule(wasm: Uint8Array, options: ModuleOptions): CompiledObject {
  return new ModuleCompiler(new WasmModule(wasm), options).run();
}

/** A symbol's name for people: without the library's tilde and the compiler's suffixes. */
function displayName(name: string): string {
  return name.replace(/~lib/g, "lib").replace(/\|.*$/, "");
}

class ModuleCompiler {
  #module: WasmModule;
  #options: ModuleOptions;
  #symbols: ObjectSymbol[] = [];
  #references = new Map<string, SourcePosition>();
  #text = new ByteWriter();
  #textRelocations: Relocation[] = [];
  #lines: LineEntry[] = [];
  #constants = new ByteWriter();
  #constantRelocations: Relocation[] = [];
  #data = new ByteWriter();
  #functions = 0;
  #spills = 0;
  #typeNumbers = new Map<string, number>();

  constructor(module: WasmModule, options: ModuleOptions) {
    this.#module = module;
    this.#options = options;
  }

  run(): CompiledObject {
    const exported = new Map<number, string>();
    for (const [name, index] of this.#module.exports) {
      if (!exported.has(index)) exported.set(index, name);
    }
    for (const func of this.#module.functions) {
      if (func.imported === undefined) this.#function(func, exported.get(func.index));
    }
    for (const [name, index] of this.#module.exports) {
      if (exported.get(index) !== name) this.#alias(name, index);
    }
    this.#tables();
    this.#globals();
    const sections: ObjectSection[] = [
      this.#section(".text", FUNCTION_ALIGNMENT, this.#text, this.#textRelocations, this.#lines),
      this.#section(".rodata", 4, this.#constants, this.#constantRelocations, []),
      this.#section(".data", 4, this.#data, [], []),
      ...this.#staticData(),
    ];
    return {
      object: {
        name: "the program",
        sections: sections.filter((section) => section.bytes.length > 0),
        symbols: this.#symbols,
        references: this.#references,
      },
      functions: this.#functions,
      spills: this.#spills,
      memoryEnd: this.#options.memoryBase + this.#module.memoryPages * WASM_PAGE,
    };
  }

  #section(
    name: string,
    alignment: number,
    writer: ByteWriter,
    relocations: readonly Relocation[],
    lines: readonly LineEntry[],
  ): ObjectSection {
    return { name, alignment, bytes: writer.bytes(), zeroBytes: 0, relocations, lines };
  }

  #symbol(symbol: Partial<ObjectSymbol> & { name: string; value: number }): void {
    this.#symbols.push({ section: ".text", size: 0, kind: "none", global: false, ...symbol });
  }

  /** A number for a function type, the same for equal types. */
  #typeNumber(type: FunctionType): number {
    const key = `${type.params.join()}:${type.results.join()}`;
    let number = this.#typeNumbers.get(key);
    if (number === undefined) this.#typeNumbers.set(key, number = this.#typeNumbers.size + 1);
    return number;
  }

  #place(offset: number): SourcePosition | undefined {
    return this.#options.sourceMap?.find(offset);
  }

  #compile(func: WasmFunction, name: string): FunctionCode {
    const { checked, memoryBase } = this.#options;
    const typeNumber = (type: FunctionType): number => this.#typeNumber(type);
    try {
      const options = { memoryBase, checked, isIntrinsic, typeNumber };
      const graph = lowerFunction(this.#module, func, options);
      optimizeGraph(graph);
      const machine = selectInstructions(graph);
      const { colours, spills } = allocateRegisters(machine);
      this.#spills += spills;
      return emitFunction(`$f${func.index}`, machine, colours);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      const place = this.#place(error.offset) ?? this.#place(func.start);
      throw new CompileError(`${name}: ${error.message}`, place);
    }
  }

  #function(func: WasmFunction, exportName: string | undefined): void {
    const name = exportName ?? displayName(func.name);
    const code = this.#compile(func, name);
    this.#functions++;
    while (this.#text.length % FUNCTION_ALIGNMENT !== 0) this.#text.u8(CODE_FILL);
    const start = this.#text.length;
    const own = `$f${func.index}`;
    this.#symbol({ name: own, value: start });
    this.#symbol({
      name,
      value: start,
      size: code.bytes.length,
      kind: "function",
      global: exportName !== undefined,
    });
    for (const relocation of code.relocations) {
      const { symbol, offset } = relocation;
      this.#textRelocations.push({ ...relocation, offset: start + offset });
      if (symbol.startsWith("$") || this.#references.has(symbol)) continue;
      const line = code.lines.findLast((candidate) => candidate.start <= offset);
      const place = this.#place(line?.offset ?? func.start);
      if (place !== undefined) this.#references.set(symbol, place);
    }
    for (const line of code.lines) {
      const place = this.#place(line.offset);
      if (place === undefined) continue;
      this.#lines.push({ offset: start + line.start, file: place.file, line: place.line });
    }
    for (const { symbol, targets } of code.tables) {
      this.#symbol({ name: symbol, section: ".rodata", value: this.#constants.length });
      for (const target of targets) this.#address(own, target);
    }
    this.#text.put(code.bytes);
  }

  /** A second export of the same function. */
  #alias(name: string, index: number): void {
    const first = this.#symbols.find((symbol) => symbol.name === `$f${index}`);
    if (first !== undefined) this.#symbol({ name, value: first.value, global: true });
  }

  /** A word of the constants that holds an address. */
  #address(symbol: string, addend: number): void {
    const offset = this.#constants.length;
    this.#constantRelocations.push({ offset, kind: "absolute", symbol, addend });
    this.#constants.u32(0);
  }

  #value(initializer: Initializer): bigint {
    if (initializer.kind === "constant") return initializer.value;
    if (initializer.kind !== "global") return 0n;
    const other = this.#module.globals[initializer.index];
    return other === undefined ? 0n : this.#value(other.initializer);
  }

  /** Function tables with code addresses; for the checked mode also signatures and lengths. */
  #tables(): void {
    this.#module.tableSizes.forEach((size, index) => {
      const entries = new Array<number>(size).fill(-1);
      for (const segment of this.#module.elements) {
        if (!segment.active || segment.table !== index) continue;
        const start = Number(this.#value(segment.offset));
        segment.functions.forEach((func, i) => entries[start + i] = func);
      }
      const mark = (name: string): void =>
        this.#symbol({ name, section: ".rodata", value: this.#constants.length });
      mark(`$table${index}`);
      for (const entry of entries) {
        const func = this.#module.functions[entry];
        if (func === undefined) this.#constants.u32(0);
        else this.#address(func.imported?.name ?? `$f${entry}`, 0);
      }
      if (!this.#options.checked) return;
      mark(`$table_types${index}`);
      for (const entry of entries) {
        const func = this.#module.functions[entry];
        this.#constants.u32(func === undefined ? 0 : this.#typeNumber(func.type));
      }
      mark(`$table_size${index}`);
      this.#constants.u32(entries.length);
    });
  }

  #globals(): void {
    const pages = this.#module.memoryPages;
    this.#symbol({ name: "$memory_pages", section: ".data", value: this.#data.length });
    this.#data.u32(pages);
    this.#symbol({ name: "$memory_bytes", section: ".data", value: this.#data.length });
    this.#data.u32(pages * WASM_PAGE);
    this.#module.globals.forEach((global, index) => {
      const value = this.#data.length;
      const size = global.type === I64 ? 8 : 4;
      this.#symbol({ name: `$g${index}`, section: ".data", value });
      const name = displayName(global.name);
      this.#symbol({ name, section: ".data", value, size, kind: "object" });
      const initial = BigInt.asUintN(64, this.#value(global.initializer));
      this.#data.u32(Number(initial & 0xffffffffn));
      if (global.type === I64) this.#data.u32(Number(initial >> 32n));
    });
  }

  #staticData(): ObjectSection[] {
    const { memoryBase, dataStart } = this.#options;
    const segments = this.#module.data.filter((segment) => segment.active).map((segment) => ({
      start: (Number(this.#value(segment.offset)) >>> 0) + memoryBase - dataStart,
      bytes: segment.bytes,
    }));
    if (segments.length === 0) return [];
    const size = Math.max(...segments.map(({ start, bytes }) => start + bytes.length));
    const bytes = new Uint8Array(size);
    for (const segment of segments) bytes.set(segment.bytes, segment.start);
    return [{
      name: ".static",
      alignment: 16,
      bytes,
      zeroBytes: 0,
      relocations: [],
      lines: [],
    }];
  }
}
