/**
 * The semantics of the x87 instructions that are Wasm, by operation name of `cpu/isa/x87.ts`.
 *
 * Order within an instruction: #NM, pending #MF, faults of the memory operand, then pointers, then the operation
 * with its masked or unmasked responses. Sources: SDM vol. 1 §8, vol. 2; vol. 3A §2.5 (EM, MP, TS).
 * @module
 */
import type { Condition, Emitter, Semantics } from "../execute/emit.ts";
import { I32, I64 } from "../execute/wasm.ts";
import {
  CR0,
  CS,
  EAX,
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_IP,
  FPU_OPCODE,
  FPU_STATUS,
  FPU_TAG,
  FPU_TOP,
  RECORD,
  SEGMENT_BYTES,
  segmentOffset,
  SEGMENTS,
} from "../state/layout.ts";
import {
  fromDouble,
  fromInteger,
  fromSingle,
  roundToInteger,
  setConditions,
  squareRoot,
} from "./arithmetic.ts";
import { Code, int, Local, type Value, word } from "../execute/expression.ts";
import {
  arithmeticOperand,
  arithmeticRegisters,
  BINARY,
  type Binary,
  compareTop,
  conditionalMove,
  exchange,
  loadRegister,
  loadWidened,
  statusWord,
  storeRegister,
  topInteger,
  topNarrowed,
  unary,
} from "./operate.ts";
import {
  BUSY,
  C0,
  C1,
  C2,
  C3,
  CONDITIONS,
  ES,
  EXCEPTIONS,
  IE,
  isFull,
  OE,
  pop,
  push,
  raise,
  RAISED,
  roundingControl,
  settle,
  STACK_FAULT,
  stackAddress,
  UE,
} from "./status.ts";

/** CR0.EM and CR0.TS. */
const UNAVAILABLE = 0xc;

type Body = (x: Emitter, c: Code) => void;

/** #NM, or what a pending exception asks for. */
function guard(x: Emitter, c: Code): void {
  c.if(
    word(CR0).and(UNAVAILABLE).or(word(FPU_STATUS).and(ES)),
    () => {
      x.assist("fpuUnavailable");
    },
    undefined,
    false,
  );
}
/** An instruction that does not wait and leaves the pointers alone. */
function control(body: Body): Semantics {
  return {
    emit(x): void {
      const c = new Code(x.f);
      c.if(word(CR0).and(UNAVAILABLE), () => x.fault(7), undefined, false);
      body(x, c);
    },
  };
}
/** A field of the record, whose address is local 0. */
function field(offset: number): Value {
  return new Local(I32, 0).load(offset);
}
/** Saves the instruction pointer, the opcode and (with memory operand) the operand pointer; clears RAISED. */
function pointers(x: Emitter, c: Code, memory: boolean, clear = true): void {
  c.storeWord(FPU_IP, field(RECORD.EIP));
  c.storeWord(FPU_OPCODE, field(RECORD.IMMEDIATE));
  c.storeWord(FPU_CS, word(segmentOffset(CS)));
  if (memory) {
    c.f.storeAt(FPU_DP, () => x.offset(0));
    const segment = new Local(I32, 0).load8(RECORD.SEGMENT).and(7);
    c.storeWord(FPU_DS, segment.mul(SEGMENT_BYTES).load(SEGMENTS));
  }
  if (clear) c.storeWord(RAISED, 0);
}
/** An instruction on registers. */
function registers(body: Body): Semantics {
  return {
    emit(x): void {
      const c = new Code(x.f);
      guard(x, c);
      pointers(x, c, false);
      body(x, c);
    },
  };
}
/** The i of ST(i). */
function index(): Value {
  return field(RECORD.A);
}

/** Calls with a memory operand that was read: as a real number, or as an integer. */
function withOperand(
  integer: boolean,
  use: (x: Emitter, c: Code, se: Local, significand: Local, denormal: Local) => void,
): Semantics {
  return {
    emit(x): void {
      const c = new Code(x.f);
      guard(x, c);
      const bytes = x.size(0) as number;
      const linear = new Local(I32, x.linear(0, bytes, false));
      const [se, significand, denormal] = [c.int(), c.long(), c.int(0)];
      if (integer) {
        const value = c.long();
        if (bytes === 8) x.readLinear(linear.index, 8);
        else {
          x.readLinear(linear.index, bytes as 2 | 4);
          if (bytes === 2) x.signExtend(2);
          x.f.op("i64.extend_i32_s");
        }
        c.f.set(value.index);
        c.call(fromInteger(x.runtime), [value], [se, significand]);
      } else if (bytes === 10) {
        x.readLinear(linear.index, 8).f.set(significand.index);
        c.set(linear, linear.add(8));
        x.readLinear(linear.index, 2).f.set(se.index);
      } else {
        x.readLinear(linear.index, bytes as 4 | 8);
        c.f.call((bytes === 4 ? fromSingle : fromDouble)(x.runtime));
        c.f.set(denormal.index).set(significand.index).set(se.index);
      }
      pointers(x, c, true);
      use(x, c, se, significand, denormal);
    },
  };
}

