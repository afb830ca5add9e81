/**
 * Loads Multiboot kernels, as a Multiboot loader does.
 *
 * Sources: Multiboot Specification 0.6.96 (§3), Multiboot2 Specification 2.0 (§3).
 *
 * @module
 */
import {
  BootError,
  type BootTarget,
  HIGH_MEMORY_START,
  LOW_MEMORY_END,
  memoryMap,
  usableEnd,
} from "./boot_target.ts";
import { ElfError, type ElfFile, readElf } from "./elf.ts";

const MULTIBOOT1 = {
  HEADER_MAGIC: 0x1badb002,
  BOOT_MAGIC: 0x2badb002,
  SEARCH_BYTES: 8192,
  /** Flags that the loader must understand, of those (bits 0–15) that may not be ignored. */
  KNOWN_REQUIREMENTS: 0x0007,
  HAS_ADDRESSES: 0x10000,
} as const;

const MULTIBOOT2 = {
  HEADER_MAGIC: 0xe85250d6,
  BOOT_MAGIC: 0x36d76289,
  SEARCH_BYTES: 32768,
  OPTIONAL: 1,
  TAG: { END: 0, REQUEST: 1, ADDRESS: 2, ENTRY: 3, CONSOLE: 4, FRAMEBUFFER: 5, ALIGN: 6 },
} as const;

/** Conventional memory that the loader's tables go into. */
const INFO_BASE = 0x10000;
const INFO_LIMIT = 0x80000;
const LOADER_NAME = "Overture";
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;

interface LoadPart {
  readonly physical: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
}

interface LoadPlan {
  readonly parts: readonly LoadPart[];
  readonly entry: number;
  readonly elf: ElfFile | undefined;
}

/**
 * Loads a Multiboot kernel and sets the CPU at its entry. A file with both headers is loaded by Multiboot 1, as
 * QEMU's `-kernel` does.
 *
 * @param name what to call the kernel in messages
 * @throws {BootError} when it is no Multiboot kernel for this machine, or does not fit into memory
 */
export function loadMultiboot(
  target: BootTarget,
  kernel: Uint8Array,
  options: { readonly name: string; readonly commandLine: string; readonly acpiRoot?: Uint8Array },
): void {
  const { name } = options;
  const first = findMultiboot1(kernel);
  if (first !== undefined) {
    const plan = planMultiboot1(kernel, first, name);
    const sections = loadParts(target, plan, kernel, name);
    target.memory.write(
      INFO_BASE,
      multiboot1Info(target.memory.size, options.commandLine, sections),
    );
    target.enterFlatProtectedMode({ eip: plan.entry, eax: MULTIBOOT1.BOOT_MAGIC, ebx: INFO_BASE });
    return;
  }
  const second = findMultiboot2(kernel);
  if (second !== undefined) {
    const plan = planMultiboot2(kernel, second, name);
    const sections = loadParts(target, plan, kernel, name);
    target.memory.write(
      INFO_BASE,
      multiboot2Info(target.memory.size, options, sections),
    );
    target.enterFlatProtectedMode({ eip: plan.entry, eax: MULTIBOOT2.BOOT_MAGIC, ebx: INFO_BASE });
    return;
  }
  checkedElf(kernel, name); // says so if it is not even an i386 program
  throw new BootError(`"${name}" has no Multiboot header in its first 32 KiB; link one in`);
}

