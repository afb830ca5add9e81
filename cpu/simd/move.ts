/**
 * Moves and shuffles of MMX and XMM registers.
 *
 * The scalar moves zero-extend from memory into a register but merge between registers (SDM vol. 2, MOVSS).
 * Sources: SDM vol. 2; vol. 1 §10.4 and §11.4.
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { I64, V128 } from "../execute/wasm.ts";
import { RECORD } from "../state/layout.ts";
import { begin, commit, sse, sseWithMmx } from "./guard.ts";

/** Stores an i64 local in register operand 0 at 8 × `half`. */
function storeHalf(x: Emitter, half: number, value: number): void {
  x.registerAddress(0).f.get(value).memory("i64.store", 8 * half);
}
/** Writes an i64 local to XMM register operand 0, zeros above. */
function storeExtended(x: Emitter, value: number): void {
  storeHalf(x, 0, value);
  x.registerAddress(0).f.i64(0n).memory("i64.store", 8);
}

const vector: Semantics = sse((x) => {
  const value = x.local(V128);
  x.readVector(1).f.set(value);
  x.writeVector(0, value);
});

/** MOVD: zero-extended into MMX and XMM registers. */
const word: Semantics = {
  emit(x): void {
    begin(x);
    const value = x.local();
    x.read(1).f.set(value);
    if (x.isVector(0)) {
      const wide = x.local(I64);
      x.f.get(value).op("i64.extend_i32_u").set(wide);
      commit(x);
      if (x.isMmx(0)) x.write64(0, wide);
      else storeExtended(x, wide);
    } else if (x.isMemory(0)) {
      x.write(0, value);
      commit(x);
    } else {
      commit(x);
      x.write(0, value);
    }
  },
};

/** MOVQ: XMM destinations are zero-extended. */
const quad: Semantics = {
  emit(x): void {
    begin(x);
    const value = x.local(I64);
    x.read64(1).f.set(value);
    if (x.isMemory(0)) {
      x.write64(0, value);
      commit(x);
      return;
    }
    commit(x);
    if (x.isMmx(0)) x.write64(0, value);
    else storeExtended(x, value);
  },
};

const single: Semantics = sse((x) => {
  const value = x.local();
  x.read(1).f.set(value);
  if (!x.isMemory(1)) {
    x.write(0, value);
    return;
  }
  const wide = x.local(I64);
  x.f.get(value).op("i64.extend_i32_u").set(wide);
  storeExtended(x, wide);
});
const double: Semantics = sse((x) => {
  const value = x.local(I64);
  x.read64(1).f.set(value);
  if (x.isMemory(1)) storeExtended(x, value);
  else x.write64(0, value);
});

/** MOVLPS, MOVLPD: the low half to or from memory. */
const low: Semantics = sse((x) => {
  const value = x.local(I64);
  x.read64(1).f.set(value);
  x.write64(0, value);
});
/** MOVHPS, MOVHPD: the high half to or from memory. */
const high: Semantics = sse((x) => {
  const value = x.local(I64);
  if (x.isMemory(0)) {
    x.registerAddress(1).f.memory("i64.load", 8).set(value);
    x.write64(0, value);
  } else {
    x.read64(1).f.set(value);
    storeHalf(x, 1, value);
  }
});
/** MOVHLPS (from the high half to the low one), MOVLHPS. */
function acrossHalves(from: number): Semantics {
  return sse((x) => {
    const value = x.local(I64);
    x.registerAddress(1).f.memory("i64.load", 8 * from).set(value);
    storeHalf(x, 1 - from, value);
  });
}

/** MOVQ2DQ, MOVDQ2Q. */
const betweenFiles: Semantics = sseWithMmx((x) => {
  const value = x.local(I64);
  x.read64(1).f.set(value);
  commit(x);
  if (x.isMmx(0)) x.write64(0, value);
  else storeExtended(x, value);
});

/** A constant of four 32-bit lanes. */
function lanes32(values: readonly number[]): number[] {
  return values.flatMap((value) => [0, 8, 16, 24].map((bit) => (value >>> bit) & 0xff));
}
function lanes16(values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 0xff, (value >>> 8) & 0xff]);
}
/**
 * Pushes the indices of bytes that the immediate's four 2-bit fields choose among 32-bit elements. A product
 * by a power of 4 brings each field to bits 7:6.
 */
