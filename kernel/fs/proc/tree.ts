/**
 * The tree of /proc: entries that are always there, and a folder for each process with entries of its
 * own. Inodes are made when they are looked up and not kept.
 *
 * @module
 */
import { EACCES, ENOENT, ENOMEM, ESRCH } from "../../abi/errno.ts";
import { DT_DIR, DT_LNK, DT_REG } from "../../abi/dirent.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../abi/stat.ts";
import { Transfer, transferOut } from "../../mm/mod.ts";
import { kfree, kmalloc, kzalloc } from "../../mm/mod.ts";
import { memcmp, snprintk, strlen } from "../../lib/mod.ts";
import { current, Process, processFirst, Task, taskByPid } from "../../proc/mod.ts";
import { fdPeek, FdTable } from "../fd_table.ts";
import { inodeFind, inodeNew, inodeReady, inodeStamp } from "../inode.ts";
import { DirectorySink, File, FileOps, Inode, INODE_TRANSIENT, InodeOps, Path } from "../types.ts";
import { SuperBlock } from "../types.ts";
import { Text, textFree, textNew } from "./text.ts";

/** What the contents of an entry are. */
export type Generator = (text: Text, task: Task, inode: Inode) => void;

/** Kinds of entries besides plain files. */
export const KIND_FILE: u32 = 0;
export const KIND_FOLDER: u32 = 1;
/** A link whose text `generate` writes; with `follow` it jumps. */
export const KIND_LINK: u32 = 2;
/** Folder of descriptors, of threads. */
export const KIND_DESCRIPTORS: u32 = 3;
export const KIND_THREADS: u32 = 4;
export const KIND_DESCRIPTOR: u32 = 5;

/** An entry. */
/*@unmanaged*/
export class ProcEntry {
  next: ProcEntry | null;
  children: ProcEntry | null;
  id: u32;
  kind: u32;
  mode: u32;
  name: usize;
  generate: Generator | null;
  follow: ((task: Task, inode: Inode, result: Path) => i32) | null;
  /** Others may not look at it (environ, fd). */
  isPrivate: bool;
}

let nextId: u32 = 1;
let root: ProcEntry = changetype<ProcEntry>(0);
let perProcess: ProcEntry = changetype<ProcEntry>(0);
let descriptorEntry: ProcEntry = changetype<ProcEntry>(0);
const inodeOps = memory.data(64, 4);
const linkOps = memory.data(64, 4);
const jumpOps = memory.data(64, 4);
const folderFileOps = memory.data(64, 4);
const fileOps = memory.data(64, 4);

/** Adds an entry to a folder (null: a root of its own). */
export function procAdd(
  folder: ProcEntry | null,
  name: usize,
  kind: u32,
  mode: u32,
  generate: Generator | null,
): ProcEntry {
  const entry = changetype<ProcEntry>(kzalloc(offsetof<ProcEntry>()));
  entry.id = nextId++;
  entry.kind = kind;
  entry.mode = mode;
  entry.name = name;
  entry.generate = generate;
  if (folder !== null) {
    let last = folder.children;
    while (last !== null && last.next !== null) last = last.next;
    if (last === null) folder.children = entry;
    else last.next = entry;
  }
  return entry;
}

/** Sets the two roots: /proc and /proc/PID; and what a descriptor's link is. */
export function procRoots(top: ProcEntry, process: ProcEntry, descriptor: ProcEntry): void {
  root = top;
  perProcess = process;
  descriptorEntry = descriptor;
}

/*@inline*/
function entryOf(inode: Inode): ProcEntry {
  return changetype<ProcEntry>(inode.data);
}

/** The task that an inode is about, null when it has ended; for global entries the current one. */
export function procTask(inode: Inode): Task | null {
  return inode.data2 === 0 ? current() : taskByPid(<i32> inode.data2);
}

/** The inode of an entry of a process (pid 0: a global one), referenced, or -ENOMEM. */
export function procInode(
  superBlock: SuperBlock,
  entry: ProcEntry,
  pid: u32,
  descriptor: u32,
): usize {
  const isDescriptor = entry.kind === KIND_DESCRIPTOR;
  const number = (pid << 16) | (isDescriptor ? 0x8000 | (descriptor & 0x7fff) : entry.id);
  const known = inodeFind(superBlock, number);
  if (known !== null) return changetype<usize>(known);
  const inode = inodeNew(superBlock, number);
  if (inode === null) return <usize> -ENOMEM;
  inode.flags |= INODE_TRANSIENT;
  inode.data = changetype<usize>(entry);
  inode.data2 = pid;
  inode.generation = descriptor;
  const kind = entry.kind;
  if (kind === KIND_LINK || kind === KIND_DESCRIPTOR) {
    inode.mode = S_IFLNK | 0o777;
    inode.ops = changetype<InodeOps>(entry.follow === null ? linkOps : jumpOps);
  } else {
    inode.ops = changetype<InodeOps>(inodeOps);
    inode.mode = entry.mode;
    const folder = (entry.mode & S_IFMT) === S_IFDIR;
    inode.fileOps = changetype<FileOps>(folder ? folderFileOps : fileOps);
    if (folder) inode.links = 2;
  }
  inodeStamp(inode);
  own(inode);
  inodeReady(inode);
  return changetype<usize>(inode);
}

