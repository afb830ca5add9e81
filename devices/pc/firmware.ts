/**
 * What a PC's firmware does to the chips before a boot loader runs, done through the ports like there:
 * interrupt controllers, system timer, keyboard controller, PCI ranges, CMOS description.
 *
 * The state is that in which SeaBIOS hands a `-kernel` over on QEMU's i440FX, so that a kernel finds the
 * same on both.
 *
 * @module
 */
import type { BlockBackend } from "../bus/block.ts";
import type { MemoryBus, PortBus } from "../bus/buses.ts";
import type { Mc146818 } from "../timer/mc146818.ts";
import type { Board } from "./board.ts";
import { ADDRESS, IO_APIC_ID, POWER_BASE } from "./places.ts";

const BASE_MEMORY_KIB = 640;
const MIB = 1 << 20;
/** The I/O base that SeaBIOS gives. */
const BUS_MASTER_BASE = 0xc040;
const FRAME_BUFFER_BASE = 0xfd000000;
const DISPLAY = 2 << 3;

function writeConfig(ports: PortBus, fn: number, offset: number, value: number): void {
  ports.write(0xcf8, 4, (0x80000000 | (fn << 8) | offset) >>> 0);
  ports.write(0xcfc, 4, value);
}

function readConfig(ports: PortBus, fn: number, offset: number): number {
  ports.write(0xcf8, 4, (0x80000000 | (fn << 8) | offset) >>> 0);
  return ports.read(0xcfc, 4);
}

function startPci(ports: PortBus): void {
  // All below 1 MiB is RAM, for reading and for writing.
  writeConfig(ports, 0, 0x58, 0x33333300 | readConfig(ports, 0, 0x58) & 0xff);
  writeConfig(ports, 0, 0x5c, 0x33333333);
  writeConfig(ports, DISPLAY, 0x10, FRAME_BUFFER_BASE);
  writeConfig(ports, DISPLAY, 0x04, 0x0003);
  const ide = (1 << 3) | 1;
  const power = (1 << 3) | 3;
  // PCI interrupts A–D go to 10, 10, 11, 11, level-triggered.
  writeConfig(ports, 1 << 3, 0x60, 0x0b0b0a0a);
  ports.write(0x4d1, 1, 0x0c);
  writeConfig(ports, ide, 0x20, BUS_MASTER_BASE);
  writeConfig(ports, ide, 0x40, 0x80008000); // both channels decode
  writeConfig(ports, ide, 0x04, 0x0001); // I/O; the bus master is the driver's to enable
  writeConfig(ports, power, 0x3c, 9);
  writeConfig(ports, power, 0x40, POWER_BASE);
  writeConfig(ports, power, 0x80, 1);
}

function startInterrupts(ports: PortBus): void {
  for (const [base, vectors, cascade] of [[0x20, 0x08, 0x04], [0xa0, 0x70, 0x02]] as const) {
    ports.write(base, 1, 0x11);
    ports.write(base + 1, 1, vectors);
    ports.write(base + 1, 1, cascade);
    ports.write(base + 1, 1, 0x01);
  }
  ports.write(0x21, 1, 0xb8); // timer, keyboard, cascade, floppy stay open
  ports.write(0xa1, 1, 0x8e);
}

/** The virtual wire mode of the MultiProcessor Specification 1.4 §3.6.2.2: LINT0 is the 8259A's, LINT1 is NMI. */
function startApics(addresses: MemoryBus): void {
  const local = (register: number, value: number): void =>
    addresses.write(ADDRESS.localApic + register, 4, value);
  local(0xf0, 0x1ff);
  local(0x350, 0x8700);
  local(0x360, 0x8400);
  addresses.write(ADDRESS.ioApic, 4, 0);
  addresses.write(ADDRESS.ioApic + 0x10, 4, IO_APIC_ID << 24);
}

function startTimer(ports: PortBus): void {
  ports.write(0x43, 1, 0x34); // counter 0, mode 2, 65536: 18.2 Hz
  ports.write(0x40, 1, 0);
  ports.write(0x40, 1, 0);
}

function startKeyboard(ports: PortBus): void {
  ports.write(0x64, 1, 0xaa);
  ports.read(0x60, 1);
  ports.write(0x64, 1, 0x60);
  ports.write(0x60, 1, 0x61); // keyboard interrupt, translation, auxiliary port off
  ports.write(0x64, 1, 0xae);
}

/** Describes memory and disks in the CMOS memory (IBM PC AT Technical Reference; QEMU's extensions). */
export function describeMachine(
  rtc: Mc146818,
  options: { readonly ramBytes: number; readonly disks: readonly (BlockBackend | undefined)[] },
): void {
  const put16 = (index: number, value: number): void => {
    rtc.setByte(index, value & 0xff);
    rtc.setByte(index + 1, value >> 8);
  };
  put16(0x15, BASE_MEMORY_KIB);
  const extendedKib = Math.min(0xffff, Math.max(0, (options.ramBytes - MIB) / 1024));
  put16(0x17, extendedKib); // 64 MiB - 1 KiB at most
  put16(0x30, extendedKib);
  put16(0x34, Math.min(0xffff, Math.max(0, Math.floor((options.ramBytes - 16 * MIB) / 0x10000))));
  rtc.setByte(0x14, 0x06); // equipment: math coprocessor, PS/2 mouse
  rtc.setByte(0x3d, 0x02); // boots from the hard disk
  const [first, second] = options.disks;
  rtc.setByte(0x12, (first === undefined ? 0 : 0xf0) | (second === undefined ? 0 : 0x0f));
  if (first !== undefined) rtc.setByte(0x19, 47);
  if (second !== undefined) rtc.setByte(0x1a, 47);
}

/** Sets the chips up. */
export function startChips(board: Pick<Board, "ports" | "addresses" | "ioApic">): void {
  const { ports, addresses } = board;
  startInterrupts(ports);
  if (board.ioApic !== undefined) startApics(addresses);
  startTimer(ports);
  startKeyboard(ports);
  startPci(ports);
}
