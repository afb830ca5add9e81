/**
 * IDE disks: controllers found by PCI (class 01.01) or at the ISA addresses, drives found by
 * IDENTIFY DEVICE, transfers for the block layer.
 *
 * @module
 */
import { inb, outb } from "../../arch/i386/x86.ts";
import { EINVAL } from "../../abi/errno.ts";
import { printk } from "../../lib/mod.ts";
import { kfree, kzalloc } from "../../mm/mod.ts";
import {
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PciDevice,
  pciEnable,
  pciRead32,
  pciRegisterDriver,
  pciWrite32,
} from "../pci/mod.ts";
import {
  ATA_COUNT,
  ATA_DEVICE,
  ATA_HIGH,
  ATA_LOW,
  ATA_MID,
  ATA_STATUS,
  COMMAND_FLUSH,
  COMMAND_FLUSH_EXT,
  COMMAND_IDENTIFY,
  COMMAND_SET_FEATURES,
  DEVICE_FIXED,
  DEVICE_SLAVE,
  FEATURE_MODE,
  MODE_MULTIWORD,
} from "./ata.ts";
import { ATTEMPTS, IdeChannel, ideChannel, IdeDrive, ideRequest, ideRun } from "./channel.ts";
import { segmentAdvance } from "./prd.ts";

const SECTOR: u32 = 512;
/** Words of IDENTIFY DEVICE (ATA-6 table 27), as byte offsets. */
const ID_MODEL: usize = 27 * 2;
const ID_CAPABILITIES: usize = 49 * 2;
const ID_SECTORS28: usize = 60 * 2;
const ID_MULTIWORD: usize = 63 * 2;
const ID_COMMANDS: usize = 83 * 2;
const ID_SECTORS48: usize = 100 * 2;

let nextIndex: u32 = 0;
let found: ((drive: IdeDrive) => void) | null = null;
let controllers: u32 = 0;

/** Model name: big-endian characters in words, padded with blanks. */
function copyModel(id: usize, model: usize): void {
  let end: u32 = 0;
  for (let i: u32 = 0; i < 40; i++) {
    const byte: u8 = load<u8>(id + ID_MODEL + (i ^ 1));
    store<u8>(model + i, byte >= 0x20 && byte < 0x7f ? byte : 0x20);
    if (byte > 0x20) end = i + 1;
  }
  store<u8>(model + end, 0);
}

/** Is there anything on the cable? Registers of a missing drive do not keep what is written. */
function answers(channel: IdeChannel, unit: u32): bool {
  outb(channel.ports + ATA_DEVICE, DEVICE_FIXED | (unit !== 0 ? DEVICE_SLAVE : 0));
  for (let i = 0; i < 4; i++) inb(channel.control);
  const status = inb(channel.ports + ATA_STATUS);
  if (status === 0xff || status === 0) return false;
  outb(channel.ports + ATA_COUNT, 0x55);
  outb(channel.ports + ATA_LOW, 0xaa);
  return inb(channel.ports + ATA_COUNT) === 0x55 && inb(channel.ports + ATA_LOW) === 0xaa;
}

/** A packet device says so in the signature after reset (ATA/ATAPI-6 §9.12). */
function isPacket(channel: IdeChannel, unit: u32): bool {
  outb(channel.ports + ATA_DEVICE, DEVICE_FIXED | (unit !== 0 ? DEVICE_SLAVE : 0));
  for (let i = 0; i < 4; i++) inb(channel.control);
  return inb(channel.ports + ATA_MID) === 0x14 && inb(channel.ports + ATA_HIGH) === 0xeb;
}

function readIdentity(drive: IdeDrive, id: usize): void {
  const commands: u32 = load<u16>(id + ID_COMMANDS);
  const valid = (commands & 0xc000) === 0x4000;
  drive.lba48 = valid && (commands & 0x0400) !== 0;
  drive.flush = valid && (commands & 0x1000) !== 0;
  drive.flushExt = valid && (commands & 0x2000) !== 0;
  drive.sectors = load<u32>(id + ID_SECTORS28);
  if (drive.lba48) {
    const wide = load<u64>(id + ID_SECTORS48) & 0xffffffffffff;
    if (wide !== 0) drive.sectors = wide;
  }
  drive.dma = drive.channel.master !== 0 && (load<u16>(id + ID_CAPABILITIES) & 0x100) !== 0;
  copyModel(id, drive.model);
}

/** Multiword DMA, the best mode that the drive has: what the PIIX3 can do (SET FEATURES, ATA-6 §8.46). */
function setTransferMode(drive: IdeDrive, id: usize): void {
  const modes: u32 = load<u16>(id + ID_MULTIWORD) & 7;
  if (!drive.dma || modes === 0) return;
  const r = ideRequest(drive);
  r.command = COMMAND_SET_FEATURES;
  r.feature = FEATURE_MODE;
  r.countRegister = MODE_MULTIWORD | (31 - clz<u32>(modes));
  ideRun(r, 1); // a drive that refuses keeps the firmware's mode
  kfree(changetype<usize>(r));
}

