/**
 * The PCI functions of an i440FX board: 82441FX host bridge, PIIX3 ISA bridge and IDE, PIIX4 power
 * management as QEMU pairs them.
 *
 * Sources: Intel 82441FX (290549) §3.2; 82371SB PIIX3 (290550) §2.2, §2.3; 82371AB PIIX4 (290562) §7.
 *
 * @module
 */
import { PciFunction } from "./function.ts";

const INTEL = 0x8086;
/** Medium DEVSEL timing, fast back-to-back. */
const STATUS = 0x0280;

function bytes(
  first: number,
  count: number,
  value: number,
  mask: number,
): (readonly [number, number, number])[] {
  return Array.from({ length: count }, (_, i) => [first + i, value, mask] as const);
}

/** Whether an area below 1 MiB is read from RAM, and whether it is written to. */
export interface Shadowing {
  /** Reads come from RAM, not from the ROM or the bus. */
  readonly read: boolean;
  /** Writes go to RAM. */
  readonly write: boolean;
}

/** PAM0, whose upper half is for F0000h–FFFFFh, before six registers for 16 KiB in each half from C0000h on. */
const PAM = 0x59;
const PAM_READ = 1;
const PAM_WRITE = 2;
const PAM_AREAS:
  readonly (readonly [register: number, shift: 0 | 4, start: number, end: number])[] = [
    [PAM, 4, 0xf0000, 0x100000],
    ...Array.from({ length: 12 }, (_, i) => {
      const start = 0xc0000 + 0x4000 * i;
      return [PAM + 1 + (i >> 1), (i & 1) === 0 ? 0 : 4, start, start + 0x4000] as const;
    }),
  ];

/**
 * The 82441FX host bridge.
 *
 * @param shadow told of each area whose shadowing changes (data sheet §3.2.18): after reset neither reads nor writes.
 */
export function hostBridge(
  shadow: (start: number, end: number, how: Shadowing) => void = () => {},
): PciFunction {
  const now = PAM_AREAS.map(() => -1);
  return new PciFunction({
    name: "82441FX",
    vendor: INTEL,
    device: 0x1237,
    revision: 2,
    classCode: 0x060000,
    commandMask: 0x0100,
    status: 0x2280,
    registers: [
      [0x04, 0x06, 0x00], // memory and bus master, always
      [0x0d, 0, 0xf8],
      [0x50, 0, 0xff],
      [0x51, 0, 0xff],
      ...bytes(0x59, 7, 0, 0xff), // PAM0–6
      ...bytes(0x60, 8, 0, 0xff), // DRAM row boundaries
      [0x68, 0, 0xff],
      [0x72, 0x02, 0x7f], // SMRAM
    ],
    changed: (config) =>
      PAM_AREAS.forEach(([register, shift, start, end], i) => {
        const bits = (config[register] >> shift) & (PAM_READ | PAM_WRITE);
        if (bits === now[i]) return;
        now[i] = bits;
        shadow(start, end, { read: (bits & PAM_READ) !== 0, write: (bits & PAM_WRITE) !== 0 });
      }),
  });
}

/** PIRQRCA, the first of four. */
const PIRQ_ROUTES = 0x60;

/**
 * The PIIX3's ISA bridge, with the routes of the PCI interrupts.
 *
 * @param route told the registers PIRQRC[A:D] (0–3) at each change of the configuration space.
 */
export function isaBridge(route: (line: number, value: number) => void = () => {}): PciFunction {
  return new PciFunction({
    name: "82371SB ISA",
    vendor: INTEL,
    device: 0x7000,
    classCode: 0x060100,
    headerType: 0x80,
    commandMask: 0x0008,
    status: 0x0200,
    registers: [
      [0x04, 0x07, 0x00],
      [0x4c, 0x4d, 0xff],
      [0x4e, 0x03, 0xff],
      ...bytes(PIRQ_ROUTES, 4, 0x80, 0x8f), // PIRQA–D
      [0x69, 0x02, 0xfe],
      [0x70, 0x80, 0xff],
      [0x76, 0x0c, 0x8f],
      [0x77, 0x0c, 0x8f],
      [0x82, 0, 0x0f],
      [0xa0, 0x08, 0x1f],
      ...bytes(0xa2, 7, 0, 0xff),
    ],
    changed: (config) => {
      for (let line = 0; line < 4; line++) route(line, config[PIRQ_ROUTES + line] as number);
    },
  });
}

/** The PIIX3's IDE interface: legacy channels, bus master at BAR 4. */
export function ideInterface(busMasterMoved: (base: number | undefined) => void): PciFunction {
  return new PciFunction({
    name: "82371SB IDE",
    vendor: INTEL,
    device: 0x7010,
    classCode: 0x010180,
    commandMask: 0x0005,
    status: STATUS,
    registers: [
      [0x0d, 0, 0xf0],
      ...bytes(0x40, 4, 0, 0xff), // IDETIM
      [0x44, 0, 0xff],
    ],
    ranges: [{ register: 0x20, count: 16, moved: busMasterMoved }],
  });
}

/** The PIIX4's power management: PMBASE at 40h, enabled by PMREGMISC bit 0. */
export function powerManagement(moved: (base: number | undefined) => void): PciFunction {
  return new PciFunction({
    name: "82371AB PM",
    vendor: INTEL,
    device: 0x7113,
    revision: 3,
    classCode: 0x068000,
    commandMask: 0x0001,
    status: STATUS,
    registers: [
      [0x3d, 0x01, 0x00], // INTA#, wired to IRQ 9
      [0x3c, 0x00, 0xff],
      ...bytes(0x58, 8, 0, 0xff),
      // APMC_EN: system management code is set up already. A BIOS would else wait for an SMI that never comes.
      [0x5b, 0x02, 0xff],
      [0x80, 0, 0x01],
      [0x90, 0x01, 0x00],
      [0xd2, 0, 0x0f],
    ],
    ranges: [{
      register: 0x40,
      count: 64,
      enabled: (config) => (config[0x80] & 1) !== 0,
      moved,
    }],
  });
}

/**
 * A VGA with Bochs's extension, as QEMU's "stdvga" is found on the bus.
 *
 * @param options.frameBufferMoved told where the frame buffer is decoded.
 * @param options.rom its expansion ROM, and who is told where that is decoded.
 */
export function displayController(options: {
  readonly frameBufferBytes: number;
  readonly frameBufferMoved: (base: number | undefined) => void;
  readonly rom: { readonly bytes: number; moved(base: number | undefined): void } | undefined;
}): PciFunction {
  const { rom } = options;
  return new PciFunction({
    name: "VGA on PCI",
    vendor: 0x1234,
    device: 0x1111,
    revision: 2,
    classCode: 0x030000,
    commandMask: 0x0003,
    memory: [
      {
        register: 0x10,
        bytes: options.frameBufferBytes,
        flags: 8,
        moved: options.frameBufferMoved,
      },
      ...(rom === undefined ? [] : [{
        register: 0x30,
        bytes: Math.max(0x800, 2 ** Math.ceil(Math.log2(rom.bytes))),
        moved: (base: number | undefined): void => rom.moved(base),
      }]),
    ],
  });
}
