/**
 * Requests to block devices: partitions, ranges, statistics; and runs of adjacent blocks that are
 * collected into one request with many segments.
 *
 * @module
 */
import { EIO, EROFS } from "../abi/errno.ts";
import { kfree, kmalloc } from "../mm/mod.ts";
import { BlockDevice } from "./types.ts";

/** Segments of one request at most: 64 pages, 256 KiB. */
export const MAX_SEGMENTS: u32 = 64;

/** A run of blocks that lie side by side on the device. */
/*@unmanaged*/
export class BlockRun {
  device: BlockDevice;
  write: bool;
  sector: u64;
  /** Sectors so far. */
  sectors: u32;
  count: u32;
  segments: usize;
  /** First error of the requests so far. */
  error: i32;
}

/** Moves segments {physical, bytes} to or from `sector` of a device or partition: 0 or -errno. */
export function blockTransfer(
  device: BlockDevice,
  write: bool,
  sector: u64,
  segments: usize,
  count: u32,
): i32 {
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < count; i++) bytes += load<u32>(segments + (i << 3), 4);
  const sectors = bytes >> 9;
  // A damaged file system may point anywhere.
  if (sector >= device.sectors || <u64> sectors > device.sectors - sector) return -EIO;
  if (write && device.readOnly) return -EROFS;
  if (write) {
    device.writes++;
    device.writtenSectors += sectors;
  } else {
    device.reads++;
    device.readSectors += sectors;
  }
  const parent = device.parent;
  if (parent !== null) {
    return blockTransfer(parent, write, sector + device.start, segments, count);
  }
  return device.transfer(device, write, sector, segments, count);
}

/** Empties the drive's write cache. */
export function blockFlush(device: BlockDevice): i32 {
  let disk = device;
  while (disk.parent !== null) disk = disk.parent!;
  const flush = disk.flush;
  return flush !== null ? flush(disk) : 0;
}

/** A run without blocks, null when memory is out. */
export function runNew(device: BlockDevice, write: bool): BlockRun | null {
  const run = changetype<BlockRun | null>(kmalloc(offsetof<BlockRun>() + MAX_SEGMENTS * 8));
  if (run !== null) {
    run.device = device;
    run.write = write;
    run.sectors = 0;
    run.count = 0;
    run.error = 0;
    run.segments = changetype<usize>(run) + offsetof<BlockRun>();
  }
  return run;
}

/** Adds memory at `physical` to the run; sends what there is when it does not fit on. */
export function runAdd(run: BlockRun, sector: u64, physical: u32, bytes: u32): void {
  if (run.count > 0) {
    const last = run.segments + ((run.count - 1) << 3);
    if (sector === run.sector + <u64> run.sectors) {
      const end = load<u32>(last) + load<u32>(last, 4);
      // Segments within a page grow; pages stay apart, drives limit a segment's length.
      if (end === physical && (physical & 0xfff) !== 0) {
        store<u32>(last, load<u32>(last, 4) + bytes, 4);
        run.sectors += bytes >> 9;
        return;
      }
      if (run.count < MAX_SEGMENTS) {
        store<u32>(last, physical, 8);
        store<u32>(last, bytes, 12);
        run.count++;
        run.sectors += bytes >> 9;
        return;
      }
    }
    runFlush(run);
  }
  run.sector = sector;
  run.sectors = bytes >> 9;
  run.count = 1;
  store<u32>(run.segments, physical);
  store<u32>(run.segments, bytes, 4);
}

/** Sends what was collected. */
export function runFlush(run: BlockRun): void {
  if (run.count === 0) return;
  const error = blockTransfer(run.device, run.write, run.sector, run.segments, run.count);
  if (error < 0 && run.error === 0) run.error = error;
  run.count = 0;
  run.sectors = 0;
}

/** Sends the rest and frees the run: 0 or the first error. */
export function runEnd(run: BlockRun): i32 {
  runFlush(run);
  const error = run.error;
  kfree(changetype<usize>(run));
  return error;
}
