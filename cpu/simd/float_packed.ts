/**
 * Packed arithmetic: all elements in one vector operation where every one is ordinary, else one by one.
 *
 * Ordinary is what float_fast.ts says: rounding to nearest, PE masked and set already, no element
 * denormal, infinite or NaN, no result that may be tiny. Sources: SDM vol. 1 §11.5.2; WebAssembly §4.3.3.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, V128, type VectorOperation, type WasmFunction } from "../execute/wasm.ts";
import { MXCSR } from "../state/layout.ts";
import { Code, word } from "../execute/expression.ts";
import {
  CONTROL,
  CONTROL_DEFAULT,
  type Format,
  infinity,
  PE,
  rounding,
  SINGLE,
} from "./float_format.ts";
import { type Arithmetic, arithmetic } from "./float_fast.ts";
import { comparison, extremum, PREDICATES } from "./float_compare.ts";

/** Shape of a vector of a format: prefix of Wasm's names. */
function shape({ width }: Format): "f32x4" | "f64x2" {
  return width === 32 ? "f32x4" : "f64x2";
}
function integerShape({ width }: Format): "i32x4" | "i64x2" {
  return width === 32 ? "i32x4" : "i64x2";
}
/** Elements in a vector. */
export function elements({ width }: Format): number {
  return 128 / width;
}
/** Pushes element `i` of a vector local as bits. */
export function extract(f: WasmFunction, format: Format, vector: number, i: number): void {
  f.get(vector).lane(`${integerShape(format)}.extract_lane`, i);
}
/** A vector of equal elements by their bits. */
function splat({ width }: Format, bits: bigint): number[] {
  return Array.from(
    { length: 16 },
    (_, i) => Number((bits >> BigInt((i * 8) % width)) & 0xffn),
  );
}
/** Sets a vector local element by element; `each` pushes the bits of one. */
export function collect(
  f: WasmFunction,
  format: Format,
  result: number,
  each: (i: number) => void,
): void {
  for (let i = 0; i < elements(format); i++) {
    f.get(result);
    each(i);
    f.lane(`${integerShape(format)}.replace_lane`, i).set(result);
  }
}

/** Pushes a mask of the elements of a local that are zero or at least the smallest normal number. */
function admissible(f: WasmFunction, format: Format, vector: number): void {
  const s = shape(format);
  f.get(vector).vector(`${s}.abs`).v128(splat(format, 1n << BigInt(format.precision - 1)));
  f.vector(`${s}.ge`).get(vector).v128(splat(format, 0n)).vector(`${s}.eq`, "v128.or");
}
/** Pushes a mask of the elements that are plain results (float_fast.ts, `isPlain`). */
function plain(f: WasmFunction, format: Format, vector: number, magnitude: number): void {
  const s = shape(format);
  f.get(vector).vector(`${s}.abs`).tee(magnitude);
  f.v128(splat(format, 2n << BigInt(format.precision - 1))).vector(`${s}.ge`);
  f.get(magnitude).v128(splat(format, infinity(format))).vector(`${s}.lt`, "v128.and");
}
function isZero(f: WasmFunction, format: Format, vector: number): void {
  f.get(vector).v128(splat(format, 0n)).vector(`${shape(format)}.eq`);
}
/** Pushes 1 when all elements of the mask on the stack are set. */
function allTrue(f: WasmFunction, format: Format): void {
  f.vector(`${integerShape(format)}.all_true`);
}

