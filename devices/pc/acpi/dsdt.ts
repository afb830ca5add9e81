/**
 * The differentiated system description: what of the board cannot be found by looking, in AML.
 *
 * Devices have the names and numbers that QEMU's i440FX has for them. The interrupts of PCI functions go through the
 * PIIX3's router to the 8259A, or past it to pins 16–19 of the I/O APIC when the system says so by `_PIC`.
 *
 * Sources: ACPI 6.4 §6.2.13 (_PRT), §5.8.1 (_PIC), §7.4.2 (_Sx); PCI Firmware Specification 3.0 §4.1.3 for the
 * root bridge's resources.
 *
 * @module
 */
import { FIRST_PCI_PIN } from "../../interrupt/interrupt_lines.ts";
import { HPET_BYTES } from "../../timer/hpet.ts";
import { ADDRESS, IRQ, POWER_BASE, SMI_COMMAND_PORT } from "../places.ts";
import {
  type Aml,
  and,
  arg,
  byteFields,
  call,
  createDwordField,
  device,
  eisaId,
  giveBack,
  integer,
  local,
  method,
  name,
  or,
  otherwise,
  packageOf,
  path,
  pciRegion,
  processor,
  scope,
  store,
  when,
} from "./aml.ts";
import {
  busNumbers,
  fixedMemory,
  io,
  ioWindow,
  irq,
  memoryWindow,
  resources,
  sharedInterrupt,
} from "./resources.ts";

/** What the tables depend on. */
export interface AcpiOptions {
  /** Bytes of RAM. */
  readonly ramBytes: number;
  /** Whether there are a local APIC and an I/O APIC. */
  readonly apic: boolean;
}

const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
/** Interrupts that ISA leaves to PCI. */
const LINK_IRQS = [5, 10, 11] as const;
const PCI_DEVICES = 32;
/** Where the addresses that PCI functions can have end: the I/O APIC is behind. */
const PCI_MEMORY_END = 0xfec00000;
/** _STA: present, enabled, shown, functioning; without "enabled". */
const STATUS = { WORKING: 0x0b, DISABLED: 0x09 } as const;
const ROUTE_OFF = 0x80;

/** The AML behind the table's header. */
export function dsdtBody(options: AcpiOptions): Aml {
  return [
    name("PICF", integer(0)),
    // §5.8.1: 0 is the 8259A, 1 the APICs.
    method("_PIC", 1, store(arg(0), path("PICF"))),
    // SLP_TYP of the PIIX4: 0 is soft off. The last two are reserved.
    name("_S5", packageOf(integer(0), integer(0), integer(0), integer(0))),
    scope(
      "\\_SB",
      processor("CPU0", 0),
      device(
        "PCI0",
        name("_HID", eisaId("PNP0A03")),
        name("_UID", integer(0)),
        name("_CRS", rootResources(options)),
        routing(options),
        isaBridge(),
      ),
      ...links(),
      hpet(),
      motherboard(),
    ),
  ].flat();
}

function rootResources({ ramBytes }: AcpiOptions): Aml {
  return resources(
    busNumbers(0, 0xff),
    io(0xcf8, 8),
    ioWindow(0x0000, 0x0cf7),
    ioWindow(0x0d00, 0xffff),
    memoryWindow(0xa0000, 0xbffff, true),
    memoryWindow(Math.max(ramBytes, 0x100000), PCI_MEMORY_END - 1, false),
  );
}

/** §6.2.13: for each device and pin the link that it goes to, or the I/O APIC's pin. */
function routing({ apic }: AcpiOptions): Aml {
  const table = (source: (line: number) => readonly [Aml, number]): Aml => {
    const entries: Aml[] = [];
    for (let slot = 1; slot < PCI_DEVICES; slot++) {
      for (let pin = 0; pin < LINKS.length; pin++) {
        // The PIIX4's own interrupt is wired to the SCI.
        const power = slot === 1 && pin === 0;
        const [from, index] = power ? [path("LNKS"), 0] as const : source((slot + pin + 3) & 3);
        entries.push(
          packageOf(integer(slot * 0x10000 + 0xffff), integer(pin), from, integer(index)),
        );
      }
    }
    return packageOf(...entries);
  };
  const byLink = giveBack(table((line) => [path(LINKS[line] as string), 0]));
  if (!apic) return method("_PRT", 0, byLink);
  const byPin = giveBack(table((line) => [integer(0), FIRST_PCI_PIN + line]));
  return method("_PRT", 0, when(path("PICF"), byPin), otherwise(byLink));
}

