/**
 * Integer arithmetic and logic: ADD … CMP, INC DEC NEG NOT, TEST, MUL DIV, XADD, CMPXCHG.
 * Sources: SDM vol. 2 (each instruction), vol. 1 §3.4.3.1.
 * @module
 */
import { EAX, ECX, EDX } from "../../state/layout.ts";
import type { Emitter, Semantics, Size } from "../emit.ts";
import { I64 } from "../wasm.ts";

/** Pushes nothing; sets `sum` from a and b. */
type Combine = (x: Emitter, a: number, b: number, result: number) => void;

function binary(combine: Combine, writes: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      const [a, b, result] = [x.local(), x.local(), x.local()];
      if (writes) {
        x.readModify(0, a).read(1).f.set(b);
        combine(x, a, b, result);
        x.modifyWrite(0, result);
      } else {
        x.read(0).f.set(a);
        x.read(1).f.set(b);
        combine(x, a, b, result);
      }
    },
  };
}

/** modifyWrite may clear nothing of the flags, so their order with it is free. */
function addition(withCarry: boolean): Combine {
  return (x, a, b, result) => {
    x.f.get(a).get(b).add();
    if (withCarry) x.carry().f.add();
    x.f.set(result);
    x.flagsAdd(a, b, result, x.size(0));
  };
}

function subtraction(withCarry: boolean): Combine {
  return (x, a, b, result) => {
    x.f.get(a).get(b).sub();
    if (withCarry) x.carry().f.sub();
    x.f.set(result);
    x.flagsSub(a, b, result, x.size(0));
  };
}

function logic(operation: "i32.and" | "i32.or" | "i32.xor"): Combine {
  return (x, a, b, result) => {
    x.f.get(a).get(b).op(operation).set(result);
    x.flagsLogic(result, x.size(0));
  };
}

/** INC and DEC: flags as by ±1, but CF stays. */
function step(by: 1 | -1): Semantics {
  return {
    emit(x: Emitter): void {
      const [a, one, result, carry] = [x.local(), x.local(), x.local(), x.local()];
      x.readModify(0, a).f.i32(1).set(one);
      x.carry().f.set(carry);
      x.f.get(a).i32(by).add().set(result);
      x.modifyWrite(0, result).flagsStep(by, carry, result, x.size(0));
    },
  };
}

/** Result registers of MUL and DIV: AX for bytes, else rDX:rAX. */
function multiply(signed: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const size = x.size(0);
      const [low, high, carry] = [x.local(), x.local(), x.local()];
      if (size === 4) {
        const product = x.local(I64);
        const extend = signed ? "i64.extend_i32_s" : "i64.extend_i32_u";
        x.read(0).f.op(extend);
        x.register(EAX).f.op(extend, "i64.mul").tee(product).op("i32.wrap_i64").set(low);
        f.get(product).i64(32n).op("i64.shr_u", "i32.wrap_i64").set(high);
        x.setRegister(EAX, low).setRegister(EDX, high);
        if (signed) f.get(high).get(low).i32(31).shrS().ne().set(carry);
        else f.get(high).i32(0).ne().set(carry);
      } else {
        const product = x.local();
        if (signed) x.readSigned(0);
        else x.read(0);
        x.register(EAX, size);
        if (signed) x.signExtend(size);
        f.mul().tee(product).set(low);
        if (size === 1) x.setRegister(EAX, product, 2);
        else {
          f.get(product).i32(16).shrU().set(high);
          x.setRegister(EAX, product, 2).setRegister(EDX, high, 2);
        }
        f.get(product);
        if (signed) {
          f.get(product);
          x.signExtend(size);
          f.ne();
        } else f.i32(8 * size).shrU().i32(0).ne();
        f.set(carry);
      }
      x.flagsShift(low, size, carry, carry);
    },
  };
}

/** IMUL with two or three operands. */
const multiplyTruncated: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const size = x.size(0);
    const [low, carry] = [x.local(), x.local()];
    const last = x.form.operands.length - 1;
    const first = last === 2 ? 1 : 0;
    if (size === 4) {
      const product = x.local(I64);
      x.read(first).f.op("i64.extend_i32_s");
      x.read(last).f.op("i64.extend_i32_s", "i64.mul").tee(product).op("i32.wrap_i64").set(low);
      f.get(product).get(low).op("i64.extend_i32_s", "i64.ne").set(carry);
    } else {
      x.readSigned(first).readSigned(last).f.mul().tee(low).get(low);
      x.signExtend(size);
      f.ne().set(carry);
    }
    x.write(0, low).flagsShift(low, size, carry, carry);
  },
};

function divide(signed: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const size = x.size(0);
      if (size === 4) {
        divideWide(x, signed);
        return;
      }
      const [divisor, dividend, quotient, remainder] = [x.local(), x.local(), x.local(), x.local()];
      if (signed) x.readSigned(0);
      else x.read(0);
      f.tee(divisor).eqz().if(undefined, false);
      x.fault(0);
      f.end();
      if (size === 1) {
        x.register(EAX, 2);
        if (signed) x.signExtend(2);
      } else x.register(EAX, 2).register(EDX, 2).f.i32(16).shl().or();
      f.set(dividend);
      if (signed) {
        // 80000000h / −1 would trap in Wasm; its quotient does not fit anyway.
        f.get(dividend).i32(0x80000000 | 0).eq().get(divisor).i32(-1).eq().and().if(
          undefined,
          false,
        );
        x.fault(0);
        f.end();
      }
      f.get(dividend).get(divisor).op(signed ? "i32.div_s" : "i32.div_u").tee(quotient);
      if (signed) {
        f.get(quotient);
        x.signExtend(size);
        f.ne();
      } else f.i32(8 * size).shrU();
      f.if(undefined, false);
      x.fault(0);
      f.end();
      f.get(dividend).get(divisor).op(signed ? "i32.rem_s" : "i32.rem_u").set(remainder);
      x.setRegister(EAX, quotient, size);
      x.setRegister(size === 1 ? EAX + 1 : EDX, remainder, size);
    },
  };
}

