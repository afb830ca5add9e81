/**
 * IDE disks and their partitions as block devices: hda 3:0, hdb 3:64, hdc 22:0, hdd 22:64 and on
 * (Linux's devices.txt); partition n adds n to the minor number.
 *
 * @module
 */
import { BlockDevice, registerBlockDevice } from "../../fs/mod.ts";
import { snprintk } from "../../lib/mod.ts";
import { kfree, kmalloc, kzalloc, virtToPhys } from "../../mm/mod.ts";
import { IdeDrive } from "./channel.ts";
import { ideFlush, ideInit, ideTransfer } from "./ide.ts";
import { SEGMENT_SIZE } from "./prd.ts";
import {
  MAX_PARTITIONS,
  Partition,
  PARTITION_SIZE,
  SCAN_BUFFER,
  scanPartitions,
  SECTOR,
} from "./partition.ts";

const NAME_SIZE: u32 = 16;
/** Major numbers of ide0–ide3. */
const majors: usize = memory.data<u8>([3, 22, 33, 34]);

function transfer(
  device: BlockDevice,
  write: bool,
  sector: u64,
  segments: usize,
  count: u32,
): i32 {
  return ideTransfer(changetype<IdeDrive>(device.data), write, sector, segments, count);
}

function flush(device: BlockDevice): i32 {
  return ideFlush(changetype<IdeDrive>(device.data));
}

function newDevice(drive: IdeDrive, partition: u32): BlockDevice {
  const device = changetype<BlockDevice>(kzalloc(offsetof<BlockDevice>()));
  const name = kzalloc(NAME_SIZE);
  const letter = 0x61 + drive.index;
  if (partition === 0) snprintk(name, NAME_SIZE, c`hd%c`, letter);
  else snprintk(name, NAME_SIZE, c`hd%c%u`, letter, partition);
  device.name = name;
  device.major = load<u8>(majors + (drive.index >> 1));
  device.minor = ((drive.index & 1) << 6) + partition;
  device.data = changetype<usize>(drive);
  device.transfer = transfer;
  device.flush = flush;
  return device;
}

/** Reads one sector for the partition scan. The heap is in the direct map, so it is one segment. */
function readSector(context: usize, sector: u64, buffer: usize): bool {
  const segment = kmalloc(SEGMENT_SIZE);
  store<u32>(segment, virtToPhys(buffer));
  store<u32>(segment, SECTOR, 4);
  const result = ideTransfer(changetype<IdeDrive>(context), false, sector, segment, 1);
  kfree(segment);
  return result >= 0;
}

function addDisk(drive: IdeDrive): void {
  const disk = newDevice(drive, 0);
  disk.sectors = drive.sectors;
  registerBlockDevice(disk);
  const buffer = kmalloc(SCAN_BUFFER);
  const table = kzalloc(MAX_PARTITIONS * PARTITION_SIZE);
  const n = scanPartitions(readSector, changetype<usize>(drive), drive.sectors, buffer, table);
  for (let i: u32 = 0; i < n; i++) {
    const p = changetype<Partition>(table + i * PARTITION_SIZE);
    const device = newDevice(drive, p.number);
    device.parent = disk;
    device.start = p.start;
    device.sectors = p.sectors;
    registerBlockDevice(device);
  }
  kfree(table);
  kfree(buffer);
}

/** Finds disks and registers them and their partitions. Sleeps. */
export function disksInit(): void {
  ideInit(addDisk);
}
