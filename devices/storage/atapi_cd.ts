/**
 * A CD-ROM drive on an IDE channel: the packet protocol of ATAPI around {@link CdRom}.
 *
 * A command packet is asked for without an interrupt, within 50 µs. Data go to the host in blocks of the byte count
 * that the command gave, each with an interrupt, or all at once by DMA. The sector count register is the
 * interrupt reason: C/D (bit 0) and I/O (bit 1).
 *
 * Sources: ATA/ATAPI-6 (T13/1410D r3b) §8.23 "PACKET", §8.16 "IDENTIFY PACKET DEVICE", §9.12 (signature), §9.7–9.9.
 *
 * @module
 */
import type { BlockBackend } from "../bus/block.ts";
import type { Clock, Timer } from "../bus/clock.ts";
import { restoreFields, type Saved, saveFields } from "../bus/device.ts";
import { type AtaDrive, type AtaHost, beforeLast } from "./ata_drive.ts";
import { identifyPacketDevice } from "./ata_identity.ts";
import {
  COMMAND,
  ERROR_ABRT,
  isTransferMode,
  PACKET_COMMAND,
  signature,
  STATUS_BSY,
  STATUS_DRDY,
  STATUS_DRQ,
  STATUS_DSC,
  STATUS_ERR,
  type TaskFile,
} from "./ata_registers.ts";
import { CD_SECTOR_BYTES, CdRom, type CdRomState, type Sense } from "./cd_rom.ts";

const NAME = "ATAPI CD-ROM";
const PACKET_BYTES = 12;
/** From a command to its request for the packet, from the packet to the first data, and a sector. */
const PACKET_NS = 10_000;
const COMMAND_NS = 60_000;
const SECTOR_NS = 40_000;
/** Sectors fetched from the medium at a time. */
const CHUNK = 32;
/** A byte count of 0 or of 65535 is this (§8.23). */
const MOST_BYTES = 0xfffe;
const FEATURE_DMA = 0x01;
/** Interrupt reasons. */
const REASON = { packet: 0x01, toHost: 0x02, done: 0x03 } as const;

type Step = "" | "packet" | "execute" | "block" | "dma" | "identify" | "done";

/** The signature of a packet device (§9.12). */
function packetSignature(): TaskFile {
  return { ...signature(), mid: 0x14, high: 0xeb, status: 0 };
}

function powerOn() {
  return {
    task: packetSignature(),
    command: 0,
    step: "" as string,
    stepNs: null as number | null,
    dma: false,
    dmaWaiting: false,
    /** The packet while it comes; then data at hand for the host. */
    data: [] as number[],
    position: 0,
    /** End of the block that the host may take. */
    blockEnd: 0,
    blockLimit: 0,
    /** Sectors that are still to be fetched. */
    sector: 0,
    left: 0,
    transferMode: 0x22,
  };
}

/** The drive. */
export class AtapiCd implements AtaDrive {
  readonly #clock: Clock;
  readonly #host: AtaHost;
  readonly #slave: boolean;
  readonly #timer: Timer;
  /** Tray and medium. */
  readonly cd: CdRom;
  #f = powerOn();

  /** A drive after reset; `medium` in sectors of 512 bytes, read in those of 2048. */
  constructor(
    options: { clock: Clock; medium: BlockBackend | undefined; host: AtaHost; slave: boolean },
  ) {
    this.#clock = options.clock;
    this.#host = options.host;
    this.#slave = options.slave;
    this.cd = new CdRom(options.medium);
    this.#timer = options.clock.timer(() => this.#ring());
  }

  get task(): TaskFile {
    return this.#f.task;
  }

  reset(): void {
    this.#f = powerOn();
    this.#timer.cancel();
    this.cd.reset();
    this.#host.interrupt(false);
  }

  softReset(): void {
    const { transferMode } = this.#f;
    this.#f = { ...powerOn(), transferMode };
    this.#timer.cancel();
    this.#host.interrupt(false);
  }

  diagnose(): void {
    this.softReset();
  }

