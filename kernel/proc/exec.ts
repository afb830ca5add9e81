/**
 * execve(2): replaces the program of a process.
 *
 * Arguments and environment are gathered in one kernel block, strings in a row, then laid out at the
 * top of the new stack as the i386 psABI says (§3.4 "Process Initialization").
 *
 * @module
 */
import { E2BIG, EFAULT, ELOOP, ENOENT, ENOEXEC, ENOMEM } from "../abi/errno.ts";
import {
  AT_BASE,
  AT_CLKTCK,
  AT_EGID,
  AT_ENTRY,
  AT_EUID,
  AT_EXECFN,
  AT_FLAGS,
  AT_GID,
  AT_HWCAP,
  AT_HWCAP2,
  AT_MINSIGSTKSZ,
  AT_NULL,
  AT_PAGESZ,
  AT_PHDR,
  AT_PHENT,
  AT_PHNUM,
  AT_PLATFORM,
  AT_RANDOM,
  AT_SECURE,
  AT_SYSINFO,
  AT_UID,
  PHDR_SIZE,
} from "../abi/elf.ts";
import { MINSIGSTKSZ, SIGCHLD, SIGKILL, SS_DISABLE } from "../abi/signal.ts";
import { cpuid_edx } from "../arch/i386/x86.ts";
import { fpuReset } from "../arch/i386/fpu.ts";
import { TrapFrame } from "../arch/i386/frame.ts";
import { clearTls, USER_CS, USER_DS } from "../arch/i386/gdt.ts";
import { haveSysenter } from "../arch/i386/idt.ts";
import {
  vsyscall_end,
  vsyscall_int80,
  vsyscall_start,
  vsyscall_sysenter,
} from "../arch/i386/sym.ts";
import { useDirectory } from "../arch/i386/switch.ts";
import { strchr, strlcpy, strlen } from "../lib/string.ts";
import { kfree, kmalloc, kstrdup, kzalloc } from "../mm/heap.ts";
import { mapPage, mapStack, mmNew, mmRelease, STACK_TOP, VSYSCALL_BASE } from "../mm/map.ts";
import { pageRef, virtToPhys } from "../mm/page.ts";
import { areaInsert, areaNew, Mm, PROT_EXEC, PROT_READ, VM_VSYSCALL } from "../mm/space.ts";
import { copyInString, copyOut, getUser32, userWord } from "../mm/user.ts";
import { ELF_HEADER_BYTES, elfCheck, elfFree, ElfImage, elfMap } from "./elf.ts";
import { exitOthers, vforkRelease } from "./exit.ts";
import { files, randomBytes } from "./services.ts";
import { actionsCopy, actionsExec, actionsRelease, signalForce } from "./signal.ts";
import { current, NAME_SIZE, Task } from "./task.ts";

/** Bytes of arguments and environment together. */
const ARGUMENTS_MAX: u32 = 2 << 20;
const FIRST_BLOCK: u32 = 16384;
/** Longest single string (MAX_ARG_STRLEN). */
const STRING_MAX: u32 = 131072;
const HEAD_BYTES: u32 = 256;
const SCRIPT_DEPTH: u32 = 5;
const PATH_MAX: u32 = 4096;
const USER_EFLAGS: u32 = 0x202;
const CLOCK_TICKS: u32 = 100;
/** Bytes of a saved auxiliary vector. */
const AUXV_BYTES: u32 = 256;
const S_ISUID: u32 = 0x800;
const S_ISGID: u32 = 0x400;
const S_IXGRP: u32 = 8;

/** Strings in a row. */
/*@unmanaged*/
// deno-lint-ignore no-unused-vars -- only its type is used
class Strings {
  block: usize;
  capacity: u32;
  used: u32;
  argc: u32;
  envc: u32;
}

function grow(s: Strings, need: u32): i32 {
  if (need <= s.capacity) return 0;
  if (need > ARGUMENTS_MAX) return -E2BIG;
  let capacity = s.capacity;
  while (capacity < need) capacity <<= 1;
  const block = kmalloc(capacity);
  if (block === 0) return -ENOMEM;
  memory.copy(block, s.block, s.used);
  kfree(s.block);
  s.block = block;
  s.capacity = capacity;
  return 0;
}

