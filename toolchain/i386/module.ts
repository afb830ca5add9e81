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
import { FnIR, sigId, Unsupported } from "../ir/lower.ts";
import { type Func, I64, type Init, Module } from "../ir/wasm.ts";
import { ByteWriter } from "../link/byte_writer.ts";
import type {
  LineEntry,
  ObjectFile,
  ObjectSection,
  ObjectSymbol,
  Relocation,
} from "../link/object.ts";
import { allocate } from "./allocate.ts";
import { encode } from "./encode.ts";
import { Isel } from "./select.ts";

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
  return new ModuleCompiler(new Module(wasm), options).run();
}

/** A symbol's name for people: without the library's tilde and the compiler's suffixes. */
function displayName(name: string): string {
  return name.replace(/~lib/g, "lib").replace(/\|.*$/, "");
}

class ModuleCompiler {
  #module: Module;
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
  #stats = { rounds: 0, spills: 0, moves: 0 };

  constructor(module: Module, options: ModuleOptions) {
    this.#module = module;
    this.#options = options;
  }

  run(): CompiledObject {
    const exported = new Map<number, string>();
    for (const [name, { kind, i }] of this.#module.exports) {
      if (kind === 0 && !exported.has(i)) exported.set(i, name);
    }
    for (const func of this.#module.funcs) {
      if (func.imp === undefined) this.#function(func, exported.get(func.idx));
    }
    for (const [name, { kind, i }] of this.#module.exports) {
      const func = this.#module.funcs[i];
      if (kind === 0 && exported.get(i) !== name && func?.imp === undefined) this.#alias(name, i);
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
      spills: this.#stats.spills,
      memoryEnd: this.#options.memoryBase + (this.#module.mem?.min ?? 0) * WASM_PAGE,
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

  #function(func: Func, exportName: string | undefined): void {
    const { checked, memoryBase } = this.#options;
    const name = exportName ?? displayName(func.name);
    const position = (offset: number): SourcePosition | undefined =>
      this.#options.sourceMap?.find(offset);
    const compiled = (() => {
      try {
        const ir = new FnIR(this.#module, func, { memBase: memoryBase, checked, cmov: true });
        const machine = new Isel(ir, { cmov: true }).fn();
        return encode(`$f${func.idx}`, machine, allocate(machine, this.#stats));
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        throw new CompileError(`${name}: ${error.message}`, position(error.offset ?? func.start));
      }
    })();
    this.#functions++;
    while (this.#text.length % FUNCTION_ALIGNMENT !== 0) this.#text.u8(CODE_FILL);
    const start = this.#text.length;
    this.#symbol({ name: `$f${func.idx}`, value: start });
    this.#symbol({
      name,
      value: start,
      size: compiled.bytes.length,
      kind: "function",
      global: exportName !== undefined,
    });
    for (const { off, kind, sym, add } of compiled.relocs) {
      const offset = start + off;
      this.#textRelocations.push({
        offset,
        kind: kind === "abs" ? "absolute" : "relative",
        symbol: sym,
        addend: add,
      });
      if (sym.startsWith("$") || this.#references.has(sym)) continue;
      const place = position(compiled.lines.findLast(([at]) => at <= off)?.[1] ?? func.start);
      if (place !== undefined) this.#references.set(sym, place);
    }
    for (const [offset, wasmOffset] of compiled.lines) {
      const place = position(wasmOffset);
      if (place !== undefined) {
        this.#lines.push({ offset: start + offset, file: place.file, line: place.line });
      }
    }
    for (const { sym, words } of compiled.rodata) {
      this.#symbol({ name: sym, section: ".rodata", value: this.#constants.length });
      for (const word of words) this.#address(`$f${func.idx}`, word);
    }
    this.#text.put(compiled.bytes);
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

  #value(init: Init): bigint {
    if (init.op === "const") return init.v;
    if (init.op !== "global") return 0n;
    const other = this.#module.globals[init.i];
    return other === undefined ? 0n : this.#value(other.init);
  }

  /** Function tables with code addresses; for the checked mode also signatures and lengths. */
  #tables(): void {
    this.#module.tables.forEach((table, index) => {
      const entries = new Array<number>(table.min).fill(-1);
      for (const segment of this.#module.elems) {
        if (segment.mode !== 0 || segment.table !== index) continue;
        const start = Number(this.#value(segment.offset));
        segment.funcs.forEach((func, i) => entries[start + i] = func);
      }
      const mark = (name: string): void =>
        this.#symbol({ name, section: ".rodata", value: this.#constants.length });
      mark(`$table${index}`);
      for (const entry of entries) {
        const func = this.#module.funcs[entry];
        if (func === undefined) this.#constants.u32(0);
        else this.#address(func.imp === undefined ? `$f${entry}` : func.imp.name, 0);
      }
      if (!this.#options.checked) return;
      mark(`$tabsig${index}`);
      for (const entry of entries) {
        const func = this.#module.funcs[entry];
        this.#constants.u32(func === undefined ? 0 : sigId(func.type));
      }
      mark(`$tablen${index}`);
      this.#constants.u32(entries.length);
    });
  }

  #globals(): void {
    const pages = this.#module.mem?.min ?? 0;
    this.#symbol({ name: "__mem_pages", section: ".data", value: this.#data.length });
    this.#data.u32(pages);
    this.#symbol({ name: "__mem_bytes", section: ".data", value: this.#data.length });
    this.#data.u32(pages * WASM_PAGE);
    this.#module.globals.forEach((global, index) => {
      const value = this.#data.length;
      const size = global.type === I64 ? 8 : 4;
      this.#symbol({ name: `$g${index}`, section: ".data", value });
      const name = displayName(global.name);
      this.#symbol({ name, section: ".data", value, size, kind: "object" });
      const initial = BigInt.asUintN(64, this.#value(global.init));
      this.#data.u32(Number(initial & 0xffffffffn));
      if (global.type === I64) this.#data.u32(Number(initial >> 32n));
    });
  }

  #staticData(): ObjectSection[] {
    const { memoryBase, dataStart } = this.#options;
    const segments = this.#module.data.filter((segment) => segment.mode === 0).map((segment) => ({
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
