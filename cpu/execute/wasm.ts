/**
 * A small encoder of WebAssembly modules: types, imports, functions, a table, element segments, branch hints.
 *
 * Instructions are methods for what the CPU's semantics use all the time (`get`, `i32`, `load`, `add` …,
 * all on i32) and `op("i64.add", "i32.wrap_i64")` by their text-format names for the rest. Methods append
 * and return the function, so that they chain.
 * Sources: WebAssembly core specification 2.0 §5 (binary format), branch hinting
 * proposal (custom section `metadata.code.branch_hint`).
 * @module
 */
import { Bytes } from "./bytes.ts";
import {
  LANE_OPCODES,
  type LaneOperation,
  VECTOR_ACCESSES,
  VECTOR_OPCODES,
  type VectorAccess,
  type VectorOperation,
} from "./wasm_simd.ts";

export type { LaneOperation, VectorAccess, VectorOperation };

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
/** Prefix of the vector instructions. */
const VECTOR = 0xfd;
/** Reference to a function of a type that follows, or null. */
const REF_NULL = 0x63;
const EMPTY = 0x40;

/** Opcodes without immediates, by text-format name. */
// deno-fmt-ignore
const OPCODES = {
  "unreachable": 0x00, "nop": 0x01, "return": 0x0f, "drop": 0x1a, "select": 0x1b,
  "i32.eqz": 0x45, "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49, "i32.gt_s": 0x4a, "i32.gt_u": 0x4b,
  "i32.le_s": 0x4c, "i32.le_u": 0x4d, "i32.ge_s": 0x4e, "i32.ge_u": 0x4f,
  "i64.eqz": 0x50, "i64.eq": 0x51, "i64.ne": 0x52, "i64.lt_s": 0x53, "i64.lt_u": 0x54, "i64.gt_s": 0x55, "i64.gt_u": 0x56,
  "i64.le_s": 0x57, "i64.le_u": 0x58, "i64.ge_s": 0x59, "i64.ge_u": 0x5a,
  "f32.eq": 0x5b, "f32.ne": 0x5c, "f32.lt": 0x5d, "f32.gt": 0x5e, "f32.le": 0x5f, "f32.ge": 0x60,
  "f64.eq": 0x61, "f64.ne": 0x62, "f64.lt": 0x63, "f64.gt": 0x64, "f64.le": 0x65, "f64.ge": 0x66,
  "i32.clz": 0x67, "i32.ctz": 0x68, "i32.popcnt": 0x69, "i32.add": 0x6a, "i32.sub": 0x6b, "i32.mul": 0x6c,
  "i32.div_s": 0x6d, "i32.div_u": 0x6e, "i32.rem_s": 0x6f, "i32.rem_u": 0x70, "i32.and": 0x71, "i32.or": 0x72, "i32.xor": 0x73,
  "i32.shl": 0x74, "i32.shr_s": 0x75, "i32.shr_u": 0x76, "i32.rotl": 0x77, "i32.rotr": 0x78,
  "i64.clz": 0x79, "i64.ctz": 0x7a, "i64.popcnt": 0x7b, "i64.add": 0x7c, "i64.sub": 0x7d, "i64.mul": 0x7e,
  "i64.div_s": 0x7f, "i64.div_u": 0x80, "i64.rem_s": 0x81, "i64.rem_u": 0x82, "i64.and": 0x83, "i64.or": 0x84, "i64.xor": 0x85,
  "i64.shl": 0x86, "i64.shr_s": 0x87, "i64.shr_u": 0x88, "i64.rotl": 0x89, "i64.rotr": 0x8a,
  "f32.abs": 0x8b, "f32.neg": 0x8c, "f32.ceil": 0x8d, "f32.floor": 0x8e, "f32.trunc": 0x8f, "f32.nearest": 0x90, "f32.sqrt": 0x91,
  "f32.add": 0x92, "f32.sub": 0x93, "f32.mul": 0x94, "f32.div": 0x95, "f32.min": 0x96, "f32.max": 0x97, "f32.copysign": 0x98,
  "f64.abs": 0x99, "f64.neg": 0x9a, "f64.ceil": 0x9b, "f64.floor": 0x9c, "f64.trunc": 0x9d, "f64.nearest": 0x9e, "f64.sqrt": 0x9f,
  "f64.add": 0xa0, "f64.sub": 0xa1, "f64.mul": 0xa2, "f64.div": 0xa3, "f64.min": 0xa4, "f64.max": 0xa5, "f64.copysign": 0xa6,
  "i32.wrap_i64": 0xa7, "i32.trunc_f32_s": 0xa8, "i32.trunc_f32_u": 0xa9, "i32.trunc_f64_s": 0xaa, "i32.trunc_f64_u": 0xab,
  "i64.extend_i32_s": 0xac, "i64.extend_i32_u": 0xad, "i64.trunc_f32_s": 0xae, "i64.trunc_f32_u": 0xaf,
  "i64.trunc_f64_s": 0xb0, "i64.trunc_f64_u": 0xb1,
  "f32.convert_i32_s": 0xb2, "f32.convert_i32_u": 0xb3, "f32.convert_i64_s": 0xb4, "f32.convert_i64_u": 0xb5, "f32.demote_f64": 0xb6,
  "f64.convert_i32_s": 0xb7, "f64.convert_i32_u": 0xb8, "f64.convert_i64_s": 0xb9, "f64.convert_i64_u": 0xba, "f64.promote_f32": 0xbb,
  "i32.reinterpret_f32": 0xbc, "i64.reinterpret_f64": 0xbd, "f32.reinterpret_i32": 0xbe, "f64.reinterpret_i64": 0xbf,
  "i32.extend8_s": 0xc0, "i32.extend16_s": 0xc1, "i64.extend8_s": 0xc2, "i64.extend16_s": 0xc3, "i64.extend32_s": 0xc4,
} as const;

