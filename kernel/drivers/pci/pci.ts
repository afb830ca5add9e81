/**
 * PCI configuration space by mechanism 1 (PCI Local Bus 2.1 §3.7.4.1), enumeration of every bus
 * behind bridges, base address registers, and the binding of drivers.
 *
 * @module
 */
import { irqRestore, irqSave } from "../../arch/i386/irq_flags.ts";
import { inl, outb, outl } from "../../arch/i386/x86.ts";
import { printk } from "../../lib/mod.ts";
import { kzalloc } from "../../mm/mod.ts";
import { pciClassName } from "./classes.ts";

const ADDRESS: u32 = 0xcf8;
const DATA: u32 = 0xcfc;

/* Offsets in the configuration header (§6.1). */
export const PCI_VENDOR: u32 = 0x00;
export const PCI_COMMAND: u32 = 0x04;
export const PCI_CLASS: u32 = 0x08;
export const PCI_HEADER: u32 = 0x0c;
export const PCI_BAR0: u32 = 0x10;
export const PCI_SECONDARY: u32 = 0x18;
export const PCI_INTERRUPT: u32 = 0x3c;

/* Command register. */
export const PCI_COMMAND_IO: u32 = 1;
export const PCI_COMMAND_MEMORY: u32 = 2;
export const PCI_COMMAND_MASTER: u32 = 4;

/** Base address registers of a device, a bridge has two. */
export const PCI_BARS: u32 = 6;

/** One base address register. */
/*@unmanaged*/
export class PciBar {
  base: u32;
  /** Bytes decoded; 0 for an absent register. */
  size: u32;
  io: bool;
  prefetch: bool;
  /** It takes the next register, too (64-bit memory). */
  wide: bool;
}

/** One function of one device. */
/*@unmanaged*/
export class PciDevice {
  next: PciDevice | null;
  bus: u32;
  slot: u32;
  fn: u32;
  vendor: u32;
  device: u32;
  /** Class, subclass, interface: 0xCCSSII. */
  classCode: u32;
  revision: u32;
  headerType: u32;
  irq: u32;
  pin: u32;
  bars: usize;
  driver: PciDriver | null;

  /** Base address register `i`, 0–5. */
  bar(i: u32): PciBar {
    return changetype<PciBar>(this.bars + i * offsetof<PciBar>());
  }
}

/** What a driver binds to. `0xFFFF` as vendor or device matches any; so does a class mask of 0. */
/*@unmanaged*/
export class PciDriver {
  next: PciDriver | null;
  name: usize;
  vendor: u32;
  device: u32;
  classCode: u32;
  classMask: u32;
  /** 0 when it took the device, -errno when not. */
  probe: (device: PciDevice) => i32;
}

let devices: PciDevice | null = null;
let lastDevice: PciDevice | null = null;
let drivers: PciDriver | null = null;

function select(bus: u32, slot: u32, fn: u32, offset: u32): void {
  outl(ADDRESS, 0x80000000 | (bus << 16) | (slot << 11) | (fn << 8) | (offset & 0xfc));
}

function configRead(bus: u32, slot: u32, fn: u32, offset: u32): u32 {
  const flags = irqSave();
  select(bus, slot, fn, offset);
  const value = inl(DATA);
  irqRestore(flags);
  return value;
}

/** The dword at `offset`, a multiple of 4. */
export function pciRead32(d: PciDevice, offset: u32): u32 {
  return configRead(d.bus, d.slot, d.fn, offset);
}

/** Writes the dword at `offset`. */
export function pciWrite32(d: PciDevice, offset: u32, value: u32): void {
  const flags = irqSave();
  select(d.bus, d.slot, d.fn, offset);
  outl(DATA, value);
  irqRestore(flags);
}

/** The word at `offset`, even. */
export function pciRead16(d: PciDevice, offset: u32): u32 {
  return (pciRead32(d, offset & ~3) >> ((offset & 2) << 3)) & 0xffff;
}

/** The byte at `offset`. */
export function pciRead8(d: PciDevice, offset: u32): u32 {
  return (pciRead32(d, offset & ~3) >> ((offset & 3) << 3)) & 0xff;
}

/** Writes the byte at `offset`, leaving its neighbours (some clear themselves when written). */
export function pciWrite8(d: PciDevice, offset: u32, value: u32): void {
  const flags = irqSave();
  select(d.bus, d.slot, d.fn, offset);
  outb(DATA + (offset & 3), value);
  irqRestore(flags);
}

/** Sets bits of the command register. The status half reads 1 where writing 1 clears: it is left 0. */
export function pciEnable(d: PciDevice, bits: u32): void {
  pciWrite32(d, PCI_COMMAND, pciRead16(d, PCI_COMMAND) | bits);
}

/** Mechanism 1 is there when the address register keeps what is written (§3.7.4.1). */
function present(): bool {
  const flags = irqSave();
  const before = inl(ADDRESS);
  outl(ADDRESS, 0x80000000);
  const there = inl(ADDRESS) === 0x80000000;
  outl(ADDRESS, before);
  irqRestore(flags);
  return there;
}

