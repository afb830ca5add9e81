/**
 * Segments for thread-local storage: set_thread_area(2), get_thread_area(2), CLONE_SETTLS.
 *
 * A struct user_desc is entry_number, base_addr, limit and a word of flags (asm/ldt.h).
 *
 * @module
 */
import { EFAULT, EINVAL, ESRCH } from "../abi/errno.ts";
import { loadTls, TLS_ENTRIES, TLS_FIRST } from "../arch/i386/gdt.ts";
import { copyIn, copyOut, putUser32 } from "../mm/user.ts";
import { kfree, kmalloc } from "../mm/heap.ts";
import { current, Task } from "./task.ts";

const SEG_32BIT: u32 = 1;
const READ_EXEC_ONLY: u32 = 8;
const LIMIT_IN_PAGES: u32 = 16;
const SEG_NOT_PRESENT: u32 = 32;
const USEABLE: u32 = 64;
const DESC_SIZE: u32 = 16;

function isEmpty(limit: u32, base: u32, flags: u32): bool {
  return base === 0 && limit === 0 && (flags & 0x7f) === (READ_EXEC_ONLY | SEG_NOT_PRESENT);
}

function descriptor(base: u32, limit: u32, flags: u32): u64 {
  const contents = (flags >> 1) & 3;
  const writable: u32 = (flags & READ_EXEC_ONLY) !== 0 ? 0 : 2;
  const present: u32 = (flags & SEG_NOT_PRESENT) !== 0 ? 0 : 0x80;
  // Data or code segment of privilege level 3, marked accessed.
  const access = present | 0x60 | 0x10 | (contents << 2) | writable | 1;
  const bits = ((flags & SEG_32BIT) !== 0 ? 0x4 : 0) | ((flags & LIMIT_IN_PAGES) !== 0 ? 0x8 : 0) |
    ((flags & USEABLE) !== 0 ? 0x1 : 0);
  const low = (limit & 0xffff) | (base << 16);
  const high = ((base >> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (bits << 20) |
    (base & 0xff000000);
  return (<u64> high << 32) | <u64> low;
}

/** The descriptor of entry 0–2 of a task. */
function slot(task: Task, index: u32): usize {
  return changetype<usize>(task) + offsetof<Task>("tls0") + (index << 3);
}

/**
 * Sets the descriptor that the user_desc at a user address says; for entry -1 (`allocate`) the first
 * free one, whose number is written back. 0, -EINVAL, -ESRCH, -EFAULT.
 */
export function setTlsDescriptor(task: Task, address: u32, allocate: bool): i32 {
  const desc = kmalloc(DESC_SIZE);
  if (desc === 0) return -EFAULT;
  const result = apply(task, desc, address, allocate);
  kfree(desc);
  return result;
}

function apply(task: Task, desc: usize, address: u32, allocate: bool): i32 {
  if (copyIn(desc, address, DESC_SIZE) < 0) return -EFAULT;
  let entry = load<i32>(desc);
  const base = load<u32>(desc, 4);
  const limit = load<u32>(desc, 8);
  const flags = load<u32>(desc, 12);
  if (entry === -1 && allocate) {
    let index: u32 = 0;
    while (index < TLS_ENTRIES && load<u64>(slot(task, index)) !== 0) index++;
    if (index === TLS_ENTRIES) return -ESRCH;
    entry = <i32> (TLS_FIRST + index);
    if (putUser32(address, <u32> entry) < 0) return -EFAULT;
  }
  const index = <u32> entry - TLS_FIRST;
  if (index >= TLS_ENTRIES) return -EINVAL;
  const empty = isEmpty(limit, base, flags) || (base === 0 && limit === 0 && flags === 0);
  // 16-bit segments and code segments are of no use to threads and a way to fool the kernel.
  if (!empty && ((flags & SEG_32BIT) === 0 || ((flags >> 1) & 3) > 1)) return -EINVAL;
  store<u64>(slot(task, index), empty ? 0 : descriptor(base, limit, flags));
  if (task === current()) loadTls(task.tls0, task.tls1, task.tls2);
  return 0;
}

/** get_thread_area(2). */
export function getTlsDescriptor(task: Task, address: u32): i32 {
  const desc = kmalloc(DESC_SIZE);
  if (desc === 0) return -EFAULT;
  let result: i32 = -EFAULT;
  if (copyIn(desc, address, DESC_SIZE) === 0) {
    const index = load<u32>(desc) - TLS_FIRST;
    result = index < TLS_ENTRIES ? 0 : -EINVAL;
    if (result === 0) {
      const value = load<u64>(slot(task, index));
      const low = <u32> value;
      const high = <u32> (value >> 32);
      store<u32>(desc, (low >> 16) | ((high & 0xff) << 16) | (high & 0xff000000), 4);
      store<u32>(desc, (low & 0xffff) | (high & 0xf0000), 8);
      const access = (high >> 8) & 0xff;
      const bits = (high >> 20) & 15;
      store<u32>(
        desc,
        value === 0
          ? READ_EXEC_ONLY | SEG_NOT_PRESENT
          : ((bits >> 2) & 1) | (((access >> 2) & 3) << 1) |
            ((access & 2) !== 0 ? 0 : READ_EXEC_ONLY) | ((bits & 8) << 1) |
            ((access & 0x80) !== 0 ? 0 : SEG_NOT_PRESENT) | ((bits & 1) << 6),
        12,
      );
      result = copyOut(address, desc, DESC_SIZE);
    }
  }
  kfree(desc);
  return result;
}
