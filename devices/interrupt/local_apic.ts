/**
 * The local APIC of a processor that is alone: interrupt requests by vector and priority, the local
 * vector table, the timer, interprocessor interrupts to itself.
 *
 * Registers: offsets 0–FFFh from the base in IA32_APIC_BASE, one 32-bit register each 16 bytes. Accesses
 * of other sizes are undefined on hardware; here they read the bytes and write nothing. The timer counts
 * a bus clock of 100 MHz, divided.
 *
 * Rules: {@link LocalApic.setBase} is the MSR. Without its enable bit, LINT0 and LINT1 are the pins INTR and
 * NMI (§11.4.3) and the registers are not there. With software disable (SVR bit 8 clear) the vector
 * table is masked and nothing but NMI and INIT is taken (§11.4.7.2).
 *
 * Sources: SDM vol. 3A chapter 11 (10 in editions of before 2022) "Advanced Programmable Interrupt
 * Controller"; the numbers of the sections are those of chapter 11.
 *
 * @module
 */
import type { Clock } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { Wire } from "../bus/wire.ts";
import { type ApicMessage, DELIVERY } from "./apic_message.ts";
import { ApicTimer } from "./apic_timer.ts";
import { add, emptySet, has, highest, remove } from "./vector_set.ts";

const NAME = "local APIC";

/** Bytes of address space. */
export const LOCAL_APIC_BYTES = 0x1000;

/** IA32_APIC_BASE after RESET: at FEE00000h, enabled, the bootstrap processor (§11.4.4). */
export const APIC_BASE_RESET = 0xfee00900;
const BASE_ENABLE = 0x800;
const BASE_MASK = 0xfffff000;

/** Register offsets (Table 11-1). */
const REGISTER = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  REMOTE_READ: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  INITIAL_COUNT: 0x380,
  CURRENT_COUNT: 0x390,
  DIVIDE: 0x3e0,
} as const;

/** Error status register (§11.5.3). */
const ERROR = {
  SEND_ACCEPT: 0x04,
  SEND_ILLEGAL_VECTOR: 0x20,
  RECEIVED_ILLEGAL_VECTOR: 0x40,
  ILLEGAL_REGISTER: 0x80,
} as const;

const SVR_ENABLE = 0x100;
const LVT_MASKED = 0x10000;
const LVT_LEVEL = 0x8000;
const LVT_REMOTE_IRR = 0x4000;
const LVT_ACTIVE_LOW = 0x2000;
const TIMER_PERIODIC = 0x20000;
/** Vectors 0–15 are no interrupts (§11.5.2). */
const FIRST_VECTOR = 16;
const ICR_LOGICAL = 0x800;
const ICR_ASSERT = 0x4000;
const ICR_LEVEL = 0x8000;
const SHORTHAND = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

/** Entries of the local vector table in the order of the version register's count. */
type Entry = "timer" | "lint0" | "lint1" | "error" | "performance" | "thermal";
const ENTRIES: readonly Entry[] = ["timer", "lint0", "lint1", "error", "performance", "thermal"];
const ENTRY_AT: Readonly<Record<number, Entry>> = {
  [REGISTER.LVT_TIMER]: "timer",
  [REGISTER.LVT_THERMAL]: "thermal",
  [REGISTER.LVT_PERFORMANCE]: "performance",
  [REGISTER.LVT_LINT0]: "lint0",
  [REGISTER.LVT_LINT1]: "lint1",
  [REGISTER.LVT_ERROR]: "error",
};
/** Bits that can be written (Figure 11-8). */
const ENTRY_MASK: Readonly<Record<Entry, number>> = {
  timer: 0x300ff,
  lint0: 0x1a7ff,
  lint1: 0x1a7ff,
  error: 0x100ff,
  performance: 0x107ff,
  thermal: 0x107ff,
};

function powerOn() {
  return {
    /** IA32_APIC_BASE. */
    base: APIC_BASE_RESET,
    /** APIC ID register, bits 24–31. */
    id: 0,
    tpr: 0,
    /** Logical destination, bits 24–31. */
    ldr: 0,
    dfr: 0xffffffff,
    svr: 0xff,
    isr: emptySet(),
    tmr: emptySet(),
    irr: emptySet(),
    /** What the register shows. */
    esr: 0,
    /** Errors since the last write of the register. */
    errors: 0,
    icrLow: 0,
    icrHigh: 0,
    timer: LVT_MASKED,
    lint0: LVT_MASKED,
    lint1: LVT_MASKED,
    error: LVT_MASKED,
    performance: LVT_MASKED,
    thermal: LVT_MASKED,
    /** Levels of the pins LINT0 and LINT1. */
    pins: 0,
    /** The I/O APIC passes an external interrupt on. */
    external: false,
  };
}

