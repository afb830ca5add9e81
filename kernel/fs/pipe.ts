/**
 * Pipes and FIFOs (POSIX pipe(), mkfifo(), write()): a ring of bytes between readers and writers.
 *
 * Writes of up to PIPE_BUF bytes are atomic; a write without readers raises SIGPIPE; a read without
 * writers ends. Opening a FIFO waits for the other end.
 *
 * @module
 */
import { EAGAIN, EBUSY, EINVAL, ENOMEM, ENOTTY, ENXIO, EPIPE } from "../abi/errno.ts";
import { O_NONBLOCK, O_RDONLY, O_WRONLY, PIPE_BUF } from "../abi/fcntl.ts";
import { FIONREAD } from "../abi/ioctl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../abi/poll.ts";
import { ERESTARTSYS, SIGPIPE } from "../abi/signal.ts";
import { S_IFIFO } from "../abi/stat.ts";
import { PIPEFS_MAGIC } from "../abi/statfs.ts";
import { irqRestore, irqSave } from "../arch/i386/mod.ts";
import { kfree, kmalloc, kzalloc, putUser32 } from "../mm/mod.ts";
import { Transfer, transferIn, transferOut } from "../mm/mod.ts";
import { current, signalPending, signalSend } from "../proc/mod.ts";
import { lock, Mutex, sleepOnInterruptible, unlock, WaitQueue, wakeAll } from "../sync/mod.ts";
import { dentryNew, dentryPut } from "./dentry.ts";
import { fileNew, filePut } from "./fd_table.ts";
import { inodeNew, inodePut, inodeReady, inodeStamp, touchModify } from "./inode.ts";
import { pollWait } from "./poll_table.ts";
import { File, FileOps, FMODE_READ, FMODE_STREAM, FMODE_WRITE, Inode, Mount } from "./types.ts";
import { INODE_TRANSIENT, makeDevice, PollTable, StatFs, SuperBlock, SuperOps } from "./types.ts";

/** Bytes of a new pipe, and the bounds of F_SETPIPE_SZ. */
const CAPACITY: u32 = 65536;
const CAPACITY_MAX: u32 = 1048576;

/*@unmanaged*/
export class Pipe {
  buffer: usize;
  capacity: u32;
  /** Where reading starts, and how many bytes there are. */
  head: u32;
  count: u32;
  readers: u32;
  writers: u32;
  /** Opens so far, so that one that came and went is noticed by an open that waits. */
  readerOpens: u32;
  writerOpens: u32;
  /* The lock of a read or write under way, and the queue of everybody who waits. */
  lockOwner: usize;
  lockFirst: usize;
  lockLast: usize;
  waitFirst: usize;
  waitLast: usize;

  get lock(): Mutex {
    return changetype<Mutex>(changetype<usize>(this) + offsetof<Pipe>("lockOwner"));
  }
  get wait(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Pipe>("waitFirst"));
  }
}

const ops = memory.data(64, 4);
let pipes: SuperBlock = changetype<SuperBlock>(0);
let mount: Mount = changetype<Mount>(0);
let nextNumber: u32 = 1;

/** The operations of FIFOs and pipes. */
export function fifoOps(): FileOps {
  return changetype<FileOps>(ops);
}

/*@inline*/
function pipeOf(file: File): Pipe {
  return changetype<Pipe>(file.data);
}

/** The pipe of an inode, made when it has none: null when memory is out. */
function pipeFor(inode: Inode): Pipe | null {
  if (inode.pipe !== 0) return changetype<Pipe>(inode.pipe);
  const pipe = changetype<Pipe | null>(kzalloc(offsetof<Pipe>()));
  if (pipe === null) return null;
  // Most pipes carry little: the buffer grows on the first large write.
  pipe.buffer = kmalloc(PIPE_BUF);
  if (pipe.buffer === 0) {
    kfree(changetype<usize>(pipe));
    return null;
  }
  pipe.capacity = PIPE_BUF;
  inode.pipe = changetype<usize>(pipe);
  return pipe;
}

