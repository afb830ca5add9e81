/**
 * Partition tables: MBR with extended partitions, and GPT.
 *
 * Sources: UEFI specification §5.2 (MBR), §5.3 (GPT).
 *
 * @module
 */

/** A range of sectors of 512 bytes. */
export interface Partition {
  /** As Linux numbers them: 1–4 primary, 5… logical; GPT entries from 1. */
  readonly number: number;
  /** First sector on the disk. */
  readonly firstSector: number;
  /** Number of sectors. */
  readonly sectors: number;
  /** Marked to be booted from. */
  readonly active: boolean;
}

/** Reads whole sectors; throws a RangeError outside of the disk. */
export type ReadSectors = (sector: number, count: number) => Uint8Array;

const SECTOR_BYTES = 512;
const TYPE_GPT_PROTECTIVE = 0xee;
const EXTENDED_TYPES = [0x05, 0x0f, 0x85];
const MAX_LOGICAL = 128;
const MAX_GPT_ENTRIES = 1024;

/** The partitions of a disk; none when it has no table. Entries that leave the disk are left out. */
export function readPartitions(read: ReadSectors, diskSectors: number): Partition[] {
  if (diskSectors < 2) return [];
  const entries = tableOf(read(0, 1));
  if (entries === undefined) return [];
  const inside = (first: number, sectors: number): boolean =>
    sectors > 0 && first > 0 && first + sectors <= diskSectors;
  if (entries.some(({ type }) => type === TYPE_GPT_PROTECTIVE)) {
    return readGpt(read, diskSectors).filter((part) => inside(part.firstSector, part.sectors));
  }
  const found: Partition[] = [];
  entries.forEach(({ type, first, sectors, active }, index) => {
    if (type === 0 || !inside(first, sectors)) return;
    if (EXTENDED_TYPES.includes(type)) found.push(...logical(read, first, diskSectors, inside));
    else found.push({ number: index + 1, firstSector: first, sectors, active });
  });
  let next = 5;
  return found.map((part) => part.number === 0 ? { ...part, number: next++ } : part);
}

interface MbrEntry {
  readonly active: boolean;
  readonly type: number;
  readonly first: number;
  /** Number of sectors. */
  readonly sectors: number;
}

function tableOf(sector: Uint8Array): MbrEntry[] | undefined {
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
  if (view.getUint16(510, true) !== 0xaa55) return undefined;
  const entries = [446, 462, 478, 494].map((at): MbrEntry & { status: number } => ({
    status: view.getUint8(at),
    active: view.getUint8(at) === 0x80,
    type: view.getUint8(at + 4),
    first: view.getUint32(at + 8, true),
    sectors: view.getUint32(at + 12, true),
  }));
  // A boot sector of a file system has code where a table would be.
  return entries.every(({ status }) => status === 0 || status === 0x80) ? entries : undefined;
}

/** The chain of extended boot records; a loop in it ends the list. */
function logical(
  read: ReadSectors,
  start: number,
  diskSectors: number,
  inside: (first: number, sectors: number) => boolean,
): Partition[] {
  const found: Partition[] = [];
  const seen = new Set<number>();
  let record = start;
  while (record < diskSectors && !seen.has(record) && seen.size < MAX_LOGICAL) {
    seen.add(record);
    const [own, next] = tableOf(read(record, 1)) ?? [];
    if (own === undefined) break;
    const first = record + own.first;
    if (own.type !== 0 && inside(first, own.sectors)) {
      found.push({ number: 0, firstSector: first, sectors: own.sectors, active: own.active });
    }
    if (next === undefined || !EXTENDED_TYPES.includes(next.type)) break;
    record = start + next.first;
  }
  return found;
}

function readGpt(read: ReadSectors, diskSectors: number): Partition[] {
  const header = read(1, 1);
  const view = new DataView(header.buffer, header.byteOffset, SECTOR_BYTES);
  if (new TextDecoder().decode(header.subarray(0, 8)) !== "EFI PART") return [];
  const table = Number(view.getBigUint64(72, true));
  const count = Math.min(view.getUint32(80, true), MAX_GPT_ENTRIES);
  const size = view.getUint32(84, true);
  const sectors = Math.ceil((count * size) / SECTOR_BYTES);
  if (size < 128 || size > 4096 || table + sectors > diskSectors) return [];
  const bytes = read(table, sectors);
  const entries = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Partition[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * size;
    if (bytes.subarray(at, at + 16).every((byte) => byte === 0)) continue;
    const first = Number(entries.getBigUint64(at + 32, true));
    const last = Number(entries.getBigUint64(at + 40, true));
    if (last < first) continue;
    found.push({
      number: index + 1,
      firstSector: first,
      sectors: last - first + 1,
      active: (entries.getUint8(at + 48) & 4) !== 0, // legacy BIOS bootable
    });
  }
  return found;
}
