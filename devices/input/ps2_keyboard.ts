/**
 * A 101-key PS/2 keyboard: commands, scan code sets 1 and 2, typematic repeat, LEDs.
 *
 * Keys come from the host side by {@link Ps2Keyboard.key} and wait while the keyboard's buffer of 16
 * bytes is full, so text that is typed by a program arrives whole.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101/102-key)".
 *
 * @module
 */
import type { Clock, Timer } from "../bus/clock.ts";
import { restoreFields, type Saved, saveFields } from "../bus/device.ts";
import type { Ps2Device } from "./ps2_port.ts";
import { isKey, type Key, type KeyEvent, keysFor, scanCodes } from "./scan_codes.ts";

const NAME = "PS/2 keyboard";
/** Bytes that the keyboard holds. */
const BUFFER = 16;
/** Keys that wait on the host's side. */
const MAX_WAITING = 65_536;
const ACK = 0xfa;
const RESEND = 0xfe;
const BAT_PASSED = 0xaa;
const OVERRUN = 0x00;
/** The self test takes half a second and more on a real keyboard; nobody gains by waiting for it. */
const SELF_TEST_NS = 10_000_000;
const DEFAULT_TYPEMATIC = 0x2b;
const MS = 1_000_000;

function powerOn() {
  return {
    queue: [] as number[],
    last: 0,
    /** Command that waits for its parameter; 0 none. */
    command: 0,
    scanning: true,
    set: 2,
    leds: 0,
    typematic: DEFAULT_TYPEMATIC,
    repeating: "",
    selfTestNs: null as number | null,
    repeatNs: null as number | null,
  };
}

/** A PS/2 keyboard. */
export class Ps2Keyboard implements Ps2Device {
  readonly #clock: Clock;
  readonly #selfTest: Timer;
  readonly #repeat: Timer;
  #waiting: KeyEvent[] = [];
  #ready: (() => void) | undefined;
  #f = powerOn();

