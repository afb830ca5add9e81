/**
 * Registers by name, as gdb's i386 target description has them, and the system registers that QEMU adds.
 * Those of the x87, MMX and SSE come from their units and may be longer than a number is exact: as bytes.
 * Sources: gdb `features/i386/32bit-core.xml`; SDM vol. 1 §3.4, vol. 3A §2.
 * @module
 */
import { readFlags, writeFlags } from "./flags.ts";
import * as L from "./layout.ts";

/** What {@link Registers} needs of the core. */
export interface RegisterOwner {
  readonly i32: Int32Array;
  readonly vm86: boolean;
  setSegment(
    segment: number,
    selector: number,
    base: number,
    limit: number,
    attributes: number,
  ): void;
  segmentLimit(segment: number): number;
  segmentAttributes(segment: number): number;
  updateMode(): void;
  codeMappingChanged(): void;
  /** Flags, EIP or a segment were set. */
  stateSet(): void;
  jumped(): void;
}

/** Registers that a unit of the processor adds. */
export interface RegisterUnit {
  /** gdb's feature. */
  readonly feature: string;
  /** Bytes of each register by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** A copy of a register, little-endian, in its size. */
  read(name: string): Uint8Array<ArrayBuffer>;
  /** Sets a register from as many bytes as it has. */
  write(name: string, bytes: Uint8Array): void;
}

/** Bytes of the registers that are numbers here. */
const WORD_BYTES = 4;
const CORE_FEATURE = "org.gnu.gdb.i386.core";

const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** Plain words: name to state offset. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["eax", L.EAX],
  ["ecx", L.ECX],
  ["edx", L.EDX],
  ["ebx", L.EBX],
  ["esp", L.ESP],
  ["ebp", L.EBP],
  ["esi", L.ESI],
  ["edi", L.EDI],
  ["eip", L.EIP],
  ["cr0", L.CR0],
  ["cr2", L.CR2],
  ["cr3", L.CR3],
  ["cr4", L.CR4],
  ["gdt_base", L.GDTR_BASE],
  ["gdt_limit", L.GDTR_LIMIT],
  ["idt_base", L.IDTR_BASE],
  ["idt_limit", L.IDTR_LIMIT],
  ["cpl", L.CPL],
]);
/** Control registers and tables have side effects that only the guest's own instructions carry out. */
const READ_ONLY: ReadonlySet<string> = new Set([
  "cr0",
  "cr3",
  "cr4",
  "gdt_base",
  "gdt_limit",
  "idt_base",
  "idt_limit",
  "cpl",
]);