/** Appends a user string. */
function appendUser(s: Strings, address: u32): i32 {
  while (true) {
    const room = s.capacity - s.used;
    const n = copyInString(s.block + s.used, address, room);
    if (n >= 0) {
      s.used += <u32> n + 1;
      return 0;
    }
    if (n === -EFAULT) return -EFAULT;
    if (room > STRING_MAX) return -E2BIG;
    const error = grow(s, s.capacity << 1);
    if (error < 0) return error;
  }
}

/** Appends the strings of a NULL-terminated user array: their number or -errno. */
function appendVector(s: Strings, vector: u32): i32 {
  if (vector === 0) return 0;
  let n: i32 = 0;
  while (true) {
    if (getUser32(vector + (<u32> n << 2)) < 0) return -EFAULT;
    const string = userWord();
    if (string === 0) return n;
    const error = appendUser(s, string);
    if (error < 0) return error;
    n++;
  }
}

/** Appends a kernel string. */
function appendKernel(s: Strings, text: usize): i32 {
  const n = strlen(text) + 1;
  const error = grow(s, s.used + n);
  if (error < 0) return error;
  memory.copy(s.block + s.used, text, n);
  s.used += n;
  return 0;
}

function stringsNew(): Strings | null {
  const s = changetype<Strings | null>(kzalloc(offsetof<Strings>()));
  if (s === null) return null;
  s.block = kmalloc(FIRST_BLOCK);
  s.capacity = FIRST_BLOCK;
  if (s.block === 0) {
    kfree(changetype<usize>(s));
    return null;
  }
  return s;
}

function stringsFree(s: Strings): void {
  kfree(s.block);
  kfree(changetype<usize>(s));
}

/** Puts up to three strings before the arguments instead of the first one. */
function replaceFirst(s: Strings, a: usize, b: usize, d: usize): i32 {
  const rest: u32 = s.argc > 0 ? strlen(s.block) + 1 : 0;
  const added = strlen(a) + 1 + (b !== 0 ? strlen(b) + 1 : 0) + strlen(d) + 1;
  const error = grow(s, s.used + added);
  if (error < 0) return error;
  memory.copy(s.block + added, s.block + rest, s.used - rest);
  s.used = s.used - rest + added;
  let at = s.block;
  memory.copy(at, a, strlen(a) + 1);
  at += strlen(a) + 1;
  if (b !== 0) {
    memory.copy(at, b, strlen(b) + 1);
    at += strlen(b) + 1;
  }
  memory.copy(at, d, strlen(d) + 1);
  s.argc += (b !== 0 ? 3 : 2) - (s.argc > 0 ? 1 : 0);
  return 0;
}

/** What exec works on until the new program runs. */
/*@unmanaged*/
// deno-lint-ignore no-unused-vars -- only its type is used
class Exec {
  strings: Strings;
  /** Path of what is run now (a script's interpreter), on the heap. */
  path: usize;
  /** The path that was asked for: AT_EXECFN. */
  name: usize;
  head: usize;
  file: usize;
  image: ElfImage;
  interpreterFile: usize;
  interpreter: ElfImage;
}

function isBlank(c: u32): bool {
  return c === 32 || c === 9;
}

/** `#!interpreter [argument]`: takes the line apart in place and changes arguments and path. */
function readScript(x: Exec, length: u32): i32 {
  const head = x.head;
  store<u8>(head + length, 0);
  const end = strchr(head, 10);
  if (end !== 0) store<u8>(end, 0);
  let last = head + strlen(head);
  while (last > head + 2 && isBlank(load<u8>(last - 1))) store<u8>(--last, 0);
  let at = head + 2;
  while (isBlank(load<u8>(at))) at++;
  if (load<u8>(at) === 0) return -ENOEXEC;
  const interpreter = at;
  while (load<u8>(at) !== 0 && !isBlank(load<u8>(at))) at++;
  let argument: usize = 0;
  if (load<u8>(at) !== 0) {
    store<u8>(at++, 0);
    while (isBlank(load<u8>(at))) at++;
    argument = at;
  }
  const error = replaceFirst(x.strings, interpreter, argument, x.path);
  if (error < 0) return error;
  const path = kstrdup(interpreter);
  if (path === 0) return -ENOMEM;
  kfree(x.path);
  x.path = path;
  return 0;
}

