/**
 * Debug information: line numbers, one compilation unit with its subprograms, address ranges and frames.
 *
 * DWARF 2 (version 2.0.0, 1993): §6.2 line numbers, §7.5 entries, §6.1.2 ranges, §6.4 frames. It is what
 * every debugger reads and needs no forms beyond the plainest. Frames are described once for all, since
 * every compiled function starts with `push ebp; mov ebp, esp`.
 *
 * @module
 */

import { ByteWriter } from "./byte_writer.ts";
import type { ExtraSection } from "./elf.ts";
import type { PlacedSection, PlacedSymbol, Program } from "./layout.ts";

const VERSION = 2;
const ADDRESS_BYTES = 4;

// Line number program, §6.2.
const LINE_BASE = -5;
const LINE_RANGE = 14;
const OPCODE_BASE = 13;
const DW_LNS_COPY = 1;
const DW_LNS_ADVANCE_PC = 2;
const DW_LNS_ADVANCE_LINE = 3;
const DW_LNS_SET_FILE = 4;
const DW_LNE_END_SEQUENCE = 1;
const DW_LNE_SET_ADDRESS = 2;
/** Arguments of the standard opcodes 1 to 12. */
const OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];

// Tags, attributes and forms, §7.5.
const DW_TAG_COMPILE_UNIT = 0x11;
const DW_TAG_SUBPROGRAM = 0x2e;
const DW_AT_NAME = 0x03;
const DW_AT_STMT_LIST = 0x10;
const DW_AT_LOW_PC = 0x11;
const DW_AT_HIGH_PC = 0x12;
const DW_AT_LANGUAGE = 0x13;
const DW_AT_COMP_DIR = 0x1b;
const DW_AT_EXTERNAL = 0x3f;
const DW_FORM_ADDR = 0x01;
const DW_FORM_DATA4 = 0x06;
const DW_FORM_STRING = 0x08;
const DW_FORM_DATA1 = 0x0b;
const DW_FORM_FLAG = 0x0c;
const DW_LANG_C99 = 0x0c;

// Frames, §6.4.
const DW_CFA_ADVANCE_LOC = 0x40;
const DW_CFA_OFFSET = 0x80;
const DW_CFA_DEF_CFA = 0x0c;
const DW_CFA_DEF_CFA_OFFSET = 0x0e;
const DW_CFA_DEF_CFA_REGISTER = 0x0d;
const DWARF_ESP = 4;
const DWARF_EBP = 5;
const DWARF_EIP = 8;

/** The debug sections of a program. `directory` and `name` say what was compiled. */
export function debugSections(program: Program, directory: string, name: string): ExtraSection[] {
  const code = program.sections.filter((section) => section.executable);
  const functions = program.symbols.filter((symbol) =>
    symbol.kind === "function" && symbol.size > 0
  );
  return [
    { name: ".debug_line", bytes: lineSection(program, code) },
    { name: ".debug_abbrev", bytes: abbreviations() },
    { name: ".debug_info", bytes: entries(code, functions, directory, name) },
    { name: ".debug_aranges", bytes: ranges(code) },
    { name: ".debug_frame", bytes: frames(program, functions) },
  ];
}

/** A section with its length in front, which counts what follows it. */
function withLength(body: ByteWriter): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(body.length);
  writer.put(body.bytes());
  return writer.bytes();
}

function lineSection(program: Program, code: readonly PlacedSection[]): Uint8Array {
  const files = [...new Set(program.lines.map((line) => line.file))];
  const numbers = new Map(files.map((file, index) => [file, index + 1]));
  const header = new ByteWriter();
  header.u8(1, 1, LINE_BASE & 0xff, LINE_RANGE, OPCODE_BASE, ...OPCODE_LENGTHS);
  header.u8(0); // no include directories
  for (const file of files) {
    header.string(file);
    header.u8(0, 0, 0);
  }
  header.u8(0);
  const rows = new ByteWriter();
  for (const section of code) {
    const end = section.address + section.bytes.length;
    const lines = program.lines.filter(({ address }) =>
      address >= section.address && address < end
    );
    if (lines.length > 0) sequence(rows, lines, numbers, end);
  }
  const body = new ByteWriter();
  body.u16(VERSION);
  body.u32(header.length);
  body.put(header.bytes());
  body.put(rows.bytes());
  return withLength(body);
}

function sequence(
  rows: ByteWriter,
  lines: Program["lines"],
  numbers: ReadonlyMap<string, number>,
  end: number,
): void {
  const sorted = [...lines].sort((a, b) => a.address - b.address);
  let address = sorted[0]?.address ?? 0;
  let line = 1;
  let file = 1;
  rows.u8(0, 1 + ADDRESS_BYTES, DW_LNE_SET_ADDRESS);
  rows.u32(address);
  for (const row of sorted) {
    const number = numbers.get(row.file) as number;
    if (number !== file) {
      rows.u8(DW_LNS_SET_FILE);
      rows.unsigned(number);
      file = number;
    }
    advance(rows, row.address - address, row.line - line);
    address = row.address;
    line = row.line;
  }
  rows.u8(DW_LNS_ADVANCE_PC);
  rows.unsigned(end - address);
  rows.u8(0, 1, DW_LNE_END_SEQUENCE);
}

