/**
 * The core: linear memory with the CPU's state, and what assists, memory and events do to it.
 *
 * It knows state and rules of the mode, not instructions: those are in `engine.ts`, which runs blocks and
 * owns the decoded code. Sources: SDM vol. 3A §3.4, §5.
 * @module
 */
import { readFlags, writeFlags } from "../state/flags.ts";
import { Fault } from "../state/fault.ts";
import * as L from "../state/layout.ts";
import { type CpuModel, DEFAULT_MODEL, findModel, type Model } from "../system/models.ts";
import { Breakpoints } from "./breakpoints.ts";
import type { Bus, EventUnit, MemoryUnit } from "./units.ts";

/** Attributes of a segment cache: bits 8–23 of the descriptor's second word in bits 0–15. */
export const ATTRIBUTE = {
  /** Type: accessed. */
  ACCESSED: 0x1,
  /** Type: readable (code) or writable (data). */
  READ_WRITE: 0x2,
  /** Type: conforming (code) or expand-down (data). */
  CONFORMING_EXPAND_DOWN: 0x4,
  /** Type: code. */
  CODE: 0x8,
  /** S: code or data, not system. */
  SEGMENT: 0x10,
  DPL_SHIFT: 5,
  PRESENT: 0x80,
  /** D or B. */
  BIG: 0x4000,
  GRANULARITY: 0x8000,
} as const;

/** What the engine does for the core (set once by the engine). */
export interface CodeCache {
  /** True when the physical page (address / 4096) holds decoded code. */
  hasCode(physicalPage: number): boolean;
  /** Bytes of physical memory changed: drops the blocks that they touch. */
  written(physical: number, length: number): void;
  /** Drops all decoded code before the next instruction. */
  flush(): void;
  /** Makes the running stretch end after the instruction that is executing. */
  stopAfterInstruction(): void;
  /** Flags, segments or mode were set from outside, by a plugin's callback perhaps. */
  stateSet(): void;
  /** EIP was. */
  jumped(): void;
  /** Instructions retired since power-on, exact also inside an instruction. */
  instructions(): number;
}

/** Events that the core reports to the plugins' side; each is a no-op until someone listens. */
export interface CoreEvents {
  discontinuity:
    | ((
      type: "interrupt" | "exception" | "software" | "iret",
      vector: number,
      errorCode: number,
      from: number,
      to: number,
      address: number,
    ) => void)
    | undefined;
  port: ((port: number, size: 1 | 2 | 4, value: number, write: boolean) => void) | undefined;
  controlRegister: ((register: 0 | 3 | 4, value: number) => void) | undefined;
}

/** CPUID 1 EDX: 4 MiB pages with 36-bit addresses. */
const CPUID_PSE36 = 1 << 17;

export class Core {
  readonly wasmMemory: WebAssembly.Memory;
  /** Views of all linear memory, by offsets of layout.ts. */
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly ramBytes: number;
  /** Which processor this is. */
  readonly model: Model;
  readonly bus: Bus;
  /** The one fault object of this machine. */
  readonly fault: Fault = new Fault();
  /** Set by whoever puts the machine together (cpu.ts). */
  memory!: MemoryUnit;
  events!: EventUnit;
  code!: CodeCache;
  readonly report: CoreEvents = {
    discontinuity: undefined,
    port: undefined,
    controlRegister: undefined,
  };
  /** Set by each entry into a handler: INT n with TF set is not followed by a single-step trap. */
  enteredHandler = false;
  /** Hears of the data accesses of assists while the instruction is traced. */
  accessed: ((linear: number, size: number, value: number, write: boolean) => void) | undefined =
    undefined;
  /** Physical addresses of 36 bits in 4 MiB pages (PSE-36). */
  extendedAddresses: boolean;
  /** Breakpoints of the debug registers, and #DB traps that wait for the end of an instruction. */
  readonly debug: Breakpoints = new Breakpoints(this);
  /** IRET or a task switch has loaded RF: it holds for the next instruction, not for that one. */
  resumeFlagLoaded = false;
  /** Set by the engine: delivery in Wasm (events/fast.ts), which may decline. */
  enterGate: ((...parameters: [number, number, number, number, number]) => number) | undefined =
    undefined;
  /** Set by a triple fault. */
  shutdown = false;
  /** CS of the last code that was not flat: what was found under the present epoch was found with it. */
  #codeBase = 0;
  #codeLimit = -1;

