/**
 * The ACPI tables of the board: RSDP, RSDT, FADT (revision 3), FACS, DSDT, MADT, HPET.
 *
 * Sources: ACPI 6.4 §5.2 "ACPI System Description Tables" (revision 3 of the FADT: ACPI 2.0 §5.2.8); IA-PC HPET
 * specification 1.0a §3.2.4; Intel 82371AB (PIIX4) §7.2 for the ports.
 *
 * @module
 */
import { TIMER_PIN } from "../../interrupt/interrupt_lines.ts";
import { HPET_ID } from "../../timer/hpet.ts";
import {
  ACPI_COMMAND,
  ADDRESS,
  IO_APIC_ID,
  IRQ,
  POWER_BASE,
  RESET_CONTROL,
  SMI_COMMAND_PORT,
} from "../places.ts";
import { littleEndian } from "./aml.ts";
import { type AcpiOptions, dsdtBody } from "./dsdt.ts";
import { LoaderScript, ZONE } from "./loader_script.ts";

/** Names of the files in QEMU's firmware configuration interface. */
export const ACPI_FILE = {
  rsdp: "etc/acpi/rsdp",
  tables: "etc/acpi/tables",
  loader: "etc/table-loader",
} as const;

/** The tables before they have a place, and the script that gives them one. */
export interface AcpiFiles {
  /** All tables but the root pointer. */
  readonly tables: Uint8Array;
  /** The root pointer. */
  readonly rsdp: Uint8Array;
  /** See {@link LoaderScript}. */
  readonly loader: Uint8Array;
}

const HEADER_BYTES = 36;
const LENGTH_AT = 4;
const CHECKSUM_AT = 9;
const OEM_ID = "OVRTRE";
const OEM_TABLE_ID = "OVERTURE";
const CREATOR_ID = "OVTR";
/** Alignment of each table; the FACS needs it (§5.2.10). */
const TABLE_ALIGNMENT = 64;

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

const u8 = (value: number): number[] => littleEndian(value, 1);
const u16 = (value: number): number[] => littleEndian(value, 2);
const u32 = (value: number): number[] => littleEndian(value, 4);
const u64 = (value: number): number[] => littleEndian(value, 8);

/** §5.2.6: length and checksum are filled in later. */
function table(signature: string, revision: number, body: readonly number[]): Uint8Array {
  const header = [
    ...ascii(signature),
    ...u32(HEADER_BYTES + body.length),
    revision,
    0,
    ...ascii(OEM_ID),
    ...ascii(OEM_TABLE_ID),
    ...u32(1),
    ...ascii(CREATOR_ID),
    ...u32(1),
  ];
  return Uint8Array.from([...header, ...body]);
}

/** §5.2.3.2: an address in I/O space. */
function ioAddress(port: number, bits: number): number[] {
  return [1, bits, 0, 0, ...u64(port)];
}
const NO_ADDRESS = new Array<number>(12).fill(0);

/** FADT fields that point to other tables. */
const FADT_POINTER = { FACS: 36, DSDT: 40, X_DSDT: 140 } as const;
const FADT_FLAGS = {
  WBINVD: 1 << 0,
  PROC_C1: 1 << 2,
  NO_FIXED_SLEEP_BUTTON: 1 << 5,
  RESET_REGISTER: 1 << 10,
  PLATFORM_CLOCK: 1 << 15,
} as const;
/** IAPC_BOOT_ARCH: there are ISA devices and an 8042. */
const BOOT_ARCHITECTURE = 0x0003;
const PM = { EVENTS: POWER_BASE, CONTROL: POWER_BASE + 4, TIMER: POWER_BASE + 8 } as const;
/** Latency of C2 and C3 above their limits: there are none. */
const NO_C2 = 101;
const NO_C3 = 1001;
const CENTURY_INDEX = 0x32;

/** §5.2.9 (ACPI 2.0 §5.2.8): revision 3, 244 bytes. */
function fadt(): Uint8Array {
  const flags = Object.values(FADT_FLAGS).reduce((bits, bit) => bits | bit, 0);
  const fixed = [
    ...[...u32(0), ...u32(0)], // FIRMWARE_CTRL, DSDT
    ...[0, 0], // reserved, PM profile: unspecified
    ...u16(IRQ.power),
    ...u32(SMI_COMMAND_PORT),
    ...[ACPI_COMMAND.enable, ACPI_COMMAND.disable, 0, 0],
    ...[...u32(PM.EVENTS), ...u32(0)],
    ...[...u32(PM.CONTROL), ...u32(0)],
    ...u32(0), // PM2
    ...u32(PM.TIMER),
    ...[...u32(0), ...u32(0)], // GPE0, GPE1
    ...[4, 2, 0, 4, 0, 0, 0, 0], // lengths: PM1 events, control, PM2, timer, GPE0, GPE1, base, _CST
    ...[...u16(NO_C2), ...u16(NO_C3)],
    ...[...u16(0), ...u16(0)], // cache flush, for systems without WBINVD
    ...[0, 0], // duty cycle: no throttling
    ...[0, 0, CENTURY_INDEX], // alarm's day and month: none
    ...[...u16(BOOT_ARCHITECTURE), 0],
    ...u32(flags),
  ];
  const extended = [
    ...[...ioAddress(RESET_CONTROL.port, 8), RESET_CONTROL.value],
    ...[0, 0, 0],
    ...[...u64(0), ...u64(0)], // X_FIRMWARE_CTRL, X_DSDT
    ...[...ioAddress(PM.EVENTS, 32), ...NO_ADDRESS],
    ...[...ioAddress(PM.CONTROL, 16), ...NO_ADDRESS],
    ...NO_ADDRESS,
    ...ioAddress(PM.TIMER, 32),
    ...[...NO_ADDRESS, ...NO_ADDRESS],
  ];
  return table("FACP", 3, [...fixed, ...extended]);
}

