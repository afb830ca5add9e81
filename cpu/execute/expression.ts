/**
 * Wasm by expressions: arithmetic of 128-bit intermediate results is unreadable as a stack of opcodes.
 *
 * A `Value` knows its type and how to push itself; a `Code` appends statements to a `WasmFunction`.
 * `code.set(sum, a.add(b.shrU(1)))` is all there is to it. Nothing is shared: a value that is used twice
 * is computed twice, so put it in a local.
 * @module
 */
import { F32, F64, I32, I64, type Operation, type WasmFunction } from "./wasm.ts";

/** What may stand where a value is expected: a constant takes the other side's type. */
export type Operand = Value | number | bigint;

function emitConstant(f: WasmFunction, type: number, value: number | bigint): void {
  if (type === I64) f.i64(BigInt(value));
  else if (type === F64) f.f64(Number(value));
  else if (type === I32) f.i32(Number(value) | 0);
  else throw new TypeError("constant of a type that has none");
}

const PREFIXES: Readonly<Record<number, string>> = {
  [I32]: "i32",
  [I64]: "i64",
  [F32]: "f32",
  [F64]: "f64",
};

/** An expression of type i32, i64, f32 or f64. */
export class Value {
  readonly type: number;
  readonly push: (f: WasmFunction) => void;

  constructor(type: number, push: (f: WasmFunction) => void) {
    this.type = type;
    this.push = push;
  }