/** Sets condition codes and pops unless that is forbidden. */
function conclude(c: Code, codes: Local, mayPop: Local, pops: number): void {
  setConditions(c, codes);
  if (pops === 0) return;
  c.if(mayPop, () => {
    for (let i = 0; i < pops; i++) pop(c);
  });
}

/** FCOM family against ST(i): sets condition codes. */
function compareRegister(quiet: boolean, pops: number, with1 = false): Semantics {
  return registers((x, c) => {
    const other = c.int(stackAddress(with1 ? int(1) : index()));
    const [codes, mayPop] = [c.int(), c.int()];
    const operand = [other.load16(8), other.load64(), int(0), isFull(other), int(quiet ? 1 : 0)];
    c.call(compareTop(x.runtime), operand, [codes, mayPop]);
    conclude(c, codes, mayPop, pops);
  });
}
/** FCOMI family: EFLAGS. C1 stays unless a register was empty. */
function compareToFlags(quiet: boolean, pops: number): Semantics {
  return registers((x, c) => {
    const other = c.int(stackAddress(index()));
    const [codes, mayPop] = [c.int(), c.int()];
    const c1 = c.int(word(FPU_STATUS).and(C1));
    const operand = [other.load16(8), other.load64(), int(0), isFull(other), int(quiet ? 1 : 0)];
    c.call(compareTop(x.runtime), operand, [codes, mayPop]);
    restoreC1(c, c1);
    // C3 → ZF, C2 → PF, C0 → CF; OF SF AF = 0.
    const arithmetic = c.int(codes.shrU(8).and(0x45));
    x.setArithmetic(arithmetic.index);
    if (pops > 0) c.if(mayPop, () => pop(c));
  });
}
/** Puts C1 back where only a stack fault clears it. */
function restoreC1(c: Code, c1: Local): void {
  c.if(word(RAISED).and(STACK_FAULT).isZero(), () => {
    c.storeWord(FPU_STATUS, word(FPU_STATUS).or(c1));
  });
}
function compareOperand(integer: boolean, pops: number): Semantics {
  return withOperand(integer, (x, c, se, significand, denormal) => {
    const [codes, mayPop] = [c.int(), c.int()];
    c.call(compareTop(x.runtime), [se, significand, denormal, 1, 0], [codes, mayPop]);
    conclude(c, codes, mayPop, pops);
  });
}

const testZero: Semantics = registers((x, c) => {
  const [codes, mayPop] = [c.int(), c.int()];
  c.call(compareTop(x.runtime), [0, 0n, 0, 1, 0], [codes, mayPop]);
  conclude(c, codes, mayPop, 0);
});

/** FXAM: class in C3 C2 C0, sign in C1. */
const examine: Semantics = registers((_, c) => {
  const top = c.int(stackAddress(0));
  const se = c.int(top.load16(8));
  const exponent = c.int(se.and(0x7fff));
  const significand = c.long(top.load64());
  const codes = c.int(C2);
  const integerBit = significand.shrU(63).low();
  c.if(exponent.isZero(), () => c.set(codes, significand.isZero().choose(C3, C3 | C2)), () => {
    c.if(integerBit, () => {
      c.if(exponent.eq(0x7fff), () => {
        c.set(codes, significand.shl(1).isZero().choose(C2 | C0, C0));
      });
    }, () => c.set(codes, 0));
  });
  c.set(codes, isFull(top).choose(codes, C3 | C0));
  setConditions(c, codes.or(se.shrU(15).choose(C1, 0)));
});

const load: Semantics = withOperand(false, (x, c, se, significand, denormal) => {
  if ((x.size(0) as number) === 10) c.call(push(x.runtime), [se, significand]);
  else c.call(loadWidened(x.runtime), [se, significand, denormal]);
});
const loadInteger: Semantics = withOperand(true, (x, c, se, significand) => {
  c.call(push(x.runtime), [se, significand]);
});

/**
 * The constants: sign and exponent, significand rounded down, and whether to nearest is one more (SDM vol. 2,
 * FLD1 …: they are rounded from a longer ROM value by rounding control).
 */
