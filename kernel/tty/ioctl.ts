/**
 * ioctl on terminals (ioctl_tty(2)).
 *
 * @module
 */
import { EFAULT, EINVAL, ENOTTY, EPERM } from "../abi/errno.ts";
import { ERESTARTSYS, SIGWINCH } from "../abi/signal.ts";
import {
  FIONREAD,
  TCFLSH,
  TCGETA,
  TCGETS,
  TCGETS2,
  TCSBRK,
  TCSBRKP,
  TCSETA,
  TCSETS,
  TCSETS2,
  TCSETSF,
  TCSETSF2,
  TCSETSW,
  TCSETSW2,
  TCXONC,
  TIOCCBRK,
  TIOCEXCL,
  TIOCGDEV,
  TIOCGETD,
  TIOCGEXCL,
  TIOCGPGRP,
  TIOCGSID,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCNXCL,
  TIOCOUTQ,
  TIOCSBRK,
  TIOCSCTTY,
  TIOCSETD,
  TIOCSPGRP,
  TIOCSTI,
  TIOCSWINSZ,
  TIOCVHANGUP,
} from "../abi/ioctl.ts";
import {
  ICANON,
  IXON,
  TCIFLUSH,
  TCIOFF,
  TCIOFLUSH,
  TCION,
  TCOFLUSH,
  TCOOFF,
  TCOON,
  TERMIOS2_SIZE,
  TERMIOS_CC,
  TERMIOS_SIZE,
  VSTART,
  VSTOP,
  WINSIZE_SIZE,
} from "../abi/termios.ts";
import { copyIn, copyOut, getUser32, kfree, kmalloc, putUser32, userWord } from "../mm/mod.ts";
import { signalSendGroup } from "../proc/signal.ts";
import { current, signalPending } from "../proc/task.ts";
import { sleepOnInterruptibleTimeout, wakeAll } from "../sync/mod.ts";
import { HZ } from "../time/mod.ts";
import { irqRestore, irqSave } from "../arch/i386/irq_flags.ts";
import { inputByte, inputCount, inputFlush, inputModeChanged } from "./input.ts";
import { ttyDrain } from "./io.ts";
import {
  checkWriter,
  ttyDetach,
  ttyHangup,
  ttyIsMine,
  ttySetControlling,
  ttySetForeground,
} from "./job.ts";
import { Tty, ttyDevice, ttyFlushOutput, ttyOutputCount, ttyOutputPut, ttyStart } from "./tty.ts";

/** Bytes of `struct termio` of System V: four words of 16 bits, c_line, eight characters. */
const TERMIO_SIZE: u32 = 18;

/** Takes over new settings in kernel memory: a termios, or with `speeds` a termios2. */
function apply(tty: Tty, from: usize, speeds: bool): void {
  const t = tty.termios;
  const at = changetype<usize>(t);
  const wasCanonical = t.lflag & ICANON;
  const wasFlow = t.iflag & IXON;
  memory.copy(at, from, speeds ? TERMIOS2_SIZE : TERMIOS_SIZE);
  if ((t.lflag & ICANON) !== wasCanonical) inputModeChanged(tty);
  else wakeAll(tty.readWait); // VMIN may have changed
  if (wasFlow !== 0 && (t.iflag & IXON) === 0 && tty.stopped) {
    tty.stopped = false; // nobody could type ^Q any more
    ttyStart(tty);
  }
  const settings = tty.driver.settings;
  if (settings !== null) settings(tty);
}

/** TCSETS and its kin: `wait` for output to be sent, `flush` the input. */
function setTermios(
  tty: Tty,
  generation: u32,
  user: usize,
  size: u32,
  wait: bool,
  flush: bool,
): i32 {
  const change = checkWriter(tty);
  if (change < 0) return change;
  const buffer = kmalloc(TERMIOS2_SIZE);
  memory.copy(buffer, changetype<usize>(tty.termios), TERMIOS2_SIZE);
  let result: i32 = 0;
  if (size === TERMIO_SIZE) result = copyTermio(buffer, user);
  else result = copyIn(buffer, user, size);
  if (result >= 0 && wait) result = ttyDrain(tty, generation);
  if (result >= 0) {
    if (flush) inputFlush(tty);
    apply(tty, buffer, size === TERMIOS2_SIZE);
    result = 0;
  }
  kfree(buffer);
  return result;
}

