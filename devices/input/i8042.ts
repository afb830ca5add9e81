/**
 * 8042 keyboard controller of an AT or PS/2: commands, translation to scan code set 1, the auxiliary
 * port, gate A20 and the reset line.
 *
 * Registers: offset 0 data (port 60h), offset 4 status and command (port 64h). The controller's own
 * answers are there at once; a byte of a device takes the time of its serial line.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device controller".
 *
 * @module
 */
import type { Clock, Timer } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { Wire } from "../bus/wire.ts";
import type { Ps2Device } from "./ps2_port.ts";
import { translate } from "./scan_codes.ts";

const NAME = "8042";
/** A byte on the serial line: 11 bits at 16.7 kHz, the fastest that PS/2 allows. */
const BYTE_NS = 660_000;

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX = 0x20;
const STATUS_TIMEOUT = 0x40;
const CONFIG_KEYBOARD_IRQ = 0x01;
const CONFIG_AUX_IRQ = 0x02;
const CONFIG_SYSTEM = 0x04;
const CONFIG_KEYBOARD_OFF = 0x10;
const CONFIG_AUX_OFF = 0x20;
const CONFIG_TRANSLATE = 0x40;
const OUTPUT_NO_RESET = 0x01;
const OUTPUT_A20 = 0x02;
/** Input port: keyboard not locked, color display jumper as a PC with VGA has it. */
const INPUT_PORT = 0x80;
const FROM_AUX = 0x100;
const TIMED_OUT = 0x200;
const MAX_PENDING = 16;

function powerOn() {
  const ram = new Array<number>(32).fill(0);
  return {
    /** The controller's RAM; byte 0 is the configuration. */
    ram,
    status: STATUS_UNLOCKED,
    output: 0,
    outputPort: OUTPUT_NO_RESET | OUTPUT_A20 | 0xcc,
    /** Command that waits for its data byte; 0 none. */
    command: 0,
    /** Answers of the controller and bytes on their way: value and flags. */
    pending: [] as number[],
    /** F0h of set 2 was swallowed by the translation. */
    released: false,
    /** When the line has carried the next byte, or null. */
    lineNs: null as number | null,
  };
}

/** An 8042. */
export class I8042 implements Device, Registers {
  readonly #clock: Clock;
  readonly #keyboard: Ps2Device;
  readonly #mouse: Ps2Device | undefined;
  readonly #keyboardIrq: Wire;
  readonly #auxIrq: Wire;
  readonly #a20: Wire;
  readonly #resetLine: () => void;
  readonly #line: Timer;
  #f = powerOn();

  /**
   * @param options.mouse the device on the auxiliary port, if there is one.
   * @param options.a20 the gate A20 output.
   * @param options.resetLine called when the guest pulls the CPU's reset.
   */
  constructor(options: {
    clock: Clock;
    keyboard: Ps2Device;
    mouse?: Ps2Device;
    keyboardIrq: Wire;
    auxIrq: Wire;
    a20: Wire;
    resetLine: () => void;
  }) {
    this.#clock = options.clock;
    this.#keyboard = options.keyboard;
    this.#mouse = options.mouse;
    this.#keyboardIrq = options.keyboardIrq;
    this.#auxIrq = options.auxIrq;
    this.#a20 = options.a20;
    this.#resetLine = options.resetLine;
    this.#line = options.clock.timer(() => this.#lineDone());
    this.#keyboard.onReady(() => this.#startLine());
    this.#mouse?.onReady(() => this.#startLine());
  }

  reset(): void {
    this.#f = powerOn();
    this.#settle();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    const fields = restoreFields(NAME, 1, powerOn(), saved);
    if (fields.ram.length !== 32) {
      throw new TypeError(`Cannot restore "${NAME}": not 32 bytes of RAM`);
    }
    this.#f = fields;
    this.#settle();
  }

  read(offset: number, _size: Width = 1): number {
    const f = this.#f;
    if (offset === 4) return f.status;
    if (offset !== 0) return 0xff;
    const byte = f.output;
    f.status &= ~(STATUS_OUTPUT_FULL | STATUS_AUX | STATUS_TIMEOUT);
    // The interrupt line falls even when the next byte waits: each one is an edge.
    this.#update();
    this.#deliver();
    this.#startLine();
    this.#update();
    return byte;
  }

  write(offset: number, _size: Width, value: number): void {
    const byte = value & 0xff;
    const f = this.#f;
    if (offset === 4) {
      f.status |= STATUS_COMMAND;
      f.command = 0;
      this.#command(byte);
    } else if (offset === 0) {
      f.status &= ~STATUS_COMMAND;
      const command = f.command;
      f.command = 0;
      this.#data(command, byte);
    }
    this.#deliver();
    this.#startLine();
    this.#update();
  }