const CONSTANTS: Readonly<Record<string, readonly [number, bigint, "up" | "down" | "exact"]>> = {
  fld1: [0x3fff, 0x8000000000000000n, "exact"],
  fldl2t: [0x4000, 0xd49a784bcd1b8afen, "down"],
  fldl2e: [0x3fff, 0xb8aa3b295c17f0bbn, "up"],
  fldpi: [0x4000, 0xc90fdaa22168c234n, "up"],
  fldlg2: [0x3ffd, 0x9a209a84fbcff798n, "up"],
  fldln2: [0x3ffe, 0xb17217f7d1cf79abn, "up"],
  fldz: [0, 0n, "exact"],
};
function loadConstant(name: string): Semantics {
  const [se, significand, nearest] = CONSTANTS[name] as readonly [number, bigint, string];
  return registers((x, c) => {
    const value = c.long(significand);
    if (nearest !== "exact") {
      const rounding = roundingControl();
      const more = nearest === "up" ? rounding.eq(0).or(rounding.eq(2)) : rounding.eq(2);
      c.set(value, value.add(more.wide()));
    }
    c.call(push(x.runtime), [se, value]);
  });
}

/** FST, FSTP, FIST, FISTP: unmasked invalid, overflow and underflow keep memory as it was. */
function store(integer: boolean, pops: boolean): Semantics {
  return {
    emit(x): void {
      const c = new Code(x.f);
      guard(x, c);
      const bytes = x.size(0) as number;
      const [value, stored, unmasked] = [c.long(), c.int(), c.int()];
      c.storeWord(RAISED, 0);
      const top = c.int(stackAddress(0));
      const se = c.int();
      if (bytes === 10) {
        c.if(isFull(top), () => {
          c.set(se, top.load16(8));
          c.set(value, top.load64());
        }, () => {
          raise(c, IE | STACK_FAULT);
          c.set(se, 0xffff);
          c.set(value, 3n << 62n);
        });
      } else if (integer) c.call(topInteger(x.runtime), [bytes * 8], [value]);
      else c.call(topNarrowed(x.runtime), [bytes === 4 ? 24 : 53], [value]);
      // Nothing is visible yet, so the store may fault; an exception that forbids it goes first.
      const forbids = word(RAISED).and(word(FPU_CONTROL).xor(-1)).and(IE | OE | UE);
      c.set(stored, forbids.isZero());
      c.if(stored, () => {
        const linear = new Local(I32, x.linear(0, bytes, true));
        x.probeWrite(linear.index, bytes);
        if (bytes >= 8) {
          x.writeLinear(linear.index, 8, value.index);
          if (bytes === 10) {
            c.set(linear, linear.add(8));
            x.writeLinear(linear.index, 2, se.index);
          }
        } else {
          const short = c.int(value.low());
          x.writeLinear(linear.index, bytes as 2 | 4, short.index);
        }
      });
      pointers(x, c, true, false);
      c.call(settle(x.runtime), [], [unmasked]);
      if (pops) c.if(stored, () => pop(c));
    },
  };
}

/** FCHS and FABS: no exception but an empty register. */
function sign(name: string, change: (se: Value) => Value): Semantics {
  return registers((x, c) => {
    const operation = x.runtime.shared(`f80.${name}`, [I32, I64], [I32, I64], (f) => {
      const inner = new Code(f);
      const [se, significand] = Code.parameters([I32, I64]) as [Local, Local];
      inner.yield(change(se), significand);
    });
    c.call(unary(x.runtime, name, () => operation), []);
  });
}

/** Moves TOP by a step; tags stay. */
function step(by: number): Semantics {
  return registers((_, c) => {
    c.storeWord(FPU_TOP, word(FPU_TOP).add(by).and(7));
    c.storeWord(FPU_STATUS, word(FPU_STATUS).and(~C1));
  });
}
function free(pops: boolean): Semantics {
  return registers((_, c) => {
    const physical = word(FPU_TOP).add(index()).and(7);
    c.storeWord(FPU_TAG, word(FPU_TAG).and(int(1).shl(physical).xor(-1)));
    if (pops) pop(c);
    c.storeWord(FPU_STATUS, word(FPU_STATUS).and(~C1));
  });
}

function storeControlWord(address: number | undefined): Semantics {
  return control((x, c) => {
    const value = c.int();
    if (address === undefined) c.set(value, statusWord(FPU_STATUS, FPU_TOP));
    else c.set(value, word(address));
    x.write(0, value.index);
  });
}

/** ES and B follow from flags and masks. */
function summarize(c: Code): void {
  const pending = word(FPU_CONTROL).xor(-1).and(word(FPU_STATUS)).and(EXCEPTIONS);
  c.storeWord(
    FPU_STATUS,
    word(FPU_STATUS).and(~(ES | BUSY)).or(pending.choose(ES | BUSY, 0)),
  );
}