/** Changes the size of the ring: false when memory is out. */
function resize(pipe: Pipe, capacity: u32): bool {
  const buffer = kmalloc(capacity);
  if (buffer === 0) return false;
  const first = pipe.capacity - pipe.head < pipe.count ? pipe.capacity - pipe.head : pipe.count;
  memory.copy(buffer, pipe.buffer + pipe.head, first);
  memory.copy(buffer + first, pipe.buffer, pipe.count - first);
  kfree(pipe.buffer);
  pipe.buffer = buffer;
  pipe.capacity = capacity;
  pipe.head = 0;
  return true;
}

/** Sleeps until something changes. -ERESTARTSYS for a signal. The lock is free meanwhile. */
function waitChange(pipe: Pipe, count: u32, readers: u32, writers: u32): i32 {
  unlock(pipe.lock);
  const flags = irqSave();
  let result: i32 = 0;
  while (
    pipe.count === count && pipe.readers === readers && pipe.writers === writers && result === 0
  ) result = sleepOnInterruptible(pipe.wait);
  irqRestore(flags);
  lock(pipe.lock);
  return result;
}

function read(file: File, t: Transfer, _offset: u64): i32 {
  const pipe = pipeOf(file);
  if (t.remaining === 0) return 0;
  lock(pipe.lock);
  let result: i32 = 0;
  while (pipe.count === 0) {
    if (pipe.writers === 0) break;
    if (file.nonblock) {
      result = -EAGAIN;
      break;
    }
    result = waitChange(pipe, 0, pipe.readers, pipe.writers);
    if (result < 0) break;
  }
  if (result >= 0 && pipe.count > 0) result = take(pipe, t);
  unlock(pipe.lock);
  if (result > 0) wakeAll(pipe.wait);
  return result;
}

function take(pipe: Pipe, t: Transfer): i32 {
  let done: u32 = 0;
  while (pipe.count > 0 && t.remaining > 0) {
    let n = pipe.capacity - pipe.head;
    if (n > pipe.count) n = pipe.count;
    if (n > t.remaining) n = t.remaining;
    const copied = transferOut(t, pipe.buffer + pipe.head, n);
    if (copied < 0) return done > 0 ? <i32> done : copied;
    pipe.head = (pipe.head + copied) % pipe.capacity;
    pipe.count -= copied;
    done += copied;
    if (<u32> copied < n) break;
  }
  if (pipe.count === 0) pipe.head = 0;
  return done;
}

function write(file: File, t: Transfer, _offset: u64): i32 {
  const pipe = pipeOf(file);
  if (t.remaining === 0) return 0;
  lock(pipe.lock);
  let done: u32 = 0;
  let error: i32 = 0;
  // What fits into PIPE_BUF goes in one piece.
  let atomic = t.remaining <= PIPE_BUF ? t.remaining : 1;
  while (t.remaining > 0) {
    if (pipe.readers === 0) {
      error = -EPIPE;
      break;
    }
    let room = pipe.capacity - pipe.count;
    if (room < t.remaining && pipe.capacity < CAPACITY && resize(pipe, CAPACITY)) {
      room = pipe.capacity - pipe.count;
    }
    if (room < atomic) {
      if (file.nonblock) {
        error = -EAGAIN;
        break;
      }
      wakeAll(pipe.wait);
      error = waitChange(pipe, pipe.count, pipe.readers, pipe.writers);
      if (error < 0) break;
      continue;
    }
    const copied = put(pipe, t);
    if (copied < 0) {
      error = copied;
      break;
    }
    done += copied;
    atomic = 1;
  }
  unlock(pipe.lock);
  if (done > 0) {
    wakeAll(pipe.wait);
    touchModify(file.inode);
    return done;
  }
  if (error === -EPIPE) signalSend(current(), SIGPIPE);
  return error;
}