/** Adds a row, with a special opcode where one reaches (§6.2.5.1). */
function advance(rows: ByteWriter, addressDelta: number, lineDelta: number): void {
  const special = lineDelta - LINE_BASE + LINE_RANGE * addressDelta + OPCODE_BASE;
  if (lineDelta >= LINE_BASE && lineDelta < LINE_BASE + LINE_RANGE && special <= 255) {
    rows.u8(special);
    return;
  }
  if (addressDelta !== 0) {
    rows.u8(DW_LNS_ADVANCE_PC);
    rows.unsigned(addressDelta);
  }
  if (lineDelta !== 0) {
    rows.u8(DW_LNS_ADVANCE_LINE);
    rows.signed(lineDelta);
  }
  rows.u8(DW_LNS_COPY);
}

// deno-fmt-ignore
function abbreviations(): Uint8Array {
  return Uint8Array.of(
    1, DW_TAG_COMPILE_UNIT, 1,
    DW_AT_STMT_LIST, DW_FORM_DATA4,
    DW_AT_LOW_PC, DW_FORM_ADDR,
    DW_AT_HIGH_PC, DW_FORM_ADDR,
    DW_AT_NAME, DW_FORM_STRING,
    DW_AT_COMP_DIR, DW_FORM_STRING,
    DW_AT_LANGUAGE, DW_FORM_DATA1,
    0, 0,
    2, DW_TAG_SUBPROGRAM, 0,
    DW_AT_NAME, DW_FORM_STRING,
    DW_AT_LOW_PC, DW_FORM_ADDR,
    DW_AT_HIGH_PC, DW_FORM_ADDR,
    DW_AT_EXTERNAL, DW_FORM_FLAG,
    0, 0,
    0,
  );
}

function entries(
  code: readonly PlacedSection[],
  functions: readonly PlacedSymbol[],
  directory: string,
  name: string,
): Uint8Array {
  const body = new ByteWriter();
  body.u16(VERSION);
  body.u32(0); // offset into .debug_abbrev
  body.u8(ADDRESS_BYTES);
  body.u8(1);
  body.u32(0); // offset into .debug_line
  body.u32(Math.min(...code.map((section) => section.address)));
  body.u32(Math.max(...code.map((section) => section.address + section.bytes.length)));
  body.string(name);
  body.string(directory);
  body.u8(DW_LANG_C99);
  for (const symbol of functions) {
    body.u8(2);
    body.string(symbol.name);
    body.u32(symbol.address, symbol.address + symbol.size);
    body.u8(1);
  }
  body.u8(0);
  return withLength(body);
}

function ranges(code: readonly PlacedSection[]): Uint8Array {
  const body = new ByteWriter();
  body.u16(VERSION);
  body.u32(0); // offset into .debug_info
  body.u8(ADDRESS_BYTES, 0);
  body.u32(0); // pads the tuples to a multiple of their size
  for (const section of code) body.u32(section.address, section.bytes.length);
  body.u32(0, 0);
  return withLength(body);
}

function frames(program: Program, functions: readonly PlacedSymbol[]): Uint8Array {
  const writer = new ByteWriter();
  const common = new ByteWriter();
  common.u32(0xffffffff); // this is the common part
  common.u8(1, 0); // version, no augmentation
  common.unsigned(1);
  common.signed(-4);
  common.u8(DWARF_EIP);
  common.u8(DW_CFA_DEF_CFA, DWARF_ESP, 4, DW_CFA_OFFSET | DWARF_EIP, 1);
  common.align(4);
  writer.put(withLength(common));
  for (const symbol of functions) {
    if (!startsWithFrame(program, symbol.address)) continue;
    const entry = new ByteWriter();
    entry.u32(0, symbol.address, symbol.size);
    entry.u8(DW_CFA_ADVANCE_LOC | 1, DW_CFA_DEF_CFA_OFFSET, 8, DW_CFA_OFFSET | DWARF_EBP, 2);
    entry.u8(DW_CFA_ADVANCE_LOC | 2, DW_CFA_DEF_CFA_REGISTER, DWARF_EBP);
    entry.align(4);
    writer.put(withLength(entry));
  }
  return writer.bytes();
}

/** `push ebp; mov ebp, esp`. */
const PROLOGUE = [0x55, 0x89, 0xe5];

function startsWithFrame(program: Program, address: number): boolean {
  const section = program.sections.find(({ address: start, bytes }) =>
    address >= start && address < start + bytes.length
  );
  if (section === undefined) return false;
  return PROLOGUE.every((byte, index) => section.bytes[address - section.address + index] === byte);
}
