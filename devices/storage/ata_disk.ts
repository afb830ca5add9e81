/**
 * An ATA disk: its task file, the commands, the PIO and DMA protocols, and the time they take.
 *
 * A disk knows its cable (the {@link AtaHost}): it asks for the interrupt and for DMA there. Times are
 * those of a good disk of the LBA48 days with a warm cache: {@link COMMAND_NS} for a command and
 * {@link SECTOR_NS} for a sector.
 *
 * Errors: addresses beyond the end give IDNF, what the host's file refuses UNC (reads) or ABRT
 * (writes); the task file then holds the first bad sector.
 *
 * Sources: ATA/ATAPI-6 (T13/1410D r3b) §8 "Commands", §9 "Protocol".
 *
 * @module
 */
import type { Clock, Timer } from "../bus/clock.ts";
import { restoreFields, type Saved, saveFields } from "../bus/device.ts";
import { type BlockBackend, SECTOR_BYTES } from "../bus/block.ts";
import { type AtaDrive, type AtaHost, beforeLast } from "./ata_drive.ts";
import { HEADS, identifyDevice, MAX_MULTIPLE, TRACK_SECTORS } from "./ata_identity.ts";
import {
  COMMAND,
  countOf,
  DIAGNOSTIC_PASSED,
  ERROR_ABRT,
  ERROR_IDNF,
  ERROR_UNC,
  isTransferMode,
  sectorOf,
  setSector,
  signature,
  STATUS_BSY,
  STATUS_DF,
  STATUS_DRDY,
  STATUS_DRQ,
  STATUS_DSC,
  STATUS_ERR,
  type TaskFile,
  type TransferCommand,
  TRANSFERS,
} from "./ata_registers.ts";

const NAME = "ATA disk";
/** From a command to its first data or its end. */
export const COMMAND_NS = 60_000;
/** A sector between medium (or cache) and host: 50 MB/s. */
export const SECTOR_NS = 10_000;
/** From a write command to its request for the first data. */
const WRITE_READY_NS = 2_000;
const FLUSH_NS = 500_000;
/** Sectors that DMA moves at a time between file and memory. */
const DMA_CHUNK = 128;

/** What happens when the timer rings. */
type Step = "" | "read" | "write" | "writeReady" | "dma" | "done" | "flush";

function powerOn() {
  return {
    task: signature() as TaskFile,
    /** Command under way; 0 none. */
    command: 0,
    step: "" as string,
    stepNs: null as number | null,
    sector: 0,
    /** Sectors left of the command. */
    left: 0,
    /** Sectors of the data block at the host. */
    block: 0,
    /** Bytes of the block between disk and data port, and how far the host is in them. */
    data: [] as number[],
    position: 0,
    heads: HEADS,
    trackSectors: TRACK_SECTORS,
    multiple: MAX_MULTIPLE,
    transferMode: 0x45,
    writeCache: true,
    dmaWaiting: false,
    standby: false,
  };
}

/** A disk on a cable. */
export class AtaDisk implements AtaDrive {
  readonly #clock: Clock;
  readonly #backend: BlockBackend;
  readonly #host: AtaHost;
  readonly #slave: boolean;
  readonly #timer: Timer;
  #f = powerOn();

  constructor(options: { clock: Clock; backend: BlockBackend; host: AtaHost; slave: boolean }) {
    this.#clock = options.clock;
    this.#backend = options.backend;
    this.#host = options.host;
    this.#slave = options.slave;
    this.#timer = options.clock.timer(() => this.#ring());
  }

  /** Task file of the disk; the channel reads and writes its registers. */
  get task(): TaskFile {
    return this.#f.task;
  }

  /** Hardware reset. */
  reset(): void {
    this.#f = powerOn();
    this.#timer.cancel();
    this.#host.interrupt(false);
  }

