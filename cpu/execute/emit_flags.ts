/**
 * The emitter's flags: the lazy words (state/layout.ts) set from results and turned into conditions.
 * Sources: SDM vol. 1 §3.4.3.1, vol. 2 appendix B (condition codes).
 * @module
 */
import { EFLAGS, FLAGS_AUX, FLAGS_RESULT } from "../state/layout.ts";
import { OperandEmitter } from "./emit_operands.ts";
import type { Condition, Size } from "./form.ts";

/** Arithmetic flags and conditions. */
export class FlagsEmitter extends OperandEmitter {
  /** Locals that hold the lazy flags as set earlier in this function, or −1. */
  flagsResult = -1;
  flagsAux = -1;
  /** Flags stay in locals until `commitFlags`: a fault then finds the flags from before. */
  deferFlags = false;

  // ---- flags ------------------------------------------------------------------------------------

  /** Commits the lazy flags from two locals: sign-extended result and AUX (layout.ts). */
  setFlags(result: number, aux: number): this {
    this.flagsResult = result;
    this.flagsAux = aux;
    return this.deferFlags ? this : this.commitFlags();
  }
  /** Stores the flags that were set last; only needed with `deferFlags`. */
  commitFlags(): this {
    const f = this.f;
    f.i32(0).get(this.flagsResult).store(FLAGS_RESULT).i32(0).get(this.flagsAux).store(FLAGS_AUX);
    return this;
  }
  /** To be called after flags were set in only one arm of a conditional. */
  forgetFlags(): this {
    this.flagsResult = -1;
    this.flagsAux = -1;
    return this;
  }
  /** Flags of a logical result (any extension): CF = OF = AF = 0. */
  flagsLogic(value: number, size: Size): this {
    const result = this.local();
    const aux = this.local();
    this.f.get(value);
    this.signExtend(size);
    this.f.set(result).i32(0).set(aux);
    return this.setFlags(result, aux);
  }
  /** Flags of sum = a + b (+ carry); all three as locals of the size, sum not yet cut. */
  flagsAdd(a: number, b: number, sum: number, size: Size): this {
    // Carry out of each bit: (a & b) | ((a | b) & ~sum).
    const f = this.f;
    f.get(a).get(b).and().get(a).get(b).or().get(sum).i32(-1).xor().and().or();
    return this.#flagsFromCarries(sum, size);
  }
  /** Flags of difference = a − b (− borrow). */
  flagsSub(a: number, b: number, difference: number, size: Size): this {
    // Borrow out of each bit: (~a & b) | (~(a ^ b) & difference).
    const f = this.f;
    f.get(a).i32(-1).xor().get(b).and().get(a).get(b).xor().i32(-1).xor().get(difference).and()
      .or();
    return this.#flagsFromCarries(difference, size);
  }
  /** Consumes the vector of carries. */
  #flagsFromCarries(value: number, size: Size): this {
    const f = this.f;
    const result = this.local();
    const aux = this.local();
    if (size === 4) f.i32(0xc0000008 | 0).and().set(aux);
    else {
      f.tee(aux).i32(size === 1 ? 24 : 16).shl().i32(0xc0000000 | 0).and();
      f.get(aux).i32(8).and().or().set(aux);
    }
    f.get(value);
    this.signExtend(size);
    f.set(result);
    return this.setFlags(result, aux);
  }
  /** Sets CF and OF from locals that are 0 or 1, result flags from a value, AF = 0. */
  flagsShift(value: number, size: Size, carry: number, overflow: number): this {
    const f = this.f;
    const result = this.local();
    const aux = this.local();
    f.get(value);
    this.signExtend(size);
    f.set(result);
    f.get(carry).i32(31).shl().get(carry).get(overflow).xor().i32(30).shl().or().set(aux);
    return this.setFlags(result, aux);
  }
  /** Flags of a shift, `value` (sign-extended for SAR) by `count`, 1…31: CF is the last bit that went out. */
  flagsOfShift(
    operation: "shl" | "shr" | "sar",
    value: number,
    count: number,
    result: number,
    size: Size,
  ): this {
    const f = this.f;
    const top = 8 * size - 1;
    const [carry, overflow] = [this.local(), this.local()];
    f.get(value).get(count).i32(1).sub();
    if (operation === "shl") f.shl().i32(top);
    else f.shrS().i32(0);
    f.shrU().i32(1).and().set(carry);
    if (operation === "sar") f.i32(0);
    else f.get(operation === "shr" ? value : result).i32(top).shrU().i32(1).and();
    if (operation === "shl") f.get(carry).xor();
    f.set(overflow);
    return this.flagsShift(result, size, carry, overflow);
  }
  /** Flags of `result`, a value and one (or minus one) more; CF stays, and is in the local `carry` as 0 or 1. */
  flagsStep(by: 1 | -1, carry: number, result: number, size: Size): this {
    const f = this.f;
    const [signed, aux] = [this.local(), this.local()];
    // OF: the sign went from + to − (INC) or from − to + (DEC); AF: carry or borrow into bit 4.
    f.get(result);
    this.signExtend(size);
    f.set(signed);
    const limit = by === 1 ? -(2 ** (8 * size - 1)) : 2 ** (8 * size - 1) - 1;
    f.get(carry).i32(31).shl();
    f.get(carry).get(signed).i32(limit).eq().xor().i32(30).shl().or();
    f.get(result).i32(15).and().i32(by === 1 ? 0 : 15).eq().i32(3).shl().or().set(aux);
    return this.setFlags(signed, aux);
  }
  /** Sets only CF and OF from locals that are 0 or 1. */
  flagsCarryOverflow(carry: number, overflow: number): this {
    const f = this.f;
    const result = this.local();
    const aux = this.local();
    this.pushResult();
    f.set(result);
    this.pushAux();
    f.i32(0x3fffffff).and();
    f.get(carry).i32(31).shl().or().get(carry).get(overflow).xor().i32(30).shl().or().set(aux);
    return this.setFlags(result, aux);
  }
  /** Sets only CF from a local that is 0 or 1. */
  setCarry(carry: number): this {
    const overflow = this.local();
    this.overflow();
    this.f.set(overflow);
    return this.flagsCarryOverflow(carry, overflow);
  }
  /** Sets only ZF from a local (zero: ZF = 1), keeping the other five. */
  setZeroOnly(zeroIfZero: number): this {
    // New result 0 or 1; SF and parity deltas recomputed.
    const f = this.f;
    const sign = this.local();
    const parity = this.local();
    const result = this.local();
    const aux = this.local();
    this.condition(8);
    f.set(sign);
    this.condition(10);
    f.set(parity);
    f.get(zeroIfZero).i32(0).ne().set(result);
    this.pushAux();
    f.i32(0xc0000008 | 0).and().get(sign).or();
    f.get(result).i32(1).xor().get(parity).xor().i32(8).shl().or().set(aux);
    return this.setFlags(result, aux);
  }
  protected pushResult(): void {
    if (this.flagsResult >= 0) this.f.get(this.flagsResult);
    else this.f.loadAt(FLAGS_RESULT);
  }
  protected pushAux(): void {
    if (this.flagsAux >= 0) this.f.get(this.flagsAux);
    else this.f.loadAt(FLAGS_AUX);
  }
  /** Pushes CF as 0 or 1. */
  carry(): this {
    this.pushAux();
    this.f.i32(31).shrU();
    return this;
  }
  /** Pushes OF as 0 or 1. */
  overflow(): this {
    this.pushAux();
    this.pushAux();
    this.f.i32(1).shl().xor().i32(31).shrU();
    return this;
  }
  /** Pushes AF as 0 or 1. */
  adjust(): this {
    this.pushAux();
    this.f.i32(3).shrU().i32(1).and();
    return this;
  }
  /** Pushes a condition as 0 or 1. */
  condition(code: Condition): this {
    const f = this.f;
    switch (code >> 1) {
      case 0:
        this.overflow();
        break;
      case 1:
        this.carry();
        break;
      case 2:
        this.pushResult();
        f.eqz();
        break;
      case 3:
        this.pushResult();
        f.eqz();
        this.carry();
        f.or();
        break;
      case 4:
        this.pushResult();
        this.pushAux();
        f.i32(31).shl().xor().i32(31).shrU();
        break;
      case 5:
        this.pushResult();
        this.pushAux();
        f.i32(8).shrU().xor().i32(0xff).and().op("i32.popcnt").i32(1).and().eqz();
        break;
      case 6:
        this.#less();
        break;
      default:
        this.#less();
        this.pushResult();
        f.eqz().or();
    }
    if (code & 1) f.eqz();
    return this;
  }
  #less(): void {
    // SF ^ OF
    this.pushResult();
    this.pushAux();
    this.f.i32(31).shl().xor();
    this.pushAux();
    this.f.xor();
    this.pushAux();
    this.f.i32(1).shl().xor().i32(31).shrU();
  }
  /** Pushes all of EFLAGS. */
  allFlags(): this {
    const f = this.f;
    this.systemFlags();
    this.carry();
    f.or();
    this.condition(10);
    f.i32(2).shl().or();
    this.adjust();
    f.i32(4).shl().or();
    this.condition(4);
    f.i32(6).shl().or();
    this.condition(8);
    f.i32(7).shl().or();
    this.overflow();
    f.i32(11).shl().or();
    return this;
  }
  /** Sets the six arithmetic flags from EFLAGS bits in a local (see state/flags.ts). */
  setArithmetic(flags: number): this {
    const f = this.f;
    const [result, aux] = [this.local(), this.local()];
    f.get(flags).i32(6).shrU().i32(1).and().i32(1).xor().set(result);
    f.get(flags).i32(31).shl();
    f.get(flags).get(flags).i32(11).shrU().xor().i32(1).and().i32(30).shl().or();
    f.get(flags).i32(1).shrU().i32(8).and().or();
    f.get(flags).i32(7).shrU().i32(1).and().or();
    f.get(result).i32(1).xor().get(flags).i32(2).shrU().i32(1).and().xor().i32(8).shl().or();
    f.set(aux);
    return this.setFlags(result, aux);
  }
  /** Pushes EFLAGS without the arithmetic flags. */
  systemFlags(): this {
    this.f.loadAt(EFLAGS);
    return this;
  }
}
