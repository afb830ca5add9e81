/**
 * 82093AA I/O APIC: 24 pins, a redirection entry each, messages to the local APIC.
 *
 * Registers: IOREGSEL at offset 0, the window IOWIN at 10h; only whole doublewords of the window are
 * written. A level-triggered pin is sent once, then waits with remote IRR until its end of interrupt is
 * broadcast. A message that nobody takes stays pending (delivery status).
 *
 * Sources: Intel 82093AA data sheet (290566-001) §3.
 *
 * @module
 */
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import { type ApicMessage, DELIVERY } from "./apic_message.ts";

const NAME = "82093AA";

/** Number of pins. */
export const IO_APIC_PINS = 24;
/** Bytes of address space. */
export const IO_APIC_BYTES = 0x1000;

const SELECT = 0x00;
const WINDOW = 0x10;
const INDEX = { ID: 0, VERSION: 1, ARBITRATION: 2, REDIRECTION: 0x10 } as const;
const VERSION_VALUE = 0x11 | ((IO_APIC_PINS - 1) << 16);
const ID_MASK = 0x0f000000;

const LOGICAL = 0x800;
const PENDING = 0x1000;
const ACTIVE_LOW = 0x2000;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x10000;
const ENTRY_MASK = 0x1afff;

function powerOn() {
  return {
    select: 0,
    id: 0,
    /** Low words of the redirection table, without the pending bit. */
    low: new Array<number>(IO_APIC_PINS).fill(MASKED),
    /** High words: destinations. */
    high: new Array<number>(IO_APIC_PINS).fill(0),
    /** Electrical levels of the pins. */
    pins: 0,
    /** Edges that were not delivered yet. */
    edges: 0,
  };
}

/** The I/O APIC. */
export class IoApic implements Device, Registers {
  readonly #deliver: (message: ApicMessage) => boolean;
  readonly #external: (high: boolean) => void;
  readonly #idle: number;
  #f: ReturnType<typeof powerOn>;

  /**
   * One after reset.
   *
   * @param options.deliver sends a message; whether someone took it.
   * @param options.external drives the local APIC's external interrupt, for pins of delivery mode ExtINT.
   * @param options.high pins that are pulled up: their wires pull them low. Default none.
   */
  constructor(options: {
    deliver: (message: ApicMessage) => boolean;
    external: (high: boolean) => void;
    high?: number;
  }) {
    this.#deliver = options.deliver;
    this.#external = options.external;
    this.#idle = options.high ?? 0;
    this.#f = { ...powerOn(), pins: this.#idle };
  }

  reset(): void {
    const { pins } = this.#f; // the pins are others' outputs
    this.#f = { ...powerOn(), pins };
    this.#updateExternal();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(NAME, 1, powerOn(), saved);
    if (fields.low.length !== IO_APIC_PINS || fields.high.length !== IO_APIC_PINS) {
      throw new TypeError(`Cannot restore "${NAME}": not ${IO_APIC_PINS} pins`);
    }
    this.#f = fields;
    this.#updateExternal();
  }

  /** Drives pin `pin`, 0–23, to an electrical level. */
  setPin(pin: number, high: boolean): void {
    const f = this.#f;
    const bit = 1 << pin;
    if (((f.pins & bit) !== 0) === high) return;
    f.pins ^= bit;
    const entry = f.low[pin] as number;
    const active = high !== ((entry & ACTIVE_LOW) !== 0);
    // "Edge-sensitive interrupts signaled on a masked pin are ignored" (§3.2.4).
    if (active && (entry & (LEVEL | MASKED)) === 0 && !isExternal(entry)) f.edges |= bit;
    this.#service(pin);
  }