/** Sizes the registers by writing ones (§6.2.5.1), with decoding off meanwhile. */
function readBars(d: PciDevice, count: u32): void {
  const command = pciRead16(d, PCI_COMMAND);
  pciWrite32(d, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
  for (let i: u32 = 0; i < count; i++) {
    const at = PCI_BAR0 + (i << 2);
    const value = pciRead32(d, at);
    pciWrite32(d, at, 0xffffffff);
    const mask = pciRead32(d, at);
    pciWrite32(d, at, value);
    if (mask === 0 || mask === 0xffffffff) continue;
    const bar = d.bar(i);
    bar.io = (value & 1) !== 0;
    if (bar.io) {
      bar.base = value & ~3;
      bar.size = (~(mask & ~3) + 1) & 0xffff;
      continue;
    }
    bar.base = value & ~15;
    bar.size = ~(mask & ~15) + 1;
    bar.prefetch = (value & 8) !== 0;
    bar.wide = (value & 6) === 4;
    if (bar.wide) i++; // the upper half: nothing above 4 GiB on this machine
  }
  pciWrite32(d, PCI_COMMAND, command);
}

function report(d: PciDevice): void {
  printk(c`pci %02x:%02x.%u: %04x:%04x`, d.bus, d.slot, d.fn, d.vendor, d.device);
  printk(c` %s (class %06x)`, pciClassName(d.classCode >> 8), d.classCode);
  if (d.pin !== 0) printk(c`, INT%c on IRQ %u`, 0x40 + d.pin, d.irq);
  printk(c`\n`);
  for (let i: u32 = 0; i < PCI_BARS; i++) {
    const bar = d.bar(i);
    if (bar.size === 0) continue;
    const kind = bar.io ? c`ports` : c`memory`;
    printk(c`pci   bar %u: %s 0x%x, 0x%x bytes\n`, i, kind, bar.base, bar.size);
  }
}

function addFunction(bus: u32, slot: u32, fn: u32, id: u32): PciDevice {
  const d = changetype<PciDevice>(kzalloc(offsetof<PciDevice>()));
  d.bars = kzalloc(offsetof<PciBar>() * PCI_BARS);
  d.bus = bus;
  d.slot = slot;
  d.fn = fn;
  d.vendor = id & 0xffff;
  d.device = id >> 16;
  const classWord = pciRead32(d, PCI_CLASS);
  d.classCode = classWord >> 8;
  d.revision = classWord & 0xff;
  d.headerType = pciRead8(d, PCI_HEADER + 2);
  const interrupt = pciRead32(d, PCI_INTERRUPT);
  d.irq = interrupt & 0xff;
  d.pin = (interrupt >> 8) & 0xff;
  const kind = d.headerType & 0x7f;
  readBars(d, kind === 0 ? 6 : kind === 1 ? 2 : 1);
  const last = lastDevice;
  if (last === null) devices = d;
  else last.next = d;
  lastDevice = d;
  report(d);
  return d;
}

function scanBus(bus: u32, depth: u32): void {
  for (let slot: u32 = 0; slot < 32; slot++) {
    let functions: u32 = 1;
    for (let fn: u32 = 0; fn < functions; fn++) {
      const id = configRead(bus, slot, fn, PCI_VENDOR);
      if ((id & 0xffff) === 0xffff || id === 0) continue;
      const d = addFunction(bus, slot, fn, id);
      if (fn === 0 && (d.headerType & 0x80) !== 0) functions = 8;
      if ((d.headerType & 0x7f) === 1 && depth < 8) {
        const secondary = (pciRead32(d, PCI_SECONDARY) >> 8) & 0xff;
        if (secondary > bus) scanBus(secondary, depth + 1);
      }
    }
  }
}

function bind(driver: PciDriver, d: PciDevice): void {
  if (d.driver !== null) return;
  if (driver.vendor !== 0xffff && driver.vendor !== d.vendor) return;
  if (driver.device !== 0xffff && driver.device !== d.device) return;
  if (((driver.classCode ^ d.classCode) & driver.classMask) !== 0) return;
  const probe = driver.probe;
  if (probe(d) >= 0) d.driver = driver;
}

/** Finds all devices and lists them in the log. False without a PCI bus. */
export function pciInit(): bool {
  if (!present()) {
    printk(c`pci: no configuration mechanism 1\n`);
    return false;
  }
  // A host bridge of several functions stands for several root buses, one a function.
  scanBus(0, 0);
  const host = devices;
  if (host !== null && (host.headerType & 0x80) !== 0 && host.classCode >> 8 === 0x0600) {
    for (let fn: u32 = 1; fn < 8; fn++) {
      const id = configRead(0, 0, fn, PCI_VENDOR);
      if ((id & 0xffff) !== 0xffff && configRead(0, 0, fn, PCI_CLASS) >> 16 === 0x0600) {
        scanBus(fn, 0);
      }
    }
  }
  return true;
}

/** Adds a driver and offers it every device that has none. */
export function pciRegisterDriver(
  name: usize,
  vendor: u32,
  device: u32,
  classCode: u32,
  classMask: u32,
  probe: (device: PciDevice) => i32,
): void {
  const driver = changetype<PciDriver>(kzalloc(offsetof<PciDriver>()));
  driver.name = name;
  driver.vendor = vendor;
  driver.device = device;
  driver.classCode = classCode;
  driver.classMask = classMask;
  driver.probe = probe;
  driver.next = drivers;
  drivers = driver;
  let d: PciDevice | null = devices;
  while (d !== null) {
    bind(driver, d);
    d = d.next;
  }
}

/** The first device of that vendor and device number, or null. */
export function pciFind(vendor: u32, device: u32): PciDevice | null {
  let d: PciDevice | null = devices;
  while (d !== null) {
    if (d.vendor === vendor && d.device === device) return d;
    d = d.next;
  }
  return null;
}

/** Head of the list through `next`, for /proc and the like. */
export function pciFirst(): PciDevice | null {
  return devices;
}