/** Opens the program, through scripts, and checks it and its interpreter. */
function prepare(x: Exec): i32 {
  let depth: u32 = 0;
  while (true) {
    if (depth++ > SCRIPT_DEPTH) return -ELOOP;
    const file = files().openProgram(x.path);
    if (file < 0 && file > -4096) return file;
    x.file = <usize> file;
    const n = files().read(x.file, 0, x.head, HEAD_BYTES - 1);
    if (n < 0) return n;
    if (n >= 2 && load<u16>(x.head) === 0x2123) {
      const error = readScript(x, <u32> n);
      if (error < 0) return error;
      files().fileRelease(x.file);
      x.file = 0;
      continue;
    }
    if (<u32> n < ELF_HEADER_BYTES) return -ENOEXEC;
    x.image.file = x.file;
    const error = elfCheck(x.image, x.head);
    if (error < 0) return error;
    break;
  }
  if (x.image.interpreter === 0) return 0;
  const file = files().openProgram(x.image.interpreter);
  if (file < 0 && file > -4096) return file;
  x.interpreterFile = <usize> file;
  const n = files().read(x.interpreterFile, 0, x.head, ELF_HEADER_BYTES);
  if (n < 0) return n;
  if (<u32> n < ELF_HEADER_BYTES) return -ENOEXEC;
  x.interpreter.file = x.interpreterFile;
  return elfCheck(x.interpreter, x.head);
}

/**
 * Runs the program at kernel path `path` (not kept) in the current process; `argv` and `envp` are
 * user arrays, or with `fromKernel` kernel arrays of kernel strings. 0, and `frame` is that of the new
 * program; or -errno, and nothing has happened. Errors behind the point of no return kill.
 */
export function execute(
  path: usize,
  argv: u32,
  envp: u32,
  fromKernel: bool,
  frame: TrapFrame,
): i32 {
  if (load<u8>(path) === 0) return -ENOENT;
  const x = changetype<Exec | null>(kzalloc(offsetof<Exec>()));
  const strings = stringsNew();
  const image = changetype<ElfImage | null>(kzalloc(offsetof<ElfImage>()));
  const interpreter = changetype<ElfImage | null>(kzalloc(offsetof<ElfImage>()));
  if (x === null || strings === null || image === null || interpreter === null) return -ENOMEM;
  x.strings = strings;
  x.image = image;
  x.interpreter = interpreter;
  x.path = kstrdup(path);
  x.name = kstrdup(path);
  x.head = kzalloc(HEAD_BYTES);
  let error: i32 = x.path === 0 || x.name === 0 || x.head === 0 ? -ENOMEM : 0;
  if (error === 0) error = gather(strings, argv, envp, fromKernel);
  if (error === 0) error = prepare(x);
  if (error === 0) error = replace(x, frame);
  if (x.file !== 0) files().fileRelease(x.file);
  if (x.interpreterFile !== 0) files().fileRelease(x.interpreterFile);
  elfFree(image);
  elfFree(interpreter);
  stringsFree(strings);
  kfree(x.path);
  kfree(x.name);
  kfree(x.head);
  kfree(changetype<usize>(x));
  return error;
}

function gather(strings: Strings, argv: u32, envp: u32, fromKernel: bool): i32 {
  if (fromKernel) {
    for (let at = <usize> argv; load<u32>(at) !== 0; at += 4, strings.argc++) {
      const error = appendKernel(strings, load<u32>(at));
      if (error < 0) return error;
    }
    for (let at = <usize> envp; load<u32>(at) !== 0; at += 4, strings.envc++) {
      const error = appendKernel(strings, load<u32>(at));
      if (error < 0) return error;
    }
    return 0;
  }
  const argc = appendVector(strings, argv);
  if (argc < 0) return argc;
  strings.argc = <u32> argc;
  const envc = appendVector(strings, envp);
  if (envc < 0) return envc;
  strings.envc = <u32> envc;
  return 0;
}

