/**
 * Makes test cases from the rows of the instruction table: prefixes, all ModRM and SIB forms, 16- and 32-bit
 * addresses, boundary operands, all flag inputs; registers are chosen so that most accesses land in mapped
 * memory, some on page ends, read-only or missing pages.
 *
 * Sources: SDM vol. 2 §2.1 (encoding), cpu/isa/row.ts (notation).
 * @module
 */
import type { Row } from "../../cpu/isa/row.ts";
import {
  CODE16,
  ldtSelector,
  type Patch,
  REGIONS,
  type TestCase,
  USER_CS,
  USER_DS,
} from "./case.ts";
import type { Random } from "./random.ts";
import { undefinedFlags } from "./undefined_flags.ts";

/** A row taken apart. */
export interface Pattern {
  readonly row: Row;
  readonly operation: string;
  readonly bytes: readonly number[];
  /** Mandatory prefix, or 0. */
  readonly mandatory: number;
  readonly operands: readonly string[];
  readonly lock: boolean;
  /** /n, or −1. */
  readonly extension: number;
  readonly form: "" | "m" | "r";
  /** "+r": the low three bits of the opcode are a register. */
  readonly plus: boolean;
  /** x87: second byte of a register form, or −1; with `plus` eight of them. */
  readonly second: number;
}

/** Parses a row of the table. */
export function pattern(row: Row): Pattern {
  const [opcode, operation, operands = "", attributes = ""] = row;
  const bytes: number[] = [];
  let extension = -1;
  let form: "" | "m" | "r" = "";
  let plus = false;
  let second = -1;
  const words = opcode.split(" ");
  const mandatory = words[1] === "0F" ? parseInt(words.shift() as string, 16) : 0;
  for (const word of words) {
    if (word.startsWith("/")) extension = Number(word[1]);
    else if (word === "m" || word === "r") form = word;
    else {
      if (word.endsWith("+r") || word.endsWith("+i")) plus = true;
      const byte = parseInt(word, 16);
      if (bytes.length === 1 && ((bytes[0] as number) & 0xf8) === 0xd8) second = byte;
      else bytes.push(byte);
    }
  }
  return {
    row,
    operation,
    bytes,
    mandatory,
    operands: operands === "" ? [] : operands.split(" "),
    lock: attributes.includes("L"),
    extension,
    form,
    plus,
    second,
  };
}

/**
 * Operations that cannot be compared: results that are the machine's own (CPUID, RDTSC), system calls,
 * and what Linux emulates under UMIP (SGDT SIDT SLDT STR SMSW).
 */
const INCOMPARABLE = new Set(
  ["cpuid", "rdtsc", "sysenter", "sgdt", "sidt", "sldt", "str", "smsw"],
);
/** True when the pattern can be compared with a native run. */
export function comparable({ operation }: Pattern): boolean {
  return !INCOMPARABLE.has(operation);
}

const STRINGS = new Set(
  ["movs", "cmps", "stos", "lods", "scas", "movs1", "cmps1", "stos1", "lods1", "scas1"],
);
/** Bytes accessed by operands written M. */
const M_BYTES: Readonly<Record<string, number>> = {
  bound: 8,
  cmpxchg8b: 8,
  loadFarPointer: 6,
  callFarM: 6,
  jmpFarM: 6,
  lar: 2,
  lsl: 2,
  verr: 2,
  verw: 2,
};
const SIZES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8, t: 10 };
const UNMAPPED = 0x40000000;
/** EFLAGS.AC: misaligned accesses fault. */
const AC = 0x40000;

/** What instructions of one case share while it is built. */
export interface Draft {
  readonly random: Random;
  readonly gpr: Uint32Array;
  readonly patches: Patch[];
  eflags: number;
  /** Address of the memory operand, if there is one. */
  target: number | undefined;
  undefinedFlags: number;
  undefinedRegisters: number;
  /** The code segment has 16-bit operands and addresses. */
  code16: boolean;
  /** Memory operands at absolute addresses only, nothing that leaves the sequence. */
  readonly sequence: boolean;
}