function arithmetic(operation: Binary): Record<string, Semantics> {
  const onRegisters = (destination: boolean, pops: boolean): Semantics =>
    registers((x, c) => {
      const i = c.int(index());
      c.call(
        arithmeticRegisters(x.runtime, operation),
        destination ? [i, 0, pops ? 1 : 0] : [0, i, 0],
      );
    });
  const onOperand = (integer: boolean): Semantics =>
    withOperand(integer, (x, c, se, significand, denormal) => {
      c.call(arithmeticOperand(x.runtime, operation), [se, significand, denormal]);
    });
  return {
    [`f${operation}.memory`]: onOperand(false),
    [`fi${operation}`]: onOperand(true),
    [`f${operation}.top`]: onRegisters(false, false),
    [`f${operation}.register`]: onRegisters(true, false),
    [`f${operation}.pop`]: onRegisters(true, true),
  };
}

function move(condition: Condition): Semantics {
  return registers((x, c) => {
    const holds = c.int();
    x.condition(condition).f.set(holds.index);
    const c1 = c.int(word(FPU_STATUS).and(C1));
    c.call(conditionalMove(x.runtime), [holds, index()]);
    restoreC1(c, c1);
  });
}

export const fpuSemantics: Readonly<Record<string, Semantics>> = {
  ...Object.assign({}, ...BINARY.map(arithmetic)) as Record<string, Semantics>,
  ...Object.fromEntries(Object.keys(CONSTANTS).map((name) => [name, loadConstant(name)])),
  "fcom.memory": compareOperand(false, 0),
  "fcomp.memory": compareOperand(false, 1),
  ficom: compareOperand(true, 0),
  ficomp: compareOperand(true, 1),
  fcom: compareRegister(false, 0),
  fcomp: compareRegister(false, 1),
  fcompp: compareRegister(false, 2, true),
  fucom: compareRegister(true, 0),
  fucomp: compareRegister(true, 1),
  fucompp: compareRegister(true, 2, true),
  fcomi: compareToFlags(false, 0),
  fcomip: compareToFlags(false, 1),
  fucomi: compareToFlags(true, 0),
  fucomip: compareToFlags(true, 1),
  ftst: testZero,
  fxam: examine,
  "fld.memory": load,
  fld: registers((x, c) => c.call(loadRegister(x.runtime), [index()])),
  fild: loadInteger,
  "fst.memory": store(false, false),
  "fstp.memory": store(false, true),
  fist: store(true, false),
  fistp: store(true, true),
  fst: registers((x, c) => c.call(storeRegister(x.runtime), [index(), 0])),
  fstp: registers((x, c) => c.call(storeRegister(x.runtime), [index(), 1])),
  /** D9 D8+i: without stack check; an empty ST(0) is only popped. */
  fstpUnchecked: registers((x, c) => {
    const top = c.int(stackAddress(0));
    c.if(isFull(top), () => c.call(storeRegister(x.runtime), [index(), 1]), () => {
      pop(c);
      c.storeWord(FPU_STATUS, word(FPU_STATUS).and(~C1));
    });
  }),
  fxch: registers((x, c) => c.call(exchange(x.runtime), [index()])),
  fchs: sign("chs", (se) => se.xor(0x8000)),
  fabs: sign("abs", (se) => se.and(0x7fff)),
  fsqrt: registers((x, c) => c.call(unary(x.runtime, "sqrt", squareRoot), [])),
  frndint: registers((x, c) => c.call(unary(x.runtime, "rndint", roundToInteger), [])),
  "fcmov.2": move(2),
  "fcmov.3": move(3),
  "fcmov.4": move(4),
  "fcmov.5": move(5),
  "fcmov.6": move(6),
  "fcmov.7": move(7),
  "fcmov.10": move(10),
  "fcmov.11": move(11),
  fincstp: step(1),
  fdecstp: step(-1),
  ffree: free(false),
  ffreep: free(true),
  fnop: registers(() => {}),
  fwait: {
    emit(x): void {
      const c = new Code(x.f);
      // TS counts only together with MP.
      const unavailable = word(CR0).and(0xa).eq(0xa);
      c.if(unavailable.or(word(FPU_STATUS).and(ES)), () => x.assist("fpuWait"), undefined, false);
    },
  },
  fldcw: {
    emit(x): void {
      const c = new Code(x.f);
      guard(x, c);
      const value = c.int();
      x.read(0).f.set(value.index);
      c.storeWord(FPU_CONTROL, value.and(0x1f3f).or(0x40));
      summarize(c);
    },
  },
  fnstcw: storeControlWord(FPU_CONTROL),
  fnstsw: storeControlWord(undefined),
  fnstswAx: control((x, c) => {
    const value = c.int(statusWord(FPU_STATUS, FPU_TOP));
    x.setRegister(EAX, value.index, 2);
  }),
  fnclex: control((_, c) => {
    c.storeWord(FPU_STATUS, word(FPU_STATUS).and(CONDITIONS));
  }),
  /** FNENI, FNDISI, FNSETPM: of the 8087 and 287, without effect since the 387. */
  fnop287: control(() => {}),
};
