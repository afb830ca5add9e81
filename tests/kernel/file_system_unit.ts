/**
 * The kernel's file system compiled to Wasm over a disk in memory: real system call handlers, VFS, page
 * cache and file systems; stand-ins only for the processor, the scheduler and the clock.
 *
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import { compileUnit, type Unit } from "./wasm_unit.ts";

const source = (path: string): string =>
  Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

/** Memory of the unit: static data and the test's own below 16 MiB, the kernel's pages up to here. */
const MEMORY_MIB = 64;

const fakes = (): Record<string, string> => ({
  "kernel/arch/i386/irq_flags.ts": `
    export function irqSave(): u32 { return 0; }
    export function irqRestore(flags: u32): void {}
  `,
  "kernel/arch/i386/mod.ts": `export { irqRestore, irqSave } from "./irq_flags.ts";`,
  "kernel/arch/i386/asm.ts": `
    export function copy_user(to: usize, from: usize, n: u32): u32 { memory.copy(to, from, n); return 0; }
    export function clear_user(to: usize, n: u32): u32 { memory.fill(to, 0, n); return 0; }
    export function copy_user_string(to: usize, from: usize, n: u32): i32 {
      for (let i: u32 = 0; i < n; i++) {
        const c = load<u8>(from + i);
        store<u8>(to + i, c);
        if (c === 0) return i;
      }
      return n;
    }
    export function put_user(at: usize, value: u32): i32 { store<u32>(at, value); return 0; }
    export function get_user(at: usize): u64 { return load<u32>(at); }
  `,
  // Physical addresses are addresses of the unit.
  "kernel/mm/page.ts": source("kernel/mm/page.ts").replace("usize = 0xc0000000", "usize = 0"),
  "kernel/sched/scheduler.ts": `
    import { Task } from "../proc/task.ts";
    export function schedule(): void { assert(false, "sleeps for ever"); }
    export function wakeTask(task: Task): bool { return false; }
  `,
  "kernel/lib/panic.ts": `export function panic(message: usize): void { abort("panic"); }`,
  "kernel/lib/mod.ts": `
    export { consoleRegister } from "./log.ts";
    export { printk, snprintk } from "./printk.ts";
    export { panic } from "./panic.ts";
    export { memcmp, strchr, strcmp, strcpy, strlcpy, strlen, strncmp, strnlen } from "./string.ts";
  `,
  "kernel/time/mod.ts": `
    export const HZ: u32 = 250;
    let now: u64 = 1700000000000000000;
    export function ticks(): u32 { return 0; }
    export function realtimeNs(): u64 { return now += 1000000; }
    export function realtimeSeconds(): u32 { return <u32> (realtimeNs() / 1000000000); }
  `,
  "kernel/proc/mod.ts": `
    export { current, Process, signalPending, Task } from "./task.ts";
    export { FileServices, fileServicesRegister, syncRegister } from "./services.ts";
    import { Task } from "./task.ts";
    export function signalSend(task: Task, signal: i32): void {}
    export function kernelThread(n: usize, run: (argument: usize) => void, a: usize): i32 { return 0; }
  `,
});

