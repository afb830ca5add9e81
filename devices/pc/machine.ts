/**
 * The machine: CPU, board and clock, and the loop that runs them.
 *
 * The CPU runs until the next timer is due; HLT lets time pass without instructions. On the virtual
 * clock it passes at once, so the same image gives the same run; on the wall clock it passes as on the
 * host. When nothing is due any more the machine waits for its host's input.
 *
 * @module
 */
import { Cpu, type CpuModel, DEFAULT_MODEL, modelHas } from "../../cpu/mod.ts";
import type { BlockBackend } from "../bus/block.ts";
import { Clock, NS_PER_INSTRUCTION } from "../bus/clock.ts";
import type { Saved } from "../bus/device.ts";
import type { ByteSink, HostTime } from "../bus/stream.ts";
import { Wire } from "../bus/wire.ts";
import type { Vga } from "../display/vga.ts";
import type { Ps2Keyboard } from "../input/ps2_keyboard.ts";
import type { Ps2Mouse } from "../input/ps2_mouse.ts";
import type { Ns16550a } from "../serial/ns16550a.ts";
import { installAcpi } from "./acpi/install.ts";
import { type AcpiFiles, createAcpi } from "./acpi/tables.ts";
import { writeBiosData } from "./bios_data.ts";
import { Board } from "./board.ts";
import { loadKernel } from "./boot.ts";
import { biosRomBytes, checkBios, describeToBios, installBios } from "./bios.ts";
import { describeMachine, startChips } from "./firmware.ts";
import { LOCAL_APIC_BYTES } from "../interrupt/local_apic.ts";
import type { InitialRamDisk, LinuxOptions } from "./linux_boot.ts";

const DEFAULT_RAM_BYTES = 128 << 20;
/**
 * Entries after which a block is translated. Making a region costs about as much as half a million instructions save;
 * with 500 half of the regions of a Linux boot run fewer than 10,000 instructions. (With 4000 code that is patched waits
 * too long.)
 */
export const TRANSLATE_AFTER = 2000;
/** 2025-01-01 00:00:00 UTC. */
const DEFAULT_TIME_MS = 1_735_689_600_000;
/** Instructions, and ends of HLT, between two looks at the host. */
const SLICE = 1_000_000;
const SLICE_WAKES = 64;
/** A slice in which the guest slept more than this part of the time: nobody is in a hurry. */
const IDLE_PART = 0.95;
/** Pauses on the virtual clock while the guest does nothing but tick, in ms. */
const MAX_IDLE_PAUSE_MS = 10;
/** Timers that may go by without an instruction before {@link Machine.runSync} calls it idle. */
const MAX_EMPTY_WAKES = 100_000;
const NS_PER_MS = 1_000_000;
/** The longest pause on the wall clock before input is looked at again. */
const MAX_PAUSE_MS = 20;
/** Behind by more than this, the wall clock is not caught up with: the host was asleep or too slow. */
const MAX_LAG_NS = 100 * NS_PER_MS;
const IF = 0x200;

/** Entries of the local vector table (SDM vol. 3A §11.5.1): counters since the P6, which has 5, a thermal sensor then. */
const LOCAL_VECTORS: Readonly<Partial<Record<CpuModel, 4 | 5 | 6>>> = { pentium: 4, p4: 6 };

/** Why a run ended. */
export type ExitReason =
  /** The guest turned the machine off. */
  | { readonly type: "power-off" }
  /** The guest wrote the exit port; `status` is 1–255 and odd. */
  | { readonly type: "exit"; readonly status: number }
  /** The guest pulled the reset line. {@link Machine.reboot} starts it anew. */
  | { readonly type: "reset" }
  /** A triple fault. */
  | { readonly type: "shutdown" }
  /** HLT with interrupts off: nothing can wake it. */
  | { readonly type: "halted" }
  /** HLT with nothing due, and this kind of run does not wait for input. */
  | { readonly type: "idle" }
  /** {@link Machine.stop} or the signal. */
  | { readonly type: "stopped" }
  /** The instructions that were asked for are done. */
  | { readonly type: "limit" };

