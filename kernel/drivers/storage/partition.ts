/**
 * Partition tables: the PC's MBR with extended partitions, and GPT (UEFI specification 2.10 §5).
 * Pure: the caller reads sectors of 512 bytes; nothing read is trusted.
 *
 * @module
 */

/** Bytes of a sector. */
export const SECTOR: u32 = 512;
/** Most partitions taken from one disk, and most extended boot records followed. */
export const MAX_PARTITIONS: u32 = 15;

/* Byte offsets in an MBR entry. */
const ENTRY_FLAG: usize = 0;
const ENTRY_TYPE: usize = 4;
const ENTRY_START: usize = 8;
const ENTRY_COUNT: usize = 12;
const TABLE: usize = 446;

/** One partition found: its number (hda1 is 1; logical ones start at 5), place and type byte. */
/*@unmanaged*/
export class Partition {
  start: u64;
  sectors: u64;
  number: u32;
  /** MBR type byte; 0xEE for one of a GPT. */
  type: u32;
}

/** Reads sector `sector` of `context` into `buffer` (512 bytes); false on error. */
export type SectorReader = (context: usize, sector: u64, buffer: usize) => bool;

/** Bytes of one `Partition` in the array that `scanPartitions` fills. */
export const PARTITION_SIZE: u32 = 24;
/** Bytes of scratch memory for `scanPartitions`. */
export const SCAN_BUFFER: u32 = 2 * SECTOR;

function isExtended(type: u32): bool {
  return type === 0x05 || type === 0x0f || type === 0x85;
}

function add(out: usize, n: u32, number: u32, start: u64, sectors: u64, type: u32): u32 {
  const p = changetype<Partition>(out + n * PARTITION_SIZE);
  p.start = start;
  p.sectors = sectors;
  p.number = number;
  p.type = type;
  return n + 1;
}

function signed(buffer: usize): bool {
  return load<u16>(buffer, 510) === 0xaa55;
}

/** Logical partitions: a chain of tables, each with one partition and a link to the next. */
function scanExtended(
  read: SectorReader,
  context: usize,
  total: u64,
  base: u64,
  size: u64,
  buffer: usize,
  out: usize,
  found: u32,
): u32 {
  let at = base;
  let n = found;
  let number: u32 = 5;
  // A chain may be a circle: it is followed a bounded number of times.
  for (let hops: u32 = 0; hops < 64 && n < MAX_PARTITIONS; hops++) {
    if (!read(context, at, buffer) || !signed(buffer)) break;
    const first = buffer + TABLE;
    const type: u32 = load<u8>(first + ENTRY_TYPE);
    const start = at + <u64> load<u32>(first + ENTRY_START);
    const sectors: u64 = load<u32>(first + ENTRY_COUNT);
    if (type !== 0 && sectors !== 0 && start + sectors <= total) {
      n = add(out, n, number++, start, sectors, type);
    }
    const link = first + 16;
    if (!isExtended(load<u8>(link + ENTRY_TYPE))) break;
    const offset: u64 = load<u32>(link + ENTRY_START);
    if (offset === 0 || offset >= size || base + offset >= total) break;
    at = base + offset;
  }
  return n;
}

/* CRC-32 of the UEFI specification: polynomial 0xEDB88320, reflected. */
function crc32(data: usize, length: u32, crc: u32): u32 {
  let c = ~crc;
  for (let i: u32 = 0; i < length; i++) {
    c ^= load<u8>(data + i);
    for (let bit = 0; bit < 8; bit++) c = (c >> 1) ^ (0xedb88320 & (0 - (c & 1)));
  }
  return ~c;
}

/** Checks the header in `buffer` (UEFI §5.3.2): signature, size, its own place, its CRC. */
function gptHeaderValid(buffer: usize, sector: u64): bool {
  if (load<u64>(buffer) !== 0x5452415020494645) return false; // "EFI PART"
  const size = load<u32>(buffer, 12);
  if (size < 92 || size > SECTOR || load<u64>(buffer, 24) !== sector) return false;
  const stored = load<u32>(buffer, 16);
  store<u32>(buffer, 0, 16);
  const computed = crc32(buffer, size, 0);
  store<u32>(buffer, stored, 16);
  return computed === stored;
}

/** Partitions of a GPT whose header is at `sector`; -1 when header or entries fail their CRC. */
function scanGpt(
  read: SectorReader,
  context: usize,
  total: u64,
  sector: u64,
  buffer: usize,
  out: usize,
): i32 {
  if (!read(context, sector, buffer) || !gptHeaderValid(buffer, sector)) return -1;
  const entries = load<u64>(buffer, 72);
  const count = load<u32>(buffer, 80);
  const size = load<u32>(buffer, 84);
  const expected = load<u32>(buffer, 88);
  if (size < 128 || size > SECTOR || (size & (size - 1)) !== 0 || count > 1024) return -1;
  const perSector = SECTOR / size;
  const block = buffer + SECTOR;
  let crc: u32 = 0;
  let n: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (i % perSector === 0) {
      if (entries + i / perSector >= total) return -1;
      if (!read(context, entries + i / perSector, block)) return -1;
    }
    const entry = block + (i % perSector) * size;
    crc = crc32(entry, size, crc);
    const used = (load<u64>(entry) | load<u64>(entry, 8)) !== 0;
    const first = load<u64>(entry, 32);
    const last = load<u64>(entry, 40);
    if (used && n < MAX_PARTITIONS && first <= last && last < total) {
      n = add(out, n, i + 1, first, last - first + 1, 0xee);
    }
  }
  return crc === expected ? <i32> n : -1;
}

/**
 * Finds the partitions of a disk of `total` sectors. `buffer` is scratch of `SCAN_BUFFER` bytes,
 * `out` room for `MAX_PARTITIONS` entries of `PARTITION_SIZE`. Returns how many; 0 for a disk
 * without a table, e.g. one that carries a file system directly.
 */
export function scanPartitions(
  read: SectorReader,
  context: usize,
  total: u64,
  buffer: usize,
  out: usize,
): u32 {
  if (total === 0 || !read(context, 0, buffer) || !signed(buffer)) return 0;
  let protective = false;
  for (let i: usize = 0; i < 4; i++) {
    const entry = buffer + TABLE + (i << 4);
    // A FAT or other boot sector has the signature, too, but code where the flags would be.
    if ((load<u8>(entry + ENTRY_FLAG) & 0x7f) !== 0) return 0;
    if (load<u8>(entry + ENTRY_TYPE) === 0xee) protective = true;
  }
  if (protective) {
    let found = scanGpt(read, context, total, 1, buffer, out);
    if (found < 0) found = scanGpt(read, context, total, total - 1, buffer, out); // the backup
    if (found >= 0) return found;
    if (!read(context, 0, buffer)) return 0;
  }
  let n: u32 = 0;
  let extended: u64 = 0;
  let extendedSize: u64 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const entry = buffer + TABLE + (i << 4);
    const type: u32 = load<u8>(entry + ENTRY_TYPE);
    const start: u64 = load<u32>(entry + ENTRY_START);
    const sectors: u64 = load<u32>(entry + ENTRY_COUNT);
    if (type === 0 || sectors === 0 || start === 0 || start + sectors > total) continue;
    if (isExtended(type)) {
      if (extended === 0) {
        extended = start;
        extendedSize = sectors;
      }
    } else n = add(out, n, i + 1, start, sectors, type);
  }
  if (extended !== 0) {
    n = scanExtended(read, context, total, extended, extendedSize, buffer, out, n);
  }
  return n;
}