function divideWide(x: Emitter, signed: boolean): void {
  const { f } = x;
  const [divisor, dividend, quotient] = [x.local(I64), x.local(I64), x.local(I64)];
  const [low, high] = [x.local(), x.local()];
  x.read(0).f.op(signed ? "i64.extend_i32_s" : "i64.extend_i32_u").tee(divisor).op("i64.eqz");
  f.if(undefined, false);
  x.fault(0);
  f.end();
  x.register(EAX).f.op("i64.extend_i32_u");
  x.register(EDX).f.op("i64.extend_i32_u").i64(32n).op("i64.shl", "i64.or").set(dividend);
  if (signed) {
    f.get(dividend).i64(-(2n ** 63n)).op("i64.eq").get(divisor).i64(-1n).op("i64.eq").and();
    f.if(undefined, false);
    x.fault(0);
    f.end();
  }
  f.get(dividend).get(divisor).op(signed ? "i64.div_s" : "i64.div_u").tee(quotient);
  if (signed) f.get(quotient).op("i64.extend32_s", "i64.ne");
  else f.i64(32n).op("i64.shr_u", "i32.wrap_i64");
  f.if(undefined, false);
  x.fault(0);
  f.end();
  f.get(dividend).get(divisor).op(signed ? "i64.rem_s" : "i64.rem_u", "i32.wrap_i64").set(high);
  f.get(quotient).op("i32.wrap_i64").set(low);
  x.setRegister(EAX, low).setRegister(EDX, high);
}

const negate: Semantics = {
  emit(x: Emitter): void {
    const [zero, value, result] = [x.local(), x.local(), x.local()];
    x.readModify(0, value).f.i32(0).tee(zero).get(value).sub().set(result);
    x.modifyWrite(0, result).flagsSub(zero, value, result, x.size(0));
  },
};

const invert: Semantics = {
  emit(x: Emitter): void {
    const value = x.local();
    x.readModify(0, value).f.get(value).i32(-1).xor().set(value);
    x.modifyWrite(0, value);
  },
};

const exchangeAdd: Semantics = {
  emit(x: Emitter): void {
    const [a, b, sum] = [x.local(), x.local(), x.local()];
    x.readModify(0, a).read(1).f.tee(b).get(a).add().set(sum);
    // Source first: XADD r, r with the same register leaves the sum.
    x.write(1, a).modifyWrite(0, sum).flagsAdd(a, b, sum, x.size(0));
  },
};

const compareExchange: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const size: Size = x.size(0);
    const [old, accumulator, difference, source] = [x.local(), x.local(), x.local(), x.local()];
    x.readModify(0, old).register(EAX, size).f.set(accumulator);
    x.read(1).f.set(source);
    f.get(accumulator).get(old).sub().set(difference);
    // The destination is always written, with its old value when unequal (SDM vol. 2, CMPXCHG).
    f.get(source).get(old).get(accumulator).get(old).eq().select().set(source);
    x.modifyWrite(0, source);
    f.get(accumulator).get(old).ne().if();
    x.setRegister(EAX, old, size);
    f.end();
    x.flagsSub(accumulator, old, difference, size);
  },
};

const compareExchange8: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const linear = x.linear(0, 8, true);
    const [old, expected, fresh] = [x.local(I64), x.local(I64), x.local(I64)];
    const [low, high, differs] = [x.local(), x.local(), x.local()];
    const pair = (lowRegister: number, highRegister: number): void => {
      x.register(lowRegister).f.op("i64.extend_i32_u");
      x.register(highRegister).f.op("i64.extend_i32_u").i64(32n).op("i64.shl", "i64.or");
    };
    x.probeWrite(linear, 8).readLinear(linear, 8).f.set(old);
    pair(EAX, EDX);
    f.set(expected);
    pair(EAX + 12, ECX);
    f.get(old).get(old).get(expected).op("i64.eq").select().set(fresh);
    x.writeLinear(linear, 8, fresh);
    f.get(old).get(expected).op("i64.ne").tee(differs).if();
    f.get(old).op("i32.wrap_i64").set(low).get(old).i64(32n).op("i64.shr_u", "i32.wrap_i64").set(
      high,
    );
    x.setRegister(EAX, low).setRegister(EDX, high);
    f.end();
    x.setZeroOnly(differs);
  },
};

export const arithmetic: Readonly<Record<string, Semantics>> = {
  add: binary(addition(false), true),
  adc: binary(addition(true), true),
  sub: binary(subtraction(false), true),
  sbb: binary(subtraction(true), true),
  cmp: binary(subtraction(false), false),
  and: binary(logic("i32.and"), true),
  or: binary(logic("i32.or"), true),
  xor: binary(logic("i32.xor"), true),
  test: binary(logic("i32.and"), false),
  inc: step(1),
  dec: step(-1),
  neg: negate,
  not: invert,
  mul: multiply(false),
  imul: multiply(true),
  imul3: multiplyTruncated,
  div: divide(false),
  idiv: divide(true),
  xadd: exchangeAdd,
  cmpxchg: compareExchange,
  cmpxchg8b: compareExchange8,
};