/** Options of a {@link Machine}. */
export interface MachineOptions {
  /** Bytes of RAM; default 128 MiB. */
  readonly ramBytes?: number;
  /** hda, hdb, hdc, hdd. */
  readonly disks?: readonly (BlockBackend | undefined)[];
  /** A CD-ROM drive in hdc's place with this medium, of 512-byte sectors; `null` is an empty one. */
  readonly cdrom?: BlockBackend | null;
  /** Takes what COM1 sends. */
  readonly serial?: ByteSink;
  /** Takes what is written to port E9h. */
  readonly debug?: ByteSink;
  /** Default "virtual": time is counted in instructions and runs repeat. "wall" needs `host`. */
  readonly clock?: "virtual" | "wall";
  /** Which processor; default "p3". */
  readonly cpu?: CpuModel;
  /** Entries of a block of code until it is translated; default {@link TRANSLATE_AFTER}; 0: everything is interpreted. */
  readonly translateAfter?: number;
  /** Host milliseconds, for figures about translated code (`cpu.translationCounts`), which then counts what it does. */
  readonly now?: () => number;
  /** What code at a linear address is called in the host's profiles of translated code; default `g` and EIP. */
  readonly nameCode?: (linear: number) => string | undefined;
  /** Whether there are a local APIC and an I/O APIC; default true for processors that have one, from "pentium" on. */
  readonly apic?: boolean;
  /**
   * A BIOS for the machine to start from: whole pages, 64 KiB to 16 MiB. Without it the machine's own start-up leaves
   * the chips ready for a kernel.
   */
  readonly bios?: Uint8Array;
  /** The VGA's BIOS, which a BIOS finds on the PCI bus. */
  readonly vgaRom?: Uint8Array;
  /** Whether the BIOS's console is COM1 as well as the screen; default false. */
  readonly biosOnSerial?: boolean;
  /** Option ROMs, which a BIOS finds as firmware files. */
  readonly optionRoms?: readonly Uint8Array[];
  /** Start of the real-time clock, ms since 1970; default 2025-01-01, so that runs repeat. */
  readonly seedTimeMs?: number;
  /** The host's time; without it a run gives the host's events their turn only while the guest idles. */
  readonly host?: HostTime;
}

/**
 * A PC.
 *
 * @example Run a kernel to its end
 * ```ts ignore
 * const machine = new Machine({ serial: (bytes) => output.push(...bytes) });
 * machine.loadKernel(elf, "console=ttyS0");
 * assert.deepEqual(await machine.run(), { type: "power-off" });
 * ```
 */
export class Machine {
  /** The processor and its memory. */
  readonly cpu: Cpu;
  /** Virtual time and its timers. */
  readonly clock: Clock;
  /** COM1. */
  readonly serial: Ns16550a;
  /** The keyboard. */
  readonly keyboard: Ps2Keyboard;
  /** The mouse. */
  readonly mouse: Ps2Mouse;
  /** The screen. */
  readonly display: Vga;
  /** The chips, for who looks at them. */
  readonly board: Board;
  /** The ACPI tables, for a BIOS to place. */
  readonly acpi: AcpiFiles;
  readonly #options: MachineOptions;
  #kernel: { file: Uint8Array; options: LinuxOptions } | undefined;
  #exit: ExitReason | undefined;
  #stopRequested = false;
  #wake: (() => void) | undefined;
  /** Who holds the machine still. */
  readonly #holds = new Set<symbol>();
  /** Host time at virtual time 0 (ms), while a run is on the wall clock. */
  #originMs = 0;
  /** Slices on end in which the guest did next to nothing. */
  #idleSlices = 0;
  /** Timers that went by since an instruction was executed. */
  #emptyWakes = 0;

