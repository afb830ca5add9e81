/**
 * A BIOS in ROM: where its image is in physical memory, and what the machine tells it through fw_cfg.
 *
 * The whole image ends at 4 GiB, where the processor starts (FFFFFFF0h); its last 128 KiB are at E0000h–FFFFFh too,
 * until the chip set shadows them.
 *
 * Sources: Intel 82371SB (PIIX3) §2.2.7 "XBCS" (BIOS address ranges); QEMU docs/specs/fw_cfg.rst; SeaBIOS docs
 * "Runtime config".
 *
 * @module
 */
import type { PhysicalMemory } from "../../cpu/mod.ts";
import { ACPI_FILE, type AcpiFiles } from "./acpi/tables.ts";
import { FW_CFG_KEY, type FwCfg } from "./fw_cfg.ts";

const FOUR_GIB = 0x100000000;
const LOW_END = 0x100000;
/** What of the image is below 1 MiB. */
const LOW_BYTES = 0x20000;
const LEAST_BYTES = 0x10000;
const MOST_BYTES = 0x1000000;
const PAGE_BYTES = 0x1000;

/** Whether a file of so many bytes can be a BIOS: whole pages, 64 KiB to 16 MiB. */
export function isBiosSize(length: number): boolean {
  return length >= LEAST_BYTES && length <= MOST_BYTES && length % PAGE_BYTES === 0;
}

/**
 * Looks whether the image can be a BIOS.
 *
 * @throws {RangeError} when its size is no ROM's.
 */
export function checkBios(bios: Uint8Array): void {
  const { length } = bios;
  if (!isBiosSize(length)) {
    throw new RangeError(
      `Cannot start from a BIOS of ${length} bytes: it has from 64 KiB to 16 MiB in whole pages of 4 KiB`,
    );
  }
}

/** Room that {@link installBios} needs in the processor's memory. */
export function biosRomBytes(bios: Uint8Array): number {
  return bios.length + LOW_BYTES;
}

/** Puts the image into the address space. */
export function installBios(memory: PhysicalMemory, bios: Uint8Array): void {
  memory.installRom(FOUR_GIB - bios.length, bios);
  const low = bios.slice(Math.max(0, bios.length - LOW_BYTES));
  memory.installRom(LOW_END - low.length, low);
}

/** Describes the machine. Files are as QEMU names them. */
export function describeToBios(
  fwCfg: FwCfg,
  machine: {
    readonly ramBytes: number;
    readonly acpi: AcpiFiles;
    readonly optionRoms: readonly Uint8Array[];
    /** The console is COM1 as well as the screen. */
    readonly onSerial: boolean;
  },
): void {
  fwCfg.setNumber(FW_CFG_KEY.ramBytes, machine.ramBytes, 8);
  fwCfg.setNumber(FW_CFG_KEY.processors, 1, 2);
  fwCfg.setNumber(FW_CFG_KEY.mostProcessors, 1, 2);
  fwCfg.setNumber(FW_CFG_KEY.numa, 0, 16);
  fwCfg.setNumber(FW_CFG_KEY.bootMenu, 0, 2);
  fwCfg.setNumber(FW_CFG_KEY.irq0Override, 1, 4);
  fwCfg.addFile("etc/e820", e820(machine.ramBytes));
  fwCfg.addFile(ACPI_FILE.rsdp, machine.acpi.rsdp);
  fwCfg.addFile(ACPI_FILE.tables, machine.acpi.tables);
  fwCfg.addFile(ACPI_FILE.loader, machine.acpi.loader);
  if (machine.onSerial) fwCfg.addFile("etc/sercon-port", Uint8Array.of(0xf8, 0x03));
  machine.optionRoms.forEach((rom, index) => fwCfg.addFile(`genroms/option${index}.bin`, rom));
}

/** RAM alone: what of it is taken the BIOS knows best. */
function e820(ramBytes: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(ramBytes), true);
  view.setUint32(16, 1, true);
  return bytes;
}
