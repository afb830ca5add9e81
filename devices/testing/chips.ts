/**
 * Every chip of the machine, made alone, for the tests that all of them must pass.
 *
 * @module
 */
import { MemoryDisk } from "../bus/block.ts";
import type { Clock } from "../bus/clock.ts";
import type { Device, Registers, Saved } from "../bus/device.ts";
import { Wire } from "../bus/wire.ts";
import { DebugPort, ExitPort, PostPort } from "../debug/ports.ts";
import { BochsVbe } from "../display/bochs_vbe.ts";
import { Vga } from "../display/vga.ts";
import { I8042 } from "../input/i8042.ts";
import { SystemControlA } from "../input/port92.ts";
import { Ps2Keyboard } from "../input/ps2_keyboard.ts";
import { Ps2Mouse } from "../input/ps2_mouse.ts";
import { CoprocessorError } from "../interrupt/coprocessor_error.ts";
import { I8259 } from "../interrupt/i8259.ts";
import { IoApic } from "../interrupt/io_apic.ts";
import { LocalApic } from "../interrupt/local_apic.ts";
import { PicPair } from "../interrupt/pic_pair.ts";
import { FwCfg } from "../pc/fw_cfg.ts";
import { PciConfiguration } from "../pci/host_bridge.ts";
import {
  displayController,
  hostBridge,
  ideInterface,
  isaBridge,
  powerManagement,
} from "../pci/i440fx.ts";
import { Piix4Pm } from "../power/piix4_pm.ts";
import { Ns16550a } from "../serial/ns16550a.ts";
import { BusMaster } from "../storage/bus_master.ts";
import { IdeChannel } from "../storage/ide_channel.ts";
import { Hpet } from "../timer/hpet.ts";
import { I8254 } from "../timer/i8254.ts";
import { Mc146818 } from "../timer/mc146818.ts";
import { SystemControlB } from "../timer/system_control.ts";

/** A chip and its registers. */
export interface Chip {
  readonly device: Device;
  /** Register blocks with their lengths in bytes. */
  readonly blocks: readonly { readonly registers: Registers; readonly length: number }[];
  /** Parts of a saved state that a reset leaves alone: a battery, a store. */
  readonly kept?: (saved: Saved) => Saved;
}

/** Memory for DMA: 64 KiB. */
export function dmaMemory(): {
  size: number;
  bytes: Uint8Array;
  read(at: number, length: number): Uint8Array;
  write(at: number, data: Uint8Array): void;
} {
  const bytes = new Uint8Array(0x10000);
  return {
    size: bytes.length,
    bytes,
    read: (at, length) => bytes.slice(at, at + length),
    write: (at, data) => bytes.set(data, at),
  };
}

