/**
 * The memory devices: null, zero, full, kmsg, random, urandom (mem(4), random(4); kmsg as
 * Documentation/ABI/testing/dev-kmsg describes it).
 *
 * @module
 */
import { EAGAIN, EFAULT, EINVAL, ENOSPC, ENOTTY, EPERM } from "../../abi/errno.ts";
import { RNDADDENTROPY, RNDADDTOENTCNT, RNDGETENTCNT } from "../../abi/ioctl.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../abi/poll.ts";
import { ERESTARTSYS } from "../../abi/signal.ts";
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { File, FileOps, FMODE_STREAM, Inode, PollTable, registerCharDevice } from "../../fs/mod.ts";
import { logByte, logEnd, logStart, logWrite, snprintk } from "../../lib/mod.ts";
import {
  copyIn,
  copyOut,
  kfree,
  kmalloc,
  kzalloc,
  Transfer,
  transferIn,
  transferOut,
  Vma,
} from "../../mm/mod.ts";
import { current, signalPending } from "../../proc/task.ts";
import { sleepOnInterruptibleTimeout, WaitQueue } from "../../sync/mod.ts";
import { HZ } from "../../time/mod.ts";
import { entropyAdd, randomReseed, randomTransfer } from "../random/mod.ts";

const MEMORY_MAJOR: u32 = 1;
const CHUNK: u32 = 512;
/** Longest record that a read of kmsg gives. */
const RECORD: u32 = 1024;

function ops(): FileOps {
  return changetype<FileOps>(kzalloc(offsetof<FileOps>()));
}

function readNothing(_file: File, _t: Transfer, _offset: u64): i32 {
  return 0;
}

/** Takes everything, keeps nothing. */
function writeNothing(_file: File, t: Transfer, _offset: u64): i32 {
  return t.remaining;
}

function readZeros(_file: File, t: Transfer, _offset: u64): i32 {
  const zeros = kzalloc(CHUNK);
  let done: i32 = 0;
  while (t.remaining > 0) {
    const n = transferOut(t, zeros, t.remaining < CHUNK ? t.remaining : CHUNK);
    if (n < 0) {
      if (done === 0) done = n;
      break;
    }
    done += n;
    if (signalPending()) break;
  }
  kfree(zeros);
  return done;
}

function writeFull(_file: File, t: Transfer, _offset: u64): i32 {
  return t.remaining > 0 ? -ENOSPC : 0;
}

/** A private map of /dev/zero is anonymous memory: an area without operations. */
function mapZero(_file: File, _area: Vma): i32 {
  return 0;
}

