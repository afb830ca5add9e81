/**
 * Interrupts, IRET, SYSENTER and SYSEXIT in Wasm, for what kernels do all day: interrupt and trap gates into flat
 * 32-bit code at CPL 0, on the present stack or that of the TSS, and the way back to CPL 0 or 3.
 *
 * Everything is looked at before anything changes. Where something is unusual (another kind of gate or segment, a
 * descriptor never accessed, a page that is not in the TLB, a listener), a function returns 0 with nothing changed,
 * and TypeScript does it all (delivery.ts, iret.ts, software.ts), faults included. Sources: as there.
 * @module
 */
import { Emitter, type Semantics } from "../execute/emit.ts";
import { Code, int, type Local, Value, word } from "../execute/expression.ts";
import { NO_FORM } from "../execute/form.ts";
import type { Runtime } from "../execute/runtime.ts";
import { I32, type WasmFunction } from "../execute/wasm.ts";
import { AC, ARITHMETIC, IF, NT, RF, TF, VIF, VIP, VM } from "../state/flags.ts";
import * as L from "../state/layout.ts";

/** Second word of a descriptor: what makes flat code and flat stacks, and where the DPL is. */
const FLAT_LOW = 0xffff;
const CODE_MASK = 0xffcffdff;
const FLAT_CODE = 0x00cf9900;
const DATA_MASK = 0xffcfffff;
const FLAT_DATA = 0x00cf9300;
const DPL = 0x6000;
/** P, S and type of 32-bit interrupt and trap gates; bit 0 of the type tells them apart. */
const GATE_MASK = 0x9e00;
const GATE32 = 0x8e00;
const TRAP_BIT = 0x100;
/** Attributes of a segment cache: D/B; of TR: a 32-bit TSS. */
const BIG = 0x4000;
const IS_TSS32 = 8;
/** Bytes of SS0:ESP0 and where they are. */
const STACK0 = 4;
const STACK0_BYTES = 6;

/** What the functions return. */
export const OUTCOME = {
  /** Nothing happened: TypeScript does it. */
  UNUSUAL: 0,
  DONE: 1,
  /** Done; something may be due at this boundary. */
  LOOK: 2,
} as const;

function field(segment: number, offset: number): Value {
  return word(L.segmentOffset(segment) + offset);
}