/** The point of no return and what follows it. */
function replace(x: Exec, frame: TrapFrame): i32 {
  const task = current();
  const mm = mmNew();
  if (mm === null) return -ENOMEM;
  let openFiles = task.files;
  if (!files().filesAlone(openFiles)) {
    openFiles = files().filesCopy(task.files);
    if (openFiles === 0) {
      mmRelease(mm, files().fileRelease);
      return -ENOMEM;
    }
  }
  if (!exitOthers(task)) {
    mmRelease(mm, files().fileRelease);
    if (openFiles !== task.files) files().filesRelease(openFiles);
    return -ENOMEM;
  }
  if (openFiles !== task.files) {
    files().filesRelease(task.files);
    task.files = openFiles;
  }
  const old = task.mm;
  task.mm = mm;
  useDirectory(mm.directory);
  vforkRelease(task);
  if (old !== null) mmRelease(old, files().fileRelease);
  resetTask(task, x);
  mm.program = x.file;
  files().fileShare(x.file);
  const error = build(x, mm, frame);
  if (error < 0) {
    // The old program is gone: there is nobody to tell.
    signalForce(SIGKILL, 0, 0);
    return 0;
  }
  return 0;
}

function resetTask(task: Task, x: Exec): void {
  let base = x.name;
  for (let at = x.name; load<u8>(at) !== 0; at++) if (load<u8>(at) === 47) base = at + 1;
  strlcpy(task.name, base, NAME_SIZE);
  const path = kstrdup(x.path);
  kfree(task.path);
  task.path = path;
  task.tls0 = 0;
  task.tls1 = 0;
  task.tls2 = 0;
  clearTls();
  fpuReset(task);
  task.clearTid = 0;
  task.robustList = 0;
  task.altStack = 0;
  task.altStackSize = 0;
  task.altStackFlags = SS_DISABLE;
  task.restart = null;
  task.exitSignal = SIGCHLD;
  task.process.hasExeced = true;
  if (task.actions.references > 1) {
    const own = actionsCopy(task.actions);
    if (own !== null) {
      actionsRelease(task.actions);
      task.actions = own;
    }
  }
  actionsExec(task.actions);
  files().filesExec(task.files);
  applySetuid(task, x.file);
}