/** (a, b) → a operation b, of the square root √b. */
export function packedArithmetic(
  runtime: Runtime,
  format: Format,
  operation: Arithmetic,
): number {
  const one = arithmetic(runtime, format, operation);
  const unary = operation === "sqrt";
  const s = shape(format);
  const name = `simd.packed.${operation}.${format.name}`;
  return runtime.shared(name, [V128, V128], [V128], (f) => {
    const c = new Code(f);
    const [result, magnitude] = [f.local(V128), f.local(V128)];
    const settled = CONTROL | PE;
    c.if(
      word(MXCSR).and(settled).eq(CONTROL_DEFAULT | PE),
      () => {
        if (!unary) f.get(0);
        f.get(1).vector(`${s}.${operation}`).set(result);
        plain(f, format, result, magnitude);
        // A zero that comes from zeros, or from equal numbers.
        isZero(f, format, result);
        if (operation === "mul") {
          isZero(f, format, 0);
          isZero(f, format, 1);
          f.vector("v128.or", "v128.and");
        } else if (operation === "div") {
          isZero(f, format, 0);
          f.vector("v128.and");
        }
        f.vector("v128.or");
        if (!unary) {
          admissible(f, format, 0);
          f.vector("v128.and");
        }
        admissible(f, format, 1);
        f.vector("v128.and");
        allTrue(f, format);
        f.if(undefined, true).get(result).return().end();
      },
      undefined,
      true,
    );
    collect(f, format, result, (i) => {
      if (!unary) extract(f, format, 0, i);
      extract(f, format, 1, i);
      f.call(one);
    });
    f.get(result);
  });
}

/** Pushes 1 when no element of the two parameters is denormal or NaN. */
function ordered(f: WasmFunction, format: Format): void {
  admissible(f, format, 0);
  admissible(f, format, 1);
  f.vector("v128.and");
  allTrue(f, format);
}

/** (a, b) → the smaller or greater of each pair. */
export function packedExtremum(
  runtime: Runtime,
  format: Format,
  operation: "min" | "max",
): number {
  const one = extremum(runtime, format, operation);
  const name = `simd.packed.${operation}.${format.name}`;
  return runtime.shared(name, [V128, V128], [V128], (f) => {
    const result = f.local(V128);
    ordered(f, format);
    // pmin(x, y) is y < x ? y : x, so the second operand comes first.
    const vector: VectorOperation = `${shape(format)}.p${operation}`;
    f.if(undefined, true).get(1).get(0).vector(vector).return().end();
    collect(f, format, result, (i) => {
      extract(f, format, 0, i);
      extract(f, format, 1, i);
      f.call(one);
    });
    f.get(result);
  });
}

/** (a, b, predicate 0..7) → masks. */
export function packedComparison(runtime: Runtime, format: Format): number {
  const one = comparison(runtime, format);
  const s = shape(format);
  const types = [V128, V128, I32];
  return runtime.shared(`simd.packed.comparison.${format.name}`, types, [V128], (f) => {
    const c = new Code(f);
    const result = f.local(V128);
    const relations = c.int();
    ordered(f, format);
    f.if(undefined, true).i32(PREDICATES).get(2).i32(2).shl().shrU().set(relations.index);
    for (const [bit, relation] of (["lt", "eq", "gt"] as const).entries()) {
      f.get(0).get(1).vector(`${s}.${relation}`);
      // All ones where the predicate admits the relation.
      f.get(relations.index).i32(31 - bit).shl().i32(31).shrS();
      f.vector("i32x4.splat", "v128.and");
      if (bit > 0) f.vector("v128.or");
    }
    f.return().end();
    collect(f, format, result, (i) => {
      extract(f, format, 0, i);
      extract(f, format, 1, i);
      f.get(2).call(one);
    });
    f.get(result);
  });
}

/** (integers) → singles; `one` converts one. */
export function packedIntegersToSingles(runtime: Runtime, one: number): number {
  return runtime.shared("simd.packed.integersToSingles", [V128], [V128], (f) => {
    const c = new Code(f);
    const result = f.local(V128);
    const masked = PE << 7 | PE;
    c.if(rounding().isZero().and(word(MXCSR).and(masked).eq(masked)), () => {
      f.get(0).vector("f32x4.convert_i32x4_s").return();
    });
    collect(f, SINGLE, result, (i) => {
      extract(f, SINGLE, 0, i);
      f.call(one);
    });
    f.get(result);
  });
}

/** A function of one element applied to all of a vector. */
export function packedUnary(runtime: Runtime, name: string, format: Format, one: number): number {
  return runtime.shared(`simd.packed.${name}`, [V128], [V128], (f) => {
    const result = f.local(V128);
    collect(f, format, result, (i) => {
      extract(f, format, 0, i);
      f.call(one);
    });
    f.get(result);
  });
}
