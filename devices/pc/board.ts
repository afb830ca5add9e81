/**
 * The board: which chips there are, at which ports and addresses, on which interrupt lines. The only
 * place that knows.
 *
 * An i440FX PC: 8259A pair, local APIC and 82093AA I/O APIC (which can be left out), 8254, HPET, MC146818, 8042
 * with keyboard and mouse, one 16550A, VGA, PIIX3 IDE, PIIX4 power management, and the debugging ports of Bochs
 * and QEMU.
 *
 * @module
 */
import type { BlockBackend } from "../bus/block.ts";
import { MemoryBus, PortBus } from "../bus/buses.ts";
import type { Clock } from "../bus/clock.ts";
import type { Device, Registers, Saved, Width } from "../bus/device.ts";
import type { ByteSink } from "../bus/stream.ts";
import { Wire } from "../bus/wire.ts";
import { DebugPort, ExitPort, PostPort } from "../debug/ports.ts";
import { BochsVbe } from "../display/bochs_vbe.ts";
import { Vga } from "../display/vga.ts";
import { VIDEO_MEMORY_BYTES } from "../display/video_memory.ts";
import { I8042 } from "../input/i8042.ts";
import { SystemControlA } from "../input/port92.ts";
import { Ps2Keyboard } from "../input/ps2_keyboard.ts";
import { Ps2Mouse } from "../input/ps2_mouse.ts";
import { CoprocessorError } from "../interrupt/coprocessor_error.ts";
import { FIRST_PCI_PIN, InterruptLines, Switch } from "../interrupt/interrupt_lines.ts";
import { IO_APIC_BYTES, IoApic } from "../interrupt/io_apic.ts";
import { LOCAL_APIC_BYTES, LocalApic } from "../interrupt/local_apic.ts";
import { PicPair } from "../interrupt/pic_pair.ts";
import { deviceFunction, PciConfiguration } from "../pci/host_bridge.ts";
import {
  displayController,
  hostBridge,
  ideInterface,
  isaBridge,
  powerManagement,
  type Shadowing,
} from "../pci/i440fx.ts";
import type { PciFunction } from "../pci/function.ts";
import { Piix4Pm } from "../power/piix4_pm.ts";
import { Ns16550a } from "../serial/ns16550a.ts";
import type { DmaMemory } from "../storage/bus_master.ts";
import { IdeChannel } from "../storage/ide_channel.ts";
import { Hpet, HPET_BYTES } from "../timer/hpet.ts";
import { I8254 } from "../timer/i8254.ts";
import { Mc146818 } from "../timer/mc146818.ts";
import { SystemControlB } from "../timer/system_control.ts";
import { FW_CFG_PORTS, FwCfg } from "./fw_cfg.ts";
import { ACPI_COMMAND, ADDRESS, IRQ, SMI_COMMAND_PORT } from "./places.ts";

/** No byte on COM1 takes longer than at this speed. */
const SERIAL_BAUD = 115_200;
/** Addresses without RAM of their own. */
const ADAPTERS_START = 0xa0000;
const ADAPTERS_END = 0x100000;
/** Bit of a PCI command register. */
const BUS_MASTER = 0x04;

/** What the board is given and what it tells. */
export interface BoardOptions {
  /** The time for all chips. */
  readonly clock: Clock;
  /** RAM, for DMA. */
  readonly memory: DmaMemory;
  /** hda, hdb, hdc, hdd. */
  readonly disks: readonly (BlockBackend | undefined)[];
  /** A CD-ROM drive in hdc's place, with this medium; `null` without one. */
  readonly cdrom?: BlockBackend | null | undefined;
  /** Takes what COM1 sends. */
  readonly serial: ByteSink | undefined;
  /** Takes what ports E9h and 402h are given. */
  readonly debug: ByteSink | undefined;
  /** Time of the real-time clock at power-on, ms since 1970. */
  readonly timeMs: number;
  /** The CPU's INTR. */
  readonly intr: Wire;
  /** The CPU's NMI, one edge. Default: it has none. */
  readonly nmi?: () => void;
  /** Takes a page (4 KiB) from the RAM for the bus, or gives it back: the guest put the local APIC there. */
  readonly cover?: (page: number, covered: boolean) => void;
  /** Local APIC and I/O APIC, with so many local vectors (4 Pentium, 5 P6, 6 Pentium 4); default: there are none. */
  readonly apic?: { readonly entries: 4 | 5 | 6 };
  /** The chip set shadows an area below 1 MiB, or no longer. Default: there is no ROM. */
  readonly shadow?: (start: number, end: number, how: Shadowing) => void;
  /** The VGA's expansion ROM; default none. */
  readonly vgaRom?: Uint8Array;
  /** The gate of address line 20 opens or shuts. */
  readonly a20: (open: boolean) => void;
  /** The reset line was pulled. */
  readonly resetLine: () => void;
  /** The guest turned the machine off. */
  readonly powerOff: () => void;
  /** The exit port was written. */
  readonly exit: (status: number) => void;
}