/** A draft with random registers and flags. */
export function draft(random: Random, sequence = false): Draft {
  const gpr = new Uint32Array(8);
  for (let i = 0; i < 8; i++) gpr[i] = random.operand();
  gpr[4] = REGIONS.stack.start + 0x400 + random.below(0x200) * 4;
  if (random.oneIn(16)) gpr[4] = REGIONS.stack.start + random.below(REGIONS.stack.bytes + 8);
  let eflags = 0x202 | (random.word() & 0x8d5);
  if (random.oneIn(6)) eflags |= 0x400;
  if (random.oneIn(12)) eflags |= AC;
  return {
    random,
    gpr,
    patches: [],
    eflags,
    target: undefined,
    code16: false,
    undefinedFlags: 0,
    undefinedRegisters: 0,
    sequence,
  };
}

/** An address for an access of `size` bytes: mostly fine, sometimes at an edge or not mapped. */
export function dataAddress(random: Random, size: number, aligned: boolean): number {
  const { data, readOnly } = REGIONS;
  const end = readOnly.start + readOnly.bytes;
  const back = random.below(size + 1);
  const edge = aligned ? 0 : back;
  switch (random.below(24)) {
    case 0:
    case 1:
      return data.start + 0x1000 - edge;
    case 2:
      return readOnly.start + random.below(0x7f0) * 2;
    case 3:
      return aligned ? end : end - back;
    case 4:
      return readOnly.start - edge;
    case 5:
      return random.oneIn(2) ? UNMAPPED + random.below(0x1000) * 16 : data.start - edge;
    default: {
      const offset = random.below(data.bytes - 16);
      return data.start + (aligned || random.oneIn(2) ? offset & ~15 : offset);
    }
  }
}

function lowAddress(random: Random, size: number, aligned: boolean): number {
  const { low } = REGIONS;
  if (random.oneIn(12)) {
    return (low.start + low.bytes - (aligned ? 8 : random.below(size + 1))) & 0xffff;
  }
  const offset = random.below(low.bytes - 16);
  return low.start + (aligned || random.oneIn(2) ? offset & ~15 : offset);
}

/** An address in the code pages, or one where there is no memory. */
function codeAddress(random: Random): number {
  if (random.oneIn(8)) return UNMAPPED + random.below(0x10000);
  return REGIONS.code.start + random.below(REGIONS.code.bytes);
}

function little(value: number, count: number, out: number[]): void {
  for (let i = 0; i < count; i++) out.push((value >>> (i * 8)) & 0xff);
}

/** Appends ModRM, SIB and displacement of a memory operand at `target`, setting registers to match. */
export function memoryOperand(
  d: Draft,
  reg: number,
  target: number,
  wide: boolean,
  out: number[],
): void {
  const { random, gpr } = d;
  if (!wide) {
    const mod = d.sequence ? 0 : random.below(3);
    const rm = d.sequence ? 6 : random.below(8);
    out.push((mod << 6) | (reg << 3) | rm);
    if (mod === 0 && rm === 6) return little(target, 2, out);
    const base = [3, 3, 5, 5, 6, 7, 5, 3][rm] as number;
    const index = rm < 4 ? 6 + (rm & 1) : -1;
    const displacement = mod === 0
      ? 0
      : mod === 1
      ? random.below(256) - 128
      : random.below(0x10000);
    const rest = index < 0 ? 0 : gpr[index] as number;
    gpr[base] = ((random.word() << 16) | ((target - rest - displacement) & 0xffff)) >>> 0;
    return little(displacement, mod, out);
  }
  if (d.sequence) {
    out.push((reg << 3) | 5);
    return little(target, 4, out);
  }
  let mod = random.below(3);
  const rm = random.below(8);
  let displacement = mod === 0 ? 0 : mod === 1 ? random.below(256) - 128 : random.word() | 0;
  if (rm !== 4) {
    out.push((mod << 6) | (reg << 3) | rm);
    if (mod === 0 && rm === 5) return little(target, 4, out);
    gpr[rm] = (target - displacement) >>> 0;
  } else {
    const base = random.below(8);
    const index = random.below(8);
    const scale = random.below(4);
    if (base === index) mod = 2;
    out.push((mod << 6) | (reg << 3) | 4, (scale << 6) | (index << 3) | base);
    const noBase = base === 5 && mod === 0;
    if (noBase) displacement = random.word() | 0;
    const rest = index === 4 ? 0 : (gpr[index] as number) << scale;
    if (noBase || (base === index && base !== 4)) {
      displacement = (target - rest - (noBase ? 0 : gpr[base] as number)) | 0;
      return little(displacement, 4, out);
    }
    gpr[base] = (target - rest - displacement) >>> 0;
  }
  little(displacement, mod === 2 ? 4 : mod, out);
}

