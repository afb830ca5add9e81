/**
 * One encoding through our decoder and through iced-x86, an independent one: length, registers, memory operand,
 * sizes and immediates.
 * @module
 */
import {
  CpuidFeature,
  Decoder as Iced,
  DecoderOptions,
  type Instruction as IcedInstruction,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  Register,
  RegisterExt,
} from "iced-x86";
import { Decoder, Instruction, NO_REGISTER, type OperandToken } from "../../cpu/isa/decode.ts";
import { SIMD } from "../../cpu/isa/simd.ts";
import { SIMD_FLOAT } from "../../cpu/isa/simd_float.ts";
import { INTEGER } from "../../cpu/isa/table.ts";
import { X87 } from "../../cpu/isa/x87.ts";

/** What our largest model has. */
const OURS: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL8086_ONLY,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL286_ONLY,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL386_ONLY,
  CpuidFeature.INTEL486,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
  CpuidFeature.CPUID,
  CpuidFeature.TSC,
  CpuidFeature.MSR,
  CpuidFeature.CX8,
  CpuidFeature.CMOV,
  CpuidFeature.SEP,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.RDPMC,
  CpuidFeature.MMX,
  CpuidFeature.FXSR,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.CLFSH,
  CpuidFeature.PAUSE,
]);

const SLOT = 16;
const EIP = 0x1000;
const SEGMENTS = [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];
/** Operand kinds of iced-x86 that are immediates, and memory at rSI. */
const IMMEDIATES: ReadonlySet<OpKind> = new Set([
  OpKind.Immediate8,
  OpKind.Immediate16,
  OpKind.Immediate32,
  OpKind.Immediate8to16,
  OpKind.Immediate8to32,
]);
const SOURCES: ReadonlySet<OpKind> = new Set([OpKind.MemorySegSI, OpKind.MemorySegESI]);

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

/** The two decoders over a list of encodings. */
export class DecodeOracle {
  readonly decoder: Decoder = new Decoder([...INTEGER, ...X87, ...SIMD, ...SIMD_FLOAT]);
  readonly out: Instruction = new Instruction();
  /** Encodings whose operands were all compared, and those with the length alone. */
  compared = 0;
  lengths = 0;

  /**
   * Compares encodings, at most 15 bytes each, in code of 32 or 16 bits; calls back with each difference: the bytes,
   * what differs, and the mnemonic of iced-x86 (empty if it finds none).
   */
  run(
    encodings: readonly Uint8Array[],
    big: boolean,
    differs: (bytes: Uint8Array, what: string, mnemonic: string) => void,
  ): void {
    const data = new Uint8Array(encodings.length * SLOT);
    for (const [i, bytes] of encodings.entries()) data.set(bytes, i * SLOT);
    const iced = new Iced(big ? 32 : 16, data, DecoderOptions.None);
    const theirs = iced.decode();
    for (const [i, bytes] of encodings.entries()) {
      iced.position = i * SLOT;
      iced.ip = BigInt(EIP);
      iced.decodeOut(theirs);
      const valid = iced.lastError === 0 && !theirs.isInvalid;
      const what = this.#compare(data.subarray(i * SLOT, i * SLOT + 15), big, valid, theirs);
      if (what !== "") differs(bytes, what, valid ? Mnemonic[theirs.mnemonic] ?? "?" : "");
    }
    theirs.free();
    iced.free();
  }

