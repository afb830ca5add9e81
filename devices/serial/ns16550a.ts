/**
 * 16550A UART: FIFOs, interrupts by priority, loopback, modem lines, and the time that bytes take on
 * the line.
 *
 * Registers: offsets 0–7. The other end of the line is a terminal that is always there (CTS, DSR, DCD
 * asserted) and that waits with its bytes while the receiver is full. INTR leaves the chip through the
 * gate that PCs build of OUT2: without MCR.OUT2 the interrupt line stays low.
 *
 * Sources: National Semiconductor PC16550D data sheet (June 1995), §8 "Registers", §8.11 "FIFO
 * interrupt mode operation".
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
import type { ByteSink } from "../bus/stream.ts";
import type { Wire } from "../bus/wire.ts";

const NAME = "16550A";
const FIFO = 16;
/** The crystal of a PC's UART divided by 16. */
const BAUD_BASE = 115_200;
const NS_PER_SECOND = 1_000_000_000;
/** Bytes that wait at the other end of the line. */
const MAX_WAITING = 1 << 20;

const IER_RDA = 0x01;
const IER_THRE = 0x02;
const IER_RLS = 0x04;
const IER_MSR = 0x08;
const IIR_NONE = 0x01;
const IIR_MSR = 0x00;
const IIR_THRE = 0x02;
const IIR_RDA = 0x04;
const IIR_RLS = 0x06;
const IIR_TIMEOUT = 0x0c;
const FCR_ENABLE = 0x01;
const FCR_CLEAR_RX = 0x02;
const FCR_CLEAR_TX = 0x04;
const LCR_STOP = 0x04;
const LCR_PARITY = 0x08;
const LCR_BREAK = 0x40;
const LCR_DLAB = 0x80;
const MCR_OUT2 = 0x08;
const MCR_LOOP = 0x10;
const LSR_DR = 0x01;
const LSR_OE = 0x02;
const LSR_ERRORS = 0x1e;
const LSR_BI = 0x10;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;
const LSR_FIFO_ERROR = 0x80;
const MSR_TERI = 0x04;
/** CTS, DSR, DCD of the terminal. */
const TERMINAL_LINES = 0xb0;
const TRIGGERS = [1, 4, 8, 14];

function powerOn() {
  return {
    ier: 0,
    /** FIFO control: enable, DMA mode, trigger. */
    fcr: 0,
    lcr: 0,
    mcr: 0,
    msr: TERMINAL_LINES,
    scr: 0,
    divisor: 12,
    /** Received bytes; LSR error bits of each in bits 8–15. */
    receive: [] as number[],
    transmit: [] as number[],
    /** The byte in the transmitter's shift register, and when its stop bit ends. */
    shifting: null as number | null,
    shiftedNs: null as number | null,
    /** Overrun: the one error that is no byte's. */
    overrun: false,
    /** The THRE interrupt stands. */
    threPending: false,
    /** The character timeout stands. */
    timeout: false,
    timeoutNs: null as number | null,
    /** When the byte that the terminal sends has arrived. */
    arrivalNs: null as number | null,
  };
}

/** A 16550A. */
export class Ns16550a implements Device, Registers {
  readonly #clock: Clock;
  readonly #irq: Wire;
  readonly #sink: ByteSink | undefined;
  readonly #slowestBaud: number;
  readonly #shifted: Timer;
  readonly #arrival: Timer;
  readonly #timeoutTimer: Timer;
  /** Bytes of the terminal; not part of the chip. */
  #waiting: number[] = [];
  #waitingAt = 0;
  #f = powerOn();

