/**
 * Reading and writing a terminal: canonical lines, VMIN and VTIME (POSIX §11.1.7), blocking, and
 * what a hang-up does.
 *
 * One reader and one writer at a time use the bounce buffers; the others wait their turn. A hang-up
 * moves the terminal's generation: files opened before it read end of file and write -EIO.
 *
 * @module
 */
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { EAGAIN, EIO } from "../abi/errno.ts";
import { ERESTARTSYS } from "../abi/signal.ts";
import { ICANON, TOSTOP, VMIN, VTIME } from "../abi/termios.ts";
import { Transfer, transferIn, transferOut } from "../mm/mod.ts";
import {
  FOREVER,
  sleepOnInterruptible,
  sleepOnInterruptibleTimeout,
  wakeAll,
} from "../sync/mod.ts";
import { HZ } from "../time/mod.ts";
import { signalPending } from "../proc/task.ts";
import { inputAvailable, inputTake, inputUnthrottle } from "./input.ts";
import { checkReader, checkWriter } from "./job.ts";
import { outputWrite } from "./output.ts";
import { BOUNCE_SIZE, Tty, ttyAlive, ttyOutputCount, ttyStart } from "./tty.ts";
import { ttyDiscipline } from "./worker.ts";

/** inputTake's mark that a line ended. */
const ENDED: u32 = 0x80000000;

/** Waits for input at most `ticks` (0: without limit), or for a signal. What is left of them. */
function awaitInput(tty: Tty, ticks: u32): u32 {
  return sleepOnInterruptibleTimeout(tty.readWait, ticks === 0 ? FOREVER : ticks);
}

/** After a reader took something: room for the driver, the sender, the master. */
function madeRoom(tty: Tty): void {
  inputUnthrottle(tty);
  if (tty.rawHead !== tty.rawTail) ttyDiscipline(tty);
  const peer = tty.peer;
  if (peer !== null) {
    ttyStart(peer);
    wakeAll(peer.writeWait);
  }
}

/** The body of a read, with the reader's turn taken. */
function readLocked(tty: Tty, generation: u32, nonblock: bool, t: Transfer, length: u32): i32 {
  const flags = irqSave();
  const result = readLoop(tty, generation, nonblock, t, length);
  irqRestore(flags);
  return result;
}

function readLoop(tty: Tty, generation: u32, nonblock: bool, t: Transfer, length: u32): i32 {
  const canonical = (tty.termios.lflag & ICANON) !== 0;
  let minimum: u32 = 1;
  let between: u32 = 0; // ticks from byte to byte
  let limit: u32 = 0; // ticks of the wait at hand, 0 for none
  let timed = false;
  if (!canonical) {
    const tenths = tty.termios.control(VTIME) * HZ / 10;
    minimum = tty.termios.control(VMIN);
    if (minimum > 0) between = tenths; // the clock starts with the first byte
    else {
      timed = true; // VMIN 0: wait VTIME at most, for anything
      limit = tenths;
      minimum = 1;
    }
  }
  if (minimum > length) minimum = length;
  let done: u32 = 0;
  while (done < length) {
    if (!ttyAlive(tty, generation)) break;
    if (!inputAvailable(tty, 1)) {
      if (tty.peerClosed) return done > 0 ? <i32> done : -EIO;
      if (timed && limit === 0) break;
      if (nonblock) return done > 0 ? <i32> done : -EAGAIN;
      if (signalPending()) return done > 0 ? <i32> done : -ERESTARTSYS;
      const left = awaitInput(tty, limit);
      if (timed) limit = left;
      continue;
    }
    const most = length - done < BOUNCE_SIZE ? length - done : BOUNCE_SIZE;
    const taken = inputTake(tty, tty.readBuffer, most);
    const n = taken & ~ENDED;
    const failure = n > 0 ? transferOut(t, tty.readBuffer, n) : 0;
    if (failure < 0) return failure;
    done += n;
    madeRoom(tty);
    if ((taken & ENDED) !== 0) break;
    if (canonical) continue;
    if (done >= minimum && !inputAvailable(tty, 1)) break;
    if (between > 0) {
      timed = true;
      limit = between;
    }
  }
  return done;
}

