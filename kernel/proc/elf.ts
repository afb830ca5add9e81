/**
 * Loads ELF programs into a new address space.
 *
 * Everything that can be refused is checked by `elfCheck` while the old program still exists;
 * `elfMap` then runs in the new address space.
 *
 * Sources: ELF gABI §5 "Program Loading"; Linux fs/binfmt_elf.c for where things go.
 *
 * @module
 */
import { EINVAL, EIO, ENOEXEC, ENOMEM } from "../abi/errno.ts";
import {
  E_ENTRY,
  E_MACHINE,
  E_PHENTSIZE,
  E_PHNUM,
  E_PHOFF,
  E_TYPE,
  EHDR_SIZE,
  ELF_CLASS32,
  ELF_DATA_LSB,
  ELF_MAGIC,
  EM_386,
  ET_DYN,
  ET_EXEC,
  P_FILESZ,
  P_FLAGS,
  P_MEMSZ,
  P_OFFSET,
  P_TYPE,
  P_VADDR,
  PF_R,
  PF_W,
  PF_X,
  PHDR_SIZE,
  PT_INTERP,
  PT_LOAD,
} from "../abi/elf.ts";
import { kfree, kmalloc } from "../mm/heap.ts";
import { findRoom, MAP_MIN, mapAnonymous, STACK_TOP, unmapRange } from "../mm/map.ts";
import {
  areaFree,
  areaInsert,
  areaNew,
  Mm,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_MAYWRITE,
} from "../mm/space.ts";
import { clearOut } from "../mm/user.ts";
import { files } from "./services.ts";

/** Where position-independent programs go. */
const DYNAMIC_BASE: u32 = 0x56555000;
const MAX_HEADERS: u32 = 64;
const PATH_MAX: u32 = 4096;

/** A program file that has been looked at. */
/*@unmanaged*/
export class ElfImage {
  file: usize;
  type: u32;
  entry: u32;
  headerCount: u32;
  /** Copies of the program headers. */
  headers: usize;
  headerOffset: u32;
  /** Path of the interpreter, 0 for none. */
  interpreter: usize;
  low: u32;
  high: u32;
  /** What was added to addresses, after `elfMap`; where the headers are in memory; end of data. */
  bias: u32;
  headerAddress: u32;
  end: u32;
}

/** Frees what `elfCheck` made; the file stays the caller's. */
export function elfFree(image: ElfImage): void {
  kfree(image.headers);
  kfree(image.interpreter);
  kfree(changetype<usize>(image));
}

/** Reads exactly `count` bytes: 0, -EIO, or -ENOEXEC for a short file. */
function readAll(file: usize, offset: u32, buffer: usize, count: u32): i32 {
  const n = files().read(file, offset, buffer, count);
  if (n < 0) return n;
  return <u32> n === count ? 0 : -ENOEXEC;
}

/** Reads and checks the headers into `image` (zeroed but for `file`): 0 or -errno. */
export function elfCheck(image: ElfImage, header: usize): i32 {
  if (
    load<u32>(header) !== ELF_MAGIC || load<u8>(header, 4) !== <u8> ELF_CLASS32 ||
    load<u8>(header, 5) !== <u8> ELF_DATA_LSB || <u32> load<u16>(header, E_MACHINE) !== EM_386
  ) return -ENOEXEC;
  image.type = load<u16>(header, E_TYPE);
  image.entry = load<u32>(header, E_ENTRY);
  image.headerOffset = load<u32>(header, E_PHOFF);
  image.headerCount = load<u16>(header, E_PHNUM);
  if (image.type !== ET_EXEC && image.type !== ET_DYN) return -ENOEXEC;
  if (<u32> load<u16>(header, E_PHENTSIZE) !== PHDR_SIZE) return -ENOEXEC;
  if (image.headerCount === 0 || image.headerCount > MAX_HEADERS) return -ENOEXEC;
  const bytes = image.headerCount * PHDR_SIZE;
  image.headers = kmalloc(bytes);
  if (image.headers === 0) return -ENOMEM;
  const error = readAll(image.file, image.headerOffset, image.headers, bytes);
  if (error < 0) return error;
  return checkSegments(image);
}