function identify(drive: IdeDrive): void {
  const channel = drive.channel;
  if (!answers(channel, drive.unit)) return;
  if (isPacket(channel, drive.unit)) {
    printk(c`hd%c: ATAPI device, not supported\n`, 0x61 + drive.index);
    return;
  }
  const id = kzalloc(SECTOR);
  const r = ideRequest(drive);
  r.command = COMMAND_IDENTIFY;
  r.buffer = id;
  const result = ideRun(r, 1);
  kfree(changetype<usize>(r));
  if (result === 0 && (load<u16>(id) & 0x8000) === 0) {
    readIdentity(drive, id);
    if ((load<u16>(id + ID_CAPABILITIES) & 0x200) === 0 || drive.sectors === 0) {
      printk(c`hd%c: %s: no LBA, not supported\n`, 0x61 + drive.index, <u32> drive.model);
    } else {
      drive.present = true;
      setTransferMode(drive, id);
      printk(
        c`hd%c: %s, %u sectors (%u MiB), %s%s\n`,
        0x61 + drive.index,
        <u32> drive.model,
        <u32> drive.sectors,
        <u32> (drive.sectors >> 11),
        <u32> (drive.lba48 ? c`LBA48, ` : c``),
        <u32> (drive.dma ? c`DMA` : c`PIO`),
      );
    }
  }
  kfree(id);
}

function addChannel(ports: u32, control: u32, master: u32, irq: u32): void {
  const index = nextIndex;
  nextIndex += 2;
  const channel = ideChannel(ports, control, master, irq, index);
  if (channel === null) return;
  for (let unit = 0; unit < 2; unit++) {
    const drive = unit === 0 ? channel.drive0 : channel.drive1;
    identify(drive);
    const report = found;
    if (drive.present && report !== null) report(drive);
  }
}

/** PIIX: IDE decode enable in the timing registers 40h and 42h (290550 §2.4.6). */
function enablePiix(d: PciDevice): void {
  if (d.vendor !== 0x8086) return;
  const id = d.device;
  if (id === 0x1230 || id === 0x7010 || id === 0x7111) {
    pciWrite32(d, 0x40, pciRead32(d, 0x40) | 0x80008000);
  }
}

function probe(d: PciDevice): i32 {
  controllers++;
  const busMaster = (d.classCode & 0x80) !== 0 && d.bar(4).io && d.bar(4).base !== 0;
  pciEnable(d, PCI_COMMAND_IO | (busMaster ? PCI_COMMAND_MASTER : 0));
  enablePiix(d);
  const master = busMaster ? d.bar(4).base : 0;
  for (let i: u32 = 0; i < 2; i++) {
    // Interface bits 0 and 2: the channel is in native mode, with its own addresses.
    const native = (d.classCode & (1 << (i << 1))) !== 0;
    const ports = native ? d.bar(i * 2).base : i === 0 ? 0x1f0 : 0x170;
    const control = native ? d.bar(i * 2 + 1).base + 2 : i === 0 ? 0x3f6 : 0x376;
    const irq = native ? d.irq : 14 + i;
    addChannel(ports, control, master === 0 ? 0 : master + (i << 3), irq);
  }
  return 0;
}

/** Finds all controllers and drives; calls `report` for each disk. Sleeps: needs a running scheduler. */
export function ideInit(report: (drive: IdeDrive) => void): void {
  found = report;
  pciRegisterDriver(c`ide`, 0xffff, 0xffff, 0x010100, 0xffff00, probe);
  if (controllers === 0) {
    addChannel(0x1f0, 0x3f6, 0, 14);
    addChannel(0x170, 0x376, 0, 15);
  }
}

/**
 * Reads or writes `count` segments ({physical, bytes} pairs, whole sectors each) from `sector` on.
 * Sleeps until done. 0, -EINVAL beyond the end of the disk or for odd lengths, -EIO.
 */
export function ideTransfer(
  drive: IdeDrive,
  write: bool,
  sector: u64,
  segments: usize,
  count: u32,
): i32 {
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const length = load<u32>(segments + (i << 3), 4);
    if (length % SECTOR !== 0) return -EINVAL;
    bytes += length;
  }
  const sectors = bytes / SECTOR;
  if (sectors === 0) return 0;
  if (sector + <u64> sectors > drive.sectors) return -EINVAL;
  const r = ideRequest(drive);
  r.write = write;
  r.sector = sector;
  r.sectors = sectors;
  r.dma = drive.dma;
  r.cursor.segments = segments;
  r.cursor.count = count;
  segmentAdvance(r.cursor, 0); // past empty segments
  const result = ideRun(r, ATTEMPTS);
  kfree(changetype<usize>(r));
  return result;
}

/** Has the drive write its cache to the medium. 0 or -EIO. */
export function ideFlush(drive: IdeDrive): i32 {
  if (!drive.flush && !drive.flushExt) return 0;
  const r = ideRequest(drive);
  r.command = drive.flushExt ? COMMAND_FLUSH_EXT : COMMAND_FLUSH;
  const result = ideRun(r, ATTEMPTS);
  kfree(changetype<usize>(r));
  return result;
}
