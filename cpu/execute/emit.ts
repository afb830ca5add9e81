/**
 * The emitter: what the semantics of an instruction are written in.
 *
 * A semantic function is called once for each form of an instruction (which operands are registers, memory
 * or immediates, and their sizes) and appends Wasm to `x.f`. It sees operands by number and does not know
 * where they are. Here they come from the decoded record that `x.record()` points at.
 * Rules that keep faults precise: everything that can fault (`read`, `readModify`, `linear`, `write` to
 * memory, `push`, `fault`) comes before the first commit (register, flags, `modifyWrite`, ESP).
 * Values are i32, zero-extended from the operand's size. Sources: SDM vol. 2 §3.1.1, vol. 3A §5.3.
 * @module
 */
import {
  BLOCK,
  BLOCK_BYTES,
  BUDGET,
  CURRENT,
  EFLAGS,
  EIP,
  ENTRY_BLOCK,
  ESP,
  EXIT,
  EXIT_REASON,
  FLAGS_AUX,
  FLAGS_RESULT,
  LINK_SLOT,
  RECORD,
  RECORD_BYTES,
  segmentOffset,
  TLB_READ,
  TLB_WRITE,
} from "../state/layout.ts";
import { SEGMENT, SEGMENT_BYTES, SEGMENTS, SS } from "../state/layout.ts";
import { I32, I64, type WasmFunction } from "./wasm.ts";
import type { Runtime } from "./runtime.ts";

/** Operand size in bytes. */
export type Size = 1 | 2 | 4;

/** Where an operand is. Memory: base + displacement; base + index + displacement; any segment, 16-bit. */
export type OperandKind = "register" | "immediate" | "base" | "indexed" | "segmented";

export interface Operand {
  readonly kind: OperandKind;
  /** Bytes; of a memory operand that the semantics access on their own (M) 0. */
  readonly size: number;
  /** State offset of the register, or of the base register, where the form fixes it. */
  readonly fixed?: number;
}

/** A form: an operation for given kinds of operands. */
export interface Form {
  readonly operation: string;
  readonly operands: readonly Operand[];
  /** Operand size attribute in bytes. */
  readonly operandSize: 2 | 4;
  /** Address size attribute in bytes; only where the operation depends on it (strings, LOOP). */
  readonly addressSize: 2 | 4;
  /** True: DS ES SS flat and a 32-bit stack, so stack and string addresses need no segment checks. */
  readonly flat: boolean;
  /** 0, 0xf2, 0xf3: only for string operations. */
  readonly repeat: number;
}

/** The semantics of an operation. */
export interface Semantics {
  readonly emit: (x: Emitter) => void;
  /** The form depends on the stack or on implicit string addresses: instantiate by `flat`. */
  readonly stack?: boolean;
  /** The form depends on address size and repeat prefix. */
  readonly string?: boolean;
  /** The emitted code ends the block itself (branches). */
  readonly ends?: boolean;
}

/** Condition codes in opcode order: O NO B NB Z NZ BE NBE S NS P NP L NL LE NLE. */
export type Condition = number;

/** Locals that the cases of one function share: each case starts with none in use. */
export class LocalPool {
  readonly #free = new Map<number, number[]>();
  readonly #used = new Map<number, number>();

  reset(): void {
    this.#used.clear();
  }
  take(f: WasmFunction, type: number): number {
    const used = this.#used.get(type) ?? 0;
    this.#used.set(type, used + 1);
    const list = this.#free.get(type) ?? [];
    this.#free.set(type, list);
    let local = list[used];
    if (local === undefined) {
      local = f.local(type);
      list.push(local);
    }
    return local;
  }
}

/** The interpreter's loop around a handler. */
export interface Loop {
  /** `depth` of the function inside the loop. */
  readonly depth: number;
  readonly locals: LocalPool;
}

export class Emitter {
  readonly f: WasmFunction;
  readonly form: Form;
  readonly runtime: Runtime;
  /** Byte offset of this instruction's record from the one in local 0 (fused handlers: 32). */
  readonly recordOffset: number;
  /** Locals that hold the lazy flags as set earlier in this function, or −1. */
  flagsResult = -1;
  flagsAux = -1;
  /** Flags stay in locals until `commitFlags`: a fault then finds the flags from before. */
  deferFlags = false;
  /** A local that is added to the memory operand's offset before segmentation (bit strings), or −1. */
  addressDelta = -1;
  #linear = -1;
  #host = -1;

  readonly #loop: Loop | undefined;

