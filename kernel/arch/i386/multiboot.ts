/**
 * What the boot loader says: memory map and command line, by Multiboot 1 or 2.
 *
 * Sources: Multiboot 1 (0.6.96) §3.3; Multiboot 2 (2.0) §3.6.
 *
 * @module
 */
import { strlcpy } from "../../lib/string.ts";
import { physToVirt } from "../../mm/page.ts";

const MAGIC1: u32 = 0x2badb002;
const MAGIC2: u32 = 0x36d76289;
const FLAG_MEMORY: u32 = 1;
const FLAG_COMMAND_LINE: u32 = 4;
const FLAG_MODULES: u32 = 8;
const FLAG_MAP: u32 = 64;
const TAG_COMMAND_LINE: u32 = 1;
const TAG_MODULE: u32 = 3;
const TAG_BASIC_MEMORY: u32 = 4;
const TAG_MAP: u32 = 6;
const AVAILABLE: u32 = 1;
const RANGES: u32 = 16;
const LINE: u32 = 1024;

const line = memory.data(1024, 4);
/* Available ranges and ranges in use by modules: pairs of start and end. */
const ranges = memory.data(128, 4);
const modules = memory.data(128, 4);
let rangeCount: u32 = 0;
let moduleCount: u32 = 0;

function addRange(base: u64, length: u64): void {
  if (rangeCount === RANGES || base > 0xfffff000) return;
  let end = base + length;
  if (end > 0xfffff000) end = 0xfffff000;
  store<u32>(ranges + (rangeCount << 3), <u32> base);
  store<u32>(ranges + (rangeCount << 3), <u32> end, 4);
  rangeCount++;
}

function addModule(start: u32, end: u32): void {
  if (moduleCount === RANGES) return;
  store<u32>(modules + (moduleCount << 3), start);
  store<u32>(modules + (moduleCount << 3), end, 4);
  moduleCount++;
}

function read1(info: usize): void {
  const flags = load<u32>(info);
  if ((flags & FLAG_COMMAND_LINE) !== 0) strlcpy(line, physToVirt(load<u32>(info, 16)), LINE);
  if ((flags & FLAG_MODULES) !== 0) {
    const at = physToVirt(load<u32>(info, 24));
    for (let i: u32 = 0; i < load<u32>(info, 20); i++) {
      addModule(load<u32>(at + (i << 4)), load<u32>(at + (i << 4), 4));
    }
  }
  if ((flags & FLAG_MAP) !== 0) {
    const map = physToVirt(load<u32>(info, 48));
    const length = load<u32>(info, 44);
    for (let at: u32 = 0; at < length; at += load<u32>(map + at) + 4) {
      const entry = map + at;
      if (load<u32>(entry, 20) === AVAILABLE) {
        addRange(load<u64>(entry, 4), load<u64>(entry, 12));
      }
    }
  } else if ((flags & FLAG_MEMORY) !== 0) {
    addRange(0, <u64> load<u32>(info, 4) << 10);
    addRange(0x100000, <u64> load<u32>(info, 8) << 10);
  }
}

function read2(info: usize): void {
  const total = load<u32>(info);
  for (let at: u32 = 8; at < total;) {
    const tag = info + at;
    const type = load<u32>(tag);
    const size = load<u32>(tag, 4);
    if (type === 0 || size < 8) break;
    if (type === TAG_COMMAND_LINE) strlcpy(line, tag + 8, LINE);
    else if (type === TAG_MODULE) addModule(load<u32>(tag, 8), load<u32>(tag, 12));
    else if (type === TAG_MAP) {
      rangeCount = 0;
      const entrySize = load<u32>(tag, 8);
      for (let entry: u32 = 16; entry + entrySize <= size && entrySize > 0; entry += entrySize) {
        if (load<u32>(tag + entry, 16) === AVAILABLE) {
          addRange(load<u64>(tag + entry), load<u64>(tag + entry, 8));
        }
      }
    } else if (type === TAG_BASIC_MEMORY && rangeCount === 0) {
      addRange(0, <u64> load<u32>(tag, 8) << 10);
      addRange(0x100000, <u64> load<u32>(tag, 12) << 10);
    }
    at += (size + 7) & ~7;
  }
}

/** Reads the information at a physical address: false when `magic` is no Multiboot loader's. */
export function multibootRead(magic: u32, info: u32): bool {
  if (magic === MAGIC1) read1(physToVirt(info));
  else if (magic === MAGIC2) read2(physToVirt(info));
  else return false;
  return true;
}

/** The command line, NUL-terminated. */
export function commandLine(): usize {
  return line;
}

/** Ranges of available memory: how many, start and end of each. */
export function memoryRanges(): u32 {
  return rangeCount;
}
export function memoryStart(i: u32): u32 {
  return load<u32>(ranges + (i << 3));
}
export function memoryEnd(i: u32): u32 {
  return load<u32>(ranges + (i << 3), 4);
}

/** End of the boot modules that lie above `from`, or `from`. */
export function modulesEnd(from: u32): u32 {
  for (let i: u32 = 0; i < moduleCount; i++) {
    const end = load<u32>(modules + (i << 3), 4);
    if (end > from) from = end;
  }
  return from;
}
