/**
 * What the machine needs from outside: sectors of disks, bytes of terminals, the host's time.
 *
 * @module
 */

/** Bytes per sector of every disk. */
export const SECTOR_BYTES = 512;

/** A disk's sectors. Callers keep to the range; an implementation throws beyond it and on host errors. */
export interface BlockBackend {
  /** Number of sectors of {@link SECTOR_BYTES}. */
  readonly sectors: number;
  /** Whether `write` always throws. */
  readonly readOnly: boolean;
  /** Reads whole sectors from `sector` on; `into` is as many sectors long. */
  read(sector: number, into: Uint8Array): void;
  /** Writes whole sectors from `sector` on. */
  write(sector: number, from: Uint8Array): void;
  /** Returns when everything written is safe. */
  flush(): void;
}

/** Takes bytes; the array belongs to the receiver. */
export type ByteSink = (bytes: Uint8Array) => void;

/** A source of bytes: calls back with what arrives until it is disposed. */
export interface ByteSource {
  /** Calls `receiver` with bytes as they come. */
  onBytes(receiver: ByteSink): Disposable;
}

/** The host's time, for a machine that runs in it. */
export interface HostTime {
  /** Milliseconds on a clock that never goes back, with fractions. */
  nowMs(): number;
  /** Resolves after `ms` milliseconds, not before other events of the host had their turn. */
  pause(ms: number): Promise<void>;
}

/** A disk in memory. */
export class MemoryBackend implements BlockBackend {
  readonly #bytes: Uint8Array;
  readonly sectors: number;
  readonly readOnly: boolean;

  /**
   * A disk over `bytes`, which it changes.
   *
   * @throws {RangeError} when `bytes` is not whole sectors.
   */
  constructor(bytes: Uint8Array, options: { readOnly?: boolean } = {}) {
    if (bytes.length % SECTOR_BYTES !== 0) {
      throw new RangeError(
        `Cannot use ${bytes.length} bytes as a disk: it is not whole sectors of ${SECTOR_BYTES}`,
      );
    }
    this.#bytes = bytes;
    this.sectors = bytes.length / SECTOR_BYTES;
    this.readOnly = options.readOnly ?? false;
  }

  read(sector: number, into: Uint8Array): void {
    const at = this.#check(sector, into);
    into.set(this.#bytes.subarray(at, at + into.length));
  }

  write(sector: number, from: Uint8Array): void {
    if (this.readOnly) throw new TypeError("Cannot write: the disk is read-only");
    this.#bytes.set(from, this.#check(sector, from));
  }

  flush(): void {}

  #check(sector: number, buffer: Uint8Array): number {
    checkSectors(this, sector, buffer);
    return sector * SECTOR_BYTES;
  }
}

/**
 * Whether an access lies on the disk.
 *
 * @throws {RangeError} when it does not, or is not whole sectors.
 */
export function checkSectors(backend: BlockBackend, sector: number, buffer: Uint8Array): void {
  const count = buffer.length / SECTOR_BYTES;
  if (!Number.isInteger(count) || !Number.isInteger(sector) || sector < 0) {
    throw new RangeError(
      `Cannot access ${buffer.length} bytes at sector ${sector}: not whole sectors`,
    );
  }
  if (sector + count > backend.sectors) {
    throw new RangeError(
      `Cannot access sectors ${sector}-${sector + count - 1}: the disk has ${backend.sectors}`,
    );
  }
}
