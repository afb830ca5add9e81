/**
 * What a drive says of itself: the 512 bytes of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE.
 *
 * Sources: ATA/ATAPI-6 (T13/1410D r3b) §8.15, table 27; §8.16, table 31.
 *
 * @module
 */

/** Sectors that READ MULTIPLE may move at once. */
export const MAX_MULTIPLE = 16;
/** Heads and sectors a track of the default translation. */
export const HEADS = 16;
export const TRACK_SECTORS = 63;
const MAX_CYLINDERS = 16_383;
const MAX_LBA28 = 0x0fffffff;

/** What varies from disk to disk, and what SET FEATURES and SET MULTIPLE changed. */
export interface DiskIdentity {
  readonly sectors: number;
  readonly model: string;
  readonly serial: string;
  /** Translation in effect. */
  readonly heads: number;
  readonly trackSectors: number;
  /** Sectors of a block of READ MULTIPLE; 0 when it is off. */
  readonly multiple: number;
  /** Transfer mode as SET FEATURES wrote it: 20h + multiword mode, 40h + Ultra mode. */
  readonly transferMode: number;
  readonly writeCache: boolean;
  /** The drive is device 1 of its cable. */
  readonly slave: boolean;
}

/** Characters in words with the first in the high byte, blanks behind. */
function putText(words: Uint16Array, first: number, count: number, text: string): void {
  for (let i = 0; i < count; i++) {
    const code = (at: number): number => at < text.length ? text.charCodeAt(at) & 0x7f : 0x20;
    words[first + i] = (code(2 * i) << 8) | code(2 * i + 1);
  }
}

function putLong(words: Uint16Array, first: number, value: number): void {
  words[first] = value & 0xffff;
  words[first + 1] = Math.floor(value / 0x10000) & 0xffff;
}

/** The 512 bytes, with their check sum. */
export function identifyDevice(disk: DiskIdentity): Uint8Array {
  const words = new Uint16Array(256);
  const cylinders = Math.min(MAX_CYLINDERS, Math.floor(disk.sectors / (HEADS * TRACK_SECTORS)));
  words[0] = 0x0040; // ATA, not removable
  words[1] = cylinders;
  words[3] = HEADS;
  words[6] = TRACK_SECTORS;
  putText(words, 10, 10, disk.serial);
  putText(words, 23, 4, "1.0");
  putText(words, 27, 20, disk.model);
  words[47] = 0x8000 | MAX_MULTIPLE;
  words[49] = 0x0300; // LBA, DMA
  words[50] = 0x4000;
  words[51] = 0x0200; // PIO mode 2 timing, as old drivers read it
  words[52] = 0x0200;
  words[53] = 0x0007; // words 54–58, 64–70 and 88 hold
  const current = Math.min(
    MAX_CYLINDERS,
    Math.floor(disk.sectors / (disk.heads * disk.trackSectors)),
  );
  words[54] = current;
  words[55] = disk.heads;
  words[56] = disk.trackSectors;
  putLong(words, 57, current * disk.heads * disk.trackSectors);
  words[59] = disk.multiple > 0 ? 0x0100 | disk.multiple : 0;
  putLong(words, 60, Math.min(MAX_LBA28, disk.sectors));
  const mode = disk.transferMode;
  words[63] = 0x07 | ((mode & 0xf8) === 0x20 ? 0x100 << (mode & 7) : 0);
  words[64] = 0x0003; // PIO modes 3 and 4
  for (const word of [65, 66, 67, 68]) words[word] = 120; // cycle times in ns
  words[80] = 0x0070; // ATA/ATAPI-4 to 6
  words[81] = 0x0016;
  words[82] = 0x4020; // NOP, write cache
  words[83] = 0x7400; // FLUSH CACHE (EXT), 48-bit addresses
  words[84] = 0x4000;
  words[85] = 0x4000 | (disk.writeCache ? 0x20 : 0);
  words[86] = 0x3400;
  words[87] = 0x4000;
  words[88] = 0x3f | ((mode & 0xf8) === 0x40 ? 0x100 << (mode & 7) : 0);
  words[93] = 0x4001 | (disk.slave ? 0x0b00 : 0x000a); // hardware reset result
  putLong(words, 100, disk.sectors);
  words[102] = Math.floor(disk.sectors / 0x100000000) & 0xffff;
  return identityBytes(words);
}

/** What a CD-ROM drive says of itself: IDENTIFY PACKET DEVICE (§8.16, table 31). */
export function identifyPacketDevice(
  drive: { readonly transferMode: number; readonly slave: boolean },
): Uint8Array {
  const words = new Uint16Array(256);
  const mode = drive.transferMode;
  words[0] = 0x85c0; // ATAPI, CD-ROM, removable, request within 50 µs, packets of 12 bytes
  putText(words, 10, 10, `OV${drive.slave ? "0004" : "0003"}`);
  putText(words, 23, 4, "1.0");
  putText(words, 27, 20, "OVERTURE CD-ROM");
  words[49] = 0x0300; // LBA, DMA
  words[53] = 0x0006; // words 64–70 and 88 hold
  words[63] = 0x07 | ((mode & 0xf8) === 0x20 ? 0x100 << (mode & 7) : 0);
  words[64] = 0x0003; // PIO modes 3 and 4
  for (const word of [65, 66, 67, 68]) words[word] = 120; // cycle times in ns
  words[80] = 0x0070; // ATA/ATAPI-4 to 6
  words[82] = 0x4210; // NOP, DEVICE RESET, PACKET
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = 0x4210;
  words[87] = 0x4000;
  words[88] = 0x07 | ((mode & 0xf8) === 0x40 ? 0x100 << (mode & 7) : 0);
  words[93] = 0x4001 | (drive.slave ? 0x0b00 : 0x000a);
  return identityBytes(words);
}

/** The bytes of the words, the last with the check sum. */
function identityBytes(words: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setUint16(2 * i, word, true));
  bytes[510] = 0xa5;
  const sum = bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  bytes[511] = (0x100 - sum) & 0xff; // all 512 add up to 0
  return bytes;
}
