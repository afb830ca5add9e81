/**
 * What processes and memory ask of the file system, terminals and entropy. Those parts fill it in when
 * they start, so that nothing here depends on them. All may sleep unless they say otherwise.
 *
 * @module
 */
import { Vma } from "../mm/space.ts";
import { Task } from "./task.ts";

/** The file system, for processes. Pointers are FdTable, FsContext, File of fs/. */
/*@unmanaged*/
export class FileServices {
  /** A copy of a descriptor table for fork, 0 when memory is out. */
  filesCopy: (files: usize) => usize;
  /** Another user of the same table (CLONE_FILES); one less, the last closes all. 0 is allowed. */
  filesShare: (files: usize) => void;
  filesRelease: (files: usize) => void;
  /** Closes descriptors with FD_CLOEXEC. The table is not shared any more (see `filesAlone`). */
  filesExec: (files: usize) => void;
  /** True when nobody else uses the table. */
  filesAlone: (files: usize) => bool;
  /** The same for working directory, root and umask. */
  contextCopy: (context: usize) => usize;
  contextShare: (context: usize) => void;
  contextRelease: (context: usize) => void;
  /**
   * Opens a program by kernel path for the current task: a File, or -errno (as -4095…-1). Checks that
   * it is a regular file with execute permission, -EACCES otherwise.
   */
  openProgram: (path: usize) => i32;
  /** Reads up to `count` bytes at `offset` into kernel memory: how many, or -errno. */
  read: (file: usize, offset: u32, buffer: usize, count: u32) => i32;
  /** File size in bytes, as far as 32 bits go. */
  size: (file: usize) => u32;
  /** What setuid and setgid bits say: mode in bits 0–15; then `ownerUid`, `ownerGid`. */
  mode: (file: usize) => u32;
  ownerUid: (file: usize) => u32;
  ownerGid: (file: usize) => u32;
  fileShare: (file: usize) => void;
  fileRelease: (file: usize) => void;
  /**
   * Backs an area with a file: sets `ops`, `object` (with a reference) and, for shared ones, clears
   * VM_MAYWRITE where the file is not open for writing. 0 or -errno (-EACCES, -ENODEV).
   */
  mapFile: (file: usize, area: Vma) => i32;
  /** The File of a descriptor of the current task, with a reference, or -EBADF. */
  fileByDescriptor: (descriptor: i32) => i32;
}

let fileServices: FileServices | null = null;
let ttySessionExit: ((tty: usize, task: Task) => void) | null = null;
let randomFill: ((buffer: usize, count: u32) => void) | null = null;
let syncAll: (() => void) | null = null;

/** Called once by fs/ at its start. */
export function fileServicesRegister(services: FileServices): void {
  fileServices = services;
}

/** The file system's services; it has started before the first process. */
export function files(): FileServices {
  return fileServices!;
}

/** True when a file system is there. */
export function haveFiles(): bool {
  return fileServices !== null;
}

/** Called by tty/: what to do when a session leader with a terminal ends. */
export function ttySessionExitRegister(call: (tty: usize, task: Task) => void): void {
  ttySessionExit = call;
}

/** Called by drivers/random: how to fill memory with random bytes (without sleeping). */
export function randomRegister(call: (buffer: usize, count: u32) => void): void {
  randomFill = call;
}

/** Called by fs/: how to write everything to the disks. */
export function syncRegister(call: () => void): void {
  syncAll = call;
}

/** The leader of a session with a terminal ends. */
export function notifySessionExit(tty: usize, task: Task): void {
  if (tty !== 0 && ttySessionExit !== null) ttySessionExit!(tty, task);
}

/** Fills kernel memory with random bytes; zeros while no generator is registered. */
export function randomBytes(buffer: usize, count: u32): void {
  memory.fill(buffer, 0, count);
  if (randomFill !== null) randomFill!(buffer, count);
}

/** Writes everything to the disks. */
export function syncDisks(): void {
  if (syncAll !== null) syncAll!();
}
