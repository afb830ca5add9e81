/**
 * The emitter of translated code: the same semantics as the interpreter's, with the record's fields as
 * constants, general registers in locals, and flags computed where somebody looks at them.
 *
 * The rule that keeps state precise: whatever cannot be done here (a fault, a device, a store to decoded
 * code) is found out before the instruction has changed anything. Then registers and flags go back to memory
 * and the region returns the address of the instruction's record, where the interpreter goes on
 * (`bail`). Sources: execute/emit.ts (order of effects), state/layout.ts (records, lazy flags).
 * @module
 */
import { FAULTS, storeReady } from "../execute/code_stores.ts";
import { Emitter, type Form, type Guard, type Size } from "../execute/emit.ts";
import { RETURNED } from "../execute/handlers.ts";
import type { Condition } from "../execute/form.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32 } from "../execute/wasm.ts";
import * as L from "../state/layout.ts";
import { FPU_PENDING, FPU_POINTERS, FPU_WORDS, registerIndex } from "./fpu_locals.ts";
import type { Window } from "./windows.ts";
import { goOnAt, WAY, type Way } from "./leave.ts";
import { isShift, type OperationFlags, pushAux, pushCarry, pushResult } from "./flags.ts";
import { FLAGS, type RegionState } from "./region_state.ts";

const ALL_FLAGS = 0x300;

/** How the region continues at the branches of an instruction. */
export interface Edges {
  /** Emits the way along link A (`RECORD.A`) or B; false: it leaves the region. */
  follow(link: number): boolean;
  /** Emits a call whose target is behind link A, or (−1) is in a local; the state is in memory. */
  call(link: number, target: number): void;
  /** Emits the ways of an indirect jump to the EIP in a local, as far as they stay in the region. */
  jumpTo(target: number): void;
  /** Whether an indirect jump that leaves the region shall be reported. */
  reportsJump(): boolean;
  /** Emits the way to the next instruction if the mode is what it was. */
  sameMode(): void;
  /** Emits the way of a RET to the EIP in a local, where the call is part of the region. */
  returnTo(target: number): void;
}

/** What a region's functions import besides the handlers' runtime. */
export interface RegionRuntime {
  /** (linear, size, write) → host address, or 0. */
  readonly ready: number;
  /** (record) → 1 when its page fault is delivered and nothing else is due, or 0. */
  readonly pageFault: number;
  /** (link, target, record) → next record or 0. */
  readonly follow: number;
  /** (target) → next record or 0. */
  readonly jump: number;
  /** (record, linear, size, value, write): tells the listener of a record of an access. */
  readonly access: number;
  /** (record, target): where an indirect jump led. */
  readonly report: number;
}

/** Emits one instruction of a region. */
export class RegionEmitter extends Emitter {
  readonly #state: RegionState;
  readonly #view: DataView;
  readonly #at: number;
  readonly #mode: number;
  readonly #imports: RegionRuntime;
  readonly #edges: Edges;
  readonly #depth: number;

  constructor(options: {
    state: RegionState;
    form: Form;
    runtime: Runtime;
    imports: RegionRuntime;
    view: DataView;
    record: number;
    mode: number;
    edges: Edges;
  }) {
    const { state } = options;
    super(state.f, options.form, options.runtime);
    this.#state = state;
    this.#view = options.view;
    this.#at = options.record;
    this.#mode = options.mode;
    this.#imports = options.imports;
    this.#edges = options.edges;
    this.#depth = state.f.depth;
  }

  override local(type: number = I32): number {
    return this.#state.take(type);
  }

  // ---- leaving ----------------------------------------------------------------------------------

