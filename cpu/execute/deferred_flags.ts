/**
 * Flags of an operation whose operands are kept, computed in Wasm: what regions (translate/) leave to the rare places
 * where somebody looks.
 * @module
 */
import * as L from "../state/layout.ts";
import type { Runtime } from "./runtime.ts";
import { I32 } from "./wasm.ts";

/**
 * Numbers of operations. Operands are a and b, and the result r, of the operation's size: "add", "sub" with or without a
 * carry; "logic" r alone; "shift" a and b are CF and OF; "step" a is CF, b is 0 for INC and −1 for DEC; "shl", "shr" and
 * "sar" a is the value (sign-extended for "sar") and b the count, 1…31.
 */
export const FLAG_OPERATION = {
  add: 1,
  sub: 2,
  logic: 4,
  shift: 8,
  step: 16,
  shl: 32,
  shr: 64,
  sar: 128,
} as const;
export type FlagOperation = keyof typeof FLAG_OPERATION;
/** Above the operation's number: 32 minus the bits of its size. */
export const FLAG_SIZE_AT = 8;

/** The function (operation, a, b, r): sets the two words of lazy flags (state/layout.ts). */
export function settleFlags(runtime: Runtime): number {
  return runtime.shared("settleFlags", [I32, I32, I32, I32], [], (f) => {
    const [kind, a, b, r] = [0, 1, 2, 3];
    const [up, result, carries, carry, overflow] = [
      f.local(),
      f.local(),
      f.local(),
      f.local(),
      f.local(),
    ];
    const O = FLAG_OPERATION;
    const is = (operations: number): void => void f.get(kind).i32(operations).and();
    f.get(kind).i32(FLAG_SIZE_AT).shrU().set(up);
    f.i32(0).get(r).get(up).shl().get(up).shrS().tee(result).store(L.FLAGS_RESULT);
    is(O.logic);
    f.if().i32(0).i32(0).store(L.FLAGS_AUX).return().end();
    is(O.add | O.sub);
    f.if();
    is(O.add);
    f.if();
    f.get(a).get(b).and().get(a).get(b).or().get(r).i32(-1).xor().and().or().set(carries);
    f.else();
    f.get(a).i32(-1).xor().get(b).and();
    f.get(a).get(b).xor().i32(-1).xor().get(r).and().or().set(carries);
    f.end();
    f.i32(0).get(carries).get(up).shl().i32(0xc0000000 | 0).and();
    f.get(carries).i32(8).and().or().store(L.FLAGS_AUX).return().end();
    is(O.step);
    f.if();
    f.get(result).get(b).xor().set(carries);
    f.i32(0).get(a).i32(31).shl();
    f.get(carries).i32(0x80000000 | 0).get(up).shrS().eq().get(a).xor().i32(30).shl().or();
    f.get(carries).i32(15).and().eqz().i32(3).shl().or().store(L.FLAGS_AUX).return().end();
    f.get(a).set(carry).get(b).set(overflow);
    is(O.shl);
    f.if();
    f.get(a).get(b).i32(1).sub().shl().get(up).shl().i32(31).shrU().tee(carry);
    f.get(result).i32(31).shrU().xor().set(overflow).end();
    is(O.shr | O.sar);
    f.if();
    f.get(a).get(b).i32(1).sub();
    // (The value of SHR has zeros above, that of SAR its sign.)
    f.shrS().i32(1).and().set(carry);
    f.i32(0).get(a).get(up).shl().i32(31).shrU();
    is(O.sar);
    f.select().set(overflow).end();
    f.i32(0).get(carry).i32(31).shl().get(carry).get(overflow).xor().i32(30).shl().or();
    f.store(L.FLAGS_AUX);
  });
}