function config(fn: ReturnType<typeof hostBridge>): Registers {
  return {
    read: (offset, size) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = (value << 8) | fn.readConfig(offset + i);
      return value >>> 0;
    },
    write: (offset, size, value) => {
      for (let i = 0; i < size; i++) fn.writeConfig(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}

function one(device: Device & Registers, length: number): Chip {
  return { device, blocks: [{ registers: device, length }] };
}

/** Makers of all chips by name; each call gives a new one. */
export const CHIPS: Readonly<Record<string, (clock: Clock) => Chip>> = {
  "8259A": () => one(new I8259({ int: new Wire(), elcrMask: 0xff }), 2),
  "8259A pair": () => {
    const pair = new PicPair({ int: new Wire() });
    return {
      device: pair,
      blocks: [
        { registers: pair.master, length: 2 },
        { registers: pair.slave, length: 2 },
        { registers: pair.elcr, length: 2 },
      ],
    };
  },
  "coprocessor error": () => one(new CoprocessorError({ irq: new Wire() }), 2),
  "8254": (clock) => one(new I8254({ clock, out0: new Wire() }), 4),
  "system control B": (clock) =>
    one(new SystemControlB({ clock, setGate: () => {}, output: () => true }), 1),
  "system control A": () => one(new SystemControlA({ a20: new Wire(), resetLine: () => {} }), 1),
  "MC146818": (clock) => ({
    ...one(new Mc146818({ clock, irq: new Wire(), timeMs: 0 }), 2),
    // The RESET pin leaves time, memory and the divider alone (data sheet, "RESET").
    kept: (saved) => {
      const { index, flags, cmos } = saved.fields as {
        index: number;
        flags: number;
        cmos: number[];
      };
      return { ...saved, fields: { index, flags, enables: cmos[11] & 0x78 } };
    },
  }),
  "8042": (clock) =>
    one(
      new I8042({
        clock,
        keyboard: new Ps2Keyboard({ clock }),
        mouse: new Ps2Mouse(),
        keyboardIrq: new Wire(),
        auxIrq: new Wire(),
        a20: new Wire(),
        resetLine: () => {},
      }),
      8,
    ),
  "8042 without mouse": (clock) =>
    one(
      new I8042({
        clock,
        keyboard: new Ps2Keyboard({ clock }),
        keyboardIrq: new Wire(),
        auxIrq: new Wire(),
        a20: new Wire(),
        resetLine: () => {},
      }),
      8,
    ),
  "PS/2 keyboard": (clock) => {
    const device = new Ps2Keyboard({ clock });
    return { device, blocks: [{ registers: line(device), length: 1 }] };
  },
  "PS/2 mouse": () => {
    const device = new Ps2Mouse();
    return { device, blocks: [{ registers: line(device), length: 1 }] };
  },
  "16550A": (clock) => one(new Ns16550a({ clock, irq: new Wire() }), 8),
  "VGA": (clock) => {
    const device = new Vga({ clock });
    return {
      device,
      blocks: [
        { registers: device, length: 0x30 },
        { registers: device.memory, length: 0x20000 },
      ],
    };
  },
  "Bochs VBE": () => {
    const device = new BochsVbe();
    return {
      device,
      blocks: [
        { registers: device, length: 2 },
        { registers: device.frameBuffer, length: 0x1000 },
      ],
    };
  },
  "VGA on PCI": () => {
    const device = displayController({
      frameBufferBytes: 1 << 24,
      frameBufferMoved: () => {},
      rom: { bytes: 39936, moved: () => {} },
    });
    return { device, blocks: [{ registers: config(device), length: 256 }] };
  },
  "fw_cfg": () => {
    const device = new FwCfg({ memory: dmaMemory() });
    device.addFile("etc/file", Uint8Array.of(1, 2, 3));
    return one(device, 12);
  },
  "IDE channel": (clock) => {
    const device = new IdeChannel({
      clock,
      irq: new Wire(),
      memory: dmaMemory(),
      disks: [new MemoryDisk(new Uint8Array(512 * 64)), undefined],
    });
    return {
      device,
      blocks: [
        { registers: device.command, length: 8 },
        { registers: device.control, length: 1 },
        { registers: device.master, length: 8 },
      ],
    };
  },
  "bus master": () => one(new BusMaster({ memory: dmaMemory(), started: () => {} }), 8),
  "PCI configuration": () => {
    const device = new PciConfiguration({ resetLine: () => {} });
    device.insert(0, hostBridge());
    return one(device, 8);
  },
  "82441FX": () => {
    const device = hostBridge();
    return { device, blocks: [{ registers: config(device), length: 256 }] };
  },
  "82371SB ISA": () => {
    const device = isaBridge();
    return { device, blocks: [{ registers: config(device), length: 256 }] };
  },
  "82371SB IDE": () => {
    const device = ideInterface(() => {});
    return { device, blocks: [{ registers: config(device), length: 256 }] };
  },
  "82371AB PM": () => {
    const device = powerManagement(() => {});
    return { device, blocks: [{ registers: config(device), length: 256 }] };
  },
  "PM registers": (clock) =>
    one(
      new Piix4Pm({
        clock,
        sci: new Wire(),
        powerOff: () => {},
        commands: { enable: 0xf1, disable: 0xf0 },
      }),
      64,
    ),
  "PIIX4 APM": (clock) => {
    const device = new Piix4Pm({
      clock,
      sci: new Wire(),
      powerOff: () => {},
      commands: { enable: 0xf1, disable: 0xf0 },
    });
    return { device, blocks: [{ registers: device.apm, length: 2 }] };
  },
  "local APIC": (clock) => one(localApic(clock), 0x400),
  "82093AA": () => one(new IoApic({ deliver: () => false, external: () => {} }), 0x20),
  "HPET": (clock) =>
    one(new Hpet({ clock, setLine: () => {}, legacy: () => {}, replace: () => {} }), 0x160),
  "debug port": () => one(new DebugPort({}), 1),
  "exit port": () => one(new ExitPort({ exit: () => {} }), 4),
  "POST port": () => one(new PostPort(), 1),
};

function localApic(clock: Clock): LocalApic {
  return new LocalApic({
    clock,
    intr: new Wire(),
    nmi: () => {},
    init: () => {},
    acknowledgeExternal: () => 0,
    endOfInterrupt: () => {},
    ready: () => {},
    moved: () => {},
  });
}

/** A PS/2 device's line as a register. */
function line(device: Ps2Keyboard | Ps2Mouse): Registers {
  return {
    read: () => device.take() ?? 0,
    write: (_offset, _size, value) => device.receive(value & 0xff),
  };
}