  /** Software reset (SRST): like the hardware's, but settings stay (§9.2). */
  softReset(): void {
    const { heads, trackSectors, multiple, transferMode, writeCache } = this.#f;
    this.reset();
    Object.assign(this.#f, { heads, trackSectors, multiple, transferMode, writeCache });
  }

  save(): Saved {
    return saveFields(NAME, 1, this.#f);
  }

  restore(saved: Saved): void {
    this.#f = restoreFields(NAME, 1, powerOn(), saved);
    if (this.#f.stepNs === null) this.#timer.cancel();
    else this.#timer.arm(this.#f.stepNs);
  }

  /** The command register. Ignored while busy, as drives do. */
  execute(command: number): void {
    const f = this.#f;
    if ((f.task.status & STATUS_BSY) !== 0) return;
    this.#host.interrupt(false);
    f.command = command;
    f.task.error = 0;
    f.task.status = STATUS_DRDY | STATUS_DSC;
    f.data = [];
    f.position = 0;
    f.dmaWaiting = false;
    const transfer = TRANSFERS[command];
    if (transfer !== undefined) this.#beginTransfer(transfer);
    else this.#other(command);
  }

  #other(command: number): void {
    const f = this.#f;
    const t = f.task;
    if (command >= COMMAND.recalibrate && command < 0x20) {
      this.#busy("done", COMMAND_NS);
      return;
    }
    switch (command) {
      case COMMAND.identify:
        f.left = 1;
        this.#busy("read", COMMAND_NS);
        return;
      case COMMAND.verify:
      case COMMAND.verifyOnce:
      case COMMAND.verifyExt:
        this.#verify(command === COMMAND.verifyExt);
        return;
      case COMMAND.seek: {
        const sector = sectorOf(t, false, f);
        if (sector < 0 || sector >= this.#backend.sectors) this.#fail(ERROR_IDNF);
        else this.#busy("done", COMMAND_NS);
        return;
      }
      case COMMAND.initializeParameters:
        f.trackSectors = t.count || TRACK_SECTORS;
        f.heads = (t.device & 15) + 1;
        this.#busy("done", COMMAND_NS);
        return;
      case COMMAND.setMultiple:
        // 0 turns it off; else a power of two up to what IDENTIFY tells.
        if (t.count > MAX_MULTIPLE || (t.count & (t.count - 1)) !== 0) this.#fail(ERROR_ABRT);
        else {
          f.multiple = t.count;
          this.#busy("done", COMMAND_NS);
        }
        return;
      case COMMAND.setFeatures:
        this.#setFeatures();
        return;
      case COMMAND.flush:
      case COMMAND.flushExt:
        this.#busy("flush", FLUSH_NS);
        return;
      case COMMAND.readNativeMax:
      case COMMAND.readNativeMaxExt: {
        const wide = command === COMMAND.readNativeMaxExt;
        const last = this.#backend.sectors - 1;
        setSector(t, wide ? last : Math.min(last, 0x0fffffff), wide, f);
        this.#busy("done", COMMAND_NS);
        return;
      }
      case COMMAND.checkPower:
        t.count = f.standby ? 0x00 : 0xff;
        this.#busy("done", COMMAND_NS);
        return;
      case COMMAND.standbyImmediate:
      case COMMAND.standby:
      case COMMAND.sleep:
      case COMMAND.idleImmediate:
      case COMMAND.idle:
        f.standby = command !== COMMAND.idle && command !== COMMAND.idleImmediate;
        this.#busy("done", COMMAND_NS);
        return;
      default: // packet commands, SMART, security, NOP … (§8.1: not supported is aborted)
        this.#fail(ERROR_ABRT);
    }
  }

  #setFeatures(): void {
    const f = this.#f;
    const { feature, count } = f.task;
    switch (feature) {
      case 0x02: // write cache on
      case 0x82:
        f.writeCache = feature === 0x02;
        break;
      case 0x03: // transfer mode
        if (!isTransferMode(count, 5)) {
          this.#fail(ERROR_ABRT);
          return;
        }
        if (count >= 0x20) f.transferMode = count;
        break;
      case 0x55: // read look-ahead off, on; power-on defaults kept over SRST off, on
      case 0xaa:
      case 0x66:
      case 0xcc:
        break;
      default:
        this.#fail(ERROR_ABRT);
        return;
    }
    this.#busy("done", COMMAND_NS);
  }

  #verify(wide: boolean): void {
    const f = this.#f;
    const sector = sectorOf(f.task, wide, f);
    const count = countOf(f.task, wide);
    if (sector < 0 || sector + count > this.#backend.sectors) {
      this.#fail(ERROR_IDNF);
      return;
    }
    setSector(f.task, sector + count - 1, wide, f);
    this.#busy("done", COMMAND_NS + count * SECTOR_NS);
  }

  #beginTransfer(transfer: TransferCommand): void {
    const f = this.#f;
    const sector = sectorOf(f.task, transfer.wide, f);
    f.sector = sector;
    f.left = countOf(f.task, transfer.wide);
    if (transfer.multiple && f.multiple === 0) {
      this.#fail(ERROR_ABRT);
      return;
    }
    if (sector < 0 || sector >= this.#backend.sectors) {
      this.#fail(ERROR_IDNF);
      return;
    }
    if (transfer.dma) {
      f.task.status = STATUS_BSY;
      f.dmaWaiting = true;
      this.#host.dmaReady();
    } else if (transfer.write) {
      f.block = this.#blockSectors(transfer);
      this.#busy("writeReady", WRITE_READY_NS);
    } else {
      f.block = this.#blockSectors(transfer);
      this.#busy("read", COMMAND_NS + f.block * SECTOR_NS);
    }
  }

