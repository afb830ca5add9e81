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

function unsigned(value: number, out: number[]): void {
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    out.push(rest ? low | 0x80 : low);
  } while (rest);
}

function signed(value: number, out: number[]): void {
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40))) {
      out.push(low);
      return;
    }
    out.push(low | 0x80);
  }
}

function signed64(value: bigint, out: number[]): void {
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && !(low & 0x40)) || (rest === -1n && (low & 0x40))) {
      out.push(low);
      return;
    }
    out.push(low | 0x80);
  }
}

/** A function under construction. Locals 0…n−1 are its parameters. */
export class WasmFunction {
  readonly code: number[] = [];
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
    for (const name of names) this.code.push(OPCODES[name]);
    return this;
  }
  /** Appends a load or store; the address (and for a store the value) is on the stack. */
  memory(name: Access, offset = 0): this {
    this.code.push(ACCESSES[name], 0);
    unsigned(offset, this.code);
    return this;
  }
  /** Appends vector instructions without immediates by name. */
  vector(...names: VectorOperation[]): this {
    for (const name of names) {
      this.code.push(VECTOR);
      unsigned(VECTOR_OPCODES[name], this.code);
    }
    return this;
  }
  /** Appends a vector load or store; the address (and for a store the value) is on the stack. */
  vectorMemory(name: VectorAccess, offset = 0): this {
    this.code.push(VECTOR, VECTOR_ACCESSES[name], 0);
    unsigned(offset, this.code);
    return this;
  }
  /** Appends an access to lane `lane`. */
  lane(name: LaneOperation, lane: number): this {
    this.code.push(VECTOR, LANE_OPCODES[name], lane);
    return this;
  }
  /** i8x16.shuffle: bytes 0–15 of the first operand, 16–31 of the second, for each byte of the result. */
  shuffle(bytes: readonly number[]): this {
    if (bytes.length !== 16) throw new RangeError(`A shuffle takes 16 bytes, not ${bytes.length}`);
    this.code.push(VECTOR, 13, ...bytes);
    return this;
  }
  /** Pushes a vector of 16 bytes. */
  v128(bytes: readonly number[]): this {
    if (bytes.length !== 16) throw new RangeError(`A vector has 16 bytes, not ${bytes.length}`);
    this.code.push(VECTOR, 12, ...bytes);
    return this;
  }
  i32(value: number): this {
    this.code.push(0x41);
    signed(value, this.code);
    return this;
  }
  i64(value: bigint): this {
    this.code.push(0x42);
    signed64(value, this.code);
    return this;
  }
  f64(value: number): this {
    this.code.push(0x44, ...new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }
  get(local: number): this {
    this.code.push(0x20);
    unsigned(local, this.code);
    return this;
  }
  set(local: number): this {
    this.code.push(0x21);
    unsigned(local, this.code);
    return this;
  }
  tee(local: number): this {
    this.code.push(0x22);
    unsigned(local, this.code);
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
    this.code.push(0xfc, 10, 0, 0);
    return this;
  }
  /** memset: destination, byte and length are on the stack. */
  memoryFill(): this {
    this.code.push(0xfc, 11, 0);
    return this;
  }

  // i32 arithmetic
  add(): this {
    return this.op("i32.add");
  }
  sub(): this {
    return this.op("i32.sub");
  }
  mul(): this {
    return this.op("i32.mul");
  }
  and(): this {
    return this.op("i32.and");
  }
  or(): this {
    return this.op("i32.or");
  }
  xor(): this {
    return this.op("i32.xor");
  }
  shl(): this {
    return this.op("i32.shl");
  }
  shrS(): this {
    return this.op("i32.shr_s");
  }
  shrU(): this {
    return this.op("i32.shr_u");
  }
  eqz(): this {
    return this.op("i32.eqz");
  }
  eq(): this {
    return this.op("i32.eq");
  }
  ne(): this {
    return this.op("i32.ne");
  }
  ltS(): this {
    return this.op("i32.lt_s");
  }
  ltU(): this {
    return this.op("i32.lt_u");
  }
  gtU(): this {
    return this.op("i32.gt_u");
  }
  geU(): this {
    return this.op("i32.ge_u");
  }
  drop(): this {
    return this.op("drop");
  }
  select(): this {
    return this.op("select");
  }

  // Control. `type` is the result type of the structure, none if absent.
  block(type: number = EMPTY): this {
    this.depth++;
    this.code.push(0x02, type);
    return this;
  }
  loop(type: number = EMPTY): this {
    this.depth++;
    this.code.push(0x03, type);
    return this;
  }
  /** Consumes a condition. `likely`: branch hint for the optimising compiler. */
  if(type?: number, likely?: boolean): this {
    if (likely !== undefined) this.hint(likely);
    this.depth++;
    this.code.push(0x04, type ?? EMPTY);
    return this;
  }
  else(): this {
    this.code.push(0x05);
    return this;
  }
  end(): this {
    this.depth--;
    this.code.push(0x0b);
    return this;
  }
  br(depth: number): this {
    this.code.push(0x0c);
    unsigned(depth, this.code);
    return this;
  }
  brIf(depth: number, likely?: boolean): this {
    if (likely !== undefined) this.hint(likely);
    this.code.push(0x0d);
    unsigned(depth, this.code);
    return this;
  }
  brTable(depths: readonly number[], otherwise: number): this {
    this.code.push(0x0e);
    unsigned(depths.length, this.code);
    for (const depth of depths) unsigned(depth, this.code);
    unsigned(otherwise, this.code);
    return this;
  }
  return(): this {
    return this.op("return");
  }
  /** Calls emitted so far. */
  calls = 0;
  call(functionIndex: number): this {
    this.calls++;
    this.code.push(0x10);
    unsigned(functionIndex, this.code);
    return this;
  }
  callIndirect(type: number, table = 0): this {
    this.calls++;
    this.code.push(0x11);
    unsigned(type, this.code);
    unsigned(table, this.code);
    return this;
  }
  /** A tail call of an entry of a table. */
  returnCallIndirect(type: number, table = 0): this {
    this.code.push(0x13);
    unsigned(type, this.code);
    unsigned(table, this.code);
    return this;
  }
  private hint(likely: boolean): void {
    this.hints.push(this.code.length, likely ? 1 : 0);
  }
}

