/**
 * A CD-ROM drive behind its interface: tray, medium, sense data and the commands of MMC. It moves no bytes: a
 * command's outcome is data, sectors to be read, nothing, or a failure.
 *
 * After power-on or reset the first command that asks for the medium gets UNIT ATTENTION, and so does the first one
 * behind a change of media.
 *
 * Sources: INF-8020i (SFF-8020 r2.6) §10 "Packet commands"; MMC-3 (T10/1363-D r10g) §6; SPC-2 (T10/1236-D r20) §7.
 *
 * @module
 */
import type { BlockBackend } from "../bus/block.ts";

/** Bytes of a data sector of a CD. */
export const CD_SECTOR_BYTES = 2048;
/** Sectors of a disk in one of a CD. */
export const PARTS: number = CD_SECTOR_BYTES / 512;
/** A medium with more sectors than the longest CD is a DVD. */
const LONGEST_CD = 80 * 60 * 75;
/** Two seconds before the first sector, in MSF addresses. */
const LEAD_IN = 150;
const LEAD_OUT_TRACK = 0xaa;

/** Sense key, additional sense code, its qualifier. */
export type Sense = readonly [key: number, code: number, qualifier: number];

const NO_SENSE: Sense = [0, 0, 0];
const NO_MEDIUM: Sense = [2, 0x3a, 0x00];
const MEDIUM_ERROR: Sense = [3, 0x11, 0x00];
const UNKNOWN_COMMAND: Sense = [5, 0x20, 0x00];
const OUT_OF_RANGE: Sense = [5, 0x21, 0x00];
const BAD_FIELD: Sense = [5, 0x24, 0x00];
const NO_SAVING: Sense = [5, 0x39, 0x00];
const REMOVAL_PREVENTED: Sense = [5, 0x53, 0x02];
const NEW_MEDIUM: Sense = [6, 0x28, 0x00];
const WAS_RESET: Sense = [6, 0x29, 0x00];

/** What a command comes to. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "sectors"; readonly first: number; readonly count: number }
  | { readonly kind: "failed"; readonly sense: Sense };

const DONE: Outcome = { kind: "done" };
const failed = (sense: Sense): Outcome => ({ kind: "failed", sense });

/** Commands that a pending unit attention does not keep from working (SPC-2 §5.9.2, MMC-3 §4.1.6.1). */
const UNATTENTIVE: readonly number[] = [0x03, 0x12, 0x46, 0x4a];

/** State that is saved with the drive's. */
export interface CdRomState {
  sense: number[];
  /** The unit attention that waits. */
  attention: number[];
  open: boolean;
  prevented: boolean;
  /** Media events for GET EVENT STATUS NOTIFICATION: 0 none, 2 new medium, 3 medium removed. */
  event: number;
}

function powerOn(): CdRomState {
  return {
    sense: [...NO_SENSE],
    attention: [...WAS_RESET],
    open: false,
    prevented: false,
    event: 0,
  };
}

/** The drive. */
export class CdRom {
  #medium: BlockBackend | undefined;
  #f = powerOn();

  constructor(medium: BlockBackend | undefined) {
    this.#medium = medium;
  }

  get state(): CdRomState {
    return this.#f;
  }
  set state(state: CdRomState) {
    this.#f = state;
  }