/** Appends one instruction of a pattern to `out`; returns false if this one cannot be made here. */
export function instruction(p: Pattern, d: Draft, out: number[]): boolean {
  const { random, gpr } = d;
  const { operation, operands } = p;
  const string = STRINGS.has(operation);
  const size66 = random.oneIn(3);
  const wide = !random.oneIn(operands.some((o) => /^[EMO]/.test(o)) || string ? 5 : 30);
  const operandSize = size66 ? 2 : 4;
  const hasModrm = p.second >= 0 || p.extension >= 0 || p.form !== "" ||
    operands.some((o) => /^([EGMRCD][bwdvqt]|M|Sw)$/.test(o));
  const memoryToken = operands.find((o) => /^[EMO]/.test(o));
  let isMemory = p.form === "m";
  if (p.form === "" && memoryToken !== undefined && !memoryToken.startsWith("O") && p.second < 0) {
    // With a register operand 62h, C4h and C5h begin other instructions on the processors of today.
    const vector = p.bytes.length === 1 && [0x62, 0xc4, 0xc5].includes(p.bytes[0] as number);
    isMemory = vector || (memoryToken.startsWith("M") ? !random.oneIn(10) : random.below(10) < 6);
  }
  const width = (token: string): number => {
    if (token === "M") return M_BYTES[operation] ?? 4;
    if (token === "eAX") return operandSize;
    if (token === "AL" || token === "CL") return 1;
    return SIZES[token[1] ?? ""] ?? operandSize;
  };
  const size = operands[0] === undefined ? operandSize : width(operands[0]);

  // Prefixes, in any order.
  const prefixes: number[] = [];
  const lock = p.lock && isMemory && random.oneIn(4);
  if (size66 !== d.code16) prefixes.push(0x66);
  if (!wide !== d.code16) prefixes.push(0x67);
  if (lock) prefixes.push(0xf0);
  if (!d.sequence && random.oneIn(60)) prefixes.push(0xf0);
  if (random.oneIn(8)) {
    prefixes.push(random.pick(random.oneIn(6) ? [0x64, 0x65] : [0x26, 0x36, 0x3e, 0x2e]));
  }
  let repeat = 0;
  if (string && random.oneIn(2)) repeat = random.pick([0xf2, 0xf3]);
  if (!string && p.bytes.length === 1 && p.bytes[0] !== 0x90 && random.oneIn(40)) repeat = 0xf2;
  if (repeat) prefixes.push(repeat);
  for (let i = prefixes.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [prefixes[i], prefixes[j]] = [prefixes[j] as number, prefixes[i] as number];
  }
  out.push(...prefixes);

  prepare(p, d, { operandSize, wide, repeat, isMemory, size });

  // Opcode and operands.
  const opcode = [...p.bytes];
  if (p.plus && p.second < 0) {
    opcode[opcode.length - 1] = (opcode[opcode.length - 1] as number) + random.below(8);
  }
  out.push(...opcode);
  if (p.second >= 0) out.push(p.second + (p.plus ? random.below(8) : 0));
  else if (hasModrm) {
    let reg = p.extension >= 0 ? p.extension : random.below(8);
    if (p.extension < 0 && operands.includes("Sw") && (d.sequence || random.below(4) > 0)) {
      reg = random.pick([0, 1, 2, 3, 4, 5]);
    }
    if (isMemory) {
      const bytes = width(memoryToken as string);
      const aligned = lock || operation === "xchg" || prefixes.includes(0xf0);
      const target = wide
        ? dataAddress(random, bytes, aligned)
        : lowAddress(random, bytes, aligned);
      d.target = target;
      bitOffset(p, d, reg);
      memoryOperand(d, reg, target, wide, out);
      operandAt(p, d, target, operandSize);
    } else out.push(0xc0 | (reg << 3) | random.below(8));
  }
  let count = -1;
  for (const token of operands) {
    switch (token) {
      case "Ib":
        count = operation === "int" && random.below(4) > 0
          ? random.pick([1, 3, 4, 5, 8])
          : random.operand() & 0xff;
        if (operation === "int" && count === 0x80) count = 0x81;
        out.push(count);
        break;
      case "Is":
        little(random.operand(), 1, out);
        break;
      case "I2":
        out.push(random.oneIn(3) ? random.below(256) : random.below(4));
        break;
      case "Iw":
        little(
          operation === "enter" || operation.startsWith("ret")
            ? random.below(64)
            : random.operand(),
          2,
          out,
        );
        break;
      case "Iz":
        little(random.operand(), operandSize, out);
        break;
      case "1":
        count = 1;
        break;
      case "CL":
        count = (gpr[1] as number) & 0xff;
        break;
      // Not back to itself or its prefixes: that would not end.
      case "Jb":
        little(random.below(0xf0), 1, out);
        break;
      case "Jz":
        little(random.below(0x400) - (random.oneIn(2) ? 0x410 : 0), operandSize, out);
        break;
      case "Ob":
      case "Ov": {
        const bytes = width(token);
        little(
          wide ? dataAddress(random, bytes, false) : lowAddress(random, bytes, false),
          wide ? 4 : 2,
          out,
        );
        break;
      }
      case "Ap":
        little(codeAddress(random), operandSize, out);
        little(selector(random, USER_CS), 2, out);
        break;
    }
  }
  d.undefinedFlags |= undefinedFlags(operation, size, count < 0 ? 0 : count);
  if (/^sh[lr]d$/.test(operation) && size === 2 && (count & 31) > 16) {
    if (isMemory) return false;
    d.undefinedRegisters |= 1 << ((out.at(operands[2] === "Ib" ? -2 : -1) as number) & 7);
  }
  return true;
}

