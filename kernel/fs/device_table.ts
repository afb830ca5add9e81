/**
 * Registered devices: which operations a device number has. devfs shows them, device nodes on other
 * file systems open them.
 *
 * @module
 */
import { printk } from "../lib/mod.ts";
import { kstrdup, kzalloc } from "../mm/mod.ts";
import { BlockDevice, deviceMajor, deviceMinor, FileOps, makeDevice } from "./types.ts";

/** A character device. */
/*@unmanaged*/
export class CharDevice {
  next: CharDevice | null;
  number: u32;
  /** Name in /dev, "pts/0" with folders. */
  name: usize;
  mode: u32;
  ops: FileOps;
  data: usize;
}

let charDevices: CharDevice | null = null;
let blockDevices: BlockDevice | null = null;
let changed: ((name: usize, block: bool, number: u32, mode: u32) => void) | null = null;

/** First of the list. */
export function firstCharDevice(): CharDevice | null {
  return charDevices;
}
/** First of the list, in the order of registration. */
export function firstBlockDevice(): BlockDevice | null {
  return blockDevices;
}

/** For devfs: called for each device, those already there first. */
export function watchDevices(
  call: (name: usize, block: bool, number: u32, mode: u32) => void,
): void {
  changed = call;
  for (let d: CharDevice | null = charDevices; d !== null; d = d!.next) {
    call(d.name, false, d.number, d.mode);
  }
  for (let b: BlockDevice | null = blockDevices; b !== null; b = b!.next) {
    call(b.name, true, makeDevice(b.major, b.minor), 0o660);
  }
}

/**
 * Makes a character device known, under `name` in /dev with permissions `mode`. `data` is what the
 * `open` operation finds by `charDeviceData(inode.rdev)`. May be called before and after `vfsInit`.
 */
export function registerCharDevice(
  major: u32,
  minor: u32,
  name: usize,
  ops: FileOps,
  mode: u32,
  data: usize,
): void {
  const device = changetype<CharDevice>(kzalloc(offsetof<CharDevice>()));
  device.number = makeDevice(major, minor);
  device.name = kstrdup(name);
  device.mode = mode;
  device.ops = ops;
  device.data = data;
  device.next = charDevices;
  charDevices = device;
  const call = changed;
  if (call !== null) call(device.name, false, device.number, mode);
}

/** The device of a number, null when there is none. */
export function charDevice(number: u32): CharDevice | null {
  let d = charDevices;
  while (d !== null && d.number !== number) d = d.next;
  return d;
}

/** What was registered as `data`, 0 when there is no such device. */
export function charDeviceData(number: u32): usize {
  const d = charDevice(number);
  return d === null ? 0 : d.data;
}

/** Makes a block device known; the struct stays the caller's and must live on. */
export function registerBlockDevice(device: BlockDevice): void {
  device.next = null;
  if (blockDevices === null) blockDevices = device;
  else {
    let last = blockDevices!;
    while (last.next !== null) last = last.next!;
    last.next = device;
  }
  if (device.parent !== null) {
    printk(
      c` %s: sectors %u + %u\n`,
      <u32> device.name,
      <u32> device.start,
      <u32> device.sectors,
    );
  }
  const call = changed;
  if (call !== null) call(device.name, true, makeDevice(device.major, device.minor), 0o660);
}

/** The block device of a number, null when there is none. */
export function blockDevice(number: u32): BlockDevice | null {
  const major = deviceMajor(number);
  const minor = deviceMinor(number);
  let b = blockDevices;
  while (b !== null && (b.major !== major || b.minor !== minor)) b = b.next;
  return b;
}