function checkedElf(kernel: Uint8Array, name: string): ElfFile {
  try {
    return readElf(kernel, name);
  } catch (error) {
    if (error instanceof ElfError) throw new BootError(error.message);
    throw error;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function findMultiboot1(kernel: Uint8Array): number | undefined {
  const view = viewOf(kernel);
  for (let at = 0; at + 12 <= Math.min(kernel.length, MULTIBOOT1.SEARCH_BYTES); at += 4) {
    if (view.getUint32(at, true) !== MULTIBOOT1.HEADER_MAGIC) continue;
    const sum = view.getUint32(at, true) + view.getUint32(at + 4, true) +
      view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

function findMultiboot2(kernel: Uint8Array): number | undefined {
  const view = viewOf(kernel);
  for (let at = 0; at + 16 <= Math.min(kernel.length, MULTIBOOT2.SEARCH_BYTES); at += 8) {
    if (view.getUint32(at, true) !== MULTIBOOT2.HEADER_MAGIC) continue;
    let sum = 0;
    for (let word = 0; word < 4; word++) sum += view.getUint32(at + 4 * word, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

function elfPlan(kernel: Uint8Array, name: string, entry: number | undefined): LoadPlan {
  const elf = checkedElf(kernel, name);
  return {
    parts: elf.segments.map(({ physical, bytes, memoryBytes }) => ({
      physical,
      bytes,
      memoryBytes,
    })),
    entry: entry ?? physicalEntry(elf),
    elf,
  };
}

/** A kernel linked high may give its entry as a virtual address; the loader jumps to the physical one. */
function physicalEntry(elf: ElfFile): number {
  const { entry, segments } = elf;
  const inPhysical = segments.some(({ physical, memoryBytes }) =>
    entry >= physical && entry < physical + memoryBytes
  );
  if (inPhysical) return entry;
  const home = segments.find(({ virtual, memoryBytes }) =>
    entry >= virtual && entry < virtual + memoryBytes
  );
  return home === undefined ? entry : entry - home.virtual + home.physical;
}

/** Multiboot 1 §3.1.3: addresses in the header instead of an ELF file's. */
function addressPlan(
  kernel: Uint8Array,
  name: string,
  at: number,
  fields: { header: number; load: number; loadEnd: number; bssEnd: number; entry: number },
): LoadPlan {
  const start = at - (fields.header - fields.load);
  const length = fields.loadEnd === 0 ? kernel.length - start : fields.loadEnd - fields.load;
  if (start < 0 || length < 0 || start + length > kernel.length) {
    throw new BootError(`"${name}" has a Multiboot header whose load addresses leave the file`);
  }
  const memoryBytes = fields.bssEnd === 0 ? length : Math.max(length, fields.bssEnd - fields.load);
  const bytes = kernel.subarray(start, start + length);
  return {
    parts: [{ physical: fields.load, bytes, memoryBytes }],
    entry: fields.entry,
    elf: undefined,
  };
}

function planMultiboot1(kernel: Uint8Array, at: number, name: string): LoadPlan {
  const view = viewOf(kernel);
  const flags = view.getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~MULTIBOOT1.KNOWN_REQUIREMENTS;
  if (unknown !== 0) {
    throw new BootError(
      `"${name}" requires Multiboot features (0x${unknown.toString(16)}) that do not exist`,
    );
  }
  if ((flags & MULTIBOOT1.HAS_ADDRESSES) === 0) return elfPlan(kernel, name, undefined);
  if (at + 32 > kernel.length) {
    throw new BootError(`"${name}" is cut off within its Multiboot header`);
  }
  const [header, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((offset) =>
    view.getUint32(at + offset, true)
  ) as [number, number, number, number, number];
  return addressPlan(kernel, name, at, { header, load, loadEnd, bssEnd, entry });
}

function planMultiboot2(kernel: Uint8Array, at: number, name: string): LoadPlan {
  const view = viewOf(kernel);
  const architecture = view.getUint32(at + 4, true);
  if (architecture !== 0) {
    throw new BootError(`"${name}" is a Multiboot 2 kernel for another architecture than i386`);
  }
  const end = at + view.getUint32(at + 8, true);
  if (end > kernel.length) {
    throw new BootError(`"${name}" is cut off within its Multiboot 2 header`);
  }
  const { TAG } = MULTIBOOT2;
  let entry: number | undefined;
  let addresses: { header: number; load: number; loadEnd: number; bssEnd: number } | undefined;
  for (let tag = at + 16; tag + 8 <= end;) {
    const type = view.getUint16(tag, true);
    const flags = view.getUint16(tag + 2, true);
    const size = view.getUint32(tag + 4, true);
    if (type === TAG.END) break;
    if (size < 8 || tag + size > end) {
      throw new BootError(`"${name}" has a damaged Multiboot 2 header tag`);
    }
    if (type === TAG.ADDRESS && size >= 24) {
      const [header, load, loadEnd, bssEnd] = [8, 12, 16, 20].map((offset) =>
        view.getUint32(tag + offset, true)
      ) as [
        number,
        number,
        number,
        number,
      ];
      addresses = { header, load, loadEnd, bssEnd };
    } else if (type === TAG.ENTRY && size >= 12) {
      entry = view.getUint32(tag + 8, true);
    } else if (
      ![TAG.REQUEST, TAG.CONSOLE, TAG.FRAMEBUFFER, TAG.ALIGN].some((known) => known === type) &&
      (flags & MULTIBOOT2.OPTIONAL) === 0
    ) {
      throw new BootError(
        `"${name}" requires the Multiboot 2 feature ${type}, which this loader does not have`,
      );
    }
    tag += (size + 7) & ~7;
  }
  if (addresses === undefined) return elfPlan(kernel, name, entry);
  if (entry === undefined) {
    throw new BootError(`"${name}" gives Multiboot 2 load addresses but no entry address`);
  }
  return addressPlan(kernel, name, at, { ...addresses, entry });
}

/** The section headers that Multiboot passes on, with the addresses of the symbols in memory. */
interface LoadedSections {
  readonly count: number;
  readonly entrySize: number;
  readonly stringIndex: number;
  readonly headers: Uint8Array;
}

/** Copies the kernel into memory, then its symbol tables behind it. */
function loadParts(
  target: BootTarget,
  plan: LoadPlan,
  kernel: Uint8Array,
  name: string,
): LoadedSections | undefined {
  const ram = target.memory.size;
  let end = 0;
  for (const { physical, bytes, memoryBytes } of plan.parts) {
    if (physical + memoryBytes > usableEnd(ram)) {
      throw new BootError(
        `"${name}" does not fit into ${ram >>> 20} MiB of memory: it reaches to ${
          Math.ceil((physical + memoryBytes) / (1 << 20))
        } MiB; give more with --ram`,
      );
    }
    if (physical < HIGH_MEMORY_START && physical + memoryBytes > INFO_BASE) {
      throw new BootError(
        `"${name}" loads below 1 MiB, where the loader's own tables are; link it at 1 MiB or above`,
      );
    }
    target.memory.write(physical, bytes);
    if (memoryBytes > bytes.length) {
      target.memory.write(physical + bytes.length, new Uint8Array(memoryBytes - bytes.length));
    }
    end = Math.max(end, physical + memoryBytes);
  }
  if (plan.elf === undefined || plan.elf.sections.length === 0) return undefined;
  const { sectionHeaders, sections } = plan.elf;
  const { offset, count, entrySize, stringIndex } = sectionHeaders;
  const headers = kernel.slice(offset, offset + count * entrySize);
  const view = viewOf(headers);
  let next = (end + 4095) & ~4095;
  for (const [index, section] of sections.entries()) {
    const unloaded = section.address === 0 &&
      (section.type === SHT_SYMTAB || section.type === SHT_STRTAB);
    if (!unloaded || section.offset + section.size > kernel.length) continue;
    if (next + section.size > ram) break; // symbols are a courtesy
    target.memory.write(next, kernel.subarray(section.offset, section.offset + section.size));
    view.setUint32(index * entrySize + 12, next, true);
    next = (next + section.size + 15) & ~15;
  }
  return { count, entrySize, stringIndex, headers };
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** Lays pieces out one after the other, 8-aligned, and tells where each stands. */
class InfoWriter {
  readonly bytes = new Uint8Array(INFO_LIMIT - INFO_BASE);
  readonly view = new DataView(this.bytes.buffer);
  #next = 0;

  /** Takes `length` bytes; returns their offset. */
  take(length: number): number {
    const at = this.#next;
    this.#next = (at + length + 7) & ~7;
    if (this.#next > this.bytes.length) throw new BootError("The command line is too long");
    return at;
  }

  put(bytes: Uint8Array): number {
    const at = this.take(bytes.length);
    this.bytes.set(bytes, at);
    return at;
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.#next);
  }

  get length(): number {
    return this.#next;
  }
}

/** Multiboot 1 §3.3, Boot information format. */
function multiboot1Info(
  ram: number,
  commandLine: string,
  sections: LoadedSections | undefined,
): Uint8Array {
  const out = new InfoWriter();
  const { view } = out;
  out.take(116);
  const map = memoryMap(ram);
  const mapAt = out.take(24 * map.length);
  map.forEach(({ start, length, type }, index) => {
    const at = mapAt + 24 * index;
    view.setUint32(at, 20, true); // size of the entry without this field
    view.setBigUint64(at + 4, BigInt(start), true);
    view.setBigUint64(at + 12, BigInt(length), true);
    view.setUint32(at + 20, type, true);
  });
  let flags = 0x1 | 0x4 | 0x40 | 0x200; // memory, command line, map, loader name
  view.setUint32(4, LOW_MEMORY_END >>> 10, true);
  view.setUint32(8, (usableEnd(ram) - HIGH_MEMORY_START) >>> 10, true);
  view.setUint32(16, INFO_BASE + out.put(cString(commandLine)), true);
  view.setUint32(44, 24 * map.length, true);
  view.setUint32(48, INFO_BASE + mapAt, true);
  view.setUint32(64, INFO_BASE + out.put(cString(LOADER_NAME)), true);
  if (sections !== undefined) {
    flags |= 0x20;
    view.setUint32(28, sections.count, true);
    view.setUint32(32, sections.entrySize, true);
    view.setUint32(36, INFO_BASE + out.put(sections.headers), true);
    view.setUint32(40, sections.stringIndex, true);
  }
  view.setUint32(0, flags, true);
  return out.finish();
}

/** Multiboot 2 §3.6, Boot information format. */
function multiboot2Info(
  ram: number,
  options: { readonly commandLine: string; readonly acpiRoot?: Uint8Array },
  sections: LoadedSections | undefined,
): Uint8Array {
  const out = new InfoWriter();
  const { view } = out;
  out.take(8);
  const tag = (type: number, size: number): number => {
    const at = out.take(size);
    view.setUint32(at, type, true);
    view.setUint32(at + 4, size, true);
    return at;
  };
  const text = (type: number, value: string): void => {
    const bytes = cString(value);
    out.bytes.set(bytes, tag(type, 8 + bytes.length) + 8);
  };
  text(1, options.commandLine);
  text(2, LOADER_NAME);
  const basic = tag(4, 16);
  view.setUint32(basic + 8, LOW_MEMORY_END >>> 10, true);
  view.setUint32(basic + 12, (usableEnd(ram) - HIGH_MEMORY_START) >>> 10, true);
  const map = memoryMap(ram);
  const mapAt = tag(6, 16 + 24 * map.length);
  view.setUint32(mapAt + 8, 24, true);
  map.forEach(({ start, length, type }, index) => {
    const at = mapAt + 16 + 24 * index;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  if (sections !== undefined) {
    const at = tag(9, 20 + sections.headers.length);
    view.setUint32(at + 8, sections.count, true);
    view.setUint32(at + 12, sections.entrySize, true);
    view.setUint32(at + 16, sections.stringIndex, true);
    out.bytes.set(sections.headers, at + 20);
  }
  if (options.acpiRoot !== undefined) { // "ACPI old RSDP": a copy
    const at = tag(14, 8 + options.acpiRoot.length);
    out.bytes.set(options.acpiRoot, at + 8);
  }
  tag(0, 8);
  view.setUint32(0, out.length, true);
  return out.finish();
}