function selector(random: Random, good: number): number {
  return random.below(4) > 0
    ? good
    : random.pick([0, 1, 2, 3, USER_CS, USER_DS, USER_DS & ~3, USER_CS & ~3, 0xfff8]);
}

/** Sets up implicit operands: string and stack addresses, counts, dividends. */
function prepare(
  p: Pattern,
  d: Draft,
  how: { operandSize: 2 | 4; wide: boolean; repeat: number; isMemory: boolean; size: number },
): void {
  const { random, gpr } = d;
  const { operandSize, wide } = how;
  const address = (size: number): number =>
    wide
      ? dataAddress(random, size, false)
      : (random.word() << 16 | lowAddress(random, size, false)) >>> 0;
  if (STRINGS.has(p.operation)) {
    if (random.oneIn(2)) d.eflags ^= 0x400;
    gpr[6] = address(4);
    gpr[7] = random.oneIn(3) ? (gpr[6] + random.below(9) - 4) >>> 0 : address(4);
    if (how.repeat) {
      gpr[1] = wide ? random.below(24) : ((random.word() << 16) | random.below(24)) >>> 0;
    }
    if (p.operation.startsWith("scas") && random.oneIn(2)) gpr[0] = 0;
    return;
  }
  if (/^(ro|rc|sh|sa)/.test(p.operation) && random.oneIn(2)) {
    gpr[1] = (((gpr[1] as number) & ~0xff) | random.below(66)) >>> 0;
  }
  switch (p.operation) {
    case "popa":
      // Silicon has loaded some registers when the other page faults; we load none.
      if ((gpr[4] as number) + 32 > REGIONS.stack.start + REGIONS.stack.bytes) {
        d.undefinedRegisters |= 0xef;
      }
      break;
    case "xlat":
      gpr[3] = (address(1) - ((gpr[0] as number) & 0xff)) >>> 0;
      break;
    case "div":
    case "idiv":
      // Half of the dividends are small enough for the quotient to fit.
      if (random.oneIn(2)) {
        gpr[2] = p.operation === "idiv" && random.oneIn(2) ? 0xffffffff : random.below(3);
      }
      if (how.size === 1 && random.oneIn(2)) gpr[0] = random.below(0x400);
      break;
    case "leave":
      gpr[5] = REGIONS.stack.start + random.below(REGIONS.stack.bytes);
      break;
    case "enter":
      gpr[5] = random.below(4) > 0
        ? REGIONS.stack.start + 0x200 + random.below(0xc00)
        : UNMAPPED + random.below(0x10000);
      break;
    case "ret":
    case "retFar":
    case "iret": {
      const bytes: number[] = [];
      little(codeAddress(random), operandSize, bytes);
      little(selector(random, USER_CS), operandSize, bytes);
      // Never VM: IRET at CPL 3 cannot set it anyway. TF would stop elsewhere than at the end.
      little((random.word() & 0x24_4fd5 & ~0x40000) | 2, operandSize, bytes);
      if (!d.sequence) d.patches.push({ address: gpr[4] as number, bytes: new Uint8Array(bytes) });
      break;
    }
    case "popf": {
      const bytes: number[] = [];
      little(random.word() & 0x3f7fd5 & ~0x40100, operandSize, bytes);
      d.patches.push({ address: gpr[4] as number, bytes: new Uint8Array(bytes) });
      break;
    }
    case "popSegment": {
      const bytes: number[] = [];
      little(selector(random, USER_DS), operandSize, bytes);
      d.patches.push({ address: gpr[4] as number, bytes: new Uint8Array(bytes) });
      break;
    }
    case "callE":
    case "jmpE":
    case "movToSegment":
    case "lar":
    case "lsl":
    case "verr":
    case "verw":
      if (!how.isMemory) {
        for (let i = 0; i < 8; i++) {
          if (i === 4) continue;
          gpr[i] = p.operation === "callE" || p.operation === "jmpE"
            ? codeAddress(random)
            : ((random.word() << 16) | selector(random, USER_DS)) >>> 0;
        }
      }
      break;
  }
}