const entry = `
import { pagesAdd, pagesFree, pagesInit } from "./kernel/mm/page.ts";
import { consoleRegister } from "./kernel/lib/log.ts";
import { kzalloc } from "./kernel/mm/mod.ts";
import { Process, setCurrent, Task } from "./kernel/proc/task.ts";
import { TrapFrame } from "./kernel/arch/i386/frame.ts";
import { dispatch } from "./kernel/syscall/table.ts";
import { fileAttributesCallsInit } from "./kernel/syscall/file_attributes.ts";
import { fileIoCallsInit } from "./kernel/syscall/file_io.ts";
import { fileMountCallsInit } from "./kernel/syscall/file_mount.ts";
import { fileOpenCallsInit } from "./kernel/syscall/file_open.ts";
import { fileStatCallsInit } from "./kernel/syscall/file_stat.ts";
import { fileTreeCallsInit } from "./kernel/syscall/file_tree.ts";
import { blockFileInit, blockDevicePrepare } from "./kernel/fs/block_file.ts";
import { cacheInit, cachePages } from "./kernel/fs/cache.ts";
import { contextInit } from "./kernel/fs/context.ts";
import { devfsInit } from "./kernel/fs/devfs.ts";
import { dentryShrink } from "./kernel/fs/dentry.ts";
import { ext2Init } from "./kernel/fs/ext2/mod.ts";
import { registerBlockDevice } from "./kernel/fs/device_table.ts";
import { genericFileInit } from "./kernel/fs/generic_file.ts";
import { inodesInit, inodeShrink } from "./kernel/fs/inode.ts";
import { mountFileSystem, remount } from "./kernel/fs/mount.ts";
import { pipeInit } from "./kernel/fs/pipe.ts";
import { fileCount } from "./kernel/fs/fd_table.ts";
import { tmpfsInit } from "./kernel/fs/tmpfs.ts";
import { BlockDevice, failed, Mount } from "./kernel/fs/types.ts";
import { writebackInit } from "./kernel/fs/writeback.ts";
import { allocPages } from "./kernel/mm/page.ts";

@external("host", "transfer")
declare function hostTransfer(write: i32, sector: u32, address: u32, bytes: u32): i32;
@external("host", "print")
declare function hostPrint(address: u32, length: u32): void;

let task: Task = changetype<Task>(0);
let device: BlockDevice = changetype<BlockDevice>(0);
let root: Mount = changetype<Mount>(0);
const frame = changetype<TrapFrame>(memory.data(256, 16));

function transfer(d: BlockDevice, write: bool, sector: u64, segments: usize, count: u32): i32 {
  let at = <u32> sector;
  for (let i: u32 = 0; i < count; i++) {
    const bytes = load<u32>(segments + i * 8, 4);
    const error = hostTransfer(write ? 1 : 0, at, load<u32>(segments + i * 8), bytes);
    if (error < 0) return error;
    at += bytes >> 9;
  }
  return 0;
}

export function start(sectors: u32, pages: u32): void {
  memory.grow(${MEMORY_MIB} * 16);
  pagesInit(0x800000, ${MEMORY_MIB} << 20);
  pagesAdd(0x1000000, 0x1000000 + (pages << 12));
  consoleRegister((data: usize, length: u32): void => hostPrint(<u32> data, length));
  const process = changetype<Process>(kzalloc(offsetof<Process>()));
  process.pid = 1;
  process.rlimits = kzalloc(256);
  memory.fill(process.rlimits, 0xff, 256);
  task = changetype<Task>(kzalloc(offsetof<Task>()));
  task.process = process;
  task.pid = 1;
  setCurrent(task);
  cacheInit((): void => {});
  inodesInit();
  writebackInit();
  blockFileInit();
  genericFileInit();
  pipeInit();
  tmpfsInit();
  devfsInit();
  ext2Init();
  fileIoCallsInit();
  fileOpenCallsInit();
  fileStatCallsInit();
  fileTreeCallsInit();
  fileAttributesCallsInit();
  fileMountCallsInit();
  device = changetype<BlockDevice>(kzalloc(offsetof<BlockDevice>()));
  device.major = 3;
  device.name = memory.data<u8>([104, 100, 97, 0]);
  device.sectors = sectors;
  device.transfer = transfer;
  registerBlockDevice(device);
  blockDevicePrepare(device);
}

export function mountRoot(flags: u32): i32 {
  const result = mountFileSystem(memory.data<u8>([101, 120, 116, 50, 0]), device, 0, flags, 0, null, null);
  if (failed(result)) return <i32> result;
  root = changetype<Mount>(result);
  contextInit(root, root.root);
  return 0;
}

export function readOnly(on: i32): i32 { return remount(root, on); }
export function setUser(uid: u32): void { task.fsuid = uid; task.euid = uid; task.uid = uid; }
export function freePages(): u32 { return pagesFree(); }
export function cached(): u32 { return cachePages(); }
export function openFiles(): u32 { return fileCount(); }
export function dropCaches(): void { dentryShrink(100000); inodeShrink(100000); }
/** Makes the page allocator reclaim all that it can. */
export function pressure(): void {
  for (let i = 0; i < 64; i++) if (allocPages(10) !== 0) continue; else return;
}

export function call(number: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32): i32 {
  frame.error = number;
  frame.eax = number;
  frame.ebx = a;
  frame.ecx = b;
  frame.edx = c;
  frame.esi = d;
  frame.edi = e;
  frame.ebp = f;
  dispatch(frame);
  return frame.eax;
}
`;

