/**
 * An IDE channel: the cable with up to two disks, the command and control blocks, the interrupt.
 *
 * Registers: {@link IdeChannel.command} offsets 0–7 (data, error/features … status/command),
 * {@link IdeChannel.control} offset 0 (alternate status, device control), {@link IdeChannel.master}
 * the bus master. Without any disk the registers read 0, as on a cable with nobody to drive it; of a
 * missing second disk the first one answers the registers, with status 0 (ATA/ATAPI-6 §9.16).
 *
 * Sources: ATA/ATAPI-6 (T13/1410D r3b) §7 "Registers", §9 "Protocol".
 *
 * @module
 */
import type { Clock } from "../bus/clock.ts";
import {
  type Device,
  type Registers,
  restoreFields,
  type Saved,
  saveFields,
  type Width,
} from "../bus/device.ts";
import type { BlockBackend } from "../bus/block.ts";
import type { Wire } from "../bus/wire.ts";
import { AtaDisk } from "./ata_disk.ts";
import type { AtaDrive, AtaHost } from "./ata_drive.ts";
import {
  COMMAND,
  CONTROL_HOB,
  CONTROL_NIEN,
  CONTROL_SRST,
  DEVICE_SLAVE,
  STATUS_BSY,
  type TaskFile,
} from "./ata_registers.ts";
import { AtapiCd } from "./atapi_cd.ts";
import { BusMaster, type DmaMemory } from "./bus_master.ts";

const NAME = "IDE channel";

function powerOn() {
  return { control: 0, device: 0, requests: [false, false] };
}

/** One channel. */
export class IdeChannel implements Device {
  readonly #irq: Wire;
  readonly #disks: readonly (AtaDrive | undefined)[];
  /** CD-ROM drives among them. */
  readonly #cdroms: readonly (AtapiCd | undefined)[];
  /** The bus master. */
  readonly master: BusMaster;
  #f = powerOn();

  /** The command block. */
  readonly command: Registers = {
    read: (offset: number, size: Width): number => this.#read(offset, size),
    write: (offset: number, size: Width, value: number): void => this.#write(offset, size, value),
    readBlock: (offset, size, count, into, at) =>
      offset === 0 ? this.#selected()?.readBlock(size, count, into, at) ?? 0 : 0,
    writeBlock: (offset, size, count, from, at) =>
      offset === 0 ? this.#selected()?.writeBlock(size, count, from, at) ?? 0 : 0,
  };

  /** The control block: one register. */
  readonly control: Registers = {
    read: (): number => this.#status(),
    write: (_offset: number, _size: Width, value: number): void => this.#writeControl(value),
  };