function put(pipe: Pipe, t: Transfer): i32 {
  let done: u32 = 0;
  while (pipe.count < pipe.capacity && t.remaining > 0) {
    const tail = (pipe.head + pipe.count) % pipe.capacity;
    let n = pipe.capacity - tail;
    if (n > pipe.capacity - pipe.count) n = pipe.capacity - pipe.count;
    if (n > t.remaining) n = t.remaining;
    const copied = transferIn(t, pipe.buffer + tail, n);
    if (copied < 0) return done > 0 ? <i32> done : copied;
    pipe.count += copied;
    done += copied;
    if (<u32> copied < n) break;
  }
  return done;
}

function poll(file: File, table: PollTable | null): u32 {
  const pipe = pipeOf(file);
  pollWait(table, pipe.wait);
  let mask: u32 = 0;
  if ((file.mode & FMODE_READ) !== 0) {
    if (pipe.count > 0) mask |= POLLIN | POLLRDNORM;
    // A FIFO that nobody has opened for writing since we have is not at its end.
    if (pipe.writers === 0 && pipe.writerOpens !== <u32> file.data2) mask |= POLLHUP;
  }
  if ((file.mode & FMODE_WRITE) !== 0) {
    if (pipe.capacity < CAPACITY || pipe.capacity - pipe.count >= PIPE_BUF) {
      mask |= POLLOUT | POLLWRNORM;
    }
    if (pipe.readers === 0) mask |= POLLERR;
  }
  return mask;
}

function ioctl(file: File, request: u32, argument: u32): i32 {
  if (request === FIONREAD) return putUser32(argument, pipeOf(file).count);
  return -ENOTTY;
}

/** Waits for the other end of a FIFO, of which there have been `opens` opens so far. */
function waitOther(pipe: Pipe, forWriter: bool, opens: u32): i32 {
  const flags = irqSave();
  let result: i32 = 0;
  while ((forWriter ? pipe.writerOpens : pipe.readerOpens) === opens) {
    result = signalPending() ? -ERESTARTSYS : sleepOnInterruptible(pipe.wait);
    if (result < 0) break;
  }
  irqRestore(flags);
  return result;
}

function open(inode: Inode, file: File): i32 {
  const pipe = pipeFor(inode);
  if (pipe === null) return -ENOMEM;
  file.data = changetype<usize>(pipe);
  file.mode |= FMODE_STREAM;
  const reads = (file.mode & FMODE_READ) !== 0;
  const writes = (file.mode & FMODE_WRITE) !== 0;
  if (writes && !reads && file.nonblock && pipe.readers === 0) {
    dropUnused(inode, pipe);
    return -ENXIO;
  }
  const writerOpens = pipe.writerOpens;
  const readerOpens = pipe.readerOpens;
  if (reads) {
    pipe.readers++;
    pipe.readerOpens++;
  }
  if (writes) {
    pipe.writers++;
    pipe.writerOpens++;
  }
  wakeAll(pipe.wait);
  let result: i32 = 0;
  // A pipe opened again by /proc/PID/fd has had its two ends: nobody else may ever come.
  if (inode.superBlock === pipes) file.data2 = ~(<usize> 0);
  else if (reads && !writes && pipe.writers === 0) {
    if (file.nonblock) file.data2 = pipe.writerOpens;
    else result = waitOther(pipe, true, writerOpens);
  } else if (writes && !reads && pipe.readers === 0) result = waitOther(pipe, false, readerOpens);
  if (writes || pipe.writers > 0) file.data2 = ~(<usize> 0);
  if (result < 0) leave(inode, pipe, file.mode);
  return result;
}

function dropUnused(inode: Inode, pipe: Pipe): void {
  if (pipe.readers > 0 || pipe.writers > 0) return;
  kfree(pipe.buffer);
  kfree(changetype<usize>(pipe));
  inode.pipe = 0;
}

/** One end is closed. */
function leave(inode: Inode, pipe: Pipe, mode: u32): void {
  if ((mode & FMODE_READ) !== 0) pipe.readers--;
  if ((mode & FMODE_WRITE) !== 0) pipe.writers--;
  wakeAll(pipe.wait);
  dropUnused(inode, pipe);
}

function release(file: File): void {
  leave(file.inode, pipeOf(file), file.mode);
}

