/**
 * Writes a program as an ELF32 executable for i386 (ELF gABI 4.1; System V ABI i386 supplement).
 *
 * One PT_LOAD a permission; file offsets are congruent to addresses modulo the page size, and the first
 * segment starts at offset 4096, so that a Multiboot header in `.boot` lies within the first 8 KiB.
 *
 * @module
 */

import { ByteWriter } from "./byte_writer.ts";
import type { PlacedSection, PlacedSymbol, Program } from "./layout.ts";

const ELF_HEADER_BYTES = 52;
const PROGRAM_HEADER_BYTES = 32;
const SECTION_HEADER_BYTES = 40;
const SYMBOL_BYTES = 16;
const PAGE = 4096;

const ET_EXEC = 2;
const EM_386 = 3;
const PT_LOAD = 1;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_NOBITS = 8;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHN_ABS = 0xfff1;
const STB_GLOBAL = 1;
const STT_OBJECT = 1;
const STT_FUNC = 2;

/** A section that is not loaded, such as `.debug_line`. */
export interface ExtraSection {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface SectionHeader {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySize: number;
}

/** Names, each once, as a string table. */
class StringTable {
  readonly #writer = new ByteWriter();
  readonly #offsets = new Map<string, number>([["", 0]]);

  constructor() {
    this.#writer.u8(0);
  }

  add(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.#writer.length;
      this.#offsets.set(name, offset);
      this.#writer.string(name);
    }
    return offset;
  }

  bytes(): Uint8Array {
    return this.#writer.bytes();
  }
}

/** The file's bytes. */
export function writeElf(program: Program, extras: readonly ExtraSection[]): Uint8Array {
  const file = new ByteWriter();
  const headers: SectionHeader[] = [];
  const plain = { link: 0, info: 0, alignment: 1, entrySize: 0, flags: 0, address: 0 };
  const segments = groupSegments(program.sections);
  const programHeaders = new ByteWriter();
  file.zeros(ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES * segments.length);
  for (const segment of segments) {
    file.align(PAGE);
    const first = segment[0] as PlacedSection;
    const start = file.length + first.address % PAGE;
    let end = first.address;
    for (const section of segment) {
      const offset = start + (section.address - first.address);
      if (section.bytes.length > 0) {
        file.zeros(offset - file.length);
        file.put(section.bytes);
      }
      end = section.address + section.bytes.length + section.zeroBytes;
      headers.push({
        ...plain,
        name: section.name,
        type: section.zeroBytes > 0 ? SHT_NOBITS : SHT_PROGBITS,
        flags: SHF_ALLOC | (section.executable ? SHF_EXECINSTR : 0) |
          (section.writable ? SHF_WRITE : 0),
        address: section.address,
        offset,
        size: section.bytes.length + section.zeroBytes,
        alignment: 16,
      });
    }
    const flags = PF_R | (first.executable ? PF_X : 0) | (first.writable ? PF_W : 0);
    const fileSize = file.length > start ? file.length - start : 0;
    programHeaders.u32(PT_LOAD, start, first.address, first.physical);
    programHeaders.u32(fileSize, end - first.address, flags, PAGE);
  }
  for (const { name, bytes } of extras) {
    file.align(4);
    headers.push({
      ...plain,
      name,
      type: SHT_PROGBITS,
      offset: file.length,
      size: bytes.length,
    });
    file.put(bytes);
  }
  const names = new StringTable();
  const symbols = symbolTable(program.symbols, names);
  file.align(4);
  headers.push({
    ...plain,
    name: ".symtab",
    type: SHT_SYMTAB,
    offset: file.length,
    size: symbols.length,
    link: headers.length + 2,
    info: 1 + program.symbols.filter((symbol) => !symbol.global).length,
    alignment: 4,
    entrySize: SYMBOL_BYTES,
  });
  file.put(symbols);
  headers.push({
    ...plain,
    name: ".strtab",
    type: SHT_STRTAB,
    offset: file.length,
    size: names.bytes().length,
  });
  file.put(names.bytes());
  return finish(file, headers, programHeaders, program.entry, segments.length);
}

function finish(
  file: ByteWriter,
  headers: readonly SectionHeader[],
  programHeaders: ByteWriter,
  entry: number,
  segmentCount: number,
): Uint8Array {
  const sectionNames = new StringTable();
  for (const header of headers) sectionNames.add(header.name);
  const ownName = sectionNames.add(".shstrtab");
  const namesOffset = file.length;
  const nameBytes = sectionNames.bytes();
  file.put(nameBytes);
  file.align(4);
  const tableOffset = file.length;
  file.zeros(SECTION_HEADER_BYTES);
  for (const header of headers) {
    file.u32(sectionNames.add(header.name), header.type, header.flags, header.address);
    file.u32(header.offset, header.size, header.link, header.info);
    file.u32(header.alignment, header.entrySize);
  }
  file.u32(ownName, SHT_STRTAB, 0, 0, namesOffset, nameBytes.length, 0, 0, 1, 0);

  const head = new ByteWriter();
  head.put(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  head.u16(ET_EXEC, EM_386);
  head.u32(1, entry, ELF_HEADER_BYTES, tableOffset, 0);
  head.u16(ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, segmentCount, SECTION_HEADER_BYTES);
  head.u16(headers.length + 2, headers.length + 1);
  head.put(programHeaders.bytes());
  const bytes = file.bytes();
  bytes.set(head.bytes());
  return bytes;
}

/** Neighbours with the same permissions share a segment when no page lies between them. */
function groupSegments(sections: readonly PlacedSection[]): PlacedSection[][] {
  const segments: PlacedSection[][] = [];
  let last: PlacedSection | undefined;
  for (const section of sections) {
    const adjacent = last !== undefined && last.executable === section.executable &&
      last.writable === section.writable && last.zeroBytes === 0 &&
      section.address - (last.address + last.bytes.length) < PAGE &&
      section.address - section.physical === last.address - last.physical;
    if (adjacent) segments[segments.length - 1]?.push(section);
    else segments.push([section]);
    last = section;
  }
  return segments;
}

function symbolTable(symbols: readonly PlacedSymbol[], names: StringTable): Uint8Array {
  const writer = new ByteWriter();
  writer.zeros(SYMBOL_BYTES);
  for (const { name, address, size, kind, global, section } of symbols) {
    const type = kind === "function" ? STT_FUNC : kind === "object" ? STT_OBJECT : 0;
    writer.u32(names.add(name), address, size);
    writer.u8((global ? STB_GLOBAL << 4 : 0) | type, 0);
    writer.u16(section === undefined ? SHN_ABS : section + 1);
  }
  return writer.bytes();
}
