/**
 * Shifts, rotates, double shifts and bit operations.
 * Sources: SDM vol. 2 (SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, BT, BSF, BSR, BSWAP). Where OF is
 * undefined (count not 1) the same formula is used as for 1.
 * @module
 */
import { ECX } from "../../state/layout.ts";
import type { Emitter, Semantics } from "../emit.ts";
import { I64 } from "../wasm.ts";

/** Runs `body` when the count (masked to 5 bits) is not 0; a zero count changes no flag. */
function counted(body: (x: Emitter, value: number, count: number) => void): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const [value, count] = [x.local(), x.local()];
      const known = x.constant(1);
      if (known !== undefined) {
        x.readModify(0, value);
        if ((known & 31) === 0) return;
        f.i32(known & 31).set(count);
        body(x, value, count);
        return;
      }
      x.readModify(0, value).read(1).f.i32(31).and().tee(count).if();
      body(x, value, count);
      f.end();
      x.forgetFlags();
    },
  };
}

/** Pushes bit `position` of a local. */
function bit(x: Emitter, value: number, position: number): void {
  x.f.get(value);
  if (position > 0) x.f.i32(position).shrU();
  x.f.i32(1).and();
}

function shift(operation: "shl" | "shr" | "sar"): Semantics {
  return counted((x, value, count) => {
    const { f } = x;
    const size = x.size(0);
    const result = x.local();
    if (operation === "sar") {
      f.get(value);
      x.signExtend(size);
      f.set(value);
    }
    const by = { shl: "i32.shl", shr: "i32.shr_u", sar: "i32.shr_s" } as const;
    f.get(value).get(count).op(by[operation]).set(result);
    x.modifyWrite(0, result).flagsOfShift(operation, value, count, result, size);
  });
}

function rotate(left: boolean): Semantics {
  return counted((x, value, count) => {
    const { f } = x;
    const size = x.size(0);
    const bits = 8 * size;
    const [result, carry, overflow] = [x.local(), x.local(), x.local()];
    if (size === 4) f.get(value).get(count).op(left ? "i32.rotl" : "i32.rotr").set(result);
    else {
      // (a << c) | (a >> (bits − c)), c modulo bits; right by c is left by bits − c.
      if (!left) f.i32(0).get(count).sub().set(count);
      f.get(count).i32(bits - 1).and().set(count);
      f.get(value).get(count).shl().get(value).i32(bits).get(count).sub().shrU().or().set(result);
    }
    if (left) {
      bit(x, result, 0);
      f.set(carry);
      bit(x, result, bits - 1);
      f.get(carry).xor().set(overflow);
    } else {
      bit(x, result, bits - 1);
      f.set(carry);
      bit(x, result, bits - 2);
      f.get(carry).xor().set(overflow);
    }
    x.modifyWrite(0, result).flagsCarryOverflow(carry, overflow);
  });
}

/** RCL and RCR: a rotation of bits + 1 places, CF on top. */
function rotateCarry(left: boolean): Semantics {
  return counted((x, value, count) => {
    const { f } = x;
    const size = x.size(0);
    const bits = 8 * size;
    const [wide, places] = [x.local(I64), x.local(I64)];
    const [result, carry, overflow] = [x.local(), x.local(), x.local()];
    f.get(value).op("i64.extend_i32_u");
    x.carry().f.op("i64.extend_i32_u").i64(BigInt(bits)).op("i64.shl", "i64.or").set(wide);
    f.get(count);
    if (size !== 4) f.i32(bits + 1).op("i32.rem_u");
    f.op("i64.extend_i32_u").set(places);
    const rest = (): void => {
      f.i64(BigInt(bits + 1)).get(places).op("i64.sub");
    };
    f.get(wide);
    if (left) f.get(places);
    else rest();
    f.op("i64.shl").get(wide);
    if (left) rest();
    else f.get(places);
    f.op("i64.shr_u", "i64.or").set(wide);
    f.get(wide).op("i32.wrap_i64").set(result);
    f.get(wide).i64(BigInt(bits)).op("i64.shr_u", "i32.wrap_i64").i32(1).and().set(carry);
    bit(x, result, bits - 1);
    if (left) f.get(carry).xor().set(overflow);
    else {
      bit(x, result, bits - 2);
      f.xor().set(overflow);
    }
    x.modifyWrite(0, result).flagsCarryOverflow(carry, overflow);
  });
}

