/**
 * Pseudo-terminals (pts(4), pty(7)): what is written to the master is typed at the slave, what the
 * slave puts out is read from the master. Both are `Tty`s; the master's settings are raw, so that
 * its line buffer only carries bytes.
 *
 * A pair is made at the first use of its number and used again after both sides were closed.
 *
 * @module
 */
import { EFAULT, EINVAL, EIO, ENOSPC, ENOTTY } from "../abi/errno.ts";
import { O_NOCTTY } from "../abi/fcntl.ts";
import { TIOCGPKT, TIOCGPTLCK, TIOCGPTN, TIOCPKT, TIOCSIG, TIOCSPTLCK } from "../abi/ioctl.ts";
import { SIGNAL_MAX } from "../abi/signal.ts";
import { charDeviceData, File, FileOps, Inode, registerCharDevice } from "../fs/mod.ts";
import { snprintk } from "../lib/mod.ts";
import { getUser32, kzalloc, putUser32, userWord } from "../mm/mod.ts";
import { signalSendGroup } from "../proc/signal.ts";
import { wakeAll } from "../sync/mod.ts";
import { ttyFileOps, ttyOpenFile } from "./device.ts";
import { inputByte, inputFlush, inputPlain, inputRoom } from "./input.ts";
import { ttyHangup, ttyOpenControlling } from "./job.ts";
import {
  Tty,
  ttyCreate,
  ttyDefaultTermios,
  TtyDriver,
  ttyFlushOutput,
  ttyOutputTake,
  ttyStart,
} from "./tty.ts";

const AUX_MAJOR: u32 = 5;
const PTMX: u32 = 2;
const MASTER_MAJOR: u32 = 128;
const SLAVE_MAJOR: u32 = 136;
const PAIRS: u32 = 64;

const masters: usize = memory.data(PAIRS * 4, 4);
let masterOps: FileOps = changetype<FileOps>(0);
let slaveOps: FileOps = changetype<FileOps>(0);
const masterDriver = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>(), 4));
const slaveDriver = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>(), 4));

function masterAt(i: u32): Tty | null {
  return changetype<Tty | null>(load<usize>(masters + (i << 2)));
}

function peerOf(tty: Tty): Tty {
  return changetype<Tty>(changetype<usize>(tty.peer));
}

/** Bytes written to the master are typed at the slave, as far as it has room. */
function startMaster(master: Tty): void {
  const slave = peerOf(master);
  let moved = false;
  while (inputRoom(slave)) {
    const byte = ttyOutputTake(master);
    if (byte < 0) break;
    moved = true;
    inputByte(slave, byte);
  }
  if (!moved) return;
  wakeAll(master.writeWait);
  ttyStart(slave); // echo
}

/** Bytes put out by the slave are read from the master. Nobody there: they are lost. */
function startSlave(slave: Tty): void {
  const master = peerOf(slave);
  let moved = false;
  while (inputRoom(master)) {
    const byte = ttyOutputTake(slave);
    if (byte < 0) break;
    moved = true;
    inputPlain(master, byte);
  }
  if (!moved) return;
  wakeAll(master.readWait);
  wakeAll(slave.writeWait);
}

/** The slave's last close: the master reads what is left, then -EIO. */
function closeSlave(slave: Tty): void {
  const master = peerOf(slave);
  master.peerClosed = true;
  wakeAll(master.readWait);
  wakeAll(master.writeWait);
}

/** The master's close hangs the slave up. */
function closeMaster(master: Tty): void {
  const slave = peerOf(master);
  slave.peerClosed = true;
  ttyFlushOutput(master);
  ttyHangup(slave);
}

function openSlaveDriver(slave: Tty): i32 {
  const master = peerOf(slave);
  if (slave.peerClosed || slave.locked || master.opens === 0) return -EIO;
  master.peerClosed = false;
  return 0;
}

