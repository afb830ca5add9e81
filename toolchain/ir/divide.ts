/**
 * 32-bit division and remainder. Division by a constant becomes multiplication by its reciprocal:
 * Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (PLDI 1994), and
 * Warren, Hacker's Delight, 2nd ed., chapter 10.
 *
 * @module
 */

import type { GraphBuilder } from "./graph_builder.ts";
import { binary, compare, constant, register, type Tree } from "./tree.ts";

export type DivisionKind = "div_s" | "div_u" | "rem_s" | "rem_u";

/** The quotient or remainder; traps where Wasm does. */
export function divide(builder: GraphBuilder, kind: DivisionKind, left: Tree, right: Tree): Tree {
  if (right.kind === "constant" && right.value !== 0 && right.value !== -1) {
    const isUnsigned = kind === "div_u" || kind === "rem_u";
    const dividend = builder.force(left);
    const found = isUnsigned
      ? byUnsignedConstant(builder, dividend, right.value >>> 0, kind === "div_u")
      : bySignedConstant(builder, dividend, right.value, kind === "div_s");
    if (found !== undefined) return found;
    left = dividend;
  }
  if (kind === "rem_s" && !(right.kind === "constant" && right.value !== -1)) {
    return signedRemainder(builder, left, right);
  }
  return builder.operation(kind, [left, right], 1)[0] as Tree;
}

/** IDIV faults on -2^31 rem -1, which in Wasm is 0; so -1 goes another way. */
function signedRemainder(builder: GraphBuilder, left: Tree, right: Tree): Tree {
  const dividend = builder.keep(left);
  const divisor = builder.keep(right);
  builder.keepAll();
  const result = builder.newRegister();
  const minusOne = builder.newBlock();
  const other = builder.newBlock();
  const end = builder.newBlock();
  const condition = compare("e", divisor, constant(-1));
  builder.end({ kind: "branch", condition, yes: minusOne, no: other });
  builder.current = minusOne;
  builder.set(result, constant(0));
  builder.end({ kind: "jump", target: end });
  builder.current = other;
  builder.set(result, builder.operation("rem_s", [dividend, divisor], 1)[0] as Tree);
  builder.end({ kind: "jump", target: end });
  builder.current = end;
  return register(result);
}

function isPowerOfTwo(value: number): boolean {
  return (value & (value - 1)) === 0;
}

function remainder(builder: GraphBuilder, dividend: Tree, quotient: Tree, divisor: number): Tree {
  const product = binary("mul", builder.force(quotient), constant(divisor));
  return binary("sub", dividend, product);
}

function byUnsignedConstant(
  builder: GraphBuilder,
  dividend: Tree,
  divisor: number,
  wantsQuotient: boolean,
): Tree {
  if (isPowerOfTwo(divisor)) {
    if (!wantsQuotient) return binary("and", dividend, constant(divisor - 1));
    return binary("shr", dividend, constant(31 - Math.clz32(divisor)));
  }
  const quotient = unsignedQuotient(builder, dividend, BigInt(divisor));
  return wantsQuotient ? quotient : remainder(builder, dividend, quotient, divisor);
}

function highProduct(builder: GraphBuilder, name: string, value: Tree, factor: bigint): Tree {
  const low = constant(Number(BigInt.asIntN(32, factor)));
  return builder.operation(name, [value, low], 2)[1] as Tree;
}

/** floor(n / d) = floor(n * m / 2^(32+s)) for the smallest s whose m fits 32 bits, else 33 bits. */
function unsignedQuotient(builder: GraphBuilder, dividend: Tree, divisor: bigint): Tree {
  let length = 0n;
  while (1n << length < divisor) length++;
  for (let shift = 0n; shift <= length; shift++) {
    const power = 1n << (32n + shift);
    const factor = (power + divisor - 1n) / divisor;
    const error = factor * divisor - power;
    if (factor >= 1n << 32n || error > 1n << shift) continue;
    const high = highProduct(builder, "mul_u", dividend, factor);
    return binary("shr", high, constant(Number(shift)));
  }
  const factor = ((1n << 32n) * ((1n << length) - divisor)) / divisor + 1n;
  const high = builder.force(highProduct(builder, "mul_u", dividend, factor));
  const half = binary("shr", binary("sub", dividend, high), constant(1));
  return binary("shr", binary("add", half, high), constant(Number(length) - 1));
}

function bySignedConstant(
  builder: GraphBuilder,
  dividend: Tree,
  divisor: number,
  wantsQuotient: boolean,
): Tree | undefined {
  if (divisor === 1) return wantsQuotient ? dividend : constant(0);
  if (divisor < 2) return undefined;
  if (isPowerOfTwo(divisor)) {
    const shift = 31 - Math.clz32(divisor);
    // Negative dividends round towards zero: add divisor - 1 first.
    const bias = binary("shr", binary("sar", dividend, constant(31)), constant(32 - shift));
    const biased = builder.force(binary("add", dividend, bias));
    if (wantsQuotient) return binary("sar", biased, constant(shift));
    return binary("sub", dividend, binary("and", biased, constant(-divisor)));
  }
  const { factor, shift } = signedReciprocal(divisor);
  const high = highProduct(builder, "mul_s", dividend, BigInt(factor));
  const sum = factor < 0 ? binary("add", high, dividend) : high;
  const shifted = binary("sar", sum, constant(shift));
  const quotient = binary("add", shifted, binary("shr", dividend, constant(31)));
  return wantsQuotient ? quotient : remainder(builder, dividend, quotient, divisor);
}

/** Hacker's Delight figure 10-1, `magic`, for divisors from 3 on. */
function signedReciprocal(divisor: number): { factor: number; shift: number } {
  const two31 = 0x80000000;
  const limit = two31 - 1 - two31 % divisor;
  let power = 31;
  let quotient1 = Math.floor(two31 / limit);
  let remainder1 = two31 - quotient1 * limit;
  let quotient2 = Math.floor(two31 / divisor);
  let remainder2 = two31 - quotient2 * divisor;
  let delta = 0;
  do {
    power++;
    quotient1 *= 2;
    remainder1 *= 2;
    if (remainder1 >= limit) {
      quotient1++;
      remainder1 -= limit;
    }
    quotient2 *= 2;
    remainder2 *= 2;
    if (remainder2 >= divisor) {
      quotient2++;
      remainder2 -= divisor;
    }
    delta = divisor - remainder2;
  } while (quotient1 < delta || (quotient1 === delta && remainder1 === 0));
  return { factor: (quotient2 + 1) | 0, shift: power - 32 };
}
