/**
 * System calls about memory: mmap, munmap, mprotect, mremap, brk, madvise, msync, locks.
 *
 * @module
 */
import { EACCES, EBADF, EEXIST, EFAULT, EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  SYS_BRK,
  SYS_MADVISE,
  SYS_MINCORE,
  SYS_MLOCK,
  SYS_MLOCKALL,
  SYS_MMAP,
  SYS_MMAP2,
  SYS_MPROTECT,
  SYS_MREMAP,
  SYS_MSYNC,
  SYS_MUNLOCK,
  SYS_MUNLOCKALL,
  SYS_MUNMAP,
} from "../abi/syscall.ts";
import { entryOf, flushAll, PTE_DIRTY, PTE_PRESENT } from "../arch/i386/page_table.ts";
import {
  checkRange,
  findRoom,
  isFree,
  MAP_MIN,
  mergeAround,
  protectRange,
  setBreak,
  STACK_TOP,
  unmapRange,
  zapRange,
} from "../mm/map.ts";
import { shareAnonymous } from "../mm/shared.ts";
import {
  areaAt,
  areaAtOrAbove,
  areaCopy,
  areaFree,
  areaInsert,
  areaNew,
  areaRemove,
  Mm,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_DONTFORK,
  VM_GROWSDOWN,
  VM_MAYWRITE,
  VM_SHARED,
  Vma,
} from "../mm/space.ts";
import { copyIn, copyOut } from "../mm/user.ts";
import { kfree, kmalloc } from "../mm/heap.ts";
import { files } from "../proc/services.ts";
import { current } from "../proc/task.ts";
import { syscallRegister } from "./table.ts";

const MAP_SHARED: u32 = 1;
const MAP_PRIVATE: u32 = 2;
const MAP_TYPE: u32 = 15;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_GROWSDOWN: u32 = 0x100;
const MAP_FIXED_NOREPLACE: u32 = 0x100000;
const PROTECTION: u32 = PROT_READ | PROT_WRITE | PROT_EXEC;
const RLIMIT_DATA: u32 = 2;
const RLIMIT_AS: u32 = 9;

const MADV_DONTNEED: u32 = 4;
const MADV_FREE: u32 = 8;
const MADV_DONTFORK: u32 = 10;
const MADV_DOFORK: u32 = 11;
const MADV_LAST: u32 = 25;

const MREMAP_MAYMOVE: u32 = 1;
const MREMAP_FIXED: u32 = 2;

function pages(length: u32): u32 {
  return (length + 4095) & ~4095;
}

/* Where a mapping goes: an address, or -errno in the last page. */
function place(mm: Mm, address: u32, length: u32, flags: u32): u32 {
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0) {
    if (checkRange(address, length) < 0) return <u32> -EINVAL;
    if (address < MAP_MIN) return <u32> -EINVAL;
    if ((flags & MAP_FIXED_NOREPLACE) !== 0) {
      if (!isFree(mm, address, address + length)) return <u32> -EEXIST;
    } else if (unmapRange(mm, address, address + length) < 0) return <u32> -ENOMEM;
    return address;
  }
  const hint = address & ~4095;
  if (hint >= MAP_MIN && checkRange(hint, length) === 0 && isFree(mm, hint, hint + length)) {
    return hint;
  }
  const found = findRoom(mm, length);
  return found === 0 ? <u32> -ENOMEM : found;
}

function isError(value: u32): bool {
  return value >= 0xfffff000;
}

function map(address: u32, size: u32, protection: u32, flags: u32, fd: u32, offset: u32): i32 {
  const task = current();
  const mm = task.mm!;
  const length = pages(size);
  if (length === 0) return size === 0 ? -EINVAL : -ENOMEM;
  if (length > STACK_TOP) return -ENOMEM;
  const type = flags & MAP_TYPE;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== 3) return -EINVAL;
  if ((<u64> mm.totalPages << 12) + <u64> length > task.process.limit(RLIMIT_AS)) return -ENOMEM;
  const area = areaNew(0, length, (protection & PROTECTION) | VM_MAYWRITE);
  if (area === null) return -ENOMEM;
  if (type !== MAP_PRIVATE) area.flags |= VM_SHARED;
  let error: i32 = 0;
  if ((flags & MAP_ANONYMOUS) !== 0) {
    if ((flags & MAP_GROWSDOWN) !== 0) area.flags |= VM_GROWSDOWN;
    if (type !== MAP_PRIVATE && !shareAnonymous(area)) error = -ENOMEM;
  } else error = backWithFile(area, fd, offset);
  if (error < 0) {
    areaFree(area);
    return error;
  }
  const at = place(mm, address, length, flags);
  if (isError(at)) {
    areaFree(area);
    return <i32> at;
  }
  area.start = at;
  area.end = at + length;
  areaInsert(mm, area);
  mergeAround(mm, area);
  return <i32> at;
}