/** The PIIX3 and what is behind it. */
function isaBridge(): Aml {
  return device(
    "ISA",
    name("_ADR", integer(0x00010000)),
    pciRegion("PIRQ", 0x60, 4),
    byteFields("PIRQ", ["PRQA", "PRQB", "PRQC", "PRQD"]),
    isa("PIC", "PNP0000", io(0x20, 2), io(0xa0, 2), io(0x4d0, 2), irq(2)),
    isa("TIMR", "PNP0100", io(0x40, 4)),
    isa("RTC", "PNP0B00", io(0x70, 2), irq(IRQ.clock)),
    isa("KBD", "PNP0303", io(0x60, 1), io(0x64, 1), irq(IRQ.keyboard)),
    isa("MOU", "PNP0F13", irq(IRQ.mouse)),
    isa("SPKR", "PNP0800", io(0x61, 1)),
    isa("FPU", "PNP0C04", io(0xf0, 2), irq(IRQ.coprocessor)),
    isa("COM1", "PNP0501", io(0x3f8, 8), irq(IRQ.serial1), ["_UID", 1]),
  );
}

function isa(at: string, id: string, ...parts: readonly (Aml | readonly [string, number])[]): Aml {
  const isValue = (part: Aml | readonly [string, number]): part is readonly [string, number] =>
    typeof part[0] === "string";
  const values = parts.filter(isValue);
  const descriptors = parts.filter((part): part is Aml => !isValue(part));
  return device(
    at,
    name("_HID", eisaId(id)),
    ...values.map(([key, value]) => name(key, integer(value))),
    name("_CRS", resources(...descriptors)),
  );
}

/** The router's links, as devices that a system can set (§6.2.13 "PCI Interrupt Link Devices"). */
function links(): Aml[] {
  const current = [...resources(sharedInterrupt(0))];
  const register = (index: number): Aml => path(`\\_SB.PCI0.ISA.PRQ${"ABCD"[index]}`);
  return [
    // The status of a link, by the value of its register.
    method(
      "LSTA",
      1,
      when(and(arg(0), integer(ROUTE_OFF)), giveBack(integer(STATUS.DISABLED))),
      giveBack(integer(STATUS.WORKING)),
    ),
    // Its present setting.
    method(
      "LCRS",
      1,
      store(current, local(0)),
      createDwordField(local(0), 5, "LIRQ"),
      when(and(arg(0), integer(ROUTE_OFF)), store(integer(0), path("LIRQ"))),
      otherwise(and(arg(0), integer(0x0f), path("LIRQ"))),
      giveBack(local(0)),
    ),
    ...LINKS.map((link, index) =>
      device(
        link,
        name("_HID", eisaId("PNP0C0F")),
        name("_UID", integer(index)),
        name("_PRS", resources(sharedInterrupt(...LINK_IRQS))),
        method("_STA", 0, giveBack(call("LSTA", register(index)))),
        method("_DIS", 0, or(register(index), integer(ROUTE_OFF), register(index))),
        method("_CRS", 0, giveBack(call("LCRS", register(index)))),
        method(
          "_SRS",
          1,
          createDwordField(arg(0), 5, "SIRQ"),
          store(path("SIRQ"), register(index)),
        ),
      )
    ),
    device(
      "LNKS",
      name("_HID", eisaId("PNP0C0F")),
      name("_UID", integer(LINKS.length)),
      name("_PRS", resources(sharedInterrupt(IRQ.power))),
      method("_STA", 0, giveBack(integer(STATUS.WORKING))),
      method("_DIS", 0),
      method("_CRS", 0, giveBack(path("_PRS"))),
      method("_SRS", 1),
    ),
  ];
}

function hpet(): Aml {
  return device(
    "HPET",
    name("_HID", eisaId("PNP0103")),
    name("_UID", integer(0)),
    name("_CRS", resources(fixedMemory(ADDRESS.hpet, HPET_BYTES, false))),
  );
}

/** What no driver owns but is taken. The APICs' addresses are in the MADT. */
function motherboard(): Aml {
  const taken = [io(POWER_BASE, 0x40), io(0x80, 1), io(0x92, 1), io(SMI_COMMAND_PORT, 2)];
  return device(
    "BORD",
    name("_HID", eisaId("PNP0C02")),
    name("_CRS", resources(...taken)),
  );
}
