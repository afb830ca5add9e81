/**
 * The semantics of the x87 instructions that are Wasm, by operation name of `cpu/isa/x87.ts`.
 *
 * Order within an instruction: #NM, pending #MF, faults of the memory operand, then pointers, then the operation
 * with its masked or unmasked responses. Sources: SDM vol. 1 §8, vol. 2; vol. 3A §2.5 (EM, MP, TS).
 * @module
 */
import { type Condition, type Emitter, GUARD, type Semantics } from "../execute/emit.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { CR0, EAX, FPU_CONTROL, FPU_REGISTERS, FPU_STATUS, RECORD } from "../state/layout.ts";
import {
  fromDouble,
  fromInteger,
  fromSingle,
  roundToInteger,
  setConditions,
  squareRoot,
} from "./arithmetic.ts";
import { Code, int, Local, long, Value, word } from "../execute/expression.ts";
import {
  type Fast,
  fastArithmetic,
  fastCompare,
  fastInteger,
  fastNarrow,
  fastRoot,
} from "./fast.ts";
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
  storeRegister,
  topInteger,
  topNarrowed,
  unary,
} from "./operate.ts";
import { setPointers, state } from "./stack.ts";
import {
  BIAS,
  BUSY,
  C0,
  C1,
  C2,
  C3,
  CONDITIONS,
  ES,
  EXCEPTIONS,
  IE,
  INTEGER_BIT,
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

function begin(x: Emitter): Code {
  return new Code(x.f, (type) => x.local(type));
}
/** #NM, or what a pending exception asks for. */
function guard(x: Emitter): void {
  x.guard(GUARD.X87, () => {
    word(CR0).and(UNAVAILABLE).or(state(x).status.and(ES)).push(x.f);
  }, () => x.assist("fpuUnavailable"));
}
/** An instruction that does not wait and leaves the pointers alone. */
function control(body: Body): Semantics {
  return {
    emit(x): void {
      x.guard(GUARD.FPU, () => word(CR0).and(UNAVAILABLE).push(x.f), () => x.fault(7));
      body(x, begin(x));
    },
  };
}
/** Saves the instruction pointer, the opcode and (with memory operand) the operand pointer. */
function pointers(x: Emitter, memory: boolean): void {
  if (x.pointersLater(memory)) return;
  x.record();
  if (memory) x.record().offset(0);
  else x.f.i32(0).i32(0);
  x.f.call(setPointers(x.runtime));
}
/**
 * What the fast way leaves over, with the x87's words in memory and nothing raised so far. Comes last in an
 * instruction.
 */
function slowly(x: Emitter, c: Code, body: () => void): void {
  x.inMemory(() => {
    c.storeWord(RAISED, 0);
    body();
  });
  x.mayBePending();
}
/** An instruction on registers. */
export function registers(body: Body): Semantics {
  return {
    emit(x): void {
      guard(x);
      pointers(x, false);
      body(x, begin(x));
    },
  };
}
/** One that is rare. */
function rareRegisters(body: Body): Semantics {
  return registers((x, c) => slowly(x, c, () => body(x, c)));
}
/** The i of ST(i). */
function index(x: Emitter): Value {
  return new Value(I32, () => x.field(RECORD.A));
}

/** A memory operand that was read: its bits, or as an integer. */
interface Source {
  readonly c: Code;
  readonly integer: boolean;
  readonly bytes: number;
  readonly raw: Local;
  /** The number, where {@link fits}. */
  readonly se: Local;
  readonly significand: Local;
}
function readSource(x: Emitter, integer: boolean): Source {
  guard(x);
  const c = begin(x);
  const bytes = x.size(0) as number;
  const linear = x.linear(0, bytes, false);
  const raw = c.local(integer || bytes === 8 ? I64 : I32);
  x.readLinear(linear, bytes as 2 | 4 | 8);
  if (integer && bytes === 2) x.signExtend(2);
  if (integer && bytes < 8) x.f.op("i64.extend_i32_s");
  x.f.set(raw.index);
  pointers(x, true);
  return { c, integer, bytes, raw, se: c.int(), significand: c.long() };
}
/** Widens the operand to 80 bits if that is simple; 1 when it is. Zeros are only of integers. */
function fits({ c, integer, bytes, raw, se, significand }: Source): Value {
  if (integer) {
    const sign = raw.shrS(63);
    c.set(significand, raw.xor(sign).sub(sign));
    const zeros = c.long(significand.clz());
    c.set(significand, significand.shl(zeros));
    const exponent = raw.shrU(63).low().shl(15).or(int(BIAS + 63).sub(zeros.low()));
    c.set(se, raw.isZero().choose(0, exponent));
    return int(1);
  }
  if (bytes === 8) {
    const exponent = c.int(raw.shrU(52).low().and(0x7ff));
    c.set(se, raw.shrU(48).low().and(0x8000).or(exponent.add(BIAS - 0x3ff)));
    c.set(significand, raw.shl(11).or(INTEGER_BIT));
    return exponent.sub(1).ltU(0x7fe);
  }
  const exponent = c.int(raw.shrU(23).and(0xff));
  c.set(se, raw.shrU(16).and(0x8000).or(exponent.add(BIAS - 0x7f)));
  c.set(significand, raw.wide().shl(40).or(INTEGER_BIT));
  return exponent.sub(1).ltU(0xfe);
}
/** Widens any operand; sets the local when it was a denormal. */
function widen(x: Emitter, { c, integer, bytes, raw, se, significand }: Source): Local {
  const denormal = c.int(0);
  if (integer) c.call(fromInteger(x.runtime), [raw], [se, significand]);
  else {
    const convert = bytes === 4 ? fromSingle : fromDouble;
    c.call(convert(x.runtime), [raw], [se, significand, denormal]);
  }
  return denormal;
}
function withSource(integer: boolean, use: (x: Emitter, source: Source) => void): Semantics {
  return { emit: (x) => use(x, readSource(x, integer)) };
}

/** Sets condition codes and pops unless that is forbidden. */
function conclude(c: Code, codes: Local, mayPop: Local, pops: number): void {
  setConditions(c, codes);
  if (pops === 0) return;
  c.if(mayPop, () => {
    for (let i = 0; i < pops; i++) pop(c);
  });
}

/**
 * Compares ST(0) with a number. `fit`: the fast way may be tried; `conclude` gets the codes where it succeeds; `slow`
 * does it all again.
 */
function compare(
  x: Emitter,
  c: Code,
  number: { readonly se: Value; readonly significand: Value; readonly fit: Value },
  then: { conclude: (codes: Local) => void; slow: () => void },
): void {
  const { tag, top } = state(x);
  const codes = c.int(-1);
  const slot = c.int(top.shl(4));
  c.if(number.fit.and(tag.shrU(top)).and(1), () => {
    const { se, significand } = number;
    const pair = [slot.load16(FPU_REGISTERS + 8), slot.load64(FPU_REGISTERS), se, significand];
    c.call(fastCompare(x.runtime), pair, [codes]);
  });
  c.if(codes.geS(0), () => then.conclude(codes), then.slow, true);
}
/** Condition codes into the status word; C1 is cleared. Pops. */
function setCodes(x: Emitter, c: Code, codes: Value, pops: number): void {
  const s = state(x);
  s.set(c, "status", s.status.and(~CONDITIONS).or(codes));
  for (let i = 0; i < pops; i++) s.pop(c);
}
/** ST(i) as an operand of a comparison. */
function comparand(
  x: Emitter,
  c: Code,
  i: Value,
): { se: Value; significand: Value; fit: Value } {
  const { top, tag } = state(x);
  const physical = c.int(top.add(i).and(7));
  const slot = c.int(physical.shl(4));
  return {
    se: slot.load16(FPU_REGISTERS + 8),
    significand: slot.load64(FPU_REGISTERS),
    fit: tag.shrU(physical),
  };
}

/** FCOM family against ST(i): sets condition codes. */
function compareRegister(quiet: boolean, pops: number, with1 = false): Semantics {
  return registers((x, c) => {
    const i = with1 ? int(1) : index(x);
    compare(x, c, comparand(x, c, i), {
      conclude: (codes) => setCodes(x, c, codes, pops),
      slow: () =>
        slowly(x, c, () => {
          const other = c.int(stackAddress(i));
          const [codes, mayPop] = [c.int(), c.int()];
          c.call(
            compareTop(x.runtime),
            [other.load16(8), other.load64(), int(0), isFull(other), int(quiet ? 1 : 0)],
            [codes, mayPop],
          );
          conclude(c, codes, mayPop, pops);
        }),
    });
  });
}
/** FCOMI family: EFLAGS. C1 stays unless a register was empty. */
function compareToFlags(quiet: boolean, pops: number): Semantics {
  return registers((x, c) => {
    const arithmetic = c.int();
    const slow = c.int(0);
    // C3 → ZF, C2 → PF, C0 → CF; OF SF AF = 0.
    const toFlags = (codes: Value): void => c.set(arithmetic, codes.shrU(8).and(0x45));
    compare(x, c, comparand(x, c, index(x)), {
      conclude: (codes) => {
        toFlags(codes);
        for (let i = 0; i < pops; i++) state(x).pop(c);
      },
      slow: () =>
        x.inMemory(() => {
          c.storeWord(RAISED, 0);
          c.set(slow, 1);
          const other = c.int(stackAddress(index(x)));
          const [codes, mayPop] = [c.int(), c.int()];
          const c1 = c.int(word(FPU_STATUS).and(C1));
          c.call(
            compareTop(x.runtime),
            [other.load16(8), other.load64(), int(0), isFull(other), int(quiet ? 1 : 0)],
            [codes, mayPop],
          );
          restoreC1(c, c1);
          toFlags(codes);
          if (pops > 0) c.if(mayPop, () => pop(c));
        }),
    });
    x.setArithmetic(arithmetic.index);
    c.if(slow, () => x.mayBePending(), undefined, false);
  });
}
/** Puts C1 back where only a stack fault clears it. */
function restoreC1(c: Code, c1: Local): void {
  c.if(word(RAISED).and(STACK_FAULT).isZero(), () => {
    c.storeWord(FPU_STATUS, word(FPU_STATUS).or(c1));
  });
}
function compareOperand(integer: boolean, pops: number): Semantics {
  return withSource(integer, (x, source) => {
    const { c, se, significand } = source;
    compare(x, c, { se, significand, fit: fits(source) }, {
      conclude: (codes) => setCodes(x, c, codes, pops),
      slow: () => {
        slowly(x, c, () => {
          const denormal = widen(x, source);
          const [codes, mayPop] = [c.int(), c.int()];
          c.call(compareTop(x.runtime), [se, significand, denormal, 1, 0], [codes, mayPop]);
          conclude(c, codes, mayPop, pops);
        });
      },
    });
  });
}

const testZero: Semantics = registers((x, c) => {
  compare(x, c, { se: int(0), significand: long(0n), fit: int(1) }, {
    conclude: (codes) => setCodes(x, c, codes, 0),
    slow: () =>
      slowly(x, c, () => {
        const [codes, mayPop] = [c.int(), c.int()];
        c.call(compareTop(x.runtime), [0, 0n, 0, 1, 0], [codes, mayPop]);
        conclude(c, codes, mayPop, 0);
      }),
  });
});

/** FXAM: class in C3 C2 C0, sign in C1. */
const examine: Semantics = rareRegisters((_, c) => {
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

const load: Semantics = withSource(false, (x, source) => {
  const { c, se, significand } = source;
  const s = state(x);
  const physical = c.int(s.top.add(7).and(7));
  c.if(
    fits(source).and(s.tag.shrU(physical).xor(1)),
    () => s.push(c, physical, se, significand),
    () => {
      slowly(x, c, () => {
        const denormal = widen(x, source);
        c.call(loadWidened(x.runtime), [se, significand, denormal]);
      });
    },
    true,
  );
});
/** FLD m80. */
const loadExtended: Semantics = {
  emit(x): void {
    guard(x);
    const c = begin(x);
    const linear = new Local(I32, x.linear(0, 10, false));
    const [significand, se] = [c.long(), c.int()];
    x.readLinear(linear.index, 8).f.set(significand.index);
    x.readLinear(c.int(linear.add(8)).index, 2).f.set(se.index);
    pointers(x, true);
    pushNumber(x, c, se, significand);
  },
};
/** Pushes a number that raises nothing. */
function pushNumber(x: Emitter, c: Code, se: Value, significand: Value): void {
  const s = state(x);
  const physical = c.int(s.top.add(7).and(7));
  c.if(
    s.tag.shrU(physical).and(1).isZero(),
    () => s.push(c, physical, se, significand),
    () => slowly(x, c, () => c.call(push(x.runtime), [se, significand])),
    true,
  );
}
const loadInteger: Semantics = withSource(true, (x, source) => {
  fits(source);
  pushNumber(x, source.c, source.se, source.significand);
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
    pushNumber(x, c, int(se), value);
  });
}

/** FST, FSTP, FIST, FISTP: unmasked invalid, overflow and underflow keep memory as it was. */
function store(integer: boolean, pops: boolean): Semantics {
  return {
    emit(x): void {
      guard(x);
      const c = begin(x);
      const s = state(x);
      const bytes = x.size(0) as number;
      const [value, se, stored, unmasked] = [c.long(), c.int(0), c.int(1), c.int()];
      // What the fast way raises, or −1.
      const flags = c.int(-1);
      const address = c.int(s.top.shl(4).add(FPU_REGISTERS));
      c.if(s.tag.shrU(s.top).and(1), () => {
        if (bytes === 10) {
          c.set(se, address.load16(8));
          c.set(value, address.load64());
          c.set(flags, 0);
        } else if (integer) {
          const limit = long(1n << BigInt(8 * bytes - 1));
          c.call(fastInteger(x.runtime), [address, limit], [value, flags]);
        } else {
          c.call(fastNarrow(x.runtime, bytes === 4 ? 24 : 53), [address], [value, flags]);
        }
      });
      const slow = (body: () => void): void => c.if(flags.ltS(0), body, undefined, false);
      slow(() => {
        x.inMemory(() => {
          c.storeWord(RAISED, 0);
          if (bytes === 10) {
            raise(c, IE | STACK_FAULT);
            c.set(se, 0xffff);
            c.set(value, 3n << 62n);
          } else if (integer) c.call(topInteger(x.runtime), [bytes * 8], [value]);
          else c.call(topNarrowed(x.runtime), [bytes === 4 ? 24 : 53], [value]);
        });
        // Nothing is visible yet, so the store may fault; an exception that forbids it goes first.
        const forbids = word(RAISED).and(word(FPU_CONTROL).xor(-1)).and(IE | OE | UE);
        c.set(stored, forbids.isZero());
      });
      c.if(
        stored,
        () => {
          const linear = new Local(I32, x.linear(0, bytes, true));
          if (!x.translated || bytes === 10) x.probeWrite(linear.index, bytes);
          if (bytes >= 8) {
            x.writeLinear(linear.index, 8, value.index);
            if (bytes === 10) {
              x.writeLinear(c.int(linear.add(8)).index, 2, se.index);
            }
          } else {
            const short = c.int(value.low());
            x.writeLinear(linear.index, bytes as 2 | 4, short.index);
          }
        },
        undefined,
        true,
      );
      pointers(x, true);
      c.if(flags.geS(0), () => s.settle(c, flags), () => {
        x.inMemory(() => c.call(settle(x.runtime), [], [unmasked]));
      }, true);
      if (pops) c.if(stored, () => s.pop(c), undefined, true);
      slow(() => x.mayBePending());
    },
  };
}

/** FCHS and FABS: no exception but an empty register. */
function sign(name: string, change: (se: Value) => Value): Semantics {
  return registers((x, c) => {
    const s = state(x);
    const slot = c.int(s.top.shl(4));
    c.if(s.tag.shrU(s.top).and(1), () => {
      c.store(slot, change(slot.load16(FPU_REGISTERS + 8)), FPU_REGISTERS + 8, 2);
      s.settle(c);
    }, () => {
      const operation = x.runtime.shared(`f80.${name}`, [I32, I64], [I32, I64], (f) => {
        const inner = new Code(f);
        const [se, significand] = Code.parameters([I32, I64]) as [Local, Local];
        inner.yield(change(se), significand);
      });
      slowly(x, c, () => c.call(unary(x.runtime, name, () => operation), []));
    }, true);
  });
}
/** FSQRT. */
const root: Semantics = registers((x, c) => {
  const s = state(x);
  const flags = c.int(-1);
  c.if(s.tag.shrU(s.top).and(1), () => {
    c.call(fastRoot(x.runtime), [s.top.shl(4).add(FPU_REGISTERS)], [flags]);
  });
  c.if(
    flags.geS(0),
    () => s.settle(c, flags),
    () => slowly(x, c, () => c.call(unary(x.runtime, "sqrt", squareRoot), [])),
    true,
  );
});

/** Moves TOP by a step; tags stay. */
function step(by: number): Semantics {
  return registers((x, c) => {
    const s = state(x);
    s.set(c, "top", s.top.add(by).and(7));
    s.settle(c);
  });
}
function free(pops: boolean): Semantics {
  return registers((x, c) => {
    const s = state(x);
    s.set(c, "tag", s.tag.and(int(1).shl(s.top.add(index(x)).and(7)).xor(-1)));
    if (pops) s.pop(c);
    s.settle(c);
  });
}

function storeControlWord(value: (x: Emitter) => Value): Semantics {
  return control((x, c) => x.write(0, c.int(value(x)).index));
}
/** The status word with TOP. */
function statusWord(x: Emitter): Value {
  const { status, top } = state(x);
  return status.or(top.shl(11));
}

/** ES and B follow from flags and masks. */
function summarize(x: Emitter, c: Code): void {
  const s = state(x);
  const pending = word(FPU_CONTROL).xor(-1).and(s.status).and(EXCEPTIONS);
  s.set(c, "status", s.status.and(~(ES | BUSY)).or(pending.choose(ES | BUSY, 0)));
  x.mayBePending();
}

/** The fast function of an operation; what it does to a sign and its mode. */
const FAST: Readonly<Record<Binary, { name: Fast; flip: number; mode: number }>> = {
  add: { name: "add", flip: 0, mode: 0 },
  sub: { name: "add", flip: 0x8000, mode: 0 },
  subr: { name: "add", flip: 0, mode: 0x8000 },
  mul: { name: "mul", flip: 0, mode: 0 },
  div: { name: "div", flip: 0, mode: 0 },
  divr: { name: "div", flip: 0, mode: 1 },
};

function arithmetic(operation: Binary): Record<string, Semantics> {
  const { name, flip, mode } = FAST[operation];
  const onRegisters = (destination: boolean, pops: boolean): Semantics =>
    registers((x, c) => {
      const s = state(x);
      const physical = c.int(s.top.add(index(x)).and(7));
      const [here, there] = destination ? [physical, s.top] : [s.top, physical];
      const flags = c.int(-1);
      c.if(s.tag.shrU(physical).and(s.tag.shrU(s.top)).and(1), () => {
        const source = c.int(there.shl(4));
        const se = source.load16(FPU_REGISTERS + 8);
        c.call(fastArithmetic(x.runtime, name), [
          here.shl(4).add(FPU_REGISTERS),
          flip === 0 ? se : se.xor(flip),
          source.load64(FPU_REGISTERS),
          mode,
        ], [flags]);
      });
      c.if(flags.geS(0), () => {
        s.settle(c, flags);
        if (pops) s.pop(c);
      }, () => {
        slowly(x, c, () => {
          const i = c.int(index(x));
          c.call(
            arithmeticRegisters(x.runtime, operation),
            destination ? [i, 0, pops ? 1 : 0] : [0, i, 0],
          );
        });
      }, true);
    });
  const onOperand = (integer: boolean): Semantics =>
    withSource(integer, (x, source) => {
      const { c, se, significand } = source;
      const s = state(x);
      const flags = c.int(-1);
      c.if(fits(source).and(s.tag.shrU(s.top)), () => {
        c.call(fastArithmetic(x.runtime, name), [
          s.top.shl(4).add(FPU_REGISTERS),
          flip === 0 ? se : se.xor(flip),
          significand,
          mode,
        ], [flags]);
      });
      c.if(flags.geS(0), () => s.settle(c, flags), () => {
        slowly(x, c, () => {
          const denormal = widen(x, source);
          c.call(arithmeticOperand(x.runtime, operation), [se, significand, denormal]);
        });
      }, true);
    });
  return {
    [`f${operation}.memory`]: onOperand(false),
    [`fi${operation}`]: onOperand(true),
    [`f${operation}.top`]: onRegisters(false, false),
    [`f${operation}.register`]: onRegisters(true, false),
    [`f${operation}.pop`]: onRegisters(true, true),
  };
}

/** FLD ST(i). */
const duplicate: Semantics = registers((x, c) => {
  const s = state(x);
  const physical = c.int(s.top.add(index(x)).and(7));
  const next = c.int(s.top.add(7).and(7));
  c.if(
    s.tag.shrU(physical).and(s.tag.shrU(next).xor(1)).and(1),
    () => {
      const slot = c.int(physical.shl(4));
      s.push(c, next, slot.load16(FPU_REGISTERS + 8), slot.load64(FPU_REGISTERS));
    },
    () => slowly(x, c, () => c.call(loadRegister(x.runtime), [index(x)])),
    true,
  );
});
/** FST ST(i), FSTP ST(i). `unchecked` (D9 D8+i): an empty ST(0) is only popped. */
function storeTo(pops: boolean, unchecked = false): Semantics {
  return registers((x, c) => {
    const s = state(x);
    c.if(s.tag.shrU(s.top).and(1), () => {
      const physical = c.int(s.top.add(index(x)).and(7));
      const [from, to] = [c.int(s.top.shl(4)), c.int(physical.shl(4))];
      c.store(to, from.load64(FPU_REGISTERS), FPU_REGISTERS, 8);
      c.store(to, from.load16(FPU_REGISTERS + 8), FPU_REGISTERS + 8, 2);
      s.set(c, "tag", s.tag.or(int(1).shl(physical)));
      s.settle(c);
      if (pops) s.pop(c);
    }, () => {
      if (unchecked) {
        s.pop(c);
        s.settle(c);
      } else slowly(x, c, () => c.call(storeRegister(x.runtime), [index(x), pops ? 1 : 0]));
    }, true);
  });
}
/** FXCH. */
const swap: Semantics = registers((x, c) => {
  const s = state(x);
  const physical = c.int(s.top.add(index(x)).and(7));
  c.if(
    s.tag.shrU(physical).and(s.tag.shrU(s.top)).and(1),
    () => {
      const [a, b] = [c.int(s.top.shl(4)), c.int(physical.shl(4))];
      const [se, significand] = [
        c.int(a.load16(FPU_REGISTERS + 8)),
        c.long(a.load64(FPU_REGISTERS)),
      ];
      c.store(a, b.load64(FPU_REGISTERS), FPU_REGISTERS, 8);
      c.store(a, b.load16(FPU_REGISTERS + 8), FPU_REGISTERS + 8, 2);
      c.store(b, significand, FPU_REGISTERS, 8);
      c.store(b, se, FPU_REGISTERS + 8, 2);
      s.settle(c);
    },
    () => slowly(x, c, () => c.call(exchange(x.runtime), [index(x)])),
    true,
  );
});

function move(condition: Condition): Semantics {
  return rareRegisters((x, c) => {
    const holds = c.int();
    x.condition(condition).f.set(holds.index);
    const c1 = c.int(word(FPU_STATUS).and(C1));
    c.call(conditionalMove(x.runtime), [holds, index(x)]);
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
  "fld.memory": {
    emit: (x) => ((x.size(0) as number) === 10 ? loadExtended : load).emit(x),
  },
  fld: duplicate,
  fild: loadInteger,
  "fst.memory": store(false, false),
  "fstp.memory": store(false, true),
  fist: store(true, false),
  fistp: store(true, true),
  fst: storeTo(false),
  fstp: storeTo(true),
  fstpUnchecked: storeTo(true, true),
  fxch: swap,
  fchs: sign("chs", (se) => se.xor(0x8000)),
  fabs: sign("abs", (se) => se.and(0x7fff)),
  fsqrt: root,
  frndint: rareRegisters((x, c) => c.call(unary(x.runtime, "rndint", roundToInteger), [])),
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
      x.guard(GUARD.WAIT, () => {
        // TS counts only together with MP.
        word(CR0).and(0xa).eq(0xa).or(state(x).status.and(ES)).push(x.f);
      }, () => x.assist("fpuWait"));
    },
  },
  fldcw: {
    emit(x): void {
      guard(x);
      const c = begin(x);
      const value = c.int();
      x.read(0).f.set(value.index);
      c.storeWord(FPU_CONTROL, value.and(0x1f3f).or(0x40));
      summarize(x, c);
    },
  },
  fnstcw: storeControlWord(() => word(FPU_CONTROL)),
  fnstsw: storeControlWord(statusWord),
  fnstswAx: control((x, c) => x.setRegister(EAX, c.int(statusWord(x)).index, 2)),
  fnclex: control((x, c) => {
    const s = state(x);
    s.set(c, "status", s.status.and(CONDITIONS));
  }),
  /** FNENI, FNDISI, FNSETPM: of the 8087 and 287, without effect since the 387. */
  fnop287: control(() => {}),
};
