/**
 * x87 operations on the register stack, as Wasm functions that handlers share: arithmetic on registers and
 * memory, comparisons, loads and conversions of ST(0), with the responses to empty registers.
 *
 * RAISED is cleared by the handler (semantics.ts) before it calls one of these.
 * Sources: SDM vol. 1 §8.3, §8.5.1 (stack faults); vol. 2.
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import { add, compare, divide, multiply } from "./arithmetic.ts";
import { Code, int, type Local, long, type Value } from "../execute/expression.ts";
import { narrow, toInteger } from "./round.ts";
import {
  C0,
  C2,
  C3,
  commit,
  DE,
  IE,
  INDEFINITE,
  indefinite,
  INDEFINITE_SE,
  isFull,
  MAX_EXPONENT,
  pop,
  push,
  QUIET_BIT,
  raise,
  RAISED,
  settle,
  STACK_FAULT,
  stackAddress,
} from "./status.ts";

/** The six arithmetic operations on two operands; r: the other way round. */
export const BINARY = ["add", "mul", "sub", "subr", "div", "divr"] as const;
export type Binary = typeof BINARY[number];

/** Sets a number from ST at an address. */
function loadNumber(c: Code, address: Local, se: Local, significand: Local): void {
  c.set(se, address.load16(8));
  c.set(significand, address.load64());
}

function combine(
  c: Code,
  runtime: Runtime,
  operation: Binary,
  x: [Local, Local],
  y: [Local, Local],
  denormal: Value,
): void {
  const reversed = operation.endsWith("r");
  const [first, second] = reversed ? [y, x] : [x, y];
  const parameters = [...first, ...second, denormal];
  if (operation === "mul") c.call(multiply(runtime), parameters, x);
  else if (operation.startsWith("div")) c.call(divide(runtime), parameters, x);
  else c.call(add(runtime), [...parameters, operation === "add" ? 0 : 1], x);
}

/** (destination, source, pop): ST(destination) = ST(destination) op ST(source). */
export function arithmeticRegisters(runtime: Runtime, operation: Binary): number {
  [add, multiply, divide, commit].forEach((build) => build(runtime));
  return runtime.shared(`x87.${operation}.registers`, [I32, I32, I32], [], (f) => {
    const c = new Code(f);
    const [destination, source, pops] = Code.parameters([I32, I32, I32]) as [Local, Local, Local];
    c.set(destination, stackAddress(destination));
    c.set(source, stackAddress(source));
    const [xse, x, yse, y, stored] = [c.int(), c.long(), c.int(), c.long(), c.int()];
    c.if(isFull(destination).and(isFull(source)), () => {
      loadNumber(c, destination, xse, x);
      loadNumber(c, source, yse, y);
      combine(c, runtime, operation, [xse, x], [yse, y], int(0));
    }, () => {
      raise(c, IE | STACK_FAULT);
      indefinite(c, xse, x);
    });
    c.call(commit(runtime), [destination, xse, x], [stored]);
    c.if(stored.and(pops), () => pop(c));
  });
}

/** (sign and exponent, significand, denormal): ST(0) = ST(0) op operand. */
export function arithmeticOperand(runtime: Runtime, operation: Binary): number {
  [add, multiply, divide, commit].forEach((build) => build(runtime));
  return runtime.shared(`x87.${operation}.operand`, [I32, I64, I32], [], (f) => {
    const c = new Code(f);
    const [yse, y, denormal] = Code.parameters([I32, I64, I32]) as [Local, Local, Local];
    const destination = c.int(stackAddress(0));
    const [xse, x, stored] = [c.int(), c.long(), c.int()];
    c.if(isFull(destination), () => {
      loadNumber(c, destination, xse, x);
      combine(c, runtime, operation, [xse, x], [yse, y], denormal);
    }, () => {
      raise(c, IE | STACK_FAULT);
      indefinite(c, xse, x);
    });
    c.call(commit(runtime), [destination, xse, x], [stored]);
    c.f.get(stored.index).drop();
  });
}