/** Loads and stores: opcode and size in bytes. All are encoded with alignment 0, so any address will do. */
// deno-fmt-ignore
const ACCESSES = {
  "i32.load": 0x28, "i64.load": 0x29, "f32.load": 0x2a, "f64.load": 0x2b,
  "i32.load8_s": 0x2c, "i32.load8_u": 0x2d, "i32.load16_s": 0x2e, "i32.load16_u": 0x2f,
  "i64.load8_s": 0x30, "i64.load8_u": 0x31, "i64.load16_s": 0x32, "i64.load16_u": 0x33, "i64.load32_s": 0x34, "i64.load32_u": 0x35,
  "i32.store": 0x36, "i64.store": 0x37, "f32.store": 0x38, "f64.store": 0x39,
  "i32.store8": 0x3a, "i32.store16": 0x3b, "i64.store8": 0x3c, "i64.store16": 0x3d, "i64.store32": 0x3e,
} as const;

/** Name of an instruction without immediates. */
export type Operation = keyof typeof OPCODES;
/** Name of a load or store. */
export type Access = keyof typeof ACCESSES;

/** A function under construction. Locals 0…n−1 are its parameters. */
export class WasmFunction {
  readonly code: Bytes = new Bytes();
  readonly localTypes: number[] = [];
  readonly hints: number[] = [];
  readonly parameters: number;
  /** Control structures that are open, for computing branch depths: `br(f.depth - label)`. */
  depth = 0;

  constructor(parameters: number) {
    this.parameters = parameters;
  }

