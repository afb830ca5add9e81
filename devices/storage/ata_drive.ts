/**
 * What a channel's cable asks of a drive, disk or packet device, and a drive of its cable.
 *
 * @module
 */
import type { Device } from "../bus/device.ts";
import type { TaskFile } from "./ata_registers.ts";

/** A drive's cable. */
export interface AtaHost {
  /** Drives INTRQ of this drive. */
  interrupt(high: boolean): void;
  /** DMARQ: the drive is ready to move data; the channel calls {@link AtaDrive.startDma} when the bus master runs. */
  dmaReady(): void;
  /**
   * Moves bytes between the drive and memory by the bus master's list: to memory when `toMemory` is true.
   * Returns how many it took; fewer when the list is shorter.
   */
  dmaMove(bytes: Uint8Array, toMemory: boolean): number;
  /** The drive is through with its DMA command. */
  dmaDone(): void;
}

/** A drive on a cable. */
export interface AtaDrive extends Device {
  /** Its task file; the channel reads and writes the registers. */
  readonly task: TaskFile;
  /** Software reset (SRST). */
  softReset(): void;
  /** EXECUTE DEVICE DIAGNOSTIC, which the channel gives to both drives. */
  diagnose(): void;
  /** The command register. */
  execute(command: number): void;
  /** The bus master runs. */
  startDma(): void;
  /** The data register. */
  readData(size: 1 | 2 | 4): number;
  /** The data register. */
  writeData(size: 1 | 2 | 4, value: number): void;
  /** Reads and writes of the data register as `Registers.readBlock` has them. */
  readBlock(size: 1 | 2 | 4, count: number, into: Uint8Array, at: number): number;
  /** The same for writes. */
  writeBlock(size: 1 | 2 | 4, count: number, from: Uint8Array, at: number): number;
}

/** How many of `count` accesses of `size` bytes lie before the one with which `bytes` of a block are at an end. */
export function beforeLast(bytes: number, size: 1 | 2 | 4, count: number): number {
  return Math.max(0, Math.min(count, Math.ceil(bytes / size) - 1));
}