  save(): Saved {
    return saveFields(NAME, 1, { ...this.#f, cd: this.cd.state });
  }

  restore(saved: Saved): void {
    const { cd, ...fields } = restoreFields(
      NAME,
      1,
      { ...powerOn(), cd: this.cd.state },
      saved,
    );
    this.#f = fields;
    this.cd.state = cd as CdRomState;
    if (this.#f.stepNs === null) this.#timer.cancel();
    else this.#timer.arm(this.#f.stepNs);
  }

  execute(command: number): void {
    const f = this.#f;
    if (command === PACKET_COMMAND.deviceReset) {
      // Also while busy; without an interrupt (§8.10).
      this.softReset();
      return;
    }
    if ((f.task.status & STATUS_BSY) !== 0) return;
    this.#host.interrupt(false);
    f.command = command;
    f.task.error = 0;
    f.data = [];
    f.position = 0;
    f.left = 0;
    f.dmaWaiting = false;
    switch (command) {
      case PACKET_COMMAND.packet: {
        f.dma = (f.task.feature & FEATURE_DMA) !== 0;
        const count = f.task.mid | (f.task.high << 8);
        f.blockLimit = count === 0 || count === 0xffff ? MOST_BYTES : count;
        this.#busy("packet", PACKET_NS);
        return;
      }
      case PACKET_COMMAND.identifyPacket:
        this.#busy("identify", COMMAND_NS);
        return;
      case COMMAND.identify: {
        // Aborted, with the signature by which a host knows a packet device (§8.15.5).
        const { device } = f.task;
        f.task = { ...packetSignature(), device };
        this.#abort();
        return;
      }
      case COMMAND.setFeatures:
        this.#setFeatures();
        return;
      case COMMAND.checkPower:
        f.task.count = 0xff;
        this.#busy("done", COMMAND_NS);
        return;
      case COMMAND.idle:
      case COMMAND.idleImmediate:
      case COMMAND.standby:
      case COMMAND.standbyImmediate:
      case COMMAND.sleep:
        this.#busy("done", COMMAND_NS);
        return;
      default:
        this.#abort();
    }
  }

  #setFeatures(): void {
    const f = this.#f;
    const { feature, count } = f.task;
    if (feature === 0x03 && isTransferMode(count, 2)) {
      if (count >= 0x20) f.transferMode = count;
      this.#busy("done", COMMAND_NS);
    } else if (feature === 0x66 || feature === 0xcc) this.#busy("done", COMMAND_NS);
    else this.#abort();
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
    const step = f.step as Step;
    f.step = "";
    f.stepNs = null;
    switch (step) {
      case "packet":
        f.task.count = REASON.packet;
        f.task.status = STATUS_DRDY | STATUS_DRQ;
        return;
      case "execute":
        this.#executePacket();
        return;
      case "block":
        this.#offerBlock();
        return;
      case "dma":
        this.#dma();
        return;
      case "identify":
        f.data = Array.from(
          identifyPacketDevice({ transferMode: f.transferMode, slave: this.#slave }),
        );
        f.blockEnd = f.data.length;
        f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
        this.#host.interrupt(true);
        return;
      default:
        f.command = 0;
        f.task.status = STATUS_DRDY | STATUS_DSC;
        this.#host.interrupt(true);
    }
  }

  #abort(): void {
    const f = this.#f;
    f.command = 0;
    f.task.error = ERROR_ABRT;
    f.task.status = STATUS_DRDY | STATUS_ERR;
    this.#host.interrupt(true);
  }

  #executePacket(): void {
    const f = this.#f;
    const packet = Uint8Array.from(f.data);
    f.data = [];
    f.position = 0;
    const outcome = this.cd.execute(packet);
    switch (outcome.kind) {
      case "failed":
        this.#fail(outcome.sense);
        return;
      case "done":
        this.#complete();
        return;
      case "data":
        f.data = Array.from(outcome.bytes);
        break;
      case "sectors":
        f.sector = outcome.first;
        f.left = outcome.count;
    }
    if (f.dma) {
      f.dmaWaiting = true;
      this.#host.dmaReady();
    } else this.#busy("block", this.#fetchNs());
  }

  /** Time until the next block is at hand. */
  #fetchNs(): number {
    const { left, blockLimit, data, position } = this.#f;
    const missing = Math.max(0, blockLimit - (data.length - position));
    return PACKET_NS + SECTOR_NS * Math.min(left, Math.ceil(missing / CD_SECTOR_BYTES));
  }

  /** Ends the packet command without error. */
  #complete(): void {
    const f = this.#f;
    f.command = 0;
    f.task.count = REASON.done;
    f.task.status = STATUS_DRDY | STATUS_DSC;
    this.#host.interrupt(true);
  }

