/**
 * Reads a function's Wasm code and builds its graph (core specification §5.4, §4.4).
 *
 * Structured control becomes jumps: a block, loop or `if` is a `Frame` with the registers of its results
 * (and of a loop's parameters), which every branch to it assigns. Unreachable code is skipped.
 * Imports from `x86` are operations, from `sym` addresses, all others calls.
 *
 * In the checked mode, loads, stores and indirect calls trap as Wasm says they do; the addresses
 * `$memory_bytes`, `$table_size…` and `$table_types…` are the module compiler's.
 *
 * @module
 */

import type { Block, FunctionGraph } from "./graph.ts";
import { GraphBuilder, type Value, wordCount } from "./graph_builder.ts";
import { lowerInteger } from "./integer.ts";
import { MemoryLowering, type MemoryOptions } from "./lower_memory.ts";
import { MEMORY_ACCESSES, OPCODE, PREFIXED, skipImmediates } from "./opcodes.ts";
import { binary, compare, constant, load, select, symbol, type Tree } from "./tree.ts";
import { UnsupportedError } from "./unsupported.ts";
import { type FunctionType, I32, I64, type WasmFunction, type WasmModule } from "./wasm_module.ts";
import { WasmReader } from "./wasm_reader.ts";

/** How to lower. */
export interface LowerOptions extends MemoryOptions {
  /** Whether `x86` exports this name. */
  readonly isIntrinsic: (name: string) => boolean;
  /** A number for a function type, the same for equal ones (checked mode). */
  readonly typeNumber: (type: FunctionType) => number;
}

const NO_RESULT = 0x40;
const NO_TYPE: FunctionType = { params: [], results: [] };

/** An enclosing block, loop, `if` or the function itself. */
interface Frame {
  readonly kind: "function" | "block" | "loop" | "if";
  readonly type: FunctionType;
  /** Registers that a branch to the frame assigns. */
  readonly branchRegisters: readonly number[][];
  /** Registers of the results. */
  readonly resultRegisters: readonly number[][];
  /** Types that a branch carries. */
  readonly branchTypes: readonly number[];
  readonly target: Block;
  readonly end: Block;
  otherwise: Block | undefined;
  /** Height of the stack below the parameters. */
  readonly height: number;
  /** The parameters, for the `else` part. */
  readonly parameters: readonly Value[];
}

/** Builds the graph of a function; throws an `UnsupportedError` for floats and the like. */
export function lowerFunction(
  module: WasmModule,
  func: WasmFunction,
  options: LowerOptions,
): FunctionGraph {
  return new Lowering(module, func, options).run();
}

class Lowering {
  #module: WasmModule;
  #function: WasmFunction;
  #options: LowerOptions;
  #builder = new GraphBuilder();
  #reader: WasmReader;
  #memory: MemoryLowering;
  #locals: number[][] = [];
  #frames: Frame[] = [];
  /** Depth of blocks opened within unreachable code. */
  #skipped = 0;

  constructor(module: WasmModule, func: WasmFunction, options: LowerOptions) {
    this.#module = module;
    this.#function = func;
    this.#options = options;
    this.#reader = new WasmReader(module.bytes);
    this.#reader.position = this.#builder.offset = func.start;
    this.#memory = new MemoryLowering(this.#builder, this.#reader, options);
  }

  run(): FunctionGraph {
    const builder = this.#builder;
    const { type, locals, name, start } = this.#function;
    this.#checkTypes([...type.params, ...type.results, ...locals]);
    if (type.results.length > 1) this.#unsupported("functions with several results");
    this.#locals = [...type.params, ...locals].map((local) => builder.newValue(local));
    const parameters = this.#locals.slice(0, type.params.length).flat();
    for (const registers of this.#locals.slice(type.params.length)) {
      for (const register of registers) builder.set(register, constant(0));
    }
    builder.endLocals();
    this.#open("function", { params: [], results: type.results }, undefined);
    while (this.#frames.length > 0) {
      builder.offset = this.#reader.position;
      this.#instruction(this.#reader.u8());
    }
    return {
      name,
      blocks: builder.blocks,
      parameters,
      parameterTypes: type.params,
      registerCount: builder.registerCount,
      offset: start,
    };
  }