/** Numbers of the calls that the tests use (i386). */
export const SYS = {
  read: 3,
  write: 4,
  open: 5,
  close: 6,
  link: 9,
  unlink: 10,
  chdir: 12,
  mknod: 14,
  chmod: 15,
  mount: 21,
  sync: 36,
  rename: 38,
  mkdir: 39,
  rmdir: 40,
  dup: 41,
  pipe: 42,
  umount2: 52,
  fcntl: 55,
  umask: 60,
  dup2: 63,
  symlink: 83,
  readlink: 85,
  fsync: 118,
  pread64: 180,
  pwrite64: 181,
  chown32: 212,
  getcwd: 183,
  truncate64: 193,
  ftruncate64: 194,
  stat64: 195,
  lstat64: 196,
  getdents64: 220,
  statfs64: 268,
  openat: 295,
  renameat2: 353,
} as const;

/** Numbers of errors that the tests name. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
} as const;

/** Flags of open. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
} as const;

/** What stat says. */
export interface Stat {
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly inode: number;
  readonly blocks: number;
}

/** A running kernel file system. */
export interface FileSystem {
  readonly disk: Uint8Array;
  readonly messages: string[];
  /** Sectors at which transfers fail. */
  readonly bad: Set<number>;
  readonly unit: Unit;
  mount(flags?: number): number;
  call(number: number, ...args: (number | string | Uint8Array)[]): number;
  read(path: string): Uint8Array | number;
  write(path: string, data: Uint8Array, offset?: number, flags?: number): number;
  stat(path: string): Stat | number;
  list(path: string): string[] | number;
  readlink(path: string): string | number;
  /** Makes the file system read-only and clean, as before power-off. */
  shutdown(): void;
}

