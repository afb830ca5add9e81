/**
 * The decoder: guest bytes to a decoded instruction, by the table.
 *
 * Rules: any number of prefixes up to the 15-byte limit, the last of a group wins; LOCK only where the row
 * allows it and the destination is memory; reserved encodings are #UD. Nothing here faults or throws:
 * the result says what the processor would raise.
 * Sources: SDM vol. 2 §2.1 (formats, ModRM Tables 2-1 to 2-3), vol. 3A §6.15 (#UD, #GP on length).
 * @module
 */
import type { Row } from "./row.ts";

/** One operand of an entry. */
export interface OperandToken {
  /** Code letter(s): E G Z M I J O A S R X (fixed register) F (x87 register), P Q N (MMX), V W U (XMM). */
  readonly kind: string;
  /** Bytes, 0 when it is the operand size attribute, −1 when there is none (M, A). */
  readonly size: number;
  /** Of a fixed register: number 0..7; of a segment register 0..5; of an immediate its encoding. */
  readonly value: number;
}

/** A row, prepared for decoding. */
export interface Entry {
  readonly row: Row;
  readonly operation: string;
  readonly operands: readonly OperandToken[];
  readonly lock: boolean;
  readonly ends: boolean;
  /** A 16-byte memory operand must be aligned. */
  readonly aligned: boolean;
  readonly modrm: boolean;
  /** Bytes of immediates: 0, or a code of {@link IMMEDIATE}. */
  readonly immediate: number;
  /** Number of the entry in the table. */
  readonly index: number;
}

/** How immediates are encoded. */
export const IMMEDIATE = {
  NONE: 0,
  BYTE: 1,
  BYTE_SIGNED: 2,
  WORD: 3,
  OPERAND: 4,
  WORD_BYTE: 5,
  FAR: 6,
  ADDRESS: 7,
  RELATIVE_BYTE: 8,
  RELATIVE: 9,
  ONE: 10,
} as const;

/** Results of {@link Decoder.decode} other than a length. */
export const TRUNCATED = 0;
export const UNDEFINED = -1;
export const TOO_LONG = -2;

/** Register numbers in the effective address; {@link NO_REGISTER} where absent. */
export const NO_REGISTER = 8;

/** A decoded instruction; one object is refilled by each decode. */
export class Instruction {
  entry: Entry | undefined = undefined;
  operandSize: 2 | 4 = 4;
  addressSize: 2 | 4 = 4;
  lock = false;
  /** 0, 0xf2, 0xf3. */
  repeat = 0;
  opcode = 0;
  modrm = 0;
  reg = 0;
  rm = 0;
  isMemory = false;
  base: number = NO_REGISTER;
  index: number = NO_REGISTER;
  scale = 0;
  displacement = 0;
  /** Segment of the memory operand, after override; of string sources too. */
  segment = 3;
  immediate = 0;
  immediate2 = 0;
  /** Bytes of the fields at the instruction's end: displacement, then immediates. */
  displacementBytes = 0;
  immediateBytes = 0;
  length = 0;
}

const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS"];
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  w: 2,
  d: 4,
  v: 0,
  z: 0,
  q: 8,
  t: 10,
  x: 16,
};

function token(text: string): OperandToken {
  const segment = SEGMENT_NAMES.indexOf(text);
  if (segment >= 0) return { kind: "S", size: 2, value: segment };
  switch (text) {
    case "AL":
      return { kind: "X", size: 1, value: 0 };
    case "CL":
      return { kind: "X", size: 1, value: 1 };
    case "eAX":
      return { kind: "X", size: 0, value: 0 };
    case "DX":
      return { kind: "X", size: 2, value: 2 };
    case "STi":
      return { kind: "F", size: 10, value: 0 };
    case "Sw":
      return { kind: "S", size: 2, value: -1 };
    case "M":
      return { kind: "M", size: -1, value: 0 };
    case "1":
      return { kind: "I", size: 1, value: IMMEDIATE.ONE };
    case "Ib":
      return { kind: "I", size: 1, value: IMMEDIATE.BYTE };
    case "I2":
      return { kind: "I", size: 1, value: IMMEDIATE.WORD_BYTE };
    case "Is":
      return { kind: "I", size: 0, value: IMMEDIATE.BYTE_SIGNED };
    case "Iw":
      return { kind: "I", size: 2, value: IMMEDIATE.WORD };
    case "Iz":
      return { kind: "I", size: 0, value: IMMEDIATE.OPERAND };
    case "Jb":
      return { kind: "J", size: 0, value: IMMEDIATE.RELATIVE_BYTE };
    case "Jz":
      return { kind: "J", size: 0, value: IMMEDIATE.RELATIVE };
    case "Ap":
      return { kind: "A", size: -1, value: IMMEDIATE.FAR };
  }
  const kind = text[0] ?? "";
  const size = SIZES[text[1] ?? ""];
  if (!"EGZMORPQNVWU".includes(kind) || size === undefined || text.length !== 2) {
    throw new Error(`operand ${text} is not in the notation`);
  }
  return { kind, size, value: kind === "O" ? IMMEDIATE.ADDRESS : 0 };
}