function checkSegments(image: ElfImage): i32 {
  image.low = 0xffffffff;
  image.high = 0;
  for (let i: u32 = 0; i < image.headerCount; i++) {
    const header = image.headers + i * PHDR_SIZE;
    const type = load<u32>(header, P_TYPE);
    const fileSize = load<u32>(header, P_FILESZ);
    if (type === PT_INTERP) {
      const error = readInterpreter(image, header, fileSize);
      if (error < 0) return error;
    }
    if (type !== PT_LOAD) continue;
    const address = load<u32>(header, P_VADDR);
    const offset = load<u32>(header, P_OFFSET);
    const size = load<u32>(header, P_MEMSZ);
    if (size === 0) continue;
    if (fileSize > size || size > STACK_TOP || address > STACK_TOP - size) return -ENOEXEC;
    if (((address - offset) & 4095) !== 0 || offset + fileSize < offset) return -ENOEXEC;
    if (image.type === ET_EXEC && address < MAP_MIN) return -EINVAL;
    if (image.high > address) return -ENOEXEC;
    if (address < image.low) image.low = address & ~4095;
    image.high = address + size;
    if (image.headerOffset >= offset && image.headerOffset < offset + fileSize) {
      image.headerAddress = address + image.headerOffset - offset;
    }
  }
  return image.high === 0 ? -ENOEXEC : 0;
}

function readInterpreter(image: ElfImage, header: usize, size: u32): i32 {
  if (size < 2 || size > PATH_MAX || image.interpreter !== 0) return -ENOEXEC;
  image.interpreter = kmalloc(size);
  if (image.interpreter === 0) return -ENOMEM;
  const error = readAll(image.file, load<u32>(header, P_OFFSET), image.interpreter, size);
  if (error < 0) return error === -ENOEXEC ? -EIO : error;
  return load<u8>(image.interpreter + size - 1) === 0 ? 0 : -ENOEXEC;
}

/**
 * Maps the segments into the current, new address space: 0 or -errno, which ends the process.
 * `interpreter`: it goes where mmap would put it.
 */
export function elfMap(mm: Mm, image: ElfImage, interpreter: bool): i32 {
  if (image.type === ET_DYN) {
    const length = ((image.high + 4095) & ~4095) - image.low;
    let base = DYNAMIC_BASE;
    if (interpreter) base = findRoom(mm, length);
    if (base === 0) return -ENOMEM;
    image.bias = base - image.low;
  }
  for (let i: u32 = 0; i < image.headerCount; i++) {
    const header = image.headers + i * PHDR_SIZE;
    if (load<u32>(header, P_TYPE) !== PT_LOAD || load<u32>(header, P_MEMSZ) === 0) continue;
    const error = mapSegment(mm, image, header);
    if (error < 0) return error;
  }
  image.entry += image.bias;
  image.headerAddress += image.bias;
  return 0;
}

function protectionOf(flags: u32): u32 {
  return ((flags & PF_R) !== 0 ? PROT_READ : 0) | ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
    ((flags & PF_X) !== 0 ? PROT_EXEC : 0);
}

function mapSegment(mm: Mm, image: ElfImage, header: usize): i32 {
  const address = load<u32>(header, P_VADDR) + image.bias;
  const fileSize = load<u32>(header, P_FILESZ);
  const protection = protectionOf(load<u32>(header, P_FLAGS));
  const start = address & ~4095;
  const fileEnd = fileSize === 0 ? start : (address + fileSize + 4095) & ~4095;
  const end = (address + load<u32>(header, P_MEMSZ) + 4095) & ~4095;
  // Segments of odd linkers may share a page; the later one wins.
  if (unmapRange(mm, start, end) < 0) return -ENOMEM;
  if (fileEnd > start) {
    const area = areaNew(start, fileEnd, protection | VM_MAYWRITE);
    if (area === null) return -ENOMEM;
    area.pageOffset = load<u32>(header, P_OFFSET) >> 12;
    const error = files().mapFile(image.file, area);
    if (error < 0) {
      areaFree(area);
      return error;
    }
    areaInsert(mm, area);
  }
  if (end > fileEnd && mapAnonymous(mm, fileEnd, end, protection) === null) return -ENOMEM;
  const dataEnd = address + load<u32>(header, P_MEMSZ);
  if (dataEnd > image.end) image.end = dataEnd;
  if ((protection & PROT_WRITE) !== 0) {
    if (dataEnd > mm.dataEnd) mm.dataEnd = address + fileSize;
    if (mm.dataStart === 0) mm.dataStart = address;
    const used = address + fileSize;
    if (fileEnd > used && clearOut(used, fileEnd - used) < 0) return -ENOMEM;
  } else if ((protection & PROT_EXEC) !== 0) {
    if (mm.codeStart === 0 || address < mm.codeStart) mm.codeStart = address;
    if (address + fileSize > mm.codeEnd) mm.codeEnd = address + fileSize;
  }
  return 0;
}

/** Bytes of a file header; the caller reads them for `elfCheck`. */
export const ELF_HEADER_BYTES: u32 = EHDR_SIZE;
