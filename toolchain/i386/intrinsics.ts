// deno-lint-ignore-file camelcase -- names of instructions
/**
 * The machine instructions that programs reach by importing from a file named `x86.ts`.
 *
 * Most instructions have operands in fixed registers; for these a row of the table is the whole
 * definition: where the argument words go, the bytes, where the result words are afterwards, and
 * what else changes. Rows with free operands (volatile accesses, bit scans) and system calls with
 * up to seven words are expanded in `select_intrinsic.ts`.
 *
 * An intrinsic is opaque to Binaryen and is never moved, merged or dropped by our own passes.
 *
 * Sources: SDM vol. 2 (encodings); Linux `int 0x80` convention for `syscallN`.
 *
 * @module
 */

import { EAX, EBX, ECX, EDI, EDX, ESI } from "./registers.ts";

/** An intrinsic whose operands are in fixed registers. */
export interface FixedIntrinsic {
  /** Register of each argument word. */
  readonly arguments: readonly number[];
  readonly bytes: readonly number[];
  /** Register of each result word, low word first. */
  readonly results: readonly number[];
  /** Registers that change besides the results. */
  readonly clobbers: readonly number[];
}

function row(
  args: readonly number[],
  bytes: readonly number[],
  results: readonly number[] = [],
  clobbers: readonly number[] = [],
): FixedIntrinsic {
  return { arguments: args, bytes, results, clobbers };
}