/** System V's termio onto a termios: the lower halves of the flags, the first eight characters. */
function copyTermio(buffer: usize, user: usize): i32 {
  const old = kmalloc(TERMIO_SIZE);
  const result = copyIn(old, user, TERMIO_SIZE);
  if (result >= 0) {
    for (let i: usize = 0; i < 4; i++) store<u16>(buffer + (i << 2), load<u16>(old + (i << 1)));
    store<u8>(buffer, load<u8>(old, 8), 16);
    memory.copy(buffer + TERMIOS_CC, old + 9, 8);
  }
  kfree(old);
  return result;
}

function getTermio(tty: Tty, user: usize): i32 {
  const from = changetype<usize>(tty.termios);
  const old = kmalloc(TERMIO_SIZE);
  memory.fill(old, 0, TERMIO_SIZE);
  for (let i: usize = 0; i < 4; i++) store<u16>(old + (i << 1), load<u16>(from + (i << 2)));
  store<u8>(old, tty.termios.line, 8);
  memory.copy(old + 9, from + TERMIOS_CC, 8);
  const result = copyOut(user, old, TERMIO_SIZE);
  kfree(old);
  return result;
}

/** One word to user memory. */
function give(user: usize, value: u32): i32 {
  return putUser32(user, value);
}

/** One word of user memory as it is, sign and all; -EFAULT is outside of 32 bits. */
function takeWord(user: usize): i64 {
  return getUser32(user) < 0 ? i64.MIN_VALUE : <i64> (<i32> userWord());
}

function setWindowSize(tty: Tty, user: usize): i32 {
  const size = kmalloc(WINSIZE_SIZE);
  const result = copyIn(size, user, WINSIZE_SIZE);
  const at = changetype<usize>(tty) + offsetof<Tty>("rows");
  if (result >= 0 && load<u64>(size) !== load<u64>(at)) {
    store<u64>(at, load<u64>(size));
    if (tty.group > 0) signalSendGroup(tty.group, SIGWINCH);
  }
  kfree(size);
  return result < 0 ? -EFAULT : 0;
}

function flushQueues(tty: Tty, which: u32): i32 {
  const change = checkWriter(tty);
  if (change < 0) return change;
  if (which > TCIOFLUSH) return -EINVAL;
  if (which === TCIFLUSH || which === TCIOFLUSH) inputFlush(tty);
  if (which === TCOFLUSH || which === TCIOFLUSH) {
    ttyFlushOutput(tty);
    wakeAll(tty.writeWait);
  }
  return 0;
}

/** TCXONC: holds or continues output, asks the other end to stop or go on. */
function flow(tty: Tty, action: u32): i32 {
  const change = checkWriter(tty);
  if (change < 0) return change;
  switch (action) {
    case TCOOFF:
      tty.stopped = true;
      return 0;
    case TCOON:
      tty.stopped = false;
      ttyStart(tty);
      return 0;
    case TCIOFF:
      ttyOutputPut(tty, tty.termios.control(VSTOP));
      ttyStart(tty);
      return 0;
    case TCION:
      ttyOutputPut(tty, tty.termios.control(VSTART));
      ttyStart(tty);
      return 0;
    default:
      return -EINVAL;
  }
}

/** A break of `ticks`, after all output. */
function sendBreak(tty: Tty, generation: u32, duration: u32): i32 {
  const change = checkWriter(tty);
  if (change < 0) return change;
  const drained = ttyDrain(tty, generation);
  if (drained < 0) return drained;
  const driver = tty.driver.sendBreak;
  if (duration === 0 || driver === null) return 0;
  driver(tty, true);
  const flags = irqSave();
  let left = duration;
  while (left > 0 && !signalPending()) left = sleepOnInterruptibleTimeout(tty.writeWait, left);
  irqRestore(flags);
  driver(tty, false);
  return left > 0 ? -ERESTARTSYS : 0;
}

/** TIOCSTI: root types for the user. */
function typeByte(tty: Tty, user: usize): i32 {
  if (current().euid !== 0) return -EPERM;
  const byte = kmalloc(1);
  const result = copyIn(byte, user, 1);
  if (result >= 0) {
    inputByte(tty, load<u8>(byte));
    ttyStart(tty);
  }
  kfree(byte);
  return result < 0 ? -EFAULT : 0;
}

function raiseBreak(tty: Tty, on: bool): i32 {
  const driver = tty.driver.sendBreak;
  if (driver !== null) driver(tty, on);
  return 0;
}

