/**
 * One IDE channel: a task file, a bus master, an interrupt, two drives, and the queue of requests
 * before it. A submitter sleeps until the interrupt completes its request; nobody waits for the
 * device by reading its status in a loop.
 *
 * The interrupt handler does the usual: acknowledges, moves PIO data, starts the next command of the
 * request, then the next request. When something failed it leaves the channel to the submitter of
 * that request, who resets it in its own time and tries again.
 *
 * @module
 */
import { irqRegister } from "../../arch/i386/irq.ts";
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { inb, insw, outb, outl, outsw } from "../../arch/i386/x86.ts";
import { EIO } from "../../abi/errno.ts";
import { printk } from "../../lib/mod.ts";
import { allocPage, kzalloc, physToVirt } from "../../mm/mod.ts";
import { sleepOn, sleepOnTimeout, WaitQueue, waitQueueInit, wakeAll } from "../../sync/mod.ts";
import { HZ } from "../../time/mod.ts";
import {
  ATA_COMMAND,
  ATA_COUNT,
  ATA_DATA,
  ATA_DEVICE,
  ATA_ERROR,
  ATA_FEATURES,
  ATA_HIGH,
  ATA_LOW,
  ATA_MID,
  ATA_STATUS,
  COMMAND_READ,
  COMMAND_READ_DMA,
  COMMAND_READ_DMA_EXT,
  COMMAND_READ_EXT,
  COMMAND_SECTORS,
  COMMAND_WRITE,
  COMMAND_WRITE_DMA,
  COMMAND_WRITE_DMA_EXT,
  COMMAND_WRITE_EXT,
  CONTROL_RESET,
  DEVICE_FIXED,
  DEVICE_LBA,
  DEVICE_SLAVE,
  MASTER_COMMAND,
  MASTER_ERROR,
  MASTER_INTERRUPT,
  MASTER_START,
  MASTER_STATUS,
  MASTER_TABLE,
  MASTER_TO_MEMORY,
  STATUS_BUSY,
  STATUS_DATA,
  STATUS_ERROR,
  STATUS_FAULT,
} from "./ata.ts";
import { prdFill, segmentAddress, segmentAdvance, SegmentCursor } from "./prd.ts";

const SECTOR: u32 = 512;
/** How long a command may take before the channel is reset. */
const COMMAND_SECONDS: u32 = 7;
/** Resets give a drive up to this (ATA allows 31 s for spinning up). */
const RESET_SECONDS: u32 = 10;
/** How often a transfer is tried; the last time without the bus master. */
export const ATTEMPTS: u32 = 3;

/** A request: reads and writes, or with `command` a single command with at most one sector in. */
/*@unmanaged*/
export class IdeRequest {
  next: IdeRequest | null;
  drive: IdeDrive;
  write: bool;
  /** A command without LBA (IDENTIFY, FLUSH CACHE, SET FEATURES); 0 for a transfer. */
  command: u32;
  feature: u32;
  countRegister: u32;
  /** Where that command's sector goes (kernel memory); 0 when it has none. */
  buffer: usize;
  sector: u64;
  sectors: u32;
  cursor: SegmentCursor;
  /** Sectors of the command under way. */
  chunk: u32;
  /** PIO sectors of it still to move. */
  pioLeft: u32;
  dma: bool;
  done: bool;
  /** 0, or the status and error registers that ended it. */
  failure: u32;
}

/** One drive. */
/*@unmanaged*/
export class IdeDrive {
  channel: IdeChannel;
  unit: u32;
  /** 0 for hda… */
  index: u32;
  present: bool;
  sectors: u64;
  lba48: bool;
  dma: bool;
  flush: bool;
  flushExt: bool;
  /** 40 characters and a NUL. */
  model: usize;
}

/** One channel. */
/*@unmanaged*/
export class IdeChannel {
  ports: u32;
  control: u32;
  /** Bus-master registers; 0 for a controller without. */
  master: u32;
  irq: u32;
  table: usize;
  tablePhysical: u32;
  drive0: IdeDrive;
  drive1: IdeDrive;
  active: IdeRequest | null;
  first: IdeRequest | null;
  last: IdeRequest | null;
  /** The request that failed owns the channel until its submitter has put it right. */
  recovering: bool;
  /** One queue for all: a submitter looks whether it is its request that is done. */
  wait: WaitQueue;
  interrupts: u32;
}