  /** Whether the entry's pin has its active level. */
  #active(pin: number): boolean {
    const high = ((this.#f.pins >> pin) & 1) !== 0;
    return high !== (((this.#f.low[pin] as number) & ACTIVE_LOW) !== 0);
  }

  /** Sends what pin `pin` asks for. */
  #service(pin: number): void {
    const f = this.#f;
    const entry = f.low[pin] as number;
    if (isExternal(entry)) {
      this.#updateExternal();
      return;
    }
    if (!this.#wants(pin)) return;
    const level = (entry & LEVEL) !== 0;
    const mode = (entry >> 8) & 7;
    const taken = this.#deliver({
      destination: (f.high[pin] as number) >>> 24,
      logical: (entry & LOGICAL) !== 0,
      mode,
      vector: entry & 0xff,
      level: level && (mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST),
    });
    if (!taken) return;
    // NMI, SMI and INIT are edges whatever the entry says (§3.2.4, delivery mode).
    if (level) f.low[pin] = entry | REMOTE_IRR;
    else f.edges &= ~(1 << pin);
  }

  #wants(pin: number): boolean {
    const entry = this.#f.low[pin] as number;
    if ((entry & MASKED) !== 0) return false;
    if ((entry & LEVEL) === 0) return ((this.#f.edges >> pin) & 1) !== 0;
    return (entry & REMOTE_IRR) === 0 && this.#active(pin);
  }

  /** A local APIC ended the level-triggered interrupt `vector`. */
  endOfInterrupt(vector: number): void {
    const f = this.#f;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const entry = f.low[pin] as number;
      if ((entry & 0xff) !== vector || (entry & REMOTE_IRR) === 0) continue;
      f.low[pin] = entry & ~REMOTE_IRR;
      this.#service(pin);
    }
  }

  /** Sends again what nobody took. */
  retry(): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) this.#service(pin);
  }

  #updateExternal(): void {
    let high = false;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const entry = this.#f.low[pin] as number;
      if (isExternal(entry) && (entry & MASKED) === 0 && this.#active(pin)) high = true;
    }
    this.#external(high);
  }

  read(offset: number, size: Width): number {
    const register = offset & 0xffc;
    const value = register === SELECT ? this.#f.select : register === WINDOW ? this.#read() : 0;
    if (size === 4) return value >>> 0;
    return (value >>> (8 * (offset & 3))) & (size === 2 ? 0xffff : 0xff);
  }

  #read(): number {
    const f = this.#f;
    switch (f.select) {
      case INDEX.ID:
      case INDEX.ARBITRATION:
        return f.id;
      case INDEX.VERSION:
        return VERSION_VALUE;
      default: {
        const pin = (f.select - INDEX.REDIRECTION) >> 1;
        if (f.select < INDEX.REDIRECTION || pin >= IO_APIC_PINS) return 0;
        if ((f.select & 1) !== 0) return f.high[pin] as number;
        return (f.low[pin] as number) | (this.#wants(pin) ? PENDING : 0);
      }
    }
  }

  write(offset: number, size: Width, value: number): void {
    if (offset === SELECT) this.#f.select = value & 0xff;
    else if (offset === WINDOW && size === 4) this.#write(value);
  }

  #write(value: number): void {
    const f = this.#f;
    if (f.select === INDEX.ID) {
      f.id = value & ID_MASK;
      return;
    }
    const pin = (f.select - INDEX.REDIRECTION) >> 1;
    if (f.select < INDEX.REDIRECTION || pin >= IO_APIC_PINS) return;
    if ((f.select & 1) !== 0) f.high[pin] = (value & 0xff000000) >>> 0;
    else this.#writeEntry(pin, value);
  }

  #writeEntry(pin: number, value: number): void {
    const f = this.#f;
    const was = f.low[pin] as number;
    const entry = value & ENTRY_MASK;
    // An edge has no remote IRR, and a level has no edge that waits.
    f.low[pin] = (entry & LEVEL) !== 0 ? entry | (was & REMOTE_IRR) : entry;
    if ((entry & LEVEL) !== 0 || isExternal(entry)) f.edges &= ~(1 << pin);
    if (isExternal(was) && !isExternal(entry)) this.#updateExternal();
    this.#service(pin);
  }
}

function isExternal(entry: number): boolean {
  return ((entry >> 8) & 7) === DELIVERY.EXTINT;
}