/** SHLD and SHRD; with 16 bits and a count above 16 the P6 rotates through destination:source:destination. */
function double(left: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const size = x.size(0);
      const bits = 8 * size;
      const [value, source, count] = [x.local(), x.local(), x.local()];
      const [result, carry, overflow] = [x.local(), x.local(), x.local()];
      x.readModify(0, value).read(1).f.set(source);
      if (x.form.operands[2]?.kind === "register") x.register(ECX, 1);
      else x.read(2);
      f.i32(31).and().tee(count).if();
      const [wide, places] = [x.local(I64), x.local(I64)];
      f.get(count).op("i64.extend_i32_u").set(places);
      if (size === 4) {
        // left: value:source; right: source:value.
        f.get(left ? value : source).op("i64.extend_i32_u").i64(32n).op("i64.shl");
        f.get(left ? source : value).op("i64.extend_i32_u", "i64.or").set(wide);
      } else {
        f.get(value).op("i64.extend_i32_u").i64(32n).op("i64.shl");
        f.get(source).op("i64.extend_i32_u").i64(16n).op("i64.shl", "i64.or");
        f.get(value).op("i64.extend_i32_u", "i64.or").set(wide);
      }
      if (left) {
        f.get(wide).get(places).op("i64.shl").i64(32n).op("i64.shr_u", "i32.wrap_i64").set(result);
        f.get(wide).i64(BigInt(32 + bits)).get(places).op("i64.sub", "i64.shr_u");
      } else {
        f.get(wide).get(places).op("i64.shr_u", "i32.wrap_i64").set(result);
        f.get(wide).get(places).i64(1n).op("i64.sub", "i64.shr_u");
      }
      f.op("i32.wrap_i64").i32(1).and().set(carry);
      f.get(result).get(value).xor().i32(bits - 1).shrU().i32(1).and().set(overflow);
      x.modifyWrite(0, result).flagsShift(result, size, carry, overflow);
      f.end();
      x.forgetFlags();
    },
  };
}

/** BT BTS BTR BTC. A register bit number addresses memory beyond the operand, in both directions. */
function bitTest(change: "none" | "set" | "reset" | "complement"): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const size = x.size(0);
      const [value, number, mask, carry] = [x.local(), x.local(), x.local(), x.local()];
      x.readSigned(1).f.set(number);
      if (x.isMemory(0) && x.form.operands[1]?.kind === "register") {
        x.addressDelta = x.local();
        f.get(number).i32(size === 4 ? 5 : 4).shrS().i32(size === 4 ? 2 : 1).shl();
        f.set(x.addressDelta);
      }
      f.get(number).i32(8 * size - 1).and().set(number);
      f.i32(1).get(number).shl().set(mask);
      if (change === "none") x.read(0).f.set(value);
      else x.readModify(0, value);
      f.get(value).get(number).shrU().i32(1).and().set(carry);
      if (change !== "none") {
        f.get(value).get(mask);
        if (change === "set") f.or();
        else if (change === "complement") f.xor();
        else f.i32(-1).xor().and();
        f.set(value);
        x.modifyWrite(0, value);
      }
      x.setCarry(carry);
    },
  };
}

/** BSF and BSR: with a zero source ZF is set and the destination stays, as on every Intel processor. */
function bitScan(forward: boolean): Semantics {
  return {
    emit(x: Emitter): void {
      const { f } = x;
      const [value, result] = [x.local(), x.local()];
      x.read(1).f.tee(value).if();
      if (forward) f.get(value).op("i32.ctz");
      else f.i32(31).get(value).op("i32.clz").sub();
      f.set(result);
      x.write(0, result).f.end();
      x.flagsLogic(value, x.size(1));
    },
  };
}

const byteSwap: Semantics = {
  emit(x: Emitter): void {
    const { f } = x;
    const value = x.local();
    // With a 16-bit operand the result is undefined; Intel's processors leave 0.
    if (x.size(0) === 2) f.i32(0).set(value);
    else x.read(0).f.tee(value).i32(8).op("i32.rotl").i32(0x00ff00ff).and();
    if (x.size(0) === 4) {
      f.get(value).i32(8).op("i32.rotr").i32(0xff00ff00 | 0).and().or().set(value);
    }
    x.write(0, value);
  },
};

export const shifts: Readonly<Record<string, Semantics>> = {
  shl: shift("shl"),
  shr: shift("shr"),
  sar: shift("sar"),
  rol: rotate(true),
  ror: rotate(false),
  rcl: rotateCarry(true),
  rcr: rotateCarry(false),
  shld: double(true),
  shrd: double(false),
  bt: bitTest("none"),
  bts: bitTest("set"),
  btr: bitTest("reset"),
  btc: bitTest("complement"),
  bsf: bitScan(true),
  bsr: bitScan(false),
  bswap: byteSwap,
};