/** Takes the reader's or the writer's turn. 0, -EAGAIN or -ERESTARTSYS. */
function takeTurn(tty: Tty, writing: bool, nonblock: bool): i32 {
  const flags = irqSave();
  let result: i32 = 0;
  while (writing ? tty.writing : tty.reading) {
    if (nonblock) result = -EAGAIN;
    else result = sleepOnInterruptible(writing ? tty.writeWait : tty.readWait);
    if (result < 0) break;
  }
  if (result >= 0) {
    if (writing) tty.writing = true;
    else tty.reading = true;
  }
  irqRestore(flags);
  return result;
}

/** read(2): bytes, 0 at end of file or after a hang-up, -EAGAIN, -EIO, -EFAULT, -ERESTARTSYS. */
export function ttyRead(
  tty: Tty,
  generation: u32,
  nonblock: bool,
  t: Transfer,
  length: u32,
): i32 {
  if (length === 0 || !ttyAlive(tty, generation)) return 0;
  if (!tty.isMaster) {
    const background = checkReader(tty);
    if (background < 0) return background;
  }
  const turn = takeTurn(tty, false, nonblock);
  if (turn < 0) return turn;
  const result = readLocked(tty, generation, nonblock, t, length);
  tty.reading = false;
  wakeAll(tty.readWait);
  return result;
}

/** Puts `length` bytes of the bounce buffer out, waiting for room. Bytes put, or an error if none. */
function putOut(tty: Tty, generation: u32, nonblock: bool, length: u32): i32 {
  let done: u32 = 0;
  const flags = irqSave();
  let failure: i32 = 0;
  while (true) {
    if (!ttyAlive(tty, generation) || tty.peerClosed) {
      failure = -EIO;
      break;
    }
    done += outputWrite(tty, tty.writeBuffer + done, length - done);
    ttyStart(tty);
    if (done === length) break;
    // The driver may have made room at once.
    if (ttyOutputCount(tty) === 0) continue;
    if (nonblock) failure = -EAGAIN;
    else if (signalPending()) failure = -ERESTARTSYS;
    else failure = sleepOnInterruptible(tty.writeWait);
    if (failure < 0) break;
  }
  irqRestore(flags);
  return done > 0 ? <i32> done : failure;
}

/** write(2): bytes, or -EAGAIN, -EIO, -EFAULT, -ERESTARTSYS. */
export function ttyWrite(
  tty: Tty,
  generation: u32,
  nonblock: bool,
  t: Transfer,
  length: u32,
): i32 {
  if (!ttyAlive(tty, generation)) return -EIO;
  if (!tty.isMaster && (tty.termios.lflag & TOSTOP) !== 0) {
    const background = checkWriter(tty);
    if (background < 0) return background;
  }
  const turn = takeTurn(tty, true, nonblock);
  if (turn < 0) return turn;
  let done: u32 = 0;
  let failure: i32 = 0;
  while (done < length) {
    const n = length - done < BOUNCE_SIZE ? length - done : BOUNCE_SIZE;
    failure = transferIn(t, tty.writeBuffer, n);
    if (failure < 0) break;
    failure = putOut(tty, generation, nonblock, n);
    if (failure < 0) break;
    done += failure;
    if (<u32> failure < n) break;
  }
  tty.writing = false;
  wakeAll(tty.writeWait);
  return done > 0 ? <i32> done : failure;
}

/** Waits until everything is sent (tcdrain). 0 or -ERESTARTSYS. */
export function ttyDrain(tty: Tty, generation: u32): i32 {
  const flags = irqSave();
  let result: i32 = 0;
  while (ttyOutputCount(tty) > 0 && ttyAlive(tty, generation) && !tty.peerClosed) {
    ttyStart(tty);
    if (ttyOutputCount(tty) === 0) break;
    result = sleepOnInterruptible(tty.writeWait);
    if (result < 0) break;
  }
  irqRestore(flags);
  const drained = tty.driver.drained;
  while (result >= 0 && drained !== null && !drained(tty)) {
    const again = irqSave();
    sleepOnInterruptibleTimeout(tty.writeWait, 1);
    if (signalPending()) result = -ERESTARTSYS;
    irqRestore(again);
  }
  return result;
}