/**
 * (sign and exponent, significand, denormal, full, quiet) → condition codes of ST(0) against the operand, and 1 when
 * no unmasked exception forbids to pop. The codes are set in any case, as processors do. `full` 0: the
 * operand was an empty register.
 */
export function compareTop(runtime: Runtime): number {
  const types = [I32, I64, I32, I32, I32];
  const [comparison, settled] = [compare(runtime), settle(runtime)];
  return runtime.shared("x87.compareTop", types, [I32, I32], (f) => {
    const c = new Code(f);
    const [yse, y, denormal, full, quiet] = Code.parameters(types) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const top = c.int(stackAddress(0));
    const codes = c.int(C0 | C2 | C3);
    const unmasked = c.int();
    c.if(isFull(top).and(full), () => {
      c.call(comparison, [top.load16(8), top.load64(), yse, y, denormal, quiet], [codes]);
    }, () => raise(c, IE | STACK_FAULT));
    c.call(settled, [], [unmasked]);
    c.yield(codes, unmasked.and(IE | DE).isZero());
  });
}

/** (sign and exponent, significand, denormal): pushes a number that was a single or double. */
export function loadWidened(runtime: Runtime): number {
  const pushed = push(runtime);
  return runtime.shared("x87.loadWidened", [I32, I64, I32], [], (f) => {
    const c = new Code(f);
    const [se, significand, denormal] = Code.parameters([I32, I64, I32]) as [Local, Local, Local];
    c.if(denormal, () => raise(c, DE), undefined, false);
    const fraction = significand.shl(1);
    c.if(
      se.and(0x7fff).eq(MAX_EXPONENT).and(fraction.notZero()).and(fraction.geS(0)),
      () => {
        raise(c, IE);
        c.set(significand, significand.or(QUIET_BIT));
      },
      undefined,
      false,
    );
    c.call(pushed, [se, significand]);
  });
}

/** (i): pushes ST(i). */
export function loadRegister(runtime: Runtime): number {
  const pushed = push(runtime);
  return runtime.shared("x87.loadRegister", [I32], [], (f) => {
    const c = new Code(f);
    const [i] = Code.parameters([I32]) as [Local];
    c.set(i, stackAddress(i));
    c.if(isFull(i), () => c.call(pushed, [i.load16(8), i.load64()]), () => {
      raise(c, IE | STACK_FAULT);
      c.call(pushed, [INDEFINITE_SE, INDEFINITE]);
    });
  });
}

/** (i, pop): ST(i) = ST(0). */
export function storeRegister(runtime: Runtime): number {
  const committed = commit(runtime);
  return runtime.shared("x87.storeRegister", [I32, I32], [], (f) => {
    const c = new Code(f);
    const [i, pops] = Code.parameters([I32, I32]) as [Local, Local];
    const top = c.int(stackAddress(0));
    const [se, significand, stored] = [c.int(), c.long(), c.int()];
    c.if(isFull(top), () => loadNumber(c, top, se, significand), () => {
      raise(c, IE | STACK_FAULT);
      indefinite(c, se, significand);
    });
    c.call(committed, [stackAddress(i), se, significand], [stored]);
    c.if(stored.and(pops), () => pop(c));
  });
}

/** (bits 24 or 53) → ST(0) as a single or double; raises. */
export function topNarrowed(runtime: Runtime): number {
  const narrowed = narrow(runtime);
  return runtime.shared("x87.topNarrowed", [I32], [I64], (f) => {
    const c = new Code(f);
    const [bits] = Code.parameters([I32]) as [Local];
    const top = c.int(stackAddress(0));
    c.if(
      isFull(top).isZero(),
      () => {
        raise(c, IE | STACK_FAULT);
        c.return(bits.eq(24).choose(long(0xffc00000n), long(0xfff8n << 48n)));
      },
      undefined,
      false,
    );
    c.yield(top.load16(8), top.load64(), bits);
    c.f.call(narrowed);
  });
}