/** §5.2.10: no header, no checksum. There is no global lock and no waking. */
function facs(): Uint8Array {
  return Uint8Array.from([...ascii("FACS"), ...u32(64), ...new Array<number>(56).fill(0)]);
}

/** MPS INTI flags (Table 5-50). */
const ACTIVE_HIGH_LEVEL = 0x000d;
const CONFORMS = 0x0000;

/** §5.2.12. */
function madt(): Uint8Array {
  const hasPics = 1;
  const override = (irq: number, pin: number, flags: number): number[] => [
    2,
    10,
    0,
    irq,
    ...u32(pin),
    ...u16(flags),
  ];
  return table("APIC", 1, [
    ...[...u32(ADDRESS.localApic), ...u32(hasPics)],
    ...[0, 8, 0, 0, ...u32(1)], // the processor: its ID, its APIC's, enabled
    ...[1, 12, IO_APIC_ID, 0, ...u32(ADDRESS.ioApic), ...u32(0)],
    ...override(IRQ.timer, TIMER_PIN, CONFORMS),
    ...override(IRQ.power, IRQ.power, ACTIVE_HIGH_LEVEL),
    ...[4, 6, 0xff, ...u16(CONFORMS), 1], // NMI at LINT1 of all
  ]);
}

/** IA-PC HPET specification §3.2.4. */
function hpet(): Uint8Array {
  const minimumTick = 100;
  const memory = [0, 0, 0, 0, ...u64(ADDRESS.hpet)];
  return table("HPET", 1, [...u32(HPET_ID), ...memory, ...u8(0), ...u16(minimumTick), ...u8(0)]);
}

/** Tables one behind the other in a file, with the script for it. */
class TableFile {
  readonly script = new LoaderScript();
  #bytes: number[] = [];

  /** Adds a table; its offset. */
  add(content: Uint8Array): number {
    while (this.#bytes.length % TABLE_ALIGNMENT !== 0) this.#bytes.push(0);
    const at = this.#bytes.length;
    this.#bytes.push(...content);
    return at;
  }

  /** The table at `at` has a pointer at `field` to the one at `target`. */
  point(at: number, field: number, size: 4 | 8, target: number): void {
    littleEndian(target, size).forEach((byte, i) => this.#bytes[at + field + i] = byte);
    this.script.addPointer(ACPI_FILE.tables, at + field, size, ACPI_FILE.tables);
  }

  /** The table at `at` is complete: sums it up. */
  seal(at: number): void {
    const length = this.#bytes.slice(at + LENGTH_AT, at + LENGTH_AT + 4)
      .reduceRight((value, byte) => value * 256 + byte, 0);
    this.script.addChecksum(ACPI_FILE.tables, at + CHECKSUM_AT, at, length);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Makes the tables of a machine. */
export function createAcpi(options: AcpiOptions): AcpiFiles {
  const file = new TableFile();
  const { script } = file;
  script.allocate(ACPI_FILE.tables, TABLE_ALIGNMENT, ZONE.HIGH);
  script.allocate(ACPI_FILE.rsdp, 16, ZONE.F_SEGMENT);

  const facsAt = file.add(facs());
  // Revision 1: integers of 32 bits.
  const dsdtAt = file.add(table("DSDT", 1, dsdtBody(options)));
  const fadtAt = file.add(fadt());
  file.point(fadtAt, FADT_POINTER.FACS, 4, facsAt);
  file.point(fadtAt, FADT_POINTER.DSDT, 4, dsdtAt);
  file.point(fadtAt, FADT_POINTER.X_DSDT, 8, dsdtAt);
  const listed = [fadtAt];
  if (options.apic) listed.push(file.add(madt()));
  listed.push(file.add(hpet()));
  const rsdtAt = file.add(table("RSDT", 1, new Array<number>(4 * listed.length).fill(0)));
  listed.forEach((at, i) => file.point(rsdtAt, HEADER_BYTES + 4 * i, 4, at));
  for (const at of [dsdtAt, ...listed, rsdtAt]) file.seal(at);

  // §5.2.5.3, revision 0: 20 bytes, a pointer of 32 bits.
  const rsdp = Uint8Array.from([...ascii("RSD PTR "), 0, ...ascii(OEM_ID), 0, ...u32(rsdtAt)]);
  script.addPointer(ACPI_FILE.rsdp, 16, 4, ACPI_FILE.tables);
  script.addChecksum(ACPI_FILE.rsdp, 8, 0, rsdp.length);
  return { tables: file.bytes(), rsdp, loader: script.bytes() };
}