  /** `ramBytes`: RAM from physical 0 on, a multiple of 4096, up to 3 GiB. `romBytes`: room for ROMs. */
  constructor(options: { ramBytes: number; romBytes?: number; bus: Bus; model?: CpuModel }) {
    const { ramBytes, romBytes = 0, bus } = options;
    this.model = findModel(options.model ?? DEFAULT_MODEL);
    if (ramBytes % 4096 !== 0 || ramBytes <= 0 || ramBytes > 0xc0000000) {
      throw new RangeError(
        `Cannot make ${ramBytes} bytes of RAM: not a multiple of 4096 up to 3 GiB`,
      );
    }
    const pages = L.memoryPages(ramBytes + romBytes);
    this.wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.wasmMemory.buffer as ArrayBuffer;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.view = new DataView(buffer);
    this.ramBytes = ramBytes;
    this.bus = bus;
    this.extendedAddresses = (this.model.cpuidFeatures & CPUID_PSE36) !== 0;
    this.i32[L.EFLAGS_EXISTING >> 2] = this.model.eflags;
    this.i32[(L.NO_BLOCK + L.BLOCK.TLB_WORD) >> 2] = L.TLB_NEVER;
  }

  // ---- registers --------------------------------------------------------------------------------

  /** General register by its encoding 0..7 (EAX ECX EDX EBX ESP EBP ESI EDI), signed. */
  gpr(index: number): number {
    return this.i32[(L.GPR >> 2) + index] as number;
  }
  setGpr(index: number, value: number): void {
    this.i32[(L.GPR >> 2) + index] = value;
  }
  /** EIP, unsigned. */
  get eip(): number {
    return this.u32[L.EIP >> 2] as number;
  }
  set eip(value: number) {
    this.i32[L.EIP >> 2] = value;
  }
  /** All of EFLAGS, the lazy flags included. Setting VM or anything else does not update the mode. */
  get eflags(): number {
    return readFlags(this.i32);
  }
  set eflags(value: number) {
    writeFlags(this.i32, value);
  }
  get cpl(): number {
    return this.i32[L.CPL >> 2] as number;
  }
  /** Call `updateMode` when done. */
  set cpl(value: number) {
    this.i32[L.CPL >> 2] = value;
  }
  get cr0(): number {
    return this.i32[L.CR0 >> 2] as number;
  }
  get cr4(): number {
    return this.i32[L.CR4 >> 2] as number;
  }
  /** From the delivery of an NMI to the next IRET, further ones wait (SDM vol. 3A §6.7.1). */
  get nmiBlocked(): boolean {
    return ((this.i32[L.UNUSUAL >> 2] as number) & L.UNUSUAL_FOR.NMI) !== 0;
  }
  set nmiBlocked(value: boolean) {
    this.setUnusual(L.UNUSUAL_FOR.NMI, value);
  }
  /** For a reason (`UNUSUAL_FOR`) events and returns have to be done in TypeScript, or not any more. */
  setUnusual(reason: number, on: boolean): void {
    const others = (this.i32[L.UNUSUAL >> 2] as number) & ~reason;
    this.i32[L.UNUSUAL >> 2] = on ? others | reason : others;
  }
  /** CR0.PE and not virtual-8086. */
  get protectedMode(): boolean {
    return (this.cr0 & 1) !== 0 && !this.vm86;
  }
  get vm86(): boolean {
    return ((this.i32[L.EFLAGS >> 2] as number) & 0x20000) !== 0;
  }

  // ---- segments ---------------------------------------------------------------------------------

