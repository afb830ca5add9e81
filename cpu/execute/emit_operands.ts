/**
 * The emitter's operands: fields of the record, registers, memory through the TLB, the stack.
 * Sources: SDM vol. 2 §3.1.1, vol. 3A §5.3 (limit checks).
 * @module
 */
import {
  CURRENT,
  ESP,
  RECORD,
  SEGMENT_BYTES,
  segmentOffset,
  SEGMENTS,
  SS,
  TLB_DIRECT,
  TLB_READ,
  TLB_WRITE,
} from "../state/layout.ts";
import type { Form, Loop, Operand, Size } from "./form.ts";
import type { Runtime } from "./runtime.ts";
import { I32, I64, V128, type WasmFunction } from "./wasm.ts";

const ZEROS: readonly number[] = new Array<number>(16).fill(0);

/** Record, operands, registers and stack. */
export class OperandEmitter {
  readonly f: WasmFunction;
  readonly form: Form;
  readonly runtime: Runtime;
  /** A local that is added to the memory operand's offset before segmentation (bit strings), or −1. */
  addressDelta = -1;
  protected linearLocal = -1;
  protected hostLocal = -1;

  /** The loop that the handler is a case of, if it is. */
  protected readonly loop: Loop | undefined;

  /** `loop`: the handler is a case of the interpreter's loop, not a function of its own. */
  constructor(f: WasmFunction, form: Form, runtime: Runtime, loop?: Loop) {
    this.f = f;
    this.form = form;
    this.runtime = runtime;
    this.loop = loop;
    if (loop) loop.locals.reset();
  }

  /** Operand size attribute of the instruction in bytes. */
  get operandSize(): 2 | 4 {
    return this.form.operandSize;
  }
  /** Size of operand `index` in bytes. */
  size(index: number): Size {
    return this.operand(index).size as Size;
  }
  isMemory(index: number): boolean {
    const { kind } = this.operand(index);
    return kind !== "register" && kind !== "immediate";
  }
  /** True when operand `index` is an MMX register. */
  isMmx(index: number): boolean {
    return this.operand(index).file === "mmx";
  }
  /** True when operand `index` is an MMX or XMM register. */
  isVector(index: number): boolean {
    return this.operand(index).file !== undefined;
  }
  /** A fresh local; its value is undefined. */
  local(type: number = I32): number {
    return this.loop ? this.loop.locals.take(this.f, type) : this.f.local(type);
  }
  protected operand(index: number): Operand {
    const operand = this.form.operands[index];
    if (operand === undefined) throw new Error(`${this.form.operation}: no operand ${index}`);
    return operand;
  }

  // ---- the record -------------------------------------------------------------------------------

  /** Pushes a 32-bit field of the record. */
  field(offset: number): this {
    this.f.get(0).load(offset);
    return this;
  }
  /** Pushes the address of the record. */
  record(): this {
    this.f.get(0);
    return this;
  }
  /** Pushes the number of instructions from this one to the end of its block. */
  remaining(): this {
    this.f.get(0).memory("i32.load8_u", RECORD.REMAINING);
    return this;
  }
  /** Pushes EIP of the next instruction (not yet cut to 16 bits). */
  nextEip(): this {
    this.field(RECORD.EIP);
    this.f.get(0).memory("i32.load8_u", RECORD.LENGTH).add();
    return this;
  }

  // ---- operands ---------------------------------------------------------------------------------