  #blockSectors(transfer: TransferCommand): number {
    return Math.min(this.#f.left, transfer.multiple ? this.#f.multiple : 1);
  }

  /** The bus master runs and the disk waits for it. */
  startDma(): void {
    const f = this.#f;
    if (!f.dmaWaiting) return;
    f.dmaWaiting = false;
    this.#busy("dma", COMMAND_NS + f.left * SECTOR_NS);
  }

  #busy(step: Step, ns: number): void {
    const f = this.#f;
    f.task.status = STATUS_BSY;
    f.step = step;
    f.stepNs = this.#clock.now() + ns;
    this.#timer.arm(f.stepNs);
  }

  #ring(): void {
    const f = this.#f;
    const step = f.step;
    f.step = "";
    f.stepNs = null;
    switch (step) {
      case "read":
        this.#readBlock();
        return;
      case "writeReady":
        this.#requestData();
        return;
      case "write":
        this.#writeBlock();
        return;
      case "dma":
        this.#dma();
        return;
      case "flush":
        try {
          this.#backend.flush();
        } catch {
          this.#fail(ERROR_ABRT, STATUS_DF);
          return;
        }
        this.#complete();
        return;
      default:
        this.#complete();
    }
  }

  /** Ends the command without error. */
  #complete(): void {
    this.#f.command = 0;
    this.#f.task.status = STATUS_DRDY | STATUS_DSC;
    this.#host.interrupt(true);
  }

  #fail(error: number, status = 0): void {
    const f = this.#f;
    f.command = 0;
    f.task.error = error;
    f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_ERR | status;
    this.#host.interrupt(true);
  }

  /** A sector that cannot be reached: the task file names it. */
  #failAt(sector: number, error: number, wide: boolean): void {
    const f = this.#f;
    setSector(f.task, sector, wide, f);
    f.task.count = f.left & 0xff;
    f.task.previousCount = (f.left >> 8) & 0xff;
    this.#fail(error);
  }

  /** Fetches from the file; 0 or the ATA error. */
  #fetch(sector: number, into: Uint8Array): number {
    if (sector + into.length / SECTOR_BYTES > this.#backend.sectors) return ERROR_IDNF;
    try {
      this.#backend.read(sector, into);
      return 0;
    } catch {
      return ERROR_UNC;
    }
  }

  #store(sector: number, from: Uint8Array): number {
    if (sector + from.length / SECTOR_BYTES > this.#backend.sectors) return ERROR_IDNF;
    if (this.#backend.readOnly) return ERROR_ABRT;
    try {
      this.#backend.write(sector, from);
      return 0;
    } catch {
      return ERROR_ABRT;
    }
  }

  #readBlock(): void {
    const f = this.#f;
    if (f.command === COMMAND.identify) {
      f.data = Array.from(this.#identify());
      f.block = 1;
    } else {
      const bytes = new Uint8Array(f.block * SECTOR_BYTES);
      const error = this.#fetch(f.sector, bytes);
      if (error !== 0) {
        this.#failAt(f.sector, error, TRANSFERS[f.command]?.wide ?? false);
        return;
      }
      f.data = Array.from(bytes);
    }
    f.position = 0;
    f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
    this.#host.interrupt(true);
  }

  #identify(): Uint8Array {
    const f = this.#f;
    return identifyDevice({
      sectors: this.#backend.sectors,
      model: "OVERTURE DISK",
      serial: `OV${this.#slave ? "0002" : "0001"}`,
      heads: f.heads,
      trackSectors: f.trackSectors,
      multiple: f.multiple,
      transferMode: f.transferMode,
      writeCache: f.writeCache,
      slave: this.#slave,
    });
  }

  #requestData(): void {
    const f = this.#f;
    f.data = new Array<number>(f.block * SECTOR_BYTES).fill(0);
    f.position = 0;
    f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
  }

  #writeBlock(): void {
    const f = this.#f;
    const transfer = TRANSFERS[f.command];
    if (transfer === undefined) return;
    const error = this.#store(f.sector, Uint8Array.from(f.data));
    if (error !== 0) {
      this.#failAt(f.sector, error, transfer.wide);
      return;
    }
    this.#advance(f.block, transfer.wide);
    if (f.left === 0) {
      this.#complete();
      return;
    }
    f.block = this.#blockSectors(transfer);
    this.#requestData();
    this.#host.interrupt(true);
  }

  /** `count` sectors are done: address and count follow, ending on the last sector. */
  #advance(count: number, wide: boolean): void {
    const f = this.#f;
    f.sector += count;
    f.left -= count;
    setSector(f.task, f.left === 0 ? f.sector - 1 : f.sector, wide, f);
    f.task.count = f.left & 0xff;
    f.task.previousCount = (f.left >> 8) & 0xff;
  }

  #dma(): void {
    const f = this.#f;
    const transfer = TRANSFERS[f.command];
    if (transfer === undefined) return;
    while (f.left > 0) {
      const count = Math.min(f.left, DMA_CHUNK, this.#backend.sectors - f.sector);
      if (count === 0) {
        this.#host.dmaDone();
        this.#failAt(f.sector, ERROR_IDNF, transfer.wide);
        return;
      }
      const bytes = new Uint8Array(count * SECTOR_BYTES);
      let error = transfer.write ? 0 : this.#fetch(f.sector, bytes);
      if (error === 0) {
        const moved = this.#host.dmaMove(bytes, !transfer.write);
        // The bus master's list ended first: the disk waits on, until it is reset (290550 §2.3.3).
        if (moved < bytes.length) {
          f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
          return;
        }
        if (transfer.write) error = this.#store(f.sector, bytes);
      }
      if (error !== 0) {
        this.#host.dmaDone();
        this.#failAt(f.sector, error, transfer.wide);
        return;
      }
      this.#advance(count, transfer.wide);
    }
    this.#host.dmaDone();
    this.#complete();
  }

  /** The data register: 16 bits (or two of them). */
  readData(size: 1 | 2 | 4): number {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || this.#writing()) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) value |= (f.data[f.position + i] ?? 0) << (8 * i);
    f.position += size;
    if (f.position >= f.data.length) this.#blockRead();
    return value >>> 0;
  }

  /** The data register. */
  writeData(size: 1 | 2 | 4, value: number): void {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || !this.#writing()) return;
    for (let i = 0; i < size; i++) {
      if (f.position < f.data.length) f.data[f.position++] = (value >>> (8 * i)) & 0xff;
    }
    if (f.position >= f.data.length) this.#busy("write", COMMAND_NS + f.block * SECTOR_NS);
  }

  readBlock(size: 1 | 2 | 4, count: number, into: Uint8Array, at: number): number {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || this.#writing()) return 0;
    const elements = beforeLast(f.data.length - f.position, size, count);
    for (let i = 0; i < elements * size; i++) into[at + i] = f.data[f.position++] as number;
    return elements;
  }
  writeBlock(size: 1 | 2 | 4, count: number, from: Uint8Array, at: number): number {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || !this.#writing()) return 0;
    const elements = beforeLast(f.data.length - f.position, size, count);
    for (let i = 0; i < elements * size; i++) f.data[f.position++] = from[at + i] as number;
    return elements;
  }

  #writing(): boolean {
    const transfer = TRANSFERS[this.#f.command];
    return transfer !== undefined && transfer.write;
  }

  #blockRead(): void {
    const f = this.#f;
    const transfer = TRANSFERS[f.command];
    f.data = [];
    f.position = 0;
    if (transfer === undefined || transfer.dma) {
      // IDENTIFY: its one block ends the command; no interrupt after the last data.
      f.command = 0;
      f.task.status = STATUS_DRDY | STATUS_DSC;
      return;
    }
    this.#advance(f.block, transfer.wide);
    if (f.left === 0) {
      f.command = 0;
      f.task.status = STATUS_DRDY | STATUS_DSC;
      return;
    }
    f.block = this.#blockSectors(transfer);
    this.#busy("read", f.block * SECTOR_NS);
  }

  /** EXECUTE DEVICE DIAGNOSTIC, which the channel gives to both drives. */
  diagnose(): void {
    this.softReset();
    this.#f.task.error = DIAGNOSTIC_PASSED;
  }
}
