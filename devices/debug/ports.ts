/**
 * Three ports for people who debug: text out (E9h, as Bochs has it), the end of the emulation with a
 * status (F4h, as QEMU's isa-debug-exit), and the POST code (80h).
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
import type { ByteSink } from "../bus/stream.ts";

/** Port E9h: what is written comes out; a read gives E9h, which tells that it is there. */
export class DebugPort implements Device, Registers {
  readonly #sink: ByteSink | undefined;

  constructor(options: { sink?: ByteSink }) {
    this.#sink = options.sink;
  }

  reset(): void {}

  save(): Saved {
    return saveFields("debug port", 1, {});
  }

  restore(saved: Saved): void {
    restoreFields("debug port", 1, {}, saved);
  }

  read(_offset: number, _size: Width = 1): number {
    return 0xe9;
  }

  write(_offset: number, _size: Width, value: number): void {
    this.#sink?.(Uint8Array.of(value & 0xff));
  }
}

/** Port F4h: ends the emulation with the status `value << 1 | 1`. */
export class ExitPort implements Device, Registers {
  readonly #exit: (status: number) => void;

  /** @param options.exit called with the status, 1–255. */
  constructor(options: { exit: (status: number) => void }) {
    this.#exit = options.exit;
  }

  reset(): void {}

  save(): Saved {
    return saveFields("exit port", 1, {});
  }

  restore(saved: Saved): void {
    restoreFields("exit port", 1, {}, saved);
  }

  read(_offset: number, _size: Width = 1): number {
    return 0;
  }

  write(_offset: number, _size: Width, value: number): void {
    // What a process can hand to its parent is eight bits (POSIX exit()).
    this.#exit(((value << 1) | 1) & 0xff);
  }
}

/** Port 80h: keeps the last POST code. Systems write it for its delay. */
export class PostPort implements Device, Registers {
  #f = { code: 0 };

  /** The last code. */
  get code(): number {
    return this.#f.code;
  }

  reset(): void {
    this.#f = { code: 0 };
  }

  save(): Saved {
    return saveFields("POST port", 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields("POST port", 1, { code: 0 }, saved);
  }

  read(_offset: number, _size: Width = 1): number {
    return this.#f.code;
  }

  write(_offset: number, _size: Width, value: number): void {
    this.#f.code = value & 0xff;
  }
}