  /**
   * A machine after power-on, its firmware done, without a kernel.
   *
   * @throws {TypeError} when the wall clock is asked for without the host's time.
   */
  constructor(options: MachineOptions = {}) {
    if (options.clock === "wall" && options.host === undefined) {
      throw new TypeError('Cannot run on the wall clock without the option "host"');
    }
    this.#options = options;
    const ramBytes = options.ramBytes ?? DEFAULT_RAM_BYTES;
    const disks = options.disks ?? [];
    const model = options.cpu ?? DEFAULT_MODEL;
    const apic = options.apic ?? modelHas(model, "apic");
    if (apic && !modelHas(model, "apic")) {
      throw new RangeError(`Cannot make a machine with an APIC: the processor "${model}" has none`);
    }
    const { bios } = options;
    if (bios !== undefined) checkBios(bios);
    this.cpu = new Cpu({
      ramBytes,
      model,
      translateAfter: options.translateAfter ?? TRANSLATE_AFTER,
      ...(options.now === undefined ? {} : { now: options.now }),
      ...(options.nameCode === undefined ? {} : { nameCode: options.nameCode }),
      ...(bios === undefined ? {} : { romBytes: biosRomBytes(bios) }),
      bus: {
        readPort: (port, size) => this.board.ports.read(port, size),
        writePort: (port, size, value) => this.board.ports.write(port, size, value),
        readPorts: (port, size, count, into, at) =>
          this.board.ports.readBlock(port, size, count, into, at),
        writePorts: (port, size, count, from, at) =>
          this.board.ports.writeBlock(port, size, count, from, at),
        readMemory: (physical, size) => this.board.addresses.read(physical, size),
        writeMemory: (physical, size, value) => this.board.addresses.write(physical, size, value),
        acknowledgeInterrupt: () => this.board.acknowledgeInterrupt(),
        ...(apic ? { apicBase: (value) => this.board.localApic?.setBase(value) } : {}),
        coprocessorError: () => this.board.coprocessor.signal(),
        timestamp: () => Math.floor(this.clock.now() / NS_PER_INSTRUCTION),
      },
    });
    const { cpu } = this;
    this.clock = new Clock(() => cpu.instructions);
    this.clock.onEarlier(() => cpu.requestStop());
    this.board = new Board({
      clock: this.clock,
      memory: cpu.memory,
      disks,
      cdrom: options.cdrom,
      serial: options.serial,
      debug: options.debug,
      timeMs: options.seedTimeMs ?? DEFAULT_TIME_MS,
      intr: new Wire((high) => cpu.setInterruptLine(high)),
      nmi: () => cpu.nmi(),
      cover: (page, covered) => {
        const side = covered ? "bus" : "ram";
        cpu.memory.route(page, page + LOCAL_APIC_BYTES, { read: side, write: side });
      },
      a20: (open) => cpu.setA20(open),
      shadow: (start, end, { read, write }) =>
        cpu.memory.route(start, end, {
          read: read ? "ram" : "rom",
          write: write ? "ram" : "bus",
        }),
      ...(options.vgaRom === undefined ? {} : { vgaRom: options.vgaRom }),
      ...(apic ? { apic: { entries: LOCAL_VECTORS[model] ?? 5 } } : {}),
      resetLine: () => this.#end({ type: "reset" }),
      powerOff: () => this.#end({ type: "power-off" }),
      exit: (status) => this.#end({ type: "exit", status }),
    });
    this.serial = this.board.serial;
    this.keyboard = this.board.keyboard;
    this.mouse = this.board.mouse;
    this.display = this.board.vga;
    this.acpi = createAcpi({ ramBytes, apic });
    describeMachine(this.board.rtc, { ramBytes, disks });
    describeToBios(this.board.fwCfg, {
      ramBytes,
      acpi: this.acpi,
      optionRoms: options.optionRoms ?? [],
      onSerial: options.biosOnSerial ?? false,
    });
    if (bios !== undefined) installBios(cpu.memory, bios);
    this.#start();
  }

  /** What happens before the first instruction of a BIOS or a kernel. */
  #start(): void {
    this.board.reset();
    if (this.#options.bios === undefined) startChips(this.board);
  }

  /** Sends bytes to the guest's COM1 and wakes the machine. */
  sendSerial(bytes: Uint8Array): void {
    this.serial.receive(bytes);
    this.wake();
  }

  /** Types text on the keyboard and wakes the machine. */
  type(text: string): void {
    this.keyboard.type(text);
    this.wake();
  }

  /** Presses the power button: a guest with ACPI turns itself off. Wakes the machine. */
  powerButton(): void {
    this.board.power.powerButton();
    this.wake();
  }

  /** Presses the NMI button, which some servers have for a guest that hangs. Wakes the machine. */
  nmiButton(): void {
    this.board.nmiButton();
    this.wake();
  }