/** F_GETPIPE_SZ: bytes, or -EINVAL for what is no pipe (EBADF at the call). */
export function pipeSize(file: File): i32 {
  if (file.ops !== fifoOps()) return -EINVAL;
  const capacity = pipeOf(file).capacity;
  return capacity < CAPACITY ? CAPACITY : capacity;
}

/** F_SETPIPE_SZ: the new size, a power of two, or -EINVAL, -EBUSY, -ENOMEM. */
export function pipeSetSize(file: File, size: u32): i32 {
  if (file.ops !== fifoOps() || size > CAPACITY_MAX) return -EINVAL;
  const pipe = pipeOf(file);
  let capacity: u32 = PIPE_BUF;
  while (capacity < size) capacity <<= 1;
  lock(pipe.lock);
  let result: i32 = capacity;
  if (pipe.count > capacity) result = -EBUSY;
  else if (!resize(pipe, capacity)) result = -ENOMEM;
  unlock(pipe.lock);
  return result;
}

/** The two ends of a new pipe, first the one to read: their Files, or null. Second by `pipeWriteEnd`. */
export function pipeNew(flags: u32): File | null {
  const inode = inodeNew(pipes, nextNumber++);
  if (inode === null) return null;
  inode.flags |= INODE_TRANSIENT;
  inode.mode = S_IFIFO | 0o600;
  inode.uid = current().fsuid;
  inode.gid = current().fsgid;
  inodeStamp(inode);
  inodeReady(inode);
  const status = flags & O_NONBLOCK;
  const pipe = pipeFor(inode);
  // A place outside of the tree, so that /proc/PID/fd can lead to it.
  const d = dentryNew(null, c`pipe`, 4, inode, pipes);
  if (d === null) {
    inodePut(inode);
    return null;
  }
  const reader = fileNew(
    inode,
    mount,
    d,
    fifoOps(),
    O_RDONLY | status,
    FMODE_READ | FMODE_STREAM,
  );
  const writer = fileNew(
    inode,
    mount,
    d,
    fifoOps(),
    O_WRONLY | status,
    FMODE_WRITE | FMODE_STREAM,
  );
  dentryPut(d);
  if (pipe === null || reader === null || writer === null) {
    if (pipe !== null) {
      pipe.readers = reader !== null ? 1 : 0;
      pipe.writers = writer !== null ? 1 : 0;
    }
    discard(reader, pipe);
    discard(writer, pipe);
    return null;
  }
  pipe.readers = 1;
  pipe.writers = 1;
  inode.writers++;
  reader.data = changetype<usize>(pipe);
  reader.data2 = ~(<usize> 0);
  writer.data = changetype<usize>(pipe);
  other = writer;
  return reader;
}

let other: File | null = null;

function discard(file: File | null, pipe: Pipe | null): void {
  if (file === null) return;
  file.data = changetype<usize>(pipe);
  if (pipe === null) file.ops = changetype<FileOps>(noOps);
  if ((file.mode & FMODE_WRITE) !== 0) file.inode.writers++;
  filePut(file);
}

const noOps = memory.data(64, 4);

/** The writing end of the pipe that `pipeNew` has just made. */
export function pipeWriteEnd(): File {
  return other!;
}

function statfs(_superBlock: SuperBlock, _result: StatFs): i32 {
  return 0;
}

/** Fills in the operations. */
export function pipeInit(): void {
  pipes = changetype<SuperBlock>(kzalloc(offsetof<SuperBlock>()));
  pipes.ops = changetype<SuperOps>(kzalloc(offsetof<SuperOps>()));
  pipes.ops.statfs = statfs;
  pipes.blockSize = 4096;
  pipes.blockBits = 12;
  pipes.magic = PIPEFS_MAGIC;
  pipes.deviceNumber = makeDevice(0, 12);
  mount = changetype<Mount>(kzalloc(offsetof<Mount>()));
  mount.superBlock = pipes;
  mount.references = 1;
  const o = fifoOps();
  o.open = open;
  o.release = release;
  o.read = read;
  o.write = write;
  o.poll = poll;
  o.ioctl = ioctl;
}