/** Gives memory operands the contents with which the instruction does something. */
function operandAt(p: Pattern, d: Draft, target: number, operandSize: 2 | 4): void {
  const { random } = d;
  const bytes: number[] = [];
  switch (p.operation) {
    case "callE":
    case "jmpE":
      little(codeAddress(random), 4, bytes);
      break;
    case "callFarM":
    case "jmpFarM":
      little(codeAddress(random), operandSize, bytes);
      little(selector(random, USER_CS), 2, bytes);
      break;
    case "loadFarPointer":
      little(random.word(), operandSize, bytes);
      little(selector(random, USER_DS), 2, bytes);
      break;
    case "movToSegment":
    case "lar":
    case "lsl":
    case "verr":
    case "verw":
      little(selector(random, USER_DS), 2, bytes);
      break;
    case "cmpxchg":
    case "cmpxchg8b":
      if (!random.oneIn(2)) return;
      little(d.gpr[0] as number, 4, bytes);
      little(d.gpr[2] as number, 4, bytes);
      break;
    case "bound":
      little(random.operand(), operandSize, bytes);
      little(random.operand(), operandSize, bytes);
      break;
    default:
      if (!random.oneIn(2)) return;
      little(random.operand(), 4, bytes);
  }
  if (d.patches.length < 3) d.patches.push({ address: target, bytes: new Uint8Array(bytes) });
}

/** Bit strings: the register is a signed bit offset, kept within reach of the pages. */
function bitOffset(p: Pattern, d: Draft, reg: number): void {
  if (!/^bt[src]?$/.test(p.operation) || p.extension >= 0 || d.sequence) return;
  if (d.random.below(8) > 0 && reg !== 4) d.gpr[reg] = (d.random.below(0x2000) - 0x1000) >>> 0;
}

/** A case with a single instruction of a pattern. */
export function singleCase(p: Pattern, random: Random): TestCase {
  for (;;) {
    const d = draft(random);
    const out: number[] = [];
    if (!instruction(p, d, out)) continue;
    return finish(p, d, out);
  }
}