/** (bits 16, 32 or 64) → ST(0) as an integer; raises. */
export function topInteger(runtime: Runtime): number {
  const converted = toInteger(runtime);
  return runtime.shared("x87.topInteger", [I32], [I64], (f) => {
    const c = new Code(f);
    const [bits] = Code.parameters([I32]) as [Local];
    const top = c.int(stackAddress(0));
    c.if(
      isFull(top).isZero(),
      () => {
        raise(c, IE | STACK_FAULT);
        c.return(long(-1n).shl(bits.sub(1).wide()));
      },
      undefined,
      false,
    );
    c.yield(top.load16(8), top.load64(), bits);
    c.f.call(converted);
  });
}

/** (i): FXCH. Empty registers count as the default NaN. */
export function exchange(runtime: Runtime): number {
  const settled = settle(runtime);
  const committed = commit(runtime);
  return runtime.shared("x87.exchange", [I32], [], (f) => {
    const c = new Code(f);
    const [i] = Code.parameters([I32]) as [Local];
    c.set(i, stackAddress(i));
    const top = c.int(stackAddress(0));
    const [xse, x, yse, y, unmasked] = [c.int(), c.long(), c.int(), c.long(), c.int()];
    loadNumber(c, top, xse, x);
    loadNumber(c, i, yse, y);
    c.if(
      isFull(top).and(isFull(i)).isZero(),
      () => {
        raise(c, IE | STACK_FAULT);
        c.if(isFull(top).isZero(), () => indefinite(c, xse, x));
        c.if(isFull(i).isZero(), () => indefinite(c, yse, y));
      },
      undefined,
      false,
    );
    c.call(settled, [], [unmasked]);
    c.if(unmasked, () => c.return(), undefined, false);
    // `commit` would clear a C1 that has been settled, but it is 0 here.
    c.storeWord(RAISED, 0);
    c.call(committed, [top, yse, y], [unmasked]);
    c.call(committed, [i, xse, x], [unmasked]);
  });
}

/** (condition 0/1, i): FCMOVcc. */
export function conditionalMove(runtime: Runtime): number {
  const committed = commit(runtime);
  return runtime.shared("x87.conditionalMove", [I32, I32], [], (f) => {
    const c = new Code(f);
    const [condition, i] = Code.parameters([I32, I32]) as [Local, Local];
    c.set(i, stackAddress(i));
    const top = c.int(stackAddress(0));
    const [se, significand, stored] = [c.int(), c.long(), c.int()];
    c.if(isFull(top).and(isFull(i)), () => {
      loadNumber(c, top, se, significand);
      c.if(condition, () => loadNumber(c, i, se, significand));
    }, () => {
      raise(c, IE | STACK_FAULT);
      indefinite(c, se, significand);
    });
    c.call(committed, [top, se, significand], [stored]);
    c.f.get(stored.index).drop();
  });
}

/**
 * A function (sign and exponent, significand) → the same, applied to ST(0); `name` names the instruction.
 * `build` gives the function's index.
 */
export function unary(runtime: Runtime, name: string, build: (r: Runtime) => number): number {
  const committed = commit(runtime);
  const operation = build(runtime);
  return runtime.shared(`x87.${name}`, [], [], (f) => {
    const c = new Code(f);
    const top = c.int(stackAddress(0));
    const [se, significand, stored] = [c.int(), c.long(), c.int()];
    c.if(isFull(top), () => {
      c.call(operation, [top.load16(8), top.load64()], [se, significand]);
    }, () => {
      raise(c, IE | STACK_FAULT);
      indefinite(c, se, significand);
    });
    c.call(committed, [top, se, significand], [stored]);
    c.f.get(stored.index).drop();
  });
}
