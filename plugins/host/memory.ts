/**
 * The guest's memory as plugins read and write it: without side effects, by linear or physical address.
 *
 * @module
 */
import type { Cpu } from "../../cpu/mod.ts";
import type { GuestMemory } from "./guest_process.ts";

const PAGE_MASK = 0xfff;

/** Whether all of a physical range is RAM. */
export function inRam(cpu: Cpu, physical: number, length: number): boolean {
  return Number.isInteger(physical) && physical >= 0 && length >= 0 &&
    physical + length <= cpu.memory.size;
}

/** Calls `use` for each page's part of a linear range; false as soon as one is not RAM. */
function eachPage(
  cpu: Cpu,
  address: number,
  length: number,
  use: (physical: number, offset: number, count: number) => void,
): boolean {
  for (let offset = 0; offset < length;) {
    const linear = (address + offset) >>> 0;
    const count = Math.min(length - offset, PAGE_MASK + 1 - (linear & PAGE_MASK));
    const physical = cpu.translate(linear);
    if (physical === undefined || !inRam(cpu, physical, count)) return false;
    use(physical, offset, count);
    offset += count;
  }
  return true;
}

/** Bytes at a linear address; undefined if one is not mapped to RAM. */
export function readLinear(cpu: Cpu, address: number, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  const whole = eachPage(
    cpu,
    address,
    length,
    (physical, offset, count) => bytes.set(cpu.memory.read(physical, count), offset),
  );
  return whole ? bytes : undefined;
}

/** Writes bytes at a linear address; false, with nothing written, if one is not mapped to RAM. */
export function writeLinear(cpu: Cpu, address: number, bytes: Uint8Array): boolean {
  if (!eachPage(cpu, address, bytes.length, () => {})) return false;
  return eachPage(
    cpu,
    address,
    bytes.length,
    (physical, offset, count) => cpu.memory.write(physical, bytes.subarray(offset, offset + count)),
  );
}

/** Bytes and words by linear address. */
export function guestMemory(cpu: Cpu): GuestMemory {
  return {
    byte: (address) => readLinear(cpu, address >>> 0, 1)?.[0],
    word: (address) => {
      const bytes = readLinear(cpu, address >>> 0, 4);
      return bytes === undefined ? undefined : new DataView(bytes.buffer).getUint32(0, true);
    },
  };
}
