/**
 * ACPI registers of the PIIX4: power off by SLP_EN, the power-management timer, the fixed events'
 * status and enable bits.
 *
 * Registers: offsets 0–3Fh from PMBASE: 0 PM1 status, 2 PM1 enable, 4 PM1 control, 8 PM timer. Others
 * read zero and keep nothing. {@link Piix4Pm.apm}: ports B2h and B3h, by which a system asks system management
 * code for something. QUIRK(smm): there is none; that the ACPI tables' commands for SCI_EN are obeyed is all.
 *
 * Sources: Intel 82371AB §7.2 "Power management I/O space", §7.1.12 "APM"; ACPI 6.4 §4.8.2, §4.8.3. SLP_TYP 0 is
 * soft off (§7.2.1 "PMCNTRL").
 *
 * @module
 */
import { type Clock, nsOfTick, ticksIn, type Timer } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { Wire } from "../bus/wire.ts";

const NAME = "82371AB PM registers";
/** The power-management timer's frequency: three times the 8254's. */
export const PM_TIMER_HZ = 3_579_545;
const TIMER_BITS = 0x1000000;
const STATUS_TIMER = 0x0001;
const STATUS_POWER_BUTTON = 0x0100;
const STATUS_MASK = 0x8f31;
const ENABLE_MASK = 0x0721;
const CONTROL_MASK = 0x1c07;
const CONTROL_SCI = 0x0001;
const SLEEP_ENABLE = 0x2000;
const SOFT_OFF = 0;

function powerOn() {
  return { status: 0, enable: 0, control: 0, overflows: 0, apmControl: 0, apmStatus: 0 };
}

/** The power-management registers. */
export class Piix4Pm implements Device, Registers {
  readonly #clock: Clock;
  readonly #sci: Wire;
  readonly #powerOff: () => void;
  readonly #timer: Timer;
  readonly #commands: { readonly enable: number; readonly disable: number };
  /** APMC (offset 0) and APMS (1). */
  readonly apm: Registers;
  #f = powerOn();

  /**
   * The function in its state after reset.
   *
   * @param options.sci the system control interrupt.
   * @param options.powerOff called when the guest turns the machine off.
   * @param options.commands values of APMC that switch ACPI on and off.
   */
  constructor(options: {
    clock: Clock;
    sci: Wire;
    powerOff: () => void;
    commands: { readonly enable: number; readonly disable: number };
  }) {
    this.#clock = options.clock;
    this.#sci = options.sci;
    this.#powerOff = options.powerOff;
    this.#commands = options.commands;
    this.#timer = options.clock.timer(() => this.#update());
    this.apm = {
      read: (offset) => (offset & 1) === 0 ? this.#f.apmControl : this.#f.apmStatus,
      write: (offset, _size, value) => this.#writeApm(offset & 1, value & 0xff),
    };
  }

  /** The power button is pressed: a fixed event (ACPI 6.4 §4.8.2.2.1). */
  powerButton(): void {
    this.#f.status |= STATUS_POWER_BUTTON;
    this.#update();
  }

  #writeApm(register: number, value: number): void {
    const f = this.#f;
    if (register === 1) {
      f.apmStatus = value;
      return;
    }
    f.apmControl = value;
    if (value === this.#commands.enable) f.control |= CONTROL_SCI;
    else if (value === this.#commands.disable) f.control &= ~CONTROL_SCI;
    this.#update();
  }

  reset(): void {
    this.#f = powerOn();
    this.#f.overflows = this.#overflowsNow();
    this.#update();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#update();
  }

  read(offset: number, size: Width): number {
    const word = this.#read32(offset & ~3);
    const value = word >>> (8 * (offset & 3));
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  #read32(offset: number): number {
    const f = this.#f;
    this.#advance();
    switch (offset) {
      case 0:
        return f.status | (f.enable << 16);
      case 4:
        return f.control;
      case 8:
        return ticksIn(this.#clock.now(), PM_TIMER_HZ) % TIMER_BITS;
      default:
        return 0;
    }
  }

  write(offset: number, size: Width, value: number): void {
    this.#advance();
    for (let i = 0; i < size; i += 2) {
      // Bytes of a register are written through: the other byte stays.
      const at = (offset + i) & ~1;
      const shift = ((offset + i) & 1) * 8;
      const bits = size === 1 ? 0xff << shift : 0xffff;
      this.#write16(at, (value >>> (8 * i)) << shift, bits & 0xffff);
    }
    this.#update();
  }

  #write16(offset: number, value: number, bits: number): void {
    const f = this.#f;
    switch (offset) {
      case 0: // ones clear
        f.status &= ~(value & bits & STATUS_MASK);
        return;
      case 2:
        f.enable = (f.enable & ~bits) | (value & bits & ENABLE_MASK);
        return;
      case 4: {
        const written = (f.control & ~bits) | (value & bits);
        f.control = written & CONTROL_MASK;
        if ((written & SLEEP_ENABLE & bits) !== 0 && ((written >> 10) & 7) === SOFT_OFF) {
          this.#powerOff();
        }
        return;
      }
      default:
    }
  }

  #overflowsNow(): number {
    // The status bit is set whenever the top bit (23) toggles.
    return Math.floor(ticksIn(this.#clock.now(), PM_TIMER_HZ) / (TIMER_BITS / 2));
  }

  #advance(): void {
    const overflows = this.#overflowsNow();
    if (overflows !== this.#f.overflows) this.#f.status |= STATUS_TIMER;
    this.#f.overflows = overflows;
  }

  #update(): void {
    const f = this.#f;
    this.#advance();
    this.#sci.set((f.control & CONTROL_SCI) !== 0 && (f.status & f.enable) !== 0);
    if ((f.enable & STATUS_TIMER) === 0 || (f.status & STATUS_TIMER) !== 0) this.#timer.cancel();
    else this.#timer.arm(nsOfTick((f.overflows + 1) * (TIMER_BITS / 2), PM_TIMER_HZ));
  }
}