/** Letters of MMX and XMM operands. */
const VECTOR_KINDS = "PQNVWU";
/** Mandatory prefixes in the order of the slots' planes; plane 0: none. */
const MANDATORY: readonly string[] = ["", "66", "F3", "F2"];
const PLANE = 2 * 256 * 16;

/** The table, prepared: opcode maps with groups resolved. */
export class Decoder {
  /** All entries, in table order. */
  readonly entries: readonly Entry[];
  /** By plane * {@link PLANE} + ((map * 256 + opcode) * 8 + reg) * 2 + (register form). */
  readonly #slots: (Entry | undefined)[] = new Array<Entry | undefined>(4 * PLANE).fill(undefined);
  /** x87 register forms, by (opcode & 7) * 64 + (ModRM & 63). */
  readonly #x87: (Entry | undefined)[] = new Array<Entry | undefined>(512).fill(undefined);
  /** Whether ModRM follows, by map * 256 + opcode. */
  readonly #modrm = new Uint8Array(512);

  readonly #has: (feature: string) => boolean;

  /**
   * `has`: whether the processor has what a row needs. The entries are those of all rows, so that decoders of the
   * same rows share handlers; encodings that the processor has not are UNDEFINED.
   */
  constructor(rows: readonly Row[], has: (feature: string) => boolean = () => true) {
    this.#has = has;
    this.entries = rows.map((row, index) => this.#prepare(row, index));
  }

  #prepare(row: Row, index: number): Entry {
    const [opcode, operation, operandText = "", attributes = ""] = row;
    const operands = operandText === "" ? [] : operandText.split(" ").map(token);
    const words = opcode.split(" ");
    // 66, F2 and F3 before the escape choose the instruction; the first byte of the one-byte map does not.
    const mandatory = words[1] === "0F" ? MANDATORY.indexOf(words.shift() as string) : 0;
    const vector = operands.some(({ kind }) => VECTOR_KINDS.includes(kind));
    let map = 0;
    if (words[0] === "0F") {
      map = 1;
      words.shift();
    }
    const first = words.shift() ?? "";
    const byte = parseInt(first, 16);
    let reg = -1;
    let form = "";
    let second = "";
    for (const word of words) {
      if (word.startsWith("/")) reg = Number(word[1]);
      else if (word === "m" || word === "r") form = word;
      else second = word;
    }
    if (operands.some(({ kind }) => kind === "M")) form = "m";
    if (operands.some(({ kind }) => kind === "N" || kind === "U")) form = "r";
    let immediate: number = IMMEDIATE.NONE;
    for (const operand of operands) {
      if ("IJAO".includes(operand.kind) && operand.value !== 0) immediate = operand.value;
    }
    const x87 = map === 0 && byte >= 0xd8 && byte <= 0xdf;
    const modrm = x87 || reg >= 0 || form !== "" ||
      vector ||
      operands.some(({ kind, value }) => "EGMR".includes(kind) || (kind === "S" && value < 0));
    const entry: Entry = {
      row,
      operation,
      operands,
      lock: attributes.includes("L"),
      ends: attributes.includes("E"),
      aligned: attributes.includes("A"),
      modrm,
      immediate,
      index,
    };
    const feature = row[4];
    if (feature !== undefined && !this.#has(feature)) return entry;
    if (second !== "") {
      const from = parseInt(second, 16) & 0x3f;
      const count = second.endsWith("+i") ? 8 : 1;
      for (let i = 0; i < count; i++) this.#claim(this.#x87, (byte & 7) * 64 + from + i, entry);
      this.#modrm[byte] = 1;
      return entry;
    }
    // Where prefixes have their usual meaning the row is in all planes.
    const exact = mandatory !== 0 || vector || attributes.includes("N");
    const planes = exact ? [mandatory] : [0, 1, 2, 3];
    const count = first.endsWith("+r") ? 8 : 1;
    for (let i = 0; i < count; i++) {
      const at = map * 256 + byte + i;
      if (modrm) this.#modrm[at] = 1;
      for (let r = 0; r < 8; r++) {
        if (reg >= 0 && r !== reg) continue;
        for (const plane of planes) {
          const slot = plane * PLANE + (at * 8 + r) * 2;
          if (form !== "r") this.#claim(this.#slots, slot, entry);
          if (form !== "m" && !x87) this.#claim(this.#slots, slot + 1, entry);
        }
      }
    }
    return entry;
  }
  #claim(slots: (Entry | undefined)[], at: number, entry: Entry): void {
    const other = slots[at];
    if (other) throw new Error(`rows ${other.row[0]} and ${entry.row[0]} overlap`);
    slots[at] = entry;
  }