  /** `loop`: the handler is a case of the interpreter's loop, not a function of its own. */
  constructor(f: WasmFunction, form: Form, runtime: Runtime, loop?: Loop) {
    this.f = f;
    this.form = form;
    this.runtime = runtime;
    this.recordOffset = 0;
    this.#loop = loop;
    if (loop) loop.locals.reset();
  }

  /** Operand size attribute of the instruction in bytes. */
  get operandSize(): 2 | 4 {
    return this.form.operandSize;
  }
  /** Size of operand `index` in bytes. */
  size(index: number): Size {
    return this.#operand(index).size as Size;
  }
  isMemory(index: number): boolean {
    const { kind } = this.#operand(index);
    return kind !== "register" && kind !== "immediate";
  }
  /** A fresh local; its value is undefined. */
  local(type: number = I32): number {
    return this.#loop ? this.#loop.locals.take(this.f, type) : this.f.local(type);
  }
  #operand(index: number): Operand {
    const operand = this.form.operands[index];
    if (operand === undefined) throw new Error(`${this.form.operation}: no operand ${index}`);
    return operand;
  }

  // ---- the record -------------------------------------------------------------------------------

  /** Pushes a 32-bit field of the record. */
  field(offset: number): this {
    this.f.get(0).load(this.recordOffset + offset);
    return this;
  }
  /** Pushes the address of the record. */
  record(): this {
    this.f.get(0);
    if (this.recordOffset !== 0) this.f.i32(this.recordOffset).add();
    return this;
  }
  /** Pushes EIP of the next instruction (not yet cut to 16 bits). */
  nextEip(): this {
    this.field(RECORD.EIP);
    this.f.get(0).memory("i32.load8_u", this.recordOffset + RECORD.LENGTH).add();
    return this;
  }

  // ---- operands ---------------------------------------------------------------------------------

  /** Pushes operand `index`. */
  read(index: number): this {
    const operand = this.#operand(index);
    switch (operand.kind) {
      case "register":
        if (operand.fixed !== undefined) this.register(operand.fixed, operand.size as Size);
        else {
          this.field(index === 0 ? RECORD.A : RECORD.B);
          this.#loadSized(operand.size as Size);
        }
        break;
      case "immediate":
        this.field(RECORD.IMMEDIATE);
        break;
      default:
        this.linear(index, operand.size, false);
        this.readLinear(this.#linear, operand.size as Size);
    }
    return this;
  }
  /** Pushes operand `index`, sign-extended to 32 bits. */
  readSigned(index: number): this {
    this.read(index);
    return this.signExtend(this.size(index));
  }
  /** Writes a local to operand `index`. */
  write(index: number, value: number): this {
    const operand = this.#operand(index);
    if (operand.kind === "register" && operand.fixed !== undefined) {
      this.setRegister(operand.fixed, value, operand.size as Size);
    } else if (operand.kind === "register") {
      this.field(index === 0 ? RECORD.A : RECORD.B);
      this.f.get(value);
      this.#storeSized(operand.size as Size);
    } else {
      this.linear(index, operand.size, true);
      this.writeLinear(this.#linear, operand.size as Size, value);
    }
    return this;
  }
  /** Reads operand `index` into a local, with the promise that `modifyWrite` cannot fault. */
  readModify(index: number, into: number): this {
    const operand = this.#operand(index);
    const f = this.f;
    if (operand.kind === "register") {
      this.read(index);
      f.set(into);
      return this;
    }
    const size = operand.size as Size;
    this.linear(index, size, true);
    const entry = this.local();
    this.#host = entry;
    this.#lookup(TLB_WRITE, this.#linear, size, entry);
    f.if(undefined, false);
    f.get(this.#linear);
    this.record();
    f.call(this.runtime.slowReadForWrite(size)).set(into).i32(0).set(entry);
    f.else();
    f.get(this.#linear).get(entry).add().tee(entry);
    this.#loadSized(size);
    f.set(into).end();
    return this;
  }
  /** Writes a local to the operand that `readModify` read. */
  modifyWrite(index: number, value: number): this {
    const operand = this.#operand(index);
    const f = this.f;
    if (operand.kind === "register") return this.write(index, value);
    const size = operand.size as Size;
    f.get(this.#host).if(undefined, true);
    f.get(this.#host).get(value);
    this.#storeSized(size);
    f.else().get(this.#linear).get(value);
    this.record();
    f.call(this.runtime.slowWrite(size)).end();
    return this;
  }

  /** Pushes the effective address (offset) of the memory operand, as LEA has it. */
  offset(index: number): this {
    const f = this.f;
    const { kind, fixed } = this.#operand(index);
    const base = this.recordOffset;
    if (fixed !== undefined) this.register(fixed);
    else f.get(0).memory("i32.load16_u", base + RECORD.BASE).load();
    if (kind !== "base") {
      f.get(0).memory("i32.load16_u", base + RECORD.INDEX).load();
      f.get(0).memory("i32.load8_u", base + RECORD.SCALE).shl().add();
    }
    this.field(RECORD.DISPLACEMENT);
    f.add();
    if (this.addressDelta >= 0) f.get(this.addressDelta).add();
    if (kind === "segmented") {
      f.i32(0xffff).i32(-1).get(0).memory("i32.load8_u", base + RECORD.SCALE).i32(0x80).and()
        .select().and();
    }
    return this;
  }
  /**
   * Computes the linear address of memory operand `index` into a local and returns the local, after the
   * segment checks for an access of `size` bytes.
   */
  linear(index: number, size: number, write: boolean): number {
    if (this.#linear < 0) this.#linear = this.local();
    if (this.addressDelta >= 0) {
      this.offset(index);
      if (this.#operand(index).kind === "segmented") {
        this.recordSegmentCheck(size, write);
      }
      this.f.set(this.#linear);
    } else if (this.#operand(index).kind === "segmented") {
      this.record();
      this.f.i32(size).i32(write ? 2 : 1).call(this.runtime.segmented()).set(this.#linear);
    } else {
      this.offset(index);
      this.f.set(this.#linear);
    }
    return this.#linear;
  }
  /** Pushes memory at the linear address in a local. 8 bytes push an i64. */
  readLinear(linear: number, size: Size | 8): this {
    const f = this.f;
    const entry = this.local();
    this.#lookup(TLB_READ, linear, size, entry);
    f.if(size === 8 ? I64 : I32, false);
    f.get(linear);
    this.record();
    f.call(this.runtime.slowRead(size)).else();
    f.get(linear).get(entry).add();
    this.#loadSized(size);
    f.end();
    return this;
  }
  /** Writes a local (i64 for 8 bytes) to memory at the linear address in a local. */
  writeLinear(linear: number, size: Size | 8, value: number): this {
    const f = this.f;
    const entry = this.local();
    this.#lookup(TLB_WRITE, linear, size, entry);
    f.if(undefined, false);
    f.get(linear).get(value);
    this.record();
    f.call(this.runtime.slowWrite(size)).else();
    f.get(linear).get(entry).add().get(value);
    this.#storeSized(size);
    f.end();
    return this;
  }
  /** Faults as a write of `size` bytes (1..512) at the linear address in a local would. */
  probeWrite(linear: number, size: number): this {
    this.f.get(linear).i32(size);
    this.record();
    this.f.call(this.runtime.probeWrite());
    return this;
  }
  /** Loads the TLB entry; pushes non-zero when the fast path does not apply. */
  #lookup(table: number, linear: number, size: Size | 8, entry: number): void {
    const f = this.f;
    f.loadAt(table).get(linear).i32(10).shrU().i32(0x3ffffc).and().add().load().tee(entry);
    if (size > 1) f.get(linear).or();
    f.i32(size > 1 ? size - 1 : 1).and();
  }
  #loadSized(size: Size | 8): void {
    if (size === 8) this.f.memory("i64.load");
    else this.f.memory(size === 4 ? "i32.load" : size === 2 ? "i32.load16_u" : "i32.load8_u");
  }
  #storeSized(size: Size | 8): void {
    if (size === 8) this.f.memory("i64.store");
    else this.f.memory(size === 4 ? "i32.store" : size === 2 ? "i32.store16" : "i32.store8");
  }

  // ---- registers by name ------------------------------------------------------------------------

  /** Pushes a register (state offset) of a size. */
  register(offset: number, size: Size = 4): this {
    this.f.i32(0);
    this.f.memory(size === 4 ? "i32.load" : size === 2 ? "i32.load16_u" : "i32.load8_u", offset);
    return this;
  }
  /** Stores a local in a register (state offset) of a size. */
  setRegister(offset: number, value: number, size: Size = 4): this {
    this.f.i32(0).get(value);
    this.f.memory(size === 4 ? "i32.store" : size === 2 ? "i32.store16" : "i32.store8", offset);
    return this;
  }

  // ---- stack ------------------------------------------------------------------------------------

  /** Computes the linear address of SS:(ESP + delta) for an access into a fresh local. */
  stackLinear(delta: number, size: number, write: boolean): number {
    const linear = this.local();
    this.register(ESP);
    if (delta !== 0) this.f.i32(delta).add();
    return this.#stackCheck(linear, size, write);
  }
  /** The same for SS:(local), e.g. EBP. */
  stackLinearAt(offset: number, size: number, write: boolean): number {
    const linear = this.local();
    this.f.get(offset);
    return this.#stackCheck(linear, size, write);
  }
  #stackCheck(linear: number, size: number, write: boolean): number {
    const f = this.f;
    if (!this.form.flat) {
      this.runtime.stackMask(f);
      f.and();
      this.segmentCheck(SS, size, write);
    }
    f.set(linear);
    return linear;
  }
  /** Turns the offset on the stack into a linear address in a segment (0..5), with its checks. */
  segmentCheck(segment: number, size: number, write: boolean): this {
    this.f.i32(segmentOffset(segment)).i32(size).i32(write ? 2 : 1);
    this.record();
    this.f.call(this.runtime.checkSegment());
    return this;
  }
  /** Turns the offset on the stack into a linear address in the record's segment. */
  recordSegmentCheck(size: number, write: boolean): this {
    const f = this.f;
    f.get(0).memory("i32.load8_u", this.recordOffset + RECORD.SEGMENT).i32(7).and();
    f.i32(SEGMENT_BYTES).mul().i32(SEGMENTS).add().i32(size).i32(write ? 2 : 1);
    this.record();
    f.call(this.runtime.checkSegment());
    return this;
  }
  /** Linear address, in a fresh local, of an implicit operand at an offset (cut by the address size). */
  implicitLinear(offset: number, size: number, write: boolean): number {
    const f = this.f;
    const linear = this.local();
    f.get(offset).i32(0xffff).i32(-1);
    f.get(0).memory("i32.load8_u", this.recordOffset + RECORD.SCALE).i32(0x80).and().select().and();
    this.recordSegmentCheck(size, write);
    f.set(linear);
    return linear;
  }
  /** ESP (or SP) += delta. */
  adjustStack(delta: number): this {
    const value = this.local();
    this.register(ESP);
    this.f.i32(delta).add().set(value);
    return this.setStack(value);
  }
  /** ESP (or SP) = local, by the stack's size. */
  setStack(value: number): this {
    const f = this.f;
    f.i32(0);
    if (this.form.flat) f.get(value);
    else {
      // (ESP & ~mask) | (value & mask)
      this.register(ESP);
      this.register(ESP);
      f.get(value).xor();
      this.runtime.stackMask(f);
      f.and().xor();
    }
    f.store(ESP);
    return this;
  }
  /** Pushes a local on the guest's stack. */
  push(value: number, size: 2 | 4): this {
    const linear = this.stackLinear(-size, size, true);
    this.writeLinear(linear, size, value);
    return this.adjustStack(-size);
  }
  /** Reads the top of the guest's stack into a local; ESP is left alone (`adjustStack` commits). */
  top(into: number, size: 2 | 4, delta = 0): this {
    const linear = this.stackLinear(delta, size, false);
    this.readLinear(linear, size);
    this.f.set(into);
    return this;
  }

  // ---- flags ------------------------------------------------------------------------------------

  /** Sign-extends the i32 on the stack from a size. */
  signExtend(size: Size): this {
    if (size === 1) this.f.op("i32.extend8_s");
    else if (size === 2) this.f.op("i32.extend16_s");
    return this;
  }
  /** Zero-extends the i32 on the stack from a size. */
  zeroExtend(size: Size): this {
    if (size !== 4) this.f.i32(size === 1 ? 0xff : 0xffff).and();
    return this;
  }
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
  /** Sets only CF and OF from locals that are 0 or 1. */
  flagsCarryOverflow(carry: number, overflow: number): this {
    const f = this.f;
    const result = this.local();
    const aux = this.local();
    this.#pushResult();
    f.set(result);
    this.#pushAux();
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
    this.#pushAux();
    f.i32(0xc0000008 | 0).and().get(sign).or();
    f.get(result).i32(1).xor().get(parity).xor().i32(8).shl().or().set(aux);
    return this.setFlags(result, aux);
  }
  #pushResult(): void {
    if (this.flagsResult >= 0) this.f.get(this.flagsResult);
    else this.f.loadAt(FLAGS_RESULT);
  }
  #pushAux(): void {
    if (this.flagsAux >= 0) this.f.get(this.flagsAux);
    else this.f.loadAt(FLAGS_AUX);
  }
  /** Pushes CF as 0 or 1. */
  carry(): this {
    this.#pushAux();
    this.f.i32(31).shrU();
    return this;
  }
  /** Pushes OF as 0 or 1. */
  overflow(): this {
    this.#pushAux();
    this.#pushAux();
    this.f.i32(1).shl().xor().i32(31).shrU();
    return this;
  }
  /** Pushes AF as 0 or 1. */
  adjust(): this {
    this.#pushAux();
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
        this.#pushResult();
        f.eqz();
        break;
      case 3:
        this.#pushResult();
        f.eqz();
        this.carry();
        f.or();
        break;
      case 4:
        this.#pushResult();
        this.#pushAux();
        f.i32(31).shl().xor().i32(31).shrU();
        break;
      case 5:
        this.#pushResult();
        this.#pushAux();
        f.i32(8).shrU().xor().i32(0xff).and().op("i32.popcnt").i32(1).and().eqz();
        break;
      case 6:
        this.#less();
        break;
      default:
        this.#less();
        this.#pushResult();
        f.eqz().or();
    }
    if (code & 1) f.eqz();
    return this;
  }
  #less(): void {
    // SF ^ OF
    this.#pushResult();
    this.#pushAux();
    this.f.i32(31).shl().xor();
    this.#pushAux();
    this.f.xor();
    this.#pushAux();
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

  // ---- control ----------------------------------------------------------------------------------

  /** Raises an exception at this instruction (−1: no error code). Nothing may have been committed. */
  fault(vector: number, errorCode = -1): this {
    this.f.i32(0);
    this.record();
    this.f.store(CURRENT).i32(vector).i32(errorCode).call(this.runtime.raise).op("unreachable");
    return this;
  }
  /** Calls the assist of a name in the middle of Wasm semantics (rare paths); it completes or throws. */
  assist(name: string): this {
    this.record();
    this.f.i32(this.runtime.assistIndex(name)).call(this.runtime.assist).drop();
    return this;
  }
  /** #GP(0) unless the local is within CS's limit. */
  checkTarget(target: number): this {
    const f = this.f;
    f.get(target).loadAt(segmentOffset(1) + SEGMENT.LIMIT).gtU().if(undefined, false);
    this.fault(13, 0);
    f.end();
    return this;
  }
  /** Goes on with the record whose address is on the stack. */
  go(): this {
    const loop = this.#loop;
    if (loop) this.f.set(0).br(this.f.depth - loop.depth);
    else this.f.return();
    return this;
  }
  /** Leaves to the run loop; EIP, EXIT_REASON and LINK_SLOT are set. */
  leave(): this {
    if (!this.#loop) this.f.i32(0);
    this.f.return();
    return this;
  }
  /** Goes on with the next record. */
  next(): this {
    this.f.get(0).i32(this.recordOffset + RECORD_BYTES).add();
    return this.go();
  }
  /** Leaves to the run loop at the EIP in a local; all of this instruction is committed. */
  exit(eip: number): this {
    const f = this.f;
    f.i32(0).get(eip).store(EIP).i32(0).i32(0).store(LINK_SLOT);
    f.i32(0).i32(EXIT.DISPATCH).store(EXIT_REASON);
    return this.leave();
  }
  /** Direct branch through a link word of the record (RECORD.A or RECORD.B) to the EIP in a local. */
  branch(link: number, target: () => void): this {
    const f = this.f;
    const block = this.local();
    this.field(link);
    f.tee(block).eqz().if(undefined, false);
    target();
    this.record();
    f.i32(link).add();
    this.record();
    f.call(this.runtime.branchUnlinked());
    if (this.#loop) {
      f.tee(block).eqz().if();
      this.leave();
      f.end().get(block);
    }
    this.go();
    f.end();
    return this.enter(block);
  }
  /** Indirect branch to the EIP in a local, by the jump cache. */
  jump(target: number): this {
    const f = this.f;
    const entry = this.local();
    this.runtime.jumpCacheHit(f, target, entry);
    f.if();
    f.get(entry).load(8).set(entry);
    this.enter(entry);
    f.end();
    return this.exit(target);
  }
  /** Enters the block in a local: charges its length to the budget. */
  enter(block: number): this {
    const f = this.f;
    const budget = this.local();
    f.loadAt(BUDGET).get(block).load(BLOCK.LENGTH).sub().tee(budget).i32(0).ltS();
    f.if(undefined, false);
    f.i32(0).get(block).store(ENTRY_BLOCK).i32(0).get(block).load(BLOCK.EIP).store(EIP);
    f.i32(0).i32(EXIT.BUDGET).store(EXIT_REASON);
    this.leave();
    f.end();
    f.i32(0).get(budget).store(BUDGET);
    f.get(block).i32(BLOCK_BYTES).add();
    return this.go();
  }
}