/** 400 ns after a command or a selection the status is valid: four reads of the alternate one. */
function settle(c: IdeChannel): void {
  inb(c.control);
  inb(c.control);
  inb(c.control);
  inb(c.control);
}

/** Selects the drive; false when the channel is not idle, which only an upset device is not. */
function selectDrive(r: IdeRequest, bits: u32): bool {
  const c = r.drive.channel;
  outb(c.ports + ATA_DEVICE, DEVICE_FIXED | bits | (r.drive.unit !== 0 ? DEVICE_SLAVE : 0));
  settle(c);
  return (inb(c.control) & (STATUS_BUSY | STATUS_DATA)) === 0;
}

function taskFile(c: IdeChannel, sector: u64, sectors: u32, wide: bool): void {
  const low = <u32> sector;
  if (wide) { // LBA48: previous contents first (ATA-6 §6.20)
    outb(c.ports + ATA_COUNT, (sectors >> 8) & 0xff);
    outb(c.ports + ATA_LOW, low >> 24);
    outb(c.ports + ATA_MID, <u32> (sector >> 32) & 0xff);
    outb(c.ports + ATA_HIGH, <u32> (sector >> 40) & 0xff);
  }
  outb(c.ports + ATA_COUNT, sectors & 0xff);
  outb(c.ports + ATA_LOW, low & 0xff);
  outb(c.ports + ATA_MID, (low >> 8) & 0xff);
  outb(c.ports + ATA_HIGH, (low >> 16) & 0xff);
}

/** Ends the active request; with a failure the channel waits for its submitter. */
function finish(c: IdeChannel, failure: u32): void {
  const r = c.active;
  if (r === null) return;
  r.failure = failure;
  r.done = true;
  if (failure !== 0) c.recovering = true;
  else {
    c.active = null;
    startNext(c);
  }
  wakeAll(c.wait);
}

/** Moves one sector between the data port and the request's memory. */
function pioSector(c: IdeChannel, r: IdeRequest): void {
  const words = SECTOR / 2;
  if (r.command !== 0) insw(c.ports + ATA_DATA, r.buffer, words);
  else {
    const at = physToVirt(segmentAddress(r.cursor));
    if (r.write) outsw(c.ports + ATA_DATA, at, words);
    else insw(c.ports + ATA_DATA, at, words);
    segmentAdvance(r.cursor, SECTOR);
  }
  r.pioLeft--;
}

function startCommand(c: IdeChannel, r: IdeRequest): void {
  if (!selectDrive(r, 0)) {
    finish(c, STATUS_BUSY);
    return;
  }
  outb(c.ports + ATA_FEATURES, r.feature);
  outb(c.ports + ATA_COUNT, r.countRegister);
  r.pioLeft = r.buffer !== 0 ? 1 : 0;
  outb(c.ports + ATA_COMMAND, r.command);
}

/** Starts the next command of a transfer: at most 256 sectors. */
function startChunk(c: IdeChannel, r: IdeRequest): void {
  const wide = r.drive.lba48 && r.sector + COMMAND_SECTORS >= 0x10000000;
  r.chunk = r.sectors < COMMAND_SECTORS ? r.sectors : COMMAND_SECTORS;
  if (!selectDrive(r, DEVICE_LBA | (wide ? 0 : (<u32> r.sector >> 24) & 15))) {
    finish(c, STATUS_BUSY);
    return;
  }
  if (r.dma) {
    const bytes = prdFill(c.table, r.cursor, r.chunk * SECTOR);
    r.chunk = bytes / SECTOR;
    outl(c.master + MASTER_TABLE, c.tablePhysical);
    outb(c.master + MASTER_COMMAND, r.write ? 0 : MASTER_TO_MEMORY);
    const status = inb(c.master + MASTER_STATUS);
    outb(c.master + MASTER_STATUS, status | MASTER_INTERRUPT | MASTER_ERROR); // write 1 clears
  }
  taskFile(c, r.sector, r.chunk, wide);
  if (r.dma) {
    const command = r.write
      ? (wide ? COMMAND_WRITE_DMA_EXT : COMMAND_WRITE_DMA)
      : (wide ? COMMAND_READ_DMA_EXT : COMMAND_READ_DMA);
    outb(c.ports + ATA_COMMAND, command);
    outb(c.master + MASTER_COMMAND, MASTER_START | (r.write ? 0 : MASTER_TO_MEMORY));
    return;
  }
  r.pioLeft = r.chunk;
  const command = r.write
    ? (wide ? COMMAND_WRITE_EXT : COMMAND_WRITE)
    : (wide ? COMMAND_READ_EXT : COMMAND_READ);
  outb(c.ports + ATA_COMMAND, command);
  if (r.write) {
    // The first block of a PIO write is asked for without an interrupt (ATA-6 §9.6): the drive takes
    // microseconds for it. A bound keeps a dead drive from holding us; the timeout then sees to it.
    for (let i = 0; i < 1000; i++) {
      settle(c);
      const status = inb(c.control);
      if ((status & STATUS_BUSY) !== 0) continue;
      if ((status & STATUS_DATA) !== 0) pioSector(c, r);
      break;
    }
  }
}

