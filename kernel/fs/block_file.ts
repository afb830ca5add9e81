/**
 * Block devices: the inode that caches each, and the files that user programs open on them.
 *
 * @module
 */
import { EACCES, EFAULT, EINVAL, ENOMEM, ENOTTY, ENXIO } from "../abi/errno.ts";
import {
  BLKBSZGET,
  BLKFLSBUF,
  BLKGETSIZE,
  BLKGETSIZE64,
  BLKROGET,
  BLKRRPART,
  BLKSSZGET,
} from "../abi/ioctl.ts";
import { S_IFBLK } from "../abi/stat.ts";
import { copyOut, kfree, kmalloc, kzalloc, putUser32, Transfer } from "../mm/mod.ts";
import { blockDevice, firstBlockDevice } from "./device_table.ts";
import { fileRead, fileWrite } from "./generic_file.ts";
import { inodeNew, inodeReady } from "./inode.ts";
import { BlockDevice, File, FileOps, FMODE_WRITE, Inode, INODE_BLOCKS_CACHE } from "./types.ts";
import { makeDevice, SuperBlock, SuperOps } from "./types.ts";
import { syncDevice } from "./writeback.ts";

const ops = memory.data(64, 4);
/* The super block of the inodes that stand for devices. */
let devices: SuperBlock = changetype<SuperBlock>(0);

/** The operations of files on block devices. */
export function blockFileOps(): FileOps {
  return changetype<FileOps>(ops);
}

/** Makes the inode of a device, if it has none yet. False when memory is out. */
export function blockDevicePrepare(device: BlockDevice): bool {
  if (changetype<usize>(device.inode) !== 0) return true;
  const number = makeDevice(device.major, device.minor);
  const inode = inodeNew(devices, number);
  if (inode === null) return false;
  inode.flags |= INODE_BLOCKS_CACHE;
  inode.mode = S_IFBLK | 0o600;
  inode.rdev = number;
  inode.size = device.sectors << 9;
  inode.device = changetype<usize>(device);
  device.inode = inode;
  inodeReady(inode);
  return true;
}

function open(inode: Inode, file: File): i32 {
  const device = blockDevice(inode.rdev);
  if (device === null) return -ENXIO;
  if (device.readOnly && (file.mode & FMODE_WRITE) !== 0) return -EACCES;
  if (!blockDevicePrepare(device)) return -ENOMEM;
  file.data = changetype<usize>(device);
  device.opens++;
  return 0;
}

function release(file: File): void {
  const device = changetype<BlockDevice>(file.data);
  if (--device.opens === 0 && !device.mounted) syncDevice(device);
}

function read(file: File, t: Transfer, offset: u64): i32 {
  const view = viewOf(file);
  if (view === null) return -ENOMEM;
  const result = fileRead(view, t, offset);
  file.nextIndex = view.nextIndex;
  file.window = view.window;
  kfree(changetype<usize>(view));
  return result;
}

function write(file: File, t: Transfer, offset: u64): i32 {
  const view = viewOf(file);
  if (view === null) return -ENOMEM;
  const result = fileWrite(view, t, offset);
  kfree(changetype<usize>(view));
  return result;
}

/** A short-lived File on the device's own inode; others may use `file` while we sleep. */
function viewOf(file: File): File | null {
  const view = changetype<File | null>(kmalloc(offsetof<File>()));
  if (view === null) return null;
  memory.copy(changetype<usize>(view), changetype<usize>(file), offsetof<File>());
  view.inode = changetype<BlockDevice>(file.data).inode;
  return view;
}

function sync(file: File, _dataOnly: bool): i32 {
  return syncDevice(changetype<BlockDevice>(file.data));
}

function seek(file: File, offset: i64, whence: u32): i64 {
  const size = <i64> (changetype<BlockDevice>(file.data).sectors << 9);
  let position = offset;
  if (whence === 1) position += <i64> file.offset;
  else if (whence === 2) position += size;
  else if (whence !== 0) return -EINVAL;
  if (position < 0) return -EINVAL;
  file.offset = position;
  return position;
}

function ioctl(file: File, request: u32, argument: u32): i32 {
  const device = changetype<BlockDevice>(file.data);
  if (request === BLKGETSIZE) return putUser32(argument, <u32> device.sectors);
  if (request === BLKSSZGET) return putUser32(argument, 512);
  if (request === BLKBSZGET) return putUser32(argument, 4096);
  if (request === BLKROGET) return putUser32(argument, device.readOnly ? 1 : 0);
  if (request === BLKFLSBUF) return syncDevice(device);
  if (request === BLKRRPART) return -EINVAL;
  if (request === BLKGETSIZE64) {
    const bytes = kmalloc(8);
    if (bytes === 0) return -ENOMEM;
    store<u64>(bytes, device.sectors << 9);
    const error = copyOut(argument, bytes, 8);
    kfree(bytes);
    return error < 0 ? -EFAULT : 0;
  }
  return -ENOTTY;
}

/** Fills in the operations and gives the devices known so far their inodes. */
export function blockFileInit(): void {
  devices = changetype<SuperBlock>(kzalloc(offsetof<SuperBlock>()));
  devices.ops = changetype<SuperOps>(kzalloc(offsetof<SuperOps>()));
  devices.blockSize = 4096;
  devices.blockBits = 12;
  devices.maxBytes = 0x7fffffffffffffff;
  const o = blockFileOps();
  o.open = open;
  o.release = release;
  o.read = read;
  o.write = write;
  o.sync = sync;
  o.seek = seek;
  o.ioctl = ioctl;
  for (let d = firstBlockDevice(); d !== null; d = d!.next) blockDevicePrepare(d);
}
