/**
 * A PS/2 mouse with a wheel (IntelliMouse protocol): stream, remote and wrap modes.
 *
 * Sources: IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Microsoft IntelliMouse: rates 200,
 * 100, 80 in a row turn the wheel on and the identity to 3.
 *
 * @module
 */
import { restoreFields, type Saved, saveFields } from "../bus/device.ts";
import type { Ps2Device } from "./ps2_port.ts";

const NAME = "PS/2 mouse";
const ACK = 0xfa;
const NACK = 0xfe;
const MAX_QUEUE = 64;

function powerOn() {
  return {
    queue: [] as number[],
    command: 0,
    stream: true,
    reporting: false,
    wrap: false,
    scaling2: false,
    resolution: 2,
    rate: 100,
    rates: [] as number[],
    wheel: false,
    dx: 0,
    dy: 0,
    dz: 0,
    buttons: 0,
    last: 0,
  };
}

/** A PS/2 mouse. */
export class Ps2Mouse implements Ps2Device {
  #ready: (() => void) | undefined;
  #f = powerOn();

  /** Moves it by counts (right, up and wheel towards the user positive); buttons: bit 0 left, 1 right, 2 middle. */
  move(dx: number, dy: number, options: { wheel?: number; buttons?: number } = {}): void {
    const f = this.#f;
    f.dx += Math.trunc(dx);
    f.dy += Math.trunc(dy);
    f.dz += Math.trunc(options.wheel ?? 0);
    if (options.buttons !== undefined) f.buttons = options.buttons & 7;
    if (f.stream && f.reporting && !f.wrap) this.#report();
  }

  get ready(): boolean {
    return this.#f.queue.length > 0;
  }

  take(): number | undefined {
    const byte = this.#f.queue.shift();
    if (byte !== undefined) this.#f.last = byte;
    return byte;
  }

  onReady(callback: () => void): void {
    this.#ready = callback;
  }

  reset(): void {
    this.#f = powerOn();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    if (this.ready) this.#ready?.();
  }

  receive(byte: number): void {
    const f = this.#f;
    if (f.wrap && byte !== 0xff && byte !== 0xec) {
      this.#send(byte);
      return;
    }
    const command = f.command;
    f.command = 0;
    if (command === 0xe8) f.resolution = byte & 3;
    else if (command === 0xf3) this.#setRate(byte);
    else {
      this.#command(byte);
      return;
    }
    this.#send(ACK);
  }

  #setRate(rate: number): void {
    const f = this.#f;
    f.rate = rate;
    f.rates = [...f.rates, rate].slice(-3);
    if (f.rates.join() === "200,100,80") f.wheel = true;
  }

  #command(byte: number): void {
    const f = this.#f;
    f.queue = [];
    switch (byte) {
      case 0xe6: // scaling 1:1
      case 0xe7: // scaling 2:1
        f.scaling2 = byte === 0xe7;
        break;
      case 0xe8: // resolution
      case 0xf3: // sample rate
        f.command = byte;
        break;
      case 0xe9: // status
        this.#send(ACK, this.#status(), f.resolution, f.rate);
        return;
      case 0xea: // stream mode
      case 0xf0: // remote mode
        f.stream = byte === 0xea;
        break;
      case 0xeb: // read data
        this.#send(ACK);
        this.#report();
        return;
      case 0xec: // end wrap
      case 0xee: // wrap
        f.wrap = byte === 0xee;
        break;
      case 0xf2:
        this.#send(ACK, f.wheel ? 3 : 0);
        return;
      case 0xf4:
      case 0xf5:
        f.reporting = byte === 0xf4;
        break;
      case 0xf6:
        this.#f = { ...powerOn(), wheel: f.wheel };
        break;
      case 0xfe:
        this.#send(f.last);
        return;
      case 0xff:
        this.#f = powerOn();
        this.#send(ACK, 0xaa, 0x00);
        return;
      default:
        this.#send(NACK);
        return;
    }
    this.#send(ACK);
  }

  #status(): number {
    const f = this.#f;
    const buttons = ((f.buttons & 1) << 2) | ((f.buttons & 4) >> 1) | ((f.buttons & 2) >> 1);
    return (f.stream ? 0 : 0x40) | (f.reporting ? 0x20 : 0) | (f.scaling2 ? 0x10 : 0) | buttons;
  }

  #report(): void {
    const f = this.#f;
    if (f.queue.length + 4 > MAX_QUEUE) return; // counts go on adding up
    const clamp = (v: number, low: number, high: number): number =>
      Math.max(low, Math.min(high, v));
    const dx = clamp(f.dx, -255, 255);
    const dy = clamp(f.dy, -255, 255);
    const dz = clamp(f.dz, -8, 7);
    const flags = f.buttons | 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    f.dx -= dx;
    f.dy -= dy;
    f.dz -= dz;
    this.#send(flags, dx & 0xff, dy & 0xff, ...(f.wheel ? [dz & 0xff] : []));
  }

  #send(...bytes: number[]): void {
    if (this.#f.queue.length + bytes.length <= MAX_QUEUE) this.#f.queue.push(...bytes);
    this.#ready?.();
  }
}
