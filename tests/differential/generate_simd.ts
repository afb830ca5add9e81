/**
 * Makes MMX and SSE test cases: every row with register and memory operands, all immediates, vectors of edge
 * values, memory that is unaligned, across pages, read-only or missing; stray prefixes; EFLAGS.AC.
 * Source: SDM vol. 2 §2.1 (encoding), cpu/isa/row.ts (notation).
 * @module
 */
import { CODE16, REGIONS, type TestCase, XMM_BYTES } from "./case.ts";
import {
  dataAddress,
  type Draft,
  draft,
  finish,
  memoryOperand,
  type Pattern,
  randomSegments,
} from "./generate.ts";
import { fpuState } from "./generate_x87.ts";
import type { Random } from "./random.ts";

const SIZES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, v: 4, q: 8, x: 16 };
/** Bytes of operands written M. */
const STATE_BYTES = 512;

/** Fills elements of a vector in a way that finds carries, saturation and signs. */
export function integerVector(random: Random): Uint8Array<ArrayBuffer> {
  const out = random.bytes(16);
  const view = new DataView(out.buffer);
  switch (random.below(6)) {
    case 0:
      for (let i = 0; i < 16; i++) out[i] = random.pick([0, 1, 0x7f, 0x80, 0x81, 0xfe, 0xff]);
      break;
    case 1:
      for (let i = 0; i < 16; i += 2) {
        const value = random.pick([0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff]);
        view.setUint16(i, value, true);
      }
      break;
    case 2:
      for (let i = 0; i < 16; i += 4) view.setUint32(i, random.operand(), true);
      break;
    case 3:
      // A shift count, mostly.
      out.fill(0);
      out[0] = random.below(70);
      if (random.oneIn(4)) out[random.below(16)] = random.below(256);
      break;
  }
  return out;
}

/** All XMM registers; some of them equal. */
export function xmmState(
  random: Random,
  vector: (random: Random) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(XMM_BYTES);
  const first = vector(random);
  for (let i = 0; i < 8; i++) out.set(random.oneIn(6) ? first : vector(random), i * 16);
  return out;
}

/** What decides the data of a case. */
export interface SimdData {
  /** Contents of XMM registers and memory operands. */
  readonly vector: (random: Random) => Uint8Array;
  /** MXCSR, without reserved bits. */
  readonly mxcsr: (random: Random) => number;
}
const INTEGERS: SimdData = {
  vector: integerVector,
  mxcsr: (random) => 0x1f80 | (random.word() & 0xe07f),
};

/** An x87 state whose registers are MMX data. */
function mmxState(random: Random, vector: SimdData["vector"]): Uint8Array<ArrayBuffer> {
  const image = fpuState(random);
  for (let i = 0; i < 8; i++) {
    if (random.below(8) > 0) image.set(vector(random).subarray(0, 8), 28 + i * 10);
  }
  return image;
}

/** Address-size, segment and mandatory prefixes in the order in which they are put. */
function prefixes(p: Pattern, d: Draft, wide: boolean): number[] {
  const { random } = d;
  const out: number[] = [];
  if (!wide !== d.code16) out.push(0x67);
  if (random.oneIn(8)) {
    out.push(random.pick(random.oneIn(6) ? [0x64, 0x65] : [0x26, 0x36, 0x3e, 0x2e]));
  }
  if (p.mandatory) {
    out.splice(random.below(out.length + 1), 0, p.mandatory);
    // 66h in front of a mandatory F2h or F3h has no meaning of its own.
    if (p.mandatory !== 0x66 && random.oneIn(8)) out.splice(random.below(out.length + 1), 0, 0x66);
    // Of F2h and F3h the last one counts.
    if (p.mandatory !== 0x66 && random.oneIn(10)) out.unshift(p.mandatory ^ 1);
  }
  return out;
}

/** The operand of a pattern that is or may be in memory, and its bytes. */
function placeOf({ operands }: Pattern): { token: string; size: number } | undefined {
  const token = operands.find((one) => /^[EQWM]/.test(one));
  if (token === undefined) return undefined;
  return { token, size: token === "M" ? STATE_BYTES : SIZES[token[1] ?? ""] ?? 4 };
}

/** What an instruction adds to its case. */
interface Added {
  /** Has a prefix with which it is another instruction, or none. */
  readonly stray: boolean;
  readonly undefinedMemory: TestCase["undefinedMemory"];
}