function applySetuid(task: Task, file: usize): void {
  const mode = files().mode(file);
  if (task.noNewPrivileges === 0) {
    if ((mode & S_ISUID) !== 0) task.euid = files().ownerUid(file);
    if ((mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) task.egid = files().ownerGid(file);
  }
  task.suid = task.euid;
  task.fsuid = task.euid;
  task.sgid = task.egid;
  task.fsgid = task.egid;
}

/** The page with the system call entry. */
function mapVsyscall(mm: Mm): bool {
  const area = areaNew(VSYSCALL_BASE, VSYSCALL_BASE + 4096, PROT_READ | PROT_EXEC | VM_VSYSCALL);
  if (area === null) return false;
  areaInsert(mm, area);
  const physical = virtToPhys(vsyscall_start());
  pageRef(physical);
  return mapPage(mm, VSYSCALL_BASE, physical, 0);
}

/** User address of the entry for `call *%gs:0x10`. */
function sysinfo(): u32 {
  const entry = haveSysenter() ? vsyscall_sysenter() : vsyscall_int80();
  return VSYSCALL_BASE + <u32> (entry - vsyscall_start());
}

function build(x: Exec, mm: Mm, frame: TrapFrame): i32 {
  if (vsyscall_end() - vsyscall_start() > 4096) return -ENOMEM;
  if (mapStack(mm, STACK_TOP) === null || !mapVsyscall(mm)) return -ENOMEM;
  let error = elfMap(mm, x.image, false);
  if (error < 0) return error;
  const program = x.image;
  mm.brkStart = (program.end + 4095) & ~4095;
  mm.brk = mm.brkStart;
  let entry = program.entry;
  let base: u32 = 0;
  if (x.interpreterFile !== 0) {
    error = elfMap(mm, x.interpreter, true);
    if (error < 0) return error;
    entry = x.interpreter.entry;
    base = x.interpreter.low + x.interpreter.bias;
  }
  const top = buildStack(x, mm, base);
  if (top === 0) return -EFAULT;
  memory.fill(changetype<usize>(frame), 0, offsetof<TrapFrame>());
  frame.eip = entry;
  frame.esp = top;
  frame.cs = USER_CS;
  frame.ss = USER_DS;
  frame.ds = USER_DS;
  frame.es = USER_DS;
  frame.eflags = USER_EFLAGS;
  frame.error = 0xffffffff;
  return 0;
}

let vector: usize = 0;

function aux(type: u32, value: u32): void {
  store<u32>(vector, type);
  store<u32>(vector, value, 4);
  vector += 8;
}

function fillAuxiliary(
  at: usize,
  x: Exec,
  base: u32,
  random: u32,
  platform: u32,
  name: u32,
): usize {
  const task = current();
  vector = at;
  aux(AT_SYSINFO, sysinfo());
  aux(AT_MINSIGSTKSZ, MINSIGSTKSZ);
  aux(AT_HWCAP, cpuid_edx(1));
  aux(AT_PAGESZ, 4096);
  aux(AT_CLKTCK, CLOCK_TICKS);
  aux(AT_PHDR, x.image.headerAddress);
  aux(AT_PHENT, PHDR_SIZE);
  aux(AT_PHNUM, x.image.headerCount);
  aux(AT_BASE, base);
  aux(AT_FLAGS, 0);
  aux(AT_ENTRY, x.image.entry);
  aux(AT_UID, task.uid);
  aux(AT_EUID, task.euid);
  aux(AT_GID, task.gid);
  aux(AT_EGID, task.egid);
  aux(AT_SECURE, task.uid !== task.euid || task.gid !== task.egid ? 1 : 0);
  aux(AT_RANDOM, random);
  aux(AT_HWCAP2, 0);
  aux(AT_EXECFN, name);
  aux(AT_PLATFORM, platform);
  aux(AT_NULL, 0);
  return vector;
}

/** Lays arguments, environment and auxiliary vector out: the stack pointer, 0 on failure. */
function buildStack(x: Exec, mm: Mm, base: u32): u32 {
  const s = x.strings;
  mm.stackTop = STACK_TOP;
  let at = STACK_TOP - 4;
  const nameBytes = strlen(x.name) + 1;
  at -= nameBytes;
  const name = at;
  if (copyOut(name, x.name, nameBytes) < 0) return 0;
  at -= s.used;
  const strings = at;
  if (copyOut(strings, s.block, s.used) < 0) return 0;
  at -= 8;
  const platform = at;
  if (copyOut(platform, c`i686`, 5) < 0) return 0;
  at = (at - 16) & ~15;
  const random = at;
  const words = (1 + s.argc + 1 + s.envc + 1) << 2;
  const table = kzalloc(words + AUXV_BYTES);
  if (table === 0) return 0;
  randomBytes(table, 16);
  if (copyOut(random, table, 16) < 0) {
    kfree(table);
    return 0;
  }
  // The table's NULLs are in these 16 bytes when there are few arguments.
  memory.fill(table, 0, 16);
  const auxiliary = table + words;
  const end = fillAuxiliary(auxiliary, x, base, random, platform, name);
  const bytes = <u32> (end - table);
  const top = (random - bytes) & ~15;
  let p = table;
  store<u32>(p, s.argc);
  p += 4;
  let text = s.block;
  mm.argStart = strings;
  for (let i: u32 = 0; i < s.argc + s.envc; i++) {
    if (i === s.argc) {
      p += 4; // NULL behind the arguments
      mm.argEnd = strings + <u32> (text - s.block);
    }
    store<u32>(p, strings + <u32> (text - s.block));
    p += 4;
    text += strlen(text) + 1;
  }
  if (s.envc === 0) mm.argEnd = strings + <u32> (text - s.block);
  mm.envStart = mm.argEnd;
  mm.envEnd = strings + <u32> (text - s.block);
  mm.auxv = kzalloc(AUXV_BYTES);
  if (mm.auxv !== 0) memory.copy(mm.auxv, auxiliary, end - auxiliary);
  const failed = copyOut(top, table, bytes) < 0;
  kfree(table);
  return failed ? 0 : top;
}

/** Longest path that exec takes, with its NUL. */
export const EXEC_PATH_MAX: u32 = PATH_MAX;