  #unsupported(what: string): never {
    throw new UnsupportedError(`${what} are not supported`, this.#builder.offset);
  }

  #checkTypes(types: readonly number[]): void {
    if (types.some((type) => type !== I32 && type !== I64)) {
      this.#unsupported("floating-point values");
    }
  }

  #instruction(opcode: number): void {
    if (this.#builder.current === undefined && this.#skip(opcode)) return;
    const reader = this.#reader;
    switch (opcode) {
      case OPCODE.unreachable:
        this.#builder.end({ kind: "trap" });
        return;
      case OPCODE.nop:
        return;
      case OPCODE.block:
      case OPCODE.loop:
      case OPCODE.if:
        this.#structured(opcode);
        return;
      case OPCODE.else:
        this.#else();
        return;
      case OPCODE.end:
        this.#end();
        return;
      case OPCODE.br:
        this.#branch(reader.u32());
        return;
      case OPCODE.brIf: {
        const depth = reader.u32();
        this.#branchIf(this.#builder.pop32(), depth);
        return;
      }
      case OPCODE.brTable:
        this.#branchTable();
        return;
      case OPCODE.return:
        this.#branch(this.#frames.length - 1);
        return;
      case OPCODE.call:
        this.#call(reader.u32());
        return;
      case OPCODE.callIndirect: {
        const type = this.#module.types[reader.u32()] as FunctionType;
        this.#callIndirect(type, reader.u32());
        return;
      }
      case OPCODE.f32Const:
      case OPCODE.f64Const:
        return this.#unsupported("floating-point values");
      default:
        this.#simple(opcode);
    }
  }

  /** Instructions without control flow. */
  #simple(opcode: number): void {
    const builder = this.#builder;
    const reader = this.#reader;
    switch (opcode) {
      case OPCODE.drop:
        builder.pop();
        return;
      case OPCODE.selectTyped:
        this.#checkTypes(reader.vector(() => reader.u8()));
        this.#select();
        return;
      case OPCODE.select:
        this.#select();
        return;
      case OPCODE.localGet: {
        const index = reader.u32();
        const registers = this.#locals[index] as number[];
        builder.stack.push(builder.valueOf(registers.length === 2 ? I64 : I32, registers));
        return;
      }
      case OPCODE.localSet:
      case OPCODE.localTee:
        this.#setLocal(reader.u32(), opcode === OPCODE.localTee);
        return;
      case OPCODE.globalGet:
        this.#getGlobal(reader.u32());
        return;
      case OPCODE.globalSet:
        this.#setGlobal(reader.u32());
        return;
      case OPCODE.memorySize:
        reader.u8();
        builder.push32(load(32, false, symbol("$memory_pages"), 0));
        return;
      case OPCODE.memoryGrow: {
        reader.u8();
        const pages = builder.pop32();
        builder.keepLoads();
        builder.push32(builder.call("__memory_grow", [I32], [pages], 1)[0] as Tree);
        return;
      }
      case OPCODE.i32Const:
        builder.push32(constant(reader.s32()));
        return;
      case OPCODE.i64Const:
        this.#pushConstant(I64, reader.s64());
        return;
      case OPCODE.prefixed:
        this.#prefixed(reader.u32());
        return;
    }
    if (MEMORY_ACCESSES[opcode] !== undefined) this.#memory.access(opcode);
    else if (!lowerInteger(builder, opcode)) this.#refuse(opcode);
  }

  #refuse(opcode: number): never {
    const isFloat = opcode === 0x2a || opcode === 0x2b || opcode === 0x38 || opcode === 0x39 ||
      (opcode >= 0x5b && opcode <= 0x66) || (opcode >= 0x8b && opcode <= 0xbf);
    if (isFloat) this.#unsupported("floating-point operations");
    this.#unsupported(`instructions with opcode 0x${opcode.toString(16)}`);
  }

  // Control

  #blockType(): FunctionType {
    const reader = this.#reader;
    const byte = reader.peek();
    if (byte === NO_RESULT) {
      reader.u8();
      return NO_TYPE;
    }
    if (byte >= 0x60 && byte < 0x80) {
      reader.u8();
      this.#checkTypes([byte]);
      return { params: [], results: [byte] };
    }
    const type = this.#module.types[reader.s32()] as FunctionType;
    this.#checkTypes([...type.params, ...type.results]);
    return type;
  }

  #open(kind: Frame["kind"], type: FunctionType, loop: Block | undefined): Frame {
    const builder = this.#builder;
    const end = builder.newBlock();
    const resultRegisters = type.results.map((result) => builder.newValue(result));
    const height = builder.stack.length - type.params.length;
    const frame: Frame = {
      kind,
      type,
      resultRegisters,
      branchRegisters: loop === undefined
        ? resultRegisters
        : type.params.map((param) => builder.newValue(param)),
      branchTypes: loop === undefined ? type.results : type.params,
      target: loop ?? end,
      end,
      otherwise: undefined,
      height,
      parameters: builder.stack.slice(height).map((value) => ({ ...value })),
    };
    this.#frames.push(frame);
    return frame;
  }

  #frame(depth: number): Frame {
    return this.#frames[this.#frames.length - 1 - depth] as Frame;
  }

  #structured(opcode: number): void {
    const builder = this.#builder;
    const type = this.#blockType();
    const condition = opcode === OPCODE.if ? builder.pop32() : undefined;
    builder.keepAll();
    if (opcode === OPCODE.block) {
      this.#open("block", type, undefined);
    } else if (opcode === OPCODE.loop) {
      const header = builder.newBlock();
      const frame = this.#open("loop", type, header);
      const parameters = builder.stack.splice(frame.height);
      this.#assign(frame.branchRegisters, parameters);
      builder.end({ kind: "jump", target: header });
      builder.current = header;
      this.#pushRegisters(type.params, frame.branchRegisters);
    } else {
      const frame = this.#open("if", type, undefined);
      const yes = builder.newBlock();
      const no = frame.otherwise = builder.newBlock();
      builder.end({ kind: "branch", condition: condition as Tree, yes, no });
      builder.current = yes;
    }
  }

  #pushRegisters(types: readonly number[], registers: readonly number[][]): void {
    types.forEach((type, index) => {
      this.#builder.stack.push(this.#builder.valueOf(type, registers[index] as number[]));
    });
  }

  /** Assigns values to registers as if at once: a source may be another's destination. */
  #assign(registers: readonly number[][], values: readonly Value[]): void {
    const builder = this.#builder;
    const single = registers.length === 1 && registers[0]?.length === 1;
    const words = values.flatMap(({ low, high }) => high === undefined ? [low] : [low, high]);
    const sources = single ? words : words.map((word) => builder.copy(word));
    registers.flat().forEach((register, index) => builder.set(register, sources[index] as Tree));
  }

  #branch(depth: number): void {
    const builder = this.#builder;
    const frame = this.#frame(depth);
    const values = builder.stack.slice(builder.stack.length - frame.branchTypes.length);
    if (frame.kind === "function") {
      const words = values.flatMap(({ low, high }) => high === undefined ? [low] : [low, high]);
      builder.end({ kind: "return", values: words });
      return;
    }
    this.#assign(frame.branchRegisters, values);
    builder.end({ kind: "jump", target: frame.target });
  }

  #branchIf(condition: Tree, depth: number): void {
    const builder = this.#builder;
    const frame = this.#frame(depth);
    const no = builder.newBlock();
    if (frame.branchTypes.length === 0 && frame.kind !== "function") {
      if (builder.stack.length > 0) {
        condition = builder.keep(condition);
        builder.keepAll();
      }
      builder.end({ kind: "branch", condition, yes: frame.target, no });
    } else {
      condition = builder.keep(condition);
      builder.keepAll();
      const yes = builder.newBlock();
      builder.end({ kind: "branch", condition, yes, no });
      builder.current = yes;
      this.#branch(depth);
    }
    builder.current = no;
  }

  #branchTable(): void {
    const builder = this.#builder;
    const reader = this.#reader;
    const depths = reader.vector(() => reader.u32());
    const last = reader.u32();
    const index = builder.keep(builder.pop32());
    builder.keepAll();
    const source = builder.current;
    const saved = builder.stack.map((value) => ({ ...value }));
    const blocks = new Map<number, Block>();
    const target = (depth: number): Block => {
      let block = blocks.get(depth);
      if (block === undefined) {
        block = builder.newBlock();
        blocks.set(depth, block);
        builder.current = block;
        builder.stack.splice(0, Infinity, ...saved.map((value) => ({ ...value })));
        this.#branch(depth);
      }
      return block;
    };
    const targets = depths.map(target);
    const otherwise = target(last);
    builder.current = source;
    builder.end({ kind: "switch", index, targets, otherwise });
  }

  #else(): void {
    const builder = this.#builder;
    const frame = this.#frame(0);
    if (builder.current !== undefined) {
      this.#assign(frame.resultRegisters, builder.stack.slice(frame.height));
      builder.end({ kind: "jump", target: frame.end });
    }
    builder.stack.splice(frame.height, Infinity, ...frame.parameters);
    builder.current = frame.otherwise;
    frame.otherwise = undefined;
  }

  #end(): void {
    const builder = this.#builder;
    const frame = this.#frames.pop() as Frame;
    const values = builder.stack.slice(builder.stack.length - frame.type.results.length);
    if (frame.kind === "function") {
      if (builder.current !== undefined) {
        const words = values.flatMap(({ low, high }) => high === undefined ? [low] : [low, high]);
        builder.end({ kind: "return", values: words });
      }
      return;
    }
    if (builder.current !== undefined) {
      this.#assign(frame.resultRegisters, values);
      builder.end({ kind: "jump", target: frame.end });
    }
    if (frame.otherwise !== undefined) {
      // An `if` without `else` hands its parameters through.
      builder.current = frame.otherwise;
      this.#assign(frame.resultRegisters, frame.parameters);
      builder.end({ kind: "jump", target: frame.end });
    }
    builder.stack.length = frame.height;
    builder.current = frame.end;
    this.#pushRegisters(frame.type.results, frame.resultRegisters);
  }

  // Unreachable code

  /** Skips an instruction behind an unconditional branch; false if it ends that region. */
  #skip(opcode: number): boolean {
    if (opcode === OPCODE.block || opcode === OPCODE.loop || opcode === OPCODE.if) {
      skipImmediates(this.#reader, opcode);
      this.#skipped++;
      return true;
    }
    if (opcode === OPCODE.end) {
      if (this.#skipped === 0) return false;
      this.#skipped--;
      return true;
    }
    if (opcode === OPCODE.else) return this.#skipped > 0;
    skipImmediates(this.#reader, opcode);
    return true;
  }

  // Variables

  #select(): void {
    const builder = this.#builder;
    let condition = builder.pop32();
    const no = builder.pop();
    const yes = builder.pop();
    this.#checkTypes([yes.type]);
    if (yes.high === undefined || no.high === undefined) {
      builder.push32(select(condition, yes.low, no.low));
      return;
    }
    condition = builder.force(condition);
    builder.push64(select(condition, yes.low, no.low), select(condition, yes.high, no.high));
  }

  #setLocal(index: number, keepsValue: boolean): void {
    const builder = this.#builder;
    const registers = this.#locals[index] as number[];
    const [low, high] = registers as [number, number | undefined];
    const value = builder.pop();
    builder.keepFrom(registers);
    if (high === undefined) {
      builder.set(low, value.low);
    } else {
      // The high word is computed before the low register, which it may use, changes.
      const highTree = builder.keep(value.high as Tree);
      builder.set(low, value.low);
      builder.set(high, highTree);
    }
    if (keepsValue) builder.stack.push(builder.valueOf(value.type, registers));
  }

  #pushConstant(type: number, value: bigint): void {
    const low = constant(Number(BigInt.asIntN(32, value)));
    if (type === I64) this.#builder.push64(low, constant(Number(BigInt.asIntN(32, value >> 32n))));
    else this.#builder.push32(low);
  }

  #getGlobal(index: number): void {
    const global = this.#module.globals[index];
    if (global === undefined) throw new RangeError(`There is no global ${index}`);
    this.#checkTypes([global.type]);
    if (!global.mutable && global.initializer.kind === "constant") {
      this.#pushConstant(global.type, global.initializer.value);
      return;
    }
    const address = symbol(`$g${index}`);
    const low = load(32, false, address, 0);
    if (global.type === I64) this.#builder.push64(low, load(32, false, address, 4));
    else this.#builder.push32(low);
  }

  #setGlobal(index: number): void {
    const builder = this.#builder;
    const value = builder.pop();
    this.#checkTypes([value.type]);
    builder.keepLoads();
    const high = value.high === undefined ? undefined : builder.keep(value.high);
    builder.store(32, symbol(`$g${index}`), 0, value.low);
    if (high !== undefined) builder.store(32, symbol(`$g${index}`), 4, high);
  }

  #prefixed(second: number): void {
    if (second === PREFIXED.memoryCopy || second === PREFIXED.memoryFill) {
      this.#memory.block(second === PREFIXED.memoryCopy);
    } else if (second < 8) this.#unsupported("floating-point operations");
    else this.#unsupported(`instructions with opcode 0xfc ${second}`);
  }

  // Calls

  #checkSignature(type: FunctionType): void {
    this.#checkTypes([...type.params, ...type.results]);
    if (type.results.length > 1) this.#unsupported("functions with several results");
  }

  #pushResults(type: FunctionType, words: readonly Tree[]): void {
    const [result] = type.results;
    if (result !== undefined) this.#builder.push(result, words[0] as Tree, words[1]);
  }

  #call(index: number): void {
    const builder = this.#builder;
    const func = this.#module.functions[index];
    if (func === undefined) throw new RangeError(`There is no function ${index}`);
    const { type, imported } = func;
    this.#checkSignature(type);
    const args = builder.popWords(type.params.length);
    if (imported?.module === "sym") {
      builder.push32(symbol(imported.name));
      return;
    }
    builder.keepLoads();
    const resultWords = wordCount(type.results);
    if (imported?.module === "x86") {
      if (!this.#options.isIntrinsic(imported.name)) {
        this.#unsupported(`imports of ${imported.name} from x86`);
      }
      this.#pushResults(type, builder.operation(imported.name, args, resultWords));
      return;
    }
    const target = imported?.name ?? `$f${index}`;
    this.#pushResults(type, builder.call(target, type.params, args, resultWords));
  }

  #callIndirect(type: FunctionType, table: number): void {
    const builder = this.#builder;
    this.#checkSignature(type);
    let index = builder.pop32();
    let args = builder.popWords(type.params.length);
    if (this.#options.checked) {
      args = args.map((arg) => builder.keep(arg));
      index = builder.keep(index);
      builder.keepAll();
      const size = load(32, false, symbol(`$table_size${table}`), 0);
      builder.trapIf(compare("ae", index, size));
      const types = binary(
        "add",
        binary("shl", index, constant(2)),
        symbol(`$table_types${table}`),
      );
      const expected = constant(this.#options.typeNumber(type));
      builder.trapIf(compare("ne", load(32, false, types, 0), expected));
    }
    builder.keepLoads();
    const entry = binary("add", binary("shl", index, constant(2)), symbol(`$table${table}`));
    const words = wordCount(type.results);
    this.#pushResults(type, builder.call(load(32, false, entry, 0), type.params, args, words));
  }
}