/** Segments for each register by selector; the bases of 32-bit ones keep addresses of the regions good. */
const CODE_SEGMENTS = [CODE16, CODE16, ldtSelector(1), ldtSelector(10), USER_CS];
const DATA_SEGMENTS = [2, 3, 4, 5, 7, 8, 11].map(ldtSelector).concat(
  USER_DS,
  USER_DS,
  ldtSelector(1),
);
const STACK_SEGMENTS = [6, 6, 7, 8, 9, 2].map(ldtSelector).concat(USER_DS);

/** ES CS SS DS FS GS of a case in segments that are not flat. */
export function randomSegments(random: Random): number[] {
  const lists = [DATA_SEGMENTS, CODE_SEGMENTS, STACK_SEGMENTS, DATA_SEGMENTS, DATA_SEGMENTS, [0]];
  return lists.map((list) => random.pick(list));
}

/** A case with one instruction in segments that are not flat. */
export function segmentedCase(p: Pattern, random: Random): TestCase {
  for (;;) {
    const d = draft(random);
    const segments = randomSegments(random);
    d.code16 = segments[1] === CODE16;
    const out: number[] = [];
    if (!instruction(p, d, out)) continue;
    const made = finish(p, d, out);
    const named = { ...made, name: `segmented … ${made.name}`, segments };
    // What silicon has on the stack below ESP when the target of a call is beyond the limit.
    if (!/^call/.test(p.operation)) return named;
    return {
      ...named,
      undefinedMemory: { start: REGIONS.stack.start, bytes: REGIONS.stack.bytes },
    };
  }
}

/** Places the code; some of it across or at the end of a page. */
export function finish(p: Pattern, d: Draft, code: readonly number[]): TestCase {
  const { random } = d;
  const { start, bytes } = REGIONS.code;
  let eip = start + 0x200 + random.below(bytes - 0x400);
  if (random.oneIn(12)) eip = start + 0x1000 - random.below(code.length + 1);
  if (random.oneIn(40)) eip = start + bytes - random.below(code.length + 1);
  return {
    name: `${p.row[0]} ${p.operation} ${p.row[2] ?? ""}`.trim(),
    operation: p.operation,
    undefinedFlags: d.undefinedFlags,
    undefinedRegisters: d.undefinedRegisters,
    code: new Uint8Array(code),
    gpr: d.gpr,
    eflags: d.eflags,
    eip: eip >= start + bytes ? eip - 16 : eip,
    patches: d.patches.filter(({ address, bytes }) => mapped(address, bytes.length)),
  };
}

function mapped(address: number, bytes: number): boolean {
  return Object.values(REGIONS).some((r) =>
    r.writable && address >= r.start && address + bytes <= r.start + r.bytes
  );
}

/** Operations that leave a sequence, change segments or the stack pointer beyond repair. */
const NOT_IN_SEQUENCE =
  /^(j|call|ret|iret|loop|int|pop|push|enter|leave|bound|into|hlt|cli|sti|in|out|ud|lgdt|lidt|ll|lm|lt|clts|inv|wb|mov(To|From)|wrmsr|rdmsr|sys|load|salc$|lar|lsl|ver|daa|das|aa|div|idiv|xlat)/;

/** Patterns that may stand in the middle of a sequence. */
export function sequencePatterns(patterns: readonly Pattern[]): Pattern[] {
  return patterns.filter((p) =>
    comparable(p) && !NOT_IN_SEQUENCE.test(p.operation) && p.second < 0 &&
    !/^D[89A-F] /.test(p.row[0]) && undefinedFlags(p.operation, 4, 3) === 0 &&
    !STRINGS.has(p.operation)
  );
}

/** A case of several instructions, for flags that are used later; it ends with one of any pattern. */
export function sequenceCase(
  middle: readonly Pattern[],
  last: Pattern,
  random: Random,
): TestCase {
  for (;;) {
    const d = draft(random, true);
    const out: number[] = [];
    const length = 2 + random.below(5);
    for (let i = 0; i < length; i++) instruction(random.pick(middle), d, out);
    instruction(last, d, out);
    if (out.length > 60) continue;
    const made = finish(last, d, out);
    return { ...made, name: `sequence … ${made.name}` };
  }
}