  /** Declares a local and returns its index. */
  local(type: number = I32): number {
    this.localTypes.push(type);
    return this.parameters + this.localTypes.length - 1;
  }
  /** Appends instructions without immediates by name. */
  op(...names: Operation[]): this {
    for (let i = 0; i < names.length; i++) this.code.byte(OPCODES[names[i] as Operation]);
    return this;
  }
  /** Appends a load or store; the address (and for a store the value) is on the stack. */
  memory(name: Access, offset = 0): this {
    this.code.byte(ACCESSES[name]);
    this.code.byte(0);
    this.code.unsigned(offset);
    return this;
  }
  /** Appends vector instructions without immediates by name. */
  vector(...names: VectorOperation[]): this {
    for (const name of names) {
      this.code.byte(VECTOR);
      this.code.unsigned(VECTOR_OPCODES[name]);
    }
    return this;
  }
  /** Appends a vector load or store; the address (and for a store the value) is on the stack. */
  vectorMemory(name: VectorAccess, offset = 0): this {
    this.code.byte(VECTOR);
    this.code.byte(VECTOR_ACCESSES[name]);
    this.code.byte(0);
    this.code.unsigned(offset);
    return this;
  }
  /** Appends an access to lane `lane`. */
  lane(name: LaneOperation, lane: number): this {
    this.code.byte(VECTOR);
    this.code.byte(LANE_OPCODES[name]);
    this.code.byte(lane);
    return this;
  }
  /** i8x16.shuffle: bytes 0–15 of the first operand, 16–31 of the second, for each byte of the result. */
  shuffle(bytes: readonly number[]): this {
    if (bytes.length !== 16) throw new RangeError(`A shuffle takes 16 bytes, not ${bytes.length}`);
    this.code.byte(VECTOR);
    this.code.byte(13);
    this.code.append(bytes);
    return this;
  }
  /** Pushes a vector of 16 bytes. */
  v128(bytes: readonly number[]): this {
    if (bytes.length !== 16) throw new RangeError(`A vector has 16 bytes, not ${bytes.length}`);
    this.code.byte(VECTOR);
    this.code.byte(12);
    this.code.append(bytes);
    return this;
  }
  i32(value: number): this {
    this.code.byte(0x41);
    this.code.signed(value);
    return this;
  }
  i64(value: bigint): this {
    this.code.byte(0x42);
    this.code.signed64(value);
    return this;
  }
  f64(value: number): this {
    this.code.byte(0x44);
    this.code.append(new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }
  get(local: number): this {
    this.code.byte(0x20);
    this.code.unsigned(local);
    return this;
  }
  set(local: number): this {
    this.code.byte(0x21);
    this.code.unsigned(local);
    return this;
  }
  tee(local: number): this {
    this.code.byte(0x22);
    this.code.unsigned(local);
    return this;
  }

  // i32 loads and stores. The constant-address forms take the whole address as the offset.
  load(offset = 0): this {
    return this.memory("i32.load", offset);
  }
  store(offset = 0): this {
    return this.memory("i32.store", offset);
  }
  /** Pushes the i32 at a constant address of the state. */
  loadAt(address: number): this {
    return this.i32(0).memory("i32.load", address);
  }
  /** Stores at a constant address what `value` pushes. */
  storeAt(address: number, value: () => void): this {
    this.i32(0);
    value();
    return this.memory("i32.store", address);
  }

  /** memmove: destination, source and length in bytes are on the stack. */
  memoryCopy(): this {
    this.code.byte(0xfc);
    this.code.byte(10);
    this.code.byte(0);
    this.code.byte(0);
    return this;
  }
  /** memset: destination, byte and length are on the stack. */
  memoryFill(): this {
    this.code.byte(0xfc);
    this.code.byte(11);
    this.code.byte(0);
    return this;
  }

  // i32 arithmetic
  add(): this {
    this.code.byte(OPCODES["i32.add"]);
    return this;
  }
  sub(): this {
    this.code.byte(OPCODES["i32.sub"]);
    return this;
  }
  mul(): this {
    this.code.byte(OPCODES["i32.mul"]);
    return this;
  }
  and(): this {
    this.code.byte(OPCODES["i32.and"]);
    return this;
  }
  or(): this {
    this.code.byte(OPCODES["i32.or"]);
    return this;
  }
  xor(): this {
    this.code.byte(OPCODES["i32.xor"]);
    return this;
  }
  shl(): this {
    this.code.byte(OPCODES["i32.shl"]);
    return this;
  }
  shrS(): this {
    this.code.byte(OPCODES["i32.shr_s"]);
    return this;
  }
  shrU(): this {
    this.code.byte(OPCODES["i32.shr_u"]);
    return this;
  }
  eqz(): this {
    this.code.byte(OPCODES["i32.eqz"]);
    return this;
  }
  eq(): this {
    this.code.byte(OPCODES["i32.eq"]);
    return this;
  }
  ne(): this {
    this.code.byte(OPCODES["i32.ne"]);
    return this;
  }
  ltS(): this {
    this.code.byte(OPCODES["i32.lt_s"]);
    return this;
  }
  ltU(): this {
    this.code.byte(OPCODES["i32.lt_u"]);
    return this;
  }
  gtU(): this {
    this.code.byte(OPCODES["i32.gt_u"]);
    return this;
  }
  geU(): this {
    this.code.byte(OPCODES["i32.ge_u"]);
    return this;
  }
  drop(): this {
    this.code.byte(OPCODES.drop);
    return this;
  }
  select(): this {
    this.code.byte(OPCODES.select);
    return this;
  }

  // Control. `type` is the result type of the structure, none if absent.
  block(type: number = EMPTY): this {
    this.depth++;
    this.code.byte(0x02);
    this.code.byte(type);
    return this;
  }
  loop(type: number = EMPTY): this {
    this.depth++;
    this.code.byte(0x03);
    this.code.byte(type);
    return this;
  }
  /** Consumes a condition. `likely`: branch hint for the optimising compiler. */
  if(type?: number, likely?: boolean): this {
    if (likely !== undefined) this.hint(likely);
    this.depth++;
    this.code.byte(0x04);
    this.code.byte(type ?? EMPTY);
    return this;
  }
  else(): this {
    this.code.byte(0x05);
    return this;
  }
  end(): this {
    this.depth--;
    this.code.byte(0x0b);
    return this;
  }
  br(depth: number): this {
    this.code.byte(0x0c);
    this.code.unsigned(depth);
    return this;
  }
  brIf(depth: number, likely?: boolean): this {
    if (likely !== undefined) this.hint(likely);
    this.code.byte(0x0d);
    this.code.unsigned(depth);
    return this;
  }
  brTable(depths: readonly number[], otherwise: number): this {
    this.code.byte(0x0e);
    this.code.unsigned(depths.length);
    for (const depth of depths) this.code.unsigned(depth);
    this.code.unsigned(otherwise);
    return this;
  }
  return(): this {
    this.code.byte(OPCODES.return);
    return this;
  }
  /** Calls emitted so far. */
  calls = 0;
  call(functionIndex: number): this {
    this.calls++;
    this.code.byte(0x10);
    this.code.unsigned(functionIndex);
    return this;
  }
  callIndirect(type: number, table = 0): this {
    this.calls++;
    this.code.byte(0x11);
    this.code.unsigned(type);
    this.code.unsigned(table);
    return this;
  }
  /** A tail call of an entry of a table. */
  returnCallIndirect(type: number, table = 0): this {
    this.code.byte(0x13);
    this.code.unsigned(type);
    this.code.unsigned(table);
    return this;
  }
  private hint(likely: boolean): void {
    this.hints.push(this.code.length, likely ? 1 : 0);
  }
}

/** Entries of a section. */
class Section {
  readonly bytes: Bytes = new Bytes();
  count = 0;