/** Statements of such functions. */
export class Events extends Code {
  unusualIf(condition: Value): void {
    this.if(condition, () => this.return(OUTCOME.UNUSUAL), undefined, false);
  }
  /** Place in linear memory of bytes that the supervisor may access at a linear address, all in one page. */
  host(linear: Local, bytes: Value | number, table: number): Local {
    const entry = this.int(
      word(L.TLB_SPACE).add(linear.shrU(12).shl(2)).load(table).sub(L.TLB_DIRECT),
    );
    this.unusualIf(entry.and(1).or(linear.and(0xfff).add(bytes).gtU(0x1000)));
    return this.int(linear.add(entry));
  }
  /** Where the descriptor of a selector is in linear memory; it is in the GDT and not the null one. */
  descriptor(selector: Local): Local {
    this.unusualIf(
      selector.and(0xfffc).isZero().or(selector.and(4))
        .or(selector.or(7).and(0xffff).gtU(word(L.GDTR_LIMIT))),
    );
    const linear = this.int(word(L.GDTR_BASE).add(selector.and(0xfff8)));
    return this.host(linear, 8, L.TLB_READ_SUPERVISOR);
  }
  /** The second word of a flat descriptor, which under a mask is as wanted. */
  flatDescriptor(selector: Local, mask: number, wanted: Value | number): Local {
    const host = this.descriptor(selector);
    const high = this.int(host.load(4));
    this.unusualIf(host.load().ne(FLAT_LOW).or(high.and(mask).ne(wanted)));
    return high;
  }
  /** Loads a segment cache with a flat segment. */
  loadFlat(
    segment: number,
    selector: Value,
    attributes: Value | number,
    access: Value | number,
  ): void {
    const at = L.segmentOffset(segment);
    this.storeWord(at + L.SEGMENT.SELECTOR, selector);
    this.storeWord(at + L.SEGMENT.BASE, 0);
    this.storeWord(at + L.SEGMENT.LIMIT, -1);
    this.storeWord(at + L.SEGMENT.ATTRIBUTES, attributes);
    this.storeWord(at + L.SEGMENT.LOW, 0);
    this.storeWord(at + L.SEGMENT.HIGH, -1);
    this.storeWord(at + L.SEGMENT.ACCESS, access);
    this.storeWord(at + L.SEGMENT.OPEN, access === 3 ? 1 : 0);
  }
  loadCode(selector: Value, high: Local): void {
    this.loadFlat(L.CS, selector, high.shrU(8).and(0xf0ff), high.shrU(9).and(1));
  }
  loadStack(selector: Value, high: Local): void {
    this.loadFlat(L.SS, selector, high.shrU(8).and(0xf0ff), 3);
  }
  /** 1 when a data segment is flat and writable. */
  isFlat(segment: number): Value {
    return field(segment, L.SEGMENT.BASE).or(field(segment, L.SEGMENT.LOW))
      .or(field(segment, L.SEGMENT.HIGH).xor(-1))
      .or(field(segment, L.SEGMENT.ACCESS).xor(3)).isZero();
  }
  /** Mode and TLB of a privilege level where code and stack are flat: see `Core.updateMode`. */
  setMode(user: boolean): void {
    const { MODE } = L;
    const always = MODE.CODE32 | MODE.STACK32 | MODE.FLAT_CODE | MODE.PROTECTED |
      (user ? MODE.USER : 0);
    const flat = this.isFlat(L.DS).and(this.isFlat(L.ES)).choose(MODE.FLAT_DATA, 0);
    this.storeWord(L.MODE_WORD, word(L.MODE_WORD).and(~L.MODE_MASK).or(always).or(flat));
    this.storeWord(L.CPL, user ? 3 : 0);
    const space = word(L.TLB_SPACE);
    this.storeWord(L.TLB_READ, space.add(user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR));
    this.storeWord(L.TLB_WRITE, space.add(user ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR));
  }
  /** Somebody looks at what happens, or the mode is no protected mode with paging as usual. */
  usual(): void {
    this.unusualIf(
      word(L.UNUSUAL).or(word(L.WATCHING)).or(word(L.EFLAGS).and(VM | TF))
        .or(word(L.CR0).and(1).isZero()).or(word(L.TLB_READ).eq(L.TLB_TRACE)),
    );
  }
  /** The present stack must be flat, of 32 bits. */
  flatStack(): void {
    this.unusualIf(
      this.isFlat(L.SS).isZero().or(field(L.SS, L.SEGMENT.ATTRIBUTES).and(BIG).isZero()),
    );
  }
}

/** EFLAGS with the arithmetic flags. */
function allFlags(f: WasmFunction, runtime: Runtime): Value {
  return new Value(I32, () => void new Emitter(f, NO_FORM, runtime).allFlags());
}

/**
 * Index of the function that enters a handler: (vector, whether the gate's DPL counts, error code or −1, EIP of the
 * frame, further bits of its EFLAGS) → {@link OUTCOME}. The same as `enterVector` in delivery.ts.
 */