  #operand(f: WasmFunction, other: Operand): void {
    if (other instanceof Value) {
      if (other.type !== this.type) throw new TypeError("operands of different types");
      other.push(f);
    } else emitConstant(f, this.type, other);
  }
  #binary(name: string, other: Operand): Value {
    const operation = `${PREFIXES[this.type]}.${name}` as Operation;
    return new Value(this.type, (f) => {
      this.push(f);
      this.#operand(f, other);
      f.op(operation);
    });
  }
  #compare(name: string, other: Operand): Value {
    return new Value(I32, this.#binary(name, other).push);
  }
  #unary(type: number, name: string): Value {
    return new Value(type, (f) => {
      this.push(f);
      f.op(name as Operation);
    });
  }

  add(other: Operand): Value {
    return this.#binary("add", other);
  }
  sub(other: Operand): Value {
    return this.#binary("sub", other);
  }
  mul(other: Operand): Value {
    return this.#binary("mul", other);
  }
  divU(other: Operand): Value {
    return this.#binary("div_u", other);
  }
  remU(other: Operand): Value {
    return this.#binary("rem_u", other);
  }
  and(other: Operand): Value {
    return this.#binary("and", other);
  }
  or(other: Operand): Value {
    return this.#binary("or", other);
  }
  xor(other: Operand): Value {
    return this.#binary("xor", other);
  }
  shl(other: Operand): Value {
    return this.#binary("shl", other);
  }
  shrU(other: Operand): Value {
    return this.#binary("shr_u", other);
  }
  shrS(other: Operand): Value {
    return this.#binary("shr_s", other);
  }
  eq(other: Operand): Value {
    return this.#compare("eq", other);
  }
  ne(other: Operand): Value {
    return this.#compare("ne", other);
  }
  ltU(other: Operand): Value {
    return this.#compare("lt_u", other);
  }
  ltS(other: Operand): Value {
    return this.#compare("lt_s", other);
  }
  leU(other: Operand): Value {
    return this.#compare("le_u", other);
  }
  leS(other: Operand): Value {
    return this.#compare("le_s", other);
  }
  gtU(other: Operand): Value {
    return this.#compare("gt_u", other);
  }
  gtS(other: Operand): Value {
    return this.#compare("gt_s", other);
  }
  geU(other: Operand): Value {
    return this.#compare("ge_u", other);
  }
  geS(other: Operand): Value {
    return this.#compare("ge_s", other);
  }
  /** 1 when zero, else 0. */
  isZero(): Value {
    return this.#unary(I32, this.type === I64 ? "i64.eqz" : "i32.eqz");
  }
  notZero(): Value {
    return this.isZero().isZero();
  }
  /** Leading zeros, in the value's own type. */
  clz(): Value {
    return this.#unary(this.type, this.type === I64 ? "i64.clz" : "i32.clz");
  }
  /** Trailing zeros, in the value's own type. */
  ctz(): Value {
    return this.#unary(this.type, this.type === I64 ? "i64.ctz" : "i32.ctz");
  }

  // Floating point. NaNs never get here: what Wasm makes of their bits is not determined.

  div(other: Operand): Value {
    return this.#binary("div", other);
  }
  lt(other: Operand): Value {
    return this.#compare("lt", other);
  }
  le(other: Operand): Value {
    return this.#compare("le", other);
  }
  gt(other: Operand): Value {
    return this.#compare("gt", other);
  }
  ge(other: Operand): Value {
    return this.#compare("ge", other);
  }
  /** A function of one operand of the same type. */
  float(name: "abs" | "neg" | "sqrt" | "nearest" | "floor" | "ceil" | "trunc"): Value {
    return this.#unary(this.type, `${PREFIXES[this.type]}.${name}`);
  }
  /** The bits of a float as an integer of its width, and back. */
  reinterpret(): Value {
    const to = this.type === F64 ? I64 : this.type === F32 ? I32 : this.type === I64 ? F64 : F32;
    return this.#unary(to, `${PREFIXES[to]}.reinterpret_${PREFIXES[this.type]}`);
  }
  /** f32 → f64. */
  promote(): Value {
    return this.#unary(F64, "f64.promote_f32");
  }
  /** f64 → f32, to nearest. */
  demote(): Value {
    return this.#unary(F32, "f32.demote_f64");
  }
  /** i32 (signed) → f32 to nearest, or f64. */
  convert(to: number): Value {
    return this.#unary(to, `${PREFIXES[to]}.convert_i32_s`);
  }
  /** f64 → i32, which must be in range. */
  truncate(): Value {
    return this.#unary(I32, "i32.trunc_f64_s");
  }
  /** i64 → f64, to nearest. */
  convertWide(sign: "s" | "u"): Value {
    return this.#unary(F64, `f64.convert_i64_${sign}`);
  }
  /** f64 → i64, toward zero; it must be in range. */
  truncateWide(sign: "s" | "u"): Value {
    return this.#unary(I64, `i64.trunc_f64_${sign}`);
  }
  /** The smaller of two numbers. */
  minimum(other: Operand): Value {
    return this.#binary("min", other);
  }
  /** i64 → i32. */
  low(): Value {
    return this.#unary(I32, "i32.wrap_i64");
  }
  /** i32 → i64, zero-extended. */
  wide(): Value {
    return this.#unary(I64, "i64.extend_i32_u");
  }
  /** i32 → i64, sign-extended. */
  wideSigned(): Value {
    return this.#unary(I64, "i64.extend_i32_s");
  }
  /** This (an i32) ≠ 0 ? a : b. */
  choose(a: Operand, b: Operand): Value {
    const type = a instanceof Value
      ? a.type
      : b instanceof Value
      ? b.type
      : typeof a === "bigint"
      ? I64
      : I32;
    return new Value(type, (f) => {
      for (const side of [a, b]) {
        if (side instanceof Value) side.push(f);
        else emitConstant(f, type, side);
      }
      this.push(f);
      f.select();
    });
  }
  /** Memory at this address. */
  load(offset = 0): Value {
    return this.#load(I32, "i32.load", offset);
  }
  load8(offset = 0): Value {
    return this.#load(I32, "i32.load8_u", offset);
  }
  load16(offset = 0): Value {
    return this.#load(I32, "i32.load16_u", offset);
  }
  load64(offset = 0): Value {
    return this.#load(I64, "i64.load", offset);
  }
  #load(
    type: number,
    name: "i32.load" | "i32.load8_u" | "i32.load16_u" | "i64.load",
    offset: number,
  ): Value {
    return new Value(type, (f) => {
      this.push(f);
      f.memory(name, offset);
    });
  }
}

/** A local of a function. */
export class Local extends Value {
  readonly index: number;