/**
 * Requests that every terminal knows. `tty` is the side that was opened: for the master of a
 * pseudo-terminal the settings are its slave's. -ENOTTY for what is unknown.
 */
export function ttyIoctl(opened: Tty, generation: u32, request: u32, argument: usize): i32 {
  const peer = opened.peer;
  const tty: Tty = opened.isMaster && peer !== null ? peer : opened;
  const t = changetype<usize>(tty.termios);
  switch (request) {
    case TCGETS:
      return copyOut(argument, t, TERMIOS_SIZE) < 0 ? -EFAULT : 0;
    case TCGETS2:
      return copyOut(argument, t, TERMIOS2_SIZE) < 0 ? -EFAULT : 0;
    case TCGETA:
      return getTermio(tty, argument) < 0 ? -EFAULT : 0;
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
      return setTermios(
        tty,
        generation,
        argument,
        TERMIOS_SIZE,
        request !== TCSETS,
        request === TCSETSF,
      );
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
      return setTermios(
        tty,
        generation,
        argument,
        TERMIOS2_SIZE,
        request !== TCSETS2,
        request === TCSETSF2,
      );
    case TCSETA:
    case TCSETA + 1: // TCSETAW
    case TCSETA + 2: // TCSETAF
      return setTermios(
        tty,
        generation,
        argument,
        TERMIO_SIZE,
        request !== TCSETA,
        request === TCSETA + 2,
      );
    case TCSBRK: // a break of a quarter second, or with an argument only the wait (tcdrain)
      return sendBreak(opened, generation, argument === 0 ? HZ / 4 : 0);
    case TCSBRKP: // tenths of a second
      return sendBreak(opened, generation, argument === 0 ? HZ / 4 : argument * HZ / 10);
    case TIOCSBRK:
      return raiseBreak(tty, true);
    case TIOCCBRK:
      return raiseBreak(tty, false);
    case TCXONC:
      return flow(opened, argument);
    case TCFLSH:
      return flushQueues(opened, argument);
    case FIONREAD: // TIOCINQ
      return give(argument, inputCount(opened));
    case TIOCOUTQ:
      return give(argument, ttyOutputCount(opened));
    case TIOCSTI:
      return typeByte(tty, argument);
    case TIOCGWINSZ:
      return copyOut(argument, changetype<usize>(tty) + offsetof<Tty>("rows"), WINSIZE_SIZE) < 0
        ? -EFAULT
        : 0;
    case TIOCSWINSZ:
      return setWindowSize(tty, argument);
    case TIOCGETD:
      return give(argument, 0);
    case TIOCSETD: {
      const discipline = takeWord(argument);
      return discipline === i64.MIN_VALUE ? -EFAULT : discipline === 0 ? 0 : -EINVAL;
    }
    case TIOCGDEV:
      return give(argument, ttyDevice(opened));
    default:
      return sessionIoctl(opened, tty, request, argument);
  }
}

/** Requests about sessions, groups and access. */
function sessionIoctl(opened: Tty, tty: Tty, request: u32, argument: usize): i32 {
  switch (request) {
    case TIOCGPGRP:
      if (!opened.isMaster && !ttyIsMine(tty)) return -ENOTTY;
      return give(argument, tty.group);
    case TIOCSPGRP: {
      const group = takeWord(argument);
      return group === i64.MIN_VALUE ? -EFAULT : ttySetForeground(tty, <i32> group);
    }
    case TIOCGSID:
      if (!opened.isMaster && !ttyIsMine(tty)) return -ENOTTY;
      return tty.session === 0 ? -ENOTTY : give(argument, tty.session);
    case TIOCSCTTY:
      return ttySetControlling(tty, argument === 1);
    case TIOCNOTTY:
      return ttyIsMine(tty) ? ttyDetach() : -ENOTTY;
    case TIOCEXCL:
      opened.exclusive = true;
      return 0;
    case TIOCNXCL:
      opened.exclusive = false;
      return 0;
    case TIOCGEXCL:
      return give(argument, opened.exclusive ? 1 : 0);
    case TIOCVHANGUP:
      if (current().euid !== 0) return -EPERM;
      ttyHangup(tty);
      return 0;
    default: {
      const own = tty.driver.ioctl;
      return own === null ? -ENOTTY : own(tty, request, argument);
    }
  }
}