// deno-fmt-ignore
const ROWS: Record<string, FixedIntrinsic> = {
  // Ports. Narrow results are widened by MOVZX, so that the upper bits are defined.
  inb:        row([EDX],           [0xec, 0x0f, 0xb6, 0xc0],       [EAX]),
  inw:        row([EDX],           [0x66, 0xed, 0x0f, 0xb7, 0xc0], [EAX]),
  inl:        row([EDX],           [0xed],                         [EAX]),
  outb:       row([EDX, EAX],      [0xee]),
  outw:       row([EDX, EAX],      [0x66, 0xef]),
  outl:       row([EDX, EAX],      [0xef]),
  insw:       row([EDX, EDI, ECX], [0xf3, 0x66, 0x6d],             [], [EDI, ECX]),
  insl:       row([EDX, EDI, ECX], [0xf3, 0x6d],                   [], [EDI, ECX]),
  outsw:      row([EDX, ESI, ECX], [0xf3, 0x66, 0x6f],             [], [ESI, ECX]),
  outsl:      row([EDX, ESI, ECX], [0xf3, 0x6f],                   [], [ESI, ECX]),

  // Processor control.
  cli:        row([],              [0xfa]),
  sti:        row([],              [0xfb]),
  hlt:        row([],              [0xf4]),
  pause:      row([],              [0xf3, 0x90]),
  wbinvd:     row([],              [0x0f, 0x09]),
  ud2:        row([],              [0x0f, 0x0b]),
  int3:       row([],              [0xcc]),
  clts:       row([],              [0x0f, 0x06]),
  eflags:     row([],              [0x9c, 0x58],                   [EAX]),
  set_eflags: row([EAX],           [0x50, 0x9d]),
  ebp:        row([],              [0x89, 0xe8],                   [EAX]),
  esp:        row([],              [0x89, 0xe0],                   [EAX]),
  rdtsc:      row([],              [0x0f, 0x31],                   [EAX, EDX]),
  rdmsr:      row([ECX],           [0x0f, 0x32],                   [EAX, EDX]),
  wrmsr:      row([ECX, EAX, EDX], [0x0f, 0x30]),
  // CPUID with sub-leaf 0 in ECX.
  cpuid_eax:  row([EAX],           [0x31, 0xc9, 0x0f, 0xa2],       [EAX], [EBX, ECX, EDX]),
  cpuid_ebx:  row([EAX],           [0x31, 0xc9, 0x0f, 0xa2],       [EBX], [EAX, ECX, EDX]),
  cpuid_ecx:  row([EAX],           [0x31, 0xc9, 0x0f, 0xa2],       [ECX], [EAX, EBX, EDX]),
  cpuid_edx:  row([EAX],           [0x31, 0xc9, 0x0f, 0xa2],       [EDX], [EAX, EBX, ECX]),

  // Descriptor tables, segments, paging.
  lgdt:       row([EAX],           [0x0f, 0x01, 0x10]),
  lidt:       row([EAX],           [0x0f, 0x01, 0x18]),
  lldt:       row([EAX],           [0x0f, 0x00, 0xd0]),
  ltr:        row([EAX],           [0x0f, 0x00, 0xd8]),
  set_gs:     row([EAX],           [0x8e, 0xe8]),
  set_fs:     row([EAX],           [0x8e, 0xe0]),
  set_ds_es:  row([EAX],           [0x8e, 0xd8, 0x8e, 0xc0]),
  invlpg:     row([EAX],           [0x0f, 0x01, 0x38]),
  cr0:        row([],              [0x0f, 0x20, 0xc0],             [EAX]),
  cr2:        row([],              [0x0f, 0x20, 0xd0],             [EAX]),
  cr3:        row([],              [0x0f, 0x20, 0xd8],             [EAX]),
  cr4:        row([],              [0x0f, 0x20, 0xe0],             [EAX]),
  set_cr0:    row([EAX],           [0x0f, 0x22, 0xc0]),
  set_cr3:    row([EAX],           [0x0f, 0x22, 0xd8]),
  set_cr4:    row([EAX],           [0x0f, 0x22, 0xe0]),

  // Atomic accesses (address, …): the old value is the result. XCHG locks by itself.
  xchg32:     row([EDX, EAX],      [0x87, 0x02],                   [EAX]),
  cmpxchg32:  row([EDX, EAX, ECX], [0xf0, 0x0f, 0xb1, 0x0a],       [EAX]),
  xadd32:     row([EDX, EAX],      [0xf0, 0x0f, 0xc1, 0x02],       [EAX]),

  // String instructions (destination, source or value, count).
  repmovsb:   row([EDI, ESI, ECX], [0xf3, 0xa4],                   [], [EDI, ESI, ECX]),
  repmovsd:   row([EDI, ESI, ECX], [0xf3, 0xa5],                   [], [EDI, ESI, ECX]),
  repstosb:   row([EDI, EAX, ECX], [0xf3, 0xaa],                   [], [EDI, ECX]),
  repstosd:   row([EDI, EAX, ECX], [0xf3, 0xab],                   [], [EDI, ECX]),

  // Floating-point state. FNINIT and FXSAVE save for another owner, so no register is ours.
  fninit:     row([],              [0xdb, 0xe3]),
  fnsave:     row([EAX],           [0xdd, 0x30]),
  frstor:     row([EAX],           [0xdd, 0x20]),
  fxsave:     row([EAX],           [0x0f, 0xae, 0x00]),
  fxrstor:    row([EAX],           [0x0f, 0xae, 0x08]),
};

/** Intrinsics with operands in fixed registers, by name. */
export const FIXED_INTRINSICS: ReadonlyMap<string, FixedIntrinsic> = new Map(Object.entries(ROWS));

/** Names that `select_intrinsic.ts` expands. */
const FREE_NAMES = [
  "vload8",
  "vload16",
  "vload32",
  "vstore8",
  "vstore16",
  "vstore32",
  "bsf",
  "bsr",
  "bswap",
  "mulhi",
  "syscall0",
  "syscall1",
  "syscall2",
  "syscall3",
  "syscall4",
  "syscall5",
  "syscall6",
];

/** True when `name` can be imported from `x86.ts`. */
export function isIntrinsic(name: string): boolean {
  return FIXED_INTRINSICS.has(name) || FREE_NAMES.includes(name);
}

/** Registers of the words of a system call: number and up to six arguments; the sixth is in ebp. */
export const SYSTEM_CALL_REGISTERS: readonly number[] = [EAX, EBX, ECX, EDX, ESI, EDI];
