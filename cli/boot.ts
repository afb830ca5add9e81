/**
 * `overture boot`: boots an image; the terminal is the guest's serial console.
 *
 * @module
 */
import { Command, Option } from "@commander-js/extra-typings";
import { CPU_MODELS, type CpuModel, DEFAULT_MODEL } from "../cpu/mod.ts";
import type { Machine } from "../devices/mod.ts";
import {
  encodePng,
  EscapeFilter,
  RawInput,
  TERMINAL_HELP,
  writeStandardOutput,
} from "../devices/host/mod.ts";
import { GdbListener, parseGdbAddress } from "./gdb.ts";
import { DEFAULT_CACHE } from "./project.ts";
import { parseSize, parseTranslate, say, UserError } from "./report.ts";
import { Session, type SessionOptions } from "./session.ts";
import { sayStatistics } from "./statistics.ts";

/** Options that boot and profile share. */
export function machineOptions(command: Command): Command {
  return command
    .option(
      "--kernel <file>",
      "boot this kernel (Multiboot, Linux bzImage) instead of the image's /boot/kernel",
    )
    .option("--initrd <file>", "the Linux kernel's initial RAM disk")
    .option("--cdrom <file>", "put this CD-ROM image (ISO 9660) into a drive")
    .option(
      "--symbols <file>",
      "the kernel's symbols, for plugins: an ELF file, System.map or /proc/kallsyms",
    )
    .option("--append <text>", 'more of the kernel\'s command line, like "init=/bin/bash"')
    .option("--ram <size>", "memory of the machine, like 64M", "128M")
    .option(
      "--bios <file>",
      "start from this BIOS, which boots the disk; its own messages go to standard error",
    )
    .option(
      "--vga-rom <file>",
      "the display's BIOS, for --bios (default: vgabios-stdvga.bin beside it)",
    )
    .option(
      "--option-rom <file>",
      "another card's ROM, for --bios (repeatable)",
      (value: string, previous: string[]) => [...previous, value],
      [] as string[],
    )
    .addOption(
      new Option("--cpu <model>", "the processor").choices(CPU_MODELS).default(DEFAULT_MODEL),
    )
    .option(
      "--translate <when>",
      "translate hot code: off, on, or after so many entries of a block",
      "on",
    )
    .option("--stats", "tell at the end what the translator did; it then counts, which takes time")
    .option(
      "--perf-map",
      "name translated code by the guest's symbols (--symbols) in profiles of this process, like `deno run --cpu-prof`",
    )
    .option("--no-apic", "a machine without local APIC and I/O APIC: interrupts by the 8259A alone")
    .option("--snapshot", "keep the guest's writes in memory, leave the image unchanged")
    .option(
      "--plugin <file>",
      "load a plugin: FILE.ts or a bundled one's name (hotblocks, strace, …), [,option=value]... (repeatable)",
      (value: string, previous: string[]) => [...previous, value],
      [] as string[],
    )
    .option(
      "--cache <folder>",
      "where the default image is kept",
      DEFAULT_CACHE,
    ) as unknown as Command;
}

/** The `boot` command. */
export function bootCommand(setExitCode: (code: number) => void): Command {
  const command = new Command("boot")
    .description("boot a disk image; the terminal is the guest's serial console")
    .argument(
      "[image]",
      "the image; without it and --kernel ours, built and cached, whose changes are not kept",
    )
    .option(
      "--clock <kind>",
      "virtual: runs repeat; wall: tied to real time (default on a terminal)",
    )
    .option(
      "--gdb <address>",
      "let gdb in: [HOST:]PORT or unix:PATH; without a host from this machine alone",
    )
    .option("--wait", "with --gdb: stand still before the first instruction until gdb has come")
    .option("--screenshot <file>", "write the guest's screen to this PNG file when the run ends")
    .addHelpText(
      "after",
      `
In the guest: Ctrl-A X leaves, Ctrl-A H helps, Ctrl-A A sends Ctrl-A.

Examples:
  boot
  boot disk.img --snapshot --ram 64M
  boot disk.img --append "init=/bin/bash"
  boot disk.img --bios /usr/share/seabios/bios-256k.bin
  boot --kernel vmlinuz --initrd initrd.img --append console=ttyS0
  boot disk.img --plugin ./my_plugin.ts,key=value
  boot --gdb 1234 --wait                   then: gdb -ex "target remote :1234"`,
    );
  machineOptions(command as unknown as Command);
  command.action(async (image, options) => {
    setExitCode(await boot(image, options as BootOptions));
  });
  return command as unknown as Command;
}