export function enterGate(runtime: Runtime): number {
  const types = [I32, I32, I32, I32, I32];
  return runtime.shared("enterGate", types, [I32], (f) => {
    const c = new Events(f);
    const [vector, software, errorCode, returnEip, more] = Code.parameters(types) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    c.usual();
    c.unusualIf(vector.shl(3).or(7).gtU(word(L.IDTR_LIMIT)));
    const cpl = c.int(word(L.CPL));
    const linear = c.int(word(L.IDTR_BASE).add(vector.shl(3)));
    const gate = c.host(linear, 8, L.TLB_READ_SUPERVISOR);
    const kind = c.int(gate.load(4));
    c.unusualIf(
      kind.and(GATE_MASK).ne(GATE32).or(software.and(kind.shrU(13).and(3).ltU(cpl))),
    );
    const selector = c.int(gate.load16(2));
    const target = c.int(kind.and(0xffff0000 | 0).or(gate.load16()));
    const code = c.flatDescriptor(selector, CODE_MASK | DPL, FLAT_CODE);
    const [esp, stackSelector, stack] = [c.int(word(L.ESP)), c.int(0), c.int(0)];
    c.if(cpl, () => {
      c.unusualIf(
        field(L.TR, L.SEGMENT.ATTRIBUTES).and(IS_TSS32).isZero()
          .or(field(L.TR, L.SEGMENT.LIMIT).ltU(STACK0 + STACK0_BYTES - 1)),
      );
      c.set(linear, field(L.TR, L.SEGMENT.BASE).add(STACK0));
      const tss = c.host(linear, STACK0_BYTES, L.TLB_READ_SUPERVISOR);
      c.set(esp, tss.load());
      c.set(stackSelector, tss.load16(4));
      c.unusualIf(stackSelector.and(3));
      c.set(stack, c.flatDescriptor(stackSelector, DATA_MASK | DPL, FLAT_DATA));
    }, () => c.flatStack());
    const bytes = c.int(cpl.choose(20, 12).add(errorCode.ne(-1).shl(2)));
    const top = c.int(esp.sub(bytes));
    const frame = c.host(top, bytes, L.TLB_WRITE_SUPERVISOR);

    c.if(errorCode.ne(-1), () => {
      c.store(frame, errorCode);
      c.set(frame, frame.add(4));
    });
    const flags = c.int(word(L.EFLAGS));
    c.store(frame, returnEip);
    c.store(frame, field(L.CS, L.SEGMENT.SELECTOR), 4);
    c.store(frame, allFlags(f, runtime).or(more), 8);
    c.if(cpl, () => {
      c.store(frame, word(L.ESP), 12);
      c.store(frame, field(L.SS, L.SEGMENT.SELECTOR), 16);
      c.loadStack(stackSelector, stack);
    });
    c.loadCode(selector.and(0xfffc), code);
    c.storeWord(L.ESP, top);
    c.storeWord(L.EIP, target);
    const cleared = kind.and(TRAP_BIT).choose(NT | RF, NT | RF | IF);
    c.storeWord(L.EFLAGS, flags.and(cleared.xor(-1)));
    c.setMode(false);
    c.yield(int(OUTCOME.DONE));
  });
}

/** Index of the function of IRET with 32-bit operands: () → {@link OUTCOME}. The same as iret.ts. */
export function leaveGate(runtime: Runtime): number {
  return runtime.shared("leaveGate", [], [I32], (f) => {
    const c = new Events(f);
    c.usual();
    c.unusualIf(word(L.CPL).or(word(L.EFLAGS).and(NT)));
    c.flatStack();
    const esp = c.int(word(L.ESP));
    const frame = c.host(esp, 12, L.TLB_READ_SUPERVISOR);
    const selector = c.int(frame.load16(4));
    const image = c.int(frame.load(8));
    c.unusualIf(image.and(VM | TF | NT | AC | VIF | VIP));
    const outer = c.int(selector.and(3));
    c.unusualIf(outer.sub(1).ltU(2));
    const code = c.flatDescriptor(selector, CODE_MASK | DPL, outer.shl(13).or(FLAT_CODE));
    const [stackSelector, stack] = [c.int(0), c.int(0)];
    c.if(outer, () => {
      c.unusualIf(esp.and(0xfff).gtU(0x1000 - 20));
      c.set(stackSelector, frame.load16(16));
      c.unusualIf(stackSelector.and(3).ne(3));
      c.set(stack, c.flatDescriptor(stackSelector, DATA_MASK | DPL, FLAT_DATA | DPL));
    });

    c.storeWord(L.EIP, frame.load());
    c.loadCode(selector, code);
    // RF is dropped as in `loadedFlags`: with breakpoints, this is unusual.
    c.storeWord(L.EFLAGS, image.and(word(L.EFLAGS_EXISTING)).and(~(ARITHMETIC | RF)).or(2));
    new Emitter(f, NO_FORM, runtime).setArithmetic(image.index);
    c.if(outer, () => {
      c.storeWord(L.ESP, frame.load(12));
      c.loadStack(stackSelector, stack);
      for (const segment of [L.ES, L.DS, L.FS, L.GS]) dropInner(c, segment);
      c.setMode(true);
    }, () => {
      c.storeWord(L.ESP, esp.add(12));
      c.setMode(false);
    });
    const due = word(L.EVENT_PENDING).and(image.and(IF).choose(-1, ~L.EVENT.INTERRUPT));
    c.yield(due.choose(OUTCOME.LOOK, OUTCOME.DONE));
  });
}
/** A data segment that CPL 3 may not use becomes null (SDM vol. 2, IRET). */
function dropInner(c: Events, segment: number): void {
  const attributes = field(segment, L.SEGMENT.ATTRIBUTES);
  const conforming = attributes.and(0x1c).eq(0x1c);
  c.if(conforming.or(attributes.and(0x60).eq(0x60)).isZero(), () => {
    const at = L.segmentOffset(segment);
    for (let offset = 0; offset < L.SEGMENT_BYTES; offset += 4) c.storeWord(at + offset, 0);
  });
}