  constructor(type: number, index: number) {
    super(type, (f) => f.get(index));
    this.index = index;
  }
}

/** An i32 constant, for where no other operand gives the type. */
export function int(value: number): Value {
  return new Value(I32, (f) => f.i32(value));
}
/** An i64 constant. */
export function long(value: bigint): Value {
  return new Value(I64, (f) => f.i64(value));
}
/** The i32 at a constant address. */
export function word(address: number): Value {
  return int(0).load(address);
}
/** What a function returns, when it is one value. */
export function result(type: number, functionIndex: number, ...parameters: Value[]): Value {
  return new Value(type, (f) => {
    for (const parameter of parameters) parameter.push(f);
    f.call(functionIndex);
  });
}

/** Statements appended to a function. */
export class Code {
  readonly f: WasmFunction;
  readonly #allocate: (type: number) => number;

  /** `allocate`: where locals come from, if not straight from the function. */
  constructor(f: WasmFunction, allocate: (type: number) => number = (type) => f.local(type)) {
    this.f = f;
    this.#allocate = allocate;
  }

  /** The parameters as locals, by their types. */
  static parameters(types: readonly number[]): Local[] {
    return types.map((type, index) => new Local(type, index));
  }
  /** A new i32 local, with a first value if given. */
  int(value?: Operand): Local {
    return this.#local(I32, value);
  }
  /** A new i64 local. */
  long(value?: Operand): Local {
    return this.#local(I64, value);
  }
  /** A new local of a type, with a first value if given. */
  local(type: number, value?: Operand): Local {
    return this.#local(type, value);
  }
  #local(type: number, value: Operand | undefined): Local {
    const local = new Local(type, this.#allocate(type));
    if (value !== undefined) this.set(local, value);
    return local;
  }
  set(local: Local, value: Operand): void {
    if (value instanceof Value) {
      if (value.type !== local.type) throw new TypeError("assignment of another type");
      value.push(this.f);
    } else emitConstant(this.f, local.type, value);
    this.f.set(local.index);
  }
  /** Calls a function and puts its results in locals. */
  call(
    functionIndex: number,
    parameters: readonly Operand[],
    results: readonly Local[] = [],
  ): void {
    for (const parameter of parameters) {
      if (parameter instanceof Value) parameter.push(this.f);
      else emitConstant(this.f, typeof parameter === "bigint" ? I64 : I32, parameter);
    }
    this.f.call(functionIndex);
    for (const local of results.toReversed()) this.f.set(local.index);
  }
  if(condition: Value, then: () => void, otherwise?: () => void, likely?: boolean): void {
    condition.push(this.f);
    this.f.if(undefined, likely);
    then();
    if (otherwise) {
      this.f.else();
      otherwise();
    }
    this.f.end();
  }
  /** Repeats the body while the condition, tested first, holds. */
  while(condition: Value, body: () => void): void {
    this.f.block().loop();
    condition.isZero().push(this.f);
    this.f.brIf(1);
    body();
    this.f.br(0).end().end();
  }
  return(...values: Operand[]): void {
    for (const value of values) {
      if (value instanceof Value) value.push(this.f);
      else emitConstant(this.f, typeof value === "bigint" ? I64 : I32, value);
    }
    this.f.return();
  }
  /** Leaves values on the stack: the end of a function. */
  yield(...values: Value[]): void {
    for (const value of values) value.push(this.f);
  }
  /** Stores an i32 at a constant address. */
  storeWord(address: number, value: Operand): void {
    this.store(int(0), value, address);
  }
  store(address: Value, value: Operand, offset = 0, bytes: 1 | 2 | 4 | 8 = 4): void {
    address.push(this.f);
    if (value instanceof Value) value.push(this.f);
    else emitConstant(this.f, bytes === 8 ? I64 : I32, value);
    this.f.memory(
      bytes === 8
        ? "i64.store"
        : bytes === 4
        ? "i32.store"
        : bytes === 2
        ? "i32.store16"
        : "i32.store8",
      offset,
    );
  }
}