  /**
   * A channel with its disks, after reset.
   *
   * @param options.disks master and slave.
   * @param options.cdroms the same for CD-ROM drives, where there is no disk: `null` is a drive without a medium.
   * @param options.busMasterEnabled whether PCI lets the bus master work; default always.
   */
  constructor(options: {
    clock: Clock;
    irq: Wire;
    memory: DmaMemory;
    disks: readonly (BlockBackend | undefined)[];
    cdroms?: readonly (BlockBackend | null | undefined)[];
    busMasterEnabled?: () => boolean;
  }) {
    this.#irq = options.irq;
    this.master = new BusMaster({
      memory: options.memory,
      started: () => this.#selected()?.startDma(),
      ...(options.busMasterEnabled === undefined ? {} : { enabled: options.busMasterEnabled }),
    });
    const host = (unit: number): AtaHost => ({
      interrupt: (high: boolean) => this.#interrupt(unit, high),
      dmaReady: () => this.#dmaReady(unit),
      dmaMove: (bytes: Uint8Array, toMemory: boolean) => this.master.move(bytes, toMemory),
      dmaDone: () => this.master.finish(),
    });
    const { clock } = options;
    this.#cdroms = [0, 1].map((unit) => {
      const medium = options.cdroms?.[unit];
      if (medium === undefined || options.disks[unit] !== undefined) return undefined;
      return new AtapiCd({
        clock,
        medium: medium ?? undefined,
        host: host(unit),
        slave: unit === 1,
      });
    });
    this.#disks = [0, 1].map((unit) => {
      const backend = options.disks[unit];
      if (backend === undefined) return this.#cdroms[unit];
      return new AtaDisk({ clock, backend, host: host(unit), slave: unit === 1 });
    });
  }

  reset(): void {
    for (const disk of this.#disks) disk?.reset();
    this.master.reset();
    this.#f = powerOn();
    this.#update();
  }

  save(): Saved {
    const disks = this.#disks.map((disk) => disk?.save() ?? null);
    return { ...saveFields(NAME, 1, { ...this.#f, master: this.master.save(), disks }) };
  }

  restore(saved: Saved): void {
    const { master, disks, ...fields } = (saved.fields ?? {}) as Record<string, unknown>;
    const states = Array.isArray(disks) ? disks as (Saved | null)[] : [];
    const fit = this.#disks.every((disk, unit) => (disk === undefined) === !states[unit]);
    if (!fit || typeof master !== "object" || master === null) {
      throw new TypeError(`Cannot restore "${NAME}": its disks are others`);
    }
    this.#f = restoreFields(NAME, 1, powerOn(), { ...saved, fields });
    this.#disks.forEach((disk, unit) => {
      const state = states[unit];
      if (state) disk?.restore(state);
    });
    this.#update();
    // Last: that the line rises to what it was is no new interrupt.
    this.master.restore(master as Saved);
  }

  /** Changes the medium of a CD-ROM drive, `undefined` for none; nothing where there is no such drive. */
  insert(unit: 0 | 1, medium: BlockBackend | undefined): void {
    this.#cdroms[unit]?.cd.insert(medium);
  }

  #unit(): number {
    return (this.#f.device & DEVICE_SLAVE) !== 0 ? 1 : 0;
  }

  #selected(): AtaDrive | undefined {
    return this.#disks[this.#unit()];
  }

  #interrupt(unit: number, high: boolean): void {
    this.#f.requests[unit] = high;
    this.#update();
  }

  #dmaReady(unit: number): void {
    if (unit === this.#unit() && this.master.running) this.#disks[unit]?.startDma();
  }

  /** Only the selected disk drives INTRQ, and only with nIEN clear. */
  #update(): void {
    const request = this.#f.requests[this.#unit()] && (this.#f.control & CONTROL_NIEN) === 0;
    if (request && !this.#irq.level) this.master.interrupted();
    this.#irq.set(request);
  }

  #status(): number {
    if ((this.#f.control & CONTROL_SRST) !== 0 && this.#selected() !== undefined) return STATUS_BSY;
    return this.#selected()?.task.status ?? 0;
  }

  /** The disk whose registers answer: the selected one, or device 0 for a missing device 1, for which a packet device gives 0 (§9.16.2). */
  #answering(): TaskFile | undefined {
    const other = this.#cdroms[0] === undefined ? this.#disks[0] : undefined;
    return (this.#selected() ?? other)?.task;
  }

  #read(offset: number, size: Width): number {
    if (offset === 0) return this.#selected()?.readData(size) ?? 0;
    const t = this.#answering();
    if (t === undefined) return 0;
    const previous = (this.#f.control & CONTROL_HOB) !== 0;
    switch (offset) {
      case 1:
        return t.error;
      case 2:
        return previous ? t.previousCount : t.count;
      case 3:
        return previous ? t.previousLow : t.low;
      case 4:
        return previous ? t.previousMid : t.mid;
      case 5:
        return previous ? t.previousHigh : t.high;
      case 6:
        // The select bit is the cable's; the rest the disk's. Bits 7 and 5 read one (obsolete).
        return (t.device & ~DEVICE_SLAVE) | (this.#f.device & DEVICE_SLAVE) | 0xa0;
      default: {
        const status = this.#status();
        this.#interrupt(this.#unit(), false); // reading status answers the interrupt
        return status;
      }
    }
  }

  #write(offset: number, size: Width, value: number): void {
    const byte = value & 0xff;
    if (offset === 0) {
      this.#selected()?.writeData(size, value);
      return;
    }
    this.#f.control &= ~CONTROL_HOB; // any write to the command block ends reading the previous values
    if (offset === 7) {
      this.#execute(byte);
      return;
    }
    if (offset === 6) {
      this.#f.device = byte;
      this.#update();
    }
    // Both disks take what is written, less one that is busy.
    for (const disk of this.#disks) {
      if (disk !== undefined && (disk.task.status & STATUS_BSY) === 0) {
        this.#writeTask(disk.task, offset, byte);
      }
    }
  }

  #writeTask(t: TaskFile, offset: number, byte: number): void {
    switch (offset) {
      case 1:
        t.previousFeature = t.feature;
        t.feature = byte;
        return;
      case 2:
        t.previousCount = t.count;
        t.count = byte;
        return;
      case 3:
        t.previousLow = t.low;
        t.low = byte;
        return;
      case 4:
        t.previousMid = t.mid;
        t.mid = byte;
        return;
      case 5:
        t.previousHigh = t.high;
        t.high = byte;
        return;
      default:
        t.device = byte;
    }
  }

  #execute(command: number): void {
    if ((this.#f.control & CONTROL_SRST) !== 0) return;
    if (command !== COMMAND.diagnostic) {
      this.#selected()?.execute(command);
      return;
    }
    // Both disks run it; device 0 answers for both and interrupts (§8.9).
    for (const disk of this.#disks) disk?.diagnose();
    this.#f.device &= ~DEVICE_SLAVE;
    if (this.#disks[0] !== undefined) this.#interrupt(0, true);
  }

  #writeControl(value: number): void {
    const f = this.#f;
    const released = (f.control & ~value & CONTROL_SRST) !== 0;
    f.control = value & (CONTROL_HOB | CONTROL_SRST | CONTROL_NIEN);
    if (released) {
      for (const disk of this.#disks) disk?.softReset();
      f.device = 0;
      f.requests = [false, false];
    }
    this.#update();
  }
}