  selector(segment: number): number {
    return this.i32[L.segmentOffset(segment) >> 2] as number;
  }
  segmentBase(segment: number): number {
    return this.i32[(L.segmentOffset(segment) + L.SEGMENT.BASE) >> 2] as number;
  }
  /** Limit in bytes, unsigned. */
  segmentLimit(segment: number): number {
    return this.u32[(L.segmentOffset(segment) + L.SEGMENT.LIMIT) >> 2] as number;
  }
  segmentAttributes(segment: number): number {
    return this.i32[(L.segmentOffset(segment) + L.SEGMENT.ATTRIBUTES) >> 2] as number;
  }
  /**
   * Loads a segment cache with values already checked. `limit` in bytes (granularity applied).
   * Attributes 0 make the segment unusable (null selector). Follow with `updateMode`.
   */
  setSegment(
    segment: number,
    selector: number,
    base: number,
    limit: number,
    attributes: number,
  ): void {
    const at = L.segmentOffset(segment) >> 2;
    const { i32 } = this;
    i32[at] = selector & 0xffff;
    i32[at + 1] = base;
    i32[at + 2] = limit;
    i32[at + 3] = attributes;
    let low = 0;
    let high = limit;
    let access = 0;
    if (attributes & ATTRIBUTE.PRESENT && attributes & ATTRIBUTE.SEGMENT) {
      if (attributes & ATTRIBUTE.CODE) {
        access = attributes & ATTRIBUTE.READ_WRITE ? 1 : 0;
      } else {
        access = attributes & ATTRIBUTE.READ_WRITE ? 3 : 1;
        if (attributes & ATTRIBUTE.CONFORMING_EXPAND_DOWN) {
          low = limit + 1;
          high = attributes & ATTRIBUTE.BIG ? -1 : 0xffff;
          // Limit 0xffffffff leaves no valid offset.
          if ((limit | 0) === -1) access = 0;
        }
      }
    }
    i32[at + 4] = low;
    i32[at + 5] = high;
    i32[at + 6] = access;
    i32[at + 7] = low === 0 && (high | 0) === -1 && access === 3 ? 1 : 0;
  }
  /** The linear address of segment:offset after the checks of a data access; throws #GP or #SS. */
  linear(segment: number, offset: number, size: number, write: boolean): number {
    const at = L.segmentOffset(segment) >> 2;
    const first = offset >>> 0;
    const last = first + size - 1;
    if (
      ((this.i32[at + 6] as number) & (write ? 2 : 1)) === 0 ||
      first < (this.u32[at + 4] as number) || last > (this.u32[at + 5] as number)
    ) {
      this.raise(segment === L.SS ? 12 : 13, 0);
    }
    return ((this.i32[at + 1] as number) + offset) | 0;
  }
  /** Checked data access through a segment at the current CPL, for assists. Values unsigned. */
  read(segment: number, offset: number, size: 1 | 2 | 4): number {
    return this.readLinear(this.linear(segment, offset, size, false), size);
  }
  write(segment: number, offset: number, size: 1 | 2 | 4, value: number): void {
    this.writeLinear(this.linear(segment, offset, size, true), size, value);
  }
  /** The same behind the segment's checks: an access that the instruction makes, of which who listens hears. */
  readLinear(linear: number, size: 1 | 2 | 4): number {
    const value = this.memory.slowRead(linear, size) >>> 0;
    this.accessed?.(linear, size, value, false);
    return value;
  }
  writeLinear(linear: number, size: 1 | 2 | 4, value: number): void {
    this.memory.slowWrite(linear, size, value);
    this.accessed?.(linear, size, value, true);
  }

  // ---- mode -------------------------------------------------------------------------------------

