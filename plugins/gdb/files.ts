/**
 * Files that a client may read through the debugger: the program with the symbols, under its name.
 * Source: "Debugging with GDB", appendix E.7 (Host I/O Packets), E.7.10 (`struct stat`).
 *
 * @module
 */
import { fromHex, toBinary } from "./packets.ts";

const ENOENT = 2;
const EBADF = 9;
const EINVAL = 22;
/** Bytes of the protocol's `struct stat`, big-endian; st_mode at 8, st_size at 28. */
const STAT_BYTES = 64;
const MODE_AT = 8;
const SIZE_AT = 28;
const REGULAR_READABLE = 0o100444;

const failure = (number: number): string => `F-1,${number.toString(16)}`;
const attached = (bytes: Uint8Array): string => `F${bytes.length.toString(16)};${toBinary(bytes)}`;

/** Answers `vFile` packets. */
export class HostFiles {
  readonly #file: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  readonly #open = new Set<number>();
  #next = 3;

  /** `file`: the one that there is. */
  constructor(file: { readonly name: string; readonly bytes: Uint8Array } | undefined) {
    this.#file = file;
  }

  /** The file's name. */
  get name(): string | undefined {
    return this.#file?.name;
  }

  /** Answers what follows `vFile:`; "" for an operation that is not there. */
  handle(packet: string): string {
    const colon = packet.indexOf(":");
    const words = packet.slice(colon + 1).split(",");
    const bytes = this.#file?.bytes ?? new Uint8Array();
    const handle = Number.parseInt(words[0] ?? "", 16);
    switch (packet.slice(0, colon)) {
      case "setfs":
        return "F0";
      case "open":
        return this.#openFile(words[0] ?? "");
      case "close":
        return this.#open.delete(handle) ? "F0" : failure(EBADF);
      case "pread": {
        if (!this.#open.has(handle)) return failure(EBADF);
        const [count = NaN, offset = NaN] = words.slice(1).map((word) => Number.parseInt(word, 16));
        if (Number.isNaN(count + offset)) return failure(EINVAL);
        return attached(bytes.subarray(offset, offset + count));
      }
      case "fstat": {
        if (!this.#open.has(handle)) return failure(EBADF);
        const view = new DataView(new ArrayBuffer(STAT_BYTES));
        view.setUint32(MODE_AT, REGULAR_READABLE);
        view.setBigUint64(SIZE_AT, BigInt(bytes.length));
        return attached(new Uint8Array(view.buffer));
      }
      default:
        return "";
    }
  }

  #openFile(name: string): string {
    const path = fromHex(name);
    const known = path !== undefined && new TextDecoder().decode(path) === this.#file?.name;
    if (!known) return failure(ENOENT);
    const handle = this.#next++;
    this.#open.add(handle);
    return `F${handle.toString(16)}`;
  }
}