  /** CHECK CONDITION: the sense key is in the error register too (§8.23.6). */
  #fail(sense: Sense): void {
    const f = this.#f;
    this.cd.keepSense(sense);
    f.command = 0;
    f.left = 0;
    f.task.count = REASON.done;
    f.task.error = (sense[0] << 4) | ERROR_ABRT;
    f.task.status = STATUS_DRDY | STATUS_ERR;
    this.#host.interrupt(true);
  }

  /** Fetches sectors until so many bytes are at hand; false, and the command failed, when one cannot be read. */
  #fetch(bytes: number): boolean {
    const f = this.#f;
    while (f.left > 0 && f.data.length - f.position < bytes) {
      const count = Math.min(f.left, CHUNK);
      const chunk = new Uint8Array(count * CD_SECTOR_BYTES);
      if (!this.cd.read(f.sector, chunk)) {
        this.#fail(this.cd.mediumError);
        return false;
      }
      f.data = [...f.data.slice(f.position), ...chunk];
      f.position = 0;
      f.sector += count;
      f.left -= count;
    }
    return true;
  }

  /** A block for the host to read, or the end. */
  #offerBlock(): void {
    const f = this.#f;
    if (!this.#fetch(f.blockLimit)) return;
    const waiting = f.data.length - f.position;
    if (waiting === 0) {
      this.#complete();
      return;
    }
    // All blocks but the last are of an even number of bytes.
    const length = waiting > f.blockLimit ? f.blockLimit & ~1 || 2 : waiting;
    f.blockEnd = f.position + length;
    f.task.mid = length & 0xff;
    f.task.high = length >> 8;
    f.task.count = REASON.toHost;
    f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
    this.#host.interrupt(true);
  }

  startDma(): void {
    const f = this.#f;
    if (!f.dmaWaiting) return;
    f.dmaWaiting = false;
    this.#busy("dma", COMMAND_NS + SECTOR_NS * f.left);
  }

  #dma(): void {
    const f = this.#f;
    for (;;) {
      if (!this.#fetch(CHUNK * CD_SECTOR_BYTES)) {
        this.#host.dmaDone();
        return;
      }
      const bytes = Uint8Array.from(f.data.slice(f.position));
      if (bytes.length === 0) break;
      f.data = [];
      f.position = 0;
      if (this.#host.dmaMove(bytes, true) < bytes.length) {
        // The bus master's list ended first: the drive waits on, until it is reset.
        f.task.status = STATUS_DRDY | STATUS_DSC | STATUS_DRQ;
        return;
      }
    }
    this.#host.dmaDone();
    this.#complete();
  }

  readData(size: 1 | 2 | 4): number {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || this.#takesPacket()) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) {
      if (f.position + i < f.blockEnd) value |= (f.data[f.position + i] ?? 0) << (8 * i);
    }
    f.position = Math.min(f.position + size, f.blockEnd);
    if (f.position < f.blockEnd) return value >>> 0;
    if (f.command === PACKET_COMMAND.packet) this.#busy("block", this.#fetchNs());
    else {
      f.command = 0;
      f.data = [];
      f.task.status = STATUS_DRDY | STATUS_DSC;
    }
    return value >>> 0;
  }

  readBlock(size: 1 | 2 | 4, count: number, into: Uint8Array, at: number): number {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || this.#takesPacket()) return 0;
    const elements = beforeLast(f.blockEnd - f.position, size, count);
    for (let i = 0; i < elements * size; i++) into[at + i] = f.data[f.position++] ?? 0;
    return elements;
  }
  /** Packets are short. */
  writeBlock(): number {
    return 0;
  }

  /** The drive waits for a command packet. */
  #takesPacket(): boolean {
    const { command, task } = this.#f;
    return command === PACKET_COMMAND.packet && task.count === REASON.packet;
  }

  writeData(size: 1 | 2 | 4, value: number): void {
    const f = this.#f;
    if ((f.task.status & STATUS_DRQ) === 0 || !this.#takesPacket()) return;
    for (let i = 0; i < size && f.data.length < PACKET_BYTES; i++) {
      f.data.push((value >>> (8 * i)) & 0xff);
    }
    if (f.data.length === PACKET_BYTES) {
      f.task.count = 0;
      this.#busy("execute", COMMAND_NS);
    }
  }
}