/** What {@link machineOptions} parse to. */
export interface MachineChoices {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly symbols?: string;
  readonly cdrom?: string;
  readonly append?: string;
  readonly ram: string;
  readonly cpu: CpuModel;
  readonly translate: string;
  readonly stats?: boolean;
  readonly perfMap?: boolean;
  readonly apic: boolean;
  readonly bios?: string;
  readonly vgaRom?: string;
  readonly optionRom: string[];
  readonly snapshot?: boolean;
  readonly plugin: string[];
  readonly cache: string;
}

/** The session's options that come from them. */
export function machineSettings(
  options: MachineChoices,
): Omit<SessionOptions, "image" | "clock" | "own" | "serial"> {
  return {
    cache: options.cache,
    kernel: options.kernel,
    initrd: options.initrd,
    symbols: options.symbols,
    cdrom: options.cdrom,
    append: options.append,
    ramBytes: parseSize(options.ram),
    cpu: options.cpu,
    translateAfter: parseTranslate(options.translate),
    statistics: options.stats ?? false,
    perfMap: options.perfMap ?? false,
    apic: options.apic,
    bios: options.bios,
    vgaRom: options.vgaRom,
    optionRoms: options.optionRom,
    snapshot: options.snapshot ?? false,
    plugins: options.plugin,
  };
}

interface BootOptions extends MachineChoices {
  readonly clock?: string;
  readonly gdb?: string;
  readonly wait?: boolean;
  readonly screenshot?: string;
}

async function boot(image: string | undefined, options: BootOptions): Promise<number> {
  const clock = options.clock ?? (Deno.stdin.isTerminal() ? "wall" : "virtual");
  if (clock !== "virtual" && clock !== "wall") {
    throw new UserError(`--clock is "virtual" or "wall", not "${clock}"`);
  }
  if (options.wait === true && options.gdb === undefined) {
    throw new UserError("--wait goes with --gdb: there is nobody else to wait for");
  }
  const parts: { session?: Session } = {};
  await using gdb = options.gdb === undefined
    ? undefined
    : new GdbListener(parseGdbAddress(options.gdb), {
      wait: options.wait ?? false,
      session: () => parts.session,
    });
  using session = await Session.open({
    ...machineSettings(options),
    image,
    clock,
    own: gdb === undefined ? [] : [gdb.server.plugin],
    serial: writeStandardOutput,
  });
  parts.session = session;
  await gdb?.start();
  const { machine } = session;
  const end = new AbortController();
  using input = new RawInput();
  if (input.isTerminal) say("Ctrl-A X leaves, Ctrl-A H helps.\r\n");
  const filter = new EscapeFilter({
    input: (bytes) => machine.sendSerial(bytes),
    leave: () => end.abort(),
    help: () => say(TERMINAL_HELP),
  });
  // A closed input leaves the machine running: a script's output may still be wanted.
  const pumping = input.pump((bytes) => filter.feed(bytes), end.signal);
  pumping.catch(() => {});
  try {
    const status = await runToEnd(session, end.signal);
    gdb?.server.exited(status);
    return status;
  } finally {
    end.abort();
    session.plugins.exit();
    if (options.stats === true) sayStatistics(machine.cpu);
    if (options.screenshot !== undefined) writeScreenshot(options.screenshot, machine);
  }
}

/** Writes the screen as a PNG file. */
function writeScreenshot(path: string, machine: Machine): void {
  try {
    Deno.writeFileSync(path, encodePng(machine.display.image()));
  } catch (error) {
    throw new UserError(`Cannot write the screenshot "${path}": ${(error as Error).message}`);
  }
}

/** Runs until the guest ends or the user leaves; returns the exit code. */
async function runToEnd(session: Session, signal: AbortSignal): Promise<number> {
  while (true) {
    const reason = await session.machine.run({ signal });
    switch (reason.type) {
      case "power-off":
      case "stopped":
        return 0;
      case "exit":
        return reason.status;
      case "reset":
        session.machine.reboot();
        break;
      case "shutdown":
        say(
          "\r\noverture: the guest shut the processor down (triple fault): an exception came while " +
            "the handlers of earlier ones could not be reached\r\n",
        );
        return 1;
      case "halted":
        say("\r\noverture: the guest halted the processor with interrupts off\r\n");
        return 1;
    }
  }
}