/** The chips, wired. */
export class Board {
  /** The I/O ports. */
  readonly ports: PortBus = new PortBus();
  /** Physical addresses that are no RAM. */
  readonly addresses: MemoryBus = new MemoryBus();
  /** Interrupt controllers. */
  readonly pic: PicPair;
  /** The processor's APIC. */
  readonly localApic: LocalApic | undefined;
  /** The board's. */
  readonly ioApic: IoApic | undefined;
  /** Interrupt lines: where a card's chip gets its own. */
  readonly lines: InterruptLines;
  /** The latch of x87 errors. */
  readonly coprocessor: CoprocessorError;
  /** Timer. */
  readonly pit: I8254;
  /** Timer with comparators. */
  readonly hpet: Hpet;
  /** Real-time clock and CMOS memory. */
  readonly rtc: Mc146818;
  /** Keyboard. */
  readonly keyboard: Ps2Keyboard;
  /** Mouse. */
  readonly mouse: Ps2Mouse;
  /** COM1. */
  readonly serial: Ns16550a;
  /** Screen. */
  readonly vga: Vga;
  /** The screen's graphics extension. */
  readonly vbe: BochsVbe = new BochsVbe();
  /** What a BIOS is told about the machine. */
  readonly fwCfg: FwCfg;
  /** Both IDE channels. */
  readonly ide: readonly [IdeChannel, IdeChannel];
  /** ACPI's registers, and the power button. */
  readonly power: Piix4Pm;
  /** PCI configuration ports. */
  readonly pci: PciConfiguration;
  /** POST code. */
  readonly post: PostPort;
  readonly #nmi: () => void;
  readonly #functions: Readonly<Record<string, PciFunction>>;
  /** By name, in the order in which they are reset and restored; what keeps its own inputs last. */
  readonly #devices: Readonly<Record<string, Device>>;

