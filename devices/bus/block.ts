/**
 * What a disk controller stores its sectors in: a file, an overlay, a buffer.
 *
 * @module
 */

/** Bytes of a sector. */
export const SECTOR_BYTES = 512;

/** Storage of whole 512-byte sectors. */
export interface BlockBackend {
  /** Number of sectors. */
  readonly sectors: number;
  /** Whether writes are refused. */
  readonly readOnly: boolean;
  /**
   * Fills `into` (a multiple of 512 bytes) from `sector` on.
   *
   * @throws {RangeError} outside of the disk
   */
  read(sector: number, into: Uint8Array): void;
  /**
   * Stores `from` (a multiple of 512 bytes) from `sector` on.
   *
   * @throws {RangeError} outside of the disk, or when it is read-only
   */
  write(sector: number, from: Uint8Array): void;
  /** Makes what was written durable. */
  flush(): void;
}

/** Throws unless the transfer lies within the disk and is of whole sectors. */
export function checkTransfer(disk: BlockBackend, sector: number, bytes: number): void {
  const last = sector + bytes / SECTOR_BYTES;
  if (sector < 0 || bytes % SECTOR_BYTES !== 0 || last > disk.sectors) {
    throw new RangeError(`Sectors ${sector} to ${last} leave the disk of ${disk.sectors}`);
  }
}

/** A disk in memory. */
export class MemoryDisk implements BlockBackend {
  /** Writes are taken. */
  readonly readOnly: boolean = false;
  /** The contents, as they stand. */
  readonly bytes: Uint8Array;

  /**
   * A disk over these bytes, which it changes.
   *
   * @param bytes the disk's contents; a part of a sector at the end is not part of the disk
   */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get sectors(): number {
    return Math.floor(this.bytes.length / SECTOR_BYTES);
  }

  read(sector: number, into: Uint8Array): void {
    checkTransfer(this, sector, into.length);
    into.set(this.bytes.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + into.length));
  }

  write(sector: number, from: Uint8Array): void {
    checkTransfer(this, sector, from.length);
    this.bytes.set(from, sector * SECTOR_BYTES);
  }

  flush(): void {}
}

/** Keeps writes in memory and leaves the disk below as it is. */
export class SnapshotDisk implements BlockBackend {
  /** Writes are taken. */
  readonly readOnly: boolean = false;
  readonly #below: BlockBackend;
  readonly #written = new Map<number, Uint8Array>();

  /**
   * An overlay without writes yet.
   *
   * @param below the disk that is read where nothing was written
   */
  constructor(below: BlockBackend) {
    this.#below = below;
  }

  get sectors(): number {
    return this.#below.sectors;
  }

  read(sector: number, into: Uint8Array): void {
    this.#below.read(sector, into);
    for (let at = 0; at < into.length; at += SECTOR_BYTES) {
      const kept = this.#written.get(sector + at / SECTOR_BYTES);
      if (kept !== undefined) into.set(kept, at);
    }
  }

  write(sector: number, from: Uint8Array): void {
    checkTransfer(this, sector, from.length);
    for (let at = 0; at < from.length; at += SECTOR_BYTES) {
      this.#written.set(sector + at / SECTOR_BYTES, from.slice(at, at + SECTOR_BYTES));
    }
  }

  flush(): void {}
}
