/**
 * Reads 32-bit little-endian i386 ELF files: segments to load, sections, symbols.
 *
 * Every offset and count of the file is checked; a wrong one gives an {@link ElfError}.
 * Source: System V ABI, ELF (gABI ch. 4, 5), Intel386 supplement.
 *
 * @module
 */

/** A file that is not an i386 ELF file, or a damaged one; the message says which, in one sentence. */
export class ElfError extends Error {
  /** For `error.name`. */
  override name = "ElfError";
}

/** A PT_LOAD segment. */
export interface ElfSegment {
  /** p_vaddr. */
  readonly virtual: number;
  /** p_paddr. */
  readonly physical: number;
  /** Bytes in the file; the rest up to `memoryBytes` is zero. */
  readonly bytes: Uint8Array;
  /** p_memsz. */
  readonly memoryBytes: number;
  /** PF_X. */
  readonly executable: boolean;
  /** PF_W. */
  readonly writable: boolean;
}

/** A section header. */
export interface ElfSection {
  /** Name. */
  readonly name: string;
  /** SHT_…, 2 is SHT_SYMTAB. */
  readonly type: number;
  /** sh_flags. */
  readonly flags: number;
  /** sh_addr. */
  readonly address: number;
  /** sh_offset, in the file. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** sh_link: another section that belongs to it. */
  readonly link: number;
  /** sh_info. */
  readonly info: number;
  /** sh_addralign. */
  readonly alignment: number;
  /** Bytes of an entry, in sections that are tables. */
  readonly entrySize: number;
}

/** A symbol with a name and an address. */
export interface ElfSymbol {
  /** Name. */
  readonly name: string;
  /** st_value. */
  readonly address: number;
  /** Bytes; 0 where the file does not say. */
  readonly size: number;
  /** STT_FUNC, STT_OBJECT, others; "absolute" belongs to no section. */
  readonly type: "function" | "object" | "other" | "absolute";
}

/** A file that was read. */
export interface ElfFile {
  /** 2 is ET_EXEC, 3 ET_DYN. */
  readonly type: number;
  /** Virtual address of the entry. */
  readonly entry: number;
  /** The PT_LOAD segments. */
  readonly segments: readonly ElfSegment[];
  /** All sections, by index. */
  readonly sections: readonly ElfSection[];
  /** Defined symbols with names. */
  readonly symbols: readonly ElfSymbol[];
  /** The section header table as it stands in the file, for Multiboot. */
  readonly sectionHeaders: {
    readonly offset: number;
    readonly count: number;
    readonly entrySize: number;
    readonly stringIndex: number;
  };
}

const HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const SECTION_HEADER_BYTES = 40;
const SYMBOL_BYTES = 16;
/** Linkers give addresses that belong to no section, like the end of the text, this section number. */
const SHN_ABS = 0xfff1;
const EM_386 = 3;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const MACHINES: Readonly<Record<number, string>> = {
  2: "SPARC",
  8: "MIPS",
  20: "PowerPC",
  40: "ARM",
  62: "x86-64",
  183: "AArch64",
  243: "RISC-V",
};

/** Whether a file begins as ELF files do (ELF gABI, ELF Identification: the magic number). */
export function isElf(bytes: Uint8Array): boolean {
  return [0x7f, 0x45, 0x4c, 0x46].every((byte, at) => bytes[at] === byte);
}

/**
 * Reads an ELF file.
 *
 * @param bytes the whole file
 * @param name what to call the file in messages
 * @throws {ElfError} when it is not an executable i386 ELF file, or is damaged
 */