  /** All chips after reset, before the firmware. */
  constructor(options: BoardOptions) {
    const { clock, resetLine } = options;
    this.#nmi = options.nmi ?? (() => {});
    const apics = this.#createApics(options);
    this.localApic = apics?.local;
    this.ioApic = apics?.io;
    this.pic = new PicPair({
      int: apics === undefined ? options.intr : new Wire((high) => {
        apics.local.setPin(0, high);
        apics.io.setPin(0, high);
      }),
    });
    this.lines = new InterruptLines({ pic: this.pic, ioApic: this.ioApic });
    const { lines } = this;
    this.coprocessor = new CoprocessorError({ irq: lines.isa(IRQ.coprocessor) });
    const timer = new Switch(lines.isa(IRQ.timer));
    const alarm = new Switch(lines.isa(IRQ.clock));
    this.pit = new I8254({ clock, out0: timer.input });
    this.hpet = this.#createHpet(clock, [timer, alarm]);
    const speaker = new SystemControlB({
      clock,
      setGate: (high) => this.pit.setGate(2, high),
      output: () => this.pit.output(2),
    });
    this.rtc = new Mc146818({ clock, irq: alarm.input, timeMs: options.timeMs });
    this.keyboard = new Ps2Keyboard({ clock });
    this.mouse = new Ps2Mouse();
    // Either gate opens A20 (Intel 82371SB data sheet, PORT 92 and A20M#).
    const gates = (): void => options.a20(keyboardGate.level || fastGate.level);
    const [keyboardGate, fastGate] = [new Wire(gates), new Wire(gates)];
    const controller = new I8042({
      clock,
      keyboard: this.keyboard,
      mouse: this.mouse,
      keyboardIrq: lines.isa(IRQ.keyboard),
      auxIrq: lines.isa(IRQ.mouse),
      a20: keyboardGate,
      resetLine,
    });
    const fast = new SystemControlA({ a20: fastGate, resetLine });
    this.serial = new Ns16550a({
      clock,
      irq: lines.isa(IRQ.serial1),
      // QUIRK(baud): Linux drives a console at 9600 baud if it is not told otherwise, and polls while it prints.
      slowestBaud: SERIAL_BAUD,
      ...(options.serial === undefined ? {} : { sink: options.serial }),
    });
    this.vga = new Vga({ clock, vbe: this.vbe });
    const channel = (index: 0 | 1): IdeChannel =>
      new IdeChannel({
        clock,
        irq: lines.isa(index === 0 ? IRQ.ide1 : IRQ.ide2),
        memory: options.memory,
        disks: options.disks.slice(2 * index, 2 * index + 2),
        // The CD-ROM drive is the secondary channel's master, where PCs have it.
        cdroms: index === 0 ? [] : [options.cdrom],
        busMasterEnabled: () => (this.#functions["ideInterface"].readConfig(4) & BUS_MASTER) !== 0,
      });
    this.ide = [channel(0), channel(1)];
    this.power = new Piix4Pm({
      clock,
      sci: lines.isa(IRQ.power),
      powerOff: options.powerOff,
      commands: ACPI_COMMAND,
    });
    this.post = new PostPort();
    this.fwCfg = new FwCfg({ memory: options.memory });
    const debug = new DebugPort(options.debug === undefined ? {} : { sink: options.debug });
    const exit = new ExitPort({ exit: options.exit });

    const masters: Registers = {
      read: (offset, size) => this.ide[offset < 8 ? 0 : 1].master.read(offset & 7, size),
      write: (offset, size, value) =>
        this.ide[offset < 8 ? 0 : 1].master.write(offset & 7, size, value),
    };
    this.pci = new PciConfiguration({ resetLine });
    this.#functions = {
      hostBridge: hostBridge(options.shadow),
      isaBridge: isaBridge((line, value) => lines.route(line, value)),
      ideInterface: ideInterface(this.#movable("bus master IDE", 16, masters)),
      display: this.#displayController(options.vgaRom),
      powerManagement: powerManagement(this.#movable("power management", 64, this.power)),
    };
    const { hostBridge: host, isaBridge: isa, display } = this.#functions;
    this.pci.insert(deviceFunction(0, 0), host);
    this.pci.insert(deviceFunction(1, 0), isa);
    this.pci.insert(deviceFunction(2, 0), display);
    this.pci.insert(deviceFunction(1, 1), this.#functions["ideInterface"]);
    this.pci.insert(deviceFunction(1, 3), this.#functions["powerManagement"]);

    this.#map(0x20, 2, this.pic.master, "8259A master");
    this.#map(0xa0, 2, this.pic.slave, "8259A slave");
    this.#map(0x4d0, 2, this.pic.elcr, "ELCR");
    this.#map(0x40, 4, this.pit, "8254");
    this.#map(0x61, 1, speaker, "system control B");
    this.#map(0x60, 1, controller, "8042 data");
    this.#map(0x64, 1, shifted(controller, 4), "8042 command");
    this.#map(0x70, 2, this.rtc, "MC146818");
    this.#map(0x80, 1, this.post, "POST code");
    this.#map(0x92, 1, fast, "system control A");
    this.#map(SMI_COMMAND_PORT, 2, this.power.apm, "PIIX4 APM");
    this.#map(0xf0, 2, this.coprocessor, "coprocessor error");
    this.#map(0xe9, 1, debug, "debug port", 4);
    this.#map(0x402, 1, debug, "debug port of SeaBIOS");
    this.#map(FW_CFG_PORTS.first, FW_CFG_PORTS.count, this.fwCfg, "fw_cfg", 4);
    this.#map(0x1ce, 1, this.vbe, "VBE index", 2);
    this.ports.insert({
      name: "VBE data",
      first: 0x1cf,
      count: 1,
      registers: shifted(this.vbe, 1),
      widest: 2,
      unaligned: true,
    });
    this.#map(0xf4, 4, exit, "exit port", 4);
    this.#map(0x3f8, 8, this.serial, "16550A");
    this.#map(0x3b0, 12, this.vga, "VGA");
    this.#map(0x3c0, 32, shifted(this.vga, 0x10), "VGA");
    this.#map(0xcf8, 8, this.pci, "PCI configuration", 4);
    this.#mapIde(this.ide[0], 0x1f0, 0x3f6, "IDE primary");
    this.#mapIde(this.ide[1], 0x170, 0x376, "IDE secondary");
    this.addresses.insert({
      name: "VGA memory",
      first: 0xa0000,
      count: 0x20000,
      registers: this.vga.memory,
      widest: 1,
    });
    this.addresses.insert({
      name: "HPET",
      first: ADDRESS.hpet,
      count: HPET_BYTES,
      registers: this.hpet,
      widest: 4,
    });
    if (this.ioApic !== undefined) {
      this.addresses.insert({
        name: "I/O APIC",
        first: ADDRESS.ioApic,
        count: IO_APIC_BYTES,
        registers: this.ioApic,
        widest: 4,
      });
    }
    this.#devices = {
      clock: this.rtc,
      timer: this.pit,
      coprocessor: this.coprocessor,
      speaker,
      keyboard: this.keyboard,
      mouse: this.mouse,
      controller,
      fast,
      serial1: this.serial,
      vga: this.vga,
      vbe: this.vbe,
      fwCfg: this.fwCfg,
      ide1: this.ide[0],
      ide2: this.ide[1],
      pci: this.pci,
      ...this.#functions,
      power: this.power,
      post: this.post,
      debug,
      exit,
      hpet: this.hpet,
      pic: this.pic,
      ...(apics === undefined ? {} : { ioApic: apics.io, localApic: apics.local }),
    };
  }

  #createApics(options: BoardOptions): { local: LocalApic; io: IoApic } | undefined {
    if (options.apic === undefined) return undefined;
    let remove: (() => void) | undefined;
    const local: LocalApic = new LocalApic({
      clock: options.clock,
      intr: options.intr,
      nmi: options.nmi ?? (() => {}),
      init: options.resetLine,
      acknowledgeExternal: () => this.pic.acknowledge(),
      endOfInterrupt: (vector) => io.endOfInterrupt(vector),
      ready: () => io.retry(),
      moved: (base) => {
        remove?.();
        remove = base === undefined ? undefined : this.#placeLocalApic(base, () => local, options);
      },
      entries: options.apic.entries,
    });
    const io = new IoApic({
      deliver: (message) => local.accept(message),
      external: (high) => local.setExternal(high),
      high: 0xf << FIRST_PCI_PIN, // PCI interrupts are active low
    });
    return { local, io };
  }

  /** Puts the local APIC's page over whatever is there; returns what takes it away. */
  #placeLocalApic(base: number, local: () => LocalApic, options: BoardOptions): () => void {
    const remove = this.addresses.overlay({
      name: "local APIC",
      first: base,
      count: LOCAL_APIC_BYTES,
      get registers() {
        return local();
      },
      widest: 4,
    });
    // Adapters and ROMs below 1 MiB are the bus's already, or the chip set's to route: QUIRK(apic page).
    const isRam = base < options.memory.size && (base < ADAPTERS_START || base >= ADAPTERS_END);
    if (isRam) options.cover?.(base, true);
    return () => {
      remove();
      if (isRam) options.cover?.(base, false);
    };
  }

  #createHpet(clock: Clock, replaced: readonly [Switch, Switch]): Hpet {
    const legacy = [this.lines.isa(IRQ.timer), this.lines.isa(IRQ.clock)] as const;
    const isa = this.lines.isa(IRQ.hpet);
    return new Hpet({
      clock,
      setLine: (line, asserted) => {
        // Pins of the I/O APIC beyond the PCI interrupts' are free for it alone.
        if (line === IRQ.hpet) isa.set(asserted);
        else this.ioApic?.setPin(line, asserted);
      },
      legacy: (timer, asserted) => legacy[timer].set(asserted),
      replace: (on) => {
        for (const chip of replaced) chip.closed = !on;
      },
    });
  }

