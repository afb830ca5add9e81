/**
 * The BIOS data area and the extended one, as a PC's firmware leaves them: for a kernel that is loaded without a
 * BIOS and looks there for the end of conventional memory, serial ports, disks and the text mode.
 *
 * Sources: IBM PS/2 and PC BIOS Interface Technical Reference (1991), section 3, "BIOS Data Area", "Extended BIOS
 * Data Area".
 *
 * @module
 */
import { LOW_MEMORY_END } from "./boot_target.ts";

const BASE = 0x400;
const BYTES = 0x100;
const COM1 = 0x3f8;
const KEYBOARD_BUFFER = 0x1e;
const KEYBOARD_BUFFER_END = 0x3e;
/** Equipment: coprocessor, PS/2 mouse, one serial port. */
const EQUIPMENT = 0x0002 | 0x0004 | (1 << 9);
/** An enhanced keyboard, in the flags of keyboards. */
const ENHANCED = 0x10;

/** Writes both areas. */
export function writeBiosData(
  memory: { write(physical: number, bytes: Uint8Array): void },
  machine: { readonly disks: number },
): void {
  const bytes = new Uint8Array(BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x00, COM1, true);
  view.setUint16(0x0e, LOW_MEMORY_END >> 4, true);
  view.setUint16(0x10, EQUIPMENT, true);
  view.setUint16(0x13, LOW_MEMORY_END >> 10, true);
  view.setUint16(0x1a, KEYBOARD_BUFFER, true); // head
  view.setUint16(0x1c, KEYBOARD_BUFFER, true); // tail
  view.setUint8(0x49, 3); // video mode: 80 × 25 text in colour
  view.setUint16(0x4a, 80, true);
  view.setUint16(0x4c, 0x1000, true); // bytes of a page
  view.setUint16(0x60, 0x0607, true); // lines of the cursor
  view.setUint16(0x63, 0x3d4, true); // CRT controller
  view.setUint8(0x75, machine.disks);
  view.setUint16(0x80, KEYBOARD_BUFFER, true);
  view.setUint16(0x82, KEYBOARD_BUFFER_END, true);
  view.setUint8(0x84, 25 - 1); // rows
  view.setUint16(0x85, 16, true); // lines of a character
  view.setUint8(0x96, ENHANCED);
  memory.write(BASE, bytes);
  const extended = new Uint8Array(0xa0000 - LOW_MEMORY_END);
  extended[0] = extended.length >> 10; // its size in KiB
  memory.write(LOW_MEMORY_END, extended);
}