function select32(x: Emitter): void {
  const { f } = x;
  x.field(RECORD.IMMEDIATE).f.vector("i32x4.splat").v128(lanes32([64, 16, 4, 1]));
  f.vector("i32x4.mul").i32(6).vector("i32x4.shr_u").v128(lanes32([3, 3, 3, 3]));
  f.vector("v128.and").v128(lanes32([1, 1, 1, 1].map(() => 0x04040404))).vector("i32x4.mul");
  f.v128(lanes32([1, 1, 1, 1].map(() => 0x03020100))).vector("i32x4.add");
}
/** The same among 16-bit elements: of the low (0) or high (1) half; the other half stays. */
function select16(x: Emitter, half: number): void {
  const { f } = x;
  const fields = [64, 16, 4, 1];
  const first = [0, 0, 0, 0].map(() => 0x0100 + half * 0x0808);
  const identity = [0, 1, 2, 3].map((i) => 0x0100 + (i + 4 - half * 4) * 0x0202);
  const zeros = [0, 0, 0, 0];
  const both = <T>(chosen: readonly T[], other: readonly T[]): T[] =>
    half === 0 ? [...chosen, ...other] : [...other, ...chosen];
  x.field(RECORD.IMMEDIATE).f.vector("i16x8.splat").v128(lanes16(both(fields, zeros)));
  f.vector("i16x8.mul").i32(6).vector("i16x8.shr_u").v128(lanes16(both([3, 3, 3, 3], zeros)));
  f.vector("v128.and").v128(lanes16(both([1, 1, 1, 1].map(() => 0x0202), zeros)));
  f.vector("i16x8.mul").v128(lanes16(both(first, identity))).vector("i16x8.add");
}

/** PSHUFD, PSHUFHW, PSHUFLW, PSHUFW: elements of the source by the immediate. */
function shuffle(select: (x: Emitter) => void): Semantics {
  return {
    emit(x): void {
      begin(x);
      const value = x.local(V128);
      x.readVector(1);
      select(x);
      x.f.vector("i8x16.swizzle").set(value);
      commit(x);
      x.writeVector(0, value);
    },
  };
}
/** SHUFPS, SHUFPD: the low half of the result from the destination, the high half from the source. */
function shuffleTwo(select: (x: Emitter) => void): Semantics {
  return sse((x) => {
    const [a, b, chosen] = [x.local(V128), x.local(V128), x.local(V128)];
    const { f } = x;
    x.readVector(1).f.set(b);
    x.readVector(0).f.set(a);
    select(x);
    f.set(chosen).get(a).get(chosen).vector("i8x16.swizzle");
    f.get(b).get(chosen).vector("i8x16.swizzle");
    f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]).set(a);
    x.writeVector(0, a);
  });
}
/** Indices of bytes by the immediate's bits 0 and 1 among 64-bit elements. */
function select64(x: Emitter): void {
  const { f } = x;
  const bytes = [0, 1, 2, 3, 4, 5, 6, 7];
  f.v128(new Array<number>(16).fill(0));
  for (let i = 0; i < 2; i++) {
    // 0 or 08 in each byte.
    x.field(RECORD.IMMEDIATE).f.i32(i).shrU().i32(1).and().op("i64.extend_i32_u");
    f.i64(0x0808080808080808n).op("i64.mul").lane("i64x2.replace_lane", i);
  }
  f.v128([...bytes, ...bytes]).vector("i8x16.add");
}

/** The semantics by operation name. */
export const moveSemantics: Readonly<Record<string, Semantics>> = {
  movups: vector,
  movd: word,
  movq: quad,
  movss: single,
  movsd: double,
  movlps: low,
  movhps: high,
  movhlps: acrossHalves(1),
  movlhps: acrossHalves(0),
  movq2dq: betweenFiles,
  movdq2q: betweenFiles,
  pshufw: shuffle((x) => select16(x, 0)),
  pshuflw: shuffle((x) => select16(x, 0)),
  pshufhw: shuffle((x) => select16(x, 1)),
  pshufd: shuffle(select32),
  shufps: shuffleTwo(select32),
  shufpd: shuffleTwo(select64),
};