  /** Pushes operand `index`. */
  read(index: number): this {
    const operand = this.operand(index);
    switch (operand.kind) {
      case "register":
        if (operand.fixed !== undefined) this.register(operand.fixed, operand.size as Size);
        else {
          this.field(index === 0 ? RECORD.A : RECORD.B);
          this.loadSized(operand.size as Size);
        }
        break;
      case "immediate":
        this.field(RECORD.IMMEDIATE);
        break;
      default:
        this.linear(index, operand.size, false);
        this.readLinear(this.linearLocal, operand.size as Size);
    }
    return this;
  }
  /** Pushes operand `index`, sign-extended to 32 bits. */
  readSigned(index: number): this {
    this.read(index);
    return this.signExtend(this.size(index));
  }
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
  /**
   * Pushes the low 8 bytes of operand `index` as i64: an MMX register, half of an XMM register, memory.
   * For operands of 8 bytes or more; of memory 8 bytes are read.
   */
  read64(index: number): this {
    const operand = this.operand(index);
    if (operand.kind === "register") this.registerAddress(index).f.memory("i64.load");
    else this.readLinear(this.linear(index, 8, false), 8);
    return this;
  }
  /** Writes an i64 local to operand `index`: all of an MMX register, the low half of an XMM register, memory. */
  write64(index: number, value: number): this {
    const operand = this.operand(index);
    if (operand.kind !== "register") {
      return this.writeLinear(this.linear(index, 8, true), 8, value);
    }
    this.registerAddress(index).f.get(value).memory("i64.store");
    // SDM vol. 3A §12.2: bits 64–79 of the x87 register become ones.
    if (operand.file === "mmx") this.registerAddress(index).f.i32(0xffff).memory("i32.store16", 8);
    return this;
  }
  /**
   * Pushes operand `index` as v128. MMX operands and those of 4 and 8 bytes are the low lanes, zeros above;
   * of an XMM register the whole is pushed, whatever the operand's size is.
   */
  readVector(index: number): this {
    const operand = this.operand(index);
    const { f } = this;
    const size: number = operand.size;
    if (operand.kind === "register") {
      this.registerAddress(index);
      f.vectorMemory(operand.file === "mmx" ? "v128.load64_zero" : "v128.load");
      return this;
    }
    if (size === 16) {
      const linear = this.vectorLinear(index, false);
      return this.readVectorLinear(linear);
    }
    const linear = this.linear(index, size, false);
    this.readLinear(linear, size as 4 | 8);
    if (size === 4) f.op("i64.extend_i32_u");
    // Into lane 0 of zeros.
    const value = this.local(I64);
    f.set(value).v128(ZEROS).get(value).lane("i64x2.replace_lane", 0);
    return this;
  }
  /** Writes a v128 local to operand `index`: 16 bytes, or the low 8 for operands of 8 bytes. */
  writeVector(index: number, value: number): this {
    const operand = this.operand(index);
    const size: number = operand.size;
    if (size === 16) {
      if (operand.kind !== "register") {
        return this.writeVectorLinear(this.vectorLinear(index, true), value);
      }
      this.registerAddress(index).f.get(value).vectorMemory("v128.store");
      return this;
    }
    const low = this.local(I64);
    this.f.get(value).lane("i64x2.extract_lane", 0).set(low);
    return this.write64(index, low);
  }
  /** Pushes the place of operand `index`, a register, in linear memory. */
  registerAddress(index: number): this {
    const { fixed } = this.operand(index);
    if (fixed === undefined) this.field(index === 0 ? RECORD.A : RECORD.B);
    else this.f.i32(fixed);
    return this;
  }
  /** The linear address of a 16-byte operand, after the check of its alignment (attribute A). */
  protected vectorLinear(index: number, write: boolean): number {
    const { aligned, kind } = this.operand(index);
    if (aligned !== true) return this.linear(index, 16, write);
    if (kind === "segmented") return this.alignedLinear(write);
    const linear = this.linear(index, 16, write);
    this.f.get(linear).i32(15).and().if(undefined, false);
    this.raise(13, 0);
    this.f.end();
    return linear;
  }
  /** The linear address of a 16-byte operand in any segment, after its checks. */
  protected alignedLinear(write: boolean): number {
    if (this.linearLocal < 0) this.linearLocal = this.local();
    this.record();
    this.f.i32(write ? 2 : 1).call(this.runtime.segmentedAligned()).set(this.linearLocal);
    return this.linearLocal;
  }
  /** Raises an exception at this instruction (−1: no error code). Nothing may have been committed. */
  protected raise(vector: number, errorCode: number): void {
    this.f.i32(0);
    this.record();
    this.f.store(CURRENT).i32(vector).i32(errorCode).call(this.runtime.raise).op("unreachable");
  }
  /** Writes a local to operand `index`. */
  write(index: number, value: number): this {
    const operand = this.operand(index);
    if (operand.kind === "register" && operand.fixed !== undefined) {
      this.setRegister(operand.fixed, value, operand.size as Size);
    } else if (operand.kind === "register") {
      this.field(index === 0 ? RECORD.A : RECORD.B);
      this.f.get(value);
      this.storeSized(operand.size as Size);
    } else {
      this.linear(index, operand.size, true);
      this.writeLinear(this.linearLocal, operand.size as Size, value);
    }
    return this;
  }
  /** Reads operand `index` into a local, with the promise that `modifyWrite` cannot fault. */
  readModify(index: number, into: number): this {
    const operand = this.operand(index);
    const f = this.f;
    if (operand.kind === "register") {
      this.read(index);
      f.set(into);
      return this;
    }
    const size = operand.size as Size;
    this.linear(index, size, true);
    const entry = this.local();
    this.hostLocal = entry;
    this.lookup(TLB_WRITE, this.linearLocal, size, entry);
    f.if(undefined, false);
    f.get(this.linearLocal);
    this.record();
    f.call(this.runtime.slowReadForWrite(size)).set(into).i32(0).set(entry);
    f.else();
    f.get(this.linearLocal).get(entry).add().tee(entry);
    this.loadSized(size);
    f.set(into).end();
    return this;
  }
  /** Writes a local to the operand that `readModify` read. */
  modifyWrite(index: number, value: number): this {
    const operand = this.operand(index);
    const f = this.f;
    if (operand.kind === "register") return this.write(index, value);
    const size = operand.size as Size;
    f.get(this.hostLocal).if(undefined, true);
    f.get(this.hostLocal).get(value);
    this.storeSized(size);
    f.else().get(this.linearLocal).get(value);
    this.record();
    f.call(this.runtime.slowWrite(size)).end();
    return this;
  }

