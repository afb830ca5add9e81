/**
 * Makes x87 test cases: every row of the table with every control-word setting, registers and memory operands of
 * all classes, empty registers, full stacks, pending exceptions.
 * Source of the classes: SDM vol. 1 Tables 4-3 and 4-4 (encodings, supported and not).
 * @module
 */
import { FPU_IMAGE_BYTES, type TestCase } from "./case.ts";
import { draft, finish, instruction, type Pattern } from "./generate.ts";
import type { Random } from "./random.ts";

/** Biased exponents at which formats and operations change their ways. */
// deno-fmt-ignore
const EXPONENTS = [
  0, 1, 2, 3, 0x3c00, 0x3c01, 0x3bcc, 0x3bcd, 0x3f80, 0x3f81, 0x3f69, 0x3f6a, 0x3ffd, 0x3ffe, 0x3fff, 0x4000, 0x4001, 0x400d, 0x400e,
  0x400f, 0x401d, 0x401e, 0x401f, 0x4038, 0x403a, 0x403b, 0x403d, 0x403e, 0x403f, 0x4040, 0x407e, 0x407f, 0x43fe, 0x43ff, 0x5fff, 0x6000,
  0x1fff, 0x2000, 0x7ffd, 0x7ffe,
];

/** A significand with the integer bit set. */
function significand(random: Random): bigint {
  const bits = (BigInt(random.word()) << 32n) | BigInt(random.word());
  const top = 1n << 63n;
  switch (random.below(8)) {
    case 0:
      return top;
    case 1:
      return (1n << 64n) - 1n - (random.oneIn(2) ? 0n : BigInt(random.below(4)));
    case 2:
      // Halfway between two numbers of 24 or 53 bits, or beside that.
      return top | (bits & ~((1n << 40n) - 1n)) | (1n << 39n) + BigInt(random.below(3) - 1);
    case 3:
      return top | (bits & ~((1n << 11n) - 1n)) | (1n << 10n) + BigInt(random.below(3) - 1);
    case 4:
      return top | (bits & bits << 7n & ((1n << 63n) - 1n));
    case 5:
      return top | (bits & ~((1n << 40n) - 1n));
    case 6:
      return top | BigInt(random.below(4)) | (1n << BigInt(random.below(63)));
    default:
      return top | bits;
  }
}

/** An 80-bit number of any class as ten bytes. */
export function extended(random: Random, near?: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(10);
  const view = new DataView(out.buffer);
  let exponent = 0;
  let bits = significand(random);
  switch (random.below(24)) {
    case 0:
      bits = 0n;
      break;
    case 1:
      exponent = 0x3fff;
      bits = 1n << 63n;
      break;
    case 2:
      bits &= (1n << 63n) - 1n;
      break;
    case 3:
      // Pseudo-denormal.
      break;
    case 4:
      exponent = 0x7fff;
      bits = 1n << 63n;
      break;
    case 5:
      exponent = 0x7fff;
      bits |= 1n << 62n;
      break;
    case 6:
      exponent = 0x7fff;
      bits = (bits & ~(1n << 62n)) | 1n;
      break;
    case 7:
      // Unnormal, pseudo-infinity, pseudo-NaN.
      exponent = random.oneIn(2) ? 0x7fff : 1 + random.below(0x7ffe);
      bits &= (1n << 63n) - 1n;
      break;
    case 8:
    case 9:
    case 10:
      exponent = random.pick(EXPONENTS);
      break;
    case 11:
      // An integer.
      exponent = 0x3fff + random.below(64);
      bits &= ~((1n << BigInt(0x403e - exponent)) - 1n);
      break;
    case 12:
      exponent = random.below(0x7fff);
      break;
    case 13:
      // Denormal with few bits.
      bits >>= BigInt(1 + random.below(63));
      break;
    default:
      exponent = near === undefined
        ? 0x3fff + random.below(80) - 40
        : Math.min(0x7ffe, Math.max(0, near + random.below(140) - 70));
      if (random.oneIn(3) && near !== undefined) exponent = Math.max(0, near + random.below(5) - 2);
  }
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  view.setUint16(8, exponent | (random.oneIn(2) ? 0x8000 : 0), true);
  return out;
}

/** A memory operand of 2, 4, 8 or 10 bytes: numbers of all classes as the format has them, or integers. */
function memoryOperand(random: Random, bytes: number): Uint8Array<ArrayBuffer> {
  const out = random.bytes(Math.max(bytes, 4));
  const view = new DataView(out.buffer);
  if (bytes === 10) return random.oneIn(4) ? decimal(random) : extended(random);
  if (random.oneIn(3)) {
    view.setUint32(0, random.operand(), true);
    if (bytes === 8) view.setUint32(4, random.oneIn(2) ? random.operand() : 0, true);
    return out.slice(0, bytes);
  }
  const fraction = random.oneIn(2)
    ? random.word()
    : random.pick([0, 1, 0xffffffff, 0x80000000, 0x400000, 0x7fffff]);
  const sign = random.oneIn(2) ? 0x80000000 : 0;
  if (bytes === 4) {
    const exponent = random.pick([
      0,
      0,
      1,
      2,
      126,
      127,
      128,
      150,
      253,
      254,
      255,
      255,
      random.below(256),
    ]);
    view.setUint32(0, (sign | (exponent << 23) | (fraction & 0x7fffff)) >>> 0, true);
  } else if (bytes === 8) {
    const exponent = random.pick([
      0,
      0,
      1,
      2,
      1022,
      1023,
      1024,
      1075,
      2045,
      2046,
      2047,
      2047,
      random.below(2048),
    ]);
    view.setUint32(0, random.oneIn(2) ? random.word() : fraction, true);
    view.setUint32(4, (sign | (exponent << 20) | (fraction & 0xfffff)) >>> 0, true);
  }
  return out.slice(0, bytes);
}
/** Packed decimal with valid digits. */
function decimal(random: Random): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(10);
  for (let i = 0; i < 9; i++) out[i] = random.below(10) | (random.below(10) << 4);
  if (random.oneIn(3)) out.fill(0, 1 + random.below(8), 9);
  out[9] = random.oneIn(2) ? 0x80 : 0;
  return out;
}