  /**
   * The entry of an opcode, or undefined. `prefix`: the mandatory prefix, 0 none, 1 66h, 2 F3h, 3 F2h.
   * For tests and disassembly too.
   */
  find(map: number, opcode: number, modrm: number, prefix = 0): Entry | undefined {
    if (map === 0 && (opcode & 0xf8) === 0xd8 && modrm >= 0xc0) {
      return this.#x87[(opcode & 7) * 64 + (modrm & 63)];
    }
    const index = (map * 256 + opcode) * 8 + ((modrm >> 3) & 7);
    return this.#slots[prefix * PLANE + index * 2 + (modrm >= 0xc0 ? 1 : 0)];
  }

  /**
   * Decodes the instruction at `bytes[at]`, of which `bytes[at…end−1]` are there. `eip` is its address;
   * `big`: 32-bit code. Returns its length, or TRUNCATED (more bytes needed), UNDEFINED, TOO_LONG.
   */
  decode(
    bytes: Uint8Array,
    at: number,
    end: number,
    eip: number,
    big: boolean,
    out: Instruction,
  ): number {
    let position = at;
    const limit = Math.min(end, at + 15);
    let operandBig = big;
    let addressBig = big;
    let segment = -1;
    out.lock = false;
    out.repeat = 0;
    let opcode = 0;
    for (;;) {
      if (position >= limit) return position >= at + 15 ? TOO_LONG : TRUNCATED;
      opcode = bytes[position++] as number;
      if (opcode === 0x66) operandBig = !big;
      else if (opcode === 0x67) addressBig = !big;
      else if (opcode === 0xf0) out.lock = true;
      else if (opcode === 0xf2 || opcode === 0xf3) out.repeat = opcode;
      else if ((opcode & 0xe7) === 0x26) segment = (opcode >> 3) & 3;
      else if (opcode === 0x64 || opcode === 0x65) segment = opcode - 0x60;
      else break;
    }
    let map = 0;
    let prefix = 0;
    if (opcode === 0x0f) {
      if (position >= limit) return position >= at + 15 ? TOO_LONG : TRUNCATED;
      opcode = bytes[position++] as number;
      map = 1;
      // As mandatory prefix F2 and F3 go before 66, and of them the last one counts.
      if (out.repeat !== 0) prefix = out.repeat === 0xf3 ? 2 : 3;
      else if (operandBig !== big) prefix = 1;
    }
    out.opcode = opcode;
    out.operandSize = operandBig ? 4 : 2;
    out.addressSize = addressBig ? 4 : 2;
    out.isMemory = false;
    out.base = NO_REGISTER;
    out.index = NO_REGISTER;
    out.scale = 0;
    out.displacement = 0;
    out.immediate = 0;
    out.immediate2 = 0;
    out.displacementBytes = 0;
    out.immediateBytes = 0;
    let entry: Entry | undefined;
    let defaultSegment = 3;
    if (this.#modrm[map * 256 + opcode] === 0) {
      entry = this.#slots[prefix * PLANE + (map * 256 + opcode) * 16];
      out.reg = map === 0 && opcode < 0x40 || map === 1 && opcode >= 0xa0 && opcode < 0xaf
        ? (opcode >> 3) & 7
        : opcode & 7;
      out.rm = opcode & 7;
      if (entry === undefined) return UNDEFINED;
    } else {
      if (position >= limit) return position >= at + 15 ? TOO_LONG : TRUNCATED;
      const modrm = bytes[position++] as number;
      const mod = modrm >> 6;
      const rm = modrm & 7;
      out.modrm = modrm;
      out.reg = (modrm >> 3) & 7;
      out.rm = rm;
      entry = this.find(map, opcode, modrm, prefix);
      if (entry === undefined) return UNDEFINED;
      // The x87 keeps the opcode of its last instruction: 11 bits (SDM vol. 1 §8.1.9).
      if (map === 0 && (opcode & 0xf8) === 0xd8) out.immediate = ((opcode & 7) << 8) | modrm;
      if (mod !== 3 && entry.operands[0]?.kind !== "R") {
        out.isMemory = true;
        let displacementBytes = mod === 1 ? 1 : mod === 2 ? (addressBig ? 4 : 2) : 0;
        if (addressBig) {
          if (rm === 4) {
            if (position >= limit) return position >= at + 15 ? TOO_LONG : TRUNCATED;
            const sib = bytes[position++] as number;
            const base = sib & 7;
            const index = (sib >> 3) & 7;
            if (index !== 4) {
              out.index = index;
              out.scale = sib >> 6;
            }
            if (base === 5 && mod === 0) displacementBytes = 4;
            else {
              out.base = base;
              if (base === 4 || base === 5) defaultSegment = 2;
            }
          } else if (rm === 5 && mod === 0) displacementBytes = 4;
          else {
            out.base = rm;
            if (rm === 5) defaultSegment = 2;
          }
        } else if (rm === 6 && mod === 0) displacementBytes = 2;
        else {
          // BX+SI BX+DI BP+SI BP+DI SI DI BP BX
          out.base = rm < 2 || rm === 7 ? 3 : rm < 4 || rm === 6 ? 5 : rm === 4 ? 6 : 7;
          if (rm < 4) out.index = (rm & 1) === 0 ? 6 : 7;
          if (out.base === 5) defaultSegment = 2;
        }
        if (position + displacementBytes > limit) {
          return position + displacementBytes > at + 15 ? TOO_LONG : TRUNCATED;
        }
        out.displacement = signedBytes(bytes, position, displacementBytes);
        out.displacementBytes = displacementBytes;
        position += displacementBytes;
      }
    }
    // Immediates.
    const { immediate } = entry;
    if (immediate !== IMMEDIATE.NONE) {
      const size = operandBig ? 4 : 2;
      let count: number = 1;
      switch (immediate) {
        case IMMEDIATE.ONE:
          count = 0;
          break;
        case IMMEDIATE.WORD:
          count = 2;
          break;
        case IMMEDIATE.OPERAND:
        case IMMEDIATE.RELATIVE:
          count = size;
          break;
        case IMMEDIATE.WORD_BYTE:
          count = 3;
          break;
        case IMMEDIATE.FAR:
          count = size + 2;
          break;
        case IMMEDIATE.ADDRESS:
          count = addressBig ? 4 : 2;
          break;
      }
      if (position + count > limit) return position + count > at + 15 ? TOO_LONG : TRUNCATED;
      const start = position;
      position += count;
      out.immediateBytes = count;
      switch (immediate) {
        case IMMEDIATE.ONE:
          out.immediate = 1;
          break;
        case IMMEDIATE.BYTE:
          out.immediate = bytes[start] as number;
          break;
        case IMMEDIATE.BYTE_SIGNED:
          out.immediate = signedBytes(bytes, start, 1) & (operandBig ? -1 : 0xffff);
          break;
        case IMMEDIATE.WORD:
          out.immediate = signedBytes(bytes, start, 2) & 0xffff;
          break;
        case IMMEDIATE.OPERAND:
          out.immediate = signedBytes(bytes, start, size) & (operandBig ? -1 : 0xffff);
          break;
        case IMMEDIATE.WORD_BYTE:
          out.immediate = signedBytes(bytes, start, 2) & 0xffff;
          out.immediate2 = bytes[start + 2] as number;
          break;
        case IMMEDIATE.FAR:
          out.immediate = signedBytes(bytes, start, size) & (operandBig ? -1 : 0xffff);
          out.immediate2 = signedBytes(bytes, start + size, 2) & 0xffff;
          break;
        case IMMEDIATE.ADDRESS:
          out.isMemory = true;
          out.displacement = signedBytes(bytes, start, count) & (addressBig ? -1 : 0xffff);
          break;
        case IMMEDIATE.RELATIVE_BYTE:
        case IMMEDIATE.RELATIVE: {
          const offset = signedBytes(bytes, start, count);
          out.immediate = (eip + (position - at) + offset) & (operandBig ? -1 : 0xffff);
          break;
        }
      }
    }
    if (out.lock && !(entry.lock && out.isMemory)) return UNDEFINED;
    if (entry.operands.some(({ kind, value }) => kind === "S" && value < 0) && out.reg > 5) {
      return UNDEFINED;
    }
    out.segment = segment >= 0 ? segment : defaultSegment;
    out.entry = entry;
    out.length = position - at;
    return out.length;
  }
}

/** Little-endian, sign-extended; 0, 1, 2 or 4 bytes. */
function signedBytes(bytes: Uint8Array, at: number, count: number): number {
  switch (count) {
    case 1:
      return (bytes[at] as number) << 24 >> 24;
    case 2:
      return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << 16 >> 16;
    case 4:
      return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    default:
      return 0;
  }
}