  /**
   * A UART after reset.
   *
   * @param options.irq INTR, after the OUT2 gate.
   * @param options.sink takes what is sent, a byte at a time when it is written.
   * @param options.slowestBaud bytes take no longer than at this speed, whatever the divisor; default 0.
   */
  constructor(
    options: { clock: Clock; irq: Wire; sink?: ByteSink; slowestBaud?: number },
  ) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#sink = options.sink;
    this.#slowestBaud = options.slowestBaud ?? 0;
    this.#shifted = options.clock.timer(() => this.#byteSent());
    this.#arrival = options.clock.timer(() => this.#byteArrived());
    this.#timeoutTimer = options.clock.timer(() => {
      this.#f.timeoutNs = null;
      this.#f.timeout = true;
      this.#update();
    });
  }

  /** Bytes that the terminal sends; they arrive at the line's speed. */
  receive(bytes: Uint8Array): void {
    if (this.#waiting.length - this.#waitingAt + bytes.length > MAX_WAITING) return;
    for (const byte of bytes) this.#waiting.push(byte);
    this.#startArrival();
  }

  /** The RESET pin. Divisor and scratch register keep their values on silicon; here they get QEMU's. */
  reset(): void {
    this.#f = powerOn();
    this.#settle();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#settle();
  }

  read(offset: number, _size: Width = 1): number {
    const f = this.#f;
    const dlab = (f.lcr & LCR_DLAB) !== 0;
    switch (offset & 7) {
      case 0:
        return dlab ? f.divisor & 0xff : this.#readData();
      case 1:
        return dlab ? f.divisor >> 8 : f.ier;
      case 2:
        return this.#readIir();
      case 3:
        return f.lcr;
      case 4:
        return f.mcr;
      case 5:
        return this.#readLsr();
      case 6: {
        const msr = this.#modem();
        f.msr &= 0xf0;
        this.#update();
        return msr;
      }
      default:
        return f.scr;
    }
  }

  write(offset: number, _size: Width, value: number): void {
    const f = this.#f;
    const byte = value & 0xff;
    const dlab = (f.lcr & LCR_DLAB) !== 0;
    switch (offset & 7) {
      case 0:
        if (dlab) f.divisor = (f.divisor & 0xff00) | byte;
        else this.#writeData(byte);
        break;
      case 1:
        if (dlab) f.divisor = (f.divisor & 0xff) | (byte << 8);
        else this.#writeIer(byte & 15);
        break;
      case 2:
        this.#writeFcr(byte);
        break;
      case 3:
        this.#writeLcr(byte);
        break;
      case 4:
        this.#writeMcr(byte & 0x1f);
        break;
      case 7:
        f.scr = byte;
        break;
      default: // LSR and MSR: not for writing
    }
    this.#update();
  }

  #fifos(): boolean {
    return (this.#f.fcr & FCR_ENABLE) !== 0;
  }

  #capacity(): number {
    return this.#fifos() ? FIFO : 1;
  }

  /** Time of a character on the line: start, 5–8 data, parity, stop bits. */
  #characterNs(): number {
    const { lcr, divisor } = this.#f;
    const data = 5 + (lcr & 3);
    const stop = (lcr & LCR_STOP) === 0 ? 1 : data === 5 ? 1.5 : 2;
    const bits = 1 + data + ((lcr & LCR_PARITY) !== 0 ? 1 : 0) + stop;
    const baud = Math.max(BAUD_BASE / (divisor || 0x10000), this.#slowestBaud);
    return Math.round(bits * NS_PER_SECOND / baud);
  }

  #writeIer(byte: number): void {
    const f = this.#f;
    // Enabling the THRE interrupt while the register is empty raises it.
    const enabled = (byte & ~f.ier & IER_THRE) !== 0;
    if (enabled && f.transmit.length === 0) f.threPending = true;
    f.ier = byte;
  }

  #writeFcr(byte: number): void {
    const f = this.#f;
    const toggled = ((byte ^ f.fcr) & FCR_ENABLE) !== 0;
    if (toggled || (byte & FCR_CLEAR_RX) !== 0) {
      f.receive = [];
      f.timeout = false;
      f.timeoutNs = null;
      this.#timeoutTimer.cancel();
    }
    if (toggled || (byte & FCR_CLEAR_TX) !== 0) {
      if (f.transmit.length > 0) f.threPending = true;
      f.transmit = [];
    }
    // The other bits take only together with the enable bit.
    f.fcr = (byte & FCR_ENABLE) !== 0 ? byte & 0xc9 : 0;
    this.#startArrival();
  }

  #writeLcr(byte: number): void {
    const f = this.#f;
    const began = (byte & ~f.lcr & LCR_BREAK) !== 0;
    f.lcr = byte;
    if (began && (f.mcr & MCR_LOOP) !== 0) this.#accept(0, LSR_BI);
  }

  #writeMcr(byte: number): void {
    const f = this.#f;
    const before = this.#modem() & 0xf0;
    f.mcr = byte;
    const after = this.#modem() & 0xf0;
    const changed = (before ^ after) >> 4;
    // RI reports its trailing edge only.
    const ring = (changed & MSR_TERI) !== 0 && (after & 0x40) !== 0;
    f.msr |= changed & (ring ? ~MSR_TERI : 0xff) & 0x0f;
    this.#startArrival();
  }

  /** MSR: the terminal's lines, in loopback the chip's own outputs. */
  #modem(): number {
    const { mcr, msr } = this.#f;
    if ((mcr & MCR_LOOP) === 0) return TERMINAL_LINES | (msr & 15);
    const lines = ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
    return lines | (msr & 15);
  }

  #writeData(byte: number): void {
    const f = this.#f;
    f.threPending = false;
    // A full register or FIFO: what is written last is lost, or overwrites the holding register.
    const taken = f.transmit.length < this.#capacity();
    if (taken) f.transmit.push(byte);
    else if (!this.#fifos()) f.transmit[0] = byte;
    // The host gets it at once: what stands in the FIFO when the guest turns the machine off is not lost.
    if (taken && (f.mcr & MCR_LOOP) === 0) this.#sink?.(Uint8Array.of(byte));
    this.#shift(this.#clock.now());
  }

  /** Moves the next byte into the shift register when that is empty. */
  #shift(atNs: number): void {
    const f = this.#f;
    if (f.shifting !== null) return;
    const byte = f.transmit.shift();
    if (byte === undefined) return;
    f.shifting = byte;
    f.shiftedNs = atNs + this.#characterNs();
    this.#shifted.arm(f.shiftedNs);
    if (f.transmit.length === 0) f.threPending = true;
  }

  #byteSent(): void {
    const f = this.#f;
    const byte = f.shifting;
    const at = f.shiftedNs ?? this.#clock.now();
    f.shifting = null;
    f.shiftedNs = null;
    if (byte !== null) {
      if ((f.mcr & MCR_LOOP) !== 0) this.#accept(byte, 0);
    }
    this.#shift(at);
    this.#update();
  }

  /** The receiver takes a byte. */
  #accept(byte: number, errors: number): void {
    const f = this.#f;
    const mask = 0xff >> (3 - (f.lcr & 3));
    const entry = (byte & mask) | (errors << 8);
    if (f.receive.length < this.#capacity()) f.receive.push(entry);
    else {
      f.overrun = true;
      if (!this.#fifos()) f.receive[0] = entry; // the FIFO keeps, the register is overwritten
    }
    this.#restartTimeout();
  }

  #restartTimeout(): void {
    const f = this.#f;
    f.timeout = false;
    // Four character times without a byte in or out (§8.11).
    f.timeoutNs = this.#fifos() && f.receive.length > 0
      ? this.#clock.now() + 4 * this.#characterNs()
      : null;
    if (f.timeoutNs === null) this.#timeoutTimer.cancel();
    else this.#timeoutTimer.arm(f.timeoutNs);
  }

  /** The terminal sends its next byte when the receiver has room. */
  #startArrival(): void {
    const f = this.#f;
    const loop = (f.mcr & MCR_LOOP) !== 0; // the input pin is cut off
    if (loop || f.arrivalNs !== null || this.#waitingAt >= this.#waiting.length) return;
    if (f.receive.length >= this.#capacity()) return;
    f.arrivalNs = this.#clock.now() + this.#characterNs();
    this.#arrival.arm(f.arrivalNs);
  }

  #byteArrived(): void {
    const f = this.#f;
    f.arrivalNs = null;
    const loop = (f.mcr & MCR_LOOP) !== 0;
    if (!loop && this.#waitingAt < this.#waiting.length && f.receive.length < this.#capacity()) {
      this.#accept(this.#waiting[this.#waitingAt++], 0);
      if (this.#waitingAt >= this.#waiting.length) {
        this.#waiting = [];
        this.#waitingAt = 0;
      }
    }
    this.#startArrival();
    this.#update();
  }

  #readData(): number {
    const f = this.#f;
    const entry = f.receive.shift() ?? 0;
    this.#restartTimeout();
    this.#startArrival();
    this.#update();
    return entry & 0xff;
  }

  /** LSR without side effects. The error bits are those of the byte at the top of the FIFO. */
  #lsr(): number {
    const f = this.#f;
    const top = f.receive.length > 0 ? f.receive[0] >> 8 : 0;
    const fifoError = this.#fifos() && f.receive.some((entry) => entry >> 8 !== 0);
    return (f.receive.length > 0 ? LSR_DR : 0) | (f.overrun ? LSR_OE : 0) | (top & LSR_ERRORS) |
      (f.transmit.length === 0 ? LSR_THRE : 0) |
      (f.transmit.length === 0 && f.shifting === null ? LSR_TEMT : 0) |
      (fifoError ? LSR_FIFO_ERROR : 0);
  }

  #readLsr(): number {
    const f = this.#f;
    const lsr = this.#lsr();
    f.overrun = false;
    if (f.receive.length > 0) f.receive[0] &= 0xff;
    this.#update();
    return lsr;
  }

  /** The interrupt of the highest priority, as IIR shows it. */
  #cause(): number {
    const f = this.#f;
    if ((f.ier & IER_RLS) !== 0 && (this.#lsr() & LSR_ERRORS) !== 0) return IIR_RLS;
    if ((f.ier & IER_RDA) !== 0) {
      const trigger = this.#fifos() ? TRIGGERS[f.fcr >> 6] : 1;
      if (f.receive.length >= trigger) return IIR_RDA;
      if (f.timeout) return IIR_TIMEOUT;
    }
    if ((f.ier & IER_THRE) !== 0 && f.threPending) return IIR_THRE;
    if ((f.ier & IER_MSR) !== 0 && (f.msr & 15) !== 0) return IIR_MSR;
    return IIR_NONE;
  }

  #readIir(): number {
    const f = this.#f;
    const cause = this.#cause();
    if (cause === IIR_THRE) {
      f.threPending = false;
      this.#update();
    }
    return cause | (this.#fifos() ? 0xc0 : 0);
  }

  #settle(): void {
    const f = this.#f;
    const arm = (timer: Timer, at: number | null): void => {
      if (at === null) timer.cancel();
      else timer.arm(at);
    };
    arm(this.#shifted, f.shiftedNs);
    arm(this.#arrival, f.arrivalNs);
    arm(this.#timeoutTimer, f.timeoutNs);
    this.#startArrival();
    this.#update();
  }

  #update(): void {
    const { mcr } = this.#f;
    // In loopback the output pins, OUT2 among them, are forced inactive.
    const gate = (mcr & MCR_OUT2) !== 0 && (mcr & MCR_LOOP) === 0;
    this.#irq.set(gate && this.#cause() !== IIR_NONE);
  }
}