  /** Pushes the effective address (offset) of the memory operand, as LEA has it. */
  offset(index: number): this {
    const f = this.f;
    const { kind, fixed } = this.operand(index);
    if (fixed !== undefined) this.register(fixed);
    else f.get(0).memory("i32.load16_u", RECORD.BASE).load();
    if (kind !== "base") {
      f.get(0).memory("i32.load16_u", RECORD.INDEX).load();
      f.get(0).memory("i32.load8_u", RECORD.SCALE).shl().add();
    }
    this.field(RECORD.DISPLACEMENT);
    f.add();
    if (this.addressDelta >= 0) f.get(this.addressDelta).add();
    if (kind === "segmented") {
      f.i32(0xffff).i32(-1).get(0).memory("i32.load8_u", RECORD.SCALE).i32(0x80).and()
        .select().and();
    }
    return this;
  }
  /**
   * Computes the linear address of memory operand `index` into a local and returns the local, after the
   * segment checks for an access of `size` bytes.
   */
  linear(index: number, size: number, write: boolean): number {
    if (this.linearLocal < 0) this.linearLocal = this.local();
    if (this.addressDelta >= 0) {
      this.offset(index);
      if (this.operand(index).kind === "segmented") {
        this.recordSegmentCheck(size, write);
      }
      this.f.set(this.linearLocal);
    } else if (this.operand(index).kind === "segmented") {
      this.record();
      this.f.i32(size).i32(write ? 2 : 1).call(this.runtime.segmented()).set(this.linearLocal);
    } else {
      this.offset(index);
      this.f.set(this.linearLocal);
    }
    return this.linearLocal;
  }
  /** Pushes memory at the linear address in a local. 8 bytes push an i64. */
  readLinear(linear: number, size: Size | 8): this {
    const f = this.f;
    const entry = this.local();
    this.lookup(TLB_READ, linear, size, entry);
    f.if(size === 8 ? I64 : I32, false);
    f.get(linear);
    this.record();
    f.call(this.runtime.slowRead(size)).else();
    f.get(linear).get(entry).add();
    this.loadSized(size);
    f.end();
    return this;
  }
  /** Pushes 16 bytes of memory at the linear address in a local. */
  readVectorLinear(linear: number): this {
    const f = this.f;
    const entry = this.local();
    this.lookup(TLB_READ, linear, 16, entry);
    f.if(V128, false);
    f.get(linear);
    this.record();
    f.call(this.runtime.slowReadVector()).else();
    f.get(linear).get(entry).add().vectorMemory("v128.load").end();
    return this;
  }
  /** Writes a v128 local to memory at the linear address in a local. */
  writeVectorLinear(linear: number, value: number): this {
    const f = this.f;
    const entry = this.local();
    this.lookup(TLB_WRITE, linear, 16, entry);
    f.if(undefined, false);
    f.get(linear).get(value);
    this.record();
    f.call(this.runtime.slowWriteVector()).else();
    f.get(linear).get(entry).add().get(value).vectorMemory("v128.store").end();
    return this;
  }
  /** Writes a local (i64 for 8 bytes) to memory at the linear address in a local. */
  writeLinear(linear: number, size: Size | 8, value: number): this {
    const f = this.f;
    const entry = this.local();
    this.lookup(TLB_WRITE, linear, size, entry);
    f.if(undefined, false);
    f.get(linear).get(value);
    this.record();
    f.call(this.runtime.slowWrite(size)).else();
    f.get(linear).get(entry).add().get(value);
    this.storeSized(size);
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
  protected lookup(table: number, linear: number, size: Size | 8 | 16, entry: number): void {
    const f = this.f;
    f.loadAt(table).get(linear).i32(10).shrU().i32(0x3ffffc).and().add().load();
    f.i32(TLB_DIRECT).sub().tee(entry);
    if (size > 1) f.get(linear).or();
    f.i32(size > 1 ? size - 1 : 1).and();
  }
  protected loadSized(size: Size | 8): void {
    if (size === 8) this.f.memory("i64.load");
    else this.f.memory(size === 4 ? "i32.load" : size === 2 ? "i32.load16_u" : "i32.load8_u");
  }
  protected storeSized(size: Size | 8): void {
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
    this.recordSegment();
    this.f.i32(size).i32(write ? 2 : 1);
    this.record();
    this.f.call(this.runtime.checkSegment());
    return this;
  }
  /** Pushes the state offset of the record's segment. */
  recordSegment(): this {
    this.f.get(0).memory("i32.load8_u", RECORD.SEGMENT).i32(7).and();
    this.f.i32(SEGMENT_BYTES).mul().i32(SEGMENTS).add();
    return this;
  }
  /** Linear address, in a fresh local, of an implicit operand at an offset (cut by the address size). */
  implicitLinear(offset: number, size: number, write: boolean): number {
    const f = this.f;
    const linear = this.local();
    f.get(offset).i32(0xffff).i32(-1);
    f.get(0).memory("i32.load8_u", RECORD.SCALE).i32(0x80).and().select().and();
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
}