  /** Lets a machine that waits for input look at its chips. */
  wake(): void {
    this.#idleSlices = 0;
    this.#wake?.();
  }

  /**
   * Loads a kernel (Multiboot 1, Multiboot 2, Linux bzImage) and sets the CPU at its entry.
   *
   * @param options.name what to call the kernel in messages
   * @param options.initrd an initial RAM disk, for Linux
   * @throws {BootError} when it is none, or does not fit
   */
  loadKernel(
    file: Uint8Array,
    commandLine: string,
    options: { readonly name?: string; readonly initrd?: InitialRamDisk } = {},
  ): void {
    this.#kernel = { file, options: { ...options, name: options.name ?? "kernel", commandLine } };
    this.#enterKernel();
    this.#exit = undefined;
  }

  /** Resets CPU and chips and loads the kernel again, as firmware would after a reset. Memory stays else. */
  reboot(): void {
    this.cpu.reset();
    this.#start();
    this.#enterKernel();
    this.#exit = undefined;
  }

  #enterKernel(): void {
    if (this.#kernel === undefined) return;
    const { file, options } = this.#kernel;
    const disks = (this.#options.disks ?? []).filter((disk) => disk !== undefined).length;
    writeBiosData(this.cpu.memory, { disks });
    loadKernel(this.cpu, file, { ...options, ...installAcpi(this.cpu.memory, this.acpi) });
  }

  /** Ends the run at the next instruction boundary. */
  stop(): void {
    this.#stopRequested = true;
    this.cpu.requestStop();
    this.wake();
  }

  /**
   * Stops at the next instruction boundary until the promise settles; for the guest no time passes. A debugger looks
   * around meanwhile. {@link run} waits; {@link runSync}, which cannot, returns "stopped".
   */
  hold(until: Promise<unknown>): void {
    const mark = Symbol();
    this.#holds.add(mark);
    this.cpu.requestStop();
    this.wake();
    const release = (): void => {
      this.#holds.delete(mark);
      this.wake();
    };
    until.then(release, release);
  }

  /** The state of clock and chips; the CPU's and the memory are not in it. */
  saveChips(): { clock: Saved; board: Record<string, Saved> } {
    return { clock: this.clock.save(), board: this.board.save() };
  }

  /**
   * Puts a saved state back.
   *
   * @throws {TypeError} when it does not fit this machine.
   */
  restoreChips(saved: { clock: Saved; board: Record<string, Saved> }): void {
    this.clock.restore(saved.clock);
    this.board.restore(saved.board);
  }

  #end(reason: ExitReason): void {
    this.#exit ??= reason;
    this.cpu.requestStop();
  }

