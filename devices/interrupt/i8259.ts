/**
 * 8259A programmable interrupt controller: ICW and OCW, fully nested and rotating priorities, special
 * mask, special fully nested, automatic EOI, poll, and the edge/level register that PCI chip sets add.
 *
 * Registers: offset 0 is A0 = 0 (ICW1, OCW2, OCW3; IRR, ISR, poll), offset 1 is A0 = 1 (ICW2–4, OCW1).
 * A request that is gone at the acknowledge cycle gives level 7 without an in-service bit (8259A data
 * sheet, "Edge and level triggered modes"). The MCS-80/85 mode (ICW4 µPM = 0) gives the same vectors.
 *
 * Sources: Intel 8259A data sheet (231468-003); 82371SB (PIIX3) §2.5.14 for ELCR.
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
import type { Wire } from "../bus/wire.ts";

const NAME = "8259A";

const ICW1 = 0x10;
const ICW1_LTIM = 0x08;
const ICW1_SNGL = 0x02;
const ICW1_IC4 = 0x01;
const ICW4_SFNM = 0x10;
const ICW4_AEOI = 0x02;
const OCW3 = 0x08;
const OCW3_ESMM = 0x40;
const OCW3_SMM = 0x20;
const OCW3_POLL = 0x04;
const OCW3_RR = 0x02;
const OCW3_RIS = 0x01;

function powerOn() {
  return {
    /** Interrupt request register. */
    irr: 0,
    /** In-service register. */
    isr: 0,
    /** Mask register (OCW1). */
    imr: 0,
    /** Levels of the inputs. */
    lines: 0,
    /** Inputs that are level-triggered by ELCR. */
    elcr: 0,
    /** Next initialization word: 0 none, else 2, 3, 4. */
    icw: 0,
    icw1: 0,
    icw4: 0,
    /** Upper five bits of the vectors. */
    vectorBase: 0,
    /** Level with the highest priority. */
    highest: 0,
    readIsr: false,
    poll: false,
    specialMask: false,
    rotateOnAutoEoi: false,
  };
}

/** One 8259A. */
export class I8259 implements Device, Registers {
  readonly #int: Wire;
  readonly #elcrMask: number;
  readonly #cascadeInput: number | undefined;
  #f = powerOn();

  /**
   * A chip that waits for its initialization.
   *
   * @param options.int the INT output.
   * @param options.elcrMask inputs that ELCR can make level-triggered; default none.
   * @param options.cascadeInput the input at which a slave hangs, for the special fully nested mode.
   */
  constructor(options: { int: Wire; elcrMask?: number; cascadeInput?: number }) {
    this.#int = options.int;
    this.#elcrMask = options.elcrMask ?? 0;
    this.#cascadeInput = options.cascadeInput;
  }

  reset(): void {
    const { lines } = this.#f; // the inputs are others' outputs
    this.#f = { ...powerOn(), lines };
    this.#update();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#update();
  }

