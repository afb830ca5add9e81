/**
 * Arithmetic of 128-bit numbers in Wasm, for functions whose result must be known to more bits than it has: exact where
 * that is cheap, else a few units of the last place too small, as each function says.
 * Sources: H. Warren, Hacker's Delight §8-2 (products by halves), §2-16 (carries).
 * @module
 */
import { Code, type Local, long, type Operand, type Value } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { F64, I64 } from "../execute/wasm.ts";
import { INTEGER_BIT } from "./status.ts";

const LOW = 0xffffffffn;

/** 128 bits without sign. */
export interface Wide {
  readonly high: Local;
  readonly low: Local;
}
export function wide(c: Code, high: Operand, low: Operand): Wide {
  return { high: c.long(high), low: c.long(low) };
}
/** A constant, which no locals hold. */
export interface Constant {
  readonly high: Value;
  readonly low: Value;
}
export function constant(value: bigint): Constant {
  return { high: long(BigInt.asIntN(64, value >> 64n)), low: long(BigInt.asIntN(64, value)) };
}

/** Product of two unsigned 64-bit numbers: sets high and low. */
export function multiplyWide(c: Code, x: Value, y: Value, high: Local, low: Local): void {
  const [xh, xl] = [c.long(x.shrU(32)), c.long(x.and(LOW))];
  const [yh, yl] = [c.long(y.shrU(32)), c.long(y.and(LOW))];
  const bottom = c.long(xl.mul(yl));
  const first = c.long(xh.mul(yl).add(bottom.shrU(32)));
  const second = c.long(xl.mul(yh).add(first.and(LOW)));
  c.set(high, xh.mul(yh).add(first.shrU(32)).add(second.shrU(32)));
  c.set(low, second.shl(32).or(bottom.and(LOW)));
}
/** Upper half of a product of two 64-bit numbers, at most 2 less. */
export function multiplyHigh(c: Code, x: Value, y: Value): Local {
  const [xh, xl] = [c.long(x.shrU(32)), c.long(x.and(LOW))];
  const [yh, yl] = [c.long(y.shrU(32)), c.long(y.and(LOW))];
  return c.long(xh.mul(yh).add(xh.mul(yl).shrU(32)).add(xl.mul(yh).shrU(32)));
}
/** Adds a 64-bit number. */
function addLow(c: Code, x: Wide, y: Local): void {
  c.set(x.low, x.low.add(y));
  c.set(x.high, x.high.add(x.low.ltU(y).wide()));
}
/** Upper 128 bits of a product of two 128-bit numbers, at most 7 less. */
export function multiply(c: Code, x: Wide, y: Wide | Constant): Wide {
  const product = multiplyShort(c, x, y.high);
  addLow(c, product, multiplyHigh(c, x.high, y.low));
  return product;
}
/** Upper 128 bits of a product of a 128-bit and a 64-bit number, at most 3 less. */
export function multiplyShort(c: Code, x: Wide, y: Value): Wide {
  const product = { high: c.long(), low: c.long() };
  multiplyWide(c, x.high, y, product.high, product.low);
  addLow(c, product, multiplyHigh(c, x.low, y));
  return product;
}
/** Upper 128 bits of a product of two 128-bit numbers, less by below 2^34. */
export function multiplyRoughly(c: Code, x: Wide, y: Wide | Constant): Wide {
  const product = { high: c.long(), low: c.long() };
  multiplyWide(c, x.high, y.high, product.high, product.low);
  addLow(c, product, c.long(x.low.shrU(32).mul(y.high.shrU(32))));
  addLow(c, product, c.long(x.high.shrU(32).mul(y.low.shrU(32))));
  return product;
}
export function add(c: Code, x: Wide | Constant, y: Wide): Wide {
  const low = c.long(x.low.add(y.low));
  return { high: c.long(x.high.add(y.high).add(low.ltU(y.low).wide())), low };
}
/** x − y, modulo 2^128. */
export function subtract(c: Code, x: Wide | Constant, y: Wide | Constant): Wide {
  const low = c.long(x.low.sub(y.low));
  return { high: c.long(x.high.sub(y.high).sub(x.low.ltU(y.low).wide())), low };
}
/** x − y where the condition is not 0, else x + y. */
export function addSigned(c: Code, x: Wide | Constant, y: Wide, negative: Value): Wide {
  const sum = wide(c, y.high, y.low);
  negate(c, sum, negative);
  return add(c, x, sum);
}
/** Changes the sign where the condition is not 0. */
export function negate(c: Code, x: Wide, condition: Value): void {
  c.if(condition, () => {
    c.set(x.high, long(0n).sub(x.high).sub(x.low.notZero().wide()));
    c.set(x.low, long(0n).sub(x.low));
  });
}
/** Shifts by 0 … 63 bits. */
export function shiftLeft(c: Code, x: Wide, bits: Local): void {
  c.set(x.high, x.high.shl(bits).or(x.low.shrU(1).shrU(bits.xor(63))));
  c.set(x.low, x.low.shl(bits));
}
/** Shifts by any number of bits. */
export function shiftRight(c: Code, x: Wide, bits: Local): void {
  c.if(bits.gtU(63), () => {
    c.set(x.low, bits.gtU(127).choose(long(0n), x.high.shrU(bits)));
    c.set(x.high, 0);
  }, () => {
    c.set(x.low, x.low.shrU(bits).or(x.high.shl(1).shl(bits.xor(63))));
    c.set(x.high, x.high.shrU(bits));
  });
}
/** Shifts a number that is not 0 until its uppermost bit is set; by how many bits. */
export function normalize(c: Code, x: Wide): Local {
  const bits = c.long(0);
  c.if(x.high.isZero(), () => {
    c.set(x.high, x.low);
    c.set(x.low, 0);
    c.set(bits, 64);
  }, undefined);
  const rest = c.long(x.high.clz());
  shiftLeft(c, x, rest);
  c.set(bits, bits.add(rest));
  return bits;
}
/** Half of a number without sign as f64: hosts convert signed numbers faster. */
export function halfFloat(value: Value): Value {
  return value.shrU(1).convertWide("s");
}
/** A signed number of 128 bits as f64, to some 53 bits. */
export function signedFloat(high: Value, low: Value): Value {
  return high.convertWide("s").mul(2 ** 64).add(halfFloat(low).mul(2));
}