  /** The NMI button: an edge at the local APIC's LINT1, or at the processor's pin, unless port 70h masks it. */
  nmiButton(): void {
    if (this.rtc.nmiMasked) return;
    if (this.localApic === undefined) {
      this.#nmi();
      return;
    }
    this.localApic.setPin(1, true);
    this.localApic.setPin(1, false);
  }

  /** The processor's INTA: the vector of an interrupt, from the local APIC or the 8259A pair. */
  acknowledgeInterrupt(): number {
    return this.localApic === undefined ? this.pic.acknowledge() : this.localApic.acknowledge();
  }

  #map(first: number, count: number, registers: Registers, name: string, widest: Width = 1): void {
    this.ports.insert({ name, first, count, registers, widest });
  }

  #mapIde(channel: IdeChannel, command: number, control: number, name: string): void {
    this.#map(command, 1, channel.command, `${name} data`, 4);
    this.#map(command + 1, 7, shifted(channel.command, 1), name);
    this.#map(control, 1, channel.control, `${name} control`);
  }

  /** What a PCI function calls when the guest places a memory range of its. */
  #movableMemory(name: string, count: number, registers: Registers) {
    let remove: (() => void) | undefined;
    return (base: number | undefined): void => {
      remove?.();
      // What the guest puts over RAM stays invisible: RAM is decoded first.
      remove = base === undefined
        ? undefined
        : this.addresses.overlay({ name, first: base, count, registers, widest: 4 }, "behind");
    };
  }

  #displayController(rom: Uint8Array | undefined): PciFunction {
    const image: Registers = {
      read: (offset, size) => {
        let value = 0;
        for (let i = size - 1; i >= 0; i--) value = value * 256 + (rom?.[offset + i] ?? 0xff);
        return value;
      },
      write: () => {},
    };
    return displayController({
      frameBufferBytes: VIDEO_MEMORY_BYTES,
      frameBufferMoved: this.#movableMemory(
        "VGA frame buffer",
        VIDEO_MEMORY_BYTES,
        this.vbe.frameBuffer,
      ),
      rom: rom === undefined ? undefined : {
        bytes: rom.length,
        moved: this.#movableMemory("VGA ROM", rom.length, image),
      },
    });
  }

  /** What a PCI function calls when the guest places its I/O range. */
  #movable(
    name: string,
    count: number,
    registers: Registers,
  ): (base: number | undefined) => void {
    let remove: (() => void) | undefined;
    return (base) => {
      remove?.();
      remove = base === undefined
        ? undefined
        : this.ports.overlay({ name, first: base, count, registers, widest: 4 });
    };
  }

  /** Resets every chip. */
  reset(): void {
    for (const device of Object.values(this.#devices)) device.reset();
  }

  /** The state of every chip by its name on the board. */
  save(): Record<string, Saved> {
    return Object.fromEntries(
      Object.entries(this.#devices).map(([name, device]) => [name, device.save()]),
    );
  }

  /**
   * Puts saved states back.
   *
   * @throws {TypeError} when a chip's state is missing or does not fit.
   */
  restore(states: Readonly<Record<string, Saved>>): void {
    for (const [name, device] of Object.entries(this.#devices)) {
      const state = states[name];
      if (state === undefined) {
        throw new TypeError(`Cannot restore the board: "${name}" is missing`);
      }
      device.restore(state);
    }
  }
}

/** The same registers, with offsets that begin at `by`. */
function shifted(registers: Registers, by: number): Registers {
  return {
    read: (offset, size) => registers.read(offset + by, size),
    write: (offset, size, value) => registers.write(offset + by, size, value),
  };
}
