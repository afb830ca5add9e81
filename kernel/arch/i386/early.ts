/**
 * Output before there are drivers, and from a panic before there were: the first serial port, waiting
 * for room.
 *
 * Source: 16550 data sheet (LSR bit 5: transmitter holding register empty).
 *
 * @module
 */
import { inb, outb } from "./x86.ts";

const PORT: u32 = 0x3f8;
const LSR: u32 = 5;
const LSR_ROOM: u32 = 0x20;
/** Reads of LSR before a byte is given up; absent hardware reads all ones. */
const PATIENCE: u32 = 100000;

/** 115200 baud, eight bits, FIFO on. */
export function earlySerialInit(): void {
  outb(PORT + 1, 0);
  outb(PORT + 3, 0x80);
  outb(PORT, 1);
  outb(PORT + 1, 0);
  outb(PORT + 3, 3);
  outb(PORT + 2, 7);
  outb(PORT + 4, 3);
}

function putByte(byte: u32): void {
  for (let i: u32 = 0; i < PATIENCE && (inb(PORT + LSR) & LSR_ROOM) === 0; i++);
  outb(PORT, byte);
}

/** Writes bytes, lines ended by CR LF. */
export function earlySerialWrite(data: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte: u32 = load<u8>(data + i);
    if (byte === 10) putByte(13);
    putByte(byte);
  }
}