function pollReady(_file: File, _table: PollTable | null): u32 {
  return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

function readRandom(_file: File, t: Transfer, _offset: u64): i32 {
  return randomTransfer(t, t.remaining);
}

/** What is written to the generator is mixed in, and counts for nothing. */
function writeRandom(_file: File, t: Transfer, _offset: u64): i32 {
  const buffer = kmalloc(CHUNK);
  let done: i32 = 0;
  while (t.remaining > 0) {
    const n = transferIn(t, buffer, t.remaining < CHUNK ? t.remaining : CHUNK);
    if (n < 0) {
      if (done === 0) done = n;
      break;
    }
    entropyAdd(buffer, n);
    done += n;
  }
  kfree(buffer);
  return done;
}

function ioctlRandom(_file: File, request: u32, argument: u32): i32 {
  const word = kmalloc(8);
  let result: i32 = 0;
  if (request === RNDGETENTCNT) {
    store<u32>(word, 256); // the generator, once seeded, has its 256 bits
    result = copyOutWord(argument, word);
  } else if (request === RNDADDTOENTCNT || request === RNDADDENTROPY) {
    if (current().euid !== 0) result = -EPERM;
    else if (request === RNDADDENTROPY) result = addEntropy(argument, word);
  } else result = -ENOTTY;
  kfree(word);
  return result;
}

function copyOutWord(user: u32, word: usize): i32 {
  return copyOut(user, word, 4) < 0 ? -EFAULT : 0;
}

/** struct rand_pool_info: bits, bytes, then the bytes. */
function addEntropy(argument: u32, header: usize): i32 {
  if (copyIn(header, argument, 8) < 0) return -EFAULT;
  const length = load<u32>(header, 4);
  if (<i32> length < 0) return -EINVAL;
  const buffer = kmalloc(CHUNK);
  let result: i32 = 0;
  for (let done: u32 = 0; done < length && result >= 0; done += CHUNK) {
    const n = length - done < CHUNK ? length - done : CHUNK;
    if (copyIn(buffer, argument + 8 + done, n) < 0) result = -EFAULT;
    else entropyAdd(buffer, n);
  }
  kfree(buffer);
  if (result >= 0) randomReseed();
  return result;
}

/** A reader starts at the oldest message. */
function openKmsg(_inode: Inode, file: File): i32 {
  file.mode |= FMODE_STREAM;
  file.data = logStart();
  return 0;
}

/** Nothing wakes readers of messages (they are written from anywhere): they look ten times a second. */
const kmsgWait = changetype<WaitQueue>(memory.data(8, 4));

function awaitMessage(file: File): i32 {
  const flags = irqSave();
  let result: i32 = 0;
  while (<u32> file.data === logEnd()) {
    if (file.nonblock) result = -EAGAIN;
    else if (signalPending()) result = -ERESTARTSYS;
    if (result < 0) break;
    sleepOnInterruptibleTimeout(kmsgWait, HZ / 10);
  }
  irqRestore(flags);
  return result;
}

/** One record a read: `6,sequence,microseconds,-;text`. -EINVAL when the buffer is too small. */
function readKmsg(file: File, t: Transfer, _offset: u64): i32 {
  const waited = awaitMessage(file);
  if (waited < 0) return waited;
  let at: u32 = <u32> file.data;
  const oldest = logStart();
  if (<i32> (at - oldest) < 0) at = oldest;
  const record = kmalloc(RECORD);
  let n = snprintk(record, RECORD, c`6,%u,0,-;`, at);
  while (at !== logEnd() && n < RECORD - 1) {
    const byte = logByte(at++);
    if (byte === 0x0a) break;
    store<u8>(record + n++, <u8> byte);
  }
  store<u8>(record + n++, 0x0a);
  let result: i32 = -EINVAL;
  if (n <= t.remaining) {
    result = transferOut(t, record, n);
    if (result >= 0) file.data = at;
  }
  kfree(record);
  return result;
}

/** A message from user space, one a write; `<N>` in front is its level. */
function writeKmsg(_file: File, t: Transfer, _offset: u64): i32 {
  const length = t.remaining;
  if (length > RECORD - 2) return -EINVAL;
  const text = kmalloc(RECORD);
  const n = transferIn(t, text, length);
  if (n >= 0) {
    let start: u32 = 0;
    if (n > 2 && load<u8>(text) === 0x3c) {
      for (let i: u32 = 1; i < 5 && i < <u32> n; i++) {
        if (load<u8>(text + i) === 0x3e) start = i + 1;
      }
    }
    let end: u32 = n;
    if (end === start || load<u8>(text + end - 1) !== 0x0a) store<u8>(text + end++, 0x0a);
    logWrite(text + start, end - start);
  }
  kfree(text);
  return n;
}

function pollKmsg(file: File, _table: PollTable | null): u32 {
  return <u32> file.data !== logEnd() ? POLLIN | POLLRDNORM : 0;
}

function openStream(_inode: Inode, file: File): i32 {
  file.mode |= FMODE_STREAM;
  return 0;
}

/** Registers the devices. */
export function memoryDevicesInit(): void {
  const none = ops();
  none.read = readNothing;
  none.write = writeNothing;
  none.poll = pollReady;
  registerCharDevice(MEMORY_MAJOR, 3, c`null`, none, 0o666, 0);
  const zero = ops();
  zero.read = readZeros;
  zero.write = writeNothing;
  zero.poll = pollReady;
  zero.map = mapZero;
  registerCharDevice(MEMORY_MAJOR, 5, c`zero`, zero, 0o666, 0);
  const full = ops();
  full.read = readZeros;
  full.write = writeFull;
  full.poll = pollReady;
  registerCharDevice(MEMORY_MAJOR, 7, c`full`, full, 0o666, 0);
  const random = ops();
  random.open = openStream;
  random.read = readRandom;
  random.write = writeRandom;
  random.ioctl = ioctlRandom;
  random.poll = pollReady;
  registerCharDevice(MEMORY_MAJOR, 8, c`random`, random, 0o666, 0);
  registerCharDevice(MEMORY_MAJOR, 9, c`urandom`, random, 0o666, 0);
  const kmsg = ops();
  kmsg.open = openKmsg;
  kmsg.read = readKmsg;
  kmsg.write = writeKmsg;
  kmsg.poll = pollKmsg;
  registerCharDevice(MEMORY_MAJOR, 11, c`kmsg`, kmsg, 0o644, 0);
}