  /** Sectors of the medium; 0 without one, or with the tray open. */
  get sectors(): number {
    return this.#f.open || this.#medium === undefined
      ? 0
      : Math.floor(this.#medium.sectors / PARTS);
  }

  /** Reset: the tray stays as it is. */
  reset(): void {
    this.#f = { ...powerOn(), open: this.#f.open };
  }

  /** Puts another medium in, or none, as if the tray had been opened by hand. */
  insert(medium: BlockBackend | undefined): void {
    this.#medium = medium;
    this.#f.open = false;
    this.#f.event = medium === undefined ? 3 : 2;
    if (medium !== undefined) this.#f.attention = [...NEW_MEDIUM];
  }

  /** Keeps the sense for REQUEST SENSE. */
  keepSense(sense: Sense): void {
    this.#f.sense = [...sense];
  }

  /** Reads whole sectors; false where the host's file cannot be read. */
  read(first: number, into: Uint8Array): boolean {
    try {
      this.#medium?.read(first * PARTS, into);
      return this.#medium !== undefined;
    } catch {
      return false;
    }
  }

  /** The sense of a sector that cannot be read. */
  readonly mediumError: Sense = MEDIUM_ERROR;

  /** Executes a command packet of 12 bytes. */
  execute(packet: Uint8Array): Outcome {
    const f = this.#f;
    const operation = packet[0] as number;
    if (f.attention[0] !== 0 && !UNATTENTIVE.includes(operation)) {
      const [key, code, qualifier] = f.attention as [number, number, number];
      f.attention = [...NO_SENSE];
      return failed([key, code, qualifier]);
    }
    if (operation !== 0x03) f.sense = [...NO_SENSE];
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    const ready = (use: () => Outcome): Outcome => this.sectors === 0 ? failed(NO_MEDIUM) : use();
    switch (operation) {
      case 0x00: // TEST UNIT READY
        return ready(() => DONE);
      case 0x03:
        return this.#requestSense(view.getUint8(4));
      case 0x12: // INQUIRY: no vital product data
        return ((packet[1] as number) & 1) !== 0
          ? failed(BAD_FIELD)
          : cut(inquiry(), view.getUint8(4));
      case 0x1a:
        return this.#modeSense(packet, 4, view.getUint8(4));
      case 0x5a:
        return this.#modeSense(packet, 8, view.getUint16(7));
      case 0x1b:
        return this.#startStop(view.getUint8(4));
      case 0x1e: // PREVENT ALLOW MEDIUM REMOVAL
        f.prevented = (view.getUint8(4) & 1) !== 0;
        return DONE;
      case 0x25: // READ CAPACITY
        return ready(() =>
          data(8, (out) => {
            out.setUint32(0, this.sectors - 1);
            out.setUint32(4, CD_SECTOR_BYTES);
          })
        );
      case 0x28:
        return ready(() => this.#read(view.getUint32(2), view.getUint16(7)));
      case 0xa8:
        return ready(() => this.#read(view.getUint32(2), view.getUint32(6)));
      case 0xbe:
        return ready(() => this.#readCd(packet, view));
      case 0x2b: // SEEK (10)
        return ready(() => view.getUint32(2) < this.sectors ? DONE : failed(OUT_OF_RANGE));
      case 0x42:
        return ready(() => subChannel(packet, view.getUint16(7)));
      case 0x43:
        return ready(() => this.#readToc(packet, view.getUint16(7)));
      case 0x46:
        return this.#configuration(view.getUint16(2), view.getUint16(7), (packet[1] as number) & 3);
      case 0x4a:
        return this.#eventStatus(packet, view.getUint16(7));
      case 0x51:
        return ready(() => discInformation(view.getUint16(7)));
      case 0xbd: // MECHANISM STATUS
        return cut(new Uint8Array([0, f.open ? 0x10 : 0, 0, 0, 0, 0, 0, 0]), view.getUint16(8));
      case 0xbb: // SET CD SPEED: as fast as it is
        return DONE;
      default:
        return failed(UNKNOWN_COMMAND);
    }
  }

  #requestSense(length: number): Outcome {
    const f = this.#f;
    // A unit attention that nobody was told of is told here.
    const pending = f.sense[0] === 0 && f.attention[0] !== 0;
    const [key, code, qualifier] = (pending ? f.attention : f.sense) as [number, number, number];
    if (pending) f.attention = [...NO_SENSE];
    f.sense = [...NO_SENSE];
    const bytes = new Uint8Array(18);
    bytes[0] = 0x70; // current error, fixed format
    bytes[2] = key;
    bytes[7] = bytes.length - 8;
    bytes[12] = code;
    bytes[13] = qualifier;
    return cut(bytes, length);
  }

  #startStop(how: number): Outcome {
    const f = this.#f;
    if ((how & 2) === 0) return DONE; // the motor
    if ((how & 1) !== 0) {
      if (f.open && this.#medium !== undefined) {
        f.event = 2;
        f.attention = [...NEW_MEDIUM];
      }
      f.open = false;
      return DONE;
    }
    if (f.prevented) return failed(REMOVAL_PREVENTED);
    f.open = true;
    f.event = 3;
    return DONE;
  }

  #read(first: number, count: number): Outcome {
    if (first + count > this.sectors) return failed(OUT_OF_RANGE);
    return count === 0 ? DONE : { kind: "sectors", first, count };
  }

  /** READ CD, of user data alone (MMC-3 §6.21). */
  #readCd(packet: Uint8Array, view: DataView): Outcome {
    const count = view.getUint32(5) & 0xffffff;
    const parts = (packet[9] as number) & 0xf8;
    if (parts === 0) return DONE;
    return parts === 0x10 ? this.#read(view.getUint32(2), count) : failed(BAD_FIELD);
  }

  /** READ TOC/PMA/ATIP: one data track, one session. */
  #readToc(packet: Uint8Array, length: number): Outcome {
    const msf = ((packet[1] as number) & 2) !== 0;
    const format = ((packet[2] as number) & 15) || ((packet[9] as number) >> 6);
    const track = packet[6] as number;
    const bytes: number[] = [0, 0, 1, 1];
    const put = (number: number, sector: number): void => {
      bytes.push(0, 0x14, number, 0, ...address(sector, msf));
    };
    if (format === 0) {
      if (track > 1 && track !== LEAD_OUT_TRACK) return failed(BAD_FIELD);
      if (track <= 1) put(1, 0);
      put(LEAD_OUT_TRACK, this.sectors);
    } else if (format === 1) put(1, 0);
    else if (format === 2) {
      const point = (number: number, values: number[]): void => {
        bytes.push(1, 0x14, 0, number, 0, 0, 0, 0, ...values);
      };
      point(0xa0, [1, 0, 0]);
      point(0xa1, [1, 0, 0]);
      point(0xa2, address(this.sectors, true).slice(1));
      point(1, address(0, true).slice(1));
    } else return failed(BAD_FIELD);
    const table = Uint8Array.from(bytes);
    new DataView(table.buffer).setUint16(0, table.length - 2);
    return cut(table, length);
  }