function backWithFile(area: Vma, fd: u32, offset: u32): i32 {
  const file = files().fileByDescriptor(<i32> fd);
  if (file < 0 && file > -4096) return -EBADF;
  area.pageOffset = offset;
  let error = files().mapFile(<usize> file, area);
  files().fileRelease(<usize> file);
  const wants = (area.flags & (VM_SHARED | PROT_WRITE)) === (VM_SHARED | PROT_WRITE);
  if (error === 0 && wants && (area.flags & VM_MAYWRITE) === 0) error = -EACCES;
  return error;
}

function sysMmap2(a: u32, size: u32, protection: u32, flags: u32, fd: u32, page: u32): i32 {
  return map(a, size, protection, flags, fd, page);
}

/* The old call: six words in memory, offset in bytes. */
function sysMmap(block: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const words = kmalloc(24);
  if (words === 0) return -ENOMEM;
  let result: i32 = -EFAULT;
  if (copyIn(words, block, 24) === 0) {
    const offset = load<u32>(words, 20);
    result = (offset & 4095) !== 0 ? -EINVAL : map(
      load<u32>(words),
      load<u32>(words, 4),
      load<u32>(words, 8),
      load<u32>(words, 12),
      load<u32>(words, 16),
      offset >> 12,
    );
  }
  kfree(words);
  return result;
}

function sysMunmap(address: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const length = pages(size);
  if (length === 0 || checkRange(address, length) < 0) return -EINVAL;
  return unmapRange(current().mm!, address, address + length);
}

/* True when areas cover a range without a gap. */
function isCovered(mm: Mm, from: u32, to: u32): bool {
  let at = from;
  let area = areaAt(mm, from);
  while (area !== null && at < to) {
    if (area.start > at) return false;
    at = area.end;
    area = area.next;
  }
  return at >= to;
}

function sysMprotect(address: u32, size: u32, protection: u32, _d: u32, _e: u32, _f: u32): i32 {
  const length = pages(size);
  if ((address & 4095) !== 0) return -EINVAL;
  if (length === 0) return 0;
  // PROT_GROWSDOWN 0x01000000 and PROT_GROWSUP: the range extends to the area's start.
  const mm = current().mm!;
  let from = address;
  if ((protection & 0x01000000) !== 0) {
    const area = areaAt(mm, address);
    if (area === null || (area.flags & VM_GROWSDOWN) === 0) return -EINVAL;
    from = area.start;
  }
  if (checkRange(address, length) < 0) return -ENOMEM;
  const to = address + length;
  if (!isCovered(mm, from, to)) return -ENOMEM;
  if ((protection & PROT_WRITE) !== 0) {
    for (let nextArea: Vma | null = areaAt(mm, from); nextArea !== null && nextArea.start < to;) {
      const area = nextArea;
      nextArea = area.next;
      if ((area.flags & VM_SHARED) !== 0 && (area.flags & VM_MAYWRITE) === 0) return -EACCES;
    }
  }
  return protectRange(mm, from, to, protection & PROTECTION);
}

function sysBrk(address: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const task = current();
  return <i32> setBreak(task.mm!, address, task.process.limit(RLIMIT_DATA));
}

function sysMadvise(address: u32, size: u32, advice: u32, _d: u32, _e: u32, _f: u32): i32 {
  const length = pages(size);
  if (checkRange(address, length) < 0 || advice > MADV_LAST) return -EINVAL;
  const mm = current().mm!;
  const to = address + length;
  for (
    let nextArea: Vma | null = areaAtOrAbove(mm, address);
    nextArea !== null && nextArea.start < to;
  ) {
    const area = nextArea;
    nextArea = area.next;
    const from = area.start > address ? area.start : address;
    const end = area.end < to ? area.end : to;
    if (advice === MADV_DONTNEED || advice === MADV_FREE) zapRange(mm, area, from, end);
    else if (advice === MADV_DONTFORK) area.flags |= VM_DONTFORK;
    else if (advice === MADV_DOFORK) area.flags &= ~VM_DONTFORK;
  }
  return isCovered(mm, address, to) ? 0 : -ENOMEM;
}

/* Tells the files about pages that were written through shared mappings. */
function sysMsync(address: u32, size: u32, _flags: u32, _d: u32, _e: u32, _f: u32): i32 {
  const length = pages(size);
  if (checkRange(address, length) < 0) return -EINVAL;
  const mm = current().mm!;
  const to = address + length;
  for (
    let nextArea: Vma | null = areaAtOrAbove(mm, address);
    nextArea !== null && nextArea.start < to;
  ) {
    const area = nextArea;
    nextArea = area.next;
    const ops = area.ops;
    if (ops === null || (area.flags & VM_SHARED) === 0) continue;
    const end = area.end < to ? area.end : to;
    for (let at = area.start > address ? area.start : address; at < end; at += 4096) {
      const entry = entryOf(mm.directory, at, false);
      if (
        entry === 0 || (load<u32>(entry) & (PTE_PRESENT | PTE_DIRTY)) !== (PTE_PRESENT | PTE_DIRTY)
      ) {
        continue;
      }
      store<u32>(entry, load<u32>(entry) & ~PTE_DIRTY);
      ops.dirty(area, area.pageOffset + ((at - area.start) >> 12));
    }
  }
  flushAll(mm.directory);
  return isCovered(mm, address, to) ? 0 : -ENOMEM;
}

