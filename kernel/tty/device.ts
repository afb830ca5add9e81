/**
 * Terminals as device files: ttyS0–3, tty1, and the names that mean another one: tty (one's own),
 * console, tty0 (the screen).
 *
 * @module
 */
import { EBUSY, EIO, ENXIO } from "../abi/errno.ts";
import { O_NOCTTY } from "../abi/fcntl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../abi/poll.ts";
import { VMIN, VTIME } from "../abi/termios.ts";
import {
  charDeviceData,
  File,
  FileOps,
  FMODE_STREAM,
  Inode,
  makeDevice,
  PollTable,
  pollWait,
  registerCharDevice,
} from "../fs/mod.ts";
import { kzalloc, Transfer } from "../mm/mod.ts";
import { current } from "../proc/task.ts";
import { inputAvailable } from "./input.ts";
import { ttyRead, ttyWrite } from "./io.ts";
import { ttyIoctl } from "./ioctl.ts";
import { ttyOfTask, ttyOpenControlling } from "./job.ts";
import { outputRoom } from "./output.ts";
import { IMMORTAL, Tty, ttyAlive } from "./tty.ts";

const TTY_MAJOR: u32 = 4;
const AUX_MAJOR: u32 = 5;
const OWN_TTY: u32 = 0;
const CONSOLE: u32 = 1;

let consoleTty: Tty | null = null;
let screenTty: Tty | null = null;

/** The terminal behind a device number, or null. */
function terminalOf(number: u32): Tty | null {
  if (number === makeDevice(AUX_MAJOR, OWN_TTY)) return ttyOfTask(current());
  if (number === makeDevice(AUX_MAJOR, CONSOLE)) return consoleTty;
  if (number === makeDevice(TTY_MAJOR, 0)) return screenTty;
  return changetype<Tty | null>(charDeviceData(number));
}

/** Makes `file` one of the terminal's. 0, -EBUSY for an exclusive terminal, or the driver's error. */
export function ttyOpenFile(tty: Tty, file: File): i32 {
  if (tty.exclusive && current().euid !== 0) return -EBUSY;
  const open = tty.driver.open;
  if (tty.opens === 0 && open !== null) {
    const result = open(tty);
    if (result < 0) return result;
  }
  tty.opens++;
  file.data = changetype<usize>(tty);
  file.data2 = tty.generation;
  file.mode |= FMODE_STREAM;
  return 0;
}

function open(inode: Inode, file: File): i32 {
  const tty = terminalOf(inode.rdev);
  if (tty === null) return -ENXIO;
  const result = ttyOpenFile(tty, file);
  if (result < 0) return result;
  if (inode.rdev === makeDevice(AUX_MAJOR, CONSOLE)) file.data2 = IMMORTAL;
  if ((file.flags & O_NOCTTY) === 0) ttyOpenControlling(tty);
  return 0;
}

function terminal(file: File): Tty {
  return changetype<Tty>(file.data);
}

function release(file: File): void {
  const tty = terminal(file);
  if (--tty.opens > 0) return;
  tty.exclusive = false;
  const close = tty.driver.close;
  if (close !== null) close(tty);
}

function read(file: File, t: Transfer, _offset: u64): i32 {
  return ttyRead(terminal(file), <u32> file.data2, file.nonblock, t, t.remaining);
}

function write(file: File, t: Transfer, _offset: u64): i32 {
  return ttyWrite(terminal(file), <u32> file.data2, file.nonblock, t, t.remaining);
}

function ioctl(file: File, request: u32, argument: u32): i32 {
  const tty = terminal(file);
  if (!ttyAlive(tty, <u32> file.data2)) return -EIO;
  return ttyIoctl(tty, <u32> file.data2, request, argument);
}

/** What can be done now. Under VMIN without VTIME, input is ready when that many bytes are. */
export function ttyPoll(file: File, table: PollTable | null): u32 {
  const tty = terminal(file);
  pollWait(table, tty.readWait);
  pollWait(table, tty.writeWait);
  if (!ttyAlive(tty, <u32> file.data2)) {
    return POLLIN | POLLRDNORM | POLLOUT | POLLERR | POLLHUP;
  }
  let ready: u32 = 0;
  const t = tty.termios;
  const minimum = t.control(VTIME) === 0 ? t.control(VMIN) : 1;
  if (inputAvailable(tty, minimum)) ready |= POLLIN | POLLRDNORM;
  if (outputRoom(tty) > 0) ready |= POLLOUT | POLLWRNORM;
  if (tty.peerClosed) ready |= POLLHUP | POLLIN | POLLRDNORM;
  return ready;
}

/** New operations of terminal files. */
export function ttyFileOps(): FileOps {
  const ops = changetype<FileOps>(kzalloc(offsetof<FileOps>()));
  ops.open = open;
  ops.release = release;
  ops.read = read;
  ops.write = write;
  ops.ioctl = ioctl;
  ops.poll = ttyPoll;
  return ops;
}

/** Registers the names that stand for other terminals; `screen` is tty1, `console` the console's. */
export function ttyDevicesInit(screen: Tty | null, system: Tty | null): void {
  screenTty = screen;
  consoleTty = system;
  const ops = ttyFileOps();
  registerCharDevice(AUX_MAJOR, OWN_TTY, c`tty`, ops, 0o666, 0);
  registerCharDevice(AUX_MAJOR, CONSOLE, c`console`, ops, 0o600, 0);
  if (screen !== null) registerCharDevice(TTY_MAJOR, 0, c`tty0`, ops, 0o620, 0);
}

/** Registers a terminal under its name. */
export function ttyRegister(tty: Tty, name: usize): void {
  registerCharDevice(
    tty.major,
    tty.minor,
    name,
    ttyFileOps(),
    0o620,
    changetype<usize>(tty),
  );
}

/** The terminal that /dev/console is, or null. */
export function ttyConsole(): Tty | null {
  return consoleTty;
}