function startRequest(c: IdeChannel, r: IdeRequest): void {
  c.active = r;
  r.done = false;
  r.failure = 0;
  if (r.command !== 0) startCommand(c, r);
  else startChunk(c, r);
}

function startNext(c: IdeChannel): void {
  const r = c.first;
  if (r === null || c.active !== null || c.recovering) return;
  c.first = r.next;
  if (c.first === null) c.last = null;
  r.next = null;
  startRequest(c, r);
}

/** A command of a transfer ended well. */
function chunkDone(c: IdeChannel, r: IdeRequest): void {
  r.sector += r.chunk;
  r.sectors -= r.chunk;
  if (r.sectors > 0) startChunk(c, r);
  else finish(c, 0);
}

function interruptDma(c: IdeChannel, r: IdeRequest): void {
  const master = inb(c.master + MASTER_STATUS);
  if ((master & MASTER_INTERRUPT) === 0) return; // not ours
  outb(c.master + MASTER_COMMAND, r.write ? 0 : MASTER_TO_MEMORY); // stop
  const status = inb(c.ports + ATA_STATUS); // acknowledges the drive
  outb(c.master + MASTER_STATUS, (master & 0x60) | MASTER_INTERRUPT | MASTER_ERROR);
  if ((status & (STATUS_BUSY | STATUS_ERROR | STATUS_FAULT)) !== 0) {
    finish(c, status | (inb(c.ports + ATA_ERROR) << 8));
  } else if ((master & MASTER_ERROR) !== 0) finish(c, 0x10000 | status);
  else chunkDone(c, r);
}

function interruptPio(c: IdeChannel, r: IdeRequest): void {
  const status = inb(c.ports + ATA_STATUS);
  if (c.master !== 0) {
    outb(c.master + MASTER_STATUS, (inb(c.master + MASTER_STATUS) & 0x60) | MASTER_INTERRUPT);
  }
  if ((status & STATUS_BUSY) !== 0) return;
  if ((status & (STATUS_ERROR | STATUS_FAULT)) !== 0) {
    finish(c, status | (inb(c.ports + ATA_ERROR) << 8));
    return;
  }
  if (r.pioLeft > 0 && (status & STATUS_DATA) !== 0) {
    pioSector(c, r);
    // A read is over with its last sector; a write's last sector is answered by one more interrupt.
    if (r.pioLeft > 0 || r.write) return;
  }
  if (r.pioLeft > 0) finish(c, 0x20000 | status); // asked for nothing, but is not finished
  else if (r.command !== 0) finish(c, 0);
  else chunkDone(c, r);
}

function interrupt(_irq: u32, context: usize): void {
  const c = changetype<IdeChannel>(context);
  c.interrupts++;
  const r = c.active;
  if (r === null || r.done) {
    inb(c.ports + ATA_STATUS); // nobody waits: acknowledge
    if (c.master !== 0) {
      outb(c.master + MASTER_STATUS, (inb(c.master + MASTER_STATUS) & 0x60) | MASTER_INTERRUPT);
    }
    return;
  }
  if (r.dma && r.command === 0) interruptDma(c, r);
  else interruptPio(c, r);
}

/** Sleeps for `count` ticks. */
function pause(c: IdeChannel, count: u32): void {
  const flags = irqSave();
  let left = count;
  while (left > 0) left = sleepOnTimeout(c.wait, left);
  irqRestore(flags);
}

/**
 * Software reset (ATA-6 §9.2) of both drives. There is no interrupt at its end: the status is looked
 * at between sleeps.
 */