function sysMremap(old: u32, oldSize: u32, newSize: u32, flags: u32, target: u32, _f: u32): i32 {
  const mm = current().mm!;
  const from = pages(oldSize);
  const to = pages(newSize);
  if ((old & 4095) !== 0 || to === 0 || from === 0) return -EINVAL;
  if (checkRange(old, from) < 0 || to > STACK_TOP) return -EINVAL;
  if (!isCovered(mm, old, old + from)) return -EFAULT;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  if (fixed && ((flags & MREMAP_MAYMOVE) === 0 || checkRange(target, to) < 0)) return -EINVAL;
  if (!fixed) {
    if (to <= from) {
      if (to < from && unmapRange(mm, old + to, old + from) < 0) return -ENOMEM;
      return <i32> old;
    }
    const area = areaAt(mm, old + from - 4096)!;
    if (area.end === old + from && checkRange(old, to) === 0 && isFree(mm, old + from, old + to)) {
      mm.totalPages += (to - from) >> 12;
      area.end = old + to;
      return <i32> old;
    }
    if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  }
  return moveMapping(mm, old, from, to, fixed ? target : 0);
}

function moveMapping(mm: Mm, old: u32, from: u32, to: u32, target: u32): i32 {
  const source = areaAt(mm, old)!;
  if (source.end < old + from) return -EFAULT; // more than one area
  let at = target;
  if (at !== 0) {
    if (at < old + from && old < at + to) return -EINVAL;
    if (unmapRange(mm, at, at + to) < 0) return -ENOMEM;
  } else at = findRoom(mm, to);
  if (at === 0) return -ENOMEM;
  const area = areaCopy(source);
  if (area === null) return -ENOMEM;
  area.pageOffset += (old - source.start) >> 12;
  area.start = at;
  area.end = at + to;
  areaInsert(mm, area);
  const kept = from < to ? from : to;
  for (let i: u32 = 0; i < kept; i += 4096) {
    const entry = entryOf(mm.directory, old + i, false);
    if (entry === 0 || load<u32>(entry) === 0) continue;
    const slot = entryOf(mm.directory, at + i, true);
    if (slot === 0) {
      areaRemove(mm, area);
      areaFree(area);
      return -ENOMEM;
    }
    store<u32>(slot, load<u32>(entry));
    store<u32>(entry, 0);
  }
  flushAll(mm.directory);
  if (unmapRange(mm, old, old + from) < 0) return -ENOMEM;
  return <i32> at;
}

/* Nothing is ever paged out, so locking is a matter of checking. */
function sysMlock(address: u32, size: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  const start = address & ~4095;
  const length = pages(size + (address & 4095));
  if (checkRange(start, length) < 0) return -ENOMEM;
  return isCovered(current().mm!, start, start + length) ? 0 : -ENOMEM;
}

function sysMlockall(_a: u32, _b: u32, _c: u32, _d: u32, _e: u32, _f: u32): i32 {
  return 0;
}

function sysMincore(address: u32, size: u32, vector: u32, _d: u32, _e: u32, _f: u32): i32 {
  const length = pages(size);
  if ((address & 4095) !== 0) return -EINVAL;
  const mm = current().mm!;
  if (checkRange(address, length) < 0 || !isCovered(mm, address, address + length)) return -ENOMEM;
  const byte = kmalloc(4);
  if (byte === 0) return -ENOMEM;
  let error: i32 = 0;
  for (let i: u32 = 0; i < length && error === 0; i += 4096) {
    const entry = entryOf(mm.directory, address + i, false);
    store<u8>(byte, entry !== 0 && (load<u32>(entry) & PTE_PRESENT) !== 0 ? 1 : 0);
    error = copyOut(vector + (i >> 12), byte, 1);
  }
  kfree(byte);
  return error;
}

/** Registers the calls of this file. */
export function memoryCallsInit(): void {
  syscallRegister(SYS_MMAP2, sysMmap2);
  syscallRegister(SYS_MMAP, sysMmap);
  syscallRegister(SYS_MUNMAP, sysMunmap);
  syscallRegister(SYS_MPROTECT, sysMprotect);
  syscallRegister(SYS_BRK, sysBrk);
  syscallRegister(SYS_MADVISE, sysMadvise);
  syscallRegister(SYS_MSYNC, sysMsync);
  syscallRegister(SYS_MREMAP, sysMremap);
  syscallRegister(SYS_MLOCK, sysMlock);
  syscallRegister(SYS_MUNLOCK, sysMlock);
  syscallRegister(SYS_MLOCKALL, sysMlockall);
  syscallRegister(SYS_MUNLOCKALL, sysMlockall);
  syscallRegister(SYS_MINCORE, sysMincore);
}