export function readElf(bytes: Uint8Array, name: string): ElfFile {
  const fail = (what: string): never => {
    throw new ElfError(`"${name}" ${what}`);
  };
  if (bytes.length < HEADER_BYTES || !isElf(bytes)) fail("is not an ELF file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(18, true);
  if (bytes[4] !== 1 || bytes[5] !== 1 || machine !== EM_386) {
    const found = MACHINES[machine] ?? (bytes[4] === 2 ? "a 64-bit machine" : `machine ${machine}`);
    fail(`is a program for ${found}; give one for i386 (32-bit x86)`);
  }
  const type = view.getUint16(16, true);
  if (type !== 2 && type !== 3) {
    fail("is not an executable ELF file (it may be an object file: link it)");
  }
  const part = (offset: number, size: number, what: string): Uint8Array => {
    if (offset + size > bytes.length) {
      fail(
        `is damaged or cut off: its ${what} would end at byte ${offset + size} of ${bytes.length}`,
      );
    }
    return bytes.subarray(offset, offset + size);
  };
  const table = (
    offset: number,
    count: number,
    entryBytes: number,
    least: number,
    what: string,
  ): DataView[] => {
    if (count === 0) return [];
    if (entryBytes < least) fail(`is damaged: its ${what} has entries of ${entryBytes} bytes`);
    const all = part(offset, count * entryBytes, what);
    return Array.from(
      { length: count },
      (_, index) => new DataView(all.buffer, all.byteOffset + index * entryBytes, entryBytes),
    );
  };

  const segments = table(
    view.getUint32(28, true),
    view.getUint16(44, true),
    view.getUint16(42, true),
    PROGRAM_HEADER_BYTES,
    "program header table",
  ).filter((entry) => entry.getUint32(0, true) === PT_LOAD).map((entry): ElfSegment => {
    const fileBytes = entry.getUint32(16, true);
    const memoryBytes = entry.getUint32(20, true);
    if (fileBytes > memoryBytes) fail("is damaged: a segment is larger in the file than in memory");
    const flags = entry.getUint32(24, true);
    return {
      virtual: entry.getUint32(8, true),
      physical: entry.getUint32(12, true),
      bytes: part(entry.getUint32(4, true), fileBytes, "segment"),
      memoryBytes,
      executable: (flags & 1) !== 0,
      writable: (flags & 2) !== 0,
    };
  });

  const sectionHeaders = {
    offset: view.getUint32(32, true),
    count: view.getUint16(48, true),
    entrySize: view.getUint16(46, true),
    stringIndex: view.getUint16(50, true),
  };
  const raw = table(
    sectionHeaders.offset,
    sectionHeaders.count,
    sectionHeaders.entrySize,
    SECTION_HEADER_BYTES,
    "section header table",
  );
  const names = raw[sectionHeaders.stringIndex];
  const text = (strings: DataView | undefined, offset: number): string => {
    if (strings === undefined) return "";
    const start = strings.getUint32(16, true);
    const size = strings.getUint32(20, true);
    if (offset >= size) return "";
    const all = part(start, size, "string table");
    const end = all.indexOf(0, offset);
    return new TextDecoder().decode(all.subarray(offset, end < 0 ? size : end));
  };
  const sections = raw.map((entry): ElfSection => ({
    name: text(names, entry.getUint32(0, true)),
    type: entry.getUint32(4, true),
    flags: entry.getUint32(8, true),
    address: entry.getUint32(12, true),
    offset: entry.getUint32(16, true),
    size: entry.getUint32(20, true),
    link: entry.getUint32(24, true),
    info: entry.getUint32(28, true),
    alignment: entry.getUint32(32, true),
    entrySize: entry.getUint32(36, true),
  }));

  const symbols: ElfSymbol[] = [];
  for (const section of sections) {
    if (section.type !== SHT_SYMTAB) continue;
    const strings = raw[section.link];
    const entries = table(
      section.offset,
      Math.floor(section.size / SYMBOL_BYTES),
      SYMBOL_BYTES,
      SYMBOL_BYTES,
      "symbol table",
    );
    for (const entry of entries) {
      const kind = entry.getUint8(12) & 0xf;
      const index = entry.getUint16(14, true);
      const defined = index !== 0;
      const symbol = text(strings, entry.getUint32(0, true));
      // STT_SECTION and STT_FILE name no place in the program.
      if (!defined || symbol === "" || kind === 3 || kind === 4) continue;
      symbols.push({
        name: symbol,
        address: entry.getUint32(4, true),
        size: entry.getUint32(8, true),
        type: index === SHN_ABS
          ? "absolute"
          : kind === 2
          ? "function"
          : kind === 1
          ? "object"
          : "other",
      });
    }
  }
  return { type, entry: view.getUint32(24, true), segments, sections, symbols, sectionHeaders };
}