/** Attributes that SYSENTER and SYSEXIT load. */
const SYSTEM_CODE = 0xc09b;
const SYSTEM_STACK = 0xc093;

/** Index of the function of SYSENTER: () → {@link OUTCOME}. The same as software.ts. */
export function sysenter(runtime: Runtime): number {
  return systemCall(runtime, false);
}
/** Index of the function of SYSEXIT. */
export function sysexit(runtime: Runtime): number {
  return systemCall(runtime, true);
}
function systemCall(runtime: Runtime, exit: boolean): number {
  return runtime.shared(exit ? "sysexit" : "sysenter", [], [I32], (f) => {
    const c = new Events(f);
    c.usual();
    const selector = c.int(word(L.MSR_SYSENTER_CS).and(0xfffc));
    c.unusualIf(selector.isZero());
    if (exit) c.unusualIf(word(L.CPL).or(word(L.EFLAGS).and(AC)));
    const dpl = exit ? 0x60 : 0;
    const [code, stack] = exit
      ? [word(L.MSR_SYSENTER_CS).add(16).or(3), word(L.MSR_SYSENTER_CS).add(24).or(3)]
      : [selector, selector.add(8)];
    c.loadFlat(L.CS, code.and(0xffff), SYSTEM_CODE | dpl, 1);
    c.loadFlat(L.SS, stack.and(0xffff), SYSTEM_STACK | dpl, 3);
    c.storeWord(L.ESP, word(exit ? L.GPR + 4 : L.MSR_SYSENTER_ESP));
    c.storeWord(L.EIP, word(exit ? L.GPR + 8 : L.MSR_SYSENTER_EIP));
    if (!exit) c.storeWord(L.EFLAGS, word(L.EFLAGS).and(~IF));
    c.setMode(exit);
    c.yield(int(OUTCOME.DONE));
  });
}

/** An instruction that one of the functions does, or else the assist of its name. */
function fastOr(assist: string, attempt: (x: Emitter) => void): Semantics {
  return {
    ends: true,
    emit(x): void {
      const { f } = x;
      const [outcome, target] = [x.local(), x.local()];
      x.onMemory();
      attempt(x);
      f.tee(outcome).eqz().if(undefined, false);
      x.record().f.i32(x.runtime.assistIndex(assist)).call(x.runtime.assist);
      f.i32(OUTCOME.DONE).add().set(outcome).end();
      f.loadAt(L.EIP).set(target);
      f.get(outcome).i32(OUTCOME.LOOK).eq().if(undefined, false);
      x.exit(target);
      f.end();
      x.jump(target);
    },
  };
}

/** Semantics of this file, by operation. */
export const gateSemantics: Readonly<Record<string, Semantics>> = {
  int: fastOr("int", (x) => {
    x.field(L.RECORD.IMMEDIATE).f.i32(0xff).and().i32(1).i32(-1);
    x.nextEip().f.i32(0).call(enterGate(x.runtime));
  }),
  iret: fastOr("iret", (x) => {
    if (x.operandSize === 4) x.f.call(leaveGate(x.runtime));
    else x.f.i32(OUTCOME.UNUSUAL);
  }),
  sysenter: fastOr("sysenter", (x) => void x.f.call(sysenter(x.runtime))),
  sysexit: fastOr("sysexit", (x) => void x.f.call(sysexit(x.runtime))),
};
