/**
 * The script by which a BIOS puts ACPI tables into memory: allocate files, add their addresses to pointers, make
 * checksums. The same script is run here when there is no BIOS.
 *
 * An entry has 128 bytes: a command, and its operands. A file's name has 56 bytes with its end. A pointer holds an
 * offset into the file that it points into, and becomes an address.
 *
 * Sources: QEMU docs/specs and hw/acpi/bios-linker-loader.c's description of the interface "etc/table-loader",
 * SeaBIOS src/fw/romfile_loader.h.
 *
 * @module
 */

const ENTRY_BYTES = 128;
const NAME_BYTES = 56;
const COMMAND = { ALLOCATE: 1, ADD_POINTER: 2, ADD_CHECKSUM: 3 } as const;

/** Where a file is to be put: anywhere in high memory, or where the root pointer is searched (F0000h–FFFFFh). */
export const ZONE = { HIGH: 1, F_SEGMENT: 2 } as const;
/** One of {@link ZONE}. */
export type Zone = (typeof ZONE)[keyof typeof ZONE];

/** Files by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** A script in the making. */
export class LoaderScript {
  readonly #entries: Uint8Array[] = [];

  #entry(
    command: number,
    names: readonly string[],
    operands: readonly (readonly [number, 1 | 4])[],
  ): void {
    const entry = new Uint8Array(ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    view.setUint32(0, command, true);
    let at = 4;
    for (const name of names) {
      const text = new TextEncoder().encode(name);
      if (text.length >= NAME_BYTES) throw new RangeError(`"${name}" is longer than 55 bytes`);
      entry.set(text, at);
      at += NAME_BYTES;
    }
    for (const [value, size] of operands) {
      if (size === 4) view.setUint32(at, value, true);
      else view.setUint8(at, value);
      at += size;
    }
    this.#entries.push(entry);
  }

  /** Memory for `file`, aligned to a power of two. */
  allocate(file: string, alignment: number, zone: Zone): void {
    this.#entry(COMMAND.ALLOCATE, [file], [[alignment, 4], [zone, 1]]);
  }

  /** The pointer of `size` bytes at `offset` in `file` points into `target`. */
  addPointer(file: string, offset: number, size: 4 | 8, target: string): void {
    this.#entry(COMMAND.ADD_POINTER, [file, target], [[offset, 4], [size, 1]]);
  }

  /** The byte at `offset` in `file` makes the sum of so many bytes from `start` zero. */
  addChecksum(file: string, offset: number, start: number, length: number): void {
    this.#entry(COMMAND.ADD_CHECKSUM, [file], [[offset, 4], [start, 4], [length, 4]]);
  }

  /** The script. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(ENTRY_BYTES * this.#entries.length);
    this.#entries.forEach((entry, index) => bytes.set(entry, ENTRY_BYTES * index));
    return bytes;
  }
}

/**
 * Does what a BIOS does with the script.
 *
 * @param allocate the address for a file, 0..2^32−1
 * @returns the files as they are in memory, and where
 * @throws {TypeError} when the script names no file or is none
 */
export function runLoaderScript(
  script: Uint8Array,
  files: Files,
  allocate: (file: string, bytes: number, alignment: number, zone: number) => number,
): Map<string, { readonly address: number; readonly bytes: Uint8Array }> {
  const placed = new Map<string, { address: number; bytes: Uint8Array }>();
  const file = (name: string): { address: number; bytes: Uint8Array } => {
    const found = placed.get(name);
    if (found === undefined) throw new TypeError(`The loader script did not allocate "${name}"`);
    return found;
  };
  for (let at = 0; at + ENTRY_BYTES <= script.length; at += ENTRY_BYTES) {
    const entry = script.slice(at, at + ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    const text = (offset: number): string =>
      new TextDecoder().decode(entry.subarray(offset, offset + NAME_BYTES)).replace(/\0.*$/s, "");
    const name = text(4);
    const operands = 4 + NAME_BYTES;
    switch (view.getUint32(0, true)) {
      case COMMAND.ALLOCATE: {
        const content = files[name];
        if (content === undefined) {
          throw new TypeError(`The loader script names no file: "${name}"`);
        }
        const [alignment, zone] = [view.getUint32(operands, true), view.getUint8(operands + 4)];
        const address = allocate(name, content.length, alignment, zone);
        placed.set(name, { address, bytes: content.slice() });
        break;
      }
      case COMMAND.ADD_POINTER: {
        const { address } = file(text(operands));
        const into = new DataView(file(name).bytes.buffer);
        const offset = view.getUint32(operands + NAME_BYTES, true);
        into.setUint32(offset, into.getUint32(offset, true) + address, true);
        break;
      }
      case COMMAND.ADD_CHECKSUM: {
        const { bytes } = file(name);
        const [offset, start, length] = [0, 4, 8].map((i) =>
          view.getUint32(operands + i, true)
        ) as [
          number,
          number,
          number,
        ];
        let sum = 0;
        for (const byte of bytes.subarray(start, start + length)) sum += byte;
        bytes[offset] = ((bytes[offset] as number) - sum) & 0xff;
        break;
      }
      default:
        throw new TypeError(`The loader script has a command that is not known, at ${at}`);
    }
  }
  return placed;
}
