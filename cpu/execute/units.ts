/**
 * What the core needs from its two other halves: memory (paging, TLB, bus) and events (delivery).
 * @module
 */
import type { Fault } from "../state/fault.ts";

/** What the CPU needs from the board. Sizes in bytes; values unsigned in the low bits. */
export interface Bus {
  /** IN: `port` 0..FFFFh. */
  readPort(port: number, size: 1 | 2 | 4): number;
  /** OUT: `port` 0..FFFFh. */
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
  /**
   * REP INS: up to `count` times IN, into `into` from `at` on, little-endian: as many as change nothing but what the
   * next one gives, as a drive's data port has them in its buffer. Returns how many; the others come one by one.
   */
  readPorts?(
    port: number,
    size: 1 | 2 | 4,
    count: number,
    into: Uint8Array,
    at: number,
  ): number;
  /** REP OUTS: the same for OUT of what `from` has. */
  writePorts?(
    port: number,
    size: 1 | 2 | 4,
    count: number,
    from: Uint8Array,
    at: number,
  ): number;
  /** Physical accesses that hit no RAM (MMIO, ROM, holes). */
  readMemory(physical: number, size: 1 | 2 | 4): number;
  /** The write to the same places. */
  writeMemory(physical: number, size: 1 | 2 | 4, value: number): void;
  /** INTA cycle: the vector of the highest pending interrupt of the PIC. */
  acknowledgeInterrupt(): number;
  /**
   * IA32_APIC_BASE was written: its low word. A board that does not have this has no local APIC: the processor then
   * has neither the CPUID feature nor the MSR.
   */
  apicBase?(value: number): void;
  /** Time stamp counter's source, by one an instruction while code runs; default: retired instructions. */
  timestamp?(): number;
  /** The FERR# pin goes active (CR0.NE is 0): a PC raises IRQ 13. */
  coprocessorError?(): void;
}

/** Physical memory, for loaders, DMA and plugins. Addresses 0..2^32−1; where no RAM answers, the bus does. */
export interface PhysicalMemory {
  /** Bytes of RAM. */
  readonly size: number;
  /** A copy of bytes. */
  read(physical: number, length: number): Uint8Array;
  /** Writes bytes and drops decoded code that they touch. */
  write(physical: number, bytes: Uint8Array): void;
  /** One byte, unsigned. */
  read8(physical: number): number;
  /** Two bytes, little-endian, unsigned, any alignment. */
  read16(physical: number): number;
  /** Four bytes, little-endian, unsigned, any alignment. */
  read32(physical: number): number;
  /** Writes one byte, as `write` does. */
  write8(physical: number, value: number): void;
  /** Writes two bytes, little-endian. */
  write16(physical: number, value: number): void;
  /** Writes four bytes, little-endian. */
  write32(physical: number, value: number): void;
  /**
   * Routes the pages [start, end) to RAM, to the ROM installed there, or to the bus. Throws RangeError unless both
   * are multiples of 4096, start ≤ end ≤ 2^32.
   */
  route(
    start: number,
    end: number,
    route: { readonly read: "ram" | "rom" | "bus"; readonly write: "ram" | "bus" },
  ): void;
  /**
   * Makes a ROM image readable at a physical address (a multiple of 4096), writes to it going to the bus; the same
   * array may be installed at several addresses. Throws RangeError when the processor was made with too few `romBytes`.
   */
  installRom(physical: number, bytes: Uint8Array): void;
}

/**
 * Paging, TLB and physical memory. Made by `createMemoryUnit(core)` in `cpu/memory/mod.ts`.
 *
 * The Wasm fast path looks a linear address up in the table at TLB_READ / TLB_WRITE (state words that
 * `Core.updateMode` points at the user's or the supervisor's table of the present address space by CPL). A hit needs
 * no call. The unit fills and clears the tables; it leaves out of the write tables pages that are read-only, not
 * dirty or not RAM, and marks those that hold decoded code (`core.hasCode`) or page tables.
 */
export interface MemoryUnit {
  readonly physical: PhysicalMemory;
  /** Linear read at the current CPL: misses, page crossers, MMIO. Fills the TLB. Throws #PF. */
  slowRead(linear: number, size: 1 | 2 | 4): number;
  /**
   * Linear write at the current CPL. Throws #PF before any byte is written, also across pages. Where the
   * physical page holds code: `core.codeWritten(physical, size)` after the bytes are stored.
   */
  slowWrite(linear: number, size: 1 | 2 | 4, value: number): void;
  /** First half of read-modify-write: faults as a write would, else returns the value. */
  slowReadForWrite(linear: number, size: 1 | 2 | 4): number;
  /** Faults as a read of `size` bytes (1..16) would; for accesses that are then made in parts. */
  probeRead(linear: number, size: number): void;
  /** Faults as a write of `size` bytes (1..16) would; writes nothing. */
  probeWrite(linear: number, size: number): void;
  /** Implicit supervisor accesses (descriptor tables, TSS). */
  readSystem(linear: number, size: 1 | 2 | 4): number;
  writeSystem(linear: number, size: 1 | 2 | 4, value: number): void;
  /** Physical address of a linear code address at the current CPL; throws #PF as a fetch. */
  translateCode(linear: number): number;
  /** Physical address of a linear address for reading, or −1; never faults, sets no A/D bits. */
  probe(linear: number): number;
  /** Removes the page's entries from the write TLBs: it now holds decoded code. */
  protectCode(physical: number): void;
  /** True when the physical page is plain RAM. */
  isRam(physical: number): boolean;
  /** Where the physical address is in linear memory for reading (RAM or ROM), or 0: the bus has it. */
  hostOf(physical: number): number;
  /** Opens or shuts the gate of address line 20. */
  setA20(open: boolean): void;
  /** Reads a byte of physical memory, RAM or bus. */
  readPhysical8(physical: number): number;
  /** Loads PAE's four pointers from the table that CR3 would name; #GP(0) for reserved bits. */
  loadPointers(cr3: number): void;
  /**
   * For translated code, at the current CPL: fills the TLB and returns the host address of an access of `size` bytes
   * in one page (if `write`, a store follows at once; of 0 bytes: stores anywhere in the page), or 0 where the interpreter must do it: bus, code, fault.
   */
  fill(linear: number, size: number, write: boolean): number;
  /** Error code of the page fault for which the last {@link fill} returned 0; −1: it was something else. */
  readonly missed: number;
  /** Empties the TLB of all address spaces: the rules of translation changed (CR0, CR4, A20, the memory map). */
  flush(): void;
  /** CR3 or PAE's pointers were loaded: their address space is the present one. */
  switchSpace(): void;
  /** INVLPG. */
  invalidate(linear: number): void;
}

/** Delivery of exceptions and interrupts. Made by `createEventUnit(core)` in `cpu/events/mod.ts`. */
export interface EventUnit {
  /**
   * Delivers an exception: pushes the frame, loads CS:EIP. EIP in the state is that of the faulting
   * instruction (of the next one for traps). A fault inside turns into #DF, then shutdown: returns false.
   */
  deliver(fault: Fault): boolean;
  /** Delivers an external interrupt, same result. */
  interrupt(vector: number): boolean;
}