  /**
   * Recomputes everything that depends on CPL, segments, CR0 and EFLAGS.VM: the mode bits that are part of
   * a block's key, and which TLB the handlers use. Call it after any change of those.
   */
  updateMode(): void {
    const { i32 } = this;
    const { MODE } = L;
    const attributes = this.segmentAttributes(L.CS);
    let mode = 0;
    if (attributes & ATTRIBUTE.BIG) mode |= MODE.CODE32;
    if (this.segmentAttributes(L.SS) & ATTRIBUTE.BIG) mode |= MODE.STACK32;
    const user = this.cpl === 3;
    if (user) mode |= MODE.USER;
    if (this.#flat(L.DS, 3) && this.#flat(L.ES, 3) && this.#flat(L.SS, 3)) mode |= MODE.FLAT_DATA;
    if (this.segmentBase(L.CS) === 0 && this.segmentLimit(L.CS) === 0xffffffff) {
      mode |= MODE.FLAT_CODE;
    }
    if (this.vm86) mode |= MODE.VM86;
    if (this.cr0 & 1) mode |= MODE.PROTECTED;
    i32[L.MODE_WORD >> 2] = ((i32[L.MODE_WORD >> 2] as number) & ~L.MODE_MASK) | mode;
    this.updateTlbPointers();
    if ((mode & MODE.FLAT_CODE) !== 0) return;
    // Outside flat code EIP alone does not tell where a block is.
    const base = this.segmentBase(L.CS);
    const limit = this.segmentLimit(L.CS);
    if (base === this.#codeBase && limit === this.#codeLimit) return;
    this.#codeBase = base;
    this.#codeLimit = limit;
    this.codeMappingChanged();
  }
  /** Points the handlers at the TLB tables of the current privilege level. */
  updateTlbPointers(): void {
    const user = this.cpl === 3;
    if (this.accessed !== undefined) {
      // Somebody hears of all accesses until the instruction has ended.
      this.missAlways();
      return;
    }
    // Alignment checking (CR0.AM, EFLAGS.AC): every user access takes the slow path, which checks.
    if (user && (this.cr0 & 0x40000) !== 0 && (this.i32[L.EFLAGS >> 2] as number) & 0x40000) {
      this.missAlways();
      return;
    }
    const { i32 } = this;
    const space = i32[L.TLB_SPACE >> 2] as number;
    i32[L.TLB_READ >> 2] = space + (user ? L.TLB_READ_USER : L.TLB_READ_SUPERVISOR);
    i32[L.TLB_WRITE >> 2] = space + (user ? L.TLB_WRITE_USER : L.TLB_WRITE_SUPERVISOR);
  }
  /** Points the handlers at a table without entries: every access takes the slow path. */
  missAlways(): void {
    const { i32 } = this;
    i32[L.TLB_READ >> 2] = L.TLB_TRACE;
    i32[L.TLB_WRITE >> 2] = L.TLB_TRACE;
  }
  #flat(segment: number, access: number): boolean {
    const at = L.segmentOffset(segment) >> 2;
    return this.i32[at + 1] === 0 && this.i32[at + 4] === 0 && this.i32[at + 5] === -1 &&
      this.i32[at + 6] === access;
  }
  /** Physical address of a linear one at the present privilege level, or −1; changes nothing. */
  physical(linear: number): number {
    const { i32 } = this;
    const at = (i32[L.TLB_READ >> 2] as number) + ((linear >>> 10) & 0x3ffffc);
    const word = i32[at >> 2] as number;
    if (word !== 0) {
      const physical = ((linear + word - L.TLB_DIRECT) >>> 0) - L.RAM_BASE;
      if (physical >= 0 && physical < this.ramBytes) return physical;
    }
    return this.memory.probe(linear);
  }
  /** An EIP may be another place from now on: base or limit of code that is not flat changed. */
  codeMappingChanged(): void {
    const word = (this.i32[L.MODE_WORD >> 2] as number) + L.EPOCH;
    this.i32[L.MODE_WORD >> 2] = word;
    // After 2^24 epochs old keys could match again. Epoch 0 stays unused: a mode word is never 0.
    if ((word & ~L.MODE_MASK) === 0) {
      this.i32[L.MODE_WORD >> 2] = word + L.EPOCH;
      this.code.flush();
    }
  }

  // ---- faults -----------------------------------------------------------------------------------

  /** Throws an exception; −1: no error code. */
  raise(vector: number, errorCode = -1): never {
    throw this.fault.set(vector, errorCode);
  }
  /** Throws #PF. The run loop loads CR2. */
  raisePageFault(linear: number, errorCode: number): never {
    throw this.fault.set(14, errorCode, linear);
  }

  // ---- code cache, for MemoryUnit ---------------------------------------------------------------

  /** True when the physical page (address / 4096) holds decoded code: stores to it are seen. */
  hasCode(physicalPage: number): boolean {
    return this.code.hasCode(physicalPage);
  }
  /** After a write to a page with code, by CPU or device. */
  codeWritten(physical: number, length: number): void {
    this.code.written(physical, length);
  }

  // ---- interrupts -------------------------------------------------------------------------------

  /** INTR or another event waits: the run loop looks at the next boundary. */
  get eventPending(): boolean {
    return this.i32[L.EVENT_PENDING >> 2] !== 0;
  }
  /** MOV SS, POP SS: no interrupt and no single-step trap before the next instruction has ended. */
  setInterruptShadow(): void {
    this.i32[L.INTERRUPT_SHADOW >> 2] = 2;
  }
  get instructions(): number {
    return this.code.instructions();
  }

  // ---- what is set from outside -----------------------------------------------------------------

  /** Flags, segments or mode were set by the machine or a plugin: looks at them before the next instruction. */
  stateSet(): void {
    this.code.stateSet();
  }
  /** EIP was. */
  jumped(): void {
    this.code.jumped();
  }
}
