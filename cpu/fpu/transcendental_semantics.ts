/**
 * The transcendental instructions: a Wasm function where it is sure of the result's bits, else the assist.
 * Rows: `cpu/isa/x87.ts`. Sources: SDM vol. 2 (FSIN …), vol. 1 §8.1.3 (C1, C2).
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { Code, int, type Local, type Value } from "../execute/expression.ts";
import type { Runtime } from "../execute/runtime.ts";
import { FPU_REGISTERS } from "../state/layout.ts";
import { fastArctangent } from "./fast_arctangent.ts";
import { fastLogarithm, fastLogarithmPlusOne } from "./fast_logarithm.ts";
import { fastPower } from "./fast_power.ts";
import { fastCircular, fastTangent } from "./fast_trigonometry.ts";
import { registers } from "./semantics.ts";
import { type StackWords, state } from "./stack.ts";
import { BIAS, C2, INTEGER_BIT } from "./status.ts";

/** What a fast function gave: what it raises or −1, and the number. */
interface Result {
  readonly flags: Local;
  readonly se: Local;
  readonly significand: Local;
}
function result(c: Code): Result {
  return { flags: c.int(-1), se: c.int(), significand: c.long() };
}
function call(c: Code, index: number, parameters: readonly (Value | number)[], to: Result): void {
  c.call(index, parameters, [to.flags, to.se, to.significand]);
}
/** Address of ST(i). */
function slot(s: StackWords, i: number): Value {
  return (i === 0 ? s.top : s.top.add(i).and(7)).shl(4).add(FPU_REGISTERS);
}
function store(c: Code, address: Value, { se, significand }: Result): void {
  const at = c.int(address);
  c.store(at, significand, 0, 8);
  c.store(at, se, 8, 2);
}

/**
 * An instruction that is an assist of that name. `attempt` fills the result's flags; where they are not negative `conclude`
 * stores what there is, before the status word is set.
 */
function attempted(
  name: string,
  attempt: (x: Emitter, c: Code, to: Result) => void,
  conclude: (c: Code, s: StackWords, result: Result) => void,
  cleared = 0,
): Semantics {
  return registers((x, c) => {
    const s = state(x);
    const to = result(c);
    attempt(x, c, to);
    c.if(
      to.flags.geS(0),
      () => {
        conclude(c, s, to);
        if (cleared !== 0) s.set(c, "status", s.status.and(~cleared));
        s.settle(c, to.flags);
      },
      () => x.assist(name),
      true,
    );
  });
}
/** 1 when ST(0) is full, and ST(7) empty where something is pushed. */
function ready(s: StackWords, pushes: boolean): Value {
  const full = s.tag.shrU(s.top);
  return (pushes ? full.and(s.tag.shrU(s.top.add(7).and(7)).xor(1)) : full).and(1);
}
function pushAfter(c: Code, s: StackWords, se: Value, significand: Value | bigint): void {
  const physical = c.int(s.top.add(7).and(7));
  const value = c.long(significand);
  s.push(c, physical, se, value);
}

function circular(name: string, shift: 0 | 1): Semantics {
  return attempted(
    name,
    (x, c, to) => {
      const s = state(x);
      c.if(ready(s, false), () => call(c, fastCircular(x.runtime), [slot(s, 0), shift], to));
    },
    (c, s, to) => store(c, slot(s, 0), to),
    C2,
  );
}

const sineCosine: Semantics = registers((x, c) => {
  const s = state(x);
  const [sine, cosine] = [result(c), result(c)];
  c.if(ready(s, true), () => {
    const function_ = fastCircular(x.runtime);
    call(c, function_, [slot(s, 0), 0], sine);
    c.if(sine.flags.geS(0), () => call(c, function_, [slot(s, 0), 1], cosine));
  });
  c.if(
    cosine.flags.geS(0),
    () => {
      store(c, slot(s, 0), sine);
      pushAfter(c, s, cosine.se, cosine.significand);
      s.set(c, "status", s.status.and(~C2));
      // C1 tells of the cosine.
      s.settle(c, cosine.flags);
    },
    () => x.assist("fsincos"),
    true,
  );
});

const tangent: Semantics = attempted(
  "fptan",
  (x, c, to) => {
    const s = state(x);
    c.if(ready(s, true), () => call(c, fastTangent(x.runtime), [slot(s, 0)], to));
  },
  (c, s, to) => {
    store(c, slot(s, 0), to);
    pushAfter(c, s, int(BIAS), INTEGER_BIT);
  },
  C2,
);

const power: Semantics = attempted(
  "f2xm1",
  (x, c, to) => {
    const s = state(x);
    c.if(ready(s, false), () => call(c, fastPower(x.runtime), [slot(s, 0)], to));
  },
  (c, s, to) => store(c, slot(s, 0), to),
);

/** A function of ST(0) and ST(1), which replaces both. */
function binary(name: string, build: (runtime: Runtime) => number): Semantics {
  return attempted(
    name,
    (x, c, to) => {
      const s = state(x);
      const full = s.tag.shrU(s.top).and(s.tag.shrU(s.top.add(1).and(7))).and(1);
      c.if(full, () => {
        const [first, second] = [c.int(slot(s, 0)), c.int(slot(s, 1))];
        call(
          c,
          build(x.runtime),
          [first, second].flatMap((at) => [at.load16(8), at.load64()]),
          to,
        );
      });
    },
    (c, s, to) => {
      store(c, slot(s, 1), to);
      s.pop(c);
    },
  );
}

export const transcendentalSemantics: Readonly<Record<string, Semantics>> = {
  fsin: circular("fsin", 0),
  fcos: circular("fcos", 1),
  fsincos: sineCosine,
  fptan: tangent,
  fpatan: binary("fpatan", fastArctangent),
  f2xm1: power,
  fyl2x: binary("fyl2x", fastLogarithm),
  fyl2xp1: binary("fyl2xp1", fastLogarithmPlusOne),
};
