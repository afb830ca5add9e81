/**
 * Test cases of the differential tester: what goes into an engine, what comes out, and the address space
 * that both engines give to a case.
 *
 * A case runs at CPL 3 in flat 32-bit segments and ends by an exception: code is followed by CCh (INT3).
 * Memory outside the regions below is not mapped.
 * @module
 */

/** Memory of a case. Both engines fill it with {@link background} before each case; code with CCh. */
export const REGIONS = {
  code: { start: 0x10000000, bytes: 0x2000, writable: true },
  data: { start: 0x20000000, bytes: 0x2000, writable: true },
  readOnly: { start: 0x20002000, bytes: 0x1000, writable: false },
  stack: { start: 0x30000000, bytes: 0x1000, writable: true },
  /** Within reach of 16-bit addresses; absent where the kernel's mmap_min_addr forbids it. */
  low: { start: 0x5000, bytes: 0x2000, writable: true },
} as const;

/** Selectors of a 32-bit process under a 64-bit Linux; ours has the same. */
export const USER_CS = 0x23;
export const USER_DS = 0x2b;

/**
 * The LDT of segmented cases: base, limit in units, and the descriptor's bits 8–23 (limit bits left out). Bases
 * are near 0, so that addresses of the regions stay good offsets, but for 16-bit segments.
 */
export const LDT: readonly (readonly [base: number, limit: number, attributes: number])[] = [
  [0x10000000, 0x1fff, 0x00fb],
  [0, 0x10001, 0xc0fb],
  [0x10, 0xfffff, 0xc0f3],
  [0, 0xfffff, 0xc0f1],
  [0, 0x20001, 0xc0f3],
  [0, 0x20000, 0xc0f7],
  [0x30000000, 0xfff, 0x00f3],
  [0, 0x30000, 0xc0f3],
  [0, 0x2ffff, 0xc0f7],
  [0x30000000, 0x3ff, 0x00f7],
  [0, 0xfffff, 0xc0f9],
  [0xfffff000, 0xfffff, 0xc0f3],
];
/** Selector of an LDT entry at RPL 3. */
export function ldtSelector(index: number): number {
  return index * 8 + 7;
}
/** Selector of the 16-bit code segment. */
export const CODE16 = 7;

/** Most bytes of code in a case. */
export const MAX_CODE = 64;
/** Most patches, and bytes in one. */
export const MAX_PATCHES = 4;
export const MAX_PATCH_BYTES = 16;
/** Bytes of a 32-bit FSAVE image. */
export const FPU_IMAGE_BYTES = 108;

/** XMM0–7. */
export const XMM_BYTES = 128;
/** MXCSR after reset. */
export const INITIAL_MXCSR = 0x1f80;

/** Bytes put over the background before a case runs. */
export interface Patch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** One case. Registers are unsigned. */
export interface TestCase {
  /** What made it: mnemonic and form, for reports. */
  readonly name: string;
  /** Operation of the row under test, for coverage. */
  readonly operation: string;
  /** Flags that the manual leaves undefined here, as a mask. */
  readonly undefinedFlags: number;
  /** General registers (bits by encoding) that the manual leaves undefined here. */
  readonly undefinedRegisters?: number;
  /** Memory that is not the same on all processors. */
  readonly undefinedMemory?: { readonly start: number; readonly bytes: number };
  /** Where the instruction faults the x87 state is not compared. */
  readonly undefinedFpuOnFault?: boolean;
  /** #PF may name any address within so many bytes of the operand. */
  readonly faultsWithin?: number;
  readonly code: Uint8Array;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly gpr: Uint32Array;
  readonly eflags: number;
  /** Linear address of the code. */
  readonly eip: number;
  /** ES CS SS DS FS GS; absent: flat. */
  readonly segments?: readonly number[];
  readonly patches: readonly Patch[];
  /** FSAVE image, 32-bit protected-mode format; absent: as after FNINIT. */
  readonly fpu?: Uint8Array;
  /** XMM0–7, 16 bytes each; absent: zeros, and the registers are not compared. */
  readonly xmm?: Uint8Array;
  /** Absent: {@link INITIAL_MXCSR}. Reserved bits must be clear. */
  readonly mxcsr?: number;
  /** Bits of MXCSR that are not compared. */
  readonly undefinedMxcsr?: number;
}

/** x87 state after a case. */
export interface FpuOutcome {
  readonly control: number;
  readonly status: number;
  /** Full tag word, two bits a physical register. */
  readonly tag: number;
  readonly ip: number;
  /** ST(0)…ST(7), 10 bytes each. */
  readonly registers: Uint8Array;
}

/** What a case did. */
export interface Outcome {
  /** Exception vector that ended it; −1: it ran too long; −2: it destroyed the process. */
  readonly vector: number;
  /** Error code; 0 if the vector has none. */
  readonly errorCode: number;
  /** Linear address of #PF, else 0. */
  readonly address: number;
  readonly gpr: Uint32Array;
  readonly eflags: number;
  readonly eip: number;
  /** ES CS SS DS FS GS. */
  readonly segments: readonly number[];
  readonly fpu: FpuOutcome;
  /** XMM0–7, 16 bytes each. */
  readonly xmm: Uint8Array;
  readonly mxcsr: number;
  /** Changed words of writable memory by address, in order; at most 64. */
  readonly memory: ReadonlyMap<number, number>;
  /** How many words changed. */
  readonly changed: number;
}

/** Something that can run cases. */
export interface Engine {
  readonly name: string;
  run(cases: readonly TestCase[]): Promise<Outcome[]>;
}

/** The words with which a region is filled: a 32-bit xorshift stream seeded by its address. */
export function background(start: number, bytes: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(bytes / 4);
  let state = (start ^ 0x9e3779b9) >>> 0;
  for (let i = 0; i < words.length; i++) {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

/** FSAVE image after FNINIT. */
export function initialFpu(): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(FPU_IMAGE_BYTES);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0xffff037f, true);
  view.setUint32(4, 0xffff0000, true);
  view.setUint32(8, 0xffffffff, true);
  return image;
}

/** Tag (0 valid, 1 zero, 2 special) of an 80-bit value that is not empty: SDM vol. 1 §8.1.7. */
export function tagOf(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 10);
  const exponent = view.getUint16(8, true) & 0x7fff;
  const significand = view.getBigUint64(0, true);
  if (exponent === 0) return significand === 0n ? 1 : 2;
  if (exponent === 0x7fff) return 2;
  return significand >> 63n ? 0 : 2;
}