  #command(byte: number): void {
    const f = this.#f;
    if (byte >= 0x20 && byte < 0x40) this.#queue(f.ram[byte & 0x1f]);
    else if (byte >= 0x60 && byte < 0x80) f.command = byte;
    else if (byte >= 0xf0) this.#pulse(byte & 15);
    else this.#namedCommand(byte);
  }

  #namedCommand(byte: number): void {
    const f = this.#f;
    switch (byte) {
      case 0xa4: // password installed? no
        this.#queue(0xf1);
        return;
      case 0xa7:
        f.ram[0] |= CONFIG_AUX_OFF;
        return;
      case 0xa8:
        f.ram[0] &= ~CONFIG_AUX_OFF;
        return;
      case 0xa9: // auxiliary interface: its lines are good, whether or not a device hangs there
      case 0xab: // keyboard interface
        this.#queue(0x00);
        return;
      case 0xaa: // self test
        f.status |= STATUS_SYSTEM;
        this.#queue(0x55);
        return;
      case 0xad:
        f.ram[0] |= CONFIG_KEYBOARD_OFF;
        return;
      case 0xae:
        f.ram[0] &= ~CONFIG_KEYBOARD_OFF;
        return;
      case 0xc0:
        this.#queue(INPUT_PORT);
        return;
      case 0xd0:
        this.#queue(this.#outputPort());
        return;
      case 0xd1: // write output port
      case 0xd2: // as if from the keyboard
      case 0xd3: // as if from the auxiliary device
      case 0xd4: // to the auxiliary device
        f.command = byte;
        return;
      case 0xdd: // HP Vectra and followers: A20 off, on
      case 0xdf:
        f.outputPort = byte === 0xdf ? f.outputPort | OUTPUT_A20 : f.outputPort & ~OUTPUT_A20;
        return;
      case 0xe0: // test inputs: clock and data lines idle high
        this.#queue(0x03);
        return;
      default: // others do nothing
    }
  }

  /** Pulses the low output lines whose bit is 0 for 6 µs; line 0 resets the CPU. */
  #pulse(bits: number): void {
    if ((bits & OUTPUT_NO_RESET) === 0) this.#resetLine();
  }

  #data(command: number, byte: number): void {
    const f = this.#f;
    if (command >= 0x60 && command < 0x80) {
      f.ram[command & 0x1f] = byte;
      if (command === 0x60) {
        f.status = (byte & CONFIG_SYSTEM) !== 0
          ? f.status | STATUS_SYSTEM
          : f.status & ~STATUS_SYSTEM;
      }
      return;
    }
    switch (command) {
      case 0xd1:
        f.outputPort = byte;
        if ((byte & OUTPUT_NO_RESET) === 0) this.#resetLine();
        return;
      case 0xd2:
        this.#queue(byte);
        return;
      case 0xd3:
        this.#queue(byte | FROM_AUX);
        return;
      case 0xd4:
        f.ram[0] &= ~CONFIG_AUX_OFF;
        // With nobody there the controller gives up and says so.
        if (this.#mouse === undefined) this.#queue(0xfe | FROM_AUX | TIMED_OUT);
        else this.#mouse.receive(byte);
        return;
      default:
        f.ram[0] &= ~CONFIG_KEYBOARD_OFF; // sending turns the clock on again
        this.#keyboard.receive(byte);
    }
  }

  /** Queues a byte with its flags; a guest that never reads loses the oldest. */
  #queue(entry: number): void {
    const pending = this.#f.pending;
    pending.push(entry);
    if (pending.length > MAX_PENDING) pending.shift();
  }

  #outputPort(): number {
    const f = this.#f;
    const full = (f.status & STATUS_OUTPUT_FULL) !== 0;
    const aux = (f.status & STATUS_AUX) !== 0;
    return (f.outputPort & ~0x30) | (full && !aux ? 0x10 : 0) | (full && aux ? 0x20 : 0);
  }

  /** Puts the next pending byte into the output buffer when that is free. */
  #deliver(): void {
    const f = this.#f;
    if ((f.status & STATUS_OUTPUT_FULL) !== 0) return;
    const next = f.pending.shift();
    if (next === undefined) return;
    f.output = next & 0xff;
    f.status |= STATUS_OUTPUT_FULL;
    if ((next & FROM_AUX) !== 0) f.status |= STATUS_AUX;
    if ((next & TIMED_OUT) !== 0) f.status |= STATUS_TIMEOUT;
  }

  #sender(): Ps2Device | undefined {
    const config = this.#f.ram[0];
    if ((config & CONFIG_KEYBOARD_OFF) === 0 && this.#keyboard.ready) return this.#keyboard;
    if ((config & CONFIG_AUX_OFF) === 0 && this.#mouse?.ready === true) return this.#mouse;
    return undefined;
  }

  /** Lets a device send when the controller can take a byte. */
  #startLine(): void {
    const f = this.#f;
    const busy = (f.status & STATUS_OUTPUT_FULL) !== 0 || f.pending.length > 0;
    if (busy || f.lineNs !== null || this.#sender() === undefined) return;
    f.lineNs = this.#clock.now() + BYTE_NS;
    this.#line.arm(f.lineNs);
  }

  #lineDone(): void {
    const f = this.#f;
    f.lineNs = null;
    const sender = this.#sender();
    if ((f.status & STATUS_OUTPUT_FULL) === 0 && f.pending.length === 0 && sender !== undefined) {
      const byte = sender.take() ?? 0;
      if (sender === this.#mouse) f.pending.push(byte | FROM_AUX);
      else if ((f.ram[0] & CONFIG_TRANSLATE) === 0) f.pending.push(byte);
      else if (byte === 0xf0) f.released = true;
      else {
        f.pending.push(translate(byte) | (f.released ? 0x80 : 0));
        f.released = false;
      }
      this.#deliver();
    }
    this.#startLine();
    this.#update();
  }

  #settle(): void {
    if (this.#f.lineNs === null) this.#line.cancel();
    else this.#line.arm(this.#f.lineNs);
    this.#update();
  }

  #update(): void {
    const f = this.#f;
    const full = (f.status & STATUS_OUTPUT_FULL) !== 0;
    const aux = (f.status & STATUS_AUX) !== 0;
    this.#keyboardIrq.set(full && !aux && (f.ram[0] & CONFIG_KEYBOARD_IRQ) !== 0);
    this.#auxIrq.set(full && aux && (f.ram[0] & CONFIG_AUX_IRQ) !== 0);
    this.#a20.set((f.outputPort & OUTPUT_A20) !== 0);
  }
}
