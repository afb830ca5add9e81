/**
 * The bus master of one IDE channel: command, status and descriptor table registers, and the walk over
 * the table that scatters data in memory.
 *
 * Registers: offsets 0 command, 2 status, 4–7 table address.
 *
 * Sources: Programming Interface for Bus Master IDE Controller 1.0 (1994); 82371SB PIIX3 §2.7.
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

const NAME = "bus master IDE";
const COMMAND_START = 0x01;
const COMMAND_TO_MEMORY = 0x08;
const STATUS_ACTIVE = 0x01;
const STATUS_ERROR = 0x02;
const STATUS_INTERRUPT = 0x04;
/** Drive 0 and 1 can do DMA: software's notes. */
const STATUS_NOTES = 0x60;
const ENTRY_BYTES = 8;
const END_OF_TABLE = 0x8000_0000;
const TABLE_BYTES = 0x10000;

/** Physical memory as a bus master reaches it. */
export interface DmaMemory {
  /** Bytes of it. */
  readonly size: number;
  /** Bytes from a physical address on. */
  read(physical: number, length: number): Uint8Array;
  /** Stores bytes. */
  write(physical: number, bytes: Uint8Array): void;
}

function powerOn() {
  return {
    command: 0,
    status: 0,
    table: 0,
    /** Where the walk is: the entry, what is left of it, whether it is the last. */
    entry: 0,
    address: 0,
    left: 0,
    last: false,
  };
}

/** One channel's bus master. */
export class BusMaster implements Device, Registers {
  readonly #memory: DmaMemory;
  readonly #started: () => void;
  readonly #enabled: () => boolean;
  #f = powerOn();

  /**
   * A bus master that is stopped.
   *
   * @param options.started called when the guest starts it.
   * @param options.enabled whether the PCI command register lets it master the bus; default always.
   */
  constructor(options: { memory: DmaMemory; started: () => void; enabled?: () => boolean }) {
    this.#memory = options.memory;
    this.#enabled = options.enabled ?? (() => true);
    this.#started = options.started;
  }

  /** Whether it is started. */
  get running(): boolean {
    return (this.#f.command & COMMAND_START) !== 0 && (this.#f.status & STATUS_ACTIVE) !== 0;
  }

  reset(): void {
    this.#f = powerOn();
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
  }

  /** The disk's interrupt came through: the bit stays until software clears it. */
  interrupted(): void {
    this.#f.status |= STATUS_INTERRUPT;
  }

  read(offset: number, size: Width): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | this.#readByte((offset + i) & 7);
    return value >>> 0;
  }

  #readByte(offset: number): number {
    const f = this.#f;
    if (offset === 0) return f.command;
    if (offset === 2) return f.status;
    return offset >= 4 ? (f.table >>> (8 * (offset - 4))) & 0xff : 0;
  }

  write(offset: number, size: Width, value: number): void {
    for (let i = 0; i < size; i++) this.#writeByte((offset + i) & 7, (value >>> (8 * i)) & 0xff);
  }

  #writeByte(offset: number, byte: number): void {
    const f = this.#f;
    if (offset === 0) this.#writeCommand(byte);
    else if (offset === 2) {
      const cleared = byte & (STATUS_ERROR | STATUS_INTERRUPT);
      f.status = (f.status & ~(cleared | STATUS_NOTES)) | (byte & STATUS_NOTES);
    } else if (offset >= 4) {
      const shift = 8 * (offset - 4);
      f.table = ((f.table & ~(0xff << shift)) | (byte << shift)) & ~3;
    }
  }

  #writeCommand(byte: number): void {
    const f = this.#f;
    const starts = (byte & ~f.command & COMMAND_START) !== 0;
    f.command = byte & (COMMAND_START | COMMAND_TO_MEMORY);
    if ((byte & COMMAND_START) === 0) f.status &= ~STATUS_ACTIVE;
    if (!starts) return;
    f.status |= STATUS_ACTIVE;
    f.entry = f.table >>> 0;
    f.left = 0;
    f.last = false;
    this.#started();
  }

  /** Loads the next entry of the table; false when there is none or it cannot be read. */
  #nextEntry(): boolean {
    const f = this.#f;
    // A table does not cross 64 KiB; one without an end stops there.
    const beyond = f.entry - (f.table >>> 0) >= TABLE_BYTES;
    if (f.last || beyond || f.entry + ENTRY_BYTES > this.#memory.size) {
      if (!f.last) this.#abort();
      return false;
    }
    const bytes = this.#memory.read(f.entry, ENTRY_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_BYTES);
    const word = view.getUint32(4, true);
    f.address = view.getUint32(0, true) & ~1;
    f.address >>>= 0;
    f.left = (word & 0xfffe) || TABLE_BYTES;
    f.last = (word & END_OF_TABLE) !== 0;
    f.entry += ENTRY_BYTES;
    return true;
  }

  /** A master abort: nothing answers at the address. */
  #abort(): void {
    this.#f.status = (this.#f.status | STATUS_ERROR) & ~STATUS_ACTIVE;
  }

  /**
   * Moves bytes between the disk's buffer and memory. Returns how many: fewer when the table ends, the
   * direction is not the programmed one, memory does not answer, or it may not master the bus.
   */
  move(bytes: Uint8Array, toMemory: boolean): number {
    const f = this.#f;
    if (!this.running || !this.#enabled()) return 0;
    if (((f.command & COMMAND_TO_MEMORY) !== 0) !== toMemory) {
      this.#abort();
      return 0;
    }
    let done = 0;
    while (done < bytes.length) {
      if (f.left === 0 && !this.#nextEntry()) {
        f.status &= ~STATUS_ACTIVE;
        return done;
      }
      const count = Math.min(f.left, bytes.length - done);
      if (f.address + count > this.#memory.size) {
        this.#abort();
        return done;
      }
      if (toMemory) this.#memory.write(f.address, bytes.subarray(done, done + count));
      else bytes.set(this.#memory.read(f.address, count), done);
      f.address += count;
      f.left -= count;
      done += count;
    }
    return done;
  }

  /** The disk's transfer is over: ACTIVE falls if the table is used up too. */
  finish(): void {
    const f = this.#f;
    if (f.left === 0 && f.last) f.status &= ~STATUS_ACTIVE;
  }
}