/** {@link divide} differs from the quotient by less than this. */
export const DIVIDE_ERROR: bigint = 1n << 27n;
/** x / y of two numbers with the uppermost bit set, times 2^126. */
export function divide(runtime: Runtime, c: Code, x: Wide, y: Wide): Wide {
  const quotient = { high: c.long(), low: c.long() };
  c.call(divider(runtime), [x.high, x.low, y.high, y.low], [quotient.high, quotient.low]);
  return quotient;
}
function divider(runtime: Runtime): number {
  const types = [I64, I64, I64, I64];
  return runtime.shared("wide.divide", types, [I64, I64], (f) => {
    const c = new Code(f);
    const [xh, xl, yh, yl] = Code.parameters(types) as [Local, Local, Local, Local];
    // The host's quotient, × 2^62 and made a little smaller, so that it is below 2^63, is within 2^13; what it leaves
    // over, divided again, gives some 50 bits more.
    const divisor = c.local(F64, halfFloat(yh));
    const first = c.long(halfFloat(xh).div(divisor).mul(2 ** 62 - 2 ** 10).truncateWide("s"));
    const product = { high: c.long(), low: c.long() };
    multiplyWide(c, first, yh, product.high, product.low);
    const [upper, lower] = [c.long(), c.long()];
    multiplyWide(c, first, yl, upper, lower);
    addLow(c, product, upper);
    const rest = subtract(c, wide(c, xh.shrU(2), xh.shl(62).or(xl.shrU(2))), product);
    const second = c.long(
      signedFloat(rest.high, rest.low).div(divisor).mul(2 ** 48).truncateWide("s"),
    );
    c.yield(first.add(second.shrS(49)), second.shl(15));
  });
}

/** Adds an i32, 0 or 1, to a significand; one that overflows becomes 1.0, with the next exponent. */
export function increase(c: Code, significand: Local, exponent: Local, by: Value): void {
  c.set(significand, significand.add(by.wide()));
  c.if(
    significand.isZero(),
    () => {
      c.set(significand, INTEGER_BIT);
      c.set(exponent, exponent.add(1));
    },
    undefined,
    false,
  );
}