/** A module under construction. Imports must be declared before the first function. */
export class WasmModule {
  readonly #typeKeys = new Map<string, number>();
  readonly #types: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functions: { type: number; body: WasmFunction | undefined }[] = [];
  readonly #tables: number[][] = [];
  readonly #exports: number[][] = [];
  readonly #elements: number[][] = [];
  readonly #names: number[][] = [];
  #importedFunctions = 0;

  /** Index of a function type. */
  type(parameters: readonly number[], results: readonly number[] = []): number {
    const key = `${parameters}|${results}`;
    let index = this.#typeKeys.get(key);
    if (index === undefined) {
      index = this.#types.length;
      this.#typeKeys.set(key, index);
      this.#types.push([0x60, parameters.length, ...parameters, results.length, ...results]);
    }
    return index;
  }
  /** Imports a function from module "e"; returns its index. */
  importFunction(name: string, type: number): number {
    if (this.#functions.length > 0) throw new Error("imports come before functions");
    const out = [...text("e"), ...text(name), 0];
    unsigned(type, out);
    this.#imports.push(out);
    return this.#importedFunctions++;
  }
  /** Imports the memory with min = max = `pages`: a larger maximum costs a second bounds check. */
  importMemory(name: string, pages: number): void {
    const out = [...text("e"), ...text(name), 2, 1];
    unsigned(pages, out);
    unsigned(pages, out);
    this.#imports.push(out);
  }
  /** Imports a table of functions of one type, as {@link table} declares it; tables count in order. */
  importTable(name: string, size: number, type: number): void {
    const out = [...text("e"), ...text(name), 1, REF_NULL, ...signedNumber(type), 1];
    unsigned(size, out);
    unsigned(size, out);
    this.#imports.push(out);
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
    const out = [REF_NULL, ...signedNumber(type), 1];
    unsigned(size, out);
    unsigned(size, out);
    this.#tables.push(out);
    return this.#tables.length - 1;
  }
  /** Fills table 0 from `offset` on with functions of a type. */
  elements(offset: number, functions: readonly number[], type: number): void {
    const out = [6, 0, 0x41];
    signed(offset, out);
    out.push(0x0b, REF_NULL, ...signedNumber(type));
    unsigned(functions.length, out);
    for (const index of functions) {
      out.push(0xd2);
      unsigned(index, out);
      out.push(0x0b);
    }
    this.#elements.push(out);
  }
  exportFunction(name: string, index: number): void {
    const out = [...text(name), 0];
    unsigned(index, out);
    this.#exports.push(out);
  }
  /** Names a function for debuggers and profilers; in the order of indices. */
  nameFunction(index: number, name: string): void {
    this.#names.push([...number(index), ...text(name)]);
  }
  exportTable(name: string, index: number): void {
    const out = [...text(name), 1];
    unsigned(index, out);
    this.#exports.push(out);
  }

  /** The binary. Throws if a declared function has no body. */
  encode(): Uint8Array<ArrayBuffer> {
    const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    section(out, 1, this.#types);
    section(out, 2, this.#imports);
    section(out, 3, this.#functions.map(({ type }) => number(type)));
    section(out, 4, this.#tables);
    section(out, 7, this.#exports);
    section(out, 9, this.#elements);
    const bodies: number[][] = [];
    const hints: number[][] = [];
    for (const [index, { body }] of this.#functions.entries()) {
      if (body === undefined) throw new Error(`function ${index} has no body`);
      if (body.depth !== 0) throw new Error(`function ${index}: ${body.depth} structures open`);
      const locals = encodeLocals(body.localTypes);
      const entry: number[] = [];
      unsigned(locals.length + body.code.length + 1, entry);
      append(entry, locals);
      append(entry, body.code);
      entry.push(0x0b);
      bodies.push(entry);
      if (body.hints.length > 0) {
        const hint = number(index + this.#importedFunctions);
        unsigned(body.hints.length / 2, hint);
        for (let i = 0; i < body.hints.length; i += 2) {
          unsigned((body.hints[i] ?? 0) + locals.length, hint);
          hint.push(1, body.hints[i + 1] ?? 0);
        }
        hints.push(hint);
      }
    }
    if (hints.length > 0) {
      const custom = text("metadata.code.branch_hint");
      unsigned(hints.length, custom);
      for (const hint of hints) append(custom, hint);
      out.push(0);
      unsigned(custom.length, out);
      append(out, custom);
    }
    section(out, 10, bodies);
    if (this.#names.length > 0) {
      const custom = text("name");
      section(custom, 1, this.#names);
      out.push(0);
      unsigned(custom.length, out);
      append(out, custom);
    }
    return new Uint8Array(out);
  }
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...number(bytes.length), ...bytes];
}

function number(value: number): number[] {
  const out: number[] = [];
  unsigned(value, out);
  return out;
}

function signedNumber(value: number): number[] {
  const out: number[] = [];
  signed(value, out);
  return out;
}

function append(out: number[], more: readonly number[]): void {
  for (let i = 0; i < more.length; i++) out.push(more[i] as number);
}

function section(out: number[], id: number, items: readonly number[][]): void {
  if (items.length === 0) return;
  const count = number(items.length);
  let bytes = count.length;
  for (const item of items) bytes += item.length;
  out.push(id);
  unsigned(bytes, out);
  append(out, count);
  for (const item of items) append(out, item);
}

function encodeLocals(types: readonly number[]): number[] {
  const runs: { count: number; type: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ count: 1, type });
  }
  const out = number(runs.length);
  for (const { count, type } of runs) {
    unsigned(count, out);
    out.push(type);
  }
  return out;
}