/** A process's entries belong to who it runs as. */
function own(inode: Inode): void {
  if (inode.data2 === 0) return;
  const task = procTask(inode);
  if (task === null) return;
  inode.uid = task.euid;
  inode.gid = task.egid;
}

function descriptorFile(task: Task, descriptor: u32): File | null {
  if (task.files === 0) return null;
  return fdPeek(changetype<FdTable>(task.files), descriptor);
}

/** A decimal number without sign or leading zeros: the number, or -1. */
function parseNumber(name: usize, length: u32): i32 {
  if (length === 0 || length > 9 || (length > 1 && load<u8>(name) === 0x30)) return -1;
  let value: i32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = <i32> load<u8>(name + i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function child(folder: ProcEntry, name: usize, length: u32): ProcEntry | null {
  let entry = folder.children;
  while (
    entry !== null && (strlen(entry.name) !== length || memcmp(entry.name, name, length) !== 0)
  ) entry = entry.next;
  return entry;
}

function lookup(directory: Inode, name: usize, length: u32): usize {
  const folder = entryOf(directory);
  const s = directory.superBlock;
  const pid = directory.data2;
  const number = parseNumber(name, length);
  if (folder.kind === KIND_DESCRIPTORS) {
    const task = procTask(directory);
    if (number < 0 || task === null || descriptorFile(task, number) === null) return 0;
    return procInode(s, descriptorEntry, pid, number);
  }
  if (folder.kind === KIND_THREADS) {
    const thread = number > 0 ? taskByPid(number) : null;
    if (thread === null || thread.tgid !== <i32> pid) return 0;
    return procInode(s, perProcess, number, 0);
  }
  const found = child(folder, name, length);
  if (found !== null) return procInode(s, found, pid, 0);
  if (folder !== root || number <= 0 || taskByPid(number) === null) return 0;
  return procInode(s, perProcess, number, 0);
}

/** InodeOps.revalidate: processes and descriptors go without our hearing of it. */
function revalidate(inode: Inode): bool {
  if (inode.data2 === 0) return true;
  const task = procTask(inode);
  if (task === null) return false;
  if (entryOf(inode).kind !== KIND_DESCRIPTOR) return true;
  return descriptorFile(task, inode.generation) !== null;
}

function refresh(inode: Inode): void {
  own(inode);
}

/** 0 when the current task may look at private things of another. */
function mayLook(inode: Inode, task: Task): i32 {
  if (!entryOf(inode).isPrivate) return 0;
  const me = current();
  if (me.fsuid === 0 || me === task) return 0;
  return me.fsuid === task.uid && me.fsuid === task.euid && me.fsuid === task.suid ? 0 : -EACCES;
}

function readLink(inode: Inode, buffer: usize, size: u32): i32 {
  const task = procTask(inode);
  if (task === null) return -ENOENT;
  const denied = mayLook(inode, task);
  if (denied < 0) return denied;
  const generate = entryOf(inode).generate;
  const text = textNew();
  if (text === null || generate === null) return -ENOMEM;
  generate(text, task, inode);
  let n: i32 = text.length < size ? text.length : size;
  if (text.failed) n = -ENOMEM;
  else if (n === 0) n = -ENOENT;
  else memory.copy(buffer, text.data, n);
  textFree(text);
  return n;
}

function followLink(inode: Inode, result: Path): i32 {
  const task = procTask(inode);
  if (task === null) return -ENOENT;
  const denied = mayLook(inode, task);
  if (denied < 0) return denied;
  const follow = entryOf(inode).follow;
  return follow === null ? -ENOENT : follow(task, inode, result);
}

function read(file: File, t: Transfer, offset: u64): i32 {
  const inode = file.inode;
  if (offset === 0 || file.data === 0) {
    const task = procTask(inode);
    if (task === null) return -ESRCH;
    const denied = mayLook(inode, task);
    if (denied < 0) return denied;
    const text = textNew();
    if (text === null) return -ENOMEM;
    const generate = entryOf(inode).generate;
    if (generate !== null) generate(text, task, inode);
    if (text.failed) {
      textFree(text);
      return -ENOMEM;
    }
    const old = file.data;
    file.data = changetype<usize>(text);
    if (old !== 0) textFree(changetype<Text>(old));
  }
  const text = changetype<Text>(file.data);
  if (offset >= <u64> text.length) return 0;
  return transferOut(t, text.data + <usize> offset, text.length - <u32> offset);
}

function release(file: File): void {
  if (file.data !== 0) textFree(changetype<Text>(file.data));
}

/** The process with the lowest number from `from` on. */
function processFrom(from: i32): Process | null {
  let best: Process | null = null;
  for (let p = processFirst(); p !== null; p = p!.next) {
    if (p.pid >= from && p.pid > 0 && (best === null || p.pid < best.pid)) best = p;
  }
  return best;
}

/* Offsets: 0 `.`, 1 `..`, from 2 on the entries, from NUMBERS on what has a number. */
const NUMBERS: u64 = 1024;

function emitNumber(sink: DirectorySink, number: u32, inode: u32, type: u32, next: u64): bool {
  const name = kmalloc(16);
  if (name === 0) return false;
  const length = <u32> snprintk(name, 16, c`%u`, number);
  const more = sink.emit(sink, name, length, inode, type, next);
  kfree(name);
  return more;
}

function typeOf(entry: ProcEntry): u32 {
  if (entry.kind === KIND_LINK) return DT_LNK;
  return (entry.mode & S_IFMT) === S_IFDIR ? DT_DIR : DT_REG;
}

function readDirectory(file: File, sink: DirectorySink): i32 {
  const directory = file.inode;
  const folder = entryOf(directory);
  const pid = <u32> directory.data2;
  const task = procTask(directory);
  if (task === null) return -ENOENT;
  const denied = mayLook(directory, task);
  if (denied < 0) return denied;
  if (file.offset === 0) {
    if (!sink.emit(sink, c`.`, 1, directory.number, DT_DIR, 1)) return 0;
    file.offset = 1;
  }
  if (file.offset === 1) {
    if (!sink.emit(sink, c`..`, 2, root.id, DT_DIR, 2)) return 0;
    file.offset = 2;
  }
  let at: u64 = 2;
  for (let e = folder.children; e !== null && file.offset < NUMBERS; e = e!.next) {
    if (at >= file.offset) {
      const number = (pid << 16) | e.id;
      if (!sink.emit(sink, e.name, strlen(e.name), number, typeOf(e), at + 1)) return 0;
      file.offset = at + 1;
    }
    at++;
  }
  if (file.offset < NUMBERS) file.offset = NUMBERS;
  if (folder.kind === KIND_DESCRIPTORS) return readDescriptors(file, task, sink);
  if (folder.kind === KIND_THREADS) return readThreads(file, task, sink);
  return folder === root ? readProcesses(file, sink) : 0;
}

function readProcesses(file: File, sink: DirectorySink): i32 {
  while (true) {
    const process = processFrom(<i32> (file.offset - NUMBERS));
    if (process === null) return 0;
    const next = NUMBERS + <u64> (process.pid + 1);
    const inode = (<u32> process.pid << 16) | perProcess.id;
    if (!emitNumber(sink, process.pid, inode, DT_DIR, next)) return 0;
    file.offset = next;
  }
}

function readThreads(file: File, task: Task, sink: DirectorySink): i32 {
  while (true) {
    const from = <i32> (file.offset - NUMBERS);
    let best: Task | null = null;
    for (let t = task.process.firstThread; t !== null; t = t!.threadNext) {
      if (t.pid >= from && (best === null || t.pid < best.pid)) best = t;
    }
    if (best === null) return 0;
    const next = NUMBERS + <u64> (best.pid + 1);
    const inode = (<u32> best.pid << 16) | perProcess.id;
    if (!emitNumber(sink, best.pid, inode, DT_DIR, next)) return 0;
    file.offset = next;
  }
}

function readDescriptors(file: File, task: Task, sink: DirectorySink): i32 {
  if (task.files === 0) return 0;
  const table = changetype<FdTable>(task.files);
  let fd = <u32> (file.offset - NUMBERS);
  for (; fd < table.size; fd++) {
    if (fdPeek(table, fd) === null) continue;
    const next = NUMBERS + <u64> fd + 1;
    const inode = (<u32> file.inode.data2 << 16) | 0x8000 | (fd & 0x7fff);
    if (!emitNumber(sink, fd, inode, DT_LNK, next)) return 0;
    file.offset = next;
  }
  return 0;
}

/** Fills in the operations. */
export function procTreeInit(): void {
  const i = changetype<InodeOps>(inodeOps);
  i.lookup = lookup;
  i.revalidate = revalidate;
  i.refresh = refresh;
  const l = changetype<InodeOps>(linkOps);
  l.readLink = readLink;
  l.revalidate = revalidate;
  l.refresh = refresh;
  memory.copy(jumpOps, linkOps, 64);
  changetype<InodeOps>(jumpOps).followLink = followLink;
  const d = changetype<FileOps>(folderFileOps);
  d.readDirectory = readDirectory;
  const f = changetype<FileOps>(fileOps);
  f.read = read;
  f.release = release;
}