/** Appends one instruction of a pattern to `out`; sets up registers and memory for it. */
function simdInstruction(p: Pattern, d: Draft, data: SimdData, out: number[]): Added {
  const { random } = d;
  const { operands } = p;
  const place = placeOf(p);
  const isMemory = place !== undefined &&
    (p.form === "m" || place.token.startsWith("M") || (p.form === "" && random.oneIn(2)));
  const wide = !isMemory || d.sequence || !random.oneIn(10);
  out.push(...prefixes(p, d, wide));
  // At 12h, 16h and AEh it may be a later one that this machine has.
  const stray = !d.sequence && random.oneIn(100) && !/0F (1[26]|AE)/.test(p.row[0]);
  if (stray) out.push(random.pick([0x66, 0xf2, 0xf3, 0xf0]));
  out.push(...p.bytes);
  const reg = p.extension >= 0 ? p.extension : random.below(8);
  let undefinedMemory: TestCase["undefinedMemory"];
  if (isMemory) {
    const { size } = place;
    const aligned = random.below(4) > 0;
    const target = size === STATE_BYTES
      ? stateAddress(random)
      : wide
      ? dataAddress(random, size, aligned)
      : 0x5000 + (random.below(0x1fe0) & (aligned ? ~15 : ~0));
    d.target = target;
    memoryOperand(d, reg, target, wide, out);
    const bytes = data.vector(random).slice(0, Math.min(size, 16));
    // Mostly the valid bits of MXCSR.
    if (p.operation === "ldmxcsr" && random.below(4) > 0) bytes.fill(0, 2);
    if (d.patches.length < 3) d.patches.push({ address: target, bytes });
    if (p.operation === "fxrstor" && !d.sequence) {
      d.patches.push({ address: target, bytes: stateHead(random) });
      d.patches.push({ address: target + 16, bytes: stateMiddle(random) });
    }
    // Selectors of code and data pointer, opcode: see generate_x87.ts; MXCSR_MASK is the processor's own.
    if (p.operation === "fxsave") undefinedMemory = { start: target + 4, bytes: 28 };
  } else if (operands.length > 0 || p.form === "r") out.push(0xc0 | (reg << 3) | random.below(8));
  if (operands.includes("Ib")) out.push(random.oneIn(3) ? random.below(34) : random.below(256));
  if (p.operation.startsWith("maskmov") && !d.sequence) {
    d.gpr[7] = dataAddress(random, 16, random.oneIn(2));
  }
  return { stray, undefinedMemory };
}

/** The case around its code. */
function complete(
  p: Pattern,
  d: Draft,
  out: readonly number[],
  data: SimdData,
  added: Added,
): TestCase {
  const { random } = d;
  const made = finish(p, d, out);
  return {
    ...made,
    // Which fault an undefined opcode without its last bytes raises is the fetch's affair.
    eip: added.stray ? REGIONS.code.start + 0x400 : made.eip,
    fpu: mmxState(random, data.vector),
    xmm: xmmState(random, data.vector),
    mxcsr: data.mxcsr(random) & 0xffff,
    faultsWithin: placeOf(p)?.size === STATE_BYTES ? STATE_BYTES : 1,
    // Silicon has cleared TOP when the store of an MMX register faults; we change nothing.
    undefinedFpuOnFault: d.sequence || p.operands.some((token) => /^[PN]/.test(token)),
    ...(added.undefinedMemory ? { undefinedMemory: added.undefinedMemory } : {}),
  };
}

/** A case with one instruction of a pattern. */
export function simdCase(p: Pattern, random: Random, data: SimdData = INTEGERS): TestCase {
  const d = draft(random);
  const out: number[] = [];
  return complete(p, d, out, data, simdInstruction(p, d, data, out));
}
/** The same in segments that are not flat. */
export function segmentedSimdCase(p: Pattern, random: Random, data: SimdData = INTEGERS): TestCase {
  for (;;) {
    const d = draft(random);
    const segments = randomSegments(random);
    d.code16 = segments[1] === CODE16;
    const out: number[] = [];
    const made = complete(p, d, out, data, simdInstruction(p, d, data, out));
    // Which of #AC, #GP and #SS goes first for a misaligned image beyond a limit, silicon decides by the address.
    if (placeOf(p)?.size === STATE_BYTES && ((d.target ?? 0) & 15) !== 0) continue;
    return { ...made, name: `segmented … ${made.name}`, segments };
  }
}
/** A case of several instructions, each of one of the patterns. */
export function simdSequence(
  patterns: readonly Pattern[],
  random: Random,
  data: SimdData = INTEGERS,
): TestCase {
  for (;;) {
    const d = draft(random, true);
    const out: number[] = [];
    const length = 2 + random.below(6);
    let last = random.pick(patterns);
    for (let i = 0; i < length; i++) {
      last = random.pick(patterns);
      simdInstruction(last, d, data, out);
    }
    if (out.length > 60) continue;
    const made = complete(last, d, out, data, { stray: false, undefinedMemory: undefined });
    return { ...made, name: `sequence … ${made.name}` };
  }
}

function stateAddress(random: Random): number {
  const address = dataAddress(random, 16, random.below(5) > 0);
  return random.oneIn(4) ? address : 0x20000000 + (random.below(0x1e00) & ~15);
}
/** Control, status, tags of an image; opcode and pointers. */
function stateHead(random: Random): Uint8Array<ArrayBuffer> {
  const head = random.bytes(16);
  head.fill(0, 5, 16);
  return head;
}
/** Data pointer and MXCSR. */
function stateMiddle(random: Random): Uint8Array<ArrayBuffer> {
  const middle = new Uint8Array(16);
  const view = new DataView(middle.buffer);
  view.setUint32(8, random.oneIn(8) ? random.word() : random.word() & 0xffff, true);
  return middle;
}
