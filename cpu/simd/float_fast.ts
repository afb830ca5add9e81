/**
 * Arithmetic on single and double numbers as programs have it nearly always: rounding to nearest, PE masked,
 * operands and result neither denormal nor infinite nor NaN. That is one operation of Wasm
 * and a look at three exponents. Everything else goes to float_round.ts.
 *
 * PE needs no thought once it is set. Until then the operation is done back to see whether it was exact: a
 * sum by its error term (Knuth, TAOCP vol. 2 §4.2.2, theorem B), a product by the trailing zeros of the
 * significands, a quotient and a root by multiplying.
 * Sources: SDM vol. 1 §10.2.3, §11.5.2.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { MXCSR } from "../state/layout.ts";
import { Code, int, type Local, type Value, word } from "../execute/expression.ts";
import {
  CONTROL,
  CONTROL_DEFAULT,
  exponentOf,
  type Format,
  isDenormal,
  PE,
  raise,
} from "./float_format.ts";
import * as slow from "./float_round.ts";

export const OPERATIONS = ["add", "sub", "mul", "div", "sqrt"] as const;
/** Arithmetic with one result of the format of its operands. */
export type Arithmetic = typeof OPERATIONS[number];

/** 1 when rounding is to nearest and PE, the only exception of ordinary operations, is masked. */
export function isDefaultControl(): Value {
  return word(MXCSR).and(CONTROL).eq(CONTROL_DEFAULT);
}
/** 1 when a result is normal, and not the smallest of them: that may come from a tiny one. */
export function isPlain(format: Format, bits: Value): Value {
  return bits.shl(1).shrU(format.precision).sub(2).ltU(format.maximum - 2);
}
function isZero(bits: Value): Value {
  return bits.shl(1).isZero();
}
/** Raises PE unless it is set and masked already. */
export function raiseInexact(c: Code): void {
  const settled = PE << 7 | PE;
  c.if(word(MXCSR).and(settled).ne(settled), () => raise(c, PE));
}

/** Trailing zeros of a normal number's significand, as an i32. */
function trailing(format: Format, bits: Value): Value {
  const zeros = bits.ctz();
  const count = format.width === 64 ? zeros.low() : zeros;
  // The implied bit ends them.
  return count.leS(format.precision - 1).choose(count, format.precision - 1);
}
/** 1 when the product of two normal numbers, of which the third is the rounded one, was exact. */
function isExactProduct(format: Format, a: Value, b: Value, product: Value): Value {
  const carry = exponentOf(format, product).sub(exponentOf(format, a))
    .sub(exponentOf(format, b)).add(format.bias);
  return trailing(format, a).add(trailing(format, b)).geS(carry.add(format.precision - 1));
}

interface Numbers {
  readonly a: Local;
  readonly b: Local;
  readonly r: Local;
  readonly x: Local;
  readonly y: Local;
  readonly result: Local;
}

/** 1 when the plain result is exact. */
function isExact(format: Format, operation: Arithmetic, n: Numbers): Value {
  const { a, b, r, x, y, result } = n;
  switch (operation) {
    case "mul":
      return isExactProduct(format, a, b, r);
    case "div":
      return result.mul(y).eq(x).and(isExactProduct(format, r, b, a));
    case "sqrt":
      return result.mul(result).eq(y).and(isExactProduct(format, r, r, b));
    default: {
      const addend = operation === "add" ? y : y.float("neg");
      const virtual = result.sub(x);
      const error = x.sub(result.sub(virtual)).add(addend.sub(virtual));
      return error.eq(result.sub(result));
    }
  }
}

/** 1 when a zero is the exact result of operands that are not denormal. */
function isExactZero(operation: Arithmetic, { a, b }: Numbers): Value {
  switch (operation) {
    case "mul":
      return isZero(a).or(isZero(b));
    case "div":
      return isZero(a);
    default:
      return int(1);
  }
}

/** (a, b) → bits of a operation b; of the square root (a) → √a. Adds to SIMD_RAISED. */
export function arithmetic(runtime: Runtime, format: Format, operation: Arithmetic): number {
  const { bits, float, maximum } = format;
  const unary = operation === "sqrt";
  const general = operation === "mul"
    ? slow.multiply(runtime, format)
    : operation === "div"
    ? slow.divide(runtime, format)
    : unary
    ? slow.squareRoot(runtime, format)
    : slow.add(runtime, format);
  const types = unary ? [bits] : [bits, bits];
  return runtime.shared(`simd.fast.${operation}.${format.name}`, types, [bits], (f) => {
    const c = new Code(f);
    const parameters = Code.parameters(types) as [Local, Local];
    const a = parameters[0];
    const b = unary ? a : parameters[1];
    const x = c.local(float, a.reinterpret());
    const y = unary ? x : c.local(float, b.reinterpret());
    const result = c.local(
      float,
      operation === "sqrt" ? y.float("sqrt") : x[operation](y),
    );
    const r = c.local(bits, result.reinterpret());
    const n: Numbers = { a, b, r, x, y, result };
    let ordinary = isDefaultControl().and(isDenormal(format, a).isZero());
    if (!unary) ordinary = ordinary.and(isDenormal(format, b).isZero());
    c.if(
      ordinary,
      () => {
        c.if(
          isPlain(format, r),
          () => {
            c.if(word(MXCSR).and(PE), () => c.return(r), undefined, true);
            // The error term of a sum may overflow where an operand is next to the largest number.
            c.if(exponentOf(format, a).ltU(maximum - 1), () => {
              c.if(isExact(format, operation, n).isZero(), () => raise(c, PE));
              c.return(r);
            });
          },
          () => c.if(isZero(r).and(isExactZero(operation, n)), () => c.return(r)),
          true,
        );
      },
      undefined,
      true,
    );
    if (operation === "add" || operation === "sub") {
      c.yield(a, b, int(operation === "sub" ? 1 : 0));
    } else if (unary) c.yield(a);
    else c.yield(a, b);
    c.f.call(general);
  });
}
