/**
 * Symbols of a kernel for plugins and the profiler: of an ELF file, or of a list in the form of `nm`, which Linux has
 * as System.map and /proc/kallsyms.
 *
 * @module
 */
import { type ElfFile, isElf, readElf } from "../devices/mod.ts";
import { type GuestBinary, SymbolTable } from "../plugins/mod.ts";
import { UserError } from "./report.ts";

/** Code further apart than this belongs to another part of the kernel: a module. */
const GAP = 0x10000;
const TOP = 2 ** 32;

/** The symbols of an ELF file, if it is one and has any. */
export function elfSymbols(bytes: Uint8Array, name: string): SymbolTable | undefined {
  let elf: ElfFile;
  try {
    elf = readElf(bytes, name);
  } catch {
    return undefined;
  }
  const ranges = elf.segments.filter(({ executable }) => executable)
    .map(({ virtual, memoryBytes }) => ({ start: virtual, end: virtual + memoryBytes }));
  const inCode = (address: number): boolean =>
    ranges.some(({ start, end }) => address >= start && address < end);
  const functions = elf.symbols.filter(({ type, address }) =>
    type === "function" || (type === "other" && inCode(address))
  );
  const objects = elf.symbols.filter((symbol) => !functions.includes(symbol));
  return new SymbolTable(name, functions, objects, ranges);
}

/** The kernel's file as plugins see it; undefined for what is no ELF file (a bzImage says nothing of its code). */
export function guestBinary(bytes: Uint8Array, path: string): GuestBinary | undefined {
  if (!isElf(bytes)) return undefined;
  const { entry, segments } = readElf(bytes, path);
  const code = segments.filter(({ executable }) => executable);
  if (code.length === 0) return undefined;
  return {
    path,
    startCode: Math.min(...code.map(({ virtual }) => virtual)),
    endCode: Math.max(...code.map(({ virtual, memoryBytes }) => virtual + memoryBytes)),
    entryCode: entry,
  };
}

/**
 * The symbols of a file that the user has named.
 *
 * @throws {UserError} when it has none
 */
export function givenSymbols(bytes: Uint8Array, path: string): SymbolTable {
  const table = isElf(bytes)
    ? elfSymbols(bytes, "kernel")
    : listedSymbols(new TextDecoder().decode(bytes), "kernel");
  if (table === undefined) {
    throw new UserError(
      `"${path}" has no symbols: give an i386 ELF file, or lines like System.map's "c1000000 T _stext"`,
    );
  }
  return table;
}

/** Symbols from lines "address type name", of whose types t, T, w and W are code (nm). */
function listedSymbols(text: string, name: string): SymbolTable | undefined {
  const functions: { name: string; address: number; size: number }[] = [];
  const objects: { name: string; address: number; size: number }[] = [];
  for (const line of text.split("\n")) {
    const match = /^([0-9a-f]{8}) ([A-Za-z]) (\S+)/.exec(line);
    if (match === null) continue;
    const symbol = { name: match[3] as string, address: parseInt(match[1] as string, 16), size: 0 };
    // /proc/kallsyms gives addresses of 0 to those who may not know them.
    if (symbol.address === 0) continue;
    ("tTwW".includes(match[2] as string) ? functions : objects).push(symbol);
  }
  if (functions.length === 0) return undefined;
  functions.sort((a, b) => a.address - b.address);
  const ranges: { start: number; end: number }[] = [];
  for (const { address } of functions) {
    const last = ranges.at(-1);
    if (last === undefined || address > last.end) {
      ranges.push({ start: address, end: Math.min(address + GAP, TOP) });
    } else last.end = Math.min(address + GAP, TOP);
  }
  return new SymbolTable(name, functions, objects, ranges);
}