  /** Begins an entry, which is then appended. */
  entry(): Bytes {
    this.count++;
    return this.bytes;
  }
  /** Appends the section, if it has entries. */
  appendTo(out: Bytes, id: number): void {
    if (this.count === 0) return;
    const count = new Bytes(8);
    count.unsigned(this.count);
    out.byte(id);
    out.unsigned(count.length + this.bytes.length);
    out.append(count.view);
    out.append(this.bytes.view);
  }
}

/** A module under construction. Imports must be declared before the first function. */
export class WasmModule {
  readonly #typeKeys = new Map<string, number>();
  readonly #types = new Section();
  readonly #imports = new Section();
  readonly #functions: { type: number; body: WasmFunction | undefined }[] = [];
  readonly #tables = new Section();
  readonly #exports = new Section();
  readonly #elements = new Section();
  readonly #names = new Section();
  #importedFunctions = 0;

  /** Index of a function type. */
  type(parameters: readonly number[], results: readonly number[] = []): number {
    const key = `${parameters}|${results}`;
    let index = this.#typeKeys.get(key);
    if (index === undefined) {
      index = this.#types.count;
      this.#typeKeys.set(key, index);
      const out = this.#types.entry();
      out.byte(0x60);
      for (const list of [parameters, results]) {
        out.unsigned(list.length);
        out.append(list);
      }
    }
    return index;
  }
  #import(name: string, kind: number): Bytes {
    const out = this.#imports.entry();
    out.text("e");
    out.text(name);
    out.byte(kind);
    return out;
  }
  /** Imports a function from module "e"; returns its index. */
  importFunction(name: string, type: number): number {
    if (this.#functions.length > 0) throw new Error("imports come before functions");
    this.#import(name, 0).unsigned(type);
    return this.#importedFunctions++;
  }
  /** Imports the memory with min = max = `pages`: a larger maximum costs a second bounds check. */
  importMemory(name: string, pages: number): void {
    const out = this.#import(name, 2);
    out.byte(1);
    out.unsigned(pages);
    out.unsigned(pages);
  }
  /** Imports a table of functions of one type, as {@link table} declares it; tables count in order. */
  importTable(name: string, size: number, type: number): void {
    tableType(this.#import(name, 1), size, type);
  }
  /** Reserves a function index, to be given a body later: for calls between functions. */
  declare(type: number): number {
    this.#functions.push({ type, body: undefined });
    return this.#importedFunctions + this.#functions.length - 1;
  }
  /** Gives a declared function its body. */
  define(index: number, body: WasmFunction): void {
    const entry = this.#functions[index - this.#importedFunctions];
    if (entry === undefined || entry.body) throw new Error(`function ${index} cannot be defined`);
    entry.body = body;
  }
  /** Declares and defines a function; returns its index. */
  add(type: number, body: WasmFunction): number {
    const index = this.declare(type);
    this.define(index, body);
    return index;
  }
  /**
   * Adds a table of functions of one type with a fixed size; returns its index. Calls through it need no
   * check of the function's type.
   */
  table(size: number, type: number): number {
    tableType(this.#tables.entry(), size, type);
    return this.#tables.count - 1;
  }
  /** Fills table 0 from `offset` on with functions of a type. */
  elements(offset: number, functions: readonly number[], type: number): void {
    const out = this.#elements.entry();
    out.append([6, 0, 0x41]);
    out.signed(offset);
    out.byte(0x0b);
    out.byte(REF_NULL);
    out.signed(type);
    out.unsigned(functions.length);
    for (const index of functions) {
      out.byte(0xd2);
      out.unsigned(index);
      out.byte(0x0b);
    }
  }
  exportFunction(name: string, index: number): void {
    this.#export(name, 0, index);
  }
  exportTable(name: string, index: number): void {
    this.#export(name, 1, index);
  }
  #export(name: string, kind: number, index: number): void {
    const out = this.#exports.entry();
    out.text(name);
    out.byte(kind);
    out.unsigned(index);
  }
  /** Names a function for debuggers and profilers; in the order of indices. */
  nameFunction(index: number, name: string): void {
    const out = this.#names.entry();
    out.unsigned(index);
    out.text(name);
  }

  /** The binary. Throws if a declared function has no body. */
  encode(): Uint8Array<ArrayBuffer> {
    const types = new Section();
    const bodies = new Section();
    const hints = new Section();
    const locals = new Bytes();
    for (const [index, { type, body }] of this.#functions.entries()) {
      types.entry().unsigned(type);
      if (body === undefined) throw new Error(`function ${index} has no body`);
      if (body.depth !== 0) throw new Error(`function ${index}: ${body.depth} structures open`);
      locals.clear();
      encodeLocals(body.localTypes, locals);
      const entry = bodies.entry();
      entry.unsigned(locals.length + body.code.length + 1);
      entry.append(locals.view);
      entry.append(body.code.view);
      entry.byte(0x0b);
      if (body.hints.length > 0) {
        const hint = hints.entry();
        hint.unsigned(index + this.#importedFunctions);
        hint.unsigned(body.hints.length / 2);
        for (let i = 0; i < body.hints.length; i += 2) {
          hint.unsigned((body.hints[i] ?? 0) + locals.length);
          hint.byte(1);
          hint.byte(body.hints[i + 1] ?? 0);
        }
      }
    }
    const out = new Bytes(bodies.bytes.length + hints.bytes.length + 4096);
    out.append([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    this.#types.appendTo(out, 1);
    this.#imports.appendTo(out, 2);
    types.appendTo(out, 3);
    this.#tables.appendTo(out, 4);
    this.#exports.appendTo(out, 7);
    this.#elements.appendTo(out, 9);
    if (hints.count > 0) {
      const custom = new Bytes(hints.bytes.length + 64);
      custom.text("metadata.code.branch_hint");
      custom.unsigned(hints.count);
      custom.append(hints.bytes.view);
      customSection(out, custom);
    }
    bodies.appendTo(out, 10);
    if (this.#names.count > 0) {
      const custom = new Bytes();
      custom.text("name");
      this.#names.appendTo(custom, 1);
      customSection(out, custom);
    }
    return out.view;
  }
}

function tableType(out: Bytes, size: number, type: number): void {
  out.byte(REF_NULL);
  out.signed(type);
  out.byte(1);
  out.unsigned(size);
  out.unsigned(size);
}

function customSection(out: Bytes, custom: Bytes): void {
  out.byte(0);
  out.unsigned(custom.length);
  out.append(custom.view);
}

/** Locals as runs of one type. */
function encodeLocals(types: readonly number[], out: Bytes): void {
  let runs = 0;
  for (let i = 0; i < types.length; i++) if (types[i] !== types[i - 1]) runs++;
  out.unsigned(runs);
  for (let i = 0; i < types.length;) {
    const first = i;
    while (types[i] === types[first] && i < types.length) i++;
    out.unsigned(i - first);
    out.byte(types[first] as number);
  }
}
