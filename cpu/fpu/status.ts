/**
 * Bits of the x87 words, the private state, and the Wasm functions for stack and exceptions.
 *
 * An operation collects its exceptions (and C1) in {@link RAISED}; `commit` and `push` merge them into the
 * status word and decide whether the result is stored. FPU_TAG holds one bit a physical register, set when
 * it is not empty: the two-bit tags are made from the contents where an environment is stored.
 * Sources: SDM vol. 1 §8.1.3 (status), §8.1.5 (control), §8.1.7 (tags), §8.5 (exceptions).
 * @module
 */
import type { Runtime } from "../execute/runtime.ts";
import { I32, I64 } from "../execute/wasm.ts";
import {
  FPU_CONTROL,
  FPU_PRIVATE,
  FPU_REGISTERS,
  FPU_STATUS,
  FPU_TAG,
  FPU_TOP,
} from "../state/layout.ts";
import { Code, int, type Local, long, type Value, word } from "../execute/expression.ts";

/** Exceptions, in status and (as masks) in control word. */
export const IE = 1;
export const DE = 2;
export const ZE = 4;
export const OE = 8;
export const UE = 0x10;
export const PE = 0x20;
export const EXCEPTIONS = 0x3f;
/** Stack fault, error summary, busy, condition codes. */
export const STACK_FAULT = 0x40;
export const ES = 0x80;
export const C0 = 0x100;
export const C1 = 0x200;
export const C2 = 0x400;
export const C3 = 0x4000;
export const BUSY = 0x8000;
export const CONDITIONS: number = C0 | C1 | C2 | C3;

/** Exceptions and C1 of the running operation. */
export const RAISED: number = FPU_PRIVATE;

/** Biased exponent of infinities and NaNs; the bias. */
export const MAX_EXPONENT = 0x7fff;
export const BIAS = 0x3fff;
/** Exponent change of an unmasked overflow or underflow (SDM vol. 1 §8.5.4). */
export const WRAP = 0x6000;
export const INTEGER_BIT: bigint = 1n << 63n;
export const QUIET_BIT: bigint = 1n << 62n;
/** The default NaN: sign and exponent, significand. */
export const INDEFINITE_SE = 0xffff;
export const INDEFINITE: bigint = 3n << 62n;

/** Adds exceptions to RAISED. */
export function raise(c: Code, flags: Value | number): void {
  c.storeWord(RAISED, word(RAISED).or(flags));
}
/** Rounding control: 0 nearest, 1 down, 2 up, 3 to zero. */
export function roundingControl(): Value {
  return word(FPU_CONTROL).shrU(10).and(3);
}
/** Address of ST(i). */
export function stackAddress(i: Value | number): Value {
  const physical = i === 0 ? word(FPU_TOP) : word(FPU_TOP).add(i).and(7);
  return physical.shl(4).add(FPU_REGISTERS);
}
/** 1 when the register at an address is not empty. */
export function isFull(address: Value): Value {
  return word(FPU_TAG).shrU(address.sub(FPU_REGISTERS).shrU(4)).and(1);
}
/** Marks ST(0) empty and increments TOP. */
export function pop(c: Code): void {
  c.storeWord(FPU_TAG, word(FPU_TAG).and(int(1).shl(word(FPU_TOP)).xor(-1)));
  c.storeWord(FPU_TOP, word(FPU_TOP).add(1).and(7));
}

/**
 * () → exceptions that were raised and are not masked. Merges RAISED into the status word: C1 is replaced, ES
 * and B are set if anything unmasked is there.
 */
export function settle(runtime: Runtime): number {
  return runtime.shared("x87.settle", [], [I32], (f) => {
    const c = new Code(f);
    const raised = c.int(word(RAISED));
    const status = c.int(word(FPU_STATUS).and(~C1).or(raised));
    c.if(
      raised,
      () => {
        const unmasked = word(FPU_CONTROL).xor(-1).and(raised).and(EXCEPTIONS);
        c.set(raised, unmasked);
        c.if(raised, () => c.set(status, status.or(ES | BUSY)));
      },
      undefined,
      false,
    );
    c.storeWord(FPU_STATUS, status);
    c.yield(raised);
  });
}

/** (address, sign and exponent, significand) → 1 when stored: the end of an operation with a register result. */
export function commit(runtime: Runtime): number {
  const settled = settle(runtime);
  return runtime.shared("x87.commit", [I32, I32, I64], [I32], (f) => {
    const c = new Code(f);
    const [address, se, significand] = Code.parameters([I32, I32, I64]) as [Local, Local, Local];
    const unmasked = c.int();
    c.call(settled, [], [unmasked]);
    c.if(unmasked.and(IE | DE | ZE), () => c.return(int(0)), undefined, false);
    c.store(address, significand, 0, 8);
    c.store(address, se, 8, 2);
    c.storeWord(FPU_TAG, word(FPU_TAG).or(int(1).shl(address.sub(FPU_REGISTERS).shrU(4))));
    c.yield(int(1));
  });
}

/** (sign and exponent, significand): pushes unless that overflows or RAISED has something unmasked. */
export function push(runtime: Runtime): number {
  const settled = settle(runtime);
  return runtime.shared("x87.push", [I32, I64], [], (f) => {
    const c = new Code(f);
    const [se, significand] = Code.parameters([I32, I64]) as [Local, Local];
    const top = c.int(word(FPU_TOP).add(7).and(7));
    const unmasked = c.int();
    c.if(
      word(FPU_TAG).shrU(top).and(1),
      () => {
        // An empty source goes before a full destination.
        const overflow = word(RAISED).and(STACK_FAULT).choose(0, C1);
        c.storeWord(RAISED, overflow.or(IE | STACK_FAULT));
        c.set(se, INDEFINITE_SE);
        c.set(significand, INDEFINITE);
      },
      undefined,
      false,
    );
    c.call(settled, [], [unmasked]);
    // An unmasked denormal is reported after the load.
    c.if(unmasked.and(IE), () => c.return(), undefined, false);
    c.storeWord(FPU_TOP, top);
    c.storeWord(FPU_TAG, word(FPU_TAG).or(int(1).shl(top)));
    const address = c.int(top.shl(4).add(FPU_REGISTERS));
    c.store(address, significand, 0, 8);
    c.store(address, se, 8, 2);
  });
}

/** Sets the locals to the default NaN. */
export function indefinite(c: Code, se: Local, significand: Local): void {
  c.set(se, INDEFINITE_SE);
  c.set(significand, long(INDEFINITE));
}