  /** GET CONFIGURATION (MMC-3 §6.6): profiles CD-ROM and DVD-ROM. */
  #configuration(first: number, length: number, which: number): Outcome {
    const present = this.sectors > 0;
    const dvd = this.sectors > LONGEST_CD;
    const profile = !present ? 0 : dvd ? 0x10 : 0x08;
    // Number, version and whether it is persistent, current, data.
    const features: [number, number, boolean, number[]][] = [
      [0x0000, 0x03, present, [0, 0x10, dvd ? 1 : 0, 0, 0, 0x08, present && !dvd ? 1 : 0, 0]],
      [0x0001, 0x03, true, [0, 0, 0, 2]], // core: ATAPI
      [0x0003, 0x03, true, [0x29, 0, 0, 0]], // removable: tray, ejects, locks
      [0x0010, 0x00, present, [0, 0, 8, 0, 0, 1, 0, 0]], // random readable, blocks of 2048
      [0x001e, 0x00, present && !dvd, [0, 0, 0, 0]], // CD read
      [0x001f, 0x00, present && dvd, []], // DVD read
    ];
    const bytes: number[] = [0, 0, 0, 0, 0, 0, profile >> 8, profile & 0xff];
    for (const [number, version, current, contents] of features) {
      const wanted = which === 2 ? number === first : number >= first && (which === 0 || current);
      if (!wanted) continue;
      bytes.push(number >> 8, number & 0xff, version | (current ? 1 : 0), contents.length);
      bytes.push(...contents);
    }
    const out = Uint8Array.from(bytes);
    new DataView(out.buffer).setUint32(0, out.length - 4);
    return cut(out, length);
  }

  /** GET EVENT STATUS NOTIFICATION, polled: of media. */
  #eventStatus(packet: Uint8Array, length: number): Outcome {
    const f = this.#f;
    if (((packet[1] as number) & 1) === 0) return failed(BAD_FIELD);
    const MEDIA = 4;
    if (((packet[4] as number) & (1 << MEDIA)) === 0) {
      return cut(new Uint8Array([0, 2, 0x80, 1 << MEDIA]), length);
    }
    const status = (f.open ? 1 : 0) | (this.sectors > 0 ? 2 : 0);
    const { event } = f;
    f.event = 0;
    return cut(new Uint8Array([0, 6, MEDIA, 1 << MEDIA, event, status, 0, 0]), length);
  }

  /** MODE SENSE (6) and (10): error recovery, capabilities. */
  #modeSense(packet: Uint8Array, headerBytes: 4 | 8, length: number): Outcome {
    const control = (packet[2] as number) >> 6;
    const page = (packet[2] as number) & 0x3f;
    if (control === 3) return failed(NO_SAVING);
    const pages: number[] = [];
    if (page === 0x01 || page === 0x3f) pages.push(0x01, 6, 0, 5, 0, 0, 0, 0);
    if (page === 0x2a || page === 0x3f) pages.push(...this.#capabilities());
    if (pages.length === 0) return failed(BAD_FIELD);
    // Values that MODE SELECT could change: none.
    if (control === 1) pages.fill(0, 2);
    const medium = this.#f.open ? 0x71 : this.sectors === 0 ? 0x70 : 0x01;
    const bytes = new Uint8Array(headerBytes + pages.length);
    bytes.set(pages, headerBytes);
    if (headerBytes === 4) {
      bytes[0] = bytes.length - 1;
      bytes[1] = medium;
    } else {
      new DataView(bytes.buffer).setUint16(0, bytes.length - 2);
      bytes[2] = medium;
    }
    return cut(bytes, length);
  }

  /** CD capabilities and mechanical status (INF-8020i §10.8.6.4). */
  #capabilities(): number[] {
    const speed = 8467; // 48 times 176.4 kB/s
    const word = (value: number): number[] => [value >> 8, value & 0xff];
    return [
      ...[0x2a, 18, 0, 0, 0, 0x20], // multi-session
      0x29 | (this.#f.prevented ? 2 : 0), // tray, ejects, locks
      0,
      ...word(speed),
      ...word(2),
      ...word(512),
      ...word(speed),
      ...[0, 0, 0, 0],
    ];
  }
}