  /**
   * Runs until the guest ends the run, {@link stop} is called, the signal is aborted or so many
   * instructions are done. While the guest waits and nothing is due, waits for {@link wake}.
   */
  async run(
    options: { readonly instructions?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ExitReason> {
    const { host } = this.#options;
    const end = this.cpu.instructions + (options.instructions ?? Infinity);
    const onAbort = (): void => this.stop();
    options.signal?.addEventListener("abort", onAbort);
    if (options.signal?.aborted === true) this.#stopRequested = true;
    if (host !== undefined) this.#originMs = host.nowMs() - this.clock.now() / NS_PER_MS;
    try {
      for (;;) {
        const reason = this.#slice(end);
        if (this.#holds.size > 0 && reason === undefined) await this.#released();
        else if (reason === undefined) {
          if (this.#options.clock === "wall") await this.#follow();
          else await this.#breathe();
        } else if (reason.type === "idle") await this.#idle();
        else return reason;
      }
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      this.#stopRequested = false;
    }
  }

  /** Runs so many instructions at most, without giving the host a turn; `undefined` when they are done. */
  runSync(instructions: number): ExitReason | undefined {
    const end = this.cpu.instructions + instructions;
    for (;;) {
      const reason = this.#slice(end);
      if (reason === undefined && this.#holds.size > 0) return { type: "stopped" };
      if (reason?.type === "limit") return undefined;
      if (reason !== undefined) return reason;
      if (this.#emptyWakes > MAX_EMPTY_WAKES) return { type: "idle" };
    }
  }

  /** Runs for a slice; the reason why the run cannot go on, or `undefined`. */
  #slice(end: number): ExitReason | undefined {
    const { cpu, clock } = this;
    const start = cpu.instructions;
    const until = Math.min(end, start + SLICE);
    const startNs = clock.now();
    for (let wakes = 0;;) {
      clock.fire();
      if (this.#exit !== undefined) return this.#exit;
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { type: "stopped" };
      }
      if (this.#holds.size > 0) return undefined;
      const now = cpu.instructions;
      if (now >= end) return { type: "limit" };
      if (now >= until || wakes >= SLICE_WAKES) {
        const worked = (now - start) * NS_PER_INSTRUCTION;
        const idle = worked < (1 - IDLE_PART) * (clock.now() - startNs);
        this.#idleSlices = idle ? this.#idleSlices + 1 : 0;
        return undefined;
      }
      const left = Math.ceil((clock.nextDeadlineNs - clock.now()) / NS_PER_INSTRUCTION);
      const reason = cpu.run(Math.min(until - now, Math.max(1, left)));
      if (reason === "shutdown") {
        this.#exit ??= { type: "shutdown" };
      } else if (reason === "halted" && this.#exit === undefined && !this.#stopRequested) {
        const waiting = this.#halted();
        if (waiting !== undefined) return waiting === "later" ? undefined : waiting;
        wakes++;
        this.#emptyWakes = cpu.instructions === now ? this.#emptyWakes + 1 : 0;
      }
    }
  }

  /** The CPU waits in HLT: lets time pass. "later" when it is the host's time that has to. */
  #halted(): ExitReason | "later" | undefined {
    const { clock, cpu } = this;
    if ((cpu.registers.get("eflags") & IF) === 0) return { type: "halted" };
    const next = clock.nextDeadlineNs;
    if (next === Infinity) return { type: "idle" };
    if (this.#options.clock !== "wall") {
      clock.skipTo(next);
      return undefined;
    }
    clock.skipTo(Math.min(next, this.#hostNs()));
    return clock.now() >= next ? undefined : "later";
  }

  /** The host's time on the virtual scale. */
  #hostNs(): number {
    const { host } = this.#options;
    return host === undefined ? 0 : (host.nowMs() - this.#originMs) * NS_PER_MS;
  }

  /** Keeps virtual time at the host's: pauses when it is ahead, forgets what it cannot catch up. */
  async #follow(): Promise<void> {
    const { host } = this.#options;
    if (host === undefined) return;
    const { clock, cpu } = this;
    const lag = this.#hostNs() - clock.now();
    if (lag > MAX_LAG_NS) this.#originMs += (lag - MAX_LAG_NS) / NS_PER_MS;
    // Halted: until the next timer; running: until the host has caught up.
    const ahead = cpu.halted ? clock.nextDeadlineNs - this.#hostNs() : -lag;
    const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(0, ahead / NS_PER_MS));
    if (!cpu.halted) await host.pause(pauseMs >= 1 ? pauseMs : 0);
    else await Promise.race([host.pause(pauseMs), this.#woken()]);
  }

  /** Gives the host its turn, for longer when the guest only ticks: its time is virtual, the host's is not. */
  async #breathe(): Promise<void> {
    const { host } = this.#options;
    if (host === undefined) return;
    const pauseMs = Math.min(this.#idleSlices, MAX_IDLE_PAUSE_MS);
    if (pauseMs === 0) await host.pause(0);
    else await Promise.race([host.pause(pauseMs), this.#woken()]);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** Waits until nobody holds the machine, or the run has to end. On the wall clock that time does not count. */
  async #released(): Promise<void> {
    const { host } = this.#options;
    const startMs = host?.nowMs() ?? 0;
    while (this.#holds.size > 0 && !this.#stopRequested) await this.#woken();
    this.#originMs += (host?.nowMs() ?? 0) - startMs;
  }

  /** Nothing is due: waits for input. */
  async #idle(): Promise<void> {
    if (this.clock.nextDeadlineNs !== Infinity || this.#stopRequested) return;
    await this.#woken();
    // On the wall clock the time that was waited has passed for the guest too.
    if (this.#options.clock === "wall") {
      this.clock.skipTo(Math.min(this.clock.nextDeadlineNs, this.#hostNs()));
    }
  }
}