/** Reads and sets registers by name. */
export class Registers {
  readonly #owner: RegisterOwner;
  readonly #eip: () => number;
  readonly #units = new Map<string, RegisterUnit>();
  /** All names, gdb's core registers first. */
  readonly names: readonly string[];
  readonly #words: readonly string[] = [
    "eax",
    "ecx",
    "edx",
    "ebx",
    "esp",
    "ebp",
    "esi",
    "edi",
    "eip",
    "eflags",
    "cs",
    "ss",
    "ds",
    "es",
    "fs",
    "gs",
    ...SEGMENTS.map((name) => `${name}_base`),
    ...[...WORDS.keys()].slice(9),
  ];

  /** `eip`: EIP of the instruction that is executing, or at the boundary. */
  constructor(owner: RegisterOwner, eip: () => number, units: readonly RegisterUnit[] = []) {
    this.#owner = owner;
    this.#eip = eip;
    for (const unit of units) {
      for (const name of unit.sizes.keys()) this.#units.set(name, unit);
    }
    this.names = [...this.#words, ...this.#units.keys()];
  }

  /** Length of a register in bytes: 4, st0 … 10, mm0 … 8, xmm0 … 16. Throws RangeError for an unknown name. */
  size(name: string): number {
    const size = this.#units.get(name)?.sizes.get(name);
    if (size !== undefined) return size;
    if (this.#words.includes(name)) return WORD_BYTES;
    throw new RangeError(`Cannot read register "${name}": no such register`);
  }
  /** Whether only the guest changes it. Throws RangeError for an unknown name. */
  isReadOnly(name: string): boolean {
    this.size(name);
    return READ_ONLY.has(name) || (!this.#units.has(name) && name.endsWith("_base"));
  }
  /** gdb's feature that has the register. Throws RangeError for an unknown name. */
  feature(name: string): string {
    this.size(name);
    return this.#units.get(name)?.feature ?? CORE_FEATURE;
  }
  /** A copy of any register, little-endian, in its size. Throws RangeError for an unknown name. */
  getBytes(name: string): Uint8Array<ArrayBuffer> {
    const unit = this.#units.get(name);
    if (unit) return unit.read(name);
    const bytes = new Uint8Array(WORD_BYTES);
    new DataView(bytes.buffer).setUint32(0, this.get(name), true);
    return bytes;
  }
  /**
   * Sets any register at an instruction boundary from as many bytes as it has. Throws RangeError for an unknown
   * name, one that only the guest can change, or another number of bytes.
   */
  setBytes(name: string, bytes: Uint8Array): void {
    const size = this.size(name);
    if (bytes.length !== size) {
      throw new RangeError(
        `Cannot set register "${name}": it has ${size} bytes, not ${bytes.length}`,
      );
    }
    const unit = this.#units.get(name);
    if (unit) unit.write(name, bytes);
    else this.set(name, wordOf(bytes));
  }

  /** Value of a register of 4 bytes, unsigned. Throws RangeError for an unknown name and for longer ones. */
  get(name: string): number {
    const { i32 } = this.#owner;
    const unit = this.#units.get(name);
    if (unit) return wordOf(this.#short(name, unit.read(name)));
    if (name === "eip") return this.#eip() >>> 0;
    const word = WORDS.get(name);
    if (word !== undefined) return (i32[word >> 2] as number) >>> 0;
    if (name === "eflags") return readFlags(i32 as Int32Array) >>> 0;
    const segment = SEGMENTS.indexOf(name.slice(0, 2) as (typeof SEGMENTS)[number]);
    if (segment >= 0) {
      const at = L.segmentOffset(segment) >> 2;
      if (name.length === 2) return i32[at] as number;
      if (name.slice(2) === "_base") return (i32[at + 1] as number) >>> 0;
    }
    throw new RangeError(`Cannot read register "${name}": no such register`);
  }

  /**
   * Sets a register at an instruction boundary, which a callback before an instruction is at: EIP makes it go on
   * there instead. A segment register gets base selector × 16 in real and
   * virtual-8086 mode; in protected mode only the selector changes. Throws RangeError for an unknown name or
   * one that only the guest can change.
   */
  set(name: string, value: number): void {
    const owner = this.#owner;
    const unit = this.#units.get(name);
    if (unit) {
      const bytes = this.#short(name, new Uint8Array(this.size(name)));
      new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
      unit.write(name, bytes);
      return;
    }
    const { i32 } = owner;
    const word = WORDS.get(name);
    if (word !== undefined && !READ_ONLY.has(name)) {
      i32[word >> 2] = value;
      if (word === L.EIP) owner.jumped();
      return;
    }
    if (name === "eflags") {
      writeFlags(i32 as Int32Array, value);
      owner.updateMode();
      owner.stateSet();
      return;
    }
    const segment = SEGMENTS.indexOf(name as (typeof SEGMENTS)[number]);
    if (segment < 0) throw new RangeError(`Cannot set register "${name}": unknown or read-only`);
    const real = ((i32[L.CR0 >> 2] as number) & 1) === 0 || owner.vm86;
    if (real) {
      owner.setSegment(
        segment,
        value,
        (value & 0xffff) << 4,
        owner.segmentLimit(segment),
        owner.segmentAttributes(segment),
      );
      owner.updateMode();
      owner.stateSet();
    } else i32[L.segmentOffset(segment) >> 2] = value & 0xffff;
  }
  /** The bytes, if they are those of a number. */
  #short(name: string, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (bytes.length === WORD_BYTES) return bytes;
    throw new RangeError(
      `Cannot access register "${name}" as a number: it has ${bytes.length} bytes, take them as bytes`,
    );
  }
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, WORD_BYTES).getUint32(0, true);
}