/** The first bytes of an answer, as many as the host has room for. */
function cut(bytes: Uint8Array, length: number): Outcome {
  return length === 0 ? DONE : { kind: "data", bytes: bytes.subarray(0, length) };
}

function data(length: number, fill: (view: DataView) => void): Outcome {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer));
  return { kind: "data", bytes };
}

/** Four bytes: a sector's number, or minutes, seconds and frames. */
function address(sector: number, msf: boolean): number[] {
  if (!msf) return [sector >>> 24, (sector >> 16) & 0xff, (sector >> 8) & 0xff, sector & 0xff];
  const frame = sector + LEAD_IN;
  return [0, Math.floor(frame / (60 * 75)) & 0xff, Math.floor(frame / 75) % 60, frame % 75];
}

function inquiry(): Uint8Array {
  const bytes = new Uint8Array(36).fill(0x20);
  // CD-ROM, removable, ATAPI (version 0, response format 2 of version 2).
  bytes.set([5, 0x80, 0, 0x21, bytes.length - 5, 0, 0, 0]);
  const text = new TextEncoder();
  bytes.set(text.encode("OVERTURE"), 8);
  bytes.set(text.encode("CD-ROM"), 16);
  bytes.set(text.encode("1.0"), 32);
  return bytes;
}

/** READ SUB-CHANNEL: nothing plays. */
function subChannel(packet: Uint8Array, length: number): Outcome {
  const wanted = ((packet[2] as number) & 0x40) !== 0;
  const NO_AUDIO = 0x15;
  if (!wanted) return cut(new Uint8Array([0, NO_AUDIO, 0, 0]), length);
  if (packet[3] !== 1) return failed(BAD_FIELD);
  const bytes = new Uint8Array(16);
  bytes.set([0, NO_AUDIO, 0, 12, 1, 0x14, 1, 1]);
  return cut(bytes, length);
}

/** READ DISC INFORMATION: complete, one session, one track. */
function discInformation(length: number): Outcome {
  const bytes = new Uint8Array(34);
  bytes.set([0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
  bytes.fill(0xff, 16, 24);
  return cut(bytes, length);
}