  /** Drives input `level` (0–7). */
  setInput(level: number, high: boolean): void {
    const f = this.#f;
    const bit = 1 << level;
    if (high) {
      if (this.#levelTriggered(bit) || (f.lines & bit) === 0) f.irr |= bit;
      f.lines |= bit;
    } else {
      f.lines &= ~bit;
      f.irr &= ~bit; // a request must stay until it is acknowledged
    }
    this.#update();
  }

  /** The edge/level control register: a set bit makes the input level-triggered. */
  get elcr(): number {
    return this.#f.elcr;
  }

  set elcr(value: number) {
    const f = this.#f;
    f.elcr = value & this.#elcrMask;
    f.irr |= f.lines & f.elcr;
    this.#update();
  }

  /** Whether a slave's vector is wanted (ICW1 SNGL = 0). */
  get cascaded(): boolean {
    return (this.#f.icw1 & ICW1_SNGL) === 0;
  }

  /** The two INTA cycles: puts the request in service; the level, 7 for a spurious one. */
  acknowledge(): number {
    const level = this.#pending();
    if (level >= 0) this.#service(level);
    this.#update();
    return level < 0 ? 7 : level;
  }

  /** The vector of a level. */
  vector(level: number): number {
    return this.#f.vectorBase | level;
  }

  read(offset: number, _size: Width = 1): number {
    const f = this.#f;
    if (f.poll) {
      f.poll = false;
      const level = this.#pending();
      if (level >= 0) this.#service(level);
      this.#update();
      return level < 0 ? 0 : 0x80 | level;
    }
    if ((offset & 1) !== 0) return f.imr;
    return f.readIsr ? f.isr : f.irr;
  }

  write(offset: number, _size: Width, value: number): void {
    if ((offset & 1) !== 0) this.#writeHigh(value & 0xff);
    else if ((value & ICW1) !== 0) this.#writeIcw1(value & 0xff);
    else if ((value & OCW3) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#update();
  }

  #writeIcw1(value: number): void {
    const f = this.#f;
    f.icw1 = value;
    f.icw = 2;
    f.imr = 0;
    f.isr = 0;
    f.highest = 0;
    f.specialMask = false;
    f.readIsr = false;
    f.poll = false;
    f.rotateOnAutoEoi = false;
    // Without ICW4 all that it selects is off; with it, it follows.
    f.icw4 = 0;
    // The edge sense circuit is reset: only levels still request.
    f.irr = (value & ICW1_LTIM) !== 0 ? f.lines : f.lines & f.elcr;
  }

  #writeHigh(value: number): void {
    const f = this.#f;
    switch (f.icw) {
      case 2:
        f.vectorBase = value & 0xf8;
        f.icw = (f.icw1 & ICW1_SNGL) === 0 ? 3 : (f.icw1 & ICW1_IC4) !== 0 ? 4 : 0;
        return;
      case 3: // which inputs have slaves, or a slave's number: the board's wiring says so here
        f.icw = (f.icw1 & ICW1_IC4) !== 0 ? 4 : 0;
        return;
      case 4:
        f.icw4 = value;
        f.icw = 0;
        return;
      default:
        f.imr = value;
    }
  }

  #writeOcw2(value: number): void {
    const f = this.#f;
    const named = value & 7;
    switch (value >> 5) {
      case 0: // rotate in automatic EOI mode: clear
        f.rotateOnAutoEoi = false;
        return;
      case 4: // … set
        f.rotateOnAutoEoi = true;
        return;
      case 1: // non-specific EOI
      case 5: { // … and rotate
        // Special mask mode: a masked level is not the one that ends.
        const candidates = f.specialMask ? f.isr & ~f.imr : f.isr;
        const level = this.#highestOf(candidates);
        if (level < 0) return;
        f.isr &= ~(1 << level);
        if (value >> 5 === 5) f.highest = (level + 1) & 7;
        return;
      }
      case 3: // specific EOI
        f.isr &= ~(1 << named);
        return;
      case 7: // … and rotate
        f.isr &= ~(1 << named);
        f.highest = (named + 1) & 7;
        return;
      case 6: // set priority: the named level gets the lowest
        f.highest = (named + 1) & 7;
        return;
      default: // 2: no operation
    }
  }

  #writeOcw3(value: number): void {
    const f = this.#f;
    if ((value & OCW3_POLL) !== 0) f.poll = true;
    else if ((value & OCW3_RR) !== 0) f.readIsr = (value & OCW3_RIS) !== 0;
    if ((value & OCW3_ESMM) !== 0) f.specialMask = (value & OCW3_SMM) !== 0;
  }

  #levelTriggered(bit: number): boolean {
    return (this.#f.icw1 & ICW1_LTIM) !== 0 || (this.#f.elcr & bit) !== 0;
  }

  /** The level in `bits` with the highest priority; -1 when there is none. */
  #highestOf(bits: number): number {
    if (bits === 0) return -1;
    const { highest } = this.#f;
    // Turned so that the level with the highest priority is bit 0.
    const turned = ((bits >> highest) | (bits << (8 - highest))) & 0xff;
    return (31 - Math.clz32(turned & -turned) + highest) & 7;
  }

  #rank(level: number): number {
    return level < 0 ? 8 : (level - this.#f.highest) & 7;
  }

  /** The level that would be acknowledged now; -1 for none. */
  #pending(): number {
    const f = this.#f;
    const requested = this.#highestOf(f.irr & ~f.imr);
    if (requested < 0) return -1;
    let inService = f.isr;
    if (f.specialMask) inService &= ~f.imr;
    // Special fully nested: a slave in service does not keep its other levels out.
    if ((f.icw4 & ICW4_SFNM) !== 0 && this.#cascadeInput !== undefined) {
      if (requested === this.#cascadeInput) inService &= ~(1 << this.#cascadeInput);
    }
    return this.#rank(requested) < this.#rank(this.#highestOf(inService)) ? requested : -1;
  }

  #service(level: number): void {
    const f = this.#f;
    const bit = 1 << level;
    if (!this.#levelTriggered(bit)) f.irr &= ~bit;
    if ((f.icw4 & ICW4_AEOI) === 0) f.isr |= bit;
    else if (f.rotateOnAutoEoi) f.highest = (level + 1) & 7;
  }

  #update(): void {
    this.#int.set(this.#f.icw === 0 && this.#pending() >= 0);
  }
}