/** What a local APIC is connected to. */
export interface LocalApicOptions {
  readonly clock: Clock;
  /** The processor's INTR. */
  readonly intr: Wire;
  /** The processor's NMI, one edge. */
  readonly nmi: () => void;
  /** The processor's INIT. */
  readonly init: () => void;
  /** The INTA cycles to the 8259A: the vector of an external interrupt. */
  readonly acknowledgeExternal: () => number;
  /** End of a level-triggered interrupt: the I/O APIC looks at its pins again. */
  readonly endOfInterrupt: (vector: number) => void;
  /** It takes messages again: the I/O APIC sends what was refused. */
  readonly ready: () => void;
  /** Where its registers are now; `undefined` while it is disabled. */
  readonly moved: (base: number | undefined) => void;
  /**
   * Entries in the local vector table: 4 (Pentium), 5 (P6 family, with the performance counters'; default),
   * 6 (Pentium 4, with the thermal sensor's).
   */
  readonly entries?: 4 | 5 | 6;
}

/** A local APIC, ID 0. */
export class LocalApic implements Device, Registers {
  readonly #options: LocalApicOptions;
  readonly #entries: number;
  readonly #timer: ApicTimer;
  #f = powerOn();
  /** The base that the board was told. */
  #place: number | undefined;

  /** One after RESET. */
  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.#entries = options.entries ?? 5;
    this.#timer = new ApicTimer({
      clock: options.clock,
      expired: () => this.#raise(this.#f.timer & 0xff, false),
    });
    this.#move();
  }

  reset(): void {
    this.#clear();
    this.#f.base = APIC_BASE_RESET;
    this.#move();
    this.#update();
  }

  save(): Saved {
    return saveFields(NAME, 1, { ...this.#f, count: this.#timer.save() });
  }

  restore(saved: Saved): void {
    const pattern = { ...powerOn(), count: this.#timer.powerOn() };
    const { count, ...fields } = restoreFields(NAME, 1, pattern, saved);
    this.#f = fields;
    this.#timer.restore(count);
    this.#move();
    this.#update();
  }

  /** All but the pins as after RESET; also what a disable by the MSR does (§11.4.3). */
  #clear(): void {
    const { pins, external, base } = this.#f; // the pins are others' outputs
    this.#f = { ...powerOn(), pins, external, base };
    this.#timer.reset();
  }

  /** IA32_APIC_BASE, low word. */
  get base(): number {
    return this.#f.base;
  }

  /** A write of IA32_APIC_BASE: moves, disables or enables. `value`: the low word. */
  setBase(value: number): void {
    const was = this.#f.base;
    this.#f.base = value >>> 0;
    if ((was & BASE_ENABLE) !== 0 && (value & BASE_ENABLE) === 0) this.#clear();
    this.#move();
    this.#update();
  }

  #move(): void {
    const { base } = this.#f;
    const place = (base & BASE_ENABLE) === 0 ? undefined : (base & BASE_MASK) >>> 0;
    if (place === this.#place) return;
    this.#place = place;
    this.#options.moved(place);
  }

  get #on(): boolean {
    return (this.#f.base & BASE_ENABLE) !== 0;
  }

  get #softwareOn(): boolean {
    return this.#on && (this.#f.svr & SVR_ENABLE) !== 0;
  }

  // ---- pins and messages --------------------------------------------------------------------------

  /** Drives LINT0 (0) or LINT1 (1). */
  setPin(pin: 0 | 1, high: boolean): void {
    const f = this.#f;
    const bit = 1 << pin;
    if (((f.pins & bit) !== 0) === high) return;
    const entry = pin === 0 ? f.lint0 : f.lint1;
    const lowActive = this.#on && (entry & LVT_ACTIVE_LOW) !== 0;
    f.pins = high ? f.pins | bit : f.pins & ~bit;
    if (!this.#on) {
      if (pin === 1 && high) this.#options.nmi();
    } else if (high !== lowActive && (entry & LVT_MASKED) === 0) this.#pinActive(pin);
    this.#update();
  }

  /** The I/O APIC's request for an external interrupt (delivery mode ExtINT), a level. */
  setExternal(high: boolean): void {
    this.#f.external = high;
    this.#update();
  }

  #pinActive(pin: 0 | 1): void {
    const f = this.#f;
    const name = pin === 0 ? "lint0" : "lint1";
    const entry = f[name];
    switch ((entry >> 8) & 7) {
      case DELIVERY.FIXED: {
        const level = (entry & LVT_LEVEL) !== 0;
        if (level && (entry & LVT_REMOTE_IRR) !== 0) return;
        if (level) f[name] |= LVT_REMOTE_IRR;
        this.#accept(entry & 0xff, level);
        return;
      }
      case DELIVERY.NMI:
        this.#options.nmi();
        return;
      case DELIVERY.INIT:
        this.#options.init();
        return;
      default: // ExtINT is a level, which update looks at; there is no SMM for SMI
    }
  }

  /**
   * A message of the I/O APIC or of a processor.
   *
   * @returns whether it was taken; if not, the sender tries again.
   */
  accept(message: ApicMessage): boolean {
    if (!this.#on || !this.#isFor(message.destination, message.logical)) return false;
    switch (message.mode) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST:
        if (!this.#softwareOn) return false;
        this.#accept(message.vector, message.level);
        this.#update();
        return true;
      case DELIVERY.NMI:
        this.#options.nmi();
        return true;
      case DELIVERY.INIT:
        this.#options.init();
        return true;
      default:
        return true;
    }
  }

  /** §11.6.2: whether a destination is this APIC. */
  #isFor(destination: number, logical: boolean): boolean {
    const f = this.#f;
    // The Pentium and P6 have four bits of ID, and F broadcasts; the Pentium 4 has eight.
    const all = this.#entries < 6 ? 0x0f : 0xff;
    if (!logical) {
      return (destination & all) === all || (destination & all) === ((f.id >>> 24) & all);
    }
    const mine = f.ldr >>> 24;
    if ((f.dfr >>> 28) === 0xf) return (destination & mine) !== 0;
    const cluster = destination >> 4;
    return (cluster === 0xf || cluster === mine >> 4) && (destination & mine & 0xf) !== 0;
  }

  /** A local interrupt: only when the entry that asks is not masked. */
  #raise(vector: number, level: boolean): void {
    this.#accept(vector, level);
    this.#update();
  }

  #accept(vector: number, level: boolean): void {
    const f = this.#f;
    if (vector < FIRST_VECTOR) {
      this.#fail(ERROR.RECEIVED_ILLEGAL_VECTOR);
      return;
    }
    add(f.irr, vector);
    if (level) add(f.tmr, vector);
    else remove(f.tmr, vector);
  }

  #fail(error: number): void {
    const f = this.#f;
    f.errors |= error;
    if ((f.error & LVT_MASKED) !== 0) return;
    const vector = f.error & 0xff;
    // An illegal vector in this very entry is one more error, not an endless chain.
    if (vector < FIRST_VECTOR) f.errors |= ERROR.RECEIVED_ILLEGAL_VECTOR;
    else this.#accept(vector, false);
  }

  // ---- the processor ------------------------------------------------------------------------------

  /** The processor's INTA: the vector of the interrupt that INTR stands for, 0–255. */
  acknowledge(): number {
    const f = this.#f;
    const vector = this.#softwareOn ? highest(f.irr) : -1;
    let result: number;
    if (vector >= 0 && vector >> 4 > this.#ppr() >> 4) {
      remove(f.irr, vector);
      add(f.isr, vector);
      result = vector;
    } else if (this.#externalRequest()) {
      result = this.#options.acknowledgeExternal();
    } else result = f.svr & 0xff; // §11.9: the request is gone
    this.#update();
    return result;
  }

  /** §11.8.3.1: the higher of the task's and the class of what is in service. */
  #ppr(): number {
    const inService = highest(this.#f.isr); // -1: nothing, below every class
    const { tpr } = this.#f;
    return tpr >> 4 >= inService >> 4 ? tpr : inService & 0xf0;
  }

  #externalRequest(): boolean {
    const f = this.#f;
    const lint0 = (f.pins & 1) !== 0;
    if (!this.#on) return lint0;
    if (f.external) return true;
    return (f.lint0 & LVT_MASKED) === 0 && ((f.lint0 >> 8) & 7) === DELIVERY.EXTINT &&
      lint0 === ((f.lint0 & LVT_ACTIVE_LOW) === 0);
  }

  #update(): void {
    let request = this.#externalRequest();
    if (!request && this.#softwareOn) {
      const vector = highest(this.#f.irr);
      request = vector >= 0 && vector >> 4 > this.#ppr() >> 4;
    }
    this.#options.intr.set(request);
  }

  // ---- registers ----------------------------------------------------------------------------------

  read(offset: number, size: Width): number {
    const value = (offset & 0xc) === 0 ? this.#read(offset & 0xff0) : 0;
    if (size === 4) return value >>> 0;
    return (value >>> (8 * (offset & 3))) & (size === 2 ? 0xffff : 0xff);
  }

  #read(register: number): number {
    const f = this.#f;
    if (register >= REGISTER.ISR && register < REGISTER.ESR) {
      const sets = [f.isr, f.tmr, f.irr] as const;
      return sets[((register - REGISTER.ISR) >> 7) as 0 | 1 | 2][(register >> 4) & 7] as number;
    }
    const entry = this.#entryAt(register);
    if (entry !== undefined) return f[entry];
    switch (register) {
      case REGISTER.ID:
        return f.id;
      case REGISTER.VERSION:
        return ((this.#entries - 1) << 16) | (this.#entries === 6 ? 0x14 : 0x11);
      case REGISTER.TPR:
        return f.tpr;
      case REGISTER.APR:
        return this.#arbitrationPriority();
      case REGISTER.PPR:
        return this.#ppr();
      case REGISTER.LDR:
        return f.ldr;
      case REGISTER.DFR:
        return f.dfr;
      case REGISTER.SVR:
        return f.svr;
      case REGISTER.ESR:
        return f.esr;
      case REGISTER.ICR_LOW:
        return f.icrLow;
      case REGISTER.ICR_HIGH:
        return f.icrHigh;
      case REGISTER.INITIAL_COUNT:
        return this.#timer.initial;
      case REGISTER.CURRENT_COUNT:
        return this.#timer.current();
      case REGISTER.DIVIDE:
        return this.#timer.divideRegister;
      case REGISTER.EOI: // write-only
      case REGISTER.REMOTE_READ:
        return 0;
      default:
        this.#illegal();
        return 0;
    }
  }

  /** §11.6.2.4: TPR, unless something of the same class or above asks or is in service. */
  #arbitrationPriority(): number {
    const f = this.#f;
    const requested = Math.max(0, highest(f.irr)) & 0xf0;
    const inService = Math.max(0, highest(f.isr)) & 0xf0;
    if (f.tpr >> 4 >= requested >> 4 && f.tpr >> 4 > inService >> 4) return f.tpr;
    return Math.max(f.tpr & 0xf0, requested, inService);
  }

  #illegal(): void {
    this.#fail(ERROR.ILLEGAL_REGISTER);
    this.#update();
  }

  #entryAt(register: number): Entry | undefined {
    const entry = ENTRY_AT[register];
    return entry !== undefined && ENTRIES.indexOf(entry) < this.#entries ? entry : undefined;
  }

  write(offset: number, size: Width, value: number): void {
    if (size !== 4 || (offset & 0xf) !== 0) return;
    const f = this.#f;
    const entry = this.#entryAt(offset);
    if (entry !== undefined) {
      this.#writeEntry(entry, value);
      return;
    }
    switch (offset) {
      case REGISTER.ID:
        f.id = (value & (this.#entries < 6 ? 0x0f000000 : 0xff000000)) >>> 0;
        return;
      case REGISTER.TPR:
        f.tpr = value & 0xff;
        break;
      case REGISTER.EOI:
        this.#endOfInterrupt();
        break;
      case REGISTER.LDR:
        f.ldr = (value & 0xff000000) >>> 0;
        return;
      case REGISTER.DFR:
        f.dfr = (value | 0x0fffffff) >>> 0;
        return;
      case REGISTER.SVR:
        this.#writeSpurious(value);
        break;
      case REGISTER.ESR:
        f.esr = f.errors;
        f.errors = 0;
        return;
      case REGISTER.ICR_LOW:
        f.icrLow = value & 0xccfff;
        this.#send();
        break;
      case REGISTER.ICR_HIGH:
        f.icrHigh = (value & 0xff000000) >>> 0;
        return;
      case REGISTER.INITIAL_COUNT:
        this.#timer.initial = value >>> 0;
        return;
      case REGISTER.DIVIDE:
        this.#timer.divideRegister = value;
        return;
      default:
        this.#writeOther(offset);
    }
    this.#update();
  }

  /** Read-only registers ignore writes; where there is none, it is an error. */
  #writeOther(register: number): void {
    const readOnly = register === REGISTER.VERSION || register === REGISTER.APR ||
      register === REGISTER.PPR || register === REGISTER.REMOTE_READ ||
      register === REGISTER.CURRENT_COUNT ||
      (register >= REGISTER.ISR && register < REGISTER.ESR);
    if (!readOnly) this.#fail(ERROR.ILLEGAL_REGISTER);
  }

  #writeEntry(entry: Entry, value: number): void {
    const f = this.#f;
    const remote = value & LVT_LEVEL ? f[entry] & LVT_REMOTE_IRR : 0;
    f[entry] = (value & ENTRY_MASK[entry]) | remote | (this.#softwareOn ? 0 : LVT_MASKED);
    if (entry === "timer") this.#setTimer();
    else if (entry === "lint0" || entry === "lint1") this.#lookAtPin(entry);
    this.#update();
  }

  /** A level-triggered pin that is active asks as soon as it is let. */
  #lookAtPin(entry: "lint0" | "lint1"): void {
    const value = this.#f[entry];
    if ((value & LVT_LEVEL) === 0 || (value & LVT_MASKED) !== 0) return;
    const pin = entry === "lint0" ? 0 : 1;
    const active = (((this.#f.pins >> pin) & 1) !== 0) === ((value & LVT_ACTIVE_LOW) === 0);
    if (active && ((value >> 8) & 7) === DELIVERY.FIXED) this.#pinActive(pin);
  }

  #setTimer(): void {
    const { timer } = this.#f;
    this.#timer.configure({
      periodic: (timer & TIMER_PERIODIC) !== 0,
      masked: (timer & LVT_MASKED) !== 0,
    });
  }

  #writeSpurious(value: number): void {
    const f = this.#f;
    const was = f.svr;
    // Bits 0–3 of the vector are wired to one before the Pentium 4 (§11.9).
    f.svr = (value & 0x3ff) | (this.#entries < 6 ? 0x0f : 0);
    if ((f.svr & SVR_ENABLE) === 0) {
      for (const entry of ENTRIES) f[entry] |= LVT_MASKED;
      this.#setTimer();
    } else if ((was & SVR_ENABLE) === 0) this.#options.ready();
  }

  /** §11.8.5. */
  #endOfInterrupt(): void {
    const f = this.#f;
    const vector = highest(f.isr);
    if (vector < 0) return;
    remove(f.isr, vector);
    if (!has(f.tmr, vector)) return;
    for (const entry of ["lint0", "lint1"] as const) {
      if ((f[entry] & LVT_REMOTE_IRR) !== 0 && (f[entry] & 0xff) === vector) {
        f[entry] &= ~LVT_REMOTE_IRR;
        this.#lookAtPin(entry);
      }
    }
    this.#options.endOfInterrupt(vector);
  }

  /** §11.6.1. There is nobody else: what is not for this processor is for none. */
  #send(): void {
    const f = this.#f;
    const command = f.icrLow;
    const mode = (command >> 8) & 7;
    const shorthand = (command >> 18) & 3;
    if (shorthand === SHORTHAND.OTHERS) return;
    if (mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST) {
      if ((command & 0xff) < FIRST_VECTOR) {
        this.#fail(ERROR.SEND_ILLEGAL_VECTOR);
        return;
      }
    } else if (shorthand !== SHORTHAND.NONE) return; // Table 11-3: only fixed to oneself
    // The level-deassert INIT of the Pentium synchronizes arbitration IDs; a start-up IPI wakes no one here.
    const deassert = mode === DELIVERY.INIT && (command & (ICR_LEVEL | ICR_ASSERT)) === ICR_LEVEL;
    if (deassert || mode === DELIVERY.STARTUP) return;
    const message: ApicMessage = {
      destination: f.icrHigh >>> 24,
      logical: (command & ICR_LOGICAL) !== 0,
      mode,
      vector: command & 0xff,
      level: false, // §11.6.1: an IPI of mode fixed is edge-triggered whatever bit 15 says
    };
    if (shorthand !== SHORTHAND.NONE) {
      if (this.#softwareOn) this.#accept(message.vector, false);
    } else if (!this.accept(message) && this.#entries < 6) this.#fail(ERROR.SEND_ACCEPT);
  }
}