  /** A keyboard that scans, in scan code set 2. */
  constructor(options: { clock: Clock }) {
    this.#clock = options.clock;
    this.#selfTest = options.clock.timer(() => {
      this.#f.selfTestNs = null;
      this.#send(BAT_PASSED);
    });
    this.#repeat = options.clock.timer(() => this.#repeated());
  }

  /** The LEDs: bit 0 scroll lock, 1 num lock, 2 caps lock. */
  get leds(): number {
    return this.#f.leds;
  }

  /**
   * Presses or releases a key, by its UI Events `code` ("KeyA", "Enter", "ArrowUp").
   *
   * @throws {RangeError} when the keyboard has no such key.
   */
  key(key: Key, pressed: boolean): void {
    if (!isKey(key)) throw new RangeError(`Cannot press "${key}": the keyboard has no such key`);
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ key, pressed });
    this.#pump();
  }

  /** Types text on a US layout; control characters with the control key. */
  type(text: string): void {
    for (const event of keysFor(text)) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(event);
    }
    this.#pump();
  }

  get ready(): boolean {
    return this.#f.queue.length > 0;
  }

  take(): number | undefined {
    const byte = this.#f.queue.shift();
    if (byte !== undefined) this.#f.last = byte;
    this.#pump();
    return byte;
  }

  onReady(callback: () => void): void {
    this.#ready = callback;
  }

  reset(): void {
    this.#f = powerOn();
    this.#waiting = [];
    this.#arm();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    this.#arm();
    if (this.ready) this.#ready?.();
  }

  receive(byte: number): void {
    const f = this.#f;
    const command = f.command;
    f.command = 0;
    if (command !== 0 && byte < 0x80) this.#parameter(command, byte);
    else if (command === 0xf0) this.#parameter(command, byte);
    else this.#command(byte);
  }

  #parameter(command: number, byte: number): void {
    const f = this.#f;
    switch (command) {
      case 0xed:
        f.leds = byte & 7;
        this.#send(ACK);
        return;
      case 0xf3:
        f.typematic = byte & 0x7f;
        this.#send(ACK);
        return;
      default: // 0xf0: scan code set
        if (byte === 0) this.#send(ACK, f.set);
        else if (byte === 1 || byte === 2) {
          f.set = byte;
          this.#send(ACK);
        } else this.#send(RESEND); // set 3 is not spoken
    }
  }

  #command(byte: number): void {
    const f = this.#f;
    switch (byte) {
      case 0xed: // set LEDs
      case 0xf0: // scan code set
      case 0xf3: // typematic rate and delay
        f.command = byte;
        f.queue = [];
        this.#send(ACK);
        return;
      case 0xee: // echo
        this.#send(0xee);
        return;
      case 0xf2: // identify
        this.#send(ACK, 0xab, 0x83);
        return;
      case 0xf4: // enable
        f.scanning = true;
        f.queue = [];
        this.#send(ACK);
        return;
      case 0xf5: // defaults, disable
      case 0xf6: // defaults
        this.#defaults();
        f.scanning = byte === 0xf6;
        this.#send(ACK);
        return;
      case 0xf7: // key types, which only set 3 uses
      case 0xf8:
      case 0xf9:
      case 0xfa:
        this.#send(ACK);
        return;
      case 0xfe: // resend
        this.#send(f.last);
        return;
      case 0xff: // reset
        this.#defaults();
        f.set = 2;
        f.leds = 0;
        f.scanning = true;
        this.#send(ACK);
        f.selfTestNs = this.#clock.now() + SELF_TEST_NS;
        this.#arm();
        return;
      default:
        this.#send(RESEND);
    }
  }

  #defaults(): void {
    const f = this.#f;
    f.queue = [];
    f.typematic = DEFAULT_TYPEMATIC;
    f.repeating = "";
    f.repeatNs = null;
    f.selfTestNs = null;
    this.#arm();
  }

  /** Answers are never lost to keys: they have room of their own. */
  #send(...bytes: number[]): void {
    this.#f.queue.push(...bytes);
    if (this.#f.queue.length > 2 * BUFFER) this.#f.queue.length = 2 * BUFFER;
    this.#ready?.();
  }

  /** Lets waiting keys into the buffer while all their bytes fit. */
  #pump(): void {
    const f = this.#f;
    while (this.#waiting.length > 0 && f.scanning && f.selfTestNs === null && f.command === 0) {
      const { key, pressed } = this.#waiting[0];
      const codes = scanCodes(key, pressed, f.set === 1 ? 1 : 2);
      if (f.queue.length + codes.length > BUFFER) return;
      this.#waiting.shift();
      f.queue.push(...codes);
      this.#setRepeat(key, pressed);
      if (codes.length > 0) this.#ready?.();
    }
  }

  /** Only the key pressed last repeats. */
  #setRepeat(key: Key, pressed: boolean): void {
    const f = this.#f;
    if (pressed && key !== "Pause") {
      f.repeating = key;
      f.repeatNs = this.#clock.now() + (((f.typematic >> 5) & 3) + 1) * 250 * MS;
    } else if (f.repeating === key) {
      f.repeating = "";
      f.repeatNs = null;
    }
    this.#arm();
  }

  #repeated(): void {
    const f = this.#f;
    const codes = scanCodes(f.repeating, true, f.set === 1 ? 1 : 2);
    if (f.scanning && f.queue.length + codes.length <= BUFFER) {
      f.queue.push(...codes);
      this.#ready?.();
    } else if (f.scanning && f.queue.length === BUFFER - 1) f.queue.push(OVERRUN);
    // Period = (8 + A) × 2^B × 4.17 ms.
    const period = (8 + (f.typematic & 7)) * (1 << ((f.typematic >> 3) & 3)) * 4.17 * MS;
    f.repeatNs = (f.repeatNs ?? this.#clock.now()) + Math.round(period);
    this.#arm();
  }

  #arm(): void {
    const { selfTestNs, repeatNs } = this.#f;
    if (selfTestNs === null) this.#selfTest.cancel();
    else this.#selfTest.arm(selfTestNs);
    if (repeatNs === null) this.#repeat.cancel();
    else this.#repeat.arm(repeatNs);
  }
}
