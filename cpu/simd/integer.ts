/**
 * Packed integers on MMX and XMM registers. One definition serves both: an MMX operand is the low half of a
 * vector whose high half is zero, and only the low half of the result is written.
 * Sources: SDM vol. 2 (the instructions), vol. 1 §9.4 and §11.4.2.
 * @module
 */
import type { Emitter, Semantics } from "../execute/emit.ts";
import { I64, V128, type VectorOperation, type WasmFunction } from "../execute/wasm.ts";
import { RECORD } from "../state/layout.ts";
import { begin, commit, isMmx } from "./guard.ts";

/** Bytes `from` … `from + count − 1`. */
function run(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
/** Fills a shuffle up to 16 bytes. */
function padded(bytes: readonly number[]): number[] {
  return [...bytes, ...new Array<number>(16 - bytes.length).fill(0)];
}
/** A vector of four equal 32-bit words. */
function words32(value: number): number[] {
  return Array.from({ length: 16 }, (_, i) => (value >>> (8 * (i & 3))) & 0xff);
}

/** operand 0 = operation(operand 0, operand 1): `combine` has both in locals and pushes the result. */
function binary(combine: (x: Emitter, a: number, b: number) => void): Semantics {
  return {
    emit(x): void {
      begin(x);
      const [a, b] = [x.local(V128), x.local(V128)];
      x.readVector(1).f.set(b);
      x.readVector(0).f.set(a);
      combine(x, a, b);
      x.f.set(a);
      commit(x);
      x.writeVector(0, a);
    },
  };
}
/** An operation that WebAssembly has. */
function direct(...names: VectorOperation[]): Semantics {
  return binary((x, a, b) => x.f.get(a).get(b).vector(...names));
}

/** PACK: the words of the destination, then those of the source. */
function pack(name: VectorOperation): Semantics {
  return binary((x, a, b) => {
    const { f } = x;
    f.get(a).get(b);
    // Of MMX operands both halves into one vector first; the high half of the result is not used.
    if (isMmx(x)) f.shuffle([...run(0, 8), ...run(16, 8)]).tee(a).get(a);
    f.vector(name);
  });
}
/** PUNPCKL, PUNPCKH: interleaves elements of `width` bytes of the low or high halves. */
function unpack(width: number, high: boolean): Semantics {
  return binary((x, a, b) => {
    const half = isMmx(x) ? 4 : 8;
    const bytes: number[] = [];
    for (let i = high ? half : 0; bytes.length < 2 * half; i += width) {
      bytes.push(...run(i, width), ...run(16 + i, width));
    }
    x.f.get(a).get(b).shuffle(padded(bytes));
  });
}
/** The high halves of 16-bit products. */
function multiplyHigh(signed: boolean): Semantics {
  const sign = signed ? "s" : "u";
  const high = [2, 6, 10, 14, 18, 22, 26, 30].flatMap((at) => [at, at + 1]);
  return binary((x, a, b) => {
    const { f } = x;
    f.get(a).get(b).vector(`i32x4.extmul_low_i16x8_${sign}`);
    f.get(a).get(b).vector(`i32x4.extmul_high_i16x8_${sign}`);
    f.shuffle(high);
  });
}
/** PMULUDQ: 64-bit products of the even 32-bit words. */
const multiplyEven: Semantics = binary((x, a, b) => {
  const even = padded([...run(0, 4), ...run(8, 4)]);
  const { f } = x;
  f.get(a).get(a).shuffle(even).get(b).get(b).shuffle(even).vector("i64x2.extmul_low_i32x4_u");
});
/** PSADBW: the sum of eight absolute differences in the low word of each half. */
const sumOfDifferences: Semantics = binary((x, a, b) => {
  const { f } = x;
  f.get(a).get(b).vector("i8x16.max_u").get(a).get(b).vector("i8x16.min_u", "i8x16.sub");
  f.vector("i16x8.extadd_pairwise_i8x16_u", "i32x4.extadd_pairwise_i16x8_u").tee(a);
  f.get(a).i32(32).vector("i64x2.shr_u", "i64x2.add");
  f.v128([255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0]).vector("v128.and");
});

/** PSLL, PSRL, PSRA by the low 64 bits of operand 1 or an immediate; counts beyond the width shift all out. */
function shift(name: VectorOperation, bits: number, arithmetic: boolean): Semantics {
  return {
    emit(x): void {
      begin(x);
      const { f } = x;
      const [value, count] = [x.local(V128), x.local(I64)];
      if (x.form.operands[1]?.kind === "immediate") {
        x.field(RECORD.IMMEDIATE).f.op("i64.extend_i32_u").set(count);
      } else x.readVector(1).f.lane("i64x2.extract_lane", 0).set(count);
      x.readVector(0);
      if (arithmetic) {
        const last = BigInt(bits - 1);
        f.get(count).i64(last).get(count).i64(last).op("i64.lt_u", "select", "i32.wrap_i64");
        f.vector(name).set(value);
      } else {
        f.get(count).op("i32.wrap_i64").vector(name).v128(words32(0));
        f.get(count).i64(BigInt(bits)).op("i64.lt_u", "select").set(value);
      }
      commit(x);
      x.writeVector(0, value);
    },
  };
}
/** PSLLDQ, PSRLDQ: a choice of bytes, of which indices beyond 15 are zero. */
function shiftBytes(left: boolean): Semantics {
  return {
    emit(x): void {
      begin(x);
      const { f } = x;
      const value = x.local(V128);
      x.readVector(0).f.v128(run(0, 16));
      x.field(RECORD.IMMEDIATE).f.vector("i8x16.splat").v128(new Array<number>(16).fill(16));
      f.vector("i8x16.min_u", left ? "i8x16.sub" : "i8x16.add", "i8x16.swizzle").set(value);
      x.writeVector(0, value);
    },
  };
}

/** A mask of sign bits into a general register. */
function mask(name: VectorOperation): Semantics {
  return {
    emit(x): void {
      begin(x);
      const value = x.local();
      x.readVector(1).f.vector(name).set(value);
      commit(x);
      x.write(0, value);
    },
  };
}

/** Pushes the address of the 16-bit element that the immediate chooses in register operand `index`. */
function element(x: Emitter, index: number): WasmFunction {
  return x.registerAddress(index).field(RECORD.IMMEDIATE).f.i32(isMmx(x) ? 3 : 7).and().i32(1).shl()
    .add();
}
const extractWord: Semantics = {
  emit(x): void {
    begin(x);
    const value = x.local();
    element(x, 1).memory("i32.load16_u").set(value);
    commit(x);
    x.write(0, value);
  },
};
const insertWord: Semantics = {
  emit(x): void {
    begin(x);
    const value = x.local();
    x.read(1).f.set(value);
    commit(x);
    element(x, 0).get(value).memory("i32.store16");
    if (isMmx(x)) {
      // Writing any part sets the exponent bits.
      const whole = x.local(I64);
      x.read64(0).f.set(whole);
      x.write64(0, whole);
    }
  },
};

/** The semantics by operation name. */
export const integerSemantics: Readonly<Record<string, Semantics>> = {
  paddb: direct("i8x16.add"),
  paddw: direct("i16x8.add"),
  paddd: direct("i32x4.add"),
  paddq: direct("i64x2.add"),
  paddsb: direct("i8x16.add_sat_s"),
  paddsw: direct("i16x8.add_sat_s"),
  paddusb: direct("i8x16.add_sat_u"),
  paddusw: direct("i16x8.add_sat_u"),
  psubb: direct("i8x16.sub"),
  psubw: direct("i16x8.sub"),
  psubd: direct("i32x4.sub"),
  psubq: direct("i64x2.sub"),
  psubsb: direct("i8x16.sub_sat_s"),
  psubsw: direct("i16x8.sub_sat_s"),
  psubusb: direct("i8x16.sub_sat_u"),
  psubusw: direct("i16x8.sub_sat_u"),
  pmullw: direct("i16x8.mul"),
  pmulhw: multiplyHigh(true),
  pmulhuw: multiplyHigh(false),
  pmuludq: multiplyEven,
  pmaddwd: direct("i32x4.dot_i16x8_s"),
  psadbw: sumOfDifferences,
  pavgb: direct("i8x16.avgr_u"),
  pavgw: direct("i16x8.avgr_u"),
  pminub: direct("i8x16.min_u"),
  pmaxub: direct("i8x16.max_u"),
  pminsw: direct("i16x8.min_s"),
  pmaxsw: direct("i16x8.max_s"),
  pcmpeqb: direct("i8x16.eq"),
  pcmpeqw: direct("i16x8.eq"),
  pcmpeqd: direct("i32x4.eq"),
  pcmpgtb: direct("i8x16.gt_s"),
  pcmpgtw: direct("i16x8.gt_s"),
  pcmpgtd: direct("i32x4.gt_s"),
  pand: direct("v128.and"),
  pandn: binary((x, a, b) => x.f.get(b).get(a).vector("v128.andnot")),
  por: direct("v128.or"),
  pxor: direct("v128.xor"),
  packsswb: pack("i8x16.narrow_i16x8_s"),
  packuswb: pack("i8x16.narrow_i16x8_u"),
  packssdw: pack("i16x8.narrow_i32x4_s"),
  punpcklbw: unpack(1, false),
  punpcklwd: unpack(2, false),
  punpckldq: unpack(4, false),
  punpcklqdq: unpack(8, false),
  punpckhbw: unpack(1, true),
  punpckhwd: unpack(2, true),
  punpckhdq: unpack(4, true),
  punpckhqdq: unpack(8, true),
  psllw: shift("i16x8.shl", 16, false),
  pslld: shift("i32x4.shl", 32, false),
  psllq: shift("i64x2.shl", 64, false),
  psrlw: shift("i16x8.shr_u", 16, false),
  psrld: shift("i32x4.shr_u", 32, false),
  psrlq: shift("i64x2.shr_u", 64, false),
  psraw: shift("i16x8.shr_s", 16, true),
  psrad: shift("i32x4.shr_s", 32, true),
  pslldq: shiftBytes(true),
  psrldq: shiftBytes(false),
  pmovmskb: mask("i8x16.bitmask"),
  movmskps: mask("i32x4.bitmask"),
  movmskpd: mask("i64x2.bitmask"),
  pextrw: extractWord,
  pinsrw: insertWord,
};