  /** Puts what is newer in locals into memory; the state of the emission stays as it is. */
  spill(): this {
    const { f } = this;
    const { dirty, registers, budget, pending } = this.#state;
    for (let i = 0; i < FLAGS; i++) {
      if (dirty & (1 << i)) f.i32(0).get(registers[i] as number).store(L.GPR + 4 * i);
    }
    this.#state.seen.spills = true;
    if (pending?.kind === "deferred") this.#state.flags.settle(this.runtime);
    if (pending !== undefined && pending.kind !== "deferred") {
      f.i32(0);
      pushResult(f, pending);
      f.store(L.FLAGS_RESULT).i32(0);
      pushAux(f, pending, this.#local);
      f.store(L.FLAGS_AUX);
    } else if (dirty & ALL_FLAGS) {
      f.i32(0).get(registers[FLAGS] as number).store(L.FLAGS_RESULT);
      f.i32(0).get(registers[FLAGS + 1] as number).store(L.FLAGS_AUX);
    }
    f.i32(0).get(budget).store(L.BUDGET);
    this.#state.counts.flush();
    this.#state.fpu.spill(this.runtime, dirty);
    return this;
  }
  /** The state is in memory: see `onMemory`. */
  #onMemory = false;
  override onMemory(): this {
    this.#state.seen.bails = true;
    this.#onMemory = true;
    return this.spill();
  }
  override inMemory(body: () => void): this {
    const { fpu, seen } = this.#state;
    this.#state.used |= FPU_WORDS;
    this.#state.dirty |= FPU_WORDS;
    seen.written |= FPU_WORDS;
    fpu.store(FPU_WORDS);
    body();
    fpu.load(FPU_WORDS);
    return this;
  }
  override pointersLater(memory: boolean): boolean {
    this.#state.used |= FPU_POINTERS;
    this.#state.fpu.point(this.#at, memory ? () => this.offset() : undefined);
    return true;
  }
  /** Leaves behind this instruction, if the next x87 instruction does not run because of it. */
  override mayBePending(): this {
    this.register(L.FPU_STATUS).f.i32(FPU_PENDING).and().if(undefined, false);
    this.leaveBy(WAY.INTERPRET, this.#at + L.RECORD_BYTES).f.end();
    return this;
  }
  override get translated(): boolean {
    return true;
  }
  override budget(): this {
    this.f.get(this.#state.budget);
    return this;
  }
  override setBudget(value: number): this {
    this.#state.seen.spends = true;
    this.f.get(value).set(this.#state.budget);
    return this;
  }
  /** Leaves; what is in locals is in memory then. */
  leaveBy(way: Way, at: number, link = 0): this {
    this.#state.seen.bails = true;
    this.#countLeaving(way);
    this.#state.leaving.leave(this.#state, way, at, link);
    return this;
  }
  #countLeaving(way: Way): void {
    const { f, counters } = this.#state;
    if (counters === undefined) return;
    if (way === WAY.BUDGET) counters.add(f, "leave: budget");
    else if (way === WAY.FOLLOW) counters.add(f, "leave: link");
    else if (way === WAY.DISPATCH) counters.add(f, "leave: dispatch");
    else {
      const left = this.#view.getUint8(this.#at + L.RECORD.REMAINING);
      counters.add(f, `bail ${this.form.operation}${this.#cause}`);
      counters.add(f, "translated", -left);
      counters.add(f, "interpreted behind", left);
    }
    this.#cause = "";
  }
  /** Why it leaves, behind the operation's name in the count. */
  #cause = "";
  /** Leaves before this instruction: the interpreter does it. */
  override bail(): this {
    return this.leaveBy(WAY.INTERPRET, this.#at);
  }
  override guard(guard: Guard, refused: () => void): this {
    if ((this.#state.guarded & guard) === guard) return this;
    refused();
    this.f.if(undefined, false);
    this.bail().f.end();
    if (this.f.depth === this.#depth) this.#state.guarded |= guard;
    return this;
  }
  protected override raise(): void {
    this.bail();
  }
  override fault(): this {
    this.#cause = ": fault";
    return this.bail();
  }
  override assist(): this {
    this.#cause = ": assist";
    return this.bail();
  }
  override checkTarget(target: number): this {
    if ((this.#mode & L.MODE.FLAT_CODE) !== 0) return this;
    const { f } = this;
    f.get(target).loadAt(L.segmentOffset(L.CS) + L.SEGMENT.LIMIT).gtU().if(undefined, false);
    this.bail();
    f.end();
    return this;
  }
  override exit(eip: number): this {
    if (this.#onMemory) return super.exit(eip);
    this.f.get(eip);
    this.#state.leaving.setTarget();
    return this.leaveBy(WAY.DISPATCH, this.#at);
  }
  override next(): this {
    return this;
  }
  override branch(link: number, target: () => void): this {
    const { operation } = this.form;
    if (operation === "call" && !this.#edges.follow(link)) {
      this.#state.seen.bails = true;
      this.spill();
      this.#edges.call(link, -1);
      return this;
    }
    if (operation === "call" || this.#edges.follow(link)) return this;
    target();
    this.#state.leaving.setTarget();
    return this.leaveBy(WAY.FOLLOW, this.#at, link);
  }
  override jump(target: number): this {
    const { f } = this;
    this.#state.seen.bails = true;
    if (this.#onMemory) {
      f.get(target).call(this.#imports.jump).set(target);
      goOnAt(f, target, this.runtime.handlerType);
      return this;
    }
    switch (this.form.operation) {
      case "callE":
        this.#state.counters?.add(f, "indirect call");
        this.spill();
        this.#edges.call(-1, target);
        break;
      case "ret":
        this.#edges.returnTo(target);
        this.#state.counters?.add(f, "return");
        this.spill();
        f.i32(0).get(target).store(L.EIP).i32(RETURNED).return();
        break;
      case "movToSegment":
      case "popSegment":
        this.#edges.sameMode();
        this.spill();
        f.get(target).call(this.#imports.jump).set(target);
        goOnAt(f, target, this.runtime.handlerType);
        break;
      default:
        this.#edges.jumpTo(target);
        this.#state.counters?.add(f, "indirect jump");
        this.spill();
        if (this.#edges.reportsJump()) f.i32(this.#at).get(target).call(this.#imports.report);
        f.get(target).call(this.#imports.jump).set(target);
        goOnAt(f, target, this.runtime.handlerType);
    }
    return this;
  }

  // ---- the record -------------------------------------------------------------------------------

  override field(offset: number): this {
    if (this.#isLive(offset)) this.f.loadAt(this.#at + offset);
    else this.f.i32(this.#field(offset));
    return this;
  }
  /** Whether a field is loaded from the guest's code each time. */
  #isLive(offset: number): boolean {
    const flags = this.#view.getUint8(this.#at + L.RECORD.SEGMENT);
    const { LIVE_DISPLACEMENT, LIVE_IMMEDIATE } = L.RECORD_FLAG;
    return (offset === L.RECORD.IMMEDIATE && (flags & LIVE_IMMEDIATE) !== 0) ||
      (offset === L.RECORD.DISPLACEMENT && (flags & LIVE_DISPLACEMENT) !== 0);
  }
  #field(offset: number): number {
    return this.#view.getInt32(this.#at + offset, true);
  }
  override record(): this {
    this.f.i32(this.#at);
    return this;
  }
  override remaining(): this {
    this.f.i32(this.#view.getUint8(this.#at + L.RECORD.REMAINING));
    return this;
  }
  override nextEip(): this {
    this.f.i32(this.#field(L.RECORD.EIP) + this.#view.getUint8(this.#at + L.RECORD.LENGTH));
    return this;
  }

  // ---- registers --------------------------------------------------------------------------------

  override registerAddress(index: number): this {
    this.f.i32(this.#place(index));
    return this;
  }
  override register(offset: number, size: Size = 4): this {
    const index = registerIndex(offset);
    if (index < 0) return super.register(offset, size);
    this.#state.used |= 1 << index;
    const { f } = this;
    if (size === 1 && (offset & 3) === 0 && this.#state.lowBytes & (1 << index)) {
      f.get(this.#state.lowByte(index));
      return this;
    }
    f.get(this.#state.registers[index] as number);
    if (offset & 3) f.i32(8).shrU();
    return this.zeroExtend(size);
  }
  override setRegister(offset: number, value: number, size: Size = 4): this {
    const index = registerIndex(offset);
    if (index < 0) return super.setRegister(offset, value, size);
    const { f } = this;
    const register = this.#state.registers[index] as number;
    this.#state.used |= 1 << index;
    this.#state.dirty |= 1 << index;
    this.#state.seen.written |= 1 << index;
    const shift = offset & 3 ? 8 : 0;
    if (shift === 0) this.#state.lowBytes &= ~(1 << index);
    if (size === 4) {
      f.get(value).set(register);
      return this;
    }
    const mask = size === 1 ? 0xff : 0xffff;
    f.get(register).i32(~(mask << shift)).and().get(value).i32(mask).and();
    if (shift !== 0) f.i32(shift).shl();
    else if (size === 1 && f.depth === this.#depth) {
      f.tee(this.#state.lowByte(index));
      this.#state.lowBytes |= 1 << index;
    }
    f.or().set(register);
    return this;
  }
  override setStack(value: number): this {
    if (this.#stack32()) return this.setRegister(L.ESP, value);
    return this.setRegister(L.ESP, value, 2);
  }
  #stack32(): boolean {
    return (this.#mode & L.MODE.STACK32) !== 0;
  }

  // ---- operands ---------------------------------------------------------------------------------

  #place(index: number): number {
    const operand = this.operand(index);
    return operand.fixed ?? this.#field(index === 0 ? L.RECORD.A : L.RECORD.B);
  }
  override read(index: number): this {
    const operand = this.operand(index);
    const size = operand.size as Size;
    switch (operand.kind) {
      case "register":
        return this.register(this.#place(index), size);
      case "immediate":
        return this.field(L.RECORD.IMMEDIATE);
      default:
        return this.readLinear(this.linear(index, size, false), size);
    }
  }
  override write(index: number, value: number): this {
    const operand = this.operand(index);
    const size = operand.size as Size;
    if (operand.kind === "register") return this.setRegister(this.#place(index), value, size);
    return this.writeLinear(this.linear(index, size, true), size, value);
  }
  override readModify(index: number, into: number): this {
    const operand = this.operand(index);
    const { f } = this;
    if (operand.kind === "register") {
      this.read(index);
      f.set(into);
      return this;
    }
    const size = operand.size as Size;
    this.hostLocal = this.local();
    this.#host(this.linear(index, size, true), size, true);
    f.tee(this.hostLocal);
    this.loadSized(size);
    f.set(into);
    return this;
  }
  override modifyWrite(index: number, value: number): this {
    const operand = this.operand(index);
    if (operand.kind === "register") return this.write(index, value);
    this.f.get(this.hostLocal).get(value);
    this.storeSized(operand.size as Size);
    return this;
  }
  override offset(): this {
    const { f } = this;
    const base = this.#view.getUint16(this.#at + L.RECORD.BASE, true);
    const index = this.#view.getUint16(this.#at + L.RECORD.INDEX, true);
    const scale = this.#view.getUint8(this.#at + L.RECORD.SCALE);
    const displacement = this.#field(L.RECORD.DISPLACEMENT);
    let any = false;
    if (base !== L.ZERO) {
      this.register(base);
      any = true;
    }
    if (index !== L.ZERO) {
      this.register(index);
      if (scale & 3) f.i32(scale & 3).shl();
      if (any) f.add();
      any = true;
    }
    if (displacement !== 0 || !any || this.#isLive(L.RECORD.DISPLACEMENT)) {
      this.field(L.RECORD.DISPLACEMENT);
      if (any) f.add();
    }
    if (this.addressDelta >= 0) f.get(this.addressDelta).add();
    if (scale & 0x80) f.i32(0xffff).and();
    return this;
  }
  override linear(_index: number, size: number, write: boolean): number {
    if (this.linearLocal < 0) this.linearLocal = this.local();
    this.offset();
    this.recordSegmentCheck(size, write);
    this.f.set(this.linearLocal);
    this.#placeOperand(this.linearLocal);
    return this.linearLocal;
  }
  protected override vectorLinear(index: number, write: boolean): number {
    const linear = this.linear(index, 16, write);
    if (this.operand(index).aligned !== true) return linear;
    this.f.get(linear).i32(15).and().if(undefined, false);
    this.bail().f.end();
    return linear;
  }
  /** Tells the windows where a memory operand is, if it is a flat one at a register plus a number. */
  #placeOperand(linear: number): void {
    const segment = this.#view.getUint8(this.#at + L.RECORD.SEGMENT) & 7;
    const scale = this.#view.getUint8(this.#at + L.RECORD.SCALE);
    const index = this.#view.getUint16(this.#at + L.RECORD.INDEX, true);
    if (!this.#isFlat(segment) || scale & 0x80 || index !== L.ZERO || this.addressDelta >= 0) {
      return;
    }
    // A displacement that is loaded each time tells nothing now.
    if (this.#isLive(L.RECORD.DISPLACEMENT)) return;
    const base = this.#view.getUint16(this.#at + L.RECORD.BASE, true);
    this.#state.windows.place(linear, base, this.#field(L.RECORD.DISPLACEMENT), true);
  }
  #isFlat(segment: number): boolean {
    return (this.#mode & L.MODE.FLAT_DATA) !== 0 &&
      (segment === L.DS || segment === L.SS || segment === L.ES);
  }
  override recordSegmentCheck(size: number, write: boolean): this {
    const segment = this.#view.getUint8(this.#at + L.RECORD.SEGMENT) & 7;
    return this.segmentCheck(segment, size, write);
  }
  override recordSegment(): this {
    this.f.i32(L.segmentOffset(this.#view.getUint8(this.#at + L.RECORD.SEGMENT) & 7));
    return this;
  }
  override segmentCheck(segment: number, size: number, write: boolean): this {
    if (this.#isFlat(segment)) return this;
    const { f } = this;
    const at = L.segmentOffset(segment);
    const [offset, last] = [this.local(), this.local()];
    if (this.#view.getInt32(at + L.SEGMENT.OPEN, true) !== 0) {
      // As it was when this was emitted; if not, the interpreter looks closer.
      f.set(offset).loadAt(at + L.SEGMENT.OPEN).eqz().if(undefined, false);
      this.bail();
      f.end().loadAt(at + L.SEGMENT.BASE).get(offset).add();
      return this;
    }
    f.tee(offset).i32(size - 1).add().set(last);
    f.loadAt(at + L.SEGMENT.ACCESS).i32(write ? 2 : 1).and().eqz();
    f.get(offset).loadAt(at + L.SEGMENT.LOW).ltU().or();
    f.get(last).loadAt(at + L.SEGMENT.HIGH).gtU().or();
    f.get(last).get(offset).ltU().or().if(undefined, false);
    this.bail();
    f.end().loadAt(at + L.SEGMENT.BASE).get(offset).add();
    return this;
  }
  override implicitLinear(offset: number, size: number, write: boolean): number {
    const linear = this.local();
    this.f.get(offset);
    if (this.#view.getUint8(this.#at + L.RECORD.SCALE) & 0x80) this.f.i32(0xffff).and();
    this.recordSegmentCheck(size, write);
    this.f.set(linear);
    return linear;
  }
  override stackLinear(delta: number, size: number, write: boolean): number {
    const linear = this.local();
    this.register(L.ESP);
    if (delta !== 0) this.f.i32(delta).add();
    this.#stackSegment(linear, size, write);
    if (this.#stack32() && this.#isFlat(L.SS)) this.#state.windows.place(linear, L.ESP, delta);
    return linear;
  }
  override stackLinearAt(offset: number, size: number, write: boolean): number {
    const linear = this.local();
    this.f.get(offset);
    this.#stackSegment(linear, size, write);
    if (this.form.operation === "leave" && this.#stack32() && this.#isFlat(L.SS)) {
      this.#state.windows.place(linear, L.EBP, 0);
    }
    return linear;
  }
  #stackSegment(linear: number, size: number, write: boolean): number {
    if (!this.#stack32()) this.f.i32(0xffff).and();
    this.segmentCheck(L.SS, size, write);
    this.f.set(linear);
    return linear;
  }

  // ---- memory -----------------------------------------------------------------------------------

  /**
   * Pushes the host address of an access at the linear address in a local, or bails. `value`: what is stored, for a
   * store that would change nothing is no change of code.
   */
  #host(linear: number, size: number, write: boolean, value?: number): void {
    const { f } = this;
    const addend = this.local();
    const window = this.#state.windows.find(
      linear,
      size,
      write,
      f.depth === this.#depth ? () => this.#state.takeWindow() : undefined,
    );
    if (window !== undefined) {
      if (window.opens !== undefined) this.#openWindow(linear, window.local, window.opens);
      f.get(window.local).tee(addend).i32(1).and().if(undefined, false);
      this.#slowAddend(linear, size, write, addend, value);
      f.end().get(linear).get(addend).add();
      return;
    }
    // Two branches, not one condition of both: fewer instructions of the host, none of them on the way to the address.
    f.block().block();
    // Numbers of 8 bytes are at multiples of 4 as a rule: only what crosses the page is rare.
    if (size >= 8) f.get(linear).i32(0xfff).and().i32(0x1000 - size).gtU().brIf(0, false);
    else if (size > 1) f.get(linear).i32(size - 1).and().brIf(0, false);
    this.#tlbWord(linear, write);
    f.tee(addend).i32(L.TLB_DIRECT).and().brIf(1, true).end();
    this.#slowAddend(linear, size, write, addend, value);
    f.get(addend).i32(L.TLB_DIRECT).add().set(addend);
    f.end().get(linear).get(addend).add().i32(-L.TLB_DIRECT).add();
  }
  /** Pushes the TLB's word of the page at a linear address in a local. */
  #tlbWord(linear: number, write: boolean): void {
    const { f } = this;
    // (The host adds a multiple in one instruction; a masked shift takes two.)
    f.get(write ? this.#state.writeTable : this.#state.readTable);
    f.get(linear).i32(12).shrU().i32(2).shl().add().load();
  }
  /** The addend where the TLB alone does not tell: by a call, which may change the TLB. */
  #slowAddend(
    linear: number,
    size: number,
    write: boolean,
    addend: number,
    value?: number,
  ): void {
    const { f } = this;
    this.#ready(linear, size | (write ? 0x100 : 0), value);
    f.tee(addend).eqz().if(undefined, false);
    this.#cause = ": memory";
    this.bail();
    f.end().get(addend).get(linear).sub().set(addend);
  }
  #ready(linear: number, access: number, value?: number): void {
    const { f } = this;
    if (value === undefined) f.get(linear).i32(access | FAULTS).call(this.#imports.ready);
    else f.get(linear).get(value).call(storeReady(this.runtime, (access & 0xff) as Size));
    // Not a call after which nothing is known: it closes the windows that it may have made untrue.
    f.calls--;
    for (const local of this.#state.windows.open) f.i32(-1).set(local);
  }
  /** Looks up the page for a range around the access: the local becomes its addend, or odd. */
  #openWindow(linear: number, local: number, range: NonNullable<Window["opens"]>): void {
    const { f } = this;
    const first = this.local();
    f.get(linear);
    if (range.from !== 0) f.i32(range.from).add();
    f.set(first);
    this.#tlbWord(first, range.writes);
    f.i32(L.TLB_DIRECT).sub();
    f.get(first).i32(0xfff).and().i32(0x1000 - range.length).gtU().or().set(local);
  }
  override readLinear(linear: number, size: Size | 8): this {
    this.#host(linear, size, false);
    this.loadSized(size);
    return this;
  }
  override writeLinear(linear: number, size: Size | 8, value: number): this {
    this.#host(linear, size, true, size === 8 ? undefined : value);
    this.f.get(value);
    this.storeSized(size);
    return this;
  }
  override readVectorLinear(linear: number): this {
    this.#host(linear, 16, false);
    this.f.vectorMemory("v128.load");
    return this;
  }
  override writeVectorLinear(linear: number, value: number): this {
    this.#host(linear, 16, true);
    this.f.get(value).vectorMemory("v128.store");
    return this;
  }
  override probeWrite(linear: number, size: number): this {
    const { f } = this;
    this.#ready(linear, size | 0x100);
    f.eqz().if(undefined, false);
    this.bail();
    f.end();
    return this;
  }

  // ---- flags ------------------------------------------------------------------------------------

  readonly #local = (): number => this.local();
  #markFlagsSet(): void {
    const { seen } = this.#state;
    if (this.f.depth > this.#depth) seen.flagsSetUnderCondition = true;
    else seen.flagsSet = true;
  }
  /** Puts pending flags into the flags' locals. */
  settleFlags(): this {
    const state = this.#state;
    const { pending, registers } = state;
    if (pending === undefined) return this;
    if (pending.kind === "deferred") state.flags.settle(this.runtime);
    else {
      pushResult(this.f, pending);
      this.f.set(registers[FLAGS] as number);
      pushAux(this.f, pending, this.#local);
      this.f.set(registers[FLAGS + 1] as number);
    }
    state.used |= ALL_FLAGS;
    state.pending = undefined;
    state.dirty |= ALL_FLAGS;
    return this;
  }
  /** Defers flags; `carry`: CF shall be known on its own. */
  passFlags(carry: boolean): this {
    const { flags, pending } = this.#state;
    if (carry && !(pending?.kind === "deferred" && pending.carry)) {
      this.carry();
      flags.setCarry();
    }
    flags.defer(pending);
    return this;
  }
  override setFlags(result: number, aux: number): this {
    const state = this.#state;
    this.#markFlagsSet();
    state.pending = undefined;
    state.dirty |= ALL_FLAGS;
    state.used |= ALL_FLAGS;
    this.f.get(result).set(state.registers[FLAGS] as number);
    this.f.get(aux).set(state.registers[FLAGS + 1] as number);
    return this;
  }
  #defer(kind: OperationFlags["kind"], a: number, b: number, result: number, size: Size): boolean {
    if (this.f.depth > this.#depth) return false;
    this.#markFlagsSet();
    const plain = this.form.operation !== "adc" && this.form.operation !== "sbb";
    this.#state.pending = { kind, a, b, result, size, plain };
    return true;
  }
  override flagsAdd(a: number, b: number, sum: number, size: Size): this {
    return this.#defer("add", a, b, sum, size) ? this : super.flagsAdd(a, b, sum, size);
  }
  override flagsSub(a: number, b: number, difference: number, size: Size): this {
    return this.#defer("sub", a, b, difference, size)
      ? this
      : super.flagsSub(a, b, difference, size);
  }
  override flagsLogic(value: number, size: Size): this {
    return this.#defer("logic", value, value, value, size) ? this : super.flagsLogic(value, size);
  }
  override flagsShift(value: number, size: Size, carry: number, overflow: number): this {
    return this.#defer("shift", carry, overflow, value, size)
      ? this
      : super.flagsShift(value, size, carry, overflow);
  }
  override flagsOfShift(
    operation: "shl" | "shr" | "sar",
    value: number,
    count: number,
    result: number,
    size: Size,
  ): this {
    return this.#defer(operation, value, count, result, size)
      ? this
      : super.flagsOfShift(operation, value, count, result, size);
  }
  override flagsStep(by: 1 | -1, carry: number, result: number, size: Size): this {
    const turn = this.local();
    this.f.i32(by === 1 ? 0 : -1).set(turn);
    return this.#defer("step", carry, turn, result, size)
      ? this
      : super.flagsStep(by, carry, result, size);
  }
  override constant(index: number): number | undefined {
    if (this.operand(index).kind !== "immediate" || this.#isLive(L.RECORD.IMMEDIATE)) {
      return undefined;
    }
    return this.#field(L.RECORD.IMMEDIATE);
  }
  /** Pending flags of an operation; what is deferred is computed. */
  #readFlags(): OperationFlags | undefined {
    const { pending, flags, seen } = this.#state;
    seen.flagsRead = true;
    this.#state.used |= ALL_FLAGS;
    if (pending?.kind !== "deferred") return pending;
    flags.settle(this.runtime);
    return undefined;
  }
  protected override pushResult(): void {
    const pending = this.#readFlags();
    if (pending !== undefined) pushResult(this.f, pending);
    else this.f.get(this.#state.registers[FLAGS] as number);
  }
  protected override pushAux(): void {
    const pending = this.#readFlags();
    if (pending !== undefined) pushAux(this.f, pending, this.#local);
    else this.f.get(this.#state.registers[FLAGS + 1] as number);
  }
  override carry(): this {
    const { pending, seen, flags } = this.#state;
    const { f } = this;
    const { flagsRead } = seen;
    seen.carryRead = true;
    if (pending === undefined) {
      super.carry();
      seen.flagsRead = flagsRead;
      return this;
    }
    if (pending.kind === "deferred") {
      if (!pending.carry) return super.carry();
      flags.pushCarry();
      return this;
    }
    const { kind, a, b, result, size, plain } = pending;
    if (kind === "logic") f.i32(0);
    else if (kind === "shift" || kind === "step") f.get(a);
    else if (isShift(kind)) pushCarry(f, pending);
    else if (kind === "sub" && plain) f.get(a).get(b).ltU();
    else if (kind === "add" && plain) {
      f.get(result);
      this.zeroExtend(size).f.get(a).ltU();
    } else return super.carry();
    return this;
  }
  override condition(code: Condition): this {
    const { f } = this;
    const pending = this.#readFlags();
    if (pending === undefined) return super.condition(code);
    const { kind, a, b, size, plain } = pending;
    const negate = (code & 1) !== 0;
    const even = code >> 1;
    if (even === 2) {
      pushResult(f, pending);
      if (negate) f.i32(0).ne();
      else f.eqz();
      return this;
    }
    if (even === 4 || (kind === "logic" && even === 6)) {
      pushResult(f, pending);
      f.i32(0).op(negate ? "i32.ge_s" : "i32.lt_s");
      return this;
    }
    if (kind === "logic" && even === 7) {
      pushResult(f, pending);
      f.i32(0).op(negate ? "i32.gt_s" : "i32.le_s");
      return this;
    }
    if (kind === "sub" && plain && (even === 1 || even === 3 || even >= 6)) {
      f.get(a);
      if (even >= 6) this.signExtend(size);
      f.get(b);
      if (even >= 6) this.signExtend(size);
      if (even === 1) f.op(negate ? "i32.ge_u" : "i32.lt_u");
      else if (even === 3) f.op(negate ? "i32.gt_u" : "i32.le_u");
      else if (even === 6) f.op(negate ? "i32.ge_s" : "i32.lt_s");
      else f.op(negate ? "i32.gt_s" : "i32.le_s");
      return this;
    }
    return super.condition(code);
  }
}