/** Fresh settings for a pair that is used (again). */
function reset(master: Tty, slave: Tty): void {
  ttyDefaultTermios(slave.termios);
  slave.rows = 0;
  slave.columns = 0;
  slave.pixelWidth = 0;
  slave.pixelHeight = 0;
  slave.peerClosed = false;
  slave.stopped = false;
  slave.column = 0;
  master.peerClosed = false;
  master.packetMode = false;
  inputFlush(master);
  inputFlush(slave);
  ttyFlushOutput(master);
  ttyFlushOutput(slave);
  slave.locked = true;
}

function makePair(i: u32): Tty {
  const master = ttyCreate(masterDriver, 0, MASTER_MAJOR, i);
  const slave = ttyCreate(slaveDriver, 0, SLAVE_MAJOR, i);
  master.isMaster = true;
  master.peer = slave;
  slave.peer = master;
  master.termios.iflag = 0;
  master.termios.oflag = 0;
  master.termios.lflag = 0;
  store<usize>(masters + (i << 2), changetype<usize>(master));
  const name = kzalloc(16);
  snprintk(name, 16, c`pts/%u`, i);
  registerCharDevice(SLAVE_MAJOR, i, name, slaveOps, 0o666, changetype<usize>(slave));
  return master;
}

/** Opening /dev/ptmx gives the master of a pair that nobody has. */
function openMaster(_inode: Inode, file: File): i32 {
  for (let i: u32 = 0; i < PAIRS; i++) {
    let master = masterAt(i);
    if (master === null) master = makePair(i);
    const slave = peerOf(master);
    if (master.opens > 0 || slave.opens > 0) continue;
    reset(master, slave);
    return ttyOpenFile(master, file);
  }
  return -ENOSPC;
}

function openSlave(inode: Inode, file: File): i32 {
  const slave = changetype<Tty | null>(charDeviceData(inode.rdev));
  if (slave === null) return -EIO;
  const ready = openSlaveDriver(slave);
  if (ready < 0) return ready;
  const result = ttyOpenFile(slave, file);
  if (result < 0) return result;
  if ((file.flags & O_NOCTTY) === 0) ttyOpenControlling(slave);
  return 0;
}

function ioctlMaster(file: File, request: u32, argument: u32): i32 {
  const master = changetype<Tty>(file.data);
  const slave = peerOf(master);
  switch (request) {
    case TIOCGPTN:
      return putUser32(argument, master.minor);
    case TIOCSPTLCK:
      if (getUser32(argument) < 0) return -EFAULT;
      slave.locked = userWord() !== 0;
      return 0;
    case TIOCGPTLCK:
      return putUser32(argument, slave.locked ? 1 : 0);
    case TIOCPKT:
      if (getUser32(argument) < 0) return -EFAULT;
      // Packet mode would put a status byte before each read; nobody here implements it.
      return userWord() === 0 ? 0 : -EINVAL;
    case TIOCGPKT:
      return putUser32(argument, 0);
    case TIOCSIG: {
      if (argument === 0 || argument > <u32> SIGNAL_MAX) return -EINVAL;
      if (slave.group > 0) signalSendGroup(slave.group, argument);
      return 0;
    }
    default: {
      const common = slaveOps.ioctl;
      return common === null ? -ENOTTY : common(file, request, argument);
    }
  }
}

/** Registers /dev/ptmx. */
export function ptyInit(): void {
  masterDriver.start = startMaster;
  masterDriver.close = closeMaster;
  slaveDriver.start = startSlave;
  slaveDriver.open = openSlaveDriver;
  slaveDriver.close = closeSlave;
  slaveOps = ttyFileOps();
  slaveOps.open = openSlave;
  masterOps = ttyFileOps();
  masterOps.open = openMaster;
  masterOps.ioctl = ioctlMaster;
  registerCharDevice(AUX_MAJOR, PTMX, c`ptmx`, masterOps, 0o666, 0);
}
