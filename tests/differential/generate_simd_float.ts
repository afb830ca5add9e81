/**
 * Data for cases of SSE's floating-point instructions: numbers of both formats at the edges of rounding, overflow
 * and underflow, operands whose exponents are related, and every setting of MXCSR.
 * Sources: SDM vol. 1 §4.8.3 (classes), §10.2.3 (MXCSR).
 * @module
 */
import type { TestCase } from "./case.ts";
import type { Pattern } from "./generate.ts";
import { simdCase } from "./generate_simd.ts";
import type { Random } from "./random.ts";

interface Layout {
  readonly width: number;
  readonly places: number;
  readonly maximum: number;
}
const SINGLE: Layout = { width: 32, places: 23, maximum: 0xff };
const DOUBLE: Layout = { width: 64, places: 52, maximum: 0x7ff };

/** A fraction: edges, few bits at either end, halves of something shorter. */
function fraction(random: Random, places: number): bigint {
  const all = (1n << BigInt(places)) - 1n;
  const bits = ((BigInt(random.word()) << 32n) | BigInt(random.word())) & all;
  switch (random.below(9)) {
    case 0:
      return 0n;
    case 1:
      return all - BigInt(random.below(2));
    case 2:
      return BigInt(1 + random.below(3));
    case 3:
      // Products and roots of these are exact.
      return bits >> BigInt(places >> 1) << BigInt(places >> 1);
    case 4:
      return 1n << BigInt(random.below(places));
    case 5:
      // Halfway between two singles, or beside that.
      return places < 32 ? bits : (bits >> 29n << 29n) + (1n << 28n) + BigInt(random.below(3) - 1);
    case 6:
      return bits & (bits >> BigInt(random.below(places)));
    default:
      return bits;
  }
}

/** Bits of a number; `near`: one that the operation may combine it with. */
function number(random: Random, { width, places, maximum }: Layout, near?: bigint): bigint {
  const bias = maximum >> 1;
  const sign = BigInt(random.below(2)) << BigInt(width - 1);
  let exponent = bias + random.below(40) - 20;
  if (near !== undefined) {
    if (random.oneIn(12)) return near ^ (BigInt(random.below(2)) << BigInt(width - 1));
    const other = Number(near >> BigInt(places)) & maximum;
    const span = places + 4;
    exponent = other + random.below(2 * span) - span;
    // Products and quotients at the edge of overflow and underflow.
    if (random.oneIn(3)) {
      const edge = random.pick([0, bias, 2 * bias, bias + random.below(bias)]);
      exponent = random.oneIn(2) ? edge - other + bias : other - edge + bias;
      exponent += random.below(5) - 2;
    }
  }
  switch (random.below(14)) {
    case 0:
      exponent = 0;
      break;
    case 1:
      exponent = maximum;
      break;
    case 2:
      exponent = random.pick([1, 2, 3, places, maximum - 2, maximum - 1]);
      break;
    case 3:
      exponent = random.below(maximum + 1);
      break;
    case 4:
      // Where integers begin, and where they are too large.
      exponent = bias + random.pick([-2, -1, 0, 1, 22, 23, 24, 29, 30, 31, 32, 51, 52, 53]);
      break;
    case 5:
      // Where doubles leave the range of singles.
      exponent = bias + random.pick([-150, -149, -148, -127, -126, -125, 126, 127, 128]);
      break;
  }
  exponent = Math.min(maximum, Math.max(0, exponent));
  const special = exponent === maximum || exponent === 0;
  const bits = special && random.oneIn(2) ? 0n : fraction(random, places);
  return sign | (BigInt(exponent) << BigInt(places)) | (bits & ((1n << BigInt(places)) - 1n));
}

/** Which elements an instruction takes: integers, or numbers of a format. */
function elementsOf(operation: string): "integer" | Layout {
  if (/^cvt(si|pi|dq)2/.test(operation)) return "integer";
  return /^cvtt?(sd|pd)2|(?<!2)(sd|pd)$/.test(operation) ? DOUBLE : SINGLE;
}

/** Exceptions that are not masked in one of two cases, more than one of them rarely. */
function mxcsr(random: Random): number {
  let masks = 0x1f80;
  if (random.oneIn(3)) masks &= ~(0x80 << random.below(6));
  if (random.oneIn(8)) masks &= random.word();
  const rounding = random.oneIn(2) ? 0 : random.below(4) << 13;
  const zeros = (random.oneIn(4) ? 0x40 : 0) | (random.oneIn(4) ? 0x8000 : 0);
  const flags = random.oneIn(2) ? 0x20 : random.below(64);
  return masks | rounding | zeros | (random.oneIn(3) ? 0 : flags);
}

/** A case with one instruction of a pattern of `cpu/isa/simd_float.ts`; `make` says in which segments. */
export function floatCase(p: Pattern, random: Random, make: typeof simdCase = simdCase): TestCase {
  const elements = elementsOf(p.operation);
  let near: bigint | undefined;
  const vector = (): Uint8Array<ArrayBuffer> => {
    const out = new Uint8Array(16);
    const view = new DataView(out.buffer);
    if (elements === "integer") {
      for (let i = 0; i < 16; i += 4) view.setUint32(i, random.operand(), true);
      return out;
    }
    const { width } = elements;
    for (let i = 0; i < 16; i += width / 8) {
      // Registers stay together for a while, so that all elements of a vector may be ordinary.
      const bits = number(random, elements, near);
      if (near === undefined || random.oneIn(8)) near = bits;
      if (width === 64) view.setBigUint64(i, bits, true);
      else view.setUint32(i, Number(bits), true);
    }
    if (random.oneIn(3)) ordinary(random, view, elements);
    return out;
  };
  const made = make(p, random, { vector, mxcsr: () => mxcsr(random) });
  // Nothing of these is written to memory, so the x87 state is defined in any case.
  return { ...made, undefinedFpuOnFault: false };
}

/** Makes all elements ordinary numbers near 1 or zeros. */
function ordinary(random: Random, view: DataView, { width, places, maximum }: Layout): void {
  const bias = maximum >> 1;
  for (let i = 0; i < 16; i += width / 8) {
    const exponent = BigInt(bias + random.below(20) - 10) << BigInt(places);
    const sign = BigInt(random.below(2)) << BigInt(width - 1);
    const bits = random.oneIn(12) ? sign : sign | exponent | fraction(random, places);
    if (width === 64) view.setBigUint64(i, bits, true);
    else view.setUint32(i, Number(bits & 0xffffffffn), true);
  }
}
