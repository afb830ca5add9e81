/**
 * Comparisons, minimum and maximum of single and double numbers.
 * Sources: SDM vol. 2 (CMPPS, COMISS, UCOMISS, MINPS, MAXPS), vol. 1 §4.9.1 (order of exceptions).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32 } from "../execute/wasm.ts";
import { MXCSR } from "../state/layout.ts";
import { Code, int, type Local, type Value, word } from "../execute/expression.ts";
import {
  admit,
  constant,
  DAZ,
  DE,
  type Format,
  IE,
  isDenormal,
  isNan,
  isSignalling,
  raise,
  signBit,
} from "./float_format.ts";

/** What two numbers are to each other. */
export const RELATION = { LESS: 1, EQUAL: 2, GREATER: 4, UNORDERED: 8 } as const;

/** For each predicate of CMPPS a digit: the relations that satisfy it. EQ LT LE UNORD NEQ NLT NLE ORD. */
export const PREDICATES = 0x7ced8312;
/** Predicates (a bit each) for which quiet NaNs are invalid: LT LE NLT NLE. */
const SIGNALLING = 0x66;

/** (a, b, signalling) → one of {@link RELATION}; raises IE for quiet NaNs too when `signalling` is not 0. */
export function relation(runtime: Runtime, format: Format): number {
  const { bits, float } = format;
  const types = [bits, bits, I32];
  return runtime.shared(`simd.relation.${format.name}`, types, [I32], (f) => {
    const c = new Code(f);
    const [a, b, signalling] = Code.parameters(types) as [Local, Local, Local];
    const [x, y] = [c.local(float), c.local(float)];
    const compare = (): Value => {
      c.set(x, a.reinterpret());
      c.set(y, b.reinterpret());
      return x.lt(y).add(x.eq(y).shl(1)).add(x.gt(y).shl(2));
    };
    const found = c.int(compare());
    const denormals = isDenormal(format, a).or(isDenormal(format, b));
    c.if(found.notZero().and(denormals.isZero()), () => c.return(found), undefined, true);
    c.if(found.isZero(), () => {
      const signals = (n: Local): Value => isNan(format, n).and(isSignalling(format, n));
      c.if(signalling.or(signals(a)).or(signals(b)), () => raise(c, IE));
      c.return(RELATION.UNORDERED);
    });
    const denormal = c.int(0);
    admit(c, format, a, denormal);
    admit(c, format, b, denormal);
    c.if(denormal, () => raise(c, DE));
    c.yield(compare());
  });
}

/** (a, b, predicate 0..7) → all ones or zero, as bits of the format. */
export function comparison(runtime: Runtime, format: Format): number {
  const related = relation(runtime, format);
  const { bits } = format;
  const types = [bits, bits, I32];
  return runtime.shared(`simd.comparison.${format.name}`, types, [bits], (f) => {
    const c = new Code(f);
    const [a, b, predicate] = Code.parameters(types) as [Local, Local, Local];
    const found = c.int();
    c.call(related, [a, b, int(SIGNALLING).shrU(predicate).and(1)], [found]);
    const holds = int(PREDICATES).shrU(predicate.shl(2)).and(found).notZero();
    c.yield(holds.choose(constant(format, -1n), constant(format, 0n)));
  });
}
/** (a, b) → the smaller or greater: the second when they are equal or one is a NaN. */
export function extremum(runtime: Runtime, format: Format, operation: "min" | "max"): number {
  const related = relation(runtime, format);
  const { bits } = format;
  return runtime.shared(`simd.${operation}.${format.name}`, [bits, bits], [bits], (f) => {
    const c = new Code(f);
    const [a, b] = Code.parameters([bits, bits]) as [Local, Local];
    const found = c.int();
    c.call(related, [a, b, 1], [found]);
    const first = operation === "min" ? RELATION.LESS : RELATION.GREATER;
    c.set(a, found.eq(first).choose(a, b));
    c.if(
      isDenormal(format, a).and(word(MXCSR).and(DAZ).notZero()),
      () => c.set(a, a.and(constant(format, signBit(format)))),
      undefined,
      false,
    );
    c.yield(a);
  });
}