/** Starts the file system over a disk. `pages`: memory of the kernel, in pages of 4 KiB. */
export async function startFileSystem(disk: Uint8Array, pages = 8192): Promise<FileSystem> {
  const messages: string[] = [];
  const bad = new Set<number>();
  let line = "";
  let memory = (): Uint8Array => new Uint8Array();
  const unit = await compileUnit({
    entry,
    fakes: fakes(),
    imports: {
      host: {
        transfer: (write, sector, address, bytes) => {
          const from = sector! * 512;
          for (let s = sector!; s < sector! + bytes! / 512; s++) if (bad.has(s)) return -5;
          if (from + bytes! > disk.length) return -5;
          const at = address! >>> 0;
          if (write) disk.set(memory().subarray(at, at + bytes!), from);
          else memory().set(disk.subarray(from, from + bytes!), at);
          return 0;
        },
        print: (address, length) => {
          line += new TextDecoder().decode(
            memory().slice(address! >>> 0, (address! >>> 0) + length!),
          );
          const lines = line.split("\n");
          line = lines.pop()!;
          messages.push(...lines);
        },
      },
    },
  });
  memory = unit.bytes;
  const call = unit.call;
  call["start"]!(disk.length / 512, pages);
  // Arguments lie in fixed places, so that a long run needs no memory.
  const places = [unit.put(new Uint8Array(5000)), unit.put(new Uint8Array(5000))];
  const buffer = unit.put(new Uint8Array(1 << 20));
  const encoder = new TextEncoder();
  const system = (number: number, ...args: (number | string | Uint8Array)[]): number => {
    let texts = 0;
    const words = [0, 0, 0, 0, 0, 0];
    args.forEach((arg, i) => {
      if (typeof arg === "number") words[i] = arg;
      else if (typeof arg === "string") {
        const at = places[texts++]!;
        memory().set(encoder.encode(arg + "\0"), at);
        words[i] = at;
      } else {
        memory().set(arg, buffer);
        words[i] = buffer;
      }
    });
    return call["call"]!(number, ...words);
  };
  const view = (): DataView => new DataView(memory().buffer);
  const stat = (path: string): Stat | number => {
    const code = system(SYS.lstat64, path, buffer);
    if (code < 0) return code;
    const v = view();
    return {
      mode: v.getUint32(buffer + 16, true),
      links: v.getUint32(buffer + 20, true),
      size: Number(v.getBigUint64(buffer + 44, true)),
      inode: v.getUint32(buffer + 88, true),
      blocks: v.getUint32(buffer + 56, true),
    };
  };
  return {
    disk,
    messages,
    bad,
    unit,
    mount: (flags = 0) => call["mountRoot"]!(flags),
    call: system,
    stat,
    read(path) {
      const fd = system(SYS.open, path, O.RDONLY, 0);
      if (fd < 0) return fd;
      const parts: Uint8Array[] = [];
      while (true) {
        const n = system(SYS.read, fd, buffer, 60_001);
        if (n < 0) {
          system(SYS.close, fd);
          return n;
        }
        if (n === 0) break;
        parts.push(unit.get(buffer, n));
      }
      system(SYS.close, fd);
      const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        all.set(part, at);
        at += part.length;
      }
      return all;
    },
    write(path, data, offset = 0, flags = O.WRONLY | O.CREAT) {
      const fd = system(SYS.open, path, flags, 0o644);
      if (fd < 0) return fd;
      memory().set(data, buffer);
      const n = system(SYS.pwrite64, fd, buffer, data.length, offset, 0);
      system(SYS.close, fd);
      return n;
    },
    list(path) {
      const fd = system(SYS.open, path, O.RDONLY | O.DIRECTORY, 0);
      if (fd < 0) return fd;
      const names: string[] = [];
      while (true) {
        const n = system(SYS.getdents64, fd, buffer, 1000);
        if (n < 0) {
          system(SYS.close, fd);
          return n;
        }
        if (n === 0) break;
        const raw = unit.get(buffer, n);
        for (let at = 0; at < n;) {
          const length = raw[at + 16]! | (raw[at + 17]! << 8);
          const end = raw.indexOf(0, at + 19);
          names.push(new TextDecoder().decode(raw.subarray(at + 19, end)));
          at += length;
        }
      }
      system(SYS.close, fd);
      return names;
    },
    readlink(path) {
      const n = system(SYS.readlink, path, buffer, 4096);
      return n < 0 ? n : new TextDecoder().decode(unit.get(buffer, n));
    },
    shutdown() {
      system(SYS.sync);
      const code = call["readOnly"]!(1);
      if (code < 0) throw new Error(`Remounting read-only failed: ${code}`);
    },
  };
}

/** A new ext2 image, made by mke2fs with these options. */
export function makeImage(kib: number, ...options: string[]): Uint8Array {
  const path = Deno.makeTempFileSync({ suffix: ".img" });
  try {
    Deno.writeFileSync(path, new Uint8Array(kib * 1024));
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext2", ...options, path], { stdio: "pipe" });
    return Deno.readFileSync(path);
  } finally {
    Deno.removeSync(path);
  }
}

/** What e2fsck says of an image: exit status (0: nothing is wrong) and its output. */
export function checkImage(disk: Uint8Array): { status: number; output: string } {
  const path = Deno.makeTempFileSync({ suffix: ".img" });
  try {
    Deno.writeFileSync(path, disk);
    const { status, stdout, stderr } = spawnSync("e2fsck", ["-fn", path], { encoding: "utf8" });
    return { status: status ?? -1, output: stdout + stderr };
  } finally {
    Deno.removeSync(path);
  }
}

/** Commands to debugfs on an image (`-w` when writing): its output and the image afterwards. */
export function debugfs(
  disk: Uint8Array,
  commands: string[],
): { output: string; disk: Uint8Array } {
  const path = Deno.makeTempFileSync({ suffix: ".img" });
  try {
    Deno.writeFileSync(path, disk);
    let output = "";
    for (const command of commands) {
      const run = spawnSync("debugfs", ["-w", "-R", command, path], { encoding: "utf8" });
      output += run.stdout;
    }
    return { output, disk: Deno.readFileSync(path) };
  } finally {
    Deno.removeSync(path);
  }
}
