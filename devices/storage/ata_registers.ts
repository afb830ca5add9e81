/**
 * Names of ATA's bits and commands, and the task file of a drive.
 *
 * Sources: ATA/ATAPI-6 (T13/1410D r3b) §7 "Registers", §8 "Commands".
 *
 * @module
 */

export const STATUS_ERR = 0x01;
export const STATUS_DRQ = 0x08;
export const STATUS_DSC = 0x10;
export const STATUS_DF = 0x20;
export const STATUS_DRDY = 0x40;
export const STATUS_BSY = 0x80;

export const ERROR_ABRT = 0x04;
export const ERROR_IDNF = 0x10;
export const ERROR_UNC = 0x40;
/** Diagnostic code: passed, or not present. */
export const DIAGNOSTIC_PASSED = 0x01;

export const DEVICE_SLAVE = 0x10;
export const DEVICE_LBA = 0x40;
export const CONTROL_NIEN = 0x02;
export const CONTROL_SRST = 0x04;
export const CONTROL_HOB = 0x80;

/** How a command that moves sectors does it. */
export interface TransferCommand {
  readonly write: boolean;
  readonly wide: boolean;
  readonly dma: boolean;
  /** Moves blocks of SET MULTIPLE MODE's size. */
  readonly multiple: boolean;
}

const READ = { write: false, wide: false, dma: false, multiple: false };
const WRITE = { ...READ, write: true };

/** The commands that move sectors. */
export const TRANSFERS: Readonly<Record<number, TransferCommand>> = {
  0x20: READ,
  0x21: READ,
  0x24: { ...READ, wide: true },
  0x25: { ...READ, wide: true, dma: true },
  0x29: { ...READ, wide: true, multiple: true },
  0x30: WRITE,
  0x31: WRITE,
  0x34: { ...WRITE, wide: true },
  0x35: { ...WRITE, wide: true, dma: true },
  0x39: { ...WRITE, wide: true, multiple: true },
  0xc4: { ...READ, multiple: true },
  0xc5: { ...WRITE, multiple: true },
  0xc8: { ...READ, dma: true },
  0xc9: { ...READ, dma: true },
  0xca: { ...WRITE, dma: true },
  0xcb: { ...WRITE, dma: true },
};

/** Commands by their names in the standard. */
export const COMMAND = {
  recalibrate: 0x10,
  readNativeMaxExt: 0x27,
  verify: 0x40,
  verifyOnce: 0x41,
  verifyExt: 0x42,
  seek: 0x70,
  diagnostic: 0x90,
  initializeParameters: 0x91,
  setMultiple: 0xc6,
  standbyImmediate: 0xe0,
  idleImmediate: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  checkPower: 0xe5,
  sleep: 0xe6,
  flush: 0xe7,
  flushExt: 0xea,
  identify: 0xec,
  setFeatures: 0xef,
  readNativeMax: 0xf8,
} as const;

/** Commands of packet devices. */
export const PACKET_COMMAND = {
  deviceReset: 0x08,
  packet: 0xa0,
  identifyPacket: 0xa1,
} as const;

/** The registers of a drive: each of five with the value written before it (48-bit addresses). */
export interface TaskFile {
  feature: number;
  count: number;
  low: number;
  mid: number;
  high: number;
  previousFeature: number;
  previousCount: number;
  previousLow: number;
  previousMid: number;
  previousHigh: number;
  device: number;
  status: number;
  error: number;
}

/** The signature of a disk after a reset (§9.12). */
export function signature(): TaskFile {
  return {
    feature: 0,
    count: 1,
    low: 1,
    mid: 0,
    high: 0,
    previousFeature: 0,
    previousCount: 0,
    previousLow: 0,
    previousMid: 0,
    previousHigh: 0,
    device: 0,
    status: STATUS_DRDY | STATUS_DSC,
    error: DIAGNOSTIC_PASSED,
  };
}

/** Heads and sectors a track, for CHS addresses. */
export interface Geometry {
  readonly heads: number;
  readonly trackSectors: number;
}

/** The sector that a task file names; -1 for a CHS address that cannot be. */
export function sectorOf(t: TaskFile, wide: boolean, geometry: Geometry): number {
  const low24 = t.low + t.mid * 0x100 + t.high * 0x10000;
  if (wide) {
    return low24 + t.previousLow * 2 ** 24 + t.previousMid * 2 ** 32 + t.previousHigh * 2 ** 40;
  }
  if ((t.device & DEVICE_LBA) !== 0) return low24 + (t.device & 15) * 2 ** 24;
  const { heads, trackSectors } = geometry;
  const head = t.device & 15;
  if (t.low === 0 || t.low > trackSectors || head >= heads) return -1;
  return ((t.mid + t.high * 0x100) * heads + head) * trackSectors + t.low - 1;
}

/** Writes a sector's address into the task file, as a command does that ends on it. */
export function setSector(t: TaskFile, sector: number, wide: boolean, geometry: Geometry): void {
  const byte = (value: number, index: number): number =>
    Math.floor(value / 2 ** (8 * index)) & 0xff;
  if (!wide && (t.device & DEVICE_LBA) === 0) {
    const { heads, trackSectors } = geometry;
    const track = Math.floor(sector / trackSectors);
    const cylinder = Math.floor(track / heads);
    t.low = sector % trackSectors + 1;
    t.mid = cylinder & 0xff;
    t.high = (cylinder >> 8) & 0xff;
    t.device = (t.device & 0xf0) | (track % heads);
    return;
  }
  t.low = byte(sector, 0);
  t.mid = byte(sector, 1);
  t.high = byte(sector, 2);
  if (!wide) t.device = (t.device & 0xf0) | (byte(sector, 3) & 15);
  else {
    t.previousLow = byte(sector, 3);
    t.previousMid = byte(sector, 4);
    t.previousHigh = byte(sector, 5);
  }
}

/** Sectors that a task file asks for: 0 stands for the most. */
export function countOf(t: TaskFile, wide: boolean): number {
  return wide ? (t.count | (t.previousCount << 8)) || 0x10000 : t.count || 0x100;
}

/** Whether SET FEATURES knows a transfer mode: PIO default, PIO 0–4, multiword 0–2, Ultra 0 to `ultra`. */
export function isTransferMode(mode: number, ultra: number): boolean {
  return mode <= 1 || (mode >= 8 && mode <= 12) || (mode >= 0x20 && mode <= 0x22) ||
    (mode >= 0x40 && mode <= 0x40 + ultra);
}
