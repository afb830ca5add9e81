/**
 * ACPI resource descriptors, and the buffer that holds a device's.
 *
 * Sources: ACPI 6.4 §6.4 "Resource Data Types for ACPI".
 *
 * @module
 */
import { type Aml, buffer, littleEndian } from "./aml.ts";

const END_TAG = [0x79, 0x00];

/** `ResourceTemplate () { … }`; a checksum of zero is valid whatever the bytes (§6.4.2.9). */
export function resources(...descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), ...END_TAG]);
}

/** `IO (Decode16, first, first, 1, count)` */
export function io(first: number, count: number): Aml {
  return [0x47, 0x01, ...littleEndian(first, 2), ...littleEndian(first, 2), 1, count];
}

/** `IRQNoFlags () {irq}`: edge-triggered, active high. */
export function irq(number: number): Aml {
  return [0x22, ...littleEndian(1 << number, 2)];
}

/** `Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {…}` */
export function sharedInterrupt(...numbers: readonly number[]): Aml {
  const flags = 0x09; // consumer, shared
  return [
    0x89,
    ...littleEndian(2 + 4 * numbers.length, 2),
    flags,
    numbers.length,
    ...numbers.flatMap((number) => littleEndian(number, 4)),
  ];
}

/** `Memory32Fixed (ReadOnly or ReadWrite, base, length)` */
export function fixedMemory(base: number, length: number, writable: boolean): Aml {
  return [0x86, 9, 0, writable ? 1 : 0, ...littleEndian(base, 4), ...littleEndian(length, 4)];
}

const KIND = { MEMORY: 0, IO: 1, BUS: 2 } as const;
/** Minimum and maximum are fixed, positive decode. */
const FIXED_RANGE = 0x0c;

/** `WordBusNumber`: the buses of a bridge. */
export function busNumbers(first: number, last: number): Aml {
  return [0x88, 13, 0, KIND.BUS, FIXED_RANGE, 0, ...range(first, last, 2)];
}

/** `WordIO`: ports that a bridge passes on. */
export function ioWindow(first: number, last: number): Aml {
  const entireRange = 0x03;
  return [0x88, 13, 0, KIND.IO, FIXED_RANGE, entireRange, ...range(first, last, 2)];
}

/** `DWordMemory`: addresses that a bridge passes on. */
export function memoryWindow(first: number, last: number, cacheable: boolean): Aml {
  const flags = cacheable ? 0x03 : 0x01;
  return [0x87, 23, 0, KIND.MEMORY, FIXED_RANGE, flags, ...range(first, last, 4)];
}

/** Granularity, minimum, maximum, translation, length. */
function range(first: number, last: number, size: 2 | 4): number[] {
  return [0, first, last, 0, last - first + 1].flatMap((value) => littleEndian(value, size));
}