/** A random x87 state as an FSAVE image. */
export function fpuState(random: Random): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(FPU_IMAGE_BYTES);
  const view = new DataView(image.buffer);
  let control = 0x40 | (random.below(4) << 10) | (random.below(4) << 8);
  if (random.oneIn(8)) control |= 0x1000;
  control |= random.below(3) > 0 ? 0x3f : random.below(64);
  const top = random.below(8);
  let status = (top << 11) | (random.word() & 0x4700);
  // Sticky flags; sometimes ones that are not masked, so that the instruction finds an exception pending.
  status |= random.below(64) & (random.oneIn(25) ? 0x3f : control);
  if (random.oneIn(4)) status |= 0x40;
  view.setUint32(0, 0xffff0000 | control, true);
  view.setUint32(4, 0xffff0000 | status, true);
  let tags = 0;
  const emptiness = random.pick([16, 16, 16, 4, 2]);
  for (let i = 0; i < 8; i++) if (random.oneIn(emptiness)) tags |= 3 << (i * 2);
  // Room for what is pushed.
  if (random.below(4) > 0) tags |= 3 << (((top + 7) & 7) * 2);
  view.setUint32(8, 0xffff0000 | tags, true);
  view.setUint32(12, random.word(), true);
  const first = extended(random);
  const near = new DataView(first.buffer).getUint16(8, true) & 0x7fff;
  image.set(first, 28);
  for (let i = 1; i < 8; i++) {
    if (random.oneIn(8)) image.set(first, 28 + i * 10);
    else image.set(extended(random, near), 28 + i * 10);
  }
  return image;
}

/** True when an operand-size prefix comes before the opcode. */
function prefixed(code: readonly number[]): boolean {
  return code.slice(0, code.findIndex((byte) => (byte & 0xf8) === 0xd8)).includes(0x66);
}

const SIZES: Readonly<Record<string, number>> = { Mw: 2, Md: 4, Mq: 8, Mt: 10, M: 14 };

/** A case with one x87 instruction. */
export function fpuCase(p: Pattern, random: Random): TestCase {
  const d = draft(random);
  const out: number[] = [];
  // A load of all state from memory is only reached by addresses that are whole.
  instruction(p, d, out);
  const fpu = fpuState(random);
  const token = p.operands[0];
  d.patches.length = 0;
  const { target } = d;
  if (token !== undefined && token.startsWith("M") && target !== undefined) {
    const bytes = SIZES[token] ?? 4;
    if (p.operation === "fldenv" || p.operation === "frstor") {
      const wide = !prefixed(out);
      const step = wide ? 4 : 2;
      const head = new Uint8Array(wide ? 12 : 6);
      for (let i = 0; i < 3; i++) head.set(fpu.subarray(i * 4, i * 4 + 2), i * step);
      d.patches.push({ address: target, bytes: head });
      const other = fpuState(random);
      const start = target + (wide ? 28 : 14);
      for (let i = 0; i < 3; i++) {
        d.patches.push({ address: start + i * 10, bytes: other.slice(28 + i * 10, 38 + i * 10) });
      }
    } else d.patches.push({ address: target, bytes: memoryOperand(random, bytes) });
  }
  const made = { ...finish(p, d, out), fpu };
  if (target === undefined) return made;
  if (/^(fbstp|fstp.memory)$/.test(p.operation) && token === "Mt") {
    // Silicon stores eight bytes before the fault of the other two; we store nothing. Which part of a long
    // operand faults first differs by processor.
    const undefinedMemory = { start: target, bytes: (target & 0xfff) > 0xff6 ? 10 : 0 };
    return { ...made, undefinedMemory, faultsWithin: 10 };
  }
  if (!/^(fn?(stenv|save)|fldenv|frstor|fbld)$/.test(p.operation)) return made;
  if (!p.operation.startsWith("fn")) return { ...made, faultsWithin: FPU_IMAGE_BYTES };
  // CS, opcode and operand pointer: processors since 2013 store zeros (SDM vol. 1 §8.1.8).
  const wide = !prefixed(out);
  const undefinedMemory = { start: target + (wide ? 16 : 8), bytes: wide ? 12 : 6 };
  return { ...made, undefinedMemory, faultsWithin: FPU_IMAGE_BYTES };
}
