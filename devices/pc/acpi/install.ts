/**
 * Puts the ACPI tables into memory as a BIOS would, for a kernel that is loaded without one.
 *
 * @module
 */
import { usableEnd } from "../boot_target.ts";
import { runLoaderScript, ZONE } from "./loader_script.ts";
import { ACPI_FILE, type AcpiFiles } from "./tables.ts";

/** The root pointer: on a 16-byte boundary where ACPI 6.4 §5.2.5.1 has a system search for it. */
export const RSDP_ADDRESS = 0xf0000;

/**
 * Writes the tables to the top of RAM, which the memory map calls reserved, and the root pointer to F0000h.
 *
 * @returns the root pointer and its physical address; nothing where there is too little RAM
 */
export function installAcpi(
  memory: { readonly size: number; write(physical: number, bytes: Uint8Array): void },
  files: AcpiFiles,
): { readonly acpiRsdp: number; readonly acpiRoot: Uint8Array } | undefined {
  if (usableEnd(memory.size) === memory.size) return undefined;
  const placed = runLoaderScript(
    files.loader,
    { [ACPI_FILE.tables]: files.tables, [ACPI_FILE.rsdp]: files.rsdp },
    (_file, _bytes, _alignment, zone) =>
      zone === ZONE.F_SEGMENT ? RSDP_ADDRESS : usableEnd(memory.size),
  );
  for (const { address, bytes } of placed.values()) memory.write(address, bytes);
  const root = placed.get(ACPI_FILE.rsdp);
  return root && { acpiRsdp: root.address, acpiRoot: root.bytes };
}