function reset(c: IdeChannel): bool {
  if (c.master !== 0) outb(c.master + MASTER_COMMAND, 0);
  outb(c.control, CONTROL_RESET);
  pause(c, 1);
  outb(c.control, 0);
  pause(c, 1);
  for (let waited: u32 = 0; waited < RESET_SECONDS * 20; waited++) {
    const status = inb(c.control);
    if (status === 0xff) return false;
    if ((status & STATUS_BUSY) === 0) return true;
    pause(c, HZ / 20);
  }
  return false;
}

function describe(r: IdeRequest): void {
  const name = 0x61 + r.drive.index;
  printk(
    c`hd%c: %s failed at sector %u: status %x\n`,
    name,
    r.command !== 0 ? c`command` : r.write ? c`write` : c`read`,
    <u32> r.sector,
    r.failure,
  );
}

/** Waits until the request is done or its time is over; a chunk that completes renews the time. */
function awaitRequest(c: IdeChannel, r: IdeRequest): void {
  const flags = irqSave();
  let left = COMMAND_SECONDS * HZ;
  let seen = r.sectors;
  while (!r.done) {
    // While others are before it in the queue, time does not run.
    if (c.active !== r) {
      sleepOn(c.wait);
      left = COMMAND_SECONDS * HZ;
      continue;
    }
    left = sleepOnTimeout(c.wait, left);
    if (r.sectors !== seen) {
      seen = r.sectors;
      left = COMMAND_SECONDS * HZ;
    }
    if (left === 0 && !r.done) finish(c, 0x40000);
  }
  irqRestore(flags);
}

/** Queues a request and sleeps until it is done, with retries. 0 or -EIO. */
export function ideRun(r: IdeRequest, attempts: u32): i32 {
  const c = r.drive.channel;
  const sector = r.sector;
  const sectors = r.sectors;
  r.done = false;
  r.next = null;
  const flags = irqSave();
  const last = c.last;
  if (last === null) c.first = r;
  else last.next = r;
  c.last = r;
  startNext(c);
  irqRestore(flags);
  let attempt: u32 = 1;
  while (true) {
    awaitRequest(c, r);
    if (r.failure === 0) return 0;
    if (attempts > 1) describe(r);
    const alive = reset(c);
    const again = irqSave();
    c.recovering = false;
    c.active = null;
    if (!alive || attempt >= attempts) {
      startNext(c);
      wakeAll(c.wait);
      irqRestore(again);
      return -EIO;
    }
    r.sector = sector;
    r.sectors = sectors;
    r.cursor.index = 0;
    r.cursor.offset = 0;
    segmentAdvance(r.cursor, 0);
    if (attempt === attempts - 1) r.dma = false; // the last try does without the bus master
    startRequest(c, r);
    irqRestore(again);
    attempt++;
  }
}

/** A new request for a drive; the caller frees it. */
export function ideRequest(drive: IdeDrive): IdeRequest {
  const r = changetype<IdeRequest>(kzalloc(offsetof<IdeRequest>() + offsetof<SegmentCursor>()));
  r.drive = drive;
  r.cursor = changetype<SegmentCursor>(changetype<usize>(r) + offsetof<IdeRequest>());
  return r;
}

function newDrive(c: IdeChannel, unit: u32, index: u32): IdeDrive {
  const drive = changetype<IdeDrive>(kzalloc(offsetof<IdeDrive>()));
  drive.channel = c;
  drive.unit = unit;
  drive.index = index + unit;
  drive.model = kzalloc(41);
  return drive;
}

/** Makes a channel; null when nothing answers at its ports. `index` is that of its first drive. */
export function ideChannel(
  ports: u32,
  control: u32,
  master: u32,
  irq: u32,
  index: u32,
): IdeChannel | null {
  if (inb(control) === 0xff && inb(ports + ATA_STATUS) === 0xff) return null;
  const c = changetype<IdeChannel>(kzalloc(offsetof<IdeChannel>()));
  c.ports = ports;
  c.control = control;
  c.irq = irq;
  c.wait = changetype<WaitQueue>(kzalloc(offsetof<WaitQueue>()));
  waitQueueInit(c.wait);
  c.drive0 = newDrive(c, 0, index);
  c.drive1 = newDrive(c, 1, index);
  if (master !== 0) {
    const page = allocPage();
    if (page !== 0) {
      c.master = master;
      c.tablePhysical = page;
      c.table = physToVirt(page);
    }
  }
  outb(control, 0); // interrupts on
  irqRegister(irq, interrupt, changetype<usize>(c));
  return c;
}
