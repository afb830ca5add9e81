/**
 * The tables of a machine as `acpidump` would find them in its memory, for tests.
 *
 * @module
 */
import type { AcpiOptions } from "./dsdt.ts";
import { installAcpi, RSDP_ADDRESS } from "./install.ts";
import { createAcpi } from "./tables.ts";

/** A byte range of memory that was written. */
interface Written {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** The root pointer, and the tables by signature. */
export function dump(
  options: AcpiOptions,
): { rsdp: Uint8Array; tables: Map<string, Uint8Array> } {
  const written: Written[] = [];
  installAcpi(
    { size: options.ramBytes, write: (start, bytes) => written.push({ start, bytes }) },
    createAcpi(options),
  );
  const read = (start: number, length: number): Uint8Array => {
    const range = written.find((w) =>
      start >= w.start && start + length <= w.start + w.bytes.length
    );
    if (range === undefined) throw new RangeError(`No table at ${start.toString(16)}`);
    return range.bytes.slice(start - range.start, start - range.start + length);
  };
  const word = (bytes: Uint8Array, at: number): number =>
    new DataView(bytes.buffer).getUint32(at, true);
  const tables = new Map<string, Uint8Array>();
  const take = (address: number): Uint8Array => {
    const bytes = read(address, word(read(address, 8), 4));
    tables.set(new TextDecoder().decode(bytes.subarray(0, 4)), bytes);
    return bytes;
  };
  const rsdp = read(RSDP_ADDRESS, 20);
  const rsdt = take(word(rsdp, 16));
  for (let at = 36; at < rsdt.length; at += 4) take(word(rsdt, at));
  const fadt = tables.get("FACP");
  if (fadt === undefined) throw new RangeError("No FADT");
  take(word(fadt, 36));
  take(word(fadt, 40));
  return { rsdp, tables };
}