  #compare(bytes: Uint8Array, big: boolean, valid: boolean, theirs: IcedInstruction): string {
    const { out } = this;
    const length = this.decoder.decode(bytes, 0, bytes.length, EIP, big, out);
    if (!valid) return length > 0 ? `ours is ${out.entry?.row.join(" | ")}` : "";
    if (length <= 0) {
      const later = theirs.cpuidFeatures().some((feature) => !OURS.has(feature));
      return later ? "" : "ours is undefined";
    }
    // F3 and F2 that a later processor gave a meaning, and this one ignores.
    if (theirs.cpuidFeatures().some((feature) => !OURS.has(feature))) {
      return `ours is ${out.entry?.row.join(" | ")}, a later processor's`;
    }
    if (length !== theirs.length) return `length ${length}, not ${theirs.length}`;
    return this.#memory(theirs) || this.#operands(theirs);
  }

  #memory(theirs: IcedInstruction): string {
    const { out } = this;
    const kinds = Array.from({ length: theirs.opCount }, (_, i) => theirs.opKind(i));
    const source = kinds.some((kind) => SOURCES.has(kind));
    if (source && SEGMENTS[out.segment] !== theirs.memorySegment) return "segment of the source";
    if (!kinds.includes(OpKind.Memory)) return out.isMemory ? "no memory operand" : "";
    if (theirs.mnemonic === Mnemonic.Xlatb) return "";
    if (!out.isMemory) return "a memory operand";
    if (SEGMENTS[out.segment] !== theirs.memorySegment) return `segment ${out.segment}`;
    const number = (register: Register): number =>
      register === Register.None ? NO_REGISTER : RegisterExt.number(register);
    if (out.base !== number(theirs.memoryBase)) return `base ${out.base}`;
    if (out.index !== number(theirs.memoryIndex)) return `index ${out.index}`;
    if (out.index !== NO_REGISTER && 1 << out.scale !== theirs.memoryIndexScale) return "scale";
    for (const register of [theirs.memoryBase, theirs.memoryIndex]) {
      if (register !== Register.None && RegisterExt.size(register) !== out.addressSize) {
        return "address size";
      }
    }
    const mask = out.addressSize === 2 ? 0xffff : -1;
    const displacement = Number(theirs.memoryDisplacement & 0xffffffffn);
    if ((out.displacement & mask) !== (displacement & mask)) {
      return `displacement ${hex(out.displacement)}, not ${hex(displacement)}`;
    }
    return "";
  }

  #operands(theirs: IcedInstruction): string {
    const { out } = this;
    const { entry } = out;
    if (entry === undefined) return "no entry";
    const { operands } = entry;
    const immediate = this.#immediates(theirs);
    if (immediate !== "") return immediate;
    if (operands.length !== theirs.opCount) {
      // Rows of assists leave out what the assist finds by itself.
      this.lengths++;
      return "";
    }
    for (const [i, token] of operands.entries()) {
      const what = this.#operand(token, theirs, i);
      if (what !== "") return `operand ${i}: ${what}`;
    }
    this.compared++;
    return "";
  }

  #immediates(theirs: IcedInstruction): string {
    const { out } = this;
    const mask = out.operandSize === 2 ? 0xffff : -1;
    for (let i = 0; i < theirs.opCount; i++) {
      const kind = theirs.opKind(i);
      if (IMMEDIATES.has(kind)) {
        const value = Number(BigInt.asIntN(32, theirs.immediate(i)));
        const width = kind === OpKind.Immediate8
          ? 0xff
          : kind === OpKind.Immediate16
          ? 0xffff
          : mask;
        if ((out.immediate & width) !== (value & width)) {
          return `immediate ${hex(out.immediate)}, not ${hex(value)}`;
        }
      } else if (kind === OpKind.Immediate8_2nd && out.immediate2 !== theirs.immediate8_2nd) {
        return "second immediate";
      } else if (kind === OpKind.NearBranch16 || kind === OpKind.NearBranch32) {
        if ((out.immediate >>> 0) !== Number(theirs.nearBranchTarget)) return "target";
      } else if (kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32) {
        const offset = kind === OpKind.FarBranch16 ? theirs.farBranch16 : theirs.farBranch32;
        if ((out.immediate >>> 0) !== offset) return "far offset";
        if (out.immediate2 !== theirs.farBranchSelector) return "far selector";
      }
    }
    return "";
  }

  /** One operand of a row against the one at its place. */
  #operand({ kind, size, value }: OperandToken, theirs: IcedInstruction, i: number): string {
    const { out } = this;
    const theirKind = theirs.opKind(i);
    if ("IJA".includes(kind)) return theirKind === OpKind.Register ? "not an immediate" : "";
    const bytes = size === 0 ? out.operandSize : size;
    if (theirKind !== OpKind.Register) {
      if ("GZPNVUXS".includes(kind)) return "not a register";
      const memory = MemorySizeExt.size(theirs.memorySize);
      if (size > 0 && memory > 0 && memory !== bytes) return `${bytes} bytes, not ${memory}`;
      return "";
    }
    const register = theirs.opRegister(i);
    const number = RegisterExt.number(register);
    const width = RegisterExt.size(register);
    const expected: Readonly<Record<string, number>> = {
      G: out.reg,
      P: out.reg,
      V: out.reg,
      C: out.reg,
      E: out.rm,
      Q: out.rm,
      W: out.rm,
      N: out.rm,
      U: out.rm,
      R: out.rm,
      Z: out.rm,
      X: value,
      S: value >= 0 ? value : out.reg,
      F: out.rm,
    };
    const own = expected[kind];
    if (own === undefined) return `${kind} is a register`;
    if (own !== number) return `register ${own}, not ${number}`;
    // Of general registers; vectors and segments have one size. Of a selector two bytes count.
    const selector = out.entry?.operation === "movToSegment";
    if ("GEZRX".includes(kind) && size >= 0 && width !== bytes && !selector) {
      return `${bytes} bytes, not ${width}`;
    }
    return "";
  }
}
