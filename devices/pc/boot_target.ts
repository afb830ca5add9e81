/**
 * What the boot protocols have in common: the machine as a loader sees it, and the memory map.
 *
 * @module
 */

/** Something about the image or kernel keeps it from booting; the message is one sentence. */
export class BootError extends Error {
  /** For `error.name`. */
  override name = "BootError";
}

/** The state in which a boot protocol enters a kernel: 32-bit flat segments, paging and interrupts off. */
export interface EntryState {
  /** The entry, physical. */
  readonly eip: number;
  /** Default 0, like all general registers. */
  readonly eax?: number;
  /** Default 0. */
  readonly ebx?: number;
  /** Default 0. */
  readonly esi?: number;
  /** Default 0. */
  readonly esp?: number;
  /** Where the loader has put a GDT; without it GDTR stays. */
  readonly gdt?: { readonly base: number; readonly limit: number };
  /** CS; default 08h. */
  readonly codeSelector?: number;
  /** DS, ES, SS, FS, GS; default 10h. */
  readonly dataSelector?: number;
}

/** What the loader needs of the machine. */
export interface BootTarget {
  /** Physical memory. */
  readonly memory: { readonly size: number; write(physical: number, bytes: Uint8Array): void };
  /** Sets the CPU at the entry. */
  enterFlatProtectedMode(state: EntryState): void;
}

/** Where conventional memory ends and the extended BIOS data area begins. */
export const LOW_MEMORY_END = 0x9fc00;
/** Where memory goes on behind the adapters and ROMs. */
export const HIGH_MEMORY_START = 0x100000;

/** Bytes at the top of RAM that hold the ACPI tables and are no memory for the kernel. */
export const ACPI_RESERVED_BYTES = 0x20000;
/** A machine with less RAM has no ACPI tables: there would be next to nothing left. */
export const ACPI_LEAST_RAM = 0x800000;

/** Where the RAM ends that is a kernel's. */
export function usableEnd(ram: number): number {
  return ram < ACPI_LEAST_RAM ? ram : ram - ACPI_RESERVED_BYTES;
}

/** A range as firmware reports it (INT 15h AX=E820h). */
export interface MemoryRange {
  readonly start: number;
  readonly length: number;
  /** 1 RAM, 2 reserved. */
  readonly type: number;
}

/** The memory map of a machine with so many bytes of RAM. */
export function memoryMap(ram: number): MemoryRange[] {
  const end = usableEnd(ram);
  const tables = { start: end, length: ram - end, type: 2 };
  return [
    { start: 0, length: LOW_MEMORY_END, type: 1 },
    { start: LOW_MEMORY_END, length: 0xa0000 - LOW_MEMORY_END, type: 2 },
    { start: 0xf0000, length: 0x10000, type: 2 },
    { start: HIGH_MEMORY_START, length: end - HIGH_MEMORY_START, type: 1 },
    ...(tables.length > 0 ? [tables] : []),
    { start: 0xfffc0000, length: 0x40000, type: 2 },
  ];
}
